package beakerfmt_test

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
)

const fixtureDir = "../testdata/fixtures"

// fixture is a line of the manifest; see the README beside it.
type fixture struct {
	ID         string                     `json:"id"`
	Kind       string                     `json:"kind"`
	Backend    string                     `json:"backend"`
	Beaker     string                     `json:"beaker"`
	Python     string                     `json:"python"`
	Crypto     string                     `json:"crypto"`
	Serializer string                     `json:"serializer"`
	Options    map[string]json.RawMessage `json:"options"`
	Artefacts  []string                   `json:"artefacts"`
	SessionID  string                     `json:"session_id"`
	SetCookie  []string                   `json:"set_cookie"`
	Clock      float64                    `json:"clock"`
	Expected   json.RawMessage            `json:"expected"`
	Store      json.RawMessage            `json:"store"` // what the back end has beside the value
	Cookie     *string                    `json:"cookie"`
}

func loadFixtures(t *testing.T) (all []fixture) {
	t.Helper()
	file, err := os.Open(filepath.Join(fixtureDir, "manifest.jsonl"))
	require.NoError(t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var f fixture
		require.NoError(t, json.Unmarshal(lines.Bytes(), &f))
		all = append(all, f)
	}
	require.NoError(t, lines.Err())
	return all
}

// option returns a textual option; ok is false if it is missing or Python's None.
func (f fixture) option(t *testing.T, name string) (text string, ok bool) {
	t.Helper()
	raw, given := f.Options[name]
	if !given {
		return "", false
	}
	if json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	require.Equal(t, `{"py":"None"}`, strings.ReplaceAll(string(raw), " ", ""), name)
	return "", false
}

func (f fixture) optionOr(t *testing.T, name, missing string) string {
	t.Helper()
	if _, given := f.Options[name]; !given {
		return missing
	}
	text, _ := f.option(t, name)
	return text
}

func (f fixture) python2() bool { return strings.HasPrefix(f.Python, "2.") }

// atLeast compares Beaker's version with one such as "1.10.1".
func (f fixture) atLeast(t *testing.T, version string) bool {
	t.Helper()
	if f.Beaker == "master" {
		return true
	}
	have, want := strings.Split(f.Beaker, "."), strings.Split(version, ".")
	for i := range min(len(have), len(want)) {
		h, err := strconv.Atoi(have[i])
		require.NoError(t, err)
		w, err := strconv.Atoi(want[i])
		require.NoError(t, err)
		if h != w {
			return h > w
		}
	}
	return len(have) >= len(want)
}

func (f fixture) dialect() beakerfmt.Dialect {
	if f.python2() {
		return beakerfmt.Python2
	}
	return beakerfmt.Python3
}

// walk is how the fixture's own Beaker finds its cookie.
func (f fixture) walk(t *testing.T) beakerfmt.CookieWalk {
	return beakerfmt.CookieWalk{
		Dialect:       f.dialect(),
		StrictNames:   !f.atLeast(t, "1.8.0"),
		PlainSameSite: !f.atLeast(t, "1.10.0"),
	}
}

func (f fixture) signingKey(t *testing.T) string {
	if f.Backend == "cookie" {
		return f.optionOr(t, "validate_key", "")
	}
	return f.optionOr(t, "secret", "")
}

// codec has the keys of the fixture, and does not know its mode.
func (f fixture) codec(t *testing.T) *beakerfmt.Codec {
	t.Helper()
	c := &beakerfmt.Codec{AcceptPlaintext: f.Crypto == "noencryption", Random: rand.Reader}
	if key := f.optionOr(t, "encrypt_key", ""); key != "" && f.encrypts(t) {
		c.EncryptKeys = [][]byte{[]byte(key)}
		c.ValidateKeys = [][]byte{[]byte(f.optionOr(t, "validate_key", ""))}
	}
	return c
}

// encrypts: Beaker up to 1.6.1 does not encrypt what it keeps in a store.
func (f fixture) encrypts(t *testing.T) bool {
	return f.Backend == "cookie" || f.atLeast(t, "1.6.2")
}

// mode is the AES mode of the fixture's crypto module.
func (f fixture) mode(t *testing.T) beakerfmt.AESMode {
	t.Helper()
	module, _ := strings.CutSuffix(f.Crypto, "-shim")
	switch {
	case module == "none" || module == "noencryption":
		return beakerfmt.AESNone
	case module == "cryptography":
		return beakerfmt.GCM
	case module == "nss" || module == "default-nss":
		return beakerfmt.CBC
	case module == "pycrypto" && !f.atLeast(t, "1.6.4"):
		return beakerfmt.ECB
	}
	return beakerfmt.CTR
}

// artefact returns the content of the one file with that ending.
func (f fixture) artefact(t *testing.T, suffix string) (name string, data []byte, ok bool) {
	t.Helper()
	for _, a := range f.Artefacts {
		if strings.HasSuffix(a, suffix) {
			data, err := os.ReadFile(filepath.Join(fixtureDir, filepath.FromSlash(a)))
			require.NoError(t, err)
			return a, data, true
		}
	}
	return "", nil, false
}

// decode goes the whole way from the Cookie header to the session.
func (f fixture) decode(t *testing.T, header string) (*pyvalue.Dict, beakerfmt.Form, error) {
	t.Helper()
	var form beakerfmt.Form
	coded, ok := f.walk(t).Find(header, f.optionOr(t, "key", "beaker.session.id"))
	require.True(t, ok)
	payload := beakerfmt.Unquote(coded)
	if key := f.signingKey(t); key != "" {
		var err error
		if payload, _, err = beakerfmt.Verify([][]byte{[]byte(key)}, coded); err != nil {
			return nil, form, err
		}
	}
	if f.Backend == "cookie" {
		return f.codec(t).DecodePayload(payload, -1)
	}

	require.True(t, beakerfmt.IDRule{}.Valid(payload))
	if f.Backend == "memcached" {
		value, err := f.memcached(t, payload)
		require.NoError(t, err)
		return f.codec(t).DecodeValue(value)
	}
	record := ".cache"
	switch f.Backend {
	case "redis", "mongodb", "dbm": // the value alone is pickled
		_, data, ok := f.artefact(t, "value.bin")
		require.True(t, ok)
		value, err := beakerfmt.DecodeRedis(data, pickle.Limits{})
		require.NoError(t, err)
		return f.codec(t).DecodeValue(value)
	case "database", "sqla":
		record = "data.bin"
	}
	name, data, ok := f.artefact(t, record)
	if !ok {
		return nil, form, os.ErrNotExist
	}
	if strings.Contains(name, "/tree/") {
		require.True(t, strings.HasSuffix(name, "/tree/container_file/"+beakerfmt.DataPath(payload)), name)
	}
	container, err := beakerfmt.DecodeContainer(data, pickle.Limits{})
	if err != nil {
		return nil, form, err
	}
	value, ok := container.GetStr(beakerfmt.SessionKey)
	if !ok {
		return nil, form, beakerfmt.ErrNoSession
	}
	return f.codec(t).DecodeValue(value)
}

func TestPositiveFixtures(t *testing.T) {
	passed, modes := 0, map[beakerfmt.AESMode]int{}
	for _, f := range loadFixtures(t) {
		if f.Kind != "positive" {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			header := strings.TrimSpace(f.SetCookie[len(f.SetCookie)-1])
			session, form, err := f.decode(t, header)
			require.NoError(t, err)
			require.Equal(t, f.mode(t), form.AES)
			modes[form.AES]++
			requireTagged(t, f, session, form)
			requireAgain(t, f, session, form)
			requireForm(t, f, form)
			requireLock(t, f)
			passed++
		})
	}
	t.Logf("%d passed: %v", passed, modes)
	require.Len(t, modes, 5, "every mode is there")
}

// requireTagged compares a session with what was expected.
func requireTagged(t *testing.T, f fixture, session *pyvalue.Dict, form beakerfmt.Form) {
	t.Helper()
	dialect := taggedjson.Python3
	if f.python2() {
		dialect = taggedjson.Python2
	}
	expected := []byte(f.Expected)
	if form.Serializer == beakerfmt.JSON { // which cannot hold everything
		v, err := taggedjson.Parse(expected)
		require.NoError(t, err)
		doc, err := pyjson.Append(nil, v)
		require.NoError(t, err)
		v, err = pyjson.Decode(doc, pyjson.Limits{})
		require.NoError(t, err)
		expected, err = taggedjson.Append(nil, v, dialect)
		require.NoError(t, err)
	}

	actual, err := taggedjson.Append(nil, session, dialect)
	require.NoError(t, err)
	equal, err := taggedjson.Equal(expected, actual)
	require.NoError(t, err)
	require.True(t, equal, "expected %s\nactual   %s", expected, actual)
}

// requireAgain: a session that is encoded and decoded again in its own form is
// the same.
func requireAgain(t *testing.T, f fixture, session *pyvalue.Dict, form beakerfmt.Form) {
	t.Helper()
	value, err := f.codec(t).EncodeValue(session, form)
	if f.Crypto == "noencryption" {
		require.ErrorIs(t, err, beakerfmt.ErrPlaintext)
		return
	}
	require.NoError(t, err)
	again, form2, err := f.codec(t).DecodeValue(value)
	require.NoError(t, err)
	require.Equal(t, form.Text, form2.Text)
	require.Equal(t, form.Serializer, form2.Serializer)
	require.True(t, pyvalue.Same(session, again))
}

func requireForm(t *testing.T, f fixture, form beakerfmt.Form) {
	t.Helper()
	text := beakerfmt.TextStr
	switch {
	case f.Backend == "cookie", f.Backend == "memcached" && f.memcachedText(t):
	case !f.atLeast(t, "1.12.0") && form.NonceBits == 0:
		text = beakerfmt.TextNone
	case f.python2(), f.Backend == "memcached":
		text = beakerfmt.TextPy2Str
	}
	require.Equal(t, text, form.Text)
	if text != beakerfmt.TextNone {
		require.Equal(t, f.Serializer, form.Serializer.String())
	}
}

func requireLock(t *testing.T, f fixture) {
	t.Helper()
	if f.Backend == "file" || f.Backend == "dbm" {
		lock, data, ok := f.artefact(t, ".lock")
		require.True(t, ok)
		require.Empty(t, data)
		require.True(t, strings.HasSuffix(lock, "/tree/container_"+f.Backend+"_lock/"+beakerfmt.LockPath(f.SessionID)), lock)
	}
}

// What the format's functions say to each kind of negative fixture; nil if it is
// theirs to read, and refused later or not at all.
var negatives = map[string]error{
	"tampered-sig": beakerfmt.ErrBadSignature, "upper-sig": beakerfmt.ErrBadSignature, "bad-sig": beakerfmt.ErrBadSignature,
	"short": beakerfmt.ErrBadSignature, "truncated": beakerfmt.ErrBadSignature, "unsigned": beakerfmt.ErrBadSignature,
	"wrong-key": beakerfmt.ErrBadSignature, "empty": beakerfmt.ErrBadSignature, "empty-quoted": beakerfmt.ErrBadSignature,
	"badb64": beakerfmt.ErrCorrupt, "garbage-pickle": beakerfmt.ErrCorrupt, "short-payload": beakerfmt.ErrCorrupt,
	"pickled-list": beakerfmt.ErrCorrupt, "nonutf8-sig-only": beakerfmt.ErrCorrupt,
	"truncfile": beakerfmt.ErrCorrupt, "garbagefile": beakerfmt.ErrCorrupt, "emptyfile": beakerfmt.ErrCorrupt,
	"strsession": beakerfmt.ErrCorrupt,
	"listfile":   beakerfmt.ErrNoSession, "emptydict": beakerfmt.ErrNoSession, "nonesession": beakerfmt.ErrNoSession,
	"unknown-id":        os.ErrNotExist,
	"wrong-encrypt-key": beakerfmt.ErrDecrypt, "no-encrypt-key": beakerfmt.ErrEncrypted, "wrong-nonce-size": nil,
	"quoted": nil, "expired": nil, "not-expired": nil,
}

func TestNegativeFixtures(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range loadFixtures(t) {
		if f.Kind != "negative" || f.Cookie == nil {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			_, what, ok := strings.Cut(strings.TrimPrefix(f.ID, "neg-"), "-py")
			require.True(t, ok)
			_, what, ok = strings.Cut(what, "-")
			require.True(t, ok)
			want, known := negatives[what]
			require.True(t, known, what)
			seen[what] = true

			_, _, err := f.decode(t, *f.Cookie)
			require.ErrorIs(t, err, want)
			if err != nil && f.SessionID != "" {
				require.NotContains(t, err.Error(), f.SessionID)
			}
		})
	}
	require.Len(t, seen, len(negatives), "every kind is there")
}

// Every Set-Cookie that Beaker sent is what SetCookie makes of the same options.
func TestFixtureSetCookie(t *testing.T) {
	count := 0
	for _, f := range loadFixtures(t) {
		for _, literal := range f.SetCookie {
			t.Run(fmt.Sprintf("%s/%d", f.ID, count), func(t *testing.T) {
				c := f.setCookie(t)
				value, found := f.walk(t).Find(literal, c.Name)
				require.True(t, found)
				c.Value = value
				if key := f.signingKey(t); key != "" {
					payload, _, err := beakerfmt.Verify([][]byte{[]byte(key)}, value)
					require.NoError(t, err)
					c.Value = string(beakerfmt.AppendSigned(nil, []byte(key), payload))
				} else {
					c.Unsigned = true
				}
				require.Equal(t, literal, string(c.Append(nil, f.dialect())))
			})
			count++
		}
	}
	require.Positive(t, count)
}

// setCookie is the cookie that the fixture's options ask for.
func (f fixture) setCookie(t *testing.T) beakerfmt.SetCookie {
	t.Helper()
	c := beakerfmt.SetCookie{
		Name:     f.optionOr(t, "key", "beaker.session.id"),
		Domain:   f.optionOr(t, "cookie_domain", ""),
		Path:     f.optionOr(t, "cookie_path", "/"),
		Secure:   f.optionOr(t, "secure", "false") == "true",
		HTTPOnly: f.optionOr(t, "httponly", "false") == "true",
	}
	// Cookie-only sessions knew no cookie_path before _path was in each of them.
	path, since := "1.6.4", "1.10.0"
	if f.Backend == "cookie" {
		path, since = "1.11.0", "1.10.1"
	}
	if !f.atLeast(t, path) {
		c.Path = "/"
	}
	if f.atLeast(t, since) {
		c.SameSite = f.optionOr(t, "samesite", "Lax")
	}
	switch raw := string(f.Options["cookie_expires"]); raw {
	case "", `"true"`:
	case `"false"`:
		c.Expires = beakerfmt.FormatExpires(time.Unix(0x7fffffff, 0))
	case `"300"`:
		c.Expires = beakerfmt.FormatExpires(time.Unix(int64(f.Clock)+300, 0))
	case `{"py": "timedelta(days=2)"}`:
		c.Expires = beakerfmt.FormatExpires(time.Unix(int64(f.Clock), 0).Add(48 * time.Hour))
	case `{"py": "datetime.datetime(2030,1,2,3,4,5)"}`:
		c.Expires = beakerfmt.FormatExpires(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	default:
		require.Fail(t, "unknown cookie_expires", raw)
	}
	return c
}

// The files of the fixtures and of the manifest are the same.
func TestFixtureFiles(t *testing.T) {
	named := map[string]bool{".gitattributes": true, "README.md": true, "MATRIX.md": true, "manifest.jsonl": true}
	for _, f := range loadFixtures(t) {
		for _, a := range f.Artefacts {
			require.Equal(t, path.Clean(a), a)
			named[a] = true
		}
	}
	err := filepath.WalkDir(fixtureDir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(fixtureDir, name)
		require.True(t, named[filepath.ToSlash(rel)], rel)
		delete(named, filepath.ToSlash(rel))
		return err
	})
	require.NoError(t, err)
	require.Empty(t, named, "artefacts that are missing")
}
