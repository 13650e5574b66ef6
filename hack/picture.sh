#!/bin/sh
# Renews the picture of the README: one request of the lab, from its client to its application, as
# it was inferred and seen.
# usage: hack/picture.sh [LAB-ARGUMENT...], such as --name second
set -eu
cd "$(dirname "$0")/.."
lab=bin/lab
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
"$lab" -q "$@" run inbound --bundle "$kept/run" >/dev/null
"$lab" verify "$kept/run" -o svg >"$kept/inbound.svg"
[ "$(wc -c <"$kept/inbound.svg")" -lt 200000 ] || { echo "$0: the picture is larger than 200 kB" >&2; exit 1; }
mv "$kept/inbound.svg" docs/inbound.svg
