package server_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// signingKey makes a private key, PEM.
func signingKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Policies, keys and tokens change like everything else.
func TestReloadOfPolicies(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "user "+r.Header.Get("Remote-User")+" "+r.Header.Get("X-Name")+" "+strings.Repeat("signed", min(1, len(r.Header.Get("X-Gobeaker-Assertion")))))
	}))
	defer up.Close()
	const (
		page    = "[[route]]\nprefix = \"/_session\"\nupstream = \"builtin:session\"\n"
		session = "[session]\ntype = \"memory\"\nsecret = \"s\"\neditable = true\n"
		users   = "[policy.users]\nrequire = [\"user_id\"]\n"
	)
	route := "[[route]]\nupstream = \"" + up.URL + "\"\npolicy = \"users\"\n"
	all := func(more string) string { return page + route + session + users + more }
	r := follow(t, all("headers = { Remote-User = \"user_id\" }\n"), map[string]string{"key.pem": signingKey(t), "next.pem": signingKey(t)})
	client := browser(t)
	post(t, client, r.url+"_session", "action", "set", "key", "user_id", "value", "ann")
	_, body := get(t, client, r.url)
	require.Equal(t, "user ann  ", body)

	r.put(t, "gobeaker.toml", all("headers = { X-Name = \"user_id\" }\n"))
	r.event(t, "configuration reloaded", "changed=policy store=kept")
	_, body = get(t, client, r.url)
	require.Equal(t, "user  ann ", body)

	// Assertions, and the rotation of their keys.
	const signed = "[policy.users.assertion]\naudience = \"app\"\nsubject = \"user_id\"\n[assertion]\nissuer = \"https://gobeaker.example.org\"\nkey_files = [\"key.pem\"]\n" +
		"[[route]]\nprefix = \"/jwks.json\"\nupstream = \"builtin:jwks\"\n"
	r.put(t, "gobeaker.toml", all(signed))
	r.event(t, "configuration reloaded", "assertion.key_files")
	_, body = get(t, client, r.url)
	require.Equal(t, "user   signed", body)
	_, before := get(t, client, r.url+"jwks.json")
	require.Equal(t, 1, strings.Count(before, `"kid"`))
	r.put(t, "gobeaker.toml", all(strings.Replace(signed, `["key.pem"]`, `["key.pem", "next.pem"]`, 1)))
	r.event(t, "configuration reloaded", "changed=assertion.key_files")
	_, both := get(t, client, r.url+"jwks.json")
	require.Equal(t, 2, strings.Count(both, `"kid"`))
	r.put(t, "next.pem", signingKey(t))
	r.event(t, "configuration reloaded", "changed=assertion.key_files")
	r.put(t, "next.pem", "-----BEGIN PRIVATE KEY-----\nnonsense")
	r.event(t, "not reloaded", "[assertion]", "gobeaker.toml:")
	require.NoError(t, os.Remove(r.path("next.pem")))
	r.event(t, "not reloaded", "next.pem: no such file")
	r.put(t, "next.pem", signingKey(t))
	r.event(t, "configuration reloaded", "changed=assertion.key_files")

	// What looks half-written.
	r.put(t, "gobeaker.toml", page+"[[route]]\nupstream = \""+up.URL+"\"\n"+session+"[assertion]\nkey_files = [\"key.pem\"]\nissuer = \"https://gobeaker.example.org\"\n")
	r.event(t, "not reloaded", `what route \"/\" asks of visitors is not asked any more`, "SIGHUP")
	resp, _ := get(t, browser(t), r.url)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	r.put(t, "gobeaker.toml", all(""))
	r.event(t, "not reloaded", "[assertion] has no key_files any more")
	r.hangup <- syscall.SIGHUP
	r.event(t, "configuration reloaded", "assertion.key_files")
	r.put(t, "gobeaker.toml", all("allow = \"nonsense(\"\n"))
	r.event(t, "not reloaded", "[policy.users]", "gobeaker.toml:")
	_, body = get(t, client, r.url)
	require.Equal(t, "user   ", body)
	r.end(t)
	require.NotContains(t, r.log.String(), "PRIVATE KEY")
}

// Addresses stay, and that is said once.
func TestReloadOfAddresses(t *testing.T) {
	r := follow(t, pageRoute, nil)
	const moved = pageRoute + "[admin]\nlisten = \"127.0.0.1:1\"\n[limits]\nconnections = 5\n"
	r.put(t, "gobeaker.toml", moved+"[log]\naccess = false\n")
	r.event(t, "configuration reloaded", "changed=log.access ")
	r.put(t, "gobeaker.toml", moved)
	r.event(t, "configuration reloaded", "changed=log.access ")
	for _, option := range []string{"admin.listen", "limits.connections"} {
		require.Equal(t, 1, strings.Count(r.log.String(), "the server stays where it is\" option="+option), option)
	}
}

// A table that is taken away is taken up by a hangup only; its address answers nothing then.
func TestReloadWithoutATable(t *testing.T) {
	socket := shortDir(t) + "/api.sock"
	const session = pageRoute + "[session]\ntype = \"memory\"\nsecret = \"s\"\n"
	r := follow(t, session+"[api]\nlisten = \"unix:"+socket+"\"\ntoken_files = [\"token\"]\n", map[string]string{"token": "a-token-of-twenty-letters\n"})
	status := func(token string) int {
		q, err := http.NewRequest("GET", "http://localhost/v1/session", nil)
		require.NoError(t, err)
		q.Header.Set("Authorization", "Bearer "+token)
		resp, err := overSocket(t, socket).Do(q)
		require.NoError(t, err)
		read(t, resp)
		return resp.StatusCode
	}
	require.Equal(t, 200, status("a-token-of-twenty-letters"))
	r.put(t, "token", "another-token-of-more-letters\n")
	r.event(t, "configuration reloaded", "changed=api.token_files store=kept")
	require.Equal(t, http.StatusUnauthorized, status("a-token-of-twenty-letters"))
	require.Equal(t, 200, status("another-token-of-more-letters"))
	r.put(t, "gobeaker.toml", session)
	r.event(t, "not reloaded", "[api] has no token any more", "SIGHUP")
	require.Equal(t, 200, status("another-token-of-more-letters"))
	r.hangup <- syscall.SIGHUP
	r.event(t, "configuration reloaded", "api.token_files")
	require.Equal(t, http.StatusNotFound, status("another-token-of-more-letters"))
	r.end(t)
	require.NotContains(t, r.log.String(), "of-more-letters")
}

// Under systemd, a hangup is told with the time of the machine's clock.
func TestNotifyReloading(t *testing.T) {
	c := settings.Default()
	c.Listen = "127.0.0.1:0"
	hangup, states := make(chan os.Signal), make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	s, err := server.New(ctx, c, server.Environment{
		Stdout: in, Stderr: io.Discard, Getenv: func(string) string { return "" }, Hangup: hangup,
		Reload: func() (settings.Config, error) { return c, nil },
		Notify: func(state string) { states <- state },
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "READY=1", <-states)
	hangup <- syscall.SIGHUP
	require.Regexp(t, `^RELOADING=1\nMONOTONIC_USEC=\d+$`, <-states)
	require.Equal(t, "READY=1", <-states)
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, "STOPPING=1", <-states)
}
