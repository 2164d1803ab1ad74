# shellcheck shell=sh
# For the tests of modules: bin/test-unit and tables. ISC licence, see LICENSE.

# usage: table args-of-test-unit... <table ; a line is "input => output"; the driver gets the inputs and must print it
table() {
	cat >"$T/want"
	sed 's/ =>.*//' "$T/want" | test-unit "$@" >"$T/got" 2>&1
	assert_same "test-unit $*" "$T/want" "$T/got"
}

# usage: gives args-of-test-unit... <expected-output ; input is $T/input, empty where nothing wrote it
gives() {
	cat >"$T/want"
	[ -f "$T/input" ] || : >"$T/input"
	test-unit "$@" <"$T/input" >"$T/got" 2>&1
	assert_same "test-unit $*" "$T/want" "$T/got"
}

# usage: repeat n text
repeat() {
	printf "%${1}s" '' | sed "s/ /$2/g"
}
