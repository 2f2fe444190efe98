package iniconf

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
)

// OptionType says what an option's value is, in words.
type OptionType string

// The types.
const (
	TypeText     OptionType = "text"
	TypeBool     OptionType = "boolean"
	TypeInt      OptionType = "integer"
	TypeSeconds  OptionType = "seconds"
	TypeExpires  OptionType = "boolean, seconds or time" // cookie_expires
	TypeDuration OptionType = "duration"                 // "30s"
	TypeTexts    OptionType = "list of texts"
)

// OptionInfo describes an option: one line of Beaker's table in
// coerce_session_params, an option that Beaker passes on, or one of gobeaker's own.
type OptionInfo struct {
	Name   string
	Type   OptionType
	Since  compat.Release // the first Beaker that knows it; zero: all
	Ours   bool           // gobeaker's: Python has no such option
	Secret bool           // its value is never shown
	Help   string         // what it does, in one line

	// refusal is Beaker's error text; "" if Beaker does not coerce the option.
	refusal string
	// field points into the options; nil if gobeaker has no such option, or if it
	// is one for the back end, which stands in Extra.
	field func(*compat.Options) any
}

var (
	since154  = compat.Release{Major: 1, Minor: 5, Patch: 4}
	since160  = compat.Release{Major: 1, Minor: 6}
	since164  = compat.Release{Major: 1, Minor: 6, Patch: 4}
	since180  = compat.Release{Major: 1, Minor: 8}
	since181  = compat.Release{Major: 1, Minor: 8, Patch: 1}
	since190  = compat.Release{Major: 1, Minor: 9}
	since1100 = compat.Release{Major: 1, Minor: 10}
	since1101 = compat.Release{Major: 1, Minor: 10, Patch: 1}
	since1130 = compat.Release{Major: 1, Minor: 13}
)

// OptionInfos returns what there is to say about every option, in a fixed order: those
// that Beaker coerces in Beaker's order, which decides which error comes first; those
// that it passes on; gobeaker's own.
func OptionInfos() []OptionInfo { return slices.Clone(optionInfos) }

// LookupOption finds the description of an option by its name without a prefix.
func LookupOption(name string) (OptionInfo, bool) {
	i := slices.IndexFunc(optionInfos, func(o OptionInfo) bool { return o.Name == name })
	if i < 0 {
		return OptionInfo{}, false
	}
	return optionInfos[i], true
}

// Sensitive reports whether the value of a setting may be a key or a password, so that
// nothing may show it. It is deliberately generous.
func Sensitive(key string) bool { return sensitive(key) }

// PassedOn reports whether gobeaker has no field for the option: it is for the back
// end, as text in [compat.Options.Extra].
func (i OptionInfo) PassedOn() bool { return i.field == nil }

// optionInfos is constant. The texts are those of the newest Beaker: see
// rules.refusalOf.
var optionInfos = []OptionInfo{
	{Name: "data_dir", Type: TypeText, Help: "the directory of the file and dbm back ends: container_file and container_dbm are in it",
		refusal: "data_dir must be a string referring to a directory.", field: func(o *compat.Options) any { return &o.DataDir }},
	{Name: "lock_dir", Type: TypeText, Help: "the directory of the lock files, in place of the one beside the records",
		refusal: "lock_dir must be a string referring to a directory.", field: func(o *compat.Options) any { return &o.LockDir }},
	{Name: "type", Type: TypeText, Help: "where sessions are kept: file, memory, cookie, dbm, ext:memcached, ext:redis …; file if there is a data_dir, else memory",
		refusal: "Session type must be a string.", field: func(o *compat.Options) any { return &o.Type }},
	{Name: "cookie_expires", Type: TypeExpires, Help: "when the browser forgets the cookie: true with its window, false in 2038, or seconds from its setting",
		refusal: "Cookie expires was not a boolean, datetime, int, or timedelta instance.", field: func(o *compat.Options) any { return &o.CookieExpires }},
	{Name: "cookie_domain", Type: TypeText, Help: "the domain that the cookie is for; unset: the host that sets it",
		refusal: "Cookie domain must be a string.", field: func(o *compat.Options) any { return &o.CookieDomain }},
	{Name: "cookie_path", Type: TypeText, Since: since164, Help: "the path that the cookie is for",
		refusal: "Cookie path must be a string.", field: func(o *compat.Options) any { return &o.CookiePath }},
	{Name: "id", Type: TypeText, Secret: true, Help: "the id of the one session that there is; nothing that a web application sets",
		refusal: "Session id must be a string."},
	{Name: "key", Type: TypeText, Help: "the name of the cookie",
		refusal: "Session key must be a string.", field: func(o *compat.Options) any { return &o.Key }},
	{Name: "secret", Type: TypeText, Secret: true, Help: "signs the cookie of server-side sessions; unset: the cookie is the bare id",
		refusal: "Session secret must be a string.", field: func(o *compat.Options) any { return &o.Secret }},
	{Name: "validate_key", Type: TypeText, Secret: true, Help: "signs cookie-only sessions, and salts encryption",
		refusal: "Session validate_key must be a string.", field: func(o *compat.Options) any { return &o.ValidateKey }},
	{Name: "encrypt_key", Type: TypeText, Secret: true, Help: "encrypts sessions, together with validate_key",
		refusal: "Session encrypt_key must be a string.", field: func(o *compat.Options) any { return &o.EncryptKey }},
	{Name: "encrypt_nonce_bits", Type: TypeInt, Since: since180, Help: "the size of the nonce of an encrypted session; 48 is that of Beaker before 1.8",
		refusal: "Session encrypt_nonce_bits must be a number", field: func(o *compat.Options) any { return &o.EncryptNonceBits }},
	{Name: "secure", Type: TypeBool, Help: "send the cookie over HTTPS only",
		refusal: "Session secure must be a boolean.", field: func(o *compat.Options) any { return &o.Secure }},
	{Name: "httponly", Type: TypeBool, Since: since160, Help: "keep the cookie from scripts",
		refusal: "Session httponly must be a boolean.", field: func(o *compat.Options) any { return &o.HTTPOnly }},
	{Name: "timeout", Type: TypeSeconds, Help: "a session that was not used for longer has ended; unset: sessions never end",
		refusal: "Session timeout must be an integer.", field: func(o *compat.Options) any { return &o.Timeout }},
	{Name: "save_accessed_time", Type: TypeBool, Since: since181, Help: "write the time of access of a session that was only read; timeout needs it",
		refusal: "Session save_accessed_time must be a boolean (defaults to true).", field: func(o *compat.Options) any { return &o.SaveAccessedTime }},
	{Name: "auto", Type: TypeBool, Help: "save the session whenever it was accessed",
		refusal: "Session is created if accessed.", field: func(o *compat.Options) any { return &o.Auto }},
	{Name: "webtest_varname", Type: TypeText, Since: since160, Help: "where tests with WebTest find the session; nothing for production",
		refusal: "Session varname must be a string."},
	{Name: "data_serializer", Type: TypeText, Since: since180, Help: "pickle or json",
		refusal: "data_serializer must be a string.", field: func(o *compat.Options) any { return &o.DataSerializer }},

	{Name: "crypto_type", Type: TypeText, Since: since190, Help: "the AES library of the Python side: default, cryptography, pycrypto or nss",
		field: func(o *compat.Options) any { return &o.CryptoType }},
	{Name: "samesite", Type: TypeText, Since: since1100, Help: "the cookie's SameSite attribute: Lax, Strict or None",
		field: func(o *compat.Options) any { return &o.SameSite }},
	{Name: "invalidate_corrupt", Type: TypeBool, Help: "make a new session of one that cannot be read, instead of an error",
		field: func(o *compat.Options) any { return &o.InvalidateCorrupt }},
	{Name: "use_cookies", Type: TypeBool, Help: "read and send cookies",
		field: func(o *compat.Options) any { return &o.UseCookies }},
	{Name: "url", Type: TypeText, Secret: true, Help: "the server of the back end; Redis, memcached, SQL and MongoDB each have their own form",
		field: func(o *compat.Options) any { return &o.URL }},
	{Name: "file_dir", Type: TypeText, Help: "the directory of the records, in place of container_file in data_dir",
		field: func(o *compat.Options) any { return &o.FileDir }},
	{Name: "dbm_dir", Type: TypeText, Help: "the directory of DBM files, in place of container_dbm in data_dir"},
	{Name: "dbmmodule", Type: TypeText, Help: "Python's module for DBM files"},
	{Name: "digest_filenames", Type: TypeBool, Help: "name files by a digest of the id; only the cache can change it"},
	{Name: "memcache_module", Type: TypeText, Help: "Python's memcached client: memcache, pylibmc, cmemcache, bmemcached or auto"},
	{Name: "protocol", Type: TypeText, Help: "memcached's protocol: text or binary"},
	{Name: "urls", Type: TypeText, Secret: true, Help: "the nodes of a Redis Cluster"},
	{Name: "table_name", Type: TypeText, Help: "the table of ext:database"},
	{Name: "schema_name", Type: TypeText, Help: "the schema that the table is in"},
	{Name: "optimistic", Type: TypeBool, Help: "ext:database: do not lock"},
	{Name: "namespace_class", Type: TypeText, Help: "a back end of the application's own, which gobeaker cannot run"},
	{Name: "session_class", Type: TypeText, Since: since181, Help: "a Session class of the application's own, which gobeaker cannot run"},
	{Name: "log_file", Type: TypeText, Help: "a log that Beaker never wrote"},

	{Name: "peer", Type: TypeText, Ours: true, Help: "the Beaker that must be able to read what is written",
		field: func(o *compat.Options) any { return &o.Peer }},
	{Name: "old_secrets", Type: TypeTexts, Ours: true, Secret: true, Help: "secrets that are still accepted for reading",
		field: func(o *compat.Options) any { return &o.OldSecrets }},
	{Name: "old_validate_keys", Type: TypeTexts, Ours: true, Secret: true, Help: "validate_keys that are still accepted for reading",
		field: func(o *compat.Options) any { return &o.OldValidateKeys }},
	{Name: "old_encrypt_keys", Type: TypeTexts, Ours: true, Secret: true, Help: "encrypt_keys that are still accepted for reading",
		field: func(o *compat.Options) any { return &o.OldEncryptKeys }},
	{Name: "accept_plaintext", Type: TypeBool, Ours: true, Help: "read sessions in clear although there is an encrypt_key",
		field: func(o *compat.Options) any { return &o.AcceptPlaintext }},
	{Name: "write", Type: TypeText, Ours: true, Help: "merge: write the keys that a request changed; replace: the whole session, as Beaker does",
		field: func(o *compat.Options) any { return &o.Write }},
	{Name: "delete_records", Type: TypeBool, Ours: true, Help: "remove the records of sessions that ended, which Beaker leaves",
		field: func(o *compat.Options) any { return &o.DeleteRecords }},
	{Name: "touch_interval", Type: TypeDuration, Ours: true, Help: "how old the stored access time may grow; unset: a tenth of timeout, at most a minute",
		field: func(o *compat.Options) any { return &o.TouchInterval }},
	{Name: "cache_time", Type: TypeDuration, Ours: true, Help: "how long a decoded session may be shown without being read again; 0s: not at all",
		field: func(o *compat.Options) any { return &o.CacheTime }},
	{Name: "cache_sessions", Type: TypeInt, Ours: true, Help: "how many decoded sessions are kept at most, if there is a cache_time",
		field: func(o *compat.Options) any { return &o.CacheSessions }},
	{Name: "adopt_unknown_ids", Type: TypeBool, Ours: true, Help: "take ids that a client made up, as Beaker does, which allows session fixation",
		field: func(o *compat.Options) any { return &o.AdoptUnknownIDs }},
	{Name: "id_pattern", Type: TypeText, Ours: true, Help: "the regular expression of acceptable session ids",
		field: func(o *compat.Options) any { return &o.IDs }},
	{Name: "lenient_cookies", Type: TypeBool, Ours: true, Help: "read a Cookie header as browsers mean it, also where Python drops all of it",
		field: func(o *compat.Options) any { return &o.LenientCookies }},
}

// valueOf returns the value of an option as a gobeaker.toml would give it: a
// string, bool, int64, []string or time.Time; nil if it is unset, or has no field.
func (i OptionInfo) valueOf(o *compat.Options) any {
	if i.field == nil {
		if text, ok := o.Extra[i.Name]; ok {
			return text
		}
		return nil
	}
	switch p := i.field(o).(type) {
	case *string:
		if *p != "" {
			return *p
		}
		d := compat.Defaults()
		return emptyOrNil(*i.field(&d).(*string) != "")
	case *bool:
		return *p
	case *int:
		return int64(*p)
	case *time.Duration:
		return durationValue(i.Type, *p)
	case *[]string:
		if len(*p) == 0 {
			return nil
		}
		return slices.Clone(*p)
	case *compat.CookieExpires:
		return expiresValue(*p)
	case *compat.Peer:
		return p.String()
	case *compat.WriteMode:
		if *p == compat.WriteReplace {
			return "replace"
		}
		return "merge"
	case *beakerfmt.IDRule:
		return textOrNil(p.String())
	}
	return nil
}

// emptyOrNil: where there is a default, an empty text is a value like any other.
func emptyOrNil(hasDefault bool) any {
	if hasDefault {
		return ""
	}
	return nil
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func durationValue(t OptionType, d time.Duration) any {
	switch {
	case d < 0:
		return nil
	case t == TypeSeconds:
		return int64(d / time.Second)
	}
	return d.String()
}

func expiresValue(c compat.CookieExpires) any {
	switch c.Mode {
	case compat.ExpiresWithBrowser:
		return true
	case compat.ExpiresNever:
		return false
	case compat.ExpiresAt:
		return c.At
	}
	return int64(c.After / time.Second)
}

// set gives an option a value of the types that valueOf returns. The error says
// what to write instead and never shows the value.
func (i OptionInfo) set(o *compat.Options, value any) error {
	if i.field == nil {
		return errors.New("there is no such option here")
	}
	switch p := i.field(o).(type) {
	case *string:
		return assign(p, value, "a text in quotes")
	case *bool:
		return assign(p, value, "true or false")
	case *int:
		n, ok := value.(int64)
		if !ok || n < 0 || n > math.MaxInt32 {
			return errors.New("give a whole number")
		}
		*p = int(n)
		return nil
	case *time.Duration:
		return setDuration(p, i.Type, value)
	case *[]string:
		return setTexts(p, value)
	case *compat.CookieExpires:
		return setExpires(p, value)
	}
	text, ok := value.(string)
	if !ok {
		return errors.New("give a text in quotes")
	}
	return i.setText(o, text)
}

// setText sets the options that are more than their text.
func (i OptionInfo) setText(o *compat.Options, text string) (err error) {
	switch p := i.field(o).(type) {
	case *compat.Peer:
		*p, err = compat.ParsePeer(text)
	case *compat.WriteMode:
		switch text {
		case "merge":
			*p = compat.WriteMerge
		case "replace":
			*p = compat.WriteReplace
		default:
			err = fmt.Errorf(`%q: use "merge" or "replace"`, clip(text))
		}
	case *beakerfmt.IDRule:
		*p, err = beakerfmt.NewIDRule(text)
	}
	return err
}

func assign[T any](p *T, value any, want string) error {
	v, ok := value.(T)
	if !ok {
		return errors.New("give " + want)
	}
	*p = v
	return nil
}

// maxSeconds keeps a number of seconds within what a time.Duration holds.
const maxSeconds = int64(math.MaxInt64 / time.Second)

func setDuration(p *time.Duration, t OptionType, value any) error {
	if t == TypeSeconds {
		if n, ok := value.(int64); ok && n >= 0 && n <= maxSeconds {
			*p = time.Duration(n) * time.Second
			return nil
		}
		if on, ok := value.(bool); ok && !on {
			*p = compat.NoTimeout
			return nil
		}
		return errors.New("give whole seconds, or false for none")
	}
	text, _ := value.(string)
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("give a time such as 10s or 2m, in quotes")
	}
	*p = d
	return nil
}

func setTexts(p *[]string, value any) error {
	list, ok := value.([]any)
	if texts, already := value.([]string); already {
		*p = slices.Clone(texts)
		return nil
	}
	if !ok {
		return errors.New("give a list of texts")
	}
	var out []string
	for _, v := range list {
		text, ok := v.(string)
		if !ok || text == "" {
			return errors.New("give a list of texts, none of them empty")
		}
		out = append(out, text)
	}
	*p = out
	return nil
}

func setExpires(p *compat.CookieExpires, value any) error {
	switch v := value.(type) {
	case bool:
		*p = compat.CookieExpires{Mode: compat.ExpiresNever}
		if v {
			p.Mode = compat.ExpiresWithBrowser
		}
		return nil
	case int64:
		if v > 0 && v <= maxSeconds {
			*p = compat.CookieExpires{Mode: compat.ExpiresAfter, After: time.Duration(v) * time.Second}
			return nil
		}
	case time.Time:
		*p = compat.CookieExpires{Mode: compat.ExpiresAt, At: v}
		return nil
	}
	return errors.New("give true (ends with the browser), false (never), seconds, or a date and time")
}
