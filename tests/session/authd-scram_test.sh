#!/bin/sh
# authd: SCRAM with each hash, from the verifiers that msa-passwd stores. ISC licence, see LICENSE.
# shellcheck disable=SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'
all='SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512'
# User "user", password "pencil": RFC 5802 5, RFC 7677 3, and the salt of the latter with SHA-512.
sha1='SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE='
sha256='SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='
sha512='SCRAM-SHA-512$4096:W22ZaJ0SNY7soEsUEjb6gQ==$6AAub3065EYRmyFpM2RNwqK+eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9NhH2hK/60dzj9DoO5DvVkOHbvg==:jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ0o/0b1yWEebBeSVkkCFewf91nLDfKF24mvD5nmE6rA=='

oneTimeSetUp() {
	export MSA_HOST=mx.example
	db=$T/users.cdb
	printf 'pencil\n' | msa-passwd -i 4096 -m sha1,sha256,sha512 "$db" three
	printf 'pencil\n' | msa-passwd -i 5000 "$db" one
	msa-passwd -g -n phone "$db" app >/dev/null
	printf 'pencil\n' | msa-passwd -i 4096 -m sha512,sha1,sha256 "$db" locked
	msa-passwd -L "$db" locked
}

tearDown() {
	[ ! -f "$T/log" ] || assertFalse 'a credential in the log' "grep -q -e pencil -e cGVuY2ls '$T/log'"
}

# What the server shows, and its last word before NOOP. usage: said mechanism user password store
said() {
	scram -s -m "$1" "$2" "$3" authd -p -m "PLAIN $all" -u "$4" true 2>"$T/log" >"$T/out"
	grep -v -e '^server-final' -e '^EOF' -e '^250 ' -e '^221 ' "$T/out" | tail -n 1
}

# The reply to PLAIN. usage: plain user password store
plain() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	talk -t 20 authd -p -u "$3" true <"$T/script" 2>"$T/log" | tail -n 1
}

# A store with a user "user" whose value is standard input. usage: store file
store() {
	format="1:4096:$(printf '%032d' 0 | base64)"
	value=$(cat)
	printf '+0,%d:->%s\n+4,%d:user->%s\n\n\n' ${#format} "$format" $((${#value} + 1)) "$value" | cdb -c -t "$T/tmp" "$1"
	chmod 600 "$1"
}

test_the_examples_of_the_RFCs() {
	cat >"$T/example.py" <<-'X'
		import os, sys
		sys.dont_write_bytecode = True
		sys.path.insert(0, os.environ['ROOT'] + '/tests/tools')
		from scram_exchange import Exchange
		mechanism, nonce, first = sys.argv[1:]
		e = Exchange('user', 'pencil', mechanism=mechanism, nonce=nonce.encode())
		print(e.final(first.encode()).decode().split(',')[2], e.server_final.decode())
	X
	assertEquals 'RFC 5802 5' 'p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts= v=rmF9pqV8S7suAoZWja4dJRkFsKQ=' \
		"$(python3 "$T/example.py" SCRAM-SHA-1 fyko+d2lbbFgONRv9qkxdawL \
			'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096')"
	assertEquals 'RFC 7677 3' \
		'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ= v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=' \
		"$(python3 "$T/example.py" SCRAM-SHA-256 rOprNGfwEbeRWgbNEkqO \
			'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096')"
	for one in "$sha1" "$sha256" "$sha512"; do
		mech=${one%%\$*}
		printf '%s\n' "$one" | msa-passwd -e "$T/rfc.cdb" user
		assertEquals "$mech" "$yes" "$(said "$mech" user pencil "$T/rfc.cdb")"
		assertContains "$(cat "$T/log")" " authenticated user=user mech=$mech label=main"
		assertContains 'the server has proved itself too' "$(cat "$T/out")" server-final
		assertEquals "$mech" "$no" "$(said "$mech" user pencils "$T/rfc.cdb")"
		assertEquals "$mech, PLAIN" "$yes" "$(plain user pencil "$T/rfc.cdb")"
		assertEquals "$mech, PLAIN" "$no" "$(plain user pencils "$T/rfc.cdb")"
	done
}

test_one_password_has_a_verifier_for_each_hash_that_is_named() {
	key='[A-Za-z0-9+/]'
	assertTrue "$(cdb -q "$db" three)" "cdb -q '$db' three | grep -Eqx 'main:SCRAM-SHA-256[$]4096:$key{22}==[$]$key{43}=:$key{43}= SCRAM-SHA-512[$]4096:$key{22}==[$]$key{86}==:$key{86}== SCRAM-SHA-1[$]4096:$key{22}==[$]$key{27}=:$key{27}='"
	assertEquals 'a salt of its own' 3 "$(cdb -q "$db" three | tr ' ' '\n' | sed 's/.*[$]4096:\([^$]*\)[$].*/\1/' | sort -u | wc -l)"
	assertTrue 'SHA-256 alone' "cdb -q '$db' one | grep -Eqx 'main:SCRAM-SHA-256[$][^ ]*'"
	for mech in $all; do
		assertEquals "$mech" "$yes" "$(said $mech three pencil "$db")"
		assertContains "$(cat "$T/log")" " authenticated user=three mech=$mech label=main"
		assertEquals "$mech" "$no" "$(said $mech three pencils "$db")"
		assertContains "$(cat "$T/log")" 'reason="wrong password"'
	done
	assertEquals "$yes" "$(plain three pencil "$db")"
	assertEquals "$no" "$(plain three pencils "$db")"
	printf 'eraser\n' | msa-passwd -n phone -m sha1 -i 4096 "$db" one
	assertEquals 'the first password with that hash' "$yes" "$(said SCRAM-SHA-1 one eraser "$db")"
	assertContains "$(cat "$T/log")" 'label=phone'
	assertEquals "$yes" "$(said SCRAM-SHA-256 one pencil "$db")"
	msa-passwd -d -n phone "$db" one
}

test_a_hash_must_be_one_of_three() {
	for bad in '' md5 sha 'sha1,' ',sha1' 'sha1 sha256' sha1,sha384 SHA1 sha2561; do
		msa-passwd -m "$bad" "$T/none.cdb" user </dev/null 2>"$T/err"
		code=$?
		assertEquals "100 msa-passwd: -m $bad: not sha256, sha512 or sha1, or some of them with commas between" "$code $(cat "$T/err")"
	done
	for args in -g -e -d -L; do
		msa-passwd $args -n x -m sha1 "$db" three </dev/null 2>"$T/err"
		code=$?
		assertEquals "$args" "100 usage:" "$code $(cut -d' ' -f1 "$T/err")"
	done
}

test_sha_256_alone_is_offered_by_default() {
	for mech in SCRAM-SHA-1 SCRAM-SHA-512; do
		scram -m $mech three pencil authd -p -u "$db" true >"$T/out" 2>"$T/log"
		assertEquals "$mech" '504 5.5.4 Mechanism not supported' "$(head -n 1 "$T/out")"
	done
	printf '<\n> EHLO client.example\n<\n' >"$T/script"
	talk authd -p -m "scram-sha-512 PLAIN SCRAM-SHA-1" -u "$db" true <"$T/script" 2>"$T/log" | grep AUTH >"$T/out"
	echo '250 AUTH SCRAM-SHA-512 PLAIN SCRAM-SHA-1' | assert_out 'by name'
	scram three pencil authd -p -m "$all" -u "$db" true >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/out")" "$yes"
}

test_plus_is_never_offered() {
	for mech in $all; do
		assertEquals "$mech asked for" '504 5.5.4 Mechanism not supported' "$(said $mech-PLUS three pencil "$db")"
		echo '<<' | talk -x authd -p -m "PLAIN $mech-PLUS" -u "$db" true >"$T/out" 2>"$T/log"
		assertContains "$mech named" "$(cat "$T/log")" "no mechanism $mech-PLUS in Cyrus SASL"
		scram -m $mech -f y three pencil authd -p -m "$mech" -u "$db" true >"$T/out" 2>"$T/log"
		assertContains "$mech with a client that could" "$(cat "$T/out")" "$yes"
		scram -m $mech -f p=tls-exporter three pencil authd -p -m "$mech" -u "$db" true >"$T/out" 2>"$T/log"
		assertContains "$mech with a binding" "$(cat "$T/out")" "$no"
	done
}

# Whoever has no verifier for the hash is shown what a user who has one could be shown, and the same each time.
test_who_has_no_verifier_for_the_hash_looks_as_if() {
	printf 'pencil\n' | msa-passwd -i 6000 "$T/mixed.cdb" other
	printf 'pencil\n' | msa-passwd -i 5000 "$T/mixed.cdb" one
	msa-passwd -g -n phone "$T/mixed.cdb" app >/dev/null
	for user in one other app nobody; do
		for mech in $all; do
			assertEquals "$user $mech" "$no" "$(said $mech $user wrong "$T/mixed.cdb")"
			first=$(head -n 1 "$T/out")
			assertEquals "$user $mech" "$no" "$(said $mech $user wrong "$T/mixed.cdb")"
			assertEquals "$user $mech" "$first" "$(head -n 1 "$T/out")"
			printf '%s\n' "$first"
		done >"$T/shown"
		assertEquals "$user: salts" 3 "$(cut -d' ' -f2 "$T/shown" | sort -u | grep -Ecx '[A-Za-z0-9+/]{22}==')"
		assertEquals "$user: one number of iterations" 1 "$(cut -d' ' -f3 "$T/shown" | sort -u | grep -Ecx '[56]000')"
	done
	assertEquals 'a user whom the store has' "$no" "$(said SCRAM-SHA-1 one pencil "$T/mixed.cdb")"
	assertContains "$(cat "$T/log")" 'refused user=one mech=SCRAM-SHA-1 reason="wrong password"'
	for mech in $all; do
		assertEquals "locked, $mech" "$no" "$(said $mech locked pencil "$db")"
		assertContains "$(cat "$T/log")" 'reason="user is locked"'
	done
}

# As an earlier msa-passwd wrote it, and what an earlier authd showed to whom it did not know.
test_an_older_store_is_as_it_was() {
	printf 'main:%s\n' "$sha256" | store "$T/old.cdb"
	assertEquals "$yes" "$(said SCRAM-SHA-256 user pencil "$T/old.cdb")"
	assertEquals "$yes" "$(plain user pencil "$T/old.cdb")"
	assertEquals "$no" "$(said SCRAM-SHA-1 user pencil "$T/old.cdb")"
	assertEquals "$no" "$(said SCRAM-SHA-256 nobody pencil "$T/old.cdb")"
	salt=$(printf 'salt nobody' | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(printf '%064d' 0 | sed 's/00/30/g')" -binary |
		head -c 16 | base64)
	assertEquals "server-first $salt 4096" "$(head -n 1 "$T/out")"
}

# A verifier that is damaged is none: nobody comes in by it, and the others hold.
test_a_damaged_verifier_is_none() {
	for damage in 's/4096/4095/' 's/4096/x/' 's/4096:/4096/' 's/[$]4096/4096/' 's/SHA-1/SHA-2/' 's/:D+CS/:D+C/' 's/:D+CS/:AAAAD+CS/' \
		's/6dlG/6dl/' 's/6dlG/AAAA6dlG/' 's/[$]6/6/' 's/:D/D/' 's/:D.*//' 's/:QSXC/:*SXC/' 's/:QSX.*[$]/:$/' 's/=$/=:/' \
		"s/:QSXC/:$(printf '%0400d' 0)/" 's/SCRAM/scram/'; do
		broken=$(printf '%s\n' "$sha1" | sed "$damage")
		assertNotEquals "$damage" "$sha1" "$broken"
		printf 'main:%s\n' "$broken" | store "$T/broken.cdb"
		assertEquals "$damage" "$no" "$(said SCRAM-SHA-1 user pencil "$T/broken.cdb")"
		assertEquals "$damage" "$no" "$(plain user pencil "$T/broken.cdb")"
		printf 'main:%s %s\n' "$broken" "$sha512" | store "$T/broken.cdb"
		[ "$damage" = 's/SHA-1/SHA-2/' ] || [ "$damage" = 's/[$]4096/4096/' ] || [ "$damage" = 's/SCRAM/scram/' ] || {
			assertEquals "$damage" "$yes" "$(said SCRAM-SHA-512 user pencil "$T/broken.cdb")"
			assertEquals "$damage" "$yes" "$(plain user pencil "$T/broken.cdb")"
		}
		printf '%s\n' "$broken" | msa-passwd -e "$T/none.cdb" user 2>"$T/err"
		code=$?
		assertEquals "$damage is not imported" '100 msa-passwd: not a credential: see msa-passwd(8)' "$code $(cat "$T/err")"
	done
	for bad in "$sha1 $sha1" "$sha256  $sha1" "$sha1 " " $sha1" "$sha1 x" "$sha1	$sha256" "$sha1 \$6\$abcdefgh\$aaaaaaaaaaaaaaaaaaaaaaaaa" \
		"{SCRAM-SHA-1}$sha1" '{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92' '{SCRAM-SHA-1}' '{SCRAM-SHA-2}4096,QSXC,QSXC,QSXC'; do
		printf '%s\n' "$bad" | msa-passwd -e "$T/none.cdb" user 2>"$T/err"
		code=$?
		assertEquals "$bad" '100 msa-passwd: not a credential: see msa-passwd(8)' "$code $(cat "$T/err")"
	done
	assertFalse 'nothing was made' "[ -e '$T/none.cdb' ]"
}

test_other_systems_verifiers_are_taken() {
	for one in "$sha1" "$sha256" "$sha512"; do
		mech=${one%%\$*}
		dovecot="{$mech}$(printf '%s' "${one#*\$}" | tr '$:' ',,')"
		for how in "$one" "$dovecot" "$(echo "$dovecot" | sed 's/SCRAM-SHA/scram-sha/')"; do
			printf '%s\n' "$how" | msa-passwd -e "$T/other.cdb" user
			assertEquals "$how" "main:$one" "$(cdb -q "$T/other.cdb" user)"
			printf '%s\n' "user:$how" | msa-passwd -b "$T/list.cdb" >"$T/out"
			assertEquals "$how in a list" "main:$one" "$(cdb -q "$T/list.cdb" user)"
		done
	done
	dovecot="{SCRAM-SHA-1}$(printf '%s' "${sha1#*\$}" | tr '$:' ',,')"
	other="{SCRAM-SHA-512}$(printf '%s' "${sha512#*\$}" | tr '$:' ',,')"
	printf '%s\n' "a:$dovecot:1000:1000::/home/a:" "b:$sha1 $sha256" "c:$dovecot $other:more" "d	phone	$sha512 $sha256 $sha1" |
		msa-passwd -b "$T/several.cdb" >"$T/out" 2>&1
	echo 'added 4, changed 0, removed 0, unchanged 0' | assert_out 'as Dovecot has it, and several'
	assertEquals "main:$sha1" "$(cdb -q "$T/several.cdb" a)"
	assertEquals "main:$sha1 $sha512" "$(cdb -q "$T/several.cdb" c)"
	msa-passwd -x "$T/several.cdb" >"$T/printed"
	assertEquals "phone	$sha512 $sha256 $sha1" "$(sed -n 's/^d	//p' "$T/printed")"
	msa-passwd -b "$T/again.cdb" <"$T/printed" >"$T/out"
	msa-passwd -x "$T/again.cdb" | sort >"$T/got"
	sort "$T/printed" | assert_got 'printed and read back'
	for mech in $all; do
		assertEquals "$mech" "$yes" "$(said $mech d pencil "$T/again.cdb")"
	done
}

# shellcheck disable=SC1090
. "$SHUNIT2"
