# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#: needs cachefilld
#: seconds 240
#
# A daemon that is killed under --keeper, or replaced by another file, is a pause for readers: no
# error, no wrong byte. KILLS of them at random moments (CACHEFILLD_TEST_KILLS on the host).

KILLS=${CACHEFILLD_TEST_KILLS:-5}

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
child_is_another() { case $(child) in '' | "$1") return 1 ;; esac }
said() { grep -cF -- "$1" "$LOGS/daemon.log" || true; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }

# kill_child: from one moment to the next.
kill_child() {
	local pid
	pid=$(child)
	kill -KILL "$pid"
	eventually 30 child_is_another "$pid"
}

# reads SEED: some files, in an order of its own; all have to be right.
reads() {
	shuf -n 80 --random-source=<(yes "$1") "$RUN/sums" | (cd "$MNT" && sha256sum -c --quiet)
}

# Readers in the background; all must end well.
readers_start() {
	local i
	READERS=()
	for ((i = 0; i < 8; i++)); do
		reads "$1-$i" > "$RUN/reader-$i" 2>&1 &
		READERS+=($!)
	done
}
readers_are_done() {
	local pid
	for pid in "${READERS[@]}"; do kill -0 "$pid" 2> /dev/null && return 1; done
	return 0
}
readers_end() {
	local i
	for ((i = 0; i < 8; i++)); do
		works 120 gone "${READERS[i]}"
		wait "${READERS[i]}" || fail "reader $i: $(head -3 "$RUN/reader-$i")"
	done
}
# Nothing of it is in the cache any more; what is on record stays.
forget_cached() {
	unmounted
	drop_caches
	rm -f "$CACHE"/cache/I*/@*/*
}

(cd "$IMAGES/tree" && find . -type f -print0 | xargs -0 sha256sum) > "$RUN/sums"
origin_start
daemon_start --keeper

step "$KILLS kills under eight readers"
kills=0 rounds=0 RANDOM=42
while [ $kills -lt "$KILLS" ]; do
	erofs plain "$MNT" &
	mounting=$!
	rounds=$((rounds + 1))
	for ((i = 0; i < RANDOM % 3; i++)); do kill_child; kills=$((kills + 1)); done
	works 60 gone $mounting
	wait $mounting || fail "mount(8) failed"
	readers_start "$rounds"
	while [ $kills -lt "$KILLS" ] && ! readers_are_done; do
		sleep "$((RANDOM % 2)).$((RANDOM % 10))"
		kill_child
		kills=$((kills + 1))
	done
	readers_end
	forget_cached
done
echo "$kills kills in $rounds rounds of eight readers"

step "how long readers wait"
mounted plain
now() { local up; read -r up _ < /proc/uptime; echo "${up/./}"; }
worst=0 all=0
for i in 1 2 3; do
	sleep 1.1 # the next one is started at once
	begun=$(now)
	kill_child
	works 30 same_piece $i
	took=$(($(now) - begun))
	all=$((all + took)) worst=$((took > worst ? took : worst))
done
echo "from a kill to the bytes of the next miss: $((all * 10 / 3)) ms on average, $((worst * 10)) ms at most"
forget_cached

step "another file in its place"
mounted plain
readers_start again
pid=$(child)
file=$(stat -L -c %i "/proc/$pid/exe")
cp "$DAEMON" "$DAEMON.new"
mv "$DAEMON.new" "$DAEMON"
n=$(said 'serving ')
kill -USR2 "$DAEMON_PID"
eventually 30 said_more 'serving ' "$n"
[ "$(child)" = "$pid" ] || fail "it is another process"
[ "$(stat -L -c %i "/proc/$pid/exe")" != "$file" ] || fail "it is the old file"
readers_end

step "a file that cannot be run, a configuration that is none"
chmod -x "$DAEMON"
n=$(said 'this process goes on')
kill -USR2 "$DAEMON_PID"
eventually 10 said_more 'this process goes on' "$n"
chmod +x "$DAEMON"
echo 'no such key' > "$DAEMON.new"
mv "$DAEMON.new" "$DAEMON"
chmod +x "$DAEMON"
kill -USR2 "$DAEMON_PID"
eventually 10 said_more 'this process goes on' $((n + 1))
[ "$(child)" = "$pid" ] || fail "it is another process"
cp "$TOOLS/cachefilld" "$DAEMON.new"
mv "$DAEMON.new" "$DAEMON"
forget_cached
mounted plain
works 30 same_piece 1

step "records lost"
rm "$RUN/state"/state.db*
drop_caches
kill_child
errs 20 "$NO_BYTES" piece "$MNT/big" 7
n=$(said 'is mounted since before this start')
equal "$n" 1 "lines that say so"
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
