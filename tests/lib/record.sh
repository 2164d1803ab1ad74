# shellcheck shell=sh
# What the tests of record and replay share: sessions that are recorded. ISC licence, see LICENSE.
# shellcheck disable=SC2154 # code is for the tests
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	program_lines chain 'cat >"$T/msg"; cat "$T/answer"'
	# Speaks to a program: each argument is N:TEXT, text to send and the number of whole answers to wait for; or w:TEXT, a
	# text to wait for.
	program_make speak <<-'P'
		#!/usr/bin/python3
		import re, socket, subprocess, sys
		ours, theirs = socket.socketpair()
		split = sys.argv.index('--')
		child = subprocess.Popen(sys.argv[split + 1:], stdin=theirs, stdout=theirs)
		theirs.close()
		ours.settimeout(60)
		said = b''
		for step in sys.argv[1:split]:
		    n, text = step.split(':', 1)
		    while n == 'w' and text.encode() not in said:
		        said += ours.recv(65536)
		    if n == 'w':
		        continue
		    ours.sendall(text.encode('latin-1').decode('unicode_escape').encode('latin-1'))
		    want = len(re.findall(rb'(?m)^\d{3} .*\r\n', said)) + int(n)
		    while len(re.findall(rb'(?m)^\d{3} .*\r\n', said)) < want:
		        got = ours.recv(65536)
		        if not got:
		            break
		        said += got
		ours.shutdown(socket.SHUT_WR)
		while got := ours.recv(65536):
		    said += got
		child.wait()
		sys.stdout.buffer.write(said)
	P
	# A server that gives its answers (the words), one for each line of the client, the first as greeting.
	program_make server <<-'P'
		#!/bin/sh
		for answer; do
			printf "$answer\r\n"
			read -r line || exit
		done
	P
}

setUp() {
	rm -rf "$T/recs" "$T/rec"
	mkdir "$T/recs"
	echo '250 2.0.0 taken' >"$T/answer"
}

tearDown() {
	resident_stop_all
}

# Record a session with submitd: $T/rec is the recording without its times and its comments, $T/out what the client heard.
# usage: record_session options step ...
record_session() {
	options=$1
	shift
	rm -f "$T/rec"
	# shellcheck disable=SC2086
	MSA_HOST=h SMTPAUTHUSER=alice "$T/speak" 1: "$@" -- record $options "$T/rec" submitd "$T/chain" >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	sed '/^#/d; s/^[0-9]*[.][0-9]* //; s/, message [0-9a-z]*/, message ID/; /^S 250.[A-Z8]/d' "$T/rec" >"$T/got"
}
