package facts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// The defaults of SampleOptions, and what one record may cost.
const (
	defaultSessions = 1000
	defaultNames    = 200_000
	defaultTime     = 20 * time.Second
	recordTime      = 2 * time.Second
	leastWait       = 20 * time.Millisecond
)

// SampleOptions say what [TakeSample] looks at, and how much of it.
type SampleOptions struct {
	// Options are the session options of the side, with its keys; AcceptPlaintext does
	// not matter: what is in clear is read, and counted.
	Options compat.Options
	// Sessions is how many are read at most; 0: 1,000. Names is how many are listed at
	// most; 0: 200,000. Time bounds all of it; 0: 20 seconds.
	Sessions int
	Names    int64
	Time     time.Duration
	// Crawl: memcached may be asked for all its keys (lru_crawler metadump), which keeps
	// it from answering others for moments.
	Crawl bool
	// Now is the clock by which sessions expire; nil: time.Now.
	Now func() time.Time
	// Random chooses; nil: at random.
	Random *rand.Rand
}

// TakeSample reads some of the sessions of a store, spread over all of it. It opens the
// store, takes no locks for writing, makes nothing that is missing, and closes it. What
// goes wrong is in Sample.Problem.
func TakeSample(ctx context.Context, o SampleOptions) *Sample {
	o.Sessions = cmp.Or(o.Sessions, defaultSessions)
	o.Names = cmp.Or(o.Names, defaultNames)
	o.Time = cmp.Or(o.Time, defaultTime)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	begun := time.Now()
	t := newTaker(o)
	store, err := openToLook(o.Options)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, o.Time)
		err = t.take(ctx, store)
		cancel()
		closeStore(store)
	}
	t.Problem = problem(err)
	t.finish()
	t.Took = time.Since(begun)
	return &t.Sample
}

func closeStore(s stores.Store) {
	if c, ok := stores.As[io.Closer](s); ok {
		_ = c.Close()
	}
}

// openToLook opens the store of these options so that nothing is made in it.
func openToLook(o compat.Options) (stores.Store, error) {
	switch kindOf(o) {
	case "cookie":
		return nil, fmt.Errorf("%w: with type = cookie the sessions are with their browsers", errors.ErrUnsupported)
	case "memory":
		return nil, fmt.Errorf("%w: with type = memory the sessions are in their process, out of reach", errors.ErrUnsupported)
	case "file", "dbm":
		dir := recordDir(o)
		if dir == "" {
			break // the back end says what is missing
		}
		if info, err := os.Stat(dir); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, fmt.Errorf("%s: %w", dir, syscall.ENOTDIR)
		}
	case "ext:database", "ext:sqla":
		extra := map[string]string{}
		maps.Copy(extra, o.Extra)
		extra["create_table"], extra["read_only"] = "false", "true"
		o.Extra = extra
	}
	return backend.Open(o)
}

// kindOf is the type of who names none, too (session.py, Session.__init__).
func kindOf(o compat.Options) string {
	switch {
	case o.Type != "":
		return o.Type
	case o.DataDir != "":
		return "file"
	}
	return "memory"
}

// recordDir is where files and dbm have their records; "" for other stores, and where
// that is not said.
func recordDir(o compat.Options) string {
	switch kindOf(o) {
	case "file":
		return directory(o.FileDir, o.DataDir, "container_file")
	case "dbm":
		return directory(o.Extra["dbm_dir"], o.DataDir, "container_dbm")
	}
	return ""
}

// lockDir is where they have their locks.
func lockDir(o compat.Options) string {
	return directory(o.LockDir, o.DataDir, "container_"+kindOf(o)+"_lock")
}

// directory is one that is named, or that one below data_dir.
func directory(named, dataDir, below string) string {
	if named != "" || dataDir == "" {
		return named
	}
	return filepath.Join(dataDir, below)
}

// taker takes a sample.
type taker struct {
	Sample
	o     SampleOptions
	codec *beakerfmt.Codec
	count counter
	wait  time.Duration // for the next lock
}

func newTaker(o SampleOptions) *taker {
	t := &taker{o: o, wait: recordTime, codec: keysOf(o.Options).Codec(o.Options.EncryptNonceBits)}
	t.Where = kindOf(o.Options)
	if dir := recordDir(o.Options); dir != "" {
		t.Where += " in " + dir
	}
	return t
}

// keysOf are all keys of some options.
func keysOf(o compat.Options) inspect.Keys {
	list := func(name, first string, older []string) (out []inspect.Key) {
		for i, key := range append([]string{first}, older...) {
			if key != "" {
				out = append(out, inspect.Key{Name: fmt.Sprintf("%s %d", name, i), Key: key})
			}
		}
		return out
	}
	return inspect.Keys{
		Secrets:  list("secret", o.Secret, o.OldSecrets),
		Validate: list("validate_key", o.ValidateKey, o.OldValidateKeys),
		Encrypt:  list("encrypt_key", o.EncryptKey, o.OldEncryptKeys),
	}
}

// take lists and reads. The error says why that did not come to its end.
func (t *taker) take(ctx context.Context, s stores.Store) error {
	if kindOf(t.o.Options) == "ext:memcached" && !t.o.Crawl {
		return errNotAllowed
	}
	l, ok := stores.As[stores.Lister](s)
	if !ok {
		return fmt.Errorf("%w: such a store does not tell which sessions it has", errors.ErrUnsupported)
	}
	chosen, err := t.choose(ctx, l)
	for _, info := range chosen {
		if ctx.Err() != nil {
			break
		}
		if e := t.read(ctx, s, info); e != nil {
			return e
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

var errNotAllowed = errors.New("memcached lists its keys only by its LRU crawler, which was not allowed")

// choose lists the store, or as much of it as its limits allow, and draws from that.
// Listing may take half of the time. Where the list is in the order of the ids and has
// no end in that, the rest of the half goes into beginnings of it elsewhere.
func (t *taker) choose(ctx context.Context, l stores.Lister) ([]stores.Info, error) {
	first, cancel := context.WithTimeout(ctx, t.o.Time/3)
	defer cancel()
	draw := reservoir{most: t.o.Sessions, random: t.o.Random}
	complete, err := t.list(first, l.List(first, ""), t.o.Names, &draw)
	t.Complete = complete
	if err != nil && (ctx.Err() != nil || first.Err() == nil) || complete {
		return draw.kept, err
	}
	starts := t.starts()
	if len(starts) == 0 { // the list is in no order that goes by the ids: it is well mixed as it is
		return draw.kept, nil
	}
	rest, cancelRest := context.WithTimeout(ctx, t.o.Time/6)
	defer cancelRest()
	var all []stores.Info
	for _, from := range starts {
		some := reservoir{most: max(t.o.Sessions/len(starts), 1), random: t.o.Random}
		if _, err := t.list(rest, l.List(rest, from), int64(some.most)*4, &some); err != nil {
			break
		}
		all = append(all, some.kept...)
	}
	if len(all) < len(draw.kept)/2 { // there was hardly any time for it
		return draw.kept, nil
	}
	return all, nil
}

// list draws from a list until its end, which it reports, or until most names were seen.
func (t *taker) list(ctx context.Context, all iter.Seq2[stores.Info, error], most int64, draw *reservoir) (complete bool, err error) {
	n := int64(0)
	for info, err := range all {
		if err != nil && info.ID == "" {
			return false, err
		}
		if n == most {
			return false, nil
		}
		n++
		t.Listed++
		if err != nil {
			t.unreadable(info.ID, err)
			continue
		}
		draw.add(info)
	}
	return ctx.Err() == nil, ctx.Err()
}

// starts are cursors from which a list of that kind can begin, spread over the ids of
// Beaker, which are hexadecimal.
func (t *taker) starts() []string {
	var out []string
	for _, digit := range "0123456789abcdef" {
		d := string(digit)
		switch kindOf(t.o.Options) {
		case "file", "dbm":
			out = append(out, d+"/"+d)
		case "ext:database", "ext:sqla", "ext:mongodb":
			out = append(out, d)
		}
	}
	return out
}

// reservoir keeps so many of what is added to it, each with the same probability.
type reservoir struct {
	most   int
	random *rand.Rand
	seen   int
	kept   []stores.Info
}

func (r *reservoir) add(i stores.Info) {
	r.seen++
	i.Cursor = ""
	if len(r.kept) < r.most {
		r.kept = append(r.kept, i)
		return
	}
	if at := r.random.IntN(r.seen); at < r.most {
		r.kept[at] = i
	}
}

// read looks at one record. The error is one of the store.
func (t *taker) read(ctx context.Context, s stores.Store, info stores.Info) error {
	locks := recordDir(t.o.Options) != ""
	mine, cancel := ctx, context.CancelFunc(func() {})
	if locks {
		mine, cancel = context.WithTimeout(ctx, t.wait)
	}
	defer cancel()
	v, err := stores.Look(mine, s, info.ID)
	switch {
	case errors.Is(err, stores.ErrNotExist) && !t.isThere(info.ID):
		t.Gone++
		return nil
	case errors.Is(err, stores.ErrNotExist): // a record without a session
		t.Looked++
		t.count.add(&t.States, "empty", info.ID)
		return nil
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil && locks && mine.Err() != nil: // there is nothing wrong with it
		t.Looked++
		t.count.add(&t.States, "locked", info.ID)
		t.wait = max(t.wait/2, leastWait) // many of them shall not take all of the time
		return nil
	case err != nil && !isOfRecord(err):
		return err
	case err != nil:
		t.unreadable(info.ID, err)
		return nil
	}
	t.Looked++
	t.LargestIn = max(t.LargestIn, info.Size)
	d, err := t.raw(info.ID)
	if err != nil {
		d, err = inspect.Stored(v, t.codec)
	}
	t.add(info, &d, err)
	return nil
}

// isOfRecord reports whether an error is about one record alone.
func isOfRecord(err error) bool {
	return errors.Is(err, stores.ErrCorrupt) || errors.Is(err, stores.ErrAccess) || errors.Is(err, stores.ErrInvalidID)
}

// isThere reports whether there is a file of the session. Of other stores it is not known.
func (t *taker) isThere(id string) bool {
	if kindOf(t.o.Options) != "file" {
		return false
	}
	_, err := os.Lstat(t.path(id))
	return err == nil
}

func (t *taker) path(id string) string {
	return filepath.Join(recordDir(t.o.Options), filepath.FromSlash(beakerfmt.DataPath(id)))
}

// mostRaw bounds the records of which the container is looked at, in bytes.
const mostRaw = 1 << 20

var errNoRaw = errors.New("the container is out of reach")

// raw reads the record of a file store with its container, which tells of the Python
// that wrote it. It may fail where a lock would be needed.
func (t *taker) raw(id string) (inspect.Decoded, error) {
	if kindOf(t.o.Options) != "file" {
		return inspect.Decoded{}, errNoRaw
	}
	f, err := os.OpenFile(t.path(id), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return inspect.Decoded{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > mostRaw {
		return inspect.Decoded{}, errNoRaw
	}
	data, err := io.ReadAll(io.LimitReader(f, mostRaw))
	if err != nil {
		return inspect.Decoded{}, err
	}
	return inspect.File(data, t.codec)
}

// unreadable counts a record that cannot be read.
func (t *taker) unreadable(id string, err error) {
	t.Looked++
	state := "unreadable"
	switch {
	case errors.Is(err, beakerfmt.ErrEncrypted) || errors.Is(err, beakerfmt.ErrDecrypt):
		state = "encrypted"
	case errors.Is(err, stores.ErrAccess) || errors.Is(err, fs.ErrPermission): // it may be in the best of health
		state = "forbidden"
	}
	t.count.add(&t.States, state, id)
	t.count.add(&t.Reasons, reason(err), id)
}

// finish sorts what was counted.
func (t *taker) finish() {
	t.Classes = t.count.classesInOrder()
	t.Losses = t.count.lossesInOrder()
	t.Whole = t.count.formsInOrder()
	slices.SortFunc(t.Modified, func(a, b Moment) int { return b.Store.Compare(a.Store) })
	t.Modified = t.Modified[:min(len(t.Modified), mostMoments)]
}

// mostMoments is how many of the newest records tell of a file server's clock.
const mostMoments = 200
