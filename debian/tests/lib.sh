# shellcheck shell=sh
# What the tests of the package share: a service in /etc/msa and a client. ISC licence, see LICENSE.
LC_ALL=C
export LC_ALL
mail=/srv/mail # where the service delivers: the administrator's, so it stays after a purge
tmp=${AUTOPKGTEST_TMP:-$(mktemp -d)}

# usage: die text ...
die() {
	echo "$*"
	journalctl -q --no-pager -n 40 -u 'msa-*' >&2
	exit 1
}

# What msa-conf has said to do, of which it says why. usage: do_as_said why <said
do_as_said() {
	sed -n "/^msa-conf: $1/,/^msa-conf:/s/^    //p" >"$tmp/do"
	[ -s "$tmp/do" ] || die "msa-conf does not say what to do with $1"
	sh -e "$tmp/do" >"$tmp/done" 2>&1 || die "a command that msa-conf printed fails: $(cat "$tmp/do" "$tmp/done")"
}

# A service for alice@example.net, as README.Debian describes it, if there is none. Its Maildirs are below $mail.
service() {
	[ ! -e /etc/msa/chain ] || return 0
	msa-conf -s systemd -S -h mail.example.net -m "$mail" /etc/msa example.net >"$tmp/line" 2>"$tmp/said" ||
		die "msa-conf: $(cat "$tmp/said")"
	echo wonderland | msa-passwd /etc/msa/users.cdb alice@example.net || die 'msa-passwd makes no user'
	do_as_said 'new services' <"$tmp/said"
}

# Submit a message to bob@example.net; the dialogue goes to standard output. usage: submit port tls-option subject [option ...]
submit() {
	port=$1 tls=$2 subject=$3
	shift 3
	swaks --server 127.0.0.1 --port "$port" "$tls" --timeout 60 --auth PLAIN --auth-user alice@example.net \
		--auth-password wonderland --from alice@example.net --to bob@example.net --h-Subject "$subject" "$@" 2>&1
}

# The subjects of what was delivered, a line each.
delivered() {
	find "$mail/bob@example.net/new" "$mail/bob@example.net/cur" -type f -exec awk '
		FNR == 1 { header = 1 } /^$/ { header = 0 } header && sub(/^Subject: /, "")' {} +
}

# Services run, and none has failed.
all_run() {
	[ -z "$(systemctl list-units --failed --no-legend 'msa-*')" ] || die "failed: $(systemctl --failed --no-legend)"
	[ -n "$(systemctl list-units --state=running --no-legend 'msa-*.service')" ] || die 'no service runs'
}
