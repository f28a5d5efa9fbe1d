# SPDX-License-Identifier: MIT
#: needs cachefilld
#: seconds 150
#
# An image of the store whose object gets other content under the same name: what is mounted keeps
# what it has and gets errors for the rest, never a mixture, and `image refresh` moves to the new one.

# version N: "app" is image N from now on; all have one size, so that the kernel sees no difference.
version() {
	cp "$IMAGES/origin/ten-$1" "$RUN/files/new"
	truncate -s 2M "$RUN/files/new"
	touch -d "202$1-01-01" "$RUN/files/new"
	mv "$RUN/files/new" "$RUN/files/app"
}

refresh() { ctl image refresh --state-dir "$RUN/state" "$@"; }

mkdir "$RUN/files"
version 1
ORIGIN_FILES=$RUN/files
origin_start
echo "# no source" > "$RUN/empty.conf"
CONFIG=$RUN/empty.conf
daemon_start --readahead-max 4KiB

step "added, mounted, and a part of it read"
image_add app app
image_mounted app "$MNT"
mapfile -d '' files < <(cd "$IMAGES/ten/1" && find . -type f -print0 | sort -z)
read_first=${files[0]}
works 20 cmp "$MNT/$read_first" "$IMAGES/ten/1/$read_first"

step "it changes: what is cached stays, the rest is an error"
version 2
drop_caches
works 20 cmp "$MNT/$read_first" "$IMAGES/ten/1/$read_first"
# Each file as it was, or not to be had.
all_or_nothing() {
	local file
	for file in "${files[@]}"; do
		if cat "$MNT/$file" > "$RUN/bytes" 2> "$RUN/errs"; then
			cmp "$RUN/bytes" "$IMAGES/ten/1/$file" || return 1
		else
			grep -q "Input/output error" "$RUN/errs" || return 1
			printf '%s\0' "$file" >> "$RUN/refused"
		fi
	done
}
works 90 all_or_nothing
[ -s "$RUN/refused" ] || fail "all of the old version was read"
mapfile -d '' refused < "$RUN/refused"
grep -q 'app.*Stale' "$LOGS/daemon.log" || fail "nobody said that it has changed"

step "a mounted image is not moved"
errs 30 mounted refresh --yes app
for file in "${refused[@]:0:3}"; do errs 15 'Input/output error' cat "$MNT/$file"; done
image_unmounted "$MNT"

step "refreshed"
works 30 refresh --yes app
image_mounted app "$MNT"
drop_caches
same_tree 30 "$IMAGES/ten/2" "$MNT"
image_unmounted "$MNT"
nothing_left
