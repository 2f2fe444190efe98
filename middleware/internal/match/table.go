package match

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// Table finds values by matches. It is safe for concurrent use.
type Table[T any] struct {
	exact map[string][]Entry[T]
	wild  []wildcard[T] // the longest first
	any   []Entry[T]
	folds bool // some prefix is not as forwarded.Fold has it
}

// Entry is a value and what it is for.
type Entry[T any] struct {
	Match *Match
	Value T
}

type wildcard[T any] struct {
	suffix  string // ".example.org"
	entries []Entry[T]
}

// Question is what a value is looked for by, beside the path.
type Question struct {
	Host   string // as forwarded.Host.Name has it
	Method string
	Header http.Header
}

// NewTable returns a Table of entries.
func NewTable[T any](entries []Entry[T]) *Table[T] {
	t := &Table[T]{exact: map[string][]Entry[T]{}}
	wild := map[string][]Entry[T]{}
	for _, e := range entries {
		t.folds = t.folds || e.Match.prefix != e.Match.folded
		if len(e.Match.hosts) == 0 {
			t.any = append(t.any, e)
		}
		for _, h := range e.Match.hosts {
			if suffix, ok := strings.CutPrefix(h, "*"); ok {
				wild[suffix] = append(wild[suffix], e)
			} else {
				t.exact[h] = append(t.exact[h], e)
			}
		}
	}
	for _, list := range t.exact {
		slices.SortStableFunc(list, before)
	}
	for suffix, list := range wild {
		slices.SortStableFunc(list, before)
		t.wild = append(t.wild, wildcard[T]{suffix, list})
	}
	slices.SortFunc(t.wild, func(a, b wildcard[T]) int {
		return cmp.Or(cmp.Compare(len(b.suffix), len(a.suffix)), strings.Compare(a.suffix, b.suffix))
	})
	slices.SortStableFunc(t.any, before)
	return t
}

// Find returns what is for a question with a path, and whether something is.
func (t *Table[T]) Find(q *Question, path string) (T, bool) { return t.find(q, path, false) }

func (t *Table[T]) find(q *Question, path string, folded bool) (T, bool) {
	if e := first(t.exact[q.Host], q, path, folded); e != nil {
		return e.Value, true
	}
	for i := range t.wild {
		if w := &t.wild[i]; w.takes(q.Host) {
			if e := first(w.entries, q, path, folded); e != nil {
				return e.Value, true
			}
		}
	}
	if e := first(t.any, q, path, folded); e != nil {
		return e.Value, true
	}
	var none T
	return none, false
}

func (w *wildcard[T]) takes(host string) bool {
	return len(host) > len(w.suffix) && strings.HasSuffix(host, w.suffix)
}

func first[T any](entries []Entry[T], q *Question, path string, folded bool) *Entry[T] {
	for i := range entries {
		if m := entries[i].Match; m.placed(q, path, folded) && m.takes(q.Method) {
			return &entries[i]
		}
	}
	return nil
}

// Differs reports whether there is an application that reads the path such that it would be
// for something else than what Find found for Plain: for what strict says of it, found for
// another decoding, or for what loose says of it, found by an application that takes no
// notice of case, nor of dots and spaces at the end of a segment; nil: it is not looked for.
func (t *Table[T]) Differs(q *Question, p forwarded.Path, strict, loose func(other T, found bool) bool) bool {
	for _, path := range [...]string{p.Least, p.Most} {
		if path != p.Plain && strict(t.find(q, path, false)) {
			return true
		}
	}
	if loose == nil {
		return false
	}
	folded := forwarded.Fold(p.Most)
	if folded == p.Plain && !t.folds {
		return false
	}
	return loose(t.find(q, folded, true))
}

// Allowed returns the methods of the matches that are for this place (RFC 9110, 15.5.6), in
// order.
func (t *Table[T]) Allowed(q *Question, path string) (methods []string) {
	lists := [][]Entry[T]{t.exact[q.Host], t.any}
	for i := range t.wild {
		if t.wild[i].takes(q.Host) {
			lists = append(lists, t.wild[i].entries)
		}
	}
	for _, list := range lists {
		for _, e := range list {
			if e.Match.placed(q, path, false) {
				methods = append(methods, e.Match.methods...)
			}
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}
