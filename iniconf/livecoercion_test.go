package iniconf

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// coercionCase is what a config holds, in this order.
type coercionCase [][2]string

// coercionAnswer is what SessionMiddleware made of it.
type coercionAnswer struct {
	Error, Text string
	Options     map[string]any
	Use         *struct{ Error, Text string } // of a request that saves a session
}

// TestLiveCoercion compares options with those of SessionMiddleware, and what can be
// used with what it can use: every option with a grid of texts, prefixes, pairs and
// random settings, for every Beaker that is there.
func TestLiveCoercion(t *testing.T) {
	whole := []string{"py2.7-beaker1.6.5", "py3.13-beaker1.11.0", "py3.13-beaker1.13.0"}
	for i, v := range everyRelease(t) {
		every := 10 // of the configurations, other ones for each Beaker
		switch {
		case testing.Short() && !slices.Contains(whole, v.Name):
			continue
		case testing.Short():
			every = 20
		case slices.Contains(whole, v.Name):
			every = 1
		}
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			peer, err := compat.ParsePeer(v.Peer())
			require.NoError(t, err)
			exact, err := compat.ParsePeer("beaker-" + v.Beaker)
			require.NoError(t, err)
			peer.Major, peer.Minor, peer.Patch = exact.Major, exact.Minor, exact.Patch
			j := &judge{T: t, py: startPython(t, v), peer: peer, dir: t.TempDir()}
			j.by = rules{dialect: j.py.dialect(), booleans: BoolAsBeaker, beaker: peer.Release()}
			for chunk := range slices.Chunk(j.cases(i, every), 400) {
				j.compare(chunk)
			}
			t.Logf("Beaker %s, Python %s: %d configurations, %d refused at once, %d at the first use: no difference; told apart: %v",
				v.Beaker, v.Python, j.total, j.refused, j.refusedLater, j.explained)
		})
	}
}

// everyRelease returns the environments of the live tests, and one for each other
// release that is there.
func everyRelease(t *testing.T) []peers.Venv {
	t.Helper()
	venvs := peers.AllBeakers(t)
	all, _ := peers.Load() // AllBeakers has said what is missing
	for _, v := range all {
		known := slices.ContainsFunc(venvs, func(o peers.Venv) bool { return o.Beaker == v.Beaker })
		if !known && !strings.HasSuffix(v.Name, "-none") { // those cannot encrypt
			venvs = append(venvs, v)
		}
	}
	return venvs
}

// judge compares with one Python.
type judge struct {
	*testing.T
	py   *python
	peer compat.Peer
	by   rules
	dir  string

	total, refused, refusedLater int
	explained                    map[string]int
}

// cases makes the configurations: one of so many, beginning with the given one.
func (j *judge) cases(first, every int) []coercionCase {
	var cases []coercionCase
	texts := coercionTexts()
	names := append(slices.Clone(beakerNames), "unknown", "sa.pool_size", "behavior.ketama", "environ", "self", "request", "namespace")
	for n, name := range names {
		for i, text := range texts {
			cases = append(cases, coercionCase{{sessionPrefixes[(n+i)%3] + name, text}})
		}
	}
	for _, text := range texts {
		cases = append(cases, []coercionCase{
			{{"session.timeout", "60"}, {"session.save_accessed_time", text}},
			{{"session.timeout", text}, {"session.save_accessed_time", "no"}},
			{{"session.type", "file"}, {"session.data_dir", text}},
			{{"session.type", text}, {"session.data_dir", "d"}},
			{{"session.type", "cookie"}, {"session.validate_key", text}},
			{{"session.type", "cookie"}, {"session.validate_key", "v"}, {"session.secret", text}},
			{{"session.type", "cookie"}, {"session.validate_key", "v"}, {"session.encrypt_nonce_bits", text}},
			{{"session.type", "cookie"}, {"session.validate_key", "v"}, {"session.cookie_expires", text}},
			{{"session.type", "cookie"}, {"session.validate_key", "v"}, {"session.samesite", text}},
			{{"session.encrypt_key", "e"}, {"session.validate_key", text}},
			{{"session.encrypt_key", text}, {"session.validate_key", "v"}},
			{{"session.encrypt_key", "e"}, {"session.validate_key", "v"}, {"session.encrypt_nonce_bits", text}},
			{{"session.encrypt_key", "e"}, {"session.validate_key", "v"}, {"session.crypto_type", text}},
			{{"session.encrypt_key", "e"}, {"session.validate_key", "v"}, {"session.data_serializer", text}},
			{{"session.secret", "s"}, {"session.secure", text}, {"session.samesite", "None"}},
			// the order decides
			{{"session.key", "one"}, {"beaker.session.key", text}},
			{{"beaker.session.key", text}, {"session.key", "one"}},
			{{"beaker.session.timeout", "5"}, {"session_timeout", "6"}, {"session.timeout", text}},
			{{"session_timeout", text}, {"beaker.session.timeout", "5"}},
			{{"session." + text, "x"}},
		}...)
	}
	r := rand.New(rand.NewPCG(5, 11))
	for range 4000 {
		var c coercionCase
		for range 1 + r.IntN(6) {
			name := names[r.IntN(len(names))]
			text := texts[r.IntN(len(texts))]
			if likely := likelyTexts[name]; likely != nil && r.IntN(4) > 0 {
				text = likely[r.IntN(len(likely))]
			}
			c = append(c, [2]string{sessionPrefixes[r.IntN(3)] + name, text})
		}
		cases = append(cases, c)
	}
	n := first
	return slices.DeleteFunc(cases, func(c coercionCase) bool {
		n++
		return n%every != 0 || j.undecided(c)
	})
}

// undecided: two settings of one option, which an unordered dict of Python 2 takes as
// it likes; one key twice, which no config has; what is no text.
func (j *judge) undecided(c coercionCase) bool {
	seen := map[string]bool{}
	for _, p := range c {
		if j.by.dialect != Python2 && !utf8.ValidString(p[0]+p[1]) {
			return true // no text of Python 3
		}
		if len(p[1]) > 4300 && strings.HasPrefix(j.py.venv.Python, "3.6") {
			return true // its numbers have no limit yet
		}
		name := p[0]
		if j.by.dialect == Python2 {
			name, _, _ = bareName(name)
		}
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// coercionTexts are what people write, and what nobody should.
func coercionTexts() []string {
	var texts []string
	for _, word := range []string{"true", "yes", "on", "y", "t", "1", "false", "no", "off", "n", "f", "0"} {
		texts = append(texts, word, strings.ToUpper(word), strings.ToUpper(word[:1])+word[1:], " "+word+" ", "\t"+word+"\r\n")
	}
	texts = slices.Compact(texts)
	return append(texts,
		"2", "300", "00", "007", "-1", "-300", "+3", "+ 3", "- 3", " 300 ", "300\n", "3\n0", "\n300", "3.5", "1e3", "0x10", "1_0", "5L", "0b1", "--5", "+", "-",
		"2592000", "99999999", "9999999999", "99999999999", "9223372036854775807", "9223372036854775808", "99999999999999999999", strings.Repeat("9", 400), strings.Repeat("0", 4301),
		"٣", "१२८", "３００", "𝟘", "²", "½", "Ⅷ", "1٣", "128", "48", "0008", "50", "8", "65536",
		"None", "none", "", " ", "\t\n", "\u00a0", "\u2003", "\u00a0true\u00a0", "\u2003300", "\x1ctrue", "\x1c", "\u0085", "\u0085on", "\xe9", "\x85on", "\x00", "tr\x00ue", "1\x00",
		"never", "2030-01-01", "2030-01-01 00:00:00", "abc", "a b", "a;b", "a=b", "a,b", "path", "Path", "expires", "samesite", "httponly", "partitioned", "$x", "a:b",
		`"true"`, `'1'`, `""`, "''", "é", "ключ", "ſecret", "TRUE\u0301", "ＴＲＵＥ", "yesno", "oui", "enabled", "2true",
		"pickle", "json", "JSON", "Pickle", " json", "yaml", "default", "auto", "nss", "pycrypto", "pycryptodome", "pycryptopp", "cryptography", "Lax", "lax", "Strict", "NONE",
		"memory", "file", "cookie", "dbm", "ext:memcached", "ext:nope", "Memory", "d/e", "sub", "%", "%%", "#", "; c")
}

// likelyTexts make random configurations get further than the first error.
var likelyTexts = map[string][]string{
	"timeout":            {"60", "0", "2592000", "007"},
	"type":               {"memory", "file", "cookie"},
	"cookie_expires":     {"true", "false", "300", "0", "00"},
	"data_dir":           {"d", "sub"},
	"lock_dir":           {"l"},
	"file_dir":           {"f"},
	"secret":             {"s", "None", "s3cret é"},
	"validate_key":       {"v", "key é"},
	"encrypt_key":        {"e"},
	"encrypt_nonce_bits": {"128", "48", "50", "0"},
	"data_serializer":    {"json", "pickle", "yaml"},
	"crypto_type":        {"default", "pycrypto", "nss", "x"},
	"secure":             {"true", "no"}, "httponly": {"true", "no"}, "auto": {"true", "no"}, "save_accessed_time": {"true", "no"},
	"id": {"x"}, "webtest_varname": {"x"}, "samesite": {"Lax", "None", ""}, "use_cookies": {"true", "false", ""},
	"key": {"sid", "path", "a b"}, "cookie_path": {"/a"}, "cookie_domain": {".example.org"},
	"session_class": {"x"}, "namespace_class": {"", "x"}, "digest_filenames": {"1"}, "environ": {"1"}, "self": {"1"}, "request": {"1"}, "namespace": {"1"},
}

func (j *judge) compare(cases []coercionCase) {
	j.Helper()
	batch := make([][][2]string, len(cases))
	for i, c := range cases {
		for _, p := range c {
			batch[i] = append(batch[i], [2]string{onWire(j.by.dialect, p[0]), onWire(j.by.dialect, p[1])})
		}
	}
	line, err := json.Marshal(map[string]any{"do": "coerce", "dir": j.dir, "batch": batch})
	require.NoError(j, err)
	_, err = j.py.in.Write(append(line, '\n'))
	require.NoError(j, err)
	reply, err := j.py.out.ReadBytes('\n')
	require.NoError(j, err)
	var got struct {
		Error, Text string
		Answers     []coercionAnswer
	}
	require.NoError(j, json.Unmarshal(reply, &got))
	require.Len(j, got.Answers, len(cases), "%s: %s", got.Error, got.Text)
	for i, c := range cases {
		j.one(c, got.Answers[i])
	}
}

// one compares one configuration.
func (j *judge) one(c coercionCase, want coercionAnswer) {
	j.Helper()
	s := &sessionSettings{opts: newTable(), written: map[string]string{}}
	conf := newTable()
	for i, p := range c {
		conf.set(Setting{Key: p[0], Value: p[1], Position: Position{"x.ini", i + 1, 1}})
	}
	s.collect(conf, j.by.dialect)
	o, err := s.coerce(j.by)
	j.total++
	about := fmt.Sprintf("%.300q: here %v", c, err)
	if want.Error != "" {
		j.refused++
		require.Error(j, err, "%s; Beaker says %s: %s", about, want.Error, want.Text)
		if want.Error == "Exception" { // Beaker's own, the others are Python's
			require.Contains(j, err.Error(), want.Text, about)
		}
		require.Equal(j, KindOption, err.(*Error).Kind)
		require.Positive(j, err.(*Error).Line)
		return
	}
	if err == nil {
		j.sameOptions(want.Options, o, about)
		err = j.usable(o)
	}
	switch reason := j.reason(s, want, err); {
	case reason != "":
		if j.explained == nil {
			j.explained = map[string]int{}
		}
		j.explained[reason]++
	case want.Use == nil:
		require.NoError(j, err, "%s; Beaker takes it", about)
	default:
		j.refusedLater++
		require.Error(j, err, "%s; at the first use Beaker says %s: %s", about, want.Use.Error, want.Use.Text)
		if beakersWords(want.Use.Error) && !strings.HasPrefix(want.Use.Text, "No validate_key") {
			require.Contains(j, err.Error(), firstWords(want.Use.Text), about)
		}
	}
}

// beakersWords tells Beaker's own errors from Python's.
func beakersWords(class string) bool {
	return slices.Contains([]string{"BeakerException", "InvalidCryptoBackendError"}, class)
}

// firstWords leaves out the value, which may be long.
func firstWords(text string) string {
	text, _, _ = strings.Cut(text, ": ")
	text, _, _ = strings.Cut(text, "'")
	return text
}

// usable tries what comes after coercion.
func (j *judge) usable(o compat.Options) error {
	o.Peer = j.peer
	store, err := backend.Open(o)
	if err != nil {
		return err
	}
	_, err = compat.New(o, store, compat.Environment{Now: func() time.Time { return time.Unix(1700000000, 0) }, Logger: slog.New(slog.DiscardHandler)})
	return err
}

// reason says why one side refuses what the other takes, where that is meant so, or
// hangs on what this machine has; "" otherwise.
func (j *judge) reason(s *sessionSettings, want coercionAnswer, err error) string {
	value := func(name string) string {
		set, _ := s.opts.get(name)
		return set.Value
	}
	kind := value("type")
	cookie := kind == "cookie"
	odd := func(text string) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f || r == ';' })
	}
	switch {
	case want.Use != nil && slices.Contains([]string{"ImportError", "ModuleNotFoundError", "InvalidCacheBackendError", "MissingCacheParameter"}, want.Use.Error) && strings.HasPrefix(kind, "ext:"),
		want.Use != nil && (strings.HasSuffix(want.Use.Error, "ImportError") || want.Use.Error == "ModuleNotFoundError" || strings.HasPrefix(want.Use.Text, "No AES library")):
		return "a library that this Python lacks"
	case kind == "dbm":
		return "dbm"
	case want.Use != nil && (strings.Contains(want.Use.Text, "null byte") || strings.Contains(want.Use.Text, "NULL bytes") || strings.Contains(want.Use.Text, "null character") || slices.Contains([]string{"OSError", "IOError", "FileNotFoundError"}, want.Use.Error)):
		return "the file system"
	case (want.Use == nil) == (err == nil):
		return ""
	case want.Use != nil:
		return ""
	// What follows Beaker takes.
	case s.opts.has("key") && (!beakerfmt.ValidCookieName(value("key")) || j.by.dialect == Python2 && strings.Contains(value("key"), ":")):
		return "a cookie that no browser sends back"
	case odd(value("samesite")) || odd(value("cookie_path")) || odd(value("cookie_domain")):
		return "a cookie attribute that breaks out of its place"
	case value("encrypt_key") != "" && !cookie && !j.peer.Era().ServerAES:
		return "encrypt_key without effect"
	case s.opts.has("id") && !cookie:
		return "one session for everybody"
	}
	n, parseErr := strconv.ParseUint(strings.TrimSpace(value("encrypt_nonce_bits")), 10, 64)
	if s.opts.has("encrypt_nonce_bits") && (parseErr != nil || n < 8 || n > 1<<16) {
		return "a nonce that is no nonce"
	}
	return ""
}

// sameOptions compares what Python's middleware holds.
func (j *judge) sameOptions(want map[string]any, got compat.Options, about string) {
	j.Helper()
	have := map[string]any{
		"type": got.Type, "data_dir": got.DataDir, "lock_dir": got.LockDir, "file_dir": got.FileDir, "key": got.Key, "secret": got.Secret,
		"validate_key": got.ValidateKey, "encrypt_key": got.EncryptKey, "cookie_domain": got.CookieDomain, "cookie_path": got.CookiePath,
		"secure": got.Secure, "httponly": got.HTTPOnly, "auto": got.Auto, "save_accessed_time": got.SaveAccessedTime,
		"data_serializer": got.DataSerializer, "encrypt_nonce_bits": float64(got.EncryptNonceBits), "samesite": got.SameSite,
		"crypto_type": got.CryptoType, "url": got.URL, "timeout": got.Timeout.Seconds(),
		"cookie_expires": expiresAsPython(got.CookieExpires), "invalidate_corrupt": got.InvalidateCorrupt, "use_cookies": got.UseCookies,
	}
	// What the release does not know has no effect.
	effect := j.by.defaults()
	for _, info := range optionInfos {
		if info.field != nil && !j.by.knows(info) {
			require.Equal(j, info.valueOf(&effect), info.valueOf(&got), "%s: %s", about, info.Name)
			delete(have, info.Name)
		}
	}
	for k, text := range got.Extra {
		have[onWire(j.by.dialect, k)] = text
	}
	for name, value := range want {
		switch name {
		case "enabled", "tg_avoid_touch", "cookie_on_exception", "constant_csrf_token":
			continue // other readers'
		case "id", "webtest_varname", "log_file":
			if info, _ := LookupOption(name); j.by.knows(info) {
				continue // gobeaker has no such option
			}
		case "invalidate_corrupt", "use_cookies":
			if text, ok := value.(string); ok {
				value = text != "" // Python's truth
			}
		case "samesite":
			if got.Type == "cookie" && j.by.before(since1101) {
				require.Empty(j, got.SameSite)
				continue
			}
		case "data_serializer":
			if value != "json" && value != "pickle" && j.by.knows(OptionInfo{Since: since180}) {
				value = "pickle" // 1.8.0
			}
		case "timeout":
			if n, ok := value.(float64); ok {
				value = min(max(n, 0), float64(maxSeconds))
			}
		case "cookie_expires":
			if m, ok := value.(map[string]any); ok {
				m["seconds"] = min(m["seconds"].(float64), float64(maxSeconds))
			}
		}
		if value == nil {
			continue // Beaker's own default: unset
		}
		if text, ok := have[name].(string); ok {
			have[name] = onWire(j.by.dialect, text)
		}
		require.Equal(j, value, have[name], "%s: %s", about, name)
	}
}

func expiresAsPython(c compat.CookieExpires) any {
	switch c.Mode {
	case compat.ExpiresWithBrowser:
		return true
	case compat.ExpiresNever:
		return false
	}
	return map[string]any{"seconds": c.After.Seconds()}
}
