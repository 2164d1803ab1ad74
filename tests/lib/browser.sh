# shellcheck shell=sh
# A real browser without windows: Chromium's headless shell, which setup check unpacks. ISC licence, see LICENSE.

browser_home=$ROOT/bin/peers/chromium
browser_program=$browser_home/usr/lib/chromium/chromium-headless-shell

# usage: browser_run option ... url
browser_run() {
	HOME=$T LD_LIBRARY_PATH=$(echo "$browser_home"/usr/lib/*-linux-gnu):$(echo "$browser_home"/usr/lib/*-linux-gnu/pulseaudio) \
		timeout 120 "$browser_program" --no-sandbox --disable-gpu --user-data-dir="$T/browser" "$@" 2>"$T/browser.log"
}

# Returns 0 if the browser can run here; else the reason is a skip.
browser_needed() {
	[ -x "$browser_program" ] || {
		skip 'needs chromium-headless-shell'
		return 1
	}
}
