#!/bin/sh
# authd -o: OAUTHBEARER (RFC 7628) and XOAUTH2, octet by octet. Real clients: interop/oauth_test.sh; which tokens are
# somebody's: jwt-check_test.sh. ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016,SC2086
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

yes='235 2.7.0 Authentication succeeded'
no='535 5.7.8 Authentication credentials invalid'
later='454 4.7.0 Temporary authentication failure'
cancelled='501 5.7.0 Authentication cancelled'
unknown='504 5.5.4 Mechanism not supported'
url=https://id.example.net/.well-known/openid-configuration

oneTimeSetUp() {
	export MSA_HOST=mx.example TCPREMOTEIP=192.0.2.1 TCPLOCALIP=192.0.2.2
	SSL_PROTOCOL=TLSv1.3
	export SSL_PROTOCOL
	chmod 755 "$T"
	mkdir "$T/run" "$T/locked"
	chmod 777 "$T/run"
	program_lines next 'printf "next %s %s\r\n" "$SMTPAUTHUSER" "$SMTPAUTHMETHOD"'
	# The token good-NAME is NAME's; exitN is how it ends. $T/run/seen gets what was read.
	program_make verifier <<-X
		#!/bin/sh
		cat <&3 >"$T/run/seen"
		{ read -r user && read -r token; } <<-Y
			\$(tr '\\0' '\\n' <"$T/run/seen")
		Y
		case \$token in
		good-\${user%@*}*) exec "\$@" ;;
		exit*) exit \${token#exit} ;;
		esac
		exit 1
	X
	db=$T/users.cdb
	printf 'x\n' | msa-passwd "$db" locked@example.net
	msa-passwd -L "$db" locked@example.net
	as_nobody=
	[ "$(id -u)" -ne 0 ] || as_nobody='-U nobody'
	asks="$as_nobody -o $T/verifier"
}

tearDown() {
	resident_stop_all
	[ ! -e "$T/log" ] || assertFalse 'a token in the log' "grep -q -e good- -e exit1 -e none-of '$T/log'"
}

b64() {
	printf "$1" | base64 -w0
}

bearer() { # user token
	b64 "n,a=$1,\\001host=mx.example\\001port=587\\001auth=Bearer $2\\001\\001"
}

xoauth2() { # user token
	b64 "user=$1\\001auth=Bearer $2\\001\\001"
}

# Hold a dialogue with authd; what it says after EHLO is in $T/out, a challenge decoded. Standard input is the script
# after EHLO. usage: dialogue option ... program
dialogue() {
	{ printf '<\n> EHLO client.example\n<\n' && cat; } >"$T/script"
	talk -t 60 authd "$@" <"$T/script" 2>"$T/log" | sed -n '/^250 /,$p' | sed 1d | while read -r code text; do
		text=$(printf %s "$text" | tr -d '\r')
		[ "$code" != 334 ] || text=$(printf %s "$text" | base64 -d)
		printf '%s\n' "$code${text:+ $text}"
	done >"$T/out"
}

# usage: offered expected option ...
offered() {
	expected=$1
	shift
	printf '<\n> EHLO client.example\n<\n> QUIT\n<\n' | talk -t 60 authd "$@" true 2>"$T/log" |
		sed -n 's/^250.AUTH //p' | tr -d '\r' >"$T/out"
	assertEquals "$*: $(cat "$T/log")" "$expected" "$(cat "$T/out")"
}

test_the_mechanisms_are_offered_under_tls_only() {
	offered 'OAUTHBEARER XOAUTH2' $asks
	offered 'PLAIN LOGIN SCRAM-SHA-256 OAUTHBEARER XOAUTH2' $asks -u "$db"
	offered 'PLAIN LOGIN OAUTHBEARER XOAUTH2' $asks -k "$T/verifier"
	offered 'PLAIN OAUTHBEARER XOAUTH2' $asks -u "$db" -m PLAIN
	offered 'XOAUTH2 PLAIN' $asks -u "$db" -m 'xoauth2 PLAIN'
	offered 'OAUTHBEARER' $asks -u "$db" -m 'OAUTHBEARER'
	unset SSL_PROTOCOL
	offered '' $asks
	offered 'PLAIN LOGIN SCRAM-SHA-256' $asks -p -u "$db"
	printf '> AUTH OAUTHBEARER %s\n<\n> AUTH xoauth2\n<\n' "$(bearer alice@example.net good-alice)" |
		dialogue $asks -p -u "$db" "$T/next"
	SSL_PROTOCOL=TLSv1.3
	export SSL_PROTOCOL
	printf '%s\n' "$unknown" "$unknown" | assert_out
	assertFalse 'the verifier was asked' "[ -e '$T/run/seen' ]"
	offered 'PLAIN LOGIN SCRAM-SHA-256' -u "$db"
	authd -u "$db" -m 'PLAIN XOAUTH2' true </dev/null >"$T/out" 2>"$T/log"
	assertContains "$(cat "$T/log")" 'no mechanism XOAUTH2'
}

test_a_token_of_the_user_lets_in() {
	for mech in OAUTHBEARER XOAUTH2; do
		response=$(bearer Alice@Example.net good-alice)
		[ $mech = OAUTHBEARER ] || response=$(xoauth2 Alice@Example.net good-alice)
		printf '> AUTH %s %s\n<\n<' $mech "$response" | dialogue $asks "$T/next"
		printf '%s\n' "$yes" "next alice@example.net $mech" | assert_out "$mech"
		assertContains "$(cat "$T/log")" "authenticated user=alice@example.net mech=$mech ip=192.0.2.1 tls=TLSv1.3"
		printf '> AUTH %s\n<\n> %s\n<\n<' $mech "$response" | dialogue $asks "$T/next"
		printf '%s\n' 334 "$yes" "next alice@example.net $mech" | assert_out "$mech without an initial response"
	done
	printf '> AUTH OAUTHBEARER %s\n<\n<' "$(bearer alice good-alice)" | dialogue $asks -r example.net "$T/next"
	printf '%s\n' "$yes" "next alice@example.net OAUTHBEARER" | assert_out 'a realm'
	printf 'alice@example.net\0good-alice\0' >"$T/want"
	head -c 29 "$T/run/seen" >"$T/got"
	assert_same 'what the verifier reads' "$T/want" "$T/got"
	assertEquals 'and a time' "$(($(date +%s) / 100))" "$(($(tail -c +30 "$T/run/seen" | tr -d '\0') / 100))"
}

# The client learns why, and the reply comes after the next line, whatever that is.
test_a_refused_client_learns_why() {
	for said in AQ== '' x '**' '*' "$(printf '%012290d' 0)"; do
		printf '> AUTH OAUTHBEARER %s\n<\n> %s\n<\n> NOOP\n<\n' "$(bearer bob@example.net good-alice)" "$said" |
			dialogue $asks "$T/next"
		printf '%s\n' '334 {"status":"invalid_token"}' "$([ "$said" = '*' ] && echo "$cancelled" || echo "$no")" '250 2.0.0 Ok' |
			assert_out "${#said} octets"
		assertContains "$(cat "$T/log")" 'refused user=bob@example.net mech=OAUTHBEARER reason="wrong token" ip=192.0.2.1'
	done
	printf '> AUTH OAUTHBEARER %s\n<\n' "$(bearer bob@example.net good-alice)" | dialogue $asks "$T/next"
	assertContains 'a client that leaves' "$(cat "$T/log")" 'refused user=bob@example.net mech=OAUTHBEARER reason="wrong token"'
	printf '> AUTH OAUTHBEARER %s\n<\n> AQ==\n<\n> AUTH XOAUTH2 %s\n<\n> \n<\n' "$(bearer bob@example.net good-alice)" \
		"$(xoauth2 bob@example.net good-alice)" | dialogue $asks -S 'mail.send openid' -O $url "$T/next"
	printf '%s\n' "334 {\"status\":\"invalid_token\",\"scope\":\"mail.send openid\",\"openid-configuration\":\"$url\"}" "$no" \
		'334 {"status":"401","schemes":"bearer","scope":"mail.send openid"}' "$no" | assert_out
}

test_a_message_of_another_form_is_refused_without_a_question() {
	rm -f "$T/run/seen"
	while IFS='|' read -r mech message status reason; do
		printf '> AUTH %s %s\n<\n> AQ==\n<\n' $mech "$(b64 "$message")" | dialogue $asks "$T/next"
		printf '%s\n' "334 {\"status\":\"$status}" "$no" | assert_out "$message"
		assertContains "$message" "$(cat "$T/log")" "refused mech=$mech reason=\"$reason\""
	done <<-'X'
		OAUTHBEARER|user=alice\001auth=Bearer good-alice\001\001|invalid_request"|malformed response
		OAUTHBEARER|\001|invalid_request"|malformed response
		OAUTHBEARER|n,,\001auth=Bearer good-alice\001\001|invalid_request"|no user name
		OAUTHBEARER|n,a=\001,\001auth=Bearer good-alice\001\001|invalid_request"|malformed response
		OAUTHBEARER|n,a=a\002b,\001auth=Bearer good-alice\001\001|invalid_request"|unusable user name
		OAUTHBEARER|n,a=alice,\001auth=\001\001|invalid_token"|no token
		XOAUTH2|n,a=alice,\001auth=Bearer good-alice\001\001|400","schemes":"bearer"|malformed response
		XOAUTH2|user=alice\001auth=\001\001|401","schemes":"bearer"|no token
	X
	printf '> AUTH OAUTHBEARER =\n<\n> AQ==\n<\n> AUTH XOAUTH2\n<\n> \n<\n> AQ==\n<\n> AUTH XOAUTH2\n<\n> x\n<\n> AUTH XOAUTH2\n<\n> *\n<\n' |
		dialogue $asks "$T/next"
	printf '%s\n' '334 {"status":"invalid_request"}' "$no" 334 '334 {"status":"400","schemes":"bearer"}' "$no" \
		334 '501 5.5.2 Cannot decode base64' 334 "$cancelled" | assert_out
	assertFalse 'the verifier was asked' "[ -e '$T/run/seen' ]"
}

test_too_many_wrong_tokens_end_the_session() {
	for said in AQ== '*'; do
		for n in 1 2; do
			printf '> AUTH XOAUTH2 %s\n<\n> %s\n<\n' "$(xoauth2 alice none-of-$n)" "$said"
		done | { cat && echo '<'; } | dialogue -a 2 $asks "$T/next"
		assertContains "$said" "$(tail -n 1 "$T/out")" '421 4.7.0 '
		assertContains "$(cat "$T/log")" too-many-errors
	done
}

test_a_verifier_that_does_not_answer_is_454() {
	while read -r verifier token why; do
		printf '> AUTH OAUTHBEARER %s\n<\n' "$(bearer alice $token)" | dialogue $as_nobody -o "$T/$verifier" "$T/next"
		printf '%s\n' "$later" | assert_out "$verifier $token"
		assertContains "$token" "$(cat "$T/log")" "unanswered program=$T/$verifier why=\"$why\""
		assertContains "$token" "$(cat "$T/log")" 'failed mech=OAUTHBEARER reason="the verifier does not answer"'
	done <<-X
		verifier exit111 exit 111
		verifier exit2 exit 2
		missing good-alice exit 127
	X
	needs root || return 0
	printf '> AUTH OAUTHBEARER %s\n<\n' "$(bearer alice good-alice)" | dialogue -U root -o "$T/verifier" "$T/next"
	echo "$later" | assert_out 'as root'
}

test_a_user_who_is_locked_stays_out() {
	printf '> AUTH OAUTHBEARER %s\n<\n> AQ==\n<\n' "$(bearer locked@example.net good-locked)" | dialogue $asks -u "$db" "$T/next"
	printf '%s\n' '334 {"status":"invalid_token"}' "$no" | assert_out
	assertContains "$(cat "$T/log")" 'refused user=locked@example.net mech=OAUTHBEARER reason="user is locked"'
	printf '> AUTH OAUTHBEARER %s\n<\n<\n' "$(bearer carol@example.net good-carol)" | dialogue $asks -u "$db" "$T/next"
	printf '%s\n' "$yes" 'next carol@example.net OAUTHBEARER' | assert_out 'not in the store'
	msa-lock "$T/locked" carol@example.net >"$T/out"
	printf '> AUTH XOAUTH2 %s\n<\n> AQ==\n<\n' "$(xoauth2 carol@example.net good-carol)" | dialogue $asks -d "$T/locked" "$T/next"
	printf '%s\n' '334 {"status":"401","schemes":"bearer"}' "$no" | assert_out stopped
	assertContains "$(cat "$T/log")" 'refused user=carol@example.net mech=XOAUTH2 reason="user is locked"'
	printf '> AUTH XOAUTH2 %s\n<\n' "$(xoauth2 dave@example.net good-dave)" | dialogue $asks -d "$T/missing" "$T/next"
	printf '%s\n' "$later" | assert_out 'nobody knows who is stopped'
}

# A line of 12,288 octets holds a token of some 9,000; a password's 512 octets are no limit here.
test_the_longest_token() {
	room=$((12288 - 2 - 18)) # without "AUTH OAUTHBEARER " and the line's end
	token=good-alice$(printf "%0$((room / 4 * 3 - 10 - 27))d" 0)
	response=$(b64 "n,a=alice,\\001auth=Bearer $token\\001\\001")
	assertTrue "${#response}" "[ ${#response} -le $room ] && [ ${#response} -gt $((room - 8)) ]"
	printf '> AUTH OAUTHBEARER %s\n<\n<\n' "$response" | dialogue $asks "$T/next"
	printf '%s\n' "$yes" 'next alice OAUTHBEARER' | assert_out
	assertEquals $((6 + ${#token} + 1 + 11)) "$(wc -c <"$T/run/seen")"
	long=$(printf '%0240d' 0)@example.net
	token=good-$(printf '%08900d' 0)
	printf '> AUTH OAUTHBEARER %s\n<\n<\n' "$(b64 "n,a=$long,\\001auth=Bearer $token\\001\\001")" | dialogue $asks "$T/next"
	printf '%s\n' "$yes" "next $long OAUTHBEARER" | assert_out 'a long name'
}

test_options_that_cannot_be() {
	while IFS='|' read -r options said; do
		eval "authd $options true" </dev/null >"$T/out" 2>"$T/log"
		assertEquals "$options" "100 authd: $said" "$? $(cat "$T/log")"
	done <<-X
		-u $db -S a|-S: needs -o
		-u $db -O $url|-O: needs -o
		$asks -O http://id.example.net/|http://id.example.net/: not a URL of https
		$asks -O 'https://id.example.net/"'|https://id.example.net/": not a URL of https
		$asks -S ''|: not a scope
		$asks -o ' '|-o: no words, or more than 64
	X
	needs root || return 0
	authd -o "$T/verifier" true </dev/null 2>"$T/log"
	assertEquals '100 authd: -o: no program is run as root: -U is missing' "$? $(cat "$T/log")"
}

# An old token in a telephone costs its owner nothing; who tries one after the other is counted. A right one is not.
test_wrong_tokens_are_counted() {
	mkdir -m 700 "$T/penalties"
	for token in none-of-1 none-of-1 none-of-1 none-of-2 good-alice; do
		printf '> AUTH OAUTHBEARER %s\n<\n> AQ==\n' "$(bearer alice@example.net $token)" |
			dialogue $asks -g "$T/penalties" "$T/next"
	done
	printf '> AUTH OAUTHBEARER AQ==\n<\n> AQ==\n<\n' | dialogue $asks -g "$T/penalties" "$T/next"
	printf 'today\npoints alice@example.net\ntally\n' | test-unit penalty "$T/penalties" | tail -n 2 >"$T/out"
	printf '%s\n' 'points alice@example.net => 2' 'tally => 192.0.0.0/16 2, 192.0.2.0/24 2, 192.0.2.1 2' | assert_out
}

test_a_resident_asks_too() {
	resident_start authd authd $asks "$T/next" || return
	printf '<\n> EHLO client.example\n<\n> AUTH OAUTHBEARER %s\n<\n<\n' "$(bearer alice good-alice)" >"$T/script"
	talk -t 60 call "$T/authd" <"$T/script" 2>"$T/log" | tail -n 2 >"$T/out"
	printf '%s\n' "$yes" 'next alice OAUTHBEARER' | assert_out
}

test_a_signed_jwt() {
	jwt keys "$T/keys"
	chmod 755 "$T/keys"
	chmod 644 "$T/keys/jwks"
	jwt tokens "$T/keys" "$(date +%s)" <<-'X'
		good | rsa | |
		old | ec | | {"exp": "@-7200"}
	X
	check="jwt-check -i https://id.example.net -a mail -k $T/keys/jwks"
	printf '> AUTH OAUTHBEARER %s\n<\n> AQ==\n<\n> AUTH OAUTHBEARER %s\n<\n> AQ==\n<\n> AUTH OAUTHBEARER %s\n<\n<\n' \
		"$(bearer alice@example.net "$(cat "$T/keys/old.jwt")")" "$(bearer bob@example.net "$(cat "$T/keys/good.jwt")")" \
		"$(bearer alice@example.net "$(cat "$T/keys/good.jwt")")" | MSA_SESSION=S dialogue $as_nobody -o "$check" "$T/next"
	printf '%s\n' '334 {"status":"invalid_token"}' "$no" '334 {"status":"invalid_token"}' "$no" \
		"$yes" 'next alice@example.net OAUTHBEARER' | assert_out
	assertContains "$(cat "$T/log")" 'jwt-check: S refused reason=expired'
	assertContains "$(cat "$T/log")" 'jwt-check: S refused reason="another user"'
	for token in old good; do
		for part in 1 2 3; do
			assertNotContains "$(cat "$T/log")" "$(cut -d . -f $part "$T/keys/$token.jwt")"
		done
	done
}

# shellcheck disable=SC1090
. "$SHUNIT2"
