# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides http
#: seconds 120
#: needs cachefilld
#
# An image is prefetched while it is mounted, and one that nobody has mounted, by a job that outlives
# whoever waits for it and the daemon; then the origin goes down, and all of both can be read.

tool() { ctl "$@" --state-dir "$RUN/state"; }
export RUN TOOLS
export -f tool ctl
job_is() { "$TOOLS/cachefillctl" prefetch --list | grep -qE "^ +$1 $2 "; }
said() { grep -cF -- "$1" "$LOGS/daemon.log" || true; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }
nothing_mounted_for_jobs() { ! ctl mounts | grep -q /prefetch/; }
escapes() { grep -q $'\033' "$@"; }

origin_start
image_add one ten-0
image_add split split device=split-blob
daemon_start

# A terminal's user: he sees how far it is, and interrupts the waiting.
step "interrupted on a terminal"
mkfifo "$RUN/keys"
SHELL=/bin/bash TERM=xterm script -qefc 'tool prefetch --rate 4M split' "$RUN/typescript" < "$RUN/keys" > "$RUN/screen" &
terminal=$!
exec 9> "$RUN/keys"
drawn() { grep -qE "\[=*> *\] .*% .* of .*/s .* left" "$RUN/screen"; }
eventually 30 drawn
escapes "$RUN/screen" || fail "the line is not drawn again"
printf '\003' >&9
works 30 gone "$terminal"
status=0
wait "$terminal" || status=$?
exec 9>&-
equal "$status" 1
grep -q 'the job goes on: .*--cancel 1' "$RUN/screen" || fail "$(tail -c 500 "$RUN/screen")"
job_is 1 '(running|done)' || fail "the job is not there"

step "a restart, with somebody who waits, and without"
tool prefetch --rate 64K one > "$RUN/answer" 2> "$RUN/said" &
waiting=$!
eventually 20 job_is 2 '(running|done)'
n=$(said 'serving ')
kill -HUP "$DAEMON_PID"
eventually 30 said_more 'serving ' "$n"
works 60 gone "$waiting"
wait "$waiting" || fail "$(< "$RUN/said")"
grep -q '^fetched ' "$RUN/answer" || fail "$(< "$RUN/answer")"
if escapes "$RUN/answer" "$RUN/said"; then fail "escape codes where there is no terminal"; fi
# Where it had ended before the restart, the next daemon does not list it.
eventually 60 said_more 'prefetch 1 (split): done' 0
eventually 20 nothing_mounted_for_jobs

step "what is mounted"
image_mounted split "$MNT"
works 60 tool prefetch split > "$RUN/answer"
grep -q '^fetched .* of ' "$RUN/answer" || fail "$(< "$RUN/answer")"

step "what is not"
works 60 tool evict one > "$RUN/answer"
works 60 tool prefetch one --json > "$RUN/answer"
grep -q '"state":"done"' "$RUN/answer" || fail "$(< "$RUN/answer")"
equal "$(ctl mounts | wc -l)" 1 "mounts"
[ ! -e "$RUN/cachefilld/prefetch" ] || fail "its place is left"

step "beside a mount of the same"
works 60 tool prefetch one --background > "$RUN/answer"
image_mounted one "$MNT-2"
eventually 20 nothing_mounted_for_jobs

step "by its own plan"
image_unmounted --all
tool image inspect --json one > "$RUN/answer"
cookie=$(sed 's/.*"cookie":"\([^"]*\)".*/\1/' "$RUN/answer")
printf 'cachefill-plan 1\n262144+65536 x/%s\n' "$cookie" > "$RUN/plan"
works 10 tool image plan one "$RUN/plan" > "$RUN/answer"
works 60 tool evict one > "$RUN/answer"
works 60 tool prefetch one --json > "$RUN/answer"
grep -q '"bytes":65536,' "$RUN/answer" || fail "$(< "$RUN/answer")"
works 10 tool image plan --remove one
# That lies in the middle, behind its beginning, which was looked at.
printf 'dir %s\n' "$CACHE" > "$RUN/conf"
works 10 tool du --map one --config "$RUN/conf" > "$RUN/answer"
grep -qE '^sha256:|^x:' "$RUN/answer" || fail "$(< "$RUN/answer")"
grep -qE ' [#+-]*\.+[#+-]{5,7}\.+$' "$RUN/answer" || fail "$(< "$RUN/answer")"

step "with a mount"
image_mounted split "$MNT"
works 60 tool mount --prefetch one "$MNT-2" > "$RUN/answer"
grep -q '^job [0-9]*$' "$RUN/answer" || fail "$(< "$RUN/answer")"
job=$(cut -d' ' -f2 "$RUN/answer")
eventually 20 eval 'ctl prefetch --list | grep -q "^ *$job done"'

step "without an origin"
origin_stop
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
same_tree 60 "$IMAGES/ten/0" "$MNT-2"
image_unmounted --all
nothing_left
