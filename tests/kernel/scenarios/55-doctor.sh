# SPDX-License-Identifier: MIT
#: kernels 6.12
#: sides http
#: seconds 120
#: needs cachefilld
#
# cachefillctl doctor on the real kernel: nothing fails while all is well, and while a mount hangs it
# ends and says why, also from a directory of that mount.

socket=/run/cachefilld/control.sock
doctor() { "$TOOLS/cachefillctl" doctor --config "$RUN/conf"; }
says() { grep -qE "$1" "$RUN/answer" || fail "no '$1' in: $(< "$RUN/answer")"; }

origin_start
cat > "$RUN/conf" <<-CONF
	dir $CACHE
	state-dir = $RUN/state
	control-socket = $socket
	source web {
		url = $(template)
	}
CONF

step "nobody runs"
mkdir -p "$CACHE" "$RUN/state"
status=0
within 40 doctor > "$RUN/answer" || status=$?
equal "$status" 1
says '^fail  daemon  .*cachefilld does not run'
says '^ok    device  .*/dev/cachefiles is free'

step "all is well"
CONFIG=$RUN/conf daemon_start
mounted plain
within 40 doctor > "$RUN/answer" || fail "status $?: $(< "$RUN/answer")"
says '^ok    kernel  .*Linux 6\.'
says "^ok    device  .*is in use by $DAEMON_PID \(cachefilld\)"
says '^ok    cache  .*ext4'
says '^ok    databases  .*state.db is sound'
says '^ok    daemon  .*no request waits'
says '^ok    origins  .*web answers'
if grep '^fail' "$RUN/answer"; then fail "something fails"; fi

step "what becomes of an object"
works 20 "$TOOLS/cachefillctl" explain --config "$RUN/conf" erofs,plain/plain > "$RUN/answer"
says '^resolved    by source web'
says '^open        1 times'
says '^recorded    '
says '^cached      [1-9]'
says '^now         it works'

step "a mount hangs"
drop_caches
kill -STOP "$DAEMON_PID"
dd if="$MNT/big" of="$RUN/read" bs=64K count=1 skip=96 iflag=fullblock status=none &
reader=$!
eventually 10 readers_wait 1
status=0
cd "$MNT"
within 40 doctor > "$RUN/answer" || status=$?
cd /
equal "$status" 1
says '^fail  daemon  .*does not answer'
says "^ok    device  .*is in use by $DAEMON_PID"
says '^ok    cache  .*ext4'
says '^ok    origins  .*web answers'
equal "$(grep -c "^fail" "$RUN/answer")" 1 "$(< "$RUN/answer")"

step "it goes on"
kill -CONT "$DAEMON_PID"
works 20 gone "$reader"
wait "$reader" || fail "the reader has failed"
within 40 doctor > "$RUN/answer" || fail "status $?: $(< "$RUN/answer")"
unmounted
daemon_stop
