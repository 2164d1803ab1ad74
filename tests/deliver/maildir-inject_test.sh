#!/bin/sh
# maildir-inject: what is in the Maildirs afterwards, and that nothing else is.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

setUp() {
	rm -rf "$T/mail"
	mkdir "$T/mail"
	chain_message 'Subject: test\r\n\r\nHello\r\n'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>'
}

local_error='451 4.3.0 Local error, try again later'
usage='usage: maildir-inject [-n] [-f sender] [-r recipient] [-l path [-A user] [-C calls] [-P min:max] [-R fd]] [-U user] directory'

# The files below the directory: how many there are in each MAILBOX/sub. usage: assert_files what line ...
assert_files() {
	what=$1
	shift
	for line; do
		printf '%s\n' "$line"
	done >"$T/expected"
	(cd "$T/mail" && find . -type f | sed 's,^\./,,; s,/[^/]*$,,' | sort | uniq -c | sed 's/^ *//') >"$T/files"
	assert_same "$what" "$T/expected" "$T/files"
}

# usage: assert_delivered mailbox printf-format
assert_delivered() {
	# shellcheck disable=SC2059
	printf "$2" >"$T/expected"
	cat "$T/mail/$1/new/"* >"$T/got"
	assert_same "$1" "$T/expected" "$T/got"
}

test_with_n_it_only_says_who_can_have_a_maildir() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<no/box@example.org>' 'RCPT TO:<carol@example.org>'
	chain_message ''
	chain_call maildir-inject -n "$T/mail"
	assert_verdict 'each his own' '250 2.1.5 Recipient ok' '550 5.1.1 No such mailbox here' '250 2.1.5 Recipient ok'
	assert_files 'nothing'
	assertEquals 'no directory either' '' "$(ls "$T/mail")"
}

test_a_message_is_delivered() {
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' '250 2.0.0 Delivered'
	assertEquals 'exit code' 0 "$code"
	assert_files 'files' '1 bob@example.org/new'
	assert_delivered bob@example.org 'Return-Path: <alice@example.net>\nSubject: test\n\nHello\n'
	assertEquals 'directories' 'drwx------' "$(stat -c %A "$T/mail/bob@example.org" "$T/mail/bob@example.org/"* | sort -u)"
	assertEquals 'file' '-rw-------' "$(stat -c %A "$T/mail/bob@example.org/new/"*)"
	basename "$T/mail/bob@example.org/new/"* | grep -q -E '^[0-9]{10}\.M[0-9]{6}P[0-9]+Q0R[0-9a-z]{14}\.[^/:]+$'
	assertTrue 'name' $?
	assert_logged '^maildir-inject: S/M reached rcpt=.*@.* reply="250 2.0.0 Delivered"$'
	assert_logged '^maildir-inject: S/M done to=.*/mail rcpts=1 accepted=1 ms=[0-9]* code=250$'
}

test_a_file_over_the_operators_limit_is_insufficient_storage() {
	{ cat "$T/msg"; head -c 100000 /dev/zero | tr '\0' x | fold -w 70 | sed 's/$/\r/'; } >"$T/long"
	mv "$T/long" "$T/msg"
	chain_call sh -c 'ulimit -f 100; exec maildir-inject "$0"' "$T/mail"
	assert_verdict 'verdict' '452 4.3.1 Insufficient storage, try again later'
	assert_logged 'failed reason="writing to bob@example.org: File too large"'
	assert_files 'nothing'
}

test_each_recipient_has_a_file_of_its_own() {
	chain_envelope '<>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' 'RCPT TO:<postmaster>' \
		'RCPT TO:<BOB@example.org>' 'COPY TO:<archive@example.net>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' '250 2.0.0 Delivered' '250 2.0.0 Delivered' '250 2.0.0 Delivered' '250 2.0.0 Delivered'
	assert_files 'files; letter case makes no mailbox' '1 archive@example.net/new' '2 bob@example.org/new' \
		'1 carol@example.org/new' '1 postmaster/new'
	assert_delivered postmaster 'Return-Path: <>\nSubject: test\n\nHello\n'
	assert_logged 'copy rcpt=archive@example.net reply="250 2.0.0 Delivered"'
	assertEquals 'no links' 1 "$(stat -c %h "$T/mail/carol@example.org/new/"*)"
}

test_only_crlf_becomes_lf() {
	chain_message 'a\r\n\r\r\nb\rc\r\n\n.\r\n\303\251 \0 x'
	chain_call maildir-inject "$T/mail"
	assert_delivered bob@example.org 'Return-Path: <alice@example.net>\na\n\r\nb\rc\n\n.\n\303\251 \0 x\n'
}

test_a_message_cannot_go_on_in_return_path() {
	for first in ' ' '\t'; do
		chain_message "$first"'(forged)\r\nSubject: test\r\n\r\nHello\r\n'
		chain_call maildir-inject "$T/mail"
		assert_verdict 'verdict' '554 5.6.0 Message is not valid'
	done
	assertEquals 'nothing was made' '' "$(ls -A "$T/mail")"
}

test_crlf_at_block_edges() {
	for n in 65533 65534 65535 65536 131071; do
		rm -rf "$T/mail/bob@example.org"
		python3 -c 'print("x" * '"$n"' + "\r\n" + "\r" * 5 + "y" * 70000, end="\r\n")' >"$T/msg"
		chain_call maildir-inject "$T/mail"
		{
			echo 'Return-Path: <alice@example.net>'
			python3 -c 'import sys; sys.stdout.write(open(sys.argv[1], newline="").read().replace("\r\n", "\n"))' "$T/msg"
		} >"$T/expected"
		cmp "$T/expected" "$T/mail/bob@example.org/new/"*
		assertTrue "text $n" $?
	done
	chain_message ''
	rm -rf "$T/mail/bob@example.org"
	chain_call maildir-inject "$T/mail"
	assert_delivered bob@example.org 'Return-Path: <alice@example.net>\n'
}

test_names_that_would_leave_the_directory_are_refused() {
	for name in 'a/b@example.org' '../x@example.org' '"/etc/x"@example.org' '"../../x"@example.org' \
		'"a/../../b"@example.org' .. . '' .x / x/; do
		chain_envelope '<alice@example.net>' "RCPT TO:<$name>"
		chain_call maildir-inject "$T/mail"
		case $(cat "$T/verdict") in
		"550 5.1.1 No such mailbox here
.") ;;
		"$local_error
.") assert_logged 'misuse reason="envelope: ' ;; # no canonical address, so no envelope at all
		*) fail "$name: $(cat "$T/verdict")" ;;
		esac
	done
	assertEquals 'nothing was made' '' "$(ls -A "$T/mail")"
	chain_envelope '<alice@example.net>' 'RCPT TO:<a/b@example.org>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'an address, but no name' '550 5.1.1 No such mailbox here'
	assertEquals 'exit code' 100 "$code"
}

test_odd_names_stay_one_name() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<"a b"@example.org>' 'RCPT TO:<"@"@example.org>' 'RCPT TO:<a@[192.0.2.1]>' \
		'RCPT TO:<a%b!c@example.org>' 'RCPT TO:<-x@example.org>' 'RCPT TO:<"a:b"@example.org>' \
		'RCPT TO:<".."@example.org>'
	chain_call maildir-inject "$T/mail"
	assertEquals 'accepted' 7 "$(grep -c '^250 2.0.0 Delivered$' "$T/verdict")"
	assert_files 'files' '1 ".."@example.org/new' '1 "@"@example.org/new' '1 "a b"@example.org/new' \
		'1 "a:b"@example.org/new' '1 -x@example.org/new' '1 a%b!c@example.org/new' '1 a@[192.0.2.1]/new'
}

test_capital_letters_make_no_other_mailbox() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<Bob@example.org>' 'RCPT TO:<bob@example.org>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' '250 2.0.0 Delivered' '250 2.0.0 Delivered'
	assert_files 'files' '2 bob@example.org/new'
}

test_the_longest_address_fits() {
	local_part=$(printf '%064d' 0)
	label=$(printf '%061d' 1)
	chain_envelope '<alice@example.net>' "RCPT TO:<$local_part@$label.$label.$label.de>"
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' '250 2.0.0 Delivered'
	assert_files 'files' "1 $local_part@$label.$label.$label.de/new"
}

test_all_or_none_when_one_cannot_be_written() {
	: >"$T/mail/carol@example.org"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' 'RCPT TO:<dave@example.org>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' "$local_error" "$local_error" "$local_error"
	assertEquals 'exit code' 111 "$code"
	assert_files 'nothing is left' '1 carol@example.org'
	assert_logged 'failed reason="writing to carol@example.org: Not a directory"'
	chain_call MSA_PARTIAL=1 maildir-inject "$T/mail"
	assert_verdict 'with MSA_PARTIAL' '250 2.0.0 Delivered' "$local_error" '250 2.0.0 Delivered'
	assert_files 'the others have it' '1 bob@example.org/new' '1 carol@example.org' '1 dave@example.org/new'
}

test_all_or_none_when_one_cannot_be_moved() {
	mkdir -p "$T/mail/carol@example.org/tmp"
	: >"$T/mail/carol@example.org/new"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>' 'RCPT TO:<dave@example.org>' \
		'COPY TO:<archive@example.net>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' "$local_error" "$local_error" "$local_error"
	assert_files 'what was delivered is taken back' '1 carol@example.org'
	chain_call MSA_PARTIAL=1 maildir-inject "$T/mail"
	assert_verdict 'with MSA_PARTIAL' '250 2.0.0 Delivered' "$local_error" '250 2.0.0 Delivered'
	assert_files 'the others have it' '1 archive@example.net/new' '1 bob@example.org/new' '1 carol@example.org' \
		'1 dave@example.org/new'
}

test_a_copy_that_fails_changes_nothing() {
	: >"$T/mail/archive@example.net"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'COPY TO:<archive@example.net>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' '250 2.0.0 Delivered'
	assert_logged 'copy rcpt=archive@example.net reply="451 4.3.0 Local error, try again later"'
	assert_files 'files' '1 archive@example.net' '1 bob@example.org/new'
}

test_a_full_disk_is_452_and_leaves_nothing() {
	needs mount || return 0
	mount -t tmpfs -o size=256k tmpfs "$T/mail"
	python3 -c 'print(("x" * 78 + "\r\n") * 2000, end="")' >"$T/msg"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<carol@example.org>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'verdict' '452 4.3.1 Insufficient storage, try again later' \
		'452 4.3.1 Insufficient storage, try again later'
	assert_files 'nothing is left'
	chain_call MSA_PARTIAL=1 maildir-inject "$T/mail"
	assert_verdict 'with MSA_PARTIAL' '250 2.0.0 Delivered' '452 4.3.1 Insufficient storage, try again later'
	assert_files 'one' '1 bob@example.org/new'
	umount "$T/mail"
}

test_refused_recipients() {
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' '550 5.7.1 Not to Carol'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'for all' '550 5.7.1 Not to Carol' '550 5.7.1 Not to Carol'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' 'RCPT TO:<a/b@example.org>'
	chain_call maildir-inject "$T/mail"
	assert_verdict 'no mailbox' '550 5.1.1 No such mailbox here' '550 5.1.1 No such mailbox here'
	assert_files 'nothing'
	assertEquals 'nothing was made' '' "$(ls -A "$T/mail")"
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org>' '550 5.7.1 Not to Carol' 'RCPT TO:<a/b@example.org>'
	chain_call MSA_PARTIAL=1 maildir-inject "$T/mail"
	assert_verdict 'with MSA_PARTIAL' '250 2.0.0 Delivered' '550 5.7.1 Not to Carol' '550 5.1.1 No such mailbox here'
	assert_files 'files' '1 bob@example.org/new'
}

test_parameters() {
	chain_message 'Subject: test\r\n\r\n\303\251\r\n'
	for p in 'BODY=8BITMIME' 'BODY=7BIT' 'SMTPUTF8' ''; do
		chain_envelope "<alice@example.net>${p:+ $p}" 'RCPT TO:<bob@example.org>'
		chain_call maildir-inject "$T/mail"
		assert_verdict "$p" '250 2.0.0 Delivered'
	done
	for p in RET=FULL ENVID=x 'BY=1;N' X-SITE=1; do
		chain_envelope "<alice@example.net> $p" 'RCPT TO:<bob@example.org>'
		chain_call maildir-inject "$T/mail"
		assert_verdict "$p" "554 5.3.3 Next server does not support ${p%%=*}"
	done
	chain_envelope '<alice@example.net> REQUIRETLS' 'RCPT TO:<bob@example.org>'
	chain_call maildir-inject "$T/mail"
	assert_verdict REQUIRETLS '550 5.7.30 Next server does not support REQUIRETLS'
	chain_envelope '<alice@example.net> BODY=BINARYMIME' 'RCPT TO:<bob@example.org>'
	chain_call maildir-inject "$T/mail"
	assert_verdict BINARYMIME '554 5.6.3 Next server does not take binary data'
	chain_envelope '<alice@example.net>' 'RCPT TO:<bob@example.org> NOTIFY=SUCCESS'
	chain_call maildir-inject "$T/mail"
	assert_verdict NOTIFY '554 5.3.3 Next server does not support NOTIFY'
	assert_files 'files' '4 bob@example.org/new'
}

test_the_checks_of_the_call() {
	chain_call MSA_RCPTS=2 maildir-inject "$T/mail"
	assert_verdict 'MSA_RCPTS' "$local_error"
	chain_call MSA_DEADLINE="$(($(date +%s) - 1))" maildir-inject "$T/mail"
	assert_verdict 'deadline' '451 4.4.7 No answer in time, try again later'
	chain_call maildir-inject "$T/none"
	assert_verdict 'no directory' "$local_error"
	assert_logged 'failed reason=".*/none: No such file or directory"'
	chain_call maildir-inject "$T/msg"
	assert_verdict 'a file' "$local_error"
	mkfifo "$T/fifo"
	# shellcheck disable=SC2217
	sleep 0.1 <"$T/fifo" &
	reader=$!
	{
		wait "$reader"
		MSA_MESSAGE=M MSA_RCPTS=1 maildir-inject "$T/mail" <"$T/msg" 3<"$T/env" 2>"$T/log"
	} >"$T/fifo"
	wait
	rm "$T/fifo"
	assert_logged 'abandoned reason="nobody reads the verdict"'
	assert_files 'nothing was delivered'
}

test_misuse() {
	for args in '' '-x mail' 'mail cat' '-f a@b.c mail' '-r a@b.c mail' '-f a@b.c -r b mail'; do
		# shellcheck disable=SC2086
		maildir-inject $args </dev/null >"$T/out" 2>"$T/err"
		assertEquals "exit code of $args" 100 $?
		case $args in
		*'-r b mail') wrong='maildir-inject: b: not an address' ;;
		*) wrong=$usage ;;
		esac
		assertEquals "what is wrong with $args" "$wrong" "$(tail -n 1 "$T/err")"
		# shellcheck disable=SC2086
		chain_call maildir-inject $args
		assertEquals "exit code of $args in a chain" 111 "$code"
		assert_verdict "verdict of $args" "$local_error"
	done
}

test_by_hand() {
	for text in ':451 4.3.0 The input is empty: no message:111' 'Hello:554 5.6.0 The message has no header:100' \
		'\n\nHello:554 5.6.0 The message has no header:100'; do
		# shellcheck disable=SC2059
		printf "${text%%:*}" | maildir-inject -f alice@example.net -r bob@example.org "$T/mail" >"$T/out" 2>"$T/log"
		assertEquals "$text: exit code" "${text##*:}" $?
		reply=${text#*:}
		assertEquals "$text" "${reply%:*}" "$(cat "$T/out")"
		assert_files "$text"
	done
	maildir-inject -n -f alice@example.net -r bob@example.org "$T/mail" </dev/null >"$T/out" 2>"$T/log"
	code=$?
	assertEquals "a check needs no message: $(cat "$T/out")" 0 $code
	printf 'Subject: test\n\nHello' | maildir-inject -f alice@example.net -r bob@example.org "$T/mail" >"$T/out" 2>"$T/log"
	assertEquals 'exit code' 0 $?
	assertEquals 'reply' '250 2.0.0 Delivered' "$(cat "$T/out")"
	assert_delivered bob@example.org 'Return-Path: <alice@example.net>\nSubject: test\n\nHello\n'
}

test_twenty_at_once_are_twenty_files() {
	set --
	while [ $# -lt 20 ]; do
		MSA_MESSAGE=M MSA_RCPTS=1 maildir-inject "$T/mail" <"$T/msg" 3<"$T/env" >"$T/out.$#" 2>/dev/null &
		set -- "$@" $!
	done
	wait "$@"
	assertEquals 'accepted' 20 "$(cat "$T"/out.* | grep -c '^250 ')"
	assert_files 'files' '20 bob@example.org/new'
}

# By descriptor: the file, and then the directory that has its name. In a Maildir that was made before, nothing else is.
test_the_file_is_on_the_disk_before_the_verdict() {
	needs trace || return 0
	for maildir in new old; do
		chain_call ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" \
			strace -f -y -e trace=fsync,rename,renameat,renameat2,write -o "$T/trace" maildir-inject "$T/mail"
		assert_verdict "$maildir" '250 2.0.0 Delivered'
		sed -E -n -e 's/^[0-9]+ +//' -e "s|^fsync\\([0-9]+<$T/mail/([^>]*)>\\) *= 0\$|fsync \\1|p" \
			-e 's|^rename[a-z0-9]*\([^"]*"([^"]*)"[^"]*"([^"]*)".*= 0$|rename \1 \2|p' -e 's|^write\(1<.*|verdict|p' "$T/trace" |
			sed -E "s|$T/mail/||g; s/(tmp|new)\/[^ ]+/\1\/FILE/g" >"$T/got"
		{
			[ "$maildir" = old ] || yes 'fsync bob@example.org' | head -n 3 # tmp, new and cur have been made there
			printf '%s bob@example.org/%s\n' fsync tmp/FILE rename 'tmp/FILE bob@example.org/new/FILE' fsync new
			echo verdict
		} >"$T/want"
		assert_same "$maildir" "$T/want" "$T/got"
	done
}

test_privileges_are_dropped() {
	needs root || return 0
	chmod 755 "$T"
	chain_call maildir-inject -U nobody "$T/mail"
	assert_verdict 'nobody may not' "$local_error"
	chown nobody "$T/mail"
	chain_call maildir-inject -U nobody "$T/mail"
	assert_verdict 'nobody may' '250 2.0.0 Delivered'
	assertEquals 'owner' nobody "$(stat -c %U "$T/mail/bob@example.org/new/"*)"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
