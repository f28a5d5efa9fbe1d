#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest of package.sh, which is a Debian system of its own: the life of the package. What
# became of each step is a line of TAP in the report.

set -eu
cd /opt/test
host='' version='' # where its directory is there, and what the package says
# shellcheck source=/dev/null
. ./environment
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
mkdir -p /mnt/host /mnt/app
mount -t hostfs -o "$host" none /mnt/host
exec > /mnt/host/output 2>&1 < /dev/null
set -x
report=/mnt/host/report
: > "$report"

ended() {
	set +e
	journalctl --no-pager > /mnt/host/journal
	if [ "$1" = 0 ]; then
		echo "# the end" >> "$report"
	else
		echo "not ok - $what" >> "$report"
		journalctl --no-pager -u cachefilld -n 15 | sed 's/^/# /' >> "$report"
	fi
	sync
}
trap 'ended $?' EXIT
what="it begins"
is_done() { echo "ok - $what${1:+ # $1}" >> "$report"; }

state() { systemctl show -P "$1" cachefilld.service; }
apt() { apt-get -qy --no-install-recommends -o Dpkg::Use-Pty=0 "$@"; }
# eventually SEC COMMAND...
eventually() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ]
		sleep 0.2
	done
}
# Files, modes, owners; links; groups. What dpkg, apt and systemd know of everything is theirs.
inventory() {
	find / -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache/apt -o \
		-path /var/cache/debconf -o -path /var/log -o -path /opt/test -o -path /mnt/host -o \
		-path /tmp -o -path /var/tmp \) -prune -o -printf '%p %y %m %u %g %l\n' | sort
	find /run/cachefilld 2> /dev/null || true
	grep -h . /etc/group /etc/passwd
}
reads_since_start() {
	local n
	n=$(cachefillctl status --json | tr -d ' \n' |
		sed 's/.*"counters":{[^}]*"reads":\([0-9]*\).*/\1/')
	[ "$n" -gt "$1" ]
}

inventory > before

what="installed, the unit is active"
apt install ./first.deb
[ "$(state ActiveState)" = active ]
[ "$(systemctl is-enabled cachefilld)" = enabled ]
cachefillctl status
is_done

what="what belongs to it is in its place"
dpkg -V cachefilld
[ "$(stat -c '%a %U %G' /run/cachefilld/control.sock)" = "660 root cachefilld" ]
[ "$(stat -c '%a %U %G' /var/cache/cachefilld)" = "700 root root" ]
[ "$(stat -c '%a %U %G' /var/lib/cachefilld)" = "700 root root" ]
cachefilld --check-config
for file in /usr/lib/{sysusers,tmpfiles,modules-load}.d/cachefilld.conf /sbin/{u,}mount.cachefill \
	/usr/share/bash-completion/completions/cachefillctl /usr/share/zsh/*/_cachefillctl \
	/usr/share/man/man8/{cachefilld,mount.cachefill,umount.cachefill}.8.gz; do
	[ -e "$file" ]
done
dpkg-query -W -f '${Conffiles}\n' cachefilld | grep /etc/cachefilld.conf
is_done

what="an image is added and mounted"
cachefillctl image add app file:/opt/test/image.erofs
mount -t cachefill app /mnt/app
cmp tree/1 /mnt/app/1
is_done

what="upgraded while it is read"
echo 0 > trouble
: > reader
(
	seed=1
	while [ ! -e reader-ends ]; do
		./soak-reader tree /mnt/app trouble $((seed++)) 5 >> reader || exit 1
		sleep 0.05
	done
) &
reader=$!
eventually 20 reads_since_start 20
was=$(state MainPID)
echo '# of the administrator' >> /etc/cachefilld.conf
began=$(wc -l < reader)
apt -o Dpkg::Options::=--force-confold install ./next.deb
[ "$(dpkg-query -W -f '${Version}' cachefilld)" = "$version+next" ]
[ "$(state ActiveState)" = active ]
[ "$(state MainPID)" != "$was" ]
[ "$(state NFileDescriptorStore)" = 1 ]
# The new one is asked for what is not cached.
eventually 30 reads_since_start 10
kill -0 "$reader"
touch reader-ends
wait "$reader"
cmp tree/2 /mnt/app/2
tail -n 1 /etc/cachefilld.conf | grep administrator
longest=$(sort -k4n reader | tail -n 1 | cut -d' ' -f4)
is_done "$(($(wc -l < reader) - began)) times 5 reads meanwhile, the longest took $longest ms"

what="nothing else has failed"
systemctl --failed --no-legend
[ -z "$(systemctl --failed --no-legend)" ]
is_done

what="it is not removed under somebody who reads"
exec 4< /mnt/app/3
if apt remove cachefilld; then false; fi
[ "$(state ActiveState)" = active ]
cmp tree/3 /mnt/app/3
exec 4<&-
is_done

what="removed, with the mounts that nobody uses"
apt remove cachefilld
[ "$(state ActiveState)" = inactive ]
if mountpoint -q /mnt/app; then false; fi
if [ -e /usr/sbin/cachefilld ] || [ -e /run/cachefilld ]; then false; fi
[ -e /etc/cachefilld.conf ]
[ -e /var/lib/cachefilld/images.db ]
is_done

what="installed again, what is cached is there"
apt install ./next.deb
mount -t cachefill app /mnt/app
mv image.erofs away
cmp tree/1 /mnt/app/1
mv away image.erofs
umount /mnt/app
is_done

what="purged, and nothing is left"
apt purge cachefilld
inventory > after
diff before after
is_done
