#!/bin/sh
# replay(8): a recording is said again to a server, and the first difference is told. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/record.sh
. "$ROOT/tests/lib/record.sh"

# usage: replayed option ... ; $code, $T/out
replayed() {
	SMTPAUTHUSER=alice MSA_HOST=h replay "$@" >"$T/out" 2>"$T/log"
	code=$?
}

test_a_recording_is_said_again() {
	for how in '' -c; do
		rm -f "$T/rec"
		record_session "$how" '1:EHLO client\r\n' '1:NONE\r\n' '3:MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
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
