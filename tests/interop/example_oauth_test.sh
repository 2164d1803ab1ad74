#!/bin/sh
# examples/oauth: the script replaces the keys by others that can be used, and by nothing else.
# ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

oneTimeSetUp() {
	jwt keys "$T/keys"
	mkdir "$T/site"
	chmod 755 "$T" "$T/keys"
	chmod 777 "$T/site"
	chmod 644 "$T/keys/jwks" "$T/keys/ec.jwk"
	as_nobody=
	[ "$(id -u)" -ne 0 ] || as_nobody='setpriv --reuid nobody --regid nogroup --clear-groups'
	export PROTO='=file' # without a network
}

# usage: fetch file
fetch() {
	$as_nobody "$ROOT/examples/oauth/fetch-keys" "file://$1" "$T/site/jwks" >"$T/out" 2>&1
	code=$?
}

test_keys_are_replaced_by_keys() {
	fetch "$T/keys/jwks"
	assertEquals "$(cat "$T/out")" 0 "$code"
	assert_same 'the keys' "$T/keys/jwks" "$T/site/jwks"
	assertEquals 644 "$(stat -c %a "$T/site/jwks")"
	fetch "$T/keys/ec.jwk"
	assertEquals "$(cat "$T/out")" 0 "$code"
	assert_same 'other keys' "$T/keys/ec.jwk" "$T/site/jwks"
}

test_the_old_keys_stay_if_there_are_none() {
	fetch "$T/keys/jwks"
	printf '<html>maintenance</html>' >"$T/page"
	printf '{"keys":[]}' >"$T/empty"
	chmod 644 "$T/page" "$T/empty"
	for file in "$T/page" "$T/empty" "$T/keys/rsa.pem" "$T/missing"; do
		fetch "$file"
		assertNotEquals "$file" 0 "$code"
		assert_same "$file" "$T/keys/jwks" "$T/site/jwks"
	done
	assertEquals 'nothing else is left' jwks "$(ls "$T/site")"
	unset PROTO
	fetch "$T/keys/jwks"
	assertNotEquals 'https only' 0 "$code"
}

# shellcheck disable=SC1090
. "$SHUNIT2"
