#!/bin/sh
# lib/mail/downgrade: a header made fit for mail without SMTPUTF8, and long lines of it folded. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_words_of_a_text_become_encoded_words() {
	unit_table downgrade <<-'END'
	Subject: \xc3\xa4\r\n => Subject: =?utf-8?B?w6Q=?=\r\n
	Subject:\xc3\xa4 b  \xc3\xa4\r\n\t\xc3\xb6 c \r\n => Subject:=?utf-8?B?w6Q=?= b  =?utf-8?B?w6QJw7Y=?= c \r\n
	Subject: =?utf-8?Q?a?= \xc3\xa4 =?utf-8?Q?b?=\r\n => Subject: =?utf-8?Q?a?= =?utf-8?Q?_=C3=A4_?= =?utf-8?Q?b?=\r\n
	Subject: 1234567890123456789012345678901234567890123456789012345678 \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 and more\r\n => Subject: 1234567890123456789012345678901234567890123456789012345678\r\n =?utf-8?B?w6TDpMOkw6Q=?= and more\r\n
	Content-Description: \xc3\xa4\r\n => Content-Description: =?utf-8?B?w6Q=?=\r\n
	A: b\r\nSubject: c\r\n => same
	END
}

test_other_octets_are_in_the_charset_of_the_site_or_refused() {
	unit_table downgrade <<-'END'
	Subject: \xe4\r\n => (Subject: octets that are not ASCII are not UTF-8)
	X-A: \xe4\r\nB: c\r\n => (X-A: octets that are not ASCII are not UTF-8)
	END
	unit_table downgrade c <<-'END'
	Subject: \xe4\r\n => Subject: =?iso-8859-1?Q?=E4?=\r\n
	To: \xe4 \xc3\xa4 <a@b.example>, \xc3\xa4 <c@b.example> (\xe4)\r\n => To: =?iso-8859-1?B?5CDDpA==?= <a@b.example>, =?utf-8?B?w6Q=?= <c@b.example>\r\n (\r\n =?iso-8859-1?Q?=E4?=)\r\n
	END
}

test_names_and_comments_among_addresses_become_encoded_words() {
	unit_table downgrade <<-'END'
	To: \xc3\xa4 B <a@b.example>, "C, \\"\xc3\xb6\\"" <c@d.example>, (\xc3\xbc) d@e.example (x)\r\n => To: =?utf-8?Q?=C3=A4_B?= <a@b.example>, =?utf-8?B?QywgIsO2Ig==?=\r\n <c@d.example>, (\r\n =?utf-8?B?w7w=?=) d@e.example (x)\r\n
	To: "A (b" <a@b.example>, \xc3\xa4 <c@b.example> (a (b) c)\r\n => To: "A (b" <a@b.example>, =?utf-8?B?w6Q=?= <c@b.example> (a (b) c)\r\n
	To: \xc3\xa4 (b) <a@b.example>\r\n => To: =?utf-8?B?w6Q=?= (b) <a@b.example>\r\n
	END
}

# RFC 2047 5 (3): in a phrase white space stands before and after an encoded word.
test_white_space_is_around_an_encoded_name() {
	unit_table downgrade <<-'END'
	To: a@b.example,\xc3\xa4<c@d.example>\r\n => To: a@b.example, =?utf-8?B?w6Q=?= <c@d.example>\r\n
	To:\xc3\xa4(c)<c@d.example>\r\n => To: =?utf-8?B?w6Q=?= (c)<c@d.example>\r\n
	END
}

test_a_comment_ends_where_it_ends_and_has_no_line_ends() {
	unit_table downgrade <<-'END'
	To: a@b.example (\xc3\xa4\r\n \xc3\xb6)\r\n => To: a@b.example (=?utf-8?B?w6Qgw7Y=?=)\r\n
	To: a@b.example (\xc3\xa4?)\r\n => To: a@b.example (=?utf-8?B?w6Q/?=)\r\n
	To: (a (b) " c) "(\xc3\xa4)": x@y.example;\r\n => (To: there are octets that are not ASCII)
	To: (a \\) (b) c) (\xc3\xa4) x@y.example\r\n => To: (a \\) (b) c) (=?utf-8?B?w6Q=?=) x@y.example\r\n
	To: a@b.example (\xc3\xa4 \\) c)\r\n => (To: a comment with octets that are not ASCII is not clear)
	To: a@b.example (\xc3\xa4 =?utf-8?Q?a?=)\r\n => (To: a comment with octets that are not ASCII is not clear)
	END
}

# RFC 2047 2: 76 octets, if an encoded word is in it.
test_addresses_with_encoded_words_are_in_short_lines() {
	x=$(printf %040d 0)
	{
		printf '%s\n' "To: \\xc3\\xa4 <$x@$x.example>, b@c.example (\\xc3\\xa4)\\r\\n => To: =?utf-8?B?w6Q=?=\\r\\n <$x@$x.example>,\\r\\n b@c.example (\\r\\n =?utf-8?B?w6Q=?=)\\r\\n" \
			"To: <$x@$x.example>, a@b.example\\r\\nSubject: \\xc3\\xa4\\r\\n => To: <$x@$x.example>, a@b.example\\r\\nSubject: =?utf-8?B?w6Q=?=\\r\\n" \
			"To: ${x}1234567@b.example (${x#0}\\xc3\\xa4\\xc3\\xa4\\xc3\\xa4\\xc3\\xa4)\\r\\n => To: ${x}1234567@b.example (\\r\\n =?utf-8?Q?${x#0}=C3=A4=C3=A4=C3=A4?=\\r\\n =?utf-8?B?w6Q=?=)\\r\\n"
	} >"$T/table"
	unit_table downgrade <"$T/table"
}

test_what_no_encoded_word_can_replace_is_refused() {
	unit_table downgrade <<-'END'
	To: \xc3\xa4 =?utf-8?Q?b?= <a@b.example>\r\n => (To: a name with octets that are not ASCII is not clear)
	To: \xc3\xa4: a@b.example;\r\n => (To: there are octets that are not ASCII)
	To: a@b.example (a (\xc3\xa4))\r\n => (To: a comment with octets that are not ASCII is not clear)
	To: \xc3\xa4@b.example\r\n => (5.6.7 To: an address is not ASCII, but SMTPUTF8 was not given or is not available)
	To: a@\xc3\xa4.example\r\n => (5.6.7 To: an address is not ASCII, but SMTPUTF8 was not given or is not available)
	List-Id: \xc3\xa4 <a.b>\r\n => (List-Id: there are octets that are not ASCII)
	END
}

test_parameters_of_mime_get_the_form_of_rfc_2231() {
	unit_table downgrade <<-'END'
	Content-Type: text/plain; name=\xc3\xa4\r\n => Content-Type: text/plain; name*=utf-8''%C3%A4\r\n
	Content-Disposition: attachment;\r\n\tfilename="\xc3\xbc b\\"c.txt" (x); size=1\r\n => Content-Disposition: attachment;\r\n\x09filename*=utf-8''%C3%BC%20b%22c.txt (x); size=1\r\n
	content-type:text/plain;charset=utf-8 ; Name = \xc3\xbc.txt;\r\n => content-type:text/plain;charset=utf-8 ; Name*=utf-8''%C3%BC.txt;\r\n
	Content-Type: a/b; name="\xc3\xbc\r\n b"; x==?a?=\r\n => Content-Type: a/b; name*=utf-8''%C3%BC%20b; x==?a?=\r\n
	Content-Type: text (c) / (;\xff) plain\r\n => (Content-Type: a parameter with octets that are not ASCII is not clear)
	END
	unit_table downgrade c <<-'END'
	Content-Disposition: inline; filename="\xfc.txt"\r\n => Content-Disposition: inline; filename*=iso-8859-1''%FC.txt\r\n
	END
	unit_table downgrade <<-'END'
	Content-Disposition: inline; filename="\xfc.txt"\r\n => (Content-Disposition: octets that are not ASCII are not UTF-8)
	END
}

# A piece has whole characters, so that one that is decoded for itself is text.
test_a_long_parameter_is_in_lines_and_pieces() {
	x=$(printf %040d 0)
	{
		printf '%s\n' "Content-Type: application/pdf; name=\"\\xc3\\xbc$x\"; a=b\\r\\n => Content-Type: application/pdf;\\r\\n name*=utf-8''%C3%BC$x; a=b\\r\\n" \
			"Content-Type: a/b; name=\"$x\\xc3\\xbc\\xc3\\xbc\\xc3\\xbc\\xc3\\xbc\"\\r\\n => Content-Type: a/b;\\r\\n name*0*=utf-8''$x%C3%BC%C3%BC%C3%BC;\\r\\n name*1*=%C3%BC\\r\\n" \
			"Content-Type: a/b; name=\"${x#00}\\xc3\\xbc\\xc3\\xbc\\xc3\\xbc\\xc3\\xbc\"\\r\\n => Content-Type: a/b;\\r\\n name*0*=utf-8''${x#00}%C3%BC%C3%BC%C3%BC;\\r\\n name*1*=%C3%BC\\r\\n" \
			"Content-Type: a/b;\\r\\n\\tname=\"$x$x\\xc3\\xbc\"\\r\\n => Content-Type: a/b;\\r\\n name*0*=utf-8''${x}0000000000000000000;\\r\\n name*1*=000000000000000000000%C3%BC\\r\\n"
	} >"$T/table"
	unit_table downgrade <"$T/table"
}

test_of_two_forms_of_a_parameter_the_one_in_ascii_stays() {
	unit_table downgrade <<-'END'
	Content-Disposition: attachment; filename="\xc3\xbc.txt"; filename*=utf-8''%C3%BC.txt\r\n => Content-Disposition: attachment; filename*=utf-8''%C3%BC.txt\r\n
	Content-Disposition: attachment; FileName*0*=utf-8''%C3%BC; filename=\xc3\xbc.txt ; filename*1=.txt\r\n => Content-Disposition: attachment; FileName*0*=utf-8''%C3%BC ; filename*1=.txt\r\n
	Content-Disposition: inline; filename=\xc3\xbc; filename*10=k; filename*0=a\r\n => Content-Disposition: inline; filename*10=k; filename*0=a\r\n
	Content-Disposition: inline; filename=\xc3\xbc; filename*=''a\r\n => Content-Disposition: inline; filename*=''a\r\n
	END
}

# RFC 5322 3.2.2 does not allow such a line.
test_a_parameter_that_goes_leaves_no_line_of_white_space() {
	unit_table downgrade <<-'END'
	Content-Type: a/b; name*=utf-8''%C3%BC\r\n ;name="\xc3\xbc"\r\n => Content-Type: a/b; name*=utf-8''%C3%BC\r\n
	Content-Type: a/b; name*=utf-8''a\r\n ;name="\xc3\xbc" \r\n => Content-Type: a/b; name*=utf-8''a \r\n
	Content-Type: a/b\r\n\t;name="\xc3\xbc"\r\n ; name*=utf-8''a\r\n => Content-Type: a/b\r\n ; name*=utf-8''a\r\n
	Content-Type: a/b\r\n ;name="\xc3\xbc";\r\n name*=utf-8''a\r\n => Content-Type: a/b\r\n ;\r\n name*=utf-8''a\r\n
	Content-Type: a/b\r\n ;name="\xc3\xbc"(c); name*=utf-8''a\r\n => Content-Type: a/b\r\n (c); name*=utf-8''a\r\n
	Content-Type: a/b; b*=c''d; e*=f''g\r\n ;b="\xc3\xbc"\r\n ;e="\xc3\xbc"\r\n => Content-Type: a/b; b*=c''d; e*=f''g\r\n
	END
}

test_a_parameter_that_is_not_clear_is_refused() {
	sed 's/^/Content-Type: a\/b; /; s/$/\\r\\n => (Content-Type: a parameter with octets that are not ASCII is not clear)/' >"$T/table" <<-'END'
	boundary="\xc3\xa4"
	name*="\xc3\xa4"
	name*0="\xc3\xa4"; name*1=b
	name="\xc3\xa4"; NAME=b
	name="\xc3\xa4"; name*=b
	name="\xc3\xa4"; name*=utf-8'b
	name="\xc3\xa4"; name*="b"c''
	name="\xc3\xa4"; name*1=b
	name="\xc3\xa4"; name*1*=b''c
	name="\xc3\xa4"; name**=b''c
	name="\xc3\xa4"; name*x=b''c
	name="\xc3\xa4"; name*00=b
	name="\xc3\xa4"; name*0**=b
	name="\xc3\xa4"; name*0=b; name*x=c
	name="\xc3\xa4
	name="\xc3\xa4\\
	name="\xc3\xa4\x01"
	name="\xc3\xa4\\\r\n b"
	name="\xc3\xa4\\\n b"
	na'me=\xc3\xa4
	na%me=\xc3\xa4
	name=\xc3\xa4 b
	name=\xc3\xa4"b"
	name=a\\\xc3\xa4
	name=\xc3\xa4, b=c
	name=\xc3\xa4(b
	name=; b=\xc3\xa4
	name; b=\xc3\xa4
	n\xc3\xa4me=a
	name=a \xc3\xa4
	name=a; (\xc3\xa4)
	name12345678901234567890123456789=\xc3\xa4
	END
	unit_table downgrade <"$T/table"
	{
		printf 'Content-Type: a/b'
		yes '; a=b' | head -n 64 | tr -d '\n'
		printf '%s\n' '; c=\xc3\xa4\r\n => (Content-Type: a parameter with octets that are not ASCII is not clear)'
	} >"$T/table"
	unit_table downgrade <"$T/table"
}

# What is removed or refused anyway, and what others have written.
test_what_is_not_for_this_module_stays() {
	unit_table downgrade <<-'END'
	To: \xe4@b.example\r\n => same
	To: a b \xc3\xa4\r\n => same
	Bcc: \xc3\xa4\r\n => same
	Received: \xc3\xa4\r\nDate: \xc3\xa4\r\n => same
	no field \xc3\xa4\r\nSubject: \xc3\xa4\r\n => no field \xc3\xa4\r\nSubject: =?utf-8?B?w6Q=?=\r\n
	END
	unit_table downgrade u <<-'END'
	Subject: \xc3\xa4\r\n => same
	Subject: \xe4\r\n => same
	To: \xc3\xa4@b.example\r\n => same
	Content-Type: text/plain; name=\xc3\xa4\r\n => same
	END
}

test_a_long_line_is_folded_where_white_space_is() {
	x=$(printf %0990d 0)
	{
		printf '%s\n' "A: $x 1234\\r\\nB: c\\r\\n => same" \
			"A: $x 12345\\r\\nB: c\\r\\n => A: $x\\r\\n 12345\\r\\nB: c\\r\\n" \
			"A: $x 12345 b\\r\\n => A: $x\\r\\n 12345 b\\r\\n" \
			"A: b\\r\\n $x$x\\r\\n => (A: a line is over 998 octets and cannot be folded)" \
			"A:$x$x\\r\\n => (A: a line is over 998 octets and cannot be folded)" \
			"Longer-A: $x \\xc3\\xa4\\r\\n => Longer-A:\\r\\n $x\\r\\n =?utf-8?B?w6Q=?=\\r\\n"
	} >"$T/table"
	unit_table downgrade <"$T/table"
}

# Another program decodes what was written, and finds the text that was there.
# A line that ends before its colon is no field.
test_no_line_is_folded_before_its_colon() {
	x=$(text_repeat 985 x) y=$(text_repeat 70 y)
	printf '%s\n' "Subject :$x y\\r\\n => same" "Subject  :$x yyy yyy\\r\\n => Subject  :$x\\r\\n yyy yyy\\r\\n" \
		"Subject :$x$x\\r\\n => (Subject: a line is over 998 octets and cannot be folded)" | unit_table downgrade
	# a list that is not valid stays, whatever was in it before
	printf '%s\n' "To :\\xc3\\xa4<a@b.example>, <$y $y\\r\\n => same" | unit_table downgrade
}

test_another_program_reads_the_same() {
	cat >"$T/check" <<-'X'
		import email.header, random, subprocess, sys
		r = random.Random(int(sys.argv[1]))
		words = ['a', 'Grüße', 'ü', '日本語' * 9, 'x' * 70, '_?=', '(b)', 'ä' * 40, '"q"', '\\', '\U0001f600']
		lines, texts = [], []
		for _ in range(400):
		    text = ' '.join(r.choice(words) for _ in range(r.randrange(1, 9)))
		    texts.append(text)
		    lines.append('Subject: ' + ''.join(chr(b) if 32 < b < 127 and b != 92 else '\\x%02x' % b if b != 32 else ' ' for b in text.encode()) + '\\r\\n')
		out = subprocess.run(['test-unit', 'downgrade'], input='\n'.join(lines) + '\n', capture_output=True, text=True).stdout
		for text, line in zip(texts, out.splitlines()):
		    got = line.split(' => ', 1)[1]
		    if got == 'same':
		        continue
		    value = got.replace('\\x5c', '\\').replace('\\\\', '\\').replace('\\r\\n', '\n')[8:].rstrip('\n')
		    if any(len(l) > 76 for l in ('Subject:' + value).split('\n')):
		        print('a long line', got)
		    if str(email.header.make_header(email.header.decode_header(value.replace('\n', '').strip()))) != text:
		        print(repr(text), 'became', got)
	X
	assertEquals 'differences' '' "$(python3 "$T/check" "$TEST_SEED" 2>&1 | head -n 5)"
}

# So does it with the names of files.
test_another_program_reads_the_same_name_of_a_file() {
	cat >"$T/check" <<-'X'
		import email, random, subprocess, sys
		r = random.Random(int(sys.argv[1]))
		pieces = ['a', 'ü', ' ', '日本語' * 5, 'x' * 30, "'", '%41', '*', '(b)', 'ä' * 20, '"', '\\', ';', '=', '\U0001f600', '.txt']
		lines, names = [], []
		for _ in range(400):
		    name = 'é' + ''.join(r.choice(pieces) for _ in range(r.randrange(1, 9))) + '.'
		    names.append(name)
		    raw = ('attachment; filename="%s"; x=y' % name.replace('\\', '\\\\').replace('"', '\\"')).encode()
		    lines.append('Content-Disposition: ' + ''.join(chr(b) if 32 < b < 127 and b != 92 else '\\x%02x' % b if b != 32 else ' ' for b in raw) + '\\r\\n')
		out = subprocess.run(['test-unit', 'downgrade'], input='\n'.join(lines) + '\n', capture_output=True, text=True).stdout
		for name, line in zip(names, out.splitlines()):
		    got = line.split(' => ', 1)[1].replace('\\r\\n', '\n')
		    if any(len(l) > 76 for l in got.split('\n')[:-2]):
		        print('a long line', got)
		    message = email.message_from_string(got + '\n')
		    if message.get_filename() != name or message.get_param('x', header='content-disposition') != 'y':
		        print(repr(name), 'became', got, repr(message.get_filename()))
	X
	assertEquals 'differences' '' "$(python3 "$T/check" "$TEST_SEED" 2>&1 | head -n 5)"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
