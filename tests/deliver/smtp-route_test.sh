#!/bin/sh
# route and smtp-inject: each customer's mail goes to a smarthost of its own, with the customer's own credentials.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

# Two smarthosts; $T/first and $T/second are the scripts that deliver to them.
oneTimeSetUp() {
	cert_server localhost 127.0.0.1 || fail 'openssl makes no certificates'
	mkdir "$T/routes"
	for name in first second; do
		smarthost_credentials "user-$name" "secret of $name"
		mv "$T/credentials" "$T/$name.secret"
		: >"$T/ready"
		lmtpd -s -c "$T/server.pem" -e PIPELINING,STARTTLS -E PIPELINING,'AUTH PLAIN' -n 3 -r "$T/$name.rec" \
			"END=250 2.0.0 Saved by $name" >"$T/ready" 2>"$T/$name.err" &
		eval "${name}_pid=$!"
		wait_until [ -s "$T/ready" ]
		printf '#!/bin/sh\nexec smtp-inject -c "%s" -a "%s" "127.0.0.1:%s"\n' "$T/ca.pem" "$T/$name.secret" \
			"$(sed 's/.*://' "$T/ready")" >"$T/routes/$name"
		chmod 755 "$T/routes/$name"
	done
	printf '#!/bin/sh\necho "250 2.0.0 Kept here"\n' >"$T/routes/local"
	chmod 755 "$T/routes/local"
	for row in our.example=local from:first.example=first from:ads@first.example=second user:second=second; do
		key=${row%%=*} value=${row#*=}
		echo "+${#key},${#value}:$key->$value"
	done >"$T/list"
	echo >>"$T/list"
	cdb -c "$T/routes.cdb" "$T/list"
}

oneTimeTearDown() {
	# shellcheck disable=SC2154
	kill "$first_pid" "$second_pid" 2>/dev/null
	wait
}

# usage: sent user reverse-path
sent() {
	chain_message "From: $2\\r\\n\\r\\nHello\\r\\n"
	chain_envelope "<$2>" 'RCPT TO:<bob@far.example>' 'RCPT TO:<carol@our.example>'
	chain_call MSA_PARTIAL= SMTPAUTHUSER="$1" route -t "$T/routes.cdb" -d "$T/routes" "$T/routes/local"
}

test_each_customer_has_a_smarthost_and_credentials() {
	while read -r user from want; do
		sent "$user" "$from"
		assert_verdict "$user $from" "250 2.0.0 Saved by $want" '250 2.0.0 Kept here'
	done <<-'X'
		first boss@first.example first
		second boss@second.example second
		first ads@first.example second
		second x@else.example second
		other y@first.example first
	X
	for name in first second; do
		assertEquals "$name: logged in as" "AUTH PLAIN $(printf '\0user-%s\0secret of %s' "$name" "$name" | base64)" \
			"$(tr -d '\r' <"$T/$name.rec" | grep '^AUTH' | sort -u)"
	done
	assertEquals 'first: senders' 'boss@first.example y@first.example' \
		"$(sed -n 's/^MAIL FROM:<\([^>]*\)>.*/\1/p' "$T/first.rec" | paste -sd ' ')"
	assertEquals 'second: senders' 'boss@second.example ads@first.example x@else.example' \
		"$(sed -n 's/^MAIL FROM:<\([^>]*\)>.*/\1/p' "$T/second.rec" | paste -sd ' ')"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
