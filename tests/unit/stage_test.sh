#!/bin/sh
# stage: how a program is started, judged and given up; what the next program gets. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

setUp() {
	printf 'Subject: x\r\n\r\nbody\r\n' >"$T/message"
	printf 'MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\n' >"$T/envelope"
	rm -f "$T/input" "$T/log"
}

# usage: delivered expected-first-line... -- args-of-deliver... ; what the client hears, and why; the log is $T/log
delivered() {
	want=$1
	shift
	test-unit stage deliver -m "$T/message" -e "$T/envelope" "$@" >"$T/got" 2>"$T/log" </dev/null
	assertEquals "$*" "$want" "$(tr -d '\r' <"$T/got" | tr '\n' '|')"
}

# No process has the given argument any more.
assert_gone() {
	wait_until eval "! pgrep -f '$1' >/dev/null"
}

L='451 4.3.0 Local error, try again later|'

test_a_verdict_by_exit_0_is_taken() {
	delivered '250 2.0.0 taken|(as it stands)|' sh -c 'echo 250 2.0.0 taken'
	delivered '250 2.0.0 taken|(as it stands)|' sh -c 'printf "250 2.0.0 taken\r\n.\r\n"'
	delivered '250 2.0.0 a|550 5.0.0 b|(as it stands)|' -n 2 sh -c 'echo 250 a; echo 550 b'
	delivered '250 2.0.0 a|250 2.0.0 a|(as it stands)|' -n 2 sh -c 'echo 250 a'
	assertEquals 'nothing to log' '' "$(cat "$T/log")"
}

test_the_closing_dot_counts_and_not_the_exit_code() {
	delivered '250 2.0.0 taken|(as it stands)|' sh -c 'echo 250 taken; echo .; exit 1'
	delivered '250 2.0.0 taken|(as it stands)|' sh -c 'echo 250 taken; echo .; echo garbage; kill -9 $$'
	delivered '250 2.0.0 taken|(as it stands)|' sh -c 'printf "250 tak"; sleep 0.1; printf "en\r\n."; sleep 0.1; printf "\r"; sleep 0.1; echo'
	delivered "$L(a line that is no reply)|" sh -c 'printf "250 taken\n."'
	delivered "$L(a line that is no reply)|" sh -c 'printf "250 taken\n..\n"'
}

test_a_missing_program_is_451() {
	delivered "$L(program could not be run)|" "$T/nothing-here"
	assertTrue 'logged' "grep -q 'next program .*nothing-here: No such file' $T/log"
	assertTrue 'logged with 127' "grep -q 'exit=127' $T/log"
	: >"$T/not-executable"
	delivered "$L(program could not be run)|" "$T/not-executable"
	assertTrue 'logged with 126' "grep -q 'exit=126' $T/log"
	rm "$T/not-executable"
}

test_a_forgotten_injector_is_451() {
	delivered "$L(no next program)|"
	assertTrue 'logged' "grep -q 'misuse reason=.no next program' $T/log"
	assertFalse 'nothing crashed' "grep -q -i 'sanitizer\\|signal' $T/log"
}

test_a_silent_program_is_451() {
	delivered "$L(no reply)|" true
	delivered "$L(no reply)|" sh -c 'echo .'
	delivered "$L(no reply)|" sh -c 'grep -q exe; : forgot exec'
}

test_a_chatty_program_is_451_and_ended() {
	delivered "$L(output ended without a closing dot)|" -w 20000 sh -c 'exec yes 250-hello-from-unit-test'
	assert_gone hello-from-unit-test
	# Its end is more than 1 MiB behind its beginning.
	text_repeat 20000 '250-a reply of lines, which have all sixty-four octets, no less\n' >"$T/long"
	printf '250 end\n.\n' >>"$T/long"
	delivered "$L(output ended without a closing dot)|" -w 20000 cat "$T/long"
}

test_a_killed_program_is_451() {
	delivered "$L(ended by a signal)|" sh -c 'echo 250 ok; kill -9 $$'
	delivered "$L(ended by a signal)|" sh -c 'echo 250 ok; kill -TERM $$'
}

test_exit_codes_are_heard() {
	delivered "$L(unexpected exit code)|" sh -c 'echo 250 ok; exit 1'
	delivered '554 5.7.1 Refused|(as it stands)|' sh -c 'exit 100'
	delivered '550 5.7.0 No|(as it stands)|' sh -c 'echo 550 5.7.0 No; exit 100'
	delivered "$L(exit code says later, without a reply)|" sh -c 'exit 111'
	delivered "$L(program could not be run)|" sh -c 'echo 250 ok; exit 126'
	assertTrue 'the log tells code and text' "grep -q 'exit=126 text=\"250 ok' $T/log"
}

# It holds the pipe, so there is no end of file: the exit tells.
test_a_background_child_that_holds_the_pipe_does_not_matter() {
	delivered '250 2.0.0 ok|(as it stands)|' sh -c 'echo 250 ok; sleep 3 & exit 0'
	assertEquals 'no deadline was waited for' '' "$(grep deadline "$T/log")"
	delivered '550 5.0.0 no|(as it stands)|' sh -c 'echo 550 no; sleep 3 & exit 100'
}

test_an_early_closed_output_waits_for_the_exit() {
	delivered '550 5.0.0 no|(as it stands)|' sh -c 'echo 550 no; exec >&-; sleep 0.3; exit 100'
	delivered '451 4.4.7 No answer in time, try again later|(deadline passed)|' -w 400 \
		sh -c 'echo 250 ok; exec >&-; exec sleep 20.125'
	assert_gone 'sleep 20.125'
}

# Whoever made them so: a program of somebody else knows nothing of it.
test_the_next_programs_descriptors_block() {
	python3 -c '
import socket, subprocess
a, b = socket.socketpair()
b.setblocking(False)
subprocess.run(["test-unit", "stage", "session", "python3", "-c", """import fcntl, os
print([fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK for fd in (0, 1)], flush=True)"""], stdin=b, stdout=b)
print(a.recv(100).decode().strip())' >"$T/got" 2>&1
	assertEquals '[0, 0]' "$(cat "$T/got")"
}

test_the_deadline_ends_the_whole_group() {
	late='451 4.4.7 No answer in time, try again later|(deadline passed)|'
	delivered "$late" -w 300 sh -c 'echo 250 ok; sleep 21.125; true'
	assert_gone 'sleep 21.125'
	delivered "$late" -w 300 sh -c 'trap "" TERM; sleep 22.125 & while :; do sleep 23.125; done'
	assert_gone 'sleep 2[23].125'
	delivered "$late" -w 300 sh -c 'while :; do echo 250-more; sleep 0.05; done'
	rm -f "$T/begun"
	delivered '451 4.4.7 No answer in time, try again later|(no time was left to start it)|' -w 0 sh -c ': >"$T/begun"; echo 250 ok'
	assertFalse 'it was not started' "[ -e '$T/begun' ]"
}

# The starter and the child both make the group, for either may come first.
test_a_program_that_begins_before_its_starter_goes_on_has_its_group() {
	preload_build moment || return 0
	export MOMENT_BEGUN=1 LD_PRELOAD="$T/moment.so"
	delivered '451 4.4.7 No answer in time, try again later|(deadline passed)|' -w 300 sh -c 'echo 250 ok; sleep 8.125; true'
	unset MOMENT_BEGUN LD_PRELOAD
	assert_gone 'sleep 8.125'
}

# A program that wrote the dot may run a little longer; it is reaped when the next message comes.
test_zombies_do_not_gather() {
	printf '%s\n' 'ps -o stat= --ppid $PPID | grep -c Z >&2; echo 250 ok; echo .; exec >&-; sleep 0.01' >"$T/script"
	test-unit stage deliver -t 20 sh "$T/script" >"$T/got" 2>"$T/log" </dev/null
	assertEquals 20 "$(grep -c '^250' "$T/got")"
	assertTrue "$(tr '\n' ' ' <"$T/log")" "[ $(sort -n "$T/log" | tail -n 1) -lt 8 ]"
}

# A helper's pid is its starter's until he has waited for it: he may still send it a signal.
test_only_who_was_started_for_a_message_is_reaped() {
	unit_gives stage reap <<-'END'
	program: reaped
	helper: there
	END
}

test_the_chain_gets_its_descriptors_and_no_others() {
	delivered '250 2.0.0 fds 0 1 2 3 |(as it stands)|' sh -c 'echo 250 "fds $(test-unit os fds)"' 9</dev/null
	delivered '250 2.0.0 regular|(as it stands)|' \
		sh -c 'cmp -s - "$T/message" && cmp -s "$T/envelope" /proc/self/fd/3 <&3 && echo 250 regular'
}

test_the_chain_gets_default_signals() {
	python3 -c 'import os, signal, sys
for s in signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM: # some may be ignored
    signal.signal(s, signal.SIG_DFL)
for s in (signal.SIGPIPE, signal.SIGCHLD): signal.signal(s, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1])
os.execvp(sys.argv[1], sys.argv[1:])' test-unit stage deliver sh -c \
		'grep -E "^Sig(Blk|Ign)" /proc/self/status | sed "s/^/250-/"; echo 250 end' >"$T/got" </dev/null
	assertEquals '0000000000000000 0000000000000000 ' \
		"$(sed -n 's/.*Sig...:.*\([0-9a-f]\{16\}\).*/\1/p' "$T/got" | proc_libc_aside | tr '\n' ' ')"
	python3 -c 'import os, signal, sys
for s in signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM: # some may be ignored
    signal.signal(s, signal.SIG_DFL)
for s in (signal.SIGPIPE, signal.SIGCHLD): signal.signal(s, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])
os.execvp(sys.argv[1], sys.argv[1:])' test-unit stage session grep -E '^Sig(Blk|Ign)' /proc/self/status \
		>"$T/got" </dev/null
	assertEquals '0000000000000000 0000000000000000 ' \
		"$(sed -n 's/.*Sig...:.*\([0-9a-f]\{16\}\).*/\1/p' "$T/got" | proc_libc_aside | tr '\n' ' ')"
}

test_facts_and_the_rest_of_the_environment_are_handed_on() {
	MSA_X_SITE=here OTHER=there delivered '250 2.0.0 here there|(as it stands)|' \
		sh -c 'echo 250 $MSA_X_SITE $OTHER'
	SMTPAUTHUSER=forged MSA_VERB=EHLO SSL_PROTOCOL=TLSv1.3 RELAYCLIENT='' test-unit stage session -o \
		sh -c 'echo "${SMTPAUTHUSER-no} ${MSA_VERB-no} $SSL_PROTOCOL ${RELAYCLIENT-no} ${#MSA_SESSION}"' \
		>"$T/got" 2>&1 </dev/null
	assertEquals 'no no TLSv1.3  14' "$(cat "$T/got")"
	MSA_SESSION=abc test-unit stage session sh -c 'echo $MSA_SESSION' >"$T/got" </dev/null
	assertEquals 'an id is kept' abc "$(cat "$T/got")"
}

test_an_empty_environment_is_no_trouble() {
	unit=$(command -v test-unit)
	env -i "$unit" stage message "$unit" os fds >"$T/got" 2>&1 </dev/null
	assertEquals '0 1 2 ' "$(cat "$T/got")"
}

test_a_session_stage_hides_inherited_descriptors() {
	test-unit stage session test-unit os fds >"$T/got" 2>&1 </dev/null 3</dev/null 4</dev/null 9</dev/null
	assertEquals '0 1 2 ' "$(cat "$T/got")"
	# nor does it keep them itself
	# shellcheck disable=SC2016
	delivered '250 2.0.0 closed|(as it stands)|' sh -c '[ -e "/proc/$PPID/fd/9" ] && echo 451 open || echo 250 closed' 9</dev/null
}

test_closed_descriptors_are_filled_and_not_reused() {
	test-unit stage session sh -c 'ls -l /proc/self/fd/0 >&2' <&- >/dev/null 2>"$T/got"
	assertTrue 'fd 0' "grep -q -- '-> /dev/null' $T/got"
	test-unit stage session sh -c '(ls -l /proc/$$/fd/1 >&2); true' </dev/null >&- 2>"$T/got"
	assertTrue 'fd 1' "grep -q -- '-> /dev/null' $T/got"
	test-unit stage session sh -c 'ls -l /proc/$$/fd/2' </dev/null >"$T/got" 2>&-
	assertTrue 'fd 2' "grep -q -- '-> /dev/null' $T/got"
	test-unit stage deliver sh -c 'echo 250 ok' <&- >"$T/got" 2>&1
	assertTrue 'a chain' "grep -q '^250 2.0.0 ok' $T/got"
}

test_a_message_stage_hands_on_and_needs_both_files() {
	export MSA_MESSAGE=m MSA_SESSION=s
	test-unit stage message sh -c 'cat; cat <&3' <"$T/message" 3<"$T/envelope" >"$T/got" 2>"$T/log" 4</dev/null
	cat "$T/message" "$T/envelope" >"$T/want"
	assert_same 'both files' "$T/want" "$T/got"
	test-unit stage message test-unit os fds <"$T/message" 3<"$T/envelope" >"$T/got" 2>"$T/log" 4</dev/null
	assertEquals '0 1 2 3 ' "$(cat "$T/got")"
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	# shellcheck disable=SC2002
	cat "$T/message" | test-unit stage message cat 3<"$T/envelope" >"$T/got" 2>"$T/log"
	assertEquals 111 $?
	assert_same 'a pipe on fd 0' "$T/want" "$T/got"
	assertEquals 'unit: s/m misuse reason="fd 0, the message, is not a regular file"' "$(cat "$T/log")"
	test-unit stage message cat <"$T/message" 3<&- >"$T/got" 2>"$T/log"
	assertEquals 111 $?
	assert_same 'no fd 3' "$T/want" "$T/got"
	assertEquals 'unit: s/m misuse reason="fd 3, the envelope, is not a regular file"' "$(cat "$T/log")"
	echo x | test-unit stage message cat 3<&0 <"$T/message" >"$T/got" 2>"$T/log"
	assertEquals 111 $?
	test-unit stage message "$T/nothing" <"$T/message" 3<"$T/envelope" >"$T/got" 2>"$T/log"
	assertEquals 111 $?
	assert_same 'a missing next program' "$T/want" "$T/got"
	test-unit stage message <"$T/message" 3<"$T/envelope" >"$T/got" 2>"$T/log"
	assertEquals 111 $?
	assert_same 'no next program' "$T/want" "$T/got"
	test-unit stage verdict <"$T/message" 3<"$T/envelope" >"$T/got" 2>"$T/log"
	assertEquals 100 $?
	printf '550 5.7.0 Not outside\r\n.\r\n' >"$T/want"
	assert_same 'a refusal' "$T/want" "$T/got"
	unset MSA_MESSAGE MSA_SESSION
}

test_a_session_that_goes_nowhere_hears_421() {
	test-unit stage session "$T/nothing" >"$T/got" 2>"$T/log" </dev/null
	assertEquals 111 $?
	assertEquals '421 4.3.0 Local trouble, closing the connection' "$(tr -d '\r' <"$T/got")"
	test-unit stage session -u no-such-user-here true >"$T/got" 2>"$T/log" </dev/null
	assertEquals 'misconfiguration' 100 $?
	assertEquals '421 4.3.0 Local trouble, closing the connection' "$(tr -d '\r' <"$T/got")"
	assertTrue 'logged' "grep -q 'user no-such-user-here: No such file' $T/log"
	assertEquals 'to a socket' '421 4.3.0 Local trouble, closing the connection|EOF|exit 111|' \
		"$(echo '<<' | talk -x test-unit stage session "$T/nothing" 2>/dev/null | tr '\n' '|')"
}

test_a_filter_says_nothing_on_its_output() {
	test-unit stage message -u no-such-user-here cat >"$T/got" 2>"$T/log" </dev/null
	assertEquals 'misconfiguration' 100 $?
	assertEquals '' "$(cat "$T/got")"
}

test_a_resident_in_a_chain_is_451_at_once_and_not_a_wait() {
	printf 'x\r\n' >"$T/message"
	printf 'MAIL FROM:<>\nRCPT TO:<b@example.org>\n' >"$T/envelope"
	MSA_MESSAGE=m MSA_RCPTS=1 stamp -l "$T/socket" true <"$T/message" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	assertEquals 111 $?
	assertEquals '451 4.3.0' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	assertEquals 'stamp: -l in a chain: start the resident first, and use "call path" here' "$(cat "$T/log")"
	assertFalse "[ -e $T/socket ]"
}

test_an_unknown_user_refuses_no_message_for_good() {
	printf 'Subject: x\r\n\r\n' >"$T/message"
	printf 'MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\n' >"$T/envelope"
	MSA_MESSAGE=m MSA_RCPTS=1 test-unit stage message -u no-such-user-here cat <"$T/message" 3<"$T/envelope" >"$T/got" 2>"$T/log"
	assertEquals 111 $?
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	assert_same 'later' "$T/want" "$T/got"
}

# As under inetd: nothing that is logged may reach the client.
test_fd_2_that_is_the_client_gets_no_log() {
	assertEquals '421 4.3.0 Local trouble, closing the connection|EOF|' \
		"$(echo '<<' | talk -2 test-unit stage session "$T/nothing" | tr '\n' '|')"
	assertEquals 'hello|EOF|' \
		"$(echo '<<' | talk -2 test-unit stage session sh -c 'printf "hello\r\n"; echo secret >&2' | tr '\n' '|')"
}

test_privileges_are_dropped_for_good() {
	needs root || return 0
	test-unit stage session -u nobody sh -c 'id -u; id -G' </dev/null >"$T/got" 2>&1
	assertEquals "$(id -u nobody)" "$(head -n 1 "$T/got")"
	assertEquals "$(id -G nobody)" "$(sed -n 2p "$T/got")"
	setpriv --groups 1,2 "$(command -v test-unit)" stage session -u nobody id -G </dev/null >"$T/got" 2>&1
	assertEquals "not the starter's groups" "$(id -G nobody)" "$(cat "$T/got")"
	test-unit stage session -u nobody:daemon id -g </dev/null >"$T/got" 2>&1
	assertEquals "$(getent group daemon | cut -d: -f3)" "$(cat "$T/got")"
	test-unit stage session -u nobody:no-such-group id -g </dev/null >"$T/got" 2>/dev/null
	assertEquals 100 $?
}

# The child must not wait for ever for facts that never come.
test_a_standby_gets_all_its_facts_or_is_told_of_none() {
	assertEquals 'as they are' 'cipher' "$(timeout 20 test-unit standby 1 sh -c 'echo "$SSL_CIPHER"')"
	assertEquals 'without octets that are no text' 'a?b' "$(timeout 20 test-unit standby 1 sh -c 'echo "$SSL_PROTOCOL"')"
	assertEquals 'what is not for tlsd to say' unset "$(timeout 20 test-unit standby 1 sh -c 'echo "${MSA_X_LONG-unset}"')"
	# 4096 octets of strings: 17 of SSL_CIPHER=cipher, 11 of MSA_X_LONG=, 16 of SSL_PROTOCOL, each with a NUL
	n=$((4096 - 18 - 12 - 17))
	assertEquals 'as many as there may be' 'cipher' "$(timeout 20 test-unit standby $n sh -c 'echo "$SSL_CIPHER"')"
	for more in 1 2 3 100000; do
		assertEquals "$more too many" 'not sent: Argument list too long' \
			"$(timeout 20 test-unit standby $((n + more)) sh -c 'echo "$SSL_CIPHER"' 2>&1)"
	done
	preload_build moment || return 0
	assertEquals 'not a part of them' 'not sent: Input/output error' \
		"$(MOMENT_SHORT=1 LD_PRELOAD="$T/moment.so" timeout 20 test-unit standby 1 sh -c 'echo "$SSL_CIPHER"' 2>"$T/log")"
}

# It must not hold the other end of its own socket.
test_a_standby_that_is_not_needed_ends() {
	timeout 20 test-unit standby - sh -c 'echo began' >"$T/got" 2>&1
	assertEquals 'the end' 0 $?
	assertEquals 'no program' '' "$(cat "$T/got")"
}

test_the_options_of_a_resident_have_their_defaults_and_limits() {
	options() {
		test-unit stage options "$@"
	}
	sixteen='-A root -A root -A root -A root -A root -A root -A root -A root'
	sixteen="$sixteen $sixteen"
	assertEquals '-P 1:500 -C 1000 -R -1, 0 users' "$(options)"
	assertEquals '-P 3:3 -C 1 -R 0, 0 users' "$(options -P 3 -C 1 -R 0)"
	assertEquals '-P 5:5 -C 1000000000 -R 1000000, 0 users' "$(options -P 5:5 -C 1000000000 -R 1000000)"
	# shellcheck disable=SC2086
	assertEquals '-P 1:10000 -C 1000 -R -1, 16 users' "$(options -P 1:10000 $sixteen)"
	# shellcheck disable=SC2086
	assertEquals 'unit: root: more than 16 users' "$(options $sixteen -A root)"
	for value in 0 5:4 1:10001 x 1:; do
		assertEquals "unit: $value: -P takes min or min:max, from 1 to 10000, and min must not exceed max" "$(options -P $value)"
	done
}

. "$SHUNIT2"
