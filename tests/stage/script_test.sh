#!/bin/sh
# A site's own stages are scripts: they run by hand, and between ours, as chain(7) shows them.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

oneTimeSetUp() {
	cat >"$T/site" <<'END'
#!/bin/sh
rewind; grep -qi 'filename=.*\.exe' && { echo '550 5.7.0 No executables here'; exit 100; }
rewind; grep -qi '^X-Secret:' && { echo '550 5.7.0 Not outside'; exit 100; }
exec "$@"
END
	cat >"$T/not-to-bob" <<'END'
#!/bin/sh
envelope -n to >"$T/list" || exit 111
while read -r number path; do
	case $path in
	bob@*) set -- envelope refuse "$number" '550 5.7.1 Not to Bob' "$@" ;;
	esac
done <"$T/list"
[ "$(envelope from)" != boss@example.net ] || set -- envelope copy audit@example.net "$@"
exec "$@"
END
	cat >"$T/forgetful" <<'END'
#!/bin/sh
rewind
END
	chmod +x "$T/site" "$T/not-to-bob" "$T/forgetful"
}

setUp() {
	rm -rf "$T/box"
	printf 'From: a@b.example\r\nSubject: x\r\n\r\nHello\r\n' >"$T/m"
	printf 'MAIL FROM:<alice@example.net>\nRCPT TO:<bob@example.org>\nRCPT TO:<carol@example.org>\n' >"$T/e"
	MSA_MESSAGE=0abc MSA_SESSION=0aaa MSA_RCPTS=2 MSA_VERB=EHLO MSA_HELO=c.example MSA_HOST=mx.example
	export MSA_MESSAGE MSA_SESSION MSA_RCPTS MSA_VERB MSA_HELO MSA_HOST
}

test_a_script_lets_a_message_pass_and_the_next_stage_sees_all_of_it() {
	stamp "$T/site" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 0 $?
	assertEquals 'with ESMTP id 0abc' "$(sed -n 's/.*\(with ESMTP id 0abc\).*/\1/p' "$T/box/1/message")"
	tail -c "$(wc -c <"$T/m")" "$T/box/1/message" >"$T/got"
	assert_same "message" "$T/m" "$T/got"
}

test_a_script_between_our_stages_may_have_read_the_message() {
	"$T/site" stamp inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	tail -c "$(wc -c <"$T/m")" "$T/box/1/message" >"$T/got"
	assert_same "stamp reads it whole" "$T/m" "$T/got"
	"$T/site" filter cat inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assert_same "filter too" "$T/m" "$T/box/2/message"
}

test_a_script_behind_another_sees_the_message_too() {
	printf 'a: b\r\n\r\nfilename="x.exe"\r\n' >"$T/m"
	sh -c 'cat >/dev/null; exec "$@"' sh "$T/site" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 100 $?
	assertEquals '550 5.7.0 No executables here' "$(cat "$T/out")"
}

# Each is started by a stage of ours, which puts the message to its start: exec'd, and where one stays.
test_a_script_without_rewind_sees_the_message_behind_a_stage_of_ours() {
	for name in one two; do
		printf '#!/bin/sh\ngrep -q %s && { echo 550 5.7.0 %s; exit 100; }\nexec "$@"\n' "$name" "$name" >"$T/$name"
		chmod +x "$T/$name"
	done
	for subject in clean one two; do
		printf 'Date: x\r\nMessage-ID: <x@x.example>\r\nFrom: a@b.example\r\nSubject: %s\r\n\r\nHello\r\n' "$subject" >"$T/m"
		case $subject in
		clean) want='250 2.0.0 Stored' ;;
		*) want="550 5.7.0 $subject" ;;
		esac
		for stage in qualify 'inline qualify' trace\ -m; do
			# shellcheck disable=SC2086
			$stage "$T/one" $stage "$T/two" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
			assertEquals "$stage: $subject" "$want" "$(head -n 1 "$T/out" | tr -d '\r')"
		done
	done
}

# The file is root's: nobody cannot open it again, and gets it as it is, from its beginning.
test_a_script_without_rewind_sees_a_message_that_cannot_be_opened_again() {
	needs root || return 0
	chmod 755 "$T"
	for name in one two; do
		printf '#!/bin/sh\ngrep -q %s && { echo 550 5.7.0 %s; exit 100; }\nexec "$@"\n' "$name" "$name" >"$T/$name"
		chmod 755 "$T/$name"
	done
	printf 'Date: x\r\nMessage-ID: <x@x.example>\r\nFrom: a@b.example\r\nSubject: two\r\n\r\nHello\r\n' >"$T/m"
	chmod 600 "$T/m"
	"$T/one" trace -U nobody -m "$T/two" true <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals "$(cat "$T/log")" '550 5.7.0 two' "$(head -n 1 "$T/out" | tr -d '\r')"
}

# A message that stamp keeps in memory, and one that stamp keeps in a file.
each_size() {
	for octets in 10 400000; do
		{
			printf 'Date: x\r\nMessage-ID: <x@x.example>\r\nFrom: a@b.example\r\nSubject: %s\r\n\r\n' one
			head -c $octets /dev/zero | tr '\0' x | fold -w 70 | sed 's/$/\r/'
		} >"$T/m"
		"$@"
	done
}

# The first script reads the whole message once the second one has begun. Both have the file that stamp made.
reads_meanwhile() {
	for stage in qualify 'inline qualify' trace\ -m; do
		rm -f "$T/go" "$T/done"
		mkfifo "$T/go" "$T/done"
		# shellcheck disable=SC2086
		timeout 20 stamp "$T/greedy" $stage "$T/waits" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
		assertEquals "$stage, $octets octets: $(cat "$T/log")" '550 5.7.0 one' "$(head -n 1 "$T/out" | tr -d '\r')"
	done
}

test_what_another_program_reads_meanwhile_takes_nothing_away() {
	cat >"$T/greedy" <<-'P'
		#!/bin/sh
		exec 5<&0
		{ read -r line; cat <&5 >/dev/null; echo read >"$T/done"; } <"$T/go" >/dev/null 2>&1 &
		exec "$@"
	P
	cat >"$T/waits" <<-'P'
		#!/bin/sh
		echo go >"$T/go"
		read -r line <"$T/done"
		grep -q '^Subject: one' && { echo '550 5.7.0 one'; exit 100; }
		exec "$@"
	P
	chmod +x "$T/greedy" "$T/waits"
	each_size reads_meanwhile
}

is_read_only() {
	for stage in '' 'trace -m' 'route -t routes.cdb'; do
		# shellcheck disable=SC2086
		(cd "$T" && stamp $stage sh -c 'sed -n "s/^flags:.*\(.\)$/250 2.0.0 mode \1/p" /proc/self/fdinfo/0') \
			<"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
		assertEquals "${stage:-stamp}, $octets octets" '250 2.0.0 mode 0' "$(head -n 1 "$T/out" | tr -d '\r')"
	done
}

test_a_program_can_only_read_the_message() {
	[ -r /proc/self/fdinfo/0 ] || {
		skip 'no /proc'
		return
	}
	echo | cdb -c -t "$T/routes.tmp" "$T/routes.cdb" -
	each_size is_read_only
}

# As chain(7) says: a program that opens /dev/stdin begins at the start.
looks_twice() {
	stamp sh -c 'grep -q "^Subject: two" /dev/stdin && exit 1; grep -q "^Subject: one" /dev/stdin && echo 250 2.0.0 both' \
		<"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals "$octets octets: $(cat "$T/log")" '250 2.0.0 both' "$(cat "$T/out")"
}

test_two_looks_by_dev_stdin_see_the_message_each() {
	[ "$(uname)" = Linux ] || {
		skip 'no Linux'
		return
	}
	each_size looks_twice
}

# A file that its new uid may not open: it is rewound, as where the system cannot open a file again.
test_a_message_that_may_not_be_opened_again_is_rewound() {
	[ "$(id -u)" -eq 0 ] || {
		skip 'not root'
		return
	}
	printf 'Date: x\r\nMessage-ID: <x@x.example>\r\nFrom: a@b.example\r\nSubject: one\r\n\r\nx\r\n' >"$T/m"
	chmod 600 "$T/m"
	sh -c 'cat >/dev/null; exec "$@"' sh qualify -U nobody sh -c 'id -u >&2; grep -q "^Subject: one" && echo 250 2.0.0 seen' \
		<"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals "not root, and seen: $(cat "$T/log")" '250 2.0.0 seen' "$(cat "$T/out")"
	assertEquals 'uid' "$(id -u nobody)" "$(tail -n 1 "$T/log")"
	assertFalse 'it may not be opened' "setpriv --reuid=nobody --clear-groups cat $T/m 2>/dev/null"
}

test_the_page_s_sender_stage() {
	sed -n '/^from=/,/^echo .550 5.7.1 Not your/p' "$ROOT/man/chain.7" >"$T/sender"
	assertEquals 'from the page' 3 "$(wc -l <"$T/sender")"
	SMTPAUTHUSER=alice@example.net sh "$T/sender" echo passed 3<"$T/e" >"$T/out"
	assertEquals passed "$(cat "$T/out")"
	for user in '' mallory@example.net 'alice@example.*'; do
		SMTPAUTHUSER=$user sh "$T/sender" echo passed 3<"$T/e" >"$T/out"
		assertEquals "$user" 100 $?
		assertEquals "$user" '550 5.7.1 Not your address' "$(cat "$T/out")"
	done
	SMTPAUTHUSER=alice@example.net sh "$T/sender" echo passed 3</dev/null >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	assertEquals '' "$(cat "$T/out")"
}

test_a_script_refuses_by_its_first_look() {
	printf 'a: b\r\n\r\nContent-Disposition: attachment; FileName="x.EXE"\r\n' >"$T/m"
	stamp "$T/site" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 100 $?
	assertEquals '550 5.7.0 No executables here' "$(cat "$T/out")"
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_a_script_refuses_by_its_second_look() {
	printf 'X-Secret: yes\r\n\r\nx\r\n' >"$T/m"
	stamp "$T/site" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 100 $?
	assertEquals '550 5.7.0 Not outside' "$(cat "$T/out")"
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_a_script_without_exec_says_nothing() {
	"$T/forgetful" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals "exit 0 without a reply, which submitd takes for 451" 0 $?
	assertFalse "no reply" "[ -s '$T/out' ]"
	assertFalse "nothing stored" "[ -e '$T/box' ]"
}

test_a_script_refuses_one_recipient_and_the_others_get_the_message() {
	stamp "$T/not-to-bob" inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	printf '%s\r\n' '550 5.7.1 Not to Bob' '250 2.0.0 Stored' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
	sed '2s/.*/550 5.7.1 Not to Bob/' "$T/e" >"$T/want"
	assert_same "envelope" "$T/want" "$T/box/1/envelope"
}

test_a_script_adds_a_copy() {
	sed 's/alice/boss/; s/bob/dora/' "$T/e" >"$T/e2"
	"$T/not-to-bob" inject-file "$T/box" <"$T/m" 3<"$T/e2" >"$T/out" 2>"$T/log"
	{ cat "$T/e2"; echo 'COPY TO:<audit@example.net>'; } >"$T/want"
	assert_same "envelope" "$T/want" "$T/box/1/envelope"
}

test_the_stand_in_for_delivery_gives_what_it_is_told() {
	inject-file -r '451 4.2.1 Busy' -x 111 "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals 111 $?
	printf '%s\r\n' '451 4.2.1 Busy' '451 4.2.1 Busy' >"$T/want"
	assert_same "verdict" "$T/want" "$T/out"
	assertEquals MSA_MESSAGE=0abc "$(grep ^MSA_MESSAGE "$T/box/1/environment")"
	MSA_RCPTS=3 inject-file "$T/box" <"$T/m" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals "a wrong count is no delivery" 111 $?
	head -c 99 "$T/m" | inject-file "$T/box" 3<"$T/e" >"$T/out" 2>"$T/log"
	assertEquals '451 4.3.0 fd 0 is no regular file' "$(cat "$T/out")"
	assertFalse "one message was stored" "[ -e '$T/box/2' ]"
}

. "$SHUNIT2"
