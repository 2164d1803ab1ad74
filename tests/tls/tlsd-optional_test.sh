#!/bin/sh
# tlsd -o: TLS offered and not required. What passes in the clear, what cannot be taken for STARTTLS, the fresh stage.
# ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

MSA_HOST=mail.example.net
export MSA_HOST
TROUBLE='421 4.3.0 Local trouble, closing the connection'

oneTimeSetUp() {
	cd "$T" || exit 1
	cert key.pem cert.pem /CN=mail.example.net
	chmod 640 key.pem cert.pem
	chmod 755 "$T"
	# A message chain that keeps what it gets, a next stage that says what it hears, one that tells facts.
	program_lines cat "printf '220 x\r\n'" 'exec cat'
	program_lines sink 'cat >"$T/message"' 'echo 250 2.0.0 taken'
	program_lines echo "printf '220 behind ESMTP\r\n'" 'while read -r l; do' 'case $l in' \
		'QUIT*) printf "221 bye\r\n"; exit;;' '*) printf "250 %s\n" "$l";;' 'esac done'
	program_lines who "printf '220 x\r\n'" 'while read -r l; do' 'case $l in' \
		'QUIT*) printf "221 bye\r\n"; exit;;' \
		'*) printf "250 %s tls=%s cipher=%s helo=%s user=%s session=%s\r\n" $$ "${SSL_PROTOCOL-no}" "${SSL_CIPHER:+some}" "${MSA_HELO-no}" "${SMTPAUTHUSER-no}" "$MSA_SESSION";;' \
		'esac done'
	printf 'wonderland\n' | msa-passwd users.cdb alice@example.net
	cd "$OLDPWD" || exit 1 # shunit2 looks for this file by the name it was called by
}

setUp() {
	cd "$T" || exit 1
	rm -f message
}

# Talk to tlsd -o: the script is standard input, options and stage the arguments; what was heard is in got, the log in log.
talk_to() {
	talk -x tlsd -o -c cert.pem -k key.pem "$@" >raw 2>log
	sed 's/message [0-9a-z]\{14\}$/message ID/' raw >got
}

test_starttls_is_offered_and_mail_passes_without_it() {
	RELAYCLIENT='' talk_to submitd ./sink <<-'END'
		<
		> EHLO client.example
		<
		> MAIL FROM:<a@example.net>
		<
		> RCPT TO:<b@example.net>
		<
		> DATA
		<
		>> Subject: x\r\n\r\nSTARTTLS\r\n
		>> STARTTLS\r\n.\r\n
		<
		> STARTTLS
		<
		> QUIT
		<<
	END
	assert_got 'the session' <<-'END'
		220 mail.example.net ESMTP
		250-mail.example.net
		250-PIPELINING
		250-SIZE
		250-8BITMIME
		250-ENHANCEDSTATUSCODES
		250-PRDR
		250-LIMITS RCPTMAX=1000
		250-CHUNKING
		250 STARTTLS
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		250 2.0.0 Ok, message ID
		502 5.5.1 Command not implemented
		221 2.0.0 Bye
		EOF
		exit 0
	END
	printf 'Subject: x\r\n\r\nSTARTTLS\r\nSTARTTLS\r\n' >want
	assert_same 'the message is whole' want message
	assert_logged '^tlsd: [a-z0-9]* done in=1[0-9]* out=[0-9]* ms=[0-9]*$'
}

test_starttls_in_a_chunk_is_text() {
	RELAYCLIENT='' talk_to submitd ./sink <<-'END'
		<
		> EHLO client.example
		<
		>> MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.net>\r\n
		<
		<
		> BDAT 14
		>> Subject: x\r\n\r\n
		<
		> BDAT 10
		> STARTTLS
		<
		>> BDAT 20 LAST\r\nSTARTTLS\r\n
		>> STARTTLS\r\n
		<
		> QUIT
		<<
	END
	assertEquals "chunks: $(cat got)" 2 "$(grep -c '^250 2.0.0 [^C]*octets\|^250 2.0.0 Ok$' got)"
	assertTrue "taken: $(cat got)" "grep -qx '250 2.0.0 Ok, message ID' got"
	printf 'Subject: x\r\n\r\nSTARTTLS\r\nSTARTTLS\r\nSTARTTLS\r\n' >want
	assert_same 'the message is whole' want message
}

# Read as base64 those eight letters are a user's name.
test_starttls_in_an_auth_exchange_is_a_response() {
	talk_to authd -p -m LOGIN -u users.cdb submitd ./sink <<-'END'
		<
		> EHLO client.example
		<
		> AUTH LOGIN
		<
		> STARTTLS
		<
		> STARTTLS
		<
		> STARTTLS
		<
		> QUIT
		<<
	END
	assert_got exchange <<-'END'
		220 mail.example.net ESMTP
		250-mail.example.net
		250-PIPELINING
		250-SIZE
		250-8BITMIME
		250-ENHANCEDSTATUSCODES
		250-PRDR
		250-LIMITS RCPTMAX=1000
		250-CHUNKING
		250-AUTH LOGIN
		250 STARTTLS
		334 VXNlcm5hbWU6
		334 UGFzc3dvcmQ6
		535 5.7.8 Authentication credentials invalid
		530 5.7.0 Authentication required
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_commands_before_the_first_blind_one_are_answered_in_order() {
	RELAYCLIENT='' talk_to submitd ./sink <<-'END'
		>> EHLO a.example\r\nnoop x\r\nRSET\r\nVRFY x\r\nHELP\r\nHELO b.example\r\nFOO\r\nSTARTTLS\r\nNOOP\r\nQUIT\r\n
		<<
	END
	assert_got order <<-'END'
		220 mail.example.net ESMTP
		250-mail.example.net
		250-PIPELINING
		250-SIZE
		250-8BITMIME
		250-ENHANCEDSTATUSCODES
		250-PRDR
		250-LIMITS RCPTMAX=1000
		250-CHUNKING
		250 STARTTLS
		250 2.0.0 Ok
		250 2.0.0 Ok
		252 2.5.0 Cannot verify, but will accept the message and attempt delivery
		214 2.0.0 See RFC 6409 and RFC 5321
		250 mail.example.net
		500 5.5.2 Command not recognized
		502 5.5.1 Command not implemented
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

# Each of these is not an SMTP command, or not one that is looked at; what comes after it belongs to the stage.
test_behind_anything_else_starttls_is_the_stages() {
	long=$(printf '%0600d' 0)
	for first in 'MAIL FROM:<>' 'NOOP\rx' 'NOOP\0x' 'NOOP\nNOOP' "NOOP $long" 'AUTH PLAIN' 'XCLIENT x' ' NOOP' '' 'ETRN x' \
		'BDAT 10' 'BDAT x' 'BDAT 10\0' "BDAT $long"; do
		talk_to ./cat <<-END
			<
			>> $first\\r\\n
			sleep 0.05
			> STARTTLS
			> end
			shut
			<<
		END
		assertTrue "'$first': $(cat got)" "grep -qx STARTTLS got"
		assertTrue "'$first': the end: $(cat got)" "grep -qx end got"
	done
}

test_the_next_command_is_starttls_whatever_its_case_and_an_argument_is_501() {
	talk_to ./echo <<-'END'
		<
		> STARTTLS now
		<
		> HELO x
		<
		>> sTaRttLs \r\n
		<
		tls
		> NOOP
		<
		> QUIT
		<<
	END
	assert_got starttls <<-'END'
		220 behind ESMTP
		501 5.5.4 No argument allowed
		250 HELO x
		220 2.0.0 Ready to start TLS
		TLS
		250 NOOP
		221 bye
		EOF
		exit 0
	END
}

test_the_stage_behind_tls_is_a_fresh_one_and_knows_nothing() {
	SMTPAUTHUSER=forged SSL_PROTOCOL=forged MSA_SESSION=id talk_to ./who <<-'END'
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
	assertEquals 'two stages' 2 "$(sed -n 's/^250 \([0-9]*\) .*/\1/p' got | sort -u | wc -l)"
	sed 's/^250 [0-9]* /250 PID /; s/TLSv[0-9.]*/some/' got >plain
	mv plain got
	assert_got facts <<-'END'
		220 x
		250 PID tls=no cipher= helo=no user=no session=id
		220 2.0.0 Ready to start TLS
		TLS
		250 PID tls=some cipher=some helo=no user=no session=id
		221 bye
		EOF
		exit 0
	END
	assert_logged 'done tls=TLSv1.3 cipher=TLS_[A-Z0-9_]* in=12 out='
}

test_what_was_said_in_the_clear_is_forgotten() {
	talk_to authd -m PLAIN -u users.cdb submitd ./sink <<-'END'
		<
		> EHLO first.example
		<
		> STARTTLS
		<
		tls
		> AUTH PLAIN AGFsaWNlQGV4YW1wbGUubmV0AHdvbmRlcmxhbmQ=
		<
		> EHLO second.example
		<
		> AUTH PLAIN AGFsaWNlQGV4YW1wbGUubmV0AHdvbmRlcmxhbmQ=
		<
		> STARTTLS
		<
		> QUIT
		<<
	END
	assert_got forgotten <<-'END'
		220 mail.example.net ESMTP
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
		250-CHUNKING
		250 AUTH PLAIN
		235 2.7.0 Authentication succeeded
		503 5.5.1 Bad sequence of commands
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_the_stage_in_the_clear_ends_at_starttls() {
	rm -f first
	program_lines ends 'if [ -z "$SSL_PROTOCOL" ]; then' 'touch "$T/first"; printf "220 x\r\n"; cat >/dev/null; rm "$T/first"; exit' \
		'fi' 'while [ -e "$T/first" ]; do sleep 0.05; done' 'printf "220 x\r\n"; read -r l; printf "221 the first is gone\r\n"'
	talk_to ./ends <<-'END'
		<
		> STARTTLS
		<
		tls
		> QUIT
		<<
	END
	printf '%s\n' '220 x' '220 2.0.0 Ready to start TLS' TLS '221 the first is gone' EOF 'exit 0' | assert_got 'within the session'
}

test_input_behind_starttls_is_dropped_and_ends_it() {
	talk_to ./echo <<-'END'
		<
		>> STARTTLS\r\nNOOP\r\nQUIT\r\n
		<
		<<
	END
	assert_got pipelined <<-'END'
		220 behind ESMTP
		220 2.0.0 Ready to start TLS
		EOF
		exit 0
	END
	assert_logged 'pipelined reason="12 octets after STARTTLS were dropped"'
}

# The file is the foreign server's reply to EHLO.
stage_with_ehlo() {
	cat >ehlo
	program_lines foreign "printf '220 f\r\n'" 'while read -r l; do' 'case $l in' 'EHLO*|LHLO*) cat "$T/ehlo";;' \
		'QUIT*) printf "221 bye\r\n"; exit;;' '*) printf "250 ok\r\n";;' 'esac done'
	talk_to ./foreign <<-'END'
		<
		> EHLO x
		<
		> LHLO x
		<
		> HELO x
		<
		> QUIT
		<
	END
}

test_a_foreign_servers_ehlo_gets_starttls_once() {
	printf '250-f.example hello\r\n250-SIZE 1000\r\n250 X-STARTTLSX\r\n' | stage_with_ehlo
	printf '%s\n' '250-f.example hello' '250-SIZE 1000' '250-X-STARTTLSX' '250 STARTTLS' >lines
	{
		echo '220 f'
		cat lines lines
		printf '%s\n' '250 ok' '221 bye' 'exit 0'
	} | assert_got 'more lines'
	for reply in '250 f.example hello\r\n' '250-f.example hello\r\n250 STARTTLS\r\n' \
		'250-f.example hello\r\n250-starttls \r\n250-StartTLS x\r\n250 STARTTLS\r\n' '250-f.example hello\n250 STARTTLS\n'; do
		# shellcheck disable=SC2059
		printf "$reply" | stage_with_ehlo
		printf '%s\n' '220 f' '250-f.example hello' '250 STARTTLS' '250-f.example hello' '250 STARTTLS' '250 ok' \
			'221 bye' 'exit 0' | assert_got "$reply"
	done
	printf '250-STARTTLS\r\n250-STARTTLS\r\n250 SIZE\r\n' | stage_with_ehlo
	printf '%s\n' '220 f' '250-STARTTLS' '250-SIZE' '250 STARTTLS' '250-STARTTLS' '250-SIZE' '250 STARTTLS' '250 ok' \
		'221 bye' 'exit 0' | assert_got 'the first line is a name'
	printf '502-no\r\n502 STARTTLS\r\n' | stage_with_ehlo
	printf '%s\n' '220 f' '502-no' '502 STARTTLS' '502-no' '502 STARTTLS' '250 ok' '221 bye' 'exit 0' | assert_got 'a refusal'
}

test_without_a_usable_certificate_mail_still_passes() {
	echo garbage >bad.pem
	for keys in '-c none.pem -k key.pem' '-c cert.pem -k none.pem' '-c bad.pem -k key.pem'; do
		# shellcheck disable=SC2086
		RELAYCLIENT='' talk -x tlsd -o $keys submitd ./sink >raw 2>log <<-'END'
			<
			> EHLO client.example
			<
			> STARTTLS
			<
			>> MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n
			<
			<
			<
			>> STARTTLS\r\n.\r\n
			<
			> QUIT
			<<
		END
		sed 's/message [0-9a-z]\{14\}$/message ID/' raw >got
		assert_got "$keys" <<-'END'
			220 mail.example.net ESMTP
			250-mail.example.net
			250-PIPELINING
			250-SIZE
			250-8BITMIME
			250-ENHANCEDSTATUSCODES
			250-PRDR
			250-LIMITS RCPTMAX=1000
			250 CHUNKING
			454 4.7.0 TLS not available due to a temporary reason
			250 2.1.0 Sender ok
			250 2.1.5 Recipient ok
			354 End data with <CR><LF>.<CR><LF>
			250 2.0.0 Ok, message ID
			221 2.0.0 Bye
			EOF
			exit 0
		END
		assertEquals "logged once: $(cat log)" 1 "$(grep -c '^tlsd: [a-z0-9]* misuse reason=".*: no STARTTLS"' log)"
	done
	printf '250-f.example\r\n250 STARTTLS\r\n' >ehlo
	talk -x tlsd -o -c none.pem -k key.pem ./foreign >got 2>log <<-'END'
		<
		> EHLO x
		<
		> QUIT
		<<
	END
	printf '%s\n' '220 f' '250 f.example' '221 bye' EOF 'exit 0' | assert_got "the stage's own STARTTLS is not offered"
}

test_a_stage_that_cannot_be_had_is_421() {
	for one in './missing' ./mute ./garbage ./cut ./long; do
		program_lines mute 'exit 0'
		program_lines garbage "printf 'hello\r\n'" 'cat >/dev/null'
		program_lines cut "printf '220-x\r\n'"
		program_lines long "yes 220-x | head -n 10000"
		talk_to "$one" <<-'END'
			<<
		END
		printf '%s\n' "$TROUBLE" EOF 'exit 0' | assert_got "$one"
		assertTrue "$one: $(cat log)" "grep -q 'greeting reason=\|failed reason=' log"
	done
}

test_a_stage_that_gives_no_reply_is_421() {
	for one in ./mute ./garbage ./mixed ./cut ./long; do
		program_lines mute "printf '220 x\r\n'" 'read -r l; exit 0'
		program_lines garbage "printf '220 x\r\n'" 'read -r l' "printf 'hello\r\n'" 'cat >/dev/null'
		program_lines mixed "printf '220 x\r\n'" 'read -r l' "printf '250-a\r\n251 b\r\n'" 'cat >/dev/null'
		program_lines cut "printf '220 x\r\n'" 'read -r l' "printf '250-a\r\n'"
		program_lines long "printf '220 x\r\n'" 'read -r l' "yes 250-x | head -n 10000"
		talk_to "$one" <<-'END'
			<
			> EHLO x
			<<
		END
		printf '%s\n' '220 x' "$TROUBLE" EOF 'exit 0' | assert_got "$one"
		assert_logged 'reply reason="the next stage gave no reply"'
	done
}

test_what_a_stage_says_unasked_passes() {
	program_lines bored "printf '220 x\r\n'" 'read -r l; printf "250 ok\r\n"; sleep 0.2; printf "421 4.4.2 bored\r\n"'
	talk_to ./bored <<-'END'
		<
		> NOOP
		<
		<<
	END
	printf '%s\n' '220 x' '250 ok' '421 4.4.2 bored' EOF 'exit 0' | assert_got '421'
	program_lines full "printf '554-no\r\n554 service\r\n'" 'read -r l; printf "221 bye\r\n"'
	talk_to ./full <<-'END'
		<
		> QUIT
		<<
	END
	printf '%s\n' '554-no' '554 service' '221 bye' EOF 'exit 0' | assert_got 'another greeting'
	program_lines double "printf '220 x\r\n'" 'read -r l; printf "250 one\r\n250 two\r\n"; cat'
	talk_to ./double <<-'END'
		<
		> NOOP
		<
		<
		> STARTTLS
		<
		shut
	END
	printf '%s\n' '220 x' '250 one' '250 two' STARTTLS 'exit 0' | assert_got 'two replies: then it is blind'
	program_lines dies "printf '220 x\r\n'" 'read -r l; printf "250 ok\r\n"'
	talk_to ./dies <<-'END'
		<
		> NOOP
		<
		<<
	END
	printf '%s\n' '220 x' '250 ok' "$TROUBLE" EOF 'exit 0' | assert_got 'an end'
	assert_logged 'next reason="it ended without 221 or 421"'
}

test_a_reply_may_have_lines_and_come_in_pieces() {
	program_lines slow "printf '22'; sleep 0.1; printf '0-a\r'; sleep 0.1; printf '\n220 b\r\n'" \
		'read -r l; printf "250-f\r\n25"; sleep 0.1; printf "0 SIZE\r\n"; cat >/dev/null'
	talk_to ./slow <<-'END'
		<
		>> EH
		sleep 0.1
		>> LO x\r
		sleep 0.1
		>> \n
		<
		shut
		<<
	END
	printf '%s\n' '220-a' '220 b' '250-f' '250-SIZE' '250 STARTTLS' EOF 'exit 0' | assert_got pieces
}

test_a_reply_has_a_deadline() {
	rm -f stop said
	mkfifo stop
	pumps -o -g 400 cert.pem key.pem ./silent <stop >said 2>log &
	pumps=$!
	exec 9>stop
	wait_until [ -s said ]
	port=$(head -n 1 said)
	program_lines silent 'cat >/dev/null'
	echo '<<' | talk -t 10 -c "127.0.0.1:$port" >got
	printf '%s\n' "$TROUBLE" EOF | assert_got 'no greeting'
	program_lines silent "printf '220 x\r\n'" 'cat >/dev/null'
	printf '<\n> NOOP\n<<\n' | talk -t 10 -c "127.0.0.1:$port" >got
	printf '%s\n' '220 x' "$TROUBLE" EOF | assert_got 'no reply'
	assert_logged 'reply reason="the next stage gave no reply in time"'
	exec 9>&-
	wait "$pumps"
	assertEquals 'pumps ended well' 0 $?
}

test_five_megabytes_pass_in_the_clear_both_ways() {
	text_random 5000000 >big
	{
		printf 'DATA\r\n'
		cat big
	} >sent
	python3 - tlsd -o -c cert.pem -k key.pem ./cat >heard 2>log <<-'END'
		import socket, subprocess, sys, threading
		ours, theirs = socket.socketpair()
		p = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
		theirs.close()
		def send():
		    ours.sendall(open('sent', 'rb').read())
		    ours.shutdown(socket.SHUT_WR)
		threading.Thread(target=send).start()
		while True:
		    b = ours.recv(65536)
		    if not b: break
		    sys.stdout.buffer.write(b)
		sys.exit(p.wait())
	END
	code=$?
	assertEquals "log: $(cat log)" 0 "$code"
	{
		printf '220 x\r\n'
		cat sent
	} >want
	assertTrue 'all octets' 'cmp want heard'
}

test_on_pipes_it_works_as_on_a_socket() {
	talk -p -x tlsd -o -c cert.pem -k key.pem ./echo >got 2>log <<-'END'
		<
		>> EHLO x\r\nMAIL\r\nSTARTTLS\r\nQUIT\r\n
		<<
	END
	printf '%s\n' '220 behind ESMTP' '250-EHLO x' '250 STARTTLS' '250 MAIL' '250 STARTTLS' '221 bye' EOF 'exit 0' |
		assert_got pipes
}

# As under inetd: fd 2 is the client too.
test_nothing_of_the_log_reaches_a_client_on_fd_2() {
	program_lines noisy 'echo noise >&2' "printf '220 x\r\n'" 'while read -r l; do case $l in' 'QUIT*) printf "221 bye\r\n"; exit;; esac' \
		'echo noise >&2; printf "250 ok\r\n"; done'
	talk -2 -x tlsd -o -c cert.pem -k key.pem ./noisy >got <<-'END'
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
	printf '%s\n' '220 x' '250 ok' '220 2.0.0 Ready to start TLS' TLS '250 ok' '221 bye' EOF 'exit 0' | assert_got inetd
	talk -2 -x tlsd -o -c none.pem -k key.pem ./noisy >got <<-'END'
		<
		> QUIT
		<<
	END
	printf '%s\n' '220 x' '221 bye' EOF 'exit 0' | assert_got 'no certificate'
}

# Neither holds an end of the other's, so each sees its own end when the pump lets it go.
test_each_stage_has_its_own_socket_and_no_other() {
	program_lines sockets "printf '220 x\r\n'" 'while read -r l; do case $l in' 'QUIT*) printf "221 bye\r\n"; exit;; esac' \
		'ls -l /proc/$$/fd | sed -n "s/.*socket:/socket:/p" >sockets.$$' \
		'printf "250 %s of %s\r\n" "$(sort -u sockets.$$ | wc -l)" "$(wc -l <sockets.$$)"; done'
	talk_to ./sockets <<-'END'
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
	assertEquals "fds 0 and 1: $(cat got)" 2 "$(grep -cx '250 1 of 2' got)"
}

test_U_drops_the_pump_and_neither_stage() {
	needs root || return 0
	program_lines uid "printf '220 x\r\n'" 'while read -r l; do case $l in' \
		'QUIT*) printf "221 bye\r\n"; exit;; esac' \
		'printf "250 %s pump %s\r\n" "$(id -u)" "$(ps -o uid= -p "$PPID" | tr -d " ")"' 'done'
	talk_to -U nobody ./uid <<-'END'
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
	nobody=$(id -u nobody)
	assertEquals "both: $(cat got log)" 2 "$(grep -cx "250 0 pump $nobody" got)"
}

test_optional_and_required_exclude_each_other() {
	for options in '-o -i' '-o -r cert.pem'; do
		# shellcheck disable=SC2086
		tlsd $options -c cert.pem -k key.pem ./echo </dev/null >got 2>log
		assertEquals "$options" 100 $?
		assertTrue 'usage' "grep -q '^usage: tlsd ' log"
	done
}

# shellcheck disable=SC1090
. "$SHUNIT2"
