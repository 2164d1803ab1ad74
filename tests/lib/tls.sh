# shellcheck shell=sh
# shellcheck disable=SC2034
# For the tests of clients under TLS: an SMTP server with certificates, and credentials.
# ISC licence, see LICENSE.

# shellcheck source=tests/lib/cert.sh
. "$ROOT/tests/lib/cert.sh"

# The file with the user and the password. usage: smarthost_credentials user password
smarthost_credentials() {
	printf '%s\n' "$1" "$2" >"$T/credentials"
	chmod 600 "$T/credentials"
}

# Start lmtpd as an SMTP server on a port of 127.0.0.1, which goes to $port. usage: smarthost_start [option ...] [rule ...]
smarthost_start() {
	rm -f "$T/rec" "$T/rec.reads"
	: >"$T/ready"
	lmtpd -s -c "$T/server.pem" -r "$T/rec" "$@" >"$T/ready" 2>"$T/lmtpd.err" &
	lmtpd_pid=$!
	wait_until [ -s "$T/ready" ]
	port=$(sed 's/.*://' "$T/ready")
}
