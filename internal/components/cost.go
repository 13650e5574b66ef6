package components

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/flowproof/lab/internal/platform"
)

// A Cost is what the programs took that made an entry: compilers, linkers, debootstrap, containerd.
type Cost struct {
	User   time.Duration `json:"userNanoseconds,omitempty"`
	System time.Duration `json:"systemNanoseconds,omitempty"`
	Peak   int64         `json:"peakBytes,omitempty"` // of memory, of the largest process alone
}

// A meter adds up the cost of programs that run at the same time.
type meter struct {
	mu   sync.Mutex
	cost Cost
}

type meterKey struct{}

// metered is a context in which the cost of programs is counted.
func metered(ctx context.Context) (context.Context, *meter) {
	m := &meter{}
	return context.WithValue(ctx, meterKey{}, m), m
}

// spent counts what a program has taken that ended, with all processes that it waited for.
func spent(ctx context.Context, p *os.ProcessState) {
	m, ok := ctx.Value(meterKey{}).(*meter)
	if !ok || p == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cost.User += p.UserTime()
	m.cost.System += p.SystemTime()
	m.cost.Peak = max(m.cost.Peak, platform.PeakMemory(p))
}

// total is the cost until now.
func (m *meter) total() Cost {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cost
}
