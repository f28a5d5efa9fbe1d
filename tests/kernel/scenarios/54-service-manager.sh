# SPDX-License-Identifier: MIT
#: kernels 6.12
#: sides file
#: needs cachefilld
#: guest own
#: seconds 240
#
# The unit under systemd, which is the first process of a namespace of its own: restart, crash, upgrade
# and a configuration that is not good are a pause for readers; stop lets the device go.

[ -x /lib/systemd/systemd ] || skip "systemd is not installed"

mkdir -p "$RUN/bin" "$CACHE/cache" "$CACHE/state"
cp "$DAEMON" "$RUN/bin/cachefilld"
mount --bind "$CACHE/cache" /var/cache
mount --bind "$CACHE/state" /var/lib
origin_start
conf() { printf 'source test {\n\turl = %s\n}\n' "$(template)" > "$RUN/conf"; }
conf

# Nothing of the host's but the unit.
units=/run/systemd/system
mkdir -p "$units/cachefilld.service.d"
for unit in /lib/systemd/system/*.wants/*; do ln -sfn /dev/null "$units/${unit##*/}"; done
for target in sysinit basic shutdown network remote-fs-pre test; do
	rm -f "$units/$target.target"
	printf '[Unit]\nDefaultDependencies=no\n' > "$units/$target.target"
done
cp "$TOOLS/cachefilld.service" "$units"
cat > "$units/cachefilld.service.d/test.conf" <<-UNIT
	[Service]
	ExecStart=
	ExecStart=$RUN/bin/cachefilld --config $RUN/conf
	ExecReload=
	ExecReload=$RUN/bin/cachefilld --config $RUN/conf --check-config
	ExecReload=/bin/kill -HUP \$MAINPID
	StandardError=append:$LOGS/daemon.log
	UNIT
env -i PATH="$PATH" container=test unshare --pid --fork --mount-proc /lib/systemd/systemd --system \
	--unit=test.target --log-target=console --show-status=no > "$LOGS/systemd.log" 2>&1 < /dev/null &
unshare=$!
first_process() { pgrep -P "$unshare"; }
trap 'kill -KILL $(first_process)' EXIT

# From inside: whoever it cannot see as a process is nobody to it.
system() {
	nsenter --target "$(first_process)" --pid --mount systemctl "$@" cachefilld.service
}
shows() { [ "$(system show -P "$1")" = "$2" ]; }
said() { grep -cF -- "$1" "$LOGS/daemon.log" || true; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }

step "start"
eventually 60 test -S /run/systemd/private
works 60 system start
shows NFileDescriptorStore 1 || fail "the device is not in the store"
mounted plain
works 20 same_piece 1

step "restart"
piece "$MNT/big" 2 | sha256sum > "$RUN/sum" &
reader=$!
works 60 system restart
works 30 gone "$reader"
wait "$reader" || fail "the reader failed"
equal "$(cat "$RUN/sum")" "$(piece "$IMAGES/tree/big" 2 | sha256sum)"
works 20 same_piece 3

step "crash"
works 20 system kill -s KILL
works 60 same_piece 4
eventually 30 shows ActiveState active

step "upgrade"
cp "$DAEMON" "$RUN/bin/new"
mv "$RUN/bin/new" "$RUN/bin/cachefilld"
n=$(said 'serving ')
works 20 system reload
works 60 same_piece 5
eventually 30 said_more 'serving ' "$n"

step "a configuration that is not good"
echo 'no = such key' > "$RUN/conf"
errs 20 'Job for cachefilld.service failed' system reload
grep -q 'conf:1: unknown key' "$LOGS/daemon.log" || fail "the log does not say what is wrong"
works 20 same_piece 6
system restart > "$LOGS/restart" 2>&1 || true
same_piece 7 &
reader=$!
conf
works 60 gone "$reader"
wait "$reader" || fail "the reader failed"
eventually 30 shows ActiveState active

step "stop"
works 60 system stop
errs 30 "$NO_BYTES" piece "$MNT/big" 0
unmounted
works 60 system start
mounted plain
works 20 same_piece 1
unmounted
works 60 system stop
