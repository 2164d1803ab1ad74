# shellcheck shell=sh
# Libraries that make system calls and allocations of the programs fail. ISC licence, see LICENSE.

# tests/preload/NAME.c as $T/NAME.so. A test begins with it: preload_build name || return 0. Under a sanitizer a library
# may come first only if it allocates nothing. usage: preload_build name
preload_build() {
	case $1 in
	oom) needs plain || return 1 ;; # a sanitizer has an allocator of its own
	*) export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" ;;
	esac
	[ -e "$T/$1.so" ] || preload_said=$(preload "$1" "$T/$1.so" 2>&1)
	case $? in
	0) ;;
	77)
		skip "$preload_said"
		return 1
		;;
	*)
		fail "preload $1: $preload_said"
		return 1
		;;
	esac
}
