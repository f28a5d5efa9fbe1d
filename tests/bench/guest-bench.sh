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
. "${0%/*}/lib.sh"

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

read_mounted() { dd if="$MNT/file" of=/dev/null bs=1M status=none; }

# beside A B TEXT_A TEXT_B: the seconds that 128 MiB took, in $RUN/A and $RUN/B, each round of B beside that of A.
beside() {
	paste "$RUN/$1" "$RUN/$2" | awk '{ print $1 / $2 }' > "$RUN/ratios"
	printf '%-58s %8.1f MB/s\n' "128 MiB cold through the mount, $3" "$(ratio 134.2 "$(median < "$RUN/$1")")"
	printf '%-58s %8.1f MB/s  ratio %s (quartiles %s)\n' "128 MiB cold through the mount, $4" \
		"$(ratio 134.2 "$(median < "$RUN/$2")")" "$(median < "$RUN/ratios")" "$(quartiles < "$RUN/ratios")"
}

# From nginx, each block checked against its hash tree or not. In turns, and a round is compared with
# itself.
bench_verify() {
	local i who order
	for who in without with; do
		printf '%s\n' 'source big {' "url = http://127.0.0.1:$PORT/{cookie}" > "$RUN/conf-$who"
	done
	echo "verify = fs-verity:sha256:$(< "$IMAGES/digest")" >> "$RUN/conf-with"
	for who in without with; do echo '}' >> "$RUN/conf-$who"; done
	for ((i = 0; i < rounds; i++)); do
		order='without with'
		if [ $((i % 2)) = 1 ]; then order='with without'; fi
		for who in $order; do
			fresh
			CONFIG=$RUN/conf-$who daemon_start
			mounted big
			seconds read_mounted >> "$RUN/verify-$who"
			unmounted
		done
	done
	fresh
	beside verify-without verify-with 'not verified' fs-verity
}

hashed() { grep -q 'are those of sha256' "$LOGS/daemon.log"; }
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$DAEMON_PID/stat"; }

# A blob of a registry by a digest that the daemon compares all of it with, once it has a name in the cache,
# and by one of a kind that it does not.
bench_audit() {
	local i who order before
	printf '%s\n' 'source blobs {' "url = oci://127.0.0.1:$PORT/bench@{cookie}?blob" 'plain-http = yes' '}' \
		> "$RUN/conf-audit"
	for ((i = 0; i < rounds; i++)); do
		order='sha512 sha256'
		if [ $((i % 2)) = 1 ]; then order='sha256 sha512'; fi
		for who in $order; do
			fresh
			: > "$LOGS/daemon.log"
			CONFIG=$RUN/conf-audit daemon_start
			mounted "$(< "$IMAGES/$who")"
			seconds read_mounted >> "$RUN/audit-$who"
			before=$(cpu_ms)
			unmounted
			if [ $who = sha256 ]; then
				eventually 60 hashed
				awk -v a="$before" -v b="$(cpu_ms)" 'BEGIN { print (b - a) / 128 }' >> "$RUN/audit-cpu"
			fi
		done
	done
	fresh
	beside audit-sha512 audit-sha256 'not to be hashed' 'to be hashed'
	printf '%-58s %8.3f ms of CPU for each MiB (quartiles %s)\n' "hashing what is complete" \
		"$(median < "$RUN/audit-cpu")" "$(quartiles < "$RUN/audit-cpu")"
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

# ---- many objects ----------------------------------------------------------------------------

many_origin() { # MOUNTS
	mkdir -p "$RUN/many" "$RUN/farm"
	perl -e 'symlink "$ARGV[0]/small", "$ARGV[1]/image-$_" for 0 .. $ARGV[2] - 1;
		symlink "$ARGV[0]/big", "$ARGV[1]/big"' "$IMAGES/origin" "$RUN/farm" "$1"
	ulimit -n 65536
	nginx_stop
	umount "$ORIGIN"
	ORIGIN_FILES=$RUN/farm origin_start
}

many_mount() { # MOUNTS READERS
	local line
	coproc "$TOOLS/many-mounts" "$1" "$2" "$RUN/many" file
	read -r line <&"${COPROC[0]}"
	equal "$line" mounted
}

# What the log says next that has TEXT in it; the log is a FIFO of descriptor 6.
log_says() { # TEXT
	local line
	while read -r -t 60 -u 6 line; do [[ $line != *"$1"* ]] || return 0; done
	fail "the daemon never said '$1'"
}

# One reader waits for a block, and the origin does not answer before the kill.
recover_once() { # BLOCK
	local begun reader
	kill -STOP "$(pgrep -P "$NGINX_PID" nginx)"
	dd if="$MNT/file" of=/dev/null bs=64K count=1 skip=$(($1 * 64)) status=none &
	reader=$!
	eventually 10 readers_wait 1
	begun=${EPOCHREALTIME/./}
	kill -KILL "$(pgrep -n -P "$DAEMON_PID" -x cachefilld)"
	kill -CONT "$(pgrep -P "$NGINX_PID" nginx)"
	log_says 'serving '
	echo $(((${EPOCHREALTIME/./} - begun) / 1000)) >> "$RUN/recovery-ready"
	wait $reader
	echo $(((${EPOCHREALTIME/./} - begun) / 1000)) >> "$RUN/recovery-served"
}

# A daemon of --keeper that had so many objects open.
bench_recovery() {
	local n i mounting logs=$LOGS
	LOGS=$RUN/fifo-log
	mkdir -p "$LOGS"
	mkfifo "$LOGS/daemon.log"
	exec 6<> "$LOGS/daemon.log"
	for n in 1 1000 10000; do
		fresh
		rm -f "$RUN"/recovery-*
		many_origin $n
		daemon_start --keeper
		many_mount $n 0
		mounting=$COPROC_PID
		mounted big
		log_says 'serving '
		for ((i = 1; i <= rounds; i++)); do recover_once $i; done
		printf '%-58s %8.0f ms\n' "from kill -9 to a daemon that is ready, $n objects open" \
			"$(median < "$RUN/recovery-ready")"
		printf '%-58s %8.0f ms    (%s at most)\n' "from kill -9 to the bytes of a reader that waits" \
			"$(median < "$RUN/recovery-served")" "$(sort -n "$RUN/recovery-served" | tail -1)"
		unmounted
		exec {COPROC[1]}>&-
		wait $mounting
	done
	fresh
	LOGS=$logs
}

rss() { awk '/^VmRSS/ { printf "%.1f\n", $2 / 1024 }' "/proc/$DAEMON_PID/status"; }
peak() { awk '/^VmHWM/ { printf "%.1f\n", $2 / 1024 }' "/proc/$DAEMON_PID/status"; }

bench_memory() {
	local mounts=10000 readers=1000 line
	many_origin $mounts
	daemon_start
	printf '%-58s %8s MiB     (aim 8)\n' "RSS, idle after start" "$(rss)"
	many_mount $mounts $readers
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
if [ -z "$only" ] || [ "$only" = verify ]; then bench_verify; fi
if [ -z "$only" ] || [ "$only" = audit ]; then bench_audit; fi
if [ -z "$only" ] || [ "$only" = miss ]; then bench_miss; fi
if [ -z "$only" ] || [ "$only" = trace ]; then bench_trace; fi
if [ -z "$only" ] || [ "$only" = recovery ]; then bench_recovery; fi
if [ -z "$only" ] || [ "$only" = memory ]; then bench_memory; fi
