package livetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// Every peer reads exactly the forms of which compat's table of eras says so:
// each form that there is, written by Go, under each of the options that matter.
func TestReads(t *testing.T) {
	for _, venv := range peers.AllBeakers(t) {
		t.Run(venv.Name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, venv)
			read, refused := 0, 0
			for _, o := range r.optionSets(t) {
				for _, form := range allForms(o) {
					if r.check(t, o, form) {
						read++
					} else {
						refused++
					}
				}
			}
			t.Logf("%s: %d forms read, %d refused", r.peer, read, refused)
			require.Positive(t, read)
			require.Positive(t, refused)
		})
	}
}

// reader is a Beaker that is asked what it reads.
type reader struct {
	python    *peers.Process
	peer      compat.Peer
	libraries []string
}

func newReader(t *testing.T, venv peers.Venv) *reader {
	peer, err := compat.ParsePeer(venv.Peer())
	require.NoError(t, err)
	r := &reader{peer: peer, python: peers.Start(t, nil, venv.Exe, peers.Script(t, "reads.py"))}
	r.python.Ask(t, `{"libraries": true}`, &r.libraries)
	for _, library := range slices.Backward(peer.Era().Libraries) {
		if r.has(library) {
			r.peer.Crypto = library
		}
	}
	return r
}

func (r *reader) has(library string) bool {
	if strings.HasPrefix(library, "pycrypto") && library != "pycryptopp" {
		library = "Crypto"
	}
	return slices.Contains(r.libraries, library)
}

// optionSets are those with which this Beaker can be set up here.
func (r *reader) optionSets(t *testing.T) (all []*compat.Options) {
	dir, era := t.TempDir(), r.peer.Era()
	for _, kind := range []string{"cookie", "file"} {
		for _, serializer := range []string{"pickle", "json"} {
			for _, bits := range []int{128, 48} {
				for _, module := range append([]string{"", "default"}, era.CryptoTypes...) { // "": no encrypt_key
					o := compat.Defaults()
					o.Type, o.DataDir, o.DataSerializer, o.EncryptNonceBits = kind, dir, serializer, bits
					o.Secret, o.ValidateKey = "secret", "validate-key"
					if module != "" {
						o.EncryptKey, o.CryptoType = "encrypt-key", module
					}
					switch {
					case serializer == "json" && !era.JSON, bits == 48 && (module == "" || era.NonceBits == 48):
					case module == "default" && r.peer.Crypto == "":
					case module != "" && module != "default" && !r.has(module):
					default:
						all = append(all, &o)
					}
				}
			}
		}
	}
	return all
}

// allForms are those in which a session can stand where o keeps it.
func allForms(o *compat.Options) (all []beakerfmt.Form) {
	if o.Type != "cookie" {
		all = append(all, beakerfmt.Form{})
	}
	for _, s := range []beakerfmt.Serializer{beakerfmt.Pickle, beakerfmt.JSON} {
		all = append(all, beakerfmt.Form{Text: beakerfmt.TextStr, Serializer: s})
		for _, m := range []beakerfmt.AESMode{beakerfmt.CTR, beakerfmt.GCM, beakerfmt.CBC, beakerfmt.ECB} {
			for _, bits := range []int{48, 128} {
				all = append(all, beakerfmt.Form{Text: beakerfmt.TextStr, Serializer: s, AES: m, NonceBits: bits})
			}
		}
	}
	return all
}

// check writes a session in this form, and reports whether Beaker read it, as
// the table says.
func (r *reader) check(t *testing.T, o *compat.Options, f beakerfmt.Form) bool {
	t.Helper()
	expect := r.peer.Reads(f, o)
	var answer struct {
		Value *string
		Error *string
	}
	request, err := json.Marshal(map[string]any{"options": r.options(o), "cookie": o.Key + "=" + writeForm(t, o, f)})
	require.NoError(t, err)
	r.python.Ask(t, string(request), &answer)
	read := answer.Value != nil
	said := "nothing"
	if answer.Error != nil {
		said = *answer.Error
	}
	require.Equal(t, expect == nil, read, "%s with %s, %s, crypto_type %q, %d bits of nonce reads %+v: the table says %v, Beaker says %s",
		r.peer, o.Type, o.DataSerializer, o.CryptoType, o.EncryptNonceBits, f, expect, said)
	return read
}

// options are those that this Beaker knows.
func (r *reader) options(o *compat.Options) map[string]any {
	era := r.peer.Era()
	options := map[string]any{"type": o.Type, "validate_key": o.ValidateKey}
	if o.Type != "cookie" {
		options["secret"], options["data_dir"] = o.Secret, o.DataDir
	}
	if o.EncryptKey != "" {
		options["encrypt_key"] = o.EncryptKey
	}
	if era.JSON {
		options["data_serializer"], options["encrypt_nonce_bits"] = o.DataSerializer, o.EncryptNonceBits
	}
	if len(era.CryptoTypes) > 0 {
		options["crypto_type"] = o.CryptoType
	}
	return options
}

// writeForm writes a session with a marker and returns the cookie's value.
func writeForm(t *testing.T, o *compat.Options, f beakerfmt.Form) string {
	t.Helper()
	codec := &beakerfmt.Codec{Random: rand.Reader}
	if f.AES != beakerfmt.AESNone {
		codec.EncryptKeys, codec.ValidateKeys = [][]byte{[]byte("encrypt-key")}, [][]byte{[]byte(o.ValidateKey)}
	}
	d := pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str("marker"), Value: pyvalue.Str("here")},
		pyvalue.Entry{Key: pyvalue.Str("_creation_time"), Value: pyvalue.Float(1700000000)},
		pyvalue.Entry{Key: pyvalue.Str("_accessed_time"), Value: pyvalue.Float(1700000000)},
	)
	if o.Type == "cookie" {
		payload, err := codec.AppendPayload(nil, d, f)
		require.NoError(t, err)
		return string(beakerfmt.AppendSigned(nil, []byte(o.ValidateKey), string(payload)))
	}
	v, err := codec.EncodeValue(d, f)
	require.NoError(t, err)
	plain := *o
	plain.EncryptKey = "" // only the place matters here
	store, err := backend.Open(plain)
	require.NoError(t, err)
	id := fmt.Sprintf("%d%d%d%d", f.Text, f.Serializer, f.AES, f.NonceBits)
	require.NoError(t, store.Put(context.Background(), id, v))
	return string(beakerfmt.AppendSigned(nil, []byte(o.Secret), id))
}

// What Go just fits into a cookie, Beaker fits in too: it packs a cookie-only
// session again whenever it reads it, and fails if that has become too long.
func TestReadsFullCookies(t *testing.T) {
	fillers := map[string]func(r *mathrand.Rand, n int) (string, pyvalue.Value){
		"hex": func(r *mathrand.Rand, n int) (string, pyvalue.Value) {
			return fmt.Sprintf("%08x", r.Uint32()), pyvalue.Str(fmt.Sprintf("%016x", r.Uint64()))
		},
		"words": func(r *mathrand.Rand, n int) (string, pyvalue.Value) {
			words := []string{"order ", "basket ", "item ", "user@example.org ", "2023-11-14 ", "é "}
			return fmt.Sprintf("key%d", r.Uint32()), pyvalue.Str(words[r.IntN(6)] + words[r.IntN(6)] + words[r.IntN(6)])
		},
		"ints": func(r *mathrand.Rand, n int) (string, pyvalue.Value) {
			return fmt.Sprintf("n%d", n), pyvalue.NewInt(r.Int64N(1 << 40))
		},
	}
	type cookie struct {
		name  string
		o     compat.Options
		value string
	}
	var cookies []cookie
	for name, filler := range fillers {
		for _, s := range []beakerfmt.Serializer{beakerfmt.Pickle, beakerfmt.JSON} {
			o := compat.Defaults()
			o.Type, o.ValidateKey, o.DataSerializer = "cookie", "validate-key", s.String()
			cookies = append(cookies, cookie{name, o, fullCookie(t, &o, s, filler)})
		}
	}
	for _, venv := range peers.AllBeakers(t) {
		t.Run(venv.Name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, venv)
			for _, c := range cookies {
				if c.o.DataSerializer == "json" && !r.peer.Era().JSON {
					continue
				}
				request, err := json.Marshal(map[string]any{"options": r.options(&c.o), "cookie": c.o.Key + "=" + c.value})
				require.NoError(t, err)
				var answer struct{ Value, Error any }
				r.python.Ask(t, string(request), &answer)
				require.Nil(t, answer.Error, "%s as %s: %v", c.name, c.o.DataSerializer, answer.Error)
				require.NotNil(t, answer.Value, "%s as %s", c.name, c.o.DataSerializer)
			}
		})
	}
}

// fullCookie is the value of the largest cookie that a filler makes.
func fullCookie(t *testing.T, o *compat.Options, s beakerfmt.Serializer, filler func(*mathrand.Rand, int) (string, pyvalue.Value)) string {
	t.Helper()
	r, codec := mathrand.New(mathrand.NewPCG(3, uint64(s))), new(beakerfmt.Codec)
	d := pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str("_domain"), Value: pyvalue.None{}},
		pyvalue.Entry{Key: pyvalue.Str("_path"), Value: pyvalue.Str("/")},
		pyvalue.Entry{Key: pyvalue.Str("_accessed_time"), Value: pyvalue.Float(1700000000.123456)},
		pyvalue.Entry{Key: pyvalue.Str("_creation_time"), Value: pyvalue.Float(1700000000.123456)},
		pyvalue.Entry{Key: pyvalue.Str("_id"), Value: pyvalue.Str("0123456789abcdef0123456789abcdef")},
		pyvalue.Entry{Key: pyvalue.Str("marker"), Value: pyvalue.Str("here")},
	)
	var full []byte
	for n := 0; ; n++ {
		key, v := filler(r, n)
		d.SetStr(key, v)
		payload, err := codec.AppendPayload(nil, d, beakerfmt.Form{Serializer: s})
		if errors.Is(err, beakerfmt.ErrCookieTooLong) {
			require.NotNil(t, full)
			return string(beakerfmt.AppendSigned(nil, []byte(o.ValidateKey), string(full)))
		}
		require.NoError(t, err)
		full = payload
	}
}
