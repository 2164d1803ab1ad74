#!/bin/sh
# msa-sendmail(8): what programs ask of sendmail, as a message of a chain: options, recipients, the message, who the user
# is, exit codes. Real callers: interop/sendmail_test.sh. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# A chain that keeps what it got as $T/msg, $T/env and $T/facts, and answers what $T/answer has.
oneTimeSetUp() {
	program_make chain <<-'P'
		#!/bin/sh
		cat >"$T/msg"
		cat <&3 >"$T/env"
		env | grep -E '^(MSA|SMTP|TCP|SSL_|RELAY|PROTO|DATAB)' | grep -v '^MSA_\(BIN\|JOBS\)=' | LC_ALL=C sort >"$T/facts"
		cat "$T/answer"
	P
	me=$(id -un)@example.net
}

setUp() {
	rm -f "$T/msg" "$T/env" "$T/facts"
	echo '250 2.0.0 taken' >"$T/answer"
	printf 'From: alice@example.net\nTo: bob@example.org\n\nHello\n' >"$T/draft"
}

# Send $T/draft: $code, $T/log. usage: sent [argument ...]
sent() {
	msa-sendmail -C "$T/chain" -D example.net "$@" <"$T/draft" >"$T/out" 2>"$T/log"
	code=$?
}

# usage: assert_taken what
assert_taken() {
	assertEquals "$1: $(cat "$T/log")" 0 "$code"
	assertEquals "$1: silent" '' "$(cat "$T/out" "$T/log")"
}

# usage: assert_message what text
assert_message() {
	printf '%s' "$2" | sed 's/$/\r/' >"$T/want"
	assert_same "$1" "$T/want" "$T/msg"
}

# usage: assert_refused what code text ; nothing was started
assert_refused() {
	assertEquals "$1: exit code: $(cat "$T/log")" "$2" "$code"
	assertEquals "$1" "msa-sendmail: $3" "$(cat "$T/log")"
	assertFalse "$1: the chain was started" "[ -e $T/msg ]"
}

test_the_user_is_what_the_system_says() {
	(
		export SMTPAUTHUSER=boss@example.net USER=boss LOGNAME=boss MSA_MESSAGE=m MSA_SESSION=s MSA_RCPTS=7 MSA_PARTIAL=1
		export RELAYCLIENT='' TCPREMOTEIP=192.0.2.1 MSA_X_SITE=1 SSL_PROTOCOL=TLSv1.3 DATABYTES=1 MSA_HOST=h MSA_LMTP=1
		sent bob@example.org
		echo "$code" >"$T/code"
	)
	code=$(cat "$T/code")
	assert_taken 'a message'
	sed 's/=[0-9a-z]\{10,14\}$/=ID/' "$T/facts" >"$T/got"
	assert_got 'the facts' <<-X
		MSA_DEADLINE=ID
		MSA_MESSAGE=ID
		MSA_RCPTS=1
		MSA_SESSION=ID
		SMTPAUTHUSER=$me
	X
	printf 'MAIL FROM:<%s>\nRCPT TO:<bob@example.org>\n' "$me" >"$T/want"
	assert_same 'the envelope' "$T/want" "$T/env"
}

test_another_user_is_another_sender() {
	needs root || return 0
	chmod 755 "$T"
	mkdir -m 777 "$T/theirs"
	program_lines theirs/chain 'env >"$T/theirs/facts"; echo 250 2.0.0 taken'
	setpriv --reuid nobody --regid nogroup --clear-groups msa-sendmail -C "$T/theirs/chain" -D example.net \
		-f boss@example.net bob@example.org <"$T/draft" 2>"$T/log"
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	assertTrue 'nobody, whatever -f says' "grep -qx SMTPAUTHUSER=nobody@example.net $T/theirs/facts"
}

# Options, then the envelope that they make, with spaces for LF.
test_options_make_the_envelope() {
	while IFS='|' read -r options want; do
		eval "sent $options"
		assert_taken "$options"
		assertEquals "$options" "$want" "$(tr '\n' ' ' <"$T/env" | sed "s/$me/ME/g; s/ \$//")"
	done <<-'X'
		bob|MAIL FROM:<ME> RCPT TO:<bob@example.net>
		-bm -oi -oem -- bob|MAIL FROM:<ME> RCPT TO:<bob@example.net>
		-FCronDaemon -i -B8BITMIME -oem bob|MAIL FROM:<ME> RCPT TO:<bob@example.net>
		-i -f carol bob@example.org|MAIL FROM:<carol@example.net> RCPT TO:<bob@example.org>
		-r '<carol@Example.NET>' bob|MAIL FROM:<carol@example.net> RCPT TO:<bob@example.net>
		-f 'Carol <carol@example.org>' bob|MAIL FROM:<carol@example.org> RCPT TO:<bob@example.net>
		-f '' bob|MAIL FROM:<> RCPT TO:<bob@example.net>
		-f '<>' bob|MAIL FROM:<> RCPT TO:<bob@example.net>
		-N never -R hdrs -V id bob dave|MAIL FROM:<ME> RET=hdrs ENVID=id RCPT TO:<bob@example.net> NOTIFY=never RCPT TO:<dave@example.net> NOTIFY=never
		-N success,delay bob|MAIL FROM:<ME> RCPT TO:<bob@example.net> NOTIFY=success,delay
		'bob, "D. E." <dave@example.org>' bob|MAIL FROM:<ME> RCPT TO:<bob@example.net> RCPT TO:<dave@example.org>
		-t|MAIL FROM:<ME> RCPT TO:<bob@example.org>
		-ti -oee|MAIL FROM:<ME> RCPT TO:<bob@example.org>
		-t carol|MAIL FROM:<ME> RCPT TO:<carol@example.net> RCPT TO:<bob@example.org>
		-A c -G -h 3 -L tag -m -n -O a=b -odb -p x -U -X /dev/null -x -d -d0.1 -e m bob|MAIL FROM:<ME> RCPT TO:<bob@example.net>
		b\ö@example.org|MAIL FROM:<ME> SMTPUTF8 RCPT TO:<bö@example.org>
	X
	printf 'A: b\n\nf\303\266\n' >"$T/draft"
	sent bob
	assertEquals '8-bit' "MAIL FROM:<$me> BODY=8BITMIME" "$(head -n 1 "$T/env")"
}

test_the_header_names_the_recipients() {
	cat >"$T/draft" <<-'X'
		Received: x
		To: "Smith, Bob" <bob@example.org>,
		 carol
		Cc: team: dave@example.org, bob@example.org;, (nobody)
		bcc: Eve <eve@example.org>
		Bcc:
		Subject: x

		To: frank@example.org
	X
	sent -t
	assert_taken '-t'
	assertEquals 'bob@example.org carol@example.net dave@example.org eve@example.org' \
		"$(sed -n 's/^RCPT TO:<\(.*\)>/\1/p' "$T/env" | tr '\n' ' ' | sed 's/ $//')"
	assert_message 'Bcc is gone' "$(sed '/^[bB]cc/d' "$T/draft")
"
	printf 'Resent-To: gina@example.org\nTo: bob@example.org\nResent-Bcc: hal\nA: b\n\nx\n' >"$T/draft"
	sent -t
	assertEquals 'gina@example.org hal@example.net' \
		"$(sed -n 's/^RCPT TO:<\(.*\)>/\1/p' "$T/env" | tr '\n' ' ' | sed 's/ $//')"
	assert_message 'and Resent-Bcc' 'Resent-To: gina@example.org
To: bob@example.org
A: b

x
'
}

test_a_line_of_a_single_dot_ends_the_message() {
	printf 'A: b\n\none\n..\n. \n.x\n.\ntwo\n' >"$T/draft"
	sent bob
	assert_message 'without -i' 'A: b

one
..
. 
.x
'
	for i in -i -oi -ti; do
		sent $i bob
		assert_message "$i" "$(cat "$T/draft")
"
	done
	for end in '.\r\nmore\n' '.' '.\r' '.\n'; do
		printf "A: b\r\n\r\none\r\n$end" >"$T/draft"
		sent bob
		assert_message "$end" 'A: b

one
'
	done
	# The dot is the last octet that is read at once, or its CR is.
	for before in 65535 65534 65533; do
		{ printf 'A: b\n\n' && head -c "$((before - 7))" /dev/zero | tr '\0' x && printf '\n.\r\nmore'; } >"$T/draft"
		sent bob
		assertEquals "$before" "$((before + 3))" "$(wc -c <"$T/msg")"
		rm "$T/msg"
		{ printf 'A: b\n\n' && head -c "$((before - 7))" /dev/zero | tr '\0' x && printf '\n.\rx\n.'; } >"$T/draft"
		sent bob
		assert_refused "$before" 65 'the message: line 4 has a NUL or a CR without LF'
	done
}

test_a_text_without_a_header_gets_an_empty_one() {
	printf 'backup failed\n' >"$T/draft"
	sent bob
	assert_message 'a text' '
backup failed
'
	printf '\nbackup failed' >"$T/draft"
	sent bob
	assert_message 'an empty line first' '
backup failed
'
	printf 'From bob Sat Nov 28 12:00:00 2026\nSubject: x\n\ny\n' >"$T/draft"
	sent bob
	assert_message 'of a mailbox file' 'Subject: x

y
'
	printf 'From me to you\n' >"$T/draft"
	sent -F 'Me "M" \ .' bob
	assert_message 'with -F' "From: \"Me \\\"M\\\" \\\\ .\" <$me>

"
	printf 'A: b\n' >"$T/draft"
	sent -f carol -F 'Jürgen Müller, der mit dem langen Namen aus Großröhrsdorf' bob
	assert_message 'encoded words' 'A: b
From: =?UTF-8?B?SsO8cmdlbiBNw7xsbGVyLCBkZXIgbWl0IGRlbSBsYW5nZW4gTmFtZW4g?=
 =?UTF-8?B?YXVzIEdyb8OfcsO2aHJzZG9yZg==?= <carol@example.net>
'
	sent -F 'x
Bcc: y' bob
	assert_message 'a name never makes a field' "A: b
From: =?UTF-8?B?eApCY2M6IHk=?= <$me>
"
}

test_the_exit_code_says_what_is_wrong() {
	while IFS='|' read -r options want text; do
		eval "sent $options"
		assert_refused "$options" "$want" "$text"
	done <<-'X'
		|64|no recipient: name one, or give -t for those in the header
		-bd|64|d: a mode of -b that is not one of m, s, p and i
		-N sometimes bob|64|-N sometimes: not a value of NOTIFY (RFC 3461)
		-R all bob|64|-R all: not a value of RET (RFC 3461)
		-V 'a b' bob|64|-V a b: not a value of ENVID (RFC 3461)
		-C chain bob|64|chain: the file of -C, without a directory
		-F "$(printf '\377')" bob|64|-F: not UTF-8
		-f a,b bob|64|-f: not one address
		-f 'a b' bob|65|-f: not a valid list of addresses
		'bob@'|65|bob@: not a valid list of addresses
		-D 'a b' bob|78|a b: not the domain of this machine's users: write it to /etc/mailname
		-C /none/chain bob|78|/none/chain: No such file or directory
	X
	sent -z
	assertEquals 'an option that nobody knows' 64 "$code"
	assertContains "$(cat "$T/log")" 'usage: msa-sendmail [-itv]'
	printf 'To: a@b@c\n\n' >"$T/draft"
	sent -t
	assert_refused 'an invalid field' 65 'To: not a valid list of addresses'
	printf 'Subject: x\n\n' >"$T/draft"
	sent -t
	assert_refused 'nobody in the header' 64 'no recipient: none in To, Cc and Bcc'
	printf 'A: b\n\nx\0y\n' >"$T/draft"
	sent bob
	assert_refused 'a NUL' 65 'the message: line 3 has a NUL or a CR without LF'
	: >"$T/draft"
	sent bob
	assert_refused 'nothing' 66 'standard input: empty: no message'
	while IFS='|' read -r answer want; do
		setUp
		echo "$answer" >"$T/answer"
		sent bob
		assertEquals "$answer" "$want" "$code"
		assertEquals "$answer" "msa-sendmail: bob@example.net: $answer" "$(cat "$T/log")"
	done <<-'X'
		451 4.3.0 Later|75
		550 5.1.1 Nobody|67
		550 5.7.1 Not you|77
	X
}

test_the_log_is_shown_by_v() {
	sent -v bob
	assertEquals 0 "$code"
	assert_logged "^msa-sendmail: [^ ]* accepted user=$me rcpts=1 size=55 code=250 ms=[0-9]* from=$me\$"
}

test_a_session_on_standard_input() {
	printf '%s\r\n' 'EHLO x' "MAIL FROM:<$me>" 'RCPT TO:<bob@example.org>' DATA 'A: b' '' '..x' . QUIT >"$T/draft"
	SMTPAUTHUSER=boss@example.net MSA_X_A=1 sent -bs
	assertEquals "$(cat "$T/log")" 0 "$code"
	assertEquals 'replies' '220 250 250 250 354 250 221 ' "$(sed -n 's/^\([0-9]*\) .*/\1/p' "$T/out" | tr '\n' ' ')"
	assert_message 'the message' 'A: b

.x
'
	assertTrue 'the user' "grep -qx 'SMTPAUTHUSER=$me' $T/facts"
	assertFalse 'no variable of the site' "grep -q MSA_X $T/facts"
}

test_other_modes() {
	for mode in -bi -I -q -q30m; do
		sent $mode
		assert_taken "$mode"
	done
	program_lines msa-spool 'echo "$@"'
	ln -sf "$(command -v msa-sendmail)" "$T/mailq"
	ln -sf "$(command -v msa-sendmail)" "$T/newaliases"
	PATH=$T:$PATH sent -bp
	assertEquals '-bp' 'list /var/spool/msa' "$(cat "$T/out")"
	assertEquals mailq 'list /var/spool/msa' "$(PATH=$T:$PATH mailq)"
	"$T/newaliases"
	assertEquals newaliases 0 $?
	rm -f "$T/msa-spool"
}

. "$SHUNIT2"
