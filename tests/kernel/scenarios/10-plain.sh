# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#
# One image, whole life: cold, warm, mounted again with everything cached and nobody to ask.

origin_start
daemon_start

step "cold"
mounted plain
same_tree 60 "$IMAGES/tree" "$MNT"

step "warm"
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted

step "mounted again"
if [ "$SIDE" = http ]; then before=$(bytes '^GET /plain'); fi
mounted plain
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
if [ "$SIDE" = http ]; then equal "$(bytes '^GET /plain')" "$before" "bytes for a cached image"; fi

step "mounted again, the origin stopped"
origin_stop
mounted plain
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
