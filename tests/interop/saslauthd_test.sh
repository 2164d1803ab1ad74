#!/bin/sh
# examples/accounts/pam: authd -s against PAM, through saslauthd, alone and behind a store of ours. ISC licence, see LICENSE.
# shellcheck disable=SC2016,SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/accounts.sh
. "$ROOT/tests/lib/accounts.sh"

# A PAM service of the test's own, in a name space where nobody else sees it: in the place of pam_unix a program, for
# which carol's password is pencil. At its end saslauthd ends its process group.
oneTimeSetUp() {
	accounts_prepare
	[ -x /usr/sbin/saslauthd ] && has mount || return 0
	program_lines passwords 'password=$(tr -d "\0")' '[ "$PAM_USER:$password" = carol:pencil ]'
	accounts_copy pam -e "s|^auth .* pam_unix[.]so|auth required pam_exec.so expose_authtok quiet $T/passwords|" \
		-e 's|^account .* pam_unix[.]so|account required pam_permit.so|'
	mkdir "$T/pam.d"
	cp "$accounts/smtp" "$T/pam.d/smtp"
	accounts_saslauthd unshare -m sh -c 'mount --bind "$0" /etc/pam.d && exec "$@"' "$T/pam.d"
}

oneTimeTearDown() {
	[ -z "${server:-}" ] || kill "$server" 2>/dev/null
	server=
}

test_a_user_of_pam_is_in_the_realm() {
	needs mount /usr/sbin/saslauthd || return 0
	assert_mechanisms 'PLAIN LOGIN'
	assert_carol "$yes" # PAM has no domains: authd(8) CAVEATS
	sed -i 's/ -r example.net//' "$accounts/login"
	assertEquals 'without a realm' "$yes" "$(accounts_reply carol pencil)"
	assertContains "$(cat "$T/log")" ' authenticated user=carol mech=PLAIN'
	sed -i 's/ -s / -r example.net -s /' "$accounts/login"
}

test_a_store_in_front_has_application_passwords_and_locks() {
	needs mount /usr/sbin/saslauthd || return 0
	assert_store_first
}

# The last test: the server is gone.
test_without_saslauthd_it_is_454() {
	needs mount /usr/sbin/saslauthd || return 0
	oneTimeTearDown
	wait_until [ ! -S "$T/run/mux" ] || rm -f "$T/run/mux"
	for password in pencil wrong; do
		assertEquals "$later" "$(accounts_reply carol "$password")"
	done
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	assertEquals 'the store still counts' "$yes" "$(accounts_reply carol "$(cat "$T/phone")" -u "$T/store.cdb")"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
