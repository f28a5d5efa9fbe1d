# SPDX-License-Identifier: MIT
#: seconds 500
#: needs cachefilld
#: wants container
#
# An ordinary podman, an ordinary image of compressed archives, what image build makes of it, and an
# additional layer store with those layers: podman fetches none, and what it runs fetches what it
# reads.

. "$KERNEL_TESTS/container.sh"
container_needs podman

step "a registry with the image"
container_registry
container_push gz
container_config > "$RUN/conf"
CONFIG=$RUN/conf
image=$REGISTRY_HOST/team/app:gz
size=$(container_size gz)

step "and with what is made of it"
mkdir "$CACHE/tmp"
works 200 ctl image build --tmp-dir "$CACHE/tmp" "$RUN/built" "oci://$image"
works 100 ctl image push "$RUN/built" "oci://$REGISTRY_HOST/team/app:lazy"
rm -rf "$RUN/built"
daemon_start --trace "$RUN/trace"

step "layers for podman"
works 30 ctl image add converted "oci://$REGISTRY_HOST/team/app:lazy"
works 60 ctl als add "oci://$image" > "$RUN/out"
equal "$(cat "$RUN/out")" "$image" "podman's name of the image"
[[ "$(ctl als ls)" =~ ^"$image"\ +3\ layers\ +[0-9]+\ MiB$ ]] || fail "als ls: $(ctl als ls)"
errs 10 'is mounted' ctl image rm converted

step "pull"
: > "$REGISTRY/door.log"
podman_environment "$RUN/run/als"
took=$(within 100 timed "$RUN/out" podman_pull "$image")
equal "$(blob_requests 'containers/image')" 1 "blobs that podman fetched, with the configuration"
equal "$(blob_bytes 'containers/image')" "$(container_config_size gz)" "their bytes"

step "run"
took=$((took + $(within 100 timed "$RUN/out" podman run --rm --network=host "$image")))
works 5 diff "$CONTAINER/expected" "$RUN/out"
equal "$(blob_requests 'containers/image')" 1 "blobs that podman fetched"
fetched=$(blob_bytes .)
echo "pulled and run after $took ms: $fetched of $size compressed, $(container_size erofs) or so converted"
[ "$fetched" -lt $(($(container_size erofs) / 2)) ] || fail "$fetched bytes were fetched"

step "once more, cold, from what is cached"
drop_caches
works 60 podman run --rm --network=host "$image" > "$RUN/out"
works 5 diff "$CONTAINER/expected" "$RUN/out"
# What the kernel reads ahead is not the same twice.
more=$(($(blob_bytes .) - fetched))
[ "$more" -lt $((fetched / 3)) ] || fail "$more bytes were fetched for the same program once more"

step "taken back while a container runs"
mkfifo "$RUN/fifo"
podman run -i --rm --network=host "$image" \
	sh -c 'echo up; read x; cat /usr/lib/os-release' < "$RUN/fifo" > "$RUN/out" &
container=$!
exec 9> "$RUN/fifo"
eventually 60 grep -qx up "$RUN/out"
works 20 ctl als rm "$image"
errs 20 'still in use' ctl als add "$image"
equal "$(ctl als ls)" '' "what is left of an add that failed"
exec 9>&-
wait "$container" || fail "the container did not survive"
grep -q '^ID=debian' "$RUN/out" || fail "not what the container was to print: $(cat "$RUN/out")"

step "an add that is killed while the kernel waits"
no_layers() { ! grep -q erofs /proc/mounts; }
recorded() { cat "$RUN"/run/mounts/*.json 2> /dev/null | grep -q layers; }
eventually 20 no_layers
kill -STOP "$DAEMON_PID"
ctl als add "$image" > "$RUN/killed" 2>&1 &
tool=$!
eventually 20 recorded
pkill -KILL -P "$tool" -x cachefillctl
wait "$tool" || true
kill -CONT "$DAEMON_PID"
eventually 20 no_layers
works 60 ctl als add "$image" > "$RUN/out"
works 60 podman run --rm --network=host "$image" > "$RUN/out"
works 5 diff "$CONTAINER/expected" "$RUN/out"

step "the end"
works 20 podman rmi "$image"
podman_end
layers=("$RUN"/run/als/*/sha256:*/blob)
[ -d "${layers[0]}" ] || fail "podman would not find ${layers[0]}"
works 20 ctl umount --all
[ ! -e "${layers[0]}" ] || fail "podman would find a layer that is not mounted"
[[ "$(ctl als ls)" == *"not mounted"* ]] || fail "als ls: $(ctl als ls)"
works 20 ctl als rm "$image"
equal "$(ctl als ls)" '' "layers that are left"
equal "$(grep -c erofs /proc/mounts)" 0 "mounts that are left"
equal "$(find "$RUN/run/als" "$RUN/run/mounts" "$RUN/run/layers" -mindepth 1)" '' "files that are left"
works 20 ctl image rm converted
daemon_stop
kept_secret "$PASSWORD" "$BASIC"
