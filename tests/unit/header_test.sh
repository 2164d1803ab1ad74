#!/bin/sh
# mail/header and mail/addrlist: fields and addresses are found where they are.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# The message on stdin gives what is in $T/expected. usage: parses message <<EOF
parses() {
	cat >"$T/expected"
	test-unit header <"$T/in" >"$T/got"
	assertEquals "$1: exit" 0 $?
	assert_same "$1" "$T/expected" "$T/got"
}

# An address field with this value gives these lines. usage: addresses value <<EOF
addresses() {
	sed 's/^/  /' >"$T/expected"
	printf 'To:%b\n' "$1" >"$T/in"
	test-unit header <"$T/in" | sed 1,2d >"$T/got"
	assert_same "$1" "$T/expected" "$T/got"
}

test_fields_end_where_the_next_line_begins_without_white_space() {
	printf 'A: b\r\nFrom:c\r\n d\r\n\te\r\nsubject \t: f\r\nX:\r\n\r\nY: body\r\n' >"$T/in"
	parses 'fields' <<-'EOF'
	header 40 crlf
	- [A] [ b] +2
	From [From] [c\x0d\x0a d\x0d\x0a\x09e] +2
	  bad
	Subject [subject] [ f] +2
	- [X] [] +2
	EOF
}

test_lf_alone_is_a_line_end_and_told() {
	printf 'A: b\n c\nD: e\n\nbody' >"$T/in"
	parses 'LF' <<-'EOF'
	header 13 bare
	- [A] [ b\x0a c] +1
	- [D] [ e] +1
	EOF
	printf 'A: b\r\n\nbody' >"$T/in"
	parses 'LF as the empty line' <<-'EOF'
	header 6 crlf bare
	- [A] [ b] +2
	EOF
	printf 'A: b\rc\r\n\r\n' >"$T/in"
	parses 'CR' <<-'EOF'
	header 8 crlf bare
	- [A] [ b\x0dc] +2
	EOF
	printf 'A: b\r\r\nC: d\r\n\r\n' >"$T/in"
	parses 'CR CR LF' <<-'EOF'
	header 13 crlf bare
	- [A] [ b\x0d] +2
	- [C] [ d] +2
	EOF
	printf 'A: b\r\nC: d\ne\r' >"$T/in"
	parses 'LF in the second line' <<-'EOF'
	header 13 crlf bare
	- [A] [ b] +2
	- [C] [ d] +1
	line 3 is no field
	EOF
}

test_a_line_of_white_space_is_folding() {
	printf 'A: b\r\n \t\r\n c\r\n\r\n' >"$T/in"
	parses 'white' <<-'EOF'
	header 14 crlf
	- [A] [ b\x0d\x0a \x09\x0d\x0a c] +2
	EOF
}

test_the_file_may_end_anywhere() {
	: >"$T/in"
	echo 'header 0' | parses 'empty'
	printf '\r\n' >"$T/in"
	echo 'header 0 crlf' | parses 'no header'
	printf '\n' >"$T/in"
	echo 'header 0 bare' | parses 'no header, LF'
	printf '\r\nbody\n' >"$T/in"
	echo 'header 0 crlf' | parses 'no header but a body'
	printf 'A' >"$T/in"
	printf 'header 1\nline 1 is no field\n' | parses 'a letter'
	printf 'A:' >"$T/in"
	printf 'header 2\n- [A] [] +0\n' | parses 'a name'
	printf 'A:\r' >"$T/in"
	printf 'header 3 bare\n- [A] [\\x0d] +0\n' | parses 'a CR'
	printf 'A:\n' >"$T/in"
	printf 'header 3 bare\n- [A] [] +1\n' | parses 'a line'
}

test_a_line_that_is_no_field_does_not_hide_the_next() {
	printf ' a: b\r\n: c\r\nd e: f\r\ng\r\n h\r\nTo : i@j.k\r\n\200: l\r\n' >"$T/in"
	parses 'bad lines' <<-'EOF'
	header 45 crlf
	line 1 is no field
	line 2 is no field
	line 3 is no field
	line 4 is no field
	line 5 is no field
	To [To] [ i@j.k] +2
	  box name [] local [i] domain [j.k] 2 [k] path [i@j.k]
	  end 1
	line 7 is no field
	EOF
}

test_names_are_known_in_any_case_and_in_full() {
	printf 'rEcEiVeD:\nReceive:\nReceived-SPF:\nMESSAGE-ID:\nResent-Message-Id:\nBc:\n' >"$T/in"
	parses 'names' <<-'EOF'
	header 68 bare
	Received [rEcEiVeD] [] +1
	- [Receive] [] +1
	- [Received-SPF] [] +1
	Message-ID [MESSAGE-ID] [] +1
	Resent-Message-ID [Resent-Message-Id] [] +1
	- [Bc] [] +1
	EOF
}

test_any_octet_and_any_length_may_stand_in_a_value() {
	{
		printf 'A: \000\377\200\r\nB: '
		head -c 100000 /dev/zero | tr '\0' 'x'
		printf '\r\n\r\n'
	} >"$T/in"
	parses 'octets' <<-'EOF'
	header 100013 crlf
	- [A] [ \x00\xff\x80] +2
	- [B] 100001 +2
	EOF
}

test_the_limit_is_the_headers_not_the_messages() {
	{
		printf 'A: '
		head -c $((1048576 - 5)) /dev/zero | tr '\0' 'x'
		printf '\r\n'
	} >"$T/long"
	{ cat "$T/long"; printf '\r\n'; cat "$T/long"; } >"$T/in"
	printf 'header 1048576 crlf\n- [A] 1048572 +2\n' | parses 'with a body'
	cp "$T/long" "$T/in"
	printf 'header 1048576 crlf\n- [A] 1048572 +2\n' | parses 'without'
	{ printf 'x'; cat "$T/long"; } >"$T/in"
	echo long | parses 'one more'
	{ printf 'x'; cat "$T/long"; printf '\r\nbody'; } >"$T/in"
	echo long | parses 'one more and a body'
}

test_a_header_may_cross_any_read() {
	for n in 4085 4086 4087 4088 4089 4090 4091 4092 4093 4094 4095; do
		{
			printf 'A: '
			head -c $((n - 3)) /dev/zero | tr '\0' 'x'
			printf '\r\n\r\nbody: x\r\n'
		} >"$T/in"
		printf 'header %s crlf\n- [A] %s +2\n' $((n + 2)) $((n - 2)) | parses "$n"
	done
}

test_a_pipe_is_an_error() {
	out=$(printf 'A: b\n\n' | test-unit header 2>&1)
	assertEquals 111 $?
	assertEquals 'header: Illegal seek' "$out"
}

test_mailboxes() {
	addresses 'a@b.c' <<-'EOF'
	box name [] local [a] domain [b.c] 2 [c] path [a@b.c]
	end 1
	EOF
	addresses 'a' <<-'EOF'
	box name [] local [a] domain [] 0 [] path [a]
	end 1
	EOF
	addresses ' "A, B" C. <a.b@D> , e@f' <<-'EOF'
	box name ["A, B" C.] local [a.b] domain [D] 1 [D] path [a.b@d]
	box name [] local [e] domain [f] 1 [f] path [e@f]
	end 2
	EOF
	addresses '<a@[192.0.2.1]>' <<-'EOF'
	box name [] local [a] domain [[192.0.2.1]] 1 [[192.0.2.1]] literal path [a@[192.0.2.1]]
	end 1
	EOF
	addresses "!#\$%&'*+-/=?^_\`{|}~@b" <<-'EOF'
	box name [] local [!#$%&'*+-/=?^_`{|}~] domain [b] 1 [b] path [!#$%&'*+-/=?^_`{|}~@b]
	end 1
	EOF
}

test_groups() {
	addresses 'g:;' <<-'EOF'
	end 1
	EOF
	addresses 'g h : a@b, ,<c> ; , i: ;,j' <<-'EOF'
	member name [] local [a] domain [b] 1 [b] path [a@b]
	member name [] local [c] domain [] 0 [] path [c]
	box name [] local [j] domain [] 0 [] path [j]
	end 3
	EOF
	echo bad | addresses 'g:'
	echo bad | addresses ':;'
	echo bad | addresses ';'
	echo bad | addresses 'g:;;'
	echo bad | addresses 'g: h:;;'
}

test_comments_quotes_and_folding_are_not_in_the_canonical_form() {
	addresses '(a (b) c@d.example) e@f.example' <<-'EOF'
	box name [] local [e] domain [f.example] 2 [example] path [e@f.example]
	end 1
	EOF
	addresses '(x)\n "a" (\\))\r\n .(y) b @ c (z) . (") d' <<-'EOF'
	box name [] local ["a" (\))\x0d\x0a .(y) b] domain [c (z) . (") d] 2 [d] path [a.b@c.d]
	end 1
	EOF
	addresses '"a\\ b"@c, "\\"\\\\"@c, ""@c, "a\n b"@c' <<-'EOF'
	box name [] local ["a\ b"] domain [c] 1 [c] path ["a b"@c]
	box name [] local ["\"\\"] domain [c] 1 [c] path ["\"\\"@c]
	box name [] local [""] domain [c] 1 [c] path [""@c]
	box name [] local ["a\x0a b"] domain [c] 1 [c] path ["a b"@c]
	end 4
	EOF
	addresses '"a@b" <c@d>' <<-'EOF'
	box name ["a@b"] local [c] domain [d] 1 [d] path [c@d]
	end 1
	EOF
}

test_routes_are_passed_over() {
	addresses '<@a,,(x) @b , :c@d>' <<-'EOF'
	box name [] local [c] domain [d] 1 [d] path [c@d]
	end 1
	EOF
	for bad in '<@a>' '<@a:>' '<@a:b>' '<@a b@c>' '<@a@b:c@d>' '<,@a:b' '<,b@c>' '<@:a@b>' '@a:b@c'; do
		echo bad | addresses "$bad"
	done
	addresses '<,@a:b@c>' <<-'EOF'
	box name [] local [b] domain [c] 1 [c] path [b@c]
	end 1
	EOF
}

test_a_mailbox_that_no_envelope_can_have_has_no_path() {
	long=$(head -c 253 /dev/zero | tr '\0' a)
	for local in "$long" '"\a"' '"\\\t"'; do
		printf 'To: %b@b\n' "$local" >"$T/in"
		assertContains "$local" "$(test-unit header <"$T/in")" 'no path'
	done
	printf 'To: a@b_c, a@-d, a@%s.e\n' "$long" >"$T/in"
	assertEquals 3 "$(test-unit header <"$T/in" | grep -c 'no path')"
}

test_a_local_part_of_252_octets_has_a_path() {
	long=$(head -c 252 /dev/zero | tr '\0' a)
	addresses "$long@b" <<-EOF
	box name [] local [$long] domain [b] 1 [b] path [$long@b]
	end 1
	EOF
}

test_utf8_must_be_well_formed_in_addresses_only() {
	addresses '\0303\0266@\0303\0244' <<-'EOF'
	box name [] local [\xc3\xb6] domain [\xc3\xa4] 1 [\xc3\xa4] path [\xc3\xb6@\xc3\xa4]
	end 1
	EOF
	addresses '\0366 <a@b> (\0366)' <<-'EOF'
	box name [\xf6] local [a] domain [b] 1 [b] path [a@b]
	end 1
	EOF
	echo bad | addresses '\0366@b'
	echo bad | addresses 'a@\0300\0257'
	echo bad | addresses '"\0366"@b'
	echo bad | addresses 'a@[\0366]'
}

test_nul_and_bare_cr_are_nowhere_in_an_address() {
	for bad in 'a\0000@b' '(\0000)a@b' '"\0000"@b' 'a@[\0000]' 'a\r@b' '(\r)a@b' '"\r"@b' 'a\r '; do
		echo bad | addresses "$bad"
	done
}

test_a_list_with_nothing_in_it_ends_without_addresses() {
	for empty in '' ' ' ',' '(x), (y)\n ,,'; do
		echo 'end 0' | addresses "$empty"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
