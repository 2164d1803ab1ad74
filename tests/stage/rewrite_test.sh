#!/bin/sh
# rewrite: addresses that become others, in the envelope and in the header, and what the client hears of it.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

LOCAL='451 4.3.0 Local error, try again later'

# The next program keeps what it got, and answers each recipient with a line of $T/answer, or all with 250.
oneTimeSetUp() {
	program_make next <<-'X'
		#!/bin/sh
		cat <&3 >"$T/got.env"
		cat >"$T/got.msg"
		env | grep -e '^MSA_RCPTS=' -e '^MSA_PARTIAL=' | sort >"$T/got.facts"
		[ ! -e "$T/answer" ] || { cat "$T/answer"; exit; }
		echo '250 2.0.0 taken'
	X
}

setUp() {
	rm -f "$T"/got.* "$T/log" "$T/answer"
	chain_message 'From: jru@host.example.net\r\nTo: bob@example.org\r\n\r\nFrom: jru@host.example.net\r\n'
	chain_envelope '<jru@host.example.net>' 'RCPT TO:<bob@example.org>'
	table 'jru@example.net j.random.user@example.net' '.example.net example.net' 'old.example new.example'
}

tearDown() {
	resident_stop_all
}

# The tables from lines "key value". usage: table line ... ; senders line ...
table() {
	printf '%s\n' "$@" | cdb -c -m -t "$T/table.tmp" "$T/table.cdb"
}

senders() {
	printf '%s\n' "$@" | cdb -c -m -t "$T/senders.tmp" "$T/senders.cdb"
}

# usage: rewritten [NAME=value ...]
rewritten() {
	chain_call "$@" rewrite -d example.net -d .example.net -t "$T/table.cdb" "$T/next"
}

# usage: forced user
forced() {
	chain_call SMTPAUTHUSER="$1" SMTPAUTHLABEL="${2-}" rewrite -s "$T/senders.cdb" "$T/next"
}

# The next program's envelope is standard input. usage: assert_envelope what
assert_envelope() {
	cat >"$T/expected"
	assert_same "$1" "$T/expected" "$T/got.env"
}

# The header fields of standard input, one line each, become others as a filter; an arrow and nothing means they stay.
fields() {
	while IFS= read -r line; do
		before=${line%% => *} after=${line#* => }
		[ -n "$after" ] || after=$before
		printf '%b\r\n\r\nx\r\n' "$before" >"$T/in"
		printf '%b\r\n\r\nx\r\n' "$after" >"$T/expected"
		rewrite -d example.net -d .example.net -t "$T/table.cdb" <"$T/in" >"$T/out" 2>"$T/log"
		code=$?
		assertEquals "$before: $(cat "$T/log")" 0 "$code"
		assert_same "$before" "$T/expected" "$T/out"
		rewrite -d example.net -d .example.net -t "$T/table.cdb" <"$T/out" >"$T/again" 2>"$T/log"
		assert_same "$before: a second run" "$T/out" "$T/again"
	done
}

test_envelope_and_header() {
	rewritten SMTPAUTHUSER=jru
	assertEquals 'exit code' 0 "$code"
	assertEquals 'verdict' '250 2.0.0 taken' "$(cat "$T/verdict")"
	assert_envelope 'envelope' <<-'X'
		MAIL FROM:<j.random.user@example.net>
		RCPT TO:<bob@example.org>
	X
	printf 'From: j.random.user@example.net\r\nTo: bob@example.org\r\n\r\nFrom: jru@host.example.net\r\n' >"$T/expected"
	assert_same 'message' "$T/expected" "$T/got.msg"
	assert_logged '^rewrite: S/M done user=jru changed=MAIL,From addresses=jru@host.example.net>j.random.user@example.net ms=[0-9]*$'
}

test_what_the_table_does_not_name_stays_byte_for_byte() {
	chain_message 'DKIM-Signature: v=1\r\nFrom : (jru) a@example.net ,\r\n b@other.example\r\nX: jru@host.example.net\r\n\r\nx\r\n'
	chain_envelope '<a@example.net> BODY=8BITMIME' 'RCPT TO:<"a b"@example.org> NOTIFY=NEVER' '550 5.7.1 Not to Carol' \
		'COPY TO:<jru@example.net>'
	rewritten MSA_PARTIAL=
	assert_same 'envelope' "$T/env" "$T/got.env"
	assert_same 'message' "$T/msg" "$T/got.msg"
	assert_logged '^rewrite: S/M done ms=[0-9]*$'
}

test_addresses_in_every_form() {
	fields <<-'X'
		From: jru@host.example.net => From: j.random.user@example.net
		Sender: <JRU@EXAMPLE.NET> => Sender: <j.random.user@EXAMPLE.NET>
		Reply-To: J <jru@a.b.example.net> => Reply-To: J <j.random.user@example.net>
		Resent-From: jru@example.net => Resent-From: j.random.user@example.net
		Resent-Sender: jru@example.net => Resent-Sender: j.random.user@example.net
		Resent-To: jru@example.net => Resent-To: j.random.user@example.net
		Resent-Cc: jru@example.net => Resent-Cc: j.random.user@example.net
		Resent-Reply-To: jru@example.net => Resent-Reply-To: j.random.user@example.net
		To: x@old.example, y@other.example, z@OLD.example => To: x@new.example, y@other.example, z@new.example
		Cc: Us: x@old.example (c), "y y"@old.example;,\r\n\tz@old.example => Cc: Us: x@new.example (c), "y y"@new.example;,\r\n\tz@new.example
		To: <@relay.example:x(c)@(d)old.example> => To: <@relay.example:x(c)@(d)new.example>
		To: jru (c)\r\n @ host . example . net => To: j.random.user (c)\r\n @ example.net
		To: "jru"@example.net => To: j.random.user@example.net
		From: "jru@host.example.net" <jru@host.example.net> => From: "j.random.user@example.net" <j.random.user@example.net>
		From: jru@example.net <jru@example.net> => From: "j.random.user@example.net" <j.random.user@example.net>
		From: "a@old.example" <jru@example.net> => From: "a@old.example" <j.random.user@example.net>
		From: "jru" "x" <jru@example.net> => From: "jru" "x" <j.random.user@example.net>
		From: =?utf-8?q?jru=40example.net?= <jru@example.net> => From: =?utf-8?q?jru=40example.net?= <j.random.user@example.net>
		Bcc: jru@example.net => 
		Message-ID: <jru@host.example.net> => 
		Subject: jru@host.example.net => 
		To: jru => 
		To: x@[192.0.2.1] => 
		To: jru@example.net, (, x => 
		To: => 
		To: undisclosed-recipients:; => 
		not a field => 
	X
	table 'a@example.net "a \" b"@example.net'
	fields <<-'X'
		From: "a@example.net" <a@example.net> => From: "\\"a \\\\\\" b\\"@example.net" <"a \\" b"@example.net>
	X
}

test_which_record_counts() {
	table 'example.net net.example' '.example.net below.example' 'b.example.net b.example' '.b.example.net bb.example' \
		'x@example.net' 'y@c.example.net y@d.example' '[192.0.2.1] literal.example'
	fields <<-'X'
		To: a@example.net => To: a@net.example
		To: a@c.example.net => To: a@below.example
		To: a@b.example.net => To: a@b.example
		To: a@c.b.example.net => To: a@bb.example
		To: a@c.c.example.net => To: a@below.example
		To: x@example.net => 
		To: y@c.example.net => To: y@d.example
		To: a@notexample.net => 
		To: a@[192.0.2.1] => To: a@literal.example
	X
}

# A field that cannot be read stays, and the log says so.
test_a_field_that_is_no_list_stays() {
	chain_message 'From: jru@example.net\r\nTo: (\r\nCc: a@old.example,<\r\n\r\nx\r\n'
	rewritten
	printf 'From: j.random.user@example.net\r\nTo: (\r\nCc: a@old.example,<\r\n\r\nx\r\n' >"$T/expected"
	assert_same 'message' "$T/expected" "$T/got.msg"
	assert_logged ' changed=MAIL,From .* unread=To,Cc '
}

test_the_original_recipient_survives() {
	chain_envelope '<a@old.example> RET=HDRS' 'RCPT TO:<jru@host.example.net>' 'RCPT TO:<a+b=c@old.example> NOTIFY=FAILURE' \
		'RCPT TO:<d@old.example> NOTIFY=NEVER ORCPT=rfc822;first@far.example' 'RCPT TO:<e@far.example>' '550 5.7.1 No' \
		'COPY TO:<f@old.example>'
	rewritten MSA_PARTIAL= MSA_EHLO=DSN,8BITMIME
	assert_envelope 'DSN' <<-'X'
		MAIL FROM:<a@new.example> RET=HDRS
		RCPT TO:<j.random.user@example.net> ORCPT=rfc822;jru@host.example.net
		RCPT TO:<a+b=c@new.example> NOTIFY=FAILURE ORCPT=rfc822;a+2Bb+3Dc@old.example
		RCPT TO:<d@new.example> NOTIFY=NEVER ORCPT=rfc822;first@far.example
		RCPT TO:<e@far.example>
		550 5.7.1 No
		COPY TO:<f@old.example>
	X
	printf 'MSA_PARTIAL=\nMSA_RCPTS=5\n' >"$T/expected"
	assert_same 'facts' "$T/expected" "$T/got.facts"
	assert_logged ' changed=MAIL,RCPT,From '
	cp "$T/got.env" "$T/env"
	rewritten MSA_PARTIAL= MSA_EHLO=DSN,8BITMIME
	assert_same 'a second run' "$T/env" "$T/got.env"
	chain_envelope '<a@old.example>' 'RCPT TO:<jru@host.example.net>'
	rewritten MSA_EHLO=8BITMIME
	assertEquals 'no DSN' 'RCPT TO:<j.random.user@example.net>' "$(sed -n 2p "$T/got.env")"
	chain_envelope '<a@old.example> SMTPUTF8' 'RCPT TO:<"ü +"@old.example>'
	rewritten MSA_EHLO=DSN,SMTPUTF8
	assertEquals 'UTF-8' 'RCPT TO:<"ü +"@new.example> ORCPT=utf-8;"ü\x{20}\x{2B}"@old.example' "$(sed -n 2p "$T/got.env")"
}

test_the_answer_names_the_address_that_the_client_gave() {
	chain_envelope '<a@far.example>' 'RCPT TO:<jru@host.example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<x@old.example>'
	cat >"$T/answer" <<-'X'
		550-5.1.1 <J.Random.User@example.net>: no such user
		550 5.1.1 not j.random.user@example.net.example or xj.random.user@example.net; j.random.user@example.net.
		250 2.1.5 bob@example.org, not x@new.example
		451 4.2.0 x@new.example
		.
	X
	rewritten MSA_PARTIAL=
	assert_verdict 'each its own' '550-5.1.1 <jru@host.example.net>: no such user' \
		'550 5.1.1 not j.random.user@example.net.example or xj.random.user@example.net; jru@host.example.net.' \
		'250 2.1.5 bob@example.org, not x@new.example' '451 4.2.0 x@old.example'
	assertEquals 'exit code' 0 "$code"
	printf '550 5.1.1 no\n' >"$T/answer"
	rewritten
	assert_verdict 'one for all' '550 5.1.1 no' '550 5.1.1 no' '550 5.1.1 no'
	echo 'exit 100' >"$T/answer"
	rewritten
	assert_verdict 'nonsense' "$LOCAL" "$LOCAL" "$LOCAL"
}

# bounce behind fulfils DSN for a next hop that does not know it.
test_a_report_names_the_address_that_the_client_gave() {
	program_make half <<-'X'
		#!/bin/sh
		if [ "$MSA_RCPTS" = 2 ]; then
			cat <&3 >"$T/got.env"
			printf '250 2.0.0 taken\n550 5.1.1 no\n.\n'
		else
			cat >"$T/got.report"
			echo '250 2.0.0 taken'
		fi
	X
	chain_envelope '<a@far.example>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<jru@host.example.net>'
	chain_call MSA_EHLO=DSN rewrite -d example.net -d .example.net -t "$T/table.cdb" bounce "$T/half"
	assertEquals "$(cat "$T/log")" '250' "$(head -c 3 "$T/verdict")"
	assert_envelope 'without DSN' <<-'X'
		MAIL FROM:<a@far.example>
		RCPT TO:<bob@example.org>
		RCPT TO:<j.random.user@example.net>
	X
	assertEquals 'Original-Recipient: rfc822; jru@host.example.net' "$(grep ^Original-Recipient "$T/got.report" | tr -d '\r')"
}

# RFC 6409 8.8
test_no_local_part_of_another_site_changes() {
	while IFS='|' read -r row to why; do
		table "$row" 'jru@example.net j.r.u@example.net'
		chain_envelope '<a@far.example>' "RCPT TO:<$to>"
		rewritten
		assert_verdict "$row" "$LOCAL"
		assertEquals "$row" "rewrite: S/M misuse reason=\"$T/table.cdb: record of $why\"" "$(cat "$T/log")"
		assertFalse "$row: not handed on" "[ -e $T/got.env ]"
	done <<-'X'
		a@far.example b@far.example|a@far.example|a@far.example: a local part would change in a domain that -d does not name
		far.example example.net|jru@far.example|jru@example.net: a local part would change in a domain that -d does not name
		example.net b@example.net|a@example.net|example.net: a domain cannot become an address
		a@example.net x@|a@example.net|a@example.net: not one address or domain in ASCII
		a@example.net ü@example.net|a@example.net|a@example.net: not one address or domain in ASCII
		a@example.net b@example.net c@example.net|a@example.net|a@example.net: not one address or domain in ASCII
	X
	table 'a@far.example a@near.example'
	chain_envelope '<a@far.example>' 'RCPT TO:<a@far.example>'
	rewritten
	assertEquals 'its domain may' 'RCPT TO:<a@near.example>' "$(sed -n 2p "$T/got.env")"
	table 'a@far.example b@far.example'
	chain_call rewrite -d .far.example -t "$T/table.cdb" "$T/next"
	assert_verdict 'below is not the domain' "$LOCAL"
	table 'a@far.example b@far.example' 'a@notfar.example b@notfar.example'
	chain_envelope '<a@notfar.example>' 'RCPT TO:<x@y.example>'
	chain_call rewrite -d .far.example -d far.example -t "$T/table.cdb" "$T/next"
	assert_verdict 'nor is another name with the same end' "$LOCAL"
	chain_envelope '<a@far.example>' 'RCPT TO:<a@far.example>'
	chain_call rewrite -d far.example -t "$T/table.cdb" "$T/next"
	assertEquals 'its own site' 'RCPT TO:<b@far.example>' "$(sed -n 2p "$T/got.env")"
}

test_a_result_is_looked_up_once_more_and_not_again() {
	table 'a@example.net b@example.net' 'b@example.net c@example.net' 'c@example.net d@example.net' 'e@example.net f@example.net' \
		'f@example.net e@example.net'
	for to in a e; do
		chain_envelope '<x@far.example>' "RCPT TO:<$to@example.net>"
		rewritten
		assert_verdict "$to" "$LOCAL"
		assert_logged 'the result would be rewritten again, and then once more'
	done
	chain_envelope '<x@far.example>' 'RCPT TO:<b@example.net>'
	rewritten
	assertEquals 'two steps' 'RCPT TO:<d@example.net>' "$(sed -n 2p "$T/got.env")"
}

test_an_address_that_would_be_too_long_stays() {
	long=$(text_repeat 62 x)
	table ".example.net $long.$long.$long.example"
	chain_envelope '<x@far.example>' "RCPT TO:<$long@a.example.net>" 'RCPT TO:<y@a.example.net>'
	rewritten
	assertEquals 'the long one' "RCPT TO:<$long@a.example.net>" "$(sed -n 2p "$T/got.env")"
	assertEquals 'the other' "RCPT TO:<y@$long.$long.$long.example>" "$(sed -n 3p "$T/got.env")"
}

test_no_line_becomes_too_long() {
	words=$(text_repeat 65 'y@far.example, ')
	table 'old.example much-longer-than-the-other.example'
	chain_message "To: $words\\r\\n $(text_repeat 900 x) <a@old.example>\\r\\n\\r\\nx\\r\\n"
	rewritten
	assertEquals 'still fits' '250 2.0.0 taken' "$(cat "$T/verdict")"
	chain_message "To: x@far.example,\\r\\n $(text_repeat 970 x) <a@old.example>,b@old.example\\r\\n\\r\\nx\\r\\n"
	rewritten
	assert_verdict 'too long' '554 5.6.0 To: a line would be longer than 998 octets'
	assertEquals 'exit code' 100 "$code"
	assert_logged 'refused why="To: a line would be longer than 998 octets"$'
}

test_a_signature_that_may_break_is_in_the_log() {
	chain_message 'DKIM-Signature: v=1; h=from\r\nFrom: jru@example.net\r\n\r\nx\r\n'
	rewritten
	assert_logged ' signed=DKIM-Signature '
}

test_the_senders_addresses_are_forced() {
	senders 'alice@example.net sales@example.net @shop.example' 'scanner @shop.example scan@example.net' 'boss *' 'web @shop.example' \
		'- printer@example.net' 'out !' 'ü@example.net büro@example.net second@example.net'
	while IFS='|' read -r user mail from want_mail want_from; do
		chain_message "From: $from\\r\\n\\r\\nx\\r\\n"
		chain_envelope "<$mail>" 'RCPT TO:<bob@example.org>'
		forced "$user"
		assertEquals "$user $from: $(cat "$T/log")" 0 "$code"
		assertEquals "$user: $mail" "MAIL FROM:<$want_mail>" "$(head -n 1 "$T/got.env")"
		assertEquals "$user: $from" "From: $want_from" "$(head -n 1 "$T/got.msg" | tr -d '\r')"
		cp "$T/got.env" "$T/env"
		cp "$T/got.msg" "$T/msg"
		forced "$user"
		assert_same "$user $from: again" "$T/env" "$T/got.env"
		assert_same "$user $from: again" "$T/msg" "$T/got.msg"
	done <<-'X'
		alice@example.net|x@y.example|x@y.example|alice@example.net|alice@example.net
		alice@example.net|Sales@example.net|Al <Alice@Example.net>|Sales@example.net|Al <Alice@Example.net>
		alice@example.net||a@shop.example||a@shop.example
		scanner|root@printer|Scanner 1 <root@printer>|scan@example.net|Scanner 1 <scan@example.net>
		scanner|a@shop.example|"root@printer" <root@printer>|a@shop.example|"scan@example.net" <scan@example.net>
		scanner|x@y.example|root|scan@example.net|<scan@example.net>
		scanner|x@y.example|a@shop.example, b@shop.example|scan@example.net|a@shop.example, b@shop.example
		scanner|x@y.example|a@shop.example, b@y.example|scan@example.net|<scan@example.net>
		scanner|x@y.example|Boss: b@y.example;|scan@example.net|<scan@example.net>
		scanner|x@y.example|(|scan@example.net|<scan@example.net>
		boss|x@y.example|z@y.example|x@y.example|z@y.example
		web|a@shop.example|b@shop.example|a@shop.example|b@shop.example
		ü@example.net|x@y.example|x@y.example|second@example.net|second@example.net
		|x@y.example|x@y.example|printer@example.net|printer@example.net
	X
	chain_message 'From: Mr X <x@y.example>\r\nSender: y@y.example\r\nReply-To: z@y.example\r\nFrom: a@b.example\r\n\r\nx\r\n'
	chain_envelope '<x@y.example>' 'RCPT TO:<x@y.example>'
	forced scanner
	printf 'From: Mr X <scan@example.net>\r\nSender: scan@example.net\r\nReply-To: z@y.example\r\nFrom: scan@example.net\r\n\r\nx\r\n' >"$T/expected"
	assert_same 'From and Sender alone' "$T/expected" "$T/got.msg"
	printf 'MAIL FROM:<scan@example.net>\nRCPT TO:<x@y.example>\n' | assert_envelope 'and the envelope'
	assert_logged ' changed=MAIL,From,Sender addresses="x@y.example>scan@example.net y@y.example>scan@example.net a@b.example>scan@example.net" '
	for user in web out; do
		rm -f "$T/got.env"
		forced "$user"
		if [ $user = web ]; then why='You have no address to send as'; else why='You may not send'; fi
		assert_verdict "$user" "550 5.7.1 $why"
		assert_logged "^rewrite: S/M refused user=$user why=\"$why\"$"
		assertFalse "$user: not handed on" "[ -e $T/got.env ]"
	done
	senders 'scanner nonsense scan@example.net'
	forced scanner
	assert_verdict 'an invalid item' "$LOCAL"
	assert_logged "misuse reason=\"$T/senders.cdb: record of scanner: nonsense: not an address, @domain, @.domain, &group, \* or !\"$"
}

# What the password may not use does not stand for the user.
test_the_address_that_is_forced_is_one_that_the_password_may_use() {
	senders 'alice@example.net &sales @shop.example' '&sales sales@example.net' 'alice@example.net/phone x@other.example sales@example.net' \
		'alice@example.net/pad z@shop.example' 'alice@example.net/none @other.example' 'anna *' 'anna/pad pad@example.net'
	while read -r user label mail want; do
		chain_message "From: $mail\\r\\n\\r\\nx\\r\\n"
		chain_envelope "<$mail>" 'RCPT TO:<bob@example.org>'
		forced "$user" "$label"
		assertEquals "$user $label $mail" "$want" "$(sed -n '1s/MAIL FROM:<\(.*\)>/\1/p' "$T/got.env")"
	done <<-'X'
		alice@example.net other x@y.example alice@example.net
		alice@example.net other sales@example.net sales@example.net
		alice@example.net phone alice@example.net sales@example.net
		alice@example.net phone x@other.example sales@example.net
		alice@example.net pad sales@example.net z@shop.example
		anna pad x@y.example pad@example.net
	X
	forced alice@example.net none
	assert_verdict 'nothing' '550 5.7.1 You have no address to send as'
}

# In one process and apart, with a real recipient's answer.
test_a_session_with_it() {
	for inline in '' inline; do
		lmtpd_start -n 1 'RCPT:j.random=550 5.1.1 <j.random.user@example.net> unknown'
		# shellcheck disable=SC2086
		printf '<\n> EHLO client\n<\n> MAIL FROM:<a@old.example>\n<\n> RCPT TO:<jru@host.example.net>\n<\n> DATA\n<\n>> From: a@old.example\\r\\n\\r\\n.\\r\\n\n<\n> QUIT\n<<\n' |
			RELAYCLIENT='' MSA_HOST=test.example talk $inline submitd rewrite -d .example.net -d example.net -t "$T/table.cdb" lmtp-inject "$T/s" \
			>"$T/heard" 2>"$T/log"
		lmtpd_ended
		assertEquals "${inline:-apart}: $(cat "$T/log")" '550 5.1.1 <jru@host.example.net> unknown' "$(grep ^55 "$T/heard" | tr -d '\r')"
		assertTrue "${inline:-apart}: sent" "grep -q 'RCPT TO:<j.random.user@example.net>' $T/rec"
	done
}

test_as_a_filter() {
	printf 'From: jru@example.net\n\nFrom: jru@example.net\n' | rewrite -d example.net -t "$T/table.cdb" >"$T/out" 2>"$T/log"
	assertEquals 'exit code' 0 $?
	assertEquals 'lines that end with LF' "From: j.random.user@example.net

From: jru@example.net" "$(cat "$T/out")"
	: | rewrite -t "$T/table.cdb" >"$T/out" 2>"$T/log"
	assertEquals 'no message' 111 $?
	printf 'To: jru@example.net\n\n' | rewrite -t "$T/table.cdb" >"$T/out" 2>"$T/log"
	assertEquals 'an invalid record' 111 $?
	printf 'From: jru@example.net\n\nx\n' | qualify -d example.net | rewrite -d example.net -t "$T/table.cdb" >"$T/out" 2>"$T/log"
	assertTrue 'in a pipe' "grep -q '^From: j.random.user@example.net\$' $T/out"
}

test_a_large_message_keeps_its_body() {
	{
		printf 'From: jru@example.net\r\n\r\n'
		text_random 2000000
	} >"$T/msg"
	rewritten
	printf 'From: j.random.user@example.net\r\n\r\n' >"$T/expected"
	tail -c 2000000 "$T/msg" >>"$T/expected"
	cmp "$T/expected" "$T/got.msg"
	assertEquals 'body' 0 $?
}

test_what_cannot_be_a_message_is_refused() {
	chain_message 'From: jru@example.net\nTo: x@y.example\r\n\r\nx\r\n'
	rewritten
	assertEquals 'bare LF' '554 5.6.0' "$(head -c 9 "$T/verdict")"
	{
		printf 'X: '
		head -c 1100000 /dev/zero | tr '\0' x
		printf '\r\n\r\nx\r\n'
	} >"$T/msg"
	rewritten
	assert_verdict 'a header without end' '554 5.6.0 Header is too long'
}

test_a_resident_looks_at_all_of_the_table() {
	while IFS='|' read -r row why; do
		table "$row" 'z@example.net y@example.net'
		rewrite -l "$T/r" -d example.net -t "$T/table.cdb" true 2>"$T/log" </dev/null
		assertEquals "$row" 100 $?
		assertEquals "rewrite: $T/table.cdb: record of $why" "$(cat "$T/log")"
	done <<-'X'
		Alice@example.net a@example.net|Alice@example.net: the key has a capital letter
		from:a@example.net b@example.net|from:a@example.net: no look-up finds this key
		a@example.net b@|a@example.net: b@: not one address or domain in ASCII
		example.net b@example.net|example.net: a domain cannot become an address
		.example.net b@example.net|.example.net: a domain cannot become an address
		a@far.example b@far.example|a@far.example: a local part would change in a domain that -d does not name
		a@example.net b@example.net c@example.net|a@example.net: b@example.net c@example.net: not one address or domain in ASCII
	X
	table 'a@example.net b@example.net' 'b@example.net c@example.net' 'c@example.net d@example.net'
	rewrite -l "$T/r" -d example.net -t "$T/table.cdb" true 2>"$T/log" </dev/null
	assertEquals "rewrite: $T/table.cdb: record of a@example.net: the result would be rewritten again, and then once more" "$(cat "$T/log")"
	table
	rewrite -l "$T/r" -t "$T/none.cdb" true 2>"$T/log" </dev/null
	assertEquals 'no table' 100 $?
}

test_new_tables_count_from_the_next_message_on() {
	chain_envelope '<a@old.example>' 'RCPT TO:<bob@example.org>'
	senders 'jru a@b.example'
	resident_start rewrite rewrite -P 1:1 -d example.net -d .example.net -t "$T/table.cdb" "$T/next"
	resident_start force rewrite -P 1:1 -s "$T/senders.cdb" call "$T/rewrite"
	for round in 'b.example' 'table third.example' 'senders c.example' 'bad c.example'; do
		case $round in
		table*) table 'b.example third.example' ;;
		senders*) senders 'jru a@c.example' ;;
		bad*) table 'c.example nonsense@' ;;
		esac
		chain_call SMTPAUTHUSER=jru call "$T/force"
		assertEquals "$round" "MAIL FROM:<a@${round#* }>" "$(head -n 1 "$T/got.env")"
	done
	assertTrue "said: $(cat "$T/rewrite.log")" "grep -q 'table.cdb: record of c.example: nonsense@: not one address' $T/rewrite.log"
	table 'c.example last.example'
	# shellcheck disable=SC2154
	kill -HUP "$rewrite_pid"
	wait_until grep -q ' reloaded' "$T/rewrite.log"
	chain_call SMTPAUTHUSER=jru call "$T/force"
	assertEquals 'reloaded' 'MAIL FROM:<a@last.example>' "$(head -n 1 "$T/got.env")"
}

test_a_question_is_answered() {
	table 'jru@example.net j.random.user@example.net' '.example.net example.net' 'keep@host.example.net' 'a@far.example b@far.example'
	while IFS='|' read -r address want_code want; do
		said=$(rewrite -q "$T/table.cdb" -d example.net -d .example.net "$address" 2>&1)
		code=$?
		assertEquals "$address" "$want" "$said"
		assertEquals "$address: exit code" "$want_code" "$code"
	done <<-'X'
		jru@host.example.net|0|jru@host.example.net: j.random.user@example.net, by .example.net, jru@example.net
		Jru@Example.Net|0|Jru@example.net: j.random.user@example.net, by jru@example.net
		keep@host.example.net|0|keep@host.example.net: unchanged, by keep@host.example.net
		x@y.example|0|x@y.example: unchanged
		a@far.example|111|a@far.example: 451 (a local part would change in a domain that -d does not name), by a@far.example
		jru|100|rewrite: jru: not an address
	X
}

test_misuse_is_451() {
	for options in '' '-t' "-t $T/none next" "-x next" "-d example.net next" "-t $T/table.cdb -d exa_mple next" \
		"-t $T/table.cdb -s $T/table.cdb next" "-s $T/table.cdb -d example.net next"; do
		# shellcheck disable=SC2086
		chain_call rewrite $options
		assertEquals "$options" 111 "$code"
		assert_verdict "$options" "$LOCAL"
	done
	rcpts=5
	rewritten
	assert_verdict 'MSA_RCPTS' "$LOCAL"
	assertEquals 'nothing was run' '' "$(find "$T" -name 'got.*')"
	# shellcheck disable=SC2046
	rewrite $(i=0; while [ "$i" -lt 65 ]; do i=$((i + 1)); echo "-d d$i.example"; done) -t "$T/table.cdb" <"$T/msg" >"$T/out" 2>"$T/log"
	assertEquals 'too many domains' 100 $?
	assertEquals 'rewrite: d65.example: more than 64 domains' "$(cat "$T/log")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
