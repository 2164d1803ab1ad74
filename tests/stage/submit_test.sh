#!/bin/sh
# submit(8): a message chain from a shell. The message, the envelope and the facts that the chain gets; the exit codes.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

# A chain that keeps what it got as $T/msg, $T/env and $T/facts, and answers with its words, a reply each.
oneTimeSetUp() {
	cat >"$T/next" <<-'P'
		#!/bin/sh
		cat >"$T/msg"
		cat <&3 >"$T/env"
		env | grep -E '^(MSA|SMTP|TCP|SSL_P|RELAY)' | grep -v '^MSA_\(BIN\|JOBS\)=' | LC_ALL=C sort >"$T/facts"
		for reply; do echo "$reply"; done
	P
	chmod 755 "$T/next"
}

setUp() {
	rm -f "$T/msg" "$T/env" "$T/facts" "$T/log" "$T/out"
	printf 'From: alice@example.net\nSubject: test\n\nHello\n' >"$T/draft"
	printf 'From: alice@example.net\r\nSubject: test\r\n\r\nHello\r\n' >"$T/wanted"
}

tearDown() {
	resident_stop_all
}

# Submit $T/draft from Alice to Bob: $code, $T/log. usage: submitted [option ...] prog ...
submitted() {
	submit -f alice@example.net -r bob@example.org "$@" <"$T/draft" >"$T/out" 2>"$T/log"
	code=$?
}

# usage: assert_refused what code text ; nothing was started
assert_refused() {
	assertEquals "$1: exit code: $(cat "$T/log")" "$2" "$code"
	assertEquals "$1" "submit: $3" "$(cat "$T/log")"
	assertFalse "$1: the chain was started" "[ -e $T/msg ]"
}

test_the_chain_gets_message_envelope_and_facts() {
	now=$(date +%s)
	SMTPAUTHUSER=alice MSA_X_SITE=x MSA_PARTIAL='' MSA_MESSAGE=old MSA_RCPTS=9 submitted -r carol@Example.COM "$T/next" \
		'250 2.0.0 taken'
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	assert_same 'message' "$T/wanted" "$T/msg"
	printf 'MAIL FROM:<alice@example.net>\nRCPT TO:<bob@example.org>\nRCPT TO:<carol@example.com>\n' >"$T/expected"
	assert_same 'envelope' "$T/expected" "$T/env"
	deadline=$(sed -n 's/^MSA_DEADLINE=//p' "$T/facts")
	assertTrue "deadline: $deadline" "[ $((deadline - now)) -ge 90 ] && [ $((deadline - now)) -le 150 ]"
	sed -E 's/^(MSA_DEADLINE|MSA_MESSAGE|MSA_SESSION)=[0-9a-z]{10,14}$/\1=X/' "$T/facts" >"$T/got"
	printf '%s\n' MSA_DEADLINE=X MSA_MESSAGE=X MSA_RCPTS=2 MSA_SESSION=X MSA_X_SITE=x SMTPAUTHUSER=alice >"$T/expected"
	assert_same 'facts' "$T/expected" "$T/got"
	assertEquals 'standard output' '' "$(cat "$T/out")"
	session=$(sed -n 's/^MSA_SESSION=//p' "$T/facts") message=$(sed -n 's/^MSA_MESSAGE=//p' "$T/facts")
	assertEquals 'log' "submit: $session/$message accepted user=alice rcpts=2 size=49 code=250 ms=N from=alice@example.net" \
		"$(sed 's/ms=[0-9]*/ms=N/' "$T/log")"
}

test_lines_become_lines_with_crlf() {
	while IFS='|' read -r draft message; do
		# shellcheck disable=SC2059
		printf "$draft" >"$T/draft"
		# shellcheck disable=SC2059
		printf "$message" >"$T/wanted"
		submitted "$T/next" '250 2.0.0 taken'
		assertEquals "$draft: $(cat "$T/log")" 0 "$code"
		assert_same "$draft" "$T/wanted" "$T/msg"
	done <<-'X'
		A: b\n\nc\n|A: b\r\n\r\nc\r\n
		A: b\r\n\r\nc\r\n|A: b\r\n\r\nc\r\n
		A: b\n\r\nc\r\nd\n|A: b\r\n\r\nc\r\nd\r\n
		A: b\n\nc|A: b\r\n\r\nc\r\n
		A: b|A: b\r\n
		A: b\n\n.\n..\n\n\n|A: b\r\n\r\n.\r\n..\r\n\r\n\r\n
	X
	cat "$T/draft" | submit -f a@b.example -r c@d.example "$T/next" '250 2.0.0 taken' 2>"$T/log"
	code=$?
	assertEquals 'from a pipe' 0 "$code"
	assert_same 'from a pipe' "$T/wanted" "$T/msg"
}

test_what_is_no_message_is_refused_before_anything_starts() {
	: >"$T/draft"
	submitted "$T/next"
	assert_refused 'empty' 66 'standard input: empty: no message'
	submit -f a@b.example -r c@d.example "$T/next" <&- 2>"$T/log"
	code=$?
	assert_refused 'closed' 66 'standard input: empty: no message'
	for draft in '\nbody\n' 'no header\n' ' A: b\n\nc\n' 'From alice@example.net Sat Nov 21 22:30:00 2026\nA: b\n\nc\n' ':\n'; do
		# shellcheck disable=SC2059
		printf "$draft" >"$T/draft"
		submitted "$T/next"
		assert_refused "$draft" 65 'the message: line 1 is no header field'
	done
	while read -r draft line; do
		# shellcheck disable=SC2059
		printf "$draft" >"$T/draft"
		submitted "$T/next"
		assert_refused "$draft" 65 "the message: line $line has a NUL or a CR without LF"
	done <<-'X'
		A:b\n\nc\rd\n 3
		A:b\000\n\nc\n 1
		A:b\n\nc\n\000 4
		A:b\n\nc\r\r\nd\r 3
		A:b\n\nc\r 3
		\r 1
	X
	submit -f a@b.example -r c@d.example "$T/next" <"$T" 2>"$T/log"
	code=$?
	assert_refused 'a directory' 74 'standard input: Is a directory'
}

test_the_limit_of_the_operator_holds() {
	DATABYTES=49 submitted "$T/next" '250 2.0.0 taken'
	assertEquals "just so: $(cat "$T/log")" 0 "$code"
	rm -f "$T/msg"
	DATABYTES=48 submitted "$T/next"
	assert_refused 'one more' 65 'the message: larger than DATABYTES allows'
	for limit in 10M -1 x; do
		DATABYTES=$limit submitted "$T/next"
		assert_refused "$limit" 78 'DATABYTES: not a number of octets'
	done
	for limit in '' 0; do
		DATABYTES=$limit submitted "$T/next" '250 2.0.0 taken'
		assertEquals "no limit: $(cat "$T/log")" 0 "$code"
	done
}

test_addresses_are_checked_and_may_be_utf8() {
	submit -f '' -r 'ü@bücher.example' -r '"a b"@example.org' -r Postmaster "$T/next" '250 2.0.0 taken' \
		<"$T/draft" 2>"$T/log"
	code=$?
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	printf '%s\n' 'MAIL FROM:<> SMTPUTF8' 'RCPT TO:<ü@bücher.example>' 'RCPT TO:<"a b"@example.org>' 'RCPT TO:<Postmaster>' \
		>"$T/expected"
	assert_same 'envelope' "$T/expected" "$T/env"
	printf 'From: a@b.example\n\n\303\274\n' >"$T/draft"
	submitted "$T/next" '250 2.0.0 taken'
	assertEquals '8-bit' 'MAIL FROM:<alice@example.net> BODY=8BITMIME' "$(head -n 1 "$T/env")"
	rm -f "$T/msg"
	for bad in bob '<bob@example.org>' 'bob@example.org>' 'bob@' 'a b@example.org' 'bob@example.org
RCPT TO:<eve@example.org>' "$(printf '%0243d' 0)@example.org"; do
		submitted -r "$bad" "$T/next"
		assert_refused "$bad" 64 "$bad: not an address"
		submit -f "$bad" -r bob@example.org "$T/next" <"$T/draft" 2>"$T/log"
		code=$?
		assert_refused "from $bad" 64 "$bad: not an address"
	done
}

test_misuse_is_64() {
	text='usage: submit -f sender -r recipient [-r recipient ...] [-t seconds] prog [arg ...]'
	for words in '' '-f a@b.example' '-r c@d.example cat' '-f a@b.example cat' '-f a@b.example -r c@d.example'; do
		# shellcheck disable=SC2086
		submit $words <"$T/draft" >"$T/out" 2>"$T/log"
		code=$?
		assertEquals "$words" 64 "$code"
		assertEquals "$words" "$text" "$(cat "$T/log")"
	done
	for seconds in 0 7201 x ''; do
		submitted -t "$seconds" "$T/next"
		assert_refused "-t $seconds" 64 "-t $seconds: not a number from 1 to 7200"
	done
	set --
	for n in $(seq 1000); do
		set -- "$@" -r "u$n@example.org"
	done
	submitted "$@" "$T/next"
	assert_refused '1,001 recipients' 64 '-r: more recipients than a message may have'
	submit -f a@b.example "$@" "$T/next" '250 2.0.0 taken' <"$T/draft" 2>"$T/log"
	code=$?
	assertEquals '1,000 recipients' 0 "$code"
	assertEquals '1,000 recipients' 1001 "$(wc -l <"$T/env")"
}

test_the_exit_code_is_the_verdict() {
	while IFS='|' read -r reply want; do
		submitted "$T/next" "$reply"
		assertEquals "$reply: $(cat "$T/log")" "$want" "$code"
		assertEquals "$reply: what is printed" "submit: bob@example.org: $reply" "$(head -n 1 "$T/log")"
	done <<-'X'
		451 4.3.0 Local error|75
		450 4.7.1 Over a limit|75
		550 5.1.1 No such user|67
		551 5.1.6 Moved|67
		550 5.1.2 No such domain|68
		554 5.6.0 Not valid|65
		552 5.3.4 Too big|65
		550 5.7.1 Not allowed|77
		552 5.2.2 Full|69
		554 No|69
	X
	while IFS='|' read -r script want text; do
		submitted sh -c "$script"
		assertEquals "$script: $(cat "$T/log")" "$want" "$code"
		assertContains "$script" "$(cat "$T/log")" "submit: bob@example.org: $text"
	done <<-'X'
		exit 100|77|554 5.7.1 
		exit 111|75|451 4.3.0 
		exit 1|75|451 4.3.0 
		kill -9 $$|75|451 4.3.0 
		echo what|75|451 4.3.0 
		exit 0|75|451 4.3.0 
	X
}

# Who is not named has the message.
test_each_refused_recipient_is_named() {
	submitted -r carol@example.org -r dave@example.org "$T/next" '250 2.0.0 one' '550 5.1.1 No Carol' '250 2.0.0 three'
	assertEquals 'one refusal' 67 "$code"
	assertEquals 'one refusal' 'submit: carol@example.org: 550 5.1.1 No Carol' "$(grep -v /  "$T/log")"
	assertContains "$(cat "$T/log")" ' mixed rcpts=3 size=49 code=550 ms='
	submitted -r carol@example.org -r dave@example.org "$T/next" '550 5.7.1 Not Bob' '250 2.0.0 two' '450 4.2.1 Later'
	assertEquals 'what is only for now decides' 75 "$code"
	printf 'submit: %s\n' 'bob@example.org: 550 5.7.1 Not Bob' 'dave@example.org: 450 4.2.1 Later' >"$T/expected"
	grep -v / "$T/log" >"$T/got"
	assert_same 'two refusals' "$T/expected" "$T/got"
	submitted -r carol@example.org "$T/next" '550 5.7.1 Nobody'
	assertEquals 'one reply for all' 77 "$code"
	assertEquals 'one reply for all' 2 "$(grep -c ': 550 5.7.1 Nobody' "$T/log")"
	assertContains "$(cat "$T/log")" ' refused rcpts=2 '
}

test_a_misspelt_word_is_no_loss() {
	submitted qualfy -d example.net "$T/next"
	assertEquals "exit code: $(cat "$T/log")" 75 "$code"
	assertContains "$(cat "$T/log")" 'failed reason="next program qualfy: No such file or directory"'
	submitted qualify -d example.net stmp "$T/next"
	assertEquals "exit code: $(cat "$T/log")" 75 "$code"
	assertContains "$(cat "$T/log")" 'failed reason="next program stmp: No such file or directory"'
	submitted qualify -x "$T/next"
	assertEquals "an option: $(cat "$T/log")" 75 "$code"
	submitted call "$T/nobody"
	assertEquals "no resident: $(cat "$T/log")" 75 "$code"
	assertFalse 'delivered' "[ -e $T/msg ]"
}

test_the_chain_has_until_its_deadline() {
	start=$(date +%s)
	submitted -t 1 sh -c 'sleep 60 & echo $! >"$T/pid"; wait'
	assertEquals 75 "$code"
	assertContains "$(cat "$T/log")" 'submit: bob@example.org: 451 4.4.7 '
	assertTrue 'at once' "[ $(($(date +%s) - start)) -lt 20 ]"
	wait_until gone "$(cat "$T/pid")"
	assertTrue 'what it started has ended' $?
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# The example of the page, with a store of its own.
test_stages_complete_and_deliver_the_message() {
	mkdir "$T/mail"
	printf 'Subject: test\nTo: bob\n\nHello\n' >"$T/draft"
	SMTPAUTHUSER=alice@example.net MSA_HOST=mail.example.net submitted qualify -d example.net -u all stamp \
		maildir-inject "$T/mail"
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	sed -E 's/^(Date: ).*/\1D/; s/[0-9a-z]{14}/ID/; s/^(	)[A-Z][a-z]{2}, .*/\1D/' "$T/mail/bob@example.org/new/"* >"$T/got"
	printf '%s\n' 'Return-Path: <alice@example.net>' 'Received: from unknown' '	by mail.example.net with SMTP id ID' \
		'	for <bob@example.org>;' '	D' 'Subject: test' 'To: bob@example.net' 'From: <alice@example.net>' 'Date: D' \
		'Message-ID: <ID@example.net>' '' Hello >"$T/expected"
	assert_same 'delivered' "$T/expected" "$T/got"
	for stage in qualify maildir-inject submit; do
		assertTrue "$stage logs under one id" "grep -q '^$stage: $(sed -n 's,^submit: \([^ ]*\) .*,\1,p' "$T/log") ' $T/log"
	done
	rm -rf "$T/mail"
}

test_a_resident_takes_it() {
	resident_start s stamp "$T/next" '250 2.0.0 taken'
	submitted call "$T/s"
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	assertEquals 'stamped' 'Received: from unknown' "$(head -n 1 "$T/msg" | tr -d '\r')"
}

# In a script of a chain or a session: nothing of the message in hand becomes the new message's.
test_in_a_chain_it_makes_a_message_of_its_own() {
	cat >"$T/notify" <<-'P'
		#!/bin/sh
		printf 'A: b\n\nnotice\n' | submit -f '' -r admin@example.net "$T/next" '250 2.0.0 taken' || exit 111
		exec "$@"
	P
	chmod 755 "$T/notify"
	printf 'MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nRCPT TO:<e@f.example>\n' >"$T/outer"
	MSA_SESSION=S MSA_MESSAGE=M MSA_RCPTS=2 MSA_PARTIAL='' "$T/notify" sh -c 'cat; echo 250 2.0.0 ok' \
		<"$T/draft" 3<"$T/outer" >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	assertEquals 'one recipient' 'MSA_RCPTS=1' "$(grep RCPTS "$T/facts")"
	assertFalse 'another id' "grep -q '^MSA_MESSAGE=M$' $T/facts"
	assertFalse 'no MSA_PARTIAL' "grep -q PARTIAL $T/facts"
	assertEquals 'the session joins both in the log' 'MSA_SESSION=S' "$(grep SESSION "$T/facts")"
	assertEquals 'the message in hand is whole' 'From: alice@example.net' "$(head -n 1 "$T/out")"
}

test_a_message_of_100_megabytes() {
	awk 'BEGIN { print "A: b\n"; for (i = 0; i < 1000; i++) printf "%0999d\n", i }' >"$T/block"
	{ cat "$T/block"; for n in $(seq 99); do sed 1,2d "$T/block"; done; } >"$T/draft"
	submitted sh -c 'wc -c >"$T/octets"; rewind; sed "s/\r$//" | cmp - "$T/draft" && echo 250 2.0.0 the same'
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	assertEquals 'octets' 100100008 "$(cat "$T/octets")"
	rm -f "$T/block" "$T/draft"
}

test_it_needs_a_place_for_a_large_message() {
	{ echo 'A: b'; echo; head -c 400000 /dev/zero | tr '\0' x | fold -w 70; } >"$T/draft"
	TMPDIR=$T/none submitted "$T/next"
	assert_refused 'no TMPDIR' 75 'standard input: No such file or directory'
}

. "$SHUNIT2"
