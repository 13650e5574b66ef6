//go:build ignore

// What Envoy itself does, seen by probes on its functions. The programs know no offset of any
// Envoy: recipes, which user space writes, say where a value is and how to make sure that it is
// one.
#include "probe.h"
#include "way.h"

enum kind { KIND_STATEMENT = 1, KIND_VALUE, KIND_DISPATCH, KIND_REQUEST, KIND_READY, KIND_CALL, KIND_THREAD };

// A busy Envoy hits a hundred probes a request, so that an event is as small as can be: what it
// costs is mostly the memory that it touches. The names of its thread come once, in an event of
// KIND_THREAD with a whole head.
struct brief {
	__u64 time; // CLOCK_MONOTONIC, ns
	__u64 value;
	__u64 other;
	__u32 tgid; // in the initial PID namespace
	__u32 tid;
	__u32 netns;
	__u16 id;   // of the recipe
	__u8 kind;
	__u8 size;  // bytes of data after it; 0 of a struct ready
};

#define DATA 256 // a power of two
struct event {
	struct brief brief;
	__u8 data[DATA];
};

// A recipe belongs to one probe, which is named by its cookie. Addresses are as linked; the probe's
// own tells how far away the program is loaded.
#define TABLES 4
#define WAYS 4
struct recipe {
	__u64 probe;            // address of the probe
	__u64 tables[TABLES];   // what the object's first word has to be one of; all 0: not looked at
	__u64 caller_from;      // the return address has to be in [caller_from, caller_to); both 0: not looked at
	__u64 caller_to;
	__u32 kind;             // of the event
	__u32 view;             // the value is a string_view in the second and third argument
	struct way number;      // leads to a number, which an event of KIND_READY has too
	struct way ways[WAYS];  // the value is at the end of the first one; an event of KIND_READY has all that there are
};
const struct recipe *unused_recipe __attribute__((unused));

// A request that is given its connection, with the ends of both connections as Envoy writes them,
// and its cluster. Each is its length and so many bytes; what stands behind them is left over from
// before.
#define END 64 // a power of two; "[ffff:…:ffff]:65535" has 47
struct ready {
	struct brief brief;
	__u8 ends[WAYS - 1][1 + END];
	__u8 cluster[1 + DATA];
};

#define RECIPES 256
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECIPES);
	__type(key, __u32);
	__type(value, struct recipe);
} recipes SEC(".maps");

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

// The thread whose names were told and that ran last on each CPU: mostly it is the same again, and
// to see that costs no helper's call. Another thread may come between two writes here; then tid and
// name do not belong together, and at worst the other map is asked.
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

static __always_inline int same(struct name *a, struct name *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

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

static __always_inline void fill(struct brief *b, __u32 kind, __u32 id, __u64 value, __u64 other,
	struct task_struct *task, __u32 netns)
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

static __always_inline void send(__u32 kind, __u32 id, __u64 value, struct task_struct *task, __u32 netns)
{
	introduce(task, netns);
	struct brief b;
	fill(&b, kind, id, value, 0, task, netns);
	count(bpf_ringbuf_output(&events, &b, sizeof(b), BPF_RB_NO_WAKEUP) ? COUNT_LOST : COUNT_EMITTED);
}

// genuine makes sure that the object is of the class and the caller the function that the recipe is
// for. To read the process's memory is what costs most here.
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

static __always_inline void value_event(struct recipe *r, __u32 id, struct pt_regs *ctx,
	struct task_struct *task, __u32 netns)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count(COUNT_LOST);
		return;
	}
	struct arguments arguments;
	read_arguments(&arguments, ctx);
	fill(&e->brief, r->kind, id, arguments.of[0], 0, task, netns);
	if (r->kind == KIND_CALL) { // where a class's functions are called from, and with what, for finding recipes
		e->brief.other = word(ctx->sp) - (ctx->ip - r->probe);
		*(struct arguments *)e->data = arguments;
		e->brief.size = sizeof(arguments);
	} else if (r->view) {
		e->brief.size = take(e->data, arguments.of[1], arguments.of[2], DATA - 1);
	} else {
		e->brief.size = take_at(e->data, &r->ways[0], &arguments, DATA - 1);
	}
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	count(COUNT_EMITTED);
}

static __always_inline void ready_event(struct recipe *r, __u32 id, struct pt_regs *ctx,
	struct task_struct *task, __u32 netns)
{
	struct ready *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count(COUNT_LOST);
		return;
	}
	struct arguments arguments;
	read_arguments(&arguments, ctx);
	__u64 number = go(&r->number, &arguments);
	fill(&e->brief, r->kind, id, arguments.of[0], number ? word(number) : 0, task, netns);
	for (int i = 0; i < WAYS - 1; i++)
		e->ends[i][0] = take_at(&e->ends[i][1], &r->ways[i], &arguments, END - 1);
	e->cluster[0] = take_at(&e->cluster[1], &r->ways[WAYS - 1], &arguments, DATA - 1);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	count(COUNT_EMITTED);
}

// One program for every recipe. A probe is put on one process, so that nothing has to be asked
// about who hits it.
SEC("uprobe/value")
int value(struct pt_regs *ctx)
{
	__u32 id = bpf_get_attach_cookie(ctx);
	struct recipe *r = bpf_map_lookup_elem(&recipes, &id);
	if (!r || !r->kind || !genuine(r, ctx, ctx->ip - r->probe))
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u32 netns = netns_of(task);
	switch (r->kind) {
	case KIND_VALUE: case KIND_CALL:
		introduce(task, netns);
		value_event(r, id, ctx, task, netns);
		return 0;
	case KIND_READY:
		introduce(task, netns);
		ready_event(r, id, ctx, task, netns);
		return 0;
	}
	send(r->kind, id, ctx->di, task, netns);
	return 0;
}

// Every log statement calls the gate first, at every log level: its return address says which
// statement it is.
SEC("uprobe/gate")
int gate(struct pt_regs *ctx)
{
	__u32 id = bpf_get_attach_cookie(ctx);
	struct recipe *r = bpf_map_lookup_elem(&recipes, &id);
	if (!r)
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	send(KIND_STATEMENT, id, word(ctx->sp) - (ctx->ip - r->probe), task, netns_of(task));
	return 0;
}

// A probe on a statement's own call of the gate costs only those that are wanted. Its cookie says
// which statement it is: the number of the recipe, then the address that the gate returns to.
#define RETURN_BITS 48
SEC("uprobe/site")
int site(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	send(KIND_STATEMENT, cookie >> RETURN_BITS, cookie & ((1ULL << RETURN_BITS) - 1), task, netns_of(task));
	return 0;
}
