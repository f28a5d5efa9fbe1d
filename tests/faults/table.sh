#!/bin/sh
# SPDX-License-Identifier: MIT
#
# table.sh [--update] TEST-FAULTS PAGE: runs the test and compares the table in the page with what has
# become of readers, or writes it there.
set -eu

update=
if [ "$1" = --update ]; then
	update=1
	shift
fi
case ${LD_PRELOAD-} in
*vgpreload*) # it does not go where programs are started, and all of this has been run already
	echo "1..0 # SKIP nothing more than without valgrind"
	exit 0
	;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" "$work/table" || exit
[ -e "$work/table" ] || exit 0 # skipped
awk -v table="$work/table" '
	/^<!-- faults: end -->/ { while ((getline line < table) > 0) print line; skip = 0 }
	!skip
	/^<!-- faults: begin -->/ { skip = 1 }' "$2" > "$work/page"
if [ -n "$update" ]; then
	cat "$work/page" > "$2"
elif ! diff -u "$2" "$work/page" | sed 's/^/# /' | grep .; then
	exit 0
else
	echo "# $2 is not what is seen: tests/faults/table.sh --update $1 $2"
	exit 1
fi
