#!/bin/sh
# authd -s against PAM, through saslauthd, alone and behind a store of ours. ISC licence, see LICENSE.
# shellcheck disable=SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'

# A PAM service of the test's own, in a name space where nobody else sees it: carol's password is pencil. At its end
# saslauthd ends its process group.
oneTimeSetUp() {
	export MSA_HOST=mx.example
	[ -x /usr/sbin/saslauthd ] && "$ROOT/tests/tools/has" mount || return 0
	mkdir "$T/pam.d" "$T/run"
	printf '%s\n' "auth required pam_exec.so expose_authtok quiet $T/passwords" 'account required pam_permit.so' >"$T/pam.d/smtp"
	program_lines passwords 'password=$(tr -d "\0")' '[ "$PAM_USER:$password" = carol:pencil ]'
	printf 'pwcheck_method: saslauthd\nsaslauthd_path: %s/run/mux\nmech_list: PLAIN LOGIN\n' "$T" >"$T/pam.conf"
	setsid unshare -m sh -c 'mount --bind "$1/pam.d" /etc/pam.d && exec /usr/sbin/saslauthd -d -a pam -n 1 -m "$1/run"' sh "$T" \
		>"$T/saslauthd.log" 2>&1 &
	server=$!
	wait_until [ -S "$T/run/mux" ]
}

oneTimeTearDown() {
	[ -z "${server:-}" ] || kill "$server" 2>/dev/null
	server=
}

# The reply to a password. usage: reply user password option ...
reply() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	shift 2
	talk -t 60 authd -p -s "$T/pam.conf" "$@" true <"$T/script" 2>"$T/log" | tail -n 1
}

test_a_user_of_pam_is_in_the_realm() {
	needs mount /usr/sbin/saslauthd || return 0
	assertEquals "$yes" "$(reply carol pencil)"
	assertContains "$(cat "$T/log")" ' authenticated user=carol mech=PLAIN'
	for who in carol Carol carol@example.net; do
		assertEquals "$who" "$yes" "$(reply $who pencil -r example.net)"
		assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=PLAIN'
	done
	assertEquals "$no" "$(reply carol wrong -r example.net)"
	assertEquals "$no" "$(reply nobody pencil -r example.net)"
	assertContains "$(cat "$T/log")" ' refused mech=PLAIN '
}

test_a_store_in_front_has_application_passwords_and_locks() {
	needs mount /usr/sbin/saslauthd || return 0
	phone=$(msa-passwd -g -n phone "$T/store.cdb" carol@example.net)
	for password in "$phone" pencil; do
		assertEquals "$yes" "$(reply carol "$password" -r example.net -u "$T/store.cdb")"
	done
	msa-passwd -L "$T/store.cdb" carol@example.net
	for password in "$phone" pencil; do
		assertEquals "$no" "$(reply carol "$password" -r example.net -u "$T/store.cdb")"
		assertContains "$(cat "$T/log")" 'refused user=carol@example.net mech=PLAIN reason="user is locked"'
	done
}

# The last test: the server is gone.
test_without_saslauthd_it_is_454() {
	needs mount /usr/sbin/saslauthd || return 0
	oneTimeTearDown
	wait_until [ ! -S "$T/run/mux" ] || rm -f "$T/run/mux"
	assertEquals '454 4.7.0 Temporary authentication failure' "$(reply carol pencil -r example.net)"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
