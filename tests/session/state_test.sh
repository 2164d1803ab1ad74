#!/bin/sh
# What a worker's second client sees of its first: nothing. Its call goes as the same call of a fresh resident does.
# ISC licence, see LICENSE.
# shellcheck disable=SC2154,SC2016,SC2034
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

oneTimeSetUp() {
	export MSA_HOST=mx.test
	chain_default
	printf 'wonderland\n' | msa-passwd -i 4096 "$T/users.cdb" alice
	# What a next program is given goes to $T/given.
	program_make dump <<-'X'
		#!/bin/sh
		{
			env | grep -v -e '^_=' -e '^MSA_DEADLINE=' -e '^MSA_MESSAGE=' -e '^MSA_SESSION=' | sort
			cat
			[ -z "$MSA_MESSAGE" ] || cat <&3
		} >>"$T/given"
		echo '250 2.0.0 taken'
	X
	: >"$T/given"
}

tearDown() {
	resident_stop_all
	rm -f "$T"/*.log
}

# usage: clean; standard input without what differs each time
clean() {
	sed -E 's/[A-Z][a-z]{2}, [0-9]+ [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [-+][0-9]{4}/DATE/; s/message [0-9a-z]{14}/message ID/
		s/\bid [0-9a-z]{14}/id ID/; s/^Message-ID:.*/Message-ID: ID/'
}

# The second of two calls goes as the first of a fresh resident: functions first and second, each of which appends to
# $T/seen; then the resident's command line. usage: same_after_a_first_call stage [option ...]
same_after_a_first_call() {
	for round in used fresh; do
		resident_start it "$@" -P 1:1 "$T/dump"
		it=$(resident_worker it)
		[ $round = fresh ] || { first >/dev/null; wait_until idle_again "$it"; }
		: >"$T/given"
		: >"$T/seen"
		second
		cat "$T/seen" "$T/given" | clean >"$T/$round"
		assertEquals 'one worker served both' "$it" "$(resident_worker it)"
		resident_stop it
	done
	assertTrue 'it was served' "[ -s $T/fresh ]"
	assert_same "$1: the second client's call" "$T/fresh" "$T/used"
}

# All the facts that there are, for a first call.
rich() {
	SMTPAUTHUSER=alice SMTPAUTHMETHOD=PLAIN SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_256_GCM_SHA384 \
		SSL_CIPHER_USEKEYSIZE=256 SSL_TLS_SNI_SERVERNAME=sni.example SSL_PEER_CERT_HASH=SHA256:00 \
		SSL_PEER_CERT_SUBJECT=/CN=alice RELAYCLIENT='' MSA_X_ONE=1 MSA_HELO=first.example MSA_VERB=EHLO \
		TCPREMOTEIP=192.0.2.1 TCPREMOTEHOST=first.example DATABYTES=100000 MSA_EHLO='DSN' MSA_PARTIAL='' "$@"
}

test_submitd() {
	first() {
		printf '> MAIL FROM:<first@b.example> RET=HDRS\n<\n> RCPT TO:<x@d.example>\n<\n>> DAT\nclose\n' |
			rich talk call "$T/it"
		wait_until idle_again "$it"
		printf '> MAIL FROM:<first@b.example>\n<\n> RCPT TO:<x@d.example>\n<\n> DATA\n<\n>> Subject: f\\r\\n\\r\\nhalf\nclose\n' |
			rich talk call "$T/it"
	}
	second() {
		printf '<\n> EHLO second\n<\n> MAIL FROM:<s@b.example>\n<\n> RCPT TO:<a@b.example>\n<\n> DATA\n<\n> QUIT\n<<\n' |
			talk call "$T/it" >>"$T/seen"
		printf '<\n> RCPT TO:<a@b.example>\n<\n> HELO x\n<\n> MAIL FROM:<s@b.example>\n<\n> RCPT TO:<a@b.example>\n<\n%s' \
			'> DATA
			< 
			> Subject: second
			> .
			<
			> QUIT
			<<
' | sed 's/^	*//' | RELAYCLIENT='' talk call "$T/it" >>"$T/seen"
	}
	same_after_a_first_call submitd
	assertEquals 'not authenticated' '530 5.7.0 Authentication required' "$(grep '^530' "$T/used" | head -n 1)"
	assertTrue 'its own message' "grep -q 'Subject: second' $T/used"
	assertFalse 'nothing of the first' "grep -q -e first -e alice -e SSL_P -e SSL_CI -e SSL_T -e MSA_X $T/used"
}

# It has only its listener, its pipes and the log open, and the program that it ran has ended.
idle_again() {
	! pgrep -P "$1" >"$T/children" && [ -z "$(find "/proc/$1/fd" -lname 'socket:*' -printf '%f\n' 2>/dev/null | sed 1d)" ]
}

test_authd() {
	first() {
		printf '<\n> EHLO first.example\n<\n> AUTH LOGIN\n<\n> YWxpY2U=\n<\n>> d29u\nclose\n' | rich talk call "$T/it"
		wait_until idle_again "$it"
		printf '<\n> EHLO first.example\n<\n> AUTH PLAIN %s\n<\n> x\nclose\n' \
			"$(printf '\0alice\0wonderland' | base64 -w0)" | rich talk call "$T/it"
	}
	second() {
		printf '<\n> AUTH PLAIN\n<\n> EHLO second\n<\n> AUTH PLAIN\n<\n> MAIL FROM:<a@b.example>\n<\n> QUIT\n<<\n' |
			talk call "$T/it" >>"$T/seen"
		printf '<\n> HELO second\n<\n> MAIL FROM:<a@b.example>\nshut\n<<\n' | RELAYCLIENT='' talk call "$T/it" >>"$T/seen"
	}
	same_after_a_first_call authd -u "$T/users.cdb"
	assertFalse 'AUTH is not offered without TLS' "grep -q '^250.AUTH' $T/used"
	assertTrue 'the next program has its own facts' "grep -q 'MSA_HELO=second' $T/used"
	assertFalse 'nothing of the first' "grep -q -e first -e alice -e SSL_P -e SSL_CI -e SSL_T -e MSA_X $T/used"
}

# A server that says what it is told, and of whom.
test_resume() {
	program_make told <<-'END'
		#!/bin/sh
		printf '220 x\r\n'
		while read -r l; do
			{ printf '%s\n' "$l"; env | grep -e ^SSL_ -e ^SMTPAUTH -e ^MSA_ -e ^TCPREMOTE -e ^RELAY | grep -v ^MSA_SESSION; } >>"$T/given"
			case $l in QUIT*) printf '221 bye\r\n'; exit ;; esac
			printf '250 %s\r\n' "${l%?}"
		done
	END
	first() {
		printf '> NOOP\n<\n>> MAIL FROM:<fir\nclose\n' | rich talk call "$T/it"
		wait_until idle_again "$it"
	}
	second() {
		printf '> NOOP\n<\n> QUIT\n<<\n' | MSA_VERB=HELO MSA_HELO=second SMTPAUTHUSER=bob talk call "$T/it" >>"$T/seen"
		wait_until idle_again "$it"
		printf '<\n> QUIT\n<<\n' | talk call "$T/it" >>"$T/seen"
	}
	same_after_a_first_call resume "$T/told"
	assertTrue 'its own greeting' "grep -q 'HELO second' $T/used"
	assertFalse 'nothing of the first' "grep -q -e first -e alice -e SSL_P -e SSL_CI -e SSL_T -e MSA_X $T/used"
}

# usage: message_call; the first has all facts and another message, the second few
two_messages() {
	first() {
		printf 'From: first@b.example\r\nBcc: x@d.example\r\nReceived: x\r\n\r\nfirst\r\n' >"$T/message"
		printf 'MAIL FROM:<first@b.example> SMTPUTF8\nRCPT TO:<c@d.example>\n550 5.7.1 Not to f\n' >"$T/envelope"
		rich chain_give MSA_RCPTS=2 call "$T/it"
		chain_default
	}
	second() {
		chain_give call "$T/it"
		cat "$T/verdict" >>"$T/seen"
	}
}

test_qualify() {
	two_messages
	printf '+1,1:a->x\n\n' | cdb -c "$T/table.cdb"
	printf 'From: a@b.example\r\n\r\nbody\r\n' >"$T/message"
	same_after_a_first_call qualify -d example.net -u "$T/table.cdb"
	assertFalse 'nothing of the first' "grep -q -e first -e alice -e SSL_P -e SSL_CI -e SSL_T -e MSA_X $T/used"
}

test_stamp() {
	two_messages
	same_after_a_first_call stamp -s
	assertTrue 'a plain client' "grep -q 'with SMTP id' $T/used"
	assertFalse 'nothing of the first' "grep -q -e first -e alice -e SSL_P -e SSL_CI -e SSL_T -e MSA_X $T/used"
}

test_filter() {
	two_messages
	for round in used fresh; do
		resident_start it filter -P 1:1 'env | grep -c -e SSL_P -e SSL_CI -e SSL_T -e MSA_X >&2; cat' "$T/dump"
		[ $round = fresh ] || { first >/dev/null; wait_until idle_again "$it"; }
		: >"$T/given"
		: >"$T/seen"
		second
		cat "$T/seen" "$T/given" | clean >"$T/$round"
		resident_stop it
	done
	assert_same 'filter' "$T/fresh" "$T/used"
	assertTrue "$(cat "$T/used")" "grep -q '^250' $T/used"
}

test_maildir_inject() {
	two_messages
	for round in used fresh; do
		rm -rf "$T/mail"
		mkdir "$T/mail"
		resident_start it maildir-inject -P 1:1 "$T/mail"
		[ $round = fresh ] || { first >/dev/null; wait_until idle_again "$it"; }
		rm -rf "${T:?}/mail/"* # the directory stays: the resident may write below this one only
		: >"$T/seen"
		second
		(cd "$T/mail" && find . -type f -exec cat {} + && find . -type d | sort) >>"$T/seen"
		clean <"$T/seen" >"$T/$round"
		resident_stop it
	done
	assert_same 'maildir-inject' "$T/fresh" "$T/used"
	assertTrue "$(cat "$T/used")" "grep -q '^250' $T/used"
	rm -rf "$T/mail"
}

. "$SHUNIT2"
