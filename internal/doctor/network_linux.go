package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// inNewNetwork runs work in a network namespace that ends with it. The thread is given up with the
// goroutine, because it must never come back into the host's namespace with half of it changed.
func inNewNetwork(work func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		ns, err := netns.New()
		if err != nil {
			done <- fmt.Errorf("make a network namespace: %w", err)
			return
		}
		defer ns.Close()
		done <- work()
	}()
	return <-done
}

func findDevices(context.Context) (string, error) {
	return "veth and bridge", inNewNetwork(func() error {
		bridge := netlink.NewLinkAttrs()
		bridge.Name = "doctor-br"
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: bridge}); err != nil {
			return fmt.Errorf("make a bridge: %w", err)
		}
		end := netlink.NewLinkAttrs()
		end.Name = "doctor-a"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: end, PeerName: "doctor-b"}); err != nil {
			return fmt.Errorf("make a veth pair: %w", err)
		}
		return nil
	})
}

// iptInfo is IPT_SO_GET_INFO of linux/netfilter_ipv4/ip_tables.h, whose answer for the table nat
// says that the kernel has it.
const iptInfo = 64

// findNetfilter looks for either of the two netfilters that iptables can use: nf_tables over
// netlink, or ip_tables.
func findNetfilter(context.Context) (string, error) {
	how := ""
	err := inNewNetwork(func() error {
		if nftables() == nil {
			how = "nf_tables"
			return nil
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return fmt.Errorf("open a raw socket: %w", err)
		}
		defer unix.Close(fd)
		// The answer does not fit into what the call gives room for; any other refusal means
		// that there is no table.
		if _, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, iptInfo); errors.Is(err, unix.ENOPROTOOPT) {
			return errors.New("the kernel has neither nf_tables nor ip_tables")
		}
		how = "ip_tables"
		return nil
	})
	return how, err
}

// nftables asks nf_tables for its generation; source: linux/netfilter/nf_tables.h, NFT_MSG_GETGEN.
func nftables() error {
	const nfnlSubsysNftables, nftMsgGetGen = 10, 16
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const length = unix.SizeofNlMsghdr + 4 // and nfgenmsg
	message := make([]byte, length)
	message[0] = length
	message[4], message[5] = nftMsgGetGen, nfnlSubsysNftables
	message[6] = unix.NLM_F_REQUEST
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < 6 || answer[4] == unix.NLMSG_ERROR && answer[5] == 0 {
		return errors.New("nf_tables did not answer")
	}
	return nil
}

// findSockDestroy ends a connection of its own on loopback, in a network namespace of its own.
func findSockDestroy(context.Context) (string, error) {
	return "connections can be ended", inNewNetwork(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			return err
		}
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close()
		// A dialler with several addresses dials in goroutines of its own, hence in other threads;
		// one address does not.
		conn, err := net.DialTCP("tcp4", nil, listener.Addr().(*net.TCPAddr))
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := netlink.SocketDestroy(conn.LocalAddr(), conn.RemoteAddr()); err != nil {
			return fmt.Errorf("end a connection: %w", err)
		}
		return nil
	})
}
