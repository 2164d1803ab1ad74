# shellcheck shell=sh
# Services for the interop tests.
# ISC licence, see LICENSE.

QUICKSTART=

# Start examples/quickstart/run on free ports, Maildirs below $T/mail, log to $T/log. Sets QUICKSTART, SUBMISSION, SUBMISSIONS.
# MODE and LMTP are the caller's.
quickstart_start() {
	: >"$T/ready" # an earlier service's line would be read: the redirection below happens in the child
	SUBMISSION_PORT=0 SUBMISSIONS_PORT=0 MAILDIR=$T/mail "$ROOT/examples/quickstart/run" >"$T/ready" 2>"$T/log" &
	QUICKSTART=$!
	wait_for 30 grep -q '^ready' "$T/ready" || {
		cat "$T/log" >&2
		return 1
	}
	# shellcheck disable=SC2034
	read -r _ SUBMISSION SUBMISSIONS <"$T/ready"
}

quickstart_stop() {
	[ -n "$QUICKSTART" ] || return 0
	kill "$QUICKSTART" 2>/dev/null
	wait "$QUICKSTART" 2>/dev/null
	return 0
}

# usage: wait_for seconds command ...
wait_for() {
	tries=$(($1 * 10))
	shift
	while [ "$tries" -gt 0 ]; do
		"$@" && return 0
		sleep 0.1
		tries=$((tries - 1))
	done
	return 1
}

# The pids below pid $1.
descendants() {
	ps -e -o pid= -o ppid= | awk -v top="$1" '
		{ parent[$1] = $2 }
		END { for (p in parent) for (q = p; q in parent; q = parent[q]) if (parent[q] == top) { print p; break } }'
}

is_gone() {
	! kill -0 "$1" 2>/dev/null
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Somebody takes connections on port $1.
accepts() {
	python3 -c "import socket; socket.create_connection(('127.0.0.1', $1)).close()" 2>/dev/null
}
