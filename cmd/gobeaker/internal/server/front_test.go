package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// Each connection has the timeouts of its own time, from the first one on, and a server
// that has no connections any more is forgotten.
func TestFrontTurns(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	failed := make(chan error, 1)
	f := &front{
		listener: listener, base: t.Context(), failed: failed, after: time.After, faults: log.New(io.Discard, "", 0),
		handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, r.Context().Value(http.ServerContextKey).(*http.Server).IdleTimeout)
		}),
	}
	f.serve(manner{idle: time.Hour})
	type client struct {
		net.Conn
		in *bufio.Reader
	}
	dial := func() client {
		c, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		return client{c, bufio.NewReader(c)}
	}
	idle := func(c client) string {
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		resp, err := http.ReadResponse(c.in, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}
	turns := func(want int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
			f.mu.Lock()
			n := len(f.turns)
			f.mu.Unlock()
			if n == want {
				return
			}
			require.True(t, time.Now().Before(end), "%d servers, not %d", n, want)
		}
	}
	first := dial()
	require.Equal(t, "1h0m0s\n", idle(first))
	for i := range 50 {
		f.serve(manner{idle: time.Duration(i+1) * time.Minute})
		if i%10 == 0 {
			c := dial()
			require.Equal(t, fmt.Sprintf("%dm0s\n", i+1), idle(c))
			c.Close()
		}
	}
	turns(2)
	require.Equal(t, "1h0m0s\n", idle(first), "it is still open")
	first.Close()
	turns(1)
	last := dial()
	require.Equal(t, "50m0s\n", idle(last))
	require.NoError(t, f.shutdown(t.Context()))
	f.serve(manner{})
	f.served.Wait()
	turns(0)
	require.Empty(t, failed)
}

// That no connection can be taken any more is told.
func TestFrontFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	failed := make(chan error, 1)
	f := &front{listener: listener, base: t.Context(), failed: failed, after: time.After, faults: log.New(io.Discard, "", 0)}
	f.serve(manner{})
	f.serve(manner{})
	require.NoError(t, listener.Close())
	require.ErrorIs(t, <-failed, net.ErrClosed)
	f.served.Wait()
}

// A reload that does not end does not keep the server from stopping.
func TestStopWithoutTheReload(t *testing.T) {
	c := settings.Default()
	c.Listen = "127.0.0.1:0"
	hangup, late := make(chan os.Signal), make(chan time.Time)
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := New(ctx, c, Environment{
		Stdout: in, Stderr: io.Discard, Getenv: func(string) string { return "" }, Hangup: hangup,
		Reload: func() (settings.Config, error) { return c, nil },
		After:  func(time.Duration) <-chan time.Time { return late },
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	s.mu.Lock() // as a reload does that opens a store which never answers
	defer s.mu.Unlock()
	hangup <- syscall.SIGHUP
	cancel()
	late <- time.Time{}
	require.NoError(t, <-done)
}
