#!/bin/sh
# base/table: keys are looked up in a cdb file.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

oneTimeSetUp() {
	printf '+3,5:bob->first\n+3,6:bob->second\n+0,4:->none\n+5,0:empty->\n+3,1:BIG->x\n\n' >"$T/list"
	cdb -c -t "$T/tmp" "$T/table" "$T/list"
}

# usage: finds expected-text arg ...
finds() {
	finds_text=$1
	shift
	assertEquals "$*" "$finds_text" "$(test-unit table "$@")"
}

test_the_first_value_of_a_key_is_found() {
	finds 'bob: [first]' "$T/table" bob
	finds 'empty: []' "$T/table" empty
	finds ': [none]' "$T/table" ''
}

test_another_key_is_not_there() {
	finds "$(printf 'bo: not there\nbobb: not there\nBob: not there')" "$T/table" bo bobb Bob
}

test_a_key_in_lower_case() {
	finds "$(printf 'BoB: [first]\nBIG: not there')" -l "$T/table" BoB BIG
}

test_a_key_that_is_too_long_is_not_there() {
	long=$(head -c 513 /dev/zero | tr '\0' a)
	finds "$long: not there" "$T/table" "$long"
	finds "$long: not there" -l "$T/table" "$long"
}

test_what_is_no_table_cannot_be_opened() {
	finds 'cannot open: No such file or directory' "$T/nothing"
	: >"$T/empty"
	finds 'cannot open: Protocol error' "$T/empty"
	mkdir "$T/dir"
	assertContains "$(test-unit table "$T/dir")" 'cannot open: '
}

test_a_damaged_table_is_an_error_or_a_miss_never_more() {
	head -c 2048 /dev/zero | tr '\0' '\377' >"$T/bad"
	finds 'bob: Protocol error' "$T/bad" bob
	size=$(wc -c <"$T/table")
	n=2048
	while [ $n -lt "$size" ]; do
		head -c $n "$T/table" >"$T/cut"
		test-unit table "$T/cut" bob empty >"$T/got"
		assertEquals "cut to $n" 0 $?
		n=$((n + 7))
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
