#!/bin/sh
# The stage filter: a command's output becomes the message only when it is complete and right.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

setUp() {
	rm -rf "$T/box"
	printf 'From: a@b.example\r\nSubject: one\r\n\r\nHello\r\n.dot\r\n' >"$T/m"
	printf 'MAIL FROM:<alice@example.net>\nRCPT TO:<bob@example.org>\nRCPT TO:<carol@example.org>\n' >"$T/e"
	MSA_MESSAGE=0abc MSA_SESSION=0aaa MSA_RCPTS=2
	export MSA_MESSAGE MSA_SESSION MSA_RCPTS
	unset MSA_DEADLINE
}

# usage: through filter-arg ...; the last stage stores
through() {
	filter "$@" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
}

# Nothing was handed on, the verdict is the lines named. usage: refused message exit line ...
refused() {
	message=$1 code=$2
	shift 2
	printf '%s\r\n' "$@" . >"$T/want"
	assert_same "$message" "$T/want" "$T/out"
	assertEquals "$message: $(cat "$T/log")" "$code" "$through"
	assertFalse "$message: nothing stored" "[ -e '$T/box' ]"
}

LOCAL='451 4.3.0 Local error, try again later'

test_output_becomes_the_message() {
	through 'sed s/one/two/'
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	sed s/one/two/ "$T/m" >"$T/want"
	assert_same "message" "$T/want" "$T/box/1/message"
	assert_same "envelope" "$T/e" "$T/box/1/envelope"
	printf '250 2.0.0 Stored\r\n250 2.0.0 Stored\r\n' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
	echo 'filter: 0aaa/0abc done command="sed s/one/two/"' >"$T/want"
	assert_same "log" "$T/want" "$T/log"
}

test_lines_for_commands_that_know_lf_only() {
	# shellcheck disable=SC2016
	through -u 'tr -dc "\r" | wc -c >"$T/crs"; rewind; sed "s/one\$/two/"'
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	assertEquals "the command saw no CR" 0 "$(cat "$T/crs")"
	sed s/one/two/ "$T/m" >"$T/want"
	assert_same "message" "$T/want" "$T/box/1/message"
}

test_lines_keep_a_large_message() {
	{ printf 'Subject: big\r\n\r\n'; text_random 700000 | base64 -w 61 | sed 's/$/\r/'; } >"$T/m"
	through -u cat
	assertTrue "same, with -l" "cmp -s '$T/m' '$T/box/1/message'"
	through cat
	assertTrue "same" "cmp -s '$T/m' '$T/box/2/message'"
}

test_the_command_reads_from_the_beginning() {
	{ head -c 7 >/dev/null; filter cat inject-file "$T/box" 3<"$T/e" >"$T/out" 2>"$T/log"; } <"$T/m"
	assert_same "message" "$T/m" "$T/box/1/message"
}

test_the_command_sees_envelope_and_facts() {
	# shellcheck disable=SC2016
	through 'printf "X-Sender: %s\r\nX-Id: %s\r\n" "$(envelope from)" "$MSA_MESSAGE"; cat'
	printf 'X-Sender: alice@example.net\r\nX-Id: 0abc\r\n' | cat - "$T/m" >"$T/want"
	assert_same "message" "$T/want" "$T/box/1/message"
}

test_what_is_handed_on_cannot_be_written() {
	# shellcheck disable=SC2016
	filter cat sh -c 'echo x >>/proc/self/fd/0; exec inject-file "$1"' sh "$T/box" <"$T/m" 3<"$T/e" >/dev/null 2>&1
	assert_same "message" "$T/m" "$T/box/1/message"
}

test_a_command_that_fails_hands_on_nothing() {
	for code in 1 2 75 126 127 111; do
		through "cat; exit $code"
		through=$?
		refused "exit $code" 111 "$LOCAL" "$LOCAL"
	done
	# shellcheck disable=SC2016
	through 'cat; kill -KILL $$'
	through=$?
	refused "killed" 111 "$LOCAL" "$LOCAL"
	through "$T/no-such-command"
	through=$?
	refused "no such command" 111 "$LOCAL" "$LOCAL"
}

test_the_log_names_the_command_that_failed() {
	through 'cat; exit 3'
	assertContains "$(cat "$T/log")" 'done verdict=451 why="unexpected exit code" exit=3 command="cat; exit 3"'
	through true
	assertContains "$(cat "$T/log")" 'why="command ended with 0, but wrote nothing" command=true'
}

test_a_command_can_refuse() {
	through 'cat; exit 100'
	through=$?
	refused "no text but the message" 100 '554 5.7.1 Refused' '554 5.7.1 Refused'
	through 'echo "550 5.7.0 No executables here"; exit 100'
	through=$?
	refused "its text" 100 '550 5.7.0 No executables here' '550 5.7.0 No executables here'
	through 'exit 77'
	through=$?
	refused "sysexits" 100 '554 5.7.1 Refused' '554 5.7.1 Refused'
	through 'echo "451 4.7.1 Come back"; exit 111'
	through=$?
	refused "later" 111 '451 4.7.1 Come back' '451 4.7.1 Come back'
	through 'echo "250 2.0.0 Fine"; exit 100'
	through=$?
	refused "a yes is never implied" 111 "$LOCAL" "$LOCAL"
	through -u 'printf "550 5.7.1 Not Bob\n451 4.7.1 Not now\n"; exit 100'
	through=$?
	refused "one each" 111 '550 5.7.1 Not Bob' '451 4.7.1 Not now'
}

test_output_that_is_no_message_is_451() {
	through true
	through=$?
	refused "nothing" 111 "$LOCAL"
	# shellcheck disable=SC2016
	for text in 'a: b\n\r\n' 'a: b\r\r\n' 'a\rb: c\r\n' 'a: b\r\n\r\nno end' 'a: b\r\n\000\r\n' 'a: b\r'; do
		through "printf '$text'"
		through=$?
		refused "$text" 111 "$LOCAL"
	done
	for text in 'a\rb: c\n' 'a: b\n\nno end' 'a: b\n\000\n'; do
		through -u "printf '$text'"
		through=$?
		refused "-u $text" 111 "$LOCAL"
	done
}

test_an_empty_message_may_stay_empty() {
	: >"$T/m"
	through cat
	assertEquals 0 $?
	assertTrue "[ -f '$T/box/1/message' ]"
	assertFalse "[ -s '$T/box/1/message' ]"
}

test_outside_of_a_chain_an_empty_message_is_refused() {
	: >"$T/m"
	(unset MSA_MESSAGE; exec filter 'echo "A: b"; echo' cat) <"$T/m" >"$T/got" 2>"$T/log"
	code=$?
	assertEquals "exit code: $(cat "$T/log")" 111 $code
	assertEquals 'filter: 0aaa done verdict=451 why="message is empty" command="echo \x22A: b\x22; echo"' "$(cat "$T/log")"
	assertFalse 'no output' "[ -s '$T/got' ]"
}

test_binary_content_is_not_lines() {
	printf 'MAIL FROM:<> BODY=BINARYMIME\nRCPT TO:<b@c.example>\n' >"$T/e"
	MSA_RCPTS=1
	printf 'a: b\r\n\r\n\000\n\r no end' >"$T/m"
	through -u cat
	through=$?
	refused "-l" 100 '554 5.6.3 Next server does not take binary data'
	through cat
	assert_same "message" "$T/m" "$T/box/1/message"
}

test_a_command_that_takes_too_long_is_ended_with_its_children() {
	start=$(date +%s)
	# shellcheck disable=SC2016
	through -t 2 'sleep 60 & echo $! >"$T/pid"; cat; wait'
	through=$?
	refused "late" 111 '451 4.4.7 No answer in time, try again later'
	assertTrue "soon" "[ $(($(date +%s) - start)) -lt 30 ]"
	assertTrue "child is gone" "proc_gone $(cat "$T/pid")"
	through -t 1 'exec >&-; sleep 30'
	through=$?
	refused "output closed, no end" 111 '451 4.4.7 No answer in time, try again later'
	MSA_DEADLINE=$(($(date +%s) + 3))
	export MSA_DEADLINE
	start=$(date +%s)
	through -t 30 'trap "" TERM; while :; do sleep 1; done'
	through=$?
	refused "MSA_DEADLINE" 111 '451 4.4.7 No answer in time, try again later'
	assertTrue "before MSA_DEADLINE, with a second's grace" "[ $(($(date +%s) - start)) -le 20 ]"
}

test_a_command_that_writes_without_end_is_ended() {
	through -t 10 'yes x'
	through=$?
	refused "too large" 111 "$LOCAL"
	assertTrue "said so" "grep -q 'too large' '$T/log'"
}

# Twice the message and 1 MiB.
test_the_size_of_the_output() {
	message=$(wc -c <"$T/m")
	for more in 0 1; do
		through "printf 'a: b\r\n\r\n'; head -c $((2 * message + 1048576 + more - 10)) /dev/zero | tr '\0' x; printf '\r\n'"
		assertEquals "$more more" $((111 * more)) $?
	done
	assertContains "$(cat "$T/log")" 'too large'
	assertEquals 'the first was taken' $((2 * message + 1048576)) "$(wc -c <"$T/box/1/message")"
}

test_told_to_end_it_ends_the_command() {
	# shellcheck disable=SC2016
	filter -t 20 'sleep 30 & echo $! >"$T/pid2"; wait' inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log" &
	pid=$!
	wait_until [ -s "$T/pid2" ]
	kill -TERM $pid
	wait $pid
	through=$?
	refused "ended" 111 "$LOCAL"
	assertTrue "child is gone" "proc_gone $(cat "$T/pid2")"
	preload_build moment || return 0
	export MOMENT_TERM=1 LD_PRELOAD="$T/moment.so"
	through -t 20 'unset LD_PRELOAD; sleep 30'
	through=$?
	unset MOMENT_TERM LD_PRELOAD
	refused 'told just before it waits' 111 "$LOCAL"
	assertContains "$(cat "$T/log")" 'ended by a signal'
}

test_no_space_is_452() {
	needs trace || return 0
	head -c 600000 /dev/zero | tr '\0' x >"$T/m"
	printf '\r\n' >>"$T/m"
	TMPDIR=$T/nowhere through cat
	through=$?
	refused "no directory" 111 "$LOCAL"
	# a leak checker cannot work under strace
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -o /dev/null -e trace=write -e inject=write:error=ENOSPC:when=1 \
		filter cat inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	through=$?
	refused "disk full" 111 '452 4.3.1 Insufficient storage, try again later'
}

test_bad_input_is_451() {
	head -c 99 "$T/m" | filter cat inject-file "$T/box" 3<"$T/e" >"$T/out" 2>"$T/log"
	through=111
	refused "a pipe" 111 "$LOCAL"
	filter cat inject-file "$T/box" <"$T/m" 3<&- >"$T/out" 2>"$T/log"
	through=$?
	refused "no envelope" 111 "$LOCAL"
	echo junk >"$T/e"
	through cat
	through=$?
	refused "no envelope in it" 111 "$LOCAL"
}

test_misuse_is_451_in_a_chain_and_100_outside() {
	for args in 'cat' '-t 0 cat true' '-t x cat true' '-x cat true' ''; do
		# shellcheck disable=SC2086
		filter $args <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
		through=$?
		refused "$args" 111 "$LOCAL"
		# shellcheck disable=SC2086
		(unset MSA_MESSAGE; filter $args) <"$T/m" >"$T/out" 2>"$T/log"
		assertEquals "$args" 100 $?
		case $args in
		'-t '*) want="filter: ${args%% cat*}: not a number from 1 to 86400" ;;
		*) want='usage: filter [-t seconds] [-u] [-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user] command prog [arg ...]' ;;
		esac
		assertEquals "$want" "$(tail -n 1 "$T/log")"
	done
}

. "$SHUNIT2"
