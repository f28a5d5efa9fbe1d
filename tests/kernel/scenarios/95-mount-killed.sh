# SPDX-License-Identifier: MIT
#: kernels 6.1
#: needs cachefilld
#: guest own
#: seconds 300
#
# Whoever mounts or unmounts is killed at any moment, interrupted, or undone by hand: the next command
# leaves what it should, and --all nothing.
#
# Not on 6.12: there User-Mode Linux faults when SIGKILL ends a fork(2) half-way (exit_mmap, mmput,
# copy_process), which ended 3 guests of 11.

origin_start
image_add app ten-{0,1,2}
image_add other ten-{2,3}
mkdir -p "$MNT" "$MNT-2" "$MNT-3"
daemon_start
image_mounted app "$MNT" # how long one takes, and what is cached from now on
image_unmounted "$MNT"

# killed AFTER COMMAND...: sent SIGKILL after so many ms, with all that it has started
killed() {
	local after=$1
	shift
	setsid "$TOOLS/cachefillctl" "$@" --run-dir "$RUN/cachefilld" > "$RUN/killed" 2>&1 &
	sleep "0.$(printf %03d "$after")"
	kill -9 -- "-$!" 2> /dev/null || true
	works 20 gone "$!"
	wait "$!" 2> /dev/null || true
}

step "killed while it mounts"
complete=0
for i in {0..17}; do
	killed $((RANDOM % 100 + 10 * i)) mount --state-dir "$RUN/state" -w app "$MNT"
	if ctl mounts --json | grep -q '"state":"mounted"'; then complete=$((complete + 1)); fi
	case $((i % 3)) in
	0) image_unmounted --all ;;
	1) # another image, that shares a layer with it
		image_mounted other "$MNT-2"
		works 10 cmp "$IMAGES/ten/3/empty" "$MNT-2/empty"
		image_unmounted --all
		;;
	2) # the same again: that it is there is no surprise
		within 30 ctl_mount -w app "$MNT" 2> "$RUN/said" ||
			ctl mounts --json | grep -q '"state":"mounted"' || fail "$(ctl mounts)"
		image_unmounted "$MNT"
		;;
	esac
	nothing_left
done
step "$complete of 18 were complete"
[ "$complete" -lt 18 ] || fail "none was killed in time"

step "killed while it unmounts"
for i in {0..9}; do
	image_mounted app "$MNT" -w
	image_mounted other "$MNT-2"
	killed $((RANDOM % 60 + 15 * i)) umount "$MNT"
	drop_caches
	works 10 cmp "$IMAGES/ten/3/empty" "$MNT-2/empty"
	image_unmounted --all
	nothing_left
done

step "undone by hand, in every way"
image_mounted app "$MNT" -w
image_mounted other "$MNT-2"
umount -i "$MNT"
equal "$(ctl mounts | grep -c gone)" 1
image_mounted app "$MNT-3"
equal "$(ls "$RUN/cachefilld/layers" | wc -l)" 4 "layers"
equal "$(ctl mounts | grep -c gone || true)" 0
umount -l "$RUN/cachefilld/layers/$(ls "$RUN/cachefilld/layers" | head -1)"
umount -l "$MNT-2"
rm -r "$RUN"/cachefilld/mounts/*.d
works 20 ctl umount "$MNT-3"
image_unmounted --all
nothing_left

step "two at once in one place, and ten of one image"
mkdir -p "$MNT"-{10..19}
pids=()
for i in {10..19}; do
	works 60 ctl_mount -w app "$MNT-$i" &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
equal "$(ctl mounts --json | grep -c '"state":"mounted"')" 10
equal "$(grep -c "^cachefilld $RUN/cachefilld/layers/" /proc/mounts)" 3 "layers"
image_unmounted --all
nothing_left

step "interrupted while the kernel waits"
daemon_stop
rm -rf "$CACHE" "$RUN/state/state.db"*
mkdir "$CACHE"
daemon_start
kill -STOP "$DAEMON_PID" # it gives no answer
echo 0 > /proc/sys/kernel/hung_task_timeout_secs # the kernel need not tell
"$TOOLS/cachefillctl" mount --state-dir "$RUN/state" --run-dir "$RUN/cachefilld" app "$MNT" \
	> "$RUN/waits" 2>&1 &
pid=$!
eventually 20 grep -q "waiting for cachefilld to open x:" "$RUN/waits"
kill -TERM "$pid"
works 10 gone "$pid"
! wait "$pid" || fail "it was not interrupted"
grep -q "given up" "$RUN/waits" || fail "$(< "$RUN/waits")"
equal "$(ctl mounts)" "$MNT  app    3 layers  read-only  busy"
kill -CONT "$DAEMON_PID"
echo 20 > /proc/sys/kernel/hung_task_timeout_secs
eventually 20 eval '[ -z "$(ctl mounts)" ]'
nothing_left
