package inspector_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspector"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

const (
	secret  = "the secret that signs"
	hunter2 = "hunter2-is-a-password"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// log is a log that can be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is an inspector on a server.
type site struct {
	t       *testing.T
	url     string // of the overview, with the slash
	store   stores.Store
	manager *compat.Manager
	clock   *clock
	log     *log
	ids     []string // never to be seen
}

func options() compat.Options {
	o := compat.Defaults()
	o.Type, o.Secret, o.Timeout = "memory", secret, time.Hour
	return o
}

// newSite starts one; change, which may be nil, has the last word.
func newSite(t *testing.T, o compat.Options, store stores.Store, change func(*inspector.Options)) *site {
	s := &site{t: t, store: store, clock: &clock{at: noon}, log: &log{}}
	var err error
	s.manager, err = compat.New(o, store, compat.Environment{Now: s.clock.now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	io := inspector.Options{
		Manager: s.manager, Store: store, Now: s.clock.now, Version: "test",
		Audit: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&io)
	}
	h, err := inspector.New("/inspector", io)
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s.url = server.URL + "/inspector/"
	return s
}

func memory(t *testing.T, change func(*inspector.Options)) *site {
	return newSite(t, options(), &memstore.Store{}, change)
}

// add stores a session and returns its hash.
func (s *site) add(used time.Duration, entries ...pyvalue.Entry) string {
	s.t.Helper()
	d := pyvalue.NewDict(entries...)
	at := float64(s.clock.now().Add(-used).Unix())
	d.SetStr("_creation_time", pyvalue.Float(at))
	d.SetStr("_accessed_time", pyvalue.Float(at))
	v, err := s.manager.Encode(d, beakerfmt.Form{Text: beakerfmt.TextStr})
	require.NoError(s.t, err)
	return s.put(v)
}

func (s *site) put(v pyvalue.Value) string {
	s.t.Helper()
	id := fmt.Sprintf("%08x%024x", len(s.ids), 0xabcdef)
	require.NoError(s.t, s.store.Put(context.Background(), id, v))
	s.ids = append(s.ids, id)
	return beakerfmt.HashID(id)
}

func entry(key string, v pyvalue.Value) pyvalue.Entry {
	return pyvalue.Entry{Key: pyvalue.Str(key), Value: v}
}

// browser is a window of somebody.
type browser struct {
	*site
	client *http.Client
	header http.Header
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	return &browser{site: s, client: &http.Client{Jar: jar}, header: http.Header{}}
}

// page is an answer.
type page struct {
	*http.Response
	body string
	text string // what a person reads
}

var (
	styles = regexp.MustCompile(`(?s)<style>.*?</style>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

func (b *browser) do(method, address string, form url.Values) page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	target, err := url.Parse(b.url)
	require.NoError(b.t, err)
	target, err = target.Parse(address)
	require.NoError(b.t, err)
	r, err := http.NewRequest(method, target.String(), body)
	require.NoError(b.t, err)
	for name, values := range b.header {
		r.Header[name] = values
	}
	if host := b.header.Get("Host"); host != "" {
		r.Host = host
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	require.NoError(b.t, err)
	p := page{Response: answer, body: string(data)}
	p.text = strings.TrimSpace(spaces.ReplaceAllString(tags.ReplaceAllString(styles.ReplaceAllString(p.body, " "), " "), " "))
	b.check(p)
	return p
}

// check looks for what may be in no answer at all.
func (b *browser) check(p page) {
	b.t.Helper()
	require.Equal(b.t, "no-store", p.Header.Get("Cache-Control"))
	require.Equal(b.t, "nosniff", p.Header.Get("X-Content-Type-Options"))
	require.Contains(b.t, p.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Contains(b.t, p.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	head := fmt.Sprint(p.Header, p.Request.URL)
	for _, id := range append(b.ids, secret) {
		require.NotContains(b.t, p.body, id)
		require.NotContains(b.t, head, id)
		require.NotContains(b.t, b.log.String(), id)
	}
	require.NotContains(b.t, b.log.String(), hunter2)
	require.NotContains(b.t, p.body, "<script")
	require.NotContains(b.t, p.body, "style=")
}

func (b *browser) get(address string) page {
	b.t.Helper()
	return b.do(http.MethodGet, address, nil)
}

// form returns the hidden fields of the form of a page that posts to action.
func (p page) form(t *testing.T, action string) url.Values {
	t.Helper()
	form := regexp.MustCompile(`(?s)<form[^>]*action="[^"]*` + regexp.QuoteMeta(action) + `".*?</form>`).FindString(p.body)
	require.NotEmpty(t, form, "a form for %s in %s", action, p.text)
	values := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(form, -1) {
		values.Set(m[1], m[2])
	}
	return values
}

// submit fills in the form of a page.
func (b *browser) submit(on page, action string, fields ...string) page {
	b.t.Helper()
	values := on.form(b.t, action)
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, action, values)
}

// rows are the hashes in the list of a page.
func (p page) rows() (hashes []string) {
	for _, m := range regexp.MustCompile(`<th scope="row"><a href="[^"]*/session/([0-9a-f]{12})">`).FindAllStringSubmatch(p.body, -1) {
		hashes = append(hashes, m[1])
	}
	return hashes
}

// link is the address of a link by its text, "" if there is none.
func (p page) link(text string) string {
	m := regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text) + `</a>`).FindStringSubmatch(p.body)
	if m == nil {
		return ""
	}
	return m[1]
}

func signed(id string) string { return string(beakerfmt.AppendSigned(nil, []byte(secret), id)) }
