# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#
# Objects whose size is no multiple of anything.

origin_start
daemon_start
for size in 1 4095 4096 4097 1000001; do
	step "$size bytes"
	mounted "size-$size" "$MNT" "device=size-$size-blob"
	works 10 cmp "$IMAGES/size/$size/f" "$MNT/f"
	unmounted
	mounted "size-$size" "$MNT" "device=size-$size-blob"
	drop_caches
	works 10 cmp "$IMAGES/size/$size/f" "$MNT/f"
	unmounted
done

step "bytes behind the image"
mounted padded
same_tree 60 "$IMAGES/tree" "$MNT"
