#!/bin/sh
# examples/accounts/ldap: authd -s against LDAP, OpenLDAP's slapd behind saslauthd. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/accounts.sh
. "$ROOT/tests/lib/accounts.sh"

# A directory of the test's own, with carol, who has the password pencil.
oneTimeSetUp() {
	accounts_prepare
	[ -x /usr/sbin/saslauthd ] && [ -x /usr/sbin/slapd ] || return 0
	mkdir "$T/db"
	port=$(port_free)
	cat >"$T/slapd.conf" <<-C
		include /etc/ldap/schema/core.schema
		include /etc/ldap/schema/cosine.schema
		include /etc/ldap/schema/inetorgperson.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $T/slapd.pid
		database mdb
		suffix "dc=example,dc=net"
		directory $T/db
	C
	cat >"$T/ldif" <<-L
		dn: dc=example,dc=net
		objectClass: dcObject
		objectClass: organization
		o: Example
		dc: example

		dn: uid=carol,dc=example,dc=net
		objectClass: inetOrgPerson
		cn: Carol
		sn: Carol
		uid: carol
		mail: carol@example.net
		userPassword: pencil
	L
	/usr/sbin/slapadd -f "$T/slapd.conf" -l "$T/ldif" >"$T/slapadd.log" 2>&1
	/usr/sbin/slapd -f "$T/slapd.conf" -h "ldap://127.0.0.1:$port/" -d 0 >"$T/slapd.log" 2>&1 &
	directory=$!
	accounts_copy ldap -e "s|127.0.0.1:389|127.0.0.1:$port|"
	accounts_saslauthd
}

oneTimeTearDown() {
	[ -z "${server:-}" ] || kill "$server" "$directory" 2>/dev/null
	server=
}

carol_logs_in() {
	accounts_reply carol pencil >"$T/reply"
	[ "$(cat "$T/reply")" = "$yes" ]
}

test_a_user_of_a_directory() {
	needs /usr/sbin/saslauthd /usr/sbin/slapd || return 0
	wait_until carol_logs_in # slapd takes a moment
	assert_mechanisms 'PLAIN LOGIN'
	assert_carol
	assert_store_first
}

# saslauthd says no, whatever the reason is: authd(8) CAVEATS. The last test: the directory is gone.
test_saslauthd_does_not_tell_trouble_from_a_wrong_password() {
	needs /usr/sbin/saslauthd /usr/sbin/slapd || return 0
	kill "$directory"
	wait "$directory"
	assertEquals "$no" "$(accounts_reply carol pencil)"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
