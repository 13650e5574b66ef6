#!/usr/bin/env bash
# Prints what a machine is like, a line for each thing, so that two prints can be compared byte by
# byte:
#
#   hack/fingerprint.sh > before; lab up; lab run inbound; lab down; hack/fingerprint.sh > after; cmp before after
#   hack/fingerprint.sh --check      makes one change of each class, in namespaces of its own where there
#                                    are any, takes it back at once, and fails unless each was seen
#   hack/fingerprint.sh --left-out   what is not looked at, and why
#
# It needs root. Of processes it prints those in its own cgroup namespace: on a machine's own, all.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

# What is left out: a pattern of the lines that sed removes, and why. Each is a thing that changes
# by itself.
left_out='
^sysctl fs/(dentry-state|inode-nr|inode-state): | counts what the kernel has cached
^sysctl fs/(file-nr|aio-nr|quota/.*): | counts what is open
^sysctl fs/binfmt_misc/ | programs of the machine register there by themselves; the node cannot reach it
^sysctl kernel/(ns_last_pid|random/uuid|random/entropy_avail|pty/nr): | counts, or is made anew at each reading
^sysctl kernel/(perf_event_max_sample_rate|perf_cpu_time_max_percent): | the kernel lowers it by itself under load
^sysctl net/(netfilter/)?nf_conntrack_count: | counts connections
^file /dev/(pts/|ptmx) | terminals come and go with their users
^file /run/(utmp|systemd/(inhibit|sessions)/|user/[0-9]+/) | who is logged in
^file /run/(systemd/(journal|units|transient)/|udev/data/) | what the services of the machine write
^module | the kernel loads a module for the first rule, link or file system that needs it, and keeps it
^process [0-9]+ .*fingerprint\.sh | this program itself
'
reasons() { grep -v '^$' <<< "$left_out"; }
if [ "${1:-}" = --left-out ]; then reasons; exit; fi

patterns=()
while IFS= read -r line; do patterns+=(-e "\\#${line%% | *}#d"); done < <(reasons)

lines() { sed "s#^#$1 #"; }

# One value a line; those that cannot be read (some only take what is written) say so by their
# absence.
sysctls() {
  find /proc/sys -type f -readable -print0 | { xargs -0 grep -sH '' || true; } | sed 's#^/proc/sys/#sysctl #'
}
mounts() { cut -d' ' -f4- /proc/self/mountinfo | lines mount; }
links() { ip -o link | sed 's/^[0-9]*: //' | lines link; }
addresses() { ip -o addr | sed -e 's/^[0-9]*: //' -e 's/ *valid_lft.*//' | lines address; }
routes() { { ip route show table all; ip -6 route show table all; } | sed 's/ expires [0-9]*sec//' | lines route; }
rules() { { ip rule; ip -6 rule; } | lines rule; }
netfilter() {
  if command -v nft > /dev/null; then nft -s list ruleset 2> /dev/null | lines nft; fi
  for save in iptables-legacy-save ip6tables-legacy-save; do
    if command -v $save > /dev/null; then
      $save 2> /dev/null | sed -e '/^#/d' -e 's/ \[[0-9]*:[0-9]*\]$//' | lines $save
    fi
  done
}
cgroups() {
  find /sys/fs/cgroup -type d | lines cgroup
  find /sys/fs/cgroup -maxdepth 2 -name release_agent -exec grep -H '' {} + | lines cgroup || true
}
# Names, kinds, owners, modes and device numbers; of regular files also size and time. A folder's
# own time is no matter.
files() {
  find "$@" -xdev \( -type f -printf 'file %p %y %m %U:%G %s %T@\n' -o -type l -printf 'file %p %y %l\n' \
    -o \( -type b -o -type c \) -exec stat -c 'file %n %F %a %u:%g %t:%T' {} + \
    -o -printf 'file %p %y %m %U:%G\n' \) 2> /dev/null || true
}
trees() {
  files /dev /dev/shm /dev/mqueue /run /tmp /var/tmp /sys/fs/bpf
  find /etc -type f -exec cksum {} + | lines etc
  files /etc
  files "${HOME:-/root}" -maxdepth 1 ! -name . ! -name '.*history' ! -name .cache
  files "${HOME:-/root}/.kube"
}
kernel() {
  if [ -e /proc/modules ]; then cut -d' ' -f1 /proc/modules | lines module; fi # a kernel may have none
  grep -sH '' /sys/kernel/uevent_helper /sys/kernel/mm/transparent_hugepage/{enabled,defrag} /sys/kernel/mm/ksm/run \
    /sys/kernel/tracing/{current_tracer,tracing_on,kprobe_events,uprobe_events,set_event} | lines kernel || true
  # Those that cannot be set are counters.
  find /sys/module/*/parameters -type f -perm /222 -exec grep -sH '' {} + | lines kernel || true
  lines swap < /proc/swaps
}
ipc() {
  for what in shm sem msg; do
    tail -n +2 /proc/sysvipc/$what | awk '{print $1, $2, $3}' | lines "ipc $what"
  done
}
# Processes of users: kernel threads have no command line. Process ids are no matter, but how many
# there are is.
processes() {
  local dir words out=""
  for dir in /proc/[0-9]*; do
    words=$(tr '\0' ' ' < "$dir/cmdline") || continue
    [ -n "$words" ] || continue
    # A cgroup namespace shows what is outside of it by paths that lead out.
    if grep -q ':/\.\.' "$dir/cgroup"; then continue; fi
    out+="process $(stat -c %u "$dir") $words"$'\n' || continue
  done 2> /dev/null
  printf '%s' "$out"
}

# fingerprint [CLASS...] prints all classes, or some.
fingerprint() {
  local all class # a class that cannot be printed ends the program: half a print would be equal to another half
  all=$(
    for class in ${*:-sysctls mounts links addresses routes rules netfilter cgroups trees kernel ipc processes}; do
      $class
    done
  )
  sed -E "${patterns[@]}" <<< "$all" | sort
}

if [ "${1:-}" != --check ]; then fingerprint; exit; fi

# The check. What has a namespace is changed in one of its own; the rest is changed on the machine
# and put back at once.
if [ -z "${FINGERPRINT_APART:-}" ]; then
  FINGERPRINT_APART=1 exec unshare --mount --net --ipc --uts --propagation private "$0" --check
fi
ip link set lo up
whole=$(fingerprint)
failed=0
# try CLASS LINE CHANGE BACK: whether a line that begins so differs after the change, and none after
# it was taken back.
try() {
  local before changed after seen=seen
  before=$(fingerprint "$1")
  eval "$3"
  changed=$(fingerprint "$1")
  eval "$4"
  after=$(fingerprint "$1")
  if ! grep -q "^[<>] $2" <<< "$(diff <(echo "$before") <(echo "$changed"))"; then seen="NOT SEEN"; failed=1; fi
  if [ "$before" != "$after" ]; then seen="$seen, but something stayed"; failed=1; fi
  printf '%-24s %s\n' "$2" "$seen"
}
cgroup=$(dirname "$(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs -print -quit)")/flowproof-fingerprint
swappiness=$(cat /proc/sys/vm/swappiness)
try sysctls 'sysctl vm/swappiness' 'echo $(((swappiness + 1) % 100)) > /proc/sys/vm/swappiness' \
  'echo $swappiness > /proc/sys/vm/swappiness'
try sysctls 'sysctl net/ipv4/ip_forward' 'echo 1 > /proc/sys/net/ipv4/ip_forward' \
  'echo 0 > /proc/sys/net/ipv4/ip_forward'
try mounts mount 'mount -t tmpfs none /mnt' 'umount /mnt'
try links link 'ip link add fingerprint0 type veth peer name fingerprint1' 'ip link del fingerprint0'
try addresses address 'ip addr add 192.0.2.1/32 dev lo' 'ip addr del 192.0.2.1/32 dev lo'
try routes route 'ip route add 198.51.100.0/24 dev lo' 'ip route del 198.51.100.0/24 dev lo'
try rules rule 'ip rule add priority 999 table 99' 'ip rule del priority 999 table 99'
if command -v nft > /dev/null; then
  try netfilter nft 'nft add table inet fingerprint' 'nft delete table inet fingerprint'
fi
try cgroups cgroup 'mkdir "$cgroup"' 'rmdir "$cgroup"'
try trees 'file /dev/fingerprint' 'mknod /dev/fingerprint c 1 3' 'rm /dev/fingerprint'
try trees 'file /dev/shm/fingerprint' ': > /dev/shm/fingerprint' 'rm /dev/shm/fingerprint'
try trees 'file /run/fingerprint' 'mkdir /run/fingerprint' 'rmdir /run/fingerprint'
try trees 'file /tmp/fingerprint' 'ln -s x /tmp/fingerprint' 'rm /tmp/fingerprint'
try trees 'etc ' 'echo x > /etc/fingerprint' 'rm /etc/fingerprint'
try kernel swap 'mount --bind /proc/version /proc/swaps' 'umount /proc/swaps'
try ipc 'ipc shm' 'key=$(ipcmk -M 4096 | grep -o "[0-9]*$")' 'ipcrm -m "$key"'
try processes process 'sleep 61234 & pid=$!' 'kill $pid; wait $pid || true'
now=$(fingerprint)
if ! diff <(echo "$whole") <(echo "$now"); then echo "the machine is not as it was"; failed=1; fi
exit $failed
