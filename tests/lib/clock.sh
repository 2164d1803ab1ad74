# shellcheck shell=sh
# shellcheck disable=SC2034
# For the tests of what happens after a time: "$T/timed" PROGRAM runs it with a clock that stands still, and is at as many
# seconds as $CLOCK says. $WAITS has a line for each wait, "PROGRAM NUMBER MILLISECONDS", where NUMBER counts the waits of
# the process. Before the clock is set the wait that it is to end must have begun. ISC licence, see LICENSE.

# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

CLOCK=$T/clock WAITS=$T/waits
BEGIN=1800000000 # the second of the epoch at which $CLOCK is 0

# Begin a test. usage: clock_starts || return 0
clock_starts() {
	preload_build clock || return 1
	program_lines timed \
		"export MSA_SANDBOX=off LD_PRELOAD='$T/clock.so' CLOCK_FILE='$CLOCK' CLOCK_WAITS='$WAITS' CLOCK_BEGIN=$BEGIN" \
		'exec "$@"'
	clock_at 0
	: >"$WAITS"
}

# usage: clock_at seconds
clock_at() {
	echo "$1" >"$CLOCK"
}

# How long the waits were that a program has begun, without repetition. usage: clock_waits program
clock_waits() {
	sed -n "s/^$1 [0-9]* //p" "$WAITS" | sort -nu | tr '\n' ' '
}

# Wait until the program has begun a wait of so long. usage: clock_awaits program milliseconds
clock_awaits() {
	wait_until grep -q "^$1 [0-9]* $2\$" "$WAITS" || fail "$1 waits: $(clock_waits "$1")"
}
