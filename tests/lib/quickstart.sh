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
	wait_until grep -q '^ready' "$T/ready" || {
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
