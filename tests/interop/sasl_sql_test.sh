#!/bin/sh
# examples/accounts/sqlite: authd -s with the SQL plugin of Cyrus SASL on SQLite; passwords in clear text, so SCRAM too.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/accounts.sh
. "$ROOT/tests/lib/accounts.sh"

oneTimeSetUp() {
	accounts_prepare
	accounts_copy sqlite
	python3 - "$accounts" <<-'P'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1] + '/users.db')
		db.executescript(open(sys.argv[1] + '/users.sql').read())
		db.execute("INSERT INTO users VALUES ('carol', 'example.net', 'pencil')")
		db.commit()
	P
}

test_a_user_of_a_database() {
	needs /usr/lib/*/sasl2/libsql.so || return 0
	assert_mechanisms 'PLAIN LOGIN SCRAM-SHA-256'
	assert_carol
	assertEquals "$yes" "$(accounts_scram carol pencil)"
	assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=SCRAM-SHA-256'
	assertEquals "$no" "$(accounts_scram carol wrong)"
}

test_a_lock_of_the_store_counts() {
	needs /usr/lib/*/sasl2/libsql.so || return 0
	assert_store_first
}

# The last test: the file is gone, and authd cannot make one.
test_without_the_file_it_is_454() {
	needs /usr/lib/*/sasl2/libsql.so || return 0
	rm -f "$accounts/users.db"
	chmod 555 "$accounts"
	for password in pencil wrong; do
		assertEquals "$later" "$(accounts_reply carol "$password")"
	done
	assertEquals "$later" "$(accounts_scram carol pencil)"
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	assertEquals 'Cyrus looks the user up first' "$later" "$(accounts_reply carol "$(cat "$T/phone")" -u "$T/store.cdb")"
	chmod 755 "$accounts"
	assertFalse 'a file was made' "[ -e '$accounts/users.db' ]"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
