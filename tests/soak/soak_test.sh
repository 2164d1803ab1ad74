#!/bin/sh
# Residents and their workers killed at random under load, the spool's programs at some of their system calls: the short
# form of make soak. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

test_no_message_is_lost_halved_or_doubled_by_kills() {
	needs tcpserver || return 0
	"$ROOT/tests/soak/run" -s "$TEST_SEED" -t 5 -c 4 -k 25 >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertTrue "$(cat "$T/out")" "grep -q ' 0 wrong' $T/out"
}

test_nor_where_the_stages_share_a_process() {
	needs tcpserver || return 0
	"$ROOT/tests/soak/run" -i -s "$TEST_SEED" -t 5 -c 4 -k 25 >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertTrue "$(cat "$T/out")" "grep -q ' 0 wrong' $T/out"
}

test_a_spool_loses_nothing_at_whatever_call_it_is_killed() {
	"$ROOT/tests/soak/spool" -e 7 -o "$TEST_SEED" >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertTrue "$(cat "$T/out")" "grep -q ' 0 wrong' $T/out"
}

. "$SHUNIT2"
