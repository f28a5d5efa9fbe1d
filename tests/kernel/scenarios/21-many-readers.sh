# SPDX-License-Identifier: MIT
#: seconds 180
#
# 20,000 files by eight readers at once, in random order.

sum_all() {
	cut -c67- "$IMAGES/many.sums" | shuf --random-source=<(yes) > "$RUN/order"
	(cd "$MNT" && xargs -a "$RUN/order" -d '\n' -P 8 -n 500 sha256sum) | LC_ALL=C sort -k2 > "$RUN/sums"
}

origin_start
daemon_start
mounted many
works 170 sum_all
works 10 cmp "$RUN/sums" "$IMAGES/many.sums"
