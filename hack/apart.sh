#!/usr/bin/env bash
# Runs a command in mount, network, IPC, UTS and cgroup namespaces of its own, with a /run, a /tmp, a
# /dev/shm and a ~/.kube of its own, so that hack/fingerprint.sh sees nothing of what else happens on a
# machine that others use too. What has no namespace, such as most sysctls and /dev, is the machine's.
# Run as root:
#
#   hack/apart.sh COMMAND [ARGUMENT...]
set -euo pipefail
name=flowproof-apart-$$
if [ "${1:-}" = --inside ]; then
  shift
  mounts=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i+1) ~ /^cgroup/) print $5, $(i+1), $(i+3) }' /proc/self/mountinfo)
  for dir in /run /tmp /var/tmp /dev/shm /mnt "${HOME:-/root}/.kube"; do
    [ ! -d "$dir" ] || mount -t tmpfs -o mode=1777 tmpfs $dir
  done
  chmod 755 /run
  grep -q '^/sys/fs/cgroup ' <<< "$mounts" || mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  # Mounted anew, a hierarchy shows the cgroup namespace's own root.
  common='rw|ro|xattr|clone_children|nsdelegate|memory_recursiveprot|release_agent=.*'
  while read -r point kind options; do
    options=$(tr , '\n' <<< "$options" | grep -v -E "^($common)$" | paste -sd,) || true
    mkdir -p "$point"
    mount -t "$kind" ${options:+-o "$options"} none "$point"
  done <<< "$mounts"
  ip link set lo up
  exec "$@"
fi
hierarchies=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i+1) ~ /^cgroup/) print $5 }' /proc/self/mountinfo)
clean() {
  code=$?
  for point in $hierarchies; do
    echo $$ > "$point/cgroup.procs"
    # What the command left behind ends here: its processes, then its cgroups from the leaves up.
    find "$point/$name" -name cgroup.procs -exec cat {} + 2> /dev/null | xargs -r kill -9 2> /dev/null || true
    for _ in $(seq 100); do find "$point/$name" -depth -type d -exec rmdir {} + 2> /dev/null && break; sleep 0.05; done
  done
  exit $code
}
trap clean EXIT
for point in $hierarchies; do
  mkdir "$point/$name"
  for file in cpuset.cpus cpuset.mems; do [ ! -e "$point/$file" ] || cat "$point/$file" > "$point/$name/$file"; done
  [ ! -e "$point/cpuset.cpus" ] || echo 1 > "$point/$name/cgroup.clone_children"
  echo $$ > "$point/$name/cgroup.procs"
done
unshare --mount --net --ipc --uts --cgroup --propagation private "$0" --inside "$@"
