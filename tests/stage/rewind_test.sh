#!/bin/sh
# The tool rewind.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

setUp() {
	printf 'one\ntwo\n' >"$T/m"
}

test_the_next_look_begins_at_the_beginning() {
	{ cat >"$T/a"; rewind; code=$?; cat >"$T/b"; } <"$T/m"
	assertEquals 0 "$code"
	assert_same "first" "$T/m" "$T/a"
	assert_same "second" "$T/m" "$T/b"
	{ cat >"$T/a"; cat >"$T/b"; } <"$T/m"
	assertFalse "without it the second look sees nothing" "[ -s '$T/b' ]"
}

test_with_a_program_it_becomes_it() {
	{ cat >/dev/null; rewind head -n 1 >"$T/b"; } <"$T/m"
	assertEquals one "$(cat "$T/b")"
	rewind sh -c 'exit 7' <"$T/m"
	assertEquals 7 $?
	rewind "$T/no-such-program" <"$T/m" 2>"$T/log"
	assertEquals 111 $?
	assertEquals "rewind: $T/no-such-program: No such file or directory" "$(cat "$T/log")"
}

test_a_pipe_cannot_be_rewound() {
	echo x | {
		rewind 2>"$T/log"
		echo $? >"$T/code"
	}
	assertEquals 111 "$(cat "$T/code")"
	assertEquals 'rewind: fd 0: Illegal seek' "$(cat "$T/log")"
	rewind <&- 2>"$T/log"
	assertEquals 111 $?
	assertEquals 'rewind: fd 0: Bad file descriptor' "$(cat "$T/log")"
}

test_misuse_is_100_and_111_in_a_chain() {
	rewind -x true <"$T/m" 2>"$T/log"
	assertEquals 100 $?
	assertEquals 'usage: rewind [prog [arg ...]]' "$(tail -n 1 "$T/log")"
	MSA_MESSAGE=0abc rewind -x true <"$T/m" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	assertFalse "fd 1 is silent" "[ -s '$T/out' ]"
	assertEquals "the program's options are its own" 3 "$(rewind head -c 3 <"$T/m" | wc -c)"
}

. "$SHUNIT2"
