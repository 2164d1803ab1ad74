#!/bin/sh
# number: what an operator may write as a number. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_only_digits_are_a_number() {
	unit_table number 0 1000000 <<-'END'
	0 => 0
	7 => 7
	5000 => 5000
	0012 => 12
	1000000 => 1000000
	5000x => EINVAL
	x5000 => EINVAL
	50 00 => EINVAL
	+5 => EINVAL
	-1 => EINVAL
	-0 => EINVAL
	 5 => EINVAL
	5  => EINVAL
	\t5 => EINVAL
	5\n => EINVAL
	 => EINVAL
	0x10 => EINVAL
	1e3 => EINVAL
	1.5 => EINVAL
	\xd9\xa3 => EINVAL
	END
}

test_the_bounds_are_included() {
	unit_table number 1 500 <<-'END'
	0 => ERANGE
	1 => 1
	500 => 500
	501 => ERANGE
	5000 => ERANGE
	0000000000000000000000000500 => 500
	END
	unit_table number 3 3 <<-'END'
	2 => ERANGE
	3 => 3
	4 => ERANGE
	9 => ERANGE
	30 => ERANGE
	END
	unit_table number 0 0 <<-'END'
	0 => 0
	00 => 0
	1 => ERANGE
	9 => ERANGE
	10 => ERANGE
	END
	unit_table number 0 5 <<-'END'
	5 => 5
	6 => ERANGE
	15 => ERANGE
	END
}

test_no_number_wraps() {
	unit_table number 0 9223372036854775807 <<-'END'
	9223372036854775807 => 9223372036854775807
	9223372036854775808 => ERANGE
	18446744073709551615 => ERANGE
	18446744073709551616 => ERANGE
	18446744073709551621 => ERANGE
	99999999999999999999999999999999999999999999999999 => ERANGE
	-18446744073709541616 => EINVAL
	END
	unit_table number 1 1000000 <<-'END'
	18446744073709551616 => ERANGE
	18446744073709551617 => ERANGE
	4294967297 => ERANGE
	END
}

. "$SHUNIT2"
