#!/bin/sh
# A client of another protocol: a browser that a page has sent here, TLS on a port in the clear. The session ends at the
# first line, in tlsd's dialogue before TLS, in authd and in submitd. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

export MSA_HOST=mx.test TCPREMOTEIP=192.0.2.1
END='421 4.7.0 Not the protocol of this port, closing the connection'

oneTimeSetUp() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/key.pem" -out "$T/cert.pem" \
		-days 2 -subj /CN=mx.test 2>/dev/null
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice@example.net
	# Says that a message has come.
	program_make taken <<-'E2'
		#!/bin/sh
		cat >>"$HOME/taken"
		echo 250 2.0.0 taken
	E2
	# What the page would like to be done.
	printf '%s\r\n' 'EHLO x' 'MAIL FROM:<boss@example.net>' 'RCPT TO:<b@example.org>' DATA 'From: boss@example.net' '' \
		'by a page' . QUIT >"$T/body"
}

setUp() {
	: >"$T/taken"
}

# Each stage that talks to a client, started for it or resident. usage: each_stage command ...
each_stage() {
	resident_start sub submitd "$T/taken"
	resident_start aut authd -p -u "$T/users.cdb" call "$T/sub"
	"$@" tlsd -c "$T/cert.pem" -k "$T/key.pem" submitd "$T/taken"
	"$@" authd -p -u "$T/users.cdb" submitd "$T/taken"
	"$@" submitd "$T/taken"
	"$@" call "$T/aut"
	"$@" call "$T/sub"
	resident_stop sub aut
}

# The file first is the first that comes, and body follows in the same piece. usage: ends what stage ...
ends() {
	what=$1
	shift
	cat "$T/first" "$T/body" >"$T/both"
	printf '%s\n' '<' "file $T/both" '<<' >"$T/script"
	: >"$T/log"
	RELAYCLIENT='' talk "$@" <"$T/script" >"$T/got" 2>"$T/log"
	printf '%s\n' '220 mx.test ESMTP' "$END" EOF >"$T/want"
	assert_same "$what: $*" "$T/want" "$T/got"
	assertFalse "$what: $*: a message was taken" "[ -s $T/taken ]"
}

test_http_ends_the_session_and_nothing_behind_it_is_executed() {
	for first in 'POST / HTTP/1.1' 'GET / HTTP/1.0' 'OPTIONS * HTTP/1.1' 'CONNECT mx.test:587 HTTP/1.1' 'HEAD /' 'PUT /x' \
		'post /' 'Host: mx.test:587' 'X-Any:'; do
		printf '%s\r\n\r\n' "$first" >"$T/first"
		each_stage ends "$first"
	done
}

# The request's line may be longer than any command, or have octets that no command has.
test_long_and_bad_lines_are_seen_too() {
	printf 'POST /%020000d HTTP/1.1\r\n' 0 >"$T/first"
	each_stage ends long
	printf 'POST /\0 HTTP/1.1\r\n' >"$T/first"
	each_stage ends nul
	printf 'OPTIONS /\rx HTTP/1.1\r\n' >"$T/first"
	each_stage ends 'bare CR'
	printf 'GET / HTTP/1.0\n' >"$T/first"
	each_stage ends 'bare LF'
}

# No line end may ever come: a ClientHello has 512 octets of anything.
hello_ends() {
	: >"$T/log"
	RELAYCLIENT='' talk "$@" >"$T/got" 2>"$T/log" <<-'E2'
		<
		>> \x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh
		<<
	E2
	assert_same "ClientHello: $*" "$T/want.hello" "$T/got"
}

test_tls_on_a_port_in_the_clear_ends_at_once() {
	printf '%s\n' '220 mx.test ESMTP' "$END" EOF >"$T/want.hello"
	each_stage hello_ends
}

test_one_log_line_says_it() {
	printf 'GET / HTTP/1.1\r\n' >"$T/first"
	MSA_SESSION=s ends log authd -p -u "$T/users.cdb" submitd "$T/taken"
	printf '%s\n' 'authd: s foreign ip=192.0.2.1' >"$T/want"
	assert_same authd "$T/want" "$T/log"
	MSA_SESSION=s ends log submitd "$T/taken"
	printf '%s\n' 'submitd: s ended reason="another protocol" ip=192.0.2.1' >"$T/want"
	assert_same submitd "$T/want" "$T/log"
	MSA_SESSION=s ends log tlsd -c "$T/cert.pem" -k "$T/key.pem" submitd "$T/taken"
	sed -i 's/ms=[0-9]*/ms=N/' "$T/log"
	printf '%s\n' 'tlsd: s done in=0 out=0 ms=N peer=192.0.2.1 end=foreign' >"$T/want"
	assert_same tlsd "$T/want" "$T/log"
}

# Within TLS, where a page can make a browser go (port 465), and where an octet of TLS in TLS is nothing better.
test_within_tls_too() {
	tlsd -i -l 127.0.0.1:0 -c "$T/cert.pem" -k "$T/key.pem" authd -u "$T/users.cdb" submitd "$T/taken" 2>"$T/log" &
	tlsd=$!
	wait_until grep -q ' ready ' "$T/log"
	port=$(sed -n 's/.* ready address=.*:\([0-9]*\)$/\1/p' "$T/log")
	auth=$(printf '\0alice@example.net\0wonderland' | base64)
	for first in 'POST / HTTP/1.1' 'Host: x' '\x16\x03\x01'; do
		printf '%s\n' tls '<' ">> $first\\r\\nEHLO x\\r\\nAUTH PLAIN $auth\\r\\n" "file $T/body" '<<' >"$T/script"
		talk -c "127.0.0.1:$port" <"$T/script" >"$T/got" 2>&1
		printf '%s\n' TLS '220 mx.test ESMTP' "$END" EOF >"$T/want"
		assert_same "$first" "$T/want" "$T/got"
	done
	kill "$tlsd"
	wait "$tlsd"
	assertFalse 'a message was taken' "[ -s $T/taken ]"
	assertFalse "nobody has logged in: $(cat "$T/log")" "grep -q authenticated '$T/log'"
}

# What only looks like it.
test_mail_programs_are_not_touched() {
	talk submitd "$T/taken" >"$T/got" 2>"$T/log" <<-'E2'
		<
		> EHLO [IPv6:2001:db8::1]
		<
		> GETS
		<
		> NOOP GET / HTTP/1.1
		<
		> MAIL FROM:
		<
		> RCPT TO: <a@b.example>
		<
		> QUIT
		<<
	E2
	grep -v '^250-' "$T/got" >"$T/shown"
	printf '%s\n' '220 mx.test ESMTP' '250 CHUNKING' '500 5.5.2 Command not recognized' '250 2.0.0 Ok' \
		'530 5.7.0 Authentication required' '503 5.5.1 Bad sequence of commands' '221 2.0.0 Bye' EOF >"$T/want"
	assert_same 'commands' "$T/want" "$T/shown"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
