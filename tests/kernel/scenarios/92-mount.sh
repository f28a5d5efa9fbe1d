# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#: needs cachefilld
#: seconds 120
#
# Images of one layer, of several, of several devices: mounted by name, read-only and writable, listed
# and unmounted, and nothing is left.

origin_start
image_add one ten-0
image_add two ten-0 ten-1
image_add split split device=split-blob
daemon_start

step "one layer is a bind mount of it"
image_mounted one "$MNT-1"
same_tree 30 "$IMAGES/ten/0" "$MNT-1"
errs 10 'Read-only' touch "$MNT-1/x"
grep -q "^cachefilld $MNT-1 erofs ro,nodev" /proc/mounts || fail "$(< /proc/mounts)"
equal "$(cat /sys/class/bdi/erofs-*/read_ahead_kb)" 128 "read-ahead"

step "devices"
image_mounted split "$MNT-2" --read-ahead 1M
same_tree 60 "$IMAGES/tree" "$MNT-2"
equal "$(cat /sys/class/bdi/erofs-*/read_ahead_kb | sort)" "$(printf '1024\n128')" "read-ahead"

step "a layer that two images have is mounted once"
image_mounted two "$MNT-3" -w
equal "$(grep -c "^cachefilld $RUN/cachefilld/layers/" /proc/mounts)" 3 "mounts of layers"
(cd "$IMAGES/ten/1" && find . -type f -exec sha256sum {} +) > "$RUN/sums"
cd "$MNT-3"
works 30 sha256sum -c --quiet "$RUN/sums" # the second layer is on top
cd /
echo new > "$MNT-3/new"

step "and a directory keeps what is written"
image_mounted two "$MNT-4" --writable="$RUN/with, : and \\"
rm -r "$MNT-4"/d*
echo kept > "$MNT-4/kept"
echo kept >> "$MNT-4/new"
equal "$(cat "$RUN/with, : and \\/upper/kept")" kept
equal "$(stat -c %a.%u "$RUN/with, : and \\/upper")" "$(stat -c %a.%u "$MNT-1")" "of the root"
mkdir "$MNT-5"
errs 10 "$MNT-4 writes to" ctl_mount two "$MNT-5" --writable="$RUN/with, : and \\"

step "the list"
equal "$(ctl mounts | wc -l)" 4
equal "$(ctl mounts --json | grep -c '"state":"mounted"')" 4
ctl mounts | grep -qE "^$MNT-3 +two +2 layers +writable in memory$" || fail "$(ctl mounts)"

step "what is in use is not unmounted, but lazily"
exec 9< "$MNT-3/new"
errs 10 "in use" ctl umount "$MNT-3"
equal "$(cat "$MNT-3/new")" new
image_unmounted --lazy "$MNT-3"
[ ! -e "$MNT-3/new" ] || fail "still there"
equal "$(cat <&9)" new
exec 9<&-

step "layers stay for whoever has them"
image_unmounted "$MNT-4"
equal "$(ls "$RUN/cachefilld/layers" | wc -l)" 2 "layers"
drop_caches
same_tree 30 "$IMAGES/ten/0" "$MNT-1"

step "what was written is there again"
image_mounted two "$MNT-4" --writable="$RUN/with, : and \\"
equal "$(cat "$MNT-4/kept")" kept
equal "$(find "$MNT-4" -maxdepth 1 -name 'd*')" "" "removed directories"

step "what is mounted is not removed"
errs 10 "is mounted at $MNT-4" ctl image rm --state-dir "$RUN/state" two

step "all"
image_unmounted --all
nothing_left
equal "$(ctl mounts)" ""
works 10 ctl image rm --state-dir "$RUN/state" two one split

step "a reference is an image as long as it is mounted"
url=$(template)
url=${url/"{cookie}"/ten-2}
image_mounted "$url" "$MNT-1"
same_tree 30 "$IMAGES/ten/2" "$MNT-1"
image_mounted "$url" "$MNT-2" -w
equal "$(ctl image ls --state-dir "$RUN/state" | grep -c ten-2)" 1
image_unmounted "$MNT-1"
equal "$(ctl image ls --state-dir "$RUN/state" | grep -c ten-2)" 1
same_tree 30 "$IMAGES/ten/2" "$MNT-2"
image_unmounted "$MNT-2"
equal "$(ctl image ls --state-dir "$RUN/state" | grep -c ten-2 || true)" 0
nothing_left
errs 20 "ten-not-there" ctl_mount "${url/ten-2/ten-not-there}" "$MNT-1"
equal "$(ctl image ls --state-dir "$RUN/state" | grep -c ten || true)" 0
nothing_left
