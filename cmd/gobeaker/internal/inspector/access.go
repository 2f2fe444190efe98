package inspector

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/http"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/webpage"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// visitor is who sent a request.
type visitor struct {
	browser string // the random value of its cookie
	user    string // who is logged in; "" if nobody is asked
	in      bool   // logged in, or nobody is asked
}

type visitorKey struct{}

func visitorOf(r *http.Request) visitor {
	v, _ := r.Context().Value(visitorKey{}).(visitor)
	return v
}

// admit decides who gets to the pages.
func (i *inspector) admit(origins *http.CrossOriginProtection) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		webpage.Guard(w.Header())
		if !forwarded.OwnName(r, i.Hosts) {
			i.audit(r, visitor{}, "request", "", refused, "why", "host")
			http.Error(w, "This name is not one by which the admin address may be called: use localhost or an address, or list it under hosts in [admin].", http.StatusMisdirectedRequest)
			return
		}
		if embedded(r) || origins.Check(r) != nil {
			i.audit(r, visitor{}, "request", "", refused, "why", "another site")
			http.Error(w, "This request comes from another site.", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, answered := i.visitor(w, r)
		switch {
		case answered:
			return
		case !v.in && r.URL.Path != i.base+"login":
			i.askLogin(w, r)
			return
		}
		i.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)))
	})
}

// maxBody bounds a posted form, in bytes.
const maxBody = 256 << 10

// embedded reports whether a page of another site loads this one as a part of itself, as
// a picture or in a frame: a link to it is no such thing (W3C Fetch Metadata).
func embedded(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// visitor finds out who it is, and gives a browser the cookie that its forms are bound to.
func (i *inspector) visitor(w http.ResponseWriter, r *http.Request) (v visitor, answered bool) {
	if c, err := r.Cookie(cookieName(r)); err == nil && validBrowser(c.Value) {
		v.browser = c.Value
	} else {
		v.browser = i.newBrowser(w, r)
	}
	if len(i.Users) == 0 {
		v.in = true
		return v, false
	}
	if r.Header.Get("Authorization") != "" {
		u, ok := i.Guard.bearer(w, r, i.Users, i.Client(r))
		if !ok {
			i.audit(r, v, "login", "", refused)
		}
		v.user, v.in = u.Name, ok
		return v, !ok
	}
	v.user, v.in = i.Guard.entered(v.browser, i.Users)
	return v, false
}

// cookieName has the port in it: browsers send the cookies of one port to all others.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil && strings.Trim(port, "0123456789") == "" {
		return "gobeaker_inspector_" + port
	}
	return "gobeaker_inspector"
}

const browserBytes = 18

func validBrowser(value string) bool {
	b, err := base64.RawURLEncoding.DecodeString(value)
	return err == nil && len(b) == browserBytes
}

// newBrowser gives a browser a new cookie and returns its value.
func (i *inspector) newBrowser(w http.ResponseWriter, r *http.Request) string {
	var b [browserBytes]byte
	rand.Read(b[:]) // never fails
	value := base64.RawURLEncoding.EncodeToString(b[:])
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: value, Path: i.base, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	return value
}

// askLogin leads to the login page, and from there back to this one.
func (i *inspector) askLogin(w http.ResponseWriter, r *http.Request) {
	to := i.base + "login"
	if r.Method == http.MethodGet {
		if next, err := i.Guard.seal("next", r.URL.RequestURI()); err == nil {
			to += "?next=" + next
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (i *inspector) loginPage(w http.ResponseWriter, r *http.Request, v visitor) {
	if v.in {
		http.Redirect(w, r, i.base, http.StatusSeeOther)
		return
	}
	i.render(w, r, v, http.StatusOK, "login", "Sign in", r.URL.Query().Get("next"), "")
}

func (i *inspector) login(w http.ResponseWriter, r *http.Request, v visitor) {
	if !i.form(w, r, v, "login") {
		return
	}
	client, next := i.Client(r), r.PostForm.Get("next")
	u, found := user(i.Users, strings.TrimSpace(r.PostForm.Get("token")))
	if !found && !i.Guard.mayTry(client) {
		i.audit(r, v, "login", "", refused, "why", "too many")
		w.Header().Set("Retry-After", "10")
		i.render(w, r, v, http.StatusTooManyRequests, "login", "Sign in", next, "There were too many wrong tokens from here. Wait a little and try again.")
		return
	}
	if !found {
		i.Guard.wrong(client)
		i.audit(r, v, "login", "", refused, "why", "token")
		i.render(w, r, v, http.StatusForbidden, "login", "Sign in", next, "This is not a token of this server.")
		return
	}
	v.user = u.Name
	i.Guard.leave(v.browser)
	i.Guard.enter(i.newBrowser(w, r), u) // another value than somebody may have planted
	i.audit(r, v, "login", "", ok)
	to := i.base
	i.Guard.open("next", next, &to)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (i *inspector) logout(w http.ResponseWriter, r *http.Request, v visitor) {
	if !i.form(w, r, v, "logout") {
		return
	}
	i.Guard.leave(v.browser)
	i.newBrowser(w, r)
	i.audit(r, v, "logout", "", ok)
	http.Redirect(w, r, i.base+"login", http.StatusSeeOther)
}

// form reads a posted form and checks that it is one of ours, made for this browser and
// for this action. It answers if not.
func (i *inspector) form(w http.ResponseWriter, r *http.Request, v visitor, action string) bool {
	if err := r.ParseForm(); err != nil {
		i.audit(r, v, word(action), "", refused, "why", "form")
		i.problem(w, r, v, http.StatusBadRequest, "This form cannot be read", "It is too large or malformed.")
		return false
	}
	if !i.Guard.validForm(v.browser, action, r.PostForm.Get("form")) {
		i.audit(r, v, word(action), "", refused, "why", "form")
		i.problem(w, r, v, http.StatusForbidden, "This form is not valid any more",
			"It was made for another browser window, or before the server was started anew. Nothing was done. Load the page again.")
		return false
	}
	return true
}

// word is the first of an action; a session's id may follow.
func word(action string) string {
	first, _, _ := strings.Cut(action, " ")
	return first
}
