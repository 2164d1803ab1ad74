#!/bin/sh
# What sees passwords or mail writes no core, and no process of its user can look into it. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/cert.sh
. "$ROOT/tests/lib/cert.sh"

# Each program is run by nobody, with a socket of a silent peer as fds 0, 1 and 3; saslc has its
# credentials as fd 3. What is in /proc of a process that is
# not dumpable is root's.
test_nobody_else_of_its_uid_can_look_into_it() {
	needs root || return 0
	chmod 755 "$T"
	(cd "$T" && cert_self one mail.example.net)
	chown nobody "$T/one.key"
	mkdir -m 700 "$T/store"
	chown nobody "$T/store"
	cat >"$T/look.py" <<-'X'
		import os, pwd, signal, socket, sys, time
		nobody = pwd.getpwnam('nobody').pw_uid
		for line in sys.stdin:
		    words = line.split()
		    ours, its = socket.socketpair()
		    pid = os.fork()
		    if pid == 0:
		        for fd in 0, 1, 3: os.dup2(its.fileno(), fd)
		        if words[0] == 'saslc': os.dup2(os.open(sys.argv[1], os.O_RDONLY), 3)
		        os.setgroups([])
		        os.setuid(nobody)
		        os.execvp(words[0], words)
		    end = time.monotonic() + 10
		    owner = None
		    while owner != 0 and time.monotonic() < end:
		        time.sleep(0.01)
		        try:
		            if os.path.basename(os.readlink('/proc/%d/exe' % pid)) == words[0]:
		                owner = os.stat('/proc/%d/mem' % pid).st_uid
		                time.sleep(0.05)
		                os.readlink('/proc/%d/exe' % pid) # it has not ended: what has no memory is root's too
		        except OSError: # it has ended
		            owner = ours.recv(1000)
		            break
		    print(words[0], owner)
		    os.kill(pid, signal.SIGKILL)
		    os.waitpid(pid, 0)
	X
	printf 'alice\nsecret\n' >"$T/credentials"
	python3 "$T/look.py" "$T/credentials" >"$T/got" 2>"$T/said" <<-X
		msa-passwd $T/store/users.cdb bob
		saslc
		spoold $T/store true
		submitd true
		tlsc -F SHA256:$(printf %064d 0) localhost
		tlsd -c $T/one.pem -k $T/one.key cat
		submitd -l $T/store/resident true
		tlsd -l 127.0.0.1:0 -c $T/one.pem -k $T/one.key cat
	X
	printf '%s 0\n' msa-passwd saslc spoold submitd tlsc tlsd submitd tlsd >"$T/want"
	assert_same "owners: $(cat "$T/said")" "$T/want" "$T/got"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
