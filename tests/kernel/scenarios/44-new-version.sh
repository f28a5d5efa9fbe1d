# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: sides file http
#: needs cachefilld
#
# Cached bytes of another version, or of which nobody knows the version, are not served: neither
# when the origin is asked at each mount, nor when the state directory is lost. All versions have
# the same size, so that the kernel itself sees no difference.

version() { # N: the origin has image N from now on
	cp "$IMAGES/origin/ten-$1" "$RUN/files/new"
	truncate -s 2M "$RUN/files/new"
	touch -d "202$1-01-01" "$RUN/files/new"
	mv "$RUN/files/new" "$RUN/files/image"
}

# shows N: a new mount has the files of version N.
shows() {
	mounted image
	drop_caches
	same_tree 30 "$IMAGES/ten/$1" "$MNT"
	unmounted
}

mkdir "$RUN/files"
version 0
ORIGIN_FILES=$RUN/files
origin_start
echo 'revalidate yes' > "$RUN/conf"

daemon_start --config "$RUN/conf"
shows 0
step "a new version, asked for at the mount"
version 1
shows 1
shows 1
daemon_stop

step "a new version, and the state directory is lost"
rm -rf "$RUN/state"
version 2
daemon_start
shows 2

step "asked for nothing: the known version, from the cache"
version 3
shows 2
