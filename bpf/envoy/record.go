package envoy

import (
	"encoding/binary"
	"fmt"

	"github.com/flowproof/lab/bpf/probe"
)

// briefSize is the size of struct brief of envoy.bpf.c.
const briefSize = 40

// A Decoder reads the samples of the ring buffer. They have to come in its order: the names of a
// thread come once, before its first event.
type Decoder struct {
	threads map[uint32]probe.Head // the last introduction of each thread
}

// Decode reads one sample; ok is false of one that only introduces a thread. The
// record's Data is a copy.
func (d *Decoder) Decode(sample []byte) (r probe.Record, ok bool, err error) {
	if len(sample) < briefSize {
		return r, false, fmt.Errorf("decode event: %d bytes, and an event has at least %d", len(sample), briefSize)
	}
	if len(sample) == probe.HeadSize && probe.Kind(sample) == thread {
		return r, false, d.introduce(sample)
	}
	order := binary.NativeEndian
	r.Time, r.Value, r.Socket = order.Uint64(sample), order.Uint64(sample[8:]), order.Uint64(sample[16:])
	r.TGID, r.TID, r.NetNS = order.Uint32(sample[24:]), order.Uint32(sample[28:]), order.Uint32(sample[32:])
	r.FD, r.Result, r.Kind, r.Size = -1, int32(order.Uint16(sample[36:])), uint16(sample[38]), uint32(sample[39])
	if r.Kind == Ready {
		r.Size = readySize
	}
	if rest := sample[briefSize:]; int(r.Size) > len(rest) {
		return r, false, fmt.Errorf("decode event: %d bytes of data announced, %d there", r.Size, len(rest))
	}
	r.Data = append([]byte{}, sample[briefSize:briefSize+r.Size]...)
	known := d.threads[r.TID] // of a thread whose introduction was lost, and counted so, the names stay empty
	r.ThreadName, r.ProcessName = known.ThreadName, known.ProcessName
	return r, true, nil
}

func (d *Decoder) introduce(sample []byte) error {
	record, err := probe.Decode(sample)
	if err != nil {
		return err
	}
	if d.threads == nil {
		d.threads = map[uint32]probe.Head{}
	}
	d.threads[record.TID] = record.Head
	return nil
}

// The room for each name of a struct ready of envoy.bpf.c, behind its length.
const (
	endSize     = 64
	clusterSize = 256
	readySize   = (maxWays-1)*(1+endSize) + 1 + clusterSize
)

// Names are the strings of a Ready, in the order of its recipe's ways; one that could
// not be read is empty.
func Names(data []byte) (names [maxWays]string, err error) {
	if len(data) != readySize {
		return names, fmt.Errorf("decode names: %d bytes, and they have %d", len(data), readySize)
	}
	for i := range names {
		room := endSize
		if i == maxWays-1 {
			room = clusterSize
		}
		size := int(data[0])
		if size >= room {
			return names, fmt.Errorf("decode names: %d bytes announced, and there is room for %d", size, room-1)
		}
		names[i], data = string(data[1:1+size]), data[1+room:]
	}
	return names, nil
}

// Arguments are the first six arguments of a Call; fewer where the data is cut off.
func Arguments(data []byte) (arguments []uint64) {
	for ; len(data) >= 8; data = data[8:] {
		arguments = append(arguments, binary.NativeEndian.Uint64(data))
	}
	return arguments
}
