#!/bin/sh
# A full disk, as TMPDIR and below the Maildirs: 452 4.3.1 to the client, nothing lost, nothing delivered by halves.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1

# The tests run where a file system of their own can be mounted, which nobody else sees and which goes with them.
if [ -z "${MSA_APART:-}" ]; then
	for how in -m -Urm; do
		unshare "$how" mount -t tmpfs tmpfs "$T" 2>/dev/null && exec env MSA_APART=1 MSA_TEST_DIR="$T" unshare "$how" sh "$0"
	done
fi

can_mount() {
	[ -n "${MSA_APART:-}" ] || skip 'needs mount'
	[ -n "${MSA_APART:-}" ]
}

# A disk of so many octets at $T/NAME. usage: disk name size
disk() {
	mkdir -p "$T/$1"
	mount -t tmpfs -o size="$2" tmpfs "$T/$1"
}

setUp() {
	mkdir -p "$T/mail" "$T/tmp"
}

tearDown() {
	for name in mail tmp; do
		[ ! -d "$T/$name" ] || umount "$T/$name" 2>/dev/null
		rm -rf "${T:?}/$name"
	done
	return 0
}

# A message with so many lines of 80 octets through a chain; $T/answer. usage: submit lines program ...
submit() {
	{
		printf '> %s\n' 'EHLO client.example' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.net>' 'RCPT TO:<carol@example.net>' \
			DATA 'From: alice@example.net' 'Subject: x' ''
		printf 'file %s\n' "$T/body"
		printf '> %s\n' . QUIT
		echo '<<'
	} >"$T/script"
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "%078d\r\n", i; printf "end\r\n" }' >"$T/body"
	shift
	RELAYCLIENT='' TMPDIR=$T/tmp talk -x submitd "$@" <"$T/script" >"$T/said" 2>"$T/log"
	sed -n '/^354 /,/^221 /{/^354 /d; /^221 /d; s/ message .*//; p}' "$T/said" >"$T/answer"
}

# usage: answered what reply
answered() {
	assertEquals "$1: $(cat "$T/log")" "$2" "$(cat "$T/answer")"
	assertEquals "$1: exit code" 'exit 0' "$(tail -n 1 "$T/said")"
}

# So many messages came, whole, and nothing else is there but what is empty. usage: came what number
came() {
	find "$T/mail" -type f >"$T/found"
	assertEquals "$1: files" "$2" "$(wc -l <"$T/found")"
	while read -r file; do
		tail -n "$(wc -l <"$T/body")" "$file" | cmp -s - "$T/plain"
		assertTrue "$1: $file is whole" $?
		assertTrue "$1: $file is delivered" "echo $file | grep -q /new/"
	done <"$T/found"
}

full='452 4.3.1 Insufficient storage, try again later'

test_for_the_message() {
	can_mount || return 0
	disk tmp 512k
	submit 8000 maildir-inject "$T/mail"
	answered 'too large for TMPDIR' "$full"
	came 'nothing' 0
	assertEquals 'TMPDIR is as it was' 0 "$(find "$T/tmp" -type f | wc -l)"
	submit 4000 maildir-inject "$T/mail"
	tr -d '\r' <"$T/body" >"$T/plain"
	answered 'the next fits' '250 2.0.0 Ok,'
	came 'both have it' 2
}

# submitd's own copy fits, a stage's does not.
test_for_the_copy_of_a_stage() {
	can_mount || return 0
	disk tmp 512k
	for stages in 'qualify -d example.net' stamp 'stamp qualify -d example.net'; do
		# shellcheck disable=SC2086
		submit 5000 $stages maildir-inject "$T/mail"
		answered "$stages" "$full"
		came "$stages" 0
		# shellcheck disable=SC2086
		submit 1000 $stages maildir-inject "$T/mail"
		tr -d '\r' <"$T/body" >"$T/plain"
		answered "$stages: a small one" '250 2.0.0 Ok,'
		came "$stages: a small one" 2
		rm -rf "$T/mail/"*
	done
}

test_for_the_maildirs_at_every_size() {
	can_mount || return 0
	good=0 bad=0
	for size in 4k 40k 80k 100k 104k 108k 112k 120k 128k 160k 200k 204k 208k 212k 216k 220k 224k 232k 240k 260k; do
		disk mail "$size"
		submit 1200 maildir-inject "$T/mail"
		tr -d '\r' <"$T/body" >"$T/plain"
		if [ "$(cat "$T/answer")" = "$full" ]; then
			bad=$((bad + 1))
			came "$size" 0
		else
			good=$((good + 1))
			answered "$size" '250 2.0.0 Ok,'
			came "$size" 2
		fi
		umount "$T/mail"
	done
	assertTrue "some were taken: $good, some not: $bad" "[ $good -gt 2 ] && [ $bad -gt 2 ]"
}

# The message found room for one of two, and the report about the other has none: the client is not told 250.
test_for_a_report() {
	can_mount || return 0
	disk mail 96k # the message fills it, to the last page
	submit 1200 bounce -q 0 maildir-inject "$T/mail"
	tr -d '\r' <"$T/body" >"$T/plain"
	answered 'no report' '451 4.3.0 Not all recipients were served, and no report of it was taken; try again'
	came 'no report' 1
	umount "$T/mail"
	disk mail 100k
	submit 1200 bounce -q 0 maildir-inject "$T/mail"
	answered 'the report fits' '250 2.0.0 Ok,'
	assertEquals 'who has it' 'mail/alice@example.net mail/bob@example.net' \
		"$(find "$T/mail" -type f | sed "s|^$T/||; s|/new/.*||" | sort | paste -sd ' ')"
	disk tmp 512k
	submit 5000 bounce stamp maildir-inject "$T/mail"
	assertEquals 'no room for the copy behind bounce' "$full" "$(cat "$T/answer")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
