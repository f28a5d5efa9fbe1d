# SPDX-License-Identifier: MIT
#: needs cachefilld
#
# SIGTERM while readers wait for bytes that do not come: they get an error at once, the daemon exits
# with 0, and the mount can be taken down and made anew.

origin_start
daemon_start --read-deadline 300s
mounted plain
works 10 test -f "$MNT/big"
fault stall
readers=()
for i in 1 2 3 4 5 6; do
	piece "$MNT/big" $i > "$RUN/piece-$i" 2>&1 &
	readers+=($!)
done
eventually 10 readers_wait 6
step "six readers wait"
daemon_stop
for i in 1 2 3 4 5 6; do
	works 5 gone "${readers[i - 1]}"
	grep -qE "$NO_BYTES" "$RUN/piece-$i" ||
		fail "reader $i: $(head -c 200 "$RUN/piece-$i")"
done
unmounted

fault_clear
daemon_start
mounted plain
same_tree 60 "$IMAGES/tree" "$MNT"
step "idle"
daemon_stop
