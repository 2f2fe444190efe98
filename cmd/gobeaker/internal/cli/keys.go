package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// keyHelp is what the commands that need keys say about them.
const keyHelp = `Keys come from files (--secret-file, --validate-key-file, --encrypt-key-file, the
first line of each; give a flag again for older keys), from the environment
(GOBEAKER_SECRET, GOBEAKER_VALIDATE_KEY, GOBEAKER_ENCRYPT_KEY), from --ini or from
--config, and all of them are tried. There is no flag for a key itself, because
other users of the machine can read the arguments.`

// keyFlags are the flags from which keys and session options come.
type keyFlags struct {
	secret, validate, encrypt []string // files
	ini, config               string
}

func (k *keyFlags) register(f *pflag.FlagSet) {
	f.StringArrayVar(&k.secret, "secret-file", nil, "a `file` whose first line is the secret (or validate_key)")
	f.StringArrayVar(&k.validate, "validate-key-file", nil, "a `file` whose first line is the validate_key")
	f.StringArrayVar(&k.encrypt, "encrypt-key-file", nil, "a `file` whose first line is the encrypt_key")
	f.StringVar(&k.ini, "ini", "", "take directory, cookie name and keys from this ini `file`[#application]")
	f.StringVar(&k.config, "config", "", "take them from the [session] of this gobeaker.toml `file`")
}

// load reads the options and all the keys: those of the flags first, then those of
// the environment, then the configured ones.
func (k *keyFlags) load(getenv func(string) string) (compat.Options, inspect.Keys, error) {
	var keys inspect.Keys
	if err := k.readable(); err != nil {
		return compat.Options{}, keys, err
	}
	e, err := settings.Configured(k.ini, k.config, getenv)
	o := e.Options
	if err != nil {
		return o, keys, err
	}
	configured := k.ini + k.config // one of them
	for _, kind := range []struct {
		name  string
		files []string
		env   string
		first string
		older []string
		to    *[]inspect.Key
	}{
		{"secret", k.secret, "GOBEAKER_SECRET", o.Secret, o.OldSecrets, &keys.Secrets},
		{"validate_key", k.validate, "GOBEAKER_VALIDATE_KEY", o.ValidateKey, o.OldValidateKeys, &keys.Validate},
		{"encrypt_key", k.encrypt, "GOBEAKER_ENCRYPT_KEY", o.EncryptKey, o.OldEncryptKeys, &keys.Encrypt},
	} {
		add := func(key, from string) {
			known := slices.ContainsFunc(*kind.to, func(o inspect.Key) bool { return o.Key == key })
			if key != "" && !known {
				*kind.to = append(*kind.to, inspect.Key{Name: kind.name, From: from, Key: key})
			}
		}
		for _, file := range kind.files {
			key, err := tomlconf.ReadSecret(file)
			if err != nil {
				return o, keys, err
			}
			add(strings.TrimPrefix(key, byteOrderMark), file)
		}
		add(getenv(kind.env), kind.env)
		add(kind.first, configured)
		for _, key := range kind.older {
			add(key, "an older one in "+configured)
		}
		if all := *kind.to; len(all) == 1 { // no need to tell them apart
			all[0].From = ""
		}
	}
	return o, keys, nil
}

// readable says plainly that a configuration file cannot be opened.
func (k *keyFlags) readable() error {
	ini, _, _ := strings.Cut(k.ini, "#")
	for flag, path := range map[string]string{"--ini": ini, "--config": k.config} {
		if path == "" {
			continue
		}
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe waits otherwise
		if err != nil {
			return fmt.Errorf("%s %s: it cannot be read: %w", flag, path, withoutPath(err))
		}
		f.Close()
	}
	return nil
}
