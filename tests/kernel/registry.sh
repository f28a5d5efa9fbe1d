# SPDX-License-Identifier: MIT
#
# For scenarios with container registries: sourced after lib.sh. Everything lies in $RUN/registry:
# data (what all doors share), auth.json, ca.pem, and per door NAME.yml and NAME.log.

REGISTRY=$RUN/registry
OPEN=5999 # the door by which images are put there
REPOSITORY=team/image
PASSWORD='open sesame'
BASIC=QWxhZGRpbjpvcGVuIHNlc2FtZQ== # Aladdin:open sesame

registry_needs() {
	local program
	for program; do
		command -v "$program" > /dev/null || skip "no $program here"
	done
}

# An authority, and a certificate of it for this host: $REGISTRY/{ca,srv}.pem, srv.key.
make_certificates() {
	local curve='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
	mkdir -p "$REGISTRY"
	(
		cd "$REGISTRY"
		exec > openssl.log 2>&1
		# shellcheck disable=SC2086
		openssl req -x509 $curve -keyout ca.key -out ca.pem -subj /CN=ca
		# shellcheck disable=SC2086
		openssl req $curve -keyout srv.key -out srv.csr -subj /CN=localhost
		echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' > ext
		openssl x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext \
			-out srv.pem
	) || fail "openssl: $(tail -3 "$REGISTRY/openssl.log")"
}

# What stands in a configuration of a registry for TLS.
TLS="tls: {certificate: $REGISTRY/srv.pem, key: $REGISTRY/srv.key}"

listens() {
	cat /proc/net/tcp /proc/net/tcp6 2> /dev/null |
		grep -qiE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:0000 0A"
}

# registry_door NAME PORT [HTTP [AUTH [MIDDLEWARE]]]: returns when it listens.
registry_door() {
	mkdir -p "$REGISTRY/data"
	cat > "$REGISTRY/$1.yml" <<-YML
	version: 0.1
	log: {level: error, accesslog: {disabled: false}}
	storage: {filesystem: {rootdirectory: $REGISTRY/data}, delete: {enabled: true}}
	http: {addr: "127.0.0.1:$2", secret: s${3:+, $3}}
	${4:+auth: $4}
	${5:+middleware: $5}
	YML
	docker-registry serve "$REGISTRY/$1.yml" >> "$REGISTRY/$1.log" 2>&1 < /dev/null &
	echo $! > "$REGISTRY/$1.pid"
	eventually 30 listens "$2"
}

registry_shut() {
	local pid
	pid=$(cat "$REGISTRY/$1.pid")
	kill -KILL "$pid"
	works 5 gone "$pid"
	wait "$pid" || true
}

# push_blob FILE: its digest.
push_blob() {
	local digest location
	digest=sha256:$(sha256sum < "$1" | cut -d' ' -f1)
	location=$(curl -fsS -X POST -D - -o /dev/null \
		"http://127.0.0.1:$OPEN/v2/$REPOSITORY/blobs/uploads/" |
		sed -n 's/\r$//; s/^[Ll]ocation: //p')
	case $location in *\?*) location="$location&" ;; *) location="$location?" ;; esac
	curl -fsS -T "$1" -H Expect: -H 'Content-Type: application/octet-stream' \
		"${location}digest=$digest" -o /dev/null >&2
	echo "$digest"
}

# push_image TAG FILE: an image with one layer, an EROFS image. $LAYER is its digest.
push_image() {
	local config
	[ -e "$REGISTRY/open.pid" ] || registry_door open "$OPEN"
	printf '{}' > "$REGISTRY/empty"
	config=$(push_blob "$REGISTRY/empty")
	LAYER=$(push_blob "$2")
	cat > "$REGISTRY/manifest" <<-JSON
	{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
	 "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "$config", "size": 2},
	 "layers": [{"mediaType": "application/vnd.erofs.layer.v1", "digest": "$LAYER",
	             "size": $(stat -Lc %s "$2")}]}
	JSON
	curl -fsS -o /dev/null -T "$REGISTRY/manifest" \
		-H 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
		"http://127.0.0.1:$OPEN/v2/$REPOSITORY/manifests/$1"
}

# logged NAME EXPRESSION: how many lines of $REGISTRY/NAME.log match.
logged() { grep -cE "$2" "$REGISTRY/$1.log" || true; }

# logged_soon NAME EXPRESSION N: a server writes its line after it has answered.
logged_soon() {
	local tries
	for tries in {1..100}; do
		[ "$(logged "$1" "$2")" -lt "$3" ] || break
		sleep 0.1
	done
	equal "$(logged "$1" "$2")" "$3" "lines of $1.log that match '$2'"
}

# The daemon has ended: how many ranges it asked for, looks included, by what it says.
asked_for() {
	sed -n 's/.* in \([0-9]*\) requests and \([0-9]*\) looks.*/\1 \2/p' "$LOGS/daemon.log" |
		tail -1 | { read -r fetches looks && echo $((fetches + looks)); }
}

# kept_secret TEXT...: none of them is in anything that the daemon has written.
kept_secret() {
	local text
	for text; do
		! grep -rqF -e "$text" "$LOGS" "$RUN/state" "$RUN"/trace* ||
			fail "written down: $text in $(grep -rlF -e "$text" "$LOGS" "$RUN/state" "$RUN"/trace*)"
	done
}
