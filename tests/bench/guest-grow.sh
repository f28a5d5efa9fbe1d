#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest: what grow.sh measures. Each figure is a line of WORK/records: part, how many, what,
# value.
#
#	guest-grow.sh WORK KERNEL_TESTS ROUNDS "PART..."

set -eu
work=$1 rounds=$3 parts=$4
export SIDE=http RUN=/run/bench CACHE=/mnt/cache/bench IMAGES=$work/images LOGS=$work/logs TOOLS=$work/bin
export DAEMON=$TOOLS/timed-daemon
mkdir -p "$RUN/m" "$CACHE"
. "$2/lib.sh"
. "${0%/*}/lib.sh"

record() { echo "$*" >> "$work/records"; } # PART COUNT WHAT VALUE

rss() { awk '/^VmRSS/ { printf "%.1f\n", $2 / 1024 }' "/proc/$DAEMON_PID/status"; }
peak() { awk '/^VmHWM/ { printf "%.1f\n", $2 / 1024 }' "/proc/$DAEMON_PID/status"; }

status_says() { # EXPRESSION
	curl -s --unix-socket /run/cachefilld/control.sock http://localhost/v1/status | grep -qE "$1"
}

# It has looked through its cache, on a thread.
settled() {
	local before
	before=$(cut -d' ' -f14,15 "/proc/$DAEMON_PID/stat")
	sleep 0.5
	[ "$(cut -d' ' -f14,15 "/proc/$DAEMON_PID/stat")" = "$before" ]
}

# started PART COUNT: the daemon is ready.
started() {
	daemon_start
	record "$1" "$2" start_ms "$(awk -v a="$(< "$RUN/begun")" -v b="${EPOCHREALTIME/./}" \
		'BEGIN { print (b - a) / 1000 }')"
}

# mount_timed COOKIE DIRECTORY: milliseconds, without those of a process.
mount_timed() {
	mkdir -p "$2"
	perl -MTime::HiRes=time -e 'my ($none, $type, $options) = splice(@ARGV, 0, 3);
		my $begun = time;
		syscall(165, $none, $ARGV[0], $type, 1, $options) == 0 or die "mount: $!\n";
		printf "%.3f\n", 1000 * (time - $begun)' none erofs "fsid=$1,domain_id=cachefilld" "$2"
}

# 4 KiB of each DIRECTORY/file, behind what came with the look: one median.
miss_each() { # DIRECTORY...
	local dir
	for dir; do
		"$TOOLS/random-read" -a 262144 "$dir/file" 1 4096 1 "$IMAGES/small/file"
	done | cut -d' ' -f2 | median
}

# ---- images that are known ----------------------------------------------------------------------

# What was mounted in a round is cached from then on.
known_round() { # COUNT ROUND
	local n=$1 i cookie
	drop_caches
	started known "$n"
	eventually 120 settled
	record known "$n" rss_mib "$(rss)"
	record known "$n" peak_mib "$(peak)"
	for i in 0 1 2; do
		cookie=$(sed -n "$((n * i / 3 + $2 + 1))p" "$RUN/cookies")
		mount_timed "$cookie" "$RUN/known/$i" >> "$RUN/took"
	done
	record known "$n" first_mount_ms "$(head -n 1 "$RUN/took")"
	record known "$n" mount_ms "$(tail -n +2 "$RUN/took" | median)"
	record known "$n" miss_us "$(miss_each "$RUN"/known/*)"
	rm "$RUN/took"
	umount "$RUN"/known/*
	daemon_stop
}

part_known() {
	local n i
	for n in 10 1000 100000; do
		fresh
		rm -rf "$RUN/state"
		cp -r "$work/known/$n/state" "$RUN/state"
		cp "$work/known/$n/cookies" "$RUN/cookies"
		mount "$(losetup --find --show "$work/known/$n/cache.ext4")" "$CACHE"
		for ((i = 0; i < rounds && i < 3; i++)); do known_round $n $i; done
		seconds ctl image ls --state-dir "$RUN/state" > "$RUN/took" 2> /dev/null
		record known "$n" ls_s "$(< "$RUN/took")"
		say "known $n: done"
	done
	CACHE=/mnt/cache/bench
}

# ---- objects that are open ----------------------------------------------------------------------

# many_mount MOUNTS: of image-0, image-1, ..., below $RUN/many; until $COPROC's input ends.
many_mount() {
	local line
	coproc "$TOOLS/many-mounts" "$1" 0 "$RUN/many" file
	read -r line <&"${COPROC[0]}"
	equal "$line" mounted
}

open_round() { # COUNT
	local n=$1 mounting i dirs=()
	fresh
	started open "$n"
	seconds many_mount "$n" > "$RUN/took"
	mounting=$COPROC_PID
	record open "$n" mount_ms "$(awk -v n="$n" '{ print 1000 * $1 / n }' "$RUN/took")"
	record open "$n" rss_mib "$(rss)"
	for ((i = 0; i < n; i += (n + 23) / 24)); do dirs+=("$RUN/many/$i"); done
	record open "$n" miss_us "$(miss_each "${dirs[@]}")"
	exec {COPROC[1]}>&-
	seconds wait "$mounting" > "$RUN/took"
	record open "$n" umount_ms "$(awk -v n="$n" '{ print 1000 * $1 / n }' "$RUN/took")"
	daemon_stop
}

# To mount 10,000 takes longer than all the rest: once.
part_open() {
	local n i
	for n in 10 1000 10000; do
		for ((i = 0; i < rounds; i++)); do
			open_round $n
			[ $n != 10000 ] || break
		done
		say "open $n: done"
	done
}

# ---- readers that wait --------------------------------------------------------------------------

waiting_round() { # COUNT
	local n=$1 reading
	fresh
	started waiting "$n"
	mounted 1GiB
	coproc "$TOOLS/random-read" -a 131072 -p "$(pgrep -P "$NGINX_PID" nginx)" "$MNT/file" "$n" 4096 "$n" \
		"$IMAGES/1GiB/file" 2>&5
	reading=$COPROC_PID
	exec {out}<&"${COPROC[0]}"
	eventually 60 status_says "\"reads\": ?$n,"
	record waiting "$n" rss_mib "$(rss)"
	echo >&"${COPROC[1]}"
	read -r _ _ each <&"$out"
	wait "$reading"
	exec {out}<&-
	record waiting "$n" each_us "$each"
	record waiting "$n" peak_mib "$(peak)"
	unmounted
	daemon_stop
}

part_waiting() {
	local n i
	for n in 1 100 5000; do
		for ((i = 0; i < rounds; i++)); do waiting_round $n; done
		say "waiting $n: done"
	done
}

# ---- large objects ------------------------------------------------------------------------------

size_round() { # NAME
	local size at
	fresh
	started size "$1"
	record size "$1" mount_ms "$(mount_timed "$1" "$MNT")"
	size=$(stat -c %s "$MNT/file")
	for at in start=0 middle=$((size / 2)) end=$((size - 4096)); do
		record size "$1" "${at%=*}_us" "$("$TOOLS/random-read" -a "${at#*=}" "$MNT/file" 1 4096 1 \
			"$IMAGES/$1/file" | cut -d' ' -f2)"
	done
	record size "$1" rss_mib "$(rss)"
	unmounted
	daemon_stop
}

part_size() {
	local n i
	for n in 1MiB 1GiB 1TiB; do
		for ((i = 0; i < rounds; i++)); do size_round $n; done
		say "size $n: done"
	done
}

# The images of the part "open" are one file under many names.
farm() {
	mkdir -p "$RUN/many" "$RUN/farm"
	perl -e 'symlink "$ARGV[0]/small", "$ARGV[1]/image-$_" for 0 .. 9999;
		symlink "$ARGV[0]/$_", "$ARGV[1]/$_" for qw(small 1MiB 1GiB 1TiB)' "$IMAGES/origin" "$RUN/farm"
}

ulimit -n 65536
farm
ORIGIN_FILES=$RUN/farm origin_start
for part in $parts; do "part_$part"; done
