#!/bin/sh
# resume: a foreign server hears the client's greeting again, and the client nothing of it.
# ISC licence, see LICENSE.
# shellcheck disable=SC2016 # what is quoted is for the server
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

MSA_HOST=mail.example.net MSA_SESSION=session
export MSA_HOST MSA_SESSION
TROUBLE='421 4.3.0 Local trouble, closing the connection'

# A server like those of inetd: it says what it hears to the file "heard", and keeps state.
oneTimeSetUp() {
	program_make server <<-'END'
		#!/bin/sh
		printf '220-foreign ESMTP\r\n220 at your service\r\n'
		hello=
		while IFS= read -r l; do
			l=${l%?}
			printf '%s\n' "$l" >>"$T/heard"
			case $l in
			EHLO*|LHLO*) hello=1; printf '250-foreign\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n' ;;
			HELO*) hello=1; printf '250 foreign\r\n' ;;
			QUIT*) printf '221 bye\r\n'; exit ;;
			MAIL*) [ -n "$hello" ] && printf '250 ok %s\r\n' "$SMTPAUTHUSER" || printf '503 no hello\r\n' ;;
			*) printf '250 %s\r\n' "$l" ;;
			esac
		done
		echo gone >>"$T/heard"
	END
}

setUp() {
	rm -f "$T/heard"
}

tearDown() {
	resident_stop_all
}

# Talk to what a client meets that was greeted before. usage: session resume [option ...] server
keywords='=PIPELINING,8BITMIME,CHUNKING' # that the server has
session() {
	env ${keywords:+MSA_EHLO="$keywords"} MSA_VERB=${verb-EHLO} MSA_HELO=client.example SMTPAUTHUSER=alice TCPREMOTEIP=${ip-192.0.2.1} \
		talk -x "$@" >"$T/out" 2>"$T/log"
}

heard() {
	printf '%s\n' "$@" >"$T/want"
	wait_until cmp -s "$T/want" "$T/heard"
	assert_same 'what the server heard' "$T/want" "$T/heard"
}

test_the_greeting_is_said_again_and_nobody_hears_it() {
	for verb in EHLO HELO LHLO; do
		rm -f "$T/heard"
		session resume "$T/server" <<-'END'
			> MAIL FROM:<a@example.net>
			<
			>> RCPT TO:<b@example.net>\r\nNOOP\r\n
			<
			<
			> QUIT
			<<
		END
		assert_out "$verb" <<-'END'
			250 ok alice
			250 RCPT TO:<b@example.net>
			250 NOOP
			221 bye
			EOF
			exit 0
		END
		heard "$verb client.example" 'MAIL FROM:<a@example.net>' 'RCPT TO:<b@example.net>' NOOP QUIT
		assertEquals 'no log' '' "$(cat "$T/log")"
	done
	unset verb
}

test_what_waits_already_is_passed_and_pipes_do() {
	session -p resume "$T/server" <<-'END'
		>> MAIL FROM:<a@example.net>\r\nQUIT\r\n
		<<
	END
	assert_out pipes <<-'END'
		250 ok alice
		221 bye
		EOF
		exit 0
	END
}

test_without_a_greeting_the_server_greets_itself() {
	printf '<\n> MAIL FROM:<>\n<\n> QUIT\n<<\n' | talk -x resume "$T/server" >"$T/out" 2>"$T/log"
	assert_out 'its own' <<-'END'
		220-foreign ESMTP
		220 at your service
		503 no hello
		221 bye
		EOF
		exit 0
	END
	program_make pid <<-'END'
		#!/bin/sh
		echo "$$ $(ps -o ppid= -p $$)"
	END
	echo '<<' | talk resume "$T/pid" >"$T/out"
	assertFalse 'nobody stays' "grep -q resume /proc/$(sed 's/.* //; s/\\n$//' "$T/out" | head -n 1)/comm 2>/dev/null"
}

test_a_name_that_the_server_does_not_take_is_replaced_by_the_address() {
	program_make picky <<-'END'
		#!/bin/sh
		printf '220 x\r\n'
		read -r l; printf '%s\n' "$l" | tr -d '\r' >>"$T/heard"; printf '501 bad name\r\n'
		read -r l; printf '%s\n' "$l" | tr -d '\r' >>"$T/heard"; printf '250-x\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n'
		read -r l; printf '221 bye\r\n'
	END
	printf '> QUIT\n<<\n' | session resume "$T/picky"
	printf '%s\n' '221 bye' EOF 'exit 0' | assert_out taken
	heard 'EHLO client.example' 'EHLO [192.0.2.1]'
	rm "$T/heard"
	printf '> QUIT\n<<\n' | ip=2001:db8::1 session resume "$T/picky"
	heard 'EHLO client.example' 'EHLO [IPv6:2001:db8::1]'
}

test_what_was_promised_and_is_lacking_is_logged() {
	program_make poor <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; printf '250-x\r\n250 SIZE\r\n'; read -r l; printf '221 bye\r\n'
	END
	printf '> QUIT\n<<\n' | keywords='=SIZE' session resume "$T/poor"
	assertEquals 'nothing was promised' '' "$(cat "$T/log")"
	printf '> QUIT\n<<\n' | keywords='' session resume "$T/poor"
	printf '%s\n' '221 bye' EOF 'exit 0' | assert_out session
	assertEquals "resume: session lacks server=$T/poor keywords=PIPELINING,8BITMIME,PRDR,CHUNKING" "$(cat "$T/log")"
}

# usage: failing reason-in-the-log ; the server is standard input
failing() {
	program_make bad
	printf '<<\n' | session resume -t 1 "$T/bad"
	printf '%s\n' "$TROUBLE" EOF 'exit 111' | assert_out "$1"
	assertEquals "one line: $(cat "$T/log")" 1 "$(wc -l <"$T/log")"
	assertTrue "$1: $(cat "$T/log")" "grep -q '^resume: session failed server=$T/bad reason=$1' '$T/log'"
}

test_no_server_is_421() {
	failing '"the server ended"' <<-'END'
		#!/bin/sh
	END
	failing '"the server refuses" code=554 text="554 no"' <<-'END'
		#!/bin/sh
		printf '554-no\r\n554 no\r\n'; cat >/dev/null
	END
	failing '"the server refuses" code=550' <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; while read -r l; do printf '550 go away\r\n'; done
	END
	failing '"the server refuses" code=451' <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; while read -r l; do printf '451 later\r\n'; done
	END
	failing '"the server ended"' <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l
	END
	failing '"no valid reply"' <<-'END'
		#!/bin/sh
		printf 'hello\r\n'; cat >/dev/null
	END
	failing '"no valid reply"' <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; printf '250-a\r\n251 b\r\n'; cat >/dev/null
	END
	failing '"no valid reply"' <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; yes "$(printf '250-a\r')" 2>/dev/null
	END
	failing '"no valid reply"' <<-'END'
		#!/bin/sh
		printf '220 %0600d\r\n' 0; cat >/dev/null
	END
	failing '"no reply in time"' <<-'END'
		#!/bin/sh
		cat >/dev/null
	END
	failing '"no reply in time"' <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; cat >/dev/null
	END
	printf '<<\n' | session resume "$T/missing"
	printf '%s\n' "$TROUBLE" EOF 'exit 111' | assert_out missing
	assertTrue "missing: $(cat "$T/log")" "grep -q 'next program $T/missing: No such file' '$T/log'"
}

test_an_end_without_221_is_told_where_a_reply_may_stand() {
	program_make ends <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; printf '250 x\r\n'; read -r l; printf "250 ok\r\n"
	END
	verb=HELO
	printf '> NOOP\n<<\n' | session resume "$T/ends"
	printf '%s\n' '250 ok' "$TROUBLE" EOF 'exit 0' | assert_out told
	assertTrue 'logged' "grep -qx 'resume: session next reason=\"it ended without 221 or 421\"' '$T/log'"
	program_make ends <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; printf '250 x\r\n421 4.3.2 enough\r\n'
	END
	printf '<<\n' | session resume "$T/ends"
	printf '%s\n' '421 4.3.2 enough' EOF 'exit 0' | assert_out 'its own 421, said with its reply'
	program_make ends <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; printf '250 x\r\n'; read -r l; printf '250-half\r\n'
	END
	printf '> NOOP\n<<\n' | session resume "$T/ends"
	printf '%s\n' '250-half' EOF 'exit 0' | assert_out 'not within a reply'
	unset verb
}

test_a_client_that_leaves_ends_the_server() {
	printf '> NOOP\n<\nclose\n' | session resume "$T/server"
	assertEquals "$(printf '250 NOOP\nexit 0')" "$(cat "$T/out")"
	heard 'EHLO client.example' NOOP gone
	printf '> NOOP\n<\nshut\n<<\n' | session resume "$T/server"
	assertEquals "$(printf '250 NOOP\nEOF\nexit 0')" "$(cat "$T/out")"
}

test_five_megabytes_pass_both_ways() {
	program_make cat <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; printf '250 x\r\n'; exec cat
	END
	text_random 5000000 >"$T/big"
	MSA_VERB=HELO MSA_HELO=x resume "$T/cat" <"$T/big" >"$T/back" 2>"$T/log"
	code=$?
	assertEquals "log: $(cat "$T/log")" 0 "$code"
	assertTrue 'all octets' "cmp '$T/big' '$T/back'"
}

# What comes with the reply that is swallowed is the client's, however much it is.
test_much_that_comes_with_the_last_reply_reaches_the_client() {
	python3 -c 'print("250 " + "y" * 60000, end="\r\n")' >"$T/much"
	program_make burst <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l
		{ printf '250 x\r\n'; cat "$T/much"; } >"$T/octets"
		python3 -c 'import os, sys; os.write(1, open(sys.argv[1], "rb").read())' "$T/octets"
		read -r l; printf '221 bye\r\n'
	END
	printf 'QUIT\r\n' | MSA_VERB=HELO MSA_HELO=x resume "$T/burst" >"$T/back" 2>"$T/log"
	code=$?
	assertEquals "log: $(cat "$T/log")" 0 "$code"
	printf '221 bye\r\n' | cat "$T/much" - >"$T/want"
	assertTrue 'all of it' "cmp '$T/want' '$T/back'"
}

test_the_server_gets_its_descriptors_and_no_others() {
	program_make fds <<-'END'
		#!/bin/sh
		printf '220 x\r\n'; read -r l; printf '250 x\r\n'; read -r l
		ls /proc/self/fd >"$T/fds"
		printf '221 %s\r\n' "$(readlink /proc/$$/fd/0 | sed 's/:.*//') $(env | grep -c '^MSA_MESSAGE=')"
	END
	printf '> NOOP\n<<\n' | MSA_MESSAGE=forged verb=HELO session resume "$T/fds" 5</dev/null
	printf '%s\n' '221 socket 0' EOF 'exit 0' | assert_out fds
	assertEquals '0 1 2 and ls'"'"'s own' '0 1 2 3 ' "$(tr '\n' ' ' <"$T/fds")"
}

# How many descriptors a resident's worker has when it waits for a call. It ends its call after its client has.
held_by() {
	wait_until no_child "$(resident_worker "$1")"
	find "/proc/$(resident_worker "$1")/fd" -type l | wc -l
}

no_child() {
	! pgrep -P "$1" >/dev/null
}

test_a_resident_serves_one_call_after_another() {
	resident_start again resume -P 1 "$T/server"
	for n in 1 2 3; do
		verb=EHLO session call "$T/again" <<-'END'
			> MAIL FROM:<a@example.net>
			<
			> QUIT
			<<
		END
		printf '%s\n' '250 ok alice' '221 bye' EOF 'exit 0' | assert_out "call $n"
		held=${held:-$(held_by again)}
	done
	program_make bad <<-'END'
		#!/bin/sh
		exit 1
	END
	resident_start broken resume -P 1 "$T/bad"
	for n in 1 2; do
		printf '<<\n' | session call "$T/broken"
		printf '%s\n' "$TROUBLE" EOF 'exit 0' | assert_out "trouble $n"
	done
	printf '<\n> QUIT\n<<\n' | talk -x call "$T/again" >"$T/out"
	printf '%s\n' '220-foreign ESMTP' '220 at your service' '221 bye' EOF 'exit 0' | assert_out 'without a greeting'
	assertEquals 'it holds nothing of its calls' "$held" "$(held_by again)"
	worker=$(resident_worker again)
	assertEquals 'no zombies' 0 "$(ps -o stat= --ppid "$worker" | grep -c Z)"
}

test_a_resident_that_is_stopped_tells_who_waits_for_a_server() {
	program_make mute <<-'END'
		#!/bin/sh
		touch "$T/waiting"; cat >/dev/null
	END
	rm -f "$T/waiting"
	resident_start waits resume -P 1 "$T/mute"
	printf '<<\n' | session call "$T/waits" &
	talking=$!
	wait_until [ -e "$T/waiting" ]
	eval 'kill "$waits_pid"'
	wait "$talking"
	printf '%s\n' '421 4.3.2 Service not available, closing the connection' EOF 'exit 0' | assert_out stopped
}

test_misuse_is_100() {
	for options in '' '-t 0 true' '-t x true' '-t +5 true' '-y true'; do
		# shellcheck disable=SC2086
		resume $options </dev/null >"$T/out" 2>"$T/log"
		assertEquals "'$options'" 100 $?
		case $options in
		'-t '*) assertEquals "resume: ${options% true}: not a number from 1 to 3600" "$(cat "$T/log")" ;;
		*) assertTrue 'usage' "grep -q '^usage: resume ' '$T/log'" ;;
		esac
	done
	for seconds in ' +5' ' 5' +5 5x ''; do
		timeout 20 resume -t "$seconds" true </dev/null >"$T/out" 2>"$T/log"
		assertEquals "-t '$seconds'" 100 $?
	done
}

# A server on TCP that takes XCLIENT; what it offers and answers is in $offers and $answer. usage: xserver_start
xserver_start() {
	program_make xserver <<-'END'
		#!/bin/sh
		printf '220 tcp.example ESMTP\r\n'
		while IFS= read -r l; do
			l=${l%?}
			printf '%s\n' "$l" >>"$T/heard"
			case $l in
			EHLO*|LHLO*) printf '250-tcp.example\r\n250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n' "$offers" ;;
			HELO*) printf '250 tcp.example\r\n' ;;
			XCLIENT*) printf '%s\r\n' "$answer" ;;
			QUIT*) printf '221 bye\r\n'; exit ;;
			*) printf '250 %s\r\n' "$l" ;;
			esac
		done
	END
	port=$(port_free)
	offers=${offers-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR} answer=${answer-220 tcp.example ESMTP again} \
		tcpserver -HRl localhost 127.0.0.1 "$port" "$T/xserver" 2>/dev/null &
	xserver=$!
	wait_until port_accepts "$port"
}

xserver_stop() {
	kill "$xserver"
	wait "$xserver" 2>/dev/null
}

# usage: talked resume option ...
talked() {
	printf '> NOOP\n<\n> QUIT\n<<\n' | session "$@"
}

test_a_server_on_tcp_is_told_who_the_client_is() {
	needs tcpserver || return 0
	xserver_start
	while IFS='|' read -r greeted address user facts want; do
		rm -f "$T/heard"
		printf '> NOOP\n<\n> QUIT\n<<\n' |
			env MSA_EHLO='=PIPELINING,CHUNKING' MSA_VERB="$greeted" MSA_HELO=client.example SMTPAUTHUSER="$user" TCPREMOTEIP="$address" \
				${facts:+"$facts"} talk -x resume -x "127.0.0.1:$port" >"$T/out" 2>"$T/log"
		assertEquals "$want" '250 NOOP|221 bye|EOF|exit 0' "$(paste -sd '|' "$T/out")"
		assertEquals 'no log' '' "$(cat "$T/log")"
		first=EHLO
		[ "$greeted" != LHLO ] || first=LHLO
		heard "$first client.example" "XCLIENT $want" "$greeted client.example" NOOP QUIT
	done <<-'X'
		EHLO|192.0.2.1|alice@example.net||ADDR=192.0.2.1 LOGIN=alice@example.net PORT=[UNAVAILABLE] PROTO=ESMTP NAME=[UNAVAILABLE] HELO=client.example
		HELO|2001:db8::7|al ice+=|TCPREMOTEPORT=4711|ADDR=IPV6:2001:db8::7 LOGIN=al+20ice+2B+3D PORT=4711 PROTO=SMTP NAME=[UNAVAILABLE] HELO=client.example
		LHLO|192.0.2.1||TCPREMOTEHOST=c.example|ADDR=192.0.2.1 LOGIN=[UNAVAILABLE] PORT=[UNAVAILABLE] PROTO=LMTP NAME=c.example HELO=client.example
	X
	xserver_stop
}

test_only_what_the_server_offers_is_told() {
	needs tcpserver || return 0
	offers='XCLIENT ADDR LOGIN'
	xserver_start
	unset offers
	talked resume -x "127.0.0.1:$port"
	assertEquals '250 NOOP|221 bye|EOF|exit 0' "$(paste -sd '|' "$T/out")"
	heard 'EHLO client.example' 'XCLIENT ADDR=192.0.2.1 LOGIN=alice' 'EHLO client.example' NOOP QUIT
	xserver_stop
}

# Nobody is let through who would be taken for ourselves.
test_a_server_that_cannot_be_told_is_not_used() {
	needs tcpserver || return 0
	long=$(printf '%0600d' 0)
	while IFS='|' read -r offers answer want; do
		export offers answer
		rm -f "$T/heard"
		xserver_start
		echo "<<" | session resume -x "127.0.0.1:$port"
		assertEquals "$offers $answer" "$TROUBLE|EOF|exit 111" "$(paste -sd '|' "$T/out")"
		assertTrue "$offers $answer: $(cat "$T/log")" "grep -q '$want' '$T/log'"
		xserver_stop
	done <<-X
		SIZE|220 x|no XCLIENT ADDR for us
		XCLIENTS ADDR LOGIN|220 x|no XCLIENT ADDR for us
		XCLIENT ADDR|220 x|no XCLIENT LOGIN for us
		XCLIENT ADDR LOGIN|501 5.5.4 Bad|the server refuses. code=501
		XCLIENT ADDR LOGIN|250 ok|the server refuses. code=250
		XCLIENT ADDR LOGIN|hello|no valid reply
		XCLIENT ADDR LOGIN|220 $long|no valid reply
	X
	unset offers answer
	echo "<<" | session resume -x "127.0.0.1:$port"
	assertEquals 'nobody listens' "$TROUBLE|EOF|exit 111" "$(paste -sd '|' "$T/out")"
	assertTrue "$(cat "$T/log")" "grep -q 'failed server=127.0.0.1:$port reason=\"Connection refused\"' '$T/log'"
	echo "<<" | session resume -x "192.0.2.9:25"
	assertEquals 'another machine' "$TROUBLE|EOF|exit 111" "$(paste -sd '|' "$T/out")"
}

test_a_user_whose_name_does_not_fit_is_not_let_through() {
	needs tcpserver || return 0
	xserver_start
	env MSA_EHLO='=CHUNKING' MSA_VERB=EHLO MSA_HELO=c.example SMTPAUTHUSER="$(printf '%0500d' 0)" TCPREMOTEIP=192.0.2.1 \
		talk -x resume -x "127.0.0.1:$port" </dev/null >"$T/out" 2>"$T/log"
	assertTrue "$(cat "$T/log")" "grep -q 'Message too long' '$T/log'"
	heard 'EHLO c.example'
	xserver_stop
}

test_a_client_without_a_greeting_gets_the_one_after_xclient() {
	needs tcpserver || return 0
	xserver_start
	printf '<\n> EHLO me.example\n<\n> QUIT\n<<\n' | TCPREMOTEIP=192.0.2.1 talk -x resume -x "127.0.0.1:$port" >"$T/out" 2>"$T/log"
	assertEquals '220 tcp.example ESMTP again' "$(head -n 1 "$T/out")"
	assertTrue 'its own offers' "grep -q '^250 CHUNKING' '$T/out'"
	xserver_stop
}

test_misuse_of_x() {
	for words in "-x 127.0.0.1:25 $T/server" '-x 127.0.0.1' '-p' "-p $T/server"; do
		# shellcheck disable=SC2086
		resume $words </dev/null >"$T/out" 2>"$T/err"
		assertEquals "$words" 100 $?
	done
}

. "$SHUNIT2"
