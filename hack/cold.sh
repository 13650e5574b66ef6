#!/usr/bin/env bash
# Measures the first start on a machine that has nothing: the command and every part of a lab are built with a HOME, Go
# caches and a part cache of their own, which go when it ends. Prints a table by part: wall time, user and system CPU
# time of the programs that made it, and the largest process; then the sums, and the most memory that all held at once.
# Nothing else should run beside it.   hack/cold.sh [FOLDER]   keeps what was made in FOLDER, and goes on there.
set -euo pipefail
cd "$(dirname "$0")/.."
hack/setup.sh
if [ $# -gt 0 ]; then
  mkdir -p "$1" && dir=$(cd "$1" && pwd)
else
  dir=$(mktemp -d "${TMPDIR:-/tmp}/flowproof-cold-XXXXXX")
  trap 'chmod -R u+w "$dir" && rm -rf "$dir"' EXIT
fi
mkdir -p "$dir/home" "$dir/tmp"
export HOME=$dir/home GOCACHE=$dir/go-build GOMODCACHE=$dir/modules FLOWPROOF_CACHE=$dir/parts TMPDIR=$dir/tmp
export CGO_ENABLED=0 GOFLAGS=-trimpath
lab=$dir/lab
before=$(df -Pk "$dir" | awk 'NR == 2 { print $3 }')

# held prints the resident memory in KiB of this script's processes and all theirs.
held() {
  ps -e -o pid=,ppid=,rss= | awk -v top=$$ '{ parent[$1] = $2; size[$1] = $3 }
    END {
      for (p in size) {
        for (q = p; q > 1 && q != top; q = parent[q]) {}
        if (q == top) sum += size[p]
      }
      print sum + 0
    }'
}
sample() {
  local peak=0 now
  while sleep 1; do
    now=$(held)
    if [ "$now" -gt "$peak" ]; then peak=$now && echo "$peak" > "$dir/peak"; fi
  done
}
sample &
sampler=$!

# timed NAME COMMAND… writes the command's wall, user and system seconds into NAME.time, and shows
# its last words if it fails.
timed() {
  local name=$1 TIMEFORMAT='%R %U %S'
  shift
  { time "$@" > "$dir/$name.log" 2>&1; } 2> "$dir/$name.time" || { tail -n 20 "$dir/$name.log" >&2; exit 1; }
}
timed lab go build -ldflags '-s -w' -o "$lab" ./cmd/lab
timed parts "$lab" build
kill "$sampler" && wait "$sampler" 2> /dev/null || true

{
  echo "part wall user system memory"
  awk '{ print "lab", $1 "s", $2 "s", $3 "s", "-" }' "$dir/lab.time"
  "$lab" cache | awk '/ user, / {
    for (i = 1; i <= NF; i++) {
      if ($i == "in") wall = $(i + 1)
      if ($i == "user,") user = $(i - 1)
      if ($i == "system,") sys = $(i - 1)
      if ($i == "memory") memory = $(i - 2) $(i - 1)
    }
    print $1, wall, user, sys, memory
  }'
} | column -t
awk '{ wall += $1; user += $2; sys += $3 }
  END { printf "all: %d:%02d min wall, %.1f min user, %.1f min system\n", wall / 60, wall % 60, user / 60, sys / 60 }
' "$dir/lab.time" "$dir/parts.time"
awk '{ printf "memory at the peak, all processes: %d MiB\n", $1 / 1024 }' "$dir/peak"
df -Pk "$dir" | awk -v before="$before" 'NR == 2 { printf "disk: %d MiB\n", ($3 - before) / 1024 }'
