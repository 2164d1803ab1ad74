#!/bin/sh
# tlsd: who guesses passwords gets no handshake, and connections that come to nothing count. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # port, tlsd: tlsserver.sh sets them
# shellcheck disable=SC2016 # what is quoted is for the next stage
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

over='421 4.7.0 Too many wrong passwords, try again later'

# Put something into a new table. usage: table line ...
table() {
	rm -rf "$T/penalties"
	mkdir -m 700 "$T/penalties"
	{ echo today && printf '%s\n' "$@"; } | test-unit penalty "$T/penalties" >/dev/null
}

# What the table has, in thousandths, of an address; at once after what was counted, so nothing has faded.
# usage: score address
score() {
	printf 'today\nlist\n' | test-unit penalty "$T/penalties" | tail -n 1 | tr ',>' '\n\n' | sed -n "s|^ $1 \([0-9]*\) .*|\1|p"
}

# No more than it was, nor much less: scores fade, by 200 in a minute. usage: counted address thousandths
counted() {
	is=$(score "$1")
	assertTrue "$1: $is of $2" "[ ${is:-0} -gt $(($2 - 200)) ] && [ ${is:-0} -le $2 ]"
}

# usage: strangers <script ; at(address) connects from it
strangers() {
	{
		cat <<-'END'
			def at(address):
			    s = socket.socket(); s.settimeout(60); s.bind((address, 0)); s.connect(('127.0.0.1', port))
			    return s
		END
		cat
	} >strangers.py
	tlsd_clients "$port" <strangers.py
}

test_who_guesses_gets_no_handshake() {
	table 'scram 127.0.0.2 x 25' 'block 127.0.0.3 3600' 'scram 127.0.0.4 x 13'
	tlsd_start -g "$T/penalties" ./who
	strangers <<-'END'
		for n in (2, 3, 4, 5): print(line(at('127.0.0.%d' % n)))
	END
	printf '%s\n' "$over" "$over" '220 mail.example.net ESMTP' '220 mail.example.net ESMTP' | assert_got 'in the clear'
	assertContains "$(cat log)" 'refused reason="too many wrong passwords" peer=127.0.0.2'
	tlsd_stop
	tlsd_start -i -g "$T/penalties" ./who
	strangers <<-'END'
		for n in (2, 4):
		    try: print(CTX.wrap_socket(at('127.0.0.%d' % n)).version())
		    except (OSError, ssl.SSLError): print('no')
	END
	printf 'no\nTLSv1.3\n' | assert_got 'with -i'
	tlsd_stop
}

test_clients_that_are_left_out() {
	table 'scram 127.0.0.2 x 25'
	printf '127.0.0.2:allow,RELAYCLIENT=""\n:allow\n' | tcprules rules.cdb rules.tmp
	for option in '-G 127.0.0.0/29' '-x rules.cdb'; do
		# shellcheck disable=SC2086
		tlsd_start -g "$T/penalties" $option ./who
		strangers <<-'END'
			print(line(at('127.0.0.2')))
		END
		echo '220 mail.example.net ESMTP' | assert_got "$option"
		tlsd_stop
	done
}

test_what_a_connection_counts() {
	table 'look 127.0.0.1'
	program_lines any "printf '220 x\r\n'" 'while read -r l; do case $l in' 'A*) printf "235 2.7.0 yes\r\n";;' \
		'*) printf "250 2.0.0 ok\r\n";;' 'esac done'
	tlsd_start -p 3 -t 2 -g "$T/penalties" ./any
	strangers <<-'END'
		def end(s):
		    try:
		        while s.recv(4096): pass
		    except (OSError, ssl.SSLError): pass
		    s.close()
		hangs = at('127.0.0.6'); line(hangs); hangs.sendall(b'STARTTLS\r\n'); line(hangs); end(hangs)
		silent = tls(at('127.0.0.7')); end(silent)
		for i in range(5):
		    broken = at('127.0.0.5'); line(broken); broken.sendall(b'STARTTLS\r\n'); line(broken)
		    broken.sendall(b'GET / HTTP/1.0\r\n\r\n'); end(broken)
		for i in range(100):
		    s = tls(at('127.0.0.4')); ask(s, 'NOOP'); s.close()
		    s = tls(at('127.0.0.3')); ask(s, 'AUTH x'); s.close()
		    s = at('127.0.0.2'); line(s); s.close()
	END
	tlsd_stop
	for n in 4 5 6 7; do counted 127.0.0.$n 500; done
	assertEquals 'a monitor' '' "$(score 127.0.0.2)"
	assertEquals 'who has proved something' '' "$(score 127.0.0.3)"
}

test_the_table_of_authd_is_the_same() {
	table 'look 127.0.0.1'
	printf 'wonderland\n' | msa-passwd users.cdb alice@example.net
	tlsd_start -g "$T/penalties" authd -g "$T/penalties" -u users.cdb true
	strangers <<-'END'
		import base64
		s = tls(at('127.0.0.2'))
		s.sendall(b'EHLO x\r\n')
		while line(s)[3:4] == '-': pass
		print(ask(s, 'AUTH PLAIN ' + base64.b64encode(b'\0alice@example.net\0guess').decode()))
	END
	echo '535 5.7.8 Authentication credentials invalid' | assert_got 'wrong'
	tlsd_stop
	counted 127.0.0.2 1005
}

test_one_process_for_each_connection_too() {
	table 'scram 192.0.2.1 x 25'
	printf '<<\n' >script
	TCPREMOTEIP=192.0.2.1 talk tlsd -g "$T/penalties" -c one.pem -k one.key ./who <script >got 2>log
	printf '%s\nEOF\n' "$over" | assert_got refused
	assertContains "$(cat log)" ' refused reason="too many wrong passwords" peer=192.0.2.1'
	printf '<\n> STARTTLS\n<\n> no TLS\n<<\n' >script
	for _ in 1 2 3; do
		TCPREMOTEIP=192.0.2.2 talk tlsd -g "$T/penalties" -c one.pem -k one.key ./who <script >got 2>log
	done
	counted 192.0.2.2 300
	TCPREMOTEIP=192.0.2.1 talk tlsd -G 192.0.2.0/24 -g "$T/penalties" -c one.pem -k one.key ./who <<-'END' >got 2>log
		<
	END
	echo '220 mail.example.net ESMTP' | assert_got 'left out'
}

test_a_directory_that_cannot_be_used() {
	tlsd -l 127.0.0.1:0 -g "$T/none" -c one.pem -k one.key true 2>got
	assertEquals 100 $?
	assertEquals "tlsd: - misuse reason=\"$T/none: No such file or directory\"" "$(cat got)"
	printf '<<\n' >script
	talk -x tlsd -g "$T/none" -c one.pem -k one.key true <script >got 2>log
	printf '421 4.3.0 Local trouble, closing the connection\nEOF\nexit 100\n' | assert_got 'for one connection'
	table 'scram 127.0.0.2 x 25'
	echo damaged >"$T/penalties/table"
	tlsd_start -g "$T/penalties" ./who
	assertContains "$(cat log)" 'tlsd: - replaced reason="the table of penalties was damaged"'
	tlsd_stop
}

# shellcheck disable=SC1090
. "$SHUNIT2"
