#!/bin/sh
# msa-explain: what it says about a realistic chain, octet for octet, what each stage that refuses makes of it, and that
# nothing is delivered or counted. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/inject.sh
. "$ROOT/tests/lib/inject.sh"

# usage: table file key value ...
table() {
	table_file=$1
	shift
	while [ $# -gt 0 ]; do
		printf '+%d,%d:%s->%s\n' "${#1}" "${#2}" "$1" "$2"
		shift 2
	done >"$table_file.txt"
	echo >>"$table_file.txt"
	cdb -c "$table_file" "$table_file.txt"
	rm "$table_file.txt"
}

oneTimeSetUp() {
	MSA_HOST=mx.example.net
	export MSA_HOST
	cd "$T" || exit 1
	table senders.cdb alice@example.net 'alice@example.net sales@example.net' carol@example.net -
	table names.cdb sales@example.net team@example.net
	table copies.cdb user:alice@example.net archive@example.net
	table routes.cdb example.org '' partner.example partner lost.example nothing socket.example /nowhere
	mkdir -m 700 limit spool box ways
	mkdir box/bob@example.org box/bob@example.org/new box/bob@example.org/cur box/bob@example.org/tmp
	printf '%s\n' 'From: sales@example.net' 'To: bob@example.org' 'Bcc: eve@example.org' 'Subject: one' '' text >message
}

# Explain a chain: $T/out without the values that are never the same, $T/err, $code. usage: explains argument ...
explains() {
	msa-explain "$@" >"$T/raw" 2>"$T/err"
	code=$?
	sed -e 's/[A-Z][a-z][a-z], [0-9]* [A-Z][a-z][a-z] [0-9]* [0-9:]* [-+][0-9]*/DATE/g' -e "s|$T|D|g" \
		-e 's/[0-9a-z]\{14\}@/UNIQUE@/g' "$T/raw" >"$T/out"
}

# The end of what is said, and the exit code. usage: assert_ends what code line ...
assert_ends() {
	what=$1
	assertEquals "$what: exit code, $(cat "$T/err")" "$2" "$code"
	shift 2
	printf '%s\n' "$@" >"$T/want"
	tail -n $# "$T/out" >"$T/got"
	assert_same "$what" "$T/want" "$T/got"
}

# The files of a directory, with their times and their contents. usage: state directory
state() {
	find "$1" -printf '%p %t ' -type f -exec cksum {} \;
}

test_a_realistic_chain_is_explained_stage_by_stage() {
	printf '3600 2000 %s000\n' "$(date +%s)" >limit/alice@example.net
	program_lines ways/partner '# the chain of partner.example' 'exec maildir-inject \' "	'$T/box'"
	lmtpd_start
	explains -u alice@example.net -f sales@example.net -t bob@example.org -t bob@partner.example -m message -- \
		rights -s senders.cdb limit -d limit -r 100/3600 qualify -d example.net rewrite -t names.cdb -d example.net \
		copy -t copies.cdb stamp route -d ways -t routes.cdb lmtp-inject "$T/s"
	lmtpd_ended
	assertEquals "exit code, $(cat "$T/err")" 0 "$code"
	assert_out said <<-EOF
	EOF
	assert_heard 'what the next hop heard' 'LHLO mx.example.net' 'MAIL FROM:<team@example.net>' \
		'RCPT TO:<bob@example.org>' 'RCPT TO:<archive@example.net>' RSET QUIT
	assertEquals 'the mailbox is empty' '' "$(find box -type f)"
}

# usage: each what exit-code verdict-of-bob what-the-client-hears word ...
each() {
	what=$1 want_code=$2 bob=$3 hears=$4
	shift 4
	explains -u alice@example.net -f alice@example.net -t bob@example.org "$@"
	assert_ends "$what" "$want_code" "    <bob@example.org>: $bob" "    The client would hear: $hears"
}

test_each_stage_that_refuses_is_named_with_its_reply() {
	no='550 5.7.1 MAIL FROM: <eve@example.net> is not yours to send as'
	each rights 1 "$no, from rights" "$no" -f eve@example.net -- rights -s senders.cdb spool spool
	no='554 5.6.0 From: there is more than one such field, and they differ'
	printf 'From: a@example.net\nFrom: b@example.net\n\ntext\n' >two
	each qualify 1 "$no, from qualify" "$no" -m two -- rewrite -t names.cdb qualify -d example.net spool spool
	no='550 5.7.1 More recipients than the 0 in 60 s that you may send to'
	each limit 1 "$no, from limit" "$no" -- limit -d limit -r 0/60 spool spool
	no='451 4.3.0 Local error, try again later'
	each spool 1 "$no, from spool" "$no" -- stamp spool nowhere
	each 'no such program' 1 "$no, from nowhere" "$no" -- stamp nowhere -x
	each 'no resident' 1 "$no, from call" "$no" -- stamp call "$T/nowhere"
	each 'no chain' 1 "$no, from route" "$no" -- route -t routes.cdb spool spool -t bob@lost.example
	no='550 5.1.1 No such mailbox here'
	each maildir-inject 1 "$no, from maildir-inject" "$no" -- maildir-inject spool
	lmtpd_start 'RCPT=550 5.1.1 No Bob'
	no='550 5.1.1 No Bob'
	each 'the next hop' 1 "$no, from lmtp-inject" "$no" -- stamp lmtp-inject "$T/s"
	lmtpd_ended
}

. "$SHUNIT2"
