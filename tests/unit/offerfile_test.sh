#!/bin/sh
# offerfile: the file with what the next hop offers. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# usage: expands list expected
expands() {
	assertEquals "$1" "$2" "$(test-unit offerfile expand "$1")"
}

# usage: writes expected keywords [seconds]
writes() {
	expected=$1
	shift
	assertEquals "write $*" "$expected" "$(test-unit offerfile write "$T/f" "$@")"
}

setUp() {
	rm -rf "$T/f"
}

test_a_list_without_a_file_stays() {
	expands '8BITMIME,DSN' '8BITMIME,DSN'
	expands '' ''
	expands '=DSN' '=DSN'
	expands 'DSN,@f' 'DSN,@f'
	assertEquals none "$(test-unit offerfile name DSN)"
	assertEquals /a/b "$(test-unit offerfile name '@/a/b,DSN,@c')"
	assertEquals /a/b "$(test-unit offerfile name '@/a/b')"
}

test_the_files_keywords_take_its_place() {
	printf '8BITMIME\nSIZE 100\n\n\n' >"$T/f"
	expands "@$T/f" '8BITMIME
SIZE 100'
	expands "@$T/f,DSN,DELIVERBY" '8BITMIME
SIZE 100



,DSN,DELIVERBY'
}

test_a_missing_or_empty_file_has_no_keywords() {
	expands "@$T/none" ''
	expands "@$T/none/f,DSN" '
,DSN'
	: >"$T/f"
	expands "@$T/f,DSN" '
,DSN'
}

test_a_file_that_cannot_be_used_has_no_keywords_and_a_reason() {
	expands "@$T,DSN" 'not a regular file: 
,DSN'
	mkfifo "$T/f"
	expands "@$T/f,DSN" 'not a regular file: 
,DSN'
	rm "$T/f"
	echo DSN >"$T/f"
	chmod 646 "$T/f"
	expands "@$T/f" 'everybody may write to it: '
	chmod 644 "$T/f"
	for text in 'DSN SMTPUTF8' 'DSN\0SMTPUTF8' '=DSN' '@f' 'DSN\tSMTPUTF8' 'caf\303\251'; do
		# shellcheck disable=SC2059
		printf "$text" >"$T/f"
		expands "@$T/f,8BITMIME" 'not keywords with newlines between: 
,8BITMIME'
	done
	yes 'DSN    ' | head -n 512 >"$T/f"
	assertEquals 4096 "$(wc -c <"$T/f" | tr -d ' ')"
	assertEquals '4096 octets' 512 "$(test-unit offerfile expand "@$T/f" | grep -c DSN)"
	printf x >>"$T/f"
	expands "@$T/f" 'File too large: '
}

test_it_is_written_if_it_differs() {
	umask 077
	writes 1 8BITMIME,DSN
	assertEquals 'everybody may read it, whatever the umask is' 644 "$(stat -c %a "$T/f")"
	assertEquals '8BITMIME
DSN' "$(cat "$T/f")"
	touch -d '2001-01-01' "$T/f"
	writes 0 DSN,8BITMIME
	writes 0 DSN,8BITMIME
	assertEquals 'not touched' 2001 "$(date -r "$T/f" +%Y)"
	writes 1 DSN
	assertEquals DSN "$(cat "$T/f")"
	writes 0 DSN
	writes 1 ''
	assertEquals '' "$(cat "$T/f")"
	writes 0 ''
	writes 1 'SIZE 1000000,SMTPUTF8'
	assertEquals 'SIZE 1000000
SMTPUTF8' "$(cat "$T/f")"
	expands "@$T/f" 'SIZE 1000000
SMTPUTF8'
}

test_what_was_there_is_replaced_and_keeps_its_mode() {
	echo 'by hand' >"$T/f"
	chmod 640 "$T/f"
	writes 1 DSN
	assertEquals DSN "$(cat "$T/f")"
	assertEquals 640 "$(stat -c %a "$T/f")"
}

test_it_is_new_for_a_time() {
	writes '1 new' DSN 7200
	touch -d "@$(($(date +%s) - 7100))" "$T/f"
	writes '0 new' DSN 7200
	touch -d "@$(($(date +%s) - 7200))" "$T/f"
	writes '0 old' DSN 7200
	writes '1 new' SMTPUTF8 7200
}

test_what_cannot_be_written() {
	mkdir "$T/f"
	writes 'Is a directory' DSN
	rmdir "$T/f"
	mkfifo "$T/f"
	writes 'not a regular file' DSN
	rm "$T/f"
	: >"$T/f"
	chmod 666 "$T/f"
	writes 'everybody may write to it' DSN
	assertEquals 'No such file or directory' "$(test-unit offerfile write "$T/none/f" DSN)"
}

. "$SHUNIT2"
