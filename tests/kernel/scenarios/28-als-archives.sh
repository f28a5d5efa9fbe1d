# SPDX-License-Identifier: MIT
#: seconds 400
#: needs cachefilld
#: wants container
#
# Podman runs an image as it is in the registry, archives plain and compressed, without a layer
# being downloaded or converted: they are indexed once, and their files are read where they lie.

. "$KERNEL_TESTS/container.sh"
container_needs podman

step "a registry with the images"
container_registry
for tag in tar gz; do container_push $tag; done
container_config > "$RUN/conf"
CONFIG=$RUN/conf
daemon_start --trace "$RUN/trace"
podman_environment "$RUN/run/als"

for tag in tar gz; do
	image=$REGISTRY_HOST/team/app:$tag size=$(container_size $tag)
	config=$(container_config_size $tag)

	step "$tag: layers for podman"
	: > "$REGISTRY/door.log"
	works 100 ctl als add "$image"
	read=$(blob_bytes .)
	[ "$read" -le $((size + config + 3 * 131072)) ] || fail "$read of $size bytes read to index them"

	step "$tag: pull and run"
	: > "$REGISTRY/door.log"
	took=$(within 100 timed "$RUN/out" podman_pull "$image")
	took=$((took + $(within 100 timed "$RUN/out" podman run --rm --network=host "$image")))
	works 5 diff "$CONTAINER/expected" "$RUN/out"
	equal "$(blob_requests 'containers/image')" 1 "blobs that podman fetched, with the configuration"
	equal "$(blob_bytes 'containers/image')" "$config" "their bytes"
	fetched=$(blob_bytes cachefilld)
	echo "$tag: pulled and run after $took ms: $fetched of $size bytes"

	step "$tag: the end"
	works 20 podman rmi "$image"
	works 20 ctl als rm "$image"
	equal "$(ctl image ls --json | grep -c "team/app")" 0 "images that are left"
done
podman_end
equal "$(grep -c erofs /proc/mounts)" 0 "mounts that are left"
daemon_stop
kept_secret "$PASSWORD" "$BASIC"
