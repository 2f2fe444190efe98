package livetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// framework is one whose tokens Go shares.
type framework struct {
	distribution, script string
	rules                func() *middleware.CSRF
	// types are those of a token that the framework takes.
	types2, types3 []pyvalue.Value
}

const token = "313514387764277725466864420256917217459"

var frameworks = []framework{
	{
		distribution: "pylons", script: "pylonsapp.py", rules: middleware.WebHelpersCSRF,
		types2: []pyvalue.Value{pyvalue.Py2Str(token), pyvalue.Str(token)},
	},
	{
		distribution: "pyramid", script: "pyramidapp.py", rules: middleware.PyramidCSRF,
		types2: []pyvalue.Value{pyvalue.Py2Str(token), pyvalue.Str(token)},
		types3: []pyvalue.Value{pyvalue.Py2Str(token), pyvalue.Str(token), pyvalue.Bytes(token)},
	},
}

func (f framework) types(peer peers.Venv) []pyvalue.Value {
	if peer.Python2() {
		return f.types2
	}
	return f.types3
}

// eachFramework runs a test with every environment of every framework.
func eachFramework(t *testing.T, test func(t *testing.T, f framework, peer peers.Venv)) {
	for _, f := range frameworks {
		t.Run(f.distribution, func(t *testing.T) {
			for _, peer := range peers.WithPackage(t, f.distribution) {
				t.Run(peer.Name, func(t *testing.T) {
					t.Parallel()
					test(t, f, peer)
				})
			}
		})
	}
}

// pythonToken is the token as Python gives it to its forms.
func (w *world) pythonToken() (pyvalue.Value, string) {
	w.t.Helper()
	var answer struct {
		Token json.RawMessage
		Form  string
	}
	w.inPython("GET", "/token", "", &answer)
	return parse(w.t, answer.Token), answer.Form
}

// goToken is the token as Go gives it to its forms.
func (w *world) goToken(csrf *middleware.CSRF) (token string) {
	w.t.Helper()
	w.session(func(s *compat.Session) {
		var err error
		if token, err = csrf.Token(s); err != nil {
			w.t.Error(err)
		}
	})
	return token
}

// submit posts a form to both and returns what they answer.
func (w *world) submit(field, value string) (inPython, inGo int) {
	w.t.Helper()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	body := url.Values{field: {value}, "other": {"x"}}.Encode()
	p, _ := w.send("POST", w.python+"/submit", body, header)
	g, _ := w.send("POST", w.gopher+"/submit", body, header)
	return p.StatusCode, g.StatusCode
}

// A form that either side has rendered can be posted to either side, whoever
// made the token.
func TestTokenBothWays(t *testing.T) {
	eachFramework(t, func(t *testing.T, f framework, peer peers.Venv) {
		csrf := f.rules()
		w := newWorld(t, peer, f.script, csrf, nil)

		made, _ := w.pythonToken()
		text, ok := pyvalue.Text(made)
		require.True(t, ok)
		require.Equal(t, text, w.goToken(csrf), "Go takes the token that Python made")
		p, g := w.submit(csrf.Field, text)
		require.Equal(t, []int{200, 200}, []int{p, g})
		p, g = w.submit(csrf.Field, text+"0")
		require.Equal(t, []int{csrf.Status, csrf.Status}, []int{p, g})

		w.client = w.newBrowser()
		own := w.goToken(csrf)
		found, form := w.pythonToken()
		require.IsType(t, made, found, "Go makes tokens of the framework's type")
		text, _ = pyvalue.Text(found)
		require.Equal(t, own, text, "Python takes the token that Go made")
		require.Len(t, text, len(own))
		if form != "" {
			require.Contains(t, form, `name="`+csrf.Field+`" type="hidden" value="`+own+`"`)
		}
		p, g = w.submit(csrf.Field, own)
		require.Equal(t, []int{200, 200}, []int{p, g})

		for _, v := range f.types(peer) {
			w.set(csrf.Key, v)
			p, g = w.submit(csrf.Field, token)
			require.Equal(t, []int{200, 200}, []int{p, g}, "%T", v)
			require.Equal(t, token, w.goToken(csrf))
		}
	})
}

// What no framework has put there passes nowhere.
func TestOddTokens(t *testing.T) {
	eachFramework(t, func(t *testing.T, f framework, peer peers.Venv) {
		csrf := f.rules()
		w := newWorld(t, peer, f.script, csrf, nil)
		for _, v := range []pyvalue.Value{
			pyvalue.NewInt(5), pyvalue.NewList(pyvalue.Str(token)), pyvalue.Bool(true), pyvalue.NewDict(), pyvalue.Float(1),
		} {
			w.set(csrf.Key, v)
			for _, value := range []string{token, "5", "True", ""} {
				p, g := w.submit(csrf.Field, value)
				require.NotEqual(t, 200, p, "%v", v)
				require.Equal(t, csrf.Status, g, "%v", v)
			}
		}
		w.set(csrf.Key, "")
		_, g := w.submit(csrf.Field, "")
		require.Equal(t, csrf.Status, g, "even where the framework lets the empty token pass")
	})
}

// verdict is a request that both sides judge.
type verdict struct {
	method, header, query, kind, fields string
}

// verdicts are the ways in which a request may carry tokens: all of them for
// POST, and those with a query and a form for the others.
func verdicts() []verdict {
	var all []verdict
	for _, method := range []string{"POST", "PUT", "DELETE", "GET"} {
		headers, queries := []string{"-", "good", "bad"}, []string{"-", "good", "bad", "empty", "bad good"}
		if method != "POST" {
			headers, queries = headers[:1], queries[:2]
		}
		for _, header := range headers {
			for _, query := range queries {
				all = append(all, verdict{method, header, query, "none", "-"})
				for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data", "application/json", ""} {
					for _, fields := range []string{"-", "good", "bad", "empty", "bad good", "good bad"} {
						all = append(all, verdict{method, header, query, kind, fields})
					}
				}
			}
		}
	}
	return all
}

func (v verdict) request(name string) (path, body string, header http.Header) {
	values := func(names string) (out []string) {
		for _, n := range strings.Fields(names) {
			if n != "-" {
				out = append(out, map[string]string{"good": token, "bad": token[:38] + "0", "empty": ""}[n])
			}
		}
		return out
	}
	path, header = "/submit", http.Header{}
	if q := values(v.query); q != nil {
		path += "?" + url.Values{name: q}.Encode()
	}
	for _, h := range values(v.header) {
		header.Set("X-CSRF-Token", h)
	}
	switch v.kind {
	case "none":
	case "multipart/form-data":
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		_ = m.WriteField("other", "x")
		for _, value := range values(v.fields) {
			_ = m.WriteField(name, value)
		}
		_ = m.Close()
		body = b.String()
		header.Set("Content-Type", m.FormDataContentType())
	default:
		body = url.Values{"other": {"x"}, name: values(v.fields)}.Encode()
		if v.kind != "" {
			header.Set("Content-Type", v.kind)
		}
	}
	return path, body, header
}

func TestSameVerdict(t *testing.T) {
	eachFramework(t, func(t *testing.T, f framework, peer peers.Venv) {
		csrf := f.rules()
		w := newWorld(t, peer, f.script, csrf, nil)
		w.set(csrf.Key, f.types(peer)[0])
		count := map[int]int{}
		for _, v := range verdicts() {
			path, body, header := v.request(csrf.Field)
			p, text := w.send(v.method, w.python+path, body, header)
			g, _ := w.send(v.method, w.gopher+path, body, header)
			require.Equal(t, p.StatusCode, g.StatusCode, "%+v: %s", v, text)
			count[g.StatusCode]++
		}
		require.Len(t, count, 2, "both let through and refused")
		t.Logf("verdicts: %v", count)
	})
}

// The origin of a request is judged alike, as if it had come by https.
func TestSameOriginVerdict(t *testing.T) {
	for _, peer := range peers.WithPackage(t, "pyramid") {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			csrf := middleware.PyramidCSRF()
			csrf.TrustedOrigins = []string{"shop.com", ".wild.com", "Odd.com:8443", "null"}
			csrf.Scheme = func(*http.Request) string { return "https" }
			w := newWorld(t, peer, "pyramidapp.py", csrf, map[string]any{"scheme": "https", "trusted": csrf.TrustedOrigins})
			w.set(csrf.Key, token)
			count := map[int]int{}
			for _, host := range []string{"example.com", "example.com:443", "example.com:80", "example.com:8443", "EXAMPLE.com", "[::1]:8443"} {
				for _, origin := range origins(peer) {
					for _, referer := range []string{"-", "https://example.com/a?b", "https://evil.com/"} {
						header := http.Header{"Host": {host}, "X-Csrf-Token": {token}}
						if origin != "-" {
							header.Set("Origin", origin)
						}
						if referer != "-" {
							header.Set("Referer", referer)
						}
						// The jar's cookies are for another host.
						header.Set("Cookie", w.cookies())
						p, text := w.send("POST", w.python+"/submit", "", header)
						g, _ := w.send("POST", w.gopher+"/submit", "", header)
						require.Equal(t, p.StatusCode, g.StatusCode, "%v: %s", header, text)
						count[g.StatusCode]++
					}
				}
			}
			require.Len(t, count, 2, "both let through and refused")
			t.Logf("verdicts: %v", count)
		})
	}
}

// origins are values of the header Origin; "-" is none.
func origins(peer peers.Venv) []string {
	all := []string{
		"-", "", "https://example.com", "http://example.com", "https://example.com:443", "https://example.com:8443",
		"https://evil.com", "https://shop.com", "https://www.shop.com", "https://wild.com", "https://a.b.wild.com",
		"https://notwild.com", "https://odd.com:8443", "https://odd.com", "https://example.com@evil.com",
		"https://me@example.com", "https://[::1]:8443", "https://", "https:/example.com", "example.com", "HTTPS://example.com",
		"https://example.com.", "https://example.com?x", "https://example.com#x", "https://example.com/%zz",
	}
	if strings.HasPrefix(peer.Packages["pyramid"], "2.") { // 1.x knows neither null nor lists
		all = append(all, "null", "NULL", "https://evil.com https://example.com", "https://example.com https://evil.com")
	}
	return all
}

func (w *world) cookies() string {
	u, err := url.Parse(w.gopher)
	require.NoError(w.t, err)
	var pairs []string
	for _, c := range w.client.Jar.Cookies(u) {
		pairs = append(pairs, fmt.Sprint(c.Name, "=", c.Value))
	}
	return strings.Join(pairs, "; ")
}
