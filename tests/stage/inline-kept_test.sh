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
		lmtpd_start -n 2 -t 60
		set -- qualify -d example.net stamp lmtp-inject -i 1 "$T/s"
		[ $how = execd ] || resident_start it inline_submitd -P 1:1 "$@"
		{
			inline_letter one
			inline_letter two
			echo "until $T/rec QUIT"
			inline_letter three
		} >"$T/letters"
		if [ $how = execd ]; then inline_session inline submitd "$@" <"$T/letters"; else inline_session call "$T/it" <"$T/letters"; fi
		[ $how = execd ] || resident_stop it
		lmtpd_ended
		assert_inline_answers "$how" "$OK" "$OK" "$OK"
		assertEquals "$how: the third over another" \
			'LHLO MAIL RCPT DATA MAIL RCPT DATA QUIT LHLO MAIL RCPT DATA QUIT ' "$(inline_verbs)"
	done
}

test_other_commands_do_not_keep_it() {
	lmtpd_start -n 2 -t 30
	{
		inline_letter one
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			printf 'sleep 0.3\n> NOOP\n<\n'
		done
		inline_letter two
	} | inline_session inline submitd lmtp-inject -i 1 "$T/s"
	lmtpd_ended
	assertEquals 'LHLO MAIL RCPT DATA QUIT LHLO MAIL RCPT DATA QUIT ' "$(inline_verbs)"
}

test_without_time_to_keep_it_a_connection_ends_with_the_message() {
	lmtpd_start -n 2
	{ inline_letter one; inline_letter two; } | inline_session inline submitd lmtp-inject -i 0 "$T/s"
	lmtpd_ended
	assertEquals 'LHLO MAIL RCPT DATA QUIT LHLO MAIL RCPT DATA QUIT ' "$(inline_verbs)"
}

# usage: there_are number ; of workers
there_are() {
	[ "$(proc_children "$it_pid" | wc -l)" -eq "$1" ]
}

# Only what was kept goes after -i seconds: the next burst would pay for its workers again.
test_a_worker_stays_longer_than_what_it_kept() {
	resident_start it inline_submitd -P 1:3 lmtp-inject -i 1 "$T/s"
	rm -f "$T/go"
	sessions=
	for _ in 1 2; do
		printf '<\nuntil %s on\n> QUIT\n<<\n' "$T/go" | talk call "$T/it" >/dev/null 2>&1 &
		sessions="$sessions $!"
	done
	wait_until there_are 3
	echo on >"$T/go"
	# shellcheck disable=SC2086
	wait $sessions
	sleep 2.5 # past -i, far from POOL_IDLE_S
	assertEquals 'all are there' 3 "$(proc_children "$it_pid" | wc -l)"
	resident_stop it
}

test_a_session_of_another_host_has_another_connection() {
	lmtpd_start -n 2
	resident_start it inline_submitd -P 1:1 qualify -d example.net stamp lmtp-inject "$T/s"
	inline_letter one | inline_session call "$T/it"
	inline_letter two | inline_session call "$T/it"
	inline_letter three | MSA_HOST=other.test inline_session call "$T/it"
	assert_inline_answers 'the last' "$OK"
	resident_stop it
	lmtpd_ended
	assertEquals 'LHLO mx.test QUIT LHLO other.test QUIT ' "$(tr -d '\r' <"$T/rec" | grep -e ^LHLO -e ^QUIT | tr '\n' ' ')"
}

test_a_server_that_is_silent_is_451_within_the_time() {
	lmtpd_start 'END=stall'
	{ inline_letter one; inline_letter two; } | inline_session inline submitd -t 3 qualify -d example.net stamp lmtp-inject "$T/s"
	inline_answers >"$T/answers"
	assertEquals 'late' '451 4.4.7 No answer in time, try again later' "$(head -n 1 "$T/answers")"
	assertEquals 'and the second is answered too' 2 "$(wc -l <"$T/answers")"
}

# usage: knows user; qualify has him in its table of locals, so a sender of that name is completed
knows() {
	printf '> MAIL FROM:<a@example.net>\n<\n> RCPT TO:<b@example.org>\n<\n> DATA\n<\n>> From: %s\\r\\n\\r\\n.\\r\\n\n<\n' "$1" |
		inline_session call "$T/it"
	inline_answers | grep -q '^250 '
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
	resident_start it inline_submitd -P 1:1 -D "$T/labels.cdb" qualify -d example.net -u "$T/locals.cdb" stamp "$T/dump"
	assertTrue 'alice' 'knows alice'
	assertFalse 'not bob' 'knows bob'
	locals alice bob
	kill -HUP "$it_pid"
	wait_until grep -q '^submitd: - reloaded' "$T/it.log"
	assertTrue 'bob' 'knows bob'
	damage locals.cdb
	kill -HUP "$it_pid"
	wait_until grep -q '^qualify: - failed reason="'"$T/locals.cdb:" "$T/it.log"
	wait_until grep -q '^submitd: - kept reason="some of the new files cannot be used"' "$T/it.log"
	assertTrue 'bob still' 'knows bob'
	# What one stage cannot take keeps no other from what is new, in old workers and in new ones.
	locals carol
	damage labels.cdb
	: >"$T/it.log"
	kill -HUP "$it_pid"
	wait_until grep -q '^submitd: - failed reason="'"$T/labels.cdb:" "$T/it.log"
	wait_until grep -q '^submitd: - kept ' "$T/it.log"
	assertTrue 'carol' 'knows carol'
	assertFalse 'not bob any more' 'knows bob'
	kill -9 "$(resident_worker it)"
	wait_until grep -q ' lost ' "$T/it.log"
	assertTrue 'carol, in a new worker' 'knows carol'
	assertFalse 'nor there bob' 'knows bob'
	resident_stop it
	rm -f "$T/locals.cdb" "$T/labels.cdb"
}

test_sigterm_finishes_the_message_and_ends_the_session() {
	lmtpd_start -t 60 'END=sleep:1|250 2.0.0 Saved'
	resident_start it inline_submitd -P 1:1 qualify -d example.net stamp lmtp-inject "$T/s"
	{ printf '<\n> EHLO client\n<\n'; inline_letter one; echo '<<'; } | talk call "$T/it" >"$T/out" &
	client=$!
	wait_until grep -qs '^Hello' "$T/rec"
	resident_stop it
	wait "$client"
	lmtpd_ended
	assert_inline_answers 'the client' "$OK" '421 4.3.2 Service not available, closing the connection'
	assertEquals 'the server' 'LHLO MAIL RCPT DATA QUIT ' "$(inline_verbs)"
	assertTrue 'log' "grep -q '^submitd: - stopped' $T/it.log"
}

test_a_worker_that_is_killed_answers_nobody_and_delivers_nothing_twice() {
	for when in RCPT END; do
		lmtpd_start -n 2 -t 60 "1/$when=stall"
		resident_start it inline_submitd -P 1:1 qualify -d example.net stamp lmtp-inject "$T/s"
		inline_letter one | inline_session call "$T/it" &
		client=$!
		if [ $when = RCPT ]; then wait_until grep -qs '^RCPT' "$T/rec"; else wait_until grep -qs '^Hello' "$T/rec"; fi
		kill -9 "$(resident_worker it)"
		wait "$client"
		assertEquals "$when: no answer" '' "$(inline_answers)"
		assertEquals "$when: the end" EOF "$(tail -n 1 "$T/out")"
		inline_letter two | inline_session call "$T/it"
		assert_inline_answers "$when: the next" "$OK"
		resident_stop it
		lmtpd_ended
		assertEquals "$when: texts" "$([ $when = RCPT ] && echo '0 1' || echo '1 1')" \
			"$(grep -c '^Subject: one' "$T/rec") $(grep -c '^Subject: two' "$T/rec")"
		assertTrue "$when: log" "grep -q '^submitd: - lost worker=\"signal 9\"' $T/it.log"
		resident_stop_all
	done
}

# A child of the process that has ended is not always one that a message had: tlsc keeps its pid until it is told to end.
test_the_helper_of_a_kept_connection_is_nobody_elses_to_reap() {
	cert_server localhost 127.0.0.1 || fail 'openssl makes no certificates'
	smarthost_start -e PIPELINING,STARTTLS -n 2 '1/END=250 2.0.0 Saved|close'
	program_make check <<-'X'
		#!/bin/sh
		echo '250 2.1.5 fine'
	X
	resident_start it inline_submitd -P 1:1 -r "$T/check" smtp-inject -I 60 -c "$T/ca.pem" "127.0.0.1:$port"
	worker=$(resident_worker it)
	wait_until ended_helper "$worker" && echo ended >"$T/ended" &
	{
		inline_letter one
		echo "until $T/ended ended"
		printf '> MAIL FROM:<alice@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> NOOP\n<\n'
		echo "until $T/children children"
		printf '> RSET\n<\n'
		inline_letter two
	} >"$T/letters"
	inline_session call "$T/it" <"$T/letters" &
	client=$!
	wait_until grep -qsx '250 2.0.0 Ok' "$T/out"
	ps -o stat=,comm= --ppid "$worker" >"$T/helpers"
	echo children >"$T/children"
	wait "$client"
	assert_inline_answers 'both' "$OK" '250 2.0.0 Ok' '250 2.0.0 Ok' "$OK"
	assertTrue "it is there: $(cat "$T/helpers")" "grep -q '^Z.*tlsc' $T/helpers"
	wait_until one_helper "$worker"
	assertEquals 'and in the end gone' 1 "$(ps -o comm= --ppid "$worker" | wc -l)"
	resident_stop it
	lmtpd_ended
}

ended_helper() {
	ps -o stat=,comm= --ppid "$1" | grep -q '^Z.*tlsc'
}

one_helper() {
	[ "$(ps -o comm= --ppid "$1" | wc -l)" -eq 1 ]
}

test_a_message_leaves_no_descriptor_open() {
	lmtpd_start -n 1 'RCPT:nobody=550 5.1.1 Nobody here'
	resident_start it inline_submitd -P 1:1 bounce qualify -d example.net stamp lmtp-inject "$T/s"
	before=$(proc_descriptors "$(resident_worker it)")
	for n in 1 2 3; do
		inline_letter "$n" bob@example.org nobody@example.org | inline_session call "$T/it"
		assert_inline_answers "$n" "$OK"
	done
	wait_until [ "$(proc_descriptors "$(resident_worker it)")" -eq $((before + 1)) ]
	assertEquals 'only the kept connection' $((before + 1)) "$(proc_descriptors "$(resident_worker it)")"
	resident_stop it
	lmtpd_ended
}

. "$SHUNIT2"
