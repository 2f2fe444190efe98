package memcachedstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
)

// What a dump of the keys can be refused for.
var (
	errBusy      = errors.New("another dump of the keys is under way")
	errNoDump    = errors.New("the server cannot list its keys: that needs memcached 1.4.31 or later, with its LRU crawler")
	errNotByHash = errors.New("the server cannot go by its hash table")
)

// How long to wait for the end of somebody else's dump: a server makes one at a time.
const (
	firstBusyPause = 10 * time.Millisecond
	maxBusyPause   = 500 * time.Millisecond
	maxBusy        = 30
)

// List implements [stores.Lister] by "lru_crawler metadump", which memcached has
// since 1.4.31. Before 1.6.7 an item may be listed twice, or not, that memcached moves
// between its lists meanwhile. Sessions under a hashed key cannot be listed: such
// have an id of more than 242 bytes, which the zero IDs do not admit. memcached does
// not know when records were written, and a list begins at the beginning.
//
// A server that cannot be listed is the error at the end, after the records of the
// others.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		var errs []error
		for _, srv := range s.selector.servers {
			err := s.dump(ctx, srv, func(info stores.Info) bool { return yield(info, nil) })
			if errors.Is(err, errStopped) {
				return
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", srv.name, err))
			}
			if ctx.Err() != nil {
				break
			}
		}
		if err := errors.Join(errs...); err != nil {
			yield(stores.Info{}, failed("list", "", err))
		}
	}
}

// errStopped: the caller wants no more.
var errStopped = errors.New("stopped")

// dump lists the sessions of a server, waiting while somebody else does.
func (s *Store) dump(ctx context.Context, srv *server, yield func(stores.Info) bool) error {
	pauses := &backoff.ExponentialBackOff{InitialInterval: firstBusyPause, RandomizationFactor: 0.5, Multiplier: 1.5, MaxInterval: maxBusyPause}
	pauses.Reset()
	by := "hash"
	for range maxBusy {
		err := s.dumpOnce(ctx, srv, by, yield)
		switch {
		case errors.Is(err, errNotByHash):
			by = "all"
		case errors.Is(err, errBusy):
			if err := pause(ctx, pauses.NextBackOff()); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return errBusy
}

// dumpOnce uses a connection of its own: it lasts as long as the caller takes.
func (s *Store) dumpOnce(ctx context.Context, srv *server, by string, yield func(stores.Info) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, finish, _, err := s.connect(ctx, srv)
	if err != nil {
		return err
	}
	defer l.discard()
	defer finish()
	_ = l.SetDeadline(time.Now().Add(l.io))
	if _, err := io.WriteString(l, "lru_crawler metadump "+by+"\r\n"); err != nil {
		_, err = l.judge(err)
		return err
	}
	lines := bufio.NewReader(l)
	for {
		_ = l.SetDeadline(time.Now().Add(l.io))
		line, err := lines.ReadSlice('\n')
		if err != nil {
			_, err = l.judge(err)
			return err
		}
		srv.markAlive()
		info, is, err := s.dumped(srv, string(line), by)
		switch {
		case errors.Is(err, errEnd):
			return nil
		case err != nil:
			return err
		case is && !yield(info):
			return errStopped
		}
	}
}

// errEnd: the dump is complete.
var errEnd = errors.New("end")

// dumped reads a line of a dump. is says whether it is about a session that is where
// it is looked for: a copy may have been left on another server.
func (s *Store) dumped(srv *server, line, by string) (info stores.Info, is bool, err error) {
	line = strings.TrimSpace(line)
	first, rest, _ := strings.Cut(line, " ")
	quoted, isKey := strings.CutPrefix(first, "key=")
	if !isKey {
		return stores.Info{}, false, srv.noDump(line, by)
	}
	key, err := url.PathUnescape(quoted)
	if err != nil {
		return stores.Info{}, false, errNonsense
	}
	id, ok := beakerfmt.MemcachedID(key, s.python)
	if !ok || !s.ids.Valid(id) {
		return stores.Info{}, false, nil
	}
	if at, err := s.selector.pick(key); err == nil && at != srv {
		return stores.Info{}, false, nil
	}
	return stores.Info{ID: id, Size: sizeIn(rest)}, true, nil
}

// noDump says why a line is not about an item.
func (srv *server) noDump(line, by string) error {
	kind, _, _ := strings.Cut(line, " ")
	switch {
	case line == "END":
		return errEnd
	case kind == "BUSY":
		return errBusy
	case strings.Contains(line, "crawler disabled"):
		return errNoDump
	case by == "hash" && (kind == "BADCLASS" || kind == "ERROR" || kind == "CLIENT_ERROR"):
		return errNotByHash
	case kind == "ERROR":
		return errNoDump
	}
	if err := srv.refusal(line); err != nil {
		return err
	}
	return errNonsense
}

// sizeIn finds "size=120" among the facts of an item; 0 if it is not there.
func sizeIn(facts string) int64 {
	_, after, _ := strings.Cut(" "+facts, " size=")
	digits, _, _ := strings.Cut(after, " ")
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || size < 0 {
		return 0
	}
	return size
}
