# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#
# Two images of one domain share a blob: what one mount fetched the other finds.

origin_start
daemon_start
mounted split "$MNT-1" domain_id=shared,device=split-blob
mounted split-twin "$MNT-2" domain_id=shared,device=split-blob

same_tree 60 "$IMAGES/tree" "$MNT-1"
if [ "$SIDE" = http ]; then before=$(requests '^GET /split-blob'); fi
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT-2"
if [ "$SIDE" = http ]; then
	equal "$(requests '^GET /split-blob')" "$before" "requests for a blob that is cached"
	fetched=$(bytes '^GET /split-blob')
	size=$(stat -c %s "$IMAGES/origin/split-blob")
	[ "$fetched" -le $((size + 4096)) ] || fail "$fetched bytes fetched of a blob of $size"
fi

step "the first goes, the second stays"
unmounted "$MNT-1"
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT-2"
