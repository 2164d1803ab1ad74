#!/bin/sh
# lmtp-inject, resident: the LMTP session that a worker keeps for its next message.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	resident=
}

tearDown() {
	let_go
}

# One worker, so that every message meets the same session. usage: keep [option ...]
keep() {
	: >"$T/in.log"
	lmtp-inject "$@" -P 1:1 -l "$T/in" "$T/s" 2>"$T/in.log" &
	resident=$!
	wait_until grep -q ' ready' "$T/in.log"
}

let_go() {
	[ -n "$resident" ] || return 0
	kill "$resident"
	wait "$resident"
	resident=
}

# Deliver, and compare the one reply. usage: delivered what reply [NAME=value ...]
delivered() {
	what=$1 reply=$2
	shift 2
	chain_call "$@" call "$T/in"
	assert_verdict "$what" "$reply"
}

sessions() {
	assertEquals 'sessions' "$1" "$(grep -c '^LHLO' "$T/rec")"
}

nothing_failed() {
	assertEquals 'log' '' "$(grep -E 'failed|lost|misuse' "$T/in.log")"
}

yes='250 2.0.0 Saved'
gone='451 4.4.2 Next server closed the connection, try again later'
transaction_() {
	printf '%s\n' "MAIL FROM:<$1>" 'RCPT TO:<bob@example.org>' DATA 'Subject: test' '' Hello .
}

test_messages_share_a_session() {
	lmtpd_start
	keep
	delivered first "$yes"
	chain_envelope '<carol@example.net>' 'RCPT TO:<bob@example.org>'
	delivered second "$yes"
	delivered third "$yes"
	let_go
	lmtpd_ended
	{
		echo 'LHLO test.example'
		transaction_ alice@example.net
		transaction_ carol@example.net
		transaction_ carol@example.net
		echo QUIT
	} | sed 's/$/\r/' >"$T/expected"
	assert_same 'dialogue' "$T/expected" "$T/rec"
	nothing_failed
}

test_a_transaction_that_did_not_end_is_reset() {
	lmtpd_start 'RCPT#1=550 5.1.1 No Bob' 'DATA#2=451 4.3.0 Not now'
	keep
	delivered 'no recipient' '550 5.1.1 No Bob'
	delivered 'delivered' "$yes"
	delivered 'no data' '451 4.3.0 Not now'
	delivered 'delivered again' "$yes"
	let_go
	lmtpd_ended
	sessions 1
	assertEquals 'verbs' 'LHLO MAIL RCPT DATA RSET MAIL RCPT DATA MAIL RCPT DATA RSET MAIL RCPT DATA QUIT ' \
		"$(grep -o '^[A-Z]\{4\}' "$T/rec" | tr '\n' ' ')"
}

test_a_refused_reset_ends_the_session() {
	lmtpd_start -n 2 'RCPT#1=550 5.1.1 No Bob' '2/RCPT#1=250 2.1.5 Ok' 'RSET=502 5.5.1 No'
	keep
	delivered 'refused' '550 5.1.1 No Bob'
	delivered 'delivered' "$yes"
	let_go
	lmtpd_ended
	sessions 2
	nothing_failed
}

test_a_server_that_closes_after_each_message() {
	lmtpd_start -n 3 "END=$yes|close"
	keep
	for n in 1 2 3; do
		delivered "message $n" "$yes"
	done
	let_go
	lmtpd_ended
	sessions 3
	nothing_failed
}

test_a_server_that_closes_after_a_while() {
	lmtpd_start -n 2 "1/END=$yes|sleep:0.4|close"
	keep
	delivered first "$yes"
	sleep 0.6
	delivered 'after the end' "$yes"
	let_go
	lmtpd_ended
	sessions 2
	nothing_failed
	# It closes without having read what we have sent already.
	lmtpd_start -n 2 "1/END=$yes|sleep:0.4|close"
	keep
	delivered first "$yes"
	delivered 'before the end' "$yes"
	let_go
	lmtpd_ended
	sessions 2
	nothing_failed
}

test_421_ends_a_kept_session_and_only_that() {
	lmtpd_start -n 2 "1/END=$yes\\r\\n421 4.4.2 Idle|close"
	keep
	delivered first "$yes"
	delivered 'said while it was idle' "$yes"
	let_go
	lmtpd_ended
	sessions 2
	nothing_failed
	lmtpd_start -n 2 '1/MAIL#2=421 4.3.2 Going|close'
	keep
	delivered first "$yes"
	delivered 'said to MAIL' "$yes"
	let_go
	lmtpd_ended
	sessions 2
	nothing_failed
	lmtpd_start 'MAIL#1=421 4.3.2 Going|close'
	keep
	delivered 'of a new session' '451 4.3.0 The next server said: 421 4.3.2 Going'
	let_go
	lmtpd_ended
	sessions 1
}

test_what_is_said_unasked_is_for_no_message() {
	lmtpd_start -n 2 "1/END=$yes\\r\\n250 2.0.0 Ghost" '2/MAIL=550 5.7.1 Not you'
	keep
	delivered first "$yes"
	delivered second '550 5.7.1 Not you'
	let_go
	lmtpd_ended
	sessions 2
	assertEquals 'said over the new one' 2 "$(grep -c '^MAIL' "$T/rec")"
}

test_a_connection_lost_later_is_451_and_nothing_is_sent_again() {
	for how in PIPELINING PIPELINING,CHUNKING; do
		for at in RCPT END TEXT; do
			step=$at
			[ "$how$at" != PIPELINING,CHUNKINGEND ] || step=BDAT
			rule="1/$step#2=close"
			if [ "$at" = TEXT ]; then
				[ "$how" = PIPELINING ] || continue
				rule='1/DATA#2=354 Go on|close'
			fi
			lmtpd_start -n 2 -e "$how" "$rule"
			keep
			delivered "first, $how, $at" "$yes"
			delivered "lost, $how, $at" "$gone"
			assertEquals 'not sent again' 2 "$(grep -c '^MAIL' "$T/rec")"
			delivered "next, $how, $at" "$yes"
			let_go
			lmtpd_ended
			sessions 2
		done
	done
}

test_the_idle_limit() {
	lmtpd_start
	keep -i 1
	delivered first "$yes"
	lmtpd_ended # it was told QUIT
	assertEquals 'QUIT' QUIT "$(tail -n 1 "$T/rec" | tr -d '\r')"
	assertTrue 'the resident is there' "proc_alive $resident"
	lmtpd_start
	delivered 'another' "$yes"
	let_go
	lmtpd_ended
	nothing_failed
}

test_without_keeping() {
	lmtpd_start -n 2
	keep -i 0
	delivered first "$yes"
	delivered second "$yes"
	lmtpd_ended
	sessions 2
	assertEquals 'QUIT' 2 "$(grep -c '^QUIT' "$T/rec")"
}

test_another_name_of_ours_is_another_session() {
	lmtpd_start -n 2
	keep
	delivered first "$yes"
	delivered second "$yes" MSA_HOST=other.example
	delivered third "$yes" MSA_HOST=other.example
	let_go
	lmtpd_ended
	assertEquals 'names' 'LHLO test.example LHLO other.example ' "$(grep LHLO "$T/rec" | tr -d '\r' | tr '\n' ' ')"
}

test_a_large_message_with_and_without_dots() {
	for lines in 'xxxxxxxx' '.xxxxxxx'; do
		for how in PIPELINING PIPELINING,CHUNKING; do
			lmtpd_start -e "$how"
			keep
			delivered small "$yes"
			python3 -c 'import sys; print((sys.argv[1] * 9 + "\r\n") * 10000, end="")' "$lines" >"$T/msg"
			delivered large "$yes"
			let_go
			lmtpd_ended
			python3 - "$T/rec" "$T/msg" "$how" <<-'P'
				import sys
				rec, msg = open(sys.argv[1], 'rb').read(), open(sys.argv[2], 'rb').read()
				assert (msg if 'CHUNKING' in sys.argv[3] else msg.replace(b'\r\n.', b'\r\n..').replace(b'.', b'..', msg[:1] == b'.')) in rec
			P
			assertTrue "octet for octet, $lines, $how" $?
			chain_message 'Subject: test\r\n\r\nHello\r\n'
		done
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
