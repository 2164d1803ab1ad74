#!/bin/sh
# The state machine apart: many connections in one process, on edges; every deadline; what an idle one costs.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

BYE='421 4.3.0 Local trouble, closing the connection'

oneTimeSetUp() {
	cert "$T/key.pem" "$T/cert.pem" /CN=mail.example.net
	mkfifo "$T/stop"
}

# Start pumps with these arguments (before cert and key: options; behind: the program).
serve() {
	options=$1
	shift
	rm -f "$T/said"
	# shellcheck disable=SC2086
	pumps $options "$T/cert.pem" "$T/key.pem" "$@" <"$T/stop" >"$T/said" 2>"$T/log" &
	pumps=$!
	exec 9>"$T/stop"
	wait_until [ -s "$T/said" ]
	port=$(head -n 1 "$T/said")
}

stop() {
	exec 9>&-
	wait "$pumps"
	code=$?
	assertEquals "pumps ended well: $(cat "$T/log")" 0 "$code"
}

# Talk to the port: script on standard input; "ms" takes the place of the last line: how long it took.
talk_to() {
	start=$(date +%s%N)
	talk -c "127.0.0.1:$port" >"$T/got" 2>&1
	took=$((($(date +%s%N) - start) / 1000000))
}

test_a_silent_client_is_told_421_in_the_clear() {
	serve '-c 1500' -
	talk_to <<-'END'
		<
		> NOOP
		<
		>> NO
		sleep 1
		>> OP
		<<
	END
	assert_got silent <<-'END'
		220 pumps ESMTP
		250 2.0.0 Ok
		421 4.4.2 Waited too long, closing the connection
		EOF
	END
	assertTrue "in time: $took" "[ $took -ge 1500 ] && [ $took -lt 9000 ]"
	stop
}

test_a_client_that_only_says_noop_has_an_end_too() {
	serve '-c 500' -
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		printf '%s\n' '> NOOP' 'sleep 0.2'
	done >"$T/script"
	echo '<<' >>"$T/script"
	talk_to <"$T/script"
	assertEquals 'twice the wait for a command' 1 "$(grep -c '^421 4.4.2 ' "$T/got")"
	stop
}

test_a_handshake_in_small_pieces_has_one_deadline() {
	serve '-i -h 500' -
	talk_to <<-'END'
		>> \x16\x03\x01\x02
		sleep 0.3
		>> \x00\x01\x00\x01
		<<
	END
	assert_got pieces <<-'END'
		EOF
	END
	assertTrue "in time: $took" "[ $took -ge 500 ] && [ $took -lt 9000 ]"
	assertTrue log "grep -q 'handshake peer=client reason=\"not complete in time\"' '$T/log'"
	stop
}

test_a_stage_without_greeting_has_a_deadline() {
	serve '-g 300' sh -c 'printf "220-half\r\n"; exec sleep 10'
	talk_to <<-'END'
		<
		> STARTTLS
		<
		tls
		> EHLO client
		<<
	END
	assert_got greeting <<-END
		220 pumps ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		$BYE
		EOF
	END
	assertTrue log "grep -q 'gave no greeting in time' '$T/log'"
	stop
}

test_another_greeting_is_given_up_when_no_command_comes() {
	serve '-c 300' sh -c 'printf "554 no\r\n"'
	talk_to <<-'END'
		<
		> STARTTLS
		<
		tls
		<<
	END
	assert_got greeting <<-'END'
		220 pumps ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		554 no
		EOF
	END
	stop
}

test_a_client_that_takes_no_output_is_given_up() {
	serve '-i -s 300' sh -c 'printf "220 x\r\n"; exec cat /dev/zero'
	talk_to <<-'END'
		tls
		<
		sleep 3
	END
	assert_got stall <<-'END'
		TLS
		220 x
	END
	assertTrue "log: $(cat "$T/log")" "grep -q 'done .* end=timeout' '$T/log'"
	stop
}

test_a_stage_that_does_not_end_after_its_input_is_given_up() {
	serve '-i -s 300' sh -c 'printf "220 x\r\n"; exec sleep 10'
	talk_to <<-'END'
		tls
		<
		shut
		sleep 2
	END
	assertTrue "log: $(cat "$T/log")" "grep -q 'done .* end=timeout' '$T/log'"
	stop
}

# Connections come, speak and go in mixed order; each hears its own words only.
test_connections_in_one_process_do_not_meet() {
	serve '' -
	python3 - "$port" "$TEST_SEED" >"$T/got" 2>&1 <<-'END'
		import random, socket, ssl, sys
		random.seed(int(sys.argv[2]))
		ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
		ctx.check_hostname = False
		ctx.verify_mode = ssl.CERT_NONE
		class Client:
		    def __init__(self, n):
		        self.n, self.steps = n, 0
		        self.s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10)
		        self.f = self.s.makefile('rb')
		    def step(self):
		        self.steps += 1
		        if self.steps == 1: assert self.f.readline() == b'220 pumps ESMTP\r\n'
		        elif self.steps == 2: self.s.sendall(b'START')
		        elif self.steps == 3:
		            self.s.sendall(b'TLS\r\n')
		            assert self.f.readline().startswith(b'220 2.0.0')
		            self.s = ctx.wrap_socket(self.s)
		            self.f = self.s.makefile('rb')
		        elif self.steps < 9:
		            line = b'%d/%d ' % (self.n, self.steps) + b'x' * random.randrange(3000) + b'\r\n'
		            self.s.sendall(line)
		            got = self.f.readline()
		            assert got == line, (got[:40], line[:40])
		        else:
		            if self.n % 3: self.s.unwrap()
		            self.s.close()
		            return True
		clients, n = [], 0
		while n < 120 or clients:
		    if n < 120 and (len(clients) < 40 or random.random() < 0.1):
		        clients.append(Client(n))
		        n += 1
		    c = random.choice(clients)
		    if c.step(): clients.remove(c)
		print('all', n)
	END
	assert_got mixed <<-'END'
		all 120
	END
	wait_until eval '[ "$(grep -c "^pumps: - done " "$T/log")" -ge 120 ]'
	stop
	assertTrue "served: $(cat "$T/said")" "grep -q '^served 120 size ' '$T/said'"
	assertEquals 'each was logged' 120 "$(grep -c '^pumps: - done tls=TLSv1.3' "$T/log")"
}

test_an_idle_connection_holds_no_buffers() {
	needs plain || return 0
	serve '' -
	python3 - "$port" "$pumps" >"$T/got" 2>&1 <<-'END'
		import os, socket, ssl, sys
		ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
		ctx.check_hostname = False
		ctx.verify_mode = ssl.CERT_NONE
		def heap():
		    kib = 0
		    for l in open('/proc/%s/smaps_rollup' % sys.argv[2]):
		        if l.startswith('Private_Dirty:'): kib = int(l.split()[1])
		    return kib
		def one():
		    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10)
		    f = s.makefile('rb'); f.readline()
		    s.sendall(b'STARTTLS\r\n'); f.readline()
		    s = ctx.wrap_socket(s)
		    s.sendall(b'x' * 3000 + b'\r\n')
		    n = 0
		    while n < 3002: n += len(s.recv(4096))
		    return s
		keep = [one() for i in range(20)]
		before = heap()
		keep += [one() for i in range(200)]
		print((heap() - before) / 200)
	END
	kib=$(cut -d. -f1 "$T/got")
	stop
	size=$(sed -n 's/.*size //p' "$T/said")
	echo "an idle connection: $(cat "$T/got") KiB of memory, of which struct tlspump is $size octets"
	assertTrue "struct tlspump: $size" "[ '$size' -lt 512 ]"
	assertTrue "libtls and all: $kib KiB" "[ '$kib' -lt 40 ]"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
