package sqlstore

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

var update = flag.Bool("update", false, "write testdata/urls.json by SQLAlchemy")

// parts is what makeurl.py says of a URL.
type parts struct {
	Name     string      `json:"name"`
	User     string      `json:"user"`
	Password string      `json:"password"`
	Host     string      `json:"host"`
	Port     string      `json:"port"`
	Database string      `json:"database"`
	Query    [][2]string `json:"query"`
}

func partsOf(t target) *parts {
	p := &parts{t.name, t.user, t.password, t.host, t.port, t.database, [][2]string{}}
	for _, o := range t.query {
		p.Query = append(p.Query, [2]string{o.key, o.value})
	}
	slices.SortFunc(p.Query, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return p
}

// grid is every combination of what may stand in each place of a URL.
func grid() []string {
	var urls []string
	for _, name := range []string{"postgresql+psycopg2", "sqlite"} {
		for _, user := range []string{"", "u@", "u:p@", ":p@", "u:@", "u%40x:p%2F%3a%25+%zz@", "u:p:q@", "u:p/q@", "u:p?q@", "u@v:p@", "u+v:p q@"} {
			for _, host := range []string{"", "h", "h.example:5432", ":5432", "[::1]", "[fe80::1%25eth0]:1"} {
				for _, database := range []string{"", "/", "/db", "//abs/s.db", "/a%20b+c", "/a@b:c", "/rel/s.db#x"} {
					for _, query := range []string{"", "?", "?a=b", "?a=1&a=2&b=%2Fx+y", "?a&b=&c==&=d", "?host=/run/x&x=%C3%A9"} {
						urls = append(urls, name+"://"+user+host+database+query)
					}
				}
			}
		}
	}
	return append(urls, "", "x", "postgresql:", "postgresql:/h/db", "post-gresql://h/db", "://h", "postgresql://u:p@h:x/db",
		"postgresql://u:p@h:54_32/db?a=b", "sqlite:///:memory:", "sqlite:///file:x.db?mode=ro&uri=true", "mysql://u:päss@h/dé")
}

// ask has a Python take URLs apart.
func ask(t *testing.T, exe string, urls []string) (version string, answers []*parts) {
	t.Helper()
	in, err := json.Marshal(urls)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "testdata/makeurl.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var got struct {
		Version string   `json:"version"`
		URLs    []*parts `json:"urls"`
	}
	require.NoError(t, json.Unmarshal(out, &got))
	require.Len(t, got.URLs, len(urls))
	return got.Version, got.URLs
}

// requireParts compares with SQLAlchemy. What Go refuses beyond that, and what it takes
// beyond that, are the two differences that parseURL tells of.
func requireParts(t *testing.T, url string, want *parts) {
	t.Helper()
	got, err := parseURL(url)
	switch {
	case want == nil:
		require.Error(t, err, "%q", url)
	case strings.Contains(want.Host, "@"): // no host: the password has an @ in it
		require.NoError(t, err, "%q", url)
		require.NotContains(t, got.host, "@", "%q", url)
	case strings.Contains(want.Port, "_"), err != nil && strings.Contains(url, "54_32"): // a number of Python
		require.Error(t, err)
	default:
		require.NoError(t, err, "%q", url)
		require.Equal(t, want, partsOf(got), "%q", url)
	}
}

// require21: SQLAlchemy 2.1 unquotes the database too.
func require21(t *testing.T, url string, want *parts) {
	t.Helper()
	got, err := parseURL(url)
	if err == nil && want != nil && strings.Contains(got.database, "%") {
		plain, ok := unquote(got.database, false)
		require.True(t, ok)
		require.Equal(t, want.Database, plain)
		want.Database = got.database
	}
	requireParts(t, url, want)
}

// TestURL compares with what SQLAlchemy 2.0 made of the grid once.
func TestURL(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	data, err := os.ReadFile("testdata/urls.json")
	require.NoError(t, err)
	var golden map[string]*parts
	require.NoError(t, json.Unmarshal(data, &golden))
	for url, want := range golden {
		requireParts(t, url, want)
	}
}

func writeGolden(t *testing.T) {
	for _, v := range peers.WithPackage(t, "sqlalchemy") {
		if !strings.HasPrefix(v.Packages["sqlalchemy"], "2.0.") {
			continue
		}
		golden := map[string]*parts{}
		var some []string
		urls := grid()
		for n, url := range urls {
			if n%41 == 0 || len(url) < 28 && n%9 == 0 || n >= len(urls)-13 {
				some = append(some, url)
			}
		}
		_, answers := ask(t, v.Exe, some)
		for n, url := range some {
			golden[url] = answers[n]
		}
		out, err := json.MarshalIndent(golden, "", " ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("testdata/urls.json", append(out, '\n'), 0o644))
		return
	}
	t.Fatal("no SQLAlchemy 2.0")
}

// TestURLLive compares the whole grid with every SQLAlchemy there is.
func TestURLLive(t *testing.T) {
	urls := grid()
	seen := map[string]bool{}
	for _, v := range peers.WithPackage(t, "sqlalchemy") {
		if seen[v.Packages["sqlalchemy"]] {
			continue
		}
		seen[v.Packages["sqlalchemy"]] = true
		t.Run("SQLAlchemy "+v.Packages["sqlalchemy"], func(t *testing.T) {
			version, answers := ask(t, v.Exe, urls)
			for n, url := range urls {
				switch {
				case strings.HasPrefix(version, "1.3."):
					require13(t, url, answers[n])
				case strings.HasPrefix(version, "2.1."):
					require21(t, url, answers[n])
				default:
					requireParts(t, url, answers[n])
				}
			}
		})
	}
}

// require13: what 1.3 reads in another way than its successors is an @ or a ? in a place
// of its own, or a query without a slash before it. (Its Python 2 has bytes for é.)
func require13(t *testing.T, url string, want *parts) {
	t.Helper()
	got, err := parseURL(url)
	if want == nil || err != nil {
		return
	}
	if strings.Count(url, "@") > 1 || strings.ContainsAny(want.Host+want.Password, "?@") || want.Port != got.port ||
		strings.Contains(url, "%C3") || got.database == "" && len(got.query) > 0 {
		return
	}
	require.Equal(t, want, partsOf(got), "%q", url)
}
