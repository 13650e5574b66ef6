package mesh

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"
)

// A Holder is the process that holds a lease, as it says of itself.
type Holder struct {
	ID   string `json:"id"` // of this holding alone
	Host string `json:"host"`
	// start of the machine and its pid namespace: where PID means something
	Machine string `json:"machine,omitempty"`
	PID     int    `json:"pid"`
	// when the process began, in ticks since the machine's start: tells a pid that is used again
	Began string    `json:"began,omitempty"`
	User  string    `json:"user,omitempty"`
	Since time.Time `json:"since"`
}

// String says who holds since when: "root@host, pid 4711, since 01:57:08".
func (h Holder) String() string {
	who := h.Host
	if h.User != "" {
		who = h.User + "@" + h.Host
	}
	return fmt.Sprintf("%s, pid %d, since %s", who, h.PID, h.Since.Local().Format("15:04:05"))
}

func thisHolder() Holder {
	h := Holder{ID: newLeaseID(), PID: os.Getpid(), Machine: machine(), Began: began(os.Getpid()),
		Since: time.Now().UTC().Truncate(time.Second)}
	h.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// alive reports whether the holder is a process of this machine and, if so, whether
// it is still there.
func (h Holder) alive() (here, alive bool) {
	if h.Machine == "" || h.Machine != machine() {
		return false, false
	}
	now := began(h.PID)
	return true, now != "" && now == h.Began
}

// machine names the start of this machine and the pid namespace of this process; ""
// where there is no /proc.
func machine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
}

// began is the start time of a process that is no zombie (proc_pid_stat(5), fields 3 and 22); ""
// where there is none.
func began(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
