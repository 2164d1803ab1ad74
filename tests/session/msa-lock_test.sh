#!/bin/sh
# msa-lock: a user whose password was stolen is stopped: at the login, in sessions that are open, in the spool.
# ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/spoold.sh
. "$ROOT/tests/lib/spoold.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'

setUp() {
	export MSA_HOST=mx.example
	rm -rf "$T/locked" "$T/spool"
	mkdir "$T/locked"
	mkdir -m 700 "$T/spool"
	chain_message 'From: alice@example.net\r\nSubject: test\r\n\r\nHello\r\n'
	dir=$T/locked
	db=$T/users.cdb
	[ -e "$db" ] || printf 'wonderland\n' | msa-passwd -i 4096 "$db" alice@example.net
	[ -e "$T/bob.cdb" ] || { cp -p "$db" "$T/bob.cdb" && printf 'pencil\n' | msa-passwd "$T/bob.cdb" bob; }
	db=$T/bob.cdb
}

tearDown() {
	resident_stop_all
}

# usage: lock 'what it says' code option ... user
lock() {
	expected=$1 want=$2
	shift 2
	msa-lock "$@" >"$T/out" 2>&1
	code=$?
	assertEquals "$*" "$want" "$code"
	printf '%s\n' "$expected" | assert_out "$*"
}

# The reply to a password. usage: reply user password option ...
reply() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	shift 2
	talk -t 60 authd -p -u "$db" "$@" true <"$T/script" 2>"$T/log" | tail -n 1
}

test_usage_is_one_line_and_the_synopsis() {
	msa-lock 2>"$T/usage"
	assertEquals 100 $?
	assertEquals 1 "$(wc -l <"$T/usage")"
	for args in x '-u x' 'x y z' '-z x y'; do
		# shellcheck disable=SC2086
		msa-lock $args 2>"$T/other"
		assertEquals "$args" 100 $?
		assertContains "$args" "$(cat "$T/other")" "$(cat "$T/usage")"
	done
	mandoc -T ascii "$ROOT/cmd/msa-lock/msa-lock.8" | col -bx | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed 1d |
		sed '$d' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//' >"$T/synopsis"
	assertEquals "usage: $(cat "$T/synopsis")" "$(cat "$T/usage")"
}

test_nobody_logs_in_as_the_user() {
	assertEquals "$yes" "$(reply alice@example.net wonderland -d "$dir")"
	lock 'alice@example.net: locked: no login, and no further message in sessions that are open' 0 "$dir" Alice@Example.NET
	assertEquals alice@example.net "$(ls "$dir")"
	for who in alice@example.net ALICE@example.net; do
		assertEquals "$no" "$(reply $who wonderland -d "$dir")"
		assertContains "$(cat "$T/log")" 'refused user=alice@example.net mech=PLAIN reason="user is locked"'
	done
	assertEquals "$yes" "$(reply bob pencil -d "$dir")"
	assertEquals 'without -d' "$yes" "$(reply alice@example.net wonderland)"
	lock 'alice@example.net: was locked already' 0 "$dir" alice@example.net
	lock 'alice@example.net: may log in and send again' 0 -u "$dir" alice@example.net
	assertEquals "$yes" "$(reply alice@example.net wonderland -d "$dir")"
	lock 'msa-lock: alice@example.net: was not locked' 100 -u "$dir" alice@example.net
}

test_a_name_that_the_realm_completes_is_pointed_out() {
	lock 'bob: locked: no login, and no further message in sessions that are open
This name has no domain. With authd -r a user has one, and the log shows it.' 0 "$dir" bob
	assertEquals "$no" "$(reply bob pencil -d "$dir")"
}

test_a_name_becomes_one_file_in_the_directory() {
	for name in ../../x .hidden 'a/b c%' "$(printf 'j\303\274rgen@example.net')"; do
		msa-lock "$dir" "$name" >"$T/out"
		assertEquals "$name" 0 $?
	done
	ls -A "$dir" >"$T/out"
	printf '%s\n' '%2E.%2F..%2Fx' '%2Ehidden' 'a%2Fb%20c%25' 'j%C3%BCrgen@example.net' | assert_out files
	lock "msa-lock: $dir: File name too long" 111 "$dir" "$(printf '%0100d' 0 | tr 0 /)"
	lock "msa-lock: not a user's name" 100 "$dir" "$(printf 'a\tb')"
	lock "msa-lock: $T/missing: No such file or directory" 111 "$T/missing" bob
	chmod 777 "$dir"
	lock "msa-lock: $dir: everybody may write to it" 100 "$dir" bob
}

# The session began before; its next MAIL is refused, and somebody else's is not.
test_an_open_session_sends_nothing_more() {
	printf '%s\n' '<' '> EHLO client.example' '<' '> MAIL FROM:<x@example.net>' '<' '> RSET' '<' "put $T/began 1" \
		"waits $T/changed a 1 1" '> MAIL FROM:<x@example.net>' '<' '> MAIL FROM:<x@example.net>' '<' '> QUIT' '<' >"$T/script"
	for user in alice@example.net Alice@example.net bob; do
		rm -rf "$T/began" "$T/changed" "$dir"
		mkdir "$dir"
		SMTPAUTHUSER=$user MSA_SESSION=s talk -t 60 submitd -d "$dir" true <"$T/script" >"$T/all" 2>"$T/log" &
		wait_until [ -e "$T/began" ]
		msa-lock "$dir" alice@example.net >"$T/said"
		echo 'a 1 1' >"$T/changed"
		wait $!
		sed '1,/^250 2.0.0 Ok/d' "$T/all" >"$T/out"
		if [ $user = bob ]; then
			printf '%s\n' '250 2.1.0 Sender ok' '503 5.5.1 Bad sequence of commands' '221 2.0.0 Bye' | assert_out bob
		else
			printf '%s\n' '550 5.7.1 Not allowed' '550 5.7.1 Not allowed' '221 2.0.0 Bye' | assert_out $user
			assertContains "$(cat "$T/log")" "submitd: s rejected verb=MAIL code=550"
		fi
	done
}

test_where_nobody_can_look_nobody_sends() {
	assertEquals '454 4.7.0 Temporary authentication failure' "$(reply alice@example.net wonderland -d "$T/missing")"
	assertContains "$(cat "$T/log")" "failed reason=\"$T/missing: No such file or directory\""
	assertEquals "$no" "$(reply alice@example.net wrong -d "$T/missing")"
	printf '%s\n' '<' '> EHLO client.example' '<' '> MAIL FROM:<x@example.net>' '<' >"$T/script"
	SMTPAUTHUSER=bob MSA_SESSION=s talk -t 60 submitd -d "$T/missing" true <"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
	echo '451 4.3.0 Local error, try again later' | assert_out
	SMTPAUTHUSER='' RELAYCLIENT='' MSA_SESSION=s talk -t 60 submitd -d "$T/missing" true <"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
	echo '250 2.1.0 Sender ok' | assert_out 'a client without a user'
}

# A message of the user in the spool. usage: put_message user
put_message() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<x@example.org>'
	spoold_put SMTPAUTHUSER="$1" MSA_MESSAGE=m
}

test_what_waits_in_the_spool_is_held() {
	put_message 'al*ce'
	put_message alice
	put_message 'AL*CE'
	msa-lock -s "$T/spool" "$dir" 'al*ce' >"$T/out" 2>"$T/err"
	assertEquals 0 $?
	assertEquals '' "$(cat "$T/err")"
	assertEquals 2 "$(grep -c ' held age=.* user=[aA][lL]\*[cC][eE] ' "$T/out")"
	assertEquals "$T/spool: messages held: 2" "$(tail -n 1 "$T/out")"
	assertEquals 2 "$(msa-spool list -s held "$T/spool" | wc -l)"
	msa-lock -u -s "$T/spool" "$dir" 'al*ce' >"$T/out" 2>"$T/err"
	assertEquals 'they stay so' 2 "$(msa-spool list -s held "$T/spool" | wc -l)"
	tail -n 3 "$T/out" >"$T/got"
	printf '%s\n' "$T/spool: messages that are still held: 2" \
		"Let them go:  msa-spool release -u 'al\\*ce' -s held $T/spool" \
		"Throw them away:  msa-spool remove -u 'al\\*ce' -s held $T/spool" | assert_got
	sh -c "$(sed -n 's/^Let them go: *//p' "$T/out")" >"$T/released" 2>&1
	assertEquals 'by the command that it says' 0 "$(msa-spool list -s held "$T/spool" | wc -l)"
	msa-lock -s "$T/none" "$dir" carol >"$T/out" 2>"$T/err"
	assertEquals 111 $?
	assertContains "$(cat "$T/err")" "msa-lock: $T/none: msa-spool has failed"
	assertTrue 'the user is locked all the same' "[ -e '$dir/carol' ]"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
