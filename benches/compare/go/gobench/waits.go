// What waits for something outside: memory of who does, the clock, sockets, the kernel.
package main

import (
	"compare/must"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func idleMem(n int) result {
	ch := make(chan struct{})
	var up, down sync.WaitGroup
	runtime.GC()
	before := rss()
	t := time.Now()
	up.Add(n)
	down.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			up.Done()
			<-ch
			down.Done()
		}()
	}
	up.Wait()
	d := time.Since(t)
	time.Sleep(50 * time.Millisecond)
	per := float64(rss()-before) / float64(n)
	close(ch)
	down.Wait()
	return result{elapsed: d, extra: fmt.Sprintf(" bytes_per_g=%.0f", per)}
}

func sleepMany(n int) result {
	over := make([]time.Duration, n)
	var wg sync.WaitGroup
	wg.Add(n)
	t := time.Now()
	for i := 0; i < n; i++ {
		go func() {
			want := 10*time.Millisecond + 100*time.Millisecond*time.Duration(i)/time.Duration(n)
			s := time.Now()
			time.Sleep(want)
			over[i] = time.Since(s) - want
			wg.Done()
		}()
	}
	wg.Wait()
	d := time.Since(t)
	slices.Sort(over)
	return result{elapsed: d, extra: fmt.Sprintf(" wall_ms=%.1f over_p50_us=%.0f over_p99_us=%.0f over_max_us=%.0f",
		ms(d), us(quantile(over, .5)), us(quantile(over, .99)), us(over[n-1]))}
}

func echo(conns, n int) result {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must.Do(err)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 64)
				for {
					if _, err := io.ReadFull(c, buf); err != nil {
						return
					}
					if _, err := c.Write(buf); err != nil {
						return
					}
				}
			}()
		}
	}()
	cs := make([]net.Conn, conns)
	for i := range cs {
		cs[i], err = net.Dial("tcp", ln.Addr().String())
		must.Do(err)
	}
	each := n / conns
	lat := make([]time.Duration, conns*each)
	var wg sync.WaitGroup
	t := time.Now()
	for i, c := range cs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer c.Close()
			buf := make([]byte, 64)
			for j := 0; j < each; j++ {
				s := time.Now()
				_, err := c.Write(buf)
				must.Do(err)
				_, err = io.ReadFull(c, buf)
				must.Do(err)
				lat[i*each+j] = time.Since(s)
			}
		}()
	}
	wg.Wait()
	d := time.Since(t)
	slices.Sort(lat)
	return result{elapsed: d, ops: conns * each, extra: fmt.Sprintf(" conns=%d p50_us=%.1f p99_us=%.1f",
		conns, us(quantile(lat, .5)), us(quantile(lat, .99)))}
}

// cpuHog times a 1 ms ticker while 2*procs goroutines spin for n ms.
func cpuHog(n int) result {
	span := time.Duration(n) * time.Millisecond
	var stop atomic.Bool
	started := make(chan struct{})
	late := make(chan []time.Duration)
	go func() {
		var v []time.Duration
		for !stop.Load() {
			next := time.Now().Add(time.Millisecond)
			time.Sleep(time.Until(next))
			v = append(v, time.Since(next))
			if len(v) == 20 {
				close(started)
			}
		}
		late <- v[20:]
	}()
	<-started
	var wg sync.WaitGroup
	t := time.Now()
	for i := 0; i < 2*runtime.GOMAXPROCS(0); i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			x := 0
			for time.Since(t) < span {
				for k := 0; k < 1000; k++ {
					x ^= k
				}
			}
			sink.Add(int64(x))
		}()
	}
	wg.Wait()
	d := time.Since(t)
	stop.Store(true)
	v := <-late
	slices.Sort(v)
	return result{elapsed: d, ops: len(v), extra: fmt.Sprintf(" ticks=%d late_p50_ms=%.3f late_p99_ms=%.3f late_max_ms=%.3f",
		len(v), ms(quantile(v, .5)), ms(quantile(v, .99)), ms(v[len(v)-1]))}
}

var sink atomic.Int64

// blocking times n yields of one goroutine while four sit in a 500 ms system call.
func blocking(n int) result {
	var wg sync.WaitGroup
	t := time.Now()
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ts := syscall.NsecToTimespec((500 * time.Millisecond).Nanoseconds())
			for syscall.Nanosleep(&ts, &ts) == syscall.EINTR {
			}
		}()
	}
	other := make(chan time.Duration)
	go func() {
		for i := 0; i < n; i++ {
			runtime.Gosched()
		}
		other <- time.Since(t)
	}()
	d := <-other
	wg.Wait()
	return result{elapsed: d, extra: fmt.Sprintf(" other_ms=%.1f all_ms=%.1f", ms(d), ms(time.Since(t)))}
}
