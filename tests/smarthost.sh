# shellcheck shell=sh
# What the tests of smtp-inject begin with: a certificate, credentials, a message to one recipient.
# ISC licence, see LICENSE.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/inject.sh
. "$ROOT/tests/inject.sh"
# shellcheck source=tests/tls.sh
. "$ROOT/tests/tls.sh"

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
