package iniconf

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/compat"
)

// rule is one line of Beaker's table in coerce_session_params, with Beaker's
// error text.
type rule struct {
	name string
	kind ruleKind
	text string
}

type ruleKind uint8

const (
	asText ruleKind = iota
	asBool
	asInt
	asExpires
)

// rules stand in Beaker's order: the first that fails is the error. (Before
// Beaker 1.13.0 the texts of validate_key and encrypt_key were exchanged.)
func rules() []rule {
	return []rule{
		{"data_dir", asText, "data_dir must be a string referring to a directory."},
		{"lock_dir", asText, "lock_dir must be a string referring to a directory."},
		{"type", asText, "Session type must be a string."},
		{"cookie_expires", asExpires, "Cookie expires was not a boolean, datetime, int, or timedelta instance."},
		{"cookie_domain", asText, "Cookie domain must be a string."},
		{"cookie_path", asText, "Cookie path must be a string."},
		{"id", asText, "Session id must be a string."},
		{"key", asText, "Session key must be a string."},
		{"secret", asText, "Session secret must be a string."},
		{"validate_key", asText, "Session validate_key must be a string."},
		{"encrypt_key", asText, "Session encrypt_key must be a string."},
		{"encrypt_nonce_bits", asInt, "Session encrypt_nonce_bits must be a number"},
		{"secure", asBool, "Session secure must be a boolean."},
		{"httponly", asBool, "Session httponly must be a boolean."},
		{"timeout", asInt, "Session timeout must be an integer."},
		{"save_accessed_time", asBool, "Session save_accessed_time must be a boolean (defaults to true)."},
		{"auto", asBool, "Session is created if accessed."},
		{"webtest_varname", asText, "Session varname must be a string."},
		{"data_serializer", asText, "data_serializer must be a string."},
	}
}

// passedOn are options that Beaker leaves alone: its Session or one of its
// namespace managers takes them as text.
var passedOn = [...]string{
	"crypto_type", "samesite", "invalidate_corrupt", "use_cookies",
	"url", "file_dir", "log_file", "namespace_class", "session_class",
	"memcache_module", "protocol", "urls", "table_name", "schema_name", "optimistic",
	"dbm_dir", "dbmmodule", "digest_filenames",
}

// passedOnPrefixes begin options for the library under a namespace manager.
var passedOnPrefixes = [...]string{"sa.", "behavior.", "sa_opts"}

// needsCoercion reports whether Beaker turns the option into something else
// than text.
func needsCoercion(name string) bool {
	return slices.ContainsFunc(rules(), func(r rule) bool { return r.name == name && r.kind != asText })
}

// coercer applies the rules to one set of settings.
type coercer struct {
	*sessionSettings
	dialect Dialect
	out     compat.Options
}

// coerce makes the options; the settings are not changed.
func (s *sessionSettings) coerce(d Dialect, booleans BoolText) (compat.Options, error) {
	c := &coercer{sessionSettings: s, dialect: d, out: compat.Defaults()}
	for _, r := range rules() {
		set, ok := s.opts.get(r.name)
		if !ok {
			continue
		}
		if err := c.apply(r, set); err != nil {
			return compat.Options{}, err
		}
	}
	if err := c.checkTimeout(); err != nil {
		return compat.Options{}, err
	}
	for _, set := range s.opts.list() {
		if err := c.pass(set, booleans); err != nil {
			return compat.Options{}, err
		}
	}
	return c.out, nil
}

// refuse makes the error for a setting: its name in the file, its value unless
// that may be a secret, Beaker's text, what to write instead.
func (c *coercer) refuse(set Setting, text, hint string) error {
	name := c.written[set.Key]
	msg := name + ": " + text
	if set.Value != "" && !sensitive(name) {
		msg = fmt.Sprintf("%s = %s: %s", name, shown(name, set.Value), text)
	}
	if hint != "" {
		msg += " (" + hint + ")"
	}
	return errorAt(set.Position, KindOption, msg)
}

func (c *coercer) apply(r rule, set Setting) error {
	switch r.kind {
	case asBool:
		return c.applyBool(r, set)
	case asInt:
		return c.applyInt(r, set)
	case asExpires:
		return c.applyExpires(r, set)
	}
	return c.applyText(r, set)
}

// textField returns where a text option belongs; nil for those that compat does
// not have.
func (c *coercer) textField(name string) *string {
	switch name {
	case "data_dir":
		return &c.out.DataDir
	case "lock_dir":
		return &c.out.LockDir
	case "type":
		return &c.out.Type
	case "cookie_domain":
		return &c.out.CookieDomain
	case "cookie_path":
		return &c.out.CookiePath
	case "key":
		return &c.out.Key
	case "secret":
		return &c.out.Secret
	case "validate_key":
		return &c.out.ValidateKey
	case "encrypt_key":
		return &c.out.EncryptKey
	case "data_serializer":
		return &c.out.DataSerializer
	}
	return nil
}

func (c *coercer) applyText(r rule, set Setting) error {
	if c.dialect.strip(set.Value) == "" {
		return c.refuse(set, "Empty strings are invalid for: "+r.text, "give a value or remove the line")
	}
	if set.Value == "None" {
		c.warn(c.asWritten(set), "this is the text None, not Python's None; remove the line to leave the option unset")
	}
	if r.name == "data_serializer" && set.Value != "pickle" && set.Value != "json" {
		return c.refuse(set, "Invalid value for data_serializer: "+clip(set.Value), "write pickle or json")
	}
	if field := c.textField(r.name); field != nil {
		*field = set.Value
		return nil
	}
	c.warn(c.asWritten(set), "gobeaker has no such option and ignores it")
	return nil
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

func (c *coercer) applyBool(r rule, set Setting) error {
	value, ok := c.dialect.asbool(set.Value)
	if !ok {
		return c.refuse(set, r.text, boolHint)
	}
	switch r.name {
	case "secure":
		c.out.Secure = value
	case "httponly":
		c.out.HTTPOnly = value
	case "save_accessed_time":
		c.out.SaveAccessedTime = value
	case "auto":
		c.out.Auto = value
	}
	return nil
}

// asint is beaker/util.py's: digits and nothing else. What does not fit is the
// largest number.
func (d Dialect) asint(text string) (value int64, ok bool) {
	for _, r := range text {
		n, ok := d.digit(r)
		if !ok {
			return 0, false
		}
		if value > (math.MaxInt64-int64(n))/10 {
			value = math.MaxInt64
			continue
		}
		value = value*10 + int64(n)
	}
	return value, text != ""
}

// seconds makes a Duration; what is beyond 292 years is 292 years.
func seconds(n int64) time.Duration {
	const most = int64(math.MaxInt64 / time.Second)
	return time.Duration(min(n, most)) * time.Second
}

func (c *coercer) applyInt(r rule, set Setting) error {
	n, ok := c.dialect.asint(set.Value)
	if !ok {
		return c.refuse(set, r.text, "digits only")
	}
	if r.name == "timeout" {
		c.out.Timeout = seconds(n)
		return nil
	}
	const mostBits = 1 << 16
	if n%8 != 0 || n > mostBits {
		return c.refuse(set, "Nonce complexity currently supports multiples of 8", "128 is Beaker's default, 48 that of Beaker before 1.8")
	}
	c.out.EncryptNonceBits = int(n)
	return nil
}

// applyExpires tries what Beaker tries, in its order: a boolean word first, so
// that 0 and 1 are false and true, then digits.
func (c *coercer) applyExpires(r rule, set Setting) error {
	const hint = "write true for a cookie that ends with the browser, false for one that stays, or seconds"
	if value, ok := c.dialect.asbool(set.Value); ok {
		c.out.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresNever}
		if value {
			c.out.CookieExpires.Mode = compat.ExpiresWithBrowser
		}
		if strings.Trim(set.Value, " 01") == "" {
			c.warn(c.asWritten(set), "Beaker takes 0 for false (the cookie stays until 2038) and 1 for true (it ends with the browser), not for seconds; %s", hint)
		}
		return nil
	}
	n, ok := c.dialect.asint(set.Value)
	if !ok {
		return c.refuse(set, r.text, hint)
	}
	if n == 0 {
		return c.refuse(set, "Invalid argument for cookie_expires: 0", hint)
	}
	const year9999 = 250_000_000_000 // seconds from now, where Python's dates end
	if n > year9999 {
		return c.refuse(set, "further away than the year 9999, which Beaker cannot write", hint)
	}
	c.out.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: seconds(n)}
	return nil
}

func (c *coercer) checkTimeout() error {
	if c.opts.has("timeout") && !c.out.SaveAccessedTime {
		set, _ := c.opts.get("save_accessed_time")
		return c.refuse(set, "save_accessed_time must be true to use timeout", "or remove timeout")
	}
	return nil
}

// pass takes an option that Beaker does not coerce.
func (c *coercer) pass(set Setting, booleans BoolText) error {
	switch set.Key {
	case "crypto_type":
		if !slices.Contains([]string{"default", "nss", "pycrypto", "cryptography"}, set.Value) {
			return c.refuse(set, fmt.Sprintf("No crypto backend with name '%s' is registered.", clip(set.Value)),
				"write default, cryptography, pycrypto or nss")
		}
		c.out.CryptoType = set.Value
	case "samesite":
		c.out.SameSite = set.Value
	case "file_dir":
		c.out.FileDir = set.Value
	case "url":
		c.out.URL = set.Value
	case "invalidate_corrupt":
		c.out.InvalidateCorrupt = c.truth(set, booleans)
	case "use_cookies":
		c.out.UseCookies = c.truth(set, booleans)
	default:
		if !slices.ContainsFunc(rules(), func(r rule) bool { return r.name == set.Key }) {
			c.extra(set)
		}
	}
	return nil
}

// truth reads an option that Beaker takes as text: every text but the empty one
// is true to it.
func (c *coercer) truth(set Setting, booleans BoolText) bool {
	beaker := set.Value != ""
	written, ok := c.dialect.asbool(set.Value)
	if !ok {
		written = beaker
	}
	if written != beaker {
		reading := "gobeaker reads it as it is written"
		if booleans == BoolAsBeaker {
			reading = "gobeaker reads it as Beaker does"
		}
		c.warn(c.asWritten(set), "Beaker does not coerce this option: in Python the text %s is true; %s", shown(set.Key, set.Value), reading)
	}
	if booleans == BoolAsBeaker {
		return beaker
	}
	return written
}

// extra keeps an option for the back end and says so if nobody knows it.
func (c *coercer) extra(set Setting) {
	if c.out.Extra == nil {
		c.out.Extra = map[string]string{}
	}
	c.out.Extra[set.Key] = set.Value
	known := slices.Contains(passedOn[:], set.Key) ||
		slices.ContainsFunc(passedOnPrefixes[:], func(p string) bool { return strings.HasPrefix(set.Key, p) })
	if known {
		return
	}
	msg := "Beaker has no such option and hands it to its back end"
	if near := nearest(set.Key); near != "" {
		msg += "; did you mean " + near + "?"
	}
	c.warn(c.asWritten(set), "%s", msg)
}

// nearest returns the option whose name is at most two letters away.
func nearest(name string) string {
	known := slices.Clone(passedOn[:])
	for _, r := range rules() {
		known = append(known, r.name)
	}
	return Nearest(name, known)
}

// Nearest returns the one of the known names that somebody who wrote name most
// probably meant: it is at most two letters away, and less than half of them.
// It returns "" if there is none.
func Nearest(name string, known []string) string {
	const longest = 32
	if len(name) > longest {
		return ""
	}
	best, found := 3, ""
	for _, k := range known {
		if d := distance(strings.ToLower(name), k); d < best && d < len(k)/2 {
			best, found = d, k
		}
	}
	return found
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
