#!/bin/sh
# facts: the environment as the stages see it. ISC licence, see LICENSE.
# shellcheck source=tests/lib/test.sh
. "$(dirname "$0")/../lib/test.sh"
# shellcheck source=tests/lib/table.sh
. "$ROOT/tests/lib/table.sh"

UNIT=$(command -v test-unit)

# usage: in_env NAME=value... -- args-of-facts... ; the environment is exactly that
in_env() {
	set -f
	env=
	while [ "$1" != -- ]; do
		env="$env $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # values have no spaces here
	env -i $env "$UNIT" facts "$@"
	set +f
}

test_variables_are_set_read_and_unset() {
	assertEquals '1' "$(in_env A=1 -- get:A)"
	assertEquals '(not set)' "$(in_env A=1 AB=2 -- get:B)"
	assertEquals '(not set)' "$(in_env AB=2 -- get:A)"
	assertEquals '' "$(in_env A= -- get:A)"
	assertEquals '3' "$(in_env A=1 -- A=3 get:A)"
	assertEquals '(not set)' "$(in_env A=1 -- -A get:A)"
	assertEquals 'A=1 B=2 ' "$(in_env A=1 -- B=2 env | sort | tr '\n' ' ')"
	assertEquals '' "$(in_env A=1 B=2 -- -A -B env)"
	assertEquals '' "$(in_env -- env)"
	assertEquals 'X=1' "$(in_env -- X=1 env)"
}

# env(1) cannot set a name twice; a program can.
test_a_name_that_stands_twice_is_one_after_a_change() {
	cat >"$T/twice.py" <<-'END'
	import ctypes, sys
	args = [a.encode() for a in sys.argv[1:]]
	env = (ctypes.c_char_p * 4)(b'A=1', b'A=2', b'B=3', None)
	argv = (ctypes.c_char_p * (len(args) + 1))(*args, None)
	ctypes.CDLL(None).execve(args[0], argv, env)
	END
	assertEquals 'A=9 B=3 ' "$(python3 "$T/twice.py" "$UNIT" facts A=9 env | sort | tr '\n' ' ')"
	assertEquals 'B=3' "$(python3 "$T/twice.py" "$UNIT" facts -A env)"
}

test_a_string_without_an_equals_sign_is_dropped() {
	cat >"$T/odd.py" <<-'END'
	import ctypes, sys
	args = [a.encode() for a in sys.argv[1:]]
	env = (ctypes.c_char_p * 5)(b'PROTO', b'A=1', b'', b'MSA_X_A', None)
	argv = (ctypes.c_char_p * (len(args) + 1))(*args, None)
	ctypes.CDLL(None).execve(args[0], argv, env)
	END
	assertEquals 'A=1' "$(python3 "$T/odd.py" "$UNIT" facts env)"
	assertEquals '(not set)' "$(python3 "$T/odd.py" "$UNIT" facts get:PROTO)"
}

test_a_resident_has_its_own_environment_and_the_calls_facts() {
	assertEquals 'HOME=/h MSA_X_A=1 SMTPAUTHUSER=bob ' \
		"$(in_env HOME=/h SMTPAUTHUSER=own MSA_X_B=own -- call:SMTPAUTHUSER=bob,MSA_X_A=1, env | sort | tr '\n' ' ')"
	assertEquals 'what chain(7) does not name stays out' 'HOME=/h ' \
		"$(in_env HOME=/h -- call:HOME=/x,SASL_PATH=/x,LD_PRELOAD=x, env | tr '\n' ' ')"
	assertEquals 'the last counts' 'MSA_X_A=2 MSA_X_B=3 ' "$(in_env -- call:MSA_X_A=1,MSA_X_B=3,MSA_X_A=2, env | sort | tr '\n' ' ')"
	assertEquals 'and can be changed' 'MSA_X_B=4 ' \
		"$(in_env -- call:MSA_X_A=1,MSA_X_B=3, -MSA_X_A MSA_X_B=4 env | tr '\n' ' ')"
	assertEquals 'nothing' '' "$(in_env MSA_HELO=x -- call: env)"
	assertEquals 'an empty value' 'MSA_PARTIAL=' "$(in_env -- call:MSA_PARTIAL=, env)"
	for bad in MSA_HELO=x 'MSA_HELO,' '=x,' ',' 'MSA_HELO=x,,MSA_VERB=x,' 'A=1,B=2,C=3,D=4,E=5,'; do
		assertEquals "$bad" 'call: Protocol error' "$(in_env -- "call:$bad" env 2>&1)"
	done
}

test_many_variables_fit() {
	set --
	i=0
	while [ $i -lt 300 ]; do
		set -- "$@" "V$i=$i"
		i=$((i + 1))
	done
	assertEquals 300 "$(env -i "$UNIT" facts "$@" env | grep -c '^V')"
}

test_a_peers_text_is_cut_and_cleaned() {
	assertEquals 'a.b:c_d-e[f]@g+h=i/j k9' "$(in_env -- '+X=a.b:c_d-e[f]@g+h=i/j k9' get:X)"
	assertEquals '????????????????' "$(in_env -- '+X=\n\r\0\x01\x7f\xc3\xa9$`"(;%&<>' get:X)"
	assertEquals '' "$(in_env -- '+X=' get:X)"
	x255=$(text_repeat 255 x)
	assertEquals "$x255" "$(in_env -- "+X=$x255" get:X)"
	assertEquals "$x255" "$(in_env -- "+X=${x255}y" get:X)"
}

# What a stage drops is what it or a later one sets, and nothing else.
test_a_stage_claims_its_own_and_the_later_stages_variables() {
	all='PROTO TCPREMOTEIP RELAYCLIENT DATABYTES MSA_HOST MSA_LMTP MSA_EHLO MSA_SESSION MSA_PRIVATE MSA_X_SITE PATH
		SSL_PROTOCOL SSL_CIPHER SSL_CIPHER_USEKEYSIZE SSL_TLS_SNI_SERVERNAME SSL_PEER_CERT_HASH SSL_PEER_CERT_SUBJECT
		SMTPAUTHUSER SMTPAUTHMETHOD SMTPAUTHLABEL MSA_VERB MSA_HELO MSA_MESSAGE MSA_RCPTS MSA_DEADLINE MSA_PARTIAL'
	set --
	for name in $all; do
		set -- "$@" "$name=x"
	done
	for owner in tlsd authd submitd; do
		env -i "$@" "$UNIT" facts claim:$owner env | sed 's/=.*//' | sort >"$T/got"
		for name in $all; do
			case $owner:$name in
			*:SSL_*) [ $owner = tlsd ] || echo "$name" ;;
			*:SMTPAUTH* | *:MSA_VERB | *:MSA_HELO) [ $owner = submitd ] && echo "$name" ;;
			*:MSA_MESSAGE | *:MSA_RCPTS | *:MSA_DEADLINE | *:MSA_PARTIAL) ;;
			*) echo "$name" ;;
			esac
		done | sort >"$T/want"
		assert_same "$owner" "$T/want" "$T/got"
	done
}

test_only_names_of_the_contract_have_an_owner() {
	assertEquals 'PATH 0,LD_PRELOAD 0,MSA_X_ANY 1,MSA_X 0,SMTPAUTHUSER 3,SSL_PROTOCOL 2,MSA_RCPTS 4,' \
		"$(in_env -- owner:PATH owner:LD_PRELOAD owner:MSA_X_ANY owner:MSA_X owner:SMTPAUTHUSER owner:SSL_PROTOCOL \
			owner:MSA_RCPTS | tr '\n' ',')"
}

test_numbers_are_decimal_or_the_default() {
	for v in 0 1 0012 999999999999999; do
		assertEquals "$v" "$(echo "$v" | sed 's/^0*\(.\)/\1/')" "$(in_env N=$v -- number:N)"
	done
	for v in 1000000000000000 -1 +1 0x10 10M 1.5 99999999999999999999999; do
		assertEquals "$v" -1 "$(in_env N=$v -- number:N)"
	done
	assertEquals 'empty' -1 "$(in_env N= -- number:N)"
	assertEquals 'unset' -1 "$(in_env -- number:N)"
	assertEquals 'a space' -1 "$(env -i 'N= 1' "$UNIT" facts number:N)"
}

test_facts_that_need_a_rule() {
	assertEquals 'tls 0 authenticated 0 lmtp 0' "$(in_env -- is)"
	assertEquals 'tls 1 authenticated 1 lmtp 1' "$(in_env SSL_PROTOCOL=TLSv1.3 SMTPAUTHUSER=a MSA_LMTP=1 -- is)"
	assertEquals 'nobody is nobody' 'tls 1 authenticated 0 lmtp 1' "$(in_env SSL_PROTOCOL= SMTPAUTHUSER= MSA_LMTP= -- is)"
}

. "$SHUNIT2"
