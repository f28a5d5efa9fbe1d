#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds the Debian package of this tree, and puts it into DIR:
#
#	contrib/make-deb.sh [--version VERSION] DIR
#
# VERSION is another one than that of contrib/debian/changelog. Needs the packages that
# contrib/debian/control lists under Build-Depends, and says which are missing; no root. The same
# tree gives the same package, byte for byte, on any day and in any directory.

set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
version=''
while [ $# -gt 0 ]; do
	case $1 in
	--version) version=$2; shift ;;
	-*) sed -n '6s/^#	//p' "$0" >&2; exit 2 ;;
	*) break ;;
	esac
	shift
done
[ $# = 1 ] || { sed -n '6s/^#	//p' "$0" >&2; exit 2; }
mkdir -p "$1"
dir=$(realpath "$1")
umask 022

work=$(mktemp -d "${TMPDIR:-/var/tmp}/cachefilld-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
tree=$work/cachefilld
mkdir "$tree"
tar -c -C "$root" --exclude=./.git --exclude='./build*' . | tar -x -C "$tree"
# Debian looks for it at the top.
cp -r "$tree/contrib/debian" "$tree/debian"

# As old as the entry before it: the date is that of all files in the package.
changelog=$tree/debian/changelog
if [ -n "$version" ]; then
	{
		printf 'cachefilld (%s) unstable; urgency=medium\n\n  * Built as %s.\n\n' \
			"$version" "$version"
		sed -n '/^ -- /{p;q}' "$changelog"
		echo
		cat "$changelog"
	} > "$work/changelog"
	mv "$work/changelog" "$changelog"
fi

(cd "$tree" && dpkg-buildpackage -b -us -uc) > "$work/log" 2>&1 || {
	grep -E -A8 'error:|ERROR|FAILED|[Uu]nmet' "$work/log" | head -40 >&2
	tail -n 15 "$work/log" >&2
	exit 1
}
cp -t "$dir" "$work"/*.deb
ls "$dir"/cachefilld_*.deb
