#!/bin/sh
# A foreign server behind our authentication: Postfix's sendmail -bs, which reads its commands from fd 0, takes the
# message of a client that is not ours (swaks), under a super-server that is not ours (tcpserver).
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"
PATH=$PATH:/usr/sbin

oneTimeSetUp() {
	missing=
	for p in postdrop swaks tcpserver; do
		command -v $p >/dev/null || missing="$missing $p"
	done
	if [ -n "$missing" ]; then
		missing="not installed:$missing"
	elif [ "$(id -u)" -ne 0 ]; then
		missing='a private Postfix can be set up by root only'
	fi
	[ -z "$missing" ] || return 0
	chmod 711 "$T"
	cert "$T/key.pem" "$T/cert.pem" /CN=mail.example.net
	printf 'wonderland\n' | msa-passwd "$T/users.cdb" alice@example.net
	postfix_here
}

# A Postfix of our own that is not running: what it takes stays in its maildrop.
postfix_here() {
	mkdir "$T/etc" "$T/spool" "$T/spool/maildrop" "$T/spool/public" "$T/spool/pid" "$T/data"
	chown postfix:postdrop "$T/spool/maildrop" "$T/spool/public"
	chmod 730 "$T/spool/maildrop"
	cat >"$T/etc/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $T/spool
		data_directory = $T/data
		myhostname = postfix.example.net
		mydestination =
		alias_maps =
		local_recipient_maps =
		inet_protocols = ipv4
	END
	: >"$T/etc/master.cf"
}

tearDown() {
	for pid in ${pids:-}; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	pids=
	[ -n "${missing:-}" ] || rm -f "$T/spool/maildrop"/*
}

# A free port, and what listens there by tcpserver. usage: serve program ...
serve() {
	port=$(port_free)
	MSA_EHLO='=PIPELINING,SIZE,8BITMIME,DSN,SMTPUTF8,CHUNKING,ENHANCEDSTATUSCODES' \
		tcpserver -HRl mail.example.net 127.0.0.1 "$port" "$@" 2>"$T/log" &
	pids="${pids:-} $!"
	wait_until port_accepts "$port"
}

# usage: submit swaks-option ... ; what swaks said is in heard
submit() {
	printf 'Subject: through Postfix\nMessage-ID: <1@client.example>\n\nline\n.dot\n' |
		swaks --server 127.0.0.1 --port "$port" --from alice@example.net --to b@example.org,c@example.org \
			--ehlo client.example.net --data - "$@" >"$T/heard" 2>&1
}

# The only message in the maildrop, as postcat shows it.
assert_taken() {
	assertEquals "one message: $(cat "$T/heard" "$T/log")" 1 "$(find "$T/spool/maildrop" -type f | wc -l)"
	postcat -c "$T/etc" "$T/spool/maildrop"/* >"$T/cat" 2>&1
	for line in 'sender: alice@example.net' 'recipient: b@example.org' 'recipient: c@example.org' \
		'Subject: through Postfix' line .dot; do
		assertTrue "$line: $(cat "$T/cat")" "grep -qx '$line' '$T/cat'"
	done
	assertTrue "queued: $(cat "$T/heard")" "grep -q '^<[~*-]*  *250 2.0.0 Ok: queued as' '$T/heard'"
}

test_postfix_takes_what_swaks_submits_behind_tlsd_and_authd() {
	if [ -n "$missing" ]; then
		skip "$missing"
		return
	fi
	serve tlsd -c "$T/cert.pem" -k "$T/key.pem" authd -u "$T/users.cdb" resume env MAIL_CONFIG="$T/etc" sendmail -bs
	submit --tls --auth PLAIN --auth-user alice@example.net --auth-password wonderland
	code=$?
	assertEquals "swaks: $(cat "$T/heard" "$T/log")" 0 "$code"
	assert_taken
	assertEquals 'one greeting, ours' 1 "$(grep -c '^<.  220 .* ESMTP' "$T/heard")"
	assertFalse "nothing is lacking: $(cat "$T/log")" "grep -q 'resume: .* lacks' '$T/log'"
	assertTrue 'closed well' "grep -q '^<~  221 ' '$T/heard'"
}

test_postfix_takes_nothing_from_who_is_not_authenticated() {
	if [ -n "$missing" ]; then
		skip "$missing"
		return
	fi
	serve tlsd -c "$T/cert.pem" -k "$T/key.pem" authd -u "$T/users.cdb" resume env MAIL_CONFIG="$T/etc" sendmail -bs
	submit --tls
	code=$?
	assertNotEquals "swaks: $(cat "$T/heard")" 0 "$code"
	assertTrue "530: $(cat "$T/heard")" "grep -q '^<~\*  *530 5.7.0' '$T/heard'"
	submit --tls --auth PLAIN --auth-user alice@example.net --auth-password wrong
	assertTrue "535: $(cat "$T/heard")" "grep -q '^<~\*  *535 5.7.8' '$T/heard'"
	assertEquals 'nothing' 0 "$(find "$T/spool/maildrop" -type f | wc -l)"
}

test_residents_do_the_same() {
	if [ -n "$missing" ]; then
		skip "$missing"
		return
	fi
	resume -l "$T/resume" env MAIL_CONFIG="$T/etc" sendmail -bs 2>"$T/resume.log" &
	pids=$!
	authd -l "$T/auth" -u "$T/users.cdb" call "$T/resume" 2>"$T/auth.log" &
	pids="$pids $!"
	wait_until test -S "$T/resume"
	wait_until test -S "$T/auth"
	serve tlsd -c "$T/cert.pem" -k "$T/key.pem" call "$T/auth"
	submit --tls --auth PLAIN --auth-user alice@example.net --auth-password wonderland
	assertTrue "authenticated: $(cat "$T/heard" "$T/auth.log")" "grep -q ' 235 ' '$T/heard'"
	assert_taken
}

test_with_tls_optional_an_authenticated_client_is_served_too() {
	if [ -n "$missing" ]; then
		skip "$missing"
		return
	fi
	serve tlsd -o -c "$T/cert.pem" -k "$T/key.pem" authd -u "$T/users.cdb" resume env MAIL_CONFIG="$T/etc" sendmail -bs
	submit --tls --auth LOGIN --auth-user alice@example.net --auth-password wonderland
	code=$?
	assertEquals "swaks: $(cat "$T/heard" "$T/log")" 0 "$code"
	assert_taken
}

# shellcheck disable=SC1090
. "$SHUNIT2"
