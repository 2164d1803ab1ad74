#!/bin/sh
# base/usertable: which record of a table of users is a user's. What is wrong with a whole table is in rights_test and
# limit_test of tests/stage. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

oneTimeSetUp() {
	printf '+3,5:bob->first\n+3,6:bob->second\n+3,1:BIG->x\n\n' | cdb -c -t "$T/tmp" "$T/table"
}

test_a_user_has_his_own_record_or_that_of_the_star_and_a_peer_that_of_the_minus() {
	printf 'bob his\n* all\n- peer\n' | cdb -c -m -t "$T/tmp" "$T/users"
	unit_finds "$(printf 'bob: [his]\nBOB: [his]\ncarol: [all]\n*: [all]\n-: [all]\n: [peer]')" -u "$T/users" bob BOB carol '*' - ''
	unit_finds "$(printf 'bob: [first]\ncarol: not there\n: not there\nBIG: not there')" -u "$T/table" bob carol '' BIG
	long=$(head -c 513 /dev/zero | tr '\0' a)
	unit_finds "$long: File name too long" -u "$T/users" "$long"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
