#!/bin/sh
# veil: a next stage's replies under TLS, without an offer of STARTTLS, however they are cut. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_the_offer_is_left_out_wherever_it_stands() {
	unit_table veil whole <<-'END'
	250-host\r\n250-STARTTLS\r\n250-SIZE\r\n250 HELP\r\n => 250-host\r\n250-SIZE\r\n250 HELP\r\n
	250-host\r\n250-SIZE\r\n250 STARTTLS\r\n => 250-host\r\n250 SIZE\r\n
	250-host\r\n250 STARTTLS\r\n => 250 host\r\n
	250-host\r\n250-STARTTLS\r\n250-SIZE\r\n250-starttls\r\n250 StartTLS \r\n => 250-host\r\n250 SIZE\r\n
	250-host\r\n250-STARTTLS now\r\n250 STARTTLS\tx\r\n => 250 host\r\n
	250-host\n250-STARTTLS\n250 SIZE\n => 250-host\n250 SIZE\n
	250-a\r\n250 STARTTLS\r\n250-b\r\n250 STARTTLS\r\n => 250 a\r\n250 b\r\n
	250-a\r\n250 STARTTLS => 250 a\r\n
	END
}

test_nothing_else_is_changed() {
	for output in '220-host\r\n220-STARTTLS\r\n220 STARTTLS\r\n' '250 STARTTLS\r\n' '250-STARTTLS\r\n250 SIZE\r\n' \
		'250-host\r\n250-STARTTLSX\r\n250-STARTTLS-X\r\n250-XSTARTTLS\r\n250 SIZE\r\n' '334 STARTTLS\r\n' \
		'250-host\r\n250-SIZE\r\n251 STARTTLS\r\n' '250-host\r\n250STARTTLS\r\n250 x\r\n' '250-half' '25' '' \
		'250 ok\r\n250 STARTTLS\r\n' '214-STARTTLS\r\n214 STARTTLS\r\n' '\x00\n\xff\r250-\r\n' '250-a\r\nSTARTTLS\r\n'; do
		printf "%s => %s\n" "$output" "$output"
	done >"$T/table"
	unit_table veil whole <"$T/table"
}

test_only_a_line_of_a_list_waits_and_only_for_the_next_one() {
	unit_table veil pieces <<-'END'
	220 host ESMTP\r\n => 220 host ESMTP\r\n
	250-host\r\n => 
	250-SIZE\r\n => 250-host\r\n
	250 START => 
	TLS\r\n => 250 SIZE\r\n
	250 2.0.0 Ok\r\n => 250 2.0.0 Ok\r\n
	250 2.1 => 250 2.1
	.0 Ok\r\n354 go => .0 Ok\r\n354 go
	 on\r\n =>  on\r\n
	END
}

test_a_line_without_end_does_not_wait_for_ever() {
	long=$(text_repeat 3000 x)
	unit_table veil pieces <<-END
	250-$long => 250-$long
	$long => $long
	END
	unit_table veil whole <<-END
	250-$long\\r\\n250-SIZE\\r\\n250-STARTTLS\\r\\n250 HELP\\r\\n => 250-$long\\r\\n250-SIZE\\r\\n250 HELP\\r\\n
	END
}

# shellcheck disable=SC1090
. "$SHUNIT2"
