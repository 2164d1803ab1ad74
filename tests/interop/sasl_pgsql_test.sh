#!/bin/sh
# examples/accounts/postgresql: authd -s with the SQL plugin of Cyrus SASL on PostgreSQL. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/accounts.sh
. "$ROOT/tests/lib/accounts.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

# A server of the test's own, at a Unix socket only. PostgreSQL refuses to run as root.
oneTimeSetUp() {
	accounts_prepare
	server=
	has postgres || return 0
	for pg in /usr/lib/postgresql/*/bin; do :; done
	mkdir "$T/pg"
	drop=
	[ "$(id -u)" -ne 0 ] || {
		drop='setpriv --reuid nobody --regid nogroup --clear-groups'
		chown nobody:nogroup "$T/pg"
	}
	# shellcheck disable=SC2086
	(cd "$T/pg" && $drop "$pg/initdb" -N -A trust -U postgres -E UTF8 --locale=C -D "$T/pg/data" >"$T/initdb.log" 2>&1)
	server_start
	query postgres 'CREATE DATABASE mail'
	accounts_copy postgresql -e "s|/run/postgresql|$T/pg|" -e 's/^\(export PGCONNECT_TIMEOUT\)=10$/\1=2/'
	query mail "$(cat "$accounts/users.sql")"
	query mail "INSERT INTO users VALUES ('carol', 'example.net', 'pencil')"
}

oneTimeTearDown() {
	[ -z "$server" ] || server_stop
}

tearDown() {
	resident_stop_all
}

server_start() {
	# shellcheck disable=SC2086
	(cd "$T/pg" && exec $drop "$pg/postgres" -D "$T/pg/data" -k "$T/pg" -c listen_addresses= -F) >"$T/postgres.log" 2>&1 &
	server=$!
	wait_until query postgres 'SELECT 1'
}

# At once, with all its processes.
server_stop() {
	kill -QUIT "$server"
	wait "$server"
	server=
}

# usage: query database text
query() {
	"$pg/psql" -q -h "$T/pg" -U postgres -c "$2" "$1" >"$T/query.log" 2>&1
}

test_a_user_of_a_database() {
	needs postgres || return 0
	assert_mechanisms 'PLAIN LOGIN SCRAM-SHA-256'
	assert_carol
	assertEquals "$yes" "$(accounts_scram carol pencil)"
	assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=SCRAM-SHA-256'
	assertEquals "$no" "$(accounts_scram carol wrong)"
}

test_a_lock_of_the_store_counts() {
	needs postgres || return 0
	assert_store_first
}

test_a_resident_asks_it() {
	needs postgres || return 0
	resident_start authd "$accounts/login" call "$T/nothing" || return
	for password in pencil wrong; do
		printf '<\n> EHLO x\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0carol\0%s' "$password" | base64 -w0)" |
			talk -t 60 call "$T/authd" 2>"$T/log" | tail -n 1
	done >"$T/out"
	printf '%s\n' "$yes" "$no" | assert_out
}

# Cyrus says that there is no such user: authd(8) CAVEATS.
test_the_plugin_does_not_tell_a_query_that_fails_from_no_user() {
	needs postgres || return 0
	query mail 'ALTER TABLE users RENAME TO others'
	assertEquals "$no" "$(accounts_reply carol pencil)"
	query mail 'ALTER TABLE others RENAME TO users'
	assertEquals "$yes" "$(accounts_reply carol pencil)"
}

test_a_server_that_is_silent_or_gone_is_454() {
	needs postgres || return 0
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
	for password in "$(cat "$T/phone")" pencil wrong; do
		assertEquals 'Cyrus looks the user up first' "$later" "$(accounts_reply carol "$password" -u "$T/store.cdb")"
	done
	server_start
	assertEquals 'back again' "$yes" "$(accounts_reply carol pencil)"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
