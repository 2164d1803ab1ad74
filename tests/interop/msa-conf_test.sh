#!/bin/sh
# What msa-conf writes, under the supervisors of Debian: it starts, takes messages on both ports, gets a stage more and
# loses it again by a change of the line, with the commands that msa-conf prints. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

SUPERVISOR='' AS='' # how to start a program as an ordinary user; words, not quoted
# shellcheck disable=SC2086

# An ordinary user can do all of this; if we are root, that is somebody else.
oneTimeSetUp() {
	PATH=$PATH:/usr/sbin:/sbin
	chmod 755 "$T"
	mkdir "$T/bin" "$T/site"
	for program in tlsd authd submitd qualify stamp lmtp-inject maildir-inject smtp-inject msa msa-conf msa-passwd \
		limit rights filter spool spoold resident call rewind envelope; do
		cp "$(command -v "$program")" "$T/bin"
	done
	chmod 755 "$T/bin"/*
	# A supervisor sends SIGCONT behind SIGTERM. Where that meets the search for leaks at a process's end, which stops the
	# process by SIGSTOP, the search waits for ever.
	AS="env -u TMPDIR ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0"
	if [ "$(id -u)" -eq 0 ]; then
		chown nobody: "$T/site"
		AS="setpriv --reuid nobody --regid nogroup --clear-groups $AS"
	fi
	PATH=$T/bin:$PATH
	printf '%s\n' 'From: alice@example.net' 'To: bob@example.net' 'Subject: one' '' Hello >"$T/message"
}

tearDown() {
	supervisor_stop
	[ -z "${LMTPD:-}" ] || kill "$LMTPD" 2>/dev/null
	LMTPD=
}

# A service in $DIR for a style, and its user alice. usage: configure style option ...
configure() {
	STYLE=$1
	shift
	DIR=$T/site/$STYLE
	SCAN=$T/site/scan-$STYLE
	PORT=$(port_free) PORT_TLS=$(port_free)
	$AS mkdir "$SCAN"
	$AS msa-conf -s "$STYLE" -S -a 127.0.0.1 -p "$PORT:$PORT_TLS" -h localhost "$@" "$DIR" example.net \
		>"$T/out" 2>"$T/said"
	code=$?
	assertEquals "$(cat "$T/said")" 0 "$code"
	printf 'wonderland\n' | $AS msa-passwd "$DIR/users.cdb" alice@example.net
}

# Run a command of those that msa-conf has printed, for the directory that we scan. usage: do_as_said text
do_as_said() {
	sed -n "/^msa-conf: $1/,/^msa-conf:/s/^    //p" "$T/said" | sed "s|SCANDIR|$SCAN|g; s|/etc/service|$SCAN|g" >"$T/do"
	$AS sh "$T/do" >"$T/done" 2>&1
}

supervisor_start() {
	case $STYLE in
	s6) set -- $AS s6-svscan "$SCAN" ;;
	runit) set -- $AS runsvdir -P "$SCAN" ;;
	daemontools) set -- $AS svscan "$SCAN" ;;
	tcpserver)
		$AS "$DIR/services/submission" >>"$T/log" 2>&1 &
		submission=$!
		set -- $AS "$DIR/services/submissions"
		;;
	esac
	"$@" >>"$T/log" 2>&1 &
	SUPERVISOR=$!
	wait_until port_accepts "$PORT"
	wait_until port_accepts "$PORT_TLS"
}

supervisor_stop() {
	[ -n "$SUPERVISOR" ] || return 0
	all=$(pgrep -f "$T/site")
	case $STYLE in
	s6) kill "$SUPERVISOR" ;;
	runit) kill -HUP "$SUPERVISOR" ;;
	daemontools)
		kill "$SUPERVISOR"
		$AS svc -dx "$SCAN"/* "$SCAN"/*/log
		;;
	tcpserver) kill "$SUPERVISOR" "$submission" ;;
	esac
	wait "$SUPERVISOR" 2>/dev/null
	SUPERVISOR=
	assert_proc_gone "$all"
}

# usage: submit port tls-option subject
submit() {
	sed "s/^Subject: .*/Subject: $3/" "$T/message" >"$T/sent"
	swaks --server 127.0.0.1 --port "$1" "$2" --auth PLAIN --auth-user alice@example.net --auth-password wonderland \
		--from "${4:-alice@example.net}" --to bob@example.net --data "@$T/sent" >"$T/swaks" 2>&1
}

# usage: arrives port tls-option subject subject-that-arrives
arrives() {
	rm -f "$T/site/mail-$STYLE/bob@example.net/new"/*
	submit "$1" "$2" "$3" && grep -q -x "Subject: $4" "$T/site/mail-$STYLE/bob@example.net/new"/*
}

# The message can be submitted, and bob has it with this subject, after other tries while services start: supervise looks
# at nothing in the second after a start, so what it is told to start again may be the old service for as long.
assert_arrives() {
	wait_until arrives "$@" || fail "$*: $(cat "$T/swaks" "$T/site/mail-$STYLE/bob@example.net/new"/*)"
}

# The words of a line of the chain become other ones. usage: change_chain sed-script
change_chain() {
	$AS sed "$1" "$DIR/chain" >"$T/chain"
	cat "$T/chain" >"$DIR/chain"
	$AS msa-conf "$DIR" >"$T/out" 2>"$T/said"
	code=$?
	assertEquals "$(cat "$T/said")" 0 "$code"
}

# Both ports, a user without rights, a stage put in and taken out. usage: supervisor style program
supervised() {
	needs "$2" || return 0
	configure "$1" -m "$T/site/mail-$1"
	do_as_said 'new services'
	supervisor_start
	assert_arrives "$PORT" -tls 'by STARTTLS' 'by STARTTLS'
	assert_arrives "$PORT_TLS" -tlsc 'by TLS' 'by TLS'
	submit "$PORT" -tls 'somebody else' carol@example.net
	assertNotEquals 0 $?
	assertContains "$(cat "$T/swaks")" ' 550 5.7.1 '
	[ "$1" = tcpserver ] || assertTrue 'its log' "grep -q 'submitd: .* accepted ' $DIR/log/submitd/current"

	change_chain "s/ stamp / filter -u 'sed \"s\\/^Subject: \\/\\&[list] \\/\"' stamp /"
	do_as_said 'new services'
	[ "$1" = tcpserver ] || wait_until test -S "$DIR/run/filter/socket"
	restart
	assert_arrives "$PORT" -tls 'with a stage more' '\[list] with a stage more'

	change_chain "s/ filter .* stamp / stamp /"
	restart
	do_as_said 'services that the chain'
	assert_arrives "$PORT_TLS" -tlsc 'as before' 'as before'
	assertFalse 'nothing of it is left' "[ -e $DIR/services/filter/run ]"
	supervisor_stop
}

restart() {
	if [ "$STYLE" = tcpserver ]; then
		supervisor_stop
		supervisor_start
	else
		do_as_said 'changed services'
	fi
}

test_under_s6() {
	supervised s6 s6-svscan
}

test_under_runit() {
	supervised runit runsvdir
}

test_under_daemontools() {
	supervised daemontools svscan
}

test_under_tcpserver() {
	supervised tcpserver tcpserver
}

# shellcheck source=/dev/null
. "$SHUNIT2"
