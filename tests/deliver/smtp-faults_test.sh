#!/bin/sh
# smtp-inject and a server that refuses, drops, stalls or garbles at each step: the right verdict, in time, and nothing is
# sent twice. What LMTP has otherwise is lmtp_test.sh's.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

oneTimeSetUp() {
	cert_server localhost 127.0.0.1 || fail 'openssl makes no certificates'
	smarthost_credentials alice secret
}

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

tab=$(printf '\t')
unsafe='451 4.7.5 Next server cannot be reached securely, try again later'
outside='451 4.7.0 Next server does not let us in, try again later'
lost='451 4.4.2 Next server closed the connection, try again later'
garbled='451 4.3.0 Local error, try again later'
late='451 4.4.7 No answer in time, try again later'

# A session for each line of standard input: a rule, a tab, the verdict. Each is given one message, which is named once.
# usage: each [option ...] -- [option of smtp-inject ...] <table
each() {
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	cat >"$T/table"
	inject_options=$*
	n=0
	set --
	while IFS=$tab read -r rule verdict; do
		n=$((n + 1))
		set -- "$@" "$n/$rule"
	done <"$T/table"
	# shellcheck disable=SC2086
	smarthost_start -n "$n" -t 60 $options "$@"
	while IFS=$tab read -r rule verdict <&4; do
		: >"$T/rec"
		# shellcheck disable=SC2086
		chain_call smtp-inject -t 2 $inject_options "127.0.0.1:$port" 4<&-
		assert_verdict "$rule" "$(printf '%b' "$verdict")"
		assertTrue "$rule: sent once at most" "[ $(grep -c '^Hello' "$T/rec") -le 1 ]"
		assert_logged '^smtp-inject: S/M done '
	done 4<"$T/table"
	lmtpd_ended
}

# What every step can do. usage: every_reply step [keywords] ; and what else, on standard input
every_reply() {
	{
		cat <<-TABLE
		$1=450 4.2.1 Busy	450 4.2.1 Busy
		$1=550-5.7.1 Not\\r\\n550 5.7.1 you	550-5.7.1 Not\\n550 5.7.1 you
		$1=421 4.3.2 Going|close	451 4.3.0 The next server said: 421 4.3.2 Going
		$1=521 5.3.2 No mail	554 5.3.0 The next server said: 521 5.3.2 No mail
		$1=503 5.5.1 Order	554 5.3.0 The next server said: 503 5.5.1 Order
		$1=530 5.7.0 AUTH first	554 5.3.0 The next server said: 530 5.7.0 AUTH first
		$1=raw:hello\\r\\n	$garbled
		$1=raw:250 bare\\n	$garbled
		$1=raw:250-a\\r\\n550 b\\r\\n	$garbled
		$1=close	$lost
		$1=raw:250-half|close	$lost
		TABLE
	} | each -e "${2:-PIPELINING}" -- -p
}

test_greeting() {
	every_reply GREETING
}

test_ehlo() {
	every_reply EHLO
}

test_mail_and_rcpt() {
	every_reply MAIL
	every_reply RCPT
}

test_data_and_its_end() {
	every_reply DATA
	every_reply END
}

test_bdat() {
	every_reply BDAT PIPELINING,CHUNKING
}

test_starttls_and_the_handshake() {
	each -e PIPELINING,STARTTLS -- -c "$T/ca.pem" <<-TABLE
	STARTTLS=454 4.7.0 Not now	$unsafe
	STARTTLS=501 5.5.4 What?	$unsafe
	STARTTLS=250 2.0.0 Ok	$unsafe
	STARTTLS=354 Go on	$unsafe
	STARTTLS=421 4.3.2 Going|close	$unsafe
	STARTTLS=raw:hello\\r\\n	$garbled
	STARTTLS=close	$lost
	STARTTLS=220 Go on|close	$unsafe
	HANDSHAKE=raw:250 2.0.0 Ok\\r\\n	$unsafe
	HANDSHAKE=raw:\\x16\\x03\\x01\\x00	$unsafe
	HANDSHAKE=flood:\\x17\\x03\\x03\\x00\\x01x	$unsafe
	HANDSHAKE=close	$unsafe
	EHLO#2=450 4.3.2 Busy	450 4.3.2 Busy
	EHLO#2=close	$lost
	EHLO#2=raw:hello\\r\\n	$garbled
	TABLE
	each -i -e PIPELINING -- -i -c "$T/ca.pem" <<-TABLE
	HANDSHAKE=220 test SMTP	$unsafe
	HANDSHAKE=close	$unsafe
	GREETING=close	$lost
	GREETING=554 5.3.2 No mail	554 5.3.2 No mail
	TABLE
}

test_auth() {
	each -i -e 'PIPELINING,AUTH,PLAIN' -- -i -c "$T/ca.pem" -a "$T/credentials" <<-TABLE
	EHLO=250-test\\r\\n250 PIPELINING	$outside
	EHLO=250-test\\r\\n250 AUTH CRAM-MD5	$outside
	EHLO=250-test\\r\\n250 AUTH PLAIN\\r\\n250 2.7.0 Ghost	$garbled
	TABLE
	auth_is='EHLO=250-test\r\n250 AUTH PLAIN'
	smarthost_start -i -n 8 -t 60 "$auth_is" '1/AUTH=454 4.7.0 Not now' '2/AUTH=535 5.7.8 Who?' '3/AUTH=250 2.0.0 Ok' \
		'4/AUTH=close' '5/AUTH=raw:hello\r\n' '6/AUTH=334 ' '6/RESPONSE=334 bW9yZQ==' '7/AUTH=stall' \
		'8/AUTH=235 2.7.0 Ok\r\n235 2.7.0 Ghost'
	for verdict in "$outside" "$outside" "$outside" "$lost" "$garbled" "$outside" "$late" "$garbled"; do
		chain_call smtp-inject -i -t 2 -c "$T/ca.pem" -a "$T/credentials" "127.0.0.1:$port"
		assert_verdict "AUTH: $verdict" "$verdict"
	done
	lmtpd_ended
	grep -q MAIL "$T/rec"
	assertFalse 'no mail' $?
}

test_a_server_that_stalls_is_given_up_at_the_deadline() {
	start=$(date +%s)
	set --
	steps='GREETING EHLO STARTTLS HANDSHAKE EHLO#2 MAIL RCPT DATA END BDAT'
	for step in $steps; do # all at the same time
		keywords=PIPELINING,STARTTLS
		[ "$step" != BDAT ] || keywords=STARTTLS,CHUNKING
		lmtpd -s -c "$T/server.pem" -e "$keywords" "$step=raw:250-so\r\n|stall" >"$T/ready.$step" 2>/dev/null &
		set -- "$@" $!
	done
	for step in $steps; do
		wait_until [ -s "$T/ready.$step" ]
		MSA_MESSAGE=M MSA_RCPTS=1 smtp-inject -c "$T/ca.pem" -t 3 "$(cat "$T/ready.$step")" \
			<"$T/msg" 3<"$T/env" >"$T/verdict.$step" 2>"$T/log.$step" &
		set -- "$@" $!
	done
	wait "$@"
	assertTrue "took $(($(date +%s) - start)) s" "[ $(($(date +%s) - start)) -le 12 ]"
	for step in $steps; do
		tr -d '\r' <"$T/verdict.$step" >"$T/verdict"
		[ "$step" = HANDSHAKE ] && assert_verdict "$step" "$unsafe" || assert_verdict "$step" "$late"
	done
}

test_endless_replies_end_the_session() {
	each -e PIPELINING -- -p <<-TABLE
	GREETING=flood:220-more\\r\\n	$garbled
	EHLO=flood:250-more\\r\\n	$garbled
	MAIL=flood:250xxxxxxxxxxxxxxxxxxxxxxxxxxxxx	$garbled
	END=flood:\\x00	$garbled
	TABLE
}

test_a_server_that_speaks_unasked() {
	each -e PIPELINING -- -p <<-TABLE
	GREETING=220 a\\r\\n220 b	$garbled
	EHLO=250 test\\r\\n250 2.1.0 Sender ok	$garbled
	RCPT=250 2.1.5 Ok\\r\\n354 Go on	451 4.3.0 The next server said: 354 Go on
	DATA=354 Go on\\r\\n250 2.0.0 Saved	$garbled
	TABLE
	each -e 8BITMIME -- -p <<-TABLE
	DATA=354 Go on\\r\\n250 2.0.0 Saved	$garbled
	TABLE
}

test_a_name_that_nobody_knows_in_time() {
	# The resolver's answer is the reserved name's, or its silence: it has no more time than there is.
	start=$(date +%s)
	chain_call smtp-inject -t 3 smarthost.invalid
	assert_verdict 'verdict' '451 4.4.1 Next server cannot be reached, try again later'
	assertTrue "took $(($(date +%s) - start)) s" "[ $(($(date +%s) - start)) -le 12 ]"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
