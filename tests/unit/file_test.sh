#!/bin/sh
# file: reads and writes that are whole. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# The octets of write N: lines of 16 that tell their place.
numbered() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i += 16) printf "%015d\n", i }' | head -c "$1"
}

test_a_write_is_whole_whatever_interrupts_it() {
	numbered 1000000 >"$T/want"
	test-unit file write 1000000 2>"$T/log" | { sleep 0.1; cat; } >"$T/got"
	assertTrue 'a pipe that is full at first' "cmp $T/want $T/got"
	assertEquals ok "$(cat "$T/log")"
	test-unit file write 1000000 >"$T/got" 2>"$T/log"
	assertTrue 'a file' "cmp $T/want $T/got"
	test-unit file write 0 >"$T/got" 2>"$T/log"
	assertEquals 'nothing' ok "$(cat "$T/log")"
	test-unit file write 10 2>&1 >/dev/full | grep -q 'No space left'
	assertEquals 'a full disk' 0 $?
	assertEquals 'closed' 'Bad file descriptor' "$(test-unit file write 10 2>&1 >&-)"
}

test_a_write_at_an_offset_leaves_the_files_own() {
	printf 0123456789 >"$T/f"
	assertEquals 'ok offset 0 ' "$(test-unit file writeat "$T/f" 3 abc | tr '\n' ' ')"
	assertEquals 012abc6789 "$(cat "$T/f")"
	assertEquals 'ok offset 0 ' "$(test-unit file writeat "$T/f" 10 xyz | tr '\n' ' ')"
	assertEquals 012abc6789xyz "$(cat "$T/f")"
	assertEquals 'No space left on device' "$(test-unit file writeat /dev/full 0 x | head -n 1)"
}

test_a_read_is_whole_or_an_error() {
	printf '0123456789' >"$T/input"
	unit_gives file read 0 10 <<-'END'
	0123456789
	END
	unit_gives file read 3 4 <<-'END'
	3456
	END
	unit_gives file read 10 0 <<-'END'

	END
	unit_gives file read 3 8 <<-'END'
	Input/output error
	END
	assertEquals 'a pipe' 'Illegal seek' "$(echo x | test-unit file read 0 1)"
}

# usage: opens text word ... ; what test-unit file says to these words
opens() {
	want=$1
	shift
	assertEquals "$*" "$want" "$(test-unit file "$@")"
}

test_a_secret_that_everybody_may_read_or_write_is_not_opened() {
	echo x >"$T/secret"
	for mode in 600 400 640 660; do
		chmod "$mode" "$T/secret"
		opens open secret "$T/secret"
	done
	for mode in 604 602 606 644; do
		chmod "$mode" "$T/secret"
		opens 'open to everybody' secret "$T/secret"
	done
	opens 'not a regular file' secret "$T"
	opens 'not a regular file' secret /dev/null
	mkfifo -m 600 "$T/fifo"
	opens 'not a regular file' secret "$T/fifo"
	opens 'No such file or directory' secret "$T/missing"
}

test_a_trusted_file_is_not_one_that_everybody_may_write_to() {
	echo x >"$T/trusted"
	for mode in 644 604 660 400; do
		chmod "$mode" "$T/trusted"
		opens open trusted "$T/trusted"
	done
	for mode in 602 606 646 666; do
		chmod "$mode" "$T/trusted"
		opens 'everybody may write to it' trusted "$T/trusted"
	done
	opens 'not a regular file' trusted "$T"
	opens 'No such file or directory' trusted "$T/missing"
}

test_a_directory_that_everybody_may_write_to_is_not_opened() {
	mkdir "$T/dir"
	for mode in 700 755 770 1775; do
		chmod "$mode" "$T/dir"
		opens open directory "$T/dir"
	done
	for mode in 702 777 1777; do
		chmod "$mode" "$T/dir"
		opens 'everybody may write to it' directory "$T/dir"
		opens 'everybody may write to it' directory "$T/dir" alone
	done
	chmod 770 "$T/dir"
	opens 'its group may write to it' directory "$T/dir" alone
	chmod 755 "$T/dir"
	opens open directory "$T/dir" alone
	opens 'Not a directory' directory "$T/secret"
	needs root || return 0
	chown nobody "$T/dir"
	opens 'it belongs to another user' directory "$T/dir" alone
	opens open directory "$T/dir"
}

test_only_a_regular_file_has_a_size() {
	printf '0123456789' >"$T/input"
	assertEquals 10 "$(test-unit file size <"$T/input")"
	assertEquals 'a pipe' 'Illegal seek' "$(echo x | test-unit file size)"
	assertEquals 'a device' 'Illegal seek' "$(test-unit file size </dev/null)"
	assertEquals 'a directory' 'Illegal seek' "$(test-unit file size <"$T")"
	assertEquals 'closed' 'Bad file descriptor' "$(test-unit file size <&-)"
}

test_slurp_has_its_limit_and_appends() {
	numbered 1000 >"$T/input"
	unit_gives file slurp 1000 <<-'END'
	ok
	1000 
	END
	unit_gives file slurp 999 before <<-'END'
	File too large
	6 before
	END
	printf 'x\0y' >"$T/input"
	unit_gives file slurp 3 before <<-'END'
	ok
	9 beforex\x00y
	END
	: >"$T/input"
	unit_gives file slurp 0 <<-'END'
	ok
	0 
	END
	assertEquals 'a pipe' 'Illegal seek' "$(echo x | test-unit file slurp 100 | head -n 1)"
}

. "$SHUNIT2"
