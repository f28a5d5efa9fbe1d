#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Replays every captured trace here: in virtual time, twice, with equal reports; and once as fast
# as it goes. Prints TAP.
#
#	replay-all.sh CACHEFILLCTL [TRACE]...

set -uo pipefail
ctl=$(realpath "$1")
shift
here=$(dirname "$0")
[ $# -gt 0 ] || set -- "$here"/*.trace
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

n=0
# result STATUS NAME FILE: one line, and what there is to say about a failure
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$3"
	fi
}

for trace; do
	name=$(basename "$trace" .trace)
	"$ctl" trace replay --virtual --json "$trace" > "$work/first" 2>&1
	result $? "$name in virtual time" "$work/first"
	"$ctl" trace replay --virtual --json "$trace" > "$work/second" 2>&1
	diff "$work/first" "$work/second" > "$work/diff" 2>&1
	result $? "$name has equal reports" "$work/diff"
	"$ctl" trace replay --speed max --json "$trace" > "$work/first" 2>&1
	result $? "$name as fast as it goes" "$work/first"
done
echo "1..$n"
