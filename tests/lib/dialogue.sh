# shellcheck shell=sh
# What the tests of the submission dialogue share: conversations with submitd, and small programs for the message chain.
# ISC licence, see LICENSE.

export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1
mkdir "$T/tmp" # submitd's TMPDIR

# What it is given goes to $T/message and $T/envelope, and is accepted.
program_make sink <<'E2'
#!/bin/sh
cat >"$T/message"
cat <&3 >"$T/envelope"
echo '250 2.0.0 taken'
E2
SINK=$T/sink
export SINK

# Hold the conversation of standard input with a program: $T/out is what it said, ids as ID, and how it ended; $T/log
# its log. usage: dialogue_hold [talk's options] program [arg ...]
dialogue_hold() {
	rm -f "$T/message" "$T/envelope"
	TMPDIR=${SUBMITD_TMPDIR-$T/tmp} talk -x "$@" >"$T/raw" 2>"$T/log"
	sed 's/message [0-9a-z]\{14\}$/message ID/' "$T/raw" >"$T/out"
}

# The same with a client that may submit.
dialogue_submit() {
	RELAYCLIENT='' dialogue_hold "$@"
}

# A whole message of one line for one recipient; $T/answer is what the client hears of it. usage: dialogue_verdict program [arg ...]
dialogue_verdict() {
	dialogue_submit submitd -t 10 "$@" <<-'E2'
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

# How many octets talk makes of a text with escapes. usage: dialogue_octets text
dialogue_octets() {
	printf '%s\n' "$1" | test-unit smtpdata octets
}
