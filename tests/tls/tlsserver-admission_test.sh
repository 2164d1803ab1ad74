#!/bin/sh
# tlsd -l: which clients are admitted, and with what keys. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # port, tlsd, next: tlsserver.sh sets them
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

test_limits_are_told_politely_and_logged_once_a_second() {
	tlsd_start -a 3 -m 5 ./cat
	tlsd_clients "$port" <<-'END'
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
	tlsd_stop
	program_lines yes "printf '220 x\r\n'" 'while read -r l; do printf "235 2.7.0 yes\r\n"; done'
	tlsd_start -a 100 -m 5 -e 3 ./yes
	tlsd_clients "$port" <<-'END'
		def login():
		    s = tls(connect())
		    print(ask(s, 'AUTH PLAIN x'))
		    return s
		held = [login() for i in range(5)]
		print(line(connect()))
		held.pop().close()
		time.sleep(0.3)
		early = connect(); print(line(early))
		held.append(login())
		print(line(early), repr(line(early)))
	END
	assert_got 'total' <<-END
		235 2.7.0 yes
		235 2.7.0 yes
		235 2.7.0 yes
		235 2.7.0 yes
		235 2.7.0 yes
		$BUSY
		220 mail.example.net ESMTP
		235 2.7.0 yes
		$BUSY ''
	END
	assert_logged 'refused reason="too many connections" peer=127.0.0.1'
	assert_logged 'done in=0 out=0 ms=[0-9]* peer=127.0.0.1 end=evicted'
	tlsd_stop
	tlsd_start -i -a 1 ./cat
	tlsd_clients "$port" <<-'END'
		a = CTX.wrap_socket(connect()); print(line(a))
		b = connect(); print(repr(b.recv(10)))
	END
	assert_got implicit <<-'END'
		220 x
		b''
	END
	tlsd_stop
}

test_rules_deny_and_set_what_an_operator_may_set() {
	rules() {
		printf '%s\n' "$@" | tcprules rules.cdb rules.tmp
	}
	rules '127.0.0.1:allow,RELAYCLIENT="",MSA_X_A="b",FOO="1",TCPREMOTEIP="6.6.6.6",SMTPAUTHUSER="root"' ':deny'
	tlsd_start -P 1 -x rules.cdb ./who
	tlsd_clients "$port" <<-'END'
		print(ask(tls(connect()), 'X'))
	END
	assert_got allow <<-'END'
		250 TCP 127.0.0.1 local relay= x=b foo=no
	END
	sleep 1.1
	rules '127.0.0.2:deny' '127.0.:deny' '127.:allow,RELAYCLIENT="no"' ':allow'
	tlsd_clients "$port" <<-'END'
		print(repr(line(connect())))
	END
	assert_got 'denied after a change' <<-'END'
		''
	END
	assert_logged 'denied peer=127.0.0.1'
	sleep 1.1
	echo broken >rules.new
	mv rules.new rules.cdb
	tlsd_clients "$port" <<-'END'
		for i in range(3): print(repr(line(connect())))
	END
	assert_got 'a broken table: the old one stays' <<-'END'
		''
		''
		''
	END
	assertEquals 'said once' 1 "$(grep -c 'kept reason="rules.cdb: ' log)"
	rules ':allow'
	worker=$(pgrep -P "$tlsd")
	kill -HUP "$tlsd"
	wait_until grep -q "^tlsd: - reloaded" log
	wait_until eval '! pgrep -P "$tlsd" | grep -qx "$worker"'
	tlsd_clients "$port" <<-'END'
		print(ask(tls(connect()), 'X'))
	END
	assert_got 'SIGHUP reads it' <<-'END'
		250 TCP 127.0.0.1 local relay=no x=no foo=no
	END
	tlsd_stop
}

test_rules_do_not_say_who_the_client_is() {
	program_lines info "printf '220 x\r\n'" 'read -r l; printf "250 info=%s host=%s\r\n" "${TCPREMOTEINFO-no}" "${TCPREMOTEHOST-no}"'
	echo '127.0.0.1:allow,TCPREMOTEINFO="root",TCPREMOTEHOST="office.example.net"' | tcprules rules.cdb rules.tmp
	tlsd_start -x rules.cdb ./info
	tlsd_clients "$port" <<-'END'
		print(ask(tls(connect()), 'X'))
	END
	assert_got info <<-'END'
		250 info=no host=no
	END
	tlsd_stop
}

test_a_damaged_rule_lets_nobody_in() {
	printf '+9,3:127.0.0.1->xyz\n\n' | cdb -c rules.cdb
	tlsd_start -x rules.cdb ./who
	tlsd_clients "$port" <<-'END'
		print(repr(line(connect())))
	END
	assert_got damaged <<-'END'
		''
	END
	assert_logged 'failed reason="rules.cdb: '
	tlsd_stop
}

test_rules_that_cannot_be_used_are_kept_at_the_second_sighup_too() {
	printf ':deny\n' | tcprules rules.cdb rules.tmp
	tlsd_start -P 1 -x rules.cdb ./who
	echo broken >rules.new
	mv rules.new rules.cdb
	for n in 1 2 3; do
		kill -HUP "$tlsd"
		wait_until eval "[ \"\$(grep -c '^tlsd: - kept reason=\"the new rules cannot be used\"' log)\" -eq $n ]"
	done
	assertFalse "never reloaded: $(cat log)" 'grep -q " reloaded" log'
	tlsd_clients "$port" <<-'END'
		print(repr(line(connect())))
	END
	assert_got 'the old rules stay' <<-'END'
		''
	END
	tlsd_stop
}

# A file becomes usable by its mode alone: nothing else of it changes.
test_rules_that_become_readable_are_taken() {
	printf ':deny\n' | tcprules rules.cdb rules.tmp
	user=
	[ "$(id -u)" -ne 0 ] || user='-U nobody'
	# shellcheck disable=SC2086
	tlsd_start -P 1 $user -x rules.cdb ./who
	tlsd_clients "$port" <<-'END'
		print(repr(line(connect())))
		time.sleep(1.1)
	END
	printf ':allow\n' | tcprules rules.new rules.tmp
	chmod 0 rules.new
	mv rules.new rules.cdb
	tlsd_clients "$port" <<-'END'
		for i in range(2):
		    print(repr(line(connect())))
		    time.sleep(1.1)
		os.chmod('rules.cdb', 0o644)
		print(ask(tls(connect()), 'X'))
	END
	assert_got 'taken once the worker may read them' <<-'END'
		''
		''
		250 TCP 127.0.0.1 local relay=no x=no foo=no
	END
	assertEquals "said once: $(cat log)" 1 "$(grep -c 'kept reason="rules.cdb: Permission denied"' log)"
	tlsd_stop
}

test_the_proxy_protocol_from_trusted_addresses() {
	# tcprules splits at the first colon, so cdb makes the keys of IPv6
	{
		printf '+9,25:127.0.0.1->+RELAYCLIENT=\000+MSA_X_A=p\000\n'
		printf '+9,16:192.0.2.1->+MSA_X_A=client\000\n'
		printf '+9,1:192.0.2.9->D\n'
		printf '+9,13:2001:db8:->+MSA_X_A=six\000\n\n'
	} | cdb -c rules.cdb
	tlsd_start -y 127.0.0.1/32,2001:db8::/32 -x rules.cdb ./who
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
	tlsd_clients "$port" <proxy
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
	tlsd_stop
	tlsd_start -y 192.0.2.0/24 -x rules.cdb ./who
	tlsd_clients "$port" <<-'END'
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
	tlsd_stop
	tlsd_start -i -y 127.0.0.1 ./who
	tlsd_clients "$port" <<-'END'
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
	tlsd_stop
}

test_certificates_by_name_and_reload_lose_no_connection() {
	cp one.pem live.pem
	cp one.key live.key
	: >log
	tlsd -l 127.0.0.1:0 -c live.pem -k live.key -c two.pem -k two.key ./cat 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	wait_until grep -q " ready address=" log
	port=$(sed -n 's/.* ready address=.*:\([0-9]*\)$/\1/p' log)
	tlsd_clients "$port" <<-'END'
		for name in (None, 'mail.example.net', 'other.example.org', 'third.example.com'): print(subject(tls(connect(), name=name)))
		held = tls(connect()); print(ask(held, 'before'), subject(held))
		clear = connect(); line(clear)
		time.sleep(1.1)
		def replace(name, text):
		    open('new', 'wb').write(text); os.chmod('new', 0o600); os.rename('new', name)
		replace('live.pem', open('two.pem', 'rb').read())
		s = tls(connect()); print('half', subject(s))
		time.sleep(1.1)
		s = tls(connect()); print('half', subject(s))
		replace('live.key', open('two.key', 'rb').read())
		time.sleep(1.1)
		connect().close()
		for i in range(200):
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
	wait_until [ "$(pgrep -c -P "$tlsd")" -eq "$workers" ]
	assertEquals 'replaced workers have ended' "$workers" "$(pgrep -c -P "$tlsd")"
	tlsd_stop
}

test_versions_and_ciphers() {
	tlsd_start -v 1.3 -s TLSv1.3:ECDHE-ECDSA-AES256-GCM-SHA384 ./cat
	cat >versions <<-'END'
		for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
		    ctx = context()
		    ctx.minimum_version = ctx.maximum_version = v
		    try:
		        s = tls(connect(), ctx)
		        print(s.version(), s.cipher()[0] if v == ssl.TLSVersion.TLSv1_2 else '')
		    except (OSError, ssl.SSLError): print('refused')
	END
	tlsd_clients "$port" <versions
	assert_got 1.3 <<-'END'
		refused
		TLSv1.3 
	END
	tlsd_stop
	tlsd_start -s ECDHE-ECDSA-AES128-GCM-SHA256 ./cat
	tlsd_clients "$port" <versions
	assert_got 1.2 <<-'END'
		TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256
		TLSv1.3 
	END
	tlsd_stop
	tlsd -l 127.0.0.1:0 -s nonsense -c one.pem -k one.key ./cat 2>log
	assertEquals nonsense 100 $?
	assertEquals "one line: $(cat log)" 1 "$(grep -c 'misuse reason=.*cipher' log)"
}

test_misuse_is_100() {
	for o in '-l 127.0.0.1:0 -x none.cdb -c one.pem -k one.key' '-l 127.0.0.1:0 -c none.pem -k one.key' \
		'-l 127.0.0.1:0 -c one.pem -k two.key' '-l 127.0.0.1:0 -c one.pem -k one.key -c two.pem -k one.key' \
		'-l 127.0.0.1:0 -U no-such-user -c one.pem -k one.key' '-l 127.0.0.1:0 -y 1.2.3 -c one.pem -k one.key' \
		'-l 127.0.0.1:0 -v 1.1 -c one.pem -k one.key' '-l 127.0.0.1:0 -c one.pem -k one.key -c two.pem' \
		'-l 127.0.0.1:0 -k one.key' '-l 127.0.0.1:0 -a 0 -c one.pem -k one.key' \
		'-l 127.0.0.1:0 -a 5:0 -c one.pem -k one.key' '-a 5 -c one.pem -k one.key'; do
		# shellcheck disable=SC2086
		timeout 20 tlsd $o ./cat </dev/null 2>log
		code=$?
		assertEquals "$o: $(cat log)" 100 "$code"
		assertTrue "says why: $o" '[ -s log ]'
	done
}

test_a_number_is_digits_and_nothing_else() {
	for number in ' +2' ' 2' +2 2x 0x2 '' 2.0; do
		for option in -a -e -m -P -t; do
			timeout 20 tlsd -l 127.0.0.1:0 "$option" "$number" -c one.pem -k one.key ./cat </dev/null 2>log
			code=$?
			assertEquals "$option '$number': $(cat log)" 100 "$code"
			assertTrue "says why: $(cat log)" "grep -q 'tlsd: $option: ' log"
		done
	done
}

test_U_drops_the_workers_and_the_parent_reloads_the_key() {
	needs root || return 0
	install -m 400 one.key secret.key
	: >log
	tlsd -l 127.0.0.1:0 -U nobody:daemon -c one.pem -k secret.key -P 1 ./cat 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	wait_until grep -q " ready address=" log
	port=$(sed -n 's/.* ready address=.*:\([0-9]*\)$/\1/p' log)
	worker=$(pgrep -P "$tlsd")
	assertEquals parent 0 "$(ps -o uid= -p "$tlsd" | tr -d ' ')"
	assertEquals worker "$(id -u nobody)" "$(ps -o uid= -p "$worker" | tr -d ' ')"
	assertEquals 'undumpable: its files are root'\''s' 0 "$(stat -c %u "/proc/$worker/environ")"
	kill -HUP "$tlsd"
	wait_until grep -q "^tlsd: - reloaded" log
	wait_until eval '! pgrep -P "$tlsd" | grep -qx "$worker"'
	tlsd_clients "$port" <<-'END'
		print(ask(tls(connect()), 'x'))
	END
	assert_got 'after reload' <<-'END'
		x
	END
	wait_until [ "$(pgrep -c -P "$tlsd")" -eq 1 ]
	assertNotEquals 'another worker' "$worker" "$(pgrep -P "$tlsd")"
	tlsd_stop
}

test_a_staple_is_sent_to_who_asks() {
	cert_authority ca
	cert -a ca.pem -A ca.key leaf.key leaf.pem /CN=mail.example.net -set_serial 17
	printf 'V\t%s\t\t11\tunknown\t/CN=mail.example.net\n' "$(date -u -d '+2 days' +%y%m%d%H%M%SZ)" >index.txt
	openssl ocsp -issuer ca.pem -cert leaf.pem -reqout request.der >/dev/null 2>&1
	openssl ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -reqin request.der -respout staple.der \
		-ndays 1 >/dev/null 2>&1
	: >log
	tlsd -l 127.0.0.1:0 -c leaf.pem -k leaf.key -O staple.der ./cat 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	wait_until grep -q " ready address=" log
	port=$(sed -n 's/.* ready address=.*:\([0-9]*\)$/\1/p' log)
	openssl s_client -connect "127.0.0.1:$port" -starttls smtp -status -CAfile ca.pem </dev/null >got 2>&1
	assertTrue "stapled: $(cat got)" "grep -q 'Cert Status: good' got"
	tlsd_stop
	tlsd -l 127.0.0.1:0 -c leaf.pem -k leaf.key -O none.der ./cat 2>log
	assertEquals 'no such file' 100 $?
}

# shellcheck disable=SC1090
. "$SHUNIT2"
