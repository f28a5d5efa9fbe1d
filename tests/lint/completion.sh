#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Names of images are completed wherever --help speaks of an image:
#
#	completion.sh CACHEFILLCTL [ROOT]
#
# bash(1) is asked; what zsh(1) would do is read.

set -euo pipefail
ctl=$(realpath "$1")
cd "${2:-$(dirname "$0")/../..}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
fault() {
	echo "completion: $*" >&2
	faults=$((faults + 1))
}

# What is asked for names, and what bash-completion has for us, as far as it matters here.
cachefillctl() {
	if [ "$*" = "image ls --names" ]; then printf 'debian\nregistry:5000/app\nroot\n'; fi
}
# shellcheck disable=SC2034 # its caller's
_init_completion() {
	words=("${COMP_WORDS[@]}") cword=$COMP_CWORD split=false
	cur=${words[cword]} prev=${words[cword - 1]}
}
__ltrim_colon_completions() { :; }
_filedir() { COMPREPLY=(a-file); }
# shellcheck source=/dev/null
. contrib/completions/cachefillctl.bash

# completes WORD...: what comes for the last of them
completes() {
	COMP_WORDS=(cachefillctl "$@") COMP_CWORD=$# COMPREPLY=()
	_cachefillctl
	echo "${COMPREPLY[*]}"
}

# is WANTED WORD...
is() {
	local got
	got=$(completes "${@:2}")
	[ "$got" = "$1" ] || fault "${*:2}: not '$1' but '$got'"
}

# In the file of zsh: the command, by its function or its arm of a case, that a line is of.
awk '/^_cachefillctl_[a-z-]+\(\)/ { at = substr($0, 15); sub(/\(\)/, "", at) }
	/^\t[a-z]+-[a-z-]+\)$/ { at = $1; sub(/\)/, "", at) }
	/:_cachefillctl_images'\''/ { print at }' contrib/completions/_cachefillctl > "$work/zsh"

# command_of WORD...: one without commands of its own
command_of() {
	local path
	path=$(IFS=-; echo "$*")
	# The name of one that there is not yet; what the kernel calls an image.
	case $path in image-add | whois) return ;; esac
	"$ctl" "$@" --help | sed -n '1,/^$/p' | grep -qwE 'IMAGE|NAME(\.\.\.)?' || return 0
	echo "$path"
	is 'debian registry:5000/app root' "$@" ''
	is registry:5000/app "$@" reg
}

for name in $(_cachefillctl_commands ''); do
	if [ -z "$(_cachefillctl_commands "$name")" ]; then
		command_of "$name"
		continue
	fi
	for below in $(_cachefillctl_commands "$name"); do command_of "$name" "$below"; done
done > "$work/help"

[ -s "$work/help" ] || fault "no command speaks of images"
sort -o "$work/help" "$work/help"
sort -o "$work/zsh" "$work/zsh"
diff "$work/help" "$work/zsh" > "$work/diff" || fault "zsh: '<' without, '>' with names only:
$(grep '^[<>]' "$work/diff")"

# And elsewhere not.
is a-file image add ''
is a-file trace show ''
is 'image' im

[ "$faults" = 0 ]
