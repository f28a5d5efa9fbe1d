# SPDX-License-Identifier: MIT
#: needs cachefilld
#
# A thousand mounts and umounts of four images by as many processes, with readers: all of them succeed,
# and then the daemon is as large as after the first hundred, with no descriptor but its connections more.

images=(ten-0 ten-1 ten-2 ten-3)
CONNECTIONS=16
descriptors() { set -- /proc/"$DAEMON_PID"/fd/*; echo $#; }
memory() { sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$DAEMON_PID/status"; }
burst() { works 60 "$TOOLS/mount-burst" "$1" domain_id=ten "$RUN/burst" "$IMAGES/ten" "${images[@]}"; }
all_closed() { ! readlink /proc/"$DAEMON_PID"/fd/* | grep -q 'anon_inode:\[cachefiles\]'; }

origin_start
daemon_start
mkdir "$RUN/burst"
before=$(descriptors)
mounted plain
if all_closed; then fail "no descriptor of an object is seen"; fi
unmounted
burst 25
eventually 5 all_closed
kib=$(memory)
step "the first hundred: $kib kB"
burst 225
eventually 5 all_closed
step "the rest: $(memory) kB"
[ "$(memory)" -le $((kib + 1024)) ] || fail "from $kib to $(memory) kB"
[ "$(descriptors)" -le $((before + CONNECTIONS)) ] || fail "from $before to $(descriptors) descriptors"
