package probe

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"reflect"
	"testing"
)

// TestDecode sets the fast decoder against the one that knows the type.
func TestDecode(t *testing.T) {
	if size := binary.Size(Head{}); size != HeadSize {
		t.Fatalf("a Head has %d bytes, the programs write %d", size, HeadSize)
	}
	sample := make([]byte, HeadSize+8)
	for i := range sample {
		sample[i] = byte(i + 1)
	}
	binary.NativeEndian.PutUint32(sample[44:], 5)
	var want Head
	if _, err := binary.Decode(sample, binary.NativeEndian, &want); err != nil {
		t.Fatal(err)
	}
	got, err := Decode(sample)
	if err != nil {
		t.Fatal(err)
	}
	if kind := Kind(sample); kind != want.Kind {
		t.Errorf("kind %d, want %d", kind, want.Kind)
	}
	if !reflect.DeepEqual(got.Head, want) || !bytes.Equal(got.Data, sample[HeadSize:HeadSize+5]) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, damaged := range [][]byte{nil, sample[:HeadSize-1], sample[:HeadSize+4]} {
		if _, err := Decode(damaged); err == nil {
			t.Errorf("%d bytes pass for an event", len(damaged))
		}
	}
}

func TestSockaddr(t *testing.T) {
	v6 := append([]byte{10, 0, 0x1f, 0x90, 0, 0, 0, 0}, netip.MustParseAddr("::ffff:10.0.0.1").AsSlice()...)
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"IPv4", []byte{2, 0, 0x1f, 0x90, 10, 0, 0, 1}, "10.0.0.1:8080"},
		{"IPv4 in IPv6", append(v6, 0, 0, 0, 0), "10.0.0.1:8080"},
		{"cut off", []byte{2, 0, 0x1f}, ""},
		{"a path", []byte{1, 0, 'a', 'b', 0, 0, 0, 0}, ""},
	}
	for _, tt := range tests {
		got, ok := Sockaddr(tt.b)
		if ok != (tt.want != "") || ok && got.String() != tt.want {
			t.Errorf("%s: %v, %v", tt.name, got, ok)
		}
	}
}
