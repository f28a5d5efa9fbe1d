# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 150
#
# The origin refuses, fails or is gone when an image is mounted: the mount fails soon, and works
# without a restart once the origin does.

origin_start
daemon_start --open-deadline 3s
i=0
for kind in 404 403 500 close; do
	step "$kind"
	fault "$kind"
	errs 12 "$MOUNT_REFUSED" erofs "ten-$i" "$MNT"
	fault_clear
	eventually 40 erofs "ten-$i" "$MNT"
	same_tree 20 "$IMAGES/ten/$i" "$MNT"
	unmounted
	i=$((i + 1))
done

step "down"
origin_stop
errs 12 "$MOUNT_REFUSED" erofs "ten-$i" "$MNT"
origin_start
eventually 40 erofs "ten-$i" "$MNT"
same_tree 20 "$IMAGES/ten/$i" "$MNT"

step "a name that does not exist"
errs 12 "$MOUNT_REFUSED" erofs no-such-image "$MNT-2"
