#!/bin/sh
# fqdn: which ones are fully qualified for submitd's envelope. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/resident.sh
. "$ROOT/tests/lib/resident.sh"

export MSA_HOST=mx.test MSA_SESSION=session TCPREMOTEIP=192.0.2.1

cat >"$T/tlds" <<'E2'
# Version 2026112100, Last Updated Sat Nov 21 07:07:01 2026 UTC
COM
EXAMPLE
NET
XN--11B4C3D
XN--VERMGENSBERATUNG-PWB
XN--FIQS8S
E2

labels() {
	printf '%s\n' "$@" | sed 's/.*/& x/' >"$T/labels.txt"
	cdb -c -m -t "$T/labels.tmp" "$T/new" "$T/labels.txt" && mv "$T/new" "$T/labels"
}

# Standard input: "domain reply-code" a line; each as a sender and as a recipient. usage: judged submitd's options
judged() {
	: >"$T/want"
	{
		echo '> EHLO x'
		while read -r domain code; do
			printf '>> MAIL FROM:<a@%s> SMTPUTF8\\r\\n\n' "$domain"
			printf '> RSET\n> MAIL FROM:<> SMTPUTF8\n'
			printf '>> RCPT TO:<b@%s>\\r\\n\n> RSET\n' "$domain"
			case $code in
			250) printf '%s 250 2.1.0 Sender ok\n%s 250 2.1.5 Recipient ok\n' "$domain" "$domain" ;;
			554)
				printf "%s 554 5.1.8 Sender's domain is not fully qualified\n" "$domain"
				printf "%s 554 5.1.2 Recipient's domain is not fully qualified\n" "$domain"
				;;
			*) printf '%s %s\n%s %s\n' "$domain" "$code" "$domain" "$code" ;;
			esac >>"$T/want"
		done
		printf '%s\n' '> QUIT' '<<'
	} >"$T/script"
	MSA_EHLO=8BITMIME,SMTPUTF8 RELAYCLIENT='' talk submitd -e 10000 "$@" true <"$T/script" >"$T/out" 2>"$T/log"
	sed '1,/^250 SMTPUTF8/d; /^221/,$d' "$T/out" | awk 'NR % 5 == 1 || NR % 5 == 4' >"$T/replies"
	cut -d' ' -f1 "$T/want" | paste -d' ' - "$T/replies" >"$T/got"
	diff -u "$T/want" "$T/got" >"$T/diff"
	code=$?
	assertEquals "$* $(cat "$T/diff")" 0 "$code"
}

test_two_labels_or_a_literal_are_qualified() {
	judged <<-'E2'
		example.net 250
		host.sales 250
		no-such.tld 250
		xn--bcher-kva.example 250
		b\xc3\xbccher.example 250
		b\xc3\xbccher.\xe4\xb8\xad\xe5\x9b\xbd 250
		[192.0.2.1] 250
		[IPv6:2001:db8::1] 250
		[x-tag:content] 250
		localhost 554
		com 554
		\xe4\xb8\xad\xe5\x9b\xbd 554
		xn--fiqs8s 554
	E2
}

test_a_last_label_of_the_sites_table_is_not() {
	labels sales b"$(printf '\303\274')"ro
	judged -D "$T/labels" <<-'E2'
		host.sales 554
		HOST.Sales 554
		a.b.sales 554
		sales 554
		sales.example 250
		host.sales.example 250
		host.salesx 250
		host.xsales 250
		host.b\xc3\xbcro 554
		[192.0.2.1] 250
	E2
}

test_a_last_label_that_is_no_top_level_domain_is_not() {
	judged -T "$T/tlds" <<-'E2'
		example.com 250
		example.COM 250
		a.b.c.example 250
		example.co 554
		example.comx 554
		example.om 554
		example.con 554
		com.local 554
		printer.lan 554
		com 554
		example.xn--fiqs8s 250
		example.XN--FIQS8S 250
		example.\xe4\xb8\xad\xe5\x9b\xbd 250
		example.\xe4\xb8\xad\xe5\x9b\xbe 554
		example.verm\xc3\xb6gensberatung 250
		example.vermogensberatung 554
		example.\xe0\xa4\x95\xe0\xa5\x89\xe0\xa4\xae 250
		example.xn--11b4c3 554
		b\xc3\xbccher.example 250
		[192.0.2.1] 250
		[IPv6:2001:db8::1] 250
		[x-tag:content] 250
	E2
}

test_both_hold() {
	labels com
	judged -D "$T/labels" -T "$T/tlds" <<-'E2'
		host.com 554
		host.net 250
		host.lan 554
	E2
}

test_what_cannot_be_read_is_misuse() {
	echo no cdb >"$T/junk"
	printf 'COM\nTWO WORDS\n' >"$T/words"
	printf 'COM\nCO.UK\n' >"$T/dots"
	printf '# nothing\n' >"$T/none"
	printf 'COM\0\n' >"$T/nul"
	for option in "-D $T/missing" "-D $T/junk" "-T $T/missing" "-T $T/words" "-T $T/dots" "-T $T/none" "-T $T/nul" "-T $T"; do
		# shellcheck disable=SC2086
		submitd $option true </dev/null >"$T/out" 2>"$T/log"
		assertEquals "$option" 100 $?
		assertFalse "$option: nothing was said to a peer" "[ -s $T/out ]"
		assertTrue "$option: $(cat "$T/log")" "grep -q '^submitd: ${option#-? }: ' $T/log"
	done
	assertEquals 'a read that fails has the reason' "submitd: $T: Is a directory" "$(sed -n 1p "$T/log")"
}

# The replies of the resident to a recipient at each domain.
heard() {
	{
		printf '%s\n' '> HELO x' '> MAIL FROM:<>'
		for domain; do
			echo "> RCPT TO:<b@$domain>"
		done
		printf '%s\n' '> QUIT' '<<'
	} >"$T/script"
	RELAYCLIENT='' talk call "$T/submit" <"$T/script" | sed -n '4,/^221/p' | sed '$d' | cut -c1-3 | tr '\n' ' '
}

is_heard() {
	[ "$(heard host.sales host.lan)" = "$1" ]
}

test_sighup_reads_both_anew_and_keeps_what_it_had() {
	labels marketing
	cp "$T/tlds" "$T/list"
	resident_start submit submitd -D "$T/labels" -T "$T/list" true
	# shellcheck disable=SC2154 # resident has set it
	pid=$submit_pid
	assertEquals 'before' '554 554 ' "$(heard host.sales host.lan)"
	printf 'LAN\nSALES\n' >"$T/list"
	kill -HUP "$pid"
	wait_until is_heard '250 250 '
	assertEquals 'the list' '250 250 ' "$(heard host.sales host.lan)"
	labels sales
	kill -HUP "$pid"
	wait_until is_heard '554 250 '
	assertEquals 'the table' '554 250 ' "$(heard host.sales host.lan)"
	echo 'no list at all' >"$T/list"
	labels nothing
	kill -HUP "$pid"
	wait_until grep -q ' kept ' "$T/submit.log"
	assertTrue 'it is logged' "grep -q 'failed reason=.*/list: Protocol error' $T/submit.log"
	assertEquals 'kept, both' '554 250 ' "$(heard host.sales host.lan)"
	resident_stop_all
}

. "$SHUNIT2"
