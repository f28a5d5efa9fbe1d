# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#: needs cachefilld
#: seconds 120
#
# What the daemon can still do once it serves, and that this is enough: no call that it makes is one
# that its filter refuses, but clone3, after which the C library takes clone.

origin_start
daemon_start --trace "$RUN/trace"

status() { sed -n "s/^$1:\t*//p" "/proc/$DAEMON_PID/status"; }
if [ "$(status Seccomp)" = 0 ]; then skip "built without libseccomp, or with a sanitizer"; fi
equal "$(status NoNewPrivs)" 1 NoNewPrivs
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	equal "$(status $set)" 0000000000000000 "$set"
done
equal "$(grep -c '^Max core file size  *0  *0 ' "/proc/$DAEMON_PID/limits")" 1 "core dumps"
# Of root, but nobody's to read without CAP_SYS_PTRACE: that is what PR_SET_DUMPABLE does.
errs 5 'Permission denied' setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace \
	cat "/proc/$DAEMON_PID/environ"

command -v strace > /dev/null || skip "there is no strace"
strace -f -qq -o "$RUN/calls" -p "$DAEMON_PID" 2> "$RUN/strace" &
tracer=$!
traced() { [ "$(status TracerPid)" != 0 ]; }
eventually 20 traced

mounted plain
works 60 cmp "$MNT/big" "$IMAGES/tree/big"
# Ends one recording, begins another, in a new file.
kill -USR1 "$DAEMON_PID"
eventually 20 grep -qF "$RUN/trace: recorded" "$LOGS/daemon.log"
kill -USR1 "$DAEMON_PID"
eventually 20 test -s "$RUN/trace.1"
errs 20 "$MOUNT_REFUSED" erofs missing "$RUN/missing"
unmounted
daemon_stop
wait "$tracer" || true

grep -q ENOSYS "$RUN/calls" && grep ENOSYS "$RUN/calls" | grep -v 'clone3(' > "$RUN/refused" &&
	fail "refused: $(sort -u -k2,2 "$RUN/refused" | head -5)"
grep -q 'write\|io_uring_enter' "$RUN/calls" || fail "strace saw nothing"

# The same from its start on, for the files that it opens: its AppArmor profile knows them.
[ "$SIDE" = http ] || exit 0
daemon=$DAEMON DAEMON=$RUN/traced
printf '#!/bin/sh\nexec strace -D -f -qq -e trace=%%file -o %s %s "$@"\n' "$RUN/files" "$daemon" > "$DAEMON"
chmod +x "$DAEMON"
daemon_start
mounted plain
works 60 cmp "$MNT/big" "$IMAGES/tree/big"
unmounted
daemon_stop
sed 's|@sbindir@|/usr/sbin|' "$KERNEL_TESTS/../../contrib/apparmor/cachefilld.in" > "$RUN/profile"
works 30 "$KERNEL_TESTS/../tools/apparmor-covers.pl" "$RUN/profile" "$RUN/files" \
	"$daemon=/usr/sbin/cachefilld" "$CACHE=/var/cache/cachefilld" "$RUN/state=/var/lib/cachefilld"
