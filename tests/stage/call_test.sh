#!/bin/sh
# call: chains of which some stages are resident and some are not, the verdict's table through them, and residents that
# are not there. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016,SC2034
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.test
	chain_default
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice
}

tearDown() {
	resident_stop_all
	rm -f "$T"/*.log
}

# Exec'd stamp, call, resident stamp, a script, whose end is as given. usage: hears expected shell-text
hears() {
	printf '#!/bin/sh\n%s\n' "$2" >"$T/row.new"
	chmod 755 "$T/row.new"
	mv "$T/row.new" "$T/row"
	chain_give MSA_DEADLINE="$(($(date +%s) + ${wait:-20}))" stamp call "$T/it"
	assertEquals "$2" "$1|.|" "$(tr '\n' '|' <"$T/verdict")"
}

# A resident that is killed in the middle of its verdict: what it has said so far is no verdict.
test_a_resident_that_dies_has_accepted_nothing() {
	: >"$T/ready"
	python3 -c '
import os, socket, sys
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen()
print("ready", flush=True)
for text in b"250 2.0.0 taken\r\n", b"250-2.0.0 taken\r\n250 2.0.0 taken\r\n", b"":
    s = l.accept()[0]
    fds = socket.recv_fds(s, 65536, 3)[1]
    os.write(fds[1], text)
    for fd in fds: os.close(fd)
    s.close()' "$T/dies" >"$T/ready" 2>"$T/log" &
	wait_until [ -s "$T/ready" ]
	for n in 1 2 3; do
		chain_give MSA_DEADLINE=$(($(date +%s) + 20)) bounce call "$T/dies"
		assertEquals "$n" '451 4.3.0 Local error, try again later|.|' "$(tr '\n' '|' <"$T/verdict")"
	done
	wait $!
}

test_the_table_of_verdicts_through_a_resident() {
	resident_start it stamp "$T/row"
	local='451 4.3.0 Local error, try again later'
	hears '250 2.0.0 taken' 'echo 250 2.0.0 taken'
	hears '250 2.0.0 taken' 'printf "250 2.0.0 taken\r\n.\r\n"; exit 1'
	hears "$local" ''
	hears "$local" 'echo hello'
	hears "$local" 'echo 250 a; echo 250 b'
	hears '550 5.7.1 no' 'echo 550 5.7.1 no; exit 100'
	hears '554 5.7.1 Refused' 'exit 100'
	hears "$local" 'echo 250 2.0.0 taken; exit 100'
	hears '452 4.2.2 full' 'echo 452 4.2.2 full; exit 111'
	hears "$local" 'exit 111'
	hears '554 5.7.1 Refused' 'exit 65'
	hears '554 5.7.1 Refused' 'exit 77'
	hears "$local" 'echo 250 2.0.0 taken; exit 1'
	hears "$local" 'exec "$T/not-there"'
	hears "$local" 'echo 250 2.0.0 taken; kill -9 $$'
	hears '554 5.3.0 The next server said: 521 5.3.2 no mail here' 'echo 521 5.3.2 no mail here; exit 100'
	hears '451 4.3.0 The next server said: 421 4.3.2 later' 'echo 421 4.3.2 later'
	wait=1
	hears '451 4.4.7 No answer in time, try again later' 'echo 250 2.0.0 taken; exec sleep 30.125'
	wait=20
	assertFalse 'ended' 'pgrep -f "sleep 30.125"'
	rm -f "$T/row"
	chain_give stamp call "$T/it"
	assertEquals "$local|.|" "$(tr '\n' '|' <"$T/verdict")"
	# the caller has the same deadline, so its line may come later
	assertEquals 'one line each, but for the verdicts that stand' 9 \
		"$(grep ' verdict program=' "$T/it.log" | grep -vc 'why="deadline passed"')"
}

test_two_replies_for_two_recipients() {
	printf 'MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nRCPT TO:<e@f.example>\n' >"$T/envelope"
	resident_start last stamp sh -c 'echo 250 2.0.0 c; echo 550 5.1.1 e'
	resident_start first stamp sh -c 'exec call "$0"' "$T/last"
	chain_give MSA_RCPTS=2 stamp call "$T/first"
	assertEquals '250 2.0.0 c|550 5.1.1 e|.|' "$(tr '\n' '|' <"$T/verdict")"
	chain_default
}

# A message as the client sends it. usage: client program ...
client() {
	printf '<\n> EHLO x\n<\n> MAIL FROM:<a@b.example>\n<\n> RCPT TO:<c@d.example>\n<\n> DATA\n<\n%s' \
		'> From: a@b.example
		> Subject: x
		> .
		<
		> QUIT
		<<
' | sed 's/^	*//' | RELAYCLIENT='' talk "$@" >"$T/out" 2>"$T/front.log"
}

test_exec_call_resident_script_exec() {
	mkdir "$T/mail"
	program_make site <<-'X'
		#!/bin/sh
		grep -qi '^Subject: bad' && { echo '550 5.7.0 No'; exit 100; }
		rewind
		exec "$@"
	X
	resident_start stamp stamp "$T/site" maildir-inject "$T/mail"
	resident_start submit submitd qualify -d b.example call "$T/stamp"
	client authd -u "$T/users.cdb" call "$T/submit"
	assertEquals '250 354 250 221' "$(sed -n '/^250 2.1.5/,$s/^\([0-9]*\) .*/\1/p' "$T/out" | tr '\n' ' ' | sed 's/ $//')"
	assertEquals 1 "$(find "$T/mail" -path '*/new/*' -type f | wc -l)"
	assertTrue 'all have done their work' "grep -rq '^Received: from' $T/mail && grep -rq '^Message-ID:' $T/mail"
	resident_stop stamp submit
	resident_start stamp stamp call "$T/inject"
	resident_start inject maildir-inject "$T/mail"
	resident_start submit submitd call "$T/stamp"
	resident_start auth authd -u "$T/users.cdb" call "$T/submit"
	client call "$T/auth"
	assertEquals 'all resident' 2 "$(find "$T/mail" -path '*/new/*' -type f | wc -l)"
	rm -rf "$T/mail"
}

# What a session hears of a resident that cannot serve, and how many lines the log has. usage: no_session path reason
no_session() {
	printf '<<\n' | talk -x call "$1" >"$T/out" 2>"$T/log"
	assert_out "$1" <<-'X'
		421 4.3.2 Service not available, closing the connection
		EOF
		exit 111
	X
	assertTrue "$(cat "$T/log")" "grep -q 'call: .* failed reason=\"call $1: $2' $T/log"
	assertEquals 'one line' 1 "$(wc -l <"$T/log")"
}

no_message() {
	chain_give call "$1"
	assertEquals "$1" '451 4.3.0 Local error, try again later|.|' "$(tr '\n' '|' <"$T/verdict")"
	assertTrue "$(cat "$T/give.log")" "grep -q 'call: s/m $2' $T/give.log"
	assertEquals 'one line' 1 "$(wc -l <"$T/give.log")"
}

test_residents_that_are_not_there() {
	no_session "$T/nothing" 'No such file'
	no_message "$T/nothing" "failed reason=\"call $T/nothing: No such file"
	resident_start dead stamp true
	kill -9 "$dead_pid"
	wait "$dead_pid" 2>/dev/null
	wait_until refused "$T/dead"
	no_session "$T/dead" 'Connection refused'
	no_message "$T/dead" "failed reason=\"call $T/dead: Connection refused"
	echo x >"$T/file"
	no_session "$T/file" 'Connection refused'
	long=$T/$(printf '%0120d' 0)
	no_session "$long" 'File name too long'
}

# Nobody listens there any more.
refused() {
	chain_give call "$1"
	grep -q 'Connection refused' "$T/give.log"
}

# One that was started for the other kind of call.
test_a_resident_of_the_other_kind() {
	resident_start stamp stamp true
	resident_start submit submitd true
	no_session "$T/stamp" 'Connection reset'
	no_message "$T/submit" 'verdict program=call why="output ended without a closing dot"'
}

# It takes the connection and nothing more, as one that is stopped does.
test_a_receiver_that_does_not_take_the_call() {
	resident_start submit submitd true
	kill -STOP "$submit_pid" "$(resident_worker submit)"
	no_session "$T/submit" 'Connection timed out'
	kill -CONT "$submit_pid" "$(resident_worker submit)"
	: >"$T/log"
	printf '<\n> QUIT\n<<\n' | talk call "$T/submit" >"$T/out" 2>"$T/log"
	assertTrue 'the late one is not served, the next is' "grep -q '^220' $T/out"
	assertEquals '' "$(cat "$T/log")"
}

# No shell and no env(1) can make such an environment; a program can.
test_a_string_in_the_environment_without_an_equals_sign_is_no_fact() {
	cat >"$T/odd.py" <<-'X'
		import ctypes, sys
		args = [a.encode() for a in sys.argv[1:]]
		env = (ctypes.c_char_p * 6)(b'PROTO', b'MSA_MESSAGE=m', b'MSA_RCPTS=1', b'MSA_X_A', b'', None)
		argv = (ctypes.c_char_p * (len(args) + 1))(*args, None)
		ctypes.CDLL(None).execve(args[0], argv, env)
	X
	resident_start last stamp sh -c 'env >"$0"; echo 250 2.0.0 taken' "$T/env"
	python3 "$T/odd.py" "$(command -v call)" "$T/last" <"$T/message" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	code=$?
	assertEquals "exit: $(cat "$T/log")" 0 "$code"
	assertEquals '250 2.0.0 taken|.|' "$(tr -d '\r' <"$T/verdict" | tr '\n' '|')"
	assertEquals 'MSA_MESSAGE=m MSA_RCPTS=1 ' "$(grep -E '^(PROTO|MSA_(MESSAGE|RCPTS|X))' "$T/env" | sort | tr '\n' ' ')"
}

test_misuse() {
	call 2>"$T/log" </dev/null
	assertEquals 100 $?
	assertEquals 'usage: call path' "$(cat "$T/log")"
	chain_give call a b
	assertEquals 111 "$code"
	assertEquals '451 4.3.0 Local error, try again later|.|' "$(tr '\n' '|' <"$T/verdict")"
}

. "$SHUNIT2"
