package identity

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

// ErrConfig is wrapped by every error of [New] and [NewSigner].
var ErrConfig = errors.New("bad identity configuration")

// Options are the options of [New].
type Options struct {
	// Name is what the policy is called in logs.
	Name string
	// Require are paths of session values that must be there and be true to Python:
	// "user_id", or "user.email" for a key of a dict in the session.
	Require []string
	// Groups is the path of the visitor's groups (a list, tuple, set or text, which is one
	// group), and AnyGroup those of which they must have one; nil: no group is needed.
	Groups   string
	AnyGroup []string
	// Allow is an expression of expr-lang that must be true, as in
	// `session.role == "editor" and request.method != "DELETE"`; "": none.
	Allow string

	// Headers are set on the request to the application; of an absent value there is no
	// header.
	Headers []Header
	// Assertion adds a signed JWT; nil: none.
	Assertion *Assertion

	// Login is where a browser that asks for a page is sent if it has no session that
	// will do: a URL, or an absolute path, in which {url} is the page's URL, escaped, as in
	// "https://login.example.org/?came_from={url}"; "": 401. LoginHosts are where
	// that page may be: names with the port if it is not the scheme's own, or
	// "*.example.org" for all below; none: the host of the request itself.
	Login      string
	LoginHosts []string

	// Now is the clock of assertions and expressions; nil: time.Now.
	Now func() time.Time
}

// Policy is a compiled policy. It is safe for concurrent use.
type Policy struct {
	name      string
	require   []sessionvalue.Path
	groups    sessionvalue.Path
	anyGroup  []string
	allow     *expression
	headers   []header
	assertion *assertion
	login     *login
	names     []string
	now       func() time.Time
}

// New checks the options and compiles the policy. Its errors wrap [ErrConfig].
func New(o Options) (*Policy, error) {
	p, err := compile(o)
	if err != nil {
		name := "identity: policy"
		if o.Name != "" {
			name += " " + o.Name
		}
		return nil, fmt.Errorf("%s: %w: %w", name, err, ErrConfig)
	}
	return p, nil
}

func compile(o Options) (*Policy, error) {
	p := &Policy{name: o.Name, anyGroup: slices.Clone(o.AnyGroup), now: o.Now}
	if p.now == nil {
		p.now = time.Now
	}
	var err error
	for _, text := range o.Require {
		wanted, err := sessionvalue.ParsePath(text)
		if err != nil {
			return nil, fmt.Errorf("require: %w", err)
		}
		p.require = append(p.require, wanted)
	}
	if err := p.compileGroups(o); err != nil {
		return nil, err
	}
	if o.Allow != "" {
		if p.allow, err = compileExpression(o.Allow); err != nil {
			return nil, fmt.Errorf("allow: %w", err)
		}
	}
	for _, h := range o.Headers {
		if err := p.addHeader(h); err != nil {
			return nil, err
		}
	}
	if o.Assertion != nil {
		if p.assertion, err = newAssertion(*o.Assertion, p.isRequired); err != nil {
			return nil, fmt.Errorf("assertion: %w", err)
		}
		if err := p.addName(p.assertion.header); err != nil {
			return nil, fmt.Errorf("assertion: %w", err)
		}
	}
	if o.Login == "" && len(o.LoginHosts) > 0 {
		return nil, errors.New("login hosts without a login page")
	}
	if o.Login != "" {
		if p.login, err = newLogin(o.Login, o.LoginHosts); err != nil {
			return nil, fmt.Errorf("login: %w", err)
		}
	}
	return p, nil
}

func (p *Policy) compileGroups(o Options) (err error) {
	switch {
	case o.AnyGroup != nil && len(o.AnyGroup) == 0:
		return errors.New("any group: a list without a group lets nobody in: name one, or leave the list out")
	case o.Groups == "" && o.AnyGroup == nil:
		return nil
	case o.Groups == "":
		return errors.New("any group: say in groups where the session has them")
	case o.AnyGroup == nil:
		return errors.New("groups: say in any group which of them may come in")
	case slices.Contains(o.AnyGroup, ""):
		return errors.New("any group: a group without a name")
	}
	if p.groups, err = sessionvalue.ParsePath(o.Groups); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	return nil
}

func (p *Policy) addHeader(o Header) error {
	h, err := newHeader(o)
	if err == nil {
		err = p.addName(h.name)
	}
	if err != nil {
		return fmt.Errorf("header %q: %w", o.Name, err)
	}
	h.required = p.isRequired(h.path)
	h.list = h.list || len(p.anyGroup) > 0 && p.groups.Equal(h.path)
	p.headers = append(p.headers, h)
	return nil
}

func (p *Policy) isRequired(wanted sessionvalue.Path) bool {
	return slices.ContainsFunc(p.require, wanted.Equal)
}

// addName refuses two headers that an application could not tell apart.
func (p *Policy) addName(name string) error {
	if slices.ContainsFunc(p.names, func(n string) bool { return sameName(n, name) }) {
		return fmt.Errorf("%s is set twice", name)
	}
	p.names = append(p.names, name)
	return nil
}

// Name is the name of the policy.
func (p *Policy) Name() string { return p.name }

// Names are the names of all headers that the policy may set, in canonical form. Delete
// them from what a client sends, with [Delete].
func (p *Policy) Names() []string { return slices.Clone(p.names) }

// AssertionHeader is the name of the header with the assertion, "" if there is none.
func (p *Policy) AssertionHeader() string {
	if p.assertion == nil {
		return ""
	}
	return p.assertion.header
}

// LooksAt reports whether the expression of the policy looks at a part of the request:
// "method", "host", "path", "header" and so on, as it is called there.
func (p *Policy) LooksAt(part string) bool {
	return p.allow != nil && p.allow.looksAt(part)
}

// Decision is what a policy says of a request.
type Decision struct {
	// Status is 200, 302, 401, 403 or 503.
	Status int
	// Location is where a 302 leads.
	Location string
	// Header holds what the application is told, if the status is 200.
	Header http.Header
	// Reason says in words for the log why it is not 200, or what could not be told;
	// nothing of the session is in it.
	Reason string
	// Err is why a session could not be read, or an assertion not be signed.
	Err error
}

// Request is what a policy looks at beside the session. Behind a forward-auth proxy it is
// not the request that came here, but the one that the proxy asks about.
type Request struct {
	// Host is the one by which it was found which policy counts, with the port.
	Method, Scheme, Host string
	// PageHost is the host of the page as the browser knows it, with the port, which the
	// login page is told; "": Host. They differ behind proxies that change the Host.
	PageHost string
	// URI is the path and the query as they came, encoded: "/a%20b?c=d".
	URI string
	// Header is what request.header of an expression sees: [Delete] first what a client has
	// no business to send.
	Header http.Header
	// Client is the client's address as text, "" if it is not known.
	Client string
	// Page: a browser asks for a page, and may be sent elsewhere; see [IsPage].
	Page bool
}

// Decide decides by a session. err is what [middleware.Peek] returned with it: a store
// that is down is 503, never 401.
//
// [middleware.Peek]: https://pkg.go.dev/github.com/gobeaker/gobeaker/middleware#Peek
func (p *Policy) Decide(r *Request, v *compat.View, err error) Decision {
	if err == nil && v == nil {
		err = errors.New("identity: decide: neither a session nor an error")
	}
	if err != nil {
		return Decision{Status: http.StatusServiceUnavailable, Reason: "the session cannot be read", Err: err}
	}
	if reason := p.nobody(v); reason != "" {
		return p.unauthorized(r, reason)
	}
	if reason, known := p.refused(r, v); reason != "" {
		if !known {
			return p.unauthorized(r, reason)
		}
		return Decision{Status: http.StatusForbidden, Reason: reason}
	}
	return p.tell(v)
}

// nobody returns why the session is nobody's, "" if it will do.
func (p *Policy) nobody(v *compat.View) string {
	for _, wanted := range p.require {
		if v.IsNew() {
			return "there is no session"
		}
		value, ok := wanted.Find(v)
		switch {
		case !ok:
			return wanted.String() + " is not there"
		case !sessionvalue.True(value):
			return wanted.String() + " is not true"
		}
	}
	return ""
}

// refused returns why somebody may not come in; known: it is known who they are, as far as
// this policy asks for it, so that logging in would not help.
func (p *Policy) refused(r *Request, v *compat.View) (reason string, known bool) {
	if len(p.anyGroup) > 0 {
		groups, ok := p.groups.Find(v)
		if !ok || sessionvalue.IsNone(groups) {
			return p.groups.String() + " is not there", len(p.require) > 0
		}
		if !inAnyGroup(groups, p.anyGroup) {
			return "in none of the groups", true
		}
	}
	if p.allow != nil {
		if reason := p.allow.refuses(r, v, p.now()); reason != "" {
			return "allow: " + reason, !v.IsNew()
		}
	}
	return "", true
}

// inAnyGroup reports whether groups, members or one text, has one of wanted.
func inAnyGroup(groups pyvalue.Value, wanted []string) bool {
	is := func(v pyvalue.Value) bool {
		switch v.(type) {
		case pyvalue.Str, pyvalue.Py2Str, pyvalue.Bytes, *pyvalue.Int:
			text, err := sessionvalue.Text(v, maxLine)
			return err == nil && slices.Contains(wanted, text)
		}
		return false
	}
	if members, ok := sessionvalue.Members(groups); ok {
		return slices.ContainsFunc(members, is)
	}
	return is(groups)
}

func (p *Policy) unauthorized(r *Request, reason string) Decision {
	d := Decision{Status: http.StatusUnauthorized, Reason: reason}
	if p.login == nil || !r.Page || !mayRedirect(r.Method) {
		return d
	}
	location, err := p.login.location(r)
	if err != nil {
		d.Reason += "; no way to the login page: " + err.Error()
		return d
	}
	d.Status, d.Location = http.StatusFound, location
	return d
}

// tell makes the decision of somebody who may come in.
func (p *Policy) tell(v *compat.View) Decision {
	d := Decision{Status: http.StatusOK}
	if len(p.names) == 0 {
		return d
	}
	d.Header = make(http.Header, len(p.names))
	values := make([]string, len(p.headers)) // one allocation for all of them
	for i := range p.headers {
		h := &p.headers[i]
		text, err := h.value(v)
		switch {
		case err != nil && h.required:
			return cannotTell(h.name, err)
		case err != nil:
			d.leftOut(h.name, err)
		case text != "":
			values[i] = text
			d.Header[h.name] = values[i : i+1 : i+1]
		}
	}
	if p.assertion != nil {
		p.assert(&d, v)
	}
	return d
}

func (p *Policy) assert(d *Decision, v *compat.View) {
	a := p.assertion
	claims, err := a.claims(v, d)
	if err == nil && claims == nil {
		return // of nobody there is nothing to assert
	}
	var token string
	if err == nil {
		if token, err = a.token(claims, p.now()); err != nil {
			*d = Decision{Status: http.StatusServiceUnavailable, Reason: "the assertion cannot be signed", Err: err}
			return
		}
		if len(a.header)+len(": ")+len(token) > maxLine {
			err = sessionvalue.ErrTooLong
		}
	}
	switch {
	case err == nil:
		d.Header[a.header] = []string{token}
	case a.required:
		*d = cannotTell(a.header, err)
	default:
		d.leftOut(a.header, err)
	}
}

func cannotTell(name string, err error) Decision {
	return Decision{Status: http.StatusForbidden, Reason: "a required value cannot be told: " + name + ": " + err.Error()}
}

func (d *Decision) leftOut(name string, err error) {
	var b strings.Builder
	if d.Reason != "" {
		b.WriteString(d.Reason + "; ")
	}
	b.WriteString(name + " is left out: " + err.Error())
	d.Reason = b.String()
}
