package iniconf

import (
	"slices"

	"github.com/gobeaker/gobeaker/compat"
)

// keywordsOf takes a filter's settings without a prefix: they are keyword arguments of
// SessionMiddleware, which replace everything else after the coercion of it.
func (s *sessionSettings) keywordsOf(local *table) {
	for _, set := range local.items {
		if _, _, prefixed := bareName(set.Key); prefixed {
			continue
		}
		if _, cache := cacheName(set.Key); cache {
			continue
		}
		s.keywords = append(s.keywords, set.Key)
		s.put(set.Key, set)
	}
}

// keyword reports whether an option is a keyword argument, and warns if Beaker would
// coerce it anywhere else.
func (c *coercer) keyword(set Setting) bool {
	if !slices.Contains(c.keywords, set.Key) {
		return false
	}
	if needsCoercion(set.Key) {
		reading := "gobeaker reads it as it is written"
		if c.booleans == BoolAsBeaker {
			reading = "gobeaker reads it as Beaker does"
		}
		c.warn(CodeKeywordText, set, "without a prefix Beaker takes it for text and does not coerce it; %s. Write session.%s", reading, set.Key)
	}
	return true
}

// applyKeyword does what Beaker does with an option that it has as text
// (beaker/session.py: Session, CookieSession).
func (c *coercer) applyKeyword(r OptionInfo, set Setting) error {
	hint := "without a prefix it is text to Beaker; write session." + set.Key
	switch r.Type {
	case TypeBool:
		return r.set(&c.out, set.Value != "")
	case TypeExpires:
		c.later(set, "Invalid argument for cookie_expires", hint)
		return nil
	case TypeInt:
		c.later(set, "TypeError: not all arguments converted during string formatting", hint)
		return nil
	case TypeSeconds:
		// To Python 2 every number is less than a text.
		if c.dialect == Python2 && (c.cookieOnly() || c.before(since1100)) {
			c.out.Timeout = compat.NoTimeout
			return nil
		}
		c.later(set, "TypeError: str and no number", hint)
		return nil
	}
	return c.takeText(r, set)
}
