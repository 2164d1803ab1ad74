#!/bin/sh
# msa-sendmail as the sendmail of real programs: git send-email, mutt, s-nail, bsd-mailx, PHP, and cron with every path at
# its default. The chain begins at a resident callerid(8) and ends in Maildirs. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

peers=$ROOT/bin/peers

# Every program finds these words: the service's, and those of the chain file.
oneTimeSetUp() {
	chmod 755 "$T"
	me=$(id -un)@example.net
	program_lines chain "PATH=$PATH" "exec call $T/caller"
	program_lines sendmail "exec $(command -v msa-sendmail) -C $T/chain -D example.net \"\$@\" 2>>$T/said"
	printf -- '- \n' | cdb -c -m -p 0644 "$T/senders.cdb"
	printf '%s' 'mail of a thousand 0123456789' >"$T/text"
}

setUp() {
	rm -rf "$T/mail"
	mkdir "$T/mail"
	: >"$T/said"
	: >"$T/caller.log"
	resident_start caller callerid -A @nogroup -d example.net qualify -d example.net -u all rewrite -s "$T/senders.cdb" \
		rights -g all -s "$T/senders.cdb" stamp maildir-inject "$T/mail"
}

tearDown() {
	resident_stop_all
}

# What a recipient has, as mail programs read it: Return-Path, From, the other fields that are asked for, the text.
# usage: arrived recipient [field ...] ; then assert_got
arrived() {
	python3 - "$@" >"$T/got" 2>&1 <<-'P'
		import email, email.policy, glob, os, sys
		files = glob.glob(os.path.join(os.environ['T'], 'mail', sys.argv[1], 'new', '*'))
		assert len(files) == 1, files
		m = email.message_from_binary_file(open(files[0], 'rb'), policy=email.policy.default)
		assert not m.defects, m.defects
		assert [len(m.get_all(n)) for n in ('From', 'Date', 'Message-ID')] == [1, 1, 1] and not m['Bcc']
		for name in ('Return-Path', 'From', *sys.argv[2:]):
		    print(name + ':', m[name])
		print(m.get_body().get_content().rstrip())
	P
}

# usage: assert_sent what code
assert_sent() {
	assertEquals "$1: $(cat "$T/out" "$T/said" "$T/caller.log" 2>/dev/null)" 0 "$2"
}

test_git_sends_patches() {
	email=$peers/git-email/usr/lib/git-core/git-send-email
	[ -e "$email" ] || email=$(git --exec-path)/git-send-email
	(
		cd "$T" && git init -q repo && cd repo && git config user.name 'Ann Other' && git config user.email "$me" &&
			echo one >file && git add file && git commit -q -m 'First: fünf' -m 'A line.
.
Signed-off-by: Carol <carol@example.org>' && git format-patch -q -1 -o "$T/patches"
		perl "$email" --quiet --confirm=never --suppress-cc=self --smtp-server="$T/sendmail" --to=bob@example.org \
			--bcc=dave@example.org --envelope-sender=auto "$T/patches/0001-First-f-nf.patch"
	) >"$T/out" 2>&1
	assert_sent 'git send-email' $?
	for who in bob carol dave; do
		arrived $who@example.org Subject Cc
		assertEquals "$who" "Return-Path: <$me>
From: Ann Other <$me>
Subject: [PATCH] First: fünf
Cc: Carol <carol@example.org>
A line.
.
Signed-off-by: Carol <carol@example.org>" "$(sed -n '1,7p' "$T/got")"
	done
}

test_mutt_sends() {
	printf 'set sendmail="%s/sendmail -oem -oi"\nset from=%s\nset realname="Ann Other"\nset use_envelope_from=yes\n' \
		"$T" "$me" >"$T/muttrc"
	printf 'set hostname=example.net\nset copy=no\nset sendmail_wait=0\n' >>"$T/muttrc"
	printf 'Hello\n.\nfünf\n' | LC_ALL=C.UTF-8 mutt -n -F "$T/muttrc" -s 'Größe' -b dave@example.org -c carol bob@example.org \
		>"$T/out" 2>&1
	assert_sent mutt $?
	for who in bob@example.org carol@example.net dave@example.org; do
		arrived $who Subject Cc
		assert_got "$who" <<-X
			Return-Path: <$me>
			From: Ann Other <$me>
			Subject: Größe
			Cc: carol@example.net
			Hello
			.
			fünf
		X
	done
}

test_s_nail_sends() {
	printf 'Hello\n.\nfünf\n' | LC_ALL=C.UTF-8 s-nail -n -Smta="file://$T/sendmail" -Ssendwait -Sdead=/dev/null -r "Ann Other <$me>" \
		-s 'Größe' -b dave@example.org bob@example.org >"$T/out" 2>&1
	code=$?
	assert_sent s-nail $code
	for who in bob dave; do
		arrived $who@example.org Subject
		assert_got "$who" <<-X
			Return-Path: <$me>
			From: Ann Other <$me>
			Subject: Größe
			Hello
			.
			fünf
		X
	done
}

test_bsd_mailx_sends() {
	mailx=$peers/bsd-mailx/usr/bin/bsd-mailx
	[ -x "$mailx" ] || mailx=$(command -v bsd-mailx) || {
		skip 'no bsd-mailx'
		return 0
	}
	printf 'set sendmail=%s/sendmail\n' "$T" >"$T/mailrc"
	printf 'Hello\n.\nmore\n' | MAILRC=$T/mailrc HOME=$T "$mailx" -n -s 'A size' -b dave@example.org bob >"$T/out" 2>&1
	assert_sent bsd-mailx $?
	for who in bob@example.net dave@example.org; do
		arrived $who Subject To
		assert_got "$who" <<-X
			Return-Path: <$me>
			From: $(sed -n 's/^From: //p' "$T/got")
			Subject: A size
			To: bob@example.net
			Hello
			.
			more
		X
		assertContains "From is the user" "$(cat "$T/got")" "$me"
	done
}

test_php_sends() {
	php -n -d sendmail_path="$T/sendmail -t -i" -r '
		exit(mail("bob@example.org, Carol <carol@example.org>", "A size", "Hello\n.\nmore", "Cc: dave@example.org\r\nX-A: b") ? 0 : 1);' \
		>"$T/out" 2>&1
	assert_sent php $?
	for who in bob carol dave; do
		arrived $who@example.org Subject X-A
		assert_got "$who" <<-X
			Return-Path: <$me>
			From: $me
			Subject: A size
			X-A: b
			Hello
			.
			more
		X
	done
}

# What is refused stays with the caller, who sees why.
test_a_refusal_is_the_callers_to_see() {
	resident_stop caller
	resident_start caller callerid -d example.net rights -s "$T/senders.cdb" maildir-inject "$T/mail"
	printf 'Hello\n' | s-nail -n -Smta="file://$T/sendmail" -Ssendwait -Sdead=/dev/null -r boss@example.net -s x bob@example.org >"$T/out" 2>&1
	code=$?
	assertNotEquals "s-nail: $(cat "$T/out")" 0 "$code"
	assertContains "$(cat "$T/said")" 'msa-sendmail: bob@example.org: 550 5.7.1 '
	assertFalse 'not sent' "[ -e $T/mail/bob@example.org ]"
	resident_stop caller
	php -n -d sendmail_path="$T/sendmail -t -i" -r 'exit(mail("bob@example.org", "x", "x") ? 0 : 1);' >"$T/out" 2>&1
	assertEquals 'php' 1 $?
	assertContains "$(cat "$T/said")" 'msa-sendmail: bob@example.org: 451 4.3.0 '
}

# /usr/sbin/sendmail, /etc/msa/sendmail and /etc/mailname as on a machine with no other mail server, in file systems that
# only these processes see. The job of @reboot runs when cron starts.
test_cron_sends_what_jobs_print() {
	needs mount || return 0
	cron=$peers/cron/usr/sbin/cron
	[ -x "$cron" ] || cron=$(command -v cron) || {
		skip 'no cron'
		return 0
	}
	program_make in-private <<-P
		#!/bin/sh
		set -e
		mkdir "$T/private" && mount -t tmpfs t "$T/private" && cd "$T/private"
		for dir in etc usr/sbin; do
			mkdir -p "\$dir/upper" "\$dir/work"
			mount -t overlay o -o "lowerdir=/\$dir,upperdir=\$dir/upper,workdir=\$dir/work" "/\$dir"
		done
		mount -t tmpfs t /var/spool
		mount -t tmpfs t /run
		mkdir -p /var/spool/cron/crontabs /etc/msa /etc/pam.d
		rm -rf /etc/cron.d /etc/crontab
		printf 'account required pam_permit.so\nsession required pam_permit.so\nauth required pam_permit.so\n' >/etc/pam.d/cron
		ln -sf "$(command -v msa-sendmail)" /usr/sbin/sendmail
		cp "$T/chain" /etc/msa/sendmail
		echo example.net >/etc/mailname
		printf 'MAILTO=bob@example.org\n@reboot echo job of root; echo .\n' >/var/spool/cron/crontabs/root
		echo '@reboot echo job of nobody' >/var/spool/cron/crontabs/nobody
		chmod 600 /var/spool/cron/crontabs/*
		chown nobody /var/spool/cron/crontabs/nobody
		exec "$cron" -f
	P
	unshare -m "$T/in-private" >"$T/out" 2>&1 &
	pid=$!
	wait_until sh -c 'ls "$T/mail/bob@example.org/new/"* "$T/mail/nobody@example.net/new/"*' >"$T/waited" 2>&1
	kill "$pid"
	wait "$pid"
	assertTrue "$(cat "$T/out" "$T/caller.log")" "[ -e $T/mail/bob@example.org ]"
	arrived bob@example.org To
	assert_got 'root' <<-X
		Return-Path: <$me>
		From: root@example.net
		To: bob@example.org
		job of root
		.
	X
	arrived nobody@example.net To
	assert_got 'another user' <<-X
		Return-Path: <nobody@example.net>
		From: nobody@example.net
		To: nobody@example.net
		job of nobody
	X
}

. "$SHUNIT2"
