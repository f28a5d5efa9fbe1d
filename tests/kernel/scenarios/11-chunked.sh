# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#
# An image whose files are chunks of 1 MiB.

origin_start
daemon_start
mounted chunked
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
mounted chunked
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
