#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Makes the images of the captured workloads (tests/kernel/workloads), on the host, from its
# packages:
#
#	make-workloads.sh DIR
#
# They go to DIR/origin, beside those of make-images.sh, which has to have run. Dated, so that the
# same packages make the same bytes. Does nothing when they are there for these packages.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/host-root.sh"
cd "$1"

# What the small root is made of, each whole but for its documents.
root='base-files bash coreutils debianutils findutils gawk|mawk grep gzip hostname libc-bin libc6
	mount perl-base sed tar tzdata util-linux'
# What a compilation needs besides programs: headers and libraries.
development='libc6-dev linux-libc-dev'

gcc_directory=$(dirname "$(gcc -print-prog-name=cc1)")
stamp=$(
	cat "$here"/{make-workloads,host-root,emit-project}.sh complete
	# shellcheck disable=SC2086
	dpkg-query -W -f '${Package} ${Version}\n' ${root//|/ } $development make 2> /dev/null || true
	gcc --version
	ld --version
)
stamp=$(sha256sum <<< "$stamp")
if [ "$(cat workloads-complete 2> /dev/null)" = "$stamp" ]; then exit 0; fi
rm -rf roots workloads-complete

serial=100
image() { # NAME TREE: origin/NAME from TREE
	serial=$((serial + 1))
	mkfs.erofs -T1700000000 -U"$(printf '00000000-0000-4000-8000-%012d' $serial)" --all-root \
		"origin/$1" "$2" > mkfs.log 2>&1 || { cat mkfs.log >&2; exit 1; }
}

# ---- boot: a small root of ordinary programs ---------------------------------------------

root_new roots/boot
# shellcheck disable=SC2086
take_packages roots/boot $root
take roots/boot /usr/bin/{sh,awk}
take_libraries roots/boot roots/boot/usr/{bin,sbin}/*
cp roots/boot/usr/share/base-files/profile roots/boot/usr/share/libc-bin/nsswitch.conf \
	roots/boot/etc
echo container > roots/boot/etc/hostname
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n' \
	> roots/boot/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' > roots/boot/etc/group
ldconfig -r roots/boot
image boot roots/boot

# ---- compile: a compiler and a project ---------------------------------------------------

root_new roots/compile
take roots/compile /usr/bin/{gcc,as,ld,ar,ranlib,make,bash,sh,mkdir,rm,cat} \
	"$gcc_directory"/{cc1,collect2,lto-wrapper,liblto_plugin.so,libgcc.a,libgcc_s.so} \
	"$gcc_directory"/crt*.o "$(gcc -print-file-name=libgcc_s.so.1)" \
	"$(gcc -print-file-name=libmvec.so.1)"
cp -a --parents "$gcc_directory/include" roots/compile
# shellcheck disable=SC2086
take_packages roots/compile $development
ldconfig -r roots/compile
"$here/emit-project.sh" roots/compile/project
image compile roots/compile

# ---- database: an index and a table that is not in its order -----------------------------

mkdir roots/database
sqlite3 roots/database/words.db > mkfs.log <<-'SQL'
	PRAGMA page_size = 4096;
	PRAGMA journal_mode = off;
	PRAGMA synchronous = off;
	CREATE TABLE entry (id INTEGER PRIMARY KEY, word TEXT, score INTEGER, body BLOB);
	INSERT INTO entry
		SELECT value, printf('w%08x', value * 2654435761 % 4294967296),
			value * 40503 % 65536,
			substr(replace(hex(zeroblob(150)), '00', printf('%06x', value * 7919)), 1, 600)
		FROM generate_series(1, 90000);
	CREATE INDEX entry_word ON entry (word);
	CREATE INDEX entry_score ON entry (score, word);
SQL
image database roots/database

rm -rf roots mkfs.log
echo "$stamp" > workloads-complete
