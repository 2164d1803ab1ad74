# shellcheck shell=sh
# shellcheck disable=SC2034
# For the tests of clients under TLS: a certificate authority, a server's certificate.
# ISC licence, see LICENSE.

# An authority in $T/ca.pem, and $T/server.pem, a certificate of its for these names, with its key; $T/other.pem is
# an authority that signed nothing. usage: certificates name ...
certificates() {
	names=
	for name; do
		case $name in
		*[!0-9.]*) names="$names${names:+,}DNS:$name" ;;
		*) names="$names${names:+,}IP:$name" ;;
		esac
	done
	for ca in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/$ca.key" \
			-out "$T/$ca.pem" -days 2 -subj "/CN=$ca" 2>/dev/null || return 1
	done
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/server.key" -out "$T/server.csr" \
		-subj "/CN=server" 2>/dev/null || return 1
	printf 'subjectAltName=%s\n' "$names" >"$T/server.ext"
	openssl x509 -req -in "$T/server.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 \
		-extfile "$T/server.ext" -out "$T/server.crt" 2>/dev/null || return 1
	cat "$T/server.crt" "$T/server.key" >"$T/server.pem"
}

# The certificate as -F wants it.
fingerprint() {
	openssl x509 -in "$T/server.crt" -outform DER | sha256sum | sed 's/^/SHA256:/; s/ .*//'
}

# The file with the user and the password. usage: credentials user password
credentials() {
	printf '%s\n' "$1" "$2" >"$T/credentials"
	chmod 600 "$T/credentials"
}

# Start lmtpd as an SMTP server on a port of 127.0.0.1, which goes to $port. usage: smarthost [option ...] [rule ...]
smarthost() {
	rm -f "$T/rec" "$T/rec.reads"
	: >"$T/ready"
	lmtpd -s -c "$T/server.pem" -r "$T/rec" "$@" >"$T/ready" 2>"$T/lmtpd.err" &
	lmtpd_pid=$!
	await "$T/ready"
	port=$(sed 's/.*://' "$T/ready")
}
