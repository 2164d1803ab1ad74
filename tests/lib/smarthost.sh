# shellcheck shell=sh
# What the tests of smtp-inject begin with: a certificate, credentials, a message to one recipient.
# ISC licence, see LICENSE.

# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

oneTimeSetUp() {
	cert_server localhost 127.0.0.1 || fail 'openssl makes no certificates'
	smarthost_credentials alice 'a secret'
}

# With TLS and the authority that is right. usage: smarthost_inject [option ...] host
smarthost_inject() {
	chain_call smtp-inject -c "$T/ca.pem" "$@"
}

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	resident=
}

tearDown() {
	[ -z "$resident" ] || {
		kill "$resident"
		wait "$resident"
	}
	resident=
}
