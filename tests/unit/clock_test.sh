#!/bin/sh
# clock: dates and deadlines. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_a_date_is_of_rfc_5322_in_the_local_zone() {
	export TZ=UTC0
	unit_table clock date <<-'END'
	0 => Thu, 1 Jan 1970 00:00:00 +0000
	1795300200 => Sat, 21 Nov 2026 22:30:00 +0000
	951782400 => Tue, 29 Feb 2000 00:00:00 +0000
	4102444799 => Thu, 31 Dec 2099 23:59:59 +0000
	-1 => Wed, 31 Dec 1969 23:59:59 +0000
	END
	export TZ=EST5EDT,M3.2.0,M11.1.0
	unit_table clock date <<-'END'
	1795300200 => Sat, 21 Nov 2026 17:30:00 -0500
	1783000000 => Thu, 2 Jul 2026 09:46:40 -0400
	END
	export TZ=XXX-5:45
	unit_table clock date <<-'END'
	1795300200 => Sun, 22 Nov 2026 04:15:00 +0545
	END
	export TZ=XXX3:30
	unit_table clock date <<-'END'
	1795300200 => Sat, 21 Nov 2026 19:00:00 -0330
	END
	export TZ=XXX0:30
	unit_table clock date <<-'END'
	1795300200 => Sat, 21 Nov 2026 22:00:00 -0030
	END
	unset TZ
}

test_the_locale_does_not_matter() {
	assertEquals '1795300200 => Sat, 21 Nov 2026 22:30:00 +0000' \
		"$(echo 1795300200 | LC_ALL=de_DE.UTF-8 TZ=UTC0 test-unit clock date)"
}

# A year that no calendar has: nothing sensible, and nothing written out of bounds.
test_any_time_fits() {
	printf '%s\n' 9223372036854775807 -9223372036854775808 67767976233532799 |
		TZ=UTC0 test-unit clock date >"$T/got" 2>&1
	assertEquals 3 "$(grep -c ' => ' "$T/got")"
}

test_what_is_left_is_never_negative() {
	rm -f "$T/input"
	unit_gives clock left <<-'END'
	past 0
	now 0
	zero 0
	soon right
	far INT_MAX
	END
}

. "$SHUNIT2"
