#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Prints what packages install as /etc/cachefilld.conf: the sample, without the source in it, which
# is somebody's example. Images need none.

exec sed -e 's|, to be copied to /etc/cachefilld.conf||' -e '/^source /,/^}/s/^/#/' \
	"$(dirname "$0")/cachefilld.conf"
