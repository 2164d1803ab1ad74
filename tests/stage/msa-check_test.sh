#!/bin/sh
# msa-check: each kind of finding, and chains that are right: ours, those of README and of the examples. Nothing is
# changed by a check. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

# usage: table file key value ...
table() {
	table_file=$1
	shift
	while [ $# -gt 0 ]; do
		printf '+%d,%d:%s->%s\n' "${#1}" "${#2}" "$1" "$2"
		shift 2
	done >"$table_file.txt"
	echo >>"$table_file.txt"
	cdb -c "$table_file" "$table_file.txt"
	rm "$table_file.txt"
}

# $T/site: what a chain needs, all of it right.
oneTimeSetUp() {
	mkdir "$T/site" "$T/foreign"
	(
		cd "$T/site" || exit 1
		cert key.pem cert.pem /CN=localhost -days 90
		cert otherkey.pem othercert.pem /CN=localhost
		echo wonderland | msa-passwd users.cdb alice@example.net
		table senders.cdb alice@example.net alice@example.net
		table rules.cdb '' ''
		mkdir -m 700 limit spool penalties
		mkdir box
		echo 'alice:secret' >credentials
		chmod 600 credentials
	)
	for name in tcpserver softlimit s6-ipcserver-socketbinder s6-setuidgid chpst site-policy; do
		program_lines "foreign/$name" 'echo started >>'"$T/started"
	done
	PATH=$PATH:$T/foreign
	export PATH
}

setUp() {
	cd "$T/site" || return 1
}

# Only these findings, in this order, and the exit code that goes with them; standard input has them, without notes.
# usage: finds msa-check-argument ...
finds() {
	msa-check -q "$@" >"$T/out" 2>&1
	code=$?
	assert_out "$*"
	want=0
	[ ! -s "$T/want" ] || want=1
	assertEquals "$*" "$want" "$code"
}

test_a_chain_that_is_right_has_no_finding() {
	finds tlsd -c cert.pem -k key.pem authd -u users.cdb submitd limit -d limit -r 500/86400 \
		qualify -d example.net rights -s senders.cdb stamp bounce lmtp-inject /run/dovecot/lmtp </dev/null
	finds tlsd -l 0:465 -i -c cert.pem -k key.pem -x rules.cdb authd -p -u users.cdb \
		inline submitd qualify -d example.net stamp spool spool </dev/null
	finds submitd -r 'maildir-inject -n box' filter 'sed s/a/b/' filter 'cat | cat' maildir-inject box </dev/null
	finds spoold -r 'qualify -d example.net stamp lmtp-inject /s' spool smtp-inject -a credentials host.example </dev/null
	finds submit -f alice@example.net -r bob@example.org qualify -d example.net stamp trace -v maildir-inject box </dev/null
	finds resume -t 10 /bin/cat </dev/null
	finds tlsd -c cert.pem -k key.pem trace -v authd -u users.cdb submitd trace -v maildir-inject box </dev/null
	finds -m rewind envelope copy archive@example.net envelope refuse 1 '550 5.7.1 No' trace maildir-inject box </dev/null
	finds qualify -d example.net </dev/null
}

test_a_word_that_is_no_program() {
	finds submitd rigths -s senders.cdb stamp lmtp-inject /s <<-'X'
		error: submitd: rigths: no such program; did you mean rights?
	X
	finds tlsd -c cert.pem -k key.pem authd -u users.cdb submitd /nowhere/stage -x stamp maildir-injcet box <<-'X'
		error: submitd: /nowhere/stage: no such program; install it, or correct the word
		error: stamp: maildir-injcet: no such program; did you mean maildir-inject?
	X
	finds something-else <<-'X'
		error: msa-check: something-else: no such program; install it, or correct the word
	X
	: >"$T/site/plain"
	finds submitd ./plain stamp maildir-inject box <<-'X'
		error: submitd: ./plain: Permission denied; install it, or correct the word
	X
}

test_a_wrong_option_is_named_and_what_follows_is_checked_all_the_same() {
	USUAL='[-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user]'
	finds submitd -t 5x qualify -z foo -d net stamp -n lmtp-inject -i -1 -t 0 nohost <<-X
		error: submitd: -t 5x: not a number from 1 to 7200; see the page submitd(8)
		error: qualify: -z: no such option; usage: qualify [-c charset] [-d domain] [-k keywords] [-m] [-s add|replace] [-u table|all] [-D suffix -t table] $USUAL [prog [arg ...]]
		error: stamp: -n: no such option; usage: stamp [-ps] $USUAL [prog [arg ...]]
		error: lmtp-inject: -i -1: not a number from 0 to 86400; see the page lmtp-inject(8)
		error: lmtp-inject: -t 0: not a number from 1 to 86400; see the page lmtp-inject(8)
		error: lmtp-inject: nohost: neither host:port nor the path of a socket; see the page lmtp-inject(8)
	X
	finds submitd qualify -d net stamp maildir-inject box <<-'X'
		error: qualify: -d: not a fully qualified domain; see the page qualify(8)
	X
	finds submitd rights stamp maildir-inject box <<-X
		error: rights: words are missing, or do not fit together; usage: rights [-s senders] [-t recipients] [-g names|all] [-m domain ...] $USUAL prog [arg ...] | -n [-s senders] [-t recipients] [-g names|all] [-m domain ...] $USUAL | -q senders user address | -Q recipients [-m domain ...] user address
	X
	finds submitd qualify -d <<-X
		error: qualify: -d: its argument is missing; usage: qualify [-c charset] [-d domain] [-k keywords] [-m] [-s add|replace] [-u table|all] [-D suffix -t table] $USUAL [prog [arg ...]]
	X
	finds tlsd -t x -c cert.pem -k key.pem authd -a 0 -u users.cdb submitd maildir-inject box <<-'X'
		error: tlsd: -t: x: not a number from 1 to 3600; see the page tlsd(8)
		error: authd: -a 0: not a number from 1 to 100; see the page authd(8)
	X
	finds submit -f alice -r bob@example.org stamp maildir-inject box <<-'X'
		error: submit: alice: not an address; see the page submit(8)
	X
	finds -m envelope copy nobody stamp maildir-inject box <<-'X'
		error: envelope: words are missing, or do not fit together; usage: envelope [-n] [-f file] from | to | param key [number] | refuse number reply prog [arg ...] | copy address prog [arg ...]
	X
	finds inline submitd qualify -d net stamp -C 5 maildir-inject box <<-'X'
		error: qualify: -d: not a fully qualified domain; see the page qualify(8)
		error: stamp: has -A, -C, -l, -P, -R or -U, which only the first stage may have; see the page stamp(8)
	X
}

test_a_table_that_cannot_be_used() {
	echo text >text
	table bad.cdb alice@example.net nonsense
	finds submitd -D missing.cdb qualify -d example.net -u text rights -s text limit -d limit -t text stamp \
		route -t text maildir-inject box <<-'X'
		error: submitd: missing.cdb: No such file or directory; make it, or correct the path
		error: qualify: text: not a cdb file; make it with msa-table
		error: rights: text: not a cdb file; make it with msa-table
		error: limit: text: not a cdb file; make it with msa-table
		error: route: text: not a cdb file; make it with msa-table
	X
	finds rights -l "$T/r" -s bad.cdb maildir-inject box <<-'X'
		error: rights: bad.cdb: record of alice@example.net: nonsense: not an address, @domain, @.domain, &group, * or !; see the page rights(8)
	X
	finds tlsd -l 0:587 -x text -c cert.pem -k key.pem authd -c missing.cdb -u text submitd maildir-inject box <<-'X'
		error: tlsd: text: not a cdb file; make it with msa-table
		error: authd: text: open to everybody; chmod o= makes it private
	X
	chmod 600 text
	finds authd -u text submitd maildir-inject box <<-'X'
		error: authd: text: not a cdb; make it with msa-passwd
	X
}

test_a_store_without_users_or_with_one_who_has_no_password() {
	cp users.cdb none.cdb
	msa-passwd -d none.cdb alice@example.net
	finds authd -u none.cdb submitd maildir-inject box <<-'X'
		error: authd: none.cdb: no user is in it, so nobody can log in; msa-passwd adds one
	X
	{
		cdb -d users.cdb | sed '$d'
		printf '+15,0:bob@example.net->\n+17,1:carol@example.net->!\n\n'
	} | cdb -c without.cdb
	chmod 600 without.cdb
	finds authd -u without.cdb submitd maildir-inject box <<-'X'
		warning: authd: without.cdb: users without a password: 1; msa-passwd sets it, msa-passwd -d removes a user
	X
}

test_secrets_and_directories_that_are_open() {
	cp users.cdb open.cdb
	cp key.pem open.pem
	cp credentials open.text
	chmod 644 open.*
	mkdir -m 777 open
	mkdir -m 770 group
	chmod 777 open
	chmod 770 group
	finds tlsd -c cert.pem -k open.pem authd -u open.cdb submitd limit -d open -r 5/5 smtp-inject -a open.text h <<-'X'
		error: tlsd: open.pem: open to everybody; chmod o= makes it private
		error: authd: open.cdb: open to everybody; chmod o= makes it private
		error: limit: open: everybody may write to it; chmod o-w
		error: smtp-inject: open.text: open to everybody; chmod o= makes it private
	X
	finds tlsd -g open -c cert.pem -k key.pem authd -g open -u users.cdb submitd maildir-inject box <<-'X'
		error: tlsd: open: everybody may write to it; chmod o-w
		error: authd: open: everybody may write to it; chmod o-w
	X
	finds tlsd -g group -c cert.pem -k key.pem authd -g group -u users.cdb submitd maildir-inject box </dev/null
	assertEquals 'nothing is made' '' "$(ls group)"
	finds submitd spool group <<-'X'
		error: spool: group: its group may write to it; chmod g-w
	X
	finds submitd maildir-inject nowhere <<-'X'
		error: maildir-inject: nowhere: No such file or directory; make it, or correct the path
	X
	finds spoold nowhere lmtp-inject -s -c missing.pem h:24 <<-'X'
		error: spoold: nowhere: No such file or directory; make it, or correct the path
		error: lmtp-inject: missing.pem: No such file or directory; make it, or correct the path
	X
}

test_files_are_looked_at_with_the_uid_of_the_stage() {
	needs root || return 0
	chmod 755 "$T"
	mkdir -m 700 "$T/site/mine"
	finds authd -U nobody -u users.cdb submitd limit -d mine -r 5/5 spool spool <<-'X'
		error: limit: mine: Permission denied; let the user who runs limit read it, and write to it if it is a directory
		error: spool: spool: Permission denied; let the user who runs spool read it, and write to it if it is a directory
	X
	chmod 750 mine
	mkdir -m 755 readable
	cp senders.cdb readable
	chmod 600 readable/senders.cdb
	finds rights -l "$T/r" -U nobody -s readable/senders.cdb maildir-inject box <<-'X'
		warning: rights: readable/senders.cdb: user nobody cannot read it anew; let the user read it, or send SIGHUP after each change
		error: maildir-inject: box: Permission denied; let the user who runs maildir-inject read it, and write to it if it is a directory
	X
	finds -U nobody authd -u users.cdb submitd qualify -d example.net stamp lmtp-inject /s <<-'X'
		error: authd: users.cdb: Permission denied; let the user who runs authd read it, and write to it if it is a directory
	X
}

test_users_who_do_not_exist_and_a_second_U() {
	finds tlsd -l 0:587 -U nox1 -c cert.pem -k key.pem authd -U nox2 -A nox3 -u users.cdb submitd -U root stamp \
		maildir-inject -U nox5 box <<-'X'
		error: tlsd: nox1: no such user; make the user, or correct the name
		error: authd: nox3: no such user; make the user, or correct the name
		error: authd: nox2: no such user; make the user, or correct the name
		error: maildir-inject: nox5: no such user; make the user, or correct the name
	X
	needs root || return 0
	finds tlsd -U nobody -c cert.pem -k key.pem authd -U root -u users.cdb submitd stamp -U nobody maildir-inject box <<-'X'
		error: stamp: -U: a stage before it has taken another uid for good; give -U to one stage only, beside tlsd
	X
	finds -U nox stamp maildir-inject box <<-'X'
		error: msa-check: nox: no such user; make the user, or correct the name
	X
}

test_a_certificate_must_fit_its_key() {
	finds tlsd -c cert.pem -k otherkey.pem authd -u users.cdb submitd maildir-inject box <<-'X'
		error: tlsd: otherkey.pem: does not fit cert.pem: failed to load private key; name the key with which the certificate was made
	X
	finds tlsd -c missing.pem -k key.pem -q missing.ca authd -u users.cdb submitd maildir-inject box <<-'X'
		error: tlsd: missing.pem: No such file or directory; make it, or correct the path
	X
	finds tlsd -l nonsense -c cert.pem -k key.pem authd -u users.cdb submitd maildir-inject box <<-'X'
		error: tlsd: nonsense: not an address and a port; write 0:587, 192.0.2.1:587 or [::]:587
	X
}

# usage: finds_at second chain ...
finds_at() {
	BEGIN=$1
	shift
	clock_starts || return 1
	"$T/timed" msa-check -q "$@" >"$T/out" 2>&1
	assert_out "at $BEGIN"
}

test_a_certificate_that_ends_soon_or_has_ended() {
	needs plain || return 0
	from=$(date -d "$(openssl x509 -noout -startdate -in cert.pem | sed 's/.*=//')" +%s)
	to=$(date -d "$(openssl x509 -noout -enddate -in cert.pem | sed 's/.*=//')" +%s)
	set -- tlsd -c cert.pem -k key.pem authd -u users.cdb submitd maildir-inject box
	finds_at $((to - 14 * 86400)) "$@" </dev/null
	finds_at $((to - 14 * 86400 + 1)) "$@" <<-X
		warning: tlsd: cert.pem: ends on $(date -u -d "@$to" +%F); renew it
	X
	finds_at "$to" "$@" <<-X
		error: tlsd: cert.pem: ended on $(date -u -d "@$to" +%F); renew it
	X
	cat cert.pem othercert.pem >chained.pem
	finds tlsd -c chained.pem -k key.pem authd -u users.cdb submitd maildir-inject box <<-X
		warning: tlsd: chained.pem: ends on $(date -u -d "$(openssl x509 -noout -enddate -in othercert.pem | sed 's/.*=//')" +%F); renew it
	X
	finds_at $((from - 1)) "$@" <<-X
		error: tlsd: cert.pem: is not valid before $(date -u -d "@$from" +%F); wait, or set the clock
	X
}

test_the_order_of_the_stages() {
	finds authd -p -u users.cdb tlsd -c cert.pem -k key.pem submitd qualify -d example.net stamp maildir-inject box <<-'X'
		error: tlsd: stands after authd: passwords would come in the clear; put it before authd
	X
	finds submitd rights -s senders.cdb qualify -d example.net stamp maildir-inject box <<-'X'
		warning: qualify: stands after rights: rights would see addresses that are not complete; put it before rights
	X
	finds submitd stamp qualify -d example.net maildir-inject box <<-'X'
		warning: qualify: stands after stamp: Received is the last field that this server adds; put it before stamp
	X
	finds submitd filter cat limit -d limit -r 5/5 maildir-inject box <<-'X'
		warning: limit: stands after filter: a message over the limit would cost the filter's time; put it before filter
	X
	finds submitd milter 127.0.0.1:9 encode maildir-inject box <<-'X'
		warning: encode: stands after milter: encode would change what the milter has signed; put it before milter
	X
	table copies.cdb '*' archive@example.net
	finds submitd route -t rules.cdb bounce copy -t copies.cdb maildir-inject box <<-'X'
		warning: bounce: stands after route: bounce reports on the results of all chains only in front of them; put it before route
		warning: copy: stands after route: what goes to the other chains of route is not copied; put it before route
		warning: copy: stands after bounce: bounce fulfils the NOTIFY that copy adds only behind it; put it before bounce
	X
	table addresses.cdb .example.net example.net
	finds submitd bounce rewrite -t addresses.cdb qualify -d example.net maildir-inject box <<-'X'
		warning: rewrite: stands after bounce: bounce fulfils the ORCPT that rewrite adds only behind it; put it before bounce
		warning: qualify: stands after bounce: qualify would get the reports of bounce too; put it before bounce
	X
	table addresses.cdb alice@example.net al@example.net
	finds submitd rewrite -t addresses.cdb maildir-inject box <<-'X'
		error: rewrite: addresses.cdb: record of alice@example.net: a local part would change in a domain that -d does not name; see the page rewrite(8)
	X
	table copies.cdb '*' archive
	finds submitd copy -t copies.cdb maildir-inject box <<-'X'
		error: copy: copies.cdb: record of *: archive: not an address in ASCII; see the page copy(8)
	X
	openssl genrsa -out short.pem 1024 2>/dev/null
	chmod 600 short.pem
	table keys.cdb example.net "s:$PWD/short.pem"
	finds submitd dkim-sign -t keys.cdb rewrite -t addresses.cdb -d example.net qualify -d example.net maildir-inject box <<-X
		warning: dkim-sign: $PWD/short.pem: has 1024 bits, and verifiers may not trust so short a key; make a new key of 2048 bits, with a new selector
		warning: rewrite: stands after dkim-sign: rewrite would change what is signed; put it before dkim-sign
		warning: qualify: stands after dkim-sign: qualify would change what is signed; put it before dkim-sign
	X
	chmod 644 short.pem
	finds submitd dkim-sign -t keys.cdb maildir-inject box <<-X
		error: dkim-sign: keys.cdb: record of example.net: $PWD/short.pem: open to everybody; chmod o= makes it private
	X
	mkdir -p keys/private-keys-v1.d
	printf '\000\000\000\040\001\001\000\000KBXf%020d' 0 >keys/pubring.kbx
	: >keys/private-keys-v1.d/A.key
	finds submitd encode -k SIZE encrypt -k keys qualify -d example.net maildir-inject box <<-'X'
		warning: encrypt: keys: has private keys; export the public keys to a directory of their own
		warning: encrypt: stands after encode: encode would change or refuse what is encrypted afterwards; put it before encode
		warning: qualify: stands after encrypt: encrypt would look for the keys of addresses that are not complete; put it before encrypt
	X
	finds submitd route -t rules.cdb bounce stamp maildir-inject box <<-'X'
		warning: bounce: stands after route: bounce reports on the results of all chains only in front of them; put it before route
		warning: stamp: stands after bounce: stamp would get the reports of bounce too; put it before bounce
	X
	finds tlsd -c cert.pem -k key.pem qualify -d example.net stamp maildir-inject box <<-'X'
		error: qualify: serves a message, but stands in the chain of a session; put it after submitd
	X
	finds qualify -d example.net stamp maildir-inject box <<-'X'
		error: qualify: stamp: MSA_MESSAGE is not set: not in a chain (submit starts one); put submit in front, or give msa-check -m for a part of a chain
	X
	finds submitd authd -u users.cdb stamp maildir-inject box <<-'X'
		error: authd: serves a session, but stands in the chain of a message; put it before submitd
	X
	finds submitd qualify -d example.net stamp <<-'X'
		error: stamp: nothing follows, and it does not deliver; put an injector or spool at the end
	X
	finds submitd lmtp-inject -n /s <<-'X'
		error: lmtp-inject: -n only checks the recipients: nothing is delivered; leave -n out
	X
	finds submitd spool -p spool <<-'X'
		error: spool: has an option that prints something and ends; leave that option out
	X
	finds tlsd -c cert.pem -k key.pem authd -l "$T/a" -u users.cdb submitd maildir-inject box <<-'X'
		error: authd: -l: a resident cannot be started in a chain; start the resident on its own, and write call and its path here
	X
}

test_a_resident_that_cannot_be_called() {
	rm -rf "$T/dead"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/dead"
	finds submitd call "$T/none" <<-X
		error: submitd: $T/none: No such file or directory; start the resident that listens there, or correct the path
	X
	finds tlsd -c cert.pem -k key.pem call "$T/dead" <<-X
		error: tlsd: $T/dead: nobody listens there; start the resident that listens there
	X
	finds -m site-policy call "$T/site/limit" <<-X
		error: call: $T/site/limit: not a socket; name the socket of a resident
	X
}

test_a_resident_sees_nothing_of_the_check_that_finds_it() {
	: >"$T/ready"
	maildir-inject -l "$T/resident" -R 3 box 3>"$T/ready" 2>"$T/log" &
	pid=$!
	wait_until [ -s "$T/ready" ]
	finds submitd qualify -d example.net stamp call "$T/resident" </dev/null
	finds submitd -r "call $T/resident" route -t rules.cdb call "$T/resident" </dev/null
	kill "$pid"
	wait "$pid"
	assertEquals "$(cat "$T/log")" 'maildir-inject: - ready maildir-inject: - stopped ' \
		"$(sed 's/ socket=.*//' "$T/log" | tr '\n' ' ')"
}

test_chains_that_a_table_or_an_option_names() {
	mkdir -p ways
	program_lines site/ways/relay 'exec "$@"'
	table routes.cdb example.org relay example.com norelay example.net /nowhere/socket example.edu ./relay example.info ''
	finds submitd -r 'lmtp-injcet -n /s' route -d ways -t routes.cdb maildir-inject box <<-'X'
		error: route: routes.cdb: record of example.edu: neither a path nor the name of a program: ./relay; correct it
		error: submitd -r: lmtp-injcet: no such program; did you mean lmtp-inject?
		error: route: routes.cdb: record of example.com: ways/norelay: no such program; install it, or correct the word
		error: route: routes.cdb: record of example.net: call: /nowhere/socket: No such file or directory; start the resident that listens there, or correct the path
	X
	finds spoold -r 'qualify -d example.net stamp' spool filter 'no-such-filter -x' maildir-inject box <<-'X'
		error: filter: no-such-filter: no such program; install it, or correct the word
		error: spoold -r: stamp: nothing follows, and it does not deliver; put an injector or spool at the end
	X
}

test_what_is_not_ours_is_looked_for_and_not_started() {
	rm -f "$T/started"
	msa-check tcpserver -HR 0 587 tlsd -c cert.pem -k key.pem authd -u users.cdb submitd site-policy stamp \
		maildir-inject box >"$T/out" 2>&1
	code=$?
	assert_out 'notes' <<-'X'
		note: tcpserver: not a program of ours, so these words are not checked: -HR 0 587
		note: site-policy: not a program of ours
	X
	assertEquals 0 "$code"
	assertFalse 'nothing was started' "[ -e $T/started ]"
	finds tcpserver -HR 0 587 tlsd -c cert.pem -k otherkey.pem /bin/cat <<-'X'
		error: tlsd: otherkey.pem: does not fit cert.pem: failed to load private key; name the key with which the certificate was made
	X
}

test_next_hops_are_asked_only_with_n() {
	lmtpd_start -n 1
	finds -n submitd stamp lmtp-inject "$T/s" </dev/null
	lmtpd_ended
	finds submitd stamp lmtp-inject "$T/nobody" </dev/null
	finds -n inline submitd stamp lmtp-inject "$T/nobody" <<-X
		error: lmtp-inject: $T/nobody: does not answer LHLO: at=connect reason="No such file or directory"; start that server, or correct its address
	X
	port=$(port_free)
	finds -n submitd smtp-inject -p "127.0.0.1:$port" <<-X
		error: smtp-inject: 127.0.0.1:$port: does not answer EHLO: at=connect reason="Connection refused"; start that server, or correct its address
	X
}

test_variables_of_the_operator() {
	export DATABYTES=5x
	finds submitd maildir-inject box <<-'X'
		error: submitd: DATABYTES: invalid, so that each client gets 421; chain(7) says what it may be
	X
	unset DATABYTES
	export MSA_EHLO="@$T/offers,DSN"
	finds submitd maildir-inject box </dev/null
	echo 'not a keyword' >"$T/offers"
	chmod 666 "$T/offers"
	finds submitd maildir-inject box <<-X
		error: submitd: MSA_EHLO: $T/offers: everybody may write to it; chmod o-w
	X
	unset MSA_EHLO
	rm "$T/offers"
}

test_command_lines_that_belong_together() {
	set -- tlsd -l 0:587 -c cert.pem -k key.pem call "$T/a" , authd -l "$T/a" -u users.cdb call "$T/s" ,
	finds -e , "$@" submitd -l "$T/s" -P 1:1000 qualify -d example.net call "$T/t" , stamp -l "$T/t" maildir-inject box \
		</dev/null
	finds -e , "$@" submitd -l "$T/s" -P 1:1000 stamp call "$T/t" , qualify -l "$T/t" -d example.net maildir-inject box ,\
		limit -l "$T/u" -d limit -r 5/5 maildir-inject box <<-X
		warning: qualify: stands after stamp: Received is the last field that this server adds; put it before stamp
		warning: limit: $T/u: nothing calls this resident; write call and this path where it belongs, or leave it out
	X
	finds -e , "$@" tlsd -l 0:465 -i -c cert.pem -k key.pem call "$T/a" , submitd -l "$T/s" maildir-inject box <<-'X'
		warning: submitd: 500 workers at most, but tlsd lets 2000 connections through; give it -P 1:2000, or tlsd a lower -m and -e
	X
	finds -e , "$@" tlsd -l 0:465 -e 251 -c cert.pem -k key.pem call "$T/a" , submitd -P 1:2000 -l "$T/s" maildir-inject box \
		<<-'X'
		warning: authd: 500 workers at most, but tlsd lets 501 connections through; give it -P 1:501, or tlsd a lower -m and -e
	X
	finds -e , -U nobody submitd call "$T/t" , -U nobody qualify -l "$T/t" -d example.net call "$T/u" , -U daemon \
		stamp -l "$T/u" call "$T/v" , lmtp-inject -l "$T/v" -U bin -A nobody /s <<-'X'
		error: stamp: refuses the calls of qualify, whose user is nobody; give it -A nobody
		error: lmtp-inject: refuses the calls of stamp, whose user is daemon; give it -A daemon
	X
	# Which groups a caller has is known when it runs.
	finds -e , -U nobody submitd call "$T/v" , lmtp-inject -l "$T/v" -U bin -A @daemon /s <<-'X'
	X
	finds -e , authd -l "$T/a" -u users.cdb call "$T/a" <<-'X'
		error: authd: stands after authd: the user is known already; leave one of them out
	X
}

test_wrong_use() {
	for words in '' -z '-e , stamp ,' '-e , stamp , , stamp' '-e , stamp , -n stamp' -m; do
		# shellcheck disable=SC2086
		msa-check $words >"$T/out" 2>"$T/err"
		code=$?
		assertEquals "$words" 100 "$code"
		assertEquals "$words" 'usage: msa-check [-mnq] [-e separator] [-U user] word ... [separator ...]' "$(cat "$T/err")"
	done
}

# What a check could leave behind: files, and what a program that is started writes.
test_nothing_is_made() {
	rm -rf "$T/clean"
	mkdir -m 700 "$T/clean" "$T/clean/spool" "$T/clean/limit" "$T/clean/box"
	cp cert.pem key.pem users.cdb "$T/clean"
	cd "$T/clean" || return 1
	find . | sort >"$T/before"
	finds tlsd -l 0:587 -c cert.pem -k key.pem authd -u users.cdb submitd limit -d limit -r 5/5 stamp spool spool </dev/null
	finds submitd -l "$T/clean/submitd" maildir-inject box </dev/null
	finds spoold spool stamp maildir-inject box </dev/null
	finds -m lmtp-inject -o "$T/clean/offers" /s </dev/null
	find . | sort >"$T/out"
	assert_same 'no file more' "$T/before" "$T/out"
}

# The command lines of a file, one a line: continued lines joined, up to a comment or a full stop.
# usage: chains file
chains() {
	sed -e 's/^[[:space:]]*//' -e 's/^ExecStart=//' -e 's/^exec //' "$1" |
		sed -e :a -e '/\\$/{N' -e 's/\\\n[[:space:]]*/ /' -e ba -e '}' | sed 's/^serve "[^ ]*" [a-z]* *//' |
		grep -E '^([^ ]*/)?(softlimit|tcpserver|s6-ipcserver-socketbinder|chpst|tlsd|authd|submitd|stamp|qualify|lmtp-inject) ' |
		grep -E ' (lmtp-inject|call|stamp) |^([^ ]*/)?lmtp-inject '
}

# Those lines as they are on this machine: files in $T/site, users that there are. usage: localize <chains
localize() {
	sed -e "s|/run/msa-offers/lmtp|$T/site/offers|; s|/run/msa/offers|$T/site/offers|" -e "s|/etc/msa/|$T/site/|g" -e "s|/var/lib/msa/\([lp]\)|$T/site/\1|g" -e "s|[^ ]*/bin/tlsd|tlsd|" \
		-e "s|[^ ]*/bin/\([a-z-]*\) |\1 |" -e "s/-\([AU]\) msa[a-z-]*/-\1 $(id -un)/g" -e 's/ \.\.\.$/ maildir-inject box/'
}

# Check a chain that a shell would read. usage: assert_right where chain
assert_right() {
	(
		set -- 0 587
		MSA_HOST=localhost dir=$T/site domain=example.net users=$T/site/users.cdb
		submission_port=0 submissions_port=0
		export MSA_HOST dir domain users submission_port submissions_port
		case $chain in
		*'stamp "$@"') set -- maildir-inject box ;;
		*'tlsd "$@"'*) set -- ;;
		esac
		eval "set -- $chain"
		msa-check -q "$@"
	) >"$T/out" 2>&1
	code=$?
	assertEquals "$1: $chain: $(cat "$T/out")" 0 "$code"
}

test_every_chain_of_README_and_of_the_examples_is_right() {
	n=0
	for file in "$ROOT/README.md" "$ROOT"/examples/quickstart/run "$ROOT"/examples/tcpserver/run \
		"$ROOT"/examples/inetd/session "$ROOT"/examples/systemd/exec/*.service; do
		chains "$file" | localize >"$T/chains"
		[ -s "$T/chains" ] || fail "no chain in $file"
		while read -r chain; do
			case $chain in
			*'->'* | *'3>'* | *' -k -t '*) continue ;; # the drawing; a resident that tells when it is ready; a question
			esac
			assert_right "$file"
			n=$((n + 1))
		done <"$T/chains"
	done
	assertEquals 'chains that were found' 8 "$n"
}

# Residents that belong together: where systemd listens for them, their -l is the path.
test_the_service_of_residents_in_the_examples_is_right() {
	set --
	n=0
	for file in "$ROOT"/examples/systemd/resident/*.service; do
		path=
		[ ! -f "${file%.service}.socket" ] || path=$(sed -n 's/^ListenStream=//p' "${file%.service}.socket")
		chain=$(chains "$file" | localize)
		case $path in
		/*) chain=$(echo "$chain" | sed "s| -l 0 | -l $path |") ;;
		esac
		[ $n = 0 ] || set -- "$@" ,
		# shellcheck disable=SC2086
		set -- "$@" $chain
		n=$((n + 1))
	done
	assertEquals 'command lines' 7 "$n"
	finds -e , "$@" </dev/null
}

. "$SHUNIT2"
