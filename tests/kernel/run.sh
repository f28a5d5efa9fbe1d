#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the scenarios of tests/kernel/scenarios, and those of tests/scenario that are not for the
# emulated kernel alone, against the real kernel feature, in User-Mode Linux:
#
#	run.sh [--kernel 6.12|6.1] [--arch um|x86] [--only PATTERN] [--from DIR] [--simple]
#		[--memcheck] [--keep] BUILD_DIR
#
# BUILD_DIR holds a built cachefilld. PATTERN is an extended expression over scenario names
# ("13-lz4.http", "202-one-byte.scn"). --from takes the scenarios of another directory. --simple puts
# the reference daemon in its place, to test the scenarios themselves. --memcheck runs the daemon
# under valgrind. --arch x86 is for builds with ASan or TSan, and takes several times as long. What
# valgrind or a sanitizer finds fails the scenario. --keep keeps the logs of a run in which all
# passed. Prints TAP and, last, "N passed, N failed, N skipped". Needs no root. Variables
# CACHEFILLD_TEST_* are told to scenarios; CACHEFILLD_TEST_PATIENCE multiplies their limits, and those
# of what they wait for.
#
# A shell scenario says about itself, in lines that begin with "#:":
#
#	kernels 6.12 6.1	where it makes sense; 6.12 alone if not said
#	sides file http		origins it is run against, each one run, on 6.1 the first alone;
#				http alone if not said
#	seconds 60		its limit; 60 if not said
#	guest own		it may leave the kernel unusable: gets a boot to itself
#	needs cachefilld	pointless with the reference daemon
#	wants container		the image of make-container.sh; it says itself what if there is none

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
version=6.12 arch=um only=. simple='' memcheck='' keep='' build=''
from=("$here/scenarios" "${here%/*}/scenario")
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) version=$2; shift ;;
	--arch) arch=$2; shift ;;
	--only) only=$2; shift ;;
	--from) from=("$(realpath "$2")"); shift ;;
	--simple) simple=yes ;;
	--memcheck) memcheck=yes ;;
	--keep) keep=yes ;;
	-*) sed -n '7,8s/^#	//p' "$0" >&2; exit 2 ;;
	*) build=$(realpath "$1") ;;
	esac
	shift
done
[ -n "$build" ] || { echo "run: which BUILD_DIR?" >&2; exit 2; }

PATH=$PATH:/usr/sbin:/sbin
store=${CACHEFILLD_KERNEL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cachefilld/kernel}
kernel=$("$here/build-kernel.sh" --arch "$arch" "$version")
mkdir -p "$store"
flock "$store/.lock-images" "$here/make-images.sh" "$store/images"

work=$(mktemp -d "${TMPDIR:-/tmp}/cachefilld-kernel.XXXXXX")
trap '[ -n "$keep" ] || rm -rf "$work"' EXIT
guest=''
# A guest reads and writes here until it has ended.
stop() {
	trap '' INT TERM HUP
	[ -z "$guest" ] || kill "$guest" || true
	[ -z "$guest" ] || cat <&3
	exit 130
}
trap 'stop > /dev/null 2>&1' INT TERM HUP
mkdir "$work/bin"
cc -O2 -D_GNU_SOURCE -o "$work/bin/simple-daemon" "$here/simple-daemon.c" -lcurl
ln -s "$store/images" "$work/images"
ln -s "$store/container" "$work/container"
if [ -n "$simple" ]; then
	cp "$work/bin/simple-daemon" "$work/bin/cachefilld"
else
	# By name: other tests make and remove files in BUILD_DIR at the same time.
	for program in daemon/cachefilld daemon/ctl/cachefillctl tests/tools/fault-proxy \
		tests/tools/image-put tests/kernel/scenario-real \
		tests/kernel/handover-soak tests/kernel/left-behind tests/kernel/mount-burst \
		tests/soak/soak-reader; do
		[ ! -x "$build/$program" ] || cp -t "$work/bin" "$build/$program"
	done
	cp -t "$work/bin" "$build/contrib/cachefilld.service"
	[ -x "$work/bin/cachefilld" ] || { echo "run: no cachefilld in $build" >&2; exit 2; }
fi

if [ -n "$memcheck" ]; then
	mv "$work/bin/cachefilld" "$work/bin/cachefilld-itself"
	# lax-ioctls: READ_COMPLETE takes its argument by value, though its number says pointer.
	cat > "$work/bin/cachefilld" <<-WRAPPER
	#!/bin/sh
	exec valgrind -q --log-file="\$LOGS/report.%p" --error-exitcode=99 \
		--sim-hints=lax-ioctls --leak-check=full \
		--show-leak-kinds=definite --errors-for-leak-kinds=definite \
		$work/bin/cachefilld-itself "\$@"
	WRAPPER
	chmod +x "$work/bin/cachefilld"
fi

# header FILE KEY DEFAULT
header() { sed -n "s/^#: $2 //p" "$1" | grep . || echo "$3"; }

patience=${CACHEFILLD_TEST_PATIENCE:-1} memory=1500M
if [ "$arch" = x86 ]; then
	patience=$((4 * patience)) memory=3G
fi
export CACHEFILLD_TEST_PATIENCE=$patience

# What scenarios are told from outside.
export -p | grep ' CACHEFILLD_TEST_[A-Z]*=' > "$work/environment" || true

plan=$work/plan
slower=$(((${memcheck:+4} + 1) * patience))
: > "$plan"
plan_shell() { # FILE
	local side sides name
	read -ra sides <<< "$(header "$1" sides http)"
	[ "$version" = 6.12 ] || sides=("${sides[0]}")
	for side in "${sides[@]}"; do
		name=$(basename "$1" .sh).$side
		[[ $name =~ $only ]] || continue
		[[ " $(header "$1" kernels 6.12) " == *" $version "* ]] || continue
		[ -z "$simple" ] || [ "$(header "$1" needs '')" != cachefilld ] || continue
		[ -z "$simple" ] || [ "$side" = file ] || continue
		# valgrind 3.19 does not know openat2(2), which the file fetcher lives on.
		[ -z "$memcheck" ] || [ "$side" = http ] || continue
		echo "$1 $side $(($(header "$1" seconds 60) * slower)) $name" \
			"$(header "$1" guest shared)" >> "$plan"
	done
}
plan_script() { # FILE
	local name
	name=$(basename "$1")
	[[ $name =~ $only ]] && [ -z "$simple" ] || return 0
	! grep -q '^on emulated' "$1" || return 0
	echo "$1 http $((60 * slower)) $name shared" >> "$plan"
}
shopt -s nullglob
show=()
for dir in "${from[@]}"; do
	show+=(--show "$dir")
	for file in "$dir"/*.sh; do plan_shell "$file"; done
	for file in "$dir"/*.scn; do plan_script "$file"; done
done
# Those that want a guest of their own come last.
sort -s -r -k 5,5 -o "$plan" "$plan"
total=$(wc -l < "$plan")
if cut -d' ' -f1 "$plan" | xargs -r grep -qx '#: wants container'; then
	flock "$store/.lock-images" "$here/make-container.sh" "$store/container" ||
		echo "# there is no image for containers"
fi
echo "1..$total"
[ "$total" -gt 0 ] || { echo "0 passed, 0 failed, 0 skipped"; exit 2; }

number=0 passed=0 failed=0 skipped=0
report() { # VERDICT SECONDS NAME [REASON]
	number=$((number + 1))
	case $1 in
	ok) passed=$((passed + 1)); echo "ok $number - $version $3 # $2 s" ;;
	skip) skipped=$((skipped + 1)); echo "ok $number - $version $3 # SKIP ${*:4}" ;;
	*) failed=$((failed + 1)); echo "not ok $number - $version $3 # $2 s: ${*:4}" ;;
	esac
}

# Scenarios share guests as far as they can; each boot does what is still to be done and may do.
while [ -s "$plan" ]; do
	if [ "$(head -1 "$plan" | cut -d' ' -f5)" = own ]; then
		head -1 "$plan" > "$work/todo"
	else
		sed '/ own$/,$d' "$plan" > "$work/todo"
	fi
	limit=$(awk '{ n += $3 + 10 } END { print n + 20 }' "$work/todo")
	booted=$SECONDS status=0 finished=0
	exec 3< <(
		trap : INT TERM HUP
		"$here/guest.sh" --arch "$arch" --kernel "$kernel" --work "$work" \
			--show "$store" --show "$here" --show "${here%/*}/tools" "${show[@]}" \
			--timeout "$limit" --memory "$memory" --disk 12G \
			-- "$here/guest-main.sh" "$work" 2>&1 &
		echo "guest $!"
		while
			status=0
			wait $! || status=$?
			kill -0 $! 2> /dev/null
		do :; done
		echo "status $status"
	)
	while IFS= read -r line <&3; do
		case $line in
		"ok "* | "skip "* | "not-ok "*)
			finished=$((finished + 1))
			# shellcheck disable=SC2086
			report $line
			;;
		"guest "[0-9]*) guest=${line#guest } ;;
		"status "*) status=${line#status } ;;
		*) echo "$line" ;;
		esac
	done
	exec 3<&-
	guest=''
	if [ "$status" != 0 ] && [ "$status" != 99 ]; then
		# It took the whole guest with it.
		finished=$((finished + 1))
		name=$(sed -n "${finished}p" "$work/todo" | cut -d' ' -f4)
		report not-ok $((SECONDS - booted)) "$name" "the guest ended with $status"
		tail -n 40 "$work/logs/$name/output" 2> /dev/null | sed 's/^/# /'
	fi
	sed -i "1,${finished}d" "$plan"
done

[ "$failed" = 0 ] || keep=yes
[ -z "$keep" ] || echo "# logs: $work/logs"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
