#!/bin/sh
# lmtp-inject: options, the call's checks, what the envelope asks for and what the server can do. The dialogue itself is
# lmtp_test.sh's.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

local_error='451 4.3.0 Local error, try again later'
usage='usage: lmtp-inject [-knsS] [-a credentials] [-c cafile] [-F fingerprint] [-f sender] [-h name] [-i seconds] [-o file] [-r recipient] [-t seconds] [-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user] address'

test_misuse_by_hand_is_100_and_in_a_chain_451() {
	for args in '' '-x /s' '-t 0 /s' '-t 1x /s' '-t 86401 /s' '/s cat' 'host' 'host:' ':24' 'host:0' 'host:65536' \
		'host:lmtp' '::1:24' '[::1:24' '[]:24' '-f a@b.c /s' '-r a@b.c /s' '-f a -r a@b.c /s' '-f a@b.c -r b /s'; do
		# shellcheck disable=SC2086
		lmtp-inject $args </dev/null >"$T/out" 2>"$T/err"
		assertEquals "exit code of $args" 100 $?
		case $args in
		'' | -x* | '/s cat' | '-f a@b.c /s' | -r*) wrong=$usage ;;
		-t*) wrong="lmtp-inject: ${args% /s}: not a number from 1 to 86400" ;;
		'-f a -r'*) wrong='lmtp-inject: a: not an address' ;;
		-f*) wrong='lmtp-inject: b: not an address' ;;
		*) wrong="lmtp-inject: $args: neither host:port nor the path of a socket" ;;
		esac
		assertEquals "what is wrong with $args" "$wrong" "$(tail -n 1 "$T/err")"
		assertEquals "output of $args" '' "$(cat "$T/out")"
		# shellcheck disable=SC2086
		chain_call lmtp-inject $args
		assertEquals "exit code of $args in a chain" 111 "$code"
		assert_verdict "verdict of $args" "$local_error"
	done
	chain_call lmtp-inject -f alice@example.net -r bob@example.org "$T/s"
	assert_verdict 'options of both kinds' "$local_error"
	lmtp-inject "$T/s" <"$T/msg" >"$T/out" 2>"$T/err"
	assertEquals 'neither in a chain nor with options' 100 $?
}

test_msa_rcpts_must_be_the_number_of_recipients() {
	lmtpd_start -t 1
	for n in 0 2 '' x 1x -1; do
		chain_call MSA_RCPTS="$n" lmtp-inject "$T/s"
		assert_verdict "MSA_RCPTS=$n" "$local_error"
		assertEquals "exit code of MSA_RCPTS=$n" 111 "$code"
	done
	MSA_MESSAGE=M lmtp-inject "$T/s" <"$T/msg" 3<"$T/env" >"$T/out" 2>"$T/log"
	assertEquals 'unset' "$local_error" "$(head -n 1 "$T/out" | tr -d '\r')"
	assert_logged 'misuse reason="MSA_RCPTS is not the number of recipients"'
	chain_envelope '<alice@example.net>'
	chain_call lmtp-inject "$T/s"
	assert_verdict 'no recipients' "$local_error"
	lmtpd_ended 2>/dev/null
	assertFalse 'nobody connected' "[ -s '$T/rec' ]"
}

test_the_envelope_must_be_there_and_be_one() {
	printf 'RCPT TO:<bob@example.org>\n' >"$T/env"
	chain_call lmtp-inject "$T/s"
	assert_verdict 'no MAIL' "$local_error"
	assert_logged 'misuse reason="envelope: first line is no MAIL'
	MSA_MESSAGE=M MSA_RCPTS=1 lmtp-inject "$T/s" <"$T/msg" 3<&- >"$T/out" 2>"$T/log"
	assertEquals 'exit code without fd 3' 111 $?
	assertEquals 'verdict without fd 3' "$local_error" "$(head -n 1 "$T/out" | tr -d '\r')"
	: | MSA_MESSAGE=M MSA_RCPTS=1 lmtp-inject "$T/s" 3<"$T/env" >"$T/out" 2>"$T/log"
	assertEquals 'verdict with a pipe for fd 0' "$local_error" "$(head -n 1 "$T/out" | tr -d '\r')"
}

test_what_is_said_to_many_recipients_stays_a_verdict() {
	long=$(printf '%04000d' 0)
	# shellcheck disable=SC2046
	chain_envelope '<alice@example.net>' $(seq -f 'RCPT&TO:<u%.0f@example.org>' 300)
	sed -i 's/&/ /' "$T/env"
	lmtpd_start -t 100 "END=250-2.0.0 $long\\r\\n250 2.0.0 $long"
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'exit code' 0 "$code"
	assertTrue 'chain(7): one MiB' "[ $(wc -c <"$T/verdict.crlf") -le 1048576 ]"
	assertEquals 'replies' 300 "$(grep -c '^250 2.0.0 0*$' "$T/verdict")"
	assertEquals 'end' . "$(tail -n 1 "$T/verdict")"
}

test_nobody_listens() {
	chain_call lmtp-inject "$T/none"
	assert_verdict 'no socket' '451 4.4.1 Next server cannot be reached, try again later'
	assert_logged 'failed to=.*/none at=connect reason="No such file or directory"'
	: >"$T/file"
	chain_call lmtp-inject "$T/file"
	assert_verdict 'a file' '451 4.4.1 Next server cannot be reached, try again later'
	# A port that was just given back by the system: nobody has it.
	port=$(port_free)
	chain_call lmtp-inject "127.0.0.1:$port"
	assert_verdict 'no port' '451 4.4.1 Next server cannot be reached, try again later'
	assert_logged 'at=connect reason="Connection refused"'
	chain_call lmtp-inject "name.invalid:24"
	assert_verdict 'no name' '451 4.4.1 Next server cannot be reached, try again later'
}

test_a_socket_with_a_full_queue_is_tried_until_the_deadline() {
	rm -f "$T/ready"
	python3 - "$T/full" "$T/ready" <<-'P' &
		import socket, sys, time
		def sock(): return socket.socket(socket.AF_UNIX)
		server, held = sock(), []
		server.bind(sys.argv[1])
		server.listen(0)
		try:
		    while True:
		        held.append(sock())
		        held[-1].setblocking(False)
		        held[-1].connect(sys.argv[1])
		except BlockingIOError: open(sys.argv[2], 'w').write('full')
		time.sleep(600)
	P
	wait_until [ -s "$T/ready" ]
	chain_call lmtp-inject -t 1 "$T/full"
	kill $!
	wait $! 2>/dev/null
	rm "$T/ready"
	assert_verdict 'verdict' '451 4.4.1 Next server cannot be reached, try again later'
	assert_logged 'at=connect reason="Connection timed out"'
}

test_over_tcp_by_number_and_by_name() {
	for host in 127.0.0.1 localhost; do
		rm -f "$T/ready"
		lmtpd -r "$T/rec" >"$T/ready" &
		wait_until [ -s "$T/ready" ]
		chain_call lmtp-inject "$host:$(sed 's/.*://' "$T/ready")"
		wait $!
		assert_verdict "$host" '250 2.0.0 Saved'
	done
}

test_the_deadline_of_the_chain_counts_where_it_is_earlier() {
	chain_call MSA_DEADLINE="$(($(date +%s) - 1))" lmtp-inject "$T/none"
	assert_verdict 'passed: nothing is tried' '451 4.4.7 No answer in time, try again later'
	assert_logged 'abandoned reason="the deadline has passed"'
	lmtpd_start LHLO=stall
	start=$(date +%s)
	chain_call MSA_DEADLINE="$((start + 2))" lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'two seconds' '451 4.4.7 No answer in time, try again later'
	assertTrue 'in time' "[ $(($(date +%s) - start)) -le 15 ]"
}

test_without_a_reader_of_the_verdict_the_message_is_not_ended() {
	# The text is taken slowly; meanwhile the reader of the verdict leaves. The server must not get the dot.
	for e in PIPELINING PIPELINING,CHUNKING; do
		lmtpd_start -e "$e" 'RCPT=sleep:1|250 2.1.5 Ok'
		mkfifo "$T/fifo"
		# shellcheck disable=SC2217
		sleep 0.3 <"$T/fifo" &
		MSA_MESSAGE=M MSA_RCPTS=1 lmtp-inject "$T/s" <"$T/msg" 3<"$T/env" >"$T/fifo" 2>"$T/log"
		lmtpd_ended
		wait
		rm "$T/fifo"
		assert_logged 'abandoned reason="nobody reads the verdict"'
		grep -q Hello "$T/rec"
		assertFalse "nothing of the last block was sent, $e" $?
		grep -q -e '^\.' -e QUIT "$T/rec"
		assertFalse "no dot, $e" $?
	done
}

test_replies_in_recipients_places() {
	lmtpd_start -t 1
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' '550 5.7.1 Not to Carol'
	chain_call lmtp-inject "$T/s"
	assert_verdict 'without MSA_PARTIAL for all' '550 5.7.1 Not to Carol' '550 5.7.1 Not to Carol'
	assertEquals 'exit code' 100 "$code"
	chain_envelope '<alice@example.net>' '450 4.7.1 Not now' '550 5.7.1 Not to Carol' 'COPY TO:<x@example.net>'
	chain_call MSA_PARTIAL=1 lmtp-inject "$T/s"
	assert_verdict 'nobody is left' '450 4.7.1 Not now' '550 5.7.1 Not to Carol'
	lmtpd_ended 2>/dev/null
	assertFalse 'nobody connected' "[ -s '$T/rec' ]"
}

# MAIL's line as the server heard it. usage: mail_line keywords mail-arguments
mail_line() {
	lmtpd_start -e "$1"
	chain_envelope "$2" 'RCPT TO:<bob@example.org>'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict "$2 to $1" '250 2.0.0 Saved'
	sed -n 2p "$T/rec" | tr -d '\r'
}

# The verdict; nothing but LHLO and QUIT was said. usage: refused keywords mail-arguments verdict
refused() {
	lmtpd_start -e "$1"
	chain_envelope "$2" 'RCPT TO:<bob@example.org>'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict "$2 to $1" "$3"
	assert_heard "$2 to $1" 'LHLO test.example' QUIT
}

test_parameters_are_passed_where_offered() {
	all=PIPELINING,SIZE,8BITMIME,DSN,SMTPUTF8,REQUIRETLS,DELIVERBY,MT-PRIORITY,AUTH
	assertEquals 'MAIL FROM:<alice@example.net> BODY=8BITMIME RET=HDRS ENVID=x+2By SMTPUTF8 REQUIRETLS AUTH=<> SIZE=24' \
		"$(mail_line "$all" '<alice@example.net> RET=HDRS BODY=8BITMIME ENVID=x+2By SMTPUTF8 REQUIRETLS AUTH=<>')"
	assertEquals 'MAIL FROM:<> BY=120;N MT-PRIORITY=-3 SIZE=24' "$(mail_line "$all" '<> BY=120;N MT-PRIORITY=-3')"
	chain_envelope '<>' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bob@example.org' \
		'COPY TO:<x@example.net> NOTIFY=NEVER'
	lmtpd_start -e "$all"
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bob@example.org' \
		"$(sed -n 3p "$T/rec" | tr -d '\r')"
	assertEquals 'RCPT TO:<x@example.net> NOTIFY=NEVER' "$(sed -n 4p "$T/rec" | tr -d '\r')"
}

test_parameters_that_fall_away_where_not_offered() {
	assertEquals 'MAIL FROM:<alice@example.net>' "$(mail_line '' '<alice@example.net> BODY=7BIT')"
	assertEquals 'MAIL FROM:<alice@example.net>' "$(mail_line '' '<alice@example.net> BODY=8BITMIME')"
	assertEquals 'MAIL FROM:<alice@example.net>' "$(mail_line '' '<alice@example.net> AUTH=alice')"
	assertEquals 'MAIL FROM:<alice@example.net> BODY=7BIT' "$(mail_line 8BITMIME '<alice@example.net> BODY=7BIT')"
	assertEquals 'MAIL FROM:<alice@example.net>' "$(mail_line 8BITMIME '<alice@example.net>')"
}

test_parameters_that_are_refused_where_not_offered() {
	refused '' '<alice@example.net> SMTPUTF8' \
		'550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available'
	refused '' '<alicé@example.net> SMTPUTF8' \
		'550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available'
	refused '' '<alicé@example.net>' \
		'550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available'
	refused '' '<alice@example.net> REQUIRETLS' '550 5.7.30 Next server does not support REQUIRETLS'
	refused '' '<alice@example.net> RET=FULL' '554 5.3.3 Next server does not support RET'
	refused '' '<alice@example.net> ENVID=x' '554 5.3.3 Next server does not support ENVID'
	refused '' '<alice@example.net> BY=120;R' '554 5.3.3 Next server does not support BY'
	refused '' '<alice@example.net> MT-PRIORITY=3' '554 5.3.3 Next server does not support MT-PRIORITY'
	refused '' '<alice@example.net> HOLDFOR=30' '554 5.3.3 Next server does not support HOLDFOR'
	refused '' '<alice@example.net> X-SITE=1' '554 5.3.3 Next server does not support X-SITE'
}

test_a_recipients_parameters_are_its_own_matter() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=NEVER' 'RCPT TO:<carol@example.org>' \
		'COPY TO:<x@example.net> ORCPT=rfc822;y'
	lmtpd_start
	chain_call MSA_PARTIAL=1 lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'partial' '554 5.3.3 Next server does not support NOTIFY' '250 2.0.0 Saved'
	assert_logged 'copy rcpt=x@example.net reply="554 5.3.3 Next server does not support ORCPT"'
	grep -q -e bob -e x@example "$T/rec"
	assertFalse 'not named' $?
	lmtpd_start
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'all or nothing' '554 5.3.3 Next server does not support NOTIFY' \
		'554 5.3.3 Next server does not support NOTIFY'
	assert_heard 'all or nothing' 'LHLO test.example' QUIT
}

test_8_bit_data() {
	chain_message 'Subject: test\r\n\r\n\303\251\r\n'
	assertEquals 'declared by us' 'MAIL FROM:<alice@example.net> BODY=8BITMIME' \
		"$(mail_line 8BITMIME '<alice@example.net>')"
	assertEquals 'declared' 'MAIL FROM:<alice@example.net> BODY=8BITMIME' \
		"$(mail_line 8BITMIME '<alice@example.net> BODY=8BITMIME')"
	assertEquals 'declared wrongly' 'MAIL FROM:<alice@example.net> BODY=8BITMIME' \
		"$(mail_line 8BITMIME '<alice@example.net> BODY=7BIT')"
	refused SIZE '<alice@example.net> BODY=8BITMIME' '554 5.6.3 Next server does not take 8-bit data'
	refused SIZE '<alice@example.net>' '554 5.6.3 Next server does not take 8-bit data'
}

test_binary_data() {
	chain_message 'Subject: test\r\n\r\na\nb\rc\0d\n.\r\n'
	refused CHUNKING '<alice@example.net> BODY=BINARYMIME' '554 5.6.3 Next server does not take binary data'
	refused BINARYMIME,8BITMIME '<alice@example.net> BODY=BINARYMIME' '554 5.6.3 Next server does not take binary data'
	assertEquals 'MAIL FROM:<alice@example.net> BODY=BINARYMIME' \
		"$(mail_line CHUNKING,BINARYMIME '<alice@example.net> BODY=BINARYMIME')"
	lmtpd_start -e CHUNKING,BINARYMIME
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'octet for octet' 'BDAT 28 LAST\r\nSubject: test\r\n\r\na\nb\rc\x00d\n.\r\n' "$(sed -n 4p "$T/rec.reads")"
}

test_a_bare_cr_or_lf_is_never_sent() {
	for text in 'a\nb\r\n' 'a\rb\r\n' 'a\r' '\nb\r\n' 'a\n.\r\nMAIL FROM:<x@example.org>\r\n' 'a\r\n\n' 'a\r\r\n'; do
		chain_message "$text"
		refused PIPELINING,CHUNKING '<alice@example.net>' "$local_error"
		assert_logged 'misuse reason="bare CR or bare LF in the message"'
	done
}

test_the_servers_limit_of_size() {
	refused 'SIZE 23' '<alice@example.net>' '552 5.3.4 Message too big'
	assertEquals 'MAIL FROM:<alice@example.net> SIZE=24' "$(mail_line 'SIZE 24' '<alice@example.net>')"
	assertEquals 'MAIL FROM:<alice@example.net> SIZE=24' "$(mail_line 'SIZE 0' '<alice@example.net>')"
	assertEquals 'MAIL FROM:<alice@example.net> SIZE=24' "$(mail_line 'SIZE' '<alice@example.net>')"
}

test_k_prints_what_the_server_offers() {
	lmtpd_start -e 'PIPELINING,SIZE 1000,8BITMIME,ENHANCEDSTATUSCODES,CHUNKING,DSN,STARTTLS,XCLIENT A B,AUTH PLAIN'
	MSA_HOST=test.example lmtp-inject -k "$T/s" >"$T/out" 2>"$T/err"
	assertEquals 'exit code' 0 $?
	lmtpd_ended
	printf '%s\n' PIPELINING 'SIZE 1000' 8BITMIME ENHANCEDSTATUSCODES CHUNKING DSN >"$T/expected"
	assert_same 'keywords' "$T/expected" "$T/out"
	assertEquals 'log' '' "$(cat "$T/err")"
	assert_heard 'dialogue' 'LHLO test.example' QUIT
	lmtpd_start 'LHLO=450 4.3.2 Not now'
	lmtp-inject -k "$T/s" >"$T/out" 2>"$T/err"
	assertEquals 'exit code of a refusal' 111 $?
	lmtpd_ended
	assertEquals 'output of a refusal' '' "$(cat "$T/out")"
	assertEquals 'message' "lmtp-inject: - failed to=$T/s at=LHLO reason=refused code=450 text=\"Not now\"" \
		"$(cat "$T/err")"
	lmtp-inject -k "$T/none" >"$T/out" 2>"$T/err"
	assertEquals 'exit code where nobody listens' 111 $?
}

test_by_hand_lines_get_crlf_and_replies_are_printed() {
	lmtpd_start 'RCPT:carol=550 5.1.1 No Carol'
	printf 'Subject: test\n\n.dot\r\nlast' |
		MSA_HOST=test.example lmtp-inject -f '' -r bob@Example.ORG -r carol@example.org "$T/s" >"$T/out" 2>"$T/log"
	assertEquals 'exit code' 100 $?
	lmtpd_ended
	printf '%s\n' '250 2.0.0 Saved' '550 5.1.1 No Carol' >"$T/expected"
	assert_same 'replies' "$T/expected" "$T/out"
	assert_heard 'dialogue' 'LHLO test.example' 'MAIL FROM:<>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' \
		DATA 'Subject: test' '' ..dot last . QUIT
	lmtpd_start END='450 4.2.1 Busy'
	lmtp-inject -f alice@example.net -r Postmaster "$T/s" <"$T/msg" >"$T/out" 2>"$T/log"
	assertEquals 'exit code of a temporary refusal' 111 $?
	lmtpd_ended
	lmtpd_start
	lmtp-inject -f alice@example.net -r bob@example.org "$T/s" <"$T/msg" >"$T/out" 2>"$T/log"
	assertEquals 'exit code of success' 0 $?
	lmtpd_ended
}

test_lines_across_read_blocks_by_hand() {
	# CR and LF on two sides of the blocks that are read, 65,536 octets, and LF as the last of a block.
	python3 -c 'print("A: " + "x" * 65532, end="\r\n"); print("y" * 65533, end="\r\n"); print("z" * 65537, end="\n")' \
		>"$T/in"
	lmtpd_start
	lmtp-inject -f alice@example.net -r bob@example.org "$T/s" <"$T/in" >"$T/out" 2>"$T/log"
	lmtpd_ended
	python3 - "$T/rec" <<-'P'
		import sys
		text = open(sys.argv[1], 'rb').read().split(b'DATA\r\n', 1)[1]
		assert text == b'A: ' + b'x' * 65532 + b'\r\n' + b'y' * 65533 + b'\r\n' + b'z' * 65537 + b'\r\n.\r\nQUIT\r\n'
	P
	assertTrue 'text' $?
}

test_privileges_are_dropped() {
	needs root || return 0
	lmtpd_start
	chmod 700 "$T"
	chain_call lmtp-inject -U nobody "$T/s"
	assert_verdict 'nobody cannot reach the socket' '451 4.4.1 Next server cannot be reached, try again later'
	chmod 755 "$T"
	chmod 777 "$T/s"
	chain_call lmtp-inject -U nobody "$T/s"
	lmtpd_ended
	assert_verdict 'nobody can' '250 2.0.0 Saved'
	chain_call lmtp-inject -U no-such-user "$T/s"
	assert_verdict 'no such user' "$local_error"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
