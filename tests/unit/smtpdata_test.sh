#!/bin/sh
# smtpdata: the text of a message, by DATA and by BDAT, and what may not stand in it. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"

test_every_cut_of_every_text_gives_the_same() {
	assertEquals '97656 texts' "$(test-unit smtpdata)"
}

# One text by BDAT in a packet with the next commands. $T/answer is what follows RCPT's reply. usage: by_bdat text [parameters]
by_bdat() {
	dialogue_submit submitd "$SINK" <<-E2
		> EHLO x
		> MAIL FROM:<a@example.org>${2:-}
		> RCPT TO:<b@example.net>
		>> BDAT $(dialogue_octets "$1") LAST\r\n$1NOOP\r\nQUIT\r\n
		<<
	E2
	sed -e '1,/^250 [A-Z0-9]*$/d' "$T/out" | sed '/^250 2.1/d' >"$T/answer"
}

# Each text of standard input, by DATA and by BDAT, with a command after it in the same packet, all in one session: all
# are refused at their end, none delivers anything, and the command behind is heard. usage: refuse_all DATA|BDAT behind
refuse_all() {
	echo '> EHLO x' >"$T/script"
	: >"$T/want"
	while read -r text; do
		text=$text$2
		[ "$1" = DATA ] && text="DATA\\r\\n$text\\r\\n.\\r\\n" || text="BDAT $(dialogue_octets "$text") LAST\\r\\n$text"
		printf '>> MAIL FROM:<a@example.org>\\r\\nRCPT TO:<b@example.net>\\r\\n%sVRFY x\\r\\n\n' "$text" >>"$T/script"
		cat <<-'E2' >>"$T/want"
			554 5.6.0 Bare CR, bare LF or NUL in the message
			252 2.5.0 Cannot verify, but will accept the message and attempt delivery
		E2
	done
	printf '%s\n' '> QUIT' '<<' >>"$T/script"
	printf '%s\n' '221 2.0.0 Bye' EOF 'exit 0' >>"$T/want"
	dialogue_submit submitd -e 1000 "$SINK" <"$T/script"
	sed -e '1,/^250 CHUNKING/d; /^250 2.1/d; /^354/d' "$T/out" >"$T/answer"
	assert_same "$1" "$T/want" "$T/answer"
	assertFalse "$1: nothing was delivered" "[ -e $T/message ]"
}

test_nothing_but_crlf_dot_crlf_ends_a_message() {
	cat >"$T/ends" <<-'E2'
		a\n.\n
		a\n.\r\n
		a\r\n.\n
		a\r\n.\r
		a\r.\r
		a\r.\r\n
		a\r\n.\r\r\n
		a\r\r\n..\r\n
		a\n\n.\n\n
		a\x00.\r\n
		a\r\n.\x00\r\n
		a\r\n\x00.\r\n
		a\r\n.\x00
		a\n
		a\r
		a\x00
		a\r\n\r
		a\n\r\n
		\n.\r\n
		\n
		\x00
		.\n
		.\r
	E2
	smuggled='MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nSubject: smuggled\r\n'
	for how in DATA BDAT; do
		refuse_all $how "$smuggled" <"$T/ends"
	done
}

test_a_bare_octet_at_the_end_of_a_message() {
	printf '%s\n' '\n' '\n.' '\x00' 'a\r' '.\r' 'a\r\n.\r' 'a\r\n\r' '\r' >"$T/ends"
	for how in DATA BDAT; do
		refuse_all $how '' <"$T/ends"
	done
}

test_an_octet_behind_a_chunk_is_the_next_commands() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		>> BDAT 5 LAST\r\na\r\n\r\nN
		sleep 0.2
		>> OOP\r\nQUIT\r\n
		<<
	E2
	sed -i '1,/^250 2.1.5/d' "$T/out"
	assert_out 'replies' <<-'E2'
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_a_crlf_cut_between_chunks_is_none_that_is_bare() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		>> BDAT 2\r\na\rBDAT 2\r\n\n\rBDAT 1 LAST\r\n\nNOOP\r\nQUIT\r\n
		<<
	E2
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'E2'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 2 octets received
		250 2.0.0 2 octets received
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	printf 'a\r\n\r\n' >"$T/want"
	assert_same 'message' "$T/want" "$T/message"
}

test_binarymime_takes_any_octet_and_only_by_bdat() {
	MSA_EHLO=8BITMIME,BINARYMIME by_bdat '\0\n.\r\r\n.\r\n\xff\r' ' BODY=BINARYMIME'
	assertEquals 'in step' '250 2.0.0 Ok' "$(sed -n 2p "$T/answer")"
	printf '\0\n.\r\r\n.\r\n\377\r' >"$T/want"
	assert_same 'message' "$T/want" "$T/message"
	MSA_EHLO=8BITMIME,BINARYMIME dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org> BODY=BINARYMIME
		> RCPT TO:<b@example.net>
		> DATA
		> BDAT 0 LAST
		> QUIT
		<<
	E2
	assertEquals 'DATA' 1 "$(grep -cx '503 5.5.1 Bad sequence of commands' "$T/out")"
	assertEquals 'BDAT' 1 "$(grep -cx '250 2.0.0 Ok, message ID' "$T/out")"
}

test_dots_are_unstuffed() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		>> ..\r\n...\r\n.a\r\na.\r\n\r\n.. \r\n.\r\nQUIT\r\n
		<<
	E2
	assertEquals '250 2.0.0 Ok, message ID' "$(sed -n 6p "$T/out")"
	printf '.\r\n..\r\na\r\na.\r\n\r\n. \r\n' >"$T/want"
	assert_same 'message' "$T/want" "$T/message"
}

test_dots_stay_in_bdat() {
	by_bdat '.\r\n..\r\n.\r\n'
	assertEquals '250 2.0.0 Ok, message ID' "$(head -n 1 "$T/answer")"
	printf '.\r\n..\r\n.\r\n' >"$T/want"
	assert_same 'message' "$T/want" "$T/message"
}

test_eight_bits_and_empty_messages_pass() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		>> \xe4\xff\x80\r\n.\r\n
		> QUIT
		<<
	E2
	printf '\344\377\200\r\n' >"$T/want"
	assert_same '8-bit' "$T/want" "$T/message"
	dialogue_submit submitd "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	assertEquals '250 2.0.0 Ok, message ID' "$(sed -n 6p "$T/out")"
	assertEquals 'empty' 0 "$(wc -c <"$T/message")"
	by_bdat ''
	assertEquals '250 2.0.0 Ok, message ID' "$(head -n 1 "$T/answer")"
	assertEquals 'empty' 0 "$(wc -c <"$T/message")"
}

# submitd reads 65,536 octets at once: the end at every place across that edge.
test_the_end_at_every_edge_of_the_buffer() {
	head='HELO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n'
	for shift in -5 -4 -3 -2 -1 0 1 2; do
		python3 - "$T" "$shift" "$(printf '%b' "$head" | wc -c)" <<-'E2'
			import sys
			n = 65536 - int(sys.argv[3]) + int(sys.argv[2])
			text = b''.join(b'.' + b'x' * 75 + b'\r\n' for i in range(n // 78 - 1))
			text += b'.' + b'y' * (n - len(text) - 3) + b'\r\n'
			open(sys.argv[1] + '/in', 'wb').write(text + b'.\r\nNOOP\r\nQUIT\r\n')
			open(sys.argv[1] + '/want', 'wb').write(b''.join(l[1:] for l in text.splitlines(True)))
		E2
		{
			printf '%b' "$head"
			cat "$T/in"
		} >"$T/all"
		printf '%s\n' "file $T/all" '<<' | dialogue_submit submitd "$SINK"
		assertEquals "$shift" '250 2.0.0 Ok' "$(sed -n 7p "$T/out")"
		assertTrue "$shift: text" "cmp $T/want $T/message"
	done
}

# A message of that many lines of 1,000 octets. usage: big lines
big() {
	python3 -c 'import sys
for i in range(int(sys.argv[1])): sys.stdout.write("%08d" % i + "x" * 990 + "\r\n")' "$1" >"$T/big"
}

# By DATA and by BDAT; what the client hears at the end is in $T/answer. usage: submit_big
submit_big() {
	if [ "$1" = DATA ]; then
		say='> DATA' end='> .'
	else
		say="> BDAT $(wc -c <"$T/big") LAST" end='# that was all'
	fi
	dialogue_submit submitd "$SINK" <<-E2
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		$say
		file $T/big
		$end
		> NOOP
		> QUIT
		<<
	E2
	sed '1,4d; /^354/d' "$T/out" >"$T/answer"
}

accepted_in_step() {
	cat >"$T/want" <<-'E2'
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	assert_same "$1" "$T/want" "$T/answer"
}

test_messages_larger_than_memorys_share_arrive_and_leave_no_file() {
	for lines in 262 263 300 30000; do
		big $lines
		for how in DATA BDAT; do
			submit_big $how
			accepted_in_step "$lines by $how"
			assertTrue "$lines by $how: text" "cmp $T/big $T/message"
			assertEquals 'no file' '' "$(ls -A "$T/tmp")"
		done
	done
}

test_one_line_of_ten_megabytes_passes() {
	head -c 10000000 /dev/zero | tr '\0' x >"$T/big"
	printf '\r\n' >>"$T/big"
	submit_big DATA
	accepted_in_step 'a long line'
	assertTrue 'text' "cmp $T/big $T/message"
}

refused_and_in_step() {
	cat >"$T/want" <<-E2
		$2
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	assert_same "$1" "$T/want" "$T/answer"
	assertFalse "$1: nothing was delivered" "[ -e $T/message ]"
	assertEquals "$1: no file" '' "$(ls -A "$T/tmp")"
}

test_too_big_is_refused_after_the_true_end() {
	big 400
	for how in DATA BDAT; do
		DATABYTES=400000 submit_big $how
		accepted_in_step "the limit itself by $how"
		DATABYTES=399999 submit_big $how
		refused_and_in_step "one over by $how" '552 5.3.4 Message too big'
		DATABYTES=1 submit_big $how
		refused_and_in_step "far over by $how" '552 5.3.4 Message too big'
	done
}

test_no_tmpdir_is_local_trouble() {
	big 400
	for how in DATA BDAT; do
		SUBMITD_TMPDIR=$T/none submit_big $how
		refused_and_in_step "$how" '451 4.3.0 Local error, try again later'
	done
}

# A file system of 300 KiB at $T/small; the caller unmounts it.
small_tmpfs() {
	mkdir -p "$T/small"
	mount -t tmpfs -o size=300k none "$T/small"
}

test_a_full_tmpdir_is_452() {
	needs mount || return 0
	small_tmpfs
	# it fills up while the data comes, or at the end
	for lines in 2000 320; do
		big $lines
		for how in DATA BDAT; do
			SUBMITD_TMPDIR=$T/small submit_big $how
			refused_and_in_step "$lines lines by $how" '452 4.3.1 Insufficient storage, try again later'
			assertEquals 'no file' '' "$(ls -A "$T/small")"
		done
	done
	# a log that cannot be written to must not hide the reason
	mkfifo "$T/fifo"
	: <"$T/fifo" &
	exec 4>"$T/fifo"
	wait $!
	TMPDIR=$T/small RELAYCLIENT='' talk submitd "$SINK" >"$T/out" 2>&4 <<-E2
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		file $T/big
		> .
		> QUIT
		<<
	E2
	exec 4>&-
	umount "$T/small"
	assertEquals 'without a log' '452 4.3.1 Insufficient storage, try again later' "$(sed -n 6p "$T/out")"
}

small_is_empty() {
	df --output=used "$T/small" | tail -n 1 | tr -d ' ' | grep -qx 0
}

# While the rest of a message is read for nothing, its beginning does not go on filling the disk.
test_a_message_that_is_lost_gives_its_room_back() {
	needs mount || return 0
	small_tmpfs
	big 1000
	mkfifo "$T/go"
	SUBMITD_TMPDIR=$T/small dialogue_submit submitd "$SINK" <<-E2 &
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		file $T/big
		file $T/go
		> .
		> QUIT
		<<
	E2
	exec 5>"$T/go" # the client has sent nearly all, and waits for the end of this
	wait_until small_is_empty
	exec 5>&-
	wait $!
	rm "$T/go"
	umount "$T/small"
	assertEquals 'and the answer' '452 4.3.1 Insufficient storage, try again later' "$(sed -n 6p "$T/out")"
}

test_a_limit_of_file_size_is_452_and_no_death() {
	big 2000
	for how in DATA BDAT; do
		(
			ulimit -f 600
			submit_big $how
		)
		refused_and_in_step "$how" '452 4.3.1 Insufficient storage, try again later'
	done
}

test_bdat_is_counted_exactly_and_may_come_in_pieces() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		>> BDAT 12\r\nSubj
		sleep 0.1
		>> ect: x\r
		sleep 0.1
		>> \nBDAT 0\r\nBD
		sleep 0.1
		>> AT 5 la
		sleep 0.1
		>> st\r\nab
		sleep 0.1
		>> c\r\nQU
		sleep 0.1
		>> IT\r\n
		<<
	E2
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'E2'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 12 octets received
		250 2.0.0 0 octets received
		250 2.0.0 Ok, message ID
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	printf 'Subject: x\r\nabc\r\n' >"$T/want"
	assert_same 'message' "$T/want" "$T/message"
}

test_bdat_out_of_order_is_swallowed() {
	dialogue_submit submitd "$SINK" <<-'E2'
		>> BDAT 6\r\nNOOP\r\nEHLO x\r\nBDAT 6 LAST\r\nQUIT\r\n
		> MAIL FROM:<a@example.org>
		>> BDAT 6 LAST\r\nQUIT\r\n
		> RCPT TO:<b@example.net>
		>> BDAT 3 LAST\r\na\r\n
		>> BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n
		<<
	E2
	sed -i '/^250-/d' "$T/out"
	assert_out 'replies' <<-'E2'
		220 mx.test ESMTP
		503 5.5.1 Bad sequence of commands
		250 CHUNKING
		503 5.5.1 Bad sequence of commands
		250 2.1.0 Sender ok
		554 5.5.1 No valid recipients
		250 2.1.5 Recipient ok
		250 2.0.0 Ok, message ID
		503 5.5.1 Bad sequence of commands
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_data_and_rcpt_after_bdat_are_503() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		>> BDAT 1\r\nx
		> DATA
		> RCPT TO:<c@example.net>
		> BDAT 0 LAST
		> QUIT
		<<
	E2
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'E2'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 1 octets received
		503 5.5.1 Bad sequence of commands
		503 5.5.1 Bad sequence of commands
		250 2.0.0 Ok, message ID
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

# RFC 3030 2: chunks in the pipeline behind the one that failed are discarded; the next MAIL begins anew.
test_chunks_behind_a_failed_one_are_discarded() {
	DATABYTES=5 dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		>> MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nBDAT 6\r\nQUIT\r\nBDAT 6\r\nNOOP\r\nBDAT 6 LAST\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\n
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		>> BDAT 6\r\nQUIT\r\nRSET\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nBDAT 6\r\nQUIT\r\nDATA\r\n
		> RCPT TO:<c@example.net>
		> MAIL FROM:<d@example.org>
		> RCPT TO:<e@example.net>
		>> BDAT 3 LAST\r\nx\r\nQUIT\r\n
		<<
	E2
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'E2'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		552 5.3.4 Message too big
		552 5.3.4 Message too big
		552 5.3.4 Message too big
		503 5.5.1 Bad sequence of commands
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		552 5.3.4 Message too big
		250 2.0.0 Ok
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		552 5.3.4 Message too big
		503 5.5.1 Bad sequence of commands
		503 5.5.1 Bad sequence of commands
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 Ok, message ID
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	printf 'MAIL FROM:<d@example.org>\nRCPT TO:<e@example.net>\n' >"$T/want"
	assert_same 'envelope' "$T/want" "$T/envelope"
	printf 'x\r\n' >"$T/want"
	assert_same 'message' "$T/want" "$T/message"
	assertEquals 'one log line for each message' '3 refused 1 accepted' \
		"$(grep -c ' refused ' "$T/log") refused $(grep -c ' accepted ' "$T/log") accepted"
}

# RFC 2033 4.3: one reply to a chunk, one for each recipient to the last, also behind a chunk that failed.
test_lmtp_counts_its_replies_behind_a_failed_chunk() {
	MSA_LMTP='' DATABYTES=5 dialogue_submit submitd "$SINK" <<-'E2'
		> LHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		>> BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\nQUIT\r\n
		<<
	E2
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'E2'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.1.5 Recipient ok
		552 5.3.4 Message too big
		552 5.3.4 Message too big
		552 5.3.4 Message too big
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_lmtp_refuses_data_once_for_each_recipient() {
	MSA_LMTP='' dialogue_submit submitd "$SINK" <<-'E2'
		> LHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> RCPT TO:<nonsense>
		> RCPT TO:<d@example.net>
		> DATA
		>> \n\r\n.\r\nNOOP\r\nQUIT\r\n
		<<
	E2
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'replies' <<-'E2'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.1.5 Recipient ok
		501 5.1.3 Bad recipient address syntax
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		554 5.6.0 Bare CR, bare LF or NUL in the message
		554 5.6.0 Bare CR, bare LF or NUL in the message
		554 5.6.0 Bare CR, bare LF or NUL in the message
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

# How long the chunk is nobody knows, so what follows cannot be told from commands.
test_a_bdat_that_cannot_be_counted_ends_the_session() {
	while read -r bad; do
		dialogue_submit submitd "$SINK" <<-E2
			> HELO x
			> MAIL FROM:<a@example.org>
			> RCPT TO:<b@example.net>
			>> BDAT $bad\r\nNOOP\r\nQUIT\r\n
			<<
		E2
		assert_out "BDAT $bad" <<-'E2'
			220 mx.test ESMTP
			250 mx.test
			250 2.1.0 Sender ok
			250 2.1.5 Recipient ok
			501 5.5.4 Syntax error in argument
			421 4.5.4 Cannot tell the chunk's length, closing the connection
			EOF
			exit 0
		E2
	done <<-'E2'
		
		LAST
		-1
		+1
		6 FIRST
		6LAST
		6  LAST
		6 LAST LAST
		0x6
		6.
		1000000000000000000
		99999999999999999999999999999999
	E2
}

. "$SHUNIT2"
