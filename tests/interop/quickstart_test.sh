#!/bin/sh
# The whole chain as examples/quickstart/run starts it, and that program itself; what each client gets is in
# clients_test.sh. The same must hold for its stages as residents: quickstart_resident_test.sh.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"

USER_NAME=alice@example.net PASSWORD=wonderland

oneTimeSetUp() {
	quickstart_start || fail "the quickstart service does not start"
}

oneTimeTearDown() {
	quickstart_stop
}

setUp() {
	rm -rf "$T/mail"/* # the directory stays: residents are shut in below it
	mkdir -p "$T/mail"
}

# usage: swaks_to port arg ...; the message is $T/message, the transcript $T/swaks
swaks_to() {
	port=$1
	shift
	swaks --server 127.0.0.1 --port "$port" --from "$USER_NAME" --to bob@example.org --auth-user "$USER_NAME" \
		--auth-password "$PASSWORD" --data "@$T/message" "$@" >"$T/swaks" 2>&1
}

message() {
	printf '%s\n' "From: Alice <$USER_NAME>" "To: bob@example.org" "Bcc: secret@example.org" "Subject: $1" "" "Body of $1" \
		>"$T/message"
}

# The one delivered message is complete, and came in as keyword $1.
assert_delivered() {
	set -- "$1" "$T"/mail/bob@example.org/new/*
	assertEquals "one file" 2 $#
	assertTrue "a file" "[ -f '$2' ]"
	cp "$2" "$T/got" 2>/dev/null
	assertContains "$(cat "$T/got")" "with $1"
	assertEquals "one Received field" 1 "$(grep -c '^Received:' "$T/got")"
	assertEquals "one Date" 1 "$(grep -c '^Date: ' "$T/got")"
	assertEquals "one Message-ID" 1 "$(grep -c -i '^Message-ID: <.*@.*>$' "$T/got")"
	assertEquals "no Bcc" 0 "$(grep -c -i '^Bcc:' "$T/got")"
	id=$(sed -n '/^Received:/,/^[^[:space:]]/s/.*[[:space:]]id \([0-9a-z]*\).*/\1/p' "$T/got" | head -n 1)
	assertNotNull "an id in Received" "$id"
	assertContains "the log knows the id" "$(grep "submitd: .*/$id accepted" "$T/log")" "user=$USER_NAME"
}

test_a_message_is_completed_and_delivered() {
	for transport in "$SUBMISSION -tls" "$SUBMISSIONS -tlsc"; do
		message "through ${transport#* }"
		# shellcheck disable=SC2086
		swaks_to $transport --auth PLAIN
		code=$?
		assertEquals "$(cat "$T/swaks")" 0 "$code"
		assert_delivered ESMTPSA
		assertContains "$(cat "$T/swaks")" "$id"
		rm -rf "$T/mail/bob@example.org"
	done
}

test_wrong_password_is_535() {
	message "wrong"
	swaks_to "$SUBMISSIONS" -tlsc --auth PLAIN --auth-password wrong-one
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" " 535 5.7.8 "
	assertFalse "nothing delivered" "[ -e '$T/mail/bob@example.org' ]"
}

test_no_auth_is_530() {
	message "no auth"
	swaks --server 127.0.0.1 --port "$SUBMISSIONS" -tlsc --from "$USER_NAME" --to bob@example.org --data "@$T/message" \
		>"$T/swaks" 2>&1
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" " 530 5.7.0 "
}

test_a_client_that_leaves_before_the_final_dot_leaves_nothing() {
	plain=$(printf '\0%s\0%s' "$USER_NAME" "$PASSWORD" | base64)
	talk -c "127.0.0.1:$SUBMISSIONS" >"$T/out" <<-EOF
		tls
		<
		> EHLO client
		<
		> AUTH PLAIN $plain
		<
		> MAIL FROM:<$USER_NAME>
		<
		> RCPT TO:<bob@example.org>
		<
		> DATA
		<
		> Subject: half
		sleep 0.2
		close
	EOF
	assertContains "$(cat "$T/out")" "354 "
	wait_until grep -q "lost where=data" "$T/log"
	assertFalse "nothing delivered" "[ -e '$T/mail/bob@example.org' ]"
}

test_another_mode_is_refused() {
	MODE=threads "$ROOT/examples/quickstart/run" >"$T/out" 2>&1
	assertEquals 100 $?
	assertEquals "quickstart: MODE is exec, resident or inline, not threads" "$(cat "$T/out")"
}

test_a_port_in_use_is_said_and_leaves_nothing() {
	mkdir "$T/tmp"
	TMPDIR=$T/tmp SUBMISSION_PORT=0 SUBMISSIONS_PORT=$SUBMISSION MAILDIR=$T/mail "$ROOT/examples/quickstart/run" >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 111 "$code"
	assertContains "$(cat "$T/out")" "quickstart: cannot listen on 127.0.0.1:$SUBMISSION"
	assertEquals 0 "$(grep -c "^ready" "$T/out")"
	assertEquals "" "$(ls "$T/tmp")"
	assertEquals "no process" "" "$(pgrep -f "$T/tmp")"
	rm -rf "$T/tmp"
}

test_a_stage_that_does_not_start_is_said() {
	[ "${MODE:-exec}" = resident ] || return 0 # exec'd, it is the client that hears of it
	mkdir "$T/bin" "$T/tmp"
	ln -s "$(dirname "$(command -v tlsd)")"/* "$T/bin"
	ln -sf /bin/false "$T/bin/qualify"
	MSA_BIN=$T/bin TMPDIR=$T/tmp SUBMISSION_PORT=0 SUBMISSIONS_PORT=0 MAILDIR=$T/mail "$ROOT/examples/quickstart/run" \
		>"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 111 "$code"
	assertContains "$(cat "$T/out")" "quickstart: qualify does not start"
	assertEquals "" "$(ls "$T/tmp")"
	assertEquals "no process" "" "$(pgrep -f "$T/tmp")"
	rm -rf "${T:?}/tmp" "${T:?}/bin"
}

# Last, since it looks at all that was logged.
test_z_the_log_holds_no_credential() {
	assertEquals 0 "$(grep -c -e "$PASSWORD" -e wrong-one "$T/log")"
	assertEquals 0 "$(grep -c -e "$(printf '%s' "$PASSWORD" | base64)" \
		-e "$(printf '\0%s\0%s' "$USER_NAME" "$PASSWORD" | base64)" "$T/log")"
}

test_zz_sigterm_ends_all_processes_and_sessions() {
	plain=$(printf '\0%s\0%s' "$USER_NAME" "$PASSWORD" | base64)
	printf '%s\n' '<' '> EHLO client' '<' '<<' | talk -c "127.0.0.1:$SUBMISSION" >"$T/clear" &
	clear=$!
	printf '%s\n' tls '<' '> EHLO client' '<' '<<' | talk -c "127.0.0.1:$SUBMISSIONS" >"$T/unknown" &
	unknown=$!
	printf '%s\n' tls '<' '> EHLO client' '<' "> AUTH PLAIN $plain" '<' "> MAIL FROM:<$USER_NAME>" '<' '<<' |
		talk -c "127.0.0.1:$SUBMISSIONS" >"$T/known" &
	known=$!
	wait_until grep -q '^250 ' "$T/clear"
	wait_until grep -q '^250 ' "$T/unknown"
	wait_until grep -q '^250 2.1.0 ' "$T/known"
	pids=$(proc_descendants "$QUICKSTART")
	assertNotNull "$pids"
	quickstart_stop
	assert_proc_gone "$QUICKSTART $pids"
	wait "$clear" "$unknown" "$known"
	[ "${MODE:-exec}" = resident ] || return 0
	for session in clear unknown known; do # residents have time for a last word
		assertContains "$session: $(cat "$T/$session")" "$(tail -n 2 "$T/$session")" "421 4.3.2 "
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
