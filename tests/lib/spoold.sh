# shellcheck shell=sh
# What the tests of spoold share: a next program that remembers, messages in a spool, a runner.
# ISC licence, see LICENSE.

# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

# The rest of the chain: the Nth time it is run it keeps what it got as N.msg, N.env and N.facts, and answers with
# $T/answer.N, or 250; while $T/hold is there it waits.
oneTimeSetUp() {
	cat >"$T/next" <<-'P'
		#!/bin/sh
		n=1
		until mkdir "$T/run.$n" 2>/dev/null; do n=$((n + 1)); done
		cat <&3 >"$T/$n.env"
		cat >"$T/$n.msg"
		env | grep -E '^(MSA|SMTP|TCP|SSL_P|RELAY)' | grep -v '^MSA_\(BIN\|JOBS\)=' | sort >"$T/$n.facts"
		: >"$T/$n.begun"
		while [ -e "$T/hold" ]; do sleep 0.05; done
		: >"$T/$n.done"
		[ ! -e "$T/answer.$n" ] || { cat "$T/answer.$n"; exit; }
		echo '250 2.0.0 taken'
	P
	chmod 755 "$T/next"
}

setUp() {
	rm -rf "$T"/*.env "$T"/*.msg "$T"/*.facts "$T"/*.done "$T"/*.begun "$T"/answer.* "$T"/run.* "$T/hold" "$T/spool"
	mkdir -m 700 "$T/spool"
	: >"$T/spoold.log"
	chain_message 'From: alice@example.net\r\nSubject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

tearDown() {
	rm -f "$T/hold"
	resident_stop_all
}

# Put $T/msg and $T/env into the spool; $id is what it is called there. usage: spoold_put [NAME=value ...]
spoold_put() {
	chain_call "$@" spool "$T/spool"
	assertEquals "taken: $(cat "$T/verdict" "$T/log")" 0 "$code"
	id=$(sed -n '1s/.* as //p' "$T/verdict")
}

# usage: spoold_answers N reply ...
spoold_answers() {
	n=$1
	shift
	printf '%s\n' "$@" . >"$T/answer.$n"
}

# Start spoold, and wait until it is ready. usage: spoold_start [option ...]
spoold_start() {
	: >"$T/ready"
	MSA_HOST=test.example spoold -R 3 "$@" "$T/spool" "$T/next" 3>"$T/ready" 2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	residents="$residents $!"
	wait_until [ -s "$T/ready" ]
	assertTrue "spoold is ready: $(cat "$T/spoold.log")" "[ -s $T/ready ]"
}

spoold_stop() {
	kill "$runner_pid" 2>/dev/null
	wait "$runner_pid"
	ended=$?
	assertEquals "spoold's end: $(cat "$T/spoold.log")" 0 "$ended"
	residents=
}

# Whether no message is left. A message moves from new to cur and may leave a report in new: one look at each folder could
# miss both. A report causes no report, so the second look does not.
spoold_empty() {
	for sub in new cur new cur; do
		[ -z "$(ls "$T/spool/$sub" 2>/dev/null)" ] || return 1
	done
}

# Run spoold until nothing is left. usage: spoold_drain [option ...]
spoold_drain() {
	spoold_start "$@"
	wait_until spoold_empty
	spoold_stop
}

# usage: spoold_logs text
spoold_logs() {
	grep -q -e "$1" "$T/spoold.log"
}

assert_spoold_logs() {
	wait_until spoold_logs "$1"
}

# The chain was run so often. usage: assert_spoold_runs what N
assert_spoold_runs() {
	assertEquals "$1: runs" "$2" "$(find "$T" -maxdepth 1 -name 'run.*' | wc -l)"
}

# The envelope that the Nth run had is standard input. usage: assert_spoold_envelope what N
assert_spoold_envelope() {
	cat >"$T/expected"
	assert_same "$1" "$T/expected" "$T/$2.env"
}

# The fields of the report that the Nth run had, less dates, are standard input. usage: assert_spoold_status what N
assert_spoold_status() {
	cat >"$T/expected"
	tr -d '\r' <"$T/$2.msg" | sed -n '/^Subject: Message /p; /^Content-Type: message\/delivery-status/,/^--/p' |
		sed -E '/^(Content-|--)/d; s/^([A-Z][A-Za-z-]*): [A-Z][a-z]{2}, .*[0-9]{4}$/\1: DATE/; /^$/d' >"$T/got"
	assert_same "$1" "$T/expected" "$T/got"
}

# Make the message older. usage: spoold_age seconds [sub]
spoold_age() {
	t=$(sed -n 's/^arrived //p' "$T/spool/${2:-new}/$id/envelope")
	sed -i "s/^arrived .*/arrived $((t - $1))/" "$T/spool/${2:-new}/$id/envelope"
}

# What is known of the message, less times. usage: spoold_known sub
spoold_known() {
	sed -E -e '/^fact /d; /^$/,$d' -e 's/^(arrived|next) .*/\1 T/' "$T/spool/$1/$id/envelope"
}
