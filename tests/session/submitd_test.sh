#!/bin/sh
# submitd: the dialogue, from greeting to QUIT. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"

test_usage_is_the_pages_synopsis() {
	submitd >"$T/out" 2>&1
	assertEquals 100 $?
	echo 'usage: submitd [-b] [-D table] [-d locked] [-e errors] [-L octets] [-r check] [-S seconds] [-T tlds] [-t seconds] [-w seconds] [-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user] prog [arg ...]' >"$T/want"
	assert_same usage "$T/want" "$T/out"
	{
		printf 'usage: '
		mandoc -T ascii "$ROOT/cmd/submitd/submitd.8" | col -bx | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
			sed '1d;$d' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
		echo
	} >"$T/page"
	assert_same 'SYNOPSIS' "$T/want" "$T/page"
}

test_a_wrong_option_is_misuse() {
	for option in -x '-e 0' '-e 1x' '-L 0' '-S -1' '-t 7201' '-w 99999999999999999999' '-w' '-e 1'; do
		next=true
		[ "$option" != '-e 1' ] || next=
		# shellcheck disable=SC2086
		submitd $option $next </dev/null >"$T/out" 2>"$T/log"
		assertEquals "$option" 100 $?
		assertFalse "$option: nothing was said to a peer" "[ -s $T/out ]"
		case $option in
		-t\ *) assertEquals "submitd: $option: not a number from 1 to 7200" "$(cat "$T/log")" ;;
		-[eLStw]\ 1) assertTrue "$option: usage" "grep -q '^usage: submitd ' $T/log" ;;
		-[eLStw]\ *) assertEquals "submitd: $option: not a number from 1 to" "$(sed 's/ to [0-9]*$/ to/' "$T/log")" ;;
		-w) assertEquals 'submitd: -w true: not a number from 1 to 86400' "$(cat "$T/log")" ;;
		*) assertTrue "$option: usage" "grep -q '^usage: submitd ' $T/log" ;;
		esac
	done
}

test_the_next_programs_options_are_its_own() {
	program_make options <<-'E2'
		#!/bin/sh
		echo "250 $*"
		echo "$*" >"$T/arguments"
	E2
	dialogue_verdict "$T/options" -w x -t
	assertEquals '-w x -t' "$(cat "$T/arguments")"
}

test_greeting_ehlo_and_quit() {
	dialogue_hold submitd "$SINK" <<-'E2'
		<
		> EHLO client.example
		<
		> quit
		<<
	E2
	assert_out 'the keywords that need no next hop' <<-'E2'
		220 mx.test ESMTP
		250-mx.test
		250-PIPELINING
		250-SIZE
		250-8BITMIME
		250-ENHANCEDSTATUSCODES
		250-PRDR
		250-LIMITS RCPTMAX=1000
		250 CHUNKING
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_the_same_over_two_pipes() {
	dialogue_hold -p submitd "$SINK" <<-'E2'
		<
		> HELO client.example
		<
		> QUIT
		<<
	E2
	assert_out 'HELO' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_ehlo_lists_what_the_next_hop_offers_and_the_size_limit() {
	MSA_EHLO='8BITMIME,DSN,SMTPUTF8,SIZE 5000,STARTTLS,AUTH PLAIN,X-UNKNOWN,BINARYMIME,DELIVERBY 60' DATABYTES=4000 \
		dialogue_hold submitd "$SINK" <<-'E2'
		<
		> EHLO client.example
		<
	E2
	assert_out 'EHLO' <<-'E2'
		220 mx.test ESMTP
		250-mx.test
		250-PIPELINING
		250-SIZE 4000
		250-8BITMIME
		250-ENHANCEDSTATUSCODES
		250-PRDR
		250-LIMITS RCPTMAX=1000
		250-CHUNKING
		250-BINARYMIME
		250-DSN
		250-SMTPUTF8
		250 DELIVERBY 60
		exit 0
	E2
}

test_an_ehlo_argument_is_never_a_reason() {
	long=$(printf '%0505d' 0)
	{
		echo '<'
		for arg in localhost '[192.0.2.1]' '[IPv6:::1]' 192.0.2.1 under_score -x- . 'two words' "$long"; do
			echo "> EHLO $arg"
			echo "> HELO $arg"
		done
		printf '%s\n' '>> EHLO \xe4\xff\xc3\r\n' '>> HELO \x01\x7f\x80\r\n' '> QUIT' '<<'
	} | dialogue_hold submitd "$SINK"
	assertEquals 'EHLO replies' 10 "$(grep -c '^250 CHUNKING' "$T/out")"
	assertEquals 'HELO replies' 10 "$(grep -c '^250 mx.test' "$T/out")"
	assertEquals 'no other' 0 "$(grep -c '^[345]' "$T/out")"
}

test_the_facts_of_helo_are_clean_text() {
	program_make facts <<-'E2'
		#!/bin/sh
		env | grep '^MSA_' | grep -v MSA_BIN | sort >"$T/facts"
		echo 250 ok
	E2
	dialogue_submit submitd "$T/facts" <<-'E2'
		>> EHLO a$(id)`x`\xe4\x01;b\r\n
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> RCPT TO:<c@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	sed -i 's/^MSA_MESSAGE=[0-9a-z]\{14\}$/MSA_MESSAGE=ID/; s/^MSA_DEADLINE=[0-9]\{10\}$/MSA_DEADLINE=TIME/' "$T/facts"
	cat >"$T/want" <<-'E2'
		MSA_DEADLINE=TIME
		MSA_HELO=a??id??x????b
		MSA_HOST=mx.test
		MSA_MESSAGE=ID
		MSA_RCPTS=2
		MSA_SESSION=session
		MSA_VERB=EHLO
	E2
	assert_same 'facts' "$T/want" "$T/facts"
}

# Each verb, with and without an argument, in each state. The table: command, then its reply in START, READY, MAIL, RCPT
# and CHUNKS, by number: a column less than five repeats the last one.
test_every_verb_in_every_state() {
	cat >"$T/verbs" <<-'E2'
		EHLO|501 Argument missing
		HELO|501 Argument missing
		LHLO|500 Command not recognized
		LHLO x|500 Command not recognized
		MAIL|501 5.5.4 Argument missing
		MAIL FROM:<a@example.org>|503 5.5.1 Bad sequence of commands|250 2.1.0 Sender ok|503 5.5.1 Bad sequence of commands
		MAIL x|503 5.5.1 Bad sequence of commands|501 5.5.4 Syntax error in argument|503 5.5.1 Bad sequence of commands
		RCPT|501 5.5.4 Argument missing
		RCPT TO:<b@example.net>|503 5.5.1 Bad sequence of commands|503 5.5.1 Bad sequence of commands|250 2.1.5 Recipient ok|250 2.1.5 Recipient ok|503 5.5.1 Bad sequence of commands
		RCPT x|503 5.5.1 Bad sequence of commands|503 5.5.1 Bad sequence of commands|501 5.5.4 Syntax error in argument|501 5.5.4 Syntax error in argument|503 5.5.1 Bad sequence of commands
		DATA|503 5.5.1 Bad sequence of commands|503 5.5.1 Bad sequence of commands|554 5.5.1 No valid recipients|skip|503 5.5.1 Bad sequence of commands
		DATA x|501 5.5.4 No argument allowed
		BDAT 0|503 5.5.1 Bad sequence of commands|503 5.5.1 Bad sequence of commands|554 5.5.1 No valid recipients|250 2.0.0 0 octets received|250 2.0.0 0 octets received
		BDAT 0 LAST|503 5.5.1 Bad sequence of commands|503 5.5.1 Bad sequence of commands|554 5.5.1 No valid recipients|250 2.0.0 Ok, message ID
		RSET|250 2.0.0 Ok
		RSET x|501 5.5.4 No argument allowed
		NOOP|250 2.0.0 Ok
		NOOP x|250 2.0.0 Ok
		VRFY|501 5.5.4 Argument missing
		VRFY postmaster|252 2.5.0 Cannot verify, but will accept the message and attempt delivery
		HELP|214 2.0.0 See RFC 6409 and RFC 5321
		HELP MAIL|214 2.0.0 See RFC 6409 and RFC 5321
		EXPN|502 5.5.1 Command not implemented
		EXPN list|502 5.5.1 Command not implemented
		ETRN|502 5.5.1 Command not implemented
		ETRN x|502 5.5.1 Command not implemented
		ATRN|502 5.5.1 Command not implemented
		ATRN x|502 5.5.1 Command not implemented
		TURN|502 5.5.1 Command not implemented
		BURL x|502 5.5.1 Command not implemented
		AUTH PLAIN|502 5.5.1 Command not implemented
		AUTH|501 5.5.4 Argument missing
		STARTTLS|502 5.5.1 Command not implemented
		STARTTLS x|501 5.5.4 No argument allowed
		QUIT x|501 5.5.4 No argument allowed
		XYZZY|500 5.5.2 Command not recognized
		XYZZY x|500 5.5.2 Command not recognized
		NOOPX|500 5.5.2 Command not recognized
		|500 5.5.2 Command not recognized
	E2
	state=0
	for setup in '' R RM RMC RMCB; do
		state=$((state + 1))
		echo '<' >"$T/script"
		echo '220 mx.test ESMTP' >"$T/want"
		[ $state -eq 1 ] || {
			echo '> HELO x' >>"$T/script"
			echo '250 mx.test' >>"$T/want"
		}
		while IFS='|' read -r command r1 r2 r3 r4 r5; do
			: "${r2:=$r1}" "${r3:=$r2}" "${r4:=$r3}" "${r5:=$r4}"
			reply=
			eval "reply=\$r$state"
			[ "$reply" = skip ] && continue
			case $setup in R*)
				echo '> RSET' >>"$T/script"
				echo '250 2.0.0 Ok' >>"$T/want"
				;;
			esac
			case $setup in RM*)
				echo '> MAIL FROM:<s@example.org>' >>"$T/script"
				echo '250 2.1.0 Sender ok' >>"$T/want"
				;;
			esac
			case $setup in RMC*)
				echo '> RCPT TO:<r@example.net>' >>"$T/script"
				echo '250 2.1.5 Recipient ok' >>"$T/want"
				;;
			esac
			case $setup in RMCB)
				printf '%s\n' '> BDAT 0' >>"$T/script"
				echo '250 2.0.0 0 octets received' >>"$T/want"
				;;
			esac
			echo "> $command" >>"$T/script"
			echo "$reply" >>"$T/want"
		done <"$T/verbs"
		printf '%s\n' '> QUIT' '<<' >>"$T/script"
		printf '%s\n' '221 2.0.0 Bye' EOF 'exit 0' >>"$T/want"
		dialogue_submit submitd -e 1000 "$SINK" <"$T/script"
		assert_same "state $state ($setup)" "$T/want" "$T/out"
	done
}

test_verbs_have_no_case_and_spaces_at_the_end_do_not_matter() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> hElO x
		>> nOOp  \r\n
		>> mail from:<a@example.org> \r\n
		>> rCPT To:<b@example.net>\r\n
		>> data \r\n
		> .
		>>  NOOP\r\n
		> Quit
		<<
	E2
	assert_out 'replies' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		250 2.0.0 Ok
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		250 2.0.0 Ok, message ID
		500 5.5.2 Command not recognized
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_mail_is_refused_without_user_or_relayclient() {
	for user in unset '' ; do
		[ "$user" = unset ] || export SMTPAUTHUSER="$user"
		dialogue_hold submitd "$SINK" <<-'E2'
			> EHLO x
			> MAIL FROM:<a@example.org>
			> MAIL FROM:nonsense
			> RCPT TO:<b@example.net>
			> QUIT
			<<
		E2
		unset SMTPAUTHUSER
		sed -i '/^250/d' "$T/out"
		assert_out 'closed' <<-'E2'
			220 mx.test ESMTP
			530 5.7.0 Authentication required
			530 5.7.0 Authentication required
			503 5.5.1 Bad sequence of commands
			221 2.0.0 Bye
			EOF
			exit 0
		E2
	done
}

# RFC 6409 3.2: the null reverse-path is no fault, but somebody or some address must be there to turn to.
test_a_null_reverse_path_needs_a_user_or_an_address() {
	for who in 'RELAYCLIENT=' 'RELAYCLIENT= TCPREMOTEIP=192.0.2.1' SMTPAUTHUSER=alice; do
		# shellcheck disable=SC2086
		dialogue_hold env -u RELAYCLIENT -u SMTPAUTHUSER -u TCPREMOTEIP $who submitd "$SINK" <<-'E2'
			> HELO x
			> MAIL FROM:<>
			> RSET
			> MAIL FROM:<a@example.org>
			> RCPT TO:<b@example.net>
			> QUIT
			<<
		E2
		null='250 2.1.0 Sender ok'
		[ "$who" != 'RELAYCLIENT=' ] || null='550 5.1.8 No return path'
		assert_out "$who" <<-E2
			220 mx.test ESMTP
			250 mx.test
			$null
			250 2.0.0 Ok
			250 2.1.0 Sender ok
			250 2.1.5 Recipient ok
			221 2.0.0 Bye
			EOF
			exit 0
		E2
	done
}

test_a_user_may_submit_and_hears_503_to_a_second_auth_and_to_starttls_in_tls() {
	SMTPAUTHUSER=alice SMTPAUTHMETHOD=PLAIN SSL_PROTOCOL=TLSv1.3 dialogue_hold submitd "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> AUTH PLAIN AGEAYg==
		> STARTTLS
		> RCPT TO:<b@example.net>
		> QUIT
		<<
	E2
	assert_out 'replies' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		250 2.1.0 Sender ok
		503 5.5.1 Bad sequence of commands
		503 5.5.1 Bad sequence of commands
		250 2.1.5 Recipient ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_started_behind_ehlo_it_does_not_greet_and_is_in_that_state() {
	MSA_VERB=EHLO MSA_HELO=client.example dialogue_submit submitd "$SINK" <<-'E2'
		> MAIL FROM:<a@example.org> SIZE=5
		> QUIT
		<<
	E2
	assert_out 'EHLO' <<-'E2'
		250 2.1.0 Sender ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	MSA_VERB=HELO MSA_HELO=client.example dialogue_submit submitd "$SINK" <<-'E2'
		> MAIL FROM:<a@example.org> SIZE=5
		> QUIT
		<<
	E2
	assert_out 'HELO' <<-'E2'
		555 5.5.4 Parameter not recognized or not implemented: SIZE
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_a_second_ehlo_resets() {
	dialogue_submit submitd "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> HELO y
		> RCPT TO:<c@example.net>
		> DATA
		> MAIL FROM:<d@example.org>
		> RCPT TO:<e@example.net>
		> BDAT 3
		>> abc
		> HELO z
		> BDAT 2 LAST
		>> \r\n
		> MAIL FROM:<f@example.org>
		> RCPT TO:<g@example.net>
		> BDAT 2 LAST
		>> \r\n
		> QUIT
		<<
	E2
	assert_out 'replies' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 mx.test
		503 5.5.1 Bad sequence of commands
		503 5.5.1 Bad sequence of commands
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 3 octets received
		250 mx.test
		503 5.5.1 Bad sequence of commands
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 Ok, message ID
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	printf 'MAIL FROM:<f@example.org>\nRCPT TO:<g@example.net>\n' >"$T/want"
	assert_same 'nothing of before' "$T/want" "$T/envelope"
	printf '\r\n' >"$T/want"
	assert_same 'nothing of before' "$T/want" "$T/message"
	for greeting in '' '> HELO y'; do
		printf '%s\n' '> HELO x' '> MAIL FROM:<a@example.org>' '> RCPT TO:<b@example.net>' "$greeting" shut '<<' |
			grep . | dialogue_submit submitd "$SINK"
		lost=$(grep -c ' lost where=commands reason="*closed' "$T/log")
		[ -n "$greeting" ] || assertEquals "a message is lost: $(cat "$T/log")" 1 "$lost"
		[ -z "$greeting" ] || assertEquals "nothing is left to lose: $(cat "$T/log")" 0 "$lost"
	done
}

test_a_whole_session_in_one_packet_with_a_reset_in_it() {
	dialogue_submit submitd "$SINK" <<-'E2'
		>> EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nRSET\r\nMAIL FROM:<c@example.org>\r\nRCPT TO:<d@example.net>\r\nDATA\r\nSubject: one\r\n\r\nRSET\r\n.\r\nMAIL FROM:<e@example.org>\r\nRCPT TO:<f@example.net>\r\nBDAT 16 LAST\r\nSubject: two\r\n\r\nNOOP\r\nQUIT\r\nNOOP\r\n
		<<
	E2
	sed -i '/^250-/d' "$T/out"
	assert_out 'in step' <<-'E2'
		220 mx.test ESMTP
		250 CHUNKING
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 Ok
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		250 2.0.0 Ok, message ID
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		250 2.0.0 Ok, message ID
		250 2.0.0 Ok
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	printf 'Subject: two\r\n\r\n' >"$T/want"
	assert_same 'the second message' "$T/want" "$T/message"
}

test_bad_octets_in_a_command_are_500_and_the_next_one_is_heard() {
	{
		echo '<'
		for bad in 'NOOP\nNOOP\r\n' 'NOOP\n\r\n' 'NO\rOP\r\n' 'NOOP\r\r\n' 'NO\0OP\r\n' '\0\r\n' '\r\r\n' '\n\r\n'; do
			printf '>> %s\n<\n> NOOP\n<\n' "$bad"
		done
		printf '%s\n' '> QUIT' '<<'
	} >"$T/script"
	dialogue_hold submitd "$SINK" <"$T/script"
	assertEquals '500' 8 "$(grep -c '^500 5.5.2 Bare CR, bare LF or NUL in a command$' "$T/out")"
	assertEquals '250' 8 "$(grep -c '^250 2.0.0 Ok$' "$T/out")"
	assertEquals 'no other' 20 "$(wc -l <"$T/out")"
}

# RFC 3030 2: the chunk's octets follow at once, so after a BDAT that cannot be read nothing may be read as a command.
test_after_a_bdat_that_cannot_be_read_the_session_ends() {
	while IFS='|' read -r bdat reply; do
		printf '%s\n' '> HELO x' '> MAIL FROM:<a@example.org>' '> RCPT TO:<b@example.net>' ">> $bdat\\r\\nNOOP\\r\\nVRFY x\\r\\n" '<<' \
			>"$T/script"
		dialogue_submit submitd "$SINK" <"$T/script"
		printf '%s\n' '220 mx.test ESMTP' '250 mx.test' '250 2.1.0 Sender ok' '250 2.1.5 Recipient ok' "$reply" \
			"421 4.5.4 Cannot tell the chunk's length, closing the connection" EOF 'exit 0' >"$T/want"
		assert_same "$(echo "$bdat" | cut -c1-20)" "$T/want" "$T/out"
	done <<-E2
		BDAT 12 LAST$(printf '%0600d' 0 | tr 0 ' ')|500 5.5.2 Line too long
		BDAT 12 LAST$(printf '%09000d' 0 | tr 0 ' ')|500 5.5.2 Line too long
		bdat 12 LA\\0ST|500 5.5.2 Bare CR, bare LF or NUL in a command
		BDAT\\0|500 5.5.2 Bare CR, bare LF or NUL in a command
		BDAT 12\\r LAST|500 5.5.2 Bare CR, bare LF or NUL in a command
		BDAT 12\\nLAST|500 5.5.2 Bare CR, bare LF or NUL in a command
		BDAT x|501 5.5.4 Syntax error in argument
		BDAT|501 5.5.4 Syntax error in argument
		BDAT 9999999999999999999 LAST|501 5.5.4 Syntax error in argument
	E2
}

test_what_comes_with_a_bare_lf_is_never_a_command() {
	dialogue_submit submitd "$SINK" <<-'E2'
		<
		>> HELO x\nMAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\n
		<
		> QUIT
		<<
	E2
	assert_out 'one reply' <<-'E2'
		220 mx.test ESMTP
		500 5.5.2 Bare CR, bare LF or NUL in a command
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_a_size_limit_that_is_no_number_is_421() {
	printf '%s\n' '<<' >"$T/script"
	assertEquals '421 4.3.0 Local trouble, closing the connection|EOF|' \
		"$(DATABYTES=10M talk submitd true <"$T/script" 2>"$T/log" | tr '\n' '|')"
	assertTrue 'the log says why' "grep -q 'DATABYTES is invalid' '$T/log'"
}

# A line of n octets with its CRLF. usage: line n start end
line() {
	printf '> %s%0*d%s\n' "$2" "$(($1 - 2 - ${#2} - ${#3}))" 0 "$3"
}

test_command_lines_have_their_limits() {
	{
		echo '> HELO x'
		line 512 'NOOP ' ''
		line 513 'NOOP ' ''
		line 100000 'NOOP ' ''
		line 1000000 '' ''
		echo '> NOOP'
		echo '> MAIL FROM:<a@example.org>'
		line 512 'RCPT TO:' ''
		line 513 'RCPT TO:' ''
		printf '%s\n' '> QUIT' '<<'
	} >"$T/script"
	dialogue_submit submitd "$SINK" <"$T/script"
	assert_out 'limits' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		250 2.0.0 Ok
		500 5.5.2 Line too long
		500 5.5.2 Line too long
		500 5.5.2 Line too long
		250 2.0.0 Ok
		250 2.1.0 Sender ok
		501 5.1.3 Bad recipient address syntax
		500 5.5.2 Line too long
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

# RFC 2034 4, whatever is wrong with them.
test_no_reply_to_a_greeting_has_an_enhanced_code() {
	{
		printf '%s\n' '> EHLO' '> HELO' '> LHLO x'
		line 513 'EHLO ' ''
		line 600000 'HELO ' ''
		printf '%s\n' '> EHLO x' '> EHLOX' '> QUIT' '<<'
	} >"$T/script"
	dialogue_hold submitd "$SINK" <"$T/script"
	sed -i '/^250/d' "$T/out"
	assert_out 'replies' <<-'E2'
		220 mx.test ESMTP
		501 Argument missing
		501 Argument missing
		500 Command not recognized
		500 Line too long
		500 Line too long
		500 5.5.2 Command not recognized
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

test_extensions_make_the_limits_of_mail_and_rcpt_longer() {
	# RFC 1870 3: 26 (SIZE); RFC 6152 2: 17 (8BITMIME); RFC 4954 3: 500 (AUTH), only after AUTH
	{
		echo '> EHLO x'
		line $((512 + 26 + 17)) 'MAIL FROM:<a@example.org> X=' ''
		line $((512 + 26 + 17 + 1)) 'MAIL FROM:<a@example.org> X=' ''
		printf '%s\n' '> QUIT' '<<'
	} >"$T/script"
	dialogue_submit submitd "$SINK" <"$T/script"
	sed -i '/^250/d' "$T/out"
	assert_out 'MAIL' <<-'E2'
		220 mx.test ESMTP
		555 5.5.4 Parameter not recognized or not implemented: X
		500 5.5.2 Line too long
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	{
		echo '> EHLO x'
		line $((512 + 26 + 17 + 500)) 'MAIL FROM:<a@example.org> X=' ''
		line $((512 + 26 + 17 + 500 + 1)) 'MAIL FROM:<a@example.org> X=' ''
		echo '> MAIL FROM:<a@example.org>'
		line $((512 + 29 + 507)) 'RCPT TO:<b@example.net> X=' ''
		line $((512 + 29 + 507 + 1)) 'RCPT TO:<b@example.net> X=' ''
		printf '%s\n' '> QUIT' '<<'
	} >"$T/script"
	SMTPAUTHUSER=alice dialogue_submit submitd "$SINK" <"$T/script"
	sed -n '/^555/p; /^500/p' "$T/out" >"$T/replies"
	cat >"$T/want" <<-'E2'
		555 5.5.4 Parameter not recognized or not implemented: X
		500 5.5.2 Line too long
		500 5.5.2 Line too long
		500 5.5.2 Line too long
	E2
	assert_same 'with AUTH, without DSN' "$T/want" "$T/replies"
	MSA_EHLO=8BITMIME,DSN SMTPAUTHUSER=alice dialogue_submit submitd "$SINK" <"$T/script"
	sed -n '/^555/p; /^500/p' "$T/out" >"$T/replies"
	cat >"$T/want" <<-'E2'
		555 5.5.4 Parameter not recognized or not implemented: X
		555 5.5.4 Parameter not recognized or not implemented: X
		555 5.5.4 Parameter not recognized or not implemented: X
		500 5.5.2 Line too long
	E2
	assert_same 'with AUTH and DSN' "$T/want" "$T/replies"
}

test_too_many_errors_end_the_session() {
	dialogue_hold submitd -e 2 "$SINK" <<-'E2'
		> HELO x
		> XYZZY
		> NOOP
		> DATA
		> MAIL FROM:<a@example.org>
		<<
	E2
	assert_out 'the third error is the last' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		500 5.5.2 Command not recognized
		250 2.0.0 Ok
		503 5.5.1 Bad sequence of commands
		530 5.7.0 Authentication required
		421 4.7.0 Too many errors, closing the connection
		EOF
		exit 0
	E2
	cat >"$T/want" <<-'E2'
		submitd: session rejected verb=? code=500 reason="Command not recognized" ip=192.0.2.1
		submitd: session rejected verb=DATA code=503 reason="Bad sequence of commands" ip=192.0.2.1
		submitd: session rejected verb=MAIL code=530 reason="Authentication required" ip=192.0.2.1
		submitd: session ended reason="too many errors" ip=192.0.2.1
	E2
	assert_same 'log' "$T/want" "$T/log"
}

test_without_a_number_the_twenty_first_error_is_the_last() {
	{
		echo '> HELO x'
		for n in $(seq 21); do
			echo "> XYZZY $n"
		done
		echo '<<'
	} >"$T/talk"
	dialogue_hold submitd "$SINK" <"$T/talk"
	{
		printf '%s\n' '220 mx.test ESMTP' '250 mx.test'
		for n in $(seq 21); do
			echo '500 5.5.2 Command not recognized'
		done
		printf '%s\n' '421 4.7.0 Too many errors, closing the connection' EOF 'exit 0'
	} >"$T/want"
	assert_same 'replies' "$T/want" "$T/out"
}

test_a_refused_parameter_and_a_refused_message_count_as_errors() {
	dialogue_submit submitd -e 1 "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org> X=1
		> MAIL FROM:<a@example.org> X=1
		<<
	E2
	assertEquals '421 4.7.0 Too many errors, closing the connection' "$(sed -n 5p "$T/out")"
	dialogue_submit submitd -e 1 "$SINK" <<-'E2'
		> HELO x
		> XYZZY
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		>> \n\r\n.\r\n
		<<
	E2
	assertEquals '421 4.7.0 Too many errors, closing the connection' "$(sed -n 8p "$T/out")"
}

test_a_silent_client_hears_421() {
	dialogue_hold submitd -w 1 "$SINK" <<-'E2'
		<<
	E2
	assert_out '-w' <<-'E2'
		220 mx.test ESMTP
		421 4.4.2 Waited too long, closing the connection
		EOF
		exit 0
	E2
}

test_a_client_that_drips_hears_421() {
	dialogue_hold submitd -w 1 "$SINK" <<-'E2'
		<
		>> N
		sleep 0.4
		>> O
		sleep 0.4
		>> O
		<<
	E2
	assert_out 'one wait for the whole line' <<-'E2'
		220 mx.test ESMTP
		421 4.4.2 Waited too long, closing the connection
		EOF
		exit 0
	E2
}

test_a_session_has_an_end_in_its_data_too() {
	dialogue_submit submitd -S 1 "$SINK" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		> Subject: x
		<<
	E2
	assert_out '-S' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		421 4.4.2 Waited too long, closing the connection
		EOF
		exit 0
	E2
	assertFalse 'nothing was delivered' "[ -e $T/message ]"
	printf 'submitd: session lost where=data reason=timeout\n' >"$T/want"
	assert_same 'log' "$T/want" "$T/log"
}

test_a_client_that_leaves_before_the_dot_leaves_nothing() {
	head -c 400000 /dev/zero | tr '\0' x | fold -w 76 | sed 's/$/\r/' >"$T/big"
	for how in close shut; do
		for what in DATA 'BDAT 500000 LAST'; do
			dialogue_submit submitd "$SINK" <<-E2
				> HELO x
				> MAIL FROM:<a@example.org>
				> RCPT TO:<b@example.net>
				> $what
				file $T/big
				$how
			E2
			assertEquals 'submitd is gone' 'exit 0' "$(tail -n 1 "$T/out")"
			assertFalse 'nothing was delivered' "[ -e $T/message ]"
			assertEquals 'no file' '' "$(ls -A "$T/tmp")"
			printf 'submitd: session lost where=data reason=closed\n' >"$T/want"
			assert_same 'log' "$T/want" "$T/log"
		done
	done
	dialogue_submit submitd "$SINK" <<-'E2'
		<
		> HELO x
		<
		> MAIL FROM:<a@example.org>
		<
		> RCPT TO:<b@example.net>
		<
		> BDAT 3
		>> abc
		<
		close
	E2
	assertFalse 'nothing was delivered' "[ -e $T/message ]"
	printf 'submitd: session lost where=commands reason=closed\n' >"$T/want"
	assert_same 'log' "$T/want" "$T/log"
}

test_the_log_has_one_line_for_a_message() {
	SMTPAUTHUSER=alice SMTPAUTHMETHOD=PLAIN SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_256_GCM_SHA384 dialogue_verdict "$SINK"
	sed -i 's/\/[0-9a-z]\{14\} /\/ID /; s/ms=[0-9]*/ms=N/' "$T/log"
	cat >"$T/want" <<-'E2'
		submitd: session/ID accepted user=alice mech=PLAIN ip=192.0.2.1 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 rcpts=1 size=12 code=250 ms=N from=a@example.org
	E2
	assert_same 'accepted' "$T/want" "$T/log"
	program_make refuse <<-'E2'
		#!/bin/sh
		printf '550-5.7.1 Two\n550 5.7.1 lines\n'
		exit 100
	E2
	dialogue_verdict "$T/refuse"
	sed -i 's/\/[0-9a-z]\{14\} /\/ID /; s/ms=[0-9]*/ms=N/' "$T/log"
	cat >"$T/want" <<-'E2'
		submitd: session/ID refused ip=192.0.2.1 rcpts=1 size=12 code=550 ms=N from=a@example.org reason="Two\x0alines"
	E2
	assert_same 'refused' "$T/want" "$T/log"
}

test_the_id_is_the_same_in_log_reply_and_chain() {
	program_make id <<-'E2'
		#!/bin/sh
		echo "$MSA_MESSAGE" >"$T/id"
		echo 250 ok
	E2
	dialogue_verdict "$T/id"
	id=$(cat "$T/id")
	assertEquals 14 ${#id}
	assertTrue 'reply' "grep -qx '250 2.0.0 Ok, message $id' $T/raw"
	assertTrue 'log' "grep -q '^submitd: session/$id accepted ' $T/log"
}

test_a_long_sender_leaves_code_and_time_in_the_log() {
	local=$(printf '\\xc3\\xa4%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
	label=$(printf '\\xc3\\xbc%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30)
	MSA_EHLO=8BITMIME,SMTPUTF8 dialogue_submit submitd "$SINK" <<-E2
		> EHLO x
		>> MAIL FROM:<$local@$label.$label.example> SMTPUTF8\r\n
		> RCPT TO:<b@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	assertEquals 'taken' 1 "$(grep -c '^250 2.0.0 Ok, message' "$T/out")"
	assertTrue 'log' "grep -q ' rcpts=1 size=0 code=250 ms=[0-9]* from=\"' $T/log"
	assertEquals 'no raw octet' '' "$(LC_ALL=C tr -d '\n -~' <"$T/log")"
}

test_control_characters_never_reach_the_log_raw() {
	program_make escapes <<-'E2'
		#!/bin/sh
		printf '550 5.7.1 a\033[31mb\001\200c\n'
		exit 100
	E2
	dialogue_verdict "$T/escapes"
	assertEquals '550 5.7.1 a?[31mb??c' "$(cat "$T/answer")"
	assertEquals 'no raw octet' '' "$(LC_ALL=C tr -d '\n -~' <"$T/log")"
	program_make noise <<-'E2'
		#!/bin/sh
		printf 'a\033[31mb\001\200c\n'
	E2
	SMTPAUTHUSER=$(printf 'al\033\nice') dialogue_verdict "$T/noise"
	assertEquals '451 4.3.0 Local error, try again later' "$(cat "$T/answer")"
	assertTrue 'the text is there' "grep -q 'text=\"a.x1b.31mb.x01.x80c' $T/log"
	assertTrue 'the user is there' "grep -q 'user=\"al.x1b.x0aice\"' $T/log"
	assertEquals 'no raw octet' '' "$(LC_ALL=C tr -d '\n -~' <"$T/log")"
}

test_no_log_reaches_a_client_that_is_fd_2() {
	program_make loud <<-'E2'
		#!/bin/sh
		echo secret >&2
		printf 'nonsense\n'
	E2
	dialogue_submit -2 submitd "$T/loud" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	assert_out 'replies only' <<-'E2'
		220 mx.test ESMTP
		250 mx.test
		250 2.1.0 Sender ok
		250 2.1.5 Recipient ok
		354 End data with <CR><LF>.<CR><LF>
		451 4.3.0 Local error, try again later
		221 2.0.0 Bye
		EOF
		exit 0
	E2
	dialogue_submit -2 submitd "$T/missing" <<-'E2'
		> HELO x
		> MAIL FROM:<a@example.org>
		> RCPT TO:<b@example.net>
		> DATA
		> .
		> QUIT
		<<
	E2
	cp "$T/want" "$T/same"
	assert_out 'replies only' <"$T/same"
}

test_lmtp_greets_by_lhlo_alone() {
	MSA_LMTP='' dialogue_submit submitd "$SINK" <<-'E2'
		> EHLO x
		> EHLO
		> HELO x
		> HELO
		> MAIL FROM:<a@example.org>
		> LHLO
		> LHLO x
		> MAIL FROM:<a@example.org>
		> DATA
		> BDAT 2 LAST
		>> \r\n
		> QUIT
		<<
	E2
	sed -i '/^250-/d' "$T/out"
	assert_out 'replies' <<-'E2'
		220 mx.test LMTP
		500 Command not recognized
		500 Command not recognized
		500 Command not recognized
		500 Command not recognized
		503 5.5.1 Bad sequence of commands
		501 Argument missing
		250 CHUNKING
		250 2.1.0 Sender ok
		503 5.5.1 Bad sequence of commands
		503 5.5.1 Bad sequence of commands
		221 2.0.0 Bye
		EOF
		exit 0
	E2
}

# submitd with these variables alone, for each takes memory; the conversation is $T/in, $T/out and $T/log.
# usage: short_of_memory VARIABLE=value ... program [arg ...]
short_of_memory() {
	: >"$T/count"
	env -i PATH="$PATH" T="$T" LD_PRELOAD="$T/oom.so" OOM_IN=submitd OOM_COUNT="$T/count" MSA_HOST=mx.test MSA_SESSION=session \
		MSA_LMTP='' RELAYCLIENT='' "$@" <"$T/in" >"$T/out" 2>"$T/log"
}

# Whatever allocation fails: no crash, each line is a reply, and the session stays in step or says 421.
test_out_of_memory_is_a_reply() {
	preload_build oom || return 0
	program_make differ <<-'E2'
		#!/bin/sh
		printf '250 ok\n550-no\n550 such\n450 later\n'
	E2
	printf '%s\r\n' 'LHLO x' 'MAIL FROM:<a@example.org> SIZE=100' 'RCPT TO:<b@example.net>' 'RCPT TO:<c@example.net>' \
		'RCPT TO:<d@example.net>' 'MAIL FROM:<> X=1' 'BDAT 2 LAST' '' 'MAIL FROM:<> X=1' 'MAIL FROM:<e@example.org>' \
		'RCPT TO:<f@example.net>' 'BDAT 4 LAST' 'xy' 'VRFY x' 'QUIT' >"$T/in"
	short_of_memory submitd "$T/differ"
	assertEquals 'with memory' '252 221' "$(tail -n 2 "$T/out" | cut -c1-3 | paste -sd' ' -)"
	all=$(cat "$T/count")
	for then in A=1 OOM_ALL=1; do
		n=0 wrong=
		while [ $n -lt "$all" ]; do
			n=$((n + 1))
			short_of_memory OOM_AT=$n $then submitd "$T/differ"
			code=$?
			last=$(tail -n 2 "$T/out" | cut -c1-3 | paste -sd' ' -)
			case "$code $last" in
			'0 252 221' | '111 421' | '111 ' | '0 ' | '0 421' | '0 '???' 421') ;;
			*) wrong="$wrong $n:$code:$last" ;;
			esac
			! grep -qv '^[2-5][0-9][0-9][ -]' "$T/out" || wrong="$wrong $n:line"
		done
		assertEquals "wrong $then of $all" '' "$wrong"
	done
}

# A client that got 451 for a message that was delivered would send it again.
# Each reply leaves before the next command comes, so what was said before has made no room for the answer.
test_without_memory_each_of_40_recipients_still_has_an_answer() {
	preload_build oom || return 0
	program_make forty <<-'E2'
		#!/bin/sh
		: >"$T/delivered"
		yes '250 2.0.0 Saved as something with a name that is long' | head -n 40
	E2
	{
		printf '%s\n' '<' '> LHLO x' '<' '> MAIL FROM:<a@example.org>' '<'
		seq 40 | sed 's/.*/> RCPT TO:<r&@example.net>\n</'
		printf '%s\n' '> BDAT 2 LAST' '>> \r\n' '> QUIT' '<<'
	} >"$T/script"
	short() {
		: >"$T/count"
		talk env -i PATH="$PATH" T="$T" LD_PRELOAD="$T/oom.so" OOM_IN=submitd OOM_COUNT="$T/count" MSA_HOST=mx.test \
			MSA_SESSION=session MSA_LMTP='' RELAYCLIENT='' "$@" submitd "$T/forty" <"$T/script" >"$T/out" 2>"$T/log"
	}
	short A=1
	all=$(cat "$T/count")
	n=$((all - 12)) wrong='' delivered=0
	while [ $n -lt "$all" ]; do
		n=$((n + 1))
		rm -f "$T/delivered"
		short OOM_AT=$n OOM_ALL=1
		[ -e "$T/delivered" ] || continue
		delivered=$((delivered + 1))
		answers=$(grep -c "^250 2.0.0 " "$T/out")
		[ "$answers" -eq 40 ] || wrong="$wrong $n:$answers"
	done
	assertEquals "answers, of $all allocations" '' "$wrong"
	assertTrue 'some are delivered' "[ $delivered -gt 0 ]"
}

test_whatever_allocation_fails_what_was_delivered_is_accepted() {
	preload_build oom || return 0
	program_make deliver <<-'E2'
		#!/bin/sh
		: >"$T/delivered"
		echo '250 2.0.0 Saved'
	E2
	printf '%s\r\n' 'LHLO x' 'MAIL FROM:<a@example.org>' 'RCPT TO:<b@example.net>' 'BDAT 2 LAST' '' QUIT >"$T/in"
	short_of_memory submitd "$T/deliver"
	all=$(cat "$T/count")
	for then in A=1 OOM_ALL=1; do
		n=0 wrong='' delivered=0
		while [ $n -lt $((all + 20)) ]; do # a failure may make others necessary
			n=$((n + 1))
			rm -f "$T/delivered"
			short_of_memory OOM_AT=$n $then submitd "$T/deliver"
			[ -e "$T/delivered" ] || continue
			delivered=$((delivered + 1))
			grep -q '^250 2.0.0 *\(Ok, message\|$\)\|^250 2.0.0 .$' "$T/out" || wrong="$wrong $n:$(tail -n 2 "$T/out" | head -n 1)"
		done
		assertEquals "wrong $then of $all" '' "$wrong"
		[ $then != A=1 ] || assertTrue 'one failure does not always keep it' "[ $delivered -gt 0 ]"
	done
}

# A client that heard 451 of a message that was delivered would send it again.
test_what_was_accepted_is_said_so_without_memory() {
	preload_build oom || return 0
	program_make long <<-'E2'
		#!/bin/sh
		echo delivered >>"$T/delivered"
		echo '250 ok'
		for i in 1 2 3 4 5 6 7 8 9; do
			yes 550- | head -n 340
			echo 550
		done
	E2
	{
		printf 'LHLO x\r\nMAIL FROM:<a@example.org>\r\n'
		seq 10 | sed 's/.*/RCPT TO:<r&@example.net>\r/'
		printf 'BDAT 2 LAST\r\n\r\nQUIT\r\n'
	} >"$T/in"
	rm -f "$T/delivered"
	short_of_memory OOM_OVER=40000 submitd "$T/long" # less than the answer takes
	sed '1,/^250 2.1.0/d; /^250 2.1.5/d; s/message [0-9a-z]\{14\}/message ID/' "$T/out" >"$T/answer"
	{
		echo '250 2.0.0 Ok, message ID'
		yes '550 5.0.0 ' | head -n 9
		echo '221 2.0.0 Bye'
	} | sed 's/$/\r/' >"$T/want"
	assert_same 'answer' "$T/want" "$T/answer"
	assertEquals 'delivered' delivered "$(cat "$T/delivered")"
	assertEquals 'one line' 1 "$(grep -c ' mixed ' "$T/log")"
	assertFalse 'and no other' "grep -q ' refused ' $T/log"
	# where there is no room for the shortest answer, the chain is not started: that of 420 recipients alone is so large
	{
		printf 'LHLO x\r\nMAIL FROM:<a@example.org>\r\n'
		seq 420 | sed 's/.*/RCPT TO:<r&@example.net>\r/'
		printf 'BDAT 2 LAST\r\n\r\nQUIT\r\n'
	} >"$T/in"
	rm -f "$T/delivered"
	short_of_memory OOM_OVER=40000 submitd "$T/long"
	assertEquals 'later' 420 "$(grep -c '^451 4.3.0 Out of memory' "$T/out")"
	assertFalse 'not delivered' "[ -e $T/delivered ]"
	assertEquals 'one line' 1 "$(grep -c ' refused ' "$T/log")"
}

. "$SHUNIT2"
