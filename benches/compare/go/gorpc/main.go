// gorpc makes small calls by net/rpc over one TCP connection on loopback, or answers them. Standard library only.
//
//	gorpc <bench> <calls> <procs>        prints a line of key=value pairs
//	gorpc --serve <gob|json> <procs>     prints its address, serves until its input ends
//
// A bench is named rpc<callers>_<one|two>, with _json behind it for net/rpc/jsonrpc.
package main

import (
	"compare/must"
	"bufio"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

type Args struct{ A, B int64 }

type Arith struct{}

func (Arith) Add(args *Args, sum *int64) error {
	*sum = args.A + args.B
	return nil
}

// Calls before those that count.
const warmUp = 1000

func main() {
	args := os.Args[1:]
	if len(args) != 3 {
		usage()
	}
	runtime.GOMAXPROCS(must.Number(args[2]))
	if args[0] == "--serve" {
		l := listen()
		fmt.Println(l.Addr())
		go serve(args[1], l)
		io.Copy(io.Discard, os.Stdin)
		return
	}
	words := strings.Split(args[0], "_")
	callers, found := strings.CutPrefix(words[0], "rpc")
	codec := "gob"
	if len(words) == 3 {
		codec = words[2]
	}
	if !found || len(words) < 2 || len(words) > 3 {
		usage()
	}
	run(codec, words[1], must.Number(callers), must.Number(args[1]), args[2])
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: gorpc --serve CODEC PROCS | BENCH CALLS PROCS")
	os.Exit(2)
}

func run(codec, where string, callers, calls int, procs string) {
	address, end := server(codec, where, procs)
	conn, err := net.Dial("tcp", address)
	must.Do(err)
	client := rpc.NewClient
	if codec == "json" {
		client = jsonrpc.NewClient
	}
	c := client(conn)
	drive(c, callers, warmUp)
	before := cpuTime(syscall.RUSAGE_SELF)
	elapsed, latencies := drive(c, callers, calls)
	cpu := cpuTime(syscall.RUSAGE_SELF) - before
	end()
	cpu += cpuTime(syscall.RUSAGE_CHILDREN)

	slices.Sort(latencies)
	n := len(latencies)
	at := func(q float64) float64 { return float64(latencies[int(q*float64(n-1))]) / 1e3 }
	fmt.Printf("calls=%d ns_per_op=%.1f p50_us=%.2f p99_us=%.2f cpu_ns_per_op=%.1f\n",
		n, float64(elapsed)/float64(n), at(0.5), at(0.99), float64(cpu)/float64(n))
}

// server starts one, here or in a process of its own; its address, and what ends it.
func server(codec, where, procs string) (string, func()) {
	if where == "one" {
		l := listen()
		go serve(codec, l)
		return l.Addr().String(), func() {}
	}
	child := exec.Command("/proc/self/exe", "--serve", codec, procs)
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	must.Do(err)
	out, err := child.StdoutPipe()
	must.Do(err)
	must.Do(child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must.Do(err)
	return strings.TrimSpace(line), func() {
		must.Do(in.Close())
		must.Do(child.Wait())
	}
}

// drive makes n calls from so many callers and returns the latency of each.
func drive(client *rpc.Client, callers, n int) (time.Duration, []time.Duration) {
	each := n / callers
	latencies := make([]time.Duration, each*callers)
	var wg sync.WaitGroup
	start := time.Now()
	for c := range callers {
		mine := latencies[c*each : (c+1)*each]
		wg.Go(func() {
			for i := range mine {
				args, sum := Args{int64(c), int64(i)}, int64(0)
				t := time.Now()
				must.Do(client.Call("Arith.Add", &args, &sum))
				mine[i] = time.Since(t)
				if sum != int64(c+i) {
					panic("wrong sum")
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start), latencies
}

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Do(err)
	return l
}

func serve(codec string, l net.Listener) {
	server := rpc.NewServer()
	must.Do(server.Register(Arith{}))
	for {
		conn, err := l.Accept()
		must.Do(err)
		if codec == "json" {
			go server.ServeCodec(jsonrpc.NewServerCodec(conn))
		} else {
			go server.ServeConn(conn)
		}
	}
}

func cpuTime(who int) time.Duration {
	var usage syscall.Rusage
	must.Do(syscall.Getrusage(who, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
