#!/bin/sh
# qualify(8): the header is completed, checked and qualified, and nothing else changes.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

DATE='Date: Sat, 21 Nov 2026 22:30:00 +0000'
ID='Message-ID: <1@example.org>'

# A table with these keys. usage: table file key ...
table() {
	table_file=$1
	shift
	for key; do
		printf '+%s,0:%s->\n' "$(printf %s "$key" | wc -c)" "$key"
	done >"$T/table"
	echo >>"$T/table"
	cdb -c -t "$T/table.tmp" "$table_file" "$T/table"
}

oneTimeSetUp() {
	table "$T/locals" bob alice '"b o"' o.neil
	table "$T/labels" sales
	printf 'MAIL FROM:<alice@example.net> SMTPUTF8\nRCPT TO:<bob@example.org>\n' >"$T/envelope"
	cat >"$T/next" <<-'EOF'
	#!/bin/sh
	cat >"$T/out"
	echo "250 2.0.0 ${1:-ok}"
	EOF
	chmod +x "$T/next"
}

setUp() {
	rm -f "$T/out"
}

# Run qualify in a chain: the message is $T/in, CR LF; what the next program got, $T/out; the verdict, $T/verdict; the
# log, $T/log; the exit code, $code. usage: chain [option ...]
chain() {
	rm -f "$T/out"
	MSA_MESSAGE=${message-1msg} MSA_SESSION=1ses MSA_RCPTS=1 MSA_HOST=mail.example.org qualify "$@" "$T/next" \
		<"$T/in" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	code=$?
}

# The message $T/in from lines of text. usage: message line ...
message() {
	printf '%s\r\n' "$@" >"$T/in"
}

# The fields that are right anyway, then these, an empty line and a body.
draft() {
	message "$DATE" "$ID" 'From: alice@example.net' "$@" '' 'body'
}

# The chain refuses $T/in with this text, and nothing is handed on. usage: refused text option ...
refused() {
	refused_text=$1
	shift
	chain "$@"
	printf '554 5.6.0 %s\r\n.\r\n' "$refused_text" >"$T/expected"
	assert_same "$refused_text" "$T/expected" "$T/verdict"
	assertEquals "$refused_text: exit" 100 "$code"
	assertFalse "$refused_text: handed on" "[ -e $T/out ]"
	assertEquals "$refused_text: log" "qualify: 1ses/1msg refused why=\"$refused_text\"" "$(cat "$T/log")"
}

# The address field To: with this value is refused, number is the address that is named. usage: bad value [number]
bad() {
	draft "To: $1"
	refused "To: address ${2:-1} is not valid" -d example.net -u all
}

# The value of To: becomes this. usage: becomes value new-value option ...
becomes() {
	draft "To: $1"
	cp "$T/in" "$T/before"
	becomes_value=$2
	becomes_from=$1
	shift 2
	chain "$@"
	draft "To: $becomes_value"
	if [ -e "$T/out" ]; then
		assert_same "$becomes_from" "$T/in" "$T/out"
	else
		fail "$becomes_from: $(cat "$T/verdict")"
	fi
}

qualified() {
	becomes "$1" "$2" -d example.net -u "$T/locals" -D corp.example -t "$T/labels"
}

# Every message of tests/messages: only the lines that its .diff names are not the same.
each_message() {
	for eml in "$ROOT"/tests/messages/*.eml; do
		name=$(basename "$eml" .eml)
		"$1" "$eml"
		diff -a "$T/in" "$T/out" | tr -d '\r' | sed -n '/^[<>]/p' |
			sed 's/Date: [A-Z][a-z][a-z], [0-9].* [-+][0-9]*$/Date: DATE/' >"$T/changes"
		assert_same "$name $1" "${eml%.eml}.diff" "$T/changes"
		sed '1,/^.\{0,1\}$/d' "$T/in" >"$T/body.in"
		sed '1,/^.\{0,1\}$/d' "$T/out" >"$T/body.out"
		assertTrue "$name: body" "cmp -s $T/body.in $T/body.out"
	done
}

in_chain() {
	rm -f "$T/out"
	sed 's/$/\r/' "$1" >"$T/in"
	SMTPAUTHUSER=alice@example.net chain -d example.net -u "$T/locals" -D corp.example -t "$T/labels"
	[ -e "$T/out" ] || cp "$T/verdict" "$T/out"
}

as_filter() {
	cp "$1" "$T/in"
	SMTPAUTHUSER=alice@example.net qualify -d example.net -u "$T/locals" -D corp.example -t "$T/labels" \
		<"$T/in" >"$T/out" 2>"$T/log"
	sed 's/Message-ID: <[0-9a-z]\{14\}/Message-ID: <1msg/' "$T/out" >"$T/out2"
	mv "$T/out2" "$T/out"
	assertEquals "$name: filter's log" '' "$(cat "$T/log")"
}

test_what_needs_no_change_stays_in_a_chain() {
	rm -f "$T/out"
	each_message in_chain
}

test_what_needs_no_change_stays_in_a_filter() {
	each_message as_filter
}

test_date_and_message_id_are_added_at_the_end() {
	message 'From: a@example.net' 'Subject: x' '' 'body'
	before=$(date +%s)
	chain -d example.net
	after=$(date +%s)
	when=$(sed -n 's/^Date: \(.*\)\r$/\1/p' "$T/out")
	message 'From: a@example.net' 'Subject: x' "Date: $when" 'Message-ID: <1msg@example.net>' '' 'body'
	assert_same 'order' "$T/in" "$T/out"
	seconds=$(date -d "$when" +%s)
	assertTrue "$when is now" "[ $seconds -ge $before ] && [ $seconds -le $after ]"
	assertEquals '250 2.0.0 ok' "$(cat "$T/verdict")"
	assertEquals log 'qualify: 1ses/1msg done added=Date,Message-ID ms=N msgid=<1msg@example.net>' \
		"$(sed 's/ms=[0-9]*/ms=N/' "$T/log")"
}

# A Message-ID is the client's text: one line, 255 octets at most, and never a second line of the log.
test_the_log_has_the_message_id() {
	for pair in '<x@y.example>|<x@y.example>' ' (folded)\r\n <x@y.example> \r\n |"(folded) <x@y.example>"' \
		'<é@y.example>|"<\xc3\xa9@y.example>"'; do
		# shellcheck disable=SC2059
		printf "From: a@example.net\r\n$DATE\r\nMessage-ID: ${pair%%|*}\r\n\r\nbody\r\n" >"$T/in"
		chain
		assertEquals "$pair: exit" 0 "$code"
		assertEquals "$pair" "qualify: 1ses/1msg done ms=N msgid=${pair#*|}" "$(sed 's/ms=[0-9]*/ms=N/' "$T/log")"
	done
	printf 'From: a@example.net\r\n%s\r\nMessage-ID: <%0300d@y.example>\r\n\r\n' "$DATE" 0 >"$T/in"
	MSA_PRIVATE='' chain
	assertEquals 'long' "qualify: 1ses/1msg done ms=N msgid=<$(printf '%0254d' 0)" "$(sed 's/ms=[0-9]*/ms=N/' "$T/log")"
	message 'From: a@example.net' "$DATE" ''
	label=$(printf '%060d' 0)
	chain -d "$label.$label.$label.$label.example"
	assertEquals 'added to a long domain' "$(sed -n 's/^Message-ID: \(.*\)\r$/\1/p' "$T/out" | cut -c -255)" \
		"$(sed 's/.* msgid=//' "$T/log")"
}

# RFC 6409 8.2 and 8.3. What is valid stays, and so does what other tests look at: a valid Date that is wrong.
test_an_invalid_date_or_message_id_is_replaced() {
	message 'From: a@example.net' 'Date: yesterday' 'Message-ID: this is no msg-id' 'Subject: x' '' 'body'
	before=$(date +%s)
	chain -d example.net
	after=$(date +%s)
	when=$(sed -n 's/^Date: \(.*\)\r$/\1/p' "$T/out")
	message 'From: a@example.net' 'Subject: x' "Date: $when" 'Message-ID: <1msg@example.net>' '' 'body'
	assert_same 'both' "$T/in" "$T/out"
	seconds=$(date -d "$when" +%s)
	assertTrue "$when is now" "[ $seconds -ge $before ] && [ $seconds -le $after ]"
	assertEquals log 'qualify: 1ses/1msg done added=Date,Message-ID removed=Date,Message-ID ms=N msgid=<1msg@example.net>' \
		"$(sed 's/ms=[0-9]*/ms=N/' "$T/log")"
	message 'From: a@example.net' "$DATE" 'Message-ID:' ''
	chain -d example.net
	message 'From: a@example.net' "$DATE" 'Message-ID: <1msg@example.net>' ''
	assert_same 'an empty one at the end' "$T/in" "$T/out"
	message 'Date:' ' 31 Jun 2026 10:00:00 +0000' 'From: a@example.net' "$ID" '' 'body'
	chain -d example.net
	message 'From: a@example.net' "$ID" "$(grep -a '^Date: ' "$T/out" | tr -d '\r')" '' 'body'
	assert_same 'a day that is none, in a folded field' "$T/in" "$T/out"
}

test_so_is_one_of_the_clients_resent_block_and_none_of_another() {
	message 'Resent-From: b@example.net' 'Resent-Date: today' 'Resent-Message-ID: <x>' 'Resent-From: a@example.net' \
		'Resent-Date: today' 'Resent-Message-ID: <x>' "$DATE" "$ID" 'From: a@example.net' ''
	chain -d example.net
	message 'Resent-From: b@example.net' "$(sed -n 's/\r$//; /^Resent-Date: /{p;q;}' "$T/out")" \
		'Resent-Message-ID: <1msg.r@example.net>' 'Resent-From: a@example.net' \
		'Resent-Date: today' 'Resent-Message-ID: <x>' "$DATE" "$ID" 'From: a@example.net' ''
	assert_same 'the first block' "$T/in" "$T/out"
	assertFalse 'its date is another' "sed -n 2p '$T/out' | grep -q today"
}

# The lines of the two messages are the same but for dates. usage: resent_becomes what option ... ; of $T/in and $T/want
resent_becomes() {
	resent_what=$1
	shift
	SMTPAUTHUSER=alice@example.net chain -d example.net "$@"
	if [ -e "$T/out" ]; then
		sed 's/^Resent-Date: Sat, 21 Nov 2026 22:30:00 +0000/&/; t
			s/^Resent-Date: [A-Z][a-z][a-z], [0-9].* [-+][0-9]*/Resent-Date: NOW/' "$T/out" >"$T/got"
		assert_same "$resent_what" "$T/want" "$T/got"
		cp "$T/out" "$T/in"
		SMTPAUTHUSER=alice@example.net chain -d example.net "$@"
		assert_same "$resent_what: a second run" "$T/in" "$T/out"
	else
		fail "$resent_what: $(cat "$T/verdict")"
	fi
}

# What follows the lines of a block, and an empty line.
original() {
	message "$@" "$DATE" "$ID" 'From: z@example.org' ''
}

test_the_clients_resent_block_is_a_set_of_its_own() {
	original 'Resent-To: bob@example.org' 'Resent-To:  bob@example.org' 'Resent-From: alice@example.net' \
		'Resent-Date: Sat, 21 Nov 2026 22:30:00 +0000' 'Resent-Date: Sat, 21 Nov 2026 22:30:00 +0000 ' \
		'Resent-Message-ID: <1@example.net>' 'Resent-Message-ID:<1@example.net>'
	cp "$T/in" "$T/raw"
	original 'Resent-To: bob@example.org' 'Resent-From: alice@example.net' 'Resent-Date: Sat, 21 Nov 2026 22:30:00 +0000' \
		'Resent-Message-ID: <1@example.net>'
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'each name once'
	for name in Resent-To Resent-Cc Resent-Reply-To Resent-Sender; do
		original 'Resent-From: alice@example.net' "$name: b@example.org" "$name: c@example.org"
		refused "$name: there is more than one field"
	done
	for name in Resent-Date Resent-Message-ID; do
		for first in 'Sun, 22 Nov 2026 22:30:00 +0000' '<1@example.net>' 'invalid'; do
			original 'Resent-From: alice@example.net' "$name: $first" 'Resent-To: b@example.org' \
				"$name: Sat, 21 Nov 2026 22:30:00 +0000"
			refused "$name: there is more than one field"
		done
	done
	original 'Resent-From: alice@example.net' 'Resent-To: bob@example.org' 'X-Y: z' 'Resent-Date: now' \
		'Resent-Bcc: carol@example.org'
	cp "$T/in" "$T/raw"
	original 'Resent-From: alice@example.net' 'Resent-To: bob@example.org' 'X-Y: z' 'Resent-Date: NOW' \
		'Resent-Message-ID: <1msg.r@example.net>'
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'other fields within it'
	original 'Resent-To: ' 'Resent-Bcc: ' 'Resent-Date: ' 'Resent-Message-ID:'
	cp "$T/in" "$T/raw"
	original
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'none is made of empty fields'
	original 'Resent-From: b@example.net' 'Resent-Date: NOW' 'Resent-Message-ID: <1msg.r@example.net>' \
		'Resent-From: a@example.net'
	cp "$T/in" "$T/want"
	original 'Resent-Date:' 'Resent-From: b@example.net' 'Resent-Date: ' 'Resent-From: a@example.net' 'Resent-Date: ' \
		'Resent-Message-ID:'
	resent_becomes 'empty fields of each block are removed'
}

# Where such a field is gone, the two stand side by side.
test_a_field_that_is_removed_does_not_end_a_resent_block() {
	for field in 'Return-Path: <>' "$DATE" 'Date: yesterday' "$ID" 'Subject: x' 'To: ' 'Bcc: c@example.org' \
		'Content-Length: 1' 'X-UIDL: 1' 'Authentication-Results: example.net; none' 'Resent-Bcc: c@example.org' 'Resent-Date:'; do
		message "$DATE" "$ID" 'From: z@example.org' 'Subject: x' 'Resent-To: a@example.org' "$field" \
			'Resent-To: b@example.org' ''
		refused 'Resent-To: there is more than one field' -d example.net
	done
	message "$DATE" "$ID" 'From: z@example.org' 'Resent-From: alice@example.net' 'Resent-Sender: b@example.org' 'X-Y: z' \
		'Resent-Sender: c@example.org' ''
	SMTPAUTHUSER=alice@example.net chain -s replace
	assertEquals 'a Sender' '554 5.6.0 Resent-Sender: there is more than one field' "$(head -n 1 "$T/verdict" | tr -d '\r')"
}

test_who_resends_is_not_the_sender_of_the_message() {
	original 'Resent-From: alice@example.net, bob@example.net' 'Resent-Date: now' 'Resent-Message-ID: <1@example.net>'
	cp "$T/in" "$T/raw"
	refused 'Resent-Sender: field is missing'
	original 'Resent-From: alice@example.net, bob@example.net' 'Resent-Message-ID: <1@example.net>' \
		'Resent-Sender: <alice@example.net>' 'Resent-Date: NOW'
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'several authors'
	original 'Resent-From: alice@example.net' 'Resent-Date: now' 'Sender: carol@example.org'
	cp "$T/in" "$T/raw"
	original 'Resent-From: alice@example.net' 'Resent-Date: NOW' 'Resent-Message-ID: <1msg.r@example.net>' \
		'Sender: carol@example.org'
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'an author' -s replace
	original 'Resent-From: sales@example.net' 'Resent-Sender: carol@example.net' 'Resent-Message-ID: <1@example.net>'
	cp "$T/in" "$T/raw"
	original 'Resent-From: sales@example.net' 'Resent-Message-ID: <1@example.net>' 'Resent-Sender: <alice@example.net>' \
		'Resent-Date: NOW'
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'somebody else' -s replace
	cp "$T/raw" "$T/in"
	original 'Resent-From: sales@example.net' 'Resent-Sender: carol@example.net' 'Resent-Message-ID: <1@example.net>' \
		'Resent-Date: NOW'
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'somebody else, who may stay' -s add
	message "$DATE" "$ID" 'From: y@example.org, z@example.org' 'Resent-From: sales@example.net' \
		'Resent-Message-ID: <1@example.net>' ''
	cp "$T/in" "$T/raw"
	message "$DATE" "$ID" 'From: y@example.org, z@example.org' 'Resent-From: sales@example.net' \
		'Resent-Message-ID: <1@example.net>' 'Resent-Sender: <alice@example.net>' 'Resent-Date: NOW' ''
	cp "$T/in" "$T/want"
	cp "$T/raw" "$T/in"
	resent_becomes 'the message stays as it was' -s add
}

test_message_id_without_domain_option_has_the_hosts_name() {
	message 'From: a@example.net' "$DATE" ''
	chain
	printf 'From: a@example.net\r\n%s\r\nMessage-ID: <1msg@mail.example.org>\r\n\r\n' "$DATE" >"$T/expected"
	assert_same 'MSA_HOST' "$T/expected" "$T/out"
	for message in 'a b' "$(printf %065d 0)" 'a@b' 'a>'; do
		chain
		assertEquals "'$message' cannot stand in it" 1 "$(grep -c '^Message-ID: <[0-9a-z]\{14\}@mail\.example\.org>' "$T/out")"
	done
	unset message
}

test_a_complete_message_is_the_same_file() {
	draft 'To: bob@example.org'
	assertEquals 'same inode' "$(stat -c %i "$T/in")" "$(MSA_MESSAGE=1 qualify stat -L -c %i /dev/stdin \
		<"$T/in" 3<"$T/envelope" 2>"$T/log")"
}

test_the_new_file_is_at_its_beginning_and_cannot_be_written() {
	draft 'To: bob@example.org' 'Bcc: x@example.org'
	MSA_MESSAGE=1 qualify sh -c 'head -c 4; echo more >>/dev/stdin || echo " sealed"' \
		<"$T/in" 3<"$T/envelope" >"$T/got" 2>"$T/log"
	assertEquals 'Date sealed' "$(cat "$T/got")"
}

test_a_pipe_or_a_missing_envelope_is_451() {
	draft 'To: bob@example.org'
	out=$(MSA_MESSAGE=1 sh -c 'cat "$T/in" | qualify "$T/next" 3<"$T/envelope"' 2>"$T/log")
	assertEquals "$(printf '451 4.3.0 Local error, try again later\r\n.\r')" "$out"
	out=$(MSA_MESSAGE=1 qualify "$T/next" <"$T/in" 2>"$T/log" 3<&-)
	assertEquals "$(printf '451 4.3.0 Local error, try again later\r\n.\r')" "$out"
	assertFalse 'handed on' "[ -e $T/out ]"
}

test_a_large_message_passes_through_a_file() {
	draft 'To: bob'
	head -c 3000000 /dev/zero | tr '\0' 'x' >>"$T/in"
	mkdir "$T/tmp"
	TMPDIR=$T/tmp chain -d example.net -u all
	assertEquals 'size' "$(($(wc -c <"$T/in") + 12))" "$(wc -c <"$T/out")"
	assertTrue 'body' "tail -c 3000006 $T/in >$T/a; tail -c 3000006 $T/out | cmp -s - $T/a"
	assertEquals 'no file is left' '' "$(ls "$T/tmp")"
}

test_a_disk_that_is_full_is_4yz() {
	draft 'To: bob'
	head -c 3000000 /dev/zero >>"$T/in"
	TMPDIR=$T/nowhere chain -d example.net -u all
	assertEquals "$(printf '451 4.3.0 Local error, try again later\r\n.\r')" "$(cat "$T/verdict")"
	assertEquals 111 "$code"
	assertFalse 'handed on' "[ -e $T/out ]"
}

test_a_local_part_of_the_table_is_qualified() {
	qualified 'bob' 'bob@example.net'
	qualified 'Bob' 'Bob@example.net'
	qualified '"bob"' '"bob"@example.net'
	qualified 'Bob <bob>' 'Bob <bob@example.net>'
	qualified 'bob (Bob), bob' 'bob@example.net (Bob), bob@example.net'
	qualified '"b o"' '"b o"@example.net'
	qualified 'o . neil (x)' 'o . neil@example.net (x)'
	qualified '"o"."neil"' '"o"."neil"@example.net'
	qualified 'PostMaster' 'PostMaster@example.net'
	qualified 'g: bob, a@b.example;' 'g: bob@example.net, a@b.example;'
}

test_an_unknown_local_part_is_refused() {
	for field in From Sender Reply-To To Cc Bcc Resent-From Resent-Sender Resent-To Resent-Cc Resent-Bcc Resent-Reply-To; do
		message "$DATE" "$ID" "$field: mallory" '' 'body'
		refused "$field: address 1 has no domain" -d example.net -u "$T/locals"
	done
	draft 'Cc: a@example.org, b@example.org, mallory'
	refused 'Cc: address 3 has no domain' -d example.net -u "$T/locals"
}

test_without_a_table_no_local_part_is_known() {
	draft 'To: bob'
	refused 'To: address 1 has no domain' -d example.net
	draft 'To: bob'
	refused 'To: address 1 has no domain'
	draft 'To: postmaster'
	refused 'To: address 1 has no domain'
	becomes 'postmaster' 'postmaster@example.net' -d example.net
}

test_all_qualifies_every_local_part_but_no_piece_of_an_encoded_word() {
	becomes 'mallory, "m n"' 'mallory@example.net, "m n"@example.net' -d example.net -u all
	draft 'To: =?UTF-8?Q?Doe,_John?= <john@example.org>'
	refused 'To: address 1 has no domain' -d example.net -u all
}

# Mail programs and address books write such a name without quotes.
test_a_name_that_is_the_address_gets_quotes() {
	becomes 'alice@example.net <alice@example.net>' '"alice@example.net" <alice@example.net>'
	becomes '<a@b.example>, Bob@Example.ORG  <bob@example.org> (x), c@[192.0.2.1]<c@[192.0.2.1]>' \
		'<a@b.example>, "Bob@Example.ORG"  <bob@example.org> (x), "c@[192.0.2.1]"<c@[192.0.2.1]>'
	becomes 'Us: bob@example.org <bob@example.org>;' 'Us: "bob@example.org" <bob@example.org>;'
	for other in 'bob@example.org <alice@example.org>' 'bob@example.org <bob@example.net>' 'bob @example.org <bob@example.org>' \
		'"bob"@example.org <bob@example.org>' 'bob@(x)example.org <bob@example.org>' 'bob@example.org <bob>' \
		'bob@example.org <bob@example.org> x' 'x bob@example.org <bob@example.org>' 'bob@example.org <bob@example.org'; do
		bad "$other"
	done
	draft 'To: x@example.net' 'Bcc: bob@example.org <bob@example.org>'
	chain
	draft 'To: x@example.net'
	assert_same 'a field that is removed' "$T/in" "$T/out"
}

test_a_name_with_brackets_gets_quotes() {
	becomes 'Alice [Sales] <a@b.example>, [x] y.z  <c@b.example>, Us: J. [Team]<d@b.example>;' \
		'"Alice [Sales]" <a@b.example>, "[x] y.z"  <c@b.example>, Us: "J. [Team]"<d@b.example>;'
	for other in 'Alice [Sales]' 'Alice [Sales] a@b.example' 'Alice (x) [y] <a@b.example>' '"Alice" [y] <a@b.example>' \
		'=?UTF-8?Q?J=C3=B6rg?= [Team] <a@b.example>' 'Alice [a@b] <a@b.example>' 'Alice [y' 'Alice [y,z] <a@b.example>'; do
		bad "$other"
	done
}

test_half_of_a_name_is_never_an_address() {
	draft 'To: Smith, Alice <alice@example.net>'
	refused 'To: address 1 has no domain' -d example.net -u all
	refused 'To: address 1 has no domain' -d example.net -u "$T/locals"
	draft 'To: x@example.org, Smith, "Jones" <j@example.org>'
	refused 'To: address 2 has no domain' -d example.net -u all
	becomes 'Alice <alice@example.net>, bob, <bob>, x@example.org' \
		'Alice <alice@example.net>, bob@example.net, <bob@example.net>, x@example.org' -d example.net -u all
	for field in To Cc; do
		draft "$field: Undisclosed-Recipients"
		refused "$field: address 1 has no domain" -d example.net -u all
		draft "$field: a@b.example, <undisclosed-recipients>"
		refused "$field: address 2 has no domain" -d example.net -u all
	done
	becomes 'undisclosed-recipients:;' 'undisclosed-recipients:;' -d example.net -u all
	becomes 'Us: bob;, Alice <a@example.org>' 'Us: bob@example.net;, Alice <a@example.org>' -d example.net -u all
	draft 'To: Us: Smith, Alice <alice@example.net>;'
	refused 'To: address 1 has no domain' -d example.net -u all
}

test_a_single_label_of_the_table_gets_the_suffix() {
	qualified 'a@sales' 'a@sales.corp.example'
	qualified 'a @ SALES (x), <b@sales>' 'a @ SALES.corp.example (x), <b@sales.corp.example>'
	becomes 'a@sales' 'a@sales.corp.example' -D .corp.example -t "$T/labels"
}

test_a_domain_that_cannot_be_completed_is_refused() {
	for address in a@market a@squeaky.sales a@squeaky.Sales 'a@squeaky . (x) sales'; do
		draft "To: $address"
		refused 'To: address 1 has no fully qualified domain' -D corp.example -t "$T/labels"
	done
	draft 'To: a@sales'
	refused 'To: address 1 has no fully qualified domain' -d example.net -u all
	qualified 'a@sales.example.org, a@[192.0.2.1], a@[IPv6:2001:db8::1], a@x.example.org' \
		'a@sales.example.org, a@[192.0.2.1], a@[IPv6:2001:db8::1], a@x.example.org'
}

test_an_illegal_address_is_refused() {
	bad 'a b@example.org'
	bad '<>'
	bad 'a@@example.org'
	bad 'a@b@example.org'
	bad '@example.org'
	bad 'a@'
	bad 'a@.example.org'
	bad 'a@example.org.'
	bad 'a@example..org'
	bad '.a@example.org'
	bad 'a.@example.org'
	bad 'a..b@example.org'
	bad 'a@example.org b@example.org'
	bad 'a@example.org; b@example.org'
	bad 'a@example.org, <b@example.org' 2
	bad 'a@example.org, b@example.org>' 2
	bad '<a@example.org> x'
	bad '<@a,@b c@d.example>'
	bad '<@a:b>'
	bad '<,a@b.example>'
	bad '"a'
	bad '"a\"@example.org'
	bad 'a (b'
	bad 'a (b\)'
	bad 'a@[1.2'
	bad 'a@[1[2]'
	bad 'a\b@example.org'
	bad 'group: a@example.org' 2
	bad 'group: inner: a@example.org;;'
	bad 'group:; more@example.org'
	bad ': a@example.org;'
	bad 'a@exa	mple.org'
	bad "$(printf 'a\200@example.org')"
	bad "$(printf 'a@\300\257.example.org')"
	bad "$(printf 'a\001b@example.org')"
}

test_every_address_field_is_checked() {
	for field in From Sender Reply-To To Cc Bcc Resent-From Resent-Sender Resent-To Resent-Cc Resent-Bcc \
		Resent-Reply-To; do
		message "$DATE" "$ID" "$(echo "$field" | tr '[:upper:]' '[:lower:]'): <>" '' 'body'
		refused "$field: address 1 is not valid"
	done
}

test_a_field_of_commas_or_comments_has_no_address() {
	draft 'To: , ,'
	refused 'To: there is no address'
	draft 'To: (nobody)'
	refused 'To: there is no address'
}

test_sender_has_one_address() {
	draft 'Sender: a@example.org, b@example.org'
	refused 'Sender: there is more than one address'
	draft 'Sender: <a@example.org>,'
	chain
	assertEquals 'handed on' "$(cat "$T/in")" "$(cat "$T/out")"
}

test_nothing_of_the_client_stands_in_a_refusal() {
	draft "$(printf 'To: \033[2J 554 <x@y\200')"
	refused 'To: address 1 is not valid'
}

# What two copies would leave open is refused; where the first one counts, or both say the same, the second one goes.
test_a_field_that_may_stand_once_does() {
	for field in From Sender Reply-To To Cc; do
		message "$DATE" "$ID" 'From: alice@example.net' "$field: c@example.org" "$field: d@example.org" '' 'body'
		refused "$field: there is more than one field"
	done
	for field in Subject Content-Type Content-Transfer-Encoding; do
		draft "$field: one" "$field: two"
		refused "$field: there is more than one field"
	done
	for field in References In-Reply-To; do
		draft "$field: <1@example.org>" "$field: <2@example.org>"
		chain
		draft "$field: <1@example.org>"
		assert_same "the first $field" "$T/in" "$T/out"
	done
	for field in Sender Reply-To To Cc; do
		for lines in "$field:|$field: c@example.org" "$field: c@example.org|$field:	"; do
			draft "${lines%|*}" "${lines#*|}"
			chain
			draft "$field: c@example.org"
			assert_same "$lines: an empty one" "$T/in" "$T/out"
			assertContains "$(cat "$T/log")" " removed=$field "
		done
	done
	draft 'subject: x' 'Subject:	x '
	chain
	assertContains "$(cat "$T/log")" ' removed=Subject '
	draft 'subject: x'
	assert_same 'a copy' "$T/in" "$T/out"
	cp "$T/out" "$T/once"
	cp "$T/out" "$T/in"
	chain
	assert_same 'a second run changes nothing' "$T/once" "$T/out"
}

# What becomes of the lists is in unit/merge_test.sh.
test_recipients_in_several_fields_are_merged_by_option() {
	draft 'To: bob' 'Cc: x@example.org' 'To: Carol <carol@example.org>' 'Bcc: y@example.org' 'Cc: z@example.org'
	refused 'To: there is more than one field' -d example.net -u all
	chain -m -d example.net -u all
	draft 'To: <bob@example.net>,' ' Carol <carol@example.org>' 'Cc: x@example.org,' ' z@example.org'
	assert_same 'merged' "$T/in" "$T/out"
	assertContains "$(cat "$T/log")" ' done qualified=To removed=Bcc merged=To,Cc ms='
	chain -m -d example.net -u all
	assert_same 'a second run' "$T/in" "$T/out"
	assertFalse 'nothing in the log' "grep -q merged $T/log"
	draft 'To: bob@example.org' 'To: <>'
	refused 'To: there is more than one field' -m
	long=$(printf "%0957d (b)" 0)
	draft "To: ($long) alice@b.example, c@example.net" 'To: d@e.example'
	chain -m
	assertEquals "the longest line: $(cat "$T/verdict")" 998 "$(tr -d '\r' <"$T/in" | wc -L)"
	draft "To: ($long) alice@b.example," ' c@example.net,' ' d@e.example'
	assert_same 'a line that a comma makes too long' "$T/in" "$T/out"
	draft "To: $(printf '\303\274') <alice@b.example>" 'To: c@example.net'
	cp "$T/envelope" "$T/envelope.utf8"
	sed -i 's/ SMTPUTF8//' "$T/envelope"
	chain -m
	mv "$T/envelope.utf8" "$T/envelope"
	draft 'To: =?utf-8?B?w7w=?= <alice@b.example>,' ' c@example.net'
	assert_same 'a name that becomes ASCII' "$T/in" "$T/out"
	message "$DATE" "$ID" 'From: a@example.org' 'From: b@example.org' ''
	refused 'From: there is more than one field' -m
	printf 'From: a@b.example\nTo: c@d.example\nTo: e@f.example\n%s\n%s\n\nbody\n' "$DATE" "$ID" | qualify -m >"$T/got"
	printf 'From: a@b.example\nTo: c@d.example,\n e@f.example\n%s\n%s\n\nbody\n' "$DATE" "$ID" >"$T/expected"
	assert_same 'a filter' "$T/expected" "$T/got"
}

test_a_copied_address_is_checked_and_completed_once() {
	message "$DATE" "$ID" 'From: bob' 'From: bob' '' 'body'
	chain -d example.net -u "$T/locals"
	message "$DATE" "$ID" 'From: bob@example.net' '' 'body'
	assert_same 'one From' "$T/in" "$T/out"
}

test_several_authors_have_a_sender() {
	message "$DATE" "$ID" 'From: alice@example.net, bob@example.net' '' 'body'
	refused 'Sender: field is missing'
	SMTPAUTHUSER=alice@example.net chain
	message "$DATE" "$ID" 'From: alice@example.net, bob@example.net' 'Sender: <alice@example.net>' '' 'body'
	assert_same 'added' "$T/in" "$T/out"
	chain
	assert_same 'it is there' "$T/in" "$T/out"
}

# usage: sender_is expected-Sender-or-nothing option ... ; of $T/in and the user alice@example.net
sender_is() {
	sender=$1
	shift
	SMTPAUTHUSER=alice@example.net chain "$@"
	assertEquals "$*" "$sender" "$(sed -n 's/^Sender: \(.*\)\r$/\1/p' "$T/out")"
}

test_a_user_who_is_no_author_is_the_sender_by_option() {
	message "$DATE" "$ID" 'From: sales@example.net' '' 'body'
	sender_is ''
	sender_is '<alice@example.net>' -s add
	sender_is '<alice@example.net>' -s replace
	message "$DATE" "$ID" 'From: Alice <alice@EXAMPLE.net>' '' 'body'
	sender_is '' -s add
	message "$DATE" "$ID" 'From: sales@example.net' 'Sender: carol@example.net' '' 'body'
	sender_is 'carol@example.net' -s add
	sender_is '<alice@example.net>' -s replace
	message "$DATE" "$ID" 'From: sales@example.net' 'Sender: carol@example.net <carol@example.net>' '' 'body'
	sender_is '<alice@example.net>' -s replace
	message "$DATE" "$ID" 'From: sales@example.net' 'Sender: bob' '' 'body'
	sender_is '<alice@example.net>' -s replace -d example.net -u all
	message "$DATE" "$ID" 'From: sales@example.net' 'Sender: alice' '' 'body'
	sender_is 'alice@example.net' -s replace -d example.net -u all
	message "$DATE" "$ID" 'From: alice' '' 'body'
	sender_is '' -s add -d example.net -u all
	sender_is '<alice@example.net>' -s add -d example.com -u all
	message "$DATE" "$ID" 'From: sales@example.net' 'Sender: Alice <alice@example.net>' '' 'body'
	sender_is 'Alice <alice@example.net>' -s replace
	SMTPAUTHUSER=alice chain -s add
	assert_same 'a user who is no mailbox is never a Sender' "$T/in" "$T/out"
	qualify -s other "$T/next" <"$T/in" 2>"$T/log" >"$T/out"
	code=$?
	assertEquals 'exit' 100 "$code"
	assertContains "$(cat "$T/log")" 'other is not add or replace'
}

test_the_line_of_an_mbox_file_is_removed() {
	message 'From a@example.net Sat Nov 21 22:30:00 2026' "$DATE" "$ID" 'From: a@example.net' '' 'body'
	chain
	assertContains "$(cat "$T/log")" ' mbox=removed '
	message "$DATE" "$ID" 'From: a@example.net' '' 'body'
	assert_same 'removed' "$T/in" "$T/out"
}

test_a_line_that_is_no_field_is_refused() {
	message 'From a@example.net Sat Nov 21 22:30:00 2026' 'and text' '' 'body'
	refused 'Line 1 is not a header field'
	message "$DATE" "$ID" 'From a@example.net Sat Nov 21 22:30:00 2026' 'From: a@example.net' '' 'body'
	refused 'Line 3 is not a header field'
	message 'Hello, this is a body' '' 'more'
	refused 'Line 1 is not a header field'
	message ' From: a@example.net' ''
	refused 'Line 1 is not a header field'
	message 'From: a@example.net' 'Subject: x' ' folded' 'and then text' '' 'body'
	refused 'Line 4 is not a header field'
	message 'From: a@example.net' ': x' ''
	refused 'Line 2 is not a header field'
	message 'From: a@example.net' 'a b: x' ''
	refused 'Line 2 is not a header field'
	message 'From: a@example.net' "$(printf 'X-\351: x')" ''
	refused 'Line 2 is not a header field'
}

test_from_is_added_only_from_a_mailbox() {
	message "$DATE" "$ID" 'To: bob@example.org' '' 'body'
	refused 'From: field is missing'
	for user in alice alice@localhost '' 'a b@example.net' "$(printf 'j\303\266rg@example.net')"; do
		SMTPAUTHUSER=$user chain
		assertEquals "$user" "$(printf '554 5.6.0 From: field is missing\r\n.\r')" "$(cat "$T/verdict")"
	done
	SMTPAUTHUSER='"a b"@Example.NET' chain
	message "$DATE" "$ID" 'To: bob@example.org' 'From: <"a b"@example.net>' '' 'body'
	assert_same 'a mailbox' "$T/in" "$T/out"
	assertContains "$(cat "$T/log")" 'done user="\x22a b\x22@Example.NET" added=From ms='
}

# RFC 8601 5: a client cannot know what our servers found.
test_a_report_that_bears_our_name_is_removed() {
	for id in mail.example.org MAIL.example.ORG mail.example.org. '"mail.example.org"' '"mail\.example.org" 1' '(a (b) \)) mail.example.org(c)' \
		example.net mx.example.net '' ';' '"' '(' '.'; do
		draft "AUTHENTICATION-results :$id; dkim=pass" ' header.d=bank.example' 'X-Y: z'
		chain -d example.net
		draft 'X-Y: z'
		assert_same "$id" "$T/in" "$T/out"
		assertContains "$id" "$(cat "$T/log")" 'done removed=Authentication-Results'
	done
	for id in mail.example.com example.org mail.example.org.example badexample.net 'mx.example.net.example (mail.example.org)'; do
		draft "Authentication-Results: $id; dkim=pass" 'ARC-Authentication-Results: i=1; mail.example.org' 'X-Authentication-Results: mail.example.org'
		chain -d example.net
		assert_same "$id" "$T/in" "$T/out"
	done
	draft 'Authentication-Results: mx.example.net; dkim=pass'
	chain
	assert_same 'without a domain' "$T/in" "$T/out"
}

test_an_empty_message_is_completed_if_it_is_known_whose_it_is() {
	: >"$T/in"
	refused 'From: field is missing'
	SMTPAUTHUSER=alice@example.net chain -d example.net
	assertEquals 'From: <alice@example.net>' "$(sed -n '1s/\r$//p' "$T/out")"
	assertEquals 'Message-ID: <1msg@example.net>' "$(sed -n '3s/\r$//p' "$T/out")"
	assertEquals 3 "$(wc -l <"$T/out")"
	printf '\r\nbody' >"$T/in"
	SMTPAUTHUSER=alice@example.net chain -d example.net
	assertEquals "$(printf '\r\nbody')" "$(sed -n '4,$p' "$T/out")"
}

test_a_last_line_without_line_end_gets_one_only_if_something_follows() {
	printf '%s\r\n%s\r\nFrom: a@example.net' "$DATE" "$ID" >"$T/in"
	chain
	assertTrue 'untouched' "cmp -s $T/in $T/out"
	printf 'From: a@example.net\r\n%s' "$DATE" >"$T/in"
	chain
	printf 'From: a@example.net\r\n%s\r\nMessage-ID: <1msg@mail.example.org>\r\n' "$DATE" >"$T/expected"
	assert_same 'a line end' "$T/expected" "$T/out"
	printf 'From: a@example.net\r\n%s\r\nBcc: x@example.org' "$DATE" >"$T/in"
	chain
	assert_same 'Bcc last' "$T/expected" "$T/out"
}

test_bare_cr_and_bare_lf_in_the_header_are_refused_in_a_chain() {
	rm -f "$T/out"
	printf 'From: a@example.net\nBcc: x@example.org\r\n\r\nbody' >"$T/in"
	refused 'Bare CR or bare LF in the header'
	printf 'From: a@example.net\r\nSubject: a\rb\r\n\r\nbody' >"$T/in"
	refused 'Bare CR or bare LF in the header'
	printf 'From: a@example.net\r\n\nbody' >"$T/in"
	refused 'Bare CR or bare LF in the header'
	printf '%s\r\n%s\r\nFrom: a@example.net\r\n\r\nany\nthing\rgoes' "$DATE" "$ID" >"$T/in"
	chain
	assertTrue 'not in the body' "cmp -s $T/in $T/out"
}

test_a_header_over_one_mebibyte_is_refused() {
	{
		printf '%s\r\n%s\r\nFrom: a@example.net\r\nX:' "$DATE" "$ID"
		awk 'BEGIN { x = sprintf("%900s", ""); gsub(/ /, "x", x); for (i = 0; i < 1160; i++) printf "\r\n %s", x }'
	} >"$T/long"
	{
		cat "$T/long"
		printf '\r\n '
		head -c $((1048576 - 5 - $(wc -c <"$T/long") - 3 - 600)) /dev/zero | tr '\0' x
		printf '\r\n '
		head -c 600 /dev/zero | tr '\0' x
		printf '\r\n\r\nbody'
	} >"$T/in"
	chain
	assertTrue 'the longest' "cmp -s $T/in $T/out"
	rm "$T/out"
	sed "s/^X:/X:x/" "$T/in" >"$T/long"
	mv "$T/long" "$T/in"
	refused 'Header is too long'
}

test_hostile_headers_take_no_time() {
	start=$(date +%s)
	for piece in '(' 'a,' '<@a' 'a ' '"a\\\"' '.b' 'g:;,' 'a@b.c,' '(\(' '=?'; do
		printf 'From: a@example.net\r\nTo: x@y' >"$T/in"
		yes "$piece" | tr -d '\n' | head -c 1040000 >>"$T/in"
		printf '\r\n\r\n' >>"$T/in"
		chain -d example.net -u all
		assertTrue "$piece: exit $code" "[ $code -eq 0 ] || [ $code -eq 100 ]"
	done
	assertTrue 'no minutes' "[ $(($(date +%s) - start)) -lt 30 ]"
}

test_many_encoded_fields_leave_room_in_the_log() {
	{
		printf '%s\r\n%s\r\nFrom: alice@example.net\r\n' "$DATE" "$ID"
		yes "$(printf 'X-Text: \303\244\r')" | head -n 300
		printf '\r\nbody\r\n'
	} >"$T/in"
	cp "$T/envelope" "$T/envelope.utf8"
	sed -i 's/ SMTPUTF8//' "$T/envelope"
	chain
	mv "$T/envelope.utf8" "$T/envelope"
	assertEquals "exit: $(cat "$T/verdict")" 0 "$code"
	assertTrue "logged: $(cat "$T/log")" "grep -q ' done encoded=X-Text,.*,X-Text,\.\.\. ms=[0-9]* msgid=' $T/log"
}

# Encoded words are longer than what they replace.
test_a_header_that_encoded_words_make_too_long_is_refused() {
	{
		printf 'From: alice@example.net\r\n'
		yes "$(printf 'X:\303\244\r')" | head -n 100000
		printf '\r\nbody\r\n'
	} >"$T/in"
	cp "$T/envelope" "$T/envelope.utf8"
	sed -i 's/ SMTPUTF8//' "$T/envelope"
	refused 'Header is too long'
	mv "$T/envelope.utf8" "$T/envelope"
}

# What becomes of each field is in unit/downgrade_test.sh.
test_a_header_becomes_ascii_without_smtputf8() {
	draft "$(printf 'Subject: \303\274 b')" 'To: a@b.example'
	cp "$T/in" "$T/raw"
	sed 's/^Subject.*/Subject: =?utf-8?B?w7w=?= b\r/' "$T/in" >"$T/ascii"
	cp "$T/envelope" "$T/envelope.utf8"
	chain
	assert_same 'SMTPUTF8' "$T/raw" "$T/out"
	chain -k 8BITMIME,SMTPUTF8
	assert_same 'SMTPUTF8, and the next hop has it' "$T/raw" "$T/out"
	chain -k 8BITMIME
	assert_same 'SMTPUTF8, and the next hop lacks it' "$T/ascii" "$T/out"
	sed -i 's/ SMTPUTF8//' "$T/envelope"
	chain
	assert_same 'no SMTPUTF8' "$T/ascii" "$T/out"
	assertTrue "logged: $(cat "$T/log")" "grep -q ' done .*encoded=Subject ' $T/log"
	cp "$T/out" "$T/in"
	chain
	assert_same 'a second run' "$T/in" "$T/out"
	draft "$(printf 'Content-Type: text/plain; name=\303\274.txt')" 'MIME-Version: 1.0'
	chain
	draft "Content-Type: text/plain; name*=utf-8''%C3%BC.txt" 'MIME-Version: 1.0'
	assert_same 'the name of a file' "$T/in" "$T/out"
	message "$(printf '%s (\303\274)' "$DATE")" "$(printf 'Message-ID: <\303\274@b.example>')" 'From: a@b.example' ''
	chain -d example.net
	sed -n 's/\r$//; s/^Date: [A-Z][a-z][a-z], [0-9].*/Date: NOW/; p' "$T/out" >"$T/got"
	printf '%s\n' 'From: a@b.example' 'Date: NOW' 'Message-ID: <1msg@example.net>' '' >"$T/expected"
	assert_same 'a Date and a Message-ID' "$T/expected" "$T/got"
	for field in 'Resent-Date: Sat, 21 Nov 2026 22:30:00 +0000 (\303\274)' 'Resent-Message-ID: <\303\274@b.example>'; do
		# shellcheck disable=SC2059
		draft 'Received: from a' 'Resent-From: b@c.example' "$(printf "$field")"
		refused "${field%%:*}: there are octets that are not ASCII"
	done
	draft "$(printf 'Received: from a (\303\274)')" "$(printf 'Authentication-Results: b.example; none (\303\274)')"
	chain
	assert_same 'what other servers have found stays' "$T/in" "$T/out"
	draft "$(printf 'Subject: \374 b')" 'To: a@b.example'
	refused 'Subject: octets that are not ASCII are not UTF-8'
	chain -c iso-8859-1
	assertTrue 'a charset' "grep -q '^Subject: =?iso-8859-1?Q?=FC?= b' $T/out"
	draft "$(printf 'To: \303\274@b.example')"
	chain
	assertEquals '554 5.6.7 To: an address is not ASCII, but SMTPUTF8 was not given or is not available' \
		"$(head -n 1 "$T/verdict" | tr -d '\r')"
	mv "$T/envelope.utf8" "$T/envelope"
}

test_a_filter_keeps_line_ends_and_takes_pipes() {
	printf 'From: a@example.net\r\nTo: bob\r\n%s\r\n\r\nbody\n' "$DATE" |
		qualify -d example.net -u all >"$T/got"
	assertEquals 0 $?
	sed -i 's/<[0-9a-z]\{14\}@/<ID@/' "$T/got"
	printf 'From: a@example.net\r\nTo: bob@example.net\r\n%s\r\nMessage-ID: <ID@example.net>\r\n\r\nbody\n' "$DATE" >"$T/expected"
	assert_same 'CRLF' "$T/expected" "$T/got"
	printf 'From: a@example.net\nTo: bob\n%s\n%s\n\nbody\r\n' "$DATE" "$ID" | qualify -d example.net -u all >"$T/got"
	printf 'From: a@example.net\nTo: bob@example.net\n%s\n%s\n\nbody\r\n' "$DATE" "$ID" >"$T/expected"
	assert_same 'LF' "$T/expected" "$T/got"
}

test_a_filter_without_a_header_to_go_by_takes_the_line_end_of_the_empty_line() {
	printf '\r\nbody\r\n' | env -u MSA_MESSAGE SMTPAUTHUSER=alice@example.net qualify >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "exit: $(cat "$T/log")" 0 "$code"
	assertEquals 'every line with CR' "$(wc -l <"$T/out")" "$(tr -dc '\r' <"$T/out" | wc -c)"
	printf '\nbody\n' | env -u MSA_MESSAGE SMTPAUTHUSER=alice@example.net qualify >"$T/out" 2>"$T/log"
	assertEquals 'no line with CR' 0 "$(tr -dc '\r' <"$T/out" | wc -c)"
}

test_a_filter_begins_where_its_input_stands() {
	printf 'mail\nFrom: a@example.net\n%s\n%s\nBcc: z\n\nbody\n' "$DATE" "$ID" >"$T/draft"
	# shellcheck disable=SC2034
	{ read -r first; qualify -d example.net -u all >"$T/got"; } <"$T/draft"
	printf 'From: a@example.net\n%s\n%s\n\nbody\n' "$DATE" "$ID" >"$T/expected"
	assert_same 'offset' "$T/expected" "$T/got"
}

test_a_filter_says_what_is_wrong_and_exits_100() {
	out=$(printf 'From: a@example.net\nTo: <>\n\n' | qualify 2>&1)
	assertEquals 100 $?
	assertEquals 'qualify: To: address 1 is not valid' "$out"
}

test_a_filter_refuses_an_empty_input() {
	SMTPAUTHUSER=alice@example.net qualify -d example.net </dev/null >"$T/got" 2>"$T/log"
	assertEquals 'exit code' 111 $?
	assertEquals 'qualify: - failed reason="input is empty: no message"' "$(cat "$T/log")"
	assertFalse 'no output' "[ -s '$T/got' ]"
}

# The pipe that delivered an empty message with exit code 0 once.
test_a_pipe_behind_a_refusal_delivers_nothing() {
	mkdir "$T/mail"
	printf 'no header\n\nbody\n' | qualify -d example.net 2>"$T/log" | stamp 2>>"$T/log" |
		maildir-inject -f a@example.net -r b@example.org "$T/mail" >"$T/got" 2>>"$T/log"
	code=$?
	assertEquals "exit code: $(cat "$T/log")" 111 $code
	assertEquals '451 4.3.0 The input is empty: no message' "$(cat "$T/got")"
	assertEquals 'nothing is delivered' '' "$(ls "$T/mail")"
}

test_a_filter_that_cannot_write_exits_111() {
	printf 'From: a@example.net\n\n' | qualify >/dev/full 2>"$T/log"
	assertEquals 111 $?
	assertEquals 'qualify: - failed reason="output: No space left on device"' "$(cat "$T/log")"
}

# usage: misused option ...: 100 as a filter; in a chain 451 and 111
misused() {
	qualify "$@" <"$T/in" >"$T/got" 2>"$T/log"
	assertEquals "$*" 100 $?
	assertEquals "$*" '' "$(cat "$T/got")"
	chain "$@"
	assertEquals "$*: in a chain" 111 "$code"
	assertEquals "$*: in a chain" "$(printf '451 4.3.0 Local error, try again later\r\n.\r')" "$(cat "$T/verdict")"
}

test_misuse_never_refuses_mail() {
	draft 'To: bob@example.org'
	misused -x
	assertEquals "$(sed -n 's/^usage: //p' "$T/log")" \
		"$(mandoc -T ascii "$ROOT/cmd/qualify/qualify.8" | col -bx | tr -s '\n ' ' ' | sed 's/.*SYNOPSIS \(.*\) DESCRIPTION.*/\1/')"
	misused -d
	misused -d localhost
	misused -d 'a b.c'
	misused -D corp.example
	misused -t "$T/labels"
	misused -D corp -t "$T/labels"
	misused -u all
}

test_a_table_that_cannot_be_used_is_451() {
	draft 'To: bob@example.org'
	echo no cdb >"$T/junk"
	for file in "$T/nothing" "$T/junk"; do
		chain -d example.net -u "$file"
		assertEquals "$file" 111 "$code"
		assertEquals "$(printf '451 4.3.0 Local error, try again later\r\n.\r')" "$(cat "$T/verdict")"
		qualify -d example.net -u "$file" <"$T/in" >"$T/got" 2>"$T/log"
		assertEquals "$file" 100 $?
		assertContains "$(cat "$T/log")" "qualify: $file: "
	done
}

test_a_chain_without_a_next_program_is_451() {
	draft 'To: bob@example.org'
	out=$(MSA_MESSAGE=1msg qualify <"$T/in" 3<"$T/envelope" 2>"$T/log")
	assertEquals 111 $?
	assertEquals "$(printf '451 4.3.0 Local error, try again later\r\n.\r')" "$out"
}

test_a_next_program_outside_of_a_chain_is_misuse() {
	draft 'To: bob@example.org'
	qualify cat <"$T/in" >"$T/got" 2>"$T/log"
	assertEquals 100 $?
	assertEquals '' "$(cat "$T/got")"
}

test_the_next_programs_options_are_its_own() {
	draft 'To: bob@example.org'
	out=$(MSA_MESSAGE=1msg qualify printf '%s|' -d -x <"$T/in" 3<"$T/envelope" 2>"$T/log")
	assertEquals '-d|-x|' "$out"
}

test_privileges_go_once_the_tables_are_open() {
	draft 'To: bob'
	chmod 755 "$T"
	chain -U nobody-of-that-name
	assertEquals 111 "$code"
	assertEquals "$(printf '451 4.3.0 Local error, try again later\r\n.\r')" "$(cat "$T/verdict")"
	needs root || return 0
	cp "$T/locals" "$T/secret"
	chmod 400 "$T/secret"
	out=$(MSA_MESSAGE=1msg qualify -d example.net -u "$T/secret" -U nobody:nogroup id -un \
		<"$T/in" 3<"$T/envelope" 2>"$T/log")
	assertEquals 'nobody' "$out"
}

test_nothing_is_left_open_for_the_next_program() {
	draft 'To: bob' 'Bcc: bob'
	MSA_MESSAGE=1 qualify -d example.net -u "$T/locals" -D corp.example -t "$T/labels" \
		python3 -c 'import os; print(sorted(int(f) for f in os.listdir("/proc/self/fd"))[:4], len(os.listdir("/proc/self/fd")))' \
		<"$T/in" 3<"$T/envelope" >"$T/got" 2>"$T/log"
	assertEquals '[0, 1, 2, 3] 5' "$(cat "$T/got")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
