# SPDX-License-Identifier: MIT
#
# What a scenario is written with. Sourced, inside the guest, by scenario.sh, which sets:
#
#	SIDE	origin of this run: file or http
#	RUN	this scenario's own directory in memory, removed afterwards
#	CACHE	its cache directory, on ext4		IMAGES	what make-images.sh made
#	LOGS	what stays behind on the host		DAEMON	the program under test
#	SIMPLE	the reference daemon			TOOLS	built test programs
#
# A scenario runs under 'set -eu' and passes when it reaches its end; everything it started is
# stopped and checked for it. Whatever may block runs under 'within' or one of its callers, so that
# a reader that hangs for ever fails the scenario and says where it hangs.

MNT=$RUN/m
ORIGIN=$RUN/origin
PORT=8080
SLOWER=${CACHEFILLD_TEST_PATIENCE:-1} # multiplies all limits
DAEMON_PID=
NGINX_PID=
PROXY_PID=

# Reports go where the scenario's output went at first, however a command's own is redirected.
exec 5>&1

fail() {
	local i
	exec >&5
	printf 'FAILED: %s\n' "$*"
	for ((i = 1; i < ${#BASH_SOURCE[@]} - 1; i++)); do
		printf '  at %s:%s\n' "${BASH_SOURCE[i]##*/}" "${BASH_LINENO[i - 1]}"
	done
	show_state
	exit 1
}

skip() {
	echo "$*" > "$RUN/skipped"
	exit 77
}

step() { printf '[%s] %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*" >&5; }

# Who sleeps where, what the kernel and the daemon said last.
show_state() {
	local p
	for p in /proc/[0-9]*; do
		[ "$(sed -n 's/^State:\t\(.\).*/\1/p' "$p/status" 2> /dev/null)" = D ] || continue
		printf -- '-- in D: %s: %s\n' "${p#/proc/}" "$(tr '\0' ' ' < "$p/cmdline")"
		printf '   at %s\n' "$(cat "$p/wchan")"
	done
	echo '-- kernel log'
	dmesg | tail -n 12
	echo '-- daemon log'
	tail -n 25 "$LOGS/daemon.log" 2> /dev/null || true
	if reported; then
		echo '-- valgrind, or a sanitizer'
		cat "$LOGS"/report.* | head -n 60
	fi
	if [ -s "$RUN/access.log" ]; then
		echo '-- nginx'
		tail -n 8 "$RUN/access.log"
	fi
}

# A tool that watches a program has found something: there is a file of each process.
reported() { cat "$LOGS"/report.* 2> /dev/null | grep -q .; }

# within SEC COMMAND...: COMMAND's status, or the scenario's failure when it takes longer. Runs in
# the background, so COMMAND may be a function but cannot set variables. The time is kept by read(1)
# at the other end of a pipe: a second process for that would double what the call costs here.
within() {
	local limit=$(($1 * SLOWER)) command end in out status heard=0
	shift
	exec {in}<&0 {out}>&1
	exec {end}< <(
		exec {said}>&1 <&"$in" >&"$out" {in}<&- {out}>&-
		status=0
		"$@" {said}>&- || status=$?
		echo "$status" >&"$said"
	)
	command=$!
	exec {in}<&- {out}>&-
	read -r -t "$limit" -u "$end" status || heard=$?
	exec {end}<&-
	if [ "$heard" -gt 128 ]; then
		(fail "no answer within $limit s: $*") || kill -9 "$command"
		exit 1
	fi
	if [ "$heard" != 0 ]; then
		# It left without a word: by exit, or killed.
		status=0
		wait "$command" || status=$?
	fi
	return "$status"
}

# works SEC COMMAND...: it ends in time with status 0.
works() {
	within "$@" || fail "status $?: ${*:2}"
}

# errs SEC TEXT COMMAND...: it ends in time, fails, and says one of TEXT (an extended expression).
errs() {
	local limit=$1 text=$2
	shift 2
	if within "$limit" "$@" > "$RUN/errs" 2>&1; then
		fail "succeeded, expected '$text': $*"
	fi
	grep -qE "$text" "$RUN/errs" || fail "expected '$text', got '$(head -3 "$RUN/errs")': $*"
}

# Seconds by the clock that never jumps, which is the daemon's; during one scenario the other one
# was seen to run 41 s ahead of it.
uptime_seconds() {
	local up
	read -r up _ < /proc/uptime
	echo "${up%.*}"
}

# eventually SEC COMMAND...: COMMAND succeeds within SEC seconds, tried again and again.
eventually() {
	local limit=$1 until
	until=$(($(uptime_seconds) + limit * SLOWER))
	shift
	until within "$limit" "$@"; do
		[ "$(uptime_seconds)" -lt "$until" ] || fail "not within $limit s: $*"
		sleep 0.1
	done
}

equal() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'${3:+: $3}"; }

drop_caches() { echo 3 > /proc/sys/vm/drop_caches; }

# ---- the origin: a directory, or nginx in front of it ------------------------------------

# The template for --source.
template() {
	case $SIDE in
	file) echo "file:$ORIGIN/{cookie}" ;;
	http) echo "http://127.0.0.1:$PORT/{cookie}" ;;
	esac
}

origin_start() {
	mkdir -p "$ORIGIN"
	mount --bind "${ORIGIN_FILES:-$IMAGES/origin}" "$ORIGIN"
	[ "$SIDE" = file ] || nginx_start
}

# Nobody answers any more.
origin_stop() {
	if [ "$SIDE" = http ]; then nginx_stop; fi
	umount -l "$ORIGIN"
}

# A file of these names in $RUN/fault makes nginx answer so, from the next request on.
nginx_start() {
	mkdir -p "$RUN/nginx" "$RUN/fault"
	cat > "$RUN/nginx/conf" <<-CONF
	user root; worker_processes 1; pid $RUN/nginx/pid; error_log $LOGS/nginx-error.log;
	events { worker_connections 512; }
	http {
		log_format t '\$request_method \$uri \$status "\$http_range" \$body_bytes_sent';
		access_log $RUN/access.log t;
		client_body_temp_path $RUN/nginx/1; proxy_temp_path $RUN/nginx/2;
		fastcgi_temp_path $RUN/nginx/3; uwsgi_temp_path $RUN/nginx/4;
		scgi_temp_path $RUN/nginx/5;
		sendfile off;
		server {
			listen 127.0.0.1:$PORT;
			root $ORIGIN;
			if (-f $RUN/fault/403) { return 403; }
			if (-f $RUN/fault/404) { return 404; }
			if (-f $RUN/fault/500) { return 500; }
			if (-f $RUN/fault/close) { return 444; }
			if (-f $RUN/fault/slow) { set \$limit_rate 2000000; }
			if (-f $RUN/fault/stall) { set \$limit_rate 1; }
		}
	}
	CONF
	# Returns when it listens: the parent exits after that.
	works 10 nginx -c "$RUN/nginx/conf" -e "$LOGS/nginx-error.log"
	NGINX_PID=$(cat "$RUN/nginx/pid")
}

nginx_stop() {
	kill -TERM "$NGINX_PID"
	works 5 gone "$NGINX_PID"
	NGINX_PID=
}

# Returns when a process has ended, a child not yet waited for included.
gone() { while grep -q '^State:.[^Z]' "/proc/$1/status" 2> /dev/null; do sleep 0.02; done; }

fault() { touch "$RUN/fault/$1"; }
fault_clear() { rm -f "$RUN/fault/"*; }

# proxy_start [OPTION]...: a proxy in front of nginx, at $PROXY_PORT; what goes wrong there says faults().
proxy_start() {
	[ -x "$TOOLS/fault-proxy" ] || skip "fault-proxy was not built"
	mkfifo "$RUN/faults" "$RUN/faults-set"
	"$TOOLS/fault-proxy" --upstream "$PORT" --log "$LOGS/proxy.log" "$@" \
		< "$RUN/faults" > "$RUN/faults-set" &
	PROXY_PID=$!
	exec 10> "$RUN/faults" 11< "$RUN/faults-set"
	read -r -t $((20 * SLOWER)) -u 11 PROXY_PORT || fail "the proxy does not start"
}

# faults LIST: from the next request on, in the words of tests/lib/http-fault.h; '' is none.
faults() {
	local answer=''
	echo "$1" >&10
	read -r -t $((20 * SLOWER)) -u 11 answer || true
	equal "$answer" ok "faults $1"
}

proxy_stop() {
	kill -TERM "$PROXY_PID"
	works 5 gone "$PROXY_PID"
	PROXY_PID=
	exec 10>&- 11<&-
	rm "$RUN/faults" "$RUN/faults-set"
}

# requests [EXPRESSION]: how many of nginx's log lines match; bytes EXPRESSION: body bytes they
# carried.
requests() { grep -cE "${1:-.}" "$RUN/access.log" || true; }
bytes() { awk -v e="$1" '$0 ~ e { n += $NF } END { print n + 0 }' "$RUN/access.log"; }

# A request is under way at nginx.
origin_busy() { grep -qiE "0100007F:$(printf %X $PORT) 0100007F:[0-9A-F]+ 01" /proc/net/tcp; }

# ---- the daemon --------------------------------------------------------------------------

# daemon_start [OPTION]...: returns when it is bound and serving what $CONFIG (a file) says, else the
# template $SOURCE, else the origin.
daemon_start() {
	local line='' fifo=$RUN/notify from=(--source "${SOURCE:-$(template)}")
	[ -z "${CONFIG:-}" ] || from=(--config "$CONFIG")
	rm -f "$fifo"
	mkfifo "$fifo"
	mkdir -p "$CACHE" "$RUN/state"
	"$DAEMON" --cache-dir "$CACHE" --state-dir "$RUN/state" --notify-fd 7 \
		"${from[@]}" "$@" \
		7> "$fifo" 2>> "$LOGS/daemon.log" > "$LOGS/daemon.out" < /dev/null &
	DAEMON_PID=$!
	exec 8< "$fifo"
	# End of file: it died without a word.
	if ! read -r -t $((20 * SLOWER)) -u 8 line || [ "$line" != READY=1 ]; then
		fail "the daemon did not become ready: '$line'"
	fi
	exec 8<&-
}

# daemon_ends SEC STATUS: it ends by itself or by what was sent before.
daemon_ends() {
	local status=0
	works "$1" gone "$DAEMON_PID"
	wait "$DAEMON_PID" || status=$?
	DAEMON_PID=
	equal "$status" "$2" "exit status of the daemon"
}

daemon_stop() {
	kill -TERM "$DAEMON_PID"
	daemon_ends 10 0
}

daemon_kill() {
	kill -KILL "$DAEMON_PID"
	daemon_ends 10 137
}

# ---- mounts ------------------------------------------------------------------------------

# erofs FSID DIRECTORY [OPTION,...]: plain mount(8), to be run by 'works' or 'errs'.
erofs() {
	mkdir -p "$2"
	mount -t erofs none -o "fsid=$1${3:+,$3}" "$2"
}

# How mount(8) words the kernel's errors: ENOBUFS, EIO, EINVAL, EUCLEAN.
MOUNT_REFUSED='No buffer space|read superblock|Input/output|wrong fs type|Structure needs'
NO_BYTES='Input/output error|No buffer space' # EIO, or ENOBUFS once the cache is gone

# mounted FSID [DIRECTORY] [OPTION,...]: mounts, in time; the directory is $MNT unless named.
mounted() { works 30 erofs "$1" "${2:-$MNT}" "${3:-}"; }

unmounted() { works 20 umount "${1:-$MNT}"; }

unmount_images() {
	local where type found=
	while read -r _ where type _; do
		if [ "$type" = erofs ]; then found="$where $found"; fi
	done < /proc/mounts
	for where in $found; do unmounted "$where"; done
}

# ---- images of the store, and their layers -------------------------------------------------

# In directories of this scenario.
ctl() { "$TOOLS/cachefillctl" "$@" --run-dir "$RUN/cachefilld"; }
ctl_mount() { ctl mount --state-dir "$RUN/state" "$@"; }

# image_add NAME FILE...: files of the origin; "device=" may stand in front.
image_add() {
	local prefix name=$1 file refs=()
	prefix=$(template)
	prefix=${prefix%"{cookie}"}
	shift
	for file; do
		case $file in
		device=*) refs+=("device=$prefix${file#device=}") ;;
		*) refs+=("$prefix$file") ;;
		esac
	done
	works 30 ctl image add --state-dir "$RUN/state" "$name" "${refs[@]}"
}

# image_mounted IMAGE DIRECTORY [OPTION]...
image_mounted() {
	mkdir -p "$2"
	works 60 ctl_mount "$@"
}

image_unmounted() { works 20 ctl umount "$@"; }

nothing_mounted() {
	local mounts
	mounts=$(< /proc/mounts)
	[[ ! $mounts =~ (\ (erofs|overlay)\ |(^|$'\n')cachefilld\ ) ]] || fail "mounted: $mounts"
}

# What all mounts together left behind: nothing.
nothing_left() {
	local run=${1:-$RUN/cachefilld}
	nothing_mounted
	equal "$(cd "$run" && find . -mindepth 2)" "" "in $run"
}

# same_tree SEC SOURCE DIRECTORY: names, kinds, modes, sizes, link targets and all bytes.
same_tree() {
	works "$1" same_names "$2" "$3"
	works "$1" same_bytes "$2" "$3"
}

same_names() {
	(cd "$2" && find . ! -type d -printf '%P %y %m %s %n %l\n') | LC_ALL=C sort | cmp - "$1.names"
}

same_bytes() {
	cut -c67- "$1.sums" > "$RUN/same-files"
	(cd "$2" && xargs -a "$RUN/same-files" -d '\n' sha256sum) | cmp - "$1.sums"
}

# piece FILE N: 64 KiB at N times 3 MiB, far enough apart that reading one does not bring the next.
piece() { dd if="$1" bs=64K count=1 skip=$(($2 * 48)) iflag=fullblock status=none; }

# same_piece N: the file "big" of the mounted tree, compared with the source.
same_piece() {
	cmp <(piece "$MNT/big" "$1" | sha256sum) <(piece "$IMAGES/tree/big" "$1" | sha256sum)
}

# readers_wait COUNT: so many dd processes sleep in the kernel for their bytes.
readers_wait() {
	local status n=0
	for status in $(grep -ls '^Name:.dd$' /proc/[0-9]*/status); do
		if grep -qs '^State:.D' "$status"; then n=$((n + 1)); fi
	done
	[ "$n" = "$1" ]
}

# ---- captured workloads ------------------------------------------------------------------

# An origin some way off, and a daemon that records. It reads ahead as little as it can: what was
# fetched before it was asked for would not be in the trace as a request.
capture_start() {
	touch "$RUN/delayed"
	tc qdisc add dev lo root netem delay "${CAPTURE_DELAY:-5ms}"
	origin_start
	daemon_start --trace "$RUN/trace" --readahead-max 4KiB
	drop_caches
}

# An orderly end of all of it, so that the trace has one, too; it becomes $LOGS/trace.
capture_end() {
	if mountpoint -q "$RUN/root"; then unmounted "$RUN/root"; fi
	unmount_images
	daemon_stop
	tc qdisc del dev lo root
	rm "$RUN/delayed"
	cp "$RUN/trace" "$LOGS/trace"
}

# $RUN/root: the mounted image with a writable layer above it, and an empty /dev of its own.
writable_root() {
	mkdir -p "$RUN"/{upper,work,root}
	works 10 mount -t overlay -o "lowerdir=$MNT,upperdir=$RUN/upper,workdir=$RUN/work" \
		overlay "$RUN/root"
	mknod -m 666 "$RUN/root/dev/null" c 1 3
}

# ---- the end -----------------------------------------------------------------------------

# Where records were lost on purpose, a scenario says NAMELESS=nameless: cache files have none then.
NAMELESS=

# Nothing that is mounted, nothing that mounts left in their directory, no file that a tool makes to
# be renamed or removed, and nothing in the cache, the daemon or the kernel that has no owner.
left_behind() {
	local left
	nothing_mounted
	shopt -s nullglob
	left=("$RUN"/cachefilld/*/* /run/cachefilld/{mounts,layers}/* "$RUN"/state/index/new.*
		/tmp/cachefillctl-build.*)
	shopt -u nullglob
	equal "${left[*]}" '' "left behind"
	[ ! -x "$TOOLS/left-behind" ] ||
		"$TOOLS/left-behind" "$CACHE" "$RUN/state" "${DAEMON_PID:-0}" $NAMELESS >&5 2>&1 ||
		fail "something is left behind"
}

# A scenario that got to its end has to leave a kernel behind that has nothing to complain about.
finish() {
	if compgen -G "$RUN/cachefilld/mounts/*" > /dev/null; then works 20 ctl umount --all; fi
	unmount_images
	left_behind
	if [ -n "$DAEMON_PID" ]; then daemon_stop; fi
	if [ -n "$PROXY_PID" ]; then proxy_stop; fi
	if [ -n "$NGINX_PID" ]; then nginx_stop; fi
	if dmesg | grep -E 'BUG|WARNING:|Oops|Call Trace|blocked for more|decompress|corrupt'; then
		fail "the kernel complained"
	fi
	if reported; then fail "a tool reports what a program does wrong"; fi
}
