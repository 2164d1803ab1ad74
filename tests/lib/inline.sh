# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154
# What the tests of inline share: a message as a client says it, a server for it, and what was heard.
# ISC licence, see LICENSE.

# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1 RELAYCLIENT=''
	lmtpd_pid=
	# What it is given goes to $T/given, and is accepted.
	program_make dump <<-'X'
		#!/bin/sh
		{
			env | grep -v -e '^_=' -e '^PWD=' -e '^OLDPWD=' -e '^MSA_DEADLINE=' | sort
			cat
			cat <&3
		} >>"$T/given"
		echo '250 2.0.0 taken'
	X
}

tearDown() {
	resident_stop_all
	[ -z "$lmtpd_pid" ] || kill "$lmtpd_pid" 2>/dev/null
	wait
	lmtpd_pid=
	rm -f "$T"/*.log "$T/given" "$T/rec" "$T/out" "$T/ended" "$T/children"
}

# The script of a message for talk, each reply awaited. usage: inline_letter subject [recipient ...]
inline_letter() {
	subject=$1
	shift
	[ $# -gt 0 ] || set -- bob@example.org
	printf '> MAIL FROM:<alice@example.net>\n<\n'
	for rcpt; do
		printf '> RCPT TO:<%s>\n<\n' "$rcpt"
	done
	printf '> DATA\n<\n>> From: alice@example.net\\r\\nSubject: %s\\r\\n\\r\\nHello\\r\\n.\\r\\n\n<\n' "$subject"
}

# A session of the letters of standard input; $T/out is what the client hears. usage: inline_session program ...
inline_session() {
	{
		printf '<\n> EHLO client\n<\n'
		cat
		printf '> QUIT\n<<\n'
	} | talk "$@" >"$T/out" 2>"$T/log"
}

# What is different each time. usage: inline_masked <text
inline_masked() {
	sed -E 's/[A-Z][a-z]{2}, [ 0-9]?[0-9] [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [-+][0-9]{4}/DATE/; s/ms=[0-9]+/ms=N/
		s/session\/[0-9a-z]{14}/session\/ID/; s/(message |id |report=)[0-9a-z]{14}/\1ID/; s/<[0-9a-z]{14}@/<ID@/
		s/^MSA_MESSAGE=[0-9a-z]{14}$/MSA_MESSAGE=ID/; s/"=_M\..*"|=_M\.[0-9a-z]{14}/BOUNDARY/'
}

# What the client heard of its messages, without the session around. usage: inline_answers
inline_answers() {
	grep -v -e '^220 ' -e '^250-' -e '^250 [A-Z]' -e '^250 2\.1\.[05] ' -e ^354 -e ^221 -e ^EOF -e ^GONE "$T/out" | inline_masked
}

# usage: assert_inline_answers what line ...
assert_inline_answers() {
	what=$1
	shift
	printf '%s\n' "$@" >"$T/expected"
	inline_answers >"$T/answers"
	assert_same "$what" "$T/expected" "$T/answers"
}

inline_heard() {
	tr -d '\r' <"$T/rec" | inline_masked
}

# The verbs that the server heard.
inline_verbs() {
	tr -d '\r' <"$T/rec" | grep -o -E '^(LHLO|EHLO|STARTTLS|MAIL|RCPT|DATA|RSET|QUIT)' | tr '\n' ' '
}

inline_texts() {
	grep -c '^Hello' "$T/rec"
}

OK='250 2.0.0 Ok, message ID'
LOCAL='451 4.3.0 Local error, try again later'

# resident wants one word.
inline_submitd() {
	exec inline submitd "$@"
}

inline_qualify() {
	exec inline qualify "$@"
}
