#!/bin/sh
# msa-stage(3): a stage of a stranger's, examples/stages/c, is built against the installed files alone, and works exec'd,
# resident, in a chain and as a filter. ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	built=$(cd "$(dirname "$(command -v stamp)")/.." && pwd)
	(cd "$built" && DESTDIR=$T/installed PREFIX=/usr sh scripts/install)
	sanitize=
	! nm "$built/libmsa.a" 2>/dev/null | grep -q __asan_init || sanitize=-fsanitize=address,undefined
	PKG_CONFIG_SYSROOT_DIR=$T/installed PKG_CONFIG_PATH=$T/installed/usr/lib/pkgconfig \
		pkg-config --cflags --libs msa >"$T/flags"
	mkdir "$T/bin"
	cp "$ROOT/examples/stages/c/inside.c" "$T"
	# shellcheck disable=SC2046,SC2086
	(cd "$T" && ${CC:-cc} -Wall -Wextra -Werror $sanitize inside.c -o bin/inside $(cat flags)) \
		>"$T/built" 2>&1
	PATH=$T/bin:$PATH
}

setUp() {
	export MSA_MESSAGE=0abc MSA_SESSION=0aaa MSA_RCPTS=3 MSA_DEADLINE="$(($(date +%s) + 60))"
	printf 'X-Internal: yes\r\n\r\nHello\r\n' >"$T/secret"
	printf 'Subject: x\r\n\r\nHello\r\n' >"$T/plain"
	printf '%s\n' 'MAIL FROM:<a@example.net>' 'RCPT TO:<b@example.net>' 'RCPT TO:<c@evilexample.net>' \
		'RCPT TO:<d@example.org>' 'COPY TO:<e@example.org>' >"$T/e"
	printf '%s\n' 'MAIL FROM:<a@example.net>' 'RCPT TO:<b@example.net>' '550 5.7.1 Not outside' \
		'550 5.7.1 Not outside' 'COPY TO:<e@example.org>' >"$T/edited"
	rm -rf "$T/box"
}

tearDown() {
	resident_stop_all
}

test_it_builds_without_a_warning_and_is_short() {
	assertEquals '' "$(cat "$T/built")"
	assertTrue 'under 60 lines' "[ $(wc -l <"$T/inside.c") -lt 60 ]"
	assertFalse 'nothing of the source tree' "grep -q '$ROOT' '$T/flags'"
}

# What came behind the stage. usage: stored envelope message
stored() {
	assert_same 'envelope' "$1" "$T/box/1/envelope"
	assert_same 'message' "$2" "$T/box/1/message"
}

test_execd_it_edits_the_envelope() {
	inside -d @example.net inject-file "$T/box" <"$T/secret" 3<"$T/e" >"$T/out" 2>"$T/log"
	stored "$T/edited" "$T/secret"
	assertEquals 'inside: 0aaa/0abc internal domain=@example.net' "$(cat "$T/log")"
}

test_execd_what_is_not_internal_goes_on_as_it_is() {
	inside -d @example.net inject-file "$T/box" <"$T/plain" 3<"$T/e" >"$T/out" 2>"$T/log"
	stored "$T/e" "$T/plain"
	assertEquals '' "$(cat "$T/log")"
}

test_resident_it_serves_one_message_after_the_other() {
	(
		unset MSA_MESSAGE MSA_SESSION MSA_RCPTS MSA_DEADLINE
		exec inside -l "$T/it" -P 1:1 -d @example.net inject-file "$T/box"
	) </dev/null >"$T/it.out" 2>"$T/it.log" &
	residents="$residents $!"
	wait_until grep -q ' ready ' "$T/it.log"
	for _ in 1 2 3; do
		rm -rf "$T/box"
		call "$T/it" <"$T/secret" 3<"$T/e" >"$T/out" 2>"$T/log"
		stored "$T/edited" "$T/secret"
	done
	assertEquals 'a line for each' 3 "$(grep -c ' internal domain=@example.net$' "$T/it.log")"
}

test_a_broken_envelope_is_451() {
	echo nonsense >"$T/e"
	inside -d @example.net inject-file "$T/box" <"$T/secret" 3<"$T/e" >"$T/out" 2>"$T/log"
	printf '451 4.3.0 Local error, try again later\r\n.\r\n' >"$T/want"
	assert_same 'verdict' "$T/want" "$T/out"
	assertFalse 'nothing is handed on' "[ -e '$T/box' ]"
}

test_as_a_filter_it_passes_or_refuses_by_its_exit_code() {
	unset MSA_MESSAGE
	inside -d @example.net <"$T/plain" >"$T/out" 2>"$T/log"
	assertEquals 0 $?
	assert_same 'as it was' "$T/plain" "$T/out"
	# shellcheck disable=SC2002
	cat "$T/secret" | inside >"$T/out" 2>"$T/log"
	assertEquals '100 0' "$? $(wc -c <"$T/out")"
}

test_misuse_says_what_and_where() {
	unset MSA_MESSAGE
	inside -d example.net <"$T/plain" >"$T/out" 2>"$T/log"
	assertEquals '100 inside: example.net: not @domain' "$? $(cat "$T/log")"
	inside -x <"$T/plain" >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "100 usage: inside -d @domain $(inside -x 2>&1 </dev/null | sed -n 's/.*@domain //p')" \
		"$code $(tail -n 1 "$T/log")"
}

. "$SHUNIT2"
