#!/bin/sh
# The conformance report: our server says no only where the list of clauses expects it, broken servers hear a no from every
# test, and an answer needs every test that it rests on. What ours say is kept for scripts/check, which compares
# CONFORMANCE.md with it.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

REPORT=$ROOT/tests/conformance/report

# All tests of ours, some of which wait for more than a minute: meanwhile the others are asked.
oneTimeSetUp() {
	keep=
	[ -n "${MSA_BIN:-}" ] || keep="-k $ROOT/bin/conformance"
	# shellcheck disable=SC2086
	"$REPORT/run" --slow $keep ours >"$T/all.out" 2>&1 &
	all=$!
}

# The tests that said so to the server that wrote this. usage: said verdict file
said() {
	sed -n "s/^$1: \([a-z0-9_]*\) (RFC .*/\1/p" "$2" | sort -u
}

# The report's modules, in Python: the script is standard input. Prints what it prints, and what goes wrong. usage: ask [directory]
ask() {
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=${1:-$REPORT} python3 - 2>&1
}

# In short: what passes through every stage, by DATA and by BDAT, and what a worker that serves many might mix up.
# usage: in_short server
in_short() {
	# shellcheck disable=SC2086
	"$REPORT/run" -n "ehlo_at_any_time_resets,what_was_said_before_tls_is_forgotten,a_second_auth_is_503,mail_without_auth_is_530,\
unknown_parameters_are_555,a_whole_transaction_in_one_packet,a_whole_bdat_transaction_in_one_packet,date_is_added,\
date_is_added_by_bdat,a_complete_message_arrives_byte_for_byte,a_complete_message_arrives_byte_for_byte_by_bdat,\
too_big_is_552_after_the_true_end,too_big_is_552_after_the_true_end_by_bdat,bare_cr_lf_and_nul_in_the_data_are_refused,\
bare_cr_lf_and_nul_in_the_data_are_refused_by_bdat,illegal_header_addresses_are_554,illegal_header_addresses_are_554_by_bdat,\
received_says_esmtpsa_under_implicit_tls,received_says_esmtpsa_under_implicit_tls_by_bdat,\
a_recipient_refused_behind_is_never_lost,a_recipient_refused_behind_is_never_lost_by_bdat,\
prdr_gives_each_recipient_its_own_reply,prdr_gives_each_recipient_its_own_reply_by_bdat,quit_is_221_and_a_clean_end" \
		$keep "$1" >"$T/out" 2>&1
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
	echo 'import tests; print(*(x[0] for x in tests.ALL), sep=chr(10))' | ask |
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

# Every clause: its answer stands while all of its tests say what they must, and falls with each of them.
test_an_answer_needs_every_test_that_it_rests_on() {
	ask >"$T/out" <<-'END'
		import clauselist, page
		clauses = clauselist.read()
		print('wrong: ' + '; '.join(page.wrong_list(clauses)))
		many = 0
		for c in (c for kind, c in clauses if kind == 'clause'):
		    wire = {n: dict(verdict='no' if n in c['expected'] else 'yes', why='') for n in c['wire']}
		    suite = {n: 'passed' for n in c['suite']}
		    def becomes(answer, wire=wire, suite=suite):
		        global many
		        many += 1
		        if page.judge(c, wire, suite)[0] != answer:
		            print(c['id'], page.judge(c, wire, suite), 'not', answer)
		    becomes(c['answer'])
		    for n in suite:
		        becomes('not shown', suite=dict(suite, **{n: 'skipped'}))
		        becomes('not shown', suite=dict(suite, **{n: 'failed'}))
		        becomes('not shown', suite={k: v for k, v in suite.items() if k != n})
		    for n in wire:
		        becomes('not shown', wire=dict(wire, **{n: dict(verdict='n/a', why='')}))
		        becomes('not shown', wire={k: v for k, v in wire.items() if k != n})
		        becomes('not shown' if n in c['expected'] else 'no',
		                wire=dict(wire, **{n: dict(verdict='yes' if n in c['expected'] else 'no', why='')}))
		print(many > 1000)
	END
	assertEquals "wrong:
True" "$(sed 's/ *$//' "$T/out")"
}

test_the_worst_of_several_modes_counts() {
	assertEquals "['n/a', 'n/a', 'no', 'no', 'yes']" "$(ask <<-'END'
		import page
		merged = [page.merge([dict(t=dict(verdict=a)), dict(t=dict(verdict=b))])['t']['verdict']
		          for a, b in (('yes', 'n/a'), ('n/a', 'yes'), ('n/a', 'no'), ('no', 'yes'), ('yes', 'yes'))]
		print(merged)
	END
	)"
}

# usage: wrong_with line-of-clauses ; what is wrong with the list if it has this line too
wrong_with() {
	cp "$REPORT"/*.py "$REPORT/clauses" "$T/report"
	echo "$1" >>"$T/report/clauses"
	echo "import clauselist, page; page.ROOT = '$ROOT'; print(*page.wrong_list(clauselist.read()), sep='; ')" | ask "$T/report"
}

test_a_list_that_claims_too_much_is_wrong() {
	mkdir -p "$T/report"
	while IFS='>' read -r line wrong; do
		assertEquals "$line" "$wrong" "$(wrong_with "$line")"
	done <<-'END'
		Z1 | 1 | anything | - | unit/verb:others_are_unknown |>
		Z1 | 1 | anything | - | unit/verb:no_such_test |>Z1: tests/unit/verb_test.sh has no test_no_such_test
		Z1 | 1 | anything | - | unit/none:others_are_unknown |>Z1: tests/unit/none_test.sh has no test_others_are_unknown
		Z1 | 1 | anything | - | - | surely>Z1: "yes" without a test
		Z1 | 1 | anything | - | - | by option: surely>Z1: "by option" without a test
		Z1 | 1 | anything | - | - | no:>Z1: "no" without a remark
		Z1 | 1 | anything | !date_is_added | - |>Z1: "yes", and a no is expected
		A1 | 1 | anything | date_is_added | - |>A1 stands twice
	END
	assertContains "$(wrong_with 'Z1 | 1 | anything | no_such_test | - |')" "Z1: no such test: no_such_test"
}

# What the suite said of another tree, and what was skipped or failed once, is not what it says of this one.
test_only_what_the_suite_says_of_this_tree_counts() {
	mkdir -p "$T/bin"
	key=$("$ROOT/tests/tools/tree-key")
	printf '%s tests/unit/verb_test.sh test_%s\n' "$key passed" others_are_unknown "$key skipped" every_verb_is_known_in_any_case \
		"$key failed" space_around_the_argument_goes "$key passed" space_around_the_argument_goes \
		"0123456789abcdef passed" the_chunk_that_bdat_announces >"$T/bin/outcomes"
	assertEquals "unit/verb:every_verb_is_known_in_any_case skipped
unit/verb:others_are_unknown passed
unit/verb:space_around_the_argument_goes failed" "$(ask <<-END
		import page
		page.OUTCOMES = '$T/bin/outcomes'
		tests = ('others_are_unknown', 'every_verb_is_known_in_any_case', 'space_around_the_argument_goes', 'the_chunk_that_bdat_announces')
		for x in sorted(page.outcomes([('clause', dict(suite=['unit/verb:' + t for t in tests]))]).items()): print(*x)
	END
	)"
}

test_the_page_is_compared_with_what_the_code_says() {
	ask >"$T/out" <<-END
		import clauselist, page
		clauses = clauselist.read()
		wire = {n: dict(test=n, section='', verdict='no' if n in clauselist.expected(clauses) else 'yes', why='') for kind, c in clauses if kind == 'clause'
		        for n in c['wire']}
		suite = {n: 'passed' for n in page.named(clauses)}
		path = '$T/page.md'
		def write(text):
		    with open(path, 'w') as f: f.write(text)
		def differ(what, suite=suite, wire=wire):
		    print(what, [line[:6] for line in page.differences(path, clauses, dict(ours=wire), suite)])
		text = page.markdown(clauses, dict(ours=wire), suite)[0]
		write(text)
		differ('the same')
		write(page.markdown(clauses, dict(ours=wire, postfix=wire), suite)[0].replace('Version', 'Version 9.9'))
		differ('another Postfix')
		write(text.replace('| A1 | 3848 1 SMTP after HELO', '| A1 | 3848 1 SMTP always'))
		differ('a word')
		write(text)
		skipped = dict(suite, **{'unit/fqdn:two_labels_or_a_literal_are_qualified': 'skipped'})
		differ('skipped here', skipped)
		differ('failed here', dict(skipped, **{'unit/fqdn:two_labels_or_a_literal_are_qualified': 'failed'}))
		write(text.replace('| S2 |', '| S2 | x'))
		differ('skipped here, and a word', skipped)
	END
	assertEquals "the same []
another Postfix []
a word ['- | A1', '+ | A1']
D10 is not compared: unit/fqdn:two_labels_or_a_literal_are_qualified was skipped
skipped here []
failed here ['- | D1', '- Clau', '+ | D1', '+ Clau']
D10 is not compared: unit/fqdn:two_labels_or_a_literal_are_qualified was skipped
skipped here, and a word ['- | S2', '+ | S2']" "$(cat "$T/out")"
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

# The last, for what began in oneTimeSetUp.
test_our_server_says_no_where_the_list_expects_it_and_nowhere_else() {
	wait "$all"
	code=$?
	assertEquals "$(grep -A 20 -e '^no: ' -e '^run: ' "$T/all.out")" 0 "$code"
	echo 'import clauselist; print(*sorted(clauselist.expected(clauselist.read())), sep=chr(10))' | ask >"$T/want"
	said no "$T/all.out" >"$T/got"
	assert_same 'the noes' "$T/want" "$T/got"
	yes=$(sed -n 's/^tests: \([0-9]*\) yes, [0-9]* no, 0 n.a$/\1/p' "$T/all.out")
	assertTrue "many tests, none of them not applicable: $yes" "[ '${yes:-0}' -ge 160 ]"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
