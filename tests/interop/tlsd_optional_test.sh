#!/bin/sh
# tlsd -o before submitd, and before a server that is not ours (mailfront), for clients that are not ours: swaks with and
# without TLS, openssl s_client. Under tcpserver, and as a server. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"
# shellcheck source=tests/lib/cert.sh
. "$ROOT/tests/lib/cert.sh"

oneTimeSetUp() {
	missing=
	for p in mailfront swaks tcpserver; do
		command -v $p >/dev/null || missing="$missing $p"
	done
	cd "$T" || exit 1
	cert key.pem cert.pem /CN=mail.example.net
	cert_authority house
	cert_client alice house
	cat >sink <<-'END'
		#!/bin/sh
		cat >"$T/message"; echo "${SSL_PROTOCOL-clear} ${SSL_PEER_CERT_SUBJECT-nobody}" >"$T/tls"
		echo '250 2.0.0 taken'
	END
	chmod 755 sink
	cd "$OLDPWD" || exit 1
}

setUp() {
	rm -f "$T/message" "$T/tls"
	printf 'Subject: x\n\nSTARTTLS\n.dot\nSTARTTLS' >"$T/draft"
}

tearDown() {
	[ -z "${server:-}" ] || kill "$server" 2>/dev/null
	[ -z "${server:-}" ] || wait "$server" 2>/dev/null
	server=
}

# Serve with tlsd and these options under tcpserver. The port is in port.
serve() {
	port=$(port_free)
	PATH=$PATH:/usr/sbin tcpserver -HRl mail.example.net 127.0.0.1 "$port" \
		env RELAYCLIENT= tlsd -c "$T/cert.pem" -k "$T/key.pem" "$@" 2>"$T/log" &
	server=$!
	wait_until port_accepts "$port"
}

# usage: submit [swaks-option ...]; what swaks said is in heard
submit() {
	swaks --server 127.0.0.1 --port "$port" --from a@example.net --to b@example.net --ehlo client.example.net \
		--data - "$@" <"$T/draft" >"$T/heard" 2>&1
}

# The message came whole, and so much was known of TLS.
assert_arrived() {
	printf 'Subject: x\r\n\r\nSTARTTLS\r\n.dot\r\nSTARTTLS\r\n' >"$T/want"
	sed '/^\(Received:\|	\)/d' "$T/message" >"$T/plain" 2>/dev/null
	assert_same "$1" "$T/want" "$T/plain"
	assertEquals "$1" "$1" "$(cat "$T/tls")"
}

test_swaks_submits_with_and_without_tls() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve -o submitd "$T/sink"
	submit
	code=$?
	assertEquals "swaks: $(cat "$T/heard" "$T/log")" 0 "$code"
	assert_arrived 'clear nobody'
	submit --tls
	code=$?
	assertEquals "swaks --tls: $(cat "$T/heard" "$T/log")" 0 "$code"
	assert_arrived 'TLSv1.3 nobody'
	submit --tls-optional-strict
	code=$?
	assertEquals "swaks --tls-optional-strict: $(cat "$T/heard" "$T/log")" 0 "$code"
	assert_arrived 'TLSv1.3 nobody'
	submit --pipeline
	code=$?
	assertEquals "swaks --pipeline: $(cat "$T/heard" "$T/log")" 0 "$code"
	assert_arrived 'clear nobody'
}

test_swaks_shows_its_certificate_or_is_told_to() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve -r "$T/house.pem" submitd "$T/sink"
	submit --tls --tls-cert "$T/alice.pem" --tls-key "$T/alice.key"
	code=$?
	assertEquals "swaks: $(cat "$T/heard" "$T/log")" 0 "$code"
	assert_arrived 'TLSv1.3 /C=DE/CN=alice'
	rm "$T/message"
	submit --tls
	assertTrue "554: $(cat "$T/heard")" "grep -q '^<~\*  *554 5.7.0 A client certificate is required' '$T/heard'"
	assertFalse 'nothing arrived' "[ -e $T/message ]"
}

test_openssl_s_client_finds_starttls() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve -o submitd "$T/sink"
	(
		printf 'EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n'
		printf 'Subject: x\r\n\r\nSTARTTLS\r\n..dot\r\nSTARTTLS\r\n.\r\nQUIT\r\n'
	) | timeout 20 openssl s_client -connect "127.0.0.1:$port" -starttls smtp -quiet -ign_eof -cert "$T/alice.pem" \
		-key "$T/alice.key" >"$T/heard" 2>"$T/more"
	assertTrue "s_client: $(cat "$T/heard" "$T/more" "$T/log")" "grep -q '^221 ' '$T/heard'"
	assertFalse 'it was offered' "grep -q \"Didn't find STARTTLS\" '$T/more'"
	assert_arrived 'TLSv1.3 nobody'
}

test_mailfront_stands_behind_it_too() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve -o mailfront smtp echo accept
	for option in --tls --timeout=20; do
		submit "$option"
		code=$?
		assertEquals "swaks $option: $(cat "$T/heard" "$T/log")" 0 "$code"
		assertEquals "$option: STARTTLS once: $(cat "$T/heard")" 1 "$(grep -c '^<[ -]  250[- ]STARTTLS' "$T/heard")"
		assertTrue "$option: the whole message" "grep -q '^<[~-]  *250 Received ' '$T/heard'"
	done
}

# shellcheck disable=SC1090
. "$SHUNIT2"
