#!/bin/sh
# The module received: how each fact is written into the field.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# The field, date as DATE, that stamp as a filter makes of the facts named. usage: field [-p] [-s] NAME=value ...
field() {
	set -- "$@"
	options=
	while [ "${1#-}" != "$1" ]; do
		options="$options $1"
		shift
	done
	# shellcheck disable=SC2086
	printf 'a: b\n' | env TZ=UTC MSA_HOST=mx.example "$@" stamp $options 2>/dev/null |
		sed -e '/^a: b$/d' -e 's/^	... *[A-Za-z, 0-9:]* +0000$/	DATE/' >"$T/field"
}

# usage: expect message line ...
expect() {
	message=$1
	shift
	printf '%s\n' "$@" >"$T/want"
	assert_same "$message" "$T/want" "$T/field"
	sed 's/	DATE/	Sat, 21 Nov 2026 22:30:00 +0000/; s/$/\r/' "$T/field" >"$T/crlf"
	assertEquals "$message: syntax" ok "$(received-check <"$T/crlf")"
}

TAB=$(printf '\t')

test_nothing_known() {
	field
	expect "no facts" 'Received: from unknown' "${TAB}by mx.example with SMTP;" "${TAB}DATE"
}

test_helo_and_addresses() {
	field MSA_VERB=EHLO MSA_HELO=c.example
	expect "no peer" 'Received: from c.example' "${TAB}by mx.example with ESMTP;" "${TAB}DATE"
	field MSA_VERB=EHLO MSA_HELO=c.example TCPREMOTEIP=192.0.2.1
	expect "no name" 'Received: from c.example ([192.0.2.1])' "${TAB}by mx.example with ESMTP;" "${TAB}DATE"
	field MSA_VERB=EHLO MSA_HELO=c.example TCPREMOTEIP=2001:DB8:0::1 TCPREMOTEHOST=h.example
	expect "IPv6" 'Received: from c.example (h.example [IPv6:2001:db8::1])' "${TAB}by mx.example with ESMTP;" "${TAB}DATE"
	field MSA_VERB=EHLO MSA_HELO=c.example TCPREMOTEIP=fe80::1%eth0
	expect "zone" 'Received: from c.example ([IPv6:fe80::1])' "${TAB}by mx.example with ESMTP;" "${TAB}DATE"
	field MSA_VERB=EHLO MSA_HELO=c.example TCPREMOTEIP=::ffff:192.0.2.1
	expect "mapped" 'Received: from c.example ([192.0.2.1])' "${TAB}by mx.example with ESMTP;" "${TAB}DATE"
	field MSA_VERB=EHLO MSA_HELO=c.example TCPREMOTEIP='192.0.2.1) (x'
	expect "no address" 'Received: from c.example' "${TAB}by mx.example with ESMTP;" "${TAB}DATE"
	field MSA_VERB=EHLO 'MSA_HELO=[192.0.2.9]' TCPREMOTEIP=192.0.2.1
	expect "literal" 'Received: from [192.0.2.9] ([192.0.2.1])' "${TAB}by mx.example with ESMTP;" "${TAB}DATE"
	field MSA_VERB=EHLO 'MSA_HELO=[IPv6:2001:db8::2]' TCPREMOTEIP=2001:db8::1
	expect "IPv6 literal" 'Received: from [IPv6:2001:db8::2] ([IPv6:2001:db8::1])' "${TAB}by mx.example with ESMTP;" \
		"${TAB}DATE"
	field MSA_VERB=EHLO 'MSA_HELO=[192.0.2.9]'
	expect "a literal needs TCP-info" 'Received: from unknown (HELO [192.0.2.9])' "${TAB}by mx.example with ESMTP;" \
		"${TAB}DATE"
	field TCPREMOTEIP=192.0.2.1
	expect "never greeted" 'Received: from unknown ([192.0.2.1])' "${TAB}by mx.example with SMTP;" "${TAB}DATE"
}

# shellcheck disable=SC1003 # these backslashes are meant
test_hostile_helo_stands_escaped_in_a_comment() {
	field MSA_VERB=HELO MSA_HELO='a) by evil.example (\' TCPREMOTEIP=192.0.2.1
	expect "comment" 'Received: from unknown ([192.0.2.1]) (HELO a\) by evil.example \(\\)' \
		"${TAB}by mx.example with SMTP;" "${TAB}DATE"
	field MSA_VERB=HELO MSA_HELO="$(printf 'a\r\nX-Evil: yes\n b\177\351')" TCPREMOTEIP=192.0.2.1
	expect "line ends" 'Received: from unknown ([192.0.2.1]) (HELO a??X-Evil: yes? b??)' \
		"${TAB}by mx.example with SMTP;" "${TAB}DATE"
	field MSA_VERB=HELO MSA_HELO=under_score TCPREMOTEIP=192.0.2.1
	expect "no domain" 'Received: from unknown ([192.0.2.1]) (HELO under_score)' \
		"${TAB}by mx.example with SMTP;" "${TAB}DATE"
	field MSA_VERB=HELO MSA_HELO=jö.example TCPREMOTEIP=192.0.2.1
	expect "no ASCII" 'Received: from unknown ([192.0.2.1]) (HELO j??.example)' \
		"${TAB}by mx.example with SMTP;" "${TAB}DATE"
}

test_hostile_name_stands_escaped_in_a_comment() {
	field MSA_VERB=HELO MSA_HELO=c.example TCPREMOTEIP=192.0.2.1 TCPREMOTEHOST='x)[127.0.0.1](y'
	expect "name" 'Received: from c.example ([192.0.2.1]) (name x\)[127.0.0.1]\(y)' \
		"${TAB}by mx.example with SMTP;" "${TAB}DATE"
}

test_our_own_name() {
	field MSA_HOST='[192.0.2.5]'
	expect "literal" 'Received: from unknown' "${TAB}by [192.0.2.5] ([192.0.2.5]) with SMTP;" "${TAB}DATE"
	field MSA_HOST='my_host (1)'
	expect "no domain" 'Received: from unknown' "${TAB}by unknown (host my_host \\(1\\)) with SMTP;" "${TAB}DATE"
	field MSA_HOST=
	assertEquals "the system's" "$(hostname | head -n 1)" \
		"$(sed -n -e 's/.*(host \(.*\)) with.*/\1/p' -e t -e 's/^	by \([^ ]*\) with.*/\1/p' "$T/field")"
}

# A name that would fit with its "from" on a line of its own leaves no empty one behind the field's name.
test_the_first_line_is_never_empty() {
	for n in 52 53 54 55 56; do
		name=$(printf "%0${n}d" 0 | tr 0 a).example
		field MSA_HELO="$name"
		assertEquals "$n" 'Received: from' "$(head -n 1 "$T/field" | cut -c-14)"
		assertEquals "$n: no blank at an end" '' "$(grep ' $' "$T/field")"
	done
}

test_lines_stay_under_78_columns() {
	long=$(printf '%060d.%060d.%060d.example' 1 2 3)
	field -s MSA_VERB=EHLO MSA_HELO="$long" TCPREMOTEIP=2001:db8:1111:2222:3333:4444:5555:6666 TCPREMOTEHOST="h.$long" \
		SSL_PROTOCOL=TLSv1.2 SSL_CIPHER=ECDHE-ECDSA-CHACHA20-POLY1305 MSA_HOST="m.$long" \
		SSL_PEER_CERT_SUBJECT='/C=DE/O=A company with a rather long name/OU=Its department of long lines/CN=alice'
	expect "each on its own line" 'Received: from' "$TAB$long" "$TAB(h.$long" \
		"${TAB}[IPv6:2001:db8:1111:2222:3333:4444:5555:6666])" "${TAB}by" "${TAB}m.$long" \
		"${TAB}with ESMTPS tls TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" \
		"${TAB}(certificate /C=DE/O=A company with a rather long name/OU=Its" "${TAB}department of long lines/CN=alice);" \
		"${TAB}DATE"
}

# shellcheck disable=SC1003
test_certificate_subject_is_escaped_and_cut() {
	subject="$(printf 'CN=a)b\\c\r\nX: y é')"
	field -s MSA_VERB=EHLO SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_SUBJECT="$subject"
	expect "hostile" 'Received: from unknown' "${TAB}by mx.example with ESMTPS (certificate CN=a\\)b\\\\c??X: y ??);" \
		"${TAB}DATE"
	field -s MSA_VERB=EHLO SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_SUBJECT="$(printf '%02000d' 0)"
	assertEquals "2 KB" 200 "$(tr -dc 0 <"$T/field" | wc -c)"
	field -s MSA_VERB=EHLO SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_SUBJECT="$(printf '%02000d' 0 | tr 0 '(')"
	assertEquals "escapes count" 100 "$(tr -dc '\\' <"$T/field" | wc -c)"
	field -s MSA_VERB=EHLO SSL_PEER_CERT_SUBJECT=CN=a
	assertEquals "without TLS there is none" 0 "$(grep -c certificate "$T/field")"
}

test_cipher_names_are_those_of_iana() {
	# All that libtls can negotiate, whatever tlsd -s says: a certificate is needed, and none has a DSS key.
	openssl ciphers -v -stdname 'ALL:!NULL:!aNULL:!PSK:!SRP:!aDSS:@SECLEVEL=0' 2>/dev/null |
		sed -n 's/^\([^ ]*\)  *- \([^ ]*\) .*/\2 => \1/p' >"$T/all"
	assertTrue "openssl tells names" "[ $(wc -l <"$T/all") -gt 20 ]"
	sed 's/ => .*//' "$T/all" | test-unit received >"$T/named"
	assert_same 'every cipher has the name that OpenSSL gives it' "$T/all" "$T/named"
	field MSA_VERB=EHLO SSL_PROTOCOL=TLSv1.2 SSL_CIPHER=ECDHE-RSA-AES128-GCM-SHA256
	assertEquals TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 "$(sed -n 's/.*tls \([^ ;]*\).*/\1/p' "$T/field")"
	field MSA_VERB=EHLO SSL_PROTOCOL=TLSv1.2 SSL_CIPHER=MY-OWN-CIPHER
	assertEquals "an unknown one is left out" 0 "$(grep -c 'tls' "$T/field")"
	field MSA_VERB=EHLO SSL_CIPHER=TLS_AES_128_GCM_SHA256
	assertEquals "without TLS there is none" 0 "$(grep -c 'tls' "$T/field")"
}

# usage: for_clause params recipient: what the field says behind "for"
for_clause() {
	printf 'MAIL FROM:<>%s\nRCPT TO:%s\n' "$1" "$2" >"$T/e"
	printf 'a: b\r\n' >"$T/m"
	MSA_MESSAGE=0abc MSA_RCPTS=1 MSA_HOST=mx.example stamp cat <"$T/m" 3<"$T/e" 2>/dev/null |
		tr -d '\r\n' | sed -n 's/.*[	 ]for[	 ]*\(<.*>\).*/\1/p'
}

test_for_holds_only_what_may_stand_there() {
	assertEquals '<bob@example.org>' "$(for_clause '' '<bob@example.org>')"
	assertEquals '<"a> b"@example.org>' "$(for_clause '' '<"a> b"@example.org>')"
	assertEquals '<bob@[192.0.2.3]>' "$(for_clause '' '<bob@[192.0.2.3]>')"
	assertEquals 'no domain, no Path' '' "$(for_clause '' '<postmaster>')"
	assertEquals 'RFC 6531 3.7.3' '' "$(for_clause '' '<jö@example.org>')"
	assertEquals 'with SMTPUTF8' '<jö@example.org>' "$(for_clause ' SMTPUTF8' '<jö@example.org>')"
	long="<$(printf '%064d@%063d.%063d.%055d' 1 2 3 4)>"
	assertEquals 'the longest' "$long" "$(for_clause '' "$long")"
}

test_an_id_that_is_no_atom_is_left_out() {
	printf 'MAIL FROM:<>\nRCPT TO:<bob@example.org>\n' >"$T/e"
	printf 'a: b\r\n' >"$T/m"
	for id in 'a b' 'a;b' 'a@b' "$(printf '%070d' 1)" "$(printf 'a\r\nX: y')"; do
		MSA_MESSAGE=$id MSA_RCPTS=1 stamp cat <"$T/m" 3<"$T/e" 2>/dev/null >"$T/got"
		assertEquals "$id" 0 "$(head -n 3 "$T/got" | grep -c ' id ')"
		assertEquals "$id" ok "$(received-check <"$T/got")"
	done
}

test_random_facts_always_give_a_valid_field() {
	assertEquals ok "$(received-check -n 400 -s "$TEST_SEED")"
}

. "$SHUNIT2"
