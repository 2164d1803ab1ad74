# A part of msa-conf: the check, which finds what would be noticed too late. msa-check(8) knows the words of the chain,
# and the plan knows the rest. ISC licence, see LICENSE.

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
		E)
			grep -q '^MSA_EHLO=.*8BITMIME.*BINARYMIME' "$dir/env" ||
				finding note "$dir/env: encode takes 8-bit and binary data for a next hop that does not; add" \
					",8BITMIME,BINARYMIME to MSA_EHLO and clients are offered both"
			;;
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
	for socket in $(find "$run" -type s -path "$run/*/socket" 2>/dev/null | sort); do
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
