package redisstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

func failed(op, id string, err error) error { return fault.Wrap("redisstore", op, id, err) }

// refusal is an error that the server answered. Its text has nothing of the command:
// some servers repeat that, with the key or even a password.
type refusal struct {
	code   string // its first word, such as "READONLY"
	text   string
	reason error // a sentinel of package stores, or nil
}

func (r refusal) Error() string {
	if r.reason != nil {
		return r.reason.Error() + ": the server answers " + r.text
	}
	return "the server answers " + r.text
}

func (r refusal) Unwrap() error { return r.reason }

// reasons are what a refusal's first word means.
var reasons = map[string]error{
	"NOAUTH":    stores.ErrAccess,
	"WRONGPASS": stores.ErrAccess,
	"NOPERM":    stores.ErrAccess,
	"DENIED":    stores.ErrAccess, // protected mode
	"READONLY":  stores.ErrAccess, // a replica
	"OOM":       stores.ErrFull,   // maxmemory
	"WRONGTYPE": stores.ErrCorrupt,
}

// maxCode is more than the first word of any refusal has.
const maxCode = 32

// refused reads what a server answered.
func refused(text string) refusal {
	code, _, _ := strings.Cut(text, " ")
	r := refusal{code: code, text: code, reason: reasons[code]}
	if code == "" || len(code) > maxCode || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.code, r.text = "", "with an error"
		return r
	}
	switch {
	case strings.Contains(text, "No space left"): // MISCONF of a file that cannot be written
		r.reason = stores.ErrFull
	case code != "ERR":
	case strings.HasPrefix(text, "ERR DB index"):
		r.text, r.reason = "that there is no such database", stores.ErrMissing
	case strings.HasPrefix(text, "ERR invalid password"), strings.HasPrefix(text, "ERR AUTH"), strings.HasPrefix(text, "ERR Client sent AUTH"):
		r.text, r.reason = "that it wants no password, or another one", stores.ErrAccess
	case strings.HasPrefix(text, "ERR unknown command"):
		r.text = "that it does not know the command"
	case strings.HasPrefix(text, "ERR max number of clients"):
		r.text = "that it has too many clients"
	}
	return r
}

// transient are the refusals after which another try may succeed. Nothing was done.
var transient = []string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MOVED", "ASK"}

// cause is what went wrong, without anything that is secret, and with the sentinel
// that says why. Nil stays nil.
func cause(ctx context.Context, err error) error {
	var r redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(refusal)), errors.Is(err, stores.ErrUncertain), errors.Is(err, stores.ErrTooLarge):
		return err // seen already
	case errors.Is(err, redis.Nil):
		return errNoMaster
	case errors.As(err, &r):
		return refused(r.Error())
	case fault.Ended(ctx) != nil:
		return fault.Ended(ctx)
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return fmt.Errorf("%w: %w: all connections are in use", stores.ErrUnavailable, stores.ErrTimeout)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return stores.ErrTimeout // go-redis's own: the caller's has not ended
	case printable(err):
		return err
	}
	return errAnswer
}

var errNoMaster = errors.New("no sentinel knows a master of that name")

var errAnswer = errors.New("the answer is not that of a Redis")

func isRefusal(err error) bool {
	var r redis.Error
	return errors.As(err, &r)
}

// printable: what an error of the network or the client says of itself is an address
// at most. Others may have a part of an answer in them.
func printable(err error) bool {
	var (
		network net.Error
		op      *net.OpError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		host    x509.HostnameError
	)
	if errors.As(err, new(dialError)) || errors.As(err, &network) || errors.As(err, &op) ||
		errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &host) {
		return true
	}
	known := []error{io.EOF, io.ErrUnexpectedEOF, redis.ErrClosed, net.ErrClosed}
	if slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
		return true
	}
	text := err.Error()
	return strings.HasPrefix(text, "redis: all sentinels ") || strings.HasPrefix(text, "redis: cluster ") ||
		strings.HasPrefix(text, "redis: connection ")
}

// unsent reports whether a command with this error was certainly not carried out.
func unsent(err error) bool {
	return isRefusal(err) || errors.As(err, new(refusal)) || errors.As(err, new(dialError)) || errors.Is(err, redis.ErrClosed) ||
		errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) ||
		strings.HasPrefix(err.Error(), "redis: all sentinels ")
}

// uncertain is the cause of a failed write, which may have been done.
func uncertain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	c := cause(ctx, err)
	if unsent(err) || c == fault.Ended(ctx) {
		return c
	}
	if reason := fault.Reason(c); reason != nil {
		c = fmt.Errorf("%w: %w", reason, c)
	}
	return fmt.Errorf("%w: %w: %w", stores.ErrUnavailable, stores.ErrUncertain, c)
}

// again reports whether a command may be tried again: a read whenever another try
// may help, a write only if it was not done. Not after a timeout: the user waits.
func again(ctx context.Context, err error, write bool) bool {
	var (
		r redis.Error
		t net.Error
	)
	switch {
	case err == nil, fault.Ended(ctx) != nil, errors.Is(err, redis.ErrClosed), errors.As(err, new(settled)):
		return false
	case errors.As(err, &r):
		return slices.Contains(transient, refused(r.Error()).code)
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted),
		errors.As(err, &t) && t.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, new(dialError)):
		return true
	}
	return !write && printable(err)
}
