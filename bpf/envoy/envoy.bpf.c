//go:build ignore

// What Envoy itself does, seen by probes on its functions. The programs know no offset of any Envoy: recipes, which user
// space writes, say where a value is and how to make sure that it is one.
#include "probe.h"

enum kind { KIND_STATEMENT = 1, KIND_VALUE, KIND_DISPATCH, KIND_REQUEST, KIND_READY, KIND_WRITE, KIND_CALL, KIND_THREAD };

// A busy Envoy hits a hundred probes a request, so that an event is as small as can be: what it costs is mostly the memory that it
// touches. The names of its thread come once, in an event of KIND_THREAD with a whole head.
struct brief {
	__u64 time; // CLOCK_MONOTONIC, ns
	__u64 value;
	__u64 other;
	__u32 tgid; // in the initial PID namespace
	__u32 tid;
	__u32 netns;
	__u16 id;   // of the recipe
	__u8 kind;
	__u8 size;  // bytes of data after it
};

#define DATA 256 // a power of two
struct event {
	struct brief brief;
	__u8 data[DATA];
};

// A recipe belongs to one probe, which is named by its cookie. Addresses are as linked; the probe's own tells how far
// away the program is loaded.
#define TABLES 4
#define STEPS 3
struct recipe {
	__u64 probe;            // address of the probe
	__u64 tables[TABLES];   // what the object's first word has to be one of; all 0: not looked at
	__u64 caller_from;      // the return address has to be in [caller_from, caller_to); both 0: not looked at
	__u64 caller_to;
	__u32 kind;             // of the event
	__u32 steps;            // pointers to follow from the object
	__u32 offsets[STEPS];   // of each pointer, then of the string
	__u32 string;           // 1: a std::string at the last offset; 2: a string_view in the second and third argument
};
const struct recipe *unused_recipe __attribute__((unused));

#define RECIPES 256
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECIPES);
	__type(key, __u32);
	__type(value, struct recipe);
} recipes SEC(".maps");

// Threads on which a request has just been given a connection: the next write is the request's.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} given SEC(".maps");

// Threads whose names were told, and by which name.
struct name {
	__u64 half[2];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct name);
} threads SEC(".maps");

// The thread whose names were told and that ran last on each CPU: mostly it is the same again, and to see that costs no
// helper's call. Another thread may come between two writes here; then tid and name do not belong together, and at worst the
// other map is asked.
struct last {
	struct name name;
	__u64 tid;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct last);
} last SEC(".maps");

static __always_inline int same(struct name *a, struct name *b) { return a->half[0] == b->half[0] && a->half[1] == b->half[1]; }

// introduce tells the thread's names, unless they were told. It counts as no event.
static __always_inline void introduce(struct task_struct *task, __u32 netns)
{
	__u32 zero = 0, tid = task->pid;
	struct name name;
	struct last *here = bpf_map_lookup_elem(&last, &zero);
	copy_name((char *)&name, task->comm);
	if (!here || here->tid == tid && same(&here->name, &name))
		return;
	struct name *told = bpf_map_lookup_elem(&threads, &tid);
	if (!told || !same(told, &name)) {
		struct head h = {};
		begin(&h, KIND_THREAD, task);
		h.netns = netns;
		if (bpf_ringbuf_output(&events, &h, sizeof(h), BPF_RB_NO_WAKEUP)) {
			count(COUNT_LOST);
			return;
		}
		bpf_map_update_elem(&threads, &tid, &name, BPF_ANY);
	}
	here->name = name;
	here->tid = tid;
}

static __always_inline void fill(struct brief *b, __u32 kind, __u32 id, __u64 value, __u64 other, struct task_struct *task, __u32 netns)
{
	b->time = bpf_ktime_get_ns();
	b->value = value;
	b->other = other;
	b->tgid = task->tgid;
	b->tid = task->pid;
	b->netns = netns;
	b->id = id;
	b->kind = kind;
	b->size = 0;
}

static __always_inline void send(__u32 kind, __u32 id, __u64 value, __u64 other, struct task_struct *task, __u32 netns)
{
	introduce(task, netns);
	struct brief b;
	fill(&b, kind, id, value, other, task, netns);
	count(bpf_ringbuf_output(&events, &b, sizeof(b), BPF_RB_NO_WAKEUP) ? COUNT_LOST : COUNT_EMITTED);
}

static __always_inline __u64 word(__u64 at)
{
	__u64 value = 0;
	bpf_probe_read_user(&value, sizeof(value), (void *)at);
	return value;
}

// genuine makes sure that the object is of the class and the caller the function that the recipe is for. To read the
// process's memory is what costs most here.
static __always_inline int genuine(struct recipe *r, struct pt_regs *ctx, __u64 load)
{
	if (r->caller_to) {
		__u64 caller = word(ctx->sp) - load;
		if (caller < r->caller_from || caller >= r->caller_to)
			return 0;
	}
	if (!r->tables[0])
		return 1;
	__u64 table = word(ctx->di) - load;
	for (int i = 0; i < TABLES; i++)
		if (r->tables[i] && r->tables[i] == table)
			return 1;
	return 0;
}

static __always_inline void take(struct event *e, __u64 from, __u64 n)
{
	if (n > DATA - 1)
		n = DATA - 1;
	asm volatile("" : "+r"(n));
	n &= DATA - 1;
	if (n && bpf_probe_read_user(e->data, n, (void *)from) == 0)
		e->brief.size = n;
}

// take_string reads a std::string of libc++: a short one holds its length doubled and its bytes, a long one, whose
// first bit is set, its capacity, its length and a pointer.
static __always_inline void take_string(struct event *e, __u64 at)
{
	__u64 parts[3] = {};
	bpf_probe_read_user(parts, sizeof(parts), (void *)at);
	if (parts[0] & 1)
		take(e, parts[2], parts[1]);
	else
		take(e, at + 1, (parts[0] & 0xff) >> 1);
}

static __always_inline void take_value(struct event *e, struct recipe *r, struct pt_regs *ctx, __u64 object)
{
	if (r->string == 2) {
		take(e, ctx->si, ctx->dx);
		return;
	}
	__u64 at = object;
	for (int i = 0; i < STEPS - 1; i++)
		if (i < r->steps)
			at = word(at + r->offsets[i]);
	take_string(e, at + r->offsets[STEPS - 1]);
}

// One program for every recipe: what it reads of the arguments is the object (the first one) and maybe a string. A probe
// is put on one process, so that nothing has to be asked about who hits it.
SEC("uprobe/value")
int value(struct pt_regs *ctx)
{
	__u32 id = bpf_get_attach_cookie(ctx);
	struct recipe *r = bpf_map_lookup_elem(&recipes, &id);
	if (!r || !r->kind)
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u32 tid = task->pid, netns;
	__u64 object = ctx->di, load = ctx->ip - r->probe, whose = 0;
	if (r->kind == KIND_WRITE) { // only the first one after a request was given its connection
		__u64 *request = bpf_map_lookup_elem(&given, &tid);
		if (!request)
			return 0;
		whose = *request;
	}
	if (!genuine(r, ctx, load))
		return 0;
	netns = netns_of(task);
	switch (r->kind) {
	case KIND_READY:
		bpf_map_update_elem(&given, &tid, &object, BPF_ANY);
		break;
	case KIND_WRITE:
		bpf_map_delete_elem(&given, &tid);
		break;
	case KIND_DISPATCH: // the thread turns to another connection
		if (bpf_map_lookup_elem(&given, &tid))
			bpf_map_delete_elem(&given, &tid);
		break;
	case KIND_CALL: // where a class's functions are called from, for finding recipes
		whose = word(ctx->sp) - load;
		break;
	case KIND_VALUE: {
		introduce(task, netns);
		struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
		if (!e) {
			count(COUNT_LOST);
			return 0;
		}
		fill(&e->brief, KIND_VALUE, id, object, 0, task, netns);
		take_value(e, r, ctx, object);
		bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
		count(COUNT_EMITTED);
		return 0;
	}
	}
	send(r->kind, id, object, whose, task, netns);
	return 0;
}

// Every log statement calls the gate first, whatever the log level: its return address says which statement it is.
SEC("uprobe/gate")
int gate(struct pt_regs *ctx)
{
	__u32 id = bpf_get_attach_cookie(ctx);
	struct recipe *r = bpf_map_lookup_elem(&recipes, &id);
	if (!r)
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	send(KIND_STATEMENT, id, word(ctx->sp) - (ctx->ip - r->probe), 0, task, netns_of(task));
	return 0;
}
