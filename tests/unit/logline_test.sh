#!/bin/sh
# logline, logwrap: what is one of our lines, in whatever a logger puts around it. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

export TZ=UTC

test_a_line_has_stage_ids_event_and_fields() {
	unit_table logline <<-'END'
	authd: 1ngsr3haaaaaaa authenticated user=alice => 1796006001.000000? [authd][1ngsr3haaaaaaa][authenticated] user[alice]
	stamp: 1ngsr3haaaaaaa/1ngsr3jbbbbbbb done => 1796006002.000000? [stamp][1ngsr3haaaaaaa][1ngsr3jbbbbbbb][done]
	tlsd: - ready address=0.0.0.0:587 => - [tlsd][-][ready] address[0.0.0.0:587]
	submit: -/1ngsr3haaaaaaa accepted => 1796006001.000000? [submit][-][1ngsr3haaaaaaa][accepted]
	trace: s/m facts SMTPAUTHUSER=a MSA_X_1=b => - [trace][s][m][facts] SMTPAUTHUSER[a] MSA_X_1[b]
	limit: s/m refused why="a = b" who=c => - [limit][s][m][refused] whyq[a = b] who[c]
	limit: s/m refused why="" who=c=d => - [limit][s][m][refused] whyq[] who[c=d]
	limit: s/m refused why="\\x22\\xff" => - [limit][s][m][refused] whyq[\x22\xff]
	x: s/m/n e => - [x][s][m/n][e]
	END
}

# A stranger's text must not become a line, or a field, of its own.
test_what_log_c_does_not_write_is_no_line() {
	unit_table logline <<-'END'
	 => other
	x => other
	x: => other
	x:  => other
	x: s => other
	x: s  => other
	x: s/ e => other
	x: /m e => other
	x: s e  => other
	x: s e  a=b => other
	x: s e a => other
	x: s e a= => other
	x: s e a= b=c => other
	x: s e =b => other
	x: s e a="b => other
	x: s e a="b"c => other
	x: s e a=b" => other
	x: s e a=b\\x22 => other
	x: s e 1=b => other
	x: s e a.b=c => other
	x: s E a=b => other
	X: s e a=b => other
	1: s e a=b => other
	x:s e a=b => other
	 x: s e a=b => other
	x: s e a=b\r => other
	x: s e a="b\tc" => other
	x: s e a="b\x1b[2J" => other
	x: s e a=b\x7f => other
	x: s e a=b\0 => other
	x: s\x80 e a=b => other
	x x: s e a=b => other
	END
}

# usage: octets count; so many of "a"
octets() {
	printf "%0$1d" 0 | tr 0 a
}

test_a_line_that_was_cut_off_is_one() {
	{
		echo "x: s e b=c a=\"$(octets 986) => - [x][s][e] b[c] aq[$(octets 986)] cut"
		echo "x: s e a=\"$(octets 988) d => - [x][s][e] aq[$(octets 988) d] cut"
		echo "x: s e a=$(octets 988) d => - [x][s][e] a[$(octets 988)] cut"
		echo "x: s e a=$(octets 987) d= => - [x][s][e] a[$(octets 987)] cut"
		echo "x: s e b=c a=\"$(octets 984) => other"
		echo "x: s e b=c a=$(octets 988) => other"
	} | unit_table logline
}

test_names_ids_and_fields_have_limits() {
	{
		echo "$(octets 32): $(octets 64)/$(octets 64) e => - [$(octets 32)][$(octets 64)][$(octets 64)][e]"
		echo "$(octets 33): s e => other"
		echo "x: $(octets 65) e => other"
		echo "x: s/$(octets 65) e => other"
		fields=$(yes a=b | head -n 64 | tr '\n' ' ' | sed 's/ $//')
		echo "x: s e $fields => - [x][s][e] $(echo "$fields" | sed 's/a=b/a[b]/g')"
		echo "x: s e $fields a=b => other"
	} | unit_table logline
}

test_each_logger_has_its_time() {
	unit_table logline <<-'END'
	@400000006b0ce07b2db8cbbc x: s e a=b => 1796006001.767085 [x][s][e] a[b]
	2026-11-30 02:33:21.747174109  x: s e => 1796006001.747174 [x][s][e]
	2026-11-30_02:33:21.92865 x: s e => 1796006001.928650 [x][s][e]
	Nov 30 02:33:21 host x[12]: s/m e a=b => 1796006001.000000 [x][s][m][e] a[b]
	Nov 30 02:33:21.5 host x[12]: s/m e a=b => 1796006001.500000 [x][s][m][e] a[b]
	Nov 30 02:33:21 host x: s/m e a=b => 1796006001.000000 [x][s][m][e] a[b]
	Nov  3 02:33:21 host lmtp-inject[1]: s e => 1793673201.000000 [lmtp-inject][s][e]
	Nov 30 02:33:21 host tcpserver[12]: x: s/m e a=b => 1796006001.000000 [x][s][m][e] a[b]
	2026-11-30T03:33:21.25+01:00 host x[1]: s e => 1796006001.250000 [x][s][e]
	2026-11-30T03:33:21+0100 host x[1]: s e => 1796006001.000000 [x][s][e]
	2026-11-29T22:03:21-0430 host x[1]: s e => 1796006001.000000 [x][s][e]
	2026-11-30T02:33:21Z host x[1]: s e => 1796006001.000000 [x][s][e]
	2024-02-29T23:59:60Z host x[1]: s e => 1709251200.000000 [x][s][e]
	END
	TZ=Europe/Berlin unit_table logline <<-'END'
	2026-11-30 03:33:21.7  x: s e => 1796006001.700000 [x][s][e]
	2026-11-30 03:34:21.7  x: s e => 1796006061.700000 [x][s][e]
	2026-07-30 03:33:21.7  x: s e => 1785375201.700000 [x][s][e]
	Nov 30 03:33:21 host x[12]: s e => 1796006001.000000 [x][s][e]
	2026-11-30_02:33:21.92865 x: s e => 1796006001.928650 [x][s][e]
	END
}

test_without_a_year_it_is_the_last_one_that_was_not_after_tomorrow() {
	unit_table logline <<-'END'
	Dec  1 02:33:21 host x[1]: s e => 1796092401.000000 [x][s][e]
	Dec  1 02:34:21 host x[1]: s e => 1764556461.000000 [x][s][e]
	Dec  1 02:34:22 host x[1]: s e => 1764556462.000000 [x][s][e]
	Jan  1 00:00:00 host x[1]: s e => 1767225600.000000 [x][s][e]
	END
}

test_what_is_nearly_a_time_is_none() {
	unit_table logline <<-'END'
	@400000006b0ce07b2db8cbb x: s e => other
	@400000006b0ce07b2db8cbbg x: s e => other
	@400000006b0ce07bffffffff x: s e => other
	@400000006b0ce07b2db8cbbc Nov 30 02:33:21 host x[12]: s e => other
	@ffffffffffffffff2db8cbbc x: s e => other
	@400000006b0ce07b2db8cbbcx: s e => other
	2026-13-30 02:33:21.7  x: s e => other
	2026-11-32 02:33:21.7  x: s e => other
	2026-11-30 24:33:21.7  x: s e => other
	2026-11-30 02:60:21.7  x: s e => other
	2026-11-30 02:33:61.7  x: s e => other
	2026-11-30T02:33:21+1 host x[1]: s e => other
	2026-11-30T02:33:21+16:00 host x[1]: s e => other
	Nov 30 02:33 host x[1]: s e => other
	Now 30 02:33:21 host x[1]: s e => other
	Nov 30 02:33:21 x[1]: s e => other
	Nov 30 02:33:21 host x[1] s e => other
	Nov 30 02:33:21 host x[1: s e => other
	Nov 30 02:33:21 host X[1]: s e => other
	Nov 30 02:33:21 host sshd[1]: Invalid user x: s e => other
	END
}

# multilog's labels are 10 seconds from the epoch, those of s6-log 37. The ids tell.
test_the_ids_tell_whose_labels_they_are() {
	unit_table logline learn <<-'END'
	@400000006b0ce07b2db8cbbc x: 1ngsr3haaaaaaa e => 1796006001.767085 [x][1ngsr3haaaaaaa][e]
	@400000006b0ce0962db8cbbc x: 1ngsr3haaaaaaa e => 1796006001.767085 [x][1ngsr3haaaaaaa][e]
	@400000006b0ce0ff2db8cbbc x: 1ngsr3haaaaaaa e => 1796006133.767085 [x][1ngsr3haaaaaaa][e]
	@400000006b0ce0962db8cbbc x: s e => 1796006028.767085 [x][s][e]
	END
}

test_a_person_writes_a_time_in_several_ways() {
	unit_table logtime <<-'END'
	now => 1796006001
	today => 1795996800
	yesterday => 1795910400
	02:33 => 1796005980
	02:33:21 => 1796006001
	2026-11-30 => 1795996800
	2026-11-30 02:33 => 1796005980
	2026-11-30T02:33:21 => 1796006001
	-0s => 1796006001
	-90s => 1796005911
	-30m => 1796004201
	-2h => 1795998801
	-7d => 1795401201
	 => EINVAL
	- => EINVAL
	-s => EINVAL
	-1 => EINVAL
	-1w => EINVAL
	--1s => EINVAL
	-9999999999s => EINVAL
	tomorrow => EINVAL
	24:00 => EINVAL
	2:33 => EINVAL
	2026-13-01 => EINVAL
	2026-11-30 => 1795996800
	2026-11-30 02 => EINVAL
	2026/11/30 => EINVAL
	END
}

. "$SHUNIT2"
