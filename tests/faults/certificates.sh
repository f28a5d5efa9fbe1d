#!/bin/sh
# SPDX-License-Identifier: MIT
#
# certificates.sh DIR: an authority (ca.pem) and what a server can show that is vouched for by it,
# and should not be taken all the same, or is not: see tests/lib/proxy.h.
set -eu
cd "$1"
exec > /dev/null 2>&1

authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 100 \
		-keyout "$1.key" -out "$1.pem" -subj "/CN=$1"
}

# server NAME AUTHORITY DAYS ALTERNATIVES
server() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out csr \
		-subj "/CN=$1"
	printf 'subjectAltName=%s' "$4" > ext
	openssl x509 -req -in csr -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" \
		-extfile ext -out "$1.pem"
}

authority ca
authority other
server good ca 100 IP:127.0.0.1
server expired ca -1 IP:127.0.0.1
server soon ca 3 IP:127.0.0.1
server wrongname ca 100 DNS:elsewhere.invalid
server unknownca other 100 IP:127.0.0.1
