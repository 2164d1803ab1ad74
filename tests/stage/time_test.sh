#!/bin/sh
# How long stages wait, for what, and how much of the time is left for what follows. The time is a clock's that the test
# sets. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # the *_pid that resident sets
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

LATE='451 4.4.7 No answer in time, try again later'

oneTimeSetUp() {
	# The deadline that it was given, in seconds of the clock.
	program_make deadline <<-E2
		#!/bin/sh
		echo \$((MSA_DEADLINE - $BEGIN)) >>"$T/deadline.is"
		echo '250 2.0.0 taken'
	E2
	program_make silent <<-'E2'
		#!/bin/sh
		: >"$T/silent.begun"
		exec sleep 1000
	E2
}

setUp() {
	chain_message 'Subject: x\r\n\r\nbody\r\n'
	chain_envelope '<a@b.example>' 'RCPT TO:<c@d.example>'
	rm -f "$T/silent.begun" "$T/deadline.is"
}

tearDown() {
	resident_stop_all
}

# Residents with the clock: resident calls the stage by one word.
timed_submitd() {
	exec "$T/timed" submitd "$@"
}

timed_stamp() {
	exec "$T/timed" stamp "$@"
}

# Then it is asked to end, and has a second for that.
test_a_filters_command_has_60_s() {
	clock_starts || return 0
	rm -f "$T/asked" "$T/begun"
	program_lines cleans "trap ': >\"$T/asked\"' TERM" ": >'$T/begun'" 'while :; do sleep 0.05; done'
	chain_call "$T/timed" filter "exec '$T/cleans'" true &
	clock_awaits filter 60000
	wait_until [ -e "$T/begun" ]
	clock_at 60
	wait_until [ -e "$T/asked" ]
	clock_at 61
	wait $!
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	assert_verdict 'late' "$LATE"
}

# So is the rest of a chain.
test_a_chain_that_is_late_is_asked_to_end() {
	clock_starts || return 0
	rm -f "$T/asked" "$T/begun"
	program_lines cleans "trap ': >\"$T/asked\"' TERM" ": >'$T/begun'" 'while :; do sleep 0.05; done'
	"$T/timed" test-unit stage deliver -w 5000 -m "$T/msg" -e "$T/env" "$T/cleans" >"$T/out" 2>&1 &
	clock_awaits test-unit 100
	wait_until [ -e "$T/begun" ]
	clock_at 5
	wait_until [ -e "$T/asked" ]
	clock_at 6
	wait $!
	assertContains "$(cat "$T/out")" "$LATE"
}

# A tenth of the time is kept for the answer, 2 s at most.
test_a_share_of_the_time_is_kept_for_the_answer() {
	clock_starts || return 0
	for pair in 50:48000 100:58000 10:9000 5:4500 1:900; do
		: >"$WAITS"
		clock_at 0
		case $pair in 100:*) clock_at 40 ;; esac
		chain_call MSA_DEADLINE=$((BEGIN + ${pair%:*})) "$T/timed" filter 'exec sleep 1000' true &
		clock_awaits filter "${pair#*:}"
		clock_at 100
		wait $!
	done
	chain_call "$T/timed" trace "$T/deadline"
	clock_at 0
	chain_call "$T/timed" trace "$T/deadline"
	chain_call MSA_DEADLINE=$((BEGIN + 50)) "$T/timed" trace "$T/deadline"
	chain_call MSA_DEADLINE=$((BEGIN + 10000)) "$T/timed" trace "$T/deadline"
	assertEquals 'without a deadline 100 s, and so where it is no deadline of ours' '198 98 48 98 ' "$(tr '\n' ' ' <"$T/deadline.is")"
	rm "$T/deadline.is"
	chain_call MSA_DEADLINE=$((BEGIN - 10)) "$T/timed" trace "$T/deadline"
	assert_verdict 'the time has passed' "$LATE"
	assertFalse 'nothing is delivered after that' "[ -e '$T/deadline.is' ]"
	assertContains "$(cat "$T/log")" '/deadline why="no time was left to start it"'
}

# Of what is then left a fifth is kept for a report, 20 s at most.
test_a_share_of_the_time_is_kept_for_a_report() {
	clock_starts || return 0
	chain_envelope '<a@b.example>' 'RCPT TO:<c@d.example>' 'RCPT TO:<e@d.example>'
	for seconds in 302 102 52 22; do
		chain_call MSA_DEADLINE=$((BEGIN + seconds)) "$T/timed" bounce "$T/deadline"
	done
	assertEquals 'what is left' '280 80 40 16 ' "$(tr '\n' ' ' <"$T/deadline.is")"
}

test_a_call_has_5_s() {
	clock_starts || return 0
	resident_start stamp timed_stamp true
	handover -m "$T/msg" -e "$T/env" "$T/stamp" silent >"$T/out" 2>&1 &
	clock_awaits stamp 5000
	clock_at 5
	wait $!
	assertContains "$(cat "$T/out")" closed
	assertContains "$(cat "$T/stamp.log")" 'refused reason=call'
}

# A receiver that takes the connection, but does not say so.
test_a_session_is_acknowledged_within_5_s() {
	clock_starts || return 0
	: >"$T/ready"
	python3 -c '
import socket, sys, time
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen()
print("ready", flush=True)
s, _ = l.accept()
s.recv(65536)
time.sleep(60)' "$T/deaf" >"$T/ready" 2>/dev/null &
	wait_until [ -s "$T/ready" ]
	printf '%s\n' "until $WAITS  5000" "put $CLOCK 5" '<' '<<' | talk "$T/timed" call "$T/deaf" >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.2 Service not available, closing the connection' EOF >"$T/want"
	assert_same 'not acknowledged' "$T/want" "$T/out"
	assertEquals 'the wait' '5000 ' "$(clock_waits call)"
	assert_logged "failed reason=\"call $T/deaf: Connection timed out"
}

# A worker that nobody needs ends after 30 s; one stays.
test_an_idle_worker_has_30_s() {
	clock_starts || return 0
	resident_start submit timed_submitd -P 1:5 true
	clock_awaits submitd 30000
	mkfifo "$T/hold"
	for n in 1 2 3; do
		printf '%s\n' '<' "until $T/release 1" '> QUIT' '<<' | talk call "$T/submit" >"$T/out.$n" 2>&1 &
		wait_until grep -q 220 "$T/out.$n"
	done
	has_workers() {
		[ "$(proc_children "$submit_pid" | wc -l)" -eq "$1" ]
	}
	wait_until has_workers 4
	proc_children "$submit_pid" >"$T/were"
	: >"$WAITS"
	echo 1 >"$T/release"
	for n in 1 2 3; do
		wait_until grep -q EOF "$T/out.$n"
	done
	three_wait() {
		[ "$(grep -c '^submitd [0-9]* 30000$' "$WAITS")" -ge 3 ]
	}
	wait_until three_wait
	clock_at 29.9
	assertEquals 'all are there' 4 "$(proc_children "$submit_pid" | wc -l)"
	clock_at 30
	wait_until has_workers 1
	sleep 0.3
	assertEquals 'it is one of them' 1 "$(proc_children "$submit_pid" | grep -c -x -F -f "$T/were")"
	rm -f "$T/hold" "$T/release"
}

# At the end of a service a message in hand has 120 s.
test_a_worker_has_120_s_after_sigterm() {
	clock_starts || return 0
	resident_start stamp timed_stamp "$T/silent"
	stamp=$stamp_pid
	chain_call MSA_DEADLINE=$((BEGIN + 1000)) "$T/timed" call "$T/stamp" &
	caller=$!
	wait_until [ -e "$T/silent.begun" ]
	busy=$(proc_children "$stamp" | while read -r pid; do [ -z "$(proc_children "$pid")" ] || echo "$pid"; done)
	kill "$stamp"
	clock_awaits stamp 120000
	assertTrue "worker $busy is still there" "kill -0 $busy"
	clock_at 120
	wait "$stamp"
	wait "$caller"
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	assert_verdict 'the caller' '451 4.3.0 Local error, try again later'
	assert_proc_gone "$busy"
	residents=
}

# Workers that fail at once, here for want of descriptors, are begun again five times a second and not faster.
test_workers_that_fail_are_not_begun_again_at_once() {
	resident_start stamp stamp true
	worker=$(proc_children "$stamp_pid")
	prlimit --pid "$stamp_pid" --nofile=3:3
	assertEquals 'prlimit' 0 $?
	kill -9 "$worker"
	wait_until grep -q 'lost worker="exit' "$T/stamp.log"
	sleep 1
	lost=$(grep -c 'lost worker="exit' "$T/stamp.log")
	assertTrue "a few in a second: $lost" "[ $lost -ge 1 ] && [ $lost -le 12 ]"
}

# A session with resume and a server that is $T/server; the script is standard input. usage: resumed
resumed() {
	talk env MSA_VERB=EHLO MSA_HELO=client "$T/timed" resume "$T/server" >"$T/out" 2>"$T/log"
}

TIMEOUT='421 4.4.2 Waited too long, closing the connection'
TROUBLE='421 4.3.0 Local trouble, closing the connection'

# Each reply that resume waits for itself: 120 s, however often a part of it comes.
test_a_server_behind_resume_has_120_s_for_a_reply() {
	clock_starts || return 0
	program_make server <<-'E2'
		#!/bin/sh
		exec cat
	E2
	resumed <<-E2
		waits $WAITS resume 1 120000
		put $CLOCK 120
		<<
	E2
	assert_out 'no greeting' <<-E2
		$TROUBLE
		EOF
	E2
	clock_starts || return 0
	rm -f "$T/go"
	program_make server <<-'E2'
		#!/bin/sh
		until [ -e "$T/go" ]; do sleep 0.05; done
		printf '220-x\r\n'
		exec cat
	E2
	resumed <<-E2
		waits $WAITS resume 1 120000
		put $CLOCK 100
		put $T/go 1
		waits $WAITS resume 2 20000
		put $CLOCK 120
		<<
	E2
	assert_out 'a part of it' <<-E2
		$TROUBLE
		EOF
	E2
}

test_a_session_behind_resume_has_7200_s() {
	clock_starts || return 0
	program_make server <<-'E2'
		#!/bin/sh
		printf '220 x\r\n'
		read -r hello
		printf '250 x\r\n'
		exec cat >/dev/null
	E2
	resumed <<-E2
		until $WAITS  7200000
		put $CLOCK 7200
		<<
	E2
	assert_out 'the end' <<-E2
		$TIMEOUT
		EOF
	E2
}

test_a_client_behind_resume_that_reads_nothing_has_300_s() {
	clock_starts || return 0
	program_make server <<-'E2'
		#!/bin/sh
		printf '220 x\r\n'
		read -r hello
		printf '250 x\r\n'
		while head -c 100000 /dev/zero 2>/dev/null; do :; done
	E2
	resumed <<-E2
		until $WAITS  300000
		put $CLOCK 300
		until $T/log timeout
	E2
	assert_out 'nothing' </dev/null
}

# Somebody holds the lock of the user's counts.
test_limit_waits_5_s_for_its_lock() {
	clock_starts || return 0
	mkdir "$T/counts"
	chain_call SMTPAUTHUSER=bob "$T/timed" limit -d "$T/counts" -r 10/60 "$T/deadline"
	python3 -c '
import fcntl, sys, time
f = open(sys.argv[1], "r+"); fcntl.flock(f, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)' "$T/counts/bob" >"$T/held" 2>/dev/null &
	holder=$!
	wait_until [ -s "$T/held" ]
	: >"$WAITS"
	chain_call SMTPAUTHUSER=bob "$T/timed" limit -d "$T/counts" -r 10/60 "$T/deadline" &
	waiting=$!
	looks() {
		[ "$(grep -c '^limit [0-9]* 5$' "$WAITS")" -gt "$1" ]
	}
	wait_until looks 1
	clock_at 4.9
	n=$(grep -c . "$WAITS")
	wait_until looks $((n + 2))
	clock_at 5
	wait $waiting
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	assert_verdict 'the lock' '451 4.3.0 Local error, try again later'
	kill $holder
}

# $T/rates allows four in an hour. usage: limited seconds ; the verdict of a message for one at that time
limited() {
	clock_at "$1"
	chain_call SMTPAUTHUSER=bob MSA_DEADLINE=$((BEGIN + 100000)) "$T/timed" limit -d "$T/rates" -r 4/3600 "$T/deadline"
	head -n 1 "$T/verdict"
}

# An hour's share comes back evenly.
test_limits_rates_go_by_the_clock() {
	clock_starts || return 0
	rm -rf "$T/rates"
	mkdir "$T/rates"
	for n in 1 2 3 4; do
		assertEquals 'four' '250 2.0.0 taken' "$(limited 0)"
	done
	assertEquals 'too many' '451 4.7.1 Over 4 recipients in 3600 s, try again in 901 s' "$(limited 0)"
	assertEquals 'too early' '451 4.7.1 Over 4 recipients in 3600 s, try again in 1 s' "$(limited 899.9)"
	assertEquals 'a quarter' '250 2.0.0 taken' "$(limited 900)"
	assertEquals 'too many' '451 4.7.1 Over 4 recipients in 3600 s, try again in 901 s' "$(limited 900)"
	assertEquals 'too early' '451 4.7.1 Over 4 recipients in 3600 s, try again in 1 s' "$(limited 1799.9)"
	assertEquals 'a half' '250 2.0.0 taken' "$(limited 1800)"
}

# A client that tries again every half second, in which not a thousandth of a recipient comes back.
test_who_tries_again_often_waits_no_longer() {
	clock_starts || return 0
	rm -rf "$T/rates"
	mkdir "$T/rates"
	for n in 1 2 3 4; do
		limited 0 >/dev/null
	done
	for n in 1 2 3 4 5 6 7 8 9; do
		limited $((n / 2)).$((n % 2 * 5)) >/dev/null
	done
	assertEquals 'too early' '451 4.7.1 Over 4 recipients in 3600 s, try again in 1 s' "$(limited 899.9)"
	assertEquals 'a quarter' '250 2.0.0 taken' "$(limited 900)"
}

. "$SHUNIT2"
