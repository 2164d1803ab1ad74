#!/bin/sh
# inline, a process for many messages: what it keeps and lets go, signals, its end. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inline.sh
. "$ROOT/tests/lib/inline.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

test_messages_of_a_session_share_a_connection_that_is_closed_while_the_client_is_silent() {
	for how in execd resident; do
		serve -n 2 -t 60
		set -- qualify -d example.net stamp lmtp-inject -i 1 "$T/s"
		[ $how = execd ] || resident it inline_submitd -P 1:1 "$@"
		{
			letter one
			letter two
			echo "until $T/rec QUIT"
			letter three
		} >"$T/letters"
		if [ $how = execd ]; then session inline submitd "$@" <"$T/letters"; else session call "$T/it" <"$T/letters"; fi
		[ $how = execd ] || stop it
		served
		assert_answers "$how" "$OK" "$OK" "$OK"
		assertEquals "$how: the third over another" \
			'LHLO MAIL RCPT DATA MAIL RCPT DATA QUIT LHLO MAIL RCPT DATA QUIT ' "$(verbs)"
	done
}

test_other_commands_do_not_keep_it() {
	serve -n 2 -t 30
	{
		letter one
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			printf 'sleep 0.3\n> NOOP\n<\n'
		done
		letter two
	} | session inline submitd lmtp-inject -i 1 "$T/s"
	served
	assertEquals 'LHLO MAIL RCPT DATA QUIT LHLO MAIL RCPT DATA QUIT ' "$(verbs)"
}

test_without_time_to_keep_it_a_connection_ends_with_the_message() {
	serve -n 2
	{ letter one; letter two; } | session inline submitd lmtp-inject -i 0 "$T/s"
	served
	assertEquals 'LHLO MAIL RCPT DATA QUIT LHLO MAIL RCPT DATA QUIT ' "$(verbs)"
}

# usage: there_are number ; of workers
there_are() {
	[ "$(workers "$it_pid" | wc -l)" -eq "$1" ]
}

# Only what was kept goes after -i seconds: the next burst would pay for its workers again.
test_a_worker_stays_longer_than_what_it_kept() {
	resident it inline_submitd -P 1:3 lmtp-inject -i 1 "$T/s"
	rm -f "$T/go"
	sessions=
	for _ in 1 2; do
		printf '<\nuntil %s on\n> QUIT\n<<\n' "$T/go" | talk -t 30 call "$T/it" >/dev/null 2>&1 &
		sessions="$sessions $!"
	done
	until_true there_are 3
	assertTrue 'two in a session and one to spare' $?
	echo on >"$T/go"
	# shellcheck disable=SC2086
	wait $sessions
	sleep 2.5 # past -i, far from POOL_IDLE_S
	assertEquals 'all are there' 3 "$(workers "$it_pid" | wc -l)"
	stop it
}

test_a_session_of_another_host_has_another_connection() {
	serve -n 2
	resident it inline_submitd -P 1:1 qualify -d example.net stamp lmtp-inject "$T/s"
	letter one | session call "$T/it"
	letter two | session call "$T/it"
	letter three | MSA_HOST=other.test session call "$T/it"
	assert_answers 'the last' "$OK"
	stop it
	served
	assertEquals 'LHLO mx.test QUIT LHLO other.test QUIT ' "$(tr -d '\r' <"$T/rec" | grep -e ^LHLO -e ^QUIT | tr '\n' ' ')"
}

test_a_server_that_is_silent_is_451_within_the_time() {
	serve 'END=stall'
	{ letter one; letter two; } | session inline submitd -t 3 qualify -d example.net stamp lmtp-inject "$T/s"
	answers >"$T/answers"
	assertEquals 'late' '451 4.4.7 No answer in time, try again later' "$(head -n 1 "$T/answers")"
	assertEquals 'and the second is answered too' 2 "$(wc -l <"$T/answers")"
}

# usage: knows user; qualify has him in its table of locals, so a sender of that name is completed
knows() {
	printf '> MAIL FROM:<a@example.net>\n<\n> RCPT TO:<b@example.org>\n<\n> DATA\n<\n>> From: %s\\r\\n\\r\\n.\\r\\n\n<\n' "$1" |
		session call "$T/it"
	answers | grep -q '^250 '
}

locals() {
	for user; do
		printf '+%d,1:%s->x\n' "${#user}" "$user"
	done >"$T/locals"
	echo >>"$T/locals"
	cdb -c "$T/locals.cdb.new" <"$T/locals"
	chmod 400 "$T/locals.cdb.new"
	mv -f "$T/locals.cdb.new" "$T/locals.cdb"
}

damage() {
	echo garbage >"$T/$1.new"
	mv -f "$T/$1.new" "$T/$1"
}

test_sighup_takes_a_new_table_and_keeps_the_old_one_for_a_damaged_one() {
	locals alice
	printf '+2,0:zz->\n\n' | cdb -c "$T/labels.cdb"
	resident it inline_submitd -P 1:1 -D "$T/labels.cdb" qualify -d example.net -u "$T/locals.cdb" stamp "$T/dump"
	assertTrue 'alice' 'knows alice'
	assertFalse 'not bob' 'knows bob'
	locals alice bob
	kill -HUP "$it_pid"
	until_true grep -q '^submitd: - reloaded' "$T/it.log"
	assertTrue 'bob' 'knows bob'
	damage locals.cdb
	kill -HUP "$it_pid"
	until_true grep -q '^qualify: - failed reason="'"$T/locals.cdb:" "$T/it.log"
	until_true grep -q '^submitd: - kept reason="some of the new files cannot be used"' "$T/it.log" || fail 'not told'
	assertTrue 'bob still' 'knows bob'
	# What one stage cannot take keeps no other from what is new, in old workers and in new ones.
	locals carol
	damage labels.cdb
	: >"$T/it.log"
	kill -HUP "$it_pid"
	until_true grep -q '^submitd: - failed reason="'"$T/labels.cdb:" "$T/it.log"
	until_true grep -q '^submitd: - kept ' "$T/it.log"
	assertTrue 'carol' 'knows carol'
	assertFalse 'not bob any more' 'knows bob'
	kill -9 "$(worker it)"
	until_true grep -q ' lost ' "$T/it.log"
	assertTrue 'carol, in a new worker' 'knows carol'
	assertFalse 'nor there bob' 'knows bob'
	stop it
	rm -f "$T/locals.cdb" "$T/labels.cdb"
}

test_sigterm_finishes_the_message_and_ends_the_session() {
	serve -t 60 'END=sleep:1|250 2.0.0 Saved'
	resident it inline_submitd -P 1:1 qualify -d example.net stamp lmtp-inject "$T/s"
	{ printf '<\n> EHLO client\n<\n'; letter one; echo '<<'; } | talk call "$T/it" >"$T/out" &
	client=$!
	until_true grep -qs '^Hello' "$T/rec"
	stop it
	wait "$client"
	served
	assert_answers 'the client' "$OK" '421 4.3.2 Service not available, closing the connection'
	assertEquals 'the server' 'LHLO MAIL RCPT DATA QUIT ' "$(verbs)"
	assertTrue 'log' "grep -q '^submitd: - stopped' $T/it.log"
}

test_a_worker_that_is_killed_answers_nobody_and_delivers_nothing_twice() {
	for when in RCPT END; do
		serve -n 2 -t 60 "1/$when=stall"
		resident it inline_submitd -P 1:1 qualify -d example.net stamp lmtp-inject "$T/s"
		letter one | session call "$T/it" &
		client=$!
		if [ $when = RCPT ]; then until_true grep -qs '^RCPT' "$T/rec"; else until_true grep -qs '^Hello' "$T/rec"; fi
		kill -9 "$(worker it)"
		wait "$client"
		assertEquals "$when: no answer" '' "$(answers)"
		assertEquals "$when: the end" EOF "$(tail -n 1 "$T/out")"
		letter two | session call "$T/it"
		assert_answers "$when: the next" "$OK"
		stop it
		served
		assertEquals "$when: texts" "$([ $when = RCPT ] && echo '0 1' || echo '1 1')" \
			"$(grep -c '^Subject: one' "$T/rec") $(grep -c '^Subject: two' "$T/rec")"
		assertTrue "$when: log" "grep -q '^submitd: - lost worker=\"signal 9\"' $T/it.log"
		stop_all
	done
}

# A child of the process that has ended is not always one that a message had: tlsc keeps its pid until it is told to end.
test_the_helper_of_a_kept_connection_is_nobody_elses_to_reap() {
	certificates localhost 127.0.0.1 || fail 'openssl makes no certificates'
	smarthost -e PIPELINING,STARTTLS -n 2 '1/END=250 2.0.0 Saved|close'
	program check <<-'X'
		#!/bin/sh
		echo '250 2.1.5 fine'
	X
	resident it inline_submitd -P 1:1 -r "$T/check" smtp-inject -I 60 -c "$T/ca.pem" "127.0.0.1:$port"
	worker=$(worker it)
	until_true ended_helper "$worker" && echo ended >"$T/ended" &
	{
		letter one
		echo "until $T/ended ended"
		printf '> MAIL FROM:<alice@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> NOOP\n<\n'
		echo "until $T/children children"
		printf '> RSET\n<\n'
		letter two
	} >"$T/letters"
	session call "$T/it" <"$T/letters" &
	client=$!
	until_true grep -qsx '250 2.0.0 Ok' "$T/out"
	ps -o stat=,comm= --ppid "$worker" >"$T/helpers"
	echo children >"$T/children"
	wait "$client"
	assert_answers 'both' "$OK" '250 2.0.0 Ok' '250 2.0.0 Ok' "$OK"
	assertTrue "it is there: $(cat "$T/helpers")" "grep -q '^Z.*tlsc' $T/helpers"
	until_true one_helper "$worker"
	assertEquals 'and in the end gone' 1 "$(ps -o comm= --ppid "$worker" | wc -l)"
	stop it
	served
}

ended_helper() {
	ps -o stat=,comm= --ppid "$1" | grep -q '^Z.*tlsc'
}

one_helper() {
	[ "$(ps -o comm= --ppid "$1" | wc -l)" -eq 1 ]
}

fds_of() {
	find "/proc/$1/fd" -type l 2>/dev/null | wc -l
}

test_a_message_leaves_no_descriptor_open() {
	serve -n 1 'RCPT:nobody=550 5.1.1 Nobody here'
	resident it inline_submitd -P 1:1 bounce qualify -d example.net stamp lmtp-inject "$T/s"
	before=$(fds_of "$(worker it)")
	for n in 1 2 3; do
		letter "$n" bob@example.org nobody@example.org | session call "$T/it"
		assert_answers "$n" "$OK"
	done
	until_true [ "$(fds_of "$(worker it)")" -eq $((before + 1)) ]
	assertEquals 'only the kept connection' $((before + 1)) "$(fds_of "$(worker it)")"
	stop it
	served
}

. "$SHUNIT2"
