#!/bin/sh
# smtp-inject: AUTH as a client, by way of saslc.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/smarthost.sh
. "$ROOT/tests/lib/smarthost.sh"

outside='451 4.7.0 Next server does not let us in, try again later'
yes='250 2.0.0 Saved'

# Descriptor 3 is closed, and the file with the password takes its number.
test_the_credentials_are_not_taken_for_the_envelope() {
	MSA_MESSAGE=M MSA_SESSION=S MSA_RCPTS=1 smtp-inject -a "$T/credentials" 127.0.0.1:1 <"$T/msg" 3<&- >"$T/verdict" 2>"$T/log"
	assertEquals '451 4.3.0 Local error, try again later' "$(head -n 1 "$T/verdict" | tr -d '\r')"
	assert_logged 'misuse reason="fd 3, the envelope, is not a regular file"'
}

test_credentials_must_be_nobody_elses() {
	chmod 644 "$T/credentials"
	smtp-inject -a "$T/credentials" -f a@b.c -r a@b.c 127.0.0.1:1 </dev/null >"$T/out" 2>"$T/err"
	assertEquals 'exit code' 100 $?
	assertEquals "smtp-inject: $T/credentials: open to everybody" "$(head -n 1 "$T/err")"
	chmod 600 "$T/credentials"
}

# The lines of the exchange that the server heard. usage: auth keywords-under-TLS rule ...
auth() {
	offer=$1
	shift
	smarthost_start -e PIPELINING,STARTTLS -E "$offer" "$@"
	smarthost_inject -a "$T/credentials" "127.0.0.1:$port"
	lmtpd_ended
	sed -n '/^EHLO/d; /^STARTTLS/d; /^.TLS/d; /^MAIL/q; p' "$T/rec" | tr -d '\r'
}

test_auth_plain_and_login() {
	plain="AUTH PLAIN $(printf '\0alice\0a secret' | base64)"
	assertEquals 'PLAIN' "$plain" "$(auth 'AUTH LOGIN PLAIN')"
	assert_verdict 'PLAIN' "$yes"
	assertEquals 'not what has PLAIN in its name' "$plain" "$(auth 'AUTH XPLAIN PLAINX PLAIN DIGEST-MD5 GSSAPI')"
	assertEquals 'LOGIN' "AUTH LOGIN
$(printf alice | base64)
$(printf 'a secret' | base64)" "$(auth 'AUTH LOGIN' 'AUTH=334 VXNlcm5hbWU6' 'RESPONSE#1=334 UGFzc3dvcmQ6')"
	assert_verdict 'LOGIN' "$yes"
	long=$(printf '%0400d' 0)
	smarthost_credentials alice "$long"
	assertEquals 'too long for a command' "AUTH PLAIN
$(printf '\0alice\0%s' "$long" | base64 -w 0)" "$(auth 'AUTH PLAIN' 'AUTH=334 ')"
	assert_verdict 'too long for a command' "$yes"
	smarthost_credentials alice 'a secret'
}

# In SCRAM the server has to prove that it knows the password too.
test_a_yes_before_the_server_has_proved_itself_is_none() {
	auth 'AUTH SCRAM-SHA-256' 'AUTH=235 2.7.0 Welcome' >/dev/null
	assert_verdict 'verdict' "$outside"
	assert_logged 'reason="yes before the end of the exchange"'
	grep -q MAIL "$T/rec"
	assertFalse 'no mail' $?
}

test_auth_that_fails_is_about_us() {
	for rule in 'AUTH=535 5.7.8 Who?' 'AUTH=454 4.7.0 Not now' 'AUTH=504 5.5.4 What?' 'AUTH=334 bW9yZQ==' \
		'AUTH=421 4.3.2 Going|close'; do
		auth 'AUTH PLAIN' "$rule" >/dev/null
		assert_verdict "$rule" "$outside"
		[ "${rule#AUTH=334}" = "$rule" ] || assert_logged 'a challenge after the end of the exchange'
		grep -q MAIL "$T/rec"
		assertFalse "$rule: no mail" $?
		assert_logged 'failed .* at=AUTH '
	done
	auth 'AUTH GSSAPI' >/dev/null
	assert_verdict 'no mechanism' "$outside"
	assert_logged 'reason="no mechanism in common"'
	auth '' >/dev/null
	assert_verdict 'not offered' "$outside"
	auth 'AUTH SCRAM-SHA-256 PLAIN' >/dev/null
	assert_verdict 'a yes that proves nothing' "$outside"
	assert_logged 'reason="yes before the end of the exchange"'
	auth 'AUTH SCRAM-SHA-256' 'AUTH=334 cj1hLHM9YSxpPTQwOTY=' >/dev/null
	assert_verdict 'a challenge that is none' "$outside"
}

test_no_password_is_ever_logged_or_shown() {
	said="AUTH PLAIN $(printf '\0alice\0a secret' | base64)"
	for rule in "535 5.7.8 Not this: $said" "raw:$said\\r\\n" "334 $said" "421 4.3.0 $said" "raw:535 $said\\n"; do
		auth 'AUTH PLAIN' "AUTH=$rule" >/dev/null
		assert_logged 'failed .* at=AUTH '
		grep -qi -e secret -e "${said#AUTH PLAIN }" "$T/log" "$T/verdict"
		code=$?
		assertFalse "$rule: $(cat "$T/log")" "$code"
	done
	auth 'AUTH PLAIN' "AUTH=535 5.7.8 Not this" >/dev/null
	assert_logged '535 5.7.8 in place of 235'
}

has_another_worker() {
	new=$(proc_children "$1") && [ "$new" != "$2" ]
}

test_the_password_of_the_moment_counts() {
	# What the server is told is what the file says when the resident was told to look.
	smarthost_start -e PIPELINING,STARTTLS -E 'AUTH PLAIN' -n 2
	: >"$T/in.log"
	smtp-inject -I 0 -c "$T/ca.pem" -a "$T/credentials" -P 1:1 -l "$T/in" "127.0.0.1:$port" 2>"$T/in.log" &
	resident=$!
	wait_until [ -s "$T/in.log" ]
	chain_call call "$T/in"
	assert_verdict first "$yes"
	old=$(pgrep -P "$resident")
	rm "$T/credentials"
	smarthost_credentials alice other
	kill -HUP "$resident"
	wait_until has_another_worker "$resident" "$old"
	chain_call call "$T/in"
	assert_verdict second "$yes"
	lmtpd_ended
	smarthost_credentials alice 'a secret'
	assertEquals 'passwords' "$(printf '\0alice\0a secret' | base64) $(printf '\0alice\0other' | base64) " \
		"$(sed -n 's/^AUTH PLAIN //p' "$T/rec" | tr -d '\r' | tr '\n' ' ')"
}

# The server is silent after RCPT, so that there is time to look. The end of the response is looked for: the commands
# that follow take the place of its beginning.
test_nothing_of_the_password_stays_in_memory() {
	needs root plain || return 0
	password=$(printf '%0200d' 0 | tr 0 z)looking-glass
	smarthost_credentials alice "$password"
	end=$(printf '\0alice\0%s' "$password" | base64 -w 0 | tail -c 13)
	for offer in 'AUTH PLAIN' 'AUTH LOGIN'; do
		set -- 'RCPT=stall'
		[ "$offer" = 'AUTH PLAIN' ] || set -- 'AUTH=334 VXNlcm5hbWU6' 'RESPONSE#1=334 UGFzc3dvcmQ6' "$@"
		smarthost_start -e STARTTLS -E "$offer" "$@"
		MSA_SESSION=S MSA_MESSAGE=M MSA_RCPTS=1 smtp-inject -c "$T/ca.pem" -a "$T/credentials" "127.0.0.1:$port" \
			<"$T/msg" 3<"$T/env" >"$T/verdict" 2>"$T/log" &
		inject=$!
		wait_until grep -q '^RCPT' "$T/rec"
		[ "$offer" = 'AUTH PLAIN' ] || end=$(printf %s "$password" | base64 -w 0 | tail -c 13)
		assertTrue "$offer was used" "grep -q '$end' $T/rec"
		python3 - "$inject" "$end" "127.0.0.1:$port" >"$T/out" 2>&1 <<-'E2'
			import re, sys
			seen = set()
			for line in open('/proc/%s/maps' % sys.argv[1]):
			    low, high, mode, path = re.match(r'(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)', line).groups()
			    if 'r' not in mode or path.startswith('[v'): continue
			    with open('/proc/%s/mem' % sys.argv[1], 'rb', 0) as f:
			        f.seek(int(low, 16))
			        try: data = f.read(int(high, 16) - int(low, 16))
			        except OSError: continue
			    seen |= {word for word in sys.argv[2:] if word.encode() in data}
			print(*sorted(seen))
		E2
		assertEquals "$offer: the server's name is there, and nothing else" "127.0.0.1:$port" "$(cat "$T/out")"
		kill "$inject"
		wait "$inject"
		lmtpd_ended
	done
	smarthost_credentials alice 'a secret'
}

# shellcheck source=/dev/null
. "$SHUNIT2"
