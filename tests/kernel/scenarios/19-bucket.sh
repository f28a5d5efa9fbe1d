# SPDX-License-Identifier: MIT
#: kernels 6.12
#: seconds 180
#: needs cachefilld
#
# An image in a bucket whose server judges signatures by AWS's own code. Keys that are refused, then
# replaced, need no restart.

/usr/bin/python3 -c 'import botocore.auth' 2> "$RUN/python" || skip "no botocore here"
. "$KERNEL_TESTS/registry.sh" # what has been kept secret

ID=AKIDEXAMPLE SECRET=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY

step "a bucket"
origin_start
echo "$ID $SECRET" > "$RUN/keys"
mkfifo "$RUN/port"
/usr/bin/python3 "$KERNEL_TESTS/../tools/s3-oracle.py" "$RUN/keys" eu-west-1 "$PORT" \
	"$RUN/oracle.log" > "$RUN/port" 2> "$LOGS/oracle.log" < /dev/null &
read -r -t 60 port < "$RUN/port" || fail "no oracle: $(tail -3 "$LOGS/oracle.log")"
keys() {
	printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$ID" "$1" \
		> "$RUN/credentials.new"
	mv "$RUN/credentials.new" "$RUN/credentials"
}
keys "$SECRET"
CONFIG=$RUN/conf
cat > "$CONFIG" <<-CONF
source bucket {
	url = s3://images/{cookie}
	endpoint = http://localhost:$port
	region = eu-west-1
	credentials-file = $RUN/credentials
}
CONF
answers() { grep -c "^$1 " "$RUN/oracle.log" || true; }

step "cold"
daemon_start --trace "$RUN/trace" --verbose
mounted plain
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
daemon_stop
equal "$(answers '206 -')" "$(asked_for)" "ranges that were let in"
equal "$(wc -l < "$RUN/oracle.log")" "$(asked_for)" "requests"

step "everything cached, nobody to ask"
daemon_start --trace "$RUN/trace" --verbose
mounted plain
drop_caches
same_tree 60 "$IMAGES/tree" "$MNT"
unmounted
equal "$(wc -l < "$RUN/oracle.log")" "$(answers '206 -')" "requests"

step "another secret is refused, the right one is good again"
keys wrong+SECRET
errs 30 "$MOUNT_REFUSED" erofs ten-1 "$MNT"
grep -q 'SignatureDoesNotMatch.*s3://images/ten-1\|SignatureDoesNotMatch.*/images/ten-1' \
	"$LOGS/daemon.log" || fail "no word of the signature"
[ "$(answers '403 SignatureDoesNotMatch')" -ge 1 ] || fail "nothing was refused"
keys "$SECRET"
mounted ten-1
same_tree 60 "$IMAGES/ten/1" "$MNT"
unmounted
daemon_stop
kept_secret "$SECRET" wrong+SECRET
