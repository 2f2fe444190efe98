package tiered

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/stores"
)

// listing is a tier that can list.
type listing struct {
	*tier
	old, new stores.Lister // new is nil if the old store's records are all that count
}

// lister returns nil if the stores do not tell what they have.
func (t *tier) lister() *listing {
	old, ok := stores.As[stores.Lister](t.old.Store)
	if !ok {
		return nil
	}
	if t.o.Read == ReadOld {
		return &listing{tier: t, old: old}
	}
	l, ok := stores.As[stores.Lister](t.new.Store)
	if !ok {
		return nil
	}
	return &listing{tier: t, old: old, new: l}
}

// The beginnings of cursors.
const (
	inOld = "o"
	inNew = "n"
)

// List implements [stores.Lister]: the records of the old store, then those of the new
// one that the old one does not have. In this order nothing is left out that is
// copied meanwhile; what is moved meanwhile may be listed twice.
func (l *listing) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		if at, inNewAlready := strings.CutPrefix(from, inNew); inNewAlready {
			l.listNew(ctx, at, yield)
			return
		}
		for info, err := range l.old.List(ctx, strings.TrimPrefix(from, inOld)) {
			if l.new != nil {
				info.Modified = time.Time{} // the new store may have a later record
			}
			if info.Cursor != "" {
				info.Cursor = inOld + info.Cursor
			}
			if !yield(info, l.tier.old.wrap(err)) || err != nil && info.ID == "" {
				return
			}
		}
		l.listNew(ctx, "", yield)
	}
}

func (l *listing) listNew(ctx context.Context, from string, yield func(stores.Info, error) bool) {
	if l.new == nil {
		return
	}
	for info, err := range l.new.List(ctx, from) {
		err = l.tier.new.wrap(err)
		if err == nil {
			there, e := l.isOld(ctx, info.ID)
			if there {
				continue
			}
			err = e
		}
		info.Cursor = inNew + info.Cursor
		if !yield(info, err) || err != nil && info.ID == "" {
			return
		}
	}
}

// isOld reports whether the old store has listed a record.
func (l *listing) isOld(ctx context.Context, id string) (bool, error) {
	v, err := l.tier.old.find(ctx, id)
	if errors.Is(err, stores.ErrCorrupt) {
		return true, nil
	}
	return v != nil, err
}
