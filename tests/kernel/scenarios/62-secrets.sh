# SPDX-License-Identifier: MIT
#: kernels 6.12
#: sides http
#: needs cachefilld
#: seconds 120
#
# A password and a signature in a locator, and a field for the server: no log, recording, database, argument
# or answer of the control socket has them, and what is written is its owner's alone.

kept_secret() {
	local text written=("$LOGS/daemon.log" "$LOGS/answers" "$LOGS/cmdline" "$RUN/state" "$RUN"/trace*)
	for text; do
		! grep -rqF -e "$text" "${written[@]}" ||
			fail "$text is in $(grep -rlF -e "$text" "${written[@]}")"
	done
}

origin_start
echo "X-Token: TopSecret1" > "$RUN/fields"
chmod 600 "$RUN/fields"
CONFIG=$RUN/conf
cat > "$CONFIG" <<-CONF
source secrets {
	url = http://us:TopSecret2@127.0.0.1:$PORT/{cookie}?signature=TopSecret3
	header-file = $RUN/fields
}
CONF
answers() {
	local route
	for route in status objects flights origins; do
		within 10 curl -sS --fail-with-body --unix-socket /run/cachefilld/control.sock \
			"http://d/v1/$route" || fail "$route: $?"
	done
	within 10 curl -sS --unix-socket /run/cachefilld/control.sock http://d/metrics
}

daemon_start --trace "$RUN/trace" --verbose
mounted plain
works 30 same_piece 1
answers > "$LOGS/answers"
grep -q '"cookie":"plain' "$LOGS/answers" || fail "no word of the object"
tr '\0' '\n' < "/proc/$DAEMON_PID/cmdline" > "$LOGS/cmdline"
errs 20 "$MOUNT_REFUSED" erofs missing "$RUN/missing"
grep -q '/missing' "$LOGS/daemon.log" || fail "no word of what is missing"
unmounted
daemon_stop
# So it was sent.
grep -q TopSecret3 "$LOGS/nginx-error.log" || fail "no signature for the server"
kept_secret TopSecret1 TopSecret2 TopSecret3
equal "$(find "$RUN/state" "$RUN"/trace* "$CACHE" -type f -perm /077 | head -3)" '' "what others may read"

step "known again, with another password"
sed -i 's/TopSecret2/TopSecret4/' "$CONFIG"
daemon_start --verbose
mounted plain
works 30 same_piece 1
unmounted
daemon_stop
kept_secret TopSecret4
grep -q ' and 0 looks' "$LOGS/daemon.log" || fail "it was looked at anew"
