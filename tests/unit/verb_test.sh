#!/bin/sh
# verb: the verbs of SMTP and LMTP. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_every_verb_is_known_in_any_case() {
	table verb <<-'END'
	EHLO a => EHLO required [a]
	HELO a => HELO required [a]
	LHLO a => LHLO required [a]
	MAIL FROM:<a@b> => MAIL required [FROM:<a@b>]
	RCPT TO:<a@b> => RCPT required [TO:<a@b>]
	DATA => DATA none []
	RSET => RSET none []
	NOOP => NOOP optional []
	QUIT => QUIT none []
	VRFY a => VRFY required [a]
	EXPN a => EXPN required [a]
	HELP => HELP optional []
	BDAT 1 LAST => BDAT required [1 LAST]
	AUTH PLAIN => AUTH required [PLAIN]
	STARTTLS => STARTTLS none []
	ETRN a => ETRN required [a]
	ATRN => ATRN optional []
	TURN => TURN none []
	BURL a => BURL required [a]
	eHlO a => EHLO required [a]
	starttls => STARTTLS none []
	END
}

test_others_are_unknown() {
	table verb <<-'END'
	 => ? optional []
	  => ? optional []
	X => ? optional []
	DAT => ? optional []
	DATAX => ? optional []
	 DATA => ? optional [DATA]
	DATA. => ? optional []
	MAILFROM:<a@b> => ? optional []
	GET / HTTP/1.1 => ? optional [/ HTTP/1.1]
	DATA\0 => ? optional []
	\xc4\xb0 => ? optional []
	? x => ? optional [x]
	END
}

test_space_around_the_argument_goes() {
	table verb <<-'END'
	DATA  => DATA none []
	DATA \t  => DATA none []
	DATA x => DATA none [x]
	EHLO   a  b  => EHLO required [a  b]
	EHLO\ta => EHLO required [a]
	MAIL  => MAIL required []
	END
}

. "$SHUNIT2"
