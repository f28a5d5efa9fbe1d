# SPDX-License-Identifier: MIT
#: seconds 180
#: needs cachefilld
#: wants container
#
# A container whose files have not been fetched: three EROFS layers in a registry with TLS and
# passwords, stacked, run by crun and by podman.

. "$KERNEL_TESTS/container.sh"
container_needs crun podman

step "a registry with the image"
container_registry
container_push erofs
container_layers erofs

step "its layers, stacked"
CONFIG=$RUN/conf
container_sources > "$CONFIG"
daemon_start --trace "$RUN/trace"
: > "$REGISTRY/door.log"
lower=
for i in 0 1 2; do
	mounted "${LAYERS[i]}" "$RUN/layer-$i" "domain_id=$DOMAIN"
	lower=$RUN/layer-$i${lower:+:$lower}
done
bundle "$RUN/bundle" "${PROGRAM[@]}"
mkdir "$RUN"/{upper,work}
works 10 mount -t overlay -o "lowerdir=$lower,upperdir=$RUN/upper,workdir=$RUN/work" overlay \
	"$RUN/bundle/rootfs"

step "crun"
took=$(within 100 timed "$RUN/out" crun run --bundle "$RUN/bundle" first)
works 5 diff "$CONTAINER/expected" "$RUN/out"
fetched=$(blob_bytes .) size=$(container_size erofs)
echo "first output after $took ms: $fetched of $size bytes, in $(blob_requests .) requests"
[ "$fetched" -lt $((size / 2)) ] || fail "$fetched of $size bytes were fetched"

step "podman, from what is cached"
drop_caches
podman_environment
works 60 podman run --rm --network=host --rootfs "$RUN/bundle/rootfs" \
	"${PROGRAM[@]}" > "$RUN/out"
works 5 diff "$CONTAINER/expected" "$RUN/out"
more=$(($(blob_bytes .) - fetched))
[ "$more" -lt 1000000 ] || fail "$more bytes were fetched for the same program once more"

step "what is written"
works 60 podman run --rm --network=host --rootfs "$RUN/bundle/rootfs" \
	sh -c 'rm /etc/app/settings.json && echo here > /etc/app/written && cat /etc/app/written' \
	> "$RUN/out"
equal "$(cat "$RUN/out")" here
equal "$(cat "$RUN/upper/etc/app/written")" here "what was written"
[ -c "$RUN/upper/etc/app/settings.json" ] || fail "what was removed"
unmounted "$RUN/bundle/rootfs"
daemon_stop
kept_secret "$PASSWORD" "$BASIC"
