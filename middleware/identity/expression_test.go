package identity

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func expressionRequest() *Request {
	return &Request{
		Method: "POST", Scheme: "https", Host: "app.example.org", URI: "/admin/us%65rs?q=1&r=%20", Client: "192.0.2.7",
		Header: http.Header{"X-Beta": {"1"}, "X-Two": {"a", "b"}},
	}
}

func TestAllow(t *testing.T) {
	v := see(t, values{
		"role": "editor", "py2": pyvalue.Py2Str("text"), "bytes": pyvalue.Bytes("text"), "latin": pyvalue.Py2Str("\xeb"),
		"n": 7, "big": python(t, uint64(1<<63)), "f": 1.5, "yes": true, "no": false, "none": nil, "one": 1,
		"groups": []string{"staff", "users"}, "tuple": pyvalue.NewTuple(str("a")), "set": pyvalue.NewSet(str("a")),
		"user":    dict(str("name"), str("eve"), str("age"), pyvalue.NewInt(30), pyvalue.NewInt(5), str("five"), str("nothing"), none{}),
		"object":  instance(dict(str("name"), str("eve"))),
		"opaque":  instance(str("state")),
		"members": list(dict(str("name"), str("a"), str("on"), pyvalue.Bool(true)), dict(str("name"), str("b"), str("on"), pyvalue.Bool(false))),
		"since":   pyvalue.NaiveTime{Time: noon.Add(-time.Hour)}, "aware": noon.In(time.FixedZone("", 3600)), "took": 90 * time.Second,
		"born": pyvalue.Date{Year: 2000, Month: 1, Day: 2}, "price": pyvalue.Decimal("1.10"),
		"stamp": float64(noon.Unix() - 60),
	})
	for source, want := range map[string]string{
		`session.role == "editor" and request.method != "DELETE"`:         "",
		`session.role == "reader"`:                                        "it is false",
		`session.py2 == "text" and session.bytes == "text"`:               "",
		`session.latin == nil`:                                            "it is false",
		`session.latin == "ë"`:                                            "it is false",
		`session.n == 7 and session.n >= 7.0 and session.f < 2`:           "",
		`session.big == "9223372036854775808"`:                            "",
		`session.yes`:                                                     "",
		`session.no`:                                                      "it is false",
		`session.one`:                                                     "it fails at 1:1",
		`session.role`:                                                    "it fails at 1:1",
		`session.none`:                                                    "it is false",
		`session.none == nil and session.nobody == nil`:                   "",
		`session.nobody > 5`:                                              "it fails at 1:16",
		`session.nobody.name == "eve"`:                                    "it fails at 1:16",
		`session.nobody?.name == nil`:                                     "",
		`session.role.name == "eve"`:                                      "it fails at 1:14",
		`"staff" in session.groups`:                                       "",
		`"admin" in session.groups`:                                       "it is false",
		`"admin" in session.nobody`:                                       "it is false",
		`"edit" in session.role`:                                          "it fails at 1:8",
		`"a" in session.tuple and "a" in session.set`:                     "",
		`any(session.groups, # in ["staff", "admin"])`:                    "",
		`all(session.groups, # startsWith "s")`:                           "it is false",
		`count(session.members, .on) == 1`:                                "",
		`find(session.members, .on).name == "a"`:                          "",
		`session.user.name == "eve" and session.user.age > 18`:            "",
		`session.user["5"] == "five"`:                                     "",
		`session.user.nothing == nil`:                                     "",
		`session.object.name == "eve"`:                                    "",
		`session.opaque == nil`:                                           "it is false",
		`session.opaque.class == "x"`:                                     "it fails at 1:16",
		`session["role"] == "editor"`:                                     "",
		`session[request.method + ""] == nil`:                             "",
		`"role" in keys(session) and not ("_id" in keys(session))`:        "",
		`session._id == nil`:                                              "",
		`now - session.since == duration("1h")`:                           "",
		`session.aware == now and session.took < duration("2m")`:          "",
		`now > session.born`:                                              "",
		`now.Unix() - session.stamp < 100`:                                "",
		`float(session.price) < 2`:                                        "",
		`session.price == "1.10"`:                                         "",
		`request.scheme == "https" and request.host endsWith ".org"`:      "",
		`request.path == "/admin/users" and request.query == "q=1&r=%20"`: "",
		`request.client == "192.0.2.7"`:                                   "",
		`request.header("x-beta") == "1" and request.header("X-Two") == "a, b" and request.header("none") == ""`: "",
		`session.role matches "^edi"`:               "",
		`session.user.name == "eve" ? true : false`: "",
		`int(session.role) == 1`:                    "it fails at 1:1",
		`session.groups[7] == "a"`:                  "it fails at 1:15",
		`!(session.nobody ?? true)`:                 "it is false",
	} {
		e, err := compileExpression(source)
		require.NoError(t, err, source)
		require.Equal(t, want, e.refuses(expressionRequest(), v, noon), source)
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for source, want := range map[string]string{
		"":                                     "unexpected token EOF",
		"session.":                             "unexpected",
		"user == 1":                            "unknown name user",
		"request.user == 1":                    "has no field user",
		`request.method`:                       "expected bool",
		`1`:                                    "expected bool",
		`"a" == 1`:                             "mismatched types",
		`now == 1`:                             "mismatched types",
		"1 in 1..1000000":                      "a range of numbers",
		"len(1..10) == 10":                     "a range of numbers",
		`repeat("a", 1000) == "a"`:             "repeat: there is no such function here",
		`reduce(session.a, #acc + #acc) == 1`:  "reduce: there is no such function here",
		`any(session.a, any(session.b, true))`: "a predicate within a predicate",
		`any(session.a, len(filter(session.b, true)) > 1)`: "a predicate within a predicate",
		`session.a | any(session.b | any(true))`:           "a predicate within a predicate",
		`session.a matches session.b`:                      "write the pattern in quotes",
		`now() > now`:                                      "now: there is no such function here",
		`date("2024-01-01") < now`:                         "date: there is no such function here",
		`fromJSON(session.a) == 1`:                         "fromJSON: there is no such function here",
		`session.since.Year() == 2000`:                     "a call: there is no such function here",
		`let a = session.a; a == 1`:                        "let: there are no variables here",
		`map(session.a, # + #)[0] == "aa"`:                 "map: there is no such function here",
		`$env.session.a == 1`:                              "$env",
		`$env["session"].a == 1`:                           "$env",
		`session.a matches "("`:                            "error parsing regexp",
		`nobody(1)`:                                        "nobody: there is no such function here",
		`request.header(1) == ""`:                          "cannot use int",
		strings.Repeat("true and ", 300) + "true":          "exceeds maximum allowed nodes",
		strings.Repeat("(", maxExpression):                 "",
		strings.Repeat(" ", maxExpression) + "true":        "more than 4096 bytes",
	} {
		_, err := compileExpression(source)
		require.Error(t, err, source)
		require.ErrorContains(t, err, want, source)
	}
}

// What an expression looks at is all that it costs; what is too large is refused.
func TestExpressionsAreBounded(t *testing.T) {
	text := strings.Repeat("x", sessionvalue.MaxSeenText+1)
	many := list()
	for range sessionvalue.MaxSeenValues + 1 {
		many.Items = append(many.Items, pyvalue.NewInt(1))
	}
	v := see(t, values{"role": "editor", "text": text, "many": many})
	for source, want := range map[string]string{
		`session.role == "editor"`: "",
		`session.text == ""`:       sessionvalue.ErrTooMuch.Error(),
		`len(session.many) == 1`:   sessionvalue.ErrTooMuch.Error(),
		`len(session) == 1`:        sessionvalue.ErrTooMuch.Error(),
	} {
		e, err := compileExpression(source)
		require.NoError(t, err)
		require.Equal(t, want, e.refuses(expressionRequest(), v, noon), source)
	}
}

// What a session holds is in no reason.
func TestReasonsTellNothing(t *testing.T) {
	const secret = "hunter2-9f8e7d"
	v := see(t, values{"user": secret, "list": []string{secret}, "dict": dict(str(secret), str(secret))})
	for _, source := range []string{
		`int(session.user) == 1`, `duration(session.user) == duration("1s")`, `session.user.x == 1`, `session.user > 5`,
		`session.list[session.user] == 1`, `session.dict[session.user][session.user] == nil`, `float(session.user) > 1`,
		`session.user`, `session.user in session.user`, `-session.user == 1`, `session.user == "x"`, `len(session.nobody) == 1`,
	} {
		p := policy(t, Options{Allow: source, Headers: []Header{{Name: "A", Path: "dict"}}})
		d := p.Decide(page(), v, nil)
		require.Equal(t, 403, d.Status, source)
		require.NotContains(t, d.Reason, secret, source)
	}
}

// A rule about paths is not got round by another spelling.
func TestRequestPath(t *testing.T) {
	e, err := compileExpression(`not (request.path startsWith "/admin")`)
	require.NoError(t, err)
	for uri, allowed := range map[string]bool{
		"/": true, "/a": true, "/a/b?c=/../admin": true, "/a%20b": true, "/a;b=c": false, "/...": true, "/caf%C3%A9": true, "/100%25": true,
		"/pa/;/admin": false, "/pa/;x=y/admin": false, "/pa/%2561dmin": false, "/pa%2Fadmin": false, "/%2561dmin": false, "/a%3Fb": false,
		"/admin": false, "/%61dmin": false, "/admin/x": false, "/a/../admin": false, "/a/..;/admin": false, "/./admin": false,
		"//admin": false, "/%2fadmin": false, "/%2e/admin": false, "/x/%2e%2e/admin": false, `/\admin`: false, "/%5cadmin": false,
		"/..": false, "/a%00": false, "/%zz": false, "admin": false, "": false, "*": false, "http://evil/admin": false, "/a//b": false,
	} {
		r := expressionRequest()
		r.URI = uri
		require.Equal(t, allowed, e.refuses(r, see(t, nil), noon) == "", uri)
	}
	// An expression that does not ask for it is not concerned.
	for source, want := range map[string]bool{`request.method == "POST"`: true, `[request][0].method == "POST"`: false} {
		e, err := compileExpression(source)
		require.NoError(t, err)
		r := expressionRequest()
		r.URI = "//a"
		require.Equal(t, want, e.refuses(r, see(t, nil), noon) == "", source)
	}
}

// FuzzAllow: what compiles ends, and says in every session why it refuses.
func FuzzAllow(f *testing.F) {
	for _, seed := range []string{
		`session.role == "editor"`, `any(session.groups, # == "a")`, `session.n > 5 or now.Unix() > 3`, `session?.a?.b == nil`,
		`[session][0].role matches "x"`, `request.header(session.role) == ""`, `filter(session.groups, # + # == "aa")[0] == "a"`,
	} {
		f.Add(seed)
	}
	v := see(f, values{"role": "editor", "n": 7, "groups": []string{"a", "b"}, "user": dict(str("a"), str("b"))})
	f.Fuzz(func(t *testing.T, source string) {
		e, err := compileExpression(source)
		if err != nil {
			return
		}
		for range 2 { // the second time it is as the first
			require.NotContains(t, e.refuses(expressionRequest(), v, noon), "editor")
		}
	})
}
