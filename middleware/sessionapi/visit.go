package sessionapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
)

// writeTimeout limits the time to change a session, however often others are faster. It
// is not the request's own context that does: a client that leaves does not undo what
// was done for it.
const writeTimeout = 10 * time.Second

// isBeakers reports whether Beaker keeps a key for itself, in every session.
func isBeakers(key string) bool {
	switch key {
	case accessedKey, "_creation_time", "_domain", "_path", "_expires", "_id":
		return true
	}
	return false
}

const accessedKey = "_accessed_time"

// without returns the entries of a session but for some keys.
func without(v *compat.View, skip func(key string) bool) *pyvalue.Dict {
	d := &pyvalue.Dict{}
	for k, value := range v.All() {
		if name, ok := pyvalue.Text(k); ok && skip(name) {
			continue
		}
		d.Put(k, value)
	}
	return d
}

// lines returns the Set-Cookie lines that the answer needs for the session.
func lines(o *compat.SessionObject) []string {
	if cookie, ok := o.SetCookie(); ok {
		return []string{strings.TrimPrefix(cookie, " ")}
	}
	return nil
}

// named splits the entries of a session into those that have a name in JSON and all
// others, so that what is told as "session" is an object of names, whatever is in it: a
// service that hands it back must not write an envelope into it.
func named(all *pyvalue.Dict) (names, others *pyvalue.Dict) {
	names, others = &pyvalue.Dict{}, &pyvalue.Dict{}
	for k, value := range all.All() {
		if name, ok := pyvalue.Text(k); ok && name != taggedjson.Envelope {
			names.Put(k, value)
		} else {
			others.Put(k, value)
		}
	}
	return names, others
}

// tell answers with a session.
func tell(c *call, out outcome) (*answer, error) {
	v := out.view
	values := without(v, isBeakers)
	var body []byte
	var err error
	switch types := c.URL.Query().Get("types"); types {
	case "", "plain":
		names, others := named(values)
		body, err = taggedjson.AppendPlain([]byte(`{"session":`), names)
		if err == nil && others.Len() > 0 {
			body, err = taggedjson.AppendPlain(append(body, `,"other":`...), others)
		}
	case "tagged":
		body, err = taggedjson.Append([]byte(`{"session":`), values, taggedjson.Guess(values))
	default:
		return nil, badRequest.problem("types is plain or tagged.")
	}
	if err != nil {
		return nil, notRepresentable.problem("")
	}
	body = fmt.Appendf(body, `,"new":%t`, !out.exists)
	if at, ok := v.Created(); ok && out.exists {
		body = at.AppendFormat(append(body, `,"created":"`...), time.RFC3339Nano+`"`)
	}
	ans := &answer{status: http.StatusOK, header: http.Header{}}
	if out.exists {
		tag, err := etag(out.id, v)
		if err != nil {
			return nil, err
		}
		ans.header["Etag"] = []string{tag}
		if at, ok := v.LastAccessed(); ok {
			ans.header["Session-Accessed"] = []string{at.UTC().Format(http.TimeFormat)}
		}
	}
	return ans.finish(body, out.cookies)
}

// finish completes an answer with the Set-Cookie lines, as a member of the JSON, which
// is still open, and as headers.
func (ans *answer) finish(open []byte, cookies []string) (*answer, error) {
	if cookies == nil {
		cookies = []string{}
	}
	list, err := json.Marshal(cookies)
	if err != nil {
		return nil, err
	}
	ans.body = append(append(append(open, `,"set_cookie":`...), list...), "}\n"...)
	ans.header["Content-Type"] = []string{typeJSON}
	if len(cookies) > 0 {
		ans.header["Set-Cookie"] = cookies
	}
	return ans, nil
}

// answered completes an answer that does not tell the session.
func answered(members map[string]any, cookies []string) (*answer, error) {
	body, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	ans := &answer{status: http.StatusOK, header: http.Header{}}
	return ans.finish(body[:len(body)-1], cookies)
}

// get reads the session, and counts as no use of it.
func (a *api) get(c *call) (*answer, error) {
	on, err := conditionsOf(c.Header)
	if err != nil {
		return nil, err
	}
	object, done := a.sessions.Open(c.Request)
	defer a.closed(c, done)
	view, err := object.Peek(c.Context())
	if err != nil {
		return nil, err
	}
	id, _ := object.ID()
	ans, err := tell(c, outcome{id: id, view: view, exists: !view.IsNew()})
	if err != nil {
		return nil, err
	}
	ans.header["Cache-Control"] = []string{"private, no-cache"}
	ans.header["Vary"] = []string{"Cookie, Authorization"}
	tag := ans.header.Get("Etag")
	if !on.match(tag) {
		return nil, changed.problem("")
	}
	if on.noneMatch != nil && on.noneMatch.has(tag, false) {
		delete(ans.header, "Content-Type")
		ans.status, ans.body = http.StatusNotModified, nil
	}
	return ans, nil
}

func (a *api) closed(c *call, done func() error) {
	if err := done(); err != nil {
		a.log.ErrorContext(c.Context(), "session API: lock could not be released", "error", err)
	}
}

// change is what an operation does to a loaded session. It returns the keys of what was
// there that the result depends on, and must not change a value in place.
type change func(s *compat.Session) (dependsOn []string, err error)

// errOvertaken: somebody has changed a key meanwhile that the result depends on.
var errOvertaken = errors.New("others change the session all the time")

// outcome is a session as an answer tells it.
type outcome struct {
	id      string
	view    *compat.View
	exists  bool
	cookies []string
}

// write changes the session of a request, as the package's documentation says.
func (a *api) write(c *call, do change) (outcome, error) {
	on, err := conditionsOf(c.Header)
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), writeTimeout)
	defer cancel()
	for {
		out, err := a.attempt(ctx, c, on, do)
		if !errors.Is(err, errOvertaken) {
			return out, err
		}
		if ctx.Err() != nil {
			return out, errors.Join(err, ctx.Err())
		}
	}
}

func (a *api) attempt(ctx context.Context, c *call, on conditions, do change) (out outcome, err error) {
	object, done := a.sessions.Open(c.Request)
	defer a.closed(c, done)
	s, err := object.Session(ctx)
	if err != nil {
		return out, err
	}
	before, err := object.Peek(ctx)
	if err != nil {
		return out, err
	}
	c.began = before.IsNew()
	id, _ := object.ID() // as a GET has it
	tag := ""
	if on.any() && !before.IsNew() {
		if tag, err = etag(id, before); err != nil {
			return out, err
		}
	}
	if !on.hold(tag) {
		return out, changed.problem("")
	}
	dependsOn, err := do(s)
	if err != nil {
		return out, err
	}
	if err := a.fits(ctx, before, object); err != nil {
		return out, err
	}
	err = s.PersistIf(ctx, func(now *compat.View) error {
		return stillHolds(on, id, tag, dependsOn, before, now)
	})
	if err != nil {
		return out, err
	}
	// What was written is what the next one reads; a JSON serializer, for example,
	// makes lists of tuples.
	if err := s.Revert(); err != nil {
		return out, err
	}
	if out.view, err = object.Peek(ctx); err != nil {
		return out, err
	}
	out.id, out.cookies = s.ID(), lines(object)
	// A session that this request has begun is there once it was saved, by us or by the
	// option auto; its cookie tells.
	out.exists = !s.IsNew() || s.Dirty() || len(out.cookies) > 0 && !s.WasInvalidated()
	return out, nil
}

// stillHolds is asked under the lock, about the session as it is stored now.
func stillHolds(on conditions, id, tag string, dependsOn []string, before, now *compat.View) error {
	if on.any() {
		found := ""
		if !now.IsNew() {
			var err error
			if found, err = etag(id, now); err != nil {
				return err
			}
		}
		if found != tag {
			return changed.problem("")
		}
	}
	if now.IsNew() {
		return sessionEnded.problem("Nothing was written. Asked again, the same request begins a new session.")
	}
	for _, key := range dependsOn {
		if !sameUnder(key, before, now) {
			return errOvertaken
		}
	}
	return nil
}

// sameUnder reports whether two looks at a session find the same under a key.
func sameUnder(key string, a, b *compat.View) bool {
	x, ok1 := a.Get(key)
	y, ok2 := b.Get(key)
	if !ok1 || !ok2 {
		return ok1 == ok2
	}
	p, err1 := canonical(x)
	q, err2 := canonical(y)
	return err1 == nil && err2 == nil && string(p) == string(q)
}

// maxKeys is how many keys a session is let grow to.
const maxKeys = 1000

// fits refuses a session that has become larger and is too large.
func (a *api) fits(ctx context.Context, before *compat.View, object *compat.SessionObject) error {
	after, err := object.Peek(ctx)
	if err != nil {
		return err
	}
	then, now := without(before, isBeakers), without(after, isBeakers)
	if n := now.Len(); n > maxKeys && n > then.Len() {
		p := tooManyKeys.problem("")
		p.Limit = maxKeys
		return p
	}
	dump, err := pickle.Append(nil, now, pickle.DefaultProtocol)
	if err != nil || len(dump) <= a.maxSession { // an error is the serializer's to tell
		return nil
	}
	if old, err := pickle.Append(nil, then, pickle.DefaultProtocol); err == nil && len(dump) <= len(old) {
		return nil
	}
	p := sessionTooLarge.problem("")
	p.Size, p.Limit, p.Largest = len(dump), a.maxSession, keySizes(beakerfmt.LargestKeys(now))
	return p
}
