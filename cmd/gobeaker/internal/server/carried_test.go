package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const apiToken = "a-token-of-twenty-letters"

// askAPI asks the session API at a socket for something that is to be done once.
func askAPI(t *testing.T, socket, cookie, key string) *http.Response {
	t.Helper()
	q, err := http.NewRequest("POST", "http://localhost/v1/session/flash", strings.NewReader(`{"framework":"pyramid","text":"x"}`))
	require.NoError(t, err)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+apiToken)
	q.Header.Set("Cookie", cookie)
	q.Header.Set("Idempotency-Key", key)
	resp, err := overSocket(t, socket).Do(q)
	require.NoError(t, err)
	read(t, resp)
	return resp
}

// What the API has done once is known after a reload as well.
func TestReloadKeepsAnswers(t *testing.T) {
	socket := shortDir(t) + "/api.sock"
	toml := pageRoute + "[session]\ntype = \"memory\"\nsecret = \"s\"\neditable = true\n[api]\nlisten = \"unix:" + socket + "\"\ntoken_files = [\"token\"]\n"
	r := follow(t, toml, map[string]string{"token": apiToken + "\n"})
	client := browser(t)
	get(t, client, r.url)
	cookie := client.Jar.Cookies(mustParse(t, r.url))[0].String()
	first := askAPI(t, socket, cookie, "once")
	require.Equal(t, http.StatusOK, first.StatusCode)
	require.Empty(t, first.Header["Idempotency-Replayed"])
	r.put(t, "gobeaker.toml", strings.Replace(toml, "secret = \"s\"\n", "secret = \"s\"\ntimeout = 600\n", 1)+"max_body = \"1MiB\"\n")
	r.event(t, "configuration reloaded", "api.max_body", "session.timeout")
	require.Equal(t, "true", askAPI(t, socket, cookie, "once").Header.Get("Idempotency-Replayed"))
	require.Empty(t, askAPI(t, socket, cookie, "twice").Header["Idempotency-Replayed"])
}

// What is said of lost traces is said in the log of the present configuration.
func TestReloadKeepsTracingInTheLog(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1") // milliseconds
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer collector.Close()
	toml := pageRoute + "[tracing]\nendpoint = \"" + collector.URL + "\"\n"
	r := follow(t, toml, nil)
	r.put(t, "gobeaker.toml", toml+"[log]\nformat = \"json\"\n")
	r.event(t, "configuration reloaded", `"changed":"log.format"`)
	get(t, browser(t), r.url)
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "traces are not sent") }, patience, time.Millisecond)
	require.Contains(t, r.log.String(), `"level":"WARN","msg":"traces are not sent`)
}

// What is known of upstreams is known after a reload: one that was ill gets no requests
// until it was asked again.
func TestReloadKeepsHealth(t *testing.T) {
	var silent atomic.Bool
	ended, end := context.WithCancel(t.Context())
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			io.WriteString(w, "answered")
			return
		}
		if silent.Load() {
			<-ended.Done()
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer up.Close()
	defer end()
	toml := "[[route]]\nupstream = \"" + up.URL + "\"\n[route.health]\npath = \"/health\"\ninterval = \"1h\"\ntimeout = \"1h\"\n"
	r := follow(t, toml, nil)
	status := func() int {
		resp, _ := get(t, browser(t), r.url)
		return resp.StatusCode
	}
	require.Eventually(t, func() bool { return status() == http.StatusServiceUnavailable }, patience, time.Millisecond)
	silent.Store(true)
	r.put(t, "gobeaker.toml", toml+"[log]\naccess = false\n")
	r.event(t, "configuration reloaded", "changed=log.access")
	require.Equal(t, http.StatusServiceUnavailable, status())
}

// What waits for a restart was never served, and so can be taken away again.
func TestReloadOfWhatWasNeverServed(t *testing.T) {
	const session = "[session]\ntype = \"memory\"\nsecret = \"s\"\n"
	admin := "[admin]\nlisten = \"127.0.0.1:1\"\ninspector = true\ntoken_files = [\"token\"]\n"
	api := "[api]\nlisten = \"127.0.0.1:1\"\ntoken_files = [\"token\"]\n"
	plain := "[[route]]\nupstream = \"http://127.0.0.1:1\"\n"
	only := "[session]\ntype = \"memory\"\nsecret = \"s\"\n[api]\nlisten = \"127.0.0.1:0\"\ntoken_files = [\"token\"]\n"
	for name, c := range map[string]struct{ before, more, option string }{
		"the API":             {pageRoute + session, api, "api.listen in_use=\"\" asked_for=127.0.0.1:1"},
		"the operators' page": {pageRoute + session, admin, "admin.listen in_use=\"\" asked_for=127.0.0.1:1"},
		"its sessions, too":   {plain, session + api, "api.listen in_use=\"\" asked_for=127.0.0.1:1"},
		"routes":              {only, plain + "require = [\"user_id\"]\n", "listen in_use=\"\" asked_for=127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := follow(t, c.before, map[string]string{"token": apiToken + "\n"})
			r.replace(t, "gobeaker.toml", c.before+c.more)
			r.event(t, "configuration reloaded")
			require.Contains(t, r.log.String(), "cannot be changed without a restart: the server stays where it is\" option="+c.option)
			r.replace(t, "gobeaker.toml", c.before+"[log]\naccess = false\n")
			r.event(t, "configuration reloaded", "log.access")
			require.NotContains(t, r.log.String(), "not reloaded")
		})
	}
}

// Routes that go for an address of proxies or services leave nothing for visitors, though
// that address has to wait for a restart.
func TestReloadWithoutRoutes(t *testing.T) {
	const forwardAuth = "[policy.users]\nrequire = [\"user_id\"]\n[forward_auth]\nlisten = \"127.0.0.1:1\"\npolicy = \"users\"\n"
	for name, others := range map[string]string{
		"forward-auth": forwardAuth,
		"the API":      "[api]\nlisten = \"127.0.0.1:1\"\ntoken_files = [\"token\"]\n",
	} {
		t.Run(name, func(t *testing.T) {
			const session = "[session]\ntype = \"memory\"\nsecret = \"s\"\n"
			r := follow(t, "[[route]]\nprefix = \"/app\"\nupstream = \"http://127.0.0.1:1\"\n"+session, map[string]string{"token": apiToken + "\n"})
			r.replace(t, "gobeaker.toml", session+others)
			r.event(t, "configuration reloaded")
			resp, _ := get(t, browser(t), r.url)
			require.Equal(t, http.StatusNotFound, resp.StatusCode)
		})
	}
}

// Values that may be secret are not in what is said of a change that needs a restart.
func TestReloadTellsNoPassword(t *testing.T) {
	r := follow(t, pageRoute, nil)
	r.put(t, "gobeaker.toml", pageRoute+"[tracing]\nendpoint = \"https://ann:hidden@collector.example.org/hidden?hidden\"\n[log]\naccess = false\n")
	r.event(t, "configuration reloaded")
	r.end(t)
	require.Contains(t, r.log.String(), "option=tracing.endpoint in_use=\"\" asked_for=https://collector.example.org\n")
	require.NotContains(t, r.log.String(), "hidden")
}
