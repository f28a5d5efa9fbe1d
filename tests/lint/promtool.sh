#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the daemon tells Prometheus, and what Prometheus is told by us, is taken by promtool(1):
#
#	promtool.sh ASK-CONTROL [ROOT]
#
# Metrics in both forms, the rules of the alerts, and the tests of the rules. Exit status 77 where
# there is no promtool. Debian has it in prometheus, 23 MB to download and 320 MB installed, which
# tests/packages.sh does not ask of everybody.

set -euo pipefail
ask=$(realpath "$1")
cd "${2:-$(dirname "$0")/../..}"
command -v promtool > /dev/null || { echo "promtool is not installed"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Also what is only unusual fails it.
"$ask" /metrics > "$work/text"
promtool check metrics < "$work/text"

# Samples of the past are read by the parser that reads scrapes; there each needs a time.
"$ask" /metrics application/openmetrics-text | sed '/^#/!s/$/ 1700000000/' > "$work/openmetrics"
promtool tsdb create-blocks-from openmetrics "$work/openmetrics" "$work/blocks" > "$work/log" ||
	{ cat "$work/log"; exit 1; }
series=$(grep -vc '^#' "$work/openmetrics")
grep -qw "$series" "$work/log" || { echo "not $series series:"; cat "$work/log"; exit 1; }

promtool check rules contrib/prometheus-alerts.yml
promtool test rules tests/lint/prometheus-alerts-test.yml
