#!/bin/sh
# tlsd -l -o: TLS offered and not required, for many connections, before programs and before a resident.
# ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

# usage: conversation ; in the clear, then under TLS, with a next stage that is submitd
conversation() {
	tlsd_talk <<-'END'
		<
		>> NOOP\r\nEHLO a.example\r\n
		<
		<
		> STARTTLS
		<
		tls
		> MAIL FROM:<a@example.net>
		<
		> EHLO b.example
		<
		> QUIT
		<<
	END
}

assert_conversation() {
	assert_got "$1" <<-'END'
		220 mail.example.net ESMTP
		250 2.0.0 Ok
		250-mail.example.net
		250-PIPELINING
		250-SIZE
		250-8BITMIME
		250-ENHANCEDSTATUSCODES
		250-PRDR
		250-LIMITS RCPTMAX=1000
		250-CHUNKING
		250 STARTTLS
		220 2.0.0 Ready to start TLS
		TLS
		503 5.5.1 Bad sequence of commands
		250-mail.example.net
		250-PIPELINING
		250-SIZE
		250-8BITMIME
		250-ENHANCEDSTATUSCODES
		250-PRDR
		250-LIMITS RCPTMAX=1000
		250 CHUNKING
		221 2.0.0 Bye
		EOF
	END
}

test_before_a_resident_each_stage_is_a_call_of_its_own() {
	tlsd_next 1:20
	tlsd_start -o -P 1 call "$T/next"
	for i in 1 2 3; do
		conversation
		assert_conversation "call $i"
	done
	tlsd_stop
	tlsd_next_stop
}

test_before_a_program() {
	tlsd_start -o submitd true
	conversation
	assert_conversation program
	tlsd_stop
}

test_facts_of_tls_are_told_to_the_second_stage_only() {
	program_lines tls "printf '220 x\r\n'" 'while read -r l; do' 'case $l in' 'Q*) printf "221 bye\r\n"; exit;;' \
		'*) printf "250 %s %s\r\n" "${SSL_PROTOCOL-no}" "$TCPREMOTEIP";;' 'esac done'
	tlsd_start -o ./tls
	tlsd_talk <<-'END'
		<
		> NOOP
		<
		> STARTTLS
		<
		tls
		> NOOP
		<
		> QUIT
		<<
	END
	printf '%s\n' '220 x' '250 no 127.0.0.1' '220 2.0.0 Ready to start TLS' TLS '250 TLSv1.3 127.0.0.1' '221 bye' EOF |
		assert_got facts
	tlsd_stop
}

test_a_resident_that_is_not_there_is_421() {
	tlsd_start -o call "$T/nobody"
	echo '<<' | tlsd_talk
	printf '%s\n' "$BUSY" EOF | assert_got nobody
	tlsd_stop
}

test_a_certificate_that_comes_is_offered_and_one_that_goes_is_kept() {
	cp one.key late.key
	rm -f late.pem
	: >log
	tlsd -l 127.0.0.1:0 -o -c late.pem -k late.key ./who 2>log &
	tlsd=$!
	servers="$servers $tlsd"
	wait_until grep -q "^tlsd: - ready address=" log
	port=$(sed -n 's/^tlsd: - ready address=.*:\([0-9]*\)$/\1/p' log)
	printf '<\n> STARTTLS\n<\n> QUIT\n<<\n' | tlsd_talk
	printf '%s\n' '220 x' '454 4.7.0 TLS not available due to a temporary reason' '221 bye' EOF | assert_got 'none yet'
	assertEquals "logged once: $(cat log)" 1 "$(grep -c 'misuse reason="late.pem: No such file or directory: no STARTTLS"' log)"
	cp one.pem late.pem
	kill -HUP "$tlsd"
	wait_until grep -q "^tlsd: - reloaded" log
	wait_until eval 'printf "<\n> STARTTLS\n<\ntls\n> QUIT\n<<\n" | tlsd_talk; grep -qx TLS got'
	printf '%s\n' '220 x' '220 2.0.0 Ready to start TLS' TLS '221 bye' EOF | assert_got 'there it is'
	rm late.pem
	kill -HUP "$tlsd"
	wait_until grep -q "^tlsd: - kept" log
	printf '<\n> STARTTLS\n<\ntls\n> QUIT\n<<\n' | tlsd_talk
	printf '%s\n' '220 x' '220 2.0.0 Ready to start TLS' TLS '221 bye' EOF | assert_got 'kept'
	tlsd_stop
}

# Half of them change to TLS, a line at a time each, all mixed.
test_many_connections_in_one_worker_do_not_mix() {
	tlsd_start -o -P 1 -m 300 -a 300 ./who
	tlsd_clients "$port" <<-'END'
		all = []
		for i in range(40):
		    s = connect(20); all.append([s, i, i % 2])
		for c in all: assert line(c[0]) == '220 x', c
		for c in all: c[0].sendall(b'NO')
		for c in all: c[0].sendall(b'OP\r\n')
		for c in all: assert line(c[0]).startswith('250 TCP 127.0.0.1'), c
		for c in all:
		    if c[2]:
		        c[0].sendall(b'STARTTLS\r\n'); assert line(c[0]).startswith('220 '), c
		        c[0] = CTX.wrap_socket(c[0])
		    else:
		        c[0].sendall(b'BLIND\r\nSTARTTLS\r\n'); line(c[0]); line(c[0])
		for c in all: assert ask(c[0], 'NOOP').startswith('250 TCP 127.0.0.1'), c
		for c in all: assert ask(c[0], 'QUIT') == '221 bye', c
		print('all')
	END
	assertEquals all "$(cat got)"
	tlsd_stop
}

# shellcheck disable=SC1090
. "$SHUNIT2"
