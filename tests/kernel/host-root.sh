# SPDX-License-Identifier: MIT
#
# Root file systems made of files of the host's own packages: no mirror is asked, and it takes a
# second. Sourced by make-workloads.sh and make-container.sh.

# root_new DIR: the directories and links that every root has.
root_new() {
	mkdir -p "$1"/{usr/{bin,sbin,lib,lib64},etc,dev,proc,run,sys,tmp,root,mnt}
	for link in bin sbin lib lib64; do ln -s "usr/$link" "$1/$link"; done
}

# take DIR FILE...: copies of the host's files under the same names, and of what their links point
# to; for programs, what they are linked with comes along.
take() {
	local dir=$1 file target
	shift
	for file; do
		file=$(realpath "$(dirname "$file")")/$(basename "$file")
		[ ! -e "$dir$file" ] && [ ! -L "$dir$file" ] || continue
		mkdir -p "$dir$(dirname "$file")"
		cp -dp "$file" "$dir$file"
		if [ -L "$file" ]; then
			target=$(readlink "$file")
			case $target in /*) ;; *) target=$(dirname "$file")/$target ;; esac
			take "$dir" "$target"
		elif [ -x "$file" ]; then
			take_libraries "$dir" "$file"
		fi
	done
}

take_libraries() { # DIR PROGRAM...
	local dir=$1
	shift
	# shellcheck disable=SC2046
	take "$dir" $(ldd "$@" 2> /dev/null | grep -o '/[^ ]*' | grep -v ':$' | sort -u)
}

# take_packages DIR PACKAGE...: their files, without documents and translations. Those of A|B: of
# the one that is installed.
take_packages() {
	local dir=$1 package file
	shift
	# shellcheck disable=SC2048
	for package in ${*//|/ }; do
		dpkg-query -L "$package" 2> /dev/null || true
	done | sed -E 's#^/##; s#^(bin|sbin|lib|lib64)/#usr/&#' |
		grep -vE '^usr/share/(doc|man|info|locale|lintian|bug)/' | sort -u |
		while read -r file; do
			if [ -e "/$file" ] && [ ! -d "/$file" ]; then echo "$file"; fi
		done | tar -c -C / -T - | tar -x -C "$dir" --skip-old-files
}
