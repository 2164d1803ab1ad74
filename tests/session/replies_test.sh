#!/bin/sh
# The reply to each reason, a row each, as a client sees it: of stages that are started for the session and of residents,
# and what speaks of a message by DATA and by BDAT. (Before TLS: tls/tlsd_test. Without a certificate: tls/tlsd-certificate_test.)
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1
mkdir "$T/tmp"
export TMPDIR="$T/tmp"

# Says what the message says; "exit N" is how it ends.
program_make answer <<'E2'
#!/bin/sh
read -r line
cat >/dev/null
cr=$(printf '\r')
line=${line%"$cr"}
case $line in
exit*) exit "${line#exit }" ;;
[245]*) echo "$line" ;;
*) echo 250 2.0.0 taken ;;
esac
E2

# Files of the process have at most 100 blocks, a big message does not fit.
program_make narrow <<'E2'
#!/bin/sh
ulimit -f 100
exec submitd "$@"
E2

# Standard input is a whole session: "C: command", "D: octets, with escapes", "S: a line of the server's". It must be the
# same by a stage started for it and by a resident. usage: session message stage [option ...] prog [arg ...]
session() {
	row=$1
	stage=$2
	shift 2
	cat >"$T/session"
	sed -e 's/^C: \(.*\)/>> \1\\r\\n/' -e 's/^D: />> /' -e '/^S: [0-9]*-/d' -e 's/^S: .*/</' -e 's/^F: /file /' "$T/session" >"$T/script"
	echo '<<' >>"$T/script"
	{
		sed -n 's/^S: //p' "$T/session"
		echo EOF
	} >"$T/want.session"
	talk "$stage" "$@" <"$T/script" 2>"$T/log" | sed 's/message [0-9a-z]\{14\}$/message ID/' >"$T/heard"
	assert_same "$row, started for it" "$T/want.session" "$T/heard"
	resident_start it "$stage" "$@"
	talk call "$T/it" <"$T/script" 2>"$T/log" | sed 's/message [0-9a-z]\{14\}$/message ID/' >"$T/heard"
	resident_stop it
	assert_same "$row, resident" "$T/want.session" "$T/heard"
}

# Standard input is lines "text with escapes|reply": one session, each text by DATA and by BDAT. usage: texts stage ...
texts() {
	{
		printf '%s\n' 'S: 220 mx.test ESMTP' 'C: HELO x' 'S: 250 mx.test'
		while IFS='|' read -r said reply; do
			for way in DATA BDAT; do
				printf '%s\n' 'C: MAIL FROM:<a@example.org>' 'S: 250 2.1.0 Sender ok' \
					'C: RCPT TO:<b@example.net>' 'S: 250 2.1.5 Recipient ok'
				if [ $way = DATA ]; then
					printf '%s\n' 'C: DATA' 'S: 354 End data with <CR><LF>.<CR><LF>' "D: $said.\\r\\n"
				else
					n=$(python3 -c 'import sys; print(len(sys.argv[1].encode().decode("unicode_escape")))' "$said")
					printf '%s\n' "D: BDAT $n LAST\\r\\n$said"
				fi
				printf '%s\n' "S: $reply"
			done
		done
		printf '%s\n' 'C: NOOP' 'S: 250 2.0.0 Ok' 'C: QUIT' 'S: 221 2.0.0 Bye'
	} >"$T/texts"
	RELAYCLIENT='' session "$*" "$@" <"$T/texts"
}

test_commands() {
	long=$(printf '%0600d' 0)
	RELAYCLIENT='' session 'commands' submitd -e 100 "$T/answer" <<-E2
		S: 220 mx.test ESMTP
		C: XYZZY
		S: 500 5.5.2 Command not recognized
		C: EHLO
		S: 501 Argument missing
		C: HELO x
		S: 250 mx.test
		C: LHLO x
		S: 500 Command not recognized
		C: ETRN x
		S: 502 5.5.1 Command not implemented
		C: ATRN
		S: 502 5.5.1 Command not implemented
		C: TURN
		S: 502 5.5.1 Command not implemented
		C: BURL imap://x LAST
		S: 502 5.5.1 Command not implemented
		C: EXPN x
		S: 502 5.5.1 Command not implemented
		C: AUTH PLAIN
		S: 502 5.5.1 Command not implemented
		C: STARTTLS
		S: 502 5.5.1 Command not implemented
		C: VRFY x
		S: 252 2.5.0 Cannot verify, but will accept the message and attempt delivery
		C: HELP
		S: 214 2.0.0 See RFC 6409 and RFC 5321
		C: RCPT TO:<b@example.net>
		S: 503 5.5.1 Bad sequence of commands
		C: DATA
		S: 503 5.5.1 Bad sequence of commands
		D: BDAT 3 LAST\r\nx\r\n
		S: 503 5.5.1 Bad sequence of commands
		C: DATA x
		S: 501 5.5.4 No argument allowed
		C: RSET x
		S: 501 5.5.4 No argument allowed
		C: VRFY
		S: 501 5.5.4 Argument missing
		C: MAIL TO:<a@example.org>
		S: 501 5.5.4 Syntax error in argument
		C: NOOP $long
		S: 500 5.5.2 Line too long
		C: NOOP a\nMAIL FROM:<a@example.org>
		S: 500 5.5.2 Bare CR, bare LF or NUL in a command
		C: NOOP a\rb
		S: 500 5.5.2 Bare CR, bare LF or NUL in a command
		C: NOOP a\0b
		S: 500 5.5.2 Bare CR, bare LF or NUL in a command
		C: QUIT
		S: 221 2.0.0 Bye
	E2
}

test_the_envelope() {
	RELAYCLIENT='' DATABYTES=1000 MSA_SOLICIT=net.example:ADV session 'envelope' submitd -e 100 "$T/answer" <<-'E2'
		S: 220 mx.test ESMTP
		C: EHLO x
		S: 250-mx.test
		S: 250-PIPELINING
		S: 250-SIZE 1000
		S: 250-8BITMIME
		S: 250-ENHANCEDSTATUSCODES
		S: 250-PRDR
		S: 250-LIMITS RCPTMAX=1000
		S: 250-CHUNKING
		S: 250 NO-SOLICITING net.example:ADV
		C: MAIL FROM:<a@@example.org>
		S: 501 5.1.7 Bad sender address syntax
		C: MAIL FROM:<a@host>
		S: 554 5.1.8 Sender's domain is not fully qualified
		C: MAIL FROM:<\xc3\xa4@example.org>
		S: 550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available
		C: MAIL FROM:<a@example.org> XYZZY=1
		S: 555 5.5.4 Parameter not recognized or not implemented: XYZZY
		C: MAIL FROM:<a@example.org> TRANSID=<1@example.org>
		S: 555 5.5.4 Parameter not recognized or not implemented: TRANSID
		C: MAIL FROM:<a@example.org> SIZE=x
		S: 501 5.5.4 Bad value of a parameter: SIZE
		C: MAIL FROM:<a@example.org> SIZE=1001
		S: 552 5.3.4 Message too big: SIZE
		C: MAIL FROM:<a@example.org> SOLICIT=net.example:ADV
		S: 550 5.7.1 No soliciting of this class: SOLICIT
		C: MAIL FROM:<a@example.org>
		S: 250 2.1.0 Sender ok
		C: MAIL FROM:<a@example.org>
		S: 503 5.5.1 Bad sequence of commands
		C: RCPT TO:<b@@example.net>
		S: 501 5.1.3 Bad recipient address syntax
		C: RCPT TO:<b@host>
		S: 554 5.1.2 Recipient's domain is not fully qualified
		C: RCPT TO:<b@example.net> XYZZY=1
		S: 555 5.5.4 Parameter not recognized or not implemented: XYZZY
		C: DATA
		S: 554 5.5.1 No valid recipients
		C: MAIL FROM:<a@example.org>
		S: 503 5.5.1 Bad sequence of commands
		D: BDAT 3 LAST\r\nx\r\n
		S: 554 5.5.1 No valid recipients
		C: NOOP
		S: 250 2.0.0 Ok
		C: QUIT
		S: 221 2.0.0 Bye
	E2
}

test_recipients_beyond_the_limit() {
	{
		printf '%s\n' 'S: 220 mx.test ESMTP' 'C: HELO x' 'S: 250 mx.test' 'C: MAIL FROM:<a@example.org>' 'S: 250 2.1.0 Sender ok'
		i=0
		while [ $i -lt 1000 ]; do
			printf '%s\n' "C: RCPT TO:<r$i@example.net>" 'S: 250 2.1.5 Recipient ok'
			i=$((i + 1))
		done
		printf '%s\n' 'C: RCPT TO:<more@example.net>' 'S: 452 4.5.3 Too many recipients' 'C: QUIT' 'S: 221 2.0.0 Bye'
	} | RELAYCLIENT='' session 'recipients' submitd "$T/answer"
}

test_unauthenticated() {
	for how in 'DATA' 'BDAT 0 LAST'; do
		session 'submitd' submitd "$T/answer" <<-E2
			S: 220 mx.test ESMTP
			C: HELO x
			S: 250 mx.test
			C: MAIL FROM:<a@example.org>
			S: 530 5.7.0 Authentication required
			C: $how
			S: 503 5.5.1 Bad sequence of commands
			C: QUIT
			S: 221 2.0.0 Bye
		E2
	done
	printf 'pencil\n' | msa-passwd "$T/users.cdb" bob
	SSL_PROTOCOL=TLSv1.3 session 'authd' authd -m PLAIN -u "$T/users.cdb" true <<-'E2'
		S: 220 mx.test ESMTP
		C: AUTH PLAIN
		S: 503 5.5.1 Bad sequence of commands
		C: HELO x
		S: 250 mx.test
		C: MAIL FROM:<a@example.org>
		S: 530 5.7.0 Authentication required
		C: RCPT TO:<b@example.net>
		S: 530 5.7.0 Authentication required
		C: DATA
		S: 530 5.7.0 Authentication required
		C: BDAT 0 LAST
		S: 530 5.7.0 Authentication required
		C: XYZZY
		S: 530 5.7.0 Authentication required
		C: NOOP
		S: 250 2.0.0 Ok
		C: QUIT
		S: 221 2.0.0 Bye
	E2
	session 'authd without TLS' authd -m PLAIN -u "$T/users.cdb" true <<-'E2'
		S: 220 mx.test ESMTP
		C: EHLO x
		S: 250-mx.test
		S: 250-PIPELINING
		S: 250-SIZE
		S: 250-8BITMIME
		S: 250-ENHANCEDSTATUSCODES
		S: 250-PRDR
		S: 250-LIMITS RCPTMAX=1000
		S: 250 CHUNKING
		C: AUTH PLAIN AGJvYgBwZW5jaWw=
		S: 538 5.7.11 Encryption required for authentication
		C: QUIT
		S: 221 2.0.0 Bye
	E2
	SSL_PROTOCOL=TLSv1.3 session 'AUTH' authd -m PLAIN -u "$T/users.cdb" true <<-'E2'
		S: 220 mx.test ESMTP
		C: EHLO x
		S: 250-mx.test
		S: 250-PIPELINING
		S: 250-SIZE
		S: 250-8BITMIME
		S: 250-ENHANCEDSTATUSCODES
		S: 250-PRDR
		S: 250-LIMITS RCPTMAX=1000
		S: 250-CHUNKING
		S: 250 AUTH PLAIN
		C: AUTH
		S: 501 5.5.4 Argument missing
		C: AUTH LOGIN
		S: 504 5.5.4 Mechanism not supported
		C: AUTH PLAIN !
		S: 501 5.5.2 Cannot decode base64
		C: AUTH PLAIN
		S: 334 
		C: *
		S: 501 5.7.0 Authentication cancelled
		C: AUTH PLAIN AGJvYgB3cm9uZw==
		S: 535 5.7.8 Authentication credentials invalid
		C: QUIT
		S: 221 2.0.0 Bye
	E2
}

test_the_text_itself() {
	texts submitd -L 1000 "$T/answer" <<-E2
		Subject: x\\r\\n\\r\\na\\nb\\r\\n|554 5.6.0 Bare CR, bare LF or NUL in the message
		Subject: x\\r\\n\\r\\na\\rb\\r\\n|554 5.6.0 Bare CR, bare LF or NUL in the message
		Subject: x\\r\\n\\r\\na\\0b\\r\\n|554 5.6.0 Bare CR, bare LF or NUL in the message
		$(printf '%01000d' 0)\\r\\n|554 5.6.0 Line too long in the message
		$(printf '%0998d' 0)\\r\\n|250 2.0.0 Ok, message ID
	E2
	DATABYTES=14 texts submitd "$T/answer" <<-'E2'
		Subject: x\r\n\r\n|250 2.0.0 Ok, message ID
		Subject: xy\r\n\r\n|552 5.3.4 Message too big
	E2
}

test_storage() {
	yes "$(printf '%01022d' 0)" | head -n 2000 | sed 's/$/\r/' >"$T/big"
	size=$(wc -c <"$T/big")
	for way in DATA BDAT; do
		{
			printf '%s\n' 'S: 220 mx.test ESMTP' 'C: HELO x' 'S: 250 mx.test' 'C: MAIL FROM:<a@example.org>' \
				'S: 250 2.1.0 Sender ok' 'C: RCPT TO:<b@example.net>' 'S: 250 2.1.5 Recipient ok'
			if [ $way = DATA ]; then
				printf '%s\n' 'C: DATA' 'S: 354 End data with <CR><LF>.<CR><LF>' "F: $T/big" 'C: .'
			else
				printf '%s\n' "C: BDAT $size LAST" "F: $T/big"
			fi
			printf '%s\n' 'S: 452 4.3.1 Insufficient storage, try again later' 'C: NOOP' 'S: 250 2.0.0 Ok' 'C: QUIT' 'S: 221 2.0.0 Bye'
		} | RELAYCLIENT='' session "storage by $way" "$T/narrow" "$T/answer"
	done
}

# What a stage or a script behind says goes out as it is, except what speaks of another session than the client's.
test_what_the_message_chain_says() {
	texts submitd "$T/answer" <<-'E2'
		550 5.1.8 No return path\r\n|550 5.1.8 No return path
		550 5.7.1 Not allowed\r\n|550 5.7.1 Not allowed
		550 5.7.0 Refused by site policy\r\n|550 5.7.0 Refused by site policy
		554 5.6.0 Message is not valid\r\n|554 5.6.0 Message is not valid
		452 4.3.1 Insufficient storage\r\n|452 4.3.1 Insufficient storage
		521 5.3.2 Go away\r\n|554 5.3.0 The next server said: 521 5.3.2 Go away
		421 4.3.2 Closing\r\n|451 4.3.0 The next server said: 421 4.3.2 Closing
		exit 100\r\n|554 5.7.1 Refused
		exit 111\r\n|451 4.3.0 Local error, try again later
	E2
}

test_the_header() {
	texts submitd qualify -d example.net -u all "$T/answer" <<-'E2'
		From: a b@c.example\r\n\r\n|554 5.6.0 From: address 1 is not valid
		To: b@host\r\n\r\n|554 5.6.0 To: address 1 has no fully qualified domain
	E2
}

. "$SHUNIT2"
