#!/bin/sh
# record(8) and replay(8): what a recording has and what it leaves out; a recording said again. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	program_lines chain 'cat >"$T/msg"; cat "$T/answer"'
	# Speaks to a program: each argument is N:TEXT, text to send and the number of whole answers to wait for; or w:TEXT, a
	# text to wait for.
	program_make speak <<-'P'
		#!/usr/bin/python3
		import re, socket, subprocess, sys
		ours, theirs = socket.socketpair()
		split = sys.argv.index('--')
		child = subprocess.Popen(sys.argv[split + 1:], stdin=theirs, stdout=theirs)
		theirs.close()
		ours.settimeout(60)
		said = b''
		for step in sys.argv[1:split]:
		    n, text = step.split(':', 1)
		    while n == 'w' and text.encode() not in said:
		        said += ours.recv(65536)
		    if n == 'w':
		        continue
		    ours.sendall(text.encode('latin-1').decode('unicode_escape').encode('latin-1'))
		    want = len(re.findall(rb'(?m)^\d{3} .*\r\n', said)) + int(n)
		    while len(re.findall(rb'(?m)^\d{3} .*\r\n', said)) < want:
		        got = ours.recv(65536)
		        if not got:
		            break
		        said += got
		ours.shutdown(socket.SHUT_WR)
		while got := ours.recv(65536):
		    said += got
		child.wait()
		sys.stdout.buffer.write(said)
	P
	# A server that gives its answers (the words), one for each line of the client, the first as greeting.
	program_make server <<-'P'
		#!/bin/sh
		for answer; do
			printf "$answer\r\n"
			read -r line || exit
		done
	P
}

setUp() {
	rm -rf "$T/recs" "$T/rec"
	mkdir "$T/recs"
	echo '250 2.0.0 taken' >"$T/answer"
}

tearDown() {
	resident_stop_all
}

# Record a session with submitd: $T/rec is the recording without its times and its comments, $T/out what the client heard.
# usage: recorded options step ...
recorded() {
	options=$1
	shift
	rm -f "$T/rec"
	# shellcheck disable=SC2086
	MSA_HOST=h SMTPAUTHUSER=alice "$T/speak" 1: "$@" -- record $options "$T/rec" submitd "$T/chain" >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	sed '/^#/d; s/^[0-9]*[.][0-9]* //; s/, message [0-9a-z]*/, message ID/; /^S 250.[A-Z8]/d' "$T/rec" >"$T/got"
}

test_content_is_left_out_and_commands_are_there() {
	recorded '' '1:EHLO client\r\n' '3:MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
		'1:Subject: x\r\n\r\n.\r.\n..\r\nDATA\r\n.\r\n' '3:MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nBDAT 8\r\nA: b\r\n\r\n' \
		'1:BDAT 7 LAST\r\nQUIT\r\n\x00' '1:QUIT\r\n'
	assert_got 'a recording' <<-'X'
		S 220 h ESMTP
		C EHLO client
		S 250-h
		C MAIL FROM:<a@b.example>
		C RCPT TO:<c@d.example>
		C DATA
		S 250 2.1.0 Sender ok
		S 250 2.1.5 Recipient ok
		S 354 End data with <CR><LF>.<CR><LF>
		C- \[content 28]
		C .
		S 554 5.6.0 Bare CR, bare LF or NUL in the message
		C MAIL FROM:<>
		C RCPT TO:<c@d.example>
		C BDAT 8
		C- \[content 8]
		S 250 2.1.0 Sender ok
		S 250 2.1.5 Recipient ok
		S 250 2.0.0 8 octets received
		C BDAT 7 LAST
		C- \[content 7]
		S 554 5.6.0 Bare CR, bare LF or NUL in the message
		C QUIT
		S 221 2.0.0 Bye
	X
	assertEquals 'mode' 600 "$(stat -c %a "$T/rec")"
	assertEquals 'comments' "# recording of a session, record(8)
# DATE
# MSA_SESSION=$(sed -n 's/^record: \([^ ]*\) done octets=[0-9]*$/\1/p' "$T/log")
# SMTPAUTHUSER=alice" "$(sed -n '/^#/p' "$T/rec" | sed '2s/.*/# DATE/')"
	assertEquals 'what the client heard' "$(sed -n 's/^[0-9.]* S //p' "$T/rec")" "$(tr -d '\r' <"$T/out")"
}

test_content_is_kept_by_c() {
	recorded -c '1:EHLO client\r\n' '3:MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
		'1:Subject: x\\y\r\n\r\n\xfc\r..\r\n.\r\n' '1:MAIL FROM:<>\r\n' '1:RCPT TO:<c@d.example>\r\n' '1:BDAT 9 LAST\r\nA: b\r\n\r\nx' \
		'1:QUIT\r\n'
	sed -n '/^S 354/,$p' "$T/got" | grep -v '^S 2' >"$T/got.new"
	mv "$T/got.new" "$T/got"
	assert_got 'with -c' <<-'X'
		S 354 End data with <CR><LF>.<CR><LF>
		C Subject: x\\y
		C 
		C \xfc\x0d..
		C .
		S 554 5.6.0 Bare CR, bare LF or NUL in the message
		C MAIL FROM:<>
		C RCPT TO:<c@d.example>
		C BDAT 9 LAST
		C A: b
		C 
		C- x
		C QUIT
	X
}

# Whatever the client does with a credential, it is not written.
test_no_credential_is_written() {
	while IFS='|' read -r steps want; do
		rm -f "$T/rec"
		eval "set -- $steps"
		"$T/speak" 1: "$@" -- record -c "$T/rec" "$T/server" '220 x' '334 UFc0cmQ' '334 UFc0cmQ' '235 ok' '250 ok' 2>"$T/log" >"$T/out"
		sed '/^#/d; s/^[0-9.]* //; /^S [25]/d' "$T/rec" | tr '\n' '|' >"$T/got"
		assertEquals "$steps" "${want%|}|" "$(cat "$T/got")"
		assertFalse "$steps" "grep -q PW4rd $T/rec"
	done <<-'X'
		'1:AUTH LOGIN\r\n' '1:PW4rd\r\n' '1:PW4rd\r\n' '1:NOOP\r\n'|C AUTH LOGIN|S 334 \[secret 7]|C \[secret 5]|S 334 \[secret 7]|C \[secret 5]|C NOOP|
		'1:auth plain PW4rd\r\n' '1:PW4rd\r\n' '1:*\r\n'|C auth plain \[secret 5]|S 334 \[secret 7]|C \[secret 5]|S 334 \[secret 7]|C \[secret 1]|
		'1:AUTH PW4rd\r\n'|C \[secret 10]|S 334 \[secret 7]|
		'1:AUTH PLAINPW4rd\r\n'|C \[secret 15]|S 334 \[secret 7]|
		'1:AUTH  PLAIN PW4rd\r\n'|C \[secret 17]|S 334 \[secret 7]|
		'1:PW4rd\r\n'|C \[secret 5]|S 334 \[secret 7]|
		'1:NOOP\nAUTH PLAIN PW4rd\r\n'|C NOOP\[secret 17]|S 334 \[secret 7]|S 334 \[secret 7]|
		'3:AUTH LOGIN\r\nPW4rd\r\nPW4rd\r\n'|C AUTH LOGIN|C \[secret 5]|C \[secret 5]|S 334 \[secret 7]|S 334 \[secret 7]|
		'0:AUTH LOGIN\r\nPW4rd'|C AUTH LOGIN|S 334 \[secret 7]|C- \[secret 5]|
		'0:PW4rd'|C- \[secret 5]|
	X
}

test_tls_is_not_recorded() {
	"$T/speak" 1: '1:EHLO x\r\n' '1:STARTTLS\r\n' '0:\x16\x03PW4rd\r\n' -- record -c "$T/rec" "$T/server" '220 x' '250 x' '220 go' \
		2>"$T/log" >"$T/out"
	assertEquals 'STARTTLS' '220 go' "$(sed -n 's/^[0-9.]* S //p' "$T/rec" | tail -n 1)"
	assertEquals 'and nothing after it' 'C STARTTLS' "$(sed -n 's/^[0-9.]* C/C/p' "$T/rec" | tail -n 1)"
}

# After these answers, a DATA that is refused is followed by commands, and not by content.
test_lmtp_and_prdr_have_more_answers() {
	printf '250 2.0.0 one\n450 4.2.1 two\n' >"$T/answer"
	export MSA_LMTP=1
	recorded '' '1:LHLO client\r\n' '4:MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
		'2:x: y\r\n.\r\n' '1:DATA\r\n' '1:NOOP\r\n' '4:MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 6 LAST\r\nx: y\r\n' \
		'1:DATA\r\n' '1:RSET\r\n'
	unset MSA_LMTP
	assertEquals "LMTP: $(cat "$T/got")" 'DATA . DATA NOOP BDAT DATA RSET ' \
		"$(sed -n 's/^C \([A-Z.]*\).*/\1/p' "$T/got" | grep -v -e LHLO -e MAIL -e RCPT | tr '\n' ' ')"
	recorded '' '1:EHLO client\r\n' '4:MAIL FROM:<> PRDR\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
		'4:x: y\r\n.\r\n' '1:DATA\r\n' '1:NOOP\r\n'
	assertEquals "PRDR: $(cat "$T/got")" 'DATA . DATA NOOP ' \
		"$(sed -n 's/^C \([A-Z.]*\).*/\1/p' "$T/got" | grep -v -e EHLO -e MAIL -e RCPT | tr '\n' ' ')"
}

test_a_directory_has_a_file_for_each_session() {
	resident_start record record -A nobody "$T/recs" submitd "$T/chain"
	for i in 1 2; do
		printf 'QUIT\r\n' | MSA_SESSION=session$i call "$T/record" >"$T/out" 2>"$T/log"
	done
	wait_until grep -q 'session2 done' "$T/record.log"
	assertEquals 'session1 session2' "$(ls "$T/recs" | tr '\n' ' ' | sed 's/ $//')"
	assertEquals 'C QUIT' "$(sed -n 's/^[0-9.]* C/C/p' "$T/recs/session2")"
	printf 'QUIT\r\n' | MSA_SESSION=session1 call "$T/record" >"$T/out" 2>"$T/log"
	wait_until grep -q 'session1 failed reason="recording: .*File exists"' "$T/record.log"
	assertEquals 'the session goes on without' 221 "$(tail -n 1 "$T/out" | cut -c 1-3)"
	printf 'QUIT\r\n' | MSA_SESSION=../x record "$T/recs" submitd "$T/chain" >"$T/out" 2>"$T/log"
	assertContains 'an id that is no name' "$(cat "$T/log")" 'Invalid argument'
	assertEquals 'goes on too' 221 "$(tail -n 1 "$T/out" | cut -c 1-3)"
}

# The server says something between the octets of the line that ends the message.
test_a_dot_in_parts_is_one_dot() {
	program_make slow <<-'P'
		#!/bin/sh
		printf '220 x\r\n'
		read -r line
		printf '354 go\r\n'
		dd bs=1 count=5 of=/dev/null 2>/dev/null
		printf '250-still\r\n'
		dd bs=1 count=1 of=/dev/null 2>/dev/null
		printf '250 ok\r\n'
		read -r line
		printf '221 bye\r\n'
	P
	for how in '' -c; do
		rm -f "$T/rec"
		# shellcheck disable=SC2086
		"$T/speak" 1: '1:DATA\r\n' '0:x\r\n.\r' w:still '1:\n' '1:QUIT\r\n' -- record $how "$T/rec" "$T/slow" >"$T/out" 2>"$T/log"
		sed '/^#/d; s/^[0-9.]* //; /^S/d' "$T/rec" | tail -n 1 >"$T/got"
		assertEquals "$how: $(cat "$T/rec")" 'C QUIT' "$(cat "$T/got")"
	done
	rm -f "$T/rec"
	"$T/speak" 1: '1:DATA\r\n' '0:x\r\n.\r' w:still '1:\n' '1:QUIT\r\n' -- record "$T/rec" "$T/slow" >"$T/out" 2>"$T/log"
	assertEquals 'the length of the content' 3 "$(sed -n 's/.*content \([0-9]*\).*/\1/p' "$T/rec" | awk '{ n += $1 } END { print n }')"
}

# usage: replayed option ... ; $code, $T/out
replayed() {
	SMTPAUTHUSER=alice MSA_HOST=h replay "$@" >"$T/out" 2>"$T/log"
	code=$?
}

test_a_recording_is_said_again() {
	for how in '' -c; do
		rm -f "$T/rec"
		recorded "$how" '1:EHLO client\r\n' '1:NONE\r\n' '3:MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
			'1:Subject: some text\r\n\r\n..\r\nx\r\n.\r\n' '2:MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\n' '1:BDAT 8\r\nA: b\r\n\r\n' \
			'1:BDAT 7 LAST\r\nQUIT\r\nx' '1:QUIT\r\n'
		replayed "$T/rec" submitd "$T/chain"
		assertEquals "$how: $(cat "$T/out" "$T/log")" 0 "$code"
		assertEquals "$how: silent" '' "$(cat "$T/out")"
		n=$(grep -n 'S 250 2.0.0 Ok' "$T/rec" | head -n 1 | cut -d : -f 1)
		dot=$(grep -n 'C [.]$' "$T/rec" | cut -d : -f 1)
		echo '550 5.7.1 No' >"$T/answer"
		replayed "$T/rec" submitd "$T/chain"
		assertEquals "$how: differs" 1 "$code"
		sed 's/message [0-9a-z]*/message ID/' "$T/out" >"$T/got"
		assert_got "$how: the difference" <<-X
			$T/rec: line $n: recorded 250 2.0.0 Ok, message ID
			$T/rec: line $n: answered 550 5.7.1 No
			$T/rec: line $dot: the client's last line: .
		X
		echo '250 2.0.0 taken' >"$T/answer"
		replayed -x "$T/rec" submitd "$T/chain"
		assertEquals "$how: another id is another text" 1 "$code"
	done
}

test_what_was_left_out_has_the_same_length() {
	printf '0.000 C DATA\n0.000 C- \\[content %s]\n0.000 C .\n0.000 C \\[secret 3]\n0.000 S 250 x\n' 1000 >"$T/rec"
	program_lines sink 'head -c 1014 >"$T/said"; printf "250 x\r\n"'
	replayed "$T/rec" "$T/sink"
	assertEquals "$(cat "$T/out" "$T/log")" 0 "$code"
	assertEquals 'all of it' 1014 "$(wc -c <"$T/said")"
	assertEquals 'each line ends with CRLF' 0 "$(tr -d '\n' <"$T/said" | tr '\r' '\n' | grep -c '.\{79\}')"
	assertEquals 'lines' "$(tr -cd '\r' <"$T/said" | wc -c)" "$(tr -cd '\n' <"$T/said" | wc -c)"
	assertEquals 'first' 'Subject: replay' "$(sed -n 2p "$T/said" | tr -d '\r')"
	assertEquals 'last' '. AAA' "$(tail -n 2 "$T/said" | tr -d '\r' | tr '\n' ' ' | sed 's/ $//')"
	for n in 1 2 3 19 20 21 95 96 97 98 99; do
		printf '0.000 C- \\[content %s]\n0.000 S 250 x\n' $n >"$T/rec"
		program_lines sink "head -c $n >\"\$T/said\"; printf '250 x\r\n'"
		replayed "$T/rec" "$T/sink"
		assertEquals "$n" "0 $n" "$code $(wc -c <"$T/said")"
		[ "$n" -eq 1 ] || assertEquals "$n: no bare CR or LF" "$(tr -cd '\r' <"$T/said" | wc -c)" "$(tr -cd '\n' <"$T/said" | wc -c)"
	done
}

test_servers_and_errors() {
	printf '# comment\n\n0.000 S 220 x\n0.1 C NOOP\n' >"$T/rec"
	replayed "$T/rec" "$T/server" '220 y'
	assertEquals 'not three digits' 100 "$code"
	assertEquals "replay: $T/rec: line 4: not a line of a recording" "$(cat "$T/log")"
	for line in '0.000 X y' '0.000 C a\' '0.000 C \q' '0.000 C \xg0' '0.000 C \[content]' '0.000 C \[secret 1' '0 C x' 'x' \
		'0.000 C\' '1234567890.000 C x' '0.000 C \[content 1234567890123]'; do
		printf '%s\n' "$line" >"$T/rec"
		replayed "$T/rec" "$T/server" '220 y'
		assertEquals "$line" 100 "$code"
	done
	printf '0.000 S hello\n' >"$T/rec"
	replayed "$T/rec" "$T/server" '220 y'
	assertEquals 'no answer' "100 replay: $T/rec: line 1: not a line of an answer" "$code $(cat "$T/log")"
	printf '0.000 S 220 x\n0.000 C QUIT\n0.000 S 221-5 x\n0.000 S 221 y\n' >"$T/rec"
	replayed "$T/rec" "$T/server" '220 y' '221-5 x\r\n221 y'
	assertEquals 'equal' 0 "$code"
	replayed -x "$T/rec" "$T/server" '220 y' '221 y'
	assertEquals 'another text' 1 "$code"
	assertContains "$(cat "$T/out")" "line 1: recorded 220 x"
	printf '0.000 S 220 x\n0.000 C NOOP\n0.000 S 250 2.0.0 x\n' >"$T/codes"
	replayed "$T/codes" "$T/server" '220 y' '250 2.0.0 y'
	assertEquals 'the same enhanced status code' 0 "$code"
	replayed "$T/codes" "$T/server" '220 y' '250 2.1.0 y'
	assertEquals 'another enhanced status code' 1 "$code"
	replayed "$T/rec" "$T/server" '220 y'
	assertEquals 'the server goes' 1 "$code"
	assertContains "$(cat "$T/out")" 'line 4: the server: it has closed the connection'
	replayed "$T/rec" "$T/server" '220 y' 'what'
	assertContains "$(cat "$T/out")" 'line 4: the server: not a line of an answer'
	replayed -t 1 "$T/rec" sleep 5
	assertContains "$(cat "$T/out")" 'line 1: the server: no answer in time'
	replayed "$T/none" "$T/server"
	assertEquals 'no recording' "100 replay: $T/none: No such file or directory" "$code $(cat "$T/log")"
	replayed "$T/rec" 127.0.0.1:1
	assertEquals 'nobody there' 111 "$code"
	replayed "$T/rec"
	assertEquals 'no server' 100 "$code"
	port=$(port_free)
	tcpserver -HR 127.0.0.1 "$port" "$T/server" '220 y' '221 y' 2>"$T/tcp.log" &
	pid=$!
	wait_until port_accepts "$port"
	replayed "$T/rec" "127.0.0.1:$port"
	assertEquals "over TCP: $(cat "$T/out" "$T/log")" 0 "$code"
	tcpclient -HR 127.0.0.1 "$port" replay "$T/rec" >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "over descriptors: $(cat "$T/out" "$T/log")" 0 "$code"
	kill "$pid"
	wait "$pid" 2>/dev/null
}

# 20 MB of content: not in memory, neither here nor there.
test_a_long_message() {
	mkfifo "$T/fifo"
	printf '0.000 S 220 x\n0.000 C EHLO x\n0.000 S 250 x\n0.000 C MAIL FROM:<a@b.example>\n0.000 S 250 2.1.0 x\n' >"$T/rec.in"
	printf '0.000 C RCPT TO:<a@b.example>\n0.000 S 250 2.1.5 x\n0.000 C DATA\n0.000 S 354 x\n' >>"$T/rec.in"
	printf '0.000 C- \\[content 20000000]\n0.000 C .\n0.000 S 250 2.0.0 x\n' >>"$T/rec.in"
	most=60000000
	! program_sanitized || most=unlimited
	SMTPAUTHUSER=alice prlimit --as=$most replay "$T/rec.in" record "$T/rec" submitd "$T/chain" >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "$(cat "$T/out" "$T/log")" 0 "$code"
	assertEquals 'octets' 20000000 "$(wc -c <"$T/msg")"
	assertTrue 'recorded' "grep -q 'content 20000000' $T/rec || [ \$(sed -n 's/.*content \([0-9]*\).*/\1/p' $T/rec | awk '{ n += \$1 } END { print n }') -eq 20000000 ]"
}

. "$SHUNIT2"
