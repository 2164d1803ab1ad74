#!/bin/sh
# authd: who guesses passwords, and how others do not feel it. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'
over='421 4.7.0 Too many wrong passwords, try again later'

oneTimeSetUp() {
	export MSA_HOST=mx.example
	db=$T/users.cdb
	printf 'wonderland\n' | msa-passwd -i 4096 "$db" alice@example.net
	printf 'pencil\n' | msa-passwd -i 4096 "$db" bob@example.net
	program_make next <<-'X'
		#!/bin/sh
		printf 'next %s\r\n' "$SMTPAUTHUSER"
	X
}

setUp() {
	export TCPREMOTEIP=192.0.2.1
	table=$T/penalties
	mkdir -m 700 "$table"
	: >"$T/log"
}

tearDown() {
	resident_stop_all
	assertFalse 'a credential in the log' "grep -q -e wonderland -e pencil -e guess '$T/log'"
	rm -rf "$table"
}

plain() { # user password [authzid]
	printf '%s\0%s\0%s' "${3:-}" "$1" "$2" | base64 -w0
}

# What the table says. usage: asks text-of-an-answer line
asks() {
	assertEquals "$2" "$2 => $1" "$(printf 'today\n%s\n' "$2" | test-unit penalty "$table" | tail -n 1)"
}

# Put something into the table. usage: puts line ...
puts() {
	{ echo today && printf '%s\n' "$@"; } | test-unit penalty "$table" >/dev/null
}

# The last reply in a session of one PLAIN. usage: gives reply user password program ...
gives() {
	gives_reply=$1
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(plain "$2" "$3")" >"$T/script"
	gives_what="$2 $3 from $TCPREMOTEIP"
	shift 3
	talk -t 20 "$@" <"$T/script" 2>>"$T/log" | grep '^[2345][0-9][0-9] ' | tail -n 1 >"$T/out"
	assertEquals "$gives_what" "$gives_reply" "$(cat "$T/out")"
}

exec_form() { gives "$1" "$2" "$3" authd -p -g "$table" -u "$db" "$T/next"; }

test_over_the_bound_no_password_is_looked_at() {
	puts 'scram 192.0.2.1 x 12' 'deed 192.0.2.1 nothing 100'
	exec_form "$over" alice@example.net wonderland
	exec_form "$over" alice@example.net guess
	assertContains "$(cat "$T/log")" \
		' penalty reason="too many wrong passwords" net=192.0.2.1 failures=12 ip=192.0.2.1'
	assertEquals 'no attempt' 0 "$(grep -c ' refused \| authenticated ' "$T/log")"
	printf '<\n> QUIT\n<\n' | talk authd -p -g "$table" -u "$db" "$T/next" 2>>"$T/log" | head -n 1 >"$T/out"
	assertEquals 'it is the greeting' "$over" "$(cat "$T/out")"
	TCPREMOTEIP=192.0.2.2
	exec_form "$yes" alice@example.net wonderland
}

# Another session of the address has used up what it may try.
test_a_session_that_is_open_is_refused_at_auth() {
	rm -f "$T/go"
	printf '<\n> EHLO client.example\n<\nuntil %s now\n> AUTH PLAIN\n<<\n' "$T/go" >"$T/script"
	talk -t 30 authd -p -g "$table" -u "$db" "$T/next" <"$T/script" >"$T/out" 2>>"$T/log" &
	talk_pid=$!
	wait_until grep -q '^250 ' "$T/out"
	puts 'scram 192.0.2.1 x 13'
	echo now >"$T/go"
	wait "$talk_pid"
	assertEquals "$over" "$(tail -n 2 "$T/out" | head -n 1)"
}

# Many sessions at once are no way around the bound: what comes too late has no answer, right or wrong.
test_an_exchange_that_others_overtake_has_no_answer() {
	for password in wonderland guess; do
		puts 'clear 192.0.2.1'
		rm -f "$T/go"
		printf '<\n> EHLO client.example\n<\n> AUTH PLAIN\n<\nuntil %s now\n> %s\n<<\n' "$T/go" \
			"$(plain alice@example.net $password)" >"$T/script"
		: >"$T/out"
		talk -t 30 authd -p -g "$table" -u "$db" "$T/next" <"$T/script" >"$T/out" 2>>"$T/log" &
		talk_pid=$!
		wait_until grep -q '^334 ' "$T/out"
		puts 'scram 192.0.2.1 x 13'
		echo now >"$T/go"
		wait "$talk_pid"
		assertEquals "$password" "$over" "$(tail -n 2 "$T/out" | head -n 1)"
	done
	assertEquals 'only the wrong one is counted' 'points alice@example.net => 1' \
		"$(printf 'today\npoints alice@example.net\n' | test-unit penalty "$table" | tail -n 1)"
}

test_the_same_wrong_password_again_costs_nothing() {
	for _ in 1 2 3 4; do exec_form "$no" alice@example.net guess; done
	asks '192.0.0.0/16 1, 192.0.2.0/24 1, 192.0.2.1 1' tally
	exec_form "$no" bob@example.net guess
	asks '192.0.0.0/16 2, 192.0.2.0/24 2, 192.0.2.1 2' tally
	asks 1 'points alice@example.net'
	asks 1 'points bob@example.net'
}

# The store's passwords are not free to guess while the back end is down. A telephone that tries again costs nothing.
test_without_an_answer_of_the_back_end_a_tenth_is_counted() {
	later='454 4.7.0 Temporary authentication failure'
	for password in guess1 guess2 guess2 guess3 guess3; do
		gives "$later" alice@example.net $password authd -p -g "$table" -u "$db" -D "$T/none" "$T/next"
	done
	assertTrue 'three tenths, or less by now' "msa-penalty '$table' | grep -qx '192.0.2.1 free failures=0.[0-3]'"
	puts 'clear 192.0.2.1' 'scram 192.0.2.1 x 12' 'deed 192.0.2.1 nothing 100'
	gives "$over" alice@example.net guess4 authd -p -g "$table" -u "$db" -D "$T/none" "$T/next"
	puts 'clear 192.0.2.1'
	exec_form "$no" alice@example.net guess3
	gives "$later" alice@example.net guess3 authd -p -g "$table" -D "$T/none" "$T/next"
	assertContains "$(printf 'today\ntally\n' | test-unit penalty "$table" | tail -n 1)," ', 192.0.2.1 1,'
}

# A back end of Cyrus's does not say which password it has seen.
test_the_same_again_with_a_back_end_too() {
	mkdir "$T/sasl"
	printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN LOGIN\n' "$T/sasl/db" \
		>"$T/sasl/msa.conf"
	printf pencil | /usr/sbin/saslpasswd2 -p -c -f "$T/sasl/db" -u example.net carol
	for password in guess guess guess2 guess2; do
		gives "$no" carol@example.net $password authd -p -g "$table" -s "$T/sasl/msa.conf" "$T/next"
	done
	gives "$yes" carol@example.net pencil authd -p -g "$table" -s "$T/sasl/msa.conf" "$T/next"
	asks 2 'points carol@example.net'
}

test_a_user_is_one_and_a_password_too_whatever_the_mechanism() {
	exec_form "$no" alice@example.net guess
	exec_form "$no" Alice@Example.NET guess
	{
		printf '<\n> EHLO client.example\n<\n> AUTH LOGIN\n<\n> %s\n<\n> %s\n<\n' \
			"$(printf alice@example.net | base64)" "$(printf guess | base64)"
	} >"$T/script"
	talk authd -p -g "$table" -u "$db" "$T/next" <"$T/script" 2>>"$T/log" | grep -q "^$no" || fail LOGIN
	asks '192.0.0.0/16 1, 192.0.2.0/24 1, 192.0.2.1 1' tally
}

# Nobody can see by SCRAM which password was tried. A name that is no user's is counted as a user is.
test_each_wrong_proof_of_scram_counts() {
	for user in alice@example.net nobody@example.net; do
		for _ in 1 2; do
			scram $user guess authd -p -g "$table" -u "$db" "$T/next" >"$T/out" 2>>"$T/log"
		done
		asks 2 "points $user"
	done
}

test_a_success_clears_nothing() {
	puts 'scram 192.0.2.1 x 2'
	exec_form "$yes" alice@example.net wonderland
	asks '192.0.0.0/16 2, 192.0.2.0/24 2, 192.0.2.1 2' tally
}

test_no_stranger_keeps_a_user_from_home() {
	exec_form "$yes" alice@example.net wonderland
	puts 'scram 203.0.113.1 alice@example.net 150' 'scram 203.0.113.1 nobody@example.net 150'
	exec_form "$yes" alice@example.net wonderland
	TCPREMOTEIP=198.51.100.1
	exec_form "$over" alice@example.net wonderland
	assertContains "$(cat "$T/log")" \
		' penalty reason="too many wrong passwords" user=alice@example.net failures=1'
	exec_form "$over" alice@example.net guess
	exec_form "$over" nobody@example.net guess
	exec_form "$yes" bob@example.net pencil
}

# In SCRAM the server proves that it knows the password before the reply: that would be an answer.
test_a_right_proof_of_scram_looks_like_a_wrong_one() {
	puts 'scram 203.0.113.1 alice@example.net 150'
	for password in wonderland guess; do
		scram alice@example.net $password authd -p -g "$table" -u "$db" "$T/next" 2>>"$T/log" |
			sed '/^EOF$/d' >"$T/out" # which a reset may come before
		echo "$over" | assert_out "a user who is guessed: $password"
	done
	asks 150 'points alice@example.net'
	for password in wonderland guess; do
		puts 'forget alice@example.net' 'clear 192.0.2.1'
		scram -b "{ echo today && echo 'scram 192.0.2.1 x 13'; } | test-unit penalty '$table'" alice@example.net $password \
			authd -p -g "$table" -u "$db" "$T/next" 2>>"$T/log" | sed '/^EOF$/d' >"$T/out"
		printf 'server-first\n%s\n' "$over" | assert_out "others were faster: $password"
	done
}

test_a_right_proof_of_scram_waits_before_the_server_has_proved_anything() {
	puts 'scram 192.0.2.1 x 5'
	before=$(date +%s%N)
	scram -l alice@example.net wonderland authd -p -g "$table" -u "$db" "$T/next" 2>>"$T/log" >"$T/out"
	assertTrue '1,111 ms' "[ $(($(date +%s%N) - before)) -gt 1000000000 ]"
	printf 'server-first\nserver-final\n' | assert_out
	scram alice@example.net wonderland authd -p -g "$table" -u "$db" "$T/next" 2>>"$T/log" >"$T/out"
	assertContains "$(cat "$T/out")" "$yes"
}

test_what_is_no_wrong_password_is_not_counted() {
	cat >"$T/script" <<-X
		<
		> EHLO client.example
		<
		> AUTH PLAIN $(printf 'no nul' | base64)
		<
		> AUTH PLAIN
		<
		> *
		<
		> AUTH LOGIN
		<
		> =
		<
		> AUTH PLAIN $(printf 'no nul' | base64)
		<
		> AUTH SCRAM-SHA-256 $(printf 'nonsense' | base64)
		<
		> AUTH PLAIN $(printf 'no nul' | base64)
		<
		> AUTH PLAIN $(plain alice@example.net wonderland)
		<
	X
	talk authd -p -a 1 -g "$table" -u "$db" "$T/next" <"$T/script" 2>>"$T/log" >"$T/out"
	assertContains "$(cat "$T/out")" "$yes"
	asks '' tally
}

# A right password with another's name must not look different from a wrong one.
test_another_authorization_identity_is_counted() {
	for password in wonderland guess; do
		printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n<\n<<\n' \
			"$(plain alice@example.net $password bob@example.net)" >"$T/script"
		talk authd -p -a 1 -g "$table" -u "$db" "$T/next" <"$T/script" 2>>"$T/log" | tail -n 3 >"$T/out.$password"
	done
	assert_same 'right and wrong' "$T/out.guess" "$T/out.wonderland"
	assertEquals "$no" "$(head -n 1 "$T/out.guess")"
	asks '192.0.0.0/16 2, 192.0.2.0/24 2, 192.0.2.1 2' tally
}

test_addresses_that_are_left_out() {
	puts 'scram 192.0.2.1 x 24'
	gives "$yes" alice@example.net wonderland authd -p -G 198.51.100.1,192.0.2.0/25 -g "$table" -u "$db" "$T/next"
	gives "$no" alice@example.net guess authd -p -G 192.0.2.0/25 -g "$table" -u "$db" "$T/next"
	gives "$over" alice@example.net wonderland authd -p -G 192.0.2.128/25 -g "$table" -u "$db" "$T/next"
	asks 0 'points alice@example.net'
	unset TCPREMOTEIP
	exec_form "$yes" alice@example.net wonderland
	authd -G x -u "$db" true 2>"$T/out"
	assertEquals "100 authd: x: not a list of addresses" "$? $(cat "$T/out")"
}

test_who_needs_no_password_is_heard() {
	puts 'scram 192.0.2.1 x 13'
	printf '<\n> EHLO client.example\n<\n> MAIL FROM:<a@b.example>\n<\n<<\n' >"$T/script"
	RELAYCLIENT='' talk authd -p -g "$table" -u "$db" "$T/next" <"$T/script" 2>>"$T/log" | tail -n 2 >"$T/out"
	assertEquals 'next ' "$(head -n 1 "$T/out")"
}

test_who_has_a_certificate_is_heard() {
	hash=$(printf 'SHA256:%064d' 7)
	echo "$hash alice@example.net" | cdb -c -m "$T/certs.cdb"
	puts 'scram 192.0.2.1 alice@example.net 13' 'scram 203.0.113.1 alice@example.net 150'
	printf '<\n> EHLO client.example\n<\n> AUTH EXTERNAL\n<\n> =\n<\n<<\n' >"$T/script"
	SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_HASH=$hash talk authd -c "$T/certs.cdb" -g "$table" -u "$db" "$T/next" \
		<"$T/script" 2>>"$T/log" | tail -n 4 >"$T/out"
	printf '334 \n%s\nnext alice@example.net\nEOF\n' "$yes" | assert_out
}

# The delay is at least that of the score, for a right password as for a wrong one.
test_the_answer_is_delayed() {
	for password in wonderland guess; do
		puts 'clear 192.0.2.1' 'scram 192.0.2.1 x 5'
		before=$(date +%s%N)
		gives "$([ $password = guess ] && echo "$no" || echo "$yes")" alice@example.net $password \
			authd -p -g "$table" -u "$db" "$T/next"
		assertTrue "$password: 1,111 ms" "[ $(($(date +%s%N) - before)) -gt 1000000000 ]"
	done
}

# Without any option. Where there are too few workers for delays, a wrong password ends the session.
test_a_resident_counts_for_all_its_workers() {
	resident_start authd authd -P 2:3 -C 3 -p -u "$db" "$T/next"
	tried=0
	while [ $tried -lt 20 ]; do
		tried=$((tried + 1))
		printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n%s\n' "$(plain alice@example.net guess$tried)" \
			"$([ $tried -lt 5 ] && echo '<' || echo '<<')" >"$T/script"
		talk call "$T/authd" <"$T/script" 2>>"$T/log" | sed -n '/^[45]/p' >"$T/out"
		grep -q "^$over" "$T/out" && break
		if [ $tried -lt 5 ]; then echo "$no"; else printf '%s\n421 4.7.0 Too many errors, closing the connection\n' "$no"; fi |
			assert_out "guess $tried"
	done
	assertTrue "$tried" "[ $tried -gt 12 ] && [ $tried -lt 20 ]"
	TCPREMOTEIP=192.0.2.2
	gives "$yes" bob@example.net pencil call "$T/authd"
	assertContains "$(cat "$T/authd.log")" ' penalty reason="too many wrong passwords" net=192.0.2.1 failures=12'
	cat "$T/authd.log" >>"$T/log"
}

test_the_table_outlives_killed_workers_and_the_resident() {
	puts 'scram 192.0.2.1 x 12' 'deed 192.0.2.1 nothing 100'
	resident_start authd authd -P 1:3 -g "$table" -p -u "$db" "$T/next"
	gives "$over" alice@example.net guess call "$T/authd"
	kill -9 "$(resident_worker authd)"
	gives "$over" alice@example.net wonderland call "$T/authd"
	resident_stop authd
	exec_form "$over" alice@example.net wonderland
}

test_a_directory_that_cannot_be_used() {
	chmod 777 "$table"
	printf '<\n<<\n' | talk authd -p -g "$table" -u "$db" "$T/next" 2>>"$T/log" >"$T/out"
	assertContains "$(cat "$T/out")" '421 4.3.0'
	assertContains "$(cat "$T/log")" "misuse reason=\"$table: everybody may write to it\""
	authd -l "$T/a" -g "$T/none" -u "$db" true 2>"$T/out"
	assertEquals "100 authd: $T/none: No such file or directory" "$? $(cat "$T/out")"
	chmod 700 "$table"
	echo damaged >"$table/table"
	exec_form "$yes" alice@example.net wonderland
	assertContains "$(cat "$T/log")" ' replaced reason="the table of penalties was damaged"'
	asks '' tally
	echo damaged >"$table/table"
	resident_start authd authd -g "$table" -u "$db" true
	assertContains "$(cat "$T/authd.log")" "authd: $table: the table was damaged, and is a new one"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
