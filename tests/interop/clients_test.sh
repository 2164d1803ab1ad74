#!/bin/sh
# Clients that are not ours, each over STARTTLS and TLS from the start with each mechanism that it has: the message
# arrives octet for octet, and a wrong password sends none. What came of each is printed as a table. The service is
# examples/quickstart/run; its stages as residents: clients_resident_test.sh. A cell that a client cannot do is a skip.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clients.sh
. "$ROOT/tests/lib/clients.sh"

TRANSPORTS='starttls tls'
MECHANISMS='PLAIN LOGIN SCRAM-SHA-256'

oneTimeSetUp() {
	quickstart_start || fail "the quickstart service does not start"
	: >"$T/cells"
	# 8-bit text in header and body, dots at the start of lines, the longest line, an empty line at the end.
	{
		client_header "$(printf 'gr\303\274\303\237e')"
		printf '.\n..\n.dot\n\nf\303\274nf\n%%TO_ADDRESS%% \\n\nFrom here\n%0998d\n.end\n\n' 1
	} | client_message
}

oneTimeTearDown() {
	quickstart_stop
}

# Note what came of a cell, for the table. Since: how many assertions had failed before. usage: note cell since
note() {
	result=ok
	# shellcheck disable=SC2154
	[ "$__shunit_assertsFailed" -eq "$2" ] || result=FAIL
	echo "$client $transport $mechanism $1 $result" >>"$T/cells"
}

# All that a client can.
client() {
	for mechanism in $MECHANISMS; do
		for transport in $TRANSPORTS; do
			since=$__shunit_assertsFailed
			client_send "$1" "$transport" "$mechanism" "$PASSWORD" "$T/message" bob@example.org
			code=$?
			if [ "$code" -eq 77 ]; then
				skip "$client $transport $mechanism: $(cat "$T/out")"
				printf '%s\n' "$client $transport $mechanism right skip" "$client $transport $mechanism wrong skip" >>"$T/cells"
				continue
			fi
			assertEquals "$client $transport $mechanism: $(cat "$T/out")" 0 "$code"
			assert_client_arrived bob@example.org "$T/text" "$mechanism"
			note right "$since"
		done
		[ "$code" -ne 77 ] || continue
		since=$__shunit_assertsFailed
		refused=$(grep -c " refused user=$USER_NAME mech=$mechanism " "$T/log")
		client_send "$1" tls "$mechanism" wrong-one "$T/message" bob@example.org
		code=$?
		assertNotEquals "$client $mechanism, wrong password: $(cat "$T/out")" 0 "$code"
		assert_client_nothing_arrived "$client $mechanism, wrong password"
		assertTrue "authd refused it" "[ $(grep -c " refused user=$USER_NAME mech=$mechanism " "$T/log") -gt $refused ]"
		note wrong "$since"
	done
}

test_swaks() { client swaks; }
test_msmtp() { client msmtp; }
test_curl() { client curl; }
test_s_nail() { client s-nail; }
test_perl_net_smtp() { client net-smtp; }
test_python_smtplib() { client smtplib; }
test_nodemailer() { client nodemailer; }
test_openssl_s_client() { client openssl; }

# The results of a client, a word each, for right or wrong. usage: cells client transport right|wrong
cells() {
	for mechanism in $MECHANISMS; do
		sed -n "s/^$1 $2 $mechanism $3 //p" "$T/cells"
	done
}

test_the_table_has_every_cell() {
	three='%-5s %-5s %-5s'
	printf '| %-10s | %-17s | %-17s | %-17s |\n' "${MODE:-exec}" STARTTLS TLS 'wrong password'
	for client in client $CLIENTS; do
		if [ "$client" = client ]; then
			# shellcheck disable=SC2086
			set -- $MECHANISMS $MECHANISMS $MECHANISMS
		else
			# shellcheck disable=SC2046
			set -- $(cells "$client" starttls right) $(cells "$client" tls right) $(cells "$client" tls wrong)
		fi
		# shellcheck disable=SC2059
		printf "| %-10s | $three | $three | $three |\n" "$client" "$@" | sed 's/-SHA-256//g'
		assertEquals "$client: $*" 9 $#
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
