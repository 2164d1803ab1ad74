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

# A program of the message chain: its text is standard input. usage: program name
program() {
	cat >"$T/$1"
	chmod 755 "$T/$1"
}

oneTimeSetUp() {
	# The deadline that it was given, in seconds of the clock.
	program deadline <<-E2
		#!/bin/sh
		echo \$((MSA_DEADLINE - $BEGIN)) >>"$T/deadline.is"
		echo '250 2.0.0 taken'
	E2
	program silent <<-'E2'
		#!/bin/sh
		: >"$T/silent.begun"
		exec sleep 1000
	E2
}

setUp() {
	message 'Subject: x\r\n\r\nbody\r\n'
	envelope '<a@b.example>' 'RCPT TO:<c@d.example>'
	rm -f "$T/silent.begun" "$T/deadline.is"
}

tearDown() {
	stop_all
}

# Residents with the clock: resident calls the stage by one word.
timed_submitd() {
	exec "$T/timed" submitd "$@"
}

timed_stamp() {
	exec "$T/timed" stamp "$@"
}

# A wait of the program has begun. usage: waits_for program milliseconds
waits_for() {
	until_true grep -q "^$1 [0-9]* $2\$" "$WAITS"
	code=$?
	assertEquals "$1 waits $2 ms, and not: $(waits "$1")" 0 $code
}

test_a_filters_command_has_60_s() {
	clock_starts || return 0
	call "$T/timed" filter 'exec sleep 1000' true &
	waits_for filter 60000
	at 60
	wait $!
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	assert_verdict 'late' "$LATE"
}

# A tenth of the time is kept for the answer, 2 s at most.
test_a_share_of_the_time_is_kept_for_the_answer() {
	clock_starts || return 0
	for pair in 50:48000 100:58000 10:9000 5:4500 1:900; do
		: >"$WAITS"
		at 0
		case $pair in 100:*) at 40 ;; esac
		call MSA_DEADLINE=$((BEGIN + ${pair%:*})) "$T/timed" filter 'exec sleep 1000' true &
		waits_for filter "${pair#*:}"
		at 100
		wait $!
	done
	call "$T/timed" trace "$T/deadline"
	at 0
	call "$T/timed" trace "$T/deadline"
	call MSA_DEADLINE=$((BEGIN + 50)) "$T/timed" trace "$T/deadline"
	call MSA_DEADLINE=$((BEGIN + 10000)) "$T/timed" trace "$T/deadline"
	assertEquals 'without a deadline 100 s, and so where it is no deadline of ours' '198 98 48 98 ' "$(tr '\n' ' ' <"$T/deadline.is")"
	rm "$T/deadline.is"
	call MSA_DEADLINE=$((BEGIN - 10)) "$T/timed" trace "$T/deadline"
	assert_verdict 'the time has passed' "$LATE"
}

# Of what is then left a fifth is kept for a report, 20 s at most.
test_a_share_of_the_time_is_kept_for_a_report() {
	clock_starts || return 0
	envelope '<a@b.example>' 'RCPT TO:<c@d.example>' 'RCPT TO:<e@d.example>'
	for seconds in 302 102 52 22; do
		call MSA_DEADLINE=$((BEGIN + seconds)) "$T/timed" bounce "$T/deadline"
	done
	assertEquals 'what is left' '280 80 40 16 ' "$(tr '\n' ' ' <"$T/deadline.is")"
}

test_a_call_has_5_s() {
	clock_starts || return 0
	resident stamp timed_stamp true
	handover -m "$T/msg" -e "$T/env" "$T/stamp" silent >"$T/out" 2>&1 &
	waits_for stamp 5000
	at 5
	wait $!
	assertContains "$(cat "$T/out")" closed
	assertContains "$(cat "$T/stamp.log")" 'refused reason=call'
}

# A receiver that takes the connection, but does not say so.
test_a_session_is_acknowledged_within_5_s() {
	clock_starts || return 0
	python3 -c '
import socket, sys, time
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen()
print("ready", flush=True)
s, _ = l.accept()
s.recv(65536)
time.sleep(60)' "$T/deaf" >"$T/ready" 2>/dev/null &
	await "$T/ready"
	printf '%s\n' "until $WAITS  5000" "put $CLOCK 5" '<' '<<' | talk -t 30 "$T/timed" call "$T/deaf" >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.2 Service not available, closing the connection' EOF >"$T/want"
	assert_same 'not acknowledged' "$T/want" "$T/out"
	assertEquals 'the wait' '5000 ' "$(waits call)"
}

# A worker that nobody needs ends after 30 s; one stays.
test_an_idle_worker_has_30_s() {
	clock_starts || return 0
	resident submit timed_submitd -P 1:5 true
	waits_for submitd 30000
	mkfifo "$T/hold"
	for n in 1 2 3; do
		printf '%s\n' '<' "until $T/release 1" '> QUIT' '<<' | talk -t 30 call "$T/submit" >"$T/out.$n" 2>&1 &
		until_true grep -q 220 "$T/out.$n"
	done
	has_workers() {
		[ "$(workers "$submit_pid" | wc -l)" -eq "$1" ]
	}
	until_true has_workers 4
	code=$?
	assertEquals 'three are busy, one is idle' 0 $code
	workers "$submit_pid" >"$T/were"
	: >"$WAITS"
	echo 1 >"$T/release"
	for n in 1 2 3; do
		until_true grep -q EOF "$T/out.$n"
	done
	three_wait() {
		[ "$(grep -c '^submitd [0-9]* 30000$' "$WAITS")" -ge 3 ]
	}
	until_true three_wait
	at 29.9
	assertEquals 'all are there' 4 "$(workers "$submit_pid" | wc -l)"
	at 30
	until_true has_workers 1
	code=$?
	assertEquals 'one stays' 0 $code
	sleep 0.3
	assertEquals 'it is one of them' 1 "$(workers "$submit_pid" | grep -c -x -F -f "$T/were")"
	rm -f "$T/hold" "$T/release"
}

# At the end of a service a message in hand has 120 s.
test_a_worker_has_120_s_after_sigterm() {
	clock_starts || return 0
	resident stamp timed_stamp "$T/silent"
	stamp=$stamp_pid
	call MSA_DEADLINE=$((BEGIN + 1000)) "$T/timed" call "$T/stamp" &
	caller=$!
	await "$T/silent.begun" || until_true [ -e "$T/silent.begun" ]
	busy=$(workers "$stamp" | while read -r pid; do [ -z "$(workers "$pid")" ] || echo "$pid"; done)
	kill "$stamp"
	waits_for stamp 120000
	assertTrue "worker $busy is still there" "kill -0 $busy"
	at 120
	wait "$stamp"
	wait "$caller"
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	assert_verdict 'the caller' '451 4.3.0 Local error, try again later'
	gone() {
		! kill -0 "$busy" 2>/dev/null
	}
	until_true gone
	code=$?
	assertEquals 'no worker is left' 0 $code
	residents=
}

# Workers that fail at once, here for want of descriptors, are begun again five times a second and not faster.
test_workers_that_fail_are_not_begun_again_at_once() {
	resident stamp stamp true
	worker=$(workers "$stamp_pid")
	prlimit --pid "$stamp_pid" --nofile=3:3 2>/dev/null || {
		skip 'no prlimit'
		return
	}
	kill -9 "$worker"
	until_true grep -q 'lost worker="exit' "$T/stamp.log"
	sleep 1
	lost=$(grep -c 'lost worker="exit' "$T/stamp.log")
	assertTrue "a few in a second: $lost" "[ $lost -ge 1 ] && [ $lost -le 12 ]"
}

# A session with resume and a server that is $T/server; the script is standard input. usage: resumed
resumed() {
	talk -t 30 env MSA_VERB=EHLO MSA_HELO=client "$T/timed" resume "$T/server" >"$T/out" 2>"$T/log"
}

TIMEOUT='421 4.4.2 Waited too long, closing the connection'
TROUBLE='421 4.3.0 Local trouble, closing the connection'

assert_heard_by_client() {
	cat >"$T/want"
	assert_same "$1" "$T/want" "$T/out"
}

# Each reply that resume waits for itself: 120 s, however often a part of it comes.
test_a_server_behind_resume_has_120_s_for_a_reply() {
	clock_starts || return 0
	program server <<-'E2'
		#!/bin/sh
		exec cat
	E2
	resumed <<-E2
		waits $WAITS resume 1 120000
		put $CLOCK 120
		<<
	E2
	assert_heard_by_client 'no greeting' <<-E2
		$TROUBLE
		EOF
	E2
	clock_starts || return 0
	rm -f "$T/go"
	program server <<-'E2'
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
	assert_heard_by_client 'a part of it' <<-E2
		$TROUBLE
		EOF
	E2
}

test_a_session_behind_resume_has_7200_s() {
	clock_starts || return 0
	program server <<-'E2'
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
	assert_heard_by_client 'the end' <<-E2
		$TIMEOUT
		EOF
	E2
}

test_a_client_behind_resume_that_reads_nothing_has_300_s() {
	clock_starts || return 0
	program server <<-'E2'
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
	assert_heard_by_client 'nothing' </dev/null
}

# Somebody holds the lock of the user's counts.
test_limit_waits_5_s_for_its_lock() {
	clock_starts || return 0
	mkdir "$T/counts"
	call SMTPAUTHUSER=bob "$T/timed" limit -d "$T/counts" -r 10/60 "$T/deadline"
	python3 -c '
import fcntl, sys, time
f = open(sys.argv[1], "r+"); fcntl.flock(f, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)' "$T/counts/bob" >"$T/held" 2>/dev/null &
	holder=$!
	await "$T/held"
	: >"$WAITS"
	call SMTPAUTHUSER=bob "$T/timed" limit -d "$T/counts" -r 10/60 "$T/deadline" &
	waiting=$!
	looks() {
		[ "$(grep -c '^limit [0-9]* 5$' "$WAITS")" -gt "$1" ]
	}
	until_true looks 1
	at 4.9
	n=$(grep -c . "$WAITS")
	until_true looks $((n + 2))
	code=$?
	assertEquals 'it still waits' 0 $code
	at 5
	wait $waiting
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	assert_verdict 'the lock' '451 4.3.0 Local error, try again later'
	kill $holder
}

# $T/rates allows four in an hour. usage: limited seconds ; the verdict of a message for one at that time
limited() {
	at "$1"
	call SMTPAUTHUSER=bob MSA_DEADLINE=$((BEGIN + 100000)) "$T/timed" limit -d "$T/rates" -r 4/3600 "$T/deadline"
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
