#!/bin/sh
# inline: the chain in one process is the chain. What the client, the next server and the log see of it; what stands
# behind it; misuse. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inline.sh
. "$ROOT/tests/lib/inline.sh"

test_the_message_the_answers_and_the_log_are_those_of_separate_processes() {
	{
		inline_letter one
		inline_letter two bob@example.org nobody@example.org
		inline_letter three nobody@example.org
		printf '> MAIL FROM:<alice@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> DATA\n<\n'
		printf '>> From: (\\r\\n\\r\\n.\\r\\n\n<\n'
		inline_letter five
	} >"$T/letters"
	set -- qualify -d example.net trace stamp lmtp-inject "$T/s"
	for how in apart execd resident; do
		lmtpd_start -n "$([ $how = apart ] && echo 4 || echo 1)" 'RCPT:nobody=550 5.1.1 Nobody here'
		case $how in
		apart) inline_session submitd "$@" <"$T/letters" ;;
		execd) inline_session inline submitd "$@" <"$T/letters" ;;
		resident)
			resident_start it inline_submitd "$@"
			inline_session call "$T/it" <"$T/letters"
			resident_stop it
			cat "$T/it.log" >>"$T/log"
			;;
		esac
		lmtpd_ended
		inline_heard | grep -v -e ^LHLO -e ^QUIT -e ^RSET >"$T/heard.$how"
		inline_masked <"$T/out" >"$T/out.$how"
		grep -v -e ' ready ' -e ' stopped$' "$T/log" | inline_masked >"$T/log.$how"
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

test_the_second_session_of_a_worker_sees_nothing_of_the_first() {
	for round in used fresh; do
		resident_start it inline_submitd -P 1:1 bounce qualify -d example.net stamp "$T/dump"
		it=$(resident_worker it)
		[ $round = fresh ] || {
			{ inline_letter first x@d.example y@d.example; printf '> MAIL FROM:<first@b.example>\n<\n'; } |
				SMTPAUTHUSER=first SMTPAUTHMETHOD=PLAIN SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=first MSA_X_ONE=1 MSA_HELO=first \
				MSA_VERB=EHLO TCPREMOTEHOST=first.example DATABYTES=100000 MSA_EHLO=DSN MSA_HOST=first.test \
				talk call "$T/it" >"$T/first"
			assertTrue 'the first was served' "grep -q 'Subject: first' $T/given"
		}
		: >"$T/given"
		{ inline_letter second; inline_letter third; } | inline_session call "$T/it"
		inline_masked <"$T/given" >"$T/given.$round"
		inline_masked <"$T/out" >"$T/out.$round"
		assertEquals 'one worker served both' "$it" "$(resident_worker it)"
		resident_stop it
	done
	assert_same 'what the chain was given' "$T/given.fresh" "$T/given.used"
	assert_same 'what the client heard' "$T/out.fresh" "$T/out.used"
	assertEquals 'messages' 2 "$(grep -c '^Subject:' "$T/given.used")"
	assertFalse 'nothing of the first' "grep -q -i first $T/given.used"
}

test_a_program_that_it_does_not_know_is_run_with_all_behind_it() {
	program_make outside <<-'X'
		#!/bin/sh
		grep -qi '^Subject: secret' && { echo '550 5.7.0 Not outside'; exit 100; }
		echo "$MSA_MESSAGE $*" >>"$T/ran"
		rewind
		exec "$@"
	X
	for how in execd resident; do
		lmtpd_start -n 2
		rm -f "$T/ran"
		set -- qualify -d example.net "$T/outside" stamp lmtp-inject "$T/s"
		[ $how = execd ] || resident_start it inline_submitd "$@"
		{ inline_letter one; inline_letter secret; inline_letter two; } >"$T/letters"
		if [ $how = execd ]; then inline_session inline submitd "$@" <"$T/letters"; else inline_session call "$T/it" <"$T/letters"; fi
		lmtpd_ended
		assert_inline_answers "$how" "$OK" '550 5.7.0 Not outside' "$OK"
		assertEquals "$how: run for each" 2 "$(grep -c " stamp lmtp-inject $T/s\$" "$T/ran")"
		assertEquals "$how: completed before, stamped behind" '2 2' \
			"$(grep -c '^Message-ID: ' "$T/rec") $(grep -c '^Received: ' "$T/rec")"
	done
}

test_a_program_that_cannot_be_run_is_451() {
	inline_letter one | inline_session inline submitd qualify -d example.net "$T/missing"
	assert_inline_answers 'missing' "$LOCAL"
	assertTrue 'log' "grep -q '^qualify: .*next program $T/missing: No such file or directory' $T/log"
}

test_call_behind_hands_over_to_a_resident() {
	lmtpd_start
	resident_start inject lmtp-inject -P 1:1 "$T/s"
	inline_letter one | inline_session inline submitd qualify -d example.net stamp call "$T/inject"
	assert_inline_answers 'exec'\''d' "$OK"
	resident_start it inline_submitd qualify -d example.net stamp call "$T/inject"
	inline_letter two | inline_session call "$T/it"
	assert_inline_answers 'resident' "$OK"
	resident_start message inline_qualify -d example.net stamp call "$T/inject"
	inline_letter three | inline_session submitd call "$T/message"
	assert_inline_answers 'of a message alone' "$OK"
	inline_letter four | inline_session submitd inline qualify -d example.net stamp call "$T/inject"
	assert_inline_answers 'of a message alone, exec'\''d' "$OK"
	resident_stop inject
	inline_letter five | inline_session call "$T/it"
	assert_inline_answers 'nobody there' "$LOCAL"
	lmtpd_ended
	assertEquals 'messages' '4 4' "$(inline_texts) $(grep -c '^Received: ' "$T/rec")"
}

test_a_word_with_a_slash_is_run() {
	program_make stamp <<-'X'
		#!/bin/sh
		echo x >>"$T/ran"
		exec "$@"
	X
	lmtpd_start
	rm -f "$T/ran"
	PATH=$T:$PATH
	inline_letter one | inline_session inline submitd qualify -d example.net stamp lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals 'a name is the one inside' '0 1' "$(cat "$T/ran" 2>/dev/null | wc -l) $(grep -c '^Received: ' "$T/rec")"
	lmtpd_start
	inline_letter one | inline_session inline submitd qualify -d example.net "$T/stamp" lmtp-inject "$T/s"
	PATH=${PATH#*:}
	lmtpd_ended
	assertEquals 'a path is not' '1 0' "$(wc -l <"$T/ran") $(grep -c '^Received: ' "$T/rec")"
}

test_bounce_inside_reports_who_was_not_reached() {
	for how in execd resident; do
		lmtpd_start 'RCPT:nobody=550 5.1.1 Nobody here'
		set -- bounce qualify -d example.net stamp lmtp-inject "$T/s"
		[ $how = execd ] || resident_start it inline_submitd "$@"
		{ inline_letter one bob@example.org nobody@example.org; inline_letter two; } >"$T/letters"
		if [ $how = execd ]; then inline_session inline submitd "$@" <"$T/letters"; else inline_session call "$T/it" <"$T/letters"; fi
		[ $how = execd ] || { resident_stop it; cat "$T/it.log" >>"$T/log"; }
		lmtpd_ended
		assert_inline_answers "$how" "$OK" "$OK"
		assertEquals "$how: over one connection" \
			'LHLO MAIL RCPT RCPT DATA MAIL RCPT DATA MAIL RCPT DATA QUIT ' "$(inline_verbs)"
		assertEquals "$how: the report" 'MAIL FROM:<> RCPT TO:<alice@example.net>' \
			"$(grep -A 1 '^MAIL FROM:<>' "$T/rec" | tr -d '\r' | paste -sd' ')"
		assertEquals "$how: about" 'Final-Recipient: rfc822; nobody@example.org' \
			"$(grep '^Final-R' "$T/rec" | tr -d '\r')"
		assert_logged '^bounce: session/[0-9a-z]\{14\} done report=[0-9a-z]\{14\} failed=1 reached=0 code=250 ms=[0-9]*$'
		assert_logged '^submitd: session/[0-9a-z]\{14\} accepted .*rcpts=2 .*code=250'
		assertEquals "$how: the report has an id of its own in its log lines" \
			"$(sed -n 's/^bounce: .* report=\([0-9a-z]*\) .*/\1/p' "$T/log")" \
			"$(sed -n 's|^lmtp-inject: session/\([0-9a-z]*\) reached rcpt=alice@example.net .*|\1|p' "$T/log")"
	done
}

test_a_verdict_for_1000_recipients_does_not_hang() {
	long=$(printf '%0150d' 0)
	lmtpd_start "END=550 5.7.1 $long" 'RCPT#1000=250 2.1.5 The last'
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
		MSA_LMTP='' talk inline submitd trace qualify -d example.net stamp lmtp-inject "$T/s" >"$T/out" 2>"$T/log"
	lmtpd_ended
	assertEquals 'a reply for each' 1000 "$(grep -c "^550 5.7.1 $long\$" "$T/out")"
	assertEquals 'and the session goes on' '221 2.0.0 Bye' "$(tail -n 2 "$T/out" | head -n 1)"
}

test_more_stages_than_it_takes_are_run() {
	lmtpd_start
	# shellcheck disable=SC2046
	inline_letter one | inline_session inline submitd $(yes stamp | head -n 20) lmtp-inject "$T/s"
	lmtpd_ended
	assert_inline_answers 'accepted' "$OK"
	assertEquals 'all of them' 20 "$(grep -c '^Received: ' "$T/rec")"
	assertEquals 'each has a line' 20 "$(grep -c '^stamp: .* done ' "$T/log")"
}

test_by_hand_it_is_the_filter_or_the_client_that_its_stages_are() {
	printf 'From: alice@example.net\nSubject: x\n\nHello\n' >"$T/text"
	for chain in 'qualify -d example.net' 'stamp qualify -d example.net' 'trace stamp qualify -d example.net'; do
		# shellcheck disable=SC2086
		inline $chain <"$T/text" 2>"$T/log" | inline_masked >"$T/got"
		# shellcheck disable=SC2086
		$chain <"$T/text" 2>"$T/log2" | inline_masked >"$T/want"
		assert_same "$chain" "$T/want" "$T/got"
		assertTrue "$chain: something" "grep -q '^Message-ID: <ID@example.net>' $T/got"
		assert_same "$chain: log" "$T/log2" "$T/log"
	done
	lmtpd_start
	inline stamp lmtp-inject -f a@example.net -r b@example.org "$T/s" <"$T/text" >"$T/out" 2>"$T/log"
	assertEquals 'delivered' '0 250 2.0.0 Saved' "$? $(cat "$T/out")"
	lmtpd_ended
	assertEquals 'stamped' '1 1' "$(inline_texts) $(grep -c '^Received: ' "$T/rec")"
	# It would have written the message to standard output and delivered nothing, with 0.
	inline stamp qualify -d example.net lmtp-inject -f a@example.net -r b@example.org "$T/none" <"$T/text" >"$T/out" 2>"$T/log"
	assertEquals 'no filter in front of another' '100 ' "$? $(cat "$T/out")"
	assertEquals 'qualify: lmtp-inject: MSA_MESSAGE is not set: not in a chain (submit starts one)' "$(cat "$T/log")"
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
	misused "usage: qualify [-c charset] [-d domain] [-k keywords] [-m] [-s add|replace] [-u table|all] [-D suffix -t table] $STAGE [prog [arg ...]]" submitd qualify -z
	misused "qualify: -d: not a fully qualified domain" submitd qualify -d example stamp lmtp-inject "$T/s"
	misused "qualify: $T/none: No such file or directory" submitd qualify -d example.net -u "$T/none" lmtp-inject "$T/s"
	misused "usage: stamp [-ps] $STAGE [prog [arg ...]]" submitd stamp -q
	misused "usage: bounce [-d] [-f address] [-k keywords] [-q octets] $STAGE prog [arg ...]" submitd bounce
	misused "usage: trace [-mv] $STAGE prog [arg ...]" submitd trace
	misused "usage: spool [-fp] [-m octets] $STAGE directory" submitd spool
	misused "usage: maildir-inject [-n] [-f sender] [-r recipient] $STAGE directory" submitd maildir-inject "$T" more
	misused "$(lmtp-inject 2>&1)" submitd lmtp-inject
	misused "$(lmtp-inject 2>&1)" submitd lmtp-inject "$T/s" more
	misused "$(smtp-inject 2>&1)" submitd smtp-inject
	misused 'inline: lmtp-inject has an option that prints something and ends' lmtp-inject -k "$T/s"
	misused 'inline: smtp-inject has an option that prints something and ends' submitd smtp-inject -k 127.0.0.1
	misused 'inline: spool has an option that prints something and ends' submitd spool -p "$T"
	misused 'inline: submitd serves sessions, so it can only be the first' submitd submitd lmtp-inject "$T/s"
	misused 'inline: submitd serves sessions, so it can only be the first' trace submitd lmtp-inject "$T/s"
	for option in "-l $T/x" '-U root' '-A root' '-P 1:2' '-C 5' '-R 1'; do
		# shellcheck disable=SC2086
		misused 'inline: stamp has -A, -C, -l, -P, -R or -U, which only the first stage may have' submitd stamp $option lmtp-inject "$T/s"
	done
	for first in submitd "submitd -l $T/x" "qualify -l $T/x -d example.net"; do
		# shellcheck disable=SC2086
		misused 'inline: nothing follows stamp, which does not deliver' $first qualify -d example.net stamp
	done
	misused "submitd: user nosuchuser: No such file or directory" submitd -l "$T/x" -U nosuchuser lmtp-inject "$T/s"
	assertFalse 'nobody listens' "[ -e $T/x ]"
}

test_in_a_chain_misuse_is_451_and_refuses_nothing_for_good() {
	for chain in '' 'nosuchstage' 'qualify -z' 'stamp qualify -d example' 'stamp -q' 'bounce' 'submitd' 'stamp submitd' \
		'qualify submitd true' "stamp -p lmtp-inject -l $T/x $T/s" "qualify stamp -U root lmtp-inject $T/s" \
		"stamp lmtp-inject -k $T/s" "stamp spool -p $T"; do
		# shellcheck disable=SC2086
		inline_letter one | inline_session submitd inline $chain
		assert_inline_answers "$chain" "$LOCAL"
	done
	chain_default
	chain_give inline qualify stamp -U root lmtp-inject "$T/s"
	assertEquals 'code' 111 $?
}

# Under syslog the name of the line is not in it but in front of it.
test_in_syslog_each_stage_has_its_own_name() {
	needs mount || return 0
	lmtpd_start
	inline_letter one >"$T/letters"
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
	lmtpd_ended
	assertEquals 'delivered' 1 "$(inline_texts)"
	assertEquals 'names: of the recipient and of the message in the injector' 'qualify stamp lmtp-inject lmtp-inject submitd' \
		"$(sed -n 's/.* \([a-z-]*\)\[[0-9]*\]: .*/\1/p' "$T/log" | paste -sd' ')"
	assertTrue 'as ever behind it' "grep -q 'stamp\[[0-9]*\]: session/[0-9a-z]* done with=ESMTP' $T/log"
}

. "$SHUNIT2"
