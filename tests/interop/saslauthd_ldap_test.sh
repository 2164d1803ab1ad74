#!/bin/sh
# authd -s against LDAP: OpenLDAP's slapd behind saslauthd. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# A directory of the test's own, with carol, who has the password pencil.
oneTimeSetUp() {
	export MSA_HOST=mx.example
	[ -x /usr/sbin/saslauthd ] && [ -x /usr/sbin/slapd ] || return 0
	mkdir "$T/ldap" "$T/run"
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
		directory $T/ldap
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
	printf '%s\n' "ldap_servers: ldap://127.0.0.1:$port/" 'ldap_search_base: dc=example,dc=net' 'ldap_filter: (mail=%u@%r)' \
		'ldap_auth_method: bind' >"$T/ldap.conf"
	printf 'pwcheck_method: saslauthd\nsaslauthd_path: %s/run/mux\nmech_list: PLAIN LOGIN\n' "$T" >"$T/sasl.conf"
	setsid /usr/sbin/saslauthd -d -a ldap -O "$T/ldap.conf" -n 1 -m "$T/run" >"$T/saslauthd.log" 2>&1 &
	server=$!
	wait_until [ -S "$T/run/mux" ]
}

oneTimeTearDown() {
	[ -z "${server:-}" ] || kill "$server" "$directory" 2>/dev/null
	server=
}

# The reply to a password. usage: reply user password option ...
reply() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	shift 2
	talk -t 60 authd -p -s "$T/sasl.conf" -r example.net "$@" true <"$T/script" 2>"$T/log" | tail -n 1
}

carol_logs_in() {
	reply carol pencil >"$T/reply"
	[ "$(cat "$T/reply")" = '235 2.7.0 Authentication succeeded' ]
}

test_a_user_of_a_directory() {
	needs /usr/sbin/saslauthd /usr/sbin/slapd || return 0
	wait_until carol_logs_in # slapd takes a moment
	assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=PLAIN'
	for who in 'carol wrong' 'carol@example.org pencil' 'nobody pencil' '* pencil'; do
		assertEquals "$who" '535 5.7.8 Authentication credentials invalid' "$(reply "${who% *}" "${who#* }")"
	done
	phone=$(msa-passwd -g -n phone "$T/store.cdb" carol@example.net)
	assertEquals 'the store first' '235 2.7.0 Authentication succeeded' "$(reply carol "$phone" -u "$T/store.cdb")"
	assertEquals '235 2.7.0 Authentication succeeded' "$(reply carol pencil -u "$T/store.cdb")"
}

# saslauthd says no, whatever the reason is: authd(8) CAVEATS. The last test: the directory is gone.
test_saslauthd_does_not_tell_trouble_from_a_wrong_password() {
	needs /usr/sbin/saslauthd /usr/sbin/slapd || return 0
	kill "$directory"
	wait "$directory"
	assertEquals '535 5.7.8 Authentication credentials invalid' "$(reply carol pencil)"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
