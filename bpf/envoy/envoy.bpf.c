//go:build ignore

// What Envoy itself does, seen by probes on its functions. The programs know no offset of any Envoy: recipes, which user
// space writes, say where a value is and how to make sure that it is one.
#include "probe.h"

enum kind { KIND_STATEMENT = 1, KIND_VALUE, KIND_DISPATCH, KIND_REQUEST, KIND_READY, KIND_WRITE, KIND_CALL };

#define DATA 256 // a power of two
struct event {
	struct head head;
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

// start reserves a record for a value; finish sends it.
static __always_inline struct event *start(__u32 kind, __u64 object, struct task_struct *task, __u32 netns)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count(COUNT_LOST);
		return 0;
	}
	__builtin_memset(&e->head, 0, sizeof(e->head));
	begin(&e->head, kind, task);
	e->head.netns = netns;
	e->head.value = object;
	return e;
}

static __always_inline void finish(struct event *e)
{
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	count(COUNT_EMITTED);
}

static __always_inline void send(__u32 kind, __u32 id, __u64 object, __u64 other, struct task_struct *task, __u32 netns)
{
	struct head h = {};
	begin(&h, kind, task);
	h.netns = netns;
	h.value = object;
	h.sk = other;
	h.result = id;
	count(bpf_ringbuf_output(&events, &h, sizeof(h), BPF_RB_NO_WAKEUP) ? COUNT_LOST : COUNT_EMITTED);
}

static __always_inline __u64 word(__u64 at)
{
	__u64 value = 0;
	bpf_probe_read_user(&value, sizeof(value), (void *)at);
	return value;
}

// genuine makes sure that the object is of the class and the caller the function that the recipe is for.
static __always_inline int genuine(struct recipe *r, __u64 object, __u64 caller, __u64 load)
{
	if (r->caller_to && (caller - load < r->caller_from || caller - load >= r->caller_to))
		return 0;
	if (!r->tables[0])
		return 1;
	__u64 table = word(object) - load;
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
		e->head.size = n;
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

// One program for every recipe: what it reads of the arguments is the object (the first one) and maybe a string.
SEC("uprobe/value")
int value(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u32 netns = netns_of(task), id = bpf_get_attach_cookie(ctx), tid = task->pid;
	if (!watched(netns))
		return 0;
	struct recipe *r = bpf_map_lookup_elem(&recipes, &id);
	if (!r || !r->kind)
		return 0;
	__u64 object = ctx->di, caller = word(ctx->sp), load = ctx->ip - r->probe;
	if (!genuine(r, object, caller, load))
		return 0;
	switch (r->kind) {
	case KIND_READY:
		bpf_map_update_elem(&given, &tid, &object, BPF_ANY);
		break;
	case KIND_WRITE: { // only the first one after a request was given its connection
		__u64 *request = bpf_map_lookup_elem(&given, &tid);
		if (!request)
			return 0;
		__u64 whose = *request;
		bpf_map_delete_elem(&given, &tid);
		send(KIND_WRITE, id, object, whose, task, netns);
		return 0;
	}
	case KIND_DISPATCH: // the thread turns to another connection
		bpf_map_delete_elem(&given, &tid);
		break;
	case KIND_CALL: // where a class's functions are called from, for finding recipes
		send(KIND_CALL, id, object, caller - load, task, netns);
		return 0;
	case KIND_VALUE: {
		struct event *e = start(KIND_VALUE, object, task, netns);
		if (!e)
			return 0;
		e->head.result = id;
		take_value(e, r, ctx, object);
		finish(e);
		return 0;
	}
	}
	send(r->kind, id, object, 0, task, netns);
	return 0;
}

// Every log statement calls the gate first, whatever the log level: its return address says which statement it is.
SEC("uprobe/gate")
int gate(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u32 netns = netns_of(task), id = bpf_get_attach_cookie(ctx);
	if (!watched(netns))
		return 0;
	struct recipe *r = bpf_map_lookup_elem(&recipes, &id);
	if (r)
		send(KIND_STATEMENT, id, word(ctx->sp) - (ctx->ip - r->probe), 0, task, netns);
	return 0;
}
