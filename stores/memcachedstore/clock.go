package memcachedstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/stores/internal/skew"
)

// Now implements [stores.Clock] by "stats". memcached tells whole seconds, and takes the
// time once a second.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var clocks skew.Widest
	for _, srv := range s.selector.servers {
		asked := time.Now()
		said, err := s.timeOf(ctx, srv)
		if err != nil {
			return time.Time{}, failed("now", "", fmt.Errorf("%s: %w", srv.name, err))
		}
		clocks.Add(said.Add(time.Second/2), asked, time.Now())
	}
	return clocks.Now(), nil
}

// mostStats is how many lines of statistics are read: memcached has less than a hundred.
const mostStats = 10_000

var errNoTime = errors.New("the server's statistics have no time in them")

// timeOf asks one server, on a connection of its own.
func (s *Store) timeOf(ctx context.Context, srv *server) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	l, finish, _, err := s.connect(ctx, srv)
	if err != nil {
		return time.Time{}, err
	}
	defer l.discard()
	defer finish()
	_ = l.SetDeadline(time.Now().Add(l.io))
	if _, err := io.WriteString(l, "stats\r\n"); err != nil {
		_, err = l.judge(err)
		return time.Time{}, err
	}
	lines := bufio.NewReader(l)
	for range mostStats {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			_, err = l.judge(err)
			return time.Time{}, err
		}
		text := strings.TrimSpace(string(line))
		if seconds, is := strings.CutPrefix(text, "STAT time "); is {
			n, err := strconv.ParseInt(seconds, 10, 64)
			if err != nil {
				return time.Time{}, errNonsense
			}
			return time.Unix(n, 0), nil
		}
		if err := srv.refusal(text); err != nil {
			return time.Time{}, err
		}
		if !strings.HasPrefix(text, "STAT ") {
			break
		}
	}
	return time.Time{}, errNoTime
}
