#!/bin/sh
# transaction: what MAIL and RCPT take, and the envelope they make. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"

# Each line of standard input is "command|reply"; all are said after EHLO, a RSET (and MAIL, if prefix is RCPT) before
# each. In the reply "ok" is the good one. usage: table MAIL|RCPT
table() {
	{
		echo '> EHLO x'
	} >"$T/script"
	: >"$T/want"
	while IFS='|' read -r command reply; do
		echo '> RSET' >>"$T/script"
		if [ "$1" = RCPT ]; then
			echo "> MAIL FROM:<a@example.org>${UTF8:-}" >>"$T/script"
			[ "$reply" != ok ] || reply='250 2.1.5 Recipient ok'
		else
			[ "$reply" != ok ] || reply='250 2.1.0 Sender ok'
		fi
		printf '>> %s\\r\\n\n' "$command" >>"$T/script"
		printf '%s|%s\n' "$command" "$reply" >>"$T/want"
	done
	printf '%s\n' '> QUIT' '<<' >>"$T/script"
	dialogue_submit submitd -e 10000 "$SINK" <"$T/script"
	sed -e '1,/^250 /d' -e '/^221/,$d' "$T/out" | grep -vx '250 2.0.0 Ok' >"$T/replies"
	[ "$1" = MAIL ] || sed -i 'n;s/^/=/' "$T/replies"
	[ "$1" = MAIL ] || sed -i '/^[^=]/d; s/^=//' "$T/replies"
	cut -d'|' -f1 "$T/want" | paste -d'|' - "$T/replies" >"$T/got"
	assert_same "$1" "$T/want" "$T/got"
}

test_a_refused_mail_leaves_nothing_to_the_next() {
	export MSA_EHLO=8BITMIME,SMTPUTF8
	dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org> SMTPUTF8 FOO=1
		>> MAIL FROM:<\xc3\xb6@example.org>\r\n
		> QUIT
		<<
	E2
	unset MSA_EHLO
	sed -i '1,/^250 /d' "$T/out"
	assert_out 'replies' <<-'E2'
		555 5.5.4 Parameter not recognized or not implemented: FOO
		550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_reverse_paths() {
	l64=$(text_repeat 64 l)
	l63=$(text_repeat 63 d)
	# a mailbox of 254 octets, a path of 256 (RFC 5321 4.5.3.1.3)
	d189=$l63.$l63.$(text_repeat 61 d)
	table MAIL <<-E2
		MAIL FROM:<>|ok
		MAIL FROM: <>|ok
		MAIL FROM:<a@example.org>|ok
		MAIL FROM: <a@example.org>|ok
		mail from:<a@example.org>|ok
		MAIL FROM:<"a b"@example.org>|ok
		MAIL FROM:<"a>b"@example.org>|ok
		MAIL FROM:<a@[192.0.2.1]>|ok
		MAIL FROM:<a@[IPv6:2001:db8::1]>|ok
		MAIL FROM:<a@[x-tag:anything]>|ok
		MAIL FROM:<@hop.example,@hop2.example:a@example.org>|ok
		MAIL FROM:<$l64@example.org>|ok
		MAIL FROM:<$(text_repeat 242 l)@example.org>|ok
		MAIL FROM:<$(text_repeat 243 l)@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<$l64@$d189>|ok
		MAIL FROM:<$l64@${d189}d>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@${l63}d.example>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<user>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<postmaster>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<user@host>|554 5.1.8 Sender's domain is not fully qualified
		MAIL FROM:<user@localhost>|554 5.1.8 Sender's domain is not fully qualified
		MAIL FROM:<a@example.org.>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a b@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@exa_mple.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@-example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@[300.0.2.1]>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<.a@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a..b@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<"a@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@example.org|501 5.1.7 Bad sender address syntax
		MAIL FROM:a@example.org|501 5.1.7 Bad sender address syntax
		MAIL FROM:|501 5.1.7 Bad sender address syntax
		MAIL FROM:< a@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@example.org>x|501 5.1.7 Bad sender address syntax
		MAIL FROM:<a@example.org>,<b@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<\\xe4@example.org>|501 5.1.7 Bad sender address syntax
		MAIL FROM:<\\xc3\\xa4@example.org>|550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available
		MAIL TO:<a@example.org>|501 5.5.4 Syntax error in argument
		MAIL <a@example.org>|501 5.5.4 Syntax error in argument
		MAIL FROM <a@example.org>|501 5.5.4 Syntax error in argument
	E2
}

test_forward_paths() {
	table RCPT <<-'E2'
		RCPT TO:<b@example.net>|ok
		RCPT TO: <b@example.net>|ok
		RCPT TO:<postmaster>|ok
		RCPT TO:<PostMaster>|ok
		RCPT TO:<"postmaster">|ok
		RCPT TO:<"b c"@example.net>|ok
		RCPT TO:<b@[192.0.2.1]>|ok
		RCPT TO:<@hop.example:b@example.net>|ok
		RCPT TO:<>|501 5.1.3 Bad recipient address syntax
		RCPT TO:<user>|501 5.1.3 Bad recipient address syntax
		RCPT TO:<user@host>|554 5.1.2 Recipient's domain is not fully qualified
		RCPT TO:<postmaster@host>|554 5.1.2 Recipient's domain is not fully qualified
		RCPT TO:<b@example.net.>|501 5.1.3 Bad recipient address syntax
		RCPT TO:b@example.net|501 5.1.3 Bad recipient address syntax
		RCPT TO:<b@example.net|501 5.1.3 Bad recipient address syntax
		RCPT TO:<b@example.net>x|501 5.1.3 Bad recipient address syntax
		RCPT TO:<\xc3\xa4@example.net>|550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available
		RCPT FROM:<b@example.net>|501 5.5.4 Syntax error in argument
		RCPT <b@example.net>|501 5.5.4 Syntax error in argument
	E2
}

test_parameters_of_mail_that_need_no_next_hop() {
	long=$(text_repeat 60 X)
	DATABYTES=1000 table MAIL <<-E2
		MAIL FROM:<> SIZE=0|ok
		MAIL FROM:<> SIZE=1000|ok
		MAIL FROM:<> SIZE=1001|552 5.3.4 Message too big: SIZE
		MAIL FROM:<> SIZE=00000000000000001000|ok
		MAIL FROM:<> SIZE=99999999999999999999|552 5.3.4 Message too big: SIZE
		MAIL FROM:<> SIZE=18446744073709551617|552 5.3.4 Message too big: SIZE
		MAIL FROM:<> SIZE=100000000000000000000|501 5.5.4 Bad value of a parameter: SIZE
		MAIL FROM:<> SIZE=-1|501 5.5.4 Bad value of a parameter: SIZE
		MAIL FROM:<> SIZE=1x|501 5.5.4 Bad value of a parameter: SIZE
		MAIL FROM:<> SIZE|501 5.5.4 Bad value of a parameter: SIZE
		MAIL FROM:<> SIZE=|501 5.5.4 Syntax error in argument
		MAIL FROM:<> SIZE=1 SIZE=1|501 5.5.4 Bad value of a parameter: SIZE
		MAIL FROM:<> size=1 body=8bitmime|ok
		MAIL FROM:<>   SIZE=1   BODY=7BIT|ok
		MAIL FROM:<> BODY=8BITMIME|ok
		MAIL FROM:<> BODY=BINARYMIME|501 5.5.4 Bad value of a parameter: BODY
		MAIL FROM:<> BODY=9BIT|501 5.5.4 Bad value of a parameter: BODY
		MAIL FROM:<> BODY|501 5.5.4 Bad value of a parameter: BODY
		MAIL FROM:<> SMTPUTF8|555 5.5.4 Parameter not recognized or not implemented: SMTPUTF8
		MAIL FROM:<> RET=FULL|555 5.5.4 Parameter not recognized or not implemented: RET
		MAIL FROM:<> ENVID=x|555 5.5.4 Parameter not recognized or not implemented: ENVID
		MAIL FROM:<> BY=100;R|555 5.5.4 Parameter not recognized or not implemented: BY
		MAIL FROM:<> AUTH=<>|555 5.5.4 Parameter not recognized or not implemented: AUTH
		MAIL FROM:<> TRANSID=<x@y>|555 5.5.4 Parameter not recognized or not implemented: TRANSID
		MAIL FROM:<> SOLICIT=net.example:ADV|555 5.5.4 Parameter not recognized or not implemented: SOLICIT
		MAIL FROM:<> NOTIFY=NEVER|555 5.5.4 Parameter not recognized or not implemented: NOTIFY
		MAIL FROM:<> x-y=1|555 5.5.4 Parameter not recognized or not implemented: x-y
		MAIL FROM:<> $long=1|555 5.5.4 Parameter not recognized or not implemented: $(text_repeat 40 X)
		MAIL FROM:<> =1|501 5.5.4 Syntax error in argument
		MAIL FROM:<> -|501 5.5.4 Syntax error in argument
		MAIL FROM:<> \\xe4=1|501 5.5.4 Syntax error in argument
		MAIL FROM:<> SIZE:1|501 5.5.4 Syntax error in argument
		MAIL FROM:<> SIZE=1\\x01|501 5.5.4 Syntax error in argument
		MAIL FROM:<> SIZE=1\\tBODY=7BIT|501 5.5.4 Syntax error in argument
	E2
}

test_parameters_of_mail_that_the_next_hop_offers() {
	e100=$(text_repeat 100 e)
	MSA_EHLO='8BITMIME,BINARYMIME,DSN,SMTPUTF8,DELIVERBY,MT-PRIORITY,REQUIRETLS,FUTURERELEASE 86400 2030-01-01T00:00:00Z,MTRK' \
		table MAIL <<-E2
		MAIL FROM:<> BODY=BINARYMIME|ok
		MAIL FROM:<> SMTPUTF8|ok
		MAIL FROM:<\\xc3\\xa4@example.org> SMTPUTF8|ok
		MAIL FROM:<a@\\xc3\\xbc.example> SMTPUTF8|ok
		MAIL FROM:<\\xc3@example.org> SMTPUTF8|501 5.1.7 Bad sender address syntax
		MAIL FROM:<\\xc0\\xaf@example.org> SMTPUTF8|501 5.1.7 Bad sender address syntax
		MAIL FROM:<> SMTPUTF8=1|501 5.5.4 Bad value of a parameter: SMTPUTF8
		MAIL FROM:<> RET=FULL ENVID=a+2Bb|ok
		MAIL FROM:<> RET=hdrs|ok
		MAIL FROM:<> RET=BOTH|501 5.5.4 Bad value of a parameter: RET
		MAIL FROM:<> RET|501 5.5.4 Bad value of a parameter: RET
		MAIL FROM:<> ENVID=$e100|ok
		MAIL FROM:<> ENVID=${e100}e|501 5.5.4 Bad value of a parameter: ENVID
		MAIL FROM:<> ENVID=a+2bb|501 5.5.4 Bad value of a parameter: ENVID
		MAIL FROM:<> ENVID=a+|501 5.5.4 Bad value of a parameter: ENVID
		MAIL FROM:<> ENVID=a=b|501 5.5.4 Bad value of a parameter: ENVID
		MAIL FROM:<> BY=100;R|ok
		MAIL FROM:<> BY=+100;rt|ok
		MAIL FROM:<> BY=-100;N|ok
		MAIL FROM:<> BY=0;NT|ok
		MAIL FROM:<> BY=0;R|501 5.5.4 Bad value of a parameter: BY
		MAIL FROM:<> BY=-100;R|501 5.5.4 Bad value of a parameter: BY
		MAIL FROM:<> BY=999999999;N|ok
		MAIL FROM:<> BY=1000000000;N|501 5.5.4 Bad value of a parameter: BY
		MAIL FROM:<> BY=100|501 5.5.4 Bad value of a parameter: BY
		MAIL FROM:<> BY=100;X|501 5.5.4 Bad value of a parameter: BY
		MAIL FROM:<> BY=;R|501 5.5.4 Bad value of a parameter: BY
		MAIL FROM:<> MT-PRIORITY=9|ok
		MAIL FROM:<> MT-PRIORITY=-9|ok
		MAIL FROM:<> MT-PRIORITY=0|ok
		MAIL FROM:<> MT-PRIORITY=-0|501 5.5.4 Bad value of a parameter: MT-PRIORITY
		MAIL FROM:<> MT-PRIORITY=10|501 5.5.4 Bad value of a parameter: MT-PRIORITY
		MAIL FROM:<> REQUIRETLS|ok
		MAIL FROM:<> REQUIRETLS=1|501 5.5.4 Bad value of a parameter: REQUIRETLS
		MAIL FROM:<> HOLDFOR=60|ok
		MAIL FROM:<> HOLDFOR=060|501 5.5.4 Bad value of a parameter: HOLDFOR
		MAIL FROM:<> HOLDUNTIL=2029-01-01T00:00:00Z|ok
		MAIL FROM:<> HOLDUNTIL=2029-01-01T00:00:00+01:00|ok
		MAIL FROM:<> HOLDUNTIL=2029-01-01|501 5.5.4 Bad value of a parameter: HOLDUNTIL
		MAIL FROM:<> HOLDFOR=60 HOLDUNTIL=2029-01-01T00:00:00Z|501 5.5.4 Bad value of a parameter: HOLDUNTIL
		MAIL FROM:<> MTRK=QUJD:123|ok
		MAIL FROM:<> MTRK=QUI=|ok
		MAIL FROM:<> MTRK=:1|501 5.5.4 Bad value of a parameter: MTRK
	E2
}

# (MT-PRIORITY, FUTURERELEASE, MTRK and DELIVERBY; the message says which)
test_the_next_hop_gets_the_values_of_the_client() {
	export MSA_EHLO='8BITMIME,DELIVERBY,MT-PRIORITY,FUTURERELEASE 86400 2030-01-01T00:00:00Z,MTRK,DSN'
	program_make keep <<-'E2'
		#!/bin/sh
		cat <&3 >>"$T/envelopes"
		echo '250 2.0.0 taken'
	E2
	: >"$T/envelopes"
	{
		echo '> EHLO x'
		for value in MTRK=QUJDRA==:123 HOLDFOR=61 HOLDUNTIL=2029-01-01T00:00:01Z MT-PRIORITY=-3 'BY=120;R' ENVID=a+2Bb RET=HDRS; do
			printf '%s\n' "> MAIL FROM:<a@example.org> $value" '> RCPT TO:<b@example.net>' '> BDAT 2 LAST' '>> \r\n'
			printf 'MAIL FROM:<a@example.org> %s\nRCPT TO:<b@example.net>\n' "$value" >&3
		done
		printf '%s\n' '> QUIT' '<<'
	} >"$T/script" 3>"$T/want"
	dialogue_submit submitd "$T/keep" <"$T/script"
	unset MSA_EHLO
	assert_same 'envelopes' "$T/want" "$T/envelopes"
}

test_parameters_of_rcpt() {
	table RCPT <<-'E2'
		RCPT TO:<b@example.net> NOTIFY=NEVER|555 5.5.4 Parameter not recognized or not implemented: NOTIFY
		RCPT TO:<b@example.net> SIZE=1|555 5.5.4 Parameter not recognized or not implemented: SIZE
	E2
	MSA_EHLO=8BITMIME,DSN,SMTPUTF8 UTF8=' SMTPUTF8' table RCPT <<-'E2'
		RCPT TO:<b@example.net> NOTIFY=NEVER|ok
		RCPT TO:<b@example.net> notify=success,failure,delay|ok
		RCPT TO:<b@example.net> NOTIFY=NEVER,DELAY|501 5.5.4 Bad value of a parameter: NOTIFY
		RCPT TO:<b@example.net> NOTIFY=DELAY,DELAY|501 5.5.4 Bad value of a parameter: NOTIFY
		RCPT TO:<b@example.net> NOTIFY=DELAY,|501 5.5.4 Bad value of a parameter: NOTIFY
		RCPT TO:<b@example.net> NOTIFY|501 5.5.4 Bad value of a parameter: NOTIFY
		RCPT TO:<b@example.net> NOTIFY=DELAY NOTIFY=DELAY|501 5.5.4 Bad value of a parameter: NOTIFY
		RCPT TO:<b@example.net> ORCPT=rfc822;a+2Bb@example.net|ok
		RCPT TO:<b@example.net> ORCPT=rfc822;a+2bb@example.net|501 5.5.4 Bad value of a parameter: ORCPT
		RCPT TO:<b@example.net> ORCPT=rfc822|501 5.5.4 Bad value of a parameter: ORCPT
		RCPT TO:<b@example.net> ORCPT=;a|501 5.5.4 Bad value of a parameter: ORCPT
		RCPT TO:<b@example.net> ORCPT=utf-8;\xc3\xa4@example.net|ok
		RCPT TO:<b@example.net> ORCPT=utf-8;\xc3@example.net|501 5.5.4 Bad value of a parameter: ORCPT
		RCPT TO:<\xc3\xa4@example.net>|ok
	E2
}

test_after_helo_no_parameter_is_known() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org> SIZE=5
		> MAIL FROM:<a@example.org> BODY=7BIT
		> EHLO x
		> MAIL FROM:<a@example.org> SIZE=5
		> QUIT
		<<
	E2
	sed -i '/^250-/d' "$T/out"
	assert_out 'replies' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		555 5.5.4 Parameter not recognized or not implemented: SIZE
		555 5.5.4 Parameter not recognized or not implemented: BODY
		250 CHUNKING
		250 2.1.0 Sender ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

# RFC 4954 5: a client that was offered AUTH may send AUTH=; without trust it counts as AUTH=<>, and is not passed on.
test_the_auth_parameter_is_taken_where_auth_was_offered() {
	for who in SMTPAUTHUSER=alice MSA_VERB=EHLO; do
		export "${who?}"
		dialogue_submit submitd "$SINK" <<-'E2'
			> EHLO x
			> MAIL FROM:<a@example.org> AUTH=e+3Dmc2@example.org
			> RCPT TO:<b@example.net>
			> DATA
			> .
			> MAIL FROM:<a@example.org> AUTH=<>
			> RSET
			> MAIL FROM:<a@example.org> AUTH=a=b
			> QUIT
			<<
		E2
		unset SMTPAUTHUSER MSA_VERB
		sed -i '1,/^250 CHUNKING/d' "$T/out"
		assert_out "$who" <<-'E2'
			250 2.1.0 Sender ok
			250 2.1.5 Recipient ok
			354 End data with <CR><LF>.<CR><LF>
			250 2.0.0 Ok, message ID
			250 2.1.0 Sender ok
			250 2.0.0 Ok
			501 5.5.4 Bad value of a parameter: AUTH
			221 2.0.0 Bye
			EOF
			exit 0
		E2
		printf 'MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\n' >"$T/want"
		assert_same 'envelope' "$T/want" "$T/envelope"
	done
}

test_the_envelope_is_canonical() {
	MSA_EHLO=8BITMIME,DSN,DELIVERBY,SMTPUTF8 dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> mail from: <@hop.example:"a"@EXAMPLE.Org>   size=5  body=8bitmime ret=hdrs envid=Ab+2B by=100;rt smtputf8
		> rcpt to: <"b c"@Example.NET> notify=delay,failure orcpt=RFC822;b+2B@Example.NET
		> RCPT TO:<nonsense>
		> RCPT TO:<x@host>
		> RCPT TO:<c@example.net> X=1
		> RCPT TO:<"C"@[IPv6:2001:DB8::1]>
		> RCPT TO:<PostMaster>
		>> RCPT TO:<\xc3\xa4@example.net>\r\n
		> RCPT TO:<c@example.net>
		> RCPT TO:<c@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	cat >"$T/want" <<-'E2'
		MAIL FROM:<a@example.org> BODY=8BITMIME RET=HDRS ENVID=Ab+2B BY=100;RT SMTPUTF8
		RCPT TO:<"b c"@example.net> NOTIFY=DELAY,FAILURE ORCPT=RFC822;b+2B@Example.NET
		RCPT TO:<C@[IPv6:2001:DB8::1]>
		RCPT TO:<PostMaster>
		RCPT TO:<ä@example.net>
		RCPT TO:<c@example.net>
	E2
	assert_same 'envelope' "$T/want" "$T/envelope"
}

# Every RCPT is answered. Other parameters ask for something else, and in LMTP each RCPT has a reply after the data.
test_a_recipient_who_is_named_again_gets_no_second_copy() {
	MSA_EHLO=DSN dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<bob@example.net>
		> RCPT TO:<bob@example.net>
		> RCPT TO:<carol@example.net>
		> RCPT TO:<Bob@Example.NET>
		> RCPT TO:<bob@example.net> NOTIFY=NEVER
		> RCPT TO:<bob@example.net> NOTIFY=NEVER
		> RCPT TO:<bo@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	printf '%s\n' 'MAIL FROM:<a@example.org>' 'RCPT TO:<bob@example.net>' 'RCPT TO:<carol@example.net>' \
		'RCPT TO:<bob@example.net> NOTIFY=NEVER' 'RCPT TO:<bo@example.net>' >"$T/want"
	assert_same 'envelope' "$T/want" "$T/envelope"
	assertEquals 'every RCPT is answered' 7 "$(grep -c '^250 2.1.5 ' "$T/out")"
	assert_logged 'rcpts=4'
	MSA_LMTP='' dialogue_submit submitd "$SINK" <<-'E2'
		> LHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<bob@example.net>
		> RCPT TO:<bob@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	assertEquals 'in LMTP' 2 "$(grep -c '^RCPT TO:<bob@example.net>$' "$T/envelope")"
}

test_the_null_reverse_path_is_delivered() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<>
		> RCPT TO:<b@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	assertEquals '250 2.0.0 Ok, message ID' "$(sed -n 6p "$T/out")"
	printf 'MAIL FROM:<>\nRCPT TO:<b@example.net>\n' >"$T/want"
	assert_same 'envelope' "$T/want" "$T/envelope"
}

test_a_refused_mail_leaves_nothing() {
	MSA_EHLO=8BITMIME,SMTPUTF8 dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org> SMTPUTF8 BODY=8BITMIME X=1
		> RCPT TO:<b@example.net>
		> MAIL FROM:<a@example.org>
		>> RCPT TO:<\xc3\xa4@example.net>\r\n
		> QUIT
		<<
	E2
	sed -i '1,/^250 /d' "$T/out"
	assert_out 'replies' <<-'E2'
		555 5.5.4 Parameter not recognized or not implemented: X
		503 5.5.1 Bad sequence of commands
		250 2.1.0 Sender ok
		550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

# RFC 5321 4.5.3.1.10: beyond the limit 452, and those taken before are served.
test_recipients_beyond_the_limit_are_452() {
	{
		printf '%s\n' '> HELO x' '> MAIL FROM:<a@example.org>'
		i=0
		while [ $i -lt 1002 ]; do
			i=$((i + 1))
			printf '> RCPT TO:<r%d@example.net>\n<\n' $i
		done
		printf '%s\n' '> DATA' '> .' '> QUIT' '<<'
	} >"$T/script"
	dialogue_submit submitd -e 1 "$SINK" <"$T/script"
	assertEquals 1000 "$(grep -cx '250 2.1.5 Recipient ok' "$T/out")"
	assertEquals 2 "$(grep -cx '452 4.5.3 Too many recipients' "$T/out")"
	assertEquals 'delivered' 1 "$(grep -cx '250 2.0.0 Ok, message ID' "$T/out")"
	assertEquals 'in order' 'RCPT TO:<r1000@example.net>' "$(tail -n 1 "$T/envelope")"
	assertEquals 1001 "$(wc -l <"$T/envelope")"
}

# 1,000 recipients with the longest parameters: an envelope that does not fit in memory's share is still a regular file.
test_a_large_envelope_arrives_whole() {
	long=$(text_repeat 450 x)
	{
		printf '%s\n' '> EHLO x' '> MAIL FROM:<a@example.org>'
		i=0
		while [ $i -lt 1000 ]; do
			i=$((i + 1))
			printf '> RCPT TO:<r%d@example.net> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;%s\n<\n' $i "$long"
		done
		printf '%s\n' '> DATA' '> .' '> QUIT' '<<'
	} >"$T/script"
	MSA_EHLO=8BITMIME,DSN dialogue_submit submitd "$SINK" <"$T/script"
	assertEquals 'delivered' 1 "$(grep -cx '250 2.0.0 Ok, message ID' "$T/out")"
	{
		echo 'MAIL FROM:<a@example.org>'
		sed -n 's/^> RCPT/RCPT/p' "$T/script"
	} >"$T/want"
	assert_same 'envelope' "$T/want" "$T/envelope"
	assertEquals 'no file' '' "$(ls -A "$T/tmp")"
}

. "$SHUNIT2"
