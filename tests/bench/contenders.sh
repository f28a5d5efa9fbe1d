# SPDX-License-Identifier: MIT
#
# Who is compared: ways to have an image at $MNT that lies on a web server. Each is four functions:
#
#	NAME_begin OBJECT	its programs run and have no byte; not timed
#	NAME_attach OBJECT	the tree is at $MNT
#	NAME_detach		it is not any more, what was cached stays
#	NAME_end		nothing is left
#
# $SERVERS are the processes whose memory and processor time count. Each is set up as its own manual
# advises.

SERVERS=

url() { echo "http://127.0.0.1:$PORT/$1"; }

# mount_file FILE: EROFS of a plain file, without a loop device, which mount(8) would make.
mount_file() {
	perl -e 'syscall(165, @ARGV, 1, 0) == 0 or die "mount: $!\n"' "$1" "$MNT" erofs
}

# ---- cachefilld, and the daemon that does nothing but answer --------------------------------

ours_begin() {
	fresh
	daemon_start
	SERVERS=$DAEMON_PID
}
ours_attach() { mount -t erofs none -o "fsid=$1" "$MNT"; }
ours_detach() { umount "$MNT"; }
ours_end() { daemon_stop; }

# The image is in the store. Mounted by mount(8) all the same: how long cachefillctl takes to start is
# not what is compared; containers.sh includes it.
known_begin() {
	fresh
	mkdir -p "$RUN/state"
	image_add known "$1" > /dev/null
	known_cookie=$(ctl image inspect --state-dir "$RUN/state" known | awk '$1 == "layer" { print $3 }')
	daemon_start
	SERVERS=$DAEMON_PID
}
known_attach() { mount -t erofs none -o "fsid=$known_cookie,domain_id=cachefilld" "$MNT"; }
known_detach() { ours_detach; }
known_end() { ours_end; }

simple_begin() { DAEMON=$SIMPLE ours_begin; }
simple_attach() { ours_attach "$1"; }
simple_detach() { ours_detach; }
simple_end() { ours_end; }

# ---- all of it first ------------------------------------------------------------------------

# What curl took is in $RUN/time, since it has ended before anybody looks.
download_begin() {
	fresh
	SERVERS=
}
download_attach() {
	[ -e "$CACHE/image" ] ||
		command time -f '%U %S %M' -o "$RUN/time" curl -sS -o "$CACHE/image" "$(url "$1")"
	mount_file "$CACHE/image"
}
download_detach() { umount "$MNT"; }
download_end() { rm "$RUN/time"; }

# ---- nbdkit ---------------------------------------------------------------------------------

# Its read-ahead filter says itself that it does nothing above the curl plugin of this version.
nbdkit_begin() {
	fresh
	TMPDIR=$CACHE nbdkit -r -U "$RUN/nbd" -P "$RUN/nbdkit.pid" --filter=cache \
		curl "$(url "$1")" cache-on-read=true 2>> "$LOGS/nbdkit"
	eventually 10 test -s "$RUN/nbdkit.pid"
	SERVERS=$(< "$RUN/nbdkit.pid")
}
nbdkit_attach() {
	nbd-client -unix "$RUN/nbd" /dev/nbd0 -readonly -block-size 4096 >> "$LOGS/nbdkit" 2>&1
	mount -t erofs -o ro /dev/nbd0 "$MNT"
}
nbdkit_detach() {
	umount "$MNT"
	nbd-client -d /dev/nbd0 >> "$LOGS/nbdkit" 2>&1
}
nbdkit_end() {
	kill "$SERVERS"
	works 10 gone "$SERVERS"
	rm -f "$RUN/nbd" "$RUN/nbdkit.pid"
}

# ---- rclone ---------------------------------------------------------------------------------

# It reads what there is from the server's own list.
rclone_begin() {
	fresh
	mkdir -p "$RUN/rclone"
	echo "<a href=\"$1\">$1</a>" > "$ORIGIN/index.html"
	rclone mount --config '' --http-url "$(url "")" :http: "$RUN/rclone" --read-only \
		--vfs-cache-mode full --cache-dir "$CACHE" 2>> "$LOGS/rclone" &
	SERVERS=$!
	eventually 20 mountpoint -q "$RUN/rclone"
}
rclone_attach() { mount -t erofs -o ro,loop "$RUN/rclone/$1" "$MNT"; }
rclone_detach() { umount "$MNT"; }
rclone_end() {
	umount "$RUN/rclone"
	works 10 gone "$SERVERS"
}

# ---- the bound: it is here already ----------------------------------------------------------

local_begin() {
	mkdir -p /mnt/cache/local
	[ -e "/mnt/cache/local/$1" ] || cp "$IMAGES/origin/$1" /mnt/cache/local
	fresh
	SERVERS=
}
local_attach() { mount_file "/mnt/cache/local/$1"; }
local_detach() { umount "$MNT"; }
local_end() { :; }

# ---- physical limits: what no contender can do without --------------------------------------

# The bytes of an object through the same loopback to nowhere; and to the disk, with direct I/O.
null_limit() { curl -sS "$(url "$1")" > /dev/null; }
stream_limit() {
	curl -sS "$(url "$1")" | dd of=/mnt/cache/copy bs=1M oflag=direct iflag=fullblock status=none
	rm /mnt/cache/copy
}

# One block each: asked for on a connection that is kept, and written. $RUN/each has the median in
# microseconds, as random-read gives it.
request_limit() {
	curl -sS -r 0-4095 -o /dev/null -w '%{time_total}\n' "$(url "$1")?[1-100]" |
		awk '{ print $1 * 1e6 }' | median | sed 's/^/0 /' > "$RUN/each"
}
write_limit() {
	perl -MFcntl -MTime::HiRes=time -e 'my $block = "x" x 12288;
		my $at = 4096 - unpack("J", pack("p", $block)) % 4096;
		sysopen(my $file, $ARGV[0], O_WRONLY | O_CREAT | 040000) or die "$ARGV[0]: $!\n";
		for (1 .. 200) {
			my $start = time;
			sysseek($file, $_ * 131072, 0);
			syswrite($file, $block, 4096, $at) == 4096 or die "write: $!\n";
			printf "%.1f\n", (time() - $start) * 1e6;
		}' /mnt/cache/copy | median | sed 's/^/0 /' > "$RUN/each"
	rm /mnt/cache/copy
}
