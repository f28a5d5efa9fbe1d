#!/bin/bash
# SPDX-License-Identifier: MIT
#
# How many requests per second a replay does, and in how much memory, whatever the length:
#
#	bench-replay.sh BUILD_DIR [REQUESTS]...
#
# 64 objects of 4 MiB, 8 readers; with and without looking at each byte.

set -euo pipefail
build=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- 10000 1000000
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT

ninja -C "$build" tests/bench/make-trace daemon/ctl/cachefillctl > /dev/null
for n; do
	"$build/tests/bench/make-trace" "$work/$n" "$n"
	for check in yes no; do
		/usr/bin/time -f '%M %e' -o "$work/time" "$build/daemon/ctl/cachefillctl" trace replay \
			--speed max --check $check --json "$work/$n" > "$work/report"
		read -r rss seconds < "$work/time"
		rate=$(sed -n 's/.*"requests_per_second": \([0-9]*\).*/\1/p' "$work/report" | head -n 1)
		printf '%9d requests, check %-3s: %7d requests/s, %6d KiB peak, %s s in all\n' \
			"$n" "$check" "$rate" "$rss" "$seconds"
	done
done
