# shellcheck shell=sh
# What the tests of residents share: starting and stopping them, a message, a client.
# ISC licence, see LICENSE.

residents=

# Start a stage as a resident at $T/NAME, log in $T/NAME.log, its parent's pid in $NAME_pid, and wait until it is ready.
# usage: resident NAME stage [option ...]
resident() {
	name=$1
	stage=$2
	shift 2
	: >"$T/ready"
	"$stage" -l "$T/$name" -R 3 "$@" 3>"$T/ready" 2>>"$T/$name.log" </dev/null &
	eval "${name}_pid=$!"
	residents="$residents $!"
	await "$T/ready"
	assertTrue "$stage is ready: $(cat "$T/$name.log")" "[ -s $T/ready ]"
}

# Until a file is not empty, 20 s at most.
await() {
	until_true [ -s "$1" ]
}

# Until a command is true, 20 s at most. usage: until_true command ...
until_true() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 1000 ] || return 1
		sleep 0.02
	done
}

# usage: stop NAME ...
stop() {
	for name; do
		eval "pid=\$${name}_pid"
		kill "$pid" 2>/dev/null
		wait "$pid"
	done
}

stop_all() {
	for pid in $residents; do
		kill "$pid" 2>/dev/null && wait "$pid"
	done
	residents=
}

workers() {
	pgrep -P "$1"
}

# The only worker of a resident. usage: worker NAME
worker() {
	eval "pid=\$${1}_pid"
	workers "$pid" | head -n 1
}

files() {
	printf 'Subject: x\r\n\r\nbody\r\n' >"$T/message"
	printf 'MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\n' >"$T/envelope"
}

# Give $T/message to a program of the message chain; $T/verdict is its answer. usage: give [NAME=value ...] program ...
give() {
	env MSA_SESSION=s MSA_MESSAGE=m MSA_RCPTS=1 "$@" <"$T/message" 3<"$T/envelope" >"$T/verdict.crlf" 2>"$T/give.log"
	code=$?
	tr -d '\r' <"$T/verdict.crlf" >"$T/verdict"
	return "$code"
}

# Standard input is what a program of this name under $T is. usage: program NAME
program() {
	cat >"$T/$1"
	chmod 755 "$T/$1"
}

# Standard input must be $T/out. usage: expect message
expect() {
	cat >"$T/want"
	assert_same "$1" "$T/want" "$T/out"
}
