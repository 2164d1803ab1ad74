# shellcheck shell=sh
# What the tests of the submission dialogue share: conversations with submitd, and small programs for the message chain.
# ISC licence, see LICENSE.

export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1
mkdir "$T/tmp" # submitd's TMPDIR

# A program of the message chain: its text is standard input. usage: program name
program() {
	cat >"$T/$1"
	chmod 755 "$T/$1"
}

# What it is given goes to $T/message and $T/envelope, and is accepted.
program sink <<'E2'
#!/bin/sh
cat >"$T/message"
cat <&3 >"$T/envelope"
echo '250 2.0.0 taken'
E2
SINK=$T/sink
export SINK

# Hold the conversation of standard input with a program: $T/out is what it said, ids as ID, and how it ended; $T/log
# its log. usage: conversation [talk's options] program [arg ...]
conversation() {
	rm -f "$T/message" "$T/envelope"
	TMPDIR=${SUBMITD_TMPDIR-$T/tmp} talk -x "$@" >"$T/raw" 2>"$T/log"
	sed 's/message [0-9a-z]\{14\}$/message ID/' "$T/raw" >"$T/out"
}

# The same with a client that may submit.
submission() {
	RELAYCLIENT='' conversation "$@"
}

# A whole message of one line for one recipient; $T/answer is what the client hears of it. usage: verdict program [arg ...]
verdict() {
	submission submitd -t 10 "$@" <<-'E2'
		> HELO client.example
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		> Subject: x
		> .
		> QUIT
		<<
	E2
	sed '1,5d; /^221 2.0.0 Bye$/,$d' "$T/out" >"$T/answer"
}

# How many octets talk makes of a text with escapes. usage: talk_octets text
talk_octets() {
	printf '%s\n' "$1" | test-unit data octets
}

# Standard input is what $T/out must be. usage: expect message
expect() {
	cat >"$T/want"
	assert_same "$1" "$T/want" "$T/out"
}

# The process is there and not dead. usage: is_alive pid
is_alive() {
	[ -r "/proc/$1/stat" ] && ! grep -q ') Z ' "/proc/$1/stat"
}
