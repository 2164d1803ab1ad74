#!/bin/sh
# spoold: its end, its directory as it may be found, and what fails. What kills do: tests/soak/spool.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"
# shellcheck source=tests/lib/spoold.sh
. "$ROOT/tests/lib/spoold.sh"

test_at_sigterm_it_finishes_what_it_has_in_hand() {
	: >"$T/hold"
	spoold_put
	spoold_put
	spoold_start -n 1
	wait_until [ -e "$T/1.begun" ]
	kill "$runner_pid"
	sleep 0.3
	kill -0 "$runner_pid"
	assertEquals 'it waits' 0 $?
	rm "$T/hold"
	wait "$runner_pid"
	assertEquals 'its end' 0 $?
	residents=
	assert_spoold_runs 'one' 1
	assertEquals 'the other stays' 1 "$(find "$T/spool/cur" -mindepth 1 -maxdepth 1 | wc -l)"
	spoold_drain
	assert_spoold_runs 'and is tried at the next start' 2
}

test_one_runner_a_directory() {
	spoold_start
	first=$runner_pid
	spoold -R 3 "$T/spool" "$T/next" 3>"$T/ready2" 2>>"$T/spoold.log" </dev/null &
	second=$!
	residents="$residents $second"
	assert_spoold_logs '^spoold: - locked reason="another runner, or a round of it, is still running"'
	assertEquals 'not ready' '' "$(cat "$T/ready2")"
	kill "$first"
	wait "$first"
	wait_until [ -s "$T/ready2" ]
	assertTrue 'ready then' "[ -s $T/ready2 ]"
	spoold_put
	wait_until spoold_empty
}

test_a_message_can_be_taken_away_by_hand_and_put_back() {
	spoold_answers 1 '450 4.2.2 Full'
	spoold_put
	spoold_start -b 1000:1000
	wait_until spoold_logs waiting=1
	mv "$T/spool/cur/$id" "$T/held"
	spool -f "$T/spool"
	sleep 0.5
	assert_spoold_runs 'away' 1
	mv "$T/held" "$T/spool/new/$id"
	spool -f "$T/spool"
	wait_until spoold_empty
	assert_spoold_runs 'back' 2
	spoold_answers 3 '450 4.2.2 Full'
	spoold_put
	wait_until spoold_logs "id=$id .*waiting=1" # before that the round is still writing there
	rm -r "$T/spool/cur/$id"
	spool -f "$T/spool"
	sleep 0.5
	assert_spoold_runs 'removed' 3
	spoold_stop
	assertEquals 'no complaint' '' "$(grep failed\  "$T/spoold.log")"
}

test_a_message_that_is_put_back_while_it_is_tried_is_not_tried_twice() {
	: >"$T/hold"
	spoold_put
	spoold_start
	wait_until [ -e "$T/1.begun" ]
	mv "$T/spool/cur/$id" "$T/spool/new/$id"
	spool -f "$T/spool"
	wait_until [ -d "$T/spool/cur/$id" ]
	spoold_put
	wait_until [ -e "$T/2.begun" ] # it comes after the other
	rm "$T/hold"
	wait_until spoold_empty
	spoold_stop
	assert_spoold_runs 'each once' 2
}

test_a_damaged_message_is_left_and_told_and_others_go_on() {
	spoold_put
	echo junk >"$T/spool/new/$id/envelope"
	damaged=$id
	spoold_put
	rm "$T/spool/new/$id/message"
	half=$id
	spoold_put
	awk '/^RCPT TO:/ { for (i = 1; i < 1001; i++) print } { print }' "$T/spool/new/$id/envelope" >"$T/many"
	cat "$T/many" >"$T/spool/new/$id/envelope" # a chain has 1,000 recipients
	many=$id
	spoold_put
	mkdir "$T/spool/new/other" "$T/spool/new/1ng4pp4y0e82" "$T/spool/new/1ng4pp4y0e82te.old" "$T/spool/cur/.x" # nothing of ours
	spoold_start
	wait_until [ -e "$T/1.done" ]
	assert_spoold_logs "^spoold: - failed reason=\"$damaged: Invalid argument\""
	assert_spoold_logs "^spoold: - failed reason=\"$many: spooled: no recipients, too many"
	assert_spoold_logs "^spoold: - failed reason=\"$half: message cannot be read: No such file"
	assert_spoold_runs 'the last' 1
	assertFalse 'a name of another length is no message' "grep -q 1ng4pp4y0e82 $T/spoold.log"
	assertTrue 'and stays where it is' "[ -d $T/spool/new/1ng4pp4y0e82te.old ]"
	spoold_stop
	assertTrue 'left' "[ -e $T/spool/cur/$damaged/message ] && [ -e $T/spool/cur/$half/envelope ]"
}

test_what_was_left_in_tmp_is_swept() {
	spoold_put
	mkdir "$T/spool/tmp/1ng4pp4y0e82te" "$T/spool/tmp/1ng4pp4y0e82tf"
	: >"$T/spool/tmp/1ng4pp4y0e82te/message"
	: >"$T/spool/tmp/1ng4pp4y0e82te/envelope.new"
	touch -d '2 hours ago' "$T/spool/tmp/1ng4pp4y0e82te"
	spoold_drain
	assertEquals 'the old one' 1ng4pp4y0e82tf "$(ls "$T/spool/tmp")"
}

test_ten_thousand_messages_are_no_burden() {
	spoold_put
	python3 - "$T/spool" "$id" <<-'P'
		import os, sys
		d, first = sys.argv[1] + '/cur', sys.argv[1] + '/new/' + sys.argv[2]
		text = open(first + '/envelope').read().replace('\nnext ', '\nnext 9', 1)
		digits = '0123456789abcdefghjkmnpqrstvwxyz'
		for n in range(10000):
		    id = '0000000000' + ''.join(digits[n >> s & 31] for s in (15, 10, 5, 0))
		    os.mkdir(f'{d}/{id}')
		    open(f'{d}/{id}/envelope', 'w').write(text)
	P
	spoold_start
	wait_until [ -e "$T/1.done" ]
	assertTrue 'few descriptors' "[ $(ls "/proc/$runner_pid/fd" | wc -l) -lt 12 ]"
	spoold_stop
	assertEquals 'nobody else was tried' 10000 "$(ls "$T/spool/cur" | wc -l)"
}

test_without_descriptors_it_tries_again() {
	needs plain || return 0 # a sanitizer needs descriptors of its own
	for limit in 8 9 10 11; do
		rm -rf "$T"/run.*
		: >"$T/spoold.log"
		spoold_put
		# shellcheck disable=SC3045
		(ulimit -n "$limit"; MSA_HOST=test.example exec spoold -b 1:1 "$T/spool" "$T/next") 2>>"$T/spoold.log" </dev/null &
		runner_pid=$!
		residents="$residents $!"
		wait_until grep -q 'failed\|waiting\|done' "$T/spoold.log"
		spoold_stop
		spoold_empty || spoold_drain -b 1:1
		assert_spoold_runs "$limit" 1
	done
}

test_without_memory_at_the_start_it_says_so() {
	preload_build oom || return 0
	for n in 1 2 3 4 5 6; do
		OOM_IN=spoold OOM_AT=$n LD_PRELOAD=$T/oom.so spoold "$T/none" "$T/next" 2>>"$T/spoold.log" </dev/null
		assertEquals "allocation $n" 111 $?
	done
	assert_spoold_logs '^spoold: - failed reason="start: Cannot allocate memory"'
	assertEquals 'no user was given' '' "$(grep user "$T/spoold.log")"
}

test_the_next_stage_may_be_a_resident() {
	mkdir "$T/mail"
	resident_start inject maildir-inject "$T/mail"
	spoold_put
	: >"$T/ready"
	spoold -R 3 "$T/spool" call "$T/inject" 3>"$T/ready" 2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	wait_until spoold_empty
	spoold_stop
	assertEquals 'delivered' 1 "$(find "$T/mail/bob@example.org/new" -type f | wc -l)"
	resident_stop inject
}

# shellcheck source=/dev/null
. "$SHUNIT2"
