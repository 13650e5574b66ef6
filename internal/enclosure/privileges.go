//go:build linux

package enclosure

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// withheld are the privileges that a program with Withhold does not have, nor what it starts, be it
// a privileged container: what they allow has no namespace. Source: capabilities(7).
var withheld = map[uintptr]string{
	unix.CAP_DAC_READ_SEARCH: "opens files by number, past every mount, also where only one file of a file system " +
		"can be seen",
	unix.CAP_SYS_MODULE:    "loads code into the kernel",
	unix.CAP_SYS_RAWIO:     "reads and writes the machine's memory and ports",
	unix.CAP_SYS_BOOT:      "loads another kernel",
	unix.CAP_SYS_TIME:      "sets the machine's clock",
	unix.CAP_SYSLOG:        "reads and clears the kernel's log",
	unix.CAP_SYS_PACCT:     "switches process accounting",
	unix.CAP_MAC_ADMIN:     "changes the security module's policy",
	unix.CAP_MAC_OVERRIDE:  "goes round the security module's policy",
	unix.CAP_AUDIT_CONTROL: "changes the audit rules",
	unix.CAP_AUDIT_READ:    "reads the audit log",
	unix.CAP_WAKE_ALARM:    "wakes the machine",
	unix.CAP_BLOCK_SUSPEND: "keeps the machine awake",
}

// withhold takes the privileges from all that the calling thread starts from now on, for good: no
// program and no container gets back what is not in the bounding set. The bounding set is the
// thread's own, and a child has that of the thread which forked it.
func withhold() error {
	for capability, does := range withheld {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: the kernel does not know it
			return fmt.Errorf("withhold capability %d, which %s: %w", capability, does, err)
		}
	}
	return nil
}
