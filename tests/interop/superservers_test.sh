#!/bin/sh
# Super-servers that are not ours in front of the chain: exec'd, with a process for each connection; behind tlsd a
# resident, reached by call; and call right behind the super-server. examples/ and their tests have the same as services.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clients.sh
. "$ROOT/tests/lib/clients.sh"

SERVERS='tcpserver tcpsvd inetd systemd-socket-activate'

# The residents are those of the quickstart service, the key and the users too.
oneTimeSetUp() {
	PATH=$PATH:/usr/sbin
	mkdir "$T/tmp"
	MODE=resident TMPDIR=$T/tmp quickstart_start || fail "the quickstart service does not start"
	OURS=$(echo "$T"/tmp/ucspi-msa.*)
	: >"$T/cells"
	{ client_header superservers && printf '.\nbody\n'; } | client_message
	# What a super-server starts: some give no PATH, and none gives a variable. usage: session exec|call|printer [-i]
	cat >"$T/session" <<-S
		#!/bin/sh
		PATH=$PATH MSA_HOST=localhost
		export PATH MSA_HOST
		way=\$1
		shift
		case \$way in
		exec)
			exec tlsd "\$@" -c $OURS/cert.pem -k $OURS/key.pem authd -u $OURS/users.cdb submitd \\
				qualify -d example.net -u all stamp maildir-inject $T/mail
			;;
		call) exec tlsd "\$@" -c $OURS/cert.pem -k $OURS/key.pem call $OURS/run/auth ;;
		printer)
			export RELAYCLIENT=
			exec call $OURS/run/submit
			;;
		esac
	S
	chmod 755 "$T/session"
	servers=
}

oneTimeTearDown() {
	stop
	quickstart_stop
}

# Start a super-server for a port that is free; sets port. usage: start server way [-i]
start() {
	server=$1
	shift
	port=$(port_free)
	case $server in
	tcpserver) tcpserver -H -R -l localhost 127.0.0.1 "$port" "$T/session" "$@" ;;
	tcpsvd) tcpsvd -E -l localhost 127.0.0.1 "$port" "$T/session" "$@" ;;
	inetd)
		echo "127.0.0.1:$port stream tcp nowait $(id -un) $T/session session $*" >"$T/inetd.conf.$port"
		inetd -i "$T/inetd.conf.$port"
		;;
	systemd-socket-activate) systemd-socket-activate -l "127.0.0.1:$port" --accept --inetd "$T/session" "$@" ;;
	esac 2>>"$T/superlog" &
	servers="$servers $!"
	wait_until port_accepts "$port"
}

has_no_sessions() {
	[ -z "$(proc_descendants "$1")" ]
}

# The clients have left, so the super-servers must be alone.
stop() {
	for pid in $servers; do
		wait_until has_no_sessions "$pid"
		kill "$pid"
		wait "$pid" 2>/dev/null
	done
	servers=
}

# Or it is a skip. usage: is_there server way || return
is_there() {
	command -v "$1" >/dev/null && return 0
	skip "$1 $2: no $1"
	echo "$1 $2 skip" >>"$T/cells"
	return 1
}

# Note what came of it, for the table. usage: note server way failures-before
note() {
	result=ok
	# shellcheck disable=SC2154
	[ "$__shunit_assertsFailed" -eq "$3" ] || result=FAIL
	echo "$1 $2 $result" >>"$T/cells"
}

# Both ports, two clients, and a wrong password.
serves() {
	is_there "$1" "$2" || return 0
	since=$__shunit_assertsFailed
	start "$1" "$2"
	SUBMISSION=$port
	start "$1" "$2" -i
	SUBMISSIONS=$port
	for cell in 'swaks starttls PLAIN' 'openssl tls SCRAM-SHA-256'; do
		# shellcheck disable=SC2086
		client_send $cell "$PASSWORD" "$T/message" bob@example.org
		code=$?
		assertEquals "$1 $2 $cell: $(cat "$T/out")" 0 "$code"
		assert_client_delivered bob@example.org "$T/text"
		[ "$2" = exec ] || assert_client_arrived bob@example.org "$T/text" "${cell##* }" # inetd's sessions log to syslog
	done
	for transport in starttls tls; do
		client_send swaks "$transport" PLAIN wrong-one "$T/message" bob@example.org
		assertNotEquals "$1 $2 $transport, wrong password" 0 $?
		assertContains "$(cat "$T/out")" "535 5.7.8 "
		assert_client_nothing_arrived "$1 $2 $transport, wrong password"
	done
	stop
	note "$1" "$2" "$since"
}

test_tcpserver_and_the_chain() { serves tcpserver exec; }
test_tcpserver_and_residents() { serves tcpserver call; }
test_tcpsvd_and_the_chain() { serves tcpsvd exec; }
test_tcpsvd_and_residents() { serves tcpsvd call; }
test_inetd_and_the_chain() { serves inetd exec; }
test_inetd_and_residents() { serves inetd call; }
test_systemd_socket_activate_and_the_chain() { serves systemd-socket-activate exec; }
test_systemd_socket_activate_and_residents() { serves systemd-socket-activate call; }

# Without TLS and AUTH, for whom the rules say RELAYCLIENT: the resident learns from the socket who it is.
test_call_stands_right_behind_each() {
	for one in $SERVERS; do
		is_there "$one" printer || continue
		since=$__shunit_assertsFailed
		start "$one" printer
		rm -rf "$T/mail/"*
		swaks --server 127.0.0.1 --port "$port" --ehlo printer --from "$USER_NAME" --to bob@example.org --data "@$T/text" \
			>"$T/out" 2>&1
		code=$?
		assertEquals "$one: $(cat "$T/out")" 0 "$code"
		cat "$T/mail/bob@example.org/new/"* >"$T/got"
		assertContains "$one: $(cat "$T/got")" "$(cat "$T/got")" "from printer ([127.0.0.1])"
		assertContains "$one: $(cat "$T/got")" "$(cat "$T/got")" "by localhost with ESMTP id "
		stop
		note "$one" printer "$since"
	done
}

test_the_table_has_every_cell() {
	format='| %-23s | %-5s | %-15s | %-9s |\n'
	# shellcheck disable=SC2059
	printf "$format" super-server chain 'tlsd, call PATH' 'call PATH'
	for one in $SERVERS; do
		# shellcheck disable=SC2046
		set -- "$one" $(sed -n -e "s/^$one exec //p" -e "s/^$one call //p" -e "s/^$one printer //p" "$T/cells")
		# shellcheck disable=SC2059
		printf "$format" "$@"
		assertEquals "$*" 4 $#
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
