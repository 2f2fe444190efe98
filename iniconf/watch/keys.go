package watch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/iniconf"
)

// ErrKeyGone: a configuration lacks a key that the one before it had.
var ErrKeyGone = errors.New("a file may be half-written, or the name misspelt")

// CheckKeys returns an error that wraps ErrKeyGone, names the option and says where it
// stood, if before has a secret, validate_key or encrypt_key and now has none. A file that
// is half-written can be a good one that merely ends too early, and without these
// everybody could forge sessions or read them; so a reload that nobody watches should not
// take it up. Before may be nil: there is nothing to lose.
func CheckKeys(before, now *iniconf.Effective) error {
	if before == nil {
		return nil
	}
	var gone []string
	for _, key := range []struct{ name, before, now string }{
		{"secret", before.Options.Secret, now.Options.Secret},
		{"validate_key", before.Options.ValidateKey, now.Options.ValidateKey},
		{"encrypt_key", before.Options.EncryptKey, now.Options.EncryptKey},
	} {
		if key.before != "" && key.now == "" {
			gone = append(gone, fmt.Sprintf("%s, which was set at %s", key.name, before.Origins[key.name]))
		}
	}
	if gone == nil {
		return nil
	}
	return fmt.Errorf("watch: there is no more %s: %w", strings.Join(gone, ", and no "), ErrKeyGone)
}
