#!/bin/sh
# tlsc: its first line, and that what follows is the server's. How clients use it is in tests/deliver/smtp-inject_test.sh.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

oneTimeSetUp() {
	cert_server localhost || fail 'openssl makes no certificates'
}

# tlsc with a server in python at its fd 3 that echoes one line. Prints how the first line begins, the echo and the exit
# code. usage: speak tlsc-argument ...
speak() {
	python3 - "$@" >"$T/got" 2>"$T/log" <<-'P'
		import os, socket, ssl, subprocess, sys, threading
		net, far = socket.socketpair()
		app, near = socket.socketpair()
		def server():
		    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		    context.load_cert_chain(os.environ['T'] + '/server.pem')
		    try:
		        with context.wrap_socket(far, server_side=True) as s:
		            s.sendall(b'echo ' + s.recv(100))
		            s.recv(100)
		    except OSError: far.close()
		t = threading.Thread(target=server); t.start()
		def third(): os.dup2(net.fileno(), 3); os.set_inheritable(3, True)
		p = subprocess.Popen(['tlsc'] + sys.argv[1:], stdin=near, stdout=near, preexec_fn=third, close_fds=False)
		net.close(); near.close()
		app.settimeout(60)
		f = app.makefile('rb')
		first = f.readline()
		print(first[:9].decode(), first.endswith(b'\r\n'))
		if first[:1] == b'+':
		    app.sendall(b'hello\r\n')
		    print(f.readline().decode().strip())
		app.shutdown(socket.SHUT_WR)
		print('exit', p.wait(60))
		t.join(60)
	P
}

test_usage_is_one_line() {
	for args in '' 'a b' '-t 0 a' '-F abc a'; do
		# shellcheck disable=SC2086
		tlsc $args >"$T/out" 2>&1
		assertEquals "exit code of $args" 100 $?
		assertEquals "$args" 'usage: tlsc [-c cafile] [-F fingerprint] [-t seconds] name' "$(cat "$T/out")"
	done
	for seconds in ' +5' +5 5x '' 99999999999999999999; do
		tlsc -t "$seconds" a >"$T/out" 2>&1
		assertEquals "-t '$seconds'" 100 $?
	done
}

test_a_certificate_that_is_verified_opens_the_way() {
	for how in "-c $T/ca.pem localhost" "-F $(cert_fingerprint) another.example"; do
		# shellcheck disable=SC2086
		speak $how
		printf '%s\n' '+TLSv1.3  True' 'echo hello' 'exit 0' >"$T/want"
		assert_same "$how: $(cat "$T/log")" "$T/want" "$T/got"
	done
}

test_another_certificate_is_a_reason_and_nothing_passes() {
	for how in "-c $T/other.pem localhost" "-c $T/ca.pem other.example" "-F SHA256:00 localhost"; do
		# shellcheck disable=SC2086
		speak $how
		assertEquals "$how: $(cat "$T/log")" '- True exit 111' \
			"$(sed 's/^-.* True$/- True/' "$T/got" | paste -sd' ' -)"
	done
}

# A server that refuses a text in the middle, and reads no more.
test_a_server_that_takes_nothing_is_still_heard() {
	python3 - "$(cert_fingerprint)" >"$T/got" 2>"$T/log" <<-'P'
		import array, fcntl, os, socket, ssl, subprocess, sys, termios, threading, time
		net, far = socket.socketpair()
		app, near = socket.socketpair()
		deaf, written = threading.Event(), threading.Event()
		def server():
		    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		    context.load_cert_chain(os.environ['T'] + '/server.pem')
		    raw = far.dup()
		    with context.wrap_socket(far, server_side=True) as s:
		        raw.shutdown(socket.SHUT_RD)
		        deaf.set()
		        written.wait(60)
		        s.sendall(b'552 5.3.4 Too big\r\n')
		threading.Thread(target=server, daemon=True).start()
		def third(): os.dup2(net.fileno(), 3); os.set_inheritable(3, True)
		p = subprocess.Popen(['tlsc', '-F', sys.argv[1], 'localhost'], stdin=near, stdout=near, preexec_fn=third, close_fds=False)
		net.close(); near.close()
		app.settimeout(60)
		f = app.makefile('rb')
		print(f.readline()[:1].decode())
		deaf.wait(60)
		app.sendall(b'text\r\n')
		left = array.array('i', [1])
		end = time.monotonic() + 60
		while left[0] and time.monotonic() < end: # until tlsc has it
		    fcntl.ioctl(app, termios.TIOCOUTQ, left)
		written.set()
		print(f.readline().decode().strip())
		app.shutdown(socket.SHUT_WR)
		print('exit', p.wait(60))
	P
	printf '%s\n' '+' '552 5.3.4 Too big' 'exit 0' >"$T/want"
	assert_same "heard: $(cat "$T/log")" "$T/want" "$T/got"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
