#!/bin/sh
# authd -k and -D: somebody else who knows the passwords, alone and behind the store. What Dovecot itself answers is in
# interop/dovecot_auth_test.sh. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'
later='454 4.7.0 Temporary authentication failure'

oneTimeSetUp() {
	export MSA_HOST=mx.example TCPREMOTEIP=192.0.2.1 TCPLOCALIP=192.0.2.2
	chmod 755 "$T"
	program_make next <<-'X'
		#!/bin/sh
		printf 'next %s\r\n' "$SMTPAUTHUSER"
	X
	# bob's password is right; the others' names say what happens. $SEEN gets what was read and who ran.
	program_make checker <<-'X'
		#!/usr/bin/env python3
		import os, sys
		said = os.read(3, 9999)
		rest = os.read(3, 1)
		user, password, stamp, after = said.split(b'\0')
		seen = os.environ.get('MSA_X_SEEN')
		if seen:
		    fds = sorted(int(n) for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n))
		    open(seen, 'w').write('%s %s %s%s %s %s %s\n' % (user.decode(), stamp.isdigit(), len(said), after + rest, fds,
		        os.environ.get('TCPREMOTEIP'), sys.argv[1:]))
		if user == b'hang':
		    import time; time.sleep(1000)
		if user == b'killed':
		    os.kill(os.getpid(), 9)
		if user[:4] == b'exit':
		    sys.exit(int(user[4:]))
		if (user, password) in ((b'bob', b'pencil'), (b'alice@example.net', b'of-the-backend'), (b'locked', b'secret')):
		    os.execvp(sys.argv[1], sys.argv[1:])
		sys.exit(1)
	X
	chmod 755 "$T/checker" "$T/next"
	db=$T/users.cdb
	printf 'wonderland\n' | msa-passwd -i 4096 "$db" alice@example.net
	printf 'x\n' | msa-passwd "$db" locked
	msa-passwd -L "$db" locked
	phone=$(msa-passwd -g -n phone "$db" bob)
	mkdir "$T/sasl"
	printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN LOGIN SCRAM-SHA-256\n' \
		"$T/sasl/db" >"$T/sasl/msa.conf"
	for user in bob locked; do
		printf pencil | /usr/sbin/saslpasswd2 -p -c -f "$T/sasl/db" -u mx.example $user
	done
	chmod 755 "$T/sasl"
	chmod 644 "$T/sasl/db"
	asks="-k $T/checker"
	as_nobody=
	[ "$(id -u)" -ne 0 ] || as_nobody='-U nobody'
	# A server of Dovecot's protocol: says what stands in the files greeting and answer, and keeps what it hears.
	program_make doveserver <<-'X'
		#!/usr/bin/env python3
		import os, socket, sys, time
		path, greeting, answer, heard = sys.argv[1:]
		s = socket.socket(socket.AF_UNIX)
		s.bind(path + '~')
		os.chmod(path + '~', 0o666)
		s.listen()
		os.rename(path + '~', path)
		while True:
		    c = s.accept()[0]
		    c.settimeout(10)
		    text = b''
		    try:
		        c.sendall(open(greeting, 'rb').read())
		        while b'AUTH\t' not in text or not text.endswith(b'\n'):
		            part = c.recv(9999)
		            if not part: break
		            text += part
		        open(heard, 'wb').write(text)
		        said = open(answer, 'rb').read()
		        if said == b'silence': time.sleep(1000)
		        c.sendall(said)
		        c.shutdown(1)
		        c.recv(1)
		    except OSError:
		        pass
		    c.close()
	X
	printf 'VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n' >"$T/greeting"
	: >"$T/answer"
	"$T/doveserver" "$T/dove" "$T/greeting" "$T/answer" "$T/heard" &
	server=$!
	wait_until [ -S "$T/dove" ]
}

oneTimeTearDown() {
	[ -z "${server:-}" ] || kill "$server" 2>/dev/null
	server=
}

tearDown() {
	resident_stop_all
	assertFalse 'a credential in the log' "grep -q -e wonderland -e pencil -e of-the-backend -e '$phone' '$T/log'"
}

plain() { # authzid user password
	printf '%s\0%s\0%s' "$1" "$2" "$3" | base64 -w0
}

# The reply to a password by PLAIN, and the user that the next stage gets. usage: gives expected user password option ...
gives() {
	expected=$1 initial=$(plain '' "$2" "$3") gives_to=$2
	shift 3
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n%s' "$initial" "$(case $expected in "$yes"*) echo '<' ;; esac)" >"$T/script"
	# shellcheck disable=SC2086
	talk -t 60 authd $as_nobody -p "$@" "$T/next" <"$T/script" 2>"$T/log" | sed -n '/^250 /,$p' | sed 1d >"$T/out"
	printf '%s\n' "$expected" | assert_out "$gives_to"
}

test_a_checkpassword_program_decides() {
	gives "$yes
next bob" Bob pencil -k "$T/checker"
	assertContains "$(cat "$T/log")" 'authenticated user=bob mech=PLAIN ip=192.0.2.1'
	gives "$yes
next bob" bob pencil -k "$T/checker env"
	for who in bob nobody "$(printf '%0255d' 0)"; do
		gives "$no" "$who" wrong -k "$T/checker"
		assertContains "$(cat "$T/log")" 'reason="wrong user or password"'
	done
	printf '<\n> EHLO client.example\n<\n> AUTH LOGIN\n<\n> %s\n<\n> %s\n<\n<\n' "$(printf bob | base64)" \
		"$(printf pencil | base64)" >"$T/script"
	# shellcheck disable=SC2086
	talk -t 60 authd $as_nobody -p $asks "$T/next" <"$T/script" 2>"$T/log" | tail -n 2 >"$T/out"
	printf '%s\n' "$yes" 'next bob' | assert_out LOGIN
}

# As saslauthd does without -r: carol has as many names as there are domains.
test_a_program_that_drops_the_domain_is_not_asked_about_others_with_e() {
	program_make drops <<-'X'
		#!/bin/sh
		words=$(tr '\0' ' ' <&3)
		case $words in carol@*' secret '*) exec "$@" ;; esac
		exit 1
	X
	chmod 755 "$T/drops"
	gives "$yes
next carol@example.org" carol@example.org secret -r example.net -k "$T/drops"
	gives "$no" carol@example.org secret -e -r example.net -k "$T/drops"
	assertContains "$(cat "$T/log")" 'reason="not of the realm"'
	for who in carol carol@Example.NET; do
		gives "$yes
next carol@example.net" "$who" secret -e -r example.net -k "$T/drops"
	done
}

test_it_gets_the_three_words_and_no_descriptor_of_ours() {
	export MSA_X_SEEN="$T/run/seen"
	mkdir -p "$T/run"
	chmod 777 "$T/run"
	gives "$yes
next bob" bob pencil -k "$T/checker"
	length=$((3 + 1 + 6 + 1 + $(date +%s | tr -d '\n' | wc -c) + 1))
	echo "bob True ${length}b'' [0, 1, 2, 3] 192.0.2.1 ['true']" >"$T/want"
	assert_same 'what was seen' "$T/want" "$MSA_X_SEEN"
	rm -f "$MSA_X_SEEN"
	gives "$no" "$(printf '%0255d' 0)" "$(printf '%0250d' 0)" -k "$T/checker"
	assertFalse 'over 512 octets nothing is asked' "[ -e '$MSA_X_SEEN' ]"
	gives "$no" "$(printf '%0200d' 0)" "$(printf '%0299d' 0)" -k "$T/checker"
	assertContains '512 octets' "$(cat "$MSA_X_SEEN")" "512b''"
	unset MSA_X_SEEN
}

# Exit 1 is the one refusal. Nothing else says anything about the password, and nothing is let through.
test_whatever_is_no_answer_is_454() {
	while read -r who how; do
		gives "$later" "$who" pencil -k "$T/checker"
		assertContains "$who" "$(cat "$T/log")" " unanswered program=$T/checker why=\"$how\""
		assertContains "$who" "$(cat "$T/log")" 'failed mech=PLAIN reason="the back end does not answer"'
	done <<-X
		exit2 exit 2
		exit111 exit 111
		exit100 exit 100
		killed signal 9
	X
	gives "$later" bob pencil -k "$T/missing"
	assertContains "$(cat "$T/log")" 'why="exit 127"'
	gives "$no" exit1 pencil -k "$T/checker"
}

test_no_program_is_run_as_root() {
	needs root || return 0
	authd -k "$T/checker" true </dev/null 2>"$T/log"
	code=$?
	assertEquals '100 authd: -k: no program is run as root: -U is missing' "$code $(cat "$T/log")"
	as_nobody='-U root'
	gives "$later" bob pencil -k "$T/checker"
	as_nobody='-U nobody'
	assertContains "$(cat "$T/log")" "$T/checker: not run as root"
}

test_what_passwords_need_is_offered() {
	printf '<\n> EHLO client.example\n<\n> AUTH SCRAM-SHA-256 biwsbj1ib2Iscj14\n<\n' >"$T/script"
	# shellcheck disable=SC2086
	talk -t 60 authd $as_nobody -p $asks "$T/next" <"$T/script" 2>"$T/log" | sed -n '/^250 /,$p' >"$T/out"
	printf '%s\n' '250 AUTH PLAIN LOGIN' '504 5.5.4 Mechanism not supported' | assert_out
	# shellcheck disable=SC2086
	talk -t 60 authd $as_nobody -m SCRAM-SHA-256 -p $asks "$T/next" </dev/null >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/log")" 'no mechanism SCRAM-SHA-256'
}

# First the store, then the back end. $what is the options of the back end, $main the password there of bob.
store_first() {
	gives "$yes
next bob" bob "$phone" -u "$db" "$@"
	assertContains "$(cat "$T/log")" 'label=phone'
	gives "$yes
next bob" bob pencil -u "$db" "$@"
	assertNotContains "$(cat "$T/log")" 'label='
	gives "$no" bob wrong -u "$db" "$@"
	assertContains "$(cat "$T/log")" 'refused user=bob mech=PLAIN reason="wrong password"'
	gives "$yes
next alice@example.net" Alice@example.net wonderland -u "$db" "$@"
	gives "$no" nobody wrong -u "$db" "$@"
	assertContains "$(cat "$T/log")" 'refused mech=PLAIN reason="wrong user or password"'
}

test_the_store_comes_first() {
	store_first -k "$T/checker"
	gives "$yes
next alice@example.net" alice@example.net of-the-backend -u "$db" -k "$T/checker"
	gives "$later" exit111 wrong -u "$db" -k "$T/checker"
	store_first -s "$T/sasl/msa.conf"
}

test_a_user_who_is_locked_in_the_store_stays_out() {
	gives "$no" locked secret -u "$db" -k "$T/checker"
	assertContains "$(cat "$T/log")" 'refused user=locked mech=PLAIN reason="user is locked"'
	gives "$no" locked pencil -u "$db" -s "$T/sasl/msa.conf"
	assertContains "$(cat "$T/log")" 'refused user=locked mech=PLAIN reason="user is locked"'
	scram locked pencil authd -p -u "$db" -s "$T/sasl/msa.conf" true >"$T/out" 2>"$T/log"
	assertContains 'another mechanism' "$(cat "$T/log")" 'refused user=locked mech=SCRAM-SHA-256 reason="user is locked"'
	scram bob pencil authd -p -u "$db" -s "$T/sasl/msa.conf" true >"$T/out" 2>"$T/log"
	assertContains 'another mechanism' "$(cat "$T/log")" 'authenticated user=bob mech=SCRAM-SHA-256'
	msa-passwd -R "$db" locked
	gives "$yes
next locked" locked secret -u "$db" -k "$T/checker"
	msa-passwd -L "$db" locked
}

test_a_certificate_of_a_user_of_the_back_end() {
	hash=SHA256:$(printf '%064d' 1)
	for who in bob carol locked; do
		echo "$hash $who" | cdb -c -m "$T/certs.cdb"
		printf '<\n> EHLO client.example\n<\n> AUTH EXTERNAL =\n<\n' >"$T/script"
		# shellcheck disable=SC2086
		SSL_PROTOCOL=TLSv1.3 SSL_PEER_CERT_HASH=$hash talk -t 60 authd $as_nobody -c "$T/certs.cdb" -u "$db" $asks "$T/next" \
			<"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
		echo "$([ $who = locked ] && echo "$no" || echo "$yes")" | assert_out $who
	done
}

# What Dovecot's server says: usage: dovecot answer
answer() {
	printf "$1" >"$T/answer"
}

test_dovecots_protocol() {
	answer 'OK\t1\tnologin\tuser=Bob\n' # a name without a domain is the realm's
	SSL_PROTOCOL=TLSv1.3 gives "$yes
next bob@example.net" bob pencil -r example.net -D "$T/dove"
	printf 'VERSION\t1\t1\nCPID\t%s\nAUTH\t1\tPLAIN\tservice=smtp\tnologin\tsecured\tlip=192.0.2.2\trip=192.0.2.1\tresp=%s\n' \
		"$(sed -n 's/^CPID.//p' "$T/heard")" "$(plain '' bob@example.net pencil)" >"$T/want"
	assert_same heard "$T/want" "$T/heard"
	answer 'OK\t1\tuser=bob\n'
	TCPREMOTEIP=$(printf 'x\ty') gives "$yes
next bob" bob pencil -D "$T/dove"
	assertFalse 'in the clear, from no address' "grep -q -e secured -e rip= '$T/heard'"
	while IFS='|' read -r said reply why; do
		answer "$said"
		gives "$reply" bob pencil -D "$T/dove"
		assertContains "$said" "$(cat "$T/log")" "$why"
	done <<-X
		FAIL\t1\tuser=bob\n|$no|wrong user or password
		FAIL\t1\n|$no|wrong user or password
		FAIL\t1\tuser=bob\ttemp\n|$later|unanswered socket=$T/dove why="a temporary failure there"
		FAIL\t1\tuser=bob\tcode=temp_fail\n|$later|why="a temporary failure there"
		FAIL\t1\tuser=temp\tauthz\n|$no|wrong user or password
		OK\t1\n|$later|why="an answer without a user"
		OK\t1\tuser=\n|$no|mismatch socket=$T/dove why="the password is that of a user with another name there"
		OK\t1\tuser=bo\n|$no|mismatch
		OK\t1\tuser=bobby\n|$no|mismatch
		OK\t1\tuser=bob@example.net\n|$no|mismatch
		OK\t1\tuser=bob\001t\n|$no|mismatch
		CONT\t1\tabcd\n|$later|why="an answer that PLAIN does not have"
		OK\t2\tuser=bob\n|$later|why="the connection was closed"
		OK\t11\n|$later|why="the connection was closed"
		OKAY\t1\n|$later|why="the connection was closed"
		|$later|why="the connection was closed"
		OK\t1|$later|why="the connection was closed"
		$(printf '%09000d' 0)|$later|why="a line is too long"
	X
	answer 'NOTE\nMECH\tX\nFAIL\t2\nOK\t1\tuser=bob\n'
	gives "$yes
next bob" bob pencil -D "$T/dove"
	cp "$T/greeting" "$T/kept"
	answer 'OK\t1\tuser=bob\n'
	while IFS='|' read -r said why; do
		printf "$said" >"$T/greeting"
		rm -f "$T/heard"
		gives "$later" bob pencil -D "$T/dove"
		assertContains "$said" "$(cat "$T/log")" "$why"
		assertFalse 'no password is said' "grep -q AUTH '$T/heard'"
	done <<-X
		VERSION\t2\t0\nMECH\tPLAIN\nDONE\n|why="not Dovecot's protocol, version 1"
		VERSION\t10\t0\nMECH\tPLAIN\nDONE\n|why="not Dovecot's protocol, version 1"
		MECH\tPLAIN\nDONE\n|why="not Dovecot's protocol, version 1"
		VERSION\t1\t2\nMECH\tPLAINER\nDONE\n|why="no PLAIN there"
		VERSION\t1\t2\nMECH\tPLAIN\nDONE\nOK\t1\tuser=bob\n|why="an answer before the question"
	X
	mv "$T/kept" "$T/greeting"
	gives "$later" bob pencil -D "$T/nobody-listens"
	assertContains "$(cat "$T/log")" 'why="No such file or directory"'
	for path in dove "/$(printf '%0110d' 0)"; do
		authd -D "$path" true </dev/null 2>"$T/log"
		code=$?
		assertEquals "100 authd: $path: not the path of a socket" "$code $(cat "$T/log")"
	done
	answer 'OK\t1\tuser=bob\n'
	gives "$yes
next bob" bob "$phone" -u "$db" -D "$T/dove"
	assertContains "$(cat "$T/log")" label=phone
	gives "$no" locked pencil -u "$db" -D "$T/dove"
}

# With a realm, the server's users of other domains are others, and so is one of its users without a domain.
test_a_user_with_another_name_at_dovecot_is_refused() {
	answer 'OK\t1\tuser=carol\n'
	gives "$yes
next carol@example.net" carol pencil -r example.net -D "$T/dove"
	gives "$no" carol@evil.example pencil -r example.net -D "$T/dove"
	gives "$no" carol@example.net pencil -D "$T/dove"
	answer 'OK\t1\tuser=carol@example.net\n'
	gives "$no" carol pencil -D "$T/dove"
	gives "$no" alice*admin pencil -D "$T/dove"
}

# A server of LDAP says yes to an empty password, and means that nobody was authenticated.
test_no_back_end_is_asked_about_an_empty_password() {
	answer 'OK\t1\tuser=bob\n'
	for options in "$asks" "-D $T/dove"; do
		rm -f "$T/heard"
		# shellcheck disable=SC2086
		MSA_X_SEEN=$T/heard gives "$no" bob '' $options
		assertFalse "$options" "[ -e $T/heard ]"
	done
}

# Nothing is there to be called afterwards; but the password was asked about.
test_the_sandbox_lets_the_question_through() {
	answer 'OK\t1\tuser=bob\n'
	# shellcheck disable=SC2086
	resident_start authd authd $as_nobody -p -D "$T/dove" call "$T/nothing" || return
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(plain '' bob pencil)" >"$T/script"
	talk -t 60 call "$T/authd" <"$T/script" 2>"$T/log" | tail -n 1 >"$T/out"
	echo "$yes" | assert_out
	assertNotContains "$(cat "$T/authd.log")" ' lost '
}

test_residents_ask_them() {
	answer 'OK\t1\tuser=bob\n'
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n<\n' "$(plain '' bob pencil)" >"$T/script"
	for options in "$asks" "-D $T/dove"; do
		# shellcheck disable=SC2086
		resident_start authd authd $as_nobody -p $options "$T/next" || return
		talk -t 60 call "$T/authd" <"$T/script" 2>"$T/log" | tail -n 2 >"$T/out"
		printf '%s\n' "$yes" 'next bob' | assert_out "$options"
		resident_stop_all
	done
}

# shellcheck disable=SC1090
. "$SHUNIT2"
