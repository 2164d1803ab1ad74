#!/bin/sh
# msa-spool: an administrator sees every message, and what was ordered is done once, whether spoold runs or not.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"
# shellcheck source=tests/lib/spoold.sh
. "$ROOT/tests/lib/spoold.sh"

ESC=$(printf '\033')

# A message of that user for that recipient; $id is its name. usage: queue_put user rcpt
queue_put() {
	chain_envelope '<alice@example.net>' "RCPT TO:<$2>"
	spoold_put SMTPAUTHUSER="$1" MSA_MESSAGE="m-$1"
}

# The message $id has been tried and waits for an hour. usage: queue_waits reply
queue_waits() {
	mkdir -p "$T/spool/cur"
	[ ! -d "$T/spool/new/$id" ] || mv "$T/spool/new/$id" "$T/spool/cur/$id"
	sed -i -e "s/^tried .*/tried 2/; s/^next .*/next $(($(date +%s) + 3600))/" \
		-e "s/^\$/rcpt 1 waiting untold $1\\n/" "$T/spool/cur/$id/envelope"
}

# usage: queue word [arg ...] ; $code, $T/out and $T/err are what msa-spool does with the spool
queue() {
	word=$1
	shift
	msa-spool "$word" "$@" >"$T/out" 2>"$T/err"
	code=$?
}

# What is expected on fd 1 is standard input, with AGE, NEXT and ID in place of numbers, the ids in order of appearance.
# usage: assert_queue what code [errors]
assert_queue() {
	cat >"$T/expected"
	sed -E -e 's/ age=[0-9]+ / age=AGE /; s/ next=[1-9][0-9]* / next=NEXT /' "$T/out" |
		awk '{ if (length($1) == 14 && !($1 in seen)) seen[$1] = "ID" ++n; if (length($1) == 14) $1 = seen[$1]; print }' >"$T/got"
	assertEquals "$1: exit code, $(cat "$T/err")" "$2" "$code"
	assert_same "$1" "$T/expected" "$T/got"
	assertEquals "$1: errors" "${3:-}" "$(sed -E "s|$T|T|g; s/[0-9a-z]{14}/ID/g" "$T/err")"
}

# So many lines of spoold's log have text. usage: queue_logged N text
queue_logged() {
	[ "$(grep -c -e "$2" "$T/spoold.log")" -ge "$1" ]
}

NOBODY='msa-spool: no spoold runs in T/spool; it will do this when it starts'

test_the_list_has_what_an_administrator_asks_for() {
	queue list "$T/spool"
	assert_queue 'an unused spool' 0 </dev/null
	queue_put alice bob@example.org
	queue_waits '451 4.4.1 Next server cannot be reached'
	chain_envelope '<>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	spoold_put
	sed -i -e 's/^tried .*/tried 1/' -e 's/^$/rcpt 1 reached told 250 2.0.0 Saved\n/' "$T/spool/new/$id/envelope"
	queue_put '' dave@example.org
	sed -i -e 's/^next .*/next never\nreport/' "$T/spool/new/$id/envelope"
	queue list -v "$T/spool"
	for word in waiting new refused; do # the ids of one second sort by chance
		grep " $word age" "$T/out" | cut -d' ' -f2-
		grep "^$(sed -n "s/ $word age.*//p" "$T/out") rcpt" "$T/out" | cut -d' ' -f2-
	done >"$T/sorted"
	mv "$T/sorted" "$T/out"
	assert_queue 'the list' 0 <<-'X'
		waiting age=AGE next=NEXT tried=2 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org reply="451 4.4.1 Next server cannot be reached"
		rcpt state=waiting rcpt=bob@example.org reply="451 4.4.1 Next server cannot be reached"
		new age=AGE next=0 tried=1 size=49 left=1/2 message=M from="" rcpt=carol@example.org
		rcpt state=reached rcpt=bob@example.org reply="250 2.0.0 Saved"
		rcpt state=waiting rcpt=carol@example.org
		refused age=AGE next=- tried=0 size=49 left=1/1 kind=report message=m- user="" from=alice@example.net rcpt=dave@example.org
		rcpt state=waiting rcpt=dave@example.org
	X
}

test_filters_choose_by_what_is_known() {
	queue_put alice bob@example.org
	queue_waits '451 4.4.1 Next server cannot be reached'
	queue_put carol@b.example Bob@example.com
	queue_put carol@b.example dave@example.com
	spoold_age 5000
	set -f
	while read -r n args; do
		# shellcheck disable=SC2086
		queue list $args "$T/spool"
		assertEquals "$args: $(cat "$T/err")" "0 $n" "$code $(wc -l <"$T/out")"
	done <<-'X'
		3 -o 0 -u *
		1 -u alice
		2 -u CAROL@*
		0 -u car
		1 -r BOB@EXAMPLE.com
		2 -r *@example.com
		1 -r *@example.com -o 4000
		3 -f alice@example.net
		1 -a *reached
		0 -a reached
		0 -a *reached -r dave@*
		2 -s new
		1 -s waiting
	X
	set +f
	queue list -u alice "$T/spool" "$id"
	assert_queue 'an id and a filter' 0 </dev/null
}

test_no_text_can_harm_a_terminal() {
	queue_put "a${ESC}[2J" bob@example.org
	queue_waits "450 4.2.2 Full\\\\\\\\nup \"now\" ${ESC}c"
	printf 'Subject: \033]0;x\007\r\n\r\nback\\slash\tbare\rcr\r\n\303\244\r' >"$T/spool/cur/$id/message"
	queue list -v "$T/spool"
	assertFalse 'no escapes' "grep -q '$ESC' $T/out"
	assertTrue "$(cat "$T/out")" "grep -qF 'user=\"a\\x1b[2J\"' $T/out"
	queue show "$T/spool" "$id"
	assertEquals 'shown' 0 "$code"
	assertEquals 'the record' 'spool 1' "$(head -n 1 "$T/out")"
	assertTrue 'its facts' "grep -qxF 'fact SMTPAUTHUSER=a\\x1b[2J' $T/out"
	sed '1,/^RCPT/d' "$T/out" >"$T/got"
	printf '\nSubject: \\x1b]0;x\\x07\n\nback\\x5cslash\tbare\\x0dcr\n\\xc3\\xa4\\x0d' >"$T/expected"
	assert_same 'the text' "$T/expected" "$T/got"
	queue show -x "$T/spool" "$id"
	assert_same 'its octets' "$T/spool/cur/$id/message" "$T/out"
}

test_a_held_message_is_neither_tried_nor_expired() {
	queue_put alice bob@example.org
	queue hold "$T/spool" "$id"
	assert_queue 'held' 0 <<-'X'
		ID1 held age=AGE next=- tried=0 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org
	X
	queue hold "$T/spool" "$id"
	assertEquals 'twice is no error' 0 "$code"
	spoold_age 1000
	queue_put carol bob@example.org
	spoold_start -t 500
	wait_until [ -e "$T/1.done" ]
	wait_until spoold_logs 'done id='
	spool -f "$T/spool"
	queue_put dave bob@example.org # what comes later is tried after the flush
	wait_until [ -e "$T/2.done" ]
	wait_until queue_logged 2 'done id='
	queue list "$T/spool"
	assert_queue 'it stays' 0 <<-'X'
		ID1 held age=AGE next=- tried=0 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org
	X
	queue try -A "$T/spool"
	assert_queue 'nor by try' 111 'msa-spool: ID: held; release it first' </dev/null
	queue release -s held "$T/spool"
	assert_queue 'released' 0 <<-'X'
		ID1 released age=AGE next=0 tried=0 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org
	X
	wait_until spoold_empty
	assert_spoold_runs 'tried at once' 3
	spoold_stop
	assertFalse 'it did not expire' 'spoold_logs expired'
}

# The hold comes while the last attempt runs, at whose end the message would expire.
test_a_hold_during_the_last_attempt_counts() {
	: >"$T/hold"
	spoold_answers 1 '450 4.2.2 Full'
	queue_put alice bob@example.org
	spoold_age 1000
	spoold_start -t 500 -b 1000:1000
	wait_until [ -e "$T/1.begun" ]
	queue hold "$T/spool" "$id"
	assertEquals 'held' 0 "$code"
	rm "$T/hold"
	assert_spoold_logs 'overdue id='
	spoold_stop
	assertFalse 'it did not expire' 'spoold_logs expired'
}

test_one_message_is_tried_now() {
	spoold_answers 1 '450 4.2.2 Full'
	spoold_answers 2 '450 4.2.2 Full'
	spoold_answers 3 '450 4.2.2 Full'
	queue_put alice bob@example.org
	queue_put carol bob@example.org
	spoold_start -n 1 -b 1000:1000
	wait_until [ -e "$T/2.done" ]
	wait_until queue_logged 2 'waiting id='
	queue try -u alice "$T/spool"
	assert_queue 'due' 0 <<-'X'
		ID1 due age=AGE next=0 tried=1 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org reply="450 4.2.2 Full"
	X
	wait_until queue_logged 3 'waiting id='
	assertEquals 'the one' MSA_MESSAGE=m-alice "$(grep ^MSA_MESSAGE "$T/3.facts")"
	spoold_stop
	assert_spoold_runs 'no other' 3
	queue try "$T/spool" "$id"
	assert_queue 'while nobody runs' 0 "$NOBODY" <<-'X'
		ID1 due age=AGE next=0 tried=1 size=49 left=1/1 message=m-carol user=carol from=alice@example.net rcpt=bob@example.org reply="450 4.2.2 Full"
	X
	spoold_start -n 1 -b 1000:1000
	wait_until spoold_logs 'reached=1'
	spoold_stop
	assertEquals 'at the next start' MSA_MESSAGE=m-carol "$(grep ^MSA_MESSAGE "$T/4.facts")"
	assert_spoold_runs 'once' 4
}

# An order that comes while the message is tried is for the next attempt: this one may be stuck.
test_try_during_an_attempt_causes_another_one() {
	: >"$T/hold"
	spoold_answers 1 '450 4.2.2 Full'
	queue_put alice bob@example.org
	spoold_start -b 1000:1000
	wait_until [ -e "$T/1.begun" ]
	queue try "$T/spool" "$id"
	rm "$T/hold"
	wait_until spoold_empty
	spoold_stop
	assert_spoold_runs 'two' 2
}

test_the_sender_gets_it_back() {
	queue_put alice bob@example.org
	queue_waits '451 4.4.1 Next server cannot be reached'
	queue hold "$T/spool" "$id"
	queue return "$T/spool" "$id"
	assert_queue 'while nobody runs' 0 "$NOBODY" <<-'X'
		ID1 returning age=AGE next=0 tried=2 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org reply="451 4.4.1 Next server cannot be reached"
	X
	queue list -s returning "$T/spool"
	assertEquals 'in the list' 1 "$(wc -l <"$T/out")"
	spoold_answers 1 '550 5.1.1 No such user'
	spoold_start -b 1000:1000
	assert_spoold_logs "^spoold: S/m-alice cancelled id=$id rcpt=bob@example.org reply=\"554 5.0.0 Given up by an administrator of this server\"\$"
	assert_spoold_logs 'held id='
	assertFalse 'the message is gone' "[ -e $T/spool/cur/$id ]"
	assert_spoold_envelope 'its report' 1 <<-'X'
		MAIL FROM:<>
		RCPT TO:<alice@example.net>
	X
	assert_spoold_status 'its report' 1 <<-'X'
		Subject: Message not delivered to every recipient
		Reporting-MTA: dns; test.example
		Arrival-Date: DATE
		Final-Recipient: rfc822; bob@example.org
		Action: failed
		Status: 5.0.0
		Diagnostic-Code: smtp; 554 5.0.0 Given up by an administrator of this server
	X
	queue list "$T/spool"
	sed -i 's/ message=[0-9a-z]*//; s/ size=[0-9]*//' "$T/out"
	assert_queue 'a report that is refused stays in sight' 0 <<-'X'
		ID1 refused age=AGE next=- tried=1 left=1/1 kind=report from="" rcpt=alice@example.net reply="550 5.1.1 No such user"
	X
	queue return -A "$T/spool"
	assert_queue 'but has nobody to go to' 111 'msa-spool: ID: from the null reverse-path, so nobody can be told' </dev/null
	id=$(ls "$T/spool/cur")
	: >"$T/spool/cur/$id/return" # by hand
	queue try -A "$T/spool"
	wait_until spoold_empty
	assert_spoold_runs 'and is tried again' 2
	spoold_stop
}

test_return_while_spoold_runs() {
	spoold_answers 1 '450 4.2.2 Full'
	queue_put alice bob@example.org
	spoold_start -b 1000:1000
	wait_until spoold_logs 'waiting id='
	queue return -a '450*' "$T/spool"
	assertEquals "$(cat "$T/err")" 0 "$code"
	wait_until spoold_empty
	assert_spoold_runs 'one attempt, one report' 2
	assertTrue 'the report' "grep -q '^Final-Recipient: rfc822; bob@example.org' $T/2.msg"
	spoold_stop
}

# Who changes his mind before spoold comes to it.
test_hold_takes_return_back() {
	queue_put alice bob@example.org
	queue return "$T/spool" "$id"
	queue hold "$T/spool" "$id"
	assertEquals 'held' 0 "$code"
	spoold_start
	queue list -s held "$T/spool"
	assertEquals 'held' 1 "$(wc -l <"$T/out")"
	spoold_stop
	assert_spoold_runs 'nothing was done' 0
}

test_a_message_is_removed_and_nobody_is_told() {
	queue_put alice bob@example.org
	queue remove "$T/spool" "$id"
	assert_queue 'from new' 0 <<-'X'
		ID1 removed age=AGE next=0 tried=0 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org
	X
	assertEquals 'no trace' '' "$(find "$T/spool" -mindepth 2)"
	queue remove "$T/spool" "$id"
	assert_queue 'again' 111 'msa-spool: ID: no such message' </dev/null
	: >"$T/hold"
	queue_put alice bob@example.org
	spoold_start
	wait_until [ -e "$T/1.begun" ]
	queue remove "$T/spool" "$id"
	assertEquals 'while it is tried' 0 "$code"
	rm "$T/hold"
	wait_until spoold_logs 'done id='
	spoold_stop
	assertEquals 'no trace' '' "$(find "$T/spool" -mindepth 2)"
	assertEquals 'no complaint' '' "$(grep failed\  "$T/spoold.log")"
}

test_a_damaged_message_is_seen_and_can_be_removed() {
	queue_put alice bob@example.org
	echo junk >"$T/spool/new/$id/envelope"
	damaged=$id
	queue_put carol bob@example.org
	rm "$T/spool/new/$id/message"
	queue_put dave bob@example.org
	sed -i '0,/^$/s/^$/rcpt 1 waiting untold\nrcpt 1 waiting untold\n/' "$T/spool/new/$id/envelope" # a recipient twice
	queue list "$T/spool"
	sort -k3 "$T/out" -o "$T/out"
	assert_queue 'seen' 0 <<-'X'
		ID1 damaged reason="message cannot be read"
		ID2 damaged reason="spooled: a line that is neither a fact nor a recipient"
		ID3 damaged reason="spooled: not a record of a message"
	X
	queue try -s damaged "$T/spool" "$damaged"
	assert_queue 'not tried' 111 'msa-spool: ID: damaged' </dev/null
	queue remove -s damaged "$T/spool"
	assertEquals 'removed' "0 3" "$code $(wc -l <"$T/out")"
	assertEquals 'no trace' '' "$(find "$T/spool" -mindepth 2)"
}

test_a_record_that_was_cut_off_is_damaged() {
	queue_put alice bob@example.org
	file=$T/spool/new/$id/envelope
	cp "$file" "$T/whole"
	lines=$(grep -n '^$' "$T/whole" | head -n 1 | cut -d: -f1)
	assertTrue "several lines: $lines" "[ $lines -gt 4 ]"
	while [ "$lines" -gt 0 ]; do
		lines=$((lines - 1))
		head -n "$lines" "$T/whole" >"$file"
		queue list "$T/spool"
		assertContains "$lines lines" "$(cat "$T/out")" ' damaged reason="spooled: not a record of a message"'
	done
	queue remove -s damaged "$T/spool"
}

test_monitoring_gets_figures_and_an_exit_code() {
	queue_put alice bob@example.org
	spoold_age 5000
	queue_put carol bob@example.org
	queue hold "$T/spool" "$id"
	queue check "$T/spool"
	sed -i 's/oldest=50[0-9][0-9]/oldest=5000/' "$T/out"
	echo 'messages=2 new=1 waiting=0 refused=0 held=1 returning=0 damaged=0 octets=98 oldest=5000 spoold=stopped' |
		assert_queue 'figures' 0
	spoold_answers 1 '450 4.2.2 Full'
	spoold_start -b 1000:1000
	wait_until spoold_logs 'waiting id='
	queue check -m 2 "$T/spool"
	assertEquals 'as many as are allowed' 0 "$code"
	assertTrue "$(cat "$T/out")" "grep -q ' waiting=1 .* spoold=running' $T/out"
	queue check -m 1 "$T/spool"
	assertEquals 'one more' 1 "$code"
	queue check -m 0 -o 6000 "$T/spool"
	assertEquals 'none is so old' 0 "$code"
	queue check -m 0 -s held "$T/spool"
	assertEquals 'one is held' 1 "$code"
	spoold_stop
	queue check "$T/nowhere"
	assertEquals 'no spool' 111 "$code"
}

test_a_queue_that_grows_is_a_line_of_the_log() {
	for n in 1 2 3; do
		spoold_answers "$n" '450 4.2.2 Full'
		queue_put alice bob@example.org
	done
	spoold_start -g 3 -n 1 -b 1000:1000
	assert_spoold_logs '^spoold: - grown messages=3$'
	wait_until queue_logged 3 'waiting id='
	queue try -A "$T/spool"
	wait_until spoold_empty
	assert_spoold_logs '^spoold: - shrunk messages=1$'
	spoold_stop
	assertEquals 'one line each' 2 "$(grep -c 'grown\|shrunk' "$T/spoold.log")"
	: >"$T/spoold.log"
	for n in 1 2 3; do
		queue_put alice bob@example.org
	done
	queue hold -A "$T/spool"
	spoold_start -g 3
	assert_spoold_logs '^spoold: - grown messages=3$'
	queue remove -A "$T/spool"
	assert_spoold_logs '^spoold: - shrunk messages=[01]$' # what is removed does not count
	spoold_stop
}

# The spool is copied while its spoold is stopped; beside the other machine's own spool, the copy is moved into that.
test_a_queue_goes_to_another_machine() {
	queue_put alice bob@example.org
	queue_waits '451 4.4.1 Next server cannot be reached'
	first=$id
	queue_put carol bob@example.org
	queue hold "$T/spool" "$id"
	second=$id
	mv "$T/spool" "$T/source"
	tar -C "$T/source" -cf - . | (mkdir -m 700 "$T/spool" && tar -C "$T/spool" -xpf -)
	queue list "$T/spool"
	assertEquals 'a copy is a spool' 2 "$(wc -l <"$T/out")"
	mv "$T/spool" "$T/copy"
	mkdir -m 700 "$T/spool"
	queue_put dave bob@example.org # the other machine has messages of its own
	spoold_start
	wait_until [ -e "$T/1.done" ]
	queue move -A -d "$T/spool" "$T/copy"
	sort -k3 "$T/out" -o "$T/out"
	assertEquals "moved: $(cat "$T/err")" '0 2' "$code $(grep -c ' moved age' "$T/out")"
	wait_until [ -d "$T/spool/cur/$second" ]
	queue list "$T/spool"
	sort -k2 "$T/out" -o "$T/out"
	assert_queue 'with all that was known' 0 <<-'X'
		ID1 held age=AGE next=- tried=0 size=49 left=1/1 message=m-carol user=carol from=alice@example.net rcpt=bob@example.org
		ID2 waiting age=AGE next=NEXT tried=2 size=49 left=1/1 message=m-alice user=alice from=alice@example.net rcpt=bob@example.org reply="451 4.4.1 Next server cannot be reached"
	X
	queue move -d "$T/spool" "$T/source" "$first"
	assert_queue 'not twice' 111 'msa-spool: ID: File exists' </dev/null
	queue move -A -d "$T/source" "$T/spool"
	assert_queue 'not under a spoold' 111 'msa-spool: T/spool: spoold runs there; stop it first' </dev/null
	queue release -A "$T/spool"
	queue try -A "$T/spool"
	wait_until spoold_empty
	spoold_stop
	assert_spoold_runs 'all three' 3
	rm -rf "$T/source" "$T/copy"
}

test_root_works_as_the_owner_of_the_spool() {
	needs root || return 0
	queue_put alice bob@example.org
	chown -R nobody "$T/spool"
	chmod 755 "$T"
	queue hold "$T/spool" "$id"
	assertEquals "$(cat "$T/err")" 0 "$code"
	assertEquals 'the mark' nobody "$(stat -c %U "$T/spool/new/$id/hold")"
	queue release -A "$T/spool"
	queue remove -A "$T/spool"
	assertEquals 'removed' '' "$(find "$T/spool" -mindepth 2)"
	mkdir "$T/roots" # where nobody may not write
	mkdir "$T/spool/new" 2>/dev/null
	ln -s "$T/roots" "$T/spool/new/$id"
	queue hold "$T/spool" "$id"
	assertEquals 'no link leads to the files of others' '' "$(ls "$T/roots")"
}

# At each of its system calls: afterwards the message is as before or as ordered, and the order can be given again.
test_a_kill_at_any_call_loses_nothing() {
	preload_build kill || return 0
	mkdir -m 700 "$T/there"
	while read -r word args; do
		n=1
		while :; do
			rm -rf "$T/spool" "$T/there"
			mkdir -m 700 "$T/spool" "$T/there"
			queue_put alice bob@example.org
			[ "$word" != release ] || msa-spool hold -A "$T/spool" >/dev/null
			rm -f "$T/mark"
			# shellcheck disable=SC2086
			KILL_IN=msa-spool KILL_AT=$n KILL_MARK=$T/mark LD_PRELOAD=$T/kill.so msa-spool "$word" $args "$T/spool" "$id" \
				>/dev/null 2>&1
			killed=$?
			[ -e "$T/mark" ] || break
			left=$(find "$T/spool/new" "$T/spool/cur" "$T/there/new" "$T/there/cur" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
			[ "$word" = remove ] || assertEquals "$word, killed at $n: $(cat "$T/mark")" 1 "$left"
			if [ "$left" = 1 ] && [ ! -e "$T/there/new/$id" ]; then
				cmp -s "$T/msg" "$T/spool/new/$id/message"
				assertEquals "$word, killed at $n: the message" 0 $?
				# shellcheck disable=SC2086
				queue "$word" $args "$T/spool" "$id"
				assertEquals "$word, after a kill at $n: $(cat "$T/err")" 0 "$code"
			fi
			n=$((n + 1))
		done
		assertEquals "$word: it ends" 0 "$killed"
		assertTrue "$word: some kills: $n" "[ $n -gt 4 ]"
	done <<-X
		hold
		release
		try
		return
		remove
		move -d $T/there
	X
}

test_misuse() {
	queue_put alice bob@example.org
	while IFS='|' read -r args text; do
		# shellcheck disable=SC2086
		msa-spool $args >"$T/out" 2>"$T/err"
		code=$?
		assertEquals "$args" "100 $text" "$code $(tail -n 1 "$T/err" | sed "s/^usage: msa-spool command .*/usage/")"
	done <<-X
		|usage
		list|usage
		count $T/spool|usage
		list -A $T/spool|usage
		move -A $T/spool|usage
		hold -d $T/spool $T/spool|usage
		list -s bad $T/spool|msa-spool: -s bad: no such state
		check -m x $T/spool|msa-spool: -m x: not a number from 0 to 2147483647
		remove $T/spool|msa-spool: remove: which messages? Give ids, a filter, or -A for all
		try -o 0 $T/spool|msa-spool: try: which messages? Give ids, a filter, or -A for all
	X
	queue hold "$T/spool" ../new
	assert_queue 'no path is an id' 111 'msa-spool: ../new: not the id of a message' </dev/null
	queue list -x "$T/spool"
	assertEquals 'an option of another command' 100 "$code"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
