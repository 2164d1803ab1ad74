#!/bin/sh
# submitd: what the client hears of the message chain, and what the chain is given. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"

LOCAL='451 4.3.0 Local error, try again later'
REFUSED='554 5.7.1 Refused'

# A row of the verdict table: what the client hears where the next program is a script of that text. The rows of a test are
# judged by one session, a message each. usage: row reply text; then: judge
row() {
	rows=$((${rows:-0} + 1))
	printf '%b\n' "$2" >"$T/row.$rows"
	printf '%b\n' "$1" >>"$T/rows"
	printf '%s\n' '> MAIL FROM:<a@example.org>' '> RCPT TO:<b@example.net>' '>> BDAT 2 LAST\r\n\r\n' >>"$T/script"
}

program_make row <<'E2'
#!/bin/sh
n=$(($(cat "$T/n") + 1))
echo $n >"$T/n"
. "$T/row.$n"
E2

judge() {
	echo 0 >"$T/n"
	{
		echo '> HELO x'
		cat "$T/script"
		printf '%s\n' '> QUIT' '<<'
	} >"$T/all"
	dialogue_submit submitd -t 10 "$T/row" <"$T/all"
	sed -e '1,2d; /^250 2.1/d; /^221/,$d' "$T/out" >"$T/answers"
	assert_same 'rows' "$T/rows" "$T/answers"
	assertEquals 'a line for each message' "$rows" "$(grep -c ' \(accepted\|refused\) ' "$T/log")"
	rm "$T/rows" "$T/script"
	rows=0
}

test_replies_of_a_complete_verdict() {
	row '250 2.0.0 Ok, message ID' 'echo 250 ok'
	row '250 2.0.0 Ok, message ID' 'echo "250-2.0.0 a"; echo 250 b'
	row '250 2.0.0 Ok, message ID' 'printf "250 ok\\\\r\\\\n"'
	row '250 2.0.0 Ok, message ID' 'echo 250 ok; echo .; exit 1'
	row '250 2.0.0 Ok, message ID' 'echo 250 ok; echo .; kill -9 $$'
	row '250 2.0.0 Ok, message ID' 'echo 200'
	row '450 4.2.0 Later' 'echo 450 4.2.0 Later'
	row '550-5.1.1 No\n550 5.1.1 user' 'echo 550-5.1.1 No; echo 550 5.1.1 user'
	row '550 5.0.0 No code' 'echo 550 No code'
	row '550 5.0.0 4.1.1 wrong class' 'echo 550 4.1.1 wrong class'
	row '451 4.3.0 The next server said: 421 4.3.2 bye' 'echo 421 4.3.2 bye'
	row '451 4.3.0 The next server said: 354 go' 'echo 354 go'
	row '554 5.3.0 The next server said: 521 5.3.2 no mail' 'echo 521 5.3.2 no mail'
	row '554 5.3.0 The next server said: 503 order' 'echo 503 order'
	row '554 5.3.0 The next server said: 535 5.7.8 who' 'echo 535 5.7.8 who'
	judge
}

test_what_is_no_verdict_is_451() {
	row "$LOCAL" 'exit 0'
	row "$LOCAL" 'cat >/dev/null # forgot exec'
	row "$LOCAL" 'echo nonsense'
	row "$LOCAL" 'echo 250ok'
	row "$LOCAL" 'echo 250-ok'
	row "$LOCAL" 'echo 250-ok; echo 251 ok'
	row "$LOCAL" 'echo 250 ok; echo 250 ok'
	row "$LOCAL" 'echo 250 ok; echo'
	row "$LOCAL" 'echo 150 ok'
	row "$LOCAL" 'echo 650 ok'
	row "$LOCAL" 'echo .'
	row "$LOCAL" 'yes 250 ok | head -c 2000000'
	row "$LOCAL" 'echo 250 ok; exec yes'
	judge
}

test_exit_codes() {
	for code in 1 2 64 75 99 126 127 255; do
		row "$LOCAL" "echo 250 ok; exit $code"
	done
	row "$LOCAL" 'echo 550 no; exit 1'
	for code in 100 65 67 68 77; do
		row "$REFUSED" "exit $code"
		row '550 5.7.0 Not here' "echo 550 5.7.0 Not here; exit $code"
		row '450 4.7.0 Not now' "echo 450 4.7.0 Not now; exit $code"
		row "$LOCAL" "echo 250 ok; exit $code"
		row "$REFUSED" "echo nonsense; exit $code"
	done
	row "$LOCAL" 'exit 111'
	row '450 4.7.0 Not now' 'echo 450 4.7.0 Not now; exit 111'
	row '550 5.7.0 Not here' 'echo 550 5.7.0 Not here; exit 111'
	row "$LOCAL" 'echo nonsense; exit 111'
	row "$LOCAL" 'echo 250 ok; exit 111'
	judge
}

test_a_killed_program_is_451() {
	row "$LOCAL" 'echo 250 ok; kill -9 $$'
	row "$LOCAL" 'echo 550 no; kill -15 $$'
	judge
}

test_a_missing_or_unusable_program_is_451() {
	dialogue_verdict "$T/missing"
	assertEquals "$LOCAL" "$(cat "$T/answer")"
	assertTrue 'log' "grep -q 'next program $T/missing: No such file or directory' $T/log"
	: >"$T/plain"
	dialogue_verdict "$T/plain"
	assertEquals "$LOCAL" "$(cat "$T/answer")"
	dialogue_verdict "$T"
	assertEquals "$LOCAL" "$(cat "$T/answer")"
}

# A stage such as qualify hands the message on to the next program: without a next program, nothing is accepted.
test_a_forgotten_injector_is_451() {
	program_make pass <<-'E2'
		#!/bin/sh
		grep -qi '^X-Secret:' && { echo '550 5.7.0 Not outside'; exit 100; }
		rewind
		exec "$@"
	E2
	program_make rewind <<-'E2'
		#!/bin/sh
		exec python3 -c 'import os; os.lseek(0, 0, 0)'
	E2
	PATH=$T:$PATH dialogue_verdict "$T/pass"
	assertEquals "$LOCAL" "$(cat "$T/answer")"
	PATH=$T:$PATH dialogue_verdict "$T/pass" "$SINK"
	assertEquals '250 2.0.0 Ok, message ID' "$(cat "$T/answer")"
	assertEquals 'rewound' 'Subject: x' "$(tr -d '\r' <"$T/message")"
	PATH=$T:$PATH dialogue_verdict "$T/pass" "$T/missing"
	assertEquals "$LOCAL" "$(cat "$T/answer")"
}

# Two readers share one offset: the second sees nothing unless somebody rewinds or reopens.
test_two_readers_of_fd_0() {
	program_make readers <<-'E2'
		#!/bin/sh
		cat | wc -c >"$T/first"
		cat | wc -c >"$T/second"
		cat /proc/self/fd/0 | wc -c >"$T/reopened"
		echo 250 ok
	E2
	dialogue_verdict "$T/readers"
	assertEquals '12 0 12' "$(cat "$T/first") $(cat "$T/second") $(cat "$T/reopened")"
}

# Three recipients, and a script of that text for the chain. usage: three [VARIABLE=value] text
three() {
	printf '#!/bin/sh\n%b\n' "$1" | program_make three
	dialogue_submit submitd "$T/three" <<-E2
		> ${2:-EHLO} x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> RCPT TO:<d@example.net>
		>> ${3:-DATA\r\n.\r\n}
		> NOOP
		> QUIT
		<<
	E2
	sed -e '1,/^250 CHUNKING/d' "$T/out" | sed -e '/^250 2.1/d; /^354/d' >"$T/answer"
}

test_results_that_differ_are_451_in_smtp() {
	printf '%s\n' '451 4.3.0 Not all recipients could be served alike, try again' '250 2.0.0 Ok' '221 2.0.0 Bye' EOF \
		'exit 0' >"$T/want"
	three 'echo 250 ok; echo 550 5.1.1 no; echo 250 ok'
	assert_same 'mixed' "$T/want" "$T/answer"
	assertTrue 'the log says what was said' "grep -q ' mixed .* code=451 .* reason=no$' $T/log"
	three 'echo 450 ok; echo 550 5.1.1 no; echo 250 ok'
	assert_same 'mixed' "$T/want" "$T/answer"
}

test_the_first_4yz_speaks_for_all_else_the_first_5yz() {
	three 'echo 550 5.1.1 one; echo 450 4.2.0 two; echo 451 4.2.0 three'
	assertEquals '450 4.2.0 two' "$(head -n 1 "$T/answer")"
	three 'echo 550 5.1.1 one; echo 551 5.1.1 two; echo 552 5.1.1 three'
	assertEquals '550 5.1.1 one' "$(head -n 1 "$T/answer")"
	three 'echo 250 1; echo 250 2; echo 250 3'
	assertEquals '250 2.0.0 Ok, message ID' "$(head -n 1 "$T/answer")"
	three 'echo 250 1'
	assertEquals 'one for all' '250 2.0.0 Ok, message ID' "$(head -n 1 "$T/answer")"
}

test_a_wrong_number_of_replies_is_451() {
	for n in 2 4 1000; do
		three "yes 250 ok | head -n $n"
		assertEquals "$n" "$LOCAL" "$(head -n 1 "$T/answer")"
		three "yes 550 no | head -n $n; exit 100"
		assertEquals "$n, exit 100" '550 5.0.0 no' "$(head -n 1 "$T/answer")"
	done
}

test_lmtp_answers_for_each_recipient() {
	export MSA_LMTP=''
	for last in 'DATA\r\n.\r\n' 'BDAT 0 LAST\r\n'; do
		three 'echo 250 ok; echo 550-5.1.1 no; echo 550 5.1.1 such; echo 450 4.2.0 later' LHLO "$last"
		cat >"$T/want" <<-'E2'
			250 2.0.0 Ok, message ID
			550-5.1.1 no
			550 5.1.1 such
			450 4.2.0 later
			250 2.0.0 Ok
			221 2.0.0 Bye
			EOF
			exit 0
		E2
		assert_same "$last" "$T/want" "$T/answer"
		three 'exit 111' LHLO "$last"
		cat >"$T/want" <<-'E2'
			451 4.3.0 Local error, try again later
			451 4.3.0 Local error, try again later
			451 4.3.0 Local error, try again later
			250 2.0.0 Ok
			221 2.0.0 Bye
			EOF
			exit 0
		E2
		assert_same "$last, fails" "$T/want" "$T/answer"
	done
	unset MSA_LMTP
}

# shellcheck disable=SC2016
test_msa_partial_is_set_in_lmtp_alone() {
	three 'echo "250 ${MSA_PARTIAL-unset}" | tee "$T/partial"'
	assertEquals '250 unset' "$(cat "$T/partial")"
	MSA_LMTP='' three 'echo "250 ${MSA_PARTIAL-unset}" | tee "$T/partial"' LHLO
	assertEquals '250 ' "$(cat "$T/partial")"
}

test_the_deadline_is_451_and_ends_the_whole_group() {
	for trap in '' 'trap "" TERM'; do
		program_make slow <<-E2
			#!/bin/sh
			$trap
			echo 250 ok
			sleep 60 &
			echo "\$\$ \$!" >"$T/pids"
			sleep 60
			echo .
		E2
		dialogue_verdict -t 2 "$T/slow"
		assertEquals '451 4.4.7 No answer in time, try again later' "$(cat "$T/answer")"
		read -r leader child <"$T/pids"
		assertFalse 'the program is gone' "proc_alive $leader"
		assertFalse 'and what it had started' "proc_alive $child"
	done
	assertTrue 'log' "grep -q ' verdict .*why=\"deadline passed\"' $T/log"
}

test_a_daemon_that_keeps_the_verdicts_pipe_open_holds_nobody() {
	program_make daemon <<-'E2'
		#!/bin/sh
		sleep 60 &
		echo $! >"$T/pid"
		echo 250 ok
	E2
	start=$(date +%s)
	dialogue_verdict "$T/daemon"
	kill "$(cat "$T/pid")"
	assertEquals '250 2.0.0 Ok, message ID' "$(cat "$T/answer")"
	assertTrue 'soon' "[ $(($(date +%s) - start)) -lt 30 ]"
}

# A client that leaves when the whole message is in changes nothing.
test_a_client_that_leaves_after_the_dot_has_its_message_delivered() {
	program_make late <<-'E2'
		#!/bin/sh
		sleep 0.5
		cat >"$T/message"
		echo 250 ok
	E2
	dialogue_submit submitd "$T/late" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		> Subject: x
		> .
		sleep 0.2
		close
	E2
	assertEquals 'Subject: x' "$(tr -d '\r' <"$T/message")"
	assertTrue 'log' "grep -q ' accepted ' $T/log"
}

test_the_message_is_a_regular_file_that_nobody_can_change() {
	program_make change <<-'E2'
		#!/bin/sh
		{
			[ -f /proc/self/fd/0 ] && echo regular
			[ -f /proc/self/fd/3 ] && echo regular
			(echo x >&0) 2>/dev/null || echo closed
			(echo x >>/proc/self/fd/0) 2>/dev/null || echo closed
			(: >/proc/self/fd/0) 2>/dev/null || echo closed
			(echo x >&3) 2>/dev/null || echo closed
			(echo x >>/proc/self/fd/3) 2>/dev/null || echo closed
			(: >/proc/self/fd/3) 2>/dev/null || echo closed
		} >"$T/changes"
		exec "$T/sink"
	E2
	dialogue_verdict "$T/change"
	assertEquals 'regular regular closed closed closed closed closed closed' "$(tr '\n' ' ' <"$T/changes" | sed 's/ $//')"
	assertEquals 'message' 'Subject: x' "$(tr -d '\r' <"$T/message")"
	printf 'MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\n' >"$T/want"
	assert_same 'envelope' "$T/want" "$T/envelope"
}

# The same where the message is a file on disk. Root may write to anything, so somebody else is asked.
test_a_large_message_is_a_file_that_nobody_can_change() {
	needs root || return 0
	chmod 755 "$T"
	chmod 1777 "$T/tmp"
	program_make change <<-'E2'
		#!/bin/sh
		{
			stat -L -c '%F %a' /proc/self/fd/0
			(echo x >&0) 2>/dev/null || echo closed
			(echo x >>/proc/self/fd/0) 2>/dev/null || echo closed
			(: >/proc/self/fd/0) 2>/dev/null || echo closed
			wc -c </proc/self/fd/0
		} >"$T/tmp/changes"
		echo 250 ok
	E2
	yes "$(printf '%074d\r' 0)" | head -n 6000 >"$T/big"
	dialogue_submit setpriv --reuid=65534 --clear-groups submitd "$T/change" <<-E2
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> BDAT $(wc -c <"$T/big") LAST
		file $T/big
		> QUIT
		<<
	E2
	assertEquals '250 2.0.0 Ok, message ID' "$(sed -n 5p "$T/out")"
	assertEquals "regular file 444 closed closed closed $(wc -c <"$T/big")" "$(tr '\n' ' ' <"$T/tmp/changes" | sed 's/ $//')"
	rm "$T/tmp/changes"
}

test_the_callers_descriptors_are_not_the_chains() {
	program_make descriptors <<-'E2'
		#!/bin/sh
		ls /proc/$$/fd >"$T/fds"
		cat <&3 >"$T/envelope"
		echo 250 ok
	E2
	echo secret >"$T/secret"
	exec 5<"$T/secret"
	for caller in "-3 $T/secret" '-3 /dev/null'; do
		# shellcheck disable=SC2086
		dialogue_submit $caller sh -c "exec submitd '$T/descriptors' 4<'$T/secret' 5<&4" <<-'E2'
			> HELO x
			> MAIL FROM:<a@example.org>
			> RCPT TO:<b@example.net>
			> DATA
			> .
			> QUIT
			<<
		E2
		# sh keeps its script and what it restores at 10 and above
		assertEquals 'descriptors' '0 1 2 3' "$(grep -v .. "$T/fds" | paste -sd' ' -)"
		printf 'MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\n' >"$T/want"
		assert_same 'envelope' "$T/want" "$T/envelope"
	done
	exec 5<&-
}

test_what_the_caller_forged_does_not_survive() {
	program_make forged <<-'E2'
		#!/bin/sh
		env | grep '^MSA_[MRDP]' | sort >"$T/facts"
		echo 250 ok
	E2
	now=$(date +%s)
	MSA_MESSAGE=forged MSA_RCPTS=7 MSA_DEADLINE=9 MSA_PARTIAL=1 dialogue_verdict -t 50 "$T/forged"
	assertEquals '250 2.0.0 Ok, message ID' "$(cat "$T/answer")"
	assertFalse 'forged' "grep -q forged $T/facts $T/log"
	assertFalse 'MSA_PARTIAL' "grep -q MSA_PARTIAL $T/facts"
	assertTrue 'MSA_RCPTS' "grep -qx MSA_RCPTS=1 $T/facts"
	deadline=$(sed -n 's/^MSA_DEADLINE=//p' "$T/facts")
	assertTrue "MSA_DEADLINE $deadline" "[ $deadline -ge $((now + 50)) ] && [ $deadline -le $((now + 80)) ]"
}

# The second message of a session sees nothing of the first.
test_each_message_has_its_own_facts_and_process() {
	program_make each <<-'E2'
		#!/bin/sh
		echo "$MSA_MESSAGE $MSA_RCPTS partial=${MSA_PARTIAL-no}" >>"$T/seen"
		cat >>"$T/seen"
		cat <&3 >>"$T/seen"
		echo 250 ok
	E2
	dialogue_submit submitd "$T/each" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org> PRDR
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> DATA
		> one
		> .
		> MAIL FROM:<d@example.org>
		> RCPT TO:<e@example.net>
		> BDAT 5 LAST
		> two
		> QUIT
		<<
	E2
	assertEquals 'two ids' 2 "$(grep '^[0-9a-z]\{14\} ' "$T/seen" | cut -d' ' -f1 | sort -u | wc -l)"
	sed 's/^[0-9a-z]\{14\} /ID /' "$T/seen" | tr -d '\r' >"$T/got"
	cat >"$T/want" <<-'E2'
		ID 2 partial=
		one
		MAIL FROM:<a@example.org>
		RCPT TO:<b@example.net>
		RCPT TO:<c@example.net>
		ID 1 partial=no
		two
		MAIL FROM:<d@example.org>
		RCPT TO:<e@example.net>
	E2
	assert_same 'messages' "$T/want" "$T/got"
}

test_a_user_of_its_own() {
	needs root || return 0
	program_make who <<-'E2'
		#!/bin/sh
		echo "250 $(id -un) $(id -G)" >&2
		echo 250 ok
	E2
	chmod 755 "$T"
	dialogue_verdict -U nobody "$T/who"
	assertTrue 'user' "grep -qx '250 nobody $(id -G nobody)' $T/log"
	dialogue_hold submitd -U no-such-user "$SINK" <<-'E2'
		<<
	E2
	assert_out 'no such user' <<-'E2'
		421 4.3.0 Local trouble, closing the connection
		EOF
		exit 100
	E2
}

. "$SHUNIT2"
