# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 120
#
# A daemon that knows no source at all serves what is added to the store while it runs, whatever becomes
# of the store meanwhile.

store() { ctl image "$@" --state-dir "$RUN/state"; }

origin_start
echo "# no source" > "$RUN/empty.conf"
CONFIG=$RUN/empty.conf
daemon_start

step "before there is a store"
errs 10 . erofs sha256:none "$MNT" domain_id=cachefilld

step "an image that is added then"
image_add one ten-0
image_mounted one "$MNT"
cd "$MNT"
some=$(find . -type f | sort | head -n 1)
works 30 cmp "$some" "$IMAGES/ten/0/$some"
cd /

step "it is damaged under a mount"
rm "$RUN"/state/images.db*
head -c 8192 /dev/urandom > "$RUN/state/images.db"
same_tree 30 "$IMAGES/ten/0" "$MNT"
for _ in 1 2 3; do errs 10 . erofs sha256:none "$MNT-2" domain_id=cachefilld; done
equal "$(grep -c "images.db cannot be used" "$LOGS/daemon.log")" 1 "lines about the store"

step "and made anew"
image_add two ten-1
image_mounted two "$MNT-2"
same_tree 30 "$IMAGES/ten/1" "$MNT-2"
[ -e "$RUN/state/images.db.bad-1" ] || fail "the damaged one is gone"
image_unmounted "$MNT-2"
image_unmounted "$MNT"

step "what was cached is still of the same content"
before=$(requests '^GET /ten-0 ')
image_add one ten-0
added=$(requests '^GET /ten-0 ')
image_mounted one "$MNT"
drop_caches
same_tree 30 "$IMAGES/ten/0" "$MNT"
equal "$(requests '^GET /ten-0 ')" "$added" "requests for what is cached"
[ "$added" -gt "$before" ] || fail "nobody has looked at the image"
image_unmounted "$MNT"
works 10 store rm one two
nothing_left
