#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Inside the guest: runs one scenario to its end. guest-main.sh sets the environment lib.sh speaks
# of.

set -eu
. "$KERNEL_TESTS/lib.sh"
case $1 in
*.scn)
	"$TOOLS/scenario-real" "$1" 2>> "$LOGS/daemon.log" || {
		show_state
		exit 1
	}
	;;
*) . "$1" ;;
esac
finish
