#!/bin/sh
# tests/run: what it counts, what it prints, and when it fails. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

setUp() {
	mkdir -p "$T/tree/tests/a" "$T/tree/bin"
	cp "$ROOT/tests/run" "$T/tree/tests"
	mkdir "$T/tree/tests/lib" "$T/tree/tests/tools"
	echo 'always | tests/a/skipping_test.sh | no peer' >"$T/tree/tests/skips"
	printf '%s\n' '#!/bin/sh' 'test "$1" = moon' >"$T/tree/tests/tools/has"
	cp "$ROOT/tests/tools/outcomes" "$ROOT/tests/tools/tree-key" "$T/tree/tests/tools"
	cp "$ROOT/tests/lib/test.sh" "$ROOT/tests/lib/faster.sh" "$T/tree/tests/lib"
}

tearDown() {
	rm -rf "$T/tree"
}

# A test file with this body in its only test. usage: file name <body
file() {
	{
		# shellcheck disable=SC2016
		printf '. "$(dirname "$0")/../lib/test.sh"\ntest_it() {\n'
		cat
		# shellcheck disable=SC2016
		printf '}\n. "$SHUNIT2"\n'
	} >"$T/tree/tests/a/$1_test.sh"
}

# $T/out is what the runner prints, without times; $code its end. usage: run_suite [file ...]
run_suite() {
	MAKE=true TEST_SEED=7 sh "$T/tree/tests/run" "$@" >"$T/printed" 2>&1
	code=$?
	sed 's/\x1b\[[0-9;]*m//g' "$T/printed" | grep -v -e '^ASSERT:' -e '^$' -e '^Ran ' -e '^seed 7$' -e '^test_' -e ^FAILED -e ^OK -e ^shunit2: |
		sed -E 's/ +[0-9]+s$/ Ns/; s/^[0-9]+ s of/N s of/; s/_test.sh  +/_test.sh /' >"$T/out"
}

assert_printed() {
	cat >"$T/want"
	assert_same "$1" "$T/want" "$T/out"
}

test_progress_and_the_counts() {
	echo 'assertTrue yes 0' | file good
	printf '%s\n' 'skip "no peer"' 'sleep 1' | file skipping
	run_suite tests/a/skipping_test.sh tests/a/good_test.sh
	assertEquals "$(cat "$T/printed")" 0 "$code"
	assert_printed 'what is printed' <<-'END'
		[1/2] tests/a/good_test.sh 1 tests 0 failures 0 skips Ns
		[2/2] tests/a/skipping_test.sh 1 tests 0 failures 1 skips Ns
		SKIP: no peer
		N s of processor time
		2 passed, 0 failed, 1 skipped
	END
}

test_a_failure_fails() {
	echo 'assertTrue no 1' | file bad
	run_suite
	assertEquals "$(cat "$T/printed")" 1 "$code"
	assert_printed 'what is printed' <<-'END'
		[1/1] tests/a/bad_test.sh 1 tests 1 failures 0 skips Ns
		failed: tests/a/bad_test.sh; once more, alone:
		[1/1] tests/a/bad_test.sh 1 tests 1 failures 0 skips Ns
		failed: tests/a/bad_test.sh; TEST_SEED=7; bin/test-logs/tests_a_bad_test.sh.1 and .2
		N s of processor time
		0 passed, 1 failed, 0 skipped
	END
}

# What passes only alone, or only now and then, has failed. What it said each time is kept.
test_an_unsteady_file_fails() {
	echo 'assertTrue "first time" "[ -e $ROOT/seen ]"; : >"$ROOT/seen"' | file unsteady
	run_suite
	assertEquals 'what it said first' 1 "$(grep -c 'first time' "$T/tree/bin/test-logs/tests_a_unsteady_test.sh.1")"
	assertEquals 'then' 0 "$(grep -c 'first time' "$T/tree/bin/test-logs/tests_a_unsteady_test.sh.2")"
	assertEquals "$(cat "$T/printed")" 1 "$code"
	assert_printed 'what is printed' <<-'END'
		[1/1] tests/a/unsteady_test.sh 1 tests 1 failures 0 skips Ns
		failed: tests/a/unsteady_test.sh; once more, alone:
		[1/1] tests/a/unsteady_test.sh 1 tests 0 failures 0 skips Ns
		unsteady: tests/a/unsteady_test.sh; TEST_SEED=7; bin/test-logs/tests_a_unsteady_test.sh.1 and .2
		N s of processor time
		0 passed, 1 failed, 0 skipped
	END
	run_suite
	assertEquals "$(cat "$T/printed")" 0 "$code"
	assertEquals 'and is gone when it passes' '' "$(ls "$T/tree/bin/test-logs")"
}

# Both runs of a file that fails have the seed of the run.
test_what_failed_with_a_seed_is_asserted_with_it_again() {
	echo 'echo "$TEST_SEED" >>"$ROOT/seeds"; assertTrue no 1' | file random
	run_suite
	assertEquals '7 7' "$(paste -sd ' ' "$T/tree/seeds")"
	assertEquals 'printed' 'seed 7' "$(head -n 1 "$T/printed")"
	(unset TEST_SEED; MAKE=true sh "$T/tree/tests/run" tests/a/random_test.sh) >"$T/printed" 2>&1
	assertEquals 'always another word, of the commit' "seed $(sed -n 3p "$T/tree/seeds")" "$(head -n 1 "$T/printed")"
}

# Each skip is known, with file and reason, where it may happen; MSA_STRICT is what make check sets.
test_skips_are_compared_with_the_list() {
	printf '%s\n' 'skip "no peer"' 'skip "no disk at /x"' | file skipping
	printf '%s\n' '# condition | file | reason' 'always | tests/a/skipping_test.sh | no peer' \
		'always | tests/a/skipping_test.sh | no disk at *' 'sanitized | tests/a/skipping_test.sh | other memory' \
		'always | tests/a/other_test.sh | not run' 'no sun | tests/a/*_test.sh | needs sun' >"$T/tree/tests/skips"
	MSA_STRICT=1 run_suite
	assertEquals "expected; $(cat "$T/printed")" 0 "$code"
	sed -i '/no peer/d' "$T/tree/tests/skips"
	MSA_STRICT=1 run_suite
	assertEquals 'unexpected' 1 "$code"
	assertEquals 'unexpected skip: tests/a/skipping_test.sh: no peer' "$(grep '^unexp' "$T/printed")"
	assertEquals '1 passed, 1 failed, 2 skipped' "$(tail -n 1 "$T/printed")"
	run_suite
	assertEquals 'by hand it only says so' 0 "$code"
	assertEquals 'unexpected skip: tests/a/skipping_test.sh: no peer' "$(grep '^unexp' "$T/printed")"
	printf '%s\n' 'always | tests/a/skipping_test.sh | no p*' 'always | tests/a/skipping_test.sh | no moon' >>"$T/tree/tests/skips"
	MSA_STRICT=1 run_suite
	assertEquals 'a line that is over' 1 "$code"
	assertEquals 'expected skip that did not happen: tests/a/skipping_test.sh: no moon' "$(grep '^exp' "$T/printed")"
	sed -i '/no moon/d' "$T/tree/tests/skips"
	echo 'sanitized | tests/a/skipping_test.sh | other memory' >"$T/tree/tests/skips"
	echo __asan_init >"$T/tree/bin/submitd"
	run_suite
	assertEquals 'sanitized' 'expected skip that did not happen: tests/a/skipping_test.sh: other memory' \
		"$(grep '^exp' "$T/printed")"
	echo x >"$T/tree/bin/submitd"
	run_suite
	assertEquals 'not sanitized' '' "$(grep '^exp' "$T/printed")"
	printf '%s\n' 'skip "no peer"' 'skip "needs sun"' | file skipping
	printf '%s\n' 'no sun | * | needs sun' 'no moon | * | no peer' >"$T/tree/tests/skips"
	run_suite
	assertEquals 'what the machine lacks' 'unexpected skip: tests/a/skipping_test.sh: no peer' "$(grep '^unexp' "$T/printed")"
}

# shunit2 ends with 0 in both cases.
test_a_file_without_tests_fails() {
	printf '. "$(dirname "$0")/../lib/test.sh"\n. "$SHUNIT2"\n' >"$T/tree/tests/a/empty_test.sh"
	run_suite tests/a/empty_test.sh
	assertEquals 'no test' 1 "$code"
	run_suite tests/a/missing_test.sh
	assertEquals 'no file' 1 "$code"
	assertContains "$(cat "$T/printed")" '0 passed, 1 failed, 0 skipped'
}

# usage: assert_order file ... ; these begin in this order
assert_order() {
	MSA_JOBS=1 run_suite
	assertEquals "order; $(cat "$T/printed")" "$*" "$(cat "$T/tree/order" | tr '\n' ' ' | sed 's/ $//')"
	rm "$T/tree/order"
}

test_the_slowest_of_the_last_run_begins() {
	echo 'echo small >>"$ROOT/order"; assertTrue yes 0' | file small
	{
		echo 'echo large >>"$ROOT/order"; assertTrue yes 0'
		printf '#%0200d\n' 0
	} | file large
	assert_order large small # by size: the first time nothing else is known
	assertEquals 'the times are kept' 2 "$(grep -c '^[0-9]* [0-9.]* tests/a/\(small\|large\)_test.sh$' "$T/tree/bin/test-times")"
	printf '%s\n' '9 0.1 tests/a/small_test.sh' '8 0.1 tests/a/large_test.sh' >"$T/tree/bin/test-times"
	assert_order small large
}

# For the conformance report: of the first run of a file, and of this tree.
test_what_became_of_each_test_is_kept() {
	sed s/TEST_/test_/ >"$T/tree/tests/a/many_test.sh" <<-'END' # shunit2 would find them here
		. "$(dirname "$0")/../lib/test.sh"
		TEST_good() { echo test_not_alone here; assertTrue yes 0; }
		TEST_bad() { assertTrue "first time" "[ -e $ROOT/seen ]"; : >"$ROOT/seen"; }
		TEST_skipping() { skip 'no peer'; }
		TEST_partly() { assertTrue yes 0; skip 'no other peer'; }
		. "$SHUNIT2"
	END
	printf '. "$(dirname "$0")/../lib/test.sh"\ntest_leaves() { exit 0; }\n. "$SHUNIT2"\n' >"$T/tree/tests/a/leaves_test.sh"
	run_suite
	cat >"$T/want" <<-'END'
		KEY failed tests/a/leaves_test.sh test_leaves
		KEY failed tests/a/many_test.sh test_bad
		KEY passed tests/a/many_test.sh test_good
		KEY skipped tests/a/many_test.sh test_partly
		KEY skipped tests/a/many_test.sh test_skipping
	END
	key=$("$T/tree/tests/tools/tree-key")
	sed "s/^$key /KEY /" "$T/tree/bin/test-outcomes" | sort >"$T/out"
	assert_same 'outcomes' "$T/want" "$T/out"
	run_suite tests/a/many_test.sh
	sed 's/KEY failed tests.a.many/KEY passed tests\/a\/many/' "$T/want" | sort >"$T/want2"
	sed "s/^$key /KEY /" "$T/tree/bin/test-outcomes" | sort >"$T/out"
	assert_same 'of one file anew' "$T/want2" "$T/out"
	echo '# another tree' >>"$T/tree/tests/a/leaves_test.sh"
	run_suite tests/a/many_test.sh
	assertEquals 'those of the other tree go' 4 "$(wc -l <"$T/tree/bin/test-outcomes")"
	assertEquals 'none has its key' 0 "$(grep -c "^$key " "$T/tree/bin/test-outcomes")"
}

# The tests of a resident's environment and of its limits must not depend on the caller's.
test_nothing_of_the_callers_environment_reaches_a_test() {
	echo 'env | sed "s/=.*//" | sort >"$ROOT/names"; assertTrue yes 0' | file env
	(
		i=0
		while [ "$i" -lt 100 ]; do
			i=$((i + 1))
			export "FOREIGN_$i=x"
		done
		export RELAYCLIENT='' SSL_CERT_FILE=/nonexistent LANG=tlh CDPATH=/
		run_suite
		exit "$code"
	)
	code=$?
	assertEquals "$(cat "$T/printed")" 0 "$code"
	assertEquals 'foreign variables' '' "$(grep -e FOREIGN -e RELAY -e SSL -e LANG -e CDPATH "$T/tree/names")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
