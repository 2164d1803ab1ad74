#!/bin/sh
# The quickstart's service starts before Dovecot, and offers what Dovecot offers once that is up. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"
# shellcheck source=tests/lib/dovecot.sh
. "$ROOT/tests/lib/dovecot.sh"

oneTimeSetUp() {
	ready=1
	{ [ "$(id -u)" -eq 0 ] && [ -x /usr/lib/dovecot/lmtp ]; } || ready=
	chmod 755 "$T" # Dovecot's processes are not root
	program_make client <<-'X'
		#!/usr/bin/env -S python3
		import smtplib, ssl, sys
		tls = ssl._create_unverified_context()
		with smtplib.SMTP_SSL('localhost', int(sys.argv[1]), context=tls) as s:
		    s.login('alice@example.net', 'wonderland')
		    s.ehlo()
		    print(','.join(sorted(k.upper() for k in s.esmtp_features if k in ('8bitmime', 'smtputf8', 'dsn'))))
		    if sys.argv[2:]:
		        try: s.sendmail('alice@example.net', ['bob@example.net'], 'Subject: x\r\n\r\nx\r\n'); print('sent')
		        except smtplib.SMTPException as e: print(e)
	X
}

tearDown() {
	quickstart_stop
	[ -z "$ready" ] || dovecot-lmtp stop "$T/d"
}

# usage: offers keyword,...
offers() {
	[ "$("$T/client" "$SUBMISSIONS")" = "$1" ]
}

serves() {
	dovecot_ready || return 0
	rm -rf "$T/d"
	mkdir "$T/d"
	MODE=$1 LMTP=$T/d/lmtp quickstart_start
	assertContains "$(cat "$T/log")" "quickstart: $T/d/lmtp does not answer yet"
	assertEquals 'nothing that needs Dovecot, and 451' ",(451, b'4.4.1 Next server cannot be reached, try again later')" \
		"$("$T/client" "$SUBMISSIONS" send | paste -sd,)"
	rm -rf "$T/d"
	dovecot-lmtp start "$T/d" >"$T/addresses"
	lmtp-inject -k "$T/d/lmtp" | grep -x -e 8BITMIME -e SMTPUTF8 -e DSN | sort | paste -sd, >"$T/dovecot"
	[ "$1" != exec ] || "$T/client" "$SUBMISSIONS" send >"$T/out"
	wait_until offers "$(cat "$T/dovecot")"
	assertEquals 'Dovecot has 8BITMIME' 8BITMIME "$(grep -o 8BITMIME "$T/dovecot")"
	assertEquals "$(cat "$T/dovecot"),sent" "$("$T/client" "$SUBMISSIONS" send | paste -sd,)"
}

test_a_process_for_each_stage() {
	serves exec
}

test_resident() {
	serves resident
}

test_inline() {
	serves inline
}

. "$SHUNIT2"
