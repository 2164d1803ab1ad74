#!/bin/sh
# A next hop that stops answering at each step: the client of the chain has its 4yz in time all the same.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1
seconds=8   # from the end of the data to the answer, for submitd
generous=30 # and what a loaded machine may need for it

# A chain, and a server with these rules, side by side with others: $T/NAME is what the client heard from the end of the
# data on, and the seconds that it waited. usage: started name chain -- [lmtpd's options and rules]
started() {
	name=$1
	chain=$2
	shift 3
	lmtpd -u "$T/s.$name" -n 3 -t 60 -r "$T/rec.$name" "$@" >"$T/ready.$name" 2>&1 &
	servers="$servers $!"
	wait_until [ -s "$T/ready.$name" ]
	held "$name" "$chain" &
	clients="$clients $!"
}

# shellcheck disable=SC2086
held() {
	begun=$(date +%s)
	RELAYCLIENT='' TMPDIR=$T talk -x submitd -t "$seconds" $2 "$T/s.$1" <<-E2 >"$T/said.$1" 2>"$T/log.$1"
		> ${MSA_LMTP-E}${MSA_LMTP+L}HLO client.example
		> MAIL FROM:<alice@example.net>
		> RCPT TO:<bob@example.org>
		> RCPT TO:<carol@example.org>
		> DATA
		> Subject: x
		>
		> Hello
		> .
		> QUIT
		<<
	E2
	{
		sed -n '/^354 /,/^221 /{/^354 /d; /^221 /d; s/ message .*//; p}' "$T/said.$1"
		tail -n 1 "$T/said.$1"
	} >"$T/answer.$1"
	echo $(($(date +%s) - begun)) >"$T/took.$1"
}

# All at the same time: what each test asks about is in a list of its own.
oneTimeSetUp() {
	servers='' clients='' silent='' unreported=''
	for step in GREETING LHLO MAIL RCPT DATA END; do
		silent="$silent lmtp-$step"
		started "lmtp-$step" lmtp-inject -- "$step=stall"
	done
	for step in MAIL 'RCPT#2' BDAT; do
		silent="$silent chunks-$step"
		started "chunks-$step" lmtp-inject -- -e PIPELINING,CHUNKING "$step=stall"
	done
	for step in GREETING EHLO MAIL RCPT DATA END; do
		silent="$silent smtp-$step"
		started "smtp-$step" 'smtp-inject -p' -- -s "$step=stall"
	done
	export MSA_LMTP=
	started plain lmtp-inject -- 'END#2=stall'
	started chunks lmtp-inject -- -e PIPELINING,CHUNKING 'BDAT#2=stall'
	started reported 'bounce lmtp-inject' -- 'END#2=stall'
	unset MSA_LMTP
	for step in GREETING LHLO MAIL RCPT DATA END; do
		unreported="$unreported bounce-$step"
		started "bounce-$step" 'bounce lmtp-inject' -- -e ENHANCEDSTATUSCODES \
			"1/RCPT:carol=550 5.1.1 No such user" "2/$step=stall"
	done
	for pid in $clients; do
		wait "$pid"
	done
}

oneTimeTearDown() {
	for pid in $servers; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	return 0
}

# All clients have been answered so, and in time. usage: answered reply name ...
answered() {
	reply=$1
	shift
	for name; do
		printf '%s\nexit 0\n' "$reply" >"$T/want"
		assert_same "$name" "$T/want" "$T/answer.$name"
		assertTrue "$name: after $(cat "$T/took.$name") s" "[ $(cat "$T/took.$name") -le $generous ]"
		assertTrue "$name: log: $(cat "$T/log.$name")" "grep -q ' done ' $T/log.$name"
	done
}

late='451 4.4.7 No answer in time, try again later'

test_each_step() {
	# shellcheck disable=SC2086
	answered "$late" $silent
}

# A recipient that was reached gets 2yz, so that the client does not send to this recipient again.
test_a_recipient_who_was_served_before_is_not_forgotten() {
	answered "$(printf '%s\n' '250 2.0.0 Ok,' "$late")" plain chunks reported
}

# The message goes to one of two, and the report to nobody.
test_a_report_that_is_not_accepted_in_time() {
	# shellcheck disable=SC2086
	answered '451 4.3.0 Not all recipients were served, and no report of it was taken; try again' $unreported
	for name in $unreported; do
		assertEquals "$name: the message was sent once" 1 "$(grep -c '^RCPT TO:<bob' "$T/rec.$name")"
		assertTrue "$name: log" "grep -q ' unreported .*code=451' $T/log.$name"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
