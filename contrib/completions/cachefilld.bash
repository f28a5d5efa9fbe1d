# SPDX-License-Identifier: MIT
# bash completion for cachefilld(8)

_cachefilld()
{
	# shellcheck disable=SC2034	# _init_completion sets them all
	local cur prev words cword split
	_init_completion -s || return

	case $prev in
	-c | --config | --device | --trace)
		_filedir
		return
		;;
	--cache-dir | --state-dir)
		_filedir -d
		return
		;;
	--compressed)
		mapfile -t COMPREPLY < <(compgen -W 'whole refuse' -- "$cur")
		return
		;;
	--io)
		mapfile -t COMPREPLY < <(compgen -W 'uring poll' -- "$cur")
		return
		;;
	--source)
		mapfile -t COMPREPLY < <(compgen -W 'https:// http:// file:// oci://' -- "$cur")
		compopt -o nospace
		return
		;;
	--tag | --buffers | --readahead-max | --open-deadline | --read-deadline | --notify-fd)
		return
		;;
	esac
	$split && return

	mapfile -t COMPREPLY < <(compgen -W '--source --open-deadline --read-deadline --compressed
		-c --config --cache-dir --state-dir --tag --device
		--buffers --readahead-max --io --trace --keeper --notify-fd -v --verbose -q --quiet
		--check-config --probe -h --help -V --version' -- "$cur")
} && complete -F _cachefilld cachefilld
