package doctor

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/iniconf"
)

// TestNothingSecretOfInis makes inis of random options with random texts and looks for
// the keys and passwords in what is said about them, refusals and the loader's warnings
// included.
func TestNothingSecretOfInis(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	dir := t.TempDir()
	const letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_.+ éü"
	hidden := func() string {
		var b strings.Builder
		for range 9 + r.IntN(30) {
			b.WriteRune([]rune(letters)[r.IntN(len([]rune(letters)))])
		}
		return "Q" + strings.TrimSpace(b.String()) + "Q"
	}
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	loaded := 0
	for n := range 600 {
		var secrets []string
		secret := func() string {
			s := hidden()
			secrets = append(secrets, s)
			return s
		}
		var b strings.Builder
		b.WriteString("[app:main]\nuse = egg:Shop\n")
		for range 3 + r.IntN(10) {
			prefix := pick("beaker.session.", "session.", "session_", "")
			switch r.IntN(9) {
			case 0, 1, 2:
				fmt.Fprintf(&b, "%s%s = %s\n", prefix, pick("secret", "validate_key", "encrypt_key", "secrte", "validatekey", "encrypt_keys", "password"), secret())
			case 3:
				fmt.Fprintf(&b, "%surl = %s://user:%s@%s\n", prefix, pick("redis", "postgresql", "mongodb", "mysql+pymysql"), secret(), pick("host/0", "10.0.0.1:6379", "a;b", ""))
			case 4:
				fmt.Fprintf(&b, "%stype = %s\n", prefix, pick("file", "cookie", "ext:redis", "ext:database", "ext:memcached", "ext:mongodb", "dbm", "nothing"))
			case 5:
				fmt.Fprintf(&b, "%sdata_dir = %s\n", prefix, pick("/srv/data", "data", "%(here)s/x", "None"))
			case 6:
				fmt.Fprintf(&b, "%stimeout = %s\n", prefix, pick("3600", "0", "10", "1"))
			case 7:
				fmt.Fprintf(&b, "%s%s = %s\n", prefix, pick("cookie_domain", "samesite", "key", "crypto_type", "data_serializer", "sa.url", "urls"), pick("None", "x", "json", "default", ".example.com"))
			case 8:
				fmt.Fprintf(&b, "%s%s = %s\n", prefix, pick("secure", "httponly", "invalidate_corrupt", "auto", "use_cookies"), pick("true", "false", "on"))
			}
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.ini", n))
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
		side := Side{Name: path, Effective: iniconf.NewEffective()}
		c, err := iniconf.Load(path, iniconf.LoadOptions{Dialect: iniconf.Python2})
		if err == nil {
			side.Effective, err = c.Effective()
		}
		if side.Refused = err; err == nil {
			loaded++
		}
		subject := Subject{Now: time.Unix(1_700_000_000, 0), Sides: []Side{side}}
		if n%2 == 1 {
			other := *healthy(t).py()
			subject.Sides = append(subject.Sides, other)
		}
		out := NewOutcome(subject, Run(subject, Checks()), 1)
		data, err := json.Marshal(out)
		require.NoError(t, err)
		all := out.Text(false) + string(data)
		for _, s := range secrets {
			require.NotContains(t, all, s, b.String())
			require.NotContains(t, strings.ReplaceAll(all, "\n    ", " "), s, b.String()) // across a break of lines
		}
	}
	require.Greater(t, loaded, 100)
}
