#!/bin/sh
# submitd and authd: NO-SOLICITING, RFC 3865. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/dialogue.sh
. "$ROOT/tests/lib/dialogue.sh"

test_no_soliciting_offers_the_sites_words() {
	printf 'pencil\n' | msa-passwd "$T/bob3.cdb" bob
	while IFS='|' read -r site hop want; do
		for stage in "submitd true" "authd -u $T/bob3.cdb true"; do
			# shellcheck disable=SC2086
			printf '%s\n' '<' '> EHLO x' '<' '> QUIT' '<<' | MSA_SOLICIT=$site MSA_EHLO=$hop talk $stage >"$T/out"
			assertEquals "$stage: $site + $hop" "$want" "$(sed -n 's/^250[- ]\(NO-SOL.*\)/\1/p' "$T/out")"
		done
	done <<-'E2'
		net.example:ADV||NO-SOLICITING net.example:ADV
		net.example:ADV org.example:ADV:ADLT||NO-SOLICITING net.example:ADV,org.example:ADV:ADLT
		net.example:ADV,org.example:ADV,NET.example:adv||NO-SOLICITING net.example:ADV,org.example:ADV
		net.example:ADV|NO-SOLICITING|NO-SOLICITING net.example:ADV
		net.example:ADV|NO-SOLICITING com.example:X|NO-SOLICITING com.example:X,net.example:ADV
	E2
	printf '%s\n' '<' '> EHLO x' '<' '> QUIT' '<<' | MSA_EHLO=NO-SOLICITING talk submitd true >"$T/out"
	assertEquals 'of the next hop alone' 'NO-SOLICITING' "$(sed -n 's/^250[- ]\(NO-SOL.*\)/\1/p' "$T/out")"
	printf '%s\n' '<' '> EHLO x' '<' '> QUIT' '<<' | MSA_SOLICIT='' talk submitd true >"$T/out"
	assertEquals 'without words' 'NO-SOLICITING' "$(sed -n 's/^250[- ]\(NO-SOL.*\)/\1/p' "$T/out")"
}

# A line of a reply has 512 octets.
test_the_sites_words_fit_into_a_line() {
	for n in 479 480; do
		printf '%s\n' '<' '> EHLO x' '<' '> QUIT' '<<' | MSA_SOLICIT=net.example:$(text_repeat $n a) talk submitd true >"$T/out" 2>"$T/log"
		mv "$T/out" "$T/out.$n"
	done
	assertTrue 'a whole line' "grep -qx '250 NO-SOLICITING net.example:a\{479\}' $T/out.479"
	assertTrue 'one octet more' "grep -q '^421 4.3.0 ' $T/out.480"
	assert_logged 'misuse reason="MSA_SOLICIT is invalid"'
}

# Each line of standard input is a value of SOLICIT and its reply ("ok": the good one), all in one session.
# usage: solicit
solicit() {
	echo '> EHLO x' >"$T/script"
	: >"$T/want"
	while IFS='|' read -r value reply; do
		[ "$reply" != ok ] || reply='250 2.1.0 Sender ok'
		printf '> MAIL FROM:<a@example.org> SOLICIT=%s\n> RSET\n' "$value" >>"$T/script"
		printf '%s\n%s\n' "$reply" '250 2.0.0 Ok' >>"$T/want"
	done
	printf '%s\n' '> QUIT' '<<' >>"$T/script"
	dialogue_submit submitd -e 1000 "$SINK" <"$T/script"
	sed '1,/^250 [A-Z]/d; /^221/,$d' "$T/out" >"$T/got"
	assert_same 'replies' "$T/want" "$T/got"
}

test_soliciting_by_a_word_of_the_site_is_550() {
	MSA_SOLICIT='net.example:ADV org.example:ADV:ADLT' solicit <<-'E2'
		net.example:ADV|550 5.7.1 No soliciting of this class: SOLICIT
		NET.Example:adv|550 5.7.1 No soliciting of this class: SOLICIT
		com.example:X,org.example:ADV:ADLT|550 5.7.1 No soliciting of this class: SOLICIT
		org.example:ADV:ADLT,com.example:X|550 5.7.1 No soliciting of this class: SOLICIT
		com.example:ADV|ok
		net.example:ADV:ADLT|ok
		net.example|ok
		net.example:AD|ok
		org.example:ADV|ok
		x|ok
		1x|501 5.5.4 Bad value of a parameter: SOLICIT
		:x|501 5.5.4 Bad value of a parameter: SOLICIT
		a,,b|501 5.5.4 Bad value of a parameter: SOLICIT
		,a|501 5.5.4 Bad value of a parameter: SOLICIT
		a,|501 5.5.4 Bad value of a parameter: SOLICIT
		a/b|501 5.5.4 Bad value of a parameter: SOLICIT
	E2
	MSA_SOLICIT=net.example:ADV MSA_EHLO='8BITMIME,NO-SOLICITING com.example:Y' solicit <<-'E2'
		com.example:Y|550 5.7.1 No soliciting of this class: SOLICIT
		com.example:X|ok
	E2
	solicit <<-'E2'
		net.example:ADV|555 5.5.4 Parameter not recognized or not implemented: SOLICIT
	E2
}

test_solicit_goes_on_to_a_next_hop_that_knows_it_and_to_no_other() {
	for hop in '8BITMIME,NO-SOLICITING com.example:Y' 8BITMIME; do
		MSA_SOLICIT=net.example:ADV MSA_EHLO=$hop dialogue_submit submitd "$SINK" <<-'E2'
			> EHLO x
			> MAIL FROM:<a@example.org> SOLICIT=com.example:X BODY=8BITMIME
			> RCPT TO:<b@example.net>
			> BDAT 2 LAST
			>> \r\n
			> QUIT
			<<
		E2
		[ "$hop" = 8BITMIME ] && passed= || passed=' SOLICIT=com.example:X'
		assertEquals "$hop" "MAIL FROM:<a@example.org>$passed BODY=8BITMIME" "$(head -n 1 "$T/envelope")"
	done
}

. "$SHUNIT2"
