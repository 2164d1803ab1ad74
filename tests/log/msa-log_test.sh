#!/bin/sh
# msa-log: what an administrator asks, answered from the log. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/log.sh
. "$ROOT/tests/lib/log.sh"

export TZ=UTC

setUp() {
	rm -rf "$T/dir" "$T"/morning* "$T/state"*
	mkdir "$T/dir"
	log_morning >"$T/morning"
}

# usage: log code argument ... ; $T/out is what it prints, $T/err what it says
log() {
	want=$1
	shift
	msa-log "$@" >"$T/out" 2>"$T/err" </dev/null
	code=$?
	assertEquals "$*: $(cat "$T/err")" "$want" "$code"
}

test_show_tells_the_story_of_a_message_over_all_stages() {
	log 0 show 1ngsr3jbbbbbbb "$T/morning"
	assert_out show <<'END'
session 1ngsr3haaaaaaa  message 1ngsr3jbbbbbbb  2026-11-30 02:33:21.000
+   0.000  authd        authenticated  user=alice@example.net mech=PLAIN label=phone ip=192.0.2.7 tls=TLSv1.3
+   1.100  limit        done           who=alice@example.net rcpts=2
+   1.110  qualify      done           user=alice@example.net added=Date ms=1 msgid=<1@client>
+   1.150  smtp-inject  reached        rcpt=bob@example.org reply="250 2.0.0 Ok: queued as 84A30A80678"
+   1.151  smtp-inject  reached        rcpt=carol@example.org reply="250 2.0.0 Ok: queued as 84A30A80678"
+   1.152  smtp-inject  done           to=relay.example.org:25 rcpts=2 accepted=2 ms=40 code=250
+   1.155  submitd      accepted       user=alice@example.net mech=PLAIN ip=192.0.2.7 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 rcpts=2 size=2048 code=250 ms=60 from=alice@example.net
+   2.000  tlsd         done           tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 in=2422 out=360 ms=2100 peer=192.0.2.7
END
}

# One message of a session has no lines of another; the session has those of all.
test_show_has_the_message_or_the_session_that_is_named() {
	log 0 show 1ngsr6pffffff2 "$T/morning"
	assertEquals 'the other message' '' "$(grep 'Too many' "$T/out")"
	assertEquals 'its own, and those of the session' 6 "$(grep -c '^+' "$T/out")"
	log 0 show 1ngsr6meeeeeee "$T/morning"
	assertEquals 'all' 8 "$(grep -c '^+' "$T/out")"
	assertContains 'with the message in a column' "$(cat "$T/out")" '  1ngsr6nffffff1  limit '
}

test_show_finds_a_message_by_its_id_in_the_spool() {
	log 0 show 1x7k2a "$T/morning"
	assertEquals '+ 901.002  spoold       reached' "$(tail -n 1 "$T/out" | cut -c 1-31 | sed 's/ *$//')"
	assertContains "$(cat "$T/out")" 'submitd      accepted'
}

test_nothing_found_is_1() {
	log 1 show 1ngsr3jbbbbbb "$T/morning"
	log 1 find user=nobody "$T/morning"
	assertEquals '' "$(cat "$T/out" "$T/err")"
}

# The stages write to logs of their own, under s6 or runit. Their names say nothing of the order.
test_several_logs_are_read_in_the_order_of_their_times() {
	for stage in authd limit qualify smtp-inject submitd tlsd; do
		grep " $stage\[" "$T/morning" >"$T/dir/$stage"
	done
	log 0 show 1ngsr6meeeeeee "$T/morning"
	mv "$T/out" "$T/one"
	log 0 show 1ngsr6meeeeeee "$T/dir/tlsd" "$T/dir/submitd" "$T/dir/smtp-inject" "$T/dir/limit" "$T/dir/authd" "$T/dir/qualify"
	assert_same 'as in one log' "$T/one" "$T/out"
}

test_standard_input_and_a_dash_are_a_log_too() {
	msa-log show 1x7k2a <"$T/morning" >"$T/out"
	msa-log show 1x7k2a - <"$T/morning" >"$T/got"
	assertEquals 'a story' 9 "$(grep -c '^+' "$T/out")"
	assert_same 'a dash' "$T/out" "$T/got"
}

test_without_times_the_ids_are_the_time() {
	log_bare <"$T/morning" >"$T/bare"
	log 0 show 1ngsr3jbbbbbbb "$T/bare"
	assertEquals 'session 1ngsr3haaaaaaa  message 1ngsr3jbbbbbbb  2026-11-30 02:33:21' "$(head -n 1 "$T/out")"
	assertContains "$(cat "$T/out")" '~   1.000  limit        done '
}

test_show_draws_a_sequence() {
	log 0 show -d 1ngsr6pffffff2 "$T/morning"
	assert_out sequence <<'END'
           client  tlsd  authd  submitd  limit  smtp-inject  relay.example.org:25 
+   0.000     |----------->|       |       |         |                 |  authenticated dave@example.net TLSv1.3
+   2.000     |      |     |       |       *         |                 |  done dave@example.net
+   2.002     |      |     |       |       |         |---------------->|  refused nobody@example.org 550 5.1.1 User unknown
+   2.003     |      |     |       |       |         *                 |  done code=550 7 ms
+   2.004     |<-------------------|       |         |                 |  refused dave@example.net code=550 5.1.1 User unknown TLSv1.3 9 ms
+   3.000     |      *     |       |       |         |                 |  done TLSv1.3 3050 ms
END
}

test_the_sequence_as_svg_has_every_line_and_is_well_formed() {
	log 0 show -g 1ngsr3jbbbbbbb "$T/morning"
	xmllint --noout "$T/out" 2>"$T/err"
	code=$?
	assertEquals "$(cat "$T/err")" 0 $code
	assertEquals 'columns' 'client tlsd authd submitd limit qualify smtp-inject relay.example.org:25 ' \
		"$(sed -n 's/.*class="h">\([^<]*\)<.*/\1/p' "$T/out" | tr '\n' ' ')"
	assertEquals 'rows' 8 "$(grep -c 'class="t"' "$T/out")"
	assertEquals 'arrows' 4 "$(grep -c 'class="a"' "$T/out")"
}

test_find_has_every_message_that_fulfils_all_conditions() {
	log 0 find user=alice@example.net rcpt=bob@example.org "$T/morning"
	assert_out find <<'END'
2026-11-30 02:33:22 1ngsr3haaaaaaa/1ngsr3jbbbbbbb
    smtp-inject reached rcpt=bob@example.org reply="250 2.0.0 Ok: queued as 84A30A80678"
    smtp-inject reached rcpt=carol@example.org reply="250 2.0.0 Ok: queued as 84A30A80678"
    submitd accepted user=alice@example.net mech=PLAIN ip=192.0.2.7 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 rcpts=2 size=2048 code=250 ms=60 from=alice@example.net
END
	# Two conditions that two messages of a session fulfil, but none alone.
	log 1 find code=450 rcpt=nobody@example.org "$T/morning"
}

# usage: found 'ids' condition ...
found() {
	expected=$1
	shift
	log 0 find "$@" "$T/morning"
	assertEquals "$*" "$expected" "$(sed -n 's/^[-0-9].* //p' "$T/out" | sed 's|.*/||' | tr '\n' ' ')"
}

test_find_looks_for_values_patterns_and_texts() {
	found '1ngsr3jbbbbbbb 1ngsra5kkkkkkk ' user=ALICE@example.net code=250
	found '1ngsr3jbbbbbbb 1ngsra5kkkkkkk ' 'rcpt=*@example.org' event=accepted
	found '1ngsr3jbbbbbbb ' reply=84a30a80678
	found '1ngsra5kkkkkkk ' 'reply=queued as 99F'
	found '1ngsr6nffffff1 1ngsr6pffffff2 ' from=dave@example.net
	found '1ngsr4rccccccc 1ngsr8gggggggg ' 'reason=wrong password'
	found '1ngsr4rccccccc 1ngsr8gggggggg ' ip=203.0.113.9
	found '1ngsr5pddddddd ' 'any=no shared cipher'
	found '1ngsr6nffffff1 ' stage=limit event=refused
	found '1ngsr6nffffff1 ' 'why=too many'
}

# Octets that are not ASCII stand in the log as \xHH; a person types them.
test_find_takes_what_a_person_types() {
	printf 'submitd: s/m1 accepted user="j\\xc3\\xbcrgen" code=250\nsubmitd: s/m2 accepted user=jargen code=250\n' >"$T/morning"
	found 'm1 ' user=jürgen
	found 'm1 ' 'user=jü*'
	found 'm2 ' 'user=j?rgen'
}

test_find_v_has_the_timeline() {
	log 0 find -v reply=99F00A80678 "$T/morning"
	msa-log show 1ngsra5kkkkkkk "$T/morning" >"$T/got"
	assert_same timeline "$T/got" "$T/out"
}

test_only_the_times_that_are_asked_for() {
	found '1ngsra5kkkkkkk ' -s '2026-11-30 02:36:30' event=accepted
	found '1ngsr3jbbbbbbb ' -u '2026-11-30 02:36:30' event=accepted
	log 1 find -s '2026-11-30 02:34' -u '2026-11-30 02:36' event=accepted "$T/morning"
	log 100 find -s noon event=accepted "$T/morning"
	assertContains "$(cat "$T/err")" 'noon: not a time'
}

# The real stages write it: nothing in their log is unknown to us, whatever the values are.
test_every_line_of_a_chain_is_understood() {
	mkdir "$T/dir/limit" "$T/dir/mail"
	chmod 700 "$T/dir/limit"
	printf '%s\n' 'From: alice@example.net' 'To: bob@example.org' 'Subject: "quotes" \\' '' 'Hello' >"$T/message"
	program_lines refuse "echo '550 5.7.1 \"No\", \\thanks'; exit 100"
	program_lines change "exec sed 's/Hello/Good day/'"
	: >"$T/dir/log"
	for last in "maildir-inject $T/dir/mail" "$T/refuse" 'false' 'lmtp-inject /nowhere'; do
		# shellcheck disable=SC2086
		submit -f alice@example.net -r bob@example.org -r carol@example.org limit -d "$T/dir/limit" -r 100/86400 \
			filter -u "$T/change" qualify -d example.net stamp trace -v $last <"$T/message" 2>&1 >/dev/null |
			grep -v '^submit: [^ ]*@example.org: ' >>"$T/dir/log"
	done
	assertEquals 'messages' 4 "$(grep -c '^submit: ' "$T/dir/log")"
	log 0 report "$T/dir/log"
	assertEquals "$(cat "$T/dir/log")" "$(wc -l <"$T/dir/log") lines" "$(sed -n 2p "$T/out")"
	assertEquals '' "$(grep 'not understood' "$T/out")"
	# show has each line as it was
	id=$(sed -n '1s/.*: \([^ /]*\).*/\1/p' "$T/dir/log")
	log 0 show "$id" "$T/dir/log"
	sed -n "s|^\([a-z-]*\): $id/[^ ]* |\1 |p" "$T/dir/log" >"$T/want"
	sed -n '2,$s/^~ *[0-9.]* *\([^ ]*\)  *\([^ ]*\)  */\1 \2 /p' "$T/out" | sed 's/ $//' >"$T/got"
	assert_same 'every field' "$T/want" "$T/got"
}

# A stranger may cause octets that are no line of ours: what is not understood is not shown.
test_what_is_not_understood_is_counted_and_never_shown() {
	printf 'submitd: s/m accepted user=\033[2J code=250\n\033]0;x\007\nsubmitd: s/m accepted user=alice code=250\n' >"$T/dir/log"
	head -c 65536 /dev/zero | tr '\0' x >>"$T/dir/log" # as long as the buffer
	echo 'submitd: s/m accepted user=boss code=250' >>"$T/dir/log"
	log 0 report "$T/dir/log"
	assertContains "$(cat "$T/out")" '3 other lines are not of this log, or not understood, and count nowhere.'
	assertEquals 'nothing but text' '' "$(tr -d '\n -~' <"$T/out")"
	assertContains "$(cat "$T/out")" "1 lines"
	log 1 show x "$T/dir/log"
	printf 'nothing of ours\n' >"$T/dir/log"
	log 1 show x "$T/dir/log"
	assertEquals 'msa-log: lines that are not of this log, or not understood: 1' "$(cat "$T/err")"
}

test_a_log_that_cannot_be_read_is_111() {
	log 111 show x "$T/none"
	assertEquals "msa-log: $T/none: No such file or directory" "$(cat "$T/err")"
	log 111 report "$T/dir"
	# shellcheck disable=SC2046
	log 100 report $(yes "$T/morning" | head -n 513)
	assertEquals 'msa-log: too many files: at most 512 at once' "$(cat "$T/err")"
}

test_misuse_is_100() {
	for words in '' 'show' 'find' 'find alice' 'find =x' 'find user=' 'watch' 'show -' 'show - -' 'show -v x' 'report -f' 'metrics -g' 'find -d a=b'; do
		# shellcheck disable=SC2086
		msa-log $words </dev/null >"$T/out" 2>"$T/err"
		assertEquals "$words" 100 $?
	done
}

# Memory has a bound: the story that has waited longest for a line ends.
test_so_many_stories_are_open_and_no_more() {
	{
		echo 'authd: first authenticated user=alice'
		seq -f 'authd: s%.0f authenticated user=bob' 1 20000
		echo 'submitd: first/m accepted user=carol code=250'
	} >"$T/dir/log"
	log 0 find user=alice "$T/dir/log"
	assertEquals 'it has ended' '- first' "$(head -n 1 "$T/out")"
	log 1 find user=alice code=250 "$T/dir/log"
	sed -i 5d "$T/dir/log"
	log 0 find user=alice code=250 "$T/dir/log"
	sed -i '$d' "$T/dir/log"
	seq -f 'authd: t%.0f authenticated user=bob' 1 9 >>"$T/dir/log"
	echo 'submitd: first/m accepted user=carol code=250' >>"$T/dir/log"
	log 0 show first "$T/dir/log"
	assertEquals 'the one that is looked for stays' 2 "$(grep -c 'authd \|submitd ' "$T/out")"
	assertEquals 'in one story' 1 "$(grep -c '^session' "$T/out")"
}

follow() {
	: >"$T/followed"
	msa-log "$@" >"$T/followed" 2>"$T/err" &
	follower=$!
}

test_follow_survives_rotation() {
	head -n 3 "$T/morning" >"$T/dir/log"
	follow find -f user=alice@example.net "$T/dir/log"
	wait_until grep -q qualify "$T/followed"
	sed -n 4,5p "$T/morning" >>"$T/dir/log"
	mv "$T/dir/log" "$T/dir/log.1"
	sed -n 6p "$T/morning" >>"$T/dir/log.1"
	sed -n 7p "$T/morning" >"$T/dir/log"
	wait_until grep -q accepted "$T/followed"
	sed -n 8p "$T/morning" | tr -d '\n' >>"$T/dir/log"
	kill $follower
	wait $follower 2>/dev/null
	head -n 7 "$T/morning" | sed 's/^\(..........\)T\([^Z]*\)Z mail \([a-z-]*\)\[812\]/\1 \2 \3/' >"$T/got"
	assert_same 'every line once' "$T/got" "$T/followed"
}

test_follow_sees_a_log_that_is_cut_in_its_place() {
	head -n 3 "$T/morning" >"$T/dir/log"
	follow show -f 1ngsr3haaaaaaa "$T/dir/log"
	wait_until grep -q qualify "$T/followed"
	: >"$T/dir/log"
	sed -n 4p "$T/morning" >>"$T/dir/log"
	wait_until grep -q bob@example.org "$T/followed"
	kill $follower
	wait $follower 2>/dev/null
	assertEquals 4 "$(wc -l <"$T/followed")"
}

# The logs of real loggers, and the journal of a real journald's format.
test_what_multilog_and_s6_log_write_is_read() {
	for logger in 'multilog t' 's6-log t s999999' 's6-log T s999999' 'svlogd -tt'; do
		needs "${logger%% *}" || continue
		rm -rf "$T/dir"
		mkdir "$T/dir"
		now=$(date +%s)
		log_bare <"$T/morning" | $logger "$T/dir" 2>/dev/null
		log 0 show 1ngsr3jbbbbbbb "$T/dir/current"
		assertEquals "$logger" 8 "$(grep -c '^+' "$T/out")"
		second=$(date -d "$(sed -n '1s/.*  //p' "$T/out")" +%s)
		assertTrue "$logger: the time: $(head -n 1 "$T/out")" "[ $((second - now)) -ge -30 ] && [ $((second - now)) -le 120 ]"
	done
}

# journalctl is asked for a unit; here it reads a journal that was made from the log.
journal() {
	awk '{
		message = $0; sub(/^[^ ]* mail [^ ]* /, "", message); stage = $3; sub(/\[.*/, "", stage)
		printf "__REALTIME_TIMESTAMP=%d\n_SYSTEMD_UNIT=msa.service\nPRIORITY=6\nSYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n\n",
			1796006001000000 + NR * 1000, stage, message }' "$T/morning" >"$T/export"
	# a field with any octets, in which a line of ours stands
	printf '__REALTIME_TIMESTAMP=1796006001900000\n_SYSTEMD_UNIT=msa.service\nMESSAGE\n' >>"$T/export"
	printf '\067\0\0\0\0\0\0\0x\nMESSAGE=submitd: s/forged accepted user=boss code=250\n\n' >>"$T/export"
	/lib/systemd/systemd-journal-remote -o "$T/test.journal" "$T/export" >"$T/remote" 2>&1
	program_lines journalctl "exec /usr/bin/journalctl --file='$T/test.journal' \"\$@\""
	PATH=$T:$PATH
}

# In the journal the stage of a line of syslog(3) is a field of its own, and any program can choose its name.
test_a_name_that_no_stage_has_is_no_stage() {
	{
		for name in SYSLOG_IDENTIFIER=submitd SYSLOG_IDENTIFIER=Submitd SYSLOG_IDENTIFIER= "SYSLOG_IDENTIFIER=$(printf 'a\033')" X=y; do
			printf '__CURSOR=c\n%s\nMESSAGE=s/m accepted user=alice code=250\n\n' "$name"
		done
		printf '__CURSOR=c\nSYSLOG_IDENTIFIER=cron\nMESSAGE=hello\n\n__CURSOR=c\nMESSAGE=submitd: s/m2 accepted user=bob code=250\n\n'
	} >"$T/dir/export"
	log 0 report "$T/dir/export"
	assertEquals '2 lines' "$(sed -n 2p "$T/out")"
	assertEquals '5 other lines are' "$(sed -n '3s/ not.*//p' "$T/out")"
	log 0 show m "$T/dir/export"
	assertEquals 1 "$(grep -c 'submitd *accepted' "$T/out")"
}

test_a_unit_of_the_journal_is_read() {
	needs journalctl || return
	[ -x /lib/systemd/systemd-journal-remote ] || { skip 'needs systemd-journal-remote' && return; }
	journal
	log 0 show -j msa.service 1ngsr3jbbbbbbb
	assertEquals 8 "$(grep -c '^+' "$T/out")"
	assertEquals 'session 1ngsr3haaaaaaa  message 1ngsr3jbbbbbbb  2026-11-30 02:33:21.001' "$(head -n 1 "$T/out")"
	log 1 show -j msa.service forged
	log 1 show -j other.service 1ngsr3jbbbbbbb
	rm -f "$T/state"
	log 0 metrics -j msa.service -c "$T/state"
	assertContains "$(cat "$T/out")" 'msa_messages_total{result="accepted"} 2'
	assertContains "$(cat "$T/out")" 'msa_log_other_lines_total 1'
	mv "$T/out" "$T/first"
	log 0 metrics -j msa.service -c "$T/state"
	assert_same 'each entry once' "$T/first" "$T/out"
}

. "$SHUNIT2"
