#!/bin/sh
# id: session and message ids. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

test_ids_are_14_letters_and_digits() {
	test-unit id 1000 >"$T/ids"
	assertEquals 1000 "$(grep -c '^[0-9a-hj-km-np-tv-z]\{14\}$' "$T/ids")"
}

test_ids_differ() {
	assertEquals 1000 "$(sort -u "$T/ids" | wc -l | tr -d ' ')"
	assertNotEquals "$(test-unit id)" "$(test-unit id)"
}

test_ids_sort_by_time() {
	test-unit id >"$T/first"
	sleep 1.1
	test-unit id >"$T/second"
	cat "$T/first" "$T/second" >"$T/want"
	LC_ALL=C sort "$T/second" "$T/first" >"$T/got"
	assertEquals "$(cat "$T/want")" "$(cat "$T/got")"
}

. "$SHUNIT2"
