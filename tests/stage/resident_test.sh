#!/bin/sh
# Residents: the handover and what can be wrong with it, the pool, who may call, signals, and that nothing of a call is
# left for the next. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016,SC2034
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.test
	umask 022
	chmod 755 "$T"
	chain_default
	program_make take <<-'X'
		#!/bin/sh
		echo '250 2.0.0 taken'
	X
	program_make facts <<-'X'
		#!/bin/sh
		env | grep -E '^(MSA_X|SASL|LD_P|PATH=|SMTPAUTH|RELAY)' | sort | tr '\n' '|' >"$T/told"
		echo '250 2.0.0 taken'
	X
	program_make fds <<-'X'
		#!/bin/sh
		echo "250 2.0.0 $(test-unit os fds | tr '\n' ' ')"
	X
}

tearDown() {
	resident_stop_all
	rm -f "$T"/*.log
}

# usage: handover_says expected arguments ...
handover_says() {
	expected=$1
	shift
	assertEquals "$*" "$expected" "$(handover "$@" | tr '\n' ';')"
}

test_the_supervisors_socket_is_not_handed_on() {
	program_make notify <<-'X'
		#!/bin/sh
		echo "250 2.0.0 ${NOTIFY_SOCKET-none}"
	X
	NOTIFY_SOCKET=$T/nobody resident_start notified stamp "$T/notify"
	chain_give call "$T/notified"
	assertEquals 'by a worker of the first generation' '250 2.0.0 none' "$(head -n 1 "$T/verdict")"
}

test_a_message_call_is_answered_by_its_verdict() {
	resident_start stamp stamp "$T/take"
	chain_give call "$T/stamp"
	assertEquals 0 $?
	assertEquals '250 2.0.0 taken|.|' "$(tr '\n' '|' <"$T/verdict")"
}

test_a_session_call_is_acknowledged() {
	resident_start submit submitd "$T/take"
	handover_says 'acknowledged at once;220 mx.test ESMTP;' -x MSA_HOST=mx.test "$T/submit" good
}

test_bad_calls_are_refused_and_leave_nothing() {
	resident_start submit submitd -P 1:1 "$T/take"
	resident_start stamp stamp -P 1:1 "$T/take"
	session=$(resident_worker submit)
	message=$(resident_worker stamp)
	handover "$T/submit" good >/dev/null
	handover -m "$T/message" -e "$T/envelope" "$T/stamp" good >/dev/null
	before="$(proc_descriptors "$session") $(proc_descriptors "$message")"
	for how in few many flood later kind count names long nonul noequals more; do
		handover_says 'closed at once;descriptors closed;' "$T/submit" $how
		handover_says 'closed at once;descriptors closed;' -m "$T/message" -e "$T/envelope" "$T/stamp" $how
	done
	for how in pipe unmarked; do
		handover_says 'closed at once;descriptors closed;' -m "$T/message" -e "$T/envelope" "$T/stamp" $how
	done
	assertEquals 'one line each' '11 13' \
		"$(grep -c 'refused reason=call error="not a valid call" uid=' "$T/submit.log") $(grep -c 'refused .*uid=' "$T/stamp.log")"
	assertEquals 'the same worker serves on' "$session $message" "$(resident_worker submit) $(resident_worker stamp)"
	assertEquals 'no descriptor is left' "$before" "$(proc_descriptors "$session") $(proc_descriptors "$message")"
	handover_says 'acknowledged at once;220 mx.test ESMTP;' -x MSA_HOST=mx.test "$T/submit" good
}

test_a_caller_has_five_seconds_in_all() {
	resident_start submit submitd -P 4:4 "$T/take"
	for how in silent half trickle; do
		: >"$T/got.$how"
		handover "$T/submit" $how >"$T/got.$how" &
		eval "$how=$!"
	done
	# shellcheck disable=SC2154
	wait "$silent" "$half" "$trickle"
	assertEquals 'closed in time' "$(head -qn 1 "$T/got.silent" "$T/got.half" "$T/got.trickle" | sort -u)"
	assertEquals 3 "$(grep -c 'refused reason=call' "$T/submit.log")"
}

# The descriptor's number was once taken for one of a starter's, and kept: the client waited for ever.
test_a_session_ends_whatever_number_its_descriptor_got() {
	: >"$T/ready"
	python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os.dup2(s.fileno(), 0); s.close()
os.execvp(sys.argv[2], sys.argv[2:])' "$T/given" submitd -l 0 -P 1:1 -R 1 "$T/take" >"$T/ready" 2>"$T/given.log" &
	given_pid=$!
	residents="$residents $!"
	wait_until [ -s "$T/ready" ]
	for _ in 1 2 3; do
		printf '<\n> QUIT\n<<\n' | talk call "$T/given" >"$T/out" 2>&1
		assertEquals 'the connection is closed' EOF "$(tail -n 1 "$T/out")"
	done
	resident_stop given
	assertTrue 'a socket that was given is not removed' "[ -S $T/given ]"
	rm -f "$T/given"
}

test_a_non_blocking_listener_does_not_spin() {
	: >"$T/ready"
	python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); s.setblocking(False); os.dup2(s.fileno(), 0); s.close()
os.execvp(sys.argv[2], sys.argv[2:])' "$T/given" stamp -l 0 -P 1:1 -R 1 "$T/take" >"$T/ready" 2>"$T/given.log" &
	given_pid=$!
	residents="$residents $!"
	wait_until [ -s "$T/ready" ]
	wait_until pgrep -P "$given_pid" >"$T/out"
	sleep 0.5
	ticks=$(awk '{ print $14 + $15 }' "/proc/$(resident_worker given)/stat")
	assertTrue "$ticks ticks" "[ $ticks -lt 10 ]"
	resident_stop given
	rm -f "$T/given"
}

test_what_is_no_socket_is_not_removed_and_nothing_is_stolen() {
	echo precious >"$T/file"
	timeout 20 stamp -l "$T/file" "$T/take" 2>"$T/log"
	assertEquals 100 $?
	assertEquals precious "$(cat "$T/file")"
	resident_start stamp stamp "$T/take"
	timeout 20 stamp -l "$T/stamp" "$T/take" 2>"$T/log"
	assertEquals 'in use' 100 $?
	assertTrue "$(cat "$T/log")" "grep -q 'Address already in use' $T/log"
	timeout 20 stamp -l 0 "$T/take" 2>"$T/log" </dev/null
	assertEquals 'no listening socket' 100 $?
	timeout 20 stamp -l "$T/other" -U nosuchuser "$T/take" 2>"$T/log"
	assertEquals 'no such user' 100 $?
	assertEquals 'one line' 1 "$(wc -l <"$T/log")"
	orphans=$(proc_children "$stamp_pid")
	kill -9 "$stamp_pid"
	wait "$stamp_pid" 2>/dev/null
	# shellcheck disable=SC2086
	wait_until proc_gone $orphans # they notice, and listen no more
	resident_start stamp stamp "$T/take"
	assertTrue 'a dead one is replaced' 'chain_give call "$T/stamp"'
}

# A worker passes the verdict on itself, and must know how long it is.
test_recipients_are_1_to_1000() {
	resident_start stamp stamp "$T/take"
	for n in 0 1001 -1 x; do
		chain_give MSA_RCPTS=$n call "$T/stamp"
		assertEquals "$n" '451 4.3.0 Local error, try again later' "$(head -n 1 "$T/verdict")"
		assertContains "$(cat "$T/give.log")" 'misuse reason="MSA_RCPTS is not set to a number of recipients"'
	done
	chain_give MSA_RCPTS=1000 call "$T/stamp"
	assertEquals 'it is for the resident to count them' '' "$(cat "$T/give.log")"
}

test_the_allow_list() {
	resident_start stamp stamp "$T/facts"
	chain_give SASL_PATH=/tmp LD_PRELOAD=/tmp/none.so MSA_X_FOO=1 PATH="/tmp/evil:$PATH" call "$T/stamp" 2>/dev/null
	assertEquals "MSA_X_FOO=1|PATH=$PATH|" "$(cat "$T/told")"
	resident_stop stamp
	export MSA_X_OWN=1 SASL_PATH=/own
	resident_start stamp stamp "$T/facts"
	unset MSA_X_OWN SASL_PATH
	assertTrue 'given' 'chain_give MSA_X_FOO=1 call "$T/stamp"'
	assertEquals 'its own, but the call'\''s facts' "MSA_X_FOO=1|PATH=$PATH|SASL_PATH=/own|" "$(cat "$T/told")"
}

test_forged_facts_are_dropped_by_their_owner_and_believed_behind_it() {
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice
	resident_start submit submitd "$T/take"
	resident_start auth authd -u "$T/users.cdb" call "$T/submit"
	printf '> EHLO x\n> MAIL FROM:<a@b.example>\n> QUIT\n<<\n' >"$T/script"
	SMTPAUTHUSER=forged talk call "$T/submit" <"$T/script" >"$T/out"
	assertTrue 'believed: the caller is one that may say so' "grep -q '^250 2.1.0' $T/out"
	SMTPAUTHUSER=forged talk call "$T/auth" <"$T/script" >"$T/out"
	assertTrue 'authd sets it, so drops it' "grep -q '^530 5.7.0' $T/out"
	rm -f "$T/users.cdb"
}

# A worker of tlsd that was taken over must not be able to open the relay.
test_authd_believes_a_named_caller_about_the_connection_only() {
	needs root || return 0
	printf 'pw\n' | msa-passwd -i 4096 "$T/users.cdb" alice
	# The first answer is MAIL's: 530 of authd, or 250 of submitd, which knows RELAYCLIENT and sees MSA_X_A.
	program_make site <<-'X'
		#!/bin/sh
		echo "${MSA_X_A-none} $TCPREMOTEIP $SSL_PROTOCOL ${RELAYCLIENT-none}" >>"$T/told"
		exec submitd "$T/take"
	X
	printf '> EHLO x\n> MAIL FROM:<a@b.example>\n> QUIT\n<<\n' >"$T/script"
	asks() {
		: >"$T/told"
		chmod 666 "$T/told"
		RELAYCLIENT='' MSA_X_A=forged TCPREMOTEIP=192.0.2.7 SSL_PROTOCOL=TLSv1.3 MSA_SESSION=s1 \
			"$@" call "$T/auth" <"$T/script" >"$T/out" 2>"$T/err"
	}
	as_nobody='setpriv --reuid nobody --regid nogroup --clear-groups'
	resident_start auth authd -A nobody -U daemon -u "$T/users.cdb" "$T/site"
	# shellcheck disable=SC2086
	asks talk $as_nobody
	assertTrue "no relay: $(cat "$T/out")" "grep -q '^530 5.7.0' $T/out"
	assertEquals 'authd: s1 ignored facts="RELAYCLIENT or MSA_X_*" why="without -F"' "$(grep ignored "$T/auth.log")"
	asks talk
	assertTrue "root is the operator: $(cat "$T/out")" "grep -q '^250 2.1.0' $T/out"
	assertEquals 'forged 192.0.2.7 TLSv1.3 ' "$(cat "$T/told")"
	resident_stop auth
	resident_start auth authd -F -A nobody -U daemon -u "$T/users.cdb" "$T/site"
	# shellcheck disable=SC2086
	asks talk $as_nobody
	assertTrue "with -F: $(cat "$T/out")" "grep -q '^250 2.1.0' $T/out"
	assertEquals 'forged 192.0.2.7 TLSv1.3 ' "$(cat "$T/told")"
	rm -f "$T/users.cdb"
}

test_who_may_call_is_told_by_uid() {
	needs root || return 0
	program_make nobody_gives <<-'X'
		#!/bin/sh
		MSA_SESSION=s MSA_MESSAGE=m MSA_RCPTS=1 SMTPAUTHUSER=forged setpriv --reuid nobody --regid nogroup --clear-groups \
			call "$1" <"$T/message" 3<"$T/envelope" | tr -d '\r' | tr '\n' '|'
	X
	resident_start stamp stamp "$T/take"
	assertEquals '451 4.3.0 Local error, try again later|.|' "$("$T/nobody_gives" "$T/stamp" 2>/dev/null)"
	assertFalse "the mode keeps it away: $(cat "$T/stamp.log")" "grep -q refused $T/stamp.log"
	resident_stop stamp
	resident_start stamp stamp -A daemon -A bin "$T/take"
	assertEquals '451 4.3.0 Local error, try again later|.|' "$("$T/nobody_gives" "$T/stamp" 2>/dev/null)"
	assertEquals 1 "$(grep -c "refused reason=call error=\"the caller is neither root, nor our user, nor named with -A\" uid=$(id -u nobody)" "$T/stamp.log")"
	resident_stop stamp
	resident_start stamp stamp -A nobody "$T/take"
	assertEquals '250 2.0.0 taken|.|' "$("$T/nobody_gives" "$T/stamp")"
	resident_stop stamp
	resident_start stamp stamp -U nobody "$T/take"
	assertEquals 'the worker is nobody' "$(id -u nobody)" "$(stat -c %u "/proc/$(resident_worker stamp)")"
	assertEquals '250 2.0.0 taken|.|' "$("$T/nobody_gives" "$T/stamp")"
}

# Accounts of the test's own, in a mount namespace: eve is in the group mailers, mal is not, and gus has it as his own.
test_members_of_a_group_may_call() {
	needs mount || return 0
	cp /etc/passwd "$T/passwd"
	cp /etc/group "$T/group"
	printf '%s\n' eve:x:65001:65001::/:/bin/sh mal:x:65002:65002::/:/bin/sh gus:x:65003:65009::/:/bin/sh >>"$T/passwd"
	printf '%s\n' eve:x:65001: mal:x:65002: mailers:x:65009:eve >>"$T/group"
	program_make members <<-'X'
		#!/bin/sh
		mount --bind "$T/passwd" /etc/passwd && mount --bind "$T/group" /etc/group || exit
		stamp -l "$T/group.s" -R 3 $1 -A @mailers "$T/take" 3>"$T/ready" 2>"$T/group.log" </dev/null &
		parent=$!
		while [ ! -s "$T/ready" ] && kill -0 "$parent"; do sleep 0.05; done
		stat -c 'mode %a %u %g' "$T/group.s"
		for user in eve gus mal; do
			echo "$user $(printf 'Subject: x\n\nbody\n' | setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups \
				submit -f a@b.example -r c@d.example call "$T/group.s" >/dev/null 2>&1 && echo yes || echo no)"
		done
		many=$(seq 66000 66099 | paste -sd ,),65009
		echo "many groups $(printf 'Subject: x\n\nbody\n' | setpriv --reuid mal --regid mal --groups "$many" \
			submit -f a@b.example -r c@d.example call "$T/group.s" >/dev/null 2>&1 && echo yes || echo no)"
		kill "$parent"
		wait "$parent"
	X
	while IFS='|' read -r options mode; do
		: >"$T/ready"
		said=$(unshare -m "$T/members" "$options" 2>"$T/errors" | paste -sd '|')
		assertEquals "-A @mailers $options: $(cat "$T/errors" "$T/group.log")" "mode $mode|eve yes|gus yes|mal no|many groups yes" "$said"
	done <<-'X'
		|660 0 65009
		-U nobody|660 65534 65009
		-A daemon|666 0 0
	X
	assertEquals 'the resident itself refuses, where the mode is open' 1 "$(grep -c 'refused reason=call .*uid=65002' "$T/group.log")"
	timeout 20 stamp -l "$T/x" -A @no-such-group "$T/take" 2>"$T/errors"
	assertEquals 'no such group: exit code' 100 $?
	assertEquals 'stamp: no-such-group: no such group' "$(cat "$T/errors")"
}

# The mode keeps away whom it can; the uid decides in any case.
test_the_socket_is_open_to_those_who_may_call() {
	needs root || return 0
	while read -r options; do
		want=${options#*=> }
		# shellcheck disable=SC2086
		resident_start stamp stamp ${options%=>*} "$T/take"
		assertEquals "stamp ${options%=>*}" "$want" "$(stat -c '%a %U %G' "$T/stamp")"
		resident_stop stamp
	done <<-'X'
		=> 600 root root
		-U nobody => 600 nobody root
		-A daemon => 600 daemon root
		-A daemon -U nobody => 660 daemon nogroup
		-A daemon -U nobody:bin => 660 daemon bin
		-A daemon -A bin => 666 root root
	X
	resident_start stamp stamp -A daemon -U nobody "$T/take"
	for user in root daemon nobody; do
		group=$(id -gn "$user")
		[ "$user" != daemon ] || group=bin # -U daemon:bin, for example
		assertEquals "$user" '250 2.0.0 taken|.|' "$(MSA_SESSION=s MSA_MESSAGE=m MSA_RCPTS=1 setpriv --reuid "$user" \
			--regid "$group" --clear-groups call "$T/stamp" <"$T/message" 3<"$T/envelope" | tr -d '\r' | tr '\n' '|')"
	done
	resident_stop stamp
	mkdir "$T/theirs"
	chown nobody "$T/theirs"
	for options in '' '-A daemon'; do
		: >"$T/ready"
		# shellcheck disable=SC2086
		setpriv --reuid nobody --regid nogroup --clear-groups \
			stamp -l "$T/theirs/s" $options -R 3 "$T/take" 3>"$T/ready" 2>"$T/stamp.log" &
		stamp_pid=$!
		residents="$residents $!"
		wait_until [ -s "$T/ready" ]
		stat -c '%a %U' "$T/theirs/s" >"$T/got$options"
		resident_stop stamp
	done
	assertEquals 'not root, nobody named' '600 nobody' "$(cat "$T/got")"
	assertEquals 'not root' '666 nobody' "$(cat "$T/got-A daemon")"
	rm -rf "$T/theirs"
}

# Any local user may cause such lines: 600 a minute, and a count of the others.
test_refused_calls_have_a_budget_of_log_lines() {
	: >"$T/stamp.log"
	resident_start stamp stamp -P 4:4 "$T/take"
	python3 - "$T/stamp" <<-'X'
		import socket, sys
		for i in range(1300):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1]); s.shutdown(socket.SHUT_WR); s.recv(1)
	X
	resident_stop stamp
	lines=$(grep -c 'refused reason=call error="not a valid call"' "$T/stamp.log")
	left=$(sed -n 's/^stamp: - suppressed lines=//p' "$T/stamp.log" | awk '{ n += $1 } END { print n + 0 }')
	assertEquals "each is a line or counted: $(tail -n 3 "$T/stamp.log")" 1300 $((lines + left))
	# a minute may have ended meanwhile, and that is a new budget
	assertTrue "not all are lines: $lines" "[ $lines -lt 1300 ] && [ $lines -ge 600 ]"
}

test_a_listener_of_somebody_else_is_not_given_calls() {
	needs root || return 0
	mkdir "$T/open" "$T/theirs" "$T/taken"
	chmod 1777 "$T/open"
	chown nobody "$T/theirs" "$T/taken"
	for where in open theirs taken; do
		: >"$T/ready"
		setpriv --reuid nobody --regid nogroup --clear-groups \
			stamp -l "$T/$where/s" -A root -R 3 "$T/take" 3>"$T/ready" 2>"$T/stamp.log" &
		stamp_pid=$!
		residents="$residents $!"
		wait_until [ -s "$T/ready" ]
		[ "$where" != taken ] || chown daemon "$T/taken/s"
		chain_give call "$T/$where/s"
		tr '\n' '|' <"$T/verdict" >"$T/got.$where"
		resident_stop stamp
	done
	assertEquals '451 4.3.0 Local error, try again later|.|' "$(cat "$T/got.open")"
	assertEquals 'one that only its user can have put there' '250 2.0.0 taken|.|' "$(cat "$T/got.theirs")"
	assertEquals 'a socket that is not its own' '451 4.3.0 Local error, try again later|.|' "$(cat "$T/got.taken")"
	rm -rf "$T/open" "$T/theirs" "$T/taken"
}

test_workers_end_with_their_parent() {
	resident_start submit submitd -P 3:3 "$T/take"
	: >"$T/out"
	handover "$T/submit" hold >"$T/out" &
	held=$!
	wait_until [ -s "$T/out" ]
	ended=$(proc_children "$submit_pid")
	assertEquals 3 "$(echo "$ended" | wc -l)"
	kill -9 "$submit_pid"
	wait "$submit_pid" 2>/dev/null
	wait "$held"
	assertEquals '421 4.3.2 Service not available, closing the connection' "$(sed -n 2p "$T/out")"
	assert_proc_gone "$ended"
}

test_a_killed_worker_is_replaced_and_costs_one_call() {
	program_make slow <<-'X'
		#!/bin/sh
		[ -e "$T/busy" ] || { echo "$PPID" >"$T/busy"; sleep 5; } # the first alone
		echo '250 2.0.0 taken'
	X
	resident_start stamp stamp -P 2:8 "$T/slow"
	kill -9 "$(resident_worker stamp)"
	wait_until grep -q 'lost worker="signal 9"' "$T/stamp.log" # an idle one
	rm -f "$T/busy"
	chain_give call "$T/stamp" &
	give_pid=$!
	wait_until [ -s "$T/busy" ]
	kill -9 "$(cat "$T/busy")"
	wait "$give_pid"
	assertEquals '451 4.3.0 Local error, try again later|.|' "$(tr '\n' '|' <"$T/verdict")"
	assertTrue 'the next is served' 'chain_give call "$T/stamp"'
	wait_until enough_workers "$stamp_pid" 2 # the pool is whole
}

enough_workers() {
	[ "$(proc_children "$1" | wc -l)" -ge "$2" ]
}

test_a_worker_is_replaced_after_its_calls() {
	resident_start stamp stamp -P 1:1 -C 2 "$T/take"
	first=$(resident_worker stamp)
	chain_give call "$T/stamp"
	chain_give call "$T/stamp"
	assertTrue 'still served' 'chain_give call "$T/stamp"'
	assertNotEquals "$first" "$(resident_worker stamp)"
	assertFalse 'not lost' 'grep -q lost "$T/stamp.log"'
}

test_a_full_session_pool_says_421_and_a_message_pool_queues() {
	resident_start submit submitd -P 1:1 "$T/take"
	: >"$T/held"
	handover "$T/submit" hold >"$T/held" &
	held=$!
	wait_until [ -s "$T/held" ]
	printf '<<\n' | talk call "$T/submit" >"$T/out"
	assert_out 'turned away' <<-'X'
		421 4.3.2 Service not available, closing the connection
		EOF
	X
	assertEquals 1 "$(grep -c 'refused reason="all workers are busy"' "$T/submit.log")"
	kill "$held"
	wait "$held"
	wait_until greeted submit # room again
	resident_start stamp stamp -P 1:1 sh -c 'sleep 0.3; echo 250 2.0.0 taken'
	for i in 1 2 3; do
		(chain_give call "$T/stamp"; tr '\n' '|' <"$T/verdict" >"$T/got.$i") &
		eval "pid$i=$!"
		sleep 0.05
	done
	# shellcheck disable=SC2154
	wait "$pid1" "$pid2" "$pid3"
	assertEquals 'all were served, one after another' 3 "$(grep -l '250 2.0.0 taken|.|' "$T"/got.[123] | wc -l)"
	rm -f "$T"/got.*
}

# usage: usher_stops pool ; its process that refuses sessions is there, and stopped: $usher
usher_stops() {
	printf '<<\n' | talk call "$T/$1" >"$T/out"
	eval "usher=\$(proc_children \"\$${1}_pid\" | grep -vx \"$worker\" | head -n 1)"
	[ -n "$usher" ] && kill -STOP "$usher" && wait_until usher_is_still && grep -q ') T ' "/proc/$usher/stat"
}

usher_is_still() {
	! grep -q ') [RSD] ' "/proc/$usher/stat" 2>/dev/null
}

# A pool of one worker, which a session holds, and its usher.
full_pool() {
	resident_start submit submitd -P 1:1 "$T/take"
	worker=$(resident_worker submit)
	: >"$T/held"
	handover "$T/submit" hold >"$T/held" &
	held=$!
	wait_until [ -s "$T/held" ]
	wait_until usher_stops submit
}

reloaded() {
	[ "$(grep -c ' reloaded' "$T/submit.log")" -eq "$1" ]
}

# However many sessions wait: a connection is left to the usher, which is slow here.
test_there_is_one_usher() {
	full_pool
	: >"$T/connected"
	python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print("connected", flush=True)
time.sleep(1000)' "$T/submit" >"$T/connected" &
	waits=$!
	wait_until [ -s "$T/connected" ]
	for n in 1 2; do # at the second, the parent has looked at everything that came before the first
		kill -HUP "$submit_pid"
		wait_until reloaded $n
	done
	assertEquals 'the worker and the usher' "$worker $usher" "$(proc_children "$submit_pid" | paste -sd ' ')"
	assertFalse "nobody has taken it: $(cat "$T/submit.log")" "grep -q 'reason=call' $T/submit.log"
	kill "$waits" "$held"
	wait "$waits" "$held" 2>/dev/null
	kill -CONT "$usher"
}

# The worker is stopped: who takes the session is not a matter of chance.
test_the_usher_leaves_a_session_to_a_worker_that_is_idle() {
	full_pool
	kill -9 "$worker"
	wait_until new_worker
	kill -STOP "$fresh"
	handover -x MSA_HOST=mx.test "$T/submit" good >"$T/got.late" &
	late=$!
	kill -CONT "$usher"
	wait_until proc_gone "$usher"
	kill -CONT "$fresh"
	wait "$late" "$held" 2>/dev/null
	assertEquals '220 mx.test ESMTP' "$(sed -n 2p "$T/got.late")"
	rm -f "$T/got.late"
}

new_worker() {
	fresh=$(proc_children "$submit_pid" | grep -vx -e "$worker" -e "$usher")
	[ -n "$fresh" ]
}

greeted() {
	printf '<\n> QUIT\n<<\n' | talk call "$T/$1" >"$T/out"
	grep -q '^220' "$T/out"
}

test_a_call_that_nobody_waits_for_is_dropped() {
	rm -f "$T/told"
	resident_start stamp stamp "$T/facts"
	handover_says 'closed at once;descriptors closed;' -m "$T/message" -e "$T/envelope" -x MSA_DEADLINE=1000 "$T/stamp" good
	assertFalse 'not served' "[ -e $T/told ]"
	assertEquals 1 "$(grep -c 'dropped' "$T/stamp.log")"
	handover_says 'closed at once;descriptors closed;' -m "$T/message" -e "$T/envelope" "$T/stamp" gone
	assertFalse 'not served' "[ -e $T/told ]"
	assertEquals 'nobody reads' 2 "$(grep -c 'dropped' "$T/stamp.log")"
}

test_sigterm_ends_sessions_between_commands_and_finishes_messages() {
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice
	program_make slow <<-'X'
		#!/bin/sh
		echo x >"$T/busy"
		sleep 0.7
		echo '250 2.0.0 taken'
	X
	rm -f "$T/busy"
	resident_start stamp stamp "$T/slow"
	resident_start submit submitd "$T/take"
	resident_start auth authd -u "$T/users.cdb" "$T/take"
	for name in submit auth; do
		printf '<\n> EHLO x\n<\n> NOOP\n<\n<<\n' | talk call "$T/$name" >"$T/$name.out" &
		eval "${name}_talk=$!"
	done
	chain_give call "$T/stamp" &
	give_pid=$!
	wait_until [ -s "$T/busy" ]
	wait_until grep -q '^250 2.0.0' "$T/submit.out"
	wait_until grep -q '^250 2.0.0' "$T/auth.out"
	resident_stop stamp submit auth
	# shellcheck disable=SC2154
	wait "$give_pid" "$submit_talk" "$auth_talk"
	assertEquals '250 2.0.0 taken|.|' "$(tr '\n' '|' <"$T/verdict")"
	for name in submit auth; do
		assertEquals '421 4.3.2 Service not available, closing the connection|EOF' \
			"$(tail -n 2 "$T/$name.out" | paste -sd '|')"
		assertEquals stopped "$(tail -n 1 "$T/$name.log" | sed 's/.* //')"
		assertFalse 'the socket is gone' "[ -e $T/$name ]"
	done
	rm -f "$T/users.cdb"
}

# A supervisor may send SIGTERM to every process of a service.
test_a_worker_survives_signals_that_are_the_parents() {
	resident_start stamp stamp -P 1:1 sh -c 'kill -TERM $PPID; kill -HUP $PPID; kill -INT $PPID; sleep 0.2; echo 250 taken'
	first=$(resident_worker stamp)
	chain_give call "$T/stamp"
	assertEquals '250 2.0.0 taken|.|' "$(tr '\n' '|' <"$T/verdict")"
	assertEquals "$first" "$(resident_worker stamp)"
	resident_start sig stamp sh -c 'echo "250 $(grep -E "^Sig(Blk|Ign)" /proc/self/status | tr -d "\n\t")"'
	chain_give call "$T/sig"
	assertEquals 'and the next program has them at default' '250 2.0.0 SigBlk:0000000000000000SigIgn:0000000000000000|.|' \
		"$(tr '\n' '|' <"$T/verdict" | sed 's/4|/0|/' | proc_libc_aside)" # QUIT: as this shell's children have it
}

test_sighup_opens_the_users_anew_and_keeps_them_if_it_cannot() {
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice
	resident_start auth authd -p -P 1:1 -u "$T/users.cdb" "$T/take"
	printf '<\n> EHLO x\n<\n> AUTH PLAIN %s\n<\n> QUIT\n' "$(printf '\0bob\0pencil' | base64 -w0)" >"$T/script"
	talk call "$T/auth" <"$T/script" >"$T/out"
	assertTrue 'not yet' "grep -q '^535' $T/out"
	printf 'pencil\n' | msa-passwd -i 4096 "$T/users.cdb" bob
	[ "$(id -u)" != 0 ] || chmod 400 "$T/users.cdb"
	kill -HUP "$auth_pid"
	wait_until grep -q ' reloaded' "$T/auth.log"
	talk call "$T/auth" <"$T/script" >"$T/out"
	assertTrue 'now' "grep -q '^235' $T/out"
	echo garbage >"$T/users.cdb.new"
	mv "$T/users.cdb.new" "$T/users.cdb"
	kill -HUP "$auth_pid"
	wait_until grep -q ' kept ' "$T/auth.log"
	assertTrue 'why' "grep -q 'failed reason=.*users.cdb' $T/auth.log"
	talk call "$T/auth" <"$T/script" >"$T/out"
	assertTrue 'still' "grep -q '^235' $T/out"
	authd -l "$T/auth2" -u "$T/users.cdb" true 2>"$T/log"
	assertEquals 'none starts with it' 100 $?
	rm -f "$T/users.cdb"
}

# The privileges for it stay with the parent.
test_sighup_opens_tables_anew_that_only_root_can_read() {
	needs root || return 0
	printf '+3,1:bob->x\n\n' | cdb -c "$T/locals.cdb"
	chmod 400 "$T/locals.cdb"
	printf 'From: a@b.example\r\nTo: carol\r\n\r\nbody\r\n' >"$T/message"
	resident_start qualify qualify -P 1:1 -U nobody -d example.net -u "$T/locals.cdb" "$T/take"
	chain_give call "$T/qualify"
	assertTrue 'carol is not there' "grep -q '^55' $T/verdict"
	worker=$(resident_worker qualify)
	assertEquals "a worker is nobody's" nobody "$(ps -o user= -p "$worker")"
	assertEquals 'and nobody but root can look into it' root "$(stat -c %U "/proc/$worker/mem")"
	printf '+3,1:bob->x\n+5,1:carol->x\n\n' | cdb -c "$T/locals.cdb"
	chmod 400 "$T/locals.cdb"
	kill -HUP "$qualify_pid"
	wait_until grep -q ' reloaded' "$T/qualify.log"
	chain_give call "$T/qualify"
	assertEquals '250 2.0.0 taken' "$(head -n 1 "$T/verdict")"
	rm "$T/locals.cdb"
	kill -HUP "$qualify_pid"
	wait_until grep -q ' kept ' "$T/qualify.log"
	chain_give call "$T/qualify"
	assertEquals 'kept' '250 2.0.0 taken' "$(head -n 1 "$T/verdict")"
	chain_default
}

no_zombie() {
	[ "$(ps -o stat= --ppid "$1" | grep -c Z)" = 0 ]
}

test_a_program_that_ends_after_its_verdict_is_no_zombie_until_the_next_call() {
	program_make slow-to-end <<-'END'
		#!/bin/sh
		printf '250 2.0.0 taken\r\n.\r\n'
		exec >/dev/null
		echo $$ >"$T/ending"
		sleep 0.05
	END
	resident_start tail qualify -P 1:1 -d example.net "$T/slow-to-end"
	chain_default
	printf 'From: a@b.example\r\n\r\nbody\r\n' >"$T/message"
	chain_give call "$T/tail"
	assertEquals "$(cat "$T/tail.log")" '250 2.0.0 taken' "$(head -n 1 "$T/verdict")"
	wait_until [ -s "$T/ending" ]
	pid=$(cat "$T/ending")
	wait_until proc_gone "$pid"
	wait_until no_zombie "$(resident_worker tail)"
	resident_stop tail
}

test_the_next_program_gets_its_descriptors_and_no_others() {
	resident_start stamp stamp "$T/fds" 9</dev/null
	chain_give call "$T/stamp"
	assertEquals '250 2.0.0 0 1 2 3|.|' "$(sed 's/ *$//' "$T/verdict" | tr '\n' '|')"
	assertEquals 'nothing inherited is kept' 0 "$(find "/proc/$stamp_pid/fd" -lname /dev/null -name 9 | wc -l)"
}

. "$SHUNIT2"
