#!/bin/sh
# lineio: lines, replies and deadlines. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# usage: from escapes args-of-lineio... <expected ; the octets come through a file, at once
from() {
	# shellcheck disable=SC2059 # the escapes are the point
	printf "$1" >"$T/input"
	shift
	unit_gives lineio "$@"
}

# usage: talked [talk's options --] args-of-lineio... ; the script is $T/script, expected is standard input
talked() {
	cat >"$T/want"
	talk "$@" <"$T/script" >"$T/got" 2>&1
	assert_same "talk $*" "$T/want" "$T/got"
}

test_only_crlf_ends_a_line() {
	from 'NOOP\r\nRSET \r\n\r\nQUIT\r\n' <<-'END'
	OK NOOP
	OK RSET 
	OK 
	OK QUIT
	EOF
	END
}

test_a_bare_lf_is_bad_and_takes_what_came_with_it() {
	from 'NOOP\nRSET\r\nQUIT\r\n' <<-'END'
	BAD
	OK QUIT
	EOF
	END
	from '\nNOOP\r\nQUIT\r\n' <<-'END'
	BAD
	OK QUIT
	EOF
	END
	from 'A\nB\nC\n' <<-'END'
	BAD
	EOF
	END
	from '\n' <<-'END'
	BAD
	EOF
	END
	from 'A\n\r\nB\r\n' <<-'END'
	BAD
	OK B
	EOF
	END
}

test_a_bare_cr_or_a_nul_is_bad() {
	from 'NO\rOP\r\nNO\0OP\r\nNOOP\r\r\n\r\r\nQUIT\r\n' <<-'END'
	BAD
	BAD
	BAD
	BAD
	OK QUIT
	EOF
	END
	from 'A\rB\nC\r\nQUIT\r\n' <<-'END'
	BAD
	OK QUIT
	EOF
	END
	from '\0\r\n' <<-'END'
	BAD
	EOF
	END
}

test_an_unfinished_line_is_dropped_at_the_end() {
	from 'NOOP\r\nQUIT' <<-'END'
	OK NOOP
	EOF
	END
	from 'QUIT\r' <<-'END'
	EOF
	END
	from '' <<-'END'
	EOF
	END
}

test_the_limit_holds_to_the_octet() {
	from "$(text_repeat 508 a)b\\r\\n$(text_repeat 510 a)\\r\\n$(text_repeat 511 a)\\r\\nQUIT\\r\\n" -m 512 <<-'END'
	OK 509 octets
	OK 510 octets
	LONG
	OK QUIT
	EOF
	END
	from "$(text_repeat 65534 a)\\r\\n$(text_repeat 65535 a)\\r\\n$(text_repeat 65536 a)\\r\\nQUIT\\r\\n" -m 65536 <<-'END'
	OK 65534 octets
	LONG
	LONG
	OK QUIT
	EOF
	END
	from 'a\r\n\r\nab\r\n' -m 3 <<-'END'
	OK a
	OK 
	LONG
	EOF
	END
}

test_ten_megabytes_on_a_line_take_no_memory() {
	{
		head -c 10485760 /dev/zero | tr '\0' x
		printf '\r\nQUIT\r\n'
	} >"$T/long"
	test-unit lineio -q <"$T/long" >"$T/got"
	assertEquals 'LONG OK EOF' "$(tr '\n' ' ' <"$T/got" | sed 's/ $//')"
}

# All cuts of a line between two reads, on a socket and on a pipe, exact or not, around the limit.
test_a_line_may_be_cut_anywhere() {
	cat >"$T/cuts.py" <<-'END'
	import os, socket, subprocess, time
	bad = 0
	for mode in ('', '-e'):
	    for pipe in (False, True):
	        for text, want in (('ab', 'OK ab'), ('abcd', 'OK abcd'), ('abcde', 'LONG'), ('abcdefghijkl', 'LONG'),
	                           ('abcde\r', 'LONG'), ('ab\rcdefghi', 'LONG'), ('a\rb', 'BAD')):
	            data = (text + '\r\nQUIT\r\n').encode()
	            for cut in range(1, len(text) + 2):
	                if pipe: r, w = os.pipe()
	                else: a, b = socket.socketpair(); r, w = a.fileno(), b.fileno()
	                p = subprocess.Popen(['test-unit', 'lineio', '-m', '6'] + mode.split(), stdin=r,
	                                     stdout=subprocess.PIPE, text=True)
	                os.write(w, data[:cut])
	                time.sleep(0.008)
	                os.write(w, data[cut:])
	                if pipe: os.close(w); os.close(r)
	                else: b.shutdown(socket.SHUT_WR); a.close()
	                got = p.communicate()[0].splitlines()
	                if not pipe: b.close()
	                if got != [want, 'OK QUIT', 'EOF']:
	                    print(mode, 'pipe' if pipe else 'socket', repr(text), 'cut at', cut, got)
	                    bad = 1
	raise SystemExit(bad)
	END
	sed 's/^	//' "$T/cuts.py" >"$T/cuts"
	python3 "$T/cuts"
	assertTrue 'every cut' $?
}

# After one exact line all else is still there for the next stage.
test_exact_leaves_what_is_behind_the_line() {
	cat >"$T/script" <<-'END'
	>> AUTH PLAIN x\r\nMAIL FROM:<a@b>\r\nRCPT
	END
	talked sh -c "sleep 0.1; exec test-unit lineio -e -n 1 -r >$T/out 2>&1" </dev/null
	assertEquals 'socket' 'OK AUTH PLAIN x,rest MAIL FROM:<a@b>\r\nRCPT,' "$(tr '\n' ',' <"$T/out")"
	# shellcheck disable=SC2016
	printf 'AUTH PLAIN x\r\nMAIL FROM:<a@b>\r\nRCPT' | test-unit lineio -e -n 1 -r >"$T/out" 2>&1
	assertEquals 'pipe' 'OK AUTH PLAIN x,rest MAIL FROM:<a@b>\r\nRCPT,' "$(tr '\n' ',' <"$T/out")"
}

test_exact_takes_an_overlong_line_and_no_more() {
	printf '>> %s\\r\\nMAIL\n' "$(text_repeat 20000 y)" >"$T/script"
	talked sh -c "sleep 0.1; exec test-unit lineio -e -n 1 -r >$T/out 2>&1" </dev/null
	assertEquals 'socket' 'LONG,rest MAIL,' "$(tr '\n' ',' <"$T/out")"
	{
		text_repeat 20000 y
		printf '\r\nMAIL'
	} | test-unit lineio -e -n 1 -r >"$T/out" 2>&1
	assertEquals 'pipe' 'LONG,rest MAIL,' "$(tr '\n' ',' <"$T/out")"
}

# What arrived with a bare LF, up to the next CRLF, must not become a command, whatever the reads were.
test_exact_takes_all_that_came_with_a_bare_lf() {
	printf '%s\n' '>> RSET\nMAIL FROM:<a@b>\r\nQUIT\r\n' >"$T/script"
	talked sh -c "sleep 0.1; exec test-unit lineio -e -n 2 -r >$T/out 2>&1" </dev/null
	assertEquals 'socket' 'BAD,OK QUIT,' "$(tr '\n' ',' <"$T/out")"
	printf 'RSET\nMAIL FROM:<a@b>\r\nQUIT\r\n' | {
		sleep 0.1
		test-unit lineio -e -n 2 -r
	} >"$T/out" 2>&1
	assertEquals 'pipe' 'BAD,OK QUIT,' "$(tr '\n' ',' <"$T/out")"
}

test_a_bare_lf_takes_what_came_with_it_beyond_one_read() {
	{
		printf 'RSET\n'
		text_repeat 20000 y
		printf '\r\nQUIT\r\n'
	} >"$T/input"
	unit_gives lineio <<-'END'
	BAD
	OK QUIT
	EOF
	END
}

test_replies_leave_together_and_only_before_a_wait() {
	from 'A\r\nB\r\nC\r\n' -c -a -n 3 <<-'END'
	OK A
	OK B
	OK C
	held 18
	END
	from 'A\r\nB\r\nC\r\n' -c -a <<-'END'
	OK A
	OK B
	OK C
	EOF
	held 0
	sent re A\r\nre B\r\nre C\r\n
	END
	{
		printf 'A\r\nB\r\n'
		sleep 2 # until A and B are answered
		printf 'C\r\n'
	} | test-unit lineio -c -a >"$T/out"
	assertEquals 'OK A,OK B,OK C,EOF,held 0,sent re A\r\nre B\r\n,sent re C\r\n,' "$(tr '\n' ',' <"$T/out")"
}

test_an_octet_now_and_then_does_not_move_the_deadline() {
	{
		for c in $(seq 100); do # the reader's end ends this
			printf %s "$c"
			sleep 0.1
		done
	} | test-unit lineio -w 400 >"$T/out"
	assertEquals 'TIMEOUT' "$(cat "$T/out")"
}

# A line that never ends and always has more to read.
test_a_flood_without_end_of_line_meets_the_deadline() {
	timeout 60 test-unit lineio -w 300 </dev/zero >"$T/out"
	assertEquals 'TIMEOUT' "$(cat "$T/out")"
}

test_the_sessions_deadline_ends_complete_lines_too() {
	yes "$(printf 'NOOP\r')" | timeout 60 test-unit lineio -d 300 >"$T/out"
	assertEquals 'TIMEOUT' "$(tail -n 1 "$T/out")"
}

test_the_sessions_deadline_ends_a_wait() {
	mkfifo "$T/silent"
	sleep 600 >"$T/silent" &
	pid=$!
	timeout 60 test-unit lineio -w 3600000 -d 200 <"$T/silent" >"$T/out"
	assertEquals 'TIMEOUT' "$(cat "$T/out")"
	kill $pid
	wait $pid 2>/dev/null
	rm "$T/silent"
}

test_a_peer_that_never_reads_is_given_up() {
	echo 'sleep 3' >"$T/script"
	talked sh -c "exec test-unit lineio -w 300 -f 4000000 >$T/out 2>&1" </dev/null
	assertEquals 'socket' 'write -1 Connection timed out in time' "$(cat "$T/out")"
	mkfifo "$T/fifo"
	# shellcheck disable=SC2217 # it only holds the fifo open
	sleep 60 <"$T/fifo" &
	pid=$!
	test-unit lineio -w 300 -f 4000000 0>"$T/fifo" >"$T/out" 2>&1
	assertEquals 'pipe' 'write -1 Connection timed out in time' "$(cat "$T/out")"
	kill $pid
	wait $pid 2>/dev/null
	assertTrue 0
}

test_a_slow_reader_gets_everything() {
	mkfifo "$T/slow"
	{
		sleep 0.2
		cat
	} <"$T/slow" | wc -c >"$T/count" &
	test-unit lineio -w 20000 -f 400000 0>"$T/slow" >"$T/out" 2>&1
	wait $!
	assertEquals 'write 0  in time' "$(cat "$T/out")"
	assertEquals 400000 "$(tr -d ' ' <"$T/count")"
}

# A chunk that is not wanted, with what comes behind it or without its end.
test_what_is_skipped_is_neither_more_nor_less() {
	from 'BDAT 5\r\nNO\nOPRSET\r\nQUIT\r\n' -s 5 <<-'END'
	OK BDAT 5
	skipped OK
	OK RSET
	OK QUIT
	EOF
	END
	from 'BDAT 3\r\nab' -s 3 <<-'END'
	OK BDAT 3
	skipped EOF
	EOF
	END
}

. "$SHUNIT2"
