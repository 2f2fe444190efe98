package compat_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*compat.Options)
		want   string
	}{
		{"zero options", func(o *compat.Options) { *o = compat.Options{} }, "compat.Defaults"},
		{"cookie-only without a key", func(o *compat.Options) { o.Type = "cookie" }, "No validate_key specified for Cookie only Session."},
		{"cookie-only with a store", func(o *compat.Options) { o.Type, o.ValidateKey = "cookie", "v" }, "such sessions have no store"},
		{"cookie-only, touch interval", func(o *compat.Options) {
			cookieOnly(o)
			o.TouchInterval, o.CookieExpires = time.Minute, compat.CookieExpires{Mode: compat.ExpiresAfter, After: time.Minute}
		}, "touch_interval: must be shorter than cookie_expires"},
		{"encryption without a validate key", func(o *compat.Options) { o.EncryptKey = "e" }, "encrypt_key: needs a validate_key"},
		{"nonce", func(o *compat.Options) { o.EncryptNonceBits = 100 }, "Nonce complexity currently supports multiples of 8"},
		{"no nonce", func(o *compat.Options) { encrypted(o); o.EncryptNonceBits = 0 }, "Nonce complexity currently supports multiples of 8"},
		{"crypto type", func(o *compat.Options) { o.CryptoType = "openssl" }, "No crypto backend with name 'openssl' is registered."},
		{"crypto type, encrypted", func(o *compat.Options) { encrypted(o); o.CryptoType = "openssl" }, "No crypto backend with name 'openssl' is registered."},
		{"cryptography for 1.8", func(o *compat.Options) {
			encrypted(o)
			o.CryptoType, o.Peer = "cryptography", compat.Peer{Major: 1, Minor: 8}
		}, "beaker-1.8.0"},
		{"JSON cookie for 1.7", func(o *compat.Options) {
			o.Type, o.ValidateKey, o.DataSerializer, o.Peer = "cookie", "v", "json", compat.Peer{Major: 1, Minor: 7}
		}, "data_serializer = json: beaker-1.7 has only pickle"},
		{"server-side encryption for 1.6.1", func(o *compat.Options) { encrypted(o); o.Peer = compat.Peer{Major: 1, Minor: 6, Patch: 1} }, "encrypt_key: beaker-1.6.1"},
		{"keys beyond ASCII", func(o *compat.Options) {
			o.EncryptKey, o.ValidateKey, o.Peer = "e", "clé", compat.Peer{Major: 1, Minor: 13, Python: 3}
		}, "UnicodeEncodeError"},
		{"old encrypt keys alone", func(o *compat.Options) { o.OldEncryptKeys = []string{"x"} }, "encrypt_key: older ones"},
		{"empty old key", func(o *compat.Options) { o.ValidateKey, o.OldValidateKeys = "x", []string{""} }, "validate_key: an older one is empty"},
		{"serializer", func(o *compat.Options) { o.DataSerializer = "yaml" }, "Invalid value for data_serializer: yaml"},
		{"timeout without access time", func(o *compat.Options) { o.Timeout, o.SaveAccessedTime = time.Second, false }, "timeout requires save_accessed_time"},
		{"touch interval", func(o *compat.Options) { o.Timeout, o.TouchInterval = time.Minute, time.Minute }, "touch_interval"},
		{"negative timeout", func(o *compat.Options) { o.Timeout = -time.Hour }, "negative"},
		{"path", func(o *compat.Options) { o.CookiePath = "/;" }, "cookie_path"},
		{"key", func(o *compat.Options) { o.Key = "a b" }, "key"},
		{"old secrets alone", func(o *compat.Options) { o.OldSecrets = []string{"x"} }, "secret"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := compat.Defaults()
			tc.change(&o)
			_, err := compat.New(o, &watchedStore{}, compat.Environment{})
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := compat.New(compat.Defaults(), nil, compat.Environment{})
	require.Error(t, err)
	m, err := compat.New(compat.Defaults(), &watchedStore{}, compat.Environment{})
	require.NoError(t, err)
	require.Equal(t, "beaker.session.id", m.Options().Key)
}
