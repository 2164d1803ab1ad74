#!/bin/sh
# msa-conf: write the services of a mail submission chain from one line of words. Its page is msa-conf(8).
# The parts: options; the three files that say what the service is (settings, chain, env); the plan, which awk makes of
# the chain; a writer for each kind of supervisor; the comparison that keeps what was edited; the check; users and directories.
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

# usage: setting name
setting() {
	sed -n "s/^$1=//p" "$settings" | sed -n '$p'
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
		echo "tlsd -c $cert -k $key authd -u $dir/users.cdb submitd limit -d $lib/limit -r 200/3600 -r 1000/86400" \
			"qualify -d $domain rights -s $dir/senders.cdb stamp $end"
		[ -z "$branch" ] || echo "$branch"
		[ -z "$behind" ] || echo "$behind"
	} >"$new/chain"
elif [ ! -f "$dir/settings" ] || [ ! -f "$dir/chain" ]; then
	die 100 "$dir has no settings and chain: give -s, where to, and the domain, and they are written"
fi

settings=$(source_of settings)
style=$(setting style) address=$(setting address) port=$(setting port) port_tls=$(setting port_tls)
users=$(setting users) bin=$(setting bin) run=$(setting run) log=$(setting log)
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
# Options that take an argument are followed by a colon, as for getopt(3); those of a resident are added. An operand is
# an argument that comes after the options. "end" stages have no next program.
function stage(name, kind, letters, operands) { kinds[name] = kind; options[name] = letters; operand[name] = operands }
function fail(text) { print "chain, line " line ": " text > "/dev/stderr"; failed = 1; exit 100 }
function quote(word) {
	if (word ~ /^[A-Za-z0-9_@+=:,.\/-]+$/) return word
	if (quoting == "systemd") {
		gsub(/\\/, "\\\\", word); gsub(/"/, "\\\"", word); gsub(/%/, "%%", word); gsub(/\$/, "$$", word)
		return "\"" word "\""
	}
	gsub(/'/, "'\\''", word)
	return "'" word "'"
}
# The words of a line, into w; returns their number.
function split_line(text,    n, c, in_word, q, i) {
	n = 0; in_word = 0; q = ""
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (q != "") { if (c == q) q = ""; else w[n] = w[n] c; continue }
		if (c == " " || c == "\t") { in_word = 0; continue }
		if (!in_word) { w[++n] = ""; in_word = 1 }
		if (c == "'" || c == "\"") q = c
		else w[n] = w[n] c
	}
	if (q != "") fail("a quote is not closed")
	return n
}
function service_name(word) {
	sub(/.*\//, "", word); sub(/\.[a-z]*$/, "", word); word = tolower(word); gsub(/[^a-z0-9-]/, "-", word)
	return word == "" ? "program" : word
}
function user_of(name,    short) {
	short = name
	if (short == "tlsd" || short == "tlsd-implicit") short = "tls"
	else if (short == "authd" || short == "submitd") sub(/d$/, "", short)
	else if (short == "spoold") short = "spool"
	else if (short ~ /-inject$/) short = "inject"
	if (name in other) return other[name]
	if (short == "spool" && ("spool" in other)) return other["spool"]
	if (users == "") return ""
	return users short
}
# Take the options of stage s from w[p] on. They go to S_words; what they mean is looked at here.
function take_options(s, word,    letters, text, i, c, at, arg) {
	letters = options[word] (word == "tlsd" || word == "spoold" ? "" : "A:C:P:")
	while (p <= n && w[p] ~ /^-./) {
		text = w[p]
		if (text == "--") { p++; break }
		for (i = 2; i <= length(text); i++) {
			c = substr(text, i, 1)
			if (word != "spoold" && index("lRU", c)) fail(word ": msa-conf sets -" c " itself")
			if (word == "spoold" && index("RU", c)) fail(word ": msa-conf sets -" c " itself")
			at = index(letters, c)
			if (c == ":" || !at) fail(word ": unknown option -" c)
			seen[s, c] = 1
			if (substr(letters, at + 1, 1) != ":") continue
			if (i < length(text)) arg = substr(text, i + 1)
			else if (p == n) fail(word ": -" c " needs an argument")
			else arg = w[p + 1]
			value[s, c] = arg
			if (i == length(text)) { add(s, text); text = w[++p] }
			break
		}
		add(s, text); p++
	}
}
function add(s, word) { own[s] = join(own[s], quote(word)) }
function directory(path, user, mode) { if (!made[path]++) print "D" us path us user us mode }
# A stage that inline runs in its process, or a program in a command, is a part of the words of stage h.
function absorb(h, s) {
	if (!site[s]) own[h] = join(own[h], prog[s])
	own[h] = join(own[h], own[s]); head[s] = h; user[s] = user[h]
}
function join(a, b) { return a == "" ? b : b == "" ? a : a " " b }
# One chain, w[p..n]. Its first stage is called label, or by its word.
function chain(label,    first, s, h, word, before, name, message) {
	first = 1; before = h = 0; message = label != ""
	while (p <= n) {
		word = w[p]
		if (word == "msa") { p++; continue }
		if (word == "call") {
			if (p + 1 != n) fail("call: one path, and nothing after it")
			if (!before) fail("call: no stage in front of it")
			outside[before] = w[n]; p = n + 1
			if (h) own[h] = join(own[h], "call " quote(w[n]))
			return
		}
		s = ++count; at_line[s] = line; own[s] = ""; prog[s] = word
		if (word == "inline") {
			if (h || w[p + 1] != "submitd") fail("inline: it stands once, directly in front of submitd")
			p++; word = "submitd"; prog[s] = "inline submitd"
		}
		name = label != "" && first ? label : service_name(word)
		if (word in kinds) {
			p++
			if (kinds[word] == "session" && message) fail(word ": a stage of a connection, behind submitd or in a chain with a name")
			if (kinds[word] != "session" && kinds[word] != "any" && !message) fail(word ": a stage of a message, and submitd is not in front of it")
			if (word == "spoold" && !first) fail("spoold: it begins a line of its own")
			if (word == "tlsd" && !first) fail("tlsd: it is the first word of its line")
			take_options(s, word)
			if (operand[word]) {
				if (p > n) fail(word ": an argument is missing at the end")
				place[s] = w[p]; add(s, w[p++])
			}
			if (word == "smtp-inject") while (p <= n) add(s, w[p++])
			if (word == "resume") {
				if (p > n && !seen[s, "x"]) fail(word ": a program is missing at the end")
				while (p <= n) add(s, w[p++])
				ended[s] = 1
			}
			if (kinds[word] == "end") {
				if (p <= n) fail(word ": it delivers, so nothing can follow: '" w[p] "'")
				ended[s] = 1
			}
			if (word == "submitd" || word == "spoold") message = 1
		} else {
			if (word ~ /^-/) fail((before ? prog[before] : "the first word") ": " word " is an option where a stage should be")
			if (word ~ /\// && word !~ /^\//) fail(word ": not an absolute path: services do not start where you are")
			site[s] = 1; prog[s] = "resident" (message ? "" : " -s")
			do add(s, w[p++]); while (p <= n && !(w[p] in kinds) && w[p] != "call" && w[p] != "inline" && w[p] != "msa")
			if (p > n) ended[s] = 1
		}
		kind[s] = word
		if (first && label == "" && word != "spoold" && word != "tlsd") fail("the chain begins with " word " and not with tlsd")
		if (h) absorb(h, s)
		else {
			if (++times[name] > 1) name = name "-" times[name]
			id[s] = name; user[s] = user_of(name)
			if (before) { next_of[before] = s; callers[s] = user[before] }
			else labelled[s] = label
		}
		if (prog[s] == "inline submitd") h = s
		before = s; first = 0
	}
	if (!before) fail("no words")
	if (!ended[before]) fail(prog[before] ": it is the last word, and a chain ends with lmtp-inject, smtp-inject, maildir-inject, spool, resume or a program of yours")
}
BEGIN {
	us = sprintf("%c", 31)
	stage("tlsd", "session", "a:c:e:ik:m:n:O:oP:p:q:r:s:t:v:x:y:", 0)
	stage("authd", "session", "a:c:Fm:ps:t:u:", 0); stage("submitd", "session", "bD:e:L:r:S:T:t:w:", 0)
	stage("resume", "session", "pt:x:", 0); stage("trace", "any", "mv", 0)
	stage("qualify", "message", "d:u:D:t:", 0); stage("rights", "message", "g:q:s:", 0)
	stage("limit", "message", "d:q:r:t:", 0); stage("stamp", "message", "ps", 0)
	stage("route", "message", "d:q:t:", 0); stage("bounce", "message", "df:k:q:", 0)
	stage("filter", "message", "t:u", 1)
	stage("lmtp-inject", "end", "i:sSa:c:F:f:h:kno:r:t:", 1); stage("smtp-inject", "end", "I:impa:c:F:f:h:kno:r:t:", 1)
	stage("maildir-inject", "end", "f:nr:", 1); stage("spool", "end", "fm:p", 1)
	stage("spoold", "any", "a:b:df:g:k:n:q:r:t:w:", 1)
	for (i = split(others, pair, " "); i > 0; i--) {
		name = pair[i]; sub(/=.*/, "", name); sub(/^[^=]*=/, "", pair[i]); other[name] = pair[i]
	}
}
{
	if (!more) { line = NR; text = "" }
	if (!more && /^[ \t]*(#|$)/) next
	more = /\\$/
	sub(/\\$/, "")
	text = text " " $0
	if (more) next
	n = split_line(text); p = 1; label = ""
	if (w[1] ~ /:$/) {
		label = w[1]; sub(/:$/, "", label); p = 2
		if (label !~ /^[a-z][a-z0-9-]*$/) fail("the name " w[1] " is not small letters, digits and -")
	} else if (w[1] != "spoold" && mains++) fail("a second chain needs a name, NAME: words")
	chain(label)
}
END {
	if (failed) exit 100
	if (more) fail("the last line ends with a backslash")
	if (!mains) { print "chain: there is no line that begins with tlsd" > "/dev/stderr"; exit 100 }
	for (s = 1; s <= count; s++) {
		if (kind[s] == "tlsd") { early = seen[s, "e"] ? value[s, "e"] : 500; most = seen[s, "m"] ? value[s, "m"] : 1000 }
		if (kind[s] == "route" || kind[s] == "spoold" || kind[s] == "submitd")
			if (user[s] != "" && !index(" " any " ", " " user[s] " ")) any = join(any, user[s])
	}
	fronts = (port != "") + (port_tls != "")
	if (style == "tcpserver") { exec_form(); exit }
	for (s = 1; s <= count; s++) {
		h = (s in head) ? head[s] : s
		where = writes(s)
		if (where != "") { directory(where, user[s], mode_of(s)); written[h] = join(written[h], where) }
		# Secrets are root's: the parent reads them and its workers take the user (-U). A unit that has the network too
		# is better off without root.
		if (kind[s] == "tlsd" || kind[s] == "authd" && (seen[s, "u"] || seen[s, "c"]) ||
		    style != "systemd" && seen[s, "a"] && kind[s] ~ /-inject$/) flags[h] = flags[h] " root"
		if (site[s] || kind[s] == "filter" || kind[s] == "resume" || kind[s] == "authd" && seen[s, "s"] ||
		    kind[s] ~ /^(lmtp|smtp)-inject$/ && place[s] !~ /\//) flags[h] = flags[h] " network"
		if (seen[s, "A"]) flags[h] = flags[h] " open"
	}
	for (s = 1; s <= count; s++) {
		if (s in head) continue
		if (labelled[s] != "") callers[s] = any
		if (kind[s] == "tlsd") {
			if ((seen[s, "i"] || seen[s, "o"]) && fronts == 2) {
				line = at_line[s]
				fail("tlsd: with -i or -o there is one port: leave the other one empty in settings")
			}
			add_front(s, "a", "-a 500"); add_front(s, "e", "-e 500"); add_front(s, "m", "-m 1000")
		}
		if (kind[s] == "authd") add_front(s, "P", "-P 1:" least(fronts * early + 100, 10000))
		if (kind[s] == "submitd") add_front(s, "P", "-P 1:" least(fronts * most, 10000))
		if (kind[s] ~ /-inject$/) add_front(s, "P", "-P 1:20")
		goes = (s in next_of) ? run "/" id[next_of[s]] "/socket" : (s in outside) ? outside[s] : ""
		print "S" us id[s] us prog[s] us kind[s] us user[s] us callers[s] us own[s] us goes us flags[s] us written[s]
	}
	tables()
}
function least(a, b) { return a < b ? a : b }
# An option that msa-conf gives if the line does not. usage: add_front(stage, letter, text)
function add_front(s, letter, text) { if (!seen[s, letter]) own[s] = join(text, own[s]) }
# The directory that a stage writes to, or nothing.
function writes(s,    path) {
	if (kind[s] == "limit") return value[s, "d"]
	if (kind[s] ~ /^(lmtp|smtp)-inject$/ && seen[s, "o"]) {
		path = value[s, "o"]; sub(/\/[^\/]*$/, "", path)
		return path
	}
	return kind[s] == "spool" || kind[s] == "spoold" || kind[s] == "maildir-inject" ? place[s] : ""
}
# tlsd reads the offers that an injector writes; everything else is for its stage alone.
function mode_of(s) { return kind[s] ~ /^(lmtp|smtp)-inject$/ ? 755 : 700 }
function tables() {
	for (s = 1; s <= count; s++) {
		if (kind[s] ~ /^(lmtp|smtp)-inject$/ && seen[s, "o"]) print "O" us value[s, "o"]
		if (kind[s] == "authd" && seen[s, "u"]) print "T" us "users" us value[s, "u"]
		if (kind[s] == "rights" && seen[s, "s"]) print "T" us "empty" us value[s, "s"]
		if (kind[s] == "route" && seen[s, "t"]) print "T" us "routes" us value[s, "t"]
	}
}
# All stages of a connection in one command: one user for tlsd, one for the rest.
function exec_form(    out, s) {
	together = users; sub(/-$/, "", together)
	for (s = 1; s <= count; s++) {
		if (labelled[s] != "") { line = at_line[s]; fail("a chain with a name needs resident stages, which style=tcpserver does not have") }
		if (kind[s] == "spoold") {
			if (out != "") { script("submission", out); out = "" }
			spooled = s
		}
		if (writes(s) != "") directory(writes(s), together, mode_of(s))
		if (s in head) continue
		word = site[s] ? "" : prog[s]
		if (users != "" && kind[s] == "tlsd") word = word " -U " users "tls"
		if (users != "" && (kind[s] == "authd" || kind[s] == "spoold")) word = word " -U " together
		out = out (out == "" ? "" : " \\\n\t") word (word == "" || own[s] == "" ? "" : " ") own[s]
		if ((s in outside) && !(s in head)) out = out " \\\n\tcall " quote(outside[s])
	}
	script(spooled ? "spoold" : "submission", out)
	tables()
}
function script(name, text) { gsub(/\n/, "\036", text); print "X" us name us text }
A
others=$(sed -n 's/^user\.//p' "$settings" | tr '\n' ' ')

# The plan, with words quoted as systemd or the shell reads them. usage: plan quoting >file
plan() {
	awk -v style="$style" -v quoting="$1" -v users="$users" -v run="$run" -v port="$port" -v port_tls="$port_tls" \
		-v others="$others" -f "$work/plan.awk" "$(source_of chain)" 2>"$work/errors"
}

plan "$style" >"$work/plan" || die 100 "$(cat "$work/errors")"

if [ -n "$root" ] && [ -z "$users" ]; then
	die 100 "settings: users is empty, and root would run every stage: give a prefix such as $base-"
fi

### A writer for each kind of supervisor. Each has the row of the plan in these variables.

from="msa-conf made this file from $dir/chain: change that line and run msa-conf $dir."
services='' people=''

# What a service is called by and calls. usage: about
about() {
	printf '# %s' "$from"
	[ -z "$callers" ] || printf '\n# Its callers: %s.' "$callers"
	[ -z "$goes" ] || printf '\n# It calls %s.' "$goes"
	printf '\n'
}

# The options that let the callers in. usage: admitted
admitted() {
	for caller in $callers; do
		[ "$caller" = "$user" ] || printf ' -A %s' "$caller"
	done
}

# The command of a service up to its next program. usage: words_of program listen-option [notify-option]
words_of() {
	case $1 in
	tlsd | authd | submitd | qualify | stamp | *-inject) ;;
	*) printf 'msa ' ;; # words that are not in bin are run by msa(8)
	esac
	printf '%s' "$1${2:+ $2}${3:+ $3}"
	[ "$kind" = tlsd ] || [ "$kind" = spoold ] || admitted
	case $flags in
	*root*) [ -z "$user" ] || printf ' -U %s' "$user" ;;
	esac
	[ -z "$own" ] || printf ' %s' "$own"
	[ -z "$goes" ] || printf " $joint%s" "call $goes"
}

# A service directory of s6, runit or daemontools. usage: directory_of name listen-option
directory_of() {
	case $style in
	s6) as=s6-setuidgid ;;
	runit) as='chpst -u' ;;
	daemontools) as=setuidgid ;;
	esac
	mkdir -p "$new/services/$1/log"
	notify=''
	if [ "$style" = s6 ]; then
		notify='-R 3'
		echo 3 >"$new/services/$1/notification-fd"
	fi
	{
		printf '#!/bin/sh\n'
		about
		printf 'exec 2>&1\nPATH=%s:$PATH\nexport PATH\n' "$bin"
		case $kind in
		tlsd | spoold) printf 'set -a\n. %s\nset +a\n' "$dir/env" ;;
		esac
		case $kind in
		tlsd | spoold) ;;
		*)
			printf 'install -d'
			case $flags in
			*root*) ;;
			*) [ -z "$user" ] || printf ' -o %s' "$user" ;;
			esac
			# Only the caller's group may enter; if there are several callers, -A alone decides.
			case $user:$flags:$callers in
			:*) printf ' -m 700' ;;
			*:*open*:* | *:*:*\ *) printf ' -m 755' ;;
			*) printf ' -g %s -m 750' "$callers" ;;
			esac
			printf ' %s\n' "$run/$1"
			;;
		esac
		# The last stage starts first.
		[ -z "$goes" ] || printf 'for i in 1 2 3 4 5 6 7 8 9 10; do [ -S %s ] || sleep 1; done\n' "$goes"
		printf 'exec '
		case $flags in
		*root*) ;;
		*) [ -z "$user" ] || printf '%s %s ' "$as" "$user" ;;
		esac
		words_of "$prog" "$2" "$notify"
		printf '\n'
	} >"$new/services/$1/run"
	{
		printf '#!/bin/sh\n# %s\n' "$from"
		if [ -n "$users" ]; then
			as="$as $logger "
			printf 'install -d -o %s -m 750 %s\n' "$logger" "$log/$1"
		else
			as=''
			printf 'install -d -m 750 %s\n' "$log/$1"
		fi
		case $style in
		s6) printf 'exec %ss6-log n20 s1000000 T %s\n' "$as" "$log/$1" ;;
		runit) printf 'exec %ssvlogd -tt %s\n' "$as" "$log/$1" ;;
		daemontools) printf 'exec %smultilog t n20 s1000000 %s\n' "$as" "$log/$1" ;;
		esac
	} >"$new/services/$1/log/run"
}

# What a unit takes away, systemd.exec(5). usage: hardening
hardening() {
	case $flags in
	*network*) echo 'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6' ;;
	*) printf 'PrivateNetwork=yes\nRestrictAddressFamilies=AF_UNIX\n' ;;
	esac
	case $flags in
	*root*) echo 'CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL CAP_DAC_READ_SEARCH' ;;
	*) echo 'CapabilityBoundingSet=' ;;
	esac
	case " $where" in
	*' /home/'* | *' /root/'* | *' /run/user/'*) printf 'ProtectHome=tmpfs\nBindPaths=%s\n' "$where" ;;
	' ') echo 'ProtectHome=yes' ;;
	*) printf 'ProtectHome=yes\nReadWritePaths=%s\n' "$where" ;;
	esac
	cat <<-'U'
		NoNewPrivileges=yes
		ProtectSystem=strict
		PrivateTmp=yes
		PrivateDevices=yes
		ProtectProc=invisible
		ProtectClock=yes
		ProtectControlGroups=yes
		ProtectHostname=yes
		ProtectKernelLogs=yes
		ProtectKernelModules=yes
		ProtectKernelTunables=yes
		LockPersonality=yes
		MemoryDenyWriteExecute=yes
		RestrictNamespaces=yes
		RestrictRealtime=yes
		RestrictSUIDSGID=yes
		RemoveIPC=yes
		SystemCallArchitectures=native
		SystemCallErrorNumber=EPERM
		SystemCallFilter=@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self
		SystemCallFilter=~@privileged @resources
	U
	# The parent takes the rights of its user and drops its capabilities.
	case $flags in
	*root*) echo 'SystemCallFilter=@setuid capset' ;;
	esac
	echo 'UMask=0077'
}

# A service of systemd, and its socket. usage: unit_of name listening
unit_of() {
	unit=$base-$1
	listen='-l 0'
	if [ "$kind" = spoold ]; then
		listen=''
	else
		{
			printf '# %s\n[Unit]\nDescription=Mail submission: the socket of %s\n\n[Socket]\n' "$from" "$1"
			printf 'ListenStream=%s\nBacklog=4096\n' "$2"
			case $kind:$flags:$callers in
			tlsd:*) ;;
			*:*open*:* | *:*:*\ *) printf '# Several may call, and -A decides who.\nSocketMode=0666\nDirectoryMode=0755\n' ;;
			*)
				# systemd listens as root, so that the caller trusts it.
				printf '# Only the caller may connect; the stage asks for its uid too (-A).\n'
				printf 'SocketUser=%s\nSocketMode=0600\nDirectoryMode=0755\n' "$callers"
				;;
			esac
			printf '\n[Install]\nWantedBy=sockets.target\n'
		} >"$new/services/$unit.socket"
	fi
	{
		about
		printf '[Unit]\nDescription=Mail submission: %s\n' "$1"
		[ -z "$listen" ] || printf 'Requires=%s.socket\nAfter=%s.socket\n' "$unit" "$unit"
		printf '\n[Service]\nType=notify\n'
		case $flags in
		*root*) ;;
		*) printf 'User=%s\n' "$user" ;;
		esac
		case $kind in
		tlsd | spoold) printf 'EnvironmentFile=%s\n' "$dir/env" ;;
		esac
		printf 'Environment=PATH=%s:/usr/local/bin:/usr/bin:/bin\nExecStart=%s/' "$bin" "$bin"
		words_of "$prog" "$listen"
		printf '\n# Read tables, key and certificate again:\nExecReload=/bin/kill -HUP $MAINPID\n'
		# SIGTERM is for the parent, which stops its workers between two commands or messages.
		printf 'KillMode=mixed\nTimeoutStopSec=%s\nRestart=on-failure\n' "$([ "$kind" = spoold ] && echo 310 || echo 130)"
		[ "$kind" != tlsd ] || echo 'LimitNOFILE=16384'
		printf '\n'
		hardening
		[ "$kind" != spoold ] || printf '\n[Install]\nWantedBy=multi-user.target\n'
	} >"$new/services/$unit.service"
}

# One service, in the style. usage: service name listening-address-of-tlsd
service() {
	services="$services $1"
	case $style in
	systemd)
		case $2 in
		'') unit_of "$1" "$run/$1/socket" ;;
		0:*) unit_of "$1" "0.0.0.0:${2#0:}" ;;
		*) unit_of "$1" "$2" ;;
		esac
		;;
	*)
		case $kind in
		tlsd) directory_of "$1" "-l $2" ;;
		spoold) directory_of "$1" '' ;;
		*) directory_of "$1" "-l $run/$1/socket" ;;
		esac
		;;
	esac
}

# A script for a port, or for spoold, with the whole chain in it. usage: script name front words
script() {
	services="$services $1"
	{
		printf '#!/bin/sh\n# %s\nset -eua\nPATH=%s:$PATH\n. %s\nset +a\nulimit -c 0\nexec ' "$from" "$bin" "$dir/env"
		[ -z "$2" ] || printf 'tcpserver -H -R -l "$MSA_HOST" -c 500 %s \\\n\t' "$2"
		printf '%s\n' "$3" | tr '\036' '\n'
	} >"$new/services/$1"
}

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

### The check: what would be found out too late. msa-check(8) knows the words; the plan knows the rest

# The owner and the mode of a file, as ls(1) prints them: mode, owner. usage: of file
of() {
	ls -ldL "$1" 2>/dev/null | awk '{ print $1, $3 }'
}

# What root, or we, start must be changed by nobody else. usage: check_owner file
check_owner() {
	is=$(of "$1")
	[ -n "$is" ] || return 0
	[ "${is#* }" = "$owner" ] || finding error "$1: belongs to ${is#* }; chown $owner $1"
	case $is in
	?????w* | ????????w*) finding error "$1: others may write to it; chmod go-w $1" ;;
	esac
}

check_files() {
	while read -r what file; do
		case $file in
		*/log/run | */notification-fd) # one line is enough for a service
			! grep -qxF "$what ${file%/*}/run" "$work/actions" && ! grep -qxF "$what ${file%/log/run}/run" "$work/actions" || continue
			;;
		esac
		case $what in
		keep) finding note "$dir/$file: it was edited, so the chain does not say what it does; its words are not looked at" ;;
		old) finding warning "$dir/$file: it was edited, and the chain needs it no more; remove it" ;;
		remove) finding warning "$dir/$file: the chain needs it no more; run msa-conf $dir" ;;
		write)
			if [ -e "$dir/$file" ]; then
				finding warning "$dir/$file: not what the chain says now; run msa-conf $dir"
			else
				finding error "$dir/$file: missing; run msa-conf $dir"
			fi
			;;
		esac
	done <"$work/actions"
	owner=root
	[ -n "$users" ] || owner=$(of "$dir" | cut -d ' ' -f 2)
	for file in '' /chain /env /settings /written $(sed 's|^|/|; p; s|/[^/]*$||' "$work/files" | sort -u); do
		check_owner "$dir$file"
	done
}

# The directories that stages write to, and the file of what the next hop offers.
check_places() {
	offers=$(sed -n 's/^MSA_EHLO=@\([^,]*\).*/\1/p' "$dir/env")
	while IFS=$us read -r row name user _; do
		case $row in
		D)
			is=$(of "$name")
			case $is:$user in
			:*) finding error "$name: missing; run msa-conf $dir" ;;
			*" $user:$user" | *:) ;;
			*) finding error "$name: belongs to ${is#* }; chown $user: $name" ;;
			esac
			;;
		O) [ "$name" != "$offers" ] || offers='' ;;
		esac
	done <"$work/plan"
	[ -z "$offers" ] || finding warning "$dir/env: no injector of the chain writes $offers, which MSA_EHLO names; give" \
		"the injector -o $offers, or MSA_EHLO keywords"
}

# The command lines for msa-check, each as text for eval. usage: lines_of_words
lines_of_words() {
	plan sh >"$work/words"
	joint='' separator=''
	while IFS=$us read -r row name prog kind user callers own goes flags _; do
		case $row:$name:$kind in
		S:*:tlsd)
			front=$own
			[ -z "$port" ] || one_line "-l $address:$port"
			own="-i ${front#-i }"
			[ -z "$port_tls" ] || one_line "-l $address:$port_tls"
			;;
		S:*:spoold) one_line '' ;;
		S:*) one_line "-l $run/$name/socket" ;;
		X:*) printf '%s%s ' "$separator" "$(printf '%s' "$prog" | tr '\036' '\n')" ;;
		*) continue ;;
		esac
		separator=', '
	done <"$work/words"
}

# usage: one_line listen-option
one_line() {
	printf '%s' "$separator"
	case $flags in
	*root*) ;;
	*) [ -z "$user" ] || printf -- '-U %s ' "$user" ;;
	esac
	words_of "$prog" "$1"
	printf ' '
	separator=', '
}

# Run msa-check with the values of env, as the service has them. What it finds is found. usage: ask_words options word ...
ask_words() {
	options=$1
	shift
	# shellcheck disable=SC2086
	(
		while IFS= read -r text; do
			case $text in
			[A-Z]*=*) export "${text?}" ;;
			esac
		done <"$dir/env"
		PATH=$bin:$PATH exec "$bin/msa-check" $options -e , "$@"
	) || {
		code=$?
		[ $code -eq 1 ] || die 111 "msa-check ends with $code"
		found=1
	}
}

# Whether the port is ours, or free. usage: check_port port
check_port() {
	[ -n "$1" ] || return 0
	listens=$(ss -Hltnp "sport = :$1" 2>/dev/null) || {
		finding note "port $1: ss(8) is missing, so nobody knows who listens there"
		return 0
	}
	case $listens in
	'') [ -z "$runs" ] || finding error "$dir/settings: port $1: nobody listens there; start tlsd" ;;
	*'"tlsd"'* | *'"systemd"'* | *'"tcpserver"'*) ;;
	*'users:(("'*)
		listens=${listens#*'users:(("'}
		finding error "$dir/settings: port $1: ${listens%%\"*} listens there; stop it, or change the port"
		;;
	*) [ -n "$runs" ] || finding error "$dir/settings: port $1: another program listens there; stop it, or change the port" ;;
	esac
}

# The sockets and the ports of a service that runs.
check_running() {
	set --
	runs='' sockets=' '
	while IFS=$us read -r row name _ kind _ callers _; do
		case $row:$kind in
		S:tlsd | S:spoold) continue ;;
		S:*) ;;
		*) continue ;;
		esac
		socket=$run/$name/socket
		sockets="$sockets$socket "
		[ ! -S "$socket" ] || runs=1
		[ $# -eq 0 ] || set -- "$@" ,
		[ -z "${callers%% *}" ] || [ -z "$root" ] || set -- "$@" -U "${callers%% *}"
		set -- "$@" call "$socket"
		[ "$style" = systemd ] || [ ! -S "$socket" ] || [ -z "$(find "$dir/services/$name/run" -newer "$socket" 2>/dev/null)" ] ||
			finding warning "$dir/services/$name/run: newer than what runs; restart $name"
	done <"$work/plan"
	for socket in $(find "$run" -type s 2>/dev/null | sort); do
		case $sockets in
		*" $socket "*) ;;
		*) finding warning "$socket: no stage of the chain listens there; stop what listens, and remove it" ;;
		esac
	done
	if [ -n "$runs" ]; then
		ask_words -q "$@"
	elif [ "$style" != tcpserver ]; then
		finding note "$run: no sockets, so the service does not run"
	fi
	check_port "$port"
	check_port "$port_tls"
}

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
	command -v cdb >/dev/null || die 111 "cdb(1) of tinycdb is missing, and $1 needs it"
	[ -z "$domain" ] || echo "$domain $run/lmtp/socket" >"${1%.cdb}"
	[ -e "${1%.cdb}" ] || : >"${1%.cdb}"
	cdb -c -m "$1" "${1%.cdb}"
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
	systemd:stop) printf '    systemctl disable --now%s\n' "$(units all $2)" >&2 ;;
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
