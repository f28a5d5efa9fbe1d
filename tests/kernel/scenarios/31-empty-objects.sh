# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#: needs cachefilld
#
# Objects too small for what is read from them: an error, soon, and never zeros for bytes nobody
# sent.

origin_start
daemon_start
step "no image"
for object in object-0 object-1; do
	errs 10 "$MOUNT_REFUSED" erofs "$object" "$MNT"
done
step "an image cut off behind its first inodes"
mounted object-4095
errs 10 "$NO_BYTES|Structure needs" diff -r --no-dereference "$IMAGES/tree" "$MNT"
unmounted
step "an empty blob"
mounted size-0 "$MNT" device=size-0-blob
errs 10 'Input/output error' cat "$MNT/f"
