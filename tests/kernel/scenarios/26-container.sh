# SPDX-License-Identifier: MIT
#: seconds 180
#: needs cachefilld
#: wants container
#
# A container whose files have not been fetched: an image of three EROFS layers in a registry with
# TLS and passwords, mounted writable, run by crun and by podman.

. "$KERNEL_TESTS/container.sh"
container_needs crun podman

step "a registry with the image"
container_registry
container_push erofs
container_config > "$RUN/conf"
CONFIG=$RUN/conf
daemon_start --trace "$RUN/trace"
: > "$REGISTRY/door.log"

step "mounted"
bundle "$RUN/bundle" "${PROGRAM[@]}"
rootfs=$RUN/bundle/rootfs
works 30 ctl image add app "$REGISTRY_HOST/team/app:erofs"
works 30 ctl mount --writable="$RUN/written" app "$rootfs"

step "crun"
took=$(within 100 timed "$RUN/out" crun run --bundle "$RUN/bundle" first)
works 5 diff "$CONTAINER/expected" "$RUN/out"
fetched=$(blob_bytes .) size=$(container_size erofs)
echo "first output after $took ms: $fetched of $size bytes, in $(blob_requests .) requests"
[ "$fetched" -lt $((size / 2)) ] || fail "$fetched of $size bytes were fetched"

step "podman, from what is cached"
drop_caches
podman_environment
works 60 podman run --rm --network=host --rootfs "$rootfs" "${PROGRAM[@]}" > "$RUN/out"
works 5 diff "$CONTAINER/expected" "$RUN/out"
# What the kernel reads ahead is not the same twice.
more=$(($(blob_bytes .) - fetched))
[ "$more" -lt $((fetched / 3)) ] || fail "$more bytes were fetched for the same program once more"

step "what is written"
works 60 podman run --rm --network=host --rootfs "$rootfs" \
	sh -c 'rm /etc/app/settings.json && echo here > /etc/app/written && cat /etc/app/written' \
	> "$RUN/out"
equal "$(cat "$RUN/out")" here
podman_end
works 20 ctl umount "$rootfs"
equal "$(grep -c erofs /proc/mounts)" 0 "mounts that are left"
equal "$(cat "$RUN/written/upper/etc/app/written")" here "what was written"
[ -c "$RUN/written/upper/etc/app/settings.json" ] || fail "what was removed is not hidden"

step "the same image once more, as it was"
works 30 ctl mount app "$rootfs"
[ -e "$rootfs/etc/app/settings.json" ] || fail "the image has changed"
works 20 ctl umount "$rootfs"
daemon_stop
kept_secret "$PASSWORD" "$BASIC"
