package docker

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestNoSuchName(t *testing.T) {
	question := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{
			{Name: dnsmessage.MustNewName("host.docker.internal."), Type: dnsmessage.TypeA,
				Class: dnsmessage.ClassINET}}}
	packed, err := question.Pack()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := noSuchName(packed)
	if err != nil {
		t.Fatal(err)
	}
	var got dnsmessage.Message
	if err := got.Unpack(answer); err != nil {
		t.Fatal(err)
	}
	if got.ID != 7 || !got.Response || got.RCode != dnsmessage.RCodeNameError || len(got.Questions) != 1 ||
		len(got.Answers) != 0 {
		t.Errorf("answer %+v", got)
	}
	if _, err := noSuchName(answer); err == nil {
		t.Error("an answer is answered: two resolvers would talk for ever")
	}
}

func FuzzNoSuchName(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, question []byte) {
		answer, err := noSuchName(question)
		if err == nil && len(answer) < 12 {
			t.Errorf("an answer of %d bytes has no header", len(answer))
		}
	})
}
