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
	attrs  cookieAttrs
}

// cookieAttrs are the attributes that a handler set for this session alone.
type cookieAttrs struct {
	// domain is the last one with which a cookie was due. It outlives an
	// invalidate, as in Beaker: without it the browser would keep the old cookie
	// beside the new one.
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

// setCookie returns the text of the header (Beaker: Session._set_cookie_values
// and the middleware's session_start_response).
func (s *Session) setCookie() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.cookies || !s.used || !s.cookie.ready || !s.cookie.send {
		return "", false
	}
	c := s.cookieAttributes()
	c.Value = s.id
	c.Expires = s.m.opts.CookieExpires.format(s.m.now())
	if s.cookie.frozen != nil {
		c = *s.cookie.frozen
	}
	if s.m.secrets != nil {
		c.Value = string(beakerfmt.AppendSigned(nil, s.m.secrets[0], c.Value))
	}
	return string(c.Append(nil, s.m.opts.Peer.dialect())), true
}

// cookieAttributes are those of this session: stored domain and path override
// the configuration (Beaker: Session.domain, Session.path).
func (s *Session) cookieAttributes() beakerfmt.SetCookie {
	o := &s.m.opts
	c := beakerfmt.SetCookie{
		Name:     o.Key,
		Domain:   s.text(keyDomain, o.CookieDomain),
		Path:     s.text(keyPath, o.CookiePath),
		Secure:   either(s.cookie.attrs.secure, o.Secure),
		HTTPOnly: either(s.cookie.attrs.httpOnly, o.HTTPOnly),
		Unsigned: s.m.secrets == nil,
	}
	if c.Domain == "" {
		c.Domain = s.cookie.attrs.domain
	}
	if o.Peer.since(10) {
		c.SameSite = either(s.cookie.attrs.sameSite, o.SameSite)
	}
	return c
}

func either[T any](own *T, otherwise T) T {
	if own != nil {
		return *own
	}
	return otherwise
}

// text returns a stored text attribute. None means none; one that would break
// the header counts as not there.
func (s *Session) text(key, otherwise string) string {
	v, ok := s.values.GetStr(key)
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
	return s.text(keyDomain, s.m.opts.CookieDomain)
}

// Path returns the cookie path of this session.
func (s *Session) Path() string {
	defer s.enter()()
	return s.text(keyPath, s.m.opts.CookiePath)
}

// SetDomain sets the cookie domain of this session and sends the cookie again.
// Save keeps it. Control characters and semicolons are an error.
func (s *Session) SetDomain(domain string) error { return s.setAttribute(keyDomain, domain) }

// SetPath sets the cookie path of this session and sends the cookie again.
// Save keeps it. Control characters and semicolons are an error.
func (s *Session) SetPath(path string) error { return s.setAttribute(keyPath, path) }

func (s *Session) setAttribute(key, v string) error {
	if err := checkAttribute(key, v); err != nil {
		return err
	}
	defer s.enter()()
	s.changing()
	s.values.SetStr(key, pyvalue.Str(v))
	s.dueCookie()
	return nil
}

// dueCookie has the cookie sent (Beaker: Session._update_cookie_out).
func (s *Session) dueCookie() {
	s.cookie.ready, s.cookie.send = true, true
	if d := s.text(keyDomain, s.m.opts.CookieDomain); d != "" {
		s.cookie.attrs.domain = d
	}
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
