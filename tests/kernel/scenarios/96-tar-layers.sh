# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 240
#
# Layers as registries have them: tar archives, compressed or not, mounted as they are. Whoever reads
# little fetches little, and everything is as if it had been unpacked.

tell() { # what an unpacked tree and a mounted one must agree on
	(
		cd "$1"
		find . -mindepth 1 ! -type d -printf '%P %y %m %U %G %s %T@ %n %l\n' | sort
		find . -mindepth 1 -type d -printf '%P %y %m %U %G %T@\n' | sort
		find . -type f -exec sha256sum {} + | sort -k 2
		getfattr -R -h -d -m - -e hex . 2> /dev/null
		find . -type c -exec stat -c '%n %t %T' {} + | sort
	)
}

# same_as_unpacked ARCHIVE DIRECTORY
same_as_unpacked() {
	rm -rf "$RUN/unpacked"
	mkdir "$RUN/unpacked"
	works 60 tar xpf "$1" -C "$RUN/unpacked" --xattrs --xattrs-include='*'
	works 60 tell "$RUN/unpacked" > "$RUN/tell-1"
	works 120 tell "$2" > "$RUN/tell-2"
	works 10 diff "$RUN/tell-1" "$RUN/tell-2"
}

step "archives"
mkdir -p "$RUN"/{files,tree,top/{d,gone}}
cp -a "$IMAGES/tree/." "$RUN/tree"
mkdir -p "$RUN/tree/odd/opaque"
cd "$RUN/tree/odd"
echo below > opaque/below
echo one > file
ln file hard
ln -s ../big soft
mkfifo fifo
mknod null c 1 3
chown 1000:70000 file
chmod 4755 file
touch -d @1234567890.5 file
setfattr -n trusted.key -v value file
setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 file
: > empty
mkdir "$(printf 'd%.0s' {1..255})"
cd /
works 60 tar cf "$RUN/files/plain.tar" --format=posix --xattrs --xattrs-include='*' -C "$RUN/tree" .
works 60 gzip -k "$RUN/files/plain.tar"
mkdir -p "$RUN/top/odd/opaque"
echo new > "$RUN/top/odd/opaque/new"
: > "$RUN/top/odd/opaque/.wh..wh..opq"
: > "$RUN/top/odd/.wh.fifo"
works 20 tar czf "$RUN/files/top.tar.gz" -C "$RUN/top" odd

ORIGIN_FILES=$RUN/files
origin_start
daemon_start
if [ "$SIDE" = http ]; then : > "$RUN/access.log"; fi
image_add plain plain.tar
image_add gzip plain.tar.gz
image_add stacked plain.tar.gz top.tar.gz
size=$(stat -c %s "$RUN/files/plain.tar")

for image in plain gzip; do
	step "$image: a little of it"
	if [ "$SIDE" = http ]; then before=$(bytes '^GET /plain'); fi
	image_mounted "$image" "$MNT"
	works 30 cmp "$RUN/tree/odd/file" "$MNT/odd/file"
	works 30 find "$MNT" > "$RUN/found"
	for n in 1 3; do works 30 cmp <(piece "$MNT/big" "$n") <(piece "$RUN/tree/big" "$n"); done
	if [ "$SIDE" = http ]; then
		fetched=$(($(bytes '^GET /plain') - before))
		step "$fetched bytes of $size were fetched"
		[ "$fetched" -le $((size / 3)) ] || fail "$fetched bytes fetched of $size"
	fi

	step "$image: all of it"
	same_as_unpacked "$RUN/files/plain.tar" "$MNT"
	drop_caches
	same_as_unpacked "$RUN/files/plain.tar" "$MNT"
	if [ "$SIDE" = http ]; then
		fetched=$(($(bytes '^GET /plain') - before))
		step "$fetched bytes were fetched in all, of $(cd "$RUN/files" && stat -c "%n %s" plain* | tr "\n" " ")"
	fi
	image_unmounted "$MNT"
done

step "whiteouts"
image_mounted stacked "$MNT"
equal "$(ls "$MNT/odd/opaque")" new
[ ! -e "$MNT/odd/fifo" ] || fail "a whiteout hides nothing"
works 30 cmp "$RUN/tree/big" "$MNT/big"
image_unmounted "$MNT"

step "without the origin"
daemon_stop
origin_stop
daemon_start
image_mounted plain "$MNT"
same_as_unpacked "$RUN/files/plain.tar" "$MNT"
image_unmounted "$MNT"

step "indexes go with the last image that uses them"
equal "$(ls "$RUN/state/index" | wc -l)" 8
works 20 ctl image rm --state-dir "$RUN/state" gzip
equal "$(ls "$RUN/state/index" | wc -l)" 8
works 20 ctl image rm --state-dir "$RUN/state" stacked plain
equal "$(ls "$RUN/state/index" | wc -l)" 0
nothing_left
