#!/bin/sh
# The whole chain in front of Dovecot's LMTP server: what its users get, and that what it refuses reaches the client.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"
# shellcheck source=tests/lib/dovecot.sh
. "$ROOT/tests/lib/dovecot.sh"

USER_NAME=alice@example.net PASSWORD=wonderland

oneTimeSetUp() {
	dovecot_start
	export LMTP="${socket:-}"
}

oneTimeTearDown() {
	quickstart_stop
	dovecot_stop
}

# usage: chain mode || return 0
chain() {
	dovecot_ready || return 1
	rm -rf "$T/d/mail/"*
	MODE=$1
	export MODE
	quickstart_start
	assertTrue "the $1 chain starts" $?
}

# usage: submit recipient[,recipient] subject; the dialogue is in $T/swaks
submit() {
	printf '%s\n' "From: Alice <alice>" "To: bob" "Subject: $2" "" "Body of $2" >"$T/message"
	swaks --server 127.0.0.1 --port "$SUBMISSION" -tls --auth PLAIN --auth-user "$USER_NAME" --auth-password "$PASSWORD" \
		--ehlo client.example --from "$USER_NAME" --to "$1" --data "@$T/message" >"$T/swaks" 2>&1
}

# usage: assert_got user subject
assert_has() {
	set -- "$1" "$2" "$T/d/mail/$1@example.net/Maildir/new/"*
	assertEquals "one file for $1" 3 $#
	cp "$3" "$T/got" 2>/dev/null
	assertEquals "whose it is" "$2" "$(sed -n 's/^Subject: //p' "$T/got")"
	assertEquals "two Received fields" 2 "$(grep -c '^Received: ' "$T/got")"
	# Dovecot's on top, ours below it, each on one line
	sed -e :a -e '$!N; s/\n[[:space:]][[:space:]]*/ /; ta' -e 'P; D' "$T/got" | grep '^Received: ' >"$T/received"
	assertContains "Dovecot's" "$(sed -n 1p "$T/received")" "by dovecot.test with LMTP id "
	assertContains "ours" "$(sed -n 2p "$T/received")" \
		"from client.example ([127.0.0.1]) by localhost with ESMTPSA id "
	assertContains "complete" "$(cat "$T/got")" "From: Alice <alice@example.net>"
}

deliver_and_refuse() {
	submit bob@example.net "hello $1"
	code=$?
	assertEquals "$(cat "$T/swaks")" 0 "$code"
	assert_has bob "hello $1"
	id=$(sed -n 's/.* with ESMTPSA id \([0-9a-z]*\).*/\1/p' "$T/received")
	assertContains "the client knows the id" "$(cat "$T/swaks")" "$id"

	submit nobody@example.net "unknown"
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" " 550 5.1.1 <nobody@example.net> User doesn't exist: nobody@example.net"

	submit full@example.net "over quota"
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" " 552 5.2.2 <full@example.net> Quota exceeded (mailbox for user is full)"

	submit alice@example.net,nobody@example.net "all or nothing"
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" " 550 5.1.1 <nobody@example.net>"
	assertEquals "nobody else got anything" "" "$(find "$T/d/mail" -path '*/new/*' ! -path '*/bob@*')"
}

test_exec() {
	chain exec || return 0
	deliver_and_refuse exec
	quickstart_stop
}

test_resident() {
	chain resident || return 0
	deliver_and_refuse resident
	quickstart_stop
}

test_msmtp_with_scram_over_implicit_tls() {
	chain exec || return 0
	cat >"$T/msmtprc" <<-EOF
		account default
		host 127.0.0.1
		port $SUBMISSIONS
		tls on
		tls_starttls off
		tls_certcheck off
		auth scram-sha-256
		user $USER_NAME
		passwordeval "echo $PASSWORD"
		from $USER_NAME
		domain client.example
	EOF
	chmod 600 "$T/msmtprc"
	printf '%s\n' "From: Alice <alice>" "To: bob" "Subject: msmtp" "" "Body" >"$T/message"
	msmtp -C "$T/msmtprc" bob@example.net <"$T/message" >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	assert_has bob msmtp
	msmtp -C "$T/msmtprc" nobody@example.net <"$T/message" >"$T/out" 2>&1
	assertNotEquals 0 $?
	assertContains "$(cat "$T/out")" "550 5.1.1 <nobody@example.net>"
	quickstart_stop
}

test_the_offer_is_what_dovecot_can_take() {
	chain exec || return 0
	submit bob@example.net offer
	for word in 8BITMIME CHUNKING PIPELINING; do
		assertContains "$(cat "$T/swaks")" "250-$word"
	done
	assertNotContains "$(cat "$T/swaks")" SMTPUTF8
	quickstart_stop
}

# shellcheck source=/dev/null
. "$SHUNIT2"
