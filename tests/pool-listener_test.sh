#!/bin/sh
# The listening socket that a super-server gives to a resident, in the states in which they give it.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# A resident on descriptor 0 that has nothing to do for a second. Prints its CPU seconds.
idle_cpu() {
	python3 - "$T/socket" "$1" 2>"$T/log" <<-'P'
		import os, socket, subprocess, sys, time
		s = socket.socket(socket.AF_UNIX)
		s.bind(sys.argv[1])
		s.listen(10)
		s.setblocking(sys.argv[2] == 'blocking')
		p = subprocess.Popen(['stamp', '-l', '0', 'call', '/nonexistent'], stdin=s)
		time.sleep(1)
		p.terminate()
		assert p.wait() == 0
		t = os.times()
		print(t.children_user + t.children_system)
		os.unlink(sys.argv[1])
	P
}

test_an_idle_resident_uses_no_cpu_whatever_state_the_socket_was_in() {
	for state in blocking non-blocking; do
		cpu=$(idle_cpu $state)
		assertEquals "$(cat "$T/log")" 0 $?
		assertTrue "$state: $cpu s" "echo '$cpu' | awk '{ exit !(\$1 < 0.3) }'"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
