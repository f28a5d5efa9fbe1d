#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest: runs one scenario to its end. guest-main.sh sets the environment lib.sh speaks
# of.

set -eu
. "$KERNEL_TESTS/lib.sh"
mkdir -p "$RUN" "$CACHE" "$LOGS"
. "$1"
finish
