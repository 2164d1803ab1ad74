# shellcheck shell=sh
# What the tests of tlsd as a server begin with, after test.sh. ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
MSA_HOST=mail.example.net
export MSA_HOST

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" \
		-days 2 -subj "/CN=$2" -addext "subjectAltName=DNS:$2" 2>/dev/null
	chmod 640 "$1.key"
}

oneTimeSetUp() {
	cd "$T" || exit 1
	chmod 755 "$T"
	certificate one mail.example.net
	certificate two other.example.org
	# A next stage that says who it thinks the client is, one that is like a server.
	stage who "printf '220 x\r\n'" 'while read -r l; do' 'case $l in' \
		'Q*) printf "221 bye\r\n"; exit;;' \
		'*) printf "250 %s %s %s relay=%s x=%s foo=%s\r\n" "$PROTO" "${TCPREMOTEIP-none}" "${TCPLOCALPORT:+local}" "${RELAYCLIENT-no}" "${MSA_X_A-no}" "${FOO-no}";;' \
		'esac done'
	stage cat "printf '220 x\r\n'" 'exec cat'
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

stage() {
	stage_name=$1
	shift
	{
		echo '#!/bin/sh'
		printf '%s\n' "$@"
	} >"$stage_name"
	chmod 755 "$stage_name"
}

# Wait until a command succeeds, 20 s at most.
await() {
	tries=0
	until eval "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.1
	done
}

# Start tlsd with these arguments (behind -l, -c and -k): sets port and tlsd.
serve() {
	: >log
	tlsd -l "${listen:-127.0.0.1:0}" -c one.pem -k one.key "$@" 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	await 'grep -q "^tlsd: - ready address=" log' || fail "not ready: $(cat log)"
	port=$(sed -n 's/^tlsd: - ready address=.*:\([0-9]*\)$/\1/p' log)
}

# End it: it must end well.
stop() {
	kill -TERM "$tlsd"
	wait "$tlsd"
	assertEquals "tlsd ended well: $(cat log)" 0 $?
	assertTrue stopped "tail -n 1 log | grep -qx 'tlsd: - stopped'"
}

# A resident session stage at $T/next: submitd, which needs no next stage before a message.
next() {
	: >next.log
	submitd -e "${2:-20}" -l "$T/next" -P "${1:-1:100}" true 2>next.log &
	next=$!
	servers="$servers $next"
	await 'grep -q "submitd: - ready" next.log' || fail 'the resident is not ready'
}

stop_next() {
	kill -TERM "$next"
	wait "$next"
}

# Talk to the port: the script is standard input.
talk_to() {
	talk -t 10 -c "127.0.0.1:$port" >got 2>&1
}

assert_got() {
	cat >want
	assert_same "$1" want got
}

assert_logged() {
	assertTrue "log has: $1; log: $(cat log)" "grep -q '$1' log"
}

# Python with what the tests below need. usage: clients argument ... <script
clients() {
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
			def connect(t=10):
			    return socket.create_connection(('127.0.0.1', port), timeout=t)
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
