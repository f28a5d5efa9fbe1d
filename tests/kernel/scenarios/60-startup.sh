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

# Not 'mount -o loop': it holds the device open for writing, which this kernel does not allow.
small_mount() { mount "$(losetup -f --show "$CACHE/small.img")" "$RUN/small"; }
small_umount() { umount "$RUN/small" && losetup -D; }

truncate -s 64M "$CACHE/small.img"
mkfs.ext4 -q -b 1024 "$CACHE/small.img"
mkdir "$RUN/small"
small_mount
refused 15 'block' with_cache "$RUN/small"
small_umount

mkfs.ext4 -q -F -b 4096 "$CACHE/small.img"
small_mount
dd if=/dev/zero of="$RUN/small/fill" bs=1M status=none 2> "$RUN/dd" || true
refused 16 'free|space' with_cache "$RUN/small"
small_umount

daemon_start
refused 12 "$DAEMON_PID" with_cache "$CACHE"
