#!/bin/sh
# copy: which messages are copied to whom, and that only the log knows.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	program_make next <<-'X'
		#!/bin/sh
		cat <&3 >"$T/got.env"
		cat >"$T/got.msg"
		echo "$MSA_RCPTS" >"$T/got.rcpts"
		echo '250 2.0.0 taken'
	X
}

setUp() {
	rm -f "$T"/got.* "$T/log"
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	copies '* archive@example.net'
}

tearDown() {
	resident_stop_all
}

# The table $T/copies.cdb from lines "key list". usage: copies line ...
copies() {
	printf '%s\n' "$@" | cdb -c -m -t "$T/copies.tmp" "$T/copies.cdb"
}

# usage: copied [NAME=value ...]
copied() {
	chain_call "$@" copy -t "$T/copies.cdb" "$T/next"
}

# The next program got these COPY lines and no other. usage: assert_copies what line ...
assert_copies() {
	what=$1
	shift
	cat "$T/env" >"$T/expected"
	for line; do
		printf 'COPY TO:%s\n' "$line"
	done >>"$T/expected"
	assert_same "$what" "$T/expected" "$T/got.env"
	rm -f "$T/got.env"
}

test_every_message_is_copied() {
	copied SMTPAUTHUSER=alice
	assertEquals 'exit code' 0 "$code"
	assertEquals 'the verdict is for the recipients' '250 2.0.0 taken' "$(cat "$T/verdict")"
	assert_copies 'a copy' '<archive@example.net>'
	assert_same 'the message' "$T/msg" "$T/got.msg"
	assertEquals 'MSA_RCPTS' 1 "$(cat "$T/got.rcpts")"
	assert_logged '^copy: S/M done user=alice copies=archive@example.net$'
}

test_without_a_record_nothing_changes() {
	copies 'other.example archive@example.net'
	copied
	assert_copies 'none'
	assert_logged '^copy: S/M done$'
}

test_by_user_by_sender_and_by_recipient() {
	chain_envelope '<Alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org> NOTIFY=FAILURE' 'RCPT TO:<Carol@sub.example.com>' \
		'RCPT TO:<"a@b"@far.example>' 'COPY TO:<there@example.net>'
	while read -r to row; do
		copies "$row"
		copied SMTPAUTHUSER=Sales
		if [ "$to" = - ]; then assert_copies "$row"; else assert_copies "$row" "<$to>"; fi
	done <<-'X'
		x@a.example user:sales x@a.example
		- user:alice x@a.example
		- sales x@a.example
		x@a.example from:alice@example.net x@a.example
		x@a.example from:example.net x@a.example
		- from:.example.net x@a.example
		x@a.example from:.net x@a.example
		- alice@example.net x@a.example
		- example.net x@a.example
		x@a.example carol@sub.example.com x@a.example
		x@a.example sub.example.com x@a.example
		x@a.example .example.com x@a.example
		- example.com x@a.example
		x@a.example .com x@a.example
		x@a.example far.example x@a.example
		- b"@far.example x@a.example
		- from:example.org x@a.example
		- there@example.net x@a.example
	X
	copies '* a@a.example' 'user:sales b@a.example' 'from:example.net c@a.example,d@a.example' 'example.org e@a.example'
	copied SMTPAUTHUSER=sales
	assert_copies 'all of them' '<a@a.example>' '<b@a.example>' '<c@a.example>' '<d@a.example>' '<e@a.example>'
	copied SMTPAUTHUSER=
	assert_copies 'a peer' '<a@a.example>' '<c@a.example>' '<d@a.example>' '<e@a.example>'
}

test_the_record_of_an_address_stands_before_that_of_its_domain() {
	copies 'example.org d@a.example' 'bob@example.org b@a.example' 'from:example.net n@a.example' 'from:alice@example.net'
	copied
	assert_copies 'its own' '<b@a.example>'
	chain_envelope '<>' 'RCPT TO:<carol@example.org>'
	copied
	assert_copies 'another' '<d@a.example>'
}

test_nobody_gets_two() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' 'COPY TO:<old@a.example>'
	copies '* old@a.example, new@a.example NEW@A.EXAMPLE bob@example.org' 'example.org new@a.example'
	copied
	assert_copies 'once' '<new@a.example>'
	chain_call copy -t "$T/copies.cdb" copy -t "$T/copies.cdb" "$T/next"
	assert_copies 'a second run' '<new@a.example>'
}

test_a_refused_recipient_keeps_the_reply() {
	chain_envelope '<alice@example.net>' '550 5.7.1 Not to Carol' 'RCPT TO:<bob@example.org>'
	copied
	assert_copies 'a copy' '<archive@example.net>'
}

# With DSN the next hop would tell the sender what became of the copy.
test_no_report_of_a_copy_is_asked_for() {
	copied MSA_EHLO=8BITMIME,DSN
	assert_copies 'DSN' '<archive@example.net> NOTIFY=NEVER'
	copied MSA_EHLO=8BITMIME
	assert_copies 'no DSN' '<archive@example.net>'
}

test_the_client_hears_nothing_of_it() {
	lmtpd_start 'RCPT:archive=550 5.1.1 No archive here'
	chain_call copy -t "$T/copies.cdb" lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'refused copy' '250 2.0.0 Saved'
	assert_logged '^lmtp-inject: S/M copy rcpt=archive@example.net reply="550 5.1.1 No archive here"$'
	lmtpd_start
	chain_call copy -t "$T/copies.cdb" lmtp-inject "$T/s"
	lmtpd_ended
	assert_verdict 'accepted copy' '250 2.0.0 Saved'
	assertTrue 'both are recipients' "grep -q 'RCPT TO:<bob@example.org>' $T/rec && grep -q 'RCPT TO:<archive@example.net>' $T/rec"
	assertEquals 'named in no other line' 1 "$(grep -c archive "$T/rec")"
}

# In one process and apart.
test_a_session_with_it() {
	for inline in '' inline; do
		rm -f "$T/got.env"
		# shellcheck disable=SC2086
		printf '<\n> EHLO client\n<\n> MAIL FROM:<a@example.net>\n<\n> RCPT TO:<b@example.org>\n<\n> DATA\n<\n>> From: a@example.net\\r\\n\\r\\n.\\r\\n\n<\n> QUIT\n<<\n' |
			RELAYCLIENT='' talk $inline submitd copy -t "$T/copies.cdb" "$T/next" >"$T/heard" 2>"$T/log"
		assertEquals "${inline:-apart}" 1 "$(grep -c '^250 2.0.0 Ok, message' "$T/heard")"
		printf 'MAIL FROM:<a@example.net>\nRCPT TO:<b@example.org>\nCOPY TO:<archive@example.net>\n' >"$T/expected"
		assert_same "${inline:-apart}" "$T/expected" "$T/got.env"
	done
}

test_an_invalid_record_keeps_the_message_back() {
	long=$(i=0; while [ "$i" -lt 101 ]; do i=$((i + 1)); echo "a$i@a.example"; done | paste -sd ' ')
	while IFS='|' read -r row why; do
		copies "$row"
		copied
		assertEquals "$row: exit code" 111 "$code"
		assert_verdict "$row" '451 4.3.0 Local error, try again later'
		assertEquals "$row" "copy: S/M misuse reason=\"$T/copies.cdb: record of *: $why\"" "$(cat "$T/log")"
		assertFalse "$row: not handed on" "[ -e $T/got.env ]"
	done <<-X
		* a@a.example nobody|nobody: not an address in ASCII
		* a@bücher.example|a@b\\xc3\\xbccher.example: not an address in ASCII
		* $long|more than 100 copies
	X
	printf 'x' >"$T/broken.cdb"
	chain_call copy -t "$T/broken.cdb" "$T/next"
	assert_verdict 'not a table' '451 4.3.0 Local error, try again later'
}

test_a_hundred_copies_are_possible() {
	copies "* $(i=0; while [ "$i" -lt 100 ]; do i=$((i + 1)); echo "a$i@a.example"; done | paste -sd ' ')"
	copied
	assertEquals 100 "$(grep -c '^COPY TO:' "$T/got.env")"
}

test_a_resident_looks_at_all_of_the_table() {
	while IFS='|' read -r row why; do
		copies "$row"
		copy -l "$T/c" -t "$T/copies.cdb" true 2>"$T/log" </dev/null
		assertEquals "$row" 100 $?
		assertEquals "copy: $T/copies.cdb: record of $why" "$(cat "$T/log")"
	done <<-'X'
		* nobody|*: nobody: not an address in ASCII
		Alice@example.net a@a.example|Alice@example.net: the key has a capital letter
		form:alice@example.net a@a.example|form:alice@example.net: no look-up finds this key
		from:alice@ a@a.example|from:alice@: no look-up finds this key
		user: a@a.example|user:: no look-up finds this key
		@example.net a@a.example|@example.net: no look-up finds this key
		..example.net a@a.example|..example.net: no look-up finds this key
		[192.0.2] a@a.example|[192.0.2]: no look-up finds this key
	X
	copies '* a@a.example' 'user:x' 'from:a@b.example' 'from:.b.example' 'b.example' '.b.example' '[192.0.2.1]' 'c@[192.0.2.1]'
	resident_start copy copy -P 1:1 -t "$T/copies.cdb" "$T/next"
	chain_call call "$T/copy"
	assert_copies 'served' '<a@a.example>'
}

test_a_new_table_counts_from_the_next_message_on() {
	resident_start copy copy -P 1:1 -t "$T/copies.cdb" "$T/next"
	chain_call call "$T/copy"
	assert_copies 'before' '<archive@example.net>'
	copies '* new@a.example'
	chain_call call "$T/copy"
	assert_copies 'after' '<new@a.example>'
	copies '* nobody'
	chain_call call "$T/copy"
	assert_copies 'kept' '<new@a.example>'
	assertTrue "said: $(cat "$T/copy.log")" "grep -q 'copies.cdb: record of .: nobody: not an address in ASCII' $T/copy.log"
	copies '* third@a.example'
	# shellcheck disable=SC2154
	kill -HUP "$copy_pid"
	wait_until grep -q ' reloaded' "$T/copy.log"
	chain_call call "$T/copy"
	assert_copies 'reloaded' '<third@a.example>'
}

test_a_question_is_answered() {
	copies '* archive@example.net' 'user:sales manager@example.net' 'from:bad.example nobody' 'from:.example.net n@a.example' \
		'example.org archive@example.net o@a.example' 'boss@example.org'
	while IFS='|' read -r words want_code want; do
		# shellcheck disable=SC2046
		said=$(eval copy -q "$T/copies.cdb" $words 2>&1 | paste -sd ';')
		assertEquals "$words" "$want" "$said"
		eval copy -q "$T/copies.cdb" "$words" >/dev/null 2>&1
		assertEquals "$words: exit code" "$want_code" $?
	done <<-X
		a@host.example.net bob@Example.org Sales|0|archive@example.net: a copy, by *;manager@example.net: a copy, by user:sales;n@a.example: a copy, by from:.example.net;o@a.example: a copy, by example.org
		"" boss@example.org|0|archive@example.net: a copy, by *
		a@bad.example b@example.org|111|copy: $T/copies.cdb: record of from:bad.example: nobody: not an address in ASCII;archive@example.net: a copy, by *
		a b@example.org|100|copy: a: not an address
		a@b.example b|100|copy: b: not an address
		"" ""|100|copy: : not an address
	X
	copies 'x.example y@z.example'
	assertEquals 'There is no copy.' "$(copy -q "$T/copies.cdb" a@b.example b@c.example)"
}

test_misuse_is_451() {
	for options in '' '-t' "-t $T/copies.cdb" "-t $T/none next" "-x next" "-q $T/copies.cdb a@b.example"; do
		# shellcheck disable=SC2086
		chain_call copy $options
		assertEquals "$options" 111 "$code"
		assert_verdict "$options" '451 4.3.0 Local error, try again later'
	done
	rcpts=5
	copied
	assert_verdict 'MSA_RCPTS' '451 4.3.0 Local error, try again later'
	copy -t "$T/copies.cdb" "$T/next" <"$T/msg" >"$T/out" 2>"$T/log"
	assertEquals 'not in a chain' 100 $?
	assertEquals 'nothing was run' '' "$(find "$T" -name 'got.*')"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
