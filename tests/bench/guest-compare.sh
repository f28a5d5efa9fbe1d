#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest: what compare.sh measures. Each run is a line of WORK/records: network, workload,
# contender, round, cold or warm, seconds, microseconds for one read, requests, bytes fetched, bytes
# needed, processor seconds, resident KiB before and at most ("-": not known).
#
#	guest-compare.sh WORK KERNEL_TESTS ROUNDS PATIENCE "NETWORK/WORKLOAD..." "CONTENDER..."

set -eu
work=$1 rounds=$3 patience=$4 pairs=$5 contenders=$6
export SIDE=http RUN=/run/bench CACHE=/mnt/cache/bench IMAGES=$work/images LOGS=$work/logs TOOLS=$work/bin
export DAEMON=$TOOLS/cachefilld SIMPLE=$TOOLS/simple-daemon
mkdir -p "$RUN/m" "$CACHE"
. "$2/lib.sh"
. "${0%/*}/lib.sh"
. "${0%/*}/contenders.sh"
. "${0%/*}/workloads.sh"

# What nobody should wait for who has such a path; and no connection learns from another.
tune() {
	echo "4096 131072 16777216" > /proc/sys/net/ipv4/tcp_rmem
	echo "4096 131072 16777216" > /proc/sys/net/ipv4/tcp_wmem
	echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save
}

# Where packets are lost they are as small as outside.
reached_by() { # NETWORK
	ip link set lo mtu 65536 gso_max_segs 65535
	case $1 in
	*ms) network "${1%ms}" ;;
	100mbit) network 10 rate 100mbit ;;
	loss)
		network 10 loss 0.5%
		ip link set lo mtu 1500 gso_max_segs 1
		;;
	*) fail "there is no network $1" ;;
	esac
}

# of_servers FIELD: the sum over them, in KiB.
of_servers() {
	local pid sum=0
	for pid in $SERVERS; do
		sum=$((sum + $(awk -v f="$1:" '$1 == f { print $2 }' "/proc/$pid/status")))
	done
	echo "$sum"
}

# Seconds of processor that they took, threads included, by their own clocks.
processor() {
	perl -MTime::HiRes=clock_gettime \
		-e '$sum += clock_gettime(-8 * $_ - 6) for @ARGV; printf "%.6f\n", $sum' $SERVERS
}

# Requests and bytes since the log was emptied; nginx writes a line when it has answered, and one of
# ours comes last.
fetched() {
	local last="/last-$serial"
	curl -s -o /dev/null "http://127.0.0.1:$PORT$last" || true
	eventually 20 grep -q "$last" "$RUN/access.log"
	awk -v last="$last" '$2 != last { n++; sum += $NF } END { print n + 0, sum + 0 }' "$RUN/access.log"
}

record() { printf '%s\n' "$*" >> "$work/records"; }

used() { # CONTENDER WORKLOAD
	"$1_attach" "$object"
	"$2_run"
}

each() { cut -d' ' -f2 "$RUN/each" 2> /dev/null || echo -; }

one() { # NETWORK WORKLOAD CONTENDER ROUND
	local cold warm cold_each idle=- peak=- busy=-
	rm -f "$RUN/each"
	"$3_begin" "$object"
	: > "$RUN/access.log"
	if [ -n "$SERVERS" ]; then idle=$(of_servers VmRSS) busy=$(processor); fi
	seconds used "$3" "$2" > "$RUN/took"
	cold=$(< "$RUN/took") cold_each=$(each)
	if [ -n "$SERVERS" ]; then
		busy=$(awk -v a="$(processor)" -v b="$busy" 'BEGIN { print a - b }')
	elif [ -e "$RUN/time" ]; then
		read -r busy peak < <(awk '{ print $1 + $2, $3 }' "$RUN/time")
	fi
	"$2_check"
	"$3_detach"
	drop_caches
	seconds used "$3" "$2" > "$RUN/took"
	warm=$(< "$RUN/took")
	"$2_check"
	if [ -n "$SERVERS" ]; then peak=$(of_servers VmHWM); fi
	"$3_detach"
	"$3_end"
	record "$1 $2 $3 $4 cold $cold $cold_each $(fetched) $needed $busy $idle $peak"
	record "$1 $2 $3 $4 warm $warm $(each) - - $needed - - -"
	say "$1 $2, round $4: $3 $cold s, warm $warm s"
}

limit() { # NETWORK WORKLOAD LIMIT ROUND
	rm -f "$RUN/each"
	drop_caches
	seconds "$3_limit" "$object" > "$RUN/took"
	record "$1 $2 $3 $4 cold $(< "$RUN/took") $(each) - - $needed - - -"
	say "$1 $2, round $4: $3 $(< "$RUN/took") s"
}

# turn NETWORK WORKLOAD WHO ROUND FUNCTION: unless who has used up what others are patient for.
turn() {
	local begun=$SECONDS
	[ "${spent[$3]:-0}" -lt "$patience" ] || return 0
	"$5" "$1" "$2" "$3" "$4"
	spent[$3]=$((${spent[$3]:-0} + SECONDS - begun))
}

pair() { # NETWORK WORKLOAD
	local i who
	local -A spent=()
	local object=$2_object needed=$2_needed limits=$2_limits
	object=${!object} needed=${!needed} limits=${!limits}
	for ((i = 1; i <= rounds; i++)); do
		for who in $limits; do turn "$1" "$2" "$who" "$i" limit; done
		for who in $contenders; do
			if [ "$who" = known ] && [ "$2" != first ]; then continue; fi
			turn "$1" "$2" "$who" "$i" one
		done
	done
}

tune
origin_start
case $pairs in */list*) list_truth ;; esac
for of in $pairs; do
	reached_by "${of%/*}"
	pair "${of%/*}" "${of#*/}"
done
