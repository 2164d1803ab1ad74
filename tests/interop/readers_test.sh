#!/bin/sh
# rights(8) and mail readers: no From field that rights passes is shown as somebody else's. make readers does the same
# with 10,000 fields. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

test_no_reader_shows_a_field_that_passes_as_somebody_elses() {
	for need in mutt s-nail tmux doveadm node php; do
		command -v "$need" >/dev/null || {
			skip "no $need"
			return
		}
	done
	mkdir "$T/d"
	chmod 755 "$T"
	sh "$ROOT/tests/tools/readers/run" 300 1 "$T/d" >"$T/out" 2>&1
	code=$?
	cat "$T/out"
	assertEquals 0 "$code"
	assertTrue 'some pass' "[ $(wc -l <"$T/d/passed") -gt 75 ]"
	assertTrue 'some are hostile' "[ $(awk '/^[|] mutt/ { print $NF }' "$T/out") -gt 30 ]"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
