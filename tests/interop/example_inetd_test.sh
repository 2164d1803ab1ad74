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
	is_ready || return 0
	example_copy inetd -e "s/^submission	/127.0.0.1:$PORT	/" -e "s/^submissions	/127.0.0.1:$PORT_TLS	/"
	cp "$T/inetd/session" "$T/etc/session"
	inetd -i "$T/inetd/inetd.conf" &
	pid=$!
	wait_for 30 accepts "$PORT"
	wait_for 30 accepts "$PORT_TLS"
	assert_submits "$PORT" -tls "over STARTTLS"
	assert_submits "$PORT_TLS" -tlsc "over TLS"
	assert_refuses "$PORT" -tls
	kill "$pid"
	wait "$pid"
	assert_no_process
}

# shellcheck source=/dev/null
. "$SHUNIT2"
