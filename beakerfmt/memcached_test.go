package beakerfmt_test

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// facts are what a memcached knows of an item beside its value.
type facts struct {
	Flags uint32 `json:"flags"`
	Key   string `json:"key_hex"`
}

func (f fixture) facts(t *testing.T) (of facts) {
	t.Helper()
	require.NoError(t, json.Unmarshal(f.Store, &of))
	return of
}

// memcached decodes the item of a fixture.
func (f fixture) memcached(t *testing.T, id string) (pyvalue.Value, error) {
	t.Helper()
	of := f.facts(t)
	key, err := hex.DecodeString(of.Key)
	require.NoError(t, err)
	require.Equal(t, string(key), beakerfmt.MemcachedKey(id, 0))
	_, data, ok := f.artefact(t, "value.bin")
	require.True(t, ok)
	return beakerfmt.DecodeMemcached(data, of.Flags, beakerfmt.MemcachedLimits{})
}

// memcachedText: the client told text from bytes.
func (f fixture) memcachedText(t *testing.T) bool {
	return f.facts(t).Flags&beakerfmt.MemcachedText != 0
}

// The keys are those that Beaker 1.13 gave to a client of Python 2.7 and 3.13.
func TestMemcachedKey(t *testing.T) {
	long := strings.Repeat("n", 242)
	for _, c := range []struct {
		id     string
		python int
		key    string
	}{
		{"1e4c684fb206494191440c2cc28cbc22", 3, "1e4c684fb206494191440c2cc28cbc22_session"},
		{"n s", 2, "n\xc2\xb7s_session"},
		{"n s", 3, "n\xc3\x82\xc2\xb7s_session"},
		{"n s", 0, "n\xc3\x82\xc2\xb7s_session"},
		{long, 3, long + "_session"},
		{long + "n", 2, "04efcebf0ac7d5c990b56d4e84f6223fb2b03ef0"},
		{long + "n", 3, "04efcebf0ac7d5c990b56d4e84f6223fb2b03ef0"},
		{long[:239] + " n", 2, long[:239] + "\xc2\xb7n_session"}, // 250 characters, two for the space
		{long[:239] + " n", 3, long[:239] + "\xc3\x82\xc2\xb7n_session"},
		{long[:240] + " n", 2, "6fc9da5473926c8181dbc71d1224ed15d25eb05c"},
		{long[:240] + " n", 3, "ccfe965756a8045d94b881cf5275bdf54ea2aa42"},
	} {
		key := beakerfmt.MemcachedKey(c.id, c.python)
		require.Equal(t, c.key, key, "%q %d", c.id, c.python)
		id, ok := beakerfmt.MemcachedID(key, c.python)
		require.Equal(t, len(key) != 40 || strings.HasSuffix(key, "_session"), ok)
		if ok {
			require.Equal(t, c.id, id)
		}
	}
	for _, key := range []string{"", "session", "x_cache", long + "nnnnnnn_session"} {
		_, ok := beakerfmt.MemcachedID(key, 3)
		require.False(t, ok, key)
	}
}

func packed(text string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return out.String()
}

func TestDecodeMemcached(t *testing.T) {
	long := new(big.Int).Lsh(big.NewInt(1), 100)
	for _, c := range []struct {
		name  string
		flags uint32
		data  string
		want  pyvalue.Value // nil: ErrCorrupt
	}{
		{"a str of Python 2", 0, "gAJ9cQEu", pyvalue.Py2Str("gAJ9cQEu")},
		{"packed", 8, packed("gAJ9cQEu"), pyvalue.Py2Str("gAJ9cQEu")},
		{"text", 16, "gr\u00fcn", pyvalue.Str("gr\u00fcn")},
		{"packed text", 24, packed("gAJ9"), pyvalue.Str("gAJ9")},
		{"a pickle of protocol 0", 1, "S'gAJ9'\np0\n.", pyvalue.Py2Str("gAJ9")},
		{"a pickle of protocol 5", 1, "\x80\x05\x95\x08\x00\x00\x00\x00\x00\x00\x00\x8c\x04gAJ9\x94.", pyvalue.Str("gAJ9")},
		{"a packed pickle", 9, packed("}."), pyvalue.NewDict()},
		{"an int", 2, "-5", pyvalue.NewInt(-5)},
		{"a long", 4, long.String(), pyvalue.NewLong(long)},
		{"nothing", 0, "", pyvalue.Py2Str("")},

		{"not a pickle", 1, "nonsense", nil},
		{"an empty pickle", 1, "", nil},
		{"not packed", 9, "}.", nil},
		{"packed, cut off", 8, packed("gAJ9cQEu")[:10], nil},
		{"not UTF-8", 16, "\xff", nil},
		{"a surrogate", 16, "\xed\xa0\x80", nil},
		{"not a number", 2, "5_000", nil},
		{"no number", 2, "-", nil},
		{"two signs", 2, "--5", nil},
		{"a number too long", 4, strings.Repeat("9", 5000), nil},
		{"unknown flags", 32, "x", nil},
		{"more unknown flags", 1<<31 | 1, "}.", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := beakerfmt.DecodeMemcached([]byte(c.data), c.flags, beakerfmt.MemcachedLimits{})
			if c.want == nil {
				require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
				require.Nil(t, v)
				return
			}
			require.NoError(t, err)
			require.True(t, pyvalue.Same(c.want, v), "%v", v)
		})
	}
}

func TestDecodeMemcachedIsBounded(t *testing.T) {
	bomb := []byte(packed(strings.Repeat("a", 1<<20)))
	_, err := beakerfmt.DecodeMemcached(bomb, 8, beakerfmt.MemcachedLimits{MaxInflated: 1 << 20})
	require.NoError(t, err)
	_, err = beakerfmt.DecodeMemcached(bomb, 8, beakerfmt.MemcachedLimits{MaxInflated: 1<<20 - 1})
	require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
	_, err = beakerfmt.DecodeMemcached([]byte("(((("), 1, beakerfmt.MemcachedLimits{Pickle: pickle.Limits{MaxMarks: 2}})
	require.ErrorIs(t, err, pickle.ErrLimit)
}

// Session text is unicode in the pickle, whatever it was.
func TestAppendMemcached(t *testing.T) {
	for _, c := range []struct {
		v    pyvalue.Value
		want string
	}{
		{pyvalue.Str("gAJ9"), "\x80\x02X\x04\x00\x00\x00gAJ9q\x00."},
		{pyvalue.Py2Str("gAJ9"), "\x80\x02X\x04\x00\x00\x00gAJ9q\x00."},
		{pyvalue.Py2Str("\xff"), "\x80\x02U\x01\xffq\x00."},
		{pyvalue.NewDict(), "\x80\x02}q\x00."},
	} {
		out, flags, err := beakerfmt.AppendMemcached([]byte("x"), c.v)
		require.NoError(t, err)
		require.Equal(t, beakerfmt.MemcachedPickle, flags)
		require.Equal(t, "x"+c.want, string(out))
	}
	out, _, err := beakerfmt.AppendMemcached([]byte("x"), nil)
	require.Error(t, err)
	require.Equal(t, "x", string(out))
}

// FuzzMemcached asserts that what can be read can be written, and that what was
// written once comes back the same.
func FuzzMemcached(f *testing.F) {
	for _, seed := range []string{
		"gAJ9cQEu", packed("gAJ9cQEu"), "gr\u00fcn", "S'gAJ9'\np0\n.", "}.", packed("}."), "-5", "1267650600228229401496703205376",
		"\x80\x02}q\x01U\x06_path\x02U\x01/s.", "\xff", "\xed\xa0\x80",
	} {
		for _, flags := range []uint32{0, 1, 2, 4, 8, 9, 16, 24, 32} {
			f.Add([]byte(seed), flags)
		}
	}
	lim := beakerfmt.MemcachedLimits{
		MaxInflated: 1 << 16, Pickle: pickle.Limits{MaxBytes: 1 << 16, MaxNodes: 20_000, MaxDepth: 500},
	}
	f.Fuzz(func(t *testing.T, data []byte, flags uint32) {
		v, err := beakerfmt.DecodeMemcached(data, flags, lim)
		if err != nil {
			require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
			return
		}
		once, ok := throughMemcached(t, v)
		if !ok {
			return
		}
		if flags&beakerfmt.MemcachedPickle == 0 {
			want, _ := pyvalue.Text(v)
			got, _ := pyvalue.Text(once)
			require.Equal(t, want, got)
		}
		twice, ok := throughMemcached(t, once)
		require.True(t, ok)
		require.True(t, pyvalue.Same(once, twice))
	})
}

// throughMemcached writes a value and reads it again. ok is false if protocol 2
// has no place for it.
func throughMemcached(t *testing.T, v pyvalue.Value) (again pyvalue.Value, ok bool) {
	t.Helper()
	out, flags, err := beakerfmt.AppendMemcached(nil, v)
	if err != nil {
		return nil, false
	}
	again, err = beakerfmt.DecodeMemcached(out, flags, beakerfmt.MemcachedLimits{})
	require.NoError(t, err)
	return again, true
}
