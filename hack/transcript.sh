#!/usr/bin/env bash
# Puts real output into the README, between its markers: a run of the scenario inbound, without the paragraphs that a
# reader can do without at first. Run as root after `make lab`. The explained path is written by a test:
# go test ./cmd/lab -run Explained -update.
set -euo pipefail
cd "$(dirname "$0")/.."
lab=${LAB:-bin/lab}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$lab" up -q > /dev/null
"$lab" run inbound -q > "$out/run"
# A paragraph is kept when its first line begins like one of these; between others stands a line that says so.
{
  printf '```\n$ lab run inbound\n'
  awk -v RS= '
    /^(A pod in the mesh|Both sidecars tell|One request is sent|Hop by hop|The lab is again|✓)/ {
      if (left) print "[…]\n"; left = 0; print $0 "\n"; next }
    /^ +(hop|[a-z]+:) / { print $0 "\n"; next }
    { left = 1 }' "$out/run" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
  printf '```\n'
} > "$out/transcript"

awk -v file="$out/transcript" '
  $0 == "<!-- transcript -->" { print; while ((getline line < file) > 0) print line; skip = 1; next }
  $0 == "<!-- /transcript -->" { skip = 0 }
  !skip' README.md > "$out/README.md"
cp "$out/README.md" README.md
