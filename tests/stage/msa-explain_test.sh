#!/bin/sh
# msa-explain: what it says about a realistic chain, octet for octet, what each stage that refuses makes of it, and that
# nothing is delivered or counted. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
test_who_may_be_written_to_and_what_a_password_may_is_explained() {
	table groups.cdb alice@example.net '&staff' '&staff' 'sales@example.net' alice@example.net/phone alice@example.net
	table rcpts.cdb '*' '* !@example.org'
	table rates.cdb alice@example.net/phone 5/60
	explains -u alice@example.net -e SMTPAUTHLABEL=phone -f alice@example.net -t postmaster@example.net -t bob@example.org -- \
		submitd -r 'rights -n -t rcpts.cdb -m example.net' rights -s groups.cdb limit -d limit -r 100/3600 -t rates.cdb \
		maildir-inject "$T/box"
	sed -n '/^At RCPT, <bob/,/^maildir-inject/p' "$T/out" | grep -v ^maildir-inject >"$T/got"
	assert_got 'a recipient, a group and a password' <<-'EOF'
		At RCPT, <bob@example.org>
		    rights -n -t rcpts.cdb -m example.net
		        Table: alice@example.net may not write to bob@example.org
		        Table: The record is: * !@example.org
		        Log: done user=alice@example.net refused=1 rcpt=bob@example.org
		        No later stage gets the message.
		        Answers <bob@example.org>: 550 5.7.1 You may not send to <bob@example.org>
		    The client would hear: 550 5.7.1 You may not send to <bob@example.org>, from rights
		rights -s groups.cdb
		    Table: alice@example.net may send as alice@example.net
		    Table: The record is: &staff
		    Table: The record of alice@example.net/phone is: alice@example.net
		    Table: The record of &staff is: sales@example.net
		    Log: done user=alice@example.net
		    Hands the message on as it is.
		limit -d limit -r 100/3600 -t rates.cdb
		    Runs with -n: it counts nothing.
		    Table: alice@example.net: 0 of 100 recipients used in 3600 s
		    Table: alice@example.net/phone: 0 of 5 recipients used in 60 s
		    Log: done who=alice@example.net/phone rcpts=1
		    Hands the message on as it is.
	EOF
	assertContains "$(cat "$T/out")" 'Table: alice@example.net may write to postmaster@example.net, the postmaster'
}

# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

# usage: table file key value ...
table() {
	table_file=$1
	shift
	while [ $# -gt 0 ]; do
		printf '+%d,%d:%s->%s\n' "${#1}" "${#2}" "$1" "$2"
		shift 2
	done >"$table_file.txt"
	echo >>"$table_file.txt"
	cdb -c "$table_file" "$table_file.txt"
	rm "$table_file.txt"
}

oneTimeSetUp() {
	MSA_HOST=mx.example.net
	export MSA_HOST
	cd "$T" || return 1
	table senders.cdb alice@example.net 'alice@example.net sales@example.net' carol@example.net -
	table names.cdb sales@example.net team@example.net
	table copies.cdb user:alice@example.net archive@example.net
	table routes.cdb example.org '' partner.example partner lost.example nothing socket.example /nowhere
	mkdir -m 700 limit spool box ways
	mkdir box/bob@example.org box/bob@example.org/new box/bob@example.org/cur box/bob@example.org/tmp
	printf '%s\n' 'From: sales@example.net' 'To: bob@example.org' 'Bcc: eve@example.org' 'Subject: one' '' text >message
	cd "$OLDPWD" || return 1
}

setUp() {
	cd "$T" || return 1
}

# Explain a chain: $T/out without the values that are never the same, $T/err, $code. usage: explains argument ...
explains() {
	msa-explain "$@" >"$T/raw" 2>"$T/err"
	code=$?
	sed -e 's/[A-Z][a-z][a-z], [0-9]* [A-Z][a-z][a-z] [0-9]* [0-9:]* [-+][0-9]*/DATE/g' -e "s|$T|D|g" \
		-e 's/[0-9a-z]\{14\}@/UNIQUE@/g' "$T/raw" >"$T/out"
}

# The end of what is said, and the exit code. usage: assert_ends what code line ...
assert_ends() {
	what=$1
	assertEquals "$what: exit code, $(cat "$T/err")" "$2" "$code"
	shift 2
	printf '%s\n' "$@" >"$T/want"
	tail -n $# "$T/out" >"$T/got"
	assert_same "$what" "$T/want" "$T/got"
}

# The files of a directory, with their times and their contents. usage: state directory
state() {
	find "$1" -printf '%p %t ' -type f -exec cksum {} \;
}

test_a_realistic_chain_is_explained_stage_by_stage() {
	printf '3600 2000 %s000\n' "$(date +%s)" >limit/alice@example.net
	program_lines ways/partner '# the chain of partner.example' 'exec maildir-inject \' "	'$T/box'"
	lmtpd_start
	explains -u alice@example.net -f sales@example.net -t bob@example.org -t bob@partner.example -m message -- \
		rights -s senders.cdb limit -d limit -r 100/3600 qualify -d example.net rewrite -t names.cdb -d example.net \
		copy -t copies.cdb stamp route -d ways -t routes.cdb lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals "exit code, $(cat "$T/err")" 0 "$code"
	assert_out said <<-EOF
		rights -s senders.cdb
		    Table: alice@example.net may send as sales@example.net
		    Table: The record is: alice@example.net sales@example.net
		    Log: done user=alice@example.net
		    Hands the message on as it is.
		limit -d limit -r 100/3600
		    Runs with -n: it counts nothing.
		    Table: alice@example.net: 2 of 100 recipients used in 3600 s
		    Log: done who=alice@example.net rcpts=2
		    Hands the message on as it is.
		qualify -d example.net
		    Log: done user=alice@example.net added=Date,Message-ID removed=Bcc msgid=<explain@example.net>
		    Drops the field Bcc: eve@example.org
		    Adds the field Date: DATE
		    Adds the field Message-ID: <explain@example.net>
		rewrite -t names.cdb -d example.net
		    Table: sales@example.net: team@example.net, by sales@example.net
		    Table: bob@example.org: unchanged
		    Table: bob@partner.example: unchanged
		    Log: done user=alice@example.net changed=MAIL,From addresses=sales@example.net>team@example.net
		    Changes the sender <sales@example.net> to <team@example.net>.
		    Changes the field From: sales@example.net
		    into the field From: team@example.net
		copy -t copies.cdb
		    Table: archive@example.net: a copy, by user:alice@example.net
		    Log: done user=alice@example.net copies=archive@example.net
		    Adds the line COPY TO:<archive@example.net>
		stamp
		    Log: done with=ESMTPA
		    Adds the field Received: from localhost ([127.0.0.1]) by mx.example.net with ESMTPA id explain; DATE
		route -d ways -t routes.cdb
		    Table: bob@example.org: the default chain, by example.org
		    Table: bob@partner.example: the program ways/partner, by partner.example
		    Table: archive@example.net: the default chain, by no key of the table
		route, to the default chain
		    lmtp-inject D/s
		        Runs with -n: it asks the next hop as far as RCPT, and sends no message.
		        Log: copy rcpt=archive@example.net reply="250 2.1.5 Recipient ok"
		        Log: done to=D/s rcpts=1 accepted=1 code=250
		        Answers <bob@example.org>: 250 2.1.5 Recipient ok
		route, to the program ways/partner
		    ways/partner
		        Is a script of one command, which is explained in its place.
		    maildir-inject D/box
		        Runs with -n: it judges the recipients, and writes nothing.
		        Log: done to=D/box rcpts=1 accepted=1 code=250
		        Answers <bob@partner.example>: 250 2.1.5 Recipient ok

		The verdict
		    <bob@example.org>: 250 2.1.5 Recipient ok, from lmtp-inject
		    <bob@partner.example>: 250 2.1.5 Recipient ok, from maildir-inject
		    The client would hear: 250 2.0.0 Ok, message explain
	EOF
	assert_heard 'what the next hop heard' 'LHLO mx.example.net' 'MAIL FROM:<team@example.net>' \
		'RCPT TO:<bob@example.org>' 'RCPT TO:<archive@example.net>' RSET QUIT
	assertEquals 'the mailbox is empty' '' "$(find box -type f)"
}

# usage: each what exit-code verdict-of-bob what-the-client-hears word ...
each() {
	what=$1 want_code=$2 bob=$3 hears=$4
	shift 4
	explains -u alice@example.net -f alice@example.net -t bob@example.org "$@"
	assert_ends "$what" "$want_code" "    <bob@example.org>: $bob" "    The client would hear: $hears"
}

test_each_stage_that_refuses_is_named_with_its_reply() {
	no='550 5.7.1 MAIL FROM: <eve@example.net> is not yours to send as'
	each rights 1 "$no, from rights" "$no" -f eve@example.net -- rights -s senders.cdb spool spool
	no='554 5.6.0 From: there is more than one field'
	printf 'From: a@example.net\nFrom: b@example.net\n\ntext\n' >two
	each qualify 1 "$no, from qualify" "$no" -m two -- rewrite -t names.cdb qualify -d example.net spool spool
	no='550 5.7.1 More recipients than the 0 in 60 s that you may send to'
	each limit 1 "$no, from limit" "$no" -- limit -d limit -r 0/60 spool spool
	no='451 4.3.0 Local error, try again later'
	each spool 1 "$no, from spool" "$no" -- stamp spool nowhere
	each 'no such program' 1 "$no, from nowhere" "$no" -- stamp nowhere -x
	each 'no resident' 1 "$no, from call" "$no" -- stamp call "$T/nowhere"
	explains -f alice@example.net -t bob@lost.example -- route -t routes.cdb spool spool
	assert_ends 'no chain' 1 "    <bob@lost.example>: $no, from route" "    The client would hear: $no"
	lmtpd_start 'RCPT=550 5.1.1 No Bob'
	no='550 5.1.1 No Bob'
	each 'the next hop' 1 "$no, from lmtp-inject" "$no" -- stamp lmtp-inject "$T/s"
	lmtpd_ended
}

# The message goes to the others all the same, so the client sends it again.
test_a_chain_of_route_that_is_not_there_is_about_its_recipients_only() {
	no='451 4.3.0 Local error, try again later'
	explains -f alice@example.net -t bob@example.org -t bob@socket.example -- route -t routes.cdb spool spool
	sed -n 2,9p "$T/out" >"$T/got"
	assert_got ways <<-EOF
		    Table: bob@example.org: the default chain, by example.org
		    Table: bob@socket.example: the resident at /nowhere (451: No such file or directory), by socket.example
		route, to the default chain
		    spool spool
		        Is not run. Its user can write to spool, so the message would be spooled there.
		route, to the resident at /nowhere
		    call /nowhere
		        Cannot be called: No such file or directory.
	EOF
	assert_ends mixed 1 '    <bob@example.org>: 250 2.0.0 Spooled, from spool' \
		"    <bob@socket.example>: $no, from call" \
		'    The client would hear: 451 4.3.0 Not all recipients could be served alike, try again'
}

# The replies of the next hop, of a stage in front of it, and what bounce makes of both.
test_bounce_makes_a_report_that_is_explained_too() {
	lmtpd_start -n 2 'RCPT:carol=550 5.1.1 No Carol'
	explains -f alice@example.net -t bob@example.org -t carol@example.org -- bounce lmtp-inject "$T/s"
	lmtpd_ended
	sed -i 's/report=[0-9a-z]*/report=ID/' "$T/out"
	assert_out said <<-EOF
		bounce
		    Sets MSA_PARTIAL to "".
		lmtp-inject D/s
		    Runs with -n: it asks the next hop as far as RCPT, and sends no message.
		    Log: refused rcpt=carol@example.org reply="550 5.1.1 No Carol"
		    Log: done to=D/s rcpts=2 accepted=1 code=550
		    Answers <bob@example.org>: 250 2.1.5 Recipient ok
		    Answers <carol@example.org>: 550 5.1.1 No Carol
		bounce, a message of its own
		    lmtp-inject D/s
		        Runs with -n: it asks the next hop as far as RCPT, and sends no message.
		        Log: done to=D/s rcpts=1 accepted=1 code=250
		        Answers <alice@example.net>: 250 2.1.5 Recipient ok
		bounce, after the answers
		    Log: done report=ID failed=1 reached=0 code=250
		    Changes the answer to <carol@example.org> from 550 5.1.1 No Carol to 250 2.0.0 Not delivered, and reported as asked for

		The verdict
		    <bob@example.org>: 250 2.1.5 Recipient ok, from lmtp-inject
		    <carol@example.org>: 250 2.0.0 Not delivered, and reported as asked for, from bounce
		    The client would hear: 250 2.0.0 Ok, message explain
	EOF
	assertEquals 'exit code' 0 "$code"
}

test_without_bounce_one_refusal_is_a_refusal_of_all() {
	lmtpd_start 'RCPT:carol=550 5.1.1 No Carol'
	explains -f alice@example.net -t bob@example.org -t carol@example.org -- lmtp-inject "$T/s"
	lmtpd_ended
	assert_ends all 1 '    A recipient is refused, so no recipient would get the message.' '' 'The verdict' \
		'    <bob@example.org>: 550 5.1.1 No Carol, from lmtp-inject' \
		'    <carol@example.org>: 550 5.1.1 No Carol, from lmtp-inject' '    The client would hear: 550 5.1.1 No Carol'
	lmtpd_start 'RCPT:carol=550 5.1.1 No Carol'
	explains -e MSA_PARTIAL= -f alice@example.net -t bob@example.org -t carol@example.org -- lmtp-inject "$T/s"
	lmtpd_ended
	assert_ends 'a client of LMTP' 1 'The verdict' '    <bob@example.org>: 250 2.1.5 Recipient ok, from lmtp-inject' \
		'    <carol@example.org>: 550 5.1.1 No Carol, from lmtp-inject' \
		"    The client would hear each recipient's own reply."
}

# A stage in any language; the words of a session and inline in front.
test_a_script_of_the_site_is_explained_by_what_it_does() {
	program_lines site 'echo "site: a word for the log" >&2' 'MSA_X_SEEN=yes; export MSA_X_SEEN' \
		'exec envelope refuse 2 "550 5.7.1 Not to Carol" "$@"'
	explains -e MSA_PARTIAL= -f alice@example.net -t bob@example.org -t carol@example.org -- \
		submitd inline stamp ./site spool spool
	assert_out said <<-EOF
		submitd
		    Serves the session, and is left out.
		stamp
		    Log: done with=ESMTP
		    Adds the field Received: from localhost ([127.0.0.1]) by mx.example.net with ESMTP id explain; DATE
		./site
		    Log: a word for the log
		    Sets MSA_X_SEEN to "yes".
		    Refuses the recipient carol@example.org: 550 5.7.1 Not to Carol
		spool spool
		    Is not run. Its user can write to spool, so the message would be spooled there.

		The verdict
		    <bob@example.org>: 250 2.0.0 Spooled, from spool
		    <carol@example.org>: 550 5.7.1 Not to Carol, from site
		    The client would hear each recipient's own reply.
	EOF
	assertEquals 'exit code' 1 "$code"
}

test_what_may_deliver_is_not_run() {
	program_lines deliver "touch '$T/delivered'" 'echo 250 2.0.0 taken'
	hears='250 2.0.0 Ok, message explain'
	explains -f '' -t bob@example.org -- stamp ./deliver
	assert_ends 'a script' 2 './deliver' '    Is not run: it stands last, so it may deliver the message. With -x it runs.' '' \
		'The verdict' '    <bob@example.org>: 250 2.0.0 Ok, from deliver' "    The client would hear: $hears" \
		'    That is so if deliver accepts the message, which cannot be seen from here.'
	assertFalse 'not run' '[ -e delivered ]'
	explains -x -f '' -t bob@example.org -- stamp ./deliver
	assert_ends 'with -x' 0 './deliver' '    Runs, as -x says.' '    No later stage gets the message.' \
		'    Answers <bob@example.org>: 250 2.0.0 taken' '' \
		'The verdict' '    <bob@example.org>: 250 2.0.0 taken, from deliver' "    The client would hear: $hears"
	assertTrue 'run' '[ -e delivered ]'
	resident_start kept stamp spool "$T/spool"
	explains -f '' -t bob@example.org -- stamp call "$T/kept"
	resident_stop_all
	assert_ends 'a resident' 2 'call D/kept' \
		'    Is not called: the chain goes on in another process, which cannot be seen from here.' '' 'The verdict' \
		'    <bob@example.org>: 250 2.0.0 Ok, from call' "    The client would hear: $hears" \
		'    That is so if D/kept accepts the message, which cannot be seen from here.'
	explains -f '' -t bob@example.org -- spool spool
	assert_ends 'a spool' 0 'spool spool' \
		'    Is not run. Its user can write to spool, so the message would be spooled there.' '' 'The verdict' \
		'    <bob@example.org>: 250 2.0.0 Spooled, from spool' "    The client would hear: $hears"
	assertEquals 'nothing is spooled' '' "$(find spool -type f)"
}

test_the_check_at_rcpt_is_explained_for_each_recipient() {
	program_lines known '[ "$MSA_RCPTS" = 1 ] && [ ! -s /dev/stdin ] || exit 111' 'case $(cat <&3) in' \
		"*eve@*) echo '550 5.1.1 No such user' ;;" "*) echo '250 2.1.5 known' ;;" 'esac'
	explains -u alice@example.net -f alice@example.net -t eve@example.org -t bob@example.org -e MSA_PARTIAL= -- \
		submitd -r ./known rights -s senders.cdb maildir-inject "$T/box"
	assert_out said <<-EOF
		submitd -r ./known
		    Serves the session, and is left out.
		At RCPT, <eve@example.org>
		    ./known
		        No later stage gets the message.
		        Answers <eve@example.org>: 550 5.1.1 No such user
		    The client would hear: 550 5.1.1 No such user, from known
		At RCPT, <bob@example.org>
		    ./known
		        No later stage gets the message.
		        Answers <bob@example.org>: 250 2.1.5 known
		    The client would hear: 250 2.1.5 Recipient ok
		rights -s senders.cdb
		    Table: alice@example.net may send as alice@example.net
		    Table: The record is: alice@example.net sales@example.net
		    Log: done user=alice@example.net
		    Hands the message on as it is.
		maildir-inject D/box
		    Runs with -n: it judges the recipients, and writes nothing.
		    Log: done to=D/box rcpts=1 accepted=1 code=250
		    Answers <bob@example.org>: 250 2.1.5 Recipient ok

		The verdict
		    Recipients refused at RCPT: 1. The others get the message.
		    <bob@example.org>: 250 2.1.5 Recipient ok, from maildir-inject
		    The client would hear: 250 2.0.0 Ok, message explain
	EOF
	assertEquals "exit code, $(cat "$T/err")" 1 "$code"
}

test_a_check_at_rcpt_asks_whom_submitd_would_ask() {
	explains -u eve@example.net -f sales@example.net -t bob@example.org -- \
		submitd -r "rights -s senders.cdb lmtp-inject -n $T/s" spool spool
	no='550 5.7.1 MAIL FROM: <sales@example.net> is not yours to send as'
	assert_ends 'a stage in front refuses' 1 "    The client would hear: $no, from rights" '' 'The verdict' \
		'    Every recipient would be refused at RCPT, so the client would send no message.'
	lmtpd_start
	explains -f alice@example.net -t bob@example.org -- submitd -r "lmtp-inject -n $T/s" spool spool
	lmtpd_ended
	assert_heard 'what the next hop heard' 'LHLO mx.example.net' 'MAIL FROM:<alice@example.net>' \
		'RCPT TO:<bob@example.org>' RSET QUIT
	assertContains 'the next hop answers' "$(cat "$T/out")" '
        Answers <bob@example.org>: 250 2.1.5 Recipient ok
    The client would hear: 250 2.1.5 Recipient ok
spool spool
'
	resident_start kept maildir-inject -n "$T/box"
	explains -f '' -t bob@example.org -t eve@example.org -- submitd -r "call $T/kept" spool spool
	resident_stop_all
	assertContains 'a resident is called' "$(cat "$T/out")" '
At RCPT, <eve@example.org>
    call D/kept
        Is called, as at each RCPT. What happens in its process cannot be seen from here.
'
	explains -f '' -t bob@example.org -- submitd -r ' ' spool spool
	assertEquals "no words, $(cat "$T/err")" 100 "$code"
}

test_a_script_that_names_itself_ends() {
	program_lines again "exec ./again"
	explains -f '' -t bob@example.org -- ./again
	assert_ends again 1 '    <bob@example.org>: 451 4.3.0 Local error, try again later, from again' \
		'    The client would hear: 451 4.3.0 Local error, try again later'
}

test_misuse_has_its_exit_code() {
	for words in '' '-f a@example.net -- stamp' '-f a@example.net -t b@example.org' '-t b@example.org stamp' \
		'-e X=1 -f a@example.net -t b@example.org stamp' '-e MSA_HELO -f a@example.net -t b@example.org stamp' \
		'-f alice -t b@example.org stamp' '-f a@example.net -t b@example.org submitd' \
		'-U nosuchuser -f a@example.net -t b@example.org stamp'; do
		# shellcheck disable=SC2086
		explains $words
		assertEquals "$words" 100 "$code"
		assertNotEquals "$words: why" '' "$(cat "$T/err")"
	done
	explains -f a@example.net -t b@example.org -m "$T/nowhere" stamp
	assertEquals 'no such message' 111 "$code"
}

test_a_text_that_changes_is_said_with_its_size() {
	explains -f alice@example.net -t bob@example.org -m message -- filter 'sed s/^text/others/' spool spool
	sed -n '2,/^spool/p' "$T/out" >"$T/got"
	assert_got said <<-EOF
		    Log: done command="sed s/^text/others/"
		    Changes the text, which had 6 octets and has 8 now.
		spool spool
	EOF
}

test_a_script_with_more_than_one_command_of_plain_words_is_not_explained() {
	for command in 'exec spool "$PWD/spool"' "exec spool '$T/spool'; exit" "A=b spool '$T/spool'" 'exec nowhere' "exec spool 'x" \
		"cd /
spool '$T/spool'"; do
		program_lines one "$command"
		explains -f '' -t bob@example.org -- ./one
		assertEquals "$command" '    Is not run: it stands last, so it may deliver the message. With -x it runs.' \
			"$(sed -n 2p "$T/out")"
	done
	program_lines one '' "	spool  \"$T/spool\" # the queue" '# end'
	explains -f '' -t bob@example.org -- ./one
	assertEquals 'one command' 'spool D/spool' "$(sed -n 3p "$T/out")"
}

test_no_password_is_said() {
	echo 'alice:wonderland' >credentials
	chmod 600 credentials
	explains -u alice -f alice@example.net -t bob@example.org -- stamp smtp-inject -a credentials "127.0.0.1:$(port_free)"
	assertEquals 'exit code' 1 "$code"
	assertNotContains "$(cat "$T/raw" "$T/err")" wonderland
}

. "$SHUNIT2"
