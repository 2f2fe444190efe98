package compat_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

func asJSON(o *compat.Options) { o.DataSerializer, o.Peer = "json", compat.Peer{Major: 1, Minor: 13} }

// A session that the peer's form cannot hold is no error for who only reads it: it
// lives on in the form in which it was found.
func TestRenewalInAnotherForm(t *testing.T) {
	for name, kind := range map[string]func(*compat.Options){
		"store": func(*compat.Options) {}, "encrypted": encrypted, "cookie": cookieOnly,
	} {
		for _, auto := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				timeout := func(o *compat.Options) { o.Timeout, o.Auto = 2*time.Hour, auto }
				s := newSite(t, kind, timeout)
				s.request(func(x *compat.Session) {
					require.NoError(t, x.Set("when", s.now))
					require.NoError(t, x.Set("k", "v"))
					x.Save()
				})
				s.open(kind, asJSON, timeout)
				for range 3 {
					s.now = s.now.Add(time.Hour)
					s.request(func(x *compat.Session) {
						require.False(t, x.IsNew())
						for range x.All() {
						}
					})
				}
				require.True(t, s.loggedIn())
				require.Contains(t, s.log.String(), "cannot be renewed")
				require.NotContains(t, s.log.String(), s.cookie)

				o := s.manager.Open(s.header())
				x, err := o.Session(ctx())
				require.NoError(t, err)
				require.NoError(t, x.Set("n", 1))
				x.Save()
				require.ErrorIs(t, o.Persist(ctx()), pyjson.ErrUnsupported, "who writes is told")
				x.Remove("when")
				require.NoError(t, o.Persist(ctx()))
			})
		}
	}
}

// What was in clear is not written in clear again: it stays as it is.
func TestRenewalInClear(t *testing.T) {
	accept := func(o *compat.Options) { o.AcceptPlaintext, o.Timeout = true, 2*time.Hour }
	s := newSite(t, accept)
	s.request(func(x *compat.Session) { require.NoError(t, x.Set("when", s.now)); x.Save() })
	before, err := s.store.Get(ctx(), s.id())
	require.NoError(t, err)
	s.open(encrypted, asJSON, accept)
	s.now = s.now.Add(time.Hour)
	require.Empty(t, s.request(func(x *compat.Session) { x.Get("when") }))
	after, err := s.store.Get(ctx(), s.id())
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Contains(t, s.log.String(), "cannot be renewed")
}

// A cookie that would grow beyond the limit by encryption stays, until somebody
// puts more into it.
func TestAutoNearTheLimit(t *testing.T) {
	s := newSite(t, cookieOnly)
	s.login()
	d, _ := s.payload()
	d.SetStr("x", pyvalue.Str(strings.Repeat("x", 2846)))
	d.SetStr("list", pyvalue.NewList())
	s.bring(d)
	s.open(cookieOnly, encrypted, func(o *compat.Options) { o.AcceptPlaintext, o.Auto = true, true })
	require.Empty(t, s.request(func(x *compat.Session) { x.Get("list") }))
	require.Contains(t, s.log.String(), "too long")
	require.True(t, s.loggedIn())

	for name, change := range map[string]func(*compat.Session){
		"changed": func(x *compat.Session) { _ = x.Set("n", 1) },
		"changed in place": func(x *compat.Session) {
			v, _ := x.Get("list")
			v.(*pyvalue.List).Items = []pyvalue.Value{pyvalue.None{}}
		},
		"saved":   func(x *compat.Session) { x.Get("k"); x.Save() },
		"cleared": func(x *compat.Session) { x.Clear(); _ = x.Set("x", strings.Repeat("x", 5000)) },
	} {
		t.Run(name, func(t *testing.T) {
			o := s.manager.Open(s.header())
			x, err := o.Session(ctx())
			require.NoError(t, err)
			change(x)
			require.ErrorIs(t, o.Persist(ctx()), beakerfmt.ErrCookieTooLong)
		})
	}
}

// A record that others made larger than we read, while the request ran, is theirs.
func TestRecordsBeyondLimitsStay(t *testing.T) {
	deep := pyvalue.Value(pyvalue.NewList())
	for range 10_050 {
		deep = pyvalue.NewList(deep)
	}
	many := `{"_accessed_time":1,"k":[0` + strings.Repeat(",0", 1<<20) + `]}`
	pack := func(doc string) pyvalue.Value {
		var packed bytes.Buffer
		w := zlib.NewWriter(&packed)
		_, err := w.Write([]byte(doc))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return pyvalue.Str(base64.StdEncoding.EncodeToString(packed.Bytes()))
	}
	pickled, err := new(beakerfmt.Codec).EncodeValue(pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: deep}), beakerfmt.Form{Text: beakerfmt.TextStr})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		record pyvalue.Value
		want   error
	}{
		"pickle": {pickled, pickle.ErrLimit},
		"json":   {pack(many), pyjson.ErrLimit},
		"bomb":   {pack(`{"k":"` + strings.Repeat("x", 17<<20) + `"}`), pyjson.ErrLimit},
	} {
		for verb, do := range map[string]func(*compat.Session){
			"save":       func(x *compat.Session) { _ = x.Set("n", 1); x.Save() },
			"regenerate": func(x *compat.Session) { _ = x.RegenerateID() },
		} {
			t.Run(name+"/"+verb, func(t *testing.T) {
				s := newSite(t)
				s.login()
				o := s.manager.Open(s.header())
				x, err := o.Session(ctx())
				require.NoError(t, err)
				do(x)
				require.NoError(t, s.store.Put(ctx(), s.id(), c.record))
				require.ErrorIs(t, o.Persist(ctx()), c.want)
				now, err := s.store.Get(ctx(), s.id())
				require.NoError(t, err)
				require.True(t, now == c.record, "it is as it was")
			})
		}
	}
}

// Who has not said which library the Python side has is told if it shows.
func TestNoticeOfAnotherMode(t *testing.T) {
	for name, kind := range map[string]func(*compat.Options){"store": encrypted, "cookie": func(o *compat.Options) { cookieOnly(o); encrypted(o) }} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, kind, func(o *compat.Options) { o.CryptoType = "cryptography" })
			s.login()
			require.True(t, s.loggedIn())
			require.Empty(t, s.log.String(), "the one that was asked for")

			s.open(kind, func(o *compat.Options) { o.Peer = compat.Peer{Major: 1, Minor: 13} })
			require.True(t, s.loggedIn())
			require.Empty(t, s.log.String(), "the peer is known")

			s.open(kind)
			for range 2 {
				require.True(t, s.loggedIn())
			}
			require.Equal(t, 1, strings.Count(s.log.String(), "\n"), s.log.String())
			require.Contains(t, s.log.String(), "found=gcm new=ctr")
			require.Contains(t, s.log.String(), "set the peer or crypto_type")
		})
	}
}

// The key that a bad signature is about.
func TestNoticeOfASignature(t *testing.T) {
	for key, kind := range map[string]func(*compat.Options){"secret": func(*compat.Options) {}, "validate_key": cookieOnly} {
		s := newSite(t, kind)
		s.login()
		s.open(kind, func(o *compat.Options) { o.Secret, o.ValidateKey = "other", "other" })
		s.request(func(x *compat.Session) { require.True(t, x.IsNew()) })
		require.Contains(t, s.log.String(), "of another "+key+":")
	}
}
