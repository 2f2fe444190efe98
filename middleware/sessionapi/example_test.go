package sessionapi_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// The API goes on a listener of its own, which only services reach; a service passes on
// the Cookie header of its visitor, and to him the Set-Cookie of the answer.
func Example() {
	const bearer = "a-long-random-text-from-a-file"
	options := compat.Defaults()
	options.Secret = "as in production.ini"
	manager, err := compat.New(options, memstore.New(), compat.Environment{})
	if err != nil {
		log.Fatal(err)
	}
	api, err := sessionapi.New(sessionapi.Options{
		Sessions: middleware.NewSessions(manager, middleware.SessionsOptions{}),
		Tokens:   []string{bearer},
	})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(api)
	defer server.Close()

	ask := func(method, cookie, body string) (session, setCookie string) {
		req, err := http.NewRequest(method, server.URL+"/v1/session", strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		req.Header.Set("Cookie", cookie)
		req.Header.Set("Content-Type", "application/merge-patch+json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct{ Session json.RawMessage }
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			log.Fatal(err)
		}
		return string(answer.Session), res.Header.Get("Set-Cookie")
	}
	_, cookie := ask("PATCH", "", `{"user": "eve", "cart": {"apples": 2, "pears": 1}}`)
	_, _ = ask("PATCH", cookie, `{"cart": {"apples": null}}`)
	session, _ := ask("GET", cookie, "")
	fmt.Println(session)
	// Output: {"user":"eve","cart":{"pears":1}}
}
