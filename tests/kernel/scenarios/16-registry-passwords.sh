# SPDX-License-Identifier: MIT
#: seconds 180
#: needs cachefilld
#
# An image in a registry with TLS and passwords: each byte of it through a mount, what was asked for
# it, nothing where it is cached, and no secret in anything that was written. Once all of it is
# cached, it is found to be what its digest says, and another byte in the registry is found as well.

. "$KERNEL_TESTS/registry.sh"
registry_needs docker-registry htpasswd openssl

step "a registry"
make_certificates
push_image v1 "$IMAGES/origin/plain"
htpasswd -Bbn Aladdin "$PASSWORD" > "$REGISTRY/htpasswd"
registry_door door 5000 "$TLS" "{htpasswd: {realm: t, path: $REGISTRY/htpasswd}}"
cat > "$REGISTRY/auth.json" <<-JSON
{"auths": {"localhost:5000": {"auth": "$BASIC"}}}
JSON
CONFIG=$RUN/conf
conf() { # [LINE]
	cat > "$CONFIG" <<-CONF
	source registry {
		url = oci://localhost:5000/team/{cookie}
		ca-file = $REGISTRY/ca.pem
		auth-file = $REGISTRY/auth.json
		${1:-}
	}
	CONF
}
conf
reload() { "$TOOLS/cachefillctl" reload; }

step "cold"
daemon_start --trace "$RUN/trace" --verbose
mounted image:v1
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
eventually 30 grep -q "image:v1: all .* are cached, and are those of $LAYER" "$LOGS/daemon.log"
daemon_stop
equal "$(logged door '" 401 ')" 1 "requests that were refused"
equal "$(logged door '"GET [^ ]*/manifests/v1 HTTP/2.0" 200 ')" 1 "manifests"
logged_soon door "\"GET [^ ]*/blobs/$LAYER HTTP/2.0\" 206 " "$(asked_for)"

step "the registry down, everything cached"
registry_shut door
daemon_start --trace "$RUN/trace" --verbose
mounted image:v1
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted

step "what is not cached says who does not answer"
errs 30 "$MOUNT_REFUSED" erofs image:v2 "$MNT"
grep -q 'localhost:5000.*/team/image.*v2' "$LOGS/daemon.log" || fail "no word of the registry"
daemon_stop

step "another password"
registry_door door 5000 "$TLS" "{htpasswd: {realm: t, path: $REGISTRY/htpasswd}}"
htpasswd -Bbn Aladdin other > "$REGISTRY/htpasswd"
rm -rf "$CACHE" "$RUN/state"
daemon_start --trace "$RUN/trace" --verbose
errs 30 "$MOUNT_REFUSED" erofs image:v1 "$MNT"
grep -q 'localhost:5000/v2/team/image/manifests/v1.*401\|401.*localhost:5000/v2/team/image' \
	"$LOGS/daemon.log" || fail "no word of the refusal"
daemon_stop
kept_secret "$PASSWORD" "$BASIC"

step "a reload does not take the password away from what is open"
htpasswd -Bbn Aladdin "$PASSWORD" > "$REGISTRY/htpasswd"
rm -rf "$CACHE" "$RUN/state"
daemon_start --verbose
elsewhere() { printf 'source elsewhere {\n\turl = http://127.0.0.1:1/{cookie}\n}\n' > "$CONFIG"; }
served() { grep -c 'serving ' "$LOGS/daemon.log"; }
mounted image:v1
works 20 same_piece 1
n=$(served)
elsewhere
errs 20 "source 'registry' has parameters.* 1 objects are" reload
equal "$(served)" "$n" "daemons"
works 20 same_piece 2
conf 'rule = no'
works 20 reload
works 20 same_piece 3
unmounted
elsewhere
works 20 reload
equal "$(served)" $((n + 2)) "daemons"
daemon_stop
conf

step "another byte"
blob=$REGISTRY/data/docker/registry/v2/blobs/sha256/${LAYER:7:2}/${LAYER:7}/data
registry_shut door
registry_door door 5000 "$TLS"
dd if=/dev/zero of="$blob" bs=1 seek=$(($(stat -c %s "$blob") / 2)) count=16 conv=notrunc status=none
rm -rf "$CACHE" "$RUN/state"
daemon_start
mounted image:v1
works 60 cat "$MNT/big" > /dev/null
works 30 find "$MNT" -type f -exec cat {} + > /dev/null
unmounted
eventually 30 grep -q "image:v1: all .* they are wrong: .* for $LAYER from oci://localhost:5000" \
	"$LOGS/daemon.log"
eventually 30 grep -q "image:v1.*: evicted" "$LOGS/daemon.log"
