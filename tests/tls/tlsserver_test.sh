#!/bin/sh
# tlsd -l: many connections in one process for each processor. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # port, tlsd, next: tlsserver.sh sets them
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

test_a_session_is_handed_to_a_resident_stage() {
	tlsd_next
	tlsd_start call "$T/next"
	tlsd_talk <<-'END'
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
	tlsd_stop
	tlsd_next_stop
	assert_logged '^tlsd: [a-z0-9]\{14\} done tls=TLSv1.3 cipher=[A-Z0-9_]* in=46 out=72 ms=[0-9]* peer=127.0.0.1$'
}

test_a_program_is_started_for_each_connection() {
	TCPREMOTEIP=9.9.9.9 RELAYCLIENT=forged FOO=kept SMTPAUTHUSER=forged tlsd_start ./who
	tlsd_talk <<-'END'
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
	tlsd_stop
	assertEquals 'no zombie, no child' '' "$(pgrep -P "$tlsd")"
}

# RFC 3207 4.2: a foreign server behind us may offer its own.
test_starttls_is_not_offered_within_tls() {
	program_lines foreign "printf '220 foreign ESMTP\r\n'" 'while read -r l; do' 'case $l in' \
		'Q*) printf "221 bye\r\n"; exit;;' '*) printf "250-foreign\r\n250-STARTTLS\r\n250-SIZE\r\n250 STARTTLS\r\n";;' 'esac done'
	resume -l "$T/foreign.call" ./foreign 2>next.log &
	next=$!
	servers="$servers $next"
	wait_until grep -q 'resume: - ready' next.log
	for how in './foreign' "call $T/foreign.call"; do
		# shellcheck disable=SC2086
		tlsd_start $how
		tlsd_talk <<-'END'
			<
			> STARTTLS
			<
			tls
			> EHLO client
			<
			> QUIT
			<<
		END
		assert_got "$how" <<-'END'
			220 mail.example.net ESMTP
			220 2.0.0 Ready to start TLS
			TLS
			250-foreign
			250 SIZE
			221 bye
			EOF
		END
		tlsd_stop
	done
	tlsd_next_stop
}

# "call" and one word is a resident; with another word more it is a program, in the parent and in the workers.
test_call_with_more_words_is_a_program() {
	mkdir own
	program_lines own/call "printf '220 x\r\n'" 'while read -r l; do' 'case $l in' \
		'Q*) printf "221 bye\r\n"; exit;;' '*) printf "250 %s %s foo=%s\r\n" "$1" "$2" "$FOO";;' 'esac done'
	PATH=$T/own:$PATH FOO=kept tlsd_start call /nowhere x
	tlsd_talk <<-'END'
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
		250 /nowhere x foo=kept
		221 bye
		EOF
	END
	tlsd_stop
}

# Without -l too, tlsd hands the session over itself: no program "call" is looked for.
test_call_needs_no_program_of_that_name() {
	tlsd_next
	talk -t 10 -x env PATH=/nowhere "$(command -v tlsd)" -c one.pem -k one.key call "$T/next" >got 2>log <<-'END'
		<
		> STARTTLS
		<
		tls
		> NOOP
		<
		> QUIT
		<<
	END
	assert_got session <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	END
	tlsd_next_stop
}

test_implicit_tls() {
	tlsd_start -i ./who
	tlsd_talk <<-'END'
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
	tlsd_stop
}

# systemd's socket is the parent's business: a program that wrote to it would speak in the service's name.
test_the_supervisors_socket_is_not_handed_on() {
	program_lines notify "printf '220 x\r\n'" 'read -r l' 'printf "250 %s\r\n" "${NOTIFY_SOCKET-none}"'
	python3 -c '
import socket, sys
s, a = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for i in "12")
s.bind(sys.argv[1]); a.bind("\0" + sys.argv[1])
open(sys.argv[2], "wb").write(s.recv(100))
open(sys.argv[2] + "@", "wb").write(a.recv(100))
' "$T/notify.sock" "$T/notified" &
	servers="$servers $!"
	wait_until [ -S notify.sock ]
	NOTIFY_SOCKET=$T/notify.sock tlsd_start -P 1 ./notify
	tlsd_clients "$port" <<-'END'
		print(ask(tls(connect()), 'X'))
	END
	assert_got 'not handed on' <<-'END'
		250 none
	END
	wait_until [ -s notified ]
	assertEquals 'systemd is told' READY=1 "$(cat notified)"
	tlsd_stop
	NOTIFY_SOCKET=@$T/notify.sock tlsd_start -P 1 ./notify
	wait_until [ -s notified@ ]
	assertEquals 'by an abstract name' READY=1 "$(cat notified@)"
	tlsd_stop
}

# The kernel has no room for the listening socket's watch (ENOSPC, ENOMEM), then has again.
test_a_worker_that_cannot_watch_its_socket_tries_again() {
	preload_build epoll || return 0
	EPOLL_FULL=$T/full LD_PRELOAD=$T/epoll.so tlsd_start -P 1 ./cat
	tlsd_clients "$port" <<-'END'
		open('full', 'w').close()
		first = connect(); print(line(first))
		time.sleep(0.5)
		second = connect()
		os.unlink('full')
		print(line(second))
		print(line(connect()))
	END
	assert_got 'nobody is lost' <<-'END'
		220 mail.example.net ESMTP
		220 mail.example.net ESMTP
		220 mail.example.net ESMTP
	END
	assertEquals "logged once: $(cat log)" 1 "$(grep -c 'failed reason="listening socket: No space left on device"' log)"
	tlsd_stop
}

# Then its limit is raised again.
test_a_worker_without_descriptors_waits_for_some() {
	tlsd_start -P 1 ./cat
	worker=$(pgrep -P "$tlsd")
	prlimit --pid "$worker" --nofile=3:
	tlsd_clients "$port" <<-'END' &
		print(line(connect(60)))
	END
	client=$!
	wait_until grep -q 'failed reason="accept: Too many open files"' log
	prlimit --pid "$worker" --nofile=100:
	wait "$client"
	assert_got 'served then' <<-'END'
		220 mail.example.net ESMTP
	END
	tlsd_stop
}

# Connections share their buffers while they have nothing in them.
test_half_a_line_waits_while_others_are_served() {
	tlsd_start -P 1 ./cat
	tlsd_clients "$port" <<-'END'
		slow = connect(); line(slow); slow.sendall(b'NO')
		other = connect(); line(other); print(ask(other, 'NOOP'), ask(other, 'RSET'))
		print(ask(slow, 'OP'))
	END
	assert_got 'each its own' <<-'END'
		250 2.0.0 Ok 530 5.7.0 Must issue a STARTTLS command first
		250 2.0.0 Ok
	END
	tlsd_stop
}

# Whatever limit the starter has: three descriptors for each, with those that have to go.
test_the_limit_of_open_files_is_raised_for_the_connections() {
	tlsd_next
	: >log
	prlimit --nofile=100: tlsd -l 127.0.0.1:0 -c one.pem -k one.key -P 1 -a 90:90 -m 90 -e 30 call "$T/next" 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	wait_until grep -q '^tlsd: - ready address=' log
	assertEquals "enough: $(cat log)" $((120 * 3 + 64)) "$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$tlsd/limits")"
	tlsd_stop
	tlsd_next_stop
}

test_a_resident_that_is_not_there_is_421() {
	tlsd_start call "$T/nobody"
	tlsd_talk <<-'END'
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
	tlsd_stop
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
	# Speaks to the client without having taken the call.
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(50)
while True:
    c, a = s.accept()
    fds = socket.recv_fds(c, 65536, 2)[1]
    socket.socket(fileno=fds[0]).sendall(b"220 x\r\n250 taken\r\n")
' "$T/speaks" &
	servers="$servers $!"
	wait_until eval '[ -S mute ] && [ -S closes ] && [ -S speaks ]'
	tlsd_start -P 1 call "$T/mute"
	tlsd_clients "$port" <<-'END'
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
	tlsd_stop
	tlsd_start -P 1 call "$T/closes"
	tlsd_clients "$port" <<-'END'
		start = time.time()
		print(line(tls(connect())), time.time() - start < 3)
	END
	assert_got closes <<-END
		$BUSY True
	END
	tlsd_stop
	tlsd_start -P 1 call "$T/speaks"
	tlsd_clients "$port" <<-'END'
		print(line(tls(connect())))
	END
	assert_got speaks <<-END
		$BUSY
	END
	tlsd_stop
}

test_a_full_pool_is_421() {
	tlsd_next 1:2
	tlsd_start call "$T/next"
	tlsd_clients "$port" <<-'END'
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
	tlsd_stop
	tlsd_next_stop
}

test_sigterm_tells_those_in_the_clear_and_lets_the_others_go_on() {
	tlsd_start ./cat
	tlsd_clients "$port" "$tlsd" <<-'END'
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
	code=$?
	assertEquals "ended well: $(cat log)" 0 "$code"
}

test_a_killed_worker_is_replaced_and_gives_back_what_it_had() {
	tlsd_start -P 2 -a 20 ./cat
	tlsd_clients "$port" "$tlsd" <<-'END'
		def workers(): return os.popen('pgrep -P ' + sys.argv[2]).read().split()
		was = workers()
		held = [connect() for i in range(20)]
		for s in held: line(s)
		print(line(connect()))
		for p in was: os.kill(int(p), 9)
		n = 0
		for i in range(200):
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
	tlsd_stop
}

# Passwords of clients that are logged in and wait: neither in our buffers nor in OpenSSL's.
test_a_password_that_was_passed_on_is_no_longer_in_memory() {
	needs root plain || return 0 # a sanitizer keeps what was freed, and maps more than can be read
	program_lines yes "printf '220 x\r\n'" 'while read -r l; do printf "235 2.7.0 yes\r\n"; done'
	for options in '' -i; do
		# shellcheck disable=SC2086
		tlsd_start -P 1 $options ./yes
		tlsd_clients "$port" "$(pgrep -P "$tlsd")" $options <<-'END'
			import base64
			def found(pid, words):
			    n = set()
			    for l in open('/proc/%s/maps' % pid):
			        span, rights = l.split()[:2]
			        if 'w' not in rights: continue
			        start, end = (int(x, 16) for x in span.split('-'))
			        with open('/proc/%s/mem' % pid, 'rb', 0) as f:
			            f.seek(start)
			            try: text = f.read(end - start)
			            except OSError: continue
			        n |= {w for w in words if w in text}
			    return len(n)
			def begin():
			    if sys.argv[3:] != ['-i']: return tls(connect())
			    s = CTX.wrap_socket(connect()); line(s)
			    return s
			words = [base64.b64encode(b'\0user%d@example.net\0Secret-%d-is-mine' % (i, i)).decode() for i in range(12)]
			held = []
			for w in words:
			    held.append(begin())
			    assert ask(held[-1], 'AUTH PLAIN ' + w) == '235 2.7.0 yes'
			print('found', found(sys.argv[2], [w.encode() for w in words]))
			# a line that the next stage does not take is still there, of course: then this test can find one
			stuck = begin()
			stuck.settimeout(0.5)
			line_ = b'x' * 998 + b'\r\n'
			os.system('pkill -STOP -P ' + sys.argv[2])
			try:
			    while True: stuck.sendall(line_ * 16)
			except OSError: pass
			print('can find', found(sys.argv[2], [line_]))
			os.system('pkill -CONT -P ' + sys.argv[2])
		END
		assert_got "options $options" <<-'END'
			found 0
			can find 1
		END
		tlsd_stop
	done
}

test_workers_end_when_the_parent_is_killed() {
	tlsd_start -P 2 ./cat
	workers=$(pgrep -P "$tlsd")
	kill -9 "$tlsd"
	wait "$tlsd" 2>/dev/null
	assert_proc_gone "$workers"
}

test_a_thousand_connections_are_shared_and_cost_little() {
	needs plain || return 0
	tlsd_next 1:60
	tlsd_start -P 2 -a 2000:2000 -m 1100 -e 1100 call "$T/next"
	tlsd_clients "$port" "$tlsd" <<-'END'
		pids = os.popen('pgrep -P ' + sys.argv[2]).read().split()
		held = [connect() for i in range(1000)]
		for i in range(100): # until all are taken
		    time.sleep(0.2)
		    each = [int(os.popen('ls /proc/%s/fd | wc -l' % p).read()) for p in pids]
		    if sum(each) > 1000: break
		clear = memory(pids)
		print(sum(each) > 1000, min(each) > 150, each, file=sys.stderr)
		print(min(each) > 150)
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
	tlsd_stop
	tlsd_next_stop
}

# 100 that finish TLS and say nothing, one that sends an octet a second, one that never reads: nobody else waits for them.
test_slow_and_silent_clients_hold_up_nobody() {
	tlsd_next 1:150 1000000
	tlsd_start -P 1 -t 6 -a 200:200 call "$T/next"
	tlsd_clients "$port" <<-'END'
		silent = [tls(connect()) for i in range(100)]
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
		print(worst < 5)
		slow.settimeout(20)
		try: print(repr(slow.recv(1)))
		except ConnectionResetError: print("b''")
	END
	assert_got slow <<-'END'
		True
		b''
	END
	assert_logged 'handshake peer=127.0.0.1 reason="not complete in time"'
	kill -TERM "$next"
	tlsd_stop
	wait "$next"
}

# A session of submitd ends by itself after so many commands; this next stage answers for ever.
test_a_client_that_reads_nothing_is_not_read_either() {
	tlsd_start -P 1 ./cat
	tlsd_clients "$port" <<-'END'
		deaf = tls(connect())
		assert ask(deaf, 'x') == 'x'
		deaf.settimeout(2)
		try:
		    for i in range(4000): deaf.sendall(b'x' * 14998 + b'\r\n')
		    print('it took everything')
		except OSError: print('bounded')
		s = tls(connect()); print(ask(s, 'y')); s.close()
	END
	assert_got deaf <<-'END'
		bounded
		y
	END
	tlsd_stop
}

test_what_can_never_serve_does_not_say_that_it_is_ready() {
	timeout 20 tlsd -l 127.0.0.1:0 -R 5 -U nosuchuser -c one.pem -k one.key ./who 5>ready 2>log
	assertEquals 100 $?
	assertEquals 'tlsd: - misuse reason="user nosuchuser: No such file or directory"' "$(cat log)"
	for address in 16700 127.0.0.1 localhost:16700; do
		timeout 20 tlsd -l "$address" -R 5 -c one.pem -k one.key ./who 5>>ready 2>log
		assertEquals 100 $?
		assertEquals "tlsd: - misuse reason=\"-l $address: not address:port\"" "$(cat log)"
	done
	assertEquals '' "$(cat ready)"
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
		wait_until [ -s ready ]
		port=$(cat port)
		assertEquals "$how ready" "127.0.0.1:$port" "$(cat ready)"
		tlsd_clients "$port" <<-'END'
			print(ask(tls(connect()), 'X'))
		END
		assert_got "$how" <<-'END'
			250 TCP 127.0.0.1 local relay=no x=no foo=no
		END
		tlsd_stop
	done
}

test_addresses_to_listen_at() {
	while read -r address client; do
		case $address in
		'['*) needs IPv6 || continue ;;
		esac
		listen=$address
		tlsd_start ./cat </dev/null
		tlsd_clients "$port" "$client" <<-'END'
			print(line(connect(host=sys.argv[2])))
		END
		assert_got "$address" <<-'END'
			220 mail.example.net ESMTP
		END
		tlsd_stop
	done <<-'END'
		0:0 127.0.0.1
		127.0.0.1:0 127.0.0.1
		[::1]:0 ::1
		[::]:0 ::1
		[::]:0 127.0.0.1
	END
	listen=
	for address in '' : 587 x:1 127.0.0.1:70000 127.0.0.1: 127.0.0.1:1x '[::1:1' ::1:1; do
		timeout 20 tlsd -l "$address" -c one.pem -k one.key ./cat 2>log
		assertEquals "$address" 100 $?
	done
	tlsd_start ./cat
	timeout 20 tlsd -l "127.0.0.1:$port" -c one.pem -k one.key ./cat 2>log2
	assertEquals 'in use' 111 $?
	tlsd_stop
}

# shellcheck disable=SC1090
. "$SHUNIT2"
