#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the programs know and what is written about them is the same:
#
#	manual.sh CACHEFILLD PRINT-KEYS [ROOT]
#
# Options: --help, cachefilld(8) and the completions. Keys: the table of the configuration and
# cachefilld.conf(5), those of a fetcher and cachefill-FETCHER(5). The samples, also those in the
# manual, are good configurations. All pages pass mandoc, where there is one.

set -euo pipefail
daemon=$(realpath "$1")
print_keys=$(realpath "$2")
cd "${3:-$(dirname "$0")/../..}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
fault() {
	echo "manual: $*" >&2
	faults=$((faults + 1))
}

# same WHAT A B: the sets of lines in two files
same() {
	sort -u "$work/$2" > "$work/1"
	sort -u "$work/$3" > "$work/2"
	[ -s "$work/1" ] || fault "$1: $2 is empty"
	diff "$work/1" "$work/2" > "$work/diff" || fault "$1: '<' $2 only, '>' $3 only:
$(grep '^[<>]' "$work/diff")"
}

# ---- options

"$daemon" --help > "$work/help-text"
grep -oE -- '^ +(-., )?--[a-z][a-z-]*' "$work/help-text" | grep -oE -- '--[a-z-]+' > "$work/help"
grep '^\.It' man/cachefilld.8 | grep -oE 'Fl Fl [a-z-]+' | sed 's/Fl Fl /--/' > "$work/man"
grep -oE -- '--[a-z][a-z-]+' contrib/completions/cachefilld.bash > "$work/bash"
grep -oE -- '--[a-z][a-z-]+' contrib/completions/_cachefilld > "$work/zsh"
same "options" help man
same "options" help bash
same "options" help zsh

# ---- keys

# Keys that a page documents: its .It lines that begin with .Cm, up to what is no key.
keys_of_page() {
	sed -n 's/^\.It \(Cm .*\)/\1/p' "$1" | sed 's/ \(Ar\|Oo\|Ns\)[^,]*/ /g; s/Cm //g; s/|.*//' |
		tr -s ', ' '\n' | grep -E '^[a-z][a-z_-]*$' || :
}

"$print_keys" > "$work/all-keys"
sed -n 's/^cachefilld //p' "$work/all-keys" > "$work/keys"
echo source >> "$work/keys"
# The words that a value may be stand behind their key.
keys_of_page man/cachefilld.conf.5 | grep -vxE 'error|whole' > "$work/page"
same "keys of cachefilld.conf(5)" keys page

while read -r fetcher; do
	page=man/cachefill-$fetcher.5
	[ "$fetcher" != cachefilld ] || continue
	[ -e "$page" ] || { fault "there is no $page"; continue; }
	sed -n "s/^$fetcher //p" "$work/all-keys" > "$work/keys"
	keys_of_page "$page" > "$work/page"
	same "keys of $page" keys page
done < <(sed 's/ .*//' "$work/all-keys" | sort -u)

# ---- samples

check() {
	"$daemon" --check-config --config "$1" > "$work/out" 2>&1 || fault "$2: $(cat "$work/out")"
}

check contrib/cachefilld.conf contrib/cachefilld.conf
# As the comments show it, that is how the defaults are set.
sed 's/^\(\t*\)#\([a-z]\)/\1\2/' contrib/cachefilld.conf > "$work/uncommented.conf"
check "$work/uncommented.conf" "contrib/cachefilld.conf without comment signs"
sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' man/cachefilld.conf.5 | grep -v '^\.' > "$work/example.conf"
check "$work/example.conf" "the example in cachefilld.conf(5)"

# The trace in the manual is the one that the tests decode.
od -A x -t x1z -v tests/fuzz/corpus/trace/example > "$work/bytes"
grep '^0000[0-9a-f]' man/cachefill-trace.5 > "$work/page"
cmp "$work/bytes" "$work/page" >&2 || \
	fault "the example in cachefill-trace(5) is not that of the corpus"

# ---- pages

if command -v mandoc > /dev/null; then
	mandoc -T lint -W warning man/*.[1-8] >&2 || fault "mandoc has found something"
fi

[ "$faults" = 0 ]
