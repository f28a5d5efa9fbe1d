# SPDX-License-Identifier: MIT
#: kernels 6.12
#: sides http
#: seconds 120
#: needs cachefilld
#
# An image is prefetched while it is mounted, and one that nobody has mounted; then the origin goes
# down, and all of both can be read.

tool() { ctl "$@" --state-dir "$RUN/state"; }

origin_start
image_add one ten-0
image_add split split device=split-blob
daemon_start

step "what is mounted"
image_mounted split "$MNT"
works 60 tool prefetch split > "$RUN/answer"
grep -q '^fetched .* of ' "$RUN/answer" || fail "$(< "$RUN/answer")"

step "what is not"
works 60 tool prefetch one --json > "$RUN/answer"
grep -q '"state":"done"' "$RUN/answer" || fail "$(< "$RUN/answer")"
equal "$(ctl mounts | wc -l)" 1 "mounts"
[ ! -e "$RUN/cachefilld/prefetch" ] || fail "its place is left"

step "beside a mount of the same"
works 60 tool prefetch one --background > "$RUN/answer"
image_mounted one "$MNT-2"
eventually 20 eval '! ctl mounts | grep -q /prefetch/'

step "without an origin"
origin_stop
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
same_tree 60 "$IMAGES/ten/0" "$MNT-2"
image_unmounted --all
nothing_left
