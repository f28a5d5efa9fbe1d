#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures how soon a container says its first word, on the real kernel feature, in User-Mode Linux,
# from a registry with TLS and passwords in the same guest:
#
#	containers.sh [--rounds N] [--latency "MS..."] [--only "WHO..."] [--json] BUILD_DIR
#
#	stored	cachefillctl mount, crun: the image is in the store, none of its bytes is cached
#	named	the same by a reference: manifest and configuration are fetched, too
#	no-ahead	as "stored", without read-ahead in daemon and kernel
#	als	podman pull and run, the layers from an additional layer store
#	pull	podman pull and run: everything is fetched first
#
# Each with so many milliseconds added to a round trip (0, 10 and 50 when none are named), in turns;
# the figures are medians. And how many requests a registry sees before the first byte of a file
# arrives. Needs no root.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
rounds=5 latency='0 10 50' only='stored named no-ahead als pull' json='' build=''
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) rounds=$2; shift ;;
	--latency) latency=$2; shift ;;
	--only) only=$2; shift ;;
	--json) json=yes ;;
	-*) sed -n '7s/^#	//p' "$0" >&2; exit 2 ;;
	*) build=$(realpath "$1") ;;
	esac
	shift
done
. "$here/host.sh"
needs crun podman skopeo docker-registry htpasswd openssl
work_begin
store=${CACHEFILLD_KERNEL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cachefilld/kernel}
mkdir -p "$store"
flock "$store/.lock-images" "$kernel_tests/make-container.sh" "$store/container"
ln -s "$store/container" "$work/container"

# Progress goes to standard error, where --json leaves it.
in_guest --show "${here%/*}/tools" --show "$store" --timeout 7200 --memory 2G --disk 12G \
	-- "$here/guest-containers.sh" "$work" "$kernel_tests" "$rounds" "$latency" "$only" >&2 || {
	tail -n 40 "$work"/logs/* >&2
	exit 1
}

if [ -n "$json" ]; then
	cat "$work/result.json"
else
	cat "$work/result"
fi
