# msa-passwd and the store it keeps (lib/userdb.c): what is written, what is refused, what two runs do to each other.
# ISC licence, see LICENSE.
# shellcheck shell=sh source=tests/lib/test.sh disable=SC2016
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/preload.sh
. "$ROOT/tests/lib/preload.sh"

setUp() {
	rm -rf "$T/d"
	mkdir "$T/d"
	db=$T/d/users.cdb
}

tearDown() {
	# Whatever happened, no other file stays, and never a password in clear.
	[ ! -d "$T/d" ] || assertEquals '' "$(find "$T/d" -type f ! -name users.cdb)"
	[ ! -f "$db" ] || assertFalse 'plaintext' "grep -q wonderland '$db'"
}

set_password() { # user password [option ...]
	user=$1 password=$2
	shift 2
	printf '%s\n' "$password" | msa-passwd "$@" "$db" "$user" >"$T/out" 2>&1
}

value() {
	cdb -q "$db" "$1"
}

# Does authd take the password? usage: takes user password
takes() {
	printf '<\n> EHLO x\n<\n> AUTH PLAIN %s\n<\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w0)" |
		talk authd -p -u "$db" true 2>"$T/log" | tail -n 1 | grep -q '^235'
}

test_usage_is_one_line_and_the_synopsis() {
	msa-passwd 2>"$T/usage"
	assertEquals 100 $?
	assertEquals 1 "$(wc -l <"$T/usage")"
	for args in "x" "-l" "-l x y" "x y z" "-g x y" "-d -e x y" "-L -n a x y" "-z x y" "-b" "-b x y" "-bl x" "-bdx x" "-db -n a x" \
		"-b -i 5000 x" "-x x y" "-dx x"; do
		# shellcheck disable=SC2086
		msa-passwd $args 2>"$T/other" </dev/null
		assertEquals "$args" 100 $?
		assertContains "$args" "$(cat "$T/other")" "$(cat "$T/usage")"
	done
	mandoc -T ascii "$ROOT/cmd/msa-passwd/msa-passwd.8" | col -bx | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed 1d |
		sed '$d' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//' >"$T/synopsis"
	assertEquals "usage: $(cat "$T/synopsis")" "$(cat "$T/usage")"
}

test_a_new_store_is_for_its_owner_alone() {
	(umask 0; printf 'wonderland\n' | msa-passwd "$db" alice@example.net)
	assertEquals 600 "$(stat -c %a "$db")"
	assertTrue 'RFC 5803' "value alice@example.net |
		grep -Eq '^main:SCRAM-SHA-256[$]10000:[A-Za-z0-9+/]{22}==[$][A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$'"
	assertTrue takes "takes alice@example.net wonderland"
	assertFalse takes "takes alice@example.net Wonderland"
}

test_the_verifier_is_that_of_rfc_7677() {
	# RFC 7677 3's example: user "user", password "pencil", salt and iterations as there.
	printf 'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n' |
		msa-passwd -e "$db" user
	assertEquals 0 $?
	assertTrue takes "takes user pencil"
	assertFalse takes "takes user pencils"
}

test_mode_and_owner_are_kept() {
	set_password a wonderland
	chmod 640 "$db"
	[ "$(id -u)" -ne 0 ] || chown nobody:mail "$db"
	before=$(stat -c '%a %U %G' "$db")
	set_password b wonderland
	assertEquals "$before" "$(stat -c '%a %U %G' "$db")"
}

test_a_directory_gives_the_store_no_group() {
	needs root || return 0
	set_password a wonderland
	chmod 640 "$db"
	chgrp mail "$T/d"
	chmod g+s "$T/d"
	before=$(stat -c '%a %U %G' "$db")
	set_password b wonderland
	assertEquals "$before" "$(stat -c '%a %U %G' "$db")"
}

test_a_link_is_followed() {
	set_password a wonderland
	ln -s users.cdb "$T/d/link"
	printf 'wonderland\n' | msa-passwd "$T/d/link" b
	assertTrue 'still a link' "[ -L '$T/d/link' ]"
	assertEquals "$(printf 'a\tmain\nb\tmain')" "$(msa-passwd -l "$db")"
}

test_a_relative_path() {
	(cd "$T/d" && printf 'wonderland\n' | msa-passwd users.cdb a && printf 'wonderland\n' | msa-passwd ./users.cdb b)
	assertEquals "$(printf 'a\tmain\nb\tmain')" "$(msa-passwd -l "$db")"
}

test_setting_again_replaces() {
	set_password a wonderland
	set_password a other
	assertFalse old "takes a wonderland"
	assertTrue new "takes a other"
	assertEquals "$(printf 'a\tmain')" "$(msa-passwd -l "$db")"
}

test_labels() {
	set_password a wonderland -n laptop
	set_password a wonderland
	phone=$(msa-passwd -g -n phone "$db" a)
	assertTrue 'generated' "printf %s '$phone' | grep -Eq '^[a-z2-7]{26}$'"
	assertEquals 'main first' "$(printf 'a\tmain\tlaptop\tphone')" "$(msa-passwd -l "$db")"
	assertTrue phone "takes a '$phone'"
	assertContains "$(cat "$T/log")" 'label=phone'
	msa-passwd -d -n phone "$db" a
	assertEquals 0 $?
	assertFalse phone "takes a '$phone'"
	assertTrue others "takes a wonderland"
	msa-passwd -d -n phone "$db" a 2>"$T/out"
	assertEquals 100 $?
	assertEquals 'msa-passwd: phone: no such label' "$(cat "$T/out")"
}

test_what_is_missing_is_named() {
	db=$T/missing.cdb
	msa-passwd -L "$db" a 2>"$T/out"
	assertEquals 100 $?
	assertEquals "msa-passwd: $db: no such store" "$(cat "$T/out")"
	echo secret | msa-passwd "$db" a
	msa-passwd -L "$db" b 2>"$T/out"
	assertEquals 100 $?
	assertEquals 'msa-passwd: b: no such user' "$(cat "$T/out")"
}

test_two_generated_passwords_differ() {
	one=$(msa-passwd -g -n a "$db" a)
	two=$(msa-passwd -g -n a "$db" a)
	assertNotEquals "$one" "$two"
	assertTrue "of many letters: $one" "[ $(echo "$one" | fold -w 1 | sort -u | wc -l) -ge 5 ]"
	assertFalse "takes a '$one'"
	assertTrue "takes a '$two'"
}

test_deleting() {
	set_password a wonderland
	set_password b wonderland
	msa-passwd -d "$db" a
	assertEquals "$(printf 'b\tmain')" "$(msa-passwd -l "$db")"
	assertFalse "takes a wonderland"
	set_password bb wonderland
	set_password b looking-glass
	assertEquals 'a longer name is not lost' "$(printf 'b\tmain\nbb\tmain')" "$(msa-passwd -l "$db" | sort)"
	msa-passwd -d "$db" bb
	for args in '-d' '-L' '-R' '-d -n x'; do
		# shellcheck disable=SC2086
		msa-passwd $args "$db" a 2>"$T/out"
		assertEquals "$args" 100 $?
		assertEquals 'msa-passwd: a: no such user' "$(cat "$T/out")"
	done
}

test_locking() {
	set_password a wonderland
	msa-passwd -L "$db" a
	assertEquals "$(printf 'a\t!locked\tmain')" "$(msa-passwd -l "$db")"
	assertFalse "takes a wonderland"
	assertContains "$(cat "$T/log")" 'user is locked'
	set_password a other
	assertFalse 'a new password does not unlock' "takes a other"
	msa-passwd -R "$db" a
	assertTrue "takes a other"
	assertEquals "$(printf 'a\tmain')" "$(msa-passwd -l "$db")"
}

test_iterations_are_kept_for_the_next() {
	set_password a wonderland -i 5000
	set_password b wonderland
	assertContains "$(value b)" 'SCRAM-SHA-256$5000:'
	for n in 4095 10000001 x -1 '' 5000x ' 5000' +5000 -18446744073709541616 18446744073709556616; do
		set_password b wonderland -i "$n"
		assertEquals "$n" 100 $?
		assertEquals "msa-passwd: -i $n: not a number from 4096 to 10000000" "$(cat "$T/out")"
	done
}

test_user_names() {
	set_password 'Jürgen@Example.NET' wonderland
	assertTrue 'in lower case' "value 'jürgen@example.net' >/dev/null"
	assertTrue "takes 'Jürgen@EXAMPLE.net' wonderland"
	assertTrue "takes 'JürGEN@example.net' wonderland"
	assertFalse 'only ASCII has case' "takes 'jÜrgen@example.net' wonderland"
	set_password "$(printf '%0255d' 0)" wonderland
	assertEquals '255 octets' 0 $?
	assertTrue "takes $(printf '%0255d' 0) wonderland"
	for bad in '' "$(printf '%0256d' 0)" "$(printf 'a\tb')" "$(printf 'a\nb')" "$(printf '\377')" ' a' 'a '; do
		set_password "$bad" wonderland
		assertEquals "$bad" 100 $?
		assertContains "$(cat "$T/out")" "msa-passwd: a user's name is 1 to 255 octets"
	done
}

test_a_password_that_no_client_can_send_is_refused() {
	for bad in 'caf\351' 'a\001b' 'a\177' '\356\200\200' '\330\2471' '\302\255'; do
		printf "$bad\n" | msa-passwd -i 4096 "$db" a 2>"$T/out"
		code=$?
		assertEquals "$bad" 100 "$code"
		assertEquals 'msa-passwd: the password is not UTF-8, or has a character that RFC 4013 prohibits' "$(cat "$T/out")"
	done
}

# One half has two octets, and its form 1/2 has five.
test_a_name_that_grows_is_refused_in_a_list() {
	printf 'one\302\275half\t-\n' | msa-passwd -b "$db" 2>"$T/out"
	code=$?
	assertEquals 100 "$code"
	assertContains "$(cat "$T/out")" 'msa-passwd: line 1: a name that RFC 4013 makes longer: write it in that form'
}

# A store that an earlier msa-passwd wrote, where names kept their capital letters. usage: old_store name ...
old_store() {
	printf 'wonderland\n' | msa-passwd "$T/one" x
	format=$(cdb -q "$T/one" '') credential=$(cdb -q "$T/one" x)
	rm -f "$T/one"
	{
		printf '+0,%d:->%s\n' ${#format} "$format"
		for name; do
			printf '+%d,%d:%s->%s\n\n' ${#name} $((${#credential} + 1)) "$name" "$credential"
		done
		echo
	} | cdb -c -t "$T/tmp" "$db"
	chmod 600 "$db"
}

test_no_two_names_differ_by_case_only() {
	set_password boss@example.net of-the-boss
	for other in Boss@example.net BOSS@EXAMPLE.NET; do
		for how in '' -L -R -d '-d -n main' '-g -n x'; do
			# shellcheck disable=SC2086
			printf 'of-mallory\n' | msa-passwd $how "$db" "$other" >"$T/out" 2>&1
			assertEquals "$how $other" 100 $?
			assertEquals "$how $other" \
				"msa-passwd: $(echo "$other" | sed 's/@EX.*/@example.net/'): the store has boss@example.net, and two names must not differ by case only" \
				"$(cat "$T/out")"
		done
	done
	set_password boss@Example.NET new
	assertEquals 'the same name' 0 $?
	assertTrue "takes BOSS@example.net new"
	assertEquals "$(printf 'boss@example.net\tmain')" "$(msa-passwd -l "$db")"
}

test_a_user_of_an_older_store_keeps_capital_letters_until_a_change() {
	old_store Carol
	assertEquals "$(printf 'Carol\tmain')" "$(msa-passwd -l "$db")"
	assertTrue 'before' "takes Carol wonderland"
	set_password carol new
	assertEquals 100 $?
	assertContains "$(cat "$T/out")" 'carol: the store has Carol'
	set_password Carol new
	assertEquals 0 $?
	assertEquals "$(printf 'carol\tmain')" "$(msa-passwd -l "$db")"
	for name in Carol carol CAROL; do
		assertTrue "$name after" "takes $name new"
	done
}

test_two_users_of_an_older_store_become_one() {
	old_store Boss boss
	assertTrue 'boss' "takes boss wonderland"
	printf 'new\n' | msa-passwd "$db" boss 2>"$T/out"
	assertEquals 100 $?
	printf 'new\n' | msa-passwd "$db" Boss 2>"$T/out"
	assertEquals 100 $?
	msa-passwd -L "$db" Boss
	assertEquals 'one may be locked' "$(printf 'Boss\t!locked\tmain\nboss\tmain')" "$(msa-passwd -l "$db" | sort)"
	assertTrue 'whoever says Boss is boss' "takes Boss wonderland"
	msa-passwd -d "$db" Boss
	assertEquals 'and deleted' "$(printf 'boss\tmain')" "$(msa-passwd -l "$db")"
	set_password boss new
	assertTrue 'the other is free again' "takes Boss new"
}

test_passwords() {
	set_password a "$(printf '%0255d' 0)"
	assertEquals 0 $?
	assertTrue "takes a $(printf '%0255d' 0)"
	set_password a "p ä\$'\"ss: word"
	assertTrue "takes a \"p ä\\\$'\\\"ss: word\""
	printf 'no newline' | msa-passwd "$db" b
	assertTrue "takes b 'no newline'"
	printf 'dos\r\n' | msa-passwd "$db" b
	assertTrue "takes b dos"
	for bad in '' "$(printf '%0256d' 0)" "$(printf '%09999d' 0)" "$(printf 'a\tb')"; do
		set_password a "$bad"
		assertEquals "$bad" 100 $?
	done
	printf 'a\0b\n' | msa-passwd "$db" a 2>"$T/out"
	assertEquals NUL 100 $?
	msa-passwd "$db" a </dev/null 2>"$T/out"
	assertEquals 100 $?
	assertEquals 'msa-passwd: no line on standard input' "$(cat "$T/out")"
	assertTrue 'the old one still holds' "takes a \"p ä\\\$'\\\"ss: word\""
}

# The store by a list: what is expected on fd 1 and 2, then -b and its options; the list is standard input.
bulk() {
	expected=$1
	shift
	msa-passwd "$@" "$db" >"$T/out" 2>&1
	code=$?
	assertEquals "$*" "$expected" "$code $(cat "$T/out")"
}

six=$(perl -e 'print crypt("crypted", "\$6\$abcdefghijklmnop\$")')
rfc='SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='

test_a_list_makes_a_store() {
	five=$(perl -e 'print crypt("five", "\$5\$abcdefghijklmnop\$")')
	blow=$(perl -e 'print crypt("blow", "\$2b\$04\$abcdefghijklmnopqrstuu")')
	dovecot=$(echo "$rfc" | sed 's/^[^$]*.//; s/[$:]/,/g')
	bulk '0 added 8, changed 0, removed 0, unchanged 0' -b <<-X
		# a comment, and an empty line

		six:$six
		Shadow@Example.NET:$six:19000:0:99999:7:::
		five:{SHA256-CRYPT}$five:1000:1000::/home:
		blow:{blf-crypt}$blow
		rfc:$rfc
		dovecot:{SCRAM-SHA-256}$dovecot
		a:b	main	{CRYPT}$six
		a:b	phone	$rfc
		none	-
	X
	assertEquals 600 "$(stat -c %a "$db")"
	while read -r user password; do
		assertTrue "$user" "takes $user $password"
	done <<-X
		six crypted
		shadow@example.net crypted
		five five
		blow blow
		rfc pencil
		dovecot pencil
		a:b crypted
		a:b pencil
	X
	assertContains "$(cat "$T/log")" 'label=phone'
	assertFalse 'without a password' "takes none ''"
	assertContains "$(msa-passwd -l "$db")" "$(printf 'a:b\tmain\tphone')"
}

test_a_list_leaves_what_it_does_not_name() {
	set_password a wonderland
	set_password b wonderland
	phone=$(msa-passwd -g -n phone "$db" a)
	msa-passwd -L "$db" a
	secret=$(value '')
	before=$(stat -c %i "$db")
	printf 'a:%s\nc:%s\n' "$six" "$six" >"$T/list"
	bulk '0 added 1, changed 1, removed 0, unchanged 0' -b <"$T/list"
	assertEquals "$(printf 'a\t!locked\tmain\tphone\nb\tmain\nc\tmain')" "$(msa-passwd -l "$db" | sort)"
	assertEquals 'the secret stays' "$secret" "$(value '')"
	assertNotEquals 'a new file' "$before" "$(stat -c %i "$db")"
	before=$(stat -c %i "$db")
	bulk '0 added 0, changed 0, removed 0, unchanged 2' -b <"$T/list"
	assertEquals 'nothing to do' "$before" "$(stat -c %i "$db")"
	bulk '0 added 0, changed 0, removed 1, unchanged 2' -bd <"$T/list"
	assertEquals "$(printf 'a\t!locked\tmain\tphone\nc\tmain')" "$(msa-passwd -l "$db" | sort)"
	msa-passwd -R "$db" a
	assertTrue 'the application password' "takes a '$phone'"
	assertTrue 'the new password' "takes a crypted"
	printf 'c\t!\n' | bulk '0 added 0, changed 1, removed 0, unchanged 0' -b
	assertContains "$(msa-passwd -l "$db")" "$(printf 'c\t!locked\tmain')"
	printf 'a:%s\n' "$six" | bulk '0 added 0, changed 0, removed 1, unchanged 1' -db
}

test_a_list_with_a_mistake_changes_nothing() {
	set_password a wonderland
	cp "$db" "$T/before"
	printf '%s\n' "b:$six" 'nocolon' ':x' "c:{PBKDF2}x" 'd:' "e:secret" 'f	label' "g	two words	$six" "h	a	$six	x" \
		"b:$six" "$(printf '\001x'):$six" >"$T/list"
	bulk "100 msa-passwd: line 2: no colon behind the name
msa-passwd: line 3: not a user's name
msa-passwd: line 4: not a credential: see msa-passwd(8)
msa-passwd: line 5: not a credential: see msa-passwd(8)
msa-passwd: line 6: not a credential: see msa-passwd(8)
msa-passwd: line 7: a label without a credential
msa-passwd: line 8: not a label
msa-passwd: line 9: more than three fields between tabs
msa-passwd: line 11: not a user's name
msa-passwd: $db: nothing was changed" -b <"$T/list"
	printf '%s\n' "b:$six" "B	main	$six" | bulk "100 msa-passwd: line 2: the same user and label in an earlier line
msa-passwd: $db: nothing was changed" -b
	printf 'a:x\0y\n' | bulk "100 msa-passwd: line 1: a NUL
msa-passwd: $db: nothing was changed" -b
	printf 'a:%s\nb:%s' "$six" "$six" | bulk "100 msa-passwd: line 2: no end of line: the list was cut off
msa-passwd: $db: nothing was changed" -b
	for empty in '' '# nothing'; do
		echo "$empty" | bulk "100 msa-passwd: line 0: the list is empty
msa-passwd: $db: nothing was changed" -bd
	done
	i=0
	while [ $((i += 1)) -le 22 ]; do echo bad; done >"$T/list"
	msa-passwd -b "$db" <"$T/list" 2>"$T/out"
	assertEquals 'errors are counted' 'msa-passwd: 2 more errors' "$(sed -n 21p "$T/out")"
	head -c 70000000 /dev/zero | tr '\0' '#' | bulk "111 msa-passwd: $db: File too large" -b
	assertTrue 'unchanged' "cmp '$T/before' '$db'"
	old_store Carol
	printf 'carol:%s\n' "$six" | bulk "100 msa-passwd: line 1: the store has this name with capital letters; delete or change that user first
msa-passwd: $db: nothing was changed" -b
}

test_what_is_printed_makes_the_same_store() {
	set_password 'two words: and more' wonderland
	set_password '#hash' wonderland
	msa-passwd -g -n phone "$db" '#hash' >/dev/null
	msa-passwd -L "$db" '#hash'
	set_password bare wonderland
	msa-passwd -d -n main "$db" bare
	msa-passwd -x "$db" >"$T/list"
	assertEquals 0 $?
	assertEquals 'no secret of the store' 5 "$(wc -l <"$T/list")"
	cdb -d "$db" | grep -v '^+0,' | sort >"$T/before"
	rm "$db"
	bulk '0 added 3, changed 0, removed 0, unchanged 0' -b <"$T/list"
	cdb -d "$db" | grep -v '^+0,' | sort >"$T/after"
	assert_same 'the records' "$T/before" "$T/after"
	bulk '0 added 0, changed 0, removed 0, unchanged 3' -bd <"$T/list"
	sed 's/^bare/# bare/' "$T/list" >"$T/less" # whatever follows, the line is a comment
	bulk '0 added 0, changed 0, removed 1, unchanged 2' -bd <"$T/less"
	msa-passwd -x "$T/missing" 2>"$T/out"
	assertEquals 100 $?
	assertEquals "msa-passwd: $T/missing: no such store" "$(cat "$T/out")"
}

test_five_thousand_users_are_one_list() {
	users='BEGIN { for (i = from; i < 5000; i++) print "user" i "@example.net:" (i == 1 && from == 1 ? other : hash) }'
	awk -v from=0 -v hash="$six" "$users" >"$T/list"
	bulk '0 added 5000, changed 0, removed 0, unchanged 0' -b <"$T/list"
	bulk '0 added 0, changed 0, removed 0, unchanged 5000' -bd <"$T/list"
	awk -v from=1 -v hash="$six" -v other="$rfc" "$users" | bulk '0 added 0, changed 1, removed 1, unchanged 4998' -bd
	assertTrue "takes user1@example.net pencil"
	assertTrue "takes user4999@example.net crypted"
}

test_what_is_no_credential_is_not_imported() {
	for bad in wonderland '!' '$1' '$6$salt' 'SCRAM-SHA-256$1:AAAA$AAAA:AAAA' 'SCRAM-SHA-256$4096:$:' '{SHA}x' \
		'SSHA256$AAAA$AAAA' '$nonsense$aaaaaaaaaaaaaaaaaaaaaaa' '_J9..rasmBYk8r9AiWNc' wonderlandwonderland; do
		printf '%s\n' "$bad" | msa-passwd -e "$db" a 2>"$T/out"
		assertEquals "$bad" 100 $?
		assertContains "$bad" "$(cat "$T/out")" 'msa-passwd: not a credential'
	done
	assertFalse 'nothing was made' "[ -e '$db' ]"
}

test_a_store_that_is_something_else_is_left_alone() {
	echo text >"$db"
	set_password a wonderland
	assertEquals 100 $?
	assertEquals "msa-passwd: $db: not a cdb" "$(cat "$T/out")"
	assertEquals text "$(cat "$db")"
	printf '+1,1:a->b\n\n' | cdb -c "$db" -
	set_password a wonderland
	assertEquals 100 $?
	assertContains "$(cat "$T/out")" 'not a user store of msa-passwd'
	rm "$db"
	set_password a wonderland
	cdb -d "$db" | sed 's/^\(+0,[0-9]*:->\)1:/\12:/' | cdb -c "$T/d/2" -
	mv "$T/d/2" "$db"
	cp "$db" "$T/before"
	set_password a wonderland
	assertEquals 'a format that is not ours' 100 $?
	assertContains "$(cat "$T/out")" 'not a user store of msa-passwd'
	assertTrue 'left alone' "cmp '$T/before' '$db'"
	rm "$db"
	msa-passwd -l "$db" 2>"$T/out"
	assertEquals 100 $?
}

test_a_directory_that_is_not_there() {
	printf 'wonderland\n' | msa-passwd "$T/d/none/users.cdb" a 2>"$T/out"
	assertEquals 111 $?
	assertEquals "msa-passwd: $T/d/none/users.cdb: No such file or directory" "$(cat "$T/out")"
}

test_a_full_disk_changes_nothing() {
	set_password a wonderland
	cp "$db" "$T/before"
	(ulimit -f 1; trap '' XFSZ; i=0; while [ $i -lt 30 ]; do
		printf 'wonderland\n' | msa-passwd -i 4096 "$db" "user-$i" 2>"$T/out" || exit $?; i=$((i + 1)); done)
	assertEquals 111 $?
	assertTrue takes "takes a wonderland"
}

# After the rename the change is made, whatever becomes of flushing the directory.
test_a_directory_that_cannot_be_flushed() {
	preload_build fsync || return 0
	FSYNC_ERRNO=22 LD_PRELOAD=$T/fsync.so msa-passwd -g -n phone "$db" a >"$T/out" 2>&1
	assertEquals 'EINVAL: the file system knows no such thing' 0 $?
	assertTrue 'EINVAL' "takes a '$(cat "$T/out")'"
	FSYNC_ERRNO=5 LD_PRELOAD=$T/fsync.so msa-passwd -g -n phone "$db" a >"$T/out" 2>"$T/err"
	assertEquals 'EIO' 111 $?
	assertEquals "msa-passwd: $db: changed, but a crash may undo it: Input/output error" "$(cat "$T/err")"
	assertTrue 'EIO: the password is the new one, and is printed' "takes a '$(cat "$T/out")'"
	cp "$db" "$T/before"
	FSYNC_OF=file FSYNC_ERRNO=5 LD_PRELOAD=$T/fsync.so msa-passwd -g -n phone "$db" a >"$T/out" 2>&1
	assertEquals 'the store itself' 111 $?
	assertEquals "msa-passwd: $db: Input/output error" "$(cat "$T/out")"
	assertTrue 'nothing was changed' "cmp '$T/before' '$db'"
}

test_two_runs_do_not_lose_an_update() {
	pids=
	for user in a b c d e f g h; do
		printf 'wonderland\n' | msa-passwd -i 4096 "$db" $user &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid"
		assertEquals 0 $?
	done
	assertEquals 8 "$(msa-passwd -l "$db" | wc -l)"
}

test_many_users() {
	set_password first wonderland -i 4096
	secret=$(value '')
	{
		cdb -d "$db" | sed '$d'
		i=0
		while [ $i -lt 3000 ]; do
			n=user$i
			echo "+${#n},1:$n->!"
			i=$((i + 1))
		done
		echo
	} | cdb -c -p 0600 "$db" -
	set_password last wonderland
	assertEquals 3002 "$(msa-passwd -l "$db" | wc -l)"
	assertTrue "takes first wonderland"
	assertTrue "takes last wonderland"
	assertEquals 'the secret stays' "$secret" "$(value '')"
}

test_it_asks_twice_on_a_terminal_without_echo() {
	cat >"$T/ask.py" <<-'X'
		import os, pty, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp('msa-passwd', ['msa-passwd', sys.argv[1], 'a'])
		seen = b''
		for answer in sys.argv[2:]:
		    while not seen.endswith(b': '): seen += os.read(fd, 100)
		    os.write(fd, answer.encode() + b'\n')
		    seen += b'\n'
		try:
		    while True:
		        got = os.read(fd, 100)
		        if not got: break
		        seen += got
		except OSError: pass
		sys.stdout.write(seen.decode().replace('\r', ''))
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	X
	python3 "$T/ask.py" "$db" wonderland wonderland >"$T/out"
	assertEquals 0 $?
	assertNotContains "$(cat "$T/out")" wonderland
	assertContains "$(cat "$T/out")" 'Again: '
	assertTrue "takes a wonderland"
	python3 "$T/ask.py" "$db" one two >"$T/out"
	assertEquals 100 $?
	assertContains "$(cat "$T/out")" 'msa-passwd: the two passwords differ'
	assertTrue "takes a wonderland"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
