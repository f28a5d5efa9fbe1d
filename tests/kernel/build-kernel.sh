#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds a kernel that has cachefiles on-demand mode and EROFS over fscache, from the distribution's
# linux-source package, and prints its path:
#
#	build-kernel.sh [--arch um|x86] 6.12|6.1
#
# um, which it is if nothing is said, is User-Mode Linux, a program; x86 is for an emulated machine:
# see guest.sh. The result stays in
# ${CACHEFILLD_KERNEL_DIR:-${XDG_CACHE_HOME:-~/.cache}/cachefilld/kernel} under a name made of the
# package's version and a hash of everything that shapes it, and is used again until one of them
# changes. Needs the packages of 'tests/packages.sh kernel', for x86 those of 'smp', and no root.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
arch=um
if [ "${1:-}" = --arch ]; then
	arch=${2:-}
	shift 2 || true
fi
version=${1:-}
say() { printf 'build-kernel: %s %s: %s\n' "$arch" "$version" "$*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '7s/^#	//p' "$0" >&2; exit 2; }

case $version in
6.12) missing= ;;
6.1) missing='EROFS_FS_BACKED_BY_FILE BLK_DEV_NBD' ;; # came with 6.12; for benchmarks, which run there
*) usage ;;
esac
# Options that are not =y, the target, and which file that makes.
case $arch in
um)
	values=('CONFIG_CON_ZERO_CHAN="fd:0,fd:1"' 'CONFIG_CON_CHAN="null"' 'CONFIG_SSL_CHAN="null"'
		CONFIG_KERNEL_STACK_ORDER=4)
	target=linux made=linux name=linux-uml place=$version
	;;
x86)
	values=(CONFIG_NR_CPUS=4)
	target=bzImage made=arch/x86/boot/bzImage name=linux-x86 place=x86-$version
	;;
*) usage ;;
esac

store=${CACHEFILLD_KERNEL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cachefilld/kernel}
tarball=/usr/src/linux-source-$version.tar.xz
[ -f "$tarball" ] || die "$tarball is not there; install it with tests/packages.sh kernel"
package=$(dpkg-query -W -f '${Version}' "linux-source-$version")

# The configuration fragment: every option the guest must have.
fragment() {
	local option
	sed 's/#.*//' "$here/common.opts" "$here/$arch.opts" | tr -s ' \t' '\n' | while read -r option; do
		case " $missing " in *" $option "*) continue ;; esac
		[ -z "$option" ] || echo "CONFIG_$option=y"
	done
	printf '%s\n' "${values[@]}"
}

options=$(fragment)

# Up to 6.12 User-Mode Linux keeps 2696 bytes of extended register state per task. Processors with
# AMX have 11008; there init dies of "ptrace set fp regs failed, errno = 14". The state also lies on
# kernel stacks, which is why those are larger than the default in the fragment.
repair='s/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 12288)/'

key=$({ echo "$options" "$repair"; gcc --version; } | sha256sum | cut -c1-12)
kernel=$store/$name-$package-$key

mkdir -p "$store"
exec 9>"$store/.lock-$place"
if ! flock -n 9; then
	say "another build is running, waiting for it"
	flock 9
fi
if [ -x "$kernel" ]; then
	echo "$kernel"
	exit 0
fi

# What an interrupted run left behind is ours to remove: we hold the lock. Always the same place,
# because the compiler cache knows files by their full names.
scratch=$store/scratch-$place
rm -rf "$scratch"
mkdir "$scratch"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
started=$SECONDS

say "unpacking $tarball ($package)"
xz -T0 -dc "$tarball" | tar x -C "$scratch"
tree=$scratch/linux-source-$version

sed -i "$repair" "$tree/arch/x86/um/user-offsets.c"

say "configuring"
echo "$options" > "$scratch/fragment"
make -s -C "$tree" ARCH="$arch" O="$scratch/$arch" KCONFIG_ALLCONFIG="$scratch/fragment" allnoconfig \
	> "$scratch/log" 2>&1 || { tail -20 "$scratch/log" >&2; die "configuration failed"; }
lost=$(grep -vxFf "$scratch/$arch/.config" "$scratch/fragment" || true)
[ -z "$lost" ] || die "options that did not survive: $lost"

# The fixed date and names make the compiler cache hit and the result reproducible.
cc=gcc
if command -v ccache > /dev/null; then cc="ccache gcc"; fi
progress='/^  CC / && ++n % 100 == 0 { print "build-kernel: " v ": " n " files compiled"; fflush() }'
say "compiling with $(nproc) jobs"
if ! make -C "$tree" ARCH="$arch" O="$scratch/$arch" CC="$cc" -j"$(nproc)" \
	KBUILD_BUILD_TIMESTAMP='Thu Jan 1 00:00:00 UTC 2026' \
	KBUILD_BUILD_USER=t KBUILD_BUILD_HOST=t \
	"$target" 2>&1 | tee "$scratch/log" | awk -v v="$arch $version" "$progress" >&2
then
	grep -B2 -A10 -i 'error' "$scratch/log" | head -40 >&2
	die "the build failed"
fi

# What a boot loader takes has no symbols.
[ "$arch" != um ] || strip "$scratch/um/linux"
install -m 755 "$scratch/$arch/$made" "$scratch/kernel"
mv "$scratch/kernel" "$kernel"
say "done after $((SECONDS - started)) s: $kernel"
echo "$kernel"
