#!/bin/sh
# examples/accounts: sasldb and checkpassword, and what all folders have in common. The others, which need a server, have
# files of their own: saslauthd_test.sh (pam), saslauthd_ldap_test.sh (ldap), sasl_ldapdb_test.sh, sasl_sql_test.sh
# (sqlite), sasl_pgsql_test.sh (postgresql), dovecot_auth_test.sh. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/accounts.sh
. "$ROOT/tests/lib/accounts.sh"

oneTimeSetUp() {
	accounts_prepare
}

test_each_folder_is_a_row_of_the_table() {
	(cd "$ROOT/examples/accounts" && ls -d */) | tr -d / | sort >"$T/want"
	sed -n 's/^| \([a-z]*\)\/ .*/\1/p' "$ROOT/examples/accounts/README.md" | sort >"$T/out"
	assert_same 'folders' "$T/want" "$T/out"
}

test_a_user_of_sasldb() {
	accounts_copy sasldb
	printf pencil | sh "$accounts/set" carol
	chmod 644 "$accounts/sasldb2"
	assert_mechanisms 'PLAIN LOGIN SCRAM-SHA-256'
	assert_carol
	assertEquals "$yes" "$(accounts_scram carol pencil)"
	assertEquals "$no" "$(accounts_scram carol wrong)"
	assert_store_first
	echo x >"$accounts/sasldb2"
	for password in pencil wrong; do
		assertEquals 'damaged' "$later" "$(accounts_reply carol "$password")"
	done
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	assertEquals 'the store still counts' "$yes" "$(accounts_reply carol "$(cat "$T/phone")" -u "$T/store.cdb")"
	rm -f "$T/store.cdb"
	chmod 000 "$accounts/sasldb2"
	assertEquals 'not to be read' "$later" "$(accounts_reply carol pencil)"
	rm -f "$accounts/sasldb2"
	assertEquals 'Cyrus takes no file for no users' "$no" "$(accounts_reply carol pencil)"
}

test_a_user_of_a_checkpassword_program() {
	accounts_copy checkpassword
	echo "carol@example.net:$(openssl passwd -6 pencil)" >"$accounts/passwords"
	chmod 755 "$accounts/check"
	chmod 644 "$accounts/passwords"
	assert_mechanisms 'PLAIN LOGIN'
	assert_carol
	assert_store_first
	rm -f "$accounts/passwords"
	for password in pencil wrong; do
		assertEquals "$later" "$(accounts_reply carol "$password")"
	done
	assertContains "$(cat "$T/log")" 'why="exit 111"'
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	assertEquals 'the store still counts' "$yes" "$(accounts_reply carol "$(cat "$T/phone")" -u "$T/store.cdb")"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
