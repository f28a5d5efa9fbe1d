# SPDX-License-Identifier: MIT
#: kernels 6.12 6.1
#: needs cachefilld
#: seconds 120
#
# A workload as capture.sh records it (the smallest), and a trace of it that is whole.

CAPTURE_DELAY=0ms
. "$KERNEL_TESTS/workloads/files.sh"
works 20 "$TOOLS/cachefillctl" trace verify "$LOGS/trace"
