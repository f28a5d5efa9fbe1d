# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#
# kill -9 in the middle of the work: the next start works on the same cache and the bytes are right.

origin_start
daemon_start
mounted plain
works 20 same_piece 1
diff -r --no-dereference "$IMAGES/tree" "$MNT" > "$RUN/diff" 2>&1 &
reader=$!
step "killed"
daemon_kill
works 20 gone "$reader"
unmounted

daemon_start
mounted plain
same_tree 60 "$IMAGES/tree" "$MNT"

step "killed when all is cached"
daemon_kill
unmounted
if [ "$SIDE" = http ]; then before=$(bytes '^GET /plain'); fi
daemon_start
mounted plain
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
if [ "$SIDE" = http ]; then equal "$(bytes '^GET /plain')" "$before" "bytes for a cached image"; fi
