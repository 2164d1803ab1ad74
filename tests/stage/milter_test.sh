#!/bin/sh
# milter(8): what a milter hears, and what its answers make of the message. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

LOCAL='451 4.3.0 Local error, try again later'

oneTimeSetUp() {
	# What it is given goes to $T/out, $T/out.env and $T/out.n; each recipient's answer is $T/answer or a 250.
	program_make next <<-X
		#!/bin/sh
		cat >"$T/out"
		cat <&3 >"$T/out.env"
		echo "\$MSA_RCPTS" >"$T/out.n"
		cat "$T/answer" 2>/dev/null || echo '250 2.0.0 taken'
		echo .
	X
	mkdir "$T/mail"
	server_pid=
}

setUp() {
	chain_message 'From: alice@example.net\r\nSubject: x\r\n folded\r\n\r\nbody\r\n.dot\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	rm -f "$T"/out* "$T/heard" "$T/answer"
}

tearDown() {
	resident_stop_all
	milter_stop
	rm -f "$T"/*.log
}

# A milter with these options and rules. usage: milter_start [option ...] [rule ...]
milter_start() {
	milter_stop
	rm -f "$T/s" "$T/address" "$T/heard"
	milterd -u "$T/s" -r "$T/heard" "$@" >"$T/address" 2>"$T/milterd.err" &
	server_pid=$!
	wait_until [ -s "$T/address" ]
}

milter_stop() {
	[ -z "$server_pid" ] || { kill "$server_pid"; wait "$server_pid"; } 2>/dev/null
	server_pid=
}

# Give the message to the stage, in front of next. usage: passed [option ...]
passed() {
	rm -f "$T"/out*
	chain_call milter "$@" "$T/s" "$T/next"
}

# With these answers at the end. usage: changed answers [rule ...]
changed() {
	answers=$1
	shift
	milter_start "$@" "E=$answers|c"
	passed
}

# usage: assert_as_it_was what
assert_as_it_was() {
	assert_verdict "$1" '250 2.0.0 taken'
	assertTrue "$1: message" "cmp $T/msg $T/out"
	assertTrue "$1: envelope" "cmp $T/env $T/out.env"
}

# usage: assert_refused what reply ...
assert_refused() {
	what=$1
	shift
	assert_verdict "$what" "$@"
	assertFalse "$what: handed on" "[ -e $T/out ]"
}

# The message handed on, without CR, is standard input. usage: assert_message what
assert_message() {
	cat >"$T/want"
	assertEquals "$1: each line ends with CRLF" "$(wc -l <"$T/out")" "$(grep -c "$(printf '\r')\$" "$T/out")"
	tr -d '\r' <"$T/out" >"$T/got"
	assert_same "$1" "$T/want" "$T/got"
}

# usage: assert_envelope what line ...
assert_envelope() {
	what=$1
	shift
	printf '%s\n' "$@" >"$T/want"
	assert_same "$what" "$T/want" "$T/out.env"
}

test_the_milter_hears_the_session_and_the_message() {
	milter_start
	chain_envelope '<alice@example.net> BODY=8BITMIME SIZE' 'RCPT TO:<bob@example.org> NOTIFY=NEVER'
	chain_call SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_256_GCM_SHA384 SSL_CIPHER_USEKEYSIZE=256 SMTPAUTHUSER=alice \
		SMTPAUTHMETHOD=PLAIN TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=258 TCPREMOTEHOST=c.example TCPLOCALIP=192.0.2.9 \
		MSA_HELO=helo.example milter "$T/s" "$T/next"
	assert_as_it_was 'without an objection'
	sed 's/ucspi-msa [0-9.]*/VERSION/; s/\\x00/|/g' "$T/heard" >"$T/got"
	assert_got 'the packets' <<-'X'
		O |||\x06||\x01\xff|\x1f\xf7\xff
		D C{client_addr}|192.0.2.1|{client_port}|258|{daemon_addr}|192.0.2.9|j|test.example|v|VERSION|_|c.example [192.0.2.1]|{daemon_name}|ORIGINATING|{client_name}|c.example|{client_ptr}|c.example|
		C c.example|4\x01\x02192.0.2.1|
		D H{tls_version}|TLSv1.3|{cipher}|TLS_AES_256_GCM_SHA384|{cipher_bits}|256|
		H helo.example|
		D M{auth_type}|PLAIN|{auth_authen}|alice|i|M|{mail_addr}|alice@example.net|{mail_host}|example.net|{mail_mailer}|smtp|
		M <alice@example.net>|BODY=8BITMIME|SIZE|
		D Ri|M|{rcpt_addr}|bob@example.org|{rcpt_host}|example.org|{rcpt_mailer}|smtp|
		R <bob@example.org>|NOTIFY=NEVER|
		D Ti|M|
		T 
		L From|alice@example.net|
		L Subject|x\n folded|
		D Ni|M|
		N 
		B body\r\n.dot\r\n
		D Ei|M|
		E 
		Q 
	X
}

test_without_a_client_it_is_localhost() {
	milter_start
	chain_envelope '<>' 'RCPT TO:<bob@example.org>'
	passed -D LOCAL
	assertEquals 'C localhost|4||127.0.0.1|' "$(sed -n 's/\\x00/|/g; /^C/p' "$T/heard")"
	assertEquals 'no HELO, and MAIL without an address' 'M <>|' "$(sed -n 's/\\x00/|/g; /^[HM]/p' "$T/heard")"
	assertContains "$(cat "$T/heard")" '{daemon_name}\x00LOCAL'
	milter_start
	chain_call TCPREMOTEIP=2001:db8::1 milter "$T/s" "$T/next"
	assertEquals 'C unknown|6||IPv6:2001:db8::1|' "$(sed -n 's/\\x00/|/g; /^C/p' "$T/heard")"
}

test_what_the_milter_does_not_want_is_not_said() {
	milter_start -s 0x27f
	passed
	assert_as_it_was 'all steps off'
	assertEquals 'ODEQ' "$(cut -c1 "$T/heard" | tr -d '\n')"
	for step in 1:C 2:H 4:M 8:R 16:B 32:L 64:N 512:T; do
		milter_start -s "${step%:*}"
		chain_call MSA_HELO=x milter "$T/s" "$T/next"
		assert_as_it_was "$step"
		assertEquals "without ${step#*:}" "$(echo OCHMRTLLNBEQ | tr -d "${step#*:}")" "$(cut -c1 "$T/heard" | tr -d 'D\n')"
	done
}

test_answers_that_do_not_come_are_not_awaited() {
	milter_start -s 0xdf080
	passed
	assert_as_it_was 'no replies'
	milter_start -s 0xdf080 'E=r'
	passed
	assert_refused 'but the last one' '550 5.7.1 Refused by site policy'
}

test_the_macros_are_those_that_the_milter_asks_for() {
	milter_start -m '0={client_addr}' -m '2=i {j}' -m 4=
	chain_call TCPREMOTEIP=192.0.2.1 SMTPAUTHUSER=alice milter "$T/s" "$T/next"
	assertEquals 'D C{client_addr}|192.0.2.1|' "$(sed -n 's/\\x00/|/g; /^D C/p' "$T/heard")"
	assertEquals 'D Mi|M|j|test.example|' "$(sed -n 's/\\x00/|/g; /^D M/p' "$T/heard")"
	assertEquals 'none' '' "$(grep '^D T' "$T/heard")"
	assertContains 'the usual ones elsewhere' "$(cat "$T/heard")" 'D Ri\x00M'
}

test_leading_space_is_kept_where_the_milter_wants_it() {
	chain_message 'A:no space\r\nB:  two\r\nC:\ttab\r\nD:\r\n\r\n'
	milter_start
	passed
	assertEquals 'L A|no space|L B| two|L C|tab|L D||' "$(sed -n 's/\\x00/|/g; /^L/p' "$T/heard" | tr -d '\n')"
	milter_start -s 0x100000 'E=hX\0 y\0|hZ\0none\0|c'
	passed
	assertEquals 'L A|no space|L B|  two|L C|\ttab|L D||' "$(sed -n 's/\\x00/|/g; /^L/p' "$T/heard" | tr -d '\n')"
	assertEquals 'and is the milters' 'X: y|Z:none|' "$(sed -n '/^[XZ]/p' "$T/out" | tr -d '\r' | tr '\n' '|')"
}

test_a_large_body_comes_in_chunks() {
	{ printf 'Subject: x\r\n\r\n' && text_random 150000 | base64 -w 70 | sed 's/$/\r/'; } >"$T/msg"
	size=$(($(wc -c <"$T/msg") - 14))
	milter_start
	passed
	assert_as_it_was 'a large body'
	assertEquals "B 65535|B 65535|B 65535|B $((size - 3 * 65535))|" "$(grep ^B "$T/heard" | tr '\n' '|')"
	milter_start -s 0x400 'B=s'
	passed
	assert_as_it_was 'a body that is skipped'
	assertEquals 'B 65535' "$(grep ^B "$T/heard")"
	assertContains "$(cut -c1 "$T/heard" | tr -d '\n')" 'BDEQ'
}

# A milter that answers a step so is a refusal with this reply. usage: refused_at step answer reply
refused_at() {
	milter_start "$1=$2"
	chain_call MSA_HELO=x milter "$T/s" "$T/next"
	printf '%s\n' "$3" | tr '|' '\n' >"$T/expected"
	echo . >>"$T/expected"
	assert_same "$1 $2" "$T/expected" "$T/verdict"
	assertFalse "$1: handed on" "[ -e $T/out ]"
}

test_a_refusal_at_each_step_is_the_verdict() {
	for step in C H M T L N B E; do
		refused_at "$step" r '550 5.7.1 Refused by site policy'
		refused_at "$step" 'y452 4.3.1 Full\0' '452 4.3.1 Full'
	done
	refused_at M t '451 4.7.1 Refused by site policy for now, try again later'
	refused_at E f '451 4.7.1 Refused by site policy for now, try again later'
	refused_at M 'y550 5.7.1 No %s\0' '550 5.7.1 No %s'
	refused_at M 'y550 5.7.1 100%% of http://x.example/%%20 %\0' '550 5.7.1 100% of http://x.example/%20 %'
	refused_at E 'y550-5.7.1 One\r\n550 5.7.1 Two\0' '550-5.7.1 One|550 5.7.1 Two'
	assert_logged '^milter: S/M refused to=.*/s reply="550 5.7.1 One'
}

test_accept_ends_the_conversation() {
	for step in C H M R T L N B; do
		milter_start "$step=a"
		chain_call MSA_HELO=x milter "$T/s" "$T/next"
		assert_as_it_was "$step"
		assertContains "$step" "$(cut -c1 "$T/heard" | tr -d '\n')" "${step}AQ"
	done
	milter_start 'E=hX-A\0b\0|a'
	passed
	assertEquals 'at the end its changes count' 'X-A: b' "$(grep X-A "$T/out" | tr -d '\r')"
}

test_a_refused_recipient_is_refused_alone() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' '550 5.1.1 Before' 'RCPT TO:<b@example.org>' 'RCPT TO:<c@example.org>' \
		'COPY TO:<d@example.org>'
	milter_start 'R#1=y550-5.7.1 Not\r\n550 5.7.1 you\0' 'R#3=t'
	passed
	assert_envelope 'replies in their places' 'MAIL FROM:<alice@example.net>' '550 5.7.1 Not you' '550 5.1.1 Before' 'RCPT TO:<b@example.org>' \
		'451 4.7.1 Refused by site policy for now, try again later' 'COPY TO:<d@example.org>'
	assertTrue 'the message' "cmp $T/msg $T/out"
	assert_logged 'done to=.* refused=2'
	milter_start 'R#1=r' 'R#2=t' 'R#3=y550 5.1.1 Third\0'
	passed
	assert_refused 'nobody is left' '550 5.7.1 Refused by site policy' '550 5.1.1 Before' \
		'451 4.7.1 Refused by site policy for now, try again later' '550 5.1.1 Third'
	assertEquals 'and the milter hears no text' '' "$(grep '^[TLB]' "$T/heard")"
	milter_start 'R#2=r' 'R#3=a'
	passed
	assert_envelope 'accept at a recipient' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<a@example.org>' '550 5.1.1 Before' '550 5.7.1 Refused by site policy' \
		'RCPT TO:<c@example.org>' 'COPY TO:<d@example.org>'
}

test_discard_is_250_and_nothing_is_delivered() {
	for step in M R L E; do
		milter_start "$step=d"
		passed
		assert_refused "$step" '250 2.0.0 Ok'
		assert_logged '^milter: S/M discarded '
		milter_start "$step=d"
		passed -d refuse
		assert_refused "$step, with -d refuse" '550 5.7.0 Refused by site policy'
	done
}

test_header_fields_are_added_inserted_changed_and_removed() {
	chain_message 'A: 1\r\nB: 2\r\nX: one\r\nX: two\r\n\tmore\r\nX: three\r\n\r\nbody\r\n'
	changed 'hZ\0last\0|i\0\0\0\0T\0top\0|i\0\0\0\2N\0after A\0|i\0\0\1\0F\0far\0'
	assert_message 'added and inserted' <<-X
		T: top
		A: 1
		N: after A
		B: 2
		X: one
		X: two
		$(printf '\t')more
		X: three
		Z: last
		F: far

		body
	X
	changed 'm\0\0\0\2x\0second\n now\0|m\0\0\0\1X\0\0|m\0\0\0\3X\0\0|m\0\0\0\4X\0fourth\0|m\0\0\0\1Q\0\0|m\0\0\0\1Y\0new\0'
	assert_message 'changed and removed, with the numbers that the milter saw' <<-X
		A: 1
		B: 2
		x: second
		 now
		X: fourth
		Y: new

		body
	X
	changed 'hA\0a\r\n b\n\tc\r\n\0|hB\0\0|hC\0\n\0'
	assert_message 'line ends of any kind' <<-X
		A: 1
		B: 2
		X: one
		X: two
		$(printf '\t')more
		X: three
		A: a
		 b
		$(printf '\tc')
		B: 
		C: 

		body
	X
}

test_the_body_is_replaced() {
	changed 'bone\r\ntwo|b\nthree\rfour\r|b\nfive\n|bsix'
	assert_message 'lines ended by CRLF' <<-X
		From: alice@example.net
		Subject: x
		 folded

		one
		two
		three
		four
		five
		six
	X
	changed 'b'
	assert_message 'an empty body' <<-X
		From: alice@example.net
		Subject: x
		 folded

	X
	changed 'many:300:bxxxxxxxxxx\r\n'
	assertEquals 'a body in many parts' 300 "$(grep -c '^xxxxxxxxxx' "$T/out")"
	assert_logged 'body=replaced'
	milter_start 'E=size:60000:b|size:60000:b|c'
	rm -f "$T"/out*
	chain_call DATABYTES=100000 milter "$T/s" "$T/next"
	assert_refused 'a body over DATABYTES' "$LOCAL"
	assert_logged 'reason="too large a body"'
}

test_the_sender_is_changed() {
	chain_envelope '<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>'
	changed 'e<new@Example.NET>\0SIZE=1\0'
	assert_envelope 'another sender' 'MAIL FROM:<new@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>'
	changed 'e<>\0'
	assert_envelope 'the null sender' 'MAIL FROM:<> BODY=8BITMIME' 'RCPT TO:<bob@example.org>'
	changed 'enew@example.net\0'
	assert_envelope 'without brackets' 'MAIL FROM:<new@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>'
}

test_added_recipients_are_copies() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' '550 5.1.1 No' 'COPY TO:<old@example.org>'
	changed '+<new@example.org>\0|2<par@example.org>\0NOTIFY=NEVER\0|+<bob@example.org>\0|+<old@example.org>\0|+<new@example.org>\0'
	assert_envelope 'once each' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' '550 5.1.1 No' 'COPY TO:<old@example.org>' \
		'COPY TO:<new@example.org>' 'COPY TO:<par@example.org>'
}

test_removed_recipients_get_250_and_no_mail() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' '550 5.1.1 No' 'RCPT TO:<c@example.org>'
	printf '250 2.0.0 a\n550 5.1.1 No\n452 4.2.2 c\n' >"$T/answer"
	changed '-<b@example.org>\0|-<nobody@example.org>\0'
	assert_verdict 'in the order of the envelope' '250 2.0.0 a' '250 2.0.0 Ok' '550 5.1.1 No' '452 4.2.2 c'
	assert_envelope 'the others' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<a@example.org>' '550 5.1.1 No' 'RCPT TO:<c@example.org>'
	assertEquals 3 "$(cat "$T/out.n")"
	assert_logged 'removed=1'
	milter_start 'E=-<b@example.org>\0|c'
	printf '250 2.0.0 a\n550 5.7.1 b\n550 5.1.1 No\n452 4.2.2 c\n' >"$T/answer"
	passed -d refuse
	assert_envelope 'with -d refuse a reply' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<a@example.org>' '550 5.7.1 Refused by site policy' \
		'550 5.1.1 No' 'RCPT TO:<c@example.org>'
}

test_who_is_replaced_has_the_result_of_the_others() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' 'COPY TO:<old@example.org>'
	printf '250 2.0.0 a\n452 4.2.2 x\n' >"$T/answer"
	changed '-<b@example.org>\0|+<x@example.org>\0'
	assert_envelope 'a recipient, not a copy' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<x@example.org>' \
		'COPY TO:<old@example.org>'
	assertEquals 2 "$(cat "$T/out.n")"
	assert_verdict 'not lost' '250 2.0.0 a' '452 4.2.2 x'
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	printf '250 2.0.0 x\n452 4.2.2 y\n' >"$T/answer"
	changed '-<a@example.org>\0|-<b@example.org>\0|+<x@example.org>\0|+<y@example.org>\0'
	assert_envelope 'nobody stays' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<x@example.org>' 'RCPT TO:<y@example.org>'
	assert_verdict 'the worst counts' '452 4.2.2 y' '452 4.2.2 y'
}

# The next stages must see the refusal: without MSA_PARTIAL they deliver to all or to nobody.
test_a_refusal_stays_where_others_are_replaced() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' '550 5.1.1 No' 'RCPT TO:<b@example.org>'
	printf '550 5.1.1 No\n250 2.0.0 x\n250 2.0.0 y\n' >"$T/answer"
	changed '-<a@example.org>\0|-<b@example.org>\0|+<x@example.org>\0|+<y@example.org>\0'
	assert_envelope 'in the envelope' 'MAIL FROM:<alice@example.net>' '550 5.1.1 No' 'RCPT TO:<x@example.org>' 'RCPT TO:<y@example.org>'
	assertEquals 3 "$(cat "$T/out.n")"
	assert_verdict 'in the verdict' '250 2.0.0 Ok' '550 5.1.1 No' '250 2.0.0 Ok'
}

test_who_is_removed_hears_why_nobody_else_got_the_message() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	printf '550 5.1.1 a\n' >"$T/answer"
	changed '-<b@example.org>\0'
	assert_verdict 'one reply for all' '550 5.1.1 a' '550 5.1.1 a'
	MSA_PARTIAL=1 changed '-<b@example.org>\0'
	assert_verdict 'each has its own' '550 5.1.1 a' '250 2.0.0 Ok'
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' '550 5.1.1 No'
	changed '-<a@example.org>\0'
	assert_refused 'nobody is left' '550 5.1.1 No' '550 5.1.1 No'
}

test_a_copy_decides_no_reply_of_removed_recipients() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'COPY TO:<archive@example.org>'
	printf '550 5.1.1 archive\n' >"$T/answer"
	changed '-<a@example.org>\0'
	assert_envelope 'the copy is made' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<archive@example.org>'
	assert_verdict 'removed' '250 2.0.0 Ok'
}

test_quarantine() {
	milter_start -n 3 'E=qSmells of\nfish\0|c'
	passed
	assert_refused 'usually 451' "$LOCAL"
	assert_logged 'quarantined to=.* quarantine="Smells of?fish"'
	passed -q refuse
	assert_refused 'refuse' '550 5.7.0 Refused by site policy'
	passed -q header
	assertEquals 'header' 'X-Milter-Quarantine: Smells of?fish' "$(grep ^X- "$T/out" | tr -d '\r')"
}

test_the_field_of_a_quarantine_has_a_space_whatever_the_milter_wants() {
	milter_start -s 0x100000 'E=q\0|c'
	passed -q header
	assertEquals 'X-Milter-Quarantine: yes' "$(grep ^X- "$T/out" | tr -d '\r')"
}

test_progress_is_patience() {
	milter_start 'M=p|p|c' 'E=many:1000:p|hX-A\0b\0|p|c'
	passed
	assertEquals 'X-A: b' "$(grep X-A "$T/out" | tr -d '\r')"
}

# A milter that does not answer well is 451; with -p the message passes as it is. usage: trouble what reason option-or-rule ...
trouble() {
	what=$1 reason=$2
	shift 2
	milter_start -n 2 "$@"
	chain_call MSA_HELO=x milter -t 3 "$T/s" "$T/next"
	assert_refused "$what" "$LOCAL"
	assert_logged "^milter: S/M failed to=.*/s reason=\"*$reason"
	rm -f "$T"/out*
	chain_call MSA_HELO=x milter -p -t 3 "$T/s" "$T/next"
	assert_as_it_was "$what, with -p"
	assert_logged 'passed=yes'
	rm -f "$T"/out*
}

test_a_milter_that_dies_or_garbles_at_each_step() {
	for step in O C H M R T L N B E; do
		trouble "$step: half a packet" 'connection closed' "$step=raw:\\0\\0\\0\\5c|close"
		trouble "$step: no packet" 'a packet that is empty or too long' "$step=raw:HTTP/1.1 400\\r\\n"
	done
	trouble 'dies' '' M=close
	trouble 'an empty packet' 'a packet that is empty or too long' 'E=raw:\0\0\0\0'
	for step in C R B; do
		trouble "$step: a change too early" 'an answer that does not belong there' "$step=hX\\0y\\0"
		trouble "$step: skip without agreement" 'skip, which was not agreed on' "$step=s"
	done
	trouble 'skip in the header' 'an answer that does not belong there' -s 0x400 'L=s'
	trouble 'skip at the end' 'an answer that does not belong there' -s 0x400 'E=s'
	trouble 'a letter that does not exist' 'an answer that does not belong there' 'M=\0'
}

test_a_milter_that_stalls() {
	trouble 'options' 'no answer until the deadline' 'O=stall'
	trouble 'the end' 'no answer until the deadline' 'E=hX\0y\0|stall'
	trouble 'no answer' 'no answer until the deadline' 'B=nothing'
	milter_start 'M=stall'
	chain_call MSA_DEADLINE=$(($(date +%s) + 2)) milter "$T/s" "$T/next"
	assert_refused "the chain's deadline" "$LOCAL"
}

test_a_milter_that_never_ends() {
	# A million packets, or all the time that there is: whichever comes first on this machine.
	trouble 'progress' '\(too many packets\|no answer until the deadline\)' 'E=flood:\0\0\0\1p'
	trouble 'fields' 'too many header fields' 'E=many:10001:hX\0y\0'
	trouble 'octets of fields' 'too much to add to the header' "E=many:9000:hX\\0$(text_repeat 120 y)\\0"
}

test_options_that_were_not_offered() {
	trouble 'a version' 'another version of the protocol' -v 7
	trouble 'an old version' 'another version of the protocol' -v 1
	trouble 'an action' 'wants actions that were not offered' -a 0x200
	trouble 'a step' 'wants steps that were not offered' -s 0x200000
	trouble 'refused recipients' 'wants steps that were not offered' -s 0x800
	trouble 'macros' 'an invalid list of macros' 'O=O\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\0j'
	trouble 'short' 'not a milter: no options' 'O=O\0\0\0\6\0\0\0'
	trouble 'another answer' 'not a milter: no options' 'O=c'
	for change in 'hX\0y\0' 'i\0\0\0\0X\0y\0' 'm\0\0\0\1X\0y\0' 'bx' 'e<>\0' '+<x@example.org>\0' '2<x@example.org>\0' '-<x@example.org>\0' 'qx\0'; do
		trouble "$change" 'a change that was not agreed on' -a 0 "E=$change|c"
	done
}

test_changes_that_are_invalid() {
	trouble 'a name' 'a header field with an invalid name' 'E=hX Y\0z\0|c'
	trouble 'an empty name' 'a header field with an invalid name' 'E=h\0z\0|c'
	trouble 'a name that is a value' 'a header field with an invalid name' 'E=m\0\0\0\1X:\0z\0|c'
	trouble 'another field' 'a header field with a line that does not continue it' 'E=hX\0a\nBcc: z\0|c'
	trouble 'the end of the header' 'a header field with a line that does not continue it' 'E=hX\0a\n\n b\0|c'
	trouble 'a line of blanks' 'a header field with a line that does not continue it' 'E=hX\0a\n \n b\0|c'
	trouble 'no value' 'a change without its parts' 'E=hX\0|c'
	trouble 'no NUL' 'a change without its parts' 'E=hX\0y|c'
	trouble 'no number' 'a change without its parts' 'E=m\0\0\1|c'
	trouble 'no address' 'a change without its parts' 'E=+|c'
	trouble 'an address' 'an invalid address' 'E=+<x>\0|c'
	trouble 'two addresses' 'an invalid address' 'E=+<x@example.org> <y@example.org>\0|c'
	trouble 'a line of the envelope' 'an invalid address' 'E=+<x@example.org>\nRCPT TO:<y@example.org>\0|c'
	trouble 'nobody' 'an invalid address' 'E=+<>\0|c'
	trouble 'a sender' 'an invalid address' 'E=e<x>\0|c'
	trouble 'UTF-8' 'an address that needs SMTPUTF8' 'E=e<\xc3\xa4@example.org>\0|c'
	trouble 'NUL' 'a body with a NUL' 'E=bx\0y|c'
	trouble 'a reply of class 2' 'a reply that is not one of SMTP' 'M=y250 2.0.0 Ok\0'
	trouble 'no code' 'a reply that is not one of SMTP' 'M=yNo\0'
	trouble 'different codes' 'a reply with different codes' 'M=y550-No\r\n551 No\0'
	trouble 'discarded before it has begun' 'an answer that does not belong there' 'C=d'
	trouble 'a reply without an end' 'a reply without an end' 'M=y550 No'
}

test_a_milter_that_is_away() {
	passed
	assert_refused away "$LOCAL"
	chain_call milter -p "127.0.0.1:$(port_free)" "$T/next"
	assert_as_it_was 'away, with -p'
	assert_logged 'reason="Connection refused" passed=yes'
}

test_messages_that_no_milter_can_see() {
	milter_start
	printf 'Subject: x\r\nno field\r\n\r\n' >"$T/msg"
	passed
	assert_refused 'a line' '554 5.6.0 Message is not valid'
	assert_logged 'why="a line of the header is not a field"'
	{ printf 'To: ' && text_repeat 66000 x && printf '\r\n\r\n'; } >"$T/msg"
	milter_start
	passed
	assert_refused 'a field' '554 5.6.0 Message is not valid'
	assert_logged 'why="a header field is too long for a milter"'
	printf 'Subject: x\n\nbody\r\n' >"$T/msg"
	milter_start
	passed
	assert_refused 'bare LF' '554 5.6.0 Bare CR, bare LF or NUL in the message'
}

test_headers_without_a_body_and_bodies_without_a_header() {
	chain_message 'Subject: x\r\n'
	changed 'hX-A\0b\0'
	printf 'Subject: x\r\nX-A: b\r\n' >"$T/want"
	assertTrue 'no empty line' "cmp $T/want $T/out"
	changed 'bnew\r\n'
	printf 'Subject: x\r\n\r\nnew\r\n' >"$T/want"
	assertTrue 'a new body' "cmp $T/want $T/out"
	chain_message '\r\nbody\r\n'
	changed 'hX-A\0b\0'
	printf 'X-A: b\r\n\r\nbody\r\n' >"$T/want"
	assertTrue 'a first field' "cmp $T/want $T/out"
}

test_a_resident_and_inline_do_the_same() {
	milter_start -n 3 'E=hX-Milter: yes\0seen\0|c' 'E=hX-Milter\0seen\0|c'
	resident_start end maildir-inject "$T/mail"
	resident_start milter milter -P 1:1 "unix:$T/s" call "$T/end"
	for n in 1 2; do
		chain_call call "$T/milter"
		assert_verdict "message $n" '250 2.0.0 Delivered'
	done
	chain_call inline milter "$T/s" stamp maildir-inject "$T/mail"
	assert_verdict inline '250 2.0.0 Delivered'
	assertEquals 3 "$(grep -r -c '^X-Milter: seen' "$T/mail" | grep -c ':1$')"
}

test_a_name_is_looked_up_outside_the_sandbox() {
	milter_stop
	rm -f "$T/address"
	milterd -n 2 'M=r' >"$T/address" 2>&1 &
	server_pid=$!
	wait_until [ -s "$T/address" ]
	address=$(cat "$T/address")
	resident_start tcp milter "inet:localhost:${address#*:}" call "$T/nobody"
	chain_call call "$T/tcp"
	assert_refused 'a name' '550 5.7.1 Refused by site policy'
	resident_start ip milter "$address" call "$T/nobody"
	chain_call call "$T/ip"
	assert_refused 'an address' '550 5.7.1 Refused by site policy'
}

# 100 MB go through, and the stage does not grow with them.
test_memory_does_not_grow_with_the_body() {
	needs plain || return 0
	milter_start -n 2 -s 0x80000
	chain_call sh -c "ulimit -v 100000; exec milter $T/s $T/next"
	assert_as_it_was 'a small one'
	{ printf 'Subject: x\r\n\r\n' && head -c 104857600 /dev/zero | tr '\0' x | fold -w 998 | sed 's/$/\r/' && printf '\r\n'; } >"$T/msg"
	rm -f "$T"/out*
	chain_call sh -c "ulimit -v 100000; exec milter $T/s $T/next"
	assert_as_it_was 'a large one'
	rm -f "$T/msg" "$T"/out*
}

test_misuse() {
	for words in '' "$T/s" "-q x $T/s cat" "-d x $T/s cat" "-t 0 $T/s cat" 'localhost cat' 'localhost:x cat'; do
		# shellcheck disable=SC2086
		chain_call milter $words
		assertEquals "$words" 111 "$code"
		assert_verdict "$words" "$LOCAL"
	done
}

. "$SHUNIT2"
