package configdump

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"sync"
)

// ahead indexes the sections of a large dump on the other processors, from the last one on, while
// the scanner goes through the first ones. Where a section begins is guessed by its type: only what
// begins where the scanner finds a section is taken from here, so that the index is what the
// scanner alone would have made of the same text.
type ahead struct {
	find sync.Once
	done sync.WaitGroup

	mu     sync.Mutex
	parts  []*part
	passed int // where the scanner's last section begins: what stands there or before is its own
}

// A part is one section that is indexed ahead.
type part struct {
	indexer
	start int
	at    *step
	begun bool
	ready chan struct{}
}

// sectionType is how the @type of a section begins, as Envoy writes it.
var sectionType = []byte(`"type.googleapis.com/envoy.admin.v3.`)

// aheadFrom is the size of the smallest dump, in bytes, for which other processors are asked.
const aheadFrom = 4 << 20

// helpersFor is how many other processors are asked for help with a text.
func helpersFor(data []byte) int {
	if len(data) < aheadFrom {
		return 0
	}
	return min(runtime.GOMAXPROCS(0)-1, maxHelpers)
}

// startAhead begins with the sections of a dump; nil where there is no help.
func startAhead(d *Dump, helpers int) *ahead {
	if helpers == 0 {
		return nil
	}
	a := &ahead{passed: -1}
	for range helpers {
		a.done.Go(func() {
			a.find.Do(func() {
				parts := sectionsOf(d)
				a.mu.Lock()
				defer a.mu.Unlock()
				a.parts = parts
			})
			for p := a.last(); p != nil; p = a.last() {
				p.section(p.at)
				close(p.ready)
			}
		})
	}
	return a
}

// Bounds of what is asked for: of processors, and of sections. A dump of ?resource=… has a section
// an element, which is not worth it.
const (
	maxHelpers = 3
	maxParts   = 64
)

// sectionsOf looks for the beginnings of sections in the second half of a text: what begins before
// is the scanner's, which would be there first.
func sectionsOf(d *Dump) []*part {
	var parts []*part
	for from := len(d.data) / 2; len(parts) <= maxParts; {
		n := bytes.Index(d.data[from:], sectionType)
		if n < 0 {
			return parts
		}
		from += n
		before := bytes.TrimRight(d.data[:from], " \t\r\n")
		before, colon := bytes.CutSuffix(before, []byte(":"))
		before, field := bytes.CutSuffix(bytes.TrimRight(before, " \t\r\n"), []byte(`"@type"`))
		before = bytes.TrimRight(before, " \t\r\n")
		from += len(sectionType)
		if colon && field && bytes.HasSuffix(before, []byte("{")) {
			p := &part{indexer: newIndexer(d), at: below(nil, "", 0), ready: make(chan struct{})}
			p.pos, p.depth, p.start = len(before)-1, depthOfSections, len(before)-1
			parts = append(parts, p)
		}
	}
	return nil
}

// depthOfSections is how many brackets are open before a section: the dump and its configs.
const depthOfSections = 2

// last takes the last part that is not begun; nil where there is none that the scanner has not come
// to.
func (a *ahead) last() *part {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range slices.Backward(a.parts) {
		if !p.begun && p.start > a.passed {
			p.begun = true
			return p
		}
	}
	return nil
}

// taken returns the part of the section that begins at a place of the text, where it was begun
// here. Otherwise the section is the scanner's.
func (a *ahead) taken(start int) *part {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	a.passed = start
	n := slices.IndexFunc(a.parts, func(p *part) bool { return p.start == start && p.begun })
	a.mu.Unlock()
	if n < 0 {
		return nil
	}
	p := a.parts[n] // which do not change once they are found
	<-p.ready
	return p
}

// end waits for what was begun, and lets nothing more begin.
func (a *ahead) end() {
	if a == nil {
		return
	}
	a.mu.Lock()
	a.passed = math.MaxInt
	a.mu.Unlock()
	a.done.Wait()
}

// join takes over what was indexed ahead of the section where the scanner stands, whose place is
// at. It is false where that was damaged: then the scanner says how.
func (x *indexer) join(p *part, at *step) bool {
	if p == nil || p.err != nil {
		return false
	}
	*p.at = step{parent: at.parent, index: at.index}
	for kind, all := range p.found.resources {
		x.found.resources[kind] = append(x.found.resources[kind], all...)
	}
	for kind := range p.found.sections {
		x.found.sections[kind] = true
	}
	if p.found.bootstrap.Exists() {
		x.found.bootstrap = p.found.bootstrap
	}
	x.pos = p.pos
	return true
}
