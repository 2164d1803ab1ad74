#!/bin/sh
# examples/s6, as it stands but for paths, ports and users, under s6-svscan.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

oneTimeSetUp() {
	example_prepare s6-svscan
}

oneTimeTearDown() {
	example_end
}

test_it_serves_both_ports_and_stops() {
	example_ready || return 0
	example_copy s6 -e "s/0:587/127.0.0.1:$PORT/" -e "s/0:465/127.0.0.1:$PORT_TLS/"
	install -d -o news "$T/log"
	s6-svscan "$T/s6" 2>"$T/svscan" &
	pid=$!
	wait_until test -p "$T/s6/tlsd/supervise/control"
	for service in "$T"/s6/*/; do
		s6-svwait -U -t 15000 "$service"
		assertEquals "${service} is ready" 0 $?
	done
	assert_example_submits "$PORT" -tls "over STARTTLS"
	assert_example_submits "$PORT_TLS" -tlsc "over TLS"
	assert_example_refuses "$PORT" -tls
	assert_example_users
	assert_example_refuses_stranger "$T/run/submitd"
	assertTrue "stamp's log" "grep -q 'stamp: .* done with=ESMTPSA' '$T/log/stamp/current'"

	s6-svc -wR -r "$T/s6/stamp"
	s6-svwait -U -t 15000 "$T/s6/stamp"
	assert_example_submits "$PORT" -tls "after a restart of stamp"

	all=$(proc_descendants "$pid")
	kill "$pid"
	wait "$pid"
	assert_proc_gone "$all"
	assert_example_over
}

# shellcheck source=/dev/null
. "$SHUNIT2"
