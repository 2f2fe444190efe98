package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

// A person at a service in JavaScript, which has nothing of Beaker: nginx asks gobeaker who
// may come in, by the configuration of docs/examples/forward-auth, and tells the service in
// a header; what it reads and writes of the session, it asks the API.
func testNginx(t *testing.T, programs string, b browser) {
	node := lookUp(t, "node", "nodejs")
	venv := choose(t, peers.Beakers(t), "py3.13-beaker1.14.1")
	dir, port := t.TempDir(), servers.FreePort(t)
	app := fmt.Sprintf("http://app.example.org:%d", port)
	python := startPython(t, dir, venv, files(t, dir), "cookie_domain = .example.org", app)
	login := fmt.Sprintf("http://login.example.org:%d", python.port)

	config := example(t, "gobeaker.toml", strings.NewReplacer(
		"127.0.0.1:9180", "127.0.0.1:0",
		`"user_id"`, `"user"`,
		"https://login.example.org/?", login+"/login?",
	))
	socket := filepath.Join(dir, "api.sock")
	write(t, dir, "api.token", "a-token-only-for-this-test\n")
	write(t, dir, "gobeaker.toml", fmt.Sprintf(`
listen = "127.0.0.1:0"
%s
[session]
ini = "demo.ini"
peer = %q
[api]
listen = %q
token_files = ["api.token"]
`, config, python.peer, "unix:"+socket))
	gobeaker := start(t, dir, filepath.Join(programs, "gobeaker"), "serve").places(t, 2)
	basket, err := filepath.Abs("testdata/basket.mjs")
	require.NoError(t, err)
	var service struct{ Port int }
	peers.Start(t, nil, node, basket, socket, filepath.Join(dir, "api.token")).Answer(t, &service)

	names := strings.NewReplacer(
		"listen 80;", fmt.Sprintf("listen 127.0.0.1:%d;", port),
		"$scheme://$host$request_uri", fmt.Sprintf("$scheme://$host:%d$request_uri", port), // of another port than 80
		"127.0.0.1:9180", strings.TrimSuffix(strings.TrimPrefix(gobeaker["forward-auth"], "http://"), "/"),
		"127.0.0.1:8000", "127.0.0.1:"+strconv.Itoa(service.Port),
	)
	servers.Nginx(t, port, map[string]string{
		"app.conf":               example(t, "nginx.conf", names),
		"gobeaker_visitor.conf":  example(t, "gobeaker_visitor.conf", names),
		"gobeaker_question.conf": example(t, "gobeaker_question.conf", names),
	})
	b.run(t, "nginx.py", map[string]any{
		"addresses": []string{app, login}, "url": app, "python": login, "cookie": cookieName,
	}, python.act)
}

// example returns a file of docs/examples/forward-auth with the names and ports of a test.
func example(t *testing.T, name string, names *strings.Replacer) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "examples", "forward-auth", name))
	require.NoError(t, err)
	return names.Replace(string(text))
}
