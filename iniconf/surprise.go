package iniconf

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/compat"
)

// surprises warns of values that Beaker takes and that hardly do what is meant.
func (c *coercer) surprises() {
	c.checkSameSite()
	c.checkExpiry()
	c.checkWords()
}

// notice warns about an option that is set in the file.
func (c *coercer) notice(code, name, format string, args ...any) {
	if set, ok := c.opts.get(name); ok {
		c.warnAbout(code, name, c.asWritten(set), format, args...)
	}
}

func (c *coercer) checkSameSite() {
	switch value := c.out.SameSite; strings.ToLower(value) {
	case "lax", "strict":
	case "":
		c.notice(CodeSameSiteEmpty, "samesite", "empty: the cookie has no SameSite attribute, and each browser decides by itself")
	case "none":
		if !c.out.Secure {
			c.notice(CodeSameSiteInsecure, "samesite", "browsers drop a cookie with SameSite=None that is not Secure; set secure = true")
		}
	default:
		c.notice(CodeSameSiteUnknown, "samesite", "Beaker sends %s as it stands, and browsers know Lax, Strict and None only", c.shown("samesite", value))
	}
}

// checkExpiry compares the browser's clock with the session's. The cookie of a
// server-side session is sent when the session begins, and not again.
func (c *coercer) checkExpiry() {
	e := c.out.CookieExpires
	if e.Mode != compat.ExpiresAfter {
		return
	}
	after := fmt.Sprintf("%d", e.After/time.Second)
	switch {
	case c.out.Type == "cookie":
		if c.out.Timeout > e.After {
			c.notice(CodeCookieEndsFirst, "timeout", "the cookie is gone %s seconds after its last use (cookie_expires), so the longer timeout never comes to bear", after)
		}
	case c.out.Timeout > e.After:
		c.notice(CodeCookieEndsFirst, "timeout", "longer than cookie_expires: the browser forgets the cookie %s seconds after the session began, even while it is in use", after)
	default:
		c.notice(CodeCookieEndsFirst, "cookie_expires", "Beaker sends the cookie when the session begins and does not renew it: everybody is logged out %s seconds later, even in the middle of work", after)
	}
}

// checkWords: words that mean "none" to people are keys and paths to Beaker.
func (c *coercer) checkWords() {
	none := []string{"none", "null", "nil", "false", "no", "off", `""`, "''"}
	for _, name := range []string{"secret", "validate_key", "encrypt_key", "data_dir", "lock_dir", "file_dir", "cookie_domain", "cookie_path", "url"} {
		set, ok := c.opts.get(name)
		if !ok || set.Value == "None" && name != "file_dir" && name != "url" { // already said
			continue
		}
		if slices.Contains(none, strings.ToLower(c.dialect.strip(set.Value))) {
			c.warn(CodeNoneIsText, c.asWritten(set), "Beaker takes this word as it stands, not for nothing; remove the line to leave the option unset")
		}
	}
}
