#!/bin/sh
# authd -M: a password that the store has found right costs no slow hash again. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'

setUp() {
	export MSA_HOST=mx.example
	db=$T/users.cdb
	rm -rf "$db" "$T/locked"
	printf 'pencil\n' | msa-passwd -i 4096 "$db" bob
	printf 'eraser\n' | msa-passwd -n phone "$db" bob
}

tearDown() {
	resident_stop_all
	[ ! -f "$T/authd.log" ] || assertFalse 'a credential in the log' "grep -q -e pencil -e eraser -e cGVuY2ls '$T/authd.log'"
	rm -f "$T"/*.log
}

# A resident that says each slow hash in its log. usage: start option ... || return 0
start() {
	preload_build hashes || return 1
	program_lines counted "export LD_PRELOAD='$T/hashes.so'" 'exec authd "$@"'
	resident_start authd "$T/counted" -p -u "$db" "$@" true
}

# The reply to a password by PLAIN, and how many slow hashes it has cost. usage: costs user password
costs() {
	before=$(grep -c '^slow hash' "$T/authd.log")
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	talk -t 60 call "$T/authd" <"$T/script" 2>"$T/log" | tail -n 1 >"$T/reply"
	echo "$(($(grep -c '^slow hash' "$T/authd.log") - before)) $(cat "$T/reply")"
}

# usage: costs_are expected user password
costs_are() {
	costs "$2" "$3" >"$T/costs"
	[ "$(cat "$T/costs")" = "$1" ]
}

last() {
	grep -e ' authenticated ' -e ' refused ' "$T/authd.log" | tail -n 1 | sed 's/^authd: [^ ]* //'
}

test_the_second_login_costs_no_slow_hash() {
	start -M 3600 || return 0
	assertEquals "1 $yes" "$(costs bob pencil)"
	first=$(last)
	assertEquals "0 $yes" "$(costs bob pencil)"
	assertEquals 'the same line of the log' "$first" "$(last)"
	assertEquals 'the same user' "0 $yes" "$(costs BOB pencil)"
	assertEquals 'a password of another label' "2 $yes" "$(costs bob eraser)"
	assertEquals "0 $yes" "$(costs bob eraser)"
	assertEquals 'authenticated user=bob mech=PLAIN label=phone' "$(last)"
	assertEquals "0 $yes" "$(costs bob pencil)"
	printf '<\n> EHLO x\n<\n> AUTH LOGIN %s\n<\n> %s\n<\n' "$(printf bob | base64)" "$(printf pencil | base64)" >"$T/script"
	before=$(grep -c '^slow hash' "$T/authd.log")
	talk -t 60 call "$T/authd" <"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
	echo "$yes" | assert_out LOGIN
	assertEquals LOGIN "$before" "$(grep -c '^slow hash' "$T/authd.log")"
}

test_without_the_option_each_login_costs_one() {
	start || return 0
	for _ in 1 2; do assertEquals "1 $yes" "$(costs bob pencil)"; done
}

# A refusal costs the same whatever is remembered, and however often it is asked for.
test_a_failure_is_never_remembered() {
	start -M 3600 || return 0
	for when in before after; do
		for _ in 1 2; do
			assertEquals "$when" "2 $no" "$(costs bob pencils)"
			assertEquals "$when" "1 $no" "$(costs nobody pencil)"
		done
		costs bob pencil >/dev/null
	done
	assertEquals "0 $yes" "$(costs bob pencil)"
}

# Each worker serves one call and ends.
test_workers_share_what_they_remember() {
	start -M 3600 -P 2:2 -C 1 || return 0
	assertEquals "1 $yes" "$(costs bob pencil)"
	for _ in 1 2 3; do assertEquals "0 $yes" "$(costs bob pencil)"; done
}

# A young worker answers 421 to who asks for more than the store that it has.
test_a_new_store_ends_what_was_remembered() {
	start -M 3600 || return 0
	assertEquals "1 $yes" "$(costs bob pencil)"
	assertEquals "0 $yes" "$(costs bob pencil)"
	printf 'other\n' | msa-passwd "$db" alice
	wait_until costs_are "1 $yes" bob pencil
	assertEquals "$(cat "$T/costs")" "1 $yes" "$(cat "$T/costs")"
	assertEquals "0 $yes" "$(costs bob pencil)"
	printf 'new\n' | msa-passwd "$db" bob
	wait_until costs_are "2 $no" bob pencil
	assertEquals "2 $no" "$(costs bob pencil)"
	msa-passwd -L "$db" bob
	wait_until costs_are "1 $no" bob new
	assertContains "$(last)" 'reason="user is locked"'
}

test_a_user_who_is_stopped_does_not_come_in() {
	mkdir "$T/locked"
	start -M 3600 -d "$T/locked" || return 0
	assertEquals "1 $yes" "$(costs bob pencil)"
	: >"$T/locked/bob"
	assertEquals 'no time tells that it is the right one' "1 $no" "$(costs bob pencil)"
	assertContains "$(last)" 'refused user=bob mech=PLAIN reason="user is locked"'
	rm "$T/locked/bob"
	assertEquals "0 $yes" "$(costs bob pencil)"
}

test_SIGHUP_forgets() {
	start -M 3600 || return 0
	costs bob pencil >/dev/null
	assertEquals "0 $yes" "$(costs bob pencil)"
	kill -HUP "$authd_pid"
	wait_until grep -q ' reloaded' "$T/authd.log"
	assertEquals "1 $yes" "$(costs bob pencil)"
}

test_an_entry_counts_for_so_many_seconds() {
	clock_starts || return 0
	preload_build hashes || return 0
	program_lines counted "export MSA_SANDBOX=off LD_PRELOAD='$T/hashes.so:$T/clock.so' CLOCK_FILE='$CLOCK' CLOCK_WAITS='$WAITS'" \
		"export CLOCK_BEGIN=$BEGIN" 'exec authd "$@"'
	resident_start authd "$T/counted" -p -u "$db" -M 100 true
	assertEquals "1 $yes" "$(costs bob pencil)"
	clock_at 99
	assertEquals "0 $yes" "$(costs bob pencil)"
	clock_at 100
	assertEquals 'not from the last login on' "1 $yes" "$(costs bob pencil)"
	clock_at 199
	assertEquals "0 $yes" "$(costs bob pencil)"
}

# Only what the store says: the back end may say something else the next time.
test_a_back_ends_answer_is_not_remembered() {
	program_lines check "echo asked >>'$T/asked'" 'exec 3<&-' 'exec "$@"'
	user=
	[ "$(id -u)" -ne 0 ] || user='-U nobody'
	: >"$T/asked"
	chmod 755 "$T"
	chmod 666 "$T/asked"
	# shellcheck disable=SC2086
	start -M 3600 $user -k "$T/check" || return 0
	for n in 1 2; do
		assertEquals "0 $yes" "$(costs carol any)"
		assertEquals 'each time' $n "$(grep -c . "$T/asked")"
	done
	assertEquals "1 $yes" "$(costs bob pencil)"
	assertEquals "0 $yes" "$(costs bob pencil)"
	assertEquals 'the store has it' 2 "$(grep -c . "$T/asked")"
}

test_where_nothing_can_be_remembered_it_is_misuse() {
	for row in "-p -u $db -M 60:a process for each session remembers nothing: -l is missing" \
		"-p -l $T/x -D $T/x -M 60:only passwords of a store are remembered: -u is missing"; do
		# shellcheck disable=SC2086
		authd ${row%%:*} true </dev/null 2>"$T/err"
		code=$?
		assertEquals "100 authd: -M: ${row#*:}" "$code $(cat "$T/err")"
	done
	for n in 0 86401 x ''; do
		authd -l "$T/x" -u "$db" -M "$n" true </dev/null 2>"$T/err"
		code=$?
		assertEquals "100 authd: -M $n: not a number from 1 to 86400" "$code $(cat "$T/err")"
	done
}

# Where a user is guessed from many addresses, no password is answered. No time tells that it was the right one.
test_a_right_password_that_is_refused_costs_what_a_wrong_one_does() {
	rm -rf "$T/penalties"
	mkdir -m 700 "$T/penalties"
	msa-passwd -g -n fast "$db" carol >"$T/fast"
	start -M 3600 -g "$T/penalties" || return 0
	over='421 4.7.0 Too many wrong passwords, try again later'
	assertEquals "1 $yes" "$(costs bob pencil)"
	assertEquals "0 $yes" "$(TCPREMOTEIP=192.0.2.1 costs bob pencil)"
	printf '%s\n' today 'scram 203.0.113.1 bob 150' 'scram 203.0.113.1 carol 150' |
		test-unit penalty "$T/penalties" >"$T/out"
	TCPREMOTEIP=198.51.100.1
	export TCPREMOTEIP
	assertEquals remembered "1 $over" "$(costs bob pencil)"
	assertEquals 'a fast hash' "1 $over" "$(costs carol "$(cat "$T/fast")")"
	assertEquals wrong "1 $over" "$(costs carol x)"
	unset TCPREMOTEIP
}

# shellcheck disable=SC1090
. "$SHUNIT2"
