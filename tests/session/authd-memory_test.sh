#!/bin/sh
# authd: what its memory holds of a password afterwards: nothing. Only root can look. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # authd_pid, of resident_start
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.test
	printf 'wonderland-4711\n' | msa-passwd "$T/users.cdb" bob
	# Python: a session with the resident authd by the lines given, then what its only worker's memory has. In the lines
	# BASE64(text) is that, with \0 for a NUL. usage: look pid socket expected-reply text ... -- line ...
	cat >"$T/look.py" <<-'E2'
		import base64, os, re, subprocess, sys, time
		def encode(text): return base64.b64encode(text.encode().replace(b'\\0', b'\0')).decode()
		pid, socket, reply = sys.argv[1:4]
		cut = sys.argv.index('--')
		texts = sys.argv[4:cut]
		lines = [re.sub(r'BASE64\((.*)\)', lambda m: encode(m[1]), line) for line in sys.argv[cut + 1:]]
		client = subprocess.Popen(['call', socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
		def hear(start):
		    for line in client.stdout:
		        if line.startswith(start.encode()): return line.decode().strip()
		    return 'EOF'
		hear('220 ')
		for line in lines:
		    client.stdin.write(line.encode() + b'\r\n')
		    client.stdin.flush()
		print(hear(reply))
		worker = open('/proc/%s/task/%s/children' % (pid, pid)).read().split()[0]
		def wchan(): return open('/proc/%s/stat' % worker).read().rsplit(')', 1)[1].split()[0]
		for i in range(100): # until it waits for its client or the next call
		    time.sleep(0.02)
		    if wchan() == 'S' and i > 4: break
		forms = {t: t.encode() for t in texts}
		for t in texts: # as it stands behind the octets "\0bob\0", or alone
		    for before in ('', '\\0bob\\0'): forms['base64 of ' + t + before] = encode(before + t)[4 if before else 0:-4].encode()
		forms['users.cdb'] = b'users.cdb' # surely there: it is on the command line
		seen = set()
		for line in open('/proc/%s/maps' % worker):
		    low, high, mode, path = re.match(r'(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)', line).groups()
		    if 'r' not in mode or path.startswith('[v'): continue
		    try:
		        with open('/proc/%s/mem' % worker, 'rb', 0) as f:
		            f.seek(int(low, 16))
		            data = f.read(int(high, 16) - int(low, 16))
		    except OSError: continue
		    seen |= {name for name, form in forms.items() if form in data}
		print('has', ', '.join(sorted(seen)))
		client.stdin.close()
		client.wait()
	E2
	cat >"$T/next" <<-'E2'
		#!/bin/sh
		printf '221 2.0.0 Bye\r\n'
	E2
	chmod 755 "$T/next"
}

tearDown() {
	resident_stop_all
}

# usage: assert_forgotten expected-reply password line ...
assert_forgotten() {
	reply=$1
	password=$2
	shift 2
	python3 "$T/look.py" "$authd_pid" "$T/authd" "$reply" "$password" -- "$@" >"$T/out" 2>&1
	{
		grep "^$reply" "$T/out"
		echo 'has users.cdb'
	} >"$T/want"
	assert_same "$*" "$T/want" "$T/out"
	assertNotEquals "$*: $reply" 'has users.cdb' "$(head -n 1 "$T/want")"
}

test_a_password_that_was_checked_is_nowhere() {
	needs root plain || return 0
	resident_start authd authd -p -P 1:1 -u "$T/users.cdb" "$T/next"
	assert_forgotten 221 wonderland-4711 'EHLO x' 'AUTH PLAIN BASE64(\0bob\0wonderland-4711)'
	assert_forgotten 221 wonderland-4711 'EHLO x' 'AUTH PLAIN' 'BASE64(\0bob\0wonderland-4711)'
	assert_forgotten 221 wonderland-4711 'EHLO x' 'AUTH LOGIN' 'BASE64(bob)' 'BASE64(wonderland-4711)'
	# refused, and the session goes on
	assert_forgotten 535 looking-glass-0815 'EHLO x' 'AUTH PLAIN BASE64(\0bob\0looking-glass-0815)'
	assert_forgotten 535 looking-glass-0815 'EHLO x' 'AUTH PLAIN' 'BASE64(\0bob\0looking-glass-0815)'
	assert_forgotten 535 looking-glass-0815 'EHLO x' 'AUTH LOGIN' 'BASE64(bob)' 'BASE64(looking-glass-0815)'
	# in the wrong place; the line stays until the session ends
	assert_forgotten 221 looking-glass-0815 'EHLO x' 'AUTH looking-glass-0815' 'looking-glass-0815' QUIT
	# QUIT takes the place of the beginning only
	assert_forgotten 221 looking-glass-0815 'EHLO x' 'NOOP my password is looking-glass-0815' QUIT
}

. "$SHUNIT2"
