#!/bin/sh
# limit -d redis:...: counts that several machines share in a server of Redis. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	program_lines next 'cat >/dev/null' "echo '250 2.0.0 taken'"
	chain_message 'Subject: x\r\n\r\nbody\r\n'
	redis=
}

oneTimeTearDown() {
	[ -z "$redis" ] || kill "$redis" 2>/dev/null
}

setUp() {
	cd "$T" || exit 1
	rcpts_of 1
	user=alice@example.net ip=
	! redis_answers || redis FLUSHALL >/dev/null
}

tearDown() {
	resident_stop_all
}

# A server of this test alone, at the socket $T/redis and a port.
redis_start() {
	[ -z "$redis" ] || return 0
	redis_port=$(port_free)
	redis-server --port "$redis_port" --bind 127.0.0.1 --unixsocket "$T/redis" --save '' --appendonly no --dir "$T" \
		>"$T/redis.log" 2>&1 &
	redis=$!
	wait_until redis_answers
}

redis() {
	redis-cli -s "$T/redis" "$@"
}

redis_answers() {
	[ -S "$T/redis" ] && [ "$(redis PING 2>/dev/null)" = PONG ]
}

# The envelope of so many recipients. usage: rcpts_of n
rcpts_of() {
	# shellcheck disable=SC2046
	chain_envelope '<alice@example.net>' $(seq -f 'RCPT_TO:<bob%g@example.org>' "$1" | tr '\n' ' ')
	sed -i 's/_TO/ TO/' "$T/env"
}

# A message of $user, or of $ip, to so many recipients. usage: message n option ...
message() {
	rcpts_of "$1"
	shift
	chain_call SMTPAUTHUSER="$user" TCPREMOTEIP="$ip" limit "$@" "$T/next"
}

# usage: assert_message what answer n option ...
assert_message() {
	what=$1 answer=$2
	shift 2
	message "$@"
	assertEquals "$what: $(cat "$T/log")" "$answer" "$(head -n 1 "$T/verdict")"
}

test_it_counts_as_in_a_directory_and_for_everybody_who_has_the_server() {
	needs redis-server || return 0
	redis_start
	assert_message 'three of five' '250 2.0.0 taken' 3 -d "redis:$T/redis" -r 5/100000
	assertEquals 'the log' 'limit: S/M done who=alice@example.net rcpts=3' "$(cat "$T/log")"
	user=ALICE@example.net
	assert_message 'another machine, the name in capitals' '250 2.0.0 taken' 2 -d "redis:127.0.0.1:$redis_port" -r 5/100000
	user=alice@example.net
	message 2 -d "redis:$T/redis" -r 5/100000
	seconds=$(sed -n 's/^451 4.7.1 Over 5 recipients in 100000 s, try again in \([0-9]*\) s$/\1/p' "$T/verdict")
	assertTrue "how long: $(cat "$T/verdict")" "[ ${seconds:-0} -gt 39000 ] && [ ${seconds:-0} -le 40001 ]"
	assertEquals 111 "$code"
	assert_message 'never' '550 5.7.1 More recipients than the 5 in 100000 s that you may send to' 6 -d "redis:$T/redis" -r 5/100000
	assertEquals 100 "$code"
	user=bob@example.net
	assert_message 'another user' '250 2.0.0 taken' 5 -d "redis:$T/redis" -r 5/100000
	user='' ip=2001:db8::1
	assert_message 'a peer' '250 2.0.0 taken' 5 -d "redis:$T/redis" -r 5/100000
	ip=2001:db8::2
	assertEquals 'its network' '451' "$(message 1 -d "redis:$T/redis" -r 5/100000; cut -c 1-3 "$T/verdict" | head -n 1)"
	redis KEYS '*' | sort >"$T/got"
	assert_got 'the keys' <<-'E2'
		limit:=2001%3Adb8%3A%3A%2F64
		limit:alice@example.net
		limit:bob@example.net
	E2
}

test_a_message_must_keep_all_rates_and_is_counted_in_all_or_none() {
	needs redis-server || return 0
	redis_start
	set -- -d "redis:$T/redis" -r 4/100000 -r 6/1000000
	assert_message first '250 2.0.0 taken' 4 "$@"
	redis HSET limit:alice@example.net 100000 "1000 $(date +%s)000" >/dev/null
	assertEquals 'the second rate' '451 4.7.1 Over 6 recipients in 1000000 s' \
		"$(message 3 "$@"; sed -n '1s/,.*//p' "$T/verdict")"
	assertEquals 'nothing is counted' 1000 "$(redis HGET limit:alice@example.net 100000 | cut -d ' ' -f 1)"
	assert_message 'both' '250 2.0.0 taken' 2 "$@"
	limit -q "redis:$T/redis" -r 4/100000 -r 6/1000000 alice@example.net >"$T/got"
	assertEquals 'may send' 1 $?
	sed -i 's/in [0-9]* s$/in N s/' "$T/got"
	assert_got 'the counts' <<-'E2'
		alice@example.net: 3 of 4 recipients used in N s
		alice@example.net: 6 of 6 recipients used in N s
		alice@example.net: may send to another recipient in N s
	E2
}

# What is kept is of a time ago, so nothing has to be waited for.
test_a_count_fades_and_what_has_faded_is_forgotten() {
	needs redis-server || return 0
	redis_start
	now=$(date +%s)
	redis HSET limit:alice@example.net 100000 "10000 $((now - 50000))000" 7 "5000 $((now - 8))000" junk x 90000 "1 x" >/dev/null
	limit -q "redis:$T/redis" -r 10/100000 alice@example.net >"$T/got"
	assertEquals 0 $?
	echo 'alice@example.net: 5 of 10 recipients used in 100000 s' | assert_got 'half of it is gone'
	assert_message 'the rest' '250 2.0.0 taken' 5 -d "redis:$T/redis" -r 10/100000
	assertEquals 'no other field is left' 100000 "$(redis HKEYS limit:alice@example.net)"
	ttl=$(redis TTL limit:alice@example.net)
	assertTrue "the key ends by itself: $ttl" "[ $ttl -gt 90000 ] && [ $ttl -le 100000 ]"
	redis HSET limit:alice@example.net 100000 "10000 $((now + 50000))000" >/dev/null
	limit -q "redis:$T/redis" -r 10/100000 alice@example.net >"$T/got"
	assertEquals 'of a clock that was set back' 'alice@example.net: 10 of 10 recipients used in 100000 s' "$(sed -n 1p "$T/got")"
	redis HSET limit:alice@example.net 100000 "10000 $now""000" >/dev/null
	assertEquals 'of a rate that was higher' 'alice@example.net: 2 of 2 recipients used in 100000 s' \
		"$(limit -q "redis:$T/redis" -r 2/100000 alice@example.net | sed -n 1p)"
	for seconds in 1000 2000 3000 4000 5000 6000 7000 8000 9000 10000; do
		redis HSET limit:alice@example.net $seconds "1 $now""000" >/dev/null
	done
	assert_message 'many others, of which a few are shown' '250 2.0.0 taken' 1 -d "redis:$T/redis" -r 20/100000
}

test_n_counts_nothing() {
	needs redis-server || return 0
	redis_start
	assert_message 'a look' '250 2.0.0 taken' 3 -n -d "redis:$T/redis" -r 3/100000
	assertEquals 0 "$(redis EXISTS limit:alice@example.net)"
}

# Two nodes, residents with workers of their own, and messages from all sides at once.
test_not_one_recipient_is_over_the_limit_when_two_nodes_submit_at_once() {
	needs redis-server || return 0
	redis_start
	resident_start one limit -d "redis:$T/redis" -r 25/1000000 -P 4:4 "$T/next"
	resident_start two limit -d "redis:127.0.0.1:$redis_port" -r 25/1000000 -P 4:4 "$T/next"
	rcpts_of 1
	# shellcheck disable=SC2016
	seq 60 | MSA_SESSION=S MSA_MESSAGE=M MSA_RCPTS=1 SMTPAUTHUSER=alice@example.net xargs -P 12 -I N sh -c '
		case $(($1 % 2)) in 0) node=one ;; *) node=two ;; esac
		call "$T/$node" <"$T/msg" 3<"$T/env" >"$T/answer.$1" 2>/dev/null' sh N
	assertEquals 'taken' 25 "$(cat "$T"/answer.* | grep -c '^250 2.0.0 taken')"
	assertEquals 'refused' 35 "$(cat "$T"/answer.* | grep -c '^451 4.7.1 Over 25 recipients')"
	for node in one two; do
		assertTrue "$node has counted" "grep -q ' done who=' '$T/$node.log'"
	done
	count=$(redis HGET limit:alice@example.net 1000000 | cut -d ' ' -f 1)
	assertTrue "what is kept: $count" "[ $count -gt 24900 ] && [ $count -le 25000 ]"
}

test_without_the_server_it_is_451_or_by_option_passes() {
	away=$(port_free)
	assert_message 'away' '451 4.3.0 Local error, try again later' 1 -d "redis:127.0.0.1:$away" -r 5/100
	assertEquals "limit: S/M failed to=127.0.0.1:$away reason=\"Connection refused\"" "$(cat "$T/log")"
	assertEquals 111 "$code"
	assert_message '-p' '250 2.0.0 taken' 1 -p -d "redis:127.0.0.1:$away" -r 5/100
	printf '%s\n' "limit: S/M failed to=127.0.0.1:$away reason=\"Connection refused\" passed=yes" \
		'limit: S/M done who=alice@example.net rcpts=1' >"$T/want"
	assert_same 'it says so' "$T/want" "$T/log"
	assert_message '-p, but never' '550 5.7.1 More recipients than the 5 in 100 s that you may send to' 6 -p -d "redis:127.0.0.1:$away" -r 5/100
	limit -q "redis:127.0.0.1:$away" -r 5/100 alice >"$T/got" 2>&1
	assertEquals 111 $?
	echo "limit: redis:127.0.0.1:$away: Connection refused" | assert_got '-q'
}

# A server that answers each connection with the next of these lines, printf formats; "-": never.
fake_server() {
	cat >"$T/answers"
	rm -f "$T/fake"
	python3 - "$T/fake" "$T/answers" <<-'END' &
		import signal, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.bind(sys.argv[1])
		s.listen()
		kept = []
		for line in open(sys.argv[2]):
		    c, _ = s.accept()
		    if line == '-\n':
		        kept.append(c)
		        continue
		    c.recv(65536)
		    c.sendall(line.rstrip('\n').encode().decode('unicode_escape').encode('latin-1'))
		    c.close()
		signal.pause()
	END
	fake=$!
	wait_until [ -S "$T/fake" ]
}

test_what_is_no_answer_counts_as_none() {
	head -c 5000 /dev/zero | tr '\0' 1 >"$T/long"
	fake_server <<-E2
		-NOSCRIPT no script for you "x"\r\n
		*6\r\n:0\r\n:0\r\n:5\r\n:100\r\n:1000\r\n:5\r\n
		+OK\r\n
		*2\r\n:0\r\n:0\r\n
		*3\r\n:0\r\n:0\r\n:5\r\n
		*6\r\n:2\r\n:0\r\n:5\r\n:100\r\n:1000\r\n:5\r\n
		*6\r\n:0\r\n:0\r\n:-5\r\n:100\r\n:1000\r\n:5\r\n
		*65\r\n
		*99999999999999999999\r\n
		\$5\r\nabcde\r\n
		*1\r\n\$1\r\n1\r\n
		:1\r\n
		*6\r\n:0\r\n:0
		*6\n:0\n
		HTTP/1.1 200 OK\r\n
		+$(cat "$T/long")
		\0\0\r\n
		-
	E2
	while IFS='|' read -r answer reason; do
		assert_message "$reason" "$answer" 1 -w 1 -d "redis:$T/fake" -r 5/100
		[ -z "$reason" ] ||
			assertEquals "limit: S/M failed to=$T/fake reason=\"$reason\"" "$(cat "$T/log")"
	done <<-'E2'
		451 4.3.0 Local error, try again later|NOSCRIPT no script for you \x22x\x22
		250 2.0.0 taken|
		451 4.3.0 Local error, try again later|not the reply of the script
		451 4.3.0 Local error, try again later|not the reply of the script
		451 4.3.0 Local error, try again later|not the reply of the script
		451 4.3.0 Local error, try again later|not the reply of the script
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|connection closed
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|not a reply of Redis
		451 4.3.0 Local error, try again later|no answer until the deadline
	E2
	kill "$fake" 2>/dev/null
	wait "$fake" 2>/dev/null
	return 0
}

test_a_password_is_read_from_a_file_that_is_private() {
	needs redis-server || return 0
	redis_start
	redis ACL SETUSER msa on '>wonderland' '~limit:*' +eval +time +hgetall +hset +hdel +pexpire >/dev/null
	printf 'msa\nwonderland\n' >"$T/login"
	chmod 600 "$T/login"
	assert_message 'a user and a password' '250 2.0.0 taken' 1 -a "$T/login" -d "redis:$T/redis" -r 5/100
	printf 'msa\nlooking-glass' >"$T/login"
	message 1 -a "$T/login" -d "redis:$T/redis" -r 5/100
	assertEquals "limit: S/M failed to=$T/redis reason=\"WRONGPASS invalid username-password pair or user is disabled.\"" \
		"$(cat "$T/log")"
	redis CONFIG SET requirepass secret >/dev/null
	message 1 -d "redis:$T/redis" -r 5/100
	assertEquals "limit: S/M failed to=$T/redis reason=\"NOAUTH Authentication required.\"" "$(cat "$T/log")"
	echo secret >"$T/login"
	assert_message 'a password' '250 2.0.0 taken' 1 -a "$T/login" -d "redis:$T/redis" -r 5/100
	redis -a secret --no-auth-warning CONFIG SET requirepass '' >/dev/null
	redis ACL DELUSER msa >/dev/null
	chmod 644 "$T/login"
	message 1 -a "$T/login" -d "redis:$T/redis" -r 5/100
	assertEquals "limit: $T/login: open to everybody" "$(cat "$T/log")"
	for text in '' '\n' 'a\nb\nc\n' 'a\n\n'; do
		# shellcheck disable=SC2059
		printf "$text" >"$T/login"
		chmod 600 "$T/login"
		message 1 -a "$T/login" -d "redis:$T/redis" -r 5/100
		assertEquals "limit: $T/login: neither a password nor a user and a password, each on a line of its own" \
			"$(cat "$T/log")"
	done
}

test_a_resident_reads_the_password_again() {
	needs redis-server || return 0
	redis_start
	redis ACL SETUSER msa on '>wonderland' '~limit:*' +@all >/dev/null
	printf 'msa\nlooking-glass\n' >"$T/login"
	chmod 600 "$T/login"
	resident_start shared limit -a "$T/login" -d "redis:$T/redis" -r 5/100 "$T/next"
	cp "$T/msg" "$T/message"
	cp "$T/env" "$T/envelope"
	chain_give SMTPAUTHUSER=a call "$T/shared"
	assertEquals '451 4.3.0 Local error, try again later' "$(head -n 1 "$T/verdict")"
	printf 'msa\nwonderland\n' >"$T/login"
	# shellcheck disable=SC2154
	kill -HUP "$shared_pid"
	wait_until grep -q 'limit: - reloaded' "$T/shared.log"
	chain_give SMTPAUTHUSER=a call "$T/shared"
	assertEquals '250 2.0.0 taken' "$(head -n 1 "$T/verdict")"
	: >"$T/login"
	kill -HUP "$shared_pid"
	wait_until grep -q 'limit: - kept' "$T/shared.log"
	chain_give SMTPAUTHUSER=a call "$T/shared"
	assertEquals 'the old one stays' '250 2.0.0 taken' "$(head -n 1 "$T/verdict")"
	redis ACL DELUSER msa >/dev/null
}

test_misuse() {
	mkdir -p "$T/counts"
	while IFS='|' read -r options why; do
		# shellcheck disable=SC2086
		chain_call limit $options "$T/next"
		assertEquals "$options" "limit: $why" "$(cat "$T/log")"
	done <<-E2
		-r 1/1 -d redis:|redis:: neither redis:host:port nor redis: and the path of a socket
		-r 1/1 -d redis:host|redis:host: neither redis:host:port nor redis: and the path of a socket
		-r 1/1 -p -d $T/counts|-p: only for counts that are shared
		-r 1/1 -a x -d $T/counts|-a: only for counts that are shared
	E2
	limit -q redis:127.0.0.1:1 -r 1/1 >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'limit: redis:127.0.0.1:1: of counts that are shared, one user'\''s can be printed' | assert_got '-q without a user'
}

test_msa_check_asks_the_server() {
	away=$(port_free)
	msa-check -m -n limit -d "redis:127.0.0.1:$away" -r 1/1 "$T/next" >"$T/got" 2>&1
	assertContains "$(cat "$T/got")" "error: limit: redis:127.0.0.1:$away: Connection refused; start the Redis server that listens there, or correct the address or the password"
	needs redis-server || return 0
	redis_start
	msa-check -m -n limit -d "redis:$T/redis" -r 1/1 "$T/next" >"$T/got" 2>&1
	assertNotContains "$(cat "$T/got")" 'error: limit'
}

test_mail_to_the_postmaster_passes_without_the_server() {
	for want in 250:postmaster@example.net 451:bob@example.net; do
		chain_envelope '<alice@example.net>' "RCPT TO:<${want#*:}>"
		chain_call SMTPAUTHUSER=alice@example.net limit -m example.net -d "redis:$T/gone" -r 3/100000 "$T/next"
		assertEquals "$want" "${want%:*}" "$(head -n 1 "$T/verdict" | cut -c 1-3)"
	done
}

test_a_password_is_counted_there_besides_its_user() {
	printf '%s\n' 'alice@example.net/phone 2/100000' | cdb -c -m -t "$T/rates.tmp" "$T/rates.cdb"
	gone="redis:$T/gone"
	chain_call SMTPAUTHUSER=alice@example.net SMTPAUTHLABEL=phone limit -p -d "$gone" -r 3/100000 -t "$T/rates.cdb" "$T/next"
	assertEquals "the server is asked once: $(cat "$T/log")" 1 "$(grep -c passed=yes "$T/log")"
	needs redis-server || return 0
	redis_start
	for want in 250 250 'Over 2'; do
		chain_call SMTPAUTHUSER=alice@example.net SMTPAUTHLABEL=phone limit -d "redis:$T/redis" -r 3/100000 -t "$T/rates.cdb" "$T/next"
		assertContains "$want" "$(head -n 1 "$T/verdict")" "$want"
	done
	assert_message 'without the password' '250 2.0.0 taken' 1 -d "redis:$T/redis" -r 3/100000 -t "$T/rates.cdb"
	message 1 -d "redis:$T/redis" -r 3/100000 -t "$T/rates.cdb"
	assertContains "$(head -n 1 "$T/verdict")" 'Over 3'
}

# shellcheck source=/dev/null
. "$SHUNIT2"
