package envoy

import (
	"encoding/binary"
	"fmt"

	"github.com/flowproof/lab/bpf/probe"
)

// briefSize is the size of struct brief of envoy.bpf.c.
const briefSize = 40

// A Decoder reads the samples of the ring buffer. They have to come in its order: the names of a thread come once, before
// its first event.
type Decoder struct {
	threads map[uint32]probe.Head // the last introduction of each thread
}

// Decode reads one sample; ok is false of one that only introduces a thread. The record's Data is a copy.
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
