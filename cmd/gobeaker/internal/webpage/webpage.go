// Package webpage is what the built-in pages of "gobeaker serve" have in common: their
// look, how they show a session, and the headers that keep them from being misused. They
// load nothing and run no script.
package webpage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
)

//go:embed base.css
var baseCSS string

//go:embed tree.html
var treeHTML string

// Set are pages of one look. It is safe for concurrent use.
type Set struct {
	pages *template.Template
	csp   string
}

// New parses the files *.html. Beside what they define themselves there are the
// templates "style", for the head, and "tree", for a tree.Node in a list; css comes after
// what is common to all pages.
func New(files fs.FS, css string, funcs template.FuncMap) (*Set, error) {
	css = baseCSS + css
	t := template.New("").Funcs(template.FuncMap{"css": func() template.CSS { return template.CSS(css) }}).Funcs(funcs)
	if _, err := t.Parse(treeHTML); err != nil {
		return nil, fmt.Errorf("webpage: new: %w", err)
	}
	if _, err := t.ParseFS(files, "*.html"); err != nil {
		return nil, fmt.Errorf("webpage: new: %w", err)
	}
	hash := sha256.Sum256([]byte(css))
	return &Set{pages: t, csp: "default-src 'none'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(hash[:]) + "'"}, nil
}

// Render answers with the template of the name. With an error nothing has been sent.
func (s *Set) Render(w http.ResponseWriter, status int, name string, data any) error {
	var out bytes.Buffer
	if err := s.pages.ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("webpage: render: %w", err)
	}
	h := w.Header()
	Guard(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.csp)
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // who has gone away needs no answer
	return nil
}

// Guard sets the headers of every answer about a session, also of those that are no page.
func Guard(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// With no-referrer the forms' Origin would be null, by which a server on plain http
	// tells its own from others.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
}
