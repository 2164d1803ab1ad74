#!/bin/sh
# authd: how long it waits, for what, and what it says then. The time is a clock's that the test sets.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

TIMEOUT='421 4.4.2 Waited too long, closing the connection'
export MSA_HOST=mx.test

oneTimeSetUp() {
	printf 'pencil\n' | msa-passwd "$T/users.cdb" bob
}

# A session of the commands of standard input; $T/out begins behind the reply to EHLO. usage: session
session() {
	{
		printf '%s\n' '> EHLO client.example' '<' '<'
		cat
	} | talk "$T/timed" authd -p -u "$T/users.cdb" true >"$T/all" 2>"$T/log"
	sed '1,/^250 /d' "$T/all" >"$T/out"
}

test_a_command_is_waited_for_300_s() {
	clock_starts || return 0
	session <<-E2
		waits $WAITS authd 2 300000
		put $CLOCK 299
		> NOOP
		<
		waits $WAITS authd 3 300000
		put $CLOCK 599
		<<
	E2
	printf '%s\n' '250 2.0.0 Ok' "$TIMEOUT" EOF | assert_out '300 s'
	assertEquals 'each wait' '300000 ' "$(clock_waits authd)"
}

test_a_response_is_waited_for_300_s() {
	clock_starts || return 0
	session <<-E2
		waits $WAITS authd 2 300000
		put $CLOCK 100
		> AUTH LOGIN
		<
		waits $WAITS authd 3 300000
		put $CLOCK 400
		<<
	E2
	printf '%s\n' '334 VXNlcm5hbWU6' "$TIMEOUT" EOF | assert_out '300 s'
	assertEquals 'each wait' '300000 ' "$(clock_waits authd)"
}

# A client that needs no AUTH is waited for as long: its MAIL is only looked at.
test_a_client_of_the_rules_is_waited_for_300_s() {
	clock_starts || return 0
	export RELAYCLIENT=''
	session <<-E2
		waits $WAITS authd 2 300000
		put $CLOCK 300
		<<
	E2
	unset RELAYCLIENT
	printf '%s\n' "$TIMEOUT" EOF | assert_out '300 s'
	assertEquals 'each wait' '300000 ' "$(clock_waits authd)"
}

test_a_session_has_7200_s() {
	clock_starts || return 0
	i=0
	while [ $i -lt 24 ]; do
		i=$((i + 1))
		printf '%s\n' "put $CLOCK $((290 * i))" '> NOOP' '<'
	done >"$T/script"
	printf '%s\n' "waits $WAITS authd 26 240000" "put $CLOCK 7200" '<<' >>"$T/script"
	session <"$T/script"
	assertEquals '24 commands' 24 "$(grep -c '^250 2.0.0 Ok$' "$T/out")"
	assertEquals 'the end' "$TIMEOUT" "$(sed -n 25p "$T/out")"
}

# The octets of a chunk before AUTH, which nobody wants: 180 s between parts, and 500 octets a second.
test_a_chunk_is_waited_for_as_data_is() {
	clock_starts || return 0
	printf '%05000d' 0 >"$T/part"
	session <<-E2
		> BDAT 9000
		waits $WAITS authd 3 180000
		put $CLOCK 100
		file $T/part
		waits $WAITS authd 4 90000
		put $CLOCK 190
		<<
	E2
	printf '%s\n' "$TIMEOUT" EOF | assert_out 'BDAT'
}

# Returns true if the session has ended; the time goes on.
time_passes() {
	at=$((at + 2))
	clock_at $at
	[ -e "$T/ended" ]
}

# A back end has 30 s. usage: back_end_is_waited_for mark option ... ; the file mark is there when the back end has been asked
back_end_is_waited_for() {
	mark=$1
	shift
	chmod 755 "$T"
	rm -f "$mark" "$T/ended"
	printf '%s\n' '> EHLO client.example' '> AUTH PLAIN AGJvYgBwZW5jaWw=' '> QUIT' '<<' >"$T/script"
	{
		talk -t 100 "$T/timed" authd -p "$@" true <"$T/script" >"$T/all" 2>"$T/log"
		: >"$T/ended"
	} &
	wait_until [ -e "$mark" ]
	clock_at 29
	sleep 0.2
	assertFalse 'still asked' "[ -e '$T/ended' ]"
	at=29
	wait_until time_passes
	wait
	tail -n 3 "$T/all" >"$T/out"
	printf '%s\n' '454 4.7.0 Temporary authentication failure' '221 2.0.0 Bye' EOF | assert_out "$*"
}

test_a_program_that_hangs_is_ended_after_30_s() {
	clock_starts || return 0
	user=
	[ "$(id -u)" -ne 0 ] || user='-U nobody'
	mkdir -p "$T/run"
	chmod 777 "$T/run"
	program_lines hangs "unset LD_PRELOAD; trap '' TERM; echo \$\$ >'$T/run/pid.new'; mv '$T/run/pid.new' '$T/run/pid'" \
		'while :; do sleep 1; done'
	# shellcheck disable=SC2086
	back_end_is_waited_for "$T/run/pid" $user -k "$T/hangs"
	assertContains "$(cat "$T/log")" " unanswered program=$T/hangs why=\"no answer\""
	assertFalse 'it has ended' "kill -0 $(cat "$T/run/pid")"
}

test_a_server_that_is_silent_is_left_after_30_s() {
	clock_starts || return 0
	python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
c = s.accept()[0]
c.recv(99)
open(sys.argv[2], "w")
c.recv(99)' "$T/silent" "$T/heard" &
	wait_until [ -S "$T/silent" ]
	back_end_is_waited_for "$T/heard" -D "$T/silent"
	assertContains "$(cat "$T/log")" " unanswered socket=$T/silent why=\"no answer in time\""
}

# Want of descriptors is no misconfiguration: the super-server may try again.
test_a_store_that_cannot_be_opened_now_is_no_misuse() {
	echo | cdb -c "$T/certs.cdb"
	printf '%s\n' '<' '<<' | talk -x sh -c "ulimit -n 4; exec authd -p -u '$T/users.cdb' -c '$T/certs.cdb' true" >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF 'exit 111' | assert_out 'later'
	printf '%s\n' '<' '<<' | talk -x authd -p -u "$T/none.cdb" true >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF 'exit 100' | assert_out 'misconfiguration'
}

. "$SHUNIT2"
