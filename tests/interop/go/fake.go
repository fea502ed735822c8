package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"time"
)

// told is the argument of a call to a fake server: what it has to answer.
type told struct {
	Name string
	Say  bytes
	// It closes the connection after it.
	Close bool
	// Every byte by itself.
	Slow bool
	// The result should be a text, not a number.
	Text bool
}

// Answers each request with the bytes that are its argument.
func fake(conn net.Conn) {
	defer conn.Close()
	in := json.NewDecoder(conn)
	for {
		var request struct{ Params []told }
		if in.Decode(&request) != nil {
			return
		}
		check(len(request.Params) == 1, "%v", request)
		told := request.Params[0]
		write(conn, told.Say.bytes(), told.Slow)
		if told.Close {
			return
		}
	}
}

// came is what Go's client made of an answer.
type came struct {
	Name  string
	Reply string
	Error string
	// The client is at its end.
	Shutdown bool
}

var second = told{Name: "the second call", Say: numbers(`{"id":1,"result":7,"error":null}` + "\n")}

func numbers(text string) bytes {
	out := bytes{}
	for _, c := range []byte(text) {
		out = append(out, uint16(c))
	}
	return out
}

// Each on a connection of its own, and a second call after it.
func ask(address string) {
	out := json.NewEncoder(os.Stdout)
	lines(func(line []byte) {
		var told told
		check(json.Unmarshal(line, &told) == nil, "%s", line)
		client := jsonrpc.NewClient(dial(address))
		came := came{Name: told.Name}
		var err error
		if told.Text {
			var text string
			err = call(client, told, &text)
			came.Reply = text
		} else {
			var number int64
			err = call(client, told, &number)
			came.Reply = fmt.Sprint(number)
		}
		if err != nil {
			came.Error = err.Error()
		}
		var seven int64
		err = call(client, second, &seven)
		came.Shutdown = err != nil
		check(came.Shutdown || seven == 7, "%s: %d", told.Name, seven)
		client.Close()
		out.Encode(came)
	})
}

func call(client *rpc.Client, told told, reply any) error {
	call := client.Go("Fake.Say", told, reply, nil)
	select {
	case <-call.Done:
		return call.Error
	case <-time.After(limit):
		fail("%s: no answer", told.Name)
		return nil
	}
}
