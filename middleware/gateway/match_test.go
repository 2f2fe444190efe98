package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/middleware/identity"
)

func TestMatch(t *testing.T) {
	route := func(name string, r gateway.Route) gateway.Route {
		r.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) })
		return r
	}
	g := build(t, gateway.Options{Routes: []gateway.Route{
		route("any", gateway.Route{Prefix: "/"}),
		route("any/app", gateway.Route{Prefix: "/app"}),
		route("host", gateway.Route{Prefix: "/", Hosts: []string{"App.example.org.", "other.example.org"}}),
		route("wild", gateway.Route{Prefix: "/w", Hosts: []string{"*.example.org"}}),
		route("deep", gateway.Route{Prefix: "/w", Hosts: []string{"*.eu.example.org"}}),
		route("v6", gateway.Route{Prefix: "/", Hosts: []string{"[::1]"}}),
		route("get", gateway.Route{Prefix: "/m", Methods: []string{"GET", "PUT"}, Hosts: []string{"m"}}),
		route("post", gateway.Route{Prefix: "/m", Methods: []string{"POST"}, Hosts: []string{"m"}}),
		route("delete", gateway.Route{Prefix: "/m/x", Methods: []string{"DELETE"}, Hosts: []string{"m"}}),
		route("beta", gateway.Route{Prefix: "/app", Headers: map[string]string{"x-beta": "1"}}),
		route("beta de", gateway.Route{Prefix: "/app", Headers: map[string]string{"X-Beta": "1", "Accept-Language": "*"}}),
		route("gets", gateway.Route{Prefix: "/app", Methods: []string{"PATCH"}}),
	}})
	for _, c := range []struct {
		method, url string
		header      []string
		want        string
	}{
		{"GET", "http://x/", nil, "any"},
		{"GET", "http://x/app/y", nil, "any/app"},
		{"GET", "http://app.example.org/app", nil, "host"}, // the host goes before the prefix
		{"GET", "http://APP.Example.Org:8080/app", nil, "host"},
		{"GET", "http://app.example.org./app", nil, "host"},
		{"GET", "http://other.example.org/", nil, "host"},
		{"GET", "http://www.example.org/w/1", nil, "wild"},
		{"GET", "http://www.example.org/v", nil, "any"}, // wildcard's prefix does not fit
		{"GET", "http://a.b.example.org/w", nil, "wild"},
		{"GET", "http://a.eu.example.org/w", nil, "deep"},
		{"GET", "http://eu.example.org/w", nil, "wild"},
		{"GET", "http://example.org/w", nil, "any"},
		{"GET", "http://evilexample.org/w", nil, "any"},
		{"GET", "http://[::1]:8080/", nil, "v6"},
		{"GET", "http://x/app", []string{"X-Beta", "1"}, "beta"},
		{"GET", "http://x/app", []string{"X-Beta", "0"}, "any/app"},
		{"GET", "http://x/app", []string{"X-Beta", "0", "X-Beta", "1"}, "beta"},
		{"GET", "http://x/app", []string{"X-Beta", "1", "Accept-Language", "de"}, "beta de"},
		{"PATCH", "http://x/app", []string{"X-Beta", "1", "Accept-Language", "de"}, "gets"},
		{"HEAD", "http://m/m", nil, "get"},
		{"PUT", "http://m/m", nil, "get"},
		{"POST", "http://m/m", nil, "post"},
		{"DELETE", "http://m/m", nil, "any"},
		{"DELETE", "http://m/m/x", nil, "delete"},
		{"GET", "http://m/m/x", nil, "get"},
	} {
		body, err := io.ReadAll(ask(g, c.method, c.url, c.header...).Body)
		require.NoError(t, err)
		require.Equal(t, c.want, string(body), "%s %s %v", c.method, c.url, c.header)
	}
}

func TestMethodNotAllowed(t *testing.T) {
	g := build(t, gateway.Options{Routes: []gateway.Route{
		{Prefix: "/a", Methods: []string{"GET", "POST"}, Handler: named("a")},
		{Prefix: "/a", Methods: []string{"PUT"}, Hosts: []string{"*.example.org"}, Handler: named("b")},
	}})
	resp := ask(g, "DELETE", "http://www.example.org/a", "Accept", "application/json")
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	require.Equal(t, "GET, HEAD, POST, PUT", resp.Header.Get("Allow"))
	p := problem(t, resp)
	require.Equal(t, "about:blank", p.Type)
	require.Equal(t, "Method Not Allowed", p.Title)
	require.Equal(t, 405, p.Status)
	require.Equal(t, "GET, HEAD, POST", ask(g, "DELETE", "http://x/a").Header.Get("Allow"))
	require.Equal(t, http.StatusNotFound, ask(g, "DELETE", "http://x/b").StatusCode)
	for _, method := range []string{"TRACE", "CONNECT"} {
		require.Equal(t, http.StatusMethodNotAllowed, ask(g, method, "http://x/a").StatusCode)
	}
	require.Equal(t, http.StatusBadRequest, ask(g, "delete", "http://x/a").StatusCode, "for werkzeug it would be DELETE")
}

func TestHostThatIsNone(t *testing.T) {
	g := build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Handler: named("a")}, {Prefix: "/", Hosts: []string{"*.example.org"}, Handler: named("b")}}})
	for host, want := range map[string]int{"": 200, "a_b": 200, "x.example.org:": 200, ".example.org": 400, "a b.example.org": 400, "a:1:2": 400, "a@x.example.org": 400, "[::1": 400, "caf\u00e9": 400} {
		require.Equal(t, want, ask(g, "GET", "/", "Host", host).StatusCode, host)
	}
}

func TestNotFound(t *testing.T) {
	g := build(t, gateway.Options{NotFound: named("nobody"), Routes: []gateway.Route{{Prefix: "/a", Handler: named("a")}}})
	body, err := io.ReadAll(ask(g, "GET", "/b").Body)
	require.NoError(t, err)
	require.Equal(t, "nobody /b", string(body))
	require.Equal(t, http.StatusNotFound, problem(t, ask(build(t, gateway.Options{}), "GET", "/b", "Accept", "application/json, */*")).Status)
	require.Contains(t, ask(build(t, gateway.Options{}), "GET", "/b", "Accept", "text/html, application/json").Header.Get("Content-Type"), "text/html")
}

func TestNewRefusesMore(t *testing.T) {
	h := named("x")
	up := []string{"http://127.0.0.1:1"}
	world := newWorld(t)
	for name, c := range map[string]struct {
		routes []gateway.Route
		index  int
		want   string
	}{
		"same match":        {[]gateway.Route{{Prefix: "/", Handler: h}, {Prefix: "/a", Handler: h}, {Prefix: "/a/", Handler: h}}, 2, `route "/a/ #2": bad gateway configuration: there are two routes of this match: give all of them a weight`},
		"one host in two":   {[]gateway.Route{{Prefix: "/", Hosts: []string{"a", "b"}, Handler: h}, {Prefix: "/", Hosts: []string{"B."}, Handler: h}}, 1, "a,b/ has it, too"},
		"one method in two": {[]gateway.Route{{Prefix: "/", Methods: []string{"GET"}, Handler: h}, {Prefix: "/", Methods: []string{"HEAD", "PUT"}, Handler: h}}, 1, "hosts or methods"},
		"host twice":        {[]gateway.Route{{Prefix: "/", Hosts: []string{"a", "A."}, Handler: h}}, 0, "there twice"},
		"same name":         {[]gateway.Route{{Name: "n", Prefix: "/", Handler: h}, {Name: "n", Prefix: "/a", Handler: h}}, 1, "two routes of this name"},
		"one weight":        {[]gateway.Route{{Prefix: "/", Weight: weight(1), Handler: h}, {Prefix: "/", Handler: h}}, 1, "give all of them a weight"},
		"no weight at all":  {[]gateway.Route{{Prefix: "/", Weight: weight(0), Handler: h}, {Prefix: "/", Weight: weight(0), Handler: h}}, 0, "above 0"},
		"negative weight":   {[]gateway.Route{{Prefix: "/", Weight: weight(2), Handler: h}, {Prefix: "/", Weight: weight(-1), Handler: h}}, 1, "from 0 on"},
		"weight alone is 0": {[]gateway.Route{{Prefix: "/", Weight: weight(0), Handler: h}}, 0, "above 0"},
		"two stickies":      {[]gateway.Route{{Prefix: "/", Weight: weight(2), Sticky: "a", Handler: h}, {Prefix: "/", Weight: weight(1), Handler: h}}, 1, "same sticky"},
		"sticky alone":      {[]gateway.Route{{Prefix: "/", Sticky: "a", Handler: h}}, 0, "sticky is for"},
		"host with port":    {[]gateway.Route{{Prefix: "/", Hosts: []string{"a:80"}, Handler: h}}, 0, "without the port"},
		"host with scheme":  {[]gateway.Route{{Prefix: "/", Hosts: []string{"https://a"}, Handler: h}}, 0, "give a name"},
		"wild in between":   {[]gateway.Route{{Prefix: "/", Hosts: []string{"a.*.org"}, Handler: h}}, 0, "give a name"},
		"idn":               {[]gateway.Route{{Prefix: "/", Hosts: []string{"b\u00fccher.example"}, Handler: h}}, 0, "xn--"},
		"method":            {[]gateway.Route{{Prefix: "/", Methods: []string{"get"}, Handler: h}}, 0, "in capitals"},
		"trace":             {[]gateway.Route{{Prefix: "/", Methods: []string{"TRACE"}, Handler: h}}, 0, "never passed on"},
		"header":            {[]gateway.Route{{Prefix: "/", Headers: map[string]string{"X_Beta": "1"}, Handler: h}}, 0, "letters, digits and hyphens"},
		"prefix with ;":     {[]gateway.Route{{Prefix: "/a;b", Handler: h}}, 0, "plain path"},
		"prefix with //":    {[]gateway.Route{{Prefix: "/a//b", Handler: h}}, 0, "plain path"},
		"twice":             {[]gateway.Route{{Prefix: "/", Upstreams: []string{up[0], up[0]}}}, 0, "there twice"},
		"user":              {[]gateway.Route{{Prefix: "/", Upstreams: []string{"http://u:p@h"}}}, 0, "no user"},
		"base with dots":    {[]gateway.Route{{Prefix: "/", Upstreams: []string{"http://h/a/../b"}}}, 0, "no . or .."},
		"tls without https": {[]gateway.Route{{Prefix: "/", Upstreams: up, TLS: gateway.TLS{Insecure: true}}}, 0, "it has none"},
		"no authorities":    {[]gateway.Route{{Prefix: "/", Upstreams: []string{"https://h"}, TLS: gateway.TLS{CA: []byte("x")}}}, 0, "PEM"},
		"key is missing":    {[]gateway.Route{{Prefix: "/", Upstreams: []string{"https://h"}, TLS: gateway.TLS{Certificate: []byte("x")}}}, 0, "needs its key"},
		"bad certificate":   {[]gateway.Route{{Prefix: "/", Upstreams: []string{"https://h"}, TLS: gateway.TLS{Certificate: []byte("x"), Key: []byte("y")}}}, 0, "certificate and key"},
		"health":            {[]gateway.Route{{Prefix: "/", Upstreams: up, Health: &gateway.Health{}}}, 0, "the path to ask"},
		"health of handler": {[]gateway.Route{{Prefix: "/", Handler: h, Health: &gateway.Health{Path: "/"}}}, 0, "no health"},
		"retries":           {[]gateway.Route{{Prefix: "/", Upstreams: up, Retries: -1}}, 0, "not negative"},
		"cookie":            {[]gateway.Route{{Prefix: "/", Upstreams: up, HideCookies: []string{"a=b"}}}, 0, "name of a cookie"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gateway.New(gateway.Options{Routes: c.routes, Sessions: world.sessions})
			var re *gateway.RouteError
			require.True(t, errors.As(err, &re), "%v", err)
			require.Equal(t, c.index, re.Index)
			require.ErrorIs(t, err, gateway.ErrConfig)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "u:p", "no passwords")
		})
	}
	_, err := gateway.New(gateway.Options{Routes: []gateway.Route{{Prefix: "/", Handler: h, Identity: new(identity.Policy)}}})
	require.ErrorContains(t, err, "it needs sessions")
	_, err = gateway.New(gateway.Options{IdentityHeaders: []string{"Remote_User"}})
	require.ErrorIs(t, err, gateway.ErrConfig)
}
