#!/bin/sh
# make install: nothing hides a program of the system, and the words of a chain find each other. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

WORDS=libexec/ucspi-msa

# A copy of the tree is linked anew, for a prefix of its own.
oneTimeSetUp() {
	built=$T/tree
	chmod 755 "$T"
	(
		set -e
		from=$(cd "$(dirname "$(command -v stamp)")/.." && pwd)
		mkdir -p "$built/bin"
		cd "$from"
		cp -Rp Makefile VERSION LICENSE cmd include lib man scripts libmsa.a "$built"
		cp -p bin/* "$built/bin" 2>/dev/null || :
		sanitize=
		! program_sanitized || sanitize=-fsanitize=address,undefined
		${MAKE:-make} -s -C "$built" install PREFIX="$T/usr" LDFLAGS="$sanitize"
	) >"$T/made" 2>&1
	code=$?
	assertEquals "$(cat "$T/made")" 0 "$code"
}

setUp() {
	PATH=$T/usr/bin:/usr/bin:/bin
}

test_bin_has_what_somebody_types_and_nothing_else() {
	# shellcheck disable=SC2010
	assertEquals 'authd lmtp-inject maildir-inject qualify smtp-inject stamp submitd tlsd ' \
		"$(ls "$T/usr/bin" | grep -v -e '^msa$' -e '^msa-' | tr '\n' ' ')"
	for folder in "$built"/cmd/*/; do
		name=$(basename "$folder")
		assertTrue "$name" "[ -x $T/usr/bin/$name ] || [ -x $T/usr/$WORDS/$name ]"
	done
}

test_a_page_lies_in_the_section_of_its_program() {
	for page in "$T"/usr/share/man/man8/*; do
		name=$(basename "$page")
		case $name in
		*.8msa) where=$WORDS section=8msa ;;
		*) where=bin section=8 ;;
		esac
		assertTrue "$name" "[ -x $T/usr/$where/${name%.8*} ]"
		assertEquals "$name" "$section" "$(sed -n 's/^\.Dt [A-Z-]* //p' "$page")"
		for name in $(sed -n 's/^\.Xr \([a-z-]*\) 8\(msa\)\{0,1\}\>.*/\1.8\2/p' "$page"); do
			case $name in
			tcpserver.* | inetd.* | sendmail.*) continue ;; # not ours
			esac
			[ ! -e "$built/cmd/${name%.8*}" ] || assertTrue "$page: $name" "[ -e $T/usr/share/man/man8/$name ]"
		done
	done
}

test_the_first_word_is_run_by_msa() {
	for name in route limit spoold rewind envelope tlsc; do
		assertEquals "$name" "$name (ucspi-msa) $(cat "$ROOT/VERSION")" "$(msa "$name" --version)"
	done
	msa no-such-word 2>"$T/err"
	code=$?
	assertEquals 'msa: no-such-word: No such file or directory' "$(cat "$T/err")"
	assertEquals 111 "$code"
	msa -x 2>"$T/err"
	code=$?
	assertEquals 'an option is no word' 'usage: msa word [arg ...]' "$(cat "$T/err")"
	assertEquals 100 "$code"
}

test_every_program_knows_its_version() {
	for program in "$T"/usr/bin/* "$T/usr/$WORDS"/*; do
		assertEquals "${program##*/} (ucspi-msa) $(cat "$ROOT/VERSION")" "$("$program" --version </dev/null)"
	done
}

test_every_program_knows_its_usage() {
	for program in "$T"/usr/bin/* "$T/usr/$WORDS"/*; do
		name=${program##*/}
		"$program" --help >"$T/out" 2>"$T/err" </dev/null
		code=$?
		assertEquals "$name: $(cat "$T/err")" 0 "$code"
		assertEquals "usage: $name" "$(sed -n '1s/^\(usage: [a-z-]*\).*/\1/p' "$T/out")"
		assertEquals "The page is $name(8)." "$(sed -n '$s/^\(The page is [a-z-]*(8)\.\).*/\1/p' "$T/out")"
	done
}

# A message through a chain of words and scripts; what a script prints is the reply. usage: one_message word ...
one_message() {
	printf '%s\r\n' 'EHLO client' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' 'DATA' >"$T/in"
	printf '%s\r\n' 'Subject: x' '' 'Hello' '.' 'QUIT' >>"$T/in"
	RELAYCLIENT='' MSA_HOST=mx.test submitd "$@" <"$T/in" >"$T/out" 2>"$T/log"
}

test_a_stage_finds_the_next_word_before_that_of_the_path() {
	mkdir -p "$T/other"
	printf '#!/bin/sh\necho "550 5.7.1 the wrong one"\n' >"$T/other/trace"
	chmod 755 "$T/other/trace"
	PATH=$T/other:$PATH
	mkdir -p "$T/box"
	one_message trace -v maildir-inject -d example.org -n "$T/box"
	assertTrue "$(cat "$T/out" "$T/log")" "! grep -q 'wrong one' $T/out"
	assertTrue "$(cat "$T/log")" "grep -q ' trace: \|^trace: ' $T/log"
}

test_a_script_finds_rewind_and_envelope_at_the_end_of_its_path() {
	cat >"$T/script" <<-'X'
		#!/bin/sh
		rewind || exit 111
		echo "550 5.7.1 $(envelope to) $(command -v envelope)"
		exit 100
	X
	chmod 755 "$T/script"
	one_message "$T/script"
	assertTrue "$(cat "$T/out" "$T/log")" "grep -q '^550 5.7.1 bob@example.org $T/usr/$WORDS/envelope' $T/out"
	mkdir -p "$T/other"
	printf '#!/bin/sh\necho site\n' >"$T/other/envelope"
	chmod 755 "$T/other/envelope"
	PATH=$T/other:$PATH
	one_message "$T/script"
	assertTrue "the site's own: $(cat "$T/out")" "grep -q '^550 5.7.1 site $T/other/envelope' $T/out"
}

# Programs of the tree must not find what was installed before.
test_what_is_not_installed_knows_no_directory() {
	mkdir -p "$T/here/lib/base"
	cp "$ROOT/VERSION" "$T/here"
	(cd "$T/here" && sh "$ROOT/scripts/installed" && tail -n 1 lib/base/program_impl.h) >"$T/out" 2>&1
	assertEquals '#define INSTALLED_LIBEXEC ""' "$(cat "$T/out")"
	touch -t 202001010000 "$T/here/lib/base/program_impl.h"
	(cd "$T/here" && sh "$ROOT/scripts/installed")
	assertEquals 'not touched again' '' "$(find "$T/here/lib/base/program_impl.h" -newermt 2020-01-02)"
}

test_uninstall_leaves_nothing() {
	(cd "$built" && DESTDIR=$T/d PREFIX=/usr sh scripts/install && DESTDIR=$T/d PREFIX=/usr sh scripts/install --remove)
	assertEquals '' "$(find "$T/d" -type f)"
	assertFalse 'the directory of the words' "[ -e $T/d/usr/$WORDS ]"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
