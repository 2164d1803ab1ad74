#!/bin/sh
# msa-conf: the files that it writes, what it keeps, what it refuses. tests/interop/msa-conf_test.sh starts them.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# Root would make users: be somebody else, where that is possible.
AS='' # words, not quoted
# shellcheck disable=SC2086

oneTimeSetUp() {
	PATH=$PATH:/usr/sbin:/sbin
	chmod 755 "$T"
	mkdir "$T/bin"
	for program in msa-conf msa-passwd msa-table; do
		cp "$(command -v "$program")" "$T/bin"
	done
	chmod 755 "$T/bin"/*
	PATH=$T/bin:$PATH
	AS='env -u TMPDIR'
	[ "$(id -u)" -ne 0 ] || AS='setpriv --reuid nobody --regid nogroup --clear-groups env -u TMPDIR'
	cert "$T/key.pem" "$T/cert.pem" /CN=mail.example.net
	chmod 644 "$T/key.pem"
}

setUp() {
	rm -rf "$T/site"
	mkdir "$T/site"
	[ "$(id -u)" -ne 0 ] || chown nobody: "$T/site"
	D=$T/site/msa
}

# Sets $T/out, $T/said and $code. usage: conf word ...
conf() {
	$AS msa-conf "$@" >"$T/out" 2>"$T/said"
	code=$?
}

# A service in $D, always the same for the same words: a second time it is copied. usage: write_service style [option ...]
write_service() {
	kept=$T/kept/$(echo "$*" | tr / _)
	if [ -d "$kept" ] && [ ! -e "$D" ]; then
		cp -a "$kept/msa" "$D"
		cp "$kept/out" "$kept/said" "$T"
		return
	fi
	style=$1
	shift
	conf -s "$style" -c "$T/cert.pem" -k "$T/key.pem" -h mail.example.net "$@" "$D" example.net
	assertEquals "$(cat "$T/said")" 0 "$code"
	[ -d "$kept" ] || {
		mkdir -p "$kept"
		cp -a "$D" "$kept/msa"
		cp "$T/out" "$T/said" "$kept"
	}
}

# usage: assert_refused text word ...
assert_refused() {
	text=$1
	shift
	conf "$@"
	assertEquals "$*: exit code" 100 "$code"
	assertEquals "$*" "msa-conf: $text" "$(cat "$T/said")"
	assertEquals "$*: nothing is written" '' "$(ls "$D" 2>/dev/null)"
}

# The chain is this, and is compiled. usage: chain line ...
chain() {
	printf '%s\n' "$@" >"$T/lines"
	$AS tee "$D/chain" <"$T/lines" >"$T/tee"
	conf "$D"
}

# usage: assert_chain_refused text line ...
assert_chain_refused() {
	text=$1
	shift
	(cd "$D" && find . -type f -exec cksum {} + | grep -v ' ./chain$' | sort) >"$T/before"
	chain "$@"
	assertEquals "$*: exit code" 100 "$code"
	assertEquals "$*" "msa-conf: chain, line 1: $text" "$(cat "$T/said")"
	(cd "$D" && find . -type f -exec cksum {} + | grep -v ' ./chain$' | sort) >"$T/after"
	assert_same 'nothing is changed' "$T/before" "$T/after"
}

# What the service runs, its continued lines as one. usage: command_of service
command_of() {
	sed -e :a -e '/\\$/N; s/\\\n[[:blank:]]*//; ta' "$D/services/$1/run" | sed -n "s|^exec \(.*[^1]\)\$|\1|p" | sed "s|$D|D|g"
}

# Where a stage's options end is known to msa-conf by a list of its own.
test_it_knows_the_options_of_each_stage() {
	injector=$(sed -n 's/^#define INJECTOR_OPTIONS "\(.*\)"$/\1/p' "$ROOT/lib/deliver/injector.h")
	for name in $(cd "$ROOT/cmd" && grep -l stage ./*/deps | cut -d / -f 2) tlsd spoold; do
		letters=$(sed -n 's/^[[:blank:]]*\.options = "\([^"]*\)" INJECTOR_OPTIONS,$/\1'"$injector"'/p; s/^[[:blank:]]*\.options = "\([^"]*\)",$/\1/p' \
			"$ROOT/cmd/$name/$name.c")
		# the two that read their command line themselves: without what msa-conf sets
		[ -n "$letters" ] || letters=$(sed -n 's/.*getopt(argc, argv, "+\([^"]*\)").*/\1/p' "$ROOT/cmd/$name/$name.c" | sed 's/[lRU]://g')
		case $name in
		inline | call | resident) continue ;; # words of another kind
		esac
		assertContains "$name" "$(tr ';' '\n' <"$ROOT/cmd/msa-conf/plan.awk" | grep -F "stage(\"$name\", ")" "\"$letters\", "
	done
}

test_the_line_of_words_is_printed_and_written() {
	write_service s6 -l /run/lmtp
	echo "tlsd -g $D/lib/penalties -c $T/cert.pem -k $T/key.pem authd -g $D/lib/penalties -u $D/users.cdb submitd limit -d $D/lib/limit -r 200/3600" \
		"-r 1000/86400 qualify -d example.net rights -s $D/senders.cdb stamp lmtp-inject -o $D/lib/offers/next /run/lmtp" >"$T/want"
	assert_same 'printed' "$T/want" "$T/out"
	grep -v '^#' "$D/chain" >"$T/got"
	assert_same 'written' "$T/want" "$T/got"
}

test_each_stage_calls_the_next_one() {
	write_service s6 -l /run/lmtp -p 5587:5465
	for service in tlsd tlsd-implicit authd submitd limit qualify rights stamp lmtp-inject; do
		command_of "$service"
	done >"$T/got"
	assert_got 'the commands' <<-W
		tlsd -l 0:5587 -R 3 -m 1000 -e 500 -g D/lib/penalties -c $T/cert.pem -k $T/key.pem call D/run/authd/socket
		tlsd -l 0:5465 -R 3 -i -m 1000 -e 500 -g D/lib/penalties -c $T/cert.pem -k $T/key.pem call D/run/authd/socket
		authd -l D/run/authd/socket -R 3 -P 1:1100 -g D/lib/penalties -u D/users.cdb call D/run/submitd/socket
		submitd -l D/run/submitd/socket -R 3 -P 1:2000 call D/run/limit/socket
		msa limit -l D/run/limit/socket -R 3 -d D/lib/limit -r 200/3600 -r 1000/86400 call D/run/qualify/socket
		qualify -l D/run/qualify/socket -R 3 -d example.net call D/run/rights/socket
		msa rights -l D/run/rights/socket -R 3 -s D/senders.cdb call D/run/stamp/socket
		stamp -l D/run/stamp/socket -R 3 call D/run/lmtp-inject/socket
		lmtp-inject -l D/run/lmtp-inject/socket -R 3 -P 1:20 -o D/lib/offers/next /run/lmtp
	W
}

# What clients are offered, and the injectors that learn it of the next hop. usage: assert_offers list injectors option ...
assert_offers() {
	want=$1 learns=$2
	shift 2
	rm -rf "$D"
	write_service "$@"
	assertEquals "$*" "$want" "$(sed -n "s|^MSA_EHLO=||p" "$D/env" | sed "s|$D|D|")"
	assertEquals "$*: injectors" "$learns" "$(grep -o '[ls]mtp-inject -o' "$D/chain" | tr '\n' ,)"
}

test_what_one_next_hop_offers_is_learned() {
	needs cdb || return 0
	assert_offers @D/lib/offers/next 'lmtp-inject -o,' s6 -l /run/lmtp
	assertEquals 'tlsd reads it' 'drwxr-xr-x' "$(ls -ld "$D/lib/offers" | cut -c1-10)"
	assert_offers @D/lib/offers/next 'smtp-inject -o,' runit -r smtp.example.org
	assert_offers @D/lib/offers/next,DSN,DELIVERBY 'smtp-inject -o,' systemd -q -r smtp.example.org
	assertTrue 'its unit may write there' "grep -qx 'ReadWritePaths=$D/lib/offers' $D/services/msa-smtp-inject.service"
	assert_offers 8BITMIME,DSN '' s6 -l /run/lmtp -r smtp.example.org
	assert_offers 8BITMIME,DSN,DELIVERBY '' s6 -q -l /run/lmtp -r smtp.example.org
	assert_offers 8BITMIME,SMTPUTF8 '' s6 -m "$T/site/mail"
	assert_offers 8BITMIME '' tcpserver -l /run/lmtp
}

test_a_second_run_changes_nothing() {
	write_service runit -m "$T/site/mail"
	(cd "$D" && find . -type f -exec cksum {} + | sort) >"$T/before"
	conf "$D"
	assertEquals 0 "$code"
	assertEquals 'nothing to say' '' "$(cat "$T/said")"
	(cd "$D" && find . -type f -exec cksum {} + | sort) >"$T/after"
	assert_same 'the files' "$T/before" "$T/after"
}

test_what_was_edited_stays() {
	write_service s6 -l /run/lmtp
	echo '# mine' >>"$D/services/stamp/run"
	echo '# mine' >>"$D/services/qualify/run"
	cp "$D/services/stamp/run" "$T/mine"
	sed -i 's/ stamp / filter cat stamp /; s/qualify -d example.net/qualify/' "$D/chain"
	conf "$D"
	assertEquals 0 "$code"
	assert_same 'the edited file' "$T/mine" "$D/services/stamp/run"
	assertContains "$(cat "$T/said")" "msa-conf: keep services/qualify/run: it was edited; what msa-conf writes is services/qualify/run.new"
	assertFalse 'of stamp nothing would change but the comment' "[ -e $D/services/stamp/run.new.new ]"
	assertTrue 'the new text' "grep -q 'qualify -l .* call .*/rights/socket' $D/services/qualify/run.new || grep -q 'qualify -l' $D/services/qualify/run.new"
	assertTrue 'others are written' "grep -q filter $D/services/rights/run"
	assertEquals 'the chain is the site'"'"'s' 1 "$(grep -c ' filter cat stamp ' "$D/chain")"
	# the same words on the command line do not overwrite it
	write_service s6 -l /run/lmtp
	assertContains "$(cat "$T/said")" "msa-conf: keep chain: it was edited; what msa-conf writes is chain.new"
	assertEquals 1 "$(grep -c ' filter cat stamp ' "$D/chain")"
	rm "$D/services/qualify/run"
	conf "$D"
	assertContains 'removed, so written again' "$(cat "$T/said")" "msa-conf: write services/qualify/run"
	assertFalse "[ -e $D/services/qualify/run.new ]"
}

test_a_stage_put_in_and_taken_out() {
	write_service s6 -l /run/lmtp
	(cd "$D" && find . -type f | sort) >"$T/before"
	sed -i 's/ stamp / bounce -d stamp /' "$D/chain"
	conf "$D"
	assertContains "$(cat "$T/said")" "new services, to start in this order:
    for s in bounce; do"
	assertContains "$(cat "$T/said")" "changed services, to restart in this order:
    for s in rights; do"
	assertEquals 'msa bounce -l D/run/bounce/socket -R 3 -d call D/run/stamp/socket' "$(command_of bounce)"
	assertEquals 'msa rights -l D/run/rights/socket -R 3 -s D/senders.cdb call D/run/bounce/socket' "$(command_of rights)"
	sed -i 's/ bounce -d stamp / stamp /' "$D/chain"
	conf "$D"
	assertContains "$(cat "$T/said")" "services that the chain no longer has, to stop after that:
    for s in bounce; do"
	(cd "$D" && find . -type f | sort) >"$T/after"
	assert_same 'as before' "$T/before" "$T/after"
}

test_dry_run_writes_nothing() {
	conf -n -s runit -S -l /run/lmtp "$D" example.net
	assertEquals 0 "$code"
	assertContains "$(cat "$T/said")" 'msa-conf: would write services/stamp/run'
	assertFalse "[ -e $D ]"
	write_service runit -l /run/lmtp
	sed -i 's/ stamp / trace stamp /' "$D/chain"
	(cd "$D" && find . -type f -exec cksum {} + | sort) >"$T/before"
	conf -n "$D"
	assertContains "$(cat "$T/said")" 'msa-conf: would write services/trace/run'
	(cd "$D" && find . -type f -exec cksum {} + | sort) >"$T/after"
	assert_same 'the files' "$T/before" "$T/after"
}

test_words_of_the_site_and_quotes() {
	write_service s6 -l /run/lmtp
	sed -i "s| stamp | /opt/policy -x 'a b' \"it's\" filter -u 'sed s/a\$/%b/' inline submitd |; s|submitd limit|limit|; s|inline submitd|stamp|" "$D/chain"
	sed -i 's| limit | submitd limit |' "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertEquals "msa resident -l D/run/policy/socket -R 3 /opt/policy -x 'a b' 'it'\\''s' call D/run/filter/socket" "$(command_of policy)"
	assertEquals "msa filter -l D/run/filter/socket -R 3 -u 'sed s/a\$/%b/' call D/run/stamp/socket" "$(command_of filter)"
	rm -rf "$D"
	write_service systemd -l /run/lmtp
	sed -i "s| stamp | filter -u 'sed \"s/a\$/%b/\"' stamp |" "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertTrue "$(grep ExecStart "$D/services/msa-filter.service")" \
		"grep -qF 'msa filter -l 0 -A msa-rights -u \"sed \\\"s/a\$\$/%%b/\\\"\" ' $D/services/msa-filter.service"
}

test_stages_that_ask_a_server() {
	write_service systemd -l /run/lmtp
	sed -i "s| stamp | policy -p 127.0.0.1:10040 milter -q header /run/milter rewrite -c .example.net rewrite -s $D/own.cdb stamp |" "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertContains 'policy' "$(cat "$D/services/msa-policy.service")" 'msa policy -l 0 -A msa-rights -p 127.0.0.1:10040 '
	assertContains 'milter' "$(cat "$D/services/msa-milter.service")" 'msa milter -l 0 -A msa-policy -q header /run/milter '
	assertEquals 'only those on TCP have the network' 'msa-policy.service msa-rewrite.service ' \
		"$(cd "$D/services" && grep -l AF_INET msa-policy.service msa-milter.service msa-rewrite.service msa-rewrite-2.service | tr '\n' ' ')"
}

test_a_check_of_recipients_is_a_chain_of_its_own() {
	write_service systemd -l /run/lmtp
	sed -i "s|submitd |submitd -r 'call $D/run/check/socket' |; s|limit -d|limit -m example.net -d|" "$D/chain"
	echo "check: rights -n -t $D/recipients.cdb -m example.net" >>"$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertContains "$(cat "$D/services/msa-check.service")" "msa rights -l 0 -A msa-submit -n -t $D/recipients.cdb -m example.net"
	assertContains "$(cat "$D/services/msa-limit.service")" 'msa limit -l 0 -A msa-submit -m example.net -d '
	assertTrue 'the table is made' "msa-table -c recipients $D/recipients.cdb"
}

test_counts_that_several_machines_share() {
	write_service systemd -l /run/lmtp
	sed -i "s|limit -d [^ ]*|limit -a /etc/redis -w 3 -d redis:192.0.2.1:6379|" "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertContains "$(cat "$D/services/msa-limit.service")" 'msa limit -l 0 -A msa-submit -a /etc/redis -w 3 -d redis:192.0.2.1:6379 '
	assertContains 'the network' "$(cat "$D/services/msa-limit.service")" AF_INET
	assertNotContains 'no directory' "$(cat "$D/services/msa-limit.service")" ReadWritePaths
	sed -i "s|redis:192.0.2.1:6379|redis:/run/redis/redis.sock|" "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertNotContains 'a socket' "$(cat "$D/services/msa-limit.service")" AF_INET
}

test_inline_is_one_service() {
	write_service s6 -l /run/lmtp
	sed -i 's/ submitd / inline submitd /' "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertEquals "msa inline submitd -l D/run/submitd/socket -R 3 -P 1:2000 limit -d D/lib/limit -r 200/3600 -r 1000/86400 qualify -d example.net rights -s D/senders.cdb stamp lmtp-inject -o D/lib/offers/next /run/lmtp" "$(command_of submitd)"
	assertEquals 'authd submitd tlsd tlsd-implicit ' "$(ls "$D/services" | while read -r s; do [ ! -e "$D/services/$s/run" ] || echo "$s"; done | tr '\n' ' ')"
}

test_a_queue_and_two_ways() {
	needs cdb || return 0
	write_service s6 -q -l /run/lmtp -r smtp.example.org
	sed "s|$D|D|g; /^#/d; s/.* rights/rights/" "$D/chain" >"$T/got"
	assert_got 'the chains' <<-W
		rights -s D/senders.cdb stamp route -t D/routes.cdb spool D/spool
		lmtp: lmtp-inject /run/lmtp
		spoold -r 'route -t D/routes.cdb call D/run/smtp-inject/socket' D/spool smtp-inject smtp.example.org
	W
	for service in route spool lmtp spoold smtp-inject; do
		command_of "$service"
	done >"$T/got"
	assert_got 'the commands' <<-W
		msa route -l D/run/route/socket -R 3 -t D/routes.cdb call D/run/spool/socket
		msa spool -l D/run/spool/socket -R 3 D/spool
		lmtp-inject -l D/run/lmtp/socket -R 3 -P 1:20 /run/lmtp
		msa spoold -R 3 -r 'route -t D/routes.cdb call D/run/smtp-inject/socket' D/spool call D/run/smtp-inject/socket
		smtp-inject -l D/run/smtp-inject/socket -R 3 -P 1:20 smtp.example.org
	W
	assertEquals "$D/run/lmtp/socket" "$(cdb -q "$D/routes.cdb" example.net)"
	assertEquals 'drwx------' "$(ls -ld "$D/spool" | cut -c1-10)"
}

test_a_queue_under_tcpserver_is_a_script_more() {
	write_service tcpserver -q -r smtp.example.org
	for script in submission submissions spoold; do
		sh -n "$D/services/$script"
		assertEquals "$script" 0 $?
	done
	tail -n 2 "$D/services/submission" | sed "s|$D|D|g" >"$T/got"
	printf '\t%s\n' 'stamp \' 'spool D/spool' >"$T/want"
	assert_same 'the end of the chain' "$T/want" "$T/got"
}

test_tables_are_made_once() {
	needs cdb || return 0
	write_service s6 -l /run/lmtp
	assertEquals 'no rights' '' "$(cdb -d -m "$D/senders.cdb")"
	assertEquals 'no user' '' "$(msa-passwd -l "$D/users.cdb" 2>&1)"
	assertEquals '-rw-------' "$(ls -l "$D/users.cdb" | cut -c1-10)"
	echo wonderland | $AS msa-passwd "$D/users.cdb" alice@example.net
	conf "$D"
	assertEquals 'alice@example.net	main' "$(msa-passwd -l "$D/users.cdb")"
}

test_addresses_and_copies_by_table() {
	needs cdb || return 0
	write_service s6 -l /run/lmtp
	sed -i "s| stamp | rewrite -s $D/own.cdb rewrite -d example.net -d .example.net -t $D/addresses.cdb copy -t $D/copies.cdb stamp |" "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	for service in rewrite rewrite-2 copy; do
		command_of "$service"
	done >"$T/got"
	assert_got 'the commands' <<-W
		msa rewrite -l D/run/rewrite/socket -R 3 -s D/own.cdb call D/run/rewrite-2/socket
		msa rewrite -l D/run/rewrite-2/socket -R 3 -d example.net -d .example.net -t D/addresses.cdb call D/run/copy/socket
		msa copy -l D/run/copy/socket -R 3 -t D/copies.cdb call D/run/stamp/socket
	W
	for table in own addresses copies; do
		assertEquals "$table" '' "$(cdb -d -m "$D/$table.cdb")"
	done
}

# It learns what the next hop offers from the injector, alone and in one process with others.
test_encode_gets_the_offers_of_the_next_hop() {
	write_service s6 -l /run/lmtp
	sed -i 's/ stamp / encode stamp /' "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertEquals 'msa encode -l D/run/encode/socket -R 3 -k @D/lib/offers/next call D/run/stamp/socket' "$(command_of encode)"
	sed -i 's/ submitd / inline submitd /' "$D/chain"
	conf "$D"
	assertContains "$(command_of submitd)" ' encode -k @D/lib/offers/next stamp '
	sed -i 's/ encode / encode -k SIZE /' "$D/chain"
	conf "$D"
	assertContains "$(command_of submitd)" ' encode -k SIZE stamp '
}

# Its parent reads the keys as root, and its workers have a user of their own.
test_the_keys_of_dkim_sign_are_roots() {
	write_service systemd -l /run/lmtp
	sed -i "s| stamp | dkim-sign -r -t $D/keys.cdb stamp |" "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	unit=$(cat "$D/services/msa-dkim-sign.service")
	assertContains "$unit" "msa dkim-sign -l 0 -A msa-rights -U msa-dkim-sign -r -t $D/keys.cdb "
	assertNotContains "$unit" 'User='
	needs cdb || return 0
	assertEquals '' "$(cdb -d -m "$D/keys.cdb")"
}

# It needs no secret: its user reads the keyring.
test_encrypt_serves_as_its_own_user() {
	write_service systemd -l /run/lmtp
	mkdir "$D/keys"
	printf '\000\000\000\040\001\001\000\000KBXf%020d' 0 >"$D/keys/pubring.kbx"
	sed -i "s| stamp | encrypt -c -k $D/keys stamp |" "$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	unit=$(cat "$D/services/msa-encrypt.service")
	assertContains "$unit" "msa encrypt -l 0 -A msa-rights -c -k $D/keys "
	assertContains "$unit" 'User=msa-encrypt'
}

# The chain that msa-sendmail's page shows, and a recording.
test_local_users_and_recordings() {
	needs cdb || return 0
	write_service s6 -l /run/lmtp
	sed -i "s| submitd | record -c $D/recordings submitd |" "$D/chain"
	echo "local: callerid -A @users -d example.net qualify -d example.net -u all stamp lmtp-inject /run/lmtp" >>"$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	for service in record local qualify-2; do
		command_of "$service"
	done >"$T/got"
	assert_got 'the commands' <<-W
		msa record -l D/run/record/socket -R 3 -c D/recordings call D/run/submitd/socket
		msa callerid -l D/run/local/socket -R 3 -A @users -d example.net call D/run/qualify-2/socket
		qualify -l D/run/qualify-2/socket -R 3 -d example.net -u all call D/run/stamp-2/socket
	W
	assertEquals 'for the recordings' drwx------ "$(ls -ld "$D/recordings" | cut -c1-10)"
}

test_a_certificate_of_its_own() {
	needs openssl || return 0
	conf -s s6 -S -h mx.example.net -l /run/lmtp "$D" example.net
	assertEquals "$(cat "$T/said")" 0 "$code"
	assertContains "$(cat "$T/said")" 'signed by itself'
	assertContains "$(openssl x509 -in "$D/cert.pem" -noout -ext subjectAltName)" 'DNS:mx.example.net'
	assertEquals '-rw-------' "$(ls -l "$D/key.pem" | cut -c1-10)"
	cp "$D/cert.pem" "$T/made.pem"
	conf -s s6 -S -h mx.example.net -l /run/lmtp "$D" example.net
	assert_same 'the same one' "$T/made.pem" "$D/cert.pem"
}

test_units_take_away_what_they_can() {
	needs systemd-analyze || return 0
	write_service systemd -q -l 127.0.0.1:24 -r smtp.example.org
	sed -i "s| stamp | filter cat bounce /opt/policy trace stamp |; s|authd |authd -s imap |; s|authd -s imap -g [^ ]* -u [^ ]*|authd -s imap|; s|smtp-inject |smtp-inject -a $D/smarthost |g" "$D/chain"
	echo 'box: maildir-inject /home/mail' >>"$D/chain"
	conf "$D"
	assertEquals "$(cat "$T/said")" 0 "$code"
	systemd-analyze verify "$D/services"/*.service "$D/services"/*.socket >"$T/got" 2>&1
	assertEquals 'verify' '' "$(grep -v 'is not executable' "$T/got")"
	units=0
	for unit in "$D/services"/*.service; do
		systemd-analyze security --offline=true --threshold=20 "$unit" >"$T/got" 2>&1
		code=$?
		assertEquals "${unit##*/}: $(tail -n 1 "$T/got")" 0 "$code"
		units=$((units + 1))
	done
	assertEquals 'units' 18 "$units"
}

test_users_are_those_of_the_units() {
	needs systemd-sysusers || return 0
	write_service systemd -l /run/lmtp
	mkdir -p "$T/root/etc"
	systemd-sysusers --root="$T/root" "$D/sysusers.conf" >"$T/got" 2>&1
	code=$?
	assertEquals "$(cat "$T/got")" 0 "$code"
	sed -n -e 's/^User=//p' -e 's/.* -U \([^ ]*\).*/\1/p' "$D"/services/*.service | sort -u >"$T/used"
	assertEquals 8 "$(wc -l <"$T/used")"
	while read -r user; do
		assertEquals "$user" 1 "$(grep -c "^$user:" "$T/root/etc/passwd")"
	done <"$T/used"
	rm -rf "$T/root"
}

test_wrong_use_is_refused() {
	assert_refused "$D has no settings and chain: give -s, where to, and the domain, and they are written" "$D"
	assert_refused '-s is missing: systemd, s6, runit, daemontools or tcpserver' -l /run/lmtp -S "$D" example.net
	assert_refused '-s: upstart is not one of systemd, s6, runit, daemontools, tcpserver' -s upstart -l /x -S "$D" example.net
	assert_refused 'where to? Give -l, -r, both, or -m' -s s6 -S "$D" example.net
	assert_refused '-m goes with neither -l nor -r' -s s6 -S -m /mail -l /x "$D" example.net
	assert_refused '-q is for a smarthost (-r): an LMTP server and Maildirs are here' -s s6 -S -q -l /x "$D" example.net
	assert_refused 'domain: localhost has no dot: qualify needs a domain of two labels or more' -s s6 -S -l /x "$D" localhost
	assert_refused 'no certificate: give -c and -k, or -S for a self-signed one, which mail programs warn of' \
		-s s6 -l /x "$D" example.net
	assert_refused '-c and -k go together' -s s6 -c "$T/cert.pem" -l /x "$D" example.net
	assert_refused "$T/none cannot be read" -s s6 -c "$T/none" -k "$T/key.pem" -l /x "$D" example.net
	assert_refused '-c: cert.pem is not an absolute path: services do not start where you are' \
		-s s6 -c cert.pem -k key.pem -l /x "$D" example.net
	assert_refused '-p: 587 is not PORT:PORT, the ports of STARTTLS and of TLS; one of them may be missing' \
		-s s6 -S -p 587 -l /x "$D" example.net
	assert_refused '-l with -r needs resident stages, which -s tcpserver does not have' \
		-s tcpserver -S -l /x -r y "$D" example.net
	conf
	assertEquals 100 "$code"
	assertContains "$(cat "$T/said")" 'usage: msa-conf '
}

test_a_chain_that_cannot_be_compiled_is_refused() {
	write_service s6 -l /run/lmtp
	front="tlsd -c c -k k authd -u u submitd"
	assert_chain_refused "rights: unknown option -x" "$front rights -x stamp lmtp-inject /l"
	assert_chain_refused "limit: -d needs an argument" "$front limit -d"
	assert_chain_refused "stamp: it is the last word, and a chain ends with lmtp-inject, smtp-inject, maildir-inject, spool, resume or a program of yours" \
		"$front stamp"
	assert_chain_refused "rights: it is the last word, and a chain ends with lmtp-inject, smtp-inject, maildir-inject, spool, resume or a program of yours" \
		"$front rights -n -t /t"
	assert_chain_refused "rights: with -n it answers, so nothing can follow: 'stamp'" "$front rights -n -t /t stamp lmtp-inject /l"
	assert_chain_refused "lmtp-inject: it delivers, so nothing can follow: 'stamp'" "$front lmtp-inject /l stamp"
	assert_chain_refused "qualify: a stage of a message, and submitd is not in front of it" \
		"tlsd -c c -k k qualify submitd stamp lmtp-inject /l"
	assert_chain_refused "authd: a stage of a connection, behind submitd or in a chain with a name" "$front authd -u u lmtp-inject /l"
	assert_chain_refused "stamp: msa-conf sets -U itself" "$front stamp -U me lmtp-inject /l"
	assert_chain_refused "the chain begins with authd and not with tlsd" "authd -u u submitd stamp lmtp-inject /l"
	assert_chain_refused "./policy: not an absolute path: services do not start where you are" "$front ./policy lmtp-inject /l"
	assert_chain_refused "a quote is not closed" "$front filter 'cat lmtp-inject /l"
	assert_chain_refused "tlsd: with -i or -o there is one port: leave the other one empty in settings" \
		"tlsd -i -c c -k k authd -u u submitd lmtp-inject /l"
}

# shellcheck source=/dev/null
. "$SHUNIT2"
