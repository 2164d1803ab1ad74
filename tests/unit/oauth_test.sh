#!/bin/sh
# oauth: the messages of OAUTHBEARER (RFC 7628) and XOAUTH2. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_oauthbearers_message() {
	unit_table oauth bearer <<-'END'
	n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01 => [user@example.com] [vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==]
	n,a=u,\x01auth=Bearer t\x01\x01 => [u] [t]
	y,a=u,\x01auth=Bearer t\x01\x01 => [u] [t]
	n,,\x01auth=Bearer t\x01\x01 => [] [t]
	n,a=u,\x01auth=bEARER   a.b-c_d~e+f/0==\x01\x01 => [u] [a.b-c_d~e+f/0==]
	n,a=u,\x01auth=Bearer -\x01\x01 => [u] [-]
	n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01 => [a,b=c] [t]
	n,a=\xc3\xa4,\x01auth=Bearer t\x01\x01 => [\xc3\xa4] [t]
	n,a=u,\x01port=65535\x01auth=Bearer t\x01host=\x01other=a b\t\r\n\x01other=\x01user=x\x01\x01 => [u] [t]
	n,a=u,\x01auth=\x01\x01 => no token
	n,a=u,\x01\x01 => no token
	n,a=u,\x01host=h\x01\x01 => no token
	END
}

test_what_is_not_oauthbearers_message() {
	unit_table oauth bearer <<-'END'
	 => malformed
	\x01 => malformed
	\x01\x01 => malformed
	n => malformed
	n, => malformed
	n,, => malformed
	n,,\x01 => malformed
	n,a=,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u\x01auth=Bearer t\x01\x01 => malformed
	n,u,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u => malformed
	n,a=u,auth=Bearer t\x01\x01 => malformed
	n,a=u=,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u=2c,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u=41,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u\0,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u\x01v,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,x\x01auth=Bearer t\x01\x01 => malformed
	p=tls-unique,a=u,\x01auth=Bearer t\x01\x01 => malformed
	F,n,a=u,\x01auth=Bearer t\x01\x01 => malformed
	N,a=u,\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01auth=Bearer t\x01 => malformed
	n,a=u,\x01auth=Bearer t => malformed
	n,a=u,\x01auth=Bearer t\x01\x01\x01 => malformed
	n,a=u,\x01auth=Bearer t\x01\x01auth=Bearer t\x01 => malformed
	n,a=u,\x01auth=Bearer t\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01auth=\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01host=h\x01host=h\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01port=1\x01port=1\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01port=\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01port=123456\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01port=1a\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01Bearer t\x01\x01 => malformed
	n,a=u,\x01=Bearer t\x01\x01 => malformed
	n,a=u,\x01a1=x\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01host=\0\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01host=\x7f\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01host=\x1f\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01host=\xc3\xa4\x01auth=Bearer t\x01\x01 => malformed
	n,a=u,\x01auth=Basic dTpw\x01\x01 => malformed
	n,a=u,\x01auth=Digest t\x01\x01 => malformed
	n,a=u,\x01auth=Bearer\x01\x01 => malformed
	n,a=u,\x01auth=Bearer \x01\x01 => malformed
	n,a=u,\x01auth=Bearert\x01\x01 => malformed
	n,a=u,\x01auth=Bearer =\x01\x01 => malformed
	n,a=u,\x01auth=Bearer a=b\x01\x01 => malformed
	n,a=u,\x01auth=Bearer a b\x01\x01 => malformed
	n,a=u,\x01auth=Bearer a \x01\x01 => malformed
	n,a=u,\x01auth=Bearer a\0\x01\x01 => malformed
	n,a=u,\x01auth=Bearer a*\x01\x01 => malformed
	n,a=u,\x01auth= Bearer a\x01\x01 => malformed
	user=u\x01auth=Bearer t\x01\x01 => malformed
	END
}

test_xoauth2s_message() {
	unit_table oauth xoauth2 <<-'END'
	user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01 => [someuser@example.com] [ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg]
	auth=Bearer t\x01user=u\x01\x01 => [u] [t]
	user=\xc3\xa4\x01auth=Bearer t\x01\x01 => [\xc3\xa4] [t]
	user=a=2C,b\x01auth=Bearer t\x01\x01 => [a=2C,b] [t]
	user=u\x01auth=\x01\x01 => no token
	user=u\x01\x01 => no token
	 => malformed
	\x01 => malformed
	auth=Bearer t\x01\x01 => malformed
	user=\x01auth=Bearer t\x01\x01 => malformed
	user=u\x01user=u\x01auth=Bearer t\x01\x01 => malformed
	user=u\0\x01auth=Bearer t\x01\x01 => malformed
	User=u\x01auth=Bearer t\x01\x01 => malformed
	user=u\x01auth=Bearer t\x01 => malformed
	user=u\x01auth=Bearer t\x01\x01\n => malformed
	n,a=u,\x01auth=Bearer t\x01\x01 => malformed
	END
}

test_a_name_has_a_limit() {
	long=$(printf '%01020d' 0)
	for n in "$long" "${long}0"; do
		printf 'n,a=%s,\\x01auth=Bearer t\\x01\\x01\n' "$n" | test-unit oauth bearer | sed 's/.* => //'
		printf 'user=%s\\x01auth=Bearer t\\x01\\x01\n' "$n" | test-unit oauth xoauth2 | sed 's/.* => //'
	done >"$T/out"
	printf '%s\n' "[$long] [t]" "[$long] [t]" malformed malformed | assert_out
}

test_the_error_says_what_is_known() {
	url=https://example.com/.well-known/openid-configuration
	{
		test-unit oauth error bearer 0 example_scope "$url"
		test-unit oauth error bearer 1
		test-unit oauth error bearer 2 a
		test-unit oauth error xoauth2 0 'a b' "$url"
		test-unit oauth error xoauth2 1
		test-unit oauth error xoauth2 2
		test-unit oauth error bearer 2 "$(printf '%0400d' 0)" "https://$(printf '%0392d' 0)" | wc -c
	} >"$T/out"
	assert_out <<-END
	{"status":"invalid_token","scope":"example_scope","openid-configuration":"$url"}
	{"status":"invalid_token"}
	{"status":"invalid_request","scope":"a"}
	{"status":"401","schemes":"bearer","scope":"a b"}
	{"status":"401","schemes":"bearer"}
	{"status":"400","schemes":"bearer"}
	$((27 + 11 + 400 + 26 + 400 + 2))
	END
}

test_what_can_stand_in_an_error() {
	unit_table oauth scope <<-'END'
	mail.send https://example.com/x => yes
	 => no
	a"b => no
	a\\b => no
	a\tb => no
	\xc3\xa4 => no
	END
	unit_table oauth url <<-'END'
	https://example.com/ => yes
	https:// => no
	http://example.com/ => no
	https://example.com/a b => no
	https://example.com/" => no
	END
	for n in 400 401; do printf "%0${n}d\n" 0; done | test-unit oauth scope | sed 's/.* => //' >"$T/out"
	printf 'yes\nno\n' | assert_out
}

. "$SHUNIT2"
