# SPDX-License-Identifier: MIT
#: sides file http
#: needs cachefilld
#
# Recording: from the start; ended and begun by SIGUSR1 while a reader runs, which notices nothing;
# after kill -9 what was written can be read; a file that cannot be made; no file at all.

# good FILE [--lenient]: readable by its owner alone, and each answer has its request; strict: each
# request its answer, and the recording its end. (Builds without the control tool check the first.)
good() {
	equal "$(stat -c %a "$1")" 600 "mode of $1"
	[ ! -x "$TOOLS/cachefillctl" ] || works 10 "$TOOLS/cachefillctl" trace verify "${@:2}" "$1"
}
written() { [ "$(stat -c %s "$1")" -gt "$2" ]; }
logged() { grep -qE "$1" "$LOGS/daemon.log"; }

trace=$RUN/traces/trace
mkdir "$RUN/traces"

step "a directory that is not there"
origin_start
status=0
within 20 "$DAEMON" --cache-dir "$CACHE" --state-dir "$RUN" --source "$(template)" \
	--trace "$RUN/none/trace" 2> "$RUN/errs" || status=$?
equal "$status" 1
grep -q "cannot record into $RUN/none/trace: No such file or directory" "$RUN/errs" ||
	fail "$(cat "$RUN/errs")"

step "from the start, by a relative name"
cd "$RUN/traces"
daemon_start --trace trace
cd /
mounted plain
same_tree 60 "$IMAGES/tree" "$MNT"

step "ended by SIGUSR1"
kill -USR1 "$DAEMON_PID"
eventually 10 logged "$trace: recorded [0-9]+ records"
good "$trace"
before=$(stat -c %s "$trace")
unmounted
if [ -e "$trace.1" ]; then fail "a second recording without being asked for"; fi

step "SIGUSR1 again and again while a reader runs"
daemon_stop
rm -rf "$CACHE"
daemon_start --trace "$trace"
eventually 10 test -e "$trace.1"
mounted plain
diff -r --no-dereference "$IMAGES/tree" "$MNT" > "$RUN/diff" 2>&1 &
reader=$!
for i in 2 3 4 5; do
	kill -USR1 "$DAEMON_PID"
	eventually 10 logged "$trace.$((i - 1)): recorded"
	kill -USR1 "$DAEMON_PID"
	eventually 10 logged "$trace.$i: recording"
done
works 60 gone "$reader"
wait "$reader" || fail "the reader saw: $(head -3 "$RUN/diff")"
equal "$(stat -c %s "$trace")" "$before" "size of the first trace"
for i in 1 2 3 4; do good "$trace.$i" --lenient; done # the reader may have been waiting

step "ended by SIGTERM"
unmounted
daemon_stop
logged "$trace.5: recorded" || fail "no end of the last recording"
good "$trace.5"

step "killed"
rm -rf "$CACHE"
daemon_start --trace "$RUN/killed"
mounted plain
same_tree 60 "$IMAGES/tree" "$MNT"
eventually 10 written "$RUN/killed" 2000
daemon_kill
good "$RUN/killed" --lenient
unmounted

step "the directory goes while the daemon runs"
mkdir "$RUN/gone"
daemon_start --trace "$RUN/gone/trace"
kill -USR1 "$DAEMON_PID"
eventually 10 logged "gone/trace: recorded"
rm -r "$RUN/gone"
kill -USR1 "$DAEMON_PID"
eventually 10 logged "cannot record into $RUN/gone/trace: No such file"
mounted plain
works 20 same_piece 1
unmounted
daemon_stop

step "no file is configured"
daemon_start
kill -USR1 "$DAEMON_PID"
eventually 10 logged "SIGUSR1: nothing is recorded"
mounted plain
works 20 same_piece 1
