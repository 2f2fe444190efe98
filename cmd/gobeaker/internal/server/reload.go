package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

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
			s.reload(ctx, true)
			pause = s.env.After(hangupPause)
		}
	}
}

// watch begins to watch the files of the configuration, if it has any.
func (s *Server) watch(ctx context.Context, all *sync.WaitGroup) {
	first := s.now.Load().sessions.Files
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
	if n.store != "" {
		args = append(args, "store", n.store)
	}
	return args
}

// change is reload without the log of how it ended. It returns the files of the new
// configuration, also with an error, and the names of what changed.
func (s *Server) change(ctx context.Context, present *state, hangup bool) (files, changed []string, err error) {
	next, err := s.read(ctx)
	if next != nil {
		files = next.sessions.Files
	}
	if err != nil {
		return files, nil, err
	}
	c := next.config
	if !hangup {
		if err := watch.CheckKeys(present.sessions, next.sessions); err != nil {
			return files, nil, fmt.Errorf("server: [session]: %w; SIGHUP takes it up as it is", err)
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
	if c.Listen != s.asked && c.Listen != s.listen {
		next.log.Warn("this cannot be changed without a restart: the server stays where it is", "option", "listen")
	}
	s.asked = c.Listen
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
		var c Config
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
	idle := s.serving.Swap(next.handler)
	a, b := present.config.Server, next.config.Server
	if a.ReadHeaderTimeout != b.ReadHeaderTimeout || a.IdleTimeout != b.IdleTimeout {
		s.front.serve(b)
	}
	present.gateway.Close()
	s.drained.Go(func() {
		select {
		case <-idle:
		case <-s.ended:
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.release(present)
	})
}

// changes names what is not the same in two states, never with its value. Listen is not
// among it, because it does not change.
func changes(a, b *state) []string {
	var out []string
	differ := func(name string, x, y any) {
		if !reflect.DeepEqual(x, y) {
			out = append(out, name)
		}
	}
	differ("route", a.config.Routes, b.config.Routes)
	for _, table := range []struct {
		name string
		x, y any
	}{{"log", a.config.Log, b.config.Log}, {"server", a.config.Server, b.config.Server}} {
		x, y := reflect.ValueOf(table.x), reflect.ValueOf(table.y)
		for field := range x.Type().Fields() {
			differ(table.name+"."+field.Tag.Get("toml"), x.FieldByIndex(field.Index).Interface(), y.FieldByIndex(field.Index).Interface())
		}
	}
	differ("session", a.config.Session != nil, b.config.Session != nil)
	differ("session.editable", a.editable(), b.editable())
	return append(out, optionChanges(a.sessions, b.sessions)...)
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
