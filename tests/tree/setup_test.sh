#!/bin/sh
# scripts/setup, with an apt-get that installs nothing. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# Programs that stand before the system's in PATH. No package is installed, and nothing on this machine changes.
setUp() {
	mkdir "$T/fake"
	for name in tee chmod rm sleep debconf-set-selections dpkg-query; do
		printf '#!/bin/sh\nexit 0\n' >"$T/fake/$name"
	done
	printf '#!/bin/sh\nexec "$@"\n' >"$T/fake/sudo"
	# Says what it is asked for. While $T/locks has lines, its next line is the error.
	cat >"$T/fake/apt-get" <<-'END'
		#!/bin/sh
		echo "$*" >>"$T/asked"
		[ -s "$T/locks" ] || exit 0
		sed -n 1p "$T/locks" >&2
		sed -i 1d "$T/locks"
		exit 100
	END
	chmod 755 "$T/fake"/*
	: >"$T/asked"
	: >"$T/locks"
}

tearDown() {
	rm -rf "$T/fake"
}

# Run it. $T/out is what it says, $code its end; $T/actions what apt-get was asked for.
setup() {
	PATH=$T/fake:$PATH TMPDIR=$T sh "$ROOT/scripts/setup" "$@" >"$T/out" 2>&1
	code=$?
	sed 's/^-o DPkg::Lock::Timeout=600 //; s/ .*//' "$T/asked" | tr '\n' ' ' >"$T/actions"
}

test_what_is_missing_is_installed() {
	setup build
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertEquals 'update install ' "$(cat "$T/actions")"
	assertContains "$(cat "$T/asked")" ' libtls-dev '
}

test_a_lock_that_somebody_else_holds_is_waited_for() {
	cat >"$T/locks" <<-'END'
		E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)
		E: Unable to lock directory /var/lib/apt/lists/
		E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?
	END
	setup build
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertEquals 'update update update update install ' "$(cat "$T/actions")"
	assertEquals 'each wait is told' 3 "$(grep -c 'setup: another process holds a lock of apt' "$T/out")"
}

test_another_error_is_the_end() {
	echo 'E: Unable to locate package libtls-dev' >"$T/locks"
	setup build
	assertNotEquals "$(cat "$T/out")" 0 "$code"
	assertEquals 'update ' "$(cat "$T/actions")"
}

test_it_gives_up_after_ten_minutes() {
	i=0
	while [ "$i" -lt 100 ]; do
		echo 'E: Could not get lock /var/lib/apt/lists/lock.'
		i=$((i + 1))
	done >"$T/locks"
	setup build
	assertNotEquals "$(tail -n 3 "$T/out")" 0 "$code"
	assertEquals 'attempts, 10 seconds apart' 61 "$(wc -l <"$T/asked")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
