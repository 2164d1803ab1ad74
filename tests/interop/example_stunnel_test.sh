#!/bin/sh
# examples/stunnel, as it stands but for paths, ports and users. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

oneTimeSetUp() {
	example_prepare stunnel4
	[ -z "$READY" ] || cp "$(command -v inline)" "$T/bin"
}

oneTimeTearDown() {
	example_end
}

test_it_serves_port_465_and_stops() {
	example_ready || return 0
	example_copy stunnel -e 's/setgid = stunnel4/setgid = nogroup/' -e 's/\(setuid = \|-A \)stunnel4/\1nobody/' -e "s/:::465/127.0.0.1:$PORT_TLS/"
	cp "$T/stunnel/session" "$T/etc/session"
	"$T/stunnel/run" 2>"$T/log" &
	pid=$!
	stunnel4 "$T/stunnel/stunnel.conf" >"$T/stunnel.log" 2>&1 &
	stunnel=$!
	wait_until test -S "$T/run/submit"
	wait_until test -S "$T/run/auth"
	wait_until port_accepts "$PORT_TLS"
	assert_example_submits "$PORT_TLS" -tlsc 'behind stunnel'
	assertTrue "Received: $(head -n 9 "$T/got")" "grep -q 'from .*\\[127.0.0.1\\]' '$T/got'"
	assertTrue "the log: $(cat "$T/log")" "grep -q '^submitd: .* accepted user=alice@example.net mech=PLAIN ip=127.0.0.1 tls=TLS ' '$T/log'"
	assert_example_refuses "$PORT_TLS" -tlsc
	assertEquals 'stunnel is not root' nobody "$(ps -o user= -p "$stunnel")"
	printf '%s\n' '<<' | talk setpriv --reuid daemon --regid daemon --clear-groups env SSL_PROTOCOL=TLS "$T/bin/call" "$T/run/auth" >"$T/out" 2>&1
	assertContains "$(cat "$T/out")" '421 4.3.2 '
	kill "$stunnel" "$pid"
	wait "$stunnel" "$pid"
	assert_example_over
}

# shellcheck source=/dev/null
. "$SHUNIT2"
