#!/bin/sh
# mail/strictlist, with mail/encword and mail/charset: which forms of an address list are accepted.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_what_mail_programs_write_is_accepted() {
	unit_table strictlist <<-'END'
	 a@b.example => a@b.example
	<a@b.example> => a@b.example
	 <a@b.example> => a@b.example
	 Alice <a@b.example> => a@b.example
	 Alice Smith <a@b.example> => a@b.example
	 Alice B. C. Smith-O'Neill <a@b.example> => a@b.example
	 Alice<a@b.example> => a@b.example
	 "Smith, Alice" <a@b.example> => a@b.example
	"Smith, Alice"<a@b.example> => a@b.example
	 "Alice (Sales); x: y [z]" <a@b.example> => a@b.example
	 "Alice \\"Al\\" Smith\\\\" <a@b.example> => a@b.example
	 "" <a@b.example> => a@b.example
	 "Alice" B. "Smith" <a@b.example> => a@b.example
	 Alice & Bob <a@b.example> => a@b.example
	 =?utf-8?Q?J=C3=BCrgen_M=c3=bcller?= <a@b.example> => a@b.example
	 =?UTF-8?B?SsO8cmdlbg==?= =?iso-8859-1?q?M=FCller?= <a@b.example> => a@b.example
	 =?utf-8?q?J=C3=BCrgen?= B. "Smith" <a@b.example> => a@b.example
	 =?utf-8?q?J=C3=BCrgen_=28Sales=29_=22J=22?= <a@b.example> => a@b.example
	 =?utf-8?q?J_=28Sales?=\r\n =?utf-8?q?_South=29?= <a@b.example> => a@b.example
	 "=?utf-8?q?M=C3=BCller=2C_J=C3=BCrgen?=" <a@b.example> => a@b.example
	 J\xc3\xbcrgen <a@b.example> => a@b.example
	 "M\xc3\xbcller, J" <j\xc3\xbc@b\xc3\xbc.example> => j\xc3\xbc@b\xc3\xbc.example
	 a@b.example, Alice <c@d.example> , <e@f.example>\t,g@h.example => a@b.example,c@d.example,e@f.example,g@h.example
	 Alice\r\n Smith\r\n\t<a@b.example>,\r\n c@d.example => a@b.example,c@d.example
	\r\n Alice <a@b.example> => a@b.example
	 o'neill+x=y/z!#$%&*?^_`{|}~-@b.example => o'neill+x=y/z!#$%&*?^_`{|}~-@b.example
	 Alice@B.EXAMPLE => Alice@b.example
	 a@[192.0.2.1] => a@[192.0.2.1]
	END
}

test_a_name_may_be_the_address_itself() {
	unit_table strictlist <<-'END'
	 a@b.example <a@b.example> => a@b.example
	 A@B.Example\r\n <a@b.example> => A@b.example
	 "a@b.example" <a@b.example> => a@b.example
	 "A@B.example" <a@b.example> => a@b.example
	 "a\\@b.example" <a@b.example> => a@b.example
	 =?utf-8?q?a=40b.example?= <a@b.example> => a@b.example
	 =?utf-8?b?YUBiLmV4YW1wbGU=?= <a@b.example>, "c@d.example" <c@d.example> => a@b.example,c@d.example
	 =?utf-8?q?a_b=40c.example?= <a_b@c.example> => (a name has an at sign or angle bracket, and is not the address)
	 a@b.example <c@b.example> => (a name has an at sign or angle bracket, and is not the address)
	 a@b.example <a@b.example.org> => (a name has an at sign or angle bracket, and is not the address)
	 "a@b.example." <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	 "<a@b.example>" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	 "a@b.example a@b.example" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	 "c@d.example" <a@b.example>, c@d.example => (a name has an at sign or angle bracket, and is not the address)
	 a@b.example c@d.example <a@b.example> => (an address is not valid, or has no domain)
	 Alice a@b.example <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	END
	long=$(head -c 253 /dev/zero | tr '\0' x)
	assertEquals 'longer than any address' "\"a@$long\" <a@b> => (a name has an at sign or angle bracket, and is not the address)" \
		"$(printf '"a@%s" <a@b>\n' "$long" | test-unit strictlist)"
}

test_a_name_cannot_look_like_another_address() {
	unit_table strictlist <<-'END'
	"c@d.example" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	"c\\@d.example" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	"<c" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	"c>" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	"@" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?utf-8?q?c=40d.example?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?utf-8?q?c@d.example?= <a@b.example> => (an address is not valid, or has no domain)
	=?utf-8?b?PGNAZC5leGFtcGxlPiwg?= <a@b.example> => (an encoded word has a comma or similar punctuation, which some readers misread)
	"=?utf-8?q?c=40d.example?=" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	"x =?utf-8?q?c=40d.example?= y" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	"\\=?utf-8?q?c=40d.example?=" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?utf-8?q?c?= =?utf-8?q?=40?= =?utf-8?q?d.example?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?us-ascii?q?=3Cc?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?koi8-r?q?=3E?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	c\xef\xbc\xa0d.example <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	"c\xef\xb9\xabd.example" <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?gb2312?q?c=A3=C0d.example?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?big5?q?c=A2=49d.example?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?iso-2022-jp?q?c=1B$B!w=1B=28Bd.example?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	a\xef\xbc\xa0x@b.example => (an address is not valid, or has no domain)
	END
}

test_a_name_has_no_control_or_bidirectional_character() {
	unit_table strictlist <<-'END'
	x\xe2\x80\xae <a@b.example> => (a name or an address has a control or bidirectional character)
	"x\xe2\x81\xa6" <a@b.example> => (a name or an address has a control or bidirectional character)
	=?utf-8?q?x=E2=80=8F?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?utf-8?q?x=D8=9C?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?windows-1255?q?=FD?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?iso-8859-8-i?q?=FE?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?utf-8?q?=00?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?utf-8?q?=0A?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?utf-8?q?=7F?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?utf-8?q?=C2=9B?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?iso-8859-1?q?=9B?= <a@b.example> => (a name or an address has a control or bidirectional character)
	=?utf-8?q?=E2=80=A8?= <a@b.example> => (a name or an address has a control or bidirectional character)
	"x\x01" <a@b.example> => (a name or an address has a control or bidirectional character)
	"x\\\r" <a@b.example> => (a name or an address has a control or bidirectional character)
	"x\ty" <a@b.example> => (a name or an address has a control or bidirectional character)
	"x\0y" <a@b.example> => (a name or an address has a control or bidirectional character)
	a\xe2\x80\xaex@b.example => (a name or an address has a control or bidirectional character)
	a@b\xe2\x80\x8f.example => (a name or an address has a control or bidirectional character)
	=?windows-1252?q?=9B=FD?= =?utf-8?q?=E2=80=8D?= <a@b.example> => a@b.example
	END
}

test_an_encoded_word_is_whole_and_valid() {
	unit_table strictlist <<-'END'
	=?utf-8?q??= <a@b.example> => a@b.example
	x=?utf-8?q?y?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?y?=x <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?x?==?utf-8?q?y?= <a@b.example> => (an encoded word in a name is not valid)
	"=?utf-8?q?x y?=" <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?x <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?= <a@b.example> => (an encoded word in a name is not valid)
	=?= <a@b.example> => (an encoded word in a name is not valid)
	=? <a@b.example> => (an encoded word in a name is not valid)
	?= <a@b.example> => a@b.example
	=?utf-8?x?y?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?qq?y?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?x?y?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?=4?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?=4g?= <a@b.example> => (an encoded word in a name is not valid)
	=?iso-8859-1?q?=4g?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?=C3?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?=C1=80?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?=3D=3Fx?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?q?\xc3\xbc?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?b?YQ?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?b?YQ=?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-8?b?!!!!?= <a@b.example> => (an encoded word in a name is not valid)
	=?utf-7?q?+AEA-?= <a@b.example> => (an encoded word has an unknown character set)
	=?utf-8*en?q?x?= <a@b.example> => (an encoded word has an unknown character set)
	=??q?x?= <a@b.example> => (an encoded word has an unknown character set)
	=?gb18030?q?=811=811?= <a@b.example> => (an encoded word in a name is not valid)
	=?gbk?q?=A1?= <a@b.example> => (an encoded word in a name is not valid)
	=?big5?q?=A4=39?= <a@b.example> => (an encoded word in a name is not valid)
	=?big5?b?pEA=?= <a@b.example> => (a name has an at sign or angle bracket, and is not the address)
	=?big5?b?pFykVA==?= <a@b.example> => a@b.example
	=?euc-kr?b?sei9wg==?= <a@b.example> => a@b.example
	=?iso-2022-jp?B?GyRCO01FRBsoQg==?= <a@b.example> => a@b.example
	=?iso-2022-jp?Q?=1B$BEDCf=1B=28J?= <a@b.example> => a@b.example
	=?iso-2022-jp?Q?=1B$BEDCf?= <a@b.example> => (an encoded word in a name is not valid)
	=?iso-2022-jp?Q?=1B$B?= <a@b.example> => (an encoded word in a name is not valid)
	=?iso-2022-jp?Q?=1B$BEDC=1B=28B?= <a@b.example> => (an encoded word in a name is not valid)
	=?iso-2022-jp?Q?=1B$AEDCf=1B=28B?= <a@b.example> => (an encoded word in a name is not valid)
	=?iso-2022-jp?Q?=80?= <a@b.example> => (an encoded word in a name is not valid)
	x\xfc <a@b.example> => (a name is not UTF-8)
	"x\xc1\x80" <a@b.example> => (a name is not UTF-8)
	END
}

# Some readers decode before they look for commas, quotes and comments.
test_an_encoded_word_hides_no_punctuation() {
	hidden='(an encoded word has a comma or similar punctuation, which some readers misread)'
	for name in '=?utf-8?q?M=C3=BCller=2C_J?=' '=?utf-8?q?x=3B?=' '=?utf-8?q?x=3A?=' '=?utf-8?q?=5B?=' '=?utf-8?q?=5D?=' '=?utf-8?q?x_=28?=' '=?utf-8?q?x=29?=' '=?utf-8?q?=29=28?=' \
		'=?utf-8?q?=22?=' '=?utf-8?q?=5C?=' '"=?utf-8?q?=22=2C?="' '"=?utf-8?q?=5C?="' \
		'=?utf-8?q?=22=28=22=29?=' '=?utf-8?q?=28?= x =?utf-8?q?=29?=' '=?utf-8?q?=22?= "x" =?utf-8?q?=22?='; do
		printf '%s <a@b.example> => %s\n' "$name" "$hidden" | unit_table strictlist
		printf '%s <a@b.example> => a@b.example\n' "$name" | unit_table strictlist -p
	done
	printf '=?utf-8?q?=2C=3C?= <a@b> => (a name has an at sign or angle bracket, and is not the address)\n' | unit_table strictlist -p
}

test_no_group_route_or_comment_is_accepted() {
	unit_table strictlist <<-'END'
	Us:a@b.example; => (a group is not accepted)
	"c@d.example": a@b.example; => (a group is not accepted)
	"c@d.example":;, a@b.example => (a group is not accepted)
	a@b.example; => (a group is not accepted)
	a@b.example: c@d.example => (a group is not accepted)
	:; => (a group is not accepted)
	<@d.example:a@b.example> => (a source route is not accepted)
	@d.example:a@b.example => (an address is not valid, or has no domain)
	(c@d.example) a@b.example => (a comment is not accepted)
	a@b.example (Alice) => (a comment is not accepted)
	Alice (Sales) <a@b.example> => (a comment is not accepted)
	Alice(Sales) <a@b.example> => (a comment is not accepted)
	Alice <a@b.example(x)> => (a comment is not accepted)
	Alice <(x)a@b.example> => (a comment is not accepted)
	(x) => (a comment is not accepted)
	END
}

test_the_list_has_no_empty_element() {
	unit_table strictlist <<-'END'
	 => (there is no address)
	  => (there is no address)
	, a@b.example => (a comma has no address beside it)
	a@b.example, => (a comma has no address beside it)
	a@b.example,, c@d.example => (a comma has no address beside it)
	a@b.example, , c@d.example => (a comma has no address beside it)
	Smith, Alice <a@b.example> => (a comma has no address beside it)
	a@b.example,\r\n => (a line has only white space)
	a@b.example c@d.example => (an address is not valid, or has no domain)
	a@b.example Alice => (an address is not valid, or has no domain)
	END
}

test_folding_stands_between_tokens_only() {
	unit_table strictlist <<-'END'
	"Alice\r\n Smith" <a@b.example> => (a line is folded in quotes)
	a\r\n @b.example => (an address is not valid, or has no domain)
	a@\r\n b.example => (an address is not valid, or has no domain)
	a@b\r\n .example => (an address is not valid, or has no domain)
	<\r\n a@b.example> => (an address is not valid, or has no domain)
	<a@b.example\r\n > => (an address is not valid, or has no domain)
	=?utf-8?q?x\r\n y?= <a@b.example> => (an encoded word in a name is not valid)
	Alice\r\n \r\n <a@b.example> => (a line has only white space)
	Alice <a@b.example>\r\n => (a line has only white space)
	Alice <a@b.example>\r\n\t => (a line has only white space)
	Alice\n <a@b.example> => (an address is not valid, or has no domain)
	Alice\r <a@b.example> => (an address is not valid, or has no domain)
	a@b.example\0 => (an address is not valid, or has no domain)
	END
}

test_an_address_is_plain() {
	unit_table strictlist <<-'END'
	alice => (an address is not valid, or has no domain)
	<alice> => (an address is not valid, or has no domain)
	<> => (an address is not valid, or has no domain)
	Alice => (an address is not valid, or has no domain)
	"Alice" => (an address is not valid, or has no domain)
	Alice < => (an address is not valid, or has no domain)
	Alice <a@b.example => (an address is not valid, or has no domain)
	Alice <a@b.example>> => (an address is not valid, or has no domain)
	Alice <<a@b.example>> => (an address is not valid, or has no domain)
	Alice <a@b.example> Smith => (an address is not valid, or has no domain)
	Alice <a@b.example> <c@d.example> => (an address is not valid, or has no domain)
	"a"@b.example => (an address is not valid, or has no domain)
	"c@d.example"@b.example => (an address is not valid, or has no domain)
	<"a"@b.example> => (an address is not valid, or has no domain)
	a.@b.example => (an address is not valid, or has no domain)
	.a@b.example => (an address is not valid, or has no domain)
	a@b.example. => (an address is not valid, or has no domain)
	a@b_c.example => (an address is not valid, or has no domain)
	a@b@c.example => (an address is not valid, or has no domain)
	a@[IPv6:2001:db8::1] => (an address is not valid, or has no domain)
	=?utf-8?q?c=40d?=@b.example => (an address has an encoded word in it)
	Alice <=?utf-8?q?x?=@b.example> => (an address has an encoded word in it)
	a[x]@b.example => (an address is not valid, or has no domain)
	"Alice" "Smith"<a@b.example> => a@b.example
	"Alice""Smith" <a@b.example> => (an address is not valid, or has no domain)
	Alice"Smith" <a@b.example> => (an address is not valid, or has no domain)
	"Alice <a@b.example> => (an address is not valid, or has no domain)
	"Alice\\ => (an address is not valid, or has no domain)
	. Alice <a@b.example> => (an address is not valid, or has no domain)
	.Alice <a@b.example> => (an address is not valid, or has no domain)
	[x] <a@b.example> => (an address is not valid, or has no domain)
	a\\b <a@b.example> => (an address is not valid, or has no domain)
	END
}

test_a_word_is_no_longer_than_a_line() {
	word=$(head -c 998 /dev/zero | tr '\0' x)
	for name in "$word" "\"$word\"" "$word $word"; do
		assertEquals "$name <a@b> => a@b" "$(printf '%s <a@b>\n' "$name" | test-unit strictlist)"
	done
	for name in "x$word" "\"x$word\"" "=?utf-8?q?$word?="; do
		assertEquals "$name <a@b> => (a name has a word longer than a line)" "$(printf '%s <a@b>\n' "$name" | test-unit strictlist)"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
