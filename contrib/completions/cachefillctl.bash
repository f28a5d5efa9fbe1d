# SPDX-License-Identifier: MIT
# bash completion for cachefillctl(1)

_cachefillctl_commands()
{
	case $1 in
	'')
		echo image trace mount umount mounts als du pin unpin prefetch warm status objects flights origins top \
			events metrics whois purge evict gc reload log-level doctor explain bugreport
		;;
	image) echo add build inspect ls plan push push-index refresh rm ;;
	als) echo add ls rm ;;
	trace) echo verify show stats plot plan cut merge anonymise replay start stop ;;
	esac
}

_cachefillctl_options()
{
	case $1 in
	'') echo --help --version ;;
	trace) echo --help ;;
	image) echo --help ;;
	image-add) echo --no-referrers --no-verity --replace --config --state-dir --run-dir --help ;;
	image-ls) echo --json --names --config --state-dir --run-dir --help ;;
	image-inspect) echo --json --config --state-dir --run-dir --help ;;
	image-refresh)
		echo --dry-run --yes --json --no-referrers --no-verity --config --state-dir --run-dir --help
		;;
	image-plan) echo --remove --json --config --state-dir --run-dir --help ;;
	image-rm) echo --config --state-dir --run-dir --help ;;
	image-build)
		echo --chunk-size --compress --force --json --plan --tag --timestamp --tmp-dir --uuid \
			--verity --config --state-dir --run-dir --help
		;;
	image-push) echo --plan --json --config --state-dir --run-dir --help ;;
	image-push-index) echo --config --state-dir --run-dir --help ;;
	mount)
		echo --writable --options --read-ahead --prefetch --no-referrers --no-verity --config \
			--state-dir --run-dir --help
		;;
	umount) echo --all --lazy --run-dir --help ;;
	mounts) echo --json --run-dir --help ;;
	du) echo --objects --map --json --config --state-dir --run-dir --help ;;
	evict) echo --json --socket --config --state-dir --run-dir --help ;;
	bugreport) echo --anonymise --output --socket --config --state-dir --run-dir --help ;;
	doctor | explain) echo --json --socket --config --state-dir --run-dir --help ;;
	prefetch)
		echo --all --plan --rate --requests --background --list --cancel --json --socket \
			--config --state-dir --run-dir --help
		;;
	warm) echo --limit --share --rate --requests --background --json --socket --help ;;
	gc) echo --dry-run --json --socket --help ;;
	pin | unpin) echo --config --state-dir --run-dir --help ;;
	als) echo --help ;;
	als-add) echo --name --no-referrers --no-verity --dir --config --state-dir --run-dir --help ;;
	als-ls) echo --json --dir --config --state-dir --run-dir --help ;;
	als-rm) echo --all --lazy --dir --config --state-dir --run-dir --help ;;
	status | objects | flights | origins | metrics | whois | purge | reload | log-level)
		echo --json --socket --help
		;;
	top) echo --interval --count --view --json --socket --help ;;
	events) echo --slow --json --socket --help ;;
	trace-start | trace-stop) echo --json --socket --help ;;
	trace-verify) echo --lenient --help ;;
	trace-show) echo --json --kind --from --to --object --help ;;
	trace-stats) echo --json --top --from --to --object --help ;;
	trace-plot) echo --output --force --top --width --from --to --object --help ;;
	trace-plan)
		echo --output --force --gap --limit --share --json --from --to --object --help
		;;
	trace-cut) echo --from --to --object --output --force --help ;;
	trace-merge) echo --sequential --together --output --force --help ;;
	trace-anonymise) echo --output --force --help ;;
	trace-replay)
		echo --speed --virtual --origin --config --latency --bandwidth --script --check \
			--cache-dir --buffers --readahead-max --open-deadline --read-deadline \
			--max-requests --trace --io --json --verbose --help
		;;
	esac
}

# Values that are words; false: this is no option with a value.
_cachefillctl_value()
{
	case $1 in
	--kind)
		mapfile -t COMPREPLY < <(compgen -W 'start source object handle open read close bad
			receive copen complete command release look fetch store lost end' -- "$2")
		;;
	-o | --output | --config | --script | --trace | --socket | --plan) _filedir ;;
	--cache-dir | --dir | --tmp-dir | --state-dir | --run-dir | --writable) _filedir -d ;;
	--compress) mapfile -t COMPREPLY < <(compgen -W 'lz4 lz4hc' -- "$2") ;;
	--check) mapfile -t COMPREPLY < <(compgen -W 'yes no' -- "$2") ;;
	--view)
		mapfile -t COMPREPLY < <(compgen -W 'all images origins slowest fetches' -- "$2")
		;;
	--io) mapfile -t COMPREPLY < <(compgen -W 'uring poll' -- "$2") ;;
	--origin)
		_filedir -d
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(
			compgen -W 'synthetic recorded' -- "$2")
		;;
	--name | --from | --to | --object | --top | --width | --gap | --limit | --share | --speed) ;;
	--interval | --count | --slow | --rate | --requests | --cancel) ;;
	--latency | --bandwidth | --buffers | --readahead-max) ;;
	--chunk-size | --tag | --timestamp | --uuid) ;;
	--open-deadline | --read-deadline | --max-requests | --read-ahead) ;;
	--options)
		mapfile -t COMPREPLY < <(compgen -W 'writable upper= nosuid noexec dev ro noatime
			read-ahead=' -- "$2")
		compopt -o nospace
		;;
	*) return 1 ;;
	esac
}

# The images that are known, for the commands that take one.
_cachefillctl_images()
{
	case $1 in
	image-inspect | image-plan | image-push-index | image-refresh | image-rm | mount | als-add | als-rm | \
		du | evict | pin | unpin | prefetch | explain) ;;
	*) return 1 ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$(cachefillctl image ls --names 2> /dev/null)" -- "$2")
	__ltrim_colon_completions "$2"
}

_cachefillctl()
{
	# shellcheck disable=SC2034	# _init_completion sets them all
	local cur prev words cword split path='' i
	_init_completion -s -n : || return

	_cachefillctl_value "$prev" "$cur" && return
	$split && return
	for ((i = 1; i < cword; i++)); do
		[ -n "$(_cachefillctl_commands "$path")" ] || break
		path=${path:+$path-}${words[i]}
	done
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_cachefillctl_options "$path")" -- "$cur")
	elif [ -n "$(_cachefillctl_commands "$path")" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_cachefillctl_commands "$path")" -- "$cur")
	else
		_cachefillctl_images "$path" "$cur"
		[ "${#COMPREPLY[@]}" -gt 0 ] || _filedir
	fi
} && complete -F _cachefillctl cachefillctl
