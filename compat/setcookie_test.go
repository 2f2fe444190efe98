package compat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

// What a response does to the browser's cookie.
const (
	none    = "none"
	same    = "same id"
	other   = "other id"
	expired = "expired, same value"
)

// TestSetCookie is the table of when Beaker sends Set-Cookie and what is then
// in the store, for sessions with a store, with Beaker's behaviour in every
// option (Beaker 1.8.1 to 1.13 were watched doing this).
func TestSetCookie(t *testing.T) {
	set := func(x *compat.Session) { _ = x.Set("n", "w") }
	touch := func(x *compat.Session) { x.Get("k") }
	tests := []struct {
		name     string
		existing bool // the browser comes with a session 10 seconds old
		change   func(*compat.Options)
		later    time.Duration
		do       func(*compat.Session)
		cookie   string
		writes   int
		keep     bool // the old record is still there
	}{
		{name: "never touched", do: nil, cookie: none},
		{name: "had but not touched", do: func(*compat.Session) {}, cookie: none},
		{name: "existing, never touched", existing: true, do: nil, cookie: none, keep: true},
		{name: "new, touched", do: touch, cookie: none},
		{name: "new, changed, no save", do: set, cookie: none},
		{name: "new, save", do: func(x *compat.Session) { set(x); x.Save() }, cookie: other, writes: 1},
		{name: "new, auto, only read", change: func(o *compat.Options) { o.Auto = true }, do: touch, cookie: other, writes: 1},
		{name: "save without a touch", do: func(x *compat.Session) { x.Save() }, cookie: none},
		{name: "existing, save without a touch", existing: true, do: func(x *compat.Session) { x.Save() }, cookie: none, keep: true},
		{name: "existing, only read", existing: true, do: touch, cookie: none, writes: 1, keep: true},
		{name: "existing, changed, not saved", existing: true, do: set, cookie: none, writes: 1, keep: true},
		{name: "existing, save", existing: true, do: func(x *compat.Session) { set(x); x.Save() }, cookie: none, writes: 1, keep: true},
		{name: "existing, auto, only read", existing: true, change: func(o *compat.Options) { o.Auto = true }, do: touch, cookie: none, writes: 1, keep: true},
		{name: "delete", existing: true, do: (*compat.Session).Delete, cookie: expired, writes: 1, keep: true},
		{name: "delete of a new session", do: (*compat.Session).Delete, cookie: "; expires=Mon, 14-Nov-2022"},
		{name: "invalidate, no save", existing: true, do: func(x *compat.Session) { _ = x.Invalidate() }, cookie: other, keep: true},
		{name: "invalidate, save", existing: true, do: func(x *compat.Session) { _ = x.Invalidate(); set(x); x.Save() }, cookie: other, writes: 1, keep: true},
		{name: "timed out, only read", existing: true, later: time.Minute, do: touch, cookie: other, keep: true},
		{name: "timed out, save", existing: true, later: time.Minute, do: func(x *compat.Session) { set(x); x.Save() }, cookie: other, writes: 1, keep: true},
		{name: "exactly at the timeout", existing: true, later: 50 * time.Second, do: touch, cookie: none, writes: 1, keep: true},
		{name: "regenerate, no save", existing: true, do: func(x *compat.Session) { _ = x.RegenerateID() }, cookie: other, writes: 1, keep: true},
		{name: "regenerate, save", existing: true, do: func(x *compat.Session) { _ = x.RegenerateID(); set(x); x.Save() }, cookie: other, writes: 1, keep: true},
		{name: "domain set, no save", existing: true, do: func(x *compat.Session) { _ = x.SetDomain(".example.org") }, cookie: same, writes: 1, keep: true},
		{name: "path set and saved", existing: true, do: func(x *compat.Session) { _ = x.SetPath("/sub"); x.Save() }, cookie: same, writes: 1, keep: true},
		{name: "new, path set, no save", do: func(x *compat.Session) { _ = x.SetPath("/sub") }, cookie: other},
		{
			name: "save_accessed_time off, only read", existing: true,
			change: func(o *compat.Options) { o.SaveAccessedTime, o.Timeout = false, compat.NoTimeout },
			do:     touch, cookie: none, keep: true,
		},
		{
			name: "use_cookies off", change: func(o *compat.Options) { o.UseCookies = false },
			do: func(x *compat.Session) { set(x); x.Save() }, cookie: none, writes: 1,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, beaker)
			before := ""
			if tc.existing {
				s.login()
				before = s.id()
			}
			cookie := s.cookie
			s.now = s.now.Add(tc.later)
			s.open(beaker, func(o *compat.Options) { o.Timeout = time.Minute }, func(o *compat.Options) {
				if tc.change != nil {
					tc.change(o)
				}
			})
			text := s.request(tc.do)
			switch tc.cookie {
			case none:
				require.Empty(t, text)
			case same:
				require.Equal(t, cookie, s.cookie)
				require.NotEmpty(t, text)
			case other:
				require.NotEmpty(t, text)
				require.NotEqual(t, cookie, s.cookie)
				require.NotContains(t, text, "expires=")
			case expired:
				require.Equal(t, " beaker.session.id="+cookie+"; expires=Mon, 14-Nov-2022 22:13:30 GMT; Path=/; SameSite=Lax", text)
			default:
				require.Contains(t, text, tc.cookie)
			}
			require.Equal(t, tc.writes, s.store.writes, "writes")
			require.Zero(t, s.store.deletes, "Beaker never deletes")
			if before != "" {
				require.Equal(t, tc.keep, s.stored(before))
			}
		})
	}
}

func TestSetCookieText(t *testing.T) {
	py2 := compat.Peer{Major: 1, Minor: 11, Python: 2}
	tests := []struct {
		name   string
		change func(*compat.Options)
		do     func(*testing.T, *compat.Session)
		want   string // after the value
	}{
		{"defaults", nil, nil, "; Path=/; SameSite=Lax"},
		{"python 2", func(o *compat.Options) { o.Peer = py2; o.Secure, o.HTTPOnly = true, true }, nil, "; httponly; Path=/; SameSite=Lax; secure"},
		{"before SameSite", func(o *compat.Options) { o.Peer = compat.Peer{Major: 1, Minor: 9, Python: 2} }, nil, "; Path=/"},
		{"never expires", func(o *compat.Options) { o.CookieExpires.Mode = compat.ExpiresNever }, nil, "; expires=Tue, 19-Jan-2038 03:14:07 GMT; Path=/; SameSite=Lax"},
		{
			"seconds",
			func(o *compat.Options) {
				o.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: 300 * time.Second}
			},
			nil, "; expires=Tue, 14-Nov-2023 22:18:20 GMT; Path=/; SameSite=Lax",
		},
		{
			"a date",
			func(o *compat.Options) {
				o.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAt, At: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
			},
			nil, "; expires=Wed, 02-Jan-2030 03:04:05 GMT; Path=/; SameSite=Lax",
		},
		{
			"everything",
			func(o *compat.Options) {
				o.CookieDomain, o.CookiePath, o.Secure, o.HTTPOnly = ".example.com", "/app", true, true
				o.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: 300 * time.Second}
			},
			nil, "; Domain=.example.com; expires=Tue, 14-Nov-2023 22:18:20 GMT; HttpOnly; Path=/app; SameSite=Lax; Secure",
		},
		{"samesite verbatim", func(o *compat.Options) { o.SameSite = "bogus" }, nil, "; Path=/; SameSite=bogus"},
		{"no samesite", func(o *compat.Options) { o.SameSite = "" }, nil, "; Path=/"},
		{
			"set on one session", nil, func(t *testing.T, x *compat.Session) {
				require.NoError(t, x.SetDomain(".example.org"))
				require.NoError(t, x.SetPath("/p"))
				require.NoError(t, x.SetSameSite("Strict"))
				x.SetSecure(true)
				x.SetHTTPOnly(true)
				require.Equal(t, ".example.org", x.Domain())
				require.Equal(t, "/p", x.Path())
			},
			"; Domain=.example.org; HttpOnly; Path=/p; SameSite=Strict; Secure",
		},
		{
			"domain outlives invalidate", nil, func(t *testing.T, x *compat.Session) {
				require.NoError(t, x.SetDomain(".example.org"))
				require.NoError(t, x.SetDomain(""))
				require.NoError(t, x.SetPath("/p"))
				require.NoError(t, x.Invalidate())
			},
			"; Domain=.example.org; Path=/; SameSite=Lax",
		},
		{
			"an attribute that would break out", nil, func(t *testing.T, x *compat.Session) {
				require.Error(t, x.SetDomain("a; Secure"))
				require.Error(t, x.SetPath("/\r\nX: y"))
				require.Error(t, x.SetSameSite("Lax;"))
				require.NoError(t, x.Set("_path", "/\n")) // as a broken peer could store it
			},
			"; Path=/; SameSite=Lax",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, func(o *compat.Options) {
				if tc.change != nil {
					tc.change(o)
				}
			})
			text := s.request(func(x *compat.Session) {
				require.NoError(t, x.Set("k", "v"))
				if tc.do != nil {
					tc.do(t, x)
				}
				x.Save()
			})
			_, attrs, _ := strings.Cut(text, ";")
			require.Equal(t, tc.want, ";"+attrs)
		})
	}
}

// Stored domain and path come back with the session, and override the options.
func TestStoredDomainAndPath(t *testing.T) {
	s := newSite(t)
	s.request(func(x *compat.Session) {
		require.NoError(t, x.SetDomain(".example.org"))
		require.NoError(t, x.SetPath("/sub"))
		x.Save()
	})
	text := s.request(func(x *compat.Session) { require.NoError(t, x.RegenerateID()) })
	require.Contains(t, text, "; Domain=.example.org; Path=/sub; ")
}
