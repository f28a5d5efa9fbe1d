#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest: runs the scenarios listed in WORK/todo, one line "FILE SIDE SECONDS NAME" each,
# and says "ok|not-ok|skip SECONDS NAME REASON" for each, in the same order. Ends early, with
# status 99, when a scenario left the kernel in a state that cannot be cleaned up.
#
#	guest-main.sh WORK

set -u
work=$1
export KERNEL_TESTS=${0%/*} IMAGES=$work/images CONTAINER=$work/container TOOLS=$work/bin
. "$work/environment"
export DAEMON=$TOOLS/cachefilld SIMPLE=$TOOLS/simple-daemon

# Processes of a session other than zombies; everything a scenario starts is in its own.
members() {
	local stat rest
	for stat in /proc/[0-9]*/stat; do
		{ read -r rest < "$stat"; } 2> /dev/null || continue
		set -- ${rest##*) }
		[ "$4" = "$session" ] && [ "$1" != Z ] && echo "${rest%% *}"
	done
}

# What is mounted for a scenario, the last first. Without a program: starting one takes long here.
mounts() {
	local where type found=
	while read -r _ where type _; do
		if [ "$type" = erofs ] || [ "${where#"$RUN/"}" != "$where" ]; then
			found="$where $found"
		fi
	done < /proc/mounts
	echo $found
}

# Takes down what is left of a scenario; false when something cannot be.
clean() {
	local pid m tries
	[ ! -e "$RUN/delayed" ] || tc qdisc del dev lo root
	for tries in 1 2 3 4 5 6 7 8 9 10; do
		for pid in $(members); do kill -9 "$pid"; done
		# nginx made a session of its own, and only its parent can take the workers along.
		[ ! -e "$RUN/nginx/pid" ] || kill -TERM $(< "$RUN/nginx/pid")
		for m in $(mounts); do timeout 5 umount "$m" || timeout 5 umount -l "$m"; done
		if [ -z "$(members)" ] && [ -z "$(mounts)" ] &&
			! grep -qs '^State:.D' /proc/[0-9]*/status; then
			rm -rf "$RUN" "$CACHE"
			return 0
		fi
		sleep 0.3
	done 2> /dev/null
	return 1
}

dmesg -C
while read -r file side limit name _; do
	export SIDE=$side RUN=/run/$name CACHE=/mnt/cache/$name LOGS=$work/logs/$name
	mkdir -p "$LOGS" "$RUN" "$CACHE"
	for tool in ASAN LSAN TSAN UBSAN; do
		export "${tool}_OPTIONS=log_path=$LOGS/report:print_stacktrace=1"
	done
	start=${EPOCHREALTIME/./}
	setsid bash "$KERNEL_TESTS/scenario.sh" "$file" > "$LOGS/output" 2>&1 < /dev/null &
	session=$!
	sleep "$limit" &
	sleeper=$!
	wait -n -p first "$session" "$sleeper"
	status=$?
	if [ "$first" = "$sleeper" ]; then
		echo "FAILED: not finished after $limit s" >> "$LOGS/output"
		(. "$KERNEL_TESTS/lib.sh" && show_state) >> "$LOGS/output"
		status=1
	else
		kill -9 "$sleeper"
		wait "$sleeper" 2> /dev/null
	fi
	dmesg -c > "$LOGS/dmesg"
	took=$(((${EPOCHREALTIME/./} - start) / 100000))
	reason=
	[ ! -e "$RUN/skipped" ] || reason=$(< "$RUN/skipped")
	case $status in
	0) verdict=ok reason= ;;
	77) verdict=skip ;;
	*)
		verdict=not-ok
		reason=$(grep -m1 '^FAILED' "$LOGS/output" || tail -1 "$LOGS/output")
		reason=${reason:-status $status, and nothing said}
		;;
	esac
	echo "$verdict $((took / 10)).$((took % 10)) $name $reason"
	[ "$verdict" != not-ok ] || sed 's/^/# /' "$LOGS/output" | tail -n 80
	clean || exit 99
done < "$work/todo"
