# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 200
#
# What goes wrong between the daemon and a real server while a file is read: the reader gets EIO before
# long, and the right bytes as soon as it is over; or the right bytes, where it is over in time. All
# that can go wrong is tried on the emulated kernel, in tests/faults.

origin_start
proxy_start
SOURCE="http://127.0.0.1:$PROXY_PORT/{cookie}"
daemon_start --read-deadline 2s --readahead-max 4KiB
mounted plain
works 10 test -f "$MNT/big"

# spot FILE N: 64 KiB of each MiB.
spot() { dd if="$1" bs=64K count=1 skip=$(($2 * 16)) iflag=fullblock status=none; }
same_spot() { cmp <(spot "$MNT/big" "$1") <(spot "$IMAGES/tree/big" "$1"); }

# The last request is one that something was done to.
struck() { tail -n 1 "$LOGS/proxy.log" | grep -qE ' (hang|stall)$'; }

i=1
for kind in status:404 shift:4096 stall:2000 refuse; do
	step "$kind"
	faults "$kind"
	errs 15 'Input/output error' spot "$MNT/big" $i
	if [ "$i" -gt 1 ]; then works 10 same_spot 1; fi
	faults ''
	eventually 40 same_spot $i
	i=$((i + 1))
done

step "a stall that passes while somebody waits"
faults stall:2000
(works 15 same_spot $i) &
reader=$!
eventually 4 struck
faults ''
wait "$reader" || fail "the reader has noticed"

step "a network that loses everything"
tc qdisc add dev lo root netem loss 100%
errs 15 'Input/output error' spot "$MNT/big" $((i + 1))
tc qdisc del dev lo root

step "what was cached meanwhile"
eventually 40 same_spot $((i + 1))
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
