package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/stores"
)

// interruptible returns a context that ends with SIGINT or SIGTERM. A second one ends
// the process.
func interruptible() (context.Context, func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func (e *Environment) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// each calls f with each record until that returns false.
func (s *openStore) each(ctx context.Context, command string, f func(records.Record) bool) error {
	l, err := s.lister(command)
	if err != nil {
		return err
	}
	for info, err := range l.List(ctx, "") {
		if err != nil && info.ID == "" {
			return storeProblem(command, err)
		}
		r := records.Record{Info: info, Is: records.Unreadable, Err: err}
		if err == nil {
			if r, err = records.Look(ctx, s.store, s.manager, info); err != nil {
				return storeProblem(command, err)
			}
		}
		if !f(r) {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return fail(exitUnavailable, fmt.Errorf("%s: interrupted", command))
	}
	return nil
}

// leastDigits is how much of a hash has to be given.
const leastDigits = 4

// resolve finds the sessions that are meant by ids or by the beginnings of their
// hashes, with one look through the list.
func (s *openStore) resolve(ctx context.Context, command string, args []string) ([]string, error) {
	ids := make([]string, len(args))
	wanted := 0
	for i, arg := range args {
		if !s.options.IDs.Valid(arg) {
			return nil, usage("%s: this is no session id, nor the hash of one: letters, digits, _ and - only", command)
		}
		_, err := s.store.Get(ctx, arg)
		switch {
		case err == nil || records.IsOfRecord(err):
			ids[i] = arg
		case !errors.Is(err, stores.ErrNotExist):
			return nil, storeProblem(command, err)
		case isHash(arg):
			wanted++
		case isDigits(arg) && len(arg) < leastDigits:
			return nil, usage("%s: %s: too short for the beginning of a hash: give at least %d digits", command, arg, leastDigits)
		default:
			return nil, fail(exitNo, fmt.Errorf("%s: there is no session in %s with this id (its hash, by which logs name it, is %s)", command, s.where, beakerfmt.HashID(arg)))
		}
	}
	if wanted == 0 {
		return ids, nil
	}
	return ids, s.byHash(ctx, command, args, ids)
}

// isHash reports whether it may be the hash of an id, or how one begins.
func isHash(arg string) bool {
	return len(arg) >= leastDigits && len(arg) <= len(beakerfmt.HashID("")) && isDigits(arg)
}

func isDigits(arg string) bool { return strings.Trim(strings.ToLower(arg), "0123456789abcdef") == "" }

func (s *openStore) byHash(ctx context.Context, command string, args, ids []string) error {
	l, err := s.lister(command)
	if err != nil {
		return err
	}
	for info, err := range l.List(ctx, "") {
		if err != nil && info.ID == "" {
			return storeProblem(command, err)
		}
		hash := beakerfmt.HashID(info.ID)
		for i, arg := range args {
			if !isHash(arg) || ids[i] == arg || ids[i] == info.ID || !strings.HasPrefix(hash, strings.ToLower(arg)) {
				continue
			}
			if ids[i] != "" {
				return fail(exitNo, fmt.Errorf("%s: %s: the hashes of several sessions begin so; give more of it", command, arg))
			}
			ids[i] = info.ID
		}
	}
	for i, id := range ids {
		if id == "" {
			return fail(exitNo, fmt.Errorf("%s: %s: there is no session in %s with such an id or such a hash", command, args[i], s.where))
		}
	}
	return nil
}
