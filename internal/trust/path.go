// Package trust answers one question: may a user other than root and the user of this process have
// made, changed or redirected what we are about to use? It asks it of paths and of the process at
// the other end of a socket.
//
// A path is good when nothing on the way to it can be changed by others: each directory, each link
// and the file itself belong to root or to the user of this process, and no other may write to them
// (inode(7), path_resolution(7)).
package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowproof/lab/internal/platform"
)

// ErrUntrusted is in the chain of an error that says who else could have had a hand in something.
var ErrUntrusted = errors.New("not ours alone")

// mostLinks is how many symbolic links one path may lead through, as in the kernel.
const mostLinks = 40

// Path returns nil when only root and the user of this process can have made or changed what lies
// at path. fs.ErrNotExist is in the chain of the error when nothing lies there, though all that
// leads to it is good; ErrUntrusted when others could.
func Path(path string) error { return check(path, os.Geteuid()) }

// File is Path for a regular file that is no link.
func File(path string) error {
	if err := Path(path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is not a regular file", ErrUntrusted, path)
	}
	return err
}

// check walks a path from the root, following links as the kernel does, and looks at
// each thing on the way.
func check(path string, uid int) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at, rest, links := "/", parts(path), 0
	if err := look(at, uid, len(rest) == 0); err != nil {
		return err
	}
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		if err := look(next, uid, len(rest) == 0); err != nil {
			return err
		}
		target, err := os.Readlink(next)
		if err != nil { // no link: look has seen that it is there
			at = next
			continue
		}
		if links++; links > mostLinks {
			return fmt.Errorf("%w: %s leads through too many links", ErrUntrusted, path)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(parts(target), rest...)
	}
	return nil
}

// parts are the names in a path. A ".." stays: where it leads depends on the links before it, which
// are resolved by then.
func parts(path string) []string {
	var names []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// look judges one thing on the way. In a directory with the sticky bit others can add names, but
// not touch ours; that is enough on the way, and too little at its end.
func look(path string, uid int, last bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner, group, ok := platform.Owner(info)
	if !ok {
		return fmt.Errorf("%w: who owns %s is not known", ErrUntrusted, path)
	}
	if owner != 0 && owner != uid {
		return fmt.Errorf("%w: %s belongs to user %d", ErrUntrusted, path, owner)
	}
	mode := info.Mode()
	if mode&fs.ModeSymlink != 0 || mode.IsDir() && mode&fs.ModeSticky != 0 && !last {
		return nil
	}
	others := mode.Perm() & 0o022
	if uid != 0 && group == os.Getegid() {
		others &^= 0o020 // a person's own group
	}
	if others != 0 {
		return fmt.Errorf("%w: others may write to %s (its mode is %04o)", ErrUntrusted, path, mode.Perm())
	}
	return nil
}
