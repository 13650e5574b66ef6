// Package platform has what each operating system does in a way of its own, and nothing else: locks
// on files, owners of files, process groups, free space, and who is at the other end of a socket.
// What an operating system cannot do is ErrUnsupported.
package platform

import (
	"errors"
	"io/fs"
)

// ErrUnsupported says that this operating system has no such thing.
var ErrUnsupported = errors.New("not possible on this operating system")

// A LockKind says who else may hold a lock at the same time.
type LockKind int

// The kinds of lock.
const (
	Exclusive LockKind = iota // one holder
	Shared                    // any number of holders that share it
)

// A Peer is the process at the other end of a socket.
type Peer struct {
	UID int // user id
	PID int // process id; 0 where the operating system does not say
}

// An Identity tells files of one file system apart. It is zero where the operating
// system does not say.
type Identity struct {
	Inode uint64
	Links uint64 // names that the file has
	Size  int64  // bytes that it takes on the disk
}

// Owner returns the ids of the user and the group that a file belongs to, and false where the
// operating system has no such ids.
func Owner(info fs.FileInfo) (uid, gid int, ok bool) { return owner(info) }

// Identify returns what tells a file from others.
func Identify(info fs.FileInfo) Identity { return identify(info) }
