#!/bin/sh
# msa-conf: write the services of a mail submission chain from one line of words. Its page is msa-conf(8).
# In this order: options; the three files that say what the service is (settings, chain, env); the plan, which plan.awk
# makes of the chain; the services as files (supervisors.sh); the comparison that keeps what was edited; the check
# (check.sh); users, directories and tables; what to do now.
# ISC licence, see LICENSE.
set -eu
umask 022
LC_ALL=C
export LC_ALL
version=@VERSION@

say() {
	printf 'msa-conf: %s\n' "$*" >&2
}

# usage: die code text ...
die() {
	code=$1
	shift
	if [ -n "$check" ] && [ "$code" -eq 100 ]; then
		finding error "$*"
		exit 1
	fi
	say "$*"
	exit "$code"
}

# What msa-conf check has found. usage: finding error|warning|note text ...
finding() {
	level=$1
	shift
	[ "$level" != note ] || [ -z "$quiet" ] || return 0
	[ "$level" = note ] || found=1
	printf '%s: %s\n' "$level" "$*"
}

usage() {
	printf '%s %s %s\n' 'usage: msa-conf [-nqS] -s style [-l lmtp] [-m maildirs] [-r smarthost] [-a address]' \
		'[-c cert -k key] [-h host] [-p starttls:tls] directory domain' '| [-n] directory | check [-nq] [directory]'
}

misuse() {
	usage >&2
	exit 100
}

check='' ask='' quiet='' found=''
case "$# ${1:-}" in
'1 --version')
	echo "msa-conf (ucspi-msa) $version"
	exit 0
	;;
'1 --help')
	usage
	echo 'The page is msa-conf(8).'
	exit 0
	;;
esac
dry='' queue='' self='' style='' lmtp='' maildirs='' smarthost='' address='' cert='' key='' host='' ports='' options=''
if [ "${1:-}" = check ]; then
	shift
	while getopts nq letter; do
		case $letter in
		n) ask=1 ;;
		q) quiet=1 ;;
		*) misuse ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -le 1 ] || misuse
	set -- "${1:-/etc/msa}"
	check=1 dry=1 OPTIND=1
fi
while getopts nqSs:l:m:r:a:c:k:h:p: letter; do
	case $letter in
	n) dry=1 ;;
	q) queue=1 ;;
	S) self=1 ;;
	s) style=$OPTARG ;;
	l) lmtp=$OPTARG ;;
	m) maildirs=$OPTARG ;;
	r) smarthost=$OPTARG ;;
	a) address=$OPTARG ;;
	c) cert=$OPTARG ;;
	k) key=$OPTARG ;;
	h) host=$OPTARG ;;
	p) ports=$OPTARG ;;
	*) misuse ;;
	esac
	[ "$letter" = n ] || options=1
done
shift $((OPTIND - 1))
[ $# -eq 1 ] || [ $# -eq 2 ] || misuse
dir=${1%/} domain=${2:-}
[ $# -eq 2 ] || [ -z "$options" ] || die 100 "options but -n describe a new service: give the domain after the directory"

# What goes unquoted into a line of a file, here and at each supervisor. usage: plain what value
plain() {
	case $2 in
	'' | *[!]A-Za-z0-9_@%+=:,./[-]*) die 100 "$1: '$2' is empty, or has a character that is not one of A-Z a-z 0-9 _ @ % + = : , . / [ ] -" ;;
	esac
}

# usage: absolute what path
absolute() {
	plain "$1" "$2"
	case $2 in
	/*) ;;
	*) die 100 "$1: $2 is not an absolute path: services do not start where you are" ;;
	esac
}

absolute directory "$dir"
base=${dir##*/}
case $base in
'' | [!a-z]* | *[!a-z0-9-]*) die 100 "directory: the last part of $dir is the name of the service: small letters, digits and -" ;;
esac
bin=$(cd "$(dirname "$0")" && pwd)
root=''
[ "$(id -u)" -ne 0 ] || root=1
work=$(mktemp -d "${TMPDIR:-/tmp}/msa-conf.XXXXXX") || exit 111
trap 'rm -rf "$work"' EXIT
trap 'exit 111' HUP INT TERM
us=$(printf '\037')

# What msa-conf writes is made here first.
mkdir -p "$work/new/services"
new=$work/new

# Whether a file of the service differs from what msa-conf wrote last. usage: edited file
edited() {
	[ -e "$dir/$1" ] || return 1
	! grep -qxF "$(cksum <"$dir/$1") $1" "$dir/written" 2>/dev/null
}

# The file that counts: what was edited, or else the new text. usage: source_of file
source_of() {
	if [ -f "$new/$1" ] && ! edited "$1"; then
		echo "$new/$1"
	else
		echo "$dir/$1"
	fi
}

# Take what the file settings says into the variables of these names; others are the users of single services.
read_settings() {
	style='' address='' port='' port_tls='' users='' bin='' run='' log='' others=''
	while IFS= read -r line; do
		case $line in
		style=* | address=* | port=* | port_tls=* | users=* | bin=* | run=* | log=*) eval "${line%%=*}=\${line#*=}" ;;
		user.*) others="$others${line#user.} " ;;
		esac
	done <"$1"
}

### The three files that say what the service is

# Files and directories of a service in /etc are where the system wants them; any other directory holds all of them.
case $dir in
/etc/"$base") run=/run/$base lib=/var/lib/$base log=/var/log/$base spool=/var/spool/$base ;;
*) run=$dir/run lib=$dir/lib log=$dir/log spool=$dir/spool ;;
esac

if [ -n "$domain" ]; then
	case $style in
	systemd | s6 | runit | daemontools | tcpserver) ;;
	'') die 100 "-s is missing: systemd, s6, runit, daemontools or tcpserver" ;;
	*) die 100 "-s: $style is not one of systemd, s6, runit, daemontools, tcpserver" ;;
	esac
	plain domain "$domain"
	case $domain in
	*.*) ;;
	*) die 100 "domain: $domain has no dot: qualify needs a domain of two labels or more" ;;
	esac
	[ -n "$lmtp$maildirs$smarthost" ] || die 100 "where to? Give -l, -r, both, or -m"
	[ -z "$maildirs" ] || [ -z "$lmtp$smarthost" ] || die 100 "-m goes with neither -l nor -r"
	[ -z "$queue" ] || [ -n "$smarthost" ] || die 100 "-q is for a smarthost (-r): an LMTP server and Maildirs are here"
	[ "$style" != tcpserver ] || [ -z "$lmtp" ] || [ -z "$smarthost" ] ||
		die 100 "-l with -r needs resident stages, which -s tcpserver does not have"
	[ -z "$lmtp" ] || plain -l "$lmtp"
	[ -z "$smarthost" ] || plain -r "$smarthost"
	[ -z "$maildirs" ] || absolute -m "$maildirs"
	case ${host:-$(hostname -f 2>/dev/null || :)} in
	*.*) host=${host:-$(hostname -f)} ;;
	*) host=${host:-mail.$domain} ;;
	esac
	plain -h "$host"
	ports=${ports:-587:465}
	case $ports in
	*[!0-9:]* | *:*:* | :) die 100 "-p: $ports is not PORT:PORT, the ports of STARTTLS and of TLS; one of them may be missing" ;;
	*:*) ;;
	*) die 100 "-p: $ports is not PORT:PORT, the ports of STARTTLS and of TLS; one of them may be missing" ;;
	esac
	address=${address:-0}
	plain -a "$address"
	if [ -n "$cert$key" ]; then
		[ -n "$cert" ] && [ -n "$key" ] || die 100 "-c and -k go together"
		[ -z "$self" ] || die 100 "-S makes a certificate, and -c names one: give one of them"
		absolute -c "$cert"
		absolute -k "$key"
		for file in "$cert" "$key"; do
			[ -r "$file" ] || die 100 "$file cannot be read"
		done
	else
		cert=$dir/cert.pem key=$dir/key.pem
		[ -n "$self" ] || { [ -e "$cert" ] && [ -e "$key" ]; } ||
			die 100 "no certificate: give -c and -k, or -S for a self-signed one, which mail programs warn of"
	fi

	users=''
	[ -z "$root" ] && [ "$style" != systemd ] || users=$base-
	cat >"$new/settings" <<-S
		# What msa-conf was told about the machine. Change it here, then run: msa-conf $dir
		# style is the supervisor. address and the ports are where tlsd listens; an empty port leaves that service out.
		# users begins the name of each stage's user; empty: all stages are the user who starts them.
		# user.NAME=USER gives the service NAME another user. bin has the programs.
		style=$style
		address=$address
		port=${ports%:*}
		port_tls=${ports#*:}
		users=$users
		bin=$bin
		run=$run
		log=$log
	S

	# A resident injector keeps what the one next hop offers in a file. Two next hops, Maildirs, or nobody who asks while
	# no message comes: then a list of what can be done in any case. bounce, and spoold, do DSN themselves.
	ehlo=8BITMIME offers=$lib/offers/next
	[ -z "$maildirs" ] || ehlo=8BITMIME,SMTPUTF8
	if [ "$style" = tcpserver ] || [ -n "$maildirs" ] || { [ -n "$lmtp" ] && [ -n "$smarthost" ]; }; then
		offers=''
	else
		ehlo=@$offers
	fi
	[ -z "$lmtp" ] || [ -z "$smarthost" ] || [ -n "$queue" ] || ehlo=$ehlo,DSN
	[ -z "$queue" ] || ehlo=$ehlo,DSN,DELIVERBY
	cat >"$new/env" <<-S
		# What is true of the whole site. It goes with each call, so only the first stage reads it. NAME=value, no quotes.
		# The name in greetings, Received fields and Message-IDs:
		MSA_HOST=$host
		# The largest message, in octets:
		DATABYTES=50000000
		# What clients are offered: keywords, and @FILE for those that an injector has learned of the next hop (its -o):
		MSA_EHLO=$ehlo
	S

	local='' branch='' behind=''
	relay="smtp-inject ${offers:+-o $offers }$smarthost"
	[ -z "$lmtp" ] || local="lmtp-inject ${offers:+-o $offers }$lmtp"
	[ -z "$maildirs" ] || local="maildir-inject $maildirs"
	if [ -z "$smarthost" ]; then
		end=$local
	elif [ -n "$local" ]; then
		routes="route -t $dir/routes.cdb"
		branch="lmtp: $local"
		end="bounce $routes $relay"
		if [ -n "$queue" ]; then
			end="$routes spool $spool"
			behind="spoold -r '$routes call $run/smtp-inject/socket' $spool $relay"
		fi
	else
		end="$relay"
		if [ -n "$queue" ]; then
			end="spool $spool"
			behind="spoold $spool $relay"
		fi
	fi
	{
		cat <<-S
			# The chain, from the client to the delivery: chain(7). Change it, then run: msa-conf $dir
			# Each stage becomes a service with a user of its own. msa-conf adds -l, -R, -U and the -A of the caller; it adds
			# -P, and tlsd's -a, -e and -m, if they are not here. A line that ends with a backslash goes on in the next one.
			# "NAME: words" is a chain of its own, which begins at $run/NAME/socket; route's table may name it.
		S
		echo "tlsd -g $lib/penalties -c $cert -k $key authd -g $lib/penalties -u $dir/users.cdb submitd" \
			"limit -d $lib/limit -r 200/3600 -r 1000/86400 qualify -d $domain rights -s $dir/senders.cdb stamp $end"
		[ -z "$branch" ] || echo "$branch"
		[ -z "$behind" ] || echo "$behind"
	} >"$new/chain"
elif [ ! -f "$dir/settings" ] || [ ! -f "$dir/chain" ]; then
	die 100 "$dir has no settings and chain: give -s, where to, and the domain, and they are written"
fi

read_settings "$(source_of settings)"
for name in bin run log; do
	eval "absolute settings:\ $name \"\$$name\""
done
case $port$port_tls in
*[!0-9]*) die 100 "settings: port and port_tls are numbers" ;;
'') die 100 "settings: port and port_tls are both empty" ;;
esac
case $style in
systemd | s6 | runit | daemontools | tcpserver) ;;
*) die 100 "settings: style is systemd, s6, runit, daemontools or tcpserver" ;;
esac

### The plan: a row for each service, each directory and each table

cat >"$work/plan.awk" <<'A'
@plan.awk@
A

# The plan, with words quoted as systemd or the shell reads them. usage: plan quoting >file
plan() {
	awk -v style="$style" -v quoting="$1" -v users="$users" -v run="$run" -v port="$port" -v port_tls="$port_tls" \
		-v others="$others" -f "$work/plan.awk" "$(source_of chain)" 2>"$work/errors"
}

plan "$style" >"$work/plan" || die 100 "$(cat "$work/errors")"

if [ -n "$root" ] && [ -z "$users" ]; then
	die 100 "settings: users is empty, and root would run every stage: give a prefix such as $base-"
fi

### The services, as files

from="msa-conf made this file from $dir/chain: change that line and run msa-conf $dir."
services='' people=''

. ./supervisors.sh

logger=${users}log
joint='\\\n\t'
while IFS=$us read -r row name prog kind user callers own goes flags where; do
	case $row in
	S) [ -z "$user" ] || people="$people $user" ;;
	X) [ -z "$users" ] || people="$people ${users}tls ${users%-}" ;;
	esac
	case $row:$name:$kind in
	S:*:tlsd)
		[ -z "$port" ] || service "$name" "$address:$port"
		if [ -n "$port_tls" ]; then
			case " $own " in
			*' -i '*) ;;
			*) own="-i $own" ;;
			esac
			service "${name}-implicit" "$address:$port_tls"
		fi
		;;
	S:*) service "$name" '' ;;
	X:submission:*)
		[ -z "$port" ] || script submission "$address $port" "$prog"
		[ -z "$port_tls" ] || script submissions "$address $port_tls" "tlsd -i${prog#tlsd}"
		;;
	X:spoold:*) script spoold '' "msa $prog" ;;
	esac
done <"$work/plan"
case $style in
s6 | runit | daemontools) [ -z "$users" ] || people="$people $logger" ;;
esac
# shellcheck disable=SC2086
people=$(printf '%s\n' $people | sort -u)
if [ -n "$people" ]; then
	{
		printf '# The users of the stages: systemd-sysusers %s\n' "$dir/sysusers.conf"
		for name in $people; do
			printf 'u %s - "mail submission"\n' "$name"
		done
	} >"$new/sysusers.conf"
fi

### What was edited stays

did=${dry:+would }
changed=''
cat "$dir/written" >"$work/before" 2>/dev/null || :
[ -n "$dry" ] || mkdir -p "$dir" || exit 111
case $style in
systemd) ;;
*) find "$new/services" -type f ! -name notification-fd -exec chmod 755 {} + ;;
esac
(cd "$new" && find . -type f | sed 's|^\./||' | sort) >"$work/files"
# shellcheck disable=SC2046
(cd "$new" && cksum $(cat "$work/files")) >"$work/sums"
# shellcheck disable=SC2046
[ ! -d "$dir" ] || (cd "$dir" && cksum $(cat "$work/files") $(sed '/^#/d' "$work/before" | cut -d ' ' -f 3) </dev/null) \
	>"$work/there" 2>/dev/null || :
touch "$work/there" "$work/written"

# What becomes of each file, a line each: what, name. The list of what was written goes to the file list. The three
# sources stay, whether they were given now or not.
awk -v list="$work/written" '
	/^#/ { next }
	FILENAME == ARGV[1] { was[$3] = $1 " " $2; next }
	FILENAME == ARGV[2] { is[$3] = $1 " " $2; next }
	{
		new[$3] = $1 " " $2
		if (!($3 in is)) print "write", $3
		else if (is[$3] == new[$3]) print "same", $3
		else if (($3 in was) && is[$3] == was[$3]) print "write", $3
		else {
			print "keep", $3
			if ($3 in was) print was[$3], $3 >list
			next
		}
		print new[$3], $3 >list
	}
	END {
		for (file in was) {
			if (file in new) continue
			if (file == "settings" || file == "chain" || file == "env") { print was[file], file >list; continue }
			if (!(file in is)) continue
			if (is[file] == was[file]) print "remove", file
			else { print "old", file; print was[file], file >list }
		}
	}' "$work/before" "$work/there" "$work/sums" | sort >"$work/actions"

### What to do: look, or write

. ./check.sh

if [ -n "$check" ]; then
	[ -f "$dir/env" ] || die 100 "$dir/env: missing; run msa-conf with all its options"
	[ -n "$root" ] || [ -z "$users" ] || finding note "not root: what the stages' users may do is not looked at"
	check_files
	check_places
	lines_of_words >"$work/lines"
	eval "ask_words '${quiet:+-q} ${ask:+-n}' $(cat "$work/lines")"
	check_running
	[ -z "$found" ] || exit 1
	exit 0
fi

while read -r what file; do
	case $what in
	same)
		[ -n "$dry" ] || [ ! -e "$dir/$file.new" ] || rm -f "$dir/$file.new"
		;;
	keep)
		say "${did}keep $file: it was edited; what msa-conf writes is $file.new"
		[ -n "$dry" ] || cp "$new/$file" "$dir/$file.new"
		;;
	old) say "${did}keep $file: it was edited; the chain needs it no more" ;;
	remove)
		say "${did}remove $file"
		changed="$changed $file"
		[ -n "$dry" ] || {
			rm -f "$dir/$file"
			(cd "$dir" && rmdir -p "$(dirname "$file")" 2>/dev/null || :)
		}
		;;
	write)
		[ -z "$dry" ] && [ ! -s "$work/before" ] || say "${did}write $file"
		changed="$changed $file"
		[ -n "$dry" ] || {
			case $file in
			*/*) [ -d "$dir/${file%/*}" ] || mkdir -p "$dir/${file%/*}" ;;
			esac
			cp "$new/$file" "$dir/$file.part"
			mv -f "$dir/$file.part" "$dir/$file"
			rm -f "$dir/$file.new"
		}
		;;
	esac
done <"$work/actions"
if [ -z "$dry" ]; then
	{
		echo '# What msa-conf wrote here, by cksum(1): a file that differs was edited, and stays.'
		sort -k 3 "$work/written"
	} >"$dir/written.part"
	mv -f "$dir/written.part" "$dir/written"
fi
[ -n "$dry" ] || [ -s "$work/before" ] || say "wrote $(wc -l <"$work/files") files in $dir"

# svscan starts the logger of a directory that is sticky.
[ -n "$dry" ] || [ "$style" != daemontools ] || chmod +t "$dir/services"/*/

### Users, directories, tables, certificate

missing=''
for name in $people; do
	id -u "$name" >/dev/null 2>&1 || missing="$missing $name"
done
if [ -n "$missing" ] && [ -z "$root" ]; then
	say "not root: these users are missing:$missing"
elif [ -n "$missing" ]; then
	say "${did}make the users$missing"
	if [ -n "$dry" ]; then
		:
	elif command -v systemd-sysusers >/dev/null; then
		systemd-sysusers "$dir/sysusers.conf" >&2 || die 111 "systemd-sysusers $dir/sysusers.conf failed"
	else
		for name in $missing; do
			useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin "$name" >&2 ||
				die 111 "useradd $name failed"
		done
	fi
fi

# usage: make_directory path user mode
make_directory() {
	[ ! -d "$1" ] || return 0
	say "${did}make the directory $1${2:+ for $2}"
	[ -z "$dry" ] || return 0
	if ! mkdir -p "$1" || ! chmod "$3" "$1"; then
		[ -z "$root" ] || exit 111
		say "not root: make the directory $1 yourself${2:+, for $2}"
		return 0
	fi
	[ -z "$root" ] || [ -z "$2" ] || chown "$2:" "$1" || exit 111
}

# An empty store of users: with the key that msa-passwd makes, and no user.
make_users() {
	"$bin/msa-passwd" -g -n first "$1" first@invalid >/dev/null && "$bin/msa-passwd" -d "$1" first@invalid
}

# An empty cdb: 256 empty tables, all at its end.
make_empty() {
	i=0
	while [ $i -lt 256 ]; do
		printf '\000\010\000\000\000\000\000\000'
		i=$((i + 1))
	done >"$1"
}

make_routes() {
	[ -z "$domain" ] || echo "$domain $run/lmtp/socket" >"${1%.cdb}"
	[ -e "${1%.cdb}" ] || : >"${1%.cdb}"
	"$bin/msa-table" routes "$1" "${1%.cdb}"
}

while IFS=$us read -r row name file mode _; do
	case $row in
	D) make_directory "$name" "$file" "$mode" ;;
	T)
		[ ! -e "$file" ] || continue
		say "${did}make the table $file"
		[ -n "$dry" ] || "make_$name" "$file" || exit 111
		;;
	esac
done <"$work/plan"
case $style in
s6 | runit | daemontools) make_directory "$log" "" 700 ;;
esac
[ -n "$dry" ] || [ ! -d "$log" ] || chmod 755 "$log"
if [ -n "$self" ] && [ ! -e "$cert" ]; then
	say "${did}make $cert, signed by itself: mail programs warn of it; put a real one in its place"
	if [ -z "$dry" ]; then
		(umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$host" \
			-addext "subjectAltName=DNS:$host" -keyout "$key" -out "$cert" 2>"$work/openssl") ||
			{ cat "$work/openssl" >&2; die 111 "openssl failed"; }
		chmod 644 "$cert"
	fi
fi

### What to do now

# The names of services in a list of files, each once, the last stage of the chain first. usage: names_of <files
names_of() {
	sed -n "s|^services/$base-\([^/]*\)\.[a-z]*\$|\1|p; s|^services/\([^/.]*\).*|\1|p" | awk -v services="$services" '
		{ is[$0] = 1 }
		END {
			for (i = split(services, name, " "); i > 0; i--) if (name[i] in is) { print name[i]; delete is[name[i]] }
			for (other in is) print other
		}'
}

old=" $(cut -d ' ' -f 3 "$work/before" | names_of | tr '\n' ' ')" now=" $(names_of <"$work/files" | tr '\n' ' ')"
added='' again='' gone=''
# shellcheck disable=SC2086
for name in $(printf '%s\n' $changed | names_of); do
	case $now:$old in
	*" $name "*:*" $name "*) again="$again $name" ;;
	*" $name "*:*) added="$added $name" ;;
	*) gone="$gone $name" ;;
	esac
done

# The units of services: what is started, or all. usage: units which name ...
units() {
	which=$1
	shift
	for name; do
		case $name:$which in
		spoold:* | *:service) printf ' %s-%s.service' "$base" "$name" ;;
		*:socket) printf ' %s-%s.socket' "$base" "$name" ;;
		*) printf ' %s-%s.socket %s-%s.service' "$base" "$name" "$base" "$name" ;;
		esac
	done
}

# What to do with some services, in the words of their supervisor. usage: hint text names command-for-each
hint() {
	[ -n "$2" ] || return 0
	say "$1:"
	# shellcheck disable=SC2086
	case $style:$3 in
	systemd:start)
		printf '    systemctl link %s\n' "$dir/services/*.service $dir/services/*.socket" >&2
		printf '    systemctl enable --now%s\n' "$(units socket $2)" >&2
		;;
	systemd:again) printf '    systemctl daemon-reload; systemctl restart%s\n' "$(units all $2)" >&2 ;;
	systemd:stop)
		# The unit that knows the socket's path is gone: systemd would not remove it.
		printf '    systemctl disable --now%s; rm -f%s\n' "$(units all $2)" "$(printf " $run/%s/socket" $2)" >&2
		;;
	tcpserver:*) printf '    %s\n' "$2" >&2 ;;
	*) printf '    for s in%s; do %s; done\n' "$2" "$(in_words "$3")" >&2 ;;
	esac
}

# usage: in_words start|again|stop
in_words() {
	at=$dir/services/\$s
	case $style:$1 in
	s6:start) echo "ln -s $at SCANDIR; s6-svscanctl -a SCANDIR" ;;
	s6:again) echo "s6-svc -r $at" ;;
	s6:stop) echo "s6-svunlink SCANDIR \$s; rm -r $at" ;;
	*:start) echo "ln -s $at /etc/service" ;;
	runit:again) echo "sv -w 130 restart $at" ;;
	runit:stop) echo "rm /etc/service/\$s; sv -w 130 exit $at; rm -r $at" ;;
	daemontools:again) echo "svc -t $at" ;;
	daemontools:stop) echo "rm /etc/service/\$s; svc -dx $at $at/log; rm -r $at" ;;
	esac
}

hint 'new services, to start in this order' "$added" start
hint 'changed services, to restart in this order' "$again" again
hint 'services that the chain no longer has, to stop after that' "$gone" stop
sed '/^[[:blank:]]*#/d; /^[[:blank:]]*$/d' "$(source_of chain)"
