package middleware_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// A Go service that shares its sessions with a Beaker application would use
// the options of that application's ini file and the same data_dir; here the
// sessions are in memory.
func Example() {
	options := compat.Defaults()
	options.Secret = "as in production.ini"
	manager, err := compat.New(options, memstore.New(), compat.Environment{})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
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
		fmt.Fprintln(w, "hello")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		session, err := middleware.Session(r)
		if err != nil {
			http.Error(w, "sessions are not available", http.StatusServiceUnavailable)
			return
		}
		if user, ok := compat.Get[string](session, "user"); ok {
			fmt.Fprintln(w, "you are", user)
			return
		}
		fmt.Fprintln(w, "nobody is logged in")
	})

	sessions := middleware.NewSessions(manager, middleware.SessionsOptions{})
	server := httptest.NewServer(sessions.Wrap(mux))
	defer server.Close()

	browser := &http.Client{}
	browser.Jar, _ = cookiejar.New(nil)
	for _, path := range []string{"/", "/login", "/"} {
		response, err := browser.Get(server.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Print(string(body))
	}
	// Output:
	// nobody is logged in
	// hello
	// you are eve
}
