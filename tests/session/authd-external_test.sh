#!/bin/sh
# authd -c: SASL EXTERNAL, RFC 4422 appendix A: the client's certificate is its proof. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

ALICE=SHA256:0000000000000000000000000000000000000000000000000000000000a11ce0
ALICES_PHONE=SHA256:0000000000000000000000000000000000000000000000000000000000a11ce1
BOB=$(printf 'SHA256:%064d' 808)
LOCKED=$(printf 'SHA256:%064d' 1)
GONE=$(printf 'SHA256:%064d' 2)
BARE=$(printf 'SHA256:%064d' 3)
NAMELESS=$(printf 'SHA256:%064d' 4)
STRANGER=$(printf 'SHA256:%064d' 5)

# The table at a path: "hash user" a line in standard input. usage: certs path
certs() {
	cdb -c -m "$1"
}

oneTimeSetUp() {
	export MSA_HOST=mx.example TCPREMOTEIP=192.0.2.1
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice@example.net
	printf 'pencil\n' | msa-passwd "$T/users.cdb" bob
	printf 'secret\n' | msa-passwd "$T/users.cdb" locked
	msa-passwd -L "$T/users.cdb" locked
	printf 'secret\n' | msa-passwd "$T/users.cdb" bare
	msa-passwd -d -n main "$T/users.cdb" bare
	# alice's domain not as the store has it; a name that cannot be one; what is no hash.
	certs "$T/certs.cdb" <<-X
		$ALICE alice@Example.NET
		$ALICES_PHONE alice@example.net
		$BOB bob
		$LOCKED locked
		$GONE gone
		$BARE bare
		$NAMELESS $(printf 'no\tname')
		SHA256:short alice@example.net
		$(printf 'SHA384:%064d' 5) alice@example.net
	X
	program_make next <<-'X'
		#!/bin/sh
		echo "$SMTPAUTHLABEL" >"$T/label"
		printf 'next %s %s\r\n' "$SMTPAUTHUSER" "$SMTPAUTHMETHOD"
		while read -r line; do printf 'read %s\n' "$line"; done
	X
	yes=' EXTERNAL'
}

tearDown() {
	resident_stop_all
	assertFalse 'a credential in the log' "grep -q -e pencil -e AGJvYg -e YWxpY2U '$T/log'"
	rm -f "$T"/*.log
}

b64() {
	printf %s "$1" | base64 -w0
}

# A client with the certificate of this hash ("-": none) behind "<", "> EHLO client.example", "<". The expected is what
# comes behind the AUTH line, which lists the mechanisms of $mechs and these. usage: shows hash offered expected program ...
mechs='PLAIN LOGIN SCRAM-SHA-256'
shows() {
	hash=$1 offered=$2 expected=$3
	shift 3
	{ printf '<\n> EHLO client.example\n<\n'; cat; } >"$T/script"
	if [ "$hash" = - ]; then
		SSL_PROTOCOL=TLSv1.3 talk "$@" <"$T/script" >"$T/raw" 2>"$T/log"
	else
		# The subject is anybody's.
		SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_HASH=$hash SSL_PEER_CERT_SUBJECT=/CN=bob talk "$@" <"$T/script" >"$T/raw" \
			2>"$T/log"
	fi
	sed -n '/^250 /,$p' "$T/raw" >"$T/out"
	printf '%s\n%s\n' "250 AUTH $mechs$offered" "$expected" | assert_out "$hash"
}

external() { # hash offered expected
	shows "$@" authd -c "$T/certs.cdb" -u "$T/users.cdb" "$T/next"
}

test_a_known_certificate_is_its_user() {
	external "$ALICE" "$yes" '235 2.7.0 Authentication succeeded
next alice@example.net EXTERNAL
read MAIL FROM:<alice@example.net>
EOF' <<-X
		> AUTH EXTERNAL =
		<
		<
		> MAIL FROM:<alice@example.net>
		shut
		<<
	X
	line="authenticated user=alice@example.net mech=EXTERNAL label=${ALICE#*:} ip=192.0.2.1 tls=TLSv1.3"
	assertTrue "$(cat "$T/log")" "grep -q ' $line\$' $T/log"
	assertEquals 'the label is a fact' "${ALICE#*:}" "$(cat "$T/label")"
	external "$ALICES_PHONE" "$yes" '235 2.7.0 Authentication succeeded
next alice@example.net EXTERNAL' <<-X
		> auth external =
		<
		<
	X
}

test_without_an_initial_response_there_is_an_empty_challenge() {
	external "$BOB" "$yes" '334 
235 2.7.0 Authentication succeeded
next bob EXTERNAL' <<-X
		> AUTH EXTERNAL
		<
		>
		<
		<
	X
	external "$BOB" "$yes" '334 
235 2.7.0 Authentication succeeded
next bob EXTERNAL' <<-X
		> AUTH EXTERNAL
		<
		> $(b64 bob)
		<
		<
	X
}

# curl writes an empty response so. Of other mechanisms it is bad base64 as ever.
test_an_equals_sign_is_an_empty_response_too() {
	external "$BOB" "$yes" '334 
501 5.5.2 Cannot decode base64
334 
235 2.7.0 Authentication succeeded
next bob EXTERNAL' <<-X
		> AUTH PLAIN
		<
		> =
		<
		> AUTH EXTERNAL
		<
		> =
		<
		<
	X
}

test_what_follows_is_the_next_stages() {
	for challenge in '' '334 
'; do
		auth='AUTH EXTERNAL ='
		[ ! "$challenge" ] || auth='AUTH EXTERNAL\r\n'
		external "$BOB" "$yes" "${challenge}235 2.7.0 Authentication succeeded
next bob EXTERNAL
read MAIL FROM:<bob@example.net>
read RCPT TO:<x@example.org>
EOF" <<-X
			>> $auth\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<x@example.org>\r\n
			${challenge:+<}
			<
			<
			shut
			<<
		X
	done
}

test_an_authorization_identity_is_the_user_or_refused() {
	external "$ALICE" "$yes" '235 2.7.0 Authentication succeeded
next alice@example.net EXTERNAL' <<-X
		> AUTH EXTERNAL $(b64 Alice@EXAMPLE.net)
		<
		<
	X
	replies='' script=''
	for wanted in bob alicE@example.org alice alice@example.net.evil; do
		replies="$replies
535 5.7.8 Authentication credentials invalid
334 
535 5.7.8 Authentication credentials invalid"
		script="$script> AUTH EXTERNAL $(b64 "$wanted")
<
> AUTH EXTERNAL
<
> $(b64 "$wanted")
<
"
	done
	shows "$ALICE" "$yes" "${replies#?}" authd -a 9 -c "$T/certs.cdb" -u "$T/users.cdb" "$T/next" <<-X
		$script
	X
	line='refused user=alice@example.net mech=EXTERNAL reason="another authorization identity" ip=192.0.2.1 tls=TLSv1.3'
	assertEquals "$(cat "$T/log")" 8 "$(grep -c " $line\$" "$T/log")"
}

test_a_response_that_is_no_name_is_refused() {
	replies='' script=''
	for response in "$(printf 'alice@example.net\0' | base64 -w0)" "$(printf '\0' | base64 -w0)" \
		"$(printf 'alice@example.net\0bob' | base64 -w0)" "$(printf '\377' | base64 -w0)" "$(printf ' bob' | base64 -w0)" \
		"$(head -c 300 /dev/zero | tr '\0' a | base64 -w0)" "$(head -c 9000 /dev/zero | tr '\0' a | base64 -w0)"; do
		replies="$replies
535 5.7.8 Authentication credentials invalid"
		script="$script> AUTH EXTERNAL $response
<
"
	done
	shows "$ALICE" "$yes" "${replies#?}" authd -a 9 -c "$T/certs.cdb" -u "$T/users.cdb" "$T/next" <<-X
		$script
	X
	assertEquals "$(cat "$T/log")" 7 \
		"$(grep -c ' refused user=alice@example.net mech=EXTERNAL reason="malformed response" ip=' "$T/log")"
}

test_cancel_and_bad_base64() {
	external "$BOB" "$yes" '334 
501 5.7.0 Authentication cancelled
334 
501 5.5.2 Cannot decode base64
501 5.5.2 Cannot decode base64
334 
500 5.5.6 Authentication exchange line is too long
235 2.7.0 Authentication succeeded' <<-X
		> AUTH EXTERNAL
		<
		> *
		<
		> AUTH EXTERNAL
		<
		> ==
		<
		> AUTH EXTERNAL = =
		<
		> AUTH EXTERNAL
		<
		> $(printf '%012287d' 0)
		<
		> AUTH EXTERNAL =
		<
	X
}

test_who_has_no_certificate_that_is_known_is_not_offered_it() {
	# Whatever the subject says, and what is no hash is no key: not even one that the table has.
	for hash in - "$STRANGER" "$(echo "$ALICE" | tr a-e A-E)" SHA256:short "$(printf 'SHA384:%064d' 5)" '' "${ALICE}0" alice bob; do
		external "$hash" '' '504 5.5.4 Mechanism not supported
504 5.5.4 Mechanism not supported
504 5.5.4 Mechanism not supported
235 2.7.0 Authentication succeeded
next bob PLAIN' <<-X
			> AUTH EXTERNAL
			<
			> AUTH EXTERNAL =
			<
			> AUTH EXTERNAL $(b64 bob)
			<
			> AUTH PLAIN AGJvYgBwZW5jaWw=
			<
			<
		X
		assertTrue "$(cat "$T/log")" "grep -q ' rejected verb=AUTH code=504 reason=.Mechanism not supported. ' $T/log"
	done
}

test_without_the_table_there_is_none() {
	shows "$ALICE" '' '504 5.5.4 Mechanism not supported' authd -u "$T/users.cdb" "$T/next" <<-X
		> AUTH EXTERNAL =
		<
	X
}

# A hash without TLS is forged, even where AUTH is taken in the clear.
test_without_tls_there_is_none() {
	for options in '' -p; do
		printf '<\n> EHLO x\n<\n> AUTH EXTERNAL =\n<\n' >"$T/script"
		# shellcheck disable=SC2086
		SSL_PEER_CERT_HASH=$ALICE talk authd $options -c "$T/certs.cdb" -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/raw" 2>"$T/log"
		assertFalse "not offered $options" "grep -q EXTERNAL '$T/raw'"
		if [ "$options" ]; then
			reply='504 5.5.4 Mechanism not supported'
		else
			reply='538 5.7.11 Encryption required for authentication'
		fi
		assertEquals "$options" "$reply" "$(tail -n 1 "$T/raw")"
	done
}

test_the_store_locks_out() {
	while read -r hash user reason; do
		external "$hash" "$yes" '535 5.7.8 Authentication credentials invalid
334 
535 5.7.8 Authentication credentials invalid' <<-X
			> AUTH EXTERNAL =
			<
			> AUTH EXTERNAL
			<
			> $(b64 "$user")
			<
		X
		assertEquals "$(cat "$T/log")" 2 "$(grep -c " refused user=$user mech=EXTERNAL reason=\"$reason\" ip=" "$T/log")"
	done <<-X
		$LOCKED locked user is locked
		$GONE gone unknown user
	X
}

test_a_user_without_a_password_is_a_user() {
	external "$BARE" "$yes" '535 5.7.8 Authentication credentials invalid
235 2.7.0 Authentication succeeded
next bare EXTERNAL' <<-X
		> AUTH PLAIN $(printf '\0bare\0secret' | base64)
		<
		> AUTH EXTERNAL =
		<
		<
	X
}

# A wrong password is an attempt. A certificate that is another user's is a refused command.
test_attempts_are_limited() {
	external "$ALICE" "$yes" '535 5.7.8 Authentication credentials invalid
535 5.7.8 Authentication credentials invalid
535 5.7.8 Authentication credentials invalid
535 5.7.8 Authentication credentials invalid
421 4.7.0 Too many errors, closing the connection
EOF' <<-X
		> AUTH EXTERNAL $(b64 bob)
		<
		> AUTH PLAIN $(printf '\0bob\0x' | base64)
		<
		> AUTH PLAIN $(printf '\0bob\0x' | base64)
		<
		> AUTH PLAIN $(printf '\0bob\0x' | base64)
		<<
	X
}

test_a_failed_attempt_leaves_no_trace_in_the_next() {
	external "$ALICE" "$yes" '535 5.7.8 Authentication credentials invalid
334 
501 5.7.0 Authentication cancelled
235 2.7.0 Authentication succeeded
next bob PLAIN' <<-X
		> AUTH EXTERNAL $(b64 bob)
		<
		> AUTH EXTERNAL
		<
		> *
		<
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		<
	X
	assertTrue "$(cat "$T/log")" "grep -q ' authenticated user=bob mech=PLAIN label=main ip=' $T/log"
}

# The record's length, beyond the end of the file.
test_a_damaged_table_is_454_and_the_other_mechanisms_go_on() {
	perl -0777 -pe "s/\\x47\\0\\0\\0....(?=$ALICE)/\\x47\\0\\0\\0\\xff\\xff\\xff\\x7f/s" "$T/certs.cdb" >"$T/broken.cdb"
	assertFalse "cmp -s '$T/certs.cdb' '$T/broken.cdb'"
	shows "$ALICE" "$yes" '454 4.7.0 Temporary authentication failure
454 4.7.0 Temporary authentication failure
235 2.7.0 Authentication succeeded' authd -c "$T/broken.cdb" -u "$T/users.cdb" "$T/next" <<-X
		> AUTH EXTERNAL =
		<
		> AUTH EXTERNAL
		<
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
	X
	assertEquals "$(cat "$T/log")" 2 \
		"$(grep -c ' failed mech=EXTERNAL reason="certificate table cannot be read" ip=192.0.2.1 tls=TLSv1.3$' "$T/log")"
	shows "$BOB" "$yes" '235 2.7.0 Authentication succeeded' authd -c "$T/broken.cdb" -u "$T/users.cdb" "$T/next" <<-X
		> AUTH EXTERNAL =
		<
	X
}

test_a_value_that_is_no_name_is_454() {
	external "$NAMELESS" "$yes" '454 4.7.0 Temporary authentication failure' <<-X
		> AUTH EXTERNAL =
		<
	X
	assertTrue "$(cat "$T/log")" "grep -q ' failed mech=EXTERNAL reason=.no user name in the certificate table. ' $T/log"
}

test_a_damaged_store_is_454() {
	perl -0777 -pe 's/\x03\0\0\0....(?=bob)/\x03\0\0\0\xff\xff\xff\x7f/s' "$T/users.cdb" >"$T/broken.cdb"
	chmod 600 "$T/broken.cdb"
	shows "$BOB" "$yes" '454 4.7.0 Temporary authentication failure' authd -c "$T/certs.cdb" -u "$T/broken.cdb" "$T/next" <<-X
		> AUTH EXTERNAL =
		<
	X
	assertTrue "$(cat "$T/log")" "grep -q ' failed mech=EXTERNAL reason=.user store cannot be read. ' $T/log"
}

test_a_table_that_cannot_be_opened_closes_the_service() {
	echo text >"$T/text.cdb"
	for pair in "missing.cdb:No such file or directory" "text.cdb:not a cdb"; do
		file=${pair%%:*}
		printf '<<\n' >"$T/script"
		talk -x authd -p -c "$T/$file" -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
		printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF 'exit 100' | assert_out "$file"
		assertTrue "$(cat "$T/log")" "grep -q ' misuse reason=.$T/$file: ${pair#*:}.' $T/log"
		authd -l "$T/none" -c "$T/$file" -u "$T/users.cdb" "$T/next" 2>"$T/log"
		assertEquals "resident, $file" 100 $?
		assertEquals "authd: $T/$file: ${pair#*:}" "$(cat "$T/log")"
	done
}

test_its_place_among_the_mechanisms() {
	mechs='EXTERNAL PLAIN'
	shows "$ALICE" '' '504 5.5.4 Mechanism not supported' authd -c "$T/certs.cdb" -m 'external plain' -u "$T/users.cdb" \
		"$T/next" <<-X
		> AUTH LOGIN
		<
	X
	mechs=PLAIN
	shows "$ALICE" "$yes" '235 2.7.0 Authentication succeeded' authd -c "$T/certs.cdb" -m PLAIN -u "$T/users.cdb" "$T/next" <<-X
		> AUTH EXTERNAL =
		<
	X
	mechs=EXTERNAL
	shows "$ALICE" '' '504 5.5.4 Mechanism not supported
235 2.7.0 Authentication succeeded' authd -c "$T/certs.cdb" -m EXTERNAL -u "$T/users.cdb" "$T/next" <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		> AUTH EXTERNAL =
		<
	X
	mechs='PLAIN LOGIN SCRAM-SHA-256'
	# For those without a certificate nothing is left.
	printf '<\n> EHLO x\n<\n> AUTH EXTERNAL =\n<\n' >"$T/script"
	SSL_PROTOCOL=TLSv1.3 MSA_EHLO='AUTH PLAIN' talk authd -c "$T/certs.cdb" -m EXTERNAL -u "$T/users.cdb" "$T/next" \
		<"$T/script" >"$T/out" 2>"$T/log"
	printf '%s\n' '220 mx.example ESMTP' 250-mx.example 250-PIPELINING 250-SIZE 250-ENHANCEDSTATUSCODES 250-PRDR \
		'250-LIMITS RCPTMAX=1000' '250 CHUNKING' '504 5.5.4 Mechanism not supported' | assert_out 'no AUTH at all'
	# Without the table it is Cyrus's to have it, and it has not.
	printf '<<\n' >"$T/script"
	talk -x authd -m EXTERNAL -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	assertTrue "$(cat "$T/log")" "grep -q 'no mechanism EXTERNAL' $T/log"
}

# What the configuration lists is for Cyrus, and nobody can ask it whether a user is locked: the table is all that counts.
test_with_cyrus_the_table_alone_counts() {
	mkdir -p "$T/sasl"
	printf 'pwcheck_method: saslauthd\nsaslauthd_path: %s/none\nmech_list: PLAIN\n' "$T" >"$T/sasl/msa.conf"
	mechs=PLAIN
	shows "$GONE" "$yes" '535 5.7.8 Authentication credentials invalid
235 2.7.0 Authentication succeeded
next gone EXTERNAL' authd -c "$T/certs.cdb" -s "$T/sasl/msa.conf" "$T/next" <<-X
		> AUTH EXTERNAL $(b64 bob)
		<
		> AUTH EXTERNAL =
		<
		<
	X
	shows - '' '504 5.5.4 Mechanism not supported' authd -c "$T/certs.cdb" -s "$T/sasl/msa.conf" "$T/next" <<-X
		> AUTH EXTERNAL =
		<
	X
	mechs='PLAIN LOGIN SCRAM-SHA-256'
}

test_lmtp() {
	printf '<\n> LHLO x\n<\n> AUTH EXTERNAL =\n<\n<\n' >"$T/script"
	MSA_LMTP='' SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_HASH=$BOB talk authd -c "$T/certs.cdb" -u "$T/users.cdb" "$T/next" \
		<"$T/script" >"$T/raw" 2>"$T/log"
	tail -n 3 "$T/raw" >"$T/out"
	printf '%s\n' '250 AUTH PLAIN LOGIN SCRAM-SHA-256 EXTERNAL' '235 2.7.0 Authentication succeeded' 'next bob EXTERNAL' |
		assert_out LHLO
}

test_the_table_is_opened_before_privileges_are_dropped() {
	needs root || return 0
	chmod 755 "$T"
	chmod 400 "$T/certs.cdb"
	shows "$BOB" "$yes" '235 2.7.0 Authentication succeeded
nobody' authd -U nobody -c "$T/certs.cdb" -u "$T/users.cdb" sh -c 'id -un | sed "s/\$/\r/"' <<-X
		> AUTH EXTERNAL =
		<
		<
	X
}

# One worker, one client after the other.
test_a_resident_takes_each_client_by_its_own_certificate() {
	resident_start auth authd -P 1:1 -c "$T/certs.cdb" -u "$T/users.cdb" "$T/next"
	for _ in 1 2; do
		shows "$ALICE" "$yes" '334 
235 2.7.0 Authentication succeeded
next alice@example.net EXTERNAL' call "$T/auth" <<-X
			> AUTH EXTERNAL
			<
			>
			<
			<
			close
		X
		shows - '' '504 5.5.4 Mechanism not supported' call "$T/auth" <<-X
			> AUTH EXTERNAL =
			<
			> QUIT
		X
		shows "$STRANGER" '' '504 5.5.4 Mechanism not supported' call "$T/auth" <<-X
			> AUTH EXTERNAL =
			<
			> QUIT
		X
		shows "$BOB" "$yes" "535 5.7.8 Authentication credentials invalid
334 
501 5.7.0 Authentication cancelled
235 2.7.0 Authentication succeeded
next bob EXTERNAL" call "$T/auth" <<-X
			> AUTH EXTERNAL $(b64 alice@example.net)
			<
			> AUTH EXTERNAL
			<
			> *
			<
			> AUTH EXTERNAL =
			<
			<
			close
		X
	done
	assertEquals 2 "$(grep -c ' authenticated user=bob mech=EXTERNAL ' "$T/auth.log")"
}

# The table of a moment: what its file is now, or what it was where that cannot be used.
test_sighup_opens_the_table_anew_and_keeps_both_tables_if_one_cannot_be_used() {
	cp "$T/users.cdb" "$T/some.cdb"
	echo "$ALICE alice@example.net" | certs "$T/few.cdb"
	resident_start auth authd -P 1:1 -c "$T/few.cdb" -u "$T/some.cdb" "$T/next"
	asks() { # hash offered reply
		shows "$1" "$2" "$3" call "$T/auth" <<-X
			> AUTH EXTERNAL =
			<
			> QUIT
		X
	}
	asks "$ALICE" "$yes" '235 2.7.0 Authentication succeeded'
	asks "$BOB" '' '504 5.5.4 Mechanism not supported'
	echo "$BOB bob" | certs "$T/few.cdb"
	kill -HUP "$auth_pid"
	wait_until grep -q ' reloaded' "$T/auth.log"
	asks "$ALICE" '' '504 5.5.4 Mechanism not supported'
	asks "$BOB" "$yes" '235 2.7.0 Authentication succeeded'
	stores=$(find "/proc/$auth_pid/fd" -lname '*.cdb*' | wc -l)
	assertEquals 'the store is open once' 1 "$stores"
	# A table that cannot be used: the store, in which bob is locked now, stays as it was too.
	msa-passwd -L "$T/some.cdb" bob
	echo text >"$T/few.new"
	mv "$T/few.new" "$T/few.cdb"
	kill -HUP "$auth_pid"
	wait_until grep -q ' kept ' "$T/auth.log"
	assertTrue "$(cat "$T/auth.log")" "grep -q ' failed reason=.$T/few.cdb: not a cdb' $T/auth.log"
	assertEquals 'and still is' "$stores" "$(find "/proc/$auth_pid/fd" -lname '*.cdb*' | wc -l)"
	asks "$BOB" "$yes" '235 2.7.0 Authentication succeeded'
	echo "$BOB bob" | certs "$T/few.cdb"
	kill -HUP "$auth_pid"
	wait_until eval '[ "$(grep -c " reloaded" "$T/auth.log")" = 2 ]'
	asks "$BOB" "$yes" '535 5.7.8 Authentication credentials invalid'
	# The store that cannot be used: the table stays.
	echo "$ALICE alice@example.net" | certs "$T/few.cdb"
	echo text >"$T/some.new"
	mv "$T/some.new" "$T/some.cdb"
	kill -HUP "$auth_pid"
	wait_until eval '[ "$(grep -c " kept " "$T/auth.log")" = 2 ]'
	asks "$ALICE" '' '504 5.5.4 Mechanism not supported'
	rm -f "$T/some.cdb" "$T/few.cdb"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
