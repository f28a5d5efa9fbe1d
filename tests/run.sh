#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Everything there is to test, in one command, on a fresh Debian 12:
#
#	tests/run.sh [--keep]
#
#	gcc		build and all tests of meson
#	clang		the build with the other compiler, warnings are errors
#	sanitizers	all tests with that one, with ASan and UBSan
#	valgrind	the tests of the first build under memcheck
#	kernel 6.12	all scenarios on the real kernel feature in User-Mode Linux
#	kernel 6.1	those that concern the older kernel
#
# Two lanes run side by side: kernel 6.12 and its scenarios in one, the compilers in the other. The
# scenarios of 6.1 follow where a lane ends first.
# Counted are test cases (each scenario, each case of a test binary that names its cases). Shows
# each skip with its reason. The last line is "N passed, N failed, N skipped". Exit status 0 if
# nothing failed. All that it makes on the way goes with it, unless --keep.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
keep=''
case ${1:-} in
'') ;;
--keep) keep=yes ;;
*) sed -n '6s/^#	//p' "$0" >&2; exit 2 ;;
esac

"$here/packages.sh" build test kernel

# A disk: in memory, direct I/O has no rules. What tests write is here, too, so that it goes with
# the rest even where a test was killed.
work=$(mktemp -d "${TMPDIR:-/var/tmp}/cachefilld-tests.XXXXXX")
memory=$(mktemp -d /dev/shm/cachefilld-tests.XXXXXX 2> /dev/null) || memory=$work/memory
export TMPDIR=$work/tmp CACHEFILLD_TEST_MEMORY=$memory
mkdir -p "$work/tally" "$TMPDIR" "$memory"

# Each lane is a process group.
lanes=()
stop_lanes() {
	local lane tries
	for lane in "${lanes[@]}"; do
		kill -- "-$lane" 2> /dev/null || true
	done
	for lane in "${lanes[@]}"; do
		for ((tries = 0; tries < 150; tries++)); do
			kill -0 -- "-$lane" 2> /dev/null || continue 2
			sleep 0.1
		done
		kill -KILL -- "-$lane" 2> /dev/null || true
	done
}
finish() {
	trap '' INT TERM HUP
	stop_lanes
	[ -n "$keep" ] || rm -rf "$work" "$memory"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
# Limits are for an idle machine and no instrumentation: libcheck's, and those of scenarios.
export CK_TIMEOUT_MULTIPLIER=10 CACHEFILLD_TEST_PATIENCE=4
# A stage that never comes to its count has failed.
for stage in gcc clang sanitizers valgrind kernel-6.12 kernel-6.1; do
	echo '0 passed, 1 failed, 0 skipped' > "$work/tally/$stage"
done
started=$SECONDS
say() { printf '[%4d s] %s\n' $((SECONDS - started)) "$*"; }
[ -z "$keep" ] || say "keeping $work and $memory"

# tally STAGE FILE: the last line of FILE is "... N passed, N failed, N skipped", or the stage
# itself failed.
tally() {
	local line
	line=$(tail -1 "$2" 2> /dev/null |
		grep -oE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$') ||
		line='0 passed, 1 failed, 0 skipped'
	echo "$line" > "$work/tally/${1// /-}"
	say "$1: $line"
}

# build STAGE [MESON-OPTION]...: false when it does not compile, which is a failed test.
build() {
	local stage=$1 log=$work/$1.log
	shift
	say "$stage: building"
	if meson setup "$work/$stage" "$root" "$@" > "$log" 2>&1 &&
		nice ninja -C "$work/$stage" >> "$log" 2>&1; then
		return 0
	fi
	grep -E -A8 'error:|ERROR|FAILED' "$log" | head -60
	tally "$stage" /dev/null
	return 1
}

patience=10

# run_tests STAGE BUILD [MESON-TEST-OPTION]...
run_tests() {
	local stage=$1 build=$2 log=$work/$2/meson-logs/testlog.json
	shift 2
	say "$stage: testing"
	# Limits for a busy machine: they only have to end what would never end.
	meson test -C "$work/$build" --no-rebuild -t "$patience" "$@" > "$work/$stage.test" 2>&1 || true
	case " $* " in *" --wrapper "*) log=${log%.json}-valgrind.json ;; esac
	"$here/count-tests.py" "$stage" "$log" | tee "$work/$stage.count" | sed '$d'
	tally "$stage" "$work/$stage.count"
}

compilers() {
	if build gcc; then
		touch "$work/gcc-done"
		run_tests gcc gcc
	fi
	if CC=clang build clang --werror; then
		echo '1 passed, 0 failed, 0 skipped' > "$work/built"
		tally clang "$work/built"
	fi
	if CC=clang build sanitizers -Db_sanitize=address,undefined -Db_lundef=false; then
		ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 \
			UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
			run_tests sanitizers sanitizers
	fi
	if [ -e "$work/gcc-done" ]; then
		local memcheck="valgrind -q --error-exitcode=99 --leak-check=full"
		memcheck="$memcheck --show-leak-kinds=definite --errors-for-leak-kinds=definite"
		if [ -e "$root/contrib/valgrind.supp" ]; then
			memcheck="$memcheck --suppressions=$root/contrib/valgrind.supp"
		fi
		patience=40 run_tests valgrind gcc --no-suite lint --no-suite no-valgrind --wrapper "$memcheck"
	fi
	touch "$work/compilers-done"
}

# await FILE...: until there is one of them.
await() {
	local file
	while true; do
		for file; do [ ! -e "$work/$file" ] || return 0; done
		sleep 1
	done
}

# kernel VERSION
kernel() {
	say "kernel $1: building, unless it was before"
	"$here/kernel/build-kernel.sh" "$1" > "$work/kernel-$1" || tally "kernel $1" /dev/null
	touch "$work/kernel-$1-built"
}

# scenarios VERSION
scenarios() {
	local no_logs='-e /^#.logs:/d'
	[ -z "$keep" ] || no_logs=''
	[ -s "$work/kernel-$1" ] || return 0
	say "kernel $1: scenarios"
	"$here/kernel/run.sh" --kernel "$1" "$work/gcc" 2>&1 | tee "$work/kernel-$1.out" |
		sed -e '/^[0-9]* passed, .* skipped$/d' $no_logs || true
	tally "kernel $1" "$work/kernel-$1.out"
}

kernel_6_12() {
	kernel 6.12
	await gcc-done compilers-done
	scenarios 6.12
	touch "$work/kernel-done"
}

kernel_6_1() {
	await kernel-6.12-built
	kernel 6.1
	await compilers-done kernel-done
	scenarios 6.1
}

set -m
for lane in kernel_6_12 kernel_6_1 compilers; do
	$lane < /dev/null &
	lanes+=($!)
done
set +m
wait
lanes=()

say "finished"
cat "$work"/tally/* | awk '{ p += $1; f += $3; s += $5 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }'
