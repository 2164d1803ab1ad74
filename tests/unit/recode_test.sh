#!/bin/sh
# lib/mail/recode, mime and transfer: a message is made fit for a next hop, part by part, and the rest stays octet for
# octet. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_text_becomes_quoted_printable_or_base64_whichever_is_shorter() {
	unit_table recode '' <<-'END'
	A: b\r\n\r\nplain\r\n => same
	A: b\r\n\r\n\xc3\xa4 = text, most of it ASCII\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4 =3D text, most of it ASCII\r\n
	A: b\r\n\r\n\xc3\xa4\xc3\xa4\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw6TDpA0K\r\n
	A: b\r\n\r\n\xc3\xa412345678\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A412345678\r\n
	A: b\r\n\r\n\xc3\xa41234567\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw6QxMjM0NTY3DQo=\r\n
	END
}

test_quoted_printable_keeps_white_space_at_the_end_and_makes_no_delimiter() {
	unit_table recode '' <<-'END'
	Content-Type: text/html\r\nMIME-Version: 1.0\r\n\r\n\xe4 and a text that is long enough \r\n\t\r\n-- \r\n.\r\n\r\nend \t\r\n => Content-Type: text/html\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E4 and a text that is long enough=20\r\n=09\r\n=2D-=20\r\n.\r\n\r\nend =09\r\n
	Content-Type: text/html\r\nMIME-Version: 1.0\r\n\r\n\xe4123456789012345678901234567890123456789012345678901234567890123456789012--b\r\n => Content-Type: text/html\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E4123456789012345678901234567890123456789012345678901234567890123456789012=\r\n=2D-b\r\n
	Content-Type: text/html\r\nMIME-Version: 1.0\r\n\r\n123456789012345678901234567890123456789012345678901234567890123456789012\xe4\xe4end\r\n => Content-Type: text/html\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n123456789012345678901234567890123456789012345678901234567890123456789012=E4=\r\n=E4end\r\n
	Content-Type: text/html\r\nMIME-Version: 1.0\r\n\r\nnot a whole line, \xe4 => Content-Type: text/html\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nnot a whole line, =E4=\r\n
	END
}

test_text_without_a_charset_gets_the_one_that_is_certain() {
	unit_table recode '' <<-'END'
	A: b\r\n\r\n\xe4 in another charset\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E4 in another charset\r\n
	A: b\r\nMIME-Version: 1.0\r\n\r\n\xe4 in another charset\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E4 in another charset\r\n
	END
	unit_table recode c <<-'END'
	A: b\r\n\r\n\xe4 in another charset\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E4 in another charset\r\n
	A: b\r\n\r\n\xc3\xa4 in a known charset\r\n => A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4 in a known charset\r\n
	END
}

test_data_becomes_base64_and_its_label_is_replaced_in_place() {
	unit_table recode '' <<-'END'
	Content-Type: image/png\r\ncontent-transfer-ENCODING :\r\n Binary (raw)\r\nMIME-Version: 1.0\r\n\r\n\xff1\r\n => Content-Type: image/png\r\ncontent-transfer-ENCODING : base64\r\nMIME-Version: 1.0\r\n\r\n/zENCg==\r\n
	Content-Type: message/global\r\nMIME-Version: 1.0\r\n\r\nSubject: \xc3\xa4\r\n\r\n\r\n => Content-Type: message/global\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogw6QNCg0KDQo=\r\n
	Content-Type: text/plain\r\nMIME-Version: 1.0\r\n\r\na\x00b\r\n => Content-Type: text/plain\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBiDQo=\r\n
	END
}

test_parts_are_encoded_one_by_one_and_all_between_them_stays() {
	unit_table recode '' <<-'END'
	Content-Type: multipart/mixed; boundary="b"\r\nContent-Transfer-Encoding: 8bit\r\nA: x\r\n\r\n pre\r\n--b  \r\n\r\nascii\r\n--b\r\nContent-Type: x/y\r\n\r\n\xff\r\n--b\r\n\r\n--b--\r\n epi\r\n--b\r\n => Content-Type: multipart/mixed; boundary="b"\r\nContent-Transfer-Encoding: 7bit\r\nA: x\r\n\r\n pre\r\n--b  \r\n\r\nascii\r\n--b\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b\r\n\r\n--b--\r\n epi\r\n--b\r\n
	Content-Type: multipart/a; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/b; boundary=bb\r\n\r\n--bb\r\nContent-Type: x/y\r\n\r\n\xff\r\n--bc\r\n--b\r\n\r\na\r\n--bb\r\n--b--\r\n => Content-Type: multipart/a; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/b; boundary=bb\r\n\r\n--bb\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n/w0KLS1iYw==\r\n--b\r\n\r\na\r\n--bb\r\n--b--\r\n
	Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\n\xc3\xa4 and a long line of text\r\n => Content-Type: message/rfc822\r\n\r\nA: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4 and a long line of text\r\n
	Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\nContent-Type: x/y\r\n\r\n\xff\r\n--b--\r\n => Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\nContent-Type: x/y\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b--\r\n
	Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: x/y\r\n\r\n\xff\r\n => Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n/w0K\r\n
	END
}

test_a_boundary_is_read_as_mail_programs_write_it() {
	type='\r\nMIME-Version: 1.0\r\n\r\n--b=1\r\nContent-Type: x/y\r\n\r\n\xff\r\n--b=1--\r\n'
	after='\r\nMIME-Version: 1.0\r\n\r\n--b=1\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b=1--\r\n'
	while read -r value; do
		printf '%s\n' "Content-Type: $value$type => Content-Type: $value$after"
	done >"$T/table" <<-'END'
	multipart/mixed; boundary=b=1
	Multipart/MIXED;\r\n  Boundary="b=1";
	multipart/mixed;boundary=b=1 (a ; comment (in it)\\) )
	(c) multipart / mixed ; x="a;boundary=c\\"" ; boundary = "b=1" ; y=z
	END
	unit_table recode '' <"$T/table"
}

test_what_is_not_certain_is_refused_if_it_had_to_change() {
	type='\r\n\r\n--b\r\n\r\n\xff\r\n--b--\r\n'
	while read -r value; do
		printf '%s\n' "Content-Type: $value$type => (Message cannot be encoded for the next server)" \
			"Content-Type: $value${type%%\\xff*}a${type#*\\xff} => same"
	done >"$T/table" <<-'END'
	multipart/mixed
	multipart/mixed; boundary=
	multipart/mixed; boundary=""
	multipart/mixed; boundary=b; boundary=b
	multipart/mixed; boundary*0=b
	multipart/mixed; boundary="b\\c"
	multipart/mixed; boundary=<b>
	multipart/mixed; boundary=b c
	multipart/mixed; boundary=b (
	multipart/mixed; boundary="b
	multipart/mixed; boundary="b "
	multipart/mixed; boundary=12345678901234567890123456789012345678901234567890123456789012345678901
	multipart
	multipart/mixed boundary=b
	multipart/mixed; boundary=b\r\nContent-Type: text/plain
	multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64
	message/partial; id=1
	message/delivery-status
	text/plain\r\nContent-Transfer-Encoding: x-uuencode
	text/plain\r\nContent-Transfer-Encoding: quoted-printable
	text/plain\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 8bit
	text/plain\r\nnot a field
	END
	unit_table recode '' <"$T/table"
}

test_signed_and_encrypted_parts_stay_or_the_message_is_refused() {
	unit_table recode '' <<-'END'
	DKIM-Signature: v=1\r\n\r\na\r\n => same
	DKIM-Signature: v=1\r\n\r\n\xc3\xa4\r\n => (Message is signed and cannot be encoded for the next server)
	Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xc3\xa4\r\n--b--\r\n => (Message is signed or encrypted and cannot be encoded for the next server)
	Content-Type: application/pkcs7-mime\r\n\r\n\xc3\xa4\r\n => (Message is signed or encrypted and cannot be encoded for the next server)
	Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: x/y\r\n\r\n\xff\r\n--b\r\nContent-Type: multipart/encrypted; boundary=c\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--c\r\n\r\n\xff\r\n--b--\r\n => (Part 2 is signed or encrypted and cannot be encoded for the next server)
	Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: x/y\r\n\r\n\xff\r\n--b\r\nContent-Type: multipart/signed; boundary=c\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--c\r\n\r\na\r\n--b--\r\n => Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b\r\nContent-Type: multipart/signed; boundary=c\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--c\r\n\r\na\r\n--b--\r\n
	END
}

# The part that is signed could be taken for one of the multipart around it.
test_nothing_changes_if_two_boundaries_are_alike() {
	out='multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type:'
	in='--b\r\n\r\n\xc3\xa4\r\n--b--\r\n'
	alike='cannot be encoded for the next server, since two boundaries are alike'
	{
		printf '%s\n' "Content-Type: $out multipart/signed; boundary=b\\r\\n\\r\\n$in => (Part 2 $alike)" \
			"Content-Type: $out x/y\\r\\n\\r\\n\\xff\\r\\n--b\\r\\nContent-Type: multipart/a; boundary=b\\r\\n\\r\\n$in => (Part 2 $alike)" \
			"Content-Type: $out multipart/signed; boundary=b--\\r\\n\\r\\n-$in => (Part 1 $alike)" \
			"Content-Type: $out multipart/signed; boundary=b\\r\\n\\r\\n--b--\\r\\n => same"
	} >"$T/table"
	unit_table recode '' <"$T/table"
}

test_what_stands_outside_of_contents_cannot_be_encoded() {
	unit_table recode '' <<-'END'
	Subject: \xc3\xa4\r\n\r\na\r\n => (Message has 8-bit data in its header)
	Content-Type: multipart/mixed; boundary=b\r\n\r\n\xc3\xa4\r\n--b--\r\n => (Message has 8-bit data outside of its parts)
	Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n\xc3\xa4\r\n => (Message has 8-bit data outside of its parts)
	Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: \xc3\xa4\r\n\r\na\r\n--b--\r\n => (Part 1 has 8-bit data in its header)
	END
}

test_a_next_hop_with_8bitmime_gets_8_bit_text_and_no_binary_data() {
	unit_table recode 8 <<-'END'
	Subject: \xc3\xa4\r\n\r\n\xc3\xa4\r\n => same
	Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\n\r\n\xc3\xa4\r\n--b\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\rc\r\n--b--\r\n => Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\n\xc3\xa4\r\n--b\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpiDWM=\r\n--b--\r\n
	Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\na\r\n => same
	END
	unit_table recode 8w <<-'END'
	Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\na\r\n => Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\na\r\n
	END
	unit_table recode b <<-'END'
	Content-Type: x/y\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\rc => same
	END
	unit_table recode 8U <<-'END'
	Content-Type: message/global\r\nMIME-Version: 1.0\r\n\r\nSubject: \xc3\xa4\r\n\r\n\r\n => Content-Type: message/global\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogw6QNCg0KDQo=\r\n
	Subject: \xc3\xa4\r\n\r\n\xc3\xa4\r\n => same
	END
}

test_a_line_over_998_octets_is_repaired() {
	x=$(printf %0996d 0)
	printf '%s\n' "A: b\r\n\r\n${x}12\r\n => same" "A: 123$x\r\n\r\na\r\n => same" >"$T/table"
	unit_table recode 8 <"$T/table"
	unit_table recode b <"$T/table"
	printf 'A: b\r\n\r\n%s123\r\n' "$x" >"$T/in"
	echo "$T/in $T/out" | test-unit recode 8 files >"$T/got"
	assertEquals 'a line of 999' "$T/in => 1 quoted, 0 base64, 0 labels" "$(cat "$T/got")"
	{
		printf 'A: b\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
		printf '%s123' "$x" | sed 's/.\{75\}/&=\r\n/g'
		printf '\r\n'
	} >"$T/expected"
	assert_same 'the lines' "$T/expected" "$T/out"
	assertEquals 'binary data has no lines' "$T/in => same" "$(echo "$T/in $T/out" | test-unit recode b files)"
}

test_a_file_with_lf_ends_is_encoded_as_if_it_had_crlf() {
	unit_table recode l <<-'END'
	Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\xc3\xa4 is text, most of it ASCII \n\n--b\nContent-Type: text/plain\n\n\xff\n\xff\n--b\nContent-Type: x/y\n\n\xff\n\xff\n--b--\n => Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 is text, most of it ASCII=20\n\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n/w0K/w==\n--b\nContent-Type: x/y\nContent-Transfer-Encoding: base64\n\n/wr/\n--b--\n
	Content-Type: text/plain; charset=utf-16le\nMIME-Version: 1.0\n\na\x00\n\x00\n => Content-Type: text/plain; charset=utf-16le\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nYQAKAAo=\n
	END
	unit_table recode lU <<-'END'
	Content-Type: message/global\nMIME-Version: 1.0\n\nSubject: \xc3\xa4\n\n => Content-Type: message/global\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogw6QNCg0K\n
	END
}

# A delimiter is found, and white space at the end held back, wherever a block of the file ends.
test_blocks_of_the_file_leave_no_trace() {
	printf 'A: b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n' >"$T/head"
	for n in 130 131 132 133 134 135 136 137 138 139 140; do
		{
			cat "$T/head"
			printf "%0${n}d\r\n" 0
			awk 'BEGIN { for (i = 0; i < 1100; i++) printf "%s\r\n", "\303\244 the words of a line, until the end of the line  " }'
			printf '\r\n--b\r\nContent-Type: x/y\r\n\r\n\377\r\n--b--\r\n'
		} >"$T/$n.in"
		echo "$T/$n.in $T/$n.out"
	done | test-unit recode '' files | sort -u | sed 's/.*=>/=>/' | sort -u >"$T/got"
	assertEquals '=> 1 quoted, 1 base64, 0 labels' "$(cat "$T/got")"
	mkdir "$T/before" "$T/after"
	for n in 130 131 132 133 134 135 136 137 138 139 140; do
		mv "$T/$n.in" "$T/before/$n"
		mv "$T/$n.out" "$T/after/$n"
	done
	assertEquals 'differences' '' "$("$ROOT/tests/tools/mimes" compare "$T/before" "$T/after")"
}

# By another parser, and other decoders: the same structure, the same contents; and a second run changes nothing.
test_parts_and_contents_are_the_same_to_another_program() {
	mkdir "$T/made" "$T/encoded" "$T/again"
	"$ROOT/tests/tools/mimes" make "$T/made" 500 "$TEST_SEED"
	for file in "$ROOT"/tests/messages/*.eml; do
		sed 's/\r*$/\r/' "$file" >"$T/made/${file##*/}"
	done
	for file in "$T/made"/*; do
		echo "$file $T/encoded/${file##*/}"
	done | test-unit recode '' files >"$T/got"
	assertEquals 'none failed' 0 "$(grep -c error "$T/got")"
	assertTrue 'some were changed' '[ "$(ls "$T/encoded" | wc -l)" -gt 50 ]'
	assertEquals 'differences' '' "$("$ROOT/tests/tools/mimes" compare "$T/made" "$T/encoded")"
	for file in "$T/encoded"/*; do
		echo "$file $T/again/${file##*/}"
	done | test-unit recode '' files | grep -v '=> same' >"$T/got"
	assertEquals 'a second run' '' "$(cat "$T/got")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
