# shellcheck shell=sh
# Certificates of clients, for those who source this. ISC licence, see LICENSE.

# An authority of this name: NAME.pem, NAME.key.
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" -days 2 \
		-subj "/CN=$1" 2>/dev/null
}

# A certificate for a client. usage: client name authority [option of openssl x509 ...]
client() {
	client=$1
	authority=$2
	shift 2
	[ $# -gt 0 ] || set -- -days 2
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$client.key" -out "$client.csr" \
		-subj "/C=DE/CN=$client" 2>/dev/null
	openssl x509 -req -in "$client.csr" -CA "$authority.pem" -CAkey "$authority.key" -set_serial 7 "$@" \
		-out "$client.pem" 2>/dev/null
}

# Python: a client of a server at a port, with one certificate or none. Says what the handshake and each command came to.
# usage: shows port version[:servername] certificate|- [command ...]
shows() {
	python3 -W ignore - "$@" <<-'END'
		import socket, ssl, sys
		port, version, name = sys.argv[1], sys.argv[2], sys.argv[3]
		version, _, server = version.partition(':')
		s = socket.create_connection(('127.0.0.1', int(port)), timeout=20)
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
