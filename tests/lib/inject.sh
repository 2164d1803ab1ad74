# shellcheck shell=sh
# shellcheck disable=SC2034
# For the tests of what delivers: a message, an envelope, a call in a chain.
# ISC licence, see LICENSE.

# Start lmtpd on $T/s in the background, recording to $T/rec. usage: lmtpd_start [option ...] [rule ...]
lmtpd_start() {
	rm -f "$T/rec" "$T/rec.reads" "$T/ready" "$T/s"
	lmtpd -u "$T/s" -r "$T/rec" "$@" >"$T/ready" 2>"$T/lmtpd.err" &
	lmtpd_pid=$!
	wait_until [ -s "$T/ready" ]
}

# The server has served its sessions and ended.
lmtpd_ended() {
	wait "$lmtpd_pid"
}

# $T/msg. usage: chain_message printf-format
chain_message() {
	# shellcheck disable=SC2059
	printf "$1" >"$T/msg"
}

# $T/env and MSA_RCPTS. usage: chain_envelope mail-arguments recipient-line ...
chain_envelope() {
	printf 'MAIL FROM:%s\n' "$1" >"$T/env"
	shift
	rcpts=0
	for line; do
		printf '%s\n' "$line" >>"$T/env"
		case $line in
		COPY*) ;;
		*) rcpts=$((rcpts + 1)) ;;
		esac
	done
}

# Run a stage on them as the message chain does: $T/verdict (CR cut off), $T/log, $code.
# usage: chain_call [NAME=value ...] stage ...
chain_call() {
	env MSA_HOST=test.example MSA_SESSION=S MSA_MESSAGE=M MSA_RCPTS="$rcpts" "$@" <"$T/msg" 3<"$T/env" \
		>"$T/verdict.crlf" 2>"$T/log"
	code=$?
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
}

# The verdict is these replies and the closing dot. usage: assert_verdict what reply ...
assert_verdict() {
	what=$1
	shift
	for line in "$@" .; do
		printf '%s\n' "$line"
	done >"$T/expected"
	assert_same "$what" "$T/expected" "$T/verdict"
}

# The server heard these lines and nothing else. usage: assert_heard what line ...
assert_heard() {
	what=$1
	shift
	for line; do
		printf '%s\r\n' "$line"
	done >"$T/expected"
	assert_same "$what" "$T/expected" "$T/rec"
}

# The same by turns: what came together, as Python would write it.
assert_turns() {
	what=$1
	shift
	for line; do
		printf '%s\n' "$line"
	done >"$T/expected"
	assert_same "$what" "$T/expected" "$T/rec.reads"
}
