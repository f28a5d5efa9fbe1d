#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures cachefilld beside what people would use instead, from the same web server, in User-Mode
# Linux, and prints one table:
#
#	compare.sh [--rounds N] [--patience SEC] [--network "NAME..."] [--only "WORKLOAD..."]
#		[--contender "NAME..."] [--json FILE] BUILD_DIR
#
# Contenders: ours; known, which is ours with the image in its store (for "first" alone); download (all
# of it by curl, then a mount of the file); nbdkit (curl plugin and cache filter under /dev/nbd0);
# rclone (mount with --vfs-cache-mode full, and a loop device); simple (one thread, one request for
# each READ); local (the file is here already: the bound).
#
# Workloads: sequential (128 MiB), tree (3000 small files), list (ls -lR of 10,000 entries), first (from
# mount to the first bytes of a file), random4k1, random4k8, random128k1, random128k8 (128 reads by
# so many readers).
# Networks, by the time of a round trip: 0ms, 10ms, 50ms; 100mbit for "sequential", with 32 MiB, and
# "tree" alone; loss (0.5 %) for "sequential" alone; both of these have 10 ms.
#
# Contenders take turns (A B A B ...), each run cold and then mounted again; its bytes are compared with
# the truth. Figures are medians, with quartiles. Who has taken SEC (10) for a workload already, takes
# part in no further round of it. Needs the packages of 'tests/packages.sh bench', and no root.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
rounds=5 patience=10 json='' build=''
networks='0ms 10ms 50ms 100mbit loss'
workloads='sequential tree list first random4k1 random4k8 random128k1 random128k8'
contenders='ours known download nbdkit rclone simple local'
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) rounds=$2; shift ;;
	--patience) patience=$2; shift ;;
	--network) networks=$2; shift ;;
	--only) workloads=$2; shift ;;
	--contender) contenders=$2; shift ;;
	--json) json=$(realpath "$2"); shift ;;
	-*) sed -n '7,8s/^#	//p' "$0" >&2; exit 2 ;;
	*) build=$(realpath "$1") ;;
	esac
	shift
done
. "$here/host.sh"
needs nbdkit nbd-client rclone curl nginx perl time
work_begin
tool random-read

pairs=
for network in $networks; do
	for workload in $workloads; do
		case $network/$workload in
		100mbit/tree) ;;
		100mbit/sequential | loss/sequential) workload=sequential32 ;;
		100mbit/* | loss/*) continue ;;
		esac
		pairs="$pairs $network/$workload"
	done
done
[ -n "$pairs" ] || die "nothing to do"

image_of_noise big 128M
image_of_noise mid 32M
for name in big mid; do
	sha256sum < "$work/images/$name/file" > "$work/images/$name.sum"
done
(
	cd "$work/images"
	perl "$kernel_tests/emit-tree.pl" tree 6 3000 8000 0
	perl "$kernel_tests/emit-tree.pl" list 7 10000 100 0
	cd tree
	find . -type f -print0 | LC_ALL=C sort -z > ../tree.files
	xargs -0 cat < ../tree.files > ../tree.bytes
	sha256sum < ../tree.bytes > ../tree.sum
	stat -c %s ../tree.bytes > ../tree.size
	find . -type f -size +8k | LC_ALL=C sort | awk '{ f[NR] = $0 } END { print f[int(NR / 2)] }' > ../tree.middle
)
image tree
image list

# Progress goes to standard error.
in_guest --timeout 7200 --memory 3G --disk 16G \
	-- "$here/guest-compare.sh" "$work" "$kernel_tests" "$rounds" "$patience" "$pairs" "$contenders" >&2 || {
	tail -n 20 "$work"/logs/* >&2
	exit 1
}
perl "$here/compare-report.pl" "$work/records" ${json:+"$json"}
