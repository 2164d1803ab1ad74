#!/bin/sh
# Programs killed at their system calls, short of descriptors, short of memory: the short form of tests/soak/faults.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

# Primes as strides: other places of each program than of the one before. With another seed, others.
# usage: faults mode [option ...]
faults() {
	"$ROOT/tests/soak/faults" "$@" -o "$TEST_SEED" >"$T/out" 2>&1
	code=$?
	grep '^SKIP: ' "$T/out"
	[ "$code" -ne 77 ] || { skip 'no process can be traced here'; return; }
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertTrue "$(cat "$T/out")" "grep -q ' 0 wrong$' $T/out"
}

test_killed_at_some_system_calls() {
	faults kill -s 211
}

test_short_of_descriptors() {
	faults files -s 5
}

test_short_of_memory() {
	preload_build oom || return 0
	faults memory -s 17
}

# shellcheck source=/dev/null
. "$SHUNIT2"
