package redisstore

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
)

const (
	scanCount  = 512
	scanWindow = 8192 // ids that are remembered, so that none comes twice
)

// List implements [stores.Lister] by SCAN, of a cluster one master after the other.
// The server does not know when records were modified. A connection that is lost ends
// the list, as another process of the server would make nothing of the cursor.
//
// SCAN tells a key twice if the server makes its table smaller meanwhile. It goes
// through the buckets that will become one right after each other, so those keys
// follow each other soon: the last few thousand ids are remembered and not told again.
// In a table that shrinks by very much at once, one may still come twice.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		l := lister{Store: s, yield: yield, seen: window{ids: map[string]struct{}{}}}
		if err := l.run(ctx, from); err != nil {
			yield(stores.Info{}, failed("list", "", cause(ctx, err)))
		}
	}
}

// lister is one List.
type lister struct {
	*Store
	yield func(stores.Info, error) bool
	seen  window
	place place
}

// place is where a SCAN stands. Its text is an Info.Cursor.
type place struct {
	servers string // names the servers' processes, as cursors have no meaning to others; "" if it is not known
	node    int    // which of them
	cursor  uint64
}

func (p place) String() string {
	if p.servers == "" || p.node == 0 && p.cursor == 0 {
		return ""
	}
	return fmt.Sprintf("%s.%d.%d", p.servers, p.node, p.cursor)
}

// resume goes on where text says, if it is about the same servers.
func (p *place) resume(text string) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[0] != p.servers {
		return
	}
	node, err1 := strconv.Atoi(parts[1])
	cursor, err2 := strconv.ParseUint(parts[2], 10, 64)
	if err1 == nil && err2 == nil && node >= 0 {
		p.node, p.cursor = node, cursor
	}
}

// errStop: the caller wants no more.
var errStop = errors.New("stop")

func (l *lister) run(ctx context.Context, from string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	nodes, err := l.nodes(ctx)
	defer closeAll(nodes)
	if err != nil {
		return err
	}
	l.place.servers = fingerprint(nodes)
	l.place.resume(from)
	for l.place.node < len(nodes) {
		err := l.scan(ctx, nodes[l.place.node].conn)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scan goes through one server. The sizes of the keys of each answer come with the
// next answer.
func (l *lister) scan(ctx context.Context, conn *redis.Conn) error {
	var ids, keys []string
	cursor, started := l.place.cursor, false
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		pipe := conn.Pipeline()
		var next *redis.ScanCmd
		if !started || cursor != 0 {
			next = pipe.Scan(ctx, cursor, beakerfmt.RedisPattern, scanCount)
		}
		sizes := make([]*redis.IntCmd, len(keys))
		for i, key := range keys {
			sizes[i] = pipe.StrLen(ctx, key)
		}
		if pipe.Len() > 0 {
			if cmds, err := pipe.Exec(ctx); pipelineError(err, cmds) != nil {
				return err
			}
		}
		after := place{l.place.servers, l.place.node, cursor}
		if started && cursor == 0 {
			after.node++
		}
		if err := l.tell(ids, sizes, after); err != nil {
			return err
		}
		l.place = after
		if next == nil {
			return nil
		}
		page, following, err := next.Result()
		if err != nil {
			return err
		}
		ids, keys = l.fresh(page)
		cursor, started = following, true
	}
}

// pipelineError is the error of a pipeline that is not one of its commands', which
// the server refused each for itself.
func pipelineError(err error, cmds []redis.Cmder) error {
	ofOne := slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Err() != nil })
	if isRefusal(err) && ofOne {
		return nil
	}
	return err
}

// fresh are the sessions of an answer that were not told yet.
func (l *lister) fresh(page []string) (ids, keys []string) {
	for _, key := range page {
		if id, ok := beakerfmt.RedisID(key); ok && l.ids.Valid(id) && l.seen.add(id) {
			ids, keys = append(ids, id), append(keys, key)
		}
	}
	return ids, keys
}

// tell yields the sessions of one answer. After the last of them a list goes on
// behind the answer, after the others it has to begin with it again.
func (l *lister) tell(ids []string, sizes []*redis.IntCmd, after place) error {
	for i, id := range ids {
		info := stores.Info{ID: id, Size: max(sizes[i].Val(), 0), Cursor: l.place.String()}
		if i == len(ids)-1 {
			info.Cursor = after.String()
		}
		if !l.yield(info, nil) {
			return errStop
		}
	}
	return nil
}

// node is a server and a connection to it.
type node struct {
	run  string // the server's run_id
	addr string
	conn *redis.Conn
}

// nodes connects to the server or to all masters, in an order that lasts as long as
// they do.
func (s *Store) nodes(ctx context.Context) ([]node, error) {
	var (
		mu    sync.Mutex
		nodes []node
	)
	add := func(ctx context.Context, client *redis.Client) error {
		n := node{addr: client.Options().Addr, conn: client.Conn()}
		info, err := n.conn.Info(ctx, "server").Result()
		n.run = runID(info)
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, n)
		if err != nil && !redis.IsPermissionError(err) {
			return err
		}
		return nil
	}
	var err error
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, add)
	} else {
		err = add(ctx, s.client.(*redis.Client))
	}
	slices.SortFunc(nodes, func(a, b node) int { return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.addr, b.addr)) })
	return nodes, err
}

func closeAll(nodes []node) {
	for _, n := range nodes {
		_ = n.conn.Close()
	}
}

func runID(info string) string {
	for line := range strings.SplitSeq(info, "\r\n") {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			return id
		}
	}
	return ""
}

// fingerprint names the processes of all the nodes; "" if one of them did not tell.
func fingerprint(nodes []node) string {
	h := fnv.New128a()
	for _, n := range nodes {
		if n.run == "" {
			return ""
		}
		_, _ = h.Write([]byte(n.run + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// window remembers the last ids that were added to it.
type window struct {
	ids  map[string]struct{}
	ring []string
	next int
}

// add reports whether id is new, as far as it is remembered.
func (w *window) add(id string) bool {
	if _, known := w.ids[id]; known {
		return false
	}
	w.ids[id] = struct{}{}
	if len(w.ring) < scanWindow {
		w.ring = append(w.ring, id)
		return true
	}
	delete(w.ids, w.ring[w.next])
	w.ring[w.next] = id
	w.next = (w.next + 1) % len(w.ring)
	return true
}
