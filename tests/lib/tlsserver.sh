# shellcheck shell=sh
# What the tests of tlsd as a server begin with, after test.sh. ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/cert.sh
. "$ROOT/tests/lib/cert.sh"

MSA_HOST=mail.example.net
export MSA_HOST

oneTimeSetUp() {
	cd "$T" || exit 1
	chmod 755 "$T"
	cert_self one mail.example.net
	cert_self two other.example.org
	# A next stage that says who it thinks the client is, one that is like a server.
	program_lines who "printf '220 x\r\n'" 'while read -r l; do' 'case $l in' \
		'Q*) printf "221 bye\r\n"; exit;;' \
		'*) printf "250 %s %s %s relay=%s x=%s foo=%s\r\n" "$PROTO" "${TCPREMOTEIP-none}" "${TCPLOCALPORT:+local}" "${RELAYCLIENT-no}" "${MSA_X_A-no}" "${FOO-no}";;' \
		'esac done'
	program_lines cat "printf '220 x\r\n'" 'exec cat'
	cd "$OLDPWD" || exit 1
}

setUp() {
	cd "$T" || exit 1
	servers=
}

# Whatever a test has left.
tearDown() {
	for pid in $servers; do
		kill -9 "$pid" 2>/dev/null
	done
	return 0
}

# Start tlsd with these arguments (behind -l, -c and -k): sets port and tlsd.
tlsd_start() {
	: >log
	tlsd -l "${listen:-127.0.0.1:0}" -c one.pem -k one.key "$@" 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	wait_until grep -q '^tlsd: - ready address=' log
	port=$(sed -n 's/^tlsd: - ready address=.*:\([0-9]*\)$/\1/p' log)
}

# End it: it must end well.
tlsd_stop() {
	kill -TERM "$tlsd"
	wait "$tlsd"
	ended=$?
	assertEquals "tlsd ended well: $(cat log)" 0 "$ended"
	assertTrue stopped "tail -n 1 log | grep -qx 'tlsd: - stopped'"
}

# A resident session stage at $T/next: submitd, which needs no next stage before a message.
tlsd_next() {
	: >next.log
	submitd -e "${2:-20}" -l "$T/next" -P "${1:-1:100}" true 2>next.log &
	next=$!
	servers="$servers $next"
	wait_until grep -q 'submitd: - ready' next.log
}

tlsd_next_stop() {
	kill -TERM "$next"
	wait "$next"
}

# Talk to the port: the script is standard input.
tlsd_talk() {
	talk -c "127.0.0.1:$port" >got 2>&1
}

# Python with what the tests below need. usage: tlsd_clients argument ... <script
tlsd_clients() {
	{
		cat <<-'END'
			import os, resource, socket, ssl, struct, sys, time
			soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
			resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
			port = int(sys.argv[1])
			def context(**more):
			    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
			    ctx.check_hostname = False
			    ctx.verify_mode = ssl.CERT_NONE
			    return ctx
			CTX = context()
			def connect(t=30, host='127.0.0.1'):
			    return socket.create_connection((host, port), timeout=t)
			def line(s):
			    b = b''
			    while not b.endswith(b'\n'):
			        c = s.recv(1)
			        if not c: break
			        b += c
			    return b.decode().strip()
			def tls(s, ctx=CTX, name=None):
			    line(s); s.sendall(b'STARTTLS\r\n'); line(s)
			    return ctx.wrap_socket(s, server_hostname=name)
			def ask(s, text):
			    s.sendall(text.encode() + b'\r\n')
			    return line(s)
			def subject(s):
			    der = s.getpeercert(True)
			    return 'one' if b'mail.example.net' in der else 'two' if b'other.example.org' in der else '?'
			def memory(pids):
			    kib = 0
			    for p in pids:
			        for l in open('/proc/%s/smaps_rollup' % p):
			            if l.startswith('Private_Dirty:'): kib += int(l.split()[1])
			    return kib
		END
		cat
	} >clients.py
	python3 -W ignore clients.py "$@" >got 2>&1
}

# shellcheck disable=SC2034 # for those who source this
BUSY='421 4.3.2 Service not available, closing the connection'
