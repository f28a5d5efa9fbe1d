#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The AppArmor profile is one that the parser takes:
#
#	apparmor.sh PROFILE
#
# Nothing is loaded, and no kernel with AppArmor is needed.

set -euo pipefail
parser=$(PATH=$PATH:/sbin:/usr/sbin command -v apparmor_parser) || {
	echo "apparmor: there is no apparmor_parser"
	exit 77
}
"$parser" --skip-kernel-load --skip-cache --quiet "$1"
