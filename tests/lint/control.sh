#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the control socket offers, and what is written about it, is the same:
#
#	control.sh ASK-CONTROL [ROOT]
#
# Routes, what may be asked and metrics: the tables of the daemon, and cachefilld-control(7). The
# alerts and the dashboard ask for metrics that there are.

set -euo pipefail
ask=$(realpath "$1")
cd "${2:-$(dirname "$0")/../..}"
page=man/cachefilld-control.7

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
fault() {
	echo "control: $*" >&2
	faults=$((faults + 1))
}

# same WHAT A B: the sets of lines in two files
same() {
	sort -u -o "$work/$2" "$work/$2"
	sort -u -o "$work/$3" "$work/$3"
	[ -s "$work/$2" ] || fault "$1: $2 is empty"
	diff "$work/$2" "$work/$3" > "$work/diff" || fault "$1: '<' $2 only, '>' $3 only:
$(grep '^[<>]' "$work/diff")"
}

# within WHAT FILE: each line that is read is one of the file
within() {
	local line
	while read -r line; do
		grep -qxF -- "$line" "$work/$2" || fault "$1: there is no $line"
	done
}

section() { sed -n "/^\.Sh $1\$/,/^\.Sh /p" "$page"; }

# ---- routes

"$ask" /v1 > "$work/index"
grep -oE '"method":"[^"]*","path":"[^"]*"' "$work/index" |
	sed 's/"method":"\(.*\)","path":"\([^*]*\).*"/\1 \2/' > "$work/routes"
section ROUTES | grep '^\.It Li' | grep -oE '(GET|POST|PUT|DELETE) /[a-z0-9/-]*' > "$work/page"
same "routes" routes page

# Each name of a parameter or a field is somewhere in there.
section ROUTES | grep -oE 'Cm .*' | tr -s ' ,' '\n' > "$work/words"
grep -oE '"(query|body)":"[^"]*"' "$work/index" | sed 's/.*:"\(.*\)"/\1/' | tr -s ' ' '\n' |
	grep . > "$work/asked"
within "parameters in $page" words < "$work/asked"

# ---- metrics

"$ask" /metrics > "$work/text"
"$ask" /metrics application/openmetrics-text > "$work/openmetrics"
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$work/text" > "$work/metrics"
echo process_open_fds >> "$work/metrics" # since Linux 6.2
section METRICS | grep -oE '(cachefilld|process)_[a-z_]+' > "$work/page"
same "metrics" metrics page

# A family of counters is called without "_total" there.
sed -n 's/^# TYPE \([a-z_]*\) counter/\1_total/p; s/^# TYPE \([a-z_]*\) [^c].*/\1/p' \
	"$work/openmetrics" > "$work/families"
echo process_open_fds >> "$work/families"
same "metrics of both forms" metrics families

section METRICS | grep -oE 'Cm .*' | tr -s ' ,' '\n' > "$work/words"
grep -oE '[a-z]+="' "$work/text" | tr -d '="' | grep -vx le | sort -u > "$work/asked"
within "labels in $page" words < "$work/asked"

# ---- who asks for them

sed -n 's/^\([a-z_]*\)[{ ].*/\1/p' "$work/text" | sort -u > "$work/samples"
for file in contrib/prometheus-alerts.yml contrib/grafana-dashboard.json; do
	grep -oE '\b(cachefilld|process)_[a-z_]+' "$file" > "$work/asked" || fault "$file asks for nothing"
	within "metrics for $file" samples < "$work/asked"
done
python3 -m json.tool contrib/grafana-dashboard.json > /dev/null || fault "the dashboard is no JSON"

[ "$faults" = 0 ]
