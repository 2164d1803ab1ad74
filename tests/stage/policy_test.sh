#!/bin/sh
# policy(8): what a policy server of Postfix's protocol says becomes the verdict. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

LOCAL='451 4.3.0 Local error, try again later'

oneTimeSetUp() {
	# What it is given goes to $T/out and $T/out.env; the answer is $T/answer or a 250.
	program_make next <<-X
		#!/bin/sh
		cat >"$T/out"
		cat <&3 >"$T/out.env"
		cat "$T/answer" 2>/dev/null || echo '250 2.0.0 taken'
	X
	mkdir "$T/mail"
	server_pid=
}

setUp() {
	chain_message 'Subject: x\r\n\r\nbody\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	rm -f "$T/out" "$T/out.env" "$T/asked" "$T/answer"
}

tearDown() {
	resident_stop_all
	server_stop
	rm -f "$T"/*.log
}

# A policy server that answers so. usage: server [option ...] answer ...
server() {
	server_stop
	rm -f "$T/s" "$T/address"
	policyd -u "$T/s" -r "$T/asked" "$@" >"$T/address" 2>"$T/policyd.err" &
	server_pid=$!
	wait_until [ -s "$T/address" ]
}

server_stop() {
	[ -z "$server_pid" ] || { kill "$server_pid"; wait "$server_pid"; } 2>/dev/null
	server_pid=
}

# It is handed on, with this message and envelope as they were. usage: assert_passes what
assert_passes() {
	assertEquals "$1" '250 2.0.0 taken' "$(cat "$T/verdict")"
	assertTrue "$1: message" "cmp $T/msg $T/out"
	assertTrue "$1: envelope" "cmp $T/env $T/out.env"
	assertEquals "$1: exit" 0 "$code"
}

# It is not. usage: assert_refused what exit-code reply
assert_refused() {
	assert_verdict "$1" "$3"
	assertFalse "$1: handed on" "[ -e $T/out ]"
	assertEquals "$1: exit" "$2" "$code"
}

# The log without the time. usage: assert_log what line ...
assert_log() {
	what=$1
	shift
	printf '%s\n' "$@" >"$T/want"
	sed "s|$T/s|SERVER|; s/ ms=[0-9]*\$/ ms=N/" "$T/log" >"$T/got"
	assert_same "$what" "$T/want" "$T/got"
}

test_ok_and_dunno_pass_the_message_as_it_is() {
	for action in DUNNO OK 'WARN look at this'; do
		server "$action"
		chain_call policy "$T/s" "$T/next"
		assert_passes "$action"
	done
	assert_log 'WARN is in the log' 'policy: S/M done to=SERVER action="WARN look at this" ms=N'
}

test_the_server_is_asked_about_the_whole_message() {
	server DUNNO
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<eve@example.org>'
	chain_call SMTPAUTHUSER=alice policy "$T/s" "$T/next"
	assertEquals 'protocol_state=END-OF-MESSAGE|sender=alice@example.net|recipient=|recipient_count=2|queue_id=M|instance=M|size=20|sasl_username=alice|policy_context=|' \
		"$(grep -E '^(protocol_state|sender|recipient.*|queue_id|instance|size|sasl_username|policy_context)=' "$T/asked" | tr '\n' '|')"
	rm "$T/asked"
	server DUNNO
	chain_call policy -s DATA -c inside "unix:$T/s" "$T/next"
	assertEquals 'protocol_state=DATA|policy_context=inside|' "$(grep -E '^(protocol_state|policy_context)=' "$T/asked" | tr '\n' '|')"
}

test_a_refusal_is_the_verdict() {
	server 'REJECT Not on Sundays'
	chain_call policy "$T/s" "$T/next"
	assert_refused REJECT 100 '554 5.7.1 Not on Sundays'
	assert_log REJECT 'policy: S/M refused to=SERVER action="REJECT Not on Sundays" reply="554 5.7.1 Not on Sundays"'
	server '452 4.3.1 Full'
	chain_call policy "$T/s" "$T/next"
	assert_refused 4NN 111 '452 4.3.1 Full'
	server 'DEFER_IF_PERMIT Greylisted'
	chain_call policy "$T/s" "$T/next"
	assert_refused DEFER_IF_PERMIT 111 '450 4.7.0 Greylisted'
}

test_defer_if_reject_makes_a_later_refusal_temporary() {
	server 'DEFER_IF_REJECT Ask again'
	chain_call policy "$T/s" "$T/next"
	assert_verdict 'nothing is refused' '250 2.0.0 taken'
	echo '550 5.1.1 Unknown' >"$T/answer"
	server 'DEFER_IF_REJECT Ask again'
	chain_call policy "$T/s" "$T/next"
	assert_verdict 'a refusal for good' '450 4.7.0 Ask again'
	echo '452 4.2.2 Full' >"$T/answer"
	server 'DEFER_IF_REJECT Ask again'
	chain_call policy "$T/s" "$T/next"
	assert_verdict 'a refusal for now' '452 4.2.2 Full'
}

test_prepend_puts_a_field_on_top() {
	server 'PREPEND X-Policy: passed'
	chain_call policy "$T/s" "$T/next"
	{ printf 'X-Policy: passed\r\n' && cat "$T/msg"; } >"$T/want"
	assertTrue 'the message' "cmp $T/want $T/out"
	assertEquals 'the verdict' '250 2.0.0 taken' "$(cat "$T/verdict")"
	chain_message ' joins\r\n\r\nbody\r\n'
	rm "$T/out"
	server 'PREPEND X-Policy: passed'
	chain_call policy "$T/s" "$T/next"
	assert_refused 'what would continue the field' 100 '554 5.6.0 Message is not valid'
}

test_each_recipient_has_a_question_and_a_reply_of_its_own() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org> NOTIFY=NEVER' '550 5.1.1 Before' 'RCPT TO:<b@example.org>' \
		'RCPT TO:<c@example.org>' 'COPY TO:<d@example.org>'
	server DUNNO 'REJECT Not b' 'PREPEND X-C: yes'
	chain_call policy -s RCPT "$T/s" "$T/next"
	assertEquals 'a@example.org b@example.org c@example.org ' "$(sed -n 's/^recipient=//p' "$T/asked" | tr '\n' ' ')"
	assertEquals 'RCPT 3' "$(sort "$T/asked" | uniq -c | sed -n 's/ *\([0-9]*\) protocol_state=\(.*\)/\2 \1/p')"
	cat >"$T/want" <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<a@example.org> NOTIFY=NEVER
		550 5.1.1 Before
		554 5.7.1 Not b
		RCPT TO:<c@example.org>
		COPY TO:<d@example.org>
	X
	assert_same 'the envelope' "$T/want" "$T/out.env"
	assertEquals 'the message' 'X-C: yes' "$(head -n 1 "$T/out" | tr -d '\r')"
	assert_log 'each refusal, and a line for the message' \
		'policy: S/M refused to=SERVER rcpt=b@example.org action="REJECT Not b" reply="554 5.7.1 Not b"' \
		'policy: S/M done to=SERVER action="PREPEND X-C: yes" refused=1 ms=N'
}

test_defer_if_reject_of_one_recipient_counts_for_that_one() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	printf '550 5.1.1 No a\n550 5.1.1 No b\n' >"$T/answer"
	server DUNNO DEFER_IF_REJECT
	chain_call policy -s RCPT "$T/s" "$T/next"
	assert_verdict softened '550 5.1.1 No a' '450 4.7.0 Refused by site policy for now, try again later'
}

test_with_n_nothing_is_delivered() {
	: >"$T/msg"
	server DUNNO
	chain_call policy -n "$T/s"
	assert_verdict passes '250 2.1.5 Recipient ok'
	assertEquals 'RCPT' "$(sed -n 's/^protocol_state=//p' "$T/asked")"
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' '550 5.1.1 Before' 'RCPT TO:<b@example.org>'
	server 'REJECT Not a' 'PREPEND X: y'
	chain_call policy -n "$T/s"
	assert_verdict 'each' '554 5.7.1 Not a' '550 5.1.1 Before' '250 2.1.5 Recipient ok'
}

test_submitd_asks_at_rcpt() {
	server -n 2 DUNNO
	printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' QUIT |
		RELAYCLIENT='' TCPREMOTEIP=192.0.2.1 submitd -r "policy -n $T/s" cat >"$T/got" 2>"$T/log"
	assertContains "$(cat "$T/got")" '250 2.1.5 Recipient ok'
	server 'REJECT Not bob'
	printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' QUIT |
		RELAYCLIENT='' TCPREMOTEIP=192.0.2.1 submitd -r "policy -n $T/s" cat >"$T/got" 2>"$T/log"
	assertContains "$(cat "$T/got")" '554 5.7.1 Not bob'
	assertEquals 'client_address=192.0.2.1 helo_name=client.example recipient=bob@example.org ' \
		"$(tail -n 30 "$T/asked" | grep -E '^(client_address|helo_name|recipient)=' | tr '\n' ' ')"
}

test_a_resident_asks_at_rcpt() {
	server -n 2 DUNNO
	resident_start check policy -n "$T/s"
	printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<eve@example.org>' \
		QUIT | RELAYCLIENT='' TCPREMOTEIP=192.0.2.1 submitd -r "call $T/check" cat >"$T/got" 2>"$T/log"
	assertEquals 2 "$(grep -c '250 2.1.5 Recipient ok' "$T/got")"
	assertEquals 'bob@example.org eve@example.org ' "$(sed -n 's/^recipient=//p' "$T/asked" | tr '\n' ' ')"
}

test_an_action_that_policy_cannot_do_is_451_and_named() {
	for action in HOLD DISCARD 'REDIRECT x@example.org' 'FILTER smtp:x' 'BCC x@example.org'; do
		for option in '' -p; do
			server "$action"
			# shellcheck disable=SC2086
			chain_call policy $option "$T/s" "$T/next"
			assert_refused "$action" 111 "$LOCAL"
			assert_logged "failed to=.* reason=\"an action that policy cannot do\" action=\"*$action"
		done
	done
}

# A server that does not answer well is 451; with -p the message passes as it is. usage: trouble what reason answer ...
trouble() {
	what=$1 reason=$2
	shift 2
	server "$@"
	chain_call policy -t 2 "$T/s" "$T/next"
	assert_refused "$what" 111 "$LOCAL"
	assert_logged "^policy: S/M failed to=$T/s reason=\"*$reason"
	server "$@"
	chain_call policy -p -t 2 "$T/s" "$T/next"
	assert_passes "$what, with -p"
	assert_logged 'passed=yes'
	rm -f "$T/out"
}

test_a_server_that_closes_stalls_or_garbles() {
	trouble closes 'connection closed' close
	trouble 'closes in the middle' 'connection closed' 'cut:action=DUNNO\n'
	trouble stalls 'no answer until the deadline' stall
	trouble 'never ends' 'answer with too long a line' 'flood:x'
	trouble 'has no end of lines' 'answer with too long a line' 'flood:a=b\n'
	trouble 'NUL' 'answer with too long a line' 'raw:action=DUNNO\0\n\n'
	trouble 'speaks HTTP' 'a line without =' 'raw:HTTP/1.0 400 Bad\n\n'
	trouble 'no action' 'no action' 'raw:x=y\n\n'
	trouble 'two actions' 'two actions' 'raw:action=DUNNO\naction=REJECT\n\n'
	trouble 'two answers' 'more than an answer' 'raw:action=DUNNO\n\naction=DUNNO\n\n'
	trouble 'a bad field' 'PREPEND without a header field' 'PREPEND nothing'
}

test_an_answer_may_come_in_pieces() {
	server 'drip:x=y\naction=REJECT In pieces\n\n'
	chain_call policy "$T/s" "$T/next"
	assert_refused drip 100 '554 5.7.1 In pieces'
}

test_a_server_that_is_away() {
	chain_call policy "$T/none" "$T/next"
	assert_refused away 111 "$LOCAL"
	assert_logged "reason=\"No such file or directory\""
	chain_call policy -p "127.0.0.1:$(port_free)" "$T/next"
	assert_passes 'away, with -p'
	assert_logged 'reason="Connection refused" passed=yes'
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	chain_call policy -p -s RCPT "$T/none" "$T/next"
	assert_passes 'and is not asked again'
	assertEquals 1 "$(grep -c passed=yes "$T/log")"
}

# The 451 stands before the caller's deadline.
test_the_deadline_of_the_chain_is_kept() {
	server stall
	chain_call MSA_DEADLINE=$(($(date +%s) + 2)) policy "$T/s" "$T/next"
	assert_refused late 111 "$LOCAL"
	assert_logged 'reason="no answer until the deadline"'
}

test_a_name_is_looked_up_outside_the_sandbox() {
	rm -f "$T/address"
	policyd -n 3 'REJECT By TCP' >"$T/address" 2>&1 &
	server_pid=$!
	wait_until [ -s "$T/address" ]
	address=$(cat "$T/address")
	resident_start tcp policy "inet:localhost:${address#*:}" call "$T/nobody"
	chain_call call "$T/tcp"
	assert_refused 'a name' 0 '554 5.7.1 By TCP'
	resident_start ip policy "$address" call "$T/nobody"
	chain_call call "$T/ip"
	assert_refused 'an address' 0 '554 5.7.1 By TCP'
	chain_call policy "localhost:${address#*:}" "$T/next"
	assert_refused 'a name, in front of a program' 100 '554 5.7.1 By TCP'
}

test_a_resident_asks_for_each_message_anew() {
	resident_start end maildir-inject "$T/mail"
	server -n 3 'REJECT First' DUNNO
	resident_start policy policy -P 1:1 "$T/s" call "$T/end"
	chain_call call "$T/policy"
	assert_verdict 'the first' '554 5.7.1 First'
	chain_call call "$T/policy"
	assert_verdict 'the second' '250 2.0.0 Delivered'
	server 'REJECT Third'
	chain_call call "$T/policy"
	assert_verdict 'the server was started anew' '554 5.7.1 Third'
}

test_in_inline_it_is_a_function() {
	chain_message 'From: alice@example.net\r\nSubject: x\r\n\r\nbody\r\n'
	server 'PREPEND X-Policy: inline'
	chain_call inline policy "$T/s" qualify maildir-inject "$T/mail"
	assert_verdict inline '250 2.0.0 Delivered'
	assertTrue 'the field' "grep -qr '^X-Policy: inline' $T/mail"
	chain_message 'Subject: x\r\n\r\nbody\r\n'
	server 'DEFER_IF_REJECT Later'
	chain_call inline policy "$T/s" qualify maildir-inject "$T/mail"
	assert_verdict 'softened' '450 4.7.0 Later'
}

test_misuse() {
	for words in '' "$T/s" "-n $T/s cat" "-s CONNECT $T/s cat" "-t 0 $T/s cat" 'localhost cat' 'localhost:x cat' \
		"inet:$T/s cat" 'unix:localhost:25 cat' ':25 cat'; do
		# shellcheck disable=SC2086
		chain_call policy $words
		assertEquals "$words" 111 "$code"
		assert_verdict "$words" "$LOCAL"
	done
	policy -n "$T/s" </dev/null 2>"$T/log"
	code=$?
	assertEquals 'outside of a chain' 100 "$code"
}

test_msa_check_knows_it() {
	server -n 1 DUNNO
	msa-check submitd -r "policy -n $T/s" policy "$T/s" maildir-inject "$T" >"$T/out" 2>&1
	assertNotContains "$(cat "$T/out")" policy
	msa-check submitd policy -n "$T/s" >"$T/out" 2>&1
	assertContains "$(cat "$T/out")" 'policy: -n only checks the recipients'
	server_stop
	rm -f "$T/s"
	msa-check -n submitd policy "$T/s" maildir-inject "$T" >"$T/out" 2>&1
	assertContains "$(cat "$T/out")" "policy: $T/s: No such file or directory"
}

. "$SHUNIT2"
