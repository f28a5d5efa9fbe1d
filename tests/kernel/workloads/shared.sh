# SPDX-License-Identifier: MIT
#: seconds 120
#
# Two images in one domain whose files lie in the same blob, read at the same time by a reader each:
# one copy of the blob, fetched once.

read_tree() { tar -C "$1" -c . | cat > /dev/null; }

capture_start
mounted split "$MNT-1" domain_id=shared,device=split-blob
mounted split-twin "$MNT-2" domain_id=shared,device=split-blob
works 100 read_tree "$MNT-1" &
first=$!
works 100 read_tree "$MNT-2"
wait $first
capture_end
