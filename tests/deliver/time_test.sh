#!/bin/sh
# How long an injector waits, and what is not delivered any more then. The time is a clock's that the test sets.
# ISC licence, see LICENSE.
# shellcheck disable=SC2154 # in_pid: resident_start sets it
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

LATE='451 4.4.7 No answer in time, try again later'

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	rm -rf "$T/box" "$T/spool"
	mkdir -m 700 "$T/box" "$T/spool"
	unset CLOCK_FSYNC
}

tearDown() {
	resident_stop_all
}

# The server has the whole text; then it is that many seconds later, and perhaps it answers.
# usage: answered_at seconds lmtpd's-options -- injector ...
answered_at() {
	seconds=$1
	server=
	shift
	while [ "$1" != -- ]; do
		server="$server $1"
		shift
	done
	shift
	clock_at 0
	# shellcheck disable=SC2086
	eval "lmtpd_start $server"
	chain_call MSA_DEADLINE=$((BEGIN + ${deadline-1000})) "$T/timed" "$@" "$T/s" &
	wait_until grep -q '^\.' "$T/rec"
	clock_at "$seconds"
	wait $!
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	kill "$lmtpd_pid" 2>/dev/null
	wait "$lmtpd_pid"
}

test_an_injector_has_80_s_and_less_if_the_chain_has() {
	clock_starts || return 0
	for injector in lmtp-inject 'smtp-inject -p'; do
		smtp=
		[ "$injector" = lmtp-inject ] || smtp=-s
		# shellcheck disable=SC2086
		answered_at 79.9 $smtp "'END=sleep:1|250 2.0.0 Saved'" -- $injector
		assert_verdict "$injector: an answer after 79.9 s" '250 2.0.0 Saved'
		# shellcheck disable=SC2086
		answered_at 80 $smtp END=stall -- $injector
		assert_verdict "$injector: none after 80 s" "$LATE"
	done
	deadline=50
	answered_at 47.9 "'END=sleep:1|250 2.0.0 Saved'" -- lmtp-inject
	assert_verdict 'two seconds are left for the answer' '250 2.0.0 Saved'
	answered_at 48 END=stall -- lmtp-inject
	assert_verdict 'the deadline of the chain is earlier' "$LATE"
	unset deadline
}

test_a_kept_session_has_10_s() {
	clock_starts || return 0
	timed_inject() {
		exec "$T/timed" lmtp-inject "$@"
	}
	lmtpd_start
	resident_start in timed_inject -P 1:1 "$T/s"
	chain_call call "$T/in"
	assert_verdict 'delivered' '250 2.0.0 Saved'
	clock_awaits lmtp-inject 10000
	assertFalse 'kept' "grep -q QUIT '$T/rec'"
	clock_at 10
	wait_until grep -q QUIT "$T/rec"
	lmtpd_ended
}

# The time passes while the message is written to the disk.
test_a_message_that_is_on_the_disk_too_late_is_not_delivered() {
	clock_starts || return 0
	for injector in "maildir-inject $T/box" "spool $T/spool"; do
		clock_at 0
		# shellcheck disable=SC2086
		chain_call MSA_DEADLINE=$((BEGIN + 1000)) CLOCK_FSYNC=79.9 "$T/timed" $injector
		assertEquals "$injector: in time" 250 "$(head -c 3 "$T/verdict")"
		assertEquals "$injector: one" 1 "$(find "$T/box" "$T/spool" -path '*/new/*' -prune | wc -l)"
		rm -rf "$T/box" "$T/spool"
		mkdir -m 700 "$T/box" "$T/spool"
		clock_at 0
		# shellcheck disable=SC2086
		chain_call MSA_DEADLINE=$((BEGIN + 1000)) CLOCK_FSYNC=80 "$T/timed" $injector
		assert_verdict "$injector: too late" "$LATE"
		assert_logged 'abandoned reason="the deadline has passed"'
		assertEquals "$injector: none" '' "$(cd "$T" && find box spool -path '*/new/*' -o -path '*/tmp/*')"
	done
}

. "$SHUNIT2"
