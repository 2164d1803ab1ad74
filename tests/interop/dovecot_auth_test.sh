#!/bin/sh
# authd -D asks Dovecot's authentication server, also as in examples/accounts/dovecot; msa-passwd -b takes Dovecot's passwd-file. ISC licence, see LICENSE.
# shellcheck disable=SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/accounts.sh
. "$ROOT/tests/lib/accounts.sh"

schemes='sha512-crypt sha256-crypt blf-crypt md5-crypt crypt scram-sha-1 scram-sha-256'

# A server of the test's own, which reads no other configuration. Needs root, as Dovecot does.
oneTimeSetUp() {
	accounts_prepare
	ready=
	[ "$(id -u)" -eq 0 ] && [ -x /usr/lib/dovecot/auth ] || return 0
	mkdir "$T/state"
	for scheme in $schemes; do
		echo "$scheme@example.net:$(doveadm -c /dev/null pw -s "$scheme" -p "of-$scheme" 2>>"$T/pw.log")"
	done >"$T/users"
	(cat "$T/users" && echo 'carol@example.net:{PLAIN}pencil') >"$T/passdb"
	chmod 644 "$T/passdb"
	accounts_copy dovecot -e "s|/run/dovecot|$T/run|" -e 's/group = msa-auth/group = nogroup/'
	program_lines broken 'exit 111'
	cat >"$T/conf" <<-CONF
		base_dir = $T/run
		state_dir = $T/state
		log_path = $T/dovecot.log
		protocols = none
		ssl = no
		auth_mechanisms = plain login
		auth_failure_delay = 0
		auth_default_realm = example.net
		passdb {
		  driver = checkpassword
		  args = $T/broken
		  username_filter = *@broken.example
		}
		passdb {
		  driver = passwd-file
		  args = username_format=%Lu $T/passdb
		}
		userdb {
		  driver = static
		  args = uid=mail gid=mail home=/nonexistent
		}
		service auth {
		  unix_listener $T/auth {
		    mode = 0666
		  }
		}
		!include $accounts/90-msa.conf
		# Dovecot makes an address wait that guesses.
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		service stats {
		  unix_listener stats-writer {
		    mode = 0666
		  }
		}
	CONF
	dovecot -c "$T/conf" >"$T/start.log" 2>&1 && wait_until port_accepts "$T/auth" && ready=1
}

oneTimeTearDown() {
	[ -z "${ready:-}" ] || kill "$(cat "$T/run/master.pid")"
	ready=
}

tearDown() {
	resident_stop_all
}

# The reply to a password. usage: reply user password option ...
reply() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	shift 2
	talk -t 60 authd "$@" true <"$T/script" 2>"$T/log" | tail -n 1
}

test_dovecot_decides() {
	needs root /usr/lib/dovecot/auth || return 0
	assertTrue 'Dovecot starts' "[ '$ready' ]"
	for scheme in $schemes; do
		password=of-$scheme
		assertEquals "$scheme" "$yes" "$(reply "$scheme@example.net" "$password" -D "$T/auth")"
		assertContains "$(cat "$T/log")" "authenticated user=$scheme@example.net mech=PLAIN ip=192.0.2.1"
		assertEquals "$scheme" "$no" "$(reply "$scheme@example.net" "${password}x" -D "$T/auth")"
	done
	assertEquals "$no" "$(reply nobody x -D "$T/auth")"
	assertEquals 'the realm' "$yes" "$(reply Crypt of-crypt -r example.net -D "$T/auth")"
	assertContains "$(cat "$T/log")" 'authenticated user=crypt@example.net '
}

test_the_example() {
	needs root /usr/lib/dovecot/auth || return 0
	assert_mechanisms 'PLAIN LOGIN'
	assert_carol
	assert_store_first
}

test_a_resident_with_a_store_in_front() {
	needs root /usr/lib/dovecot/auth || return 0
	phone=$(msa-passwd -g -n phone "$T/store.cdb" crypt@example.net)
	resident_start authd authd -U nobody -u "$T/store.cdb" -D "$T/auth" true || return
	for password in "$phone" of-crypt; do
		printf '<\n> EHLO x\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0crypt@example.net\0%s' "$password" | base64 -w0)" |
			talk -t 60 call "$T/authd" 2>"$T/log" | tail -n 1 >"$T/out"
		echo "$yes" | assert_out "$password"
	done
	assertContains "$(cat "$T/authd.log")" 'label=phone'
}

test_dovecots_file_makes_a_store() {
	needs root /usr/lib/dovecot/auth || return 0
	assertEquals 'added 7, changed 0, removed 0, unchanged 0' "$(msa-passwd -b "$T/all.cdb" <"$T/users")"
	for scheme in $schemes; do
		password=of-$scheme
		assertEquals "$scheme" "$yes" "$(reply "$scheme@example.net" "$password" -u "$T/all.cdb")"
		assertEquals "$scheme" "$no" "$(reply "$scheme@example.net" "${password}x" -u "$T/all.cdb")"
	done
}

# The last test: the server is gone.
test_trouble_of_dovecots_is_454() {
	needs root /usr/lib/dovecot/auth || return 0
	assertEquals 'no user base' "$later" "$(reply crypt@broken.example of-crypt -D "$T/auth")"
	assertContains "$(cat "$T/log")" "unanswered socket=$T/auth why=\"a temporary failure there\""
	kill "$(cat "$T/run/master.pid")"
	ready=
	wait_until [ ! -e "$T/run/master.pid" ]
	assertEquals 'no server' "$later" "$(reply crypt@example.net of-crypt -D "$T/auth")"
	for password in pencil wrong; do
		assertEquals 'no server' "$later" "$(accounts_reply carol "$password")"
	done
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	assertEquals 'the store still counts' "$yes" "$(accounts_reply carol "$(cat "$T/phone")" -u "$T/store.cdb")"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
