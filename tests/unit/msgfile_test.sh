#!/bin/sh
# msgfile, os: the message as a file, in memory and in TMPDIR. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

# usage: made octets-expected args-of-msgfile... ; what add: wrote must be there whole
made() {
	n=$1
	shift
	[ -f "$T/input" ] || : >"$T/input"
	test-unit msgfile "$@" finish dump <"$T/input" >"$T/got" 2>&1
	assertEquals "$*" "$n" "$(wc -c <"$T/got" | tr -d ' ')"
}

# The octets of add:N: lines of 16 that tell their place.
numbered() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i += 16) printf "%014d\n\n", i }' | head -c "$1"
}

setUp() {
	export TMPDIR="$T/tmp"
	mkdir -p "$TMPDIR"
	rm -f "$T/input"
}

tearDown() {
	assertEquals 'nothing is left in TMPDIR' '' "$(ls "$T/tmp")"
	unset TMPDIR
}

test_any_size_comes_out_as_it_went_in() {
	for n in 0 1 16 65536 262143 262144 262145 300000 327679 327680 1000000 5000000; do
		made $n add:$n
		numbered $n >"$T/want"
		assertTrue "$n octets" "cmp $T/want $T/got"
	done
	made 262144 piece:262144
	made 262145 piece:262145
	made 5000000 piece:5000000
	made 700000 add:100000 piece:500000 add:100000
}

test_parts_of_a_file_are_copied() {
	numbered 600000 >"$T/input"
	made 600000 file:600000
	assertTrue 'whole' "cmp $T/input $T/got"
	made 1000 file:1000
	made 262144 file:262144
	made 262145 file:262145
	made 600016 add:16 file:600000
	made 900000 add:300000 file:600000
	made 600016 file:300000 add:16 file:300000
	{
		numbered 300000
		numbered 16
		numbered 300000
	} >"$T/want"
	assertTrue 'in order' "cmp $T/want $T/got"
	test-unit msgfile file:700000 <"$T/input" >"$T/got"
	assertEquals 'longer than the file' 'failed: Input/output error' "$(cat "$T/got")"
	echo short >"$T/input"
	test-unit msgfile file:262000 <"$T/input" >"$T/got"
	assertEquals 'longer than the file, in memory' 'failed: Input/output error' "$(cat "$T/got")"
}

test_memory_up_to_256_kib_and_a_file_beyond() {
	unit_gives msgfile add:262144 size <<-'END'
	size 262144
	END
	unit_gives msgfile add:262160 size <<-'END'
	size 262160 spilled
	END
	unit_gives msgfile piece:262145 size <<-'END'
	size 262145 spilled
	END
}

test_a_sealed_message_cannot_be_changed() {
	unit_gives msgfile add:100 finish change <<-'END'
	rewrite: Operation not permitted
	append: Operation not permitted
	shorten: Operation not permitted
	write: Operation not permitted
	END
}

test_a_message_in_tmpdir_cannot_be_opened_to_write() {
	if [ "$(id -u)" -eq 0 ]; then
		chmod 777 "$T" "$T/tmp"
		rm -f "$T/got"
		cp "$(command -v test-unit)" "$T"
		setpriv --reuid 65534 --clear-groups "$T/test-unit" msgfile add:300000 finish change </dev/null >"$T/got" 2>&1
	else
		test-unit msgfile add:300000 finish change </dev/null >"$T/got" 2>&1
	fi
	assertEquals 'reopen: Permission denied,write: Bad file descriptor,' "$(tr '\n' ',' <"$T/got")"
}

test_without_tmpdir_a_large_message_fails_and_a_small_one_does_not() {
	export TMPDIR="$T/not-there"
	unit_gives msgfile add:300000 finish <<-'END'
	failed: No such file or directory
	END
	: >"$T/input"
	unit_gives msgfile add:1000 size finish <<-'END'
	size 1000
	END
	TMPDIR=$T/$(text_repeat 1100 d)
	unit_gives msgfile add:300000 finish <<-'END'
	failed: File name too long
	END
	export TMPDIR="$T/tmp"
}

test_a_full_disk_is_an_error_and_leaks_nothing() {
	(
		trap '' XFSZ
		ulimit -f 300
		exec test-unit msgfile add:1000000 finish
	) </dev/null >"$T/got" 2>&1
	assertEquals 'failed: File too large' "$(cat "$T/got")"
}

test_disk_files() {
	unit_gives os disk <<-'END'
	links 0 mode 444 cloexec 1 1
	write ok
	write to the reading end: Bad file descriptor
	size 5
	END
}

test_copies_start_where_they_are_told() {
	echo 0123456789 >"$T/input"
	assertEquals 3456 "$(test-unit os copy 3 4 <"$T/input")"
	assertEquals 34567 "$(test-unit os copy 3 5 <"$T/input" | cat)"
	assertEquals 'Input/output error' "$(test-unit os copy 9 5 <"$T/input" | tail -n 1)"
}

test_the_small_ones_of_os() {
	unit_gives os random <<-'END'
	differ
	END
	unit_gives os undumpable <<-'END'
	0 0
	END
	unit_gives os peer <<-'END'
	we, of a file: error
	END
	unit_gives os inherited <<-'END'
	inherited closed closed, ours open
	ours closed
	END
}

test_what_only_close_reports_is_no_message() {
	preload_build fsync || return 0
	CLOSE_ERRNO=28 LD_PRELOAD=$T/fsync.so test-unit msgfile add:300000 finish >"$T/got"
	assertEquals 'failed: No space left on device' "$(cat "$T/got")"
}

. "$SHUNIT2"
