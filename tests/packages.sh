#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Installs the Debian 12 packages that building and testing need:
#
#	tests/packages.sh [build|test|kernel|smp|bench]...	(the first three when none is named)
#
# Says which are missing and installs only those; with nothing missing it needs neither root nor
# network.

set -euo pipefail

# Compiler, build system, the libraries of the daemon and of its unit tests.
build="meson ninja-build pkg-config gcc libc6-dev liburing-dev libcurl4-openssl-dev libxxhash-dev
	libsqlite3-dev uthash-dev zlib1g-dev libjansson-dev libssl-dev libarchive-dev
	libmount-dev libmicrohttpd-dev libfsverity-dev libseccomp-dev check"

# The other compiler with its sanitizers, valgrind, the manual checker, certificates, a registry, and
# the parser of AppArmor (0.6 MB to download).
test="clang libclang-rt-14-dev valgrind libc6-dbg mandoc openssl time
	docker-registry apache2-utils python3-botocore erofs-utils fsverity apparmor"

# The User-Mode Linux guest: its kernels, its images, its web server, and what runs containers (the
# last three: 13 MB to download, 56 MB installed).
kernel="linux-source-6.12 linux-source-6.1 make flex bison bc xz-utils ccache
	erofs-utils nginx-light e2fsprogs busybox-static iproute2 curl attr sqlite3
	crun podman skopeo strace"

# The emulated machine with two processors, and what its kernel is built with.
smp="qemu-system-x86 libelf-dev"

# What the daemon is compared with.
bench="nbdkit nbd-client rclone fuse3 time"

wanted=
for group in "${@:-build test kernel}"; do
	for name in $group; do
		case $name in
		build | test | kernel | smp | bench) wanted="$wanted ${!name}" ;;
		*) echo "packages: no group '$name': build, test, kernel, smp and bench exist" >&2; exit 2 ;;
		esac
	done
done

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

# Any nginx will do where one is installed already.
missing=
for package in $wanted; do
	[ "$package" = nginx-light ] && [ -x /usr/sbin/nginx ] && continue
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "packages: installing$missing" >&2
if [ "$(id -u)" != 0 ]; then
	echo "packages: that needs root; run: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
	apt-get -q -o DPkg::Lock::Timeout=300 "$@" > "$log" 2>&1 || {
		tail -20 "$log" >&2
		echo "packages: apt-get $1 failed" >&2
		exit 1
	}
}
apt update
# A service that the package manager starts would only be in the way of the tests.
# shellcheck disable=SC2086
RUNLEVEL=1 apt install -y --no-install-recommends $missing
echo "packages: done" >&2
