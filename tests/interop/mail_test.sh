#!/bin/sh
# What mail programs send, through the whole chain: megabytes, what they write themselves, many messages in a session,
# many recipients at once, some of them refused, and BDAT. The stages as residents: mail_resident_test.sh.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clients.sh
. "$ROOT/tests/lib/clients.sh"

oneTimeSetUp() {
	quickstart_start || fail "the quickstart service does not start"
	text_random 5000000 >"$T/attachment"
}

oneTimeTearDown() {
	quickstart_stop
}

# The client is there, or it is a skip. usage: sent || return; after send
sent() {
	code=$?
	if [ "$code" -eq 77 ]; then
		skip "$client: $(cat "$T/out")"
		return 1
	fi
	assertEquals "$client: $(cat "$T/out")" 0 "$code"
}

# An attachment of 5 MB is 6.8 MB of text.
test_each_client_sends_megabytes() {
	{ client_header megabytes && base64 "$T/attachment"; } | client_message
	for one in $CLIENTS; do
		client_send "$one" tls PLAIN "$PASSWORD" "$T/message" bob@example.org
		sent || continue
		assert_client_arrived bob@example.org "$T/text" PLAIN
	done
}

# What bob has: its subject, and the attachment's name and sum, as a mail program reads them.
# usage: assert_reads subject name
assert_reads() {
	python3 - "$T/mail/bob@example.org/new/"* >"$T/got" <<-'P'
		import email, email.policy, hashlib, sys
		with open(sys.argv[1], 'rb') as f:
		    m = email.message_from_binary_file(f, policy=email.policy.default)
		assert not m.defects and not [p for p in m.walk() if p.defects]
		print(m['Subject'])
		print(len(m.get_all('Date')), len(m.get_all('Message-ID')), len(m.get_all('Received')), m.get_all('Bcc'))
		print(m.get_body().get_content().rstrip())
		for part in m.iter_attachments():
		    print(part.get_filename(), hashlib.sha256(part.get_content()).hexdigest())
	P
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	{
		printf '%s\n1 1 1 None\nf\303\274nf\n.\n' "$1"
		echo "$2 $(sha256sum <"$T/attachment" | cut -d ' ' -f 1)"
	} >"$T/want"
	assert_same "what bob has" "$T/want" "$T/got"
}

test_s_nail_writes_a_message_with_an_attachment() {
	needs s-nail || return 0
	rm -rf "$T/mail/"*
	cp "$T/attachment" "$T/na me.bin"
	printf 'f\303\274nf\n.\n' | LC_ALL=C.UTF-8 HOME=$T timeout 120 s-nail -:/ -S v15-compat \
		-S "mta=submission://alice%40example.net:$PASSWORD@127.0.0.1:$SUBMISSION" -S smtp-use-starttls -S smtp-auth=plain \
		-S tls-verify=ignore -S from="Alice <$USER_NAME>" -S sendwait -S DEAD=/dev/null -S hostname=client.example \
		-b secret@example.org -a "$T/na me.bin" -s "$(printf 'Gr\303\274\303\237e')" bob@example.org >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	assert_reads "$(printf 'Gr\303\274\303\237e')" 'na me.bin'
	assertEquals "the blind copy" 1 "$(ls "$T/mail/secret@example.org/new" | wc -l)"
}

test_nodemailer_writes_a_message_with_an_attachment() {
	NODE_PATH=/usr/share/nodejs node -e 'require("nodemailer")' >/dev/null 2>&1 || {
		skip 'no nodemailer'
		return 0
	}
	rm -rf "$T/mail/"*
	NODE_PATH=/usr/share/nodejs node - "$SUBMISSIONS" "$USER_NAME" "$PASSWORD" "$T/attachment" >"$T/out" 2>&1 <<-'J'
		const [port, user, pass, path] = process.argv.slice(2);
		require('nodemailer')
			.createTransport({ host: '127.0.0.1', port, secure: true, auth: { user, pass }, tls: { rejectUnauthorized: false } })
			.sendMail({ from: { name: 'Älice', address: user }, to: 'bob@example.org', bcc: 'secret@example.org',
				subject: 'Grüße', text: 'fünf\n.\n', attachments: [{ filename: 'nä me.bin', path }] })
			.catch((error) => { console.log(error.message); process.exit(1); });
	J
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	assert_reads "$(printf 'Gr\303\274\303\237e')" "$(printf 'n\303\244 me.bin')"
	assertEquals "the blind copy" 1 "$(ls "$T/mail/secret@example.org/new" | wc -l)"
}

# msmtp as sendmail: what cron and scripts give it, with recipients out of the header.
test_msmtp_takes_recipients_out_of_the_header() {
	needs msmtp || return 0
	rm -rf "$T/mail/"*
	printf 'To: bob@example.org, Carol <carol@example.org>\nBcc: secret@example.org\nSubject: x\n\nHello\n' |
		HOME=$T timeout 120 msmtp --file=/dev/null --host=127.0.0.1 --port="$SUBMISSION" --tls=on --tls-certcheck=off \
			--auth=on --user="$USER_NAME" --passwordeval="echo $PASSWORD" --from="$USER_NAME" -t >"$T/out" 2>&1
	code=$?
	assertEquals "$(cat "$T/out")" 0 "$code"
	assertEquals "bob@example.org carol@example.org secret@example.org " "$(ls "$T/mail" | tr '\n' ' ')"
	cat "$T/mail/"*/new/* >"$T/got"
	assertEquals "no Bcc" 0 "$(grep -c -i '^Bcc:' "$T/got")"
	assertEquals "complete" 3 "$(grep -c "^From: .*$USER_NAME" "$T/got")"
}

# Python's smtplib goes on after what is refused, without and with RSET.
test_a_session_of_many_messages_and_refusals() {
	rm -rf "$T/mail/"*
	timeout 120 python3 - "$SUBMISSION" "$USER_NAME" "$PASSWORD" >"$T/got" 2>&1 <<-'P'
		import smtplib, ssl, sys
		context = ssl.create_default_context()
		context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
		user = sys.argv[2]
		def text(n): return 'From: %s\r\nTo: bob@example.org\r\nSubject: %s\r\n\r\nbody\r\n' % (user, n)
		with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), '[IPv6:::1]', timeout=60) as smtp:
		    smtp.starttls(context=context)
		    smtp.login(user, sys.argv[3])
		    print(smtp.sendmail(user, ['one@example.org'], text('one')))
		    try: smtp.sendmail(user, ['two@host'], text('two'))
		    except smtplib.SMTPRecipientsRefused as e: print(e)
		    print(smtp.sendmail(user, ['three@example.org', 'x@host'], text('three')))
		    try: smtp.sendmail(user, ['four@example.org'], 'From: %s, @@\r\n\r\nbody\r\n' % user)
		    except smtplib.SMTPDataError as e: print(e)
		    print(smtp.noop()[0], smtp.verify('bob')[0], smtp.expn('bob')[0], smtp.rset()[0])
		    try: smtp.sendmail('bob', ['five@example.org'], text('five'))
		    except smtplib.SMTPSenderRefused as e: print(e.smtp_code)
		    print(smtp.sendmail(user, ['"six six"@example.org'], text('six')))
	P
	cat >"$T/want" <<-'E'
		{}
		{'two@host': (554, b"5.1.2 Recipient's domain is not fully qualified")}
		{'x@host': (554, b"5.1.2 Recipient's domain is not fully qualified")}
		(554, b'5.6.0 From: address 2 is not valid')
		250 252 502 250
		501
		{}
	E
	assert_same "what it heard" "$T/want" "$T/got"
	assertEquals '"six six"@example.org one@example.org three@example.org ' "$(ls "$T/mail" | LC_ALL=C sort | tr '\n' ' ')"
}

# Three connections that are used again and again.
test_nodemailer_keeps_a_pool_of_sessions() {
	NODE_PATH=/usr/share/nodejs node -e 'require("nodemailer")' >/dev/null 2>&1 || {
		skip 'no nodemailer'
		return 0
	}
	rm -rf "$T/mail/"*
	NODE_PATH=/usr/share/nodejs timeout 120 node - "$SUBMISSIONS" "$USER_NAME" "$PASSWORD" >"$T/got" 2>&1 <<-'J'
		const [port, user, pass] = process.argv.slice(2);
		const mailer = require('nodemailer').createTransport({ host: '127.0.0.1', port, secure: true, pool: true,
			maxConnections: 3, auth: { user, pass }, tls: { rejectUnauthorized: false } });
		const to = (i) => i === 5 ? 'user5@host' : i === 9 ? 'jörg@example.org' : `user${i}@example.org`;
		Promise.allSettled([...Array(30).keys()].map((i) =>
			mailer.sendMail({ from: user, to: to(i), subject: `number ${i}`, text: 'x'.repeat(20000) })))
			.then((results) => {
				results.forEach((r, i) => { if (r.status !== 'fulfilled') console.log(i, r.reason.responseCode); });
				mailer.close();
			});
	J
	printf '5 554\n9 550\n' >"$T/want"
	assert_same "what was refused" "$T/want" "$T/got"
	assertEquals 28 "$(cat "$T/mail/"*/new/* | grep -c '^Subject: number ')"
}

# 300 recipients, sent in one go.
recipients() {
	seq -f 'user%g@example.org' 300
}

test_clients_that_pipeline_send_to_many() {
	{ client_header many && echo body; } | client_message
	for one in swaks msmtp; do
		# shellcheck disable=SC2046
		client_send "$one" starttls PLAIN "$PASSWORD" "$T/message" $(recipients)
		sent || continue
		assertEquals "$one" 300 "$(ls "$T/mail" | wc -l)"
		cat "$T/mail/"*/new/* | sed '/^$/q' >"$T/got"
		assertEquals "$one: nobody sees the others" 0 "$(grep -c user "$T/got")"
		assertContains "$one" "$(tail -n 20 "$T/log")" " rcpts=300 "
	done
}

# The client has sent more by the time that it hears of it: nobody gets anything, and nobody hangs.
test_a_recipient_that_is_refused_among_many() {
	{ client_header refused && echo body; } | client_message
	for one in swaks msmtp; do
		# shellcheck disable=SC2046
		client_send "$one" starttls PLAIN "$PASSWORD" "$T/message" bob@host $(recipients)
		code=$?
		if [ "$code" -eq 77 ]; then
			skip "$client: $(cat "$T/out")"
			continue
		fi
		case $one in
		msmtp) # gives up
			assertNotEquals "$one: $(cat "$T/out")" 0 "$code"
			assertContains "$(cat "$T/out")" "554"
			assert_client_nothing_arrived "$one"
			;;
		swaks) # goes on with the others
			assertContains "$(cat "$T/out")" "554 5.1.2"
			assertEquals "$one" 300 "$(ls "$T/mail" | wc -l)"
			;;
		esac
	done
}

test_z_the_log_holds_no_credential() {
	assertEquals 0 "$(grep -c -e "$PASSWORD" -e "$(printf '\0%s\0%s' "$USER_NAME" "$PASSWORD" | base64)" "$T/log")"
	assertEquals "no stage has died" 0 "$(grep -c -e 'signal' -e 'died' "$T/log")"
}

# BDAT: a service whose next server takes BINARYMIME, which Net::SMTP wants before it uses BDAT. swaks, msmtp, curl,
# s-nail, smtplib and nodemailer have no BDAT.
test_zz_net_smtp_sends_by_bdat() {
	quickstart_stop
	lmtpd -n 9 -t 60 -u "$T/lmtp" -r "$T/rec" -e PIPELINING,8BITMIME,ENHANCEDSTATUSCODES,CHUNKING,BINARYMIME >"$T/address" &
	server=$!
	wait_until test -s "$T/address"
	LMTP=$T/lmtp quickstart_start
	assertTrue "the service starts" $?
	{ client_header chunks && echo body; } | client_message
	BITS=binary client_send net-smtp tls PLAIN "$PASSWORD" "$T/message" bob@example.org
	if sent; then
		tr -d '\r' <"$T/rec" >"$T/heard"
		assertTrue "$(cat "$T/heard")" "grep -q '^MAIL FROM:<$USER_NAME> BODY=BINARYMIME$' '$T/heard'"
		assertTrue "$(cat "$T/heard")" "grep -q '^BDAT [0-9]* LAST$' '$T/heard'"
		sed -n '/^From: /,/^body$/p' "$T/heard" >"$T/got"
		assert_same "the message" "$T/text" "$T/got"
	fi
	quickstart_stop
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	return 0
}

# shellcheck source=/dev/null
. "$SHUNIT2"
