#!/bin/sh
# ask/packet, ask/milter, ask/changes: what a milter says. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_packets() {
	unit_table milter find <<-'END'
		 => 0
		\0\0\0 => 0
		\0\0\0\x01 => 0
		\0\0\0\x01c => 5 c 0
		\0\0\0\x03habc => 7 h 2
		\0\0\0\x04hab => 0
		\0\0\0\0c => -1
		\0\x10\0\0c => 0
		\0\x10\0\x01 => -1
		\xff\xff\xff\xffc => -1
		HTTP/1.1 200 Ok => -1
	END
}

test_answers_to_a_step() {
	unit_table milter judge <<-'END'
		c => continue
		a => accept
		d => discard
		s => skip
		r => refuse 550 5.7.1 Refused by site policy\r\n
		t => refuse 451 4.7.1 Refused by site policy for now, try again later\r\n
		f => refuse 451 4.7.1 Refused by site policy for now, try again later\r\n
		4 => refuse 451 4.7.1 Refused by site policy for now, try again later\r\n
		y550 5.1.1 No\0 => refuse 550 5.1.1 No\r\n
		y550\0 => refuse 550 5.7.1 \r\n
		y421 Bye\0 => refuse 421 4.7.1 Bye\r\n
		y550-5.1.1 One\n550-5.1.1 Two\r\n550 5.1.1 Three\0 => refuse 550-5.1.1 One\r\n550-5.1.1 Two\r\n550 5.1.1 Three\r\n
		y550-One\r\n\0 => refuse 550 5.7.1 One\r\n
		y550 One\r\n550 Two\0 => refuse 550 5.7.1 One\r\n
		y550 a\x01b\0 => refuse 550 5.7.1 a?b\r\n
		y250 Ok\0 => failed a reply that is not one of SMTP's of class 4 or 5
		y354 Ok\0 => failed a reply that is not one of SMTP's of class 4 or 5
		y55\0 => failed a reply that is not one of SMTP's of class 4 or 5
		y\0 => failed a reply that is not one of SMTP's of class 4 or 5
		y550-a\r\n451 b\0 => failed a reply with different codes
		y550 a => failed a reply without an end
		hX\0y\0 => failed an answer that does not belong there
		\0 => failed an answer that does not belong there
		O => failed an answer that does not belong there
	END
}

test_options() {
	unit_table milter agree <<-'END'
		O\0\0\0\x06\0\0\x01\xff\0\0\0\0 => continue 6 0x1ff 0 i=1 {j}=0
		O\0\0\0\x02\0\0\0\x01\0\x10\0\x7f => continue 2 0x1 0x10007f i=1 {j}=0
		O\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x02j, {auth}\0 => continue 6 0 0 i=0 {j}=0
		O\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x02{j}\0\0\0\0\x02{i} {j}\0 => continue 6 0 0 i=1 {j}=1
		O\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x09i\0 => continue 6 0 0 i=1 {j}=0
		O\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x02\0 => continue 6 0 0 i=0 {j}=0
		O\0\0\0\x06\0\0\0\0\0\0\0\0\0\0 => failed an invalid list of macros
		O\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x02i => failed an invalid list of macros
		O\0\0\0\x01\0\0\0\0\0\0\0\0 => failed another version of the protocol
		O\0\0\0\x07\0\0\0\0\0\0\0\0 => failed another version of the protocol
		O\0\0\0\x06\0\0\x02\0\0\0\0\0 => failed wants actions that were not offered
		O\0\0\0\x06\0\0\0\0\0\0\x08\0 => failed wants steps that were not offered
		O\0\0\0\x06\0\0\0\0\x80\0\0\0 => failed wants steps that were not offered
		O\0\0\0\x06\0\0\0 => failed not a milter: no options
		c => failed not a milter: no options
	END
}

test_changes_of_the_message() {
	unit_table milter change <<-'END'
		hC\0x\0 => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nC: x\r\n\r\nbody\r\n
		i\0\0\0\0C\0x\0 => C: x\r\nA: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n
		i\0\0\0\x01C\0x\0 => A: 1\r\nC: x\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n
		i\xff\xff\xff\xffC\0x\0 => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nC: x\r\n\r\nbody\r\n
		m\0\0\0\0a\0x\0 => a: x\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n
		m\0\0\0\x02a\0x\0 => A: 1\r\nB: 2\r\n folded\r\na: x\r\n\r\nbody\r\n
		m\0\0\0\x03A\0x\0 => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: x\r\n\r\nbody\r\n
		m\0\0\0\x03A\0\0 => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n
		m\0\0\0\x01B\0\0|m\0\0\0\x02A\0\0|m\0\0\0\x01A\0\0 => \r\nbody\r\n
		m\0\0\0\x01A\0\0|m\0\0\0\x02A\0\0 => B: 2\r\n folded\r\n\r\nbody\r\n
		m\0\0\0\x01A\0\0|m\0\0\0\x01A\0x\0 => A: x\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n
		i\0\0\0\0A\0x\0|m\0\0\0\x02A\0\0 => A: x\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nbody\r\n
		bx => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nx\r\n
		bx\r|b\ny\r|bz\n\n => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\nx\r\ny\r\nz\r\n\r\n
		b\r\r\n\n\r => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\n\r\n\r\n\r\n\r\n
		b => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\n\r\n
		hC\0a\r\n\0|hD\0\0 => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nC: a\r\nD: \r\n\r\nbody\r\n
		hC\0a\n\tb\r\n c\r d\0 => A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nC: a\r\n\x09b\r\n c\r\n d\r\n\r\nbody\r\n
	END
}

test_changes_that_are_none() {
	unit_table milter change <<-'END'
		hC\0a\nD: b\0 => failed a header field with a line that does not continue it
		hC\0a\n\n b\0 => failed a header field with a line that does not continue it
		hC\0a\n \t\n b\0 => failed a header field with a line that does not continue it
		hC \0a\0 => failed a header field with an invalid name
		h\0a\0 => failed a header field with an invalid name
		hC\0a => failed a change without its parts
		i\0\0 => failed a change without its parts
		b\0 => failed a body with a NUL
		+<x>\0 => failed an invalid address
		+\0 => failed an invalid address
		e<a@b.example> x\0 => failed an invalid address
		c => failed a change that was not agreed on
		\0 => failed a change that was not agreed on
	END
}

. "$SHUNIT2"
