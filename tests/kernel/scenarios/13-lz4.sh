# SPDX-License-Identifier: MIT
#
# A compressed image, read as the kernel can bear it: front to back, then wholly cached. 6.1 refuses
# these.

origin_start
daemon_start
mounted lz4
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
mounted lz4
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
