#!/bin/sh
# resident(8): a script as a resident, with a user of its own. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	chmod 755 "$T"
	chain_default
	# refuses what has the word no, and becomes the next program otherwise
	program_make policy <<-'X'
		#!/bin/sh
		grep -q '^no' /dev/stdin && { echo '550 5.7.0 No'; exit 100; }
		exec "$@"
	X
	program_make take <<-'X'
		#!/bin/sh
		echo "250 2.0.0 $(id -un) $SMTPAUTHUSER $(wc -c) $(wc -l <&3)"
	X
}

tearDown() {
	resident_stop_all
	rm -f "$T"/*.log
}

test_a_script_is_called_for_each_message() {
	resident_start r resident "$T/policy" "$T/take"
	for user in alice bob; do
		chain_give SMTPAUTHUSER=$user call "$T/r"
		assertEquals "$user" "250 2.0.0 $(id -un) $user $(wc -c <"$T/message") 2|.|" "$(tr '\n' '|' <"$T/verdict")"
	done
	printf 'Subject: x\r\n\r\nno\r\n' >"$T/message"
	chain_give call "$T/r"
	assertEquals '550 5.7.0 No|.|' "$(tr '\n' '|' <"$T/verdict")"
	chain_default
	assertEquals 3 "$(grep -cx "resident: s/m done program=$T/policy" "$T/r.log")"
	resident_stop r
	assertTrue 'it ends' "grep -q '^resident: .*stopped' $T/r.log"
}

# By the verdict table of chain(7), as if the caller had started the program itself.
test_what_a_program_does_wrong_is_451() {
	while IFS='|' read -r what body want; do
		printf '#!/bin/sh\n%s\n' "$body" >"$T/wrong"
		chmod 755 "$T/wrong"
		resident_start r resident "$T/wrong"
		chain_give call "$T/r"
		assertEquals "$what" "$want" "$(head -n 1 "$T/verdict")"
		resident_stop r
	done <<-'X'
		silence|exit 0|451 4.3.0 Local error, try again later
		a signal|kill -9 $$|451 4.3.0 Local error, try again later
		exit 100|exit 100|554 5.7.1 Refused
		exit 111|exit 111|451 4.3.0 Local error, try again later
		nonsense|echo hello|451 4.3.0 Local error, try again later
		a reply|echo 550 5.7.0 Not this; exit 100|550 5.7.0 Not this
	X
}

test_the_deadline_ends_the_program() {
	program_make slow <<-'X'
		#!/bin/sh
		echo $$ >"$T/slow.pid"
		while :; do sleep 0.1; done
	X
	resident_start r resident "$T/slow"
	chain_give MSA_DEADLINE=$(($(date +%s) + 3)) call "$T/r"
	assertEquals '451 4.4.7 No answer in time, try again later' "$(head -n 1 "$T/verdict")"
	wait_until eval '! proc_alive "$(cat "$T/slow.pid")"'
}

test_the_program_has_the_uid_and_cannot_take_it_back() {
	needs root || return 0
	resident_start r resident -U nobody -A daemon "$T/take"
	chain_give SMTPAUTHUSER=alice call "$T/r"
	assertEquals "250 2.0.0 nobody alice $(wc -c <"$T/message") 2" "$(head -n 1 "$T/verdict")"
	for user in daemon bin; do
		said=$(MSA_SESSION=s MSA_MESSAGE=m MSA_RCPTS=1 setpriv --reuid "$user" --regid "$user" --clear-groups \
			call "$T/r" <"$T/message" 3<"$T/envelope" 2>/dev/null | cut -c 1-3 | head -n 1)
		assertEquals "$user" "$([ $user = daemon ] && echo 250 || echo 451)" "$said"
	done
}

test_sessions_by_option() {
	program_make server <<-'X'
		#!/bin/sh
		printf '220 %s\r\n' "$TCPREMOTEIP"
		read -r line
		printf '221 %s\r\n' "$line"
	X
	resident_start r resident -s "$T/server"
	printf 'QUIT\n' | TCPREMOTEIP=192.0.2.1 call "$T/r" >"$T/said"
	wait_until grep -q 221 "$T/said"
	assertEquals '220 192.0.2.1|221 QUIT|' "$(tr -d '\r' <"$T/said" | tr '\n' '|')"
	chain_give call "$T/r"
	assertEquals 'a message is not a session' '' "$(grep ^250 "$T/verdict")"
}

test_misuse() {
	for words in '' '-l' "-l $T/r" "$T/take" "-s $T/take"; do
		# shellcheck disable=SC2086
		resident $words </dev/null >"$T/out" 2>"$T/err"
		assertEquals "$words" 100 $?
		assertTrue "$words: $(cat "$T/err")" "grep -q '^usage: resident' '$T/err'"
	done
	: >"$T/plain"
	for program in "$T/none" "$T/plain"; do
		resident -l "$T/r" "$program" </dev/null >"$T/out" 2>"$T/err"
		assertEquals "$program" 100 $?
	done
	assertEquals "resident: $T/plain: Permission denied" "$(cat "$T/err")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
