# SPDX-License-Identifier: MIT
#: kernels 6.12
#: sides file
#: seconds 120
#: needs cachefilld
#
# A small disk under the cache. What is read and does not fit waits until what is idle was culled;
# what is in use stays; where nothing can be culled readers get EIO, and with room again their bytes.

# Not 'mount -o loop': it holds the device open for writing, which this kernel does not allow.
truncate -s 160M "$CACHE/small.img"
mkfs.ext4 -q -F -b 4096 -O ^has_journal -m 0 "$CACHE/small.img"
mkdir "$RUN/small"
# Close together: above bcull nothing is culled, and below bstop nothing is written.
CONFIG=$RUN/conf
mount "$(losetup -f --show "$CACHE/small.img")" "$RUN/small"
CACHE=$RUN/small/cache
cat > "$CONFIG" <<- CONF
	dir $CACHE
	state-dir = $RUN/state
	brun 4%
	bcull 3%
	bstop 2%
	source files {
	url = $(template)
	}
CONF

small_umount() { umount "$RUN/small" 2> /dev/null; }
free_mib() { df --output=avail -B1M "$RUN/small" | tail -1; }

# leave MIB: somebody else takes the rest of the disk.
leave() {
	rm -f "$RUN/small/others"
	fallocate -l $(($(free_mib) - $1))M "$RUN/small/others"
}

cached() { find "$CACHE/cache" -name "D$1" | grep -q .; }
not_cached() { ! cached "$1"; }
said() { grep -q "$1" "$LOGS/daemon.log" || fail "the daemon did not say '$1'"; }
whole() { cat "$1" > /dev/null; }

origin_start
daemon_start
step "an idle object of 32 MiB, and one that is in use"
mounted plain
works 60 same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
mounted ten-0 "$RUN/ten"
same_tree 20 "$IMAGES/ten/0" "$RUN/ten"
eventually 5 cached plain

step "an object that does not fit on what is left: 20 MiB"
leave 20
mounted chunked
same_tree 60 "$IMAGES/tree" "$MNT"
eventually 5 not_cached plain
equal "$(grep -c 'what is idle is culled, and reads of what is not cached wait' "$LOGS/daemon.log")" 1

step "nothing can be culled: EIO for what is not cached, and what is cached is served"
mounted plain "$RUN/other"
leave 2
errs 40 "$NO_BYTES" whole "$RUN/other/big"
errs 40 "$NO_BYTES" whole "$RUN/other/big"
drop_caches
same_tree 20 "$IMAGES/ten/0" "$RUN/ten"
equal "$(grep -c 'nothing can be culled' "$LOGS/daemon.log")" 1 "lines for a full disk"

step "room again, made by hand"
rm "$RUN/small/others"
same_tree 60 "$IMAGES/tree" "$RUN/other"
said 'there is room again'
unmounted "$RUN/other"
unmounted
unmounted "$RUN/ten"
daemon_stop
# What threads of the kernel let go of is closed a tick later or more (delayed_fput_work), and keeps
# the disk busy until then.
eventually 5 small_umount
losetup -D
