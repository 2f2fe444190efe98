package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

// authPart measures forward-auth beside others that answer the same question.
func (b *bench) authPart() error {
	title("Forward-auth: who is this?")
	kinds, err := keepers(b.dir, "", b.howMany(200))
	if err != nil {
		return err
	}
	subjects, err := b.gunicorns(kinds[kindFile])
	if err != nil {
		return err
	}
	for _, v := range []authVariant{
		{"forward-auth, files", kindFile, false},
		{"forward-auth, files, reconnecting", kindFile, true},
		{"forward-auth, cookie-only", kindCookie, false},
	} {
		s, err := b.startAuth(v, kinds[v.kind])
		if err != nil {
			return err
		}
		subjects = append(subjects, s)
	}
	proxy, err := b.oauth2Proxy(min(b.howMany(200), 200))
	if err != nil {
		return err
	}
	if proxy != nil {
		subjects = append(subjects, proxy)
	}
	if err := b.measure(subjects); err != nil {
		return err
	}
	report(subjects)
	return nil
}

// question has what nginx adds to the visitor's request.
var question = []string{
	"X-Original-URL: https://app.example.org/shop/cart?item=1", "X-Original-Method: GET", "X-Forwarded-For: 192.0.2.7",
}

type authVariant struct {
	name, kind string
	reconnect  bool
}

func (b *bench) startAuth(v authVariant, k *kept) (*subject, error) {
	config := fmt.Sprintf("listen = \"127.0.0.1:0\"\n[forward_auth]\nlisten = \"127.0.0.1:0\"\npolicy = \"users\"\n[policy.users]\nrequire = [\"user_id\"]\n"+
		"[policy.users.headers]\n%s = \"username\"\n[log]\naccess = false\n[session]\n%s", userHeader, k.toml)
	p, at, err := b.startGobeaker(v.name, config, 2)
	if err != nil {
		return nil, err
	}
	return checked(&subject{name: v.name, process: p, target: target{
		address: at["forward-auth"], status: 200, reconnect: v.reconnect, requests: requests("/auth", k.cookies, question...),
	}}, "/auth", k.cookies[0], 401)
}

// checked looks whether a subject knows who has a session, and who has none.
func checked(s *subject, path, cookie string, stranger int) (*subject, error) {
	for _, known := range []bool{true, false} {
		want := s.status
		if !known {
			cookie, want = "none=1", stranger
		}
		status, text, err := seen("http://"+s.address+path, cookie, question...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", s.name, err, s.process.said())
		}
		if status != want || strings.Contains(text, userName) != known {
			return nil, fmt.Errorf("%s: it does not do what is to be measured: %d %s", s.name, status, text)
		}
	}
	return s, nil
}

// gunicorns are the WSGI application under gunicorn: with Beaker's defaults, which write
// the time of each access, as a timeout needs it; without both; and with threads that keep
// connections.
func (b *bench) gunicorns(k *kept) ([]*subject, error) {
	var all []*subject
	for _, v := range []struct {
		name   string
		class  []string
		writes bool
	}{
		{"gunicorn, sync workers", []string{"sync"}, true},
		{"the same, no timeout, nothing written", []string{"sync"}, false},
		{"that, threads, connections kept", []string{"gthread", "--threads", "4", "--keep-alive", "75"}, false},
	} {
		p, address, err := b.gunicorn(b.subjects, v.name, k, k.options.Key, v.writes, v.class...)
		if err != nil {
			return nil, err
		}
		s, err := checked(&subject{name: v.name, process: p, target: target{
			address: address, status: 200, requests: requests("/auth", k.cookies, question...),
		}}, "/auth", k.cookies[0], 401)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// gunicorn starts the WSGI application, whose sessions are in files and named by the cookie
// key, and returns its address. class is that of the workers, and more arguments.
func (b *bench) gunicorn(on starter, name string, k *kept, key string, writes bool, class ...string) (*process, string, error) {
	venvs, _ := peers.Load()
	python, version := "", ""
	for _, v := range venvs {
		if v.Packages["gunicorn"] != "" && !v.Python2() {
			python, version = v.Exe, fmt.Sprintf("Beaker %s, gunicorn %s, Python %s", v.Beaker, v.Packages["gunicorn"], v.Python)
		}
	}
	if python == "" {
		return nil, "", errors.New("no environment with gunicorn: run scripts/setup-peers")
	}
	fmt.Printf("%s: %s\n", name, version)
	here, err := filepath.Abs(filepath.Join("scripts", "benchgateway"))
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(filepath.Join(here, "check.py")); err != nil {
		return nil, "", errors.New("run it from the root of the module")
	}
	set := map[string]any{
		"session.type": "file", "session.key": key, "session.data_dir": k.options.DataDir, "session.secret": secret, "session.save_accessed_time": writes,
	}
	if writes {
		set["session.timeout"] = int(timeout.Seconds())
	}
	options, err := json.Marshal(set)
	if err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p, err := on.start(b.dir, name, nil, python, append([]string{
		"-m", "gunicorn", "--bind", address, "--workers", fmt.Sprint(b.processors), "--log-level", "warning",
		"--pythonpath", here, "--env", "BEAKER_OPTIONS=" + string(options), "check:application", "--worker-class",
	}, class...)...)
	if err != nil {
		return nil, "", err
	}
	return b.keep(p), address, awaitPort(p, port)
}

// oauth2Proxy is oauth2-proxy with sessions in its own cookies, which it makes itself: the
// visitors log in by a provider that is here. It is nil if it cannot be built.
func (b *bench) oauth2Proxy(sessions int) (*subject, error) {
	const name = "oauth2-proxy, its cookie-only"
	exe, err := servers.Build(filepath.Join("scripts", "oauth2proxy"), "oauth2-proxy", "github.com/oauth2-proxy/oauth2-proxy/v7")
	if err != nil {
		fmt.Println("left out: oauth2-proxy cannot be built:", err)
		return nil, nil
	}
	issuer, err := startProvider()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	p, err := b.subjects.start(b.dir, name, nil, exe, "--http-address", strings.TrimPrefix(base, "http://"),
		"--provider", "oidc", "--oidc-issuer-url", issuer, "--client-id", clientID, "--client-secret", "secret", "--scope", "openid email",
		"--redirect-url", base+"/oauth2/callback", "--email-domain", "*", "--upstream", "static://202", "--skip-provider-button",
		"--cookie-secret", rand.Text()+"abcdef", "--cookie-secure=false", "--set-xauthrequest",
		"--request-logging=false", "--auth-logging=false", "--standard-logging=false")
	if err != nil {
		return nil, err
	}
	b.keep(p)
	if err := awaitPort(p, port); err != nil {
		return nil, err
	}
	var cookies []string
	for range sessions {
		cookie, err := logIn(base)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", name, err, p.said())
		}
		cookies = append(cookies, cookie)
	}
	return checked(&subject{name: name, process: p, target: target{
		address: strings.TrimPrefix(base, "http://"), status: 202, requests: requests("/oauth2/auth", cookies, question...),
	}}, "/oauth2/auth", cookies[0], 401)
}

// freePort returns a port that nobody has at this moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
