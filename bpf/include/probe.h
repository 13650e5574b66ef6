// What all sets of probes share: the ring buffer with its counters, the namespaces that are watched, and the head of
// each event.
#pragma once
#include "core.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

// Network namespaces, by inode number, whose processes and sockets are watched. A process is watched by where it is, not
// by its id: all threads, and also those that start later. Every system call of the machine asks here, so it is an array, which is
// read without a helper's call: a number stands in the slot that its last bits name, or in one of the next ones.
#define NETNSES 1024
#define NETNS_TRIES 4
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NETNSES);
	__type(key, __u32);
	__type(value, __u32);
} netnses SEC(".maps");

// The ring buffer refuses records when it is full and does not count them; so each program does.
enum { COUNT_EMITTED, COUNT_LOST, COUNTERS };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// A program on Envoy can be interrupted or preempted in the middle by one that counts too.
static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);
	if (n)
		__sync_fetch_and_add(n, 1);
}

// The head of an event. Members are ordered so that there is no padding.
struct head {
	__u64 time; // CLOCK_MONOTONIC, ns
	__u64 sk;   // the kernel's socket; what tells two of the same 4-tuple apart
	__u64 value;
	__u32 tgid; // in the initial PID namespace
	__u32 tid;
	__s32 fd;
	__s32 result;
	__u32 netns;
	__u32 size; // bytes of data after the head
	__u16 kind;
	__u16 family;
	__u16 local_port;
	__u16 remote_port;
	__u8 local[16];
	__u8 remote[16];
	char thread[16];  // name of the thread
	char process[16]; // name of its group leader
	__u8 old_state;
	__u8 state;
	__u8 unused[6];
};

static __always_inline __u32 netns_of(struct task_struct *task) { return task->nsproxy->net_ns->ns.inum; }

static __always_inline int watched(__u32 netns)
{
#pragma unroll
	for (int i = 0; i < NETNS_TRIES; i++) {
		__u32 at = (netns + i) % NETNSES;
		__u32 *slot = bpf_map_lookup_elem(&netnses, &at);
		if (!slot || !*slot || *slot == netns)
			return slot && *slot;
	}
	return 0;
}

// copy_name copies a name of 16 bytes by two loads, which cost a tenth of what a helper does.
static __always_inline void copy_name(char *to, const char *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

// begin fills in who and when; the caller has zeroed the head. The task comes from the kernel with its type.
static __always_inline void begin(struct head *h, __u16 kind, struct task_struct *task)
{
	h->time = bpf_ktime_get_ns();
	h->kind = kind;
	h->fd = -1;
	if (!task)
		return;
	h->tgid = task->tgid;
	h->tid = task->pid;
	copy_name(h->thread, task->comm);
	copy_name(h->process, task->group_leader->comm);
}

// A pointer that comes from a program's own arithmetic has no type, so that each member costs a helper's call. Linux 6.2 gives it
// one, and members are plain loads then. Elsewhere the branch with the loads is dead, and the verifier drops it.
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;
#define TYPED(type, pointer) \
	((type *)(bpf_rdonly_cast ? bpf_rdonly_cast(pointer, bpf_core_type_id_kernel(type)) : (void *)(pointer)))
#define GET(pointer, member) \
	({ \
		typeof((pointer)->member) value_; \
		if (bpf_rdonly_cast) \
			value_ = (pointer)->member; \
		else \
			value_ = BPF_CORE_READ(pointer, member); \
		value_; \
	})
