package envoy

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/flowproof/lab/bpf/probe"
)

// introduction and brief are samples as the programs write them.
func introduction(tid uint32, name, process string) []byte {
	b := make([]byte, probe.HeadSize)
	binary.NativeEndian.PutUint32(b[28:], tid)
	binary.NativeEndian.PutUint16(b[48:], thread)
	copy(b[88:104], name)
	copy(b[104:120], process)
	return b
}

func brief(kind uint16, tid uint32, data string, reserved int) []byte {
	b := make([]byte, briefSize+reserved)
	for i, v := range []uint64{1, 2, 3} {
		binary.NativeEndian.PutUint64(b[8*i:], v)
	}
	for i, v := range []uint32{4, tid, 5} {
		binary.NativeEndian.PutUint32(b[24+4*i:], v)
	}
	binary.NativeEndian.PutUint16(b[36:], 6)
	b[38], b[39] = byte(kind), byte(len(data))
	copy(b[briefSize:], data)
	return b
}

func TestDecode(t *testing.T) {
	var d Decoder
	for _, sample := range [][]byte{introduction(7, "early", "envoy"), introduction(8, "main", "cat"),
		introduction(7, "wrk:worker_0", "envoy")} {
		if _, ok, err := d.Decode(sample); ok || err != nil {
			t.Fatalf("an introduction passes for an event (%v) or fails: %v", ok, err)
		}
	}
	r, ok, err := d.Decode(brief(Value, 7, "outbound", 256))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	want := probe.Head{Time: 1, Value: 2, Socket: 3, TGID: 4, TID: 7, NetNS: 5, Result: 6, FD: -1, Kind: Value, Size: 8,
		ThreadName:  [16]byte([]byte("wrk:worker_0\x00\x00\x00\x00")),
		ProcessName: [16]byte([]byte("envoy\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))}
	if r.Head != want || string(r.Data) != "outbound" {
		t.Errorf("got %+v %q, want %+v", r.Head, r.Data, want)
	}
	if r, ok, err := d.Decode(brief(Statement, 9, "", 0)); err != nil || !ok || r.Thread() != "" {
		t.Errorf("of a thread that was not introduced: %q, %v, %v", r.Thread(), ok, err)
	}
	damaged := brief(Value, 7, "outbound", 4)
	for _, sample := range [][]byte{nil, damaged[:briefSize-1], damaged} {
		if _, ok, err := d.Decode(sample); err == nil || ok {
			t.Errorf("%d bytes pass for an event", len(sample))
		}
	}
}

func TestNames(t *testing.T) {
	want := [maxWays]string{"172.21.206.198:56876", "", "[2001:db8::1]:443",
		"outbound|8080||" + strings.Repeat("a", 200)}
	var data []byte
	for i, name := range want {
		room := make([]byte, 1+map[bool]int{false: endSize, true: clusterSize}[i == maxWays-1])
		room[0] = byte(len(name))
		copy(room[1:], name+"left over")
		data = append(data, room...)
	}
	if names, err := Names(data); err != nil || names != want {
		t.Errorf("read %q, %v", names, err)
	}
	if _, err := Names(data[1:]); err == nil {
		t.Error("names that are cut off are read")
	}
	data[0] = endSize
	if _, err := Names(data); err == nil {
		t.Error("a name that is longer than its room is read")
	}
	sample := append(brief(Ready, 7, "", 0), data...)
	if r, ok, err := new(Decoder).Decode(sample); err != nil || !ok || len(r.Data) != readySize {
		t.Errorf("decoded %d bytes of names, %v, %v", len(r.Data), ok, err)
	}
	if _, _, err := new(Decoder).Decode(sample[:len(sample)-1]); err == nil {
		t.Error("an event whose names are cut off is read")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(introduction(7, "wrk:worker_0", "envoy"), brief(Statement, 7, "", 0))
	f.Add(brief(Value, 7, "outbound", 256), brief(Value, 7, "outbound", 8))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var d Decoder
		for _, sample := range [][]byte{first, second} {
			if r, ok, err := d.Decode(sample); err == nil && ok && int(r.Size) != len(r.Data) {
				t.Errorf("%d bytes of data announced, %d there", r.Size, len(r.Data))
			} else {
				_, _ = Names(r.Data)
				Arguments(r.Data)
			}
		}
	})
}
