#!/bin/sh
# examples/tcpserver, as it stands but for paths, ports and users.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

oneTimeSetUp() {
	example_prepare tcpserver softlimit
}

oneTimeTearDown() {
	example_end
}

test_it_serves_both_ports_and_stops() {
	example_ready || return 0
	example_copy tcpserver
	"$T/tcpserver/run" 127.0.0.1 "$PORT" 2>"$T/log" &
	pid=$!
	"$T/tcpserver/run" 127.0.0.1 "$PORT_TLS" -i 2>>"$T/log" &
	pid_tls=$!
	wait_until port_accepts "$PORT"
	wait_until port_accepts "$PORT_TLS"
	assert_example_submits "$PORT" -tls "over STARTTLS"
	assert_example_submits "$PORT_TLS" -tlsc "over TLS"
	assert_example_refuses "$PORT" -tls
	assertTrue "its log" "grep -q 'submitd: .* accepted ' '$T/log'"
	kill "$pid" "$pid_tls"
	wait "$pid" "$pid_tls"
	assert_example_over
}

test_each_process_has_the_user_it_should() {
	example_ready || return 0
	example_copy tcpserver
	"$T/tcpserver/run" 127.0.0.1 "$PORT_TLS" -i 2>>"$T/log" &
	pid=$!
	wait_until port_accepts "$PORT_TLS"
	printf '%s\n' tls '<' '> EHLO client' '<' 'sleep 60' | talk -c "127.0.0.1:$PORT_TLS" >"$T/out" &
	client=$!
	wait_until pgrep -f "^authd .*$T" >/dev/null
	assertEquals "the pump" daemon "$(ps -o user= -p "$(pgrep -P "$pid" -x tlsd)")"
	assertEquals "authd" nobody "$(ps -o user= -p "$(pgrep -f "^authd .*$T")")"
	kill "$client"
	wait "$client" 2>/dev/null
	kill "$pid"
	wait "$pid"
	assert_example_over
}

# shellcheck source=/dev/null
. "$SHUNIT2"
