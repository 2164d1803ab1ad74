#!/bin/sh
# ehlo: what the chain offers, and what a next hop offers. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# usage: offered [NAME=value ...] <expected, without CR
offered() {
	cat >"$T/want"
	env "$@" test-unit ehlo facts </dev/null >"$T/raw"
	tr -d '\r' <"$T/raw" >"$T/got"
	assert_same "$*" "$T/want" "$T/got"
	assertEquals 'each line ends with CRLF' "$(wc -l <"$T/raw")" "$(grep -c "$(printf '\r')\$" "$T/raw")"
}

test_without_msa_ehlo_what_needs_no_next_hop() {
	offered A=1 <<-'END'
	250-mx.example.net
	250-PIPELINING
	250-SIZE
	250-8BITMIME
	250-ENHANCEDSTATUSCODES
	250-PRDR
	250-LIMITS RCPTMAX=1000
	250 CHUNKING
	END
}

test_msa_ehlo_adds_and_databytes_limits() {
	offered DATABYTES=1000 'MSA_EHLO=8BITMIME,SIZE 5000,DSN,SMTPUTF8,XFOO,STARTTLS,AUTH PLAIN,VRFY' <<-'END'
	250-mx.example.net
	250-PIPELINING
	250-SIZE 1000
	250-8BITMIME
	250-ENHANCEDSTATUSCODES
	250-PRDR
	250-LIMITS RCPTMAX=1000
	250-CHUNKING
	250-DSN
	250 SMTPUTF8
	END
	offered DATABYTES=9000 "MSA_EHLO=SIZE 5000
	BINARYMIME
MT-PRIORITY MIXER
DELIVERBY 600" <<-'END'
	250-mx.example.net
	250-PIPELINING
	250-SIZE 5000
	250-ENHANCEDSTATUSCODES
	250-PRDR
	250-LIMITS RCPTMAX=1000
	250-CHUNKING
	250-DELIVERBY 600
	250 MT-PRIORITY MIXER
	END
	offered DATABYTES=10M MSA_EHLO= <<-'END'
	250-mx.example.net
	250-PIPELINING
	250-SIZE
	250-ENHANCEDSTATUSCODES
	250-PRDR
	250-LIMITS RCPTMAX=1000
	250 CHUNKING
	END
}

test_a_next_hops_lines_are_understood() {
	printf '%s\n' 'mx.example.org Hello' 'pipelining' 'SIZE 35882577' 'AUTH PLAIN LOGIN ' 'AUTH=LOGIN' '8BITMIME\r' 'XCLIENT A B' \
		'SMTPUTF8X' '' ' DSN' 'DSN' 'STARTTLS' >"$T/input"
	unit_gives ehlo take <<-'END'
	PIPELINING
	SIZE 35882577
	8BITMIME
	DSN
	STARTTLS
	AUTH PLAIN LOGIN
	END
}

# Exchange 5.5 and patches of qmail know only this form; others have both.
test_auth_with_an_equals_sign_is_understood() {
	printf '%s\n' 'auth=PLAIN LOGIN' 'SIZE=1' 'AUTHX=PLAIN' >"$T/input"
	unit_gives ehlo take <<-'END'
	AUTH PLAIN LOGIN
	END
	printf '%s\n' 'AUTH=LOGIN' 'AUTH PLAIN SCRAM-SHA-256' 'AUTH=CRAM-MD5' >"$T/input"
	unit_gives ehlo take <<-'END'
	AUTH PLAIN SCRAM-SHA-256
	END
	printf '%s\n' 'AUTH=' >"$T/input"
	unit_gives ehlo take <<-'END'
	AUTH
	END
}

test_with_an_equals_sign_it_is_the_whole_list() {
	offered DATABYTES=1000 'MSA_EHLO==PIPELINING,SIZE,AUTH PLAIN,STARTTLS' <<-'END'
	250-mx.example.net
	250-PIPELINING
	250 SIZE 1000
	END
}

# usage: wrong <table
wrong() {
	cat >"$T/want"
	sed 's/ =>.*//' "$T/want" | test-unit ehlo wrong >"$T/got"
	assert_same 'values of MSA_EHLO' "$T/want" "$T/got"
}

test_a_list_with_other_separators_is_invalid() {
	wrong <<-'END'
	8BITMIME,DSN => ok
	8BITMIME, DSN , SMTPUTF8 => ok
	 => ok
	, => ok
	=8BITMIME,DSN => ok
	SIZE 5000,DELIVERBY 600,MT-PRIORITY MIXER,NO-SOLICITING a:b,AUTH PLAIN LOGIN => ok
	X-FOO a=b c,XCLIENT NAME ADDR => ok
	SMTPUTF8 DSN => invalid
	8BITMIME  => ok
	smtputf8 x => invalid
	=PIPELINING SIZE 8BITMIME => invalid
	SIZE DSN => invalid
	XFOO dsn => invalid
	8BITMIME;DSN => invalid
	8BITMIME,@/etc/offers => invalid
	@/etc/offers => invalid
	=@/etc/offers => invalid
	-X => invalid
	"8BITMIME" => invalid
	8BITMIME\tDSN => invalid
	caf\xc3\xa9 => invalid
	DELIVERBY \x01 => invalid
	END
}

test_a_next_hops_limits_are_its_own() {
	printf '%s\n' 'LIMITS RCPTMAX=100 MAILMAX=5' 'NO-SOLICITING a:b,c:d' >"$T/input"
	unit_gives ehlo take <<-'END'
	LIMITS RCPTMAX=100 MAILMAX=5
	NO-SOLICITING a:b,c:d
	END
	offered MSA_MAILMAX=7 MSA_SOLICIT=e:f 'MSA_EHLO=LIMITS RCPTMAX=100 MAILMAX=5
NO-SOLICITING a:b' <<-'END'
	250-mx.example.net
	250-PIPELINING
	250-SIZE
	250-ENHANCEDSTATUSCODES
	250-PRDR
	250-LIMITS RCPTMAX=1000 MAILMAX=7
	250-CHUNKING
	250 NO-SOLICITING a:b,e:f
	END
}

test_a_size_is_a_number_of_any_length() {
	for line in 'SIZE' 'SIZE 0' 'SIZE x' 'SIZE -5'; do
		echo "$line" >"$T/input"
		unit_gives ehlo take <<-'END'
		SIZE
		END
	done
	echo 'SIZE 99999999999999999999' >"$T/input"
	unit_gives ehlo take <<-'END'
	SIZE 999999999999999999
	END
}

test_long_parameters_are_cut_and_no_more_read() {
	echo "AUTH $(text_repeat 4000 A)" >"$T/input"
	test-unit ehlo take <"$T/input" >"$T/got"
	assertEquals 261 "$(wc -c <"$T/got" | tr -d ' ')"
}

test_nothing_offered_is_one_line() {
	: >"$T/input"
	test-unit ehlo reply <"$T/input" | tr -d '\r' >"$T/got"
	assertEquals '250 mx.example.net' "$(cat "$T/got")"
}

test_our_name() {
	assertEquals 'mail.example.net' "$(MSA_HOST=mail.example.net test-unit ehlo host </dev/null)"
	assertEquals "$(hostname)" "$(test-unit ehlo host </dev/null)"
	assertEquals "$(hostname)" "$(MSA_HOST='' test-unit ehlo host </dev/null)"
}

. "$SHUNIT2"
