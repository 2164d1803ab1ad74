#!/bin/sh
# authd -s with the SQL plugin of Cyrus SASL, on SQLite: passwords in clear text, so SCRAM too. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.example
	python3 - "$T/users.db" <<-'P'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute('CREATE TABLE users (name TEXT, domain TEXT, password TEXT)')
		db.execute("INSERT INTO users VALUES ('carol', 'example.net', 'pencil')")
		db.commit()
	P
	cat >"$T/sql.conf" <<-C
		pwcheck_method: auxprop
		auxprop_plugin: sql
		mech_list: PLAIN LOGIN SCRAM-SHA-256
		sql_engine: sqlite3
		sql_database: $T/users.db
		sql_select: SELECT password FROM users WHERE name = '%u' AND domain = '%r'
	C
}

# The reply to a password by PLAIN. usage: reply user password option ...
reply() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	shift 2
	talk -t 60 authd -p -s "$T/sql.conf" -r example.net "$@" true <"$T/script" 2>"$T/log" | tail -n 1
}

test_a_user_of_a_database() {
	needs /usr/lib/*/sasl2/libsql.so || return 0
	for who in carol Carol@Example.NET; do
		assertEquals "$who" '235 2.7.0 Authentication succeeded' "$(reply "$who" pencil)"
		assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=PLAIN'
	done
	for who in carol carol@example.org nobody "' OR 1=1 --" "x' OR 'a'='a"; do
		assertEquals "$who" '535 5.7.8 Authentication credentials invalid' "$(reply "$who" wrong)"
	done
	scram carol pencil authd -p -s "$T/sql.conf" -r example.net true >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=SCRAM-SHA-256'
}

test_a_lock_of_the_store_counts() {
	needs /usr/lib/*/sasl2/libsql.so || return 0
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	assertEquals '235 2.7.0 Authentication succeeded' "$(reply carol "$(cat "$T/phone")" -u "$T/store.cdb")"
	assertEquals '235 2.7.0 Authentication succeeded' "$(reply carol pencil -u "$T/store.cdb")"
	msa-passwd -L "$T/store.cdb" carol@example.net
	assertEquals '535 5.7.8 Authentication credentials invalid' "$(reply carol pencil -u "$T/store.cdb")"
	assertContains "$(cat "$T/log")" 'reason="user is locked"'
}

# shellcheck disable=SC1090
. "$SHUNIT2"
