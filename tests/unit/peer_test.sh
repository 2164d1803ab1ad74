#!/bin/sh
# peer: the peer's address, from each super-server's variables. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# usage: learnt expected NAME=value ... ; fd 0 is no socket
learnt() {
	want=$1
	shift
	assertEquals "$*" "$want" "$(env "$@" test-unit peer </dev/null)"
}

test_tcpserver_is_believed() {
	learnt '192.0.2.1 4711 192.0.2.2 587' TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=4711 TCPLOCALIP=192.0.2.2 TCPLOCALPORT=587
	learnt '2001:db8::1 4711 - -' TCPREMOTEIP=2001:db8::1 TCPREMOTEPORT=4711
	learnt '192.0.2.1 - - -' TCPREMOTEIP=192.0.2.1 TCP6REMOTEIP=2001:db8::1 REMOTE_ADDR=192.0.2.9 \
		TCPREMOTEADDR=192.0.2.8:1
}

test_mapped_addresses_become_ip4() {
	for ip in ::ffff:192.0.2.1 ::FFFF:192.0.2.1 ::ffff:c000:201 0:0:0:0:0:ffff:192.0.2.1; do
		learnt '192.0.2.1 4711 192.0.2.1 -' TCPREMOTEIP=$ip TCPREMOTEPORT=4711 TCPLOCALIP=$ip
		learnt '192.0.2.1 - - -' REMOTE_ADDR=$ip
	done
	learnt '2001:db8::ffff:c000:201 - - -' TCPREMOTEIP=2001:db8::ffff:c000:201
}

test_an_address_has_one_form() {
	learnt '2001:db8::1 4711 2001:db8::2 -' TCPREMOTEIP=2001:DB8:0::1 TCPREMOTEPORT=4711 TCPLOCALIP=2001:0db8::0002
	learnt 'fe80::1 - fe80::2 -' TCPREMOTEIP=FE80::1%eth0 TCPLOCALIP=fe80:0::2%2
}

test_other_super_servers_names() {
	learnt '2001:db8::1 4711 2001:db8::2 587' TCP6REMOTEIP=2001:db8::1 TCP6REMOTEPORT=4711 TCP6LOCALIP=2001:db8::2 \
		TCP6LOCALPORT=587
	learnt '192.0.2.1 4711 192.0.2.2 587' TCP6REMOTEIP=::ffff:192.0.2.1 TCP6REMOTEPORT=4711 \
		TCP6LOCALIP=::ffff:192.0.2.2 TCP6LOCALPORT=587
	learnt '192.0.2.1 4711 - -' REMOTE_ADDR=192.0.2.1 REMOTE_PORT=4711
	learnt '192.0.2.1 4711 192.0.2.2 587' TCPREMOTEADDR=192.0.2.1:4711 TCPLOCALADDR=192.0.2.2:587
	learnt 'fe80::1 4711 - -' REMOTE_ADDR=fe80::1%eth0 REMOTE_PORT=4711
}

test_garbage_is_nobody() {
	for v in '' localhost 1.2.3 256.1.1.1 '192.0.2.1 x' "$(text_repeat 300 1)" '1:2' '::g'; do
		learnt '- - - -' "REMOTE_ADDR=$v" REMOTE_PORT=1
		learnt '- - - -' "TCP6REMOTEIP=$v"
	done
	for v in '' 4711 : :4711 "$(text_repeat 300 1):1" x:1; do
		learnt '- - - -' "TCPREMOTEADDR=$v"
	done
	learnt '192.0.2.1 4?11 - -' REMOTE_ADDR=192.0.2.1 REMOTE_PORT="4
11"
}

test_else_the_socket_is_asked() {
	assertEquals '127.0.0.3 a-port 127.0.0.1 a-port' "$(test-unit peer socket)"
	assertEquals 'a Unix socket has no address' '- - - -|EOF|' \
		"$(echo '<<' | talk sh -c 'test-unit peer | tr -d "\n"; printf "\r\n"' | tr '\n' '|')"
	needs IPv6 || return 0
	assertEquals '127.0.0.3 a-port 127.0.0.1 a-port' "$(test-unit peer mapped)"
}

. "$SHUNIT2"
