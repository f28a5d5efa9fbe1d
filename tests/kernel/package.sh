#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The Debian package in a fresh system, booted with systemd and the kernel feature in User-Mode
# Linux: installed, used, upgraded under a reader, removed and purged:
#
#	package.sh [--keep] BUILD_DIR
#
# BUILD_DIR is for test programs; the package is built three times, since two of the same tree have
# to be the same. Says how much room it takes. Not a part of tests/run.sh: it takes minutes, needs
# root, a Debian mirror ($CACHEFILLD_DEBIAN_MIRROR, or that of apt here), and the packages
# debootstrap and lintian besides those of contrib/debian/control. Prints TAP and, last, "N passed,
# N failed, 0 skipped". --keep keeps the logs.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=${here%/tests/*}
PATH=$PATH:/usr/sbin:/sbin
keep='' build=''
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=yes ;;
	-*) sed -n '7s/^#	//p' "$0" >&2; exit 2 ;;
	*) build=$(realpath "$1") ;;
	esac
	shift
done
[ -x "$build/tests/soak/soak-reader" ] || { echo "package: which BUILD_DIR?" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "package: debootstrap needs root" >&2; exit 2; }
for program in debootstrap lintian dpkg-buildpackage dh mkfs.erofs; do
	command -v "$program" > /dev/null || { echo "package: $program is missing" >&2; exit 2; }
done

work=$(mktemp -d "${TMPDIR:-/var/tmp}/cachefilld-package.XXXXXX")
guest=''
finish() {
	trap '' INT TERM HUP
	[ -z "$guest" ] || kill "$guest" || true
	wait
	umount "$work/root/proc" 2> /dev/null || true
	rm -rf "$work/root" "$work/disk" "$work/memory"
	if [ -z "$keep" ]; then rm -rf "$work"; else echo "# logs: $work"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

passed=0 failed=0
# is NAME COMMAND...: a test, by its exit status
is() {
	if "${@:2}" > "$work/out" 2>&1; then
		passed=$((passed + 1))
		echo "ok - $1"
	else
		failed=$((failed + 1))
		echo "not ok - $1"
		sed 's/^/# /' "$work/out" | tail -n 40
	fi
}

# ---- the package ----------------------------------------------------------------------------

# built DIR [ENVIRONMENT]... [-- OPTION...]
built() {
	local dir=$1 set=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do set+=("$1"); shift; done
	mkdir -p "$dir/tmp"
	env "${set[@]}" TMPDIR="$dir/tmp" "$root/contrib/make-deb.sh" "${@:2}" "$dir"
}
# Elsewhere, and by somebody who has other habits.
again=$work/again-in-a-longer-directory
built_again() { (umask 077 && built "$again" TZ=Asia/Tokyo LC_ALL=C.UTF-8); }
same_packages() {
	local deb
	for deb in "$work"/first/*.deb; do cmp "$deb" "$again/${deb##*/}" || return 1; done
}

is "it is built" built "$work/first"
deb=$(echo "$work"/first/cachefilld_*.deb)
[ -e "$deb" ] || exit 1
version=$(dpkg-deb -f "$deb" Version)
is "it is built again" built_again
is "both are the same" same_packages
is "lintian finds no error" lintian --allow-root --fail-on error "$deb"
sed -n 's/^[EW]: /# lintian: /p' "$work/out"
is "a later one is built" built "$work/next" -- --version "$version+next"
next=$(echo "$work"/next/cachefilld_*.deb)

# ---- a fresh system -------------------------------------------------------------------------

system=$work/root
inside() { env -i PATH="$PATH" DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$system" "$@"; }
# Without what apt keeps of archives.
kib() { du -skx "$system" --exclude="$system"/var/{cache,lib}/apt | cut -f1; }
packages() { inside dpkg-query -W | wc -l; }

# Where this host has its own packages from.
mirror=${CACHEFILLD_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' \
	'Created-By: Packages' 'Codename: bookworm' | head -1)}
fresh() {
	debootstrap --variant=minbase --include=systemd-sysv bookworm "$system" "$mirror" &&
		inside apt-get clean
}
is "a fresh system" fresh
[ -x "$system/usr/bin/apt-get" ] || exit 1
room=$(kib) number=$(packages)
depends() {
	inside apt-get -q update && inside apt-get -qy --no-install-recommends satisfy \
		"$(dpkg-deb -f "$deb" Depends)" && inside apt-get clean
}
is "what it depends on" depends
echo "# the package has $(($(stat -c %s "$deb") / 1024)) KiB," \
	"installed $(dpkg-deb -f "$deb" Installed-Size) KiB; what it depends on" \
	"$(($(kib) - room)) KiB in $(($(packages) - number)) packages" \
	"beside a system of $room KiB in $number packages"

# An image, and what it was made of.
mkdir -p "$system/opt/test/tree"
for i in {1..24}; do head -c 8M /dev/urandom > "$system/opt/test/tree/$i"; done
mkfs.erofs -T1700000000 "$system/opt/test/image.erofs" "$system/opt/test/tree" > "$work/out"
cp "$deb" "$system/opt/test/first.deb"
cp "$next" "$system/opt/test/next.deb"
cp "$build/tests/soak/soak-reader" "$here/package-guest.sh" "$system/opt/test"
mkdir "$work/logs"
printf 'host=%q\nversion=%q\n' "$work/logs" "$version" > "$system/opt/test/environment"
cat > "$system/etc/systemd/system/package-test.service" <<-UNIT
	[Unit]
	After=multi-user.target
	[Service]
	Type=oneshot
	ExecStart=/opt/test/package-guest.sh
	ExecStopPost=/bin/systemctl poweroff --force --force
	UNIT
ln -s ../package-test.service "$system/etc/systemd/system/multi-user.target.wants/"
# The kernel has no modules, nobody logs in, and there is no network.
for unit in systemd-modules-load.service {getty@tty1,console-getty}.service \
	{apt-daily,apt-daily-upgrade}.timer; do
	ln -sfn /dev/null "$system/etc/systemd/system/$unit"
done
truncate -s 3G "$work/disk"
mkfs.ext4 -q -F -b 4096 -O ^has_journal -d "$system" "$work/disk"

# ---- its life -------------------------------------------------------------------------------

kernel=$("$here/build-kernel.sh" 6.12)
memory=/dev/shm
[ -w "$memory" ] && ! findmnt -no OPTIONS -T "$memory" | grep -qw noexec || memory=$work
TMPDIR=$memory timeout -k 5 900 "$kernel" mem=1G root=/dev/ubda rootfstype=ext4 rw \
	init=/lib/systemd/systemd "ubd0=$work/disk" con=null con0=fd:0,fd:1 quiet \
	systemd.show_status=no panic=-1 < /dev/null > "$work/logs/console" 2> "$work/logs/kernel" &
guest=$!
wait "$guest" || true
guest=''
report=$work/logs/report
touch "$report"
cat "$report"
passed=$((passed + $(grep -c '^ok' "$report" || true)))
failed=$((failed + $(grep -c '^not ok' "$report" || true)))
if ! grep -q '^# the end' "$report"; then
	failed=$((failed + 1))
	echo "not ok - the guest comes to its end"
	tail -n 20 "$work/logs/console" | sed 's/^/# /'
fi

[ "$failed" = 0 ] || keep=yes
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
