#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the programs know and what is written about them is the same:
#
#	manual.sh CACHEFILLD CACHEFILLCTL PRINT-KEYS [ROOT]
#
# Options: --help, cachefilld(8) and the completions, and the same for each command of
# cachefillctl(1). Keys: the table of the configuration and
# cachefilld.conf(5), those of a fetcher and cachefill-FETCHER(5). The samples, also those in the
# manual, are good configurations. All pages pass mandoc, where there is one.

set -euo pipefail
daemon=$(realpath "$1")
ctl=$(realpath "$2")
print_keys=$(realpath "$3")
cd "${4:-$(dirname "$0")/../..}"

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

# From --help, and from (a part of) a page.
options_of_help() {
	grep -oE -- '^ +(-., )?--[a-z][a-z-]*( [A-Z]+, --[a-z-]+)*' | grep -oE -- '--[a-z-]+' || :
}
options_of_page() {
	grep '^\.It' | grep -oE 'Fl Fl [a-z-]+' | sed 's/Fl Fl /--/' || :
}

"$daemon" --help | options_of_help > "$work/help"
options_of_page < man/cachefilld.8 > "$work/man"
grep -oE -- '--[a-z][a-z-]+' contrib/completions/cachefilld.bash > "$work/bash"
grep -oE -- '--[a-z][a-z-]+' contrib/completions/_cachefilld > "$work/zsh"
same "options" help man
same "options" help bash
same "options" help zsh

# ---- commands

# The file does nothing by itself but define functions.
# shellcheck source=/dev/null
. contrib/completions/cachefillctl.bash
zsh=contrib/completions/_cachefillctl

# commands PREFIX...: the names that its --help lists
commands() {
	"$ctl" "$@" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
}

# page_of GROUP COMMAND: its own page, or its section of the common one
page_of() {
	if [ -e "man/cachefillctl-$1-$2.1" ]; then
		cat "man/cachefillctl-$1-$2.1"
	else
		awk -v name="$2" '/^\.S[sh] /{ on = $1 == ".Ss" && $2 == name } on' \
			"man/cachefillctl-$1.1"
	fi
}

# zsh_of GROUP COMMAND: its arm of the case, and the lists that it shares with others
zsh_of() {
	local arm list
	arm=$(sed -n "/^\t$1-$2)/,/;;/p" "$zsh")
	echo "$arm"
	for list in $(grep -oE '\$[a-z]+' <<< "$arm" | tr -d '$'); do
		sed -n "/^_cachefillctl_of_$1()/,/^}/p" "$zsh" | sed -n "/^\t$list=(/,/^\t)/p"
	done
}

options_of_text() {
	grep -oE -- '--[a-z][a-z-]+' || :
}

"$ctl" --help | options_of_help > "$work/help"
options_of_page < man/cachefillctl.1 > "$work/man"
_cachefillctl_options '' | tr ' ' '\n' > "$work/bash"
sed -n '/^_cachefillctl()/,$p' "$zsh" | options_of_text > "$work/zsh"
for place in man bash zsh; do same "options of cachefillctl" help $place; done

for group in image trace als; do
	commands $group > "$work/help"
	sed -n "s/^\.Nm Cm $group \([a-z-]*\).*/\1/p" man/cachefillctl.1 > "$work/man"
	_cachefillctl_commands $group | tr ' ' '\n' > "$work/bash"
	sed -n "s/.*'1:$group command:(\(.*\))'.*/\1/p" "$zsh" | tr ' ' '\n' > "$work/zsh"
	for place in man bash zsh; do same "commands of cachefillctl $group" help $place; done
	while read -r name; do
		"$ctl" $group "$name" --help | options_of_help > "$work/help"
		# What all have is said once.
		{ page_of $group "$name" | options_of_page; echo --help; } > "$work/man"
		_cachefillctl_options "$group-$name" | tr ' ' '\n' > "$work/bash"
		zsh_of $group "$name" | options_of_text > "$work/zsh"
		for place in man bash zsh; do
			same "options of cachefillctl $group $name" help $place
		done
	done < <(commands $group)
done

# Commands without commands of their own: each is a section of a page, and a function.
commands > "$work/help"
_cachefillctl_commands '' | tr ' ' '\n' > "$work/bash"
sed -n "s/.*'1:command:(\(.*\))'.*/\1/p" "$zsh" | tr ' ' '\n' > "$work/zsh"
for place in bash zsh; do same "commands of cachefillctl" help $place; done
while read -r page name; do
	echo "$name" >> "$work/paged"
	"$ctl" "$name" --help | options_of_help > "$work/help"
	{
		awk -v name="$name" '/^\.S[sh] /{ on = $1 == ".Ss" && $2 == name } on' "man/$page" |
			options_of_page
		echo --help
	} > "$work/man"
	_cachefillctl_options "$name" | tr ' ' '\n' > "$work/bash"
	sed -n "/^_cachefillctl_$name()/,/^}/p" "$zsh" | options_of_text > "$work/zsh"
	for place in man bash zsh; do same "options of cachefillctl $name" help $place; done
done <<-PAGES
	cachefillctl-cache.1 du
	cachefillctl-cache.1 evict
	cachefillctl-cache.1 pin
	cachefillctl-cache.1 unpin
	cachefillctl-prefetch.1 prefetch
	cachefillctl-prefetch.1 warm
	cachefillctl-mount.1 mount
	cachefillctl-mount.1 umount
	cachefillctl-mount.1 mounts
	cachefillctl-daemon.1 status
	cachefillctl-daemon.1 objects
	cachefillctl-daemon.1 flights
	cachefillctl-daemon.1 origins
	cachefillctl-daemon.1 top
	cachefillctl-daemon.1 events
	cachefillctl-daemon.1 metrics
	cachefillctl-daemon.1 whois
	cachefillctl-daemon.1 purge
	cachefillctl-daemon.1 gc
	cachefillctl-daemon.1 reload
	cachefillctl-daemon.1 log-level
	cachefillctl-doctor.1 doctor
	cachefillctl-doctor.1 explain
	cachefillctl-doctor.1 bugreport
PAGES
commands | grep -vxE 'image|trace|als' > "$work/help"
same "commands of cachefillctl that are compared" help paged

# ---- helpers of mount(8), which say what they take when they are used wrongly

for helper in mount.cachefill umount.cachefill; do
	ln -s "$ctl" "$work/$helper"
	{ "$work/$helper" 2>&1 || :; } | grep -oE '\[-[a-zA-Z]+' | tr -d '[-' | fold -w 1 > "$work/help"
	sed -n "/^\.Nm $helper\$/,/^\.\(Nm\|Sh\)/s/^\.Op Fl \([a-zA-Z]*\).*/\1/p" \
		man/mount.cachefill.8 | fold -w 1 > "$work/man"
	same "options of $helper" help man
done

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
# Those of the fetchers, each page as one file, with the files that they name.
touch "$work/store-ca.pem"
echo '{}' > "$work/auth.json"
(umask 077 && echo 'Authorization: Bearer 0' > "$work/store-token" &&
	printf '[default]\naws_access_key_id=i\naws_secret_access_key=s\n' > "$work/aws-credentials")
for page in man/cachefill-*.5; do
	sed -n '/^.Sh EXAMPLES/,$p' "$page" | sed -n '/^source /,/^}/p' |
		sed "s|/etc/cachefilld/|$work/|" > "$work/example.conf"
	[ ! -s "$work/example.conf" ] || check "$work/example.conf" "the examples in $page"
done

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
