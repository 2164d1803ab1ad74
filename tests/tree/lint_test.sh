#!/bin/sh
# scripts/lint: what it prints it also ends with, so that nobody need read it. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# What is said of a copy of the tree; the library is not built for it. usage: look
look() {
	(cd "$T/tree" && MAKE=true sh scripts/lint) >"$T/said" 2>&1
	code=$?
}

setUp() {
	mkdir "$T/tree"
	cp -R "$ROOT/scripts" "$ROOT/man" "$T/tree"
	mkdir "$T/tree/cmd" "$T/tree/lib"
	cp -R "$ROOT/cmd/stamp" "$T/tree/cmd"
	find "$ROOT/lib" -name buf.c -exec cp {} "$T/tree/lib" \;
}

tearDown() {
	rm -rf "$T/tree"
}

test_nothing_is_wrong_with_what_is_right() {
	look
	assertEquals "$(cat "$T/said")" 0 "$code"
}

# Each rule that looks at text is behind a pipe.
test_each_finding_fails() {
	while IFS='|' read -r rule file text; do
		cp "$T/tree/$file" "$T/was"
		# shellcheck disable=SC2059
		printf "$text" >>"$T/tree/$file"
		look
		assertEquals "$rule" 1 "$code"
		assertContains "$rule" "$(cat "$T/said")" "$rule: "
		cp "$T/was" "$T/tree/$file"
	done <<-'END'
		long line|lib/buf.c|/* %0125d */\n
		white space at the end|lib/buf.c|int x; \n
		page|cmd/stamp/stamp.8|.Nosuch macro\n
	END
	look
	assertEquals 'and all is well again' 0 "$code"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
