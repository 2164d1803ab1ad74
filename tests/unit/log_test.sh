#!/bin/sh
# log: one line each, of bounded length and without surprises. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# usage: logged expected args-of-log...
logged() {
	want=$1
	shift
	test-unit log "$@" 2>"$T/got" </dev/null
	assertEquals "$*" "$want" "$(cat "$T/got")"
}

test_a_line_has_session_message_event_and_pairs() {
	logged 'unit: - happened k=v last=1' event k v
	MSA_SESSION=s MSA_MESSAGE=m logged 'unit: s/m happened k=v last=1' event k v
	MSA_SESSION=s logged 'unit: s happened k=v last=1' event k v
	MSA_MESSAGE=m logged 'unit: -/m happened k=v last=1' event k v
}

test_values_are_quoted_where_they_must() {
	logged 'unit: - happened k="" last=1' event k ''
	logged 'unit: - happened k="a b" last=1' event k 'a b'
	logged 'unit: - happened k=<a@b>,c=d;e last=1' event k '<a@b>,c=d;e'
	logged 'unit: - happened k="a\x0ab\x0d\x09\x7f\xc3\xa9" last=1' event k 'a\nb\r\t\x7f\xc3\xa9'
	logged 'unit: - happened k="a\x22b\x5cc" last=1' event k 'a"b\\c'
	logged 'unit: - happened k="\x1b[31mred" last=1' event k '\x1b[31mred'
}

test_ids_from_the_environment_cannot_forge_a_line() {
	MSA_SESSION="s
unit: forged" MSA_MESSAGE='m x' logged 'unit: s?unit:?forged/m?x happened k=v last=1' event k v
	MSA_SESSION=$(text_repeat 100 s) logged "unit: $(text_repeat 64 s) happened k=v last=1" event k v
}

# Without addresses: the whole value of rcpt and from, and each word with an at sign in a text.
test_a_private_log_has_no_addresses() {
	for key in rcpt from; do
		MSA_PRIVATE='' logged 'unit: - happened last=1' event $key bob@example.net
		MSA_PRIVATE='' logged 'unit: - happened last=1' event $key '"x y"@example.net'
	done
	for key in user msgid; do
		MSA_PRIVATE='' logged "unit: - happened $key=<bob@example.net> last=1" event $key '<bob@example.net>'
	done
	while IFS='|' read -r value want; do
		MSA_PRIVATE='' logged "unit: - happened reply=$want last=1" event reply "$value"
	done <<-'X'
		250 2.0.0 <bob@example.net> 84A30 Saved|"250 2.0.0 <?> 84A30 Saved"
		550 5.1.1 bob@example.net: no such user|"550 5.1.1 ?: no such user"
		mailto:bob@example.net,carol@example.org|mailto:?,?
		writing to b\xc3\xb6b@example.net|"writing to ?"
		bob@|?
		@|?
		no address|"no address"
		|""
	X
	MSA_PRIVATE='' test-unit log event reply "$(text_repeat 3000 'x@ ')" 2>"$T/got" </dev/null
	assertEquals 1000 "$(wc -c <"$T/got" | tr -d ' ')"
	assertFalse 'an address' "grep -q @ '$T/got'"
}

test_a_line_has_1000_octets_at_most() {
	test-unit log event k "$(text_repeat 3000 x)" 2>"$T/got" </dev/null
	assertEquals 1000 "$(wc -c <"$T/got" | tr -d ' ')"
	assertEquals 1 "$(wc -l <"$T/got" | tr -d ' ')"
	test-unit log event k "$(text_repeat 3000 '\\n')" 2>"$T/got" </dev/null
	assertEquals 1000 "$(wc -c <"$T/got" | tr -d ' ')"
	test-unit log error 2 "$(text_repeat 3000 x):" 2>"$T/got" </dev/null
	assertEquals 1000 "$(wc -c <"$T/got" | tr -d ' ')"
}

test_a_colon_at_the_end_asks_for_errno() {
	logged 'unit: - failed reason="open x: No such file or directory"' error 2 'open x:'
	logged 'unit: - failed reason="open x"' error 2 'open x'
	logged 'unit: - failed reason="%s %n"' error 2 '%s %n'
}

test_fd_2_is_the_log_unless_it_is_the_peer_or_dev_null() {
	assertEquals 'fd 2' "$(test-unit log where 2>"$T/log" </dev/null)"
	assertEquals 'syslog' "$(test-unit log where 2>/dev/null </dev/null)"
	assertEquals 'fd 2' "$(test-unit log where 2>/dev/zero </dev/null)"
	assertEquals 'the peer' 'syslog|EOF|' "$(echo '<<' | talk -2 sh -c 'w=$(test-unit log where); printf "%s\r\n" $w' |
		tr '\n' '|')"
	assertEquals 'not the peer' 'fd 2|EOF|' "$(echo '<<' | talk sh -c 'w=$(test-unit log where 2>&1); printf "%s\r\n" "$w"' |
		tr '\n' '|')"
	assertEquals 'a socket of the network' syslog "$(python3 -c '
import os, socket, subprocess
l = socket.create_server(("127.0.0.1", 0))
s = socket.create_connection(l.getsockname())
subprocess.run(["test-unit", "log", "where"], stderr=s)' </dev/null)"
}

. "$SHUNIT2"
