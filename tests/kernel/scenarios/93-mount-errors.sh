# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 120
#
# Mounts that cannot be: each says what is wrong, and leaves nothing.

mkdir "$RUN/files"
cp "$IMAGES"/origin/{ten-0,split,split-blob} "$RUN/files"
cp "$RUN/files/ten-0" "$RUN/files/damaged"
printf x | dd of="$RUN/files/damaged" bs=1 seek=1080 conv=notrunc status=none # in the UUID
ORIGIN_FILES=$RUN/files
origin_start
image_add one ten-0
image_add damaged damaged
image_add split split device=split-blob
mkdir -p "$MNT" "$MNT-2"

step "no daemon"
errs 20 'one.*|cachefilld does not run' ctl_mount one "$MNT"
grep -q "cachefilld does not run" "$RUN/errs" || fail "$(< "$RUN/errs")"
nothing_left

daemon_start --open-deadline 3s
step "wrong names"
errs 10 "no image 'other'" ctl_mount other "$MNT"
errs 10 "No such file" ctl_mount one "$MNT/not-there"
errs 10 "not a directory" ctl_mount one "$IMAGES/origin/ten-0"
errs 10 "no option 'fly'" ctl_mount -o fly one "$MNT"
errs 10 "no image is mounted there" ctl umount "$MNT"
errs 10 "no such|empty" "$TOOLS/cachefillctl" mount --state-dir "$RUN/empty" one "$MNT"
nothing_left

step "a damaged superblock"
errs 20 "checksum" ctl_mount damaged "$MNT"
nothing_left

step "a device that is not there is found"
fault 404
errs 30 "cannot be mounted|could not be opened" ctl_mount split "$MNT"
fault_clear
nothing_left

step "the origin is down"
origin_stop
errs 30 "cannot be mounted" ctl_mount one "$MNT"
nothing_left
origin_start

step "mounted by hand already"
eventually 30 ctl_mount one "$MNT"
cookie=$(ls "$RUN/cachefilld/layers")
image_unmounted "$MNT"
mounted "$cookie" "$MNT-2" domain_id=cachefilld
errs 30 "mounted elsewhere" ctl_mount one "$MNT"
unmounted "$MNT-2"
nothing_left

step "twice in one place"
image_mounted one "$MNT"
errs 10 "one is mounted there already" ctl_mount one "$MNT"
errs 10 "one is mounted there already" ctl_mount split "$MNT"
same_tree 30 "$IMAGES/ten/0" "$MNT"

step "something else over it"
mount -t tmpfs tmp "$MNT"
errs 10 "something else is mounted over it" ctl umount "$MNT"
umount "$MNT"

step "an upper directory that cannot be one"
mkdir "$RUN/hostfs"
mount -t hostfs none "$RUN/hostfs" -o "$LOGS"
errs 10 "hostfs" ctl_mount one "$MNT-2" --writable="$RUN/hostfs"
umount "$RUN/hostfs"
errs 10 "Not a directory|not a directory" ctl_mount one "$MNT-2" --writable="$RUN/errs"
equal "$(ctl mounts | wc -l)" 1

image_unmounted "$MNT"
nothing_left
