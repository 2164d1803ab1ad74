#!/bin/sh
# The client of lib/client.c and lib/mailing.c, by way of lmtp-inject: exact dialogues with a server that does what it is told.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

test_one_recipient() {
	lmtpd_start
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '250 2.0.0 Saved'
	assertEquals 'exit code' 0 "$code"
	assert_heard 'dialogue' 'LHLO test.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA \
		'Subject: test' '' Hello . QUIT
	assert_logged '^lmtp-inject: S/M done to=.*/s rcpts=1 accepted=1 ms=[0-9]* code=250$'
}

# The log says to whom the message went, and what the server answered: its own id among it.
test_the_log_has_each_recipient_and_its_reply() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<"a b"@example.org>' 'COPY TO:<log@example.net>'
	lmtpd_start "END#1=250 2.1.5 <bob@example.org> Ok: queued as 84A30A80678" "END#2=250 $(printf '%0300d' 0)x"
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	{
		echo 'reached rcpt=bob@example.org reply="250 2.1.5 <bob@example.org> Ok: queued as 84A30A80678"'
		echo "reached rcpt=\"\\x22a b\\x22@example.org\" reply=\"250 $(printf '%0255d' 0)\""
		echo 'copy rcpt=log@example.net reply="250 2.0.0 Saved"'
		echo "done to=$T/s rcpts=2 accepted=2 ms=N code=250"
	} | sed 's/^/lmtp-inject: S\/M /' >"$T/expected"
	sed -i 's/ms=[0-9]*/ms=N/' "$T/log"
	assert_same 'log' "$T/expected" "$T/log"
}

test_a_private_log_has_the_replies_without_addresses() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' 'COPY TO:<log@example.net>'
	lmtpd_start "END#1=250 2.1.5 <bob@example.org> Ok: queued as 84A30A80678" 'END#2=550 5.1.1 carol@example.org: unknown'
	chain_call MSA_PRIVATE='' MSA_PARTIAL='' lmtp-inject "$T/s"
	lmtpd_ended
	{
		echo 'reached reply="250 2.1.5 <?> Ok: queued as 84A30A80678"'
		echo 'refused reply="550 5.1.1 ?: unknown"'
		echo 'copy reply="250 2.0.0 Saved"'
		echo "done to=$T/s rcpts=2 accepted=1 ms=N code=550"
	} | sed 's/^/lmtp-inject: S\/M /' >"$T/expected"
	sed -i 's/ms=[0-9]*/ms=N/' "$T/log"
	assert_same 'log' "$T/expected" "$T/log"
	assert_verdict 'the verdict has all' '250 2.1.5 <bob@example.org> Ok: queued as 84A30A80678' \
		'550 5.1.1 carol@example.org: unknown'
}

# A check delivers nothing: nobody was reached.
test_a_check_logs_only_refusals() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	lmtpd_start 'RCPT:carol=550 5.1.1 No Carol'
	chain_call lmtp-inject -n "$T/s"
	lmtpd_ended
	{
		echo 'refused rcpt=carol@example.org reply="550 5.1.1 No Carol"'
		echo "done to=$T/s rcpts=2 accepted=1 ms=N code=550"
	} | sed 's/^/lmtp-inject: S\/M /' >"$T/expected"
	sed -i 's/ms=[0-9]*/ms=N/' "$T/log"
	assert_same 'log' "$T/expected" "$T/log"
}

test_a_check_with_a_message_tells_its_size_and_no_text() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	for text in 'Subject: test\r\n\r\nHello\r\n' ''; do
		chain_message "$text"
		lmtpd_start -e PIPELINING,SIZE
		chain_call lmtp-inject -n "$T/s"
		lmtpd_ended
		assert_heard "$text" 'LHLO test.example' "MAIL FROM:<alice@example.net>${text:+ SIZE=24}" \
			'RCPT TO:<bob@example.org>' RSET QUIT
	done
}

test_a_check_refuses_a_message_that_the_server_cannot_take() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	chain_message 'Subject: test\r\n\r\n\303\244\r\n'
	lmtpd_start -e PIPELINING
	chain_call lmtp-inject -n "$T/s"
	lmtpd_ended
	assert_heard 'nothing is asked' 'LHLO test.example' QUIT
	assert_verdict 'as in a delivery' '554 5.6.3 Next server does not take 8-bit data'
}

test_mail_and_rcpts_are_one_turn_and_data_another() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	lmtpd_start
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_turns 'turns' 'LHLO test.example\r\n' \
		'MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<carol@example.org>\r\n' \
		'DATA\r\n' 'Subject: test\r\n\r\nHello\r\n.\r\n' 'QUIT\r\n'
}

# DATA without a recipient is refused; a server that wants a text all the same gets none.
test_with_one_recipient_data_is_in_the_turn_too() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	lmtpd_start
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'taken' '250 2.0.0 Saved'
	assert_turns 'turns' 'LHLO test.example\r\n' 'MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n' \
		'Subject: test\r\n\r\nHello\r\n.\r\n' 'QUIT\r\n'
	for empty in '503 5.5.1 No recipients' '554 5.5.1 None' '354 Go on' '250 2.0.0 Saved' close; do
		lmtpd_start 'RCPT=550 5.1.1 No Bob' "EMPTY=$empty"
		chain_call lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "refused, then $empty" '550 5.1.1 No Bob'
		assertFalse "no text after $empty" "grep -q 'Subject' '$T/rec'"
		lmtpd_start 'MAIL=451 4.3.2 Later' "EMPTY=$empty"
		chain_call lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "no sender, then $empty" '451 4.3.2 Later'
		assertFalse "no text after $empty" "grep -q 'Subject' '$T/rec'"
	done
}

test_without_pipelining_each_command_is_a_turn() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	lmtpd_start -e ''
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '250 2.0.0 Saved' '250 2.0.0 Saved'
	assert_turns 'turns' 'LHLO test.example\r\n' 'MAIL FROM:<alice@example.net>\r\n' 'RCPT TO:<bob@example.org>\r\n' \
		'RCPT TO:<carol@example.org>\r\n' 'DATA\r\n' 'Subject: test\r\n\r\nHello\r\n.\r\n' 'QUIT\r\n'
}

test_bdat_where_chunking_is_offered() {
	chain_message '.Subject: test\r\n\r\n.\r\n..Hello\r\n'
	lmtpd_start -e PIPELINING,CHUNKING
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '250 2.0.0 Saved'
	assert_turns 'turns' 'LHLO test.example\r\n' 'MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\n' \
		'BDAT 30 LAST\r\n.Subject: test\r\n\r\n.\r\n..Hello\r\n' 'QUIT\r\n'
}

test_dots_are_stuffed() {
	chain_message '.Subject: test\r\n..\r\n\r\n.\r\na.b\r\n.x.\r\n...\r\n'
	lmtpd_start
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_heard 'dialogue' 'LHLO test.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA \
		'..Subject: test' '...' '' '..' 'a.b' '..x.' '....' . QUIT
}

test_dots_at_block_edges() {
	# The blocks that are read are 65,536 octets: put the line's start on both sides of that.
	for n in 65532 65533 65534 65535 65536; do
		python3 -c 'print("x" * ('"$n"' - 2) + "\r\n.\r\n..\r\n" + "y" * 70000 + "\r\n", end="")' >"$T/msg"
		lmtpd_start
		chain_call lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "verdict $n" '250 2.0.0 Saved'
		python3 - "$T/rec" "$T/msg" <<-'P'
			import sys
			rec, msg = (open(f, 'rb').read() for f in sys.argv[1:])
			text = rec.split(b'DATA\r\n', 1)[1].rsplit(b'.\r\nQUIT\r\n', 1)[0]
			lines = text.split(b'\r\n')
			assert all(l[:1] != b'.' or l[:2] == b'..' for l in lines)
			assert b'\r\n'.join(l[1:] if l[:1] == b'.' else l for l in lines) == msg
		P
		assertTrue "text $n" $?
	done
}

test_a_missing_last_line_end_is_added() {
	chain_message 'Subject: test\r\n\r\nHello'
	lmtpd_start
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'with DATA' 'Subject: test\r\n\r\nHello\r\n.\r\n' "$(sed -n 3p "$T/rec.reads")"
	lmtpd_start -e CHUNKING
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'with BDAT' 'BDAT 24 LAST\r\nSubject: test\r\n\r\nHello\r\n' "$(sed -n 4p "$T/rec.reads")"
}

test_an_empty_message() {
	chain_message ''
	lmtpd_start
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'with DATA' '.\r\n' "$(sed -n 3p "$T/rec.reads")"
	assert_verdict 'verdict' '250 2.0.0 Saved'
	lmtpd_start -e CHUNKING
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'with BDAT' 'BDAT 0 LAST\r\n' "$(sed -n 4p "$T/rec.reads")"
	assert_verdict 'verdict' '250 2.0.0 Saved'
}

tab=$(printf '\t')

# A session for each line of $T/table: how the server answers a step, a tab, the verdict. usage: each step keywords
each() {
	step=$1 keywords=$2 n=0
	set --
	while IFS=$tab read -r action verdict; do
		n=$((n + 1))
		set -- "$@" "$n/$step=$action"
	done <"$T/table"
	lmtpd_start -n "$n" -e "$keywords" "$@"
	while IFS=$tab read -r action verdict <&4; do
		chain_call lmtp-inject -t 1 "$T/s" 4<&-
		assert_verdict "$step=$action" "$(printf '%b' "$verdict")"
		case $verdict in
		2*) assertEquals "exit code of $step=$action" 0 "$code" ;;
		5*) assertEquals "exit code of $step=$action" 100 "$code" ;;
		*) assertEquals "exit code of $step=$action" 111 "$code" ;;
		esac
		assert_logged '^lmtp-inject: S/M done '
	done 4<"$T/table"
	lmtpd_ended
}

# usage: one_step step action keywords verdict
one_step() {
	printf '%s\t%s\n' "$2" "$4" >"$T/table"
	each "$1" "$3"
}

# Each kind of reply to a step. usage: every_reply step keywords [action tab verdict]
every_reply() {
	cat >"$T/table" <<-'TABLE'
	450 4.2.1 Busy	450 4.2.1 Busy
	550-5.7.1 Not\r\n550 5.7.1 you	550-5.7.1 Not\n550 5.7.1 you
	451 no enhanced code	451 4.0.0 no enhanced code
	421 4.3.2 Going	451 4.3.0 The next server said: 421 4.3.2 Going
	421 4.3.2 Going|close	451 4.3.0 The next server said: 421 4.3.2 Going
	521 5.3.2 No mail	554 5.3.0 The next server said: 521 5.3.2 No mail
	503 5.5.1 Order	554 5.3.0 The next server said: 503 5.5.1 Order
	530 5.7.0 AUTH first	554 5.3.0 The next server said: 530 5.7.0 AUTH first
	999 what	451 4.3.0 Local error, try again later
	199 what	451 4.3.0 Local error, try again later
	raw:hello\r\n	451 4.3.0 Local error, try again later
	raw:250 bare\n	451 4.3.0 Local error, try again later
	raw:250-a\r\n550 b\r\n	451 4.3.0 Local error, try again later
	close	451 4.4.2 Next server closed the connection, try again later
	raw:250-half|close	451 4.4.2 Next server closed the connection, try again later
	raw:2|close	451 4.4.2 Next server closed the connection, try again later
	TABLE
	[ -z "${3:-}" ] || printf '%s\n' "$3" >>"$T/table"
	each "$1" "$2"
}

go_on="354 Go on${tab}451 4.3.0 The next server said: 354 Go on"

test_every_reply_to_the_greeting() {
	every_reply GREETING '' "$go_on"
}

test_every_reply_to_lhlo() {
	every_reply LHLO '' "$go_on"
}

test_every_reply_to_mail() {
	every_reply MAIL PIPELINING "$go_on"
	every_reply MAIL '' "$go_on"
}

test_every_reply_to_rcpt() {
	every_reply RCPT PIPELINING "$go_on"
}

test_every_reply_to_data() {
	every_reply DATA PIPELINING "250 2.0.0 Ok${tab}451 4.3.0 Local error, try again later"
	one_step DATA '355 Go on' PIPELINING '451 4.3.0 Local error, try again later'
}

test_every_reply_to_the_text() {
	every_reply END PIPELINING "$go_on"
}

test_every_reply_to_bdat() {
	every_reply BDAT PIPELINING,CHUNKING "$go_on"
}

test_what_was_no_reply_is_logged_escaped() {
	one_step MAIL 'raw:what \x00 \x07"\r\n' '' '451 4.3.0 Local error, try again later'
	assert_logged 'failed to=.*/s at=MAIL reason="bare CR, bare LF or NUL in a reply" text="what ? .x07.x22'
	one_step MAIL '999 what' '' '451 4.3.0 Local error, try again later'
	assert_logged 'reason="not a reply" text="999 what"'
}

test_a_server_that_stalls_is_given_up_at_the_deadline() {
	steps='GREETING LHLO MAIL RCPT DATA END BDAT'
	start=$(date +%s)
	set --
	for step in $steps; do # all at the same time
		keywords=PIPELINING
		[ "$step" != BDAT ] || keywords=CHUNKING
		lmtpd -u "$T/s.$step" -e "$keywords" "$step=raw:250-so\r\n|stall" >"$T/ready.$step" &
		set -- "$@" $!
	done
	for step in $steps; do
		wait_until [ -s "$T/ready.$step" ]
		MSA_MESSAGE=M MSA_RCPTS=1 lmtp-inject -t 1 "$T/s.$step" <"$T/msg" 3<"$T/env" >"$T/verdict.$step" 2>"$T/log" &
		set -- "$@" $!
	done
	wait "$@"
	for step in $steps; do
		tr -d '\r' <"$T/verdict.$step" >"$T/verdict"
		assert_verdict "$step" '451 4.4.7 No answer in time, try again later'
	done
	assertTrue "took $(($(date +%s) - start)) s" "[ $(($(date +%s) - start)) -le 15 ]"
}

test_endless_replies_end_the_session() {
	one_step MAIL 'flood:250-more\r\n' PIPELINING '451 4.3.0 Local error, try again later'
	assert_logged 'reason="reply too long"'
	one_step MAIL 'flood:250xxxxxxxxxxxxxxxxxxxxxxxxxxxxx' PIPELINING '451 4.3.0 Local error, try again later'
	assert_logged 'reason="line too long"'
	one_step MAIL "250 $(text_repeat 65530 x)" PIPELINING '250 2.0.0 Saved'
	one_step MAIL "250 $(text_repeat 65531 x)" PIPELINING '451 4.3.0 Local error, try again later'
	assert_logged 'reason="line too long"'
	one_step END 'flood:\x00' PIPELINING '451 4.3.0 Local error, try again later'
}

test_refused_before_the_data_nothing_is_sent() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' \
		'COPY TO:<archive@example.net>'
	lmtpd_start 'RCPT:carol=550 5.1.1 No Carol'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'her reply is everybody'"'"'s' '550 5.1.1 No Carol' '550 5.1.1 No Carol'
	assertEquals 'exit code' 100 "$code"
	assert_heard 'no DATA' 'LHLO test.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' \
		'RCPT TO:<carol@example.org>' 'RCPT TO:<archive@example.net>' QUIT
	assert_logged 'refused rcpt=carol@example.org reply="550 5.1.1 No Carol"'
}

test_of_several_refusals_the_temporary_one_is_for_the_rest() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' 'RCPT TO:<c@example.org>'
	lmtpd_start 'RCPT:<a=550 5.1.1 No' 'RCPT:<b=450 4.2.1 Later'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '550 5.1.1 No' '450 4.2.1 Later' '450 4.2.1 Later'
}

test_no_more_recipients_are_named_once_one_was_refused() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' 'RCPT TO:<c@example.org>'
	lmtpd_start -e '' 'RCPT:<a=550 5.1.1 No'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '550 5.1.1 No' '550 5.1.1 No' '550 5.1.1 No'
	assert_heard 'dialogue' 'LHLO test.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<a@example.org>' QUIT
}

test_partial_each_recipient_has_its_own_reply() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' '550 5.7.1 Not to Carol' \
		'RCPT TO:<d@example.org>' 'COPY TO:<archive@example.net>'
	lmtpd_start 'RCPT:<b=450 4.2.1 Later' 'END#2=552 5.2.2 Full' 'END#3=554 5.6.0 No copy'
	chain_call MSA_PARTIAL=1 lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '250 2.0.0 Saved' '450 4.2.1 Later' '550 5.7.1 Not to Carol' '552 5.2.2 Full'
	assertEquals 'exit code: the verdict stands' 0 "$code"
	assert_heard 'dialogue' 'LHLO test.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<a@example.org>' \
		'RCPT TO:<b@example.org>' 'RCPT TO:<d@example.org>' 'RCPT TO:<archive@example.net>' \
		DATA 'Subject: test' '' Hello . QUIT
	assert_logged '^lmtp-inject: S/M reached rcpt=a@example.org reply="250 2.0.0 Saved"$'
	assert_logged 'refused rcpt=b@example.org reply="450 4.2.1 Later"'
	assert_logged 'refused reply="550 5.7.1 Not to Carol"'
	assert_logged 'copy rcpt=archive@example.net reply="554 5.6.0 No copy"'
	assert_logged 'done .* rcpts=4 accepted=1 '
}

test_partial_no_recipient_no_data() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' 'COPY TO:<archive@example.net>'
	lmtpd_start 'RCPT:example.org=550 5.1.1 No'
	chain_call MSA_PARTIAL=1 lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '550 5.1.1 No' '550 5.1.1 No'
	grep -q DATA "$T/rec"
	assertFalse 'the copy alone is not delivered' $?
}

test_a_refused_copy_changes_nothing() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'COPY TO:<archive@example.net>'
	lmtpd_start 'RCPT:archive=550 5.1.1 No archive'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '250 2.0.0 Saved'
	assert_logged 'copy rcpt=archive@example.net reply="550 5.1.1 No archive"'
}

test_after_a_refused_copy_the_next_one_is_named() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'COPY TO:<archive@example.net>' 'COPY TO:<b@example.net>'
	lmtpd_start -e 8BITMIME 'RCPT:archive=550 5.1.1 No archive'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '250 2.0.0 Saved'
	assertTrue "$(cat "$T/rec")" "grep -q '^RCPT TO:<b@example.net>' $T/rec"
}

# DATA was sent ahead of the reply to RCPT.
test_a_server_that_wants_a_text_that_nobody_may_get_hears_nothing_more() {
	lmtpd_start -e PIPELINING 'RCPT=550 5.1.1 No' 'EMPTY=354 Go on'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '550 5.1.1 No'
	assertTrue "DATA was sent: $(cat "$T/rec")" "grep -q '^DATA' $T/rec"
	assertFalse "no command as a text: $(cat "$T/rec")" "grep -q '^QUIT' $T/rec"
	lmtpd_start -e 8BITMIME 'MAIL=354 Go on'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'after MAIL' '451 4.3.0 The next server said: 354 Go on'
	assertFalse "no command as a text: $(cat "$T/rec")" "grep -q '^QUIT' $T/rec"
}

test_mixed_results_after_the_data_are_told_as_they_are() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	lmtpd_start 'END#2=552 5.2.2 Full'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '250 2.0.0 Saved' '552 5.2.2 Full'
}

test_replies_that_do_not_come_are_451() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' 'RCPT TO:<c@example.org>'
	lmtpd_start 'END#2=close'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'closed' '250 2.0.0 Saved' '451 4.4.2 Next server closed the connection, try again later' \
		'451 4.4.2 Next server closed the connection, try again later'
	lmtpd_start 'END#2=421 4.3.2 Going|close'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict '421' '250 2.0.0 Saved' '451 4.3.0 The next server said: 421 4.3.2 Going' \
		'451 4.3.0 The next server said: 421 4.3.2 Going'
	lmtpd_start 'END#2=stall'
	chain_call lmtp-inject -t 1 "$T/s"
	lmtpd_ended
	assert_verdict 'stalled' '250 2.0.0 Saved' '451 4.4.7 No answer in time, try again later' \
		'451 4.4.7 No answer in time, try again later'
}

test_bdat_refused_as_a_command_is_for_all() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	lmtpd_start -e CHUNKING 'BDAT#1=503 5.5.1 Not now' 'BDAT#2=stall'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'verdict' '554 5.3.0 The next server said: 503 5.5.1 Not now' \
		'554 5.3.0 The next server said: 503 5.5.1 Not now'
}

test_a_yes_that_comes_too_early_is_none() {
	# Two replies to one command: with BDAT the second could pass for the verdict.
	lmtpd_start -e PIPELINING,CHUNKING 'RCPT=250 2.1.5 Ok\r\n250 2.0.0 Saved'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'after RCPT' '451 4.3.0 Local error, try again later'
	grep -q BDAT "$T/rec"
	assertFalse 'no text' $?
	lmtpd_start 'GREETING=220 a\r\n220 b'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'after the greeting' '451 4.3.0 Local error, try again later'
	# A yes before the end of the text; it is large, so the server sees its first part alone.
	python3 -c 'print(("x" * 78 + "\r\n") * 20000, end="")' >"$T/msg"
	for e in PIPELINING PIPELINING,CHUNKING; do
		lmtpd_start -e "$e" 'TEXT=250 2.0.0 Saved'
		chain_call lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "in the text, $e" '451 4.3.0 Local error, try again later'
	done
}

test_a_refusal_within_the_text_is_the_reply() {
	python3 -c 'print(("x" * 78 + "\r\n") * 20000, end="")' >"$T/msg"
	for e in PIPELINING PIPELINING,CHUNKING; do
		lmtpd_start -e "$e" 'TEXT=452 4.3.1 Disk full'
		chain_call lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "said, $e" '452 4.3.1 Disk full'
		lmtpd_start -e "$e" 'TEXT=452 4.3.1 Disk full|close'
		chain_call lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "said and closed, $e" '452 4.3.1 Disk full'
		lmtpd_start -e "$e" 'TEXT=close'
		chain_call lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "closed, $e" '451 4.4.2 Next server closed the connection, try again later'
	done
}

test_a_server_that_takes_no_text_is_given_up_at_the_deadline() {
	python3 -c 'print(("x" * 78 + "\r\n") * 20000, end="")' >"$T/msg"
	lmtpd_start 'DATA=354 Go on|sleep:2'
	chain_call lmtp-inject -t 1 "$T/s"
	assert_verdict 'verdict' '451 4.4.7 No answer in time, try again later'
	lmtpd_ended
}

test_a_thousand_recipients_do_not_block() {
	# A server that answers each command at once, with long replies, while we write: 64 KiB in a pipe is not enough.
	set --
	i=0
	while [ "$i" -lt 1000 ]; do
		set -- "$@" "RCPT TO:<recipient-number-$i-with-a-rather-long-name@department.example.org>"
		i=$((i + 1))
	done
	chain_envelope '<alice@example.net>' "$@"
	long=$(printf '%0400d' 0)
	lmtpd_start "RCPT=250-2.1.5 $long\\r\\n250 2.1.5 ok" 'END#1000=550 5.0.0 The last'
	chain_call lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'replies and the dot' 1001 "$(wc -l <"$T/verdict" | tr -d ' ')"
	assertEquals 'accepted' 999 "$(grep -c '^250 2.0.0 Saved$' "$T/verdict")"
	assertEquals 'in order' '550 5.0.0 The last' "$(sed -n 1000p "$T/verdict")"
	assertEquals 'window: MAIL and 63 RCPT first' 64 "$(sed -n 2p "$T/rec.reads" | grep -o '\\r\\n' | wc -l | tr -d ' ')"
}

# All but the last block goes from file to socket, whatever the size.
test_a_large_message_is_not_copied_where_chunking_is_offered() {
	needs trace || return 0
	for mb in 1 6; do
		python3 -c 'import sys; sys.stdout.write("Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * ('"$mb"' * 1048576 // 78))' >"$T/msg"
		lmtpd_start -e PIPELINING,CHUNKING,8BITMIME
		chain_call env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -e trace=sendfile -o "$T/trace" \
			lmtp-inject "$T/s"
		lmtpd_ended
		assert_verdict "$mb MB" '250 2.0.0 Saved'
		sent=$(awk -F' = ' '/sendfile/ { n += $NF } END { print n + 0 }' "$T/trace")
		size=$(wc -c <"$T/msg")
		assertTrue "$mb MB: $sent of $size octets by sendfile" "[ $((size - sent)) -le 65536 ]"
	done
}

test_a_session_can_be_kept() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	lmtpd_start 'RCPT#1=550 5.1.1 Not yet'
	chain_call lmtp-keep "$T/s" 3
	lmtpd_ended
	printf '%s\n' '550 5.1.1 Not yet' . '250 2.0.0 Saved' . '250 2.0.0 Saved' . >"$T/expected"
	assert_same 'verdicts' "$T/expected" "$T/verdict"
	assert_heard 'dialogue' 'LHLO test.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' \
		DATA RSET 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA 'Subject: test' '' Hello . \
		'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA 'Subject: test' '' Hello . QUIT
	# It ends while it is kept: a new one is opened.
	lmtpd_start -n 2 'END=250 2.0.0 Saved\r\n421 4.4.2 Idle|close'
	chain_call lmtp-keep "$T/s" 2
	lmtpd_ended
	printf '%s\n' '250 2.0.0 Saved' . '250 2.0.0 Saved' . >"$T/expected"
	assert_same 'verdicts over two sessions' "$T/expected" "$T/verdict"
	assertEquals 'sessions' 2 "$(grep -c LHLO "$T/rec")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
