package identity_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// A handler that lets the staff in, and says who they are to what stands behind it. The
// gateway and forward-auth do this by themselves.
func Example() {
	policy, err := identity.New(identity.Options{
		Require:  []string{"user.id"},
		Groups:   "user.groups",
		AnyGroup: []string{"staff"},
		Headers: []identity.Header{
			{Name: "Remote-User", Path: "user.id"},
			{Name: "Remote-Name", Path: "user.name", Encode: "percent"},
			{Name: "Remote-Groups", Path: "user.groups"},
		},
		Login: "https://login.example.org/?came_from={url}",
	})
	if err != nil {
		log.Fatal(err)
	}
	application := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range policy.Names() {
			fmt.Printf("  %s: %s\n", name, r.Header.Get(name))
		}
	})
	gate := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity.Delete(r.Header, policy.Names())
		view, err := middleware.Peek(r)
		d := policy.Decide(&identity.Request{
			Method: r.Method, Scheme: "https", Host: r.Host, URI: r.URL.RequestURI(), Header: r.Header,
			Page: identity.IsPage(r.Method, r.Header),
		}, view, err)
		fmt.Println(strings.TrimSpace(fmt.Sprintln(d.Status, d.Reason, d.Location)))
		switch d.Status {
		case http.StatusOK:
			for name, values := range d.Header {
				r.Header[name] = values
			}
			application.ServeHTTP(w, r)
		case http.StatusFound:
			http.Redirect(w, r, d.Location, d.Status)
		default:
			http.Error(w, http.StatusText(d.Status), d.Status)
		}
	})

	options := compat.Defaults()
	options.Secret = "as in production.ini"
	manager, err := compat.New(options, memstore.New(), compat.Environment{})
	if err != nil {
		log.Fatal(err)
	}
	handler := middleware.NewSessions(manager, middleware.SessionsOptions{}).Wrap(gate)
	visit := func(cookie string) {
		r := httptest.NewRequest("GET", "https://app.example.org/reports?year=2026", nil)
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Remote_User", "admin") // this visitor says who they are by themselves
		r.Header.Set("Cookie", cookie)
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	visit("")
	visit(login(manager, map[string]any{"id": 7, "name": "Zoë", "groups": []string{"users"}}))
	visit(login(manager, map[string]any{"id": 8, "name": "Ann", "groups": []string{"users", "staff"}}))
	// Output:
	// 302 there is no session https://login.example.org/?came_from=https%3A%2F%2Fapp.example.org%2Freports%3Fyear%3D2026
	// 403 in none of the groups
	// 200
	//   Remote-User: 8
	//   Remote-Name: Ann
	//   Remote-Groups: users,staff
}

// login makes a session, as the Python application would, and returns its cookie.
func login(manager *compat.Manager, user map[string]any) string {
	object := manager.Open("")
	session, err := object.Session(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Set("user", user); err != nil {
		log.Fatal(err)
	}
	session.Save()
	if err := session.Persist(context.Background()); err != nil {
		log.Fatal(err)
	}
	cookie, _ := object.SetCookie()
	cookie, _, _ = strings.Cut(cookie, ";")
	return cookie
}
