package compat

import (
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// cookieState is what Beaker keeps in request['cookie_out'] and
// request['set_cookie']: a header goes out if there is a text and the flag is
// up. The text itself is made at the end, unless a delete froze it.
type cookieState struct {
	ready  bool
	send   bool
	frozen *beakerfmt.SetCookie
	made   *beakerfmt.SetCookie // of a cookie-only session, by Persist
	attrs  cookieAttrs
}

// cookieAttrs are the attributes that a handler set for this session alone.
type cookieAttrs struct {
	// domain is the last one with which the cookie of a session in a store was due.
	// It outlives an invalidate, as in Beaker: without it the browser would keep the
	// old cookie beside the new one.
	domain           string
	secure, httpOnly *bool
	sameSite         *string
}

// freeze keeps the cookie that takes the present one away: the same value with
// a date of a year ago (Beaker: Session._delete_cookie).
func (c *cookieState) freeze(attrs beakerfmt.SetCookie, value string, now time.Time) {
	attrs.Value = value
	attrs.Expires = beakerfmt.FormatExpires(now.AddDate(0, 0, -365))
	c.frozen = &attrs
	c.ready, c.send = true, true
}

// attributeRoom is about what the attributes of a cookie need.
const attributeRoom = 128

// setCookie returns the text of the header (Beaker: Session._set_cookie_values
// and the middleware's session_start_response).
func (s *Session) setCookie() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		return "", false
	}
	c, needed := s.m.home.cookie(s)
	if !needed {
		return "", false
	}
	if s.m.signer != nil {
		signed := make([]byte, 0, beakerfmt.SignatureLen+len(c.Value))
		c.Value = string(s.m.signer.Append(signed, c.Value))
	}
	text := make([]byte, 0, len(c.Name)+len(c.Value)+len(c.Domain)+len(c.Path)+attributeRoom)
	return string(c.Append(text, s.m.opts.Peer.dialect())), true
}

// cookieAttributes are those of a session with these values: stored domain and
// path override the configuration (Beaker: Session.domain, Session.path).
func (s *Session) cookieAttributes(values *pyvalue.Dict) beakerfmt.SetCookie {
	o := &s.m.opts
	at := s.m.placeOf(values)
	c := beakerfmt.SetCookie{
		Name:     o.Key,
		Domain:   at.domain,
		Path:     at.path,
		Secure:   either(s.cookie.attrs.secure, o.Secure),
		HTTPOnly: either(s.cookie.attrs.httpOnly, o.HTTPOnly),
		Unsigned: s.m.signer == nil,
	}
	if c.Domain == "" {
		c.Domain = s.cookie.attrs.domain
	}
	if s.m.sendsSameSite() {
		c.SameSite = either(s.cookie.attrs.sameSite, o.SameSite)
	}
	return c
}

// placeOf is where the cookie of a session with these values is.
func (m *Manager) placeOf(values *pyvalue.Dict) place {
	return place{textOf(values, keyDomain, m.opts.CookieDomain), textOf(values, keyPath, m.path())}
}

// path is that of sessions that have none of their own. The cookie_path of
// cookie-only ones counts since they keep it (Beaker: CookieSession._create_cookie).
func (m *Manager) path() string {
	if m.opts.cookieOnly() && !m.era.ConfigKeys {
		return "/"
	}
	return m.opts.CookiePath
}

// sendsSameSite reports whether the peer's cookies of this kind have that attribute.
func (m *Manager) sendsSameSite() bool {
	if m.opts.cookieOnly() {
		return m.era.CookieSameSite
	}
	return m.era.ServerSameSite
}

func either[T any](own *T, otherwise T) T {
	if own != nil {
		return *own
	}
	return otherwise
}

// textOf returns a stored text attribute. None means none; one that would break
// the header counts as not there.
func textOf(values *pyvalue.Dict, key, otherwise string) string {
	v, ok := values.GetStr(key)
	if !ok {
		return otherwise
	}
	if _, none := v.(pyvalue.None); none {
		return ""
	}
	t, ok := pyvalue.Text(v)
	if !ok || checkAttribute(key, t) != nil {
		return otherwise
	}
	return t
}

// format gives the "expires" attribute, "" for none (Beaker:
// Session._set_cookie_expires). "Never" is true GMT, where Beaker prints local time.
func (e CookieExpires) format(now time.Time) string {
	switch e.Mode {
	case ExpiresNever:
		return beakerfmt.FormatExpires(time.Unix(0x7FFFFFFF, 0))
	case ExpiresAfter:
		return beakerfmt.FormatExpires(now.Add(e.After))
	case ExpiresAt:
		return beakerfmt.FormatExpires(e.At)
	}
	return ""
}

// Domain returns the cookie domain of this session, "" for none.
func (s *Session) Domain() string {
	defer s.enter()()
	return s.m.placeOf(s.values).domain
}

// Path returns the cookie path of this session.
func (s *Session) Path() string {
	defer s.enter()()
	return s.m.placeOf(s.values).path
}

// SetDomain sets the cookie domain of this session and sends the cookie again.
// Save keeps it. What the browser has under another domain stays there, as with
// Beaker, and a later Delete reaches only the one that it is sent. Control characters
// and semicolons are an error.
func (s *Session) SetDomain(domain string) error { return s.setAttribute(keyDomain, domain) }

// SetPath sets the cookie path of this session and sends the cookie again.
// Save keeps it. What the browser has under another path stays there, as with
// SetDomain. Control characters and semicolons are an error.
func (s *Session) SetPath(path string) error { return s.setAttribute(keyPath, path) }

func (s *Session) setAttribute(key, v string) error {
	if err := checkAttribute(key, v); err != nil {
		return err
	}
	defer s.enter()()
	s.changing()
	s.values.SetStr(key, pyvalue.Str(v))
	s.m.home.due(s)
	return nil
}

// SetSecure sets the Secure attribute of this session's cookie, if one goes out.
func (s *Session) SetSecure(on bool) {
	defer s.enter()()
	s.cookie.attrs.secure = &on
}

// SetHTTPOnly sets the HttpOnly attribute of this session's cookie, if one goes out.
func (s *Session) SetHTTPOnly(on bool) {
	defer s.enter()()
	s.cookie.attrs.httpOnly = &on
}

// SetSameSite sets the SameSite attribute of this session's cookie, if one
// goes out; "" leaves it out. Control characters and semicolons are an error.
func (s *Session) SetSameSite(v string) error {
	if err := checkAttribute("samesite", v); err != nil {
		return err
	}
	defer s.enter()()
	s.cookie.attrs.sameSite = &v
	return nil
}
