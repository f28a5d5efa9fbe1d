# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#
# An object of 8 GiB, read at its end: offsets beyond 32 bits, and nothing of the rest is fetched.

origin_start
daemon_start
mounted size-huge "$MNT" device=size-huge-blob
works 20 cmp "$IMAGES/size/huge/f" "$MNT/f"
if [ "$SIDE" = http ]; then
	fetched=$(bytes '^GET /size-huge-blob')
	[ "$fetched" -le $((64 << 20)) ] || fail "$fetched bytes fetched to read one MiB"
fi
