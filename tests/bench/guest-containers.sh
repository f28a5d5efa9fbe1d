#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest: what containers.sh measures.
#
#	guest-containers.sh WORK KERNEL_TESTS ROUNDS "MS..." "WHO..."

set -eu
work=$1 rounds=$3 latency=$4 contenders=$5
export SIDE=http RUN=/run/bench CACHE=/mnt/cache/bench LOGS=$work/logs TOOLS=$work/bin
export KERNEL_TESTS=$2 CONTAINER=$work/container DAEMON=$TOOLS/cachefilld
mkdir -p "$RUN" "$CACHE"
. "$2/lib.sh"
. "$2/container.sh"
. "${0%/*}/lib.sh"

# fresh DAEMON-OPTION...: everything cold: no cached byte, no page; the image store is as "stored"
# has it.
fresh() {
	drop_caches
	rm -rf "$RUN/state"
	cp -r "$RUN/store" "$RUN/state"
	CACHE=/mnt/cache/bench-$((++serial))
	daemon_start "$@"
}

end() {
	unmount_images
	daemon_stop
	rm -rf "$CACHE" 2> /dev/null || true
}

# ---- contenders: what is timed, and what is undone afterwards ------------------------------

by_crun() { # IMAGE [OPTION]...
	ctl mount --writable "$@" "$RUN/bundle/rootfs" && crun run --bundle "$RUN/bundle" "c$serial"
}

run_crun() { # IMAGE [OPTION]...
	timed "$RUN/out" by_crun "$@"
	ctl umount "$RUN/bundle/rootfs" > /dev/null
}

by_podman() {
	podman_pull "$REGISTRY_HOST/team/app:gz" > /dev/null &&
		podman run --rm --network=host "$REGISTRY_HOST/team/app:gz"
}

run_podman() { # [LAYER-STORE]
	podman_environment "$@"
	timed "$RUN/out" by_podman
	podman rmi -f "$REGISTRY_HOST/team/app:gz" > /dev/null 2>&1
	podman_end
}

one() { # CONTENDER: prints milliseconds
	case $1 in
	stored) fresh && run_crun app ;;
	named) fresh && run_crun "oci://$REGISTRY_HOST/team/app:erofs" ;;
	no-ahead) fresh --readahead-max 4KiB && run_crun app --read-ahead 0 ;;
	als)
		fresh
		ctl als add "oci://$REGISTRY_HOST/team/app:gz" > /dev/null
		run_podman "$RUN/run/als" 2>> "$LOGS/podman"
		ctl als rm --all
		;;
	pull) fresh && run_podman 2>> "$LOGS/podman" ;;
	esac
	end >&2
	cmp "$CONTAINER/expected" "$RUN/out" >&2
}

# ---- requests before the first byte ---------------------------------------------------------

# asked: how much the registry was, since the last time. It writes a line after it has answered.
asked() {
	sleep 0.5
	grep -c '^127' "$REGISTRY/door.log" || true
	: > "$REGISTRY/door.log"
}

# requests_for IMAGE: until it is mounted (its first block is there), and from then until a file has
# shown its first byte.
requests_for() {
	fresh
	asked > /dev/null
	ctl mount "$1" "$RUN/m" >&2
	echo "$(asked) + $(head -c 1 "$RUN/m/usr/lib/os-release" > /dev/null && asked)"
	ctl umount "$RUN/m" >&2
	end >&2
}

# ---- all of it -------------------------------------------------------------------------------

say "a registry with the image"
container_registry
for tag in erofs gz; do container_push $tag; done
CONFIG=$RUN/conf
container_config > "$CONFIG"
bundle "$RUN/bundle" "${PROGRAM[@]}"
mkdir -p "$RUN"/{m,state}
ctl image add app "oci://$REGISTRY_HOST/team/app:erofs" >&2
ctl image add base "oci://$REGISTRY_HOST/team/app:erofs?layer=0" >&2
cp -r "$RUN/state" "$RUN/store"

# What is compared with is the last one.
for ms in $latency; do
	for ((i = 1; i <= rounds; i++)); do
		for who in $contenders; do
			network "$ms"
			took=$(one "$who")
			echo "$took" >> "$RUN/took-$ms-$who"
			say "$ms ms, round $i: $who $took ms"
		done
	done
done
network 0
stored_1=$(requests_for base) stored_3=$(requests_for app)
named_1=$(requests_for "oci://$REGISTRY_HOST/team/app:erofs?layer=0")
named_3=$(requests_for "oci://$REGISTRY_HOST/team/app:erofs")

{
	printf 'milliseconds until the first output, median of %s; in brackets, beside %s\n' \
		"$rounds" "${contenders##* }"
	printf '%-18s' 'added round trip'
	for who in $contenders; do printf '%17s' "$who"; done
	echo
	for ms in $latency; do
		printf '%-18s' "$ms ms"
		pull=$(median < "$RUN/took-$ms-${contenders##* }")
		for who in $contenders; do
			took=$(median < "$RUN/took-$ms-$who")
			printf '%9.0f (%.2f)' "$took" "$(awk -v a="$took" -v b="$pull" 'BEGIN { print a / b }')" |
				awk '{ printf "%17s", $0 }'
		done
		echo
	done
	printf '\nrequests until it is mounted + from then until the first byte of a file\n'
	printf '%-32s %12s %14s\n' '' 'one layer' 'three layers' \
		'image in the store' "$stored_1" "$stored_3" 'named by a reference' "$named_1" "$named_3"
} > "$work/result"

{
	printf '{"rounds": %d, "milliseconds": {' "$rounds"
	comma=
	for ms in $latency; do
		printf '%s"%s": {' "$comma" "$ms"
		comma=
		for who in $contenders; do
			printf '%s"%s": [%s]' "$comma" "$who" "$(paste -sd, "$RUN/took-$ms-$who")"
			comma=', '
		done
		printf '}'
	done
	# For one layer and for three: until it is mounted, and from then on.
	printf '}, "requests": {"stored": [[%s], [%s]], "named": [[%s], [%s]]}}\n' \
		"${stored_1/ +/,}" "${stored_3/ +/,}" "${named_1/ +/,}" "${named_3/ +/,}"
} > "$work/result.json"
