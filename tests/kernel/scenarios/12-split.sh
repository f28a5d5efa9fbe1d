# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#
# Metadata and data in two objects (device=).

origin_start
daemon_start
mounted split "$MNT" device=split-blob
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
mounted split "$MNT" device=split-blob
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
