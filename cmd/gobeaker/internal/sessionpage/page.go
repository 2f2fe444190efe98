// Package sessionpage is the page that shows its visitor's session: what "gobeaker serve"
// answers with when it is told nothing, and the upstream builtin:session.
package sessionpage

import (
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/webpage"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
)

//go:embed page.html
var pageFiles embed.FS

// The keys and sizes of the page.
const (
	visitsKey   = "visits"
	maxForm     = 16 << 10 // bytes of a posted form
	maxKey      = 200      // characters
	maxValue    = 4000     // characters
	pageNodes   = 2000
	maxPageKeys = 1000
)

// page is the built-in application: it shows the session of who asks. An
// editable one counts the visits and changes keys as well. It uses the session
// as any handler behind package middleware does.
type page struct {
	pages    *webpage.Set
	shared   bool
	editable bool
	log      *slog.Logger
}

// Options are the options of [New].
type Options struct {
	Shared   bool // others may see the same sessions
	Editable bool // the page counts visits and changes keys
	Log      *slog.Logger
}

// New returns the page as a handler; it is to be wrapped with sessions and
// mounted with its prefix stripped.
func New(o Options) (http.Handler, error) {
	pages, err := webpage.New(pageFiles, "", nil)
	if err != nil {
		return nil, fmt.Errorf("sessionpage: %w", err)
	}
	p := &page{pages: pages, shared: o.Shared, editable: o.Editable, log: o.Log}
	mux := http.NewServeMux()
	if !o.Editable {
		mux.HandleFunc("GET /{$}", p.look)
		return mux, nil
	}
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("POST /{$}", p.change)
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// look shows the session and leaves it as it is: no counter, no access time, no
// cookie.
func (p *page) look(w http.ResponseWriter, r *http.Request) {
	v, err := middleware.Peek(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, v.Dict(), http.StatusOK, 0, "")
}

func (p *page) show(w http.ResponseWriter, r *http.Request) {
	s, ok := p.session(w, r)
	if !ok {
		return
	}
	visits, _ := compat.Get[int64](s, visitsKey)
	if r.Method == http.MethodGet {
		visits++
		if err := s.Set(visitsKey, visits); err != nil {
			p.fail(w, r, err)
			return
		}
		s.Save()
	}
	p.render(w, r, dictOf(s), http.StatusOK, visits, "")
}

func (p *page) change(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "This form is too large or malformed.", http.StatusBadRequest)
		return
	}
	s, ok := p.session(w, r)
	if !ok {
		return
	}
	if problem := apply(s, r.PostForm.Get); problem != "" {
		visits, _ := compat.Get[int64](s, visitsKey)
		p.render(w, r, dictOf(s), http.StatusUnprocessableEntity, visits, problem)
		return
	}
	s.Save()
	w.Header().Set("Location", "?") // the page itself, wherever it is mounted
	w.WriteHeader(http.StatusSeeOther)
}

// apply does what a form asks, or returns what is wrong with it, for the user.
func apply(s *compat.Session, form func(string) string) (problem string) {
	key, value := strings.TrimSpace(form("key")), form("value")
	action := form("action")
	if action == "logout" {
		s.Delete()
		return ""
	}
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Sprintf("Give a key of 1 to %d characters.", maxKey)
	case strings.HasPrefix(key, "_"):
		return "Keys that begin with an underscore are Beaker's own."
	case len(value) > maxValue:
		return fmt.Sprintf("A value has at most %d characters here.", maxValue)
	case !pyvalue.ValidText(key) || !pyvalue.ValidText(value):
		return "This is not UTF-8."
	}
	switch action {
	case "set":
		return set(s, key, form("type"), value)
	case "delete":
		if !s.Remove(key) {
			return fmt.Sprintf("There is no key %q in this session.", key)
		}
		return ""
	}
	return "This form asks for nothing that is known."
}

func set(s *compat.Session, key, kind, text string) (problem string) {
	if s.Len() >= maxPageKeys {
		return "This session is full. Delete a key first."
	}
	v, problem := parseValue(kind, text)
	if problem != "" {
		return problem
	}
	if err := s.Set(key, v); err != nil {
		return "This value cannot be kept."
	}
	return ""
}

func parseValue(kind, text string) (v pyvalue.Value, problem string) {
	word := strings.ToLower(strings.TrimSpace(text))
	switch kind {
	case "str", "":
		return pyvalue.Str(text), ""
	case "int":
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			return pyvalue.NewInt(n), ""
		}
		return nil, "An int is a whole number, such as 42."
	case "float":
		if f, err := strconv.ParseFloat(word, 64); err == nil {
			return pyvalue.Float(f), ""
		}
		return nil, "A float is a number, such as 1.5."
	case "bool":
		if word == "true" || word == "false" {
			return pyvalue.Bool(word == "true"), ""
		}
		return nil, "A bool is True or False."
	}
	return nil, "This Python type is not offered here."
}

// session returns the session, or answers that there is none to be had.
func (p *page) session(w http.ResponseWriter, r *http.Request) (*compat.Session, bool) {
	s, err := middleware.Session(r)
	if err != nil {
		p.fail(w, r, err)
		return nil, false
	}
	return s, true
}

func (p *page) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.log.ErrorContext(r.Context(), "session page", "error", err)
	status := http.StatusInternalServerError
	if errors.Is(err, stores.ErrUnavailable) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, "The session cannot be read now.", status)
}

func dictOf(s *compat.Session) *pyvalue.Dict {
	d := &pyvalue.Dict{}
	for k, v := range s.All() {
		d.Put(k, v)
	}
	return d
}

func (p *page) render(w http.ResponseWriter, r *http.Request, d *pyvalue.Dict, status int, visits int64, message string) {
	err := p.pages.Render(w, status, "page", map[string]any{
		"Tree":    tree.New(d, tree.Options{MaxNodes: pageNodes}),
		"Visits":  visits,
		"Message": message,
		"Python":  p.shared,
		"Edit":    p.editable,
		"Empty":   d.Len() == 0,
	})
	if err != nil {
		p.fail(w, r, err)
	}
}
