#!/bin/sh
# Clients that are not ours with a token: curl, msmtp, Python's smtplib and nodemailer send a message with a signed JWT,
# and none with one that has expired. The service is one line, as examples/quickstart/run has it.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clients.sh
. "$ROOT/tests/lib/clients.sh"
# shellcheck source=tests/lib/cert.sh
. "$ROOT/tests/lib/cert.sh"

services=

# $only: the mechanisms. usage: serve tlsd-option ... ; the port goes to $port
serve() {
	: >"$T/ready"
	# shellcheck disable=SC2086
	tcpserver -1 -H -R -l localhost 127.0.0.1 0 tlsd "$@" -c "$T/server.pem" -k "$T/server.key" \
		authd $as_nobody ${only:+-m "$only"} -o "jwt-check -i https://id.example.net -a mail -S mail.send -k $T/keys/jwks" -S mail.send \
		submitd qualify -d example.net -u all stamp maildir-inject "$T/mail" >"$T/ready" 2>>"$T/log" &
	services="$services $!"
	wait_until [ -s "$T/ready" ] || return 1
	read -r port <"$T/ready"
}

oneTimeSetUp() {
	export MSA_HOST=localhost
	chmod 755 "$T"
	mkdir "$T/mail"
	as_nobody=
	if [ "$(id -u)" -eq 0 ]; then
		as_nobody='-U nobody'
		chown nobody "$T/mail"
	fi
	jwt keys "$T/keys"
	chmod 755 "$T/keys"
	chmod 644 "$T/keys/jwks"
	jwt tokens "$T/keys" "$(date +%s)" <<-'X'
		good | rsa | {"typ": "at+jwt"} |
		old | rsa | | {"exp": "@-7200"}
		narrow | rsa | | {"scope": "openid"}
	X
	GOOD=$(cat "$T/keys/good.jwt") OLD=$(cat "$T/keys/old.jwt") NARROW=$(cat "$T/keys/narrow.jwt")
	cert_self "$T/server" localhost
	: >"$T/log"
	serve || fail 'no service'
	SUBMISSION=$port
	serve -i || fail 'no service'
	SUBMISSIONS=$port
	only=XOAUTH2
	serve -i || fail 'no service'
	XOAUTH2=$port
	{
		client_header "$(printf 'gr\303\274\303\237e')"
		printf '.\n..dot\n\nf\303\274nf\n'
	} | client_message
}

oneTimeTearDown() {
	for service in $services; do
		kill "$service" 2>/dev/null
		wait "$service" 2>/dev/null
	done
	services=
}

# usage: sends client mechanism transport
sends() {
	client_send "$1" "$3" "$2" "$GOOD" "$T/message" bob@example.org
	code=$?
	assertEquals "$1 $2 $3: $(cat "$T/out")" 0 "$code"
	assert_client_arrived bob@example.org "$T/text" "$2"
}

# usage: is_refused client mechanism token reason
is_refused() {
	: >"$T/log"
	client_send "$1" tls "$2" "$3" "$T/message" bob@example.org
	code=$?
	assertNotEquals "$1 $2: $(cat "$T/out")" 0 "$code"
	assert_client_nothing_arrived "$1 $2"
	wait_until grep -q " refused user=$USER_NAME mech=$2 reason=\"wrong token\"" "$T/log" || fail "$(cat "$T/log")"
	assertTrue "$4" "grep -q 'jwt-check: [0-9a-z]* refused reason=$4' '$T/log'"
	assertFalse 'a token in the log' "grep -q -e '$3' -e '${3##*.}' '$T/log'"
}

# usage: client name mechanism ...
client() {
	name=$1
	shift
	for mechanism; do
		sends "$name" "$mechanism" starttls
		sends "$name" "$mechanism" tls
		is_refused "$name" "$mechanism" "$OLD" expired
	done
}

# It uses OAUTHBEARER where both are offered, whatever it is told.
test_curl() {
	client curl OAUTHBEARER
	export IR=1
	client curl OAUTHBEARER
	was=$SUBMISSIONS SUBMISSIONS=$XOAUTH2
	for IR in '' 1; do
		sends curl XOAUTH2 tls
		is_refused curl XOAUTH2 "$OLD" expired
	done
	SUBMISSIONS=$was
	unset IR
}

test_msmtp() { client msmtp OAUTHBEARER XOAUTH2; }
test_nodemailer() { client nodemailer XOAUTH2; }

test_python_smtplib() {
	client smtplib OAUTHBEARER XOAUTH2
	is_refused smtplib OAUTHBEARER "$NARROW" '"scope is missing"'
	assertContains "$(cat "$T/out")" '{"status":"invalid_token","scope":"mail.send"}'
	is_refused smtplib XOAUTH2 "$NARROW" '"scope is missing"'
	assertContains "$(cat "$T/out")" '{"status":"401","schemes":"bearer","scope":"mail.send"}'
}

test_somebody_elses_token() {
	was=$USER_NAME USER_NAME=mallory@example.net
	is_refused curl OAUTHBEARER "$GOOD" '"another user"'
	is_refused msmtp XOAUTH2 "$GOOD" '"another user"'
	USER_NAME=$was
}

# shellcheck source=/dev/null
. "$SHUNIT2"
