# shellcheck shell=sh
# shellcheck disable=SC2034
# For the tests of what happens after a time: "$T/timed" PROGRAM runs it with a clock that stands still, and is at as many
# seconds as $CLOCK says. $WAITS has a line for each wait, "PROGRAM NUMBER MILLISECONDS", where NUMBER counts the waits of
# the process. Before the clock is set the wait that it is to end must have begun. ISC licence, see LICENSE.

CLOCK=$T/clock WAITS=$T/waits
BEGIN=1800000000 # the second of the epoch at which $CLOCK is 0

# Begin a test. usage: clock_starts || return 0
clock_starts() {
	if [ ! -f "$T/clock.so" ]; then
		${CC:-cc} -shared -fPIC -O1 -o "$T/clock.so" "$ROOT/tests/preload/clock.c"
		cat >"$T/timed" <<-E2
			#!/bin/sh
			# Under ASan the library may come before the sanitizer's, for it allocates nothing.
			export LD_PRELOAD="$T/clock.so" CLOCK_FILE="$CLOCK" CLOCK_WAITS="$WAITS" CLOCK_BEGIN="$BEGIN"
			export ASAN_OPTIONS="\${ASAN_OPTIONS:-}:verify_asan_link_order=0"
			exec "\$@"
		E2
		chmod 755 "$T/timed"
	fi
	at 0
	[ "$("$T/timed" date +%s 2>&1)" = "$BEGIN" ] || {
		skip 'no preloading here'
		return 1
	}
	: >"$WAITS"
}

# How long the waits were that a program has begun, without repetition. usage: waits program
waits() {
	sed -n "s/^$1 [0-9]* //p" "$WAITS" | sort -nu | tr '\n' ' '
}

# usage: at seconds
at() {
	echo "$1" >"$CLOCK"
}
