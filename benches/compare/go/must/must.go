// Package must is for programs that end when anything goes wrong.
package must

import (
	"fmt"
	"os"
	"strconv"
)

// Do ends the program with what went wrong, if anything did.
func Do(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Number reads a number.
func Number(s string) int {
	n, err := strconv.Atoi(s)
	Do(err)
	return n
}
