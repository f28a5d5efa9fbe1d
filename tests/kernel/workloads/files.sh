# SPDX-License-Identifier: MIT
#
# A tree of 1000 small files, each found and read once: inodes and directories block by block, then
# a short read per file.

capture_start
mounted files
read_all() { (cd "$MNT" && find . -type f -print0 | xargs -0 cat); }
works 60 read_all > "$RUN/bytes"
equal "$(stat -c %s "$RUN/bytes")" \
	"$(find "$IMAGES/files" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')" "bytes read"
capture_end
