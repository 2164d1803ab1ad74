#!/bin/sh
# submitd: how long it waits, for what, and what it says then. The time is a clock's that the test sets.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

TIMEOUT='421 4.4.2 Waited too long, closing the connection'

# Never answers, and keeps what it was given as deadline.
program_make silent <<'E2'
#!/bin/sh
echo "$MSA_DEADLINE" >"$T/deadline"
exec sleep 1000
E2

# A session of the commands of standard input; $T/out begins behind the greeting. usage: session submitd [option ...]
session() {
	{
		printf '%s\n' '> HELO client.example' '<' '<'
		cat
	} | RELAYCLIENT='' TMPDIR=$T/tmp talk "$T/timed" "$@" >"$T/all" 2>"$T/log"
	sed 1,2d "$T/all" >"$T/out"
}

test_a_command_is_waited_for_300_s() {
	clock_starts || return 0
	session submitd true <<-E2
		waits $WAITS submitd 2 300000
		put $CLOCK 299
		> NOOP
		<
		waits $WAITS submitd 3 300000
		put $CLOCK 599
		<<
	E2
	printf '%s\n' '250 2.0.0 Ok' "$TIMEOUT" EOF | assert_out '300 s'
	assertEquals 'each wait' '300000 ' "$(clock_waits submitd)"
}

test_each_part_of_a_text_is_waited_for_180_s() {
	clock_starts || return 0
	for command in DATA 'BDAT 5000'; do
		clock_at 0
		rm -f "$WAITS"
		session submitd true <<-E2
			> MAIL FROM:<a@example.org>
			<
			> RCPT TO:<b@example.net>
			<
			> $command
			waits $WAITS submitd 5 180000
			put $CLOCK 180
			<<
		E2
		sed '1,2d; /^354 /d' "$T/out" >"$T/rest"
		mv "$T/rest" "$T/out"
		printf '%s\n' "$TIMEOUT" EOF | assert_out "$command"
	done
}

# 5,000 octets have 10 s more than none, whenever they come.
test_a_text_has_at_least_500_octets_a_second() {
	clock_starts || return 0
	printf %05000d 0 >"$T/part"
	for command in DATA 'BDAT 9000'; do
		clock_at 0
		rm -f "$WAITS"
		session submitd true <<-E2
			> MAIL FROM:<a@example.org>
			<
			> RCPT TO:<b@example.net>
			<
			> $command
			waits $WAITS submitd 5 180000
			put $CLOCK 100
			file $T/part
			waits $WAITS submitd 6 90000
			put $CLOCK 190
			<<
		E2
		sed '1,2d; /^354 /d' "$T/out" >"$T/rest"
		mv "$T/rest" "$T/out"
		printf '%s\n' "$TIMEOUT" EOF | assert_out "$command"
	done
}

test_a_session_has_7200_s() {
	clock_starts || return 0
	i=0
	while [ $i -lt 24 ]; do
		i=$((i + 1))
		printf '%s\n' "put $CLOCK $((290 * i))" '> NOOP' '<'
	done >"$T/script"
	printf '%s\n' "waits $WAITS submitd 26 240000" "put $CLOCK 7200" '<<' >>"$T/script"
	session submitd true <"$T/script"
	sed '1,24d' "$T/out" >"$T/rest"
	assertEquals '24 commands' 24 "$(grep -c '^250 2.0.0 Ok$' "$T/out")"
	mv "$T/rest" "$T/out"
	printf '%s\n' "$TIMEOUT" EOF | assert_out 'the end'
}

# The chain has 100 s, and is told so. (Its output is looked for ten times a second, and at the end in what is left.)
test_a_message_is_answered_within_100_s() {
	clock_starts || return 0
	session submitd "$T/silent" <<-E2
		> MAIL FROM:<a@example.org>
		<
		> RCPT TO:<b@example.net>
		<
		> DATA
		<
		>> Subject: x\r\n\r\n.\r\n
		until $T/deadline 1
		put $CLOCK 99.95
		until $WAITS  50
		put $CLOCK 100
		<
	E2
	assertEquals 'what the chain knows' $((BEGIN + 100)) "$(cat "$T/deadline")"
	assertEquals '451 4.4.7 No answer in time, try again later' "$(tail -n 1 "$T/out")"
}

test_a_check_at_rcpt_has_30_s() {
	clock_starts || return 0
	rm -f "$T/deadline"
	session submitd -r "$T/silent" true <<-E2
		> MAIL FROM:<a@example.org>
		<
		> RCPT TO:<b@example.net>
		until $T/deadline 1
		put $CLOCK 29.95
		until $WAITS  50
		put $CLOCK 30
		<
	E2
	assertEquals 'what the check knows' $((BEGIN + 30)) "$(cat "$T/deadline")"
	assertEquals '451 4.4.7 No answer in time, try again later' "$(tail -n 1 "$T/out")"
}

. "$SHUNIT2"
