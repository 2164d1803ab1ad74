#!/bin/sh
# What mutt, s-nail and Dovecot show as the authors of the messages in DIRECTORY/md, a Maildir.
# usage: read.sh directory; writes directory/mutt, directory/s-nail, directory/dovecot. Anybody must be able to search the
# directory: Dovecot does not read mail as root. ISC licence, see LICENSE.
set -eu
dir=$1
tools=$(dirname "$0")
export HOME="$dir" LANG=C.UTF-8 LC_ALL=C.UTF-8
mkdir -p "$dir/Mail"

# s-nail shows the sender as an address, or by the name; a third time it says which message has which number.
for show in 'address|-Snoshowname|%-250f' 'name|-Sshowname|%-250f' 'subject|-Snoshowname|%s'; do
	variable=${show#*|}
	COLUMNS=400 s-nail -n "${variable%|*}" -S headline="%m|${show##*|}" -R -H -f "$dir/md" 2>/dev/null | sed "s/^/${show%%|*}/"
done | "$tools/fields" take s-nail "$dir"

# mutt needs a terminal: one with room for 500 lines, which is read when its last line is there.
cat >"$dir/muttrc" <<-'MUTTRC'
	set index_format="%4C|%s|%a|%F|%n."
	set sort=mailbox-order help=no mail_check=0 assumed_charset=utf-8 charset=utf-8 wrap_search=no menu_context=0
	set menu_scroll=no status_format="-"
MUTTRC
terminal() {
	tmux -f /dev/null -S "$dir/terminal" "$@"
}
count=$(find "$dir/md/cur" -type f | wc -l)
terminal new-session -d -x 400 -y 503 mutt -n -R -F "$dir/muttrc" -f "$dir/md"
last=0
while [ "$last" -lt "$count" ]; do
	last=$((last + 500))
	[ "$last" -le "$count" ] || last=$count
	terminal send-keys "$last" Enter
	tries=0
	until terminal capture-pane -p >"$dir/screen" && grep -q "^ *$last|" "$dir/screen"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || exit 1
		sleep 0.1
	done
	cat "$dir/screen"
done | "$tools/fields" take mutt "$dir"
terminal kill-server

# Dovecot's ENVELOPE.
printf '%s\n' "base_dir=$dir/b" log_path=/dev/stderr ssl=no "mail_location=maildir:$dir/md:INDEX=MEMORY" >"$dir/dovecot.conf"
set -- doveadm -c "$dir/dovecot.conf" fetch 'imap.envelope' all
if [ "$(id -u)" -eq 0 ]; then
	chown -R nobody "$dir/md"
	set -- setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$dir/md" USER=nobody "$@"
fi
"$@" | "$tools/fields" take dovecot "$dir"
