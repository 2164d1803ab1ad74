#!/bin/sh
# The command envelope, and through it the module's parser of chain(7) ENVELOPE.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

setUp() {
	rm -rf "$T/box"
	cat >"$T/e" <<'END'
MAIL FROM:<alice@example.net> BODY=8BITMIME SMTPUTF8 AUTH=<> RET=HDRS ENVID=a+3Db
RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.org
550 5.7.1 Not to Carol
RCPT TO:<"a > b c"@example.org>
RCPT TO:<postmaster>
COPY TO:<archive@example.net>
END
	printf 'a: b\r\n\r\nc\r\n' >"$T/m"
	MSA_MESSAGE=0abc MSA_RCPTS=4
	export MSA_MESSAGE MSA_RCPTS
}

# usage: edit arg ...; the last stage stores
edit() {
	envelope "$@" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
}

test_from_is_the_reverse_path() {
	assertEquals alice@example.net "$(envelope from 3<"$T/e")"
	assertEquals alice@example.net "$(envelope -f "$T/e" from)"
	printf 'MAIL FROM:<>\nRCPT TO:<b@c.example>\n' >"$T/e"
	envelope from 3<"$T/e" >"$T/out"
	assertEquals 0 $?
	printf '\n' >"$T/want"
	assert_same "null" "$T/want" "$T/out"
}

test_to_lists_who_was_not_refused() {
	envelope to 3<"$T/e" >"$T/out"
	printf '%s\n' bob@example.org '"a > b c"@example.org' postmaster >"$T/want"
	assert_same "to" "$T/want" "$T/out"
	envelope -n to 3<"$T/e" >"$T/out"
	printf '%s\n' '1 bob@example.org' '3 "a > b c"@example.org' '4 postmaster' >"$T/want"
	assert_same "numbers" "$T/want" "$T/out"
}

# usage: value want code key [number]
value() {
	want=$1 code=$2
	shift 2
	got=$(envelope param "$@" 3<"$T/e")
	assertEquals "exit of $*" "$code" $?
	assertEquals "$*" "$want" "$got"
}

test_parameters() {
	value 8BITMIME 0 BODY
	value 8BITMIME 0 body
	value '' 0 SMTPUTF8
	value '' 1 SMTP
	value '' 1 SIZE
	value '<>' 0 AUTH
	value 'a+3Db' 0 ENVID
	value '' 1 NOTIFY
	value SUCCESS,FAILURE 0 NOTIFY 1
	value 'rfc822;bob@example.org' 0 ORCPT 1
	value '' 1 NOTIFY 2
	value '' 1 NOTIFY 3
	envelope param NOTIFY 5 3<"$T/e" 2>"$T/log"
	assertEquals "there is no fifth" 111 $?
	assertEquals 'envelope: there is no recipient 5' "$(cat "$T/log")"
}

test_reading_is_repeatable_and_leaves_the_offset() {
	{ envelope from >/dev/null; envelope to >/dev/null; cat <&3 >"$T/out"; } 3<"$T/e"
	assert_same "whole" "$T/e" "$T/out"
}

test_refuse_puts_the_reply_in_its_place() {
	edit refuse 3 '550 5.7.1 Not to them'
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	sed '4s/.*/550 5.7.1 Not to them/' "$T/e" >"$T/want"
	assert_same "envelope" "$T/want" "$T/box/1/envelope"
	assert_same "message" "$T/m" "$T/box/1/message"
	printf '%s\r\n' '250 2.0.0 Stored' '550 5.7.1 Not to Carol' '550 5.7.1 Not to them' '250 2.0.0 Stored' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
}

test_the_first_refusal_stays() {
	edit refuse 2 '451 4.7.1 Later' envelope refuse 1 '451 4.7.1 Later'
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	sed '2s/.*/451 4.7.1 Later/' "$T/e" >"$T/want"
	assert_same "envelope" "$T/want" "$T/box/1/envelope"
}

test_copy_stands_at_the_end() {
	edit copy 'audit@EXAMPLE.net'
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	{ cat "$T/e"; echo 'COPY TO:<audit@example.net>'; } >"$T/want"
	assert_same "envelope" "$T/want" "$T/box/1/envelope"
	assertEquals "nobody is answered for it" 4 "$(wc -l <"$T/out")"
}

test_the_old_envelope_and_the_new_one_cannot_be_written() {
	cp "$T/e" "$T/before"
	# shellcheck disable=SC2016
	envelope refuse 1 '550 5.7.1 No' sh -c 'echo junk >>/proc/self/fd/3; exec inject-file "$1"' sh "$T/box" \
		<"$T/m" 3<"$T/e" >"$T/out" 2>/dev/null
	assert_same "old" "$T/before" "$T/e"
	sed '2s/.*/550 5.7.1 No/' "$T/e" >"$T/want"
	assert_same "new" "$T/want" "$T/box/1/envelope"
}

test_what_is_wrong_is_451() {
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	edit refuse 5 '550 5.7.1 No'
	assertEquals 111 $?
	assert_same "no such recipient" "$T/want" "$T/out"
	envelope copy a@b.example <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals "no next program" 111 $?
	envelope copy a@b.example "$T/no-such-program" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	assert_same "missing program" "$T/want" "$T/out"
	: >"$T/e"
	edit refuse 1 '550 5.7.1 No'
	assertEquals 111 $?
	assert_same "empty envelope" "$T/want" "$T/out"
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_misuse() {
	while read -r line; do
		eval "set -- $line"
		envelope "$@" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
		code=$?
		assertEquals "$line in a chain: $(cat "$T/log")" 111 "$code"
		assertFalse "$line: fd 1 is what a script reads" "[ -s '$T/out' ]"
		(unset MSA_MESSAGE; envelope "$@") <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
		assertEquals "$line outside" 100 $?
	done <<'END'

nothing
from x
to x
param
param BODY 0
param BODY x
param BODY 1 2
-x from
refuse
refuse 1
refuse 1 '550 No'
refuse 0 '550 No' true
refuse x '550 No' true
refuse 1 '250 Yes' true
refuse 1 '550-No' true
refuse 1 'No' true
refuse 1 "550 $(printf 'a\nb')" true
refuse 1 "550 $(printf '%0520d' 1)" true
copy
copy bob true
copy '<bob@example.org>' true
copy 'bob@example.org x' true
-f /dev/null copy bob@example.org true
END
	envelope from -x 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	want='usage: envelope [-n] [-f file] from | to | param key [number]'
	want="$want | refuse number reply prog [arg ...] | copy address prog [arg ...]"
	assertEquals "$want" "$(cat "$T/log")"
}

test_edits_need_a_chain() {
	unset MSA_MESSAGE
	edit refuse 1 '550 5.7.1 No'
	assertEquals 100 $?
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_no_file_no_answer() {
	envelope from 3<&- 2>"$T/log" >"$T/out"
	assertEquals 111 $?
	assertEquals 'envelope: fd 3: Bad file descriptor' "$(cat "$T/log")"
	envelope -f "$T/none" from 2>"$T/log" >"$T/out"
	assertEquals 111 $?
	envelope to 3<"$T" 2>"$T/log" >"$T/out"
	assertEquals "a directory" 111 $?
	envelope to 3<"$T/e" 2>"$T/log" >/dev/full
	assertEquals "no space" 111 $?
}

# What lib/envelope takes, and what not: one per line, \n for the line ends.
test_envelopes_that_are_right() {
	while read -r text; do
		printf '%b' "$text" >"$T/e"
		envelope -f "$T/e" to >"$T/out" 2>"$T/log"
		code=$?
		assertEquals "$text: $(cat "$T/log")" 0 "$code"
	done <<'END'
MAIL FROM:<>\n
MAIL FROM:<>\nRCPT TO:<a@b.example>\n
MAIL FROM:<a@[192.0.2.1]>\nRCPT TO:<a@[IPv6:::1]>\n
MAIL FROM:<j\303\266@example.net> SMTPUTF8\nRCPT TO:<a@b.example>\n
MAIL FROM:<> X-OWN=1 Y\nRCPT TO:<a@b.example> Z=1=2\n550 5.7.1 No\n451 Later\n550\nCOPY TO:<a@b.example>\nCOPY TO:<b@b.example>\n
END
}

test_envelopes_that_are_wrong() {
	while read -r text; do
		printf '%b' "$text" >"$T/e"
		envelope -f "$T/e" to >"$T/out" 2>"$T/log"
		assertEquals "$text" 111 $?
		assertFalse "$text" "[ -s '$T/out' ]"
	done <<'END'
\n
MAIL FROM:<>
MAIL FROM:<>\r\n
mail from:<>\n
MAIL FROM: <>\n
MAIL FROM:<> \n
MAIL FROM:<>  BODY=7BIT\n
MAIL FROM:<> BODY=7BIT  SMTPUTF8\n
MAIL FROM:<> BODY=7BIT \n
MAIL FROM:<> BODY=\n
MAIL FROM:<A@B.Example>\n
MAIL FROM:<@x.example:a@b.example>\n
MAIL FROM:<"a"@b.example>\n
MAIL FROM:<a@b.example>junk\n
MAIL FROM:<a@b.example\n
MAIL FROM:<>\nMAIL FROM:<>\n
MAIL FROM:<>\nRCPT TO:<>\n
MAIL FROM:<>\nRCPT TO:<a@b.example>\n\n
MAIL FROM:<>\nRCPT TO:<a@b.example>\000\n
MAIL FROM:<>\nRCPT TO:<a@b.example> =x\n
MAIL FROM:<>\n250 2.0.0 Yes\n
MAIL FROM:<>\n550-No\n
MAIL FROM:<>\nCOPY TO:<a@b.example>\nRCPT TO:<a@b.example>\n
MAIL FROM:<>\nCOPY TO:<a@b.example>\n550 No\n
END
}

. "$SHUNIT2"
