# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides http
#: seconds 120
#: needs cachefilld
#
# Another configuration comes into force while an image is read: no reader notices, what is open stays
# where it was opened, and what is opened goes by the new rules. A bad one changes nothing.

good() { printf 'source a {\n\turl = http://127.0.0.1:%s/%s{cookie}\n}\n' "$PORT" "$1"; }
conf() { good "$@" > "$RUN/conf"; }
said() { grep -cF -- "$1" "$LOGS/daemon.log" || true; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }
reload() { "$TOOLS/cachefillctl" reload; }
refused() { # TEXT: and the same process serves
	local n
	n=$(said 'serving ')
	errs 20 "$1" reload
	equal "$(said 'serving ')" "$n" "daemons"
	works 20 same_piece "$2"
}

origin_start
CONFIG=$RUN/conf
conf ''
daemon_start

step "under readers"
mounted plain
same_bytes "$IMAGES/tree" "$MNT" &
reader=$!
for i in 1 2 3; do
	works 60 reload > "$RUN/answer"
	equal "$(< "$RUN/answer")" "reloaded: 1 source"
	equal "$(said 'serving ')" "$((i + 1))" "daemons"
done
works 60 gone "$reader"
wait "$reader" || fail "the reader failed"
unmounted

step "what is open stays, what is opened does not"
mounted ten-0
drop_caches
mounted split "$MNT-2" device=split-blob
conf 'elsewhere/'
works 60 reload > "$RUN/answer"
same_tree 60 "$IMAGES/ten/0" "$MNT"
equal "$(requests '/elsewhere/')" 0 "requests"
errs 30 "$MOUNT_REFUSED|No such file" erofs chunked "$MNT-3"
[ "$(requests '/elsewhere/chunked')" -gt 0 ] || fail "the new rule was not asked"
same_tree 60 "$IMAGES/tree" "$MNT-2"
conf ''
works 60 reload > "$RUN/answer"
mounted chunked "$MNT-3"
unmounted
unmounted "$MNT-2"
unmounted "$MNT-3"
mounted plain

step "what is wrong changes nothing"
{ good ''; echo 'colour = red'; } > "$RUN/conf"
refused "conf:4: .*colour" 1
{ good ''; echo 'image-domain = other'; } > "$RUN/conf"
refused "image-domain" 2
{ sed '$d' "$RUN/conf" | sed '$d'; printf '\tca-file = /nowhere.pem\n}\n'; } > "$RUN/conf.new"
mv "$RUN/conf.new" "$RUN/conf"
refused "conf:1: source .a.: ca-file" 3
n=$(said 'this process goes on')
kill -HUP "$DAEMON_PID"
eventually 20 said_more 'this process goes on' "$n"

step "what needs more is named, and the rest is done"
{ good ''; printf 'bcull = 6%%\nlog-level = debug\n'; } > "$RUN/conf"
n=$(said 'serving ')
kill -HUP "$DAEMON_PID"
eventually 20 said_more 'serving ' "$n"
equal "$(said 'bcull: another value comes into force when')" 1
equal "$("$TOOLS/cachefillctl" log-level)" debug
works 20 same_piece 4
