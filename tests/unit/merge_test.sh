#!/bin/sh
# lib/mail/merge: the lists of recipients that stand in more than one field. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_lists_that_differ_stand_in_the_first_field() {
	unit_table merge <<-'END'
	To: a@b.example\r\nTo: c@d.example\r\n => To To: a@b.example,\r\n c@d.example\r\n
	to:a@b.example\r\nCc: x@y.example\r\nA: b\r\nTO : c@d.example (x)\r\nCc: z@y.example\r\nTo: A <e@f.example>\r\n => To Cc to:a@b.example,\r\n c@d.example (x),\r\n A <e@f.example>\r\nCc: x@y.example,\r\n z@y.example\r\nA: b\r\n
	To:\r\n a@b.example \r\nTo:\t c@d.example,\r\n\te@f.example \r\nTo: g: h@i.example;\r\n => To To:\r\n a@b.example,\r\n c@d.example,\r\n\x09e@f.example,\r\n g: h@i.example;\r\n
	To: a@b.example\r\nTo: c@d.example => To To: a@b.example,\r\n c@d.example\r\n
	no field\r\nTo: a@b.example\r\nTo: c@d.example\r\n => To no field\r\nTo: a@b.example,\r\n c@d.example\r\n
	END
}

test_an_empty_element_at_the_end_has_its_comma() {
	unit_table merge <<-'END'
	To: a@b.example,\r\nTo: c@d.example,\r\n => To To: a@b.example,\r\n c@d.example,\r\n
	To: a@b.example (,\r\nTo: c@d.example\r\n => same
	END
}

test_copies_and_empty_fields_add_nothing() {
	unit_table merge <<-'END'
	To: a@b.example\r\nCc: c@d.example\r\n => same
	To: a@b.example\r\nTo:\r\n a@b.example\r\n => same
	To: a@b.example\r\nTo: \r\n => same
	To:\r\nTo: a@b.example\r\nTo: c@d.example\r\n => To To:\r\nTo: a@b.example,\r\n c@d.example\r\n
	To: a@b.example\r\nTo: c@d.example\r\nTo:a@b.example\r\n => To To: a@b.example,\r\n c@d.example\r\n
	From: a@b.example\r\nFrom: c@d.example\r\nResent-To: a@b.example\r\nResent-To: c@d.example\r\n => same
	END
}

# Two lists that are not valid can be a valid one together, with other addresses.
test_lists_that_are_not_valid_stay() {
	unit_table merge <<-'END'
	To: a@b.example (\r\nTo: ) c@d.example\r\n => same
	To: g: a@b.example\r\nTo: c@d.example;\r\n => same
	To: "a\r\nTo: b" <c@d.example>\r\n => same
	To: ,\r\nTo: c@d.example\r\n => same
	To: a@b.example\r\nTo: c d\r\nCc: a@b.example\r\nCc: c@d.example\r\n => Cc To: a@b.example\r\nTo: c d\r\nCc: a@b.example,\r\n c@d.example\r\n
	END
}

test_a_word_at_the_end_of_a_list_is_no_half_of_the_next_name() {
	unit_table merge <<-'END'
	To: a@b.example, bob (x)\r\nTo: Alice <c@d.example>\r\n => To To: a@b.example, <bob> (x),\r\n Alice <c@d.example>\r\n
	To: bob\r\nTo: carol\r\nTo: dave\r\n => To To: <bob>,\r\n <carol>,\r\n dave\r\n
	To: g: bob;\r\nTo: Alice <c@d.example>\r\n => To To: g: bob;,\r\n Alice <c@d.example>\r\n
	END
}

# shellcheck source=/dev/null
. "$SHUNIT2"
