#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures the daemon on the real kernel feature, in User-Mode Linux, beside what bounds it in the
# same guest, and prints ratios:
#
#	run.sh [--rounds N] [--only sequential|verify|miss|trace|recovery|memory] BUILD_DIR
#
# Contenders take turns (A B A B ...); the figures are medians. Needs no root.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
kernel_tests=$here/../kernel
rounds=5 only='' build=''
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) rounds=$2; shift ;;
	--only) only=$2; shift ;;
	-*) sed -n '6s/^#	//p' "$0" >&2; exit 2 ;;
	*) build=$(realpath "$1") ;;
	esac
	shift
done
[ -x "$build/daemon/cachefilld" ] || { echo "run: no cachefilld in ${build:-BUILD_DIR}" >&2; exit 2; }

PATH=$PATH:/usr/sbin:/sbin
kernel=$("$kernel_tests/build-kernel.sh" 6.12)
work=$(mktemp -d "${TMPDIR:-/tmp}/cachefilld-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/bin" "$work/images/origin" "$work/logs"
cc -O2 -D_GNU_SOURCE -o "$work/bin/simple-daemon" "$kernel_tests/simple-daemon.c"
for tool in random-read many-mounts; do
	cc -O2 -D_GNU_SOURCE -pthread -o "$work/bin/$tool" "$here/$tool.c"
done
cp "$build/daemon/cachefilld" "$work/bin"

# One file of 128 MiB, and a small image whose one file lies behind what a first look brings.
mkdir "$work/big" "$work/small"
openssl enc -aes-128-ctr -nosalt -K 00 -iv 00 < /dev/zero 2> /dev/null | head -c 128M > "$work/big/file" || true
head -c 300K "$work/big/file" > "$work/small/file"
mkfs.erofs -T0 -U00000000-0000-4000-8000-000000000001 "$work/images/origin/big" "$work/big" > /dev/null
mkfs.erofs -T0 -U00000000-0000-4000-8000-000000000002 "$work/images/origin/small" "$work/small" > /dev/null
fsverity digest --compact --out-merkle-tree="$work/tree" --out-descriptor="$work/descriptor" \
	"$work/images/origin/big" > "$work/images/digest"
cat "$work/descriptor" "$work/tree" > "$work/images/origin/big.verity"

"$kernel_tests/guest.sh" --kernel "$kernel" --work "$work" --show "$here" --show "$kernel_tests" --timeout 1800 \
	--memory 3G --disk 16G -- "$here/guest-bench.sh" "$work" "$kernel_tests" "$rounds" $only
