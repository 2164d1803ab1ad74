# authd: RFC 4954 in front of a stage that must find the conversation as it was left.
# ISC licence, see LICENSE.
# shellcheck shell=sh source=tests/lib/test.sh disable=SC2016
. "$(dirname "$0")/../lib/test.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.example
	# What every session begins with, said in clear text with -p.
	greeting='220 mx.example ESMTP
250-mx.example
250-PIPELINING
250-SIZE
250-8BITMIME
250-ENHANCEDSTATUSCODES
250-PRDR
250-LIMITS RCPTMAX=1000
250-CHUNKING
250 AUTH PLAIN LOGIN SCRAM-SHA-256'
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice@example.net
	printf 'pencil\n' | msa-passwd "$T/users.cdb" bob
	app=$(msa-passwd -g -n phone "$T/users.cdb" alice@example.net)
	printf 'secret\n' | msa-passwd "$T/users.cdb" locked
	msa-passwd -L "$T/users.cdb" locked
	onlyapp=$(msa-passwd -g -n pad "$T/users.cdb" onlyapp)
	perl -e 'print crypt("crypted", "\$6\$abcdefghijklmnop\$"), "\n"' | msa-passwd -e "$T/users.cdb" six
	perl -e 'print crypt("crypted", "\$y\$j9T\$abcdefghijklmnop\$"), "\n"' | msa-passwd -e "$T/users.cdb" yes
	# The next stage: says what it was given, then what it reads.
	cat >"$T/next" <<-'X'
		#!/bin/sh
		printf 'next %s %s %s %s\r\n' "$SMTPAUTHUSER" "$SMTPAUTHMETHOD" "$MSA_VERB" "$MSA_HELO"
		while read -r line; do printf 'read %s\n' "$line"; done
	X
	chmod +x "$T/next"
}

tearDown() {
	# Not one credential, plain or in base64, ever reaches the log.
	if [ -f "$T/log" ]; then
		assertFalse 'a credential in the log' "grep -e wonderland -e d29uZGVybGFuZ -e pencil -e cGVuY2ls -e '$app' \
			-e AGFsaWNl -e YWxpY2V '$T/log'"
		rm -f "$T/log"
	fi
}

plain() { # authzid user password
	printf '%s\0%s\0%s' "$1" "$2" "$3" | base64 -w0
}

b64() {
	printf %s "$1" | base64 -w0
}

# Compare the conversation of standard input with the program's arguments to what is expected.
# usage: session 'expected behind the EHLO reply' [talk option ...] -- authd option ... <<script
session() {
	expected=$1
	shift
	cat >"$T/script"
	talk "$@" <"$T/script" >"$T/out" 2>>"$T/log"
	printf '%s\n%s\n' "$greeting" "$expected" >"$T/expected"
	assert_same 'the conversation' "$T/expected" "$T/out"
}

# The same behind "<", "> EHLO client.example", "<" and with the usual store.
after_ehlo() {
	expected=$1
	shift
	{ printf '<\n> EHLO client.example\n<\n'; cat; } >"$T/after"
	session "$expected" "$@" <"$T/after"
}

store() { # the usual program
	after_ehlo "$1" authd -p -u "$T/users.cdb" "$T/next"
}

test_usage_is_one_line_and_the_synopsis() {
	authd 2>"$T/usage"
	assertEquals 100 $?
	assertEquals 1 "$(wc -l <"$T/usage")"
	for args in "-u x" "-s x" "true" "-k x -s y true" "-D /x -s y true" "-D /x -k y -u z true"; do
		# shellcheck disable=SC2086
		authd $args 2>"$T/other"
		assertEquals "$args" 100 $?
		assertTrue "$args" "cmp -s '$T/usage' '$T/other'"
	done
	for args in '-a 0' '-t 0' '-t 1x' '-t +1'; do
		# shellcheck disable=SC2086
		authd $args -u x true 2>"$T/other"
		assertEquals "100 authd: $args: not a number from 1 to" "$? $(sed 's/ to [0-9]*$/ to/' "$T/other")"
	done
	mandoc -T ascii "$ROOT/cmd/authd/authd.8" | col -bx | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed 1d |
		sed '$d' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//' >"$T/synopsis"
	assertEquals "usage: $(cat "$T/synopsis")" "$(cat "$T/usage")"
}

test_options_of_the_next_program_are_left_alone() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n<<\n' "$(plain '' bob pencil)" >"$T/script"
	talk authd -p -u "$T/users.cdb" printf '%s\n' -p -x -- -u <"$T/script" >"$T/out" 2>"$T/log"
	printf '%s\n' "$greeting" '235 2.7.0 Authentication succeeded' '-p\n' '-x\n' '--\n' '-u\n' EOF >"$T/expected"
	assert_same 'arguments' "$T/expected" "$T/out"
}

test_plain_with_initial_response() {
	store '235 2.7.0 Authentication succeeded
next alice@example.net PLAIN EHLO client.example
read MAIL FROM:<alice@example.net>
EOF' <<-X
		> AUTH PLAIN $(plain '' alice@example.net wonderland)
		<
		<
		> MAIL FROM:<alice@example.net>
		shut
		<<
	X
	assertContains "$(cat "$T/log")" \
		' authenticated user=alice@example.net mech=PLAIN label=main'
}

test_plain_without_initial_response() {
	store '334 
235 2.7.0 Authentication succeeded
next bob PLAIN EHLO client.example' <<-X
		> AUTH PLAIN
		<
		> $(plain '' bob pencil)
		<
		<
	X
}

test_login() {
	store '334 VXNlcm5hbWU6
334 UGFzc3dvcmQ6
235 2.7.0 Authentication succeeded
next bob LOGIN EHLO client.example' <<-X
		> auth login
		<
		> $(b64 bob)
		<
		> $(b64 pencil)
		<
		<
	X
}

test_login_with_the_user_as_initial_response() {
	store '334 UGFzc3dvcmQ6
235 2.7.0 Authentication succeeded
next alice@example.net LOGIN EHLO client.example' <<-X
		> AUTH LOGIN $(b64 ALICE@EXAMPLE.net)
		<
		> $(b64 wonderland)
		<
		<
	X
}

scram_next='printf "250 next %s %s\r\n221 end\r\n" "$SMTPAUTHUSER" "$SMTPAUTHMETHOD"; cat >/dev/null'

test_scram_sha_256() {
	for flags in '' '-f y' '-z bob'; do
		# shellcheck disable=SC2086
		scram $flags bob pencil authd -p -u "$T/users.cdb" sh -c "$scram_next" >"$T/out" 2>>"$T/log"
		printf '%s\n' server-first server-final '235 2.7.0 Authentication succeeded' '250 next bob SCRAM-SHA-256' \
			'221 end' >"$T/expected"
		assert_same "scram $flags" "$T/expected" "$T/out"
	done
}

test_scram_without_initial_response() {
	scram -n Alice@Example.NET wonderland authd -p -u "$T/users.cdb" sh -c "$scram_next" >"$T/out" 2>"$T/log"
	printf '%s\n' '334 ' server-first server-final '235 2.7.0 Authentication succeeded' \
		'250 next alice@example.net SCRAM-SHA-256' '221 end' >"$T/expected"
	assert_same scram "$T/expected" "$T/out"
}

scram_refused() { # reason option ... user password
	reason=$1
	shift
	scram "$@" authd -p -u "$T/users.cdb" false >"$T/out" 2>"$T/log"
	printf '%s\n' server-first '535 5.7.8 Authentication credentials invalid' '250 2.0.0 Ok' '221 2.0.0 Bye' >"$T/expected"
	assert_same "$*" "$T/expected" "$T/out"
	assertContains "$*" "$(cat "$T/log")" "reason=\"$reason\""
}

test_scram_refusals_all_look_alike() {
	scram_refused 'wrong password' alice@example.net wonderlane
	scram_refused 'unknown user' nobody wonderland
	scram_refused 'user is locked' locked secret
	scram_refused 'wrong password' onlyapp "$onlyapp"
	scram_refused 'another authorization identity' -z alice@example.net bob pencil
	scram_refused 'malformed response' -c bob pencil
	scram_refused 'malformed response' -f p=tls-unique bob pencil
}

test_scram_shows_an_unknown_user_the_same_salt_each_time() {
	scram -s nobody x authd -p -u "$T/users.cdb" false >"$T/one" 2>"$T/log"
	scram -s nobody x authd -p -u "$T/users.cdb" false >"$T/two" 2>"$T/log"
	scram -s noone x authd -p -u "$T/users.cdb" false >"$T/three" 2>"$T/log"
	scram -s bob x authd -p -u "$T/users.cdb" false >"$T/four" 2>"$T/log"
	assert_same 'nobody twice' "$T/one" "$T/two"
	assertFalse 'another user' "cmp -s '$T/one' '$T/three'"
	assertEquals 'iterations' "$(sed -n '1s/.* //p' "$T/four")" "$(sed -n '1s/.* //p' "$T/one")"
	assertEquals 'salt' "$(sed -n 1p "$T/four" | wc -c)" "$(sed -n 1p "$T/one" | wc -c)"
}

# After msa-passwd -i new users have other iterations than old ones; the unknown have either.
test_scram_shows_unknown_users_the_iterations_of_old_and_new_ones() {
	for user in a b c; do printf 'x\n' | msa-passwd -i 5000 "$T/mixed.cdb" $user; done
	for user in d e f; do printf 'x\n' | msa-passwd -i 6000 "$T/mixed.cdb" $user; done
	assertContains "$(cdb -q "$T/mixed.cdb" '')" '1:6000,5000*3,6000*3:'
	for user in a f nobody-0 nobody-1 nobody-2 nobody-3 nobody-4 nobody-5 nobody-6 nobody-7 nobody-8 nobody-9 nobody-10 nobody-11; do
		scram -s $user y authd -p -u "$T/mixed.cdb" false 2>>"$T/log" | sed -n "1s/.* /${user%-*} /p"
	done | sort >"$T/shown"
	assertEquals 'known' 'a 5000 f 6000' "$(grep '^[af] ' "$T/shown" | tr '\n' ' ' | sed 's/ $//')"
	assertEquals 'unknown' 'nobody 5000 nobody 6000' "$(grep nobody "$T/shown" | uniq | tr '\n' ' ' | sed 's/ $//')"
	scram a x authd -p -u "$T/mixed.cdb" true 2>"$T/log" >"$T/out"
	assertContains 'an old user logs in' "$(cat "$T/log")" ' authenticated user=a '
	for user in a b c; do msa-passwd -d "$T/mixed.cdb" $user; done
	assertContains 'one kind is left' "$(cdb -q "$T/mixed.cdb" '')" '1:6000:'
}

test_scram_plus_is_not_offered() {
	store '504 5.5.4 Mechanism not supported' <<-X
		> AUTH SCRAM-SHA-256-PLUS $(b64 'p=tls-unique,,n=bob,r=abcdefgh')
		<
	X
}

test_each_kind_of_credential() {
	while read -r user password label; do
		after_ehlo "235 2.7.0 Authentication succeeded
next $user $label" authd -p -u "$T/users.cdb" sh -c 'printf "next %s %s\r\n" "$SMTPAUTHUSER" "$SMTPAUTHLABEL"' <<-X
			> AUTH PLAIN $(plain '' "$user" "$password")
			<
			<
		X
		assertContains "$(tail -n 1 "$T/log")" "authenticated user=$user mech=PLAIN label=$label"
	done <<-X
		alice@example.net wonderland main
		alice@example.net $app phone
		onlyapp $onlyapp pad
		six crypted main
		yes crypted main
	X
}

test_a_users_name_has_no_case() {
	for who in Alice@example.net ALICE@EXAMPLE.NET; do
		for as in '' alice@example.net Alice@Example.net; do
			after_ehlo '235 2.7.0 Authentication succeeded
next alice@example.net PLAIN EHLO client.example' authd -p -u "$T/users.cdb" "$T/next" <<-X
				> AUTH PLAIN $(plain "$as" "$who" wonderland)
				<
				<
			X
		done
	done
}

test_wrong_password_unknown_user_and_locked_user_hear_the_same() {
	for who in 'alice@example.net wonderlane' 'nobody wonderland' 'locked secret' 'six wrong' 'onlyapp wrong' \
		'alice@example.net wonderland2' 'Alice@example.net wonderlane' 'alice@example.nett wonderland'; do
		store '535 5.7.8 Authentication credentials invalid
221 2.0.0 Bye
EOF' <<-X
			> AUTH PLAIN $(plain '' "${who% *}" "${who#* }")
			<
			> QUIT
			<<
		X
	done
}

# The milliseconds of CPU that this shell's children took, which no neighbour makes more: cpu.
cpu_so_far() {
	times >"$T/times"
	cpu=$(sed -n '2s/^\([0-9]*\)m\([0-9]*\)\.\([0-9][0-9]\).*/\1 \2 \3/p' "$T/times" |
		awk '{ print ($1 * 60 + $2) * 1000 + $3 * 10 }')
}

# What crypt(3) does not even look at costs as much as an unknown user: no time tells that there is one with such a hash.
test_a_password_too_long_for_crypt_takes_its_time() {
	cpu_so_far
	start=$cpu
	printf 'wonderland\n' | msa-passwd -i 600000 "$T/slow.cdb" alice
	cpu_so_far
	work=$((cpu - start))
	perl -e 'print crypt("crypted", "\$6\$abcdefghijklmnop\$"), "\n"' | msa-passwd -e "$T/slow.cdb" six
	long=$(printf '%0600d' 0)
	unknown=0
	for who in nobody six; do
		cpu_so_far
		start=$cpu
		after_ehlo '535 5.7.8 Authentication credentials invalid
221 2.0.0 Bye
EOF' authd -p -u "$T/slow.cdb" true <<-X
			> AUTH PLAIN $(plain '' "$who" "$long")
			<
			> QUIT
			<<
		X
		cpu_so_far
		ms=$((cpu - start))
		assertTrue "the work is seen: $ms ms of $work" "[ $work -gt 0 ] && [ $((ms * 2)) -ge $work ]"
		assertTrue "$who: $ms ms, unknown: $unknown ms" "[ $((ms * 2)) -ge $unknown ]"
		unknown=$ms
	done
}

test_the_log_names_only_what_is_surely_a_name() {
	for who in 'nobody' 'carol@example.net' 'hunter2!@#.x' 'pass word@example.net'; do
		store '535 5.7.8 Authentication credentials invalid' <<-X
			> AUTH PLAIN $(plain '' "$who" x)
			<
		X
	done
	sed 's/.* refused/refused/' "$T/log" >"$T/seen"
	printf '%s\n' 'refused mech=PLAIN reason="unknown user"' \
		'refused user=carol@example.net mech=PLAIN reason="unknown user"' 'refused mech=PLAIN reason="unknown user"' \
		'refused mech=PLAIN reason="unknown user"' >"$T/expected"
	assert_same log "$T/expected" "$T/seen"
}

test_nobody_acts_for_somebody_else() {
	store '535 5.7.8 Authentication credentials invalid
235 2.7.0 Authentication succeeded
next bob PLAIN EHLO client.example' <<-X
		> AUTH PLAIN $(plain alice@example.net bob pencil)
		<
		> AUTH PLAIN $(plain bob bob pencil)
		<
		<
	X
	assertContains "$(cat "$T/log")" 'refused user=bob mech=PLAIN reason="another authorization identity"'
}

test_the_log_line_tells_peer_and_tls() {
	export TCPREMOTEIP=192.0.2.1 SSL_PROTOCOL=TLSv1.3
	after_ehlo '535 5.7.8 Authentication credentials invalid' authd -u "$T/users.cdb" "$T/next" <<-X
		> AUTH PLAIN $(plain '' bob x)
		<
	X
	unset TCPREMOTEIP SSL_PROTOCOL
	assertContains "$(cat "$T/log")" 'refused user=bob mech=PLAIN reason="wrong password" ip=192.0.2.1 tls=TLSv1.3'
}

test_cancel_bad_base64_and_malformed() {
	store '334 
501 5.7.0 Authentication cancelled
334 
501 5.5.2 Cannot decode base64
501 5.5.2 Cannot decode base64
501 5.5.2 Cannot decode base64
535 5.7.8 Authentication credentials invalid
334 VXNlcm5hbWU6
535 5.7.8 Authentication credentials invalid
250 2.0.0 Ok' -t 20 authd -a 9 -p -u "$T/users.cdb" "$T/next" <<-X
		> AUTH PLAIN
		<
		> *
		<
		> AUTH PLAIN
		<
		> not base64
		<
		> AUTH PLAIN AGFs=
		<
		> AUTH PLAIN AGE= extra
		<
		> AUTH PLAIN =
		<
		> AUTH LOGIN
		<
		>
		<
		> NOOP
		<
	X
}

test_unknown_mechanism() {
	store '504 5.5.4 Mechanism not supported
504 5.5.4 Mechanism not supported
504 5.5.4 Mechanism not supported
501 5.5.4 Argument missing' <<-X
		> AUTH ANONYMOUS AA==
		<
		> AUTH CRAM-MD5
		<
		> AUTH PLAI
		<
		> AUTH
		<
	X
}

test_mechanisms_can_be_chosen() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN AGJvYgBwZW5jaWw=\n<\n' >"$T/script"
	talk authd -p -m 'scram-sha-256' -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	{ printf '%s\n' "$greeting" | sed 's/PLAIN LOGIN //'; echo '504 5.5.4 Mechanism not supported'; } >"$T/expected"
	assert_same mechanisms "$T/expected" "$T/out"
	echo '<<' >"$T/script"
	talk -x authd -p -m 'PLAIN NTLM' -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	printf '421 4.3.0 Local trouble, closing the connection\nEOF\nexit 100\n' >"$T/expected"
	assert_same 'not there' "$T/expected" "$T/out"
	assertContains "$(cat "$T/log")" 'no mechanism NTLM in Cyrus SASL'
}

test_line_lengths() {
	# shellcheck disable=SC2183
	a505=$(printf '%0505d' 0) a506=$(printf '%0506d' 0)
	store '250 2.0.0 Ok
500 5.5.2 Line too long
334 
500 5.5.6 Authentication exchange line is too long
334 
535 5.7.8 Authentication credentials invalid
500 5.5.6 Authentication exchange line is too long
500 5.5.6 Authentication exchange line is too long
500 5.5.2 Line too long
250 2.0.0 Ok' <<-X
		> NOOP $a505
		<
		> NOOP $a506
		<
		> AUTH PLAIN
		<
		> $(printf '%012287d' 0)
		<
		> AUTH PLAIN
		<
		> $(printf 'AAAA%012280d' 0 | tr 0 A)
		<
		> AUTH PLAIN $(printf '%012280d' 0)
		<
		> AUTH PLAIN $(printf '%0100000d' 0)
		<
		> NOOP $(printf '%0100000d' 0)
		<
		> NOOP
		<
	X
}

test_an_invalid_response_is_no_command() {
	store '334 
500 5.5.2 Bare CR, bare LF or NUL in a command
250 2.0.0 Ok' <<-X
		> AUTH PLAIN
		<
		>> GET / HTTP/1.1\n\r\n
		<
		> NOOP
		<
	X
}

test_a_long_auth_command_is_no_long_line() {
	store '535 5.7.8 Authentication credentials invalid' <<-X
		> AUTH PLAIN $(plain '' bob "$(printf '%09000d' 0)")
		<
	X
}

test_everything_else_is_530_even_nonsense() {
	script='' replies=''
	for verb in 'MAIL FROM:<a@b.example>' 'RCPT TO:<a@b.example>' DATA 'BDAT 0 LAST' 'VRFY a' 'EXPN a' HELP STARTTLS 'LHLO x' \
		TURN XYZZY ''; do
		script="$script> $verb
<
"
		code='530 5.7.0'
		[ "$verb" != 'LHLO x' ] || code=530 # RFC 2034 4
		replies="$replies
$code Authentication required"
	done
	store "${replies#?}" <<-X
		$script
	X
}

# RFC 3030 2: the octets that BDAT announces are not commands, whatever the answer; and no other octet is taken.
test_what_bdat_announces_is_never_a_command() {
	store '530 5.7.0 Authentication required
530 5.7.0 Authentication required
250 2.0.0 Ok
235 2.7.0 Authentication succeeded
next bob PLAIN EHLO client.example
read MAIL FROM:<a@b>
EOF' <<-X
		>> BDAT 12 LAST\\r\\nNOOP\\r\\nRSET\\r\\nBDAT 6\\r\\nQUIT\\r\\n
		>> NOOP\\r\\n
		<
		<
		<
		>> AUTH PLAIN $(plain '' bob pencil)\\r\\nMAIL FROM:<a@b>\\r\\n
		<
		shut
		<<
	X
	# in parts, and larger than a read
	{
		printf '<\n> EHLO client.example\n<\n>> BDAT 200010\\r\\n\nsleep 0.1\n>> %s\nsleep 0.1\n' "$(printf '%0200000d' 0)"
		printf '>> 0123\nsleep 0.1\n>> 456789QUIT\\r\\n\n<<\n'
	} >"$T/script"
	for pipe in '' -p; do
		# shellcheck disable=SC2086
		talk $pipe authd -p -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>>"$T/log"
		printf '%s\n%s\n' "$greeting" '530 5.7.0 Authentication required
221 2.0.0 Bye
EOF' >"$T/expected"
		assert_same 'a large chunk' "$T/expected" "$T/out"
	done
}

test_after_a_bdat_that_cannot_be_read_the_session_ends() {
	while IFS='|' read -r bdat reply; do
		store "$reply
421 4.5.4 Cannot tell the chunk's length, closing the connection
EOF" <<-X
			>> $bdat\\r\\nNOOP\\r\\nRSET\\r\\n
			<<
		X
	done <<-E2
		BDAT 12 LAST$(printf '%0600d' 0 | tr 0 ' ')|500 5.5.2 Line too long
		BDAT 12 LAST$(printf '%020000d' 0 | tr 0 ' ')|500 5.5.2 Line too long
		bdat 12 LA\\0ST|500 5.5.2 Bare CR, bare LF or NUL in a command
		BDAT 12\\nLAST|500 5.5.2 Bare CR, bare LF or NUL in a command
		BDAT x|530 5.7.0 Authentication required
		BDAT|530 5.7.0 Authentication required
	E2
}

test_noop_rset_quit_and_their_arguments() {
	store '250 2.0.0 Ok
250 2.0.0 Ok
250 2.0.0 Ok
501 5.5.4 No argument allowed
501 5.5.4 No argument allowed
501 Argument missing
221 2.0.0 Bye
EOF' <<-X
		> NOOP
		<
		> noop why not
		<
		> RSET
		<
		> RSET x
		<
		> QUIT x
		<
		> EHLO
		<
		> QUIT
		<<
	X
}

test_auth_needs_ehlo() {
	printf '%s\n' '<' '> AUTH PLAIN AGJvYgBwZW5jaWw=' '<' '> HELO client.example' '<' '> AUTH PLAIN AGJvYgBwZW5jaWw=' '<' \
		'> EHLO client.example' '<' '> AUTH PLAIN AGJvYgBwZW5jaWw=' '<' '<' >"$T/script"
	talk authd -p -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	{
		printf '%s\n' '220 mx.example ESMTP' '503 5.5.1 Bad sequence of commands' '250 mx.example' \
			'503 5.5.1 Bad sequence of commands'
		printf '%s\n' "$greeting" | sed 1d
		printf '%s\n' '235 2.7.0 Authentication succeeded' 'next bob PLAIN EHLO client.example'
	} >"$T/expected"
	assert_same 'EHLO first' "$T/expected" "$T/out"
}

test_without_tls_auth_is_neither_offered_nor_taken() {
	printf '%s\n' '<' '> EHLO client.example' '<' '> AUTH PLAIN not!base64' '<' '> AUTH XYZZY' '<' '> AUTH' '<' >"$T/script"
	talk authd -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	{
		printf '%s\n' "$greeting" | sed '$d; s/250-CHUNKING/250 CHUNKING/'
		printf '%s\n' '538 5.7.11 Encryption required for authentication' \
			'538 5.7.11 Encryption required for authentication' '501 5.5.4 Argument missing'
	} >"$T/expected"
	assert_same clear "$T/expected" "$T/out"
}

test_with_tls_it_is_and_starttls_is_503() {
	export SSL_PROTOCOL=TLSv1.2 SSL_CIPHER_USEKEYSIZE=256
	after_ehlo '503 5.5.1 Bad sequence of commands
235 2.7.0 Authentication succeeded
next bob PLAIN EHLO client.example' authd -u "$T/users.cdb" "$T/next" <<-X
		> STARTTLS
		<
		> AUTH PLAIN $(plain '' bob pencil)
		<
		<
	X
	unset SSL_PROTOCOL SSL_CIPHER_USEKEYSIZE
}

test_attempts_are_limited_and_each_is_logged() {
	wrong=$(plain '' bob wrong)
	store '535 5.7.8 Authentication credentials invalid
535 5.7.8 Authentication credentials invalid
535 5.7.8 Authentication credentials invalid
421 4.7.0 Too many errors, closing the connection
EOF' <<-X
		> AUTH PLAIN $wrong
		<
		> AUTH PLAIN $wrong
		<
		> AUTH PLAIN $wrong
		<<
	X
	assertEquals 3 "$(grep -c 'refused user=bob mech=PLAIN reason="wrong password"' "$T/log")"
	assertEquals 1 "$(grep -c 'too-many-errors' "$T/log")"
	after_ehlo '535 5.7.8 Authentication credentials invalid
421 4.7.0 Too many errors, closing the connection
EOF' authd -a 1 -p -u "$T/users.cdb" "$T/next" <<-X
		> AUTH PLAIN $wrong
		<<
	X
}

test_errors_are_limited() {
	replies='' script=''
	i=0
	while [ $i -lt 21 ]; do # 20 are allowed
		replies="$replies
530 5.7.0 Authentication required"
		script="$script> MAIL
"
		i=$((i + 1))
	done
	store "${replies#?}
421 4.7.0 Too many errors, closing the connection
EOF" <<-X
		$script
		<<
	X
}

test_a_bad_line_is_refused_with_all_that_came_with_it() {
	for bad in 'NOOP\n' 'NO\rOP\r\n' 'NOOP\0\r\n' 'NOOP\nAUTH PLAIN AGJvYgBwZW5jaWw=\r\n'; do
		store '500 5.5.2 Bare CR, bare LF or NUL in a command
250 2.0.0 Ok' <<-X
			>> $bad
			<
			> NOOP
			<
		X
	done
	store '334 
500 5.5.2 Bare CR, bare LF or NUL in a command
250 2.0.0 Ok' <<-X
		> AUTH PLAIN
		<
		>> AGJvYgBwZW5jaWw=\n
		<
		> NOOP
		<
	X
}

test_timeout() {
	after_ehlo '421 4.4.2 Waited too long, closing the connection
EOF' authd -t 1 -p -u "$T/users.cdb" "$T/next" <<-X
		>> NOO
		<<
	X
	after_ehlo '334 
421 4.4.2 Waited too long, closing the connection
EOF' authd -t 1 -p -u "$T/users.cdb" "$T/next" <<-X
		> AUTH PLAIN
		<
		<<
	X
}

test_a_client_that_leaves_leaves_nothing() {
	printf '<\n> EHLO x\n<\n> AUTH PLAIN\n<\nclose\n' >"$T/script"
	talk -x authd -p -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	assertEquals 'exit 0' "$(tail -n 1 "$T/out")"
	assertEquals '' "$(cat "$T/log")"
}

test_what_follows_auth_is_the_next_stages() {
	for p in '' -p; do
		# shellcheck disable=SC2086
		after_ehlo '235 2.7.0 Authentication succeeded
next bob PLAIN EHLO client.example
read MAIL FROM:<bob@example.net>\n
read RCPT TO:<x@example.org>\n
EOF' $p authd -p -u "$T/users.cdb" sh -c '"$0" | tr -d "\r" | sed "s/next.*/&\r/"' "$T/next" <<-X
			>> AUTH PLAIN AGJvYgBwZW5jaWw=\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<x@example.org>\r\n
			shut
			<<
		X
		# shellcheck disable=SC2086
		after_ehlo '334 VXNlcm5hbWU6
334 UGFzc3dvcmQ6
235 2.7.0 Authentication succeeded
next bob LOGIN EHLO client.example
read MAIL FROM:<bob@example.net>\n
EOF' $p authd -p -u "$T/users.cdb" sh -c '"$0" | tr -d "\r" | sed "s/next.*/&\r/"' "$T/next" <<-X
			>> AUTH LOGIN\r\nYm9i\r\ncGVuY2ls\r\nMAIL FROM:<bob@example.net>\r\n
			shut
			<<
		X
	done
}

test_forged_variables_are_gone_and_no_others() {
	export SMTPAUTHUSER=root SMTPAUTHMETHOD=FORGED SMTPAUTHLABEL=forged MSA_VERB=LHLO MSA_HELO=forged MSA_MESSAGE=m \
		MSA_RCPTS=7 MSA_DEADLINE=1 MSA_PARTIAL=1 MSA_X_SITE=kept SASL_PATH=/nonexistent SASL_CONF_PATH=/nonexistent OTHER=kept
	after_ehlo '235 2.7.0 Authentication succeeded
MSA_HELO=client.example
MSA_HOST=mx.example
MSA_VERB=EHLO
MSA_X_SITE=kept
OTHER=kept
SASL_CONF_PATH=/nonexistent
SASL_PATH=/nonexistent
SMTPAUTHLABEL=main
SMTPAUTHMETHOD=PLAIN
SMTPAUTHUSER=bob
EOF' authd -p -u "$T/users.cdb" sh -c 'env | grep -E "^(MSA_|SMTPAUTH|OTHER|SASL)" | grep -v -e MSA_SESSION -e MSA_BIN | sort |
		sed "s/\$/\r/"' <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		<<
	X
	unset SMTPAUTHUSER SMTPAUTHMETHOD SMTPAUTHLABEL MSA_VERB MSA_HELO MSA_MESSAGE MSA_RCPTS MSA_DEADLINE MSA_PARTIAL \
		MSA_X_SITE SASL_PATH SASL_CONF_PATH OTHER
}

test_what_a_peer_says_enters_the_environment_clean() {
	printf '%s\n' '<' ">> EHLO \$(id)'\\xc3\\xa9;%\\r\\n" '<' '> AUTH PLAIN AGJvYgBwZW5jaWw=' '<' '<' >"$T/script"
	talk authd -p -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	assertEquals 'next bob PLAIN EHLO ??id??????' "$(tail -n 1 "$T/out")"
}

test_the_next_stage_has_no_descriptor_of_ours() {
	after_ehlo '235 2.7.0 Authentication succeeded
0 1 2 3 
EOF' authd -p -u "$T/users.cdb" sh -c 'ls /proc/self/fd | tr "\n" " " | sed "s/\$/\r\n/"' 5</dev/null 7</dev/null <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		<<
	X
}

test_relayclient_hands_on_at_mail() {
	export RELAYCLIENT=
	store '250 2.0.0 Ok
530 5.7.0 Authentication required
next   EHLO client.example
read MAIL FROM:<a@example.net>
read RCPT TO:<b@example.net>
EOF' <<-X
		> NOOP
		<
		> VRFY a
		<
		>> MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.net>\r\n
		<
		shut
		<<
	X
	# Octet by octet.
	store 'next   EHLO client.example
read mail FROM:<a@example.net>
EOF' <<-X
		>> ma
		sleep 0.1
		>> il
		sleep 0.1
		>>  FROM:<a@
		<
		>> example.net>\r\n
		shut
		<<
	X
	# A client that goes in the middle of a word is gone at once, not at the timeout.
	after_ehlo EOF -t 15 authd -p -u "$T/users.cdb" "$T/next" <<-X
		>> MA
		shut
		<<
	X
	# No octet of a pipe can be looked at and left, so the next stage has the whole conversation.
	assertEquals 'a pipe' 'next    |read EHLO client.example|read MAIL FROM:<a@example.net>|' \
		"$(printf 'EHLO client.example\r\nMAIL FROM:<a@example.net>\r\n' | authd -p -u "$T/users.cdb" "$T/next" 2>>"$T/log" |
			tr -d '\r' | tr '\n' '|')"
	unset RELAYCLIENT
}

test_relayclient_may_authenticate_and_may_fail_to() {
	export RELAYCLIENT=
	store '235 2.7.0 Authentication succeeded
next bob PLAIN EHLO client.example' <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		<
	X
	store '535 5.7.8 Authentication credentials invalid
next   EHLO client.example' <<-X
		> AUTH PLAIN $(plain '' bob wrong)
		<
		> MAIL FROM:<a@example.net>
		<
	X
	unset RELAYCLIENT
}

test_relayclient_greets_first_and_helo_will_do() {
	export RELAYCLIENT=
	printf '%s\n' '<' '> MAIL FROM:<a@example.net>' '<' '> HELO client.example' '<' '> MAIL FROM:<a@example.net>' '<' >"$T/script"
	talk authd -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	printf '%s\n' '220 mx.example ESMTP' '503 5.5.1 Bad sequence of commands' '250 mx.example' 'next   HELO client.example' \
		>"$T/expected"
	assert_same 'order' "$T/expected" "$T/out"
	# From a pipe nothing can be looked at and left: the next stage has the whole conversation.
	printf '%s\n' '<' '> EHLO client.example' 'shut' '<<' >"$T/script"
	talk -p authd -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	printf '%s\n' 'next    ' 'read EHLO client.example' EOF >"$T/expected"
	assert_same 'pipe' "$T/expected" "$T/out"
	unset RELAYCLIENT
}

test_lmtp() {
	export MSA_LMTP=
	printf '%s\n' '<' '> EHLO client.example' '<' '> HELO client.example' '<' '> LHLO client.example' '<' \
		'> AUTH PLAIN AGJvYgBwZW5jaWw=' '<' '<' >"$T/script"
	talk authd -p -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	{
		printf '%s\n' '220 mx.example LMTP' '500 Not the greeting of this protocol' \
			'500 Not the greeting of this protocol'
		printf '%s\n' "$greeting" | sed "1d; /PRDR/d"
		printf '%s\n' '235 2.7.0 Authentication succeeded' 'next bob PLAIN LHLO client.example'
	} >"$T/expected"
	assert_same LMTP "$T/expected" "$T/out"
	unset MSA_LMTP
}

test_no_next_program_is_421() {
	after_ehlo '235 2.7.0 Authentication succeeded
421 4.3.0 Local trouble, closing the connection
EOF
exit 111' -x authd -p -u "$T/users.cdb" "$T/missing" <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		<<
	X
	assertContains "$(cat "$T/log")" "next program $T/missing: No such file or directory"
}

trouble() { # code text store
	printf '<<\n' >"$T/script"
	talk -x authd -p -u "$3" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF "exit $1" >"$T/expected"
	assert_same "$3" "$T/expected" "$T/out"
	assertContains "$(cat "$T/log")" "$2"
	assertEquals 1 "$(wc -l <"$T/log")"
}

test_a_store_that_cannot_be_used() {
	umask 077
	trouble 100 'No such file or directory' "$T/missing.cdb"
	echo text >"$T/text.cdb"
	trouble 100 'text.cdb: not a cdb' "$T/text.cdb"
	trouble 100 'not a regular file' "$T"
	echo '+1,1:a->b
' | cdb -c "$T/other.cdb"
	trouble 100 'other.cdb: not a user store of msa-passwd' "$T/other.cdb"
	head -c 2100 "$T/users.cdb" >"$T/cut.cdb"
	trouble 100 'cut.cdb: not a' "$T/cut.cdb"
	umask 022
}

test_a_store_that_everybody_may_read_or_write_is_refused() {
	cp "$T/users.cdb" "$T/open.cdb"
	for mode in 604 602 666; do
		chmod "$mode" "$T/open.cdb"
		trouble 100 'open.cdb: open to everybody' "$T/open.cdb"
	done
}

test_a_store_that_breaks_inside_is_454() {
	# The length of bob's record, beyond the end of the file.
	perl -0777 -pe 's/\x03\0\0\0....(?=bob)/\x03\0\0\0\xff\xff\xff\x7f/s' "$T/users.cdb" >"$T/broken.cdb"
	chmod 600 "$T/broken.cdb"
	assertFalse "cmp -s '$T/users.cdb' '$T/broken.cdb'"
	after_ehlo '454 4.7.0 Temporary authentication failure
235 2.7.0 Authentication succeeded' authd -p -u "$T/broken.cdb" "$T/next" <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		> AUTH PLAIN $(plain '' alice@example.net wonderland)
		<
	X
	assertContains "$(cat "$T/log")" 'failed mech=PLAIN reason="user store cannot be read"'
	scram bob pencil authd -p -u "$T/broken.cdb" false >"$T/out" 2>"$T/log"
	assertEquals '454 4.7.0 Temporary authentication failure' "$(head -n 1 "$T/out")"
}

# A record of msa-passwd has 65,536 octets at most; lines of a kind that is not known do not matter.
test_a_record_that_is_too_large_is_454() {
	for octets in 65536 65537; do
		cdb -d "$T/users.cdb" | python3 -c '
import re, sys
text, octets = sys.stdin.buffer.read(), int(sys.argv[1])
bob = re.search(rb"\+3,(\d+):bob->", text)
end = bob.end() + int(bob[1])
sys.stdout.buffer.write(text[:bob.start()] + b"+3,%d:bob->" % octets + (text[bob.end():end] + b"\n").ljust(octets, b"x") + text[end:])' \
			$octets | cdb -c "$T/large.cdb"
		chmod 600 "$T/large.cdb"
		[ $octets = 65536 ] && want='235 2.7.0 Authentication succeeded' || want='454 4.7.0 Temporary authentication failure'
		after_ehlo "$want" authd -p -u "$T/large.cdb" "$T/next" <<-X
			> AUTH PLAIN AGJvYgBwZW5jaWw=
			<
		X
	done
}

test_nobody_else_of_its_uid_can_look_into_it_but_into_the_next_stage() {
	needs root || return 0
	chmod 755 "$T"
	cp "$T/users.cdb" "$T/nobody.cdb"
	chmod 640 "$T/nobody.cdb"
	rm -f "$T/fifo" "$T/said"
	mkfifo "$T/fifo"
	# shellcheck disable=SC2094
	setpriv --reuid nobody --clear-groups authd -p -u "$T/nobody.cdb" true <"$T/fifo" >"$T/said" 2>>"$T/log" &
	exec 9>"$T/fifo"
	wait_until [ -s "$T/said" ]
	assertEquals 'files in /proc of what is not dumpable are root'"'s" root "$(stat -c %U "/proc/$!/mem")"
	exec 9>&-
	wait $!
	after_ehlo '235 2.7.0 Authentication succeeded
nobody
EOF' setpriv --reuid nobody --clear-groups authd -p -u "$T/nobody.cdb" \
		sh -c 'stat -c %U/ "/proc/$$/mem" | tr / "\r"' <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		<<
	X
}

test_the_store_is_opened_before_privileges_are_dropped() {
	needs root || return 0
	chmod 755 "$T"
	after_ehlo '235 2.7.0 Authentication succeeded
nobody
EOF' authd -U nobody -p -u "$T/users.cdb" sh -c 'id -un | sed "s/\$/\r/"' <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
		<<
	X
}

# A plugin that would make itself heard.
evil() {
	mkdir -p "$T/evil"
	cat >"$T/evil.c" <<-'X'
		#include <unistd.h>
		__attribute__((constructor)) static void loaded(void) { write(2, "EVIL\n", 5); }
	X
	cc -shared -fPIC -o "$T/evil/libplain.so" "$T/evil.c" 2>/dev/null
}

test_the_environment_does_not_choose_plugins_or_configuration() {
	evil
	printf 'mech_list: CRAM-MD5\n' >"$T/evil/smtpd.conf"
	printf 'openssl_conf = x\n[x]\nproviders = p\n[p]\nlegacy = l\n[l]\nactivate = 1\n' >"$T/evil/openssl.cnf"
	export SASL_PATH="$T/evil" SASL_CONF_PATH="$T/evil" OPENSSL_CONF="$T/evil/openssl.cnf"
	store '235 2.7.0 Authentication succeeded' <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
	X
	assertEquals '' "$(grep EVIL "$T/log")"
	printf '<\n> EHLO x\n<\n' >"$T/script"
	talk authd -p -s smtpd "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/out")" PLAIN
	assertEquals '' "$(grep EVIL "$T/log")"
	# The test can fail: another program does load it.
	unset OPENSSL_CONF
	/usr/sbin/saslpluginviewer -s >"$T/viewer" 2>&1
	assertContains "$(cat "$T/viewer")" EVIL
	unset SASL_PATH SASL_CONF_PATH
}

test_the_systems_sasl_configuration_does_not_count_with_a_store() {
	strace -f -e trace=openat authd -p -u "$T/users.cdb" true </dev/null 2>"$T/trace" >/dev/null
	grep -o '"[^"]*"' "$T/trace" | grep -e '\.conf"' -e 'sasl2/lib' -e openssl.cnf -e /etc/hosts | sed 's/.*\///' |
		sort -u >"$T/opened"
	printf '%s\n' 'libplain.so"' 'libscram.so"' >"$T/expected"
	assert_same opened "$T/expected" "$T/opened"
}

sasldb() {
	mkdir -p "$T/sasl"
	printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256\n' \
		"$T/sasl/db" >"$T/sasl/msa.conf"
	printf pencil | /usr/sbin/saslpasswd2 -p -c -f "$T/sasl/db" -u mx.example bob
}

test_cyrus_with_sasldb() {
	sasldb
	ehlo=$(printf '%s\n' "$greeting" | sed 's/AUTH .*/AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256/')
	saved=$greeting
	greeting=$ehlo
	while read -r mech initial reply; do
		after_ehlo "$reply" authd -p -s "$T/sasl/msa.conf" "$T/next" <<-X
			> AUTH $mech $initial
			<
		X
	done <<-X
		PLAIN $(plain '' bob pencil) 235 2.7.0 Authentication succeeded
		PLAIN $(plain '' bob wrong) 535 5.7.8 Authentication credentials invalid
		PLAIN $(plain '' nobody pencil) 535 5.7.8 Authentication credentials invalid
		PLAIN $(plain alice bob pencil) 535 5.7.8 Authentication credentials invalid
		CRAM-MD5 = 501 5.7.0 The server speaks first in this mechanism
		CRAM-MD5 $(b64 x) 501 5.7.0 The server speaks first in this mechanism
	X
	after_ehlo '334 UGFzc3dvcmQ6
235 2.7.0 Authentication succeeded
next bob LOGIN EHLO client.example' authd -p -s "$T/sasl/msa.conf" "$T/next" <<-X
		> AUTH LOGIN $(b64 bob)
		<
		> $(b64 pencil)
		<
		<
	X
	greeting=$saved
	scram bob pencil authd -p -s "$T/sasl/msa.conf" sh -c "$scram_next" >"$T/out" 2>>"$T/log"
	printf '%s\n' server-first server-final '235 2.7.0 Authentication succeeded' '250 next bob SCRAM-SHA-256' '221 end' \
		>"$T/expected"
	assert_same 'scram with sasldb' "$T/expected" "$T/out"
}

test_cyrus_with_saslauthd_down_is_454() {
	mkdir -p "$T/sasl"
	printf 'pwcheck_method: saslauthd\nsaslauthd_path: %s/none\nmech_list: PLAIN\n' "$T" >"$T/sasl/down.conf"
	saved=$greeting
	greeting=$(printf '%s\n' "$greeting" | sed 's/AUTH .*/AUTH PLAIN/')
	after_ehlo '454 4.7.0 Temporary authentication failure' authd -p -s "$T/sasl/down.conf" "$T/next" <<-X
		> AUTH PLAIN AGJvYgBwZW5jaWw=
		<
	X
	greeting=$saved
	assertContains "$(cat "$T/log")" 'failed mech=PLAIN reason="'
}

test_a_configuration_that_is_not_there() {
	printf '<<\n' >"$T/script"
	talk -x authd -p -s "$T/sasl/missing.conf" "$T/next" <"$T/script" >"$T/out" 2>"$T/log"
	printf '%s\n' '421 4.3.0 Local trouble, closing the connection' EOF 'exit 100' >"$T/expected"
	assert_same 'missing' "$T/expected" "$T/out"
	assertContains "$(cat "$T/log")" 'missing.conf: not a readable file'
}

test_the_log_is_not_the_peer() {
	printf '%s\n' '<' '> EHLO client.example' '<' '> AUTH PLAIN AGJvYgB4' '<' '> QUIT' '<<' >"$T/script"
	talk -2 authd -p -u "$T/users.cdb" "$T/next" <"$T/script" >"$T/out"
	printf '%s\n' "$greeting" '535 5.7.8 Authentication credentials invalid' '221 2.0.0 Bye' EOF >"$T/expected"
	assert_same 'fd 2 is the peer' "$T/expected" "$T/out"
}

test_only_authd_links_sasl() {
	assertContains "$(ldd "$(command -v authd)")" libsasl2
	assertNotContains "$(ldd "$(command -v msa-passwd)")" libsasl2
	assertNotContains "$(ldd "$(command -v authd)")" libtls
}

# A program that talks to strangers has no code that replaces the password file.
test_authd_cannot_write_the_store() {
	assertEquals '' "$(nm "$(command -v authd)" | grep -e userdb_change -e userdb_make)"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
