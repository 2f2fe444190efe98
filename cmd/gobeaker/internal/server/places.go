package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/middleware"
)

// The places where the server answers. systemd gives its sockets these names
// (FileDescriptorName=), and metrics have them as labels.
const (
	mainPlace    = "gateway"
	forwardPlace = "forward-auth"
	apiPlace     = "api"
	adminPlace   = "admin"
)

// placeNames are in the order in which they are told and closed: operators look at the
// last one while the others drain.
var placeNames = []string{mainPlace, forwardPlace, apiPlace, adminPlace}

// place is where the server answers, from its beginning to its end.
type place struct {
	name    string
	address string // of the first configuration; "" if only systemd names one
	serving *middleware.Switch
	front   *front
}

// has reports whether a configuration with this address has a place: it or systemd names
// one, and the server had it from the beginning.
func (s *Server) has(name, address string) bool {
	return (address != "" || s.env.Sockets[name] != nil) && (s.places == nil || s.places[name] != nil)
}

// addresses are those of a configuration, by place. Where nothing is for visitors, and
// nobody said where they come, there is none for them.
func (s *Server) addresses(c *settings.Config) map[string]string {
	out := map[string]string{
		mainPlace: c.Listen, forwardPlace: c.ForwardAuth.Listen, apiPlace: c.API.Listen, adminPlace: c.Admin.Listen,
	}
	if len(c.Routes) == 0 && s.answersOthers(c) && !c.ListenGiven() {
		out[mainPlace] = ""
	}
	return out
}

// answersOthers reports whether proxies or services are, or are to be, answered at addresses
// of their own. Then no routes are no reason to show visitors the session page.
func (s *Server) answersOthers(c *settings.Config) bool {
	return c.ForwardAuth.Listen != "" || c.API.Listen != "" || s.has(forwardPlace, "") || s.has(apiPlace, "")
}

// modes are those of Unix sockets, by place.
func modes(c *settings.Config) map[string]settings.FileMode {
	return map[string]settings.FileMode{
		mainPlace: c.Server.SocketMode, forwardPlace: c.ForwardAuth.SocketMode, apiPlace: c.API.SocketMode, adminPlace: c.Admin.SocketMode,
	}
}

// listenAll opens the listeners of all places, or none.
func (s *Server) listenAll(ctx context.Context, c *settings.Config) (listeners map[string]net.Listener, err error) {
	listeners = map[string]net.Listener{}
	for _, name := range placeNames {
		p := s.places[name]
		if p == nil {
			continue
		}
		l, err := s.listen(ctx, p, fs.FileMode(modes(c)[name]))
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, err
		}
		listeners[name] = l
	}
	return listeners, nil
}

// addressOf is where a place listens: it may have moved in the configuration since, or be a
// socket of systemd, which is in none.
func (s *Server) addressOf(name string, c *settings.Config) string {
	var l net.Listener
	if p := s.places[name]; p != nil && p.front != nil {
		l = p.front.listener
	} else if l = s.env.Sockets[name]; l == nil {
		return s.addresses(c)[name]
	}
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}

// checkReach refuses what everybody could reach and is not meant so, by where the server
// really listens.
func (s *Server) checkReach(n *state) error {
	c := &n.config
	for _, at := range []struct {
		name, address string
		allowed       bool
	}{{adminPlace, c.Admin.Listen, c.Admin.AllowRemote}, {apiPlace, c.API.Listen, c.API.AllowRemote}} {
		if !s.has(at.name, at.address) || settings.Local(s.addressOf(at.name, c)) {
			continue
		}
		if running := s.places != nil; !at.allowed && !running {
			return fmt.Errorf("server: the socket %q can be reached from other machines: %w: bind it to 127.0.0.1, or say allow_remote = true in [%[1]s]", at.name, settings.ErrConfig)
		}
		if at.name == adminPlace && (c.Admin.Inspector || c.Admin.Pprof) && len(n.material.users) == 0 {
			return fmt.Errorf("server: %s[admin]: %w: other machines can reach it where it listens: the inspector and pprof need token_files or token_env there", c.At("admin"), settings.ErrConfig)
		}
	}
	return nil
}

// listen returns the listener of a place: that of systemd, the one of the process before,
// or a new one.
func (s *Server) listen(ctx context.Context, p *place, mode fs.FileMode) (net.Listener, error) {
	if l := s.env.Sockets[p.name]; l != nil {
		return l, s.env.Handover.add(p.name, ofSystemd, l)
	}
	if l, err := s.env.Handover.inherited(p.name, p.address); l != nil || err != nil {
		return l, err
	}
	network, address, err := settings.SplitAddress(p.address)
	if err != nil {
		return nil, fmt.Errorf("server: %s: %w", p.name, err)
	}
	var l net.Listener
	if network == "unix" {
		l, err = listenUnix(ctx, address, mode)
	} else {
		l, err = (&net.ListenConfig{}).Listen(ctx, network, address)
	}
	if err != nil {
		flag := "--listen"
		if p.name != mainPlace {
			flag = "--" + p.name + "-listen"
		}
		return nil, fmt.Errorf("server: listen: %w%s; choose another address with %s", err, listenHint(err), flag)
	}
	return l, s.env.Handover.add(p.name, p.address, l)
}

// listenUnix opens a Unix socket. A socket that nobody listens at any more, as a process
// leaves it that was killed, is replaced; any other file is not.
func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s: there is something else than a socket", path)
	default:
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		if err == nil {
			conn.Close()
			return nil, &os.PathError{Op: "listen", Path: path, Err: syscall.EADDRINUSE}
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, err
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return bindUnix(ctx, path, mode)
}

// listenHint says what probably keeps the server from listening.
func listenHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": another program listens there"
	case errors.Is(err, fs.ErrPermission):
		return ": ports below 1024 are for root"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": no such address on this machine"
	}
	return ""
}

// urlOf returns the address to open in a browser.
func urlOf(a net.Addr, secure bool) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// counting lets a stop know of handlers that may own their connection: Shutdown does not
// wait for those.
func (s *Server) counting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			s.upgraded.Add(1)
			defer s.upgraded.Done()
		}
		h.ServeHTTP(w, r)
	})
}
