package kernel

// The kinds of events: enum kind of kernel.bpf.c.
const (
	Accept       uint16 = iota + 1
	OriginalDst         // getsockopt(SO_ORIGINAL_DST); Data is the address
	Bind                //
	Listen              //
	Connect             // Data is the address; Result is -EINPROGRESS where the caller does not wait
	Dup                 // Result is the new descriptor
	SetOption           // Value is level<<32 | option
	Read                // Data are the first bytes
	Peek                // recv(MSG_PEEK): what a listener filter looks at
	Write               //
	Close               //
	Shutdown            //
	Wake                // epoll_wait returned; Data are the struct epoll_event
	Interest            // epoll_ctl; Value is the operation, Data the struct epoll_event
	State               // a TCP state changed
	SendReset           //
	ReceiveReset        //
	Retransmit          //
	Open                // a socket that was open when the probes were attached
	Exec                // a program started
)

// DefaultData is how many bytes of a read or write are looked at: they hold a request line and the
// headers that sidecars add.
const DefaultData = 2048
