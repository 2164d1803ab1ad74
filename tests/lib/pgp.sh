# shellcheck shell=sh
# For the tests of encrypt: keys, the site's keyring, and what gpg makes of an encrypted copy.
# ISC licence, see LICENSE.

# usage: pgp word ...
pgp() {
	gpg --homedir "$T/secret" --batch --quiet --no-auto-check-trustdb --trust-model always "$@"
}

# The lines with which gpg makes a key. usage: pgp_key address [line ...]
pgp_key() {
	printf '%s\n' 'Key-Type: eddsa' 'Key-Curve: ed25519' 'Key-Usage: sign'
	address=$1
	shift
	case "$*" in
	'') printf '%s\n' 'Subkey-Type: ecdh' 'Subkey-Curve: cv25519' 'Subkey-Usage: encrypt' 'Expire-Date: 0' ;;
	*) printf '%s\n' "$@" ;;
	esac
	printf '%s\n' "$address" '%no-protection' '%commit'
}

# $T/secret has the keys with their private halves, and $T/ids "SUBKEY ADDRESS" in lines.
# Without a use: expired, revoked, future, signer (who has no subkey for encryption), and two keys of twin.
pgp_keys() {
	mkdir -m 700 "$T/secret"
	for name in bob carol dave erin revoked twin twin; do
		pgp_key "Name-Email: $name@example.org"
	done >"$T/batch"
	pgp_key 'Name-Email: signer@example.org' 'Expire-Date: 0' >>"$T/batch"
	pgp_key 'Name-Email: Upper@Example.ORG' >>"$T/batch"
	pgp_key 'Name-Real: nora@example.org
Name-Email: mallory@example.com' >>"$T/batch"
	pgp_key 'Name-Email: uni@bücher.example' >>"$T/batch"
	pgp --gen-key "$T/batch" 2>"$T/gpg.log" || cat "$T/gpg.log"
	pgp_key 'Name-Email: expired@example.org' 'Subkey-Type: ecdh' 'Subkey-Curve: cv25519' 'Subkey-Usage: encrypt' \
		'Expire-Date: 10' >"$T/batch"
	pgp --faked-system-time 20200101T000000 --gen-key "$T/batch" 2>"$T/gpg.log" || cat "$T/gpg.log"
	pgp --quick-gen-key --passphrase '' bare@example.org future-default default never 2>"$T/gpg.log" || cat "$T/gpg.log"
	fingerprint=$(pgp --with-colons --list-keys '<revoked@example.org>' | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | head -n 1)
	sed 's/^:---/---/' "$T/secret/openpgp-revocs.d/$fingerprint.rev" >"$T/batch"
	pgp --import "$T/batch"
	pgp --with-colons --list-keys | awk -F: '$1 == "uid" { mail = $10; sub(/.*</, "", mail); sub(/>.*/, "", mail) }
		$1 == "sub" { print $5, mail }' >"$T/ids"
	pgp --export >"$T/public"
	pgp_key 'Name-Email: future@example.org' >"$T/batch"
	pgp --faked-system-time 20980101T000000 --gen-key "$T/batch" 2>"$T/gpg.log" || cat "$T/gpg.log"
	pgp --faked-system-time 20980102T000000 --export future@example.org >>"$T/public" 2>"$T/gpg.log"
	gpgconf --homedir "$T/secret" --kill all
}

# The site's keyring $T/keys, with the public keys of $T/public.
pgp_keyring() {
	rm -rf "$T/keys"
	mkdir -m 700 "$T/keys"
	gpg --homedir "$T/keys" --batch --quiet --faked-system-time 20980102T000000 --import "$T/public" 2>"$T/gpg.log" || cat "$T/gpg.log"
	gpgconf --homedir "$T/keys" --kill all
	wait_until pgp_has_ended
	rm -f "$T"/keys/*~ "$T"/keys/S.* "$T/keys/trustdb.gpg"
}

pgp_end() {
	gpgconf --homedir "$T/secret" --kill all
}

pgp_has_ended() {
	! pgrep -f "gpg-agent --homedir $T/" >/dev/null
}

# Take a copy apart: what is encrypted to $T/plain, the recipients of its keys, in order, to $T/for, and the header in
# front, without the boundary, to $T/front. usage: pgp_open file
pgp_open() {
	rm -f "$T/plain"
	python3 - "$1" "$T/armor" "$T/front" <<-'P'
		import email, email.policy, re, sys
		data = open(sys.argv[1], 'rb').read()
		message = email.message_from_bytes(data, policy=email.policy.compat32)
		version, content = message.get_payload()
		kinds = [message.get_content_type(), message.get_param('protocol'), version.get_content_type(),
		         version.get_payload(), content.get_content_type()]
		want = ['multipart/encrypted', 'application/pgp-encrypted', 'application/pgp-encrypted', 'Version: 1\r\n',
		        'application/octet-stream']
		if b'\r\n' not in data:
		    want[3] = 'Version: 1\n'
		if kinds != want or message.defects or message.preamble or message.epilogue:
		    print(kinds, message.defects, repr(message.preamble), repr(message.epilogue))
		open(sys.argv[2], 'w', newline='').write(content.get_payload())
		front = re.split(rb'\r?\n\r?\n', data)[0] + b'\n'
		open(sys.argv[3], 'wb').write(re.sub(rb'boundary="=_[0-9a-f]{32}"', b'boundary="B"', front).replace(b'\r', b'').replace(b'\t', b' '))
	P
	pgp --status-file "$T/status" --output "$T/plain" --decrypt "$T/armor" 2>"$T/gpg.log" || cat "$T/gpg.log"
	assertTrue "$1: intact" "grep -q ' GOODMDC' $T/status"
	for id in $(sed -n 's/.* ENC_TO \([0-9A-F]*\) .*/\1/p' "$T/status"); do
		sed -n "s/^$id //p" "$T/ids"
	done | sort | paste -sd' ' >"$T/for"
}
