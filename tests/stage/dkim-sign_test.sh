#!/bin/sh
# dkim-sign: which messages are signed, by which keys, and how the field looks. interop/dkim-sign verifies signatures.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/dkim.sh
. "$ROOT/tests/lib/dkim.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

LOCAL='451 4.3.0 Local error, try again later'

oneTimeSetUp() {
	program_make next <<-'X'
		#!/bin/sh
		cat >"$T/got.msg"
		echo '250 2.0.0 taken'
	X
	dkim_keys
}

setUp() {
	rm -f "$T"/got.* "$T/log"
	chain_message 'From: alice@example.net\r\nTo: bob@example.org\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 22:30:00 +0000\r\nMessage-ID: <a@example.net>\r\n\r\nbody\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	dkim_table "example.net ed:$T/ed.pem"
}

both_keys() {
	dkim_table "example.net rsa:$T/rsa.pem ed:$T/ed.pem"
}

tearDown() {
	resident_stop_all
}

# usage: signed [word ...]
signed() {
	rm -f "$T/got.msg"
	chain_call dkim-sign -t "$T/keys.cdb" "$@" "$T/next"
}

# The new signatures are by these domains and selectors, on top of the message. usage: assert_signed what [domain/selector ...]
assert_signed() {
	what=$1
	shift
	# shellcheck disable=SC2046
	set -- "$*" $(stat -c %s "$T/msg" "$T/got.msg")
	assertEquals "$what: by" "$1" "$(head -c "$(($3 - $2))" "$T/got.msg" | awk '{ sub(/\r$/, ""); text = text $0 }
		END { while (match(text, /d=[^;]*;[ \t]*s=[^;]*;/)) {
			by = substr(text, RSTART + 2, RLENGTH - 3); sub(/;[ \t]*s=/, "/", by); printf "%s%s", sep, by
			text = substr(text, RSTART + RLENGTH); sep = " " } }')"
	tail -c "$2" "$T/got.msg" | cmp -s "$T/msg" -
	assertTrue "$what: what is below stays" $?
}

# The field on top, on one line.
top_field() {
	awk '{ sub(/\r$/, "") } NR > 1 && !/^\t/ { exit } { printf "%s", $0 }' "$T/got.msg" | tr '\t' ' '
}

# usage: assert_unsigned what why
assert_unsigned() {
	assertTrue "$1: unchanged" "cmp $T/msg $T/got.msg"
	assert_logged "^dkim-sign: S/M done $2 ms=[0-9]*\$"
}

# Headers of one line: the fields between CR LF.
header() {
	chain_message "$1\\r\\n\\r\\nbody\\r\\n"
}

test_the_fields() {
	both_keys
	signed
	assertEquals 'exit code' 0 "$code"
	assertEquals 'the verdict' '250 2.0.0 taken' "$(cat "$T/verdict")"
	assert_signed 'both' example.net/rsa example.net/ed
	assert_logged '^dkim-sign: S/M done signed="example.net/rsa example.net/ed" ms=[0-9]*$'
	assertEquals 'CR LF' 0 "$(grep -vc "$(printf '\r')\$" "$T/got.msg")"
	# bh= is that of "body" CR LF
	bh=$(printf 'body\r\n' | openssl dgst -sha256 -binary | base64)
	tr -d '\r' <"$T/got.msg" | sed 's/\bt=[0-9]*/t=N/; s/^	b=.*/	b=(B)/; /^	[A-Za-z0-9+/=]*$/d; s/^	/  /' >"$T/got"
	assert_got 'the fields' <<-X
		DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=rsa;
		  t=N; h=From:From:Reply-To:Subject:Subject:Date:Date:To:To:Cc:
		  Message-ID:Message-ID; bh=$bh;
		  b=(B)
		DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.net;
		  s=ed; t=N; h=From:From:Reply-To:Subject:Subject:Date:Date:To:To:
		  Cc:Message-ID:Message-ID; bh=$bh;
		  b=(B)
		From: alice@example.net
		To: bob@example.org
		Subject: x
		Date: Sat, 21 Nov 2026 22:30:00 +0000
		Message-ID: <a@example.net>

		body
	X
	assertEquals 'no long line' '' "$(tr -d '\r' <"$T/got.msg" | expand | grep '^.\{85\}')"
	now=$(date +%s)
	made=$(grep -o '\bt=[0-9]*' "$T/got.msg" | head -n 1 | cut -c3-)
	assertTrue "$made is the time" "[ $made -le $now ] && [ $made -gt $((now - 300)) ]"
}

test_the_fields_that_are_signed() {
	while IFS='|' read -r fields names; do
		header "From: a@example.net$fields"
		signed
		assertEquals "$fields" "$names" "$(top_field | sed 's/.* h=\([^;]*\);.*/\1/; s/ //g')"
	done <<-'X'
		|From:From:Reply-To:Subject:Date:To:Cc
		\r\nDate: 1\r\nReply-To: r\r\nCC: c\r\nX-A: b\r\nSender: s\r\nReceived: r|From:From:Reply-To:Reply-To:Subject:Date:Date:To:Cc:Cc
		\r\nMessage-ID: m\r\nIn-Reply-To: i\r\nReferences: r|From:From:Reply-To:Subject:Date:To:Cc:Message-ID:Message-ID:In-Reply-To:References
		\r\nmime-version: 1.0\r\nContent-Type: t\r\nContent-transfer-encoding: e|From:From:Reply-To:Subject:Date:To:Cc:MIME-Version:MIME-Version:Content-Type:Content-Type:Content-Transfer-Encoding:Content-Transfer-Encoding
		\r\nList-Id: l\r\nResent-To: a\r\nResent-From: b\r\nResent-To: c|From:From:Reply-To:Subject:Date:To:Cc:Resent-From:Resent-To:Resent-To:List-Id
	X
}

test_a_second_run_changes_nothing() {
	both_keys
	signed
	cp "$T/got.msg" "$T/msg"
	signed
	assertTrue 'unchanged' "cmp $T/msg $T/got.msg"
	assert_logged '^dkim-sign: S/M done kept="example.net/rsa example.net/ed" ms=[0-9]*$'
	signed -x 86400
	assertTrue 'with another option' "cmp $T/msg $T/got.msg"
	{ printf 'Received: from x by y;\r\n\tSat, 21 Nov 2026 22:30:00 +0000\r\n' && cat "$T/got.msg"; } >"$T/msg"
	signed
	assertTrue 'below Received' "cmp $T/msg $T/got.msg"
	sed 's/\(a=[a-z0-9-]*;\) /\1\r\n    /; s/ h=From:/ h = From :\r\n /' "$T/got.msg" >"$T/msg"
	signed
	assert_signed 'where relaxed sees the difference' example.net/rsa example.net/ed
	sed 's/\(a=[a-z0-9-]*;\) /\1\r\n    /' "$T/got.msg" >"$T/msg"
	signed
	assertTrue 'folded by another server' "cmp $T/msg $T/got.msg"
	dkim_table "example.net rsa:$T/rsa.pem ed:$T/ed.pem new:$T/ed.pem"
	signed
	assert_signed 'another key' example.net/new
	assert_logged 'done signed=example.net/new kept="example.net/rsa example.net/ed"'
}

test_a_signature_that_is_not_ours_or_broken_does_not_count() {
	both_keys
	signed
	cp "$T/got.msg" "$T/good"
	while IFS='|' read -r what change; do
		sed "$change" "$T/good" >"$T/msg"
		signed
		assert_signed "$what" example.net/rsa example.net/ed
		cp "$T/got.msg" "$T/msg"
		signed
		assertTrue "$what: then it does" "cmp $T/msg $T/got.msg"
	done <<-'X'
		another body|s/^body/bodz/
		another subject|s/^Subject: x/Subject: y/
		a field more|s/^Subject:/Cc: x@example.net\r\n&/
		another time|s/t=\([0-9]\)/t=1\1/
		no time|s/t=[0-9]*;//
		expired|s/t=[0-9]*;/t=1; x=2;/
		garbled|s/v=1; a=[^;]*/v=1; a=x/
		of another domain|s/d=example.net/d=example.com/
		of another selector|s/s=\([a-z]*\);/s=\1x;/
	X
	printf 'DKIM-Signature: d=example.net; s=rsa\r\nDKIM-Signature:\r\nDKIM-Signature: ;;=;d;s\r\n' >"$T/msg"
	cat "$T/good" >>"$T/msg"
	signed
	assert_signed 'only the topmost counts' example.net/rsa
}

test_keys_by_domain() {
	dkim_table "example.net a:$T/rsa.pem" ".example.net b:$T/ed.pem" 'no.example.net' "x.example.net c@example.com:$T/ed.pem" \
		"xn--bcher-kva.example d:$T/ed.pem" "two.example e@example.net:$T/ed.pem,a@example.net:$T/rsa.pem"
	while IFS='|' read -r from by; do
		header "From: $from"
		signed
		# shellcheck disable=SC2086
		assert_signed "$from" $by
	done <<-'X'
		alice@example.net|example.net/a
		Alice <ALICE@EXAMPLE.NET> (alice)|example.net/a
		alice@sub.sub.example.net|example.net/b
		alice@no.example.net|
		alice@x.example.net|example.com/c
		alice@y.x.example.net|example.net/b
		alice@example.org|
		alice|
		alice@[192.0.2.1]|
		alice@net|
		alice@bücher.example|xn--bcher-kva.example/d
		alice@xn--bcher-kva.example|xn--bcher-kva.example/d
		a@example.net, b@sub.example.net, c@example.net, d@example.org|example.net/a example.net/b
		a@example.net, b@two.example|example.net/a example.net/e
		Group: a@example.net;|example.net/a
	X
}

test_without_a_record() {
	header 'From: a@example.org, b@example.com, c@example.org'
	signed
	assert_unsigned 'none' 'unsigned="example.org example.com"'
	header 'From: a@example.net, b'
	signed
	assert_logged '^dkim-sign: S/M done signed=example.net/ed unsigned=? ms=[0-9]*$'
	signed -r
	assert_verdict '-r' '550 5.7.1 From: there is no key to sign for ?'
	assertEquals 'exit code' 100 "$code"
	assertFalse 'not handed on' "[ -e $T/got.msg ]"
	assert_logged '^dkim-sign: S/M refused why="From: there is no key to sign for ?"$'
	header 'From: a@☃.example'
	signed -r
	assert_verdict 'a reply is ASCII' '550 5.7.1 From: there is no key to sign for ?'
	header 'From: a@example.net'
	signed -r
	assert_signed 'with a record' example.net/ed
	dkim_table 'example.net'
	signed -r
	assert_verdict 'an empty record' '550 5.7.1 From: there is no key to sign for example.net'
}

test_what_cannot_be_signed() {
	many=$(i=0; while [ "$i" -lt 200 ]; do i=$((i + 1)); printf '\\r\\nList-Id: x'; done)
	domains=$(i=0; while [ "$i" -lt 101 ]; do i=$((i + 1)); printf 'a@%s.example, ' "$i"; done)
	while IFS='|' read -r fields why; do
		header "$fields"
		signed
		assert_unsigned "$fields" "why=\"$why\""
		signed -r
		assert_verdict "$fields" "554 5.6.0 $why"
	done <<-X
		Subject: x|From: missing
		From: a@example.net\r\nFROM: a@example.net|From: there is more than one such field
		From: a@example.net <b|From: there is no valid address, or there are too many
		From: (alice)|From: there is no valid address, or there are too many
		From: ${domains}b@example.net|From: there is no valid address, or there are too many
		From: $(text_repeat 100 'a@example.net, ')b@example.net|From: there is no valid address, or there are too many
		From: a@example.net\r\nTo: x\r\nSubject: y\r\nTo: x|To: there is more than one such field
		From: a@example.net\r\nContent-Type: x\r\nContent-Type: x|Content-Type: there is more than one such field
		From: a@example.net\r\nno field\r\nX: y|Line 2 is not a header field
		 folded: x\r\nFrom: a@example.net|Line 1 is not a header field
		From: a@example.net$many|There are too many fields to sign
	X
	chain_message 'From: a@example.net\nTo: b\r\n\r\nbody\r\n'
	signed
	assert_verdict 'a bare LF' '554 5.6.0 Bare CR or bare LF in the header'
	{ printf 'From: a@example.net\r\nX: ' && text_repeat 1048600 x && printf '\r\n\r\nbody\r\n'; } >"$T/msg"
	signed
	assert_verdict 'a long header' '554 5.6.0 Header is too long'
}

# The record of a message with several authors can have more keys than a message has signatures.
test_no_more_than_eight_signatures() {
	list=$(for n in 1 2 3 4 5 6 7 8; do printf ' s%s:%s' "$n" "$T/ed.pem"; done)
	dkim_table "example.net$list" "example.org$list"
	header 'From: a@example.net'
	signed
	assert_signed 'eight' example.net/s1 example.net/s2 example.net/s3 example.net/s4 example.net/s5 example.net/s6 \
		example.net/s7 example.net/s8
	header 'From: a@example.net, b@example.org'
	signed
	assert_unsigned 'sixteen' 'why="From: there are too many domains"'
}

test_a_message_that_came_in_the_clear_is_not_signed() {
	while IFS='|' read -r facts words by; do
		rm -f "$T/got.msg"
		# shellcheck disable=SC2086
		chain_call $facts dkim-sign -t "$T/keys.cdb" $words "$T/next"
		case $by in
		no) assert_unsigned "$facts" 'user=alice why="The message came in the clear"' ;;
		refused) assert_verdict "$facts" '550 5.7.1 The message came in the clear' ;;
		*) assert_signed "$facts" example.net/ed ;;
		esac
	done <<-'X'
		SMTPAUTHUSER=alice MSA_VERB=EHLO||no
		SMTPAUTHUSER=alice MSA_VERB=EHLO|-r|refused
		SMTPAUTHUSER=alice MSA_VERB=EHLO|-i|yes
		SMTPAUTHUSER=alice MSA_VERB=EHLO SSL_PROTOCOL=TLSv1.3||yes
		MSA_VERB=HELO RELAYCLIENT=||yes
		SMTPAUTHUSER=alice||yes
	X
}

test_an_end_of_a_signature() {
	signed -x 86400
	made=$(top_field | sed 's/.* t=\([0-9]*\);.*/\1/')
	assertContains "$(top_field)" " t=$made; x=$((made + 86400)); h="
	cp "$T/got.msg" "$T/msg"
	signed
	assertTrue 'a second run' "cmp $T/msg $T/got.msg"
}

test_a_signature_that_has_expired_does_not_count() {
	clock_starts || return 0
	timed() {
		clock_at "$1"
		chain_call "$T/timed" dkim-sign -x 3600 -t "$T/keys.cdb" "$T/next"
	}
	timed 0
	assertContains "$(top_field)" " t=$BEGIN; x=$((BEGIN + 3600)); "
	cp "$T/got.msg" "$T/msg"
	timed 3599
	assertTrue 'the last second' "cmp $T/msg $T/got.msg"
	timed 3600
	assert_signed 'over' example.net/ed
}

test_a_filter_and_line_ends() {
	dkim-sign -t "$T/keys.cdb" <"$T/msg" >"$T/got.msg"
	assertEquals 'exit code' 0 $?
	assert_signed 'CR LF' example.net/ed
	bh=$(grep -o 'bh=[^;]*' "$T/got.msg")
	sed -i 's/\r$//' "$T/msg"
	dkim-sign -t "$T/keys.cdb" <"$T/msg" >"$T/got.msg"
	assert_signed 'LF' example.net/ed
	assertEquals 'as if it had CR LF' "$bh" "$(grep -o 'bh=[^;]*' "$T/got.msg")"
	assertFalse 'LF in the field' "grep -q '$(printf '\r')' $T/got.msg"
	dkim-sign -t "$T/keys.cdb" <"$T/got.msg" >"$T/out"
	assertTrue 'a second run' "cmp $T/got.msg $T/out"
	printf 'From: a@example.net\nTo: b\r\n\r\nbody\n' | dkim-sign -t "$T/keys.cdb" >"$T/out"
	assertContains 'LF, then CR LF' "$(cat "$T/out")" "$bh"
	printf 'From: a@example.net\r\nTo: b\n\r\nbody\r\n' | dkim-sign -t "$T/keys.cdb" >"$T/out" 2>"$T/log"
	assertEquals 'CR LF, then LF' 100 $?
	echo 'Subject: x' | dkim-sign -r -t "$T/keys.cdb" >"$T/out" 2>"$T/log"
	assertEquals 'refused' 100 $?
	assertEquals 'dkim-sign: From: missing' "$(cat "$T/log")"
	dkim-sign -t "$T/keys.cdb" </dev/null 2>"$T/log"
	assertEquals 'empty' 111 $?
}

# usage: assert_invalid what text
assert_invalid() {
	dkim-sign -q "$T/keys.cdb" example.net >"$T/out" 2>"$T/log"
	assertEquals "$1" 100 $?
	assertEquals "$1" "dkim-sign: $T/keys.cdb: record of $2" "$(cat "$T/log")"
}

test_an_invalid_table() {
	item='not selector:/file or selector@domain:/file'
	while IFS='|' read -r row why; do
		dkim_table "$row"
		assert_invalid "$row" "$why"
		signed
		assert_verdict "$row" "$LOCAL"
	done <<-X
		Example.net a:$T/ed.pem|Example.net: the key has a capital letter
		alice@example.net a:$T/ed.pem|alice@example.net: no look-up finds this key
		bücher.example a:$T/ed.pem|bücher.example: no look-up finds this key
		..net a:$T/ed.pem|..net: no look-up finds this key
		* a:$T/ed.pem|*: no look-up finds this key
		example.net $T/ed.pem|example.net: $T/ed.pem: $item
		example.net :$T/ed.pem|example.net: :$T/ed.pem: $item
		example.net a@:$T/ed.pem|example.net: a@:$T/ed.pem: $item
		example.net a@b@c:$T/ed.pem|example.net: a@b@c:$T/ed.pem: $item
		example.net a:ed.pem|example.net: a:ed.pem: $item
		example.net a:|example.net: a:: $item
		example.net a_b:$T/ed.pem|example.net: a_b:$T/ed.pem: $item
		example.net ä:$T/ed.pem|example.net: ä:$T/ed.pem: $item
		example.net a:$T/ed.pem a:$T/rsa.pem|example.net: a selector stands twice
		example.net a:$T/ed.pem A@EXAMPLE.NET:$T/rsa.pem|example.net: a selector stands twice
		example.net$(for n in 1 2 3 4 5 6 7 8 9; do printf ' s%s:%s' "$n" "$T/ed.pem"; done)|example.net: too many keys
	X
	long=$(text_repeat 60 x)
	dkim_table "$long.$long.$long.example $long:$T/ed.pem"
	assert_invalid 'a name longer than the DNS allows' "$(echo "$long.$long.$long.example" | cut -c1-100): $item"
	dkim-sign -l "$T/r" -t "$T/keys.cdb" true 2>"$T/log" </dev/null
	assertEquals 'a resident' 100 $?
	printf x >"$T/keys.cdb"
	signed
	assert_verdict 'not a table' "$LOCAL"
	dkim_table
	signed
	assert_unsigned 'an empty table' 'unsigned=example.net'
}

test_an_invalid_key() {
	openssl genrsa -out "$T/short.pem" 768 2>/dev/null
	openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out "$T/ec.pem" 2>/dev/null
	openssl genpkey -algorithm ed25519 -aes128 -pass pass:x -out "$T/locked.pem" 2>/dev/null
	openssl pkey -in "$T/rsa.pem" -pubout -out "$T/public.pem"
	openssl pkey -in "$T/rsa.pem" -outform DER -out "$T/der.pem"
	head -n 10 "$T/rsa.pem" >"$T/half.pem"
	: >"$T/empty.pem"
	text_repeat 65537 x >"$T/big.pem"
	chmod 600 "$T"/*.pem
	cp "$T/rsa.pem" "$T/open.pem"
	chmod 644 "$T/open.pem"
	mkfifo "$T/fifo.pem"
	pem='not a private key in PEM, or one with a passphrase'
	while IFS='|' read -r file why; do
		dkim_table "example.net ed:$T/ed.pem a:$T/$file.pem"
		assert_invalid "$file" "example.net: $T/$file.pem: $why"
	done <<-X
		none|No such file or directory
		open|open to everybody
		fifo|not a regular file
		short|an RSA key of less than 1024 bits
		ec|neither an RSA nor an Ed25519 key
		locked|$pem
		public|$pem
		der|$pem
		half|$pem
		empty|$pem
		big|File too large
	X
	needs root || return 0
	chmod 755 "$T"
	setpriv --reuid=65534 --clear-groups env PATH="$PATH" dkim-sign -q "$T/keys.cdb" example.net 2>"$T/log"
	dkim_table "example.net ed:$T/ed.pem"
	chmod 644 "$T/keys.cdb"
	setpriv --reuid=65534 --clear-groups env PATH="$PATH" dkim-sign -q "$T/keys.cdb" example.net 2>"$T/log"
	assertEquals 'of another user' 100 $?
	assertEquals "dkim-sign: $T/keys.cdb: record of example.net: $T/ed.pem: Permission denied" "$(cat "$T/log")"
}

test_a_resident_reads_keys_once_and_again_on_sighup() {
	cp "$T/ed.pem" "$T/own.pem"
	dkim_table "example.net own:$T/own.pem"
	as=
	[ "$(id -u)" -ne 0 ] || as='-U nobody'
	chmod 777 "$T" # the next program writes there
	# shellcheck disable=SC2086
	resident_start sign dkim-sign $as -P 1:1 -C 1 -t "$T/keys.cdb" "$T/next" # -C 1: each message has a new worker
	rm "$T/own.pem"
	rm -f "$T/got.msg"
	chain_call call "$T/sign"
	assert_signed 'the file is away' example.net/own
	dkim_table "example.net new:$T/ed.pem"
	rm -f "$T/got.msg"
	chain_call call "$T/sign"
	assert_signed 'not yet' example.net/own
	# shellcheck disable=SC2154
	kill -HUP "$sign_pid"
	wait_until grep -q ' reloaded' "$T/sign.log"
	rm -f "$T/got.msg"
	chain_call call "$T/sign"
	assert_signed 'reloaded' example.net/new
	dkim_table "example.net newer:$T/none.pem"
	kill -HUP "$sign_pid"
	wait_until grep -q 'failed reason=.*/keys.cdb: record of example.net: .*/none.pem: No such file or directory' "$T/sign.log"
	for n in 1 2; do # a worker waited for the first one
		rm -f "$T/got.msg"
		chain_call call "$T/sign"
		assert_signed "kept, message $n" example.net/new
	done
}

# In one chain with the other stages: apart, and behind those of one process.
test_a_session_with_it() {
	for inline in '' inline; do
		rm -f "$T/got.msg"
		# shellcheck disable=SC2086
		printf '<\n> EHLO client\n<\n> MAIL FROM:<a@example.net>\n<\n> RCPT TO:<b@example.org>\n<\n> DATA\n<\n>> From: a@example.net\\r\\n\\r\\n.\\r\\n\n<\n> QUIT\n<<\n' |
			RELAYCLIENT='' talk $inline submitd qualify dkim-sign -t "$T/keys.cdb" stamp "$T/next" >"$T/heard" 2>"$T/log"
		assertEquals "${inline:-apart}" 1 "$(grep -c '^250 2.0.0 Ok, message' "$T/heard")"
		assertEquals "${inline:-apart}" 'Received DKIM-Signature From Date Message-ID' \
			"$(tr -d '\r' <"$T/got.msg" | sed -n 's/^\([A-Z][A-Za-z-]*\):.*/\1/p' | paste -sd' ')"
	done
}

# 100 MB go through, and the stage does not grow with them.
test_memory_does_not_grow_with_the_body() {
	needs plain || return 0
	chain_call sh -c "ulimit -v 100000; exec dkim-sign -t $T/keys.cdb $T/next"
	assert_signed 'a small one' example.net/ed
	{ printf 'From: a@example.net\r\n\r\n' && head -c 104857600 /dev/zero | tr '\0' x | fold -w 998 | sed 's/$/\r/' && printf '\r\n'; } >"$T/msg"
	chain_call sh -c "ulimit -v 100000; exec dkim-sign -t $T/keys.cdb $T/next"
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	assertEquals 'the hash' "$(tail -n +3 "$T/msg" | openssl dgst -sha256 -binary | base64)" "$(top_field | sed 's/.*bh=\([^;]*\);.*/\1/')"
	rm -f "$T/msg" "$T/got.msg"
}

test_the_record_for_the_dns_is_printed() {
	dkim_table "example.net rsa:$T/rsa.pem ed:$T/ed.pem" '.example.net'
	dkim-sign -q "$T/keys.cdb" Example.NET >"$T/out"
	assertEquals 'exit code' 0 $?
	assertEquals 'no string is too long' '' "$(grep -o '"[^"]*"' "$T/out" | grep '^.\{258\}')"
	sed 's/\. TXT ( "/ /; s/" "//g; s/" )$//' "$T/out" >"$T/got"
	assert_same 'as openssl has the keys' "$T/dns" "$T/got"
	while IFS='|' read -r words want_code want; do
		# shellcheck disable=SC2086
		said=$(dkim-sign -q "$T/keys.cdb" $words 2>&1)
		code=$?
		assertEquals "$words" "$want" "$said"
		assertEquals "$words" "$want_code" "$code"
	done <<-'X'
		a.example.net|1|The record is empty: no signature.
		example.org|1|There is no record: no signature.
		a@example.net|100|dkim-sign: a@example.net: not a domain
	X
}

test_misuse() {
	for words in '' "$T/next" "-t $T/none $T/next" "-t $T/keys.cdb" "-x 0 -t $T/keys.cdb $T/next" "-x 31536001 -t $T/keys.cdb $T/next" \
		"-q $T/keys.cdb" "-q $T/keys.cdb a b" "-y -t $T/keys.cdb $T/next"; do
		# shellcheck disable=SC2086
		chain_call dkim-sign $words
		assertEquals "$words" 111 "$code"
		assert_verdict "$words" "$LOCAL"
	done
	rcpts=5
	dkim-sign -t "$T/keys.cdb" "$T/next" <"$T/msg" >"$T/out" 2>"$T/log"
	assertEquals 'not in a chain' 100 $?
}

# shellcheck source=/dev/null
. "$SHUNIT2"
