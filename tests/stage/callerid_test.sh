#!/bin/sh
# callerid(8): a local user cannot claim to be another one, nor change a message after a stage has seen it.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

# A chain that keeps what it got as $T/msg, $T/env and $T/facts.
oneTimeSetUp() {
	chmod 755 "$T"
	program_make next <<-'P'
		#!/bin/sh
		cat >"$T/msg"
		cat <&3 >"$T/env"
		env | grep -E '^(MSA|SMTP|TCP|SSL_|RELAY|PROTO|DATAB)' | grep -v '^MSA_\(BIN\|JOBS\)=' | LC_ALL=C sort >"$T/facts"
		echo 250 2.0.0 taken
	P
	me=$(id -un)
}

setUp() {
	rm -f "$T/msg" "$T/env" "$T/facts"
	chain_default
}

tearDown() {
	resident_stop_all
}

# usage: assert_answer what reply
assert_answer() {
	assertEquals "$1: $(cat "$T/give.log" "$T/caller.log" 2>/dev/null)" "$2" "$(head -n 1 "$T/verdict")"
}

test_the_resident_believes_nothing() {
	MSA_HOST=mail.example.net MSA_X_SITE=ours RELAYCLIENT='' resident_start caller callerid -d example.net "$T/next"
	chain_give SMTPAUTHUSER=boss@example.net SMTPAUTHMETHOD=PLAIN SMTPAUTHLABEL=x SSL_PROTOCOL=TLSv1.3 TCPREMOTEIP=192.0.2.1 \
		MSA_HELO=x MSA_VERB=EHLO MSA_HOST=theirs MSA_X_OTHER=1 MSA_EHLO=DSN MSA_PARTIAL=1 MSA_LMTP=1 call "$T/caller"
	assert_answer 'taken' '250 2.0.0 taken'
	sed 's/^MSA_DEADLINE=.*/MSA_DEADLINE=D/' "$T/facts" >"$T/got"
	assert_got 'the facts' <<-X
		MSA_HOST=mail.example.net
		MSA_MESSAGE=m
		MSA_PARTIAL=1
		MSA_RCPTS=1
		MSA_SESSION=s
		MSA_X_SITE=ours
		RELAYCLIENT=
		SMTPAUTHUSER=$me@example.net
	X
	assertEquals "callerid: s/m done user=$me@example.net uid=$(id -u)" "$(grep ' done ' "$T/caller.log")"
	assert_same 'the message' "$T/message" "$T/msg"
	assert_same 'the envelope' "$T/envelope" "$T/env"
}

test_the_user_is_the_one_who_calls() {
	needs root || return 0
	resident_start caller callerid -A @nogroup "$T/next"
	setpriv --reuid nobody --regid nogroup --clear-groups env MSA_SESSION=s MSA_MESSAGE=m MSA_RCPTS=1 SMTPAUTHUSER=root \
		call "$T/caller" <"$T/message" 3<"$T/envelope" >"$T/verdict" 2>"$T/give.log"
	assertTrue "nobody: $(cat "$T/verdict" "$T/caller.log")" "grep -qx SMTPAUTHUSER=nobody $T/facts"
	# A uid of nobody's, in the same group.
	setpriv --reuid 4000000 --regid nogroup --clear-groups env MSA_SESSION=s MSA_MESSAGE=m MSA_RCPTS=1 SMTPAUTHUSER=root \
		call "$T/caller" <"$T/message" 3<"$T/envelope" 2>"$T/give.log" | tr -d '\r' >"$T/verdict"
	assert_answer 'a uid without a name' '550 5.7.1 Not allowed'
	assertContains "$(cat "$T/caller.log")" 'refused uid=4000000 reason="no user has this uid"'
}

# A writer that still has the file open changes it when the next stage has begun.
test_the_message_cannot_be_changed_later() {
	program_make slow <<-'P'
		#!/bin/sh
		echo go >"$T/fifo"
		read -r _ <"$T/fifo"
		exec "$T/next"
	P
	mkfifo "$T/fifo"
	resident_start caller callerid "$T/slow"
	cp "$T/message" "$T/wanted"
	cp "$T/envelope" "$T/wanted.env"
	{
		read -r _
		printf 'From: boss@example.net\r\n\r\nx\r\n' >"$T/message"
		printf 'MAIL FROM:<boss@example.net>\nRCPT TO:<c@d.example>\n' >"$T/envelope"
		echo go >"$T/fifo"
	} <"$T/fifo" &
	chain_give call "$T/caller"
	wait $!
	assert_answer 'taken' '250 2.0.0 taken'
	assert_same 'the message' "$T/wanted" "$T/msg"
	assert_same 'the envelope' "$T/wanted.env" "$T/env"
}

test_what_a_caller_may_not_give() {
	resident_start caller callerid "$T/next"
	printf 'Subject: x\n\nLF\n.\n' >"$T/message"
	chain_give call "$T/caller"
	assert_answer 'LF' '250 2.0.0 taken'
	printf 'Subject: x\r\n\r\nLF\r\n.\r\n' >"$T/wanted"
	assert_same 'becomes CRLF' "$T/wanted" "$T/msg"
	printf 'Subject: x\r\n\r\na\rb\r\n' >"$T/message"
	chain_give call "$T/caller"
	assert_answer 'a bare CR' '554 5.6.0 Bare CR, bare LF or NUL in the message'
	chain_default
	printf 'COPY TO:<archive@example.net>\n' >>"$T/envelope"
	chain_give call "$T/caller"
	assert_answer 'a COPY line' '550 5.7.1 Not allowed'
	printf 'MAIL FROM:<a@b.example> BODY=BINARYMIME\nRCPT TO:<c@d.example>\n' >"$T/envelope"
	chain_give call "$T/caller"
	assert_answer 'BINARYMIME' "554 5.6.3 Next server does not take binary data"
	chain_default
	chain_give MSA_SESSION='s/x forged' MSA_MESSAGE='m
forged: x' call "$T/caller"
	assert_answer 'ids that are none' '250 2.0.0 taken'
	assertEquals 'become ids' 2 "$(grep -c '^MSA_\(MESSAGE\|SESSION\)=[0-9a-z]\{14\}$' "$T/facts")"
	resident_stop caller
	DATABYTES=15 resident_start caller callerid "$T/next"
	chain_give DATABYTES=0 call "$T/caller"
	assert_answer 'too large' '552 5.3.4 Message too big'
	assertContains 'its reason' "$(cat "$T/caller.log")" 'reason="File too large"'
}

test_its_words() {
	callerid -d 'a b' "$T/next" 2>"$T/log"
	code=$?
	assertEquals "$(cat "$T/log")" 100 "$code"
	assertEquals 'callerid: a b: not a domain' "$(cat "$T/log")"
	chain_give SMTPAUTHUSER=boss callerid "$T/next"
	assertTrue 'exec'"'d: $(cat "$T/verdict" "$T/give.log")" "grep -qx SMTPAUTHUSER=$me $T/facts"
}

. "$SHUNIT2"
