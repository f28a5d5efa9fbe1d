#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Makes the trees and images of the scenarios, on the host, because a guest is slow at it:
#
#	make-images.sh DIR
#
# DIR/tree, DIR/many (20,000 files) and DIR/files (1000) are sources, DIR/origin is what a server
# serves. What a source holds stands in TREE.names, and what its files hold in TREE.sums, so that
# nobody has to read it once more. Seeded and dated, so two runs make the same bytes. Does nothing when DIR is already
# complete.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
stamp=$(cat "$here"/{make-images.sh,emit-tree.pl,repoint.pl,superblock.pl} | sha256sum)
if [ "$(cat "$dir/complete" 2> /dev/null)" = "$stamp" ]; then exit 0; fi
# Beside the old ones, which a guest may be reading.
rm -rf "$dir.new"
mkdir -p "$dir.new/origin"
cd "$dir.new"

serial=0
image() { # NAME TREE [OPTION]...: origin/NAME from TREE, each with its own UUID
	local name=$1 tree=$2
	shift 2
	serial=$((serial + 1))
	mkfs.erofs -T1700000000 -U"$(printf '00000000-0000-4000-8000-%012d' $serial)" \
		"$@" "origin/$name" "$tree" > mkfs.log 2>&1 || { cat mkfs.log >&2; exit 1; }
}

# source TREE ARGUMENT...
source_tree() {
	local where=$PWD/$1
	perl "$here/emit-tree.pl" "$@"
	(
		cd "$where"
		find . ! -type d -printf '%P %y %m %s %n %l\n' | LC_ALL=C sort > "$where.names"
		find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum > "$where.sums"
	)
}

source_tree tree 1 400 20000 24
source_tree many 2 20000 6000 0
source_tree files 5 1000 12000 0

image plain tree
image chunked tree --chunksize=1048576
image split tree --chunksize=1048576 --blobdev=origin/split-blob
image split-twin tree --chunksize=1048576 --blobdev=twin-blob # the same blob by other metadata
cmp -s twin-blob origin/split-blob
rm twin-blob
image lz4 tree -zlz4 -C65536
image many many
image files files

# Ten images of one file each, all different.
for i in 0 1 2 3 4 5 6 7 8 9; do
	mkdir -p "ten/$i"
	source_tree "ten/$i" "10$i" 20 30000 0
	image "ten-$i" "ten/$i"
done

# Objects of odd sizes: blobs that hold one file, cut off where the file ends.
mkdir -p size
for size in 1 4095 4096 4097 1000001; do
	mkdir "size/$size"
	perl "$here/emit-tree.pl" --file "size/$size/f" 3 "$size"
	image "size-$size" "size/$size" --chunksize=1048576 --blobdev="origin/size-$size-blob"
	truncate -s "$size" "origin/size-$size-blob"
done
cp origin/size-1 origin/size-0
: > origin/size-0-blob

# Objects that are no image at all.
: > origin/object-0
printf x > origin/object-1
head -c 4095 origin/plain > origin/object-4095

# 8 GiB and one block of hole; what the image says is its first chunk lies in front of the last
# block.
mkdir size/huge
perl "$here/emit-tree.pl" --file size/huge/f 4 1048576
image size-huge size/huge --chunksize=1048576 --blobdev=huge-blob
truncate -s $(((8 << 30) + 4096)) origin/size-huge-blob
dd if=huge-blob of=origin/size-huge-blob bs=1M seek=8191 conv=notrunc status=none
rm huge-blob
perl "$here/repoint.pl" origin/size-huge $((8191 << 8))

# An image with bytes behind it that no inode reaches, the last block not whole.
cp origin/plain origin/padded
head -c 123457 /dev/zero >> origin/padded

rm -f mkfs.log
echo "$stamp" > complete
rm -rf "$dir.old"
[ ! -e "$dir" ] || mv "$dir" "$dir.old"
mv "$dir.new" "$dir"
rm -rf "$dir.old"
