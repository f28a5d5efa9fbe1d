# SPDX-License-Identifier: MIT
#: sides file
#: needs cachefilld
#
# Everything that can be wrong at the start: one sentence and an exit status of its own
# (cachefilld(8)).

origin_start
chmod 777 "$RUN"

# refused STATUS TEXT COMMAND...: it ends soon, with that status, and says TEXT.
refused() {
	local status=0
	step "status $1"
	within 15 "${@:3}" > "$RUN/refused" 2>&1 || status=$?
	cat "$RUN/refused"
	equal "$status" "$1" "exit status; $(head -3 "$RUN/refused")"
	grep -qiE "$2" "$RUN/refused" || fail "expected '$2', got '$(head -3 "$RUN/refused")'"
}

# with_cache DIRECTORY [COMMAND...]: the daemon on this cache, under COMMAND.
with_cache() {
	local cache=$1
	shift
	"$@" "$DAEMON" --cache-dir "$cache" --state-dir "$RUN/state" --source "$(template)"
}
mkdir -m 777 "$RUN/state"

mv /dev/cachefiles /dev/elsewhere
refused 10 /dev/cachefiles with_cache "$CACHE"
mv /dev/elsewhere /dev/cachefiles

mkdir -m 777 -p "$CACHE"
refused 11 'root|CAP_SYS_ADMIN|permission' with_cache "$CACHE" \
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all

refused 14 missing with_cache "$RUN/missing" 
touch "$RUN/file"
refused 14 'director' with_cache "$RUN/file"

mkdir "$RUN/on-tmpfs"
refused 15 tmpfs with_cache "$RUN/on-tmpfs"

truncate -s 64M "$CACHE/small.img"
mkfs.ext4 -q -b 1024 "$CACHE/small.img"
mkdir "$RUN/small"
mount -o loop "$CACHE/small.img" "$RUN/small"
refused 15 'block' with_cache "$RUN/small"
umount "$RUN/small"

mkfs.ext4 -q -F -b 4096 "$CACHE/small.img"
mount -o loop "$CACHE/small.img" "$RUN/small"
dd if=/dev/zero of="$RUN/small/fill" bs=1M status=none 2> "$RUN/dd" || true
refused 16 'free|space' with_cache "$RUN/small"
umount "$RUN/small"

daemon_start
refused 12 "$DAEMON_PID" with_cache "$CACHE"
