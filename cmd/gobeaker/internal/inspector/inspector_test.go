package inspector_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspector"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/metered"
)

func TestOverview(t *testing.T) {
	s := memory(t, func(o *inspector.Options) {
		o.Numbers = func() []inspector.Number {
			return []inspector.Number{
				{Name: "gobeaker_http_requests_total", Help: "Requests.", Labels: `status="2xx"`, Value: 18233},
				{Name: "gobeaker_http_requests_total", Help: "Requests.", Labels: `status="<5xx>"`, Value: 3},
				{Name: "gobeaker_store_operation_seconds", Help: "Time.", Value: 0.00042},
				{Name: "process_resident_memory_bytes", Help: "Memory.", Value: 1 << 20},
				{Name: "gobeaker_reload_timestamp_seconds", Help: "Reload.", Value: float64(noon.Unix() - 60)},
			}
		}
	})
	for range 3 {
		s.add(time.Minute)
	}
	b := s.browser()
	p := b.get("")
	require.Equal(t, http.StatusOK, p.StatusCode)
	require.Empty(t, p.Header.Get("Refresh"))
	for _, want := range []string{
		"memory of this process", "Store answers", "Records in it 3", "Cookie beaker.session.id", "Signed yes", "Timeout 1 hour without use",
		"Requests", "18,233", "status=&#34;&lt;5xx&gt;&#34;", "420 µs", "1.0 MiB", "1 minute ago",
	} {
		require.Contains(t, p.text, want)
	}
	require.Equal(t, "5", b.get("?refresh=5").Header.Get("Refresh"))
	require.Empty(t, b.get("?refresh=1").Header.Get("Refresh"), "not as often as anybody likes")
	require.Empty(t, s.log.String(), "to look at the overview is no action")
	require.Equal(t, s.url, b.get("../inspector").Request.URL.String())
	require.Equal(t, http.StatusNotFound, b.get("nothing").StatusCode)
}

func TestSession(t *testing.T) {
	s := memory(t, nil)
	hash := s.add(10*time.Minute,
		entry("user", pyvalue.Str(`<img src=x onerror=alert(1)>"'`+"\x00\u202e")),
		entry("עברית", pyvalue.Str("ערך")),
		entry("long", pyvalue.Str(strings.Repeat("long ", 100_000))),
		entry("API-Key", pyvalue.Str(hunter2)),
		entry("deep", pyvalue.NewList(pyvalue.NewDict(entry("userPassword", pyvalue.NewDict(entry("x", pyvalue.Str(hunter2))))))),
		entry("pairs", pyvalue.NewList(pyvalue.NewTuple(pyvalue.Bytes("csrf_token"), pyvalue.Str(hunter2)))),
	)
	b := s.browser()
	p := b.get("session/" + hash)
	require.Equal(t, http.StatusOK, p.StatusCode)
	for _, want := range []string{
		"State live", "Last used 2026-03-01 11:50:00 UTC, 10 minutes ago", "Times out in 50 minutes", "pickle protocol 2", "probably Beaker",
		"3 values are masked", `&lt;img src=x onerror=alert(1)&gt;&#34;\&#39;\x00\u202e`, "&#39;ערך&#39;", "(500000 bytes in all)", "&#39;userPassword&#39; dict: (hidden)",
	} {
		require.Contains(t, p.text, want)
	}
	require.NotContains(t, p.body, hunter2)
	require.Less(t, len(p.body), 60_000)
	require.Contains(t, s.log.String(), "action=view outcome=ok client=127.0.0.1 user=- session="+hash)

	revealed := b.submit(p, "session/"+hash+"/reveal")
	require.Equal(t, http.StatusOK, revealed.StatusCode)
	require.Equal(t, 3, strings.Count(revealed.body, hunter2))
	require.Contains(t, s.log.String(), "action=reveal outcome=ok client=127.0.0.1 user=- session="+hash)
	require.NotContains(t, b.get("session/"+hash).body, hunter2, "the next look is masked again")
}

func TestInvalidate(t *testing.T) {
	s := memory(t, nil)
	hash, other := s.add(time.Minute), s.add(time.Minute)
	b := s.browser()
	p := b.get(b.get("session/" + hash).link("Invalidate…"))
	require.Contains(t, p.text, "Invalidate session "+hash+" ?")
	_, err := s.store.Get(context.Background(), s.ids[0])
	require.NoError(t, err, "to ask does nothing")
	after := b.submit(p, "session/"+hash+"/invalidate")
	require.Equal(t, http.StatusOK, after.StatusCode)
	require.Contains(t, after.text, "Session "+hash+" is invalidated.")
	require.Equal(t, []string{other}, after.rows())
	_, err = s.store.Get(context.Background(), s.ids[0])
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.Contains(t, s.log.String(), "action=invalidate outcome=ok client=127.0.0.1 user=- session="+hash)
	require.Equal(t, http.StatusNotFound, b.get("session/"+hash).StatusCode)
}

func TestReadOnly(t *testing.T) {
	s := memory(t, func(o *inspector.Options) { o.ReadOnly = true })
	hash := s.add(time.Minute)
	b := s.browser()
	p := b.get("session/" + hash)
	require.Empty(t, p.link("Invalidate…"))
	require.Equal(t, http.StatusForbidden, b.get("session/"+hash+"/invalidate").StatusCode)
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "session/"+hash+"/invalidate", nil).StatusCode)
	_, err := s.store.Get(context.Background(), s.ids[0])
	require.NoError(t, err)
}

// A form that does something is worth nothing in another browser, on another session or
// from another site.
func TestForgedForms(t *testing.T) {
	s := memory(t, nil)
	hash, other := s.add(time.Minute, entry("password", pyvalue.Str(hunter2))), s.add(time.Minute)
	mine := s.browser()
	address := "session/" + hash + "/invalidate"
	good := mine.get(address).form(t, address)
	stranger := s.browser()
	stranger.get("")
	for name, c := range map[string]struct {
		by     *browser
		form   map[string][]string
		to     string
		header map[string]string
	}{
		"no token":             {by: mine, to: address},
		"another browser":      {by: stranger, to: address, form: good},
		"no cookie":            {by: s.browser(), to: address, form: good},
		"another session":      {by: mine, to: "session/" + other + "/invalidate", form: good},
		"another action":       {by: mine, to: "session/" + hash + "/reveal", form: good},
		"another site":         {by: mine, to: address, form: good, header: map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}},
		"another port":         {by: mine, to: address, form: good, header: map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}},
		"another origin":       {by: mine, to: address, form: good, header: map[string]string{"Origin": "http://127.0.0.1:1"}},
		"an origin of nothing": {by: mine, to: address, form: good, header: map[string]string{"Origin": "null"}},
		"a huge form":          {by: mine, to: address, form: map[string][]string{"form": {strings.Repeat("x", 1<<20)}}},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.header {
				c.by.header.Set(k, v)
				defer c.by.header.Del(k)
			}
			if c.form == nil {
				c.form = map[string][]string{}
			}
			p := c.by.do(http.MethodPost, c.to, c.form)
			require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, p.StatusCode, p.text)
			require.NotContains(t, p.body, hunter2)
			for _, id := range s.ids {
				_, err := s.store.Get(context.Background(), id)
				require.NoError(t, err)
			}
		})
	}
	require.Contains(t, s.log.String(), `outcome=refused client=127.0.0.1 user=- why="another site"`)
	require.NotContains(t, s.log.String(), "action=invalidate outcome=ok")
	require.Equal(t, http.StatusOK, mine.do(http.MethodPost, address, good).StatusCode, "and the good one does it")
	require.Equal(t, http.StatusMethodNotAllowed, mine.do(http.MethodPut, "sessions", nil).StatusCode)
}

// Pages of other sites may link here, and nothing more.
func TestOtherSites(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		hosts  []string
		want   int
	}{
		"own page":         {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, nil, 200},
		"typed":            {map[string]string{"Sec-Fetch-Site": "none"}, nil, 200},
		"a link":           {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, nil, 200},
		"a picture":        {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, nil, 403},
		"a frame":          {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, nil, 403},
		"localhost":        {map[string]string{"Host": "localhost:9000"}, nil, 200},
		"below localhost":  {map[string]string{"Host": "x.localhost"}, nil, 200},
		"IPv6 loopback":    {map[string]string{"Host": "[::1]:9000"}, nil, 200},
		"listed":           {map[string]string{"Host": "Admin.Internal:9000"}, []string{"admin.internal"}, 200},
		"not listed":       {map[string]string{"Host": "evil.example:9000"}, []string{"admin.internal"}, 421},
		"rebound":          {map[string]string{"Host": "127.0.0.1.evil.example"}, nil, 421},
		"another address":  {map[string]string{"Host": "10.1.2.3"}, nil, 200},
		"ends in a dot":    {map[string]string{"Host": "localhost."}, nil, 200},
		"looks like local": {map[string]string{"Host": "notlocalhost"}, nil, 421},
	} {
		t.Run(name, func(t *testing.T) {
			b := memory(t, func(o *inspector.Options) { o.Hosts = c.hosts }).browser()
			for k, v := range c.header {
				b.header.Set(k, v)
			}
			require.Equal(t, c.want, b.get("sessions").StatusCode)
		})
	}
}

// broken is a store that is out of order.
type broken struct {
	stores.Store
	err error
}

func (b broken) Get(context.Context, string) (pyvalue.Value, error) { return nil, b.err }
func (b broken) Delete(context.Context, string) error               { return b.err }
func (b broken) Ping(context.Context) error                         { return b.err }
func (b broken) List(context.Context, string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) { yield(stores.Info{}, b.err) }
}

func TestOutage(t *testing.T) {
	for name, c := range map[string]struct{ err, want string }{
		"gone":    {"", "It cannot be reached now."},
		"access":  {stores.ErrAccess.Error(), "It refuses access"},
		"timeout": {stores.ErrTimeout.Error(), "It does not answer in time."},
	} {
		t.Run(name, func(t *testing.T) {
			err := fmt.Errorf("redisstore: get: dial tcp 10.0.0.9:6379: %w", stores.ErrUnavailable)
			for _, cause := range []error{stores.ErrAccess, stores.ErrTimeout} {
				if cause.Error() == c.err {
					err = fmt.Errorf("%w: %w", err, cause)
				}
			}
			b := newSite(t, options(), broken{&memstore.Store{}, err}, nil).browser()
			require.Contains(t, b.get("").text, "does not answer")
			for _, address := range []string{"sessions", "session/0123456789ab", "session/0123456789ab/invalidate"} {
				p := b.get(address)
				require.Equal(t, http.StatusServiceUnavailable, p.StatusCode)
				require.Contains(t, p.text, c.want)
				require.NotContains(t, p.body, "10.0.0.9")
				require.Empty(t, p.Header.Values("Set-Cookie"))
			}
			p := b.submit(b.get("decode"), "decode", "cookie", signed(strings.Repeat("a", 32)))
			require.Contains(t, p.text, "Record not good")
			require.NotContains(t, p.body, "10.0.0.9")
			require.Contains(t, b.log.String(), "outcome=unavailable")
			require.Contains(t, b.log.String(), "10.0.0.9", "the log has it all")
		})
	}
}

func TestCorrupt(t *testing.T) {
	s := memory(t, nil)
	hash := s.put(pyvalue.Str("<b>not base64"))
	empty := s.put(pyvalue.NewDict(entry("_path", pyvalue.Str("/"))))
	b := s.browser()
	p := b.get("sessions")
	require.ElementsMatch(t, []string{hash, empty}, p.rows())
	p = b.get("session/" + hash)
	require.Equal(t, http.StatusOK, p.StatusCode)
	require.Contains(t, p.text, "This server cannot read it: compat: examine")
	require.Contains(t, b.get("session/"+empty).text, "There is no session in this record")
	b.submit(b.get("session/"+hash+"/invalidate"), "session/"+hash+"/invalidate")
	require.Equal(t, []string{empty}, b.get("sessions").rows(), "what cannot be read can be removed")
}

// TestForeign: what stands in the place of a session is found by its id, from the list
// and by its cookie, and it is said what it is; and it can be removed.
func TestForeign(t *testing.T) {
	for name, c := range map[string]struct{ data, state, list, decoded string }{
		"corrupt":      {"\x80\x02}q\x01U", "State unreadable", "unreadable", "There is a record, and it cannot be read"},
		"no pickle":    {"<html>", "State unreadable", "unreadable", "There is a record, and it cannot be read"},
		"no container": {"\x80\x02K\x01.", "This record is not one of a session", "empty", "There is a record of this id, and it is not one of a session"},
		"of a cache":   {"\x80\x02}q\x01U\x05valueK\x01s.", "This record is not one of a session", "empty", "There is a record of this id, and it is not one of a session"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files, err := filestore.New(filestore.Options{DataDir: dir})
			require.NoError(t, err)
			o := options()
			o.Type, o.DataDir = "file", dir
			s := newSite(t, o, metered.New(files, metered.Options{}), nil)
			hash := s.add(time.Minute)
			path := filepath.Join(dir, "container_file", beakerfmt.DataPath(s.ids[0]))
			require.NoError(t, os.WriteFile(path, []byte(c.data), 0o600))
			session := "/inspector/session/" + hash

			b := s.browser()
			p := b.submit(b.get("sessions"), "sessions", "q", s.ids[0])
			require.Equal(t, session, p.Request.URL.Path)
			require.Equal(t, http.StatusOK, p.StatusCode)
			require.Contains(t, p.text, c.state)
			b = s.browser()
			p = b.get("sessions")
			require.Equal(t, []string{hash}, p.rows())
			require.Contains(t, p.text, hash+" "+c.list)
			require.Equal(t, http.StatusOK, b.get("session/"+hash).StatusCode)
			p = b.submit(b.get("decode"), "decode", "cookie", signed(s.ids[0]))
			require.Contains(t, p.text, c.decoded)
			require.NotContains(t, s.log.String(), "not found")

			b.submit(b.get("session/"+hash+"/invalidate"), "session/"+hash+"/invalidate")
			require.NoFileExists(t, path)
			p = b.submit(b.get("sessions"), "sessions", "q", s.ids[0])
			require.Contains(t, p.text, "no session in the store has such an id")
			require.Equal(t, http.StatusNotFound, b.get("session/"+hash).StatusCode)
			p = b.submit(b.get("decode"), "decode", "cookie", signed(s.ids[0]))
			require.Contains(t, p.text, "There is no session of this id in the store")
		})
	}
}

func TestNoList(t *testing.T) {
	o := options()
	o.Type, o.ValidateKey = "cookie", secret
	b := newSite(t, o, nil, nil).browser()
	require.Contains(t, b.get("").text, "cookies of the browsers")
	require.Contains(t, b.get("sessions").text, "there is no list of them")
	require.Equal(t, http.StatusNotFound, b.get("session/0123456789ab").StatusCode)

	s := newSite(t, options(), only{&memstore.Store{}}, nil)
	hash := s.add(time.Minute)
	b = s.browser()
	p := b.get("sessions")
	require.Contains(t, p.text, "does not tell which sessions it has")
	require.Equal(t, http.StatusNotFound, b.get("session/"+hash).StatusCode)
	p = b.submit(p, "sessions", "q", s.ids[0])
	require.Equal(t, "/inspector/session/"+hash, p.Request.URL.Path)
	require.Equal(t, http.StatusOK, p.StatusCode)
	require.Equal(t, http.StatusOK, b.get("session/"+hash).StatusCode, "now it is known")
}

// only is a store that has no list.
type only struct{ stores.Store }

func TestNewRefuses(t *testing.T) {
	s := memory(t, nil)
	_, err := inspector.New("/x", inspector.Options{Manager: s.manager, Store: s.store, Mask: []string{"[a"}})
	require.ErrorContains(t, err, `pattern "[a"`)
	_, err = inspector.New("/x", inspector.Options{Manager: s.manager, Store: s.store, Users: []inspector.User{{Name: "ops"}}})
	require.ErrorContains(t, err, `user "ops" has no token`)
}

func TestOwnMask(t *testing.T) {
	s := memory(t, func(o *inspector.Options) { o.Mask = []string{"mail*"} })
	hash := s.add(time.Minute, entry("password", pyvalue.Str("shown")), entry("Mail_Address", pyvalue.Str("not shown")))
	p := s.browser().get("session/" + hash)
	require.Contains(t, p.body, "shown")
	require.NotContains(t, p.body, "not shown")
}
