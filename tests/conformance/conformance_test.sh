#!/bin/sh
# The conformance report: our server hears no "no", broken servers hear one from every test, and a yes needs a test.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

REPORT=$ROOT/tests/conformance/report

# The tests that said so to the server that wrote this. usage: said verdict file
said() {
	sed -n "s/^$1: \([a-z0-9_]*\) (RFC .*/\1/p" "$2" | sort -u
}

test_our_server_hears_no_no() {
	"$REPORT/run" ours >"$T/out" 2>&1
	code=$?
	assertEquals "$(grep -A 20 '^no: ' "$T/out")" 0 "$code"
	assertEquals "" "$(said no "$T/out")"
	yes=$(sed -n 's/^tests: \([0-9]*\) yes, 0 no, .*/\1/p' "$T/out")
	assertTrue "many tests: $yes" "[ '${yes:-0}' -ge 135 ]"
}

# In short: what passes through every stage, by DATA and by BDAT, and what a worker that serves many might mix up.
# usage: in_short server
in_short() {
	"$REPORT/run" -n "ehlo_at_any_time_resets,what_was_said_before_tls_is_forgotten,a_second_auth_is_503,mail_without_auth_is_530,\
unknown_parameters_are_555,a_whole_transaction_in_one_packet,a_whole_bdat_transaction_in_one_packet,date_is_added,\
date_is_added_by_bdat,a_complete_message_arrives_byte_for_byte,a_complete_message_arrives_byte_for_byte_by_bdat,\
too_big_is_552_after_the_true_end,too_big_is_552_after_the_true_end_by_bdat,bare_cr_lf_and_nul_in_the_data_are_refused,\
bare_cr_lf_and_nul_in_the_data_are_refused_by_bdat,illegal_header_addresses_are_554,illegal_header_addresses_are_554_by_bdat,\
received_says_esmtpsa_under_implicit_tls,received_says_esmtpsa_under_implicit_tls_by_bdat,\
a_recipient_refused_behind_is_never_lost,a_recipient_refused_behind_is_never_lost_by_bdat,\
prdr_gives_each_recipient_its_own_reply,prdr_gives_each_recipient_its_own_reply_by_bdat,quit_is_221_and_a_clean_end" \
		"$1" >"$T/out" 2>&1
	code=$?
	assertEquals "$(grep -A 20 '^no: ' "$T/out")" 0 "$code"
	assertEquals "" "$(said no "$T/out")"
	assertEquals "all of them" "tests: 24 yes, 0 no, 0 n/a" "$(tail -n 1 "$T/out")"
}

test_our_resident_server_hears_no_no() {
	in_short resident
}

test_nor_does_one_whose_stages_share_a_process() {
	in_short inline
}

test_every_test_says_no_to_a_broken_server() {
	"$REPORT/run" lenient >"$T/out" 2>&1 &
	lenient=$!
	"$REPORT/run" refusing >"$T/refusing" 2>&1
	code=$?
	assertEquals "$(tail -n 3 "$T/refusing")" 0 "$code"
	wait "$lenient"
	code=$?
	assertEquals "$(tail -n 3 "$T/out")" 0 "$code"
	cat "$T/refusing" >>"$T/out"
	said no "$T/out" >"$T/no"
	# What a silent server hears (below), and what takes two minutes.
	printf '%s\n' starttls_is_220_and_tls_begins every_answer_within_two_minutes every_answer_within_two_minutes_by_bdat \
		>"$T/others"
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$REPORT python3 -c 'import tests; print("\n".join(x[0] for x in tests.ALL))' |
		grep -v -x -f "$T/others" | sort -u >"$T/all"
	comm -23 "$T/all" "$T/no" >"$T/missing"
	assertEquals "never said no" "" "$(cat "$T/missing")"
	assertTrue "many tests" "[ $(wc -l <"$T/all") -ge 135 ]"
	assertEquals "a test stumbled" "" "$(grep 'the test stumbles' "$T/out")"
	assertContains "the dialogue is shown" "$(grep -A 30 '^no: mail_without_auth_is_530' "$T/out")" "C: MAIL FROM:<"
	assertEquals "no password in a dialogue" "" "$(grep -E 'wonderland|AHdvbmRlcmxhbmQ|x3b25kZXJsYW5k' "$T/out")"
}

test_a_silent_server_is_a_no_and_no_hang() {
	start=$(date +%s)
	"$REPORT/run" -n starttls_is_220_and_tls_begins,ehlo_at_any_time_resets,code_521_is_never_sent silent >"$T/out" 2>&1
	assertTrue "it took $(($(date +%s) - start)) s" "[ $(($(date +%s) - start)) -le 60 ]"
	assertEquals "code_521_is_never_sent
ehlo_at_any_time_resets
starttls_is_220_and_tls_begins" "$(said no "$T/out")"
}

test_a_clause_without_a_test_is_never_yes() {
	mkdir "$T/tree"
	cp -r "$ROOT/tests" "$T/tree"
	cat >"$T/ask" <<-'END'
		import os, sys
		sys.argv[0] = os.path.join(sys.argv[1], 'run')
		__file__ = sys.argv[0]
		__name__ = 'run'
		exec(open(__file__).read())
		print('names: ' + '; '.join(check_names()))
		ran = {n: dict(test=n, section='', verdict='yes', why='', lines=[]) for n, _, _, _ in report.tests.ALL}
		for kind, c in report.clauses():
		    if kind == 'clause' and not c['wire'] and not c['proved']:
		        if 'yes' in (report.judge(c, ran, True)[0], report.judge(c, ran, False)[0]):
		            print('yes without a test: ' + c['id'])
		    if kind == 'clause' and c['wire'] and report.judge(c, {}, False)[0] != 'not tested':
		        print('yes without a run: ' + c['id'])
		    if kind == 'clause' and c['wire'] and report.judge(c, dict(ran, **{c['wire'][0]: dict(ran[c['wire'][0]], verdict='no')}), True)[0] != 'no':
		        print('a no is not heard: ' + c['id'])
	END
	assertEquals "names: " "$(python3 "$T/ask" "$T/tree/tests/conformance/report" 2>&1)"
	clauses=$T/tree/tests/conformance/report/clauses
	echo 'Z1 | 1 | anything | - | session/submitd:there_is_no_such_test | yes: it surely does' >>"$clauses"
	echo 'Z2 | 1 | anything | - | - | yes: it surely does' >>"$clauses"
	assertEquals "names: Z1: tests/session/submitd_test.sh has no test_there_is_no_such_test" \
		"$(python3 "$T/ask" "$T/tree/tests/conformance/report" 2>&1)"
	echo 'Z3 | 1 | anything | no_such_test | - |' >>"$clauses"
	assertContains "$(python3 "$T/ask" "$T/tree/tests/conformance/report" 2>&1)" "Z3: no such test: no_such_test"
}

test_the_program_listens_and_asks_by_itself() {
	: >"$T/ready"
	sink=$(port_free)
	port=$(port_free)
	echo wonderland | "$REPORT/report" -l "127.0.0.1:$sink" -w 20 -o "$T/json" -n date_is_added,mail_without_auth_is_530 \
		127.0.0.1 "$port" alice@example.net - >"$T/out" 2>&1 &
	report=$!
	wait_until env LMTP="127.0.0.1:$sink" lmtp-inject -k "127.0.0.1:$sink" >/dev/null 2>&1
	LMTP=127.0.0.1:$sink SUBMISSION_PORT=$port SUBMISSIONS_PORT=0 "$ROOT/examples/quickstart/run" >"$T/ready" 2>"$T/log" &
	service=$!
	wait "$report"
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	kill "$service"
	wait "$service" 2>/dev/null
	assertContains "$(tail -n 1 "$T/out")" "tests: 2 yes, 0 no, 0 n/a"
	assertContains "$(cat "$T/json")" '"test": "date_is_added"'
	"$REPORT/report" one two 2>"$T/usage"
	assertEquals "misuse" 100 $?
}

# shellcheck disable=SC1090
. "$SHUNIT2"
