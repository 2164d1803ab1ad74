#!/bin/sh
# smtp-inject, resident: the session that a worker keeps for its next message, and the helpers that belong to it.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/smarthost.sh
. "$ROOT/tests/lib/smarthost.sh"

yes='250 2.0.0 Saved'

# A resident that keeps its session. usage: keep option ...
keep() {
	: >"$T/in.log"
	smtp-inject -c "$T/ca.pem" -P 1:1 -l "$T/in" "$@" 2>"$T/in.log" &
	resident=$!
	wait_until [ -s "$T/in.log" ]
}

let_go() {
	kill "$resident"
	wait "$resident"
	resident=
}

test_a_session_under_tls_is_kept() {
	smarthost_start -e PIPELINING,STARTTLS -E 'PIPELINING,AUTH PLAIN' 'DATA#2=451 4.3.0 Not now'
	keep -a "$T/credentials" "127.0.0.1:$port"
	for reply in "$yes" '451 4.3.0 Not now' "$yes" "$yes"; do
		chain_call call "$T/in"
		assert_verdict "$reply" "$reply"
	done
	let_go
	lmtpd_ended
	assertEquals 'verbs' 'EHLO STARTTLS EHLO AUTH MAIL RCPT DATA MAIL RCPT DATA RSET MAIL RCPT DATA MAIL RCPT DATA QUIT ' \
		"$(grep -o '^[A-Z]\{4,8\}' "$T/rec" | tr '\n' ' ')"
	assertEquals 'log' '' "$(grep -E 'failed|lost' "$T/in.log")"
}

test_a_kept_session_that_has_ended_is_opened_anew() {
	smarthost_start -e PIPELINING,STARTTLS -n 3 "1/END=$yes|close" "2/END=$yes\\r\\n421 4.4.2 Idle|close" '3/END#2=close'
	keep "127.0.0.1:$port"
	for reply in "$yes" "$yes" "$yes" '451 4.4.2 Next server closed the connection, try again later'; do
		chain_call call "$T/in"
		assert_verdict "$reply" "$reply"
	done
	let_go
	lmtpd_ended
	assertEquals 'texts' 4 "$(grep -c '^Hello' "$T/rec")"
	assertEquals 'handshakes' 3 "$(grep -c TLS.$ "$T/rec")"
}

test_the_helpers_are_gone_with_the_session() {
	smarthost_start -e PIPELINING,STARTTLS -n 2
	keep -I 1 "127.0.0.1:$port"
	chain_call call "$T/in"
	assert_verdict 'verdict' "$yes"
	worker=$(pgrep -P "$resident" | head -n 1)
	starter=$(pgrep -P "$worker")
	wait_until eval '[ -z "$(ps -o comm= --ppid "$starter")" ]' # after the idle limit
	chain_call call "$T/in"
	assert_verdict 'again' "$yes"
	let_go
	lmtpd_ended
	assertEquals 'sessions end in QUIT' 2 "$(grep -c '^QUIT' "$T/rec")"
}

test_a_supervisors_sigterm_to_all_of_them_ends_no_session() {
	smarthost_start -e PIPELINING,STARTTLS 'RCPT#2=sleep:1|250 2.1.5 Ok'
	keep "127.0.0.1:$port"
	chain_call call "$T/in"
	assert_verdict 'first' "$yes"
	worker=$(pgrep -P "$resident" | head -n 1)
	starter=$(pgrep -P "$worker")
	helper=$(pgrep -P "$starter")
	{
		wait_until eval '[ "$(grep -c ^RCPT "$T/rec")" -eq 2 ]'
		kill -TERM "$resident" "$worker" "$starter" "$helper"
	} &
	chain_call call "$T/in"
	assert_verdict 'the message in hand' "$yes"
	wait "$resident"
	resident=
	lmtpd_ended
	assertEquals 'the session ends in QUIT' QUIT "$(tail -n 1 "$T/rec" | tr -d '\r')"
}

test_a_worker_that_is_killed_takes_its_helpers_with_it() {
	smarthost_start -e PIPELINING,STARTTLS -n 2
	keep "127.0.0.1:$port"
	chain_call call "$T/in"
	assert_verdict 'verdict' "$yes"
	worker=$(pgrep -P "$resident" | head -n 1)
	starter=$(pgrep -P "$worker")
	helper=$(pgrep -P "$starter")
	assertEquals 'TLS has a process of its own' tlsc "$(ps -o comm= -p "$helper")"
	# shellcheck disable=SC2012 # numbers
	assertEquals 'and no descriptors but its own' '0 1 2 3 ' "$(ls "/proc/$helper/fd" | sort -n | tr '\n' ' ')"
	kill -KILL "$worker"
	assert_proc_gone "$starter $helper"
	chain_call call "$T/in"
	assert_verdict 'the next worker' "$yes"
	let_go
	lmtpd_ended
}

# The injector dies with the text half sent: the server has no end of it, and nothing counts as delivered.
test_an_injector_that_is_killed_in_the_text_has_delivered_nothing() {
	python3 -c 'print(("x" * 78 + "\r\n") * 200000, end="")' >"$T/msg"
	smarthost_start -i -e PIPELINING 'TEXT=sleep:1|stall'
	MSA_MESSAGE=M MSA_RCPTS=1 smtp-inject -i -c "$T/ca.pem" "127.0.0.1:$port" <"$T/msg" 3<"$T/env" >"$T/out" 2>"$T/log" &
	injector=$!
	wait_until grep -qs '^DATA' "$T/rec"
	sleep 0.2
	kill -KILL "$injector"
	wait "$injector" 2>/dev/null
	lmtpd_ended
	grep -q '^\.' "$T/rec"
	assertFalse 'no dot' $?
	assertEquals 'no verdict' '' "$(cat "$T/out")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
