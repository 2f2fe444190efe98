package compat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

func cookieOnly(o *compat.Options) { o.Type, o.ValidateKey = "cookie", "validate-key" }

func encrypted(o *compat.Options) { o.EncryptKey, o.ValidateKey = "encrypt-key", "validate-key" }

// payload is the session in the browser's cookie, signed and encrypted with the
// keys of cookieOnly and encrypted.
func (s *site) payload() (*pyvalue.Dict, beakerfmt.Form) {
	s.t.Helper()
	text, _, err := beakerfmt.Verify([][]byte{[]byte("validate-key")}, s.cookie)
	require.NoError(s.t, err)
	codec := new(beakerfmt.Codec)
	if s.manager.Options().EncryptKey != "" {
		codec.EncryptKeys, codec.ValidateKeys = [][]byte{[]byte("encrypt-key")}, [][]byte{[]byte("validate-key")}
	}
	d, form, err := codec.DecodePayload(text, 0)
	require.NoError(s.t, err)
	return d, form
}

func text(t *testing.T, d *pyvalue.Dict, key string) string {
	t.Helper()
	v, _ := d.GetStr(key)
	s, _ := pyvalue.Text(v)
	return s
}

// What the cookie of a cookie-only session then holds.
const (
	renewed = "what it held, with the time of this access"
	saved   = "what the handler left"
	fresh   = "an empty session with a new id"
	gone    = "an empty session with a new id, expired"
)

// TestCookieOnly is the table of when Beaker sends the cookie of a cookie-only
// session, and what it then holds, with Beaker's behaviour in every option and with
// the defaults. A session that is there is 10 seconds old, the touch interval is 30.
func TestCookieOnly(t *testing.T) {
	set := func(x *compat.Session) { _ = x.Set("n", "w") }
	touch := func(x *compat.Session) { x.Get("k") }
	then := func(all ...func(*compat.Session)) func(*compat.Session) {
		return func(x *compat.Session) {
			for _, f := range all {
				f(x)
			}
		}
	}
	save := (*compat.Session).Save
	invalidate := func(x *compat.Session) { _ = x.Invalidate() }
	regenerate := func(x *compat.Session) { _ = x.RegenerateID() }
	auto := func(o *compat.Options) { o.Auto = true }
	tests := []struct {
		name     string
		existing bool
		change   func(*compat.Options)
		later    time.Duration
		do       func(*compat.Session)
		beaker   string
		defaults string // empty: the same
		attr     string // among the attributes
	}{
		{name: "never touched", beaker: none},
		{name: "had but not touched", do: func(*compat.Session) {}, beaker: none},
		{name: "existing, never touched", existing: true, beaker: none},
		{name: "new, touched", do: touch, beaker: none},
		{name: "new, changed, no save", do: set, beaker: none},
		{name: "new, save", do: then(set, save), beaker: saved},
		{name: "new, auto, only read", change: auto, do: touch, beaker: fresh},
		{name: "save without a touch", do: save, beaker: none},
		{name: "existing, save without a touch", existing: true, do: save, beaker: none},
		{name: "existing, only read", existing: true, do: touch, beaker: renewed, defaults: none},
		{name: "existing, only read, later", existing: true, later: 21 * time.Second, do: touch, beaker: renewed},
		{name: "existing, changed, not saved", existing: true, do: set, beaker: renewed, defaults: none},
		{name: "existing, changed, not saved, later", existing: true, later: 21 * time.Second, do: set, beaker: renewed},
		{name: "existing, save", existing: true, do: then(set, save), beaker: saved},
		{name: "existing, auto, only read", existing: true, change: auto, do: touch, beaker: renewed},
		{name: "delete", existing: true, do: (*compat.Session).Delete, beaker: gone},
		{name: "delete of a new session", do: (*compat.Session).Delete, beaker: gone},
		{name: "invalidate, no save", existing: true, do: invalidate, beaker: renewed, defaults: fresh},
		{name: "invalidate, change, no save", existing: true, do: then(invalidate, set), beaker: renewed, defaults: fresh},
		{name: "invalidate of a new session, no save", do: invalidate, beaker: none, defaults: fresh},
		{name: "invalidate, save", existing: true, do: then(invalidate, save), beaker: fresh},
		{name: "invalidate, delete", existing: true, do: then(invalidate, (*compat.Session).Delete), beaker: gone},
		{name: "clear, save", existing: true, do: then((*compat.Session).Clear, save), beaker: fresh},
		{name: "timed out, only read", existing: true, later: time.Minute, do: touch, beaker: fresh},
		{name: "exactly at the timeout", existing: true, later: 50 * time.Second, do: touch, beaker: renewed},
		{name: "regenerate, no save", existing: true, do: regenerate, beaker: renewed},
		{name: "regenerate, save", existing: true, do: then(regenerate, set, save), beaker: saved},
		{name: "domain set, no save", existing: true, later: 25 * time.Second, do: func(x *compat.Session) { _ = x.SetDomain(".x.org") }, beaker: renewed, attr: "; Path=/"},
		{name: "domain set and saved", existing: true, do: then(func(x *compat.Session) { _ = x.SetDomain(".x.org"); set(x) }, save), beaker: saved, attr: "; Domain=.x.org; Path=/"},
		{name: "path set and saved", existing: true, do: then(func(x *compat.Session) { _ = x.SetPath("/sub"); set(x) }, save), beaker: saved, attr: "; Path=/sub;"},
		{name: "new, path set, no save", do: func(x *compat.Session) { _ = x.SetPath("/sub") }, beaker: none},
		{
			name: "save_accessed_time off, only read", existing: true,
			change: func(o *compat.Options) { o.SaveAccessedTime, o.Timeout = false, compat.NoTimeout },
			do:     touch, beaker: renewed, defaults: none,
		},
		{name: "use_cookies off counts for nothing", change: func(o *compat.Options) { o.UseCookies = false }, do: then(set, save), beaker: saved},
	}
	for _, tc := range tests {
		for name, defaults := range map[string]bool{"beaker": false, "defaults": true} {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				want := tc.beaker
				options := beaker
				if defaults {
					options = func(o *compat.Options) { o.TouchInterval = 30 * time.Second }
					if tc.defaults != "" {
						want = tc.defaults
					}
				}
				s := newSite(t, cookieOnly, options)
				id := ""
				if tc.existing {
					s.login()
					d, _ := s.payload()
					id = text(t, d, "_id")
				}
				s.now = s.now.Add(tc.later)
				s.open(cookieOnly, options, func(o *compat.Options) { o.Timeout = time.Minute }, func(o *compat.Options) {
					if tc.change != nil {
						tc.change(o)
					}
				})
				header := s.request(tc.do)
				if want == none {
					require.Empty(t, header)
					return
				}
				require.Contains(t, header, tc.attr)
				if want == gone {
					require.Empty(t, s.cookie)
					require.Contains(t, header, "; expires=Mon, 14-Nov-2022 ")
					value, _, _ := strings.Cut(strings.TrimPrefix(header, " beaker.session.id="), ";")
					s.cookie = value
				}
				d, _ := s.payload()
				require.Equal(t, want == saved, text(t, d, "n") == "w")
				at, _ := d.GetStr("_accessed_time")
				require.Equal(t, pyvalue.Float(float64(s.now.UnixMilli())/1e3), at)
				switch want {
				case fresh, gone:
					require.Equal(t, 5, d.Len(), "two times, id, domain, path")
					require.NotEqual(t, id, text(t, d, "_id"))
					created, _ := d.GetStr("_creation_time")
					require.Equal(t, at, created)
				default:
					require.Equal(t, tc.existing, text(t, d, "k") == "v")
					require.Equal(t, tc.existing && !strings.HasPrefix(tc.name, "regenerate"), id == text(t, d, "_id"))
				}
				require.Zero(t, s.store.reads+s.store.writes)
			})
		}
	}
}

func TestLifeOfACookieOnlySession(t *testing.T) {
	for name, change := range map[string]func(*compat.Options){
		"pickle":            func(*compat.Options) {},
		"JSON":              func(o *compat.Options) { o.DataSerializer = "json" },
		"encrypted":         encrypted,
		"encrypted JSON":    func(o *compat.Options) { encrypted(o); o.DataSerializer = "json" },
		"AES-GCM":           func(o *compat.Options) { encrypted(o); o.CryptoType = "cryptography" },
		"nss":               func(o *compat.Options) { encrypted(o); o.CryptoType = "nss" },
		"1.6.3 on PyCrypto": func(o *compat.Options) { encrypted(o); o.Peer, _ = compat.ParsePeer("beaker-1.6.3/pycrypto") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, cookieOnly, change)
			var id string
			s.request(func(x *compat.Session) {
				require.True(t, x.IsNew())
				id = x.ID()
				require.NoError(t, x.Set("user", "eve"))
				x.Save()
			})
			s.now = s.now.Add(10 * time.Second)
			require.NotContains(t, s.cookie, "eve")

			v, err := s.manager.Open(s.header()).Peek(ctx())
			require.NoError(t, err)
			require.False(t, v.IsNew())
			user, _ := compat.Get[string](v, "user")
			require.Equal(t, "eve", user)

			require.Empty(t, s.request(func(x *compat.Session) {
				require.False(t, x.IsNew())
				require.Equal(t, id, x.ID())
				user, _ := compat.Get[string](x, "user")
				require.Equal(t, "eve", user)
				created, _ := x.Created()
				require.Equal(t, start.UTC(), created)
				last, _ := x.LastAccessed()
				require.Equal(t, start.UTC(), last)
				require.ErrorIs(t, x.Lock(ctx()), compat.ErrUnsupported)
			}))
			_, err = s.manager.GetByID(ctx(), id)
			require.ErrorIs(t, err, compat.ErrUnsupported)
			require.Empty(t, s.log.String())
		})
	}
}

// Several Persists in one request: the last one counts.
func TestCookieOnlyPersistAgain(t *testing.T) {
	s := newSite(t, cookieOnly, encrypted)
	s.login()
	o := s.manager.Open(s.header())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	list := pyvalue.NewList()
	require.NoError(t, x.Set("list", list))
	require.NoError(t, x.Set("n", 1))
	x.Save()
	require.NoError(t, o.Persist(ctx()))
	list.Items = append(list.Items, pyvalue.NewInt(1))
	require.NoError(t, x.Revert())
	l, _ := x.Get("list")
	require.True(t, pyvalue.Equal(pyvalue.NewList(), l), "what is changed in place, too")
	require.NoError(t, x.Set("n", 2))
	require.NoError(t, x.Revert())
	n, _ := compat.Get[int](x, "n")
	require.Equal(t, 1, n, "back to what was written last")
	require.NoError(t, x.Set("n", 3))
	require.NoError(t, o.Persist(ctx()))
	header, ok := o.SetCookie()
	require.True(t, ok)
	s.obey(header)
	d, form := s.payload()
	v, _ := d.GetStr("n")
	require.True(t, pyvalue.Equal(pyvalue.NewInt(3), v))
	require.Equal(t, beakerfmt.CTR, form.AES)
	require.Equal(t, 128, form.NonceBits)
}

func TestCookieOnlyReload(t *testing.T) {
	s := newSite(t, cookieOnly)
	s.login()
	require.Empty(t, s.request(func(x *compat.Session) {
		require.NoError(t, x.Set("k", "changed"))
		require.NoError(t, x.Reload(ctx()))
		k, _ := compat.Get[string](x, "k")
		require.Equal(t, "v", k)
	}))
	s.request(func(x *compat.Session) {
		x.Delete()
		require.NoError(t, x.Reload(ctx()))
		require.NoError(t, x.Set("n", "w"))
	})
	d, _ := s.payload()
	require.Equal(t, "v", text(t, d, "k"))
	require.Equal(t, "w", text(t, d, "n"), "a delete has marked it to be saved")
	s.request(func(x *compat.Session) {
		require.NoError(t, x.Invalidate())
		require.NoError(t, x.Reload(ctx()), "a new session has nothing to go back to")
		require.True(t, x.IsNew())
	})
}

// Beaker up to 1.13 may leave a date in the session, at which its cookie would
// end for good. It is read over, and the cookie lives on with each response.
func TestCookieOnlyExpires(t *testing.T) {
	s := newSite(t, cookieOnly, func(o *compat.Options) {
		o.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: 100 * time.Second}
	})
	header := s.request(func(x *compat.Session) {
		require.NoError(t, x.Set("_expires", start))
		x.Save()
	})
	require.Contains(t, header, "expires=Tue, 14-Nov-2023 22:15:00 GMT")
	d, _ := s.payload()
	_, there := d.GetStr("_expires")
	require.False(t, there)

	d.SetStr("_expires", pyvalue.Bool(true))
	s.bring(d)
	s.now = s.now.Add(10 * time.Second)
	require.Empty(t, s.request(func(x *compat.Session) { x.Get("k") }), "a tenth of its time has not passed")
	s.now = s.now.Add(time.Second)
	header = s.request(func(x *compat.Session) { x.Get("k") })
	require.Contains(t, header, "expires=Tue, 14-Nov-2023 22:15:11 GMT")
	d, _ = s.payload()
	_, there = d.GetStr("_expires")
	require.False(t, there)
}

// bring gives the browser a cookie with these values in it.
func (s *site) bring(d *pyvalue.Dict) {
	s.t.Helper()
	payload, err := new(beakerfmt.Codec).AppendPayload(nil, d, beakerfmt.Form{})
	require.NoError(s.t, err)
	s.cookie = string(beakerfmt.AppendSigned(nil, []byte("validate-key"), string(payload)))
}

// Sessions that others wrote: what is not there is put in.
func TestCookieOnlyFromOthers(t *testing.T) {
	t.Run("bare", func(t *testing.T) {
		s := newSite(t, cookieOnly, beaker)
		s.bring(pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: pyvalue.Str("v")}))
		var id string
		s.request(func(x *compat.Session) {
			require.False(t, x.IsNew())
			id = x.ID()
			require.Len(t, id, 32)
			_, ok := x.Created()
			require.False(t, ok)
		})
		d, _ := s.payload()
		require.Equal(t, id, text(t, d, "_id"))
		_, ok := d.GetStr("_creation_time")
		require.True(t, ok)
	})
	t.Run("with a domain", func(t *testing.T) {
		s := newSite(t, cookieOnly)
		s.bring(pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("_domain"), Value: pyvalue.Str(".x.org")}))
		header := s.request(func(x *compat.Session) { require.NoError(t, x.Invalidate()); x.Save() })
		require.Contains(t, header, "Domain=.x.org", "the same cookie is replaced")
	})
	t.Run("an empty one", func(t *testing.T) {
		s := newSite(t, cookieOnly)
		s.bring(&pyvalue.Dict{})
		require.NotEmpty(t, s.request(func(x *compat.Session) { require.True(t, x.IsNew()) }))
	})
	t.Run("an empty cookie", func(t *testing.T) {
		s := newSite(t, cookieOnly, func(o *compat.Options) { o.InvalidateCorrupt = false })
		s.cookie = `""`
		require.Empty(t, s.request(func(x *compat.Session) { require.True(t, x.IsNew()) }))
	})
}

// The attributes follow the peer: up to 1.10 a cookie_path does not count, and
// SameSite came a release later than for other sessions.
func TestCookieOnlyAttributes(t *testing.T) {
	for peer, want := range map[string]string{
		"beaker-1.6.5/python2":  "; Domain=.x.org; httponly; Path=/; secure",
		"beaker-1.10.0/python3": "; Domain=.x.org; HttpOnly; Path=/; Secure",
		"beaker-1.10.1/python3": "; Domain=.x.org; HttpOnly; Path=/; SameSite=Strict; Secure",
		"beaker-1.11/python2":   "; Domain=.x.org; httponly; Path=/app; SameSite=Strict; secure",
		"auto":                  "; Domain=.x.org; HttpOnly; Path=/app; SameSite=Strict; Secure",
	} {
		t.Run(peer, func(t *testing.T) {
			s := newSite(t, cookieOnly, func(o *compat.Options) {
				var err error
				o.Peer, err = compat.ParsePeer(peer)
				require.NoError(t, err)
				o.CookieDomain, o.CookiePath, o.Secure, o.HTTPOnly, o.SameSite = ".x.org", "/app", true, true, "Lax"
			})
			header := s.request(func(x *compat.Session) {
				require.NoError(t, x.SetSameSite("Strict"))
				x.Save()
			})
			require.True(t, strings.HasSuffix(header, s.cookie+want), header)
		})
	}
}
