//go:build ignore

// What the kernel sees of a connection: system calls of the processes in the watched network
// namespaces, socket states, resets and retransmissions. Only tracepoints with BTF are used: they
// need neither kprobes nor a mounted tracefs.
#include "probe.h"
#include "ring.h"

enum kind {
	KIND_ACCEPT = 1, KIND_ORIGINAL_DST, KIND_BIND, KIND_LISTEN, KIND_CONNECT, KIND_DUP, KIND_SET_OPTION,
	KIND_READ, KIND_PEEK, KIND_WRITE, KIND_CLOSE, KIND_SHUTDOWN, KIND_WAKE, KIND_INTEREST, KIND_STATE,
	KIND_SEND_RESET, KIND_RECEIVE_RESET, KIND_RETRANSMIT, KIND_OPEN, KIND_EXEC,
};

const volatile __u32 data_max = 1024;  // of each read and write; 0: none
const volatile __u32 hello_max = 4095; // of what is peeked at, and of TLS handshakes

#define EINPROGRESS 115
#define AF_INET 2
#define AF_INET6 10
#define MSG_PEEK 2
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define SOL_IP 0
#define SOL_IPV6 41
#define SO_ORIGINAL_DST 80 // the same number in both
#define TLS_HANDSHAKE 0x16

// fill_socket fills in a socket's ends, but not its namespace.
static __always_inline void fill_socket(struct head *h, struct sock *sk)
{
	h->sk = (__u64)sk;
	h->family = GET(sk, __sk_common.skc_family);
	h->state = GET(sk, __sk_common.skc_state);
	h->local_port = GET(sk, __sk_common.skc_num);
	h->remote_port = __builtin_bswap16(GET(sk, __sk_common.skc_dport));
	if (h->family == AF_INET) {
		*(__be32 *)h->local = GET(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)h->remote = GET(sk, __sk_common.skc_daddr);
	} else if (h->family == AF_INET6) {
		BPF_CORE_READ_INTO((struct in6_addr *)h->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)h->remote, sk, __sk_common.skc_v6_daddr);
	}
}

static __always_inline __u32 netns_of_socket(struct sock *sk)
{
	struct net *net = GET(sk, __sk_common.skc_net.net);
	return GET(net, ns.inum);
}

static __always_inline int is_socket(struct file *file)
{
	struct inode *inode = GET(file, f_inode);
	return (GET(inode, i_mode) & S_IFMT) == S_IFSOCK;
}

// sock_of is the internet socket that a file is; 0 of any other. The files of all sockets have the
// same functions: once these are known, the inode is left alone, which the system call itself does
// not touch.
static __always_inline struct sock *sock_of(struct file *raw, __u64 *known)
{
	struct file *file = TYPED(struct file, raw);
	__u64 f_op = (__u64)GET(file, f_op);
	if (f_op != *known && !is_socket(file))
		return 0;
	struct socket *socket = TYPED(struct socket, GET(file, private_data));
	struct sock *sk = GET(socket, sk);
	if (!sk)
		return 0;
	*known = f_op;
	__u16 family = GET(sk, __sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 ? sk : 0;
}

static __always_inline struct sock *sock_of_fd(struct task_struct *task, int fd, __u64 *known)
{
	struct fdtable *table = task->files->fdt;
	if (fd < 0 || (__u32)fd >= table->max_fds)
		return 0;
	struct file **files = table->fd, *file;
	struct hlist_head *slot = TYPED(struct hlist_head, &files[fd]);
	file = GET(slot, first);
	return file ? sock_of(file, known) : 0;
}

// take copies n bytes of the program's memory, at most max.
static __always_inline void take(struct entry *e, const void *from, __u64 n, __u32 max)
{
	if (n > max)
		n = max;
	asm volatile("" : "+r"(n)); // otherwise the bound moves to another register and the verifier loses it
	n &= DATA - 1;
	e->head.size = n && bpf_probe_read_user(e->data, n, from) == 0 ? n : 0;
}

#define FIRST 512 // to read so much at once costs little more than to read one byte
#define OPAQUE 16

// wanted is how much is kept of what begins with a byte: of a TLS handshake the whole ClientHello,
// of a message's head, which begins with a capital letter, as much as is wanted. All else says
// nothing by its bytes but what it is, and most of what passes between sidecars is encrypted.
static __always_inline __u32 wanted(__u8 first)
{
	if (first == TLS_HANDSHAKE)
		return hello_max;
	if (first >= 'A' && first <= 'Z' || data_max < OPAQUE)
		return data_max;
	return OPAQUE;
}

// take_bytes copies what was read or written.
static __always_inline void take_bytes(struct entry *e, const void *from, __u64 n)
{
	if (e->head.kind == KIND_PEEK) {
		take(e, from, n, hello_max);
		return;
	}
	if (!data_max)
		return;
	take(e, from, n, FIRST); // where that fails, the first byte is 0
	__u32 max = wanted(e->data[0]);
	if (e->head.size >= max)
		e->head.size = max;
	else if (e->head.size < n)
		take(e, from, n, max);
}

static __always_inline void take_vector(struct entry *e, const struct iovec *vector, __u64 n)
{
	struct iovec first = {};
	bpf_probe_read_user(&first, sizeof(first), vector);
	take_bytes(e, first.iov_base, first.iov_len < n ? first.iov_len : n);
}

static __always_inline void emit_head(struct head *h)
{
	count(bpf_ringbuf_output(&events, h, sizeof(*h), BPF_RB_NO_WAKEUP) ? COUNT_LOST : COUNT_EMITTED);
}

#include "arguments.h"

// One probe at the end of all system calls but close(): the arguments still stand in the registers
// there, so that nothing has to be kept from the beginning.
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	struct call call = {regs->orig_ax, result, {regs->di, regs->si, regs->dx, regs->r10}};
	__u16 kind = kind_of(call.number);
	if (!kind || !worth(&call, kind))
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 netns = netns_of(task);
	if (!watched(netns))
		return 0;
	struct ring *ring = own_ring();
	if (!ring)
		return 0;
	struct sock *sk = 0;
	int fd = fd_of(&call, kind);
	if (kind != KIND_WAKE && !(sk = sock_of_fd(task, fd, &ring->f_op)))
		return 0;
	struct entry *e = next_entry(ring);
	if (!e)
		return 0;
	__builtin_memset(&e->head, 0, sizeof(e->head));
	begin(&e->head, kind, task);
	e->head.netns = netns;
	e->head.fd = fd;
	e->head.result = result;
	if (sk)
		fill_socket(&e->head, sk);
	take_arguments(e, &call);
	publish(ring, e);
	return 0;
}

// A descriptor leads to its socket only until it is closed, and another thread may be given the
// same number before close() has come to its end.
SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long number)
{
	if (number != 3) // close
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 netns = netns_of(task);
	if (!watched(netns))
		return 0;
	__u64 unknown = 0;
	int fd = regs->di;
	struct sock *sk = sock_of_fd(task, fd, &unknown);
	if (!sk)
		return 0;
	struct head h = {};
	begin(&h, KIND_CLOSE, task);
	fill_socket(&h, sk);
	h.netns = netns;
	h.fd = fd;
	emit_head(&h);
	return 0;
}

// State changes happen mostly while a packet is handled, in any process that runs at that moment:
// the socket's own namespace tells whether it is watched.
static __always_inline int of_socket(struct sock *sk, __u16 kind, int old_state, int state)
{
	if (!sk)
		return 0;
	__u32 netns = netns_of_socket(sk);
	if (!watched(netns))
		return 0;
	struct head h = {};
	begin(&h, kind, 0);
	fill_socket(&h, sk);
	h.netns = netns;
	h.old_state = old_state;
	h.state = state;
	emit_head(&h);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock *sk, int old_state, int state)
{
	return of_socket(sk, KIND_STATE, old_state, state);
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(send_reset, struct sock *sk) { return of_socket(sk, KIND_SEND_RESET, 0, 0); }

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(receive_reset, struct sock *sk) { return of_socket(sk, KIND_RECEIVE_RESET, 0, 0); }

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit, struct sock *sk) { return of_socket(sk, KIND_RETRANSMIT, 0, 0); }

// A program starts in a watched namespace: curl, or an Envoy that was restarted.
SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
	__u32 netns = netns_of(task);
	if (!watched(netns))
		return 0;
	struct head h = {};
	begin(&h, KIND_EXEC, task);
	h.netns = netns;
	emit_head(&h);
	return 0;
}

// The sockets that were open before.
SEC("iter/task_file")
int open_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	if (!task || !file)
		return 0;
	__u32 netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum); // a task that ends has none any more
	if (!watched(netns))
		return 0;
	__u64 unknown = 0;
	struct sock *sk = sock_of(file, &unknown);
	if (!sk)
		return 0;
	struct head h = {};
	begin(&h, KIND_OPEN, task);
	fill_socket(&h, sk);
	h.netns = netns;
	h.fd = ctx->fd;
	emit_head(&h);
	return 0;
}
