# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 120
#
# An image whose fs-verity digest is known is read as any other, and no byte of a block that is not
# the right one: neither from a source that takes digests for names, nor from an image of the store.

others_are_right() {
	(cd "$MNT" && grep -v ' \./big$' "$IMAGES/tree.sums" | sha256sum --check --quiet)
}

mkdir "$RUN/files"
cp "$IMAGES/origin/plain" "$RUN/files/image"
digest=$(fsverity digest --out-merkle-tree="$RUN/tree" --out-descriptor="$RUN/descriptor" \
	"$RUN/files/image")
digest=${digest%% *}
cat "$RUN/descriptor" "$RUN/tree" > "$RUN/files/image.verity"
ORIGIN_FILES=$RUN/files
origin_start
url=http://127.0.0.1:$PORT/image
printf '%s\n' 'source digests {' "url = $url" 'verify = fs-verity:sha256:{cookie}' '}' > "$RUN/conf"
CONFIG=$RUN/conf

daemon_start
step "by its digest"
mounted "${digest#sha256:}"
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted

step "another digest"
other=sha256:$(printf '%064d' 7)
errs 30 "$MOUNT_REFUSED" erofs "${other#sha256:}" "$MNT"
errs 20 'not the one that the digest is of' ctl image add --state-dir "$RUN/state" other \
	"fs-verity:$other;$url"

step "a byte changes at the origin, and nothing else does"
works 30 ctl image add --state-dir "$RUN/state" good "fs-verity:$digest;$url"
at=$(($(stat -c %s "$RUN/files/image") / 2))
cp -p "$RUN/files/image" "$RUN/changed"
dd if=/dev/zero of="$RUN/changed" bs=1 seek="$at" count=16 conv=notrunc status=none
touch -r "$RUN/files/image" "$RUN/changed"
cat "$RUN/changed" > "$RUN/files/image"
touch -r "$RUN/changed" "$RUN/files/image"
image_mounted good "$MNT"
errs 60 'Input/output error' cat "$MNT/big"
works 60 others_are_right
grep -q "the 4 KiB at byte $((at / 4096 * 4096)) are not those of the fs-verity digest" \
	"$LOGS/daemon.log" || fail "no word of the wrong block"
image_unmounted "$MNT"
