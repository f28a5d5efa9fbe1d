#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest: what run.sh measures.
#
#	guest-bench.sh WORK KERNEL_TESTS ROUNDS [ONLY]

set -eu
work=$1 rounds=$3 only=${4:-}
export SIDE=http RUN=/run/bench CACHE=/mnt/cache/bench IMAGES=$work/images LOGS=$work/logs TOOLS=$work/bin
export DAEMON=$TOOLS/cachefilld SIMPLE=$TOOLS/simple-daemon
mkdir -p "$RUN" "$CACHE"
. "$2/lib.sh"

serial=0
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# seconds COMMAND...: how long it took.
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

read_mounted() { dd if="$MNT/file" of=/dev/null bs=1M status=none; }
fetch_direct() {
	curl -sS "http://127.0.0.1:$PORT/big" | dd of=/mnt/cache/copy bs=1M oflag=direct iflag=fullblock status=none
}

# As much as a download costs at least in this guest: the same bytes over the same loopback, written
# with direct I/O to the same file system.
bench_sequential() {
	local i
	: > "$RUN/a"; : > "$RUN/b"; : > "$RUN/c"
	for ((i = 0; i < rounds; i++)); do
		rm -f /mnt/cache/copy
		drop_caches
		seconds fetch_direct >> "$RUN/a"
		rm -f /mnt/cache/copy
		for side in http file; do
			fresh
			SIDE=$side daemon_start
			seconds mounted big >> "$RUN/mount-$side"
			seconds read_mounted >> "$RUN/$([ $side = http ] && echo b || echo c)"
			unmounted
		done
	done
	fresh
	a=$(median < "$RUN/a") b=$(median < "$RUN/b") c=$(median < "$RUN/c")
	printf '%-58s %8.1f MB/s\n' "128 MiB by curl, written with direct I/O" "$(ratio 134.2 "$a")"
	printf '%-58s %8.1f MB/s  ratio %s (aim 0.90)\n' "128 MiB cold through the mount, http" \
		"$(ratio 134.2 "$b")" "$(ratio "$a" "$b")"
	printf '%-58s %8.1f MB/s\n' "128 MiB cold through the mount, file" "$(ratio 134.2 "$c")"
	printf '%-58s %8.1f ms\n' "mount, cold, http" "$(median < "$RUN/mount-http" | awk '{ print $1 * 1000 }')"
}

# The simple daemon is the bare loop: poll, read, pread, pwrite, READ_COMPLETE. The origin is on ext4,
# in the page cache: hostfs is nobody's local directory.
bench_miss() {
	local i who
	mkdir -p /mnt/cache/origin
	cp "$IMAGES/origin/big" /mnt/cache/origin
	for ((i = 0; i < rounds; i++)); do
		for who in SIMPLE DAEMON; do
			fresh
			SOURCE=file:/mnt/cache/origin/{cookie} DAEMON=${!who} daemon_start
			cat /mnt/cache/origin/big > /dev/null
			mounted big
			"$TOOLS/random-read" "$MNT/file" 1000 > "$RUN/out"
			cut -d' ' -f1 "$RUN/out" >> "$RUN/mean-$who"
			cut -d' ' -f2 "$RUN/out" >> "$RUN/median-$who"
			unmounted
		done
	done
	fresh
	a=$(median < "$RUN/median-SIMPLE") b=$(median < "$RUN/median-DAEMON")
	printf '%-58s %8.1f us\n' "4 KiB miss, local directory: bare loop (median)" "$a"
	printf '%-58s %8.1f us    ratio %s (aim 1.30)\n' "4 KiB miss, local directory: cachefilld (median)" \
		"$b" "$(ratio "$b" "$a")"
	a=$(median < "$RUN/mean-SIMPLE") b=$(median < "$RUN/mean-DAEMON")
	printf '%-58s %8.1f us\n' "the same, bare loop (mean)" "$a"
	printf '%-58s %8.1f us    ratio %s\n' "the same, cachefilld (mean)" "$b" "$(ratio "$b" "$a")"
}

ratio3() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
best() { sort -g | head -1; }
quartiles() { sort -g | awk '{ v[NR] = $1 } END { printf "%.3f to %.3f", v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)] }'; }

# What recording costs: each round runs both, in turns, and is compared with itself, since the machine
# changes more over minutes than recording does.
bench_trace() {
	local i who order options size=0 trace=/mnt/cache/trace
	mkdir -p /mnt/cache/origin
	cp "$IMAGES/origin/big" /mnt/cache/origin
	for ((i = 0; i < rounds; i++)); do
		order='without with'
		if [ $((i % 2)) = 1 ]; then order='with without'; fi
		for who in $order; do
			fresh
			rm -f "$trace"*
			options=()
			if [ $who = with ]; then options=(--trace "$trace"); fi
			SOURCE=file:/mnt/cache/origin/{cookie} daemon_start "${options[@]}"
			cat /mnt/cache/origin/big > /dev/null
			mounted big
			"$TOOLS/random-read" "$MNT/file" 1000 > "$RUN/out"
			cut -d' ' -f1 "$RUN/out" >> "$RUN/trace-miss-$who"
			cut -d' ' -f2 "$RUN/out" >> "$RUN/trace-miss-median-$who"
			unmounted
			daemon_stop
			size=$(stat -c %s "$trace" 2> /dev/null || echo "$size")
		done
		for who in $order; do
			fresh
			rm -f "$trace"*
			options=()
			if [ $who = with ]; then options=(--trace "$trace"); fi
			daemon_start "${options[@]}"
			mounted big
			seconds read_mounted >> "$RUN/trace-sequential-$who"
			unmounted
		done
	done
	fresh
	for i in miss miss-median sequential; do
		paste "$RUN/trace-$i-with" "$RUN/trace-$i-without" | awk '{ print $1 / $2 }' > "$RUN/trace-$i"
		printf '%-58s %8.3f         (quartiles %s; aim 1.03)\n' "time with a recording over without, $i" \
			"$(median < "$RUN/trace-$i")" "$(quartiles < "$RUN/trace-$i")"
		printf '%-58s %8.3f\n' "the same, best of $rounds over best of $rounds" \
			"$(ratio3 "$(best < "$RUN/trace-$i-with")" "$(best < "$RUN/trace-$i-without")")"
	done
	printf '%-58s %8s bytes\n' "its trace of 1000 misses" "$size"
}

rss() { awk '/^VmRSS/ { printf "%.1f\n", $2 / 1024 }' "/proc/$DAEMON_PID/status"; }
peak() { awk '/^VmHWM/ { printf "%.1f\n", $2 / 1024 }' "/proc/$DAEMON_PID/status"; }

bench_memory() {
	local i mounts=10000 readers=1000 line
	mkdir -p "$RUN/many" "$RUN/farm"
	for ((i = 0; i < mounts; i++)); do ln -s "$IMAGES/origin/small" "$RUN/farm/image-$i"; done
	ulimit -n 65536
	nginx_stop
	umount "$ORIGIN"
	ORIGIN_FILES=$RUN/farm origin_start
	daemon_start
	printf '%-58s %8s MiB     (aim 8)\n' "RSS, idle after start" "$(rss)"
	coproc "$TOOLS/many-mounts" $mounts $readers "$RUN/many" file
	read -r line <&"${COPROC[0]}"
	equal "$line" mounted
	printf '%-58s %8s MiB\n' "RSS, $mounts objects open" "$(rss)"
	kill -STOP "$(pgrep -P "$NGINX_PID" nginx)"
	echo >&"${COPROC[1]}"
	read -r line <&"${COPROC[0]}"
	sleep 2
	printf '%-58s %8s MiB     (aim 64)\n' "RSS, and $readers readers waiting" "$(rss)"
	kill -CONT "$(pgrep -P "$NGINX_PID" nginx)"
	echo >&"${COPROC[1]}"
	read -r line <&"${COPROC[0]}"
	printf '%-58s %8s MiB     (%s of %s readers served)\n' "peak RSS" "$(peak)" "${line#served }" $readers
	wait "$COPROC_PID" || true
}

origin_start
if [ -z "$only" ] || [ "$only" = sequential ]; then bench_sequential; fi
if [ -z "$only" ] || [ "$only" = miss ]; then bench_miss; fi
if [ -z "$only" ] || [ "$only" = trace ]; then bench_trace; fi
if [ -z "$only" ] || [ "$only" = memory ]; then bench_memory; fi
