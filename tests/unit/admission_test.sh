#!/bin/sh
# admission: who is let in, and who has to go. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# Limits: of an address (:of its early ones), of a net (early ones), of early ones, of all.
test_over_the_early_ones_the_oldest_of_the_net_that_has_most_goes() {
	unit_table admission 9 9 5 100 <<-'END'
	enter a 192.0.2.1 => ok
	enter x1 198.51.100.1 => ok
	enter x2 198.51.100.2 => ok
	enter x3 198.51.100.3 => ok
	enter b 203.0.113.1 => ok
	go => 
	enter c 203.0.114.1 => ok
	go => x1
	enter d 203.0.115.1 => ok
	go => x2
	enter e 203.0.116.1 => ok
	go => a
	enter x4 198.51.100.4 => ok
	go => x3
	END
}

test_within_the_net_it_is_the_address_that_has_most() {
	unit_table admission 9 9 4 100 <<-'END'
	enter neighbour 192.0.2.1 => ok
	enter x1 192.0.2.2 => ok
	enter x2 192.0.2.2 => ok
	enter x3 192.0.2.2 => ok
	enter late 192.0.2.3 => ok
	go => x1
	enter later 192.0.2.4 => ok
	go => x2
	enter last 192.0.2.5 => ok
	go => neighbour
	END
}

# 2001:db8:0::/48 has a /56 with a /64 that has two, another /56 with one.
test_ipv6_is_counted_by_48_then_56_then_64() {
	unit_table admission 9 20 5 100 <<-'END'
	enter a 2001:db8:7::1 => ok
	enter b1 2001:db8:0:100::1 => ok
	enter b2 2001:db8:0:1::1 => ok
	enter b3 2001:db8:0:2::1 => ok
	enter b4 2001:db8:0:2::2 => ok
	go => 
	enter c1 2001:db8:8::1 => ok
	go => b3
	enter c2 2001:db8:9::1 => ok
	go => b2
	enter c3 2001:db8:a::1 => ok
	go => b1
	enter c4 2001:db8:b::1 => ok
	go => a
	END
}

test_who_has_proved_itself_never_goes() {
	unit_table admission 9 9 2 100 <<-'END'
	enter a 192.0.2.1 => ok
	settle a => ok
	enter b 192.0.2.1 => ok
	enter c 192.0.2.1 => ok
	settle b => ok
	settle c => ok
	enter d 192.0.2.1 => ok
	enter e 192.0.2.1 => ok
	enter f 192.0.2.1 => ok
	go => d
	enter g 198.51.100.1 => ok
	settle e => too late
	go => e
	leave a => ok
	END
}

test_over_an_address_the_newcomer_is_refused_and_nobody_goes() {
	unit_table admission 3 20 4 100 <<-'END'
	many 4 x 192.0.2.1 => ok, ok, ok, over address
	enter y 192.0.2.2 => ok
	enter x 192.0.2.1 => over address
	go => 
	leave x0 => ok
	enter x 192.0.2.1 => ok
	settle x => ok
	enter z 192.0.2.1 => over address
	many 4 v 2001:db8::1 => ok, ok, ok, over address
	go => x1 v0
	enter w 2001:db8::2 => ok
	go => v1
	END
}

test_the_early_ones_of_an_address_have_a_limit_of_their_own() {
	unit_table admission 5:2 20 20 100 <<-'END'
	many 3 x 192.0.2.1 => ok, ok, over host
	enter y 192.0.2.2 => ok
	go => 
	settle x0 => ok
	enter z 192.0.2.1 => ok
	enter w 192.0.2.1 => over host
	settle x1 => ok
	settle z => ok
	many 3 v 192.0.2.1 => ok, ok, over address
	leave x0 => ok
	enter w 192.0.2.1 => over host
	leave v0 => ok
	enter w 192.0.2.1 => ok
	many 3 u 2001:db8::1 => ok, ok, over host
	enter t 2001:db8::2 => over host
	enter s 2001:db8:0:1::1 => ok
	go => 
	END
}

# 50 where no option says another number, and no more than the address may have in all.
test_the_default_for_the_early_ones_of_an_address() {
	for address in 500 50; do
		{
			for n in $(seq 1 50); do printf 'enter a%s 192.0.2.1 => ok\n' "$n"; done
			[ $address = 50 ] && echo 'enter b 192.0.2.1 => over address' || echo 'enter b 192.0.2.1 => over host'
		} >"$T/table"
		unit_table admission $address 0 250 1000 <"$T/table"
	done
	unit_table admission 2:9 20 20 100 <<-'END'
	many 3 x 192.0.2.1 => ok, ok, over address
	END
}

test_over_a_net_the_oldest_of_the_net_goes() {
	unit_table admission 9 3 100 100 <<-'END'
	enter a 192.0.2.1 => ok
	enter b 192.0.2.2 => ok
	enter c 192.0.2.3 => ok
	enter other 192.0.3.1 => ok
	go => 
	enter d 192.0.2.4 => ok
	go => a
	enter e 192.0.2.4 => ok
	go => d
	enter f 192.0.4.4 => ok
	go => 
	END
}

# A /56 has half of what a /48 has, but no less than an address.
test_a_56_has_half_of_a_48() {
	unit_table admission 2 8 100 100 <<-'END'
	many 2 a 2001:db8:0:1::1 => ok, ok
	many 2 b 2001:db8:0:2::1 => ok, ok
	go => 
	enter c 2001:db8:0:3::1 => ok
	go => a0
	many 2 d 2001:db8:0:101::1 => ok, ok
	many 2 e 2001:db8:0:102::1 => ok, ok
	go => 
	enter f 2001:db8:0:201::1 => ok
	go => b0
	END
	unit_table admission 6 8 100 100 <<-'END'
	many 6 a 2001:db8:0:1::1 => ok, ok, ok, ok, ok, ok
	go => 
	enter b 2001:db8:0:2::1 => ok
	go => a0
	END
}

# Without a limit for nets it is half of the early ones, and no less than the early ones that an address has.
test_the_default_for_a_net() {
	unit_table admission 99:2 0 8 100 <<-'END'
	many 2 a 192.0.2.1 => ok, ok
	many 2 b 192.0.2.2 => ok, ok
	enter c 192.0.2.3 => ok
	go => a0
	END
	unit_table admission 2 0 8 100 <<-'END'
	many 2 a 192.0.2.1 => ok, ok
	many 2 b 192.0.2.2 => ok, ok
	enter c 192.0.2.3 => ok
	go => a0
	END
	unit_table admission 7 0 8 100 <<-'END'
	many 7 a 192.0.2.1 => ok, ok, ok, ok, ok, ok, ok
	go => 
	enter c 192.0.2.3 => ok
	go => a0
	END
	unit_table admission 50 0 3 100 <<-'END'
	many 3 a 192.0.2.1 => ok, ok, ok
	go => 
	enter b 192.0.2.2 => ok
	go => a0
	END
}

test_over_all_an_early_one_goes_and_otherwise_the_newcomer_is_refused() {
	unit_table admission 9 9 9 3 <<-'END'
	enter a 192.0.2.1 => ok
	enter b 198.51.100.1 => ok
	enter c 203.0.113.1 => ok
	settle a => ok
	settle c => ok
	enter d 192.0.2.2 => ok
	go => b
	settle d => ok
	enter e 203.0.113.2 => over total
	go => 
	leave a => ok
	enter e 203.0.113.2 => ok
	END
}

# Those that have to go are in other workers, and are not gone yet: the newcomers are let in all the same, up to a bound.
test_workers_share_the_counts() {
	unit_table admission 9 9 2 100 <<-'END'
	enter a 192.0.2.1 1 => ok
	enter b 192.0.2.1 2 => ok
	enter c 198.51.100.1 0 => ok
	enter d 198.51.100.2 1 => ok
	enter e 198.51.100.3 1 => over early
	settle a => too late
	go => c a
	enter e 203.0.113.1 1 => ok
	go => b
	END
}

test_a_lost_worker_gives_back_its_places() {
	unit_table admission 2 9 4 4 <<-'END'
	enter a 192.0.2.1 1 => ok
	enter b 192.0.2.1 1 => ok
	enter c 192.0.2.2 1 => ok
	settle c => ok
	enter d 192.0.2.2 0 => ok
	enter e 192.0.2.2 0 => over address
	enter f 192.0.2.3 0 => ok
	lost 1 => 
	enter e 192.0.2.2 0 => ok
	many 2 g 192.0.2.1 => ok, ok
	go => d
	lost 0 => 
	many 4 h 192.0.3.1 => ok, ok, over address, over address
	many 4 i 192.0.4.1 => ok, ok, over address, over address
	go => 
	time 800 => 100
	END
}

# One that had to go counts no more, and so is not given back.
test_a_lost_worker_does_not_give_back_what_had_to_go() {
	unit_table admission 9 9 1 3 <<-'END'
	enter a 192.0.2.1 1 => ok
	enter b 198.51.100.1 => ok
	lost 1 => 
	settle b => ok
	enter c 198.51.100.2 => ok
	settle c => ok
	enter d 198.51.100.3 => ok
	settle d => ok
	enter e 198.51.100.4 => over total
	END
}

# An address that a proxy has still to tell counts for no net.
test_who_has_no_address_yet_goes_last() {
	unit_table admission 9 9 2 100 <<-'END'
	enter a - => ok
	enter b 192.0.2.1 => ok
	enter c 198.51.100.1 => ok
	go => b
	enter d - => ok
	enter e 198.51.100.1 => ok
	go => c
	END
}

test_the_time_is_shorter_once_half_of_the_places_are_in_use() {
	unit_table admission 99 99 8 100 <<-'END'
	time 80 => 80
	many 4 a 192.0.2.1 => ok, ok, ok, ok
	time 80 => 80
	enter b 192.0.2.2 => ok
	time 80 => 60
	enter c 192.0.2.2 => ok
	time 80 => 40
	enter d 192.0.2.2 => ok
	time 80 => 20
	enter e 192.0.2.2 => ok
	time 80 => 10
	enter f - => ok
	time 80 => 10
	settle f => ok
	leave b => ok
	leave c => ok
	leave d => ok
	time 80 => 60
	END
	unit_table admission 1 1 1 1 <<-'END'
	enter a 192.0.2.1 => ok
	time 80 => 80
	END
}

# shellcheck disable=SC1090
. "$SHUNIT2"
