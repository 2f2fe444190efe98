// Package backend opens the store that Beaker's options ask for. It is the one
// place that knows all of them.
package backend

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// ErrUnsupported: there is no store for the type that the options name.
var ErrUnsupported = errors.New("session type has no store")

// Open returns the store of o.Type; if that is empty, Beaker's default: files if
// there is a directory for them, else memory. For "cookie", sessions that live in
// the cookie alone, it is nil, as compat.New wants it. It does not touch the disk
// or the network: see [stores.Pinger].
//
// Of o.Extra it reads "fsync", a word as in the other options (true, yes, on …),
// for the file store. Beaker has no such option and passes over it.
func Open(o compat.Options) (stores.Store, error) {
	kind := o.Type
	if kind == "" {
		kind = defaultType(o)
	}
	switch kind {
	case "file":
		return openFiles(o)
	case "memory":
		return &memstore.Store{IDs: o.IDs}, nil
	case "cookie":
		return nil, nil
	case "dbm", "ext:memcached", "ext:redis", "ext:rediscluster", "ext:mongodb", "ext:database", "ext:sqla", "ext:google":
		return nil, refused(kind, "share the sessions by type = file")
	}
	return nil, refused(kind, "it must be file, memory or cookie")
}

func refused(kind, advice string) error {
	return fmt.Errorf("backend: open: type = %s: %w: %s", kind, ErrUnsupported, advice)
}

// defaultType is the type of who names none (session.py, Session.__init__).
func defaultType(o compat.Options) string {
	if o.DataDir != "" {
		return "file"
	}
	return "memory"
}

func openFiles(o compat.Options) (stores.Store, error) {
	sync, err := truth(o.Extra["fsync"])
	if err != nil {
		return nil, fmt.Errorf("backend: open: fsync: %w", err)
	}
	s, err := filestore.New(filestore.Options{
		DataDir: o.DataDir, FileDir: o.FileDir, LockDir: o.LockDir, IDs: o.IDs, Fsync: sync,
	})
	if err != nil {
		return nil, fmt.Errorf("backend: open: type = file: %w", err)
	}
	return s, nil
}

// truth reads a word as Beaker does (converters.py, asbool). No word is false.
func truth(word string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "true", "yes", "on", "y", "t", "1":
		return true, nil
	case "false", "no", "off", "n", "f", "0", "":
		return false, nil
	}
	return false, fmt.Errorf("%q is not true or false", word)
}
