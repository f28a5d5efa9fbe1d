# SPDX-License-Identifier: MIT
#
# For scenarios that run containers: sourced after lib.sh. The image is that of make-container.sh,
# in $CONTAINER; it is pushed to a registry with TLS and passwords, $REGISTRY_HOST.

. "$KERNEL_TESTS/registry.sh"

REGISTRY_HOST=localhost:5000
DOMAIN=cachefilld

# container_needs PROGRAM...: skips where they, or the image, are missing.
container_needs() {
	registry_needs docker-registry htpasswd openssl skopeo "$@"
	[ -e "$CONTAINER/complete" ] || skip "make-container.sh could not make the image here"
}

# The registry, its data beside the cache: both are on the disk. $AUTH is a file with the password,
# $CERTS a directory for the clients that want one.
container_registry() {
	AUTH=$REGISTRY/auth.json CERTS=$REGISTRY/certs
	mkdir -p "$CACHE/registry" "$CERTS"
	make_certificates
	ln -s "$CACHE/registry" "$REGISTRY/data"
	cp "$REGISTRY/ca.pem" "$CERTS/ca.crt"
	htpasswd -Bbn -C 4 Aladdin "$PASSWORD" > "$REGISTRY/htpasswd"
	echo "{\"auths\": {\"$REGISTRY_HOST\": {\"auth\": \"$BASIC\"}}}" > "$AUTH"
	registry_door door 5000 "$TLS" "{htpasswd: {realm: t, path: $REGISTRY/htpasswd}}"
	CACHE=$CACHE/fills
	mkdir "$CACHE"
}

# container_push TAG: team/app:TAG, as it is in the layout.
container_push() {
	works 120 skopeo copy -q --insecure-policy --dest-cert-dir "$CERTS" --dest-authfile "$AUTH" \
		"oci:$CONTAINER/layout:$1" "docker://$REGISTRY_HOST/team/app:$1"
}

# $LAYERS: the digests of the layers of TAG, bottom to top.
container_layers() { # TAG
	MANIFEST=$(sed -n "s/.*\"digest\":\"sha256:\([0-9a-f]*\)\",\"size\":[0-9]*,[^{]*{\"[a-z.]*\.ref\.name\":\"$1\".*/\1/p" \
		"$CONTAINER/layout/index.json")
	mapfile -t LAYERS < <(sed -n '/^"layers"/p' "$CONTAINER/layout/blobs/sha256/$MANIFEST" |
		grep -o '"digest":"sha256:[0-9a-f]*' | cut -d'"' -f4)
	equal "${#LAYERS[@]}" 3 "layers of $1"
}

# container_size TAG: bytes of all its layers.
container_size() { awk -v t="$1" '$1 == t { print $2 + $3 + $4 }' "$CONTAINER/sizes"; }

# container_config_size TAG: bytes of the configuration.
container_config_size() {
	container_layers "$1"
	sed -n 's/^"config":.*"size":\([0-9]*\)},$/\1/p' "$CONTAINER/layout/blobs/sha256/$MANIFEST"
}

# container_config: a configuration that knows the registry.
container_config() {
	cat <<-CONF
	source registry {
		url = oci://$REGISTRY_HOST/{cookie}
		ca-file = $REGISTRY/ca.pem
		auth-file = $AUTH
		rule = no
	}
	CONF
}

# ctl COMMAND...: cachefillctl, with this configuration, its places in $RUN.
ctl() {
	local options=(--run-dir "$RUN/run")
	case $1 in mounts | umount) ;; *) options+=(--config "$CONFIG" --state-dir "$RUN/state") ;; esac
	"$TOOLS/cachefillctl" "$@" "${options[@]}"
}

# bundle DIRECTORY COMMAND...: an OCI bundle; its root file system is to be DIRECTORY/rootfs.
bundle() {
	local dir=$1 args
	shift
	mkdir -p "$dir/rootfs"
	args=$(printf ',"%s"' "$@")
	(cd "$dir" && crun spec)
	sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"readonly": true/"readonly": false/' \
		-e "s#\"sh\"#${args#,}#" "$dir/config.json"
}

# What runs in the containers.
PROGRAM=(/usr/bin/python3 /opt/app/main.py)

# timed FILE COMMAND...: its output goes to FILE; prints after how many milliseconds the first line
# of it came.
timed() {
	local file=$1 start=${EPOCHREALTIME/./} line
	shift
	"$@" | {
		IFS= read -r line || true
		echo $(((${EPOCHREALTIME/./} - start) / 1000))
		printf '%s\n' "$line" > "$file"
		cat >> "$file"
	}
}

# blob_bytes EXPRESSION: how many bytes of blobs the registry sent in answers whose log lines match.
blob_bytes() {
	grep -E '"GET [^ ]*/blobs/' "$REGISTRY/door.log" | grep -E "$1" |
		awk '{ n += $10 } END { print n + 0 }'
}

# blob_requests EXPRESSION
blob_requests() { grep -E '"GET [^ ]*/blobs/' "$REGISTRY/door.log" | grep -cE "$1" || true; }

# podman_environment [LAYER-STORE]: all that podman keeps is in $PODMAN, on the disk, and $RUN/podman.
podman_environment() {
	PODMAN=$CACHE/podman
	mkdir -p "$RUN/podman" "$PODMAN/tmp"
	cat > "$RUN/podman/containers.conf" <<-CONF
	[containers]
	netns = "host"
	log_driver = "k8s-file"
	[engine]
	cgroup_manager = "cgroupfs"
	events_logger = "file"
	runtime = "crun"
	CONF
	cat > "$RUN/podman/storage.conf" <<-CONF
	[storage]
	driver = "overlay"
	graphroot = "$PODMAN"
	runroot = "$RUN/podman/run"
	[storage.options]
	additionallayerstores = [${1:+"\"$1:ref\""}]
	CONF
	echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$RUN/podman/policy.json"
	export CONTAINERS_CONF=$RUN/podman/containers.conf \
		CONTAINERS_STORAGE_CONF=$RUN/podman/storage.conf TMPDIR=$PODMAN/tmp
}

podman_pull() { # REFERENCE
	podman pull -q --signature-policy "$RUN/podman/policy.json" --cert-dir "$CERTS" \
		--authfile "$AUTH" "$1"
}

# Podman keeps its directory mounted over itself.
podman_end() {
	local where
	while read -r _ where _; do
		if [ "${where#"$PODMAN/"}" != "$where" ]; then unmounted "$where"; fi
	done < <(tac /proc/mounts)
	rm -rf "$PODMAN"
}
