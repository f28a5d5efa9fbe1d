# SPDX-License-Identifier: MIT
#: seconds 180
#: needs cachefilld
#
# An image of archives, as an overlay of two directories would have made it, is built, pushed and
# mounted, verified block by block: what one sees is what the overlay has, and the same bytes each
# time.

. "$KERNEL_TESTS/registry.sh"
registry_needs docker-registry mkfs.erofs tar setfattr getfattr

disk=/mnt/cache/97-work # attributes and devices
mkdir -p "$disk"

step "a lower and an upper layer"
lower=$disk/lower upper=$disk/upper merged=$disk/merged
mkdir -p "$lower" "$upper" "$disk/work" "$merged"
cp -a "$IMAGES/tree/." "$lower/"
mkdir -p "$lower/gone" "$lower/replaced" "$lower/kept/deep" "$lower/tmp"
chmod 1777 "$lower/tmp"
chmod 2750 "$lower/kept"
chown 12:34 "$lower/kept"
echo a | tee "$lower/gone/a" "$lower/replaced/a" "$lower/kept/a" "$lower/kept/deep/a" > /dev/null
ln "$lower/kept/a" "$lower/kept/b"
cp /bin/true "$lower/kept/setuid"
chmod 4755 "$lower/kept/setuid"
setfattr -n user.note -v text "$lower/kept/a"
mknod "$lower/kept/device" c 1 3
mkfifo "$lower/kept/fifo"
touch -d @1000000000.5 "$lower/kept/a"
mount -t overlay o -o "lowerdir=$lower,upperdir=$upper,workdir=$disk/work" "$merged"
rm -r "$merged/gone" "$merged/replaced" "$merged/kept/setuid"
mkdir "$merged/replaced"
echo b > "$merged/replaced/b"
echo b > "$merged/tmp/b"
echo longer > "$merged/kept/deep/a"
rm "$merged/kept/deep/a"
echo again > "$merged/kept/deep/a"
# What the archives do not mention is as it was.
touch -r "$lower/kept/deep" "$merged/kept/deep"
touch -r "$lower/tmp" "$merged/tmp"
touch -r "$lower" "$merged"

step "their archives"
archive() { tar c --format=pax --numeric-owner --xattrs --xattrs-include='user.*' -C "$1" "${@:2}"; }
archive "$lower" . | gzip -n > "$disk/1"
# As image builders write it: whiteouts by name, and directories that are only passed are left out.
mkdir "$disk/layer"
cp -a "$upper/." "$disk/layer/"
find "$upper" -type c -printf '%P\n' | while read -r name; do
	rm "$disk/layer/$name"
	touch -d @0 "$disk/layer/$(dirname "$name")/.wh.$(basename "$name")"
done
find "$upper" -mindepth 1 -type d -printf '%P\n' | while read -r name; do
	getfattr --absolute-names --only-values -n trusted.overlay.opaque "$upper/$name" \
		> /dev/null 2>&1 || continue
	touch -d @0 "$disk/layer/$name/.wh..wh..opq"
done
find "$upper" -type d -printf '%P\n' | while read -r name; do
	touch -r "$upper/$name" "$disk/layer/$name"
done
(cd "$disk/layer" && find . -mindepth 1 ! -path ./tmp ! -path ./kept/deep) |
	archive "$disk/layer" --no-recursion -T - > "$disk/2"
tar tf "$disk/2" | grep -q '^./replaced/.wh..wh..opq$' || fail "nothing is opaque"
tar tf "$disk/2" | grep -q '^./.wh.gone$' || fail "nothing is gone"

step "a layout of them"
layout=$disk/layout
mkdir -p "$layout/blobs/sha256"
add() {
	local digest
	digest=$(sha256sum < "$1" | cut -d' ' -f1)
	cp "$1" "$layout/blobs/sha256/$digest"
	echo "\"digest\": \"sha256:$digest\", \"size\": $(stat -c %s "$1")"
}
type=application/vnd.oci.image
ids="\"sha256:$(zcat "$disk/1" | sha256sum | cut -d' ' -f1)\",
	\"sha256:$(sha256sum < "$disk/2" | cut -d' ' -f1)\""
echo "{\"architecture\": \"amd64\", \"os\": \"linux\",
	\"rootfs\": {\"type\": \"layers\", \"diff_ids\": [$ids]}}" > "$disk/config"
cat > "$disk/manifest" <<-JSON
{"schemaVersion": 2, "mediaType": "$type.manifest.v1+json",
 "config": {"mediaType": "$type.config.v1+json", $(add "$disk/config")},
 "layers": [{"mediaType": "$type.layer.v1.tar+gzip", $(add "$disk/1")},
            {"mediaType": "$type.layer.v1.tar", $(add "$disk/2")}]}
JSON
cat > "$layout/index.json" <<-JSON
{"schemaVersion": 2, "manifests": [{"mediaType": "$type.manifest.v1+json", $(add "$disk/manifest")}]}
JSON
echo '{"imageLayoutVersion": "1.0.0"}' > "$layout/oci-layout"

step "built, twice"
image() { "$TOOLS/cachefillctl" image "$@"; }
works 60 image build --verity --tmp-dir "$disk" "$disk/built" "oci-layout:$layout" > "$RUN/built"
works 60 image build --verity --tmp-dir "$disk" "$disk/again" "oci-layout:$layout" > "$RUN/again"
works 20 diff -r "$disk/built" "$disk/again"
equal "$(sed -n 2p "$RUN/built")" "$(sed -n 2p "$RUN/again")" "digest"
equal "$(ls -d "$disk"/*.?????? 2> /dev/null)" "" "what is left"

step "pushed"
registry_door open "$OPEN"
CONFIG=$RUN/conf
cat > "$CONFIG" <<-CONF
source registry {
	url = oci://127.0.0.1:$OPEN/{cookie}
	plain-http = yes
}
CONF
works 60 image push --config "$CONFIG" "$disk/built" "oci://127.0.0.1:$OPEN/team/app:v1" > "$RUN/pushed"
equal "$(cat "$RUN/pushed")" "$(sed -n 2p "$RUN/built")" "digest"

step "mounted: what the overlay has"
daemon_start
works 30 ctl image add --config "$CONFIG" --state-dir "$RUN/state" app "oci://127.0.0.1:$OPEN/team/app:v1"
image_mounted app "$MNT-1" --config "$CONFIG"
equal "$(ctl image inspect --config "$CONFIG" --state-dir "$RUN/state" app | grep -c 'verified blocks$')" 2 \
	"layers that are verified"
listing() {
	(cd "$1" && find . -printf '%p %y %m %U:%G %T@ %n\n' | sed 's/^\(\S* d .*\) [0-9]*$/\1/' | sort &&
		find . -type f -print0 | sort -z | xargs -0 sha256sum &&
		find . -type c -o -type p | sort | xargs stat -c '%n %t:%T' &&
		find . -type l -printf '%p %l\n' | sort &&
		find . -print0 | sort -z | xargs -0 getfattr -h -d -m '^user' 2> /dev/null)
}
within 60 listing "$merged" > "$RUN/want"
within 60 listing "$MNT-1" > "$RUN/have"
works 5 diff "$RUN/want" "$RUN/have"
grep -q 'user.note="text"' "$RUN/have" || fail "no attributes"
image_unmounted "$MNT-1"
works 20 umount "$merged"
nothing_left
daemon_stop
rm -rf "$disk"
