#!/bin/sh
# tlsd: the dialogue before TLS, the handover, the pump. ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

MSA_HOST=mail.example.net
export MSA_HOST

oneTimeSetUp() {
	cd "$T" || exit 1
	cert key.pem cert.pem /CN=mail.example.net
	chmod 640 key.pem cert.pem
	chmod 755 "$T"
	program_lines echo "printf '220 behind ESMTP\r\n'" 'while read -r l; do' 'case $l in' \
		'QUIT*) printf "221 bye\r\n"; exit;;' '*) printf "250 %s\n" "$l";;' 'esac done'
	program_lines cat "printf '220 x\r\n'" 'exec cat'
	printf 'NOOP\r\n' >noop
	text_random 5000000 >big
	cd "$OLDPWD" || exit 1 # shunit2 looks for this file by the name it was called by
}

setUp() {
	cd "$T" || exit 1
}

# Talk to tlsd: the script is standard input, options and stage the arguments; what was heard is in got, the log in log.
talk_to() {
	talk -x tlsd -c cert.pem -k key.pem "$@" >got 2>log
}

# The same through tlspeer; what came out of TLS is in out.
peer_of() {
	python3 -W ignore "$ROOT/tests/tools/tlspeer" "$@" >got 2>log
}

assert_peer_out() {
	cat >want
	tr -d '\r' <out >plain
	assert_same "$1" want plain
}

assert_not_logged() {
	assertFalse "log has not: $1" "grep -q '$1' log"
}

TLS_FIRST='530 5.7.0 Must issue a STARTTLS command first'

test_every_verb_before_tls_has_its_reply() {
	# (RFC 2034 4: no enhanced code in the replies to HELO and its like)
	for verb in HELO 'HELO x' LHLO 'LHLO x' MAIL 'MAIL FROM:<a@example.net>' 'RCPT TO:<b@example.net>' DATA RSET 'VRFY x'; do
		printf '> %s\n<\n' "$verb"
	done >script
	talk_to ./echo <<-END
		<
		> EHLO client
		<
		> NOOP
		<
		> noop with text
		<
		$(cat script)
		> QUIT
		<<
	END
	assert_got verbs <<-END
		220 mail.example.net ESMTP
		250-mail.example.net
		250-ENHANCEDSTATUSCODES
		250 STARTTLS
		250 2.0.0 Ok
		250 2.0.0 Ok
		$(yes '530 Must issue a STARTTLS command first' | head -n 4)
		$(yes "$TLS_FIRST" | head -n 6)
		221 2.0.0 Bye
		EOF
		exit 0
	END
	for verb in 'EXPN x' HELP 'BDAT 0 LAST' 'AUTH PLAIN' 'AUTH PLAIN AGEAYg==' 'ETRN x' ATRN TURN 'BURL x' FOO '' STARTTLSX; do
		printf '> %s\n<\n' "$verb"
	done >script
	talk_to ./echo <<-END
		<
		$(cat script)
		> quit
		<<
	END
	assert_got 'more verbs' <<-END
		220 mail.example.net ESMTP
		$(yes "$TLS_FIRST" | head -n 12)
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

# RFC 3030 2: the octets come at once, before any reply. None of them is a command.
test_the_chunk_of_a_bdat_is_skipped() {
	talk_to ./echo <<-'END'
		<
		>> BDAT 20 LAST\r\nSTARTTLS\r\nEHLO a\r\nx\nNOOP\r\n
		<
		<
		>> bdat 8\r\nVRF
		sleep 0.1
		>> Y x\r\n
		>> HELP\r\n
		<
		<
		>> BDAT 0\r\nNOOP\r\n
		<
		<
		> STARTTLS
		<
		tls
		> QUIT
		<<
	END
	assert_got 'chunks' <<-END
		220 mail.example.net ESMTP
		$TLS_FIRST
		250 2.0.0 Ok
		$TLS_FIRST
		$TLS_FIRST
		$TLS_FIRST
		250 2.0.0 Ok
		220 2.0.0 Ready to start TLS
		TLS
		221 bye
		EOF
		exit 0
	END
	{
		printf '<\n>> BDAT 1000000\\r\\n'
		head -c 1000000 /dev/zero | tr '\0' x
		printf 'NOOP\\r\\n\n<\n<\n> QUIT\n<<\n'
	} >script
	talk_to ./echo <script
	assert_got 'a megabyte' <<-END
		220 mail.example.net ESMTP
		$TLS_FIRST
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_a_bdat_whose_length_is_unknown_ends_the_connection() {
	long=$(printf '%0600d' 0)
	spaces=$(printf '%600s' '')
	for line in 'BDAT' 'BDAT x' 'BDAT -1' 'BDAT 1 LASTS' 'BDAT 9999999999999999999'; do
		talk_to ./echo <<-END
			<
			>> $line\\r\\nSTARTTLS\\r\\n
			<
			<<
		END
		assert_got "$line" <<-'END'
			220 mail.example.net ESMTP
			501 5.5.4 Syntax error in argument
			421 4.5.4 Cannot tell the chunk's length, closing the connection
			EOF
			exit 0
		END
		assert_logged 'done .* end=chunk$'
	done
	for line in 'BDAT 8\0LAST' 'BDAT 8\r LAST' 'BDAT 8\n' "BDAT $long" "BDAT 8$spaces"; do
		talk_to ./echo <<-END
			<
			>> $line\\r\\nSTARTTLS\\r\\n
			<
			<<
		END
		sed 's/^500 5.5.2 .*/500 5.5.2 why/' got >plain
		mv plain got
		assert_got "$line" <<-'END'
			220 mail.example.net ESMTP
			500 5.5.2 why
			421 4.5.4 Cannot tell the chunk's length, closing the connection
			EOF
			exit 0
		END
	done
}

test_a_wrong_argument_is_501_and_starttls_still_works() {
	talk_to ./echo <<-'END'
		<
		> EHLO
		<
		> STARTTLS now
		<
		> QUIT now
		<
		> starttls
		<
		tls
		> EHLO client
		<
		> QUIT
		<<
	END
	assert_got arguments <<-'END'
		220 mail.example.net ESMTP
		501 Argument missing
		501 5.5.4 No argument allowed
		501 5.5.4 No argument allowed
		220 2.0.0 Ready to start TLS
		TLS
		250 EHLO client
		221 bye
		EOF
		exit 0
	END
	assert_logged 'done tls=TLSv1.3 cipher=TLS_[A-Z0-9_]* in=19 out=26 ms='
}

test_bad_lines_are_500_and_the_next_is_read() {
	long=$(printf '%0503d' 0)
	talk_to ./echo <<-END
		<
		> NOOP ${long}00
		<
		> NOOP ${long}000
		<
		>> NO\\0OP\\r\\n
		<
		>> NO\\rOP\\r\\n
		<
		>> NOOP\\nQUIT\\r\\n
		<
		>> NOOP\\nQUIT
		<
		>> \\n
		<
		> NOOP
		<
		>> NOOP\\r
		>> \\nNOOP\\r\\n
		<
		<
		> QUIT
		<<
	END
	assert_got lines <<-'END'
		220 mail.example.net ESMTP
		250 2.0.0 Ok
		500 5.5.2 Line too long
		500 5.5.2 Bare CR, bare LF or NUL in a command
		500 5.5.2 Bare CR, bare LF or NUL in a command
		500 5.5.2 Bare CR, bare LF or NUL in a command
		500 5.5.2 Bare CR, bare LF or NUL in a command
		500 5.5.2 Bare CR, bare LF or NUL in a command
		250 2.0.0 Ok
		250 2.0.0 Ok
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_a_line_of_a_megabyte_is_one_error() {
	{
		printf '<\n> NOOP '
		head -c 1000000 /dev/zero | tr '\0' x
		printf '\n<\n> NOOP\n<\n> QUIT\n<<\n'
	} >script
	talk_to ./echo <script
	assert_got megabyte <<-'END'
		220 mail.example.net ESMTP
		500 5.5.2 Line too long
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_a_line_of_a_megabyte_takes_no_memory() {
	preload_build oom || return 0
	{
		printf '<\n> NOOP '
		head -c 1000000 /dev/zero | tr '\0' x
		printf '\n<\n> QUIT\n<<\n'
	} >script
	OOM_IN=tlsd OOM_OVER=100000 LD_PRELOAD=$T/oom.so talk_to ./echo <script
	assert_got megabyte <<-'END'
		220 mail.example.net ESMTP
		500 5.5.2 Line too long
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

# As in authd and submitd: each command is answered, and the one that is too many is followed by 421.
test_the_command_after_twenty_errors_ends_it() {
	{
		echo '<'
		yes '> RSET' | head -n 25
		echo '<<'
	} >script
	talk_to ./echo <script
	{
		echo '220 mail.example.net ESMTP'
		yes "$TLS_FIRST" | head -n 21
		printf '%s\n' '421 4.7.0 Too many errors, closing the connection' EOF 'exit 0'
	} | assert_got errors
	assert_logged ' done .* end=errors$'
}

test_the_command_after_a_thousand_ends_it() {
	for last in NOOP 'EHLO x' STARTTLS; do
		{
			printf '<\n>> '
			yes 'NOOP\r\n' | head -n 1000 | tr -d '\n'
			printf '%s\\r\\nNOOP\\r\\n\n<<\n' "$last"
		} >script
		talk_to ./echo <script
		{
			echo '220 mail.example.net ESMTP'
			yes '250 2.0.0 Ok' | head -n 1000
			case $last in
			NOOP) echo '250 2.0.0 Ok' ;;
			EHLO*) printf '%s\n' 250-mail.example.net 250-ENHANCEDSTATUSCODES '250 STARTTLS' ;;
			STARTTLS) echo '454 4.7.0 TLS not available due to a temporary reason' ;;
			esac
			printf '%s\n' '421 4.7.0 Too many commands without a message, closing the connection' EOF 'exit 0'
		} | assert_got "$last"
		assert_logged ' done .* end=commands$'
	done
}

test_pipelined_commands_are_answered_in_order() {
	talk_to ./echo <<-'END'
		<
		>> EHLO a\r\nNOOP\r\nRSET\r\nQUIT\r\nNOOP\r\n
		<<
	END
	assert_got pipelined <<-END
		220 mail.example.net ESMTP
		250-mail.example.net
		250-ENHANCEDSTATUSCODES
		250 STARTTLS
		250 2.0.0 Ok
		$TLS_FIRST
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_input_behind_starttls_is_never_executed_and_ends_it() {
	program_lines mark 'touch started' "printf '220 x\r\n'" 'exec cat'
	talk_to -t 5 ./mark <<-'END'
		<
		>> STARTTLS\r\nNOOP\r\nQUIT\r\n
		<
		<<
	END
	assert_got pipelined <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		EOF
		exit 0
	END
	assert_logged 'pipelined reason="12 octets after STARTTLS were dropped"'
	assert_logged 'done .* end=pipelined$'
	assertFalse 'no next stage' '[ -e started ]'
}

test_input_behind_starttls_is_dropped_where_there_is_no_tls_too() {
	talk_to ./missing <<-'END'
		<
		>> STARTTLS\r\nNOOP\r\n
		<
		> RSET
		<
		> QUIT
		<<
	END
	assert_got 'no answer to NOOP' <<-END
		220 mail.example.net ESMTP
		454 4.7.0 TLS not available due to a temporary reason
		$TLS_FIRST
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_anything_but_a_clienthello_ends_it() {
	talk_to -t 5 ./mark <<-'END'
		<
		> STARTTLS
		<
		> EHLO in the clear, still
		sleep 0.2
		close
	END
	assert_got garbage <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		exit 0
	END
	assert_logged 'handshake.* reason="handshake failed: '
	assert_logged 'end=handshake'
	assertFalse 'no next stage' '[ -e started ]'
	talk_to ./mark <<-'END'
		<
		> STARTTLS
		<
		shut
		<<
	END
	assert_got eof <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		EOF
		exit 0
	END
	assert_logged 'handshake reason="connection ended"'
}

test_a_handshake_has_a_deadline() {
	talk_to -t 1 ./mark <<-'END'
		<
		> STARTTLS
		<
		<<
	END
	assert_got deadline <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		EOF
		exit 0
	END
	assert_logged 'handshake reason="not complete in time"'
	talk_to -i -t 1 ./mark <<-'END'
		<<
	END
	assert_got implicit <<-'END'
		EOF
		exit 0
	END
}

test_tls_1_2_and_1_3_and_nothing_older() {
	for v in 1.2 1.3; do
		peer_of -m $v -e notify noop out tlsd -c cert.pem -k key.pem ./cat
		assert_got "version $v" <<-END
			handshake TLSv$v
			end close_notify
			exit 0
		END
		assert_logged "done tls=TLSv$v"
		assert_same "echo $v" noop out
	done
	peer_of -m 1.1 -e notify noop out tlsd -c cert.pem -k key.pem ./cat
	assert_got 'version 1.1' <<-'END'
		handshake failed
		exit 0
	END
	assert_logged 'unsupported protocol'
}

# None would be accepted: with TLS 1.3 nothing comes of the server behind the handshake before there is a reply.
test_no_ticket_is_issued() {
	python3 -W ignore - "$(command -v tlsd)" >got 2>log <<-'END'
		import select, socket, ssl, subprocess, sys
		ours, its = socket.socketpair()
		ours.settimeout(20)
		p = subprocess.Popen([sys.argv[1], '-c', 'cert.pem', '-k', 'key.pem', './echo'], stdin=its, stdout=its)
		its.close()
		def until(end):
		    text = b''
		    while not text.endswith(end): text += ours.recv(4096)
		until(b'\r\n')
		ours.sendall(b'STARTTLS\r\n')
		until(b'\r\n')
		context = ssl.create_default_context()
		context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
		came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
		tls = context.wrap_bio(came, goes)
		while True:
		    try: tls.do_handshake()
		    except ssl.SSLWantReadError:
		        ours.sendall(goes.read())
		        came.write(ours.recv(65536))
		        continue
		    break
		ours.sendall(goes.read())
		print(tls.version(), 'alone:', len(select.select([ours], [], [], 0.5)[0]))
		tls.write(b'QUIT\r\n')
		ours.sendall(goes.read())
		octets = ours.recv(65536)
		came.write(octets)
		print(tls.read().decode().strip(), 'in one record:', len(octets) < 100, 'tickets:', tls.session.has_ticket)
		ours.close()
		p.wait()
	END
	assertEquals "$(cat log)" 'TLSv1.3 alone: 0
221 bye in one record: True tickets: False' "$(cat got)"
}

test_implicit_tls_passes_the_greeting_on() {
	talk_to -i ./echo <<-'END'
		tls
		<
		> EHLO client
		<
		> QUIT
		<<
	END
	assert_got implicit <<-'END'
		TLS
		220 behind ESMTP
		250 EHLO client
		221 bye
		EOF
		exit 0
	END
}

# RFC 3207 4.2. A server that knows nothing of our TLS may offer its own: in the middle of its list, or at its end.
test_a_foreign_stage_offers_no_starttls_within_tls() {
	program_lines foreign "printf '220 foreign ESMTP\r\n'" 'while read -r l; do' 'case $l in' \
		'QUIT*) printf "221 bye\r\n"; exit;;' \
		'EHLO*) printf "250-foreign\r\n250-STARTTLS\r\n250-SIZE\r\n250 HELP\r\n";;' \
		'LHLO*) printf "250-foreign\r\n250-SIZE\r\n"; sleep 0.2; printf "250 STARTTLS\r\n";;' \
		'*) printf "250 %s\r\n" "${l%?}";;' 'esac done'
	printf '%s\n' '> EHLO a' '<' '> LHLO b' '<' '>> NOOP\r\nEHLO c\r\nSTARTTLS\r\n' '<' '<' '<' '> QUIT' '<<' >script
	cat >list <<-'END'
		250-foreign
		250-SIZE
		250 HELP
		250-foreign
		250 SIZE
		250 NOOP
		250-foreign
		250-SIZE
		250 HELP
		250 STARTTLS
		221 bye
		EOF
		exit 0
	END
	{
		printf '%s\n' '<' '> STARTTLS' '<' tls
		cat script
	} >explicit
	talk_to ./foreign <explicit
	assert_got 'after STARTTLS' <<-END
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		$(cat list)
	END
	{
		printf '%s\n' tls '<'
		cat script
	} >implicit
	talk_to -i ./foreign <implicit
	assert_got 'TLS from the start' <<-END
		TLS
		220 foreign ESMTP
		$(cat list)
	END
	talk_to -o ./foreign <explicit
	assert_got 'TLS optional' <<-END
		220 foreign ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		$(cat list)
	END
}

test_with_msa_lmtp_it_speaks_lhlo() {
	MSA_LMTP=1 talk_to ./echo <<-'END'
		<
		> LHLO client
		<
		> EHLO client
		<
		> QUIT
		<<
	END
	assert_got lmtp <<-'END'
		220 mail.example.net LMTP
		250-mail.example.net
		250-ENHANCEDSTATUSCODES
		250 STARTTLS
		500 Command not recognized
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_the_next_stage_gets_facts_and_no_forged_ones() {
	program_lines facts "printf '220 x\r\n'" 'env | grep -E "^(SSL_[PCT]|SMTP|MSA_|TCP|PROTO|RELAY|KEPT)" |
		grep -vE "SSL_CERT|MSA_SESSION|MSA_BIN" | sort' 'exec cat >/dev/null'
	env SSL_PROTOCOL=forged SSL_CIPHER=forged SSL_PEER_CERT_HASH=forged SSL_PEER_CERT_SUBJECT=forged \
		SSL_TLS_SNI_SERVERNAME=forged SMTPAUTHUSER=forged SMTPAUTHMETHOD=forged SMTPAUTHLABEL=forged MSA_VERB=EHLO \
		MSA_HELO=forged MSA_MESSAGE='' MSA_RCPTS=1 MSA_DEADLINE=1 MSA_PARTIAL=1 RELAYCLIENT=kept TCPREMOTEIP=192.0.2.1 \
		PROTO=TCP MSA_X_SITE=kept KEPT=kept \
		python3 -W ignore "$ROOT/tests/tools/tlspeer" -m 1.2 -n mx.example.net -e notify /dev/null out \
		tlsd -c cert.pem -k key.pem ./facts >got 2>log
	assert_peer_out facts <<-'END'
		KEPT=kept
		MSA_HOST=mail.example.net
		MSA_X_SITE=kept
		PROTO=TCP
		RELAYCLIENT=kept
		SSL_CIPHER=ECDHE-ECDSA-AES256-GCM-SHA384
		SSL_CIPHER_USEKEYSIZE=256
		SSL_PROTOCOL=TLSv1.2
		SSL_TLS_SNI_SERVERNAME=mx.example.net
		TCPREMOTEIP=192.0.2.1
	END
	assert_got conversation <<-'END'
		handshake TLSv1.2
		end close_notify
		exit 0
	END
	program_lines session "printf '220 x\r\n'" 'echo "$MSA_SESSION"' 'exec cat >/dev/null'
	peer_of -e notify noop out tlsd -c cert.pem -k key.pem ./session
	assertTrue 'an id, and the same in the log' "[ -s out ] && grep -q \"^tlsd: \$(cat out) done\" log"
}

test_the_next_stage_has_0_1_and_2_and_they_block() {
	program_lines fds "printf '220 x\r\n'" 'exec python3 -c "
import os, stat, fcntl
print(sorted(int(f) for f in os.listdir(\"/proc/self/fd\"))[:3], sum(f in os.listdir(\"/proc/self/fd\") for f in map(str, range(4, 100))))
for fd in 0, 1: print(stat.S_ISSOCK(os.fstat(fd).st_mode), bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK))
print(os.fstat(0).st_ino == os.fstat(1).st_ino)
os.read(0, 9)
"'
	# shellcheck disable=SC2094
	peer_of -e notify noop out sh -c 'exec 7<cert.pem; exec tlsd -c cert.pem -k key.pem ./fds'
	assert_peer_out descriptors <<-'END'
		[0, 1, 2] 0
		True False
		True False
		True
	END
}

test_only_the_pump_has_the_key() {
	needs root || return 0
	program_lines peek "printf '220 x\r\n'" 'head -c 1 "/proc/$PPID/environ" >/dev/null 2>&1 && echo environ' \
		'ls "/proc/$PPID/fd" >/dev/null 2>&1 && echo fd' \
		'head -c 1 /proc/self/environ >/dev/null 2>&1 && echo self' 'printf "221 end\r\n"'
	cp "$(command -v tlsd)" .
	peer_of -e stay noop out setpriv --reuid=65534 --clear-groups ./tlsd -c cert.pem -k key.pem ./peek
	assert_peer_out 'same uid' <<-'END'
		self
		221 end
	END
	cp key.pem secret.pem
	chmod 400 secret.pem
	program_lines drop 'exec setpriv --reuid=65534 --clear-groups sh -c "printf \"220 x\r\n\"; cat secret.pem 2>/dev/null && echo key
		printf \"221 end\r\n\""'
	peer_of -e stay noop out tlsd -c cert.pem -k secret.pem ./drop
	assert_peer_out 'another uid' <<-'END'
		221 end
	END
}

test_tlsd_links_libtls_and_no_sasl() {
	ldd "$(command -v tlsd)" >links
	assertTrue libtls 'grep -q libtls links'
	assertFalse libsasl2 'grep -q sasl links'
}

test_a_greeting_may_have_lines_and_come_in_pieces() {
	program_lines pieces "printf '220-a\r\n22'" 'sleep 0.1' "printf '0-b\r\n220 c\r'" 'sleep 0.1' "printf '\n250 early\r\n'" 'exec cat'
	peer_of -e notify noop out tlsd -c cert.pem -k key.pem ./pieces
	assert_peer_out pieces <<-'END'
		250 early
		NOOP
	END
}

test_input_is_held_until_the_greeting_is_complete() {
	program_lines slow 'early=$(timeout 0.3 head -c 1 | wc -c)' "printf '220 x\r\n'" 'printf "%s\r\n" "$early"' 'exec cat'
	peer_of -e notify noop out tlsd -c cert.pem -k key.pem ./slow
	assert_peer_out held <<-'END'
		0
		NOOP
	END
}

test_another_greeting_answers_the_first_command() {
	program_lines full "printf '554-No\r\n554 5.3.2 service\r\n250 more\r\n'" 'exec cat'
	talk_to ./full <<-'END'
		<
		> STARTTLS
		<
		tls
		> EHLO client
		<
		<<
	END
	assert_got greeting <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		554-No
		554 5.3.2 service
		EOF
		exit 0
	END
	assert_logged 'greeting text="554-No\\x0d\\x0a554 5.3.2 service\\x0d\\x0a"'
	peer_of -l 1 /dev/null out tlsd -c cert.pem -k key.pem ./full
	assert_peer_out 'not before a command' </dev/null
}

test_no_greeting_is_421() {
	program_lines silent 'exit 0'
	program_lines odd 'echo hello' 'exec cat'
	program_lines half 'printf "220-a\r\n"'
	program_lines unlike 'printf "220-a\r\n250 b\r\n"' 'exec cat'
	program_lines endless 'yes 220-more' 
	program_lines dead 'kill -9 $$'
	for s in silent odd half unlike endless dead; do
		talk_to ./$s <<-'END'
			<
			> STARTTLS
			<
			tls
			> EHLO client
			<<
		END
		assert_got $s <<-'END'
			220 mail.example.net ESMTP
			220 2.0.0 Ready to start TLS
			TLS
			421 4.3.0 Local trouble, closing the connection
			EOF
			exit 0
		END
		assert_logged 'greeting reason="the next stage gave no greeting"'
	done
}

test_a_missing_program_is_454_and_the_session_goes_on() {
	for s in ./missing no-such-program ./cert.pem /; do
		talk_to "$s" <<-'END'
			<
			>> STARTTLS\r\nNOOP\r\n
			<
			> NOOP
			<
			> STARTTLS
			<
			> QUIT
			<<
		END
		assert_got "$s" <<-'END'
			220 mail.example.net ESMTP
			454 4.7.0 TLS not available due to a temporary reason
			250 2.0.0 Ok
			454 4.7.0 TLS not available due to a temporary reason
			221 2.0.0 Bye
			EOF
			exit 0
		END
		assert_logged "failed reason=\"next program $s: "
	done
	talk_to -i ./missing <<-'END'
		tls
		<<
	END
	assert_got implicit <<-'END'
		TLS
		421 4.3.0 Local trouble, closing the connection
		EOF
		exit 0
	END
}

test_a_program_that_cannot_be_executed_is_421() {
	printf '#!/no/such/interpreter\n' >broken
	chmod 755 broken
	talk_to ./broken <<-'END'
		<
		> STARTTLS
		<
		tls
		> EHLO client
		<<
	END
	assert_got broken <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		421 4.3.0 Local trouble, closing the connection
		EOF
		exit 0
	END
	assert_logged 'failed reason="next program ./broken: '
}

test_too_few_descriptors_are_454_and_the_session_goes_on() {
	cat >script <<-'END'
		<
		> STARTTLS
		<
		> NOOP
		<
		> QUIT
		<<
	END
	talk -x sh -c 'ulimit -n 4; exec tlsd -c cert.pem -k key.pem ./echo' <script >got 2>log
	assert_got descriptors <<-'END'
		220 mail.example.net ESMTP
		454 4.7.0 TLS not available due to a temporary reason
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	END
	assert_logged 'Too many open files'
}

test_an_end_without_221_is_told_where_a_reply_may_stand() {
	program_lines killed "printf '220 x\r\n'" 'read -r l' "printf '250 y\r\n'" 'kill -9 $$'
	talk_to ./killed <<-'END'
		<
		> STARTTLS
		<
		tls
		> EHLO client
		<
		<<
	END
	assert_got killed <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		250 y
		421 4.3.0 Local trouble, closing the connection
		EOF
		exit 0
	END
	assert_logged 'next reason="it ended without 221 or 421"'
	for text in '250-y\r\n' '250 y' '221 bye\r\n' '421 4.3.2 later\r\n' '221-a\r\n221 b\r\n'; do
		printf '220 x\\r\\n%s' "$text" >say
		program_lines said 'printf "$(cat say)"'
		peer_of -l 5 /dev/null out tlsd -c cert.pem -k key.pem ./said
		# shellcheck disable=SC2059
		printf "$text" >want
		assert_same "$text" want out
		assert_got "$text" <<-'END'
			handshake TLSv1.3
			end close_notify
			exit 0
		END
	done
	# a reply that is cut before the last one, in its code and behind it
	for cut in 25:0 '250 :'; do
		program_lines said "printf '220 x\r\n${cut%:*}'" 'sleep 0.2' "printf '${cut#*:} y\r\n221 bye\r\n'"
		peer_of -l 5 /dev/null out tlsd -c cert.pem -k key.pem ./said
		printf '%s y\r\n221 bye\r\n' "${cut%:*}${cut#*:}" >want
		assert_same "cut $cut" want out
		assert_not_logged 'next reason='
	done
}

test_a_stage_killed_while_the_client_sends() {
	program_lines killed "printf '220 x\r\n250 y\r\n354 go\r\n'" 'head -c 100000 >/dev/null; kill -9 $$'
	peer_of -l 5 big out tlsd -c cert.pem -k key.pem ./killed
	assert_peer_out killed <<-'END'
		250 y
		354 go
		421 4.3.0 Local trouble, closing the connection
	END
}

test_five_megabytes_pass_both_ways() {
	for o in '' -p '-w 0.5'; do
		# shellcheck disable=SC2086
		peer_of $o -e notify big out tlsd -c cert.pem -k key.pem ./cat
		assertTrue "intact: $o" 'cmp big out'
		assert_got "ends: $o" <<-'END'
			handshake TLSv1.3
			end close_notify
			exit 0
		END
		assert_logged 'in=5000000 out=5000000'
	done
}

test_a_slow_stage_gets_all() {
	program_lines slow "printf '220 x\r\n'" 'sleep 0.5' 'exec cat'
	peer_of -e notify big out tlsd -c cert.pem -k key.pem ./slow
	assertTrue intact 'cmp big out'
}

test_a_slow_client_gets_full_records() {
	head -c 300000 big >part
	program_lines records "printf '220 x\r\n'" 'cat part' "printf '\r\n221 bye\r\n'"
	peer_of -r 1000 -l 15 /dev/null out tlsd -c cert.pem -k key.pem ./records
	printf '\r\n221 bye\r\n' | cat part - >want
	assertTrue intact 'cmp want out'
	assert_got end <<-'END'
		handshake TLSv1.3
		end close_notify
		exit 0
	END
}

test_the_stage_may_still_speak_after_the_client_ended() {
	program_lines later "printf '220 x\r\n'" 'cat' 'sleep 0.2' 'echo later'
	peer_of -e notify noop out tlsd -c cert.pem -k key.pem ./later
	assert_peer_out later <<-'END'
		NOOP
		later
	END
	assert_not_logged truncated
}

test_the_stages_last_words_reach_a_client_that_still_sends() {
	program_lines hasty "printf '220 x\r\n'" 'sleep 0.2' "printf '221 enough\r\n'"
	peer_of -w 0.5 -l 5 big out tlsd -c cert.pem -k key.pem ./hasty
	assert_peer_out hasty <<-'END'
		221 enough
	END
	assert_got 'no reset' <<-'END'
		handshake TLSv1.3
		end close_notify
		exit 0
	END
}

test_an_end_without_close_notify_is_truncation() {
	peer_of -e cut noop out tlsd -c cert.pem -k key.pem ./later
	assert_logged 'truncated reason="no close_notify"'
	assert_peer_out 'the stage saw the end' <<-'END'
		NOOP
		later
	END
	program_lines eof "printf '220 x\r\n'" 'cat >seen; echo end >>seen'
	peer_of -e reset noop out tlsd -c cert.pem -k key.pem ./eof
	assert_got reset <<-'END'
		handshake TLSv1.3
		exit 0
	END
	printf 'NOOP\r\nend\n' >want
	assert_same 'the stage ended' want seen
	printf 'QUIT\r\n' >quit
	peer_of -l 0.3 quit out tlsd -c cert.pem -k key.pem ./echo
	assert_not_logged truncated
}

test_an_unusable_key_or_certificate_is_100_and_421() {
	openssl ecparam -genkey -name prime256v1 -noout -out other.pem
	openssl genrsa -out rsa.pem 2048 2>/dev/null
	openssl ec -in key.pem -aes128 -passout pass:abcd -out locked.pem 2>/dev/null
	echo garbage >garbage.pem
	chmod 600 other.pem rsa.pem locked.pem garbage.pem
	for pair in none.pem:key.pem:none.pem cert.pem:none.pem:none.pem garbage.pem:key.pem:garbage.pem \
		cert.pem:garbage.pem:garbage.pem cert.pem:locked.pem:locked.pem cert.pem:other.pem:other.pem \
		cert.pem:rsa.pem:rsa.pem key.pem:cert.pem:key.pem; do
		cert=${pair%%:*} key=${pair#*:} bad=${pair##*:}
		key=${key%:*}
		echo '<<' | talk -x tlsd -c "$cert" -k "$key" ./echo >got 2>log
		assert_got "$pair" <<-'END'
			421 4.3.0 Local trouble, closing the connection
			EOF
			exit 100
		END
		assert_logged "misuse reason=\"$bad: "
		assertEquals "one line: $pair" 1 "$(wc -l <log)"
	done
	echo '<<' | talk -x tlsd -i -c none.pem -k key.pem ./echo >got 2>log
	assert_got implicit <<-'END'
		EOF
		exit 100
	END
}

test_a_key_that_everybody_may_read_or_write_is_100_and_421() {
	cp key.pem open.pem
	for mode in 604 602 644; do
		chmod "$mode" open.pem
		echo '<<' | talk -x tlsd -c cert.pem -k open.pem ./echo >got 2>log
		assert_got "$mode" <<-'END'
			421 4.3.0 Local trouble, closing the connection
			EOF
			exit 100
		END
		assert_logged 'misuse reason="open.pem: open to everybody"'
	done
}

test_misuse_is_100_and_the_synopsis() {
	for o in '-c cert.pem -k key.pem' '-c cert.pem ./echo' '-k key.pem ./echo' '-c cert.pem -k key.pem -q ./echo' '-c cert.pem -k key.pem -x rules ./echo'; do
		# shellcheck disable=SC2086
		tlsd $o </dev/null >out 2>log
		assertEquals "$o" 100 $?
		echo 'usage: tlsd [-i | -o] [-l address:port [-a n[:early]] [-e n] [-m n] [-n n] [-P n] [-R fd] [-x rules] [-y proxies]] [-G addresses] [-g penalties] [-p seconds] [-q ca | -r ca] [-s ciphers] [-t seconds] [-U user] [-v version] -c cert -k key [-O staple] prog [arg ...]' >want
		sed '/invalid option/d' log >got
		assert_same "$o" want got
	done
	for s in 0 x 1x 3601 ''; do
		tlsd -t "$s" -c cert.pem -k key.pem ./echo </dev/null >out 2>log
		assertEquals "-t $s" 100 $?
	done
	echo '<<' | talk -x tlsd -U no-such-user -c cert.pem -k key.pem ./echo >got 2>log
	assertTrue 'unknown user' "grep -qx 'exit 100' got"
}

test_U_drops_the_pump_and_not_the_next_stage() {
	needs root || return 0
	chmod 400 secret.pem 2>/dev/null || install -m 400 key.pem secret.pem
	program_lines who "printf '220 x\r\n'" 'echo "$(id -u)" $(ps -o uid=,gid=,supgid= -p "$PPID")' 'cat secret.pem >/dev/null && echo read' \
		"printf '221 bye\r\n'"
	peer_of -l 5 /dev/null out tlsd -U nobody:daemon -c cert.pem -k secret.pem ./who
	assert_peer_out users <<-END
		0 $(id -u nobody) $(getent group daemon | cut -d: -f3) $(getent group daemon | cut -d: -f3)
		read
		221 bye
	END
	talk_to -U nobody ./missing <<-'END'
		<
		> STARTTLS
		<
		> QUIT
		<<
	END
	assert_got missing <<-'END'
		220 mail.example.net ESMTP
		454 4.7.0 TLS not available due to a temporary reason
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

test_nothing_of_the_log_reaches_a_client_on_fd_2() {
	program_lines noisy 'echo noise >&2' "printf '220 x\r\n'" 'echo noise >&2' "printf '221 bye\r\n'"
	talk -x -2 tlsd -c cert.pem -k key.pem ./noisy >got <<-'END'
		<
		> STARTTLS
		<
		tls
		<<
	END
	assert_got inetd <<-'END'
		220 mail.example.net ESMTP
		220 2.0.0 Ready to start TLS
		TLS
		221 bye
		EOF
		exit 0
	END
	echo '<<' | talk -x -2 tlsd -c none.pem -k key.pem ./noisy >got
	assert_got 'no certificate' <<-'END'
		421 4.3.0 Local trouble, closing the connection
		EOF
		exit 100
	END
}

test_a_client_that_leaves_leaves_no_process() {
	talk_to ./echo "mark-$$" <<-'END'
		<
		> EHL
		close
	END
	assert_got leaves <<-'END'
		220 mail.example.net ESMTP
		exit 0
	END
	assertEquals 'no process' '' "$(pgrep -f "mark-$$")"
}

test_on_pipes_it_works_as_on_a_socket() {
	talk -x -p tlsd -c cert.pem -k key.pem ./echo >got 2>log <<-'END'
		<
		> EHLO client
		<
		> QUIT
		<<
	END
	assert_got pipes <<-'END'
		220 mail.example.net ESMTP
		250-mail.example.net
		250-ENHANCEDSTATUSCODES
		250 STARTTLS
		221 2.0.0 Bye
		EOF
		exit 0
	END
}

# shellcheck disable=SC1090
. "$SHUNIT2"
