#!/bin/sh
# lmtp-inject delivers to Dovecot's LMTP server.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/dovecot.sh
. "$ROOT/tests/lib/dovecot.sh"

oneTimeSetUp() {
	dovecot_start
}

oneTimeTearDown() {
	dovecot_stop
}

setUp() {
	rm -rf "$T/d/mail/"*
	chain_message 'From: alice@example.net\r\nSubject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.net>'
}

# What the user got is the message with LF ends, below what Dovecot puts on top. usage: assert_got user
assert_has() {
	python3 - "$T/msg" "$T/d/mail/$1@example.net/Maildir/new/"* <<-'P'
		import sys
		msg = open(sys.argv[1], 'rb').read().replace(b'\r\n', b'\n')
		msg += b'' if msg.endswith(b'\n') else b'\n'
		assert len(sys.argv) == 3, sys.argv
		got = open(sys.argv[2], 'rb').read()
		assert got.startswith(b'Return-Path: <alice@example.net>\n') and got.endswith(b'\n' + msg), got[-300:]
	P
	assertTrue "what $1 got" $?
}

# The verdict, with Dovecot's queue ids masked. usage: assert_replies what reply ...
assert_replies() {
	sed -i 's/> [A-Za-z0-9+/:]* Saved/> ID Saved/' "$T/verdict"
	assert_verdict "$@"
}

test_over_a_unix_socket_and_tcp() {
	dovecot_ready || return 0
	for to in "$socket" "$tcp"; do
		setUp
		chain_call lmtp-inject "$to"
		assertEquals 'exit code' 0 "$code"
		assert_replies 'verdict' '250 2.0.0 <bob@example.net> ID Saved'
		assert_has bob
	done
}

test_k() {
	dovecot_ready || return 0
	lmtp-inject -k "$socket" >"$T/out" 2>"$T/err"
	assertEquals 'exit code' 0 $?
	printf '%s\n' PIPELINING 8BITMIME ENHANCEDSTATUSCODES CHUNKING >"$T/expected"
	assert_same 'keywords' "$T/expected" "$T/out"
}

test_each_recipient_its_own_reply() {
	dovecot_ready || return 0
	chain_envelope '<alice@example.net>' 'RCPT TO:<alice@example.net>' 'RCPT TO:<full@example.net>' \
		'RCPT TO:<nobody@example.net>' 'RCPT TO:<bob@example.net>'
	chain_call MSA_PARTIAL=1 lmtp-inject "$socket"
	assert_replies 'verdict' '250 2.0.0 <alice@example.net> ID Saved' \
		'552 5.2.2 <full@example.net> Quota exceeded (mailbox for user is full)' \
		"550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net" '250 2.0.0 <bob@example.net> ID Saved'
	assert_has alice
	assert_has bob
}

test_all_or_nothing() {
	dovecot_ready || return 0
	chain_envelope '<alice@example.net>' 'RCPT TO:<alice@example.net>' 'RCPT TO:<nobody@example.net>'
	chain_call lmtp-inject "$socket"
	refusal="550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net"
	assert_replies 'verdict' "$refusal" "$refusal"
	assertEquals 'nothing is delivered' '' "$(find "$T/d/mail" -path '*/new/*')"
}

test_data_and_bdat_carry_every_text() {
	: >"$T/ready"
	dovecot_ready || return 0
	for text in '\r\n.\r\n..\r\n.a\r\nb.\r\n' '\r\n\303\251\377\r\n' '\r\nno end' '\r\n\r\n\r\n'; do
		for how in DATA BDAT; do
			rm -rf "$T/d/mail/"*
			chain_message "Subject: $how\\r\\n$text"
			to=$socket
			if [ "$how" = DATA ]; then
				lmtp-less CHUNKING "$socket" "$T/less" >"$T/ready" &
				wait_until [ -s "$T/ready" ]
				rm "$T/ready"
				to=$T/less
			fi
			chain_call lmtp-inject "$to"
			assert_replies "$how $text" '250 2.0.0 <bob@example.net> ID Saved'
			assert_has bob
			wait
		done
	done
}

test_a_resident_keeps_its_session() {
	dovecot_ready || return 0
	: >"$T/in.log"
	before=$(wc -l <"$T/d/log")
	lmtp-inject -P 1:1 -l "$T/in" "$socket" 2>"$T/in.log" &
	resident=$!
	wait_until [ -s "$T/in.log" ]
	for how in 'RCPT TO:<nobody@example.net>' 'RCPT TO:<bob@example.net>' 'RCPT TO:<bob@example.net>'; do
		rm -rf "$T/d/mail/"*
		chain_envelope '<alice@example.net>' "$how"
		chain_call call "$T/in"
		case $how in
		*nobody*) assert_replies 'refused' "550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net" ;;
		*)
			assert_replies 'delivered' '250 2.0.0 <bob@example.net> ID Saved'
			assert_has bob
			;;
		esac
	done
	assertEquals 'sessions' 1 "$(tail -n +"$((before + 1))" "$T/d/log" | grep -c ': Connect from')"
	kill "$resident"
	wait "$resident"
	assertEquals 'log' '' "$(grep -E 'failed|lost' "$T/in.log")"
}

test_a_large_message() {
	dovecot_ready || return 0
	python3 - >"$T/msg" <<-'P'
		lines = ('.' * (i % 4) + 'x' * (i % 900) + '\r\n' for i in range(20000))
		print('Subject: large\r\n\r\n' + ''.join(lines), end='')
	P
	chain_call lmtp-inject "$socket"
	assert_replies 'verdict' '250 2.0.0 <bob@example.net> ID Saved'
	assert_has bob
}

test_many_recipients() {
	dovecot_ready || return 0
	set --
	while [ $# -lt 300 ]; do
		set -- "$@" 'RCPT TO:<bob@example.net>' "RCPT TO:<nobody$#@example.net>" 'RCPT TO:<alice@example.net>'
	done
	chain_envelope '<alice@example.net>' "$@"
	chain_call MSA_PARTIAL=1 lmtp-inject "$socket"
	assertEquals 'replies' 300 "$(grep -c '^[25]' "$T/verdict")"
	assertEquals 'delivered' 200 "$(grep -c '^250 2.0.0 <.*> .* Saved$' "$T/verdict")"
	assertEquals 'refused' 100 "$(grep -c '^550 5.1.1 <nobody' "$T/verdict")"
}

test_dovecot_has_nothing_to_complain_of() {
	dovecot_ready || return 0
	chain_call lmtp-inject "$socket"
	grep -E -i -v 'Info: .*(Quota exceeded|starting up)' "$T/d/log" |
		grep -E -i 'error|warning|fatal|unexpected|Connection closed' >"$T/complaints"
	assertEquals 'log' '' "$(cat "$T/complaints")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
