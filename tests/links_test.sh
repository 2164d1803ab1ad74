#!/bin/sh
# Only what talks TLS links libtls, only what checks passwords libsasl2: a fault in one cannot be reached through
# another stage. ISC licence, see LICENSE.
. "$(dirname "$0")/lib.sh"

BIN=${MSA_BIN:-$ROOT/bin}

# usage: linked library ; the programs of cmd/ that link it, as built
linked() {
	for dir in "$ROOT"/cmd/*/; do
		name=$(basename "$dir")
		if [ -x "$BIN/$name" ] && ldd "$BIN/$name" 2>/dev/null | grep -q "^[[:space:]]*$1"; then
			echo "$name"
		fi
	done
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

# The names here are the whole list: an outgoing client that comes must be added by hand.
test_only_tlsd_and_outgoing_clients_link_libtls() {
	# shellcheck disable=SC2046
	only_in 'tlsd smtp-inject' $(linked libtls)
	[ ! -x "$BIN/tlsd" ] || assertEquals 'tlsd' "$(linked libtls | grep -x tlsd)"
}

test_only_authd_and_an_outgoing_client_link_libsasl2() {
	# shellcheck disable=SC2046
	only_in 'authd smtp-inject' $(linked libsasl2)
	[ ! -x "$BIN/authd" ] || assertEquals 'authd' "$(linked libsasl2 | grep -x authd)"
}

test_password_hashing_stays_with_the_password_store() {
	# shellcheck disable=SC2046
	only_in 'authd msa-passwd' $(linked libcrypt.so)
}

. "$SHUNIT2"
