# shellcheck shell=sh
# shellcheck disable=SC2154
# For the tests of examples/stages: a message of Alice's for a stage, and what comes of it.
# ISC licence, see LICENSE.

STAGES=$ROOT/examples/stages

# A message, an envelope, and $T/tools first in PATH: empty, for tools that fail.
setUp() {
	rm -rf "$T/box" "$T/tools"
	mkdir "$T/tools"
	case $PATH in
	"$T/tools:"*) ;;
	*) PATH=$T/tools:$PATH ;;
	esac
	chain_message 'From: alice@example.net\r\nSubject: hello\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.net>'
}

# Give the message to a stage as Alice's; what is handed on is in $T/box/1. usage: cookbook_call stage arg ...
cookbook_call() {
	case $1 in
	filter) ;;
	*)
		cookbook_stage=$STAGES/$1
		shift
		set -- "$cookbook_stage" "$@"
		;;
	esac
	chain_call SMTPAUTHUSER=alice@example.net MSA_DEADLINE="${deadline:-2000000000}" "$@" inject-file "$T/box"
}

# The same with a tool that fails at once. usage: cookbook_broken tool stage arg ...
cookbook_broken() {
	program_lines "tools/$1" 'exit 3'
	cookbook_tool=$1
	shift
	cookbook_call "$@"
	rm "$T/tools/$cookbook_tool"
}

# The message was handed on as it is. usage: assert_handed_on what
assert_handed_on() {
	assertEquals "$1: $(cat "$T/verdict" "$T/log")" 0 "$code"
	assertTrue "$1: the message" "cmp '$T/msg' '$T/box/1/message'"
	rm -rf "$T/box"
}

# These octets are the verdict. usage: assert_says_only what code line ...
assert_says_only() {
	what=$1
	assertEquals "$what: $(cat "$T/verdict" "$T/log")" "$2" "$code"
	shift 2
	printf '%s\n' "$@" >"$T/expected"
	assert_same "$what: $(cat "$T/log")" "$T/expected" "$T/verdict"
}

# The same, and nothing was handed on. usage: assert_says what code line ...
assert_says() {
	assert_says_only "$@"
	assertFalse "$1: nothing is handed on" "[ -e '$T/box' ]"
	rm -rf "$T/box"
}

# The stage failed without a word, which is 451. usage: assert_fails what
assert_fails() {
	assertEquals "$1" 1 "$code"
	assertEquals "$1" '' "$(cat "$T/verdict")"
	assertFalse "$1: nothing is handed on" "[ -e '$T/box' ]"
}

# What was handed on is standard input, with CRLF. It becomes $T/stored.
cookbook_stored() {
	mv "$T/box/1/message" "$T/stored"
	tr -d '\r' <"$T/stored" >"$T/got"
	assert_got "what was handed on: $(cat "$T/log")"
	rm -rf "$T/box"
}
