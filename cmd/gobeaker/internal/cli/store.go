package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// storeHelp is what the commands over a whole store say about where it is.
const storeHelp = `Where the sessions are comes from --ini, the application's ini, from --config, a
gobeaker.toml, or from --type with --data-dir or --url, which go before them. A URL
with a password in it belongs into a file or the variable GOBEAKER_URL: other users of
the machine can read the arguments. What root makes in the directory of another user,
such as lock files, belongs to that user.`

// storeFlags say which store of sessions a command works on.
type storeFlags struct {
	prefix             string // of the flags' names: "", "from-" or "to-"
	kind, dataDir, url string
	keys               keyFlags
	plaintext          bool                  // read what should be encrypted and is not
	looks              bool                  // nothing is written
	change             func(*compat.Options) // the last word about the options; or nil
	create             bool                  // make what is missing, as a table
}

func (s *storeFlags) register(f *pflag.FlagSet) {
	s.registerPlace(f)
	s.keys.register(f)
}

func (s *storeFlags) registerPlace(f *pflag.FlagSet) {
	f.StringVar(&s.kind, s.prefix+"type", "", "Beaker's `type`: file, dbm, ext:memcached, ext:redis, ext:database …")
	f.StringVar(&s.dataDir, s.prefix+"data-dir", "", "Beaker's data_dir: the `directory` with container_file or container_dbm in it")
	f.StringVar(&s.url, s.prefix+"url", "", "Beaker's `url`, without a password")
}

// openStore is a store with what its configuration says.
type openStore struct {
	options compat.Options
	keys    inspect.Keys
	store   stores.Store
	manager *compat.Manager
	where   string // for people; nothing secret
}

// open opens the store. It does not touch the disk or the network yet. Its errors are
// those of the command line.
func (s *storeFlags) open(command string, env Environment) (*openStore, error) {
	o, keys, err := s.options(env.Getenv)
	if err != nil {
		return nil, fail(exitUsage, fmt.Errorf("%s: %w", command, err))
	}
	if s.plaintext {
		o.AcceptPlaintext = true
	}
	if s.change != nil {
		s.change(&o)
	}
	switch o.Type {
	case "cookie":
		return nil, usage("%s: with type = cookie the sessions are with their browsers, and there is no store of them", command)
	case "", "memory":
		return nil, usage("%s: where are the sessions? give --%[2]sdata-dir, --%[3]s or --%[4]s (with type = memory they are in their process, out of reach)",
			command, s.prefix, s.flag("ini"), s.flag("config"))
	}
	store, err := backend.Open(s.asItIs(o))
	if err != nil {
		return nil, fail(exitUsage, fmt.Errorf("%s: %w", command, err))
	}
	m, err := compat.New(o, store, compat.Environment{Now: env.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fail(exitUsage, errors.Join(fmt.Errorf("%s: %w", command, err), closeStore(store)))
	}
	return &openStore{options: o, keys: keys, store: store, manager: m, where: backend.Place(o)}, nil
}

// asItIs: who creates nothing makes no table, nor the file of a database whose name was
// misspelt; who only looks does not move the log of SQLite into its database either.
func (s *storeFlags) asItIs(o compat.Options) compat.Options {
	if o.Type != "ext:database" && o.Type != "ext:sqla" || s.create {
		return o
	}
	extra := map[string]string{}
	maps.Copy(extra, o.Extra)
	if o.Type == "ext:database" {
		extra["create_table"] = "false"
	}
	if s.looks {
		extra["read_only"] = "true"
	}
	o.Extra = extra
	return o
}

// flag is the name of the flag for a file of that kind.
func (s *storeFlags) flag(name string) string {
	if s.prefix != "" {
		return strings.TrimSuffix(s.prefix, "-")
	}
	return name
}

// options puts the flags on top of the configuration. The first key of each kind is
// the one to write with.
func (s *storeFlags) options(getenv func(string) string) (compat.Options, inspect.Keys, error) {
	o, keys, err := s.keys.load(getenv)
	if err != nil {
		return o, keys, err
	}
	for _, kind := range []struct {
		found []inspect.Key
		first *string
		older *[]string
	}{
		{keys.Secrets, &o.Secret, &o.OldSecrets},
		{keys.Validate, &o.ValidateKey, &o.OldValidateKeys},
		{keys.Encrypt, &o.EncryptKey, &o.OldEncryptKeys},
	} {
		*kind.older = nil
		for i, key := range kind.found {
			if i == 0 {
				*kind.first = key.Key
				continue
			}
			*kind.older = append(*kind.older, key.Key)
		}
	}
	return o, keys, s.place(&o, getenv)
}

// place sets where the sessions are.
func (s *storeFlags) place(o *compat.Options, getenv func(string) string) error {
	if s.kind != "" {
		o.Type = s.kind
	}
	if s.dataDir != "" {
		o.DataDir, o.FileDir, o.LockDir = s.dataDir, "", ""
		if s.kind == "" && o.Type != "dbm" {
			o.Type = "file"
		}
	}
	if o.Type == "" && (o.DataDir != "" || o.FileDir != "") {
		o.Type = "file" // Beaker's default (session.py, Session.__init__)
	}
	address := getenv(strings.ToUpper("gobeaker_" + strings.ReplaceAll(s.prefix, "-", "_") + "url"))
	if s.url != "" {
		if address != "" {
			return fmt.Errorf("--%surl and the variable GOBEAKER_%sURL: give one of them", s.prefix, strings.ToUpper(strings.ReplaceAll(s.prefix, "-", "_")))
		}
		if hasPassword(s.url) {
			return fmt.Errorf("--%surl: there is a password in it, which other users of the machine can read there: put it into a configuration file or the variable GOBEAKER_%[2]sURL",
				s.prefix, strings.ToUpper(strings.ReplaceAll(s.prefix, "-", "_")))
		}
		address = s.url
	}
	if address != "" {
		o.URL = address
	}
	return nil
}

// hasPassword reports whether there may be one. SQLAlchemy's passwords may have any letter
// in them, a slash, too, so url.Parse is no judge of where they end.
func hasPassword(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	user, _ := cutLast(cmp.Or(rest, address), "@")
	return strings.Contains(user, ":") || strings.Contains(strings.ToLower(address), "passw") && strings.Contains(address, "=")
}

// cutLast cuts around the last sep. Without one, all is after it.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:]
}

// close gives the connections back.
func (s *openStore) close() error { return closeStore(s.store) }

func closeStore(s stores.Store) error {
	if c, ok := stores.As[io.Closer](s); ok {
		return c.Close()
	}
	return nil
}

// there: a directory that is missing is a mistake in the command line, or a disk that
// is not mounted, rather than a store without sessions.
func (s *openStore) there(command string) error {
	o := s.options
	dir := o.DataDir
	switch {
	case o.Type == "file":
		dir = cmp.Or(o.FileDir, dir)
	case o.Type == "dbm":
		dir = cmp.Or(o.Extra["dbm_dir"], dir)
	default:
		return nil
	}
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", stores.ErrMissing, err)
	case err == nil && !info.IsDir():
		err = fmt.Errorf("%w: %s is not a directory", stores.ErrMissing, dir)
	case err == nil:
		return nil
	}
	return storeProblem(command, fmt.Errorf("%w: %w", stores.ErrUnavailable, err))
}

// openThere opens a store that somebody has used before.
func (s *storeFlags) openThere(command string, env Environment) (*openStore, error) {
	o, err := s.open(command, env)
	if err != nil {
		return nil, err
	}
	if err := o.there(command); err != nil {
		_ = o.close()
		return nil, err
	}
	return o, nil
}

// lister returns the store as one that can list, or says that it cannot.
func (s *openStore) lister(command string) (stores.Lister, error) {
	l, ok := stores.As[stores.Lister](s.store)
	if !ok {
		return nil, fail(exitNo, fmt.Errorf("%s: type = %s: such a store does not tell which sessions it has", command, s.options.Type))
	}
	return l, nil
}

// storeProblem gives an error of a store its exit code.
func storeProblem(command string, err error) error {
	return fail(storeCode(err), fmt.Errorf("%s: %w", command, err))
}

func storeCode(err error) int {
	switch {
	case errors.Is(err, stores.ErrUnavailable):
		return exitUnavailable
	case errors.Is(err, stores.ErrCorrupt):
		return exitCorrupt
	}
	return exitNo
}
