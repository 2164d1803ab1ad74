#!/bin/sh
# The benchmark's tools: what they count is right. Nothing about time.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"

# usage: sink [option ...]; sets SINK (its pid) and PORT
sink() {
	: >"$T/sink" # the redirection below happens in the child, maybe late
	bench-sink "$@" 0 >"$T/sink" &
	SINK=$!
	wait_until grep -q '^ready' "$T/sink" || return 1
	read -r _ PORT <"$T/sink"
}

unsink() {
	[ -z "${SINK:-}" ] || kill "$SINK" 2>/dev/null
	[ -z "${SINK:-}" ] || wait "$SINK" 2>/dev/null
	SINK=
}

# The value of name in the line of name=value words on standard input.
value() {
	tr ' ' '\n' | sed -n "s/^$1=//p"
}

# usage: sunk name; what the sink on PORT has counted
sunk() {
	bench-sink -q "$PORT" | value "$1"
}

tearDown() {
	unsink
	quickstart_stop
	QUICKSTART=
}

test_the_sink_has_what_the_generator_sent() {
	sink -s
	bench-load -n -s 7 -m 5 -z 1000 -c 3 "$PORT" >"$T/load"
	assertEquals 0 $?
	assertEquals 35 "$(value accepted <"$T/load")"
	assertEquals 0 "$(value failed <"$T/load")"
	assertEquals none "$(value tls <"$T/load")"
	assertEquals 35 "$(sunk messages)"
	assertEquals 35 "$(sunk recipients)"
	assertEquals 35000 "$(sunk octets)"
}

test_messages_of_a_megabyte_are_counted_to_the_octet() {
	sink -s
	# Sizes at which the last line is complete, is one octet, and ends where another would.
	for size in 1048576 1048577 1048578 1048579 1048580; do
		bench-load -n -s 2 -m 2 -z $size -c 2 "$PORT" >"$T/load"
		assertEquals "size $size" 4 "$(value accepted <"$T/load")"
	done
	assertEquals 20 "$(sunk messages)"
	assertEquals $((4 * (5 * 1048576 + 10))) "$(sunk octets)"
}

test_every_size_ends_in_one_crlf() {
	sink -s
	size=500 octets=0
	while [ $size -lt 660 ]; do
		bench-load -n -s 1 -z $size "$PORT" >"$T/load" || fail "size $size: $(cat "$T/load")"
		octets=$((octets + size)) size=$((size + 1))
	done
	assertEquals 160 "$(sunk messages)"
	assertEquals $octets "$(sunk octets)"
}

test_the_sink_records_the_last_message_with_its_envelope() {
	sink -s -r "$T/record"
	bench-load -n -s 1 -z 5000 "$PORT" >"$T/load"
	bench-load -n -s 1 -z 400 "$PORT" >"$T/load"
	printf '%s\r\n' 'MAIL FROM:<alice@example.net>' 'RCPT TO:<bob@example.org>' 'From: Load <alice@example.net>' \
		'To: <bob@example.org>' 'Subject: A message of 400 octets' 'Date: Sat, 21 Nov 2026 12:00:00 +0000' \
		'Message-ID: <load@load.example.net>' 'MIME-Version: 1.0' 'Content-Type: text/plain; charset=us-ascii' \
		'' >"$T/expected"
	envelope=$(sed -n 1,2p "$T/expected" | wc -c)
	head -n 10 "$T/record" >"$T/got"
	assert_same "envelope and header" "$T/expected" "$T/got"
	assertEquals "nothing of the longer one before it" 400 $(($(wc -c <"$T/record") - envelope))
}

test_chunks_are_recorded_as_they_come() {
	sink -b -s -r "$T/record"
	talk -c "127.0.0.1:$PORT" >"$T/out" <<-'END'
		>> EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 5\r\n.\r\n.\r
		>> BDAT 7 LAST\r\n1234567QUIT\r\n
		<<
	END
	printf 'MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n.\r\n.\r1234567' >"$T/expected"
	assert_same "record" "$T/expected" "$T/record"
}

test_an_incomplete_message_lacks_date_and_message_id_and_has_a_bcc() {
	sink -s -r "$T/record"
	bench-load -n -b -s 1 -z 400 "$PORT" >"$T/load"
	assertEquals 'From To Subject Bcc MIME-Version Content-Type' \
		"$(sed -n '3,/^.$/s/^\([^:]*\):.*/\1/p' "$T/record" | tr '\n' ' ' | sed 's/ $//')"
}

test_a_server_that_is_not_there_fails_every_message() {
	bench-load -n -s 3 -m 4 "$(bench-sink -f)" >"$T/load"
	assertEquals 1 $?
	assertEquals 0 "$(value accepted <"$T/load")"
	assertEquals 12 "$(value failed <"$T/load")"
	assertEquals 3 "$(value sessions_failed <"$T/load")"
	assertContains "$(cat "$T/load")" 'refused'
}

test_a_refused_command_fails_the_session_and_is_told() {
	sink # LMTP: no EHLO
	bench-load -n -s 2 -m 3 "$PORT" >"$T/load"
	assertEquals 1 $?
	assertEquals 6 "$(value failed <"$T/load")"
	assertContains "$(cat "$T/load")" "500 5.5.1 What?"
	assertEquals 0 "$(sunk messages)"
}

test_the_limit_in_seconds_ends_a_silent_server() {
	socket=$(bench-sink -f)
	python3 -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("ready", flush=True); time.sleep(30)' "$socket" >"$T/silent" &
	silent=$!
	wait_until grep -q ready "$T/silent"
	bench-load -n -T 1 -s 2 "$socket" >"$T/load"
	assertEquals 1 $?
	kill $silent
	wait $silent 2>/dev/null
	assertEquals 2 "$(value failed <"$T/load")"
	assertEquals 2 "$(value sessions_failed <"$T/load")"
}

test_idle_connections_are_held_until_told() {
	sink -s
	: >"$T/load"
	bench-load -n -I 20 "$PORT" >"$T/load" &
	load=$!
	wait_until grep -q '^ready 20$' "$T/load"
	assertEquals 21 "$(sunk connections)"
	kill $load
	wait $load
	assertEquals 0 $?
	assertEquals 20 "$(sed 1d "$T/load" | value held)"
	assertEquals 0 "$(sed 1d "$T/load" | value lost)"
}

test_lost_idle_connections_are_counted() {
	sink -s
	: >"$T/load"
	bench-load -n -I 5 "$PORT" >"$T/load" &
	load=$!
	wait_until grep -q '^ready 5$' "$T/load"
	unsink
	wait $load
	assertEquals 1 $?
	assertEquals 5 "$(sed 1d "$T/load" | value lost)"
}

test_lmtp_answers_once_for_each_recipient() {
	sink
	talk -c "127.0.0.1:$PORT" >"$T/out" <<-'END'
		<
		> LHLO a
		<
		>> MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n
		<
		<
		<
		<
		>> one\r\n..two\r
		sleep 0.2
		>> \n.
		sleep 0.2
		>> \r\nDATA\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nQUIT\r\n
		<<
	END
	cat >"$T/expected" <<-'END'
		220 sink.example.org LMTP
		250-sink.example.org
		250-PIPELINING
		250-8BITMIME
		250-SIZE
		250 ENHANCEDSTATUSCODES
		250 2.0.0 OK
		250 2.1.5 OK
		250 2.1.5 OK
		354 Go on
		250 2.0.0 Taken
		250 2.0.0 Taken
		503 5.5.1 No recipient
		250 2.1.5 OK
		354 Go on
		250 2.0.0 Taken
		221 2.0.0 Bye
		EOF
	END
	assert_same "dialogue" "$T/expected" "$T/out"
	assertEquals 2 "$(sunk messages)"
	assertEquals 3 "$(sunk recipients)"
	assertEquals 12 "$(sunk octets)"
}

test_chunks_are_taken_where_offered() {
	sink -b -s
	talk -c "127.0.0.1:$PORT" >"$T/out" <<-'END'
		>> EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 5\r\n.\r\n.\r
		>> BDAT 7 LAST\r\n1234567BDAT 0 LAST\r\nQUIT\r\n
		<<
	END
	assertEquals '250-CHUNKING' "$(grep CHUNK "$T/out")"
	assertEquals '250 2.0.0 Go on' "$(grep 'Go on' "$T/out")"
	assertEquals 2 "$(grep -c Taken "$T/out")"
	assertEquals 12 "$(sunk octets)"
}

test_through_our_chain_with_starttls_and_implicit_tls() {
	sink
	LMTP=127.0.0.1:$PORT
	export LMTP
	quickstart_start || {
		unset LMTP
		fail "the service did not start"
		return
	}
	unset LMTP
	bench-load -s 2 -m 3 -z 5000 -c 2 "$SUBMISSION" >"$T/load"
	assertEquals "$(cat "$T/load")" 6 "$(value accepted <"$T/load")"
	assertEquals "version, suite and group" TLSv1.3/TLS_AES_256_GCM_SHA384/X25519 "$(value tls <"$T/load")"
	assertEquals "session tickets" 0 "$(value tickets <"$T/load")"
	bench-load -i -s 2 -m 2 -z 5000 -c 1 "$SUBMISSIONS" >"$T/load"
	assertEquals "$(cat "$T/load")" 4 "$(value accepted <"$T/load")"
	assertEquals 10 "$(sunk messages)"
	MSA_PASSWORD=wrong bench-load -s 1 "$SUBMISSION" >"$T/load"
	assertContains "$(cat "$T/load")" 'error="session: 535 5.7.8'
}

test_keep_ends_what_the_server_left_behind() {
	# shellcheck disable=SC2016
	bench-keep sh -c '(setsid sleep 1000 & echo $! >"$0/orphan"); echo >"$0/started"; exec sleep 1000' "$T" &
	keep=$!
	wait_until test -s "$T/started"
	wait_until test -s "$T/orphan"
	orphan=$(cat "$T/orphan")
	assertEquals "the orphan's parent" $keep "$(ps -o ppid= -p "$orphan" | tr -d ' ')"
	kill $keep
	wait $keep
	assertFalse "the orphan is gone" "proc_alive $orphan"
}

# OpenSSL's own server sends two tickets after each handshake under TLS 1.3.
test_session_tickets_are_counted() {
	cert "$T/key.pem" "$T/cert.pem" /CN=localhost
	port=$(bench-sink -f)
	printf '220 hello\r\n' >"$T/greeting"
	: >"$T/server"
	mkfifo "$T/say"
	openssl s_server -accept "127.0.0.1:$port" -cert "$T/cert.pem" -key "$T/key.pem" -tls1_3 <"$T/say" >"$T/server" 2>&1 &
	server=$!
	exec 9>"$T/say"
	wait_until grep -q ACCEPT "$T/server"
	bench-load -i -T 30 -s 1 "$port" >"$T/load" &
	load=$!
	wait_until grep -q 'CIPHER is' "$T/server"
	cat "$T/greeting" >&9
	wait_until grep -q EHLO "$T/server"
	exec 9>&-
	kill $server
	wait $load
	wait $server 2>/dev/null
	assertEquals "$(cat "$T/load")" 2 "$(value tickets <"$T/load")"
}

test_the_floor_is_measured() {
	cert "$T/key.pem" "$T/cert.pem" /CN=localhost
	bench-floor "$T/cert.pem" "$T/key.pem" 5 >"$T/floor"
	assertEquals 0 $?
	grep -Eqx 'server_ms=[0-9]+\.[0-9]{3} client_ms=[0-9]+\.[0-9]{3}' "$T/floor"
	code=$?
	assertEquals "two figures: $(cat "$T/floor")" 0 $code
	hash=$(openssl passwd -6 -salt 'rounds=1000$salt' wonderland)
	bench-floor "$T/cert.pem" "$T/key.pem" 5 wonderland 4096 "$hash" >"$T/floor"
	grep -Eqx 'server_ms=[0-9.]+ client_ms=[0-9.]+ pbkdf2_ms=[0-9]+\.[0-9]{3} crypt_ms=[0-9]+\.[0-9]{3}' "$T/floor"
	code=$?
	assertEquals "four figures: $(cat "$T/floor")" 0 $code
	bench-floor "$T/cert.pem" "$T/key.pem" 5 wrong 4096 "$hash" >"$T/floor" 2>"$T/err"
	assertEquals "a wrong password is no check" 111 $?
}

test_the_work_on_a_header_is_measured() {
	bench-header >"$T/header"
	assertEquals 'no header is changed or refused' 0 $?
	grep -Eqx 'header_us=[0-9]+\.[0-9]{2}' "$T/header"
	code=$?
	assertEquals "a figure: $(cat "$T/header")" 0 $code
}

# The value in the row of a server and in the column of that name (one of two names), in BENCH.md.
# usage: figure server column [column]
figure() {
	awk -v server="$1" -v one="$2" -v two="${3:-}" '
		$2 == "server" {
			column = 0
			n = split($0, name, / *[|] */)
			for (i = 2; i < n && !column; i++)
				if (name[i] == one || (two != "" && name[i] == two))
					column = i
		}
		column && $2 == server { split($0, cell, / *[|] */); print cell[column]; exit }' "$ROOT/BENCH.md"
}

test_the_readme_has_the_figures_of_the_bench() {
	tr '\n' ' ' <"$ROOT/README.md" >"$T/readme"
	for server in ours-exec ours-resident ours-inline postfix-proxy; do
		ms=$(figure $server 'a ms' 'a CPU ms')
		assertContains "$server: a message of shape a" "$(cat "$T/readme")" "${ms:-nothing} ms"
	done
	for server in ours-exec ours-resident ours-inline; do
		kib=$(figure $server 'KiB later' 'd KiB')
		assertContains "$server: a connection of shape d" "$(cat "$T/readme")" "${kib:-nothing} KiB"
	done
}

# What one message becomes, and with what, is said in the page. -q: so few sessions that no figure means anything.
test_the_page_says_what_our_chain_does_to_a_message() {
	"$ROOT/tests/bench/run" -q -o "$T/page" -r 1 -s "a a2" ours-inline >"$T/out" 2>"$T/err"
	code=$?
	assertEquals "$(cat "$T/err")" 0 $code
	grep '^| ours-inline | Rec' "$T/page" >"$T/row"
	echo '| ours-inline | Received | nothing | Received, Date, Message-ID | Bcc | as it was | SIZE |' >"$T/expected"
	assert_same "what it does" "$T/expected" "$T/row"
	assertContains "$(cat "$T/page")" \
		'Every server negotiated TLSv1.3, TLS_AES_256_GCM_SHA384 and X25519, and sent no session ticket.'
	assertContains "the command" "$(cat "$T/page")" "with 1 repeats on"
	assertEquals "CPU of a and a2" 1 "$(grep -Ec '^\| ours-inline +\|( +[0-9.]+ \| +0 \| +- \|){2}$' "$T/page")"
}

test_another_tree_is_measured_beside_this_one() {
	mkdir -p "$T/other/examples"
	ln -s "$ROOT/examples/quickstart" "$T/other/examples/quickstart"
	ln -s "$(dirname "$(command -v tlsd)")" "$T/other/bin"
	"$ROOT/tests/bench/run" -q -b "$T/other" -r 1 -s a ours-inline ours-inline-base >"$T/page" 2>"$T/err"
	code=$?
	assertEquals "$(cat "$T/err")" 0 $code
	assertEquals "both have a row" 2 "$(grep -Ec '^\| ours-inline(-base)? +\| +[0-9.]+ \| +0 \| +- \|$' "$T/page")"
	grep -Eq '^ours-inline against ours-inline-base .*: a [0-9]+\.[0-9]{2}$' "$T/page"
	code=$?
	assertEquals "the ratio: $(cat "$T/page")" 0 $code
	assertEquals "the tree is the other one" 1 "$("$ROOT/tests/bench/run" -o - ours-inline-base 2>&1 |
		grep -c 'SKIPPED: ours-inline-base: there is no other tree (run -b)')"
}

# The same words, the same log; msa-log understands all of it.
test_the_log_of_a_busy_hour_is_one() {
	for option in '' -i -s -t; do
		# shellcheck disable=SC2086
		bench-log $option 300 >"$T/hour"
		assertEquals "$option: sessions" 300 "$(grep -c 'tlsd.* done ' "$T/hour")"
		# shellcheck disable=SC2086
		bench-log $option 300 | cmp - "$T/hour"
		assertEquals "$option: the same" 0 $?
		TZ=UTC msa-log report "$T/hour" >"$T/out"
		assertEquals "$option" "$(wc -l <"$T/hour") lines" "$(sed -n 2p "$T/out")"
	done
	"$ROOT/tests/bench/log_speed" 50 >"$T/out" 2>&1
	assertEquals "$(cat "$T/out")" 18 "$(grep -c ' lines/s$' "$T/out")"
}

test_misuse_ends_with_100() {
	for command in "bench-load" "bench-load 0" "bench-load -s 0 25" "bench-load -z 10 25" "bench-sink" "bench-sink -x 1" \
		"bench-floor" "bench-keep" "bench-log" "bench-log 0" "bench-log -x 1"; do
		$command >/dev/null 2>&1
		assertEquals "$command" 100 $?
	done
}

. "$SHUNIT2"
