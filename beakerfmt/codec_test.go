package beakerfmt

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

var plain Codec

func b64(raw string) string { return base64.StdEncoding.EncodeToString([]byte(raw)) }

func zlibbed(doc string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write([]byte(doc))
	_ = w.Close()
	return out.String()
}

// sample is a session such as applications have.
func sample() *pyvalue.Dict {
	return pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str("_accessed_time"), Value: pyvalue.Float(1700000000.25)},
		pyvalue.Entry{Key: pyvalue.Str("_creation_time"), Value: pyvalue.Float(1700000000.25)},
		pyvalue.Entry{Key: pyvalue.Str("_domain"), Value: pyvalue.None{}},
		pyvalue.Entry{Key: pyvalue.Str("_path"), Value: pyvalue.Str("/")},
		pyvalue.Entry{Key: pyvalue.Str("user"), Value: pyvalue.Str("alice")},
		pyvalue.Entry{Key: pyvalue.Str("admin"), Value: pyvalue.Bool(false)},
		pyvalue.Entry{Key: pyvalue.Str("uid"), Value: pyvalue.NewInt(1234567)},
		pyvalue.Entry{Key: pyvalue.Str("cart"), Value: pyvalue.NewList(pyvalue.NewInt(1), pyvalue.NewInt(2), pyvalue.NewInt(3))},
		pyvalue.Entry{Key: pyvalue.Str("_authentication_token"), Value: pyvalue.Str("213412341234123412341234123412341234")},
		pyvalue.Entry{Key: pyvalue.Str("lang"), Value: pyvalue.Str("en")},
	)
}

func TestForms(t *testing.T) {
	for _, text := range []Text{TextNone, TextStr, TextPy2Str, TextBytes} {
		for _, s := range []Serializer{Pickle, JSON} {
			t.Run(fmt.Sprintf("%s %s", text, s), func(t *testing.T) {
				want := Form{Text: text, Serializer: s}
				v, err := plain.EncodeValue(sample(), want)
				require.NoError(t, err)
				d, f, err := plain.DecodeValue(v)
				require.NoError(t, err)
				require.True(t, pyvalue.Same(sample(), d))
				require.Equal(t, text, f.Text)
				if text == TextNone { // there the serializer does not show
					return
				}
				require.Equal(t, s, f.Serializer)

				got, err := plain.EncodeValue(d, f)
				require.NoError(t, err)
				require.Equal(t, v, got)
			})
		}
	}
}

func TestPayload(t *testing.T) {
	for _, s := range []Serializer{Pickle, JSON} {
		out, err := plain.AppendPayload([]byte("signature"), sample(), Form{Serializer: s})
		require.NoError(t, err)
		text, ok := strings.CutPrefix(string(out), "signature")
		require.True(t, ok)
		require.True(t, strings.HasPrefix(text, map[Serializer]string{Pickle: "gAJ", JSON: "eJ"}[s]))

		d, f, err := plain.DecodePayload(text, -1)
		require.NoError(t, err)
		require.True(t, pyvalue.Same(sample(), d))
		require.Equal(t, s, f.Serializer)
	}
}

func TestPayloadLength(t *testing.T) {
	of := func(n int) *pyvalue.Dict {
		return pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: pyvalue.Str(strings.Repeat("x", n))})
	}
	probe, err := plain.AppendPayload(nil, of(2000), Form{})
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(string(probe))
	require.NoError(t, err)
	most := MaxCookiePayload/4*3 - (len(raw) - 2000)

	text, err := plain.AppendPayload(nil, of(most), Form{})
	require.NoError(t, err)
	require.Len(t, text, MaxCookiePayload)

	text, err = plain.AppendPayload([]byte("kept"), of(most+1), Form{})
	require.ErrorIs(t, err, ErrCookieTooLong)
	require.Equal(t, "kept", string(text))
	require.NotContains(t, err.Error(), "xxx")

	v, err := plain.EncodeValue(of(most+1), Form{Text: TextStr})
	require.NoError(t, err, "a store has no such limit")
	require.IsType(t, pyvalue.Str(""), v)
}

// Hexadecimal ids pack better here than in zlib: what fits here must fit there.
func TestPayloadLengthJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := pyvalue.NewDict()
	for {
		d.SetStr(fmt.Sprintf("%08x", r.Uint32()), pyvalue.Str(fmt.Sprintf("%016x", r.Uint64())))
		doc, err := pyjson.Append(nil, d)
		require.NoError(t, err)
		python := base64.StdEncoding.EncodedLen(repacked(doc))
		n, err := plain.PayloadLen(d, Form{Serializer: JSON})
		require.NoError(t, err)
		text, err := plain.AppendPayload(nil, d, Form{Serializer: JSON})
		require.Equal(t, n > MaxCookiePayload, errors.Is(err, ErrCookieTooLong))
		if err != nil {
			require.Equal(t, python, n)
			return
		}
		require.LessOrEqual(t, python, MaxCookiePayload)
		require.LessOrEqual(t, len(text), n)
	}
}

func TestDecodeValueTolerates(t *testing.T) {
	pickled := "\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s."
	wrapped := b64(pickled)
	for _, c := range []struct {
		name  string
		value pyvalue.Value
		form  Form
	}{
		{"text", pyvalue.Str(wrapped), Form{Text: TextStr, Protocol: 2}},
		{"line breaks", pyvalue.Py2Str(wrapped[:8] + "\r\n" + wrapped[8:] + "\n"), Form{Text: TextPy2Str, Protocol: 2}},
		{"protocol 4", pyvalue.Bytes(b64("\x80\x04}\x8c\x01aK\x01s.")), Form{Text: TextBytes, Protocol: 4}},
		{"JSON", pyvalue.Str(b64(zlibbed(`{"a": 1}`))), Form{Text: TextStr, Serializer: JSON}},
		{"JSON and more", pyvalue.Str(b64(zlibbed(`{"a": 1}`) + "more")), Form{Text: TextStr, Serializer: JSON}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, f, err := plain.DecodeValue(c.value)
			require.NoError(t, err)
			require.Equal(t, c.form, f)
			v, ok := d.GetStr("a")
			require.True(t, ok)
			require.True(t, pyvalue.Equal(pyvalue.NewInt(1), v))
			require.Equal(t, 1, d.Len())
		})
	}
}

func TestDecodeValueRefuses(t *testing.T) {
	object := &pyvalue.Object{
		Class: &pyvalue.Global{Module: "collections", Name: "OrderedDict"},
		Args:  pyvalue.NewTuple(),
	}
	nonce24, nonce8 := b64("0123456789abcdef"), b64("012345")
	secret := b64("twenty bytes of noise")
	for _, c := range []struct {
		name  string
		value pyvalue.Value
		want  error
	}{
		{"None", pyvalue.None{}, ErrNoSession},
		{"empty dict", pyvalue.NewDict(), ErrNoSession},
		{"empty list", pyvalue.NewList(), ErrNoSession},
		{"empty tuple", pyvalue.NewTuple(), ErrNoSession},
		{"empty sets", pyvalue.NewSet(), ErrNoSession},
		{"empty frozenset", pyvalue.NewFrozenSet(), ErrNoSession},
		{"list", pyvalue.NewList(pyvalue.NewInt(1)), ErrCorrupt},
		{"int", pyvalue.NewInt(0), ErrCorrupt},
		{"bytearray", &pyvalue.ByteArray{Data: []byte("x")}, ErrCorrupt},
		{"instance", object, ErrCorrupt},
		{"empty text", pyvalue.Str(""), ErrCorrupt},
		{"not base64", pyvalue.Str("abc"), ErrCorrupt},
		{"not base64 at all", pyvalue.Str("!!!! not base64, whatever its length"), ErrCorrupt},
		{"base64 of garbage", pyvalue.Str(b64("garbage")), ErrCorrupt},
		{"more after the pickle", pyvalue.Str(b64("\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s.\n  ")), ErrCorrupt},
		{"truncated pickle", pyvalue.Str(b64("\x80\x02}q\x00X")), ErrCorrupt},
		{"protocol of the future", pyvalue.Str(b64("\x80\x06}.")), ErrCorrupt},
		{"pickled empty dict", pyvalue.Str(b64("\x80\x02}.")), ErrNoSession},
		{"pickled None", pyvalue.Str(b64("\x80\x02N.")), ErrNoSession},
		{"pickled list", pyvalue.Str(b64("\x80\x02]K\x01a.")), ErrCorrupt},
		{"pickled text", pyvalue.Str(b64("\x80\x02X\x01\x00\x00\x00a.")), ErrCorrupt},
		{"JSON list", pyvalue.Str(b64(zlibbed(`[1]`))), ErrCorrupt},
		{"JSON empty dict", pyvalue.Str(b64(zlibbed(`{}`))), ErrNoSession},
		{"JSON null", pyvalue.Str(b64(zlibbed(`null`))), ErrNoSession},
		{"not JSON", pyvalue.Str(b64(zlibbed(`{"a": secret}`))), ErrCorrupt},
		{"truncated zlib", pyvalue.Str(b64(zlibbed(`{"a": 1}`)[:9])), ErrCorrupt},
		{"zlib header alone", pyvalue.Str(b64("\x78\x9c")), ErrCorrupt},
		{"wrong checksum", pyvalue.Str(b64(zlibbed(`{"a": 1}`)[:14] + "????")), ErrCorrupt},
		{"zlib with a dictionary", pyvalue.Str(b64("\x78\xbb" + "\x00\x00\x00\x00")), ErrCorrupt},

		{"nonce of 24 and base64", pyvalue.Str(nonce24 + secret), ErrEncrypted},
		{"nonce of 8 and base64", pyvalue.Bytes(nonce8 + secret), ErrEncrypted},
		{"padding in the middle", pyvalue.Str("A=AA" + secret + secret), ErrCorrupt},
		{"too much padding", pyvalue.Str("AA=A" + secret + secret), ErrCorrupt},
		{"long nonce", pyvalue.Str(b64(strings.Repeat("x", 100)) + secret), ErrEncrypted},
		{"nonce alone", pyvalue.Str(nonce24), ErrEncrypted}, // cannot be told from 8 and 16
		{"nonce and an odd rest", pyvalue.Str(nonce24 + "abcde"), ErrCorrupt},
		{"nonce and no base64", pyvalue.Str(nonce24 + "ab!d"), ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := plain.DecodeValue(c.value)
			require.ErrorIs(t, err, c.want)
			require.True(t, strings.HasPrefix(err.Error(), "beakerfmt: decode session value: "), err.Error())
			require.NotContains(t, err.Error(), "secret")
			if text, ok := pyvalue.Text(c.value); ok {
				_, _, err = plain.DecodePayload(text, -1)
				require.ErrorIs(t, err, c.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	bomb := pyvalue.Str(b64(zlibbed(`{"a": "` + strings.Repeat("x", 1<<20) + `"}`)))
	require.Less(t, len(bomb), 1<<12)
	for _, lim := range []Limits{
		{MaxInflated: 1 << 20},
		{JSON: pyjson.Limits{MaxBytes: 1 << 20}},
	} {
		_, _, err := (&Codec{Limits: lim}).DecodeValue(bomb)
		require.ErrorIs(t, err, ErrCorrupt)
	}
	_, _, err := (&Codec{Limits: Limits{MaxInflated: 1<<20 + 9}}).DecodeValue(bomb)
	require.NoError(t, err)

	huge := pyvalue.Str(b64(zlibbed(strings.Repeat(" ", defaultMaxInflated) + "{}")))
	_, _, err = (&Codec{Limits: Limits{JSON: pyjson.Limits{MaxBytes: 1 << 30}}}).DecodeValue(huge)
	require.ErrorIs(t, err, errInflated)

	pickled := pyvalue.Str(b64("\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s."))
	_, _, err = (&Codec{Limits: Limits{Pickle: pickle.Limits{MaxBytes: 8}}}).DecodeValue(pickled)
	require.ErrorIs(t, err, ErrCorrupt)
}

// What json cannot hold is an error of the encoder, not a lost value.
func TestEncodeRefuses(t *testing.T) {
	d := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: pyvalue.Bytes("\xff")})
	_, err := plain.EncodeValue(d, Form{Text: TextStr, Serializer: JSON})
	require.ErrorContains(t, err, "beakerfmt: encode session value: ")
	out, err := plain.AppendPayload([]byte("kept"), d, Form{Serializer: JSON})
	require.ErrorContains(t, err, "beakerfmt: encode cookie payload: ")
	require.Equal(t, "kept", string(out))
}

func TestContainer(t *testing.T) {
	c := pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str(SessionKey), Value: sample()},
		pyvalue.Entry{Key: pyvalue.Str("other"), Value: pyvalue.NewTuple(pyvalue.NewInt(1))},
	)
	for proto := 0; proto <= 5; proto++ {
		data, err := AppendContainer([]byte("x"), c, proto)
		require.NoError(t, err)
		require.Equal(t, byte('x'), data[0])
		got, err := DecodeContainer(data[1:], pickle.Limits{})
		require.NoError(t, err)
		require.True(t, pyvalue.Same(c, got), "protocol %d", proto)
	}

	_, err := AppendContainer(nil, c, 6)
	require.ErrorContains(t, err, "beakerfmt: encode container: ")

	for _, k := range []struct {
		data string
		want error
	}{
		{"", ErrCorrupt}, {"garbage", ErrCorrupt}, {"\x80\x04}", ErrCorrupt},
		{"]q\x00.", ErrNoSession}, {"N.", ErrNoSession}, {"K\x01.", ErrNoSession},
	} {
		_, err := DecodeContainer([]byte(k.data), pickle.Limits{})
		require.ErrorIs(t, err, k.want, "%q", k.data)
	}

	empty, err := DecodeContainer([]byte("}."), pickle.Limits{})
	require.NoError(t, err)
	require.Zero(t, empty.Len())
}

func FuzzDecodePayload(f *testing.F) {
	for _, s := range []Serializer{Pickle, JSON} {
		v, err := plain.EncodeValue(sample(), Form{Text: TextStr, Serializer: s})
		require.NoError(f, err)
		f.Add(string(v.(pyvalue.Str)))
	}
	f.Add(b64("\x80\x04}\x94(\x8c\x01a]\x94\x8c\x01bh\x01u."))
	f.Add(b64("0123456789abcdef") + b64("noise of some length"))
	lim := Limits{MaxInflated: 1 << 20}
	f.Fuzz(func(t *testing.T, text string) {
		d, form, err := (&Codec{Limits: lim}).DecodePayload(text, -1)
		if err != nil {
			return
		}
		require.NotZero(t, d.Len())
		v, err := plain.EncodeValue(d, form)
		require.NoError(t, err)
		again, form2, err := (&Codec{Limits: lim}).DecodeValue(v)
		require.NoError(t, err)
		require.Equal(t, form.Serializer, form2.Serializer)
		require.Equal(t, TextStr, form2.Text)
		require.True(t, pyvalue.Same(d, again))
	})
}

func FuzzDecodeContainer(f *testing.F) {
	c := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str(SessionKey), Value: sample()})
	for proto := 0; proto <= 5; proto++ {
		data, err := AppendContainer(nil, c, proto)
		require.NoError(f, err)
		f.Add(data, proto)
	}
	f.Fuzz(func(t *testing.T, data []byte, proto int) {
		c, err := DecodeContainer(data, pickle.Limits{})
		if err != nil {
			return
		}
		again, err := AppendContainer(nil, c, pickle.DefaultProtocol)
		require.NoError(t, err)
		c2, err := DecodeContainer(again, pickle.Limits{})
		require.NoError(t, err)
		require.True(t, pyvalue.Same(c, c2))
		if v, ok := c.GetStr(SessionKey); ok {
			_, _, _ = (&Codec{Limits: Limits{MaxInflated: 1 << 20}}).DecodeValue(v)
		}
	})
}

func BenchmarkDecodeValue(b *testing.B) {
	for _, s := range []Serializer{Pickle, JSON} {
		v, err := plain.EncodeValue(sample(), Form{Text: TextStr, Serializer: s})
		require.NoError(b, err)
		b.Run(s.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := plain.DecodeValue(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeValue(b *testing.B) {
	for _, s := range []Serializer{Pickle, JSON} {
		b.Run(s.String(), func(b *testing.B) {
			d := sample()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plain.EncodeValue(d, Form{Text: TextStr, Serializer: s}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Compressors are shared; run with the race detector.
func TestConcurrentJSON(t *testing.T) {
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range 20 {
				d := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: pyvalue.NewInt(int64(i*1000 + n))})
				v, err := plain.EncodeValue(d, Form{Text: TextStr, Serializer: JSON})
				if err != nil {
					t.Error(err)
					return
				}
				got, _, err := plain.DecodeValue(v)
				if err != nil || !pyvalue.Equal(d, got) {
					t.Error("another session's data", err)
				}
			}
		})
	}
	group.Wait()
}
