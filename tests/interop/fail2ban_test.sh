#!/bin/sh
# examples/fail2ban: the filter finds the addresses that guess in a real log, whoever wrote it down, and no other address.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/tlsserver.sh
. "$ROOT/tests/lib/tlsserver.sh"

FILTER=$ROOT/examples/fail2ban/filter.d/ucspi-msa.conf

# The log of a service that these clients have used, each from an address of its own.
make_log() {
	[ ! -e "$T/real.log" ] || return 0
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice@example.net
	tlsd_start authd -u users.cdb submitd true
	tlsd_clients "$port" <<-'END'
		import base64
		port = int(sys.argv[1])
		def plain(user, password):
		    return 'AUTH PLAIN ' + base64.b64encode(('\0%s\0%s' % (user, password)).encode()).decode()
		def session(address, *lines):
		    s = socket.create_connection(('127.0.0.1', port), source_address=(address, 0))
		    f = s.makefile('rwb', 0)
		    def say(line):
		        f.write((line + '\r\n').encode())
		        while f.readline()[3:4] == b'-':
		            pass
		    f.readline()
		    say('EHLO x')
		    say('STARTTLS')
		    context = ssl.create_default_context()
		    context.check_hostname = False
		    context.verify_mode = ssl.CERT_NONE
		    s = context.wrap_socket(s)
		    f = s.makefile('rwb', 0)
		    say('EHLO x')
		    for line in lines:
		        say(line)
		    s.close()
		session('127.0.0.2', plain('alice@example.net', 'looking-glass'), plain('alice@example.net', 'rabbit'))
		session('127.0.0.3', plain('bob@example.org', 'x'), plain('" ip=10.9.9.9', 'x'), plain('carol ip=10.9.9.9', 'x'))
		session('127.0.0.4', plain('alice@example.net', 'wonderland'), 'QUIT')
		session('127.0.0.5', 'AUTH PLAIN =', 'AUTH PLAIN !', 'AUTH LOGIN', '*', 'AUTH NONE')
		session('127.0.0.6', 'GET /?ip=10.9.9.9 HTTP/1.1')
		s = socket.create_connection(('127.0.0.1', port), source_address=('127.0.0.7', 0))
		f = s.makefile('rwb', 0)
		f.readline()
		f.write(b'EHLO x\r\n')
		while f.readline()[3:4] == b'-':
		    pass
		f.write(b'STARTTLS\r\n')
		f.readline()
		f.write(b'no TLS ip=10.9.9.9\r\n' * 9)
		f.read()
	END
	assertEquals 'the clients' 0 $?
	tlsd_stop
	mv log "$T/real.log"
	tlsd_start -p 1 authd -u users.cdb submitd true
	tlsd_clients "$port" <<-'END'
		s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), source_address=('127.0.0.8', 0))
		s.sendall(b'EHLO x\r\n')
		while s.recv(4096):
		    pass
	END
	wait_until grep -q 'end=unproved' log
	tlsd_stop
	cat log >>"$T/real.log"
}

# The addresses that the filter finds, in the order of their numbers. usage: found mode log
found() {
	fail2ban-regex -o ip "$2" "${FILTER}[mode=$1]" 2>/dev/null | sort -n -t . -k 4 | tr '\n' ' '
}

GUESSES='127.0.0.2 127.0.0.2 127.0.0.3 127.0.0.3 127.0.0.3 ' STRANGERS='127.0.0.6 127.0.0.7 127.0.0.8 '

# usage: assert_found log
assert_found() {
	assertEquals "$1: $(cat "$1")" "$GUESSES$STRANGERS" "$(found aggressive "$1")"
}

test_in_a_log_without_dates_and_in_those_of_supervisors() {
	needs fail2ban-regex || return 0
	make_log
	assertEquals "$(cat "$T/real.log")" "$GUESSES" "$(found normal "$T/real.log")"
	assert_found "$T/real.log"
	for writer in 'multilog t' 's6-log T' 'svlogd -tt'; do
		has "${writer%% *}" || continue
		mkdir -m 700 "$T/${writer%% *}"
		# shellcheck disable=SC2086
		$writer "$T/${writer%% *}" <"$T/real.log" 2>/dev/null
		assert_found "$T/${writer%% *}/current"
	done
}

test_in_the_log_of_syslog() {
	needs fail2ban-regex || return 0
	make_log
	for format in '%b %e %T' '%Y-%m-%dT%H:%M:%S.123456+00:00'; do
		sed "s/^\([a-z]*\): /$(LC_ALL=C date -u "+$format") mail \1[4711]: /" "$T/real.log" >"$T/syslog"
		assert_found "$T/syslog"
	done
}

# A journal, made by the journal's own program: a process that logs for itself, or the first of several that share fd 2.
test_in_the_journal() {
	needs fail2ban-regex || return 0
	if [ ! -x /lib/systemd/systemd-journal-remote ] || ! python3 -c 'import systemd.journal' 2>/dev/null; then
		skip 'systemd-journal-remote or python3-systemd is not installed'
		return
	fi
	make_log
	for name in own tlsd; do
		sed -n 's/^\([a-z]*\): .*/\1 &/p' "$T/real.log" | awk -v name=$name -v now="$(date +%s)" '{
			identifier = name == "own" ? $1 : name
			sub(/^[a-z]* /, "")
			printf "__REALTIME_TIMESTAMP=%d000000\n__MONOTONIC_TIMESTAMP=%d\n", now, NR
			print "_BOOT_ID=00000000000000000000000000000001\n_HOSTNAME=mail\n_PID=12"
			print "SYSLOG_IDENTIFIER=" identifier "\nMESSAGE=" $0 "\n"
		}' >"$T/export"
		/lib/systemd/systemd-journal-remote -o "$T/$name.journal" "$T/export" >/dev/null 2>&1
		assertEquals "$name: a journal" 0 $?
		assertEquals "$name" "$GUESSES$STRANGERS" "$(found aggressive "systemd-journal[journalfiles=\"$T/$name.journal\"]")"
	done
}

# What a client can put into a line cannot put another address there.
test_a_client_cannot_name_another_address() {
	needs fail2ban-regex || return 0
	cat >"$T/forged" <<-'E2'
		authd: 1ng49 refused user="x\x22 ip=10.9.9.9" mech=PLAIN reason="wrong password" ip=192.0.2.1 tls=TLSv1.3
		authd: 1ng49 refused mech=PLAIN reason="wrong password" ip=2001:db8::1
		authd: 1ng49 refused user=a reason="wrong password" ip=10.9.9.9 mech=PLAIN
		submitd: 1ng49 rejected verb=? code=500 reason="authd: 1 refused mech=X reason=\x22wrong password\x22 ip=10.9.9.9"
		tlsd: 1ng49 handshake peer=192.0.2.2 reason="x peer=10.9.9.9"
	E2
	assertEquals '2001:db8::1 192.0.2.1 192.0.2.2 ' "$(found aggressive "$T/forged")"
}

# fail2ban itself reads the jail.
test_the_jail() {
	needs fail2ban-client || return 0
	cp -R /etc/fail2ban "$T/etc"
	cp "$ROOT/examples/fail2ban/filter.d/ucspi-msa.conf" "$T/etc/filter.d/"
	cp "$ROOT/examples/fail2ban/jail.d/ucspi-msa.conf" "$T/etc/jail.d/"
	fail2ban-client -c "$T/etc" -d >"$T/got" 2>&1
	code=$?
	assertEquals "$(cat "$T/got")" 0 "$code"
	assertContains "$(cat "$T/got")" "['set', 'ucspi-msa', 'maxretry', 10]"
	assertContains "$(cat "$T/got")" 'refused (?:user='
}

# shellcheck source=/dev/null
. "$SHUNIT2"
