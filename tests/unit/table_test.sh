#!/bin/sh
# base/table: keys are looked up in a cdb file.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

oneTimeSetUp() {
	printf '+3,5:bob->first\n+3,6:bob->second\n+0,4:->none\n+5,0:empty->\n+3,1:BIG->x\n\n' >"$T/list"
	cdb -c -t "$T/tmp" "$T/table" "$T/list"
	size=$(wc -c <"$T/table")
}

test_the_first_value_of_a_key_is_found() {
	unit_finds 'bob: [first]' "$T/table" bob
	unit_finds 'empty: []' "$T/table" empty
	unit_finds ': [none]' "$T/table" ''
}

test_another_key_is_not_there() {
	unit_finds "$(printf 'bo: not there\nbobb: not there\nBob: not there')" "$T/table" bo bobb Bob
}

test_a_key_in_lower_case() {
	unit_finds "$(printf 'BoB: [first]\nBIG: not there')" -l "$T/table" BoB BIG
}

test_a_key_that_is_too_long_is_not_there() {
	long=$(head -c 513 /dev/zero | tr '\0' a)
	printf '%s x\n%s y\n' "$long" "${long%a}" | cdb -c -m -t "$T/tmp" "$T/long"
	unit_finds "$long: not there" "$T/long" "$long"
	unit_finds "$long: not there" -l "$T/long" "$long"
	unit_finds "${long%a}: [y]" "$T/long" "${long%a}"
	unit_finds "$long: not there" "$T/table" "$long"
	unit_finds "$long: not there" -l "$T/table" "$long"
}

test_what_is_no_table_cannot_be_opened() {
	unit_finds 'cannot open: No such file or directory' "$T/nothing"
	: >"$T/empty"
	unit_finds 'cannot open: Protocol error' "$T/empty"
	mkdir "$T/dir"
	assertContains "$(test-unit table "$T/dir")" 'cannot open: '
}

test_a_table_that_is_written_in_place_has_changed() {
	cp "$T/table" "$T/now"
	touch -d @1000000000 "$T/now"
	test-unit table -c "$T/now" : "touch -d @1000000001 $T/now" look : "touch -d @1000000001.5 $T/now" look \
		"touch -d @1000000001.5 $T/now" "cp $T/now $T/new && mv $T/new $T/now" look : >"$T/got"
	assert_got 'the time, then the file' <<-'E2'
		the same
		changed
		taken
		the same
		changed
		taken
		the same
		changed
		taken
		the same
	E2
}

# What cannot be used is looked at once; not so what could not be opened for a reason that passes.
test_a_table_that_was_refused_is_looked_at_once_unless_the_reason_passes() {
	cp "$T/table" "$T/now"
	test-unit table -c "$T/now" "touch -d @1000000001 $T/now" few : look : "echo damaged >$T/now" look : "rm $T/now" look : >"$T/got"
	assert_got 'too few descriptors, then no table, then no file' <<-'E2'
		changed
		Too many open files
		changed
		taken
		the same
		changed
		Protocol error
		the same
		changed
		No such file or directory
		the same
	E2
}

test_a_table_that_was_cut_off_cannot_be_opened() {
	head -c 2048 /dev/zero | tr '\0' '\377' >"$T/bad"
	unit_finds 'cannot open: Protocol error' "$T/bad" bob
	n=2048
	while [ $n -lt "$size" ]; do
		head -c $n "$T/table" >"$T/cut"
		unit_finds 'cannot open: Protocol error' "$T/cut" bob
		n=$((n + 7))
	done
}

test_a_damaged_table_is_an_error_or_a_miss_never_more() {
	n=2048
	while [ $n -lt "$size" ]; do
		head -c $n "$T/table" >"$T/bad"
		head -c 16 /dev/zero | tr '\0' '\377' >>"$T/bad"
		tail -c +$((n + 17)) "$T/table" >>"$T/bad"
		test-unit table "$T/bad" bob empty >"$T/got"
		assertEquals "octets at $n" 0 $?
		n=$((n + 8))
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
