#!/bin/sh
# spoold: when it tries a message again, and when it gives up. The time is a clock's that the test sets.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/spoold.sh
. "$ROOT/tests/lib/spoold.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

export TZ=UTC0

# Put $T/msg and $T/env into the spool at the time of the clock. usage: put_now
put_now() {
	chain_call "$T/timed" spool "$T/spool"
	assertEquals "taken: $(cat "$T/verdict" "$T/log")" 0 "$code"
	id=$(sed -n '1s/.* as //p' "$T/verdict")
}

# Start spoold with its defaults at the time of the clock. usage: start_timed [option ...]
start_timed() {
	: >"$T/ready"
	MSA_HOST=test.example "$T/timed" spoold -R 3 "$@" "$T/spool" "$T/next" 3>"$T/ready" 2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	residents="$residents $!"
	wait_until [ -s "$T/ready" ]
	assertTrue "spoold is ready: $(cat "$T/spoold.log")" "[ -s $T/ready ]"
}

# The rounds of $id that have ended.
rounds() {
	grep -c -E " (waiting|done) id=$id " "$T/spoold.log"
}

has_rounds() {
	[ "$(rounds)" -eq "$1" ]
}

# Set the clock and wait for the Nth round. $next is when the next one is, in seconds from now. usage: round N seconds
round() {
	clock_at "$2"
	wait_until has_rounds "$1"
	next=$(grep -E " (waiting|done) id=$id " "$T/spoold.log" | sed -n "$1s/.* next=\\([0-9]*\\) .*/\\1/p")
	now=$2
}

# $next is this, give or take an eighth. usage: assert_about what seconds
assert_about() {
	assertTrue "$1: $next s and not about $2 s" "[ ${next:-0} -ge $(($2 - $2 / 8)) ] && [ ${next:-0} -le $(($2 + $2 / 8 + 1)) ]"
}

later() {
	spoold_answers "$1" '451 4.2.0 Later'
}

# 60 s, then twice as long each time up to an hour, give or take an eighth; the last attempt at two days.
test_the_intervals_and_the_end() {
	clock_starts || return 0
	put_now
	for n in 1 2 3 4 5 6 7 8 9 10; do
		later $n
	done
	start_timed
	round 1 0
	n=1
	for interval in 60 120 240 480 960 1920 3600 3600; do
		assert_about "interval $n" $interval
		n=$((n + 1))
		round $n $((now + next))
	done
	assertTrue "of two or three hours: $now" "[ $now -gt 6000 ] && [ $now -lt 14300 ]"
	# the tenth: the report of the delay, after four hours, not before and not after
	[ $((now + next)) -ge 14400 ] || round $((n + 1)) $((now + next))
	[ $((now + next)) -ge 14400 ] || {
		later 11
		later 12
		round $((n + 2)) $((now + next))
	}
	assertEquals 'the moment of the delay' 14400 $((now + next))
}

# With -b and -t: half an hour at first, five days (RFC 5321 4.5.4.1).
test_the_intervals_and_the_end_that_rfc_5321_wants() {
	clock_starts || return 0
	put_now
	for n in 1 2 3 4 5 6 7; do
		later $n
	done
	start_timed -b 1800:14400 -w 0 -t 432000
	round 1 0
	n=1
	for interval in 1800 3600 7200 14400 14400; do
		assert_about "interval $n" $interval
		n=$((n + 1))
		round $n $((now + next))
	done
	round $((n + 1)) 431000
	assertEquals 'the end' 432000 $((now + next))
}

test_a_delay_is_reported_after_four_hours_and_the_end_after_two_days() {
	clock_starts || return 0
	put_now
	later 1
	start_timed
	round 1 0
	later 2
	round 2 14300
	assertEquals 'the moment of the delay' 100 "$next"
	later 3
	round 3 14400
	assert_about 'then an hour or less' 240
	wait_until [ -e "$T/4.done" ]
	assert_spoold_status 'the report' 4 <<-'E2'
		Subject: Message delayed
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE
		Final-Recipient: rfc822; bob@example.org
		Action: delayed
		Status: 4.2.0
		Diagnostic-Code: smtp; 451 4.2.0 Later
		Will-Retry-Until: DATE
	E2
	assertEquals 'its dates' "Date: Fri, 15 Jan 2027 12:00:00 +0000
Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000
Will-Retry-Until: Sun, 17 Jan 2027 08:00:00 +0000" "$(tr -d '\r' <"$T/4.msg" | grep -e '^Date:' -e '^[A-Z][A-Za-z-]*-Date:' -e '^Will-')"
	later 5
	round 4 172700
	assertEquals 'the end' 100 "$next"
	later 6
	round 5 172800
	wait_until [ -e "$T/7.done" ]
	assertEquals 'failed' 'Subject: Message not delivered to every recipient' \
		"$(tr -d '\r' <"$T/7.msg" | grep '^Subject: Message ')"
	assertEquals 'its dates' "Date: Sun, 17 Jan 2027 08:00:00 +0000
Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000" "$(tr -d '\r' <"$T/7.msg" | grep -e '^Date:' -e '^[A-Z][A-Za-z-]*-Date:' -e '^Will-')"
	wait_until spoold_empty
}

# Twice the first interval would be 120 s, less an eighth at most.
test_the_longest_interval_is_what_b_says() {
	clock_starts || return 0
	put_now
	later 1
	later 2
	start_timed -b 60:61 -w 0
	round 1 0
	round 2 $next
	assert_about 'the second' 61
}

# A second before the end of its life a message still waits.
test_a_message_is_not_given_up_before_its_end() {
	clock_starts || return 0
	put_now
	later 1
	later 2
	start_timed -w 0
	round 1 0
	round 2 172799
	assertEquals 'a second is left' 1 "$next"
}

test_an_attempt_has_300_s() {
	clock_starts || return 0
	put_now
	start_timed
	wait_until [ -e "$T/1.done" ]
	assertEquals 'what the chain knows' "MSA_DEADLINE=$((BEGIN + 300))" "$(grep '^MSA_DEADLINE=' "$T/1.facts")"
}

# BY's moment, when the message goes back or its sender is told, is no later than asked for; what the chain gets of it is
# what is left.
test_the_clock_of_by() {
	clock_starts || return 0
	chain_envelope '<alice@example.net> BY=50;R' 'RCPT TO:<bob@example.org>'
	put_now
	later 1
	later 2
	start_timed -k DELIVERBY -b 20:20
	round 1 0
	assertEquals 'what is left' 'BY=50;R' "$(grep -o 'BY=.*' "$T/1.env")"
	round 2 40
	assertEquals 'what is left' 'BY=10;R' "$(grep -o 'BY=.*' "$T/2.env")"
	assertEquals 'the moment' 10 "$next"
	assertEquals 'the attempt ends with it' "MSA_DEADLINE=$((BEGIN + 50))" "$(grep '^MSA_DEADLINE=' "$T/2.facts")"
}

# The clock stands still: nothing but the trigger can end the wait of a minute.
test_a_new_message_wakes_it_at_once() {
	clock_starts || return 0
	start_timed
	clock_awaits spoold 60000
	put_now
	wait_until [ -e "$T/1.done" ]
}

# Somebody moves a message into new by hand, or the fifo is lost: it is found within a minute, and also when the clock was
# set back meanwhile.
test_new_is_looked_at_each_minute() {
	clock_starts || return 0
	clock_at 100
	start_timed
	clock_awaits spoold 60000
	mkfifo "$T/nobody"
	mv "$T/spool/trigger" "$T/spool/trigger.aside"
	put_now
	clock_at 160
	wait_until [ -e "$T/1.done" ]
	wait_until spoold_empty
	clock_at 50
	put_now
	: >"$WAITS"
	kill -CHLD "$runner_pid" # the wait ends, and sees the clock
	clock_awaits spoold 60000 # from 50 on
	clock_at 110
	wait_until [ -e "$T/2.done" ]
}

# A round that failed is begun again after a minute: here the message's file cannot be read.
test_after_a_failed_round_there_is_a_pause() {
	clock_starts || return 0
	put_now
	sed 's/^spool 1$/spool 2/' "$T/spool/new/$id/envelope" >"$T/damaged"
	cp "$T/damaged" "$T/spool/new/$id/envelope"
	start_timed
	wait_until spoold_logs "failed .*$id"
	clock_awaits spoold 60000
	assertEquals 'no other wait' '60000 ' "$(clock_waits spoold)"
}

# Twenty rounds at once, and no more.
test_twenty_are_tried_at_once() {
	clock_starts || return 0
	: >"$T/hold"
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do
		put_now
	done
	start_timed
	wait_until [ -e "$T/20.begun" ]
	: >"$WAITS"
	kill -CHLD "$runner_pid" # to look for more, and wait
	clock_awaits spoold 60000
	assertEquals 'processes' 20 "$(proc_children "$runner_pid" | wc -l)"
	assertFalse 'no more than twenty' "[ -e '$T/21.begun' ]"
	assertEquals 'twenty have begun' 20 "$(find "$T" -maxdepth 1 -name '*.begun' | wc -l)"
	rm "$T/hold"
	wait_until [ -e "$T/22.done" ]
}

# What a process that was killed has left in tmp goes after an hour; what is written now stays.
test_tmp_is_swept_after_an_hour() {
	clock_starts || return 0
	start_timed
	mkdir "$T/spool/tmp/1nmkmg0aaaaaaa" "$T/spool/tmp/1nmkmg0bbbbbbb"
	touch -d "@$BEGIN" "$T/spool/tmp/1nmkmg0aaaaaaa"
	touch -d "@$((BEGIN + 100))" "$T/spool/tmp/1nmkmg0bbbbbbb"
	clock_at 3599
	put_now
	wait_until [ -e "$T/1.done" ]
	assertEquals 'not yet' '1nmkmg0aaaaaaa 1nmkmg0bbbbbbb ' "$(find "$T/spool/tmp" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep ^1nmkmg0 | sort | tr '\n' ' ')"
	clock_at 3660
	gone() {
		[ ! -e "$T/spool/tmp/1nmkmg0aaaaaaa" ]
	}
	wait_until gone
	assertTrue 'younger' "[ -e '$T/spool/tmp/1nmkmg0bbbbbbb' ]"
}

# With -U the spool is the user's, and so are the programs behind.
test_with_a_user_it_is_no_longer_root() {
	clock_starts || return 0
	needs root || return 0
	chmod 755 "$T"
	chown nobody "$T/spool"
	cat >"$T/who" <<-'E2'
		#!/bin/sh
		id -un >&2
		echo '250 2.0.0 taken'
	E2
	chmod 755 "$T/who"
	setpriv --reuid nobody --regid nogroup --clear-groups env MSA_HOST=test.example MSA_SESSION=S MSA_MESSAGE=M MSA_RCPTS=1 \
		"$(command -v spool)" "$T/spool" <"$T/msg" 3<"$T/env" >"$T/verdict" 2>"$T/log"
	spoold -U nobody "$T/spool" "$T/who" 2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	residents="$residents $!"
	wait_until spoold_logs '^nobody$'
}

. "$SHUNIT2"
