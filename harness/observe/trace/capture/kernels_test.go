//go:build linux && amd64

package capture

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/golden"
)

// notUsed are features that are asked for and not used.
var notUsed = []string{"kprobe", "fentry"}

// TestKernelsTable holds the row of the running kernel in docs against what this kernel has. A
// kernel without a row is one that was not written down yet.
func TestKernelsTable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed to ask the kernel")
	}
	const page, part = "../../../../docs/backends.md", "kernels"
	_, table, _ := golden.Between(t, page, part)
	head, row := kernelRow(Features(), release(t))
	rows := strings.Split(strings.TrimSpace(table), "\n")
	name, _, _ := strings.Cut(row, "| ✓")
	name, _, _ = strings.Cut(name, "| –")
	i := slices.IndexFunc(rows, func(r string) bool { return strings.HasPrefix(r, name) })
	if golden.Updating() {
		rows = slices.DeleteFunc(rows, func(r string) bool {
			return !strings.HasPrefix(r, "| Linux") || strings.HasPrefix(r, name)
		})
		rows = append(rows, row)
		slices.Sort(rows)
		golden.Part(t, page, part, head+strings.Join(rows, "\n")+"\n")
		return
	}
	if i < 0 {
		t.Skipf("there is no row for this kernel (go test -run Kernels -update writes it): %s", row)
	}
	if rows[i] != row {
		t.Errorf("the table says\n%s\nand this kernel has\n%s", rows[i], row)
	}
}

// release is the running kernel's version without its patch level and what a distribution adds:
// "6.1".
func release(t *testing.T) string {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(unix.ByteSliceToString(name.Release[:]), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// kernelRow is the table's head, and the row of a kernel that has these features.
func kernelRow(all []Feature, release string) (head, row string) {
	names, line := []string{"kernel"}, []string{"---"}
	cells := []string{"Linux " + release}
	for _, f := range all {
		if slices.Contains(notUsed, f.Name) {
			continue
		}
		name, cell := f.Name, "–"
		if f.Needed {
			name += " (needed)"
		}
		if f.OK {
			cell = "✓"
		}
		names, line, cells = append(names, name), append(line, "---"), append(cells, cell)
	}
	join := func(words []string) string { return "| " + strings.Join(words, " | ") + " |" }
	return join(names) + "\n" + join(line) + "\n", join(cells)
}
