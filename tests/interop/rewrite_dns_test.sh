#!/bin/sh
# rewrite -c asks unbound, a resolver that is not ours, for what domains are aliases. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	PATH=$PATH:/usr/sbin
	server_pid=
	has unbound || return 0
	port=$(port_free)
	mkfifo "$T/fifo"
	zone >"$T/unbound.conf"
	unbound -d -c "$T/unbound.conf" >"$T/unbound.log" 2>&1 &
	server_pid=$!
	wait_until port_accepts "$port"
	program_make next <<-'X'
		#!/bin/sh
		cat <&3 >"$T/got.env"
		cat >"$T/got.msg"
		[ ! -e "$T/answer" ] || { cat "$T/answer"; exit; }
		echo '250 2.0.0 taken'
	X
	printf '%s\n' '.example.net example.net' 'old.example www.alias.example' | cdb -c -m -t "$T/table.tmp" "$T/table.cdb"
}

oneTimeTearDown() {
	[ -z "$server_pid" ] || kill "$server_pid"
}

setUp() {
	rm -f "$T"/got.* "$T/log" "$T/answer"
	chain_message 'From: a@www.alias.example\r\nTo: b@x.alias.example\r\n\r\na@www.alias.example\r\n'
}

tearDown() {
	resident_stop_all
}

# The whole DNS of these tests: nothing is asked of the Internet.
zone() {
	cat <<-X
		server:
		    interface: 127.0.0.1@$port
		    username: ""
		    chroot: ""
		    directory: "$T"
		    pidfile: ""
		    use-syslog: no
		    module-config: "iterator"
		    local-zone: "example." static
		    local-zone: "alias.example." transparent
		    local-data: "www.alias.example. CNAME Host.Target.Example."
		    local-data: "host.target.example. MX 10 mx.target.example."
		    local-data: "two.alias.example. CNAME www.alias.example."
		    local-data: "plain.alias.example. A 192.0.2.1"
		    local-data: "lost.alias.example. CNAME nowhere.target.example."
		    local-data: "a.loop.alias.example. CNAME b.loop.alias.example."
		    local-data: "b.loop.alias.example. CNAME a.loop.alias.example."
		    local-data: "label.alias.example. CNAME localhost."
		    local-data: "localhost. A 127.0.0.1"
		    local-data: "odd.alias.example. CNAME _x.target.example."
		    local-data: "_x.target.example. A 192.0.2.1"
		    local-data: "back.alias.example. CNAME host.example.net."
		    local-zone: "example.net." static
		    local-data: "host.example.net. A 192.0.2.1"
		    local-zone: "gone.alias.example." always_nxdomain
		    local-zone: "no.alias.example." always_refuse
		    local-zone: "cut.alias.example." always_deny
		    local-zone: "broken.alias.example." transparent
		forward-zone:
		    name: "broken.alias.example."
		    forward-addr: 127.0.0.1@$port
	X
}

# usage: resolved [NAME=value ...]
resolved() {
	chain_call "$@" rewrite -c .alias.example -c alias.example -r "127.0.0.1:$port" "$T/next"
}

test_aliases_of_listed_domains_become_the_names_they_stand_for() {
	needs unbound || return 0
	chain_message 'From: "A" <a@www.alias.example>\r\nTo: b@TWO.alias.example,\r\n c@plain.alias.example, d@www.other.example\r\n\r\na@www.alias.example\r\n'
	chain_envelope '<a@www.alias.example> BODY=8BITMIME' 'RCPT TO:<"b b"@two.alias.example>' \
		'RCPT TO:<c@plain.alias.example>' 'RCPT TO:<d@www.other.example>' 'COPY TO:<e@www.alias.example>'
	resolved MSA_PARTIAL= MSA_EHLO=DSN
	assertEquals 'exit code' 0 "$code"
	cat >"$T/expected" <<-'X'
		MAIL FROM:<a@host.target.example> BODY=8BITMIME
		RCPT TO:<"b b"@host.target.example> ORCPT=rfc822;"b+20b"@two.alias.example
		RCPT TO:<c@plain.alias.example>
		RCPT TO:<d@www.other.example>
		COPY TO:<e@www.alias.example>
	X
	assert_same 'envelope' "$T/expected" "$T/got.env"
	printf 'From: "A" <a@host.target.example>\r\nTo: b@host.target.example,\r\n c@plain.alias.example, d@www.other.example\r\n\r\na@www.alias.example\r\n' \
		>"$T/expected"
	assert_same 'message' "$T/expected" "$T/got.msg"
	assert_logged '^rewrite: S/M done changed=MAIL,RCPT,From,To addresses="a@www.alias.example>a@host.target.example [^"]*" ms=[0-9]*$'
	cp "$T/got.msg" "$T/msg"
	cp "$T/got.env" "$T/env"
	resolved MSA_PARTIAL= MSA_EHLO=DSN
	assert_same 'a second run: envelope' "$T/env" "$T/got.env"
	assert_same 'a second run: message' "$T/msg" "$T/got.msg"
}

# usage: stays domain reason
stays() {
	chain_message "From: a@$1\r\n\r\nx\r\n"
	chain_envelope "<a@$1>" "RCPT TO:<b@$1>"
	resolved MSA_DEADLINE=$(($(date +%s) + 8))
	assertEquals "$1: verdict" '250 2.0.0 taken' "$(cat "$T/verdict")"
	assert_same "$1: envelope" "$T/env" "$T/got.env"
	assert_same "$1: message" "$T/msg" "$T/got.msg"
	assertEquals "$1: log" "rewrite: S/M done unresolved=$1:$2" "$(sed 's/ ms=[0-9]*$//' "$T/log")"
}

test_an_answer_that_is_no_use_changes_nothing() {
	needs unbound || return 0
	stays gone.alias.example NXDOMAIN
	stays lost.alias.example NXDOMAIN
	stays no.alias.example REFUSED
	stays broken.alias.example SERVFAIL
	stays a.loop.alias.example loop
	stays label.alias.example invalid-name
	stays odd.alias.example invalid-name
	stays cut.alias.example no-answer
	resolver=$port port=$(port_free)
	stays www.alias.example no-answer
	python3 -c "import socket, sys; s = socket.create_server(('127.0.0.1', $port)); sys.stdin.read()" <"$T/fifo" &
	exec 9>"$T/fifo"
	wait_until port_accepts "$port"
	stays www.alias.example timeout
	exec 9>&-
	wait $!
	port=$resolver
}

test_the_table_comes_first_and_counts_for_the_result() {
	needs unbound || return 0
	for pair in 'a@old.example: a@host.target.example, by old.example, CNAME' \
		'a@www.alias.example: a@host.target.example, by CNAME' 'a@plain.alias.example: unchanged' \
		'a@x.example.net: a@example.net, by .example.net' 'a@other.example: unchanged' \
		'a@back.alias.example: unchanged (back.alias.example:in-table)'; do
		assertEquals "$pair" "$pair" "$(rewrite -q "$T/table.cdb" -c .alias.example -r "127.0.0.1:$port" "${pair%%: *}" 2>&1)"
	done
}

test_the_answer_names_the_alias() {
	needs unbound || return 0
	chain_envelope '<a@far.example>' 'RCPT TO:<b@www.alias.example>'
	echo '550 5.1.1 <b@host.target.example>: no such user' >"$T/answer"
	resolved
	assert_verdict 'the name that the client gave' '550 5.1.1 <b@www.alias.example>: no such user'
}

test_a_resident_asks_from_its_sandbox() {
	needs unbound || return 0
	mkdir -p "$T/box/b@host.target.example/new" "$T/box/b@host.target.example/cur" "$T/box/b@host.target.example/tmp"
	resident_start taker maildir-inject "$T/box"
	resident_start aliases rewrite -c .alias.example -r "127.0.0.1:$port" call "$T/taker"
	chain_envelope '<a@www.alias.example>' 'RCPT TO:<b@www.alias.example>'
	for round in 1 2; do
		chain_call call "$T/aliases"
		assert_verdict "message $round" '250 2.0.0 Delivered'
	done
	assertEquals 'delivered to the name' 2 "$(find "$T/box" -type f | wc -l)"
}

test_words_that_cannot_be_used() {
	for words in '-c bad_domain' '-c a.example -r localhost:53' '-c a.example -r 127.0.0.1:x' '-r 127.0.0.1' \
		'-c a.example -s senders.cdb' '-c a.example -d b.example'; do
		# shellcheck disable=SC2086
		printf 'X: y\n\n' | rewrite $words >/dev/null 2>"$T/err"
		code=$?
		assertEquals "$words: $(cat "$T/err")" 100 "$code"
	done
}

. "$SHUNIT2"
