package components

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/flowproof/lab/internal/platform"
)

// A lock is an flock(2) on a file: the kernel lets go of it when its holder dies, however it dies.
type lock struct{ f *os.File }

// tryLock takes the lock on path, or returns nil when another holds it. kind says who else may hold
// it.
func tryLock(path string, kind platform.LockKind) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	ours, err := platform.Lock(f, kind)
	if ours {
		return &lock{f}, nil
	}
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return nil, nil
}

// acquire takes the lock on path alone. When another process holds it, waiting is called once with
// that process's id, and acquire waits until it is free or ctx ends.
func acquire(ctx context.Context, path string, waiting func(holder string)) (*lock, error) {
	l, err := tryLock(path, platform.Exclusive)
	if err != nil {
		return nil, err
	}
	if l == nil {
		waiting(holder(path))
		if l, err = block(ctx, path); err != nil {
			return nil, err
		}
	}
	if err := l.sign(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// block waits for the lock in a goroutine of its own, because flock(2) does not know of contexts. A
// goroutine that is given up lets go of the lock as soon as it has it.
func block(ctx context.Context, path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	got := make(chan error, 1)
	go func() {
		got <- platform.LockWait(f, platform.Exclusive)
		if ctx.Err() != nil {
			f.Close()
		}
	}()
	select {
	case err := <-got:
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return &lock{f}, nil
	case <-ctx.Done():
		return nil, stopped(ctx)
	}
}

// sign leaves the holder's process id in the file, for those who wait.
func (l *lock) sign() error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt([]byte(fmt.Sprintf("%d\n", os.Getpid())), 0)
	return err
}

func holder(path string) string {
	data, err := os.ReadFile(path)
	pid := strings.TrimSpace(string(data))
	if err != nil || pid == "" {
		return "another process"
	}
	return "process " + pid
}

func (l *lock) release() { l.f.Close() }
