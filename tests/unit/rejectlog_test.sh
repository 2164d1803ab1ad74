#!/bin/sh
# rejectlog: what the log says of refused commands, and what it does not. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1
printf 'pencil\n' | msa-passwd "$T/users.cdb" bob

# usage: logged submitd|authd option ... <script ; $T/log
logged() {
	{
		cat
		printf '%s\n' '> QUIT' '<<'
	} | talk "$@" >"$T/out" 2>"$T/log"
}

# Standard input is what $T/log must be. usage: log_is message
log_is() {
	cat >"$T/want"
	assert_same "$1" "$T/want" "$T/log"
}

test_each_class_has_one_line_and_one_counts_the_rest() {
	SMTPAUTHUSER=alice SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_128_GCM_SHA256 logged submitd true <<-'E2'
		> EHLO
		> EHLO x
		> XYZZY one
		> YZZYX two
		> RCPT TO:<a@example.org>
		> MAIL FROM:<a@example.org> X-SECRET=secret
		> MAIL FROM:<a@example.org> Y=secret
		> MAIL FROM:<a@secret>
		> MAIL FROM:<a@example.org>
		> RCPT TO:<secret>
		> RCPT TO:<secret@secret>
		> RCPT TO:<secret>
		> DATA
		> BDAT 0 LAST
	E2
	log_is 'by class' <<-'E2'
		submitd: session rejected verb=EHLO code=501 reason="Argument missing" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=? code=500 reason="Command not recognized" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=RCPT code=503 reason="Bad sequence of commands" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=MAIL code=555 reason="Parameter not recognized or not implemented" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=MAIL code=554 reason="Sender's domain is not fully qualified" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=RCPT code=501 reason="Bad recipient address syntax" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=RCPT code=554 reason="Recipient's domain is not fully qualified" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=DATA code=554 reason="No valid recipients" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session rejected verb=BDAT code=554 reason="No valid recipients" user=alice ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256
		submitd: session suppressed lines=3
	E2
}

test_a_session_writes_ten_lines_at_most() {
	logged submitd -e 100 true <<-'E2'
		> EHLO
		> HELO
		> MAIL
		> RCPT
		> DATA
		> DATA x
		> RSET x
		> VRFY
		> EXPN
		> ETRN x
		> ATRN
		> TURN
		> AUTH
		> XYZZY
		> XYZZY
	E2
	assertEquals 'lines' 10 "$(grep -c ' rejected ' "$T/log")"
	assertEquals 'the last' 'submitd: session suppressed lines=5' "$(tail -n 1 "$T/log")"
}

test_a_message_that_is_refused_has_its_own_line_and_no_other() {
	for how in 'DATA' 'BDAT 5 LAST'; do
		[ "$how" = DATA ] && end='.\r\n' || end=
		RELAYCLIENT='' logged submitd true <<-E2
			> HELO x
			> MAIL FROM:<a@example.org>
			> RCPT TO:<b@example.net>
			> $how
			>> a\nb\r\n$end
			> DATA
		E2
		log_is "$how" <<-'E2'
			submitd: session refused ip=192.0.2.1 rcpts=1 code=554 from=a@example.org reason="Bare CR, bare LF or NUL in the message"
			submitd: session rejected verb=DATA code=503 reason="Bad sequence of commands" ip=192.0.2.1
		E2
	done
}

# Whatever a client says in the wrong place: a credential may be in it.
test_no_word_of_a_refused_command_is_logged() {
	secret=AGJvYgBzZWNyZXQ=
	for tls in '' TLSv1.3; do
		[ -z "$tls" ] || export SSL_PROTOCOL=$tls
		logged authd -u "$T/users.cdb" true <<-E2
			> AUTH PLAIN $secret
			> EHLO x
			> AUTH PLAIN $secret!
			> AUTH PLAIN$secret
			> AUTH $secret
			> $secret
			> MAIL FROM:<$secret@example.org>
			> AUTH LOGIN
			> $secret!
			> AUTH PLAIN
			> $(printf '%013000d' 0)$secret
			> AUTH SCRAM-SHA-256 $secret
			> NOOP $(printf '%0600d' 0)$secret
		E2
		assertEquals "$tls: nothing of it" 0 "$(grep -c "$secret\|secret\|bob" "$T/log")"
		assertTrue "$tls: lines" "grep -q 'authd: session rejected verb=? code=530' $T/log"
		assertTrue "$tls: lines" "grep -q 'authd: session rejected verb=AUTH code=5' $T/log"
	done
	unset SSL_PROTOCOL
	logged submitd true <<-E2
		> EHLO x
		> AUTH PLAIN $secret
		> $secret
		> MAIL $secret
		> MAIL FROM:<> $secret=1
		> NOOP $(printf '%0600d' 0)$secret
	E2
	assertEquals 'submitd' 0 "$(grep -c "$secret" "$T/log")"
	assertTrue 'lines' "grep -q 'submitd: session rejected verb=AUTH code=502' $T/log"
}

test_an_attempt_to_authenticate_has_its_line_and_no_second_one() {
	SSL_PROTOCOL=TLSv1.3 logged authd -u "$T/users.cdb" true <<-'E2'
		> EHLO x
		> AUTH PLAIN AGJvYgB3cm9uZw==
	E2
	log_is 'attempt' <<-'E2'
		authd: session refused user=bob mech=PLAIN reason="wrong password" ip=192.0.2.1 tls=TLSv1.3
	E2
}

# One minute's share of lines is for all sessions of a resident together, what is beyond is counted in one line.
# A thousand commands are refused in one minute, ten of another session in the next one.
test_a_resident_service_writes_600_lines_a_minute() {
	clock_starts || return 0
	cat >"$T/noise.py" <<-'E2'
		import subprocess, sys
		lines = b''.join(v + b'\r\n' for v in (b'EHLO', b'HELO', b'MAIL', b'RCPT', b'DATA', b'RSET x', b'VRFY', b'EXPN', b'XYZZY', b'AUTH'))
		for i in range(int(sys.argv[2])):
		    r = subprocess.run(['call', sys.argv[1]], input=lines + b'QUIT\r\n', stdout=subprocess.PIPE, check=True)
		    assert r.stdout.endswith(b'221 2.0.0 Bye\r\n'), r.stdout
	E2
	timed_submitd() {
		exec "$T/timed" submitd "$@"
	}
	resident_start submit timed_submitd true
	python3 "$T/noise.py" "$T/submit" 100
	code=$?
	assertEquals 'all sessions ended well' 0 $code
	assertEquals 'lines' 600 "$(grep -c ' rejected ' "$T/submit.log")"
	assertEquals 'no line says yet how many more' 0 "$(grep -c ' suppressed ' "$T/submit.log")"
	clock_at 59.9
	python3 "$T/noise.py" "$T/submit" 1
	assertEquals 'in the same minute' 600 "$(grep -c ' rejected ' "$T/submit.log")"
	clock_at 60
	python3 "$T/noise.py" "$T/submit" 1
	assertEquals 'in the next one' 610 "$(grep -c ' rejected ' "$T/submit.log")"
	clock_at 120
	python3 "$T/noise.py" "$T/submit" 1
	resident_stop submit
	assertEquals 'in the one after' 620 "$(grep -c ' rejected ' "$T/submit.log")"
	assertEquals 'the others are counted once' 'submitd: - suppressed lines=410' "$(grep ' suppressed ' "$T/submit.log")"
}

. "$SHUNIT2"
