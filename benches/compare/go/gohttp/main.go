// gohttp serves until it is killed. It prints its address. Standard library only.
//
//	gohttp http <procs>    net/http, a 13-byte body
//	gohttp tcp <procs>     a goroutine per connection, in Read
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
)

var body = []byte("Hello, world!")

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gohttp <http|tcp> <procs>")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(number(os.Args[2]))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(l.Addr())
	if os.Args[1] == "http" {
		check(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(body)
		})))
	}
	for {
		conn, err := l.Accept()
		check(err)
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

func number(s string) int {
	n, err := strconv.Atoi(s)
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
