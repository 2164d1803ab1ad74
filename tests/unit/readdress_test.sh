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
	To: x [team] <x@old.example>, [y] z <y@old.example> => To: x [team] <x@new.example>, [y] z <y@new.example>
	To: "" <x@old.example> => To: "" <x@new.example>
	To: "\\"y z\\"@old.example" <"y z"@old.example> => To: "\\"y z\\"@new.example" <"y z"@new.example>
	END
}

# RFC 5322 2.1.1: 998 octets without the line's end. usage: becomes what before after
becomes() {
	[ "$(printf '%s\n' "$2" | test-unit readdress)" = "$2 => $3" ]
	assertEquals "$1" 0 $?
}

test_a_line_that_would_be_too_long_is_folded() {
	x=$(text_repeat 961 x)
	becomes 'it fits' "To: $x, a@far.example <a@far.example>" "To: $x, \"b@far.example\" <b@far.example>"
	becomes 'white space is there' "To: x$x, a@far.example <a@far.example>" "To: x$x,\\r\\n \"b@far.example\" <b@far.example>"
	becomes 'no white space is there' "To: xx$x,a@far.example <a@far.example>" "To: xx$x,\\r\\n \"b@far.example\" <b@far.example>"
	becomes 'in a group' "To: G:x$x, a@far.example <a@far.example>;" "To: G:x$x,\\r\\n \"b@far.example\" <b@far.example>;"
	many=$(text_repeat 67 'x@far.example,')
	becomes 'one of many' "To: ${many}x@far.example, a@far.example <a@far.example>,y@far.example" \
		"To: ${many}x@far.example,\\r\\n \"b@far.example\" <b@far.example>,y@far.example"
	becomes 'the first cannot be' "To: a@far.example <a@far.example> (xxxx$x)" '(long)'
	becomes 'it was too long' "To: $x$x, a@far.example" "To: $x$x, b@far.example"
	becomes 'it is folded there' "To: $x,\\r\\n a@far.example <a@far.example> (xxxx$x)" '(long)'
	becomes 'folded once' "To: x@far.example,\\r\\n a@far.example,$x, a@far.example <a@far.example>" \
		"To: x@far.example,\\r\\n b@far.example,$x,\\r\\n \"b@far.example\" <b@far.example>"
	becomes 'on another line' "To: x$x,\\r\\n a@far.example <a@far.example>" "To: x$x,\\r\\n \"b@far.example\" <b@far.example>"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
