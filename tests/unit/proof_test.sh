#!/bin/sh
# proof: what proves that a client may send mail. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_235_proves_it() {
	unit_table proof <<-'END'
	S: 220 x\nC: EHLO c\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN x\nS: 235 2.7.0 yes\n => given
	C: AUTH LOGIN\nS: 334 x\nC: x\nS: 334 x\nC: x\nS: 235 yes\n => given
	S: 235 yes\r\n => given
	S: 235\n => given
	S: 235-yes\nS: 235 yes\n => given
	S: 235 y => not
	S: 235-yes\n => not
	S: 2350\n => given
	C: AUTH PLAIN x\nS: 535 5.7.8 no\n => not
	C: 235 x\n => not
	S: x235 y\n => not
	S: 23\nS: 5\n => not
	END
}

test_250_to_MAIL_proves_it() {
	unit_table proof <<-'END'
	S: 220 x\nC: EHLO c\nS: 250-x\nS: 250 y\nC: MAIL FROM:<>\nS: 250 2.1.0 ok\n => given
	C: mail from:<>\r\nS: 250 ok\r\n => given
	C: EHLO c\nS: 250 x\nC: MAIL FROM:<>\nC: RCPT TO:<a@b>\nC: DATA\nS: 250 ok\n => given
	C: RSET\nC: NOOP\nC: MAIL FROM:<>\nS: 250 a\nS: 250 b\nS: 250 c\n => given
	C: MAIL FROM:<>\nS: 250-ok\nS: 250 ok\n => given
	C: MAIL FROM:<>\nS: 530 no\nC: MAIL FROM:<>\nS: 250 ok\n => given
	C: MAIL FROM:<>\nS: 250-ok\n => not
	C: MAIL FROM:<>\nS: 530 5.7.0 no\n => not
	C: MAIL FROM:<>\nS: 451 later\n => not
	END
}

# Whatever the client sends in one piece: a 250 to another command is no proof.
test_250_to_anything_else_does_not() {
	unit_table proof <<-'END'
	C: NOOP\nS: 250 ok\n => not
	C: EHLO c\nS: 250 x\nC: NOOP\nS: 250 ok\nC: RSET\nS: 250 ok\n => not
	C: NOOP\nC: MAIL FROM:<>\nS: 250 ok\nS: 530 no\n => not
	C: MAIL FROM:<>\nC: NOOP\nS: 530 no\nS: 250 ok\n => not
	C: MAIL FROM:<>\nC: NOOP\nC: MAIL FROM:<>\nS: 530 no\nS: 250 ok\nS: 530 no\n => not
	C: NOOP\nS: 220 x\nC: MAIL FROM:<>\nS: 250 ok\nS: 530 no\n => not
	C: X\nC: X\nC: MAIL FROM:<>\nC: NOOP\nS: 500 a\nS: 500 b\nS: 530 c\nS: 250 d\n => not
	C: BDAT 14 LAST\nC: MAIL FROM:<>\nC: NOOP\nS: 530 no\nS: 250 ok\n => not
	C: BDAT 0\nS: 530 no\nC: MAIL FROM:<>\nS: 250 ok\n => not
	C: MAILX\nS: 250 ok\n => not
	C: xMAIL FROM:<>\nS: 250 ok\n => not
	C: MAIL FROM:<>S: 250 ok\n => not
	S: 250 ok\n => not
	S: \nS: \nC: MAIL FROM:<>\nS: 25\nS: 0 x\n => not
	END
}

# An exchange's lines are counted with the others.
test_lines_of_AUTH_count() {
	unit_table proof <<-'END'
	C: AUTH LOGIN\nS: 334 x\nC: MAIL\nS: 334 y\nC: x\nS: 535 no\n => not
	C: AUTH LOGIN\nC: x\nC: y\nC: NOOP\nC: MAIL FROM:<>\nS: 334 x\nS: 334 y\nS: 535 no\nS: 250 ok\nS: 530 no\n => not
	C: AUTH LOGIN\nS: 334 x\nC: *\nS: 501 no\nC: MAIL FROM:<>\nS: 250 ok\n => given
	END
}

# shellcheck disable=SC1090
. "$SHUNIT2"
