package components

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// An unpacker writes the files of an image's file system below a directory. Nothing that the image
// says leads out of it.
type unpacker struct {
	root  *os.Root
	modes map[string]fs.FileMode // of folders, which get them last: one may not be writable
	links []hardLink             // whose targets may come later
}

type hardLink struct{ name, target string }

func newUnpacker(dir string) (*unpacker, error) {
	root, err := os.OpenRoot(dir)
	return &unpacker{root: root, modes: map[string]fs.FileMode{}}, err
}

// put writes one entry of a tar file. Devices, sockets and pipes are left out: the node makes its
// own. Set-user-ID bits have no business in a cache directory.
func (u *unpacker) put(name string, h *tar.Header, content io.Reader) error {
	if name == "" {
		return nil
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.root.MkdirAll(name, 0o755); err != nil {
			return err
		}
		u.modes[name] = h.FileInfo().Mode() & (fs.ModePerm | fs.ModeSticky)
	case tar.TypeReg:
		if err := u.file(name, h, content); err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := u.root.Symlink(h.Linkname, name); err != nil {
			return err
		}
	case tar.TypeLink:
		u.links = append(u.links, hardLink{name, path.Clean("/" + h.Linkname)[1:]})
		return nil
	default:
		return nil
	}
	return u.root.Lchown(name, h.Uid, h.Gid)
}

func (u *unpacker) file(name string, h *tar.Header, content io.Reader) error {
	out, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = u.root.Chmod(name, h.FileInfo().Mode().Perm())
	}
	return err
}

// finish makes the hard links and gives the folders their modes.
func (u *unpacker) finish() error {
	for _, l := range u.links {
		if err := u.root.Link(l.target, l.name); err != nil {
			return fmt.Errorf("unpack %s: %w", l.name, err)
		}
	}
	for _, name := range sortedKeys(u.modes) {
		if err := u.root.Chmod(name, u.modes[name]); err != nil {
			return err
		}
	}
	return nil
}
