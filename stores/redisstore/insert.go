package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
)

// maxBatchBytes keeps what is sent at once well below what a timeout allows for.
const maxBatchBytes = 1 << 20

// Insert implements [stores.Inserter] by pipelines of SET NX.
func (s *Store) Insert(ctx context.Context, records []stores.Record) []error {
	errs := make([]error, len(records))
	b := batch{Store: s, errs: errs, records: records}
	for i, r := range records {
		if err := s.check(ctx, r.ID); err != nil {
			errs[i] = failed("insert", r.ID, err)
			continue
		}
		data, err := s.encode(r.Value)
		if err != nil {
			errs[i] = failed("insert", r.ID, err)
			continue
		}
		b.add(ctx, i, data)
	}
	b.flush(ctx)
	return errs
}

// batch is what will be sent at once.
type batch struct {
	*Store
	records []stores.Record
	errs    []error

	cmds    []*redis.ZeroCopyStringCmd
	indices []int
	bytes   int
	failed  error // of the batch, where its commands do not tell: nothing was sent
	lost    error // why no further batch is tried
}

func (b *batch) add(ctx context.Context, i int, data []byte) {
	if len(b.cmds) == maxPipeline || len(b.cmds) > 0 && b.bytes+len(data) > maxBatchBytes {
		b.flush(ctx)
	}
	b.cmds = append(b.cmds, b.setNew(ctx, beakerfmt.RedisKey(b.records[i].ID), data))
	b.indices = append(b.indices, i)
	b.bytes += len(data)
}

// flush sends the batch. When the server is lost the batches after it are given up:
// each would wait for it again.
func (b *batch) flush(ctx context.Context) {
	lost := b.lost
	if len(b.cmds) > 0 && lost == nil {
		b.send(ctx)
	}
	for n, i := range b.indices {
		err := lost
		if err == nil {
			err = b.outcome(ctx, b.cmds[n])
		}
		b.errs[i] = failed("insert", b.records[i].ID, err)
	}
	b.cmds, b.indices, b.bytes = nil, nil, 0
}

func (b *batch) send(ctx context.Context) {
	op := func() error {
		pipe := b.client.Pipeline()
		for _, cmd := range b.cmds {
			cmd.SetErr(nil)
			_ = pipe.Process(ctx, cmd)
		}
		_, b.failed = pipe.Exec(ctx)
		return b.failed
	}
	err := op()
	if b.unsent() && again(ctx, err, true) {
		_ = b.retry(ctx, true, op)
	}
	for _, cmd := range b.cmds {
		if err := b.errorOf(cmd); err != nil && !isRefusal(err) {
			b.lost = cause(ctx, err)
			return
		}
	}
}

// errorOf is the error of one command. go-redis tells none if the server did not let
// the connection in: the answer is looked at.
func (b *batch) errorOf(cmd *redis.ZeroCopyStringCmd) error {
	if err := cmd.Err(); err != nil || string(cmd.Bytes()) == "OK" {
		return err
	}
	if b.failed != nil {
		return b.failed
	}
	return errAnswer
}

// unsent reports whether nothing of the batch was sent. Of a cluster some part may
// have been, and go-redis has tried the others again.
func (b *batch) unsent() bool {
	for _, cmd := range b.cmds {
		if !errors.As(cmd.Err(), new(dialError)) {
			return false
		}
	}
	return true
}

// outcome is what became of one command.
func (b *batch) outcome(ctx context.Context, cmd *redis.ZeroCopyStringCmd) error {
	err := b.errorOf(cmd)
	if err == redis.Nil {
		return stores.ErrExist
	}
	return uncertain(ctx, err)
}
