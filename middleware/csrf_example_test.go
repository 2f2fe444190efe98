package middleware_test

import (
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// The page and the one that its form is posted to may as well be one in Python
// and one in Go: the token is in the session that they share.
func ExampleCSRF() {
	page := template.Must(template.New("form").Parse(
		`<form method="POST"><input type="hidden" name="{{.Field}}" value="{{.Token}}">…`))
	csrf := middleware.PyramidCSRF()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /order", func(w http.ResponseWriter, r *http.Request) {
		session, err := middleware.Session(r)
		if err != nil {
			http.Error(w, "sessions are not available", http.StatusServiceUnavailable)
			return
		}
		token, err := csrf.Token(session)
		if err != nil {
			http.Error(w, "no forms today", http.StatusInternalServerError)
			return
		}
		_ = page.Execute(w, map[string]string{"Field": csrf.Field, "Token": token})
	})
	mux.HandleFunc("POST /order", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "ordered:", r.PostFormValue("what"))
	})

	server := httptest.NewServer(exampleSessions().Wrap(csrf.Protect(mux)))
	defer server.Close()
	browser := exampleBrowser()

	response, err := browser.Get(server.URL + "/order")
	if err != nil {
		log.Fatal(err)
	}
	html, _ := io.ReadAll(response.Body)
	response.Body.Close()
	_, value, _ := strings.Cut(string(html), `value="`)
	token, _, _ := strings.Cut(value, `"`)

	for _, form := range []url.Values{{"what": {"tea"}, "csrf_token": {token}}, {"what": {"tea"}}} {
		response, err := browser.PostForm(server.URL+"/order", form)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Print(response.Status, ": ", string(body))
	}
	// Output:
	// 200 OK: ordered: tea
	// 400 Bad Request: This form has expired or was sent from another site. Load its page again and send it once more.
}

// A message waits in the session for the next page, be that one in Python or in Go.
func ExampleFlash() {
	flash := middleware.WebHelpersFlash()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
		session, err := middleware.Session(r)
		if err == nil {
			err = flash.Push(session, middleware.FlashMessage{Category: "success", Text: "Your changes are saved."})
		}
		if err != nil {
			http.Error(w, "not saved", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		session, err := middleware.Session(r)
		if err != nil {
			http.Error(w, "sessions are not available", http.StatusServiceUnavailable)
			return
		}
		messages, err := flash.Pop(session)
		if err != nil { // a page is worth more than its messages
			log.Print(err)
		}
		for _, m := range messages {
			fmt.Fprintf(w, "[%s] %s\n", m.Category, m.Text)
		}
		fmt.Fprintln(w, "the page")
	})

	server := httptest.NewServer(exampleSessions().Wrap(mux))
	defer server.Close()
	browser := exampleBrowser()

	for range 2 {
		response, err := browser.Post(server.URL+"/save", "", nil)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Print(string(body))
	}
	response, err := browser.Get(server.URL + "/")
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	fmt.Print(string(body))
	// Output:
	// [success] Your changes are saved.
	// the page
	// [success] Your changes are saved.
	// the page
	// the page
}

// TurboGears' message is in a cookie of its own: no session is needed.
func ExampleWebFlash() {
	flash := middleware.TurboGearsFlash()

	saved := httptest.NewRecorder()
	if err := flash.Push(saved, middleware.FlashMessage{Category: "warning", Text: "Half of it is saved."}); err != nil {
		log.Fatal(err)
	}
	next := httptest.NewRequest("GET", "/", nil)
	next.AddCookie(saved.Result().Cookies()[0])

	page := httptest.NewRecorder()
	if m, ok := flash.Pop(page, next); ok {
		fmt.Printf("[%s] %s\n", m.Category, m.Text)
	}
	fmt.Println(page.Header().Get("Set-Cookie"))
	// Output:
	// [warning] Half of it is saved.
	// webflash=; Max-Age=0; Path=/; expires=Wed, 31-Dec-97 23:59:59 GMT; SameSite=Strict
}

func exampleSessions() *middleware.Sessions {
	options := compat.Defaults()
	options.Secret = "as in production.ini"
	manager, err := compat.New(options, memstore.New(), compat.Environment{})
	if err != nil {
		log.Fatal(err)
	}
	return middleware.NewSessions(manager, middleware.SessionsOptions{})
}

func exampleBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	return &http.Client{Jar: jar}
}
