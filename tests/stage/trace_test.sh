#!/bin/sh
# trace: what passes is shown, and passes. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>'
	resident=
}

tearDown() {
	[ -z "$resident" ] || kill "$resident"
	[ -z "$resident" ] || wait "$resident"
	resident=
}

# The log is these lines; times are masked. usage: assert_log line ...
assert_log() {
	for line; do
		echo "trace: $line"
	done >"$T/expected"
	sed 's/ ms=[0-9]*$/ ms=N/' "$T/log" >"$T/log.masked"
	assert_same 'log' "$T/expected" "$T/log.masked"
}

test_a_message_and_its_verdict() {
	chain_call trace sh -c 'cmp -s - "$0" && cmp -s "$1" /dev/fd/3 && echo "250 2.0.0 $MSA_MESSAGE"' "$T/msg" "$T/env"
	assertEquals 'exit code' 0 "$code"
	assert_verdict 'verdict' '250 2.0.0 M'
	assert_log 'S/M message octets=24 from=alice@example.net params=BODY=8BITMIME rcpts=1' \
		'S/M done verdict=250 accepted=1 ms=N'
}

test_more_of_it() {
	chain_envelope '<>' 'RCPT TO:<bob@example.org> NOTIFY=NEVER' '550 5.7.1 Not to Carol' 'COPY TO:<archive@example.net>'
	chain_call SECRET=x MSA_X_SITE=here trace -v sh -c 'echo 250 2.0.0 Saved; echo 550 5.7.1 Not to Carol'
	assert_verdict 'verdict' '250 2.0.0 Saved' '550 5.7.1 Not to Carol'
	sort "$T/log" | grep -v ' facts ' >"$T/sorted"
	mv "$T/log" "$T/all"
	grep -v ' facts ' "$T/all" >"$T/log"
	assert_log 'S/M message octets=24 from="" rcpts=2 copies=1' \
		'S/M envelope line="RCPT TO:<bob@example.org> NOTIFY=NEVER"' \
		'S/M envelope line="550 5.7.1 Not to Carol"' 'S/M envelope line="COPY TO:<archive@example.net>"' \
		'S/M reply text="250 2.0.0 Saved"' 'S/M reply text="550 5.7.1 Not to Carol"' \
		'S/M done verdict=550 accepted=1 text="Not to Carol" ms=N'
	for fact in MSA_X_SITE=here MSA_RCPTS=2 MSA_HOST=test.example; do
		assertTrue "$fact" "grep -q 'S/M facts .*$fact' $T/all"
	done
	assertFalse 'what chain(7) does not name' "grep -q SECRET $T/all"
}

test_refusals_and_faults_pass() {
	chain_call trace sh -c 'echo 550 5.7.0 No; exit 100'
	assert_verdict 'refused' '550 5.7.0 No'
	assert_logged 'done verdict=550 accepted=0 text=No ms='
	chain_call trace sh -c 'exit 7'
	assert_verdict 'a fault' '451 4.3.0 Local error, try again later'
	assert_logged 'why="unexpected exit code"'
	chain_call trace "$T/nothing"
	assert_verdict 'no program' '451 4.3.0 Local error, try again later'
	chain_call MSA_RCPTS=3 trace sh -c 'echo 250 ok'
	assert_verdict 'MSA_RCPTS' '451 4.3.0 Local error, try again later'
	assert_logged 'misuse'
}

test_a_session_goes_on_behind_it() {
	printf 'NOOP\r\n' | env MSA_SESSION=S SMTPAUTHUSER=alice SSL_PROTOCOL=TLSv1.3 SECRET=x trace \
		sh -c 'read line; echo "$SMTPAUTHUSER $line"; exit 3' >"$T/out" 2>"$T/log"
	assertEquals 'exit code' 3 $?
	assertEquals 'conversation' 'alice NOOP' "$(tr -d '\r' <"$T/out")"
	for fact in SMTPAUTHUSER=alice SSL_PROTOCOL=TLSv1.3; do
		assertTrue "$fact" "grep -q 'trace: S facts.*$fact' $T/log"
	done
	assertFalse 'what chain(7) does not name' "grep -q SECRET $T/log"
}

# At the deadline submitd ends trace, but not the chain that trace has started: that would deliver after the client got 451.
test_the_chain_behind_ends_before_the_deadline_of_trace() {
	deadline=$(($(date +%s) + 3))
	chain_call MSA_DEADLINE="$deadline" trace sh -c 'echo $$ "$MSA_DEADLINE" >"$0"; exec sleep 60' "$T/behind"
	assert_verdict 'verdict' '451 4.4.7 No answer in time, try again later'
	read -r pid told <"$T/behind"
	assertFalse 'the chain behind has ended' "proc_alive $pid"
	assertTrue "the chain behind was told $told, before or at $deadline" "[ $told -le $deadline ]"
}

# The most that submitd -t and spoold -a take is what every stage keeps; more is no deadline, and 100 s count.
test_a_deadline_is_kept_up_to_7200_seconds() {
	now=$(date +%s)
	chain_call MSA_DEADLINE=$((now + 7200)) trace sh -c 'echo "$MSA_DEADLINE" >"$0"; echo 250 2.0.0 Saved' "$T/behind"
	behind=$(cat "$T/behind")
	assertTrue "two hours from $now, less time for the answer: $behind" "[ $behind -gt $((now + 7190)) ]"
	chain_call MSA_DEADLINE=$((now + 10000)) trace sh -c 'echo "$MSA_DEADLINE" >"$0"; echo 250 2.0.0 Saved' "$T/behind"
	behind=$(cat "$T/behind")
	assertTrue "more than two hours from $now: $behind" "[ $behind -lt $((now + 7190)) ]"
}

test_a_deadline_that_has_passed_gives_the_chain_behind_no_time() {
	chain_call MSA_DEADLINE=1 trace sh -c 'sleep 2; : >"$0"; echo 250 2.0.0 Saved' "$T/delivered"
	assert_verdict 'verdict' '451 4.4.7 No answer in time, try again later'
	assertFalse 'nothing is delivered' "[ -e '$T/delivered' ]"
}

test_misuse() {
	trace </dev/null >"$T/out" 2>"$T/err"
	assertEquals 'exit code' 100 $?
	trace -m cat </dev/null >"$T/out" 2>"$T/err"
	assertEquals 'no message' 100 $?
	chain_call trace
	assertEquals 'exit code in a chain' 111 "$code"
	assert_verdict 'verdict' '451 4.3.0 Local error, try again later'
}

test_resident() {
	: >"$T/trace.log"
	trace -m -P 1:1 -l "$T/t" sh -c 'cmp -s - "$0" && echo 250 2.0.0 Saved' "$T/msg" 2>"$T/trace.log" &
	resident=$!
	wait_until [ -s "$T/trace.log" ]
	for n in 1 2; do
		chain_call call "$T/t"
		assert_verdict "call $n" '250 2.0.0 Saved'
	done
	grep -v ' ready ' "$T/trace.log" >"$T/log"
	assert_log 'S/M message octets=24 from=alice@example.net params=BODY=8BITMIME rcpts=1' \
		'S/M done verdict=250 accepted=1 ms=N' \
		'S/M message octets=24 from=alice@example.net params=BODY=8BITMIME rcpts=1' \
		'S/M done verdict=250 accepted=1 ms=N'
}

# shellcheck source=/dev/null
. "$SHUNIT2"
