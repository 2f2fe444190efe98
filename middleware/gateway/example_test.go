package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// Who has logged in may see the account pages, and the application behind learns who it is
// by a header that no client can send.
func ExampleNew_identity() {
	options := compat.Defaults()
	options.Secret = "the secret of the Python application"
	manager, err := compat.New(options, memstore.New(), compat.Environment{})
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions := middleware.NewSessions(manager, middleware.SessionsOptions{})
	users, err := identity.New(identity.Options{
		Require: []string{"user_id"},
		Headers: []identity.Header{{Name: "Remote-User", Path: "user_id"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	account := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "account of %s, cookies: %q", r.Header.Get("Remote-User"), r.Header.Get("Cookie"))
	}))
	defer account.Close()
	login := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // as Python would
		s, err := middleware.Session(r)
		if err == nil {
			err = s.Set("user_id", "ann")
		}
		if err == nil {
			s.Save()
			fmt.Fprint(w, "hello")
		}
	})
	g, err := gateway.New(gateway.Options{Sessions: sessions, Routes: []gateway.Route{
		{Prefix: "/login", Handler: sessions.Wrap(login)},
		{Prefix: "/account", Upstreams: []string{account.URL}, Identity: users, HideCookies: []string{"beaker.session.id"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	cookie := ""
	for _, path := range []string{"/account", "/login", "/account"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Remote-User", "root")
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		fmt.Println(path, w.Code, strings.Split(w.Body.String(), "\n")[0])
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	}
	// Output:
	// /account 401 <!DOCTYPE html>
	// /login 200 hello
	// /account 200 account of ann, cookies: ""
}
