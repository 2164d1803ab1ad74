# shellcheck shell=sh
# What the tests of examples/accounts share: a copy of an example in which only paths, ports and the user are other ones,
# and what authd answers there. accounts_prepare comes first.
# ISC licence, see LICENSE.
# shellcheck disable=SC2034
yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'
later='454 4.7.0 Temporary authentication failure'

# The facts of a session, and a directory that the user of -U may enter.
accounts_prepare() {
	export MSA_HOST=mx.example TCPREMOTEIP=192.0.2.1 SSL_PROTOCOL=TLSv1.3
	chmod 755 "$T"
	mkdir -p "$T/run"
	as_nobody=
	[ "$(id -u)" -ne 0 ] || as_nobody='-U nobody'
}

# Copy examples/accounts/NAME to $T/NAME; accounts_reply and accounts_scram then ask that one.
# usage: accounts_copy name [option of sed ...]
accounts_copy() {
	accounts=$T/$1
	mkdir -p "$accounts"
	shift
	for file in "$ROOT/examples/accounts/${accounts##*/}"/*; do
		sed -e "s|/etc/msa/|$accounts/|g" -e "s|/run/saslauthd|$T/run|g" -e "s|-U msa-auth|$as_nobody|" "$@" "$file" \
			>"$accounts/${file##*/}"
	done
	chmod 755 "$accounts" "$accounts/login"
}

# The reply to a password by PLAIN. usage: accounts_reply user password [option of authd ...]
accounts_reply() {
	printf '<\n> EHLO client.example\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" >"$T/script"
	shift 2
	talk -t 60 "$accounts/login" "$@" true <"$T/script" 2>"$T/log" | tail -n 1
}

# The last reply to a password by SCRAM-SHA-256, which the log tells. usage: accounts_scram user password [option ...]
accounts_scram() {
	user=$1 password=$2
	shift 2
	scram "$user" "$password" "$accounts/login" "$@" true 2>"$T/log" | grep -e '^[2-5][0-9][0-9] [245][.][57]' | head -n 1
}

# These mechanisms, and no others, are offered. usage: assert_mechanisms 'mechanism ...'
assert_mechanisms() {
	printf '<\n> EHLO client.example\n<\n' | talk -t 60 "$accounts/login" true 2>"$T/log" | sed -n 's/^250.AUTH //p' >"$T/out"
	echo "$1" | assert_out 'what is offered'
}

# What each back end with the user carol, password pencil, must do; carol of another domain has another reply with PAM.
# usage: assert_carol [reply]
assert_carol() {
	for who in carol Carol@Example.NET; do
		assertEquals "$who" "$yes" "$(accounts_reply "$who" pencil)"
		assertContains "$(cat "$T/log")" ' authenticated user=carol@example.net mech=PLAIN'
	done
	for who in carol carol@example.org nobody "' OR 1=1 --" "x' OR 'a'='a" '*' 'c*' 'a,b=c' msa; do
		assertEquals "$who" "$no" "$(accounts_reply "$who" wrong)"
	done
	assertEquals 'another domain' "${1:-$no}" "$(accounts_reply carol@example.org pencil)"
	assertEquals 'nobody' "$no" "$(accounts_reply nobody pencil)"
}

# The store comes first, and its lock counts. usage: assert_store_first
assert_store_first() {
	msa-passwd -g -n phone "$T/store.cdb" carol@example.net >"$T/phone"
	for password in "$(cat "$T/phone")" pencil; do
		assertEquals "$yes" "$(accounts_reply carol "$password" -u "$T/store.cdb")"
	done
	msa-passwd -L "$T/store.cdb" carol@example.net
	for password in "$(cat "$T/phone")" pencil; do
		assertEquals "$no" "$(accounts_reply carol "$password" -u "$T/store.cdb")"
		assertContains "$(cat "$T/log")" 'refused user=carol@example.net mech=PLAIN reason="user is locked"'
	done
	rm -f "$T/store.cdb"
}

# Start saslauthd in the foreground as Debian's script does, with the example's file of /etc/default; $server is its pid.
# usage: accounts_saslauthd [word in front ...]
accounts_saslauthd() {
	MECHANISMS='' MECH_OPTIONS='' OPTIONS=''
	# shellcheck source=examples/accounts/ldap/default
	. "$accounts/default"
	# shellcheck disable=SC2086
	setsid "$@" /usr/sbin/saslauthd -d -a "$MECHANISMS" -O "$MECH_OPTIONS" -n 1 $OPTIONS >"$T/saslauthd.log" 2>&1 &
	server=$!
	wait_until port_accepts "$T/run/mux"
}
