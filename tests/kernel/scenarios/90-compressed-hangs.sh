# SPDX-License-Identifier: MIT
#: sides file
#: guest own
#
# The negative control of 70-compressed.sh: the reference daemon, which is correct, and the same
# order of reads. The kernel has to break: a reader that cannot be killed, or a decompression error.

DAEMON=$SIMPLE
origin_start
daemon_start
mounted lz4
for i in 5 2 7 1 3 6 0 4; do
	if ! (within 10 piece "$MNT/big" $i > "$RUN/piece"); then
		echo "reader: piece $i never came"
		exit 0
	fi
done
drop_caches
cat "$MNT/big" > "$RUN/big" 2> "$RUN/error" &
reader=$!
sleep 5
kill -9 $reader || true
sleep 1
state=$(sed -n 's/^State:\t\(.\).*/\1/p' /proc/$reader/status)
dmesg | tail -n 20
echo "reader: state $state"
if [ "$state" != D ] && ! dmesg | grep -qE 'failed to decompress|BUG|Oops'; then
	fail "the kernel survived; is this still a control?"
fi
# Nothing can be taken down in this guest any more.
exit 0
