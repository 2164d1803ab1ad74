#!/bin/sh
# limit(8): how much a user may send. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

oneTimeSetUp() {
	printf '#!/bin/sh\ncat >"%s/out"\necho 250 2.0.0 taken\n' "$T" >"$T/next"
	chmod +x "$T/next"
	printf 'Subject: x\r\n\r\nbody\r\n' >"$T/in"
}

setUp() {
	rm -rf "$T/counts"
	mkdir "$T/counts"
	user=alice@example.net ip='' label=''
	recipients 1
}

tearDown() {
	resident_stop_all
	rm -f "$T"/*.log
}

# The envelope of so many recipients. usage: recipients n
recipients() {
	rcpts=$1
	{
		echo 'MAIL FROM:<alice@example.net>'
		seq "$1" | sed 's/.*/RCPT TO:<bob&@example.org>/'
	} >"$T/envelope"
}

# A message of $user, or of $ip. usage: message [option ...]
message() {
	rm -f "$T/out"
	MSA_MESSAGE=msg MSA_SESSION=ses MSA_RCPTS=$rcpts SMTPAUTHUSER=$user SMTPAUTHLABEL=$label TCPREMOTEIP=$ip limit -d "$T/counts" "$@" "$T/next" \
		<"$T/in" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	code=$?
}

# It is handed on. usage: passes what [option ...]
passes() {
	what=$1
	shift
	message "$@"
	assertEquals "$what" '250 2.0.0 taken' "$(cat "$T/verdict")"
	assertTrue "$what: handed on" "cmp $T/in $T/out"
	assertEquals "$what: log" "limit: ses/msg done who=${user:-${ip:--}} rcpts=$rcpts" "$(cat "$T/log")"
	assertEquals "$what: exit" 0 "$code"
}

# It is too much for now. usage: over rate seconds-to-wait [option ...]
over() {
	rate=$1 wait=$2
	shift 2
	message "$@"
	why="Over ${rate%/*} recipients in ${rate#*/} s, try again in $wait s"
	assertEquals "451 4.7.1 $why|.|" "$(tr -d '\r' <"$T/verdict" | tr '\n' '|')"
	assertEquals "limit: ses/msg refused who=${user:-${ip:--}} why=\"$why\"" "$(cat "$T/log")"
	assertEquals "$why: exit" 111 "$code"
	assertFalse "$why: handed on" "[ -e $T/out ]"
}

# Turn the clock of a user's file forward. usage: later seconds [file]
later() {
	awk -v ms="$1" '{ printf "%d %d %.0f\n", $1, $2, $3 - ms * 1000 }' "$T/counts/${2:-alice@example.net}" >"$T/later"
	cat "$T/later" >"$T/counts/${2:-alice@example.net}"
}

# Their names.
files() {
	find "$T/counts" -type f | sed 's/.*\///' | LC_ALL=C sort | paste -sd,
}

test_so_many_recipients_pass_and_no_more() {
	for n in 1 2 3; do
		passes "$n" -r 3/100000
	done
	over 3/100000 33334 -r 3/100000
	over 3/100000 33334 -r 3/100000
	user=bob@example.net
	passes 'another user' -r 3/100000
}

test_recipients_count_not_messages() {
	recipients 4
	passes 4 -r 10/100000
	passes 8 -r 10/100000
	recipients 3
	over 10/100000 10001 -r 10/100000
	recipients 2
	passes 10 -r 10/100000
	recipients 1
	over 10/100000 10001 -r 10/100000
}

test_what_was_counted_fades() {
	recipients 10
	passes all -r 10/100000
	later 30000
	over 10/100000 70001 -r 10/100000
	recipients 3
	passes 'what faded' -r 10/100000
	recipients 1
	over 10/100000 10001 -r 10/100000
	later 100000
	recipients 10
	passes 'all again' -r 10/100000
}

test_a_message_that_is_only_looked_at_is_not_counted() {
	recipients 2
	passes 'looked at' -n -r 3/100000
	assertEquals 'no count' '' "$(files)"
	passes counted -r 3/100000
	cp "$T/counts/alice@example.net" "$T/before"
	over 3/100000 33334 -n -r 3/100000
	assertTrue 'the count is as before' "cmp $T/before $T/counts/alice@example.net"
}

test_each_of_several_rates_is_kept() {
	recipients 2
	set -- -r 2/10000 -r 3/1000000
	passes 2 "$@"
	over 2/10000 10001 "$@"
	later 10000
	over 3/1000000 323334 "$@"
	recipients 1
	passes 3 "$@"
	assertEquals '10000 1000 1000000 2970' "$(awk '{ printf "%s%d %d", s, $1, $2; s = " " }' "$T/counts/alice@example.net")"
}

test_a_message_over_the_rate_itself_can_never_be_sent() {
	recipients 4
	message -r 100/60 -r 3/3600
	assertEquals '550 5.7.1 More recipients than the 3 in 3600 s that you may send to|.|' \
		"$(tr -d '\r' <"$T/verdict" | tr '\n' '|')"
	assertEquals 100 "$code"
	recipients 3
	passes 'and it did not count' -r 100/60 -r 3/3600
	recipients 1
	message -r 0/1
	assertEquals nobody '550 5.7.1' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
}

test_refused_recipients_and_copies_do_not_count() {
	printf 'MAIL FROM:<a@example.net>\n550 5.7.1 No\nRCPT TO:<b@example.org>\nCOPY TO:<c@example.org>\n' >"$T/envelope"
	rcpts=2
	message -r 1/100000
	assertEquals '250 2.0.0 taken' "$(cat "$T/verdict")"
	assertEquals 'limit: ses/msg done who=alice@example.net rcpts=1' "$(cat "$T/log")"
	recipients 1
	over 1/100000 100001 -r 1/100000
}

test_a_peer_without_a_user_counts_by_its_address() {
	user=
	for ip in 192.0.2.1 ''; do
		passes "${ip:-none}" -r 1/100000
		over 1/100000 100001 -r 1/100000
	done
	ip=::ffff:192.0.2.1
	message -r 1/100000
	assertContains "$ip" "$(cat "$T/log")" ' refused who=192.0.2.1 '
	ip=
	user=192.0.2.1
	passes 'a user of that name is another' -r 1/100000
	assertEquals '192.0.2.1,=-,=192.0.2.1' "$(files)"
}

# One host has as many of them as it likes.
test_an_ipv6_peer_counts_by_its_net() {
	user=
	for ip in 2001:db8::1 2001:db8:0:0:ffff::2 2001:DB8::3; do
		message -r 1/100000
		sed 's/ .*//' "$T/verdict" >>"$T/codes"
		assertContains "$ip" "$(cat "$T/log")" ' who=2001:db8::/64 '
	done
	assertEquals '250|451|.|451|.' "$(tr -d '\r' <"$T/codes" | paste -sd '|')"
	rm "$T/codes"
	ip=2001:db8:0:1::1
	message -r 1/100000
	assertEquals 'the next net' '250 2.0.0 taken' "$(cat "$T/verdict")"
}

test_a_name_is_a_file_whatever_is_in_it() {
	for user in ../up .hidden 'a/b c' жук '%2E' "$(printf 'x\ny')"; do
		recipients 1
		message -r 1/100000
		assertEquals "$user" '250 2.0.0 taken' "$(cat "$T/verdict")"
		message -r 1/100000
		assertEquals "$user" '451 4.7.1' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	done
	assertEquals '%252e,%2E.%2Fup,%2Ehidden,%D0%B6%D1%83%D0%BA,a%2Fb%20c,x%0Ay' "$(files)"
	assertEquals 'nothing beside it' '' "$(find "$T" -maxdepth 1 -newer "$T/in" -name '*up*')"
	user=Alice
	passes Alice -r 1/100000
	user=ALICE
	over 1/100000 100001 -r 1/100000
	rm "$T/counts"/*
	for end in a b; do
		user=$(printf 'ж%.0s' $(seq 100))$end
		message -r 1/100000
		assertEquals "a long name, $end" '250 2.0.0 taken' "$(cat "$T/verdict")"
		message -r 1/100000
		assertEquals "a long name, $end" '451 4.7.1' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	done
	assertEquals 'cut, and two' '255 255' "$(find "$T/counts" -type f | sed 's/.*\///' | awk '{ printf "%s%d", s, length($0); s = " " }')"
}

# By another name or port, or when the table was another.
test_what_counted_for_other_rates_counts_still() {
	passes one -r 1/100000
	passes another -r 1/3600
	over 1/100000 100001 -r 1/100000
	over 1/3600 3601 -r 1/3600
	printf 'MAIL FROM:<a@example.net>\n550 5.7.1 No\n' >"$T/envelope"
	message -r 9/5
	recipients 1
	over 1/100000 100001 -r 1/100000
	later 3600
	passes 'that one has faded' -r 1/3600
	over 1/100000 96401 -r 1/100000
}

test_a_clock_that_was_ahead_locks_nobody_out() {
	passes one -r 1/100000
	later -1000000000
	over 1/100000 100001 -r 1/100000
	later 100000
	passes 'as it said' -r 1/100000
}

test_removing_the_counts_forgets_them_also_for_who_waits() {
	passes one -r 1/100000
	flock "$T/counts/alice@example.net" sh -c 'rm "$1"; : >"$2"; sleep 0.5' sh "$T/counts/alice@example.net" "$T/held" &
	wait_until [ -e "$T/held" ]
	passes anew -r 1/100000
	wait $!
	over 1/100000 100001 -r 1/100000
	rm "$T/held"
	preload_build moment || return 0
	export MOMENT_GONE="$T/counts/alice@example.net" LD_PRELOAD="$T/moment.so"
	passes 'removed between its open and its lock' -r 1/100000
	unset MOMENT_GONE LD_PRELOAD
	over 1/100000 100001 -r 1/100000
}

test_the_table_has_other_rates() {
	printf 'alice@example.net 2/100000, 5/1000000\nbob \n* 1/100000\n- 0/1\n' | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
	set -- -r 100/60 -t "$T/rates.cdb"
	passes 1 "$@"
	passes 2 "$@"
	over 2/100000 50001 "$@"
	user=bob
	for n in 1 2 3; do
		passes "no limit $n" "$@"
	done
	assertFalse 'and no file' "[ -e $T/counts/bob ]"
	user=carol
	passes star "$@"
	over 1/100000 100001 "$@"
	user='' ip=192.0.2.1
	message "$@"
	assertEquals peers '550 5.7.1' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	printf 'bob 1/100000\n' | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
	user=dave
	passes 'without a record: -r' -r 1/100000 -t "$T/rates.cdb"
	over 1/100000 100001 -r 1/100000 -t "$T/rates.cdb"
	passes 'without -r: no limit' -t "$T/rates.cdb"
}

test_a_record_that_is_no_list_of_rates_is_451_and_told() {
	for list in x 1 1/ /1 1/0 -1/5 1/2/3 '1/5 2/5' 1000001/5 1/31536001 1.5/5 "1/1$(seq 2 9 | sed 's/.*/ 1\/&/' | tr -d '\n')"; do
		printf 'alice@example.net %s\n' "$list" | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
		message -t "$T/rates.cdb"
		assertEquals "$list" '451 4.3.0' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
		assertContains "$list" "$(cat "$T/log")" "misuse reason=\"$T/rates.cdb: record of alice@example.net: "
	done
	printf 'alice@example.net %s\n' "$(seq 1 8 | sed 's/.*/1\/&/' | tr '\n' ' ')" | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
	passes 'eight are a list' -t "$T/rates.cdb"
	for rate in x 1/0 1000001/5; do
		message -r "$rate"
		assertEquals "$rate" "limit: $rate: not a valid rate (recipients/seconds), a second rate for the same seconds, or more than 8 rates" "$(cat "$T/log")"
		assertEquals "$rate" 111 "$code"
	done
}

test_a_resident_looks_at_all_of_the_table_and_has_a_new_one_at_once() {
	printf 'alice@example.net 1/100000\n' | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
	resident_start limit limit -P 1:1 -d "$T/counts" -t "$T/rates.cdb" "$T/next"
	printf 'alice@example.net 0/1\n* 5\n' | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
	# shellcheck disable=SC2154
	kill -HUP "$limit_pid"
	wait_until grep -q ' kept ' "$T/limit.log"
	wrong="$T/rates.cdb: record of *: 5: not a valid rate (recipients/seconds), a second rate for the same seconds, or more than 8 rates"
	assertContains "$(cat "$T/limit.log")" "failed reason=\"$wrong\""
	limit -l "$T/second" -d "$T/counts" -t "$T/rates.cdb" true 2>"$T/log"
	assertEquals 100 $?
	assertEquals "limit: $wrong" "$(cat "$T/log")"
	printf 'Alice@example.net 1/5\n' | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
	limit -l "$T/second" -d "$T/counts" -t "$T/rates.cdb" true 2>"$T/log"
	assertEquals "limit: $T/rates.cdb: record of Alice@example.net: the key has a capital letter" "$(cat "$T/log")"
	printf 'alice@example.net 0/2\n' | cdb -c -m -t "$T/tmp" "$T/rates.cdb"
	MSA_MESSAGE=msg MSA_RCPTS=1 SMTPAUTHUSER=$user call "$T/limit" <"$T/in" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	assertContains "$(cat "$T/verdict")" '550 5.7.1 More recipients than the 0 in 2 s'
}

test_on_sighup_a_directory_that_was_made_anew_is_the_one() {
	resident_start limit limit -P 1:1 -d "$T/counts" -r 1/100000 "$T/next"
	rmdir "$T/counts"
	mkdir "$T/counts"
	kill -HUP "$limit_pid"
	wait_until grep -q ' reloaded' "$T/limit.log"
	MSA_MESSAGE=msg MSA_RCPTS=1 SMTPAUTHUSER=$user call "$T/limit" <"$T/in" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
	assertContains "$(cat "$T/verdict")" '250 2.0.0 taken'
	assertEquals alice@example.net "$(files)"
}

test_a_directory_that_cannot_be_used_is_451() {
	rmdir "$T/counts"
	message -r 1/60
	assertEquals '451 4.3.0' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	assertEquals "limit: $T/counts: No such file or directory" "$(cat "$T/log")"
	mkdir "$T/counts"
	ln -s "$T/elsewhere" "$T/counts/alice@example.net"
	message -r 1/60
	assertEquals 'a link is not followed' '451 4.3.0' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	assertFalse 'nor made' "[ -e $T/elsewhere ]"
	rm "$T/counts/alice@example.net"
	mkfifo "$T/counts/alice@example.net"
	message -r 1/60
	assertEquals 'a pipe is no file' '451 4.3.0' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	rm "$T/counts/alice@example.net"
	chmod 757 "$T/counts"
	message -r 1/60
	assertEquals 'anybody could reset a count' '451 4.3.0' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	assertEquals "limit: $T/counts: everybody may write to it" "$(cat "$T/log")"
	chmod 755 "$T/counts"
}

test_a_file_with_nonsense_in_it_counts_nothing() {
	for text in '' 'x' '100000 x y' '100000 99' '100000 -5 0' "$(head -c 5000 /dev/zero | tr '\0' 7)"; do
		printf '%s\n' "$text" >"$T/counts/alice@example.net"
		passes "${text%"${text#??????????}"}" -r 1/100000
		over 1/100000 100001 -r 1/100000
	done
}

# So many at once: of forty no more and no fewer than ten.
# They all wait for the lock of the counts, which the test holds: nobody is answered before it lets go. Then each of them
# is counted.
test_messages_at_once_are_counted_each() {
	exec 9>"$T/counts/alice"
	flock 9
	for n in 1 2 3 4 5 6 7 8; do
		MSA_MESSAGE=msg MSA_RCPTS=1 SMTPAUTHUSER=alice limit -d "$T/counts" -r 3/100000 sh -c 'echo 250 ok' \
			<"$T/in" 3<"$T/envelope" >"$T/verdict.$n" 2>/dev/null 9>&- &
	done
	wait_until eval '[ "$(pgrep -c -P $$ -x limit)" -eq 8 ]'
	sleep 0.5
	assertEquals 'nobody is answered' '' "$(cat "$T"/verdict.*)"
	exec 9>&-
	wait
	assertEquals 'accepted' 3 "$(cat "$T"/verdict.* | grep -c '^250')"
	assertEquals 'over' 5 "$(cat "$T"/verdict.* | grep -c '^451 4.7.1')"
	rm "$T"/verdict.*
}

test_a_lock_that_nobody_lets_go_is_451() {
	exec 9>"$T/counts/$user"
	flock 9
	message -r 1/60
	exec 9>&-
	assertEquals '451 4.3.0' "$(cut -c 1-9 "$T/verdict" | head -n 1)"
	assertEquals "limit: ses/msg failed reason=\"$T/counts: Connection timed out\"" "$(cat "$T/log")"
	assertEquals 'exit' 111 "$code"
}

test_misuse() {
	for words in '' "-d $T/counts true" "-r 1/60 true" "-d $T/counts -r 1/60" "-x -d $T/counts -r 1/60 true"; do
		# shellcheck disable=SC2086
		MSA_MESSAGE=msg MSA_RCPTS=1 limit $words <"$T/in" 3<"$T/envelope" >"$T/verdict" 2>"$T/log"
		assertEquals "$words" 111 $?
		assertContains "$words" "$(cat "$T/log")" 'usage: limit -d directory'
	done
	limit -d "$T/counts" -r 1/60 true <"$T/in" >"$T/verdict" 2>"$T/log"
	assertEquals 'not in a chain' 100 $?
	assertEquals 'limit: true: MSA_MESSAGE is not set: not in a chain (submit starts one)' "$(cat "$T/log")"
}

test_a_client_hears_it_exec_d_resident_and_in_one_process() {
	printf '<\n> EHLO client\n<\n' >"$T/script"
	for n in 1 2; do
		printf '> MAIL FROM:<a@example.net>\n<\n> RCPT TO:<b@example.org>\n<\n> RCPT TO:<c@example.org>\n<\n> DATA\n<\n'
		printf '>> Subject: x\\r\\n\\r\\n.\\r\\n\n<\n'
	done >>"$T/script"
	printf '> QUIT\n<<\n' >>"$T/script"
	for how in apart resident inline; do
		set -- limit -d "$T/counts" -r 3/100000
		case $how in
		apart) set -- submitd "$@" "$T/next" ;;
		inline) set -- inline submitd "$@" "$T/next" ;;
		resident)
			resident_start limited "$@" "$T/next"
			set -- submitd call "$T/limited"
			;;
		esac
		SMTPAUTHUSER=$how talk "$@" <"$T/script" >"$T/heard" 2>"$T/log"
		assertEquals "$how" '250 2.0.0 Ok|451 4.7.1 Over 3 recipients in 100000 s, try again in 33334 s' \
			"$(grep -e ' message ' -e ^4 "$T/heard" | sed 's/, message .*//' | paste -sd '|')"
	done
}

# What -q says. usage: ask [option ...] [user] ; $code
ask() {
	limit -q "$T/counts" "$@" >"$T/said" 2>&1
	code=$?
	said=$(sed 's/ [0-9]* s ago/ N s ago/; s/\(recipient in\) [0-9]* s$/\1 N s/' "$T/said")
}

# usage: assert_answer code line ... -- word ...
assert_answer() {
	want_code=$1
	shift
	: >"$T/want"
	while [ "$1" != -- ]; do
		echo "$1" >>"$T/want"
		shift
	done
	shift
	ask "$@"
	assertEquals "$*" "$(cat "$T/want")" "$said"
	assertEquals "$*: exit code" "$want_code" "$code"
}

test_a_question_is_answered_as_a_message_would_be() {
	printf '%s\n' 'zero@example.net 0/60' 'free@example.net' 'bad@example.net 1/x' '- 1/3600' >"$T/rates"
	cdb -c -m "$T/rates.cdb" "$T/rates"
	recipients 3
	message -r 4/86400
	assertEquals 'three pass' 0 "$code"
	assert_answer 0 'ALICE@example.net: 3 of 4 recipients used in 86400 s' -- -r 4/86400 ALICE@example.net
	recipients 1
	message -r 4/86400
	assertEquals 'the fourth passes' 0 "$code"
	assert_answer 1 'alice@example.net: 4 of 4 recipients used in 86400 s' \
		'alice@example.net: may send to another recipient in N s' -- -r 4/86400 alice@example.net
	message -r 4/86400
	assertEquals 'as a message hears' 111 "$code"
	assert_answer 0 'alice@example.net: 4 of 5 recipients used in 86400 s' \
		'alice@example.net: 0 of 5 recipients used in 60 s' -- -r 5/86400 -r 5/60 alice@example.net
	assert_answer 0 'alice@example.net: 4 recipients in 86400 s, N s ago; no rate has these seconds' -- alice@example.net
	assert_answer 1 'zero@example.net: 0 of 0 recipients used in 60 s' 'zero@example.net: may not send: 0 recipients in 60 s' \
		-- -t "$T/rates.cdb" zero@example.net
	assert_answer 0 'free@example.net: no limit' -- -t "$T/rates.cdb" -r 5/60 free@example.net
	assert_answer 111 "limit: $T/rates.cdb: record of bad@example.net: 1/x: not a valid rate (recipients/seconds), a second \
rate for the same seconds, or more than 8 rates" -- -t "$T/rates.cdb" bad@example.net
	user='' ip=2001:db8::7
	message -t "$T/rates.cdb"
	assertEquals 'a peer' 0 "$code"
	assert_answer 1 '=2001:db8::/64: 1 of 1 recipients used in 3600 s' '=2001:db8::/64: may send to another recipient in N s' \
		-- -t "$T/rates.cdb" =2001:db8::/64
	user=$(printf '%0300d' 0) ip=
	message -r 1/60
	assertEquals 'a long name' 0 "$code"
	assert_answer 0 "$(printf '%0238d' 0)%$(find "$T/counts" -name '0*' | sed 's/.*%//'): a longer name, of which this is the file" \
		'=2001:db8::/64: 0 of 9 recipients used in 86400 s' \
		'=2001:db8::/64: 1 recipients in 3600 s, N s ago; no rate has these seconds' \
		'alice@example.net: 4 of 9 recipients used in 86400 s' -- -r 9/86400
}

test_a_question_changes_nothing() {
	message -r 4/86400
	ls -l --time-style=full-iso "$T/counts" >"$T/before"
	for who in alice@example.net nobody@example.net =192.0.2.1 ''; do
		limit -q "$T/counts" -r 4/86400 ${who:+"$who"} >"$T/said" 2>&1
		assertEquals "$who" 0 $?
	done
	ls -l --time-style=full-iso "$T/counts" >"$T/after"
	assert_same 'the directory' "$T/before" "$T/after"
}

# The table of rates. usage: rates line ...
rates() {
	printf '%s\n' "$@" | cdb -c -m -t "$T/rates.tmp" "$T/rates.cdb"
}

# usage: assert_counted what code who rcpts-or-why option ...
assert_counted() {
	what=$1 want_code=$2 want=$3
	shift 3
	message "$@"
	assertEquals "$what: exit" "$want_code" "$code"
	assertEquals "$what" "$want" "$(sed 's/^limit: ses.msg //; s/, try again in [0-9]* s//' "$T/log")"
}

# The rates of a password are kept besides those of the user.
test_a_password_has_rates_of_its_own_besides_the_users() {
	rates 'alice@example.net/phone 2/100000' 'alice@example.net/slow 1/200' 'alice/phone 0/1'
	for label in phone Phone; do
		assert_counted "$label" 0 'done who=alice@example.net/'$label' rcpts=1' -r 3/100000 -t "$T/rates.cdb"
	done
	assert_counted 'the password' 111 'refused who=alice@example.net/Phone why="Over 2 recipients in 100000 s"' -r 3/100000 \
		-t "$T/rates.cdb"
	assertEquals alice@example.net,alice@example.net%2Fphone "$(files)"
	label=
	assert_counted 'the user' 0 'done who=alice@example.net rcpts=1' -r 3/100000 -t "$T/rates.cdb"
	for label in '' slow; do
		assert_counted "the user's rate, $label" 111 'refused who=alice@example.net why="Over 3 recipients in 100000 s"' \
			-r 3/100000 -t "$T/rates.cdb"
	done
	assertEquals 'what the user may not send is not counted for the password' alice@example.net,alice@example.net%2Fphone "$(files)"
	label=slow
	recipients 2
	assert_counted 'never' 100 'refused who=alice@example.net/slow why="More recipients than the 1 in 200 s that you may send to"' \
		-r 30/100000 -t "$T/rates.cdb"
	recipients 1
	assert_counted 'only looked at' 0 'done who=alice@example.net/slow rcpts=1' -n -r 30/100000 -t "$T/rates.cdb"
	assertEquals 'nothing counted' alice@example.net,alice@example.net%2Fphone "$(files)"
	label=other
	assert_counted 'another password' 0 'done who=alice@example.net rcpts=1' -r 30/100000 -t "$T/rates.cdb"
	user=alice/phone label=
	assert_counted 'a user of that name' 0 'done who=alice/phone rcpts=1' -r 30/100000 -t "$T/rates.cdb"
	user='' label=phone ip=192.0.2.1
	assert_counted 'a peer has no password' 0 'done who=192.0.2.1 rcpts=1' -r 30/100000 -t "$T/rates.cdb"
	user=alice@example.net label=bad
	rates 'alice@example.net/bad x'
	message -r 30/100000 -t "$T/rates.cdb"
	assertContains "$(cat "$T/log")" 'record of alice@example.net/bad: x: not a valid rate'
	assertEquals 111 "$code"
}

test_a_question_about_a_password() {
	rates 'alice@example.net/phone 2/100000'
	label=phone
	recipients 2
	assertEquals 'alice@example.net/phone: 0 of 2 recipients used in 100000 s' \
		"$(limit -q "$T/counts" -r 3/100000 -t "$T/rates.cdb" alice@example.net/phone)"
	message -r 3/100000 -t "$T/rates.cdb"
	limit -q "$T/counts" -r 3/100000 -t "$T/rates.cdb" alice@example.net/phone >"$T/out"
	assertEquals 1 $?
	assertEquals 'alice@example.net/phone: 2 of 2 recipients used in 100000 s' "$(head -n 1 "$T/out")"
	limit -q "$T/counts" -r 3/100000 -t "$T/rates.cdb" >"$T/out"
	assertEquals 'alice@example.net: 2 of 3 recipients used in 100000 s|alice@example.net/phone: 2 of 2 recipients used in 100000 s' \
		"$(grep used "$T/out" | paste -sd '|')"
	limit -q "$T/counts" -r 3/100000 -t "$T/rates.cdb" alice@example.net/other >"$T/out"
	assertEquals 'alice@example.net/other: no limit' "$(cat "$T/out")"
}

# RFC 6409 6.4: the address of last resort, in any spelling.
test_the_postmaster_is_not_counted_by_option() {
	passes 'the user' -r 1/100000
	while IFS='|' read -r to domains want; do
		rcpts=0
		echo 'MAIL FROM:<alice@example.net>' >"$T/envelope"
		for address in $to; do
			echo "RCPT TO:<$address>" >>"$T/envelope"
			rcpts=$((rcpts + 1))
		done
		set --
		for domain in $domains; do
			set -- "$@" -m "$domain"
		done
		message -r 1/100000 "$@"
		assertEquals "$to $domains" "$want" "$(sed 's/.*refused.*/refused/; s/.*rcpts=/passes /' "$T/log")"
	done <<-'X'
		postmaster@example.net||refused
		postmaster@example.net|example.net|passes 0
		PostMaster@example.net|Example.NET|passes 0
		postmaster|example.net|passes 0
		postmaster||refused
		postmaster@example.org|example.net|refused
		postmaster@example.org postmaster postmaster@example.net|example.net example.org|passes 0
		postmaster@bücher.example|xn--bcher-kva.example|passes 0
		postmaster+x@example.net|example.net|refused
		postmaster@example.net bob@example.net|example.net|refused
	X
	user=bob@example.net
	printf '%s\n' 'MAIL FROM:<bob@example.net>' 'RCPT TO:<postmaster@example.net>' 'RCPT TO:<x@example.net>' >"$T/envelope"
	rcpts=2
	message -r 1/100000 -m example.net
	assertEquals 'one counts' 'limit: ses/msg done who=bob@example.net rcpts=1' "$(cat "$T/log")"
	message -r 0/100000 -m ex_ample
	assertContains "$(cat "$T/log")" 'ex_ample: not a domain'
}

# shellcheck source=/dev/null
. "$SHUNIT2"
