#!/bin/sh
# The listening socket that a super-server gives to a resident, in the states in which they give it.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# A resident on descriptor 0 that has nothing to do for a second. Prints the CPU seconds that it and its workers took
# in that second: what starting them took depends on how they were built, and is no matter here.
idle_cpu() {
	python3 - "$T/socket" "$1" 2>"$T/log" <<-'P'
		import os, socket, subprocess, sys, time
		s = socket.socket(socket.AF_UNIX)
		s.bind(sys.argv[1])
		s.listen(10)
		s.setblocking(sys.argv[2] == 'blocking')
		ready, out = os.pipe()
		p = subprocess.Popen(['stamp', '-l', '0', '-R', str(out), 'call', '/nonexistent'], stdin=s, pass_fds=[out])
		assert os.read(ready, 1) == b'\n'
		def ticks():
		    pids, all = [str(p.pid)], 0
		    pids += open('/proc/%s/task/%s/children' % (p.pid, p.pid)).read().split()
		    for pid in pids:
		        all += sum(map(int, open('/proc/%s/stat' % pid).read().rsplit(')', 1)[1].split()[11:13]))
		    return all
		try:
		    for i in range(100): # until it and its worker wait
		        before = ticks()
		        time.sleep(0.1)
		        if ticks() == before:
		            break
		    before = ticks()
		    time.sleep(1)
		    print((ticks() - before) / os.sysconf('SC_CLK_TCK'))
		finally:
		    p.terminate()
		    p.wait()
		assert p.returncode == 0
		os.unlink(sys.argv[1])
	P
}

test_an_idle_resident_uses_no_cpu_whatever_state_the_socket_was_in() {
	for state in blocking non-blocking; do
		cpu=$(idle_cpu $state)
		code=$?
		assertEquals "$(cat "$T/log")" 0 "$code"
		assertTrue "$state: $cpu s" "echo '$cpu' | awk '{ exit !(\$1 < 0.3) }'"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
