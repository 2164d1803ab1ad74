#!/bin/sh
# tlsd -l: many connections in one process for each processor. ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

MSA_HOST=mail.example.net
export MSA_HOST

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" \
		-days 2 -subj "/CN=$2" -addext "subjectAltName=DNS:$2" 2>/dev/null
	chmod 644 "$1.key"
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

# Wait until a command succeeds, 10 s at most.
await() {
	tries=0
	until eval "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || return 1
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
	submitd -l "$T/next" -P "${1:-1:100}" true 2>next.log &
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

BUSY='421 4.3.2 Service not available, closing the connection'

test_a_session_is_handed_to_a_resident_stage() {
	next
	serve call "$T/next"
	talk_to <<-'END'
		<
		> STARTTLS
		<
		tls
		> HELO client
		<
		> MAIL FROM:<a@example.net>
		<
		> QUIT
		<<
	END
	assert_got session <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		250 mail.example.net
		530 5.7.0 Authentication required
		221 2.0.0 Bye
		EOF
	END
	stop
	stop_next
	assert_logged '^tlsd: [a-z0-9]\{14\} done tls=TLSv1.3 cipher=[A-Z0-9_]* in=46 out=72 ms=[0-9]* peer=127.0.0.1$'
}

test_a_program_is_started_for_each_connection() {
	TCPREMOTEIP=9.9.9.9 RELAYCLIENT=forged FOO=kept SMTPAUTHUSER=forged serve ./who
	talk_to <<-'END'
		<
		> STARTTLS
		<
		tls
		> X
		<
		> QUIT
		<<
	END
	assert_got program <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		250 TCP 127.0.0.1 local relay=no x=no foo=kept
		221 bye
		EOF
	END
	stop
	assertEquals 'no zombie, no child' '' "$(pgrep -P "$tlsd")"
}

test_implicit_tls() {
	serve -i ./who
	talk_to <<-'END'
		tls
		<
		> X
		<
		> QUIT
		<<
	END
	assert_got implicit <<-'END'
		TLS
		220 x
		250 TCP 127.0.0.1 local relay=no x=no foo=no
		221 bye
		EOF
	END
	stop
}

test_a_resident_that_is_not_there_is_421() {
	serve call "$T/nobody"
	talk_to <<-'END'
		<
		> STARTTLS
		<
		tls
		> EHLO x
		<<
	END
	assert_got nobody <<-END
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		$BUSY
		EOF
	END
	assert_logged 'failed reason="call .*/nobody: No such file or directory"'
	stop
}

# Something that listens and never takes a call, and one that closes at once: others are served meanwhile.
test_a_resident_that_does_not_acknowledge_is_421_after_5_s() {
	python3 -c '
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(50)
while True:
    c, a = s.accept()
    if sys.argv[2] == "close": c.close()
' "$T/mute" keep &
	servers="$servers $!"
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(50)
while True: s.accept()[0].close()
' "$T/closes" &
	servers="$servers $!"
	await '[ -S mute ] && [ -S closes ]'
	serve -P 1 call "$T/mute"
	clients "$port" <<-'END'
		start = time.time()
		a = tls(connect())
		b = connect(2)
		print(line(b))
		print(line(a), 4.5 < time.time() - start < 7)
	END
	assert_got mute <<-END
		220 mail.example.net ESMTP
		$BUSY True
	END
	assert_logged 'failed reason="call .*/mute: Connection timed out"'
	stop
	serve -P 1 call "$T/closes"
	clients "$port" <<-'END'
		start = time.time()
		print(line(tls(connect())), time.time() - start < 3)
	END
	assert_got closes <<-END
		$BUSY True
	END
	stop
}

test_a_full_pool_is_421() {
	next 1:2
	serve call "$T/next"
	clients "$port" <<-'END'
		keep = [tls(connect()) for i in range(2)]
		for s in keep: print(ask(s, 'NOOP'))
		s = tls(connect())
		print(ask(s, 'NOOP'))
	END
	assert_got full <<-END
		250 2.0.0 Ok
		250 2.0.0 Ok
		$BUSY
	END
	stop
	stop_next
}

test_limits_are_told_politely_and_logged_once_a_second() {
	serve -a 3 -m 5 ./cat
	clients "$port" <<-'END'
		keep = [connect() for i in range(3)]
		for s in keep: line(s)
		for i in range(4): print(line(connect()))
		keep.pop().close()
		time.sleep(0.3)
		s = connect(); print(line(s))
	END
	assert_got 'per address' <<-END
		$BUSY
		$BUSY
		$BUSY
		$BUSY
		220 mail.example.net ESMTP
	END
	assertTrue 'few lines' "[ $(grep -c 'refused reason="too many connections from this address" peer=127.0.0.1' log) -le 2 ]"
	stop
	serve -a 100 -m 5 -e 3 ./cat
	clients "$port" <<-'END'
		early = [connect() for i in range(3)]
		time.sleep(0.3)
		print(line(connect()))
		through = [tls(s) for s in early]
		for s in through: print(ask(s, 'echo'))
		more = [connect() for i in range(2)]
		for s in more: print(line(s))
		print(line(connect()))
	END
	assert_got 'early, total' <<-END
		$BUSY
		echo
		echo
		echo
		220 mail.example.net ESMTP
		220 mail.example.net ESMTP
		$BUSY
	END
	assert_logged 'refused reason="too many connections before TLS" peer=127.0.0.1'
	stop
	serve -i -a 1 ./cat
	clients "$port" <<-'END'
		a = CTX.wrap_socket(connect()); print(line(a))
		b = connect(); print(repr(b.recv(10)))
	END
	assert_got implicit <<-'END'
		220 x
		b''
	END
	stop
}

test_rules_deny_and_set_what_an_operator_may_set() {
	rules() {
		printf '%s\n' "$@" | tcprules rules.cdb rules.tmp
	}
	rules '127.0.0.1:allow,RELAYCLIENT="",MSA_X_A="b",FOO="1",TCPREMOTEIP="6.6.6.6",SMTPAUTHUSER="root"' ':deny'
	serve -P 1 -x rules.cdb ./who
	clients "$port" <<-'END'
		print(ask(tls(connect()), 'X'))
	END
	assert_got allow <<-'END'
		250 TCP 127.0.0.1 local relay= x=b foo=no
	END
	sleep 1.1
	rules '127.0.0.2:deny' '127.0.:deny' '127.:allow,RELAYCLIENT="no"' ':allow'
	clients "$port" <<-'END'
		print(repr(line(connect())))
	END
	assert_got 'denied after a change' <<-'END'
		''
	END
	assert_logged 'denied peer=127.0.0.1'
	sleep 1.1
	echo broken >rules.new
	mv rules.new rules.cdb
	clients "$port" <<-'END'
		for i in range(3): print(repr(line(connect())))
	END
	assert_got 'a broken table: the old one stays' <<-'END'
		''
		''
		''
	END
	assertEquals 'said once' 1 "$(grep -c 'kept reason="rules.cdb: ' log)"
	rules ':allow'
	kill -HUP "$tlsd"
	await 'grep -q "^tlsd: - reloaded" log'
	sleep 0.3
	clients "$port" <<-'END'
		print(ask(tls(connect()), 'X'))
	END
	assert_got 'SIGHUP reads it' <<-'END'
		250 TCP 127.0.0.1 local relay=no x=no foo=no
	END
	stop
}

test_the_proxy_protocol_from_trusted_addresses() {
	printf '%s\n' '127.0.0.1:allow,RELAYCLIENT="",MSA_X_A="proxy"' '192.0.2.1:allow,MSA_X_A="client"' '192.0.2.9:deny' \
		'2001:db8::allow,MSA_X_A="six"' '=:allow' ':allow' | sed 's/^2001:db8::allow/2001:db8::deny/' >rules.txt
	# tcprules splits at the first colon: IPv6 keys are made with cdb
	{
		printf '+9,25:127.0.0.1->+RELAYCLIENT=\000+MSA_X_A=p\000\n'
		printf '+9,16:192.0.2.1->+MSA_X_A=client\000\n'
		printf '+9,1:192.0.2.9->D\n'
		printf '+9,13:2001:db8:->+MSA_X_A=six\000\n\n'
	} | cdb -c rules.cdb
	serve -y 127.0.0.1/32,2001:db8::/32 -x rules.cdb ./who
	cat >proxy <<-'END'
		def v1(text): return text.encode() + b'\r\n'
		def v2(command, family, body): return b'\r\n\r\n\0\r\nQUIT\n' + bytes([0x20 | command, family]) + struct.pack('>H', len(body)) + body
		def who(header, pieces=1):
		    s = connect()
		    n = max(1, len(header) // pieces)
		    for i in range(0, len(header), n):
		        s.sendall(header[i:i + n]); time.sleep(0.02 if pieces > 1 else 0)
		    try: return ask(tls(s), 'X')
		    except (OSError, ssl.SSLError): return 'closed'
		a4 = socket.inet_aton('192.0.2.1') + socket.inet_aton('198.51.100.7') + struct.pack('>HH', 4711, 587)
		a6 = socket.inet_pton(socket.AF_INET6, '2001:db8::5') + socket.inet_pton(socket.AF_INET6, '2001:db8::6') + struct.pack('>HH', 1, 2)
		print(who(v1('PROXY TCP4 192.0.2.1 198.51.100.7 4711 587')))
		print(who(v1('PROXY TCP4 192.0.2.1 198.51.100.7 4711 587'), 9))
		print(who(v1('PROXY TCP6 2001:db8::1 2001:db8::2 1 2')))
		print(who(v1('PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2')))
		print(who(v1('PROXY UNKNOWN')))
		print(who(v1('PROXY UNKNOWN ffff::1 ffff::2 1 2')))
		print(who(v2(1, 0x11, a4)))
		print(who(v2(1, 0x11, a4 + b'\x04\0\1x'), 5))
		print(who(v2(1, 0x21, a6)))
		print(who(v2(0, 0, b'')))
		print(who(v2(1, 0x31, bytes(216))))
		print('denied', who(v1('PROXY TCP4 192.0.2.9 198.51.100.7 4711 587')))
		for bad in (b'EHLO client\r\n', b'\x16\x03\x01', v1('PROXY TCP4 192.0.2.1 198.51.100.7 4711'), v1('PROXY TCP4 192.0.2.1 198.51.100.7 4711 70000'),
		        v1('PROXY TCP4 1.2.3 198.51.100.7 1 2'), v1('PROXY TCP4 2001:db8::1 198.51.100.7 1 2'), v1('PROXY  TCP4 192.0.2.1 198.51.100.7 1 2'),
		        v1('PROXY TCP5 192.0.2.1 198.51.100.7 1 2'), b'PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n', b'PROXY ' + b'x' * 110,
		        v1('PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3'), v2(2, 0x11, a4), v2(1, 0x12, a4), v2(1, 0x11, a4[:8]), v2(1, 0x11, a4 + bytes(3000)), b'PROXY UNKNOWNX\r\n'):
		    s = connect(); s.sendall(bad)
		    try: print(repr(line(s)), end=' ')
		    except OSError as e: print(repr(''), end=' ')
		print()
	END
	clients "$port" <proxy
	assert_got proxied <<-'END'
		250 TCP 192.0.2.1 local relay=no x=client foo=no
		250 TCP 192.0.2.1 local relay=no x=client foo=no
		250 TCP 2001:db8::1 local relay=no x=six foo=no
		250 TCP 192.0.2.1 local relay=no x=client foo=no
		250 TCP none  relay=no x=no foo=no
		250 TCP none  relay=no x=no foo=no
		250 TCP 192.0.2.1 local relay=no x=client foo=no
		250 TCP 192.0.2.1 local relay=no x=client foo=no
		250 TCP 2001:db8::5 local relay=no x=six foo=no
		250 TCP none  relay=no x=no foo=no
		250 TCP none  relay=no x=no foo=no
		denied closed
		'' '' '' '' '' '' '' '' '' '' '' '' '' '' '' '' 
	END
	assertEquals 'each logged' 16 "$(grep -c 'refused reason="no valid PROXY header" peer=127.0.0.1' log)"
	assert_logged 'denied peer=192.0.2.9'
	stop
	serve -y 192.0.2.0/24 -x rules.cdb ./who
	clients "$port" <<-'END'
		s = connect()
		s.sendall(b'PROXY TCP4 192.0.2.1 198.51.100.7 4711 587\r\n')
		print(line(s)); print(line(s))
		print(ask(tls(connect()), 'X'))
	END
	assert_got 'nobody else is believed' <<-'END'
		220 mail.example.net ESMTP
		530 5.7.0 Must issue a STARTTLS command first
		250 TCP 127.0.0.1 local relay= x=p foo=no
	END
	stop
	serve -i -y 127.0.0.1 ./who
	clients "$port" <<-'END'
		# the header and the ClientHello in one piece
		inc, out = ssl.MemoryBIO(), ssl.MemoryBIO()
		t = CTX.wrap_bio(inc, out)
		s = connect()
		first = b'PROXY TCP4 192.0.2.1 198.51.100.7 4711 587\r\n'
		while True:
		    try: t.do_handshake(); break
		    except ssl.SSLWantReadError: s.sendall(first + out.read()); first = b''; inc.write(s.recv(65536))
		s.sendall(out.read())
		def read():
		    while True:
		        try: return t.read(1000)
		        except ssl.SSLWantReadError: inc.write(s.recv(65536))
		print(read()); t.write(b'X\r\n'); s.sendall(out.read()); print(read())
	END
	assert_got 'implicit TLS behind a proxy' <<-'END'
		b'220 x\r\n'
		b'250 TCP 192.0.2.1 local relay=no x=no foo=no\r\n'
	END
	stop
}

test_certificates_by_name_and_reload_lose_no_connection() {
	cp one.pem live.pem
	cp one.key live.key
	: >log
	tlsd -l 127.0.0.1:0 -c live.pem -k live.key -c two.pem -k two.key ./cat 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	await 'grep -q " ready address=" log'
	port=$(sed -n 's/.* ready address=.*:\([0-9]*\)$/\1/p' log)
	clients "$port" <<-'END'
		for name in (None, 'mail.example.net', 'other.example.org', 'third.example.com'): print(subject(tls(connect(), name=name)))
		held = tls(connect()); print(ask(held, 'before'), subject(held))
		clear = connect(); line(clear)
		time.sleep(1.1)
		def replace(name, text):
		    open('new', 'wb').write(text); os.rename('new', name)
		replace('live.pem', open('two.pem', 'rb').read())
		s = tls(connect()); print('half', subject(s))
		time.sleep(1.1)
		s = tls(connect()); print('half', subject(s))
		replace('live.key', open('two.key', 'rb').read())
		time.sleep(1.1)
		connect().close()
		for i in range(50):
		    time.sleep(0.1)
		    if subject(tls(connect())) == 'two': print('reloaded'); break
		print(ask(held, 'after'), subject(held))
		clear.sendall(b'NOOP\r\n'); print(line(clear))
	END
	assert_got reload <<-'END'
		one
		one
		two
		one
		before one
		half one
		half one
		reloaded
		after one
		250 2.0.0 Ok
	END
	assertEquals "a broken reload is said once: $(cat log)" 1 "$(grep -c 'kept reason="reload failed"' log)"
	assertEquals 'and so is a good one' 1 "$(grep -c '^tlsd: - reloaded' log)"
	# the replaced workers end with their last connection
	workers=$(nproc)
	await '[ "$(pgrep -c -P "$tlsd")" -eq "$workers" ]'
	assertEquals 'replaced workers have ended' "$workers" "$(pgrep -c -P "$tlsd")"
	stop
}

test_versions_and_ciphers() {
	serve -v 1.3 -s TLSv1.3:ECDHE-ECDSA-AES256-GCM-SHA384 ./cat
	cat >versions <<-'END'
		for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
		    ctx = context()
		    ctx.minimum_version = ctx.maximum_version = v
		    try:
		        s = tls(connect(), ctx)
		        print(s.version(), s.cipher()[0] if v == ssl.TLSVersion.TLSv1_2 else '')
		    except (OSError, ssl.SSLError): print('refused')
	END
	clients "$port" <versions
	assert_got 1.3 <<-'END'
		refused
		TLSv1.3 
	END
	stop
	serve -s ECDHE-ECDSA-AES128-GCM-SHA256 ./cat
	clients "$port" <versions
	assert_got 1.2 <<-'END'
		TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256
		TLSv1.3 
	END
	stop
	tlsd -l 127.0.0.1:0 -s nonsense -c one.pem -k one.key ./cat 2>log
	assertEquals nonsense 100 $?
	assertEquals "one line: $(cat log)" 1 "$(grep -c 'misuse reason=.*cipher' log)"
}

test_sigterm_tells_those_in_the_clear_and_lets_the_others_go_on() {
	serve ./cat
	clients "$port" "$tlsd" <<-'END'
		held = tls(connect()); print(ask(held, 'before'))
		clear = connect(); print(line(clear))
		os.kill(int(sys.argv[2]), 15)
		print(line(clear), repr(clear.recv(1)))
		try: print(line(connect()))
		except OSError: print('refused')
		time.sleep(0.5)
		print(ask(held, 'after'))
	END
	assert_got sigterm <<-END
		before
		220 mail.example.net ESMTP
		$BUSY b''
		refused
		after
	END
	wait "$tlsd"
	assertEquals "ended well: $(cat log)" 0 $?
}

test_a_killed_worker_is_replaced_and_gives_back_what_it_had() {
	serve -P 2 -a 20 ./cat
	clients "$port" "$tlsd" <<-'END'
		def workers(): return os.popen('pgrep -P ' + sys.argv[2]).read().split()
		was = workers()
		held = [connect() for i in range(20)]
		for s in held: line(s)
		print(line(connect()))
		for p in was: os.kill(int(p), 9)
		n = 0
		for i in range(50):
		    time.sleep(0.1)
		    try:
		        if line(connect()).startswith('220'): n += 1
		    except OSError: pass
		    if n == 20: break
		print(n, len(workers()), set(was) & set(workers()))
	END
	assert_got killed <<-END
		$BUSY
		20 2 set()
	END
	assertEquals "logged: $(cat log)" 2 "$(grep -c 'lost worker="signal 9"' log)"
	stop
}

test_workers_end_when_the_parent_is_killed() {
	serve -P 2 ./cat
	workers=$(pgrep -P "$tlsd")
	kill -9 "$tlsd"
	wait "$tlsd" 2>/dev/null
	for pid in $workers; do
		await "! kill -0 $pid 2>/dev/null"
		assertEquals "worker $pid has ended" 0 $?
	done
}

test_a_thousand_connections_spread_evenly_and_cost_little() {
	if nm "$(command -v tlsd)" 2>/dev/null | grep -q __asan_init; then
		skip 'memory is not what it is under a sanitizer'
		return
	fi
	next 1:60
	serve -P 2 -a 2000 -m 1100 -e 1100 call "$T/next"
	clients "$port" "$tlsd" <<-'END'
		pids = os.popen('pgrep -P ' + sys.argv[2]).read().split()
		held = [connect() for i in range(1000)]
		time.sleep(1)
		each = [int(os.popen('ls /proc/%s/fd | wc -l' % p).read()) for p in pids]
		clear = memory(pids)
		print(sum(each) > 1000, min(each) > 350, each, file=sys.stderr)
		print(min(each) > 350)
		for s in held[50:]: s.close()
		time.sleep(0.5)
		through = [tls(s) for s in held[:10]]
		for s in through: ask(s, 'NOOP')
		before = memory(pids)
		through += [tls(s) for s in held[10:50]]
		for s in through: assert ask(s, 'NOOP') == '250 2.0.0 Ok'
		kib = (memory(pids) - before) / 40
		print('KiB of memory for an idle connection under TLS:', kib, file=sys.stderr)
		print(kib < 30)
	END
	grep -v '^True$\|^False$' got
	sed -n '/^True$\|^False$/p' got >lines && mv lines got
	assert_got thousand <<-'END'
		True
		True
	END
	stop
	stop_next
}

# 100 that finish TLS and say nothing, one that sends an octet a second, one that never reads: nobody else waits for them.
test_slow_and_silent_clients_hold_up_nobody() {
	next 1:150
	serve -P 1 -t 3 -a 200 call "$T/next"
	clients "$port" <<-'END'
		silent = [tls(connect()) for i in range(100)]
		deaf = tls(connect())
		deaf.settimeout(0.05)
		try:
		    for i in range(2000): deaf.sendall(b'NOOP\r\n' * 1000)
		    print('it took everything')
		except OSError: print('bounded')
		slow, start = connect(), time.time()
		line(slow); slow.sendall(b'STARTTLS\r\n'); line(slow)
		worst = 0
		for i in range(4):
		    try: slow.sendall(b'\x16\x03\x01\x02\x00\x01'[i:i + 1])
		    except OSError: pass
		    for j in range(5):
		        t = time.time()
		        s = tls(connect()); assert ask(s, 'NOOP') == '250 2.0.0 Ok'; s.close()
		        worst = max(worst, time.time() - t)
		        time.sleep(max(0, 0.2 - (time.time() - t)))
		print(worst < 1)
		slow.settimeout(3)
		try: print(repr(slow.recv(1)))
		except ConnectionResetError: print("b''")
	END
	assert_got slow <<-'END'
		bounded
		True
		b''
	END
	assert_logged 'handshake peer=127.0.0.1 reason="not complete in time"'
	kill -TERM "$next"
	stop
	wait "$next"
}

test_readiness_and_an_inherited_socket() {
	cat >inherit.py <<-'END'
		import os, socket, sys
		s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(50)
		open('port', 'w').write(str(s.getsockname()[1]))
		how = sys.argv[1]
		to = 0 if how == 'stdin' else 3
		os.dup2(s.fileno(), to); os.set_inheritable(to, True)
		if how != 'stdin':
		    os.environ['LISTEN_FDS'], os.environ['LISTEN_PID'] = '1', str(os.getpid())
		ready = os.open('ready', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
		os.dup2(ready, 5); os.set_inheritable(5, True)
		os.execvp('tlsd', ['tlsd', '-l', '0', '-R', '5', '-c', 'one.pem', '-k', 'one.key', './who'])
	END
	for how in stdin systemd; do
		rm -f ready port
		python3 inherit.py $how 2>log &
		tlsd=$!
		servers="$servers $tlsd"
		await '[ -s ready ]'
		port=$(cat port)
		echo >newline
		assert_same "$how ready" newline ready
		clients "$port" <<-'END'
			print(ask(tls(connect()), 'X'))
		END
		assert_got "$how" <<-'END'
			250 TCP 127.0.0.1 local relay=no x=no foo=no
		END
		stop
	done
}

test_addresses_to_listen_at() {
	for address in 0:0 '[::1]:0' '[::]:0' 127.0.0.1:0; do
		listen=$address
		serve ./cat
		case $address in
		'[::1]:0') : ;;
		*)
			clients "$port" <<-'END'
				print(line(connect()))
			END
			assert_got "$address" <<-'END'
				220 mail.example.net ESMTP
			END
			;;
		esac
		stop
	done
	listen=
	for address in '' : 587 x:1 127.0.0.1:70000 127.0.0.1: 127.0.0.1:1x '[::1:1' ::1:1; do
		tlsd -l "$address" -c one.pem -k one.key ./cat 2>log
		assertEquals "$address" 100 $?
	done
	serve ./cat
	tlsd -l "127.0.0.1:$port" -c one.pem -k one.key ./cat 2>log2
	assertEquals 'in use' 111 $?
	stop
}

test_misuse_is_100() {
	for o in '-l 127.0.0.1:0 -x none.cdb -c one.pem -k one.key' '-l 127.0.0.1:0 -c none.pem -k one.key' \
		'-l 127.0.0.1:0 -c one.pem -k two.key' '-l 127.0.0.1:0 -c one.pem -k one.key -c two.pem -k one.key' \
		'-l 127.0.0.1:0 -U no-such-user -c one.pem -k one.key' '-l 127.0.0.1:0 -y 1.2.3 -c one.pem -k one.key' \
		'-l 127.0.0.1:0 -v 1.1 -c one.pem -k one.key' '-l 127.0.0.1:0 -c one.pem -k one.key -c two.pem' \
		'-l 127.0.0.1:0 -k one.key' '-l 127.0.0.1:0 -a 0 -c one.pem -k one.key' '-a 5 -c one.pem -k one.key'; do
		# shellcheck disable=SC2086
		tlsd $o ./cat </dev/null 2>log
		assertEquals "$o: $(cat log)" 100 $?
		assertTrue "says why: $o" '[ -s log ]'
	done
}

test_U_drops_the_workers_and_the_parent_reloads_the_key() {
	if [ "$(id -u)" -ne 0 ]; then
		skip 'not root'
		return
	fi
	install -m 400 one.key secret.key
	: >log
	tlsd -l 127.0.0.1:0 -U nobody:daemon -c one.pem -k secret.key -P 1 ./cat 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	await 'grep -q " ready address=" log'
	port=$(sed -n 's/.* ready address=.*:\([0-9]*\)$/\1/p' log)
	worker=$(pgrep -P "$tlsd")
	assertEquals parent 0 "$(ps -o uid= -p "$tlsd" | tr -d ' ')"
	assertEquals worker "$(id -u nobody)" "$(ps -o uid= -p "$worker" | tr -d ' ')"
	assertEquals 'undumpable: its files are root'\''s' 0 "$(stat -c %u "/proc/$worker/environ")"
	kill -HUP "$tlsd"
	await 'grep -q "^tlsd: - reloaded" log'
	sleep 0.3
	clients "$port" <<-'END'
		print(ask(tls(connect()), 'x'))
	END
	assert_got 'after reload' <<-'END'
		x
	END
	await '[ "$(pgrep -c -P "$tlsd")" -eq 1 ]'
	assertNotEquals 'another worker' "$worker" "$(pgrep -P "$tlsd")"
	stop
}

# shellcheck disable=SC1090
. "$SHUNIT2"
