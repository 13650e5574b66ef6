#!/usr/bin/env bash
# Kills parts of a lab with SIGKILL at random moments of up, run and down, and looks after each kill for anything that
# is left: processes, mounts, interfaces, namespaces, cgroup directories, files, changed log levels. Then the next
# `lab up` has to work. Run as root, with nothing else making namespaces meanwhile:
#
#   hack/kill9.sh [ROUNDS] [SEED] [BACKEND]        default: 50 rounds, a seed from the clock, node
#
# With kind it is the Docker that the lab starts: none may run.
set -euo pipefail
rounds=${1:-50}
seed=${2:-$(date +%s)}
backend=${3:-node}
name=kill9
RANDOM=$seed
log=$(mktemp -d)
# On the way out of a failure, which has been said, the lab is taken down.
clean() {
  code=$?
  [ $code = 0 ] || [ ! -x "$log/lab" ] || "$log/lab" down --backend "$backend" --name $name -q 2> /dev/null || true
  rm -rf "$log"
  exit $code
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp "${LAB:-bin/lab}" "$log/lab" # a name of its own, by which its processes are known
lab=$log/lab
echo "rounds $rounds, seed $seed (hack/kill9.sh $rounds $seed $backend repeats the choices)"

say() { printf '%s %s\n' "$(date +%T)" "$*"; }

# The host as it must be again: mounts, interfaces, named namespaces, our files. A namespace without a name and without
# a process is gone.
snapshot() {
  cut -d' ' -f5- /proc/self/mountinfo | sort
  ip -o link | awk -F': ' '{print "link", $2}' | sort
  ls /run/netns 2>/dev/null | sed 's/^/netns /' || true
  find /sys/fs/cgroup -maxdepth 2 -name "flowproof-$name*" | sort
  ls -d "/run/flowproof/$name"* "${TMPDIR:-/tmp}"/lab-* 2>/dev/null || true
  grep -o "@flowproof-[a-z]*-$name" /proc/net/unix | sort -u || true
  cksum ~/.kube/config 2>/dev/null || true
}

# Processes of the lab, and of the command itself wherever they are.
members() { in_cgroups; find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$lab*" 2>/dev/null | cut -d/ -f3; }
in_cgroups() { find /sys/fs/cgroup -path "*/flowproof-$name*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un; }

# Waits until the host is as before, or says what is left and ends.
nothing_left() {
  for _ in $(seq 100); do
    snapshot > "$log/now"
    if cmp -s "$log/before" "$log/now" && [ -z "$(members)" ]; then return; fi
    sleep 0.1
  done
  say "LEFT after $1:"
  diff "$log/before" "$log/now" || true
  members | while read -r pid; do tr '\0' ' ' < "/proc/$pid/cmdline" || true; echo; done
  exit 1
}

levels_restored() {
  for pod in netshoot fortio-server; do
    for _ in $(seq 100); do
      "$lab" --backend $backend --name $name kubectl exec $pod -c istio-proxy -- curl -s -XPOST localhost:15000/logging 2> "$log/err" > "$log/levels" || true
      if [ "$(grep -c ': warning$' "$log/levels")" -gt 50 ] && ! grep -q -E ': (debug|trace|info)$' "$log/levels"; then continue 2; fi
      sleep 0.1
    done
    say "LEFT: not all loggers of $pod are at their own level"
    cat "$log/err" "$log/levels"
    exit 1
  done
}

"$lab" up --backend $backend --name $name -q > /dev/null 2> "$log/up" # makes components and data that later rounds take from the cache
"$lab" down --backend $backend --name $name -q 2> /dev/null
snapshot > "$log/before"

most_up=8000
[ "$backend" = node ] || most_up=30000
for round in $(seq "$rounds"); do
  verb=$(printf 'up\nrun\nrun\ndown\n' | sed -n "$((RANDOM % 4 + 1))p")
  [ "$verb" = up ] || "$lab" up --backend $backend --name $name -q > /dev/null 2> "$log/up" || { cat "$log/up"; exit 1; }
  case $verb in
    up) "$lab" up --backend $backend --name $name > "$log/out" 2>&1 & most=$most_up ;;
    run) "$lab" run inbound --backend $backend --name $name > "$log/out" 2>&1 & most=1800 ;;
    down) "$lab" down --backend $backend --name $name > "$log/out" 2>&1 & most=200 ;;
  esac
  command=$!
  ms=$((RANDOM * 32768 + RANDOM)); ms=$((ms % most))
  sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
  # Half the time the command itself is the victim, else any process of the lab: guard, init, component, container.
  victim=$command; kind=command
  if [ $((RANDOM % 2)) = 0 ]; then
    mapfile -t all < <(in_cgroups)
    if [ ${#all[@]} -gt 0 ]; then victim=${all[$((RANDOM % ${#all[@]}))]}; kind=$(cat "/proc/$victim/comm" 2>/dev/null || echo gone); fi
  fi
  kill -9 "$victim" 2>/dev/null || kind="$kind, which had ended"
  wait "$command" 2>/dev/null || true
  say "round $round: lab $verb, after ${ms} ms: killed $kind ($victim)"
  # A running lab may rightly stay when its own processes were spared; then nothing that a run changed may stay.
  sleep 0.2
  state=$("$lab" status --backend $backend --name $name -o json 2>/dev/null | sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p' | head -1)
  if [ "$state" = running ]; then
    [ "$verb" != run ] || levels_restored
    "$lab" down --backend $backend --name $name -q 2> /dev/null
  fi
  nothing_left "round $round (lab $verb, $kind)"
done
"$lab" up --backend $backend --name $name -q > /dev/null
"$lab" down --backend $backend --name $name -q 2> /dev/null
nothing_left "the last round"
echo "$rounds kills, nothing left"
