package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

const (
	userHeader  = "Remote-User"
	userName    = "eve@example.org"
	secret      = "sekrit"
	validateKey = "validate-key"
	// applicationKey is the cookie of the Python application behind the gateway.
	applicationKey = "application.session.id"
	timeout        = time.Hour // so that requests count as uses of their sessions
)

// kept is a way to keep sessions, with some sessions.
type kept struct {
	toml    string   // the [session] table
	cookies []string // the Cookie headers
	options compat.Options
}

// keepers makes so many sessions of each kind. redis is the URL of a server, and may be "".
func keepers(dir, redis string, sessions int) (map[string]*kept, error) {
	file := compat.Defaults()
	file.Secret, file.DataDir, file.Timeout = secret, filepath.Join(dir, "sessions"), timeout
	inRedis := file
	inRedis.Type, inRedis.URL, inRedis.DataDir = "ext:redis", redis, ""
	cookie := compat.Defaults()
	cookie.Type, cookie.ValidateKey, cookie.DataSerializer, cookie.Timeout = "cookie", validateKey, "json", timeout
	seconds := int(timeout.Seconds())
	// A browser takes the cookie that a touch renews and sends that one; these clients send
	// the same one again and again, and each of their requests would have it renewed.
	all := map[string]*kept{
		kindFile:   {options: file, toml: fmt.Sprintf("type = \"file\"\ndata_dir = %q\nsecret = %q\ntimeout = %d\n", file.DataDir, secret, seconds)},
		kindCookie: {options: cookie, toml: fmt.Sprintf("type = \"cookie\"\nvalidate_key = %q\ndata_serializer = \"json\"\ntimeout = %d\ntouch_interval = \"30m\"\n", validateKey, seconds)},
	}
	if redis != "" {
		all[kindRedis] = &kept{options: inRedis, toml: fmt.Sprintf("type = \"ext:redis\"\nurl = %q\nsecret = %q\ntimeout = %d\n", redis, secret, seconds)}
	}
	for kind, k := range all {
		if err := k.fill(sessions); err != nil {
			return nil, fmt.Errorf("%s sessions: %w", kind, err)
		}
	}
	return all, nil
}

// The kinds of sessions.
const (
	kindFile   = "file"
	kindRedis  = "redis"
	kindCookie = "cookie"
)

func (k *kept) fill(sessions int) error {
	store, err := backend.Open(k.options)
	if err != nil {
		return err
	}
	if c, ok := stores.As[interface{ Close() error }](store); ok {
		defer c.Close()
	}
	manager, err := compat.New(k.options, store, compat.Environment{})
	if err != nil {
		return err
	}
	for range sessions {
		header, err := login(manager, k.options.Key)
		if err != nil {
			return err
		}
		k.cookies = append(k.cookies, header)
	}
	return nil
}

// login makes a session such as a typical application has, and returns its Cookie header.
func login(m *compat.Manager, key string) (string, error) {
	o := m.Open("")
	session, err := o.Session(context.Background())
	if err != nil {
		return "", err
	}
	for key, v := range map[string]any{
		"user_id": 4711, "username": userName, "roles": []string{"editor", "user"},
		"_authentication_token": "129348719283471982374918237491823749182", "flash": []any{}, "lang": "fr",
	} {
		if err := session.Set(key, v); err != nil {
			return "", err
		}
	}
	session.Save()
	if err := o.Persist(context.Background()); err != nil {
		return "", err
	}
	text, _ := o.SetCookie()
	value, ok := beakerfmt.CookieWalk{}.Find(text, key)
	if !ok {
		return "", errors.New("a new session sends no cookie")
	}
	return key + "=" + value, nil
}

// head is what Firefox sends with a page, but for the cookie.
const head = "Host: app.example.org\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: fr,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://app.example.org/shop/\r\n" +
	"Connection: keep-alive\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-User: ?1\r\n" +
	"Priority: u=0, i\r\n"

// requests are one for each cookie, with what a browser sends.
func requests(path string, cookies []string, more ...string) [][]byte {
	var all [][]byte
	for _, c := range cookies {
		all = append(all, fmt.Appendf(nil, "GET %s HTTP/1.1\r\n%s%sCookie: lang=fr; %s\r\n\r\n", path, head, strings.Join(append(more, ""), "\r\n"), c))
	}
	return all
}

// startRedis starts a Redis that keeps nothing on disk and returns its URL.
func startRedis(s starter, dir string) (*process, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	p, err := s.start(dir, "redis", nil, "redis-server", "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--dir", dir, "--save", "")
	if err != nil {
		return nil, "", err
	}
	return p, fmt.Sprintf("redis://127.0.0.1:%d/0", port), awaitPort(p, port)
}

// startTime is how long a process may take to answer.
const startTime = 30 * time.Second

// awaitPort waits until somebody listens.
func awaitPort(p *process, port int) error {
	for end := time.Now().Add(startTime); ; {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended: %s", p.name, p.said())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			p.stop()
			return fmt.Errorf("%s does not answer: %s", p.name, p.said())
		}
	}
}

// seen asks once, by net/http's own client, with more lines in the head, and returns the
// answer: header and body.
func seen(url, cookie string, more ...string) (status int, body string, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Cookie", cookie)
	for _, line := range more {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, fmt.Sprint(resp.Header) + string(text), err
}
