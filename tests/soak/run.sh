#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Mounts, reads, faults, kills and a full cache, all at random and all at once, on the real kernel
# feature in User-Mode Linux, for as long as one likes:
#
#	run.sh [--minutes N] [--seed N] BUILD_DIR
#
# An hour if not said. The same seed makes the same choices, though not at the same moments. What it
# checks is told in soak.sh. Exit status 0: nothing was wrong.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
minutes=60 seed=$((RANDOM + 1)) build=''
while [ $# -gt 0 ]; do
	case $1 in
	--minutes) minutes=$2; shift ;;
	--seed) seed=$2; shift ;;
	-*) sed -n '7s/^#	//p' "$0" >&2; exit 2 ;;
	*) build=$1 ;;
	esac
	shift
done
[ -x "$build/daemon/cachefilld" ] || { echo "soak: no cachefilld in ${build:-BUILD_DIR}" >&2; exit 2; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cachefilld-soak.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
{
	echo "#: seconds $((minutes * 60 + 600))"
	echo "MINUTES=$minutes SEED=$seed"
	cat "$here/soak.sh"
} > "$scratch/soak.sh"
echo "soak: $minutes minutes, seed $seed"
"$here/../kernel/run.sh" --keep --from "$scratch" "$build"
