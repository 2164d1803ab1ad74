# shellcheck shell=sh
# shellcheck disable=SC2034
# What the tests with clients that are not ours share: one message by a client, and what must arrive of it.
# tests/tools/clients/NAME is how a client is asked to send one message; one that cannot do what is asked says why, and
# exits 77. ISC licence, see LICENSE.

# shellcheck source=tests/lib/quickstart.sh
. "$ROOT/tests/lib/quickstart.sh"

CLIENTS='swaks msmtp curl s-nail net-smtp smtplib nodemailer openssl'
USER_NAME=alice@example.net PASSWORD=wonderland

# A header that is complete, so that the chain adds nothing to it. usage: client_header subject
client_header() {
	printf 'From: Alice <%s>\nTo: bob@example.org\nSubject: %s\n' "$USER_NAME" "$1"
	printf 'Date: Thu, 01 Jan 2026 00:00:00 +0000\nMessage-ID: <one@client.example>\nMIME-Version: 1.0\n'
	printf 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
}

# $T/text, with line ends as they are sent in $T/message.
client_message() {
	cat >"$T/text"
	sed 's/$/\r/' "$T/text" >"$T/message"
}

# usage: client_send client transport mechanism password file recipient ...; what it says is in $T/out
client_send() {
	client=$1 transport=$2 mechanism=$3 password=$4
	shift 4
	port=$SUBMISSION
	[ "$transport" = starttls ] || port=$SUBMISSIONS
	rm -rf "$T/mail/"*
	HOME=$T timeout 120 "$ROOT/tests/tools/clients/$client" 127.0.0.1 "$port" "$transport" "$mechanism" "$USER_NAME" "$password" \
		"$@" >"$T/out" 2>&1 </dev/null
}

# The only message of recipient $1 is the text of file $2, and above it what the chain adds; sets its id and cipher.
# qualify makes the Subject ASCII, since no client says SMTPUTF8.
assert_client_delivered() {
	recipient=$1 text=$2
	set -- "$T/mail/$recipient/new/"*
	assertEquals "messages for $recipient" 1 $#
	id=$(sed -n 's/.* with ESMTPSA id \([0-9a-z]*\) .*/\1/p; /^$/q' "$1" | head -n 1)
	cipher=$(sed -n 's/^	tls \(TLS_[A-Z0-9_]*\);$/\1/p; /^$/q' "$1" | head -n 1)
	{
		printf 'Return-Path: <%s>\nReceived: from client.example ([127.0.0.1])\n' "$USER_NAME"
		printf '\tby localhost with ESMTPSA id %s for <%s>\n\ttls %s;\n\tDATE\n' "${id:-ID}" "$recipient" "${cipher:-TLS}"
		sed 's/^Subject: grüße$/Subject: =?utf-8?B?Z3LDvMOfZQ==?=/' "$text"
	} >"$T/want"
	sed '5s/^\t..., [ 0-9]. ... .... ..:..:.. [-+]....$/\tDATE/' "$1" >"$T/got"
	assert_same "what $recipient has" "$T/want" "$T/got"
}

# The same, and the log knows it, with mechanism $3.
assert_client_arrived() {
	assert_client_delivered "$1" "$2"
	log=$(grep "submitd: [0-9a-z]*/${id:-none} accepted " "$T/log")
	assertContains "$log" "$log" " user=$USER_NAME mech=$3 ip=127.0.0.1 tls=TLSv1.3 cipher=$cipher "
}

assert_client_nothing_arrived() {
	assertEquals "$1" "" "$(ls "$T/mail")"
}
