# shellcheck shell=sh
# Every test file begins with this file: . "$(dirname "$0")/../lib/test.sh". Then come the other files of tests/lib that
# it needs, its tests, and at its end . "$SHUNIT2".
# Assert only in the test's own shell: an assert inside ( ) or after a pipe is lost.
# ISC licence, see LICENSE.

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
SHUNIT2=${SHUNIT2:-/usr/share/shunit2/shunit2}
# The file runs once more as a child of itself: shunit2 sets an EXIT trap of its own in place of ours, and the child's
# environment is ours. Nothing of the caller's may be a fact of a chain, or a setting of a library or a client. The
# system's programs stand in PATH before those that the caller's PATH has first: some python3 looks for the right one
# each time, which takes longer than the test. MSA_LIBEXEC is empty: what is installed on this machine is not tested.
if [ -z "${MSA_TEST_DIR:-}" ]; then
	T=$(mktemp -d "${TMPDIR:-/tmp}/msa-test.XXXXXX") || exit 1
	trap 'rm -rf "$T"' EXIT
	trap 'exit 1' INT TERM
	PATH=${MSA_BIN:-$ROOT/bin}:$ROOT/tests/tools:/usr/bin:/bin:$PATH
	set -- sh "$0" "$@"
	for name in MSA_BIN TMPDIR CC LD_LIBRARY_PATH ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS; do
		eval "value=\${$name-}"
		[ -z "$value" ] || set -- "$name=$value" "$@"
	done
	env -i PATH="$PATH" MSA_LIBEXEC= HOME="$T" SHUNIT2="$SHUNIT2" MSA_TEST_DIR="$T" "$@"
	exit
fi
T=$MSA_TEST_DIR
unset MSA_TEST_DIR
# shunit2, with asserts that start no processes (faster.sh). If it has no such line, it works as it is.
[ -r "$SHUNIT2" ] || SHUNIT2=/usr/share/shunit2/shunit2
sed 's|^# Main[.]$|. "$ROOT/tests/lib/faster.sh"|' "$SHUNIT2" >"$T/.shunit2.new"
mv "$T/.shunit2.new" "$T/.shunit2" # a file that runs itself again has it already, and must not read what it writes
SHUNIT2=$T/.shunit2
export ROOT PATH T SHUNIT2

# Where a file has none of these, shunit2 starts a program that does nothing, each time.
setUp() { :; }
tearDown() { :; }
oneTimeSetUp() { :; }
oneTimeTearDown() { :; }
suite() { :; }

# Compare a file (or "-": standard input) to the expected text, with a diff on failure.
# usage: assert_same message expected-file actual-file
assert_same() {
	if diff -u "$2" "$3" >"$T/diff" 2>&1; then
		assertTrue "$1" 0
	else
		cat "$T/diff" >&2
		fail "$1"
	fi
}

# Signals 32 and 33 are the C library's own, and no program can set them: out of the masks of /proc/PID/status.
libc_aside() {
	sed 's/00000001800000\([0-9a-f][0-9a-f]\)/00000000000000\1/g'
}

# Count and say a skip. usage: skip reason
skip() {
	echo "SKIP: $1"
	startSkipping
	assertTrue "$1" 0
	endSkipping
}
