package compat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

func TestCookieOnlySize(t *testing.T) {
	for name, change := range map[string]func(*compat.Options){"plain": func(*compat.Options) {}, "encrypted": encrypted} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, cookieOnly, change)
			s.login()
			o := s.manager.Open(s.header())
			x, err := o.Session(ctx())
			require.NoError(t, err)
			require.NoError(t, x.Set("basket", strings.Repeat("x", 4000)))
			require.NoError(t, x.Set("name", "Ann"))
			x.Save()
			size, limit, err := x.CookieSize()
			require.NoError(t, err)
			require.Greater(t, size, limit)
			require.Equal(t, 4064, limit)

			err = o.Persist(ctx())
			require.ErrorIs(t, err, beakerfmt.ErrCookieTooLong)
			var long *beakerfmt.CookieTooLongError
			require.ErrorAs(t, err, &long)
			require.Equal(t, size, long.Size)
			require.Equal(t, limit, long.Limit)
			require.Equal(t, "basket", long.Largest[0].Key)
			_, ok := o.SetCookie()
			require.False(t, ok)
			require.True(t, o.Pending())

			x.Remove("basket")
			size, _, err = x.CookieSize()
			require.NoError(t, err)
			require.NoError(t, o.Persist(ctx()))
			header, ok := o.SetCookie()
			require.True(t, ok)
			s.obey(header)
			require.Len(t, s.cookie, beakerfmt.SignatureLen+size)
			d, _ := s.payload()
			require.Equal(t, "Ann", text(t, d, "name"))
		})
	}
	t.Run("in a store", func(t *testing.T) {
		s := newSite(t)
		s.request(func(x *compat.Session) {
			size, limit, err := x.CookieSize()
			require.NoError(t, err)
			require.Zero(t, size+limit)
		})
	})
	t.Run("what cannot be stored", func(t *testing.T) {
		s := newSite(t, cookieOnly, func(o *compat.Options) { o.DataSerializer = "json" })
		o := s.manager.Open("")
		x, err := o.Session(ctx())
		require.NoError(t, err)
		require.NoError(t, x.Set("raw", []byte("x")))
		_, _, err = x.CookieSize()
		require.ErrorContains(t, err, "raw")
		x.Save()
		require.ErrorContains(t, o.Persist(ctx()), "raw")
	})
	// Python's zlib packs better here and there. Who only reads is not to blame.
	t.Run("cannot be renewed", func(t *testing.T) {
		s := newSite(t, cookieOnly)
		s.login()
		d, _ := s.payload()
		d.SetStr("x", pyvalue.Str(strings.Repeat("x", 2860)))
		s.bring(d)
		s.open(cookieOnly, func(o *compat.Options) { o.TouchInterval, o.Peer = 0, compat.Peer{Major: 1, Minor: 13} }, encrypted, func(o *compat.Options) { o.AcceptPlaintext = true })
		require.Empty(t, s.request(func(x *compat.Session) { x.Get("k") }))
		require.Contains(t, s.log.String(), "too long")
	})
}

// What cannot be read, and what it is told apart as.
func TestCookieOnlyTampered(t *testing.T) {
	cut := func(n int) func(string) string { return func(c string) string { return c[:len(c)-n] } }
	resign := func(payload string) string {
		return string(beakerfmt.AppendSigned(nil, []byte("validate-key"), payload))
	}
	tests := []struct {
		name   string
		change func(*compat.Options)
		tamper func(string) string
		want   error
	}{
		{"truncated", nil, cut(4), beakerfmt.ErrBadSignature},
		{"not signed", nil, func(c string) string { return c[beakerfmt.SignatureLen:] }, beakerfmt.ErrBadSignature},
		{"garbage", nil, func(string) string { return "x" }, beakerfmt.ErrBadSignature},
		{"another key", func(o *compat.Options) { o.ValidateKey = "other" }, nil, beakerfmt.ErrBadSignature},
		{"signed garbage", nil, func(string) string { return resign("garbage!") }, beakerfmt.ErrCorrupt},
		{"signed, empty", nil, func(string) string { return resign("") }, beakerfmt.ErrCorrupt},
		{"signed, truncated", nil, func(c string) string { return resign(c[beakerfmt.SignatureLen : len(c)-8]) }, beakerfmt.ErrCorrupt},
		{"encrypted, another key", func(o *compat.Options) { o.EncryptKey = "other" }, nil, beakerfmt.ErrDecrypt},
		{"encrypted, no key", func(o *compat.Options) { o.EncryptKey = "" }, nil, beakerfmt.ErrEncrypted},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			base := []func(*compat.Options){cookieOnly}
			if strings.HasPrefix(tc.name, "encrypted") {
				base = append(base, encrypted)
			}
			s := newSite(t, base...)
			s.login()
			change := func(strict bool) {
				s.open(append(base, func(o *compat.Options) {
					o.InvalidateCorrupt = !strict
					if tc.change != nil {
						tc.change(o)
					}
				})...)
			}
			if tc.tamper != nil {
				s.cookie = tc.tamper(s.cookie)
			}
			change(true)
			_, err := s.manager.Open(s.header()).Session(ctx())
			require.ErrorIs(t, err, tc.want)
			require.ErrorIs(t, err, stores.ErrCorrupt)
			require.NotContains(t, err.Error(), s.cookie)
			_, err = s.manager.Open(s.header()).Peek(ctx())
			require.ErrorIs(t, err, tc.want)

			change(false)
			v, err := s.manager.Open(s.header()).Peek(ctx())
			require.NoError(t, err)
			require.True(t, v.IsNew())
			require.NotEmpty(t, s.request(func(x *compat.Session) {
				require.True(t, x.IsNew())
				require.True(t, x.WasInvalidated())
				_, ok := x.Get("k")
				require.False(t, ok)
			}), "a fresh session takes its place")
			require.NotEmpty(t, s.log.String())
		})
	}
	t.Run("an access time that is no number", func(t *testing.T) {
		s := newSite(t, cookieOnly, func(o *compat.Options) { o.Timeout, o.InvalidateCorrupt = time.Minute, false })
		s.bring(pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("_accessed_time"), Value: pyvalue.Str("x")}))
		_, err := s.manager.Open(s.header()).Session(ctx())
		require.ErrorIs(t, err, stores.ErrCorrupt)
	})
}
