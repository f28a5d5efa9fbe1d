# SPDX-License-Identifier: MIT
#: kernels 6.12
#: seconds 180
#: needs cachefilld
#
# A registry that wants tokens, which a server gives for a password, or for an identity token. One
# serves all requests; one that got old is renewed while images are read.

. "$KERNEL_TESTS/registry.sh"
registry_needs docker-registry openssl /usr/bin/python3

step "a registry and its token server"
make_certificates
push_image v1 "$IMAGES/origin/plain"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$REGISTRY/tok.key" -out "$REGISTRY/tok.crt" \
	-subj /CN=tokend > "$RUN/openssl" 2>&1 || fail "$(cat "$RUN/openssl")"
token_server() {
	/usr/bin/python3 "$KERNEL_TESTS/../tools/token-server.py" 5001 "$REGISTRY" "$@" \
		> "$REGISTRY/token-server.log" 2>&1 < /dev/null &
	echo $! > "$REGISTRY/token-server.pid"
	eventually 30 listens 5001
}
token_server --user "Aladdin:$PASSWORD" --life 10
registry_door door 5000 "$TLS" "{token: {realm: \"https://localhost:5001/token\",
  service: reg, issuer: tokend, rootcertbundle: $REGISTRY/tok.crt}}"
CONFIG=$RUN/conf
cat > "$CONFIG" <<-CONF
source registry {
	url = oci://localhost:5000/team/{cookie}
	ca-file = $REGISTRY/ca.pem
	auth-file = $REGISTRY/auth.json
}
CONF

step "for a password"
echo "{\"auths\": {\"localhost:5000/team\": {\"auth\": \"$BASIC\"}}}" > "$REGISTRY/auth.json"
daemon_start --trace "$RUN/trace" --verbose
mounted image:v1
same_tree 60 "$IMAGES/tree" "$MNT"
[ "$(logged tokens '^GET yes repository:team/image:pull$')" -ge 1 ] || fail "no token"
unmounted

step "a token gets old while a mount reads"
daemon_stop
rm -rf "$CACHE" "$RUN/state"
daemon_start --trace "$RUN/trace" --verbose
mounted image:v1
before=$(logged tokens yes)
for i in 0 1 2 3 4 5 6 7; do
	works 20 same_piece "$i"
	[ "$(logged tokens yes)" = "$before" ] || break
	sleep 2
done
[ "$(logged tokens yes)" -gt "$before" ] || fail "the token was not renewed"
equal "$(logged tokens no)" 0 "refusals of the token server"
same_tree 60 "$IMAGES/tree" "$MNT"
equal "$(logged door '" 401 ')" 2 "refusals of the registry: one for each daemon"
unmounted
daemon_stop
logged_soon door "blobs/$LAYER HTTP/2.0\" 206 " "$(sed -n \
	's/.* in \([0-9]*\) requests and \([0-9]*\) looks.*/\1 \2/p' "$LOGS/daemon.log" |
	awk '{ n += $1 + $2 } END { print n }')"

step "for an identity token, and a wrong one"
kill "$(cat "$REGISTRY/token-server.pid")"
works 5 gone "$(cat "$REGISTRY/token-server.pid")"
token_server --identity id3nt1ty
for identity in id3nt1ty wr0ng; do
	echo "{\"auths\": {\"localhost:5000\": {\"identitytoken\": \"$identity\"}}}" \
		> "$REGISTRY/auth.json"
	rm -rf "$CACHE" "$RUN/state"
	daemon_start --trace "$RUN/trace" --verbose
	if [ "$identity" = wr0ng ]; then
		errs 30 "$MOUNT_REFUSED" erofs image:v1 "$MNT"
		grep -q 'the token server refuses us.*localhost:5001/token' "$LOGS/daemon.log" ||
			fail "no word of the token server"
	else
		mounted image:v1
		works 30 same_piece 1
		unmounted
	fi
	daemon_stop
done
equal "$(logged tokens '^POST yes repository:team/image:pull')" 1
[ "$(logged tokens '^POST no repository:team/image:pull')" -ge 1 ] || fail "nothing was posted"

mapfile -t tokens < "$REGISTRY/tokens"
kept_secret "$PASSWORD" "$BASIC" id3nt1ty wr0ng "${tokens[@]##*.}"
