#!/bin/sh
# An inetd-style SMTP server that is not ours (mailfront) works behind tlsd, for a client that is not ours (swaks),
# under a super-server that is not ours (tcpserver). ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

SERVER='mailfront smtp echo accept'

oneTimeSetUp() {
	cert "$T/key.pem" "$T/cert.pem" /CN=mail.example.net
	missing=
	for p in mailfront swaks tcpserver; do
		command -v $p >/dev/null || missing="$missing $p"
	done
}

oneTimeTearDown() {
	[ -z "${server:-}" ] || kill "$server" 2>/dev/null
}

# Serve one port with tlsd and these options; the port is in port.
serve() {
	port=$(port_free)
	# shellcheck disable=SC2086
	PATH=$PATH:/usr/sbin tcpserver -HRl mail.example.net 127.0.0.1 "$port" \
		tlsd "$@" -c "$T/cert.pem" -k "$T/key.pem" $SERVER 2>"$T/log" &
	server=$!
	wait_until port_accepts "$port"
}

stop() {
	kill "$server"
	wait "$server" 2>/dev/null
	server=
}

# usage: submit swaks-option; what swaks said is in heard
submit() {
	printf 'Subject: through tlsd\n\nline\n.dot\n' |
		swaks --server 127.0.0.1 --port "$port" "$1" --from a@example.net --to b@example.net,c@example.net \
			--ehlo client.example.net --data - >"$T/heard" 2>&1
}

test_mailfront_takes_a_message_over_starttls() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve
	submit --tls
	code=$?
	assertEquals "swaks: $(cat "$T/heard")" 0 "$code"
	assertTrue 'TLS' "grep -q '^=== TLS started with cipher TLSv1.3' '$T/heard'"
	assertEquals 'one greeting' 1 "$(grep -c '^<.  220 .* ESMTP' "$T/heard")"
	assertTrue 'the whole message' "grep -q '^<~  250 Received 34 bytes' '$T/heard'"
	assertTrue 'closed well' "grep -q '^<~  221 ' '$T/heard'"
	wait_until grep -q '^tlsd: [a-z0-9]* done tls=TLSv1.3 ' "$T/log"
	assertTrue 'mailfront spoke to the log' "grep -q '^mailfront.*RCPT TO:<c@example.net>' '$T/log'"
	stop
}

test_mailfront_takes_a_message_over_implicit_tls() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve -i
	submit --tls-on-connect
	code=$?
	assertEquals "swaks: $(cat "$T/heard")" 0 "$code"
	assertTrue 'the whole message' "grep -q '^<~  250 Received 34 bytes' '$T/heard'"
	assertTrue 'its own greeting' "grep -q '^<~  220 .* ESMTP' '$T/heard'"
	assertTrue 'closed well' "grep -q '^<~  221 ' '$T/heard'"
	stop
}

# shellcheck disable=SC1090
. "$SHUNIT2"
