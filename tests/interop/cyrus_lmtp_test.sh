#!/bin/sh
# lmtp-inject delivers to Cyrus's LMTP server.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

oneTimeSetUp() {
	chmod 755 "$T" # Cyrus's processes are not root
	ready=
	[ "$(id -u)" -eq 0 ] && [ -x /usr/lib/cyrus/bin/lmtpd ] || return 0
	cyrus-lmtp start "$T/c" alice@example.net bob@example.net >"$T/addresses" || {
		fail "Cyrus does not start: $(cat "$T/c/log")"
		return 0
	}
	ready=1
	socket=$(sed -n 1p "$T/addresses")
	tcp=$(sed -n 2p "$T/addresses")
}

oneTimeTearDown() {
	[ -z "$ready" ] || cyrus-lmtp stop "$T/c"
	ready=
}

setUp() {
	rm -f "$T/msg"
	[ -z "$ready" ] || find "$T/c/spool" -name '[0-9]*.' -exec rm {} +
	chain_message "$(fields)"'\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.net>'
}

# A header that Cyrus adds nothing to; what it has seen before it would drop.
fields() {
	printf '%s' 'Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nFrom: alice@example.net\r\n' "Message-ID: <$(date +%s%N)@test>" '\r\n'
}

is_ready() {
	[ -n "$ready" ] || skip 'no cyrus-imapd, or not root'
	[ -n "$ready" ]
}

# So many files came, each the message as it was, CRLF and all, below what Cyrus puts on top. usage: assert_got number
assert_spooled() {
	find "$T/c/spool" -name '[0-9]*.' >"$T/files"
	python3 - "$T/msg" "$1" 3<"$T/files" <<-'P'
		import os, sys
		msg = open(sys.argv[1], 'rb').read()
		msg += b'' if msg.endswith(b'\n') else b'\r\n'
		files = os.fdopen(3).read().split()
		assert len(files) == int(sys.argv[2]), files
		for f in files:
		    got = open(f, 'rb').read()
		    assert got.startswith(b'Return-Path: <alice@example.net>\r\n') and got.endswith(b'\r\n' + msg), got[-300:]
	P
	assertTrue 'what arrived' $?
}

# The verdict, with Cyrus's session masked. usage: assert_replies what reply ...
assert_replies() {
	sed -i 's/ SESSIONID=<.*>$//' "$T/verdict"
	assert_verdict "$@"
}

test_over_a_unix_socket_and_tcp() {
	is_ready || return 0
	for to in "$socket" "$tcp"; do
		setUp
		chain_call lmtp-inject "$to"
		assertEquals 'exit code' 0 "$code"
		assert_replies 'verdict' '250 2.1.5 Success'
		assert_spooled 1
	done
}

test_each_recipient_its_own_reply() {
	is_ready || return 0
	chain_envelope '<alice@example.net>' 'RCPT TO:<alice@example.net>' 'RCPT TO:<nobody@example.net>' 'RCPT TO:<bob@example.net>'
	chain_call MSA_PARTIAL=1 lmtp-inject "$socket"
	cp "$T/verdict" "$T/said"
	grep -c '^250 2.1.5 Success' "$T/said" >"$T/good"
	assertEquals 'reached' 2 "$(cat "$T/good")"
	assertTrue "refused: $(cat "$T/said")" "sed -n 2p $T/said | grep -q '^550[ -]5.1.1 '"
	assert_spooled 2
}

test_all_or_nothing() {
	is_ready || return 0
	chain_envelope '<alice@example.net>' 'RCPT TO:<alice@example.net>' 'RCPT TO:<nobody@example.net>'
	chain_call lmtp-inject "$socket"
	assertEquals 'refused for all' 0 "$(grep -c '^2' "$T/verdict")"
	assertTrue "$(cat "$T/verdict")" "grep -q '^550[ -]5.1.1 ' $T/verdict"
	assert_spooled 0
}

test_every_text() {
	is_ready || return 0
	for text in '\r\n.\r\n..\r\n.a\r\nb.\r\n' '\r\nno end' '\r\n\r\n\r\n'; do
		setUp
		chain_message "$(fields)$text"
		chain_call lmtp-inject "$socket"
		assert_replies "$text" '250 2.1.5 Success'
		assert_spooled 1
	done
}

test_a_large_message() {
	is_ready || return 0
	chain_message "$(fields)"
	python3 - >>"$T/msg" <<-'P'
		print('\r\n' + ''.join('.' * (i % 4) + 'x' * (i % 900) + '\r\n' for i in range(20000)), end='')
	P
	chain_call lmtp-inject "$socket"
	assert_replies 'verdict' '250 2.1.5 Success'
	assert_spooled 1
}

test_a_resident_keeps_its_session() {
	is_ready || return 0
	: >"$T/in.log"
	lmtp-inject -P 1:1 -l "$T/in" "$socket" 2>"$T/in.log" &
	resident=$!
	wait_until [ -s "$T/in.log" ]
	for i in 1 2 3; do
		setUp
		chain_call call "$T/in"
		assert_replies "message $i" '250 2.1.5 Success'
		assert_spooled 1
	done
	kill "$resident"
	wait "$resident"
	assertEquals 'log' '' "$(grep -E 'failed|lost' "$T/in.log")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
