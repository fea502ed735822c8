// gohttp serves until it is killed. It prints its address. Standard library only.
//
//	gohttp http <procs>    net/http, a 13-byte body
//	gohttp tcp <procs>     a goroutine per connection, in Read
package main

import (
	"compare/must"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
)

var body = []byte("Hello, world!")

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gohttp <http|tcp> <procs>")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(must.Number(os.Args[2]))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Do(err)
	fmt.Println(l.Addr())
	if os.Args[1] == "http" {
		must.Do(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(body)
		})))
	}
	for {
		conn, err := l.Accept()
		must.Do(err)
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	var buf [64]byte
	for {
		n, err := conn.Read(buf[:])
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}
