# shellcheck shell=sh
# shellcheck disable=SC2034
# For the tests with Dovecot's LMTP server below $T/d: start it once, and say where it cannot be.
# ISC licence, see LICENSE.

# $socket, the same server at $tcp, and $ready is set; or, where there is no such server here, $ready is empty.
dovecot_start() {
	chmod 755 "$T" # Dovecot's processes are not root
	ready=
	[ "$(id -u)" -eq 0 ] && [ -x /usr/lib/dovecot/lmtp ] || return 0
	dovecot-lmtp start "$T/d" >"$T/addresses" || {
		fail 'Dovecot does not start'
		return 0
	}
	ready=1
	socket=$(sed -n 1p "$T/addresses")
	tcp=$(sed -n 2p "$T/addresses")
}

dovecot_stop() {
	[ -z "$ready" ] || dovecot-lmtp stop "$T/d"
	ready=
}

# A test begins with it: dovecot_ready || return 0
dovecot_ready() {
	needs root /usr/lib/dovecot/lmtp && [ -n "$ready" ]
}
