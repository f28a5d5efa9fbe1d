# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: needs cachefilld
#: seconds 200
#
# Layers as those of containers: whiteouts, directories that hide what is below, a hundred of them; one
# that two images share is fetched once; what is cached is mounted without its origin.

mkdir -p "$RUN"/{files,l1/{a,b,c},l2/{a,b},l3}
head -c 3000000 /dev/urandom > "$RUN/l1/big"
for f in a/1 a/2 b/1 b/2 c/1; do echo "$f of 1" > "$RUN/l1/$f"; done
mknod "$RUN/l2/a/1" c 0 0
mknod "$RUN/l2/c" c 0 0
setfattr -n trusted.overlay.opaque -v y "$RUN/l2/b"
echo "b/3 of 2" > "$RUN/l2/b/3"
chown 7:8 "$RUN/l3"
chmod 751 "$RUN/l3"
for l in 1 2 3; do works 20 mkfs.erofs "$RUN/files/l$l" "$RUN/l$l" > "$RUN/mkfs"; done
cp "$IMAGES"/origin/split{,-twin,-blob} "$RUN/files"

ORIGIN_FILES=$RUN/files
origin_start
image_add app l{1,2,3}
image_add base l1
image_add split split device=split-blob
image_add twin split-twin device=split-blob
daemon_start

step "whiteouts"
image_mounted app "$MNT"
equal "$(cd "$MNT" && find . | sort | tr '\n' ' ')" ". ./a ./a/2 ./b ./b/3 ./big "
equal "$(cat "$MNT/b/3" "$MNT/a/2")" "$(printf 'b/3 of 2\na/2 of 1')"
equal "$(stat -c %a.%u.%g "$MNT")" 751.7.8 "the root is that of the top layer"
image_unmounted "$MNT"

step "a layer that comes twice"
image_add again l1 l2 l1
image_mounted again "$MNT"
equal "$(cd "$MNT" && find . | sort | tr '\n' ' ')" \
	". ./a ./a/1 ./a/2 ./b ./b/1 ./b/2 ./b/3 ./big ./c ./c/1 "
image_unmounted "$MNT"
image_mounted app "$MNT"

step "a layer of two images is fetched once"
works 20 cmp "$RUN/l1/big" "$MNT/big"
before=$(requests '^GET /l1 ')
image_mounted base "$MNT-2"
drop_caches
works 20 cmp "$RUN/l1/big" "$MNT-2/big"
equal "$(requests '^GET /l1 ')" "$before" "requests for a layer that is there"
image_unmounted "$MNT"
works 20 cmp "$RUN/l1/big" "$MNT-2/big"
image_unmounted "$MNT-2"

step "so is a device of two images"
image_mounted split "$MNT"
image_mounted twin "$MNT-2"
same_tree 60 "$IMAGES/tree" "$MNT"
before=$(requests '^GET /split-blob ')
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT-2"
equal "$(requests '^GET /split-blob ')" "$before" "requests for a device that is there"
image_unmounted "$MNT" "$MNT-2"
nothing_left

step "without the origin"
daemon_stop
daemon_start
origin_stop
image_mounted base "$MNT"
works 20 cmp "$RUN/l1/big" "$MNT/big"
image_mounted split "$MNT-2"
same_tree 60 "$IMAGES/tree" "$MNT-2"
image_unmounted --all
nothing_left

step "a hundred layers"
origin_start
mkdir "$RUN"/t{1,2,3}
for l in 1 2 3; do
	echo "$l" | tee "$RUN/t$l/f" > "$RUN/t$l/f$l"
	works 20 mkfs.erofs "$RUN/files/t$l" "$RUN/t$l" > "$RUN/mkfs"
done
(cd "$RUN/files" && tee many-{1..98} < t2 > "$RUN/mkfs")
image_add many t1 many-{1..98} t3
mkdir -p "$MNT"
works 100 ctl_mount many "$MNT" -w
equal "$(cat "$MNT"/{f,f1,f2,f3} | tr '\n' ' ')" "3 1 2 3 "
equal "$(ls "$RUN/cachefilld/layers" | wc -l)" 100
image_unmounted "$MNT"
nothing_left
