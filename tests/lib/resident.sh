# shellcheck shell=sh
# What the tests of residents share: starting and stopping them, a message, a client.
# ISC licence, see LICENSE.

residents=

# Start a stage as a resident at $T/NAME, log in $T/NAME.log, its parent's pid in $NAME_pid, and wait until it is ready.
# usage: resident_start NAME stage [option ...]
resident_start() {
	name=$1
	stage=$2
	shift 2
	: >"$T/ready"
	"$stage" -l "$T/$name" -R 3 "$@" 3>"$T/ready" 2>>"$T/$name.log" </dev/null &
	eval "${name}_pid=$!"
	residents="$residents $!"
	wait_until [ -s "$T/ready" ]
	assertTrue "$stage is ready: $(cat "$T/$name.log")" "[ -s $T/ready ]"
}

# usage: resident_stop NAME ...
resident_stop() {
	for name; do
		eval "pid=\$${name}_pid"
		kill "$pid" 2>/dev/null
		wait "$pid"
	done
}

resident_stop_all() {
	for pid in $residents; do
		kill "$pid" 2>/dev/null && wait "$pid"
	done
	residents=
}

# The only worker of a resident. usage: resident_worker NAME
resident_worker() {
	eval "pid=\$${1}_pid"
	proc_children "$pid" | head -n 1
}

# $T/message and $T/envelope for chain_give.
chain_default() {
	printf 'Subject: x\r\n\r\nbody\r\n' >"$T/message"
	printf 'MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\n' >"$T/envelope"
}

# Give $T/message to a program of the message chain; $T/verdict is its answer. usage: chain_give [NAME=value ...] program ...
chain_give() {
	env MSA_SESSION=s MSA_MESSAGE=m MSA_RCPTS=1 "$@" <"$T/message" 3<"$T/envelope" >"$T/verdict.crlf" 2>"$T/give.log"
	code=$?
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	return "$code"
}
