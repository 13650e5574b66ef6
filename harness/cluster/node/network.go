//go:build linux

package node

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var everywhere = &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}

// setUpNetwork makes the node's network in the namespace that it is called in: a loopback and one
// end of a veth pair whose other end has no listener. The default route leads there, so that every
// address has a route (ClusterIPs need one before kube-proxy translates them) and nothing can
// leave.
func setUpNetwork() error {
	if err := linkUp("lo"); err != nil {
		return err
	}
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "node0"}, PeerName: "nowhere"}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make the node's interface: %w (the kernel needs veth)", err)
	}
	for _, name := range []string{"nowhere", "node0"} {
		if err := linkUp(name); err != nil {
			return err
		}
	}
	addr, err := netlink.ParseAddr(nodeAddr.String())
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(veth, addr); err != nil {
		return fmt.Errorf("give the node the address %s: %w", nodeAddr, err)
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: veth.Attrs().Index, Dst: everywhere}); err != nil {
		return fmt.Errorf("add the default route: %w", err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("switch on forwarding: %w", err)
	}
	return refuseOutside()
}

// refuseOutside answers pods "unreachable" for every address that is neither a pod's nor the node's
// own. That says at once that nothing can leave. It also covers Service addresses that kube-proxy
// has not translated yet: without it a pod that starts first would send its SYN into nowhere, and
// conntrack would keep that decision for every retry.
func refuseOutside() error {
	const table = 100
	_, pods, err := net.ParseCIDR(podCIDR)
	if err != nil {
		return err
	}
	for _, route := range []netlink.Route{
		{Dst: pods, Table: table, Type: unix.RTN_THROW}, // as the main table says
		{Dst: everywhere, Table: table, Type: unix.RTN_UNREACHABLE},
	} {
		if err := netlink.RouteAdd(&route); err != nil {
			return fmt.Errorf("refuse what is outside: add route %s: %w", route.Dst, err)
		}
	}
	rule := netlink.NewRule()
	rule.IifName, rule.Table, rule.Priority, rule.Family = "cni0", table, 100, unix.AF_INET
	if err := netlink.RuleAdd(rule); err != nil {
		return fmt.Errorf("refuse what is outside: %w", err)
	}
	return nil
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up interface %s: %w", name, err)
	}
	return nil
}
