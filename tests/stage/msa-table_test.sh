#!/bin/sh
# msa-table: text becomes the table that a stage reads, a mistake becomes a line with its number, and a table becomes text.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

setUp() {
	rm -rf "$T/work"
	mkdir "$T/work"
	cd "$T/work" || exit 1
}

# The records of a table, "key->value", with ~ for a NUL. usage: records table
records() {
	cdb -d "$1" | tr '\0' '~' | sed '/^$/d; s/^+[0-9]*,[0-9]*://'
}

# The text makes these records, which -c accepts, and -x gives a text that makes the same table.
# usage: assert_records kind text <records
assert_records() {
	printf '%b' "$2" | msa-table "$1" t.cdb >"$T/log" 2>&1
	code=$?
	assertEquals "$1: $(cat "$T/log")" 0 "$code"
	records t.cdb >"$T/got"
	assert_got "$1: $2"
	msa-table -c "$1" t.cdb >"$T/log" 2>&1
	code=$?
	assertEquals "$1: -c: $(cat "$T/log")" 0 "$code"
	msa-table -x "$1" t.cdb >again
	msa-table "$1" again.cdb again
	code=$?
	assertEquals "$1: again: $(cat again)" 0 "$code"
	cmp -s t.cdb again.cdb
	code=$?
	assertEquals "$1: its own text: $(cat again)" 0 "$code"
}

# Text that makes no table. A line of the table: "kind | text | what is said after standard input:, or = and that".
assert_complaints() {
	while IFS='|' read -r kind text why; do
		kind=${kind% } text=${text# } why=${why# }
		printf '%b' "${text% }" | msa-table "$kind" t.cdb >"$T/got" 2>&1
		assertEquals "$kind: $text" 100 $?
		printf 'msa-table: standard input:%s\n' "$why" | assert_got "$kind: $text"
	done
	assertEquals 'no table, and no part of one' '' "$(ls)"
}

test_text_becomes_the_records_of_each_kind() {
	hash=$(text_repeat 64 a)
	assert_records senders 'alice@example.net sales@example.net @.a.example *\n* @a.b\n- !\nbob\n' <<-'E2'
		alice@example.net->sales@example.net @.a.example *
		*->@a.b
		-->!
		bob->
	E2
	assert_records rates 'bob 1/60, 100/86400,\ncarol\n' <<-'E2'
		bob->1/60, 100/86400,
		carol->
	E2
	assert_records copies 'user:a a@b.c\nfrom:.b.test a@b.c x@y.z\n* a@b.c\n.b.test a@b.c\n' <<-'E2'
		user:a->a@b.c
		from:.b.test->a@b.c x@y.z
		*->a@b.c
		.b.test->a@b.c
	E2
	assert_records addresses '.b.test test\nx.b.test\n' <<-'E2'
		.b.test->test
		x.b.test->
	E2
	assert_records keys 'test s:/a@b:/c, x@y.test:/z\n.test s:/a\n' <<-'E2'
		test->s:/a@b:/c, x@y.test:/z
		.test->s:/a
	E2
	assert_records routes 'Bob@a.test dir.name\na.test\nfrom:Bob@a.test /sock\nuser:x y\n[192.0.2.1] z\n"a\\040b"@c w\n' <<-'E2'
		Bob@a.test->dir.name
		a.test->
		from:Bob@a.test->/sock
		user:x->y
		[192.0.2.1]->z
		"a b"@c->w
	E2
	assert_records senders 'alice@b.test a@b.test &sales\n&sales x@y.test\nalice@b.test/phone a@b.test\na/b@c.test\n&x@y.test &sales\n' <<-'E2'
		alice@b.test->a@b.test &sales
		&sales->x@y.test
		alice@b.test/phone->a@b.test
		a/b@c.test->
		&x@y.test->&sales
	E2
	assert_records recipients '* * !@x.test\n- @y.test\n&g !\na &g !a@b.test\nb/phone\n' <<-'E2'
		*->* !@x.test
		-->@y.test
		&g->!
		a->&g !a@b.test
		b/phone->
	E2
	assert_records rates 'a/phone 3/60\n&a 1/1\n' <<-'E2'
		a/phone->3/60
		&a->1/1
	E2
	assert_records certs "SHA256:$hash alice smith" <<-E2
		SHA256:$hash->alice smith
	E2
	assert_records locals 'Carol\nbob\n' <<-'E2'
		Carol->
		bob->
	E2
	assert_records labels 'sales' <<-'E2'
		sales->
	E2
	assert_records rules '192.0.2.\tallow RELAYCLIENT="" DATABYTES=5\n::1 allow MSA_X_A="a b" MSA_X_B==c\n2001:db8: deny\n* allow\n' <<-'E2'
		192.0.2.->+RELAYCLIENT=~+DATABYTES=5~
		::1->+MSA_X_A=a b~+MSA_X_B==c~
		2001:db8:->D
		->
	E2
}

test_a_text_may_have_comments_and_lines_that_go_on_and_any_octet() {
	assert_records senders '\n# one\r\n  # two\nbob\\040x\t a@b  \r\n\n# between\n\tc@d\n   e@f\n\\043x\n\\303\\251 a@b\ny\303\251 x@y\n\\134040 a@b\n\\x\\0409 a@b\nlast' <<-'E2'
		bob x->a@b c@d e@f
		#x->
		é->a@b
		yé->x@y
		\040->a@b
		\x 9->a@b
		last->
	E2
	printf '%s\n' 'bob\040x a@b c@d e@f' '\043x' 'é a@b' 'yé x@y' '\134040 a@b' '\x\0409 a@b' last >want
	assert_same 'the text' want again
	: | msa-table senders empty.cdb
	assertEquals 'an empty table' 0 $?
	assertEquals '' "$(msa-table -x senders empty.cdb)"
}

test_what_is_wrong_is_said_with_the_line_and_makes_no_table() {
	assert_complaints <<-'E2'
		senders | alice a@b\n\n# x\nbob boss@@\n | 4: record of bob: boss@@: not an address, @domain, @.domain, &group, * or !
		senders | alice a@b\n c@\n | 1: record of alice: c@: not an address, @domain, @.domain, &group, * or !
		senders | Alice a@b | 1: record of Alice: the key has a capital letter
		senders | a@b/Phone a@b | 1: record of a@b/Phone: the key has a capital letter
		senders | */phone a@b | 1: record of */phone: no look-up finds this key
		senders | &a/b a@b\n&a c@d | 1: record of &a/b: no look-up finds this key
		senders | & a@b | 1: record of &: no look-up finds this key
		senders | u@x\303\234.test/phone a@b | 1: record of u@xÜ.test/phone: no look-up finds this key
		senders | &b c@d\na x@y, &a | 2: record of a: names a group that has no record
		senders | &a x@y\n&b &a | 2: record of &b: is a group and names a group
		senders | &a &a | 1: record of &a: is a group and names a group
		recipients | a @x.test !@y.test ** | 1: record of a: **: not an address, @domain, @.domain, *, ! or &group, nor ! and an address
		recipients | a !!\n | 1: record of a: !!: not an address, @domain, @.domain, *, ! or &group, nor ! and an address
		recipients | a !&b\n&b * | 1: record of a: !&b: not an address, @domain, @.domain, *, ! or &group, nor ! and an address
		recipients | a/b &c | 1: record of a/b: names a group that has no record
		rates | -/phone 1/1 | 1: record of -/phone: no look-up finds this key
		senders | u@X\303\274.test | 1: record of u@Xü.test: the key has a capital letter
		senders | a\n\na | 3: a second record of this key; line 1 has the first
		senders | # x\n a b@c | 2: a line that begins with a blank goes on with a record, and none is before it
		senders | a\0000 b@c | 1: a NUL
		senders | a\n b\0000 | 2: a NUL
		rates | a 1 | 1: record of a: 1: not a valid rate (recipients/seconds), a second rate for the same seconds, or more than 8 rates
		rates | a 1/2 2/2 | 1: record of a: 2/2: not a valid rate (recipients/seconds), a second rate for the same seconds, or more than 8 rates
		copies | user: a@b | 1: record of user:: no look-up finds this key
		copies | a@b \303\274@x | 1: record of a@b: ü@x: not an address in ASCII
		addresses | a@b x@y z@y | 1: record of a@b: x@y z@y: not one address or domain in ASCII
		addresses | a.b b.b\nb.b c.b\nc.b d.b | 1: record of a.b: the result would be rewritten again, and then once more
		addresses | b.b c.b\na@b x@b | 2: record of a@b: a local part would change in a domain that -d does not name
		keys | a b | 1: record of a: b: not selector:/file or selector@domain:/file
		keys | _x s:/f | 1: record of _x: no look-up finds this key
		routes | .a.b x | 1: record of .a.b: no look-up finds this key
		routes | a@B x | 1: record of a@B: no look-up finds this key
		routes | A.b x | 1: record of A.b: no look-up finds this key
		routes | from:A.b x | 1: record of from:A.b: no look-up finds this key
		routes | from: x | 1: record of from:: no look-up finds this key
		routes | user:X y | 1: record of user:X: no look-up finds this key
		routes | "x"@y z | 1: record of "x"@y: no look-up finds this key
		routes | a.c ../x | 1: record of a.c: ../x: neither a path nor the name of a program
		routes | a.c .x | 1: record of a.c: .x: neither a path nor the name of a program
		routes | a.c x/y | 1: record of a.c: x/y: neither a path nor the name of a program
		certs | SHA256:00 a | 1: record of SHA256:00: no look-up finds this key
		locals | a b | 1: record of a: b: only the keys of this table count
		locals | a@b | 1: record of a@b: no look-up finds this key
		locals | "a" | 1: record of "a": no look-up finds this key
		labels | A | 1: record of A: the key has a capital letter
		labels | a.b | 1: record of a.b: no look-up finds this key
		rules | 1.2.3 allow | 1: record of 1.2.3: no look-up finds this key
		rules | ABCD:: deny | 1: record of ABCD::: no look-up finds this key
		rules | 1:0:0::1 deny | 1: record of 1:0:0::1: no look-up finds this key
		rules | host. deny | 1: record of host.: no look-up finds this key
		rules | 1. deny x | 1: record of 1.: not deny, or allow and variables NAME=value
		rules | 1. allowed | 1: record of 1.: not deny, or allow and variables NAME=value
		rules | 1. allow A | 1: record of 1.: not deny, or allow and variables NAME=value
		rules | 1. allow A="x | 1: record of 1.: not deny, or allow and variables NAME=value
		rules | 1. | 1: record of 1.: not deny, or allow and variables NAME=value
		rules | 1. allow RELAYCLEINT="" | 1: record of 1.: +RELAYCLEINT=: neither a refusal nor a variable that rules can set
		rules | 1. allow TCPREMOTEIP=1 | 1: record of 1.: +TCPREMOTEIP=1: neither a refusal nor a variable that rules can set
	E2
	printf '%0513d a@b\n%0512d a@b\n' 1 1 | msa-table senders t.cdb >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'msa-table: standard input:1: a key longer than 512 octets' | assert_got 'a long key'
}

test_the_domains_that_rewrite_is_given_are_given_here_too() {
	echo 'a@b.test x@b.test' >text
	msa-table -d b.test addresses t.cdb text
	assertEquals 0 $?
	msa-table -c -d .test addresses t.cdb
	assertEquals 'a domain above' 0 $?
	msa-table -c addresses t.cdb >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'msa-table: t.cdb: record of a@b.test: a local part would change in a domain that -d does not name' |
		assert_got 'without -d'
}

test_all_mistakes_are_named_but_not_thousands() {
	seq 1 30 | sed 's/$/ @/' | msa-table senders t.cdb >"$T/got" 2>&1
	assertEquals 100 $?
	assertEquals 'msa-table: standard input:20: record of 20: @: not an address, @domain, @.domain, &group, * or !' \
		"$(sed -n 20p "$T/got")"
	assertEquals 'msa-table: 10 more records are invalid' "$(sed -n '21,$p' "$T/got")"
}

test_a_mistake_leaves_the_old_table_and_nothing_beside_it() {
	echo 'alice a@b' | msa-table senders t.cdb
	cp t.cdb old
	echo 'alice a@' | msa-table senders t.cdb 2>/dev/null
	assertEquals 100 $?
	cmp t.cdb old
	assertEquals 'the old table' 0 $?
	echo 'alice a@b' | msa-table senders nowhere/t.cdb 2>/dev/null
	assertEquals 111 $?
	msa-table senders t.cdb none 2>/dev/null
	assertEquals 'no text' 111 $?
	assertEquals "$(printf 'old\nt.cdb')" "$(ls)"
}

test_a_table_keeps_its_mode_and_a_new_one_has_that_of_the_umask() {
	(umask 027 && echo 'alice a@b' | msa-table senders t.cdb)
	assertEquals 640 "$(stat -c %a t.cdb)"
	chmod 604 t.cdb
	mkdir real
	mv t.cdb real
	ln -s real/t.cdb t.cdb
	inode=$(stat -c %i real/t.cdb)
	(umask 077 && echo 'alice c@d' | msa-table senders t.cdb)
	assertEquals 'the file that the link names' 604 "$(stat -c %a real/t.cdb)"
	assertNotEquals 'a new file' "$inode" "$(stat -c %i real/t.cdb)"
	assertTrue 'the link stays' '[ -h t.cdb ]'
	assertEquals 'alice->c@d' "$(records t.cdb)"
}

test_a_table_keeps_its_owner() {
	needs root || return 0
	echo 'alice a@b' | msa-table senders t.cdb
	chown 12:34 t.cdb
	echo 'alice c@d' | msa-table senders t.cdb
	assertEquals 12:34 "$(stat -c %u:%g t.cdb)"
}

test_a_table_of_another_program_is_checked_and_printed() {
	printf '+5,3:alice->a@b\n+3,1:Bob->x\n+5,3:alice->c@d\n\n' | cdb -c t.cdb
	msa-table -c senders t.cdb >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'msa-table: t.cdb: record of Bob: x: not an address, @domain, @.domain, &group, * or !' | assert_got 'a foreign table'
	msa-table -x senders t.cdb >"$T/got"
	assertEquals 0 $?
	printf 'alice a@b\nBob x\n' | assert_got 'only the first record of a key is ever found'
	printf '+0,1:->x\n+1,3:a->b@c\n\n' | cdb -c t.cdb
	msa-table -x senders t.cdb >"$T/got" 2>&1
	assertEquals 100 $?
	grep -qx 'msa-table: t.cdb: record of : an empty key' "$T/got"
	code=$?
	assertEquals "$(cat "$T/got")" 0 "$code"
	printf '+2,17:1.->+A="x" y~+B=z~\n\n' | tr '~' '\0' | cdb -c t.cdb 2>/dev/null
	printf '+2,10:1.->+A="x" y~~\n\n' | tr '~' '\0' | cdb -c t.cdb
	msa-table -x rules t.cdb >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'msa-table: t.cdb: record of 1.: a value with both a quote and a blank, which the text cannot have' | assert_got quotes
}

test_what_is_no_table_or_damaged() {
	echo text >t.cdb
	msa-table -c senders t.cdb >"$T/got" 2>&1
	assertEquals 100 $?
	msa-table -x senders t.cdb >>"$T/got" 2>&1
	assertEquals 100 $?
	msa-table -c senders none.cdb >>"$T/got" 2>&1
	assertEquals 111 $?
	seq 1 200 | msa-table senders t.cdb
	for n in 2049 2052 2060 3000; do
		head -c $n t.cdb >cut.cdb
		msa-table -c senders cut.cdb >"$T/log" 2>&1
		code=$?
		assertEquals "$n: $(cat "$T/log")" 100 "$code"
		msa-table -x senders cut.cdb >"$T/log" 2>&1
		code=$?
		assertEquals "$n: $(cat "$T/log")" 100 "$code"
	done
	assert_got 'text, text, nothing' <<-'E2'
		msa-table: t.cdb: not a cdb file
		msa-table: t.cdb: not a cdb file
		msa-table: none.cdb: No such file or directory
	E2
}

test_a_table_of_postfix_is_turned_round() {
	cat >maps <<-'E2'
		# who owns what
		sales@example.net	alice@example.net, Bob
		@shop.example.net   shop
		info                bob,
		    carol alice@example.net
		sales@example.net   bob
	E2
	msa-table -i postfix -d example.net senders maps >senders
	assertEquals 0 $?
	cp senders "$T/got"
	assert_got 'users and their addresses' <<-'E2'
		alice@example.net sales@example.net info@example.net
		bob sales@example.net info@example.net
		carol info@example.net
		shop @shop.example.net
	E2
	msa-table senders senders.cdb senders
	rights -q senders.cdb BOB info@example.net >/dev/null
	assertEquals 'bob may' 0 $?
	rights -q senders.cdb carol sales@example.net >/dev/null
	assertEquals 'carol may not' 1 $?
	msa-table -i postfix senders maps >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'msa-table: maps:4: a name without a domain: give its domain by -d' | assert_got 'a bare name'
	printf 'a@b c\nx@@ d\n' | msa-table -i postfix senders >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'msa-table: standard input:2: record of d: x@@: not an address, @domain, @.domain, &group, * or !' | assert_got 'no address'
}

test_who_receives_for_an_alias_may_send_as_it() {
	cat >maps <<-'E2'
		# aliases
		example.net		anything
		sales@example.net	Team@example.net, bob
		team@example.net	alice@example.net, carol+sales@example.net
		info			sales@example.net
		@example.net		alice@example.net
		loop@example.net	pool@example.net, dave@example.net
		pool@example.net	loop@example.net
		dave@example.net	dave@example.net, @other.example
	E2
	msa-table -i virtual -d example.net senders maps >senders
	assertEquals 0 $?
	cp senders "$T/got"
	assert_got 'users and their aliases' <<-'E2'
		alice@example.net team@example.net info@example.net sales@example.net
		bob sales@example.net info@example.net
		carol@example.net team@example.net info@example.net sales@example.net
		dave@example.net loop@example.net dave@example.net pool@example.net
		loop@example.net pool@example.net loop@example.net
		pool@example.net loop@example.net pool@example.net
		sales@example.net info@example.net
		team@example.net sales@example.net info@example.net
	E2
	msa-table senders senders.cdb senders
	assertEquals 0 $?
	rights -q senders.cdb alice@example.net info@example.net >/dev/null
	assertEquals 'alice may' 0 $?
	rights -q senders.cdb alice@example.net bob@example.net >/dev/null
	assertEquals 'alice may not send as everybody' 1 $?
	while IFS='|' read -r text want; do
		# shellcheck disable=SC2059
		printf "$text" | msa-table -i virtual senders >"$T/got" 2>&1
		assertEquals "$want" 100 $?
		echo "msa-table: standard input:$want" | assert_got "$want"
	done <<-'E2'
		a@b c\ninfo bob\n|2: a name without a domain: give its domain by -d
		/^a/ bob\n|1: a name without a domain: give its domain by -d
		x@@ d\n|1: record of d: x@@: not an address, @domain, @.domain, &group, * or !
	E2
	{
		printf 'a@b c@b\nall@b '
		seq -f 'u%g@b,' 1000
	} | paste -sd ' ' | sed 's/c@b all/c@b\nall/' >many
	msa-table -i virtual senders many >"$T/got"
	assertEquals 'a thousand' 0 $?
	assertEquals 1001 "$(wc -l <"$T/got")"
	printf 'u7@b x@b\n' >>many
	msa-table -i virtual senders many >"$T/got" 2>&1
	assertEquals 100 $?
	echo 'msa-table: many:2: more than 1000 receive the mail of this alias' | assert_got 'one more'
}

test_the_users_of_passwd_shadow_and_dovecot() {
	printf '%s\n' 'root:x:0:0::/root:/bin/sh' '# none' '' '+::::::' 'Carol:$6$x$y:19000:0:99999:7:::' 'root:x:0:0::/:/bin/sh' >passwd
	assertEquals "$(printf 'Carol\nroot')" "$(msa-table -i passwd locals passwd)"
	assertEquals "$(printf 'carol Carol@a.test\nroot root@a.test')" "$(msa-table -i passwd -d a.test senders passwd)"
	printf '%s\n' 'ann@a.test:{SHA512-CRYPT}$6$x$y::::::' 'bob@B.test:{PLAIN}secret' >users
	assertEquals ann "$(msa-table -i passwd -d a.test locals users)"
	assertEquals 'bob@b.test bob@b.test' "$(msa-table -i passwd -d b.test senders users)"
	printf 'root\na b:x\n' | msa-table -i passwd locals >"$T/got" 2>&1
	assertEquals 100 $?
	assert_got 'not passwd' <<-'E2'
		msa-table: standard input:1: no colon
		msa-table: standard input:2: record of a b: no look-up finds this key
	E2
	msa-table -i passwd locals users >"$T/got" 2>&1
	assertEquals 100 $?
	head -n 1 "$T/got" >one && mv one "$T/got"
	echo 'msa-table: users:1: give the domain by -d' | assert_got 'which domain'
	grep -q secret "$T/got"
	assertEquals 'no secret is said' 1 $?
}

test_misuse() {
	for words in '' 'senders' 'persons t.cdb' '-c senders' '-x -c senders t.cdb' '-i sendmail senders' '-i postfix locals' \
		'-i passwd rates' '-d b.test senders t.cdb' '-x -d b.test addresses t.cdb' 'senders t.cdb a b' '-z senders t.cdb'; do
		# shellcheck disable=SC2086
		msa-table $words </dev/null >"$T/got" 2>&1
		assertEquals "$words" 100 $?
		grep -q '^usage: msa-table ' "$T/got"
		code=$?
		assertEquals "$words: $(cat "$T/got")" 0 "$code"
	done
	assertEquals '' "$(ls)"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
