#!/bin/sh
# msa-conf check: what it finds in a configured service, a line for each kind of finding. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

AS='' # words, not quoted; root would make users
# shellcheck disable=SC2086

oneTimeSetUp() {
	chmod 755 "$T"
	mkdir "$T/bin" "$T/site"
	for program in msa msa-conf msa-check msa-passwd tlsd authd submitd qualify rights encode limit stamp resident filter \
		lmtp-inject smtp-inject spool spoold call; do
		cp "$(command -v "$program")" "$T/bin"
	done
	chmod 755 "$T/bin"/*
	AS="env -u TMPDIR PATH=$T/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	if [ "$(id -u)" -eq 0 ]; then
		chown nobody: "$T/site"
		AS="setpriv --reuid nobody --regid nogroup --clear-groups $AS"
	fi
	cert "$T/key.pem" "$T/cert.pem" /CN=mail.example.net -days 30
	chmod 600 "$T/key.pem"
	[ "$(id -u)" -ne 0 ] || chown nobody: "$T/key.pem" "$T/cert.pem"
	PORT=$(port_free)
}

# A service in $D with the user alice. usage: configure style option ...
configure() {
	D=$T/site/$1
	style=$1
	shift
	$AS msa-conf -s "$style" -c "$T/cert.pem" -k "$T/key.pem" -a 127.0.0.1 -p "$PORT:" -h mail.example.net "$@" "$D" \
		example.net >"$T/out" 2>"$T/said"
	code=$?
	assertEquals "$(cat "$T/said")" 0 "$code"
	echo wonderland | $AS msa-passwd "$D/users.cdb" alice@example.net
}

# The check prints these lines, and its exit code is 1 if one of them is no note. usage: finds option ... <lines
finds() {
	sed "s|D/|$D/|g; s|run msa-conf D\$|run msa-conf $D|" | sort >"$T/want"
	$AS msa-conf check "$@" "$D" >"$T/out" 2>"$T/said"
	code=$?
	sort "$T/out" >"$T/got"
	assert_same "$*" "$T/want" "$T/got"
	assertEquals "$*: on fd 2" '' "$(cat "$T/said")"
	assertEquals "$*: exit code" "$(grep -qv '^note: ' "$T/want" && echo 1 || echo 0)" "$code"
}

test_a_service_as_written_has_no_findings() {
	configure s6 -l /run/lmtp
	finds -q </dev/null
	finds <<-'X'
		note: D/run: no sockets, so the service does not run
	X
	finds -q -n <<-'X'
		error: lmtp-inject: /run/lmtp: does not answer LHLO: at=connect reason="No such file or directory"; start that server, or correct its address
	X
	configure tcpserver -q -r smtp.example.org
	finds -q </dev/null
}

test_what_encode_makes_possible_is_offered() {
	configure runit -l /run/lmtp
	$AS sed -i 's/ stamp / encode stamp /' "$D/chain"
	$AS msa-conf "$D" >/dev/null
	finds <<-'X'
		note: D/env: encode takes 8-bit and binary data for a next hop that does not; add ,8BITMIME,BINARYMIME to MSA_EHLO and clients are offered both
		note: D/run: no sockets, so the service does not run
	X
	sed -i 's/^MSA_EHLO=.*/&,8BITMIME,BINARYMIME/' "$D/env"
	finds <<-'X'
		note: D/run: no sockets, so the service does not run
	X
}

test_files_that_are_not_what_the_chain_says() {
	configure s6 -l /run/lmtp
	$AS sed -i 's/ limit .* qualify/ qualify/; s/ stamp / filter cat stamp /' "$D/chain"
	echo '# mine' >>"$D/services/qualify/run"
	rm "$D/services/authd/run"
	chmod 664 "$D/env"
	finds <<-'X'
		error: D/env: others may write to it; chmod go-w D/env
		error: D/services/authd/run: missing; run msa-conf D
		error: D/services/filter/run: missing; run msa-conf D
		note: D/run: no sockets, so the service does not run
		note: D/services/qualify/run: it was edited, so the chain does not say what it does; its words are not looked at
		warning: D/services/limit/run: the chain needs it no more; run msa-conf D
		warning: D/services/rights/run: not what the chain says now; run msa-conf D
		warning: D/services/submitd/run: not what the chain says now; run msa-conf D
	X
	rm -rf "$D"
}

test_words_tables_and_offers() {
	configure runit -l /run/lmtp
	$AS sed -i 's/ rights / rigths /; s/-o [^ ]*/-t x/; s/authd /authd -P 1:50 /' "$D/chain"
	$AS msa-conf "$D" >"$T/out" 2>&1
	chmod 644 "$D/users.cdb"
	rm -r "$D/lib/limit"
	finds -q <<-'X'
		error: D/lib/limit: missing; run msa-conf D
		error: authd: D/users.cdb: open to everybody; chmod o= makes it private
		error: limit: D/lib/limit: No such file or directory; make it, or correct the path
		error: lmtp-inject: -t x: not a number from 1 to 86400; see the page lmtp-inject(8)
		error: resident: rigths: no such program; did you mean rights?
		warning: D/env: no injector of the chain writes D/lib/offers/next, which MSA_EHLO names; give the injector -o D/lib/offers/next, or MSA_EHLO keywords
		warning: authd: 50 workers at most, but tlsd lets 500 connections through; give it -P 1:500, or tlsd a lower -m and -e
	X
	echo "tlsd -c 'c" >"$D/chain"
	finds <<-'X'
		error: chain, line 1: a quote is not closed
	X
	rm -rf "$D"
}

test_sockets_and_ports_of_a_service_that_runs() {
	needs ss || return 0
	configure s6 -l /run/lmtp
	$AS sh -c "umask 077; mkdir -p $D/run/stamp $D/run/other"
	$AS lmtp-inject -l "$D/run/stamp/socket" "$T/nobody" 2>"$T/log" &
	stage=$!
	$AS lmtp-inject -l "$D/run/other/socket" "$T/nobody" 2>"$T/log" &
	other=$!
	wait_until test -S "$D/run/stamp/socket"
	wait_until test -S "$D/run/other/socket"
	finds -q <<-X
		$(for name in authd submitd limit qualify rights lmtp-inject; do
			echo "error: call: D/run/$name/socket: No such file or directory; start the resident that listens there, or correct the path"
		done)
		error: D/settings: port $PORT: nobody listens there; start tlsd
		warning: D/run/other/socket: no stage of the chain listens there; stop what listens, and remove it
	X
	kill "$stage" "$other"
	wait "$stage" "$other"
	rm -rf "$D"
}

test_wrong_use_is_refused() {
	$AS msa-conf check -x >"$T/out" 2>"$T/said"
	assertEquals 100 $?
	D=$T/site/none
	finds <<-X
		error: $T/site/none has no settings and chain: give -s, where to, and the domain, and they are written
	X
}

# shellcheck source=/dev/null
. "$SHUNIT2"
