#!/bin/sh
# examples/servers-behind, as it stands but for paths, ports and users, and where each server has its queue: Postfix's
# sendmail -bs, Exim's -bs and mailfront take what swaks submits. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

PATH=$PATH:/usr/sbin
pid=''

oneTimeSetUp() {
	example_prepare tcpserver mailfront
	[ -z "$READY" ] || cp "$(command -v resume)" "$T/bin"
}

oneTimeTearDown() {
	example_end
}

tearDown() {
	[ -z "$pid" ] || {
		kill "$pid"
		wait "$pid"
	}
	pid=''
}

# Start the example. usage: servers_start name sed-option ...
servers_start() {
	name=$1
	shift
	example_copy servers-behind "$@"
	PORT=$(port_free)
	"$T/servers-behind/run" 127.0.0.1 "$PORT" "$name" 2>"$T/log" &
	pid=$!
	wait_until port_accepts "$PORT"
}

# What swaks said is in $T/swaks. usage: submit swaks-option ...
submit() {
	printf 'From: alice@example.net\nSubject: behind\nMessage-ID: <1@client.example>\n\nline\n.dot\n' |
		swaks --server 127.0.0.1 --port "$PORT" --tls --from alice@example.net --to b@example.org,c@example.org --data - "$@" >"$T/swaks" 2>&1
}

# Alice's message is taken, and nobody's without a login; nothing that was promised is missing.
assert_taken() {
	submit
	assertContains "$(cat "$T/swaks")" '<~* 530 5.7.0 '
	submit --auth PLAIN --auth-user alice@example.net --auth-password wonderland
	code=$?
	assertEquals "swaks: $(cat "$T/swaks" "$T/log")" 0 "$code"
	assertNotContains "$(cat "$T/log")" ' lacks'
	assertEquals 'one greeting' 1 "$(grep -c '^<. *220 .* ESMTP' "$T/swaks")"
}

test_postfix() {
	needs root postdrop || return 0
	example_ready || return 0
	mkdir -p "$T/postfix" "$T/spool/maildrop" "$T/spool/public" "$T/spool/pid" "$T/data"
	chown postfix:postdrop "$T/spool/maildrop" "$T/spool/public"
	chmod 730 "$T/spool/maildrop"
	printf '%s\n' 'compatibility_level = 3.6' "queue_directory = $T/spool" "data_directory = $T/data" 'myhostname = postfix.example.net' \
		'mydestination =' 'alias_maps =' 'local_recipient_maps =' 'inet_protocols = ipv4' >"$T/postfix/main.cf"
	: >"$T/postfix/master.cf"
	# Postfix takes a configuration of root's alone from the environment.
	servers_start postfix -e 's/authd -U nobody /authd /' -e "s|-- sendmail|-- env MAIL_CONFIG=$T/postfix sendmail|"
	assert_taken
	postcat -c "$T/postfix" "$T/spool/maildrop"/* >"$T/got" 2>&1
	assertEquals 'in the maildrop' 'recipient: b@example.org recipient: c@example.org' "$(grep '^recipient:' "$T/got" | paste -sd ' ')"
	assertTrue 'the text' "grep -qx .dot '$T/got'"
}

test_exim() {
	needs root mount || return 0
	example_ready || return 0
	why=$(exim-smarthost check '' '' '' '') || {
		skip "$why"
		return 0
	}
	exim=/usr/sbin/exim4
	[ -x "$exim" ] || exim=$ROOT/bin/peers/exim/usr/sbin/exim4
	mkdir "$T/exim"
	cp "$exim" "$T/exim/exim4"
	{ grep -v '^Debian-exim:' /etc/passwd; echo 'Debian-exim:x:8:8::/:/bin/false'; } >"$T/exim/passwd"
	{ grep -v '^Debian-exim:' /etc/group; echo 'Debian-exim:x:8:'; } >"$T/exim/group"
	cat >"$T/exim/conf" <<-X
		exim_path = $T/exim/exim4
		exim_user = mail
		exim_group = mail
		spool_directory = $T/exim/spool
		log_file_path = $T/exim/%slog
		primary_hostname = exim.test
		queue_only = true
		keep_environment =
		acl_smtp_rcpt = rcpt
		begin acl
		rcpt:
		  accept hosts = :
		begin routers
		all:
		  driver = accept
		  transport = none
		begin transports
		none:
		  driver = appendfile
		  file = /dev/null
	X
	mkdir "$T/exim/spool"
	chown -R mail:mail "$T/exim"
	chown root:root "$T/exim/conf"
	# A view of its own of /etc/passwd: Debian's Exim wants a user of that name to be there.
	program_lines exim/exim-bs "exec unshare -m sh -c 'mount --bind $T/exim/passwd /etc/passwd && mount --bind $T/exim/group /etc/group &&
		exec $T/exim/exim4 -C $T/exim/conf -bs'"
	servers_start exim -e 's/authd -U nobody /authd /' -e "s|-- exim4 -bs|-- $T/exim/exim-bs|"
	assert_taken
	cat "$T/exim/spool/input"/*-H >"$T/got"
	assertEquals 'in the queue' 'b@example.org c@example.org' "$(grep -x '[bc]@example.org' "$T/got" | paste -sd ' ')"
	assertTrue 'the text' "grep -qx .dot '$T/exim/spool/input/'*-D"
}

test_mailfront() {
	needs mailfront || return 0
	example_ready || return 0
	mkdir -m 777 "$T/queued"
	program_lines bin/queue "cat >$T/queued/message" "tr '\\0' '\\n' <&1 >$T/queued/envelope"
	servers_start mailfront -e "s|RELAYCLIENT= mailfront|RELAYCLIENT= QMAILHOME=$T QMAILQUEUE=$T/bin/queue mailfront|"
	assert_taken
	assertEquals 'the envelope' 'Falice@example.net Tb@example.org Tc@example.org' "$(grep . "$T/queued/envelope" | paste -sd ' ')"
	assertTrue 'the text' "grep -qx .dot '$T/queued/message'"
	"$T/servers-behind/run" 127.0.0.1 "$PORT" sendmail 2>"$T/log"
	assertEquals 'another name' 100 $?
}

# shellcheck source=/dev/null
. "$SHUNIT2"
