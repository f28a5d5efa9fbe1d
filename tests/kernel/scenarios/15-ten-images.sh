# SPDX-License-Identifier: MIT
#
# Ten images at once, read by ten readers at once.

origin_start
daemon_start
readers=()
for i in 0 1 2 3 4 5 6 7 8 9; do
	mounted "ten-$i" "$MNT-$i" domain_id=ten
	works 60 diff -r --no-dereference "$IMAGES/ten/$i" "$MNT-$i" &
	readers+=($!)
done
for reader in "${readers[@]}"; do wait "$reader" || fail "a reader of the ten"; done
