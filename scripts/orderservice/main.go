// Command orderservice is a Go program behind the gateway that knows nothing of Beaker: who
// its visitor is, the gateway tells it in a header and vouches for in a signed assertion
// (JWT), whose keys it publishes. It shows both on the one page that it has.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func main() {
	log.SetFlags(0)
	keys := flag.String("keys", "", "`URL` of the gateway's public keys (JWKS)")
	issuer := flag.String("issuer", "", "the gateway, as it names itself in assertions")
	audience := flag.String("audience", "orders", "this service, as they name it")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &gate{keys: *keys, issuer: *issuer, audience: *audience}); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, g *gate) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("orderservice: listen: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(g.show), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	port := map[string]int{"port": listener.Addr().(*net.TCPAddr).Port}
	if err := json.NewEncoder(os.Stdout).Encode(port); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("orderservice: serve: %w", err)
	}
	return nil
}

// gate knows whose word counts.
type gate struct{ keys, issuer, audience string }

// visitor returns who is named in an assertion of the gateway for this service. It asks for
// the keys each time; who has more visitors keeps them, and asks again for a kid that it
// does not know.
func (g *gate) visitor(ctx context.Context, assertion string) (string, error) {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.keys, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(http.MaxBytesReader(nil, response.Body, 1<<20)).Decode(&set); err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := token.Claims(set, &claims); err != nil {
		return "", err
	}
	if err := claims.Validate(jwt.Expected{Issuer: g.issuer, AnyAudience: jwt.Audience{g.audience}}); err != nil {
		return "", err
	}
	return claims.Subject, nil
}

// shown is what the page shows.
type shown struct{ Path, User, Vouched, Cookies string }

func (g *gate) show(w http.ResponseWriter, r *http.Request) {
	user, err := url.PathUnescape(r.Header.Get("Remote-User"))
	if err != nil || user == "" {
		http.Error(w, "Nobody says who you are.", http.StatusForbidden)
		return
	}
	vouched, err := g.visitor(r.Context(), r.Header.Get("X-Gobeaker-Assertion"))
	if err != nil || vouched != user {
		log.Printf("orderservice: assertion: %v", err)
		http.Error(w, "Nobody vouches for who you are.", http.StatusForbidden)
		return
	}
	v := shown{Path: r.URL.RequestURI(), User: user, Vouched: "by the gateway", Cookies: "none"}
	if r.Header.Get("Cookie") != "" {
		v.Cookies = "some"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
	if err := pageTemplate.Execute(w, v); err != nil {
		log.Printf("orderservice: page: %v", err)
	}
}

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>Orders</title></head><body><h1>This is Orders</h1>
<dl><dt>user</dt><dd>{{.User}}</dd><dt>vouched for</dt><dd>{{.Vouched}}</dd>
<dt>page</dt><dd>{{.Path}}</dd><dt>cookies</dt><dd>{{.Cookies}}</dd></dl>
<p><a href="/">Back to the Python application</a> <a href="/go/">Go on to the Go service</a></p></body></html>
`))
