#!/bin/sh
# encrypt: who gets which copy, what gpg finds in it, and that nothing goes on in the clear by mistake.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/pgp.sh
. "$ROOT/tests/lib/pgp.sh"

LOCAL='451 4.3.0 Local error, try again later'
NO_KEY='554 5.7.5 There is no key to encrypt to this recipient'
UNUSABLE='554 5.7.5 The key for this recipient cannot be used'
SEVERAL='554 5.7.5 There are several keys for this recipient, not one to encrypt to'

# A chain keeps what it got under the local part of its first recipient, and answers each of them.
oneTimeSetUp() {
	program_make next <<-'X'
		#!/bin/sh
		cat <&3 >"$T/env.$$"
		name=$(sed -n 's/^RCPT TO:<\([^@>]*\).*/\1/p' "$T/env.$$" | head -n 1)
		mv "$T/env.$$" "$T/got.$name.env"
		cat >"$T/got.$name.msg"
		echo "$MSA_RCPTS" >"$T/got.$name.rcpts"
		[ ! -e "$T/answer.$name" ] || { cat "$T/answer.$name"; exit; }
		sed -n 's/^RCPT TO:<\([^>]*\)>.*/250 2.0.0 \1/p; s/^5/5/p' "$T/got.$name.env"
		echo .
	X
	pgp_keys
	pgp_keyring
	cp -r "$T/keys" "$T/keys.good"
}

oneTimeTearDown() {
	[ ! -d "$T/secret" ] || pgp_end
}

setUp() {
	rm -rf "$T"/got.* "$T"/answer.* "$T/log" "$T/keys" "$T/fake"
	cp -r "$T/keys.good" "$T/keys"
	chain_message 'From: alice@example.net\r\nTo: Bob <bob@example.org>\r\nCc: carol@EXAMPLE.org\r\nSubject: x\r\n\r\nsecret\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
}

tearDown() {
	resident_stop_all
}

# usage: encrypted [option ...] [NAME=value ...]
encrypted() {
	options=
	while [ $# -gt 0 ] && [ "${1#-}" != "$1" ]; do
		options="$options $1"
		shift
	done
	rm -f "$T"/got.*
	# shellcheck disable=SC2086
	chain_call "$@" encrypt -k "$T/keys" $options "$T/next"
}

# The copies that went on. usage: assert_copies what [name ...]
assert_copies() {
	what=$1
	shift
	assertEquals "$what: copies" "$*" "$(cd "$T" && for copy in got.*.msg; do
		copy=${copy#got.}
		[ "$copy" = '*.msg' ] || echo "${copy%.msg}"
	done | sort | paste -sd' ')"
}

# A copy is for these, and $T/want is what is in it; or it is the message as it was. usage: assert_copy name for|clear
assert_copy() {
	if [ "$2" = clear ]; then
		assert_same "$1: in the clear" "$T/msg" "$T/got.$1.msg"
		return
	fi
	assertEquals "$1: no text in it" 0 "$(grep -ac secret "$T/got.$1.msg")"
	pgp_open "$T/got.$1.msg"
	assertEquals "$1: keys" "$2" "$(cat "$T/for")"
	[ -e "$T/want.text" ] || printf '\r\nsecret\r\n' >"$T/want.text"
	assert_same "$1: text" "$T/want.text" "$T/plain"
	rm -f "$T/want.text"
}

# Nothing went on, and this is the verdict. usage: assert_nothing what reply ...
assert_nothing() {
	assert_copies "$1"
	assert_verdict "$@"
}

test_a_message_is_encrypted_to_those_it_names() {
	encrypted
	assertEquals 'exit code' 0 "$code"
	assert_verdict 'the verdict' '250 2.0.0 bob@example.org' '250 2.0.0 carol@example.org'
	assert_copies 'one for both' bob
	assert_copy bob 'bob@example.org carol@example.org'
	assert_same 'the envelope' "$T/env" "$T/got.bob.env"
	cat >"$T/expected" <<-'X'
		From: alice@example.net
		To: Bob <bob@example.org>
		Cc: carol@EXAMPLE.org
		Subject: x
		MIME-Version: 1.0
		Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";
		 boundary="B"
	X
	assert_same 'the header in front' "$T/expected" "$T/front"
	assert_logged '^encrypt: S/M done encrypted=2 ms=[0-9]*$'
	assertEquals 'CR LF' 0 "$(grep -vc "$(printf '\r')\$" "$T/got.bob.msg")"
	assertEquals 'no long line' '' "$(grep '^.\{100\}' "$T/got.bob.msg")"
	assertEquals 'no octet over 127' '' "$(LC_ALL=C tr -d '\000-\177' <"$T/got.bob.msg")"
}

test_a_boundary_cannot_be_foreseen() {
	encrypted
	first=$(grep -o '=_[0-9a-f]*' "$T/got.bob.msg" | head -n 1)
	assertEquals 'it stands there four times' 4 "$(grep -c "$first" "$T/got.bob.msg")"
	encrypted
	assertEquals 'another one' 0 "$(grep -c "$first" "$T/got.bob.msg")"
}

test_the_fields_of_the_content_move_with_it() {
	chain_message 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=x\r\nTo: bob@example.org\r\nCONTENT-description: secret\r\nContents: stay\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\303\244\r\n--x\r\nContent-Disposition: attachment\r\n\r\n\000\377\r\n-----END PGP MESSAGE-----\r\n--x--\r\n'
	chain_envelope '<alice@example.net> BODY=8BITMIME RET=HDRS' 'RCPT TO:<bob@example.org> NOTIFY=NEVER'
	encrypted
	{
		printf 'Content-Type: multipart/mixed;\r\n boundary=x\r\nCONTENT-description: secret\r\n'
		sed '0,/^.$/{/^.$/!d}' "$T/msg"
	} >"$T/want.text"
	assert_copy bob bob@example.org
	cat >"$T/expected" <<-'X'
		MIME-Version: 1.0
		To: bob@example.org
		Contents: stay
		Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";
		 boundary="B"
	X
	assert_same 'the header in front' "$T/expected" "$T/front"
	printf '%s\n' 'MAIL FROM:<alice@example.net> RET=HDRS' 'RCPT TO:<bob@example.org> NOTIFY=NEVER' >"$T/expected"
	assert_same 'BODY is fulfilled' "$T/expected" "$T/got.bob.env"
}

# What stands after the header, and what is in the envelope, for messages of every kind.
test_bodies() {
	while IFS='|' read -r what message mail want_mail; do
		chain_message "$message"
		chain_envelope "<a@example.net>$mail" 'RCPT TO:<bob@example.org>'
		encrypted
		sed '0,/^.$/{/^.$/!d}' "$T/msg" >"$T/want.text"
		[ -s "$T/want.text" ] || printf '\r\n' >"$T/want.text"
		assert_copy bob bob@example.org
		assertEquals "$what" "MAIL FROM:<a@example.net>$want_mail" "$(head -n 1 "$T/got.bob.env")"
	done <<-'X'
		no body|To: bob@example.org\r\n\r\n||
		no empty line|To: bob@example.org\r\n||
		no line end|To: bob@example.org\r\n\r\nx||
		binary|To: bob@example.org\r\n\r\nx\000\n\r\377x| BODY=BINARYMIME|
		no header|\r\nbody\r\n||
		UTF-8 in front|To: bob@example.org\r\nSubject: \303\244\r\n\r\nx\r\n| BODY=8BITMIME SMTPUTF8| BODY=8BITMIME SMTPUTF8
		the end of an armor|To: bob@example.org\r\n\r\n-----END PGP MESSAGE-----\r\n.\r\n| X=a+b| X=a+b
	X
}

test_who_is_not_named_has_a_copy_alone() {
	chain_message 'To: bob@example.org, Group: carol@example.org;\r\nTo: not a list of <\r\nResent-Cc: upper@example.org\r\n\r\nsecret\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<dave@example.org> NOTIFY=NEVER' 'RCPT TO:<bob@example.org>' \
		'RCPT TO:<erin@example.org>' 'RCPT TO:<carol@example.org>'
	encrypted
	assert_verdict 'in the order of the envelope' '250 2.0.0 dave@example.org' '250 2.0.0 bob@example.org' \
		'250 2.0.0 erin@example.org' '250 2.0.0 carol@example.org'
	assert_copies 'three' bob dave erin
	assert_copy bob 'bob@example.org carol@example.org'
	assert_copy dave dave@example.org
	assert_copy erin erin@example.org
	printf '%s\n' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<dave@example.org> NOTIFY=NEVER' >"$T/expected"
	assert_same 'an envelope of its own' "$T/expected" "$T/got.dave.env"
	assertEquals 'MSA_RCPTS' '1 2' "$(cat "$T/got.dave.rcpts" "$T/got.bob.rcpts" | paste -sd' ')"
	assert_logged '^encrypt: S/M done encrypted=4 copies=3 code=250 ms=[0-9]*$'
}

# More than are made at once.
test_many_copies() {
	chain_message 'To: undisclosed-recipients:;\r\n\r\nsecret\r\n'
	# shellcheck disable=SC2046
	chain_envelope '<a@example.net>' 'RCPT_TO:<dave@example.org>' $(text_repeat 16 'RCPT_TO:<bob@example.org>;' | tr ';' ' ')
	sed -i 's/_/ /' "$T/env"
	printf '451 4.2.0 later\n.\n' >"$T/answer.dave"
	encrypted MSA_PARTIAL=
	assertEquals 'all of them' '1 16' "$(grep -c '^451 4.2.0 later' "$T/verdict") $(grep -c '^250 2.0.0 bob@' "$T/verdict")"
	assert_logged '^encrypt: S/M done encrypted=17 copies=17 code=451 ms=[0-9]*$'
	# If one of them cannot be made, nobody gets the message, and nobody gets it again at the next try.
	fake 'case "$*" in *--encrypt*) echo >>'"$T/count"'; [ $(wc -l <'"$T/count"') -lt 17 ] || exit 2 ;; esac' 'exec /usr/bin/gpg "$@"'
	echo 'COPY TO:<log@example.net>' >>"$T/env"
	encrypted -c PATH="$T/fake:$PATH"
	assert_copies 'none'
	assertEquals 'all or none' 17 "$(grep -c "^$LOCAL\$" "$T/verdict")"
	assert_logged '^encrypt: S/M copy rcpt=log@example.net code=451 reason="Local error, try again later"$'
	assert_logged '^encrypt: S/M done encrypted=16 copies=18 code=451 ms=[0-9]*$'
}

test_without_a_key() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<nobody@example.org>' 'RCPT TO:<carol@example.org>'
	encrypted
	assert_nothing 'for all' "$NO_KEY" "$NO_KEY" "$NO_KEY"
	assert_logged '^encrypt: S/M done refused=1 without=nobody@example.org code=554 ms=[0-9]*$'
	encrypted MSA_PARTIAL=
	assert_verdict 'one by one' '250 2.0.0 bob@example.org' "$NO_KEY" '250 2.0.0 carol@example.org'
	assert_copy bob 'bob@example.org carol@example.org'
	sed "s/^RCPT TO:<nobody.*/$NO_KEY/" "$T/env" >"$T/expected"
	assert_same 'the line is a reply' "$T/expected" "$T/got.bob.env"
	assert_logged '^encrypt: S/M done encrypted=2 refused=1 without=nobody@example.org ms=[0-9]*$'
	encrypted -c
	assert_verdict '-c' '250 2.0.0 bob@example.org' '250 2.0.0 nobody@example.org' '250 2.0.0 carol@example.org'
	assert_copies '-c' bob nobody
	assert_copy bob 'bob@example.org carol@example.org'
	assert_copy nobody clear
	assert_logged '^encrypt: S/M done encrypted=2 clear=1 without=nobody@example.org copies=2 code=250 ms=[0-9]*$'
	encrypted -a
	assert_copies '-a' bob
	assert_copy bob clear
	assert_same '-a: the envelope' "$T/env" "$T/got.bob.env"
	assert_logged '^encrypt: S/M done clear=3 without=nobody@example.org ms=[0-9]*$'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	encrypted -a
	assert_copy bob 'bob@example.org carol@example.org'
	encrypted -a MSA_PRIVATE=
	assert_logged '^encrypt: S/M done encrypted=2 ms=[0-9]*$'
}

# A refusal of an earlier stage stays, and those who are refused hear why.
test_refusals_of_different_kinds() {
	chain_envelope '<alice@example.net>' '550 5.7.1 Not to Carol' 'RCPT TO:<twin@example.org>' 'RCPT TO:<dave@example.org>' \
		'RCPT TO:<bob@example.org>' 'COPY TO:<log@example.net>'
	for option in '' -c -a; do
		# shellcheck disable=SC2086
		encrypted $option MSA_PARTIAL=
		assert_verdict "$option" '550 5.7.1 Not to Carol' "$SEVERAL" '250 2.0.0 dave@example.org' '250 2.0.0 bob@example.org'
		assert_copy dave dave@example.org
		assert_copy bob bob@example.org
	done
	assert_copies 'the copy in the clear' bob dave log
	assert_logged '^encrypt: S/M copy rcpt=log@example.net code=250 reason=log@example.net$'
	encrypted MSA_PARTIAL=
	assert_logged '^encrypt: S/M copy rcpt=log@example.net code=554 reason="There is no key'
	encrypted
	assert_nothing 'all or none' '550 5.7.1 Not to Carol' "$SEVERAL" '550 5.7.1 Not to Carol' '550 5.7.1 Not to Carol'
	encrypted -c
	assert_logged '^encrypt: S/M copy rcpt=log@example.net code=550 reason="Not to Carol"$'
}

test_which_key_is_whose() {
	while IFS='|' read -r address want; do
		chain_message "To: $address\\r\\n\\r\\nsecret\\r\\n"
		chain_envelope '<alice@example.net>' "RCPT TO:<$address>"
		encrypted MSA_PARTIAL=
		case $want in
		none | several | unusable)
			case $want in
			none) want=$NO_KEY ;;
			several) want=$SEVERAL ;;
			*) want=$UNUSABLE ;;
			esac
			assert_verdict "$address" "$want"
			assert_copies "$address"
			;;
		*) assert_copy "${address%%@*}" "$want" ;;
		esac
	done <<-'X'
		twin@example.org|several
		bare@example.org|bare@example.org
		Upper@example.org|Upper@Example.ORG
		Bob@example.org|unusable
		uni@xn--bcher-kva.example|uni@bücher.example
		nora@example.org|none
		mallory@example.com|mallory@example.com
		bob@example.or|none
		ob@example.org|none
		bob@[192.0.2.1]|none
		"bob> <carol"@example.org|none
	X
	chain_envelope '<alice@example.net>' 'RCPT TO:<postmaster>'
	encrypted
	assert_nothing 'postmaster' "$NO_KEY"
}

# Somebody has made a key for them, and meant that nothing goes there in the clear.
test_a_key_that_cannot_be_used_is_not_as_if_there_were_none() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<expired@example.org>' 'RCPT TO:<revoked@example.org>' \
		'RCPT TO:<signer@example.org>' 'RCPT TO:<future@example.org>' 'RCPT TO:<upper@example.org>' 'RCPT TO:<BOB@example.org>'
	for option in -c -a; do
		encrypted $option MSA_PARTIAL=
		assert_verdict "$option" '250 2.0.0 bob@example.org' "$UNUSABLE" "$UNUSABLE" "$UNUSABLE" "$UNUSABLE" "$UNUSABLE" "$UNUSABLE"
		assert_copies "$option" bob
		assert_copy bob bob@example.org
	done
}

# With -c, a key that is not found means the message in the clear: better nothing goes on.
test_a_keyring_that_cannot_be_used() {
	for fault in ': >pubring.gpg' ': >common.conf' ': >gpg.conf-2.2' 'mkdir gpg.conf' ': >gpg.conf; chmod o+w gpg.conf' \
		'echo keyring x >gpg.conf' 'printf "compress-level 1\n \tgroup x=y" >gpg.conf' 'echo --recipient x >gpg.conf' \
		'rm pubring.kbx' 'rm -r ../keys' ': >pubring.kbx' 'rm pubring.kbx; mkdir pubring.kbx' 'echo x >pubring.kbx' \
		'chmod o+w pubring.kbx' 'chmod o+w .' 'rm pubring.kbx; mkfifo pubring.kbx'; do
		cp -r "$T/keys.good/." "$T/keys"
		(cd "$T/keys" && eval "$fault")
		encrypted -c
		assert_nothing "$fault" "$LOCAL"
		rm -rf "$T/keys"
		mkdir -m 700 "$T/keys"
	done
}

test_a_damaged_keyring() {
	cp "$T/keys/pubring.kbx" "$T/kbx"
	size=$(stat -c %s "$T/kbx")
	for n in 40 $((size / 2)) $((size - 30)); do
		head -c "$n" "$T/kbx" >"$T/keys/pubring.kbx"
		chain_envelope '<alice@example.net>' 'RCPT TO:<nobody@example.org>'
		encrypted -c
		assert_nothing "cut off after $n" "$LOCAL"
	done
	for what in uid uids packet sum type deleted; do
		python3 - "$T/kbx" "$T/keys/pubring.kbx" "$what" <<-'P'
			import sys
			data, what = bytearray(open(sys.argv[1], 'rb').read()), sys.argv[3]
			off = 0
			while True:  # the blob of bob
			    n = int.from_bytes(data[off:off + 4], 'big')
			    if b'bob@example.org' in data[off:off + n]:
			        break
			    off += n
			keys, size = (int.from_bytes(data[off + i:off + i + 2], 'big') for i in (16, 18))
			uids = off + 20 + keys * size
			uids += 2 + int.from_bytes(data[uids:uids + 2], 'big')
			packet = off + int.from_bytes(data[off + 8:off + 12], 'big')
			at = {'uid': data.find(b'bob@example.org', off), 'uids': uids + 1, 'packet': packet + 3, 'sum': off + n - 1,
			      'type': off + 4, 'deleted': off + 4}[what]
			data[at] = 0 if what == 'deleted' else data[at] ^ 8
			open(sys.argv[2], 'wb').write(data)
		P
		chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
		encrypted -c
		case $what in
		deleted) assert_copy bob clear ;;
		*) assert_nothing "damaged: $what" "$LOCAL" ;;
		esac
	done
}

# It is a keyring, in which nobody has a key; or gpg reads another one.
test_an_empty_keyring() {
	head -c 32 "$T/keys.good/pubring.kbx" >"$T/keys/pubring.kbx"
	encrypted
	assert_nothing 'refused' "$NO_KEY" "$NO_KEY"
	for option in -a -c; do
		encrypted $option
		assert_nothing "$option" "$LOCAL"
		assert_logged "^encrypt: S/M failed reason=\"$T/keys: there is no key, so every message would go on in the clear\"\$"
	done
}

# A site's gpg.conf adds no key, and asks no other host.
test_what_gpg_conf_says_of_keys_does_not_count() {
	printf '%s\n' 'encrypt-to dave@example.org' 'hidden-encrypt-to erin@example.org' 'trust-model pgp' 'auto-key-locate wkd' >"$T/keys/gpg.conf"
	encrypted
	assert_copy bob 'bob@example.org carol@example.org'
}

# gpg in front of the real one. usage: fake line ...
fake() {
	mkdir -p "$T/fake"
	printf '%s\n' '#!/bin/sh' "$@" >"$T/fake/gpg"
	chmod 755 "$T/fake/gpg"
}

test_gpg_fails() {
	while IFS='~' read -r line why; do
		fake "$line" 'exec /usr/bin/gpg "$@"'
		encrypted -c PATH="$T/fake:$PATH"
		assert_nothing "$line" "$LOCAL"
		assert_logged "^encrypt: S/M failed reason=\"$T/keys: .*$why"
	done <<-'X'
		exit 2~gpg: the list of keys has no end"
		case "$*" in *--list-keys*) exit 0 ;; esac~gpg: the list of keys has no end"
		case "$*" in *--list-keys*) /usr/bin/gpg "$@" | head -c 300; kill -9 $$ ;; esac~
		case "$*" in *--encrypt*) eval "echo Not this time >&$(echo "$*" | sed 's/.*--logger-fd \([0-9]*\).*/\1/')"; exit 2 ;; esac~no end
		case "$*" in *--encrypt*) /usr/bin/gpg "$@" | head -c 200; kill -9 $$ ;; esac~no end
	X
	chain_call PATH="$T/none" "$(command -v encrypt)" -c -k "$T/keys" "$T/next"
	assert_nothing 'no gpg' "$LOCAL"
	assert_logged "^encrypt: S/M failed reason=\"$T/keys: gpg: No such file or directory\"\$"
}

test_gpg_takes_too_long() {
	fake "echo \$\$ >>$T/pids" "case \"\$*\" in *\"\$(cat $T/when)\"*) exec sleep 1000 ;; esac" 'exec /usr/bin/gpg "$@"'
	for when in --version --encrypt; do
		echo "$when" >"$T/when"
		: >"$T/pids"
		encrypted -c PATH="$T/fake:$PATH" MSA_DEADLINE=$(($(date +%s) + 3))
		assert_nothing "$when" '451 4.4.7 No answer in time, try again later'
		assert_logged "^encrypt: S/M failed reason=\"$T/keys: gpg took too long\"\$"
		assert_proc_gone "$(paste -sd' ' "$T/pids")"
	done
}

# usage: gone ; have the programs ended whose pids are in $T/pids
gone() {
	[ -s "$T/pids" ] && for pid in $(cat "$T/pids"); do
		! kill -0 "$pid" 2>/dev/null || return 1
	done
}

# gpg would hold the text, and the pipe that somebody reads.
test_nothing_of_gpg_stays() {
	fake "python3 -c 'import os; os.closerange(0, 100); os.execlp(\"sleep\", \"sleep\", \"1000\")' & echo \$! >>$T/pids" "readlink /proc/\$((\$(ps -o pgid= -p \$\$)))/fd/1 >>$T/one" 'exec /usr/bin/gpg "$@"'
	rm -f "$T/pids" "$T/one"
	encrypted PATH="$T/fake:$PATH"
	assert_copies 'well' bob
	wait_until gone
	assertEquals 'nobody else has the pipe' /dev/null "$(sort -u "$T/one")"
	for number in KILL TERM INT; do
		fake "echo \$\$ >>$T/pids" "trap '' TERM" 'sleep 1000 &' "echo \$! >>$T/pids" wait
		rm -f "$T/pids"
		PATH="$T/fake:$PATH" python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' \
			encrypt -k "$T/keys" <"$T/msg" >"$T/out" 2>"$T/log" &
		wait_until test -s "$T/pids"
		kill -s "$number" $!
		wait $! 2>/dev/null
		wait_until gone
	done
}

test_no_room_for_a_copy() {
	{ printf 'To: bob@example.org\r\n\r\n' && head -c 300000 /dev/urandom; } >"$T/msg"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	encrypted TMPDIR="$T/none"
	assert_nothing 'no directory' "$LOCAL"
	assert_logged "^encrypt: S/M failed reason=\"$T/none: No such file or directory\"\$"
}

test_what_is_encrypted_passes_as_it_is() {
	chain_envelope '<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org>' 'RCPT TO:<nobody@example.org>'
	while read -r type; do
		chain_message "Content-Type: $type\\r\\n\\r\\nbody\\r\\n"
		encrypted
		assert_copy bob clear
		assert_same "$type" "$T/env" "$T/got.bob.env"
		assert_logged '^encrypt: S/M done why="The message is encrypted" ms=[0-9]*$'
	done <<-'X'
		multipart/encrypted; protocol="application/pgp-encrypted"; boundary=x
		(a comment) Multipart/ENCRYPTED(another);boundary=x (c) ; (d) Protocol="y"(e)
		application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"
		application/x-pkcs7-mime;\r\n name="smime.p7m";\r\n SMIME-Type="authEnveloped-data"
	X
	chain_envelope '<alice@example.net>' 'RCPT TO:<nobody@example.org>'
	while read -r type; do
		chain_message "Content-Type: $type\\r\\n\\r\\nbody\\r\\n"
		encrypted
		assert_nothing "$type" "$NO_KEY" # so it was to be encrypted
	done <<-'X'
		application/pkcs7-mime
		application/pkcs7-mime; name=x; smime-type=signed-data
		application/pkcs7-mime; smime-type*=us-ascii''enveloped-data
		application/pkcs7-mime;; smime-type=enveloped-data
		application/pkcs7-mime; smime-type=enveloped-data;
		application/pkcs7-mime; smime-type=enveloped-data; smime-type=signed-data
		application/pkcs7-mime; smime-type=enveloped-data x
		application/pkcs7-mime; smime-type="enveloped-data
		application/pkcs7-mime; name="a\\\\" b"; smime-type=enveloped-data
		application/pkcs7-mime; name=\344; smime-type=enveloped-data
		multipart/encrypted; boundary=x
		multipart/encrypted; protocol="application/pgp-encrypted"
		application/pkcs7-mime; smime-type="compressed-data"
		multipart/signed; protocol="application/pgp-signature"; boundary=encrypted
		multipart/mixed; x=multipart/encrypted
		text/plain\r\nContent-Type: multipart/encrypted
	X
}

test_a_second_run_changes_nothing() {
	encrypted
	cp "$T/got.bob.msg" "$T/msg"
	encrypted
	assert_copy bob clear
}

# Its text could begin in the header, which is not encrypted.
test_a_header_that_is_none_is_refused() {
	while IFS='|' read -r message reply; do
		chain_message "$message"
		encrypted
		assert_nothing "$message" "$reply"
	done <<-'X'
		To: bob@example.org\r\nsecret\r\n\r\nx\r\n|554 5.6.0 Line 2 of the header is not a field
		 x\r\nTo: bob@example.org\r\n\r\nx\r\n|554 5.6.0 Line 1 of the header is not a field
		To: bob@example.org\nX: y\r\n\r\nx\r\n|554 5.6.0 Bare CR or bare LF in the header
	X
}

test_a_signature_inside_is_kept_and_one_outside_is_named() {
	chain_message 'DKIM-Signature: v=1\r\nTo: bob@example.org\r\nContent-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\nsecret\r\n--x--\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	encrypted
	{
		printf 'Content-Type: multipart/signed; boundary=x\r\n'
		tail -n 5 "$T/msg"
	} >"$T/want.text"
	assert_copy bob bob@example.org
	assertEquals 'it stays' 1 "$(grep -c '^DKIM-Signature: v=1' "$T/got.bob.msg")"
	assert_logged '^encrypt: S/M done encrypted=1 signed=DKIM-Signature ms=[0-9]*$'
}

test_a_filter_takes_its_recipients_from_the_header() {
	printf 'To: bob@example.org,\n carol@example.org\nBCC: dave@example.org,\n erin@example.org\nResent-Bcc: dave@example.org\nSubject: x\n\nsecret\nline\n' >"$T/msg"
	encrypt -k "$T/keys" <"$T/msg" >"$T/got.x.msg" 2>"$T/log"
	code=$?
	assertEquals "exit code $(cat "$T/log")" 0 "$code"
	printf '\r\nsecret\r\nline\r\n' >"$T/want.text"
	assert_copy x 'bob@example.org carol@example.org'
	assertEquals 'no hidden recipient' 0 "$(grep -c -i -e '^[a-z-]*bcc' -e dave@ -e erin@ "$T/got.x.msg")"
	assertEquals 'lines end with LF' 0 "$(grep -c "$(printf '\r')" "$T/got.x.msg")"
	encrypt -k "$T/keys" <"$T/got.x.msg" >"$T/out"
	assert_same 'a second run' "$T/got.x.msg" "$T/out"
	while IFS='|' read -r message want_code want; do
		# shellcheck disable=SC2059
		printf "$message" | encrypt -k "$T/keys" >"$T/out" 2>"$T/log"
		code=$?
		assertEquals "$message" "$want_code" "$code"
		assertEquals "$message" "encrypt: $want" "$(cat "$T/log")"
		assertEquals "$message: no output" 0 "$(wc -c <"$T/out")"
	done <<-'X'
		To: nobody@example.org\n\nx\n|100|nobody@example.org: There is no key to encrypt to this recipient
		To: bob@example.org, x <\n\nx\n|100|To: not a list of valid addresses
		Subject: x\n\nx\n|100|To, Cc: no address
		To: bob@example.org\nx\n\nx\n|100|Line 2 of the header is not a field
		|111|- failed reason="input is empty: no message"
	X
	printf 'To: nobody@example.org, bob@example.org\n\nx\n' >"$T/msg"
	for option in -a -c; do
		encrypt -k "$T/keys" $option <"$T/msg" >"$T/out"
		assert_same "$option" "$T/msg" "$T/out"
	done
}

test_a_resident() {
	resident_start encrypt encrypt -P 1:1 -k "$T/keys" -c "$T/next"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<nobody@example.org>' 'RCPT TO:<dave@example.org>'
	for round in 1 2; do
		rm -f "$T"/got.*
		chain_call call "$T/encrypt"
		assert_verdict "round $round" '250 2.0.0 bob@example.org' '250 2.0.0 nobody@example.org' '250 2.0.0 dave@example.org'
		assert_copy bob bob@example.org
		assert_copy dave dave@example.org
		assert_copy nobody clear
	done
	mv "$T/keys/pubring.kbx" "$T/keys/gone"
	rm -f "$T"/got.*
	chain_call call "$T/encrypt"
	assert_nothing 'a keyring that went' "$LOCAL" "$LOCAL" "$LOCAL"
}

# In one chain with the other stages: apart, and behind those of one process.
test_a_session_with_it() {
	for inline in '' inline; do
		rm -f "$T"/got.*
		# shellcheck disable=SC2086
		printf '<\n> EHLO client\n<\n> MAIL FROM:<a@example.net>\n<\n> RCPT TO:<bob@example.org>\n<\n> DATA\n<\n>> From: a@example.net\\r\\nTo: bob@example.org\\r\\n\\r\\nsecret\\r\\n.\\r\\n\n<\n> QUIT\n<<\n' |
			RELAYCLIENT='' talk $inline submitd qualify encrypt -k "$T/keys" stamp "$T/next" >"$T/heard" 2>"$T/log"
		assertEquals "${inline:-apart}" 1 "$(grep -c '^250 2.0.0 Ok, message' "$T/heard")"
		assert_copy bob bob@example.org
	done
}

# Who serves messages need not be able to write there; and no agent stays.
test_the_keyring_stays_as_it_is() {
	: >"$T/keys/random_seed" # which gpg writes if it can
	ls -l --ignore=random_seed --time-style=full-iso "$T/keys" >"$T/before"
	encrypted
	assert_copy bob 'bob@example.org carol@example.org'
	ls -l --ignore=random_seed --time-style=full-iso "$T/keys" >"$T/after"
	assert_same 'files' "$(sed -i 1d "$T/before" "$T/after")$T/before" "$T/after"
	assertEquals 'no agent' '' "$(pgrep -f "gpg-agent --homedir $T/keys")"
}

test_the_keyring_can_be_read_only() {
	needs root || return 0
	chmod 755 "$T" "$T/keys"
	gpg --homedir "$T/keys" --batch --quiet --import-ownertrust </dev/null 2>/dev/null
	chmod 644 "$T/keys/pubring.kbx" "$T/keys/trustdb.gpg"
	printf 'To: bob@example.org\n\nsecret\n' | setpriv --reuid=65534 --regid=65534 --clear-groups encrypt -k "$T/keys" >"$T/got.x.msg" 2>"$T/log"
	code=$?
	assertEquals "exit code $(cat "$T/log")" 0 "$code"
	assert_copy x bob@example.org
	chmod 600 "$T/keys/pubring.kbx"
	printf 'To: bob@example.org\n\nsecret\n' | setpriv --reuid=65534 --regid=65534 --clear-groups encrypt -k "$T/keys" -c >"$T/out" 2>"$T/log"
	assertEquals 'not readable' 100 $?
	assertEquals 'nothing' 0 "$(wc -c <"$T/out")"
}

# 100 MB go through, and the stage does not grow with them.
test_memory_does_not_grow_with_the_body() {
	needs plain || return 0
	echo 'compress-algo none' >"$T/keys/gpg.conf"
	{ printf 'To: bob@example.org\r\n\r\n' && yes "$(printf '%0997d\r' 0)" | head -n 105000; } >"$T/msg"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	rm -f "$T"/got.*
	chain_call sh -c "ulimit -v 100000; exec encrypt -k $T/keys $T/next"
	assertEquals "exit code: $(cat "$T/log")" 0 "$code"
	sed -n '/^-----BEGIN/,/^-----END/p' "$T/got.bob.msg" >"$T/armor"
	rm -f "$T/got.bob.msg"
	assertEquals 'the text' "$(tail -n +2 "$T/msg" | openssl dgst -sha256)" \
		"$(pgp --decrypt "$T/armor" 2>/dev/null | openssl dgst -sha256)"
	rm -f "$T/msg" "$T/armor"
	{ printf 'To: x@b.c' && yes ',a@b.c' | head -n 140000 | tr -d '\n' && printf '\n\nx\n'; } >"$T/msg"
	sh -c "ulimit -v 50000; exec encrypt -k $T/keys" <"$T/msg" >"$T/out" 2>"$T/log"
	code=$?
	assertEquals 'many addresses' "100 encrypt: To, Cc: too many addresses" "$code $(cat "$T/log")"
}

test_misuse() {
	for words in '' "$T/next" "-k $T/none $T/next" "-k $T/keys" "-a -c -k $T/keys $T/next" "-y -k $T/keys $T/next"; do
		# shellcheck disable=SC2086
		chain_call encrypt $words
		assertEquals "$words" 111 "$code"
		assert_verdict "$words" "$LOCAL"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
