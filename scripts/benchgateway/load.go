package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// target is where a load goes.
type target struct {
	address  string
	requests [][]byte // taken by turns
	status   int      // of every answer
	// reconnect has a connection for each request, as for a server that keeps none.
	reconnect bool
}

// load is what a target did in one slice of time.
type load struct {
	requests int
	took     time.Duration
	waits    []time.Duration // for each answer, in order
}

func (l *load) rate() float64 { return float64(l.requests) / l.took.Seconds() }

// percentile returns the wait that p of the requests did not exceed.
func (l *load) percentile(p float64) time.Duration {
	if len(l.waits) == 0 {
		return 0
	}
	return l.waits[min(int(p*float64(len(l.waits))), len(l.waits)-1)]
}

// closedLoop asks over so many connections, on each one request after the other. What is
// asked in the first moment, warmUp, does not count. The function around is called at the
// beginning and at the end of what counts.
func closedLoop(t *target, connections int, warmUp, slice time.Duration, around func() error) (*load, error) {
	var counting, over atomic.Bool
	var group sync.WaitGroup
	waits := make([][]time.Duration, connections)
	failed := make(chan error, connections)
	for i := range connections {
		group.Go(func() {
			c := client{target: t, next: i * len(t.requests) / connections}
			defer c.close()
			for !over.Load() {
				wait, err := c.ask()
				if err != nil {
					failed <- err
					return
				}
				if counting.Load() {
					waits[i] = append(waits[i], wait)
				}
			}
		})
	}
	err := sleep(warmUp, failed)
	if err == nil {
		err = around()
	}
	begin := time.Now()
	counting.Store(true)
	if err == nil {
		err = sleep(slice, failed)
	}
	counting.Store(false)
	l := &load{took: time.Since(begin)}
	if err == nil {
		err = around()
	}
	over.Store(true)
	group.Wait()
	if err != nil {
		return nil, err
	}
	l.waits = slices.Concat(waits...)
	l.requests = len(l.waits)
	slices.Sort(l.waits)
	return l, nil
}

// sleep waits, unless a client fails.
func sleep(d time.Duration, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-time.After(d):
		return nil
	}
}

// client sends one request after the other and knows just enough of HTTP/1.1 for the
// answers of these servers: it has to be cheap, as it shares the machine with them.
type client struct {
	target *target
	next   int
	conn   net.Conn
	in     *bufio.Reader
}

// patience is how long an answer may take.
const patience = 20 * time.Second

// ask sends the next request and reads the answer.
func (c *client) ask() (time.Duration, error) {
	request := c.target.requests[c.next%len(c.target.requests)]
	c.next++
	begin := time.Now()
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return 0, err
		}
	}
	if err := c.conn.SetDeadline(begin.Add(patience)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	status, kept, err := c.read()
	if err == nil && status != c.target.status {
		err = fmt.Errorf("the answer is %d, and not %d", status, c.target.status)
	}
	if c.target.reconnect || !kept {
		c.close()
	}
	return time.Since(begin), err
}

func (c *client) dial() (err error) {
	if c.conn, err = net.Dial("tcp", c.target.address); err != nil {
		return err
	}
	if c.in == nil {
		c.in = bufio.NewReader(nil)
	}
	c.in.Reset(c.conn)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

var (
	lengthName = []byte("content-length:")
	closeName  = []byte("connection: close")
)

// read reads an answer and reports whether the connection stays.
func (c *client) read() (status int, kept bool, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if len(line) < 12 {
		return 0, false, errors.New("that is no answer")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, errors.New("that is no answer")
	}
	length := int64(-1)
	for kept = true; ; {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, false, err
		}
		switch line = bytes.TrimRight(line, "\r\n"); {
		case len(line) == 0 && length < 0 && kept:
			return 0, false, errors.New("the answer has no length")
		case len(line) == 0 && length < 0:
			_, err = io.Copy(io.Discard, c.in)
			return status, kept, err
		case len(line) == 0:
			_, err = c.in.Discard(int(length))
			return status, kept, err
		case len(line) > len(lengthName) && bytes.EqualFold(line[:len(lengthName)], lengthName):
			length, err = strconv.ParseInt(string(bytes.TrimSpace(line[len(lengthName):])), 10, 32)
			if err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(line, closeName):
			kept = false
		}
	}
}
