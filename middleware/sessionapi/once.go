package sessionapi

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of what is remembered for Idempotency-Key.
const (
	keepFor    = 10 * time.Minute
	keepMost   = 10_000
	keepBytes  = 32 << 20
	maxKeyText = 255
)

// once does what a request asks for, unless one with the same Idempotency-Key, of the
// same caller and about the same session, was done before: then it is answered as that
// one was (draft-ietf-httpapi-idempotency-key-header). Only what was done is remembered;
// what was refused changed nothing, and may be tried again.
//
// An answer with the cookie of a new session or of a new id is not remembered: it must not
// go to a second visitor because a service gives two requests one key, nor to who knew the
// old id. Of a session that has ended since, no answer is repeated. Of two cookie-only
// sessions with one id the newer has what the other lacks, so they are not the same.
func (a *api) once(c *call, lines []string, op operation) (*answer, error) {
	key := strings.Trim(lines[0], `"`)
	if len(lines) != 1 || key == "" || len(key) > maxKeyText || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, badRequest.problem("Idempotency-Key is one text of at most 255 printable characters.")
	}
	object, done := a.sessions.Open(c.Request)
	defer a.closed(c, done)
	id, ok := object.ID()
	if !ok {
		return op.do(c)
	}
	if object.InCookie() {
		id = strings.Join(c.Header["Cookie"], "; ")
	}
	about := digest(string(c.caller[:]), id, key)
	request := digest(c.Method, c.URL.RequestURI(), strings.Join(c.Header["If-Match"], ","), strings.Join(c.Header["If-None-Match"], ","), string(c.body))
	kept, err := a.answers.begin(about, request)
	if err != nil {
		return nil, err
	}
	if kept != nil {
		view, err := object.Peek(c.Context())
		if err != nil {
			return nil, err
		}
		if view.IsNew() {
			return nil, sessionEnded.problem("It was done, and the session has ended since. A request with another key begins a new one.")
		}
		again := &answer{status: kept.status, header: kept.header.Clone(), body: kept.body}
		again.header.Set("Idempotency-Replayed", "true")
		return again, nil
	}
	var ans *answer
	defer func() {
		if c.began {
			ans = nil
		}
		a.answers.end(about, request, ans)
	}()
	ans, err = op.do(c)
	return ans, err
}

type sum = [sha256.Size]byte

// digest tells lists of texts apart, whatever is in them.
func digest(texts ...string) sum {
	h := sha256.New()
	for _, text := range texts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	return sum(h.Sum(nil))
}

// Answers are what requests with an Idempotency-Key were answered, and which of them are
// under way. They can outlive the API that a reload replaces ([Options.Answers]). It holds
// digests of keys and ids; what was answered, it holds as it was. It is safe for concurrent
// use.
type Answers struct {
	now func() time.Time

	mu    sync.Mutex
	busy  map[sum]sum // what they ask for
	done  *simplelru.LRU[sum, remembered]
	bytes int
}

type remembered struct {
	request sum
	until   time.Time
	*answer
}

// size is about what it takes in memory.
func (r remembered) size() int {
	n := len(r.body) + 512
	for name, lines := range r.header {
		n += len(name)
		for _, line := range lines {
			n += len(line)
		}
	}
	return n
}

// NewAnswers returns Answers that remember nothing yet. Now is the clock; nil: time.Now.
func NewAnswers(now func() time.Time) *Answers {
	if now == nil {
		now = time.Now
	}
	s := &Answers{now: now, busy: map[sum]sum{}}
	// The only error is that of a size which is not positive.
	s.done, _ = simplelru.NewLRU(keepMost, func(_ sum, r remembered) { s.bytes -= r.size() })
	return s
}

// begin returns the answer that is remembered, or nil: then the request is to be done,
// and end to be called.
func (s *Answers) begin(about, request sum) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, busy := s.busy[about]
	kept, known := s.done.Peek(about)
	if known && !s.now().Before(kept.until) {
		s.done.Remove(about)
		known = false
	}
	switch {
	case busy && asked != request, known && kept.request != request:
		return nil, keyReused.problem("Another request had the same key: make a new one for each.")
	case busy:
		p := inProgress.problem("Ask again for its answer.")
		p.header = http.Header{"Retry-After": {retryAfter}}
		return nil, p
	case known:
		return kept.answer, nil
	}
	s.busy[about] = request
	return nil, nil
}

// end remembers an answer; nil: there is none to be remembered.
func (s *Answers) end(about, request sum, ans *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, about)
	if ans == nil {
		return
	}
	r := remembered{request: request, until: s.now().Add(keepFor), answer: ans}
	s.bytes += r.size()
	s.done.Add(about, r)
	for s.bytes > keepBytes {
		s.done.RemoveOldest()
	}
}
