#!/bin/sh
# param: the parameters of MAIL and RCPT, good and bad. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_parameters_are_split() {
	unit_table param mail <<-'END'
	 =>
	SIZE=1 => SIZE:ok
	size=1 Body=8bitmime => SIZE:ok BODY:ok
	SIZE=1  BODY=7BIT => SIZE:ok BODY:ok
	SIZE=1  => SIZE:ok
	X-UNKNOWN=1 XOTHER => unknown(X-UNKNOWN) unknown(XOTHER)
	NOTIFY=NEVER => unknown(NOTIFY)
	=1 => syntax
	SIZE= => syntax
	 SIZE=1 => syntax
	-X=1 => syntax
	X_Y=1 => syntax
	SIZE=1\tBODY=7BIT => syntax
	SIZE=1\0 => syntax
	SIZE=1\x7f => syntax
	SIZE\xc3=1 => syntax
	SIZE=1;BODY => SIZE:bad
	END
}

test_size() {
	unit_table param mail <<-'END'
	SIZE=0 => SIZE:ok
	SIZE=12345678901234567890 => SIZE:ok
	SIZE=123456789012345678901 => SIZE:bad
	SIZE=-1 => SIZE:bad
	SIZE=1k => SIZE:bad
	SIZE => SIZE:bad
	END
}

test_body_and_smtputf8_and_requiretls() {
	unit_table param mail <<-'END'
	BODY=7BIT => BODY:ok
	BODY=8bitMIME => BODY:ok
	BODY=BINARYMIME => BODY:ok
	BODY=8BIT => BODY:bad
	BODY=7BITX => BODY:bad
	BODY => BODY:bad
	SMTPUTF8 => SMTPUTF8:ok
	SMTPUTF8=1 => SMTPUTF8:bad
	REQUIRETLS => REQUIRETLS:ok
	REQUIRETLS=x => REQUIRETLS:bad
	END
}

test_auth_is_xtext_or_nobody() {
	unit_table param mail <<-'END'
	AUTH=<> => AUTH:ok
	AUTH=a@b.example => AUTH:ok
	AUTH=a+2Bb@c => AUTH:ok
	AUTH=a+2bb@c => AUTH:bad
	AUTH=a+ => AUTH:bad
	AUTH=a+2 => AUTH:bad
	AUTH=a=b => AUTH:bad
	AUTH=\xc3\xa9 => AUTH:bad
	AUTH => AUTH:bad
	END
	unit_table param mail <<-END
	AUTH=$(text_repeat 500 a) => AUTH:ok
	AUTH=$(text_repeat 501 a) => AUTH:bad
	MTRK=$(text_repeat 55 a):123456789 => MTRK:ok
	MTRK=$(text_repeat 56 a):123456789 => MTRK:bad
	END
}

test_ret_and_envid() {
	unit_table param mail <<-'END'
	RET=FULL => RET:ok
	RET=hdrs => RET:ok
	RET=BODY => RET:bad
	RET => RET:bad
	ENVID=QQ314159 => ENVID:ok
	ENVID=a+2B => ENVID:ok
	ENVID=a+2 => ENVID:bad
	ENVID=a=b => ENVID:bad
	END
	unit_table param mail <<-END
	ENVID=$(text_repeat 100 a) => ENVID:ok
	ENVID=$(text_repeat 101 a) => ENVID:bad
	END
}

test_by() {
	unit_table param mail <<-'END'
	BY=120;R => BY:ok
	BY=120;RT => BY:ok
	BY=+120;nt => BY:ok
	BY=-120;N => BY:ok
	BY=0;N => BY:ok
	BY=0;R => BY:bad
	BY=-1;R => BY:bad
	BY=000;RT => BY:bad
	BY=999999999;N => BY:ok
	BY=1000000000;N => BY:bad
	BY=120 => BY:bad
	BY=120; => BY:bad
	BY=;R => BY:bad
	BY=-;R => BY:bad
	BY=120;X => BY:bad
	BY=120;RTT => BY:bad
	END
}

test_mt_priority() {
	unit_table param mail <<-'END'
	MT-PRIORITY=0 => MT-PRIORITY:ok
	MT-PRIORITY=9 => MT-PRIORITY:ok
	MT-PRIORITY=-9 => MT-PRIORITY:ok
	MT-PRIORITY=-0 => MT-PRIORITY:bad
	MT-PRIORITY=10 => MT-PRIORITY:bad
	MT-PRIORITY=+1 => MT-PRIORITY:bad
	MT-PRIORITY=- => MT-PRIORITY:bad
	END
}

test_the_others_of_mail() {
	unit_table param mail <<-'END'
	SOLICIT=org.example:ADV:ADLT => SOLICIT:ok
	SOLICIT=a,b => SOLICIT:ok
	SOLICIT=a,,b => SOLICIT:bad
	SOLICIT=,a => SOLICIT:bad
	SOLICIT=a, => SOLICIT:bad
	SOLICIT=a! => SOLICIT:bad
	SOLICIT=1a => SOLICIT:bad
	SOLICIT=a,1b => SOLICIT:bad
	SOLICIT=a1-_.:b => SOLICIT:ok
	SOLICIT=:a => SOLICIT:bad
	HOLDFOR=1 => HOLDFOR:ok
	HOLDFOR=999999999 => HOLDFOR:ok
	HOLDFOR=0 => HOLDFOR:bad
	HOLDFOR=01 => HOLDFOR:bad
	HOLDFOR=1000000000 => HOLDFOR:bad
	HOLDUNTIL=2026-11-21T22:30:00Z => HOLDUNTIL:ok
	HOLDUNTIL=2026-11-21T22:30:00.25Z => HOLDUNTIL:ok
	HOLDUNTIL=2026-11-21T22:30:00+01:00 => HOLDUNTIL:ok
	HOLDUNTIL=2026-11-21T22:30:00.Z => HOLDUNTIL:bad
	HOLDUNTIL=2026-11-21T22:30:00 => HOLDUNTIL:bad
	HOLDUNTIL=2026-11-21T22:30:00z => HOLDUNTIL:bad
	HOLDUNTIL=2026-11-21 => HOLDUNTIL:bad
	HOLDUNTIL=2026-11-21T22:30:00ZZ => HOLDUNTIL:bad
	MTRK=YWJjZGVmZ2g=:86400 => MTRK:ok
	MTRK=YWJjZGVmZ2g= => MTRK:ok
	MTRK=abc: => MTRK:bad
	MTRK=:1 => MTRK:bad
	MTRK=a_b => MTRK:bad
	MTRK=abc:1234567890 => MTRK:bad
	END
}

test_notify() {
	unit_table param rcpt <<-'END'
	NOTIFY=NEVER => NOTIFY:ok
	NOTIFY=success,Failure,DELAY => NOTIFY:ok
	NOTIFY=FAILURE => NOTIFY:ok
	NOTIFY=NEVER,FAILURE => NOTIFY:bad
	NOTIFY=FAILURE,FAILURE => NOTIFY:bad
	NOTIFY=FAILURE, => NOTIFY:bad
	NOTIFY=,FAILURE => NOTIFY:bad
	NOTIFY=ALWAYS => NOTIFY:bad
	NOTIFY => NOTIFY:bad
	SIZE=1 => unknown(SIZE)
	END
}

test_orcpt() {
	unit_table param rcpt <<-'END'
	ORCPT=rfc822;a@b.example => ORCPT:ok
	ORCPT=rfc822;a+2Bb@c => ORCPT:ok
	ORCPT=utf-8;j\xc3\xb6@example.net => ORCPT:ok
	ORCPT=utf-8;j\xc3@example.net => ORCPT:bad
	ORCPT=utf-8;a+b => ORCPT:bad
	ORCPT=utf-8;a=b => ORCPT:bad
	ORCPT=utf-8;a\x01b => syntax
	ORCPT=utf-8;a\x7fb => syntax
	ORCPT=rfc822;j\xc3\xb6@example.net => ORCPT:bad
	ORCPT=rfc822;a+b => ORCPT:bad
	ORCPT=rfc822; => ORCPT:bad
	ORCPT=;a@b => ORCPT:bad
	ORCPT=a@b => ORCPT:bad
	ORCPT=rfc(822;a@b => ORCPT:bad
	ORCPT => ORCPT:bad
	END
	unit_table param rcpt <<-END
	ORCPT=rfc822;$(text_repeat 493 a) => ORCPT:ok
	ORCPT=rfc822;$(text_repeat 494 a) => ORCPT:bad
	END
}

# Whoever has cut it out.
test_a_value_has_no_control_character() {
	unit_table param orcpt <<-'END'
	utf-8;j\xc3\xb6@example.net => ok
	utf-8;a\0b => bad
	utf-8;a\nb => bad
	utf-8;a b => bad
	utf-8;a\x7fb => bad
	rfc822;a@b => ok
	rfc822;a\0b => bad
	END
}

. "$SHUNIT2"
