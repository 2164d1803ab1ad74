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
# each time, which takes longer than the test.
# What a test chooses at random comes from TEST_SEED.
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
	env -i PATH="$PATH" HOME="$T" SHUNIT2="$SHUNIT2" MSA_TEST_DIR="$T" TEST_SEED="${TEST_SEED:-1}" "$@"
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

# Standard input is what $T/out must be. usage: assert_out message
assert_out() {
	cat >"$T/want"
	assert_same "$1" "$T/want" "$T/out"
}

# Standard input is what $T/got must be. usage: assert_got message
assert_got() {
	cat >"$T/want"
	assert_same "$1" "$T/want" "$T/got"
}

# $T/log has a line like this. usage: assert_logged pattern
assert_logged() {
	logged=1
	! grep -q -e "$1" "$T/log" || logged=0
	assertTrue "log has no $1: $(cat "$T/log")" "$logged"
}

# Wait until a command is true; the test fails if it is not so after 90 s, or as many seconds as the first word says.
# The only wait there is. usage: wait_until [seconds] command [arg ...]
wait_until() {
	wait_seconds=90 # of a machine with much else to do, or of a build with sanitizers
	case $1 in
	*[!0-9]*) ;;
	*)
		wait_seconds=$1
		shift
		;;
	esac
	read -r wait_now _ </proc/uptime
	wait_end=$((${wait_now%.*} + wait_seconds))
	until "$@"; do
		read -r wait_now _ </proc/uptime
		[ "${wait_now%.*}" -le "$wait_end" ] || {
			fail "waited $wait_seconds s for: $*"
			tail -n 20 "$T/log" "$T"/*.log 2>/dev/null
			return 1
		}
		sleep 0.02
	done
}

# The process is there and not dead. usage: proc_alive pid
proc_alive() {
	[ -r "/proc/$1/stat" ] && ! grep -qs ') Z ' "/proc/$1/stat"
}

# None of these processes is alive. usage: proc_gone pid ...
proc_gone() {
	for proc; do
		! proc_alive "$proc" || return 1
	done
}

# usage: assert_proc_gone pids
assert_proc_gone() {
	# shellcheck disable=SC2086
	wait_until proc_gone $1
}

# The pids of its children. usage: proc_children pid
proc_children() {
	pgrep -P "$1"
}

# The pids below it. usage: proc_descendants pid
proc_descendants() {
	ps -e -o pid= -o ppid= | awk -v top="$1" '
		{ parent[$1] = $2 }
		END { for (p in parent) for (q = p; q in parent; q = parent[q]) if (parent[q] == top) { print p; break } }'
}

# How many descriptors it has. usage: proc_descriptors pid
proc_descriptors() {
	find "/proc/$1/fd" -type l 2>/dev/null | wc -l
}

# Signals 32 and 33 are the C library's own, and no program can set them: out of the masks of /proc/PID/status.
proc_libc_aside() {
	sed 's/00000001800000\([0-9a-f][0-9a-f]\)/00000000000000\1/g'
}

# A port of 127.0.0.1 that nobody listens at.
port_free() {
	port free
}

# Somebody takes connections there. usage: port_accepts port|path
port_accepts() {
	port accepts "$1"
}

# The program at $T/NAME, its text is standard input. usage: program_make name
program_make() {
	cat >"$T/$1"
	chmod 755 "$T/$1"
}

# The shell script of these lines at $T/NAME. usage: program_lines name line ...
program_lines() {
	program=$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" | program_make "$program"
}

# The programs under test are built with a sanitizer.
program_sanitized() {
	grep -q __asan_init "$(command -v submitd)"
}

# Octets that are always the same for one seed. usage: text_random n
text_random() {
	python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random(int(sys.argv[1])).randbytes(int(sys.argv[2])))' "$TEST_SEED" "$1"
}

# usage: text_repeat n text
text_repeat() {
	printf "%${1}s" '' | sed "s/ /$2/g"
}

# What the test cannot do without, or it is skipped: needs root trace || return 0. The words are those of tests/tools/has,
# and plain: programs without a sanitizer. tests/skips says where which of them may be missing. usage: needs word ...
needs() {
	for need; do
		case $need in
		plain) ! program_sanitized ;;
		*) has "$need" ;;
		esac || {
			skip "needs $need"
			return 1
		}
	done
}

# Count and say a skip. usage: skip reason
skip() {
	echo "SKIP: $1"
	startSkipping
	assertTrue "$1" 0
	endSkipping
}
