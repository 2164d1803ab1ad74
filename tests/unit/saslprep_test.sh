#!/bin/sh
# saslprep: one form of a name or a password, RFC 4013. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_the_examples_of_RFC_4013() {
	unit_table saslprep <<-'END'
	I\xc2\xadX => IX
	user => user
	USER => USER
	\xc2\xaa => a
	\xe2\x85\xa8 => IX
	\x07 => not
	\xd8\xa71 => not
	END
}

test_two_ways_to_type_a_password_are_one() {
	unit_table saslprep <<-'END'
	m\xc2\xb2\xc2\xb5\xc3\xa9 => m2\xce\xbc\xc3\xa9
	m2\xce\xbce\xcc\x81 => m2\xce\xbc\xc3\xa9
	a\xc2\xa0b => a b
	two  words => two  words
	END
}

test_what_is_not_text_has_no_form() {
	unit_table saslprep <<-'END'
	caf\xe9 => not
	\xc3 => not
	\xc0\xaf => not
	\xed\xa0\x80 => not
	\xf4\x90\x80\x80 => not
	a\x7f => not
	a\0b => not
	\xef\xbf\xbf => not
	\xee\x80\x80 => not
	 => not
	\xc2\xad => not
	END
}

test_a_character_younger_than_Unicode_3_2_stays() {
	unit_table saslprep <<-'END'
	\xf0\x9f\x94\x91 => \xf0\x9f\x94\x91
	\xe1\xba\x9e => \xe1\xba\x9e
	END
}

# U+FDFA becomes 18 characters of 33 octets.
test_a_form_that_is_too_long_is_none() {
	awk 'function times(s, n,   t) { while (n-- > 0) t = t s; return t }
	BEGIN {
		print times("\\xef\\xb7\\xba", 30)
		print times("\\xef\\xb7\\xba", 32)
		print times("a", 1023)
		print times("a", 1024)
	}' >"$T/input"
	test-unit saslprep <"$T/input" | sed 's/.* => //' | awk '{ gsub(/\\x../, "x"); print $0 == "not" ? $0 : length($0) }' >"$T/got"
	printf '%s\n' 990 not 1023 not >"$T/want"
	assert_same 'lengths' "$T/want" "$T/got"
}

test_every_character_as_another_implementation_has_it() {
	"$ROOT/tests/tools/saslprep-cases.py" >"$T/cases" || fail 'no cases'
	assertTrue 'many cases' "[ $(wc -l <"$T/cases") -gt 190000 ]"
	unit_table saslprep <"$T/cases"
}

. "$SHUNIT2"
