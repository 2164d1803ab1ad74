#!/bin/sh
# route: which chain each recipient goes to, chains side by side, and each recipient's own reply.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

# A chain keeps what it got as $T/got.NAME.env, .msg and .facts, and answers each recipient with what $T/answer.NAME
# has in a line, or 250 and its name.
oneTimeSetUp() {
	mkdir "$T/routes"
	cat >"$T/routes/default" <<-'P'
		#!/bin/sh
		name=$(basename "$0")
		cat <&3 >"$T/got.$name.env"
		cat >"$T/got.$name.msg" # without rewind: nobody else moves the offset
		env | grep '^MSA' | grep -v '^MSA_BIN=' | sort >"$T/got.$name.facts"
		[ ! -e "$T/wait.$name" ] || while [ ! -e "$T/go" ]; do sleep 0.02; done
		[ ! -e "$T/answer.$name" ] || { cat "$T/answer.$name"; exit; }
		i=0
		while [ "$i" -lt "$MSA_RCPTS" ]; do
			i=$((i + 1))
			echo "250 2.0.0 $name $i"
		done
	P
	chmod 755 "$T/routes/default"
	for name in east west; do
		cp "$T/routes/default" "$T/routes/$name"
	done
}

setUp() {
	rm -f "$T"/got.* "$T"/answer.* "$T"/wait.* "$T/go"
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	table east.example=east west.example=west bob@east.example=west boss@west.example= 'bad.example=../x'
	chain_envelope '<alice@example.net> SMTPUTF8' 'RCPT TO:<a@east.example>' 'RCPT TO:<b@west.example> NOTIFY=NEVER' \
		'RCPT TO:<c@other.example>' 'RCPT TO:<Bob@east.example>' 'RCPT TO:<d@east.example>' 'RCPT TO:<boss@west.example>'
}

# $T/routes.cdb. usage: table key=value ...
table() {
	for row; do
		key=${row%%=*} value=${row#*=}
		echo "+${#key},${#value}:$key->$value"
	done >"$T/list"
	echo >>"$T/list"
	cdb -c "$T/routes.cdb" "$T/list"
}

route() {
	command route -t "$T/routes.cdb" -d "$T/routes" "$@"
}

# The same by a call. usage: routed [NAME=value ...]
routed() {
	chain_call "$@" route -t "$T/routes.cdb" -d "$T/routes" "$T/routes/default"
}

# A chain's envelope is standard input. usage: assert_got name
assert_routed() {
	cat >"$T/expected"
	assert_same "$1" "$T/expected" "$T/got.$1.env"
	assert_same "$1: message" "$T/msg" "$T/got.$1.msg"
}

test_by_address_by_domain_or_by_default() {
	routed MSA_PARTIAL=
	assertEquals 'exit code' 0 "$code"
	assert_verdict 'in the order of the envelope' '250 2.0.0 east 1' '250 2.0.0 west 1' '250 2.0.0 default 1' \
		'250 2.0.0 west 2' '250 2.0.0 east 2' '250 2.0.0 default 2'
	assert_routed east <<-'X'
		MAIL FROM:<alice@example.net> SMTPUTF8
		RCPT TO:<a@east.example>
		RCPT TO:<d@east.example>
	X
	assert_routed west <<-'X'
		MAIL FROM:<alice@example.net> SMTPUTF8
		RCPT TO:<b@west.example> NOTIFY=NEVER
		RCPT TO:<Bob@east.example>
	X
	assert_routed default <<-'X'
		MAIL FROM:<alice@example.net> SMTPUTF8
		RCPT TO:<c@other.example>
		RCPT TO:<boss@west.example>
	X
	printf '%s\n' MSA_DEADLINE MSA_HOST=test.example MSA_MESSAGE=M MSA_PARTIAL= MSA_RCPTS=2 MSA_SESSION=S >"$T/expected"
	sed -i 's/^MSA_DEADLINE=.*/MSA_DEADLINE/' "$T/got.east.facts"
	assert_same 'facts' "$T/expected" "$T/got.east.facts"
	assert_logged '^route: S/M done chains=3 rcpts=6 accepted=6 code=250 ms=[0-9]*$'
}

test_they_run_side_by_side() {
	touch "$T/wait.east" "$T/wait.west"
	{
		wait_until [ -e "$T/got.east.facts" -a -e "$T/got.west.facts" -a -e "$T/got.default.facts" ] && touch "$T/together"
		touch "$T/go"
	} &
	routed MSA_PARTIAL=
	wait
	assertTrue 'all were there before one had answered' "[ -e $T/together ]"
	assertEquals 'accepted' 6 "$(grep -c '^250' "$T/verdict")"
}

test_each_reply_finds_its_recipient() {
	printf '%s\n' '550-5.1.1 no' '550 5.1.1 such' '250 2.0.0 ok' . >"$T/answer.east"
	echo '451 4.2.0 later' >"$T/answer.west"
	echo nonsense >"$T/answer.default"
	routed MSA_PARTIAL=
	assert_verdict 'each its own' '550-5.1.1 no' '550 5.1.1 such' '451 4.2.0 later' '451 4.3.0 Local error, try again later' \
		'451 4.2.0 later' '250 2.0.0 ok' '451 4.3.0 Local error, try again later'
	assert_logged 'done chains=3 rcpts=6 accepted=1 code=451'
}

# A verdict that is too large would be invalid, and the client would send the delivered message again.
test_much_that_chains_say_is_a_verdict_still() {
	awk 'BEGIN { print "MAIL FROM:<alice@example.net>"
		for (i = 0; i < 1000; i++) print "RCPT TO:<r" i "@" (i % 2 ? "east" : "west") ".example>" }' >"$T/env"
	rcpts=1000
	for name in west east; do
		awk 'BEGIN { for (i = 0; i < 500; i++) printf "250 2.0.0 %01500d\n", i; print "." }' >"$T/answer.$name"
	done
	routed MSA_PARTIAL=
	assertTrue 'octets' "[ $(wc -c <"$T/verdict.crlf") -lt 1048576 ]"
	assertEquals 'replies' 1000 "$(grep -c '^250 2.0.0 00' "$T/verdict")"
	assertEquals 'closed' . "$(tail -n 1 "$T/verdict")"
}

test_one_way_for_all_is_the_chain_itself() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@east.example>' '550 5.7.1 Not to Carol' 'RCPT TO:<b@east.example>' \
		'COPY TO:<log@east.example>'
	printf '%s\n' '250 2.0.0 one' '550 5.7.1 Not to Carol' '250 2.0.0 two' . >"$T/answer.east"
	routed MSA_PARTIAL=
	assert_verdict 'its verdict' '250 2.0.0 one' '550 5.7.1 Not to Carol' '250 2.0.0 two'
	assert_same 'its envelope' "$T/env" "$T/got.east.env"
	assert_logged '^route: S/M done chain=east$'
}

test_who_was_refused_before_keeps_that_reply() {
	chain_envelope '<alice@example.net>' '550 5.7.1 Not to Carol' 'RCPT TO:<a@east.example>' 'RCPT TO:<b@west.example>'
	routed MSA_PARTIAL=
	assert_verdict 'results may differ' '550 5.7.1 Not to Carol' '250 2.0.0 east 1' '250 2.0.0 west 1'
	rm -f "$T"/got.*
	routed
	assert_verdict 'they may not: nothing is sent' '550 5.7.1 Not to Carol' '550 5.7.1 Not to Carol' '550 5.7.1 Not to Carol'
	assertEquals 'nothing was run' '' "$(find "$T" -name 'got.*')"
}

test_where_chains_differ_an_smtp_client_sends_again_or_bounce_reports() {
	echo '550 5.1.1 no' >"$T/answer.west"
	cat >"$T/script" <<-'X'
		> EHLO client.example
		> MAIL FROM:<alice@example.net>
		> RCPT TO:<a@east.example>
		> RCPT TO:<b@west.example>
		> DATA
		> Subject: x
		> .
		> QUIT
		<<
	X
	RELAYCLIENT='' MSA_HOST=test.example talk submitd route -t "$T/routes.cdb" -d "$T/routes" "$T/routes/default" \
		<"$T/script" >"$T/out" 2>"$T/log"
	assertEquals '451 4.3.0 Not all recipients could be served alike, try again' "$(sed -n '/^354/{n;p;}' "$T/out")"
	RELAYCLIENT='' MSA_HOST=test.example talk submitd bounce route -t "$T/routes.cdb" -d "$T/routes" "$T/routes/default" \
		<"$T/script" >"$T/out" 2>"$T/log"
	assertEquals '250 2.0.0 Ok, message ID' "$(sed -n '/^354/{n;s/ [^ ]*$/ ID/p;}' "$T/out")"
	assertTrue 'the report went its own way' "grep -q '^Final-Recipient: rfc822; b@west.example' $T/got.default.msg"
}

test_a_copy_goes_its_own_way() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@east.example>' 'RCPT TO:<c@other.example>' 'COPY TO:<log@east.example>' \
		'COPY TO:<log@west.example> NOTIFY=NEVER' 'COPY TO:<two@west.example>'
	printf '%s\n' '250 2.0.0 copied' '550 5.1.1 no' . >"$T/answer.west"
	routed
	assert_verdict 'copies are not answered' '250 2.0.0 east 1' '250 2.0.0 default 1'
	assert_routed east <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<a@east.example>
		COPY TO:<log@east.example>
	X
	assert_routed west <<-'X'
		MAIL FROM:<alice@example.net>
		RCPT TO:<log@west.example> NOTIFY=NEVER
		RCPT TO:<two@west.example>
	X
	assert_logged 'copy rcpt=log@west.example code=250'
	assert_logged 'copy rcpt=two@west.example code=550 reason=no'
}

test_what_the_table_names_wrongly_is_451() {
	for name in ../x x/y . .x; do
		table "bad.example=$name" east.example=east
		chain_envelope '<alice@example.net>' 'RCPT TO:<a@bad.example>' 'RCPT TO:<a@east.example>'
		routed MSA_PARTIAL=
		assert_verdict "$name" '451 4.3.0 Local error, try again later' '250 2.0.0 east 1'
		assert_logged 'misuse reason=".*routes.cdb: .*: neither a path nor the name of a program"'
	done
	routed
	assert_verdict 'nothing is sent' '451 4.3.0 Local error, try again later' '451 4.3.0 Local error, try again later'
	table "east.example=east" "west.example=none"
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@west.example>' 'RCPT TO:<a@east.example>'
	routed MSA_PARTIAL=
	assert_verdict 'no such program' '451 4.3.0 Local error, try again later' '250 2.0.0 east 1'
}

test_addresses_of_every_kind() {
	table east.example=east '"a@west.example b"@east.example=west' postmaster=west
	chain_envelope '<alice@example.net>' 'RCPT TO:<"a@west.example b"@east.example>' 'RCPT TO:<"x@west.example"@east.example>' \
		'RCPT TO:<PostMaster>' 'RCPT TO:<a@[192.0.2.1]>'
	routed MSA_PARTIAL=
	assert_verdict 'each' '250 2.0.0 west 1' '250 2.0.0 east 1' '250 2.0.0 west 2' '250 2.0.0 default 1'
}

# usage: sent_by reverse-path user recipient ; prints the chain that took it
sent_by() {
	chain_envelope "<$1>" "RCPT TO:<$3>"
	routed SMTPAUTHUSER="$2"
	sed -n 's/^250 2.0.0 \([a-z]*\) 1$/\1/p' "$T/verdict"
}

# The reverse-path as it is, in lower case, its domain; the user; a record of the recipient comes before all of these.
test_the_sender_decides_about_recipients_without_a_record() {
	for name in a b c d e; do
		ln -sf east "$T/routes/$name"
	done
	table local.example=a exempt@far.example= from:Boss@shop.example=b from:boss@shop.example=c from:shop.example=d \
		user:carol=e user:shop.example=a 'from:"a@b c"@odd.example=b' from:odd.example=c
	while read -r from user to want; do
		[ "$user" != - ] || user=
		assertEquals "$from $user $to" "$want" "$(sent_by "$(echo "$from" | sed 's/^-$//; s/_/ /')" "$user" "$to")"
	done <<-'X'
		Boss@shop.example carol bob@far.example b
		BOSS@shop.example carol bob@far.example c
		other@shop.example carol bob@far.example d
		other@x.shop.example carol bob@far.example e
		other@else.example Carol bob@far.example e
		- carol bob@far.example e
		- - bob@far.example default
		other@else.example - bob@far.example default
		other@else.example dave bob@far.example default
		Boss@shop.example carol bob@local.example a
		Boss@shop.example carol exempt@far.example default
		"a@b_c"@odd.example - bob@far.example b
		"x@b_c"@odd.example - bob@far.example c
		- shop.example bob@far.example a
	X
}

test_a_recipient_is_not_taken_for_a_sender_or_a_user() {
	table from:shop.example=east user:carol=east
	for to in '"from:shop.example"' '"user:carol"' x@shop.example carol; do
		assertEquals "$to" default "$(sent_by '' '' "$to")"
	done
}

test_copies_go_by_the_sender_too() {
	table east.example=east from:example.net=west
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@east.example>' 'RCPT TO:<b@far.example>' 'COPY TO:<log@other.example>'
	routed MSA_PARTIAL=
	assert_verdict 'each' '250 2.0.0 east 1' '250 2.0.0 west 1'
	assertTrue 'the copy' "grep -qx 'COPY TO:<log@other.example>' '$T/got.west.env'"
}

# What -q prints, and its exit code. usage: asked word ...
asked() {
	command route -q "$T/routes.cdb" "$@" >"$T/out" 2>&1
	code=$?
	sed "s|$T/|T/|g" "$T/out"
	return "$code"
}

test_a_question_is_answered_and_nothing_is_run() {
	table east.example=east .east.example=east from:example.net=west user:carol="$T/none" 'bad.example=../x' gone.example=none boss@west.example=
	while IFS='|' read -r words want_code want; do
		# shellcheck disable=SC2046
		said=$(eval asked $words)
		code=$?
		assertEquals "$words" "$want" "$said"
		assertEquals "$words: exit code" "$want_code" "$code"
	done <<-'X'
		-d "$T/routes" alice@example.net Bob@EAST.example|0|Bob@east.example: the program T/routes/east, by east.example
		-d "$T/routes" alice@example.net bob@far.example|0|bob@far.example: the program T/routes/west, by from:example.net
		alice@example.net bob@far.example|0|bob@far.example: west in the directory of -d, by from:example.net
		alice@example.net boss@west.example|0|boss@west.example: the default chain, by boss@west.example
		"" bob@far.east.example|0|bob@far.east.example: the default chain, by no key of the table
		"" bob@far.example|0|bob@far.example: the default chain, by no key of the table
		"" bob@far.example Carol|111|bob@far.example: the resident at T/none (451: No such file or directory), by user:carol
		-d "$T/routes" a@b.example x@bad.example|111|x@bad.example: ../x (451: neither a path nor the name of a program), by bad.example
		-d "$T/routes" a@b.example x@gone.example|111|x@gone.example: the program T/routes/none (451: No such file or directory), by gone.example
		alice bob@far.example|100|route: alice: not an address
		a@b.example bob|100|route: bob: not an address
	X
	assertEquals 'nothing was run' '' "$(find "$T" -name 'got.*')"
	command route -q "$T/list" a@b.example c@d.example >"$T/out" 2>&1
	assertEquals 'not a table' 100 $?
	assertEquals "route: $T/list: not a cdb file" "$(cat "$T/out")"
}

# So that one table serves two directories: residents where mail is delivered, scripts where a recipient is only checked.
test_a_resident_is_named_by_its_socket_in_the_directory() {
	: >"$T/ready"
	stamp -l "$T/routes/socket" -R 5 "$T/routes/west" 5>"$T/ready" 2>"$T/r.log" </dev/null &
	resident=$!
	wait_until [ -s "$T/ready" ]
	table east.example=socket
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@east.example>'
	routed
	assertEquals 'alone' '250 2.0.0 west 1' "$(head -n 1 "$T/verdict")"
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@east.example>' 'RCPT TO:<c@other.example>'
	routed MSA_PARTIAL=
	assert_verdict 'with another' '250 2.0.0 west 1' '250 2.0.0 default 1'
	assertEquals 'a@east.example: the resident at T/routes/socket, by east.example' \
		"$(asked -d "$T/routes" '' a@east.example)"
	kill "$resident"
	wait "$resident"
}

test_a_resident_is_named_by_its_path() {
	cat >"$T/lmtp" <<-'P'
		#!/bin/sh
		cat <&3 >"$T/got.resident.env"
		echo '250 2.0.0 resident'
	P
	chmod 755 "$T/lmtp"
	: >"$T/ready"
	stamp -l "$T/r" -R 5 "$T/lmtp" 5>"$T/ready" 2>"$T/r.log" </dev/null &
	resident=$!
	wait_until [ -s "$T/ready" ]
	table "east.example=$T/r" west.example=west "gone.example=$T/none"
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@east.example>' 'RCPT TO:<b@west.example>' 'RCPT TO:<c@gone.example>'
	routed MSA_PARTIAL=
	assert_verdict 'each' '250 2.0.0 resident' '250 2.0.0 west 1' '451 4.3.0 Local error, try again later'
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@east.example>'
	routed
	assert_verdict 'alone' '250 2.0.0 resident'
	kill "$resident"
	wait "$resident"
}

test_more_chains_than_run_side_by_side() {
	set --
	rows=
	i=0
	while [ "$i" -lt 40 ]; do
		i=$((i + 1))
		ln -sf east "$T/routes/n$i"
		rows="$rows $i.example=n$i"
		set -- "$@" "RCPT TO:<a@$i.example>"
	done
	# shellcheck disable=SC2086
	table $rows
	chain_envelope '<alice@example.net>' "$@"
	routed MSA_PARTIAL=
	assertEquals 'exit code' 0 "$code"
	assertEquals 'all accepted' 40 "$(grep -c '^250 2.0.0 n[0-9]* 1$' "$T/verdict")"
	assertEquals 'in order' 'n1 n40' "$(sed -n 's/^250 2.0.0 \(.*\) 1$/\1/p' "$T/verdict" | sed -n '1p;40p' | paste -sd ' ')"
}

test_the_deadline_is_for_all_and_ends_them() {
	printf '#!/bin/sh\ntrap "" TERM\necho $$ >"$T/pid.$(basename "$0")"\nwhile :; do sleep 0.1; done\n' >"$T/routes/slow1"
	chmod 755 "$T/routes/slow1"
	cp "$T/routes/slow1" "$T/routes/slow2"
	table slow1.example=slow1 slow2.example=slow2 east.example=east
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@slow1.example>' 'RCPT TO:<a@slow2.example>' 'RCPT TO:<a@east.example>'
	now=$(date +%s)
	routed MSA_PARTIAL= MSA_DEADLINE=$((now + 3))
	assert_verdict 'late' '451 4.4.7 No answer in time, try again later' '451 4.4.7 No answer in time, try again later' \
		'250 2.0.0 east 1'
	assertTrue 'in time' "[ $(date +%s) -lt $((now + 20)) ]"
	for name in slow1 slow2; do
		assertFalse "$name is no more" "proc_alive $(cat "$T/pid.$name")"
	done
}

test_misuse_is_451() {
	for options in '' '-t' "-t $T/routes.cdb" "-t $T/none next" "-t $T/list next"; do
		# shellcheck disable=SC2086
		chain_call route $options
		assertEquals "$options" 111 "$code"
		assert_verdict "$options" '451 4.3.0 Local error, try again later'
	done
	rcpts=5
	routed
	assert_verdict 'MSA_RCPTS' '451 4.3.0 Local error, try again later'
	route "$T/routes/default" <"$T/msg" >"$T/out" 2>"$T/log"
	assertEquals 'not in a chain' 100 $?
	assertEquals 'nothing was run' '' "$(find "$T" -name 'got.*')"
}

new_table() {
	chain_call MSA_PARTIAL= call "$T/rt"
	[ "$(head -n 1 "$T/verdict")" = '250 2.0.0 west 1' ]
}

test_resident_and_sighup() {
	: >"$T/ready"
	command route -t "$T/routes.cdb" -d "$T/routes" -l "$T/rt" -R 5 "$T/routes/default" 5>"$T/ready" 2>"$T/rt.log" </dev/null &
	resident=$!
	wait_until [ -s "$T/ready" ]
	for i in 1 2 3; do
		chain_call MSA_PARTIAL= call "$T/rt"
		assert_verdict "call $i" '250 2.0.0 east 1' '250 2.0.0 west 1' '250 2.0.0 default 1' '250 2.0.0 west 2' \
			'250 2.0.0 east 2' '250 2.0.0 default 2'
	done
	table east.example=west
	kill -HUP "$resident"
	wait_until new_table
	kill "$resident"
	wait "$resident"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
