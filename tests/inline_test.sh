#!/bin/sh
# inline: the chain in one process is the chain. What the client, the next server and the log see of it; what stands
# behind it; what is kept and let go; signals; misuse. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2034
# shellcheck source=tests/resident.sh
. "$(dirname "$0")/resident.sh"
# shellcheck source=tests/inject.sh
. "$ROOT/tests/inject.sh"
# shellcheck source=tests/tls.sh
. "$ROOT/tests/tls.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1 RELAYCLIENT=''
	lmtpd_pid=
	# What it is given goes to $T/given, and is accepted.
	program dump <<-'X'
		#!/bin/sh
		{
			env | grep -v -e '^_=' -e '^PWD=' -e '^OLDPWD=' -e '^MSA_DEADLINE=' | sort
			cat
			cat <&3
		} >>"$T/given"
		echo '250 2.0.0 taken'
	X
}

tearDown() {
	stop_all
	[ -z "$lmtpd_pid" ] || kill "$lmtpd_pid" 2>/dev/null
	wait
	lmtpd_pid=
	rm -f "$T"/*.log "$T/given" "$T/rec" "$T/out" "$T/ended" "$T/children"
}

# The script of a message for talk, each reply awaited. usage: letter subject [recipient ...]
letter() {
	subject=$1
	shift
	[ $# -gt 0 ] || set -- bob@example.org
	printf '> MAIL FROM:<alice@example.net>\n<\n'
	for rcpt; do
		printf '> RCPT TO:<%s>\n<\n' "$rcpt"
	done
	printf '> DATA\n<\n>> From: alice@example.net\\r\\nSubject: %s\\r\\n\\r\\nHello\\r\\n.\\r\\n\n<\n' "$subject"
}

# A session of the letters of standard input; $T/out is what the client hears. usage: session program ...
session() {
	{
		printf '<\n> EHLO client\n<\n'
		cat
		printf '> QUIT\n<<\n'
	} | talk -t 30 "$@" >"$T/out" 2>"$T/log"
}

# What is different each time. usage: masked <text
masked() {
	sed -E 's/[A-Z][a-z]{2}, [ 0-9]?[0-9] [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [-+][0-9]{4}/DATE/; s/ms=[0-9]+/ms=N/
		s/session\/[0-9a-z]{14}/session\/ID/; s/(message |id |report=)[0-9a-z]{14}/\1ID/; s/<[0-9a-z]{14}@/<ID@/
		s/^MSA_MESSAGE=[0-9a-z]{14}$/MSA_MESSAGE=ID/; s/"=_M\..*"|=_M\.[0-9a-z]{14}/BOUNDARY/'
}

# What the client heard of its messages, without the session around. usage: answers
answers() {
	grep -v -e '^220 ' -e '^250-' -e '^250 [A-Z]' -e '^250 2\.1\.[05] ' -e ^354 -e ^221 -e ^EOF -e ^GONE "$T/out" | masked
}

# usage: assert_answers what line ...
assert_answers() {
	what=$1
	shift
	printf '%s\n' "$@" >"$T/expected"
	answers >"$T/answers"
	assert_same "$what" "$T/expected" "$T/answers"
}

heard() {
	tr -d '\r' <"$T/rec" | masked
}

# The verbs that the server heard.
verbs() {
	tr -d '\r' <"$T/rec" | grep -o -E '^(LHLO|EHLO|STARTTLS|MAIL|RCPT|DATA|RSET|QUIT)' | tr '\n' ' '
}

texts() {
	grep -c '^Hello' "$T/rec"
}

OK='250 2.0.0 Ok, message ID'
LOCAL='451 4.3.0 Local error, try again later'

test_the_message_the_answers_and_the_log_are_those_of_separate_processes() {
	{
		letter one
		letter two bob@example.org nobody@example.org
		letter three nobody@example.org
		printf '> MAIL FROM:<alice@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> DATA\n<\n'
		printf '>> From: (\\r\\n\\r\\n.\\r\\n\n<\n'
		letter five
	} >"$T/letters"
	set -- qualify -d example.net trace stamp lmtp-inject "$T/s"
	for how in apart execd resident; do
		serve -n "$([ $how = apart ] && echo 4 || echo 1)" 'RCPT:nobody=550 5.1.1 Nobody here'
		case $how in
		apart) session submitd "$@" <"$T/letters" ;;
		execd) session inline submitd "$@" <"$T/letters" ;;
		resident)
			resident it inline_submitd "$@"
			session call "$T/it" <"$T/letters"
			stop it
			cat "$T/it.log" >>"$T/log"
			;;
		esac
		served
		heard | grep -v -e ^LHLO -e ^QUIT -e ^RSET >"$T/heard.$how"
		masked <"$T/out" >"$T/out.$how"
		grep -v -e ' ready ' -e ' stopped$' "$T/log" | masked >"$T/log.$how"
	done
	assertEquals 'two were delivered' 2 "$(grep -c Subject: "$T/heard.apart")"
	assertEquals 'each has its name' 'lmtp-inject qualify stamp submitd trace' \
		"$(sed 's/:.*//' "$T/log.apart" | sort -u | paste -sd' ')"
	for how in execd resident; do
		assert_same "$how: the client" "$T/out.apart" "$T/out.$how"
		assert_same "$how: the server" "$T/heard.apart" "$T/heard.$how"
		assert_same "$how: the log" "$T/log.apart" "$T/log.$how"
	done
}

# resident wants one word.
inline_submitd() {
	exec inline submitd "$@"
}

inline_qualify() {
	exec inline qualify "$@"
}

test_the_second_session_of_a_worker_sees_nothing_of_the_first() {
	for round in used fresh; do
		resident it inline_submitd -P 1:1 bounce qualify -d example.net stamp "$T/dump"
		it=$(worker it)
		[ $round = fresh ] || {
			{ letter first x@d.example y@d.example; printf '> MAIL FROM:<first@b.example>\n<\n'; } |
				SMTPAUTHUSER=first SMTPAUTHMETHOD=PLAIN SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=first MSA_X_ONE=1 MSA_HELO=first \
				MSA_VERB=EHLO TCPREMOTEHOST=first.example DATABYTES=100000 MSA_EHLO=DSN MSA_HOST=first.test \
				talk call "$T/it" >"$T/first"
			assertTrue 'the first was served' "grep -q 'Subject: first' $T/given"
		}
		: >"$T/given"
		{ letter second; letter third; } | session call "$T/it"
		masked <"$T/given" >"$T/given.$round"
		masked <"$T/out" >"$T/out.$round"
		assertEquals 'one worker served both' "$it" "$(worker it)"
		stop it
	done
	assert_same 'what the chain was given' "$T/given.fresh" "$T/given.used"
	assert_same 'what the client heard' "$T/out.fresh" "$T/out.used"
	assertEquals 'messages' 2 "$(grep -c '^Subject:' "$T/given.used")"
	assertFalse 'nothing of the first' "grep -q -i first $T/given.used"
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

test_a_program_that_it_does_not_know_is_run_with_all_behind_it() {
	program outside <<-'X'
		#!/bin/sh
		grep -qi '^Subject: secret' && { echo '550 5.7.0 Not outside'; exit 100; }
		echo "$MSA_MESSAGE $*" >>"$T/ran"
		rewind
		exec "$@"
	X
	for how in execd resident; do
		serve -n 2
		rm -f "$T/ran"
		set -- qualify -d example.net "$T/outside" stamp lmtp-inject "$T/s"
		[ $how = execd ] || resident it inline_submitd "$@"
		{ letter one; letter secret; letter two; } >"$T/letters"
		if [ $how = execd ]; then session inline submitd "$@" <"$T/letters"; else session call "$T/it" <"$T/letters"; fi
		served
		assert_answers "$how" "$OK" '550 5.7.0 Not outside' "$OK"
		assertEquals "$how: run for each" 2 "$(grep -c " stamp lmtp-inject $T/s\$" "$T/ran")"
		assertEquals "$how: completed before, stamped behind" '2 2' \
			"$(grep -c '^Message-ID: ' "$T/rec") $(grep -c '^Received: ' "$T/rec")"
	done
}

test_a_program_that_cannot_be_run_is_451() {
	letter one | session inline submitd qualify -d example.net "$T/missing"
	assert_answers 'missing' "$LOCAL"
	assertTrue 'log' "grep -q '^qualify: .*next program $T/missing: No such file or directory' $T/log"
	letter one | session inline submitd qualify -d example.net stamp
	assert_answers 'nothing behind' "$LOCAL"
	assertTrue 'log' "grep -q '^stamp: .* misuse reason=\"no next program\"' $T/log"
}

test_call_behind_hands_over_to_a_resident() {
	serve
	resident inject lmtp-inject -P 1:1 "$T/s"
	letter one | session inline submitd qualify -d example.net stamp call "$T/inject"
	assert_answers 'exec'\''d' "$OK"
	resident it inline_submitd qualify -d example.net stamp call "$T/inject"
	letter two | session call "$T/it"
	assert_answers 'resident' "$OK"
	resident message inline_qualify -d example.net stamp call "$T/inject"
	letter three | session submitd call "$T/message"
	assert_answers 'of a message alone' "$OK"
	letter four | session submitd inline qualify -d example.net stamp call "$T/inject"
	assert_answers 'of a message alone, exec'\''d' "$OK"
	stop inject
	letter five | session call "$T/it"
	assert_answers 'nobody there' "$LOCAL"
	served
	assertEquals 'messages' '4 4' "$(texts) $(grep -c '^Received: ' "$T/rec")"
}

test_a_word_with_a_slash_is_run() {
	program stamp <<-'X'
		#!/bin/sh
		echo x >>"$T/ran"
		exec "$@"
	X
	serve
	rm -f "$T/ran"
	PATH=$T:$PATH
	letter one | session inline submitd qualify -d example.net stamp lmtp-inject "$T/s"
	served
	assertEquals 'a name is the one inside' '0 1' "$(cat "$T/ran" 2>/dev/null | wc -l) $(grep -c '^Received: ' "$T/rec")"
	serve
	letter one | session inline submitd qualify -d example.net "$T/stamp" lmtp-inject "$T/s"
	PATH=${PATH#*:}
	served
	assertEquals 'a path is not' '1 0' "$(wc -l <"$T/ran") $(grep -c '^Received: ' "$T/rec")"
}

test_bounce_inside_reports_who_was_not_reached() {
	for how in execd resident; do
		serve 'RCPT:nobody=550 5.1.1 Nobody here'
		set -- bounce qualify -d example.net stamp lmtp-inject "$T/s"
		[ $how = execd ] || resident it inline_submitd "$@"
		{ letter one bob@example.org nobody@example.org; letter two; } >"$T/letters"
		if [ $how = execd ]; then session inline submitd "$@" <"$T/letters"; else session call "$T/it" <"$T/letters"; fi
		[ $how = execd ] || { stop it; cat "$T/it.log" >>"$T/log"; }
		served
		assert_answers "$how" "$OK" "$OK"
		assertEquals "$how: over one connection" \
			'LHLO MAIL RCPT RCPT DATA MAIL RCPT DATA MAIL RCPT DATA QUIT ' "$(verbs)"
		assertEquals "$how: the report" 'MAIL FROM:<> RCPT TO:<alice@example.net>' \
			"$(grep -A 1 '^MAIL FROM:<>' "$T/rec" | tr -d '\r' | paste -sd' ')"
		assertEquals "$how: about" 'Final-Recipient: rfc822; nobody@example.org' \
			"$(grep '^Final-R' "$T/rec" | tr -d '\r')"
		assert_logged '^bounce: session/[0-9a-z]\{14\} done report=[0-9a-z]\{14\} failed=1 reached=0 code=250 ms=[0-9]*$'
		assert_logged '^submitd: session/[0-9a-z]\{14\} accepted .*rcpts=2 .*code=250'
	done
}

test_a_verdict_for_1000_recipients_does_not_hang() {
	long=$(printf '%0150d' 0)
	serve "END=550 5.7.1 $long" 'RCPT#1000=250 2.1.5 The last'
	{
		printf 'LHLO x\r\nMAIL FROM:<alice@example.net>\r\n'
		i=0
		while [ "$i" -lt 1000 ]; do
			i=$((i + 1))
			printf 'RCPT TO:<u%d@example.org>\r\n' "$i"
		done
		printf 'DATA\r\n'
	} >"$T/many"
	printf '<\nfile %s\n>> From: alice@example.net\\r\\n\\r\\nHello\\r\\n.\\r\\n\n> QUIT\n<<\n' "$T/many" |
		MSA_LMTP='' talk -t 60 inline submitd trace qualify -d example.net stamp lmtp-inject "$T/s" >"$T/out" 2>"$T/log"
	served
	assertEquals 'a reply for each' 1000 "$(grep -c "^550 5.7.1 $long\$" "$T/out")"
	assertEquals 'and the session goes on' '221 2.0.0 Bye' "$(tail -n 2 "$T/out" | head -n 1)"
}

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

test_without_time_to_keep_it_a_connection_ends_with_the_message() {
	serve -n 2
	{ letter one; letter two; } | session inline submitd lmtp-inject -i 0 "$T/s"
	served
	assertEquals 'LHLO MAIL RCPT DATA QUIT LHLO MAIL RCPT DATA QUIT ' "$(verbs)"
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
	until_true grep -q '^qualify: - kept ' "$T/it.log"
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
	letter one | session call "$T/it" &
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
		serve -n 2 -t 60 "1/$when=sleep:3|250 2.0.0 Ok"
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
	until_true grep -qx '250 2.0.0 Ok' "$T/out"
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

test_more_stages_than_it_takes_are_run() {
	serve
	# shellcheck disable=SC2046
	letter one | session inline submitd $(yes stamp | head -n 20) lmtp-inject "$T/s"
	served
	assert_answers 'accepted' "$OK"
	assertEquals 'all of them' 20 "$(grep -c '^Received: ' "$T/rec")"
	assertEquals 'each has a line' 20 "$(grep -c '^stamp: .* done ' "$T/log")"
}

test_by_hand_it_is_the_filter_or_the_client_that_its_stages_are() {
	printf 'From: alice@example.net\nSubject: x\n\nHello\n' >"$T/text"
	for chain in 'qualify -d example.net' 'stamp qualify -d example.net' 'trace stamp qualify -d example.net'; do
		# shellcheck disable=SC2086
		inline $chain <"$T/text" 2>"$T/log" | masked >"$T/got"
		# shellcheck disable=SC2086
		$chain <"$T/text" 2>"$T/log2" | masked >"$T/want"
		assert_same "$chain" "$T/want" "$T/got"
		assertTrue "$chain: something" "grep -q '^Message-ID: <ID@example.net>' $T/got"
		assert_same "$chain: log" "$T/log2" "$T/log"
	done
	serve
	inline stamp lmtp-inject -f a@example.net -r b@example.org "$T/s" <"$T/text" >"$T/out" 2>"$T/log"
	assertEquals 'delivered' '0 250 2.0.0 Saved' "$? $(cat "$T/out")"
	served
	assertEquals 'stamped' '1 1' "$(texts) $(grep -c '^Received: ' "$T/rec")"
	# It would have written the message to standard output and delivered nothing, with 0.
	inline stamp qualify -d example.net lmtp-inject -f a@example.net -r b@example.org "$T/none" <"$T/text" >"$T/out" 2>"$T/log"
	assertEquals 'no filter in front of another' '100 ' "$? $(cat "$T/out")"
	assertEquals 'qualify: lmtp-inject: MSA_MESSAGE is not set: not in a chain' "$(cat "$T/log")"
}

STAGE='[-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user]'

# usage: misused last-line-of-the-message words ...
misused() {
	said=$1
	shift
	timeout 20 inline "$@" </dev/null >"$T/out" 2>"$T/log"
	assertEquals "$*: code" 100 $?
	assertEquals "$*: message" "$said" "$(tail -n 1 "$T/log")"
	assertEquals "$*: nothing said" '' "$(cat "$T/out")"
}

test_misuse_is_told_at_the_start() {
	ours='usage: inline stage [option ...] [prog [arg ...]]'
	misused "$ours"
	misused "$ours" nosuchstage
	misused "$ours" -l "$T/x" submitd lmtp-inject "$T/s"
	misused "$ours" /usr/bin/submitd
	misused "$ours" authd
	submitd=$(submitd 2>&1)
	misused "$submitd" submitd
	misused "$submitd" submitd -z qualify
	misused "usage: qualify [-d domain] [-u table|all] [-D suffix -t table] $STAGE [prog [arg ...]]" submitd qualify -z
	misused "qualify: -d: not a fully qualified domain" submitd qualify -d example stamp lmtp-inject "$T/s"
	misused "qualify: $T/none: No such file or directory" submitd qualify -d example.net -u "$T/none" lmtp-inject "$T/s"
	misused "usage: stamp [-ps] $STAGE [prog [arg ...]]" submitd stamp -q
	misused "usage: bounce [-d] [-f address] [-k keywords] [-q octets] $STAGE prog [arg ...]" submitd bounce
	misused "usage: trace [-mv] $STAGE prog [arg ...]" submitd trace
	misused "usage: spool [-fp] [-m octets] $STAGE directory" submitd spool
	misused "usage: maildir-inject [-f sender] [-r recipient] $STAGE directory" submitd maildir-inject "$T" more
	misused "$(lmtp-inject 2>&1)" submitd lmtp-inject
	misused "$(lmtp-inject 2>&1)" submitd lmtp-inject "$T/s" more
	misused "$(smtp-inject 2>&1)" submitd smtp-inject
	misused 'inline: lmtp-inject has an option that prints something and ends' lmtp-inject -k "$T/s"
	misused 'inline: smtp-inject has an option that prints something and ends' submitd smtp-inject -k 127.0.0.1
	misused 'inline: spool has an option that prints something and ends' submitd spool -p "$T"
	misused 'inline: submitd serves sessions, so it can only be the first' submitd submitd lmtp-inject "$T/s"
	misused 'inline: submitd serves sessions, so it can only be the first' trace submitd lmtp-inject "$T/s"
	for option in "-l $T/x" '-U root' '-A root'; do
		# shellcheck disable=SC2086
		misused 'inline: stamp has -A, -l or -U, which are the first one'\''s to have' submitd stamp $option lmtp-inject "$T/s"
	done
	misused "submitd: user nosuchuser: No such file or directory" submitd -l "$T/x" -U nosuchuser lmtp-inject "$T/s"
	assertFalse 'nobody listens' "[ -e $T/x ]"
}

test_in_a_chain_misuse_is_451_and_refuses_nothing_for_good() {
	for chain in '' 'nosuchstage' 'qualify -z' 'stamp qualify -d example' 'stamp -q' 'bounce' 'submitd' 'stamp submitd' \
		'qualify submitd true' "stamp -p lmtp-inject -l $T/x $T/s" "qualify stamp -U root lmtp-inject $T/s" \
		"stamp lmtp-inject -k $T/s" "stamp spool -p $T"; do
		# shellcheck disable=SC2086
		letter one | session submitd inline $chain
		assert_answers "$chain" "$LOCAL"
	done
	files
	give inline qualify stamp -U root lmtp-inject "$T/s"
	assertEquals 'code' 111 $?
}

# Under syslog the name of the line is not in it but in front of it.
test_in_syslog_each_stage_has_its_own_name() {
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || {
		skip 'needs root, and a /dev of its own'
		return
	}
	serve
	letter one >"$T/letters"
	cat >"$T/syslogd" <<-'X'
		import os, socket, subprocess, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind('/dev/log')
		subprocess.run(sys.argv[2:], stderr=subprocess.DEVNULL)
		s.setblocking(False)
		with open(sys.argv[1], 'wb') as f:
		    try:
		        while True: f.write(s.recv(65536).rstrip(b'\0\n') + b'\n')
		    except BlockingIOError: pass
	X
	{
		printf '<\n> EHLO client\n<\n'
		cat "$T/letters"
		printf '> QUIT\n<<\n'
	} >"$T/script"
	unshare -m sh -c 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 &&
		exec python3 "$@"' sh "$T/syslogd" "$T/log" sh -c 'talk "$@" <"$T/script" >"$T/out" 2>/dev/null' sh \
		inline submitd qualify -d example.net stamp lmtp-inject "$T/s"
	served
	assertEquals 'delivered' 1 "$(texts)"
	assertEquals 'names' 'qualify stamp lmtp-inject submitd' \
		"$(sed -n 's/.* \([a-z-]*\)\[[0-9]*\]: .*/\1/p' "$T/log" | paste -sd' ')"
	assertTrue 'as ever behind it' "grep -q 'stamp\[[0-9]*\]: session/[0-9a-z]* done with=ESMTP' $T/log"
}

. "$SHUNIT2"
