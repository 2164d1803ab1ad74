# shellcheck shell=sh
# What the tests of smtp-inject begin with: a certificate, credentials, a message to one recipient.
# ISC licence, see LICENSE.

# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

oneTimeSetUp() {
	certificates localhost 127.0.0.1 || fail 'openssl makes no certificates'
	credentials alice 'a secret'
}

setUp() {
	message 'Subject: test\r\n\r\nHello\r\n'
	envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	resident=
}

tearDown() {
	[ -z "$resident" ] || {
		kill "$resident"
		wait "$resident"
	}
	resident=
}
