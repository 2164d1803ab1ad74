#!/bin/sh
# jwt-check: whose token it is, and which tokens are nobody's. authd asks it in authd-oauth_test.sh.
# ISC licence, see LICENSE.
# shellcheck disable=SC2086
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/clock.sh
. "$ROOT/tests/lib/clock.sh"

rules='-i https://id.example.net -a mail'

oneTimeSetUp() {
	keys=$T/keys
	jwt keys "$keys"
	chmod 755 "$T" "$keys"
	chmod 644 "$keys"/*
	chmod 640 "$keys/secret" "$keys/rsa.pub"
	as_nobody=
	[ "$(id -u)" -ne 0 ] || as_nobody='setpriv --reuid nobody --regid nogroup --clear-groups'
	[ "$(id -u)" -ne 0 ] || chgrp nogroup "$keys/secret" "$keys/rsa.pub"
	export MSA_SESSION=S
}

# Make the tokens of standard input, see tests/tools/jwt. usage: tokens [now]
tokens() {
	jwt tokens "$keys" "${1:-$(date +%s)}" || fail 'no tokens'
}

# Ask about a token; the exit code goes to $code, and what is logged to $T/log. usage: ask name user option ...
ask() {
	{ printf '%s\0' "$2" && cat "$keys/$1.jwt" && printf '\0%s\0' 1; } >"$T/asked"
	shift 2
	$as_nobody ${timed-} jwt-check $rules "$@" 3<"$T/asked" >"$T/out" 2>"$T/log" </dev/null
	code=$?
}

# Each line of standard input is "name | key | header | claims", and how it ends: "| reason", or nothing if it is right.
# All are asked with the same options. usage: table option ...
table() {
	cat >"$T/table"
	cut -d '|' -f 1-4 "$T/table" | tokens
	while IFS='|' read -r name _ _ _ reason; do
		name=${name% }
		ask "$name" alice@example.net "$@"
		case $reason in
		*' '*[a-z]*)
			reason=${reason# }
			case $reason in *' '*) reason="\"$reason\"" ;; esac
			assertEquals "$name" "1 jwt-check: S refused reason=$reason" "$code $(cat "$T/log")"
			;;
		*) assertEquals "$name" '0 ' "$code $(cat "$T/log")" ;;
		esac
	done <"$T/table"
}

test_signatures() {
	table -k "$keys/jwks" <<-'END'
		rsa | rsa | | |
		es | ec | | |
		rsa2 | rsa2 | | |
		wrong | rsa~ | | | wrong signature
		wrong-ec | ec~ | | | wrong signature
		stranger | stranger | {"kid": "ec"} | | wrong signature
		other-key | rsa2 | {"kid": "rsa"} | | wrong signature
		other-kind | ec | {"kid": "rsa"} | | no such key
		other-kind-rsa | rsa | {"kid": "ec"} | | no such key
		unknown-key | ec | {"kid": "ec3"} | | no such key
		no-kid | rsa | {"kid": null} | | no such key
		no-kid-ec | ec | {"kid": null} | |
		kid-number | ec | {"kid": 1} | | unusable header
		weak | weak | | | no such key
		key-for-encryption | rsa:RS512 | | | algorithm is not allowed
		none | none | | | not a signed JWT
		none-signed | ec | {"alg": "none"} | | algorithm is not allowed
		None | ec | {"alg": "None"} | | algorithm is not allowed
		hs-with-public-key | rsa! | {"kid": "rsa"} | | algorithm is not allowed
		hs-no-kid | ec! | {"kid": null} | | algorithm is not allowed
		ed | ed | | | algorithm is not allowed
		es384 | ec384 | | | algorithm is not allowed
		ps256 | rsa:PS256 | | | algorithm is not allowed
		lower | rsa | {"alg": "rs256"} | | algorithm is not allowed
		no-alg | rsa | {"alg": null} | | unusable header
		alg-list | rsa | {"alg": ["RS256"]} | | unusable header
		crit | rsa | {"crit": ["exp"]} | | unusable header
		b64 | rsa | {"b64": true} | | unusable header
		own-key | stranger | {"kid": "ec", "jwk": {"kty": "EC"}, "jku": "https://evil.example/", "x5u": "x"} | | wrong signature
		twice | rsa | {"alg": "none", "alg": "RS256", "kid": "rsa"} | |
		no-json | rsa | x | | unusable header
		no-object | rsa | ["RS256"] | | unusable header
	END
}

test_types() {
	table -k "$keys/jwks" <<-'END'
		jwt | rsa | {"typ": "jwt"} | |
		at | rsa | {"typ": "at+jwt"} | |
		application | rsa | {"typ": "Application/at+JWT"} | |
		none | rsa | {"typ": null} | |
		logout | rsa | {"typ": "logout+jwt"} | | unusable header
		dpop | rsa | {"typ": "dpop+jwt"} | | unusable header
		number | rsa | {"typ": 1} | | unusable header
		atx | rsa | {"typ": "at+jwtx"} | | unusable header
	END
}

test_claims() {
	table -k "$keys/jwks" -n email <<-'END'
		other-issuer | ec | | {"iss": "https://evil.example"} | another issuer
		longer-issuer | ec | | {"iss": "https://id.example.net/"} | another issuer
		no-issuer | ec | | {"iss": null} | another issuer
		issuer-list | ec | | {"iss": ["https://id.example.net"]} | another issuer
		audiences | ec | | {"aud": ["web", "mail"]} |
		other-audience | ec | | {"aud": "web"} | another audience
		part-of-it | ec | | {"aud": "mai"} | another audience
		more-than-it | ec | | {"aud": "mailer"} | another audience
		words | ec | | {"aud": "web mail"} | another audience
		audience-number | ec | | {"aud": 1} | another audience
		in-a-list | ec | | {"aud": [["mail"]]} | another audience
		no-audience | ec | | {"aud": null} | another audience
		expired | ec | | {"exp": "@-7200"} | expired
		no-expiry | ec | | {"exp": null} | no expiry
		expiry-text | ec | | {"exp": "4000000000"} | unusable claims
		expiry-huge | ec | | {"exp": 1e300} |
		early | ec | | {"nbf": "@7200"} | not valid yet
		nbf | ec | | {"nbf": "@-1"} |
		nbf-text | ec | | {"nbf": "1"} | unusable claims
		nbf-null | ec | {} | {"nbf": false} | unusable claims
		from-the-future | ec | | {"iat": "@7200"} | not valid yet
		iat-text | ec | | {"iat": "now"} | unusable claims
		no-iat | ec | | {"iat": null} |
		bound | ec | | {"cnf": {"jkt": "x"}} | bound to a key of the client
		nameless | ec | | {"email": null} | no user name
		name-list | ec | | {"email": ["alice@example.net"]} | no user name
		name-empty | ec | | {"email": ""} | another user
		case | ec | | {"email": "Alice@Example.NET"} |
		other | ec | | {"email": "bob@example.net"} | another user
		longer | ec | | {"email": "alice@example.net.evil.example"} | another user
		shorter | ec | | {"email": "alice@example.ne"} | another user
		no-domain | ec | | {"email": "alice"} | another user
		nul | ec | | {"email": "alice@example.net\u0000x"} | unusable claims
		unverified | ec | | {"email_verified": false} | address is not verified
		unverified-text | ec | | {"email_verified": "false"} | address is not verified
		unverified-null | ec | | {"email_verified": 0} | address is not verified
		verified | ec | | {"email_verified": true} |
		verified-text | ec | | {"email_verified": "true"} |
		no-json | ec | | x | unusable claims
		no-object | ec | | [1] | unusable claims
		empty | ec | | x{"a": | unusable claims
	END
}

test_what_is_no_jwt() {
	tokens <<-'END'
		good | ec | |
	END
	good=$(cat "$keys/good.jwt")
	for token in '' a a.b a.b.c.d .. "$good." ".$good" "$good=" "$good " " $good" "${good%?}*" "${good#?}" "${good%.*}" \
		"${good%.*}." "$(printf '%09000d' 0).a.b"; do
		printf '%s' "$token" >"$keys/bad.jwt"
		ask bad alice@example.net -k "$keys/jwks"
		assertEquals "$token: $(cat "$T/log")" 1 "$code"
	done
	ask good alice@example.net -k "$keys/jwks"
	assertEquals "$(cat "$T/log")" 0 "$code"
	for user in '' alice ALICE@example.net alice@example.net.; do
		ask good "$user" -k "$keys/jwks"
		assertEquals "$user: $(cat "$T/log")" 1 "$code"
	done
}

# A name that stands twice in an object: one reader takes the first value, another the last.
test_a_name_stands_once() {
	python3 - "$keys" <<-'END'
		import base64, subprocess, sys, time
		b64 = lambda d: base64.urlsafe_b64encode(d).rstrip(b'=')
		head = b64(b'{"alg":"RS256","kid":"rsa"}')
		for name, extra in ('once', b''), ('twice', b'"email":"bob@example.net",'):
		    body = b64(b'{"iss":"https://id.example.net","aud":"mail","exp":%d,%s"email":"alice@example.net"}' % (
		        time.time() + 3600, extra))
		    signature = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', sys.argv[1] + '/rsa.pem'],
		        input=head + b'.' + body, stdout=subprocess.PIPE, check=True).stdout
		    open('%s/%s.jwt' % (sys.argv[1], name), 'wb').write(head + b'.' + body + b'.' + b64(signature))
	END
	ask once alice@example.net -k "$keys/jwks"
	assertEquals "$(cat "$T/log")" 0 "$code"
	ask twice alice@example.net -k "$keys/jwks"
	assertEquals '1 jwt-check: S refused reason="unusable claims"' "$code $(cat "$T/log")"
}

test_a_name_without_a_domain_is_the_realms() {
	tokens <<-'END'
		short | ec | | {"preferred_username": "Alice"}
		long | ec | | {"preferred_username": "alice@evil.example"}
		empty | ec | | {"preferred_username": ""}
		verified | ec | | {"preferred_username": "alice", "email_verified": false}
	END
	while read -r token user expected; do
		ask "$token" "$user" -k "$keys/jwks" -n preferred_username -r Example.net
		assertEquals "$token $user: $(cat "$T/log")" "$expected" "$code"
	done <<-END
		short alice@example.net 0
		short alice 1
		short bob@example.net 1
		long alice@example.net 1
		long alice@evil.example 0
		empty @example.net 1
		verified alice@example.net 0
	END
}

test_scopes() {
	tokens <<-'END'
		usual | ec | |
		none | ec | | {"scope": null}
		part | ec | | {"scope": "mail.sender openid"}
		one | ec | | {"scope": "mail.send"}
		list | ec | | {"scope": ["mail.send", "openid"]}
		scp | ec | | {"scope": null, "scp": "openid mail.send"}
		scp-list | ec | | {"scope": null, "scp": ["openid", "mail.send"]}
		both | ec | | {"scope": "openid", "scp": "mail.send"}
		number | ec | | {"scope": 1}
	END
	while read -r token expected; do
		ask "$token" alice@example.net -k "$keys/jwks" -S 'mail.send openid'
		assertEquals "$token: $(cat "$T/log")" "$expected" "$code$(grep -o scope "$T/log")"
	done <<-END
		usual 0
		none 1scope
		part 1scope
		one 1scope
		list 0
		scp 0
		scp-list 0
		both 1scope
		number 1scope
	END
}

# The second of an expiry is too late, and that of a beginning is not too early.
test_times_to_the_second() {
	clock_starts || return 0
	chmod 644 "$T/clock"
	timed=$T/timed
	tokens "$BEGIN" <<-'END'
		exp0 | ec | | {"exp": "@0"}
		exp1 | ec | | {"exp": "@1"}
		exp-60 | ec | | {"exp": "@-60"}
		exp-59 | ec | | {"exp": "@-59"}
		half | ec | | {"exp": "@0.5"}
		nbf0 | ec | | {"nbf": "@0"}
		nbf1 | ec | | {"nbf": "@1"}
		nbf60 | ec | | {"nbf": "@60"}
		nbf61 | ec | | {"nbf": "@61"}
		iat60 | ec | | {"iat": "@60"}
		iat61 | ec | | {"iat": "@61"}
	END
	while read -r token leeway expected; do
		ask "$token" alice@example.net -k "$keys/jwks" $leeway
		assertEquals "$token $leeway: $(cat "$T/log")" "$expected" "$code"
	done <<-END
		exp0 -l0 1
		exp1 -l0 0
		half -l0 0
		exp-60 -l60 1
		exp-59 -l60 0
		exp-60 -l61 0
		nbf0 -l0 0
		nbf1 -l0 1
		nbf60 -l60 0
		nbf61 -l60 1
		iat60 -l60 0
		iat61 -l60 1
	END
	timed=
}

test_files_of_keys() {
	tokens <<-'END'
		rsa | rsa | |
		any-kid | rsa | {"kid": "what the server calls it"} |
		ec | ec | {"kid": null} |
		rsa2 | rsa2 | {"kid": "rsa"} |
	END
	printf '{"keys":[]}' >"$keys/empty.set"
	printf '{"keys":{}}' >"$keys/object.set"
	printf '{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}' >"$keys/short.set"
	printf '{"keys":[1,{"kty":1},{"kty":"RSA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}' >"$keys/odd.set"
	printf '{"kty":"RSA","kid":"a","kid":"b"}' >"$keys/twice.set"
	printf '{"keys":[' >"$keys/cut.set"
	python3 - "$keys" <<-'END'
		import json, sys
		d = sys.argv[1]
		key = json.load(open(d + '/rsa.jwk'))
		put = lambda name, *keys: json.dump({'keys': keys}, open('%s/%s.set' % (d, name), 'w'))
		put('enc', dict(key, use='enc'))
		put('alg', dict(key, alg='RS512'))
		put('ops', dict(key, key_ops=['encrypt']))
		put('same', dict(json.load(open(d + '/rsa2.jwk')), kid='rsa'), dict(key, kid='rsa'))
		put('nameless', key, dict(json.load(open(d + '/ec.jwk')), kid='ec'))
		put('oct', {'kty': 'oct', 'kid': 'rsa', 'k': key['n']})
	END
	chmod 644 "$keys"/*.set
	: >"$keys/none"
	while read -r token file expected; do
		ask "$token" alice@example.net -k "$keys/$file"
		assertEquals "$token $file: $(cat "$T/log")" "$expected" "$code"
	done <<-END
		rsa rsa.pub 0
		any-kid rsa.pub 0
		rsa rsa.crt 0
		rsa rsa.jwk 0
		any-kid rsa.jwk 0
		ec ec.pub 0
		ec ec.jwk 0
		ec rsa.pub 1
		rsa2 rsa.pub 1
		rsa rsa.pem 100
		rsa empty.set 100
		rsa object.set 100
		rsa twice.set 100
		rsa cut.set 100
		rsa none 100
		rsa missing 111
		rsa short.set 1
		rsa odd.set 1
		ec odd.set 1
		rsa enc.set 1
		rsa alg.set 1
		rsa ops.set 1
		rsa same.set 1
		rsa nameless.set 1
		ec nameless.set 0
		rsa oct.set 1
	END
	cp "$keys/jwks" "$keys/open"
	chmod 646 "$keys/open"
	ask rsa alice@example.net -k "$keys/open"
	assertEquals "100 jwt-check: S failed reason=\"$keys/open: everybody may write to it\"" "$code $(cat "$T/log")"
}

test_other_algorithms_by_option() {
	tokens <<-'END'
		ps256 | rsa:PS256 | |
		rs512 | rsa:RS512 | |
		es384 | ec384 | |
		es256 | ec | |
		es256-p384 | ec384 | {"alg": "ES256"} |
	END
	while read -r token file expected; do
		ask "$token" alice@example.net -k "$keys/$file" -A ' PS256  RS512 ES384'
		assertEquals "$token: $(cat "$T/log")" "$expected" "$code"
	done <<-END
		ps256 rsa.pub 0
		rs512 rsa.pub 0
		es384 jwks 0
		es256 jwks 1
	END
	ask es256-p384 alice@example.net -k "$keys/jwks"
	assertEquals '1 jwt-check: S refused reason="no such key"' "$code $(cat "$T/log")"
	for list in '' ' ' none HS256 'RS256 HS256' RS256,ES256 EdDSA rs256; do
		ask es256 alice@example.net -k "$keys/jwks" -A "$list"
		assertEquals "$list" 100 "$code"
	done
}

test_a_secret_is_for_hs_only() {
	tokens <<-'END'
		hs | secret | |
		hs512 | secret:HS512 | |
		wrong | secret~ | |
		rsa | rsa | |
		none | none | |
	END
	while read -r token expected; do
		ask "$token" alice@example.net -s "$keys/secret"
		assertEquals "$token: $(cat "$T/log")" "$expected" "$code"
	done <<-END
		hs 0
		hs512 1
		wrong 1
		rsa 1
		none 1
	END
	ask hs512 alice@example.net -s "$keys/secret" -A 'HS256 HS512'
	assertEquals "$(cat "$T/log")" 0 "$code"
	ask rsa alice@example.net -s "$keys/secret" -A RS256
	assertEquals 100 "$code"
	ask hs alice@example.net -s "$keys/secret" -k "$keys/jwks"
	assertEquals 100 "$code"
	ask hs alice@example.net
	assertEquals 100 "$code"
	printf '%031d\n' 0 >"$keys/short"
	ask hs alice@example.net -s "$keys/short"
	assertEquals 'readable for everybody' 100 "$code"
	$as_nobody jwt-check $rules -s "$keys/short" 3<"$T/asked" 2>/dev/full
	assertEquals 'and the log is full' 100 $?
	chmod 640 "$keys/short"
	[ "$(id -u)" -ne 0 ] || chgrp nogroup "$keys/short"
	ask hs alice@example.net -s "$keys/short"
	assertEquals "100 jwt-check: S misuse reason=\"$keys/short: shorter than 32 octets\"" "$code $(cat "$T/log")"
}

# The interface of checkpassword: what is asked comes from descriptor 3, and the next program is started if it is right.
test_descriptor_3() {
	tokens <<-'END'
		good | ec | |
		bad | ec~ | |
	END
	ask good alice@example.net -k "$keys/jwks" sh -c 'echo here; ls /proc/self/fd | wc -l; exit 7'
	assertEquals '7 here' "$code $(head -n 1 "$T/out")"
	ask bad alice@example.net -k "$keys/jwks" echo here
	assertEquals '1 ' "$code $(cat "$T/out")"
	ask good alice@example.net -k "$keys/jwks" "$T/nothing"
	assertEquals 111 "$code"
	good=$(cat "$keys/good.jwt")
	for what in '' 'alice@example.net' 'alice@example.net\0' "alice@example.net\\0$good" "alice@example.net\\0$good\\0" \
		"alice@example.net\\0$good\\0001" "alice@example.net\\0$good\\0$(printf '%016384d' 0)\\0"; do
		printf "$what" >"$T/asked"
		$as_nobody jwt-check $rules -k "$keys/jwks" 3<"$T/asked" 2>"$T/log"
		code=$?
		assertEquals "$what: $(cat "$T/log")" 100 "$code"
	done
	$as_nobody jwt-check $rules -k "$keys/jwks" 3<&- 2>"$T/log"
	assertEquals 'none' "100 jwt-check: S misuse reason=\"descriptor 3: not what authd -o writes\"" "$? $(cat "$T/log")"
	$as_nobody jwt-check $rules -k "$keys/jwks" 3<"$T" 2>"$T/log"
	assertEquals 'a directory' '111 jwt-check: S failed reason="descriptor 3 cannot be read"' "$? $(cat "$T/log")"
	MSA_SANDBOX=some ask good alice@example.net -k "$keys/jwks"
	assertEquals '100 jwt-check: S misuse reason="MSA_SANDBOX is neither require nor off"' "$code $(cat "$T/log")"
	printf "alice@example.net\\0$good\\0\\0" >"$T/asked"
	$as_nobody jwt-check $rules -k "$keys/jwks" 3<"$T/asked" 2>"$T/log"
	code=$?
	assertEquals "an empty time: $(cat "$T/log")" 0 "$code"
}

# What was taken over and then ended by its sandbox has not said that the token is right.
test_a_process_that_was_ended_says_nothing() {
	needs plain landlock2 || return 0
	preload_build inside || return 0
	tokens <<-'END'
		good | ec | |
	END
	program_lines taken "export LD_PRELOAD='$T/inside.so' TRY=fork TRY_IN=jwt-check TRY_FORKED=1" 'exec "$@"'
	timed=$T/taken
	ask good alice@example.net -k "$keys/jwks"
	timed=
	assertEquals '111 jwt-check: S failed reason="the process that looks at descriptor 3 was ended"' "$code $(cat "$T/log")"
}

test_what_cannot_be_asked_for() {
	tokens <<-'END'
		good | ec | |
	END
	$as_nobody jwt-check -k "$keys/jwks" -a mail 2>"$T/log"
	assertContains "$? $(cat "$T/log")" '100 usage: jwt-check '
	$as_nobody jwt-check -k "$keys/jwks" -i x 2>"$T/log"
	assertContains "$? $(cat "$T/log")" '100 usage: jwt-check '
	for option in -l3601 -l-1 -lx -x; do
		ask good alice@example.net -k "$keys/jwks" "$option"
		assertEquals "$option" 100 "$code"
	done
	rules="$rules $(text_repeat 14 '-a x ')"
	ask good alice@example.net -k "$keys/jwks" -a last
	assertEquals "$(cat "$T/log")" 0 "$code"
	ask good alice@example.net -k "$keys/jwks" -a last -a more
	assertEquals 100 "$code"
	rules='-i https://id.example.net -a mail'
	needs root || return 0
	as_nobody=
	ask good alice@example.net -k "$keys/jwks"
	as_nobody='setpriv --reuid nobody --regid nogroup --clear-groups'
	assertEquals '100 jwt-check: S misuse reason="not run as root"' "$code $(cat "$T/log")"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
