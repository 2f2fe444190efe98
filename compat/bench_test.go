package compat_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
)

// BenchmarkCookieOnly loads a cookie-only session from its Cookie header; the
// primitives beside it are measured by scripts/benchsession.
func BenchmarkCookieOnly(b *testing.B) {
	for name, change := range map[string]func(*compat.Options){
		"json":           func(o *compat.Options) { o.DataSerializer = "json" },
		"aes-ctr pickle": func(o *compat.Options) { o.EncryptKey, o.CryptoType = "encrypt-key", "pycrypto" },
	} {
		o := compat.Defaults()
		o.Type, o.ValidateKey = "cookie", "validate-key"
		change(&o)
		m, err := compat.New(o, nil, compat.Environment{})
		require.NoError(b, err)
		object := m.Open("")
		s, err := object.Session(context.Background())
		require.NoError(b, err)
		for k, v := range map[string]any{"user_id": 4711, "username": "eve@example.org", "roles": []string{"editor", "user"}, "lang": "fr"} {
			require.NoError(b, s.Set(k, v))
		}
		s.Save()
		require.NoError(b, object.Persist(context.Background()))
		text, _ := object.SetCookie()
		value, ok := beakerfmt.CookieWalk{}.Find(text, o.Key)
		require.True(b, ok)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := m.Open(o.Key + "=" + value).Session(context.Background())
				if err != nil || s.IsNew() {
					b.Fatal(err)
				}
			}
		})
	}
}
