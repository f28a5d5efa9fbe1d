#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures the daemon on the real kernel feature, in User-Mode Linux, beside what bounds it in the
# same guest, and prints ratios:
#
#	run.sh [--rounds N] [--only verify|audit|miss|trace|recovery|memory] BUILD_DIR
#
# Contenders take turns (A B A B ...); the figures are medians. Needs no root. What people would use
# instead is in compare.sh.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
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
. "$here/host.sh"
work_begin
tool random-read
tool many-mounts

# One file of 128 MiB, and a small image whose one file lies behind what a first look brings.
image_of_noise big 128M
image_of_noise small 300K
fsverity digest --compact --out-merkle-tree="$work/tree" --out-descriptor="$work/descriptor" \
	"$work/images/origin/big" > "$work/images/digest"
cat "$work/descriptor" "$work/tree" > "$work/images/origin/big.verity"

# The same file as a registry has it, by either digest.
blobs=$work/images/origin/v2/bench/blobs
mkdir -p "$blobs"
for kind in sha256 sha512; do
	"${kind}sum" < "$work/images/origin/big" | sed "s/ .*//; s/^/$kind:/" > "$work/images/$kind"
	ln "$work/images/origin/big" "$blobs/$(< "$work/images/$kind")"
done

in_guest --timeout 1800 --memory 3G --disk 16G \
	-- "$here/guest-bench.sh" "$work" "$kernel_tests" "$rounds" $only
