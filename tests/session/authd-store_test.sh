#!/bin/sh
# authd: a store or a table of certificates that is replaced while it runs. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'

setUp() {
	export MSA_HOST=mx.example
	chmod 755 "$T"
	db=$T/users.cdb
	rm -f "$db"
	printf 'old\n' | msa-passwd -i 4096 "$db" bob
	user=
	[ "$(id -u)" -ne 0 ] || user='-U nobody' # who cannot open the store
}

tearDown() {
	resident_stop_all
	rm -f "$T"/*.log
}

# The reply to a password. usage: reply password program ...
reply() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0bob\0%s' "$1" | base64)" >"$T/script"
	shift
	talk -t 60 "$@" <"$T/script" 2>"$T/log" | tail -n 1
}

# Returns true if the resident gives this reply. usage: gives reply password
gives() {
	reply "$2" call "$T/authd" >"$T/reply"
	[ "$(cat "$T/reply")" = "$1" ]
}

# Until a worker is a second old, it tells its client to come again.
test_a_resident_takes_the_new_store_without_a_signal() {
	# shellcheck disable=SC2086
	resident_start authd authd $user -p -u "$db" true || return
	assertTrue 'before' "gives '$yes' old"
	printf 'new\n' | msa-passwd "$db" bob
	wait_until gives "$yes" new
	assertTrue 'the old password' "gives '$no' old"
	assertContains "$(cat "$T/authd.log")" 'authd: - reloaded'
	msa-passwd -L "$db" bob
	wait_until gives "$no" new
	assertContains "$(cat "$T/authd.log")" 'reason="user is locked"'
	assertNotContains 'no worker is lost' "$(cat "$T/authd.log")" ' lost '
}

test_a_store_that_cannot_be_used_is_not_taken() {
	# shellcheck disable=SC2086
	resident_start authd authd $user -p -u "$db" true || return
	echo rubbish >"$T/rubbish"
	chmod 600 "$T/rubbish"
	mv "$T/rubbish" "$db"
	wait_until gives "$yes" old
	assertContains "$(cat "$T/authd.log")" "users.cdb: not a cdb"
	assertContains "$(cat "$T/authd.log")" 'authd: - kept'
	assertTrue 'again' "gives '$yes' old"
	assertEquals 'and is looked at once' 1 "$(grep -c 'authd: - kept' "$T/authd.log")"
	printf 'new\n' | msa-passwd -i 4096 "$T/open.cdb" bob
	chmod 604 "$T/open.cdb"
	mv "$T/open.cdb" "$db"
	wait_until gives "$yes" old
	assertContains "$(cat "$T/authd.log")" 'users.cdb: open to everybody'
	chmod 600 "$db"
	wait_until gives "$yes" new
	printf 'old\n' | msa-passwd "$db" bob
	wait_until gives "$yes" old
	rm "$db"
	assertTrue 'nor one that is gone' "gives '$yes' old"
	printf 'new\n' | msa-passwd -i 4096 "$db" bob
	wait_until gives "$yes" new
}

test_a_new_table_of_certificates_counts_too() {
	hash=SHA256:$(printf '%064d' 1)
	echo "$hash nobody" | cdb -c -m "$T/certs.cdb"
	# shellcheck disable=SC2086
	resident_start authd authd $user -p -u "$db" -c "$T/certs.cdb" true || return
	printf '<\n> EHLO client.example\n<\n> AUTH EXTERNAL =\n<\n' >"$T/external"
	offers() {
		SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_HASH=$hash talk -t 60 call "$T/authd" <"$T/external" 2>"$T/log" | tail -n 1 |
			grep -qx "$1.*"
	}
	assertTrue 'before' 'offers 535'
	echo "$hash bob" | cdb -c -m "$T/certs.cdb"
	wait_until offers 235
}

# Who may not even look into the folder knows a replaced store by the open one, which has lost its name.
test_a_store_in_a_folder_of_roots_is_seen_anew_too() {
	needs root || return 0
	rm -rf "$T/private"
	mkdir -m 700 "$T/private"
	printf 'old\n' | msa-passwd -i 4096 "$T/private/users.cdb" bob
	resident_start authd authd -U nobody -p -u "$T/private/users.cdb" true || return
	assertTrue 'before' "gives '$yes' old"
	msa-passwd -L "$T/private/users.cdb" bob
	wait_until gives "$no" old
	msa-passwd -R "$T/private/users.cdb" bob
	wait_until gives "$yes" old
	echo rubbish >"$T/private/rubbish"
	chmod 600 "$T/private/rubbish"
	mv "$T/private/rubbish" "$T/private/users.cdb"
	wait_until gives "$yes" old # that is not taken, and the old one stays
}

# The password comes after the lock, in an exchange that began before it.
test_an_exchange_from_before_the_change_lets_nobody_in() {
	cat >"$T/script" <<-X
		<
		> EHLO client.example
		<
		> AUTH PLAIN
		<
		put $T/began 1
		waits $T/changed authd 1 1
		> $(printf '\0bob\0old' | base64)
		<<
	X
	rm -f "$T/began" "$T/changed"
	# shellcheck disable=SC2086
	talk -t 60 authd $user -p -u "$db" true <"$T/script" >"$T/all" 2>"$T/log" &
	wait_until [ -e "$T/began" ]
	msa-passwd -L "$db" bob
	echo 'authd 1 1' >"$T/changed"
	wait $!
	sed '1,/^334/d' "$T/all" >"$T/out"
	printf '%s\n' '421 4.3.2 Service not available, closing the connection' EOF | assert_out
}

# A session that began before the change cannot log in by what was then: resident or not, with the right to open it or not.
test_a_session_from_before_the_change_is_told_to_come_again() {
	cat >"$T/script" <<-X
		<
		> EHLO client.example
		<
		put $T/began 1
		waits $T/changed authd 1 1
		> AUTH PLAIN $(printf '\0bob\0old' | base64)
		<<
	X
	# shellcheck disable=SC2086
	resident_start authd authd $user -p -u "$db" true || return
	for program in "authd $user -p -u $db true" "call $T/authd"; do
		rm -f "$T/began" "$T/changed"
		# shellcheck disable=SC2086
		talk -t 60 $program <"$T/script" >"$T/all" 2>"$T/log" &
		wait_until [ -e "$T/began" ]
		msa-passwd -L "$db" bob
		echo 'authd 1 1' >"$T/changed"
		wait $!
		sed '1,/^250 /d' "$T/all" >"$T/out"
		printf '%s\n' '421 4.3.2 Service not available, closing the connection' EOF | assert_out "$program"
		msa-passwd -R "$db" bob
	done
	assertContains "$(cat "$T/authd.log")" ' outdated'
}

# shellcheck disable=SC1090
. "$SHUNIT2"
