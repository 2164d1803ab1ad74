#!/bin/sh
# A message accepted while Dovecot's LMTP server is down reaches its mailboxes once it is up; an unknown user is reported.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"

runner=

tearDown() {
	[ -z "$runner" ] || kill "$runner" 2>/dev/null
	[ -z "$runner" ] || wait "$runner" 2>/dev/null
	runner=
	[ ! -d "$T/d" ] || dovecot-lmtp stop "$T/d"
}

has_mail() {
	[ "$(find "$T/d/mail/$1/Maildir/new" -type f 2>/dev/null | wc -l)" -eq 1 ]
}

is_waiting() {
	grep -q 'waiting=3' "$T/log"
}

is_done() {
	[ -z "$(find "$T/spool" -mindepth 2 -maxdepth 2 ! -path "$T/spool/tmp/*" -name '??????????????' 2>/dev/null)" ]
}

test_a_server_that_is_down_gets_it_later() {
	needs root /usr/lib/dovecot/lmtp || return 0
	chmod 755 "$T" # Dovecot's processes are not root
	dovecot-lmtp start "$T/d" >"$T/addresses" || {
		fail 'Dovecot does not start'
		return
	}
	socket=$(sed -n 1p "$T/addresses")
	caps=$(lmtp-inject -k "$socket")
	dovecot-lmtp stop "$T/d"
	mkdir -m 700 "$T/spool"
	MSA_HOST=mx.test spoold -d -b 1:2 "$T/spool" lmtp-inject "$socket" 2>"$T/log" </dev/null &
	runner=$!
	RELAYCLIENT='' MSA_HOST=mx.test MSA_EHLO="$caps
DSN" talk submitd spool "$T/spool" >"$T/out" 2>"$T/submitd.log" <<-X
		> EHLO client.example
		> MAIL FROM:<alice@example.net>
		> RCPT TO:<bob@example.net>
		> RCPT TO:<alice@example.net> NOTIFY=NEVER
		> RCPT TO:<nobody@example.net> ORCPT=rfc822;No.Body@example.net
		> DATA
		> From: alice@example.net
		> Subject: test
		>
		> Hello
		> .
		> QUIT
		<<
	X
	assertEquals 'answered' '250 2.0.0 Ok, message ID' "$(sed -n '/^354/{n;s/[0-9a-z]\{14\}$/ID/p;}' "$T/out")"
	wait_until is_waiting
	assertTrue 'listed' "spool -p $T/spool | grep -q '^[0-9a-z]* [0-9]* <alice@example.net> 3/3 [0-9]* 451 4.4.1 '"
	dovecot-lmtp start "$T/d" >/dev/null
	spool -f "$T/spool"
	wait_until is_done
	has_mail bob@example.net
	assertTrue 'bob' $?
	assertEquals "alice: hers, and the report" 2 "$(find "$T/d/mail/alice@example.net/Maildir/new" -type f | wc -l)"
	report=$(grep -l multipart/report "$T/d/mail/alice@example.net/Maildir/new/"*)
	assertEquals 'of nobody' 'Original-Recipient: rfc822; No.Body@example.net
Final-Recipient: rfc822; nobody@example.net
Action: failed
Status: 5.1.1' "$(tr -d '\r' <"$report" | grep '^\(Original-Rec\|Final\|Action\|Status\)')"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
