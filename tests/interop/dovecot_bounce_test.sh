#!/bin/sh
# A known and an unknown user of Dovecot's LMTP server: the one gets the message, the sender a report about the other.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dovecot.sh
. "$ROOT/tests/lib/dovecot.sh"

oneTimeSetUp() {
	dovecot_start
	[ -n "$ready" ] || return 0
	mkdir "$T/routes"
	printf '#!/bin/sh\nexec lmtp-inject %s\n' "$socket" >"$T/routes/dovecot"
	chmod 755 "$T/routes/dovecot"
	printf '+11,7:example.net->dovecot\n\n' | cdb -c "$T/routes.cdb"
}

oneTimeTearDown() {
	dovecot_stop
}

# Submit a message of alice's to bob and nobody; $T/out is what the client hears. usage: submit mail-parameters chain ...
submit() {
	rm -rf "$T/d/mail/"*
	params=$1
	shift
	RELAYCLIENT='' MSA_HOST=mx.test MSA_EHLO="$(lmtp-inject -k "$socket"; echo DSN)" talk submitd "$@" >"$T/out" 2>"$T/log" <<-X
		> EHLO client.example
		> MAIL FROM:<alice@example.net>$params
		> RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE
		> RCPT TO:<nobody@example.net> NOTIFY=FAILURE ORCPT=rfc822;No.Body@example.net
		> DATA
		> From: alice@example.net
		> Subject: test
		>
		> Hello
		> .
		> QUIT
		<<
	X
	answer=$(sed -n '/^354/{n;s/[0-9a-z]\{14\}$/ID/p;}' "$T/out")
}

test_the_report_lies_in_the_senders_mailbox() {
	dovecot_ready || return 0
	for how in one two; do
		if [ "$how" = one ]; then
			submit ' RET=FULL ENVID=x+2By' bounce -d lmtp-inject "$socket"
		else
			submit ' RET=FULL ENVID=x+2By' bounce -d route -t "$T/routes.cdb" -d "$T/routes" false
		fi
		assertEquals "$how: answer" '250 2.0.0 Ok, message ID' "$answer"
		assertEquals "$how: bob" 1 "$(find "$T/d/mail/bob@example.net/Maildir/new" -type f | wc -l)"
		python3 - "$T/d/mail/alice@example.net/Maildir/new/"* >"$T/parsed" <<-'P'
			import email, email.policy, sys
			m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
			print(len(sys.argv), m['Return-Path'], m.get_content_type(), m.get_param('report-type'))
			status = m.get_payload()[1].get_payload()
			print(status[0]['Original-Envelope-Id'], status[0]['Reporting-MTA'])
			for s in status[1:]:
			    print(s['Final-Recipient'], s['Original-Recipient'], s['Action'], s['Status'], s['Diagnostic-Code'])
			print(m.get_payload()[2].get_payload()[0]['Subject'])
		P
		cat >"$T/want" <<-'X'
			2 <> multipart/report delivery-status
			x+y dns; mx.test
			rfc822; bob@example.net None delivered 2.0.0 None
			rfc822; nobody@example.net rfc822; No.Body@example.net failed 5.1.1 smtp; 550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net
			test
		X
		assert_same "$how: report" "$T/want" "$T/parsed"
	done
}

test_without_bounce_nobody_gets_it() {
	dovecot_ready || return 0
	rm -rf "$T/d/mail/"*
	RELAYCLIENT='' talk submitd lmtp-inject "$socket" >"$T/out" 2>"$T/log" <<-'X'
		> EHLO client.example
		> MAIL FROM:<alice@example.net>
		> RCPT TO:<bob@example.net>
		> RCPT TO:<nobody@example.net>
		> DATA
		> Subject: test
		> .
		> QUIT
		<<
	X
	assertEquals "550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net" "$(sed -n '/^354/{n;p;}' "$T/out")"
	assertEquals 'nothing' '' "$(find "$T/d/mail" -path '*/new/*')"
}

test_prdr_needs_no_bounce() {
	dovecot_ready || return 0
	submit ' PRDR' bounce lmtp-inject "$socket"
	sed -n '/^353/,$p' "$T/out" | sed 's/message [0-9a-z]\{14\}/message ID/; /^221/,$d' >"$T/got"
	cat >"$T/want" <<-'X'
		353 Each recipient's own reply follows, then one for the message
		250 2.0.0 Ok, message ID
		550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net
		250 2.0.0 Ok, message ID
	X
	assert_same 'each his own' "$T/want" "$T/got"
	assertEquals 'bob' 1 "$(find "$T/d/mail/bob@example.net/Maildir/new" -type f | wc -l)"
	assertEquals 'the failure is the client'\''s to tell' relayed \
		"$(sed -n 's/^Action: //p' "$T/d/mail/alice@example.net/Maildir/new/"*)"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
