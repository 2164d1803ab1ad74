#!/bin/sh
# verdict: every row of the table in chain(7) VERDICT. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_one_reply_or_one_each_is_taken_as_it_stands() {
	unit_table verdict <<-'END'
	1 exit0 250 2.0.0 Ok\n => 250 2.0.0 Ok () yes
	1 dot 250 2.0.0 Ok\r\n => 250 2.0.0 Ok () yes
	1 dot 250 2.0.0 Ok => 250 2.0.0 Ok () yes
	1 exit0 250\n => 250 () yes
	2 exit0 250 Ok\n => 250 Ok | 250 Ok () yes
	2 dot 250 Ok\n550 5.1.1 No\n => 250 Ok | 550 5.1.1 No () 550 mixed
	3 dot 450 4.2.0 Later\r\n => 450 4.2.0 Later | 450 4.2.0 Later | 450 4.2.0 Later () 450
	1 dot 250-2.0.0 One\r\n250 2.0.0 two\r\n => 250 2.0.0 One\ntwo () yes
	2 dot 250-One\n250 two\n550-5.1.1 a\n550 5.1.1 b\n => 250 One\ntwo | 550 5.1.1 a\nb () 550 mixed
	END
}

test_a_complete_verdict_that_is_none_is_451() {
	unit_table verdict <<-'END'
	1 exit0 => 451 4.3.0 Local error, try again later (no reply) 451
	1 dot => 451 4.3.0 Local error, try again later (no reply) 451
	2 exit0 => 451 4.3.0 Local error, try again later | 451 4.3.0 Local error, try again later (no reply) 451
	1 exit0 hello\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 exit0 250 Ok\nhello\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 exit0 hello\n250 Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 exit0 \n250 Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 exit0 250 Ok\n\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 exit0 250 Ok\n. => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 250-Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 250-Ok\n550 No\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 150 Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 650 Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 25 Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 2500 Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 250\0Ok\n => 451 4.3.0 Local error, try again later (a line that is no reply) 451
	1 dot 250 Ok\n250 Ok\n => 451 4.3.0 Local error, try again later (wrong number of replies) 451
	1 dot 550 No\n550 No\n550 No\n => 451 4.3.0 Local error, try again later (wrong number of replies) 451
	END
	e='451 4.3.0 Local error, try again later'
	unit_table verdict <<-END
	3 dot 250 Ok\\n250 Ok\\n => $e | $e | $e (wrong number of replies) 451
	2 dot 250 Ok\\n250 Ok\\n250 Ok\\n => $e | $e (wrong number of replies) 451
	2 dot 250 Ok\\n250-Ok\\n => $e | $e (a line that is no reply) 451
	END
}

test_exit_100_and_the_sysexits_like_it_refuse() {
	for code in 100 65 67 68 77; do
		unit_table verdict <<-END
		1 exit$code => 554 5.7.1 Refused () 554
		1 exit$code 550 5.7.0 No\\n => 550 5.7.0 No () 550
		1 exit$code 450 4.7.0 Not yet\\n => 450 4.7.0 Not yet () 450
		1 exit$code 550-5.7.0 No\\n550 5.7.0 never\\n => 550 5.7.0 No\\nnever () 550
		2 exit$code 550 5.7.0 No\\n => 550 5.7.0 No | 550 5.7.0 No () 550
		2 exit$code 450 a\\n550 b\\n => 450 a | 550 b () 450
		END
	done
	unit_table verdict <<-'END'
	1 exit100 250 Ok\n => 451 4.3.0 Local error, try again later (exit code refuses what a reply accepts) 451
	2 exit100 250 Ok\n550 No\n => 451 4.3.0 Local error, try again later | 550 No (exit code refuses what a reply accepts) 451
	1 exit100 garbage\n => 554 5.7.1 Refused (exit code refuses, with text that is no reply) 554
	3 exit100 550 a\n550 b\n => 550 a | 550 a | 550 a (exit code refuses, with a wrong number of replies) 550
	1 exit100 250 a\n450 b\n => 451 4.3.0 Local error, try again later (exit code refuses, with a wrong number of replies) 451
	3 exit100 250 a\n250 b\n => 451 4.3.0 Local error, try again later | 451 4.3.0 Local error, try again later | 451 4.3.0 Local error, try again later (exit code refuses, with a wrong number of replies) 451
	END
}

test_exit_111_is_later_unless_it_says_more() {
	unit_table verdict <<-'END'
	1 exit111 => 451 4.3.0 Local error, try again later (exit code says later, without a reply) 451
	1 exit111 550 5.7.0 No\n => 550 5.7.0 No () 550
	1 exit111 450 4.7.0 Not yet\n => 450 4.7.0 Not yet () 450
	1 exit111 250 Ok\n => 451 4.3.0 Local error, try again later (exit code refuses what a reply accepts) 451
	1 exit111 garbage\n => 451 4.3.0 Local error, try again later (exit code refuses, with text that is no reply) 451
	2 exit111 => 451 4.3.0 Local error, try again later | 451 4.3.0 Local error, try again later (exit code says later, without a reply) 451
	END
}

test_every_other_end_is_451_whatever_was_said() {
	for code in 1 2 64 66 69 70 75 78 99 101 110 112 255; do
		unit_table verdict <<-END
		1 exit$code 250 2.0.0 Ok\\n => 451 4.3.0 Local error, try again later (unexpected exit code) 451
		1 exit$code 550 5.7.0 No\\n => 451 4.3.0 Local error, try again later (unexpected exit code) 451
		1 exit$code => 451 4.3.0 Local error, try again later (unexpected exit code) 451
		END
	done
	unit_table verdict <<-'END'
	1 exit126 => 451 4.3.0 Local error, try again later (program could not be run) 451
	1 exit127 250 Ok\n => 451 4.3.0 Local error, try again later (program could not be run) 451
	1 signal 250 2.0.0 Ok\n => 451 4.3.0 Local error, try again later (ended by a signal) 451
	1 cut 250 2.0.0 Ok\n => 451 4.3.0 Local error, try again later (output ended without a closing dot) 451
	1 late 250 2.0.0 Ok\n => 451 4.4.7 No answer in time, try again later (deadline passed) 451
	2 signal 250 a\n550 b\n => 451 4.3.0 Local error, try again later | 451 4.3.0 Local error, try again later (ended by a signal) 451
	END
}

test_what_speaks_of_our_session_is_translated() {
	unit_table verdict <<-'END'
	1 dot 421 4.3.2 Closing\n => 451 4.3.0 The next server said: 421 4.3.2 Closing () 451
	1 dot 354 Go on\n => 451 4.3.0 The next server said: 354 Go on () 451
	1 dot 300\n => 451 4.3.0 The next server said: 300  () 451
	1 dot 500 5.5.1 What\n => 554 5.3.0 The next server said: 500 5.5.1 What () 554
	1 dot 503 Order\n => 554 5.3.0 The next server said: 503 Order () 554
	1 dot 521 No mail\n => 554 5.3.0 The next server said: 521 No mail () 554
	1 dot 530 5.7.0 Login\n => 554 5.3.0 The next server said: 530 5.7.0 Login () 554
	1 dot 535-5.7.8 a\n535 5.7.8 b\n => 554 5.3.0 The next server said: 535 5.7.8 a\nb () 554
	1 dot 550 5.1.1 a\n => 550 5.1.1 a () 550
	1 dot 520 a\n => 520 a () 520
	1 dot 522 a\n => 522 a () 522
	1 dot 540 a\n => 540 a () 540
	1 dot 554 5.6.0 a\n => 554 5.6.0 a () 554
	1 dot 420 a\n => 420 a () 420
	1 dot 450 a\n => 450 a () 450
	1 dot 251 2.1.5 a\n => 251 2.1.5 a () yes
	1 exit100 421 4.3.2 Closing\n => 451 4.3.0 The next server said: 421 4.3.2 Closing () 451
	1 exit100 354 Go on\n => 451 4.3.0 The next server said: 354 Go on () 451
	1 exit100 530 5.7.0 Login\n => 554 5.3.0 The next server said: 530 5.7.0 Login () 554
	END
}

test_the_client_hears_the_first_4yz_else_the_first_5yz() {
	unit_table verdict <<-'END'
	3 dot 250 a\n250 b\n250 c\n => 250 a | 250 b | 250 c () yes
	3 dot 550 a\n450 b\n451 c\n => 550 a | 450 b | 451 c () 450
	3 dot 550 a\n551 b\n552 c\n => 550 a | 551 b | 552 c () 550
	3 dot 250 a\n551 b\n450 c\n => 250 a | 551 b | 450 c () 450 mixed
	3 dot 451 a\n450 b\n250 c\n => 451 a | 450 b | 250 c () 451 mixed
	END
}

test_octets_that_may_not_stand_in_a_reply_are_replaced() {
	unit_table verdict <<-'END'
	1 dot 550 a\x01b\0c\xc3\xa9\rd\n => 550 a?b?c???d () 550
	1 dot 550 tab\tstays\n => 550 tab\x09stays () 550
	END
}

test_a_verdict_is_written_with_its_closing_dot() {
	printf '250 2.0.0 Ok\\r\\n\n' >"$T/input"
	printf '250 2.0.0 Ok\r\n.\r\n' >"$T/want"
	test-unit verdict write <"$T/input" >"$T/got"
	assert_same 'with a dot' "$T/want" "$T/got"
	assertTrue 'cmp' "cmp $T/want $T/got"
	test-unit verdict write <"$T/input" >/dev/full
	assertEquals 'a full disk is an error' 1 $?
}

. "$SHUNIT2"
