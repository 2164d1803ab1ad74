#!/bin/sh
# Only what talks TLS links libtls, only what checks passwords libsasl2: a fault in one cannot be reached through
# another stage. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

BIN=${MSA_BIN:-$ROOT/bin}

# A line for each program of cmd/ and each library that it links, as built: "authd libtls.so.26 => ...".
oneTimeSetUp() {
	for dir in "$ROOT"/cmd/*/; do
		name=$(basename "$dir")
		[ ! -x "$BIN/$name" ] || ldd "$BIN/$name" 2>/dev/null | sed "s/^[[:space:]]*/$name /"
	done >"$T/libraries"
}

# usage: linked library ; the programs that link it
linked() {
	sed -n "s|^\([^ ]*\) $1.*|\1|p" "$T/libraries" | sort -u
}

# usage: only_in "names that may" names that do...
only_in() {
	may=$1
	shift
	for name; do
		case " $may " in
		*" $name "*) ;;
		*) fail "$name" ;;
		esac
	done
	assertTrue 'looked at some' "[ $(ls "$BIN" | wc -l) -gt 0 ]"
}

# The names here are the whole list. An injector links neither library: what it needs of them is a program of its own,
# tlsc and saslc, so that one without TLS starts as fast as ever.
test_only_tlsd_and_tlsc_link_libtls() {
	# shellcheck disable=SC2046
	only_in 'tlsd tlsc' $(linked libtls)
	for name in tlsd tlsc; do
		[ ! -x "$BIN/$name" ] || assertEquals "$name" "$(linked libtls | grep -x "$name")"
	done
}

# Of the stages of a message only dkim-sign, and encrypt, which verifies a digest. (libsasl2 and libtls link it too)
test_libcrypto_stays_with_secrets() {
	# shellcheck disable=SC2046
	only_in 'authd dkim-sign encrypt jwt-check msa-passwd msa-penalty msa-table saslc tlsd tlsc' $(linked libcrypto)
	[ ! -x "$BIN/dkim-sign" ] || assertEquals dkim-sign "$(linked libcrypto | grep -x dkim-sign)"
}

test_only_encrypt_links_gpgme() {
	# shellcheck disable=SC2046
	only_in encrypt $(linked libgpgme)
	[ ! -x "$BIN/encrypt" ] || assertEquals encrypt "$(linked libgpgme)"
}

# What reads tokens is not what reads passwords.
test_only_jwt_check_links_libjose() {
	for library in libjose libjansson; do
		# shellcheck disable=SC2046
		only_in jwt-check $(linked $library)
		[ ! -x "$BIN/jwt-check" ] || assertEquals jwt-check "$(linked $library)"
	done
}

# It prepares names and passwords (RFC 4013).
test_only_what_takes_names_of_users_links_libidn() {
	# shellcheck disable=SC2046
	only_in 'authd msa-lock msa-passwd msa-penalty msa-table' $(linked 'libidn\.so')
	[ ! -x "$BIN/authd" ] || assertEquals authd "$(linked 'libidn\.so' | grep -x authd)"
}

test_only_rewrite_and_the_process_of_several_stages_link_c_ares() {
	# shellcheck disable=SC2046
	only_in 'inline msa-table rewrite' $(linked libcares)
	[ ! -x "$BIN/rewrite" ] || assertEquals rewrite "$(linked libcares | grep -x rewrite)"
}

test_only_authd_and_saslc_link_libsasl2() {
	# shellcheck disable=SC2046
	only_in 'authd saslc' $(linked libsasl2)
	for name in authd saslc; do
		[ ! -x "$BIN/$name" ] || assertEquals "$name" "$(linked libsasl2 | grep -x "$name")"
	done
}

test_an_injector_links_the_c_library_alone() {
	for name in lmtp-inject smtp-inject; do
		[ -x "$BIN/$name" ] || continue
		assertEquals "$name" '' "$(grep "^$name .*=>" "$T/libraries" | grep -v -e 'libc\.so' -e 'lib[a-z]*san\.so' -e 'libm\.so' \
			-e libgcc_s -e 'libstdc' -e libdl -e libpthread -e librt)"
	done
}

test_password_hashing_stays_with_the_password_store() {
	# shellcheck disable=SC2046
	only_in 'authd msa-passwd msa-table' $(linked libcrypt.so)
}

. "$SHUNIT2"
