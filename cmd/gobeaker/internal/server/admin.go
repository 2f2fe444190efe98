package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspector"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/stores"
)

// admin makes what operators see.
func (s *Server) admin(n *state) (http.Handler, error) {
	c := n.config.Admin
	client := func(r *http.Request) string {
		if a := n.trusted.Origin(r).Client; a.IsValid() {
			return a.String()
		}
		return "unix"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "pong") })
	mux.HandleFunc("GET /ready", s.ready)
	mux.Handle("GET /metrics", s.metrics.Handler())
	if c.Inspector {
		page, err := inspector.New("/inspector", inspector.Options{
			Manager: n.manager, Store: n.counted, Mask: c.InspectorMask, ReadOnly: c.ReadOnly, Numbers: s.numbers,
			Users: n.material.users, Hosts: c.Hosts, Guard: s.guard, Client: client, Version: s.env.Version, Audit: n.log, Now: s.env.Now,
		})
		if err != nil {
			return nil, fmt.Errorf("server: %s[admin]: %w: %w", n.config.At("admin"), settings.ErrConfig, err)
		}
		mux.Handle("/inspector/", page)
		mux.Handle("GET /inspector", http.RedirectHandler("/inspector/", http.StatusSeeOther))
		mux.Handle("GET /{$}", http.RedirectHandler("/inspector/", http.StatusSeeOther))
	}
	if c.Pprof {
		profiles := http.NewServeMux()
		profiles.HandleFunc("GET /debug/pprof/", pprof.Index)
		profiles.HandleFunc("GET /debug/pprof/cmdline", http.NotFound) // the arguments
		profiles.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		profiles.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		profiles.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
		profiles.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		var h http.Handler = profiles
		if len(n.material.users) > 0 {
			h = s.guard.Bearer(n.material.users, client, h)
		}
		mux.Handle("/debug/pprof/", h)
	}
	return ownNames(c.Hosts, mux), nil
}

// numbers are those of the metrics, as the inspector shows them.
func (s *Server) numbers() (out []inspector.Number) {
	for _, n := range s.metrics.Numbers() {
		out = append(out, inspector.Number(n))
	}
	return out
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}

// ownNames answers only who calls the server by an address, as localhost or by one of the
// names: not a page elsewhere whose name was pointed here.
func ownNames(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !forwarded.OwnName(r, names) {
			plain(w, http.StatusMisdirectedRequest, "this name is not one of [admin] hosts")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// How long the answer of a store is good, and how long it is waited for.
const (
	readyFor  = time.Second
	readyWait = 2 * time.Second
)

// readiness is what the store said last, so that it is not asked for every probe. The
// zero value is ready to use.
type readiness struct {
	mu    sync.Mutex
	store *openStore
	at    time.Time
	err   error
}

// ready answers 200 if requests are welcome, and 503 with a word why not.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "draining")
		return
	}
	switch err := s.readiness.check(r.Context(), s.now.Load().store, s.env.Now); {
	case err == nil:
		plain(w, http.StatusOK, "ready")
	case errors.Is(err, context.DeadlineExceeded):
		plain(w, http.StatusServiceUnavailable, "session store: no answer in time")
	default:
		plain(w, http.StatusServiceUnavailable, "session store: unavailable")
	}
}

// check asks the store, at most once in readyFor; others wait for that answer. It is not
// bound to the one who asks: who leaves early would give the others a wrong answer.
func (c *readiness) check(ctx context.Context, store *openStore, now func() time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := now(); c.store == store && !c.at.IsZero() && at.Sub(c.at) < readyFor {
		return c.err
	}
	var err error
	if store != nil {
		if p, ok := stores.As[stores.Pinger](store.Store); ok {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWait)
			err = p.Ping(ctx)
			cancel()
		}
	}
	c.store, c.at, c.err = store, now(), err
	return err
}
