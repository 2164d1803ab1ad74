#!/bin/sh
# smtp-inject: which of several hosts gets a message, and a resolver that has no answer.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

setUp() {
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

yes='250 2.0.0 Saved'

# Two servers, whose rules follow -- each. Their ports: $one, $two; what they heard: $T/rec.1, $T/rec.2.
# usage: two rule-of-the-first rule-of-the-second
two() {
	rm -f "$T/rec.1" "$T/rec.2"
	: >"$T/rec.1"
	: >"$T/rec.2"
	: >"$T/ready.1"
	: >"$T/ready.2"
	lmtpd -s -t 15 -e PIPELINING -r "$T/rec.1" "$1" >"$T/ready.1" 2>/dev/null &
	first_pid=$!
	lmtpd -s -t 15 -e PIPELINING -r "$T/rec.2" "$2" >"$T/ready.2" 2>/dev/null &
	second_pid=$!
	wait_until [ -s "$T/ready.1" ]
	wait_until [ -s "$T/ready.2" ]
	one=$(cat "$T/ready.1")
	two=$(cat "$T/ready.2")
}

both_end() {
	kill "$first_pid" "$second_pid" 2>/dev/null
	wait "$first_pid" "$second_pid" 2>/dev/null
}

test_the_next_host_where_nothing_was_taken() {
	for rule in GREETING=close 'GREETING=554 5.3.2 No mail' 'GREETING=421 4.3.2 Full|close' 'EHLO=450 4.3.2 Not now' \
		'EHLO=close' 'GREETING=raw:hello\r\n' 'EHLO=250 test\r\n421 4.3.2 Going|close' \
		'EHLO=250 test|close' 'MAIL=421 4.3.2 Going|close' MAIL=close GREETING=stall; do
		two "$rule" QUIT=close
		chain_call smtp-inject -t 4 -p "$one" "$two"
		both_end
		assert_verdict "$rule" "$yes"
		assertEquals "$rule: once" 1 "$(cat "$T/rec.1" "$T/rec.2" | grep -c '^Hello')"
		assert_logged "done to=$two "
	done
	two QUIT=close QUIT=close
	port=$(port_free)
	chain_call smtp-inject -p "127.0.0.1:$port" no.such.name.invalid "$two" "$one"
	both_end
	assert_verdict 'nobody listens, and no name' "$yes"
	assertFalse 'and not the one behind' "[ -s $T/rec.1 ]"
}

test_no_other_host_once_one_has_answered() {
	for rule in 'MAIL=450 4.7.1 Not you' 'MAIL=550 5.7.1 Not you' 'RCPT=550 5.1.1 No' 'DATA=451 4.3.0 Not now' \
		'END=452 4.3.1 Full' END=close RCPT=close 'DATA=354 Go on|close' END=stall; do
		two "$rule" QUIT=close
		chain_call smtp-inject -t 2 -p "$one" "$two"
		both_end
		assertFalse "$rule: the second is not asked" "[ -s $T/rec.2 ]"
		assertNotEquals "$rule: not a yes" 2 "$(head -c 1 "$T/verdict")"
	done
}

test_no_host_at_all() {
	two 'GREETING=450 4.3.2 Busy' 'GREETING=554 5.3.2 Never'
	chain_call smtp-inject -p "$one" "$two"
	both_end
	assert_verdict 'the one that may pass' '450 4.3.2 Busy'
	two 'GREETING=554 5.3.2 Never' 'GREETING=450 4.3.2 Busy'
	chain_call smtp-inject -p "$one" "$two"
	both_end
	assert_verdict 'the one that may pass, after the other' '450 4.3.2 Busy'
	two 'GREETING=554 5.3.2 Never' 'GREETING=554 5.3.2 Never'
	chain_call smtp-inject -p "$one" "$two"
	both_end
	assert_verdict 'both for good' '554 5.3.2 Never'
}

test_a_resolver_that_does_not_answer_has_no_more_time_than_there_is() {
	needs network ip || return 0
	cat >"$T/quiet" <<-'P'
		import socket, subprocess, sys, time
		subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
		subprocess.run(['mount', '--bind', sys.argv[1], '/etc/resolv.conf'], check=True)
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(('127.0.0.1', 53))
		start = time.monotonic()
		subprocess.run(sys.argv[2:], pass_fds=[3])
		s.settimeout(0.1)
		s.recv(512)
		print('asked, seconds', int(time.monotonic() - start), file=sys.stderr)
	P
	printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:2\n' >"$T/resolv"
	chain_call unshare -n -m python3 "$T/quiet" "$T/resolv" smtp-inject -t 2 smarthost.test 3<"$T/env"
	assert_verdict 'verdict' '451 4.4.1 Next server cannot be reached, try again later'
	assert_logged 'asked, seconds [2-9]$'
	assert_logged 'at=connect reason="Connection timed out"'
}

# In the sandbox the process that starts them ends all that ask the resolver. Without the sandbox they end by
# themselves, a few seconds after the deadline.
test_a_killed_injector_leaves_nobody_who_asks_the_resolver() {
	needs network ip || return 0
	cat >"$T/quiet" <<-'P'
		import os, socket, subprocess, sys, time
		subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
		subprocess.run(['mount', '--bind', sys.argv[1], '/etc/resolv.conf'], check=True)
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(('127.0.0.1', 53))
		injector = subprocess.Popen(sys.argv[2:], pass_fds=[3])
		s.settimeout(60)
		s.recv(512)
		def below(pid):
		    for child in open('/proc/%s/task/%s/children' % (pid, pid)).read().split():
		        yield child
		        yield from below(child)
		asks = list(below(injector.pid))
		print('processes', len(asks), file=sys.stderr)
		injector.kill()
		injector.wait()
		end = time.monotonic() + 60
		def alive(pid):
		    try: return open('/proc/%s/stat' % pid).read().rsplit(')', 1)[1].split()[0] != 'Z'
		    except OSError: return False
		while any(map(alive, asks)) and time.monotonic() < end: time.sleep(0.1)
		print('left', [pid for pid in asks if alive(pid)], file=sys.stderr)
	P
	printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:5\n' >"$T/resolv"
	for sandbox in MSA_OTHER=x MSA_SANDBOX=off; do
		chain_call $sandbox unshare -n -m python3 "$T/quiet" "$T/resolv" smtp-inject -t 2 smarthost.test 3<"$T/env"
		assert_logged '^processes [1-9]'
		assert_logged '^left \[\]$'
	done
}

# The first address of the name is one where nobody answers, for its queue is full.
test_each_address_of_a_name_has_its_share_of_the_time() {
	needs mount || return 0
	clock_starts || return 0
	printf '127.0.0.2 smarthost.test\n127.0.0.3 smarthost.test\n' >"$T/hosts"
	: >"$T/full.port"
	python3 -c 'import socket, time
full = socket.create_server(("127.0.0.2", 0), backlog=0)
waiting = [socket.socket() for i in range(8)]
for s in waiting:
    s.setblocking(False)
    s.connect_ex(full.getsockname())
print(full.getsockname()[1], flush=True)
time.sleep(1000)' >"$T/full.port" &
	full=$!
	wait_until [ -s "$T/full.port" ]
	chain_call unshare -m sh -c 'mount --bind "$1" /etc/hosts; shift; exec "$@"' sh "$T/hosts" \
		"$T/timed" smtp-inject -p -t 20 "smarthost.test:$(cat "$T/full.port")" &
	clock_awaits smtp-inject 10000
	clock_at 10
	wait $!
	kill "$full"
	wait "$full" 2>/dev/null
	assert_logged 'at=connect reason="Connection refused"'
}

# The verdict of a worker that was killed has ended, though somebody whom it started still asks the resolver.
test_who_asks_the_resolver_keeps_no_verdict_open() {
	needs network ip || return 0
	cat >"$T/quiet" <<-'P'
		import os, socket, subprocess, sys, time
		subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
		subprocess.run(['mount', '--bind', sys.argv[1], '/etc/resolv.conf'], check=True)
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(('127.0.0.1', 53))
		s.settimeout(60)
		ready, told = os.pipe()
		os.set_inheritable(told, True)
		resident = subprocess.Popen(['smtp-inject', '-l', sys.argv[2], '-P', '1:1', '-R', str(told), '-t', '30',
		    'smarthost.test'], env={'PATH': os.environ['PATH'], 'MSA_SANDBOX': 'off'}, pass_fds=[told])
		os.close(told)
		os.read(ready, 1)
		call = subprocess.Popen(['call', sys.argv[2]], stdout=subprocess.PIPE, pass_fds=[3])
		s.recv(512)
		def children(pid):
		    return [int(p) for p in open('/proc/%s/task/%s/children' % (pid, pid)).read().split()]
		def alive(pid):
		    try: return open('/proc/%s/stat' % pid).read().rsplit(')', 1)[1].split()[0] != 'Z'
		    except OSError: return False
		worker = children(resident.pid)[0]
		asks = children(worker)
		os.kill(worker, 9)
		print('verdict', call.stdout.read()[:9].decode(), 'asks', [alive(p) for p in asks], file=sys.stderr)
		for p in filter(alive, asks): os.kill(p, 9)
		resident.terminate()
		resident.wait()
		call.wait()
	P
	printf 'nameserver 127.0.0.1\noptions timeout:60 attempts:5\n' >"$T/resolv"
	chain_call unshare -n -m python3 "$T/quiet" "$T/resolv" "$T/inject" 3<"$T/env"
	assert_logged '^verdict 451 4.3.0 asks \[True\]$'
}

# shellcheck source=/dev/null
. "$SHUNIT2"
