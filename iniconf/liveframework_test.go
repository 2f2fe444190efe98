package iniconf

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// frameworkSettings writes settings of an application, in [DEFAULT] and in its section.
type frameworkSettings struct {
	*rand.Rand
	prefixes []string
	python2  bool
}

func (g *frameworkSettings) pick(from ...string) string { return from[g.IntN(len(from))] }

// value is mostly one that Beaker takes.
func (g *frameworkSettings) value(name string) string {
	if name != "type" && g.IntN(40) == 0 {
		return g.pick("", "None", "maybe", "-1", "x")
	}
	switch name {
	case "enabled", "secure", "httponly", "auto", "cookie_on_exception", "save_accessed_time":
		return g.pick("true", "True", "yes", "ON", "1", "t", "false", "No", "off", "0", "f", "n")
	case "invalidate_corrupt":
		return g.pick("true", "false", "0")
	case "timeout":
		return g.pick("60", "0", "2592000", "007")
	case "cookie_expires":
		return g.pick("true", "false", "0", "1", "300", "2592000")
	case "encrypt_nonce_bits":
		return g.pick("48", "128")
	case "data_serializer":
		return g.pick("json", "pickle")
	case "type":
		return g.pick("file", "memory", "cookie", "dbm", "ext:memcached")
	case "samesite":
		return g.pick("Lax", "Strict", "None")
	case "crypto_type":
		return "default"
	case "data_dir", "lock_dir", "file_dir", "cache_dir":
		return g.pick("/tmp/none/a", "/tmp/none/b/", "%(here)s/data", "rel")
	case "cookie_path":
		return g.pick("/", "/app")
	case "cookie_domain":
		return g.pick(".example.org", "example.org")
	case "url":
		return g.pick("127.0.0.1:1", "")
	}
	return g.pick("alpha", "beta", "gamma1")
}

var frameworkNamesOfOptions = []string{"enabled", "key", "secret", "validate_key", "encrypt_key", "type", "data_dir", "lock_dir", "file_dir", "timeout",
	"cookie_expires", "cookie_domain", "cookie_path", "secure", "httponly", "auto", "save_accessed_time", "invalidate_corrupt", "data_serializer",
	"encrypt_nonce_bits", "samesite", "crypto_type", "url", "table_name", "cookie_on_exception", "constant_csrf_token", "tg_avoid_touch", "unheard_of"}

// file returns the text of an ini. Python 2 has no order, so there an option has one
// name, and nothing else sets the data_dir that a cache_dir sets.
func (g *frameworkSettings) file() string {
	used := map[string]bool{}
	prefix := g.pick(g.prefixes...)
	line := func() string {
		name := frameworkNamesOfOptions[g.IntN(len(frameworkNamesOfOptions))]
		p := prefix
		if g.IntN(4) == 0 {
			p = g.pick(g.prefixes...)
		}
		key := p + name
		if used[key] || g.python2 && (used[name] || name == "data_dir" && used["cache_dir"]) {
			return ""
		}
		used[key], used[name] = true, true
		return key + " = " + g.value(name) + "\n"
	}
	var b strings.Builder
	b.WriteString("[DEFAULT]\ndebug = true\n")
	if g.IntN(3) == 0 {
		used["cache_dir"] = true
	}
	if used["cache_dir"] && g.IntN(3) == 0 {
		b.WriteString("cache_dir = " + g.value("cache_dir") + "\n")
	}
	for range g.IntN(3) {
		b.WriteString(line())
	}
	b.WriteString("[app:main]\nuse = egg:shop\n")
	if used["cache_dir"] {
		b.WriteString("cache_dir = " + g.value("cache_dir") + "\n")
	}
	for range 1 + g.IntN(9) {
		b.WriteString(line())
	}
	return b.String()
}

// frameworkAnswer is scripts/frameworks/settings.py's.
type frameworkAnswer struct {
	Error   string
	Enabled bool
	Options map[string]any
}

// TestLiveFrameworks compares what an ini comes to with what the frameworks themselves
// hand to beaker.session.Session, over generated files.
func TestLiveFrameworks(t *testing.T) {
	prefixes := []string{"beaker.session.", "session.", "beaker.session.", "session.", "session_"}
	count := 500
	if testing.Short() {
		count = 100
	}
	for _, live := range []struct {
		distribution, script, release string
		framework                     Framework
	}{
		{"turbogears2", "turbogears", "2.3.", TurboGears24},
		{"turbogears2", "turbogears", "2.4.", TurboGears24},
		{"turbogears2", "turbogears", "2.5.", TurboGears},
		{"pyramid-beaker", "pyramid", "", Pyramid},
		{"pylons", "pylons", "", Pylons},
	} {
		for _, v := range peers.WithPackage(t, live.distribution) {
			if !strings.HasPrefix(v.Packages[live.distribution], live.release) {
				continue
			}
			t.Run(v.Name, func(t *testing.T) {
				var o LoadOptions
				o.Framework, o.Dialect, o.Booleans = live.framework, Python3, BoolAsBeaker
				_, err := fmt.Sscanf(v.Beaker, "%d.%d.%d", &o.Beaker.Major, &o.Beaker.Minor, &o.Beaker.Patch)
				require.NoError(t, err)
				if v.Python2() {
					o.Dialect = Python2
				}
				process := peers.Start(t, nil, v.Exe, peers.Script(t, "frameworks/settings.py"), live.script)
				g := &frameworkSettings{rand.New(rand.NewPCG(5, 1)), prefixes, v.Python2()}
				path := filepath.Join(t.TempDir(), "app.ini")
				files, refused, disabled, options := 0, 0, 0, 0
				for range count {
					text := g.file()
					require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
					c, err := Load(path, o)
					require.NoError(t, err, text)
					command, err := json.Marshal([2][][2]string{pairs(c.Global()), pairs(c.Local())})
					require.NoError(t, err)
					var want frameworkAnswer
					process.Ask(t, string(command), &want)
					e, err := c.Effective()
					files++
					if want.Error == "No validate_key specified for Cookie only Session." {
						continue // it may be set elsewhere
					}
					if want.Error != "" {
						refused++
						require.ErrorContains(t, err, beakersText(want.Error), "%s", text)
						continue
					}
					if !want.Enabled && err != nil {
						continue // no session is made, so Python does not see what is wrong with it
					}
					require.NoError(t, err, "%s", text)
					require.Equal(t, live.framework, e.Framework)
					require.Equal(t, !want.Enabled, e.Disabled, text)
					if e.Disabled {
						disabled++
					}
					options += requireFrameworksOptions(t, want.Options, e.Options, text)
				}
				t.Logf("%s %s, Beaker %s: %d files, %d refused, %d with sessions off, %d options compared: no difference",
					live.distribution, v.Packages[live.distribution], v.Beaker, files, refused, disabled, options)
			})
		}
	}
}

func pairs(settings []Setting) [][2]string {
	out := [][2]string{}
	for _, s := range settings {
		out = append(out, [2]string{s.Key, s.Value})
	}
	return out
}

// beakersText is the part of a message that does not hang on the Python.
func beakersText(text string) string {
	text, _, _ = strings.Cut(text, ": '")
	return text
}

// requireFrameworksOptions compares the arguments of Session and returns how many.
func requireFrameworksOptions(t *testing.T, want map[string]any, o compat.Options, context string) int {
	t.Helper()
	have := map[string]any{
		"type": o.Type, "data_dir": o.DataDir, "lock_dir": o.LockDir, "file_dir": o.FileDir, "key": o.Key, "secret": o.Secret,
		"validate_key": o.ValidateKey, "encrypt_key": o.EncryptKey, "cookie_domain": o.CookieDomain, "cookie_path": o.CookiePath,
		"secure": o.Secure, "httponly": o.HTTPOnly, "auto": o.Auto, "save_accessed_time": o.SaveAccessedTime, "url": o.URL,
		"data_serializer": o.DataSerializer, "encrypt_nonce_bits": float64(o.EncryptNonceBits), "samesite": o.SameSite, "crypto_type": o.CryptoType,
		"cookie_expires": true, "invalidate_corrupt": o.InvalidateCorrupt, "use_cookies": o.UseCookies,
	}
	if o.Timeout != compat.NoTimeout {
		have["timeout"] = o.Timeout.Seconds()
	}
	switch o.CookieExpires.Mode {
	case compat.ExpiresNever:
		have["cookie_expires"] = false
	case compat.ExpiresAfter:
		have["cookie_expires"] = map[string]any{"seconds": float64(o.CookieExpires.After / time.Second)}
	}
	for name, value := range o.Extra {
		have[name] = value
	}
	for name := range want {
		if slices.Contains([]string{"id", "namespace_class", "log_file", "webtest_varname", "enabled", "cookie_on_exception", "constant_csrf_token", "tg_avoid_touch"}, name) {
			delete(want, name)
		}
	}
	for name, value := range want {
		switch text, isText := value.(string); {
		case value == nil:
			require.Contains(t, []any{nil, "", false}, have[name], "%s\n%s", context, name)
		case isText && (name == "invalidate_corrupt" || name == "use_cookies"):
			require.Equal(t, text != "", have[name], "%s\n%s", context, name)
		default:
			require.Equal(t, value, have[name], "%s\n%s", context, name)
		}
	}
	for name := range o.Extra {
		require.Contains(t, want, name, context)
	}
	return len(want)
}
