#!/bin/sh
# smtp-inject relays to Postfix, to Exim, and to a chain of ours; lmtp-inject delivers to Dovecot under TLS.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"

peer_pid=

oneTimeSetUp() {
	chmod 755 "$T" # their processes are not root
	cert_server localhost 127.0.0.1 || fail 'openssl makes no certificates'
	smarthost_credentials alice@example.net wonderland
}

setUp() {
	chain_message 'From: alice@example.net\r\nSubject: test\r\nMessage-ID: <1@example.net>\r\nDate: Sat, 21 Nov 2026 22:30:00 +0000\r\n\r\n.Hello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

tearDown() {
	[ -z "$peer_pid" ] || {
		kill "$peer_pid"
		wait "$peer_pid"
	} 2>/dev/null
	peer_pid=
}

is_open() {
	python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))' "$1" 2>/dev/null
}

# What any smarthost must do with us, at the ports $submission and $submissions; what it says of a message that it has
# taken matches $taken; every recipient nobody@ is refused with $refused.
smarthost_takes_mail() {
	for how in "127.0.0.1:$submission" "-i localhost:$submissions"; do
		# shellcheck disable=SC2086
		chain_call smtp-inject -c "$T/ca.pem" -a "$T/credentials" -t 20 $how
		assertEquals "$1, $how: exit code, $(cat "$T/log")" 0 "$code"
		grep -q "^250 .*$taken" "$T/verdict"
		code=$?
		assertTrue "$1, $how: $(cat "$T/verdict")" "$code"
	done
	chain_call smtp-inject -a "$T/credentials" -F "$(cert_fingerprint)" -t 20 "127.0.0.1:$submission"
	assertEquals "$1, by fingerprint: $(cat "$T/log")" 0 "$code"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<nobody@example.org>'
	chain_call MSA_PARTIAL=1 smtp-inject -c "$T/ca.pem" -a "$T/credentials" -t 20 "127.0.0.1:$submission"
	assertEquals "$1: each its own" "250 $refused" "$(sed '/^.$/d; /^...-/d' "$T/verdict" | cut -c1-3 | tr '\n' ' ' | sed 's/ $//')"
	chain_call smtp-inject -n -c "$T/ca.pem" -a "$T/credentials" -t 20 "127.0.0.1:$submission"
	assertEquals "$1: check" "250 $refused" "$(sed '/^.$/d; /^...-/d' "$T/verdict" | cut -c1-3 | tr '\n' ' ' | sed 's/ $//')"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	chain_call smtp-inject -c "$T/other.pem" -a "$T/credentials" -t 20 "127.0.0.1:$submission"
	assert_verdict "$1: not verified" '451 4.7.5 Next server cannot be reached securely, try again later'
	smarthost_credentials alice@example.net wrong
	chain_call smtp-inject -c "$T/ca.pem" -a "$T/credentials" -t 20 "127.0.0.1:$submission"
	assert_verdict "$1: wrong password" '451 4.7.0 Next server does not let us in, try again later'
	smarthost_credentials alice@example.net wonderland
	chain_call smtp-inject -c "$T/ca.pem" -t 20 "127.0.0.1:$submission"
	assertEquals "$1: not without AUTH: $(cat "$T/verdict")" 5 "$(cut -c1 "$T/verdict" | head -n 1)"
}

# A resident's messages share a session. usage: shares_a_session what
shares_a_session() {
	: >"$T/in.log"
	smtp-inject -c "$T/ca.pem" -a "$T/credentials" -P 1:1 -l "$T/in" "127.0.0.1:$submission" 2>"$T/in.log" &
	resident=$!
	wait_until [ -s "$T/in.log" ]
	for n in 1 2 3; do
		chain_call call "$T/in"
		assertEquals "$1, message $n: $(cat "$T/verdict" "$T/in.log")" 250 "$(head -c 3 "$T/verdict")"
	done
	kill "$resident"
	wait "$resident"
	assertEquals "$1: log" '' "$(grep -E 'failed|lost' "$T/in.log")"
}

test_postfix() {
	why=$("$ROOT/tests/conformance/report/postfix" check) || {
		skip "$why"
		return
	}
	rm -f "$T/sunk"
	: >"$T/ready"
	lmtpd -n 50 -t 120 -r "$T/sunk" >"$T/ready" 2>/dev/null &
	sink_pid=$!
	wait_until [ -s "$T/ready" ]
	mkdir "$T/postfix"
	submission=$(port_free)
	submissions=$(port_free)
	chmod 640 "$T/server.key"
	DIR=$T/postfix PORT=$submission TLS_PORT=$submissions SINK=$(cat "$T/ready") CERT=$T/server.crt KEY=$T/server.key \
		MSA_USER=alice@example.net MSA_PASSWORD=wonderland \
		"$ROOT/tests/conformance/report/postfix" >"$T/postfix.out" 2>&1 &
	peer_pid=$!
	wait_until is_open "$submission"
	echo '/^nobody@/ REJECT No such person' >"$T/postfix/nobody"
	chmod 644 "$T/postfix/nobody"
	postconf -c "$T/postfix/etc" -P "127.0.0.1:$submission/inet/smtpd_recipient_restrictions=check_recipient_access,regexp:$T/postfix/nobody"
	kill -HUP "$peer_pid"
	taken='queued as' refused=554
	wait_until nobody_is_refused
	smarthost_takes_mail Postfix
	shares_a_session Postfix
	wait_until has_sunk 7
	assertTrue "what Postfix took came through: $(grep -c '^\.\.Hello' "$T/sunk")" "has_sunk 7"
	tearDown
	kill "$sink_pid"
	wait "$sink_pid" 2>/dev/null
	return 0
}

# It reads its configuration again in its own time.
nobody_is_refused() {
	smtp-inject -n -c "$T/ca.pem" -a "$T/credentials" -t 5 -f alice@example.net -r nobody@example.org \
		"127.0.0.1:$submission" </dev/null 2>/dev/null | grep -q '^5'
}

has_sunk() {
	[ "$(grep -c '^\.\.Hello' "$T/sunk")" -eq "$1" ]
}

test_exim() {
	why=$(exim-smarthost check) || {
		skip "$why"
		return
	}
	: >"$T/ready"
	exim-smarthost "$T/exim" "$T/server.crt" "$T/server.key" alice@example.net wonderland >"$T/ready" 2>"$T/exim.err" &
	peer_pid=$!
	wait_until grep -q '^ready' "$T/ready"
	read -r _ submission submissions <"$T/ready"
	taken='OK id=' refused=550
	smarthost_takes_mail Exim
	shares_a_session Exim
	wait_until exim_has 7
	assertTrue "what Exim took came through: $(ls "$T/exim/mail/new" 2>&1)" "exim_has 7"
	tearDown
}

exim_has() {
	[ "$(grep -l '^\.Hello' "$T/exim/mail/new/"* 2>/dev/null | wc -l)" -eq "$1" ]
}

test_our_own_chain() {
	MAILS=$T/mail
	mkdir -p "$MAILS/bob@example.org" "$MAILS/archive@example.net"
	printf 'wonderland\n' | msa-passwd "$T/users.cdb" alice@example.net
	port=$(port_free)
	MSA_HOST=chain.test tlsd -l "127.0.0.1:$port" -c "$T/server.crt" -k "$T/server.key" authd -u "$T/users.cdb" submitd \
		qualify -d example.net stamp maildir-inject "$MAILS" 2>"$T/chain.log" &
	peer_pid=$!
	wait_until is_open "$port"
	submission=$port
	for n in 1 2; do
		chain_call smtp-inject -c "$T/ca.pem" -a "$T/credentials" -t 20 "127.0.0.1:$port"
		assertEquals "exit code: $(cat "$T/log" "$T/verdict" "$T/chain.log")" 0 "$code"
	done
	grep -q 'mech=SCRAM-SHA-256' "$T/chain.log"
	code=$?
	assertTrue "SCRAM, both sides proved: $(cat "$T/chain.log")" "$code"
	shares_a_session ours
	assertEquals 'delivered' 5 "$(cat "$MAILS/bob@example.org/new/"* | grep -c '^\.Hello')"
	smarthost_credentials alice@example.net wrong
	chain_call smtp-inject -c "$T/ca.pem" -a "$T/credentials" -t 20 "127.0.0.1:$port"
	assert_verdict 'wrong password' '451 4.7.0 Next server does not let us in, try again later'
	smarthost_credentials alice@example.net wonderland
	tearDown
}

test_dovecot_lmtp_under_tls() {
	needs root /usr/lib/dovecot/lmtp || return 0
	DOVECOT_CERT=$T/server.crt DOVECOT_KEY=$T/server.key dovecot-lmtp start "$T/d" >"$T/addresses"
	assertTrue 'Dovecot starts' $?
	tls=$(sed -n 3p "$T/addresses")
	tcp=$(sed -n 2p "$T/addresses")
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.net>' 'RCPT TO:<none@example.net>'
	for how in "-S $tls" "-s $tcp"; do
		# shellcheck disable=SC2086
		chain_call MSA_PARTIAL=1 lmtp-inject -c "$T/ca.pem" -t 20 $how
		assertEquals "$how: $(cat "$T/log")" '250 550 ' "$(sed '/^.$/d; /^...-/d' "$T/verdict" | cut -c1-3 | tr '\n' ' ')"
		# shellcheck disable=SC2086
		chain_call MSA_PARTIAL=1 lmtp-inject -c "$T/other.pem" -t 20 $how
		assertEquals "$how: not verified" 451 "$(head -c 3 "$T/verdict")"
	done
	assertEquals 'delivered' 2 "$(cat "$T/d/mail/bob@example.net/Maildir/new/"* | grep -c '^\.Hello')"
	dovecot-lmtp stop "$T/d"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
