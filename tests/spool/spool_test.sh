#!/bin/sh
# spool: what it takes is whole and on the disk before it says so; what it cannot take it does not leave half.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

LOCAL='451 4.3.0 Local error, try again later'

setUp() {
	rm -rf "$T/spool"
	mkdir -m 700 "$T/spool"
	chain_message 'From: a@b.example\r\nSubject: x\r\n\r\nbody\r\n'
	chain_envelope '<a@b.example>' 'RCPT TO:<c@d.example>'
}

tearDown() {
	resident_stop_all
}

# $id of the only message in the spool; the verdict with ID in its place.
learn_id() {
	id=$(find "$T/spool" -mindepth 2 -maxdepth 2 ! -path "$T/spool/tmp/*" -name '??????????????' | sed 's|.*/||')
	[ -z "$id" ] || { sed "s/$id/ID/" "$T/verdict" >"$T/v" && mv "$T/v" "$T/verdict"; }
}

# Everything below a spool that is of a message. usage: assert_empty what [directory]
assert_empty() {
	assertEquals "$1: nothing is left" '' "$(find "${2:-$T/spool}" -mindepth 2 | grep -v lost+found)"
}

test_a_message_is_one_directory() {
	chain_envelope '<a@b.example> RET=FULL ENVID=x BY=60;R' 'RCPT TO:<c@d.example> NOTIFY=SUCCESS' 'RCPT TO:<e@d.example>' \
		'COPY TO:<k@b.example>'
	chain_call MSA_X_SITE='a\b
c' MSA_PARTIAL='' MSA_DEADLINE=$(($(date +%s) + 50)) SMTPAUTHUSER=alice SSL_PROTOCOL=TLSv1.3 TCPREMOTEIP=192.0.2.1 \
		OTHER=1 spool "$T/spool"
	learn_id
	assert_verdict 'taken' '250 2.0.0 Spooled as ID' '250 2.0.0 Spooled as ID'
	assertEquals 'exit code' 0 "$code"
	assert_logged "^spool: S/M spooled rcpt=c@d.example reply=\"250 2.0.0 Spooled as $id\"\$"
	assert_logged "^spool: S/M spooled rcpt=e@d.example reply=\"250 2.0.0 Spooled as $id\"\$"
	assert_logged "^spool: S/M copy rcpt=k@b.example reply=\"250 2.0.0 Spooled as $id\"\$"
	assert_logged "^spool: S/M done to=$T/spool/new/$id rcpts=2 accepted=2 ms=[0-9]* code=250\$"
	assertEquals 'files' "$T/spool/new/$id/envelope $T/spool/new/$id/message" \
		"$(find "$T/spool" -mindepth 3 | sort | tr '\n' ' ' | sed 's/ $//')"
	assertEquals 'modes' '700 600 444 700 700 700' \
		"$(cd "$T/spool" && stat -c %a "new/$id" "new/$id/envelope" "new/$id/message" tmp new cur | tr '\n' ' ' | sed 's/ $//')"
	assert_same 'the message' "$T/msg" "$T/spool/new/$id/message"
	sed -e 's/^\(arrived\|next\) [0-9]*$/\1 T/' "$T/spool/new/$id/envelope" |
		LC_ALL=C awk '/^fact/ { print | "sort" } !/^fact/ { if (!$0) close("sort"); print; fflush() }' >"$T/got"
	cat >"$T/expected" <<-'X'
		spool 1
		arrived T
		tried 0
		next T
		fact MSA_HOST=test.example
		fact MSA_MESSAGE=M
		fact MSA_SESSION=S
		fact MSA_X_SITE=a\\b\nc
		fact SMTPAUTHUSER=alice
		fact SSL_PROTOCOL=TLSv1.3
		fact TCPREMOTEIP=192.0.2.1

		MAIL FROM:<a@b.example> RET=FULL ENVID=x BY=60;R
		RCPT TO:<c@d.example> NOTIFY=SUCCESS
		RCPT TO:<e@d.example>
		COPY TO:<k@b.example>
	X
	assert_same 'what is known' "$T/expected" "$T/got"
}

test_it_is_on_the_disk_before_the_verdict() {
	needs trace || return 0
	chain_call ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -y -e trace=fsync,renameat,renameat2,write -o "$T/trace" \
		spool "$T/spool"
	sed -n -e "s|^fsync([0-9]*<$T/spool/\([^>]*\)>) *= 0\$|fsync \1|p" \
		-e 's|^rename[a-z0-9]*([^"]*"\([^"]*\)"[^"]*"\([^"]*\)".*= 0$|rename \1 \2|p' -e 's|^write(1<.*|verdict|p' \
		"$T/trace" | sed 's/[0-9a-z]\{14\}/ID/g' | sed '/^fsync \.$/d' >"$T/got"
	cat >"$T/expected" <<-'X'
		fsync tmp/ID/message
		fsync tmp/ID/envelope
		fsync tmp/ID
		rename tmp/ID new/ID
		fsync new
		verdict
	X
	assert_same 'order' "$T/expected" "$T/got"
}

test_who_was_refused_before_is_not_in_it() {
	chain_envelope '<a@b.example>' 'RCPT TO:<c@d.example>' '550 5.7.1 Not to Carol'
	chain_call MSA_PARTIAL='' spool "$T/spool"
	learn_id
	assert_verdict 'each his own' '250 2.0.0 Spooled as ID' '550 5.7.1 Not to Carol'
	assertEquals 'envelope' 'MAIL FROM:<a@b.example>
RCPT TO:<c@d.example>' "$(sed '1,/^$/d' "$T/spool/new/$id/envelope")"
	rm -rf "$T/spool/new/$id"
	chain_call spool "$T/spool"
	assert_verdict 'without MSA_PARTIAL nobody' '550 5.7.1 Not to Carol' '550 5.7.1 Not to Carol'
	assert_empty 'nobody'
	chain_envelope '<a@b.example>' '450 4.7.1 Wait'
	chain_call MSA_PARTIAL='' spool "$T/spool"
	assert_verdict 'all are refused' '450 4.7.1 Wait'
	assert_empty 'all are refused'
}

test_a_large_message_is_whole() {
	text_random 3000000 >"$T/msg"
	chain_call spool "$T/spool"
	learn_id
	assert_verdict 'taken' '250 2.0.0 Spooled as ID'
	cmp "$T/msg" "$T/spool/new/$id/message"
	assertEquals 'the message' 0 $?
}

test_a_directory_that_is_not_one_users_alone_is_451() {
	for mode in 770 707 720; do
		why='its group may write to it'
		[ "$mode" != 707 ] || why='everybody may write to it'
		chmod "$mode" "$T/spool"
		chain_call spool "$T/spool"
		assert_verdict "$mode" "$LOCAL"
		assert_logged "^spool: S/M failed reason=\"$T/spool: $why\""
		assertEquals "$mode: nothing is made there" '' "$(ls "$T/spool")"
	done
	chmod 700 "$T/spool"
	chain_call spool "$T/spool/nowhere"
	assert_verdict 'no directory' "$LOCAL"
	needs root || return 0
	chown nobody "$T/spool"
	chain_call spool "$T/spool"
	assert_verdict 'not its own' "$LOCAL"
	chmod 755 "$T"
	chain_call spool -U nobody "$T/spool"
	learn_id
	assert_verdict 'the owner may' '250 2.0.0 Spooled as ID'
	assertEquals 'owner' nobody "$(stat -c %U "$T/spool/new/$id/message")"
}

test_a_full_disk_is_452_and_leaves_nothing() {
	needs mount || return 0
	mount -t tmpfs -o size=256k,mode=700 none "$T/spool"
	for size in 245000 250000 253000 256000 262000 300000 1000000; do
		head -c "$size" /dev/zero >"$T/msg"
		chain_call spool "$T/spool"
		learn_id
		if [ "$code" -eq 0 ]; then # it may just fit
			assert_verdict "$size" '250 2.0.0 Spooled as ID'
			assertEquals "$size: whole" "$size" "$(stat -c %s "$T/spool/new/$id/message")"
			rm -rf "$T/spool/new/$id"
		else
			assert_verdict "$size" '452 4.3.1 Insufficient storage, try again later'
			assertEquals "$size: exit code" 111 "$code"
		fi
		assert_empty "$size"
	done
	assertEquals 'the last one does not fit' 111 "$code"
	chain_message 'small\r\n'
	chain_call spool -m 100000 "$T/spool"
	learn_id
	assert_verdict 'room is left' '250 2.0.0 Spooled as ID'
	rm -rf "$T/spool/new/$id"
	# The message's own octets do not count as room.
	head -c $(($(stat -f -c '%a * %S' "$T/spool") - 100000)) /dev/zero >"$T/msg"
	chain_call spool -m 100000 "$T/spool"
	learn_id
	assert_verdict 'as much room as -m says is left' '250 2.0.0 Spooled as ID'
	rm -rf "$T/spool/new/$id"
	printf x >>"$T/msg"
	chain_call spool -m 100000 "$T/spool"
	assert_verdict 'an octet less is left' '452 4.3.1 Insufficient storage, try again later'
	chain_call spool -m 300000 "$T/spool"
	assert_verdict '-m' '452 4.3.1 Insufficient storage, try again later'
	assert_empty '-m'
	mount -o remount,nr_inodes=8 "$T/spool" # the root, three directories, lock and trigger: two are left
	chain_call spool "$T/spool"
	assert_verdict 'no inodes' '452 4.3.1 Insufficient storage, try again later'
	assert_empty 'no inodes'
	umount "$T/spool"
}

# usage: assert_not_taken what variable ...; a spool whose disk fails
assert_not_taken() {
	what=$1
	shift
	chain_call "$@" LD_PRELOAD="$T/fsync.so" spool "$T/spool"
	assert_verdict "$what" "$LOCAL"
	assert_empty "$what"
}

test_a_disk_that_fails_is_451_and_leaves_nothing() {
	preload_build fsync || return 0
	mkdir -m 700 "$T/spool/tmp" "$T/spool/new" "$T/spool/cur"
	assert_not_taken 'its files' FSYNC_ERRNO=5 FSYNC_OF=file
	assert_not_taken 'what only close reports' CLOSE_ERRNO=5
	assert_not_taken 'its directory' FSYNC_ERRNO=5
	assert_not_taken 'the directory of all' FSYNC_ERRNO=5 FSYNC_OF="$T/spool/new"
}

test_without_descriptors_it_is_451_and_nothing_is_left() {
	mkdir -m 700 "$T/spool/tmp" "$T/spool/new" "$T/spool/cur"
	some=
	for limit in 5 6 7; do
		(
			# shellcheck disable=SC3045
			ulimit -n "$limit"
			MSA_MESSAGE=M MSA_RCPTS=1 exec spool "$T/spool"
		) <"$T/msg" 3<"$T/env" >"$T/verdict" 2>"$T/log"
		code=$?
		[ "$code" -ne 0 ] || continue
		some=1
		assertEquals "$limit" "$LOCAL" "$(tr -d '\r' <"$T/verdict" | head -n 1)"
		assert_empty "$limit"
	done
	assertEquals 'some failed' 1 "$some"
}

test_out_of_memory_is_451_and_leaves_nothing() {
	preload_build oom || return 0
	n=1
	while [ "$n" -lt 500 ]; do
		chain_call OOM_IN=spool OOM_AT="$n" LD_PRELOAD="$T/oom.so" spool "$T/spool"
		learn_id
		[ "$code" -ne 0 ] || break
		assertEquals "$n: later" 111 "$code"
		grep -qx '451 4.3.0 .*' "$T/verdict" || [ ! -s "$T/verdict" ]
		code=$?
		assertTrue "$n: $(cat "$T/verdict")" "$code"
		[ -z "$id" ] || break
		assert_empty "$n"
		n=$((n + 1))
	done
	assertTrue "some failed, and then it was taken: $n" "[ $n -gt 10 ]"
	assertTrue "$n: $(cat "$T/verdict")" "grep -q ^250 $T/verdict"
}

test_nobody_waits_any_more() {
	chain_call MSA_DEADLINE=$(($(date +%s) - 1)) spool "$T/spool"
	assert_verdict 'late' '451 4.4.7 No answer in time, try again later'
	assert_logged 'abandoned reason="the deadline has passed"'
	assert_empty 'late'
}

test_misuse() {
	spool "$T/spool" </dev/null >"$T/out" 2>"$T/log"
	assertEquals 'outside of a chain' 100 $?
	for args in '' '-m x d' '-m -1 d' '-f -p d' '-f -l s d' 'a b' '-x d'; do
		# shellcheck disable=SC2086
		spool $args </dev/null >"$T/out" 2>"$T/log"
		assertEquals "$args" 100 $?
	done
	chain_call spool -x "$T/spool"
	assertEquals 'in a chain' 111 "$code"
	assert_verdict 'in a chain' "$LOCAL"
	chain_envelope '<a@b.example>' 'RCPT TO:<c@d.example>'
	rcpts=2
	chain_call spool "$T/spool"
	assert_verdict 'a wrong number of recipients' "$LOCAL"
	assert_empty 'a wrong number'
}

test_more_facts_than_a_call_may_have_are_451() {
	set --
	n=0
	while [ "$n" -lt 101 ]; do
		set -- "$@" "MSA_X_$n=1"
		n=$((n + 1))
	done
	chain_call "$@" spool "$T/spool"
	assert_verdict 'refused' "$LOCAL"
	assert_empty 'refused'
}

test_resident_it_takes_one_message_after_another() {
	resident_start put spool "$T/spool"
	for n in 1 2 3; do
		chain_call call "$T/put"
		assertEquals "$n" '250 2.0.0 Spooled as' "$(head -n 1 "$T/verdict" | sed 's/ [0-9a-z]\{14\}$//')"
	done
	assertEquals 'messages' 3 "$(ls "$T/spool/new" | wc -l)"
	resident_stop put
	assertEquals 'it ends' 0 $?
}

test_the_list_has_a_line_for_each_message() {
	spool -p "$T/spool" >"$T/out" 2>"$T/log"
	assertEquals 'of nothing' 0 $?
	assertEquals 'of nothing' '' "$(cat "$T/out" "$T/log")"
	chain_envelope '<a@b.example>' 'RCPT TO:<c@d.example>' 'RCPT TO:<e@d.example>'
	chain_call spool "$T/spool"
	learn_id
	first=$id
	mv "$T/spool/new/$id" "$T/spool/cur/$id"
	now=$(date +%s)
	sed -i -e "s/^arrived .*/arrived $((now - 1000))/" -e "s/^next .*/next $((now + 5000))/" \
		-e 's/^$/rcpt 1 reached told 250 2.0.0 ok\nrcpt 2 waiting untold 451 4.2.2 Full\\nup\n/' "$T/spool/cur/$id/envelope"
	chain_envelope '<>' 'RCPT TO:<c@d.example>'
	chain_call spool "$T/spool"
	second=$(ls "$T/spool/new")
	spool -p "$T/spool" >"$T/out" 2>"$T/log"
	assertEquals 'exit code' 0 $?
	sed -e "s/$first/FIRST/; s/$second/SECOND/" -e 's/ 10[0-9][0-9] / AGE /; s/ 49[0-9][0-9] / NEXT /; s/ 5000 / NEXT /' \
		-e 's/^SECOND [0-9]* /SECOND AGE /' "$T/out" | sort >"$T/got"
	printf '%s\n' 'FIRST AGE <a@b.example> 1/2 NEXT 451 4.2.2 Full' 'SECOND AGE <> 1/1 0 -' >"$T/expected"
	assert_same 'lines' "$T/expected" "$T/got"
	echo junk >"$T/spool/cur/$first/envelope"
	spool -p "$T/spool" >"$T/out" 2>"$T/log"
	assertEquals 'a damaged one is told' 111 $?
	assertEquals 'and' 1 "$(grep -c "$first: spooled: not a record of a message" "$T/log")"
	assertEquals 'the others are listed' 1 "$(wc -l <"$T/out")"
}

test_waking_nobody_is_no_error() {
	spool -f "$T/spool"
	assertEquals 0 $?
	spool -f "$T/nowhere" 2>"$T/log"
	assertEquals 'no directory' 111 $?
	[ "$(id -u)" -eq 0 ] || return 0
	chown nobody "$T/spool"
	spool -f "$T/spool" && spool -p "$T/spool"
	assertEquals 'root may look' 0 $?
	assertEquals 'and makes nothing there' '' "$(ls "$T/spool")"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
