package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

// Session is the [session] table: Beaker's options under Beaker's names, the
// ini file that they may start from, and where secrets may be had.
type Session struct {
	// Ini is "production.ini" or "production.ini#application": its options come
	// first, those beside it replace them.
	Ini string `toml:"ini"`
	// IniDialect says whose ConfigParser reads it: "auto", "python2", "python3".
	IniDialect string `toml:"ini_dialect"`
	// Editable lets the built-in page change sessions.
	Editable bool `toml:"editable"`

	Type             string   `toml:"type"`
	Key              string   `toml:"key"`
	Secret           string   `toml:"secret"`
	SecretFile       string   `toml:"secret_file"`
	SecretEnv        string   `toml:"secret_env"`
	OldSecrets       []string `toml:"old_secrets"`
	ValidateKey      string   `toml:"validate_key"`
	OldValidateKeys  []string `toml:"old_validate_keys"`
	EncryptKey       string   `toml:"encrypt_key"`
	OldEncryptKeys   []string `toml:"old_encrypt_keys"`
	EncryptNonceBits int      `toml:"encrypt_nonce_bits"`
	CryptoType       string   `toml:"crypto_type"`
	URL              string   `toml:"url"`
	UseCookies       bool     `toml:"use_cookies"`
	DataDir          string   `toml:"data_dir"`
	FileDir          string   `toml:"file_dir"`
	LockDir          string   `toml:"lock_dir"`
	CookieExpires    any      `toml:"cookie_expires"` // bool, seconds or a datetime
	CookieDomain     string   `toml:"cookie_domain"`
	CookiePath       string   `toml:"cookie_path"`
	Secure           bool     `toml:"secure"`
	HTTPOnly         bool     `toml:"httponly"`
	SameSite         string   `toml:"samesite"`
	Timeout          any      `toml:"timeout"` // seconds, or false for none
	Auto             bool     `toml:"auto"`
	SaveAccessedTime bool     `toml:"save_accessed_time"`
	InvalidateBad    bool     `toml:"invalidate_corrupt"`
	DataSerializer   string   `toml:"data_serializer"`

	Peer          string   `toml:"peer"`
	Write         string   `toml:"write"` // "merge" or "replace"
	DeleteRecords bool     `toml:"delete_records"`
	TouchInterval Duration `toml:"touch_interval"`
	AdoptUnknown  bool     `toml:"adopt_unknown_ids"`
	IDPattern     string   `toml:"id_pattern"`
	Lenient       bool     `toml:"lenient_cookies"`
	Plaintext     bool     `toml:"accept_plaintext"`

	// Extra are the options of the back end: table_name, sa.url, memcache_module …
	Extra map[string]any `toml:"extra"`

	dataDir string // of a flag or the environment
}

// override sets the data_dir from outside of the file.
func (s *Session) override(dataDir string) { s.dataDir = dataDir }

// tags returns the TOML keys of a struct.
func tags(v any) []string {
	var out []string
	for f := range reflect.TypeOf(v).Fields() {
		if tag := f.Tag.Get("toml"); tag != "" {
			out = append(out, tag)
		}
	}
	return out
}

// options returns the session options of the configuration. Getenv is where
// secret_env and GOBEAKER_SECRET are looked up.
func (c *Config) options(getenv func(string) string, log *slog.Logger) (compat.Options, error) {
	s := c.Session
	if s == nil {
		s = &Session{}
	}
	o, err := c.base(s, getenv, log)
	if err != nil {
		return o, err
	}
	if err := c.apply(s, &o); err != nil {
		return o, fmt.Errorf("server: [session]: %w: %w", ErrConfig, err)
	}
	if s.dataDir != "" {
		o.DataDir, o.Type = s.dataDir, "file"
	}
	if err := c.secret(s, &o, getenv); err != nil {
		return o, fmt.Errorf("server: [session]: %w: %w", ErrConfig, err)
	}
	return o, nil
}

// base returns what the other options stand on: the ini file, or Beaker's
// defaults.
func (c *Config) base(s *Session, getenv func(string) string, log *slog.Logger) (compat.Options, error) {
	if s.Ini == "" {
		return compat.Defaults(), nil
	}
	dialect, err := iniconf.ParseDialect(s.IniDialect)
	if err != nil {
		return compat.Options{}, fmt.Errorf("server: [session] ini_dialect: %w: %w", ErrConfig, err)
	}
	path, app, _ := strings.Cut(s.Ini, "#")
	conf, err := iniconf.Load(c.relative(path), iniconf.LoadOptions{App: app, Dialect: dialect})
	if err != nil {
		return compat.Options{}, fmt.Errorf("server: [session] ini: %w: %w", ErrConfig, err)
	}
	o, warnings, err := conf.Session()
	for _, w := range warnings {
		if !c.overridden(w, getenv) {
			log.Warn("ini file", "warning", w.String())
		}
	}
	if err != nil {
		return o, fmt.Errorf("server: [session] ini: %w: %w", ErrConfig, err)
	}
	return o, nil
}

// overridden reports whether what a warning about the ini file is about is set
// outside of it.
func (c *Config) overridden(w iniconf.Warning, getenv func(string) string) bool {
	name := w.Option
	switch {
	case name == "":
		return false
	case name == "secret" && (c.defined.has("session", "secret_file") || c.defined.has("session", "secret_env") || getenv("GOBEAKER_SECRET") != ""):
		return true
	case name == "data_dir" && (c.Session.dataDir != "" || c.defined.has("session", "file_dir") || c.defined.has("session", "type")):
		return true
	}
	return c.defined.has("session", name)
}

func (c *Config) apply(s *Session, o *compat.Options) error {
	set := func(key string) bool { return c.defined.has("session", key) }
	for key, to := range map[string]struct{ dst, src *string }{
		"type": {&o.Type, &s.Type}, "key": {&o.Key, &s.Key},
		"cookie_domain": {&o.CookieDomain, &s.CookieDomain}, "cookie_path": {&o.CookiePath, &s.CookiePath},
		"validate_key": {&o.ValidateKey, &s.ValidateKey}, "encrypt_key": {&o.EncryptKey, &s.EncryptKey},
		"crypto_type": {&o.CryptoType, &s.CryptoType}, "url": {&o.URL, &s.URL},
		"samesite": {&o.SameSite, &s.SameSite}, "data_serializer": {&o.DataSerializer, &s.DataSerializer},
	} {
		if set(key) {
			*to.dst = *to.src
		}
	}
	for key, to := range map[string]struct{ dst, src *string }{
		"data_dir": {&o.DataDir, &s.DataDir}, "file_dir": {&o.FileDir, &s.FileDir}, "lock_dir": {&o.LockDir, &s.LockDir},
	} {
		if set(key) {
			*to.dst = c.relative(*to.src)
		}
	}
	for key, to := range map[string]struct{ dst, src *bool }{
		"secure": {&o.Secure, &s.Secure}, "httponly": {&o.HTTPOnly, &s.HTTPOnly}, "auto": {&o.Auto, &s.Auto},
		"save_accessed_time": {&o.SaveAccessedTime, &s.SaveAccessedTime},
		"invalidate_corrupt": {&o.InvalidateCorrupt, &s.InvalidateBad},
		"use_cookies":        {&o.UseCookies, &s.UseCookies},
		"delete_records":     {&o.DeleteRecords, &s.DeleteRecords},
		"adopt_unknown_ids":  {&o.AdoptUnknownIDs, &s.AdoptUnknown},
		"lenient_cookies":    {&o.LenientCookies, &s.Lenient},
		"accept_plaintext":   {&o.AcceptPlaintext, &s.Plaintext},
	} {
		if set(key) {
			*to.dst = *to.src
		}
	}
	if set("touch_interval") {
		o.TouchInterval = time.Duration(s.TouchInterval)
	}
	if set("encrypt_nonce_bits") {
		o.EncryptNonceBits = s.EncryptNonceBits
	}
	return s.applyOdd(o)
}

// applyOdd sets the options that are not just copied.
func (s *Session) applyOdd(o *compat.Options) (err error) {
	if s.Timeout != nil {
		if o.Timeout, err = timeoutOf(s.Timeout); err != nil {
			return err
		}
	}
	if s.CookieExpires != nil {
		if o.CookieExpires, err = expiresOf(s.CookieExpires); err != nil {
			return err
		}
	}
	if s.Peer != "" {
		if o.Peer, err = compat.ParsePeer(s.Peer); err != nil {
			return err
		}
	}
	switch s.Write {
	case "":
	case "merge":
		o.Write = compat.WriteMerge
	case "replace":
		o.Write = compat.WriteReplace
	default:
		return fmt.Errorf(`write = %q: use "merge" or "replace"`, s.Write)
	}
	if s.IDPattern != "" {
		if o.IDs, err = beakerfmt.NewIDRule(s.IDPattern); err != nil {
			return err
		}
	}
	return addExtra(o, "", s.Extra)
}

// addExtra adds options of the back end to those of the ini file. A dotted key of
// TOML is a table in a table.
func addExtra(o *compat.Options, prefix string, extra map[string]any) error {
	for name, v := range extra {
		name = prefix + name
		switch v := v.(type) {
		case map[string]any:
			if err := addExtra(o, name+".", v); err != nil {
				return err
			}
			continue
		case string, int64, bool, float64:
		default:
			return fmt.Errorf("extra: %s: give text, a number, true or false", name)
		}
		if prefix == "" && slices.Contains(tags(Session{}), name) {
			return fmt.Errorf("extra: %s: it stands in [session] itself", name)
		}
		all := maps.Clone(o.Extra) // of an ini file that others may use
		if all == nil {
			all = map[string]string{}
		}
		all[name] = fmt.Sprint(v)
		o.Extra = all
	}
	return nil
}

// maxSeconds keeps a number of seconds within what a time.Duration holds.
const maxSeconds = 1 << 33

func timeoutOf(v any) (time.Duration, error) {
	switch v := v.(type) {
	case int64:
		if v >= 0 && v <= maxSeconds {
			return time.Duration(v) * time.Second, nil
		}
	case bool:
		if !v {
			return compat.NoTimeout, nil
		}
	}
	return 0, errors.New("timeout: give whole seconds, or false for no timeout")
}

func expiresOf(v any) (compat.CookieExpires, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return compat.CookieExpires{Mode: compat.ExpiresWithBrowser}, nil
		}
		return compat.CookieExpires{Mode: compat.ExpiresNever}, nil
	case int64:
		if v > 0 && v <= maxSeconds {
			return compat.CookieExpires{Mode: compat.ExpiresAfter, After: time.Duration(v) * time.Second}, nil
		}
	case time.Time:
		return compat.CookieExpires{Mode: compat.ExpiresAt, At: v}, nil
	}
	return compat.CookieExpires{}, errors.New("cookie_expires: give true (ends with the browser), false (never), seconds, or a date and time")
}

// secret finds the secret: GOBEAKER_SECRET, then one of the file's three, then
// the ini's.
func (c *Config) secret(s *Session, o *compat.Options, getenv func(string) string) error {
	given := 0
	for _, v := range []string{s.Secret, s.SecretFile, s.SecretEnv} {
		if v != "" {
			given++
		}
	}
	if given > 1 {
		return errors.New("give one of secret, secret_file and secret_env")
	}
	switch {
	case s.Secret != "":
		o.Secret = s.Secret
	case s.SecretFile != "":
		v, err := ReadSecret(c.relative(s.SecretFile))
		if err != nil {
			return err
		}
		o.Secret = v
	case s.SecretEnv != "":
		if o.Secret = getenv(s.SecretEnv); o.Secret == "" {
			return fmt.Errorf("secret_env: the environment has no %s", s.SecretEnv)
		}
	}
	if v := getenv("GOBEAKER_SECRET"); v != "" {
		o.Secret = v
	}
	o.OldSecrets, o.OldValidateKeys, o.OldEncryptKeys = s.OldSecrets, s.OldValidateKeys, s.OldEncryptKeys
	return nil
}

// ReadSecret returns the first line of a file that holds a secret.
func ReadSecret(path string) (string, error) {
	data, err := readBounded(path)
	if err != nil {
		return "", fmt.Errorf("secret file: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(data), "\ufeff"), "\n") // some editors begin with a BOM
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("secret file %s: its first line is empty", filepath.Base(path))
	}
	return line, nil
}

// newSecret makes the secret of a server that was given none.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// SessionOptions returns the session options of an ini file ("file" or
// "file#application") or of the [session] table of a gobeaker.toml; of neither,
// Beaker's defaults.
func SessionOptions(ini, config string, getenv func(string) string) (compat.Options, error) {
	c := Default()
	switch {
	case ini != "" && config != "":
		return compat.Options{}, fmt.Errorf("server: session: %w: give an ini or a configuration file, not both", ErrConfig)
	case ini != "":
		c.Session = &Session{Ini: ini}
	case config != "":
		var err error
		if c, err = Load(config); err != nil {
			return compat.Options{}, err
		}
	}
	return c.options(getenv, slog.New(slog.DiscardHandler))
}
