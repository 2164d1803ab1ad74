#!/bin/sh
# verb: the verbs of SMTP and LMTP. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_every_verb_is_known_in_any_case() {
	unit_table verb <<-'END'
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
	unit_table verb <<-'END'
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
	unit_table verb <<-'END'
	DATA  => DATA none []
	DATA \t  => DATA none []
	DATA x => DATA none [x]
	EHLO   a  b  => EHLO required [a  b]
	EHLO\ta => EHLO required [a]
	MAIL  => MAIL required []
	END
}

test_a_line_that_cannot_be_read_has_a_verb() {
	unit_table verb start <<-'END'
	BDAT 12  => BDAT
	bdat\x0012 => BDAT
	BDAT\r12 L => BDAT
	BDAT\n => BDAT
	BDAT\x7f12 => BDAT
	BDAT => BDAT
	BDATx => ?
	\0BDAT => ?
	BDA\x00T => ?
	AUTH PLA => AUTH
	 => ?
	END
}

test_the_chunk_that_bdat_announces() {
	unit_table verb chunk <<-'END'
	0 => 0 more
	12 => 12 more
	12 LAST => 12 last
	0 last => 0 last
	007 => 7 more
	999999999999999999 => 999999999999999999 more
	9999999999999999999 => none
	 => none
	LAST => none
	-1 => none
	+1 => none
	12LAST => none
	12  LAST => none
	12 LAST LAST => none
	12 LASTS => none
	12 LAS => none
	12 x => none
	12\t => none
	1\x00 LAST => none
	END
}

test_lines_of_other_protocols() {
	unit_table verb foreign <<-'END'
	GET / HTTP/1.1 => foreign
	POST / HTTP/1.1 => foreign
	PUT /x => foreign
	HEAD / => foreign
	OPTIONS * HTTP/1.1 => foreign
	CONNECT mail:587 HTTP/1.1 => foreign
	get / => foreign
	GET => foreign
	GET\t/ => foreign
	Host: mail => foreign
	User-Agent: x => foreign
	X: => foreign
	: => foreign
	\x16\x03\x01\x02\x00 => foreign
	\x16 => foreign
	OPTIONS  => foreign
	 => ours
	GETS / => ours
	XGET / => ours
	Content- => ours
	EHLO [IPv6:::1] => ours
	MAIL FROM:<a@b> => ours
	MAILFROM:<a@b> => ours
	RCPT TO: => ours
	 GET / => ours
	NOOP GET => ours
	* => ours
	\x15\x03\x01 => ours
	END
}

. "$SHUNIT2"
