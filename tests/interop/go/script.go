package main

import (
	"fmt"
	"math"
	"net/rpc"
	"net/rpc/jsonrpc"
	"reflect"
	"strconv"
)

// The calls of script.rs, in its order.
func script(address string) {
	client := jsonrpc.NewClient(dial(address))
	expect(client, "Arith.Add", Args{1, 2}, int64(3))
	expect(client, "Arith.Multiply", Args{-3, 7}, int64(-21))
	expect(client, "Arith.Divide", Args{7, 2}, Quotient{3, 1})
	expectError(client, "Arith.Divide", Args{1, 0}, "divide by zero")
	for _, text := range texts() {
		echo(client, "Echo.Text", text)
		if text != "" {
			expectError(client, "Echo.Fail", text, text)
		}
	}
	for _, n := range []uint64{0, 1<<53 + 1, math.MaxUint64} {
		echo(client, "Echo.Unsigned", n)
	}
	for _, n := range []int64{math.MinInt64, -1, math.MaxInt64} {
		echo(client, "Echo.Signed", n)
	}
	for _, x := range floats() {
		echo(client, "Echo.Float", x)
	}
	for _, x := range []float32{0, 1, -0.1, 1.5e-7, 1e20, 1e21, 16777216, math.MaxFloat32, math.SmallestNonzeroFloat32} {
		echo(client, "Echo.Small", x)
	}
	for _, numbers := range [][]int64{{}, {1}, {1, -2, 3}} {
		echo(client, "Echo.Numbers", numbers)
	}
	echo(client, "Echo.Map", map[string]int64{})
	echo(client, "Echo.Map", map[string]int64{"b": 2, "": 0, "<a>": 1, "é": -1})
	leaf := Leaf{"<leaf>", 0.5, []string{"a&b", "", "\u2028"}}
	empty := Tree{Leaf{"", 0, []string{}}, false, []Tree{}, map[string]Leaf{}, map[int64]uint64{}, nil}
	echo(client, "Echo.Tree", empty)
	tree := Tree{leaf, true, []Tree{empty, empty}, map[string]Leaf{"x": leaf}, map[int64]uint64{-1: math.MaxUint64, 2: 0}, &leaf}
	echo(client, "Echo.Tree", tree)
	expect(client, "Echo.Nothing", Empty{}, Empty{})
	expect[any](client, "Echo.Nothing", nil, Empty{})
	expectError(client, "Arith.<Subtract>", Args{}, "rpc: can't find method Arith.<Subtract>")
	expectError(client, "Algebra\u2028.Add", Args{}, "rpc: can't find service Algebra\u2028.Add")
	expectError(client, "Add", Args{}, "rpc: service/method request ill-formed: Add")
	check(client.Close() == nil, "close")
}

func echo[T any](client *rpc.Client, method string, value T) {
	var reply T
	err := client.Call(method, value, &reply)
	check(err == nil && reflect.DeepEqual(reply, value), "%s(%#v): %#v, %v", method, value, reply, err)
}

// Each ASCII character by itself, and some that are special somewhere.
func texts() []string {
	all := []string{
		"", `<a href="x">&amp;</a>`, "\u2027\u2028\u2029\u202a", `\"\\/`, "é日本語🦀", "e\u0301", "\ufeff\ufffd\U0010ffff", "a\u2028", "\u0080\u009f\u00a0",
	}
	for c := range rune(128) {
		all = append(all, string(c))
	}
	return all
}

// Where writers of numbers differ: at each change of notation.
func floats() []float64 {
	all := []float64{0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1, 1.0 / 3, 123456789.125, 1<<53 + 2, 5e-324, 2.2250738585072014e-308}
	for e := -25; e < 25; e++ {
		x, err := strconv.ParseFloat(fmt.Sprintf("1e%d", e), 64)
		check(err == nil, "%v", err)
		all = append(all, x, -1.5*x)
	}
	return all
}
