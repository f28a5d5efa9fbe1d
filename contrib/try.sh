#!/bin/bash
# SPDX-License-Identifier: MIT
#
# See it work, in one command, on a fresh Debian 12:
#
#	contrib/try.sh
#
# Installs what is missing, builds cachefilld, makes an EROFS image of a part of /usr/share, serves
# it with nginx, mounts it through cachefilld on the real kernel feature and reads some of it; then
# tells how much of the image had to be fetched for that. Where the running kernel lacks the feature
# (nearly everywhere) all this happens inside User-Mode Linux, an ordinary process; its kernel is
# built on the first run, which takes minutes, and kept for the next one. Everything else is in a
# scratch directory that is removed.

set -euo pipefail

self=$(realpath "$0")
root=${self%/contrib/*}
PATH=$PATH:/usr/sbin:/sbin
limit_mib=200

# Bold on a terminal, of which the guest is told: its console looks like one.
terminal=''
if [ "${1:-}" = --inside ]; then
	terminal=$3
elif [ -t 1 ]; then
	terminal=yes
fi
bold=${terminal:+$'\033[1m'} plain=${terminal:+$'\033[0m'}
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
mib() { awk -v n="$1" 'BEGIN { printf "%.1f MiB", n / 1048576 }'; }
die() { echo "try: $*" >&2; exit 1; }

# The half that needs the kernel feature: natively, or inside the guest.
# A subshell, for its own EXIT trap.
serve_and_read() (
	work=$1 run=$2 cache=$3 mnt=$2/image
	mkdir -p "$mnt" "$run/state" "$run/nginx" "$cache"
	cat > "$run/nginx/conf" <<-CONF
	user root; worker_processes 1; pid $run/nginx/pid; error_log $run/nginx/error.log;
	events { }
	http {
		log_format t '\$request_method \$body_bytes_sent';
		access_log $run/access.log t;
		client_body_temp_path $run/nginx/1; proxy_temp_path $run/nginx/2;
		fastcgi_temp_path $run/nginx/3; uwsgi_temp_path $run/nginx/4;
		scgi_temp_path $run/nginx/5;
		server { listen 127.0.0.1:8421; root $work/origin; }
	}
	CONF
	nginx -c "$run/nginx/conf" -e "$run/nginx/error.log"

	say "Starting cachefilld"
	mkfifo "$run/ready"
	PATH=$PATH:$work/build/daemon:$work/build/daemon/ctl
	dirs=(--state-dir "$run/state" --run-dir "$run/mounts")
	set -x
	cachefilld --cache-dir "$cache" --state-dir "$run/state" --notify-fd 7 7> "$run/ready" &
	{ set +x; } 2> /dev/null
	daemon=$!
	trap 'exec 2> /dev/null; cachefillctl umount --run-dir "$run/mounts" "$mnt"
		kill $(cat "$run/nginx/pid") $daemon; wait' EXIT
	read -r _ < "$run/ready" || die "cachefilld did not start"

	say "Mounting the image: nothing of it is here yet"
	set -x
	cachefillctl image add "${dirs[@]}" share http://127.0.0.1:8421/share.erofs
	cachefillctl mount "${dirs[@]}" share "$mnt"
	ls "$mnt"
	{ set +x; } 2> /dev/null

	say "Reading one file in fifty"
	# Their names come from the source: walking the mount would fetch all of the metadata.
	mapfile -t some < <(cd "$work/tree" && find . -type f | awk 'NR % 50 == 1')
	started=${EPOCHREALTIME/./}
	bytes=$(cd "$mnt" && cat "${some[@]}" | wc -c)
	took=$(((${EPOCHREALTIME/./} - started) / 1000))
	size=$(stat -c %s "$work/origin/share.erofs")
	fetched=$(awk '{ n += $2 } END { print n }' "$run/access.log")
	echo "the image holds    $(mib "$size")"
	echo "${#some[@]} files hold     $(mib "$bytes")"
	echo "the server sent    $(mib "$fetched") in $(wc -l < "$run/access.log") requests, $took ms"

	say "Comparing the whole mount with the source, byte by byte"
	diff -r --no-dereference "$work/tree" "$mnt" || die "the mount differs from its source"
	fetched=$(awk '{ n += $2 } END { print n }' "$run/access.log")
	echo "equal; the server has sent $(mib "$fetched") in all"

	say "Once more, from the cache: the server is stopped, the image is mounted anew"
	kill "$(cat "$run/nginx/pid")"
	cachefillctl umount --run-dir "$run/mounts" "$mnt"
	cachefillctl mount "${dirs[@]}" share "$mnt"
	echo 3 > /proc/sys/vm/drop_caches
	diff -r --no-dereference "$work/tree" "$mnt" || die "the mount differs from its source"
	echo "equal"
)

if [ "${1:-}" = --inside ]; then
	serve_and_read "$2" /run /mnt/cache/cachefilld
	exit 0
fi

say "Packages"
"$root/tests/packages.sh" build kernel
echo "all there"

work=$(mktemp -d "${TMPDIR:-/tmp}/cachefilld-try.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/origin" "$work/tree"

say "Building cachefilld"
{
	meson setup "$work/build" "$root" -Dbuildtype=release &&
		ninja -C "$work/build" daemon/cachefilld daemon/ctl/cachefillctl
} > "$work/log" 2>&1 || { tail -30 "$work/log"; die "the build failed"; }
"$work/build/daemon/cachefilld" --version

say "Making an image of a part of /usr/share"
total=0
while read -r size path; do
	[ $((total + size)) -le "$limit_mib" ] || continue
	total=$((total + size))
	cp -a "$path" "$work/tree/"
done < <(du -sm /usr/share/* 2> /dev/null | sort -k2)
mkfs.erofs -T1700000000 -U00000000-0000-4000-8000-000000000001 \
	"$work/origin/share.erofs" "$work/tree" > "$work/log"
echo "$(find "$work/tree" | wc -l) names, $(mib "$(stat -c %s "$work/origin/share.erofs")")"

if [ "$(id -u)" = 0 ] && "$work/build/daemon/cachefilld" --probe > "$work/probe" 2>&1; then
	say "The running kernel has the feature: no guest needed"
	serve_and_read "$work" "$work/run" "$work/cache"
else
	say "A kernel with the feature, for User-Mode Linux"
	kernel=$("$root/tests/kernel/build-kernel.sh" 6.12)
	echo "$kernel"
	"$root/tests/kernel/guest.sh" --kernel "$kernel" --work "$work" --show "$root" \
		--timeout 600 -- "$self" --inside "$work" "$terminal"
fi
say "Done."
