# SPDX-License-Identifier: MIT
#
# What is done with an image at $MNT. A workload is two functions and three variables:
#
#	NAME_run	what is timed
#	NAME_check	whether it was the right bytes; the pages are still in memory
#	NAME_object	the image		NAME_needed	bytes that the reader wants; 0: unknown
#	NAME_limits	what is measured beside the contenders

sequential_object=big sequential_needed=$((128 << 20)) sequential_limits='null stream'
sequential_run() { dd if="$MNT/file" of=/dev/null bs=1M status=none; }
sequential_check() { sha256sum < "$MNT/file" | cmp - "$IMAGES/$sequential_object.sum"; }

# The same where a network is too slow for so much.
sequential32_object=mid sequential32_needed=$((32 << 20)) sequential32_limits='null stream'
sequential32_run() { sequential_run; }
sequential32_check() { sha256sum < "$MNT/file" | cmp - "$IMAGES/$sequential32_object.sum"; }

tree_object=tree tree_needed=$(< "$IMAGES/tree.size") tree_limits=
tree_run() { find "$MNT" -type f -print0 | xargs -0 cat > /dev/null; }
tree_check() {
	(cd "$MNT" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cat) | sha256sum |
		cmp - "$IMAGES/tree.sum"
}

list_object=list list_needed=0 list_limits=
list_run() { ls -lR "$MNT" > "$RUN/listing"; }
list_check() { cmp "$RUN/listing" "$RUN/listing-truth"; }
list_truth() {
	local_begin list
	local_attach list
	ls -lR "$MNT" > "$RUN/listing-truth"
	local_detach
}

# The first bytes of a file in the middle of the tree.
first_object=tree first_needed=4096 first_limits=
first_file=$(< "$IMAGES/tree.middle")
first_run() { head -c 4096 "$MNT/$first_file" > "$RUN/first"; }
first_check() { head -c 4096 "$IMAGES/tree/$first_file" | cmp - "$RUN/first"; }

random() { "$TOOLS/random-read" "$MNT/file" 128 "$@"; } # BYTES READERS [TRUTH]
RIGHT=$IMAGES/big/file
random4k1_object=big random4k1_needed=$((128 * 4096)) random4k1_limits='request write'
random4k1_run() { random 4096 1 > "$RUN/each"; }
random4k1_check() { random 4096 1 "$RIGHT" > /dev/null; }
random4k8_object=big random4k8_needed=$((128 * 4096)) random4k8_limits=
random4k8_run() { random 4096 8 > "$RUN/each"; }
random4k8_check() { random 4096 8 "$RIGHT" > /dev/null; }
random128k1_object=big random128k1_needed=$((128 * 131072)) random128k1_limits=
random128k1_run() { random 131072 1 > "$RUN/each"; }
random128k1_check() { random 131072 1 "$RIGHT" > /dev/null; }
random128k8_object=big random128k8_needed=$((128 * 131072)) random128k8_limits=
random128k8_run() { random 131072 8 > "$RUN/each"; }
random128k8_check() { random 131072 8 "$RIGHT" > /dev/null; }
