#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Records workloads on the real kernel, each into a trace of its own:
#
#	capture.sh [--kernel 6.12|6.1] [WORKLOAD]... BUILD_DIR OUT_DIR
#
# Workloads are the files of tests/kernel/workloads; all of them when none is named. What is written
# to OUT_DIR, as WORKLOAD.trace, was checked, and names nothing of this machine. Needs no root.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
die() { echo "capture: $*" >&2; exit 2; }
version=6.12
if [ "${1:-}" = --kernel ]; then
	version=$2
	shift 2
fi
[ $# -ge 2 ] || die "which BUILD_DIR, and where to?"
build=$(realpath "${*: -2:1}") out=$(realpath "${*: -1}")
workloads=("${@:1:$#-2}")
[ "${#workloads[@]}" -gt 0 ] || mapfile -t workloads < <(basename -as .sh "$here"/workloads/*.sh)
ctl=$build/daemon/ctl/cachefillctl
[ -x "$ctl" ] || die "no cachefillctl in $build"

PATH=$PATH:/usr/sbin:/sbin
store=${CACHEFILLD_KERNEL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cachefilld/kernel}
mkdir -p "$store" "$out"
flock "$store/.lock-images" sh -c \
	"'$here/make-images.sh' '$store/images' && '$here/make-workloads.sh' '$store/images'"

temporary=$(mktemp -d "${TMPDIR:-/tmp}/cachefilld-capture.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
pattern="^($(IFS='|'; echo "${workloads[*]}"))\.http$"
TMPDIR=$temporary "$here/run.sh" --kernel "$version" --from "$here/workloads" --only "$pattern" \
	--keep "$build"

for name in "${workloads[@]}"; do
	trace=$(echo "$temporary"/*/logs/"$name.http"/trace)
	"$ctl" trace verify "$trace"
	"$ctl" trace anonymise --force -o "$out/$name.trace" "$trace"
	echo "$out/$name.trace: $(stat -c %s "$out/$name.trace") bytes"
done
