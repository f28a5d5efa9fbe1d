# SPDX-License-Identifier: MIT
#
# What the benchmarks on the host have in common. Sourced, with $here, the directory of this file, and
# $build, by those that boot a guest.

kernel_tests=${here%/*}/kernel
bench=${0##*/}
die() { echo "${bench%.sh}: $*" >&2; exit 2; }
[ -x "$build/daemon/cachefilld" ] || die "no cachefilld in ${build:-BUILD_DIR}"
PATH=$PATH:/usr/sbin:/sbin

# needs PROGRAM...
needs() {
	local program
	for program; do
		type -P "$program" > /dev/null || die "there is no $program"
	done
}

# $work is the directory that goes with us; programs are in its bin.
work_begin() {
	kernel=$("$kernel_tests/build-kernel.sh" 6.12)
	work=$(mktemp -d "${TMPDIR:-/tmp}/cachefilld-bench.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	mkdir -p "$work/bin" "$work/images/origin" "$work/logs"
	cp -t "$work/bin" "$build/daemon/cachefilld" "$build/daemon/ctl/cachefillctl"
	cc -O2 -D_GNU_SOURCE -o "$work/bin/simple-daemon" "$kernel_tests/simple-daemon.c" -lcurl
}

tool() { # NAME: of this directory
	cc -O2 -D_GNU_SOURCE -pthread -o "$work/bin/$1" "$here/$1.c"
}

images=0
image() { # NAME [OPTION]...: origin/NAME from the directory NAME
	images=$((images + 1))
	mkfs.erofs -T0 -U"$(printf '00000000-0000-4000-8000-%012d' $images)" "${@:2}" \
		"$work/images/origin/$1" "$work/images/$1" > "$work/mkfs.log" 2>&1 ||
		{ cat "$work/mkfs.log" >&2; exit 1; }
}

# image_of_noise NAME SIZE: of one file, "file", that is the beginning of the same noise.
image_of_noise() {
	mkdir -p "$work/images/$1"
	openssl enc -aes-128-ctr -nosalt -K 00 -iv 00 < /dev/zero 2> /dev/null |
		head -c "$2" > "$work/images/$1/file" || true
	image "$1"
}

# in_guest OPTION... -- COMMAND...: those of guest.sh.
in_guest() {
	"$kernel_tests/guest.sh" --kernel "$kernel" --work "$work" --show "$here" --show "$kernel_tests" "$@"
}
