#!/bin/sh
# submitd and authd: limits of a session, of lines, and what the site refuses. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"

# One text, by DATA or BDAT, with a command after it; $T/answer is what follows the reply to RCPT, without the 354.
# usage: submit DATA|BDAT text submitd's options
submit() {
	[ "$1" = DATA ] && said="DATA\\r\\n$2.\\r\\n" || said="BDAT $(dialogue_octets "$2") LAST\\r\\n$2"
	shift 2
	dialogue_submit submitd "$@" "$SINK" <<-E2
		> EHLO x
		> MAIL FROM:<a@example.org>${BODY:-}
		> RCPT TO:<b@example.net>
		>> ${said}NOOP\r\n
		> QUIT
		<<
	E2
	sed -e '1,/^250 [A-Z0-9]*$/d' "$T/out" | sed '/^250 2.1/d; /^354/d; /^221/,$d' >"$T/answer"
}

is_accepted() {
	printf '%s\n' '250 2.0.0 Ok, message ID' '250 2.0.0 Ok' >"$T/want"
	assert_same "$1" "$T/want" "$T/answer"
}

is_refused() {
	printf '%s\n' "$2" '250 2.0.0 Ok' >"$T/want"
	assert_same "$1" "$T/want" "$T/answer"
	assertFalse "$1: nothing was delivered" "[ -e $T/message ]"
}

test_without_a_limit_lines_are_as_long_as_they_like() {
	long=$(printf '%05000d' 0)
	for how in DATA BDAT; do
		submit $how "$long\\r\\n"
		is_accepted "$how"
	done
}

# RFC 5321 4.5.3.1.6: with CRLF, without the dot that was stuffed.
test_a_line_over_the_limit_is_554_after_the_true_end() {
	x=$(printf '%0998d' 0)
	for how in DATA BDAT; do
		submit $how "a\\r\\n$x\\r\\nb\\r\\n" -L 1000
		is_accepted "$how 1000"
		submit $how "a\\r\\n${x}x\\r\\nb\\r\\n" -L 1000
		is_refused "$how 1001" '554 5.6.0 Line too long in the message'
		submit $how "${x}x\\r\\n" -L 1000
		is_refused "$how the first" '554 5.6.0 Line too long in the message'
	done
	submit DATA "..${x#?}\\r\\n" -L 1000
	is_accepted 'a stuffed dot does not count'
	submit DATA ".$x\\r\\n" -L 1000
	is_accepted 'a stuffed dot does not count'
	submit BDAT "${x}x" -L 1000
	is_refused 'the last one, for its CRLF' '554 5.6.0 Line too long in the message'
	submit DATA "$x$x\\n\\r\\n" -L 1000
	is_refused 'a bare LF counts first' '554 5.6.0 Bare CR, bare LF or NUL in the message'
	BODY=' BODY=BINARYMIME' MSA_EHLO=8BITMIME,BINARYMIME submit BDAT "$x$x$x" -L 1000
	is_accepted 'binary data has no lines'
}

test_a_last_line_by_bdat_gets_its_crlf() {
	for text in a 'a\r\nb' '.' 'a\r\n.'; do
		submit BDAT "$text"
		is_accepted "$text"
		python3 -c 'import sys; open(sys.argv[2], "wb").write((sys.argv[1] + "\\r\\n").encode().decode("unicode_escape").encode())' \
			"$text" "$T/want"
		assert_same "$text" "$T/want" "$T/message"
	done
	for text in '' 'a\r\n'; do
		submit BDAT "$text"
		is_accepted "$text"
		assertEquals "$text: as it is" "$(dialogue_octets "$text")" "$(wc -c <"$T/message")"
	done
	submit BDAT 'a\r'
	is_refused 'a CR is no end' '554 5.6.0 Bare CR, bare LF or NUL in the message'
	BODY=' BODY=BINARYMIME' MSA_EHLO=8BITMIME,BINARYMIME submit BDAT 'a'
	is_accepted 'binary data'
	assertEquals 'stays as it is' 1 "$(wc -c <"$T/message")"
	# the last chunk may be empty, or alone have text
	dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		>> BDAT 3\r\na\r\nBDAT 1\r\nbBDAT 0 LAST\r\n
		> QUIT
		<<
	E2
	assertEquals 'an empty last chunk' 1 "$(grep -c '^250 2.0.0 Ok, message ID' "$T/out")"
	printf 'a\r\nb\r\n' >"$T/want"
	assert_same 'an empty last chunk' "$T/want" "$T/message"
}

# The message contract says that lines end with CRLF, and filter holds everybody to it.
test_such_a_message_passes_a_filter() {
	dialogue_submit submitd filter cat "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		>> BDAT 13 LAST\r\nSubject: x\r\ny
		> QUIT
		<<
	E2
	assertEquals 'accepted' 1 "$(grep -c '^250 2.0.0 Ok, message ID' "$T/out")"
}

test_a_bare_lf_becomes_crlf_where_the_site_says_so() {
	submit DATA 'Subject: x\n\na\r\nb\n\r\n' -b
	is_accepted 'mended'
	printf 'Subject: x\r\n\r\na\r\nb\r\n\r\n' >"$T/want"
	assert_same 'mended' "$T/want" "$T/message"
	submit BDAT 'a\nb\r\n' -b
	is_refused 'by DATA only' '554 5.6.0 Bare CR, bare LF or NUL in the message'
	for bad in 'a\rb\n\r\n' 'a\n\0\r\n' '\n\r\r\n' 'a\n\r.\r\n\r\n'; do
		submit DATA "$bad" -b
		is_refused "$bad" '554 5.6.0 Bare CR, bare LF or NUL in the message'
	done
}

# Whatever looks like an end to somebody else is text, and a lone dot of it is stuffed again on its way.
test_a_mended_message_still_ends_with_crlf_dot_crlf_alone() {
	smuggled='MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nSubject: smuggled\r\n'
	while IFS='|' read -r text dots; do
		submit DATA "a$text$smuggled" -b
		is_accepted "$text"
		assertEquals "$text: in one message" 1 "$(grep -c ' accepted ' "$T/log")"
		assertEquals "$text: it is text" 1 "$(grep -c '^Subject: smuggled' "$T/message")"
		assertEquals "$text: every LF has its CR" 0 "$(tr -d '\n' <"$T/message" | tr '\r' '\n' | wc -l |
			awk -v n="$(wc -l <"$T/message")" '{ print $1 - n }')"
		assertEquals "$text: lone dots" "$dots" "$(tr -d '\r' <"$T/message" | grep -cx '\.')"
	done <<-'E2'
		\n.\n|1
		\n.\r\n|1
		\r\n.\n|0
		\n\n.\n\n|1
		\n.\n.\r\n|2
		\r\n..\n|1
		\n..\n|0
		\n..\r\n|0
	E2
	# and so it goes over DATA to the next server
	dialogue_submit submitd -b sh -c 'stuffed=$(tr -d "\r" | sed "s/^\./../"); printf "%s\n" "$stuffed" >"$T/wire"; echo 250 ok' <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		>> a\n.\nb\r\n.\r\n
		> QUIT
		<<
	E2
	printf 'a\n..\nb\n' >"$T/want"
	assert_same 'stuffed' "$T/want" "$T/wire"
}

test_limits_are_those_that_hold() {
	for stage in "submitd $SINK" "authd -p -u $T/users.cdb submitd $SINK"; do
		[ -e "$T/users.cdb" ] || printf 'pencil\n' | msa-passwd "$T/users.cdb" bob
		for max in '' 0 999999; do
			want="RCPTMAX=1000${max:+ MAILMAX=$max}"
			# shellcheck disable=SC2086
			printf '%s\n' '<' '> EHLO x' '<' '> QUIT' '<<' | MSA_MAILMAX=$max talk $stage >"$T/out"
			assertTrue "$max $stage" "grep -qx '250-LIMITS ${want% MAILMAX=0}' $T/out"
		done
	done
}

test_beyond_mailmax_the_session_ends() {
	MSA_MAILMAX=2 dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		> .
		> MAIL FROM:<nonsense>
		> RSET
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		<<
	E2
	sed -i '1,/^250 CHUNKING/d' "$T/out"
	assert_out 'the third MAIL, whatever became of the others' <<-'E2'
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		250 2.0.0 Ok, message ID
		501 5.1.7 Bad sender address syntax
		250 2.0.0 Ok
		421 4.7.0 Too many messages in one session, closing the connection
		EOF
		exit 0
	E2
	assertTrue 'log' "grep -q 'rejected verb=MAIL code=421 reason=\"Too many messages' $T/log"
}

test_variables_that_cannot_be_understood_serve_nobody() {
	printf 'pencil\n' | msa-passwd "$T/bob.cdb" bob
	for wrong in MSA_MAILMAX=x MSA_MAILMAX=-1 MSA_MAILMAX=1000000 'MSA_SOLICIT=1net.example' 'MSA_SOLICIT=net.example:A!' \
		"MSA_SOLICIT=net.example:$(printf '%0500d' 0)" DATABYTES=10M; do
		for stage in "submitd true" "authd -u $T/bob.cdb true"; do
			# shellcheck disable=SC2086
			assertEquals "$wrong $stage" '421 4.3.0 Local trouble, closing the connection|EOF|' \
				"$(echo '<<' | env "$wrong" talk $stage 2>"$T/log" | tr '\n' '|')"
			assertTrue "$wrong $stage: $(cat "$T/log")" "grep -q 'misuse reason=\"${wrong%%=*} is invalid' $T/log"
		done
	done
}

# A prober that only says NOOP and the like. usage: probe command program ...
probe() {
	{
		printf 'EHLO x\r\n'
		yes "$1" | head -n 1100 | sed 's/$/\r/'
	} >"$T/commands"
	printf '%s\n' "file $T/commands" '<<' >"$T/script"
	shift
	dialogue_hold "$@" <"$T/script"
}

test_commands_without_a_message_have_an_end() {
	for command in NOOP RSET 'VRFY x' HELP 'EHLO x'; do
		probe "$command" submitd "$SINK"
		assertEquals "$command" '421 4.7.0 Too many commands without a message, closing the connection' \
			"$(tail -n 3 "$T/out" | head -n 1)"
		assertTrue "$command: log" "grep -q ' ended reason=\"too many commands without a message\"' $T/log"
	done
	assertEquals 'a thousand, and the one that is too many' 1001 "$(grep -c '^250 2.0.0 Ok\|^250 CHUNKING' "$T/out")"
	printf 'pencil\n' | msa-passwd "$T/bob2.cdb" bob
	for command in NOOP 'EHLO x'; do
		probe "$command" authd -u "$T/bob2.cdb" true
		assertEquals "authd: $command" '421 4.7.0 Too many commands without a message, closing the connection' \
			"$(tail -n 3 "$T/out" | head -n 1)"
		assertTrue "authd: $command: log" "grep -q ' too-many-commands ' $T/log"
	done
}

# What is refused with 4yz, or takes a chunk without an octet, is no error and not idle: it has an end all the same.
test_commands_of_any_kind_have_an_end() {
	while IFS='|' read -r command reply count; do
		{
			printf 'EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n'
			yes "$command" | head -n 100100 | sed 's/$/\r/'
		} | RELAYCLIENT='' submitd "$SINK" >"$T/out" 2>"$T/log"
		assertEquals "$command" '421 4.7.0 Too many commands without a message, closing the connection' \
			"$(tail -n 1 "$T/out" | tr -d '\r')"
		assertEquals "$command: as many as are allowed, and one" "$count" "$(grep -c "^$reply" "$T/out")"
		assertTrue "$command: log: $(cat "$T/log")" "grep -q ' ended reason=\"too many commands without a message\"' $T/log"
	done <<-'END'
		BDAT 0|250 2.0.0 0 octets|99998
		RCPT TO:<b@example.net>|250 2.1.5|99999
	END
}

test_a_message_begins_the_count_anew() {
	{
		echo 'EHLO x'
		for i in 1 2 3; do
			yes NOOP | head -n 700
			printf '%s\n' 'MAIL FROM:<a@example.org>' 'RCPT TO:<b@example.net>' DATA "$i" .
		done
		echo QUIT
	} | sed 's/$/\r/' >"$T/commands"
	printf '%s\n' "file $T/commands" '<<' >"$T/script"
	dialogue_submit submitd "$SINK" <"$T/script"
	assertEquals 'messages' 3 "$(grep -c '^250 2.0.0 Ok, message ID' "$T/out")"
	assertEquals 'and its own end' '221 2.0.0 Bye' "$(tail -n 3 "$T/out" | head -n 1)"
}

. "$SHUNIT2"
