#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Makes a container image of three layers, on the host, from files of its packages:
#
#	make-container.sh DIR
#
#	base	the packages that every Debian has, as 'debootstrap --variant=minbase' chooses them
#	runtime	an interpreter with its library, and a configuration
#	app	a program; it changes, deletes and replaces files of both
#
# DIR/layout is an OCI layout that has it three times, under the tags "gz" (as nearly all images
# are: tar, compressed), "tar" and "erofs". DIR/expected is what the program prints, and
# DIR/sizes has a line "BASE RUNTIME APP" of bytes for each tag. Nothing is downloaded, no root is
# needed. Does nothing when DIR is there for these packages.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/host-root.sh"
dir=$1

python=$(basename "$(readlink -f /usr/bin/python3)")
base=$(dpkg-query -W -f '${db:Status-Status} ${Essential} ${Priority} ${Package}\n' |
	awk '$1 ~ /^(installed|triggers)/ && ($2 == "yes" || $(NF - 1) == "required") { print $NF }')
base="$base apt debian-archive-keyring libc6"
runtime="python3 python3-minimal $python $python-minimal lib$python-minimal lib$python-stdlib
	media-types"

stamp=$(
	cat "$here"/{make-container,host-root}.sh
	# shellcheck disable=SC2086
	dpkg-query -W -f '${Package} ${Version}\n' $base $runtime erofs-utils 2> /dev/null || true
)
stamp=$(sha256sum <<< "$stamp")
if [ "$(cat "$dir/complete" 2> /dev/null)" = "$stamp" ]; then exit 0; fi
# Beside the old one, which a guest may be reading.
rm -rf "$dir.new"
mkdir -p "$dir.new/layout/blobs/sha256"
cd "$dir.new"

# ---- base --------------------------------------------------------------------------------

root_new base
# shellcheck disable=SC2086
take_packages base $base
take base /usr/bin/{sh,awk}
take_libraries base base/usr/{bin,sbin}/*
cp base/usr/share/base-files/profile base/usr/share/base-files/motd \
	base/usr/share/libc-bin/nsswitch.conf base/etc
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n' \
	> base/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' > base/etc/group
mkdir -p base/var/lib/dpkg base/var/{tmp,log,cache}
# shellcheck disable=SC2086
dpkg-query -s $base > base/var/lib/dpkg/status 2> /dev/null || true

# ---- runtime -----------------------------------------------------------------------------

mkdir -p both
cp -a base/. both
# shellcheck disable=SC2086
take_packages both $runtime
take_libraries both "/usr/bin/$python"
# Compiled when a package is installed, so no package lists them.
(cd / && find "usr/lib/$python" -name '*.pyc' -path '*/__pycache__/*') | while read -r file; do
	source=${file/__pycache__\//}
	[ ! -e "both/${source%.cpython-*}.py" ] || echo "$file"
done | tar -c -C / -T - | tar -x -C both
# shellcheck disable=SC2046
take_libraries both $(find "both/usr/lib/$python" -name '*.so')
ldconfig -r both
mkdir -p both/etc/app/conf.d
echo '{"greeting": "from the runtime"}' > both/etc/app/settings.json
echo old > both/etc/app/conf.d/10-old
echo old > both/etc/app/obsolete

# What is not in the base, or another there.
mkdir runtime
(cd both && find . ! -type d -printf '%P\n') | while read -r file; do
	if [ -L "base/$file" ] || cmp -s "base/$file" "both/$file"; then continue; fi
	echo "$file"
done > files
tar -c -C both -T files | tar -x -C runtime

# ---- app ---------------------------------------------------------------------------------

mkdir -p app/{opt/app,etc/app/conf.d,usr/lib/"$python"}
echo '{"greeting": "from the application"}' > app/etc/app/settings.json
echo new > app/etc/app/conf.d/20-new
cat > app/opt/app/main.py <<'PROGRAM'
import hashlib, json, os, subprocess

print("settings", json.load(open("/etc/app/settings.json"))["greeting"])
print("conf.d", *sorted(os.listdir("/etc/app/conf.d")))
print("obsolete", os.path.exists("/etc/app/obsolete"))
try:
    import unittest
    print("unittest is there")
except ImportError:
    print("unittest is gone")
shell = subprocess.run(["sh", "-c", "grep -c ^Package: /var/lib/dpkg/status"], stdout=subprocess.PIPE)
print("packages", shell.stdout.decode().strip())
print("bash", hashlib.sha256(open("/bin/bash", "rb").read()).hexdigest())
PROGRAM
{
	echo 'settings from the application'
	echo 'conf.d 20-new'
	echo 'obsolete False'
	echo 'unittest is gone'
	echo "packages $(grep -c ^Package: base/var/lib/dpkg/status)"
	echo "bash $(sha256sum < base/usr/bin/bash | cut -d' ' -f1)"
} > expected

# The same deletions in the two ways: one file, one directory, all that a directory had before.
cp -a app app-erofs
mknod app-erofs/etc/app/obsolete c 0 0
mknod "app-erofs/usr/lib/$python/unittest" c 0 0
mknod app-erofs/etc/app/conf.d/10-old c 0 0
mv app app-tar
: > app-tar/etc/app/.wh.obsolete
: > "app-tar/usr/lib/$python/.wh.unittest"
: > app-tar/etc/app/conf.d/.wh..wh..opq

# ---- blobs and manifests -----------------------------------------------------------------

digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }

# blob FILE TYPE: moves it into the layout, prints its descriptor.
blob() {
	local digest size
	digest=$(digest "$1") size=$(stat -c %s "$1")
	mv "$1" "layout/blobs/sha256/${digest#sha256:}"
	printf '{"mediaType":"%s","digest":"%s","size":%d}' "$2" "$digest" "$size"
}

type=application/vnd.oci.image
serial=0
for layer in base runtime app; do
	tree=$layer
	[ -d "$tree" ] || tree=app-tar
	tar -c -C "$tree" --sort=name --format=posix --numeric-owner --owner=0 --group=0 \
		--pax-option=delete=atime,delete=ctime . > "$layer.tar"
	gzip -n -6 < "$layer.tar" > "$layer.gz"
	[ "$tree" != app-tar ] || tree=app-erofs
	serial=$((serial + 1))
	mkfs.erofs -U"$(printf '00000000-0000-4000-8001-%012d' $serial)" --all-root \
		"$layer.erofs" "$tree" > mkfs.log 2>&1 || { cat mkfs.log >&2; exit 1; }
	stat -c %s "$layer.tar" >> size-tar
	stat -c %s "$layer.gz" >> size-gz
	stat -c %s "$layer.erofs" >> size-erofs
	digest "$layer.tar" >> diff-tar
	digest "$layer.erofs" >> diff-erofs
	blob "$layer.tar" $type.layer.v1.tar >> layers-tar
	blob "$layer.gz" $type.layer.v1.tar+gzip >> layers-gz
	# Of which archive it was made, where a layer store for podman looks for it.
	converted=$(blob "$layer.erofs" application/vnd.erofs.layer.v1)
	printf '%s,"annotations":{"io.cachefilld.source.diff-id":"%s"}}' "${converted%\}}" \
		"$(tail -1 diff-tar)" >> layers-erofs
	echo | tee -a layers-tar layers-gz >> layers-erofs
done
cp diff-tar diff-gz

manifests=
for tag in gz tar erofs; do
	cat > config <<-CONFIG
	{"architecture":"$(dpkg --print-architecture)","os":"linux","config":{
	"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin","LC_ALL=C.UTF-8"],
	"Cmd":["/usr/bin/python3","/opt/app/main.py"]},
	"rootfs":{"type":"layers","diff_ids":[$(sed 's/.*/"&"/' diff-$tag | paste -sd,)]}}
	CONFIG
	cat > manifest <<-MANIFEST
	{"schemaVersion":2,"mediaType":"$type.manifest.v1+json",
	"config":$(blob config $type.config.v1+json),
	"layers":[$(paste -sd, layers-$tag)]}
	MANIFEST
	manifest=$(blob manifest $type.manifest.v1+json)
	manifests="$manifests${manifests:+,}${manifest%\}},\"annotations\":{\"org.opencontainers.image.ref.name\":\"$tag\"}}"
	echo "$tag $(paste -sd' ' size-$tag)" >> sizes
done
echo '{"imageLayoutVersion":"1.0.0"}' > layout/oci-layout
echo "{\"schemaVersion\":2,\"manifests\":[$manifests]}" > layout/index.json

rm -rf base both runtime app-tar app-erofs files mkfs.log size-* diff-* layers-*
echo "$stamp" > complete
rm -rf "$dir.old"
[ ! -e "$dir" ] || mv "$dir" "$dir.old"
mv "$dir.new" "$dir"
rm -rf "$dir.old"
