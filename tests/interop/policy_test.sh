#!/bin/sh
# policy(8) asks postfwd, a policy server that is not ours. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

oneTimeSetUp() {
	PATH=$PATH:/usr/sbin
	chmod 755 "$T"
	mkdir -m 777 "$T/run"
	cat >"$T/rules" <<-'X'
		id=SENDER; sender==mallory@example.net; action=REJECT 5.7.2 Not Mallory
		id=SIZE; sasl_username==eve; protocol_state==END-OF-MESSAGE; size=1000; action=450 4.7.1 Too large for Eve
		id=HELD; recipient=~/@held\.example$/; action=HOLD
		id=STATE; sender==carol@example.net; protocol_state==RCPT; recipient==no@example.org; action=DEFER Not yet
		id=FIELD; sender==dave@example.net; action=PREPEND X-Postfwd: $$client_address $$encryption_protocol $$recipient_count
	X
	server_pid=
	has postfwd1 || return 0
	port=$(port_free)
	postfwd1 -d -P -n -f "$T/rules" -i 127.0.0.1 -p "$port" -u "$(id -un)" -g "$(id -gn)" --pidfile "$T/run/pid" \
		>"$T/postfwd.out" 2>&1 </dev/null
	wait_until port_accepts "$port"
	server_pid=$(cat "$T/run/pid")
	program_make next <<-X
		#!/bin/sh
		cat >"$T/out"
		cat <&3 >"$T/out.env"
		echo '250 2.0.0 taken'
		echo .
	X
}

oneTimeTearDown() {
	[ -z "$server_pid" ] || kill "$server_pid"
}

setUp() {
	chain_message 'Subject: x\r\n\r\nbody\r\n'
}

test_postfwd_decides_about_a_message() {
	needs postfwd1 || return 0
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	chain_call policy "127.0.0.1:$port" "$T/next"
	assert_verdict 'no rule' '250 2.0.0 taken'
	assertTrue 'the message is as it was' "cmp $T/msg $T/out"
	chain_envelope '<mallory@example.net>' 'RCPT TO:<bob@example.org>'
	chain_call policy "127.0.0.1:$port" "$T/next"
	assert_verdict 'REJECT' '554 5.7.2 Not Mallory'
	chain_envelope '<dave@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<eve@example.org>'
	chain_call TCPREMOTEIP=192.0.2.1 SSL_PROTOCOL=TLSv1.3 policy "inet:127.0.0.1:$port" "$T/next"
	assert_verdict 'PREPEND' '250 2.0.0 taken'
	assertEquals 'X-Postfwd: 192.0.2.1 TLSv1.3 2' "$(head -n 1 "$T/out" | tr -d '\r')"
}

test_postfwd_knows_the_user_and_the_size() {
	needs postfwd1 || return 0
	chain_envelope '<eve@example.net>' 'RCPT TO:<bob@example.org>'
	chain_call SMTPAUTHUSER=eve policy "127.0.0.1:$port" "$T/next"
	assert_verdict 'a small message' '250 2.0.0 taken'
	{ cat "$T/msg" && text_repeat 1000 x && printf '\r\n'; } >"$T/large"
	mv "$T/large" "$T/msg"
	chain_call SMTPAUTHUSER=eve policy "127.0.0.1:$port" "$T/next"
	assert_verdict 'a large one' '450 4.7.1 Too large for Eve'
}

test_postfwd_decides_about_recipients() {
	needs postfwd1 || return 0
	chain_envelope '<carol@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<no@example.org>'
	chain_call policy -s RCPT "127.0.0.1:$port" "$T/next"
	assertEquals 'MAIL FROM:<carol@example.net>|RCPT TO:<bob@example.org>|450 4.7.1 Not yet|' "$(tr '\n' '|' <"$T/out.env")"
	printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<carol@example.net>' 'RCPT TO:<no@example.org>' 'RCPT TO:<bob@example.org>' \
		QUIT | RELAYCLIENT='' TCPREMOTEIP=192.0.2.1 submitd -r "policy -n 127.0.0.1:$port" "$T/next" >"$T/got" 2>"$T/log"
	assertEquals '450 4.7.1 Not yet|250 2.1.5 Recipient ok|221 2.0.0 Bye|' "$(tail -n 3 "$T/got" | tr -d '\r' | tr '\n' '|')"
}

test_postfwds_hold_is_451() {
	needs postfwd1 || return 0
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@held.example>'
	chain_call policy "127.0.0.1:$port" "$T/next"
	assert_verdict HOLD '451 4.3.0 Local error, try again later'
	assert_logged 'reason="an action that policy cannot do" action=HOLD'
}

. "$SHUNIT2"
