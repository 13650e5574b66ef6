// The system calls that are watched, and their arguments.
#pragma once

// kind_of maps the system calls of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl); 0: of no
// interest.
static __always_inline __u16 kind_of(long number)
{
	switch (number) {
	case 0: case 19: case 45: case 47: return KIND_READ;   // read, readv, recvfrom, recvmsg
	case 1: case 20: case 44: case 46: return KIND_WRITE;  // write, writev, sendto, sendmsg
	case 32: case 33: case 292: return KIND_DUP;           // dup, dup2, dup3
	case 42: return KIND_CONNECT;
	case 43: case 288: return KIND_ACCEPT;                 // accept, accept4
	case 48: return KIND_SHUTDOWN;
	case 49: return KIND_BIND;
	case 50: return KIND_LISTEN;
	case 54: return KIND_SET_OPTION;
	case 55: return KIND_ORIGINAL_DST;
	case 232: case 281: return KIND_WAKE;                  // epoll_wait, epoll_pwait
	case 233: return KIND_INTEREST;                        // epoll_ctl
	}
	return 0;
}

struct call {
	long number;
	long result;
	__u64 args[4];
};

// worth refuses at once what says nothing, before anything is looked up.
static __always_inline int worth(struct call *c, __u16 kind)
{
	switch (kind) {
	case KIND_ACCEPT: case KIND_DUP: case KIND_BIND: case KIND_LISTEN:
		return c->result >= 0;
	case KIND_WAKE:
		return c->result > 0;
	case KIND_ORIGINAL_DST:
		return (c->args[1] == SOL_IP || c->args[1] == SOL_IPV6) && c->args[2] == SO_ORIGINAL_DST;
	case KIND_WRITE:
		return c->result > 0;
	}
	return 1;
}

// fd_of is the descriptor that the call is about.
static __always_inline int fd_of(struct call *c, __u16 kind)
{
	switch (kind) {
	case KIND_ACCEPT:
		return c->result;
	case KIND_INTEREST:
		return c->args[2];
	}
	return c->args[0];
}

// take_arguments keeps what the call was given or gave back.
static __always_inline void take_arguments(struct entry *e, struct call *c)
{
	__u64 n = c->result > 0 ? c->result : 0;
	switch (e->head.kind) {
	case KIND_ORIGINAL_DST: // struct sockaddr_in or sockaddr_in6
		if (!c->result)
			take(e, (void *)c->args[3], 28, 28);
		return;
	case KIND_CONNECT:
		take(e, (void *)c->args[1], c->args[2], 28);
		return;
	case KIND_SET_OPTION:
		e->head.value = c->args[1] << 32 | (__u32)c->args[2];
		return;
	case KIND_INTEREST: // struct epoll_event, packed on x86-64: 4 bytes of events, 8 of data
		e->head.value = c->args[1];
		take(e, (void *)c->args[3], 12, 12);
		return;
	case KIND_WAKE:
		take(e, (void *)c->args[1], n * 12, 32 * 12);
		return;
	case KIND_READ:
	case KIND_WRITE:
		break;
	default:
		return;
	}
	if (c->number == 45 && c->args[3] & MSG_PEEK || c->number == 47 && c->args[2] & MSG_PEEK)
		e->head.kind = KIND_PEEK;
	if (!n)
		return;
	switch (c->number) {
	case 19: case 20: // readv, writev
		take_vector(e, (void *)c->args[1], n);
		return;
	case 46: case 47: { // sendmsg, recvmsg
		struct user_msghdr message = {};
		bpf_probe_read_user(&message, sizeof(message), (void *)c->args[1]);
		take_vector(e, message.msg_iov, n);
		return;
	}
	}
	take_bytes(e, (void *)c->args[1], n);
}
