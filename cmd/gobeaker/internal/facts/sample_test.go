package facts

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

const fixtures = "../../../../testdata/fixtures"

// fixture is a line of the manifest.
type fixture struct {
	ID, Kind, Backend, Beaker, Python string
	Crypto, Serializer                string
	SessionID                         string `json:"session_id"`
	Options                           map[string]any
	Artefacts                         []string
}

func manifest(t *testing.T, kind, backend string) (out []fixture) {
	t.Helper()
	f, err := os.Open(filepath.Join(fixtures, "manifest.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var one fixture
		require.NoError(t, json.Unmarshal(lines.Bytes(), &one))
		if one.Kind == kind && one.Backend == backend {
			out = append(out, one)
		}
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, out)
	return out
}

// dataDir puts the records of fixtures into one data_dir.
func dataDir(t *testing.T, all []fixture) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range all {
		for _, a := range f.Artefacts {
			_, rest, ok := strings.Cut(a, "/tree/")
			if !ok {
				continue
			}
			data, err := os.ReadFile(filepath.Join(fixtures, a))
			require.NoError(t, err)
			path := filepath.Join(dir, rest)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, data, 0o600))
		}
	}
	return dir
}

// written is when the fixtures were written.
var written = time.Unix(1700000000, 0)

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

// snapshot is a picture of a directory: nothing in it may change.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		out[path] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime())
		return nil
	}))
	return out
}

func total(of Tally) (n int64) {
	for _, c := range of {
		n += c.Sessions
	}
	return n
}

// TestSampleFixtures: what Beakers of all ages wrote is told apart, and nothing is
// written.
func TestSampleFixtures(t *testing.T) {
	all := manifest(t, "positive", "file")
	dir := dataDir(t, all)
	before := snapshot(t, dir)
	o := options(func(o *compat.Options) {
		o.DataDir, o.EncryptKey, o.ValidateKey, o.Secret = dir, "encrypt-key", "validate-key", "sekrit"
	})
	s := TakeSample(t.Context(), SampleOptions{Options: o, Now: at(written)})
	require.Nil(t, s.Problem)
	require.Equal(t, before, snapshot(t, dir), "nothing is written, no lock file made")
	require.True(t, s.Complete)
	n := int64(len(all))
	require.Equal(t, n, s.Listed)
	require.Equal(t, n, s.Looked)
	require.Equal(t, n, s.States["live"].Sessions)
	require.Empty(t, s.Reasons)
	require.Equal(t, "file in "+filepath.Join(dir, "container_file"), s.Where)

	for name, of := range map[string]Tally{"forms": s.Forms, "texts": s.Texts, "serializers": s.Serializers, "containers": s.Containers, "beakers": s.Beakers, "pythons": s.Pythons} {
		require.Equal(t, n, total(of), name)
	}
	var two, aes, clear, json int64
	for _, f := range all {
		if strings.HasPrefix(f.Python, "2") {
			two++
		}
		release, err := compat.ParsePeer("beaker-" + releaseOf(f.Beaker))
		require.NoError(t, err)
		sealed := f.Options["encrypt_key"] != nil && f.Crypto != "noencryption" && release.Era().ServerAES
		if sealed {
			aes++
		}
		if f.Crypto == "noencryption" {
			clear++
		}
		if f.Options["data_serializer"] == "json" && release.Era().JSON && (release.Era().ServerText || f.Options["encrypt_key"] != nil) {
			json++
		}
	}
	require.Equal(t, two, s.Pythons["Python 2"].Sessions)
	require.Equal(t, aes, total(s.AES))
	require.Equal(t, aes, total(s.NonceBits))
	require.Equal(t, json, s.Serializers["json"].Sessions)
	require.Equal(t, n-json, total(s.Protocols))
	require.Equal(t, []string{"cbc", "ctr", "ecb", "gcm"}, slices.Sorted(maps.Keys(s.AES)))
	require.Equal(t, []string{"128", "48"}, intersect(s.NonceBits, "128", "48"))
	require.Equal(t, clear, s.ClearNonce.Sessions)
	require.Positive(t, s.Plaintext.Sessions)
	require.Equal(t, n, total(s.AES)+s.ClearNonce.Sessions+s.Plaintext.Sessions)
	require.Len(t, s.Plaintext.Examples, MostExamples)
	require.Zero(t, s.OlderKey.Sessions)

	sum := int64(0)
	for _, f := range s.Whole {
		sum += f.Sessions
	}
	require.Equal(t, n, sum)
	require.True(t, slices.IsSortedFunc(s.Whole, func(a, b FormCount) int { return int(b.Sessions - a.Sessions) }))
	classes := map[string]Class{}
	for _, c := range s.Classes {
		classes[c.Name] = c
	}
	require.True(t, classes["datetime.datetime"].Known)
	require.False(t, classes["datetime.datetime"].JSON)
	require.NotZero(t, s.NotPython3.Sessions)
	require.NotEmpty(t, s.Losses)
	require.Positive(t, s.Cookie)
	require.Positive(t, s.LargestIn)
	for _, f := range all {
		require.NotContains(t, jsonText(t, s), f.SessionID)
	}
}

func intersect(of Tally, names ...string) (out []string) {
	for _, name := range names {
		if of[name].Sessions > 0 {
			out = append(out, name)
		}
	}
	return out
}

// TestSampleOtherKeys: what no key opens is encrypted; what an older one opens is told.
func TestSampleOtherKeys(t *testing.T) {
	all := slices.DeleteFunc(manifest(t, "positive", "file"), func(f fixture) bool { return f.Options["encrypt_key"] == nil })
	dir := dataDir(t, all)
	sample := func(change func(*compat.Options)) *Sample {
		o := options(change, func(o *compat.Options) { o.DataDir = dir })
		return TakeSample(t.Context(), SampleOptions{Options: o, Now: at(written)})
	}
	s := sample(func(o *compat.Options) {})
	require.NotZero(t, s.States["encrypted"].Sessions)
	require.Equal(t, s.States["encrypted"], s.Reasons["it is encrypted, and there is no encrypt_key"])
	s = sample(func(o *compat.Options) { o.EncryptKey, o.ValidateKey = "wrong", "validate-key" })
	require.Equal(t, s.States["encrypted"], s.Reasons["it is encrypted, and none of the keys opens it"])
	require.Zero(t, total(s.AES))
	s = sample(func(o *compat.Options) {
		o.EncryptKey, o.OldEncryptKeys, o.ValidateKey = "new", []string{"encrypt-key"}, "validate-key"
	})
	require.Empty(t, s.States["encrypted"])
	require.Equal(t, total(s.AES), s.OlderKey.Sessions)
}

// TestSampleDamaged: records that Beaker refuses are counted by why.
func TestSampleDamaged(t *testing.T) {
	dir := t.TempDir()
	n := 0
	for _, f := range manifest(t, "negative", "file") {
		data, err := os.ReadFile(filepath.Join(fixtures, "negative", f.ID, "file.cache"))
		if err != nil {
			continue
		}
		n++
		path := filepath.Join(dir, "container_file", beakerfmt.DataPath(f.SessionID+fmt.Sprint(n)))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
	require.NotZero(t, n)
	o := options(func(o *compat.Options) { o.DataDir, o.EncryptKey, o.ValidateKey = dir, "encrypt-key", "validate-key" })
	s := TakeSample(t.Context(), SampleOptions{Options: o, Now: at(written)})
	require.Nil(t, s.Problem)
	require.EqualValues(t, n, s.Looked)
	require.EqualValues(t, n, total(s.States))
	require.Equal(t, s.States["unreadable"].Sessions+s.States["encrypted"].Sessions, total(s.Reasons))
	require.Greater(t, len(s.Reasons), 1, "%v", s.Reasons)
	require.NotZero(t, s.States["empty"].Sessions)
}

// TestSampleForbidden: a record that we may not read is not called damaged.
func TestSampleForbidden(t *testing.T) {
	for _, test := range []struct {
		err   error
		state string
	}{
		{fmt.Errorf("filestore: get: %w", stores.ErrAccess), "forbidden"}, {&fs.PathError{Err: syscall.EACCES}, "forbidden"},
		{stores.ErrCorrupt, "unreadable"}, {beakerfmt.ErrDecrypt, "encrypted"},
	} {
		k := newTaker(SampleOptions{Options: options()})
		k.unreadable(id(1), test.err)
		require.EqualValues(t, 1, k.States[test.state].Sessions, "%v: %v", test.err, k.States)
	}
}

// session is a session of some keys.
func session(accessed any, more ...any) *pyvalue.Dict {
	d := pyvalue.NewDict()
	switch at := accessed.(type) {
	case time.Time:
		d.SetStr("_accessed_time", pyvalue.Float(float64(at.UnixMilli())/1e3))
	case pyvalue.Value:
		d.SetStr("_accessed_time", at)
	}
	d.SetStr("_creation_time", pyvalue.Float(1.7e9))
	for i := 0; i < len(more); i += 2 {
		d.SetStr(more[i].(string), more[i+1].(pyvalue.Value))
	}
	return d
}

// fileStore is a store of files, and the options of it.
func fileStore(t *testing.T, change ...func(*compat.Options)) (*filestore.Store, compat.Options) {
	t.Helper()
	dir := t.TempDir()
	s, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	o := options(change...)
	o.DataDir = dir
	return s, o
}

func id(n int) string { return fmt.Sprintf("%032x", uint64(n)*0x9e3779b97f4a7c15&0xffffffffffff) }

// TestSampleContents: times, classes, and what JSON or a cookie would lose.
func TestSampleContents(t *testing.T) {
	store, o := fileStore(t, func(o *compat.Options) { o.Timeout = time.Hour })
	now := written
	global := func(module, name string) *pyvalue.Global { return &pyvalue.Global{Module: module, Name: name} }
	object := func(module, name string) *pyvalue.Object {
		return &pyvalue.Object{How: pyvalue.Reduce, Class: global(module, name), Args: &pyvalue.Tuple{}}
	}
	put := func(n int, v pyvalue.Value) { require.NoError(t, store.Put(t.Context(), id(n), v)) }
	put(1, session(now.Add(-time.Minute), "cart", object("shop.models", "Cart"), "user@example.org", pyvalue.Bytes("x"), "pair", &pyvalue.Tuple{}))
	put(2, session(now.Add(-2*time.Hour), "cart", object("shop.models", "Cart")))
	put(3, session(now.Add(time.Hour), "evil", object("os", "system")))
	put(4, session(nil, "evil", object("builtins", "eval")))
	put(5, session(pyvalue.Str("noon"), "long", pyvalue.Str(strings.Repeat("x", 5000))))
	put(6, session(pyvalue.NewInt(now.Unix())))
	put(7, session(pyvalue.Float(1e300)))
	put(8, session(now, "name", pyvalue.Py2Str("\xe9"), "_path", pyvalue.Py2Str("/"))) // which Beaker put there
	deleted := pyvalue.NewDict()
	deleted.SetStr("_path", pyvalue.Str("/"))
	put(9, deleted)
	put(10, pyvalue.Str("bm9wZQ==")) // base64 of nothing that Beaker knows
	require.NoError(t, os.WriteFile(filepath.Join(o.DataDir, "container_file", beakerfmt.DataPath(id(10))), []byte("\x80\x02}."), 0o600))
	put(11, pyvalue.NewInt(7))

	s := TakeSample(t.Context(), SampleOptions{Options: o, Now: at(now)})
	require.Nil(t, s.Problem)
	states := map[string]int64{}
	for name, c := range s.States {
		states[name] = c.Sessions
	}
	require.Equal(t, map[string]int64{"live": 7, "expired": 1, "empty": 2, "unreadable": 1}, states)
	require.Equal(t, []string{beakerfmt.HashID(id(2))}, s.States["expired"].Examples)
	require.EqualValues(t, 1, s.Future.Sessions)
	require.Equal(t, time.Hour, s.FutureBy)
	require.EqualValues(t, 3, s.NoAccessed.Sessions)
	require.Equal(t, []string{beakerfmt.HashID(id(5))}, s.Oversized.Examples)
	require.EqualValues(t, 1, s.NotPython3.Sessions)
	require.EqualValues(t, 4, s.PickleClass.Sessions)
	classes := map[string]Class{}
	for _, c := range s.Classes {
		classes[c.Name] = c
	}
	require.EqualValues(t, 2, classes["shop.models.Cart"].Sessions)
	require.Equal(t, "shop.models.Cart", s.Classes[0].Name)
	require.False(t, classes["shop.models.Cart"].Suspicious)
	require.True(t, classes["os.system"].Suspicious)
	require.True(t, classes["__builtin__.eval"].Suspicious)
	losses := map[string]string{}
	for _, l := range s.Losses {
		losses[l.Key+" "+l.Type] = l.Becomes
	}
	require.Equal(t, map[string]string{
		"cart shop.models.Cart": "", "(other keys) bytes": "", "pair tuple": "a list", "evil os.system": "",
		"evil __builtin__.eval": "", "name str (Python 2)": "",
	}, losses)
	require.NotContains(t, jsonText(t, s), "example.org")
	require.Len(t, s.Modified, 5)
}

// TestSampleLimits: of a large store so many are read, spread over all of it; and a list
// that is cut off goes on elsewhere.
func TestSampleLimits(t *testing.T) {
	store, o := fileStore(t)
	seen := map[byte]bool{}
	for n := range 600 {
		require.NoError(t, store.Put(t.Context(), id(n+1), session(written)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(o.DataDir, "container_file", "stray"), nil, 0o600))
	s := TakeSample(t.Context(), SampleOptions{Options: o, Sessions: 50, Random: rand.New(rand.NewPCG(1, 2))})
	require.Nil(t, s.Problem)
	require.True(t, s.Complete)
	require.EqualValues(t, 600, s.Listed)
	require.EqualValues(t, 50, s.Looked)

	s = TakeSample(t.Context(), SampleOptions{Options: o, Sessions: 64, Names: 100, Random: rand.New(rand.NewPCG(1, 2))})
	require.False(t, s.Complete)
	require.Greater(t, s.Listed, int64(100))
	require.LessOrEqual(t, s.Looked, int64(64))
	require.Greater(t, s.Looked, int64(30))
	for n := range 600 {
		seen[id(n + 1)[0]] = true
	}
	require.Len(t, seen, 1, "the ids of the test begin alike")

	r := reservoir{most: 10, random: rand.New(rand.NewPCG(3, 4))}
	hits := make([]int, 100)
	for range 2000 {
		r.seen, r.kept = 0, nil
		for n := range 100 {
			r.add(stores.Info{ID: fmt.Sprint(n), Cursor: "x", Size: int64(n)})
		}
		for _, k := range r.kept {
			require.Empty(t, k.Cursor)
			hits[k.Size]++
		}
	}
	for n, h := range hits {
		require.InDelta(t, 200, h, 90, n)
	}
}

// TestSampleSpread: beginnings elsewhere reach what the list would not.
func TestSampleSpread(t *testing.T) {
	store, o := fileStore(t)
	r := rand.New(rand.NewPCG(5, 6))
	for range 800 {
		require.NoError(t, store.Put(t.Context(), fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), session(written, "n", pyvalue.NewInt(int64(r.Uint32())))))
	}
	taker := newTaker(SampleOptions{Options: o, Sessions: 160, Names: 200, Time: time.Minute, Random: r, Now: time.Now})
	chosen, err := taker.choose(t.Context(), store)
	require.NoError(t, err)
	digits := map[byte]bool{}
	for _, i := range chosen {
		digits[i.ID[0]] = true
	}
	require.Len(t, digits, 16)
	require.Len(t, chosen, 160)
}

// TestSampleOutOfReach: what cannot be looked at says why.
func TestSampleOutOfReach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		o    func(*compat.Options)
		kind ProblemKind
	}{
		"cookie":       {cookieOnly, Unsupported},
		"memory":       {func(o *compat.Options) { o.Type, o.DataDir = "", "" }, Unsupported},
		"no directory": {func(o *compat.Options) { o.Type, o.DataDir = "", "/nowhere" }, Missing},
		"a file":       {func(o *compat.Options) { o.FileDir, o.LockDir = file, file }, Missing},
		"no dbm":       {func(o *compat.Options) { o.Type, o.DataDir = "dbm", "/nowhere" }, Missing},
		"not said":     {func(o *compat.Options) { o.DataDir = "" }, Failed},
		"unknown":      {func(o *compat.Options) { o.Type = "ext:nobody" }, Failed},
		"not allowed":  {func(o *compat.Options) { o.Type, o.URL = "ext:memcached", "127.0.0.1:1" }, NotAllowed},
		"no server":    {func(o *compat.Options) { o.Type, o.URL = "ext:redis", "redis://127.0.0.1:1/0" }, Unreachable},
		"no database":  {func(o *compat.Options) { o.Type, o.URL = "ext:database", "sqlite:////nowhere/s.db" }, Missing},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(c.o)
			o.Extra = map[string]string{"create_table": "true"}
			s := TakeSample(t.Context(), SampleOptions{Options: o})
			require.NotNil(t, s.Problem)
			require.Equal(t, c.kind, s.Problem.Kind, s.Problem.Text)
			require.Zero(t, s.Looked)
		})
	}
	require.NoFileExists(t, "/nowhere/s.db")
}

// TestSampleCancelled: a look that was ended says so, and keeps what it has.
func TestSampleCancelled(t *testing.T) {
	store, o := fileStore(t)
	require.NoError(t, store.Put(t.Context(), id(1), session(written)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := TakeSample(ctx, SampleOptions{Options: o})
	require.Equal(t, TimedOut, s.Problem.Kind)
	require.False(t, s.Complete)
}

// brokenStore fails for some ids.
type brokenStore struct {
	*memstore.Store
	fails map[string]error
}

func (b brokenStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if err := b.fails[id]; err != nil {
		return nil, err
	}
	return b.Store.Get(ctx, id)
}

// TestSampleErrors: an error about one record is counted, one of the store ends the look.
func TestSampleErrors(t *testing.T) {
	mem := memstore.New()
	for n := range 3 {
		require.NoError(t, mem.Put(t.Context(), id(n+1), session(written)))
	}
	b := brokenStore{mem, map[string]error{
		id(1): fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrAccess), id(2): stores.ErrNotExist,
	}}
	take := func() *Sample {
		taker := newTaker(SampleOptions{Options: options(), Sessions: 10, Names: 10, Time: time.Minute, Now: time.Now, Random: rand.New(rand.NewPCG(1, 2))})
		taker.Problem = problem(taker.take(t.Context(), b))
		return &taker.Sample
	}
	s := take()
	require.Nil(t, s.Problem)
	require.EqualValues(t, 1, s.Gone)
	require.EqualValues(t, 1, s.Reasons["its file may not be read"].Sessions)
	b.fails[id(3)] = stores.ErrUnavailable
	require.Equal(t, Unreachable, take().Problem.Kind)
	taker := newTaker(SampleOptions{Options: options(), Time: time.Minute})
	require.ErrorContains(t, taker.take(t.Context(), struct{ stores.Store }{mem}), "does not tell which sessions")
}

func TestReason(t *testing.T) {
	for err, says := range map[error]string{
		stores.ErrTooLarge: "too large", stores.ErrInvalidID: "id", pickle.ErrLimit: "limits",
		pickle.ErrSyntax: "no whole pickle", stores.ErrCorrupt: "damaged",
	} {
		require.Contains(t, reason(fmt.Errorf("x: %w", err)), says)
	}
}

// TestNamesAreBounded: a store of nothing but odd names does not fill the memory.
func TestNamesAreBounded(t *testing.T) {
	var c counter
	var of Tally
	for n := range 3 * mostNames {
		c.add(&of, fmt.Sprint(n), "x")
		c.class(fmt.Sprintf("app.C%d", n))
	}
	require.LessOrEqual(t, len(of), mostNames+1)
	require.LessOrEqual(t, len(c.classes), mostNames+1)
	require.True(t, c.class("os.system").Suspicious)
	require.Equal(t, 121, len([]rune(clipName(strings.Repeat("é", 500)))))
}

// TestSampleLocked: what somebody has locked is counted as that, and waited for less and
// less.
func TestSampleLocked(t *testing.T) {
	store, o := fileStore(t)
	for n := range 3 {
		require.NoError(t, store.Put(t.Context(), id(n+1), session(written)))
	}
	for n := range 2 {
		_, unlock, err := store.Lock(t.Context(), id(n+1))
		require.NoError(t, err)
		defer func() { require.NoError(t, unlock()) }()
	}
	k := newTaker(SampleOptions{Options: o, Sessions: 10, Names: 10, Time: time.Minute, Now: time.Now, Random: rand.New(rand.NewPCG(1, 2))})
	k.wait = 100 * time.Millisecond
	store2, err := filestore.New(filestore.Options{DataDir: o.DataDir})
	require.NoError(t, err)
	require.NoError(t, k.take(t.Context(), store2))
	require.EqualValues(t, 2, k.States["locked"].Sessions)
	require.EqualValues(t, 1, k.States["live"].Sessions)
	require.EqualValues(t, 3, k.Looked)
	require.Empty(t, k.Reasons)
	require.Equal(t, 25*time.Millisecond, k.wait)
}
