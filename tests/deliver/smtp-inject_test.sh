#!/bin/sh
# smtp-inject: TLS, what SMTP has otherwise than LMTP, the check without a message. What a server can do wrong is
# smtp-faults_test.sh's, AUTH is smtp-auth_test.sh's, several hosts are smtp-hosts_test.sh's, kept sessions smtp-kept_test.sh's.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/smarthost.sh
. "$ROOT/tests/lib/smarthost.sh"

local_error='451 4.3.0 Local error, try again later'
unsafe='451 4.7.5 Next server cannot be reached securely, try again later'
unreachable='451 4.4.1 Next server cannot be reached, try again later'
yes='250 2.0.0 Saved'

test_misuse_by_hand_is_100_and_in_a_chain_451() {
	for args in '' '-x host' '-t 0 host' '-I x host' '-i -p host' 'host:' 'host:0' 'host:65536' '::1' '[::1' '[]' \
		'[::1]x' '-F abc host' '-F SHA256:12 host' "-F SHA256:$(printf %064d 0)x host" '-a /nonexistent host' "-p -a $T/credentials host" \
		'-p -c x host' '-p -h x host' '-f a@b.c host' '-r a@b.c host' '-f a -r a@b.c host'; do
		# shellcheck disable=SC2086
		smtp-inject $args </dev/null >"$T/out" 2>"$T/err"
		assertEquals "exit code of $args" 100 $?
		case $args in
		'' | -x* | -i* | '-f a@b.c host' | -r*) wrong='usage: smtp-inject [-ikmnp]' ;;
		-t*) wrong='smtp-inject: -t 0: not a number from 1 to 86400' ;;
		-I*) wrong='smtp-inject: -I x: not a number from 0 to 86400' ;;
		-F*) wrong='not SHA256: and 64 hexadecimal digits' ;;
		-a*) wrong='smtp-inject: /nonexistent: No such file or directory' ;;
		-p*) wrong=': only with TLS' ;;
		-f*) wrong='smtp-inject: a: not an address' ;;
		*) wrong="smtp-inject: $args: neither host[:port] nor the path of a socket" ;;
		esac
		tail -n 1 "$T/err" | grep -qF -e "$wrong"
		code=$?
		assertTrue "what is wrong with $args: $(cat "$T/err")" "$code"
		# shellcheck disable=SC2086
		chain_call smtp-inject $args
		assert_verdict "verdict of $args" "$local_error"
	done
}

test_starttls_then_everything_anew() {
	smarthost_start -e 'PIPELINING,STARTTLS,8BITMIME,SIZE 5' -E PIPELINING,8BITMIME
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'verdict' "$yes"
	assertEquals 'exit code' 0 "$code"
	assert_heard 'dialogue' 'EHLO test.example' STARTTLS '[TLS]' 'EHLO test.example' 'MAIL FROM:<alice@example.net>' \
		'RCPT TO:<bob@example.org>' DATA 'Subject: test' '' Hello . QUIT
	assert_turns 'turns' 'EHLO test.example\r\n' 'STARTTLS\r\n' 'EHLO test.example\r\n' \
		'MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n' \
		'Subject: test\r\n\r\nHello\r\n.\r\n' 'QUIT\r\n'
	assert_logged '^smtp-inject: S/M reached rcpt=.*@.* reply="250 '
	assert_logged "^smtp-inject: S/M done to=127.0.0.1:$port rcpts=1 accepted=1 ms=[0-9]* code=250\$"
}

# EHLO says nothing then, and the server's size limit in the clear would have refused the message.
test_what_was_offered_in_the_clear_is_forgotten_also_before_helo() {
	smarthost_start -e 'STARTTLS,8BITMIME,SIZE 5' 'EHLO#2=502 5.5.1 What?'
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'verdict' "$yes"
	assert_heard 'dialogue' 'EHLO test.example' STARTTLS '[TLS]' 'EHLO test.example' 'HELO test.example' \
		'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' DATA 'Subject: test' '' Hello . QUIT
}

test_tls_from_the_start() {
	smarthost_start -i -e PIPELINING,CHUNKING
	smarthost_inject -i "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'verdict' "$yes"
	assert_heard 'dialogue' '[TLS]' 'EHLO test.example' 'MAIL FROM:<alice@example.net>' \
		'RCPT TO:<bob@example.org>' 'BDAT 24 LAST' 'Subject: test' '' Hello QUIT
}

# Nobody is spoken to whose certificate is not right, but QUIT is said if TLS has been established (RFC 3207 4.1).
# usage: not_with reason lines-that-are-heard-after-STARTTLS option ...
not_with() {
	reason=$1
	farewell=$2
	shift 2
	smarthost_start -e PIPELINING,STARTTLS
	chain_call smtp-inject "$@" "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict "$*" "$unsafe"
	assertEquals "exit code of $*" 111 "$code"
	# shellcheck disable=SC2086
	assert_heard "$*" 'EHLO test.example' STARTTLS $farewell
	assert_logged "at=TLS reason=.*$reason"
}

test_the_certificate_is_verified() {
	not_with 'certificate verif' '' -c "$T/other.pem"
	not_with 'certificate verif' '' -h localhost
	not_with 'name mail.example.net is not in' '[TLS] QUIT' -c "$T/ca.pem" -h mail.example.net
	not_with 'another certificate: SHA256:' '[TLS] QUIT' -F "SHA256:$(printf '%064d' 0)"
	not_with 'ca.*\|open' '' -c "$T/none.pem"
}

# RFC 3207 4.2, also where a server offers it again.
test_tls_is_never_begun_twice() {
	again='250-test\r\n250-STARTTLS\r\n250 PIPELINING'
	smarthost_start -e STARTTLS "EHLO#2=$again"
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'after STARTTLS' "$yes"
	assert_heard 'after STARTTLS' 'EHLO test.example' STARTTLS '[TLS]' 'EHLO test.example' 'MAIL FROM:<alice@example.net>' \
		'RCPT TO:<bob@example.org>' DATA 'Subject: test' '' Hello . QUIT
	smarthost_start -i "EHLO=$again"
	smarthost_inject -i "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'TLS from the start' "$yes"
	assert_heard 'TLS from the start' '[TLS]' 'EHLO test.example' 'MAIL FROM:<alice@example.net>' \
		'RCPT TO:<bob@example.org>' DATA 'Subject: test' '' Hello . QUIT
}

test_by_name_and_by_fingerprint() {
	smarthost_start -e PIPELINING,STARTTLS -n 4
	smarthost_inject "localhost:$port"
	assert_verdict 'by name' "$yes"
	smarthost_inject -h localhost "127.0.0.1:$port"
	assert_verdict 'by another name' "$yes"
	chain_call smtp-inject -F "$(cert_fingerprint)" -h whatever.example "127.0.0.1:$port"
	assert_verdict 'by fingerprint' "$yes"
	chain_call smtp-inject -F "$(cert_fingerprint | tr a-f A-F)" "127.0.0.1:$port"
	assert_verdict 'in upper case' "$yes"
	lmtpd_ended
}

test_without_starttls_nothing_is_sent() {
	smarthost_start -e PIPELINING
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'not offered' "$unsafe"
	assert_heard 'not offered' 'EHLO test.example'
	assert_logged 'at=STARTTLS reason="not offered"'
	smarthost_start -e STARTTLS 'STARTTLS=454 4.7.0 Not now'
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict '454' "$unsafe"
	assert_heard '454' 'EHLO test.example' STARTTLS
}

test_what_was_injected_before_tls_counts_for_nothing() {
	# Behind 220, in the clear: had it been kept, it would answer EHLO, MAIL, RCPT and DATA.
	fake='250 test\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n250 2.0.0 Stolen'
	smarthost_start -e PIPELINING,STARTTLS "STARTTLS=220 Go on\\r\\n$fake"
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'in one piece' "$unsafe"
	assert_heard 'in one piece' 'EHLO test.example' STARTTLS
	smarthost_start -e PIPELINING,STARTTLS "HANDSHAKE=sleep:0.3|$fake"
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'a moment later' "$unsafe"
	assert_heard 'a moment later' 'EHLO test.example' STARTTLS
	smarthost_start -e PIPELINING,STARTTLS 'EHLO#1=250-test\r\n250 STARTTLS\r\n220 Go on'
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	grep -q MAIL "$T/rec"
	assertFalse 'before STARTTLS' $?
	# The list of the clear does not count: neither what it has more, nor what it has less.
	chain_message 'Subject: test\r\n\r\n\303\251\r\n'
	smarthost_start -e PIPELINING,STARTTLS,8BITMIME,SMTPUTF8 -E PIPELINING
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'the list of TLS counts' '554 5.6.3 Next server does not take 8-bit data'
}

test_in_the_clear_to_this_machine_alone() {
	smarthost_start -e PIPELINING,STARTTLS -n 2
	chain_call smtp-inject -p "127.0.0.1:$port"
	assert_verdict '-p' "$yes"
	grep -q STARTTLS "$T/rec"
	assertFalse '-p is no TLS' $?
	chain_call smtp-inject -p "localhost:$port"
	assert_verdict '-p by name' "$yes"
	lmtpd_ended
	chain_call smtp-inject -p -t 5 192.0.2.1:25
	assert_verdict 'another machine' "$unreachable"
	assert_logged 'at=connect reason="the connection would leave this machine in the clear"'
}

# Somebody who closes, at each of the ports.
test_the_port_is_587_with_i_465_with_p_25() {
	needs root || return 0
	: >"$T/ready"
	python3 -c '
import select, socket
listeners = []
for port in 587, 465, 25:
    l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(("127.0.0.77", port)); l.listen()
    listeners.append(l)
print("ready", flush=True)
for i in range(3):
    l = select.select(listeners, [], [])[0][0]
    l.accept()[0].close()
    print(l.getsockname()[1], flush=True)' >"$T/ready" 2>"$T/why" &
	wait_until [ -s "$T/ready" ]
	chain_call smtp-inject 127.0.0.77
	chain_call smtp-inject -i 127.0.0.77
	chain_call smtp-inject -p 127.0.0.77
	wait $!
	assertEquals 'ready 587 465 25 ' "$(tr '\n' ' ' <"$T/ready")"
}

test_without_ehlo_there_is_helo() {
	smarthost_start -e PIPELINING 'EHLO=502 5.5.1 What?'
	chain_call smtp-inject -p "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'verdict' "$yes"
	assert_turns 'turns' 'EHLO test.example\r\n' 'HELO test.example\r\n' 'MAIL FROM:<alice@example.net>\r\n' \
		'RCPT TO:<bob@example.org>\r\n' 'DATA\r\n' 'Subject: test\r\n\r\nHello\r\n.\r\n' 'QUIT\r\n'
}

# MAIL's line. usage: mail_line keywords mail-arguments [NAME=value ... --] [option ...]
mail_line() {
	smarthost_start -i -e "$1"
	chain_envelope "$2" 'RCPT TO:<bob@example.org>'
	shift 2
	chain_call "$@" -i -c "$T/ca.pem" "127.0.0.1:$port"
	lmtpd_ended
	sed -n 3p "$T/rec" | tr -d '\r'
}

test_parameters() {
	all=PIPELINING,SIZE,8BITMIME,DSN,SMTPUTF8,REQUIRETLS,DELIVERBY,MT-PRIORITY
	assertEquals 'MAIL FROM:<alice@example.net> RET=HDRS ENVID=x SMTPUTF8 REQUIRETLS SIZE=24' \
		"$(mail_line "$all" '<alice@example.net> RET=HDRS ENVID=x SMTPUTF8 REQUIRETLS' smtp-inject)"
	assertEquals 'MAIL FROM:<> BY=120;N MT-PRIORITY=-3 SIZE=24' "$(mail_line "$all" '<> BY=120;N MT-PRIORITY=-3' smtp-inject)"
	assertEquals 'MAIL FROM:<a@b.example> AUTH=<>' \
		"$(mail_line 'AUTH PLAIN' '<a@b.example>' SMTPAUTHUSER=alice@example.net smtp-inject)"
	assertEquals 'MAIL FROM:<a@b.example> AUTH=al+2Bi+3Dce@example.net' \
		"$(mail_line 'AUTH PLAIN' '<a@b.example>' SMTPAUTHUSER=al+i=ce@example.net smtp-inject -m)"
	for user in alice 'a b@example.net' 'alice@example.net> X=<' ''; do
		assertEquals "not a mailbox: $user" 'MAIL FROM:<a@b.example> AUTH=<>' \
			"$(mail_line 'AUTH PLAIN' '<a@b.example>' SMTPAUTHUSER="$user" smtp-inject -m)"
	done
}

test_requiretls_is_nothing_for_the_clear() {
	smarthost_start -e PIPELINING,REQUIRETLS
	chain_envelope '<alice@example.net> REQUIRETLS' 'RCPT TO:<bob@example.org>'
	chain_call smtp-inject -p "127.0.0.1:$port"
	assert_verdict 'offered all the same' '550 5.7.30 Next server does not support REQUIRETLS'
	lmtpd_ended
	: >"$T/ready"
	lmtpd -e PIPELINING,REQUIRETLS >"$T/ready" &
	lmtpd_pid=$!
	wait_until [ -s "$T/ready" ]
	chain_call lmtp-inject "$(cat "$T/ready")"
	assert_verdict 'lmtp-inject' '550 5.7.30 Next server does not support REQUIRETLS'
	lmtpd_ended
	smarthost_start -e PIPELINING,STARTTLS
	smarthost_inject "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'not offered under TLS' '550 5.7.30 Next server does not support REQUIRETLS'
}

three() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>' '550 5.7.1 Not to Carol' \
		'COPY TO:<archive@example.net>'
}

test_one_reply_is_everybodys() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	smarthost_start -e PIPELINING -n 3 '2/END=552 5.2.2 Full'
	chain_call smtp-inject -p "127.0.0.1:$port"
	assert_verdict 'yes' "$yes" "$yes"
	chain_call smtp-inject -p "127.0.0.1:$port"
	assert_verdict 'no' '552 5.2.2 Full' '552 5.2.2 Full'
	three
	chain_call MSA_PARTIAL=1 smtp-inject -p "127.0.0.1:$port"
	assert_verdict 'partial' "$yes" "$yes" '550 5.7.1 Not to Carol'
	lmtpd_ended
	smarthost_start -e PIPELINING,CHUNKING -n 2 'RCPT:<b=450 4.2.1 Later'
	chain_call MSA_PARTIAL=1 smtp-inject -p "127.0.0.1:$port"
	assert_verdict 'refused by the server' "$yes" '450 4.2.1 Later' '550 5.7.1 Not to Carol'
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	chain_call smtp-inject -p "127.0.0.1:$port"
	assert_verdict 'all or nothing' '450 4.2.1 Later' '450 4.2.1 Later'
	lmtpd_ended
	assertEquals 'texts' 1 "$(grep -c '^BDAT' "$T/rec")"
}

test_k_prints_what_is_offered_under_tls() {
	smarthost_start -e STARTTLS,DSN -E 'PIPELINING,SIZE 1000,8BITMIME,AUTH PLAIN,LIMITS RCPTMAX=5'
	MSA_HOST=test.example smtp-inject -k -c "$T/ca.pem" "127.0.0.1:$port" >"$T/out" 2>"$T/err"
	assertEquals 'exit code' 0 $?
	lmtpd_ended
	printf '%s\n' PIPELINING 'SIZE 1000' 8BITMIME >"$T/expected"
	assert_same 'keywords' "$T/expected" "$T/out"
}

test_n_asks_for_recipients_and_delivers_nothing() {
	three
	smarthost_start -e PIPELINING,SIZE 'RCPT:<b=550 5.1.1 No b'
	chain_call smtp-inject -n -p "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'each its own' '250 2.1.5 Recipient ok' '550 5.1.1 No b' '550 5.7.1 Not to Carol'
	assert_heard 'dialogue' 'EHLO test.example' 'MAIL FROM:<alice@example.net> SIZE=24' 'RCPT TO:<a@example.org>' \
		'RCPT TO:<b@example.org>' 'RCPT TO:<archive@example.net>' RSET QUIT
	smarthost_start -e PIPELINING 'MAIL=550 5.7.1 Not you'
	chain_call smtp-inject -n -p "127.0.0.1:$port"
	lmtpd_ended
	assert_verdict 'MAIL' '550 5.7.1 Not you' '550 5.7.1 Not you' '550 5.7.1 Not to Carol'
	: >"$T/msg"
	chain_envelope '<>' 'RCPT TO:<bob@example.org>'
	lmtpd_start -e CHUNKING
	chain_call lmtp-inject -n "$T/s"
	lmtpd_ended
	assert_verdict 'LMTP, without PIPELINING' '250 2.1.5 Recipient ok'
	assert_turns 'LMTP, without PIPELINING' 'LHLO test.example\r\n' 'MAIL FROM:<>\r\n' 'RCPT TO:<bob@example.org>\r\n' \
		'RSET\r\n' 'QUIT\r\n'
}

test_n_of_a_resident_is_one_session() {
	lmtpd_start 'RCPT:<b=550 5.1.1 No b'
	: >"$T/in.log"
	lmtp-inject -n -P 1:1 -l "$T/in" "$T/s" 2>"$T/in.log" &
	resident=$!
	wait_until [ -s "$T/in.log" ]
	for who in a b a b; do
		chain_envelope '<>' "RCPT TO:<$who@example.org>"
		chain_call call "$T/in"
		[ "$who" = a ] && reply='250 2.1.5 Recipient ok' || reply='550 5.1.1 No b'
		assert_verdict "$who" "$reply"
	done
	kill "$resident"
	wait "$resident"
	resident=
	lmtpd_ended
	assertEquals 'verbs' 'LHLO MAIL RCPT RSET MAIL RCPT RSET MAIL RCPT RSET MAIL RCPT RSET QUIT ' \
		"$(cut -c1-4 "$T/rec" | tr '\n' ' ')"
}

test_a_large_message_under_tls() {
	python3 -c 'print(("." + "x" * 70 + "\r\n") * 40000, end="")' >"$T/msg"
	for how in PIPELINING PIPELINING,CHUNKING; do
		smarthost_start -i -e "$how"
		smarthost_inject -i "127.0.0.1:$port"
		lmtpd_ended
		assert_verdict "$how" "$yes"
		python3 - "$T/rec" "$T/msg" "$how" <<-'P'
			import sys
			rec, msg = open(sys.argv[1], 'rb').read(), open(sys.argv[2], 'rb').read()
			assert (msg if 'CHUNKING' in sys.argv[3] else msg.replace(b'.x', b'..x')) in rec
		P
		assertTrue "octet for octet, $how" $?
	done
}

test_a_refusal_within_the_text_is_the_reply_under_tls_too() {
	python3 -c 'print(("x" * 78 + "\r\n") * 20000, end="")' >"$T/msg"
	for e in PIPELINING PIPELINING,CHUNKING; do
		smarthost_start -i -e "$e" 'TEXT=452 4.3.1 Disk full'
		smarthost_inject -i "127.0.0.1:$port"
		lmtpd_ended
		assert_verdict "$e" '452 4.3.1 Disk full'
	done
}

test_without_a_reader_of_the_verdict_the_message_is_not_ended() {
	smarthost_start -e PIPELINING,STARTTLS 'RCPT=sleep:0.6|250 2.1.5 Ok'
	mkfifo "$T/fifo"
	# shellcheck disable=SC2217
	sleep 0.3 <"$T/fifo" &
	MSA_MESSAGE=M MSA_RCPTS=1 smtp-inject -c "$T/ca.pem" "127.0.0.1:$port" <"$T/msg" 3<"$T/env" >"$T/fifo" 2>"$T/log"
	lmtpd_ended
	wait
	rm "$T/fifo"
	assert_logged 'abandoned reason="nobody reads the verdict"'
	grep -q -e Hello -e '^\.' "$T/rec"
	assertFalse 'no text' $?
}

# lmtp-inject can do it too.
test_lmtp_under_tls_with_auth() {
	rm -f "$T/rec"
	: >"$T/ready"
	lmtpd -c "$T/server.pem" -r "$T/rec" -e PIPELINING,STARTTLS -E 'PIPELINING,AUTH PLAIN' -n 2 'END#2=550 5.2.2 Full' \
		>"$T/ready" &
	lmtpd_pid=$!
	wait_until [ -s "$T/ready" ]
	chain_envelope '<alice@example.net>' 'RCPT TO:<a@example.org>' 'RCPT TO:<b@example.org>'
	chain_call lmtp-inject -s -c "$T/ca.pem" -a "$T/credentials" "$(cat "$T/ready")"
	assert_verdict 'each its own' "$yes" '550 5.2.2 Full'
	chain_call lmtp-inject -s -h localhost "$(cat "$T/ready")"
	assert_verdict 'not verified' "$unsafe" "$unsafe"
	lmtpd_ended
	assertEquals 'verbs' 'LHLO STARTTLS LHLO AUTH MAIL RCPT RCPT DATA QUIT LHLO STARTTLS ' \
		"$(grep -o '^[A-Z]\{4,8\}' "$T/rec" | tr '\n' ' ')"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
