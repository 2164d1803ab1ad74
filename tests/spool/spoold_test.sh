#!/bin/sh
# spoold: when messages are tried, what becomes of each recipient, and what their senders are told.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/spoold.sh
. "$ROOT/tests/lib/spoold.sh"

test_the_rest_of_the_chain_gets_the_message_as_it_came() {
	chain_envelope '<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' \
		'COPY TO:<archive@example.net>'
	spoold_put SMTPAUTHUSER=alice SSL_PROTOCOL=TLSv1.3 TCPREMOTEIP=192.0.2.1 MSA_X_A='a b'
	now=$(date +%s)
	spoold_drain -a 50
	assert_spoold_envelope 'envelope' 1 <<-'X'
		MAIL FROM:<alice@example.net> BODY=8BITMIME
		RCPT TO:<bob@example.org>
		RCPT TO:<carol@example.org>
		COPY TO:<archive@example.net>
	X
	assert_same 'message' "$T/msg" "$T/1.msg"
	deadline=$(sed -n 's/^MSA_DEADLINE=//p' "$T/1.facts")
	assertTrue "a deadline of its own: $deadline" "[ $((deadline - now)) -ge 45 ] && [ $((deadline - now)) -le 90 ]"
	sed -i 's/^MSA_DEADLINE=.*/MSA_DEADLINE=T/' "$T/1.facts"
	printf '%s\n' MSA_DEADLINE=T MSA_HOST=test.example MSA_MESSAGE=M MSA_PARTIAL= MSA_RCPTS=2 MSA_SESSION=S 'MSA_X_A=a b' \
		SMTPAUTHUSER=alice SSL_PROTOCOL=TLSv1.3 TCPREMOTEIP=192.0.2.1 | LC_ALL=C sort >"$T/expected"
	LC_ALL=C sort -o "$T/1.facts" "$T/1.facts"
	assert_same 'facts' "$T/expected" "$T/1.facts"
	assert_spoold_runs 'once' 1
	assert_spoold_logs "^spoold: S/M done id=$id reached=2 failed=0 ms=[0-9]*\$"
	assertEquals 'nothing is left' '' "$(find "$T/spool" -mindepth 2)"
}

test_of_a_reply_900_octets_are_kept() {
	spoold_answers 1 "450 4.2.2 $(text_repeat 901 y)"
	spoold_put
	spoold_start -b 1000:2000
	wait_until spoold_logs waiting=1
	assertEquals 900 "$(spoold_known cur | sed -n 's/^rcpt 1 waiting untold 450 4.2.2 //p' | tr -d '\n' | wc -c)"
	spoold_stop
}

test_only_who_waits_is_tried_again() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=NEVER' 'RCPT TO:<carol@example.org>' \
		'RCPT TO:<dave@example.org> ORCPT=rfc822;d@x' 'COPY TO:<archive@example.net>'
	spoold_answers 1 '250 2.0.0 one' '451-4.2.2 Full \ up' '451 4.2.2 now' '450 4.1.1 Later'
	spoold_put
	spoold_start -b 1000:2000
	wait_until spoold_logs waiting=2
	cat >"$T/expected" <<-'X'
		spool 1
		arrived T
		tried 1
		next T
		rcpt 1 reached told 250 2.0.0 one
		rcpt 2 waiting untold 451 4.2.2 Full \\ up\nnow
		rcpt 3 waiting untold 450 4.1.1 Later
	X
	spoold_known cur >"$T/got"
	assert_same 'what is known' "$T/expected" "$T/got"
	next=$(($(sed -n 's/^next //p' "$T/spool/cur/$id/envelope") - $(date +%s)))
	assertTrue "later, and unevenly: $next" "[ $next -gt 800 ] && [ $next -lt 1200 ]"
	assert_spoold_logs "^spoold: S/M reached id=$id rcpt=bob@example.org reply=\"250 2.0.0 one\"\$"
	assert_spoold_logs "^spoold: S/M deferred id=$id rcpt=carol@example.org reply=\"451 4.2.2 Full .*now\"\$"
	assert_spoold_logs "^spoold: S/M deferred id=$id rcpt=dave@example.org reply=\"450 4.1.1 Later\"\$"
	assert_spoold_logs "^spoold: S/M waiting id=$id reached=1 failed=0 waiting=2 next=[0-9]* reason=\"Full .*now\" ms=[0-9]*\$"
	spoold_stop
	spoold_answers 2 '450 4.1.1 Later' '250 2.0.0 three'
	spoold_start -b 1000:2000
	spool -f "$T/spool"
	wait_until spoold_logs 'reached=2 failed=0 waiting=1'
	assert_spoold_envelope 'the second time, without the copy' 2 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<carol@example.org>
		RCPT TO:<dave@example.org>
	X
	assertEquals 'MSA_RCPTS' 'MSA_RCPTS=2' "$(grep RCPTS "$T/2.facts")"
	next=$(($(sed -n 's/^next //p' "$T/spool/cur/$id/envelope") - $(date +%s)))
	assertTrue "the wait doubles: $next" "[ $next -gt 1700 ]"
	kill -ALRM "$runner_pid"
	wait_until spoold_empty
	assert_spoold_envelope 'the third time' 3 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<carol@example.org>
	X
	assert_spoold_runs 'three attempts, no report' 3
	spoold_stop
}

test_dsn_parameters_stay_here_unless_the_next_hop_knows_them() {
	chain_envelope '<alice@example.net> RET=FULL ENVID=x' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;b@x'
	spoold_put
	spoold_drain
	assert_spoold_envelope 'without' 1 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<bob@example.org>
	X
	assert_spoold_envelope 'the report' 2 <<-'X'
		MAIL FROM:<>
		RCPT TO:<alice@example.net>
	X
	assert_spoold_status 'relayed' 2 <<-'X'
		Subject: Message handed on
		Original-Envelope-Id: x
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE
		Original-Recipient: rfc822; b@x
		Final-Recipient: rfc822; bob@example.org
		Action: relayed
		Status: 2.0.0
	X
	spoold_put
	spoold_drain -d
	assertEquals 'delivered' 'Action: delivered' "$(tr -d '\r' <"$T/4.msg" | grep '^Action')"
	spoold_put
	spoold_drain -k 'DSN,PIPELINING'
	assert_spoold_envelope 'with' 5 <<-'X'
		MAIL FROM:<alice@example.net> RET=FULL ENVID=x
		RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;b@x
	X
	assert_spoold_runs 'no report' 5
}

test_the_file_of_offers_is_read_for_each_attempt() {
	chain_envelope '<alice@example.net> RET=FULL BY=9000;N' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS'
	printf 'PIPELINING\nDSN\nDELIVERBY\n' >"$T/offers"
	spoold_answers 1 '451 4.3.3 Not now'
	spoold_put
	spoold_start -b 1000:1000 -k "@$T/offers"
	wait_until spoold_logs 'waiting id='
	assertTrue "both go on: $(cat "$T/1.env")" \
		"grep -q '^MAIL FROM:<alice@example.net> RET=FULL BY=[0-9]*;N\$' $T/1.env && grep -q ' NOTIFY=SUCCESS\$' $T/1.env"
	echo PIPELINING >"$T/offers"
	kill -ALRM "$runner_pid"
	wait_until spoold_empty
	assert_spoold_envelope 'the next hop has lost both' 2 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<bob@example.org>
	X
	assertEquals 'so the report is ours' 'Action: relayed' "$(tr -d '\r' <"$T/3.msg" | grep '^Action')"
	rm "$T/offers"
	spoold_put
	wait_until [ -e "$T/5.done" ]
	wait_until spoold_empty
	assertEquals 'a missing file has no keywords' 'RCPT TO:<bob@example.org>' "$(tail -n 1 "$T/4.env")"
	assertFalse 'and is no fault' 'spoold_logs " failed reason"'
	echo 'DSN 8BITMIME' >"$T/offers"
	spoold_put
	wait_until [ -e "$T/7.done" ]
	wait_until spoold_empty
	assertEquals 'nor has one that cannot be used' 'RCPT TO:<bob@example.org>' "$(tail -n 1 "$T/6.env")"
	assert_spoold_logs "^spoold: S/M failed reason=\"$T/offers: not keywords with newlines between\"\$"
	spoold_stop
	spoold_put
	spoold_drain -k "@$T/offers,DSN"
	assertEquals 'but what follows the name counts' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS' "$(tail -n 1 "$T/8.env")"
	assert_spoold_runs 'in all' 8
}

# What the injector has just learned is treated as at a hop without it: neither refused for two hours nor returned.
test_a_next_hop_that_has_lost_dsn_gets_the_message_at_the_second_attempt() {
	chain_envelope '<alice@example.net> RET=FULL' 'RCPT TO:<bob@example.org> NOTIFY=FAILURE'
	echo DSN >"$T/offers"
	spoold_put
	lmtpd_start -n 100 -e PIPELINING,ENHANCEDSTATUSCODES
	: >"$T/ready.spoold"
	MSA_HOST=test.example spoold -R 3 -b 1:1 -k "@$T/offers" "$T/spool" lmtp-inject -o "$T/offers" "$T/s" \
		3>"$T/ready.spoold" 2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	residents="$residents $!"
	wait_until spoold_empty
	assertTrue 'once 451' "spoold_logs 'deferred id=.* reply=.451 4.3.3 '"
	assertTrue 'then taken' "spoold_logs ' reached id=.* reply=.250 '"
	assertFalse 'nothing is refused' 'spoold_logs "^spoold: .* refused "'
	spoold_stop
	kill "$lmtpd_pid" 2>/dev/null
	wait "$lmtpd_pid" 2>/dev/null
	rm -f "$T/s"
}

test_who_is_refused_is_reported_at_once_and_the_others_are_tried_again() {
	chain_envelope '<alice@example.net> RET=FULL ENVID=x' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' \
		'RCPT TO:<dave@example.org> NOTIFY=SUCCESS,DELAY' 'RCPT TO:<erin@example.org> NOTIFY=FAILURE'
	spoold_answers 1 '450 4.1.1 Later' '550 5.1.1 No such user' '551 5.1.6 Moved' '552 5.2.2 Full'
	spoold_answers 3 '250 2.0.0 ok'
	spoold_put SMTPAUTHUSER=alice TCPREMOTEIP=192.0.2.1
	spoold_drain -b 1:1 -n 1
	assert_spoold_envelope 'the report' 2 <<-'X'
		MAIL FROM:<>
		RCPT TO:<alice@example.net>
	X
	assert_spoold_status 'one report' 2 <<-'X'
		Subject: Message not delivered to every recipient
		Original-Envelope-Id: x
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE
		Final-Recipient: rfc822; carol@example.org
		Action: failed
		Status: 5.1.1
		Diagnostic-Code: smtp; 550 5.1.1 No such user
		Final-Recipient: rfc822; erin@example.org
		Action: failed
		Status: 5.2.2
		Diagnostic-Code: smtp; 552 5.2.2 Full
	X
	assertTrue 'RET=FULL' "tr -d '\r' <$T/2.msg | grep -qx Hello"
	grep -v '^MSA_\(DEADLINE\|MESSAGE\)=' "$T/2.facts" >"$T/got"
	printf '%s\n' MSA_HOST=test.example MSA_PARTIAL= MSA_RCPTS=1 MSA_SESSION=S >"$T/expected"
	assert_same 'nothing of the client' "$T/expected" "$T/got"
	assert_spoold_logs "^spoold: S/M refused id=$id rcpt=carol@example.org reply=\"550 5.1.1 No such user\"\$"
	assert_spoold_logs "spoold: S/M untold code=551 rcpt=dave@example.org reason=Moved"
	assert_spoold_envelope 'the others' 3 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<bob@example.org>
	X
	assert_spoold_runs 'all' 3
}

test_a_private_log_has_no_addresses() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org> NOTIFY=NEVER'
	spoold_answers 1 '250 2.0.0 <bob@example.org> Ok: 84A30' '550 5.1.1 carol@example.org: unknown'
	spoold_put MSA_PRIVATE=1
	spoold_drain
	assert_spoold_logs "^spoold: S/M reached id=$id reply=\"250 2.0.0 <?> Ok: 84A30\"\$"
	assert_spoold_logs "^spoold: S/M refused id=$id reply=\"550 5.1.1 ?: unknown\"\$"
	assert_spoold_logs '^spoold: S/M untold code=550 reason="?: unknown"$'
	assertFalse "an address: $(cat "$T/spoold.log")" "grep -q @ '$T/spoold.log'"
}

test_there_is_no_report_about_a_report() {
	chain_envelope '<>' 'RCPT TO:<bob@example.org>'
	spoold_answers 1 '550 5.1.1 No such user'
	spoold_put
	spoold_drain
	assert_spoold_runs 'nothing else' 1
	assert_spoold_logs 'untold code=550 rcpt=bob@example.org reason="No such user"'
}

test_a_delay_is_reported_once() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org> NOTIFY=FAILURE'
	spoold_answers 1 '450 4.2.2 Full' '450 4.2.2 Full'
	for n in 2 3 4 5 6; do
		spoold_answers "$n" '450 4.2.2 Full'
	done
	spoold_answers 2 '250 2.0.0 the report'
	spoold_put
	spoold_age 100
	spoold_start -b 1:1 -w 100 -n 1
	wait_until [ -e "$T/4.done" ]
	assert_spoold_status 'delayed' 2 <<-'X'
		Subject: Message delayed
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE
		Final-Recipient: rfc822; bob@example.org
		Action: delayed
		Status: 4.2.2
		Diagnostic-Code: smtp; 450 4.2.2 Full
		Will-Retry-Until: DATE
	X
	for n in 3 4; do
		assertEquals "$n is no report" 'MAIL FROM:<alice@example.net>' "$(head -n 1 "$T/$n.env")"
	done
	assertEquals 'told' 'rcpt 1 waiting told 450 4.2.2 Full rcpt 2 waiting told 450 4.2.2 Full ' \
		"$(spoold_known cur | sed -n '/^rcpt/p' | tr '\n' ' ')"
	spoold_stop
}

# The end of its life, and its delay: not only when the back-off is over.
test_the_next_attempt_comes_when_something_must_be_reported() {
	spoold_answers 1 '450 4.2.2 Full'
	for options in '-t 600 -w 0' '-t 100000 -w 600'; do
		rm -rf "$T/spool"/*/* "$T"/run.*
		: >"$T/spoold.log"
		spoold_put
		spoold_age 3
		# shellcheck disable=SC2086
		spoold_start -b 1000:1000 $options -n 1
		wait_until spoold_logs waiting=1
		spoold_stop
		assertEquals "$options: seconds after its arrival" 600 \
			"$(awk '{ t[$1] = $2 } END { print t["next"] - t["arrived"] }' "$T/spool/cur/$id/envelope")"
	done
}

test_at_the_end_of_its_life_a_message_has_failed() {
	spoold_answers 1 '451-4.2.2 Full' '451 4.2.2 still'
	spoold_put
	spoold_age 100
	spoold_drain -t 100 -n 1
	assert_spoold_status 'failed, with the last reply' 2 <<-'X'
		Subject: Message not delivered to every recipient
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE
		Final-Recipient: rfc822; bob@example.org
		Action: failed
		Status: 4.2.2
		Diagnostic-Code: smtp; 451 4.2.2 Full
		 451 4.2.2 still
	X
	assert_spoold_runs 'one more attempt, and the report' 2
	assert_spoold_logs "^spoold: S/M expired id=$id rcpt=bob@example.org reply=\"451 4.2.2 Full.x0astill\"\$"
}

test_deliverby_has_its_clock() {
	chain_envelope '<alice@example.net> BY=120;R' 'RCPT TO:<bob@example.org>'
	spoold_put
	spoold_age 100
	spoold_drain
	left=$(sed -n 's/^MAIL FROM:<alice@example.net> BY=\([0-9]*\);R$/\1/p' "$T/1.env")
	assertTrue "what is left of 20 s: $left" "[ ${left:-0} -ge 1 ] && [ ${left:-99} -le 20 ]"
	spoold_put
	spoold_age 200
	spoold_drain
	assert_spoold_status 'R, too late: nobody tries' 2 <<-'X'
		Subject: Message not delivered to every recipient
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE
		Final-Recipient: rfc822; bob@example.org
		Action: failed
		Status: 5.4.7
		Diagnostic-Code: smtp; 550 5.4.7 Not delivered within the time asked for
	X
	assert_spoold_runs 'R' 2
	spoold_put
	spoold_drain -d
	assert_spoold_envelope 'where the next hop delivers it is fulfilled' 3 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<bob@example.org>
	X
	chain_envelope '<alice@example.net> BY=60;NT' 'RCPT TO:<bob@example.org>'
	spoold_answers 4 '450 4.2.2 Full'
	spoold_put
	spoold_age 100
	spoold_drain -n 1 -b 1:1
	assertEquals 'N, too late: the delay is reported' 'Action: delayed' "$(tr -d '\r' <"$T/5.msg" | grep '^Action')"
	assert_spoold_envelope 'N goes on without it' 6 <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<bob@example.org>
	X
	spoold_put
	spoold_age 100
	spoold_drain -k DELIVERBY
	assertTrue "N with it, in the past: $(head -n 1 "$T/7.env")" "grep -q '^MAIL FROM:<alice@example.net> BY=-[0-9]*;NT\$' $T/7.env"
}

test_other_obligations_go_on() {
	chain_envelope '<alice@example.net> SMTPUTF8 BODY=BINARYMIME MT-PRIORITY=3 REQUIRETLS' 'RCPT TO:<bob@example.org>'
	spoold_put
	spoold_drain
	assertEquals "$(cat "$T/env")" "$(cat "$T/1.env")"
}

test_the_oldest_due_is_first_and_no_more_than_n_are_tried_at_once() {
	: >"$T/hold"
	for n in 1 2 3 4; do
		chain_envelope "<a$n@example.net>" 'RCPT TO:<bob@example.org>'
		spoold_put
		sed -i "s/^next .*/next $((1000 - n))/" "$T/spool/new/$id/envelope"
	done
	spoold_start -n 3
	wait_until [ -e "$T/3.begun" ]
	sleep 0.5
	assert_spoold_runs 'three' 3
	rm "$T/hold"
	wait_until spoold_empty
	spoold_stop
	rm -rf "$T"/run.*
	for n in 1 2 3 4; do
		chain_envelope "<a$n@example.net>" 'RCPT TO:<bob@example.org>'
		spoold_put
		sed -i "s/^next .*/next $((1000 - n))/" "$T/spool/new/$id/envelope"
	done
	spoold_drain -n 1
	assertEquals 'order' 'a4 a3 a2 a1 ' "$(sed -n 's/^MAIL FROM:<\(..\)@.*/\1/p' "$T/1.env" "$T/2.env" "$T/3.env" "$T/4.env" | tr '\n' ' ')"
}

# Ids sort by the time of a message, and within a second somehow.
test_of_those_that_are_due_at_once_the_oldest_message_is_first() {
	for n in 1 2 3 4 5 6; do
		chain_envelope "<a$n@example.net>" 'RCPT TO:<bob@example.org>'
		spoold_put
		sed -i 's/^next .*/next 1000/' "$T/spool/new/$id/envelope"
		echo "$id a$n"
	done | sort | cut -d ' ' -f 2 >"$T/want"
	spoold_drain -n 1
	for n in 1 2 3 4 5 6; do
		sed -n 's/^MAIL FROM:<\(..\)@.*/\1/p' "$T/$n.env"
	done >"$T/got"
	assert_same 'order' "$T/want" "$T/got"
}

test_misuse() {
	for args in '' "$T/spool" '-a 7201 d true' '-n 0 d true' '-b 60 d true' '-b 60:1 d true' '-t x d true' '-w -1 d true' '-f x d true' \
		'-q x d true' '-k 8BITMIME;DSN d true' '-x d true'; do
		# shellcheck disable=SC2086
		spoold $args </dev/null >"$T/out" 2>"$T/log"
		assertEquals "$args" 100 $?
		assertEquals "$args: nothing on fd 1" '' "$(cat "$T/out")"
	done
	spoold "$T/nowhere" true 2>"$T/log"
	assertEquals 'no directory' 111 $?
	chmod 777 "$T/spool"
	spoold "$T/spool" true 2>"$T/log"
	assertEquals 'open to others' 111 $?
	assert_logged "^spoold: - failed reason=\"$T/spool: everybody may write to it\""
}

# shellcheck source=/dev/null
. "$SHUNIT2"
