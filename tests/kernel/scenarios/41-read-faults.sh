# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 200
#
# The origin refuses, fails, stalls or is gone when a file is read: the reader gets EIO before long,
# and the same read succeeds without a restart once the origin does its work.

origin_start
daemon_start --read-deadline 2s
mounted plain
works 10 test -f "$MNT/big"
i=1 # the mount may have brought piece 0
for kind in 404 403 500 close stall; do
	step "$kind"
	fault "$kind"
	errs 12 'Input/output error' piece "$MNT/big" $i
	fault_clear
	eventually 40 same_piece $i
	i=$((i + 1))
done

step "down"
origin_stop
errs 12 'Input/output error' piece "$MNT/big" $i
step "what is cached is still served"
drop_caches
works 10 same_piece 1
origin_start
eventually 40 same_piece $i

same_tree 60 "$IMAGES/tree" "$MNT"
