//go:build linux

package netfilter

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A call is a connection that is made in a namespace with a pod's rules, or towards it.
type call struct {
	inbound  bool
	address  string // "own" is the pod's
	port     uint16
	uid, gid int
}

// TestKernel loads rules into the kernel, in a network namespace that stands for the pod, lists
// them with the program that people use, and compares for connections of several users where the
// kernel takes them with what Judge says of the listing. A second namespace is the world outside:
// what comes there is answered.
func TestKernel(t *testing.T) {
	for _, program := range []string{"iptables-restore", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			skipUnlessCI(t, "no "+program+" (install iptables and nftables)")
		}
	}
	if os.Geteuid() != 0 {
		skipUnlessCI(t, "namespaces need root")
	}
	own := netip.MustParseAddr("172.21.206.196")
	iptables, nft := []string{"iptables-save", "-c"}, []string{"nft", "-j", "list", "ruleset"}
	for file, programs := range map[string][2][]string{
		"iptables.save": {{"iptables-restore"}, iptables}, "drops.save": {{"iptables-restore"}, iptables},
		"native.nft": {{"nft", "-f", "-"}, nft}, "maps.nft": {{"nft", "-f", "-"}, nft},
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + file)
			must(t, err)
			where, listing, problem := kernelTakes(own, text, programs[0], programs[1], calls)
			must(t, problem)
			rules, err := Parse(listing)
			must(t, err)
			taken := map[string]int{}
			for i, c := range calls {
				taken[where[i]]++
				if want := judged(rules, c, own); want != where[i] {
					t.Errorf("%+v: judged %s, the kernel takes it to %s", c, want, where[i])
				}
			}
			if len(taken) < 3 {
				t.Errorf("the rules tell too little apart: %v", taken)
			}
		})
	}
}

func skipUnlessCI(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// calls are what the rules tell apart: users, groups, loopback, excluded ports and networks, DNS.
var calls = func() (all []call) {
	users := [][2]int{{1000, 1000}, {0, 0}, {1337, 1337}, {1000, 1337}, {2005, 2005}, {2011, 2011}}
	for _, u := range users {
		for _, address := range []string{"10.96.0.1", "10.96.0.10", "172.30.4.5", "192.168.5.1", "10.96.1.9",
			"127.0.0.1", "own"} {
			for _, port := range []uint16{80, 53, 3306, 5432, 6005, 15008} {
				all = append(all, call{address: address, port: port, uid: u[0], gid: u[1]})
			}
		}
	}
	for _, port := range []uint16{80, 22, 8080, 9000, 9005, 9010, 9011, 15008, 15020, 15021, 15090, 7777} {
		all = append(all, call{inbound: true, address: "own", port: port})
	}
	return all
}()

// judged says where Judge takes a connection, in the words of kernelTakes.
func judged(rules *Ruleset, c call, own netip.Addr) string {
	to := netip.AddrPortFrom(netip.MustParseAddr(strings.ReplaceAll(c.address, "own", own.String())), c.port)
	v := rules.Judge(Packet{Destination: to, Inbound: c.inbound, Own: []netip.Addr{own},
		Sender: Sender{c.uid, c.gid, true}})
	if v.Dropped {
		return "dropped"
	}
	if v.Target != "" {
		to = netip.AddrPortFrom(to.Addr(), v.Port)
		if v.To.IsValid() {
			to = netip.AddrPortFrom(v.To, v.Port)
		} else if v.Target == "REDIRECT" {
			to = netip.AddrPortFrom(own, v.Port)
		}
		if v.Target == "TPROXY" {
			return strconv.Itoa(int(v.Port))
		}
	}
	switch port := to.Port(); {
	case to.Addr() != own && !to.Addr().IsLoopback():
		return "outside"
	case port == 80:
		return "application"
	case port == 15001 || port == 15006 || port == 15053:
		return strconv.Itoa(int(port))
	}
	return "refused"
}

// kernelTakes loads the rules, lists them, makes the connections and returns what answered each: a
// port of the proxy's, the application on port 80, the world outside, or "refused"; "dropped" where
// there is no answer at all.
func kernelTakes(own netip.Addr, text []byte, load, list []string,
	calls []call) (where []string, listing string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// and never unlocked: the thread ends with the goroutine, and the namespace with the thread
		runtime.LockOSThread()
		pod, world, problem := namespaces(own)
		if err = problem; err != nil {
			return
		}
		defer pod.Close()
		defer world.Close()
		if err = serveIn(world, map[string]string{"0.0.0.0:1": "outside"}); err != nil {
			return
		}
		if _, err = run("table ip world {\n chain pre {\n type nat hook prerouting priority -100;\n meta l4proto tcp "+
			"redirect to :1\n }\n}\n", "nft", "-f", "-"); err != nil {
			return
		}
		if err = serveIn(pod, map[string]string{"0.0.0.0:15001": "15001", "0.0.0.0:15006": "15006",
			"0.0.0.0:15053": "15053", "0.0.0.0:80": "application"}); err != nil {
			return
		}
		if _, err = run(string(text), load...); err != nil {
			return
		}
		if listing, err = run("", list...); err != nil {
			return
		}
		where = make([]string, len(calls))
		queue := make(chan int, len(calls))
		for i := range calls {
			queue <- i
		}
		close(queue)
		var asked sync.WaitGroup
		for range 24 { // for each connection that is dropped is waited for
			asked.Go(func() {
				runtime.LockOSThread() // as above
				for i := range queue {
					c := calls[i]
					from := pod
					if c.inbound {
						from = world
					}
					if err := netns.Set(from); err != nil {
						where[i] = err.Error()
						continue
					}
					address := netip.MustParseAddr(strings.ReplaceAll(c.address, "own", own.String()))
					to := netip.AddrPortFrom(address, c.port)
					if where[i] = ask(to, c.uid, c.gid); where[i] == "dropped" {
						// two of one source port fall together where the world redirects them
						where[i] = ask(to, c.uid, c.gid)
					}
				}
			})
		}
		asked.Wait()
	}()
	<-done
	return where, listing, err
}

func run(input string, command ...string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", command[0], err, out)
	}
	return string(out), nil
}

// namespaces makes the pod's and the world's namespace with a cable between them. The world owns
// every address of IPv4.
func namespaces(own netip.Addr) (pod, world netns.NsHandle, err error) {
	if world, err = netns.New(); err != nil {
		return pod, world, err
	}
	if pod, err = netns.New(); err != nil {
		return pod, world, err
	}
	cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0",
		PeerNamespace: netlink.NsFd(world)}
	if err = netlink.LinkAdd(cable); err != nil {
		return pod, world, fmt.Errorf("make cable: %w", err)
	}
	rule := netlink.NewRule()
	rule.Mark, rule.Table = 0x539, 133 // as Istio has it for TPROXY
	anywhere := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	if err = errors.Join(address("eth0", own.String()+"/16"), netlink.RuleAdd(rule),
		route(&netlink.Route{Dst: anywhere, Gw: gateway(own)}, "eth0"),
		route(&netlink.Route{Dst: anywhere, Table: 133, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST},
			"lo")); err != nil {
		return pod, world, fmt.Errorf("set up the pod's network: %w", err)
	}
	if err = netns.Set(world); err != nil {
		return pod, world, err
	}
	if err = errors.Join(address("eth0", gateway(own).String()+"/16"),
		route(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4(10, 96, 0, 0), Mask: net.CIDRMask(16, 32)},
			Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}, "lo"),
		route(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4(172, 30, 0, 0), Mask: net.CIDRMask(16, 32)},
			Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}, "lo"),
		route(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4(192, 168, 0, 0), Mask: net.CIDRMask(16, 32)},
			Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}, "lo")); err != nil {
		return pod, world, fmt.Errorf("set up the world's network: %w", err)
	}
	return pod, world, nil
}

// gateway is the world's address on the cable.
func gateway(own netip.Addr) net.IP {
	a := own.As4()
	return net.IPv4(a[0], a[1], 255, 254)
}

// address brings up loopback and an interface with an address.
func address(name, cidr string) error {
	for _, n := range []string{"lo", name} {
		link, err := netlink.LinkByName(n)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
		if n == "lo" {
			continue
		}
		addr, err := netlink.ParseAddr(cidr)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	return nil
}

func route(r *netlink.Route, device string) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	r.LinkIndex = link.Attrs().Index
	return netlink.RouteAdd(r)
}

// serveIn enters a namespace and listens there; each client is told the name of where it came. The
// sockets are transparent, so that TPROXY can hand connections to them.
func serveIn(ns netns.NsHandle, names map[string]string) error {
	if err := netns.Set(ns); err != nil {
		return err
	}
	for address, name := range names {
		to := netip.MustParseAddrPort(address)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.Bind(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}), unix.Listen(fd, 64))
		file := os.NewFile(uintptr(fd), address)
		if err != nil {
			return errors.Join(fmt.Errorf("listen on %s: %w", address, err), file.Close())
		}
		l, err := net.FileListener(file)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		go func() { // until its namespace is gone
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte(name))
				conn.Close()
			}
		}()
	}
	return nil
}

// ask connects as a user, from the namespace of the thread, and returns what the other
// end says of itself.
func ask(to netip.AddrPort, uid, gid int) string {
	_ = unix.Setfsgid(gid) // the owner of a socket is the thread's file system user
	_ = unix.Setfsuid(uid)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	_ = unix.Setfsuid(0)
	_ = unix.Setfsgid(0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(time.Second))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	switch err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); {
	case errors.Is(err, unix.ECONNREFUSED):
		return "refused"
	case errors.Is(err, unix.EINPROGRESS), errors.Is(err, unix.ETIMEDOUT), errors.Is(err, unix.ECONNRESET),
		errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EPERM):
		return "dropped"
	case err != nil:
		return err.Error()
	}
	answer := make([]byte, 64)
	n, err := unix.Read(fd, answer)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(answer[:n]))
}
