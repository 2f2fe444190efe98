package memcachedstore

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/gobeaker/gobeaker/stores"
)

// How much is sent before its answers are read.
const (
	batchRecords = 500
	batchBytes   = 1 << 20
)

// addition is one record of an Insert.
type addition struct {
	n    int // its place
	item *memcache.Item
}

// Insert implements [stores.Inserter] by "add". The requests to a server are sent one
// after the other, without waiting for the answers.
func (s *Store) Insert(ctx context.Context, records []stores.Record) []error {
	errs := make([]error, len(records))
	var todo []addition
	for n, r := range records {
		item, err := s.addition(ctx, r)
		if errs[n] = err; err == nil {
			todo = append(todo, addition{n, item})
		}
	}
	for range 2*len(s.selector.servers) + serverRetries {
		if len(todo) == 0 {
			break
		}
		var again []addition
		for srv, part := range s.byServer(todo, errs) {
			again = append(again, s.add(ctx, srv, part, errs)...)
		}
		todo = again
	}
	for n, r := range records {
		errs[n] = failed("insert", r.ID, errs[n])
	}
	return errs
}

func (s *Store) addition(ctx context.Context, r stores.Record) (*memcache.Item, error) {
	key, err := s.key(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return s.encode(key, r.Value)
}

// byServer says which servers have which records to be. Those that none has keep the
// error of the last try, or get one.
func (s *Store) byServer(todo []addition, errs []error) map[*server][]addition {
	parts := map[*server][]addition{}
	for _, a := range todo {
		srv, err := s.selector.pick(a.item.Key)
		switch {
		case err == nil:
			parts[srv] = append(parts[srv], a)
		case errs[a.n] == nil:
			errs[a.n] = err
		}
	}
	return parts
}

// add adds records to a server. It returns those that were certainly not sent and can
// be tried again; their errors are set all the same.
func (s *Store) add(ctx context.Context, srv *server, part []addition, errs []error) (unsentOnes []addition) {
	l, finish, what, err := s.connect(ctx, srv)
	if err != nil {
		for _, a := range part {
			errs[a.n] = err
		}
		if what == unsent {
			return part
		}
		return nil
	}
	defer l.discard()
	defer finish()
	answers := bufio.NewReader(l)
	for len(part) > 0 {
		batch := part[:batchSize(part)]
		part = part[len(batch):]
		if what, err = s.addBatch(l, answers, batch, errs); err != nil {
			break
		}
	}
	if what == given {
		for _, a := range part {
			errs[a.n] = err
		}
		return nil
	}
	for _, a := range part {
		errs[a.n] = err
	}
	return part
}

func batchSize(part []addition) int {
	size := 0
	for n, a := range part {
		size += len(a.item.Value)
		if n == batchRecords || n > 0 && size > batchBytes {
			return n
		}
	}
	return len(part)
}

// addBatch sends the requests of a batch and reads the answers. An error is one by
// which the connection came to its end.
func (s *Store) addBatch(l *lane, answers *bufio.Reader, batch []addition, errs []error) (outcome, error) {
	done := 0
	_ = l.SetDeadline(time.Now().Add(l.io))
	_, err := l.Write(addRequests(batch))
	for err == nil && done < len(batch) {
		_ = l.SetDeadline(time.Now().Add(l.io))
		var line []byte
		if line, err = answers.ReadSlice('\n'); err == nil {
			errs[batch[done].n], err = l.server.added(string(line))
			done++
		}
	}
	if err == nil {
		return answered, nil
	}
	what, err := l.judge(err)
	s.note(l.server, what, err)
	for _, a := range batch[done:] {
		errs[a.n] = fmt.Errorf("%w: %w", stores.ErrUncertain, err)
	}
	return what, err
}

func addRequests(batch []addition) []byte {
	var out []byte
	for _, a := range batch {
		out = append(out, "add "...)
		out = append(out, a.item.Key...)
		out = append(out, ' ')
		out = strconv.AppendUint(out, uint64(a.item.Flags), 10)
		out = append(out, " 0 "...)
		out = strconv.AppendInt(out, int64(len(a.item.Value)), 10)
		out = append(out, "\r\n"...)
		out = append(out, a.item.Value...)
		out = append(out, "\r\n"...)
	}
	return out
}

// added reads the answer to an "add". With an answer that memcached does not give to
// it, those that follow cannot be told apart.
func (srv *server) added(line string) (of, end error) {
	switch strings.TrimSpace(line) {
	case "STORED":
		return nil, nil
	case "NOT_STORED":
		return stores.ErrExist, nil
	}
	refusal := srv.refusal(line)
	switch {
	case refusal == nil:
		return errNonsense, errNonsense
	case strings.HasPrefix(line, "SERVER_ERROR"):
		return refusal, nil
	}
	return refusal, refusal
}

// connect makes a connection of its own to a server.
func (s *Store) connect(ctx context.Context, srv *server) (l *lane, finish func(), what outcome, err error) {
	if srv.isClosed() {
		return nil, nil, answered, errClosed
	}
	l = newLane(srv, s.timeouts)
	finish = l.begin(ctx)
	if _, err := l.dial(); err != nil {
		finish()
		what, err := l.judge(err)
		s.note(srv, what, err)
		return nil, nil, what, err
	}
	return l, finish, answered, nil
}
