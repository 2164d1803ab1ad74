#!/bin/sh
# rights(8): which addresses a user may send as, in the envelope, From and Sender. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

# The table $T/senders.cdb from lines "user list". usage: senders line ...
senders() {
	printf '%s\n' "$@" | cdb -c -m -t "$T/senders.tmp" "$T/senders.cdb"
}

oneTimeSetUp() {
	printf '#!/bin/sh\ncat >"%s/out"\necho 250 2.0.0 taken\n' "$T" >"$T/next"
	chmod +x "$T/next"
	printf 'From: alice@example.net\r\nSubject: x\r\n\r\nFrom: not@me.example\r\n' >"$T/good"
}

setUp() {
	senders 'sales@example.net box@example.net'
	mail=alice@example.net user=alice@example.net label='' options=
}

tearDown() {
	resident_stop_all
	rm -f "$T"/*.log
}

# Run it with $options in a chain on the message $T/in by $user, MAIL FROM:<$mail>. usage: chain [program ...]
chain() {
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- rights $options -s "$T/senders.cdb" "$T/next"
	printf 'MAIL FROM:<%s>\nRCPT TO:<bob@example.org>\n' "$mail" >"$T/envelope"
	rm -f "$T/out"
	MSA_MESSAGE=msg MSA_SESSION=ses MSA_RCPTS=1 SMTPAUTHUSER=$user SMTPAUTHLABEL=$label "$@" \
		<"$T/in" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	code=$?
}

# A message with these fields. usage: message field ...
message() {
	{
		printf '%s\r\n' "$@"
		printf 'Subject: x\r\n\r\nFrom: not@me.example\r\n'
	} >"$T/in"
}

# It is handed on, every octet of it. usage: passes what
passes() {
	chain
	assertEquals "$1" '250 2.0.0 taken' "$(cat "$T/verdict")"
	assertTrue "$1: the message" "cmp $T/in $T/out"
	assertEquals "$1: log" "rights: ses/msg done${user:+ user=$user}" "$(cat "$T/log")"
	assertEquals "$1: exit" 0 "$code"
}

# It is refused with this reply. usage: refused reply
refused() {
	chain
	assertEquals "$1|.|" "$(tr -d '\r' <"$T/verdict" | tr '\n' '|')"
	assertFalse "$1: handed on" "[ -e $T/out ]"
	assertEquals "$1: log" "rights: ses/msg refused${user:+ user=$user} why=\"$(printf %s "${1#* * }" | sed 's/"/\\x22/g')\"" "$(cat "$T/log")"
	assertEquals "$1: exit" 100 "$code"
}

# He may not send as this one. usage: not_his field address
not_his() {
	refused "550 5.7.1 $1: <$2> is not yours to send as"
}

# $user may send as this one, by the envelope and by the header. usage: may address ...
may() {
	for mail; do
		message "From: $mail"
		passes "$user: $mail"
	done
}

# He may not, by neither. usage: may_not address ...
may_not() {
	for address; do
		mail=$address
		message "From: $address"
		not_his 'MAIL FROM' "$address"
		mail=
		not_his From "$address"
	done
}

test_a_user_is_himself_and_nobody_else() {
	may alice@example.net alice+shop@example.net ALICE@example.net
	may_not bob@example.net alice@example.org alice2@example.net alice@mail.example.net box@example.net
	mail=
	message 'From: Alice@EXAMPLE.net'
	passes 'domains have no case'
}

test_an_entry_adds_to_that() {
	senders 'alice@example.net sales@example.net, @shop.example	@.example.com'
	may alice@example.net sales@example.net sales+x@example.net anyone@shop.example a@b.example.com a@c.b.example.com
	may_not bob@example.net a@b.shop.example a@example.com a@badexample.com a@xshop.example
}

test_a_user_whose_name_is_no_address_has_what_the_table_says() {
	senders 'alice box@example.net'
	user=alice
	may box@example.net
	may_not alice@example.net
	user=ALICE
	may box@example.net
	user=bob
	may_not box@example.net bob@example.net
}

test_any_address_of_its_own_word() {
	senders 'alice@example.net *'
	may bob@example.net x@y.example
	user=bob@example.net
	may_not x@y.example
}

test_those_without_an_entry_have_that_of_the_star() {
	senders 'bob bob@example.net' '* @example.net'
	for user in carol dave@example.org; do
		may box@example.net
		may_not x@example.com
	done
	user=bob
	may_not box@example.net
}

test_a_peer_without_a_user_has_that_of_the_minus() {
	user=
	may_not scanner@example.net
	senders '- scanner@example.net' '* *'
	may scanner@example.net
	may_not bob@example.net
}

# Such names cannot be had to get at an entry that is not for a user.
test_a_user_called_star_or_minus_has_no_key_of_his_own() {
	senders '- *'
	for user in - '*'; do
		may_not x@example.net
	done
}

test_who_is_stopped_sends_nothing() {
	for list in '!' '! ' ' !,' "!$(printf '\r')" '! *' '* !' 'sales@example.net, !'; do
		senders "alice@example.net $list"
		for mail in alice@example.net ''; do
			message 'From: alice@example.net'
			refused '550 5.7.1 You may not send'
			message 'To: bob@example.net'
			refused '550 5.7.1 You may not send'
		done
	done
}

test_the_null_reverse_path_is_everybodys() {
	mail=
	message 'From: alice@example.net'
	passes 'a receipt'
	message 'From: bob@example.net'
	not_his From bob@example.net
}

test_every_address_of_from_and_sender_is_looked_at() {
	message 'From: Alice <alice@example.net>, "x" <alice+y@example.net>' 'Sender: alice@example.net'
	passes 'all his'
	for from in 'bob@example.net' '<bob@example.net>' 'alice <bob@example.net>' '"Alice, Smith" <bob@example.net>' \
		'alice@example.net, bob@example.net' 'bob@example.net <bob@example.net>' '=?utf-8?q?J=C3=BC?= <bob@example.net>'; do
		message "From: $from"
		not_his From bob@example.net
		message 'From: alice@example.net' "SENDER:$from"
		not_his Sender bob@example.net
	done
	message 'From: alice@example.net,' '  Bob' ' <bob@example.net>'
	not_his From bob@example.net
}

test_what_claims_nothing_passes() {
	message 'To: bob@example.org'
	passes 'no From'
	message 'From: alice@example.net' 'Reply-To: bob@example.net' 'X-From: bob@example.net'
	passes 'other fields'
}

# Some readers show these fields as the author, with a From or without.
test_other_fields_for_the_author_follow_the_same_rule() {
	for name in Resent-From Resent-Sender Return-Path Author; do
		message 'From: alice@example.net' "$name: <alice+x@example.net>"
		passes "$name"
		message "$name: Bob <bob@example.net>"
		not_his "$name" bob@example.net
		message 'From: alice@example.net' "$name: bob:;"
		refused "554 5.6.0 $name: a group is not accepted"
	done
	message 'From: alice@example.net' 'apparently-from: alice@example.net'
	refused '554 5.6.0 Apparently-From: this field is not accepted'
}

# tests/unit/strictlist_test.sh has the forms; here are their replies.
test_a_form_that_readers_do_not_read_alike_is_refused() {
	while read -r from; do
		read -r reason
		message "From: $from"
		refused "554 5.6.0 From: $reason"
		message 'From: alice@example.net' "Sender: $from"
		refused "554 5.6.0 Sender: $reason"
	done <<-'END'
	"bob@example.net": alice@example.net;
	a group is not accepted
	"bob@example.net":;, alice@example.net
	a group is not accepted
	=?utf-8?b?PGJvYkBleGFtcGxlLm5ldD4=?= <alice@example.net>
	a name has an at sign or angle bracket, and is not the address
	=?utf-8?q?M=C3=BCller=2C_J?= <alice@example.net>
	an encoded word has a comma or similar punctuation, which some readers misread
	<@example.org:alice@example.net>
	a source route is not accepted
	(bob@example.net) alice@example.net
	a comment is not accepted
	alice@example.net (Alice)
	a comment is not accepted
	alice@example.net,
	a comma has no address beside it
	"alice"@example.net
	an address is not valid, or has no domain
	alice
	an address is not valid, or has no domain
	END
	message 'From: '
	refused '554 5.6.0 From: there is no address'
	message 'From : alice@example.net'
	refused '554 5.6.0 From: white space stands before the colon'
	message 'From: "Alice' ' Smith" <alice@example.net>'
	refused '554 5.6.0 From: a line is folded in quotes'
	message 'From: Alice' ' ' ' <alice@example.net>'
	refused '554 5.6.0 From: a line has only white space'
}

test_a_field_appears_once() {
	for name in From Sender Resent-From Resent-Sender Return-Path Author; do
		message "$name: alice@example.net" 'To: x@example.net' "$name: alice@example.net"
		refused "554 5.6.0 $name: there is more than one such field"
	done
}

test_the_addresses_of_a_message_are_counted() {
	message "From: alice@example.net$(printf ', alice@example.net%.0s' $(seq 98))" 'Sender: alice@example.net'
	passes '100 addresses'
	message "From: alice@example.net$(printf ', alice@example.net%.0s' $(seq 98))" 'Sender: alice@example.net, alice@example.net'
	refused '554 5.6.0 Sender: there are too many addresses'
	options='-g all'
	refused '554 5.6.0 Sender: there are too many addresses'
}

test_option_g_names_accepts_punctuation_in_encoded_words() {
	options='-g names'
	message 'From: =?utf-8?q?M=C3=BCller=2C_J?= <alice@example.net>'
	passes 'a comma'
	message 'From: =?utf-8?q?bob=40example.net=2C?= <alice@example.net>'
	refused '554 5.6.0 From: a name has an at sign or angle bracket, and is not the address'
	message 'From: Us: alice@example.net;'
	refused '554 5.6.0 From: a group is not accepted'
}

test_option_g_all_accepts_every_form_of_rfc_5322() {
	options='-g all'
	for from in 'Us: alice@example.net;' 'alice@example.net (x)' '"bob@example.net" <alice@example.net>' ', alice@example.net' \
		'<@example.org:alice@example.net>' '"alice"@example.net' ' alice @ example.net'; do
		message "From: $from" 'From-: x'
		passes "$from"
	done
	for field in 'From: "alice@example.net" <bob@example.net>' 'From: alice@example.net, bob@example.net' \
		'FROM : bob@example.net' 'From: alice@example.net (x), (y) bob (z) @example.net' \
		'From: Us: alice@example.net, bob@example.net;' 'From: <@alice.example,@example.net:bob@example.net>' \
		'From: "bob"@example.net' 'From: =?utf-8?q?alice=40example.net?= <bob@example.net>'; do
		message "$field"
		not_his From bob@example.net
	done
	message 'From: alice@example.net,' '  bob' ' @example.net'
	not_his From bob@example.net
	message 'Resent-From: alice@example.net' 'Resent-From: bob@example.net'
	not_his Resent-From bob@example.net
	message 'Resent-From: alice@example.net' 'Resent-Sender: alice@example.net' 'Resent-From: alice@example.net' \
		'Resent-Sender: alice@example.net'
	passes 'resent twice'
	message 'From: alice@example.net' 'From: alice@example.net'
	refused '554 5.6.0 From: there is more than one such field'
	message 'Apparently-From: alice@example.net'
	refused '554 5.6.0 Apparently-From: this field is not accepted'
	# Readers show the group's name, the comment, what the word decodes to.
	for field in 'From: "bob@example.net":;' 'From: Nobody:;' 'From: (bob@example.net)' 'From: =?utf-8?q?bob=40example.net?=:;'; do
		message "$field"
		refused '554 5.6.0 From: there is no address'
	done
	for from in 'alice+x. =?utf-8?q?=3Cbob=40example.net=3E?=@example.net' '=?utf-8?q?alice=40example.net=00?=@example.net'; do
		message "From: $from"
		refused '554 5.6.0 From: an address has an encoded word in it'
	done
	for field in 'From: alice' 'From: alice@example.net, <' 'From: alice@example.net bob@example.net' 'From: "@example.net'; do
		message "$field"
		refused '554 5.6.0 From: an address is not valid, or has no domain'
	done
}

test_who_may_send_as_anybody_may_do_so_in_any_form() {
	senders 'alice@example.net *'
	for from in 'Us: bob@example.net;' 'bob' '' '"bob@example.net" <alice@example.net>'; do
		message "From: $from" "From: $from" 'Apparently-From: bob@example.net'
		passes "$from"
	done
}

test_a_domain_is_not_what_stands_in_quotes_before_it() {
	options='-g all'
	senders 'alice@example.net @example.net'
	may bob@example.net
	may_not '"bob@example.org x"@example.net'
	senders 'alice@example.net *'
	may '"bob@example.org x"@example.net'
}

test_a_domain_in_u_labels_is_that_in_a_labels() {
	for item in box@BÜCHER.example box@XN--BCHER-KVA.example @bücher.example @xn--bcher-kva.example; do
		senders "alice@example.net $item"
		may box@bücher.example box@xn--bcher-kva.example box@bÜcher.example
		mail=
		message 'From: box@Bücher.EXAMPLE, box@XN--bcher-kva.example'
		passes 'in any case'
		message 'From: box@büchen.example'
		refused '550 5.7.1 From: this address is not yours to send as'
	done
	may_not box@xn--bchen-kva.example box@x.xn--bcher-kva.example
	senders 'alice@example.net @.bücher.example'
	may box@x.xn--bcher-kva.example box@bücher.bücher.example
	may_not box@xn--bcher-kva.example
	senders 'alice@example.net @straße.example'
	may box@straße.example box@xn--strae-oqa.example
	may_not box@strasse.example
}

test_a_user_with_such_a_domain_is_found_by_either_and_is_himself() {
	for key in box@bücher.example box@xn--bcher-kva.example; do
		senders "$key sales@example.net" '* @example.org'
		for user in box@bücher.example box@xn--bcher-kva.example Box@BÜCHER.example; do
			message 'From: sales@example.net, box@bücher.example, box+x@xn--bcher-kva.example'
			mail=box@xn--bcher-kva.example
			chain
			assertEquals "$key: $user" '250 2.0.0 taken' "$(cat "$T/verdict")"
			mail=x@example.org
			chain
			assertEquals "$key: $user" '550 5.7.1 MAIL FROM: <x@example.org> is not yours to send as' "$(head -n 1 "$T/verdict" | tr -d '\r')"
		done
	done
}

test_a_user_too_long_for_a_key_is_not_one_without_an_entry() {
	senders '* *'
	user=$(printf 'x%.0s' $(seq 513))
	message 'From: alice@example.net'
	chain
	assertEquals '451 4.3.0' "$(cut -c 1-9 <"$T/verdict" | head -n 1)"
	assertContains "$(cat "$T/log")" 'File name too long'
}

test_a_header_that_is_not_understood_is_refused() {
	message 'From alice@example.net' 'From: bob@example.net'
	refused '554 5.6.0 Line 1 is not a header field'
	message 'To: x@example.net' 'From:alice@example.net' 'Hidden'
	refused '554 5.6.0 Line 3 is not a header field'
	printf 'Subject: x\nFrom: bob@example.net\r\n\r\n' >"$T/in"
	refused '554 5.6.0 Bare CR or bare LF in the header'
	{ head -c 1100000 /dev/zero | tr '\0' x | fold -w 900 | sed 's/^/X-Y: /; s/$/\r/'; cat "$T/good"; } >"$T/in"
	refused '554 5.6.0 Header is too long'
}

test_an_address_beyond_ascii_is_compared_but_not_said() {
	senders 'alice@example.net жук@example.net'
	may жук@example.net
	mail=
	message 'From: жаба@example.net'
	refused '550 5.7.1 From: this address is not yours to send as'
}

test_what_is_no_item_is_451_and_told_where_it_stands() {
	for item in bob alice@ @ @. '**' '!!' @bad_domain; do
		senders "alice@example.net sales@example.net $item"
		mail=bob@example.net
		message 'From: sales@example.net'
		chain
		assertEquals "$item" '451 4.3.0 Local error, try again later|.|' "$(tr -d '\r' <"$T/verdict" | tr '\n' '|')"
		assertContains "$item" "$(cat "$T/log")" \
			"misuse reason=\"$T/senders.cdb: record of alice@example.net: $item: not an address, @domain, @.domain, &group, * or !\""
		assertEquals "$item: exit" 111 "$code"
	done
}

test_a_table_that_cannot_be_used_refuses_nothing_for_good() {
	message 'From: alice@example.net'
	for table in none broken; do
		printf 'too short for one' >"$T/broken"
		chain rights -s "$T/$table" "$T/next"
		assertEquals "$table" '451 4.3.0' "$(cut -c 1-9 <"$T/verdict" | head -n 1)"
		assertContains "$table" "No such file or directory not a cdb file" "$(sed "s|rights: $T/$table: ||" "$T/log")"
		assertEquals "$table: exit" 111 "$code"
		assertFalse "$table: handed on" "[ -e $T/out ]"
	done
}

test_an_envelope_that_is_none_is_451() {
	cp "$T/good" "$T/in"
	printf 'MAIL\n' >"$T/bad"
	MSA_MESSAGE=msg MSA_RCPTS=1 rights -s "$T/senders.cdb" "$T/next" <"$T/in" 3<"$T/bad" >"$T/verdict" 2>"$T/log"
	assertEquals 111 $?
	assertEquals '451 4.3.0' "$(cut -c 1-9 <"$T/verdict" | head -n 1)"
}

test_misuse() {
	cp "$T/good" "$T/in"
	for words in '' "-s $T/senders.cdb" 'true' "-x -s $T/senders.cdb true" '-g all true'; do
		# shellcheck disable=SC2086
		MSA_MESSAGE=msg MSA_RCPTS=1 rights $words <"$T/in" 3<"$T/good" >"$T/verdict" 2>"$T/log"
		assertEquals "$words" 111 $?
		assertContains "$words" "$(cat "$T/log")" 'usage: rights [-s senders]'
		assertEquals "$words" '451 4.3.0' "$(cut -c 1-9 <"$T/verdict" | head -n 1)"
	done
	MSA_MESSAGE=msg rights -g some -s "$T/senders.cdb" true <"$T/in" 3<"$T/good" >"$T/verdict" 2>"$T/log"
	assertEquals 'a form' 111 $?
	assertContains 'a form' "$(cat "$T/log")" 'some: not names or all'
	rights -s "$T/senders.cdb" true <"$T/in" >"$T/verdict" 2>"$T/log"
	assertEquals 'not in a chain' 100 $?
	assertEquals 'rights: true: MSA_MESSAGE is not set: not in a chain (submit starts one)' "$(cat "$T/log")"
}

test_a_new_table_counts_from_the_next_message_on() {
	resident_start rights rights -P 1:1 -s "$T/senders.cdb" "$T/next"
	user=sales@example.net mail=new@example.net
	message 'From: sales@example.net'
	chain call "$T/rights"
	assertEquals 'not yet' '550 5.7.1' "$(cut -c 1-9 <"$T/verdict" | head -n 1)"
	senders 'sales@example.net new@example.net'
	chain call "$T/rights"
	assertEquals now '250 2.0.0 taken' "$(head -n 1 "$T/verdict" | tr -d '\r')"
	printf x >"$T/senders.tmp" && mv "$T/senders.tmp" "$T/senders.cdb"
	for again in 1 2; do
		chain call "$T/rights"
		assertEquals "kept $again" '250 2.0.0 taken' "$(head -n 1 "$T/verdict" | tr -d '\r')"
	done
	assertEquals 'and that is said once' "rights: ses/msg failed reason=\"$T/senders.cdb: not a cdb file\"" \
		"$(grep ' failed ' "$T/rights.log")"
}

# And where it may not be read any more, on SIGHUP.
test_a_resident_looks_at_all_of_the_table() {
	resident_start rights rights -P 1:1 -s "$T/senders.cdb" "$T/next"
	user=sales@example.net mail=box@example.net
	message 'From: sales@example.net'
	senders 'Other box@example.net'
	rights -l "$T/second" -s "$T/senders.cdb" true 2>"$T/log"
	assertEquals "rights: $T/senders.cdb: record of Other: the key has a capital letter" "$(cat "$T/log")"
	senders 'box@BÜCHER.example box@example.net'
	rights -l "$T/second" -s "$T/senders.cdb" true 2>"$T/log"
	assertEquals "rights: $T/senders.cdb: record of box@BÜCHER.example: the key has a capital letter" "$(cat "$T/log")"
	senders 'box@bÜcher.example box@example.net'
	rights -l "$T/second" -s "$T/senders.cdb" true 2>"$T/log"
	assertEquals "rights: $T/senders.cdb: record of box@bÜcher.example: no look-up finds this key" "$(cat "$T/log")"
	senders 'other box@' 'sales@example.net box@example.net'
	# shellcheck disable=SC2154
	kill -HUP "$rights_pid"
	wait_until grep -q ' kept ' "$T/rights.log"
	wrong="$T/senders.cdb: record of other: box@: not an address, @domain, @.domain, &group, * or !"
	assertContains "$(cat "$T/rights.log")" "rights: - failed reason=\"$wrong\""
	rights -l "$T/second" -s "$T/senders.cdb" true 2>"$T/log"
	assertEquals 100 $?
	assertEquals "rights: $wrong" "$(cat "$T/log")"
	senders 'sales@example.net box@example.net' '- !'
	kill -HUP "$rights_pid"
	wait_until grep -q ' reloaded' "$T/rights.log"
	chain call "$T/rights"
	assertEquals '250 2.0.0 taken' "$(head -n 1 "$T/verdict" | tr -d '\r')"
}

# Apart and in one process, behind qualify, whose From it then is.
test_a_client_hears_it() {
	{
		printf '<\n> EHLO client\n<\n> MAIL FROM:<box@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> DATA\n<\n'
		printf '>> To: bob@example.org\\r\\n\\r\\n.\\r\\n\n<\n> MAIL FROM:<sales@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n'
		printf '> DATA\n<\n>> From: eve@example.net\\r\\n\\r\\n.\\r\\n\n<\n> QUIT\n<<\n'
	} >"$T/script"
	for inline in '' inline; do
		rm -f "$T/out"
		# shellcheck disable=SC2086
		SMTPAUTHUSER=sales@example.net talk $inline submitd qualify -d example.net rights -s "$T/senders.cdb" "$T/next" \
			<"$T/script" >"$T/heard" 2>"$T/log"
		assertEquals "${inline:-apart}" '250 2.0.0 Ok, message|550 5.7.1 From: <eve@example.net> is not yours to send as' \
			"$(grep -e ' message ' -e ^5 "$T/heard" | sed 's/ message .*/ message/' | paste -sd '|')"
		assertContains "${inline:-apart}" "$(cat "$T/out")" 'From: <sales@example.net>'
	done
}

test_as_part_of_the_check_it_refuses_at_rcpt() {
	{
		printf '<\n> EHLO client\n<\n> MAIL FROM:<box@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> RSET\n<\n'
		printf '> MAIL FROM:<eve@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> QUIT\n<<\n'
	} >"$T/script"
	SMTPAUTHUSER=sales@example.net talk submitd -r "rights -s $T/senders.cdb $T/next" "$T/next" <"$T/script" >"$T/heard" 2>"$T/log"
	assertEquals '250 2.1.5 Recipient ok|550 5.7.1 MAIL FROM: <eve@example.net> is not yours to send as' \
		"$(grep -e 2.1.5 -e ^5 "$T/heard" | paste -sd '|')"
}

test_a_question_is_answered_as_a_message_would_be() {
	senders 'sales@example.net box@example.net' 'alice@example.net sales@example.net @shop.example' 'anna *' \
		'mallory@example.net ! *' 'bad@example.net x@y.example foo' '- scanner@example.net'
	while IFS='|' read -r asker address want_code want record; do
		[ "$address" != '<>' ] || address=
		rights -q "$T/senders.cdb" "$asker" "$address" >"$T/said" 2>&1
		code=$?
		assertEquals "$asker $address" "$want${record:+|$record}" "$(paste -sd '|' "$T/said")"
		assertEquals "$asker $address: exit code" "$want_code" "$code"
		message "From: $address"
		[ -n "$address" ] || message 'X-None: x'
		user=$asker mail=$address
		[ "$user" != - ] || user=
		chain
		case $code in
		0) assertEquals "$asker $address: a message" 0 "$want_code" ;;
		100) assertEquals "$asker $address: a message" 1 "$want_code" ;;
		*) assertEquals "$asker $address: a message" 111 "$want_code" ;;
		esac
	done <<-X
		Alice@example.net|ALICE+x@example.net|0|Alice@example.net may send as ALICE+x@example.net|The record is: sales@example.net @shop.example
		alice@example.net|any@shop.example|0|alice@example.net may send as any@shop.example|The record is: sales@example.net @shop.example
		alice@example.net|any@other.example|1|alice@example.net may not send as any@other.example|The record is: sales@example.net @shop.example
		bob@example.net|bob@example.net|0|bob@example.net may send as bob@example.net|There is no record.
		bob@example.net|<>|0|bob@example.net may send as <>|There is no record.
		anna|any@other.example|0|anna may send as any@other.example|The record is: *
		mallory@example.net|mallory@example.net|1|mallory@example.net may not send|The record is: ! *
		mallory@example.net|<>|1|mallory@example.net may not send|The record is: ! *
		-|scanner@example.net|0|A peer without a user may send as scanner@example.net|The record is: scanner@example.net
		-|bob@example.net|1|A peer without a user may not send as bob@example.net|The record is: scanner@example.net
		bad@example.net|z@y.example|111|rights: $T/senders.cdb: record of bad@example.net: foo: not an address, @domain, @.domain, &group, * or !
	X
	rights -q "$T/senders.cdb" alice@example.net alice >"$T/said" 2>&1
	assertEquals 'exit code' 100 $?
	assertEquals 'rights: alice: not an address' "$(cat "$T/said")"
}

test_a_group_stands_for_the_list_in_its_record() {
	senders 'alice@example.net &Sales x@example.net' 'bob@example.net &sales &b@x.example' '&sales sales@example.net,@shop.example' \
		'&none' 'carol@example.net &none' 'dave@example.net &stop' '&stop !' 'anna &all' '&all *' '&bob@example.net x@y.example'
	may alice@example.net sales@example.net any@shop.example x@example.net
	may_not bob@example.net
	user=bob@example.net
	may sales@example.net bob@example.net '&b@x.example'
	may_not x@example.net
	user=carol@example.net
	may carol@example.net
	may_not sales@example.net
	user=dave@example.net mail=dave@example.net
	message 'From: dave@example.net'
	refused '550 5.7.1 You may not send'
	user=anna
	may x@y.example
	user='&bob@example.net'
	may '&bob@example.net' x@y.example
}

# The record of a group, or of a password, is nobody's own.
test_a_user_called_as_a_group_or_a_password_has_no_record_of_his_own() {
	senders '&sales sales@example.net' 'alice@example.net/phone sales@example.net' 'alice/phone sales@example.net' \
		'a/b@example.net box@example.net'
	for user in '&sales' alice@example.net/phone alice/phone; do
		may_not sales@example.net
	done
	user=a/b@example.net
	may a/b@example.net box@example.net
}

# The record of a password takes rights away and gives none.
test_the_record_of_a_password_narrows_those_of_the_user() {
	senders 'alice@example.net sales@example.net @shop.example' 'alice@example.net/phone alice@example.net x@shop.example y@other.example' \
		'alice@example.net/scanner scanner@shop.example' 'alice@example.net/lost !' 'alice@example.net/mail.1_-x &phone' \
		'&phone sales@example.net' 'anna *' 'anna/phone a@example.net' 'anna/all *' 'bo@xn--bcher-kva.example/pad' '* *'
	may alice@example.net sales@example.net z@shop.example
	for label in Phone phone; do
		may alice@example.net x@shop.example
		may_not sales@example.net z@shop.example y@other.example
	done
	label=scanner
	may scanner@shop.example
	may_not alice@example.net
	label=mail.1_-X
	may sales@example.net
	may_not alice@example.net x@shop.example
	label=unknown
	may alice@example.net sales@example.net
	label=lost
	for mail in alice@example.net ''; do
		message 'From: alice@example.net'
		refused '550 5.7.1 You may not send'
	done
	user=anna label=phone
	may a@example.net
	may_not b@example.net
	mail=a@example.net
	message 'From: Us: a@example.net;'
	refused '554 5.6.0 From: a group is not accepted'
	label=all
	may b@example.net
	for user in bo@bücher.example bo@xn--bcher-kva.example; do
		for label in pad other; do
			mail=x@y.example
			message 'From: x@y.example'
			chain
			assertEquals "$user $label" "$([ $label = pad ] && echo 100 || echo 0)" "$code"
		done
	done
}

test_a_group_that_is_not_there_or_has_a_group_is_451() {
	senders 'alice@example.net x@example.net &gone' 'bob@example.net &a' '&a &b' '&b &a' 'carol@example.net/phone &gone' \
		'dave@example.net &bad' '&bad nonsense' '&self &self' 'eve@example.net &self' '& x@y.example'
	while IFS='|' read -r user label why; do
		mail=$user
		message "From: $user"
		chain
		assertEquals "$user" '451 4.3.0 Local error, try again later|.|' "$(tr -d '\r' <"$T/verdict" | tr '\n' '|')"
		assertEquals "$user" "rights: ses/msg misuse reason=\"$T/senders.cdb: record of $why\"" "$(cat "$T/log")"
	done <<-'X'
		alice@example.net||alice@example.net: &gone: names a group that has no record
		bob@example.net||&a: &b: is a group and names a group
		carol@example.net|phone|carol@example.net/phone: &gone: names a group that has no record
		eve@example.net||&self: &self: is a group and names a group
	X
	user=dave@example.net mail=x@example.net label=
	message 'From: x@example.net'
	chain
	assertContains "$(cat "$T/log")" 'record of &bad: nonsense: not an address'
}

# With the label the name is too long for a key, so nobody can tell what the password may.
test_a_name_that_is_too_long_with_its_label_is_451() {
	user=$(text_repeat 506 x)
	senders "$user box@example.net"
	mail=box@example.net
	message 'From: box@example.net'
	for label in '' phone phones; do
		chain
		assertEquals "$label" "$([ "$label" = phones ] && echo 111 || echo 0)" "$code"
	done
	assertContains "$(cat "$T/log")" 'File name too long'
}

# The table of recipients $T/rcpts.cdb. usage: writes line ...
writes() {
	printf '%s\n' "$@" | cdb -c -m -t "$T/rcpts.tmp" "$T/rcpts.cdb"
}

# Whom $user may write to, of these. usage: assert_written what expected option ...
assert_written() {
	what=$1 want=$2
	shift 2
	n=0
	printf 'MAIL FROM:<alice@example.net>\n' >"$T/envelope"
	while read -r address; do
		printf 'RCPT TO:<%s>\n' "$address" >>"$T/envelope"
		n=$((n + 1))
	done
	MSA_MESSAGE=msg MSA_SESSION=ses MSA_RCPTS=$n SMTPAUTHUSER=$user SMTPAUTHLABEL=$label rights -n -t "$T/rcpts.cdb" "$@" \
		<"$T/good" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	code=$?
	assertEquals "$what: exit, $(cat "$T/log")" 0 "$code"
	assertEquals "$what" "$want" "$(tr -d '\r' <"$T/verdict" | sed 's/^250 2.1.5 Recipient ok$/+/; s/^550 5.7.1 You may not send to .*/-/' | tr -d '\n')"
}

addresses() {
	printf '%s\n' bob@example.org Bob+x@example.org bob@example.net any@a.example.net any@b.a.example.net \
		'"q q"@example.org' x@bücher.example any@badexample.net root@[192.0.2.1] postmaster
}

test_whom_a_user_may_write_to() {
	while IFS='|' read -r list want; do
		writes "alice@example.net $list" '- !'
		addresses | assert_written "$list" "$want."
	done <<-'X'
		|----------
		*|++++++++++
		!|----------
		* !|----------
		@example.org|++---+----
		@example.net|--+-------
		@.example.net|---++-----
		@example.net, @.example.net|--+++-----
		bob@example.org|++--------
		* !bob@example.org|--++++++++
		!bob@example.org *|--++++++++
		* !@example.org|--+++-++++
		* !@.example.net|+++--+++++
		* !@example.net !@.example.net|++---+++++
		@example.org !bob@example.org|-----+----
		* !*|----------
		@xn--bcher-kva.example|------+---
		* !@BÜCHER.example|++++++-+++
		* !@bücher.example|++++++-+++
	X
	writes 'bob x@example.net' 'alice@example.net/phone @example.net'
	addresses | assert_written 'no record' '++++++++++.'
	label=phone
	addresses | assert_written 'only the record of the password' '--+-------.'
	writes '* @example.net' 'alice@example.net/phone * !bob@example.net'
	addresses | assert_written 'all users, and the password' '----------.'
	label=
	addresses | assert_written 'all users' '--+-------.'
	writes 'alice@example.net &staff !@.example.net' '&staff * !@example.org' '* !'
	addresses | assert_written 'a group' '--+---++++.'
	user=''
	addresses | assert_written 'a peer' '++++++++++.'
	writes '- @example.net'
	addresses | assert_written 'a peer with a record' '--+-------.'
}

# RFC 6409 6.4: the address of last resort, in any spelling.
test_the_postmaster_can_be_written_to_by_whom_an_option_lets() {
	writes 'alice@example.net !'
	set -- postmaster POSTMASTER@example.net Postmaster@bücher.example postmaster@xn--bcher-kva.example postmaster+x@example.net \
		xpostmaster@example.net postmaster@example.org postmaster@a.example.net
	printf '%s\n' "$@" | assert_written 'without' '--------.'
	printf '%s\n' "$@" | assert_written 'one domain' '++------.' -m example.net
	printf '%s\n' "$@" | assert_written 'two' '++++----.' -m EXAMPLE.net -m bücher.example
	for words in '-m example.net' "-t $T/rcpts.cdb -m ex_ample" "-s $T/senders.cdb -m example.net" "-t $T/rcpts.cdb -m"; do
		# shellcheck disable=SC2086
		MSA_MESSAGE='' rights $words true </dev/null >/dev/null 2>&1
		assertEquals "$words" 111 $?
	done
}

test_a_recipient_who_is_refused_leaves_the_message_to_the_others() {
	program_make keep <<-'X'
		#!/bin/sh
		cat <&3 >"$T/handed"
		cat >"$T/out"
		echo 250 2.0.0 taken
	X
	writes 'alice@example.net @example.net'
	cp "$T/good" "$T/in"
	cat >"$T/envelope" <<-'X'
		MAIL FROM:<alice@example.net> BODY=8BITMIME SMTPUTF8
		RCPT TO:<bob@example.net> NOTIFY=NEVER
		RCPT TO:<bob@example.org> NOTIFY=NEVER
		550 5.1.1 Not here
		RCPT TO:<"a b"@example.org>
		RCPT TO:<жук@example.org>
		RCPT TO:<eve@example.net>
		COPY TO:<archive@example.org>
	X
	cat >"$T/want" <<-'X'
		MAIL FROM:<alice@example.net> BODY=8BITMIME SMTPUTF8
		RCPT TO:<bob@example.net> NOTIFY=NEVER
		550 5.7.1 You may not send to <bob@example.org>
		550 5.1.1 Not here
		550 5.7.1 You may not send to <"a b"@example.org>
		550 5.7.1 You may not send to this address
		RCPT TO:<eve@example.net>
		COPY TO:<archive@example.org>
	X
	resident_start rights rights -t "$T/rcpts.cdb" "$T/keep"
	for how in exec resident inline; do
		set -- rights -s "$T/senders.cdb" -t "$T/rcpts.cdb" "$T/keep"
		[ $how != inline ] || set -- inline rights -t "$T/rcpts.cdb" trace "$T/keep"
		[ $how != resident ] || set -- call "$T/rights"
		rm -f "$T/handed" "$T/out"
		MSA_MESSAGE=msg MSA_SESSION=ses MSA_RCPTS=6 SMTPAUTHUSER=$user "$@" <"$T/in" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
		assert_same "$how" "$T/want" "$T/handed"
		assert_same "$how: the message" "$T/in" "$T/out"
		[ $how != resident ] || cp "$T/rights.log" "$T/log"
		assertContains "$how" "$(cat "$T/log")" 'rights: ses/msg done user=alice@example.net refused=3 rcpt=bob@example.org'
	done
	MSA_MESSAGE=msg MSA_SESSION=ses MSA_RCPTS=6 SMTPAUTHUSER=$user rights -n -t "$T/rcpts.cdb" <"$T/in" 3<"$T/envelope" \
		>"$T/verdict" 2>"$T/log"
	tr -d '\r' <"$T/verdict" >"$T/got"
	assert_got 'the check' <<-'X'
		250 2.1.5 Recipient ok
		550 5.7.1 You may not send to <bob@example.org>
		550 5.1.1 Not here
		550 5.7.1 You may not send to <"a b"@example.org>
		550 5.7.1 You may not send to this address
		250 2.1.5 Recipient ok
		.
	X
}

test_a_client_hears_at_rcpt_whom_it_may_not_write_to() {
	writes '&students @example.net' 'alice@example.net &students'
	printf '%s\n' '<' '> EHLO client' '<' '> MAIL FROM:<alice@example.net>' '<' '> RCPT TO:<bob@example.org>' '<' \
		'> RCPT TO:<bob@example.net>' '<' '> DATA' '<' '>> \r\n.\r\n' '<' '> QUIT' '<<' >"$T/script"
	SMTPAUTHUSER=alice@example.net talk submitd -r "rights -n -t $T/rcpts.cdb" "$T/next" <"$T/script" >"$T/heard" 2>"$T/log"
	assertEquals '550 5.7.1 You may not send to <bob@example.org>|250 2.1.5 Recipient ok|250 2.0.0 Ok, message' \
		"$(grep -e 2.1.5 -e ^5 -e ' message ' "$T/heard" | sed 's/ message .*/ message/' | paste -sd '|')"
	assertTrue 'the message' "[ -e $T/out ]"
}

test_a_table_of_recipients_is_seen_anew_and_kept_if_it_is_wrong() {
	writes 'alice@example.net @example.net'
	resident_start rights rights -s "$T/senders.cdb" -t "$T/rcpts.cdb" "$T/next"
	message 'From: alice@example.net'
	chain call "$T/rights"
	assertContains "$(cat "$T/rights.log")" 'refused=1'
	writes 'alice@example.net *'
	chain call "$T/rights"
	assertEquals 1 "$(grep -c refused= "$T/rights.log")"
	for record in 'Bob *' 'bob !!' 'bob &gone' '&a &b' '& *' '*/phone *' '-/phone *' '&a/phone *'; do
		writes "$record" 'alice@example.net !'
		chain call "$T/rights"
		assertEquals "$record" '250 2.0.0 taken' "$(head -n 1 "$T/verdict" | tr -d '\r')"
		assertContains "$record" "$(tail -n 2 "$T/rights.log")" "$T/rcpts.cdb: record of ${record%% *}: "
	done
	writes 'alice@example.net x!!'
	chain rights -t "$T/rcpts.cdb" "$T/next"
	assertEquals '451 4.3.0 Local error, try again later|.|' "$(tr -d '\r' <"$T/verdict" | tr '\n' '|')"
	assertEquals "rights: ses/msg misuse reason=\"$T/rcpts.cdb: record of alice@example.net: x!!: not an address, @domain, @.domain, *, ! or &group, nor ! and an address\"" \
		"$(cat "$T/log")"
}

test_a_question_about_groups_passwords_and_recipients() {
	senders 'alice@example.net &sales' '&sales sales@example.net' 'alice@example.net/phone alice@example.net'
	writes '* @example.net' 'alice@example.net &staff' '&staff * !@example.org' 'alice@example.net/phone @.example.net'
	while IFS='|' read -r code option asker address want; do
		case $option in
		q) set -- -q "$T/senders.cdb" ;;
		m) set -- -m example.org -Q "$T/rcpts.cdb" ;;
		*) set -- -Q "$T/rcpts.cdb" ;;
		esac
		rights "$@" "$asker" "$address" >"$T/said" 2>&1
		assertEquals "$asker $address: exit" "$code" $?
		assertEquals "$asker $address" "$want" "$(paste -sd '|' "$T/said")"
	done <<-'X'
		0|q|alice@example.net|sales@example.net|alice@example.net may send as sales@example.net|The record is: &sales|The record of &sales is: sales@example.net
		1|q|alice@example.net/phone|sales@example.net|alice@example.net may not send as sales@example.net|The record is: &sales|The record of alice@example.net/phone is: alice@example.net|The record of &sales is: sales@example.net
		0|Q|alice@example.net|a@b.example.net|alice@example.net may write to a@b.example.net|The record is: &staff|The record of &staff is: * !@example.org
		1|Q|alice@example.net|a@example.org|alice@example.net may not write to a@example.org|The record is: &staff|The record of &staff is: * !@example.org
		1|Q|alice@example.net/PHONE|a@example.net|alice@example.net may not write to a@example.net|The record is: &staff|The record of alice@example.net/PHONE is: @.example.net|The record of &staff is: * !@example.org
		0|Q|bob@example.net|a@example.net|bob@example.net may write to a@example.net|The record is: @example.net
		0|Q|-|a@example.net|A peer without a user may write to a@example.net|There is no record.
		1|Q|bob@example.net|postmaster|bob@example.net may not write to postmaster|The record is: @example.net
		0|m|bob@example.net|Postmaster|bob@example.net may write to postmaster, the postmaster|The record is: @example.net
		0|m|bob@example.net|POSTMASTER@example.org|bob@example.net may write to POSTMASTER@example.org, the postmaster|The record is: @example.net
		100|Q|bob@example.net||rights: : not an address
	X
}

# shellcheck source=/dev/null
. "$SHUNIT2"
