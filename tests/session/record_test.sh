#!/bin/sh
# record(8): what a recording has and what it leaves out. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/record.sh
. "$ROOT/tests/lib/record.sh"

test_content_is_left_out_and_commands_are_there() {
	record_session '' '1:EHLO client\r\n' '3:MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
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
	record_session -c '1:EHLO client\r\n' '3:MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
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
		'1:AUTH LOGIN\r\n' '1:HELP\r\n' '1:EHLO\r\n' '1:NOOP\r\n'|C AUTH LOGIN|S 334 \[secret 7]|C \[secret 4]|S 334 \[secret 7]|C \[secret 4]|C NOOP|
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
	record_session '' '1:LHLO client\r\n' '4:MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
		'2:x: y\r\n.\r\n' '1:DATA\r\n' '1:NOOP\r\n' '4:MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 6 LAST\r\nx: y\r\n' \
		'1:DATA\r\n' '1:RSET\r\n'
	unset MSA_LMTP
	assertEquals "LMTP: $(cat "$T/got")" 'DATA . DATA NOOP BDAT DATA RSET ' \
		"$(sed -n 's/^C \([A-Z.]*\).*/\1/p' "$T/got" | grep -v -e LHLO -e MAIL -e RCPT | tr '\n' ' ')"
	record_session '' '1:EHLO client\r\n' '4:MAIL FROM:<> PRDR\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n' \
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
	wait_until grep -q "^221" "$T/out" # call ends when the session has been handed over
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

. "$SHUNIT2"
