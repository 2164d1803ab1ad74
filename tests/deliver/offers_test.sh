#!/bin/sh
# What the next hop offers, from the injector that hears it to the client that is told. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

export MSA_HOST=test.example
OFFERS=$T/run/offers
CHANGED='451 4.3.3 Next server has changed what it supports, try again'

setUp() {
	rm -rf "$T/run" "$T"/*.log
	mkdir "$T/run"
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	lmtpd_pid=
}

tearDown() {
	resident_stop_all
	hop_down
}

# A next hop at $T/s, which offers what is in the file at that time. usage: hop_up [keyword,...]
hop_up() {
	hop_offers "${1-}"
	lmtpd_start -n 100 -e "@$T/hop"
}

hop_offers() {
	echo "$1" >"$T/hop"
}

hop_down() {
	[ -z "$lmtpd_pid" ] || kill "$lmtpd_pid" 2>/dev/null
	wait
	lmtpd_pid=
	rm -f "$T/s"
}

# usage: has_learned keyword,...
has_learned() {
	[ "$(sed '/^$/d' "$OFFERS" 2>/dev/null | paste -sd,)" = "$1" ]
}

# usage: assert_learned what keyword,...
assert_learned() {
	assertEquals "$1" "$2" "$(sed '/^$/d' "$OFFERS" | paste -sd,)"
}

# The offers changed so long ago. usage: offers_age seconds
offers_age() {
	touch -d "@$(($(date +%s) - $1))" "$OFFERS"
}

test_each_session_keeps_what_it_hears_if_that_differs() {
	hop_up 'PIPELINING,SIZE 1000,8BITMIME,DSN,STARTTLS,AUTH PLAIN,LIMITS RCPTMAX=5,XFOO'
	chain_call lmtp-inject -o "$OFFERS" "$T/s"
	assert_verdict 'delivered' '250 2.0.0 Saved'
	assert_learned 'what is for others' 'PIPELINING,SIZE 1000,8BITMIME,DSN'
	assert_logged "^lmtp-inject: S/M learned from=$T/s file=$OFFERS\$"
	offers_age 100000
	chain_call lmtp-inject -o "$OFFERS" "$T/s"
	assertEquals 'nothing new' 0 "$(grep -c learned "$T/log")"
	assertTrue 'not written' "[ $(($(date +%s) - $(date -r "$OFFERS" +%s))) -ge 100000 ]"
	hop_offers DSN
	chain_call lmtp-inject -o "$OFFERS" "$T/s"
	assert_learned 'less' DSN
	hop_offers ''
	chain_call lmtp-inject -o "$OFFERS" -n "$T/s"
	assert_learned 'nothing, heard by a check' ''
}

test_k_keeps_them_too() {
	hop_up 8BITMIME,STARTTLS
	lmtp-inject -k -o "$OFFERS" "$T/s" >"$T/out" 2>"$T/log"
	assertEquals 'exit code' 0 $?
	assertEquals 8BITMIME "$(cat "$T/out")"
	assert_learned 'the file' 8BITMIME
	hop_down
	lmtp-inject -k -o "$OFFERS" "$T/s" >"$T/out" 2>"$T/log"
	assertEquals 'nobody listens' 111 $?
	assert_learned 'the file stays' 8BITMIME
}

test_a_file_that_cannot_be_written_is_misuse() {
	hop_up ''
	mkdir "$T/run/d"
	chain_call lmtp-inject -o "$T/run/d" "$T/s"
	assertEquals 'exit code' 111 "$code"
	assert_verdict 'verdict' '451 4.3.0 Local error, try again later'
	assertEquals "lmtp-inject: $T/run/d: Is a directory" "$(cat "$T/log")"
	lmtp-inject -l "$T/in" -o "$T/run/none/f" "$T/s" 2>"$T/log"
	assertEquals 'a resident does not start' 100 $?
	assertEquals "lmtp-inject: $T/run/none/f: No such file or directory" "$(cat "$T/log")"
}

# usage: answers reply
answers() {
	chain_call lmtp-inject -o "$OFFERS" "$T/s"
	assert_verdict "$(cat "$T/env")" "$1"
}

# What the server lacks, not long after the offers have changed, and later. usage: lacks reply
lacks() {
	rm -f "$OFFERS"
	answers "$CHANGED"
	assertEquals 'exit code' 111 "$code"
	offers_age 7100
	answers "$CHANGED"
	offers_age 7200
	answers "$1"
	assertEquals 'exit code later' 100 "$code"
	chain_call lmtp-inject "$T/s"
	assert_verdict "without -o: $(cat "$T/env")" "$1"
}

test_what_the_server_lacks_is_451_for_the_time_of_a_session() {
	hop_up ENHANCEDSTATUSCODES
	chain_envelope '<alice@example.net> RET=HDRS' 'RCPT TO:<bob@example.org>'
	lacks '554 5.3.3 Next server does not support RET'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=NEVER'
	lacks '554 5.3.3 Next server does not support NOTIFY'
	chain_envelope '<alice@example.net> BY=60;R' 'RCPT TO:<bob@example.org>'
	lacks '554 5.3.3 Next server does not support BY'
	chain_envelope '<alice@example.net> SMTPUTF8' 'RCPT TO:<bob@example.org>'
	lacks '550 5.6.7 Non-ASCII address, but SMTPUTF8 was not given or is not available'
	chain_envelope '<alice@example.net> REQUIRETLS' 'RCPT TO:<bob@example.org>'
	lacks '550 5.7.30 Next server does not support REQUIRETLS'
	chain_envelope '<alice@example.net> BODY=BINARYMIME' 'RCPT TO:<bob@example.org>'
	lacks '554 5.6.3 Next server does not take binary data'
	chain_message 'Subject: test\r\n\r\nHell\303\266\r\n'
	chain_envelope '<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>'
	lacks '554 5.6.3 Next server does not take 8-bit data'
}

test_a_message_over_the_size_is_552_at_once() {
	hop_up 'SIZE 10'
	answers '552 5.3.4 Message too big'
}

# The worker's session began when the server had no DSN.
test_a_kept_session_refuses_nothing_that_a_new_one_takes() {
	hop_up ENHANCEDSTATUSCODES
	resident_start in lmtp-inject -P 1:1 -o "$OFFERS" "$T/s"
	wait_until has_learned ENHANCEDSTATUSCODES
	offers_age 100000
	chain_call call "$T/in"
	assert_verdict 'a session is kept' '250 2.0.0 Saved'
	hop_offers ENHANCEDSTATUSCODES,DSN
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=NEVER'
	chain_call call "$T/in"
	assert_verdict 'another decides' '250 2.0.0 Saved'
	assert_learned 'and is heard' ENHANCEDSTATUSCODES,DSN
}

test_a_resident_asks_by_itself_as_soon_as_the_server_answers() {
	resident_start in lmtp-inject -o "$OFFERS" "$T/s"
	assertTrue 'the file is there' "[ -f $OFFERS ]"
	wait_until grep -q 'failed to=.* at=connect' "$T/in.log"
	hop_up 8BITMIME,DSN
	wait_until has_learned 8BITMIME,DSN
	wait_until grep -q "^lmtp-inject: - learned from=$T/s file=$OFFERS\$" "$T/in.log"
	hop_offers DSN
	kill -HUP "$in_pid"
	wait_until has_learned DSN
	rm "$OFFERS"
	kill -HUP "$in_pid"
	wait_until has_learned DSN
	resident_stop in
	assertEquals 'it asks and leaves' 'LHLO QUIT' "$(tr -d '\r' <"$T/rec" | sed 's/ .*//' | sort -u | paste -sd' ')"
}

# The pauses grow while the server is down: 1, 2, 4 ... 60 s.
test_a_resident_asks_again_every_five_minutes() {
	clock_starts || return 0
	: >"$T/ready"
	"$T/timed" lmtp-inject -o "$OFFERS" -l "$T/in" -R 3 "$T/s" 3>"$T/ready" 2>>"$T/in.log" </dev/null &
	in_pid=$!
	residents=$in_pid
	at=0
	for pause in 1 2 4 8 16 32 60 60; do
		clock_awaits lmtp-inject ${pause}000
		at=$((at + pause))
		: >"$WAITS"
		[ "$at" -lt 180 ] || hop_up DSN
		clock_at $at
	done
	clock_awaits lmtp-inject 300000
	assert_learned 'the server is up' DSN
	hop_offers SMTPUTF8
	: >"$WAITS"
	clock_at $((at + 300))
	clock_awaits lmtp-inject 300000
	assert_learned 'the next time' SMTPUTF8
}

# The whole way, in each form. usage: serve form; session: a session with it
serve() {
	rm -f "$OFFERS"
	MSA_EHLO=@$OFFERS
	export MSA_EHLO
	set -- "$1" -i 0 -o "$OFFERS" "$T/s"
	case $1 in
	execd)
		shift
		set -- submitd lmtp-inject "$@"
		lmtp-inject -k -o "$OFFERS" "$T/s" >/dev/null 2>&1
		;;
	resident)
		shift
		resident_start in lmtp-inject "$@"
		resident_start submit submitd call "$T/in"
		set -- call "$T/submit"
		;;
	inline)
		shift
		program_lines inline_submitd "exec inline submitd \"\$@\""
		resident_start submit "$T/inline_submitd" lmtp-inject "$@"
		set -- call "$T/submit"
		;;
	esac
	chain=$*
}

# One message; $T/out. usage: session [MAIL-parameters [RCPT-parameters]]
session() {
	# shellcheck disable=SC2086
	printf '%s\n' '<' '> EHLO client.example' '<' "> MAIL FROM:<alice@example.net>${1-}" '<' \
		"> RCPT TO:<bob@example.org>${2-}" '<' '> DATA' '<' '> Subject: x' '> ' '> .' '<' '> QUIT' '<<' |
		RELAYCLIENT='' TCPREMOTEIP=192.0.2.1 talk $chain >"$T/raw" 2>"$T/log"
	sed 's/message [0-9a-z]\{14\}$/message ID/' "$T/raw" >"$T/out"
}

# usage: offered
offered() {
	sed -n '/^250.\(8BITMIME\|DSN\|SMTPUTF8\)$/s/^250.//p' "$T/out" | paste -sd,
}

said() {
	sed -n '/^250 [A-Z]/,$p' "$T/out" | sed 1d
}

test_a_lost_offer_is_451_once_and_then_not_offered() {
	for form in execd resident inline; do
		hop_up ENHANCEDSTATUSCODES,8BITMIME,DSN,SMTPUTF8
		serve $form
		wait_until has_learned 8BITMIME,ENHANCEDSTATUSCODES,DSN,SMTPUTF8
		session ' RET=HDRS'
		assertEquals "$form: all" 8BITMIME,DSN,SMTPUTF8 "$(offered)"
		assertEquals "$form: it passes" '250 2.1.0 Sender ok
250 2.1.5 Recipient ok
354 End data with <CR><LF>.<CR><LF>
250 2.0.0 Ok, message ID
221 2.0.0 Bye
EOF' "$(said)"
		hop_offers ENHANCEDSTATUSCODES,8BITMIME
		session ' RET=HDRS'
		assertEquals "$form: the server lost DSN" "250 2.1.0 Sender ok
250 2.1.5 Recipient ok
354 End data with <CR><LF>.<CR><LF>
$CHANGED
221 2.0.0 Bye
EOF" "$(said)"
		session ' RET=HDRS'
		assertEquals "$form: not offered any more" 8BITMIME "$(offered)"
		assertEquals "$form: and refused" '555 5.5.4 Parameter not recognized or not implemented: RET
503 5.5.1 Bad sequence of commands
503 5.5.1 Bad sequence of commands' "$(said | head -n 3)"
		hop_offers ENHANCEDSTATUSCODES,SMTPUTF8
		session
		session
		assertEquals "$form: gained by an ordinary message" SMTPUTF8 "$(offered)"
		resident_stop_all
		hop_down
	done
}

test_a_service_starts_while_the_next_hop_is_down() {
	for form in execd resident inline; do
		serve $form
		session
		assertEquals "$form: what needs no next hop" '' "$(offered)"
		assertEquals "$form: 451" '451 4.4.1 Next server cannot be reached, try again later' "$(said | sed -n 4p)"
		hop_up 8BITMIME,SMTPUTF8
		[ $form != execd ] || session
		wait_until has_learned 8BITMIME,SMTPUTF8
		session
		assertEquals "$form: the next hop is up" 8BITMIME,SMTPUTF8 "$(offered)"
		resident_stop_all
		hop_down
	done
}

test_more_keywords_follow_the_file() {
	hop_up 8BITMIME
	serve execd
	MSA_EHLO=$MSA_EHLO,DSN session
	assertEquals 8BITMIME,DSN "$(offered)"
}

test_a_file_that_cannot_be_used_is_logged_and_the_service_goes_on() {
	hop_up 8BITMIME
	serve execd
	chmod 646 "$OFFERS"
	session
	assertEquals 'offers' '' "$(offered)"
	assert_logged "^submitd: [0-9a-z]* failed reason=\"MSA_EHLO: $OFFERS: everybody may write to it\"\$"
	chmod 644 "$OFFERS"
	echo '8BITMIME DSN' >"$OFFERS"
	session
	assert_logged "MSA_EHLO: $OFFERS: not keywords with newlines between"
}

test_an_invalid_list_is_421() {
	echo secret | msa-passwd "$T/users.cdb" alice
	for stage in submitd "authd -u $T/users.cdb"; do
		# shellcheck disable=SC2086
		printf '<<\n' | MSA_EHLO='SMTPUTF8 DSN' RELAYCLIENT='' talk $stage true >"$T/out" 2>"$T/log"
		assertEquals "$stage" '421 4.3.0 Local trouble, closing the connection' "$(head -n 1 "$T/out")"
		assert_logged 'misuse reason="MSA_EHLO is invalid: not keywords with commas or newlines between"'
	done
}

# RFC 3461 5.2.2: no parameters for a server without DSN, and a report "relayed" to whoever asked for success.
test_bounce_looks_into_the_file_for_each_message() {
	hop_up ENHANCEDSTATUSCODES,DSN
	serve execd
	MSA_EHLO=$MSA_EHLO,DSN
	chain="submitd bounce -k @$OFFERS lmtp-inject -i 0 -o $OFFERS $T/s"
	session '' ' NOTIFY=SUCCESS'
	assertEquals 'it passes' 1 "$(grep -c 'RCPT TO:.* NOTIFY=SUCCESS' "$T/rec")"
	hop_offers ENHANCEDSTATUSCODES
	session '' ' NOTIFY=SUCCESS'
	assertEquals 'the server lost DSN' "$CHANGED" "$(said | sed -n 4p)"
	: >"$T/rec"
	session '' ' NOTIFY=SUCCESS'
	assertEquals 'delivered' '250 2.0.0 Ok, message ID' "$(said | sed -n 4p)"
	assertEquals 'without the parameter' 0 "$(grep -c 'NOTIFY=' "$T/rec")"
	assertEquals 'and relayed' 1 "$(grep -c '^Action: relayed' "$T/rec")"
}

test_bounce_takes_no_invalid_list() {
	chain_call bounce -k 'DSN SMTPUTF8' true
	assertEquals 111 "$code"
	assertEquals 'bounce: DSN SMTPUTF8: not keywords with commas or newlines between' "$(cat "$T/log")"
}

. "$SHUNIT2"
