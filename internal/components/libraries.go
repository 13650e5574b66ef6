package components

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// withLibraries is how the host runs a program that was made for another file system: one that is
// linked statically as it is, another by the loader and with the libraries of its own root, which
// may be newer than the host's. Source: ld.so(8), --library-path.
func withLibraries(root, program string, args ...string) (string, []string, error) {
	loader, err := loaderOf(program)
	if err != nil || loader == "" {
		return program, args, err
	}
	real, err := filepath.EvalSymlinks(filepath.Join(root, loader))
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err == nil && !strings.HasPrefix(real, root+string(filepath.Separator)) {
		err = fmt.Errorf("it leads to %s", real)
	}
	if err != nil {
		return "", nil, fmt.Errorf("find the loader %s of %s: %w", loader, filepath.Base(program), err)
	}
	return real, append([]string{"--library-path", filepath.Dir(real), program}, args...), nil
}

// loaderOf is the loader that a program asks for; empty when it needs none.
func loaderOf(program string) (string, error) {
	f, err := elf.Open(program)
	if _, odd := errors.AsType[*elf.FormatError](err); odd || errors.Is(err, io.EOF) {
		return "", nil // no ELF file, such as a script: it is run as it is
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		text := make([]byte, p.Filesz)
		if _, err := p.ReadAt(text, 0); err != nil {
			return "", fmt.Errorf("read the loader of %s: %w", filepath.Base(program), err)
		}
		return strings.TrimRight(string(text), "\x00"), nil
	}
	return "", nil
}
