package compat_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// encryptedRecord is what the store has under id, and how.
func (s *site) encryptedRecord(id string, encryptKey, validateKey string) (*pyvalue.Dict, beakerfmt.Form) {
	s.t.Helper()
	v, err := s.store.Get(ctx(), id)
	require.NoError(s.t, err)
	codec := &beakerfmt.Codec{EncryptKeys: [][]byte{[]byte(encryptKey)}, ValidateKeys: [][]byte{[]byte(validateKey)}, Random: rand.Reader}
	d, form, err := codec.DecodeValue(v)
	require.NoError(s.t, err)
	return d, form
}

// A new record is encrypted as the peer does it, one that was there as it was
// found, and an explicit peer converts what is next written.
func TestEncryptedForms(t *testing.T) {
	form := func(mode beakerfmt.AESMode, bits int) beakerfmt.Form {
		return beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2, AES: mode, NonceBits: bits}
	}
	json := beakerfmt.Form{Text: beakerfmt.TextStr, Serializer: beakerfmt.JSON, AES: beakerfmt.CBC, NonceBits: 48}
	py2 := form(beakerfmt.CTR, 48)
	py2.Text = beakerfmt.TextPy2Str
	tests := []struct {
		name   string
		peer   string
		crypto string
		found  *beakerfmt.Form
		want   beakerfmt.Form
	}{
		{"new, auto", "auto", "default", nil, form(beakerfmt.CTR, 128)},
		{"new, auto, cryptography", "auto", "cryptography", nil, form(beakerfmt.GCM, 128)},
		{"new, 1.11 with nss", "beaker-1.11/nss", "default", nil, form(beakerfmt.CBC, 128)},
		{"new, 1.7", "beaker-1.7", "default", nil, form(beakerfmt.CTR, 48)},
		{"new, 1.6.3 with PyCrypto", "beaker-1.6.3/pycrypto", "default", nil, form(beakerfmt.ECB, 48)},
		{"Python 2's of 1.7, auto", "auto", "default", &py2, py2},
		{"JSON of nss, auto", "auto", "default", &json, json},
		{"JSON of nss to 1.13 with pycryptodome", "beaker-1.13", "default", &json, form(beakerfmt.CTR, 128)},
		{"nonces of 1.7 to cryptography", "beaker-1.14/cryptography", "default", &py2, form(beakerfmt.GCM, 128)},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			peer, err := compat.ParsePeer(tc.peer)
			require.NoError(t, err)
			s := newSite(t, encrypted, func(o *compat.Options) { o.Peer, o.CryptoType = peer, tc.crypto })
			s.login()
			if tc.found != nil {
				d, _ := s.encryptedRecord(s.id(), "encrypt-key", "validate-key")
				codec := &beakerfmt.Codec{EncryptKeys: [][]byte{[]byte("encrypt-key")}, ValidateKeys: [][]byte{[]byte("validate-key")}, Random: rand.Reader}
				v, err := codec.EncodeValue(d, *tc.found)
				require.NoError(t, err)
				require.NoError(t, s.store.Put(ctx(), s.id(), v))
				s.request(func(x *compat.Session) { require.NoError(t, x.Set("n", 1)); x.Save() })
			}
			d, found := s.encryptedRecord(s.id(), "encrypt-key", "validate-key")
			require.Equal(t, tc.want, found)
			require.Equal(t, "v", text(t, d, "k"))
		})
	}
}

// A named crypto_type reads its own mode alone, as in Beaker.
func TestCryptoTypeReads(t *testing.T) {
	for written, readers := range map[string]map[string]bool{
		"pycrypto":     {"pycrypto": true, "default": true, "auto": true, "cryptography": false, "nss": false},
		"cryptography": {"cryptography": true, "default": true, "pycrypto": false, "nss": false},
		"nss":          {"nss": true, "default": true, "cryptography": false, "pycrypto": false},
	} {
		for reader, reads := range readers {
			t.Run(written+" to "+reader, func(t *testing.T) {
				s := newSite(t, encrypted, func(o *compat.Options) { o.CryptoType = written })
				s.login()
				s.open(encrypted, func(o *compat.Options) { o.CryptoType = reader })
				require.Equal(t, reads, s.loggedIn())
				s.open(encrypted, func(o *compat.Options) { o.CryptoType = reader; o.Peer, _ = compat.ParsePeer("beaker-1.13/pycrypto") })
				require.Equal(t, reads, s.loggedIn())
			})
		}
	}
}

// loggedIn reports whether a look finds the session of login.
func (s *site) loggedIn() bool {
	s.t.Helper()
	v, err := s.manager.Open(s.header()).Peek(ctx())
	require.NoError(s.t, err)
	k, _ := compat.Get[string](v, "k")
	return k == "v"
}

// The lists of keys, the first of which writes.
type rotation struct{ secret, validate, encrypt []string }

func (r rotation) apply(o *compat.Options) {
	first := func(list []string) (string, []string) { return list[0], list[1:] }
	o.Secret, o.OldSecrets = first(r.secret)
	o.ValidateKey, o.OldValidateKeys = first(r.validate)
	o.EncryptKey, o.OldEncryptKeys = first(r.encrypt)
}

// Every key that is rotated lets every session live on, and after one visit the
// old keys are not needed any more.
func TestRotation(t *testing.T) {
	orders := [][]string{{"new", "old"}, {"old"}, {"new", "older", "old"}}
	for _, kind := range []string{"", "cookie"} {
		for _, secret := range orders {
			for _, validate := range orders {
				for _, encrypt := range orders {
					r := rotation{secret, validate, encrypt}
					t.Run(fmt.Sprint(kind, r), func(t *testing.T) { testRotation(t, kind, r) })
				}
			}
		}
	}
}

func testRotation(t *testing.T, kind string, r rotation) {
	of := func(o *compat.Options) { o.Type = kind }
	old := rotation{[]string{"old"}, []string{"old"}, []string{"old"}}
	s := newSite(t, of, old.apply)
	s.login()
	s.now = s.now.Add(time.Hour) // the record is due, too

	s.open(of, r.apply)
	header := s.request(func(x *compat.Session) { require.False(t, x.IsNew()) })
	if kind == "" {
		require.Equal(t, r.secret[0] == "new", header != "")
	} else {
		require.NotEmpty(t, header)
	}

	only := rotation{r.secret[:1], r.validate[:1], r.encrypt[:1]}
	s.open(of, only.apply)
	require.True(t, s.loggedIn(), "the old keys can go")
}

// Who merely reads a cookie-only session ends its rotation all the same; the record
// of another session waits for its next write.
func TestRotationOfASessionThatIsOnlyRead(t *testing.T) {
	for _, rotate := range []func(*compat.Options){
		func(o *compat.Options) { o.ValidateKey, o.OldValidateKeys = "new", []string{"validate-key"} },
		func(o *compat.Options) { o.EncryptKey, o.OldEncryptKeys = "new", []string{"encrypt-key"} },
	} {
		cookie := newSite(t, cookieOnly, encrypted)
		cookie.login()
		cookie.open(cookieOnly, encrypted, rotate)
		require.NotEmpty(t, cookie.request(func(x *compat.Session) { x.Get("k") }))
		require.Empty(t, cookie.request(func(x *compat.Session) { x.Get("k") }))
		require.True(t, cookie.loggedIn())
	}

	s := newSite(t, encrypted)
	s.login()
	s.open(func(o *compat.Options) {
		encrypted(o)
		o.EncryptKey, o.OldEncryptKeys = "new", []string{"encrypt-key"}
		o.Secret, o.OldSecrets = "new", []string{"sekrit"}
	})
	id := s.id()
	header := s.request(func(x *compat.Session) { x.Get("k") })
	require.Equal(t, " beaker.session.id="+string(beakerfmt.AppendSigned(nil, []byte("new"), id))+"; Path=/; SameSite=Lax", header)
	require.Zero(t, s.store.writes)
	s.encryptedRecord(id, "encrypt-key", "validate-key")
	s.now = s.now.Add(time.Hour)
	require.Empty(t, s.request(func(x *compat.Session) { x.Get("k") }))
	require.Equal(t, 1, s.store.writes)
	s.encryptedRecord(id, "new", "validate-key")
}

// The cookie of an adopted id is signed anew, too.
func TestRotationOfAnUnknownID(t *testing.T) {
	s := newSite(t)
	s.login()
	id := s.id()
	require.NoError(t, s.store.Delete(ctx(), id))
	s.open(beaker, func(o *compat.Options) { o.Secret, o.OldSecrets = "new", []string{"sekrit"} })
	header := s.request(func(x *compat.Session) {
		require.Equal(t, id, x.ID())
		require.NoError(t, x.Reload(ctx()))
		x.Save()
	})
	require.Contains(t, header, string(beakerfmt.AppendSigned(nil, []byte("new"), id)))
}

// Beaker without an AES library stores in clear. That is read only when asked for,
// and does not stay so.
func TestPlaintext(t *testing.T) {
	accept := func(o *compat.Options) { o.AcceptPlaintext = true }
	strict := func(o *compat.Options) { o.InvalidateCorrupt = false }
	t.Run("in a store", func(t *testing.T) {
		for name, peer := range map[string]compat.Peer{"text": {}, "dict": {Major: 1, Minor: 11}} {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, func(o *compat.Options) { o.Peer = peer })
				s.login()
				s.open(encrypted, strict)
				_, err := s.manager.Open(s.header()).Session(ctx())
				require.ErrorIs(t, err, beakerfmt.ErrPlaintext)
				require.ErrorIs(t, err, stores.ErrCorrupt)

				s.open(encrypted, accept, strict)
				s.now = s.now.Add(time.Hour)
				s.request(func(x *compat.Session) { x.Get("k") })
				d, form := s.encryptedRecord(s.id(), "encrypt-key", "validate-key")
				require.Equal(t, beakerfmt.CTR, form.AES)
				require.Equal(t, "v", text(t, d, "k"))
			})
		}
	})
	t.Run("in a cookie", func(t *testing.T) {
		s := newSite(t, cookieOnly)
		s.login()
		s.open(cookieOnly, encrypted, strict)
		_, err := s.manager.Open(s.header()).Session(ctx())
		require.ErrorIs(t, err, beakerfmt.ErrPlaintext)

		s.open(cookieOnly, encrypted, accept)
		require.NotEmpty(t, s.request(func(x *compat.Session) { x.Get("k") }), "at once, not at the next write")
		d, form := s.payload()
		require.Equal(t, beakerfmt.CTR, form.AES)
		require.Equal(t, "v", text(t, d, "k"))
	})
}

// Who has not the key of a record does not replace it.
func TestRecordsOfAnotherKeyStay(t *testing.T) {
	another := func(o *compat.Options) { encrypted(o); o.EncryptKey = "another" }
	none := func(*compat.Options) {}
	for name, c := range map[string]struct {
		writer, reader func(*compat.Options)
		want           error
	}{
		"wrong key":                  {encrypted, another, beakerfmt.ErrDecrypt},
		"no key":                     {encrypted, none, beakerfmt.ErrEncrypted},
		"a key where there was none": {none, encrypted, beakerfmt.ErrPlaintext},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.writer)
			s.login()
			id, theirs := s.id(), s.cookie
			value, err := s.store.Get(ctx(), id)
			require.NoError(t, err)
			unharmed := func(t *testing.T) {
				t.Helper()
				now, err := s.store.Get(ctx(), id)
				require.NoError(t, err)
				require.Equal(t, value, now)
			}

			t.Run("load", func(t *testing.T) {
				s.open(c.reader, func(o *compat.Options) { o.InvalidateCorrupt = false })
				_, err := s.manager.Open(s.header()).Session(ctx())
				require.ErrorIs(t, err, c.want)
				require.ErrorIs(t, err, stores.ErrCorrupt)
				_, err = s.manager.GetByID(ctx(), id)
				require.ErrorIs(t, err, c.want)
				unharmed(t)
			})
			t.Run("invalidate_corrupt", func(t *testing.T) {
				s.open(c.reader)
				for _, end := range []func(*compat.Session){(*compat.Session).Save, (*compat.Session).Delete, func(x *compat.Session) { _ = x.Invalidate(); x.Save() }} {
					s.cookie = theirs
					s.request(func(x *compat.Session) {
						require.True(t, x.IsNew())
						require.NotEqual(t, id, x.ID())
						require.NoError(t, x.Set("n", 1))
						end(x)
					})
					unharmed(t)
				}
			})
			for name, verb := range map[string]func(*testing.T, *compat.Session){
				"save":       func(t *testing.T, x *compat.Session) { require.NoError(t, x.Set("n", 1)); x.Save() },
				"regenerate": func(t *testing.T, x *compat.Session) { require.NoError(t, x.RegenerateID()) },
			} {
				t.Run("meanwhile, "+name, func(t *testing.T) {
					s.open(c.reader)
					s.cookie = ""
					s.login()
					o := s.manager.Open(s.header())
					x, err := o.Session(ctx())
					require.NoError(t, err)
					verb(t, x)
					require.NoError(t, s.store.Put(ctx(), s.id(), value))
					require.ErrorIs(t, o.Persist(ctx()), c.want)
					now, err := s.store.Get(ctx(), s.id())
					require.NoError(t, err)
					require.Equal(t, value, now)
				})
			}
			t.Run("meanwhile, only read", func(t *testing.T) {
				s.open(c.reader)
				s.cookie = ""
				s.login()
				s.now = s.now.Add(time.Hour)
				o := s.manager.Open(s.header())
				x, err := o.Session(ctx())
				require.NoError(t, err)
				require.False(t, x.IsNew())
				require.NoError(t, s.store.Put(ctx(), s.id(), value))
				require.NoError(t, o.Persist(ctx()))
				now, err := s.store.Get(ctx(), s.id())
				require.NoError(t, err)
				require.Equal(t, value, now)
			})
		})
	}
}

// The nonce is another at each time; what counts is what is in it.
func TestEncryptedPersistTwice(t *testing.T) {
	for _, serializer := range []string{"pickle", "json"} {
		t.Run(serializer, func(t *testing.T) {
			s := newSite(t, encrypted, func(o *compat.Options) { o.DataSerializer = serializer })
			s.login()
			o := s.manager.Open(s.header())
			x, err := o.Session(ctx())
			require.NoError(t, err)
			require.NoError(t, x.Set("t", []any{1, "x"}))
			x.Save()
			for range 3 {
				require.NoError(t, o.Persist(ctx()))
				require.Equal(t, 1, s.store.writes)
			}
			require.NoError(t, x.Set("n", 2))
			require.NoError(t, o.Persist(ctx()))
			require.Equal(t, 2, s.store.writes)
			d, _ := s.encryptedRecord(s.id(), "encrypt-key", "validate-key")
			n, _ := d.GetStr("n")
			require.True(t, pyvalue.Equal(pyvalue.NewInt(2), n))
		})
	}
}

// A session that begins anew within the request is encrypted like any other.
func TestEncryptedInvalidateAfterPersist(t *testing.T) {
	s := newSite(t, encrypted)
	s.login()
	s.request(func(x *compat.Session) {
		require.NoError(t, x.Set("n", 1))
		x.Save()
		require.NoError(t, x.Persist(ctx()))
		require.NoError(t, x.Invalidate())
		x.Save()
		require.NoError(t, x.Set("k", "w"))
	})
	d, _ := s.encryptedRecord(s.id(), "encrypt-key", "validate-key")
	require.Equal(t, "w", text(t, d, "k"))
}

// Two requests merge also what is encrypted.
func TestEncryptedMerge(t *testing.T) {
	s := newSite(t, encrypted)
	s.login()
	cookie := s.cookie
	o := s.manager.Open(s.header())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	s.request(func(y *compat.Session) { require.NoError(t, y.Set("b", "2")); y.Save() })
	require.NoError(t, x.Set("a", "1"))
	x.Remove("k")
	x.Save()
	require.NoError(t, o.Persist(ctx()))
	s.cookie = cookie
	d, _ := s.encryptedRecord(s.id(), "encrypt-key", "validate-key")
	require.Equal(t, "1", text(t, d, "a"))
	require.Equal(t, "2", text(t, d, "b"))
	require.Empty(t, text(t, d, "k"))
}

func TestKeysBeyondASCII(t *testing.T) {
	s := newSite(t, func(o *compat.Options) { o.EncryptKey, o.ValidateKey = "clé", "v" })
	require.Contains(t, s.log.String(), "not ASCII")
	require.Equal(t, 1, strings.Count(s.log.String(), "\n"))
	s.login()
	require.True(t, s.loggedIn())
}
