#!/bin/sh
# mail/datetime, and message identifiers of mail/addrlist: what RFC 5322 allows is valid, also in its obsolete form.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_dates_of_today() {
	unit_table datetime <<-'END'
	 Sat, 21 Nov 2026 22:30:00 +0000 => valid
	 21 Nov 2026 22:30 -0730 => valid
	Sat, 1 Nov 2026 22:30:59 +0000 (UTC) => valid
	 sAT, 21 nOV 2026 22:30:60 -0000 => valid
	\r\n Sat,\r\n\t21 Nov 2026\r\n 22:30:00\r\n +0000 => valid
	 29 Feb 2024 00:00 +1400 => valid
	 29 Feb 2000 23:59 +9959 => valid
	 Mon, 21 Nov 2026 22:30:00 +0000 => valid
	END
}

test_dates_of_yesterday() {
	unit_table datetime <<-'END'
	 Sat (day) , 21 (of) Nov (a (nested) one) 26 (x) 22 : 30 : 00 GMT (y) => valid
	 21 Nov 97 22:30:00 EST => valid
	 21 Nov 126 22:30:00 Z => valid
	 21Nov2026 22:30UT => valid
	 21 Nov 2026 22:30:00 CEST => valid
	END
}

test_what_is_no_date() {
	unit_table datetime <<-'END'
	 => invalid
	 yesterday => invalid
	 2026-11-21T22:30:00Z => invalid
	 Sat 21 Nov 2026 22:30:00 +0000 => invalid
	 Sam, 21 Nov 2026 22:30:00 +0000 => invalid
	 Saturday, 21 Nov 2026 22:30:00 +0000 => invalid
	 Sat, 21 November 2026 22:30:00 +0000 => invalid
	 Sat, Nov 21 2026 22:30:00 +0000 => invalid
	 Sat Nov 21 22:30:00 2026 => invalid
	 0 Nov 2026 22:30:00 +0000 => invalid
	 31 Nov 2026 22:30:00 +0000 => invalid
	 29 Feb 2023 22:30:00 +0000 => invalid
	 29 Feb 1900 22:30:00 +0000 => invalid
	 21 Nov 1899 22:30:00 +0000 => invalid
	 21 Nov 6 22:30:00 +0000 => invalid
	 021 Nov 2026 22:30:00 +0000 => invalid
	 21 Nov 2026 24:00:00 +0000 => invalid
	 21 Nov 2026 22:60:00 +0000 => invalid
	 21 Nov 2026 22:30:61 +0000 => invalid
	 21 Nov 2026 9:30:00 +0000 => invalid
	 21 Nov 2026 22:3:00 +0000 => invalid
	 21 Nov 2026 22:30: +0000 => invalid
	 21 Nov 2026 22 +0000 => invalid
	 21 Nov 2026 22:30:00 => invalid
	 21 Nov 2026 22:30:00+0000 => invalid
	 21 Nov 2026 22:30:00 +000 => invalid
	 21 Nov 2026 22:30:00 +00000 => invalid
	 21 Nov 2026 22:30:00 +0060 => invalid
	 21 Nov 2026 22:30:00 + 0000 => invalid
	 21 Nov 2026 22:30:00 London => invalid
	 21 Nov 2026 22:30:00 +0000 x => invalid
	 21 Nov 2026 22:30:00 +0000 (open => invalid
	 21 Nov 2026 22:30:00 +0000\0 => invalid
	 21 Nov 2026 22:30:00 +0000, 22 Nov 2026 22:30:00 +0000 => invalid
	 21 Nov 999999999999 22:30:00 +0000 => invalid
	END
}

test_message_identifiers() {
	unit_table datetime msg-id <<-'END'
	 <1@example.org> => valid
	<a.b$c%d@host> => valid
	\r\n <1@[192.0.2.1]> (comment) => valid
	 <"a b"@example.org> => valid
	 < a . b @ example . org > => valid
	 <\xc3\xa9@example.org> => valid
	 => invalid
	 this is no msg-id => invalid
	 1@example.org => invalid
	 <1> => invalid
	 <1@> => invalid
	 <@example.org> => invalid
	 <1@2@example.org> => invalid
	 <1@example.org => invalid
	 <1@example.org>> => invalid
	 <1@example.org> <2@example.org> => invalid
	 <1@example.org>, => invalid
	 name <1@example.org> => invalid
	 <1..2@example.org> => invalid
	 <1 2@example.org> => invalid
	 <@a.example:1@example.org> => invalid
	 <1@example..org> => invalid
	 <\xff@example.org> => invalid
	 <1@example.org> (open => invalid
	END
}

# shellcheck disable=SC1090
. "$SHUNIT2"
