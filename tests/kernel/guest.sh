#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Boots a kernel of build-kernel.sh over the host's own root and runs one command in it:
#
#	guest.sh [--arch um|x86] --kernel FILE --work DIR [--show DIR]... [--timeout SEC]
#		[--memory SIZE] [--disk SIZE] [--] COMMAND [ARGUMENT]...
#
# um is User-Mode Linux: one processor, and 39 bits of addresses, no room for ASan and TSan.
# x86 is a machine that QEMU emulates: two processors and all addresses, but several times as slow.
#
# The guest sees the host's files under the same names, read-only, so nothing in it can hurt the
# host; WORK alone is writable. /run, /mnt and /tmp are empty and in memory (a --show DIR below /tmp
# is put back, read-only). A fresh ext4 file system with 4 KiB blocks is on /mnt/cache, loopback is
# up.
#
# The console is copied to standard output while it runs. Exit status: that of COMMAND; 124 when the
# time ran out, 125 when the guest died without a result.
#
# Needs no root: the guest is an ordinary process and reads files as whoever started it. Only files
# that this user cannot read stay unreadable, also for the guest's root.

set -euo pipefail

arch=um kernel='' work='' limit=120 memory=1G disk=8G shown=()
usage() { sed -n '6,7s/^#	\{0,1\}//p' "$0" >&2; exit 2; }
die() { echo "guest: $*" >&2; exit 125; }
while [ $# -gt 0 ]; do
	case $1 in
	--arch) arch=$2 ;;
	--kernel) kernel=$2 ;;
	--work) work=$2 ;;
	--show) shown+=("$(realpath "$2")") ;;
	--timeout) limit=$2 ;;
	--memory) memory=$2 ;;
	--disk) disk=$2 ;;
	--) shift; break ;;
	-*) usage ;;
	*) break ;;
	esac
	shift 2
done
[ -n "$work" ] && [ -x "$kernel" ] && [ $# -gt 0 ] || usage

work=$(realpath "$work")
case $work in *[[:space:]]*) die "no blanks, please, in $work" ;; esac
state=$work/guest
mkdir -p "$state"
rm -f "$state/status"

printf '#!/bin/bash\ncd %q\nexec' "$PWD" > "$state/command"
printf ' %q' "$@" >> "$state/command"

head -c 32 /dev/urandom > "$state/seed"

virtio=trans=virtio,version=9p2000.L,msize=262144
case $arch in
um) device=/dev/ubda share=(hostfs -o "$work" none) hung=20 ;;
x86) device=/dev/vda share=(9p -o "$virtio" work) hung=120 ;;
*) usage ;;
esac

cat > "$state/init" <<INIT
#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sys /sys
dmesg -n 1
for d in /run /mnt /tmp; do mount -t tmpfs -o mode=1777 tmp \$d; done
# The root without what is mounted on it, the host's /tmp in it.
mkdir /mnt/host
mount --bind / /mnt/host
for d in ${shown[*]@Q}; do
	case \$d in
	/run/*|/mnt/*|/tmp/*) mkdir -p "\$d"; mount --bind "/mnt/host\$d" "\$d" ;;
	esac
done
umount /mnt/host
rmdir /mnt/host
mkdir -p ${work@Q}
mount -t ${share[*]@Q} ${work@Q}
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
# It has no source of randomness: 6.1 would let whoever needs some (TLS does) wait for ever.
perl -e 'local \$/; open my \$seed, "<", \$ARGV[0]; open my \$random, "+<", "/dev/random";
	ioctl \$random, 0x40085203, pack "iia32", 256, 32, <\$seed>' ${state@Q}/seed
mkdir /mnt/cache /mnt/root
mount -t ext4 -o noinit_itable $device /mnt/cache
echo $hung > /proc/sys/kernel/hung_task_timeout_secs
bash ${state@Q}/command
echo \$? > ${state@Q}/status
busybox poweroff -f
INIT
chmod +x "$state/init"

# The guest's memory is a file that must be executable; containers often have a small or noexec
# /dev/shm. The disk fits there too, and does not wait for the host's other writers at each sync.
backing=$state shm=${CACHEFILLD_TEST_MEMORY:-/dev/shm}
if [ -w "$shm" ] && ! findmnt -no OPTIONS -T "$shm" | grep -qw noexec &&
	[ "$(df --output=avail -B1M "$shm" | tail -1)" -gt 4096 ]; then
	backing=$shm
fi

# Sparse, and new each time: what one boot left behind must not decide about the next.
image=$(mktemp "$backing/cachefilld-disk.XXXXXX")
trap 'rm -f "$image"' EXIT
guest=''
stop() {
	trap '' INT TERM HUP
	[ -z "$guest" ] || kill "$guest" || true
	wait
	exit 130
}
trap stop INT TERM HUP
truncate -s "$disk" "$image"
PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -b 4096 -O ^has_journal "$image"

# Not a pipeline: a shell that waits for one hears of no signal.
exec 4> >(trap '' INT TERM HUP; exec sed -u -e 's/\r$//' -e '/^reboot: /d')
console=$!
case $arch in
um)
	machine=("$kernel" "mem=$memory" "ubd0=$image" con=null con0=fd:0,fd:1
		root=/dev/root rootfstype=hostfs rootflags=/ ro quiet panic=-1 "init=$state/init")
	;;
x86)
	# 9p gives files of several file systems, which / usually has, numbers of their own.
	files=security_model=none,multidevs=remap
	machine=(qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2
		-m "$memory" -display none -vga none -serial stdio -monitor none -nic none
		-no-reboot -drive "file=$image,if=virtio,format=raw,cache=unsafe"
		-fsdev "local,id=host,path=/,readonly=on,$files"
		-device virtio-9p-pci,fsdev=host,mount_tag=host
		-fsdev "local,id=work,path=$work,$files"
		-device virtio-9p-pci,fsdev=work,mount_tag=work
		-kernel "$kernel" -append "$(printf '%s ' console=ttyS0 root=host rootfstype=9p \
			"rootflags=$virtio,cache=loose" ro loglevel=1 panic=-1 "init=$state/init")")
	;;
esac
ulimit -c 0
status=0
TMPDIR=$backing timeout -k 5 "$limit" "${machine[@]}" \
	< /dev/null >&4 2> "$state/kernel.log" 4>&- &
guest=$!
exec 4>&-
wait "$guest" || status=$?
guest=''
wait "$console" || true

if [ -s "$state/status" ]; then
	exit "$(cat "$state/status")"
fi
if [ "$status" = 124 ] || [ "$status" = 137 ]; then
	echo "guest: stopped after $limit s" >&2
	exit 124
fi
tail -20 "$state/kernel.log" >&2
die "the kernel ended with $status and no result"
