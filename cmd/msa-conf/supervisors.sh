# A part of msa-conf: how each kind of supervisor has a service. Every function finds a row of the plan in the variables
# name, prog, kind, user, callers, own, goes, flags and where. ISC licence, see LICENSE.

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
