package sessionapi_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

var update = flag.Bool("update", false, "write the output into the page anew")

const page = "../../docs/session-api.md"

// separator stands between the outputs of two commands.
const separator = "\x01\n"

// The commands of the page do what it says. They are those of one shell.
func TestPage(t *testing.T) {
	for _, tool := range []string{"curl", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			peers.Missing(t, fmt.Errorf("for the commands of the page: %w", err))
		}
	}
	source, err := os.ReadFile(page)
	require.NoError(t, err)
	source2, dir := string(source), t.TempDir()
	files := regexp.MustCompile("(?s)```js\n// ([a-z]+\\.mjs)\n(.*?)```")
	for _, m := range files.FindAllStringSubmatch(source2, -1) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o600))
	}
	blocks := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatchIndex(source2, -1)
	script, commands := "set -u\n", [][]string{}
	for _, b := range blocks {
		commands = append(commands, nil)
		for line := range strings.Lines(source2[b[2]:b[3]]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				script += "{\n" + command + "}\nprintf '\\001\\n'\n"
				commands[len(commands)-1] = append(commands[len(commands)-1], command)
			}
		}
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TOKEN="+token, "COOKIE="+servePage(t, filepath.Join(dir, "api.sock")))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	outputs := strings.Split(string(out), separator)

	var made strings.Builder
	at, next := 0, 0
	for i, b := range blocks {
		made.WriteString(source2[at:b[2]])
		for _, command := range commands[i] {
			made.WriteString("$ " + command + strings.ReplaceAll(outputs[next], "\r\n", "\n"))
			next++
		}
		at = b[3]
	}
	made.WriteString(source2[at:])
	require.Greater(t, next, 15)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(made.String()), 0o600))
		return
	}
	require.Equal(t, source2, made.String(), "go test ./middleware/sessionapi -run TestPage -update")
}

// servePage serves the API on a socket, the same each time, and returns the cookie of a
// visitor.
func servePage(t *testing.T, socket string) string {
	t.Helper()
	options := compat.Defaults()
	options.Key, options.Secret = "shop", "the secret of the page"
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	manager, err := compat.New(options, memstore.New(), compat.Environment{
		Now: func() time.Time { return now }, Random: rand.New(rand.NewSource(1)), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	object := manager.Open("")
	session, err := object.Session(context.Background())
	require.NoError(t, err)
	require.NoError(t, session.Set("user", "eve"))
	require.NoError(t, session.Set("cart", map[string]int{"apples": 2}))
	require.NoError(t, session.Set("since", time.Date(2024, 2, 29, 11, 30, 0, 0, time.UTC)))
	require.NoError(t, session.Set("_authentication_token", "313514387764277725466864420256917217459"))
	session.Save()
	require.NoError(t, object.Persist(context.Background()))
	line, _ := object.SetCookie()
	cookie, _, _ := strings.Cut(strings.TrimSpace(line), ";")

	handler, err := sessionapi.New(sessionapi.Options{Sessions: middleware.NewSessions(manager, middleware.SessionsOptions{}), Tokens: []string{token}})
	require.NoError(t, err)
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return cookie
}
