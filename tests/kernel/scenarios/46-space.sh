# SPDX-License-Identifier: MIT
#: kernels 6.12
#: sides file
#: seconds 120
#: needs cachefilld
#
# What cachefillctl does about space in the cache: what is in use is not evicted, what no image has
# any more is collected, what is pinned stays.

CONFIG=$RUN/conf
cat > "$CONFIG" <<- CONF
	dir $CACHE
	state-dir = $RUN/state
	source files {
	url = $(template)
	}
CONF
tool() { within 10 "$TOOLS/cachefillctl" "$1" --config "$CONFIG" "${@:2}"; }
cached() { tool du --json "$1" | grep -qE '"cached":[1-9]'; }
not_cached() { ! cached "$1"; }
says() { grep -qE "$2" <<< "$1" || fail "no '$2' in: $1"; }
read_once() {
	image_mounted "$1" "$MNT-$1"
	works 30 diff -r --no-dereference "$IMAGES/ten/$2" "$MNT-$1"
}

origin_start
image_add one ten-0
image_add two ten-1
daemon_start

step "in use"
read_once one 0
errs 10 "is in use" tool evict one
works 30 diff -r --no-dereference "$IMAGES/ten/0" "$MNT-one"
says "$(within 10 "$TOOLS/cachefillctl" gc --dry-run)" 'freed by 0 objects'

step "of no image any more"
read_once two 1
image_unmounted "$MNT-two"
eventually 10 cached two
object=$(tool du --objects --json two | sed 's/.*"object":"\([^"]*\)".*/\1/')
works 10 ctl image rm --state-dir "$RUN/state" two
says "$(within 10 "$TOOLS/cachefillctl" gc --dry-run)" "$object: no image has it"
cached "$object" || fail "it has gone"
says "$(within 10 "$TOOLS/cachefillctl" gc)" 'freed by 1 object'
not_cached "$object" || fail "it is still there"

step "a record, and nothing that is cached"
sqlite3 "$RUN/state/state.db" "INSERT INTO object(volume, cookie, size, locator, validator, whole)
	VALUES(CAST('erofs,gone' AS BLOB), CAST('gone' AS BLOB), 4096, 'file:/gone', '', 0)"
says "$(within 10 "$TOOLS/cachefillctl" gc --dry-run)" 'erofs,gone/gone: only a record'
says "$(within 10 "$TOOLS/cachefillctl" gc)" '; 1 record of nothing'

step "evicted, and fetched again"
image_unmounted "$MNT-one"
eventually 10 tool evict one
not_cached one || fail "it is still there"
read_once one 0
image_unmounted "$MNT-one"

step "pinned, in a cache that is smaller than both"
image_add two ten-1
read_once two 1
image_unmounted "$MNT-two"
tool pin one
says "$(tool du one)" pinned
says "$(ctl image ls --state-dir "$RUN/state")" ' pinned '
eventually 10 cached two
daemon_stop
echo 'size-limit = 64KiB' >> "$CONFIG"
daemon_start
eventually 20 not_cached two
cached one || fail "what was pinned is culled"
