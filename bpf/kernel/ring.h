// Where sys_exit puts its events: a ring of memory of each CPU, which user space has mapped
// (../probe/rings.go). An event is built where it will be read, without a lock, a copy, or a line
// of memory that two CPUs write. Only sys_exit writes here: it runs with preemption off and never
// within itself, and the probes that interrupt it use the ring buffer.
#pragma once

#define DATA 4096 // a power of two: the verifier keeps a bound that is a mask
struct entry {
	__u64 size; // of all of it, a multiple of 8
	struct head head;
	__u8 data[DATA];
};

// Positions count bytes and never fall. What begins at the end of a ring runs on beyond it, and the
// next entry is at the beginning.
struct ring {
	__u64 written;
	__u64 emitted;
	__u64 lost;
	__u64 f_op; // of the files of sockets
	__u64 unused[4];
	__u64 read; // user space writes it: on a line of its own
	__u64 unused2[7];
	__u8 bytes[]; // ring_size, and an entry more
};

// A ring for each CPU. User space says how large a value is.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ring);
} rings SEC(".maps");

const volatile __u64 ring_size = 0; // a power of two, larger than an entry

static __always_inline struct ring *own_ring(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&rings, &cpu);
}

// next_entry is where the next event is to be built; 0 and counted as lost where there is no room
// for the largest.
static __always_inline struct entry *next_entry(struct ring *r)
{
	if (r->written + sizeof(struct entry) - r->read > ring_size) {
		r->lost++;
		return 0;
	}
	return (void *)(r->bytes + (r->written & (ring_size - 1)));
}

// publish gives the entry to user space.
static __always_inline void publish(struct ring *r, struct entry *e)
{
	e->size = (__builtin_offsetof(struct entry, data) + e->head.size + 7) & ~7ull;
	__u64 next = r->written + e->size;
	if ((next ^ r->written) & ~(ring_size - 1))
		next &= ~(ring_size - 1);
	asm volatile("" ::: "memory"); // x86-64 keeps the order of stores, and so must the compiler
	r->written = next;
	r->emitted++;
}
