#!/bin/sh
# The examples of msa-log(8): each is run, and prints what the page says. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/log.sh
. "$ROOT/tests/lib/log.sh"

export TZ=UTC

# The literal text of the examples that begin with a prompt, with files of ours.
examples() {
	awk '/^\.Sh / { on = /EXAMPLES/ } /^\.Bd/ { block = on; next } /^\.Ed/ { block = 0 } block' \
		"$ROOT/cmd/msa-log/msa-log.8" | sed "s|/tmp/|$T/|g; s|/var/lib/msa/|$T/|g; s|/var/log/msa\\.log|$T/morning|g; s/\\\\&\$//; s/\\\\e/\\\\/g"
}

test_each_example_prints_what_the_page_says() {
	log_morning >"$T/morning"
	examples | grep -v '^msa-log\|^zcat' >"$T/text"
	# what the page says: the commands, and their output, with "..." for the end of a line
	: >"$T/want"
	: >"$T/got"
	commands=0
	while IFS= read -r line; do
		case $line in
		'$ '*)
			commands=$((commands + 1))
			printf '%s\n' "$line" >>"$T/want"
			printf '%s\n' "$line" >>"$T/got"
			sh -c "${line#??}" >>"$T/got" 2>&1
			assertEquals "$line" 0 $?
			;;
		*) printf '%s\n' "$line" >>"$T/want" ;;
		esac
	done <"$T/text"
	assertTrue "$commands commands" "[ $commands -ge 11 ]"
	awk 'NR == FNR { want[NR] = $0; next }
		want[FNR] ~ /^[^$].*/ && want[FNR] ~ /\.\.\.$/ && length($0) > length(want[FNR]) - 3 { $0 = substr($0, 1, length(want[FNR]) - 3) "..." } { print }' \
		"$T/want" "$T/got" >"$T/cut"
	assert_same 'the page' "$T/want" "$T/cut"
	assertEquals 'the page for a browser' '<!DOCTYPE html>' "$(head -n 1 "$T/page.html")"
}

. "$SHUNIT2"
