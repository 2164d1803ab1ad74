#!/bin/sh
# msa-log metrics: counters that Prometheus takes, and each line of a log counted once. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/log.sh
. "$ROOT/tests/lib/log.sh"

export TZ=UTC

setUp() {
	rm -rf "$T/dir" "$T"/state*
	mkdir "$T/dir"
	log_morning >"$T/morning"
	msa-log metrics "$T/morning" >"$T/all"
}

# Count what is new in a log, with the counters in $T/state. usage: count [file ...]
count() {
	msa-log metrics -c "$T/state" "$@" >"$T/out" 2>"$T/err"
	code=$?
	assertEquals "$*: $(cat "$T/err")" 0 $code
}

# The value of a series. usage: value series [file]
value() {
	awk -v series="$1" '$0 ~ /^[^#]/ { n = length($0) - length($NF) - 1; if (substr($0, 1, n) == series) print $NF }' "${2:-$T/out}"
}

test_promtool_takes_what_is_printed() {
	promtool=$ROOT/bin/peers/prometheus/usr/bin/promtool
	[ -x "$promtool" ] || promtool=$(command -v promtool)
	[ -n "$promtool" ] || { skip 'needs promtool' && return; }
	printf 'smtp-inject: s/m done to=a\\b rcpts=1 code=250 ms=1\nsmtp-inject: s/m done to="a\\x5cb" rcpts=1 code=250 ms=1\n' |
		cat "$T/morning" - >"$T/dir/log"
	msa-log metrics "$T/dir/log" >"$T/out"
	"$promtool" check metrics <"$T/out" >"$T/got" 2>&1
	code=$?
	assertEquals "$(cat "$T/got")" 0 $code
	assertEquals '' "$(cat "$T/got")"
	assertEquals 1 "$(grep -cF 'msa_delivery_seconds_count{to="a\\x5cb"} 1' "$T/out")"
}

test_the_counters_are_those_of_the_log() {
	sort >"$T/want" <<'END'
msa_delivery_failures_total{to="relay.example.org:25",at="connect"} 1
msa_delivery_seconds_count{to="/var/spool/msa"} 1
msa_delivery_seconds_count{to="relay.example.org:25"} 4
msa_delivery_seconds_sum{to="/var/spool/msa"} 0.003
msa_delivery_seconds_sum{to="relay.example.org:25"} 0.078
msa_log_suppressed_lines_total{stage="authd"} 12
msa_logins_total{result="authenticated",mechanism="PLAIN"} 2
msa_logins_total{result="refused",mechanism="LOGIN"} 1
msa_message_answers_total{code="250"} 2
msa_message_answers_total{code="450"} 1
msa_message_answers_total{code="550"} 1
msa_message_octets_total 3072
msa_message_recipients_total 3
msa_message_seconds_bucket{le="+Inf"} 4
msa_message_seconds_bucket{le="0.01"} 3
msa_message_seconds_bucket{le="0.025"} 3
msa_message_seconds_bucket{le="0.05"} 3
msa_message_seconds_bucket{le="0.1"} 4
msa_message_seconds_bucket{le="0.25"} 4
msa_message_seconds_bucket{le="0.5"} 4
msa_message_seconds_bucket{le="1"} 4
msa_message_seconds_bucket{le="10"} 4
msa_message_seconds_bucket{le="100"} 4
msa_message_seconds_bucket{le="2.5"} 4
msa_message_seconds_bucket{le="30"} 4
msa_message_seconds_bucket{le="5"} 4
msa_message_seconds_count 4
msa_message_seconds_sum 0.076
msa_messages_total{result="accepted"} 2
msa_messages_total{result="refused"} 2
msa_penalties_total{reason="too many wrong passwords"} 1
msa_recipients_total{stage="smtp-inject",result="reached"} 3
msa_recipients_total{stage="smtp-inject",result="refused"} 1
msa_recipients_total{stage="spool",result="spooled"} 1
msa_recipients_total{stage="spoold",result="deferred"} 1
msa_recipients_total{stage="spoold",result="reached"} 1
msa_rejected_commands_total{verb="MAIL",code="530"} 1
msa_tls_handshakes_failed_total 1
msa_tls_sessions_total{version="TLSv1.2"} 1
msa_tls_sessions_total{version="TLSv1.3"} 2
END
	grep -v '^#\|^msa_log_lines_total\|^msa_delivery_seconds_bucket' "$T/all" | sort >"$T/got"
	assert_same counters "$T/want" "$T/got"
	assertEquals 'all lines' 31 "$(awk '/^msa_log_lines_total/ { n += $NF } END { print n }' "$T/all")"
}

test_a_line_is_counted_once() {
	head -n 10 "$T/morning" >"$T/dir/log"
	count "$T/dir/log"
	count "$T/dir/log"
	sed -n '11,20p' "$T/morning" >>"$T/dir/log"
	sed -n 21p "$T/morning" | head -c 50 >>"$T/dir/log" # a line that is being written
	count "$T/dir/log"
	sed -n 21p "$T/morning" | tail -c +51 >>"$T/dir/log"
	sed -n '22,$p' "$T/morning" >>"$T/dir/log"
	count "$T/dir/log"
	assert_same 'in four runs' "$T/all" "$T/out"
}

# usage: rotated log old ... ; the log was read as far as line 10, and then renamed, as often as there are names
rotated() {
	log=$1
	shift
	head -n 10 "$T/morning" >"$log"
	count "$log"
	sed -n '11,15p' "$T/morning" >>"$log"
	from=16
	for old; do
		mv "$log" "$old"
		sed -n "$from,$((from + 2))p" "$T/morning" >"$log"
		from=$((from + 3))
		sleep 0.01 # the time of a file has steps of up to 10 ms
	done
	sed -n "$from,\$p" "$T/morning" >>"$log"
	count "$log"
	assert_same "$*" "$T/all" "$T/out"
	count "$log"
	assert_same "$*, once more" "$T/all" "$T/out"
	rm -rf "$T"/state* "$T/dir"
	mkdir "$T/dir"
}

test_counters_survive_rotation() {
	rotated "$T/dir/log" "$T/dir/log.1"
	rotated "$T/dir/log" "$T/dir/log-20261130"
	rotated "$T/dir/log" "$T/dir/log.3" "$T/dir/log.2" "$T/dir/log.1"
	rotated "$T/dir/current" "$T/dir/@400000006b0ce07b2db8cbbc.s" "$T/dir/@400000006b0ce07c2db8cbbc.s"
}

test_counters_survive_a_log_that_is_copied_and_cut() {
	head -n 10 "$T/morning" >"$T/dir/log"
	count "$T/dir/log"
	sed -n '11,15p' "$T/morning" >>"$T/dir/log"
	cp "$T/dir/log" "$T/dir/log.1"
	sed -n '16,$p' "$T/morning" >"$T/dir/log" # longer than what was read
	count "$T/dir/log"
	assert_same 'copytruncate' "$T/all" "$T/out"
}

# The state file may lie beside the log, with a name like that of an old log.
test_the_state_beside_the_log_is_no_log() {
	head -n 10 "$T/morning" >"$T/dir/log"
	msa-log metrics -c "$T/dir/log.state" "$T/dir/log" >"$T/out"
	mv "$T/dir/log" "$T/dir/log.1"
	sed -n '11,$p' "$T/morning" >"$T/dir/log"
	msa-log metrics -c "$T/dir/log.state" "$T/dir/log" >"$T/out"
	assert_same counters "$T/all" "$T/out"
}

test_a_log_that_is_gone_is_told_and_counted() {
	head -n 10 "$T/morning" >"$T/dir/log"
	count "$T/dir/log"
	rm "$T/dir/log"
	sed -n '12,$p' "$T/morning" >"$T/dir/log"
	count "$T/dir/log"
	assertEquals "msa-log: $T/dir/log: what was read before is gone, and lines may be missing" "$(cat "$T/err")"
	assertEquals 1 "$(value msa_log_gaps_total)"
	assertEquals 2 "$(value 'msa_messages_total{result="accepted"}')"
}

test_several_logs_have_one_state() {
	grep ' submitd\[' "$T/morning" >"$T/dir/submitd"
	grep -v ' submitd\[' "$T/morning" >"$T/dir/others"
	count "$T/dir/submitd" "$T/dir/others"
	assert_same counters "$T/all" "$T/out"
	ln "$T/dir/submitd" "$T/dir/again"
	cp "$T/state" "$T/before"
	msa-log metrics -c "$T/state" "$T/dir/submitd" "$T/dir/again" >"$T/out" 2>"$T/err"
	assertEquals 'a log that is named twice' 100 $?
	assert_same 'nothing was counted' "$T/before" "$T/state"
}

# A run that fails leaves the counters as they were; so does one that is killed, since the file is renamed.
test_the_state_is_whole_or_as_it_was() {
	head -n 10 "$T/morning" >"$T/dir/log"
	count "$T/dir/log"
	cp "$T/state" "$T/before"
	msa-log metrics -c "$T/state" "$T/dir/log" "$T/dir/none" >"$T/out" 2>"$T/err"
	assertEquals 111 $?
	assert_same 'as it was' "$T/before" "$T/state"
	assertEquals 'nothing is printed' '' "$(cat "$T/out")"
	for damage in 's/^end$/en/' '1s/1$/2/' '3s/ [0-9]* / x /' '$d' 's/^file /file x /' 's/event="/&\x1b/' \
		's/event="/&"/' 's/event="/&\\/' 's/",event/event/' 's/,event="[a-z]*/,/' 's/"$/",/' 's/="[a-z]*"$/=/' 's/"$//'; do
		sed "$damage" "$T/before" >"$T/state"
		cp "$T/state" "$T/damaged"
		msa-log metrics -c "$T/state" "$T/dir/log" >"$T/out" 2>"$T/err"
		assertEquals "$damage" 111 $?
		assertEquals "$damage" "msa-log: $T/state: not a file of msa-log metrics -c" "$(cat "$T/err")"
		assert_same "$damage" "$T/damaged" "$T/state"
	done
}

# In a folder where others may make files, what has the name of the state may be theirs.
test_a_state_that_is_not_our_own_is_refused() {
	cp "$T/morning" "$T/dir/log"
	echo precious >"$T/dir/precious"
	cp "$T/dir/precious" "$T/dir/kept"
	ln -s dir/precious "$T/state.link"
	ln "$T/dir/precious" "$T/state.hard"
	mkfifo "$T/state.fifo"
	: >"$T/state.theirs"
	msa-log metrics -c "$T/state.good" "$T/dir/log" >/dev/null
	[ "$(id -u)" -ne 0 ] || chown nobody "$T/state.theirs" "$T/state.good"
	for name in link.new hard.new fifo.new fifo theirs.new good; do
		case $name in theirs* | good) [ "$(id -u)" -eq 0 ] || continue ;; esac
		case $name in *.new) mv "$T/state.${name%.new}" "$T/state.$name" ;; esac
		timeout 60 msa-log metrics -c "$T/state.${name%.new}" "$T/dir/log" >"$T/out" 2>"$T/err"
		assertEquals "$name" 111 $?
		assertEquals "$name" "msa-log: $T/state.${name%.new}, or with .new after it: a link, or another user's" "$(cat "$T/err")"
		case $name in *.new) mv "$T/state.$name" "$T/state.${name%.new}" ;; *) rm "$T/state.$name.new" ;; esac
	done
	assert_same 'what a link names' "$T/dir/kept" "$T/dir/precious"
}

test_two_runs_at_once_do_not_count_twice() {
	cp "$T/morning" "$T/dir/log"
	program_lines holder "exec 9>'$T/state.new'" 'flock 9' "echo ready >'$T/held'" 'read -r line'
	mkfifo "$T/dir/end"
	: >"$T/held"
	"$T/holder" <"$T/dir/end" &
	holder=$!
	exec 8>"$T/dir/end"
	wait_until grep -q ready "$T/held"
	msa-log metrics -c "$T/state" "$T/dir/log" >"$T/out" 2>"$T/err"
	assertEquals 111 $?
	assertEquals "msa-log: $T/state: another msa-log has it" "$(cat "$T/err")"
	exec 8>&-
	wait $holder
	count "$T/dir/log"
	assert_same counters "$T/all" "$T/out"
}

# A script can write lines with any stage and event: memory has a bound, and what is left out is counted.
test_so_many_series_and_no_more() {
	seq -f 'x: s e%.0f' 1 5000 >"$T/dir/log"
	count "$T/dir/log"
	assertEquals 4000 "$(grep -c '^msa_log_lines_total' "$T/out")"
	assertEquals 1000 "$(value msa_log_series_left_out_total)"
	echo 'x: s e5000' >>"$T/dir/log"
	count "$T/dir/log"
	assertEquals 'it survives' 1001 "$(value msa_log_series_left_out_total)"
}

test_without_a_state_all_is_counted() {
	msa-log metrics <"$T/morning" >"$T/out"
	assert_same 'standard input' "$T/all" "$T/out"
	msa-log metrics -c "$T/state" <"$T/morning" >"$T/out" 2>"$T/err"
	assertEquals 'a pipe has no position' 100 $?
	mkfifo "$T/dir/pipe"
	echo >"$T/dir/pipe" &
	msa-log metrics -c "$T/state" "$T/dir/pipe" >"$T/out" 2>"$T/err"
	assertEquals 111 $?
	wait
}

. "$SHUNIT2"
