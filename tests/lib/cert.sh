# shellcheck shell=sh
# Certificates, and a client that shows one. tests/tools/cert makes them. ISC licence, see LICENSE.

# A certificate that its own key signs: NAME.pem, NAME.key. usage: cert_self name host
cert_self() {
	cert "$1.key" "$1.pem" "/CN=$2" -addext "subjectAltName=DNS:$2"
	chmod 640 "$1.key"
}

# An authority of this name: NAME.pem, NAME.key.
cert_authority() {
	cert "$1.key" "$1.pem" "/CN=$1"
}

# A certificate for a client. usage: cert_client name authority [option of openssl x509 ...]
cert_client() {
	cert_name=$1
	cert_signer=$2
	shift 2
	cert -a "$cert_signer.pem" -A "$cert_signer.key" "$cert_name.key" "$cert_name.pem" "/C=DE/CN=$cert_name" -set_serial 7 "$@"
}

# An authority in $T/ca.pem, and $T/server.pem, a certificate of its for these names, with its key; $T/other.pem is
# an authority that signed nothing. usage: cert_server name ...
cert_server() {
	names=
	for name; do
		case $name in
		*[!0-9.]*) names="$names${names:+,}DNS:$name" ;;
		*) names="$names${names:+,}IP:$name" ;;
		esac
	done
	printf 'subjectAltName=%s\n' "$names" >"$T/server.ext"
	cert "$T/ca.key" "$T/ca.pem" /CN=ca && cert "$T/other.key" "$T/other.pem" /CN=other &&
		cert -a "$T/ca.pem" -A "$T/ca.key" "$T/server.key" "$T/server.crt" /CN=server -extfile "$T/server.ext" || return 1
	cat "$T/server.crt" "$T/server.key" >"$T/server.pem"
}

# The server's certificate as -F wants it.
cert_fingerprint() {
	openssl x509 -in "$T/server.crt" -outform DER | sha256sum | sed 's/^/SHA256:/; s/ .*//'
}

# Python: a client of a server at a port, with one certificate or none. Says what the handshake and each command came to.
# usage: tls_says port version[:servername] certificate|- [command ...]
tls_says() {
	python3 -W ignore - "$@" <<-'END'
		import socket, ssl, sys
		port, version, name = sys.argv[1], sys.argv[2], sys.argv[3]
		version, _, server = version.partition(':')
		s = socket.create_connection(('127.0.0.1', int(port)), timeout=60)
		f = s.makefile('rwb', 0)
		implicit = sys.argv[4:5] == ['-i']
		commands = sys.argv[5:] if implicit else sys.argv[4:]
		if not implicit:
		    f.readline(); f.write(b'STARTTLS\r\n'); f.readline()
		ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
		ctx.check_hostname = False
		ctx.verify_mode = ssl.CERT_NONE
		v = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]
		ctx.minimum_version = ctx.maximum_version = v
		if name != '-': ctx.load_cert_chain(name + '.pem', name + '.key')
		try:
		    t = ctx.wrap_socket(s, server_hostname=server or None)
		    g = t.makefile('rwb', 0)
		    if implicit: print(g.readline().decode().strip())
		    for c in commands:
		        g.write(c.encode() + b'\r\n')
		        print(g.readline().decode().strip() or 'EOF')
		    for l in iter(g.readline, b''): print(l.decode().strip())
		    print('end')
		except ssl.SSLError as e:
		    print('alert' if 'ALERT' in (e.reason or '') else 'failed', e.reason)
		except OSError as e:
		    print('failed', e)
	END
}
