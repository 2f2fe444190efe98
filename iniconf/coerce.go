package iniconf

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
)

// passedOnPrefixes begin options for the library under a namespace manager.
var passedOnPrefixes = [...]string{"sa.", "behavior.", "sa_opts"}

// needsCoercion reports whether Beaker turns the option into something else
// than text.
func needsCoercion(name string) bool {
	info, known := LookupOption(name)
	return known && info.refusal != "" && info.Type != TypeText
}

// rules say who reads the settings.
type rules struct {
	dialect  Dialect
	booleans BoolText
	beaker   compat.Release // zero: the newest
}

// before reports whether the Beaker is older than a release.
func (r rules) before(release compat.Release) bool {
	return r.beaker != (compat.Release{}) && r.beaker.Compare(release) < 0
}

// knows reports whether the Beaker has the option at all.
func (r rules) knows(info OptionInfo) bool { return !r.before(info.Since) }

// coercer applies the rules to one set of settings.
type coercer struct {
	*sessionSettings
	rules
	out compat.Options
	// unusable are the errors that Beaker raises only when a session is first used, by
	// the option.
	unusable map[string]error
}

// coerce makes the options; the settings are not changed. It refuses what
// SessionMiddleware refuses, in its order, and then the values that Beaker refuses when
// a session is first used. What is only missing is no error here: it may be set elsewhere.
func (s *sessionSettings) coerce(by rules) (compat.Options, error) {
	c := &coercer{sessionSettings: s, rules: by, out: by.defaults(), unusable: map[string]error{}}
	for _, r := range optionInfos {
		set, ok := s.opts.get(r.Name)
		if !ok || r.refusal == "" || !by.knows(r) {
			continue
		}
		apply := c.apply
		if c.keyword(set) && by.booleans == BoolAsBeaker {
			apply = c.applyKeyword
		}
		if err := apply(r, set); err != nil {
			return compat.Options{}, err
		}
	}
	if err := c.checkTimeout(); err != nil {
		return compat.Options{}, err
	}
	for _, set := range s.opts.list() {
		c.checkUse(set)
		c.pass(set)
	}
	if err := c.firstUse(); err != nil {
		return compat.Options{}, err
	}
	if c.out.Type == "cookie" && by.before(since1101) {
		c.out.SameSite = "" // beaker/session.py, CookieSession, had none yet
	}
	c.surprises()
	return c.out, nil
}

// defaults are what the Beaker does where nothing is set.
func (r rules) defaults() compat.Options {
	o := compat.Defaults()
	if r.before(since180) {
		o.EncryptNonceBits = 48
	}
	if r.before(since1100) {
		o.SameSite = ""
	}
	return o
}

// refuse makes the error for a setting: its name in the file, its value unless
// that may be a secret, Beaker's text, what to write instead.
func (c *coercer) refuse(set Setting, text, hint string) error {
	name := c.written[set.Key]
	msg := name + ": " + text
	if set.Value != "" && !sensitive(name) {
		msg = fmt.Sprintf("%s = %s: %s", name, c.shown(name, set.Value), text)
	}
	if hint != "" {
		msg += " (" + hint + ")"
	}
	return errorAt(set.Position, KindOption, msg)
}

func (c *coercer) apply(r OptionInfo, set Setting) error {
	switch r.Type {
	case TypeBool:
		return c.applyBool(r, set)
	case TypeInt, TypeSeconds:
		return c.applyInt(r, set)
	case TypeExpires:
		return c.applyExpires(r, set)
	}
	return c.applyText(r, set)
}

func (c *coercer) applyText(r OptionInfo, set Setting) error {
	if c.dialect.strip(set.Value) == "" && !c.before(since154) {
		return c.refuse(set, "Empty strings are invalid for: "+c.refusalOf(r), "give a value or remove the line")
	}
	return c.takeText(r, set)
}

// takeText takes what need not be coerced.
func (c *coercer) takeText(r OptionInfo, set Setting) error {
	if set.Value == "None" {
		c.warn(CodeNoneIsText, c.asWritten(set), "this is the text None, not Python's None; remove the line to leave the option unset")
	}
	switch {
	case r.Name == "data_serializer":
		c.applySerializer(set)
		return nil
	case r.field != nil:
		return r.set(&c.out, set.Value)
	}
	if r.Name == "id" {
		c.warn(CodeSharedID, c.asWritten(set), "to Beaker this one session is everybody's, whatever cookie they have; gobeaker ignores it. Remove the line")
		return nil
	}
	c.warn(CodeIgnored, c.asWritten(set), "gobeaker has no such option and ignores it")
	return nil
}

// applySerializer: Beaker 1.8.0 takes everything but json for pickle (beaker/session.py).
func (c *coercer) applySerializer(set Setting) {
	known := set.Value == "pickle" || set.Value == "json"
	switch {
	case known:
		c.out.DataSerializer = set.Value
	case c.before(since181):
		c.warn(CodeSerializerUnknown, c.asWritten(set), "Beaker %s takes everything but json for pickle, and later ones refuse it; write pickle or json", c.beaker)
	default:
		c.later(set, "Invalid value for data_serializer: "+c.clip(set.Value), "write pickle or json")
	}
}

// refusalOf is Beaker's text for a value that it refuses, as the release has it.
func (r rules) refusalOf(info OptionInfo) string {
	switch {
	case info.Name == "validate_key" && r.before(since1130):
		return "Session encrypt_key must be a string." // the two were exchanged
	case info.Name == "encrypt_key" && r.before(since1130):
		return "Session validate_key must be a string."
	case info.Name == "cookie_expires" && r.before(since160):
		return "Cookie expires was not a boolean, datetime, or timedelta instance."
	}
	return info.refusal
}

// asWritten gives a setting its name in the file back.
func (c *coercer) asWritten(set Setting) Setting {
	set.Key = c.written[set.Key]
	return set
}

// asbool is beaker/converters.py's: six words each, in any case.
func (d Dialect) asbool(text string) (value, ok bool) {
	switch strings.ToLower(d.strip(text)) {
	case "true", "yes", "on", "y", "t", "1":
		return true, true
	case "false", "no", "off", "n", "f", "0":
		return false, true
	}
	return false, false
}

const boolHint = "write true or false"

func (c *coercer) applyBool(r OptionInfo, set Setting) error {
	value, ok := c.dialect.asbool(set.Value)
	if !ok {
		return c.refuse(set, c.refusalOf(r), boolHint)
	}
	return r.set(&c.out, value)
}

// asint is beaker/util.py's: digits and nothing else, but for a newline at the end,
// which "$" allows. What does not fit is the largest number; Python 3 takes no more than
// 4300 digits.
func (d Dialect) asint(text string) (value int64, ok bool) {
	const most = 4300
	text = strings.TrimSuffix(text, "\n")
	count := 0
	for _, r := range text {
		n, ok := d.digit(r)
		if !ok {
			return 0, false
		}
		count++
		if value > (math.MaxInt64-int64(n))/10 {
			value = math.MaxInt64
			continue
		}
		value = value*10 + int64(n)
	}
	return value, count > 0 && (d == Python2 || count <= most)
}

// pythonInt is Python 2's int(text), which Beaker before 1.6 had in asint's place: white
// space around it and after the sign, and a sign.
func pythonInt(text string) (value int64, ok bool) {
	text = Python2.strip(text)
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 {
		return 0, false
	}
	value, ok = Python2.asint(strings.TrimLeftFunc(digits, Python2.space()))
	if strings.HasPrefix(text, "-") {
		value = -value
	}
	return value, ok
}

// seconds makes a Duration; what is beyond 292 years is 292 years.
func seconds(n int64) time.Duration {
	return time.Duration(min(n, maxSeconds)) * time.Second
}

func (c *coercer) applyInt(r OptionInfo, set Setting) error {
	if r.Name == "timeout" {
		return c.applyTimeout(r, set)
	}
	n, ok := c.dialect.asint(set.Value)
	if !ok {
		return c.refuse(set, c.refusalOf(r), "digits only")
	}
	const mostBits = 1 << 16
	if n%8 != 0 || n > mostBits {
		c.later(set, "Nonce complexity currently supports multiples of 8", "128 is Beaker's default, 48 that of Beaker before 1.8")
		return nil
	}
	c.out.EncryptNonceBits = int(n)
	return nil
}

func (c *coercer) applyTimeout(r OptionInfo, set Setting) error {
	n, ok := c.dialect.asint(set.Value)
	if c.before(since160) {
		n, ok = pythonInt(set.Value)
	}
	if !ok {
		return c.refuse(set, c.refusalOf(r), "digits only")
	}
	if n <= 0 {
		c.warn(CodeTimeoutZero, c.asWritten(set), "every session has timed out when it is next used; to let sessions never time out, remove the line")
	}
	if n > maxSeconds {
		c.warn(CodeTimeoutCapped, c.asWritten(set), "more than gobeaker counts: it is taken for 292 years; to let sessions never time out, remove the line")
	}
	c.out.Timeout = seconds(max(n, 0)) // below 0 it is as with 0
	return nil
}

// applyExpires tries what Beaker tries, in its order: a boolean word first, so
// that 0 and 1 are false and true, then digits.
func (c *coercer) applyExpires(r OptionInfo, set Setting) error {
	const hint = "write true for a cookie that ends with the browser, false for one that stays, or seconds"
	if value, ok := c.dialect.asbool(set.Value); ok {
		c.out.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresNever}
		if value {
			c.out.CookieExpires.Mode = compat.ExpiresWithBrowser
		}
		if strings.Trim(set.Value, " 01") == "" {
			c.warn(CodeExpiresWord, c.asWritten(set), "Beaker takes 0 for false (the cookie stays until 2038) and 1 for true (it ends with the browser), not for seconds; %s", hint)
		}
		return nil
	}
	n, ok := c.dialect.asint(set.Value)
	if !ok || c.before(since160) {
		return c.refuse(set, c.refusalOf(r), hint)
	}
	if n == 0 {
		c.later(set, "Invalid argument for cookie_expires: 0", hint)
		return nil
	}
	const year9999 = 250_000_000_000 // seconds from now, where Python's dates end
	if n > year9999 {
		c.later(set, "further away than the year 9999, which Beaker cannot write", hint)
		return nil
	}
	c.out.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: seconds(n)}
	return nil
}

func (c *coercer) checkTimeout() error {
	if c.opts.has("timeout") && !c.out.SaveAccessedTime { // since 1.8.1, as save_accessed_time is
		set, _ := c.opts.get("save_accessed_time")
		return c.refuse(set, "save_accessed_time must be true to use timeout", "or remove timeout")
	}
	return nil
}

// later remembers an error of the first use.
func (c *coercer) later(set Setting, text, hint string) {
	c.unusable[set.Key] = c.refuse(set, text, hint)
}

// The order in which Beaker looks at options when a session is first used: Session and
// CookieSession in beaker/session.py.
var (
	useOrder = []string{"self", "environ", "session_class", "request", "data_serializer", "encrypt_nonce_bits", "crypto_type",
		"secret", "key", "timeout", "cookie_expires", "namespace_class", "namespace", "digest_filenames", "use_cookies"}
	cookieUseOrder = []string{"self", "environ", "session_class", "request", "crypto_type", "encrypt_nonce_bits", "data_serializer",
		"validate_key", "key", "cookie_expires", "timeout"}
)

// firstUse returns the error that comes first.
func (c *coercer) firstUse() error {
	order := useOrder
	if c.cookieOnly() {
		order = cookieUseOrder
	}
	for _, name := range order {
		if err := c.unusable[name]; err != nil {
			return err
		}
	}
	return nil
}

// pass takes an option that Beaker does not coerce.
func (c *coercer) pass(set Setting) {
	info, known := LookupOption(set.Key)
	switch {
	case known && !c.knows(info):
		c.tooNew(info, set)
		return
	case known && info.Ours:
		c.extra(set) // a setting of an ini is Beaker's
		return
	}
	switch set.Key {
	case "crypto_type":
		types := c.cryptoTypes()
		if !slices.Contains(types, set.Value) {
			c.later(set, fmt.Sprintf("No crypto backend with name '%s' is registered.", c.clip(set.Value)),
				"write one of "+strings.Join(types, ", "))
		}
		c.out.CryptoType = set.Value
	case "samesite":
		c.out.SameSite = set.Value
	case "file_dir":
		c.out.FileDir = set.Value
	case "url":
		c.out.URL = set.Value
	case "invalidate_corrupt":
		c.out.InvalidateCorrupt = c.truth(set)
	case "use_cookies":
		c.out.UseCookies = c.truth(set)
	default:
		if !known || info.refusal == "" {
			c.extra(set)
		}
	}
}

// tooNew keeps an option that the release does not know yet: Beaker hands it to the
// back end, which does not look at it.
func (c *coercer) tooNew(info OptionInfo, set Setting) {
	c.keep(set)
	c.warn(CodeTooNew, c.asWritten(set), "Beaker %s does not know this option, and it has no effect; it works from %s on", c.beaker, info.Since)
}

// cryptoTypes are what crypto_type may name: to an unknown Beaker, what any can.
func (r rules) cryptoTypes() []string {
	if r.beaker == (compat.Release{}) {
		return []string{"default", "cryptography", "pycrypto", "pycryptodome", "nss"}
	}
	p := compat.Peer{Major: r.beaker.Major, Minor: r.beaker.Minor, Patch: r.beaker.Patch}
	return append([]string{"default"}, p.Era().CryptoTypes...)
}

// checkUse finds what ends in an error when a session is first used.
func (c *coercer) checkUse(set Setting) {
	const twice = "got multiple values for argument"
	switch set.Key {
	case "self", "environ", "request":
		c.later(set, twice, "Beaker's own parameter has this name; remove the line")
	case "namespace", "digest_filenames":
		c.later(set, twice, "Beaker sets it itself; remove the line")
	case "namespace_class":
		if set.Value != "" {
			c.later(set, "'str' object is not callable", "it must be a class, which an ini file cannot give")
		}
	case "session_class":
		if !c.before(since181) {
			c.later(set, "issubclass() arg 1 must be a class", "which an ini file cannot give")
		}
	case "use_cookies":
		switch {
		case c.before(since180):
			c.unusable["request"] = c.refuse(set, twice, "Beaker before 1.8 sets it itself; remove the line") // as early as that
		case set.Value == "":
			c.later(set, "KeyError: 'set_cookie'", "Beaker's middleware does not work without cookies; remove the line")
		}
	case "key":
		if !beakerfmt.ValidCookieName(set.Value) || c.dialect == Python2 && strings.Contains(set.Value, ":") {
			hint := "a cookie's name is letters, digits and some of !#$%&'*+-.^_`|~, and not that of an attribute"
			if strings.Contains(set.Value, "{{") || strings.Contains(set.Value, "${") {
				hint += "; the file looks like a template that was not filled in"
			}
			c.later(set, "Illegal key value: "+c.clip(set.Value), hint)
		}
	case "secret":
		c.checkASCII(set)
	case "validate_key":
		if c.cookieOnly() {
			c.checkASCII(set)
		}
	}
}

// checkASCII: from 1.6.4 on, SignedCookie encodes its secret, and Python 2 can do that
// with ASCII alone.
func (c *coercer) checkASCII(set Setting) {
	beyond := strings.ContainsFunc(set.Value, func(r rune) bool { return r > unicode.MaxASCII })
	if beyond && c.dialect == Python2 && !c.before(since164) {
		c.later(set, "'ascii' codec can't decode", "Python 2 signs with ASCII alone")
	}
}

// cookieOnly: beaker/session.py, SessionObject._session.
func (c *coercer) cookieOnly() bool {
	kind, _ := c.opts.get("type")
	return kind.Value == "cookie"
}

// truth reads an option that Beaker takes as text: every text but the empty one
// is true to it.
func (c *coercer) truth(set Setting) bool {
	beaker := set.Value != ""
	written, ok := c.dialect.asbool(set.Value)
	if !ok {
		written = beaker
	}
	if written != beaker {
		reading := "gobeaker reads it as it is written"
		if c.booleans == BoolAsBeaker {
			reading = "gobeaker reads it as Beaker does"
		}
		c.warn(CodeNotCoerced, c.asWritten(set), "Beaker does not coerce this option: in Python the text %s is true; %s", c.shown(set.Key, set.Value), reading)
	}
	if c.booleans == BoolAsBeaker {
		return beaker
	}
	return written
}

// keep hands an option to the back end.
func (c *coercer) keep(set Setting) {
	if c.out.Extra == nil {
		c.out.Extra = map[string]string{}
	}
	c.out.Extra[set.Key] = set.Value
}

// extra keeps an option for the back end and says so if nobody knows it.
func (c *coercer) extra(set Setting) {
	c.keep(set)
	info, known := LookupOption(set.Key)
	if known && !info.Ours || slices.ContainsFunc(passedOnPrefixes[:], func(p string) bool { return strings.HasPrefix(set.Key, p) }) {
		return
	}
	msg := "Beaker has no such option and hands it to its back end"
	switch near := meant(set.Key); {
	case known:
		msg += "; it is gobeaker's own, for the [session] of gobeaker.toml"
	case near != "":
		msg += "; did you mean " + near + "?"
	}
	c.warn(CodeUnknownOption, c.asWritten(set), "%s", msg)
}
