# SPDX-License-Identifier: MIT
#: kernels 6.12
#: seconds 180
#: needs cachefilld
#
# A registry with passwords that has its blobs elsewhere: nginx over the same files, which sees no
# credentials, and is asked directly once the way is known.

. "$KERNEL_TESTS/registry.sh"
registry_needs docker-registry htpasswd openssl nginx

step "a registry, and a store"
make_certificates
push_image v1 "$IMAGES/origin/plain"
htpasswd -Bbn Aladdin "$PASSWORD" > "$REGISTRY/htpasswd"
mkdir -p "$RUN/nginx"
cat > "$RUN/nginx/conf" <<-CONF
user root; worker_processes 1; pid $RUN/nginx/pid; error_log $LOGS/nginx-error.log;
events { worker_connections 512; }
http {
	log_format t 'auth=[\$http_authorization] field=[\$http_x_secret] \$status \$request_uri';
	access_log $REGISTRY/store.log t;
	client_body_temp_path $RUN/nginx/1; proxy_temp_path $RUN/nginx/2;
	fastcgi_temp_path $RUN/nginx/3; uwsgi_temp_path $RUN/nginx/4; scgi_temp_path $RUN/nginx/5;
	ssl_certificate $REGISTRY/srv.pem; ssl_certificate_key $REGISTRY/srv.key;
	server {
		listen 127.0.0.1:8443 ssl http2;
		root $REGISTRY/data;
		if (-f $RUN/expired) { return 403; }
	}
}
CONF
works 10 nginx -c "$RUN/nginx/conf" -e "$LOGS/nginx-error.log"
NGINX_PID=$(cat "$RUN/nginx/pid")
elsewhere='{storage: [{name: redirect, options: {baseurl: "https://localhost:8443/"}}]}'
registry_door door 5000 "$TLS" "{htpasswd: {realm: t, path: $REGISTRY/htpasswd}}" "$elsewhere"
echo "{\"auths\": {\"localhost:5000\": {\"auth\": \"$BASIC\"}}}" > "$REGISTRY/auth.json"
CONFIG=$RUN/conf
cat > "$CONFIG" <<-CONF
source registry {
	url = oci://localhost:5000/team/{cookie}
	ca-file = $REGISTRY/ca.pem
	auth-file = $REGISTRY/auth.json
	header = "X-Secret: for the registry only"
}
CONF

step "a store that refuses, and the way to it"
daemon_start --trace "$RUN/trace" --verbose
mounted image:v1
works 20 same_piece 1
equal "$(logged store ' 403 ')" 0 "refusals"
before=$(logged door 'blobs/.* 307 ')
touch "$RUN/expired"
errs 20 "$NO_BYTES" piece "$MNT/big" 4
# For each try of the kernel once where it is led now, and once where it was led before.
refused=$(($(logged door 'blobs/.* 307 ') - before))
[ "$refused" -ge 1 ] || fail "the registry was not asked again"
logged_soon store ' 403 ' $((refused + 1))
rm "$RUN/expired"

step "every byte"
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
daemon_stop
logged_soon store '^auth=\[-\] field=\[-\] 206 ' $(($(asked_for) - refused))
equal "$(logged store .)" $(($(asked_for) + 1)) "requests at the store"
# The first requests found the way, the rest went straight there.
moved=$(logged door "blobs/$LAYER HTTP/2.0\" 307 ")
if [ "$moved" -lt 1 ] || [ "$moved" -gt 10 ]; then fail "asked for the way $moved times"; fi
equal "$(logged door "blobs/$LAYER HTTP/2.0\" 206 ")" 0 "ranges from the registry"
kept_secret "$PASSWORD" "$BASIC" 'for the registry only'
