# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: needs cachefilld
#: guest own
#: seconds 120
#
# mount(8), umount(8) and fstab: the helpers lie where these look for them.

mkdir -p "$RUN/sbin" "$MNT" "$MNT-2"
cp "$TOOLS/cachefillctl" "$RUN/sbin/mount.cachefill"
ln -s mount.cachefill "$RUN/sbin/umount.cachefill"
mount -t overlay -o "lowerdir=$RUN/sbin:/usr/sbin" sbin /usr/sbin
run=/run/cachefilld
options=state-dir=$RUN/state,_netdev,nofail,x-systemd.requires=cachefilld.service

# left: nothing is mounted, and nothing is noted
left() {
	nothing_left "$run"
	equal "$(cat /run/mount/utab 2> /dev/null)" "" "notes of libmount"
}
# An overlay of this test stands on /usr/sbin.
nothing_left() {
	equal "$(grep -cE '^cachefilld | erofs ' /proc/mounts || true)" 0 "$(< /proc/mounts)"
	equal "$(cd "$1" && find . -mindepth 2)" "" "in $1"
}

origin_start
image_add one ten-0
image_add two ten-0 ten-1
daemon_start

step "mount -t, and umount"
works 30 mount -t cachefill one "$MNT" -o "$options,nosuid,noexec"
grep -q "^cachefilld $MNT erofs ro,nosuid,nodev,noexec" /proc/mounts || fail "$(< /proc/mounts)"
same_tree 30 "$IMAGES/ten/0" "$MNT"
works 30 umount "$MNT"
left

step "fstab, twice"
mkdir "$RUN/upper, one"
cat > "$RUN/fstab" <<-FSTAB
	one $MNT cachefill $options 0 0
	two $MNT-2 cachefill $options,upper="$RUN/upper,\\040one" 0 0
FSTAB
works 60 mount -T "$RUN/fstab" -a
works 60 mount -T "$RUN/fstab" -a
equal "$(grep -c "^cachefilld $MNT erofs" /proc/mounts)" 1 "mounts of one"
equal "$(grep -c "^two $MNT-2 overlay rw" /proc/mounts)" 1 "mounts of two"
echo kept > "$MNT-2/kept"
works 30 umount "$MNT" "$MNT-2"
equal "$(cat "$RUN/upper, one/upper/kept")" kept
left

step "lazily, while it is in use"
works 30 mount -t cachefill two "$MNT" -o "$options,writable"
cd "$MNT"
errs 20 "in use" umount "$MNT"
works 20 umount -l "$MNT"
cd /
left

step "past the helper: the next command of ours cleans up"
works 30 mount -t cachefill two "$MNT" -o "$options,writable"
works 20 umount -i "$MNT"
equal "$(ls $run/layers | wc -l)" 2 "layers"
works 30 mount -t cachefill one "$MNT" -o "$options"
equal "$(ls $run/layers | wc -l)" 1 "layers"
works 30 umount "$MNT"
left

# status STATUS COMMAND...
status() {
	local status=0
	within 30 "${@:2}" > "$RUN/said" 2>&1 || status=$?
	equal "$status" "$1" "${*:2}: $(< "$RUN/said")"
}

step "statuses of mount(8)"
status 1 mount.cachefill
status 1 mount.cachefill one "$MNT" -o "$options,fly"
status 1 mount.cachefill one "$MNT" -o "$options,ro,writable"
status 0 mount.cachefill other "$MNT" -f -o "$options"
status 32 mount.cachefill other "$MNT" -o "$options"
status 32 umount.cachefill "$MNT"
status 1 umount.cachefill
works 30 mount.cachefill one "$MNT" -v -o "$options" > "$RUN/said"
grep -q "one mounted on $MNT" "$RUN/said" || fail "$(< "$RUN/said")"
status 32 mount.cachefill two "$MNT" -o "$options"
status 0 umount.cachefill "$MNT"
left

step "in another mount namespace"
unshare -m sleep 1000 &
other=$!
eventually 10 eval '[ "$(readlink /proc/$other/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]'
status 0 mount.cachefill one "$MNT" -N "$other" -o "$options"
! grep -q "$MNT" /proc/mounts || fail "it is here"
grep -q "^cachefilld $MNT " "/proc/$other/mounts" || fail "it is not there"
status 32 umount.cachefill "$MNT"
grep -q "another mount namespace" "$RUN/said" || fail "$(< "$RUN/said")"
"$TOOLS/cachefillctl" mounts | grep -q elsewhere || fail "$("$TOOLS/cachefillctl" mounts)"
kill "$other"
wait "$other" || true
status 0 umount.cachefill "$MNT"
left

umount -l /usr/sbin
