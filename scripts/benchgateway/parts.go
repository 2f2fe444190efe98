package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// seenPath is answered with the request as the origin saw it.
const seenPath = "/seen"

// runLeast is the cheapest application that there can be behind the proxies.
func runLeast() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go answerAll(c)
	}
}

// page is what the origin answers: a small page with the headers that applications send.
var page = []byte("HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\n" +
	"Content-Type: text/html; charset=utf-8\r\nCache-Control: private\r\nVary: Cookie\r\nContent-Length: 1024\r\n\r\n" +
	strings.Repeat("<p>All work and no play makes Jack a dull boy.\n", 22)[:1024])

// runService is the same page from net/http, as the least that an application in Go is.
func runService() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	_, body, _ := bytes.Cut(page, []byte("\r\n\r\n"))
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.URL.Path == seenPath {
			h.Set("Content-Type", "text/plain")
			_ = r.Header.Write(w)
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "private")
		h.Set("Vary", "Cookie")
		_, _ = w.Write(body)
	})}
	return s.Serve(l)
}

func answerAll(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		var head []byte
		show := false
		for first := true; ; first = false {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if first {
				show = strings.HasPrefix(string(line), "GET "+seenPath)
			}
			if show {
				head = append(head, line...)
			}
			if len(line) <= 2 {
				break
			}
		}
		answer := page
		if show {
			answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(head), head)
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// runBare is the measure of all: a net/http server and a ReverseProxy with the transport
// and the buffers that the gateway has, and nothing else.
func runBare(upstream string) error {
	u, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(u)
			p.SetXForwarded()
			p.Out.Host = p.In.Host
		},
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    256,
			IdleConnTimeout:        time.Second,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: 1 << 20,
		},
		BufferPool: &buffers{},
	}
	fmt.Println("http://" + l.Addr().String() + "/")
	s := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	return s.Serve(l)
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// part is this program as one of the processes of the measurement; it does not return
// while that goes on.
func part(args []string) error {
	switch {
	case args[0] == partLeast && len(args) == 1:
		return runLeast()
	case args[0] == partService && len(args) == 1:
		return runService()
	case args[0] == partBare && len(args) == 2:
		return runBare(args[1])
	}
	return fmt.Errorf("there is no part %q", args)
}

// The parts.
const (
	partLeast   = "least"
	partService = "service"
	partBare    = "bare"
)

// self is the path of this program.
func self() (string, error) { return os.Executable() }
