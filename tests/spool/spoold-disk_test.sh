#!/bin/sh
# spoold on a disk that is full: nothing is sent twice, nothing is forgotten.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/spoold.sh
. "$ROOT/tests/lib/spoold.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

test_who_was_reached_is_not_tried_again_though_the_disk_is_full() {
	needs mount || return 0
	mount -t tmpfs -o size=256k,mode=700 none "$T/spool"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' 'RCPT TO:<dave@example.org>'
	spoold_answers 1 '250 2.0.0 one' '450 4.2.2 Full' '550 5.1.1 No such user'
	spoold_put
	head -c 300000 /dev/zero >"$T/spool/filler" 2>/dev/null
	spoold_start -b 1:1 -n 1
	assert_spoold_logs "spoold: S/M failed reason=\"recording $id: No space left on device\""
	sleep 3 # it could try again now
	assert_spoold_runs 'once' 1
	rm "$T/spool/filler"
	wait_until spoold_empty
	for n in 2 3; do
		sed -n '2,$p' "$T/$n.env"
	done | sort >"$T/got"
	printf '%s\n' 'RCPT TO:<alice@example.net>' 'RCPT TO:<carol@example.org>' >"$T/expected"
	assert_same 'then the report, and who waited' "$T/expected" "$T/got"
	assert_spoold_runs 'all' 3
	spoold_stop
	umount "$T/spool"
}

test_a_report_that_does_not_fit_comes_later() {
	needs mount || return 0
	mount -t tmpfs -o size=256k,mode=700 none "$T/spool"
	spoold_answers 1 '550 5.1.1 No such user'
	spoold_put
	mount -o remount,nr_inodes=11 "$T/spool" # room for what is known, not for a message
	spoold_start -b 1:1 -n 1
	assert_spoold_logs 'spoold: S/M failed reason="report: No space left on device"'
	assertEquals 'kept' 'rcpt 1 failed untold 550 5.1.1 No such user' "$(spoold_known cur | grep '^rcpt')"
	mount -o remount,nr_inodes=100 "$T/spool"
	wait_until spoold_empty
	assertEquals 'told then' 'Action: failed' "$(tr -d '\r' <"$T/2.msg" | grep '^Action')"
	assert_spoold_runs 'and not tried again' 2
	spoold_stop
	umount "$T/spool"
}

# A folder that cannot be written to the disk may come back as it was: then somebody gets the message twice. The log says so.
# usage: assert_failed_sync folder
assert_failed_sync() {
	FSYNC_ERRNO=5 FSYNC_OF="$T/spool/cur/$1" LD_PRELOAD="$T/fsync.so" spoold -b 1:1 -n 1 "$T/spool" "$T/next" \
		2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	residents="$residents $!"
	assert_spoold_logs "failed reason=\"recording $id: Input/output error\""
	spoold_stop
}

test_a_folder_that_does_not_reach_the_disk_is_logged() {
	preload_build fsync || return 0
	spoold_answers 1 '450 4.2.2 Full'
	spoold_put
	assert_failed_sync "$id"
	setUp
	spoold_put
	assert_failed_sync .
}

# It may not be written where the old one stands: what is known of the recipients would be lost.
test_a_record_that_cannot_be_written_leaves_the_old_one() {
	preload_build fsync || return 0
	spoold_answers 1 '450 4.2.2 Full'
	spoold_put
	cp "$T/spool/new/$id/envelope" "$T/before"
	FSYNC_ERRNO=5 FSYNC_OF=file LD_PRELOAD="$T/fsync.so" spoold -b 1:1 -n 1 "$T/spool" "$T/next" \
		2>>"$T/spoold.log" </dev/null &
	runner_pid=$!
	residents="$residents $!"
	assert_spoold_logs "failed reason=\"recording $id: Input/output error\""
	spoold_stop
	assert_same 'the record' "$T/before" "$T/spool/cur/$id/envelope"
	assertEquals 'and nothing else' 'envelope message' "$(ls "$T/spool/cur/$id" | paste -sd ' ')"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
