# SPDX-License-Identifier: MIT
#: kernels 6.12
#: sides file http
#: seconds 180
#: needs cachefilld
#
# The control socket of the real daemon: what curl(1) and cachefillctl(1) see while an image is read,
# who may use it, a recording, and what a killed daemon leaves behind.

socket=/run/cachefilld/control.sock
asks() { within 10 curl -sS --fail-with-body --unix-socket "$socket" "http://d$1" "${@:2}"; }
tool() { within 10 "$TOOLS/cachefillctl" "$@"; }
has() { grep -qE "$1" "$RUN/answer" || fail "no '$1' in: $(head -c 2000 "$RUN/answer")"; }
as() { within 10 setpriv --reuid "$1" --regid "$2" --clear-groups "${@:3}"; }

step "no daemon"
rm -f "$socket"
origin_start
status=0
tool status 2> "$RUN/answer" || status=$?
equal "$status" 3
has "cachefilld does not run"

step "while an image is read"
echo 'cachefilld:x:54321:' > "$RUN/group"
mount --bind "$RUN/group" /etc/group
daemon_start
equal "$(stat -c '%a %u %g' "$socket")" "660 0 54321"
mounted plain
same_tree 60 "$IMAGES/tree" "$MNT"
asks /v1/status > "$RUN/answer"
has '"objects":[1-9]'
has '"reads_failed":0'
asks /v1/objects > "$RUN/answer"
has '"cookie":"plain.erofs"|"cookie":"plain'
has '"cached_bytes":[1-9]'
asks /metrics > "$RUN/answer"
has '^cachefilld_requests_total\{op="read",result="ok"\} [1-9]'
has '^process_resident_memory_bytes [1-9]'
for command in status objects flights origins metrics; do
	tool "$command" > "$RUN/answer" || fail "cachefillctl $command: $?"
	tool "$command" --json > "$RUN/answer" || fail "cachefillctl $command --json: $?"
done

step "who may ask"
as 12345 54321 curl -sS --unix-socket "$socket" http://d/v1/status > "$RUN/answer"
has '"version"'
as 12345 54321 curl -sS --unix-socket "$socket" http://d/v1/purge -d '{"volume":"v"}' > "$RUN/answer"
has '"status":403'
if as 12345 12345 curl -sS --unix-socket "$socket" http://d/v1/status > "$RUN/answer" 2>&1; then
	fail "somebody else was let in"
fi

step "a recording"
mkdir "$RUN/traces"
tool trace start "$RUN/traces/t" > "$RUN/answer" || fail "trace start: $?"
has "recording into $RUN/traces/t"
drop_caches
unmounted
mounted plain
works 20 same_piece 1
tool trace stop > "$RUN/answer"
eventually 10 grep -q "$RUN/traces/t: recorded" "$LOGS/daemon.log"
works 10 "$TOOLS/cachefillctl" trace verify --lenient "$RUN/traces/t"

step "events"
curl -sSN --unix-socket "$socket" http://d/v1/events > "$RUN/events" &
events=$!
eventually 10 grep -q listening "$RUN/events"
unmounted
eventually 10 grep -q '"event":"closed"' "$RUN/events"
mounted plain
eventually 10 grep -q '"event":"opened"' "$RUN/events"

step "the next program has no capabilities, and the same socket"
kill -USR2 "$DAEMON_PID"
works 10 gone "$events"
works 20 same_piece 2
eventually 10 as 12345 54321 curl -sSf --unix-socket "$socket" -o /dev/null http://d/v1/status
equal "$(stat -c '%a %u %g' "$socket")" "660 0 54321"

step "killed, and started again"
daemon_kill
status=0
tool status 2> "$RUN/answer" || status=$?
equal "$status" 3
has "nobody listens there"
unmounted
daemon_start
tool status > "$RUN/answer" || fail "status after a restart: $?"
daemon_stop
if [ -e "$socket" ]; then fail "the socket is still there"; fi
umount /etc/group
