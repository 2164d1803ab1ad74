#!/bin/sh
# tlsd -l: what it agrees to in the handshake. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # port, tlsd: tlsserver.sh sets them
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

# A server with a key of each kind: the first is for mail.example.net, the RSA key for rsa.example.
# usage: serve_both [option ...]
serve_both() {
	[ -s rsa.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 2 -subj /CN=rsa.example \
		-addext subjectAltName=DNS:rsa.example 2>/dev/null
	tlsd_start -c rsa.pem -k rsa.key "$@"
}

# Says which of OpenSSL's suites of TLS 1.2 the server takes, each offered alone, and how many were tried.
try_each_suite() {
	openssl ciphers 'ALL:COMPLEMENTOFALL:@SECLEVEL=0' | tr : '\n' | grep -v '^TLS_' >suites
	tlsd_clients "$port" <<-'END'
		tried = taken = 0
		for suite in open('suites').read().split():
		    for name in ('mail.example.net', 'rsa.example'):
		        ctx = context()
		        ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion.TLSv1_2
		        try: ctx.set_ciphers(suite + ':@SECLEVEL=0')
		        except ssl.SSLError: continue
		        tried += 1
		        try: print(tls(connect(), ctx, name).cipher()[0])
		        except (OSError, ssl.SSLError): pass
		print('enough' if tried > 100 else tried)
	END
	sort -o got got
}

# AEAD and forward secrecy, nothing else: without -s and by the word that promises it.
test_tls_1_2_has_ecdhe_with_gcm_or_chacha20_and_nothing_else() {
	for words in '' '-s secure'; do
		# shellcheck disable=SC2086
		serve_both $words ./cat
		try_each_suite
		assert_got "each alone, $words" <<-'END'
			ECDHE-ECDSA-AES128-GCM-SHA256
			ECDHE-ECDSA-AES256-GCM-SHA384
			ECDHE-ECDSA-CHACHA20-POLY1305
			ECDHE-RSA-AES128-GCM-SHA256
			ECDHE-RSA-AES256-GCM-SHA384
			ECDHE-RSA-CHACHA20-POLY1305
			enough
		END
		tlsd_stop
	done
}

test_other_words_are_still_libtls_own() {
	serve_both -s compat ./cat
	openssl s_client -connect "127.0.0.1:$port" -starttls smtp -servername rsa.example -tls1_2 -cipher AES128-SHA \
		</dev/null >got 2>&1
	assertTrue "compat has it: $(cat got)" "grep -q 'Cipher is AES128-SHA' got"
	tlsd_stop
}

# A client without a group of ours has no suite left, where it had RSA's key exchange before.
test_a_client_with_no_group_of_ours_is_refused() {
	serve_both ./cat
	for version in -tls1_2 -tls1_3; do
		for group in P-192 P-521; do
			openssl s_client -connect "127.0.0.1:$port" -starttls smtp -servername rsa.example $version -groups $group \
				-cipher ALL:@SECLEVEL=0 </dev/null >got 2>&1
			assertTrue "$group $version: $(cat got)" "grep -q 'Cipher is (NONE)' got"
		done
		for group in X25519 P-256 P-384; do
			openssl s_client -connect "127.0.0.1:$port" -starttls smtp -servername rsa.example \
				$version -groups $group </dev/null >got 2>&1
			assertTrue "$group $version: $(cat got)" "grep -q 'Cipher is [TE]' got"
		done
	done
	tlsd_stop
}

# A browser that a page sends to this port offers what it speaks: RFC 7301 3.2.
test_a_client_that_offers_another_protocol_is_refused() {
	serve_both ./cat
	tlsd_clients "$port" <<-'END'
		def offer(*names, name=None):
		    ctx = context()
		    if names: ctx.set_alpn_protocols(list(names))
		    try:
		        s = tls(connect(), ctx, name)
		        print(names, s.selected_alpn_protocol(), ask(s, 'hello'))
		    except ssl.SSLError: print(names, 'refused')
		offer()
		for names in (['smtp'], ['esmtp'], ['lmtp'], ['http/1.1', 'smtp'], ['h2', 'http/1.1'], ['http/1.1'], ['imap'], ['smt'], ['smtps']): offer(*names)
		offer('h2', name='rsa.example')
		offer('smtp', name='rsa.example')
	END
	assert_got ALPN <<-'END'
		() None hello
		('smtp',) smtp hello
		('esmtp',) esmtp hello
		('lmtp',) lmtp hello
		('http/1.1', 'smtp') smtp hello
		('h2', 'http/1.1') refused
		('http/1.1',) refused
		('imap',) refused
		('smt',) refused
		('smtps',) refused
		('h2',) refused
		('smtp',) smtp hello
	END
	assert_logged 'handshake peer=127.0.0.1 reason=.*no application protocol'
	openssl s_client -connect "127.0.0.1:$port" -starttls smtp -alpn h2 </dev/null >got 2>&1
	assertTrue "the alert that RFC 7301 has: $(cat got)" "grep -q 'SSL alert number 120' got"
	tlsd_stop
}

# shellcheck disable=SC1090
. "$SHUNIT2"
