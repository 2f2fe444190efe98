package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/watch"
)

// pingTime limits how long a reload waits for a store.
const pingTime = 10 * time.Second

// hangupPause is how long after a hangup further ones are only counted as one: each has
// the store opened anew, and who sends a hundred does not want a hundred of that.
const hangupPause = time.Second

// readTime limits how long a reload waits for the files: a server of files that does not
// answer, for one, would keep it from ever ending.
const readTime = 20 * time.Second

// follow has the configuration read again when its files change and at each hangup,
// until ctx ends. It returns at once; done is closed when all of it has ended.
func (s *Server) follow(ctx context.Context) (done <-chan struct{}) {
	ended := make(chan struct{})
	var all sync.WaitGroup
	if s.env.Handover != nil {
		all.Go(func() { s.obeyUpgrade(ctx) })
	}
	if s.env.Reload != nil {
		s.watch(ctx, &all)
		all.Go(func() { s.obey(ctx) })
	}
	go func() {
		all.Wait()
		close(ended)
	}()
	return ended
}

// obey reloads at hangups until ctx ends: at the first one at once.
func (s *Server) obey(ctx context.Context) {
	var pause <-chan time.Time // nil: there is none
	due := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.env.Hangup:
			due = true
		case <-pause:
			pause = nil
		}
		if due && pause == nil {
			due = false
			s.notifyReloading()
			s.reload(ctx, true)
			s.notifyReady()
			pause = s.env.After(hangupPause)
		}
	}
}

// obeyUpgrade has a new process take over when it is asked for, until ctx ends.
func (s *Server) obeyUpgrade(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.env.Upgrade:
		}
		now := s.now.Load()
		now.log.Info("a new process is to take over")
		if now.store != nil && now.store.inMemory() {
			now.log.Warn("the sessions are in the memory of this process: they end with it")
		}
		failed := make(chan error, 1)
		go func() { failed <- s.env.Handover.upgrade() }()
		select {
		case <-ctx.Done(): // Stop ends the upgrade
			return
		case err := <-failed:
			if err != nil {
				s.now.Load().log.Error("no new process took over: this one goes on", "error", err)
			}
		}
	}
}

// watch begins to watch the files of the configuration, if it has any.
func (s *Server) watch(ctx context.Context, all *sync.WaitGroup) {
	first := s.now.Load().files
	if len(first) == 0 {
		return
	}
	log := slog.New(presentLog{s})
	files, err := watch.New(watch.Options{Files: first, Settle: s.env.Settle, Logger: log, After: s.env.After})
	if err != nil {
		log.Warn("the files of the configuration are not watched", "error", err)
		return
	}
	s.files = files
	all.Go(func() { _ = files.Run(ctx, func() { s.reload(ctx, false) }) })
}

// reload reads the configuration again and, if it is good and another one, puts it in
// place of the present one. A hangup has a store opened anew that is the same, and takes
// up what is refused when nobody asked for it.
func (s *Server) reload(ctx context.Context, hangup bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := s.now.Load()
	s.owed = s.owed || hangup
	files, changed, err := s.change(ctx, present, hangup)
	if ctx.Err() == nil {
		s.metrics.Reloaded(err)
	}
	now := s.now.Load()
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		if hangup || err.Error() != s.failure { // said once, however often it is tried
			present.log.Error("configuration not reloaded: the one before stays", "error", err)
		}
	case len(changed) > 0:
		now.log.Info("configuration reloaded", now.outcome("changed", strings.Join(changed, " "))...)
	case s.owed:
		now.log.Info("configuration reloaded: nothing in it has changed", now.outcome()...)
	case s.failure != "":
		present.log.Info("configuration is good again, and the one that is in use")
	}
	s.failure = ""
	if err != nil {
		s.failure = err.Error()
	} else {
		s.owed = false
	}
	if s.files != nil {
		if err := s.files.Update(files, err); err != nil {
			present.log.Warn("the files of the configuration are not watched", "error", err)
		}
	}
}

// outcome adds to the arguments of a log line what a reload did with the store.
func (n *state) outcome(args ...any) []any {
	if n.came != "" {
		args = append(args, "store", n.came)
	}
	return args
}

// change is reload without the log of how it ended. It returns the files of the new
// configuration, also with an error, and the names of what changed.
func (s *Server) change(ctx context.Context, present *state, hangup bool) (files, changed []string, err error) {
	next, err := s.read(ctx)
	if next != nil {
		files = next.files
	}
	if err != nil {
		return files, nil, err
	}
	if !hangup {
		if err := s.checkLosses(present, next); err != nil {
			return files, nil, err
		}
	}
	changed = changes(present, next)
	if len(changed) > 0 || s.owed {
		ctx, cancel := context.WithTimeout(ctx, pingTime)
		defer cancel()
		if err := s.build(ctx, next, present, s.owed); err != nil {
			return files, nil, err
		}
		s.replace(present, next)
	}
	s.warnFixed(next)
	return files, changed, nil
}

// read reads and checks the configuration. It does not wait for ever, nor longer than ctx;
// a read that does not end is left alone, and until it does there is no other one. The
// state is nil if not even the files are known.
func (s *Server) read(ctx context.Context) (*state, error) {
	select {
	case s.reading <- struct{}{}:
	default:
		return nil, errors.New("server: the files of the configuration are still being read for the reload before")
	}
	var (
		n    *state
		err  error
		done = make(chan struct{})
	)
	go func() {
		defer close(done)
		defer func() { <-s.reading }() // first: who sees done may read again at once
		var c settings.Config
		if c, err = s.env.Reload(); err == nil {
			n, err = s.resolve(c)
		}
	}()
	select {
	case <-done:
		return n, err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.env.After(readTime):
		return nil, fmt.Errorf("server: the files of the configuration could not be read within %v", readTime)
	}
}

// replace has next answer from now on. What only present needs is closed when its last
// request has ended, those on upgraded connections included.
func (s *Server) replace(present, next *state) {
	s.now.Store(next)
	s.tell(next) // before the first request of a new route
	var idle []<-chan struct{}
	for name, p := range s.places {
		idle = append(idle, p.serving.Swap(next.handlers[name]))
		if m := mannerOf(&next.config, name); m != mannerOf(&present.config, name) {
			p.front.serve(m)
		}
	}
	if present.config.Limits.Memory != next.config.Limits.Memory {
		s.setMemoryLimit(&next.config)
	}
	present.gateway.Close() // its health checks, and connections that are idle
	s.drained.Go(func() {
		for _, idle := range idle {
			select {
			case <-idle:
			case <-s.ended:
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.release(present)
	})
}

// fixed are the settings that stay as they are without a restart.
var fixed = []string{"listen", "forward_auth.listen", "api.listen", "admin.listen", "limits.connections", "tracing.endpoint", "tracing.ratio", "tracing.service", "server.pid_file"}

// warnFixed says once what a configuration asks for that needs a restart.
func (s *Server) warnFixed(next *state) {
	first, now := s.fixed.Values(), next.config.Values()
	first["listen"], now["listen"] = "", s.addresses(&next.config)[mainPlace]
	if p := s.places[mainPlace]; p != nil {
		first["listen"] = p.address
	}
	for _, key := range fixed {
		if now[key] != first[key] && now[key] != s.refused[key] {
			next.log.Warn("this cannot be changed without a restart: the server stays where it is", "option", key, "in_use", public(key, first[key]), "asked_for", public(key, now[key]))
		}
		s.refused[key] = now[key]
	}
}

// public is the value of such a setting for the log: of a URL, which may have a password,
// only who is spoken to.
func public(key, value string) string {
	if key != "tracing.endpoint" || value == "" {
		return value
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return "(no URL)"
	}
	return u.Scheme + "://" + u.Host
}

// checkLosses refuses what looks like a file that is only half-written: that keys are gone,
// or that everybody may suddenly come in. What was never served, because it waits for a
// restart, cannot be lost.
func (s *Server) checkLosses(present, next *state) error {
	if present.store != nil || s.needsSessions(next) {
		if err := watch.CheckKeys(present.effective, next.effective); err != nil {
			return fmt.Errorf("server: [session]: %w; SIGHUP takes it up as it is", err)
		}
	}
	a, b := &present.material, &next.material
	for _, lost := range []struct {
		what         string
		before, then bool
	}{
		{"[assertion] has no key_files", len(a.signing) > 0, len(b.signing) > 0},
		{"[api] has no token", s.places[apiPlace] != nil && len(a.apiTokens) > 0, len(b.apiTokens) > 0},
		{"[admin] has no token", s.places[adminPlace] != nil && len(a.users) > 0, len(b.users) > 0},
		{"[server] has no tls_certificate", s.places[mainPlace] != nil && a.cert != nil, b.cert != nil},
	} {
		if lost.before && !lost.then {
			return fmt.Errorf("server: %s any more; if the file is not half-written, SIGHUP takes it up as it is", lost.what)
		}
	}
	for i := range present.config.Routes {
		r := &present.config.Routes[i]
		if !r.HasPolicy() || s.places[mainPlace] == nil {
			continue
		}
		kept := slices.ContainsFunc(next.config.Routes, func(o settings.Route) bool { return o.HasPolicy() && r.SameMatch(&o) })
		if !kept {
			return fmt.Errorf("server: what %s asks of visitors is not asked any more; if the file is not half-written, SIGHUP takes it up as it is", present.config.Name("route", strconv.Itoa(i)))
		}
	}
	return nil
}

// changes names what is not the same in two states, never with its value. What does not
// change without a restart is not among it.
func changes(a, b *state) []string {
	out := a.config.Changes(&b.config)
	out = slices.DeleteFunc(out, func(key string) bool { return slices.Contains(fixed, key) })
	x, y := &a.material, &b.material
	for _, file := range []struct {
		key  string
		same bool
	}{
		{"assertion.key_files", reflect.DeepEqual(x.signing, y.signing)},
		{"api.token_files", reflect.DeepEqual(x.apiTokens, y.apiTokens)},
		{"admin.token_files", reflect.DeepEqual(x.users, y.users)},
		{"route.tls", reflect.DeepEqual(x.upstream, y.upstream)},
		{"server.tls_certificate", reflect.DeepEqual(x.pair, y.pair)},
	} {
		if !file.same && !slices.Contains(out, file.key) && !(file.key == "route.tls" && slices.Contains(out, "route")) {
			out = append(out, file.key)
		}
	}
	if a.editable() != b.editable() {
		out = append(out, "session.editable")
	}
	return append(out, optionChanges(a.effective, b.effective)...)
}

func optionChanges(a, b *iniconf.Effective) []string {
	values, out := map[string]any{}, []string(nil)
	for _, o := range a.List() {
		values[o.Name] = o.Value
	}
	for _, o := range b.List() {
		if before, known := values[o.Name]; !known || !reflect.DeepEqual(before, o.Value) {
			out = append(out, "session."+o.Name)
		}
		delete(values, o.Name)
	}
	for name := range values {
		out = append(out, "session."+name)
	}
	slices.Sort(out)
	return out
}
