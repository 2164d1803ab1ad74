#!/bin/sh
# examples/inetd, as it stands but for paths, ports and users, under openbsd-inetd.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

oneTimeSetUp() {
	PATH=$PATH:/usr/sbin
	example_prepare inetd
}

oneTimeTearDown() {
	example_end
}

test_it_serves_both_ports_and_stops() {
	example_ready || return 0
	example_copy inetd -e "s/^submission	/127.0.0.1:$PORT	/" -e "s/^submissions	/127.0.0.1:$PORT_TLS	/"
	cp "$T/inetd/session" "$T/etc/session"
	inetd -i "$T/inetd/inetd.conf" &
	pid=$!
	wait_until port_accepts "$PORT"
	wait_until port_accepts "$PORT_TLS"
	assert_example_submits "$PORT" -tls "over STARTTLS"
	assert_example_submits "$PORT_TLS" -tlsc "over TLS"
	assert_example_refuses "$PORT" -tls
	kill "$pid"
	wait "$pid"
	assert_example_over
}

# shellcheck source=/dev/null
. "$SHUNIT2"
