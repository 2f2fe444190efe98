package match_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/internal/match"
)

func table(t testing.TB, rules map[string]match.Rule) *match.Table[string] {
	t.Helper()
	var entries []match.Entry[string]
	for name, r := range rules {
		m, err := match.Compile(r)
		require.NoError(t, err, name)
		entries = append(entries, match.Entry[string]{Match: &m, Value: name})
	}
	return match.NewTable(entries)
}

func TestDiffers(t *testing.T) {
	tab := table(t, map[string]match.Rule{
		"all": {Prefix: "/"}, "admin": {Prefix: "/Admin"}, "low": {Prefix: "/low"}, "host": {Prefix: "/x", Hosts: []string{"*.example.org"}, Methods: []string{"GET"}},
	})
	for path, want := range map[string]string{
		"/a": "all", "/Admin": "admin", "/admin": "all loose", "/ADMIN./x": "all loose", "/low": "low", "/LOW": "all loose", "/low;x": "all strict", "/low%2Fx": "low strict",
		"/x/y": "host", "/X/y": "all loose", "/%2578": "all strict", "/a;b": "all", "/A": "all",
	} {
		q := &match.Question{Host: "a.example.org", Method: "HEAD"}
		u, err := url.ParseRequestURI(path)
		require.NoError(t, err)
		p, err := forwarded.ReadPath(u)
		require.NoError(t, err)
		got, found := tab.Find(q, p.Plain)
		require.True(t, found)
		plain := got
		other := func(o string, found bool) bool { return found && o != plain }
		if tab.Differs(q, p, other, nil) {
			got += " strict"
		} else if tab.Differs(q, p, other, other) {
			got += " loose"
		}
		require.Equal(t, want, got, path)
	}
}

func TestClashes(t *testing.T) {
	get, head := []string{"GET"}, []string{"HEAD", "PUT"}
	for name, c := range map[string]struct {
		a, b match.Rule
		want bool
	}{
		"the same":           {match.Rule{Prefix: "/a"}, match.Rule{Prefix: "/a/"}, true},
		"prefix":             {match.Rule{Prefix: "/a"}, match.Rule{Prefix: "/A"}, false},
		"a method":           {match.Rule{Prefix: "/", Methods: get}, match.Rule{Prefix: "/", Methods: head}, true},
		"all methods":        {match.Rule{Prefix: "/", Methods: get}, match.Rule{Prefix: "/"}, false},
		"a host":             {match.Rule{Prefix: "/", Hosts: []string{"a", "b"}}, match.Rule{Prefix: "/", Hosts: []string{"B."}}, true},
		"host and wildcard":  {match.Rule{Prefix: "/", Hosts: []string{"a.b"}}, match.Rule{Prefix: "/", Hosts: []string{"*.b"}}, false},
		"a host and all":     {match.Rule{Prefix: "/", Hosts: []string{"a"}}, match.Rule{Prefix: "/"}, false},
		"another header":     {match.Rule{Prefix: "/", Headers: map[string]string{"A": "1"}}, match.Rule{Prefix: "/", Headers: map[string]string{"A": "2"}}, false},
		"header in any case": {match.Rule{Prefix: "/", Headers: map[string]string{"x-a": "1"}}, match.Rule{Prefix: "/", Headers: map[string]string{"X-A": "1"}}, true},
	} {
		a, err := match.Compile(c.a)
		require.NoError(t, err)
		b, err := match.Compile(c.b)
		require.NoError(t, err)
		require.Equal(t, c.want, a.Clashes(&b), name)
		require.Equal(t, c.want, b.Clashes(&a), name)
	}
}

func TestCompileRefuses(t *testing.T) {
	for want, r := range map[string]match.Rule{
		"plain path":              {},
		"in capitals":             {Prefix: "/", Methods: []string{"get"}},
		"never passed on":         {Prefix: "/", Methods: []string{"TRACE"}},
		"letters, digits":         {Prefix: "/", Headers: map[string]string{"A": ""}},
		`header "A" is there`:     {Prefix: "/", Headers: map[string]string{"A": "1", "a": "1"}},
		`host "a" is there twice`: {Prefix: "/", Hosts: []string{"a", "b", "A."}},
		"[2001:db8::1]":           {Prefix: "/", Hosts: []string{"::1"}},
		"give a name":             {Prefix: "/", Hosts: []string{"*.192.0.2.1"}},
	} {
		_, err := match.Compile(r)
		require.ErrorContains(t, err, want)
	}
	for _, prefix := range []string{"a", "//", "/a//", "/a//b", "/a;b", "/a?b", "/%41", "/a%", "/a/..", `/a\b`, "/a\n", "//a"} {
		_, err := match.Compile(match.Rule{Prefix: prefix})
		require.ErrorContains(t, err, "plain path", prefix)
	}
}

// A request costs no allocation, however the rules are.
func TestFindAllocates(t *testing.T) {
	tab := table(t, map[string]match.Rule{"a": {Prefix: "/a", Hosts: []string{"x"}, Methods: []string{"GET"}}, "b": {Prefix: "/", Headers: map[string]string{"A": "*"}}, "c": {Prefix: "/Big"}})
	q := &match.Question{Host: "x", Method: "GET", Header: http.Header{}}
	p := forwarded.Path{Plain: "/a/b", Least: "/a/b", Most: "/a/b"}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		a, _ := tab.Find(q, p.Plain)
		other := func(o string, found bool) bool { return found && o != a }
		tab.Differs(q, p, other, other)
	}))
}
