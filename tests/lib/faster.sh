# shellcheck shell=sh
# shellcheck disable=SC2154 # shunit2's variables
# Asserts as shunit2 has them, without a process for each: shunit2 starts expr twice to count one assert, which was half
# of all processes of the suite. test.sh puts this in at shunit2's line "# Main.", after its own functions.
# ISC licence, see LICENSE.

_shunit_assertPass() {
	__shunit_assertsPassed=$((__shunit_assertsPassed + 1))
	__shunit_assertsTotal=$((__shunit_assertsTotal + 1))
}

# What shunit2 still asks expr.
expr() {
	case $#$2 in
	3+) echo "$(($1 + $3))" ;;
	*) command expr "$@" ;;
	esac
}

# The assert holds, or it does not. usage: assert_outcome 0|1 message
assert_outcome() {
	if [ "$1" -eq 0 ]; then
		_shunit_assertPass
	else
		_shunit_assertFail "$2"
	fi
	return "$1"
}

# A number is an exit code, everything else a command. usage: is_condition text
is_condition() {
	case $1 in
	*[!0-9]*) (eval "$1") >/dev/null 2>&1 ;;
	*) [ "$1" -eq 0 ] ;;
	esac
}

# An empty condition is a mistake, and fails here and below. usage: assertTrue [message] condition
assertTrue() {
	_shunit_shouldSkip && return 0
	[ $# -gt 1 ] || set -- '' "$1"
	if [ -n "$2" ] && is_condition "$2"; then
		assert_outcome 0 "$1"
	else
		assert_outcome 1 "$1"
	fi
}

# usage: assertFalse [message] condition
assertFalse() {
	_shunit_shouldSkip && return 0
	[ $# -gt 1 ] || set -- '' "$1"
	if [ -z "$2" ] || is_condition "$2"; then
		assert_outcome 1 "$1"
	else
		assert_outcome 0 "$1"
	fi
}

# usage: assertContains [message] text part
assertContains() {
	_shunit_shouldSkip && return 0
	[ $# -gt 2 ] || set -- '' "$@"
	case $2 in
	*"$3"*) assert_outcome 0 ;;
	*) assert_outcome 1 "$1${1:+ }not found:<$3>" ;;
	esac
}

# usage: assertNotContains [message] text part
assertNotContains() {
	_shunit_shouldSkip && return 0
	[ $# -gt 2 ] || set -- '' "$@"
	case $2 in
	*"$3"*) assert_outcome 1 "$1${1:+ }found:<$3>" ;;
	*) assert_outcome 0 ;;
	esac
}
