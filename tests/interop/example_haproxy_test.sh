#!/bin/sh
# examples/haproxy, as it stands but for paths, ports and users: HAProxy, two nodes, one Redis, one LDAP. A node is killed while clients
# send: nothing that a client has a 250 for is lost. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/example.sh
. "$ROOT/tests/lib/example.sh"

PATH=$PATH:/usr/sbin
pids=''

oneTimeSetUp() {
	example_prepare haproxy redis-server /usr/sbin/slapd /usr/sbin/saslauthd
	[ -n "$READY" ] || return 0
	for program in inline limit maildir-inject; do
		cp "$(command -v "$program")" "$T/bin"
	done
	mkdir "$T/mail" "$T/run1" "$T/run2"
	chown sys "$T/mail"
	chmod 755 "$T/run1" "$T/run2"
	echo 'secret of redis' >"$T/etc/redis.secret"
	chmod 600 "$T/etc/redis.secret"
	node1=$(port_free) node2=$(port_free) redis=$(port_free) PORT=$(port_free) ldap=$(port_free)
	redis-server --port "$redis" --bind 127.0.0.1 --requirepass 'secret of redis' --save '' --appendonly no --dir "$T" >"$T/redis.log" 2>&1 &
	pids="$pids $!"
	example_copy haproxy -e "s|redis.example.net:6379|127.0.0.1:$redis|" -e "s|lmtp-inject lmtp.example.net:24|maildir-inject $T/mail|" \
		-e 's/192.0.2.10 /127.0.0.1 /' -e "s/192.0.2.11:587/127.0.0.1:$node1/" -e "s/192.0.2.12:587/127.0.0.1:$node2/" \
		-e "s/bind :587/bind 127.0.0.1:$PORT/" -e 's/inter 2s/inter 200ms/' -e 's/check 5s/check 60s/' -e 's/leastconn/roundrobin/' \
		-e "s|/run/saslauthd|$T/sasl|" -e "s|ldap.example.net|127.0.0.1:$ldap|"
	cp "$T/haproxy/sasl.conf" "$T/etc"
	accounts_start
	for node in 1 2; do
		sed -e "s|$T/run/|$T/run$node/|g" -e "s/mail.example.net/node$node.example.net/" "$T/haproxy/node" >"$T/haproxy/node$node"
		chmod 755 "$T/haproxy/node$node"
	done
	wait_until port_accepts "$redis"
	node_start 1 "$node1"
	node_start 2 "$node2"
	wait_until port_accepts "$node1"
	wait_until port_accepts "$node2"
	haproxy -db -f "$T/haproxy/haproxy.cfg" >"$T/haproxy.log" 2>&1 & # now: a node that is not there yet would be left out
	pids="$pids $!"
	wait_until port_accepts "$PORT"
}

oneTimeTearDown() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	pids=''
	example_end
}

# The directory with both users, and a saslauthd for both nodes.
accounts_start() {
	mkdir "$T/ldap" "$T/sasl"
	chmod 755 "$T/sasl"
	cat >"$T/slapd.conf" <<-X
		include /etc/ldap/schema/core.schema
		include /etc/ldap/schema/cosine.schema
		include /etc/ldap/schema/inetorgperson.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $T/slapd.pid
		database mdb
		suffix "dc=example,dc=net"
		directory $T/ldap
	X
	{
		printf '%s\n' 'dn: dc=example,dc=net' 'objectClass: dcObject' 'objectClass: organization' 'o: Example' 'dc: example'
		for name in alice bob; do
			printf '%s\n' '' "dn: uid=$name,dc=example,dc=net" 'objectClass: inetOrgPerson' "cn: $name" "sn: $name" "uid: $name" \
				"mail: $name@example.net" 'userPassword: wonderland'
		done
	} >"$T/ldif"
	slapadd -f "$T/slapd.conf" -l "$T/ldif" >"$T/slapadd.log" 2>&1
	slapd -f "$T/slapd.conf" -h "ldap://127.0.0.1:$ldap/" -d 0 >"$T/slapd.log" 2>&1 &
	pids="$pids $!"
	wait_until port_accepts "$ldap"
	setsid saslauthd -d -a ldap -O "$T/haproxy/saslauthd.conf" -n 1 -m "$T/sasl" >"$T/saslauthd.log" 2>&1 &
	pids="$pids $!"
	wait_until port_accepts "$T/sasl/mux"
}

# usage: node_start number port
node_start() {
	"$T/haproxy/node$1" "127.0.0.1:$2" 2>"$T/node$1.log" &
	eval "pid$1=$!"
	pids="$pids $!"
}

# Clients of HAProxy, as 127.0.0.5. usage: clients user recipients threads messages; each message is tried until it has
# its 250, and then its subject is a line of $T/accepted. Where there is one thread, one try is enough.
cat >"$T/clients" <<'P'
import smtplib, ssl, sys, threading, time
port, user, recipients, threads, messages, accepted = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6]), open(sys.argv[6], 'a')
context = ssl._create_unverified_context()
lock = threading.Lock()
end = time.monotonic() + 240

def once(subject):
    try:
        with smtplib.SMTP('127.0.0.1', port, 'client.example', timeout=60, source_address=('127.0.0.5', 0)) as s:
            s.starttls(context=context)
            s.login(user, 'wonderland')
            s.sendmail(user, [f'r{i}@example.net' for i in range(recipients)], f'From: {user}\r\nTo: r0@example.net\r\nSubject: {subject}\r\n\r\nx\r\n')
        said = '250'
    except smtplib.SMTPServerDisconnected:
        said = 'closed'
    except smtplib.SMTPException as e:
        said = str(getattr(e, 'smtp_error', e))
        said = f'{getattr(e, "smtp_code", "")} {said}'
    except OSError as e:
        said = f'{e}'
    return said

def client(n):
    for m in range(messages):
        subject = f'{user}-{n}-{m}'
        while True:
            said = once(subject)
            if said == '250':
                with lock:
                    print(subject, file=accepted, flush=True)
            if said == '250' or threads == 1 or time.monotonic() > end:
                break
            with lock:
                print(said, file=sys.stderr, flush=True)
            time.sleep(0.1)
        if threads == 1:
            print(said)

them = [threading.Thread(target=client, args=(n,)) for n in range(threads)]
for t in them: t.start()
for t in them: t.join()
P

clients() {
	python3 "$T/clients" "$PORT" "$@" "$T/accepted"
}

# More than n messages have their 250. usage: accepted n
accepted() {
	[ -e "$T/accepted" ] && [ "$(wc -l <"$T/accepted")" -gt "$1" ]
}

test_limits_are_those_of_both_nodes_together() {
	example_ready || return 0
	clients bob@example.net 60 1 2 >"$T/got" 2>"$T/client.log"
	sed -i 's/again in [0-9]* s/again in N s/' "$T/got"
	assert_got "replies: $(cat "$T/client.log")" <<-'X'
		250
		451 b'4.7.1 Over 100 recipients in 3600 s, try again in N s'
	X
	assertEquals 'one of them at each node' '1 1' "$(grep -c ' authenticated user=bob' "$T/node1.log") $(grep -c ' authenticated user=bob' "$T/node2.log")"
	assertTrue "the client's address" "grep -q ' authenticated user=bob.* ip=127.0.0.5 ' '$T/node1.log'"
}

test_nothing_accepted_is_lost_when_a_node_dies_under_load() {
	example_ready || return 0
	rm -f "$T/accepted"
	clients alice@example.net 1 4 15 2>"$T/client.log" &
	client=$!
	wait_until accepted 15
	wait_until grep -q ' accepted user=alice' "$T/node1.log"
	# shellcheck disable=SC2046,SC2086
	kill -STOP $pid1 # so that it starts nothing and cleans up nothing
	below=$(proc_descendants "$pid1")
	# shellcheck disable=SC2086
	kill -KILL $pid1 $below
	wait "$client"
	assertEquals "all 60 at last: $(tail -n 3 "$T/client.log")" 60 "$(sort -u "$T/accepted" | wc -l)"
	find "$T/mail/r0@example.net" -path '*/new/*' -type f -exec sed -n 's/^Subject: \(alice.*\)/\1/p' {} + | tr -d '\r' | sort >"$T/there"
	sort -u "$T/accepted" >"$T/want"
	sort -u "$T/there" >"$T/out"
	assert_same 'what was accepted is there' "$T/want" "$T/out"
	assertTrue 'both nodes served' "grep -q ' accepted user=alice' '$T/node1.log' && grep -q ' accepted user=alice' '$T/node2.log'"
	kill "$pid2"
	wait "$pid2"
	assert_proc_gone "$below"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
