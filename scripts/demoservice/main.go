// Command demoservice is the Go half of scripts/demo: a net/http program that
// shares the sessions of a Python application. Everything that has to do with
// sessions is in sessions, load and change below; the rest is an ordinary web page.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores/backend"
)

func main() {
	ini := flag.String("ini", "", "the ini `file` of the Python application")
	peer := flag.String("peer", "auto", "the Beaker of the Python application, such as beaker-1.11/python3")
	prefix := flag.String("prefix", "/go", "`path` under which the gateway has this service")
	python := flag.String("python", "/", "`path` of the Python application, or empty if there is none")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *ini, *peer, page{Prefix: *prefix, Python: *python}); err != nil {
		log.SetFlags(0)
		log.Fatal(err)
	}
}

func run(ctx context.Context, ini, peer string, p page) error {
	sessions, err := sessions(ini, peer)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+p.Prefix+"/{$}", p.show)
	mux.HandleFunc("POST "+p.Prefix+"/{action}", p.change)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("demoservice: listen: %w", err)
	}
	server := &http.Server{Handler: sessions.Wrap(mux), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	port := map[string]int{"port": listener.Addr().(*net.TCPAddr).Port}
	if err := json.NewEncoder(os.Stdout).Encode(port); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("demoservice: serve: %w", err)
	}
	return nil
}

// sessions makes the session middleware from the Python application's own ini
// file: the same cookie, the same secret, the same store.
func sessions(ini, peer string) (*middleware.Sessions, error) {
	beaker, err := compat.ParsePeer(peer)
	if err != nil {
		return nil, err
	}
	config, err := iniconf.Load(ini, iniconf.LoadOptions{
		LookupEnv: os.LookupEnv, Beaker: beaker.Release(), Python: beaker.Python,
	})
	if err != nil {
		return nil, err
	}
	options, warnings, err := config.Session()
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		log.Printf("demoservice: %s", w)
	}
	options.Peer = beaker
	store, err := backend.Open(options)
	if err != nil {
		return nil, err
	}
	manager, err := compat.New(options, store, compat.Environment{})
	if err != nil {
		return nil, err
	}
	return middleware.NewSessions(manager, middleware.SessionsOptions{}), nil
}

// page is the one page of the service.
type page struct{ Prefix, Python string }

// shown is what the page shows.
type shown struct {
	page
	User    string
	Counter int
	Note    string
}

// load takes what is shown from the session.
func (p page) load(s *compat.Session) shown {
	v := shown{page: p, Note: "-"}
	v.User, _ = compat.Get[string](s, "user")
	v.Counter, _ = compat.Get[int](s, "counter")
	if note, ok := compat.Get[string](s, "note"); ok {
		v.Note = note
	}
	return v
}

func (p page) show(w http.ResponseWriter, r *http.Request) {
	session, err := middleware.Session(r)
	if err != nil {
		http.Error(w, "The sessions cannot be read now.", http.StatusServiceUnavailable)
		return
	}
	v := p.load(session)
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := pageTemplate.Execute(w, v); err != nil {
			log.Printf("demoservice: page: %v", err)
		}
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if v.User == "" {
		v.User = "nobody"
	}
	fmt.Fprintf(w, "Go with gobeaker\nuser:    %s\ncounter: %d\nnote:    %s\n", v.User, v.Counter, v.Note)
}

// change does what a form asks for and sends the browser back to the page.
func (p page) change(w http.ResponseWriter, r *http.Request) {
	session, err := middleware.Session(r)
	if err != nil {
		http.Error(w, "The sessions cannot be read now.", http.StatusServiceUnavailable)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 10_000)
	switch r.PathValue("action") {
	case "login":
		if name := r.FormValue("name"); name != "" {
			err = errors.Join(session.RegenerateID(), session.Set("user", name), session.Set("counter", 0))
		}
	case "count":
		n, _ := compat.Get[int](session, "counter")
		err = session.Set("counter", n+1)
	case "note":
		err = session.Set("note", r.FormValue("note"))
	case "logout":
		session.Delete()
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, "The session cannot be changed now.", http.StatusInternalServerError)
		return
	}
	session.Save()
	http.Redirect(w, r, p.Prefix+"/", http.StatusSeeOther)
}

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>gobeaker demo: Go</title><style>
body { font: 18px/1.5 system-ui, sans-serif; max-width: 34em; margin: 3em auto; padding: 0 1em }
h1 { border-left: .4em solid #00add8; padding-left: .5em } dt { float: left; opacity: .7 }
dd { margin-left: 6em; overflow-wrap: anywhere }
form { display: inline-block; margin: .3em .6em .3em 0 } input, button { font: inherit }
</style></head><body><h1>This is Go</h1><p>Go with gobeaker</p>
{{if .User}}<dl><dt>user</dt><dd>{{.User}}</dd><dt>counter</dt><dd>{{.Counter}}</dd><dt>note</dt><dd>{{.Note}}</dd></dl>
<form method="post" action="{{.Prefix}}/count"><button>Add 1 to the counter</button></form>
<form method="post" action="{{.Prefix}}/note"><label>A note <input name="note" required></label> <button>Leave a note</button></form>
<form method="post" action="{{.Prefix}}/logout"><button>Log out</button></form>
{{else}}<form method="post" action="{{.Prefix}}/login">
<label>Your name <input name="name" required autofocus></label> <button>Log in</button></form>{{end}}
{{with .Python}}<p><a href="{{.}}">&larr; Back to the Python application</a></p>{{end}}</body></html>
`))
