# shellcheck shell=sh
# For the tests of modules: bin/test-unit and tables. ISC licence, see LICENSE.

# usage: unit_table args-of-test-unit... <table ; a line is "input => output"; the driver gets the inputs and must print it
unit_table() {
	cat >"$T/want"
	sed 's/ =>.*//' "$T/want" | test-unit "$@" >"$T/got" 2>&1
	assert_same "test-unit $*" "$T/want" "$T/got"
}

# usage: unit_gives args-of-test-unit... <expected-output ; input is $T/input, empty where nothing wrote it
unit_gives() {
	cat >"$T/want"
	[ -f "$T/input" ] || : >"$T/input"
	test-unit "$@" <"$T/input" >"$T/got" 2>&1
	assert_same "test-unit $*" "$T/want" "$T/got"
}

# What a table of the file has for a key. usage: unit_finds text arg-of-test-unit-table ...
unit_finds() {
	finds_text=$1
	shift
	assertEquals "$*" "$finds_text" "$(test-unit table "$@")"
}
