#!/bin/sh
# mail/relaxed, mail/taglist: the octets that DKIM hashes, and the tags of a signature. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_fields() {
	unit_table relaxed field <<-'END'
	A: X\r\nB : Y\t\r\n\tZ  \r\n => a:X\r\nb:Y Z\r\n
	SubJect:x\r\n => subject:x\r\n
	Subject: \t x  \t y\t\r\n => subject:x y\r\n
	Subject \t: x\r\n => subject:x\r\n
	Subject:\r\n => subject:\r\n
	Subject: \r\n \r\n\t\r\n => subject:\r\n
	Subject:\r\n x\r\n => subject:x\r\n
	Subject: a:b:\r\n  : \r\n => subject:a:b: :\r\n
	X:a\xc3\xbc\x00\xffb\r\n => x:a\xc3\xbc\x00\xffb\r\n
	X: a\n\tb\n => x:a b\r\n
	X: a => x:a\r\n
	END
}

test_bodies() {
	cat >"$T/bodies" <<-'END'
	 C \r\nD \t E\r\n\r\n\r\n =>  C\r\nD E\r\n
	 => 
	\r\n => 
	\r\n\r\n\r\n => 
	 \t \r\n => 
	\r\n \r\nx => \r\n\r\nx\r\n
	x => x\r\n
	x  => x\r\n
	x\r\n => x\r\n
	x\r\n\r\n \r\n => x\r\n
	x \r\n\t\r\n\r\ny\r\n => x\r\n\r\n\r\ny\r\n
	\t\tx\t\ty\t\t => \x20x y\r\n
	a\rb \r\r\n => a\rb \r\r\n
	a\r => a\r\r\n
	\r => \r\r\n
	a\r b\r\n => a\r b\r\n
	a \r \r\n => a \r\r\n
	a\x00\xff b\r\n => a\x00\xff b\r\n
	END
	sed -i 's/\\x20/ /' "$T/bodies"
	for step in 1 2 3 100; do
		unit_table relaxed body "$step" <"$T/bodies"
	done
	unit_table relaxed body 1 <<-'END'
	a\nb \n\r\n => a\nb \n\r\n
	\n => \n\r\n
	END
	unit_table relaxed lf 1 <<-'END'
	a\nb \n\n => a\r\nb\r\n
	a\r\nb \r\n\n => a\r\nb\r\n
	\n => 
	a\rb\n => a\rb\r\n
	END
}

# The body in the example of RFC 6376 A.2 and of RFC 8463 A.1, and its hash as these have it.
test_the_hash_of_an_example() {
	printf 'Hi.\\r\\n\\r\\nWe lost the game.  Are you hungry yet?\\r\\n\\r\\nJoe.\\r\\n\n' | test-unit relaxed body 7 | sed 's/.* => //' >"$T/got"
	# shellcheck disable=SC2059
	assertEquals '2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=' "$(printf "$(cat "$T/got")" | openssl dgst -sha256 -binary | base64)"
}

# What is kept back does not overflow what is kept in memory.
test_many_empty_lines() {
	lines=$(text_repeat 5000 '\\r\\n')
	printf '%s => \n' "$lines" >"$T/want"
	printf '%s\n' "$lines" | test-unit relaxed body 10 >"$T/got"
	assert_same 'at the end' "$T/want" "$T/got"
	printf '%sx => %sx\\r\\n\n' "$lines" "$lines" >"$T/want"
	printf '%sx\n' "$lines" | test-unit relaxed body 10 >"$T/got"
	assert_same 'before text' "$T/want" "$T/got"
}

test_tags() {
	unit_table relaxed tag <<-'END'
	d=a => (a)
	 d = a.b ; => (a.b)
	v=1; d=a\r\n\t.b; s=x => (a.b)
	v=1;\r\n\td=a => (a)
	d=;v=1 => ()
	d=1234567 => (1234567)
	d=1 2 3 4 5 6 7 => (1234567)
	d=12345678 => none
	d=a\x00b => none
	 => none
	; ; => none
	d => none
	d;d=a => (a)
	dd=a => none
	v=1 d=a => none
	D=a => none
	d=a;d=b => (a)
	d==a => (=a)
	END
}

# shellcheck source=/dev/null
. "$SHUNIT2"
