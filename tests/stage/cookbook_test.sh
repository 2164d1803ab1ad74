#!/bin/sh
# examples/stages, those that need no server: each with a message that passes, one that is refused, and a tool that fails.
# tests/interop/cookbook_test.sh has the others. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/cookbook.sh
. "$ROOT/tests/lib/cookbook.sh"

# A stage of ours gives it for each recipient; a script once.
ERROR='451 4.3.0 Local error, try again later'

tearDown() {
	resident_stop_all
}

test_archive_keeps_the_message_and_who_sent_it() {
	cookbook_call archive "$T/archive"
	assert_handed_on 'archive'
	set -- "$T"/archive/????-??-??/*
	assertEquals 'two files' "M.eml M.who" "$(basename "$1") $(basename "$2")"
	assert_same 'the message' "$T/msg" "$1"
	cp "$2" "$T/got"
	assert_got 'who' <<-'X'
		user alice@example.net
		alice@example.net
		bob@example.org
		carol@example.net
	X
	assertEquals 'nobody else reads it' '-rw------- -rw-------' "$(stat -c %A "$1" "$2" | paste -sd ' ')"
	# shellcheck disable=SC2016
	program_lines tools/sync 'for file; do basename "$file"; done >&2' 'exit 3'
	cookbook_call archive "$T/archive"
	assertEquals 'on the disk, before it goes on' 'M.new M.who' "$(paste -sd ' ' "$T/log")"
	rm -r "$T/tools/sync" "$T/archive"
	: >"$T/no"
	cookbook_call archive "$T/no"
	assert_says 'no directory' 111 '451 4.3.0 The archive takes nothing, try again later'
	for tool in sync mv mkdir rewind envelope; do
		cookbook_broken "$tool" archive "$T/archive"
		assert_says "$tool" 111 '451 4.3.0 The archive takes nothing, try again later'
	done
	chain_call MSA_MESSAGE=../x "$STAGES/archive" "$T/archive" inject-file "$T/box"
	assert_says 'an id that is none' 111 '451 4.3.0 The archive takes nothing, try again later'
}

test_what_archive_does_to_the_umask_ends_with_it() {
	umask 022
	cookbook_call archive "$T/archive" sh -c 'umask >&2; exec "$@"' sh
	assertEquals 0022 "$(cat "$T/log")"
}

test_footer_stands_below_the_text_and_the_html() {
	echo 'Müller & Söhne' >"$T/footer.txt"
	cookbook_call filter "$STAGES/footer $T/footer.txt"
	cookbook_stored <<-'X'
		From: alice@example.net
		Subject: hello
		MIME-Version: 1.0
		Content-Type: text/plain; charset="utf-8"
		Content-Transfer-Encoding: quoted-printable

		Hello
		M=C3=BCller & S=C3=B6hne
	X
	chain_message 'From: a@b.example\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nHi\r\n--x\r\nContent-Type: text/html\r\n\r\n<body>Hi</body>\r\n--x--\r\n'
	cookbook_call filter "$STAGES/footer $T/footer.txt"
	cookbook_stored <<-'X'
		From: a@b.example
		Content-Type: multipart/alternative; boundary=x

		--x
		MIME-Version: 1.0
		Content-Type: text/plain; charset="utf-8"
		Content-Transfer-Encoding: quoted-printable

		Hi
		M=C3=BCller & S=C3=B6hne

		--x
		MIME-Version: 1.0
		Content-Type: text/html; charset="utf-8"
		Content-Transfer-Encoding: quoted-printable

		<body>Hi
		<pre>M=C3=BCller &amp; S=C3=B6hne
		</pre>
		</body>
		--x--
	X
	mv "$T/stored" "$T/msg"
	cookbook_call filter "$STAGES/footer $T/footer.txt"
	assert_handed_on 'it has one already'
	chain_message 'From: a@b.example\r\nContent-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\nHi\r\n--x\r\n\r\nsignature\r\n--x--\r\n'
	cookbook_call filter "$STAGES/footer $T/footer.txt"
	assert_handed_on 'signed'
	cookbook_call filter "$STAGES/footer $T/none"
	assert_says 'no footer' 111 "$ERROR" "$ERROR" .
}

test_header_tag_is_the_only_field_of_its_name() {
	chain_message 'x-site: forged\r\n\tmore\r\nFrom: a@b.example\r\nX-Site2: y\r\n\r\nX-Site: body\r\n'
	cookbook_call filter "$STAGES/header-tag X-Site 'a \\t b'"
	cookbook_stored <<-'X'
		X-Site: a \t b
		From: a@b.example
		X-Site2: y

		X-Site: body
	X
	cookbook_broken awk filter "$STAGES/header-tag X-Site y"
	assert_says 'awk' 111 "$ERROR" "$ERROR" .
	cookbook_call filter "$STAGES/header-tag 'X Site' y"
	assert_says 'no name' 111 "$ERROR" "$ERROR" .
}

# usage: attachment name-parameters encoding content
attachment() {
	chain_message "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHi\r\n--x\r\nContent-Type: application/octet-stream$1\r\nContent-Transfer-Encoding: $2\r\n\r\n$3\r\n--x--\r\n"
}

test_attachment_names_knows_all_forms_of_a_name() {
	attachment '; name=report.pdf\r\nContent-Disposition: attachment; filename=report.pdf' 7bit x
	cookbook_call attachment-names
	assert_handed_on 'a report'
	while read -r name; do
		attachment "$name" 7bit x
		cookbook_call attachment-names
		assert_says "$name" 100 '550 5.7.1 An attachment has the name of a program'
	done <<-'X'
		; name="game.EXE"
		; name=a.txt\r\nContent-Disposition: attachment; filename="a.txt.scr "
		\r\nContent-Disposition: attachment;\r\n filename*0="a.e";\r\n filename*1="xe"
		\r\nContent-Disposition: attachment; filename*=utf-8%%27%%27%%C3%%BC.exe
		; name="=?utf-8?B?w7wuZXhl?="
	X
	attachment '; name="=?no-such-set?B?w7wuZXhl?="' 7bit x
	cookbook_call attachment-names
	assert_says 'an unknown character set' 100 '550 5.6.0 The name of an attachment cannot be read'
}

test_attachment_types_looks_at_the_content() {
	attachment '; name=report.pdf' base64 "$(printf 'MZ is a name too' | base64)"
	cookbook_call attachment-types
	assert_handed_on 'a text'
	attachment '; name=report.pdf' base64 "$(printf 'MZ\220\0\3' | base64)"
	cookbook_call attachment-types
	assert_says 'a program' 100 '550 5.7.1 An attachment is a program'
	for name in a.txt b.js; do
		attachment '; name=a.zip' base64 "$(python3 -c 'import io, sys, zipfile
zipfile.ZipFile(sys.stdout.buffer, "w").writestr(sys.argv[1], b"x")' "$name" | base64 -w 70)"
		sed -i 's/\r*$/\r/' "$T/msg"
		cookbook_call attachment-types
		if [ "$name" = a.txt ]; then
			assert_handed_on 'a zip archive'
		else
			assert_says 'a program in a zip archive' 100 '550 5.7.1 An attachment is a program'
		fi
	done
	attachment '; name=a.zip' base64 "$(printf 'PK\3\4broken' | base64)"
	cookbook_call attachment-types
	assert_says 'a broken zip archive' 100 '550 5.7.1 An attachment is a program'
}

# Python's parser gives up at some depth: the message does not pass.
test_parts_in_parts_in_parts_do_not_hide_an_attachment() {
	awk 'BEGIN { ORS = "\r\n"; print "From: a@b.example"
		for (i = 0; i < 3000; i++) { if (i) print "--b" (i - 1); print "Content-Type: multipart/mixed; boundary=b" i; print "" }
		print "--b2999"; print "Content-Type: application/octet-stream; name=a.exe"; print ""; print "x" }' >"$T/msg"
	for stage in attachment-names attachment-types 'outside example.net'; do
		# shellcheck disable=SC2086
		cookbook_call $stage
		assert_fails "$stage"
	done
}

# What Python ignores, the next stage must not: a signal of a pipe that nobody reads ends it.
test_stages_in_python_hand_on_the_signals_as_they_were() {
	ours=$(sed -n 's/^SigIgn:.//p' /proc/self/status)
	for stage in attachment-names attachment-types 'outside example.net' "new-recipients $T/signals 5"; do
		# shellcheck disable=SC2086
		cookbook_call $stage sh -c 'grep SigIgn /proc/self/status >&2; exec "$@"' sh
		assert_handed_on "$stage"
		assertEquals "$stage" "SigIgn: $ours" "$(tr '\t' ' ' <"$T/log")"
	done
}

test_interns_write_to_those_they_know() {
	echo alice@example.net >"$T/interns"
	printf '%s\n' bob@example.org @example.net >"$T/known"
	cookbook_call interns "$T/interns" "$T/known"
	assert_handed_on 'known'
	chain_envelope '<alice@example.net>' 'RCPT TO:<Bob@example.org>' 'RCPT TO:<"a b"@example.org>' '550 5.1.1 No' 'RCPT TO:<c@example.net>'
	cookbook_call interns "$T/interns" "$T/known"
	printf '%s\n' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<Bob@example.org>' '550 5.7.1 You may not write to this address' \
		'550 5.1.1 No' 'RCPT TO:<c@example.net>' >"$T/want"
	assert_same 'one is refused' "$T/want" "$T/box/1/envelope"
	chain_call SMTPAUTHUSER=bob@example.net "$STAGES/interns" "$T/interns" "$T/known" inject-file "$T/box"
	assert_same 'another user' "$T/env" "$T/box/2/envelope"
	rm -r "$T/box"
	cookbook_call interns "$T/interns" "$T/none"
	assert_says 'no list' 111 '451 4.3.0 Recipients cannot be checked, try again later'
	cookbook_call interns "$T/none" "$T/known"
	assert_says 'no users' 111 '451 4.3.0 Recipients cannot be checked, try again later'
	for tool in tr envelope; do
		cookbook_broken "$tool" interns "$T/interns" "$T/known"
		assert_says "$tool" 111 '451 4.3.0 Recipients cannot be checked, try again later'
	done
}

test_outside_warns_of_recipients_who_are() {
	cookbook_call outside example.net
	assert_handed_on 'nothing secret'
	for subject in 'Confidential' '=?utf-8?Q?Strictly_con?=\r\n =?utf-8?Q?fidential?=' 'not for =?x?Q?x?= internal'; do
		chain_message "Subject: $subject\r\n\r\nHello\r\n"
		cookbook_call outside example.net
		assert_says "$subject" 100 '550 5.7.1 1 recipients are outside of example.net: write [external] in the subject if they may read it'
	done
	chain_message 'Subject: confidential [External]\r\n\r\nHello\r\n'
	cookbook_call outside example.net
	assert_handed_on 'wanted'
	chain_message 'Subject: confidential\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.net>' 'RCPT TO:<bob@lists.example.net>'
	cookbook_call outside example.net
	assert_handed_on 'inside'
	cookbook_broken envelope outside example.net
	assert_fails 'envelope'
}

test_office_hours_are_kept_from_bulk_mail() {
	for now in 0759 1800 0000; do
		program_lines tools/date "echo $now"
		cookbook_call office-hours 0800 1800 1
		assert_handed_on "$now"
	done
	program_lines tools/date 'echo 0800'
	cookbook_call office-hours 0800 1800 3
	assert_handed_on 'to two'
	cookbook_call office-hours 0800 1800 2
	assert_says 'to two' 111 '451 4.7.1 Bulk mail is sent after 1800, try again later'
	program_lines tools/date 'echo 1759'
	chain_message 'Subject: x\r\nPRECEDENCE: Bulk\r\n\r\nHello\r\n'
	cookbook_call office-hours 0800 1800 3
	assert_says 'Precedence' 111 '451 4.7.1 Bulk mail is sent after 1800, try again later'
	chain_message 'Subject: x\r\n\r\nPrecedence: bulk\r\n'
	cookbook_call office-hours 0800 1800 3
	assert_handed_on 'in the body'
	program_lines tools/date 'echo noon'
	cookbook_call office-hours 0800 1800 3
	assert_says 'no time' 111 '451 4.3.0 The time is not known, try again later'
	program_lines tools/date 'echo 1200'
	for tool in sed grep rewind; do
		cookbook_broken "$tool" office-hours 0800 1800 3
		assert_says "$tool" 111 '451 4.3.0 The message cannot be read, try again later'
	done
}

test_reply_plus_names_the_address_where_none_is() {
	cookbook_call filter "$STAGES/reply-plus ''"
	{ printf 'Reply-To: alice+M@example.net\r\n' && cat "$T/msg"; } >"$T/want"
	assert_same 'the id' "$T/want" "$T/box/1/message"
	rm -r "$T/box"
	chain_envelope '<"a b"@example.net>' 'RCPT TO:<bob@example.org>'
	cookbook_call filter "$STAGES/reply-plus sales"
	assert_handed_on 'an address that does not fit'
	chain_envelope '<>' 'RCPT TO:<bob@example.org>'
	cookbook_call filter "$STAGES/reply-plus sales"
	assert_handed_on 'none'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	chain_message 'Subject: x\r\nreply-to: me@example.net\r\n\r\nHello\r\n'
	cookbook_call filter "$STAGES/reply-plus sales"
	assert_handed_on 'it has one'
	for tool in sed grep envelope rewind; do
		cookbook_broken "$tool" filter "$STAGES/reply-plus sales"
		assert_says "$tool" 111 "$ERROR" .
	done
}

test_size_by_user() {
	size=$(wc -c <"$T/msg")
	printf '%s\n' '* 5' "alice@example.net $size" >"$T/sizes"
	cookbook_call size-by-user "$T/sizes"
	assert_handed_on 'as large as allowed'
	printf '%s\n' "alice@example.net $((size - 1))" '* 500' >"$T/sizes"
	cookbook_call size-by-user "$T/sizes"
	assert_says 'one octet more' 100 "552 5.3.4 Your messages may have $((size - 1)) octets, this one has $size"
	chain_call SMTPAUTHUSER=bob@example.net "$STAGES/size-by-user" "$T/sizes" inject-file "$T/box"
	assert_handed_on 'another user'
	echo 'bob@example.net 9' >"$T/sizes"
	cookbook_call size-by-user "$T/sizes"
	assert_says 'no record' 111 '451 4.3.0 The size cannot be checked, try again later'
	echo '* 9e9' >"$T/sizes"
	cookbook_call size-by-user "$T/sizes"
	assert_says 'no number' 111 '451 4.3.0 The size cannot be checked, try again later'
	echo '* 999' >"$T/sizes"
	program_lines tools/wc 'echo many'
	cookbook_call size-by-user "$T/sizes"
	assert_says 'a size that is none' 111 '451 4.3.0 The size cannot be checked, try again later'
	for tool in wc awk; do
		cookbook_broken "$tool" size-by-user "$T/sizes"
		assert_says "$tool" 111 '451 4.3.0 The size cannot be checked, try again later'
	done
}

test_new_recipients_are_few_a_day() {
	cookbook_call new-recipients "$T/known.db" 2
	assert_handed_on 'two'
	chain_envelope '<alice@example.net>' 'RCPT TO:<Bob@example.org>' 'RCPT TO:<dave@example.org>'
	cookbook_call new-recipients "$T/known.db" 2
	assert_says 'a third' 111 '451 4.7.1 Over 2 new recipients a day, try again later'
	chain_envelope '<alice@example.net>' 'RCPT TO:<Bob@example.org>'
	cookbook_call new-recipients "$T/known.db" 2
	assert_handed_on 'known'
	chain_envelope '<alice@example.net>' 'RCPT TO:<Bob@example.org>' 'RCPT TO:<dave@example.org>'
	chain_envelope '<alice@example.net>' 'RCPT TO:<dave@example.org>'
	cookbook_call new-recipients "$T/known.db" 2
	assert_says 'the refused message has made nobody known' 111 '451 4.7.1 Over 2 new recipients a day, try again later'
	cookbook_call new-recipients "$T/known.db" 3
	assert_handed_on 'and did not count'
	chain_call SMTPAUTHUSER=bob@example.net "$STAGES/new-recipients" "$T/known.db" 2 inject-file "$T/box"
	assert_handed_on 'another user'
	cookbook_call new-recipients "$T/none/known.db" 2
	assert_fails 'no directory'
	cookbook_broken envelope new-recipients "$T/known.db" 9
	assert_fails 'envelope'
}

test_quarantine_is_a_spool_that_somebody_looks_at() {
	mkdir -m 700 "$T/held" "$T/queue"
	echo '^X-Spam: yes' >"$T/patterns"
	cookbook_call quarantine "$T/patterns" "$T/held"
	assert_handed_on 'a message'
	chain_message 'X-Spam: yes\r\nSubject: x\r\n\r\nHello\r\n'
	cookbook_call quarantine "$T/patterns" "$T/held"
	assertEquals "kept: $(cat "$T/verdict")" 2 "$(grep -c '^250 ' "$T/verdict")"
	assertFalse 'not handed on' "[ -e $T/box ]"
	msa-spool list "$T/held" >"$T/out" 2>&1
	assertContains "$(cat "$T/out")" 'user=alice@example.net'
	msa-spool show -x -A "$T/held" >"$T/got"
	assert_same 'the message' "$T/msg" "$T/got"
	msa-spool move -A -d "$T/queue" "$T/held" >"$T/out" 2>&1
	assertEquals "released: $(cat "$T/out")" 1 "$(msa-spool list "$T/queue" | wc -l)"
	cookbook_call quarantine "$T/none" "$T/held"
	assert_says 'no patterns' 111 '451 4.3.0 The message cannot be checked, try again later'
	cookbook_broken grep quarantine "$T/patterns" "$T/held"
	assert_says 'grep' 111 '451 4.3.0 The message cannot be checked, try again later'
}

test_digest_counts_what_was_refused() {
	cat >"$T/day" <<-'X'
		submitd: s/m accepted user=alice@example.net rcpts=1 size=1 code=250 ms=1 from=a@example.net
		submitd: s/m refused user=alice@example.net rcpts=1 size=1 code=550 ms=1 from=a@example.net reason="5.7.1 Not you"
		submitd: s/n refused user=alice@example.net rcpts=1 size=1 code=550 ms=1 from=a@example.net reason="5.7.1 Not you"
		authd: s rejected verb=MAIL code=530 reason="5.7.0 First" ip=192.0.2.1
		stamp: s/m refused user=nobody code=550
	X
	"$STAGES/digest" post@example.net root@example.net inject-file "$T/box" <"$T/day" 2>"$T/log"
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	cookbook_stored <<-'X'
		From: post@example.net
		To: root@example.net
		Subject: What was refused yesterday
		Auto-Submitted: auto-generated

		  times  user  code reason
		      2  alice@example.net  550 "5.7.1 Not you"
		      1  -  530 "5.7.0 First"
	X
	head -n 1 "$T/day" | "$STAGES/digest" post@example.net root@example.net inject-file "$T/box"
	assertEquals 'nothing refused' 0 $?
	assertFalse 'no message' "[ -e $T/box ]"
	"$STAGES/digest" post@example.net root@example.net false <"$T/day" 2>"$T/log"
	assertEquals 'not taken' 75 $?
}

test_expand_makes_one_recipient_many() {
	printf '%s\n' alice@example.net bob@example.org eve@example.org >"$T/team"
	chain_envelope '<alice@example.net> BODY=8BITMIME RET=HDRS' 'RCPT TO:<team@example.net> NOTIFY=NEVER'
	cookbook_call expand owner@example.net "$T/team"
	assert_says_only 'sent' 0 '250 2.0.0 Sent to 3 members'
	printf '%s\n' 'MAIL FROM:<owner@example.net> BODY=8BITMIME' 'RCPT TO:<alice@example.net>' 'RCPT TO:<bob@example.org>' \
		'RCPT TO:<eve@example.org>' >"$T/want"
	assert_same 'the envelope' "$T/want" "$T/box/1/envelope"
	assert_same 'the message' "$T/msg" "$T/box/1/message"
	rm -r "$T/box"
	lmtpd_start 'RCPT:eve=550 5.1.1 No Eve here'
	chain_call MSA_PARTIAL=1 SMTPAUTHUSER=alice@example.net "$STAGES/expand" owner@example.net "$T/team" lmtp-inject "$T/s"
	lmtpd_ended
	assert_says 'one of them does not exist' 100 '550 5.1.1 No Eve here'
	chain_call SMTPAUTHUSER=a "$STAGES/expand" owner@example.net "$T/team" sh -c 'printf "250 a\n451 later\n250 c\n"'
	assert_says 'for some' 111 '451 4.3.0 The list cannot be served, try again later'
	chain_call SMTPAUTHUSER=a "$STAGES/expand" owner@example.net "$T/team" sh -c 'printf "250 a\n250 c\n"'
	assert_says 'another number' 111 '451 4.3.0 The list cannot be served, try again later'
	chain_call SMTPAUTHUSER=a "$STAGES/expand" owner@example.net "$T/team" sh -c 'echo 250 ok; kill -9 $$'
	assert_says 'killed' 111 '451 4.3.0 The list cannot be served, try again later'
	for from in mallory@example.org lice@example.net alice@example.ne ''; do
		chain_envelope "<$from>" 'RCPT TO:<team@example.net>'
		cookbook_call expand owner@example.net "$T/team"
		assert_says "no member: $from" 100 '550 5.7.1 Only its members write to this list'
	done
	chain_envelope '<alice@example.net>' 'RCPT TO:<team@example.net>'
	echo 'x@example.net>' >>"$T/team"
	cookbook_call expand owner@example.net "$T/team"
	assert_says 'not an address' 111 '451 4.3.0 The list cannot be served, try again later'
	cookbook_call expand owner@example.net "$T/none"
	assert_says 'no members' 111 '451 4.3.0 The list cannot be served, try again later'
}

test_dkim_user_signs_with_the_users_key() {
	mkdir "$T/keys"
	openssl genpkey -algorithm ed25519 -out "$T/key" 2>/dev/null
	chmod 600 "$T/key"
	for name in alice@example.net default; do
		echo "example.net ${name%%@*}:$T/key" | msa-table keys "$T/keys/$name.cdb"
	done
	for user in alice@example.net:alice ../keys/alice@example.net:default bob@example.net:default ':default'; do
		chain_call SMTPAUTHUSER="${user%:*}" "$STAGES/dkim-user" "$T/keys" inject-file "$T/box"
		assertContains "$user: $(cat "$T/log")" "$(cat "$T/box/1/message")" "s=${user##*:};"
		rm -r "$T/box"
	done
	cookbook_call dkim-user "$T/none"
	assert_says 'no tables' 111 '451 4.3.0 The key cannot be found, try again later'
	rm "$T/keys/default.cdb"
	chain_call SMTPAUTHUSER=bob@example.net "$STAGES/dkim-user" "$T/keys" inject-file "$T/box"
	assert_says 'no table' 111 "$ERROR" .
}

# exec'd they are above. Here a call starts each; and the message is whole behind several of them, in any order.
test_several_of_them_in_one_chain_and_as_a_resident() {
	echo '* 999' >"$T/sizes"
	echo '^X-Spam: yes' >"$T/patterns"
	program_lines tools/date 'echo 1200'
	cookbook_call quarantine "$T/patterns" "$T" "$STAGES/attachment-names" "$STAGES/size-by-user" "$T/sizes" \
		"$STAGES/office-hours" 0800 1800 9 "$STAGES/attachment-types" "$STAGES/outside" example.net
	assert_handed_on 'a chain'
	chain_message 'X-Spam: no\r\nSubject: internal\r\n\r\nHello\r\n'
	cookbook_call quarantine "$T/patterns" "$T" "$STAGES/attachment-names" "$STAGES/size-by-user" "$T/sizes" \
		"$STAGES/outside" example.net
	assertEquals 'the last one sees it too' 100 "$code"
	echo '* 9' >"$T/sizes"
	cookbook_call attachment-names "$STAGES/size-by-user" "$T/sizes"
	assertEquals 'and the size is that of all of it' "552 5.3.4 Your messages may have 9 octets, this one has $(wc -c <"$T/msg")" "$(cat "$T/verdict")"
	echo '* 999' >"$T/sizes"
	resident_start size resident -P 1:1 "$STAGES/size-by-user" "$T/sizes" "$STAGES/attachment-names" inject-file "$T/box"
	chain_call SMTPAUTHUSER=alice@example.net call "$T/size"
	assert_handed_on 'a resident'
	echo '* 9' >"$T/sizes"
	chain_call SMTPAUTHUSER=alice@example.net call "$T/size"
	assertContains "$(cat "$T/verdict")" '552 5.3.4 Your messages may have 9 octets'
}

# What the client of a session hears.
test_the_client_hears_the_refusal() {
	echo '* 9' >"$T/sizes"
	for size in 9 999; do
		echo "* $size" >"$T/sizes"
		printf '%s\r\n' 'EHLO c.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA 'Subject: x' '' Hello . QUIT |
			SMTPAUTHUSER=alice@example.net submitd "$STAGES/size-by-user" "$T/sizes" inject-file "$T/box" >"$T/heard" 2>"$T/log"
		tr -d '\r' <"$T/heard" | sed -n '/^354/{n;s/message .*/message ID/;p;}'
	done >"$T/got"
	assert_got 'replies' <<-'X'
		552 5.3.4 Your messages may have 9 octets, this one has 21
		250 2.0.0 Ok, message ID
	X
}

test_the_list_of_stages_is_complete() {
	for stage in "$STAGES"/*; do
		name=$(basename "$stage")
		[ "$name" != README.md ] || continue
		assertTrue "$name in README.md" "grep -q '^| \[$name\]($name)' '$STAGES/README.md'"
		[ -d "$stage" ] || assertTrue "$name has a test" \
			"cat '$ROOT/tests/stage/cookbook_test.sh' '$ROOT/tests/interop/cookbook_test.sh' | grep -q -e '$name'"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
