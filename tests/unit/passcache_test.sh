#!/bin/sh
# passcache: passwords that were right, remembered by all workers. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_the_same_login_is_found_and_no_other() {
	unit_table passcache <<-'END'
	key => ok
	find 0 - bob pencil => no
	add 0 - bob pencil main => ok
	find 0 - bob pencil => main
	find 0 - bob pencils => no
	find 0 - bob penci => no
	find 0 - bo bpencil => no
	find 0 - bobp encil => no
	find 0 - Bob pencil => no
	add 0 - bob eraser phone => ok
	find 0 - bob eraser => phone
	find 0 - bob pencil => main
	add 0 - bob pencil other => ok
	find 0 - bob pencil => other
	clear => ok
	find 0 - bob pencil => no
	find 0 - bob eraser => no
	END
}

test_an_entry_counts_while_the_store_is_the_same_file() {
	for letter in d i s m n c; do
		unit_table passcache <<-END
		add 0 - bob pencil main => ok
		find 0 $letter bob pencil => no
		add 0 $letter bob pencil new => ok
		find 0 - bob pencil => main
		find 0 $letter bob pencil => new
		END
	done
}

# From when the password was checked, however often it is used.
test_an_entry_counts_for_its_age() {
	unit_table passcache <<-'END'
	add 500 - bob pencil main => ok
	find 500 - bob pencil => main
	find 1499 - bob pencil => main
	find 1500 - bob pencil => no
	find 499 - bob pencil => no
	add 2000 - bob pencil main => ok
	find 2999 - bob pencil => main
	find 3000 - bob pencil => no
	END
}

test_the_one_that_was_not_used_for_the_longest_time_makes_room() {
	for i in 1 2 3 4 5 6 7 8; do echo "add 0 - user$i pencil label$i => ok"; done >"$T/fill"
	{
		cat "$T/fill"
		cat <<-'END'
		find 0 - user1 pencil => label1
		add 0 - user9 pencil label9 => ok
		find 0 - user2 pencil => no
		find 0 - user1 pencil => label1
		add 0 - user3 pencil again => ok
		add 0 - user10 pencil label10 => ok
		find 0 - user4 pencil => no
		find 0 - user3 pencil => again
		find 0 - user5 pencil => label5
		END
	} | unit_table passcache
}

test_workers_share_it_and_a_worker_that_is_killed_keeps_nobody_out() {
	echo 'share - bob pencil => child 0 mine other' | unit_table passcache
}

test_an_entry_is_whole_or_none() {
	unit_table passcache <<-'END'
	damage - bob pencil main => 0
	damage - bob pencil 0123456789012345678901234567890123456789012345678901234567890123 => 0
	END
}

# shellcheck source=/dev/null
. "$SHUNIT2"
