package inspect

import (
	"crypto/rand"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// Key is a key and what it is called.
type Key struct {
	Name string // as in the configuration: "secret", "old_secrets[0]", "encrypt_key" …
	From string // where it was found: a file, the environment …; "" if that does not matter
	Key  string
}

// Label names the key in a text, never the key itself.
func (k Key) Label() string {
	if k.From == "" {
		return k.Name
	}
	return k.Name + " (" + k.From + ")"
}

// Keys are those that may have signed or encrypted what is looked at.
type Keys struct {
	Secrets  []Key // sign the ids of server-side sessions
	Validate []Key // sign cookie-only sessions, and salt encryption
	Encrypt  []Key
}

// Signing returns the keys that may have signed a cookie. Validate keys come
// first, so that the index of one is that in [Keys.Codec] too.
func (k Keys) Signing() []Key {
	return append(append([]Key(nil), k.Validate...), k.Secrets...)
}

// Codec returns a codec that tries all the keys, and reads what is not encrypted
// too. Where there is no validate key the secrets salt: who has only one file with
// a key need not know what it is called.
func (k Keys) Codec(nonceBits int) *beakerfmt.Codec {
	c := &beakerfmt.Codec{NonceBits: nonceBits, AcceptPlaintext: true, Random: rand.Reader}
	for _, key := range k.Encrypt {
		c.EncryptKeys = append(c.EncryptKeys, []byte(key.Key))
	}
	for _, key := range k.Signing() {
		c.ValidateKeys = append(c.ValidateKeys, []byte(key.Key))
	}
	return c
}

// Index returns the place of a key among those of its own name, given that in
// [Keys.Signing].
func (k Keys) Index(signing int) int {
	if signing < len(k.Validate) {
		return signing
	}
	return signing - len(k.Validate)
}
