#!/bin/sh
# lib/mail/readdress: changing the addresses of a header field in place. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_only_what_changes_is_replaced() {
	unit_table readdress <<-'END'
	To: x@old.example => To: x@new.example
	To: a@old.example => To: b@new.example
	To: a@far.example => To: b@far.example
	To: x@far.example => same
	To: x@OLD.example,\r\n X <y@far.example>, a@far.example => To: x@new.example,\r\n X <y@far.example>, b@far.example
	To: <@r.example:x(c)@(d)old.example>(e) => To: <@r.example:x(c)@(d)new.example>(e)
	To: a (c) @ (d) old . (e) example => To: b (c) @ (d) new.example
	To: "a"@old.example, "x"@old.example => To: b@new.example, "x"@new.example
	To: Us: x@old.example, a@[192.0.2.1];, => To: Us: x@new.example, b@[192.0.2.1];,
	To: a => same
	To: => same
	To:; => (bad)
	To: x@old.example, ( => (bad)
	To: x@old.example, a@bad.example => (error)
	END
}

test_a_name_that_is_the_address_changes_too() {
	unit_table readdress <<-'END'
	To: "x@old.example" <x@old.example> => To: "x@new.example" <x@new.example>
	To: "X@OLD.example"\r\n <x@old.example> => To: "x@new.example"\r\n <x@new.example>
	To: "x\\@old.example" <x@old.example> => To: "x@new.example" <x@new.example>
	To: x@old.example <x@old.example> => To: "x@new.example" <x@new.example>
	To: "x@old.example" <y@old.example> => To: "x@old.example" <y@new.example>
	To: "x@old" ".example" <x@old.example> => To: "x@old" ".example" <x@new.example>
	To: "x@old.example" "" <x@old.example> => To: "x@old.example" "" <x@new.example>
	To: " x@old.example" <x@old.example> => To: " x@old.example" <x@new.example>
	To: "x@old.exampl" <x@old.example> => To: "x@old.exampl" <x@new.example>
	To: "" <x@old.example> => To: "" <x@new.example>
	To: "\\"y z\\"@old.example" <"y z"@old.example> => To: "\\"y z\\"@new.example" <"y z"@new.example>
	END
}

# RFC 5322 2.1.1: 998 octets without the line's end.
test_a_line_becomes_no_longer_than_a_line_may_be() {
	while IFS='|' read -r n after; do
		long=$(text_repeat "$n" x)
		before="To: $long, a@far.example <a@far.example>"
		[ "$after" = '(long)' ] || after="To: $long, $after"
		[ "$(printf '%s\n' "$before" | test-unit readdress)" = "$before => $after" ]
		assertEquals "$n: $after" 0 $?
	done <<-'X'
		961|"b@far.example" <b@far.example>
		962|(long)
		980|(long)
	X
	long=$(text_repeat 990 x)
	assertEquals 'not longer than before' "To: $long, b@far.example" \
		"$(printf 'To: %s, a@far.example\n' "$long" | test-unit readdress | sed 's/.* => //')"
	long=$(text_repeat 985 x)
	assertEquals 'on another line' "To: $long,\\r\\n \"b@far.example\" <b@far.example>" \
		"$(printf 'To: %s,\\r\\n a@far.example <a@far.example>\n' "$long" | test-unit readdress | sed 's/.* => //')"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
