package inspect_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
)

func TestParseCookie(t *testing.T) {
	key := inspect.Key{Name: "secret", Key: "k"}
	signed := string(beakerfmt.AppendSigned(nil, []byte("k"), "0123456789abcdef0123456789abcdef"))
	const id = "0123456789abcdef0123456789abcdef"
	sealed := string(beakerfmt.AppendSigned(nil, []byte("k"), "vUt7b8k08VV0mMMI194S0Q==c2VhbGVk"))
	for name, c := range map[string]struct {
		text      string
		keys      []inspect.Key
		name      string
		signature inspect.Signature
		payload   string
	}{
		"bare value":       {signed, []inspect.Key{key}, "", "valid, by secret", id},
		"quoted":           {`"` + signed + `"`, []inspect.Key{key}, "", "valid, by secret", id},
		"no keys":          {signed, nil, "", inspect.Unchecked, id},
		"wrong key":        {signed, []inspect.Key{{Name: "x", Key: "y"}}, "", inspect.Invalid, id},
		"second key":       {signed, []inspect.Key{{Name: "x", Key: "y"}, key}, "", "valid, by secret", id},
		"name=value":       {"other=" + signed, []inspect.Key{key}, "other", "valid, by secret", id},
		"header":           {"Cookie: a=b; sid=" + signed, []inspect.Key{key}, "sid", "valid, by secret", id},
		"last one wins":    {"sid=x; sid=" + signed, []inspect.Key{key}, "sid", "valid, by secret", id},
		"set-cookie":       {"Set-Cookie:  zid=" + signed + "; Path=/; HttpOnly", []inspect.Key{key}, "zid", "valid, by secret", id},
		"without its name": {" zid=" + signed + "; Path=/; expires=Tue, 14-Nov-2023 22:18:20 GMT", []inspect.Key{key}, "zid", "valid, by secret", id},
		"unsigned id":      {id, []inspect.Key{key}, "", inspect.Unsigned, id},
		"a nonce inside":   {sealed, []inspect.Key{key}, "", "valid, by secret", "vUt7b8k08VV0mMMI194S0Q==c2VhbGVk"},
		"base64 padding":   {"gAJ9cQAu==", nil, "", inspect.Unsigned, "gAJ9cQAu=="},
		"empty":            {"", nil, "", inspect.Unsigned, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inspect.ParseCookie(c.text, "sid", c.keys)
			require.NoError(t, err)
			require.Equal(t, inspect.Cookie{Name: c.name, Signature: c.signature, SignedBy: slices.IndexFunc(c.keys, func(k inspect.Key) bool { return k.Key == "k" && c.signature == "valid, by secret" }), Payload: c.payload}, got)
		})
	}
	_, err := inspect.ParseCookie("Cookie: a=1; b=2", "sid", nil)
	require.ErrorIs(t, err, inspect.ErrNoCookie)
	require.ErrorContains(t, err, "a, b")
	_, err = inspect.ParseCookie("Cookie:", "sid", nil)
	require.ErrorIs(t, err, inspect.ErrNoCookie)
	got, err := inspect.ParseCookie("a=caf\u00e9; sid="+signed, "sid", nil)
	require.NoError(t, err)
	require.Len(t, got.Warnings, 1, "Python drops this header")
}

func TestWriter(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..", "testdata", "fixtures")
	for pattern, want := range map[string]string{
		"file/file-b1.5.4-py2.7-pickle-none-rich/tree":    "Beaker up to 1.10, Python 2",
		"file/file-b1.11.0-py3.6-pickle-none-*plain/tree": "Beaker 1.11, Python 3.0 to 3.7",
		"file/file-b1.11.0-py3.8-pickle-none-class/tree":  "Beaker 1.11, Python 3.8 to 3.13",
		"file/file-b1.13.0-py3.13-pickle-none-csrf/tree":  "Beaker 1.12 or later, Python 3.8 to 3.13",
		"file/file-b1.13.0-py2.7-pickle-none-csrf/tree":   "Beaker 1.12 or later, Python 2",
	} {
		paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern), "container_file", "*", "*", "*.cache"))
		require.NoError(t, err)
		require.Len(t, paths, 1, pattern)
		data, err := os.ReadFile(paths[0])
		require.NoError(t, err)
		d, err := inspect.File(data, new(beakerfmt.Codec))
		require.NoError(t, err)
		require.Equal(t, want, d.Writer(inspect.InFile).String(), pattern)
	}
}

func TestFileErrors(t *testing.T) {
	container := func(v pyvalue.Value) []byte {
		data, err := pickle.Append(nil, v, 2)
		require.NoError(t, err)
		return data
	}
	session := func(v pyvalue.Value) []byte {
		return container(pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("session"), Value: v}))
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":     {nil, beakerfmt.ErrCorrupt},
		"garbage":   {[]byte("\x00"), beakerfmt.ErrCorrupt},
		"a list":    {container(pyvalue.NewList()), beakerfmt.ErrNoSession},
		"no key":    {container(&pyvalue.Dict{}), beakerfmt.ErrNoSession},
		"None":      {session(pyvalue.None{}), beakerfmt.ErrNoSession},
		"bad text":  {session(pyvalue.Str("abc")), beakerfmt.ErrCorrupt},
		"encrypted": {session(pyvalue.Str("vUt7b8+08VV0mMMI194S0Q==" + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")), beakerfmt.ErrEncrypted},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := inspect.File(c.data, new(beakerfmt.Codec))
			require.ErrorIs(t, err, c.want)
		})
	}
}
