#!/bin/sh
# The messages of this tree through tests/corpus/run: make corpus does it with thousands. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

test_messages_are_only_changed_as_the_pages_say_and_strict_parsers_find_nothing_wrong() {
	python3 "$ROOT/tests/corpus/run" "$ROOT/tests/messages" >"$T/out" 2>&1
	code=$?
	assertEquals "exit: $(cat "$T/out")" 0 "$code"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
