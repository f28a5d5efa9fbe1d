# SPDX-License-Identifier: MIT
#: seconds 180
#: needs cachefilld
#
# A registry whose password a credential helper has, and a mirror of it that goes down while an image
# is read. The process that runs helpers has nothing of the daemon's, and goes with it.

. "$KERNEL_TESTS/registry.sh"
registry_needs docker-registry htpasswd openssl

step "a registry and its mirror"
make_certificates
push_image v1 "$IMAGES/origin/plain"
htpasswd -Bbn Aladdin "$PASSWORD" > "$REGISTRY/htpasswd"
registry_door door 5000 "$TLS" "{htpasswd: {realm: t, path: $REGISTRY/htpasswd}}"
registry_door mirror 5002
mkdir -p "$RUN/hosts/localhost_5000_" "$RUN/bin"
cp "$REGISTRY/ca.pem" "$RUN/hosts/localhost_5000_/"
cat > "$RUN/hosts/localhost_5000_/hosts.toml" <<-TOML
server = "https://localhost:5000"
ca = "ca.pem"

[host."http://localhost:5002"]
  capabilities = ["pull", "resolve"]
TOML
cat > "$RUN/bin/docker-credential-vault" <<-HELPER
#!/bin/sh
ls -l /proc/self/fd > $RUN/inherited
grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status >> $RUN/inherited
printf '{"Username":"Aladdin","Secret":"%s"}' "$PASSWORD"
HELPER
chmod +x "$RUN/bin/docker-credential-vault"
echo '{"credHelpers": {"localhost:5000": "vault"}}' > "$REGISTRY/auth.json"
CONFIG=$RUN/conf
cat > "$CONFIG" <<-CONF
credential-helpers = yes
source registry {
	url = oci://localhost:5000/team/{cookie}
	auth-file = $REGISTRY/auth.json
	hosts-dir = $RUN/hosts
}
CONF
PATH=$RUN/bin:$PATH
helper_process() {
	grep -ls "^PPid:.$DAEMON_PID$" /proc/[0-9]*/status | cut -d/ -f3
}
one_helper_process() { [ "$(helper_process | wc -w)" = 1 ]; }
said() { grep -cF -- "$1" "$LOGS/daemon.log" || true; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }

step "from the mirror"
daemon_start --trace "$RUN/trace" --verbose
process=$(helper_process)
equal "$(wc -w <<< "$process")" 1 "children of the daemon"
mounted image:v1
works 20 same_piece 1
equal "$(logged door .)" 0 "requests at the registry"
logged_soon mirror '\?ns=localhost:5000 HTTP' "$(logged mirror '"GET')"

step "the mirror goes down, the registry wants a password"
registry_shut mirror
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
equal "$(logged door '" 401 ')" 1 "requests that were refused"
[ "$(logged door "blobs/$LAYER HTTP/2.0\" 206 ")" -ge 10 ] || fail "not read from the registry"
grep -q 'warning: .*localhost:5002.*others are asked for what localhost:5000 has' \
	"$LOGS/daemon.log" || fail "no word of the mirror"
unmounted

step "helpers have nothing of ours"
if grep -E 'cachefiles|anon_inode|state|/[4-9][0-9]* ->' "$RUN/inherited"; then
	fail "a helper has inherited that"
fi
equal "$(grep -c '^Cap.*:.0000000000000000$' "$RUN/inherited")" 3 "empty sets of capabilities"
equal "$(helper_process)" "$process" "children of the daemon"

step "the next process has one of its own, and none that is left"
n=$(said 'serving ')
kill -USR2 "$DAEMON_PID"
eventually 20 said_more 'serving ' "$n"
eventually 20 one_helper_process
works 5 gone "$process"
process=$(helper_process)
daemon_stop
works 5 gone "$process"

step "hosts.toml with an error"
sed -i s,pull,pul, "$RUN/hosts/localhost_5000_/hosts.toml"
errs 20 'localhost_5000_/hosts.toml:5: no such capability' "$DAEMON" --config "$CONFIG" --check-config
kept_secret "$PASSWORD" "$BASIC"
