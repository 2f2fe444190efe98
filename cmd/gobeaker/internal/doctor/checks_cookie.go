package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
)

func cookieChecks() []Check {
	return []Check{
		{"cookie-not-secure", Warning, "The cookie is sent over plain HTTP, too",
			"Without the attribute Secure, one request to http:// (a typed address, a link, an attacker's picture) is enough for everybody on the way to take the session over.",
			"Set secure = true once the application is reached over HTTPS alone; behind a proxy that ends TLS it works as well.", func(s *Side, r *report) {
				if !s.options().Secure {
					r.add(s.at("secure"))
				}
			}, nil},
		{"cookie-not-httponly", Warning, "Scripts can read the cookie",
			"Without the attribute HttpOnly, any script that gets into a page (cross-site scripting) can send the session to its author.",
			"Set httponly = true (Beaker from 1.6 on); hardly any application reads its session cookie from JavaScript.", func(s *Side, r *report) {
				if !s.options().HTTPOnly {
					r.add(s.at("httponly"))
				}
			}, nil},
		{"samesite-none-insecure", Error, "SameSite=None without Secure: browsers drop the cookie",
			"Browsers accept SameSite=None only together with Secure, so nobody stays logged in.",
			"Set secure = true beside it, or samesite = Lax.", func(s *Side, r *report) {
				if strings.EqualFold(s.options().SameSite, "none") && !s.options().Secure {
					r.add(s.at("samesite"), s.at("secure"))
				}
			}, nil},
		{"samesite-none", Info, "The cookie is sent with requests from other sites",
			"With SameSite=None a request that another site makes carries the session, so only the application's own protection against forged requests (CSRF) helps.",
			"Set samesite = Lax, unless the application is meant to work inside other sites.", func(s *Side, r *report) {
				if strings.EqualFold(s.options().SameSite, "none") && s.options().Secure {
					r.add(s.at("samesite"))
				}
			}, nil},
		{"samesite-missing", Info, "The cookie has no SameSite attribute",
			"What a request from another site carries is then up to the browser: those of Chromium (Chrome, Edge, Opera …) take it for Lax, except for a POST in the cookie's first two minutes, Firefox and Safari for None.",
			"Set samesite = Lax. Beaker knows it from 1.10 on (1.10.1 for cookie-only sessions).", checkSameSiteMissing, nil},
		{"samesite-unknown", Warning, "SameSite has a value that browsers do not know",
			"Beaker sends whatever text stands there. Browsers treat an unknown value as if the attribute were missing.",
			"Write Lax, Strict or None.", func(s *Side, r *report) {
				switch strings.ToLower(s.options().SameSite) {
				case "", "lax", "strict", "none":
				default:
					r.add(s.at("samesite"))
				}
			}, nil},
		{"cookie-domain-refused", Error, "Browsers refuse a cookie for this domain",
			"A cookie can be set for the host itself or a domain that it is in, but not for one under which everybody registers names (com, co.uk). Of a single name or an address only that very host can set one. Otherwise the cookie is dropped, and nobody stays logged in.",
			"Remove cookie_domain, or give the site's own domain, such as example.com.", func(s *Side, r *report) {
				if d := strings.Trim(s.options().CookieDomain, "."); s.options().CookieDomain != "" && !properDomain(d) {
					f := r.add(s.at("cookie_domain")).saying("cookie_domain is %q.", s.options().CookieDomain)
					if isHost(d) {
						f.as(Warning).saying("cookie_domain is %q, which only the host of just that name can set.", s.options().CookieDomain)
					}
				}
			}, nil},
		{"cookie-domain-wide", Warning, "The cookie goes to every host of a domain",
			"Each of them, also a forgotten or a user's one, gets the sessions of all, and can set a cookie of that name for the others.",
			"Remove cookie_domain unless several hosts really share the sessions.", func(s *Side, r *report) {
				if d := strings.Trim(s.options().CookieDomain, "."); d != "" && properDomain(d) {
					r.add(s.at("cookie_domain")).saying("cookie_domain is %q.", s.options().CookieDomain)
				}
			}, nil},
		{"cookie-path", Info, "The cookie is for a part of the site",
			"It is sent with requests under that path alone. An application beside it does not see the session, and one that sets a cookie of the same name for another path makes the browser send both: Beaker takes the last one.",
			"Set cookie_path = / where applications share sessions. A path that does not begin with a slash is ignored by browsers.", func(s *Side, r *report) {
				if p := s.options().CookiePath; p != "/" && p != "" {
					f := r.add(s.at("cookie_path")).saying("cookie_path is %q.", p)
					if !strings.HasPrefix(p, "/") {
						f.as(Warning)
					}
				}
			}, nil},
		{"cookie-name-refused", Error, "The name of the cookie is not one",
			"Beaker from 1.8 on sends a cookie called None instead, and before it fails. Nobody stays logged in.",
			"Use letters, digits, points, _ and - in key.", func(s *Side, r *report) {
				if !beakerfmt.ValidCookieName(s.options().Key) {
					r.add(s.at("key"))
				}
			}, nil},
		{"use-cookies-off", Warning, "Sessions without cookies",
			"With use_cookies = false nothing leads a browser back to its session. Beaker's middleware from 1.8 on then fails with KeyError: 'set_cookie' (in an ini, Beaker takes any text for true, so false does nothing there).",
			"Remove use_cookies.", func(s *Side, r *report) {
				if !s.options().UseCookies {
					r.add(s.at("use_cookies"))
				}
			}, nil},
	}
}

func checkSameSiteMissing(s *Side, r *report) {
	era, told := s.peer().Era(), !s.peer().IsAuto()
	switch {
	case s.options().SameSite == "":
		r.add(s.at("samesite"))
	case told && (!era.ServerSameSite || s.cookieOnly() && !era.CookieSameSite):
		r.add(s.Name).saying("%s does not send it.", s.peer())
	}
}

// isHost reports whether a domain that others cannot be in may be a host: an address, or
// a single name that is no top-level domain in wide use.
func isHost(d string) bool {
	if _, err := netip.ParseAddr(d); err == nil {
		return true
	}
	return d != "" && !strings.ContainsAny(d, ".:/ ") && !slices.Contains(topLevel, strings.ToLower(d))
}

var topLevel = []string{"com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "dev", "app", "io", "eu", "uk", "de", "fr", "at", "ch", "it", "es", "nl", "pl", "ru", "us", "ca", "jp", "cn", "au", "in", "br"}

// suffixes are domains of two names under which everybody registers. There are thousands
// (publicsuffix.org); these are the ones that people meet.
var suffixes = []string{"co.uk", "org.uk", "ac.uk", "gov.uk", "com.au", "net.au", "org.au", "co.nz", "co.jp", "ne.jp", "com.br", "co.in", "co.za", "co.at", "or.at",
	"com.cn", "com.tr", "com.mx", "github.io", "gitlab.io", "herokuapp.com", "pythonanywhere.com", "appspot.com", "azurewebsites.net", "vercel.app", "netlify.app"}

// properDomain reports whether a domain is one that hosts are in.
func properDomain(d string) bool {
	if _, err := netip.ParseAddr(d); err == nil {
		return false
	}
	return strings.Contains(d, ".") && !strings.ContainsAny(d, ":/ ") && !strings.Contains(d, "..") && !slices.Contains(suffixes, strings.ToLower(d))
}

const month = 30 * 24 * time.Hour

func timeChecks() []Check {
	return []Check{
		{"timeout-unset", Warning, "Sessions never end",
			"Without timeout a session is good for as long as its record or its cookie exists: one that was taken years ago still opens, and the store grows for ever, because neither Beaker nor a Redis key without a TTL removes anything.",
			"Set timeout to the longest time that a user may be away, in seconds, such as 86400. gobeaker gc then knows what to remove.", func(s *Side, r *report) {
				if s.options().Timeout == compat.NoTimeout {
					r.add(s.at("timeout"))
				}
			}, nil},
		{"timeout-long", Info, "Sessions live for more than a month without use",
			"That is a long time for a stolen cookie to be good, and for records to lie in the store.",
			"Set a shorter timeout if the users can be asked to log in again.", func(s *Side, r *report) {
				if s.options().Timeout > month {
					r.add(s.at("timeout")).saying("timeout is %d days.", int(s.options().Timeout/(24*time.Hour)))
				}
			}, nil},
		{"timeout-zero", Error, "timeout = 0 ends every session at once",
			"A session has timed out when more than timeout seconds have passed since it was accessed. With 0 the next request finds it ended.",
			"Remove the line if sessions are not meant to end, or give a number of seconds.", func(s *Side, r *report) {
				if s.options().Timeout == 0 {
					r.add(s.at("timeout"))
				}
			}, nil},
		{"timeout-without-access-time", Error, "timeout needs save_accessed_time",
			"With save_accessed_time = false nobody can tell how long a session was unused. Beaker refuses the combination.",
			"Remove save_accessed_time = false, or timeout.", func(s *Side, r *report) {
				if s.options().Timeout > 0 && !s.options().SaveAccessedTime {
					r.add(s.at("save_accessed_time"), s.at("timeout"))
				}
			}, nil},
		{"cookie-never-expires", Warning, "The cookie stays in the browser until 2038",
			"With cookie_expires = false (and 0, which Beaker takes for false) whoever uses the computer later is still logged in, unless timeout ends the session. Browsers cut it to 400 days or less.",
			"Set cookie_expires = true to end it with the browser, or to a number of seconds.", func(s *Side, r *report) {
				if s.options().CookieExpires.Mode == compat.ExpiresNever {
					f := r.add(s.at("cookie_expires"))
					if t := s.options().Timeout; t != compat.NoTimeout && t <= month {
						f.as(Info)
					}
				}
			}, nil},
		{"cookie-expires-passed", Error, "The cookie expires at a time that has passed",
			"Browsers delete such a cookie as they get it, so nobody stays logged in.",
			"Give cookie_expires a number of seconds instead of a date.", func(s *Side, r *report) {
				if e := s.options().CookieExpires; e.Mode == compat.ExpiresAt && e.At.Before(r.now) {
					r.add(s.at("cookie_expires"))
				}
			}, nil},
		{"cookie-expires-early", Warning, "The cookie ends before the session",
			"The browser forgets the cookie so many seconds after it was set. Beaker sets the cookie of a session in a store once, at its beginning, so active users are logged out in the middle of their work, and what is left of the session is of no use.",
			"Make cookie_expires true, or much longer than timeout: timeout already ends what is not used.", checkExpiresEarly, nil},
		{"auto-save", Info, "Every session that is looked at is saved",
			"With auto = true each request that reads the session writes all of it, and of two requests at the same time one loses what the other has changed. New visitors and robots get a record each.",
			"Call session.save() where something was changed, and remove auto.", func(s *Side, r *report) {
				if s.options().Auto {
					r.add(s.at("auto"))
				}
			}, nil},
	}
}

func checkExpiresEarly(s *Side, r *report) {
	e, timeout := s.options().CookieExpires, s.options().Timeout
	if e.Mode != compat.ExpiresAfter {
		return
	}
	switch {
	case s.cookieOnly(): // which is sent anew at every use
		if e.After < timeout {
			r.add(s.at("cookie_expires"), s.at("timeout")).as(Info).saying("A cookie-only session is sent anew at every use, so it lives for cookie_expires after the last one, and timeout never comes to bear.")
		}
	case timeout == compat.NoTimeout || e.After < timeout:
		r.add(s.at("cookie_expires"), s.at("timeout"))
	default:
		r.add(s.at("cookie_expires")).as(Info).saying("Here it is no shorter than timeout, but the browser counts from the login, not from the last request.")
	}
}
