#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Packages are of this version, and what they install is a good configuration:
#
#	packaging.sh CACHEFILLD [ROOT]
#
# Where there is rpm(1), it takes the spec. The package itself is tests/kernel/package.sh's.

set -euo pipefail
daemon=$(realpath "$1")
cd "${2:-$(dirname "$0")/../..}"

faults=0
fault() {
	echo "packaging: $*" >&2
	faults=$((faults + 1))
}

version=$("$daemon" --version | grep -oE '[0-9]+\.[0-9.]*[0-9]')
# is WHERE VERSION: without the package's own part
is() { [ "${2%-*}" = "$version" ] || fault "$1 says $2, the program $version"; }
is contrib/debian/changelog "$(sed -n '1s/.*(\(.*\)).*/\1/p' contrib/debian/changelog)"
is contrib/cachefilld.spec "$(sed -n 's/^Version: *//p' contrib/cachefilld.spec)"
is "the changelog there" "$(sed -n "/^%changelog/{n;s/.* - //p}" contrib/cachefilld.spec)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
contrib/default-conf.sh > "$work/cachefilld.conf"
"$daemon" --check-config --config "$work/cachefilld.conf" > "$work/out" 2>&1 ||
	fault "contrib/default-conf.sh: $(cat "$work/out")"
grep -q 'good: 0 sources' "$work/out" || fault "contrib/default-conf.sh leaves a source"
if command -v rpmspec > /dev/null; then
	HOME=$work rpmspec -P contrib/cachefilld.spec > "$work/out" 2>&1 ||
		fault "contrib/cachefilld.spec: $(tail -5 "$work/out")"
fi

[ "$faults" = 0 ]
