package watch_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/watch"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// service is a Go program beside a Beaker application, with the sessions that the
// application's ini file describes.
type service struct {
	ini       string
	effective *iniconf.Effective // nil until the first load
	store     stores.Store
	sessions  *middleware.Sessions
	reloaded  chan struct{} // so that the example can wait
}

// load is what watch.Follow calls: it takes up what the ini file says now, or returns an
// error and leaves all as it is.
func (s *service) load() (files []string, err error) {
	conf, err := iniconf.Load(s.ini, iniconf.LoadOptions{LookupEnv: os.LookupEnv})
	if err != nil {
		return nil, err
	}
	next, err := conf.Effective()
	if err != nil {
		return next.Files, err
	}
	if s.effective != nil && reflect.DeepEqual(next.Options, s.effective.Options) {
		return next.Files, nil
	}
	if err := watch.CheckKeys(s.effective, next); err != nil { // it may be half-written
		return next.Files, err
	}
	store, err := s.open(next.Options)
	if err != nil {
		return next.Files, err // Follow tries it again every now and then
	}
	manager, err := compat.New(next.Options, store, compat.Environment{})
	if err != nil {
		if store != s.store {
			closeStore(store)
		}
		return next.Files, err
	}
	for _, w := range next.Warnings {
		log.Print("warning: ", w)
	}
	if s.sessions == nil {
		s.sessions = middleware.NewSessions(manager, middleware.SessionsOptions{})
	} else {
		_, idle := s.sessions.Swap(manager)
		if before := s.store; before != store {
			go func() {
				<-idle // requests under way still use it
				closeStore(before)
			}()
		}
		s.reloaded <- struct{}{}
	}
	s.effective, s.store = next, store
	return next.Files, nil
}

// open returns the present store if it is the one that the options describe, else a new
// one that answers.
func (s *service) open(o compat.Options) (stores.Store, error) {
	if s.effective != nil && backend.Same(o, s.effective.Options) {
		return s.store, nil
	}
	store, err := backend.Open(o)
	if err != nil {
		return nil, err
	}
	if p, ok := stores.As[stores.Pinger](store); ok {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Ping(ctx); err != nil {
			closeStore(store)
			return nil, err
		}
	}
	return store, nil
}

func closeStore(s stores.Store) {
	if c, ok := stores.As[io.Closer](s); ok {
		c.Close()
	}
}

// A Go service follows its production.ini: what is changed there holds from the next
// request on, without a restart.
func ExampleFollow() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ini := filepath.Join(dir, "production.ini")
	const text = "[app:main]\nuse = egg:Shop\nbeaker.session.data_dir = %(here)s/data\nbeaker.session.secret = s\n"
	write(ini, text)

	s := &service{ini: ini, reloaded: make(chan struct{})}
	if _, err := s.load(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- watch.Follow(ctx, watch.Options{Logger: slog.New(slog.DiscardHandler)}, s.load)
	}()

	server := httptest.NewServer(s.sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := middleware.Session(r)
		if err != nil {
			http.Error(w, "sessions are not available", http.StatusServiceUnavailable)
			return
		}
		if err := session.Set("user", "eve"); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		session.Save()
	})))
	defer server.Close()
	ask := func() {
		response, err := http.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
		cookie := response.Cookies()[0]
		fmt.Println(cookie.Name, cookie.HttpOnly)
	}

	ask()
	write(ini, text+"no ini at all\n") // logged, and nothing changes
	ask()
	write(ini, text[:strings.Index(text, "beaker.session.secret")]) // nor with this
	ask()
	write(ini, text+"beaker.session.httponly = true\nbeaker.session.key = shop\n")
	<-s.reloaded
	ask()
	stop()
	<-ended
	// Output:
	// beaker.session.id false
	// beaker.session.id false
	// beaker.session.id false
	// shop true
}

// write replaces a file in one step, as editors do.
func write(path, text string) {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		log.Fatal(err)
	}
}
