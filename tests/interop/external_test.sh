#!/bin/sh
# EXTERNAL, from the client's certificate to the message: tlsd -q before authd -c, under tcpserver and as residents, for
# clients that are not ours: curl, Python's smtplib, openssl s_client. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"
# shellcheck source=tests/lib/cert.sh
. "$ROOT/tests/lib/cert.sh"

oneTimeSetUp() {
	missing=
	for p in curl tcpserver; do
		PATH=$PATH:/usr/sbin command -v $p >/dev/null || missing="$missing $p"
	done
	cd "$T" || exit 1
	cert key.pem cert.pem /CN=mail.example.net
	cert_authority house
	cert_authority stranger
	cert_client alice house
	# The same name, each with a key of its own: one that the house signed too, one of an authority that nobody asked.
	mkdir forged stolen
	for who in forged:stranger stolen:house; do
		cert_client alice "${who#*:}"
		mv alice.pem alice.key "${who%:*}"
	done
	cert_client alice house
	cert_client bob house
	for user in alice@example.net bob; do
		printf 'wonderland\n' | msa-passwd -i 4096 users.cdb "$user"
	done
	# As authd(8) tells to make it.
	printf '%s\n' 'alice.pem alice@example.net' 'bob.pem bob' >certs
	while read -r file user; do
		hash=$(openssl x509 -in "$file" -outform DER | sha256sum)
		echo "SHA256:${hash%% *} $user"
	done <certs | cdb -c -m certs.cdb
	cat >sink <<-'END'
		#!/bin/sh
		cat >"$T/message"; echo "$SMTPAUTHUSER $SMTPAUTHMETHOD $SSL_PEER_CERT_SUBJECT" >"$T/who"
		echo '250 2.0.0 taken'
	END
	chmod 755 sink
	cd "$OLDPWD" || exit 1
	printf 'Subject: x\n\nbody\n' | sed 's/$/\r/' >"$T/draft"
}

setUp() {
	started=
	rm -f "$T/message" "$T/who"
}

tearDown() {
	for pid in $started; do
		kill "$pid" 2>/dev/null && wait "$pid"
	done
	return 0
}

# The service under tcpserver, or as residents; tlsd's options follow. usage: serve exec|resident [option ...]
serve() {
	how=$1
	shift
	port=$(port_free)
	: >"$T/log"
	if [ "$how" = exec ]; then
		PATH=$PATH:/usr/sbin tcpserver -HRl mail.example.net 127.0.0.1 "$port" tlsd -c "$T/cert.pem" -k "$T/key.pem" "$@" \
			authd -c "$T/certs.cdb" -u "$T/users.cdb" submitd "$T/sink" 2>>"$T/log" &
		started=$!
	else
		submitd -l "$T/submit" "$T/sink" 2>>"$T/log" &
		started=$!
		wait_until [ -S "$T/submit" ]
		authd -l "$T/auth" -c "$T/certs.cdb" -u "$T/users.cdb" call "$T/submit" 2>>"$T/log" &
		started="$! $started"
		wait_until [ -S "$T/auth" ]
		tlsd -l "127.0.0.1:$port" -c "$T/cert.pem" -k "$T/key.pem" "$@" call "$T/auth" 2>>"$T/log" &
		started="$! $started"
	fi
	wait_until port_accepts "$port"
}

# Submit by curl with a certificate, which makes it use EXTERNAL. usage: submit scheme certificate [option ...]
submit() {
	scheme=$1 cert=$2
	shift 2
	timeout 60 curl -sS --insecure --ssl-reqd --url "$scheme://127.0.0.1:$port/client.example" --cert "$T/$cert.pem" \
		--key "$T/$cert.key" --login-options AUTH=EXTERNAL --mail-from alice@example.net --mail-rcpt bob@example.org \
		--upload-file "$T/draft" "$@" >"$T/heard" 2>&1
}

# It has come, from whom. usage: assert_from user subject
assert_from() {
	assertEquals "$(cat "$T/heard" "$T/log")" "$1 EXTERNAL $2" "$(cat "$T/who" 2>/dev/null)"
	sed '/^\(Received:\|	\)/d' "$T/message" >"$T/plain" 2>/dev/null
	assert_same "$1" "$T/draft" "$T/plain"
	rm -f "$T/who" "$T/message"
}

test_curl_is_known_by_its_certificate() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	for how in exec resident; do
		serve "$how" -q "$T/house.pem"
		# Without a name and with the right one, with an initial response and without.
		for options in '' --sasl-ir '--user alice@example.net:' '--user alice@example.net: --sasl-ir'; do
			# shellcheck disable=SC2086
			submit smtp alice $options
			code=$?
			assertEquals "$how, $options: $(cat "$T/heard" "$T/log")" 0 "$code"
			assert_from alice@example.net /C=DE/CN=alice
		done
		submit smtp bob
		code=$?
		assertEquals "$how: $(cat "$T/heard" "$T/log")" 0 "$code"
		assert_from bob /C=DE/CN=bob
		tearDown
	done
}

test_curl_under_implicit_tls() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve exec -i -r "$T/house.pem"
	submit smtps bob
	code=$?
	assertEquals "$(cat "$T/heard" "$T/log")" 0 "$code"
	assert_from bob /C=DE/CN=bob
}

test_a_certificate_of_that_name_is_not_that_user() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve resident -q "$T/house.pem"
	for cert in stolen/alice forged/alice; do
		submit smtp $cert --user alice@example.net:
		code=$?
		assertNotEquals "$cert: $(cat "$T/heard")" 0 "$code"
		submit smtp $cert
		code=$?
		assertNotEquals "$cert: $(cat "$T/heard")" 0 "$code"
	done
	# It has a password too: then it is whose that is.
	submit smtp stolen/alice --user bob:wonderland --login-options AUTH=PLAIN
	code=$?
	assertEquals "$(cat "$T/heard" "$T/log")" 0 "$code"
	assertEquals 'bob PLAIN /C=DE/CN=alice' "$(cat "$T/who" 2>/dev/null)"
	rm -f "$T/who"
	# Known, but not for whom it wants to act.
	submit smtp bob --user alice@example.net:
	code=$?
	assertNotEquals "$(cat "$T/heard")" 0 "$code"
	assertTrue "$(cat "$T/log")" "grep -q ' refused user=bob mech=EXTERNAL reason=.another authorization identity. ' $T/log"
	assertFalse 'nothing came' "[ -e $T/who ]"
	assertEquals "$(cat "$T/log")" 0 "$(grep -c ' authenticated .*mech=EXTERNAL' "$T/log")"
}

test_smtplib() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve resident -q "$T/house.pem"
	timeout 60 python3 -W ignore - "$port" "$T/alice" "$T/draft" >"$T/heard" 2>&1 <<-'END'
		import smtplib, ssl, sys
		port, cert, draft = sys.argv[1:]
		ctx = ssl._create_unverified_context()
		ctx.load_cert_chain(cert + '.pem', cert + '.key')
		for initial in True, False:
		    s = smtplib.SMTP('127.0.0.1', int(port), timeout=30)
		    s.starttls(context=ctx)
		    s.ehlo()
		    print(s.esmtp_features['auth'].strip())
		    print(s.auth('EXTERNAL', lambda challenge=None: '', initial_response_ok=initial)[0])
		    s.sendmail('alice@example.net', ['bob@example.org'], open(draft, 'rb').read())
		    s.quit()
	END
	assertEquals "$(cat "$T/log")" 'PLAIN LOGIN SCRAM-SHA-256 EXTERNAL|235|PLAIN LOGIN SCRAM-SHA-256 EXTERNAL|235|' \
		"$(tr '\n' '|' <"$T/heard")"
	assert_from alice@example.net /C=DE/CN=alice
}

# A client without a certificate, or with another certificate, is not offered EXTERNAL.
test_openssl_s_client_sees_the_offer() {
	if [ -n "$missing" ]; then
		skip "not installed:$missing"
		return
	fi
	serve exec -q "$T/house.pem"
	for case in 'alice 235' 'stolen/alice 504' '- 504'; do
		cert=${case% *}
		set -- -cert "$T/$cert.pem" -key "$T/$cert.key"
		[ "$cert" != - ] || set --
		printf 'EHLO x\r\nAUTH EXTERNAL =\r\nQUIT\r\n' | timeout 30 openssl s_client -connect "127.0.0.1:$port" \
			-starttls smtp -quiet -ign_eof "$@" >"$T/heard" 2>"$T/more"
		offered=0
		[ "${case#* }" = 504 ] || offered=1
		assertEquals "$cert: $(cat "$T/heard" "$T/more")" $offered "$(grep -c '^250.AUTH PLAIN LOGIN SCRAM-SHA-256 EXTERNAL' "$T/heard")"
		assertTrue "$cert: $(cat "$T/heard" "$T/more")" "grep -q '^${case#* } ' $T/heard"
	done
}

# shellcheck disable=SC1090
. "$SHUNIT2"
