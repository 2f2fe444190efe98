package filestore

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
)

// sweepHammer locks, reads and writes as Beaker does (synchronization.py,
// FileSynchronizer; container.py, FileNamespaceManager), without a second look at the
// lock file. In the critical section it makes a file that must not be there, and
// compares the record with a ledger that is only written there, too. Half of what it
// writes is dead: then the sweep may remove the record and its lock file.
const sweepHammer = `
import fcntl, json, os, pickle, random, sys
from hashlib import sha1

root, rounds, ids = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
faults, done = [], {}

def makedirs(path):
    if not os.path.exists(path):
        try:
            os.makedirs(path)
        except OSError:
            if not os.path.isdir(path):
                raise

def load(path, what):
    try:
        with open(path, 'rb') as f:
            return what(f)
    except (IOError, OSError):
        return None

def write(path, text):
    with open(path + '.new', 'w') as f:
        f.write(text)
    os.rename(path + '.new', path)

def visit(id, number):
    h = sha1(id.encode('ascii')).hexdigest()
    lockdir = os.path.join(root, 'container_file_lock', h[:1], h[:2])
    datadir = os.path.join(root, 'container_file', id[:1], id[:2])
    makedirs(lockdir)
    makedirs(datadir)
    record, ledger, guard = os.path.join(datadir, id + '.cache'), os.path.join(root, id + '.ledger'), os.path.join(root, id + '.guard')
    reads = random.random() < 0.3
    if reads:
        fd = os.open(os.path.join(lockdir, h + '.lock'), os.O_CREAT | os.O_RDONLY, 0o777)
        fcntl.flock(fd, fcntl.LOCK_SH)
    else:
        fd = os.open(os.path.join(lockdir, h + '.lock'), os.O_CREAT | os.O_WRONLY, 0o777)
        fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        if not reads:
            os.close(os.open(guard, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        known = load(ledger, lambda f: json.loads(f.read().decode('ascii'))) or {'n': 0, 'dead': True}
        found = load(record, pickle.load)
        if found is None:
            if not known['dead']:
                faults.append('a live record is gone')
        elif found['session']['n'] != known['n'] or bool(found['session']['dead']) != known['dead']:
            faults.append('lost update: %r, ledger %r' % (found, known))
        if not reads:
            n, dead = known['n'] + 1, random.random() < 0.5
            data = pickle.dumps({'session': {'n': n, 'dead': dead}}, 2)
            if number % 2:                      # Beaker up to 1.9.0
                with open(record, 'wb') as f:
                    f.write(data[:10])
                    f.flush()
                    f.write(data[10:])
            else:
                with open(record + '.temp', 'wb') as f:
                    f.write(data)
                os.rename(record + '.temp', record)
            write(ledger, json.dumps({'n': n, 'dead': dead}))
            done[id] = done.get(id, 0) + 1
            os.unlink(guard)
    except OSError as e:
        faults.append('two in the critical section: %s' % e)
    except Exception as e:
        faults.append('torn: %r' % e)
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)

for number in range(rounds):
    visit(random.choice(ids), number)
print(json.dumps({'faults': faults[:5], 'done': done}))
`

// sweepRounds is how often each process takes a lock.
const sweepRounds = 150

type sweepReport struct {
	Faults []string
	Done   map[string]int
}

// TestSweepBesidePython: while Pythons and Stores of this process lock, write and
// delete a few sessions, sweeps remove what is dead and every lock file that they may.
// Nobody is ever alone with a lock file that has no name.
func TestSweepBesidePython(t *testing.T) {
	s := open(t, Options{})
	ids := []string{"a0000000000000000000000000000001", "a0000000000000000000000000000002", "b0000000000000000000000000000003"}
	var commands []*exec.Cmd
	pythons := peers.Pythons(t)
	for _, python := range []peers.Python{pythons[0], pythons[0], pythons[len(pythons)-1], pythons[len(pythons)-1]} {
		cmd := exec.Command(python.Exe, append([]string{"-c", sweepHammer, s.dataDir(), strconv.Itoa(sweepRounds)}, ids...)...)
		cmd.Stderr = os.Stderr
		commands = append(commands, cmd)
	}
	var reports []sweepReport
	var mu sync.Mutex
	report := func(r sweepReport) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, r)
	}
	var hammers sync.WaitGroup
	for _, cmd := range commands {
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		hammers.Go(func() {
			var r sweepReport
			assert.NoError(t, json.NewDecoder(bufio.NewReader(out)).Decode(&r))
			assert.NoError(t, cmd.Wait())
			report(r)
		})
	}
	for n := range 2 {
		other := open(t, Options{DataDir: s.dataDir()})
		if n == 0 {
			other = s // whose locks the sweep must respect as well
		}
		hammers.Go(func() { report(sweepHammerHere(t, other, ids)) })
	}
	finished := make(chan struct{})
	go func() { hammers.Wait(); close(finished) }()
	total, removed := SweepResult{}, 0
	for stop := false; !stop; {
		r, n := sweepOften(t, s, ids, finished)
		total.Locks, total.LocksBusy, total.LocksLate, removed = total.Locks+r.Locks, total.LocksBusy+r.LocksBusy, total.LocksLate+r.LocksLate, removed+n
		require.Zero(t, r.LocksKept, "no leases in %s", s.dataDir())
		select {
		case <-finished:
			stop = true
		default:
		}
	}
	want := map[string]int{}
	for _, r := range reports {
		require.Empty(t, r.Faults)
		for id, n := range r.Done {
			want[id] += n
		}
	}
	for _, id := range ids {
		l, err := readLedger(s.dataDir(), id)
		require.NoError(t, err)
		require.Equal(t, want[id], l.N, "an update of %s is lost", id)
	}
	require.NotZero(t, removed)
	require.NotZero(t, total.Locks)
	t.Logf("%d records and %d lock files removed, %d busy, %d late", removed, total.Locks, total.LocksBusy, total.LocksLate)
}

// sweepOften sweeps many times before it closes the Sweep, and counts the records that
// went.
func sweepOften(t *testing.T, s *Store, ids []string, finished <-chan struct{}) (SweepResult, int) {
	w := s.NewSweep(SweepOptions{Grace: -1, Hold: 20 * time.Millisecond})
	removed := 0
	for range 50 {
		select {
		case <-finished:
			return w.Close(), removed
		default:
		}
		for _, id := range ids {
			gone := false
			require.NoError(t, w.Visit(t.Context(), id, func(old pyvalue.Value) error {
				if d, ok := old.(*pyvalue.Dict); ok {
					if dead, _ := d.GetStr("dead"); dead == pyvalue.Bool(true) {
						gone = true
						return stores.ErrRemove
					}
				}
				return nil
			}))
			if gone {
				removed++
			}
		}
		require.NoError(t, w.Litter(t.Context()))
	}
	return w.Close(), removed
}

type ledger struct {
	N    int  `json:"n"`
	Dead bool `json:"dead"`
}

func ledgerPath(root, id string) string { return filepath.Join(root, id+".ledger") }

func readLedger(root, id string) (l ledger, err error) {
	data, err := os.ReadFile(ledgerPath(root, id))
	if errors.Is(err, os.ErrNotExist) {
		return ledger{Dead: true}, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	return l, err
}

// sweepHammerHere does what the Pythons do, by a Store.
func sweepHammerHere(t *testing.T, s *Store, ids []string) sweepReport {
	r := sweepReport{Done: map[string]int{}}
	for n := range sweepRounds {
		id := ids[n%len(ids)]
		err := s.Update(t.Context(), id, func(old pyvalue.Value) (pyvalue.Value, error) {
			guard := filepath.Join(s.dataDir(), id+".guard")
			f, err := os.OpenFile(guard, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, err
			}
			defer func() { assert.NoError(t, errors.Join(f.Close(), os.Remove(guard))) }()
			l, err := readLedger(s.dataDir(), id)
			if err != nil {
				return nil, err
			}
			d, _ := old.(*pyvalue.Dict)
			switch {
			case d == nil && !l.Dead:
				return nil, errors.New("a live record is gone")
			case d != nil:
				v, _ := d.GetStr("n")
				if m, ok := v.(*pyvalue.Int).Int64(); !ok || int(m) != l.N {
					return nil, fmt.Errorf("lost update: %d, ledger %d", m, l.N)
				}
			}
			l = ledger{l.N + 1, n%2 == 0}
			data, err := json.Marshal(l)
			if err != nil {
				return nil, err
			}
			next := pyvalue.NewDict()
			next.SetStr("n", pyvalue.NewInt(int64(l.N)))
			next.SetStr("dead", pyvalue.Bool(l.Dead))
			return next, errors.Join(os.WriteFile(ledgerPath(s.dataDir(), id)+".new", data, 0o600), os.Rename(ledgerPath(s.dataDir(), id)+".new", ledgerPath(s.dataDir(), id)))
		})
		if err != nil {
			r.Faults = append(r.Faults, err.Error())
			return r
		}
		r.Done[id]++
	}
	return r
}
