#!/bin/sh
# addr: paths and mailboxes of RFC 5321 4.1.2 and RFC 6531 3.3. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_a_path_is_a_mailbox_in_brackets() {
	unit_table addr path <<-'END'
	<a@b> => <a@b domain=b> rest=
	<Alice@Example.NET> => <Alice@example.net domain=example.net qualified> rest=
	<a.b-c+d=e/f@x1.y-2.example> => <a.b-c+d=e/f@x1.y-2.example domain=x1.y-2.example qualified> rest=
	<!#$%&'*+-/=?^_`{|}~@example.net> => <!#$%&'*+-/=?^_`{|}~@example.net domain=example.net qualified> rest=
	<a@b.example> SIZE=1 => <a@b.example domain=b.example qualified> rest= SIZE=1
	<a@b.example>x => <a@b.example domain=b.example qualified> rest=x
	<> => <> rest=
	<> RET=FULL => <> rest= RET=FULL
	<user> => <user> rest=
	<a@1.example> => <a@1.example domain=1.example qualified> rest=
	END
}

test_what_is_no_path_is_refused() {
	unit_table addr path <<-'END'
	 => none
	< => none
	a@b => none
	<a@b => none
	 <a@b> => none
	< a@b> => none
	<a@b > => none
	<a @b> => none
	<a@ b> => none
	<@b> => none
	<a@> => none
	<@> => none
	<.a@b> => none
	<a.@b> => none
	<a..b@c> => none
	<a@b@c> => none
	<a@b.> => none
	<a@.b> => none
	<a@b..c> => none
	<a@-b> => none
	<a@b-> => none
	<a@b.-c> => none
	<a@b-.c> => none
	<a@b_c> => none
	<a(comment)@b> => none
	<a@b(comment)> => none
	<a,b@c> => none
	<a;b@c> => none
	<a\@b@c> => none
	<<a@b>> => none
	<a>b@c> => <a> rest=b@c>
	<a\0@b> => none
	<a@b\0> => none
	<a@b\r\n> => none
	<a\x7f@b> => none
	END
}

test_postmaster_needs_no_domain() {
	unit_table addr path <<-'END'
	<postmaster> => <postmaster postmaster> rest=
	<PostMaster> => <PostMaster postmaster> rest=
	<"postmaster"> => <postmaster postmaster> rest=
	<postmaster@example.net> => <postmaster@example.net domain=example.net qualified> rest=
	<postmasters> => <postmasters> rest=
	END
}

test_a_source_route_is_dropped() {
	unit_table addr path <<-'END'
	<@a:u@b.example> => <u@b.example domain=b.example qualified> rest=
	<@a.example,@b.example:u@c> => <u@c domain=c> rest=
	<@[127.0.0.1]:u@c> => <u@c domain=c> rest=
	<@a:user> => none
	<@a:> => none
	<@a:>> => none
	<@a,b:u@c> => none
	<@a,:u@c> => none
	<@a,@b> => none
	<@a:@b:u@c> => none
	<@:u@c> => none
	<@a. :u@c> => none
	<@a => none
	<@ => none
	<@\xff:u@c> => none
	END
}

test_needless_quotes_go_and_needed_ones_stay() {
	unit_table addr path <<-'END'
	<"a"@b> => <a@b domain=b> rest=
	<"a.b"@c> => <a.b@c domain=c> rest=
	<"\\a\\b"@c> => <ab@c domain=c> rest=
	<"a b"@c> => <"a b"@c domain=c> rest=
	<"a\\ b"@c> => <"a b"@c domain=c> rest=
	<"a@b"@c> => <"a@b"@c domain=c> rest=
	<"a>b"@c> => <"a>b"@c domain=c> rest=
	<".a"@c> => <".a"@c domain=c> rest=
	<"a..b"@c> => <"a..b"@c domain=c> rest=
	<""@c> => <""@c domain=c> rest=
	<"\\\\\\""@c> => <"\\\\\\""@c domain=c> rest=
	<"\\"@c> => none
	<"a@c> => none
	<"a"b@c> => none
	<a"b"@c> => none
	<"a".b@c> => none
	<"a\0b"@c> => none
	<"a\nb"@c> => none
	<"a\tb"@c> => none
	<"\\\x01"@c> => none
	<"\x7f"@c> => none
	<" => none
	<"\\ => none
	END
}

# By the grammar "2001" is a tag like another.
test_address_literals_are_ip4_ip6_or_tagged() {
	unit_table addr mailbox <<-'END'
	a@[192.0.2.1] => a@[192.0.2.1] domain=[192.0.2.1] literal qualified
	a@[IPv6:2001:db8::1] => a@[IPv6:2001:db8::1] domain=[IPv6:2001:db8::1] literal qualified
	a@[ipv6:::1] => a@[ipv6:::1] domain=[ipv6:::1] literal qualified
	a@[IPv6:::ffff:192.0.2.1] => a@[IPv6:::ffff:192.0.2.1] domain=[IPv6:::ffff:192.0.2.1] literal qualified
	a@[x-tag:Any!thing] => a@[x-tag:Any!thing] domain=[x-tag:Any!thing] literal qualified
	a@[2001:db8::1] => a@[2001:db8::1] domain=[2001:db8::1] literal qualified
	a@[256.0.0.1] => none
	a@[192.000.002.001] => a@[192.000.002.001] domain=[192.000.002.001] literal qualified
	a@[0.0.0.0] => a@[0.0.0.0] domain=[0.0.0.0] literal qualified
	a@[192.0.2.0001] => none
	a@[192.0.2.256] => none
	a@[192.0.2.1.1] => none
	a@[192..2.1] => none
	a@[192.0.2] => none
	a@[192.0.2.1.] => none
	a@[192.0.2.1\0] => none
	a@[192.0.2.1\0x] => none
	a@[IPv6:1::2::3] => none
	a@[IPv6:12345::] => none
	a@[IPv6:::1\0] => none
	a@[IPv6:] => none
	a@[] => none
	a@[ => none
	a@[1.2.3.4 => none
	a@[1.2.3.4]x => none
	a@[tag:] => none
	a@[:x] => none
	a@[tag-:x] => none
	a@[tag:a b] => none
	a@[tag:a[b] => none
	a@[tag:a\\b] => none
	a@[tag:\xc3\xa9] => none
	END
}

test_utf8_is_well_formed_or_refused() {
	unit_table addr utf8 <<-'END'
	 => yes
	ascii => yes
	\xc3\xa9 => yes
	\xe2\x82\xac => yes
	\xed\x9f\xbf => yes
	\xee\x80\x80 => yes
	\xf0\x90\x80\x80 => yes
	\xf4\x8f\xbf\xbf => yes
	\xc0\x80 => no
	\xc1\xbf => no
	\xe0\x80\x80 => no
	\xe0\x9f\xbf => no
	\xf0\x80\x80\x80 => no
	\xf0\x8f\xbf\xbf => no
	\xed\xa0\x80 => no
	\xed\xbf\xbf => no
	\xf4\x90\x80\x80 => no
	\xf5\x80\x80\x80 => no
	\xf8\x88\x80\x80\x80 => no
	\xff => no
	\x80 => no
	\xc3 => no
	\xe2\x82 => no
	\xf0\x9f\x98 => no
	\xc3\xc3 => no
	\xe2\x82x => no
	END
	unit_table addr path <<-'END'
	<j\xc3\xb6@example.net> => <j\xc3\xb6@example.net domain=example.net utf8 qualified> rest=
	<"j\xc3\xb6 x"@example.net> => <"j\xc3\xb6 x"@example.net domain=example.net utf8 qualified> rest=
	<"j\\\xc3\xb6"@example.net> => none
	<j\xc3@example.net> => none
	<"j\xc3"@example.net> => none
	<a@\xc3> => none
	END
	test-unit addr mailbox <<-'END' >"$T/got"
	a@b\xc3\xbc\xc3\xbc.example
	END
	assertEquals 'a@b\xc3\xbc\xc3\xbc.example => a@b\xc3\xbc\xc3\xbc.example domain=büü.example utf8 qualified' \
		"$(cat "$T/got")"
}

# A local part may be as long as the mailbox allows: reply addresses and those of lists have more than 64 octets.
test_limits_hold_to_the_octet() {
	l63=$(text_repeat 63 a) l252=$(text_repeat 252 a)
	d=$l63.$l63.$(text_repeat 61 a) # 189 octets
	unit_table addr mailbox <<-END
	$(text_repeat 65 a)@b.c => $(text_repeat 65 a)@b.c domain=b.c qualified
	$l252@b => $l252@b domain=b
	a$l252@b => none
	"$(text_repeat 250 a)"@b => $(text_repeat 250 a)@b domain=b
	"$(text_repeat 251 a)"@b => none
	"$(text_repeat 249 a) "@b => "$(text_repeat 249 a) "@b domain=b
	"$(text_repeat 250 a) "@b => none
	"$(text_repeat 125 '\\\\"')"@b => "$(text_repeat 125 '\\\\"')"@b domain=b
	"$(text_repeat 125 '\\\\"')a"@b => none
	"$(text_repeat 126 '\\\\"')"@b => none
	a@$l63 => a@$l63 domain=$l63
	a@a$l63 => none
	a@$l63.a$l63.b => none
	$(text_repeat 64 a)@$d => $(text_repeat 64 a)@$d domain=$d qualified
	$(text_repeat 64 a)@a$d => none
	$(text_repeat 60 a)@$l63.$l63.$l63.a => $(text_repeat 60 a)@$l63.$l63.$l63.a domain=$l63.$l63.$l63.a qualified
	$(text_repeat 61 a)@$l63.$l63.$l63.a => none
	END
	unit_table addr domain <<-END
	$l63.$l63.$l63.$l63 => yes
	a.$l63.$l63.$l63.$l63 => no
	$l63.$l63.$l63.$(text_repeat 62 a) => yes
	 => no
	. => no
	a. => no
	a.b => yes
	a--b => yes
	[127.0.0.1] => no
	a b => no
	a\0 => no
	END
}

# RFC 5890 4.2: it is the A-label that has 63 octets at most; its U-label may have more octets, never more characters.
test_a_label_of_utf8_is_measured_in_characters() {
	unit_table addr domain <<-END
	$(text_repeat 40 '\\xc3\\xa9').example => yes
	$(text_repeat 63 '\\xc3\\xa9').example => yes
	$(text_repeat 64 '\\xc3\\xa9').example => no
	END
}

test_a_mailbox_has_both_parts_and_nothing_more() {
	unit_table addr mailbox <<-'END'
	 => none
	user => none
	@ => none
	<a@b> => none
	a@b => a@b domain=b
	a@b> => none
	a@b  => none
	END
}

. "$SHUNIT2"
