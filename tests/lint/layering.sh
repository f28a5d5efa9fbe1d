#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Who may include whom: each file's own headers are looked for in its row, the first that matches.
#
#	layering.sh [ROOT]
#
# A row: a glob on the file, then the globs of what it may include. Every file may include
# daemon/util. External headers of one back end stay in one place.

set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

rows='
daemon/main*		*
daemon/config*		daemon/config* daemon/syscall-filter.h daemon/engine/resolve.h fetchers/fetcher.h proto/cachefiles.h
daemon/options.*	daemon/options.h daemon/config*.h fetchers/fetcher.h
daemon/database.*	daemon/database.h
daemon/state*		daemon/state*.h daemon/database.h
daemon/images/*		daemon/images/* daemon/database.h
daemon/origins-name.*	daemon/origins-name.h daemon/engine/resolve.h
daemon/origins.*	daemon/origins.h daemon/origins-name.h daemon/config.h daemon/loop/loop.h fetchers/fetcher.h fetchers/tarmap.h fetchers/gunzip.h fetchers/retry.h fetchers/alternatives.h fetchers/health.h fetchers/verify.h
daemon/image-catalog.*	daemon/image-catalog.h daemon/engine/engine.h daemon/images/follow.h daemon/origins.h
daemon/notify.*		daemon/notify.h
daemon/handover.*	daemon/handover.h
daemon/keeper.*		daemon/keeper.h daemon/handover.h daemon/notify.h
daemon/watchdog.*	daemon/watchdog.h daemon/notify.h daemon/engine/engine.h daemon/loop/loop.h
daemon/privileges.*	daemon/privileges.h daemon/syscall-filter.h
daemon/syscall-filter*	daemon/syscall-filter.h
daemon/util/*
daemon/loop/*		daemon/loop/*
daemon/kernel/*		daemon/kernel/* proto/*
daemon/names/*		daemon/names/*
daemon/engine/resolve.*	daemon/engine/resolve.h
daemon/engine/*		daemon/engine/* daemon/names/names.h daemon/loop/* daemon/state.h fetchers/fetcher.h
daemon/space/limits.*	daemon/space/limits.h proto/cachefiles.h
daemon/space/owners.*	daemon/space/owners.h daemon/space/survey.h daemon/images/images.h
daemon/space/survey.*	daemon/space/survey.h proto/cachename.h
daemon/space/*		daemon/space/* daemon/engine/engine.h daemon/images/images.h daemon/kernel/port.h daemon/kernel/scrub.h daemon/loop/* proto/*
daemon/prefetch/*	daemon/prefetch/* daemon/engine/engine.h daemon/loop/loop.h proto/plan.h
daemon/audit/*		daemon/audit/* daemon/engine/engine.h daemon/space/space.h daemon/state.h daemon/loop/* proto/cachename.h
daemon/control/*	daemon/control/* daemon/audit/audit.h daemon/engine/engine.h daemon/images/images.h daemon/prefetch/prefetch.h daemon/space/space.h daemon/loop/loop.h fetchers/health.h
daemon/record/*		daemon/record/* daemon/engine/engine.h daemon/kernel/port.h daemon/loop/* proto/*
daemon/trace/*		daemon/trace/* proto/*
daemon/tarindex/*	daemon/tarindex/* proto/tarmap.h proto/gzindex.h
daemon/frontend/*	daemon/frontend/* daemon/engine/engine.h daemon/kernel/port.h daemon/loop/* proto/*
daemon/replay/*		daemon/replay/* daemon/config*.h daemon/engine/*.h daemon/frontend/* daemon/kernel/port.h daemon/loop/loop.h daemon/origins.h daemon/record/recorder.h daemon/state.h daemon/trace/* fetchers/fetcher.h fetchers/common.h proto/*
daemon/ctl/mount-command.*	daemon/ctl/* daemon/config.h daemon/images/images.h
daemon/ctl/mount*	daemon/ctl/* daemon/images/images.h
daemon/ctl/trace-replay*	daemon/ctl/* daemon/trace/* daemon/replay/* proto/trace.h
daemon/ctl/daemon*	daemon/ctl/* daemon/config.h
daemon/ctl/doctor*	daemon/ctl/* daemon/config.h daemon/database.h daemon/kernel/*.h daemon/engine/resolve.h daemon/space/limits.h daemon/space/survey.h fetchers/fetcher.h
daemon/ctl/bugreport*	daemon/ctl/* daemon/config.h daemon/kernel/startup.h
daemon/ctl/explain*	daemon/ctl/* daemon/config.h daemon/engine/resolve.h daemon/images/images.h daemon/origins.h daemon/state.h fetchers/fetcher.h proto/cachename.h
daemon/ctl/als*		daemon/ctl/* daemon/images/images.h fetchers/oci-reference.h
daemon/ctl/cache.*	daemon/ctl/* daemon/config.h daemon/images/images.h daemon/space/survey.h daemon/space/owners.h daemon/state.h
daemon/ctl/du.c		daemon/ctl/* daemon/images/images.h daemon/state.h
daemon/ctl/image-inspect.c	daemon/ctl/* daemon/config.h daemon/images/images.h daemon/state.h
daemon/ctl/pin.c	daemon/ctl/*
daemon/ctl/evict.c	daemon/ctl/*
daemon/ctl/prefetch*	daemon/ctl/* daemon/images/images.h proto/plan.h
daemon/ctl/image-plan*	daemon/ctl/* daemon/config.h daemon/images/images.h proto/plan.h
daemon/ctl/main.c	daemon/ctl/*
daemon/ctl/context*	daemon/ctl/* daemon/config.h daemon/images/images.h daemon/origins.h daemon/loop/loop.h fetchers/fetcher.h fetchers/credential-agent.h
daemon/ctl/build*	daemon/ctl/* daemon/engine/erofs.h fetchers/fetcher.h fetchers/oci-image.h fetchers/oci-manifest.h proto/fsverity*.h
daemon/ctl/push*	daemon/ctl/* fetchers/oci-reference.h proto/fsverity.h
daemon/ctl/image-tar*	daemon/ctl/* daemon/images/images.h daemon/tarindex/layer*.h daemon/engine/erofs.h
daemon/ctl/image*	daemon/ctl/* daemon/config.h daemon/images/images.h daemon/engine/erofs.h daemon/loop/loop.h fetchers/fetcher.h
daemon/ctl/*		daemon/ctl/* daemon/trace/* proto/trace.h proto/plan.h proto/cachefiles-abi.h
proto/*			proto/*
fetchers/file*		fetchers/file* fetchers/fetcher.h fetchers/common.h daemon/loop/*
fetchers/http*		fetchers/http* fetchers/fetcher.h fetchers/common.h daemon/loop/*
fetchers/toml*		fetchers/toml.h
fetchers/oci*		fetchers/oci* fetchers/answers.h fetchers/health.h fetchers/toml.h fetchers/auth-file.h fetchers/credential-agent.h fetchers/http* fetchers/fetcher.h fetchers/common.h daemon/loop/*
fetchers/auth-file*	fetchers/auth-file.h
fetchers/credential*	fetchers/credential* fetchers/auth-file.h daemon/loop/loop.h
fetchers/s3*		fetchers/s3* fetchers/http* fetchers/fetcher.h fetchers/common.h daemon/loop/*
fetchers/tarmap*	fetchers/tarmap.h fetchers/indexed.h fetchers/fetcher.h proto/tarmap.h
fetchers/gunzip*	fetchers/gunzip* fetchers/indexed.h fetchers/fetcher.h daemon/loop/* proto/gzindex.h
fetchers/front*		fetchers/front.h fetchers/fetcher.h
fetchers/answers*	fetchers/answers.h
fetchers/health*	fetchers/health.h fetchers/fetcher.h
fetchers/alternatives*	fetchers/alternatives*.h fetchers/answers.h fetchers/health.h fetchers/front.h fetchers/fetcher.h fetchers/common.h daemon/loop/*
fetchers/retry*		fetchers/retry.h fetchers/front.h fetchers/fetcher.h fetchers/common.h daemon/loop/*
fetchers/verify*	fetchers/verify* fetchers/fetcher.h fetchers/common.h daemon/loop/* proto/fsverity.h
fetchers/index*		fetchers/index* fetchers/fetcher.h fetchers/common.h daemon/loop/*
fetchers/*		fetchers/fetcher.h fetchers/common.h daemon/loop/*
'

externals='
liburing.h	daemon/loop/loop-uring.c
sqlite3.h	daemon/database.h
seccomp.h	daemon/syscall-filter.c
libmount/*	daemon/ctl/mount-utab.c
microhttpd.h	daemon/control/server*
archive*	daemon/ctl/build-unpack.c daemon/ctl/bugreport-tar.c
curl/*		fetchers/http* fetchers/s3* daemon/ctl/daemon.c
openssl/*	fetchers/oci-digest.c daemon/util/sha256.c
'

faults=0
fault() {
	echo "layering: $*" >&2
	faults=$((faults + 1))
}

# matches TEXT GLOB...: one of the globs, in which "*" stands for anything
matches() {
	local text=$1 glob
	shift
	for glob; do
		# shellcheck disable=SC2053
		[[ $text == $glob ]] && return 0
	done
	return 1
}

set -f # the globs of the rows are for matches(), not for the shell
while read -r file header; do
	case $header in
	'"'*)
		header=${header//\"/}
		[ -e "$header" ] || fault "$file: \"$header\" is not a path from the root"
		matches "$header" 'daemon/util/*' && continue
		while read -r glob allowed; do
			matches "$file" "${glob:-nothing}" || continue
			# shellcheck disable=SC2086
			matches "$header" $allowed || fault "$file may not include $header"
			continue 2
		done <<< "$rows"
		fault "$file has no row: say in $0 what it may include"
		;;
	'<'*)
		header=${header//[<>]/}
		while read -r glob allowed; do
			matches "$header" "${glob:-nothing}" || continue
			# shellcheck disable=SC2086
			matches "$file" $allowed || fault "$file may not include <$header>"
		done <<< "$externals"
		;;
	esac
done < <(grep -rHoE --include='*.[ch]' '^#include [<"][^>"]*[>"]' daemon fetchers proto |
	sed 's/:#include / /')

# A child would inherit what the kernel installs without close-on-exec, and hold up the next mount.
# The control tool has no such descriptors, and one process is forked before the daemon has any. The
# keeper has none either; handover.c starts no process, but becomes another program.
while IFS= read -r call; do
	fault "the daemon must not start processes: $call"
done < <(grep -rnE --include='*.[ch]' --exclude-dir=ctl \
	'\<(v?fork|system|popen|posix_spawnp?|execv[pe]*|execl[pe]*)\(' \
	daemon fetchers proto | grep -vE '^(fetchers/credential-runner|daemon/keeper|daemon/handover)\.c:')

[ "$faults" = 0 ]
