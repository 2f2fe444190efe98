package gateway

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
)

func nothingHere(w http.ResponseWriter, r *http.Request) {
	answer(w, r, http.StatusNotFound, "Nothing is served at this address.")
}

// refuse answers with fixed text, and notes why.
func refuse(w http.ResponseWriter, r *http.Request, status int, reason, text string) {
	noteReason(r, reason)
	answer(w, r, status, text)
}

// answer answers with fixed text: a page, or a problem (RFC 9457) for who accepts JSON but
// no page.
func answer(w http.ResponseWriter, r *http.Request, status int, text string) {
	write(w, r, status, text, text)
}

// answerLogin answers who is not logged in; login is the address of the login page, "" if
// there is none.
func answerLogin(w http.ResponseWriter, r *http.Request, login string) {
	const text = "Please log in first."
	page := text
	if login != "" {
		page = `Please <a href="` + html.EscapeString(login) + `">log in</a> first.`
	}
	write(w, r, http.StatusUnauthorized, text, page)
}

// write writes an answer: text, or for browsers what stands on the page in its place.
func write(w http.ResponseWriter, r *http.Request, status int, text, page string) {
	title := http.StatusText(status)
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if wantsJSON(r) {
		body, err := json.Marshal(struct {
			Type   string `json:"type"`
			Title  string `json:"title"`
			Status int    `json:"status"`
			Detail string `json:"detail"`
		}{"about:blank", title, status, text})
		if err == nil {
			h.Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			_, _ = w.Write(append(body, '\n'))
			return
		}
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(status)
	title = fmt.Sprintf("%d %s", status, title)
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>%s</title></head>
<body><main><h1>%s</h1><p>%s</p></main></body></html>
`, title, title, page)
}

func wantsJSON(r *http.Request) bool {
	json := false
	for _, line := range r.Header["Accept"] {
		if strings.Contains(line, "text/html") {
			return false
		}
		json = json || strings.Contains(line, "json")
	}
	return json
}
