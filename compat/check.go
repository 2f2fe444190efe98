package compat

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

func (o *Options) cookieOnly() bool { return o.Type == "cookie" }

// touchInterval is how old a stored access time may be. The cookie of a
// cookie-only session has to be sent again before it expires, too.
func (o *Options) touchInterval() time.Duration {
	if o.TouchInterval >= 0 {
		return o.TouchInterval
	}
	touch := time.Minute
	if o.Timeout != NoTimeout {
		touch = min(touch, o.Timeout/10)
	}
	if o.cookieOnly() && o.CookieExpires.Mode == ExpiresAfter {
		touch = min(touch, o.CookieExpires.After/10)
	}
	return touch
}

// modes are the modes of AES that are read: those of a named crypto_type, as in
// Beaker. With the default all are, the one of the peer's library first.
func (o *Options) modes() []beakerfmt.AESMode {
	m, err := o.Peer.Mode(o.CryptoType)
	switch {
	case err != nil:
		return nil
	case o.CryptoType != "" && o.CryptoType != "default" && o.CryptoType != "auto":
		return []beakerfmt.AESMode{m}
	case o.Peer.Crypto == "":
		return nil
	}
	modes := []beakerfmt.AESMode{m}
	for _, other := range []beakerfmt.AESMode{beakerfmt.GCM, beakerfmt.CBC, beakerfmt.CTR, beakerfmt.ECB} {
		if other != m {
			modes = append(modes, other)
		}
	}
	return modes
}

// asciiKeys: Python 3 derives AES keys from ASCII alone.
func (o *Options) asciiKeys() bool {
	return !strings.ContainsFunc(o.EncryptKey+o.ValidateKey, func(r rune) bool { return r > 0x7f })
}

// check refuses what Beaker refuses, with its words where it has some, and
// what would end in a weaker session than the options ask for. It returns the form
// of a new session.
func (o *Options) check() (beakerfmt.Form, error) {
	for _, check := range []func() error{o.checkNames, o.checkTimes, o.checkKeys} {
		if err := check(); err != nil {
			return beakerfmt.Form{}, err
		}
	}
	return o.Peer.Form(o)
}

func (o *Options) checkNames() error {
	if !beakerfmt.ValidCookieName(o.Key) {
		return errors.New("key: not a cookie name (start from compat.Defaults)")
	}
	if o.DataSerializer != "pickle" && o.DataSerializer != "json" {
		return fmt.Errorf("Invalid value for data_serializer: %s", o.DataSerializer) //nolint:staticcheck // Beaker's words
	}
	for name, v := range map[string]string{"cookie_domain": o.CookieDomain, "cookie_path": o.CookiePath, "samesite": o.SameSite} {
		if err := checkAttribute(name, v); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) checkTimes() error {
	sliding := o.cookieOnly() && o.CookieExpires.Mode == ExpiresAfter
	switch {
	case o.Timeout < 0 && o.Timeout != NoTimeout:
		return errors.New("timeout: is negative")
	case o.Timeout > 0 && !o.SaveAccessedTime:
		return errors.New("timeout requires save_accessed_time")
	case o.Timeout != NoTimeout && o.TouchInterval > 0 && o.TouchInterval >= o.Timeout:
		return errors.New("touch_interval: must be shorter than timeout, or active users would be logged out")
	case sliding && o.TouchInterval > 0 && o.TouchInterval >= o.CookieExpires.After:
		return errors.New("touch_interval: must be shorter than cookie_expires, or active users would be logged out")
	case o.CacheTime < 0:
		return errors.New("cache_time: is negative")
	case o.CacheTime > 0 && (o.CacheSessions <= 0 || o.CacheSessions > maxCacheSessions):
		return fmt.Errorf("cache_sessions: give a number from 1 to %d", maxCacheSessions)
	}
	return nil
}

func (o *Options) checkKeys() error {
	switch {
	case o.cookieOnly() && o.ValidateKey == "":
		return errors.New("No validate_key specified for Cookie only Session.") //nolint:staticcheck // Beaker's words
	case o.EncryptKey != "" && o.ValidateKey == "":
		return errors.New("encrypt_key: needs a validate_key beside it")
	case o.EncryptNonceBits%8 != 0:
		return errors.New("encrypt_nonce_bits: Nonce complexity currently supports multiples of 8")
	case o.EncryptKey != "" && o.Peer.Python == 3 && !o.asciiKeys():
		return errors.New("encrypt_key, validate_key: Python 3 takes only ASCII for encryption (UnicodeEncodeError)")
	}
	for name, k := range map[string]struct {
		first string
		old   []string
	}{
		"secret": {o.Secret, o.OldSecrets}, "validate_key": {o.ValidateKey, o.OldValidateKeys}, "encrypt_key": {o.EncryptKey, o.OldEncryptKeys},
	} {
		if k.first == "" && len(k.old) > 0 {
			return fmt.Errorf("%s: older ones are given, but none to write with", name)
		}
		if slices.Contains(k.old, "") {
			return fmt.Errorf("%s: an older one is empty", name)
		}
	}
	if o.EncryptKey == "" { // else Peer.Form looks closer
		_, err := Peer{}.Mode(o.CryptoType)
		return err
	}
	return nil
}

// checkAttribute refuses a cookie attribute that would break out of its place
// in the header.
func checkAttribute(name, v string) error {
	if strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r == 0x7f || r == ';' }) {
		return fmt.Errorf("%s: has a control character or a semicolon", name)
	}
	return nil
}
