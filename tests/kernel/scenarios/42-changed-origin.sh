# SPDX-License-Identifier: MIT
#: needs cachefilld
#
# An object that changes at its origin is an error, never a mixture of two versions.

mkdir "$RUN/files"
cp "$IMAGES/origin/plain" "$RUN/files/plain"
touch -d '2020-01-01' "$RUN/files/plain"
ORIGIN_FILES=$RUN/files
origin_start
daemon_start --read-deadline 5s
mounted plain
works 10 same_piece 0

step "same size, other bytes, other date"
tr '\000-\377' '\001-\377\000' < "$IMAGES/origin/plain" > "$RUN/files/plain"
touch -d '2021-01-01' "$RUN/files/plain"
errs 20 'Input/output error' piece "$MNT/big" 6

step "shorter"
truncate -s 1M "$RUN/files/plain"
errs 20 'Input/output error' piece "$MNT/big" 5

step "the old one again"
cp "$IMAGES/origin/plain" "$RUN/files/plain"
touch -d '2020-01-01' "$RUN/files/plain"
eventually 40 same_piece 6
