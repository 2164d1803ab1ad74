#!/bin/sh
# milter(8) with milters that are not ours: opendkim, rspamd, and one of python3-milter, which has sendmail's libmilter. What
# opendkim signs through it is verified by opendkim-testmsg, by python3-dkim and by opendkim. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

KEY='sel._domainkey.example.net'

oneTimeSetUp() {
	PATH=$PATH:/usr/sbin
	program_make next <<-X
		#!/bin/sh
		cat >"$T/out"
		cat <&3 >"$T/out.env"
		i=0
		while [ "\$i" -lt "\$MSA_RCPTS" ]; do
			i=\$((i + 1))
			echo "250 2.0.0 taken \$i"
		done
		echo .
	X
	openssl genrsa -out "$T/key" 2048 2>/dev/null
	chmod 600 "$T/key"
	record="v=DKIM1; k=rsa; p=$(openssl rsa -in "$T/key" -pubout -outform DER 2>/dev/null | base64 -w 0)"
	printf '%s %s\n' "$KEY" "$record" >"$T/keys"
	# Whether the signature of standard input is good, in the eyes of python3-dkim.
	program_make dkim <<-X
		#!/usr/bin/python3
		import sys, dkim
		sys.exit(not dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda name, timeout=5: sys.argv[1].encode()))
	X
	mkdir "$T/mail"
	servers=
}

oneTimeTearDown() {
	servers_stop
}

setUp() {
	rm -f "$T"/out* "$T/lib.log"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	chain_message 'From: Alice <alice@example.net>\r\nTo:  bob@example.org,\r\n\teve@example.org\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 22:30:00 +0000\r\nMessage-ID: <a@example.net>\r\n\r\nbody  with  spaces \r\n\r\n\r\n'
}

tearDown() {
	resident_stop_all
	servers_stop
}

servers_stop() {
	for pid in $servers; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	servers=
}

# Start opendkim at $T/od.NAME. usage: opendkim_start NAME setting ...
opendkim_start() {
	name=$1
	shift
	rm -f "$T/od.$name"
	printf '%s\n' "$@" "Socket local:$T/od.$name" 'Background no' 'Syslog no' 'RequireSafeKeys no' "TestPublicKeys $T/keys" \
		>"$T/od.$name.conf"
	opendkim -f -x "$T/od.$name.conf" >"$T/od.$name.log" 2>&1 &
	servers="$servers $!"
	wait_until port_accepts "$T/od.$name" # the socket is there before anybody listens
}

# usage: signer_start canonicalization
signer_start() {
	opendkim_start sign 'Mode s' 'Domain example.net' 'Selector sel' "KeyFile $T/key" "Canonicalization $1" 'OversignHeaders From'
}

# Give the message to words of the chain as Alice's. usage: as_alice word ...
as_alice() {
	chain_call SMTPAUTHUSER=alice@example.net SMTPAUTHMETHOD=PLAIN TCPREMOTEIP=192.0.2.1 MSA_HELO=helo.example "$@"
}

# Verify the signature of standard input by opendkim-testmsg. The name server that has the key is in a network of its own.
dkim_testmsg() {
	cat >"$T/tested"
	echo 'nameserver 127.0.0.1' >"$T/resolv"
	# shellcheck disable=SC2016
	RECORD=$record NAME=$KEY unshare -n -m sh -c '
		ip link set lo up && mount --bind "$T/resolv" /etc/resolv.conf || exit 99
		txtd "$NAME" "$RECORD" >"$T/txtd" & server=$!
		n=0
		until [ -s "$T/txtd" ] || [ "$n" -gt 500 ]; do sleep 0.02; n=$((n + 1)); done
		opendkim-testmsg <"$T/tested" >"$T/testmsg" 2>&1
		code=$?
		kill "$server"
		exit "$code"'
}

test_what_opendkim_signs_verifies_everywhere() {
	needs opendkim || return 0
	for how in simple/simple relaxed/relaxed relaxed/simple; do
		signer_start "$how"
		as_alice milter "$T/od.sign" stamp "$T/next"
		assert_verdict "$how" '250 2.0.0 taken 1'
		assertEquals "$how: below Received" 'Received DKIM-Signature From' \
			"$(tr -d '\r' <"$T/out" | sed -n 's/^\([A-Z][A-Za-z-]*\):.*/\1/p' | head -n 3 | paste -sd' ')"
		assertTrue "$how: python3-dkim" "$T/dkim '$record' <$T/out"
		assertFalse "$how: and another body is none" "sed 's/body/bodz/' $T/out | $T/dkim '$record'"
		servers_stop
	done
	opendkim_start verify 'Mode v' 'AuthservID mx.example'
	mv "$T/out" "$T/msg"
	chain_call TCPREMOTEIP=192.0.2.1 milter "$T/od.verify" "$T/next"
	assertContains 'opendkim' "$(cat "$T/out")" 'dkim=pass'
}

test_opendkim_testmsg_verifies_the_signature_too() {
	needs opendkim root network || return 0
	signer_start relaxed/simple
	as_alice milter "$T/od.sign" stamp "$T/next"
	mv "$T/out" "$T/msg"
	dkim_testmsg <"$T/msg"
	code=$?
	assertEquals "opendkim-testmsg: $(cat "$T/testmsg")" 0 "$code"
	sed 's/body/bodz/' "$T/msg" | dkim_testmsg
	code=$?
	assertNotEquals 'another body' 0 "$code"
}

test_every_message_of_the_tests_is_signed_and_verifies() {
	needs opendkim || return 0
	signer_start simple/simple
	for file in "$ROOT"/tests/messages/*.eml; do
		sed 's/\r$//; s/$/\r/' "$file" >"$T/msg"
		rm -f "$T/out"
		as_alice qualify -d example.net -u all milter "$T/od.sign" "$T/next"
		[ -e "$T/out" ] || continue # refused: by qualify, which its own tests show
		grep -q '^DKIM-Signature:' "$T/out" || continue # From is of another domain
		echo x >>"$T/signed"
		assertTrue "$file" "$T/dkim '$record' <$T/out"
	done
	assertTrue "$(wc -l <"$T/signed") messages were signed" "[ $(wc -l <"$T/signed") -ge 10 ]"
}

test_a_whole_service_signs() {
	needs opendkim || return 0
	signer_start relaxed/relaxed
	resident_start out maildir-inject "$T/mail"
	resident_start stamp stamp call "$T/out"
	resident_start milter milter "$T/od.sign" call "$T/stamp"
	resident_start qualify qualify -d example.net call "$T/milter"
	printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA 'From: alice@example.net' \
		'Subject: whole' '' '..dot' "$(text_repeat 2000 y)" . QUIT | SMTPAUTHUSER=alice@example.net SMTPAUTHMETHOD=PLAIN \
		TCPREMOTEIP=192.0.2.1 submitd call "$T/qualify" >"$T/got" 2>"$T/log"
	assertContains "$(cat "$T/got")" '250 2.0.0 Ok'
	file=$(find "$T/mail" -type f -path '*/new/*')
	assertContains "$(cat "$file")" DKIM-Signature
	# a Maildir has LF
	assertTrue 'python3-dkim' "sed 's/\$/\r/' $file | $T/dkim '$record'"
}

# A milter of libmilter. usage: lib_start
lib_start() {
	rm -f "$T/lib"
	libmilterd "$T/lib" "$T/lib.log" >"$T/lib.err" 2>&1 &
	servers="$servers $!"
	wait_until port_accepts "$T/lib"
}

# Give it a message that asks for this. usage: lib_do wishes
lib_do() {
	chain_message "From: alice@example.net\r\nSubject: old\r\nX-Do: $1\r\n\r\nbody\r\n"
	as_alice milter "$T/lib" "$T/next"
}

test_libmilter_hears_everything() {
	lib_start
	chain_envelope '<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org> NOTIFY=NEVER' 'RCPT TO:<no@example.org>' 'RCPT TO:<later@example.org>'
	lib_do macros
	cat >"$T/want" <<-'X'
		connect unknown 192.0.2.1
		helo helo.example
		from <alice@example.net> BODY=8BITMIME
		to <bob@example.org> NOTIFY=NEVER
		to <no@example.org>
		to <later@example.org>
		data
		header From 'alice@example.net'
		header Subject 'old'
		header X-Do 'macros'
		eoh
		body 6
		macro j test.example
		macro i M
		macro {daemon_name} ORIGINATING
		macro {client_addr} 192.0.2.1
		macro {auth_authen} alice@example.net
		macro {auth_type} PLAIN
		macro {tls_version} None
		macro {mail_addr} alice@example.net
	X
	assert_same 'the callbacks' "$T/want" "$T/lib.log"
	printf '%s\n' 'MAIL FROM:<alice@example.net> BODY=8BITMIME' 'RCPT TO:<bob@example.org> NOTIFY=NEVER' '550 5.1.1 Nobody of that name' \
		'451 4.7.1 Refused by site policy for now, try again later' >"$T/want"
	assert_same 'the replies' "$T/want" "$T/out.env"
	assertTrue 'the message' "cmp $T/msg $T/out"
}

test_libmilter_changes_everything() {
	lib_start
	chain_envelope '<alice@example.net>' 'RCPT TO:<gone@example.org>' 'RCPT TO:<bob@example.org>'
	lib_do 'progress add insert change remove body from rcpts'
	tr -d '\r' <"$T/out" >"$T/got"
	assert_got 'the message' <<-X
		X-Inserted: top
		From: alice@example.net
		Subject: changed
		X-Added: one
		$(printf '\t')two

		part 0
		part 1
		part 2
	X
	printf '%s\n' 'MAIL FROM:<new@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<copy@example.org>' >"$T/want"
	assert_same 'the envelope' "$T/want" "$T/out.env"
	assert_verdict 'the replies' '250 2.0.0 Ok' '250 2.0.0 taken 1'
}

test_libmilter_decides() {
	lib_start
	lib_do reject
	assert_verdict reject '550 5.7.1 Refused by site policy'
	lib_do tempfail
	assert_verdict tempfail '451 4.7.1 Refused by site policy for now, try again later'
	lib_do discard
	assert_verdict discard '250 2.0.0 Ok'
	lib_do quarantine
	assert_verdict quarantine '451 4.3.0 Local error, try again later'
	assertFalse 'nothing is handed on' "[ -e $T/out ]"
	lib_do accept
	assert_verdict accept '250 2.0.0 taken 1'
	{ printf 'Subject: x\r\n\r\n' && text_random 500000 | base64 | sed 's/$/\r/'; } >"$T/msg"
	as_alice milter "$T/lib" "$T/next"
	assertTrue 'a large message' "cmp $T/msg $T/out"
	assertEquals "body $(($(wc -c <"$T/msg") - 14))" "$(tail -n 1 "$T/lib.log")"
}

test_libmilter_dies() {
	lib_start
	lib_do 'add die'
	assert_verdict 'at the end' '451 4.3.0 Local error, try again later'
	assertFalse 'nothing is handed on' "[ -e $T/out ]"
	lib_start
	chain_message 'Subject: x\r\nX-Die: now\r\nX-After: y\r\n\r\nbody\r\n'
	as_alice milter "$T/lib" "$T/next"
	assert_verdict 'in the header' '451 4.3.0 Local error, try again later'
	as_alice milter -p "$T/lib" "$T/next"
	assertTrue 'away, with -p' "cmp $T/msg $T/out"
}

# rspamd with one rule. Where it does not start, that is said.
rspamd_start() {
	port=$(port_free)
	printf 'com\nnet\norg\n' >"$T/tlds"
	cat >"$T/rspamd.conf" <<-X
		options {
			pidfile = "$T/rspamd.pid"; tempdir = "$T"; dynamic_conf = "$T/dynamic"; stats_file = "$T/stats"; hs_cache_dir = "$T";
			control_socket = "$T/control mode=0600"; url_tld = "$T/tlds"; filters = ""; local_addrs = [];
			dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }
		}
		logging { type = "console"; level = "warning"; }
		actions { reject = 15; add_header = 5; }
		worker "rspamd_proxy" { bind_socket = "127.0.0.1:$port"; milter = yes; count = 1; upstream "local" { default = yes; self_scan = yes; } }
		lua = "$T/rules.lua";
	X
	cat >"$T/rules.lua" <<-'X'
		rspamd_config:register_symbol{ name = 'RULE', score = 0, type = 'normal', callback = function(task)
			local from = task:get_from('smtp')
			if from and from[1] and from[1].addr == 'mallory@example.net' then
				task:set_pre_result('reject', 'No mail of yours')
				return false
			end
			task:set_milter_reply({ add_headers = { ['X-Rspamd'] = (task:get_user() or '-') .. ' ' .. tostring(task:get_from_ip()) },
				remove_headers = { ['X-Old'] = 0 } })
			return false
		end }
	X
	rspamd -f -i -c "$T/rspamd.conf" >"$T/rspamd.out" 2>&1 &
	rspamd_pid=$!
	servers="$servers $!"
	n=0
	until port_accepts "$port"; do
		proc_alive "$rspamd_pid" || return 1
		n=$((n + 1))
		[ "$n" -le 300 ] || return 1
		sleep 0.1
	done
}

test_rspamds_proxy_is_a_milter() {
	needs rspamd || return 0
	rspamd_start || {
		skip "rspamd does not start here: $(tail -n 1 "$T/rspamd.out")"
		return 0
	}
	chain_message 'X-Old: 1\r\nFrom: alice@example.net\r\nX-Old: 2\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 22:30:00 +0000\r\nMessage-ID: <a@example.net>\r\nX-Old: 3\r\n\r\nbody\r\n'
	as_alice milter -t 90 "127.0.0.1:$port" "$T/next"
	tr -d '\r' <"$T/out" >"$T/got"
	assert_got "the message: $(cat "$T/log" "$T/rspamd.out")" <<-'X'
		From: alice@example.net
		Subject: x
		Date: Sat, 21 Nov 2026 22:30:00 +0000
		Message-ID: <a@example.net>
		X-Rspamd: alice@example.net 192.0.2.1

		body
	X
	chain_envelope '<mallory@example.net>' 'RCPT TO:<bob@example.org>'
	as_alice milter -t 90 "127.0.0.1:$port" "$T/next"
	assert_verdict 'a refusal' '554 5.7.1 No mail of yours'
}

. "$SHUNIT2"
