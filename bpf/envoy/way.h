// Ways to values in a process's memory: from an argument of a function along pointers.
#pragma once

// A way leads from a register along pointers to a std::string.
#define STEPS 5
struct way {
	__u32 from;                // the number of an argument: 0 is the object; ARGUMENTS: there is no such way
	__u32 steps;               // pointers to follow
	__s32 offsets[STEPS + 1];  // of each pointer, then, at the end, of the string
};

static __always_inline __u64 word(__u64 at)
{
	__u64 value = 0;
	bpf_probe_read_user(&value, sizeof(value), (void *)at);
	return value;
}

// Arguments are read one by one, each at its own place: the verifier knows no other way to read
// registers.
#define ARGUMENTS 6
struct arguments {
	__u64 of[ARGUMENTS];
};

static __always_inline void read_arguments(struct arguments *to, volatile struct pt_regs *ctx)
{
	to->of[0] = ctx->di;
	to->of[1] = ctx->si;
	to->of[2] = ctx->dx;
	to->of[3] = ctx->cx;
	to->of[4] = ctx->r8;
	to->of[5] = ctx->r9;
}

// take copies at most max bytes, which is one less than a power of two, and returns how many.
static __always_inline __u32 take(__u8 *to, __u64 from, __u64 n, __u64 max)
{
	if (n > max)
		n = max;
	asm volatile("" : "+r"(n));
	n &= max;
	return n && bpf_probe_read_user(to, n, (void *)from) == 0 ? n : 0;
}

// take_string reads a std::string of libc++: a short one holds its length doubled and its bytes, a
// long one, whose first bit is set, its capacity, its length and a pointer. There has to be room
// for a short one, with any max. To read a process's memory is what costs most here, so that it is
// not done twice.
#define SHORT 23
static __always_inline __u32 take_string(__u8 *to, __u64 at, __u64 max)
{
	__u64 parts[3] = {};
	if (bpf_probe_read_user(parts, sizeof(parts), (void *)at))
		return 0;
	if (parts[0] & 1)
		return take(to, parts[2], parts[1], max);
	__u32 n = (parts[0] & 0xff) >> 1;
	__builtin_memcpy(to, (__u8 *)parts + 1, SHORT);
	return n < SHORT ? n : 0;
}

// go goes a way; 0 where it leads nowhere.
static __always_inline __u64 go(struct way *way, struct arguments *arguments)
{
	__u32 from = way->from;
	if (from >= ARGUMENTS)
		return 0;
	__u64 at = arguments->of[from];
	for (int i = 0; i < STEPS; i++)
		if (i < way->steps && !(at = word(at + way->offsets[i])))
			return 0;
	return at + way->offsets[STEPS];
}

// take_at goes a way and reads the string at its end.
static __always_inline __u32 take_at(__u8 *to, struct way *way, struct arguments *arguments, __u64 max)
{
	__u64 at = go(way, arguments);
	return at ? take_string(to, at, max) : 0;
}
