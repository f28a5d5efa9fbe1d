# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 90
#
# The daemon may have no more descriptors than it has: what would be opened is refused soon, and the
# log says why; who reads what is open waits for his bytes as before; and all goes on when there are
# descriptors again.

# room N: for N descriptors more than it has now.
room() {
	local limit=0 left=$1
	while [ -e "/proc/$DAEMON_PID/fd/$limit" ] || [ "$left" -gt 0 ]; do
		[ -e "/proc/$DAEMON_PID/fd/$limit" ] || left=$((left - 1))
		limit=$((limit + 1))
	done
	prlimit --pid "$DAEMON_PID" --nofile="$limit:"
}
said() { grep -cE "$1" "$LOGS/daemon.log" || true; }

origin_start
proxy_start
# An origin that nothing is connected with yet, and one that is in use.
cat > "$RUN/conf" <<CONF
source unconnected {
	url = http://127.0.0.1:$PORT/{cookie}
	volume = erofs,ten-2
	retries = 1
}
source connected {
	url = http://127.0.0.1:$PROXY_PORT/{cookie}
}
CONF
CONFIG=$RUN/conf
# Connections that are no longer needed are closed: without read-ahead there are none of these.
daemon_start --readahead-max 4KiB
mounted ten-0 "$MNT-0"
mounted plain
works 20 same_piece 1
faults hang/from:1000000
same_piece 5 &
reader=$!
eventually 10 readers_wait 1

step "none is left for an object"
room 0
errs 12 "$MOUNT_REFUSED" erofs ten-1 "$MNT-1"
equal "$(said 'no file descriptor is left: raise LimitNOFILE')" 1 "lines of the log"

step "one for an object, none for its origin"
room 1
errs 12 "$MOUNT_REFUSED" erofs ten-2 "$MNT-2"
equal "$(said 'no file descriptor is left: raise LimitNOFILE')" 1 "lines of the log"
equal "$(said 'ten-2: cannot open .*Too many open files')" 1 "lines of the log"

step "who waits, and who comes"
faults ''
wait "$reader" || fail "the reader has noticed"
works 20 same_piece 2

step "one is given back"
unmounted "$MNT-0"
eventually 20 erofs ten-1 "$MNT-1"
same_tree 20 "$IMAGES/ten/1" "$MNT-1"

step "enough"
room 100
mounted ten-2 "$MNT-2"
same_tree 20 "$IMAGES/ten/2" "$MNT-2"
same_tree 60 "$IMAGES/tree" "$MNT"
