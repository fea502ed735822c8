// Interop is the Go side of tests/interop: servers and clients of net/rpc/jsonrpc, and peers that speak to ours byte by byte.
//
//	interop serve                      Go's server, with the services of service.go
//	interop fake                       a server that answers what it is told to answer
//	interop calls ADDRESS N SEED       N calls of random values over one connection, by 64 goroutines
//	interop errors ADDRESS             what must fail, and how
//	interop order ADDRESS N            N calls that are answered in reverse
//	interop script ADDRESS             a fixed list of calls, one after the other, for comparing bytes
//	interop raw ADDRESS                sends the bytes that standard input has, prints what comes back
//	interop ask ADDRESS                calls a fake server with Go's client, prints what came of it
//	interop last ADDRESS               waits in a call while the server stops
//
// A server prints its address on the first line, and ends with its standard input. Everything else ends by itself; exit status 0
// says that all was as it should be.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// What takes longer has hung.
const limit = 50 * time.Second

func main() {
	time.AfterFunc(2*limit, func() { fail("not done after %v", 2*limit) })
	switch arg(1) {
	case "serve":
		listen(serve)
	case "fake":
		listen(fake)
	case "calls":
		calls(arg(2), number(3), uint64(number(4)))
	case "errors":
		failures(arg(2))
	case "order":
		order(arg(2), number(3))
	case "script":
		script(arg(2))
	case "raw":
		raw(arg(2))
	case "ask":
		ask(arg(2))
	case "last":
		last(arg(2))
	default:
		fail("no such command: %q", os.Args)
	}
}

func arg(i int) string {
	if i >= len(os.Args) {
		fail("too few arguments: %q", os.Args)
	}
	return os.Args[i]
}

func number(i int) int {
	n, err := strconv.Atoi(arg(i))
	check(err == nil, "%v", err)
	return n
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "interop: "+format+"\n", args...)
	os.Exit(1)
}

func check(ok bool, format string, args ...any) {
	if !ok {
		fail(format, args...)
	}
}

// Serves connections until standard input ends.
func listen(one func(net.Conn)) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "%v", err)
	fmt.Println(listener.Addr())
	go func() {
		for {
			conn, err := listener.Accept()
			check(err == nil, "%v", err)
			go one(conn)
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

func dial(address string) net.Conn {
	conn, err := net.Dial("tcp", address)
	check(err == nil, "%v", err)
	return conn
}

// Calls f with each line of standard input.
func lines(f func([]byte)) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		f(in.Bytes())
	}
	check(in.Err() == nil, "%v", in.Err())
}
