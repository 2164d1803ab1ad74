#!/bin/sh
# examples/accounts/ldapdb: authd -s with the plugin ldapdb of Cyrus SASL and OpenLDAP's slapd. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/accounts.sh
. "$ROOT/tests/lib/accounts.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

# A directory of the test's own, with carol, who has the password pencil, and somebody who is no user of mail.
oneTimeSetUp() {
	accounts_prepare
	server=
	has ldapdb && has slapd || return 0
	mkdir "$T/ldap"
	port=$(port_free)
	accounts_copy ldapdb -e "s|127.0.0.1:389|127.0.0.1:$port|" -e 's/TIMEOUT=10/TIMEOUT=2/g'
	chmod 400 "$accounts/sasl.conf"
	cat >"$T/slapd.conf" <<-C
		include /etc/ldap/schema/core.schema
		include /etc/ldap/schema/cosine.schema
		include /etc/ldap/schema/inetorgperson.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $T/slapd.pid
		include $accounts/slapd.conf
		database mdb
		suffix "dc=example,dc=net"
		directory $T/ldap
		include $accounts/access.conf
	C
	cat >"$T/ldif" <<-L
		dn: dc=example,dc=net
		objectClass: dcObject
		objectClass: organization
		o: Example
		dc: example

		dn: ou=people,dc=example,dc=net
		objectClass: organizationalUnit
		ou: people

		$(cat "$accounts/msa.ldif")

		dn: uid=carol,ou=people,dc=example,dc=net
		objectClass: inetOrgPerson
		cn: Carol
		sn: Carol
		uid: carol
		userPassword: pencil

		dn: uid=hashed,ou=people,dc=example,dc=net
		objectClass: inetOrgPerson
		cn: Hashed
		sn: Hashed
		uid: hashed
		userPassword: {SSHA}$(printf 'pencilsalt' | openssl sha1 -binary | (cat; printf salt) | base64)
	L
	/usr/sbin/slapadd -f "$T/slapd.conf" -l "$T/ldif" >"$T/slapadd.log" 2>&1
	server_start
}

oneTimeTearDown() {
	[ -z "$server" ] || server_stop
}

tearDown() {
	resident_stop_all
}

server_start() {
	/usr/sbin/slapd -f "$T/slapd.conf" -h "ldap://127.0.0.1:$port/" -d 0 >"$T/slapd.log" 2>&1 &
	server=$!
	wait_until port_accepts "$port"
}

server_stop() {
	kill "$server"
	wait "$server"
	server=
}

test_a_user_of_a_directory() {
	needs ldapdb slapd || return 0
	assert_mechanisms 'PLAIN LOGIN SCRAM-SHA-256'
	assert_carol
	assertEquals 'the service is no user' "$no" "$(accounts_reply msa of-the-service)"
	assertEquals "$yes" "$(accounts_scram carol pencil)"
	assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=SCRAM-SHA-256'
	assertEquals "$no" "$(accounts_scram carol wrong)"
	assertEquals "$no" "$(accounts_scram nobody pencil)"
}

# The plugin compares the password itself.
test_a_hash_in_the_directory_is_no_password() {
	needs ldapdb slapd || return 0
	assertEquals "$no" "$(accounts_reply hashed pencil)"
	assertEquals "$no" "$(accounts_reply hashed "$(sed -n 's/^userPassword: {/{/p' "$T/ldif")x")"
}

test_a_lock_of_the_store_counts() {
	needs ldapdb slapd || return 0
	assert_store_first
}

test_a_resident_asks_it() {
	needs ldapdb slapd || return 0
	resident_start authd "$accounts/login" call "$T/nothing" || return
	for password in pencil wrong; do
		printf '<\n> EHLO x\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0carol\0%s' "$password" | base64 -w0)" |
			talk -t 60 call "$T/authd" 2>"$T/log" | tail -n 1
	done >"$T/out"
	printf '%s\n' "$yes" "$no" | assert_out
}

# The plugin says that the user's password is wrong: authd(8) CAVEATS.
test_the_plugin_does_not_tell_a_wrong_password_of_its_own_from_one_of_the_user() {
	needs ldapdb slapd || return 0
	sed -i 's/^ldapdb_pw: .*/ldapdb_pw: another/' "$accounts/sasl.conf"
	assertEquals "$no" "$(accounts_reply carol pencil)"
	sed -i 's/^ldapdb_pw: .*/ldapdb_pw: of-the-service/' "$accounts/sasl.conf"
}

test_a_server_that_is_silent_or_gone_is_454() {
	needs ldapdb slapd || return 0
	kill -STOP "$server"
	assertEquals 'silent' "$later" "$(accounts_reply carol pencil)"
	kill -CONT "$server"
	server_stop
	for password in pencil wrong; do
		assertEquals 'gone' "$later" "$(accounts_reply carol "$password")"
		assertContains "$(cat "$T/log")" ' failed mech=PLAIN '
	done
	assertEquals 'gone' "$later" "$(accounts_scram carol pencil)"
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	assertEquals 'the store still counts' "$yes" "$(accounts_reply carol "$(cat "$T/phone")" -u "$T/store.cdb")"
	assertEquals 'the store does not have it' "$later" "$(accounts_reply carol pencil -u "$T/store.cdb")"
	server_start
	assertEquals 'back again' "$yes" "$(accounts_reply carol pencil)"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
