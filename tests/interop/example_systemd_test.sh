#!/bin/sh
# examples/systemd: the units are what systemd understands, and their commands, users and variables work with sockets
# that are passed as systemd passes them. systemd itself does not run here.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

TRACE=

oneTimeSetUp() {
	example_prepare systemd-analyze systemd-socket-activate setpriv
	[ -z "$READY" ] || {
		example_copy systemd
		# The key and the passwords as README.md says, for workers that read them themselves.
		chgrp daemon "$T/etc/key.pem"
		chgrp bin "$T/etc/users.cdb"
		chmod 440 "$T/etc/key.pem" "$T/etc/users.cdb"
	}
}

oneTimeTearDown() {
	example_end
}

test_the_units_are_understood() {
	example_ready || return 0
	for way in resident exec; do
		systemd-analyze verify "$T/systemd/$way"/* >"$T/out" 2>&1
		code=$?
		assertEquals "$way: $(cat "$T/out")" 0 "$code"
		assertEquals "" "$(cat "$T/out")"
	done
}

test_what_the_units_take_away() {
	example_ready || return 0
	for unit in "$T"/systemd/resident/*.service; do
		systemd-analyze security --offline=true --threshold=15 "$unit" >"$T/out" 2>&1
		code=$?
		assertEquals "$unit: $(tail -n 1 "$T/out")" 0 "$code"
	done
}

test_the_users_are_made() {
	example_ready || return 0
	mkdir "$T/root"
	mkdir "$T/root/etc"
	systemd-sysusers --root="$T/root" "$ROOT/examples/systemd/msa.sysusers.conf" >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	sed -n -e 's/^User=//p' -e 's/.* -U \([^ ]*\).*/\1/p' "$ROOT"/examples/systemd/*/*.service | sort -u >"$T/used"
	assertTrue "some" "[ -s '$T/used' ]"
	while read -r user; do
		assertEquals "$user" 1 "$(grep -c "^$user:" "$T/root/etc/passwd")"
	done <"$T/used"
}

# The value of a setting, its continued lines as one. usage: setting name unit
setting() {
	sed -e :a -e '/\\$/N; s/\\\n//; ta' "$2" | sed -n "s/^$1=//p"
}

# What systemd does with a unit: the sockets are made by root, the program is started as User= with Environment= and no
# more. usage: start unit address option ...
start() {
	service=$T/systemd/$1.service address=$2
	shift 2
	user=$(setting User "$service")
	[ -z "$(setting RuntimeDirectory "$service")" ] || install -d -o "$user" "$T/run-offers"
	# shellcheck disable=SC2046
	set -- "$@" $(setting Environment "$service" | tr ' ' '\n' | sed 's/^/--setenv=/')
	# shellcheck disable=SC2046
	env -i PATH="$PATH" systemd-socket-activate -l "$address" "$@" \
		${TRACE:+strace -D -f -qq -e signal=none -o "$T/trace/$(basename "$service" .service)"} \
		${user:+setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs --bounding-set=-all --inh-caps=-all} \
		$(setting ExecStart "$service") 2>>"$T/log" &
	pids="$pids $!"
}

stop() {
	all=
	for pid in $pids; do
		all="$all $(proc_descendants "$pid")"
	done
	# shellcheck disable=SC2086
	kill $pids
	# shellcheck disable=SC2086
	wait $pids 2>/dev/null
	assert_proc_gone "$all"
	assert_example_over
}

start_residents() {
	pids=
	rm -f "$T/run"/*
	for stage in lmtp-inject stamp qualify submitd authd; do
		start "resident/msa-$stage" "$(setting ListenStream "$T/systemd/resident/msa-$stage.socket")"
		wait_until test -S "$T/run/$stage"
		chmod "$(setting SocketMode "$T/systemd/resident/msa-$stage.socket")" "$T/run/$stage"
		chown "$(setting SocketUser "$T/systemd/resident/msa-$stage.socket")" "$T/run/$stage"
	done
	start resident/msa-tlsd "127.0.0.1:$PORT"
	start resident/msa-tlsd-implicit "127.0.0.1:$PORT_TLS"
	wait_until port_accepts "$PORT"
	wait_until port_accepts "$PORT_TLS"
}

test_residents_with_listen_fds() {
	example_ready || return 0
	start_residents
	assert_example_submits "$PORT" -tls "over STARTTLS"
	assert_example_submits "$PORT_TLS" -tlsc "over TLS"
	assert_example_refuses "$PORT" -tls
	assert_example_users
	assert_example_refuses_stranger "$T/run/submitd"
	stop
}

# Nobody here can load SystemCallFilter= as systemd does: so look at what the stages call.
test_the_system_calls_are_within_the_filter() {
	example_ready || return 0
	needs trace plain || return 0
	mkdir "$T/trace"
	TRACE=1
	start_residents
	assert_example_submits "$PORT" -tls "over STARTTLS"
	assert_example_submits "$PORT_TLS" -tlsc "over TLS"
	for pid in $(pgrep -f "^[^ ]*/(authd|submitd|qualify|stamp|lmtp-inject|tlsd) .*$T"); do
		kill -HUP "$pid" 2>/dev/null # the parents' reload, the workers' end
	done
	wait_until grep -q "tlsd: - reloaded" "$T/log"
	assert_example_submits "$PORT" -tls "after a reload"
	stop
	TRACE=
	systemd-analyze syscall-filter >"$T/sets" 2>/dev/null
	for trace in "$T"/trace/*; do
		python3 - "$T/sets" "$T/systemd/resident/$(basename "$trace").service" "$trace" >"$T/out" <<-'P'
			import re, sys
			text = re.sub('\x1b\\[[0-9;]*m', '', open(sys.argv[1]).read())
			sets = {}
			for block in re.split(r'\n(?=@)', text):
			    head, *rest = block.split('\n')
			    sets[head.strip()] = [w.strip() for w in rest if w.strip() and not w.strip().startswith('#')]
			def expand(word):
			    return set().union(*map(expand, sets[word])) if word.startswith('@') else {word}
			allowed = set()
			for value in re.findall(r'^SystemCallFilter=(.*)$', open(sys.argv[2]).read(), re.M):
			    words = set().union(*map(expand, value.lstrip('~').split()))
			    allowed = allowed - words if value.startswith('~') else allowed | words
			used, begun = set(), False
			for line in open(sys.argv[3], errors='replace'):
			    if re.search(r'execve\("[^"]*/bin/(authd|submitd|qualify|stamp|lmtp-inject|tlsd)".* = 0$', line):
			        begun = True
			    call = re.match(r'\d+ +(\w+)\(', line)
			    if begun and call:
			        used.add(call.group(1))
			assert len(allowed) > 100 and len(used) > 15, (len(allowed), len(used))
			print(*sorted(used - allowed))
		P
		assertEquals "$trace" 0 $?
		assertEquals "not allowed to $(basename "$trace")" "" "$(cat "$T/out")"
	done
}

test_exec_with_a_process_for_each_connection() {
	example_ready || return 0
	pids=
	start exec/msa-submission@ "127.0.0.1:$PORT" --accept --inetd
	start exec/msa-submissions@ "127.0.0.1:$PORT_TLS" --accept --inetd
	wait_until port_accepts "$PORT"
	wait_until port_accepts "$PORT_TLS"
	assert_example_submits "$PORT" -tls "over STARTTLS"
	assert_example_submits "$PORT_TLS" -tlsc "over TLS"
	assert_example_refuses "$PORT" -tls
	stop
}

# shellcheck source=/dev/null
. "$SHUNIT2"
