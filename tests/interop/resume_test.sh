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

# A Postfix that runs, on a port of its own: it trusts 127.0.0.1 with XCLIENT, lets only those send who have logged in,
# as the address that is theirs, and throws away what it has taken. Its log is $T/run/log.
postfix_run() {
	run=$T/run
	mkdir "$run" "$run/etc" "$run/spool" "$run/data"
	chmod 711 "$run"
	for queue in active bounce corrupt defer deferred flush hold incoming private saved trace; do
		install -d -m 700 -o postfix "$run/spool/$queue"
	done
	mkdir "$run/spool/pid"
	install -d -m 730 -o postfix -g postdrop "$run/spool/maildrop"
	install -d -m 710 -o postfix -g postdrop "$run/spool/public"
	chown postfix "$run/data"
	cat >"$run/etc/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $run/spool
		data_directory = $run/data
		maillog_file = $run/log
		maillog_file_prefixes = $run
		myhostname = postfix.example.net
		mydestination =
		mynetworks =
		alias_maps =
		local_recipient_maps =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		default_transport = discard:
		smtpd_peername_lookup = no
		smtpd_authorized_xclient_hosts = 127.0.0.1
		smtpd_sasl_auth_enable = yes
		smtpd_sender_login_maps = inline:{ alice@example.net=alice@example.net boss@example.net=boss@example.net }
		smtpd_sender_restrictions = reject_sender_login_mismatch
		smtpd_relay_restrictions = permit_sasl_authenticated, reject
	END
	smtpd_port=$(port_free)
	cat >"$run/etc/master.cf" <<-END
		127.0.0.1:$smtpd_port inet n - n - - smtpd
		cleanup    unix n - n - 0 cleanup
		qmgr       unix n - n 300 1 qmgr
		rewrite    unix - - n - - trivial-rewrite
		bounce     unix - - n - 0 bounce
		defer      unix - - n - 0 bounce
		trace      unix - - n - 0 bounce
		proxymap   unix - - n - - proxymap
		discard    unix - - n - - discard
		error      unix - - n - - error
		retry      unix - - n - - error
		anvil      unix - - n - 1 anvil
		postlog    unix-dgram n - n - 1 postlogd
	END
	/usr/lib/postfix/sbin/master -c "$run/etc" 2>"$run/errors" &
	pids="${pids:-} $!"
	wait_until port_accepts "$smtpd_port"
}

test_postfix_on_tcp_knows_the_client_and_the_user() {
	if [ -n "$missing" ]; then
		skip "$missing"
		return
	fi
	postfix_run
	serve tlsd -c "$T/cert.pem" -k "$T/key.pem" authd -u "$T/users.cdb" resume -x "127.0.0.1:$smtpd_port"
	submit --tls --auth PLAIN --auth-user alice@example.net --auth-password wonderland --local-interface 127.0.0.7
	code=$?
	assertEquals "swaks: $(cat "$T/heard" "$T/log" "$run/log")" 0 "$code"
	assertTrue "queued: $(cat "$T/heard")" "grep -q '^<[~*-]*  *250 2.0.0 Ok: queued as' '$T/heard'"
	wait_until grep -q 'sasl_username=alice@example.net' "$run/log"
	assertTrue "client and user: $(cat "$run/log")" \
		"grep -q ': client=.*\[127\.0\.0\.7\].*, sasl_username=alice@example.net$' '$run/log'"
	assertFalse "nothing is lacking: $(cat "$T/log")" "grep -q 'resume: .* lacks' '$T/log'"
	submit --tls --auth PLAIN --auth-user alice@example.net --auth-password wonderland --from boss@example.net
	assertTrue "reject_sender_login_mismatch: $(cat "$T/heard")" \
		"grep -q '^<~\*  *553 5.7.1 .*not owned by user alice@example.net' '$T/heard'"
}

# With another trusted host Postfix offers us no XCLIENT: nobody is let in as ourselves.
test_postfix_that_does_not_trust_us_gets_no_session() {
	if [ -n "$missing" ]; then
		skip "$missing"
		return
	fi
	rm -rf "$T/run"
	postfix_run
	postconf -c "$run/etc" smtpd_authorized_xclient_hosts=192.0.2.1
	kill -HUP "${pids##* }"
	serve tlsd -c "$T/cert.pem" -k "$T/key.pem" authd -u "$T/users.cdb" resume -x "127.0.0.1:$smtpd_port"
	wait_until eval '! printf "EHLO x\r\nQUIT\r\n" | tcpclient -HRl x 127.0.0.1 "$smtpd_port" sh -c "cat <&6 & cat >&7; wait" | grep -q XCLIENT'
	submit --tls --auth PLAIN --auth-user alice@example.net --auth-password wonderland
	assertTrue "421: $(cat "$T/heard" "$T/log")" "grep -q '^<~.*421 4.3.0' '$T/heard'"
	assertTrue "$(cat "$T/log")" "grep -q 'resume: .* failed .*no XCLIENT ADDR for us' '$T/log'"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
