package identity

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

func policy(t testing.TB, o Options) *Policy {
	t.Helper()
	p, err := New(o)
	require.NoError(t, err)
	return p
}

func page() *Request {
	return &Request{Method: "GET", Scheme: "https", Host: "app.example.org", URI: "/a?b=c", Header: http.Header{}, Page: true}
}

func TestDecide(t *testing.T) {
	staff := Options{Require: []string{"user_id"}, Groups: "user.groups", AnyGroup: []string{"staff", "admin"}}
	optional := Options{Headers: []Header{{Name: "Remote-User", Path: "user_id"}, {Name: "X-Lang", Path: "lang", Default: "en"}}}
	groupsOnly := Options{Groups: "groups", AnyGroup: []string{"staff", "1"}}
	allowOnly := Options{Allow: `session.role == "editor"`}
	for _, c := range []struct {
		name   string
		o      Options
		v      values
		status int
		reason string
		header http.Header
	}{
		{"nothing is asked", Options{}, nil, 200, "", nil},
		{"nobody, and nothing is required", optional, nil, 200, "", http.Header{"X-Lang": {"en"}}},
		{"somebody, and nothing is required", optional, values{"user_id": 7}, 200, "", http.Header{"Remote-User": {"7"}, "X-Lang": {"en"}}},
		{"no session", staff, nil, 401, "there is no session", nil},
		{"an anonymous session", staff, values{"cart": 1}, 401, "user_id is not there", nil},
		{"logged out by None", staff, values{"user_id": nil}, 401, "user_id is not true", nil},
		{"logged out by 0", staff, values{"user_id": 0}, 401, "user_id is not true", nil},
		{"no groups at all", staff, values{"user_id": 7}, 403, "user.groups is not there", nil},
		{"empty groups", staff, values{"user_id": 7, "user": dict(str("groups"), list())}, 403, "in none of the groups", nil},
		{"other groups", staff, values{"user_id": 7, "user": dict(str("groups"), list(str("users"), str("staff ")))}, 403, "in none of the groups", nil},
		{"groups in another case", staff, values{"user_id": 7, "user": dict(str("groups"), list(str("Staff")))}, 403, "in none of the groups", nil},
		{"a group with a comma", staff, values{"user_id": 7, "user": dict(str("groups"), list(str("users,staff")))}, 403, "in none of the groups", nil},
		{"in a group", staff, values{"user_id": 7, "user": dict(str("groups"), list(str("users"), str("staff")))}, 200, "", nil},
		{"in a tuple", staff, values{"user_id": 7, "user": dict(str("groups"), pyvalue.NewTuple(pyvalue.Py2Str("admin")))}, 200, "", nil},
		{"in a set", staff, values{"user_id": 7, "user": dict(str("groups"), pyvalue.NewSet(str("admin")))}, 200, "", nil},
		{"text is one group", staff, values{"user_id": 7, "user": dict(str("groups"), str("admin"))}, 200, "", nil},
		{"text is no list", staff, values{"user_id": 7, "user": dict(str("groups"), str("admin,staff"))}, 403, "in none of the groups", nil},
		{"keys are no groups", staff, values{"user_id": 7, "user": dict(str("groups"), dict(str("admin"), pyvalue.Bool(false)))}, 403, "in none of the groups", nil},
		{"groups only, nobody", groupsOnly, nil, 401, "groups is not there", nil},
		{"groups only, None", groupsOnly, values{"groups": nil}, 401, "groups is not there", nil},
		{"groups only, others", groupsOnly, values{"groups": list(str("users"))}, 403, "in none of the groups", nil},
		{"groups only, an int", groupsOnly, values{"groups": list(pyvalue.NewInt(1))}, 200, "", nil},
		{"groups only, True is no 1", groupsOnly, values{"groups": list(pyvalue.Bool(true))}, 403, "in none of the groups", nil},
		{"allow only, nobody", allowOnly, nil, 401, "allow: it is false", nil},
		{"allow only, others", allowOnly, values{"role": "reader"}, 403, "allow: it is false", nil},
		{"allowed", allowOnly, values{"role": "editor"}, 200, "", nil},
		{"allowed without a session", Options{Allow: `request.host == "app.example.org"`}, nil, 200, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := policy(t, c.o).Decide(page(), see(t, c.v), nil)
			require.Equal(t, c.status, d.Status)
			require.Equal(t, c.reason, d.Reason)
			require.Empty(t, d.Location)
			require.NoError(t, d.Err)
			if c.header != nil {
				require.Equal(t, c.header, d.Header)
			} else {
				require.Empty(t, d.Header)
			}
		})
	}
}

// An outage is no logout, and nobody comes in by it.
func TestDecideWithoutASession(t *testing.T) {
	for _, o := range []Options{
		{}, {Require: []string{"user_id"}}, {Allow: "true"},
		{Require: []string{"user_id"}, Login: "/login?to={url}"},
		{Headers: []Header{{Name: "Remote-User", Path: "user_id", Default: "guest"}}},
	} {
		p := policy(t, o)
		for _, err := range []error{
			stores.ErrUnavailable, stores.ErrCorrupt, fmt.Errorf("compat: peek: %w", stores.ErrTimeout), errors.New("anything"),
		} {
			for _, v := range []*compat.View{nil, see(t, values{"user_id": 7}), see(t, nil)} {
				d := p.Decide(page(), v, err)
				require.Equal(t, Decision{Status: 503, Reason: "the session cannot be read", Err: err}, d)
			}
		}
		d := p.Decide(page(), nil, nil)
		require.Equal(t, 503, d.Status)
		require.Error(t, d.Err)
		require.Empty(t, d.Header)
	}
}

func TestLoginOnlyForPages(t *testing.T) {
	p := policy(t, Options{Require: []string{"user_id"}, Allow: "session.ok", Login: "https://login.example.org/?came_from={url}"})
	d := p.Decide(page(), see(t, nil), nil)
	require.Equal(t, 302, d.Status)
	require.Equal(t, "https://login.example.org/?came_from=https%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc", d.Location)
	require.Equal(t, "there is no session", d.Reason)

	for name, change := range map[string]func(*Request){
		"not a page": func(r *Request) { r.Page = false },
		"POST":       func(r *Request) { r.Method = "POST" },
		"PROPFIND":   func(r *Request) { r.Method = "PROPFIND" },
	} {
		r := page()
		change(r)
		d := p.Decide(r, see(t, nil), nil)
		require.Equal(t, 401, d.Status, name)
		require.Empty(t, d.Location, name)
	}
	// Who is known does not get in by logging in again.
	d = p.Decide(page(), see(t, values{"user_id": 1, "ok": false}), nil)
	require.Equal(t, 403, d.Status)
	require.Empty(t, d.Location)
}

// What a header cannot hold is left out; if it is required, nobody comes in without it.
func TestWhatCannotBeTold(t *testing.T) {
	o := Options{Headers: []Header{
		{Name: "remote-user", Path: "user_id", Default: "guest"},
		{Name: "X-Name", Path: "name"},
		{Name: "X-Groups", Path: "groups"},
	}}
	v := see(t, values{"user_id": "eve\r\nX-Admin: 1", "name": "Zoë", "groups": []string{"a", "b"}})
	d := policy(t, o).Decide(page(), v, nil)
	require.Equal(t, 200, d.Status)
	require.Equal(t, http.Header{"X-Groups": {"a,b"}}, d.Header)
	require.Equal(t, "Remote-User is left out: it has control characters; X-Name is left out: it is not ASCII", d.Reason)

	o.Require = []string{"user_id"}
	d = policy(t, o).Decide(page(), v, nil)
	require.Equal(t, Decision{Status: 403, Reason: "a required value cannot be told: Remote-User: it has control characters"}, d)
}

func TestConfigErrors(t *testing.T) {
	header := func(h Header) Options { return Options{Name: "users", Headers: []Header{h}} }
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Require: []string{""}}, "require: an empty path"},
		{Options{Require: []string{"a..b"}}, `require: path "a..b": a key without a name`},
		{Options{Require: []string{"_id"}}, `the id of a session is secret`},
		{Options{Require: []string{`_id.x`}}, `the id of a session is secret`},
		{Options{Groups: "groups"}, "say in any group"},
		{Options{AnyGroup: []string{"a"}}, "say in groups"},
		{Options{AnyGroup: []string{}}, "any group: a list without a group"},
		{Options{Groups: "groups", AnyGroup: []string{}}, "any group: a list without a group"},
		{Options{Groups: "groups", AnyGroup: []string{"a", ""}}, "a group without a name"},
		{Options{Allow: "session.a =="}, "allow: "},
		{Options{LoginHosts: []string{"a"}}, "login hosts without a login page"},
		{Options{Login: "javascript:alert(1)"}, "login: "},
		{header(Header{Path: "a"}), `identity: policy users: header "": a header without a name`},
		{header(Header{Name: "Remote_User", Path: "a"}), `'_' in the name`},
		{header(Header{Name: "Remote-User\r\nX", Path: "a"}), `'\r' in the name`},
		{header(Header{Name: "Cookie", Path: "a"}), "Cookie is not for a policy to set"},
		{header(Header{Name: "transfer-encoding", Path: "a"}), "Transfer-Encoding is not for a policy to set"},
		{header(Header{Name: "x-forwarded-for", Path: "a"}), "X-Forwarded-For is not for a policy to set"},
		{header(Header{Name: "A", Path: "_id"}), "secret"},
		{header(Header{Name: "A", Path: "a", Encode: "latin1"}), `encode "latin1"`},
		{header(Header{Name: "A", Path: "a", Join: "x"}), `'x' may be in a member`},
		{header(Header{Name: "A", Path: "a", Join: "\n"}), `'\n' may be in a member`},
		{header(Header{Name: "A", Path: "a", Join: "%", Encode: "percent"}), `'%' may be in a member`},
		{header(Header{Name: "A", Path: "a", Join: "=", Encode: "base64"}), `'=' may be in a member`},
		{header(Header{Name: "A", Path: "a", Join: ",,,,,,,,,"}), `more than 8`},
		{header(Header{Name: "A", Path: "a", Default: "a\nb"}), "default: it has control characters"},
		{header(Header{Name: "A", Path: "a", Default: "ü"}), "default: it is not ASCII"},
		{Options{Headers: []Header{{Name: "A-B", Path: "a"}, {Name: "a-b", Path: "b"}}}, "A-B is set twice"},
		{Options{Assertion: &Assertion{}}, "assertion: no signer"},
	} {
		_, err := New(c.o)
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, c.want)
	}
}

// One text is one group, to who reads the header, too.
func TestOneGroupStaysOne(t *testing.T) {
	groups := []Header{{Name: "X-Groups", Path: "groups"}, {Name: "X-Tags", Path: "tags", Join: ";"}, {Name: "X-Title", Path: "tags"}}
	p := policy(t, Options{Groups: "groups", AnyGroup: []string{"staff,admin", "a"}, Headers: groups})
	d := p.Decide(page(), see(t, values{"groups": "staff,admin", "tags": "a;b"}), nil)
	require.Equal(t, 200, d.Status)
	require.Equal(t, http.Header{"X-Title": {"a;b"}}, d.Header)
	require.Contains(t, d.Reason, "X-Groups is left out")
	require.Contains(t, d.Reason, "X-Tags is left out")
	d = p.Decide(page(), see(t, values{"groups": "a", "tags": "a,b"}), nil)
	require.Equal(t, http.Header{"X-Groups": {"a"}, "X-Tags": {"a,b"}, "X-Title": {"a,b"}}, d.Header)
}

func TestLooksAt(t *testing.T) {
	for source, want := range map[string]string{
		"": "", `session.a == 1`: "", `request.method == "GET"`: "method", `request.header("A") == request.host`: "host header",
		`[request][0].method == "GET"`: "method host path header", `request.path startsWith "/a" or now.Unix() > 5`: "path",
	} {
		p := policy(t, Options{Allow: source})
		var got []string
		for _, part := range []string{"method", "host", "path", "header"} {
			if p.LooksAt(part) {
				got = append(got, part)
			}
		}
		require.Equal(t, strings.Fields(want), append([]string{}, got...), source)
	}
}

func TestNames(t *testing.T) {
	s, _ := signer(t, ed25519PEM(t))
	p := policy(t, Options{
		Name:      "users",
		Headers:   []Header{{Name: "remote-user", Path: "user_id"}, {Name: "X-GROUPS", Path: "groups"}},
		Assertion: &Assertion{Signer: s, Audience: "app", Subject: "user_id"},
		Now:       func() time.Time { return time.Unix(1700000000, 0) },
	})
	require.Equal(t, "users", p.Name())
	require.Equal(t, []string{"Remote-User", "X-Groups", "X-Gobeaker-Assertion"}, p.Names())
}
