# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 150
#
# The origin refuses, fails or is gone when an image is mounted: the mount fails soon, and works
# without a restart once the origin does.

origin_start
daemon_start --open-deadline 1s
step "a name that does not exist"
errs 12 "$MOUNT_REFUSED" erofs no-such-image "$MNT-2"

step "no answer"
fault close
errs 12 "$MOUNT_REFUSED" erofs ten-0 "$MNT"
fault_clear
eventually 40 erofs ten-0 "$MNT"
same_tree 20 "$IMAGES/ten/0" "$MNT"
unmounted

step "down"
origin_stop
errs 12 "$MOUNT_REFUSED" erofs ten-1 "$MNT"
origin_start
eventually 40 erofs ten-1 "$MNT"
same_tree 20 "$IMAGES/ten/1" "$MNT"
