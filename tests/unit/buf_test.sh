#!/bin/sh
# buf: the one growable type. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_it_grows_shrinks_and_is_always_a_string() {
	printf '%s\n' clear 'consume 5' 'add ' 'add abc' 'add \0x' 'printf %s' 'consume 0' 'consume 2' 'consume 100' \
		'add abc' clear 'add d' wipe 'add e' >"$T/input"
	unit_gives buf <<-'END'
	0: 0 
	0: 0 
	0: 0 
	0: 3 abc
	0: 5 abc\x00x
	0: 9 abc\x00x[%s]
	0: 9 abc\x00x[%s]
	0: 7 c\x00x[%s]
	0: 0 
	0: 3 abc
	0: 0 
	0: 1 d
	0: 0 
	0: 1 e
	END
}

test_the_nul_has_its_room_at_every_length() {
	i=0
	while [ $i -lt 12 ]; do
		echo 'fill 86'
		i=$((i + 1))
	done >"$T/input"
	printf '%s\n' 'fill 1' 'fill 1' 'printf x' >>"$T/input"
	test-unit buf <"$T/input" >"$T/got" 2>&1
	assertEquals '' "$(grep -v '^0: [0-9]* $' "$T/got")"
	assertEquals '0: 1037 ' "$(tail -n 1 "$T/got")"
	i=245 # the first storage has 256 octets
	while [ $i -lt 258 ]; do
		printf '%s\n' wipe "fill $i" 'printf x'
		i=$((i + 1))
	done >"$T/input"
	test-unit buf <"$T/input" >"$T/got" 2>&1
	assertEquals 'printed to the last octet' '' "$(grep -v '^0: [0-9]* $' "$T/got")"
}

# What is printed may be a password: the piece that fitted must not stay behind when there is no room for the rest.
test_what_does_not_fit_leaves_nothing() {
	needs plain || return 0 # a sanitizer needs more memory than that
	printf '%s\n' 'add abc' nomem >"$T/input"
	unit_gives buf <<-'END'
	0: 3 abc
	left 0, -1: 3 abc
	END
}

# The storage as a whole: what was there before the text became shorter is zeroed too.
test_wiping_zeroes_the_whole_storage() {
	printf '%s\n' 'fill 300' 'consume 290' forget >"$T/input"
	unit_gives buf <<-'END'
	0: 300 
	0: 10 xxxxxxxxxx
	zeroed 512 of 512, 0: 0 
	END
}

test_too_much_is_refused_and_nothing_is_lost() {
	printf '%s\n' huge 'add abc' huge >"$T/input"
	unit_gives buf <<-'END'
	errno ENOMEM, -1: 0 
	0: 3 abc
	errno ENOMEM, -1: 3 abc
	END
}

. "$SHUNIT2"
