#!/bin/sh
# The manual pages: clean, complete, and what the programs say of themselves. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

BIN=${MSA_BIN:-$ROOT/bin}

# The names of the commands that there are.
commands() {
	for dir in "$ROOT"/cmd/*/; do
		basename "$dir"
	done
}

# A page as text, without the means by which a terminal makes it bold.
rendered() {
	mandoc -Tascii -Owidth=200 "$1" | sed "s/.$(printf '\b')//g"
}

# The lines of one section, joined by single spaces. usage: section NAME <rendered
section() {
	sed -n "/^$1\$/,/^[A-Z]/{/^[A-Z]/!p;}" | tr '\n' ' ' | sed 's/  */ /g; s/^ //; s/ $//'
}

test_every_command_has_a_page_named_like_it() {
	for name in $(commands); do
		assertTrue "$name" "[ -f $ROOT/cmd/$name/$name.8 ]"
	done
}

test_pages_are_clean() {
	for page in "$ROOT"/cmd/*/*.8 "$ROOT"/man/*.7; do
		[ -f "$page" ] || continue
		# whether other pages are installed here does not matter
		assertEquals "$page" '' \
			"$(mandoc -Tlint -Wstyle "$page" 2>&1 | grep -v 'referenced manual not found\|outdated mandoc.db')"
	done
}

test_pages_have_every_section() {
	for name in $(commands); do
		page=$ROOT/cmd/$name/$name.8
		[ -f "$page" ] || continue
		rendered "$page" >"$T/page"
		for heading in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
			assertTrue "$name: $heading" "grep -qx '$heading' '$T/page'"
		done
		# the slots: descriptors, environment, limits; "none" spelt out
		for slot in 'environment\|read' limits; do
			assertTrue "$name: $slot" "grep -qi '^[^a-z]*\($slot\)' '$T/page'"
		done
		assertTrue "$name: it names chain(7)" "grep -q 'chain(7)' '$T/page'"
		assertEquals "$name: NAME" "$name" "$(section NAME <"$T/page" | sed 's/ .*//')"
	done
}

test_the_usage_line_is_the_synopsis() {
	for name in $(commands); do
		page=$ROOT/cmd/$name/$name.8
		[ -f "$page" ] && [ -x "$BIN/$name" ] || continue
		"$BIN/$name" -? </dev/null >"$T/out" 2>"$T/usage"
		code=$?
		want=100
		case $name in
		submit | msa-sendmail) want=64 ;; # their exit codes are those of sysexits
		esac
		assertEquals "$name: exit code" $want $code
		assertEquals "$name: nothing on fd 1" '' "$(cat "$T/out")"
		assertEquals "$name" "usage: $(rendered "$page" | section SYNOPSIS)" "$(grep '^usage:' "$T/usage" | tr '\n' ' ' | sed 's/ $//')"
	done
}

# In a chain our own misuse never refuses mail: 111 and 451 (chain(7) VERDICT).
test_misuse_of_a_message_stage_is_later() {
	for name in qualify stamp lmtp-inject smtp-inject maildir-inject spool filter rewind envelope; do
		[ -x "$BIN/$name" ] || continue
		MSA_MESSAGE=m "$BIN/$name" -? </dev/null >"$T/out" 2>/dev/null
		assertEquals "$name: exit code" 111 $?
		# without a text 111 is 451 too
		assertEquals "$name" "$([ ! -s "$T/out" ] || echo '451 4.3.0 ')" "$(head -c 10 "$T/out")"
	done
}

. "$SHUNIT2"
