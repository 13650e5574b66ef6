//go:build linux

package docker

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"golang.org/x/net/dns/dnsmessage"
)

// resolverIP is where the resolver of our own Docker answers, inside its network namespace. The
// address is of no network that Docker gives to bridges.
const resolverIP = "10.53.53.53"

// serveNames answers every question with "there is no such name". Without it each name of the
// outside would be a wait of seconds: for kind's node when it starts, and for every pod.
func serveNames() error {
	address := net.JoinHostPort(resolverIP, "53")
	packets, err := net.ListenPacket("udp4", address)
	if err != nil {
		return fmt.Errorf("open the resolver: %w", err)
	}
	streams, err := net.Listen("tcp4", address)
	if err != nil {
		return fmt.Errorf("open the resolver: %w", err)
	}
	go answerPackets(packets)
	go func() {
		for {
			conn, err := streams.Accept()
			if err != nil {
				return
			}
			go answerStream(conn)
		}
	}()
	return nil
}

func answerPackets(conn net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer, err := noSuchName(buffer[:n]); err == nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

// answerStream answers questions over TCP, each after its length in two bytes (RFC 1035, 4.2.2).
func answerStream(conn net.Conn) {
	defer conn.Close()
	for {
		var length uint16
		if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
			return
		}
		question := make([]byte, length)
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer, err := noSuchName(question)
		if err != nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err !=
			nil {
			return
		}
	}
}

// noSuchName is the answer NXDOMAIN to a question (RFC 1035, 4.1.1); an error when
// it is no question.
func noSuchName(question []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(question)
	if err != nil {
		return nil, fmt.Errorf("read DNS question: %w", err)
	}
	if header.Response {
		return nil, fmt.Errorf("read DNS question: it is an answer")
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return nil, fmt.Errorf("read DNS question: %w", err)
	}
	answer := dnsmessage.Message{Questions: questions, Header: dnsmessage.Header{ID: header.ID, Response: true,
		OpCode: header.OpCode, RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		RCode: dnsmessage.RCodeNameError}}
	return answer.Pack()
}
