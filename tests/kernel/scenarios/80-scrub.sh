# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file
#: needs cachefilld
#
# What a crash can leave in the cache and the kernel does not heal is gone before the cache is
# bound.

origin_start
daemon_start
mounted ten-0
same_tree 20 "$IMAGES/ten/0" "$MNT"
unmounted
daemon_stop

step "an object and a volume without their attribute, something in the graveyard"
object=$(find "$CACHE/cache/Ierofs,ten-0" -type f)
setfattr -x user.CacheFiles.cache "$object"
mkdir -p "$CACHE/cache/Ierofs,ten-1/@00" "$CACHE/graveyard/1/2"
echo x > "$CACHE/graveyard/1/2/3"

daemon_start
[ ! -e "$CACHE/graveyard/1" ] || fail "the graveyard was not emptied"
for i in 0 1; do
	mounted "ten-$i"
	same_tree 20 "$IMAGES/ten/$i" "$MNT"
	unmounted
done
