#!/bin/sh
# tlsd -r and -q: certificates of clients. ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"
# shellcheck source=tests/lib/cert.sh
. "$ROOT/tests/lib/cert.sh"

DEMAND='554 5.7.0 A client certificate is required'

# What the next stage was told; that it was started at all is in the file "started".
make_certificates() {
	cert_authority house
	cert_authority stranger
	cert_client alice house
	cert_client mallory stranger
	cert_client old house -days 0
	# signed by an authority of the same name, and a server's
	mkdir other
	(cd other && cert_authority house && cert_client forged house && mv forged.pem forged.key ..)
	printf 'extendedKeyUsage=serverAuth\n' >server.ext
	cert_client server house -extfile server.ext
	openssl x509 -in alice.pem -outform DER | sha256sum | sed 's/ .*//' >alice.hash
	program_lines told 'touch "$T/started"' "printf '220 x\\r\\n'" 'while read -r l; do case $l in' \
		'Q*) printf "221 bye\\r\\n"; exit;;' \
		'*) printf "250 %s %s\\r\\n" "${SSL_PEER_CERT_SUBJECT-nobody}" "${SSL_PEER_CERT_HASH-nothing}";; esac done'
	made=yes
}

# A server with these options.
serve_told() {
	[ -n "${made:-}" ] || make_certificates
	rm -f started
	tlsd_start "$@" ./told
}

test_without_the_required_certificate_all_but_QUIT_is_554() {
	serve_told -r house.pem
	for version in 1.2 1.3; do
		tls_says "$port" $version - 'EHLO x' NOOP STARTTLS 'AUTH PLAIN AGEAYg==' 'MAIL FROM:<>' FOO '' \
			"$(printf 'BDAT 6\r\nVRFY')" QUIT >got
		yes "$DEMAND" | head -n 8 >want
		printf '%s\n' '221 2.0.0 Bye' end >>want
		assert_same "TLS $version" want got
	done
	assertFalse 'the next stage is not started' '[ -e started ]'
	assertEquals "one line each: $(cat log)" 2 "$(grep -c ' refused reason="no client certificate" peer=127.0.0.1' log)"
	tlsd_stop
}

test_its_errors_and_its_patience_have_a_limit() {
	serve_told -r house.pem
	# shellcheck disable=SC2046
	tls_says "$port" 1.3 - $(yes NOOP | head -n 21) >got
	yes "$DEMAND" | head -n 21 >want
	printf '%s\n' '421 4.7.0 Too many errors, closing the connection' end >>want
	assert_same errors want got
	tlsd_stop
}

test_with_the_certificate_the_next_stage_is_told_of_it() {
	serve_told -r house.pem
	for version in 1.2 1.3 1.3:other.example.org; do
		tls_says "$port" $version alice NOOP QUIT >got
		printf '%s\n' "250 /C=DE/CN=alice SHA256:$(cat alice.hash)" '221 bye' end >want
		assert_same "TLS $version" want got
	done
	tlsd_stop
}

test_a_certificate_that_is_not_good_fails_the_handshake() {
	serve_told -r house.pem
	for version in 1.2 1.3; do
		tls_says "$port" $version mallory NOOP QUIT >got
		assertTrue "TLS $version, of a stranger: $(cat got)" "grep -q '^alert .*UNKNOWN_CA' got"
		tls_says "$port" $version old NOOP QUIT >got
		assertTrue "TLS $version, expired: $(cat got)" "grep -q '^alert .*CERTIFICATE_EXPIRED' got"
	done
	assertFalse 'the next stage is not started' '[ -e started ]'
	assertEquals "logged: $(cat log)" 4 "$(grep -c ' handshake peer=127.0.0.1 reason=".*certificate verify failed"' log)"
	tlsd_stop
}

test_asked_for_only_one_that_is_missing_or_bad_counts_as_none() {
	serve_told -q house.pem
	tls_says "$port" 1.3 - NOOP QUIT >got
	printf '%s\n' '250 nobody nothing' '221 bye' end >want
	assert_same none want got
	tls_says "$port" 1.2 alice NOOP QUIT >got
	printf '%s\n' "250 /C=DE/CN=alice SHA256:$(cat alice.hash)" '221 bye' end >want
	assert_same alice want got
	printf '%s\n' '250 nobody nothing' '221 bye' end >want
	for version in 1.2 1.3; do
		for name in mallory old forged server; do
			tls_says "$port" $version $name NOOP QUIT >got
			assert_same "$name, TLS $version" want got
		done
	done
	tlsd_stop
	for reason in 'unable to get local issuer certificate' 'certificate has expired' 'unsuitable certificate purpose'; do
		assertContains "$reason" "$(cat log)" " certificate=\"$reason\""
	done
	assertEquals "one line each: $(cat log)" 8 "$(grep -c ' done .* certificate=' log)"
	serve_told
	tls_says "$port" 1.3 alice NOOP QUIT >got
	printf '%s\n' '250 nobody nothing' '221 bye' end >want
	assert_same 'not asked for' want got
	tlsd_stop
}

# Or a mail program shows a certificate that it has for something else.
test_the_request_names_the_authorities() {
	[ -n "${made:-}" ] || make_certificates
	cat house.pem stranger.pem >both.pem
	for ca in house both; do
		serve_told -q $ca.pem
		for version in 1_2 1_3; do
			printf 'QUIT\r\n' | openssl s_client -tls$version -starttls smtp -connect "127.0.0.1:$port" >said 2>&1
			sed -n '/^Acceptable client certificate CA names$/,/^Requested\|^Client Certificate Types/p' said | grep '^[^AR]*CN' |
				sed 's/.*CN = //' | sort | tr '\n' ' ' >got
			case $ca in
			house) assertEquals "$version: $(cat said)" 'house ' "$(cat got)" ;;
			both) assertEquals "$version: $(cat said)" 'house stranger ' "$(cat got)" ;;
			esac
		done
		tlsd_stop
	done
}

test_each_certificate_of_ours_asks_for_theirs() {
	serve_told -r house.pem -c two.pem -k two.key
	for name in mail.example.net other.example.org; do
		tls_says "$port" "1.3:$name" - NOOP QUIT >got
		printf '%s\n' "$DEMAND" '221 2.0.0 Bye' end >want
		assert_same "$name without" want got
		tls_says "$port" "1.3:$name" alice NOOP QUIT >got
		printf '%s\n' "250 /C=DE/CN=alice SHA256:$(cat alice.hash)" '221 bye' end >want
		assert_same "$name with" want got
	done
	tlsd_stop
}

test_with_implicit_tls_the_greeting_is_ours() {
	serve_told -i -r house.pem
	tls_says "$port" 1.3 - -i NOOP QUIT >got
	printf '%s\n' '220 mail.example.net ESMTP' "$DEMAND" '221 2.0.0 Bye' end >want
	assert_same without want got
	assertFalse 'the next stage is not started' '[ -e started ]'
	tls_says "$port" 1.3 alice -i NOOP QUIT >got
	printf '%s\n' '220 x' "250 /C=DE/CN=alice SHA256:$(cat alice.hash)" '221 bye' end >want
	assert_same with want got
	tlsd_stop
}

test_execd_it_is_the_same() {
	[ -n "${made:-}" ] || make_certificates
	rm -f started
	talk -x tlsd -r house.pem -c one.pem -k one.key ./told >got 2>log <<-'END'
		<
		> STARTTLS
		<
		tls
		> EHLO x
		<
		> QUIT
		<<
	END
	printf '%s\n' '220 mail.example.net ESMTP' '220 2.0.0 Ready to start TLS' TLS "$DEMAND" '221 2.0.0 Bye' EOF 'exit 0' |
		assert_got without
	assertFalse 'the next stage is not started' '[ -e started ]'
}

# Both ends of a forged fact, and a subject with anything in it.
test_the_subject_is_cleaned_and_cannot_be_forged() {
	[ -n "${made:-}" ] || make_certificates
	cert -a house.pem -A house.key odd.key odd.pem "/CN=ev(il)\"; rm -rf \\/ \$HOME" -set_serial 8
	SSL_PEER_CERT_SUBJECT=forged SSL_PEER_CERT_HASH=forged serve_told -q house.pem
	tls_says "$port" 1.3 - NOOP QUIT >got
	printf '%s\n' '250 nobody nothing' '221 bye' end >want
	assert_same 'forged' want got
	tls_says "$port" 1.3 odd NOOP QUIT >got
	assertTrue "odd: $(cat got)" "grep -qx '250 /CN=ev?il???[-A-Za-z0-9 ?/]* SHA256:[0-9a-f]*' got"
	tlsd_stop
}

test_an_authority_that_cannot_be_used_is_100_and_named() {
	echo garbage >bad.pem
	for file in bad.pem none.pem one.key; do
		for option in -r -q; do
			echo '<<' | talk -x tlsd $option $file -c one.pem -k one.key ./told >got 2>log
			printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF 'exit 100' | assert_got "$option $file"
			assert_logged "misuse reason=\"$file: "
		done
	done
	tlsd -l 127.0.0.1:0 -r bad.pem -c one.pem -k one.key ./told 2>log
	assertEquals 'resident' 100 $?
	for options in '-r one.pem -q one.pem' '-r one.pem -r one.pem'; do
		# shellcheck disable=SC2086
		tlsd $options -c one.pem -k one.key ./told </dev/null >got 2>log
		assertEquals "$options" 100 $?
		assertTrue 'usage' "grep -q '^usage: tlsd ' log"
	done
}

test_another_authority_is_taken_without_a_restart() {
	[ -n "${made:-}" ] || make_certificates
	cp house.pem trusted.pem
	serve_told -r trusted.pem
	tls_says "$port" 1.3 mallory NOOP QUIT >got
	assertTrue "a stranger: $(cat got)" "grep -q '^alert ' got"
	cp stranger.pem trusted.pem
	wait_until eval 'tls_says "$port" 1.3 mallory NOOP QUIT >got; grep -q "^250 /C=DE/CN=mallory " got'
	assertTrue "no stranger any more: $(cat got)" "grep -q '^250 /C=DE/CN=mallory ' got"
	reloads=$(grep -c '^tlsd: - reloaded' log)
	cp house.pem trusted.pem
	kill -HUP "$tlsd"
	wait_until eval "[ \"\$(grep -c '^tlsd: - reloaded' log)\" -gt $reloads ]"
	wait_until eval 'tls_says "$port" 1.3 mallory NOOP QUIT >got; grep -q "^alert " got'
	assertTrue "a stranger again: $(cat got)" "grep -q '^alert ' got"
	tlsd_stop
}

# shellcheck disable=SC1090
. "$SHUNIT2"
