# shellcheck shell=sh
# What the tests of examples/ share: a copy of an example in which only paths, ports and users are other ones, Dovecot's
# LMTP server where the example looks for it, and a client.
# ISC licence, see LICENSE.

# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"
READY=

# Dovecot, a key, a certificate, a user, the programs where every uid can run them. usage: example_prepare program ...
# The programs are the ones needed besides the chain's. Sets READY, or says a skip in example_ready.
example_prepare() {
	missing=
	[ "$(id -u)" -eq 0 ] || missing=' root'
	for program in /usr/lib/dovecot/lmtp swaks "$@"; do
		command -v "$program" >/dev/null || missing="$missing $program"
	done
	[ -z "$missing" ] || return 0
	chmod 755 "$T"
	mkdir "$T/bin" "$T/etc" "$T/run" "$T/lib"
	chmod 755 "$T/bin" "$T/etc" "$T/run" "$T/lib"
	mkdir -m 700 "$T/lib/penalties"
	for program in authd call lmtp-inject qualify stamp submitd tlsd; do
		cp "$(command -v "$program")" "$T/bin"
	done
	chmod 755 "$T/bin"/*
	cert "$T/etc/key.pem" "$T/etc/cert.pem" /CN=localhost
	echo wonderland | msa-passwd "$T/etc/users.cdb" alice@example.net
	chmod 400 "$T/etc/key.pem" "$T/etc/users.cdb"
	# shellcheck disable=SC2034
	PORT=$(port_free) PORT_TLS=$(port_free)
	if ! dovecot-lmtp start "$T/d" bob@example.net >/dev/null; then
		fail 'Dovecot does not start'
		return 0
	fi
	READY=1
}

example_ready() {
	[ -n "$READY" ] || skip "missing:${missing:- Dovecot}"
	[ -n "$READY" ]
}

example_end() {
	[ -z "$READY" ] || dovecot-lmtp stop "$T/d"
	READY=
}

# Copy examples/$1 to $T/$1. Further arguments are sed's, for the example's own ports.
# The users are some that every Debian has: what counts is that they differ.
example_copy() {
	example=$1
	shift
	rm -rf "${T:?}/$example"
	cp -R "$ROOT/examples/$example" "$T/$example"
	grep -q __asan_init "$T/bin/stamp" && set -- "$@" -e 's/-a 200000000/-a =/' # a sanitizer maps terabytes
	for pair in tls:daemon auth:bin submit:sys qualify:games stamp:man inject:lp log:news; do
		set -- "$@" -e "s/\\<msa-${pair%:*}\\>\\([^.]\\|$\\)/${pair#*:}\\1/g" # not a unit's name
	done
	find "$T/$example" -type f -exec sed -i -e "s|/usr/local/bin|$T/bin|g" -e "s|/etc/msa|$T/etc|g" \
		-e "s|/run/dovecot/lmtp|$T/d/lmtp|g" -e "s|/run/msa|$T/run|g" -e "s|/var/lib/msa|$T/lib|g" -e "s|/var/log/msa|$T/log|g" \
		-e 's/-U msa /-U nobody /g' -e 's/-o msa /-o nobody /g' "$@" {} +
}

# A message to port $1 with swaks's option $2 arrives with Dovecot. $3 is its subject.
assert_example_submits() {
	rm -rf "$T/d/mail/"*
	printf '%s\n' "From: Alice <alice@example.net>" "To: bob@example.net" "Bcc: secret@example.net" "Subject: $3" "" Hello \
		>"$T/message"
	swaks --server 127.0.0.1 --port "$1" "$2" --auth PLAIN --auth-user alice@example.net --auth-password wonderland \
		--from alice@example.net --to bob@example.net --data "@$T/message" >"$T/swaks" 2>&1
	code=$?
	assertEquals "$(cat "$T/swaks")" 0 "$code"
	set -- "$3" "$T/d/mail/bob@example.net/Maildir/new/"*
	assertEquals "one file" 2 $#
	cp "$2" "$T/got" 2>/dev/null
	assertEquals "what bob has" "$1" "$(sed -n 's/^Subject: //p' "$T/got")"
	assertContains "$(cat "$T/got")" " with ESMTPSA id "
	assertEquals "no Bcc" 0 "$(grep -c -i '^Bcc:' "$T/got")"
}

# What the user of a service never gets.
assert_example_refuses() {
	swaks --server 127.0.0.1 --port "$1" "$2" --auth PLAIN --auth-user alice@example.net --auth-password wrong \
		--from alice@example.net --to bob@example.net --data "@$T/message" >"$T/swaks" 2>&1
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" " 535 5.7.8 "
	swaks --server 127.0.0.1 --port "$1" "$2" --from alice@example.net --to bob@example.net --quit-after RCPT >"$T/swaks" 2>&1
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" " 530 5.7.0 "
}

# The example's processes.
example_processes() {
	pgrep -a -f "$T/" | grep -v 'dovecot -c'
}

example_over() {
	! example_processes >/dev/null
}

assert_example_over() {
	wait_until example_over
	assertEquals "processes" "" "$(example_processes)"
}

# Residents: nobody who talks or is called is root, and each stage is another user.
assert_example_users() {
	for pair in tlsd:daemon authd:bin submitd:sys qualify:games stamp:man lmtp-inject:lp; do
		assertTrue "$pair" "pgrep -u ${pair#*:} -f '(^|/)${pair%:*} .*$T/' >/dev/null"
	done
}

# A user whom -A does not name cannot hand over a session, whatever it claims. usage: assert_example_refuses_stranger socket
assert_example_refuses_stranger() {
	printf '%s\n' '<<' | talk setpriv --reuid nobody --regid nogroup --clear-groups \
		env SMTPAUTHUSER=root RELAYCLIENT= "$T/bin/call" "$1" >"$T/out" 2>"$T/err"
	assertContains "$(cat "$T/out" "$T/err")" "421 4.3.2 "
}
