# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 120
#
# A compressed image and the order of reads that hangs the kernel with a daemon that answers just
# what is asked (90-compressed-hangs.sh proves that it does), a crash in the middle of its fetch
# included.

origin_start
fault slow
daemon_start --read-deadline 60s
step "killed while the image is being fetched"
erofs lz4 "$MNT" &
mounting=$!
eventually 20 origin_busy
sleep 1
daemon_kill
works 20 gone "$mounting"
if mountpoint -q "$MNT"; then unmounted; fi
fault_clear

daemon_start --read-deadline 60s
mounted lz4
step "random"
for i in 5 2 7 1 3 6 0 4; do works 60 same_piece $i; done
drop_caches
step "front to back"
same_tree 60 "$IMAGES/tree" "$MNT"

step "killed with the image mounted"
daemon_kill
unmounted
daemon_start
mounted lz4
drop_caches
for i in 3 0 6; do works 60 same_piece $i; done
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
daemon_stop
unmounted

step "refused, if so configured"
daemon_start --compressed refuse
errs 15 "$MOUNT_REFUSED" erofs lz4 "$MNT"
