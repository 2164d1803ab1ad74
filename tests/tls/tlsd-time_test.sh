#!/bin/sh
# tlsd and tlsc: how long they wait, for what, and what follows. The time is a clock's that the test sets.
# ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

TIMEOUT='421 4.4.2 Waited too long, closing the connection'
TROUBLE='421 4.3.0 Local trouble, closing the connection'

# A conversation for which a client has any time, the script is standard input. usage: talk_with [option of tlsd ...] prog [arg ...]
talk_with() {
	rm -f go
	talk -t 30 "$T/timed" tlsd -p 7200 -c one.pem -k one.key "$@" >got 2>log
}

# A next stage that waits for the file go, then does the rest. usage: waiting name line ...
waiting() {
	name=$1
	shift
	program_lines "$name" "until [ -e '$T/go' ]; do sleep 0.05; done" "$@"
}

test_who_proves_nothing_has_120_s() {
	clock_starts || return 0
	talk -t 30 "$T/timed" tlsd -c one.pem -k one.key ./cat >got 2>log <<-E2
		<
		waits $WAITS tlsd 1 120000
		put $CLOCK 119
		> NOOP
		<
		waits $WAITS tlsd 2 1000
		put $CLOCK 120
		<<
	E2
	sed 1d got >said
	printf '%s\n' '250 2.0.0 Ok' "$TIMEOUT" EOF >want
	assert_same '120 s' want said
}

test_a_command_in_the_clear_has_300_s_and_all_of_them_twice_that() {
	clock_starts || return 0
	talk_with ./cat <<-E2
		<
		waits $WAITS tlsd 1 300000
		put $CLOCK 299
		> NOOP
		<
		waits $WAITS tlsd 2 300000
		put $CLOCK 598
		> NOOP
		<
		waits $WAITS tlsd 3 2000
		put $CLOCK 600
		<<
	E2
	assert_got 'NOOP twice' <<-E2
		220 mail.example.net ESMTP
		250 2.0.0 Ok
		250 2.0.0 Ok
		$TIMEOUT
		EOF
	E2
}

test_a_handshake_has_60_s() {
	clock_starts || return 0
	talk_with ./cat <<-E2
		<
		> STARTTLS
		<
		until $WAITS  60000
		put $CLOCK 60
		<<
	E2
	assert_got 'no handshake' <<-'E2'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		EOF
	E2
	assert_logged 'handshake reason="not complete in time"'
	: >"$WAITS"
	clock_at 0
	talk_with -i ./cat <<-E2
		waits $WAITS tlsd 1 60000
		put $CLOCK 60
		<<
	E2
	assert_got 'implicit TLS' <<-'E2'
		EOF
	E2
}

test_the_next_stages_greeting_has_120_s() {
	clock_starts || return 0
	waiting silent exit
	talk_with ./silent <<-E2
		<
		> STARTTLS
		<
		tls
		until $WAITS  120000
		put $CLOCK 120
		<
		put $T/go 1
		<<
	E2
	assert_got 'no greeting' <<-E2
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		$TROUBLE
		EOF
	E2
}

# Another greeting than 220 answers the first command, for which there are 300 s.
test_after_another_greeting_a_command_has_300_s() {
	clock_starts || return 0
	waiting refuses "printf '554 5.3.2 No service here\r\n'"
	talk_with ./refuses <<-E2
		<
		> STARTTLS
		<
		tls
		until $WAITS  120000
		put $WAITS -
		put $T/go 1
		until $WAITS  300000
		put $CLOCK 300
		<<
	E2
	assert_got 'it is told at last' <<-'E2'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		554 5.3.2 No service here
		EOF
	E2
}

# 300 s, whatever the client writes meanwhile.
test_output_that_is_not_taken_has_300_s() {
	clock_starts || return 0
	program_lines flood 'while head -c 1000000 /dev/zero; do :; done 2>/dev/null'
	talk_with -i ./flood <<-E2
		tls
		until $WAITS  300000
		put $CLOCK 100
		> NOOP
		until $WAITS  200000
		put $CLOCK 300
		until $T/log end=timeout
	E2
	assert_got 'nothing is said' <<-'E2'
		TLS
	E2
}

test_a_stage_that_does_not_end_has_300_s() {
	clock_starts || return 0
	waiting stays exit
	talk_with -i ./stays <<-E2
		tls
		shut
		until $WAITS  300000
		put $CLOCK 300
		until $T/log end=timeout
		put $T/go 1
	E2
	assert_got 'nothing is said' <<-'E2'
		TLS
	E2
}

test_a_client_that_does_not_close_has_2_s() {
	clock_starts || return 0
	talk_with ./cat <<-E2
		<
		> QUIT
		<
		until $WAITS  2000
		put $CLOCK 2
		until $T/log done
		<<
	E2
	assert_got 'QUIT' <<-'E2'
		220 mail.example.net ESMTP
		221 2.0.0 Bye
		EOF
	E2
}

# Where TLS is optional, the first stage has 120 s for its greeting and for each reply.
test_a_reply_in_the_clear_has_120_s() {
	clock_starts || return 0
	waiting silent exit
	talk_with -o ./silent <<-E2
		waits $WAITS tlsd 1 120000
		put $CLOCK 120
		<
		put $T/go 1
		<<
	E2
	assert_got 'no greeting' <<-E2
		$TROUBLE
		EOF
	E2
	: >"$WAITS"
	clock_at 0
	program_lines greets "printf '220 x\r\n'" "until [ -e '$T/go' ]; do sleep 0.05; done"
	talk_with -o ./greets <<-E2
		<
		put $CLOCK 50
		put $WAITS -
		> EHLO x
		until $WAITS  120000
		put $CLOCK 170
		<
		put $T/go 1
		<<
	E2
	assert_got 'no reply' <<-E2
		220 x
		$TROUBLE
		EOF
	E2
}

# Start tlsd -l with the clock: as tlsd_start does.
serve_timed() {
	: >log
	"$T/timed" tlsd -l 127.0.0.1:0 -p 7200 -c one.pem -k one.key "$@" 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	wait_until grep -q '^tlsd: - ready address=' log
	port=$(sed -n 's/^tlsd: - ready address=.*:\([0-9]*\)$/\1/p' log)
}

# A worker gives memory back a second after the last event; what is left of the ten is its next wait.
test_a_proxy_header_has_10_s() {
	clock_starts || return 0
	serve_timed -P 1 -y 127.0.0.1 ./cat
	talk -t 30 -c "127.0.0.1:$port" >got 2>&1 <<-E2
		>> PROXY
		until $WAITS  1000
		put $CLOCK 1
		until $WAITS  9000
		put $CLOCK 9.9
		>>  TCP4
		put $CLOCK 10
		<<
	E2
	assert_got 'no header' <<-'E2'
		EOF
	E2
	assert_logged 'refused reason="no PROXY header in time" peer=127.0.0.1'
	tlsd_stop
}

# At the end of the service sessions go on, but not for longer than 120 s.
test_sessions_have_120_s_after_sigterm() {
	clock_starts || return 0
	serve_timed -P 1 ./cat
	rm -f held
	tlsd_clients "$port" "$T/held" <<-'END' &
		s = tls(connect(60))
		print(ask(s, 'one'))
		open(sys.argv[2], 'w').close()
		s.settimeout(60)
		try: print('end' if s.recv(10) == b'' else 'more')
		except TimeoutError: print('no end')
		except OSError: print('end')
	END
	client=$!
	wait_until [ -e held ]
	worker=$(pgrep -P "$tlsd")
	kill -TERM "$tlsd"
	clock_awaits tlsd 120000
	assertTrue 'the session goes on' "kill -0 $worker"
	clock_at 120
	wait "$tlsd"
	wait "$client"
	assert_proc_gone "$worker"
	assertEquals 'one end' "$(paste -sd ' ' got)"
}

# tlsc has its connection as fd 3: p is tlsc, its server is s. It goes by the fingerprint: by the test's clock the
# certificate may have expired. usage: tlsc_with <script
tlsc_with() {
	fingerprint=$(openssl x509 -in one.pem -outform DER | sha256sum | sed 's/ .*//')
	{
		cat <<-'END'
			import os, socket, ssl, subprocess, sys
			s, b = socket.socketpair()
			s.settimeout(60)
			p = subprocess.Popen(['sh', '-c', 'exec "$@" 3<&%d' % b.fileno(), 'sh'] + sys.argv[1:], pass_fds=[b.fileno()],
			    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
			b.close()
		END
		cat
	} >tlsc.py
	timeout 60 python3 tlsc.py "$T/timed" tlsc -F "SHA256:$fingerprint" mail.example.net >got 2>&1 &
	client=$!
}

test_tlsc_waits_60_s_for_the_handshake() {
	clock_starts || return 0
	tlsc_with <<-'END'
		print(p.stdout.readline().decode().strip())
	END
	clock_awaits tlsc 60000
	clock_at 60
	wait "$client"
	assert_got 'no handshake' <<-'E2'
		-no handshake until the deadline
	E2
}

# The caller has closed; the server takes nothing more, but does not close.
test_tlsc_has_10_s_for_the_rest() {
	clock_starts || return 0
	tlsc_with <<-'END'
		ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		ctx.load_cert_chain('one.pem', 'one.key')
		s = ctx.wrap_socket(s, server_side=True)
		print(p.stdout.readline().decode()[:1])
		os.set_blocking(p.stdin.fileno(), False)
		import select
		while select.select([], [p.stdin], [], 1)[1]: # as much as the server's buffers take, and tlsc's
		    os.write(p.stdin.fileno(), bytes(65536))
		p.stdin.close()
		print('ended', p.wait(60))
	END
	clock_awaits tlsc 10000
	clock_at 10
	wait "$client"
	assert_got 'it ends' <<-'E2'
		+
		ended 0
	E2
}

. "$SHUNIT2"
