#!/bin/sh
# What dkim-sign signs is verified by three verifiers that share no code: opendkim, python3-dkim and Mail::DKIM; also after a
# real mail server has had the message. Mail::DKIM of Debian 12 does not know Ed25519. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/dkim.sh
. "$ROOT/tests/lib/dkim.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

oneTimeSetUp() {
	PATH=$PATH:/usr/sbin
	chmod 755 "$T"
	dkim_keys
	cp "$T/dns" "$T/odns"
	printf '%s\n' 'Mode v' 'AuthservID mx.example' "Socket local:$T/od" 'RequireSafeKeys no' "TestPublicKeys $T/odns" >"$T/od.conf"
	dkim_table "example.net rsa:$T/rsa.pem ed:$T/ed.pem" ".example rsa@example.net:$T/rsa.pem ed@example.net:$T/ed.pem" \
		".net rsa@example.net:$T/rsa.pem ed@example.net:$T/ed.pem" ".com rsa@example.net:$T/rsa.pem ed@example.net:$T/ed.pem" \
		".org rsa@example.net:$T/rsa.pem ed@example.net:$T/ed.pem"
	program_make next <<-'X'
		#!/bin/sh
		cat >"$T/out"
		echo '250 2.0.0 taken'
	X
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

setUp() {
	peer_pid=
	rm -rf "$T/mail"
	mkdir "$T/mail"
	chain_message 'From: Alice <alice@example.net>\r\nTo:  bob@example.org,\r\n\teve@example.org\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 22:30:00 +0000\r\nMessage-ID: <a@example.net>\r\n\r\nbody  with  spaces \r\n\r\n\r\n'
}

tearDown() {
	[ -z "$peer_pid" ] || {
		kill "$peer_pid"
		wait "$peer_pid"
	} 2>/dev/null
	peer_pid=
	resident_stop_all
}

# What the verifiers say of messages: $T/said has lines "VERIFIER FILE SELECTOR RESULT". usage: verify file ...
verify() {
	dkim-python "$T/dns" "$@" | sed 's/^/python /' >"$T/said"
	dkim-perl "$T/dns" "$@" | sed 's/^/perl /' >>"$T/said"
	opendkim -v -v -x "$T/od.conf" -t "$(echo "$@" | tr ' ' ',')" 2>/dev/null | awk '
		/^\tdkim=/ { split($1, r, "="); match($0, /header\.s=[^ ]*/); found[++n] = substr($0, RSTART + 9, RLENGTH - 9) " " r[2] }
		/^opendkim: .*: verification/ { file = $2; sub(/:$/, "", file); for (i = 1; i <= n; i++) print "opendkim", file, found[i]; n = 0 }' >>"$T/said"
}

# All verifiers say so of both signatures of messages. usage: assert_verified pass|fail what file ...
assert_verified() {
	want=$1
	what=$2
	shift 2
	verify "$@"
	for file; do
		for each in "python $file rsa $want" "python $file ed $want" "perl $file rsa $want" "perl $file ed invalid" \
			"opendkim $file rsa $want" "opendkim $file ed $want"; do
			echo "$each"
		done
	done | sort >"$T/want"
	sort "$T/said" >"$T/got"
	assert_same "$what" "$T/want" "$T/got"
}

test_the_signatures_verify() {
	needs opendkim || return 0
	chain_call dkim-sign -t "$T/keys.cdb" "$T/next"
	cp "$T/out" "$T/signed"
	n=0
	while IFS='|' read -r want change; do
		n=$((n + 1))
		sed "$change" "$T/signed" >"$T/mail/$want.$n"
		assertFalse "$want.$n: a change" "cmp -s $T/signed $T/mail/$want.$n"
	done <<-'X'
		fail|s/^body/bodz/
		fail|s/^Subject: x/Subject: y/
		fail|s/^From: Alice/From: Alise/
		fail|s/^Subject: x/&\r\nSubject: y/
		fail|s/^Date:/Cc: eve@example.com\r\n&/
		fail|s/^Date:/Reply-To: eve@example.com\r\n&/
		fail|s/^From: /&mallory@example.com\r\n&/
		fail|s/h=From:From:/h=From:/
		pass|s/^Date:/X-Seen: by a server\r\n&/
		pass|s/  with  / \t with /
		pass|s/^Subject: x/SUBJECT:  x /
	X
	assert_verified pass 'with changes that are none' "$T/signed" "$T/mail/"pass.*
	assert_verified fail 'with changes' "$T/mail/"fail.*
}

# Residents, each in its sandbox. A Maildir has LF.
test_a_whole_service_signs() {
	needs opendkim || return 0
	resident_start end maildir-inject "$T/mail"
	resident_start stamp stamp call "$T/end"
	MSA_SANDBOX=$(! needs plain landlock2 >/dev/null || echo require) resident_start sign dkim-sign -t "$T/keys.cdb" call "$T/stamp"
	resident_start qualify qualify -d example.net call "$T/sign"
	printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA 'From: alice@example.net' \
		'Subject: whole' '' '..dot' "$(text_repeat 2000 y)" . QUIT | SMTPAUTHUSER=alice@example.net SSL_PROTOCOL=TLSv1.3 \
		submitd call "$T/qualify" >"$T/heard" 2>"$T/log"
	assertContains "$(cat "$T/heard")" '250 2.0.0 Ok'
	sed 's/$/\r/' "$(find "$T/mail" -type f -path '*/new/*')" >"$T/got.msg"
	assert_verified pass 'a service' "$T/got.msg"
}

# In a name server of the test's own, which opendkim-testmsg asks.
test_opendkim_testmsg_verifies() {
	needs opendkim root network || return 0
	for key in rsa ed; do
		dkim_table "example.net $key:$T/$key.pem"
		chain_call dkim-sign -t "$T/keys.cdb" "$T/next"
		RECORD=$(sed -n "s/^$key\.[^ ]* //p" "$T/dns")
		for change in '' 's/^body/bodz/'; do
			sed "$change" "$T/out" >"$T/tested"
			echo 'nameserver 127.0.0.1' >"$T/resolv"
			# shellcheck disable=SC2016
			RECORD=$RECORD NAME=$key._domainkey.example.net unshare -n -m sh -c '
				ip link set lo up && mount --bind "$T/resolv" /etc/resolv.conf || exit 99
				txtd "$NAME" "$RECORD" >"$T/txtd" & server=$!
				n=0
				until [ -s "$T/txtd" ] || [ "$n" -gt 500 ]; do sleep 0.02; n=$((n + 1)); done
				n=0 # it waits for the name server for a few seconds only
				while opendkim-testmsg <"$T/tested" >"$T/testmsg" 2>&1; code=$?; grep -q "Key retrieval failed" "$T/testmsg"; do
					n=$((n + 1))
					[ "$n" -lt 5 ] || break
				done
				kill "$server"
				exit "$code"'
			code=$?
			if [ -z "$change" ]; then
				assertEquals "$key: $(cat "$T/testmsg")" 0 "$code"
			else
				assertNotEquals "$key: another body" 0 "$code"
			fi
		done
	done
	oneTimeSetUp
}

# As they are, and with the repairs of qualify.
test_every_message_of_the_tests_verifies() {
	needs opendkim || return 0
	set --
	for file in "$ROOT"/tests/messages/*.eml; do
		name=$(basename "$file" .eml)
		sed 's/\r$//; s/$/\r/' "$file" >"$T/msg"
		for how in '' 'qualify -d example.net -u all'; do
			rm -f "$T/out"
			# shellcheck disable=SC2086
			chain_call $how dkim-sign -t "$T/keys.cdb" "$T/next"
			[ -e "$T/out" ] && grep -q '^DKIM-Signature:' "$T/out" || continue # refused, or without a valid From
			out=$T/mail/$name${how:+-qualified}
			mv "$T/out" "$out"
			# opendkim and python3-dkim do not read a field with white space before its colon (RFC 5322 4.5.3)
			if sed '/^\r$/q' "$out" | grep -q '^[A-Za-z-]*[[:blank:]][[:blank:]]*:'; then
				assertEquals "$out" rsa=pass "$(dkim-perl "$T/dns" "$out" | awk '$2 == "rsa" { print $2 "=" $3 }')"
			else
				set -- "$@" "$out"
			fi
		done
	done
	assertTrue "$# messages were signed" "[ $# -ge 20 ]"
	verify "$@"
	grep -v -e '^perl .* ed invalid$' -e ' pass$' "$T/said" >"$T/got"
	assert_got "all pass" </dev/null
	assertEquals 'each by each' "$((5 * $#))" "$(grep -c ' pass$' "$T/said")"
}

test_after_exim_has_had_it() {
	needs opendkim || return 0
	why=$(exim-smarthost check) || {
		skip "$why"
		return
	}
	cert_server localhost 127.0.0.1 || fail 'openssl makes no certificates'
	smarthost_credentials alice@example.net wonderland
	: >"$T/ready"
	exim-smarthost "$T/exim" "$T/server.crt" "$T/server.key" alice@example.net wonderland >"$T/ready" 2>"$T/exim.err" &
	peer_pid=$!
	wait_until grep -q '^ready' "$T/ready"
	read -r _ submission _ <"$T/ready"
	{ printf 'From: alice@example.net\r\nX-First: a\r\nTo: bob@example.org\r\nSubject: =?utf-8?q?x=C3=BC?=\r\n =?utf-8?q?y?=\r\n\r\n..\r\n.dots\r\n\r\n'
		text_repeat 900 x && printf ' \t \r\n\r\n\r\n'; } >"$T/msg"
	chain_call qualify -d example.net dkim-sign -t "$T/keys.cdb" stamp smtp-inject -c "$T/ca.pem" -a "$T/credentials" -t 20 \
		"127.0.0.1:$submission"
	assertEquals "taken: $(cat "$T/log")" 0 "$code"
	wait_until exim_has_it
	# a Maildir has LF
	sed 's/$/\r/' "$T/exim/mail/new/"* >"$T/got.msg"
	assertTrue 'Received is on top' "head -n 3 $T/got.msg | grep -q '^Received:'"
	assert_verified pass 'after Exim' "$T/got.msg"
}

exim_has_it() {
	[ "$(find "$T/exim/mail/new" -type f 2>/dev/null | wc -l)" -eq 1 ]
}

# shellcheck source=/dev/null
. "$SHUNIT2"
