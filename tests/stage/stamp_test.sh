#!/bin/sh
# The stage stamp: its place in the chain, and the keyword over every combination of facts.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# usage: envelope_file params rcpt-line ...
envelope_file() {
	printf 'MAIL FROM:<alice@example.net>%s\n' "$1"
	shift
	printf '%s\n' "$@"
}

setUp() {
	rm -rf "$T/box"
	printf 'Received: from old\r\n\tby older; Sat, 1 Jan 2000 00:00:00 +0000\r\nFrom: a@b.example\r\n\r\nHello\r\n' >"$T/m"
	envelope_file '' 'RCPT TO:<bob@example.org>' >"$T/e"
	MSA_MESSAGE=0abc MSA_SESSION=0aaa MSA_RCPTS=1 MSA_VERB=EHLO MSA_HELO=client.example TCPREMOTEIP=192.0.2.1
	TCPREMOTEHOST=host.example MSA_HOST=mail.example.net TZ=UTC
	export MSA_MESSAGE MSA_SESSION MSA_RCPTS MSA_VERB MSA_HELO TCPREMOTEIP TCPREMOTEHOST MSA_HOST TZ
	unset SSL_PROTOCOL SSL_CIPHER SMTPAUTHUSER SMTPAUTHMETHOD RELAYCLIENT SSL_PEER_CERT_SUBJECT SSL_PEER_CERT_HASH \
		MSA_LMTP
}

# Through the chain: stamp with arguments, then a stage that stores. usage: through stamp-arg ...
through() {
	stamp "$@" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
}

# The date as N, so that fields compare.
undated() {
	sed 's/[A-Z][a-z][a-z], [0-9]* [A-Z][a-z][a-z] 20[2-9][0-9] [0-9:]* +0000/DATE/' "$@"
}

test_field_stands_on_top_and_the_rest_is_untouched() {
	SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_256_GCM_SHA384 SMTPAUTHUSER=alice SMTPAUTHMETHOD=PLAIN
	export SSL_PROTOCOL SSL_CIPHER SMTPAUTHUSER SMTPAUTHMETHOD
	through
	assertEquals 0 $?
	printf '250 2.0.0 Stored\r\n' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
	{
		printf 'Received: from client.example (host.example [192.0.2.1])\r\n'
		printf '\tby mail.example.net with ESMTPSA id 0abc for <bob@example.org>\r\n'
		printf '\ttls TLS_AES_256_GCM_SHA384;\r\n'
		printf '\tDATE\r\n'
		cat "$T/m"
	} >"$T/want"
	undated "$T/box/1/message" >"$T/got"
	assert_same "message" "$T/want" "$T/got"
	assert_same "envelope" "$T/e" "$T/box/1/envelope"
}

test_date_is_now() {
	through
	stamped=$(sed -n 's/^	\([A-Z].*+0000\).$/\1/p' "$T/box/1/message" | head -n 1)
	age=$(($(date +%s) - $(date -d "$stamped" +%s)))
	assertTrue "age $age" "[ $age -ge 0 ] && [ $age -le 60 ]"
}

test_no_user_and_no_mechanism_is_told() {
	SMTPAUTHUSER=secretname SMTPAUTHMETHOD=SCRAM-SHA-256
	export SMTPAUTHUSER SMTPAUTHMETHOD
	through
	assertEquals 0 "$(grep -c -i 'secretname\|scram' "$T/box/1/message")"
	assertEquals 1 "$(grep -c 'with ESMTPA id' "$T/box/1/message")"
}

test_for_only_with_a_single_recipient() {
	envelope_file '' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' >"$T/e"
	MSA_RCPTS=2
	through
	assertEquals 0 "$(head -n 4 "$T/box/1/message" | grep -c 'bob\|carol\|for')"
	envelope_file '' 'RCPT TO:<bob@example.org>' '550 5.7.1 Not to Carol' >"$T/e"
	through
	assertEquals 0 "$(head -n 4 "$T/box/2/message" | grep -c 'bob\|for')"
	envelope_file '' '550 5.7.1 Not to Bob' >"$T/e"
	MSA_RCPTS=1
	through
	assertEquals 0 "$(head -n 4 "$T/box/3/message" | grep -c 'for')"
	envelope_file '' 'RCPT TO:<bob@example.org>' 'COPY TO:<archive@example.net>' >"$T/e"
	through
	assertEquals 1 "$(head -n 4 "$T/box/4/message" | grep -c 'for <bob@example.org>')"
	assertEquals 0 "$(grep -c archive "$T/box/4/message")"
}

test_privacy_hides_the_client_and_nothing_else() {
	SSL_PROTOCOL=TLSv1.2 SSL_CIPHER=ECDHE-RSA-AES128-GCM-SHA256 SMTPAUTHUSER=alice
	export SSL_PROTOCOL SSL_CIPHER SMTPAUTHUSER
	through -p
	printf 'Received: from unknown\r\n\tby mail.example.net with ESMTPSA id 0abc for <bob@example.org>\r\n' >"$T/want"
	printf '\ttls TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;\r\n\tDATE\r\n' >>"$T/want"
	undated "$T/box/1/message" | head -n 4 >"$T/got"
	assert_same "field" "$T/want" "$T/got"
	assertEquals 0 "$(grep -c 'client\|192\.0\.2\|host\.example' "$T/box/1/message")"
}

test_certificate_subject_only_when_asked() {
	SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_SUBJECT='/C=DE/CN=alice'
	export SSL_PROTOCOL SSL_PEER_CERT_SUBJECT
	through
	through -s
	assertEquals 0 "$(grep -c CN=alice "$T/box/1/message")"
	assertEquals 1 "$(grep -c '(certificate /C=DE/CN=alice)' "$T/box/2/message")"
}

# The matrix. One row: verb lmtp tls auth relayclient certificate utf8 keyword; x: set, -: not.
# It is written out rather than computed, so that a wrong rule cannot agree with itself.
matrix() {
	cat <<'END'
HELO - - - - - - SMTP
HELO - - - x - - SMTP
HELO - - x - - - SMTP
HELO - x - - - - SMTP
HELO - x - - x - SMTP
HELO - x x - - - SMTP
HELO - x x x x - SMTP
HELO - x x - - x SMTP
EHLO - - - - - - ESMTP
EHLO - - - x - - ESMTP
EHLO - - - - x - ESMTP
EHLO - - - x x - ESMTP
EHLO - - x - - - ESMTPA
EHLO - - x x - - ESMTPA
EHLO - - x x x - ESMTPA
EHLO - x - - - - ESMTPS
EHLO - x - x - - ESMTPS
EHLO - x - - x - ESMTPS
EHLO - x - x x - ESMTPS
EHLO - x x - - - ESMTPSA
EHLO - x x x - - ESMTPSA
EHLO - x x - x - ESMTPSA
EHLO - x x x x - ESMTPSA
EHLO - - - - - x UTF8SMTP
EHLO - - - x - x UTF8SMTP
EHLO - - - x x x UTF8SMTP
EHLO - - x - - x UTF8SMTPA
EHLO - - x x - x UTF8SMTPA
EHLO - x - - - x UTF8SMTPS
EHLO - x - x x x UTF8SMTPS
EHLO - x x - - x UTF8SMTPSA
EHLO - x x x x x UTF8SMTPSA
LHLO x - - - - - LMTP
LHLO - - - - - - LMTP
LHLO x - - x x - LMTP
LHLO x - x - - - LMTPA
LHLO x - x x - - LMTPA
LHLO x x - - - - LMTPS
LHLO x x - x x - LMTPS
LHLO x x x - - - LMTPSA
LHLO - x x x x - LMTPSA
LHLO x - - - - x UTF8LMTP
LHLO x - - x x x UTF8LMTP
LHLO x - x - - x UTF8LMTPA
LHLO x x - - - x UTF8LMTPS
LHLO x x - x x x UTF8LMTPS
LHLO x x x - - x UTF8LMTPSA
LHLO - x x x x x UTF8LMTPSA
none - - - - - - SMTP
none - - - x x x SMTP
none - x - - - - SMTP
none - x x - - - SMTP
none x - - - - - LMTP
none x x x - - - LMTPSA
junk - - x - - - SMTP
END
}

# Words after "with" that IANA's registry of mail transmission types has.
REGISTERED='SMTP ESMTP ESMTPA ESMTPS ESMTPSA LMTP LMTPA LMTPS LMTPSA UTF8SMTP UTF8SMTPA UTF8SMTPS UTF8SMTPSA UTF8LMTP
UTF8LMTPA UTF8LMTPS UTF8LMTPSA'

test_keyword_over_the_whole_matrix() {
	envelope_file '' 'RCPT TO:<bob@example.org>' >"$T/e-"
	envelope_file ' BODY=8BITMIME SMTPUTF8' 'RCPT TO:<bob@example.org>' >"$T/ex"
	matrix >"$T/matrix"
	rows=0
	while read -r verb lmtp tls auth relay cert utf8 keyword; do
		for option in '' -p; do
			set -- MSA_VERB="$verb"
			[ "$verb" != none ] || set -- -u MSA_VERB
			[ "$lmtp" = - ] || set -- "$@" MSA_LMTP=1
			[ "$tls" = - ] || set -- "$@" SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_128_GCM_SHA256
			[ "$auth" = - ] || set -- "$@" SMTPAUTHUSER=alice SMTPAUTHMETHOD=PLAIN
			[ "$relay" = - ] || set -- "$@" RELAYCLIENT=
			[ "$cert" = - ] || set -- "$@" SSL_PEER_CERT_SUBJECT=/CN=alice SSL_PEER_CERT_HASH=SHA256:00
			# shellcheck disable=SC2086
			env "$@" stamp $option cat <"$T/m" 3<"$T/e$utf8" 2>/dev/null >"$T/got"
			got=$(sed -n 's/^	by mail.example.net with \([^ ;]*\) id 0abc.*/\1/p' "$T/got")
			assertEquals "$verb lmtp=$lmtp tls=$tls auth=$auth relay=$relay cert=$cert utf8=$utf8 $option" \
				"$keyword" "$got"
			clause=$(grep -c 'tls TLS_AES_128_GCM_SHA256' "$T/got")
			assertEquals "tls clause of $verb $tls" "$([ "$tls" = - ] || echo 1)" "${clause#0}"
			assertContains "registered" " $(echo "$REGISTERED" | tr '\n' ' ') " " ${got:-none} "
			rows=$((rows + 1))
		done
	done <"$T/matrix"
	assertEquals 110 "$rows"
	# every registered word has occurred
	for word in $REGISTERED; do
		assertTrue "$word" "grep -q ' $word\$' '$T/matrix'"
	done
}

test_an_empty_user_is_nobody() {
	SMTPAUTHUSER='' stamp cat <"$T/m" 3<"$T/e" 2>/dev/null >"$T/got"
	assertEquals 1 "$(grep -c 'with ESMTP id' "$T/got")"
}

test_a_forged_field_decides_nothing() {
	printf 'Received: from x by y with ESMTPSA; Sat, 1 Jan 2000 00:00:00 +0000\r\n\r\n' >"$T/m"
	through
	assertEquals 1 "$(head -n 3 "$T/box/1/message" | grep -c 'with ESMTP id')"
	tail -n 2 "$T/box/1/message" >"$T/got"
	assert_same "the old field" "$T/m" "$T/got"
}

# usage: loop n: a message with n Received fields
loop() {
	i=0
	while [ $i -lt "$1" ]; do
		printf 'rEcEived : from x\r\n\tby y; Sat, 1 Jan 2000 00:00:00 +0000\r\n'
		i=$((i + 1))
	done
	printf 'Received-SPF: none\r\nX: Received: no\r\n Received: folded\r\n\r\nReceived: in the body\r\n'
}

test_a_hundred_received_fields_are_a_loop() {
	loop 99 >"$T/m"
	through
	assertEquals "99 pass" 0 $?
	assertTrue "stored" "[ -f '$T/box/1/message' ]"
	loop 100 >"$T/m"
	through
	assertEquals "100 do not" 100 $?
	printf '554 5.4.6 Too many Received fields, mail loop\r\n.\r\n' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
	assertFalse "nothing stored" "[ -e '$T/box/2' ]"
}

test_a_header_over_1_mib_is_refused_and_the_rest_of_a_message_may_be_larger() {
	{ printf 'X: '; head -c 1048571 /dev/zero | tr '\0' x; printf '\r\n\r\n'; loop 100; } >"$T/m"
	through
	assertEquals 'just 1 MiB' 0 $?
	sed -i 's/^X: /X: x/' "$T/m"
	through
	assertEquals 'one octet more' 100 $?
	printf '554 5.6.0 Message is not valid\r\n.\r\n' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
	assertEquals 1 "$(grep -c 'done verdict=554 why="header is too long"' "$T/log")"
	env -u MSA_MESSAGE stamp <"$T/m" >"$T/out" 2>"$T/log"
	assertEquals 'as a filter' 100 $?
	assertEquals '' "$(cat "$T/out")"
}

test_a_message_cannot_go_on_in_our_field() {
	for first in ' ' '\t'; do
		# shellcheck disable=SC2059
		printf "$first"'(spoofed with ESMTPSA)\r\nFrom: a@b.example\r\n\r\nHello\r\n' >"$T/m"
		through
		assertEquals 100 $?
		printf '554 5.6.0 Message is not valid\r\n.\r\n' >"$T/want"
		assert_same "verdict" "$T/want" "$T/out"
	done
	assertFalse "nothing stored" "[ -e '$T/box' ]"
	env -u MSA_MESSAGE stamp <"$T/m" >"$T/out" 2>"$T/log"
	assertEquals "as a filter" 100 $?
	assertEquals '' "$(cat "$T/out")"
}

test_a_large_message_passes_byte_for_byte() {
	{ printf 'Subject: big\r\n\r\n'; text_random 1500000 | base64 | sed 's/$/\r/'; } >"$T/m"
	through
	tail -c "$(wc -c <"$T/m")" "$T/box/1/message" >"$T/got"
	assertTrue "same" "cmp -s '$T/m' '$T/got'"
}

test_a_message_without_octets_gets_its_field() {
	: >"$T/m"
	through
	assertEquals 3 "$(wc -l <"$T/box/1/message")"
}

test_the_offset_of_fd_0_does_not_matter() {
	{ head -c 5 >/dev/null; stamp inject-file "$T/box" 3<"$T/e" >"$T/out" 2>"$T/log"; } <"$T/m"
	tail -c "$(wc -c <"$T/m")" "$T/box/1/message" >"$T/got"
	assert_same "message" "$T/m" "$T/got"
}

test_what_is_handed_on_cannot_be_written() {
	# shellcheck disable=SC2016
	stamp sh -c 'echo x >>/proc/self/fd/0; exec inject-file "$1"' sh "$T/box" <"$T/m" 3<"$T/e" >/dev/null 2>&1
	tail -c "$(wc -c <"$T/m")" "$T/box/1/message" >"$T/got"
	assert_same "message" "$T/m" "$T/got"
}

test_a_pipe_as_message_is_451() {
	head -c 9999 "$T/m" | stamp inject-file "$T/box" 3<"$T/e" >"$T/out" 2>"$T/log"
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_no_or_bad_envelope_is_451() {
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	stamp inject-file "$T/box" <"$T/m" 3<&- >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	assert_same "no fd 3" "$T/want" "$T/out"
	for bad in 'MAIL FROM:<A@EXAMPLE.NET>' 'RCPT TO:<bob@example.org>' 'junk'; do
		echo "$bad" >"$T/e"
		stamp inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
		assertEquals "$bad" 111 $?
		assert_same "$bad" "$T/want" "$T/out"
	done
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_no_next_program_is_451() {
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	stamp <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	assert_same "none" "$T/want" "$T/out"
	stamp "$T/no-such-program" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	assert_same "missing" "$T/want" "$T/out"
}

test_misuse_is_451_in_a_chain_and_100_outside() {
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	stamp -x <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	assert_same "verdict" "$T/want" "$T/out"
	(unset MSA_MESSAGE; stamp -x) <"$T/m" >"$T/out" 2>"$T/log"
	assertEquals 100 $?
	assertFalse "silent" "[ -s '$T/out' ]"
	assertEquals 'usage: stamp [-ps] [-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user] [prog [arg ...]]' "$(tail -n 1 "$T/log")"
}

test_options_of_the_next_program_are_its_own() {
	through -p
	stamp inject-file -r '250 2.0.0 Mine' "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	printf '250 2.0.0 Mine\r\n' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
}

test_a_message_that_cannot_be_stored_is_451_or_452() {
	head -c 600000 /dev/zero | tr '\0' x >"$T/m"
	TMPDIR=$T/no-such-directory through
	assertEquals 111 $?
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	assert_same "no directory for it" "$T/want" "$T/out"
	needs trace || return 0
	# a leak checker cannot work under strace
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -o /dev/null -e inject=sendfile:error=ENOSPC \
		stamp inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	printf '452 4.3.1 Insufficient storage, try again later\r\n.\r\n' >"$T/want"
	assert_same "disk full" "$T/want" "$T/out"
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_log_has_one_line_with_the_keyword() {
	through
	sed 's/ms=[0-9]*/ms=N/' "$T/log" >"$T/got"
	echo 'stamp: 0aaa/0abc done with=ESMTP ms=N' >"$T/want"
	assert_same "log" "$T/want" "$T/got"
}

test_as_a_filter_it_keeps_the_line_ends() {
	unset MSA_MESSAGE
	printf 'Subject: x\n\nHello\n' >"$T/lf"
	stamp <"$T/lf" >"$T/got" 2>"$T/log"
	assertEquals 0 $?
	assertEquals 0 "$(tr -dc '\r' <"$T/got" | wc -c)"
	undated "$T/got" >"$T/out"
	printf 'Received: from client.example (host.example [192.0.2.1])\n\tby mail.example.net with ESMTP;\n\tDATE\n' |
		cat - "$T/lf" >"$T/want"
	assert_same "LF" "$T/want" "$T/out"
	head -c 9999 "$T/m" | stamp >"$T/got"
	assertEquals "every line with CR" "$(wc -l <"$T/got")" "$(tr -dc '\r' <"$T/got" | wc -c)"
	tail -c "$(wc -c <"$T/m")" "$T/got" >"$T/out"
	assert_same "CRLF, from a pipe" "$T/m" "$T/out"
	loop 100 | tr -d '\r' | stamp >"$T/out" 2>/dev/null
	assertEquals "a loop" 100 $?
	assertFalse "no output" "[ -s '$T/out' ]"
}

# What died in front of the pipe has written nothing, or something that is no message: a Received field on top of it would
# make a message of it.
test_a_filter_refuses_what_is_no_message() {
	unset MSA_MESSAGE
	stamp </dev/null >"$T/got" 2>"$T/log"
	assertEquals 'nothing' 111 $?
	assertEquals 'nothing' 'stamp: 0aaa failed reason="input is empty: no message"' "$(cat "$T/log")"
	assertFalse 'nothing' "[ -s '$T/got' ]"
	for text in '\r\nonly a body\n' 'no header\n' 'From a@b.example Sat Nov 21 22:30:00 2026\n'; do
		# shellcheck disable=SC2059
		printf "$text" | stamp >"$T/got" 2>"$T/log"
		assertEquals "$text" 100 $?
		assertEquals "$text" 'stamp: 0aaa done verdict=554 why="message has no header"' "$(cat "$T/log")"
		assertFalse "$text" "[ -s '$T/got' ]"
	done
	printf 'Subject: x\n' | stamp >"$T/got" 2>"$T/log"
	assertEquals 'only a header' 0 $?
}

test_filters_chain() {
	unset MSA_MESSAGE
	stamp -p stamp <"$T/m" >"$T/got" 2>"$T/log"
	assertEquals 0 $?
	assertEquals 3 "$(grep -c '^Received:' "$T/got")"
}

. "$SHUNIT2"
