#!/bin/sh
# examples/stages that ask a server or need a large tool, with the real client programs: clamdscan, spamc, rspamc and rspamd,
# curl, openssl, Dovecot's doveadm. clamd, spamd and the web hook are stand-ins (tests/tools/scanners).
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/dovecot.sh
. "$ROOT/tests/lib/dovecot.sh"
# shellcheck source=tests/lib/cookbook.sh
. "$ROOT/tests/lib/cookbook.sh"

# The test patterns of the scanners, in two parts: this file itself must not look like one.
EICAR='X5O!P%%@AP[4\\\\PZX54(P^)7CC)7}$EIC''AR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
GTUBE='XJS*C4JDBQADN1.NSBN3*2IDNEN*GTU''BE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'

oneTimeSetUp() {
	: >"$T/mood"
	scanners "$T/mood" "$T/requests" >"$T/port" 2>"$T/scanners.log" &
	scanners=$!
	wait_until [ -s "$T/port" ]
	port=$(cat "$T/port")
	rspamd_port=$(port_free)
	printf 'TCPSocket %s\nTCPAddr 127.0.0.1\n' "$port" >"$T/clamd.conf"
	printf 'TCPSocket %s\nTCPAddr 127.0.0.1\n' "$(port_free)" >"$T/nobody.conf"
	printf 'url = "http://127.0.0.1:%s/secret"\n' "$port" >"$T/curl.conf"
	rspamd='' ready=''
}

oneTimeTearDown() {
	for pid in $scanners $rspamd; do
		kill "$pid"
		wait "$pid" 2>/dev/null
	done
	scanners='' rspamd=''
	dovecot_stop
}

tearDown() {
	: >"$T/mood"
	resident_stop_all
}

# A message with this text. usage: says text
says() {
	chain_message "From: alice@example.net\r\nTo: bob@example.org\r\nDate: Sat, 21 Nov 2026 22:30:00 +0000\r\nMessage-ID: <a@example.net>\r\nSubject: hello\r\n\r\n$1\r\n"
}

test_scan_clamd() {
	needs clamdscan || return 0
	cookbook_call scan-clamd "$T/clamd.conf"
	assert_handed_on 'a clean message'
	says "$EICAR"
	cookbook_call scan-clamd "$T/clamd.conf"
	assert_says 'the test virus' 100 '550 5.7.1 Virus found: Eicar-Test-Signature'
	resident_start scan resident -P 1:1 "$STAGES/scan-clamd" "$T/clamd.conf" inject-file "$T/box"
	chain_call SMTPAUTHUSER=alice@example.net call "$T/scan"
	assert_says 'a resident' 0 '550 5.7.1 Virus found: Eicar-Test-Signature' '550 5.7.1 Virus found: Eicar-Test-Signature' .
	echo die >"$T/mood"
	cookbook_call scan-clamd "$T/clamd.conf"
	assert_says 'clamd dies' 111 '451 4.3.0 The virus scanner does not answer, try again later'
	cookbook_call scan-clamd "$T/nobody.conf"
	assert_says 'clamd is away' 111 '451 4.3.0 The virus scanner does not answer, try again later'
	cookbook_broken clamdscan scan-clamd "$T/clamd.conf"
	assert_says 'clamdscan fails' 111 '451 4.3.0 The virus scanner does not answer, try again later'
	cookbook_broken rewind scan-clamd "$T/clamd.conf"
	assert_says 'rewind fails' 111 '451 4.3.0 The virus scanner does not answer, try again later'
}

test_scan_spamd() {
	needs spamc || return 0
	cookbook_call scan-spamd 127.0.0.1 "$port"
	assert_handed_on 'a letter'
	says "$GTUBE"
	cookbook_call scan-spamd 127.0.0.1 "$port"
	assert_says 'spam' 100 '550 5.7.1 This looks like spam'
	echo die >"$T/mood"
	cookbook_call scan-spamd 127.0.0.1 "$port"
	assert_says 'spamd dies' 111 '451 4.3.0 The spam filter does not answer, try again later'
	cookbook_call scan-spamd 127.0.0.1 "$rspamd_port"
	assert_says 'spamd is away' 111 '451 4.3.0 The spam filter does not answer, try again later'
	program_lines tools/spamc 'echo 0/0'
	cookbook_call scan-spamd 127.0.0.1 "$port"
	assert_says 'spamc has not asked' 111 '451 4.3.0 The spam filter does not answer, try again later'
	rm "$T/tools/spamc"
	says "$(head -c 500000 /dev/zero | tr '\0' x | fold -w 70)"
	cookbook_call scan-spamd 127.0.0.1 "$port"
	assert_handed_on 'too large for spamc'
}

# rspamd with nothing but its own test pattern.
rspamd_start() {
	echo com >"$T/tlds"
	cat >"$T/rspamd.conf" <<-X
		options {
			pidfile = "$T/rspamd.pid"; tempdir = "$T"; dynamic_conf = "$T/dynamic"; stats_file = "$T/stats"; hs_cache_dir = "$T";
			control_socket = "$T/control mode=0600"; url_tld = "$T/tlds"; filters = ""; local_addrs = [];
			dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }
		}
		logging { type = "console"; level = "warning"; }
		actions { reject = 15; add_header = 5; }
		worker "normal" { bind_socket = "127.0.0.1:$rspamd_port"; count = 1; }
		lua = "$T/rules.lua";
	X
	cat >"$T/rules.lua" <<-'X'
		rspamd_config:register_symbol{ name = 'RULE', score = 0, type = 'normal', callback = function(task)
			if task:get_user() == 'later@example.net' then task:set_pre_result('soft reject', 'Not now') end
			return false
		end }
	X
	rspamd -f -i -c "$T/rspamd.conf" >"$T/rspamd.out" 2>&1 &
	rspamd=$!
	wait_until port_accepts "$rspamd_port"
}

test_scan_rspamd() {
	needs rspamd rspamc || return 0
	cookbook_call scan-rspamd "127.0.0.1:$rspamd_port"
	assert_says 'rspamd is away' 111 '451 4.3.0 The spam filter does not answer, try again later'
	rspamd_start
	says 'A letter'
	cookbook_call scan-rspamd "127.0.0.1:$rspamd_port"
	assert_handed_on 'a letter'
	chain_call SMTPAUTHUSER=later@example.net "$STAGES/scan-rspamd" "127.0.0.1:$rspamd_port" inject-file "$T/box"
	assert_says 'not now' 111 '451 4.7.1 Not now, try again later'
	says "$GTUBE"
	cookbook_call scan-rspamd "127.0.0.1:$rspamd_port"
	assert_says 'spam' 100 '550 5.7.1 This looks like spam'
	cookbook_broken rspamc scan-rspamd "127.0.0.1:$rspamd_port"
	assert_says 'rspamc fails' 111 '451 4.3.0 The spam filter does not answer, try again later'
	program_lines tools/rspamc 'echo nothing'
	cookbook_call scan-rspamd "127.0.0.1:$rspamd_port"
	assert_says 'rspamc says nothing' 111 '451 4.3.0 The spam filter does not answer, try again later'
	rm "$T/tools/rspamc"
	cookbook_broken envelope scan-rspamd "127.0.0.1:$rspamd_port"
	assert_says 'envelope fails' 111 '451 4.3.0 The envelope cannot be read, try again later'
}

test_webhook() {
	rm -f "$T/requests"
	cookbook_call webhook "$T/curl.conf" 3
	assert_handed_on 'two of three'
	assertFalse 'nothing is said' "[ -e $T/requests ]"
	cookbook_call webhook "$T/curl.conf" 2
	assert_handed_on 'two of two'
	chain_call SMTPAUTHUSER='a"b\ü' "$STAGES/webhook" "$T/curl.conf" 2 inject-file "$T/box"
	assert_handed_on 'a strange name'
	cp "$T/requests" "$T/got"
	assert_got 'what was said' <<-'X'
		POST {"text":"alice@example.net writes to 2 recipients"}
		POST {"text":"a?b??? writes to 2 recipients"}
	X
	for mood in busy die; do
		echo "$mood" >"$T/mood"
		cookbook_call webhook "$T/curl.conf" 2
		assert_says "$mood" 111 '451 4.3.0 The postmaster cannot be told, try again later'
	done
	cookbook_call webhook "$T/none" 2
	assert_says 'no address' 111 '451 4.3.0 The postmaster cannot be told, try again later'
	cookbook_broken curl webhook "$T/curl.conf" 2
	assert_says 'curl fails' 111 '451 4.3.0 The postmaster cannot be told, try again later'
}

test_sent() {
	dovecot_start
	dovecot_ready || return 0
	program_lines tools/doveadm "exec /usr/bin/doveadm -c '$T/d/conf' \"\$@\""
	doveadm mailbox create -u alice@example.net Sent
	cookbook_call sent "$STAGES/attachment-names"
	assert_says_only 'the verdict' 0 '250 2.0.0 Stored' '250 2.0.0 Stored'
	assert_handed_on 'a message'
	set -- "$T"/d/mail/alice@example.net/Maildir/.Sent/*/*M*
	assertEquals 'one in Sent' 1 $#
	tr -d '\r' <"$1" >"$T/got"
	tr -d '\r' <"$T/msg" | assert_got 'the copy'
	for answer in '550 5.1.1 No' '250 2.0.0 Ok\n451 4.1.1 Not now' ''; do
		chain_call SMTPAUTHUSER=alice@example.net MSA_DEADLINE=2000000000 "$STAGES/sent" sh -c 'printf "$0\n"' "$answer"
		assertEquals "$answer" "$(printf "$answer")" "$(cat "$T/verdict")"
	done
	chain_call SMTPAUTHUSER=alice@example.net MSA_DEADLINE=2000000000 "$STAGES/sent" sh -c 'echo 250 2.0.0 Ok; kill -9 $$'
	assertEquals 'killed' 137 "$code"
	assertEquals 'still one' 1 "$(find "$T/d/mail/alice@example.net/Maildir/.Sent" -name '*M*' | wc -l)"
	chain_call SMTPAUTHUSER=nobody@example.net MSA_DEADLINE=2000000000 "$STAGES/sent" inject-file "$T/box"
	assert_handed_on 'a user without a mailbox'
	assert_logged '^sent: S/M failed user=nobody@example.net$'
	mkdir "$T/bare"
	for tool in rewind timeout inject-file; do
		ln -s "$(command -v "$tool")" "$T/bare/$tool"
	done
	chain_call PATH="$T/bare" "$STAGES/sent" inject-file "$T/box"
	assert_says 'no doveadm' 111 '451 4.3.0 The folder Sent takes nothing, try again later'
}

# $T/msg as S/MIME. usage: sign name
sign() {
	printf 'Content-Type: text/plain\r\n\r\nHello\r\n' |
		openssl cms -sign -crlfeol -signer "$T/$1.pem" -inkey "$T/$1.key" -subject hello >"$T/msg"
}

test_smime_signed() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -days 30 -keyout "$T/ca.key" -out "$T/ca.pem" 2>/dev/null
	for name in alice bob nobody; do
		address="email:$name@example.net"
		[ "$name" != nobody ] || address=DNS:nobody.example
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -days 30 -CA "$T/ca.pem" -CAkey "$T/ca.key" \
			-addext 'basicConstraints=CA:FALSE' -addext "subjectAltName=$address" -addext extendedKeyUsage=emailProtection -keyout "$T/$name.key" -out "$T/$name.pem" 2>"$T/log" ||
			cat "$T/log"
	done
	cookbook_call smime-signed "$T/ca.pem"
	assert_says 'not signed' 100 '550 5.7.7 Sign this message by S/MIME'
	sign alice
	cookbook_call smime-signed "$T/ca.pem"
	assert_handed_on 'signed'
	sed -i 's/^Hello/Hallo/' "$T/msg"
	cookbook_call smime-signed "$T/ca.pem"
	assert_says 'changed' 100 '550 5.7.7 Sign this message by S/MIME'
	sign bob
	cookbook_call smime-signed "$T/ca.pem"
	assert_says 'by another person' 100 '550 5.7.7 The certificate is for another address'
	chain_envelope '<>' 'RCPT TO:<bob@example.org>'
	cookbook_call smime-signed "$T/ca.pem"
	assert_says 'of nobody' 100 '550 5.7.7 The certificate is for another address'
	sign nobody
	cookbook_call smime-signed "$T/ca.pem"
	assert_says 'of nobody, by nobody' 100 '550 5.7.7 The certificate is for another address'
	sign alice
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
	cookbook_call smime-signed "$T/bob.pem"
	assert_says 'another authority' 100 '550 5.7.7 Sign this message by S/MIME'
	cookbook_call smime-signed "$T/none"
	assert_says 'no authority' 111 '451 4.3.0 The signature cannot be checked, try again later'
	for tool in openssl envelope rewind grep; do
		cookbook_broken "$tool" smime-signed "$T/ca.pem"
		assert_says "$tool" 111 '451 4.3.0 The signature cannot be checked, try again later'
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
