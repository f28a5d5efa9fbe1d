# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#: needs cachefilld
#: seconds 400
#
# A daemon that is killed under --keeper, or replaced by another file, is a pause for readers: no
# error, no wrong byte. How often it is killed says CACHEFILLD_TEST_KILLS, on the host.

# The file under test, at a place where it can be replaced.
mkdir -p "$RUN/bin"
cp "$DAEMON" "$RUN/bin/cachefilld"
DAEMON=$RUN/bin/cachefilld

# The process that serves; empty between two of them.
child() {
	local stat rest
	for stat in /proc/[0-9]*/stat; do
		{ read -r rest < "$stat"; } 2> /dev/null || continue
		set -- ${rest##*) }
		if [ "$2" = "$DAEMON_PID" ] && [ "$1" != Z ]; then
			echo "${rest%% *}"
			return
		fi
	done
}
now() { local up; read -r up _ < /proc/uptime; echo $((10#${up/./})); }
collected() { "$TOOLS/cachefillctl" gc > "$RUN/gc" 2>&1; }
said() { grep -cF -- "$1" "$LOGS/daemon.log" || true; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }

origin_start
daemon_start --keeper

step "how long a reader waits"
mounted plain
begun=$(now)
kill -KILL "$(child)"
works 60 same_piece 4
took=$((($(now) - begun) * 10))
echo "$took ms from the kill to the next bytes" >&5
unmounted

# Half of them while it starts, half while it serves.
step "kills under eight readers"
mounted many
"$TOOLS/handover-soak" "$DAEMON_PID" "$MNT" "$IMAGES/many" "${CACHEFILLD_TEST_KILLS:-6}" \
	$((2 * took)) "${CACHEFILLD_TEST_SEED:-42}" >&5
unmounted

step "mounted while it is killed"
erofs plain "$MNT" &
mounting=$!
kill -KILL "$(child)"
works 60 gone $mounting
wait $mounting || fail "mount(8) failed"
works 20 same_piece 1

# It has no cache file with a name yet, and the daemon that began it is gone.
step "what is on record of a first use is not collected"
mounted ten-0 "$RUN/first"
kill -KILL "$(child)"
eventually 30 collected
works 20 same_tree 20 "$IMAGES/ten/0" "$RUN/first"
unmounted "$RUN/first"

step "another file in its place"
pid=$(child)
file=$(stat -L -c %i "/proc/$pid/exe")
cp "$DAEMON" "$DAEMON.new"
mv "$DAEMON.new" "$DAEMON"
n=$(said 'serving ')
kill -USR2 "$DAEMON_PID"
works 20 same_piece 2
eventually 30 said_more 'serving ' "$n"
equal "$(child)" "$pid" "the process that serves"
[ "$(stat -L -c %i "/proc/$pid/exe")" != "$file" ] || fail "it is the old file"

step "a file that cannot be run, one that is no program"
n=$(said 'this process goes on')
chmod -x "$DAEMON"
kill -USR2 "$DAEMON_PID"
eventually 10 said_more 'this process goes on' "$n"
mv "$DAEMON" "$DAEMON.good"
echo 'no program' > "$DAEMON"
chmod +x "$DAEMON" "$DAEMON.good"
kill -HUP "$DAEMON_PID"
eventually 10 said_more 'this process goes on' $((n + 1))
mv "$DAEMON.good" "$DAEMON"
equal "$(child)" "$pid" "the process that serves"
works 20 same_piece 3

step "what is kept costs"
grep -E '^(VmRSS|RssAnon)' "/proc/$DAEMON_PID/status" >&5

step "records lost"
NAMELESS=nameless
rm "$RUN/state"/state.db*
kill -KILL "$pid"
errs 30 "$NO_BYTES" piece "$MNT/big" 7
equal "$(said 'is mounted since before this start')" 1 "lines that say so"
drop_caches
works 20 same_piece 1
unmounted
mounted plain
works 20 same_piece 7

step "the end"
unmounted
daemon_stop
daemon_start
mounted plain
works 20 same_piece 7
