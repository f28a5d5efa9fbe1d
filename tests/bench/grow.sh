#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures what the daemon costs as its work grows, on the real kernel feature in User-Mode Linux, and
# prints a table:
#
#	grow.sh [--rounds N] [--only "PART..."] [--json FILE] BUILD_DIR
#
# Parts: known (images in the store, each of which has been used), open (objects at once), waiting
# (readers at once, for an origin that is held back), size (of one object).
#
# Each figure is a median; what is read is cold, and compared with the truth. Needs no root.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
rounds=3 parts='known open waiting size' json='' build=''
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) rounds=$2; shift ;;
	--only) parts=$2; shift ;;
	--json) json=$(realpath "$2"); shift ;;
	-*) sed -n '7s/^#	//p' "$0" >&2; exit 2 ;;
	*) build=$(realpath "$1") ;;
	esac
	shift
done
. "$here/host.sh"
work_begin
tool random-read
tool many-mounts
ninja -C "$build" tests/bench/fill-store > /dev/null
# The time before the daemon's own, which is that of a shell.
printf '%s\n' '#!/bin/bash' 'echo "${EPOCHREALTIME/./}" > "$RUN/begun"' 'exec "$TOOLS/cachefilld" "$@"' \
	> "$work/bin/timed-daemon"
chmod +x "$work/bin/timed-daemon"

image_of_noise small 640K

# sparse NAME BYTES: an image of that much in one file, and the file itself.
sparse() {
	mkdir "$work/images/$1"
	head -c 4096 /dev/zero > "$work/images/$1/file"
	image "$1" -Eforce-inode-extended,noinline_data
	perl "$here/stretch.pl" "$work/images/origin/$1" "$2" "$work/images/$1/file"
}
sparse 1MiB $((1 << 20))
sparse 1GiB $((1 << 30))
sparse 1TiB $((1 << 40))

# used COUNT: the state and the cache (an image of ext4) of who knows so many images, in known/COUNT. The
# validator is that of nginx.
used() {
	local to=$work/known/$1 small=$work/images/origin/small
	mkdir -p "$to/state" "$to/cache"
	"$build/tests/bench/fill-store" "$to/state" "$to/cache" cachefilld "$1" http://127.0.0.1:8080/small \
		"$(stat -c %s "$small")" "etag:\"$(stat -c '%Y %s' "$small" | xargs printf '%x-%x')\"" > "$to/cookies"
	truncate -s 4G "$to/cache.ext4"
	mkfs.ext4 -q -F -b 4096 -O ^has_journal -d "$to/cache" "$to/cache.ext4"
	rm -r "$to/cache"
}
case $parts in *known*) for count in 10 1000 100000; do used $count; done ;; esac

# Progress goes to standard error.
in_guest --timeout 1800 --memory 3G --disk 16G \
	-- "$here/guest-grow.sh" "$work" "$kernel_tests" "$rounds" "$parts" >&2 || {
	tail -n 20 "$work"/logs/* >&2
	exit 1
}
perl "$here/grow-report.pl" "$work/records" ${json:+"$json"}
