#!/bin/sh
# tlsd -l: the numbers that its page has, where no option says another. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # port, tlsd, next: tlsserver.sh sets them
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

# 500 from one address, who have logged in, and 50 who have not.
test_500_of_an_address() {
	program_lines yes "printf '220 x\r\n'" 'while read -r l; do printf "235 2.7.0 yes\r\n"; done'
	tlsd_start -o -m 600 ./yes
	tlsd_clients "$port" <<-'END'
		keep, got = [], {}
		for i in range(501):
		    s = connect(20)
		    keep.append(s)
		    said = [line(s)]
		    if said[0].startswith('220'):
		        said.append(ask(s, 'AUTH PLAIN x'))
		    said = ' '.join(l[:3] for l in said)
		    got[said] = got.get(said, 0) + 1
		for l in sorted(got): print(got[l], l)
	END
	assert_got 'how many' <<-'END'
		500 220 235
		1 421
	END
	assert_logged 'refused reason="too many connections from this address" peer=127.0.0.1'
	tlsd_stop
}

# 50 from one address, 250 in all, before they have logged in.
test_50_early_ones_of_an_address_and_250_in_all() {
	tlsd_start ./cat
	tlsd_clients "$port" <<-'END'
		keep = []
		def connects(ip, n):
		    got = {}
		    for i in range(n):
		        s = socket.create_connection(('127.0.0.1', port), timeout=20, source_address=(ip, 0))
		        l = line(s)
		        got[l] = got.get(l, 0) + 1
		        keep.append(s)
		    for l in sorted(got): print(ip, got[l], l[:3])
		connects('127.0.0.1', 51)
		for i in range(2, 7): connects('127.0.0.%d' % i, 42 if i == 6 else 40)
	END
	assert_got 'how many' <<-'END'
		127.0.0.1 50 220
		127.0.0.1 1 421
		127.0.0.2 40 220
		127.0.0.3 40 220
		127.0.0.4 40 220
		127.0.0.5 40 220
		127.0.0.6 42 220
	END
	assert_logged 'refused reason="too many connections without authentication from this address" peer=127.0.0.1'
	assertEquals 'one net has 125 of the 250: the oldest of the 252 make room' 127 "$(grep -c ' end=evicted$' log)"
	tlsd_stop
	tlsd_start ./cat
	tlsd_clients "$port" <<-'END'
		keep = []
		for i in range(252):
		    keep.append(socket.create_connection(('127.0.0.1', port), timeout=20, source_address=('127.0.%d.1' % (i // 50), 0)))
		    assert line(keep[-1])[:3] == '220'
	END
	assert_got 'all were let in' </dev/null
	tlsd_stop
	assertEquals 'of many nets: two make room' 2 "$(grep -c ' end=evicted$' log)"
}

test_1000_in_all() {
	tlsd_next
	tlsd_start -a 100000:100000 -e 100000 call "$T/next"
	tlsd_clients "$port" <<-'END'
		keep, got = [], {}
		for i in range(1002):
		    s = connect(20)
		    l = line(s)
		    got[l] = got.get(l, 0) + 1
		    keep.append(s)
		for l in sorted(got): print(got[l], l)
	END
	assert_got 'how many' <<-END
		1002 220 mail.example.net ESMTP
	END
	assertEquals 'the oldest early ones make room' 2 "$(grep -c ' end=evicted$' log)"
	tlsd_stop
	tlsd_next_stop
}

test_a_worker_for_each_processor() {
	tlsd_start ./cat
	assertEquals 'workers' "$(getconf _NPROCESSORS_ONLN)" "$(pgrep -c -P "$tlsd")"
	tlsd_stop
}

# The greeting of the next stage: 4,096 octets; in the clear a reply: 16,384.
test_a_greeting_and_a_reply_have_their_lengths() {
	# a reply of N octets in lines of 64. usage: reply code N
	reply() {
		awk -v code="$1" -v n="$2" 'BEGIN {
			while (n > 128) { printf "%s-%058d\r\n", code, 0; n -= 64 }
			line = sprintf("%s %0" (n - 6) "d\r\n", code, 0)
			printf "%s", line
		}'
	}
	for n in 4096 4097; do
		reply 220 $n >greeting
		assertEquals 'so long' $n "$(wc -c <greeting)"
		program_lines long 'cat greeting' 'read -r l' "printf '221 bye\\r\\n'"
		printf '%s\n' '<' '> STARTTLS' '<' tls '> QUIT' '<<' | talk tlsd -c one.pem -k one.key ./long >got 2>log
		sed 1,3d got | head -n 1 >said.$n
	done
	assertEquals '4,096' '221 bye' "$(cat said.4096)"
	assertEquals '4,097' '421 4.3.0 Local trouble, closing the connection' "$(cat said.4097)"
	for n in 16384 16385; do
		reply 250 $n >said
		program_lines long "printf '220 x\\r\\n'" 'read -r l' 'cat said' 'read -r l' "printf '221 bye\\r\\n'"
		printf '%s\n' '<' '> NOOP' '<' '> QUIT' '<<' | talk tlsd -o -c one.pem -k one.key ./long >got 2>log
		tail -n 2 got | head -n 1 >said.$n
	done
	assertEquals '16,384' '221 bye' "$(cat said.16384)"
	assertEquals '16,385' '421 4.3.0 Local trouble, closing the connection' "$(cat said.16385)"
}

# A record that is none: nobody comes in, for nobody knows whom it means to deny.
test_a_record_of_the_rules_that_is_none_lets_nobody_in() {
	for record in '+RELAYCLIENT' 'X' '+RELAYCLIENT=' 'RELAYCLIENT='; do
		printf '+0,%d:->%s\n\n' ${#record} "$record" | cdb -c rules.cdb
		tlsd_start -x rules.cdb ./who
		tlsd_clients "$port" <<-'END'
			print(repr(line(connect())))
		END
		assert_got "$record" <<-'END'
			''
		END
		assert_logged 'failed reason="rules.cdb: '
		tlsd_stop
	done
}

# Monitors look whether somebody greets, and go. A client that has said a word has its line.
test_who_only_reads_the_greeting_has_no_line() {
	tlsd_start ./cat
	tlsd_clients "$port" <<-'END'
		for i in range(3):
		    s = connect(); line(s); s.close()
		s = connect(); line(s); s.sendall(b'N'); s.close()
	END
	wait_until grep -q 'done in=0 out=0 ms=[0-9]* peer=127.0.0.1 end=gone$' log
	tlsd_stop
	assertEquals "one line: $(cat log)" 1 "$(grep -c ' done ' log)"
}

# What the starter's environment says of a peer or a user is nobody's here.
test_nothing_of_the_starters_peer_or_user_is_handed_on() {
	program_lines facts "printf '220 x\r\n'" 'read -r l' 'env | grep -E "^(PROTO|TCP|RELAY|SMTPAUTH|SSL_PEER|MSA_SESSION|MSA_VERB|MSA_MESS)" | sed "s/=.*//" | sort | tr "\n" " " | sed "s/^/221 /; s/ *$/\r\n/"'
	export TCPREMOTEHOST=h TCPREMOTEINFO=i TCPLOCALHOST=l RELAYCLIENT='' SMTPAUTHUSER=root SMTPAUTHMETHOD=x SSL_PEER_CERT_HASH=SHA256:x
	export MSA_SESSION=s MSA_VERB=EHLO MSA_MESSAGE=m TCP6REMOTEIP=::1 REMOTE_ADDR=192.0.2.9 TCPREMOTEADDR=192.0.2.9:1 TCPREMOTEIP=192.0.2.9
	tlsd_start ./facts
	unset TCPREMOTEHOST TCPREMOTEINFO TCPLOCALHOST RELAYCLIENT SMTPAUTHUSER SMTPAUTHMETHOD SSL_PEER_CERT_HASH
	unset MSA_SESSION MSA_VERB MSA_MESSAGE TCP6REMOTEIP REMOTE_ADDR TCPREMOTEADDR TCPREMOTEIP
	tlsd_clients "$port" <<-'END'
		print(ask(tls(connect()), 'X'))
	END
	assert_got 'the names' <<-'END'
		221 MSA_SESSION PROTO TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT
	END
	tlsd_stop
}

# A worker that ends at once, here for it may not open a file, is begun again once a second and not faster.
test_workers_that_fail_are_not_begun_again_at_once() {
	tlsd_start -P 1 ./cat
	worker=$(pgrep -P "$tlsd")
	prlimit --pid "$tlsd" --nofile=3:3
	assertEquals 'prlimit' 0 $?
	kill -9 "$worker"
	wait_until grep -q 'lost worker="exit' log
	sleep 1.5
	lost=$(grep -c 'lost worker="exit' log)
	assertTrue "a few in one and a half seconds: $lost" "[ $lost -ge 1 ] && [ $lost -le 4 ]"
	kill -9 "$tlsd"
}

. "$SHUNIT2"
