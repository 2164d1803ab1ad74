#!/bin/sh
# spoold: reports take a way of their own, and a report that cannot be delivered is never the end.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/spoold.sh
. "$ROOT/tests/lib/spoold.sh"

# The chain for reports, where spoold.sh's $T/next is that for messages: it answers with $T/local.answer, or 250.
cat >"$T/local" <<'P'
#!/bin/sh
cat >"$T/local.msg"
cat <&3 >"$T/local.env"
echo x >>"$T/local.runs"
[ ! -e "$T/local.answer" ] || { cat "$T/local.answer"; exit; }
echo '250 2.0.0 taken'
P
chmod 755 "$T/local"

tearDown() {
	rm -f "$T"/local.*
	resident_stop_all
	[ -z "${lmtpd_pid:-}" ] || kill "$lmtpd_pid" 2>/dev/null
	lmtpd_pid=
}

# usage: reports_tried N ; so often so far
reports_tried() {
	[ "$(wc -l 2>/dev/null <"$T/local.runs")" -ge "$1" ]
}

# The list of the spool with ID, AGE and NEXT in place of what differs. usage: listed
listed() {
	spool -p "$T/spool" | sed -E 's/^[0-9a-z]{14} [0-9]+ ([^ ]+ [^ ]+) [0-9]+ /ID AGE \1 NEXT /; s/^[0-9a-z]{14} [0-9]+ /ID AGE /'
}

is_listed() {
	[ "$(listed)" = "$1" ]
}

assert_listed() {
	wait_until is_listed "$2"
	assertEquals "$1: $(cat "$T/spoold.log")" "$2" "$(listed)"
}

# A smarthost that is down, a local sender, and a local LMTP server.
# usage: to_smarthost [option ...]
to_smarthost() {
	: >"$T/ready"
	MSA_HOST=test.example spoold -R 3 -r "lmtp-inject $T/s" "$@" "$T/spool" smtp-inject -p 127.0.0.1:9 \
		3>"$T/ready" 2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	residents="$residents $!"
	wait_until [ -s "$T/ready" ]
}

test_a_local_sender_hears_of_a_smarthost_that_is_down() {
	lmtpd_start
	spoold_put
	spoold_age 100
	to_smarthost -t 100 -w 0
	lmtpd_ended
	wait_until spoold_empty
	spoold_stop
	tr -d '\r' <"$T/rec" >"$T/heard"
	for line in 'MAIL FROM:<>' 'RCPT TO:<alice@example.net>' 'Subject: Message not delivered to every recipient' \
		'Final-Recipient: rfc822; bob@example.org' 'Action: failed' 'Status: 4.4.1' \
		'Diagnostic-Code: smtp; 451 4.4.1 Next server cannot be reached, try again later' \
		'    451 4.4.1 Next server cannot be reached' \
		'This server does not try again. If it is still wanted, please send it again later.'; do
		assertTrue "the server heard $line: $(cat "$T/heard")" "grep -qxF '$line' $T/heard"
	done
	assertEquals 'only programs are told to try again' 1 "$(grep -c 'try again later' "$T/heard")"
	assertEquals 'the message was not for the local server' 1 "$(grep -c '^RCPT' "$T/heard")"
	assert_spoold_logs 'reached id=[0-9a-z]* rcpt=alice@example.net reply="250 2.0.0 Saved"'
	assertFalse 'untold' 'spoold_logs untold'
}

test_so_does_a_warning_of_a_delay() {
	lmtpd_start
	spoold_put
	spoold_age 10
	to_smarthost -w 10 -b 1000:1000
	lmtpd_ended
	tr -d '\r' <"$T/rec" >"$T/heard"
	for line in 'RCPT TO:<alice@example.net>' 'Subject: Message delayed' 'Action: delayed' \
		'It will be tried again. The last answer was:' '    451 4.4.1 Next server cannot be reached'; do
		assertTrue "the server heard $line: $(cat "$T/heard")" "grep -qxF '$line' $T/heard"
	done
	assert_listed 'the message waits' 'ID AGE <alice@example.net> 1/1 NEXT 451 4.4.1 Next server cannot be reached, try again later'
	spoold_stop
}

# The local server is down as well, for longer than a message lives.
test_a_report_outlives_every_message() {
	spoold_put
	spoold_age 100
	to_smarthost -t 100 -w 0 -b 1:1
	assert_listed 'it waits' 'ID AGE report 1/1 NEXT 451 4.4.1 Next server cannot be reached, try again later'
	assert_spoold_logs '^spoold: S/[0-9a-z]* waiting id=.* waiting=1 next=1 '
	spoold_stop
	id=$(ls "$T/spool/cur")
	spoold_age 1000000 cur
	to_smarthost -t 100 -w 0 -b 1:1
	assert_spoold_logs "^spoold: S/[0-9a-z]* overdue id=$id reached=0 failed=0 waiting=1 next=1 reason=.*"
	assert_listed 'still' 'ID AGE report 1/1 NEXT 451 4.4.1 Next server cannot be reached, try again later'
	assertEquals 'and is known as a report' report "$(sed -n 5p "$T/spool/cur/$id/envelope")"
	lmtpd_start
	lmtpd_ended
	wait_until spoold_empty
	assertTrue 'delivered in the end' "grep -q '^RCPT TO:<alice@example.net>' $T/rec"
	assert_spoold_logs "^spoold: S/[0-9a-z]* done id=$id reached=1 failed=0 "
	spoold_stop
	assertFalse 'untold, or given up' "spoold_logs 'untold\|expired id=$id '"
}

test_a_refused_report_is_held_until_somebody_decides() {
	printf '550 5.1.1 No such user\n' >"$T/local.answer"
	spoold_answers 1 '550 5.1.1 No Bob'
	spoold_put
	spoold_start -r "$T/local" -b 1:1 -t 1
	assert_listed 'held' 'ID AGE report 1/1 held 550 5.1.1 No such user'
	id=$(ls "$T/spool/cur")
	assert_spoold_logs "^spoold: S/[0-9a-z]* refused id=$id rcpt=alice@example.net reply=\"550 5.1.1 No such user\"\$"
	assert_spoold_logs "^spoold: S/[0-9a-z]* held id=$id reached=0 failed=0 waiting=1 reason=\"No such user\" ms="
	sleep 3
	assertEquals 'not tried again' 1 "$(wc -l <"$T/local.runs")"
	assertEquals 'in the record' 'next never' "$(grep ^next "$T/spool/cur/$id/envelope")"
	spoold_stop
	spoold_start -r "$T/local" -b 1:1 -t 1
	sleep 2
	assertEquals 'nor after a restart' 1 "$(wc -l <"$T/local.runs")"
	spool -f "$T/spool"
	wait_until reports_tried 2
	assert_listed 'refused once more' 'ID AGE report 1/1 held 550 5.1.1 No such user'
	printf '451 4.3.0 Later\n' >"$T/local.answer"
	spool -f "$T/spool"
	wait_until reports_tried 4
	assertTrue 'from then on it is tried' $?
	rm "$T/local.answer"
	wait_until spoold_empty
	assertTrue 'delivered' $?
	spoold_stop
	assertFalse 'untold' 'spoold_logs untold'
}

# Who has no -r gets reports by the way of the messages, and loses none either.
test_without_a_way_of_their_own_reports_stay_too() {
	spoold_answers 1 '550 5.1.1 No Bob'
	spoold_answers 2 '550 5.7.1 No reports'
	spoold_put
	spoold_start -b 1:1
	assert_listed 'held' 'ID AGE report 1/1 held 550 5.7.1 No reports'
	assert_spoold_runs 'message and report' 2
	spoold_stop
}

# What a client sends from the null reverse-path (a read receipt) is no report of ours.
test_only_reports_take_the_way_of_reports() {
	chain_envelope '<>' 'RCPT TO:<bob@example.org>'
	spoold_answers 1 '550 5.1.1 No Bob'
	spoold_put
	spoold_drain -r "$T/local"
	assertFalse 'by the way of reports' "[ -e $T/local.runs ]"
	assert_spoold_logs 'untold code=550 rcpt=bob@example.org'
	rm -rf "$T"/run.*
	chain_envelope '<alice@example.net> ENVID=x' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS'
	spoold_answers 1 '250 2.0.0 ok'
	spoold_put
	spoold_drain -r "  $T/local	a  b "
	assertEquals 'a report of success too' 'MAIL FROM:<>' "$(head -n 1 "$T/local.env")"
	assert_spoold_runs 'the message' 1
}

# Local senders are served here, others by the smarthost: the page's example.
test_route_decides_which_report_goes_where() {
	value=$T/lmtp
	printf '+11,%d:example.net->%s\n\n' "${#value}" "$value" | cdb -c -t "$T/routes.tmp" "$T/routes.cdb" -
	lmtpd_start
	resident_start lmtp lmtp-inject "$T/s"
	spoold_answers 1 '550 5.1.1 No Bob'
	spoold_answers 2 '550 5.1.1 No Bob'
	spoold_put
	spoold_start -n 1 -r "route -t $T/routes.cdb $T/next"
	wait_until spoold_empty # the answers are counted, so the second message comes after all of the first one
	chain_envelope '<guest@elsewhere.example>' 'RCPT TO:<bob@example.org>'
	spoold_put
	wait_until spoold_empty
	resident_stop lmtp
	spoold_stop
	lmtpd_ended
	assertEquals 'the local report' 'RCPT TO:<alice@example.net>' "$(grep ^RCPT "$T/rec" | tr -d '\r')"
	assertEquals 'the other one' 1 "$(grep -c '^RCPT TO:<guest@elsewhere.example>' "$T"/*.env | grep -c ':1$')"
}

test_misuse_names_the_option() {
	while IFS='|' read -r option value text; do
		spoold "-$option" "$value" "$T/spool" true >"$T/out" 2>"$T/log"
		assertEquals "-$option $value: exit code" 100 $?
		assertEquals "-$option $value" "spoold: $text" "$(cat "$T/log")"
	done <<-'X'
		r||-r: no words, or more than 64
		r|  |-r: no words, or more than 64
		n|0|-n 0: not a number from 1 to 10000
		t|x|-t x: not a number from 1 to 31536000
		b|5|-b 5: not first:most
		b|x:5|-b x: not a number from 1 to 31536000
		b|5:1|-b 1: not a number from 5 to 31536000
		f|alice|-f alice: not an address in ASCII
		q|-1|-q -1: not a number from 0 to 16777216
	X
	spoold -r "$(printf ' x%.0s' $(seq 65))" "$T/spool" true 2>"$T/log"
	assertEquals '65 words' 100 $?
}

. "$SHUNIT2"
