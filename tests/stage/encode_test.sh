#!/bin/sh
# encode: what a next hop does not take is encoded, and the envelope says what the message is now. What is done to
# contents is in unit/recode_test.sh. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	program_make next <<-'X'
		#!/bin/sh
		cat <&3 >"$T/got.env"
		cat >"$T/got.msg"
		echo '250 2.0.0 taken'
	X
}

setUp() {
	rm -f "$T"/got.* "$T/log" "$T/offers"
	chain_message 'Subject: a\r\n\r\n\303\244 is text, most of it ASCII\r\n'
	chain_envelope '<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>' 'COPY TO:<c@example.net>'
	printf '%b' 'Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n' \
		'Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4 is text, most of it ASCII\r\n' >"$T/encoded"
}

tearDown() {
	resident_stop_all
}

# The next program got the message encoded, or as it was, and this MAIL line. usage: assert_passed what encoded|msg mail
assert_passed() {
	assertEquals "$1: verdict" '250 2.0.0 taken' "$(head -n 1 "$T/verdict")"
	assert_same "$1: message" "$T/$2" "$T/got.msg"
	{
		printf 'MAIL FROM:%s\n' "$3"
		sed 1d "$T/env"
	} >"$T/expected"
	assert_same "$1: envelope" "$T/expected" "$T/got.env"
	rm -f "$T"/got.*
}

test_the_next_hop_decides() {
	chain_call encode -k '' "$T/next"
	assert_passed 'nothing' encoded '<alice@example.net>'
	assert_logged '^encode: S/M done quoted=1 params=changed ms=[0-9]*$'
	chain_call encode -k 8BITMIME "$T/next"
	assert_passed '8BITMIME' msg '<alice@example.net> BODY=8BITMIME'
	assert_logged '^encode: S/M done ms=[0-9]*$'
	chain_call encode "$T/next"
	assert_passed 'MSA_EHLO is not set' msg '<alice@example.net> BODY=8BITMIME'
	chain_call MSA_EHLO=SIZE,DSN encode "$T/next"
	assert_passed 'MSA_EHLO without it' encoded '<alice@example.net>'
	chain_call MSA_EHLO=8BITMIME encode -k SIZE "$T/next"
	assert_passed 'both' encoded '<alice@example.net>'
}

test_the_file_of_an_injector_is_read_for_each_message() {
	resident_start encode encode -P 1:1 -k "@$T/offers" "$T/next"
	chain_call call "$T/encode"
	assert_passed 'no file' encoded '<alice@example.net>'
	printf 'PIPELINING\n8BITMIME\n' >"$T/offers"
	chain_call call "$T/encode"
	assert_passed 'a file' msg '<alice@example.net> BODY=8BITMIME'
	printf 'PIPELINING\n' >"$T/offers"
	chain_call call "$T/encode"
	assert_passed 'another one' encoded '<alice@example.net>'
}

test_a_binary_message_becomes_text() {
	printf 'Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\nMIME-Version: 1.0\r\n\r\n\211PNG\n\r\0' >"$T/msg"
	printf '%b' 'Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nMIME-Version: 1.0\r\n\r\niVBORwoNAA==\r\n' \
		>"$T/encoded"
	chain_envelope '<> BODY=BINARYMIME RET=HDRS' 'RCPT TO:<bob@example.org> NOTIFY=NEVER' '550 5.1.1 No'
	while IFS='|' read -r keywords message mail; do
		chain_call encode -k "$keywords" "$T/next"
		assert_passed "$keywords" "$message" "$mail"
	done <<-'X'
		|encoded|<> RET=HDRS
		8BITMIME|encoded|<> RET=HDRS
		8BITMIME,BINARYMIME|encoded|<> RET=HDRS
		8BITMIME,BINARYMIME,CHUNKING|msg|<> BODY=BINARYMIME RET=HDRS
	X
	printf 'Content-Type: text/plain\r\n\r\n\303\244\r\n' >"$T/msg"
	chain_call encode -k 8BITMIME "$T/next"
	assert_passed 'text' msg '<> BODY=8BITMIME RET=HDRS'
}

test_smtputf8_goes_if_nothing_needs_it() {
	chain_envelope '<alice@example.net> SMTPUTF8 BODY=8BITMIME' 'RCPT TO:<bob@example.org>'
	chain_call encode -k 8BITMIME "$T/next"
	assert_passed 'a text' msg '<alice@example.net> BODY=8BITMIME'
	chain_call encode -k '' "$T/next"
	assert_passed 'a text encoded' encoded '<alice@example.net>'
	chain_call encode -k 8BITMIME,SMTPUTF8 "$T/next"
	assert_passed 'the next hop takes it' msg '<alice@example.net> SMTPUTF8 BODY=8BITMIME'
	chain_message 'Subject: \303\244\r\n\r\na\r\n'
	chain_call encode -k 8BITMIME "$T/next"
	assert_passed 'a header in UTF-8' msg '<alice@example.net> SMTPUTF8 BODY=8BITMIME'
	chain_message 'Subject: a\r\n\r\na\r\n'
	chain_envelope '<alice@example.net> SMTPUTF8' 'RCPT TO:<b\303\266b@example.org>'
	printf '%b\n' "$(cat "$T/env")" >"$T/utf8" && mv "$T/utf8" "$T/env"
	chain_call encode -k 8BITMIME "$T/next"
	assert_passed 'an address in UTF-8' msg '<alice@example.net> SMTPUTF8'
}

test_what_cannot_be_encoded_is_refused() {
	chain_message 'DKIM-Signature: v=1\r\n\r\n\303\244\r\n'
	chain_call SMTPAUTHUSER=alice encode -k '' "$T/next"
	assertEquals 'exit code' 100 "$code"
	assert_verdict 'signed' '554 5.6.3 Message is signed and cannot be encoded for the next server'
	assert_logged '^encode: S/M refused user=alice why="Message is signed and cannot be encoded for the next server"$'
	chain_message 'Subject: \344\r\n\r\n\303\244\r\n'
	chain_call encode -k '' "$T/next"
	assert_verdict 'header' '554 5.6.3 Message has 8-bit data in its header'
	assertEquals 'nothing was run' '' "$(find "$T" -name 'got.*')"
}

test_what_needs_nothing_passes_byte_for_byte() {
	for file in "$ROOT"/tests/messages/*.eml; do
		case $file in
		*/long.eml) continue ;; # it has a line over 998 octets
		esac
		sed 's/\r*$/\r/' "$file" >"$T/msg"
		chain_call encode -k 8BITMIME "$T/next"
		assert_same "$file" "$T/msg" "$T/got.msg"
	done
}

test_the_charset_of_text_without_one() {
	chain_message 'Subject: a\r\n\r\n\344 is text, most of it ASCII\r\n'
	sed 's/utf-8/iso-8859-15/; s/=C3=A4/=E4/' "$T/encoded" >"$T/latin"
	chain_call encode -c iso-8859-15 -k '' "$T/next"
	assert_passed 'iso-8859-15' latin '<alice@example.net>'
	for set in utf-8 iso-2022-jp big5 none; do
		chain_call encode -c "$set" -k '' "$T/next"
		assert_verdict "$set" '451 4.3.0 Local error, try again later'
		assert_logged "^encode: $set: not a known character set of one octet a character\$"
	done
}

test_a_filter_takes_both_line_ends() {
	encode -k '' <"$T/msg" >"$T/got"
	assertEquals 'exit code' 0 $?
	assert_same 'CR LF' "$T/encoded" "$T/got"
	tr -d '\r' <"$T/msg" >"$T/lf"
	tr -d '\r' <"$T/encoded" >"$T/expected"
	encode -k '' <"$T/lf" >"$T/got"
	assert_same 'LF' "$T/expected" "$T/got"
	encode <"$T/msg" >"$T/got"
	assert_same 'MSA_EHLO is not set' "$T/msg" "$T/got"
	printf 'DKIM-Signature: a\n\n\303\244\n' | encode -k '' >"$T/got" 2>"$T/log"
	assertEquals 'refused: exit code' 100 $?
	assertEquals 'refused: message' '' "$(cat "$T/got")"
	assert_logged '^encode: Message is signed and cannot be encoded for the next server$'
	encode -k '' </dev/null >"$T/got" 2>"$T/log"
	assertEquals 'empty: exit code' 111 $?
}

# In one process and apart.
test_a_session_with_it() {
	for inline in '' inline; do
		# shellcheck disable=SC2086
		printf '<\n> EHLO client\n<\n> MAIL FROM:<a@example.net> BODY=BINARYMIME\n<\n> RCPT TO:<b@example.org>\n<\n> BDAT 31 LAST\n>> Content-Type: image/png\\r\\n\\r\\n\\xff\\n\\r\\0\n<\n> QUIT\n<<\n' |
			RELAYCLIENT='' MSA_EHLO=8BITMIME,BINARYMIME talk $inline submitd encode -k '' "$T/next" >"$T/heard" 2>"$T/log"
		assertEquals "${inline:-apart}" 1 "$(grep -c '^250 2.0.0 Ok, message' "$T/heard")"
		printf 'MAIL FROM:<a@example.net>\nRCPT TO:<b@example.org>\n' >"$T/expected"
		assert_same "${inline:-apart}" "$T/expected" "$T/got.env"
		assertEquals "${inline:-apart}" '/woNAA==' "$(sed '1,/^.$/d' "$T/got.msg" | tr -d '\r')"
		rm -f "$T"/got.*
	done
}

# A next hop that offers nothing gets what it can take.
test_a_server_without_8bitmime_gets_the_message() {
	lmtpd_start -e ''
	chain_call MSA_EHLO=8BITMIME,BINARYMIME encode -k '' lmtp-inject "$T/s"
	lmtpd_ended
	assertTrue 'taken' "grep -q '^250' $T/verdict"
	assertTrue "encoded: $(cat "$T/rec")" "grep -q '^=C3=A4 is text' $T/rec"
	assertEquals 'MAIL' 1 "$(grep -c '^MAIL FROM:<alice@example.net>.$' "$T/rec")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
