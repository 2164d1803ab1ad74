#!/bin/sh
# authd: who a user is. The one form of a name, whatever proves it. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'

oneTimeSetUp() {
	export MSA_HOST=mx.example
	db=$T/users.cdb
	printf 'wonderland\n' | msa-passwd -i 4096 "$db" alice@example.net
	program_make next <<-'X'
		#!/bin/sh
		printf 'next %s\r\n' "$SMTPAUTHUSER"
	X
	mkdir "$T/sasl"
	printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN LOGIN SCRAM-SHA-256\n' \
		"$T/sasl/db" >"$T/sasl/msa.conf"
	printf pencil | /usr/sbin/saslpasswd2 -p -c -f "$T/sasl/db" -u example.net bob
	printf mallory | /usr/sbin/saslpasswd2 -p -c -f "$T/sasl/db" -u example.net Bob
}

tearDown() {
	resident_stop_all
	assertFalse 'a credential in the log' "grep -q -e wonderland -e pencil -e mallory -e Z2VuY2ls '$T/log'"
}

plain() { # authzid user password
	printf '%s\0%s\0%s' "$1" "$2" "$3" | base64 -w0
}

# The reply to a password by PLAIN, and the user that the next stage gets. usage: gives expected authzid user password program ...
gives() {
	expected=$1 initial=$(plain "$2" "$3" "$4")
	gives_to="$2 $3"
	shift 4
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n%s' "$initial" "$(case $expected in "$yes"*) echo '<' ;; esac)" >"$T/script"
	talk -t 20 "$@" <"$T/script" 2>"$T/log" | sed -n '/^250 /,$p' | sed 1d >"$T/out"
	printf '%s\n' "$expected" | assert_out "$gives_to"
}

test_a_name_without_a_domain_is_in_the_realm() {
	for who in alice ALICE alice@example.net Alice@Example.Net; do
		for as in '' alice alice@EXAMPLE.net; do
			gives "$yes
next alice@example.net" "$as" "$who" wonderland authd -p -r Example.NET -u "$db" "$T/next"
			assertContains "$(cat "$T/log")" ' authenticated user=alice@example.net '
		done
	done
	gives "$no" '' alice wonderland authd -p -u "$db" "$T/next"
	gives "$no" '' alice@example.org wonderland authd -p -r example.net -u "$db" "$T/next"
	gives "$no" '' "$(printf '%0250d' 0)" wonderland authd -p -r example.net -u "$db" "$T/next"
	scram alice wonderland authd -p -r example.net -u "$db" true >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/log")" ' authenticated user=alice@example.net mech=SCRAM-SHA-256'
}

test_with_e_nobody_has_a_name_in_another_domain() {
	for who in alice alice@Example.NET; do
		gives "$yes
next alice@example.net" '' "$who" wonderland authd -e -p -r Example.net -u "$db" "$T/next"
	done
	for who in alice@example.org alice@sub.example.net alice@example.net@example.org alice@; do
		gives "$no" '' "$who" wonderland authd -e -p -r example.net -u "$db" "$T/next"
		assertContains "$who" "$(cat "$T/log")" 'reason="not of the realm"'
	done
	gives "$no" '' bob@example.net pencil authd -e -p -r example.org -s "$T/sasl/msa.conf" "$T/next"
	gives "$yes
next bob@example.net" '' bob pencil authd -e -p -r example.net -s "$T/sasl/msa.conf" "$T/next"
	authd -e -u "$db" true </dev/null 2>"$T/log"
	code=$?
	assertEquals '100 authd: -e: needs -r' "$code $(cat "$T/log")"
}

test_a_realm_is_a_domain() {
	for realm in '' 'exa mple.net' @example.net example..net -; do
		authd -r "$realm" -u "$db" true </dev/null 2>"$T/log"
		code=$?
		assertEquals "100 authd: $realm: not a domain" "$code $(cat "$T/log")"
	done
}

test_a_domain_that_was_added_makes_no_name_of_a_password() {
	gives "$no" '' hunter2 x authd -p -r example.net -u "$db" "$T/next"
	assertNotContains "$(cat "$T/log")" hunter2
	gives "$no" '' carol@example.net x authd -p -r example.net -u "$db" "$T/next"
	assertContains "$(cat "$T/log")" 'refused user=carol@example.net'
	gives "$no" '' alice x authd -p -r example.net -u "$db" "$T/next"
	assertContains 'in the store' "$(cat "$T/log")" 'refused user=alice@example.net'
}

test_a_certificates_user_is_in_the_realm_too() {
	hash=SHA256:$(printf '%064d' 1)
	echo "$hash ALICE" | cdb -c -m "$T/certs.cdb"
	printf '<\n> EHLO client.example\n<\n> AUTH EXTERNAL =\n<\n<\n' >"$T/script"
	SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_HASH=$hash talk authd -c "$T/certs.cdb" -r example.net -u "$db" "$T/next" \
		<"$T/script" 2>"$T/log" | tail -n 2 >"$T/out"
	printf '%s\n' "$yes" 'next alice@example.net' | assert_out
}

# The back end has Bob and bob, with a password each: only bob is a user.
test_two_names_of_a_back_end_that_differ_by_case_are_not_two_users() {
	for who in bob@example.net Bob@example.net BOB@EXAMPLE.NET; do
		gives "$yes
next bob@example.net" '' "$who" pencil authd -p -s "$T/sasl/msa.conf" "$T/next"
		gives "$no" '' "$who" mallory authd -p -s "$T/sasl/msa.conf" "$T/next"
	done
	gives "$yes
next bob@example.net" 'BOB' Bob pencil authd -p -r example.net -s "$T/sasl/msa.conf" "$T/next"
	scram Bob pencil authd -p -r example.net -s "$T/sasl/msa.conf" true >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/log")" ' authenticated user=bob@example.net mech=SCRAM-SHA-256'
}

# Superscript two, micro sign, and e with acute: as typed, as SASLprep makes them, and with the accent apart.
test_a_password_is_the_same_however_it_is_typed() {
	typed='m²µé' prepared='m2μé' apart=$(printf 'm2μe\314\201')
	echo "$typed" | msa-passwd -i 4096 "$T/prep.cdb" prep@example.net
	for word in "$typed" "$prepared" "$apart"; do
		gives "$yes
next prep@example.net" '' prep@example.net "$word" authd -p -u "$T/prep.cdb" "$T/next"
	done
	gives "$no" '' prep@example.net 'm2µe' authd -p -u "$T/prep.cdb" "$T/next"
	scram prep@example.net "$prepared" authd -p -u "$T/prep.cdb" true >"$T/out" 2>"$T/log"
	assertContains 'a client that prepares' "$(cat "$T/log")" ' authenticated user=prep@example.net mech=SCRAM-SHA-256'
}

test_a_hash_of_a_password_as_typed_still_counts() {
	openssl passwd -6 -salt abcdefgh 'm²µé' | msa-passwd -e "$T/typed.cdb" old@example.net
	gives "$yes
next old@example.net" '' old@example.net 'm²µé' authd -p -u "$T/typed.cdb" "$T/next"
	gives "$no" '' old@example.net 'm2μé' authd -p -u "$T/typed.cdb" "$T/next"
	printf 'p\303' | openssl passwd -6 -salt abcdefgh -stdin | msa-passwd -e "$T/typed.cdb" octets@example.net
	gives "$yes
next octets@example.net" '' octets@example.net "$(printf 'p\303')" authd -p -u "$T/typed.cdb" "$T/next"
}

test_a_name_is_the_same_however_it_is_typed() {
	echo wonderland | msa-passwd -i 4096 "$T/prep.cdb" "$(printf 'rene\314\201')@example.net"
	for who in rené "$(printf 'rene\314\201')" "$(printf 'ren\302\255\303\251')"; do
		gives "$yes
next ren\xc3\xa9@example.net\r\n" "$who" "$who" wonderland authd -p -r example.net -u "$T/prep.cdb" "$T/next"
	done
	gives "$no" '' "$(printf 'ren\351')" wonderland authd -p -r example.net -u "$T/prep.cdb" "$T/next"
}

# Each form that is tried costs a slow hash, whoever the user is: with a verifier, a fast hash alone, locked, or unknown.
test_no_time_tells_a_user_by_a_password_in_two_forms() {
	preload_build hashes || return 0
	echo wonderland | msa-passwd -i 5000 "$T/time.cdb" slow@example.net
	msa-passwd -g -n phone "$T/time.cdb" fast@example.net >/dev/null
	echo wonderland | msa-passwd "$T/time.cdb" locked@example.net
	msa-passwd -L "$T/time.cdb" locked@example.net
	for who in slow fast locked unknown; do
		for word in 'wonderlanD 1' 'm²µé 2' 'μ 1' "$(printf 'p\303') 1"; do
			gives "$no" '' "$who@example.net" "${word% *}" env LD_PRELOAD="$T/hashes.so" authd -p -u "$T/time.cdb" "$T/next"
			assertEquals "$who $word" "${word#* }" "$(grep -c '^slow hash 5000$' "$T/log")"
		done
	done
}

test_auth_after_helo_needs_an_option() {
	printf '<\n> HELO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(plain '' alice@example.net wonderland)" >"$T/script"
	talk authd -p -u "$db" "$T/next" <"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
	echo '503 5.5.1 Bad sequence of commands' | assert_out 'without'
	talk authd -H -p -u "$db" "$T/next" <"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
	echo "$yes" | assert_out 'with -H'
	printf '<\n> AUTH PLAIN %s\n<\n' "$(plain '' alice@example.net wonderland)" >"$T/script"
	talk authd -H -p -u "$db" "$T/next" <"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
	echo '503 5.5.1 Bad sequence of commands' | assert_out 'without any greeting'
}

# shellcheck disable=SC1090
. "$SHUNIT2"
