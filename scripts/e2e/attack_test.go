package e2e

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores/backend"
)

const (
	mallory   = "mallory" // whom an attacker would like to be taken for
	host      = "shop.example.org"
	loginPage = "https://login.example.org/?came_from="
	apiToken  = "api-token-of-the-attack-test"
	opToken   = "operator-token-of-the-attack-test"
	secret    = "secret-of-the-attack-test"
)

// target is a gobeaker with everything switched on, before an application that writes down
// what reaches it.
type target struct {
	program *program
	places  map[string]string // where it listens: "gateway", "forward-auth", "api", "admin"
	data    string            // the directory of the sessions
	manager *compat.Manager
	secrets []string // to be found in no log

	mu   sync.Mutex
	seen []*http.Request
}

const attacked = `
listen = "127.0.0.1:0"
[server]
h2c = true
[admin]
listen = "127.0.0.1:0"
inspector = true
pprof = true
token_files = ["operator"]
[api]
listen = "127.0.0.1:0"
token_files = ["api"]
[forward_auth]
listen = "127.0.0.1:0"
policy = "users"
[[forward_auth.rule]]
prefix = "/staff"
policy = "staff"
[[forward_auth.rule]]
prefix = "/public"
policy = "everybody"

[session]
type = "file"
data_dir = "sessions"
key = "demo"
secret = "secret-of-the-attack-test"
timeout = 3600
editable = true

[assertion]
issuer = "https://shop.example.org"
key_files = ["key.pem"]

[policy.users]
require = ["user_id"]
login = "https://login.example.org/?came_from={url}"
login_hosts = ["shop.example.org"]
[policy.users.headers]
Remote-User = "user_id"
X-Groups = "groups"
[policy.users.assertion]
audience = "shop"
subject = "user_id"

[policy.staff]
require = ["user_id"]
groups = "groups"
any_group = ["staff"]
[policy.staff.headers]
Remote-User = "user_id"

[policy.everybody.headers]
Remote-User = "user_id"
`

// routes of the gateway by which an application is reached, and whether it is told who the
// visitor is.
var routes = []struct {
	path string
	told bool
}{{"/", false}, {"/shop/", true}, {"/api/x", true}, {"/shared/", false}, {"/public/", true}}

func startTarget(t *testing.T, programs string) *target {
	t.Helper()
	g := &target{}
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // for its trailers
		g.mu.Lock()
		defer g.mu.Unlock()
		g.seen = append(g.seen, r)
	}))
	t.Cleanup(application.Close)
	dir := t.TempDir()
	g.data = filepath.Join(dir, "sessions")
	write(t, dir, "operator", opToken+"\n")
	write(t, dir, "api", apiToken+"\n")
	writeKey(t, dir, "key.pem")
	to := fmt.Sprintf("upstream = %q\n", application.URL)
	write(t, dir, "gobeaker.toml", attacked+
		route("open", to)+
		route("shop", "prefix = \"/shop\"\npolicy = \"users\"\n"+to)+
		route("staff", "prefix = \"/staff\"\npolicy = \"staff\"\n"+to)+
		route("api", "prefix = \"/api\"\nstrip_prefix = true\nhide_session_cookie = true\npolicy = \"users\"\n"+to)+
		route("public", "prefix = \"/public\"\npolicy = \"everybody\"\n"+to)+
		route("here", "prefix = \"/shared\"\nweight = 1\n"+to)+
		route("there", "prefix = \"/shared\"\nweight = 1\n"+to)+
		route("items", "prefix = \"/items\"\n"+to)+
		route("delete items", "prefix = \"/items\"\nmethods = [\"DELETE\"]\npolicy = \"staff\"\n"+to)+
		route("session", "prefix = \"/session\"\nupstream = \"builtin:session\"\n")+
		route("keys", "prefix = \"/keys\"\nupstream = \"builtin:jwks\"\n"))

	o := compat.Defaults()
	o.Type, o.DataDir, o.Key, o.Secret = "file", g.data, cookieName, secret
	store, err := backend.Open(o)
	require.NoError(t, err)
	g.manager, err = compat.New(o, store, compat.Environment{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	g.secrets = []string{apiToken, opToken, secret}
	g.program = start(t, dir, filepath.Join(programs, "gobeaker"), "serve")
	g.places = g.program.places(t, 3)
	return g
}

// login makes a session and returns its Cookie header.
func (g *target) login(t *testing.T, user string, groups ...any) string {
	t.Helper()
	object := g.manager.Open("")
	session, err := object.Session(t.Context())
	require.NoError(t, err)
	require.NoError(t, session.Set("user_id", user))
	require.NoError(t, session.Set("groups", groups))
	session.Save()
	require.NoError(t, object.Persist(t.Context()))
	line, ok := object.SetCookie()
	require.True(t, ok)
	cookie, _, _ := strings.Cut(strings.TrimSpace(line), ";")
	g.secrets = append(g.secrets, strings.TrimPrefix(cookie, cookieName+"="), session.ID())
	return "Cookie: " + cookie
}

// user is who is logged in by a Cookie header; "" if nobody is.
func (g *target) user(t *testing.T, cookie string) string {
	t.Helper()
	view, err := g.manager.Open(strings.TrimPrefix(cookie, "Cookie: ")).Peek(t.Context())
	require.NoError(t, err)
	user, _ := compat.Get[string](view, "user_id")
	return user
}

// take returns what has reached the application since the last time.
func (g *target) take() []*http.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := g.seen
	g.seen = nil
	return seen
}

// at is the address of a place.
func (g *target) at(t *testing.T, place string) string {
	t.Helper()
	u, err := url.Parse(g.places[place])
	require.NoError(t, err)
	return u.Host
}

// answer is a response, read to its end.
type answer struct {
	*http.Response
	body string
}

// send sends a request as it stands and returns the first answer.
func (g *target) send(t *testing.T, place, line string, headers ...string) answer {
	t.Helper()
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(strings.ToLower(h), "host:") }) {
		name := host
		if place == "api" || place == "admin" {
			name = g.at(t, place)
		}
		headers = append([]string{"Host: " + name}, headers...)
	}
	all := g.sendRaw(t, place, line+" HTTP/1.1\r\n"+strings.Join(headers, "\r\n")+"\r\nConnection: close\r\n\r\n")
	require.NotEmpty(t, all, "%s %q", line, headers)
	return all[0]
}

// sendRaw sends bytes, of which the last are a request that ends the connection, and returns
// all answers.
func (g *target) sendRaw(t *testing.T, place, raw string) (all []answer) {
	t.Helper()
	conn, err := net.Dial("tcp", g.at(t, place))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(hangs)))
	_, err = io.WriteString(conn, raw)
	require.NoError(t, err)
	for in := bufio.NewReader(conn); ; {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return all
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		all = append(all, answer{response, string(body)})
	}
}

// testAttacks is an attacker who can send what he likes to every address of a gobeaker, and
// lead the browsers of others there. Nothing of it gets through.
func testAttacks(t *testing.T, programs string) {
	g := startTarget(t, programs)
	t.Run("identity", func(t *testing.T) { testIdentity(t, g) })
	t.Run("identity over HTTP2", func(t *testing.T) { testIdentityHTTP2(t, g) })
	t.Run("identity by forward-auth", func(t *testing.T) { testIdentityForwardAuth(t, g) })
	t.Run("paths", func(t *testing.T) { testPaths(t, g) })
	t.Run("smuggling", func(t *testing.T) { testSmuggling(t, g) })
	t.Run("redirects", func(t *testing.T) { testRedirects(t, g) })
	t.Run("fixation", func(t *testing.T) { testFixation(t, g) })
	t.Run("other sites", func(t *testing.T) { testOtherSites(t, g) })
	t.Run("without a token", func(t *testing.T) { testWithoutToken(t, g) })
	t.Run("outage", func(t *testing.T) { testStoreDown(t, g) })
	t.Run("traces", func(t *testing.T) { testTraces(t, g) })
}

// keys are those that the gateway publishes.
func (g *target) keys(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	a := g.send(t, "gateway", "GET /keys")
	require.Equal(t, 200, a.StatusCode)
	var keys jose.JSONWebKeySet
	decode(t, a.body, &keys)
	require.NotEmpty(t, keys.Keys)
	return keys
}

// requireToldOnly requires of what reached the application that nothing in it, by whatever
// spelling of a name, says who the visitor is, but the gateway: that it is user, or nobody.
func requireToldOnly(t *testing.T, keys jose.JSONWebKeySet, r *http.Request, user string, context ...any) {
	t.Helper()
	told := map[string][]string{}
	for _, h := range []http.Header{r.Header, r.Trailer} {
		for name, values := range h {
			require.Regexp(t, `^[A-Za-z0-9-]+$`, name, context...)
			told[strings.ToLower(name)] = append(told[strings.ToLower(name)], values...)
		}
	}
	if user == "" {
		require.Empty(t, told["remote-user"], context...)
		require.Empty(t, told["x-groups"], context...)
		require.Empty(t, told["x-gobeaker-assertion"], context...)
		return
	}
	require.Equal(t, []string{user}, told["remote-user"], context...)
	require.LessOrEqual(t, len(told["x-gobeaker-assertion"]), 1, context...)
	for _, text := range told["x-gobeaker-assertion"] {
		token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.EdDSA})
		require.NoError(t, err, context...)
		var claims jwt.Claims
		require.NoError(t, token.Claims(keys, &claims), context...)
		require.Equal(t, user, claims.Subject, context...)
	}
}

// While the store is down nobody gets in, nobody is somebody else, and nobody is logged out.
func testStoreDown(t *testing.T, g *target) {
	ada := g.login(t, "ada", "staff")
	require.NoError(t, os.Rename(g.data, g.data+".away"))
	require.NoError(t, os.WriteFile(g.data, nil, 0o600))
	token := "Authorization: Bearer " + apiToken
	for _, c := range [][]string{
		{"gateway", "GET /shop/", ada}, {"gateway", "GET /staff/", ada, "Accept: text/html"}, {"gateway", "POST /api/x", ada, "Content-Length: 0"},
		{"gateway", "GET /public/", ada}, {"gateway", "GET /session/", ada},
		{"forward-auth", "GET /auth", ada, "X-Original-URL: http://" + host + "/shop/", "X-Original-Method: GET"},
		{"forward-auth", "GET /ext-authz/staff/", ada, "X-Forwarded-Proto: http"}, {"forward-auth", "GET /userinfo", ada},
		{"api", "GET /v1/session", ada, token}, {"api", "DELETE /v1/session", ada, token},
		{"admin", "GET /ready"},
	} {
		a := g.send(t, c[0], c[1], c[2:]...)
		require.Equal(t, 503, a.StatusCode, "%q", c)
		require.Empty(t, a.Header["Set-Cookie"], "%q", c)
		require.Empty(t, a.Header["Location"], "%q", c)
		require.Empty(t, a.Header["Remote-User"], "%q", c)
	}
	require.Empty(t, g.take())
	require.NoError(t, os.Remove(g.data))
	require.NoError(t, os.Rename(g.data+".away", g.data))
	require.Equal(t, 200, g.send(t, "gateway", "GET /staff/", ada).StatusCode, "still logged in")
	require.Len(t, g.take(), 1)
}

// After all of that the server is well, and nothing that is secret is in its log or in its
// metrics.
func testTraces(t *testing.T, g *target) {
	require.Equal(t, 200, g.send(t, "admin", "GET /ping").StatusCode)
	require.Eventually(t, func() bool { return g.send(t, "admin", "GET /ready").StatusCode == 200 }, hangs, 20*time.Millisecond)
	metrics := g.send(t, "admin", "GET /metrics").body
	require.Contains(t, metrics, "gobeaker_")
	log := g.program.log.String()
	require.NotEmpty(t, log)
	for _, s := range g.secrets {
		require.NotContains(t, log, s)
		require.NotContains(t, metrics, s)
	}
	require.NotContains(t, log, "panic")
}
