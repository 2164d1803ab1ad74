#!/bin/sh
# envelope (the module; tests/stage/envelope_test.sh is the command's): what an envelope is and is not. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# usage: parsed text-with-escapes <expected
parsed() {
	# shellcheck disable=SC2059 # the escapes are the point
	printf "$1" >"$T/input"
	unit_gives envelope
}

test_mail_recipients_refusals_and_copies() {
	parsed 'MAIL FROM:<a@b.example> ENVID=x RET=HDRS\nRCPT TO:<c@d.example> NOTIFY=NEVER\n550 5.7.1 Not to Bob\nRCPT TO:<postmaster>\nCOPY TO:<archive@d.example>\n' <<-'END'
	3 recipients, 1 copies
	mail a@b.example params=ENVID=x RET=HDRS
	ENVID x
	RET HDRS
	SMTPUTF8 not there
	rcpt c@d.example params=NOTIFY=NEVER
	NOTIFY NEVER
	reply 550 5.7.1 Not to Bob
	rcpt postmaster params=
	copy archive@d.example params=
	END
	parsed 'MAIL FROM:<> SMTPUTF8 AUTH=<>\nRCPT TO:<"a > b"@c>\n' <<-'END'
	1 recipients, 0 copies
	mail  params=SMTPUTF8 AUTH=<>
	ENVID not there
	RET not there
	SMTPUTF8 without value
	rcpt "a > b"@c params=
	END
	parsed 'MAIL FROM:<a@b>\nRCPT TO:<j\303\266@b>\n450\n' <<-'END'
	2 recipients, 0 copies
	mail a@b params=
	rcpt j\xc3\xb6@b params=
	reply 450
	END
}

test_lines_end_with_lf_alone() {
	for text in '' 'MAIL FROM:<a@b>' 'MAIL FROM:<a@b>\nRCPT TO:<c@d>' 'MAIL FROM:<a@b>\nRCPT TO:<c@d>\0\n' '\0'; do
		parsed "$text" <<-'END'
		envelope: not lines ended by LF, or a NUL (EINVAL)
		END
	done
}

test_the_first_line_is_mail() {
	for text in '\n' 'RCPT TO:<a@b>\n' 'MAIL FROM: <a@b>\n' 'mail from:<a@b>\n' 'MAIL FROM:a@b\n' 'MAIL FROM:<a@b>x\n' \
		'MAIL FROM:<a@b>\r\n' 'MAIL FROM:<a@B>\n' 'MAIL FROM:<@x:a@b>\n' 'MAIL FROM:<"a"@b>\n' 'MAIL FROM:<a@b> \n' \
		'MAIL FROM:<a@b>  SIZE=1\n' 'MAIL FROM:<a@b> RET=FULL  ENVID=x\n' 'MAIL FROM:<a@b> =\n' 'MAIL FROM:<a@b> X=\n' \
		'MAIL FROM:<a@b> X=\001\n' '250 ok\n'; do
		parsed "$text" <<-'END'
		envelope: first line is no MAIL FROM:<path> (EINVAL)
		END
	done
}

test_the_other_lines_are_recipients() {
	for line in '' 'RCPT TO:<>' 'RCPT TO:<a@B>' 'RCPT TO:<a@b' 'MAIL FROM:<a@b>' '250 2.1.5 Ok' '354 x' '550-5.1.1 No' 'COPY TO:<>' \
		'COPY TO:<a@b> ' '# comment' '550x'; do
		parsed "MAIL FROM:<a@b>\\nRCPT TO:<c@d>\\n$line\\n" <<-'END'
		envelope: a line that is no RCPT TO:<path>, reply or COPY TO:<path> (EINVAL)
		END
	done
}

test_copies_stand_at_the_end() {
	for line in 'RCPT TO:<c@d>' '550 5.7.1 No'; do
		parsed "MAIL FROM:<a@b>\\nCOPY TO:<c@d>\\n$line\\n" <<-'END'
		envelope: a recipient behind a COPY line (EINVAL)
		END
	done
}

test_a_thousand_recipients_and_more_fit() {
	{
		echo 'MAIL FROM:<a@b>'
		awk 'BEGIN { for (i = 0; i < 20000; i++) print "RCPT TO:<u" i "@d>" }'
	} >"$T/input"
	assertEquals '20000 recipients, 0 copies' "$(test-unit envelope <"$T/input" | head -n 1)"
}

test_what_is_too_large_or_no_file_is_refused() {
	head -c 8388609 /dev/zero | tr '\0' '\n' >"$T/input"
	unit_gives envelope <<-'END'
	envelope: cannot be read (File too large)
	END
	assertEquals 'a pipe' 'envelope: cannot be read (Illegal seek)' "$(echo x | test-unit envelope)"
	assertEquals 'closed' 'envelope: cannot be read (Bad file descriptor)' "$(test-unit envelope <&-)"
}

. "$SHUNIT2"
