#!/bin/sh
# penalty: who guesses passwords, and what that means for others. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

test_a_guesser_is_slowed_then_refused_and_it_fades() {
	unit_table penalty <<-'END'
	look 192.0.2.1 => free
	guess 192.0.2.1 alice 3 => 
	look 192.0.2.1 => free
	wrong 192.0.2.1 alice a => counted
	look 192.0.2.1 => slow 555
	guess 192.0.2.1 bob 7 => 
	look 192.0.2.1 => slow 4444
	wrong 192.0.2.1 carol c => counted
	look 192.0.2.1 => refuse 192.0.2.1 12
	look 192.0.2.2 => free
	later 1 => 
	look 192.0.2.1 => slow 4998
	wrong 192.0.2.1 carol d => counted
	look 192.0.2.1 => refuse 192.0.2.1 12
	later 299 => 
	look 192.0.2.1 => refuse 192.0.2.1 12
	later 1 => 
	look 192.0.2.1 => slow 4998
	later 10000 => 
	look 192.0.2.1 => free
	END
}

test_the_same_wrong_password_again_costs_nothing() {
	unit_table penalty <<-'END'
	wrong 192.0.2.1 alice old => counted
	wrong 192.0.2.1 alice old => the same
	wrong 192.0.2.1 alice new => counted
	wrong 192.0.2.1 bob old => counted
	wrong 192.0.2.2 alice old => counted
	wrong 192.0.2.1 alice old => the same
	wrong 2001:db8::1 alice old => counted
	wrong 2001:db8::2 alice old => the same
	wrong 2001:db8:0:1::1 alice old => counted
	later 604800 => 
	wrong 192.0.2.1 alice old => the same
	later 604800 => 
	wrong 192.0.2.1 alice old => the same
	later 604801 => 
	wrong 192.0.2.1 alice old => counted
	END
}

# Of eight passwords of a user from an address, the one that was not seen for longest is forgotten.
test_a_few_wrong_passwords_are_remembered_and_no_more() {
	unit_table penalty <<-'END'
	wrong 192.0.2.1 alice old => counted
	later 1 => 
	guess 192.0.2.1 alice 6 => 
	wrong 192.0.2.1 alice old => the same
	later 1 => 
	guess 192.0.2.1 alice 40 => 
	wrong 192.0.2.1 alice old => counted
	END
}

test_of_scram_no_password_is_known_so_each_one_counts() {
	unit_table penalty <<-'END'
	scram 192.0.2.1 alice 12 => 
	look 192.0.2.1 => refuse 192.0.2.1 12
	END
}

test_a_success_clears_nothing() {
	unit_table penalty <<-'END'
	guess 192.0.2.1 alice 12 => 
	right 192.0.2.1 mallory => 
	look 192.0.2.1 => refuse 192.0.2.1 12
	score alice => 12000
	END
}

# Five of a /24 have 12 each; so have the hosts of the /24s of a /16.
test_nets_have_scores_too() {
	{
		for n in 1 2 3 4 5; do echo "guess 192.0.2.$n alice 12 => "; done
		echo 'look 192.0.2.9 => refuse 192.0.2.0/24 60'
		echo 'look 192.0.3.9 => free'
		for n in 1 2 3 4 5; do for m in 6 7 8 9; do echo "guess 192.0.$m.$n alice 12 => "; done; done
		echo 'look 192.0.77.9 => refuse 192.0.0.0/16 300'
		echo 'look 192.1.77.9 => free'
	} >"$T/table"
	unit_table penalty <"$T/table"
	{
		for n in 1 2 3 4 5; do echo "guess 2001:db8:1:10$n::1 alice 12 => "; done
		echo 'look 2001:db8:1:1ff::9 => refuse 2001:db8:1:100::/56 60'
		for n in 1 2 3 4 5; do for m in 6 7 8 9; do echo "guess 2001:db8:1:${m}0$n::1 alice 12 => "; done; done
		echo 'look 2001:db8:1:201::9 => refuse 2001:db8:1::/48 300'
		echo 'look 2001:db8:2:201::9 => free'
	} >"$T/table"
	unit_table penalty <"$T/table"
}

# A neighbour who guesses does not shut out an address that users have, and their forgotten passwords hurt no neighbour.
test_an_address_with_a_login_counts_alone() {
	unit_table penalty <<-'END'
	right 192.0.2.200 alice => 
	scram 192.0.2.1 alice 24 => 
	scram 192.0.2.2 alice 24 => 
	look 192.0.2.3 => slow 3000
	scram 192.0.2.3 alice 24 => 
	look 192.0.2.4 => refuse 192.0.2.0/24 72
	look 192.0.2.200 => free
	scram 192.0.2.200 alice 12 => 
	look 192.0.2.200 => refuse 192.0.2.200 12
	right 198.51.100.1 bob => 
	scram 198.51.100.1 bob 100 => 
	look 198.51.100.1 => shut 198.51.100.1 48
	look 198.51.100.2 => free
	later 2592001 => 
	scram 192.0.2.1 alice 20 => 
	scram 192.0.2.2 alice 20 => 
	look 192.0.2.200 => slow 1666
	END
}

test_one_address_does_not_shut_its_neighbours_out() {
	unit_table penalty <<-'END'
	scram 192.0.2.1 alice 5000 => 
	look 192.0.2.1 => shut 192.0.2.1 48
	look 192.0.2.2 => free
	list => 192.0.0.0/16 24000 0 0, 192.0.2.0/24 24000 0 0, 192.0.2.1 48000 3 0
	END
}

# Nobody may find out who exists, and no stranger may keep a user from the user's own nets.
test_the_score_of_a_user_is_for_strangers() {
	unit_table penalty <<-'END'
	right 192.0.2.1 alice => 
	scram 203.0.113.1 alice 10 => 
	user 192.0.2.1 alice => free
	user 192.0.2.77 alice => free
	user 192.0.3.1 alice => free
	scram 203.0.113.1 alice 45 => 
	user 192.0.3.1 alice => slow 2500
	user 192.0.3.1 nobody => free
	scram 203.0.113.1 nobody 55 => 
	user 192.0.3.1 nobody => slow 2500
	scram 203.0.113.1 alice 100 => 
	user 192.0.3.1 alice => refuse 155
	user 192.0.2.1 alice => free
	user 203.0.113.1 bob => free
	score alice => 155000
	later 1 => 
	scram 203.0.113.1 alice 100 => 
	score alice => 200000
	later 3600 => 
	score alice => 100000
	later 36 => 
	score alice => 99000
	forget alice => 1
	forget alice => 0
	score alice => 0
	right 2001:db8:1::1 bob => 
	scram 203.0.113.1 bob 100 => 
	user 2001:db8:1:ff00::1 bob => free
	user 2001:db8:2::1 bob => refuse 100
	END
}

test_connections_that_come_to_nothing_count_too() {
	unit_table penalty <<-'END'
	deed 192.0.2.1 stalled 24 => 
	look 192.0.2.1 => refuse 192.0.2.1 12
	deed 192.0.2.2 broken 120 => 
	look 192.0.2.2 => refuse 192.0.2.2 12
	deed 192.0.2.3 nothing 2400 => 
	look 192.0.2.3 => refuse 192.0.2.3 12
	deed 192.0.2.3 nothing 2400 => 
	look 192.0.2.3 => shut 192.0.2.3 24
	deed 192.0.2.3 nothing 9999 => 
	look 192.0.2.3 => shut 192.0.2.3 48
	END
}

test_a_clock_that_was_wrong_blocks_nobody() {
	unit_table penalty <<-'END'
	scram 192.0.2.1 alice 12 => 
	block 192.0.2.2 60 => 0
	later -3600 => 
	look 192.0.2.1 => refuse 192.0.2.1 12
	later -1 => 
	look 192.0.2.1 => free
	scram 192.0.2.1 alice 12 => 
	look 192.0.2.1 => refuse 192.0.2.1 12
	END
}

test_blocks_and_their_end() {
	unit_table penalty <<-'END'
	right 192.0.2.1 alice => 
	block 192.0.2.0/24 60 => 0
	look 192.0.2.1 => shut 192.0.2.0/24 0 blocked
	scram 192.0.2.1 alice 1 => 
	list => 192.0.2.0/24 0 3 60, 192.0.2.1 1000 0 0
	later 59 => 
	look 192.0.2.9 => shut 192.0.2.0/24 0 blocked
	later 1 => 
	look 192.0.2.9 => free
	block 2001:db8::/64 60 => 0
	block 2001:db8::/56 60 => 0
	block 2001:db8::/48 60 => 0
	block 192.0.2.1/32 60 => 0
	clear 192.0.2.1 => 1
	clear 192.0.2.1 => 0
	look 192.0.2.1 => free
	block 192.0.2.0/25 60 => not a net
	block 2001:db8::/24 60 => not a net
	block 192.0.2.0/64 60 => not a net
	block 192.0.2.0/ 60 => not a net
	block 192.0.2 60 => not a net
	END
}

# Ten thousand addresses with one wrong password each do not drive out one with many.
test_where_the_table_is_full_the_lowest_score_goes() {
	{
		echo 'scram 192.0.2.1 alice 12 => '
		awk 'BEGIN { for (i = 0; i < 60000; i++) print "deed 10." int(i / 250) ".0." i % 250 " stalled => " }'
		echo 'look 192.0.2.1 => refuse 192.0.2.1 12'
	} >"$T/table"
	unit_table penalty <"$T/table"
}

test_a_block_is_not_driven_out() {
	{
		echo 'block 192.0.2.1 60 => 0'
		awk 'BEGIN { for (i = 0; i < 60000; i++) print "deed 10." int(i / 250) ".0." i % 250 " stalled => " }'
		echo 'look 192.0.2.1 => shut 192.0.2.1 0 blocked'
	} >"$T/table"
	unit_table penalty <"$T/table"
}

# A delay that nobody ends, because its process was killed, ends by itself.
test_only_so_many_wait_at_the_same_time() {
	unit_table penalty <<-'END'
	wait 1000 3 500 => 0
	wait 1000 3 500 => 1
	wait 1000 3 500 => 2
	wait 1000 3 500 => -1
	wait 1000 99 500 => 3
	waited 1 => 
	wait 1000 3 500 => 1
	wait 1499 3 500 => -1
	wait 1500 3 500 => 0
	wait 100000 1 500 => 0
	wait 1 1 500 => 0
	wait 1000 0 500 => -1
	END
}

# The figure of authd(8), in hours: one address, then all of a /24. -a 3 alone let 552 a second pass, 1,987,200 an hour.
test_how_many_passwords_can_be_tried() {
	unit_table penalty <<-'END'
	siege 1 4 => 24 12 12 12
	END
	unit_table penalty <<-'END'
	siege 256 4 => 120 60 60 60
	END
}

test_two_processes_at_once_lose_nothing() {
	unit_table penalty <<-'END'
	hammer 192.0.2.1 => shut 192.0.2.1 40
	END
}

test_a_process_that_is_killed_leaves_no_lock_and_no_nonsense() {
	mkdir "$T/killed"
	unit_table penalty "$T/killed" <<-'END'
	kill => 0
	scram 192.0.2.1 alice 12 => 
	look 192.0.2.1 => refuse 192.0.2.1 12
	END
}

test_the_table_outlives_the_process() {
	mkdir -m 700 "$T/lives"
	unit_table penalty "$T/lives" <<-'END'
	wrong 192.0.2.1 alice old => counted
	scram 192.0.2.1 alice 11 => 
	END
	unit_table penalty "$T/lives" <<-'END'
	look 192.0.2.1 => refuse 192.0.2.1 12
	wrong 192.0.2.1 alice old => the same
	END
	assertEquals '-rw-------' "$(stat -c %A "$T/lives/table")"
	assertEquals table "$(ls "$T/lives")"
	assertEquals 'neither a password nor a name' 0 "$(grep -c 'alice\|old' "$T/lives/table")"
	rm "$T/lives/table"
	chmod 770 "$T/lives"
	unit_table penalty "$T/lives" </dev/null
	assertEquals 'for a group that may write there' '-rw-rw----' "$(stat -c %A "$T/lives/table")"
}

# usage: is_replaced what
is_replaced() {
	printf 'replaced\nlook 192.0.2.1 => free\n' >"$T/want"
	echo 'look 192.0.2.1' | test-unit penalty "$T/d" >"$T/got" 2>&1
	assert_same "$1" "$T/want" "$T/got"
	assertEquals "$1: it is whole again" 'look 192.0.2.1 => free' "$(echo 'look 192.0.2.1' | test-unit penalty "$T/d")"
}

test_processes_that_make_the_table_at_once_share_it() {
	mkdir -m 700 "$T/race"
	for n in 1 2 3 4 5 6 7 8; do
		echo "wrong 192.0.2.1 alice $n" | test-unit penalty "$T/race" >/dev/null &
	done
	wait
	unit_table penalty "$T/race" <<-'END'
	list => 192.0.0.0/16 8000 0 0, 192.0.2.0/24 8000 0 0, 192.0.2.1 8000 1 0
	END
}

test_a_file_that_is_damaged_or_foreign_is_replaced() {
	mkdir -m 700 "$T/d"
	echo 'scram 192.0.2.1 alice 12' | test-unit penalty "$T/d" >/dev/null
	truncate -s 4096 "$T/d/table"
	is_replaced truncated
	truncate -s 0 "$T/d/table"
	is_replaced empty
	truncate -s +1 "$T/d/table"
	is_replaced 'too long'
	printf X | dd of="$T/d/table" conv=notrunc status=none
	is_replaced 'another head'
	printf X | dd of="$T/d/table" bs=1 seek=8 conv=notrunc status=none
	is_replaced 'another machine'
	chmod 604 "$T/d/table"
	is_replaced 'open to everybody'
	ln "$T/d/table" "$T/d/link"
	is_replaced 'two names'
	rm "$T/d/table"
	ln -s link "$T/d/table"
	is_replaced 'a symbolic link'
	rm "$T/d/table"
	mkfifo "$T/d/table"
	is_replaced 'a fifo'
	assertEquals 'what a name led to stays' 1 "$(find "$T/d/link" -size +1000k | wc -l)"
	head -c 2000000 /dev/urandom | dd of="$T/d/table" bs=4096 seek=1 count=300 conv=notrunc iflag=fullblock status=none
	echo 'look 192.0.2.1' | test-unit penalty "$T/d" >/dev/null
	assertEquals 'noise within is harmless' 0 $?
	echo list | test-unit penalty "$T/d" >/dev/null
	assertEquals 'noise can be listed' 0 $?
}

test_a_directory_that_is_not_ours_is_refused() {
	mkdir "$T/open"
	chmod 777 "$T/open"
	assertEquals 'everybody may write to it' "$(test-unit penalty "$T/open" </dev/null)"
	assertEquals 'No such file or directory' "$(test-unit penalty "$T/none" </dev/null)"
	mkdir -p "$T/e/table"
	chmod 700 "$T/e"
	assertEquals 'a directory has the name' 'Is a directory' "$(test-unit penalty "$T/e" </dev/null)"
}

# From all of a /48 of IPv6 the user has no address forgotten either.
test_a_user_who_logs_in_from_everywhere_has_no_home_forgotten() {
	echo 'roam 64 => kept, kept' | unit_table penalty
	echo 'roam 48 => kept, lost' | unit_table penalty
}

# shellcheck disable=SC1090
. "$SHUNIT2"
