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
	mkdir -p "$T/tree/cmd" "$T/tree/lib/base" "$T/tree/lib/mail" "$T/tree/lib/tlsd" "$T/tree/include/msa"
	cp -R "$ROOT/cmd/stamp" "$T/tree/cmd"
	cp "$ROOT/lib/base/clock.c" "$ROOT/lib/base/clock.h" "$T/tree/lib/base"
	printf '#include <stdio.h>\n#include "mail/a.h"\n#include "base/clock.h"\n' >"$T/tree/lib/mail/a.c"
	printf '#include <sys/types.h>\n#include "base/clock.h"\n' >"$T/tree/lib/mail/a.h"
	printf '#include "msa/stage.h"\n#include "mail/a.h"\n' >"$T/tree/lib/mail/b.h"
	printf '#include <stdint.h>\n#include <msa/log.h>\n' >"$T/tree/include/msa/stage.h"
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
		long line|lib/base/clock.c|/* %0125d */\n
		white space at the end|lib/base/clock.c|int x; \n
		include|lib/base/clock.c|#include "mail/a.h"\n
		include|lib/mail/a.h|#  include "tlsd/pump.h" /* later */\n
		include|lib/mail/a.h|#include "b.h"\n
		include|lib/mail/a.c|#include "session/dialogue.h"\n
		include|lib/mail/a.c|#include <tlsd/pump.h>\n
		include|include/msa/stage.h|#include "chain/facts.h"\n
		include|include/msa/stage.h|#include <chain/facts.h>\n
		include|include/msa/stage.h|#include "stage.h"\n
		circle of includes|lib/mail/a.h|#include "mail/b.h"\n
		circle of includes|lib/mail/a.c|#include "mail/b.h"\n
		lib does not exit|lib/mail/a.c|void f(void) { exit(1); }\n
		lib reads no environment|lib/mail/a.c|char *f(void) { return getenv("HOME"); }\n
		page|cmd/stamp/stamp.8|.Nosuch macro\n
	END
	look
	assertEquals 'and all is well again' 0 "$code"
}

# The order is that of lib/README.md.
test_the_order_of_the_folders_is_read() {
	printf '# The library\n\n- `mail/` messages\n- `base/` the ground\n' >"$T/tree/lib/README.md"
	look
	assertEquals "$(cat "$T/said")" 1 "$code"
	assertContains "$(cat "$T/said")" 'include: lib/mail/a.h:2: base/clock.h: base comes after mail'
	printf -- '- `base/` the ground\n- `mail/` messages\n' >"$T/tree/lib/README.md"
	look
	assertEquals "$(cat "$T/said")" 0 "$code"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
