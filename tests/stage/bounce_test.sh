#!/bin/sh
# bounce: what it makes of every verdict, and the reports, octet for octet.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

# The rest of the chain: the Nth time it is run it keeps what it got as N.msg, N.env and N.facts, and answers with
# $T/answer.N, or 250.
oneTimeSetUp() {
	cat >"$T/next" <<-'P'
		#!/bin/sh
		n=1
		while [ -e "$T/$n.env" ]; do n=$((n + 1)); done
		cat <&3 >"$T/$n.env"
		rewind
		cat >"$T/$n.msg"
		env | grep -E '^(MSA|SMTP|TCP|SSL_P|RELAY)' | grep -v '^MSA_\(BIN\|JOBS\)=' | sort >"$T/$n.facts"
		[ ! -e "$T/answer.$n" ] || { cat "$T/answer.$n"; exit; }
		echo '250 2.0.0 taken'
	P
	chmod 755 "$T/next"
}

setUp() {
	rm -f "$T"/*.env "$T"/*.msg "$T"/*.facts "$T"/answer.*
	chain_message 'From: alice@example.net\r\nSubject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	answers 1 '250 2.0.0 one' '550 5.1.1 No such user'
}

# usage: answers N reply ...
answers() {
	n=$1
	shift
	printf '%s\n' "$@" . >"$T/answer.$n"
}

REPORTED='250 2.0.0 Not delivered, and reported as asked for'
UNREPORTED='451 4.3.0 Not all recipients were served, and no report of it was taken; try again'

# The envelope that the Nth run had is standard input. usage: assert_envelope what N
assert_envelope() {
	cat >"$T/expected"
	assert_same "$1" "$T/expected" "$T/$2.env"
}

# The chain was run so often. usage: assert_runs what N
assert_runs() {
	assertEquals "$1: runs" "$2" "$(find "$T" -maxdepth 1 -name '[0-9].env' | wc -l)"
}

# What is different each time in a report.
masked() {
	sed -E 's/[A-Z][a-z]{2}, [ 0-9]?[0-9] [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [-+][0-9]{4}/DATE/; s/<[0-9a-z]{14}@/<ID@/'
}

# A report is a valid message; Python's parser reads it. Prints what a line of standard input asks for; 'm' is the
# report, 'status' its fields, in blocks. usage: parsed file <expressions
parsed() {
	python3 - "$1" 3<&0 <<-'P'
		import email, email.policy, os, quopri, re, sys
		raw = open(sys.argv[1], 'rb').read()
		assert raw.endswith(b'\r\n') and not re.search(rb'[^\r]\n|\r[^\n]|\0', raw), 'line ends'
		assert max(map(len, raw.split(b'\r\n'))) <= 998, 'long line'
		m = email.message_from_bytes(raw, policy=email.policy.SMTP)
		parts = m.get_payload()
		assert len(parts) == 3
		defects = [d for p in m.walk() for d in p.defects]
		assert not defects, defects
		assert m['Auto-Submitted'] == 'auto-replied' and m['MIME-Version'] == '1.0'
		for once in 'Date From To Subject Message-ID MIME-Version Content-Type'.split():
		    assert len(m.get_all(once)) == 1, once
		types = [p.get_content_type() for p in parts]
		text = parts[0].get_content()
		status = parts[1].get_payload()
		body = [p.split(b'\r\n\r\n', 1)[-1][:-2] for p in raw.split(b'--' + m.get_boundary().encode())]
		quoted = body[3]
		blocks = quopri.decodestring(body[2]).decode().split('\r\n\r\n') # RFC 6533's types are not known to it
		for line in os.fdopen(3):
		    print(eval(line))
	P
	assertEquals 'the report can be parsed' 0 $?
}

test_a_mixed_verdict_becomes_a_report_octet_for_octet() {
	chain_envelope '<alice@example.net> ENVID=QQ314159+2B' 'RCPT TO:<bob@example.org>' \
		'RCPT TO:<carol@example.org> ORCPT=rfc822;Carol+2B@example.org' 'RCPT TO:<dave@example.org> NOTIFY=FAILURE,DELAY'
	printf '%s\n' '250 2.0.0 one' '550-5.1.1 No such user' '550 5.1.1 here' '452 4.2.2 Mailbox full' . >"$T/answer.1"
	chain_call bounce "$T/next"
	assertEquals 'exit code' 0 "$code"
	assert_verdict 'all are served' '250 2.0.0 one' "$REPORTED" "$REPORTED"
	assert_runs 'the message and the report' 2
	assert_envelope 'the report goes to the sender, and comes from nobody' 2 <<-'X'
		MAIL FROM:<>
		RCPT TO:<alice@example.net>
	X
	sed 's/$/\r/' >"$T/expected" <<-'X'
		Date: DATE
		From: Mail Delivery System <postmaster@test.example>
		To: <alice@example.net>
		Subject: Message not delivered to every recipient
		Message-ID: <ID@test.example>
		Auto-Submitted: auto-replied
		MIME-Version: 1.0
		Content-Type: multipart/report; report-type=delivery-status;
		 boundary="=_M.0"

		--=_M.0
		Content-Type: text/plain; charset=us-ascii

		This is the mail server test.example.

		Your message could not be delivered to these recipients.
		Nobody will try again. The last answer was:

		  <carol@example.org>
		    550 5.1.1 No such user
		    550 5.1.1 here

		Your message could not be delivered to these recipients.
		This server does not try again. If it is still wanted, please send it again later.
		The last answer was:

		  <dave@example.org>
		    452 4.2.2 Mailbox full

		It came at DATE and is M in our log.
		A report for programs follows, and then the message or its header.

		--=_M.0
		Content-Type: message/delivery-status

		Original-Envelope-Id: QQ314159+
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE

		Original-Recipient: rfc822; Carol+@example.org
		Final-Recipient: rfc822; carol@example.org
		Action: failed
		Status: 5.1.1
		Diagnostic-Code: smtp; 550 5.1.1 No such user
		 550 5.1.1 here

		Final-Recipient: rfc822; dave@example.org
		Action: failed
		Status: 4.2.2
		Diagnostic-Code: smtp; 452 4.2.2 Mailbox full

		--=_M.0
		Content-Type: text/rfc822-headers

		From: alice@example.net
		Subject: test

		--=_M.0--
	X
	masked <"$T/2.msg" >"$T/report"
	assert_same 'the report' "$T/expected" "$T/report"
	assert_logged '^bounce: S/M done report=[0-9a-z]\{14\} failed=2 reached=0 code=250 ms=[0-9]*$'
}

# Our own texts lose their advice for clients where a person reads them. What a server wrote stays, and so does each
# exact reply in the part for programs. Where the answer was temporary, the reader learns who may try again.
test_a_report_has_words_for_people_and_replies_for_programs() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' 'RCPT TO:<dave@example.org>'
	answers 1 '250 2.0.0 one' '451 4.4.1 Next server cannot be reached, try again later' \
		'450 4.7.1 Greylisted, try again later'
	chain_call bounce "$T/next"
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	printf '%s\n' '    451 4.4.1 Next server cannot be reached' '    450 4.7.1 Greylisted, try again later' \
		'Diagnostic-Code: smtp; 451 4.4.1 Next server cannot be reached, try again later' \
		'Diagnostic-Code: smtp; 450 4.7.1 Greylisted, try again later' >"$T/expected"
	tr -d '\r' <"$T/2.msg" | grep '^    4\|^Diag' >"$T/got"
	assert_same 'reasons' "$T/expected" "$T/got"
	tr -d '\r' <"$T/2.msg" >"$T/got"
	assertEquals 'who tries again' \
		'This server does not try again. If it is still wanted, please send it again later.' "$(grep 'try again\.' "$T/got")"
}

test_a_mime_parser_reads_it() {
	answers 1 '250 2.0.0 one' '550 No'
	chain_call bounce -f help@example.net "$T/next"
	parsed "$T/2.msg" >"$T/out" <<-'X'
		m.get_content_type(), m.get_param('report-type'), types
		str(m['From']), str(m['To'])
		[str(b[f]) for b in status for f in ('Reporting-MTA', 'Final-Recipient', 'Action', 'Status', 'Diagnostic-Code')]
		str(parts[2].get_payload())
		m.get_all('Content-Transfer-Encoding'), raw.isascii()
	X
	cat >"$T/expected" <<-'X'
		('multipart/report', 'delivery-status', ['text/plain', 'message/delivery-status', 'text/rfc822-headers'])
		('Mail Delivery System <help@example.net>', 'alice@example.net')
		['dns; test.example', 'None', 'None', 'None', 'None', 'None', 'rfc822; carol@example.org', 'failed', '5.0.0', 'smtp; 550 5.0.0 No']
	X
	head -n 3 "$T/out" >"$T/got"
	assert_same 'parsed' "$T/expected" "$T/got"
	assertEquals '(None, True)' "$(tail -n 1 "$T/out")"
}

test_a_uniform_verdict_passes_as_it_is() {
	for replies in '250 2.0.0 one|250 2.1.5 two' '550 5.1.1 one|551 5.1.6 two' '450 4.2.0 one|550 5.1.1 two'; do
		setUp
		first=${replies%|*} second=${replies#*|}
		answers 1 "$first" "$second"
		chain_call bounce "$T/next"
		assert_verdict "$replies" "$first" "$second"
		assert_runs "$replies" 1
		assertTrue 'the rest of the chain knew that results may differ' "grep -qx MSA_PARTIAL= $T/1.facts"
	done
}

test_notify_is_obeyed() {
	# notify | who is in the report
	while IFS='|' read -r notify named; do
		setUp
		chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' "RCPT TO:<carol@example.org>$notify"
		chain_call bounce "$T/next"
		assert_verdict "250 for all, $notify" '250 2.0.0 one' "$REPORTED"
		assert_runs "$notify" $((1 + ${#named} / 5))
		[ -z "$named" ] || assertEquals "$notify" "$named@example.org" \
			"$(sed -n 's/^Final-Recipient: rfc822; \(.*\)\r$/\1/p' "$T/2.msg")"
		[ -n "$named" ] || assert_logged \
			'^bounce: S/M untold code=550 rcpt=carol@example.org reason="No such user"$'
	done <<-'X'
		|carol
		 NOTIFY=FAILURE|carol
		 NOTIFY=DELAY,FAILURE|carol
		 NOTIFY=NEVER|
		 NOTIFY=SUCCESS|
		 NOTIFY=DELAY|
		 NOTIFY=SUCCESS,DELAY|
	X
}

test_there_is_no_report_about_a_report() {
	chain_envelope '<>' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS' 'RCPT TO:<carol@example.org> NOTIFY=SUCCESS,FAILURE'
	chain_call bounce "$T/next"
	assert_verdict 'accepted' '250 2.0.0 one' "$REPORTED"
	assert_runs 'no report' 1
	assert_logged 'untold code=550 rcpt=carol@example.org'
}

test_a_report_that_is_not_accepted_is_451_for_all() {
	for no in '550 5.1.1 no such sender' '451 4.3.0 later'; do
		setUp
		answers 2 "$no"
		chain_call bounce "$T/next"
		assert_verdict "$no" "$UNREPORTED" "$UNREPORTED"
		assert_logged "unreported report=[0-9a-z]* code=${no%% *}"
	done
	setUp
	echo nonsense >"$T/answer.2"
	chain_call bounce "$T/next"
	assert_verdict 'nonsense' "$UNREPORTED" "$UNREPORTED"
}

test_success_is_reported_where_the_next_hop_does_not() {
	for how in relayed delivered; do
		setUp
		chain_envelope '<alice@example.net> RET=FULL' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS' \
			'RCPT TO:<carol@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@example.org' 'RCPT TO:<dave@example.org>'
		answers 1 '250 2.0.0 one' '250 2.6.0 two' '250 three'
		if [ "$how" = relayed ]; then chain_call bounce "$T/next"; else chain_call bounce -d "$T/next"; fi
		assert_verdict "$how" '250 2.0.0 one' '250 2.6.0 two' '250 2.0.0 three'
		parsed "$T/2.msg" >"$T/out" <<-'X'
			str(m['Subject'])
			[str(b[f]) for b in status[1:] for f in ('Original-Recipient', 'Final-Recipient', 'Action', 'Status', 'Diagnostic-Code')]
			types[2]
		X
		{
			if [ "$how" = relayed ]; then echo 'Message handed on'; else echo 'Message delivered'; fi
			echo "['None', 'rfc822; bob@example.org', '$how', '2.0.0', 'None'," \
				"'rfc822; c@example.org', 'rfc822; carol@example.org', '$how', '2.6.0', 'None']"
			echo text/rfc822-headers # RFC 3461 4.3: RET is about failures
		} >"$T/expected"
		assert_same "$how" "$T/expected" "$T/out"
	done
}

test_a_report_of_success_that_is_refused_is_no_reason_to_send_again() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS'
	answers 1 '250 2.0.0 one'
	answers 2 '550 5.1.1 no such sender'
	chain_call bounce "$T/next"
	assert_verdict 'accepted' '250 2.0.0 one'
	assert_runs 'the report was tried' 2
	assert_logged 'unreported .* code=550'
	setUp
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS' 'RCPT TO:<carol@example.org> NOTIFY=NEVER'
	answers 2 '550 5.1.1 no such sender'
	chain_call bounce "$T/next"
	assert_verdict 'nobody asked about the one that failed' '250 2.0.0 one' "$REPORTED"
	assert_runs 'the report of the other was tried' 2
}

test_what_it_fulfils_it_removes_from_the_envelope() {
	chain_envelope '<alice@example.net> BODY=8BITMIME RET=HDRS ENVID=x MT-PRIORITY=3' \
		'RCPT TO:<bob@example.org> NOTIFY=NEVER ORCPT=rfc822;b@example.org' 'RCPT TO:<"c d"@example.org>' \
		'COPY TO:<log@example.net> NOTIFY=NEVER'
	answers 1 '250 2.0.0 one'
	chain_call bounce "$T/next"
	assert_envelope 'passed on' 1 <<-'X'
		MAIL FROM:<alice@example.net> BODY=8BITMIME MT-PRIORITY=3
		RCPT TO:<bob@example.org>
		RCPT TO:<"c d"@example.org>
		COPY TO:<log@example.net>
	X
	# One recipient, no report wanted: the next program takes its place, with the same envelope.
	setUp
	chain_envelope '<alice@example.net> ENVID=x' 'RCPT TO:<bob@example.org> NOTIFY=FAILURE'
	answers 1 '550 5.1.1 no'
	chain_call bounce "$T/next"
	assert_verdict 'one recipient' '550 5.1.1 no'
	assert_envelope 'one recipient' 1 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<bob@example.org>
	X
	assert_runs 'one recipient' 1
	# Only the second recipient asks for something.
	setUp
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<"c d"@example.org> NOTIFY=NEVER'
	answers 1 '250 2.0.0 one'
	chain_call bounce "$T/next"
	assert_envelope 'the second one' 1 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<bob@example.org>
		RCPT TO:<"c d"@example.org>
	X
}

test_a_next_hop_with_dsn_gets_all_and_reports_what_it_accepts() {
	chain_envelope '<alice@example.net> RET=HDRS ENVID=x' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS' \
		'RCPT TO:<carol@example.org> NOTIFY=SUCCESS,FAILURE'
	cp "$T/env" "$T/as-it-was"
	chain_call bounce -k "$(printf '%s\n' PIPELINING DSN)" "$T/next"
	assert_verdict 'what it refuses is ours' '250 2.0.0 one' "$REPORTED"
	assert_same 'envelope' "$T/as-it-was" "$T/1.env"
	assertEquals 'only the failure' carol@example.org "$(sed -n 's/^Final-Recipient: rfc822; \(.*\)\r$/\1/p' "$T/2.msg")"
}

test_where_the_client_takes_each_reply_failures_are_its_own() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS' 'RCPT TO:<carol@example.org>'
	chain_call MSA_PARTIAL= bounce "$T/next"
	assert_verdict 'as it is' '250 2.0.0 one' '550 5.1.1 No such user'
	assertEquals 'the success is reported' 'bob@example.org relayed' \
		"$(sed -n 's/^Final-Recipient: rfc822; \(.*\)\r$/\1/p; s/^Action: \(.*\)\r$/\1/p' "$T/2.msg" | paste -sd ' ')"
	setUp
	chain_call MSA_PARTIAL= bounce "$T/next"
	assert_runs 'no report' 1
}

test_whom_an_earlier_stage_refused_no_report_can_name() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' '550 5.7.1 Not to Carol' 'RCPT TO:<dave@example.org>'
	answers 1 '550 5.7.1 Not to Carol'
	chain_call bounce "$T/next"
	assert_verdict 'all or nothing' '550 5.7.1 Not to Carol'
	assertFalse 'so nobody is told that results may differ' "grep -q MSA_PARTIAL $T/1.facts"
	setUp
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS' '550 5.7.1 Not to Carol'
	answers 1 '250 2.0.0 one' '550 5.7.1 Not to Carol'
	chain_call bounce "$T/next"
	assert_verdict 'delivered all the same' "$UNREPORTED" "$UNREPORTED"
	assert_runs 'delivered all the same' 1
}

test_ret_full_gives_the_message_back() {
	chain_message 'Subject: =_M.0\r\n\r\n--=_M.0\r\n--=_M.1--\r\n.\r\nno end'
	chain_envelope '<alice@example.net> RET=FULL' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	chain_call bounce "$T/next"
	printf '%s\n' types[2] 'm.get_boundary()' 'quoted == open("'"$T"'/msg", "rb").read()' >"$T/ask"
	parsed "$T/2.msg" <"$T/ask" >"$T/out"
	printf '%s\n' message/rfc822 =_M.2 True >"$T/expected"
	assert_same 'whole, and its lines are no boundary' "$T/expected" "$T/out"
	size=$(wc -c <"$T/msg")
	: >"$T/out"
	for max in "$size" $((size - 1)) 15 0; do
		rm -f "$T"/[12].*
		chain_call bounce -q "$max" "$T/next"
		printf '%s\n' types[2] 'quoted' >"$T/ask"
		parsed "$T/2.msg" <"$T/ask" >"$T/parsed"
		paste -sd ' ' "$T/parsed" >>"$T/out"
	done
	cat >"$T/expected" <<-'X'
		message/rfc822 b'Subject: =_M.0\r\n\r\n--=_M.0\r\n--=_M.1--\r\n.\r\nno end'
		text/rfc822-headers b'Subject: =_M.0\r\n'
		text/rfc822-headers b''
		text/rfc822-headers b''
	X
	assert_same 'limits' "$T/expected" "$T/out"
}

test_the_limits_of_a_report_to_the_octet() {
	chain_envelope '<alice@example.net> RET=FULL' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	: >"$T/out"
	for size in 65536 65537; do # octets of a message that is given back whole
		rm -f "$T"/[12].*
		{
			printf 'Subject: x\r\n\r\n'
			yes "$(printf '%062d\r' 0)" | head -c $((size - 16))
			printf '\r\n'
		} >"$T/msg"
		assertEquals $size "$(wc -c <"$T/msg")"
		chain_call bounce "$T/next"
		echo 'types[2]' >"$T/ask"
		parsed "$T/2.msg" <"$T/ask" >>"$T/out"
	done
	rm -f "$T"/[12].*
	chain_message "Subject: \303\251$(text_repeat 300 x)\r\n\r\nx\r\n"
	answers 1 '250 one' "550 5.1.1 $(text_repeat 1500 y)"
	chain_call bounce "$T/next" # no line has more than 998 octets: see parsed
	printf '%s\n' 'max(map(len, quoted.split(b"\r\n")))' >"$T/ask"
	parsed "$T/2.msg" <"$T/ask" >>"$T/out"
	printf '%s\n' message/rfc822 text/rfc822-headers 76 >"$T/expected"
	assert_same 'limits' "$T/expected" "$T/out"
	assertEquals 'of the reply' 900 "$(grep -o 'y*' "$T/2.msg" | awk 'length($0) > most { most = length($0) } END { print most }')"
}

test_eight_bits() {
	# mail parameters | header | body | type, encoding, the report's MAIL parameters
	while IFS='|' read -r mail header body expected; do
		setUp
		chain_message "Subject: $header\\r\\n\\r\\n$body\\r\\n"
		chain_envelope "<alice@example.net>$mail" 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
		chain_call bounce "$T/next"
		printf '%s\n' 'types[2], parts[2]["Content-Transfer-Encoding"], raw.isascii()' >"$T/ask"
		parsed "$T/2.msg" <"$T/ask" >"$T/out"
		sed -n '1s/.*>/MAIL/p' "$T/2.env" >>"$T/out"
		assertEquals "$mail $header $body" "$expected" "$(paste -sd ' ' "$T/out")"
	done <<-'X'
		 RET=FULL|x|plain|('message/rfc822', None, True) MAIL
		 RET=FULL BODY=8BITMIME|x|\303\251|('message/rfc822', '8bit', False) MAIL BODY=8BITMIME
		 RET=FULL|x|\303\251|('text/rfc822-headers', None, True) MAIL
		|\303\251|\303\251|('text/rfc822-headers', 'quoted-printable', True) MAIL
		 BODY=8BITMIME|\303\251|\303\251|('text/rfc822-headers', 'quoted-printable', True) MAIL
		 RET=FULL BODY=8BITMIME|x|\303\251bare\nlf|('text/rfc822-headers', None, True) MAIL
		 RET=FULL BODY=BINARYMIME|x|\303\251|('text/rfc822-headers', None, True) MAIL
		 RET=FULL SMTPUTF8 BODY=BINARYMIME|\303\251|\303\251|('message/global-headers', 'quoted-printable', True) MAIL
		 RET=FULL SMTPUTF8|\303\251|\303\251|('message/global', 'quoted-printable', True) MAIL
		 SMTPUTF8|x|\303\251|('message/global-headers', None, True) MAIL
	X
}

test_utf_8_addresses_take_the_forms_of_rfc_6533() {
	chain_message 'Subject: gr\303\274n = \303\251  \r\n\r\nx\r\n'
	chain_envelope '<älice@exämple.net> SMTPUTF8' 'RCPT TO:<bob@example.org>' \
		'RCPT TO:<çarol@example.org> ORCPT=utf-8;ç@example.org' 'RCPT TO:<dave@example.org>'
	answers 1 '250 one' '550 5.1.1 No' '550 5.1.1 No'
	chain_call bounce "$T/next"
	assert_envelope 'the report' 2 <<-'X'
		MAIL FROM:<> SMTPUTF8
		RCPT TO:<älice@exämple.net>
	X
	parsed "$T/2.msg" >"$T/out" <<-'X'
		m.get_param('report-type'), types
		parts[0].get_content_charset(), '<çarol@example.org>' in text
		blocks[1].split('\r\n')[:4]
		blocks[2].split('\r\n')[0]
		quoted
	X
	cat >"$T/expected" <<-'X'
		('global-delivery-status', ['text/plain', 'message/global-delivery-status', 'message/global-headers'])
		('utf-8', True)
		['Original-Recipient: utf-8; ç@example.org', 'Final-Recipient: utf-8; çarol@example.org', 'Action: failed', 'Status: 5.1.1']
		Final-Recipient: rfc822; dave@example.org
		b'Subject: gr=C3=BCn =3D =C3=A9 =20\r\n'
	X
	assert_same 'the report' "$T/expected" "$T/out"
	assertEquals 'only To is in UTF-8' 'To: <älice@exämple.net>' "$(LC_ALL=C grep '[^ -~]' "$T/2.msg" | tr -d '\r' | grep '[^ -~]')"
}

test_what_a_client_or_a_server_writes_stays_in_its_field() {
	chain_envelope '<alice@example.net> ENVID=a+0D+0AFinal-Recipient:+20rfc822;+20x+00+7F+E9+zz' 'RCPT TO:<bob@example.org>' \
		'RCPT TO:<carol@example.org> ORCPT=rfc822;c+0D+0A+0D+0Ax' 'RCPT TO:<"c\"d >"@example.org>'
	{
		echo '250 one'
		printf '550-5.1.1 \001\303\251\t\n550-\n550 5.1.1 %s\n' "$(printf '%03000d' 0)"
		echo '554 no'
		echo .
	} >"$T/answer.1"
	chain_call bounce "$T/next"
	parsed "$T/2.msg" >"$T/out" <<-'X'
		[b.keys() for b in status]
		str(status[0]['Original-Envelope-Id'])
		str(status[1]['Original-Recipient'])
		str(status[2]['Final-Recipient'])
		status[1]['Diagnostic-Code'].replace('0', '').replace('\n', '')
	X
	cat >"$T/expected" <<-'X'
		[['Original-Envelope-Id', 'Reporting-MTA', 'Arrival-Date'], ['Original-Recipient', 'Final-Recipient', 'Action', 'Status', 'Diagnostic-Code'], ['Final-Recipient', 'Action', 'Status', 'Diagnostic-Code']]
		a??Final-Recipient: rfc822; x???+zz
		rfc822; c????x
		rfc822; "c\"d >"@example.org
	X
	head -n 4 "$T/out" >"$T/got"
	assert_same 'fields' "$T/expected" "$T/got"
	assertTrue 'the reply is cut' "[ $(grep -c . "$T/2.msg") -gt 20 ] && [ $(wc -c <"$T/2.msg") -lt 5000 ]"
}

test_the_report_is_no_submission_of_the_client() {
	chain_call SMTPAUTHUSER=alice SMTPAUTHMETHOD=PLAIN RELAYCLIENT= TCPREMOTEIP=192.0.2.1 SSL_PROTOCOL=TLSv1.3 MSA_VERB=EHLO \
		MSA_HELO=x MSA_X_SITE=1 bounce "$T/next"
	sed -i 's/^MSA_DEADLINE=.*/MSA_DEADLINE/; s/^MSA_MESSAGE=.*/MSA_MESSAGE/' "$T/2.facts"
	printf '%s\n' MSA_DEADLINE MSA_HOST=test.example MSA_MESSAGE MSA_RCPTS=1 MSA_SESSION=S MSA_X_SITE=1 >"$T/expected"
	assert_same 'facts of the report' "$T/expected" "$T/2.facts"
	assertTrue 'those of the message are the client'\''s' "grep -qx SMTPAUTHUSER=alice $T/1.facts"
}

test_time_is_left_for_the_report_and_the_answer() {
	now=$(date +%s)
	chain_call MSA_DEADLINE=$((now + 100)) bounce "$T/next"
	first=$(sed -n 's/^MSA_DEADLINE=//p' "$T/1.facts")
	second=$(sed -n 's/^MSA_DEADLINE=//p' "$T/2.facts")
	assertTrue "message $((first - now))" "[ $first -ge $((now + 60)) ] && [ $first -le $((now + 78)) ]"
	assertTrue "report $((second - now))" "[ $second -gt $((first + 15)) ] && [ $second -le $((now + 98)) ]"
	# A chain that does not answer is ended.
	printf '#!/bin/sh\nexec sleep 30\n' >"$T/slow"
	chmod 755 "$T/slow"
	now=$(date +%s)
	chain_call MSA_DEADLINE=$((now + 3)) bounce "$T/slow"
	assert_verdict 'late' '451 4.4.7 No answer in time, try again later' '451 4.4.7 No answer in time, try again later'
	assertTrue 'not after half a minute' "[ $(date +%s) -lt $((now + 25)) ]"
}

test_misuse_is_451() {
	rcpts=3
	chain_call bounce "$T/next"
	assertEquals 111 "$code"
	assert_verdict 'MSA_RCPTS' '451 4.3.0 Local error, try again later'
	assert_logged 'misuse reason="MSA_RCPTS is not the number of recipients"'
	rcpts=2
	for options in '' '-q x next' '-f nobody next'; do
		# shellcheck disable=SC2086
		chain_call bounce $options
		assertEquals "$options" 111 "$code"
		assert_verdict "$options" '451 4.3.0 Local error, try again later'
	done
	chain_call bounce "$T/none"
	assert_verdict 'no such program' '451 4.3.0 Local error, try again later' '451 4.3.0 Local error, try again later'
	bounce "$T/next" <"$T/msg" >"$T/out" 2>"$T/log"
	assertEquals 'not in a chain' 100 $?
	assertEquals 'nothing was run' 0 "$(find "$T" -maxdepth 1 -name '[0-9].env' | wc -l)"
}

test_resident() {
	: >"$T/ready"
	bounce -l "$T/b" -R 5 "$T/next" 5>"$T/ready" 2>"$T/b.log" </dev/null &
	resident=$!
	wait_until [ -s "$T/ready" ]
	for i in 1 2 3; do
		rm -f "$T"/[12].*
		chain_call call "$T/b"
		assert_verdict "call $i" '250 2.0.0 one' "$REPORTED"
		assertTrue "report $i" "grep -q '^Final-Recipient: rfc822; carol@example.org' $T/2.msg"
		rm -f "$T"/[12].*
		chain_call bounce call "$T/b" # one in front of another: it has the say
		assert_verdict "called $i" '250 2.0.0 one' "$REPORTED"
		assert_logged ' done report='
	done
	assertEquals 'by the resident' 3 "$(grep -c ' done report=' "$T/b.log")"
	assertEquals 'passed by it' 6 "$(grep -c ' done$' "$T/b.log")" # and the reports of the one in front
	kill "$resident"
	wait "$resident"
}

test_an_smtp_client_hears_250() {
	cat >"$T/script" <<-'X'
		> EHLO client.example
		> MAIL FROM:<alice@example.net> RET=HDRS
		> RCPT TO:<bob@example.org> NOTIFY=FAILURE
		> RCPT TO:<carol@example.org>
		> DATA
		> Subject: x
		> .
		> QUIT
		<<
	X
	RELAYCLIENT='' MSA_HOST=test.example MSA_EHLO=8BITMIME,DSN talk submitd bounce "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	assertEquals '250 2.0.0 Ok, message ID' "$(grep message "$T/out" | sed 's/ [^ ]*$/ ID/')"
	assertTrue 'reported' "grep -q '^Final-Recipient: rfc822; carol@example.org' $T/2.msg"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
