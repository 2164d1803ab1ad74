#!/bin/sh
# saslc: its lines, as clients speak them. How it goes with servers is in tests/deliver/smtp-auth_test.sh.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

setUp() {
	smarthost_credentials alice 'a secret'
}

# The answers to lines on standard input, and the exit code. usage: answers
answers() {
	sed 's/$/\r/' | saslc 3<"$T/credentials" >"$T/out" 2>"$T/log"
	echo "exit $?" >>"$T/out"
	tr -d '\r' <"$T/out" >"$T/got"
	assertEquals 'nothing is logged' '' "$(cat "$T/log")"
}

test_usage_is_one_line() {
	saslc x >"$T/out" 2>&1
	assertEquals 'exit code' 100 $?
	assertEquals 'usage: saslc' "$(cat "$T/out")"
}

test_plain_is_one_response_and_through() {
	printf 'smtp localhost PLAIN\n' | answers
	printf '. PLAIN %s\nexit 0\n' "$(printf '\0alice\0a secret' | base64)" >"$T/want"
	assert_same plain "$T/want" "$T/got"
}

# Editors of Windows add these.
test_cr_and_a_mark_in_front_are_no_part_of_the_credentials() {
	printf '. PLAIN %s\nexit 0\n' "$(printf '\0alice\0a secret' | base64)" >"$T/want"
	for text in 'alice\r\na secret\r\n' '\357\273\277alice\na secret\n' '\357\273\277alice\r\na secret\r'; do
		# shellcheck disable=SC2059
		printf "$text" >"$T/credentials"
		printf 'smtp localhost PLAIN\n' | answers
		assert_same "$text" "$T/want" "$T/got"
	done
}

test_login_answers_two_challenges() {
	printf '%s\n' 'smtp localhost LOGIN' VXNlcm5hbWU6 UGFzc3dvcmQ6 | answers
	printf '+ LOGIN -\n+ %s\n. %s\nexit 0\n' "$(printf alice | base64)" "$(printf 'a secret' | base64)" >"$T/want"
	assert_same login "$T/want" "$T/got"
}

test_scram_goes_before_plain() {
	printf 'smtp localhost PLAIN LOGIN SCRAM-SHA-256\n' | answers
	assertEquals '+ SCRAM-SHA-256' "$(head -n 1 "$T/got" | cut -d' ' -f1,2)"
	assertEquals 'the user, and no password' 'n,,n=alice,r=' \
		"$(head -n 1 "$T/got" | cut -d' ' -f3 | base64 -d | cut -c1-13)"
}

test_what_it_cannot_do_is_a_reason() {
	for lines in 'smtp localhost GSSAPI' 'smtp localhost XPLAIN PLAINX' 'smtp localhost LOGIN\n*' smtp; do
		printf "$lines\n" | answers
		assertEquals "$lines: $(cat "$T/got")" 'exit 111' "$(tail -n 1 "$T/got")"
		assertEquals "$lines" '- ' "$(tail -n 2 "$T/got" | head -n 1 | cut -c1-2)"
	done
	for text in '' alice 'alice\n' '\nsecret\n' '\r\nsecret\n' 'alice\n\r\n' '\357\273\277\nsecret\n' 'alice\nsecret\nmore\n'; do
		printf "$text" >"$T/credentials"
		printf 'smtp localhost PLAIN\n' | answers
		assertEquals "$text" '- the credentials are not two lines, user and password exit 111' "$(paste -sd' ' "$T/got")"
	done
}

# A plugin of another directory would see the password.
test_its_plugins_are_its_own() {
	mkdir "$T/evil"
	echo '__attribute__((constructor)) static void loaded(void) { write(2, "EVIL", 4); }' |
		cc -w -shared -fPIC -o "$T/evil/libplain.so" -x c -
	export SASL_PATH="$T/evil" SASL_CONF_PATH="$T/evil"
	printf 'smtp localhost PLAIN\n' | answers
	assertEquals ". PLAIN $(printf '\0alice\0a secret' | base64)" "$(head -n 1 "$T/got")"
	/usr/sbin/saslpluginviewer -c >"$T/viewer" 2>&1
	assertContains 'the test can fail' "$(cat "$T/viewer")" EVIL
	unset SASL_PATH SASL_CONF_PATH
}

# shellcheck source=/dev/null
. "$SHUNIT2"
