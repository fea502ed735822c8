package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"reflect"
	"sync"
)

const goroutines = 64

// One client, shared; each call's result is checked.
func calls(address string, n int, seed uint64) {
	client := jsonrpc.NewClient(dial(address))
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(g)))
			for i := g; i < n; i += goroutines {
				one(client, random, i)
			}
		})
	}
	all.Wait()
	check(client.Close() == nil, "close")
	check(client.Call("Arith.Add", Args{}, new(int64)) == rpc.ErrShutdown, "closed")
	fmt.Println(n, "calls")
}

func expect[A, R any](client *rpc.Client, method string, argument A, want R) {
	var got R
	err := client.Call(method, argument, &got)
	check(err == nil, "%s(%#v): %v", method, argument, err)
	check(reflect.DeepEqual(got, want), "%s(%#v): %#v, not %#v", method, argument, got, want)
}

func expectError(client *rpc.Client, method string, argument any, want string) {
	var reply int64
	err := client.Call(method, argument, &reply)
	text, is := err.(rpc.ServerError)
	check(is && string(text) == want, "%s(%#v): %#v, not %q", method, argument, err, want)
}

func one(client *rpc.Client, random *rand.Rand, i int) {
	a, b := int64(random.Uint64()), int64(random.Uint64())
	switch i % 12 {
	case 0:
		expect(client, "Arith.Add", Args{a / 2, b / 2}, a/2+b/2)
	case 1:
		expect(client, "Arith.Multiply", Args{a >> 33, b >> 33}, (a>>33)*(b>>33))
	case 2:
		expect(client, "Arith.Divide", Args{a, b | 2}, Quotient{a / (b | 2), a % (b | 2)})
	case 3:
		var reply Quotient
		err := client.Call("Arith.Divide", Args{a, 0}, &reply)
		check(err == rpc.ServerError("divide by zero"), "%v", err)
	case 4:
		text := words(random)
		expect(client, "Echo.Text", text, text)
	case 5:
		n := []uint64{random.Uint64(), 0, 1<<53 + 1, math.MaxUint64}[random.IntN(4)]
		expect(client, "Echo.Unsigned", n, n)
	case 6:
		n := []int64{a, math.MinInt64, math.MaxInt64}[random.IntN(3)]
		expect(client, "Echo.Signed", n, n)
	case 7:
		t := tree(random, 3)
		expect(client, "Echo.Tree", t, t)
	case 8:
		numbers := make([]int64, random.IntN(20))
		for i := range numbers {
			numbers[i] = int64(random.Uint64())
		}
		expect(client, "Echo.Numbers", numbers, numbers)
	case 9:
		m := map[string]int64{}
		for range random.IntN(10) {
			m[words(random)] = int64(random.Uint64())
		}
		expect(client, "Echo.Map", m, m)
	case 10:
		expect(client, "Echo.Nothing", []any{nil, Empty{}, &Empty{}}[random.IntN(3)], Empty{})
	case 11:
		text := "no: " + words(random)
		expectError(client, "Echo.Fail", text, text)
	}
}

var pieces = []string{
	"", "a", "Go", "<b>", "&amp;", ">", "\"", "\\", "/", "\u2028", "\u2029", "\x00", "\b\f\n\r\t", "\x1b", "\x7f", "é", "e\u0301",
	"日本語", "🦀", "\ufeff", "\ufffd", "\U0010ffff", "null", "{}", "]", "'",
}

func words(random *rand.Rand) string {
	text := ""
	for range random.IntN(12) {
		text += pieces[random.IntN(len(pieces))]
	}
	return text
}

func leaf(random *rand.Rand) Leaf {
	tags := make([]string, random.IntN(4))
	for i := range tags {
		tags[i] = words(random)
	}
	any := math.Float64frombits(random.Uint64())
	for any != any || math.IsInf(any, 0) {
		any = math.Float64frombits(random.Uint64())
	}
	weights := []float64{0, 1, -1.5, 1e21, 1e-7, math.MaxFloat64, math.SmallestNonzeroFloat64, any}
	return Leaf{words(random), weights[random.IntN(len(weights))], tags}
}

func tree(random *rand.Rand, depth int) Tree {
	t := Tree{
		Leaf: leaf(random), Flag: random.IntN(2) == 0, Children: []Tree{},
		Index: map[string]Leaf{}, Counts: map[int64]uint64{int64(random.Uint64()): random.Uint64()},
	}
	for range random.IntN(3) {
		t.Index[words(random)] = leaf(random)
	}
	if random.IntN(2) == 0 {
		leaf := leaf(random)
		t.Opt = &leaf
	}
	if depth > 0 {
		for range random.IntN(4) {
			t.Children = append(t.Children, tree(random, depth-1))
		}
	}
	return t
}

// What must fail, each with the text that Go's server would have sent; the connection outlives all of it.
func failures(address string) {
	client := jsonrpc.NewClient(dial(address))
	for method, text := range map[string]string{
		"Arith.Subtract":   "rpc: can't find method Arith.Subtract",
		"Arith.add":        "rpc: can't find method Arith.add",
		"Arith.":           "rpc: can't find method Arith.",
		"Algebra.Add":      "rpc: can't find service Algebra.Add",
		"A.r.ith.Add":      "rpc: can't find service A.r.ith.Add",
		".Add":             "rpc: can't find service .Add",
		"Add":              "rpc: service/method request ill-formed: Add",
		"":                 "rpc: service/method request ill-formed: ",
		"<\u2028&\">.\x01": "rpc: can't find service <\u2028&\">.\x01",
	} {
		expectError(client, method, Args{1, 2}, text)
	}
	for _, text := range append(pieces, "rpc: can't find the file", "jsonrpc: no") {
		if text != "" {
			expectError(client, "Echo.Fail", text, text)
		}
	}
	for _, argument := range []any{"text", 1.5, []string{"1"}, map[string]any{"A": "one"}, true} {
		err := client.Call("Arith.Add", argument, new(int64))
		_, is := err.(rpc.ServerError)
		check(is, "%#v as an argument of Add: %#v", argument, err)
	}
	// Go has no panics that a server outlives, and an error without a text is none: only of ours.
	if len(os.Args) > 3 && os.Args[3] == "ours" {
		err := client.Call("Ours.Panic", "<oh>", new(int64))
		check(err == rpc.ServerError("Ours.Panic panicked: <oh>"), "%#v", err)
		expectError(client, "Echo.Fail", "", "unspecified error")
		expect(client, "Ours.Absent", Empty{}, Leaf{})
	}
	expect(client, "Arith.Add", Args{20, 22}, int64(42))
	expect(client, "Deep.Arith.Add", Args{20, 22}, int64(42))
	check(client.Close() == nil, "close")
}

// The last call is answered first, and so on.
func order(address string, n int) {
	client := jsonrpc.NewClient(dial(address))
	done := make(chan *rpc.Call, n)
	for key := range n {
		client.Go("Gate.Hold", int64(key), new(int64), done)
	}
	for key := n - 1; key >= 0; key-- {
		expect(client, "Gate.Open", int64(key), Empty{})
		call := <-done
		check(call.Error == nil, "%v", call.Error)
		check(*call.Reply.(*int64) == int64(key), "%d for %d", *call.Reply.(*int64), key)
	}
	check(client.Close() == nil, "close")
}

// Waits in a call while the server stops: it is answered, then the connection is at its end.
func last(address string) {
	client := jsonrpc.NewClient(dial(address))
	done := make(chan *rpc.Call, 1)
	expect(client, "Arith.Add", Args{20, 22}, int64(42))
	client.Go("Gate.Hold", int64(61), new(int64), done)
	call := <-done
	check(call.Error == nil && *call.Reply.(*int64) == 61, "%v", call.Error)
	for {
		err := client.Call("Arith.Add", Args{20, 22}, new(int64))
		// Until the end comes, the server says that it stops.
		if _, is := err.(rpc.ServerError); !is {
			check(err != nil, "a call was taken")
			return
		}
	}
}
