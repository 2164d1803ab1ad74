#!/bin/sh
# id: session and message ids. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

test_ids_are_14_letters_and_digits() {
	test-unit id 1000 >"$T/ids"
	assertEquals 1000 "$(grep -c '^[0-9a-hj-km-np-tv-z]\{14\}$' "$T/ids")"
}

test_ids_differ() {
	assertEquals 1000 "$(sort -u "$T/ids" | wc -l | tr -d ' ')"
	assertNotEquals "$(test-unit id)" "$(test-unit id)"
}

# The first seven digits are the second, the others are random.
test_ids_sort_by_time() {
	clock_starts || return 0
	for seconds in 0 1 2 31 32 33 1023 1024 40000; do
		clock_at $seconds
		"$T/timed" test-unit id
	done >"$T/want"
	LC_ALL=C sort "$T/want" >"$T/got"
	assert_same 'in the order of time' "$T/want" "$T/got"
	assertEquals 'the second' 1nmkmg0 "$(head -n 1 "$T/want" | cut -c 1-7)"
}

. "$SHUNIT2"
