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

# Want of descriptors is no misconfiguration: the super-server may try again.
test_a_store_that_cannot_be_opened_now_is_no_misuse() {
	echo | cdb -c "$T/certs.cdb"
	printf '%s\n' '<' '<<' | talk -x sh -c "ulimit -n 4; exec authd -p -u '$T/users.cdb' -c '$T/certs.cdb' true" >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF 'exit 111' | assert_out 'later'
	printf '%s\n' '<' '<<' | talk -x authd -p -u "$T/none.cdb" true >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF 'exit 100' | assert_out 'misconfiguration'
}

. "$SHUNIT2"
