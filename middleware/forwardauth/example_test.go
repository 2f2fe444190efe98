package forwardauth_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwardauth"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// nginx asks about a request that has no session.
func ExampleNew() {
	options := compat.Defaults()
	options.Secret = "as in production.ini"
	manager, err := compat.New(options, memstore.New(), compat.Environment{})
	if err != nil {
		log.Fatal(err)
	}
	users, err := identity.New(identity.Options{
		Name: "users", Require: []string{"user_id"}, Headers: []identity.Header{{Name: "Remote-User", Path: "user_id"}},
		Login: "https://login.example.org/?came_from={url}",
	})
	if err != nil {
		log.Fatal(err)
	}
	trusted, err := forwarded.Parse([]string{"loopback"})
	if err != nil {
		log.Fatal(err)
	}
	endpoints, err := forwardauth.New(forwardauth.Options{
		Sessions: middleware.NewSessions(manager, middleware.SessionsOptions{}), Default: users, Trusted: trusted,
	})
	if err != nil {
		log.Fatal(err)
	}

	server := httptest.NewServer(endpoints)
	defer server.Close()
	question, err := http.NewRequest("GET", server.URL+"/auth", nil)
	if err != nil {
		log.Fatal(err)
	}
	question.Header.Set("X-Original-Method", "GET")
	question.Header.Set("X-Original-URL", "https://app.example.org/cart")
	question.Header.Set("Accept", "text/html")
	answer, err := http.DefaultClient.Do(question)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	fmt.Println(answer.Header.Get("Location"))
	// Output:
	// 401 Unauthorized
	// https://login.example.org/?came_from=https%3A%2F%2Fapp.example.org%2Fcart
}
