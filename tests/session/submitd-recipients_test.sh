#!/bin/sh
# What each recipient hears of his own: the check at RCPT (-r), and PRDR after the data.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"

# The check: answers by the recipient, and keeps what it got.
oneTimeSetUp() {
	program_make check <<-'X'
		#!/bin/sh
		n=1
		while [ -e "$T/check.$n" ]; do n=$((n + 1)); done
		{
			cat <&3
			echo "$(wc -c) octets"
			env | grep '^MSA_[MRP]' | sed 's/^\(MSA_MESSAGE\)=[0-9a-z]\{14\}$/\1=ID/'
			echo "$@"
		} >"$T/check.$n"
		to=$(envelope to)
		case $to in
		no@*) printf '550-5.1.1 No such user\n550 5.1.1 here\n' ;;
		full@*) echo '452 4.2.2 Full'; exit 111 ;;
		moved@*) echo '251 2.1.5 Will forward' ;;
		silent@*) ;;
		crash@*) kill -9 $$ ;;
		slow@*) exec sleep 30 ;;
		*) echo '250 2.1.5 known' ;;
		esac
	X
	program_make own <<-'X'
		#!/bin/sh
		touch "$T/partial"
		env | grep ^MSA_PARTIAL >"$T/partial"
		cat <&3 >"$T/envelope"
		cat "$T/verdict"
	X
}

setUp() {
	rm -f "$T"/check.* "$T/envelope" "$T/message"
}

test_the_check_answers_rcpt() {
	dialogue_submit submitd -r "$T/check a  b" "$SINK" <<-'X'
		> EHLO client.example
		<
		<
		> MAIL FROM:<a@example.org> SIZE=5 BODY=8BITMIME
		> RCPT TO:<Any@Example.net>
		> RCPT TO:<no@example.net>
		> RCPT TO:<full@example.net>
		> RCPT TO:<moved@example.net>
		> RCPT TO:<silent@example.net>
		> RCPT TO:<crash@example.net>
		> RCPT TO:<bad
		> RCPT TO:<b@example.net>
		> DATA
		> Subject: x
		> .
		> QUIT
		<<
	X
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'X'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		550-5.1.1 No such user
		550 5.1.1 here
		452 4.2.2 Full
		250 2.1.5 Recipient ok
		451 4.3.0 Local error, try again later
		451 4.3.0 Local error, try again later
		501 5.1.3 Bad recipient address syntax
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		250 2.0.0 Ok, message ID
		221 2.0.0 Bye
		EOF
		exit 0
	X
	cat >"$T/want" <<-'X'
		MAIL FROM:<a@example.org> BODY=8BITMIME
		RCPT TO:<Any@example.net>
		RCPT TO:<moved@example.net>
		RCPT TO:<b@example.net>
	X
	assert_same 'who gets the message' "$T/want" "$T/envelope"
	cat >"$T/want" <<-'X'
		MAIL FROM:<a@example.org> BODY=8BITMIME
		RCPT TO:<moved@example.net>
		0 octets
		MSA_MESSAGE=ID
		MSA_RCPTS=1
		a b
	X
	assert_same 'what the check is given' "$T/want" "$T/check.4"
}

test_all_recipients_refused_by_the_check() {
	dialogue_submit submitd -r "$T/check" "$SINK" <<-'X'
		> EHLO client.example
		> MAIL FROM:<a@example.org>
		> RCPT TO:<no@example.net>
		> DATA
		> RCPT TO:<b@example.net>
		> RSET
		> DATA
		> QUIT
		<<
	X
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'X'
		250 2.1.0 Sender ok
		550-5.1.1 No such user
		550 5.1.1 here
		554 5.5.1 No valid recipients
		250 2.1.5 Recipient ok
		250 2.0.0 Ok
		503 5.5.1 Bad sequence of commands
		221 2.0.0 Bye
		EOF
		exit 0
	X
	assertFalse 'nothing is delivered' "[ -e $T/envelope ]"
}

test_the_check_is_not_asked_for_dsn() {
	MSA_EHLO=8BITMIME,DSN,SMTPUTF8 dialogue_submit submitd -r "$T/check" "$SINK" <<-'X'
		> EHLO client.example
		> MAIL FROM:<a@example.org> RET=HDRS SMTPUTF8 ENVID=x
		> RCPT TO:<b@example.net> NOTIFY=SUCCESS ORCPT=rfc822;b@example.net
		> DATA
		> .
		> QUIT
		<<
	X
	printf '%s\n' 'MAIL FROM:<a@example.org> SMTPUTF8' 'RCPT TO:<b@example.net>' >"$T/want"
	head -n 2 "$T/check.1" >"$T/got"
	assert_same 'the check' "$T/want" "$T/got"
	assertTrue 'the message chain is' "grep -qx 'RCPT TO:<b@example.net> NOTIFY=SUCCESS ORCPT=rfc822;b@example.net' $T/envelope"
}

test_a_check_that_does_not_answer_is_451() {
	dialogue_submit submitd -t 1 -r "$T/check" "$SINK" <<-'X'
		> EHLO client.example
		> MAIL FROM:<a@example.org>
		> RCPT TO:<slow@example.net>
		> RCPT TO:<b@example.net>
		> QUIT
		<<
	X
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'X'
		250 2.1.0 Sender ok
		451 4.4.7 No answer in time, try again later
		250 2.1.5 Recipient ok
		221 2.0.0 Bye
		EOF
		exit 0
	X
	dialogue_submit submitd -r "$T/none" "$SINK" <<-'X'
		> HELO client.example
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> QUIT
		<<
	X
	assertEquals 'no such program' '451 4.3.0 Local error, try again later' "$(sed -n 4p "$T/out")"
}

test_unknown_users_count_as_refused_commands() {
	dialogue_submit submitd -e 2 -r "$T/check" "$SINK" <<-'X'
		> HELO client.example
		> MAIL FROM:<a@example.org>
		> RCPT TO:<no@example.net>
		> RCPT TO:<full@example.net>
		> RCPT TO:<no@example.net>
		> RCPT TO:<no@example.net>
		> RCPT TO:<b@example.net>
		<<
	X
	assertEquals 'the session is ended' '421 4.7.0 Too many errors, closing the connection' "$(sed -n '/^421/p' "$T/out")"
	assertEquals 'refusals' 3 "$(grep -c '^550 ' "$T/out")"
}

# RFC 6409 6.2: 550 5.7.1 at RCPT, by who the user is.
test_a_script_refuses_rcpt_by_the_users_permission() {
	program_make permit <<-'X'
		#!/bin/sh
		case $SMTPAUTHUSER:$(envelope to) in
		alice@example.net:*@example.net) echo '250 2.1.5 known' ;;
		alice@example.net:*) echo '550 5.7.1 Not outside of example.net'; exit 100 ;;
		*) echo '250 2.1.5 known' ;;
		esac
	X
	for user in alice bob; do
		SMTPAUTHUSER=$user@example.net dialogue_hold submitd -r "$T/permit" "$SINK" <<-'X'
			> HELO client.example
			> MAIL FROM:<a@example.net>
			> RCPT TO:<carol@example.org>
			> RCPT TO:<dave@example.net>
			> QUIT
			<<
		X
		sed -n 4,5p "$T/out" >"$T/$user"
	done
	printf '%s\n' '550 5.7.1 Not outside of example.net' '250 2.1.5 Recipient ok' >"$T/want"
	assert_same 'alice' "$T/want" "$T/alice"
	printf '%s\n' '250 2.1.5 Recipient ok' '250 2.1.5 Recipient ok' >"$T/want"
	assert_same 'bob' "$T/want" "$T/bob"
}

test_a_resident_checks() {
	: >"$T/ready"
	stamp -l "$T/r" -R 5 "$T/check" 5>"$T/ready" 2>"$T/r.log" </dev/null &
	resident=$!
	wait_until [ -s "$T/ready" ]
	dialogue_submit submitd -r "call $T/r" "$SINK" <<-'X'
		> HELO client.example
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> RCPT TO:<no@example.net>
		> QUIT
		<<
	X
	kill "$resident"
	wait "$resident"
	assertEquals '250 2.1.5 Recipient ok 550-5.1.1 No such user 550 5.1.1 here' "$(sed -n 4,6p "$T/out" | paste -sd ' ')"
}

test_in_lmtp_too() {
	MSA_LMTP='' dialogue_submit submitd -r "$T/check" "$SINK" <<-'X'
		> LHLO client.example
		> MAIL FROM:<a@example.org>
		> RCPT TO:<no@example.net>
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> DATA
		> Subject: x
		> .
		> QUIT
		<<
	X
	sed -i '1,/^250 2.1.0/d' "$T/out"
	assert_out 'a reply for each that was accepted' <<-'X'
		550-5.1.1 No such user
		550 5.1.1 here
		250 2.1.5 Recipient ok
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok, message ID
		221 2.0.0 Bye
		EOF
		exit 0
	X
}

test_misuse_of_r() {
	for words in '' '  '; do
		submitd -r "$words" true >"$T/out" 2>"$T/log"
		assertEquals "'$words'" 100 $?
	done
	for n in 64 65; do
		submitd -r "$(seq -s ' ' $n)" true </dev/null >"$T/out" 2>"$T/log"
		code=$?
		assertEquals "$n words" $((n > 64 ? 100 : 0)) "$code"
	done
	assertEquals 'submitd: -r: no words, or more than 64' "$(cat "$T/log")"
}

# A message for b@, c@ and d@ with $T/verdict as the chain's. usage: prdr MAIL-parameters how
prdr() {
	{
		printf '%s\n' '> EHLO client.example' "> MAIL FROM:<a@example.org>$1" '> RCPT TO:<b@example.net>' \
			'> RCPT TO:<c@example.net>' '> RCPT TO:<d@example.net>'
		if [ "$2" = DATA ]; then
			printf '%s\n' '> DATA' '> Subject: x' '> .'
		else
			printf '%s\n' '> BDAT 12 LAST' '> Subject: x'
		fi
		printf '%s\n' '> QUIT' '<<'
	} | dialogue_submit submitd "$T/own"
	sed -i '1,/^250 CHUNKING/d; /^250 2.1/d; /^354/d; /^221/,$d' "$T/out"
}

test_prdr_gives_each_recipient_its_own_reply() {
	printf '%s\n' '250 2.0.0 one' '550-5.1.1 No' '550 5.1.1 such' '452 4.2.2 Full' . >"$T/verdict"
	for how in DATA BDAT; do
		prdr ' PRDR' "$how"
		assert_out "$how" <<-'X'
			353 Each recipient's own reply follows, then one for the message
			250 2.0.0 Ok, message ID
			550-5.1.1 No
			550 5.1.1 such
			452 4.2.2 Full
			250 2.0.0 Ok, message ID
		X
		assertEquals 'the chain knows' MSA_PARTIAL= "$(cat "$T/partial")"
		assertEquals 'it is no obligation of the chain' 'MAIL FROM:<a@example.org>' "$(head -n 1 "$T/envelope")"
		assertTrue 'log' "grep -q ' mixed .*rcpts=3 .* code=250 ' $T/log"
	done
	prdr '' DATA
	assert_out 'without PRDR' <<-'X'
		451 4.3.0 Not all recipients could be served alike, try again
	X
	assertEquals 'and the chain knows' '' "$(cat "$T/partial")"
}

test_prdr_of_a_verdict_that_is_no_yes() {
	printf '%s\n' '550 5.1.1 one' '451 4.2.0 two' '551 5.1.6 three' . >"$T/verdict"
	prdr ' PRDR' DATA
	assert_out 'refused and postponed' <<-'X'
		353 Each recipient's own reply follows, then one for the message
		550 5.1.1 one
		451 4.2.0 two
		551 5.1.6 three
		451 4.2.0 two
	X
	echo '550 5.7.1 Not this' >"$T/verdict"
	prdr ' PRDR' DATA
	assert_out 'refused' <<-'X'
		353 Each recipient's own reply follows, then one for the message
		550 5.7.1 Not this
		550 5.7.1 Not this
		550 5.7.1 Not this
		550 5.7.1 Not this
	X
	echo '250 2.0.0 Ok' >"$T/verdict"
	prdr ' PRDR' DATA
	assert_out 'accepted' <<-'X'
		353 Each recipient's own reply follows, then one for the message
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok, message ID
	X
}

# The chain of a message knows nothing of the message before.
test_prdr_is_for_one_message() {
	echo '250 2.0.0 ok' >"$T/verdict"
	program_make each <<-'X'
		#!/bin/sh
		echo "${MSA_PARTIAL-unset}" >>"$T/partials"
		yes '250 2.0.0 ok' | head -n "$MSA_RCPTS"
	X
	rm -f "$T/partials"
	dialogue_submit submitd "$T/each" <<-'X'
		> EHLO client.example
		> MAIL FROM:<a@example.org> PRDR
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> DATA
		> .
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> DATA
		> .
		> QUIT
		<<
	X
	assertEquals '|unset|' "$(tr '\n' '|' <"$T/partials")"
}

test_prdr_with_one_recipient_or_a_bad_message_is_one_reply() {
	echo '550 5.1.1 one' >"$T/verdict"
	dialogue_submit submitd "$T/own" <<-'X'
		> EHLO client.example
		> MAIL FROM:<a@example.org> PRDR
		> RCPT TO:<b@example.net>
		> DATA
		> .
		> MAIL FROM:<a@example.org> PRDR
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> DATA
		>> bare\nlf\r\n.\r\n
		> MAIL FROM:<a@example.org> PRDR=1
		> MAIL FROM:<a@example.org> PRDR PRDR
		> QUIT
		<<
	X
	sed -i '1,/^250 CHUNKING/d; /^250 2.1/d; /^354/d' "$T/out"
	assert_out 'replies' <<-'X'
		550 5.1.1 one
		554 5.6.0 Bare CR, bare LF or NUL in the message
		501 5.5.4 Bad value of a parameter: PRDR
		501 5.5.4 Bad value of a parameter: PRDR
		221 2.0.0 Bye
		EOF
		exit 0
	X
}

test_prdr_is_not_for_lmtp_nor_after_helo() {
	MSA_LMTP='' dialogue_submit submitd "$SINK" <<-'X'
		> LHLO client.example
		> MAIL FROM:<a@example.org> PRDR
		> QUIT
		<<
	X
	assertFalse 'not offered' "grep -q '^250-PRDR' $T/out"
	assertTrue 'not known' "grep -q '^555 .*PRDR' $T/out"
	dialogue_submit submitd "$SINK" <<-'X'
		> HELO client.example
		> MAIL FROM:<a@example.org> PRDR
		> QUIT
		<<
	X
	assertTrue 'HELO' "grep -q '^555 .*PRDR' $T/out"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
