package cli

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const keygenLong = `Keygen makes keys for Beaker and prints them: without arguments one of each kind.

  secret         signs the cookie of sessions on a server (type = file …)
  validate_key   signs cookie-only sessions (type = cookie), and is part of the
                 encryption
  encrypt_key    encrypts sessions of both kinds; needs a validate_key beside it

A key is 64 hexadecimal digits, 256 bits from the system's source of randomness.
Beaker makes its AES key of encrypt_key and validate_key with one round of PBKDF2,
so that a password could be found by trying; a random key cannot. The digits are
ASCII, which Beaker on Python 3 asks for, and mean nothing to an ini file: a percent
sign, a quote, a space or a semicolon would, and not the same to Python 2 and 3.

The keys go to standard output alone. Keep them out of the version control, and give
each application its own.

To change a key, let every gobeaker process read the next one first. In gobeaker.toml:

  [session]
  secret = "the present one"
  old_secrets = ["the next one"]

and so old_validate_keys and old_encrypt_keys. Beaker itself knows one of each. So at
one moment swap the two, and right after it give the next one to the Python
applications: what gobeaker meets from then on, it writes with the new keys, and
Python loses only what nobody has met. Drop the former keys when nothing of them can
be left.`

// keyKinds are what keygen makes, in the order in which it prints them.
var keyKinds = []string{"secret", "validate_key", "encrypt_key"}

// keyBytes is the strength of a key.
const keyBytes = 32

var iniPrefix = regexp.MustCompile(`^[A-Za-z0-9_.]*$`)

func newKeygen(env Environment) *cobra.Command {
	var prefix string
	var asJSON, raw bool
	c := &cobra.Command{
		Use:   "keygen [secret|validate_key|encrypt_key]…",
		Short: "Make keys that Beaker and gobeaker can share",
		Long:  keygenLong,
		Example: `  gobeaker keygen
  gobeaker keygen --prefix session. validate_key encrypt_key   (TurboGears)
  umask 077; gobeaker keygen --raw secret > session.secret     (for secret_file)`,
		ValidArgs: keyKinds,
		RunE: func(_ *cobra.Command, args []string) error {
			for _, a := range args {
				if !slices.Contains(keyKinds, a) {
					return usage("keygen: %q: use secret, validate_key or encrypt_key", a)
				}
			}
			if asJSON && raw {
				return usage("keygen: give --json or --raw, not both")
			}
			if !iniPrefix.MatchString(prefix) {
				return usage("keygen: --prefix %q: letters, digits, dots and _ only, as in beaker.session.", prefix)
			}
			kinds := keyKinds
			if len(args) > 0 {
				kinds = slices.Compact(slices.SortedFunc(slices.Values(args), func(a, b string) int {
					return slices.Index(keyKinds, a) - slices.Index(keyKinds, b)
				}))
			}
			keys := newKeys(kinds)
			text := keys.ini(prefix)
			switch {
			case asJSON:
				text = keys.json()
			case raw:
				text = keys.raw()
			}
			if _, err := io.WriteString(env.Stdout, text); err != nil {
				return fail(exitNo, err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&prefix, "prefix", "beaker.session.", "what stands in front of a name in the ini file: `beaker.session.` or session.")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVar(&raw, "raw", false, "print the keys alone, each on its line")
	return c
}

// newKeyset are keys by their kind, in order.
type newKeyset []struct{ kind, key string }

func newKeys(kinds []string) newKeyset {
	var out newKeyset
	for _, kind := range kinds {
		var b [keyBytes]byte
		rand.Read(b[:]) // never fails
		out = append(out, struct{ kind, key string }{kind, hex.EncodeToString(b[:])})
	}
	return out
}

func (k newKeyset) ini(prefix string) string {
	var b strings.Builder
	for _, key := range k {
		fmt.Fprintf(&b, "%s%s = %s\n", prefix, key.kind, key.key)
	}
	return b.String()
}

func (k newKeyset) raw() string {
	var b strings.Builder
	for _, key := range k {
		b.WriteString(key.key + "\n")
	}
	return b.String()
}

func (k newKeyset) json() string {
	byKind := map[string]string{}
	for _, key := range k {
		byKind[key.kind] = key.key
	}
	out, _ := json.Marshal(byKind) // texts alone: no error
	return string(out) + "\n"
}
