#!/bin/sh
# What a process of the suite gives up before it serves: chain-security(7). ISC licence, see LICENSE.
# shellcheck disable=SC2154
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

PAGE=$ROOT/man/chain-security.7

oneTimeSetUp() {
	chmod 755 "$T"
	mkdir "$T/mail"
	[ "$(id -u)" -ne 0 ] || chown nobody "$T/mail"
	chain_default
}

tearDown() {
	resident_stop_all
}

# Returns false, with a skip, where there is no sandbox to test. usage: has_sandbox least-version-of-landlock
has_sandbox() {
	needs plain "landlock$1" # under a sanitizer there is no sandbox
}

# usage: status pid field ; of /proc/PID/status
status() {
	sed -n "s/^$2:[[:blank:]]*//p" "/proc/$1/status"
}

test_the_page_says_what_a_stage_can_do_that_was_taken_over() {
	has_sandbox 6 || return 0
	preload_build inside || return 0
	mkdir "$T/inside"
	inside "$T/inside.so" "$T/inside" >"$T/rows" 2>"$T/log"
	code=$?
	assertEquals "$(cat "$T/log")" 0 "$code"
	sed -n '/^\.Bl -column "lmtp-inject address, -l"/,/^\.El/{/^\.It [a-z]/p;}' "$PAGE" >"$T/page"
	grep -v '^\.It control ' "$T/rows" >"$T/got"
	assert_same 'chain-security(7), WHAT IS LEFT' "$T/page" "$T/got"
	# Without a sandbox all of it can be done, so the attempts are real. Other means than ours may forbid the last three.
	assertContains 'without a sandbox' "$(cat "$T/rows")" \
		'.It control Ta yes Ta yes Ta yes Ta yes Ta yes Ta yes Ta yes Ta yes Ta yes Ta yes Ta yes Ta yes'
}

test_the_log_says_which_stage_was_ended() {
	has_sandbox 2 || return 0
	preload_build inside || return 0
	LD_PRELOAD=$T/inside.so TRY_IN=maildir-inject TRY_FORKED=1 TRY=fork resident_start inject maildir-inject "$T/mail"
	wait_until grep -q lost "$T/inject.log"
	assertEquals 'maildir-inject: - lost worker="signal 31" reason="bad system call"' "$(grep lost "$T/inject.log")"
	chain_give call "$T/inject"
	assertEquals 'and the next worker serves' '250 2.0.0 Delivered .' "$(tr '\n' ' ' <"$T/verdict" | sed 's/ $//')"
	# In an exec'd chain the stage is not the one that was started.
	printf 'EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nFrom: a@b.example\r\n\r\n.\r\nQUIT\r\n' |
		RELAYCLIENT='' LD_PRELOAD=$T/inside.so TRY_IN=maildir-inject TRY=fork submitd qualify maildir-inject "$T/mail" \
			>"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/log")" 'verdict program=maildir-inject why="ended by a bad system call"'
	assertContains "$(cat "$T/out")" '451 4.3.0'
}

test_a_resident_keeps_three_capabilities_and_its_workers_none() {
	needs root || return 0
	resident_start inject maildir-inject -U nobody "$T/mail"
	assertEquals 'SETGID, SETUID, KILL' 00000000000000e0 "$(status "$inject_pid" CapPrm)"
	assertEquals 00000000000000e0 "$(status "$inject_pid" CapEff)"
	assertEquals 0000000000000000 "$(status "$(resident_worker inject)" CapPrm)"
	printf '* *\n' | cdb -c -m -p 0644 "$T/senders.cdb"
	resident_start rights rights -U nobody -s "$T/senders.cdb" call "$T/inject"
	assertEquals 'and DAC_READ_SEARCH for the table' 00000000000000e4 "$(status "$rights_pid" CapPrm)"
	resident_start own maildir-inject "$T/mail"
	assertTrue 'without -U the workers have what it has' \
		"[ '$(status "$own_pid" CapPrm)' = '$(status "$(resident_worker own)" CapPrm)' ]"
}

# A file that only its owner's parent directory hides: root without its capabilities could not read it again.
test_a_table_of_another_user_is_opened_again() {
	needs root || return 0
	mkdir -m 700 "$T/private"
	printf '* *\n' | cdb -c -m -p 0600 "$T/private/senders.cdb"
	chown -R nobody "$T/private"
	resident_start rights rights -U nobody -s "$T/private/senders.cdb" call "$T/none"
	kill -HUP "$rights_pid"
	assertTrue "reloaded: $(cat "$T/rights.log")" 'wait_until grep -q reloaded "$T/rights.log"'
}

# A new table counts from the next message on, also where the path is a link to another directory.
test_a_table_behind_a_link_can_be_replaced() {
	mkdir "$T/links" "$T/tables"
	printf '* *\n' | cdb -c -m -p 0644 "$T/tables/senders.cdb"
	ln -s "$T/tables/senders.cdb" "$T/links/senders.cdb"
	printf 'From: a@b.example\r\n\r\nbody\r\n' >"$T/message"
	resident_start inject maildir-inject "$T/mail"
	resident_start rights rights -s "$T/links/senders.cdb" call "$T/inject"
	chain_give SMTPAUTHUSER=u@b.example call "$T/rights"
	assertEquals "$(cat "$T/rights.log")" '250 2.0.0 Delivered' "$(head -n 1 "$T/verdict")"
	printf 'u@b.example b@b.example\n' | cdb -c -m -p 0644 "$T/tables/senders.cdb"
	chain_give SMTPAUTHUSER=u@b.example call "$T/rights"
	assertEquals "$(cat "$T/rights.log")" 550 "$(head -n 1 "$T/verdict" | cut -c 1-3)"
	chain_default
}

test_no_process_of_the_uid_can_read_or_change_another() {
	needs root || return 0
	as_nobody='setpriv --reuid nobody --regid nogroup --clear-groups' # no function: $! would be a shell's
	: >"$T/ready"
	chmod 666 "$T/ready"
	mkdir -m 777 "$T/run"
	# shellcheck disable=SC2086
	$as_nobody stamp -l "$T/run/stamp" -R 3 sleep 3>"$T/ready" 2>"$T/stamp.log" &
	stamp_pid=$!
	wait_until [ -s "$T/ready" ]
	for pid in "$stamp_pid" "$(resident_worker stamp)"; do
		assertEquals 'files in /proc of what is not dumpable are root'"'s" root "$(stat -c %U "/proc/$pid/mem")"
	done
	kill "$stamp_pid"
	wait "$stamp_pid"
	# A stage that becomes the next program has no sandbox, but nobody looks into it.
	mkfifo "$T/fifo"
	: >"$T/out"
	# shellcheck disable=SC2094,SC2086
	$as_nobody env RELAYCLIENT= submitd sleep <"$T/fifo" >"$T/out" 2>"$T/log" &
	pid=$!
	exec 9>"$T/fifo"
	wait_until [ -s "$T/out" ]
	assertEquals 'exec'"'d" root "$(stat -c %U "/proc/$pid/mem")"
	exec 9>&-
	wait "$pid"
}

test_where_the_kernel_lacks_something_one_line_says_so() {
	has_sandbox 4 || return 0
	preload_build lacking || return 0
	for lacking in landlock:Landlock seccomp:seccomp "ports:\"Landlock's control of TCP ports\""; do
		export LD_PRELOAD="$T/lacking.so" LACKING="${lacking%%:*}"
		: >"$T/inject.log"
		resident_start inject lmtp-inject 127.0.0.1:9
		assertEquals "lmtp-inject: - sandbox missing=${lacking#*:}" "$(grep sandbox "$T/inject.log")"
		resident_stop inject
		MSA_SANDBOX=require lmtp-inject -l "$T/none" 127.0.0.1:9 2>"$T/log" </dev/null
		assertEquals "$LACKING is required" 100 $?
		assertEquals "lmtp-inject: - sandbox missing=${lacking#*:}" "$(cat "$T/log")"
		chain_give lmtp-inject 127.0.0.1:9
		assertEquals 'an exec'"'d one does not say it" 0 "$(grep -c sandbox "$T/give.log")"
		MSA_SANDBOX=require chain_give lmtp-inject 127.0.0.1:9
		assertEquals 'nor serves, where it is required' '451 4.3.0 Local error, try again later' "$(head -n 1 "$T/verdict")"
		unset LD_PRELOAD LACKING
	done
	LD_PRELOAD=$T/lacking.so LACKING=ports MSA_SANDBOX=require chain_give maildir-inject "$T/mail"
	assertEquals 'what it does not need is not missing' '250 2.0.0 Delivered' "$(head -n 1 "$T/verdict")"
}

test_the_variable_has_two_values() {
	MSA_SANDBOX=on lmtp-inject -l "$T/none" "$T/x" 2>"$T/log" </dev/null
	assertEquals 100 $?
	assertEquals 'lmtp-inject: - misuse reason="MSA_SANDBOX is neither require nor off"' "$(cat "$T/log")"
	MSA_SANDBOX=on chain_give maildir-inject "$T/mail"
	assertEquals '451 4.3.0 Local error, try again later' "$(head -n 1 "$T/verdict")"
	printf 'QUIT\r\n' | RELAYCLIENT='' MSA_SANDBOX=on submitd call "$T/none" >"$T/out" 2>"$T/log"
	assertEquals 421 "$(cut -c 1-3 "$T/out")"
	has_sandbox 2 || return 0
	MSA_SANDBOX=off resident_start inject maildir-inject "$T/mail"
	assertEquals 'off: no seccomp' 0 "$(status "$(resident_worker inject)" Seccomp)"
	chain_give MSA_SANDBOX=require call "$T/inject"
	assertEquals '250 2.0.0 Delivered' "$(head -n 1 "$T/verdict")"
	resident_start second maildir-inject "$T/mail"
	assertEquals 2 "$(status "$(resident_worker second)" Seccomp)"
	assertEquals 1 "$(status "$(resident_worker second)" NoNewPrivs)"
	assertEquals 'the parent has none' 0 "$(status "$second_pid" Seccomp)"
}

# The page that all workers write to: whatever stands there, the parent goes on.
test_no_number_of_a_worker_ends_its_parent() {
	needs root || return 0
	resident_start inject maildir-inject -P 1:2 "$T/mail"
	for number in 2147483647 -1 1000000; do
		python3 - "$(resident_worker inject)" "$number" <<-'P'
			import struct, sys
			n = 0
			for line in open('/proc/%s/maps' % sys.argv[1]):
			    if 'rw-s' in line and ('zero' in line or 'deleted' in line):
			        base = int(line.split('-')[0], 16)
			        with open('/proc/%s/mem' % sys.argv[1], 'r+b', buffering=0) as f:
			            f.seek(base)
			            if 0 < struct.unpack('=i', f.read(4))[0] < 20: # the board begins with the number of slots that were used
			                f.seek(base)
			                f.write(struct.pack('=i', int(sys.argv[2])))
			                n += 1
			assert n == 1, n
		P
		assertEquals 'it was written' 0 $?
		for i in 1 2 3; do
			chain_give call "$T/inject"
			assertEquals "$number, call $i" '250 2.0.0 Delivered' "$(head -n 1 "$T/verdict")"
		done
		kill -HUP "$inject_pid" # it looks at all slots
		assertTrue "$number: it goes on" "kill -0 $inject_pid"
		resident_stop inject
		resident_start inject maildir-inject -P 1:2 "$T/mail"
	done
}

# shellcheck source=/dev/null
. "$SHUNIT2"
