package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/sessionpage"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// openStore is a store that several states may share.
type openStore struct {
	stores.Store // nil: sessions in their cookies
	options      compat.Options
	users        int // states; guarded by Server.mu
}

// inMemory reports whether the sessions end with the process.
func (o *openStore) inMemory() bool {
	_, memory := stores.As[*memstore.Store](o.Store)
	return memory
}

// newSecret makes the secret of a server that was given none.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// needsSessions reports whether anything looks into sessions.
func (s *Server) needsSessions(n *state) bool {
	c := &n.config
	if len(c.Routes) == 0 || s.hasForwardAuth(c) || s.has(apiPlace, c.API.Listen) || s.has(adminPlace, c.Admin.Listen) && c.Admin.Inspector {
		return true
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Upstream == settings.BuiltinSession || r.HasPolicy() || r.Weight != nil {
			return true
		}
	}
	return false
}

// openSessions opens the configured sessions: once, for all that look into them.
func (s *Server) openSessions(ctx context.Context, n, before *state, reopen bool) error {
	o := n.effective.Options
	if n.config.Session == nil {
		o.HTTPOnly = true // nothing of Python's to agree with
	}
	if o.Secret == "" && (n.config.Session == nil || n.config.File() == "") {
		if s.secret == "" {
			s.secret = newSecret()
			if o.DataDir != "" {
				n.log.Warn("the sessions are signed with a new secret that ends with this process; set GOBEAKER_SECRET or secret_file to that of the Python applications")
			}
		}
		o.Secret = s.secret
	}
	if err := s.openStore(ctx, n, before, o, reopen); err != nil {
		return err
	}
	var counted stores.Store
	if n.store.Store != nil {
		counted = s.metrics.Store(kindOf(o), n.store.Store)
	}
	manager, err := compat.New(o, counted, compat.Environment{
		Now: s.env.Now, Logger: n.log, Observe: s.metrics.Session, ReadTimeout: sessionTime,
	})
	if err != nil {
		return fmt.Errorf("server: %s[session]: %w: %w", n.config.At("session"), settings.ErrConfig, err)
	}
	n.manager, n.counted = manager, counted
	n.sessions = middleware.NewSessions(manager, middleware.SessionsOptions{Logger: n.log, Refusals: s.refusals(n, before)})
	return nil
}

// sessionTime is how long a request waits for its session, whose lock a Python that hangs
// may hold, before it gets a 503.
const sessionTime = 10 * time.Second

// kindOf is the type of a store, as a label of metrics.
func kindOf(o compat.Options) string {
	if o.Type == "" && o.DataDir != "" {
		return "file"
	}
	return cmp.Or(o.Type, "memory")
}

// refusals returns the limit of bad signatures; what it knows of clients outlives a reload
// that leaves it as it is.
func (s *Server) refusals(n, before *state) *middleware.Refusals {
	l := n.config.Limits
	if l.RefusalsPerMinute == 0 {
		return nil
	}
	if before != nil && before.refused != nil && reflect.DeepEqual(l, before.config.Limits) && reflect.DeepEqual(n.trusted, before.trusted) {
		n.refused = before.refused
		return n.refused
	}
	n.refused = middleware.NewRefusals(middleware.RefusalOptions{
		PerMinute: l.RefusalsPerMinute, Burst: l.RefusalsBurst, Clients: l.RefusalsClients,
		Client:  func(r *http.Request) netip.Addr { return n.trusted.Origin(r).Client },
		Limited: s.metrics.Limited, Now: s.env.Now,
	})
	return n.refused
}

// openStore gives n the store of before if that is the same, else a new one that is there.
func (s *Server) openStore(ctx context.Context, n, before *state, o compat.Options, reopen bool) error {
	n.came = "new"
	if before != nil && before.store != nil && backend.Same(o, before.store.options) {
		n.came = "reopened"
		if before.store.inMemory() || !reopen {
			n.came = "kept"
			n.store = before.store
			n.store.users++
			return nil
		}
	}
	store, err := backend.Open(o)
	if err != nil {
		return fmt.Errorf("server: %s[session]: %w: %w", n.config.At("session"), settings.ErrConfig, err)
	}
	n.store = &openStore{Store: store, options: o, users: 1}
	if store == nil { // sessions in their cookies
		n.came = ""
	}
	if p, ok := stores.As[stores.Pinger](store); ok && !s.checking {
		if err := p.Ping(ctx); err != nil {
			return fmt.Errorf("server: session store: %w", err)
		}
	}
	return nil
}

// page makes the built-in page over the sessions.
func (n *state) page() (http.Handler, error) {
	page, err := sessionpage.New(sessionpage.Options{Shared: !n.store.inMemory(), Editable: n.editable(), Log: n.log})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return n.sessions.Wrap(page), nil
}

func (n *state) editable() bool { return n.config.Session == nil || n.config.Session.Editable }

// beginsUnknown reports whether sessions can begin here in a store that Python reads, and
// it is not said which Beaker that is.
func (n *state) beginsUnknown() bool {
	if n.store == nil || n.store.Store == nil { // no sessions, or in their cookies
		return false
	}
	o := n.effective.Options
	return (n.config.API.Listen != "" || n.editsOthers()) && !n.store.inMemory() && o.Peer.IsAuto() && o.EncryptKey == ""
}

// editsOthers reports whether the page changes sessions that are not its own.
func (n *state) editsOthers() bool {
	return n.hasPage && n.config.Session != nil && n.config.Session.Editable
}
