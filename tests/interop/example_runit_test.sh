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
	is_ready || return 0
	example_copy runit -e "s/0:587/127.0.0.1:$PORT/" -e "s/0:465/127.0.0.1:$PORT_TLS/"
	runsvdir -P "$T/runit" 2>"$T/runsvdir" &
	pid=$!
	wait_for 30 accepts "$PORT"
	wait_for 30 accepts "$PORT_TLS"
	for service in authd submitd qualify stamp lmtp-inject; do
		wait_for 30 test -S "$T/run/$service/socket"
		assertTrue "$service is ready" $?
	done
	assert_submits "$PORT" -tls "over STARTTLS"
	assert_submits "$PORT_TLS" -tlsc "over TLS"
	assert_refuses "$PORT" -tls
	assert_users
	assert_stranger_is_refused "$T/run/submitd/socket"
	assertTrue "stamp's log" "grep -q 'stamp: .* done with=ESMTPSA' '$T/log/stamp/current'"

	sv -w 15 restart "$T/runit/stamp" >"$T/out"
	assertEquals "$(cat "$T/out")" 0 $?
	wait_for 30 test -S "$T/run/stamp/socket"
	assert_submits "$PORT" -tls "after a restart of stamp"

	all=$(descendants "$pid")
	kill -HUP "$pid" # runsvdir's word for: end all services
	wait "$pid"
	assert_gone "$all"
	assert_no_process
}

# shellcheck source=/dev/null
. "$SHUNIT2"
