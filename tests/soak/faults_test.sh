#!/bin/sh
# Programs killed at their system calls, short of descriptors, short of memory: the short form of tests/soak/faults.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

# usage: faults mode [option ...]
faults() {
	"$ROOT/tests/soak/faults" "$@" >"$T/out" 2>&1
	code=$?
	grep '^SKIP: ' "$T/out"
	[ "$code" -ne 77 ] || { skip 'no process can be traced here'; return; }
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertTrue "$(cat "$T/out")" "grep -q ' 0 wrong$' $T/out"
}

# A prime: other calls of each program than of the one before.
test_killed_at_some_system_calls() {
	if program_sanitized; then
		faults kill -s 211 -d 30
	else
		faults kill -s 97 -d 30
	fi
}

test_short_of_descriptors() {
	faults files -s 2 -d 30
}

test_short_of_memory() {
	preload_build oom || return 0
	faults memory -s 9 -d 30
}

# shellcheck source=/dev/null
. "$SHUNIT2"
