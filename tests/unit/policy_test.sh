#!/bin/sh
# ask/policy: what a policy server is asked, and what its answers mean. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

# usage: asked state context size recipient [NAME=value ...] ; the envelope is $T/envelope
asked() {
	state=$1 context=$2 size=$3 rcpt=$4
	shift 4
	env -i PATH="$PATH" "$@" test-unit policy "$state" "$context" "$size" "$rcpt" <"$T/envelope" >"$T/got"
}

test_a_request_has_the_attributes_of_postfix() {
	printf 'MAIL FROM:<alice@example.net>\nRCPT TO:<bob@example.org>\n' >"$T/envelope"
	asked END-OF-MESSAGE inside 1234 0 TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=5000 TCPREMOTEHOST=client.example \
		TCPLOCALIP=192.0.2.9 TCPLOCALPORT=587 MSA_HELO='[192.0.2.1]' MSA_VERB=EHLO MSA_MESSAGE=ID SMTPAUTHUSER=alice \
		SMTPAUTHMETHOD=PLAIN SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_256_GCM_SHA384 SSL_CIPHER_USEKEYSIZE=256 \
		SSL_PEER_CERT_HASH=SHA256:0a1b2c SSL_PEER_CERT_SUBJECT=/C=XX/CN=alice/OU=x
	assert_got 'request' <<-'END'
		request=smtpd_access_policy
		protocol_state=END-OF-MESSAGE
		protocol_name=ESMTP
		client_address=192.0.2.1
		client_name=client.example
		client_port=5000
		reverse_client_name=client.example
		server_address=192.0.2.9
		server_port=587
		helo_name=[192.0.2.1]
		sender=alice@example.net
		recipient=bob@example.org
		recipient_count=1
		queue_id=ID
		instance=ID
		size=1234
		etrn_domain=
		stress=
		sasl_method=PLAIN
		sasl_username=alice
		sasl_sender=
		ccert_subject=alice
		ccert_issuer=
		ccert_fingerprint=0A:1B:2C
		ccert_pubkey_fingerprint=
		encryption_protocol=TLSv1.3
		encryption_cipher=TLS_AES_256_GCM_SHA384
		encryption_keysize=256
		policy_context=inside

	END
}

test_a_message_to_several_has_no_recipient_and_a_question_about_one_no_number() {
	printf 'MAIL FROM:<>\nRCPT TO:<b@example.org>\n550 5.7.1 No\nRCPT TO:<c@example.org>\nCOPY TO:<d@example.org>\n' >"$T/envelope"
	asked DATA '' 0 0 MSA_VERB=HELO MSA_MESSAGE=ID
	assertEquals 'protocol_name=SMTP|client_name=unknown|sender=|recipient=|recipient_count=2|queue_id=ID|' \
		"$(grep -E '^(protocol_name|client_name|sender|recipient.*|queue_id)=' "$T/got" | tr '\n' '|')"
	asked RCPT '' 0 3 MSA_VERB=LHLO MSA_MESSAGE=ID
	assertEquals 'protocol_name=LMTP|recipient=c@example.org|recipient_count=0|queue_id=|instance=ID|' \
		"$(grep -E '^(protocol_name|recipient.*|queue_id|instance)=' "$T/got" | tr '\n' '|')"
}

test_no_value_can_become_another_line() {
	printf 'MAIL FROM:<>\nRCPT TO:<b@example.org>\n' >"$T/envelope"
	asked DATA 'a
action=OK' 0 0 MSA_MESSAGE=ID SMTPAUTHUSER='a
b	c'
	assertEquals 'sasl_username=a?b?c' "$(grep ^sasl_user "$T/got")"
	assertEquals 'policy_context=a?action=OK' "$(grep ^policy "$T/got")"
	assertEquals 'lines' 30 "$(wc -l <"$T/got")"
}

test_each_action_of_postfix_that_can_be_done() {
	unit_table policy answer <<-'END'
		action=DUNNO\n\n => 14 pass
		action=OK\n\n => 11 pass
		action=permit \n\n => 16 pass
		action=Dunno and more\n\n => 23 pass
		action=WARN look here\n\n => 23 pass
		action=INFO look here\n\n => 23 pass
		action=REJECT\n\n => 15 refuse 554 5.7.1 Refused by site policy
		action=reject Go away\n\n => 23 refuse 554 5.7.1 Go away
		action=REJECT 5.7.26 Go away\n\n => 30 refuse 554 5.7.26 Go away
		action=REJECT 4.7.26 Go away\n\n => 30 refuse 554 5.7.1 4.7.26 Go away
		action=DEFER\n\n => 14 refuse 450 4.7.1 Refused by site policy for now, try again later
		action=DEFER  Wait\n\n => 20 refuse 450 4.7.1 Wait
		action=DEFER_IF_PERMIT Greylisted\n\n => 35 refuse 450 4.7.0 Greylisted
		action=DEFER_IF_REJECT\n\n => 24 soften 450 4.7.0 Refused by site policy for now, try again later
		action=450 4.7.2 Wait\n\n => 23 refuse 450 4.7.2 Wait
		action=550 No\n\n => 15 refuse 550 5.7.1 No
		action=550\n\n => 12 refuse 550 5.7.1 Refused by site policy
		action=450\n\n => 12 refuse 450 4.7.1 Refused by site policy for now, try again later
		action=521 Gone\n\n => 17 refuse 521 5.7.1 Gone
		action=550 a\x01\xe4b\n\n => 17 refuse 550 5.7.1 a??b
		action=PREPEND X-Policy: yes\n\n => 30 prepend [X-Policy: yes]
		action=PREPEND X:\n\n => 19 prepend [X:]
	END
}

test_an_action_that_cannot_be_done_is_none() {
	unit_table policy answer <<-'END'
		action=HOLD\n\n => 13 unsupported HOLD
		action=DISCARD\n\n => 16 unsupported DISCARD
		action=REDIRECT a@example.org\n\n => 31 unsupported REDIRECT a@example.org
		action=FILTER smtp:x\n\n => 22 unsupported FILTER smtp:x
		action=BCC a@example.org\n\n => 26 unsupported BCC a@example.org
		action=250 Ok\n\n => 15 unsupported 250 Ok
		action=55 Ok\n\n => 14 unsupported 55 Ok
		action=5500 Ok\n\n => 16 unsupported 5500 Ok
		action=5x0 Ok\n\n => 15 unsupported 5x0 Ok
		action=REJECTED\n\n => 17 unsupported REJECTED
		action=reject_unauth_destination\n\n => 34 unsupported reject_unauth_destination
		action=DUNNO\xe4\n\n => 15 unsupported DUNNO?
	END
}

test_what_is_not_an_answer() {
	unit_table policy answer <<-'END'
		 => more
		action=DUNNO => more
		action=DUNNO\n => more
		\n => 1 garbage no action
		action=\n\n => 9 garbage empty action
		action= DUNNO\n\n => 15 garbage empty action
		answer=DUNNO\n\n => 14 garbage no action
		x=y\naction=DUNNO\nz=\n\n => 21 pass
		action=DUNNO\naction=REJECT\n\n => 28 garbage two actions
		DUNNO\n\n => 7 garbage a line without =
		action=DUNNO\n\nmore => 14 pass
		action=DUNNO\r\n\r\n => more
		action=DUNNO\0\n\n => bad
		action=PREPEND\n\n => 16 garbage PREPEND without a header field
		action=PREPEND X Y: z\n\n => 23 garbage PREPEND without a header field
		action=PREPEND : z\n\n => 20 garbage PREPEND without a header field
		action=PREPEND X: \xe4\n\n => 21 garbage PREPEND with a header field that is not ASCII
		action=PREPEND X: a\rb\n\n => 23 garbage PREPEND with a header field that is not ASCII
	END
}

test_limits_of_an_answer() {
	line=$(text_repeat 8192 x)
	printf '%s\n' "$line" "x$line" >"$T/lines"
	assertEquals more "$(head -n 1 "$T/lines" | test-unit policy answer | sed 's/.*=> //')"
	assertEquals bad "$(tail -n 1 "$T/lines" | test-unit policy answer | sed 's/.*=> //')"
	printf '%saction=OK\\n\\n\n' "$(text_repeat 99 'a=@' | sed 's/@/\\n/g')" >"$T/lines"
	assertEquals '100 lines' '308 pass' "$(test-unit policy answer <"$T/lines" | sed 's/.*=> //')"
	assertEquals '101 lines' bad "$(sed 's/^/a=\\n/' "$T/lines" | test-unit policy answer | sed 's/.*=> //')"
	printf 'action=PREPEND X:%s\\n\\n\n' "$(text_repeat 996 y)" >"$T/lines"
	assertEquals 'a field of 998 octets' prepend "$(test-unit policy answer <"$T/lines" | sed 's/.*=> [0-9]* //; s/ .*//')"
	assertEquals 'and of 999' 'garbage PREPEND with a header field that is too long' \
		"$(sed 's/X:/X:y/' "$T/lines" | test-unit policy answer | sed 's/.*=> [0-9]* //')"
}

. "$SHUNIT2"
