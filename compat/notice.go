package compat

import (
	"sync"
	"time"
)

// notice keeps a log line that a stranger can cause from filling the log: it
// is due at once, and then not for noticeInterval.
type notice struct {
	mu    sync.Mutex
	next  time.Time
	count int
}

const noticeInterval = time.Minute

// due counts one occurrence. If it is time for a line, it returns how many
// there were since the last one.
func (n *notice) due(now time.Time) (count int, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	if now.Before(n.next) {
		return 0, false
	}
	count, n.count, n.next = n.count, 0, now.Add(noticeInterval)
	return count, true
}
