package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Bytes go as numbers: what is sent need not be text.
type bytes []uint16

func (b bytes) bytes() []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = byte(c)
	}
	return out
}

// row is what raw sends over a connection of its own.
type row struct {
	Name string
	Send bytes
	// How many lines come in return; fewer, if the connection is closed.
	Replies int
	// Nothing is sent after it.
	Cut bool
	// Every byte by itself.
	Slow bool
}

// heard is what came back.
type heard struct {
	Name    string
	Replies []string
	// The connection lives: a call after that was answered.
	Lives bool
	// Anything but that answer.
	Rest string
}

const (
	probe  = `{"method":"Arith.Add","params":[{"A":20,"B":22}],"id":"probe"}` + "\n"
	proved = `{"id":"probe","result":42,"error":null}` + "\n"
)

func raw(address string) {
	out := json.NewEncoder(os.Stdout)
	lines(func(line []byte) {
		var row row
		check(json.Unmarshal(line, &row) == nil, "%s", line)
		out.Encode(row.send(dial(address).(*net.TCPConn)))
	})
}

func (row row) send(conn *net.TCPConn) heard {
	conn.SetDeadline(time.Now().Add(limit))
	write(conn, row.Send.bytes(), row.Slow)
	if row.Cut {
		conn.CloseWrite()
	}
	heard := heard{Name: row.Name, Replies: []string{}}
	in := bufio.NewReader(conn)
	for len(heard.Replies) < row.Replies {
		line, over := read(row.Name, in)
		if line != "" {
			heard.Replies = append(heard.Replies, line)
		}
		if over {
			return heard
		}
	}
	// Who has closed the connection by now is asked in vain.
	conn.Write([]byte(probe))
	conn.CloseWrite()
	for over := false; !over; {
		var line string
		line, over = read(row.Name, in)
		if line == proved && !heard.Lives {
			heard.Lives = true
		} else {
			heard.Rest += line
		}
	}
	return heard
}

func write(conn net.Conn, bytes []byte, slow bool) {
	for i := range bytes {
		if !slow {
			conn.Write(bytes)
			return
		}
		conn.Write(bytes[i : i+1])
		time.Sleep(100 * time.Microsecond)
	}
}

// The next line, and whether it was the last.
func read(name string, in *bufio.Reader) (string, bool) {
	line, err := in.ReadString('\n')
	over := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	check(err == nil || over, "%s: %v", name, err)
	return line, over
}
