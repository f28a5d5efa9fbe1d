# SPDX-License-Identifier: MIT
#: seconds 240
#
# 20,000 files, one after the other, cold and warm.

origin_start
daemon_start
mounted many
step "cold"
same_tree 200 "$IMAGES/many" "$MNT"
step "warm"
unmounted
mounted many
drop_caches
same_tree 200 "$IMAGES/many" "$MNT"
step "done"
