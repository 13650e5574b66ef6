// Package removal removes directories of the project's own and nothing that is mounted into them. A
// folder of a person's that is bound somewhere below such a directory is no part of it, though
// os.RemoveAll would empty it.
package removal

import "fmt"

// A MountedError says that a directory was not removed, or not wholly, because
// something is mounted at Point.
type MountedError struct{ Dir, Point string }

func (e *MountedError) Error() string {
	return fmt.Sprintf("remove %s: something is mounted on %s (unmount it first: umount %s)", e.Dir, e.Point, e.Point)
}
