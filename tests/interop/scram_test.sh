#!/bin/sh
# Clients that are not ours log in to authd by SCRAM with each hash: Cyrus SASL's, which smtp-inject uses, GNU SASL's,
# which msmtp uses, and one of Python's hashes. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"
# shellcheck source=tests/lib/clients.sh
. "$ROOT/tests/lib/clients.sh"

peer_pid=

oneTimeSetUp() {
	cert_server localhost 127.0.0.1 || fail 'openssl makes no certificates'
	printf '%s\n' "$PASSWORD" | msa-passwd -m sha1,sha256,sha512 "$T/users.cdb" "$USER_NAME"
	{ client_header test && printf 'Hello\n'; } | client_message
	chain_message "$(sed 's/$/\\r\\n/' "$T/text" | tr -d '\n')"
	chain_envelope "<$USER_NAME>" 'RCPT TO:<bob@example.org>'
}

tearDown() {
	[ -z "$peer_pid" ] || {
		kill "$peer_pid"
		wait "$peer_pid"
	} 2>/dev/null
	peer_pid=
}

# All clients with one mechanism. usage: log_in mechanism client ...
log_in() {
	mech=$1
	shift
	port=$(port_free)
	: >"$T/chain.log"
	MSA_HOST=chain.test tlsd -l "127.0.0.1:$port" -c "$T/server.crt" -k "$T/server.key" authd -m "PLAIN $mech" -u "$T/users.cdb" \
		submitd qualify -d example.net stamp maildir-inject "$T/mail" 2>"$T/chain.log" &
	peer_pid=$!
	wait_until port_accepts "$port"
	SUBMISSION=$port SUBMISSIONS=
	mkdir -p "$T/mail/bob@example.org"
	smarthost_credentials "$USER_NAME" "$PASSWORD"
	chain_call smtp-inject -c "$T/ca.pem" -a "$T/credentials" -t 20 "127.0.0.1:$port"
	assertEquals "Cyrus SASL: $(cat "$T/log" "$T/verdict" "$T/chain.log")" 0 "$code"
	for client; do
		client_send "$client" starttls "$mech" "$PASSWORD" "$T/message" bob@example.org
		code=$?
		assertEquals "$client: $(cat "$T/out")" 0 "$code"
		client_send "$client" starttls "$mech" wrong-one "$T/message" bob@example.org
		code=$?
		assertNotEquals "$client, a wrong password" 0 "$code"
	done
	assertEquals 'each client' $(($# + 1)) "$(grep -c " authenticated user=$USER_NAME mech=$mech label=main " "$T/chain.log")"
	assertEquals 'each wrong password' $# "$(grep -c " refused user=$USER_NAME mech=$mech reason=\"wrong password\" " "$T/chain.log")"
	tearDown
}

test_sha_1() { log_in SCRAM-SHA-1 msmtp openssl; }
test_sha_256() { log_in SCRAM-SHA-256 msmtp openssl; }
test_sha_512() { log_in SCRAM-SHA-512 openssl; } # GNU SASL has no SHA-512

# shellcheck source=/dev/null
. "$SHUNIT2"
