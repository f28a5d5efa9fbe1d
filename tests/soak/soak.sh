# SPDX-License-Identifier: MIT
#: kernels 6.12
#: guest own
#: needs cachefilld
#
# A scenario of tests/kernel/lib.sh, begun by tests/soak/run.sh, which puts MINUTES and SEED in front.
#
# For so long: four workers mount images and read them at random, unmount them and begin again,
# while an origin fails in all its ways, the cache is too small for all images, the daemon is killed
# and replaced, caches are dropped. Every byte is compared with its source. Short faults must not be
# seen at all, long ones as errors and nothing else; nobody may hang; the daemon may not grow.
#
# A piece may take longer than a deadline, and so may a mount: it is several READs, one after the
# other, a READ that failed is tried again by its first page, and a daemon begins the time of what its
# predecessor has left. Each of them has the deadline, by the recordings of all lives of the daemon.

DEADLINE=15 # of reads and opens, in seconds
PATIENCE=90 # beyond this, somebody hangs
LATE=$((2 * ${CACHEFILLD_TEST_PATIENCE:-1})) # answered later than it should: the guest may not get its turn
TROUBLE=$RUN/trouble

soaking() { [ ! -e "$RUN/over" ]; }

# over WORDS...: the soak has failed, and everybody is told. Only the first one's words count.
over() {
	mkdir "$RUN/failed" 2> /dev/null || exit 1
	printf '%s\n' "$*" > "$RUN/failed/why"
	show_state > "$RUN/failed/state" 2>&1
	touch "$RUN/over"
	exit 1
}

count() { echo >> "$RUN/count-$1"; }
counted() { if [ -e "$RUN/count-$1" ]; then wc -l < "$RUN/count-$1"; else echo 0; fi; }

# An odd number in $TROUBLE: errors are excused.
trouble() { echo $(($(< "$TROUBLE") + 1)) > "$TROUBLE.new"; cat "$TROUBLE.new" > "$TROUBLE"; }

# ---- workers -------------------------------------------------------------------------------

# Tried again while there is trouble, and only then.
soak_mount() { # IMAGE DIRECTORY OPTIONS
	local before
	while soaking; do
		before=$(< "$TROUBLE")
		if timeout "$PATIENCE" mount -t erofs none -o "fsid=$1${3:+,$3}" "$2" \
			2> "$2.error"; then
			return 0
		fi
		if [ $((before % 2)) = 0 ] && [ "$before" = "$(< "$TROUBLE")" ]; then
			over "mount of $1: $(< "$2.error")"
		fi
		count refused-mounts
		sleep 0.5
	done
	return 1
}

soak_read() { # TREE DIRECTORY
	local status=0
	timeout -s KILL "$PATIENCE" "$TOOLS/soak-reader" "$1" "$2" "$TROUBLE" \
		$((RANDOM * 32768 + RANDOM)) $((RANDOM % 60 + 1)) > "$2.read" 2>&1 ||
		status=$?
	[ "$status" = 0 ] || over "reader of $2: status $status: $(< "$2.read")"
	cat "$2.read" >> "$RUN/reads"
}

worker() { # NUMBER IMAGE=TREE[=OPTIONS]...
	local where=$RUN/worker-$1 image tree options
	RANDOM=$((SEED * 101 + $1))
	shift
	mkdir -p "$where"
	while soaking; do
		IFS='=' read -r image tree options <<< "${@:RANDOM % $# + 1:1}"
		soak_mount "$image" "$where" "$options" || break
		count mounts
		soak_read "$IMAGES/$tree" "$where"
		if [ $((RANDOM % 3)) = 0 ]; then
			drop_caches
			soak_read "$IMAGES/$tree" "$where"
		fi
		timeout "$PATIENCE" umount "$where" || over "umount of $image: status $?"
	done
}

# ---- what goes wrong meanwhile ---------------------------------------------------------------

# A fault that passes in time to be tried again, or one that does not.
soak_fault() {
	local kinds=(500 close stall slow gone) kind long=$((RANDOM % 4 == 0))
	kind=${kinds[RANDOM % ${#kinds[@]}]}
	[ "$long" = 0 ] || trouble
	count "fault-$kind"
	if [ "$kind" = gone ]; then nginx_stop; else fault "$kind"; fi
	if [ "$long" = 1 ]; then sleep $((DEADLINE + RANDOM % 10)); else sleep 0.$((RANDOM % 9 + 1)); fi
	if [ "$kind" = gone ]; then nginx_start; else fault_clear; fi
	if [ "$long" = 1 ]; then
		# What was begun under the fault may still end by it.
		sleep 5
		trouble
	fi
}

faults() {
	RANDOM=$((SEED * 103))
	while soaking; do
		sleep $((RANDOM % 8 + 1))
		soak_fault
	done
	[ $(($(< "$TROUBLE") % 2)) = 0 ] || trouble
}

daemon_process() { pgrep -n -P "$DAEMON_PID" -x cachefilld; }

# Most lives are short; those that are not show what grows.
killer() {
	local pid until
	RANDOM=$((SEED * 107))
	while soaking; do
		until=$((SECONDS + (RANDOM % 12 ? RANDOM % 40 + 5 : 300)))
		while [ "$SECONDS" -lt "$until" ] && soaking; do sleep 1.$((RANDOM % 10)); done
		pid=$(daemon_process) || continue
		if [ $((RANDOM % 3)) = 0 ]; then
			kill -USR2 "$pid" && count replaced
		else
			kill -KILL "$pid" && count killed
		fi
	done
}

# SECONDS KiB DESCRIPTORS of the daemon that there is now.
monitor() {
	local pid rss
	while soaking; do
		if pid=$(daemon_process) &&
			rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2> /dev/null); then
			echo "$SECONDS $rss $(ls "/proc/$pid/fd" 2> /dev/null | wc -l)" \
				>> "$LOGS/memory"
		fi
		sleep 5
	done
}

# ---- the soak ----------------------------------------------------------------------------------

# The most in the second quarter of the time, and in the last; the first one is for warming up.
grown() {
	awk -v all=$((MINUTES * 60)) '
		$1 > all / 4 && $1 <= all / 2 && $2 > early { early = $2 }
		$1 > all * 3 / 4 && $2 > late { late = $2 }
		END { print early + 0, late + 0 }' "$LOGS/memory"
}

# Of all lives, in ms: the slowest request that was answered.
slowest() {
	local trace
	for trace in "$RUN/traces"/*; do
		"$TOOLS/cachefillctl" trace stats --json --top 1 "$trace" 2> /dev/null
	done | grep -oP '"slowest":\[\{.*?"wait_ns":\{"sum":\K[0-9]+' | sort -n |
		awk '{ ns = $1 } END { printf "%d\n", ns / 1000000 }'
}

soak_report() {
	local early late slowest
	read -r early late <<< "$(grown)"
	slowest=$(slowest)
	cp -r "$RUN/traces" "$LOGS"
	awk '{ n += $1; b += $2; e += $3; if ($4 > m) { m = $4; t = $5 } } END {
		printf "%d pieces, %.1f MiB read and compared, %d errors excused by long faults\n", n, b / 1048576, e
		printf "the longest took %d ms, begun at %d ms of the monotonic clock\n", m, t }' "$RUN/reads" >&5
	echo "the slowest request took $slowest ms, of $(ls "$RUN/traces" | wc -l) lives" >&5
	echo "$(counted mounts) mounts, $(counted refused-mounts) refused under long faults;" \
		"daemon killed $(counted killed) times, replaced $(counted replaced) times" >&5
	(cd "$RUN" && grep -c '' count-fault-*) | sed 's/^count-fault-/fault /; s/:/: /' >&5
	echo "resident at most $early KiB in the second quarter, $late KiB in the last" >&5
	awk 'NR == 1 { r = $2; d = $3 } $2 > m { m = $2 } $3 > f { f = $3 } END {
		printf "resident %d KiB at first, %d at the end, %d at most; descriptors %d, %d, %d\n",
			r, $2, m, d, $3, f }' "$LOGS/memory" >&5
	grep -oP ': culled \K[0-9]+' "$LOGS/daemon.log" | awk '{ n += $1 } END { print n + 0, "objects culled" }' >&5
	[ "$slowest" -gt 0 ] || fail "nothing was recorded"
	[ "$slowest" -le $(((DEADLINE + LATE) * 1000)) ] || fail "a request was answered too late"
	[ "$late" -le $((early * 3 / 2 + 4096)) ] || fail "the daemon grows"
}

echo 0 > "$TROUBLE"
cat > "$RUN/conf" <<-CONF
	size-limit = 48MiB
	source all {
		url = http://127.0.0.1:$PORT/{cookie}
		open-deadline = ${DEADLINE}s
		read-deadline = ${DEADLINE}s
		# Until then: five tries may be over before a fault that is called short.
		retries = 100
	}
CONF
origin_start
mkdir "$RUN/traces"
CONFIG=$RUN/conf daemon_start --keeper --trace "$RUN/traces/soak.trace"

workers=()
worker 1 plain=tree ten-0=ten/0 ten-1=ten/1 size-4097=size/4097=device=size-4097-blob & workers+=($!)
worker 2 chunked=tree ten-2=ten/2 ten-3=ten/3 & workers+=($!)
worker 3 split=tree=domain_id=soak,device=split-blob ten-4=ten/4 & workers+=($!)
worker 4 files=files many=many split-twin=tree=domain_id=soak,device=split-blob & workers+=($!)
others=()
faults & others+=($!)
killer & others+=($!)
monitor & others+=($!)

for ((minute = 0; minute < MINUTES; minute++)); do
	for ((tenth = 0; tenth < 10; tenth++)); do
		soaking || break 2
		sleep 6
	done
	step "$((minute + 1)) of $MINUTES minutes: $(counted mounts) mounts, $(counted killed) kills"
done
touch "$RUN/over"
for pid in "${others[@]}" "${workers[@]}"; do works $((PATIENCE * 2)) gone "$pid"; done
for pid in "${others[@]}" "${workers[@]}"; do
	wait "$pid" || [ -e "$RUN/failed/why" ] || fail "a part of the soak ended with $?"
done
NGINX_PID=$(< "$RUN/nginx/pid") # it was replaced in a process of its own
if [ -e "$RUN/failed/why" ]; then
	cat "$RUN/failed/state" >&5
	fail "$(< "$RUN/failed/why")"
fi
soak_report
