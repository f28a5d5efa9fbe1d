#!/bin/bash
# SPDX-License-Identifier: MIT
#
# How many requests per second a replay does, and in how much memory, whatever the length:
#
#	bench-replay.sh BUILD_DIR
#
# Objects of 64 KiB, 8 readers; with and without looking at each byte. The first two rows differ in
# length alone, the first and the third have the same share of misses.

set -euo pipefail
build=$(realpath "$1")
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT

ninja -C "$build" tests/bench/make-trace daemon/ctl/cachefillctl > /dev/null
while read -r requests objects; do
	"$build/tests/bench/make-trace" "$work/trace" "$requests" "$objects" 64
	for check in yes no; do
		/usr/bin/time -f '%M %e' -o "$work/time" "$build/daemon/ctl/cachefillctl" trace replay \
			--speed max --check $check --json "$work/trace" > "$work/report"
		read -r rss seconds < "$work/time"
		rate=$(sed -n 's/.*"requests_per_second": \([0-9]*\).*/\1/p' "$work/report" | head -n 1)
		printf '%9d requests, %5d objects, check %-3s: %7d requests/s, %6d KiB peak, %6s s\n' \
			"$requests" "$objects" "$check" "$rate" "$rss" "$seconds"
	done
	rm "$work/trace"
done <<- ROWS
	10000 64
	1000000 64
	1000000 6400
ROWS
