# SPDX-License-Identifier: MIT
#
# What the benchmarks in the guest have in common. Sourced after tests/kernel/lib.sh.

serial=0

say() { printf '%s\n' "$*" >&2; }

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# seconds COMMAND...: how long it took; what it prints goes to standard error.
seconds() {
	local start=${EPOCHREALTIME/./}
	"$@" >&2
	awk -v us=$((${EPOCHREALTIME/./} - start)) 'BEGIN { printf "%.4f\n", us / 1000000 }'
}

# Everything cold: no cached byte, no page. The old directory stays a little longer where the kernel
# is still letting go of it.
fresh() {
	if [ -n "$DAEMON_PID" ]; then daemon_stop; fi
	rm -rf "$CACHE" "$RUN/state" 2> /dev/null || true
	CACHE=/mnt/cache/bench-$((++serial))
	mkdir -p "$CACHE"
	drop_caches
}

# network [MS [OPTION]...]: from now on a round trip takes so long; OPTIONs are those of netem, for
# each of its two ways.
network() {
	local ms=${1:-0}
	tc qdisc del dev lo root 2> /dev/null || true
	[ "$ms" = 0 ] || tc qdisc add dev lo root netem limit 100000 delay $((ms * 500))us "${@:2}"
}
