# SPDX-License-Identifier: MIT
#: seconds 120
#
# A container comes up: its root is a small distribution below a writable layer, its first process
# a shell script that starts what such scripts start. Most of the image is never read.

capture_start
mounted boot
writable_root

cat > "$RUN/root/start" <<'SCRIPT'
set -e
mount -t proc proc /proc
hostname "$(cat /etc/hostname)"
. /etc/profile
export LC_ALL=C.UTF-8 TZ=Europe/Berlin
id
date -d @1700000000
ls -l /usr/bin | sort -k5 -n | tail -n 3
find /etc -type f | xargs sha256sum | cut -c1-16 | sort -u | wc -l
awk -F: '{ print $1 }' /etc/passwd | sed 's/^/user /' | grep -v nobody
perl -MPOSIX -MList::Util=sum -e 'printf("%s %d\n", (uname())[1], sum(1 .. 100))'
tar -C /usr/lib -cf - os-release | gzip -9 > /tmp/archive.tar.gz
echo started
SCRIPT

works 100 unshare --mount --pid --fork --uts --ipc chroot "$RUN/root" /bin/bash /start
capture_end
