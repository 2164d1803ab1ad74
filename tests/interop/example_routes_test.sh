#!/bin/sh
# examples/local-and-rest and examples/relay-by-sender, as they stand but for paths, ports and users. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"
# shellcheck source=tests/lib/tls.sh
. "$ROOT/tests/lib/tls.sh"

oneTimeSetUp() {
	example_prepare tcpserver
	[ -n "$READY" ] || return 0
	for program in bounce msa-table rights route saslc smtp-inject tlsc; do
		cp "$(command -v "$program")" "$T/bin"
	done
	cert_server localhost 127.0.0.1
	chmod 644 "$T/ca.pem"
	echo wonderland | msa-passwd "$T/etc/users.cdb" alice@example.com
	echo wonderland | msa-passwd "$T/etc/users.cdb" bob@example.org
	echo wonderland | msa-passwd "$T/etc/users.cdb" news
}

oneTimeTearDown() {
	example_end
}

tearDown() {
	for pid in ${pids:-}; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	pids=
}

# A smarthost under TLS that records in $T/rec.NAME; its port is in $NAME. usage: smarthost name [rule ...]
smarthost() {
	name=$1
	shift
	: >"$T/ready"
	: >"$T/rec.$name"
	lmtpd -s -c "$T/server.pem" -e PIPELINING,STARTTLS -E 'AUTH PLAIN,8BITMIME,PIPELINING' -n 9 -r "$T/rec.$name" "$@" >"$T/ready" 2>"$T/lmtpd.err" &
	pids="${pids:-} $!"
	wait_until [ -s "$T/ready" ]
	eval "$name=$(sed 's/.*://' "$T/ready")"
}

# A file with a user and a password for the user that delivers. usage: secret name user
secret() {
	printf '%s\n' "$2" "password of $2" >"$T/etc/$1"
	chown nobody "$T/etc/$1"
	chmod 600 "$T/etc/$1"
}

# Copy the example, its tables, and start it. usage: example_start name sed-option ...
example_start() {
	rm -rf "$T/etc/routes"
	example_copy "$@"
	cp -R "$T/$1/routes" "$T/$1"/*.txt "$T/etc"
	chmod -R a+rX "$T/etc/routes"
	PORT=$(port_free)
	"$T/$1/run" 127.0.0.1 "$PORT" 2>"$T/log" &
	pids="$pids $!"
	wait_until port_accepts "$PORT"
}

# usage: send user from to ; what swaks said is in $T/swaks
send() {
	swaks --server 127.0.0.1 --port "$PORT" --tls --auth PLAIN --auth-user "$1" --auth-password wonderland --from "$2" --to "$3" \
		--header "From: $2" --header 'Subject: routed' --body Hello >"$T/swaks" 2>&1
}

# What AUTH PLAIN says. usage: plain user
plain() {
	printf '\0%s\0password of %s' "$1" "$1" | base64 -w 0
}

test_our_domains_go_by_lmtp_and_the_rest_to_the_smarthost() {
	example_ready || return 0
	smarthost rest 'RCPT:nobody=550 5.1.1 Nobody here'
	secret smarthost relay
	# shellcheck disable=SC2154
	example_start local-and-rest -e "s|smtp.example.org|-c $T/ca.pem -h localhost 127.0.0.1:$rest|"
	send alice@example.net alice@example.net bob@example.net,carol@example.org
	code=$?
	assertEquals "$(cat "$T/swaks" "$T/log")" 0 "$code"
	set -- "$T/d/mail/bob@example.net/Maildir/new/"*
	assertEquals 'Bob has it' 'Subject: routed' "$(grep ^Subject "$1" | tr -d '\r')"
	assertEquals 'the smarthost' 'RCPT TO:<carol@example.org>' "$(grep ^RCPT "$T/rec.rest" | tr -d '\r')"
	assertContains "$(cat "$T/rec.rest")" "AUTH PLAIN $(plain relay)"
	rm "$1"
	send alice@example.net bob@example.net bob@example.net,nobody@example.org
	code=$?
	assertEquals "one of two: $(cat "$T/swaks" "$T/log")" 0 "$code"
	cat "$T/d/mail/bob@example.net/Maildir/new/"* | tr -d '\r' >"$T/got"
	assertEquals 'Bob has the message and a report' 2 "$(find "$T/d/mail/bob@example.net/Maildir/new" -type f | wc -l)"
	assertEquals 'about the other' 1 "$(grep -cx 'Final-Recipient: rfc822; nobody@example.org' "$T/got")"
	send alice@example.net alice@example.net stranger@example.net
	assertContains "$(cat "$T/swaks")" '<~* 550 5.1.1'
}

test_each_customer_has_a_smarthost_and_a_password_of_its_own() {
	example_ready || return 0
	smarthost first
	smarthost second
	secret first.secret anna
	secret second.secret berta
	# shellcheck disable=SC2154
	example_start relay-by-sender -e "s|smtp.first.example|-c $T/ca.pem -h localhost 127.0.0.1:$first|" \
		-e "s|smtp.second.example|-c $T/ca.pem -h localhost 127.0.0.1:$second|"
	send alice@example.com alice@example.com x@example.net
	assertEquals "$(cat "$T/swaks" "$T/log")" "0 1 0" "0 $(grep -c ^RCPT "$T/rec.first") $(grep -c ^RCPT "$T/rec.second")"
	assertContains "$(cat "$T/rec.first")" "AUTH PLAIN $(plain anna)"
	send bob@example.org bob@example.org x@example.net
	send news paper@news.example y@example.net
	assertEquals "$(cat "$T/swaks" "$T/log")" "1 2" "$(grep -c ^RCPT "$T/rec.first") $(grep -c ^RCPT "$T/rec.second")"
	assertContains "$(cat "$T/rec.second")" "AUTH PLAIN $(plain berta)"
	assertNotContains "$(cat "$T/rec.second")" "$(plain anna)"
	send alice@example.com bob@example.org x@example.net
	assertContains "$(cat "$T/swaks")" '<~* 550 5.7.1'
	send alice@example.net alice@example.net x@example.net
	assertContains "$(cat "$T/swaks")" '<~* 550 5.7.1 No smarthost for this sender'
	assertEquals "nothing more" "1 2" "$(grep -c ^RCPT "$T/rec.first") $(grep -c ^RCPT "$T/rec.second")"
	assertNotContains "$(cat "$T/log")" 'password of'
}

# shellcheck source=/dev/null
. "$SHUNIT2"
