#!/bin/sh
# What msa-conf writes when root runs it in /etc: users, owners, the system's ports. systemd itself runs it, and then the
# other supervisors, in a container that has our files and may change them. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"

# The script that runs in the container, as root. It prints a line for each thing that was looked at.
# usage: inside_text >file
inside_text() {
	cat <<'S'
PATH=/usr/local/msa/bin:/usr/sbin:/usr/bin:/sbin:/bin
export ASAN_OPTIONS=detect_leaks=0 # a search for leaks waits for ever where SIGCONT comes behind SIGTERM
ip link set lo up
cd /

# What msa-conf has said to do. usage: do_as_said text
do_as_said() {
	sed -n "/^msa-conf: $1/,/^msa-conf:/s/^    //p" /said | sed "s|SCANDIR|$scan|g; s|/etc/service|$scan|g" >/do
	sh /do >>/done 2>&1
}

# usage: submit port tls-option subject from
submit() {
	swaks --server 127.0.0.1 --port "$1" "$2" --auth PLAIN --auth-user alice@example.net --auth-password wonderland \
		--from "${4:-alice@example.net}" --to bob@example.net --h-Subject "$3" >/swaks 2>&1
}

# usage: accepted port tls-option subject ; while services start, again
accepted() {
	tries=0
	until submit "$1" "$2" "$3"; do
		tries=$((tries + 1))
		[ $tries -lt 60 ] || { echo "$style: no message: $(tail -n 3 /swaks)"; return; }
		sleep 0.5
	done
	echo "$style: $(cat "/srv/$style/bob@example.net/new"/* | sed -n "s/^Subject: \(.*$3\)/\1/p")"
}

# Each worker of a stage has a user of its own: the stages, as "user program".
users() {
	ps -e -o user:32= -o args= | grep "$etc/\|/run/m-$style/\|/srv/$style" | grep -v -e '^root' -e ' grep ' -e s6-log -e svlogd -e multilog |
		awk '{ sub(".*/", "", $2); if ($2 == "msa") $2 = $3; print $1, $2 }' | sort -u | tr '\n' ','
	echo -
}

# What msa-conf check says of a fault, as "exit code: finding; finding; ". usage: found fault [pattern]
found() {
	msa-conf check "$etc" >/findings 2>&1
	code=$?
	echo "$style: $1: $code: $(grep -e "${2:-.}" /findings | sort -u | tr '\n' ';')"
}

# Each fault is put into the running service, is found, and is taken away. usage: faults
faults() {
	chmod 644 "$etc/users.cdb" && found 'users that everybody reads' && chmod 600 "$etc/users.cdb"
	chown bob "$etc/chain" && found 'a chain of a user' && chown root "$etc/chain"
	chown bob "/srv/$style" && found 'a directory of somebody else' && chown "$(stat -c %U "/srv/$style/bob@example.net")" "/srv/$style"
	cp "$etc/cert.pem" /cert.pem && cp /other.pem "$etc/cert.pem" && found 'a certificate of another key' && cp /cert.pem "$etc/cert.pem"
	cp "$etc/users.cdb" /users.cdb && head -c 100 /users.cdb >"$etc/users.cdb" && found 'a table that is cut off' && cp /users.cdb "$etc/users.cdb"
	cp "$etc/chain" /chain
	sed -i 's/ stamp / stmap /' "$etc/chain" && found 'a misspelt word' 'no such program' && cp /chain "$etc/chain"
	sed -i 's/ stamp / stamp -Z /' "$etc/chain" && found 'an option that does not exist' && cp /chain "$etc/chain"
	systemctl stop '*qualify*'
	found 'a stage that is not running'
}

service() {
	date "+%T $1" >>/done
	style=$1 scan=/scan-$1 etc=/etc/m-$1
	mkdir "$scan"
	msa-conf -s "$style" -S -h mail.example.net -m "/srv/$style" "$etc" example.net >/line 2>/said || cat /said
	echo wonderland | msa-passwd "$etc/users.cdb" alice@example.net
	do_as_said 'new services'
	case $style in
	s6) s6-svscan "$scan" ;;
	runit) runsvdir -P "$scan" ;;
	daemontools) svscan "$scan" ;;
	tcpserver)
		"$etc/services/submission" 2>/log &
		"$etc/services/submissions" 2>>/log ;;
	*) true ;;
	esac >>/log 2>&1 &
	supervisor=$!
	accepted 587 -tls one
	accepted 465 -tlsc two
	submit 587 -tls three carol@example.net
	echo "$style: somebody else: $(sed -n 's/^<\*\* *\(550 5.7.1\).*/\1/p; s/^<~\* *\(550 5.7.1\).*/\1/p' /swaks)"
	echo "$style: users: $(users)"
	found 'check'
	echo "$style: secrets: $(stat -c '%U %a' "$etc/users.cdb" "$etc/key.pem" | tr '\n' ',')"
	if [ "$style" = systemd ] || [ "$style" = s6 ]; then
		sed -i "s/ stamp / filter -u 'sed \"s\/^Subject: \/\&[list] \/\"' stamp /" "$etc/chain"
		msa-conf "$etc" >/line 2>/said || cat /said
		do_as_said 'new services'
		[ "$style" = systemd ] || for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do [ -S "/run/m-$style/filter/socket" ] || sleep 0.5; done
		do_as_said 'changed services'
		accepted 587 -tls four
		sed -i "s/ filter .* stamp / stamp /" "$etc/chain"
		msa-conf "$etc" >/line 2>/said || cat /said
		do_as_said 'changed services'
		do_as_said 'services that the chain'
		accepted 587 -tls five
		found 'a stage less'
	fi
	case $style in
	systemd)
		faults
		echo "$style: failed: $(systemctl --failed --no-legend --plain)"
		systemctl disable --now $(ls "$etc/services") >>/done 2>&1
		;;
	runit) kill -HUP $supervisor ;;
	daemontools) kill $supervisor; svc -dx "$scan"/* "$scan"/*/log >>/done 2>&1 ;;
	tcpserver) kill $(pgrep -x tcpserver) ;;
	*) kill $supervisor ;;
	esac
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do pgrep -x tlsd >/dev/null || break; sleep 0.5; done
}

useradd bob 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -out /other.pem -days 400 -subj /CN=mail.example.net 2>/dev/null
for name in ${STYLES:-systemd s6 runit daemontools tcpserver}; do
	service $name
done
date +%T >>/done
S
}

# Runs in a mount namespace of its own, so that what it mounts ends with it. usage: container directory bin
container_text() {
	cat <<'C'
set -e
mount -t tmpfs t "$1/up"
mkdir "$1/up/u" "$1/up/w"
mount -t overlay o -o "lowerdir=/,upperdir=$1/up/u,workdir=$1/up/w" "$1/root"
root=$1/root
mkdir -p "$root/usr/local/msa/bin"
cp "$2"/* "$root/usr/local/msa/bin"
chmod 755 "$root/usr/local/msa/bin"/*
cp "$1/inside" "$root/inside"
cat >"$root/etc/systemd/system/inside.service" <<'U'
[Unit]
After=basic.target
Requires=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /inside
StandardOutput=file:/out
StandardError=file:/err
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=240
TimeoutStopSec=1
U
timeout 280 systemd-nspawn -q -D "$root" --register=no --keep-unit --private-network -M "msa-conf-$$" --boot \
	systemd.unit=inside.service </dev/null >"$1/nspawn.log" 2>&1 || :
cp "$root/out" "$root/err" "$root/done" "$1"
C
}

oneTimeSetUp() {
	needs root nspawn || return 0
	mkdir "$T/up" "$T/root" "$T/bin"
	for program in tlsd authd submitd qualify stamp maildir-inject msa msa-conf msa-check msa-passwd limit rights filter call rewind resident; do
		cp "$(command -v "$program")" "$T/bin"
	done
	inside_text >"$T/inside"
	container_text >"$T/container"
	unshare -m sh "$T/container" "$T" "$T/bin" >"$T/container.log" 2>&1
	[ -s "$T/out" ] || { cat "$T/container.log"; tail -n 20 "$T/nspawn.log"; fail 'the container does not start'; }
}

# What the container printed about a style. usage: container_says style
container_says() {
	sed -n "s/^$1: //p" "$T/out" >"$T/got"
}

# What holds for each style. Further lines are what a stage more and less have shown.
# usage: assert_works style users [line ...]
assert_works() {
	[ -s "$T/out" ] || return 0
	container_says "$1"
	{
		printf '%s\n' one two 'somebody else: 550 5.7.1' "users: $2-" 'check: 0: ' 'secrets: root 600,root 600,'
		shift 2
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$T/want"
	assert_same "$(cat "$T/err" "$T/done")" "$T/want" "$T/got"
}

# usage: residents prefix
residents() {
	printf '%s,' "$1-auth authd" "$1-inject maildir-inject" "$1-limit limit" "$1-qualify qualify" "$1-rights rights" \
		"$1-stamp stamp" "$1-submit submitd" "$1-tls tlsd"
}

test_systemd() {
	assert_works systemd "$(residents m-systemd)" '[list] four' five 'a stage less: 0: ' \
		'users that everybody reads: 1: error: authd: /etc/m-systemd/users.cdb: open to everybody; chmod o= makes it private;' \
		'a chain of a user: 1: error: /etc/m-systemd/chain: belongs to bob; chown root /etc/m-systemd/chain;' \
		"a directory of somebody else: 1: error: /srv/systemd: belongs to bob; chown m-systemd-inject: /srv/systemd;$(
		)error: maildir-inject: /srv/systemd: Permission denied; let the user who runs maildir-inject read it, and write to it if $(
		)it is a directory;" \
		"a certificate of another key: 1: error: tlsd: /etc/m-systemd/key.pem: does not fit /etc/m-systemd/cert.pem: failed to $(
		)load private key; name the key with which the certificate was made;" \
		'a table that is cut off: 1: error: authd: /etc/m-systemd/users.cdb: not a cdb; make it with msa-passwd;' \
		'a misspelt word: 1: error: resident: stmap: no such program; did you mean stamp?;' \
		'an option that does not exist: 1: error: chain, line 5: stamp: unknown option -Z;' \
		"a stage that is not running: 1: error: call: /run/m-systemd/qualify/socket: nobody listens there; start the resident $(
		)that listens there;" 'failed: '
}

test_s6() {
	assert_works s6 "$(residents m-s6)" '[list] four' five 'a stage less: 0: '
}

test_runit() {
	assert_works runit "$(residents m-runit)"
}

test_daemontools() {
	assert_works daemontools "$(residents m-daemontools)"
}

test_tcpserver() {
	assert_works tcpserver ''
}

# shellcheck source=/dev/null
. "$SHUNIT2"
