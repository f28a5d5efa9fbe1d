# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 240
#
# Answers that are not what was asked for, from the first request on or only for a while. Each must
# be mended without the reader noticing or end in an error before long: never in wrong bytes, never
# in a hang.

origin_start
[ -x "$TOOLS/origin-server" ] || skip "origin-server was not built"
"$TOOLS/origin-server" --port 8090 --root "$ORIGIN" --log "$LOGS/origin.log" > "$RUN/url" &
server=$!
eventually 10 test -s "$RUN/url"

# from FAULT: the daemon, with an origin that behaves so and nothing known of it from before.
from() {
	rm -rf "$CACHE" "$RUN/state"
	SOURCE="http://127.0.0.1:8090/f=$1/{cookie}"
	daemon_start --open-deadline 3s --read-deadline 3s
}

# An error for the mount or for a reader, in time.
refuses() {
	if ! within 15 erofs "$1" "$MNT" > "$RUN/errs" 2>&1; then
		grep -qE "$MOUNT_REFUSED" "$RUN/errs" || fail "unexpected: $(cat "$RUN/errs")"
		return 0
	fi
	if within 60 diff -r --no-dereference "$IMAGES/ten/${1#ten-}" "$MNT" > "$RUN/diff" 2>&1; then
		fail "read whole, though nothing of it can be trusted"
	fi
	if grep '^Files .* differ' "$RUN/diff"; then fail "wrong bytes"; fi
	unmounted
}

i=0
for kind in hang stall:100 garbage loop shift:4096 nocr total:1 multipart gzip more:1 \
	norange; do
	step "always: $kind"
	from "$kind"
	refuses "ten-$i"
	daemon_stop
	i=$(((i + 1) % 10))
done

i=0
for kind in rst close garbage status:503:1 status:500 status:429:1 trunc:5000 midrst:5000 lie:7 \
	short:4096; do
	step "the first two requests: $kind"
	from "$kind@2"
	eventually 40 erofs "ten-$i" "$MNT"
	eventually 40 diff -r --no-dereference "$IMAGES/ten/$i" "$MNT"
	unmounted
	daemon_stop
	i=$(((i + 1) % 10))
done

for kind in chunked redir:302 slow:30000:20 delay:50; do
	step "odd but legal: $kind"
	from "$kind"
	eventually 60 erofs ten-0 "$MNT"
	same_tree 60 "$IMAGES/ten/0" "$MNT"
	unmounted
	daemon_stop
done

kill -TERM "$server"
works 5 gone "$server"
