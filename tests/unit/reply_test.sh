#!/bin/sh
# reply: the table of our replies, and those of others. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# usage: foreign lines... <expected
foreign() {
	printf '%s\n' "$@" >"$T/input"
	unit_gives reply foreign
}

test_code_and_enhanced_code_agree() {
	test-unit reply table >"$T/table"
	assertTrue 'there is a table' "[ $(wc -l <"$T/table") -gt 40 ]"
	assertEquals '' "$(awk -F'|' '
		$1 !~ /^[2-5][0-5][0-9]$/ { print "code: " $0 }
		$2 == "" && $1 !~ /^3/ { print "no enhanced code: " $0 }
		$2 != "" && $2 !~ /^[245]\.[0-9][0-9]?[0-9]?\.[0-9][0-9]?[0-9]?$/ { print "enhanced code: " $0 }
		$2 != "" && substr($1, 1, 1) != substr($2, 1, 1) { print "class: " $0 }' "$T/table")"
}

test_no_row_stands_twice() {
	assertEquals '' "$(cut -d'|' -f1-3 "$T/table" | sort | uniq -d)"
	assertEquals 'a text has one code' '' "$(cut -d'|' -f3 "$T/table" | sort | uniq -d)"
}

test_texts_are_ascii_and_lines_short() {
	assertEquals '' "$(LC_ALL=C grep -n '[^ -~]' "$T/table")"
	assertEquals '' "$(awk -F'|' '$3 == "" || $3 ~ /^ | $/ || length($4) > 100 || $3 ~ /[.]$/' "$T/table")"
	assertEquals 'lines are made of the row' '' \
		"$(awk -F'|' '$4 != $1 " " $2 ($2 == "" ? "" : " ") $3 "\\r\\n"' "$T/table")"
}

test_a_full_disk_and_a_quota_are_insufficient_storage() {
	unit_gives reply errno <<-'END'
	452 Insufficient storage, try again later
	452 Insufficient storage, try again later
	452 Insufficient storage, try again later
	451 Out of memory, try again later
	451 Local error, try again later
	END
}

test_a_foreign_reply_goes_out_as_it_came() {
	foreign '250 Ok' <<-'END'
	250 2.0.0 Ok\r\n
	END
	foreign '550 5.1.1 No such user' <<-'END'
	550 5.1.1 No such user\r\n
	END
	foreign '550-5.1.1 No' '550-5.1.1 such' '550 5.1.1 user' <<-'END'
	550-5.1.1 No\r\n
	550-5.1.1 such\r\n
	550 5.1.1 user\r\n
	END
	foreign '250' <<-'END'
	250 2.0.0 \r\n
	END
	foreign '250-' '250 end' <<-'END'
	250-2.0.0 \r\n
	250 2.0.0 end\r\n
	END
	foreign '450 4.2.0' <<-'END'
	450 4.2.0 \r\n
	END
}

# Of another class, too long or no code at all: then it is text.
test_an_enhanced_code_is_one_by_rfc_3463() {
	foreign '250 5.1.1 Ok' <<-'END'
	250 2.0.0 5.1.1 Ok\r\n
	END
	foreign '550 5.1.1000 No' <<-'END'
	550 5.0.0 5.1.1000 No\r\n
	END
	foreign '550 5.123.456 No' <<-'END'
	550 5.123.456 No\r\n
	END
	foreign '550 5.1.1x' <<-'END'
	550 5.0.0 5.1.1x\r\n
	END
	foreign '550 5.1.' <<-'END'
	550 5.0.0 5.1.\r\n
	END
	foreign '550 5.1.1, no' <<-'END'
	550 5.0.0 5.1.1, no\r\n
	END
	foreign '550-5.1.1 a' '550 5.2.2 b' <<-'END'
	550-5.1.1 a\r\n
	550 5.1.1 b\r\n
	END
}

test_what_is_no_reply_line_is_told() {
	for line in '' 2 25 'abc' '150 x' '650 x' '2x0 x' '250x' '250_x' '2500 x' ' 250 x'; do
		foreign "$line" <<-'END'
		no reply line
		END
	done
	foreign '250-a' '251 b' <<-'END'
	another code
	250 2.0.0 a\r\n
	END
}

test_octets_that_may_not_stand_there_are_replaced() {
	foreign '550 a\r\nb\0c\x01d\xc3\xa9' <<-'END'
	550 5.0.0 a??b?c?d??\r\n
	END
	foreign '550 tab\tstays' <<-'END'
	550 5.0.0 tab\x09stays\r\n
	END
}

# 512 octets with code, enhanced code and CRLF: 500 of text with 5.1.1, one more makes a second line.
test_a_long_line_is_cut_at_512_octets() {
	foreign "550 5.1.1 $(text_repeat 500 x)" <<-'END'
	550 5.1.1 xx... 512 octets
	END
	foreign "550 5.1.1 $(text_repeat 501 x)" <<-'END'
	550-5.1.1 xx... 512 octets
	550 5.1.1 x\r\n
	END
	foreign "550-5.1.1 $(text_repeat 1001 x)" '550 5.1.1 end' <<-'END'
	550-5.1.1 xx... 512 octets
	550-5.1.1 xx... 512 octets
	550-5.1.1 x\r\n
	550 5.1.1 end\r\n
	END
}

test_a_reply_without_end_is_kept_in_bounds() {
	echo '250-' >"$T/input"
	test-unit reply foreign 100000 <"$T/input" >"$T/got"
	assertEquals '' "$(grep 'TOO MUCH' "$T/got")"
	assertEquals '' "$(awk 'NR > 4200' "$T/got" | head -n 1)"
	echo "250-$(text_repeat 5000 y)" >"$T/input"
	test-unit reply foreign 3 <"$T/input" >"$T/got"
	assertEquals '' "$(grep 'TOO MUCH' "$T/got")"
	assertTrue 'it has a last line' "tail -n 1 $T/got | grep -q '^250 '"
}

test_what_spoke_of_our_session_is_quoted() {
	printf '%s\n' '421-4.3.2 Going' '421 4.3.2 down' >"$T/input"
	unit_gives reply translate <<-'END'
	451-4.3.0 The next server said: 421 4.3.2 Going\r\n
	451 4.3.0 down\r\n
	END
	echo "535 5.7.8 $(text_repeat 499 x)" >"$T/input"
	unit_gives reply translate <<-'END'
	554-5.3.0 Th... 512 octets
	554 5.3.0 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n
	END
}

. "$SHUNIT2"
