#!/bin/sh
# msa-penalty: to see counts, clear them, and block an address now. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

setUp() {
	table=$T/penalties
	mkdir -m 700 "$table"
}

tearDown() {
	rm -rf "$table"
}

# Put something into the table. usage: puts line ...
puts() {
	{ echo today && printf '%s\n' "$@"; } | test-unit penalty "$table" >/dev/null
}

# usage: says expected-output code option ... ; the directory is added
says() {
	expected=$1 code=$2
	shift 2
	msa-penalty "$@" "$table" >"$T/out" 2>&1
	assertEquals "$*" "$code" $?
	printf '%s\n' "$expected" | assert_out "$*"
}

test_usage_is_one_line_and_the_synopsis() {
	msa-penalty 2>"$T/usage"
	assertEquals 100 $?
	for args in 'x y' '-b 192.0.2.1 -c 192.0.2.1 x' '-t 60 x' '-q -b 192.0.2.1 x' '-x x'; do
		# shellcheck disable=SC2086
		msa-penalty $args 2>"$T/other"
		assertEquals "$args" 100 $?
		assertEquals "$args" "$(cat "$T/usage")" "$(tail -n 1 "$T/other")"
	done
	mandoc -T ascii "$ROOT/cmd/msa-penalty/msa-penalty.8" | col -bx | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed 1d |
		sed '$d' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//' >"$T/synopsis"
	assertEquals "usage: $(cat "$T/synopsis")" "$(cat "$T/usage")"
}

test_the_list_has_the_worst_first() {
	puts 'scram 198.51.100.77 x 12' 'deed 198.51.100.77 nothing 100' 'deed 2001:db8::1 nothing 300' 'scram 192.0.2.7 x 26' \
		'deed 192.0.2.7 nothing 100'
	msa-penalty "$table" >"$T/list"
	assertEquals 'tenths' 9 "$(grep -cx '[^ ]* [a-z]* failures=[0-9]*\.[0-9]' "$T/list")"
	sed -n 's/\.[0-9]$//; 1,2p' "$T/list" >"$T/out"
	printf '192.0.2.7 shut failures=26\n198.51.100.77 refused failures=12\n' | assert_out 'without tenths, which fade'
	sed '1,2d; s/ failures.*//' "$T/list" | sort >"$T/out"
	sort <<-'END' | assert_out 'the rest'
		192.0.2.0/24 free
		192.0.0.0/16 free
		198.51.0.0/16 free
		198.51.100.0/24 free
		2001:db8::/48 free
		2001:db8::/56 free
		2001:db8::/64 free
	END
	msa-penalty -q "$table" | sed 's/ .*//' >"$T/out"
	printf '%s\n' 192.0.2.7 198.51.100.77 | assert_out 'without who is free'
}

test_an_address_is_cleared_alone() {
	puts 'scram 192.0.2.1 x 24' 'scram 192.0.2.2 x 24' 'scram 192.0.2.3 x 24' 'scram 192.0.2.77 x 24'
	says '192.0.2.1: refused for what 192.0.2.0/24 did' 0 -c 192.0.2.1
	says '192.0.2.1/32: nothing was counted
192.0.2.1: refused for what 192.0.2.0/24 did' 0 -c 192.0.2.1/32
	says '192.0.2.0: free' 0 -c 192.0.2.0/24
	msa-penalty -q "$table" | sed 's/ .*//' >"$T/out"
	printf '%s\n' 192.0.2.2 192.0.2.3 192.0.2.77 | assert_out 'the others stay'
}

test_a_user_is_cleared() {
	puts 'scram 192.0.2.1 alice@example.net 24'
	says 'alice@example.net: cleared' 0 -c Alice@Example.NET
	says 'alice@example.net: nothing was counted' 0 -c alice@example.net
}

test_an_address_is_blocked_now_and_for_a_time() {
	puts 'right 203.0.113.7 alice'
	says '203.0.113.0: blocked for what 203.0.113.0/24 did' 0 -b 203.0.113.0/24
	says '192.0.2.1: blocked for what 192.0.2.1 did' 0 -t 100 -b 192.0.2.1
	msa-penalty "$table" >"$T/out"
	assertContains "$(cat "$T/out")" '203.0.113.0/24 blocked for=86'
	assertContains "$(cat "$T/out")" '192.0.2.1 blocked for='
	assertEquals 'look 203.0.113.7 => shut 203.0.113.0/24 0 blocked' \
		"$(printf 'today\nlook 203.0.113.7\n' | test-unit penalty "$table" | tail -n 1)"
	says '203.0.113.0: free' 0 -c 203.0.113.0/24
}

test_what_cannot_be() {
	puts 'scram 192.0.2.1 x 1'
	says 'msa-penalty: 192.0.2.0/25: not an address, or a net of penalties: /24, /16; /64, /56, /48' 100 -b 192.0.2.0/25
	says 'msa-penalty: 192.0.2.0/25: not an address, a net of penalties, or a user' 100 -c 192.0.2.0/25
	says 'msa-penalty: -t 0: not a number from 1 to 315360000' 100 -b 192.0.2.1 -t 0
	echo damaged >"$table/table"
	says "msa-penalty: $table: the table is damaged, or not ours" 100
	assertEquals damaged "$(cat "$table/table")"
	rm "$table/table"
	says "msa-penalty: $table: no table: authd and tlsd make it" 100 -b 192.0.2.1
	assertEquals 'no file is made' '' "$(ls "$table")"
	chmod 777 "$table"
	says "msa-penalty: $table: everybody may write to it" 100
}

# Two processes that are the first to count something at the same time can make two entries.
test_what_is_cleared_is_gone_though_it_has_two_entries() {
	puts 'scram 192.0.2.7 alice 26'
	python3 -S - "$table/table" <<-'X'
		import sys
		slot, ways, sets = 16, 8, 4096 + 1024 + 2048 + 4096
		with open(sys.argv[1], 'r+b') as f:
		    t = bytearray(f.read())
		    for at in range(len(t) - slot * ways * sets, len(t), slot * ways):
		        half = at + slot * ways // 2 # the first ones of an empty set are used first
		        t[half:half + slot * ways // 2] = t[at:half]
		    f.seek(0)
		    f.write(t)
	X
	for net in 192.0.2.7 192.0.2.0/24 192.0.0.0/16; do
		assertEquals 'twice' 2 "$(msa-penalty "$table" | grep -c "^$net ")"
		msa-penalty -c $net "$table" >"$T/out"
	done
	echo '192.0.0.0: free' | assert_out
	assertEquals none '' "$(msa-penalty "$table")"
	says 'alice: cleared' 0 -c alice
	says 'alice: nothing was counted' 0 -c alice
}

# shellcheck disable=SC1090
. "$SHUNIT2"
