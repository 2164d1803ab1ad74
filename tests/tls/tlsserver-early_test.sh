#!/bin/sh
# tlsd: a client that has not proved that it may send mail has little time and little room. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # port, tlsd, next: tlsserver.sh sets them
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

LATE='421 4.4.2 Waited too long, closing the connection'

# What the clients below begin with: from any address of 127.0.0.0/8; the end of a connection in words.
# usage: strangers <script
strangers() {
	{
		cat <<-'END'
			import threading
			def at(address):
			    s = socket.socket(); s.settimeout(90); s.bind((address, 0)); s.connect(('127.0.0.1', port))
			    return s
			def end(s):
			    last = 'nothing'
			    try:
			        while True:
			            l = line(s)
			            if not l: return last
			            last = l
			    except ConnectionResetError: return last
			    except socket.timeout: return 'still open'
			def every(s, text, seconds):
			    def talk():
			        try:
			            while True: s.sendall(text); time.sleep(seconds)
			        except (OSError, ssl.SSLError): pass
			    threading.Thread(target=talk, daemon=True).start()
			    return s
		END
		cat
	} >strangers.py
	tlsd_clients "$port" <strangers.py
}

# The next stage takes any password, mail from whoever greets as known, and a NOOP.
any() {
	program_lines any "printf '220 x\r\n'" 'while read -r l; do case $l in' \
		'AUTH*) printf "235 2.7.0 yes\r\n";;' 'MAIL*known*) printf "250 2.1.0 yes\r\n";;' 'MAIL*) printf "530 5.7.0 no\r\n";;' \
		'*) printf "250 2.0.0 ok\r\n";;' 'esac done'
}

test_a_client_has_one_deadline_whatever_it_says() {
	any
	tlsd_start -p 15 -t 3600 ./any
	strangers <<-'END'
		start = time.time()
		def clear():
		    s = at('127.0.0.2'); line(s)
		    return s
		def hidden(): return tls(at('127.0.0.2'))
		def shake():
		    s = clear(); s.sendall(b'STARTTLS\r\n'); line(s)
		    return s
		known = hidden(); print(ask(known, 'AUTH PLAIN x'))
		relay = hidden(); print(ask(relay, 'MAIL FROM:<known@example.net>'))
		refused = hidden(); print(ask(refused, 'MAIL FROM:<a@example.net>'))
		held = {'silent': clear(), 'NOOPs': every(clear(), b'NOOP\r\n', 0.2), 'dripping': every(clear(), b'x', 0.2),
		    'no ClientHello': shake(), 'a slow ClientHello': every(shake(), b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 90),
		    'silent under TLS': hidden(), 'NOOPs under TLS': every(hidden(), b'NOOP\r\n', 0.2),
		    'dripping under TLS': every(hidden(), b'x', 0.2), 'refused': every(refused, b'MAIL FROM:<a@example.net>\r\n', 0.5)}
		for name in sorted(held): print('%s: %s' % (name, end(held[name])))
		print('not before the deadline' if time.time() - start > 15 else 'too early')
		time.sleep(1.5)
		print(ask(known, 'NOOP'), ask(relay, 'NOOP'))
	END
	assert_got deadline <<-END
		235 2.7.0 yes
		250 2.1.0 yes
		530 5.7.0 no
		NOOPs: $LATE
		NOOPs under TLS: $LATE
		a slow ClientHello: nothing
		dripping: $LATE
		dripping under TLS: $LATE
		no ClientHello: nothing
		refused: $LATE
		silent: $LATE
		silent under TLS: $LATE
		not before the deadline
		250 2.0.0 ok 250 2.0.0 ok
	END
	assert_logged 'done in=0 out=0 ms=[0-9]* peer=127.0.0.2 end=unproved'
	assert_logged 'done tls=TLSv1.3 .* peer=127.0.0.2 end=unproved'
	tlsd_stop
}

# usage: alone name [option] <script ; started for one connection, the answers go to NAME
alone() {
	name=$1
	shift
	talk -x tlsd "$@" -p 15 -c one.pem -k one.key ./any >"$name" 2>/dev/null
}

test_the_deadline_is_the_same_for_a_connection_of_its_own() {
	any
	for how in '' -o; do
		# shellcheck disable=SC2086
		printf '%s\n' '<' '> NOOP' '<' '<<' | alone "clear$how" $how &
		# shellcheck disable=SC2086
		printf '%s\n' '<' '> STARTTLS' '<' tls '> NOOP' '<' '<<' | alone "tls$how" $how &
		# shellcheck disable=SC2086
		printf '%s\n' '<' '> STARTTLS' '<' tls '> AUTH PLAIN x' '<' 'sleep 16' '> NOOP' '<' close | alone "proved$how" $how &
	done
	wait
	for how in '' -o; do
		cat "clear$how" "tls$how" "proved$how" >got
		if [ -n "$how" ]; then # the next stage's own words
			sed -i 's/^220 x$/220 mail.example.net ESMTP/; 2s/^250 2.0.0 ok$/250 2.0.0 Ok/' got
		fi
		assert_got "started with $how" <<-END
			220 mail.example.net ESMTP
			250 2.0.0 Ok
			$LATE
			EOF
			exit 0
			220 mail.example.net ESMTP
			220 2.0.0 Ready to start TLS
			TLS
			250 2.0.0 ok
			$LATE
			EOF
			exit 0
			220 mail.example.net ESMTP
			220 2.0.0 Ready to start TLS
			TLS
			235 2.7.0 yes
			250 2.0.0 ok
			exit 0
		END
	done
}

# 20 places. Three nets: one has many addresses with many connections, one a few, one the client that logs in.
# The workers accept at once, so each connection waits for the greeting of the one before: then they have an order.
test_the_oldest_of_the_net_that_has_most_goes() {
	any
	tlsd_start -p 600 -a 10 -e 20 -n 20 ./any
	strangers <<-'END'
		known = tls(at('127.0.9.9')); ask(known, 'AUTH PLAIN x')
		few = [at('127.0.1.%d' % i) for i in range(1, 6)]
		for s in few: line(s)
		many = []
		for i in range(15):
		    many.append(at('127.0.0.%d' % (1 + i % 3)))
		    line(many[-1]); time.sleep(0.01)
		many[0].sendall(b'NOOP\r\n'); print('full:', line(many[0]))
		many[1].sendall(b'STARTTLS\r\n'); line(many[1])
		before = CTX.wrap_socket(many[1])
		new = tls(at('127.0.2.1'))
		print('a newcomer:', ask(new, 'AUTH PLAIN x'))
		# its place is free again: it is no longer early
		again = [tls(at('127.0.2.2')), tls(at('127.0.2.3'))]
		print('the oldest:', [end(s) for s in (many[0], before)])
		print('the few:', [ask(s, 'NOOP') for s in few])
		print('who has proved itself:', ask(known, 'NOOP'), ask(new, 'NOOP'))
	END
	assert_got evicted <<-END
		full: 250 2.0.0 Ok
		a newcomer: 235 2.7.0 yes
		the oldest: ['$BUSY', '$BUSY']
		the few: ['250 2.0.0 Ok', '250 2.0.0 Ok', '250 2.0.0 Ok', '250 2.0.0 Ok', '250 2.0.0 Ok']
		who has proved itself: 250 2.0.0 ok 250 2.0.0 ok
	END
	assert_logged 'done in=0 out=0 ms=[0-9]* peer=127.0.0.1 end=evicted'
	assert_logged 'done tls=TLSv1.3 .* peer=127.0.0.2 end=evicted'
	tlsd_stop
}

# Handshakes that fail have two lines each: 600 lines a minute, and a count of the others. Who has logged in has its line.
test_strangers_have_a_budget_of_log_lines() {
	any
	tlsd_start -i ./any
	start=$(date +%s)
	tlsd_clients "$port" <<-'END'
		known = CTX.wrap_socket(connect()); line(known); print(ask(known, 'AUTH PLAIN x'))
		for i in range(700):
		    s = connect()
		    s.sendall(b'GET / HTTP/1.0\r\n\r\n')
		    try: s.recv(100)
		    except OSError: pass
		    s.close()
		known.unwrap()
	END
	assert_got known <<-'END'
		235 2.7.0 yes
	END
	wait_until grep -q ' done tls=' log
	tlsd_stop
	lines=$(grep -c -e ' handshake peer=127.0.0.1 ' -e ' done in=0 out=0 .* end=handshake' log)
	left=$(sed -n 's/^tlsd: - suppressed lines=//p' log | awk '{ n += $1 } END { print n + 0 }')
	assertEquals "each is a line or counted: $(tail -n 3 log)" 1400 $((lines + left))
	budgets=$((($(date +%s) - start) / 60 + 2)) # each minute that has begun is a new one
	assertTrue "not more lines than $budgets budgets: $lines" "[ $lines -le $((600 * budgets)) ] && [ $lines -ge 600 ]"
	assertEquals 'who has logged in has its line' 1 "$(grep -c ' done tls=TLSv1.3' log)"
}

# A proxy that hides its clients hides them from the limits: then its own address counts.
test_a_proxy_header_without_an_address_counts_against_the_proxy() {
	any
	tlsd_start -a 3 -y 127.0.0.50,127.0.0.51,127.0.0.52 ./any
	strangers <<-'END'
		SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
		def proxied(header, proxy):
		    s = at(proxy); s.sendall(header)
		    return s
		for header, proxy in ((b'PROXY UNKNOWN\r\n', '127.0.0.50'), (SIGNATURE + b'\x20\0\0\0', '127.0.0.51')):
		    held = [proxied(header, proxy) for i in range(5)]
		    print(sorted(line(s)[:3] for s in held))
		    print('another proxy:', line(proxied(header, '127.0.0.52'))[:3])
		    print('a client with an address:', line(proxied(b'PROXY TCP4 192.0.2.7 192.0.2.1 4711 587\r\n', proxy))[:3])
	END
	assert_got proxies <<-'END'
		['220', '220', '220', '421', '421']
		another proxy: 220
		a client with an address: 220
		['220', '220', '220', '421', '421']
		another proxy: 220
		a client with an address: 220
	END
	assert_logged 'refused reason="too many connections from this address" peer=127.0.0.50'
	tlsd_stop
}

# The parts of a whole service: more strangers than there is room, who come again as soon as they have to go, and others
# who log in and send mail meanwhile. The full table: make soak.
test_others_log_in_and_send_while_strangers_come_and_come() {
	for case in silent:60:6 noop:60:6 hello:60:6 tls:40:4; do
		"$ROOT/tests/soak/strangers" -s 1 -t -e -t 20 -t -a -t 10 $case >got 2>&1
		code=$?
		assertEquals "$case: $(cat got)" 0 $code
	done
}

# shellcheck disable=SC1090
. "$SHUNIT2"
