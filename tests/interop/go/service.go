package main

import (
	"errors"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"sync"
	"time"
)

type Args struct{ A, B int64 }

type Quotient struct{ Quo, Rem int64 }

type Leaf struct {
	Name   string
	Weight float64
	Tags   []string
}

type Tree struct {
	Leaf     Leaf
	Flag     bool
	Children []Tree
	Index    map[string]Leaf
	Counts   map[int64]uint64
	Opt      *Leaf
}

// List is as deep as it is long.
type List struct{ Next *List }

type Empty struct{}

type Arith struct{}

func (Arith) Add(args Args, sum *int64) error {
	*sum = args.A + args.B
	return nil
}

func (Arith) Multiply(args Args, product *int64) error {
	*product = args.A * args.B
	return nil
}

func (Arith) Divide(args Args, quotient *Quotient) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	*quotient = Quotient{args.A / args.B, args.A % args.B}
	return nil
}

// Echo says what it is told.
type Echo struct{}

func (Echo) Text(text string, reply *string) error {
	*reply = text
	return nil
}

func (Echo) Unsigned(n uint64, reply *uint64) error {
	*reply = n
	return nil
}

func (Echo) Signed(n int64, reply *int64) error {
	*reply = n
	return nil
}

func (Echo) Float(x float64, reply *float64) error {
	*reply = x
	return nil
}

func (Echo) Small(x float32, reply *float32) error {
	*reply = x
	return nil
}

func (Echo) Tree(tree Tree, reply *Tree) error {
	*reply = tree
	return nil
}

func (Echo) List(list List, reply *List) error {
	*reply = list
	return nil
}

func (Echo) Numbers(numbers []int64, reply *[]int64) error {
	*reply = numbers
	return nil
}

func (Echo) Map(m map[string]int64, reply *map[string]int64) error {
	*reply = m
	return nil
}

func (Echo) Nothing(_ Empty, _ *Empty) error { return nil }

// Absent leaves its reply a nil pointer, which goes as null: the trap of Go's own clients.
func (Echo) Absent(_ Empty, _ **Leaf) error { return nil }

// Bare leaves a slice in its reply nil.
func (Echo) Bare(_ Empty, reply *Leaf) error {
	reply.Name = "bare"
	return nil
}

// Fail returns the text as an error, with a reply beside it.
func (Echo) Fail(text string, reply *int64) error {
	*reply = 61
	return errors.New(text)
}

// Gate holds calls until others open it, so that answers come in an order that a test has chosen.
type Gate struct {
	mutex sync.Mutex
	gates map[int64]chan struct{}
}

func (g *Gate) gate(key int64) chan struct{} {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.gates == nil {
		g.gates = map[int64]chan struct{}{}
	}
	if g.gates[key] == nil {
		g.gates[key] = make(chan struct{})
	}
	return g.gates[key]
}

func (g *Gate) Hold(key int64, reply *int64) error {
	select {
	case <-g.gate(key):
		*reply = key
		return nil
	case <-time.After(limit):
		return errors.New("nobody has opened it")
	}
}

// Open opens a gate, once.
func (g *Gate) Open(key int64, _ *Empty) error {
	close(g.gate(key))
	return nil
}

var served = sync.OnceValue(func() *rpc.Server {
	server := rpc.NewServer()
	for name, service := range map[string]any{
		"Arith": Arith{}, "Deep.Arith": Arith{}, "Echo": Echo{}, "Gate": &Gate{},
	} {
		err := server.RegisterName(name, service)
		check(err == nil, "%v", err)
	}
	return server
})

func serve(conn net.Conn) { served().ServeCodec(jsonrpc.NewServerCodec(conn)) }
