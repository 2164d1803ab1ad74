#!/bin/sh
# examples/runit, as it stands but for paths, ports and users, under runsvdir.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

oneTimeSetUp() {
	example_prepare runsvdir
}

oneTimeTearDown() {
	example_end
}

test_it_serves_both_ports_and_stops() {
	example_ready || return 0
	example_copy runit -e "s/0:587/127.0.0.1:$PORT/" -e "s/0:465/127.0.0.1:$PORT_TLS/"
	runsvdir -P "$T/runit" 2>"$T/runsvdir" &
	pid=$!
	wait_until port_accepts "$PORT"
	wait_until port_accepts "$PORT_TLS"
	for service in authd submitd qualify stamp lmtp-inject; do
		wait_until test -S "$T/run/$service/socket"
	done
	assert_example_submits "$PORT" -tls "over STARTTLS"
	assert_example_submits "$PORT_TLS" -tlsc "over TLS"
	assert_example_refuses "$PORT" -tls
	assert_example_users
	assert_example_refuses_stranger "$T/run/submitd/socket"
	assertTrue "stamp's log" "grep -q 'stamp: .* done with=ESMTPSA' '$T/log/stamp/current'"

	sv -w 15 restart "$T/runit/stamp" >"$T/out"
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	wait_until test -S "$T/run/stamp/socket"
	assert_example_submits "$PORT" -tls "after a restart of stamp"

	all=$(proc_descendants "$pid")
	kill -HUP "$pid" # runsvdir's word for: end all services
	wait "$pid"
	assert_proc_gone "$all"
	assert_example_over
}

# shellcheck source=/dev/null
. "$SHUNIT2"
