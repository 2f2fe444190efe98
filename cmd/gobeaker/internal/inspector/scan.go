package inspector

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
	"github.com/gobeaker/gobeaker/stores"
)

// How far one page looks. What is beyond comes with the next one.
const (
	pageRows   = 50
	mostLooked = 5000    // records read
	mostListed = 200_000 // records listed
	mostTime   = 3 * time.Second
)

// errNoList: the store does not tell which sessions it has.
var errNoList = errors.New("inspector: this kind of store has no list of its sessions")

// position is where a page begins in the list of the store. It is sealed: it holds ids.
type position struct {
	From string `json:"f,omitempty"` // the Info.Cursor of the last record that was looked at
	Last string `json:"l,omitempty"` // its id
	// Run is how many records in a row, it among them, had that Cursor: a list that goes on
	// there may tell them again.
	Run    int `json:"r,omitempty"`
	Looked int `json:"n,omitempty"` // records before
}

// after lists the records after a position.
func after(ctx context.Context, l stores.Lister, at position) iter.Seq2[stores.Info, error] {
	const mostHeld = 4096
	return func(yield func(stores.Info, error) bool) {
		var held []stores.Info // they may be from before the position
		left := at.Run
		for info, err := range l.List(ctx, at.From) {
			if left > 0 && info.ID != "" {
				if left--; info.ID == at.Last {
					held, left = nil, 0
					continue
				}
				if at.Run <= mostHeld {
					held = append(held, info)
				}
				if left > 0 {
					continue
				}
			} else if !yield(info, err) {
				return
			}
			for _, h := range held { // the last one has gone: nothing is left out
				if !yield(h, nil) {
					return
				}
			}
			held = nil
		}
		for _, h := range held {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// matcher is what is looked for.
type matcher struct {
	hash  string // how the hash begins
	state string
	key   string // a pattern
	value string // a pattern, if equal
	equal bool
	hide  func(string) bool
}

// query is what somebody looks for.
type query struct {
	Text  string `json:"q,omitempty"`
	State string `json:"s,omitempty"`
}

const (
	leastDigits = 4 // of a hash
	mostText    = 400
)

// matcher makes one of a query, or says what is wrong with that.
func (i *inspector) matcher(q query) (m matcher, problem string) {
	m = matcher{state: q.State, hide: i.hide}
	text := strings.TrimSpace(q.Text)
	key, value, equal := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	switch {
	case len(text) > mostText:
		return m, "That is too long to look for. To look into a cookie, decode it."
	case isHash(text):
		m.hash = strings.ToLower(text)
	case equal && key == "":
		return m, "Before the = there has to be the name of a key."
	case equal && i.hide(key):
		return m, "Values under this key are masked, and cannot be searched."
	default:
		m.key, m.value, m.equal = strings.ToLower(key), strings.ToLower(strings.TrimSpace(value)), equal
	}
	return m, ""
}

// isHash reports whether it may be the hash of an id, or how one begins.
func isHash(text string) bool {
	return len(text) >= leastDigits && len(text) <= len(beakerfmt.HashID("")) &&
		strings.Trim(strings.ToLower(text), "0123456789abcdef") == ""
}

// mayBe reports whether a record is worth reading.
func (m *matcher) mayBe(id string) bool {
	return m.hash == "" || strings.HasPrefix(beakerfmt.HashID(id), m.hash)
}

func (m *matcher) wants(r *records.Record) bool {
	if m.state != "" && r.Is != m.state {
		return false
	}
	if m.key == "" {
		return true
	}
	return r.Values != nil && tree.Find(r.Values, tree.Options{Hide: m.hide}, func(l tree.Leaf) bool {
		if !wildcard(m.key, strings.ToLower(l.Key)) {
			return false
		}
		return !m.equal || !l.Hidden && !l.Parts && wildcard(m.value, lowered(l.Text))
	})
}

// lowered is a text in lower case; the end of a huge one is not looked at.
func lowered(text string) string {
	const most = 64 << 10
	return strings.ToLower(text[:min(len(text), most)])
}

// wildcard reports whether text is as the pattern says, where a * is any text.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = rest
	}
	return true
}

// scanned is what one page found.
type scanned struct {
	records []records.Record
	at      position // the end
	more    bool     // there is more behind it
}

// scan looks for the next sessions that match, within the bounds of a page.
func (i *inspector) scan(ctx context.Context, m *matcher, at position, rows int) (s scanned, err error) {
	l, ok := stores.As[stores.Lister](i.Store)
	if !ok {
		return s, errNoList
	}
	s.at = at
	begin, looked, listed := i.Now(), 0, 0
	for info, err := range after(ctx, l, at) {
		if err != nil && info.ID == "" {
			return s, err
		}
		if len(s.records) == rows || looked == mostLooked || listed == mostListed || i.Now().Sub(begin) > mostTime {
			s.more = true
			break
		}
		listed++
		if m.mayBe(info.ID) {
			r := records.Record{Info: info, Is: records.Unreadable, Err: err}
			if err == nil {
				looked++
				if r, err = records.Look(ctx, i.Store, i.Manager, info); err != nil {
					return s, err
				}
			}
			if m.wants(&r) {
				i.known.Add(r.Hash(), info.ID)
				s.records = append(s.records, r)
			}
		}
		s.at.pass(info)
	}
	return s, ctx.Err()
}

// pass goes on behind a record.
func (p *position) pass(info stores.Info) {
	if p.Run == 0 || info.Cursor != p.From {
		p.From, p.Run = info.Cursor, 1 // some cursors lead to before the first record that has them
	}
	p.Last, p.Run, p.Looked = info.ID, p.Run+1, p.Looked+1
}

// counter remembers how many sessions there are, as far as that is soon known.
type counter struct {
	mu   sync.Mutex
	n    int
	more bool // at least n
	at   time.Time
}

const (
	countTime = 300 * time.Millisecond
	countAge  = time.Minute
)

// count tells how many records the store has, as of countAge ago at most; more: it has
// more than that. One request counts at a time.
func (i *inspector) count(ctx context.Context) (n int, more, known bool) {
	l, ok := stores.As[stores.Lister](i.Store)
	if !ok {
		return 0, false, false
	}
	c := &i.counter
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := i.Now()
	if !c.at.IsZero() && begin.Sub(c.at) < countAge {
		return c.n, c.more, true
	}
	n = 0
	for info, err := range l.List(ctx, "") {
		if err != nil && info.ID == "" {
			return 0, false, false
		}
		if n == mostListed || i.Now().Sub(begin) > countTime {
			more = true
			break
		}
		n++
	}
	if ctx.Err() != nil {
		return 0, false, false
	}
	c.n, c.more, c.at = n, more, begin
	return n, more, true
}

// find returns the id of the session with this hash, with one look through the list if it
// was on no page yet. Where there is none, or none up to a position, the id is "".
func (i *inspector) find(ctx context.Context, hash string) (id string, up scanned, err error) {
	if id, ok := i.known.Get(hash); ok {
		return id, up, nil
	}
	m := matcher{hash: hash}
	up, err = i.scan(ctx, &m, position{}, 1)
	if err != nil || len(up.records) == 0 {
		return "", up, err
	}
	return up.records[0].ID, up, nil
}
