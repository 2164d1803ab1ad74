#!/bin/sh
# The check at RCPT (submitd -r) with the injectors' -n, against Dovecot's LMTP server: an unknown user is refused there.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dovecot.sh
. "$ROOT/tests/lib/dovecot.sh"

oneTimeSetUp() {
	dovecot_start
	[ -n "$ready" ] || return 0
	mkfifo "$T/fifo"
	lmtp-inject -l "$T/check" -R 3 -n "$socket" 3>"$T/fifo" 2>"$T/check.log" &
	resident=$!
	read -r _ <"$T/fifo" || fail "no resident: $(cat "$T/check.log")"
}

oneTimeTearDown() {
	[ -z "$ready" ] || {
		kill "$resident"
		wait "$resident"
	}
	dovecot_stop
}

# Submit a message of alice's, pipelined, to bob and two whom Dovecot does not know. usage: submit check chain ...
submit() {
	rm -rf "$T/d/mail/"*
	RELAYCLIENT='' MSA_HOST=mx.test MSA_EHLO="$(lmtp-inject -k "$socket")" talk submitd -r "$@" >"$T/out" 2>"$T/log" <<-'X'
		> EHLO client.example
		> MAIL FROM:<alice@example.net>
		> RCPT TO:<nobody@example.net>
		> RCPT TO:<bob@example.net>
		> RCPT TO:<nobody.else@example.net>
		> DATA
		> Subject: test
		>
		> Hello
		> .
		> QUIT
		<<
	X
}

test_an_unknown_user_is_refused_at_rcpt() {
	dovecot_ready || return 0
	for check in "lmtp-inject -n $socket" "call $T/check"; do
		submit "$check" lmtp-inject "$socket"
		sed 's/message [0-9a-z]\{14\}$/message ID/' "$T/out" | grep -E '^[0-9]{3} ' | grep -v CHUNKING >"$T/got"
		cat >"$T/want" <<-'X'
			250 2.1.0 Sender ok
			550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net
			250 2.1.5 Recipient ok
			550 5.1.1 <nobody.else@example.net> User doesn't exist: nobody.else@example.net
			354 End data with <CR><LF>.<CR><LF>
			250 2.0.0 Ok, message ID
			221 2.0.0 Bye
		X
		sed -n '/^250 2.1.0/,$p' "$T/got" >"$T/replies"
		assert_same "replies with $check: $(cat "$T/log")" "$T/want" "$T/replies"
		assertEquals "bob has it: $check" 1 "$(find "$T/d/mail/bob@example.net/Maildir/new" -type f | wc -l)"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
