//go:build linux && amd64

package testbed

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the testbed runs is the binary of a process in a pod, which any user of the
// pod can have written. So it runs as a user that nothing else belongs to, without a
// capability and without a way to one, in namespaces of its own: no network but the testbed's, no
// process of others that it may see or signal, and no file of the host's that every user may write.
type confinement struct{ uid uint32 }

// firstUID and manyUIDs are a range of user ids that neither distributions nor containers' mappings
// use; source: systemd's UIDS-GIDS.md.
const (
	firstUID = 0x70000000
	manyUIDs = 0x0ffffffe
)

// confinedBinary is the path of the binary as the confined process sees it: its fourth descriptor.
const confinedBinary = "/proc/self/fd/3"

// confinedEnvironment keeps from it what is in ours.
var confinedEnvironment = []string{"PATH=/usr/bin:/bin"}

// openToAll are directories in which every user of a machine may leave files.
var openToAll = []string{"/tmp", "/var/tmp", "/dev/shm", "/run/lock"}

// confine gives the calling thread, which has to be locked and never to be used again, a mount
// namespace in which those directories are its own, and forbids it to gain privileges
// (PR_SET_NO_NEW_PRIVS, prctl(2)). It returns one of them, which everybody can enter.
func confine() (c confinement, dir string, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return c, "", fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return c, "", fmt.Errorf("make the testbed's mounts its own: %w", err)
	}
	for _, dir := range openToAll {
		err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=16m")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, "", fmt.Errorf("mount %s of the testbed's own: %w", dir, err)
		}
	}
	if err := hideOthers(); err != nil {
		return c, "", fmt.Errorf("hide the processes of others: %w", err)
	}
	return confinement{firstUID + rand.Uint32N(manyUIDs)}, openToAll[0],
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// hideOthers mounts a /proc that has only a user's own processes: the command line of another may
// hold a secret. Kernels before 5.8 know that option of a whole pid namespace alone, so it would
// change the host's, and nothing is done. Source: proc(5), hidepid; Linux commit fa10fed30f25.
func hideOthers() error {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil // before 5.2
	}
	defer unix.Close(fs)
	if unix.FsconfigSetString(fs, "hidepid", "invisible") != nil { // a word that 5.8 brought
		return nil
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return err
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	return unix.MoveMount(mount, "", unix.AT_FDCWD, "/proc", unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// attributes are those of a process that is started on the thread which confine has prepared.
func (c confinement) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true,
		Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid},
		Cloneflags: unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
}

// end kills every process of the confined user, until there is none.
func (c confinement) end() {
	for c.uid != 0 && c.killAll() {
	}
}

// killAll says whether it found one.
func (c confinement) killAll() (found bool) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || !c.owns(dir) {
			continue
		}
		process, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if c.owns(dir) && unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0) == nil {
			// the id may have been another's meanwhile
			found = true
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, int(Timeout.Milliseconds()))
		}
		_ = unix.Close(process)
	}
	return found
}

// owns says whether a process that has not ended is the confined user's. Source of the fields:
// proc_pid_status(5).
func (c confinement) owns(dir string) bool {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	return err == nil && strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", c.uid)) &&
		!strings.Contains(string(status), "\nState:\tZ")
}
