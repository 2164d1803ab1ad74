#!/bin/sh
# net: addresses, the PROXY header, listening sockets, the name of a next hop. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

V2='\r\n\r\n\0\r\nQUIT\n'

test_the_first_version_is_a_line() {
	unit_table net proxy <<-'END'
	PROXY TCP4 192.0.2.1 198.51.100.7 4711 587\r\nEHLO => peer 192.0.2.1:4711 198.51.100.7:587 44 of 48
	PROXY TCP4 192.0.2.1 198.51.100.7 0 65535\r\n => peer 192.0.2.1:0 198.51.100.7:65535 43 of 43
	PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n => peer [2001:db8::1]:1 [2001:db8::2]:2 40 of 40
	PROXY UNKNOWN\r\n => unknown 15 of 15
	PROXY UNKNOWN ffff::1 x\r\n => unknown 25 of 25
	PROXY => more
	PROXY TCP4 192.0.2.1 198.51.100.7 4711 587\r => more
	PROXY TCP4 192.0.2.1 198.51.100.7 4711 587\n => bad
	PROXY TCP4 192.0.2.1 198.51.100.7 4711 587\0\r\n => bad
	PROXY UNKNOWNX\r\n => bad
	PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n => bad
	PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n => bad
	PROXY TCP5 192.0.2.1 198.51.100.7 1 2\r\n => bad
	PROXY TCP4 192.0.2.1 198.51.100.7 04711 587\r\n => bad
	PROXY TCP4 192.0.2.1 198.51.100.7 4711 065\r\n => bad
	PROXY TCP4 192.0.2.1 198.51.100.7 4711 65536\r\n => bad
	PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n => bad
	PROXY TCP4 192.0.2.1 198.51.100.7 4711 587 1\r\n => bad
	PROXY TCP4  192.0.2.1 198.51.100.7 4711 587\r\n => bad
	EHLO client\r\n => bad
	END
	printf 'PROXY %0101d' 1 >"$T/input"
	test-unit net proxy <"$T/input" >"$T/got"
	assertEquals '107 octets and no end' bad "$(sed 's/.* => //' "$T/got")"
}

test_the_second_version_has_a_length() {
	sed "s/^V2/$(printf '%s' "$V2" | sed 's/\\/\\\\/g')/" <<-'END' >"$T/table"
	V2\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02\x4bEHLO => peer 192.0.2.1:4711 198.51.100.7:587 28 of 32
	V2\x21\x11\0\x0d\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02\x4bT => peer 192.0.2.1:4711 198.51.100.7:587 29 of 29
	V2\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x02 => peer [2001:db8::1]:1 [2001:db8::2]:2 52 of 52
	V2\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02\x4b => unknown 28 of 28
	V2\x20\0\0\0 => unknown 16 of 16
	V2\x21\x31\0\x01x => unknown 17 of 17
	V2\x21\x11\0 => more
	V2\x21\x11\0\x0c\xc0\0\x02\x01 => more
	V2\x21\x11\x07\xf0 => more
	V2\x21\x11\x07\xf1 => bad
	V2\x31\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02\x4b => bad
	V2\x22\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02\x4b => bad
	V2\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02\x4b => bad
	V2\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02 => bad
	V2\x21\x21\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x67\x02\x4b => bad
	END
	unit_table net proxy <"$T/table"
}

test_a_proxy_is_believed_by_its_address() {
	unit_table net trust <<-'END'
	192.0.2.7 192.0.2.7 => yes
	192.0.2.7 192.0.2.6 => no
	192.0.2.0/24 192.0.2.255 => yes
	192.0.2.0/24 192.0.3.0 => no
	192.0.2.0/25 192.0.2.127 => yes
	192.0.2.0/25 192.0.2.128 => no
	192.0.2.160/27 192.0.2.191 => yes
	192.0.2.160/27 192.0.2.192 => no
	192.0.2.160/27 192.0.2.159 => no
	192.0.2.4/31 192.0.2.5 => yes
	192.0.2.4/31 192.0.2.6 => no
	192.0.2.1/32 192.0.2.1 => yes
	0.0.0.0/0 203.0.113.1 => yes
	0.0.0.0/0 2001:db8::1 => no
	2001:db8::/33 2001:db8:7fff::1 => yes
	2001:db8::/33 2001:db8:8000::1 => no
	::/0 2001:db8::1 => yes
	::ffff:192.0.2.7 192.0.2.7 => yes
	192.0.2.7 ::ffff:192.0.2.7 => yes
	192.0.2.7,2001:db8::7 2001:db8::7 => yes
	192.0.2.7,2001:db8::7 2001:db8::8 => no
	192.0.2.0/33 192.0.2.7 => no list
	2001:db8::/129 192.0.2.7 => no list
	192.0.2.0/ 192.0.2.7 => no list
	192.0.2.7, 192.0.2.7 => no list
	proxy.example 192.0.2.7 => no list
	END
}

test_this_machine_is_127_and_1() {
	unit_table net loopback <<-'END'
	127.0.0.1 => yes
	127.255.255.255 => yes
	126.255.255.255 => no
	128.0.0.1 => no
	192.0.2.1 => no
	::1 => yes
	::2 => no
	::ffff:127.0.0.1 => yes
	::ffff:128.0.0.1 => no
	:: => no
	2001:db8::1 => no
	END
}

test_a_next_hop_is_a_host_and_port_or_a_path() {
	unit_table net hop <<-'END'
	localhost:24 => host localhost port 24
	192.0.2.1:65535 => host 192.0.2.1 port 65535
	[::1]:24 => host ::1 port 24
	/run/lmtp => path /run/lmtp
	./lmtp => path ./lmtp
	localhost => no
	localhost:0 => no
	localhost:65536 => no
	localhost:smtp => no
	:24 => no
	::1:24 => no
	[::1] => no
	[::1]24 => no
	[::1]x:24 => no
	[::1:24 => no
	END
}

# What systemd gave is ours only if it says so of our process, and no next program hears of it.
test_a_socket_that_was_given() {
	assertEquals '0 - - -' "$(test-unit net given)"
	assertEquals 'ours' '3 - - -' "$(sh -c 'LISTEN_FDS=1 LISTEN_FDNAMES=x LISTEN_PID=$$ exec test-unit net given')"
	assertEquals "another process's" '0 - - -' "$(LISTEN_FDS=1 LISTEN_PID=1 test-unit net given)"
	assertEquals 'none' '0 - - -' "$(sh -c 'LISTEN_FDS=0 LISTEN_PID=$$ exec test-unit net given')"
	assertEquals 'no number' '0 - - -' "$(sh -c 'LISTEN_FDS=1x LISTEN_PID=$$ exec test-unit net given')"
}

test_a_socket_of_our_own() {
	assertEquals 'IPv4 yes, IPv6 no, again yes' "$(test-unit net listen 0:0)"
	assertEquals 'IPv4 yes, IPv6 no, again yes' "$(test-unit net listen 127.0.0.1:0)"
	for bad in 127.0.0.1:65536 127.0.0.1 :25 localhost:25 '[127.0.0.1]:25' '::1:25' 127.0.0.1:x; do
		assertEquals "$bad" 'Invalid argument' "$(test-unit net listen "$bad")"
	done
	needs IPv6 || return 0
	assertEquals 'IPv4 no, IPv6 yes, again yes' "$(test-unit net listen '[::1]:0')"
	assertEquals 'IPv4 yes, IPv6 yes, again yes' "$(test-unit net listen '[::]:0')"
}

. "$SHUNIT2"
